/* What operators ask for a second time: a document that went out goes out again, as another one;
 * one that was processed is processed again. */
#include "gateway/delivery.h"
#include "gateway/exchange.h"
#include "gateway/records.h"
#include "gateway/relay.h"

#include <stdlib.h>

/* ---- out --------------------------------------------------------------------------------- */

/* The records of what was sent: their lengths are in an index, or in front of each. */
struct source {
    struct payload_reader *octets, *index;
    struct records_in lengths;
    uint64_t at;
    uint8_t *buffer; /* READ_SIZE */
};

/* *more false: there is no further one. */
static bool next_length(struct source *s, uint32_t *length, bool *more, struct err *err)
{
    uint8_t prefix[2];
    size_t got = 0;

    if (s->index != NULL)
        return records_next(&s->lengths, length, more, err);
    if (!payload_read(s->octets, s->at, (struct room) { prefix, 2 }, &got, err))
        return false;
    *more = got == 2;
    *length = (uint32_t)prefix[0] << 8 | prefix[1];
    s->at += got;
    return got != 1 || FAIL(err, FAIL_LOCAL, 0, "the payload ends in the middle of a record");
}

static bool copy_record(struct source *s, uint32_t length, struct gateway_outgoing *o,
                        struct err *err)
{
    send_record_begin(o);
    while (length > 0) {
        size_t most = length < READ_SIZE ? length : READ_SIZE, got = 0;

        if (!payload_read(s->octets, s->at, (struct room) { s->buffer, most }, &got, err))
            return false;
        if (got == 0)
            return FAIL(err, FAIL_LOCAL, 0, "the payload is shorter than its records");
        if (!gateway_send_octets(o, span_of(s->buffer, got), err))
            return false;
        s->at += got;
        length -= (uint32_t)got;
    }
    return send_record_end(o, err);
}

static bool copy_records(struct gateway *g, const struct document *d, bool prefixed,
                         struct gateway_outgoing *o, struct err *err)
{
    struct source s = { .buffer = malloc(READ_SIZE) };
    struct payload_ref index;
    bool found = prefixed, more = true;
    bool ok = s.buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok &&
         payload_open(g->store, d->id, document_opened_role(d), &d->opened, &s.octets, err);
    if (ok && !prefixed)
        ok = payload_index_ref(g->store, d->id, &index, &found, err) &&
             (!found || payload_open(g->store, d->id, 'x', &index, &s.index, err));
    s.lengths.reader = s.index;
    while (ok && found && more) {
        uint32_t length = 0;

        ok = next_length(&s, &length, &more, err) && (!more || copy_record(&s, length, o, err));
    }
    if (ok && s.at != d->opened.size)
        ok = records_misfit(d->id, err);
    payload_reader_free(s.octets);
    payload_reader_free(s.index);
    free(s.buffer);
    return ok;
}

static bool may_resend(const struct document *d, struct err *err)
{
    long long id = (long long)d->id;

    if (!d->outbound)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld came in: `reprocess` runs its process again", id);
    if (d->state != DOC_ACKNOWLEDGED && d->state != DOC_REJECTED && d->state != DOC_OVERDUE &&
        d->state != DOC_FAILED)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld is %s, still under way: it can be sent again when it is "
                    "acknowledged, rejected, overdue or failed",
                    id, document_state_name(d->state));
    if (relay_original(d) != 0)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld is relayed: its originator must send the file again", id);
    if (exchange_kind(d->name == NULL ? "" : d->name) != NULL)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld is a certificate: `waybill exchange` sends it anew", id);
    if (d->opened.kind == PAYLOAD_NONE || props_get(&d->props, "waybill.octets") != NULL)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld has no octets any more: retention.*.payloads is shorter "
                    "than its age",
                    id);
    return true;
}

/* One at a time, so that a second click does not send twice. */
static bool none_under_way(struct gateway *g, const struct document *d, struct err *err)
{
    const char *last = props_get(&d->props, "resent_as");
    struct document before = { 0 };
    struct arena a = { 0 };
    bool found = false, ok;

    if (last == NULL)
        return true;
    ok = store_get_document(g->store, strtoll(last, NULL, 10), &a, &before, &found, err);
    if (ok && found && before.state >= DOC_QUEUED && before.state <= DOC_SENT)
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is being sent again already: document %s is %s",
                  (long long)d->id, last, document_state_name(before.state));
    arena_free(&a);
    return ok;
}

/* The identity that sent it; NULL: it is gone, and the partner's settings say who sends. */
static const char *identity_of(const struct snapshot *sn, const struct document *d,
                               struct arena *a)
{
    const struct identity *id;

    if (strcmp(d->protocol, "as2") == 0)
        return props_get(&d->props, "as2.identity");
    id = snapshot_identity_of_code(sn, d->from);
    return id == NULL ? NULL : arena_text(a, id->name);
}

