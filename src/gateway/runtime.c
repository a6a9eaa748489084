/* One running Waybill: start, stop, and what is asked about it. */
#include "gateway/acceptor.h"
#include "gateway/as2_int.h"
#include "gateway/certificates.h"
#include "gateway/delivery.h"
#include "gateway/exchange.h"
#include "gateway/relay.h"
#include "gateway/session_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void init_locks(struct gateway *g)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_init(&g->apply, NULL);
    pthread_mutex_init(&g->operators, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->session_left, &attr);
    pthread_condattr_destroy(&attr);
}

static bool start_all(struct gateway *g, struct err *err)
{
    struct store_config sc = { .url = g->rt->store,
                               .directory = g->rt->runtime.data_directory };
    struct snapshot *sn = NULL;

    if (!store_open(&sc, &g->store, err) || !snapshot_build(g->store, g->rt, &sn, err))
        return false;
    gateway_swap(g, sn);
    return workers_start(g, g->rt->runtime.workers, &g->workers, err) &&
           oftp2_server_start(g, &g->oftp2, err) && caller_start(g, &g->caller, err) &&
           poster_start(g, &g->poster, err) && as2_server_start(g, &g->as2, err) &&
           keeper_start(g, &g->keeper, err) && outboxes_start(g, &g->outboxes, err);
}

