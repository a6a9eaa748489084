/* What we do with the turn: receipts first, then files, then the turn goes back.
 * RFC 5024 5.3.3 to 5.3.10; oftp2.md 6.2 (turn), 7.2 (retries), 8 (restart), 14.3. */
#include "gateway/delivery.h"
#include "gateway/relay.h"
#include "gateway/session_int.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LINGER_MS = 3000,
    LINGER_SLICE_MS = 100,
    OLD_BLOCKS_MAX = 9999999, /* SFIDFSIZ below level 5 */
};

/* States from which an outbound document may still be settled by a session. */
#define UNSENT (DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_SENDING))

int64_t outgoing_backoff(const struct partner *p, int attempts, int64_t now_ms)
{
    uint64_t wait = p != NULL && p->cfg->retry_first_ms > 0 ? p->cfg->retry_first_ms : 60000;
    uint64_t most = p != NULL && p->cfg->retry_max_ms > 0 ? p->cfg->retry_max_ms : 3600000;

    for (int i = 1; i < attempts && wait < most; i++)
        wait *= 2;
    return now_ms + (int64_t)(wait < most ? wait : most);
}

static void sending_free(struct session *s)
{
    struct sending *o = s->out;

    if (o == NULL)
        return;
    s->out = NULL;
    atomic_store(&s->document_id, 0);
    atomic_store(&s->done, 0);
    atomic_store(&s->total, 0);
    payload_reader_free(o->raw);
    payload_reader_free(o->index);
    free(o->buffer);
    arena_free(&o->arena);
    free(o);
}

/* Commits what became of the file and forgets it. A commit that fails leaves the job as it was:
 * the file is offered again, a little later, and the partner's duplicate check keeps it from being
 * taken twice. */
static bool settle(struct session *s, struct store_batch *b, const char *what)
{
    bool ok = job_commit(s->g, b, &s->out->job, what);

    sending_free(s);
    return ok;
}

/* ---- receipts ---------------------------------------------------------------------------- */

/* The receipt a job is about. Given in the arena. */
static bool find_receipt(struct store *st, const struct job *j, struct arena *a,
                         struct receipt *rc, bool *found, struct err *err)
{
    struct receipt *list = NULL;
    size_t n = 0;

    *found = false;
    if (!store_receipts(st, j->document_id, NULL, a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].id == j->receipt_id) {
            *rc = list[i];
            *found = true;
        }
    return true;
}

/* A receipt that cannot be sent in this session: later, with the reason in its job. */
static void put_off_receipt(struct session *s, struct job *j, const char *why)
{
    struct store_batch *b = store_batch_new();

    log_event(LOG_WARN, "oftp2.receipt.later", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(j->document_id), "reason", why, NULL);
    j->attempts++;
    j->last_error = why;
    j->not_before_ms = outgoing_backoff(s->partner, j->attempts, net_wall_ms());
    if (b != NULL)
        store_put_job(b, j);
    (void)job_commit(s->g, b, j, "a receipt for later");
}

static bool send_receipt(struct session *s, bool *sent, struct err *err)
{
    struct arena a = { 0 };
    struct receipt rc = { 0 };
    struct oftp_response r;
    struct job j;
    struct err why = { 0 };
    bool found = false, known = false;

    *sent = false;
    if (!store_take_job(s->g->store, 1u << JOB_RECEIPT, s->own, s->peer, s->last_receipt_job,
                        net_wall_ms(), LEASE_MS, &a, &j, &found, err)) {
        arena_free(&a);
        return false;
    }
    if (!found) {
        outgoing_note_told(s, false);
        goto out;
    }
    s->last_receipt_job = j.id;
    *sent = true; /* or at least tried: come again */
    if (!find_receipt(s->g->store, &j, &a, &rc, &known, &why) || !known) {
        put_off_receipt(s, &j,
                        known || why.text[0] != '\0' ? why.text : "the receipt is missing");
        goto out;
    }
    if (!receipt_response(&rc, &r, &why) || !oftp_session_respond_file(s->oftp, &r, &why)) {
        put_off_receipt(s, &j, why.text);
        goto out;
    }
    s->receipt_job = j;
    s->receipt_job.own = s->receipt_job.peer = s->receipt_job.last_error = NULL;
    (void)text_copy(s->receipt_kind, sizeof(s->receipt_kind), rc.kind);
out:
    arena_free(&a);
    return true;
}