static void fill(struct gateway_send *w, const struct document *d, struct oftp_sfid *f,
                 struct arena *a)
{
    w->again = d;
    w->partner = d->partner;
    w->protocol = d->protocol;
    w->name = d->name;
    w->listener = "resend";
    w->file_name = props_get(&d->props, "file_name");
    if (strcmp(d->protocol, "as2") == 0) {
        w->content_type = props_get(&d->props, "as2.mime_type");
        w->subject = props_get(&d->props, "as2.subject");
        return;
    }
    sfid_from_props(f, &d->props);
    w->format = f->fmt;
    w->record_length = f->lrecl;
    w->description = arena_copy(a, span_of(f->desc, f->descl));
    if (strcmp(d->to, d->peer) != 0)
        w->destination = d->to;
}

static bool send_again(struct gateway *g, struct gateway_send *w, bool prefixed, int64_t *id,
                       struct err *err)
{
    struct gateway_outgoing *o = NULL;
    const struct document *d = w->again;
    bool ok =
        gateway_send_begin(g, w, &o, err) &&
        (w->format == 'V' ? copy_records(g, d, prefixed, o, err) : send_copy(g, d, o, err)) &&
        gateway_send_commit(o, id, err);

    gateway_send_free(o);
    return ok;
}

/* Without a key of the caller's: what was sent last. Two at once get the same one so, and agree on
 * one new document. */
static const char *key_of(struct arena *a, const struct document *d, const char *key)
{
    const char *last = props_get(&d->props, "resent_as");

    return key != NULL ? arena_printf(a, "resend|%lld|k|%s", (long long)d->id, key)
                       : arena_printf(a, "resend|%lld|a|%s", (long long)d->id,
                                      last == NULL ? "" : last);
}

bool gateway_resend(struct gateway *g, int64_t document_id, const char *key, const char *who,
                    int64_t *new_id, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct gateway_send w = { .who = who };
    struct oftp_sfid f = { 0 };
    int64_t before = 0;
    bool ok = operator_load(g, document_id, &a, &d, err) && may_resend(&d, err);

    if (ok) {
        fill(&w, &d, &f, &a);
        w.identity = identity_of(sn, &d, &a);
        w.idempotency_key = key_of(&a, &d, key);
        if (w.idempotency_key == NULL)
            ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    if (ok && key != NULL)
        ok = store_find_seen(g->store,
                             arena_printf(&a, "send|%s|%s", w.partner, w.idempotency_key),
                             net_wall_ms(), &before, err);
    if (ok && before != 0)
        *new_id = before;
    else
        ok = ok && none_under_way(g, &d, err) && send_again(g, &w, f.env != 0, new_id, err);
    arena_free(&a);
    snapshot_put(sn);
    return ok;
}

/* ---- in ---------------------------------------------------------------------------------- */

static bool may_reprocess(const struct snapshot *sn, const struct document *d, struct err *err)
{
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    long long id = (long long)d->id;

    if (d->outbound)
        return FAIL(err, FAIL_LOCAL, 409, "document %lld went out: `resend` sends it again",
                    id);
    if (d->state != DOC_PROCESSED)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld is %s: only a processed one is processed again%s", id,
                    document_state_name(d->state),
                    d->state == DOC_FAILED ? "; `retry` goes on with the step that failed"
                                           : "");
    if (relay_inbound(d) || exchange_inbound(d))
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld was %s: there is no process to run again", id,
                    relay_inbound(d) ? "relayed" : "a certificate file");
    if (l == NULL)
        return FAIL(err, FAIL_LOCAL, 409, "process '%s' of document %lld is not deployed",
                    d->listener == NULL ? "" : d->listener, id);
    if (l->process->steps_n == 0)
        return FAIL(err, FAIL_LOCAL, 409, "process '%s' has no steps to run again", l->name);
    if (d->opened.kind == PAYLOAD_NONE || props_get(&d->props, "waybill.octets") != NULL)
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld has no octets any more: retention.settled.payloads", id);
    return true;
}

static bool reprocess(struct gateway *g, const struct document *d, const char *who,
                      struct arena *a, struct err *err)
{
    struct store_batch *b = store_batch_new();
    const char *run = props_get(&d->props, "waybill.run");
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_PROCESS,
                     .document_id = d->id,
                     .not_before_ms = net_wall_ms() };

    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_set_state(b, d->id, DOC_BIT(DOC_PROCESSED), DOC_OPENED, j.not_before_ms, "reprocess",
                    who, NULL);
    store_set_prop(b, d->id, "waybill.step", "0");
    store_set_prop(b, d->id, "waybill.run",
                   arena_printf(a, "%lld", run == NULL ? 2 : strtoll(run, NULL, 10) + 1));
    store_put_job(b, &j);
    return operator_change(g, b, who, "reprocess", d->id, err);
}

bool gateway_reprocess(struct gateway *g, int64_t document_id, const char *who, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    bool ok;

    pthread_mutex_lock(&g->operators);
    ok = operator_load(g, document_id, &a, &d, err) && may_reprocess(sn, &d, err) &&
         reprocess(g, &d, who, &a, err);
    pthread_mutex_unlock(&g->operators);
    arena_free(&a);
    snapshot_put(sn);
    return ok;
}
