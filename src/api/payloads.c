/* Octets: a document handed in to be sent, and a document's raw or opened form handed out.
 * Memory is one buffer, whatever the size. */
#include "api/api_int.h"
#include "net/log.h"

#include <stdlib.h>

/* ---- in --------------------------------------------------------------------------------- */

/* False: answered already. */
static bool send_of(struct api_call *c, struct gateway_send *what)
{
    const char *format = http_query(c->r, "format");
    const char *length = http_query(c->r, "record_length");
    int64_t n = 0;

    *what = (struct gateway_send) {
        .partner = http_query(c->r, "partner"),
        .identity = http_query(c->r, "identity"),
        .destination = http_query(c->r, "destination"),
        .name = http_query(c->r, "name"),
        .file_name = http_query(c->r, "file_name"),
        .description = http_query(c->r, "description"),
        .record_delimiter = http_query(c->r, "record_delimiter"),
        .listener = c->conn->local ? "command" : "api",
        .who = c->who,
        .idempotency_key = http_query(c->r, "key"),
        .protocol = http_query(c->r, "protocol"),
        .content_type = http_query(c->r, "content_type"),
        .subject = http_query(c->r, "subject"),
    };
    if (what->partner == NULL || what->partner[0] == '\0') {
        api_error(c, 400, "partner is missing: to whom?");
        return false;
    }
    if (what->protocol != NULL && strcmp(what->protocol, "oftp2") != 0 &&
        strcmp(what->protocol, "as2") != 0) {
        api_error(c, 400, "protocol is oftp2 or as2, not '%.40s'", what->protocol);
        return false;
    }
    if (format != NULL && (strlen(format) != 1 || strchr("UTFV", format[0]) == NULL)) {
        api_error(c, 400, "format is U, T, F or V, not '%.40s'", format);
        return false;
    }
    what->format = format != NULL ? format[0] : 'U';
    if (length != NULL && !api_number(c, "record_length", length, 0, 99999, &n))
        return false;
    what->record_length = (uint32_t)n;
    return true;
}

/* The body to its end. *client: the fault is the client's. */
static bool take_body(struct api_call *c, struct gateway_outgoing *o, uint8_t *buffer,
                      bool *client, struct err *err)
{
    for (;;) {
        size_t n;

        *client = true;
        if (!http_body(c->r, (struct room) { buffer, API_BUFFER }, &n, err))
            return false;
        *client = false;
        if (n == 0)
            return true;
        if (!gateway_send_octets(o, span_of(buffer, n), err))
            return false;
    }
}

void api_send(struct api_call *c)
{
    uint8_t *buffer = malloc(API_BUFFER);
    struct gateway_outgoing *o = NULL;
    struct gateway_send what;
    struct json_out answer;
    bool client = false;
    struct err err;
    int64_t id;

    if (buffer == NULL) {
        api_error(c, 500, "memory is out");
        return;
    }
    if (!send_of(c, &what))
        goto out;
    if (!gateway_send_begin(c->gateway, &what, &o, &err) ||
        !take_body(c, o, buffer, &client, &err) || !gateway_send_commit(o, &id, &err)) {
        if (client && err.wire < 400)
            err.wire = 400;
        api_fail(c, &err);
        goto out;
    }
    answer = json_out_object();
    json_put_int(&answer, "id", id);
    api_json(c, 201, answer);
out:
    gateway_send_free(o);
    free(buffer);
}

/* ---- out -------------------------------------------------------------------------------- */

/* A header line that proposes a file name; only what is harmless in any header and any folder
 * is kept of it. */
static const char *disposition(struct arena *a, const struct document *d, bool raw)
{
    char *name = arena_text(a, d->name != NULL ? d->name : "document");

    if (name == NULL)
        return NULL;
    for (char *p = name; *p != '\0'; p++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_", *p) ==
                NULL ||
            (p == name && *p == '.'))
            *p = '_';
    return arena_printf(a,
                        "Content-Disposition: attachment; filename=\"%lld-%s%s\"\r\n"
                        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
                        (long long)d->id, name, raw ? ".raw" : "");
}

static bool give(struct api_call *c, struct payload_reader *reader, uint64_t size,
                 const char *extra, struct err *err)
{
    uint8_t *buffer = malloc(API_BUFFER);
    uint64_t at = 0;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "memory is out");

    ok = ok && http_answer_begin(c->r, 200, "application/octet-stream", extra, size, err);
    while (ok && at < size) {
        uint64_t left = size - at;
        struct room room = { buffer, left < API_BUFFER ? (size_t)left : API_BUFFER };
        size_t n;

        ok = payload_read(reader, at, room, &n, err);
        if (ok && n == 0)
            ok = FAIL(err, FAIL_LOCAL, 0, "the payload ends after %llu of %llu octets",
                      (unsigned long long)at, (unsigned long long)size);
        if (ok)
            ok = http_answer_part(c->r, span_of(buffer, n), err);
        at += ok ? n : 0;
    }
    ok = ok && http_answer_end(c->r, err);
    free(buffer);
    return ok;
}

void api_document_octets(struct api_call *c)
{
    bool raw = strcmp(c->arg[1], "raw") == 0, found;
    struct payload_reader *reader = NULL;
    const struct payload_ref *ref;
    struct document d;
    struct err err;
    int64_t id;

    if (!raw && strcmp(c->arg[1], "opened") != 0) {
        api_error(c, 404, "a document has raw and opened, not '%.40s'", c->arg[1]);
        return;
    }
    if (!api_number(c, "document", c->arg[0], 1, INT64_MAX, &id))
        return;
    if (!store_get_document(c->store, id, &c->r->arena, &d, &found, &err)) {
        api_fail(c, &err);
        return;
    }
    ref = raw ? &d.raw : &d.opened;
    if (!found || ref->kind == PAYLOAD_NONE) {
        if (!found)
            api_error(c, 404, "there is no document %lld", (long long)id);
        else
            api_error(c, 404, "document %lld is %s and has no %s octets", (long long)id,
                      document_state_name(d.state), c->arg[1]);
        return;
    }
    if (!payload_open(c->store, id, raw ? 'r' : document_opened_role(&d), ref, &reader, &err)) {
        api_fail(c, &err);
    } else if (!give(c, reader, ref->size, disposition(&c->r->arena, &d, raw), &err)) {
        log_event(LOG_WARN, "api.download.cut", "document", log_num(id), "error", err.text,
                  NULL);
        api_cut(c);
    }
    payload_reader_free(reader);
}
