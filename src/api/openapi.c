/* The OpenAPI 3.1 document, made of the table of routes. */
#include "api/route.h"

#include <stdlib.h>

/* What fails sticks: the document is whole or there is none. */
struct maker {
    bool failed;
};

/* v is taken, here and below. */
static void set(struct maker *m, json_t *o, const char *key, json_t *v)
{
    if (json_object_set_new(o, key, v) != 0)
        m->failed = true;
}

static void set_text(struct maker *m, json_t *o, const char *key, const char *text)
{
    set(m, o, key, json_string(text));
}

static void add(struct maker *m, json_t *list, json_t *v)
{
    if (json_array_append_new(list, v) != 0)
        m->failed = true;
}

/* ---- schemas ---------------------------------------------------------------------------- */

static json_t *with_type(struct maker *m, const char *type)
{
    json_t *o = json_object();

    set_text(m, o, "type", type);
    return o;
}

static json_t *reference(struct maker *m, const char *name, size_t n)
{
    json_t *o = json_object();
    char text[80];

    (void)snprintf(text, sizeof(text), "#/components/schemas/%.*s", (int)n, name);
    set_text(m, o, "$ref", text);
    return o;
}

/* One type of the small language of route.h; *end: behind it. */
static json_t *type_of(struct maker *m, const char *text, const char **end)
{
    json_t *o, *list;
    size_t n = strcspn(text, " ~]}");

    if (*text == '[' || *text == '{') {
        const char *key = *text == '[' ? "items" : "additionalProperties";

        o = with_type(m, *text == '[' ? "array" : "object");
        set(m, o, key, type_of(m, text + 1, &text));
        text++;
    } else if (n == 1 && strchr("sibt", *text) != NULL) {
        o = with_type(m, *text == 'i' ? "integer" : *text == 'b' ? "boolean" : "string");
        if (*text == 't')
            set_text(m, o, "format", "date-time");
        text++;
    } else {
        o = n == 3 && strncmp(text, "any", 3) == 0 ? json_true() : reference(m, text, n);
        text += n;
    }
    if (*text == '~') {
        list = json_array();
        add(m, list, o);
        add(m, list, with_type(m, "null"));
        o = json_object();
        set(m, o, "anyOf", list);
        text++;
    }
    *end = text;
    return o;
}

/* The next "name?:type" of *text; false at the end. mark: '?', '!' or 0. */
static bool field_of(struct maker *m, const char **text, char name[64], char *mark,
                     json_t **type)
{
    size_t n;

    *text += strspn(*text, " ");
    n = strcspn(*text, ":?!");
    if (**text == '\0' || n >= 64)
        return false;
    memcpy(name, *text, n);
    name[n] = '\0';
    *text += n;
    *mark = **text == ':' ? '\0' : *(*text)++;
    *type = type_of(m, *text + 1, text);
    return true;
}

static json_t *enumeration(struct maker *m, const char *text)
{
    json_t *o = with_type(m, "string"), *list = json_array();

    while (*text != '\0') {
        size_t n = strcspn(text, "|");

        add(m, list, json_stringn(text, n));
        text += n + (text[n] == '|');
    }
    set(m, o, "enum", list);
    return o;
}

static json_t *schema(struct maker *m, const char *fields)
{
    json_t *o, *properties, *required, *type;
    char name[64], mark;

    if (*fields == '=')
        return enumeration(m, fields + 1);
    o = with_type(m, "object");
    properties = json_object();
    required = json_array();
    while (field_of(m, &fields, name, &mark, &type)) {
        set(m, properties, name, type);
        if (mark != '?')
            add(m, required, json_string(name));
    }
    set(m, o, "properties", properties);
    set(m, o, "required", required);
    set(m, o, "additionalProperties", json_false());
    return o;
}

/* ---- operations ------------------------------------------------------------------------- */

static void parameters(struct maker *m, json_t *list, const char *text, bool in_path)
{
    char name[64], mark;
    json_t *type;

    while (text != NULL && field_of(m, &text, name, &mark, &type)) {
        json_t *o = json_object();
        bool header = name[0] == '@';

        set_text(m, o, "name", name + header);
        set_text(m, o, "in", in_path ? "path" : header ? "header" : "query");
        set(m, o, "required", json_boolean(in_path || mark == '!'));
        set(m, o, "schema", type);
        add(m, list, o);
    }
}

/* {"application/json": {"schema": ...}} */
static json_t *content(struct maker *m, const char *what)
{
    static const struct {
        const char *name, *type;
    } others[] = { { "yaml", "application/yaml" },
                   { "xml", "application/xml" },
                   { "text", "text/plain" },
                   { "octets", "application/octet-stream" } };
    json_t *o = json_object(), *media = json_object();
    const char *type = "application/json", *end;

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcmp(what, others[i].name) == 0)
            type = others[i].type;
    if (strcmp(type, "application/json") == 0)
        set(m, media, "schema", type_of(m, what, &end));
    set(m, o, type, media);
    return o;
}