static void not_noted(void *context, const struct err *err)
{
    (void)context;
    log_event(LOG_ERROR, "store.commit", "what", "receipts that were sent", "reason", err->text,
              NULL);
}

/* When this is lost, the receipts are sent again, which partners take calmly: so while the session goes
 * on it need not have a sync of its own. */
void outgoing_note_told(struct session *s, bool at_once)
{
    struct err why = { 0 };

    if (s->told_n > 0 && !at_once) {
        store_commit_soon(s->g->store, s->told, not_noted, s->g);
        s->told = NULL;
    } else if (s->told_n > 0 && !store_commit(s->g->store, s->told, &why)) {
        not_noted(s->g, &why);
        for (unsigned i = 0; i < s->told_n; i++)
            store_hold_job(s->g->store, s->told_jobs[i], net_wall_ms() + HOLD_MS);
    }
    store_batch_free(s->told);
    s->told = NULL;
    s->told_n = 0;
}

bool outgoing_receipt_taken(struct session *s, struct err *err)
{
    int64_t now = net_wall_ms(), document_id = s->receipt_job.document_id;
    char text[80];

    (void)err;
    if (s->told == NULL)
        s->told = store_batch_new();
    if (s->told != NULL) {
        (void)snprintf(text, sizeof(text), "%s to %s", s->receipt_kind, s->peer);
        store_set_receipt(s->told, s->receipt_job.receipt_id, "sent");
        store_end_job(s->told, s->receipt_job.id);
        store_add_event(s->told, document_id, now, "receipt sent", text);
        s->told_jobs[s->told_n++] = s->receipt_job.id;
        atomic_fetch_add(&s->g->n.receipts_out, 1);
        log_event(LOG_INFO, "oftp2.receipt.sent", "session", log_num(s->id), "partner",
                  s->partner_name, "document", log_num(document_id), "kind", s->receipt_kind,
                  NULL);
    } else { /* it will be sent again: the partner takes a repeated response calmly */
        log_event(LOG_ERROR, "store.commit", "what", "a receipt that was sent", "reason",
                  "out of memory", NULL);
        store_hold_job(s->g->store, s->receipt_job.id, now + HOLD_MS);
    }
    if (s->told_n == RECEIPTS_TOLD)
        outgoing_note_told(s, false);
    if (s->awaited > 0)
        s->awaited--;
    s->receipt_job.id = 0;
    return true;
}

/* ---- offering a file --------------------------------------------------------------------- */

/* A second later, "HHMMSS"; after the last of the day comes the first. */
static void next_second(char *time)
{
    unsigned h = 0, m = 0, s = 0, all;

    (void)sscanf(time, "%2u%2u%2u", &h, &m, &s);
    all = (h * 3600 + m * 60 + s + 1) % 86400;
    (void)snprintf(time, 7, "%02u%02u%02u", all / 3600 % 24, all / 60 % 60, all % 60);
}

/* At levels 1 and 2 stamps are short: the file goes by the short one from now on. Without the
 * counter two files of one name and second would be the same: the later one is set forward. */
static bool shorten_stamp(struct session *s, struct sending *o, struct err *err)
{
    struct store_batch *b;
    bool ok, taken = true;

    if (oftp_session_level(s->oftp) >= OFTP_14 || strlen(o->sfid.date) != 8)
        return true;
    memmove(o->sfid.date, o->sfid.date + 2, 7);
    o->sfid.time[6] = '\0';
    while (taken) {
        o->d.identity_key = oftp_identity_key(&o->arena, o->sfid.dsn, o->sfid.date,
                                              o->sfid.time, o->sfid.orig, o->sfid.dest);
        if (o->d.identity_key == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "out of memory");
        if (!outbound_key_taken(s->g, o->d.identity_key, o->d.id, &taken, err))
            return false;
        if (taken)
            next_second(o->sfid.time);
    }
    props_from_sfid(&o->d.props, &o->arena, &o->sfid, oftp_session_level(s->oftp));
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_put_document(b, &o->d);
    ok = store_commit(s->g->store, b, err);
    store_batch_free(b);
    return ok;
}

