/* From custody to the process: what an opened document sets going, and the opening of record
 * files. */
#include "gateway/delivery.h"
#include "gateway/as2_int.h"

#include "gateway/records.h"
#include "gateway/security.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOCAL_ATTEMPTS = 12 }; /* two minutes */

/* A property of documents that were taken with acknowledge: manual. */
#define OWED   "acknowledge"
#define MANUAL "manual"

static bool without_steps(const struct listener *l)
{
    return l->process->steps_n == 0 && !l->process->archiving.enabled &&
           (l->as2 == NULL || l->process->acknowledge != ACK_PROCESSED);
}

void delivery_log(const struct listener *l, const struct document *d)
{
    if (without_steps(l))
        log_event(LOG_INFO, "document.processed", "document", log_num(d->id), "listener",
                  l->name, NULL);
}

/* A process without steps has run when it begins. */
static void process_at_once(struct gateway *g, struct store_batch *b, const struct listener *l,
                            const struct document *d, int64_t now_ms)
{
    struct execution x = { .id = store_next_id(g->store),
                           .document_id = d->id,
                           .started_ms = now_ms,
                           .ended_ms = now_ms,
                           .process = d->listener,
                           .outcome = "processed" };

    store_put_execution(b, &x);
    store_set_state(b, d->id, DOC_BIT(DOC_OPENED), DOC_PROCESSED, now_ms, "processed", l->name,
                    "");
    if (l->process->acknowledge == ACK_PROCESSED)
        store_set_prop(b, d->id, "waybill.answered", "EERP");
}

void delivery_plan(struct gateway *g, struct store_batch *b, const struct listener *l,
                   const struct document *d, int64_t now_ms)
{
    const struct config_process *p = l->process;
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_PROCESS,
                     .document_id = d->id,
                     .not_before_ms = JOB_AT_ONCE };
    struct arena a = { 0 };
    struct err err = { 0 };
    bool at_once = without_steps(l);

    store_add_event(b, d->id, now_ms, "opened", l->name);
    for (size_t i = 0; i < p->tracking_n; i++) {
        char *value = NULL;

        if (template_expand(p->tracking[i].value, d, NULL, &a, &value, &err))
            store_add_tracked(b, d->id, p->tracking[i].field, value);
        else
            store_add_event(b, d->id, now_ms, "not tracked", err.text);
    }
    if (p->acknowledge == ACK_MANUAL)
        store_set_prop(b, d->id, OWED, MANUAL);
    if (at_once)
        process_at_once(g, b, l, d, now_ms);
    else
        store_put_job(b, &j);
    if (l->as2 == NULL &&
        (p->acknowledge == ACK_RECEIVED || (at_once && p->acknowledge == ACK_PROCESSED)))
        receipt_plan(g, b, d, 0, NULL, now_ms);
    arena_free(&a);
}

/* ---- opening record files ---------------------------------------------------------------- */

static bool copy_record(struct payload_reader *r, uint64_t *at, uint32_t length,
                        struct payload_writer *w, struct err *err)
{
    uint8_t buffer[16 * 1024];

    while (length > 0) {
        size_t got = 0, want = length < sizeof(buffer) ? length : sizeof(buffer);

        if (!payload_read(r, *at, (struct room) { buffer, want }, &got, err))
            return false;
        if (got == 0)
            return FAIL(err, FAIL_LOCAL, 0, "the payload is shorter than its records");
        if (!payload_write(w, span_of(buffer, got), err))
            return false;
        *at += got;
        length -= (uint32_t)got;
    }
    return true;
}

struct opening {
    bool trial; /* what fails is left to another attempt, which tells of it */
    uint8_t hash[EVP_MAX_MD_SIZE]; /* of the transmitted octets, for a signed receipt */
    size_t hash_n;
    struct payload_reader *raw, *index;
    struct records_in lengths;
    struct payload_writer *out;
};

