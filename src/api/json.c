/* JSON of documents, events, receipts and the like. Partners name their files as they please:
 * nothing here relies on text being UTF-8. */
#include "api/json.h"

#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

struct json_out json_out_object(void)
{
    json_t *v = json_object();

    return (struct json_out) { v, v == NULL };
}

struct json_out json_out_list(void)
{
    json_t *v = json_array();

    return (struct json_out) { v, v == NULL };
}

void json_out_free(struct json_out *o)
{
    json_decref(o->v);
    o->v = NULL;
}

/* v is taken. */
static void put(struct json_out *o, const char *key, json_t *v)
{
    if (json_object_set_new(o->v, key, v) != 0)
        o->failed = true;
}

void json_put(struct json_out *o, const char *key, struct json_out in)
{
    o->failed |= in.failed;
    put(o, key, in.v);
}

void json_add(struct json_out *list, struct json_out in)
{
    list->failed |= in.failed;
    if (json_array_append_new(list->v, in.v) != 0)
        list->failed = true;
}

void json_add_text(struct json_out *list, const char *text)
{
    json_add(list, (struct json_out) { json_of_text(text), false });
}

void json_put_text(struct json_out *o, const char *key, const char *text)
{
    put(o, key, text == NULL ? json_null() : json_of_text(text));
}

void json_put_int(struct json_out *o, const char *key, int64_t v)
{
    put(o, key, json_integer(v));
}

void json_put_count(struct json_out *o, const char *key, uint64_t v)
{
    put(o, key, json_integer(v > INT64_MAX ? INT64_MAX : (int64_t)v));
}

void json_put_bool(struct json_out *o, const char *key, bool v)
{
    put(o, key, json_boolean(v));
}

void json_put_time(struct json_out *o, const char *key, int64_t ms)
{
    char text[25];

    if (ms == 0) {
        put(o, key, json_null());
        return;
    }
    net_time_text(ms, text);
    put(o, key, json_string(text));
}

json_t *json_of_octets(struct span octets)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * octets.n + 1);
    json_t *v;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < octets.n; i++) {
        text[2 * i] = digits[octets.p[i] >> 4];
        text[2 * i + 1] = digits[octets.p[i] & 15];
    }
    v = json_stringn(text, 2 * octets.n);
    free(text);
    return v;
}

/* Octets of the UTF-8 sequence at s that jansson will take; 0: none. */
static size_t sequence(const char *s)
{
    unsigned char c = (unsigned char)s[0];
    size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    json_t *v;

    if (n <= 1 || strnlen(s, n) < n)
        return n == 1 ? 1 : 0;
    v = json_stringn(s, n); /* surrogates and overlong forms: let it say */
    json_decref(v);
    return v != NULL ? n : 0;
}

json_t *json_of_text(const char *text)
{
    json_t *v = json_string(text);
    struct writer {
        char *p;
        size_t n;
    } w;

    if (v != NULL)
        return v;
    w.p = malloc(4 * strlen(text) + 1);
    w.n = 0;
    if (w.p == NULL)
        return NULL;
    while (*text != '\0') {
        size_t n = sequence(text);

        if (n > 0)
            memcpy(w.p + w.n, text, n);
        w.n += n > 0 ? n : (size_t)sprintf(w.p + w.n, "\\x%02X", (unsigned char)*text);
        text += n > 0 ? n : 1;
    }
    v = json_stringn(w.p, w.n);
    free(w.p);
    return v;
}

static struct json_out properties(const struct props *ps)
{
    struct json_out o = json_out_object();

    /* "waybill." are notes of the gateway to itself. */
    for (const struct prop *p = ps->first; p != NULL; p = p->next)
        if (strncmp(p->name, "waybill.", 8) != 0)
            json_put_text(&o, p->name, p->value);
    return o;
}

struct json_out json_document(const struct document *d)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "id", d->id);
    json_put_text(&o, "direction", d->outbound ? "out" : "in");
    json_put_text(&o, "state", document_state_name(d->state));
    json_put_text(&o, "protocol", d->protocol);
    json_put_text(&o, "listener", d->listener);
    json_put_text(&o, "partner", d->partner);
    json_put_text(&o, "from", d->from);
    json_put_text(&o, "to", d->to);
    json_put_text(&o, "own", d->own);
    json_put_text(&o, "peer", d->peer);
    json_put_text(&o, "name", d->name);
    json_put_time(&o, "created", d->created_ms);
    json_put_time(&o, "changed", d->changed_ms);
    json_put_count(&o, "size", d->size);
    json_put_count(&o, "raw_size", d->raw.size);
    json_put_count(&o, "progress", d->progress);
    json_put_count(&o, "total", d->total);
    json_put_count(&o, "records", d->records);
    json_put_text(&o, "reason", d->reason);
    json_put_bool(&o, "redelivered", d->redelivered);
    json_put_bool(&o, "held", document_held(d));
    json_put(&o, "properties", properties(&d->props));
    return o;
}

struct json_out json_event(const struct event *e)
{
    struct json_out o = json_out_object();

    json_put_time(&o, "at", e->at_ms);
    json_put_text(&o, "kind", e->kind);
    json_put_text(&o, "text", e->text);
    return o;
}

struct json_out json_receipt(const struct receipt *r)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "id", r->id);
    if (r->document_id != 0)
        json_put_int(&o, "document", r->document_id);
    else
        json_put_text(&o, "document", NULL);
    json_put_text(&o, "kind", r->kind);
    json_put_text(&o, "direction", r->outbound ? "out" : "in");
    json_put_text(&o, "state", r->state);
    json_put_int(&o, "reason", r->reason);
    json_put_text(&o, "text", r->text);
    json_put_text(&o, "creator", r->creator);
    json_put_time(&o, "at", r->at_ms);
    json_put(&o, "octets", (struct json_out) { json_of_octets(r->octets), false });
    return o;
}

struct json_out json_tracked(const struct tracked *t)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "label", t->label);
    json_put_text(&o, "value", t->value);
    return o;
}

struct json_out json_execution(const struct execution *x)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "id", x->id);
    json_put_text(&o, "process", x->process);
    json_put_time(&o, "started", x->started_ms);
    json_put_time(&o, "ended", x->ended_ms);
    json_put_bool(&o, "redelivered", x->redelivered);
    json_put_text(&o, "outcome", x->outcome);
    json_put_text(&o, "text", x->text);
    return o;
}

static const char *job_kind_name(enum job_kind kind)
{
    switch (kind) {
    case JOB_OPEN:
        return "open";
    case JOB_PROCESS:
        return "process";
    case JOB_SEND:
        return "send";
    case JOB_RECEIPT:
        return "receipt";
    case JOB_SEAL:
        return "seal";
    case JOB_POST:
        return "post";
    case JOB_MDN:
        return "mdn";
    }
    return "?";
}

struct json_out json_job(const struct job *j)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "id", j->id);
    json_put_text(&o, "kind", job_kind_name(j->kind));
    json_put_int(&o, "document", j->document_id);
    json_put_int(&o, "receipt", j->receipt_id);
    json_put_text(&o, "own", j->own);
    json_put_text(&o, "peer", j->peer);
    json_put_time(&o, "not_before", j->not_before_ms);
    json_put_int(&o, "attempts", j->attempts);
    json_put_int(&o, "step", j->step);
    json_put_text(&o, "last_error", j->last_error);
    return o;
}
