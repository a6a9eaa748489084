/* Documents: found, shown with all that belongs to them, run again, released, taken back. */
#include "api/api_int.h"

#include <stdlib.h>

/* ---- search --------------------------------------------------------------------------- */

/* False: answered already. */
static bool filter_choices(struct api_call *c, struct document_filter *f)
{
    const char *direction = http_query(c->r, "direction");
    enum document_state st;

    if (f->state != NULL && !document_state_of(f->state, &st)) {
        api_error(c, 400,
                  "'%.40s' is no state: inbound documents are receiving, received, opened, "
                  "processing, processed, refused or failed; outbound ones queued, sealed, "
                  "sending, sent, acknowledged, rejected, overdue or failed",
                  f->state);
        return false;
    }
    if (direction == NULL)
        return true;
    f->direction = strcmp(direction, "in") == 0 ? 1 : strcmp(direction, "out") == 0 ? 2 : 0;
    if (f->direction == 0)
        api_error(c, 400, "direction is 'in' or 'out', not '%.40s'", direction);
    return f->direction != 0;
}

/* Those that are, or, there being nothing to be said for the others, all. False: answered already. */
static bool filter_held(struct api_call *c, struct document_filter *f)
{
    const char *held = http_query(c->r, "held");

    f->held = held != NULL && (strcmp(held, "true") == 0 || strcmp(held, "1") == 0);
    if (held == NULL || f->held)
        return true;
    api_error(c, 400, "held is 'true' or left out, not '%.40s'", held);
    return false;
}

bool api_query_time(struct api_call *c, const char *name, int64_t *ms)
{
    const char *text = http_query(c->r, name);

    if (text == NULL || json_time_of(text, ms))
        return true;
    api_error(c, 400, "%s '%.40s' is not a time such as 2026-11-21T10:15:00Z", name, text);
    return false;
}

/* False: answered already. */
static bool filter_of(struct api_call *c, struct document_filter *f)
{
    const char *before = http_query(c->r, "before"), *limit = http_query(c->r, "limit");
    int64_t n = 100;

    *f = (struct document_filter) {
        .state = http_query(c->r, "state"),
        .partner = http_query(c->r, "partner"),
        .protocol = http_query(c->r, "protocol"),
        .name = http_query(c->r, "name"),
        .text = http_query(c->r, "text"),
        .listener = http_query(c->r, "listener"),
        .file_name = http_query(c->r, "file_name"),
        .file_name_prefix = http_query(c->r, "file_name_prefix"),
        .message_id = http_query(c->r, "message_id"),
        .tracked_label = http_query(c->r, "label"),
        .tracked_value = http_query(c->r, "value"),
        .tracked_value_prefix = http_query(c->r, "value_prefix"),
    };
    if (!filter_choices(c, f) || !filter_held(c, f) ||
        !api_query_time(c, "from", &f->from_ms) || !api_query_time(c, "to", &f->to_ms))
        return false;
    if (before != NULL && !api_number(c, "before", before, 1, INT64_MAX, &f->before_id))
        return false;
    if (limit != NULL && !api_number(c, "limit", limit, 1, 1000, &n))
        return false;
    f->limit = (size_t)n;
    return true;
}

void api_documents(struct api_call *c)
{
    struct json_out o, all;
    struct document_filter f;
    struct document *list;
    struct err err;
    size_t n;

    if (!filter_of(c, &f))
        return;
    if (!store_find_documents(c->store, &f, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_document(&list[i]));
    json_put(&o, "documents", all);
    if (n == f.limit)
        json_put_int(&o, "next", list[n - 1].id);
    else
        json_put_text(&o, "next", NULL);
    api_json(c, 200, o);
}

/* ---- one ------------------------------------------------------------------------------ */

/* False: answered already. */
static bool load(struct api_call *c, struct document *d)
{
    struct err err;
    int64_t id;
    bool found;

    if (!api_number(c, "document", c->arg[0], 1, INT64_MAX, &id))
        return false;
    if (!store_get_document(c->store, id, &c->r->arena, d, &found, &err)) {
        api_fail(c, &err);
        return false;
    }
    if (!found)
        api_error(c, 404, "there is no document %lld", (long long)id);
    return found;
}

static bool put_events(struct api_call *c, struct json_out *o, int64_t id, struct err *err)
{
    struct json_out all;
    struct event *list;
    size_t n;

    if (!store_events(c->store, id, &c->r->arena, &list, &n, err))
        return false;
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_event(&list[i]));
    json_put(o, "events", all);
    return true;
}

static bool put_tracked(struct api_call *c, struct json_out *o, int64_t id, struct err *err)
{
    struct json_out all;
    struct tracked *list;
    size_t n;

    if (!store_tracked(c->store, id, &c->r->arena, &list, &n, err))
        return false;
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_tracked(&list[i]));
    json_put(o, "tracked", all);
    return true;
}

static bool put_executions(struct api_call *c, struct json_out *o, int64_t id, struct err *err)
{
    struct json_out all;
    struct execution *list;
    size_t n;

    if (!store_executions(c->store, id, &c->r->arena, &list, &n, err))
        return false;
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_execution(&list[i]));
    json_put(o, "executions", all);
    return true;
}

static bool put_receipts(struct api_call *c, struct json_out *o, int64_t id, struct err *err)
{
    struct json_out all;
    struct receipt *list;
    size_t n;

    if (!store_receipts(c->store, id, NULL, &c->r->arena, &list, &n, err))
        return false;
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_receipt(&list[i]));
    json_put(o, "receipts", all);
    return true;
}