static bool open_records(struct gateway *g, const struct document *d, const struct oftp_sfid *f,
                         const char *delimiter, struct opening *o, struct err *err)
{
    struct span mark = records_delimiter(delimiter, f->fmt == 'V' ? "lf" : "none");
    struct payload_ref index;
    bool found = false, more = true;
    uint64_t at = 0, records = 0;

    if (!payload_open(g->store, d->id, 'r', &d->raw, &o->raw, err) ||
        !payload_create(g->store, d->id, 'o', &o->out, err))
        return false;
    if (f->fmt == 'V') {
        if (!payload_index_ref(g->store, d->id, &index, &found, err))
            return false;
        if (found && !payload_open(g->store, d->id, 'x', &index, &o->index, err))
            return false;
        o->lengths.reader = o->index;
    }
    while (more) {
        uint32_t length = f->lrecl;

        if (atomic_load(&g->ending))
            return FAIL(err, FAIL_LOCAL, 0, "the runtime is being stopped");

        if (f->fmt == 'F')
            more = at < d->raw.size;
        else if (o->index == NULL)
            more = false;
        else if (!records_next(&o->lengths, &length, &more, err))
            return false;
        if (more && (!copy_record(o->raw, &at, length, o->out, err) ||
                     !payload_write(o->out, mark, err)))
            return false;
        records += more;
    }
    return f->fmt == 'F' || (at == d->raw.size && records == d->records) ||
           records_misfit(d->id, err);
}

/* A secured file, or one that asks for a signed receipt: through the layers it has. */
static bool open_secured(struct gateway *g, const struct snapshot *sn, const struct document *d,
                         const struct oftp_sfid *f, const struct listener *l, struct opening *o,
                         struct err *err)
{
    struct records_out to = { .fmt = f->env != 0 ? f->fmt : 'U', .lrecl = f->lrecl };

    to.delimiter =
        records_delimiter(l->process->record_delimiter, f->fmt == 'V' ? "lf" : "none");
    if (!payload_create(g->store, d->id, 'o', &o->out, err))
        return false;
    to.w = o->out;
    return security_open(g, sn, d, f, l, o->trial, &to, o->hash, &o->hash_n, err);
}

static bool open_any(struct gateway *g, const struct snapshot *sn, const struct document *d,
                     const struct oftp_sfid *f, const struct listener *l, struct opening *o,
                     struct err *err)
{
    if (f->env != 0)
        return open_secured(g, sn, d, f, l, o, err);
    if (f->sign && !security_hash(g, d, f, o->hash, &o->hash_n, err))
        return false;
    return !oftp_counts_records(f->fmt, f->env) ||
           open_records(g, d, f, l->process->record_delimiter, o, err);
}

static void opening_free(struct opening *o)
{
    payload_reader_free(o->raw);
    payload_reader_free(o->index);
    payload_writer_free(o->out);
}

/* Opens d and adds to the batch what follows. d and the batch are as they were when it fails. */
static bool open_into(struct gateway *g, const struct snapshot *sn, struct store_batch *b,
                      struct document *d, const struct listener *l, struct opening *o,
                      struct arena *a, struct err *err)
{
    struct oftp_sfid f;
    struct payload_ref ref = { 0 };

    sfid_from_props(&f, &d->props);
    if (!open_any(g, sn, d, &f, l, o, err) ||
        (o->out != NULL && !payload_finish(o->out, b, &ref, err)))
        return false;
    if (o->hash_n > 0) {
        char hash[2 * EVP_MAX_MD_SIZE + 1];

        hex_text(o->hash, o->hash_n, hash);
        props_set(&d->props, a, "oftp2.hash", hash);
    }
    d->opened = o->out != NULL ? ref : d->raw;
    if (o->out != NULL)
        props_set(&d->props, a, "waybill.opened", f.env != 0 ? "layers" : "records");
    d->size = d->opened.size;
    d->state = DOC_OPENED;
    return true;
}

bool delivery_open_now(struct gateway *g, const struct snapshot *sn, struct store_batch *b,
                       struct document *d, const struct payload_writer *raw,
                       const struct listener *l, struct arena *a, struct payload_writer **out)
{
    const struct payload_ref stored = d->raw;
    struct opening o = { .trial = true };
    struct err why = { 0 };
    bool ok = payload_here(raw, &d->raw) && open_into(g, sn, b, d, l, &o, a, &why);

    d->raw = stored;
    if (ok) {
        *out = o.out;
        o.out = NULL;
    }
    opening_free(&o);
    return ok;
}