/* nerp: what the originator is told when the file is only passed on. */
static bool fail_document(struct session *s, const char *event, const char *reason, int nerp)
{
    struct store_batch *b = store_batch_new();
    struct sending *o = s->out;

    if (b == NULL)
        return settle(s, b, "a failed document");
    store_set_state(b, o->d.id, UNSENT, DOC_FAILED, net_wall_ms(), event, reason, reason);
    store_set_progress(b, o->d.id, o->d.progress, o->d.records);
    store_end_job(b, o->job.id);
    relay_failed(s->g, b, o->d.id, nerp);
    atomic_fetch_add(&s->g->n.failed, 1);
    log_event(LOG_WARN, "oftp2.send.failed", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(o->d.id), "dsn", o->sfid.dsn, "reason",
              reason, NULL);
    return settle(s, b, "a failed document");
}

/* Puts the file off to a later session; after the agreed number of attempts it has failed. */
static void put_off(struct session *s, const char *event, const char *reason, bool soon)
{
    struct sending *o = s->out;
    struct store_batch *b;
    uint32_t limit = s->partner != NULL ? s->partner->cfg->retry_attempts : 0;
    int64_t now = net_wall_ms();

    o->job.attempts++;
    if (limit != 0 && (uint32_t)o->job.attempts >= limit) {
        (void)fail_document(s, event, reason, NERP_NOT_DELIVERED);
        return;
    }
    b = store_batch_new();
    if (b == NULL) {
        (void)settle(s, b, "a document to be sent again");
        return;
    }
    o->job.last_error = reason;
    o->job.not_before_ms = soon ? now : outgoing_backoff(s->partner, o->job.attempts, now);
    store_put_job(b, &o->job);
    store_set_progress(b, o->d.id, o->d.progress, o->d.records);
    store_set_state(b, o->d.id, UNSENT, DOC_SEALED, now, event, reason, NULL);
    (void)settle(s, b, "a document to be sent again");
}

static bool load(struct session *s, struct sending *o, bool *usable, struct err *err)
{
    bool found = false;

    *usable = false;
    if (!store_get_document(s->g->store, o->job.document_id, &o->arena, &o->d, &found, err))
        return false;
    *usable = found && (o->d.state == DOC_SEALED || o->d.state == DOC_SENDING);
    sfid_from_props(&o->sfid, &o->d.props);
    return true;
}

static void log_unreadable(const struct session *s, const struct err *why)
{
    log_event(LOG_ERROR, "oftp2.send.unreadable", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(s->out->d.id), "reason", why->text,
              "look_at", "the folder `payload` below runtime.data_directory", NULL);
}

static bool offer(struct session *s, struct err *err)
{
    struct sending *o = s->out;
    struct err why = { 0 };
    bool records = oftp_counts_records(o->sfid.fmt, o->sfid.env);

    /* Found out after SFPA it would end the session, and every file behind it would wait. */
    if (!payload_open(s->g->store, o->d.id, 'r', &o->d.raw, &o->raw, &why)) {
        log_unreadable(s, &why);
        put_off(s, "not sent", why.text, false);
        return true;
    }
    if (!shorten_stamp(s, o, err))
        return false;
    o->sfid.rest = 0;
    if (oftp_session_restart(s->oftp))
        o->sfid.rest = records ? o->d.records : o->d.progress / OFTP_BLOCK;
    if (!oftp_session_offer_file(s->oftp, &o->sfid, &why)) {
        bool size = oftp_session_level(s->oftp) < OFTP_20 && o->sfid.fsiz > OLD_BLOCKS_MAX;

        (void)fail_document(s, "failed", why.text, size ? NERP_LEVEL_SIZE : NERP_NOT_DELIVERED);
        return true;
    }
    atomic_store(&s->document_id, o->d.id);
    atomic_store(&s->total, o->d.raw.size);
    return true;
}