/* What goes by OFTP2 waits for the next call, too, when the last one failed. */
static void put_job(struct api_call *c, struct json_out *all, struct job *j)
{
    if (j->kind == JOB_SEND || j->kind == JOB_RECEIPT) {
        int64_t call_ms = gateway_next_call(c->gateway, j->own, j->peer);

        if (call_ms > j->not_before_ms)
            j->not_before_ms = call_ms;
    }
    json_add(all, json_job(j));
}

/* id 0: all. */
static bool put_jobs(struct api_call *c, struct json_out *o, int64_t id, struct err *err)
{
    struct json_out all;
    struct job *list;
    size_t n;

    if (!store_jobs(c->store, id, &c->r->arena, &list, &n, err))
        return false;
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        put_job(c, &all, &list[i]);
    json_put(o, "jobs", all);
    return true;
}

void api_document(struct api_call *c)
{
    struct document d;
    struct json_out o;
    struct err err;
    bool ok;

    /* As of one moment: a receipt that is shown has its event, too. */
    if (!store_view_begin(c->store, &err)) {
        api_fail(c, &err);
        return;
    }
    if (!load(c, &d)) {
        store_view_end(c->store);
        return;
    }
    o = json_document(&d);
    ok = put_events(c, &o, d.id, &err) && put_receipts(c, &o, d.id, &err) &&
         put_tracked(c, &o, d.id, &err) && put_executions(c, &o, d.id, &err) &&
         put_jobs(c, &o, d.id, &err);
    store_view_end(c->store);
    if (ok) {
        api_json(c, 200, o);
        return;
    }
    json_out_free(&o);
    api_fail(c, &err);
}

void api_document_do(struct api_call *c)
{
    const char *what = c->arg[1], *text = http_query(c->r, "text");
    struct document d;
    struct err err;
    int64_t id;
    bool done;

    if (!api_number(c, "document", c->arg[0], 1, INT64_MAX, &id))
        return;
    if (strcmp(what, "retry") == 0) {
        done = gateway_retry(c->gateway, id, c->who, &err);
    } else if (strcmp(what, "acknowledge") == 0) {
        done = gateway_acknowledge(c->gateway, id, true, text, c->who, &err);
    } else if (strcmp(what, "reject") == 0) {
        done = gateway_acknowledge(c->gateway, id, false, text, c->who, &err);
    } else if (strcmp(what, "cancel") == 0) {
        done = gateway_cancel(c->gateway, id, c->who, &err);
    } else if (strcmp(what, "reprocess") == 0) {
        done = gateway_reprocess(c->gateway, id, c->who, &err);
    } else {
        api_error(c, 404,
                  "a document takes retry, reprocess, resend, acknowledge, reject and cancel, "
                  "not '%.40s'",
                  what);
        return;
    }
    if (!done)
        api_fail(c, &err);
    else if (load(c, &d))
        api_json(c, 200, json_document(&d));
}

void api_resend(struct api_call *c)
{
    const char *key = http_query(c->r, "key");
    struct document d;
    struct err err;
    int64_t id;
    bool found;

    if (!api_number(c, "document", c->arg[0], 1, INT64_MAX, &id))
        return;
    if (key != NULL && (key[0] == '\0' || strlen(key) > API_KEY_MAX))
        api_error(c, 400, "key has 1 to %d octets", API_KEY_MAX);
    else if (!gateway_resend(c->gateway, id, key, c->who, &id, &err) ||
             !store_get_document(c->store, id, &c->r->arena, &d, &found, &err))
        api_fail(c, &err);
    else if (!found)
        api_error(c, 409, "it was sent again with this key as document %lld, which is gone",
                  (long long)id);
    else
        api_json(c, 201, json_document(&d));
}

/* ---- receipts and jobs ---------------------------------------------------------------- */

/* The query's document, 0 when there is none. False: answered already. */
static bool document_query(struct api_call *c, int64_t *id)
{
    const char *text = http_query(c->r, "document");

    *id = 0;
    return text == NULL || api_number(c, "document", text, 1, INT64_MAX, id);
}

void api_receipts(struct api_call *c)
{
    const char *before = http_query(c->r, "before"), *limit = http_query(c->r, "limit");
    const char *state = http_query(c->r, "state");
    int64_t id, before_id = 0, most = 100;
    struct json_out o, all;
    struct receipt *list;
    struct err err;
    bool ok;
    size_t n;

    if (!document_query(c, &id) ||
        (before != NULL && !api_number(c, "before", before, 1, INT64_MAX, &before_id)) ||
        (limit != NULL && !api_number(c, "limit", limit, 1, 1000, &most)))
        return;
    ok = id != 0 ? store_receipts(c->store, id, state, &c->r->arena, &list, &n, &err)
                 : store_receipts_page(c->store, state, before_id, (size_t)most, &c->r->arena,
                                       &list, &n, &err);
    if (!ok) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, json_receipt(&list[i]));
    json_put(&o, "receipts", all);
    if (id == 0 && n == (size_t)most)
        json_put_int(&o, "next", list[n - 1].id);
    else
        json_put_text(&o, "next", NULL);
    api_json(c, 200, o);
}

void api_jobs(struct api_call *c)
{
    struct json_out o;
    struct err err;
    int64_t id;

    if (!document_query(c, &id))
        return;
    o = json_out_object();
    if (put_jobs(c, &o, id, &err)) {
        api_json(c, 200, o);
        return;
    }
    json_out_free(&o);
    api_fail(c, &err);
}
