/* What the API answers, made of what the store and the gateway give. */
#ifndef WAYBILL_API_JSON_H
#define WAYBILL_API_JSON_H

#include "gateway/gateway.h"

#include <jansson.h>

/* A JSON object or list being made; its failure sticks, so that an answer lacks nothing without
 * anybody noticing. Zero `failed` to begin. */
struct json_out {
    json_t *v;
    bool failed; /* memory ran out */
};

struct json_out json_out_object(void);
struct json_out json_out_list(void);
void json_out_free(struct json_out *o);

void json_put_text(struct json_out *o, const char *key, const char *text); /* NULL: null */
void json_put_int(struct json_out *o, const char *key, int64_t v);
void json_put_count(struct json_out *o, const char *key, uint64_t v);
void json_put_bool(struct json_out *o, const char *key, bool v);
/* RFC 3339, null for 0. */
void json_put_time(struct json_out *o, const char *key, int64_t ms);
/* in is taken; its failure becomes that of o. */
void json_put(struct json_out *o, const char *key, struct json_out in);
void json_add(struct json_out *list, struct json_out in);
void json_add_text(struct json_out *list, const char *text);

/* A JSON string of any octets: what is not UTF-8 becomes "\xNN". NULL when memory is out. */
json_t *json_of_text(const char *text);
/* The octets as hexadecimal digits. */
json_t *json_of_octets(struct span octets);

struct json_out json_document(const struct document *d);
struct json_out json_event(const struct event *e);
struct json_out json_receipt(const struct receipt *r);
struct json_out json_tracked(const struct tracked *t);
struct json_out json_execution(const struct execution *x);
struct json_out json_job(const struct job *j);

/* Milliseconds since 1970 of "2026-11-21", "2026-11-21T10:15", "2026-11-21T10:15:00.123Z" or
 * with "+02:00" in place of Z (nothing there means UTC). False: not a time. */
bool json_time_of(const char *text, int64_t *ms);

#endif
