/* Retention: what is done and whose time is over is removed, a helping at a time, with pauses in
 * between that are longer than the helpings, so that transfers hardly notice. */
#include "gateway/delivery.h"
#include "gateway/relay.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HELPING = 32,     /* documents of one commit             */
    LINES = 500,      /* receipts or audit lines of one      */
    SHARE = 3,        /* a pause is so many times as long    */
    PAUSE_MS = 5,     /* and at least so long                */
    FIRST_MS = 60000, /* the first look is not put off longer */
};

enum what { PAYLOADS, DOCUMENTS };

struct keeper {
    struct gateway *g;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t stop; /* CLOCK_MONOTONIC */
    bool stopping;
};

/* One look through the store. */
struct look {
    struct keeper *k;
    struct snapshot *sn;
    int64_t now_ms;
    unsigned long long documents, payloads, octets, receipts, audit;
    bool failed;
};

/* Waits; false: the runtime stops. */
static bool pause_for(struct keeper *k, uint64_t ms)
{
    uint64_t until = net_now_ms() + ms;
    struct timespec t = { .tv_sec = (time_t)(until / 1000),
                          .tv_nsec = (long)(until % 1000) * 1000000 };
    int rc = 0;
    bool go;

    pthread_mutex_lock(&k->lock);
    while (!k->stopping && rc == 0)
        rc = pthread_cond_timedwait(&k->stop, &k->lock, &t);
    go = !k->stopping;
    pthread_mutex_unlock(&k->lock);
    return go;
}

/* ---- what may go ------------------------------------------------------------------------- */

static uint64_t kept_ms(const struct config_kept *of_process, const struct config_kept *of_all,
                        enum what what)
{
    uint64_t own = what == PAYLOADS ? of_process->payloads_ms : of_process->documents_ms;
    uint64_t all = what == PAYLOADS ? of_all->payloads_ms : of_all->documents_ms;

    return own != 0 ? own : all;
}

static uint64_t kept_for(const struct look *k, const struct config_process *p, bool good,
                         enum what what)
{
    static const struct config_kept as_all;
    const struct config_runtime *rt = k->k->g->rt;
    const struct config_kept *own = p == NULL ? &as_all
                                    : good    ? &p->retention.settled
                                              : &p->retention.failed;

    return kept_ms(own, good ? &rt->retention.settled : &rt->retention.failed, what);
}

/* What was made after this has not been settled long enough, whoever it is of. 0: nothing goes. */
static int64_t newest(const struct look *k, bool good, enum what what)
{
    uint64_t least = kept_for(k, NULL, good, what);

    for (size_t i = 0; i < k->sn->listeners_n; i++) {
        uint64_t ms = kept_for(k, k->sn->listeners[i].process, good, what);

        if (ms != 0 && (least == 0 || ms < least))
            least = ms;
    }
    return least == 0 ? 0 : k->now_ms - (int64_t)least;
}

/* Whether it came to an end that nobody waits to change: *good, or bad. */
static bool at_end(const struct document *d, bool *good)
{
    const char *closed = props_get(&d->props, "waybill.closed");

    *good = d->state == DOC_PROCESSED || d->state == DOC_ACKNOWLEDGED;
    return *good || d->state == DOC_REFUSED || d->state == DOC_REJECTED ||
           (d->state == DOC_FAILED && closed != NULL && closed[0] != '\0');
}

/* A copy that is relayed is asked for until the file it is a copy of was answered. */
static bool original_waits(struct gateway *g, const struct document *d)
{
    struct arena a = { 0 };
    struct document first = { 0 };
    struct err err;
    bool found = false, waits;

    if (relay_original(d) == 0)
        return false;
    waits = !store_get_document(g->store, relay_original(d), &a, &first, &found, &err) ||
            (found && first.state != DOC_PROCESSED && first.state != DOC_FAILED);
    arena_free(&a);
    return waits;
}

/* *ask: only if the store has a receipt of ours for it. */
static bool may_go(const struct look *k, const struct document *d, enum what what, bool *ask)
{
    const struct listener *l = snapshot_listener(k->sn, d->listener == NULL ? "" : d->listener);
    bool good, unanswered;
    uint64_t ms;

    *ask = false;
    if (!at_end(d, &good))
        return false;
    ms = kept_for(k, l == NULL ? NULL : l->process, good, what);
    if (ms == 0 || d->changed_ms > k->now_ms - (int64_t)ms || original_waits(k->k->g, d))
        return false;
    unanswered = !d->outbound && d->state != DOC_REFUSED &&
                 props_get(&d->props, "waybill.answered") == NULL;
    if (unanswered && (relay_inbound(d) || document_acknowledge(d, l) == ACK_MANUAL))
        return false;
    /* Whether its process, which is gone, would have had it wait for an operator is not known. */
    *ask = unanswered && l == NULL;
    return true;
}

/* ---- removing ---------------------------------------------------------------------------- */

static void count(struct look *k, const struct document *d, enum what what)
{
    struct counters *n = &k->k->g->n;
    unsigned long long octets = d->raw.size;

    if (d->opened.kind != PAYLOAD_NONE && document_opened_role(d) == 'o')
        octets += d->opened.size;
    k->octets += octets;
    atomic_fetch_add(&n->purged_octets, octets);
    if (what == PAYLOADS) {
        k->payloads++;
        atomic_fetch_add(&n->purged_payloads, 1);
    } else {
        k->documents++;
        atomic_fetch_add(&n->purged_documents, 1);
    }
}

static bool commit_helping(struct look *k, struct store_batch *b)
{
    struct err err = { 0 };
    bool ok = b != NULL && store_commit(k->k->g->store, b, &err);

    if (!ok && !k->failed)
        log_event(LOG_ERROR, "retention.failed", "reason",
                  b == NULL ? "out of memory" : err.text, NULL);
    k->failed = k->failed || !ok;
    return ok;
}