bool gateway_start(struct config_runtime *rt, struct gateway **out, struct err *err)
{
    struct gateway *g = calloc(1, sizeof(*g));

    if (g == NULL || (g->trace = trace_hub_new()) == NULL) {
        free(g);
        config_runtime_free(rt);
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    g->rt = rt;
    init_locks(g);
    /* Stamps of this run begin in the next second: none can repeat one of the run before. */
    g->stamp_s = time(NULL);
    g->stamp_count = 9999;
    if (!start_all(g, err)) {
        gateway_stop(g);
        return false;
    }
    atomic_store(&g->ready, true);
    *out = g;
    return true;
}

static unsigned sessions_left(struct gateway *g)
{
    unsigned n = 0;

    pthread_mutex_lock(&g->lock);
    for (const struct session *s = g->sessions; s != NULL; s = s->next)
        n++;
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* Gives running transfers and steps time to end. */
static void wait_running(struct gateway *g, uint64_t ms)
{
    uint64_t until = net_now_ms() + ms;

    while ((sessions_left(g) > 0 || atomic_load(&g->busy) > 0) && net_now_ms() < until)
        (void)usleep(20000);
}

/* Connections that do not end by themselves after ESID are cut. */
static void cut_sessions(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    for (struct session *s = g->sessions; s != NULL; s = s->next)
        conn_shutdown(s->conn);
    pthread_mutex_unlock(&g->lock);
}

static void free_all(struct gateway *g)
{
    while (g->counts != NULL) {
        struct listener_counts *next = g->counts->next;

        free(g->counts);
        g->counts = next;
    }
    snapshot_put(g->snap);
    store_close(g->store);
    trace_hub_free(g->trace);
    config_runtime_free(g->rt);
    pthread_cond_destroy(&g->session_left);
    pthread_mutex_destroy(&g->lock);
    pthread_mutex_destroy(&g->apply);
    pthread_mutex_destroy(&g->operators);
    free(g);
}

void gateway_stop(struct gateway *g)
{
    if (g == NULL)
        return;
    atomic_store(&g->ready, false);
    atomic_store(&g->stopping, true);
    if (g->store != NULL)
        store_wake(g->store);
    outboxes_stop(g->outboxes);
    keeper_stop(g->keeper);
    acceptor_stop(g->oftp2);
    acceptor_stop(g->as2);
    wait_running(g, g->rt->runtime.stop_timeout_ms);
    atomic_store(&g->ending, true);
    wait_running(g, 3000);
    cut_sessions(g);
    caller_stop(g->caller);
    poster_stop(g->poster);
    acceptor_free(g->oftp2);
    acceptor_free(g->as2);
    workers_stop(g->workers);
    trace_hub_stop(g->trace);
    free_all(g);
}

/* ---- asked from outside ------------------------------------------------------------------ */

struct store *gateway_store(struct gateway *g)
{
    return g->store;
}

const struct config_runtime *gateway_config(const struct gateway *g)
{
    return g->rt;
}

void gateway_endpoints(struct gateway *g, struct arena *a, struct gateway_endpoint **list,
                       size_t *n)
{
    size_t all = acceptor_endpoints_n(g->oftp2) + acceptor_endpoints_n(g->as2);

    *n = 0;
    *list = arena_take(a, sizeof(**list) * (all + 1));
    if (*list == NULL)
        return;
    acceptor_endpoints(g->oftp2, a, *list, n);
    acceptor_endpoints(g->as2, a, *list, n);
}

bool gateway_ready(struct gateway *g)
{
    return atomic_load(&g->ready) && !store_failed(g->store);
}

void gateway_request_stop(struct gateway *g)
{
    atomic_store(&g->stop_requested, true);
}

bool gateway_stop_requested(struct gateway *g)
{
    return atomic_load(&g->stop_requested);
}

bool gateway_sessions(struct gateway *g, struct arena *a, struct gateway_session **list,
                      size_t *n, struct err *err)
{
    size_t cap = sessions_left(g) + 16;

    *n = 0;
    *list = arena_take(a, sizeof(**list) * cap);
    pthread_mutex_lock(&g->lock);
    for (struct session *s = g->sessions; *list != NULL && s != NULL && *n < cap; s = s->next) {
        struct gateway_session *o = &(*list)[(*n)++];

        o->id = s->id;
        o->partner = arena_text(a, s->partner_name);
        o->peer_code = arena_text(a, s->peer);
        o->address = arena_text(a, conn_peer(s->conn));
        o->state = atomic_load(&s->document_id) != 0 ? "transfer" : "open";
        o->tls = arena_text(a, s->tls_text);
        o->initiator = s->initiator;
        o->since_ms = s->since_ms;
        o->document_id = atomic_load(&s->document_id);
        o->done = atomic_load(&s->done);
        o->total = atomic_load(&s->total);
        o->octets_in = atomic_load(&s->octets_in);
        o->octets_out = atomic_load(&s->octets_out);
    }
    pthread_mutex_unlock(&g->lock);
    return !a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

static char *certificate_metrics(struct gateway *g, struct arena *a, char *out)
{
    struct snapshot *sn = gateway_snapshot(g);
    int64_t now = net_wall_ms() / 1000;

    if (out != NULL)
        out = arena_printf(
            a,
            "%s# HELP waybill_certificate_days_left Days until the last usable one of "
            "a component ends\n"
            "# TYPE waybill_certificate_days_left gauge\n",
            out);
    for (size_t i = 0; out != NULL && i < sn->certificates_n; i++) {
        int days = certificate_days_left(&sn->certificates[i], now);

        if (days != INT_MIN)
            out = arena_printf(a, "%swaybill_certificate_days_left{certificate=\"%s\"} %d\n",
                               out, sn->certificates[i].name, days);
    }
    if (out != NULL)
        out =
            arena_printf(a,
                         "%s# HELP waybill_crl_seconds_left Seconds until a revocation list is "
                         "overdue, negative afterwards\n"
                         "# TYPE waybill_crl_seconds_left gauge\n",
                         out);
    for (size_t i = 0; out != NULL && i < sn->certificates_n; i++)
        if (sn->certificates[i].crl_next_s != 0 && sn->certificates[i].crl_next_s != INT64_MAX)
            out = arena_printf(a, "%swaybill_crl_seconds_left{certificate=\"%s\"} %lld\n", out,
                               sn->certificates[i].name,
                               (long long)(sn->certificates[i].crl_next_s - now));
    snapshot_put(sn);
    return out;
}

bool gateway_metrics(struct gateway *g, struct arena *a, const char **text, struct err *err)
{
    const struct {
        const char *name, *help;
        unsigned long long v;
    } rows[] = {
        { "documents_received_total", "Documents taken into custody",
          atomic_load(&g->n.documents_in) },
        { "documents_sent_total", "Documents partners took into custody",
          atomic_load(&g->n.documents_out) },
        { "documents_refused_total", "Documents refused to partners",
          atomic_load(&g->n.refused) },
        { "documents_failed_total", "Documents that failed here", atomic_load(&g->n.failed) },
        { "octets_received_total", "Octets read from partners", atomic_load(&g->n.octets_in) },
        { "octets_sent_total", "Octets written to partners", atomic_load(&g->n.octets_out) },
        { "sessions_in_total", "Sessions partners started", atomic_load(&g->n.sessions_in) },
        { "sessions_out_total", "Sessions we started", atomic_load(&g->n.sessions_out) },
        { "sessions_failed_total", "Sessions that ended in error",
          atomic_load(&g->n.sessions_failed) },
        { "logons_refused_total", "Log-ons refused", atomic_load(&g->n.logons_refused) },
        { "receipts_received_total", "EERP and NERP received", atomic_load(&g->n.receipts_in) },
        { "receipts_sent_total", "EERP and NERP sent", atomic_load(&g->n.receipts_out) },
        { "mdns_received_total", "MDNs received", atomic_load(&g->n.mdns_in) },
        { "mdns_sent_total", "MDNs sent", atomic_load(&g->n.mdns_out) },
        { "mdns_undelivered_total", "Asynchronous MDNs that were given up",
          atomic_load(&g->n.mdns_undelivered) },
        { "as2_posts_total", "AS2 messages posted and answered, whatever the answer",
          atomic_load(&g->n.posts) },
        { "as2_posts_failed_total", "Posts of AS2 messages without an answer",
          atomic_load(&g->n.posts_failed) },
        { "outbox_files_total", "Files taken from watched folders",
          atomic_load(&g->n.outbox_taken) },
        { "outbox_failed_total", "Files of watched folders that could not be sent",
          atomic_load(&g->n.outbox_failed) },
        { "purged_octets_total", "Octets of payloads removed by retention",
          atomic_load(&g->n.purged_octets) },
    };
    char *out = arena_text(a, "");

    for (size_t i = 0; out != NULL && i < COUNT_OF(rows); i++)
        out = arena_printf(
            a, "%s# HELP waybill_%s %s\n# TYPE waybill_%s counter\nwaybill_%s %llu\n", out,
            rows[i].name, rows[i].help, rows[i].name, rows[i].name, rows[i].v);
    if (out != NULL)
        out = arena_printf(a,
                           "%s# HELP waybill_sessions Sessions open now\n"
                           "# TYPE waybill_sessions gauge\nwaybill_sessions %u\n",
                           out, sessions_left(g));
    if (out != NULL && g->as2 != NULL)
        out = arena_printf(a,
                           "%s# HELP waybill_as2_connections Connections to the AS2 server "
                           "open now\n# TYPE waybill_as2_connections gauge\n"
                           "waybill_as2_connections %u\n",
                           out, acceptor_connections(g->as2));
    if (out != NULL)
        out = arena_printf(a,
                           "%s# HELP waybill_purged_total Removed by retention\n"
                           "# TYPE waybill_purged_total counter\n"
                           "waybill_purged_total{what=\"documents\"} %llu\n"
                           "waybill_purged_total{what=\"payloads\"} %llu\n"
                           "waybill_purged_total{what=\"receipts\"} %llu\n"
                           "waybill_purged_total{what=\"audit\"} %llu\n",
                           out, atomic_load(&g->n.purged_documents),
                           atomic_load(&g->n.purged_payloads),
                           atomic_load(&g->n.purged_receipts), atomic_load(&g->n.purged_audit));
    out = certificate_metrics(g, a, out);
    *text = out;
    return out != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

/* ---- operators and documents ------------------------------------------------------------- */

static bool load(struct gateway *g, int64_t id, struct arena *a, struct document *d,
                 struct err *err)
{
    bool found = false;

    if (!store_get_document(g->store, id, a, d, &found, err))
        return false;
    return found || FAIL(err, FAIL_LOCAL, 404, "there is no document %lld", (long long)id);
}

static bool change(struct gateway *g, struct store_batch *b, const char *who, const char *what,
                   int64_t id, struct err *err)
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

static bool retry(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    struct job j = { .id = store_next_id(g->store),
                     .document_id = id,
                     .not_before_ms = net_wall_ms() };
    bool ok = load(g, id, &a, &d, err);

    if (ok && d.state != DOC_FAILED && d.state != DOC_REJECTED && !overdue_message(&d))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is %s: only failed and rejected ones can be run again",
                  (long long)id, document_state_name(d.state));
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
        ok = change(g, b, who, "retry", id, err);
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

static bool acknowledge(struct gateway *g, int64_t id, bool positive, const char *text,
                        const char *who, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    const struct listener *l = NULL;
    bool ok = load(g, id, &a, &d, err), relayed;

    if (ok)
        l = snapshot_listener(sn, d.listener == NULL ? "" : d.listener);
    relayed = ok && relay_inbound(&d) && d.state == DOC_PROCESSING;
    if (relayed && positive)
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is relayed: only its recipient can acknowledge it",
                  (long long)id);
    if (ok && !relayed &&
        (d.outbound || l == NULL || l->process->acknowledge != ACK_MANUAL || relay_inbound(&d)))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is not of a process with acknowledge: manual", (long long)id);
    if (ok && (d.state < DOC_OPENED || d.state == DOC_REFUSED))
        ok = FAIL(err, FAIL_LOCAL, 409, "document %lld is %s", (long long)id,
                  document_state_name(d.state));
    if (ok && props_get(&d.props, "waybill.answered") != NULL)
        ok = FAIL(err, FAIL_LOCAL, 409, "document %lld was answered before", (long long)id);
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
        ok = change(g, b, who, positive ? "acknowledge" : "reject", id, err);
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
    return change(g, b, who, "give up", d->id, err);
}

static bool cancel(struct gateway *g, int64_t id, const char *who, struct err *err)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    struct job *jobs = NULL;
    size_t n = 0, held = 0;
    bool ok = load(g, id, &a, &d, err) && store_jobs(g->store, id, &a, &jobs, &n, err);

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
        ok = change(g, b, who, "cancel", id, err);
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
