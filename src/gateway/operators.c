/* What operators do with documents: run again, release, take back. */
#include "gateway/as2_int.h"
#include "gateway/delivery.h"
#include "gateway/exchange.h"
#include "gateway/relay.h"

#include <stdio.h>
#include <unistd.h>

bool operator_load(struct gateway *g, int64_t id, struct arena *a, struct document *d,
                   struct err *err)
{
    bool found = false;

    if (!store_get_document(g->store, id, a, d, &found, err))
        return false;
    return found || FAIL(err, FAIL_LOCAL, 404, "there is no document %lld", (long long)id);
}

bool operator_change(struct gateway *g, struct store_batch *b, const char *who,
                     const char *what, int64_t id, struct err *err)
{
    char text[100];
    bool ok;

    (void)snprintf(text, sizeof(text), "%s document %lld", what, (long long)id);
    store_add_audit(b, net_wall_ms(), who, text);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    if (!ok && err->kind == FAIL_AGAIN)
        err->wire = 409;
    return ok;
}

/* What the partner rejected after it had it would be a duplicate under its old stamp. Comes behind
 * the change of state, which sees to it that nothing has changed since d was read. */
static bool new_stamp(struct gateway *g, struct store_batch *b, struct arena *a,
                      struct document *d, int64_t now, struct err *err)
{
    struct oftp_sfid f;

    sfid_from_props(&f, &d->props);
    if (!stamp_unused(g, &f, err))
        return false;
    d->identity_key = oftp_identity_key(a, f.dsn, f.date, f.time, f.orig, f.dest);
    props_from_sfid(&d->props, a, &f, OFTP_20);
    d->state = d->raw.kind != PAYLOAD_NONE ? DOC_SEALED : DOC_QUEUED;
    d->changed_ms = now;
    d->reason = "";
    d->progress = d->records = 0;
    store_put_document(b, d);
    return true;
}

/* Whether a secured file is sealed anew: what made it fail may have been a certificate that was
 * exchanged since. The envelope is then another one, offered from its start (oftp2.md 8.3). Not
 * what a broken session may have handed over: its receipt speaks of the old envelope. */
static bool seal_anew(const struct document *d)
{
    const char *env = props_get(&d->props, "oftp2.sfidenv");

    return d->raw.kind != PAYLOAD_NONE && d->opened.kind != PAYLOAD_NONE && env != NULL &&
           env[0] == '1' && (d->state == DOC_REJECTED || d->progress == 0);
}

/* A partner that rejected a message may take it for a duplicate under its old Message-ID, and what
 * was wrong with it may have been a certificate: it is sealed anew under another one. */
static bool retry_as2(struct gateway *g, struct store_batch *b, struct arena *a,
                      struct document *d, struct job *j, const char *who, struct err *err)
{
    bool anew = d->state == DOC_REJECTED || d->raw.kind == PAYLOAD_NONE;
    struct payload_ref none = { 0 };

    j->kind = anew ? JOB_SEAL : JOB_POST;
    j->own = d->own;
    j->peer = d->peer;
    if (anew && (!as2_send_renew(g, d, a) || d->opened.kind == PAYLOAD_NONE))
        return FAIL(err, FAIL_LOCAL, 409,
                    "document %lld has no octets any more to be sealed anew", (long long)d->id);
    store_set_state(b, d->id, DOC_BIT(d->state), anew ? DOC_QUEUED : DOC_SEALED,
                    j->not_before_ms, "retry", who, "");
    store_set_prop(b, d->id, "as2.resends", "0");
    if (anew) {
        d->raw = none;
        d->state = DOC_QUEUED;
        d->changed_ms = j->not_before_ms;
        d->reason = "";
        store_put_document(b, d);
    }
    return true;
}

/* An AS2 message may be posted again as it was, which the partner answers with the MDN it gave. */
static bool overdue_message(const struct document *d)
{
    return d->outbound && strcmp(d->protocol, "as2") == 0 && d->state == DOC_OVERDUE;
}

static bool retry_outbound(struct gateway *g, struct store_batch *b, struct arena *a,
                           struct document *d, struct job *j, const char *who, struct err *err)
{
    const struct payload_ref none = { 0 };
    bool rejected = d->state == DOC_REJECTED;
    bool sealed = d->raw.kind != PAYLOAD_NONE && !seal_anew(d);
    int64_t now = j->not_before_ms;