static bool open_document(struct gateway *g, const struct snapshot *sn, const struct job *j,
                          struct document *d, const struct listener *l, struct arena *a,
                          struct err *err)
{
    struct opening o = { 0 };
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && open_into(g, sn, b, d, l, &o, a, err);
    if (ok) {
        d->changed_ms = now;
        store_put_document(b, d);
        store_end_job(b, j->id);
        delivery_plan(g, b, l, d, now);
        ok = store_commit(g->store, b, err);
        if (ok)
            delivery_log(l, d);
    }
    opening_free(&o);
    store_batch_free(b);
    return ok;
}

/* The hash belongs into a signed NERP too. */
static void keep_hash(struct gateway *g, struct document *d, struct arena *a)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    struct oftp_sfid f;
    struct err err = { 0 };
    size_t n = 0;

    sfid_from_props(&f, &d->props);
    if (!f.sign || !security_hash(g, d, &f, hash, &n, &err) || n == 0)
        return;
    hex_text(hash, n, text);
    props_set(&d->props, a, "oftp2.hash", text);
}

/* What is not what it should be goes no further: the document is refused for good, and the
 * partner told with the NERP of the step that failed. */
static void refuse_document(struct gateway *g, const struct job *j, const struct document *d,
                            const struct listener *l, const struct err *why)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    int cause = why->wire == 0 ? NERP_PROCESSING : why->wire & ~NERP_UNTOLD;
    int reason = (why->wire & NERP_UNTOLD) != 0 ? NERP_DECRYPTION : cause;

    log_event(LOG_ERROR, "document.refused", "document", log_num(d->id), "listener",
              d->listener, "partner", d->partner, "nerp", log_num(reason), "reason", why->text,
              "look_at",
              cause == NERP_SIGNATURE    ? "from.signature_verification_certificate"
              : cause == NERP_DECRYPTION ? "to.decryption_certificate"
                                         : "what the partner sends",
              NULL);
    atomic_fetch_add(&g->n.refused, 1);
    gateway_count_document(g, d->listener, true);
    gateway_listener_error(g, d->listener, why->text);
    if (b != NULL) {
        store_set_state(b, d->id, DOC_BIT(DOC_RECEIVED), DOC_REFUSED, now, "refused", why->text,
                        why->text);
        store_end_job(b, j->id);
        if (l->process->acknowledge != ACK_NONE)
            /* One text for all failures of a kind: padding and key must not be told apart. */
            receipt_plan(g, b, d, reason, oftp_nerp_text(reason), now);
    }
    (void)job_commit(g, b, j, "a refused document");
}

/* A full disk passes; a NERP or a failed document would be for ever. */
void opening_failed(struct gateway *g, const struct job *j, const struct document *d,
                    const struct listener *l, const char *why)
{
    if (atomic_load(&g->ending))
        return; /* the next runtime opens it */
    if (!document_later(g, j, "opening later", why))
        document_failed(g, j, d, l, why);
}

const struct listener *document_listener(const struct snapshot *sn, const struct document *d)
{
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    bool as2 = d->protocol != NULL && strcmp(d->protocol, "as2") == 0;

    return l != NULL && (l->as2 != NULL) == as2 ? l : NULL;
}

enum config_acknowledge document_acknowledge(const struct document *d, const struct listener *l)
{
    const char *taken = props_get(&d->props, OWED);

    if (taken != NULL && strcmp(taken, MANUAL) == 0)
        return ACK_MANUAL;
    return l == NULL ? ACK_NONE : l->process->acknowledge;
}

/* Whether a certificate or secret of ours cannot be used: what is wrong with us is no fault of the
 * partner's. OFTP2 tells so when it looks for its keys. */
static bool out_of_keys(const struct listener *l)
{
    return l->as2 != NULL && (l->as2_from.cfg == NULL || l->as2_from.error != NULL ||
                              l->as2_to.cfg == NULL || l->as2_to.error != NULL);
}

