/* Requests of ours: messages, and asynchronous MDNs. A pool of threads takes their jobs, a few of one
 * partner at a time, so that one that does not answer keeps no other waiting. as2.md 4.9, 6.2 to 6.4. */
#include "gateway/as2_post.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    KINDS = 1u << JOB_POST | 1u << JOB_MDN,
    WAIT_MS = 1000,
    PEERS = 1024, /* slots of counts; partners that share one share its limit */
};

struct poster {
    struct gateway *g;
    unsigned n;
    pthread_t threads[64];
    pthread_mutex_t lock; /* guards what follows */
    unsigned busy[PEERS];
    bool turned_away; /* somebody, as a partner had its share: to be woken */
};

static unsigned slot_of(const char *peer)
{
    uint32_t h = 2166136261u;

    for (const char *p = peer == NULL ? "" : peer; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return h % PEERS;
}

static bool enter(struct poster *p, const char *peer)
{
    unsigned *n = &p->busy[slot_of(peer)];
    bool ok;

    pthread_mutex_lock(&p->lock);
    ok = *n < p->g->rt->as2_server.max_posts_per_partner;
    *n += ok;
    p->turned_away = p->turned_away || !ok;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static void leave(struct poster *p, const char *peer)
{
    bool wake;

    pthread_mutex_lock(&p->lock);
    p->busy[slot_of(peer)]--;
    wake = p->turned_away;
    p->turned_away = false;
    pthread_mutex_unlock(&p->lock);
    if (wake)
        store_wake(p->g->store);
}

static void run(struct gateway *g, const struct job *j)
{
    struct snapshot *sn = gateway_snapshot(g);

    atomic_fetch_add(&g->busy, 1);
    if (j->kind == JOB_POST)
        post_message(g, sn, j);
    else
        post_mdn(g, sn, j);
    atomic_fetch_sub(&g->busy, 1);
    snapshot_put(sn);
}

/* Takes a job of a partner that has room. *in_ms: when to look again. */
static bool take_one(struct poster *p, struct arena *a, int64_t *in_ms)
{
    struct gateway *g = p->g;
    struct job *pairs = NULL, j;
    struct err err = { 0 };
    int64_t now = net_wall_ms();
    size_t n = 0;

    *in_ms = WAIT_MS;
    if (!store_job_pairs(g->store, KINDS, a, &pairs, &n, &err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = false;

        if (pairs[i].not_before_ms > now) {
            if (pairs[i].not_before_ms - now < *in_ms)
                *in_ms = pairs[i].not_before_ms - now;
            continue;
        }
        if (!enter(p, pairs[i].peer))
            continue;
        if (store_take_job(g->store, KINDS, pairs[i].own, pairs[i].peer, 0, now, LEASE_MS, a,
                           &j, &found, &err) &&
            found)
            run(g, &j);
        leave(p, pairs[i].peer);
        if (found)
            return true;
    }
    return false;
}

static void *poster_thread(void *arg)
{
    struct poster *p = arg;
    uint64_t seen = 0;

    net_heed(&p->g->ending);
    while (!atomic_load(&p->g->stopping)) {
        struct arena a = { 0 };
        int64_t in_ms;

        if (!take_one(p, &a, &in_ms))
            store_wait_kinds(p->g->store, KINDS, false, &seen, in_ms < 10 ? 10 : in_ms);
        arena_free(&a);
    }
    return NULL;
}

bool poster_start(struct gateway *g, struct poster **out, struct err *err)
{
    struct poster *p = calloc(1, sizeof(*p));
    unsigned n = g->rt->as2_server.senders;

    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    p->g = g;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    for (; p->n < n && p->n < COUNT_OF(p->threads); p->n++)
        if (pthread_create(&p->threads[p->n], NULL, poster_thread, p) != 0)
            return FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
    return true;
}

void poster_stop(struct poster *p)
{
    if (p == NULL)
        return;
    store_wake(p->g->store);
    for (unsigned i = 0; i < p->n; i++)
        (void)pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
