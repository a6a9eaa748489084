/* The requests there are: one table, of which the dispatcher and the OpenAPI document are made. */
#ifndef WAYBILL_API_ROUTE_H
#define WAYBILL_API_ROUTE_H

#include "api/api_int.h"

struct api_route {
    const char *method, *pattern; /* "/api/v1/documents/{id}" */
    api_handler *run;
    enum api_role role; /* at least; ROLE_NONE: asks for no log-on */
    const char *id;     /* operationId */
    const char *help;   /* one line */
    const char *path;   /* types of what stands in braces, "id:i action:DocumentAction" */
    const char
        *query;       /* its parameters, the same way; "partner!:s" is required, "@If-Match:s" a
                           header. NULL: none */
    const char *body; /* schema, or "yaml", "xml", "octets"; NULL: none */
    const char *answer; /* status and schema, "201 Created"; or "200 octets", "200 text" */
};

extern const struct api_route api_routes[];
extern const size_t api_routes_n;

/* A schema: an object "name:type ..." or, after '=', one of these texts "=in|out".
 * Types: s text, i whole number, b true or false, t time, a schema's name, [type] a list, {type} an
 * object of any names; with ~ also null. "name?:type" may be missing. */
struct api_schema {
    const char *name, *fields;
};

extern const struct api_schema api_schemas[];
extern const size_t api_schemas_n;

#endif