void open_run(struct gateway *g, const struct job *j)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct err err = { 0 };
    const struct listener *l = NULL;
    bool found = false;

    if (!store_get_document(g->store, j->document_id, &a, &d, &found, &err))
        job_later(g, j, err.text);
    else if (!found || d.state != DOC_RECEIVED)
        job_done(g, j);
    else if ((l = document_listener(sn, &d)) == NULL)
        document_failed(g, j, &d, NULL,
                        "the process that took this document is no longer deployed, or for the "
                        "other protocol: deploy it again, then `waybill retry`");
    else if (out_of_keys(l))
        opening_failed(g, j, &d, l, l->reason);
    else if (l->as2 != NULL)
        as2_open_run(g, sn, j, &d, l);
    else if (open_document(g, sn, j, &d, l, &a, &err))
        ;
    else if (err.kind == FAIL_TRUST) {
        keep_hash(g, &d, &a);
        refuse_document(g, j, &d, l, &err);
    } else
        opening_failed(g, j, &d, l, err.text);
    arena_free(&a);
    snapshot_put(sn);
}

/* ---- jobs and failures ------------------------------------------------------------------- */

bool job_commit(struct gateway *g, struct store_batch *b, const struct job *j, const char *what)
{
    struct err err = { 0 };
    bool ok = b != NULL ? store_commit(g->store, b, &err)
                        : FAIL(&err, FAIL_LOCAL, 0, "out of memory");

    if (!ok) {
        log_event(LOG_ERROR, "store.commit", "what", what, "document", log_num(j->document_id),
                  "reason", err.text, NULL);
        store_hold_job(g->store, j->id, net_wall_ms() + HOLD_MS);
    }
    store_batch_free(b);
    return ok;
}

void job_done(struct gateway *g, const struct job *j)
{
    struct store_batch *b = store_batch_new();

    if (b != NULL)
        store_end_job(b, j->id);
    (void)job_commit(g, b, j, "the end of a job");
}

/* event NULL: not told in the document's timeline. */
static void later(struct gateway *g, const struct job *j, const char *event, const char *why)
{
    struct store_batch *b = store_batch_new();
    struct job again = *j;
    int64_t now = net_wall_ms();
    char text[sizeof(((struct err *)NULL)->text) + 40];

    log_event(LOG_WARN, "job.later", "document", log_num(j->document_id), "attempt",
              log_num(j->attempts + 1), "reason", why, NULL);
    again.attempts++;
    again.last_error = why;
    again.not_before_ms = now + HOLD_MS;
    if (b != NULL) {
        if (event != NULL) {
            (void)snprintf(text, sizeof(text), "attempt %d of %d: %s", again.attempts,
                           LOCAL_ATTEMPTS, why);
            store_add_event(b, j->document_id, now, event, text);
        }
        store_put_job(b, &again);
    }
    (void)job_commit(g, b, j, "a job for later");
}

void job_later(struct gateway *g, const struct job *j, const char *why)
{
    later(g, j, NULL, why);
}

bool document_later(struct gateway *g, const struct job *j, const char *event, const char *why)
{
    if (j->attempts + 1 >= LOCAL_ATTEMPTS)
        return false;
    later(g, j, event, why);
    return true;
}

void document_failed(struct gateway *g, const struct job *j, const struct document *d,
                     const struct listener *l, const char *reason)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();

    log_event(LOG_ERROR, "document.failed", "document", log_num(d->id), "listener", d->listener,
              "name", d->name, "reason", reason, NULL);
    atomic_fetch_add(&g->n.failed, 1);
    if (d->listener != NULL) {
        gateway_count_document(g, d->listener, true);
        gateway_listener_error(g, d->listener, reason);
    }
    if (b == NULL) {
        (void)job_commit(g, b, j, "a failed document");
        return;
    }
    store_set_state(b, d->id,
                    DOC_BIT(DOC_RECEIVED) | DOC_BIT(DOC_OPENED) | DOC_BIT(DOC_PROCESSING),
                    DOC_FAILED, now, "failed", reason, reason);
    store_end_job(b, j->id);
    if (document_acknowledge(d, l) == ACK_PROCESSED &&
        props_get(&d->props, "waybill.answered") == NULL) {
        receipt_plan(g, b, d, NERP_PROCESSING, "the document could not be processed", now);
        store_set_prop(b, d->id, "waybill.answered", "NERP");
    }
    (void)job_commit(g, b, j, "a failed document");
}