    j->kind = sealed ? JOB_SEND : JOB_SEAL;
    j->own = d->own;
    j->peer = d->peer;
    if (!sealed) {
        store_set_raw(b, d->id, &none);
        d->raw = none;
    }
    store_set_progress(b, d->id, 0, 0);
    store_set_state(b, d->id, DOC_BIT(d->state), sealed ? DOC_SEALED : DOC_QUEUED, now, "retry",
                    who, "");
    return !rejected || new_stamp(g, b, a, d, now, err);
}

static const char *instead_of_retry(enum document_state state)
{
    switch (state) {
    case DOC_PROCESSED:
        return "; `waybill reprocess` runs all steps of a processed one";
    case DOC_ACKNOWLEDGED:
    case DOC_OVERDUE:
        return "; `waybill resend` sends it as a new document";
    default:
        return "";
    }
}

static bool retry(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    struct job j = { .id = store_next_id(g->store),
                     .document_id = id,
                     .not_before_ms = net_wall_ms() };
    bool ok = operator_load(g, id, &a, &d, err);

    if (ok && d.state != DOC_FAILED && d.state != DOC_REJECTED && !overdue_message(&d))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is %s: only failed and rejected ones can be run again%s",
                  (long long)id, document_state_name(d.state), instead_of_retry(d.state));
    if (ok && props_get(&d.props, "waybill.octets") != NULL)
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld has no octets any more: retention.failed.payloads",
                  (long long)id);
    ok = ok && relay_may_retry(g, &d, err);
    if (ok && (b = store_batch_new()) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok && d.outbound && strcmp(d.protocol, "as2") == 0) {
        ok = retry_as2(g, b, &a, &d, &j, who, err);
    } else if (ok && d.outbound) {
        ok = retry_outbound(g, b, &a, &d, &j, who, err);
    } else if (ok) {
        bool opened = d.opened.kind != PAYLOAD_NONE;

        j.kind = opened ? JOB_PROCESS : JOB_OPEN;
        store_set_state(b, id, DOC_BIT(d.state), opened ? DOC_OPENED : DOC_RECEIVED,
                        j.not_before_ms, "retry", who, "");
    }
    if (ok) {
        if (props_get(&d.props, "waybill.closed") != NULL)
            store_set_prop(b, id, "waybill.closed", "");
        store_put_job(b, &j);
        ok = operator_change(g, b, who, "retry", id, err);
    } else {
        store_batch_free(b);
    }
    arena_free(&a);
    return ok;
}

bool gateway_retry(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&g->operators);
    ok = retry(g, id, who, err);
    pthread_mutex_unlock(&g->operators);
    return ok;
}

/* By a process that answered by itself then and has acknowledge: manual now, too. */
static bool not_answered(struct gateway *g, const struct document *d, struct arena *a,
                         struct err *err)
{
    bool answered = props_get(&d->props, "waybill.answered") != NULL;
    struct receipt *list = NULL;
    size_t n = 0;