static bool offer_next(struct session *s, bool *offered, struct err *err)
{
    struct sending *o = calloc(1, sizeof(*o));
    bool found = false, usable = false, ok;

    *offered = false;
    if (o == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok = store_take_job(s->g->store, 1u << JOB_SEND, s->own, s->peer, s->last_send_job,
                        net_wall_ms(), LEASE_MS, &o->arena, &o->job, &found, err);
    if (ok && found) {
        s->last_send_job = o->job.id;
        *offered = true; /* or tried: come again */
        ok = load(s, o, &usable, err);
        if (!ok)
            store_release_job(s->g->store, o->job.id);
    }
    if (ok && found && usable) {
        s->out = o;
        return offer(s, err);
    }
    if (ok && found) /* settled meanwhile, by an early receipt or an operator */
        job_done(s->g, &o->job);
    arena_free(&o->arena);
    free(o);
    return ok;
}

bool outgoing_turn(struct session *s, struct err *err)
{
    uint64_t now = net_now_ms();
    bool did = false;

    if (!send_receipt(s, &did, err))
        return false;
    if (!did && oftp_session_may_send_files(s->oftp) && !offer_next(s, &did, err))
        return false;
    if (did)
        return true;
    if (s->awaited > 0) { /* their receipts are about to be made: worth a moment */
        if (s->linger_until == 0)
            s->linger_until = now + LINGER_MS;
        if (now < s->linger_until && !atomic_load(&s->g->stopping)) {
            store_wait_kinds(s->g->store, 1u << JOB_RECEIPT | 1u << JOB_SEND, false,
                             &s->jobs_seen, LINGER_SLICE_MS);
            return true;
        }
    }
    s->awaited = 0;
    s->linger_until = 0;
    return oftp_session_pass_turn(s->oftp, err);
}

/* ---- sending it -------------------------------------------------------------------------- */

static bool open_source(struct session *s, struct sending *o, uint64_t position,
                        struct err *err)
{
    struct store *st = s->g->store;
    struct payload_ref index;
    bool found = false;

    o->buffer = malloc(READ_SIZE);
    if (o->buffer == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (!oftp_counts_records(o->sfid.fmt, o->sfid.env)) {
        o->at = position * OFTP_BLOCK;
    } else if (o->sfid.fmt == 'F') {
        o->at = position * o->sfid.lrecl;
    } else {
        if (!records_size(st, o->d.id, position, &o->at, err) ||
            !payload_index_ref(st, o->d.id, &index, &found, err))
            return false;
        if (found && !payload_open(st, o->d.id, 'x', &index, &o->index, err))
            return false;
        o->records.reader = o->index;
        o->records.at = position * 4;
    }
    if (o->at > o->d.raw.size)
        return FAIL(err, FAIL_LOCAL, 0, "the restart position lies beyond the file");
    return true;
}

/* In the middle of a file: it stays to be sent, from where the partner has it. */
static void unreadable(struct session *s, const struct err *why)
{
    log_unreadable(s, why);
    (void)session_give_up(s, "the file cannot be read at the moment", why);
}

bool outgoing_accepted(struct session *s, uint64_t position, struct err *err)
{
    struct sending *o = s->out;
    struct err why = { 0 };

    (void)err;
    if (!open_source(s, o, position, &why)) {
        unreadable(s, &why);
        return true;
    }
    o->accepted = true;
    o->d.progress = o->at;
    o->d.records = oftp_counts_records(o->sfid.fmt, o->sfid.env) ? position : 0;
    o->next_checkpoint = o->at + CHECKPOINT_FIRST;
    atomic_store(&s->done, o->at);
    log_event(LOG_INFO, "oftp2.send.start", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(o->d.id), "dsn", o->sfid.dsn, "octets",
              log_num((long long)o->d.raw.size), "from_octet",
              o->at > 0 ? log_num((long long)o->at) : NULL, NULL);
    return true;
}

static bool fill(struct sending *o, struct err *err)
{
    if (o->used < o->have || o->at >= o->d.raw.size)
        return true;
    o->used = 0;
    if (!payload_read(o->raw, o->at, (struct room) { o->buffer, READ_SIZE }, &o->have, err))
        return false;
    if (o->have == 0)
        return FAIL(err, FAIL_LOCAL, 0, "the payload of document %lld is shorter than recorded",
                    (long long)o->d.id);
    o->at += o->have;
    return true;
}

/* U, T and F: *done when the last octet is with the engine. */
static bool pump_stream(struct session *s, struct sending *o, bool *done, struct err *err)
{
    struct span in;
    bool end, whole = false;

    if (!fill(o, err))
        return false;
    in = span_of(o->buffer + o->used, o->have - o->used);
    end = o->at >= o->d.raw.size;
    if (o->sfid.fmt == 'F' && o->sfid.env == 0 && o->d.raw.size == 0) {
        *done = true;
        return true;
    }
    if (!oftp_session_data(s->oftp, &in, end, &whole, err))
        return false;
    o->used = o->have - in.n;
    *done = end && whole;
    return true;
}

/* V: record by record, as long as the engine takes them. */
static bool pump_records(struct session *s, struct sending *o, bool *done, struct err *err)
{
    while (oftp_session_wants_data(s->oftp)) {
        struct span in;
        bool whole = false, end;
        size_t n;

        if (!o->record_open) {
            bool more = false;

            if (o->index != NULL && !records_next(&o->records, &o->record_left, &more, err))
                return false;
            *done = !more;
            if (!more)
                return (o->used == o->have && o->at >= o->d.raw.size) ||
                       records_misfit(o->d.id, err);
            o->record_open = true;
        }
        if (o->record_left > 0 && !fill(o, err))
            return false;
        n = o->have - o->used;
        if (o->record_left > 0 && n == 0)
            return records_misfit(o->d.id, err);
        end = o->record_left <= n;
        in = span_of(o->buffer + o->used, end ? o->record_left : n);
        n = in.n;
        if (!oftp_session_data(s->oftp, &in, end, &whole, err))
            return false;
        o->used += n - in.n;
        o->record_left -= (uint32_t)(n - in.n);
        if (end && whole) {
            o->record_open = false;
            o->d.records++;
        }
    }
    return true;
}

/* How far we are, for a restart after a crash of ours. */
static void note_progress(struct session *s, struct sending *o)
{
    struct store_batch *b;
    struct err err = { 0 };

    if (o->d.progress < o->next_checkpoint || net_now_ms() - o->checkpoint_ms < CHECKPOINT_MS ||
        (b = store_batch_new()) == NULL)
        return;
    o->next_checkpoint = o->d.progress + CHECKPOINT_EVERY;
    o->checkpoint_ms = net_now_ms();
    store_hold_job(s->g->store, o->job.id, net_wall_ms() + LEASE_MS);
    store_set_progress(b, o->d.id, o->d.progress, o->d.records);
    if (o->d.state != DOC_SENDING)
        store_set_state(b, o->d.id, DOC_BIT(o->d.state), DOC_SENDING, net_wall_ms(), "sending",
                        s->partner_name, NULL);
    if (store_commit(s->g->store, b, &err))
        o->d.state = DOC_SENDING;
    else
        log_event(LOG_WARN, "store.commit", "what", "progress", "reason", err.text, NULL);
    store_batch_free(b);
}

static bool pump(struct session *s, struct sending *o, struct err *err)
{
    bool done = false;
    bool v = o->sfid.fmt == 'V' && o->sfid.env == 0;

    if (!(v ? pump_records(s, o, &done, err) : pump_stream(s, o, &done, err)))
        return false;
    o->d.progress = o->at - (o->have - o->used);
    if (o->sfid.fmt == 'F' && o->sfid.env == 0 && o->sfid.lrecl > 0)
        o->d.records = o->d.progress / o->sfid.lrecl;
    atomic_store(&s->done, o->d.progress);
    if (done) {
        struct oftp_efid efid = { 0, o->d.raw.size };

        if (oftp_counts_records(o->sfid.fmt, o->sfid.env))
            efid.rcnt = o->d.records;
        o->ended = true;
        return oftp_session_file_end(s->oftp, &efid, err);
    }
    note_progress(s, o);
    return true;
}

void outgoing_pump(struct session *s)
{
    struct err why = { 0 };

    if (!pump(s, s->out, &why))
        unreadable(s, &why);
}

/* ---- answers ----------------------------------------------------------------------------- */

static bool sent(struct session *s, const char *text)
{
    struct sending *o = s->out;
    struct store_batch *b = store_batch_new();

    if (b == NULL) {
        (void)settle(s, b, "a document that was sent");
        return true;
    }
    store_set_progress(b, o->d.id, o->d.raw.size, o->d.records);
    store_set_state(b, o->d.id, UNSENT, DOC_SENT, net_wall_ms(), "sent", text, NULL);
    store_set_prop(b, o->d.id, "oftp2.initiator_ssidcode", s->initiator ? s->own : s->peer);
    store_set_prop(b, o->d.id, "oftp2.responder_ssidcode", s->initiator ? s->peer : s->own);
    store_end_job(b, o->job.id);
    atomic_fetch_add(&s->g->n.documents_out, 1);
    log_event(LOG_INFO, "oftp2.send.taken", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(o->d.id), "dsn", o->sfid.dsn, "octets",
              log_num((long long)o->d.raw.size), NULL);
    (void)settle(s, b, "a document that was sent");
    return true;
}

bool outgoing_taken(struct session *s, struct err *err)
{
    (void)err;
    return s->out == NULL || sent(s, "EFPA: the partner has it in custody");
}

static bool answer(struct session *s, const char *command, const struct oftp_event *ev,
                   bool retry)
{
    struct sending *o = s->out;
    struct store_batch *b;
    struct err err = { 0 };
    char text[400], code[8];

    (void)snprintf(text, sizeof(text), "%s %02d %s%s%.200s", command, ev->reason,
                   oftp_answer_text(ev->reason), ev->text[0] != '\0' ? ": " : "", ev->text);
    (void)snprintf(code, sizeof(code), "%02d", ev->reason);
    b = store_batch_new();
    if (b != NULL) {
        store_set_prop(b, o->d.id, "oftp2.nareas", code);
        store_set_prop(b, o->d.id, "oftp2.nareast", ev->text);
        if (!store_commit(s->g->store, b, &err))
            log_event(LOG_ERROR, "store.commit", "what", "a refusal", "reason", err.text, NULL);
        store_batch_free(b);
    }
    if (retry)
        put_off(s, "refused for now", text, false);
    else
        (void)fail_document(s, "failed", text, oftp_nerp_for_answer(ev->reason));
    return true;
}

bool outgoing_refused(struct session *s, const struct oftp_event *ev, struct err *err)
{
    (void)err;
    if (s->out == NULL)
        return true;
    /* Our stamps are unique: a duplicate can only be this file, whose EFPA was lost. */
    if (ev->reason == ANSWER_DUPLICATE)
        return sent(s, "SFNA 13: the partner has it from an earlier attempt");
    return answer(s, "SFNA", ev, ev->retry);
}

bool outgoing_failed(struct session *s, const struct oftp_event *ev, struct err *err)
{
    (void)err;
    if (s->out == NULL)
        return true;
    if (ev->reason == ANSWER_DUPLICATE)
        return sent(s, "EFNA 13: the partner has it from an earlier attempt");
    s->out->d.progress = s->out->d.records = 0; /* an EFNA discards what was sent */
    return answer(s, "EFNA", ev, oftp_efna_retry(ev->reason));
}

void outgoing_cut(struct session *s)
{
    if (s->receipt_job.id != 0) {
        store_release_job(s->g->store, s->receipt_job.id);
        s->receipt_job.id = 0;
    }
    if (s->out != NULL)
        put_off(s, "interrupted",
                s->end_text[0] != '\0' ? s->end_text : "the session ended during the transfer",
                atomic_load(&s->g->stopping));
}