/* False: enough for this look. */
static bool rest(struct look *k, uint64_t since)
{
    uint64_t took = net_now_ms() - since;

    return pause_for(k->k, took * SHARE > PAUSE_MS ? took * SHARE : PAUSE_MS);
}

static void remove_some(struct look *k, const struct document *list, size_t n, enum what what)
{
    struct store_batch *b = store_batch_new();
    uint64_t done[HELPING] = { 0 };
    size_t chosen = 0;
    bool ask;

    for (size_t i = 0; b != NULL && i < n; i++) {
        bool any = list[i].raw.kind != PAYLOAD_NONE || list[i].opened.kind != PAYLOAD_NONE;

        if ((what == PAYLOADS && !any) || !may_go(k, &list[i], what, &ask))
            continue;
        chosen++;
        if (what == PAYLOADS)
            store_purge_octets(b, &list[i], ask, k->now_ms, &done[i]);
        else
            store_purge_document(b, &list[i], ask, k->now_ms, &done[i]);
    }
    if ((chosen > 0 || b == NULL) && commit_helping(k, b))
        for (size_t i = 0; i < n; i++) {
            if (done[i] == 0)
                continue;
            payload_remove_all(k->k->g->store, &list[i]);
            count(k, &list[i], what);
        }
    store_batch_free(b);
}

/* Goes through the documents in a state, or with octets (0), oldest first, as far as it can pay. */
static bool go_through(struct look *k, enum document_state state, int64_t until_ms,
                       enum what what)
{
    int64_t after = 0;
    bool more = until_ms > 0;

    while (more && !k->failed) {
        struct arena a = { 0 };
        struct document *list = NULL;
        struct err err = { 0 };
        size_t n = 0;
        uint64_t since = net_now_ms();

        if (!store_find_next(k->k->g->store, state, after, HELPING, &a, &list, &n, &err)) {
            log_event(LOG_ERROR, "retention.failed", "reason", err.text, NULL);
            k->failed = true;
        }
        /* Nothing is settled before it was made, and ids ascend with time. */
        more = n > 0 && list[n - 1].created_ms <= until_ms;
        if (n > 0) {
            after = list[n - 1].id;
            remove_some(k, list, n, what);
        }
        arena_free(&a);
        if (more && !rest(k, since))
            return false;
    }
    return !k->failed;
}

typedef void purge_lines(struct store_batch *b, int64_t before_ms, uint32_t most,
                         uint64_t *done);

static bool remove_lines(struct look *k, purge_lines *purge, uint64_t kept,
                         unsigned long long *total, atomic_ullong *counter)
{
    uint64_t done = LINES;

    while (kept != 0 && done == LINES && !k->failed) {
        struct store_batch *b = store_batch_new();
        uint64_t since = net_now_ms();

        done = 0;
        if (b != NULL)
            purge(b, k->now_ms - (int64_t)kept, LINES, &done);
        if (commit_helping(k, b)) {
            *total += done;
            atomic_fetch_add(counter, done);
        }
        store_batch_free(b);
        if (done == LINES && !rest(k, since))
            return false;
    }
    return !k->failed;
}

static void look_through(struct look *k)
{
    static const enum document_state ends[] = { DOC_PROCESSED, DOC_ACKNOWLEDGED, DOC_REFUSED,
                                                DOC_REJECTED, DOC_FAILED };
    const struct config_runtime *rt = k->k->g->rt;
    struct counters *c = &k->k->g->n;
    int64_t good = newest(k, true, PAYLOADS), bad = newest(k, false, PAYLOADS);
    bool go = go_through(k, 0, good > bad ? good : bad, PAYLOADS);

    for (size_t i = 0; go && i < COUNT_OF(ends); i++)
        go = go_through(k, ends[i], newest(k, i < 2, DOCUMENTS), DOCUMENTS);
    go = go && remove_lines(k, store_purge_receipts, rt->retention.receipts_ms, &k->receipts,
                            &c->purged_receipts);
    (void)(go && remove_lines(k, store_purge_audit, rt->retention.audit_ms, &k->audit,
                              &c->purged_audit));
    if (k->documents + k->payloads + k->receipts + k->audit > 0)
        log_event(LOG_INFO, "retention.purged", "documents", log_num((long long)k->documents),
                  "payloads", log_num((long long)k->payloads), "octets",
                  log_num((long long)k->octets), "receipts", log_num((long long)k->receipts),
                  "audit", log_num((long long)k->audit), NULL);
}

/* ---- the thread -------------------------------------------------------------------------- */

static void *keeper_thread(void *arg)
{
    struct keeper *k = arg;
    uint64_t every = k->g->rt->retention.every_ms;
    for (uint64_t wait = every < FIRST_MS ? every : FIRST_MS; pause_for(k, wait);
         wait = every) {
        struct look look = { .k = k, .sn = gateway_snapshot(k->g), .now_ms = net_wall_ms() };

        look_through(&look);
        snapshot_put(look.sn);
    }
    return NULL;
}

bool keeper_start(struct gateway *g, struct keeper **out, struct err *err)
{
    struct keeper *k = calloc(1, sizeof(*k));
    pthread_condattr_t attr;

    if (k == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    k->g = g;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->stop, &attr);
    pthread_condattr_destroy(&attr);
    *out = k;
    k->running = pthread_create(&k->thread, NULL, keeper_thread, k) == 0;
    return k->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void keeper_stop(struct keeper *k)
{
    if (k == NULL)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->stop);
    pthread_mutex_unlock(&k->lock);
    if (k->running)
        (void)pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->stop);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