    if (!store_receipts(g->store, d->id, NULL, a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        answered = answered || list[i].outbound;
    return !answered ||
           FAIL(err, FAIL_LOCAL, 409, "document %lld was answered before", (long long)d->id);
}

static bool acknowledge(struct gateway *g, int64_t id, bool positive, const char *text,
                        const char *who, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    const struct listener *l = NULL;
    bool ok = operator_load(g, id, &a, &d, err), relayed;

    if (ok)
        l = document_listener(sn, &d);
    relayed = ok && relay_inbound(&d) && d.state == DOC_PROCESSING;
    if (relayed && positive)
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is relayed: only its recipient can acknowledge it",
                  (long long)id);
    if (ok && !relayed &&
        (d.outbound || document_acknowledge(&d, l) != ACK_MANUAL || relay_inbound(&d)))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is not of a process with acknowledge: manual", (long long)id);
    if (ok && !relayed && l == NULL)
        ok =
            FAIL(err, FAIL_LOCAL, 409,
                 "the process that took document %lld is no longer deployed: its receipt needs "
                 "the certificates it names; deploy it again first",
                 (long long)id);
    if (ok && (d.state < DOC_OPENED || d.state == DOC_REFUSED))
        ok = FAIL(err, FAIL_LOCAL, 409, "document %lld is %s", (long long)id,
                  document_state_name(d.state));
    ok = ok && not_answered(g, &d, &a, err);
    if (ok && (b = store_batch_new()) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok) {
        int nerp = relayed ? NERP_NOT_ACKNOWLEDGED : NERP_PROCESSING;

        receipt_plan(g, b, &d, positive ? 0 : nerp, positive ? NULL : text, net_wall_ms());
        if (relayed)
            store_set_state(b, id, DOC_BIT(DOC_PROCESSING), DOC_FAILED, net_wall_ms(), "failed",
                            text, text);
        store_set_prop(b, id, "waybill.answered", positive ? "EERP" : "NERP");
        store_add_event(b, id, net_wall_ms(), positive ? "acknowledged" : "rejected", who);
        ok = operator_change(g, b, who, positive ? "acknowledge" : "reject", id, err);
        if (ok && l != NULL)
            archive_answer(g, &d, l);
    }
    arena_free(&a);
    snapshot_put(sn);
    return ok;
}

bool gateway_acknowledge(struct gateway *g, int64_t id, bool positive, const char *text,
                         const char *who, struct err *err)
{
    bool ok, taken = false;

    pthread_mutex_lock(&g->operators);
    ok = exchange_decide(g, id, positive, text, who, &taken, err) &&
         (taken || acknowledge(g, id, positive, text, who, err));
    pthread_mutex_unlock(&g->operators);
    return ok;
}

static bool try_lease(struct gateway *g, const struct job *j, bool *got_it, struct err *err)
{
    struct arena a = { 0 };
    struct job got = { 0 };
    int64_t now = net_wall_ms();
    bool found = false;
    bool ok = store_take_job(g->store, 1u << j->kind, j->own, j->peer, j->id - 1,
                             now > j->not_before_ms ? now : j->not_before_ms, LEASE_MS, &a,
                             &got, &found, err);

    *got_it = ok && found && got.id == j->id;
    if (ok && found && !*got_it)
        store_release_job(g->store, got.id);
    arena_free(&a);
    return ok;
}

/* Takes the lease of a job that waits: no session has it then, nor can get it. One that is only
 * being told that a call failed is had in a moment. */
static bool lease(struct gateway *g, const struct job *j, struct err *err)
{
    uint64_t until = net_now_ms() + 2000;
    bool got_it = false;

    for (;;) {
        if (!try_lease(g, j, &got_it, err) || got_it)
            return got_it;
        if (net_now_ms() >= until)
            return FAIL(
                err, FAIL_LOCAL, 409,
                "document %lld is being sent at the moment: wait until the session ends",
                (long long)j->document_id);
        (void)usleep(10000);
    }
}

/* A failed one is not run again: retention may remove it. */
static bool give_up(struct gateway *g, const struct document *d, const char *who,
                    struct err *err)
{
    const char *closed = props_get(&d->props, "waybill.closed");
    struct store_batch *b;

    if (closed != NULL && closed[0] != '\0')
        return FAIL(err, FAIL_LOCAL, 409, "document %lld is given up already",
                    (long long)d->id);
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_set_state(b, d->id, DOC_BIT(DOC_FAILED), DOC_FAILED, net_wall_ms(), "given up", who,
                    NULL);
    store_set_prop(b, d->id, "waybill.closed", who);
    return operator_change(g, b, who, "give up", d->id, err);
}

static bool cancel(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    struct job *jobs = NULL;
    size_t n = 0, held = 0;
    bool ok = operator_load(g, id, &a, &d, err) && store_jobs(g->store, id, &a, &jobs, &n, err);

    if (ok && d.state == DOC_FAILED) {
        ok = give_up(g, &d, who, err);
        arena_free(&a);
        return ok;
    }
    if (ok && (!d.outbound || (d.state != DOC_SEALED && d.state != DOC_QUEUED)))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is %s: only what waits or failed can be cancelled",
                  (long long)id, document_state_name(d.state));
    while (ok && held < n && (ok = lease(g, &jobs[held], err)))
        held++;
    if (ok && (b = store_batch_new()) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok) {
        store_set_state(b, id, DOC_BIT(d.state), DOC_FAILED, net_wall_ms(), "cancelled", who,
                        "cancelled by an operator");
        for (size_t i = 0; i < n; i++)
            store_end_job(b, jobs[i].id);
        store_set_prop(b, id, "waybill.closed", who);
        relay_failed(g, b, id, NERP_OPERATOR);
        ok = operator_change(g, b, who, "cancel", id, err);
    }
    for (size_t i = 0; !ok && i < held; i++)
        store_release_job(g->store, jobs[i].id);
    arena_free(&a);
    return ok;
}

bool gateway_cancel(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&g->operators);
    ok = cancel(g, id, who, err);
    pthread_mutex_unlock(&g->operators);
    return ok;
}