static json_t *response(struct maker *m, const char *text, const char *what)
{
    json_t *o = json_object();

    set_text(m, o, "description", text);
    set(m, o, "content", content(m, what));
    return o;
}

static bool has_version(const struct api_route *r)
{
    return strcmp(r->id, "getComponent") == 0 || strcmp(r->id, "putComponent") == 0;
}

static json_t *version_header(struct maker *m)
{
    json_t *o = json_object(), *tag = json_object();

    set_text(m, tag, "description", "the version, for If-Match");
    set(m, tag, "schema", with_type(m, "string"));
    set(m, o, "ETag", tag);
    return o;
}

static json_t *responses(struct maker *m, const struct api_route *r)
{
    json_t *o = json_object();
    char status[4] = { r->answer[0], r->answer[1], r->answer[2], '\0' };

    set(m, o, status, response(m, r->help, r->answer + 4));
    if (has_version(r))
        set(m, json_object_get(o, status), "headers", version_header(m));
    if (r->query != NULL && strstr(r->query, "@If-Match") != NULL)
        set(m, o, "412",
            response(m, "it is of another version: who saved it, and when", "Error"));
    if (strcmp(r->id, "getReady") == 0)
        set(m, o, "503", response(m, "starting or stopping", "Status"));
    if (r->role != ROLE_NONE) {
        set(m, o, "401", response(m, "nobody is logged on", "Error"));
        set(m, o, "403", response(m, "the role does not suffice", "Error"));
    }
    set(m, o, "default", response(m, "what is wrong, and what to do", "Error"));
    return o;
}

static json_t *operation(struct maker *m, const struct api_route *r)
{
    json_t *o = json_object(), *list = json_array(), *body;

    set_text(m, o, "operationId", r->id);
    set_text(m, o, "summary", r->help);
    set_text(m, o, "x-role", r->role == ROLE_NONE ? "none" : api_role_name(r->role));
    if (r->role == ROLE_NONE)
        set(m, o, "security", json_array());
    parameters(m, list, r->path, true);
    parameters(m, list, r->query, false);
    if (json_array_size(list) > 0)
        set(m, o, "parameters", list);
    else
        json_decref(list);
    if (r->body != NULL) {
        body = json_object();
        set(m, body, "required", json_true());
        set(m, body, "content", content(m, r->body));
        set(m, o, "requestBody", body);
    }
    set(m, o, "responses", responses(m, r));
    return o;
}

/* ---- the whole -------------------------------------------------------------------------- */

static json_t *paths(struct maker *m)
{
    json_t *all = json_object();

    for (size_t i = 0; i < api_routes_n; i++) {
        const struct api_route *r = &api_routes[i];
        char method[8] = "";

        for (size_t k = 0; k + 1 < sizeof(method) && r->method[k] != '\0'; k++)
            method[k] = (char)(r->method[k] | 0x20);
        if (json_object_get(all, r->pattern) == NULL)
            set(m, all, r->pattern, json_object());
        set(m, json_object_get(all, r->pattern), method, operation(m, r));
    }
    return all;
}

static json_t *components(struct maker *m)
{
    json_t *o = json_object(), *schemas = json_object();

    for (size_t i = 0; i < api_schemas_n; i++)
        set(m, schemas, api_schemas[i].name, schema(m, api_schemas[i].fields));
    set(m, o, "schemas", schemas);
    set(m, o, "securitySchemes",
        json_pack("{s:{s:s,s:s}, s:{s:s,s:s}, s:{s:s,s:s,s:s,s:s}}", "token", "type", "http",
                  "scheme", "bearer", "password", "type", "http", "scheme", "basic", "session",
                  "type", "apiKey", "in", "cookie", "name", "waybill", "description",
                  "the name goes on with the port of Host, as in waybill-8090, and begins with "
                  "__Host- over TLS"));
    return o;
}

json_t *api_openapi_make(void)
{
    struct maker m = { false };
    json_t *o = json_object();

    set_text(&m, o, "openapi", "3.1.0");
    set(&m, o, "info", json_pack("{s:s, s:s}", "title", "Waybill admin API", "version", "1"));
    set(&m, o, "security",
        json_pack("[{s:[]}, {s:[]}, {s:[]}]", "token", "password", "session"));
    set(&m, o, "paths", paths(&m));
    set(&m, o, "components", components(&m));
    if (m.failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

void api_openapi(struct api_call *c)
{
    json_t *v = api_openapi_make();

    api_json(c, 200, (struct json_out) { v, v == NULL });
}
