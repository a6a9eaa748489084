/* Jobs are rows; who may take which one is decided here, in memory. Only one runtime holds the
 * store, so a lease needs no sync: it dies with the runtime, as it should.
 *
 * Open jobs are grouped by kind and pair. A group keeps all its jobs by the time they are due
 * (a leased job is due when its lease ends) and, of these, the ones due at `horizon_ms` or
 * before by id. So: a job is in `ready` if, and only if, it is due by its group's horizon.
 * The horizon follows the caller's clock, back as well as forth. Taking the oldest due job
 * costs one look per group, whatever the number of jobs.
 *
 * All times in here are what the wall clock would show had nobody set it since the start: a clock
 * that goes back a day puts nothing off for a day. */
#include "store/sqlite_int.h"
#include "store/tree.h"

#include <stdlib.h>
#include <time.h>

enum {
    JOB_KINDS = 32, /* bits of a set of kinds */
    BUCKETS = 1024,
    UNREADABLE_MS = 1000, /* a job whose row could not be read is not taken again for so long */
};

struct group {
    enum job_kind kind;
    const char *own, *peer; /* NULL: jobs without */
    struct tree_node *due, *ready;
    int64_t horizon_ms;
    struct group *next_of_kind, *next_in_bucket;
};

struct open_job {
    struct tree_node by_id, by_due, by_ready;
    struct group *group;
    int64_t not_before_ms, since_ms, step;
    struct open_job *older, *younger; /* of its kind */
};

/* A thread in store_wait_kinds(), on its stack. */
struct waiter {
    unsigned kinds;
    bool one, woken;
    pthread_cond_t rung;
    struct waiter *next;
};

struct job_index {
    pthread_mutex_t lock;
    struct steady clock;
    uint64_t rings[JOB_KINDS], rings_all; /* the latter count for every kind */
    struct waiter *waiting;
    struct tree_node *jobs;
    struct group *kinds[JOB_KINDS];
    struct group *buckets[BUCKETS];
    struct by_age {
        struct open_job *oldest, *youngest;
        uint64_t n;
    } ages[JOB_KINDS];
    struct arena arena; /* of groups: their number is that of pairs ever called */
};

static struct open_job *job_of(struct tree_node *n, size_t offset)
{
    return n == NULL ? NULL : (struct open_job *)(void *)((char *)n - offset);
}

struct job_index *job_index_new(void)
{
    struct job_index *ix = calloc(1, sizeof(*ix));

    if (ix == NULL)
        return NULL;
    pthread_mutex_init(&ix->lock, NULL);
    steady_start(&ix->clock);
    return ix;
}

void job_index_free(struct job_index *ix)
{
    struct tree_node *n;

    if (ix == NULL)
        return;
    while ((n = ix->jobs) != NULL) {
        tree_drop(&ix->jobs, n);
        free(job_of(n, offsetof(struct open_job, by_id)));
    }
    arena_free(&ix->arena);
    pthread_mutex_destroy(&ix->lock);
    free(ix);
}

/* ---- groups ----------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static size_t bucket_of(enum job_kind kind, const char *own, const char *peer)
{
    const char *const parts[] = { own, peer };
    uint32_t hash = 2166136261u ^ (uint32_t)kind;

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        for (const char *p = parts[i]; p != NULL && *p != '\0'; p++)
            hash = (hash ^ (uint8_t)*p) * 16777619u;
        hash = (hash ^ 0xFF) * 16777619u;
    }
    return hash % BUCKETS;
}

/* Finds or makes; NULL when memory is out. */
static struct group *group_of(struct job_index *ix, enum job_kind kind, const char *own,
                              const char *peer)
{
    struct group **bucket = &ix->buckets[bucket_of(kind, own, peer)];
    struct group *g;

    for (g = *bucket; g != NULL; g = g->next_in_bucket)
        if (g->kind == kind && same(g->own, own) && same(g->peer, peer))
            return g;
    g = arena_take(&ix->arena, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->kind = kind;
    g->own = arena_text(&ix->arena, own);
    g->peer = arena_text(&ix->arena, peer);
    if ((own != NULL && g->own == NULL) || (peer != NULL && g->peer == NULL))
        return NULL;
    g->horizon_ms = INT64_MIN;
    g->next_in_bucket = *bucket;
    *bucket = g;
    g->next_of_kind = ix->kinds[kind];
    ix->kinds[kind] = g;
    return g;
}

static void put_in_group(struct open_job *j, int64_t due_ms)
{
    struct group *g = j->group;

    j->by_due.key = due_ms;
    tree_add(&g->due, &j->by_due);
    if (due_ms <= g->horizon_ms)
        tree_add(&g->ready, &j->by_ready);
}

static void take_from_group(struct open_job *j)
{
    struct group *g = j->group;

    tree_drop(&g->due, &j->by_due);
    if (j->by_due.key <= g->horizon_ms)
        tree_drop(&g->ready, &j->by_ready);
}

static void set_due(struct open_job *j, int64_t due_ms)
{
    take_from_group(j);
    put_in_group(j, due_ms);
}

/* Restores the rule above for another time. */
static void set_horizon(struct group *g, int64_t now_ms)
{
    int64_t low = now_ms < g->horizon_ms ? now_ms : g->horizon_ms;
    int64_t high = now_ms < g->horizon_ms ? g->horizon_ms : now_ms;
    struct tree_node *n = tree_after(g->due, low, INT64_MAX);

    for (; n != NULL && n->key <= high; n = tree_after(g->due, n->key, n->id)) {
        struct open_job *j = job_of(n, offsetof(struct open_job, by_due));

        if (now_ms > g->horizon_ms)
            tree_add(&g->ready, &j->by_ready);
        else
            tree_drop(&g->ready, &j->by_ready);
    }
    g->horizon_ms = now_ms;
}

/* ---- by age ------------------------------------------------------------------------------- */

/* In the place of `was`, or NULL: as the youngest. */
static void age_add(struct job_index *ix, struct open_job *j, struct open_job *was)
{
    struct by_age *a = &ix->ages[j->group->kind];

    j->older = was != NULL ? was->older : a->youngest;
    j->younger = was;
    *(j->older != NULL ? &j->older->younger : &a->oldest) = j;
    *(was != NULL ? &was->older : &a->youngest) = j;
    a->n++;
}

static void age_drop(struct job_index *ix, struct open_job *j)
{
    struct by_age *a = &ix->ages[j->group->kind];

    *(j->older != NULL ? &j->older->younger : &a->oldest) = j->younger;
    *(j->younger != NULL ? &j->younger->older : &a->youngest) = j->older;
    a->n--;
}

void job_index_ages(struct job_index *ix, struct store_counts *out)
{
    pthread_mutex_lock(&ix->lock);
    for (size_t i = 0; i < STORE_JOB_KINDS; i++) {
        out->jobs[i].open = ix->ages[i].n;
        out->jobs[i].oldest_ms = ix->ages[i].oldest != NULL ? ix->ages[i].oldest->since_ms : 0;
    }
    pthread_mutex_unlock(&ix->lock);
}

void job_index_look(struct job_index *ix)
{
    pthread_mutex_lock(&ix->lock);
    (void)steady_set_ms(&ix->clock);
    pthread_mutex_unlock(&ix->lock);
}

/* ---- changes ---------------------------------------------------------------------------- */

static struct open_job *find(struct job_index *ix, int64_t id)
{
    struct tree_node *n = tree_after(ix->jobs, 0, id - 1);

    return n != NULL && n->id == id ? job_of(n, offsetof(struct open_job, by_id)) : NULL;
}

static struct open_job *make(struct job_index *ix, const struct job *j, bool at_once)
{
    struct open_job *open = calloc(1, sizeof(*open));

    if (open == NULL || (unsigned)j->kind >= JOB_KINDS)
        goto out;
    open->by_id.id = open->by_due.id = open->by_ready.id = j->id;
    open->not_before_ms =
        at_once ? steady_past(&ix->clock) : steady_time(&ix->clock, j->not_before_ms);
    open->since_ms = store_clock_ms();
    open->step = j->step;
    open->group = group_of(ix, j->kind, j->own, j->peer);
    if (open->group != NULL)
        return open;
out:
    free(open);
    return NULL;
}

static void drop(struct job_index *ix, int64_t id)
{
    struct open_job *j = find(ix, id);

    if (j == NULL)
        return;
    tree_drop(&ix->jobs, &j->by_id);
    take_from_group(j);
    age_drop(ix, j);
    free(j);
}

static void put(struct job_index *ix, struct open_job *j)
{
    struct open_job *was = find(ix, j->by_id.id);

    /* One that is tried again is as old as it was. */
    if (was != NULL)
        j->since_ms = was->since_ms;
    age_add(ix, j, was != NULL && was->group->kind == j->group->kind ? was : NULL);
    drop(ix, j->by_id.id);
    tree_add(&ix->jobs, &j->by_id);
    put_in_group(j, j->not_before_ms);
}

bool job_index_prepare(struct job_index *ix, struct change *ch, struct err *err)
{
    pthread_mutex_lock(&ix->lock);
    free(ch->u.job.open); /* of a commit that failed before */
    ch->u.job.open = make(ix, &ch->u.job.job, ch->u.job.at_once);
    pthread_mutex_unlock(&ix->lock);
    if (ch->u.job.open == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out: a job was not stored");
    return true;
}

/* Under the lock: a job of this kind has come. A commit wakes no more threads than it has work for:
 * that costs more than the commit. */
static void ring(struct job_index *ix, enum job_kind kind)
{
    bool one = false;

    ix->rings[kind]++;
    for (struct waiter *w = ix->waiting; w != NULL; w = w->next) {
        if (w->woken || ((w->kinds >> kind) & 1) == 0 || (w->one && one))
            continue;
        one = one || w->one;
        w->woken = true;
        pthread_cond_signal(&w->rung);
    }
}

void job_index_settle(struct job_index *ix, struct store_batch *b, bool done)
{
    pthread_mutex_lock(&ix->lock);
    for (struct change *ch = b->first; ch != NULL; ch = ch->next) {
        if (ch->kind == CHANGE_JOB) {
            if (done && ch->u.job.open != NULL) {
                put(ix, ch->u.job.open);
                ring(ix, ch->u.job.job.kind);
            } else {
                free(ch->u.job.open);
            }
            ch->u.job.open = NULL;
        } else if (ch->kind == CHANGE_END_JOB && done) {
            drop(ix, ch->id);
        }
    }
    pthread_mutex_unlock(&ix->lock);
}

bool job_index_load(struct job_index *ix, struct conn *c, struct err *err)
{
    struct call q = call_of(c, Q_OPEN_JOBS);
    bool ok = true;

    while (ok && call_row(&q)) {
        struct job row = {
            .id = col_int(&q, 0),
            .kind = (enum job_kind)col_int(&q, 1),
            .own = (const char *)sqlite3_column_text(q.st, 2),
            .peer = (const char *)sqlite3_column_text(q.st, 3),
            .not_before_ms = col_int(&q, 4),
            .step = col_int(&q, 7),
        };
        int64_t last = col_int(&q, 6), now = store_clock_ms();
        struct open_job *j;

        /* Its document changed later than now: the clock was set back since, and so is what it
         * says of when to try again. */
        if (last > now)
            row.not_before_ms -= last - now;
        j = make(ix, &row, false);
        ok = j != NULL;
        if (ok && col_int(&q, 5) != 0)
            j->since_ms = col_int(&q, 5);
        if (ok)
            put(ix, j);
    }
    if (!call_end(&q, "read the jobs", err))
        return false;
    return ok || FAIL(err, FAIL_LOCAL, 0, "memory is out: the jobs could not be read");
}

/* ---- taking ----------------------------------------------------------------------------- */

/* Under the lock: the oldest due job, or NULL. */
static struct tree_node *oldest(struct job_index *ix, unsigned kinds, const char *own,
                                const char *peer, int64_t after_id, int64_t now_ms)
{
    struct tree_node *best = NULL;

    for (int kind = 0; kind < JOB_KINDS; kind++) {
        struct group *g = ((kinds >> kind) & 1) != 0 ? ix->kinds[kind] : NULL;

        for (; g != NULL; g = g->next_of_kind) {
            struct tree_node *n;

            if ((own != NULL && !same(own, g->own)) || (peer != NULL && !same(peer, g->peer)))
                continue;
            set_horizon(g, now_ms);
            n = tree_after(g->ready, 0, after_id);
            if (n != NULL && (best == NULL || n->id < best->id))
                best = n;
        }
    }
    return best;
}

/* Now leased; 0: none. */
static int64_t lease_one(struct job_index *ix, unsigned kinds, const char *own,
                         const char *peer, int64_t after_id, int64_t now_ms, int64_t lease_ms)
{
    struct tree_node *best;
    int64_t id = 0;

    pthread_mutex_lock(&ix->lock);
    now_ms = steady_time(&ix->clock, now_ms);
    best = oldest(ix, kinds, own, peer, after_id, now_ms);
    if (best != NULL) {
        id = best->id;
        set_due(job_of(best, offsetof(struct open_job, by_ready)), now_ms + lease_ms);
    }
    pthread_mutex_unlock(&ix->lock);
    return id;
}

bool store_job_waits(struct store *s, unsigned kinds, const char *own, const char *peer,
                     int64_t after_id, int64_t now_ms)
{
    bool waits;

    pthread_mutex_lock(&s->jobs->lock);
    waits = oldest(s->jobs, kinds, own, peer, after_id, steady_time(&s->jobs->clock, now_ms)) !=
            NULL;
    pthread_mutex_unlock(&s->jobs->lock);
    return waits;
}

void read_job(const struct call *q, struct arena *a, struct job *j)
{
    *j = (struct job) {
        .id = col_int(q, 0),
        .kind = (enum job_kind)col_int(q, 1),
        .document_id = col_int(q, 2),
        .receipt_id = col_int(q, 3),
        .own = col_text(q, 4, a),
        .peer = col_text(q, 5, a),
        .not_before_ms = col_int(q, 6),
        .attempts = (int)col_int(q, 7),
        .step = col_int(q, 8),
        .last_error = col_text(q, 9, a),
    };
}

static bool get_job(struct store *s, int64_t id, struct arena *a, struct job *j, bool *found,
                    struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_GET_JOB);
    call_int(&q, id);
    *found = call_row(&q);
    if (*found)
        read_job(&q, a, j);
    ok = call_end(&q, "read a job", err);
    reader_give(s, c);
    if (ok && a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    return ok;
}

bool store_take_job(struct store *s, unsigned kinds, const char *own, const char *peer,
                    int64_t after_id, int64_t now_ms, int64_t lease_ms, struct arena *a,
                    struct job *j, bool *found, struct err *err)
{
    bool there = false;
    int64_t id;

    /* A commit ends the row a moment before the index hears of it: such a job is passed over,
     * and is gone from the index soon. */
    do {
        id = lease_one(s->jobs, kinds, own, peer, after_id, now_ms, lease_ms);
        if (id != 0 && !get_job(s, id, a, j, &there, err)) {
            store_hold_job(s, id, now_ms + UNREADABLE_MS);
            return false;
        }
    } while (id != 0 && !there);
    *found = id != 0;
    return true;
}

void store_release_job(struct store *s, int64_t job_id)
{
    struct job_index *ix = s->jobs;
    struct open_job *j;

    pthread_mutex_lock(&ix->lock);
    j = find(ix, job_id);
    if (j != NULL) {
        set_due(j, j->not_before_ms);
        ring(ix, j->group->kind);
    }
    pthread_mutex_unlock(&ix->lock);
}

void store_hold_job(struct store *s, int64_t job_id, int64_t until_ms)
{
    struct job_index *ix = s->jobs;
    struct open_job *j;

    pthread_mutex_lock(&ix->lock);
    j = find(ix, job_id);
    if (j != NULL)
        set_due(j, steady_time(&ix->clock, until_ms));
    pthread_mutex_unlock(&ix->lock);
}

size_t store_hurry_jobs(struct store *s, unsigned kinds, const char *peer, int64_t but_step,
                        int64_t now_ms)
{
    struct job_index *ix = s->jobs;
    struct tree_node *n;
    size_t hurried = 0;

    pthread_mutex_lock(&ix->lock);
    now_ms = steady_time(&ix->clock, now_ms);
    for (n = tree_after(ix->jobs, 0, 0); n != NULL; n = tree_after(ix->jobs, 0, n->id)) {
        struct open_job *j = job_of(n, offsetof(struct open_job, by_id));

        if (((kinds >> j->group->kind) & 1) == 0 || !same(j->group->peer, peer) ||
            j->step == but_step || j->not_before_ms <= now_ms ||
            j->by_due.key != j->not_before_ms)
            continue; /* a lease is another time than its own */
        j->not_before_ms = now_ms;
        set_due(j, now_ms);
        ring(ix, j->group->kind);
        hurried++;
    }
    pthread_mutex_unlock(&ix->lock);
    return hurried;
}

/* ---- looking ---------------------------------------------------------------------------- */

static bool add_pair(struct list *l, const struct group *g, int64_t set_ms)
{
    int64_t due_ms = tree_first(g->due)->key + set_ms;
    struct job *j = l->items;

    for (size_t i = 0; i < l->n; i++) {
        if (!same(j[i].own, g->own) || !same(j[i].peer, g->peer))
            continue;
        if (due_ms < j[i].not_before_ms)
            j[i].not_before_ms = due_ms;
        return true;
    }
    j = list_add(l);
    if (j == NULL)
        return false;
    j->kind = g->kind;
    j->own = arena_text(l->a, g->own);
    j->peer = arena_text(l->a, g->peer);
    j->not_before_ms = due_ms;
    return true;
}

bool store_job_pairs(struct store *s, unsigned kinds, struct arena *a, struct job **list,
                     size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    int64_t set_ms;

    pthread_mutex_lock(&s->jobs->lock);
    set_ms = steady_set_ms(&s->jobs->clock);
    for (int kind = 0; kind < JOB_KINDS; kind++) {
        struct group *g = ((kinds >> kind) & 1) != 0 ? s->jobs->kinds[kind] : NULL;

        for (; g != NULL; g = g->next_of_kind)
            if (g->due != NULL && !add_pair(&l, g, set_ms))
                break;
    }
    pthread_mutex_unlock(&s->jobs->lock);
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}

bool store_next_due(struct store *s, unsigned kinds, int64_t now_ms, int64_t *in_ms,
                    struct err *err)
{
    int64_t due = INT64_MAX;

    (void)err;
    pthread_mutex_lock(&s->jobs->lock);
    now_ms = steady_time(&s->jobs->clock, now_ms);
    for (int kind = 0; kind < JOB_KINDS; kind++) {
        struct group *g = ((kinds >> kind) & 1) != 0 ? s->jobs->kinds[kind] : NULL;

        for (; g != NULL; g = g->next_of_kind)
            if (g->due != NULL && tree_first(g->due)->key < due)
                due = tree_first(g->due)->key;
    }
    pthread_mutex_unlock(&s->jobs->lock);
    *in_ms = due == INT64_MAX ? INT64_MAX : due <= now_ms ? 0 : due - now_ms;
    return true;
}

bool store_jobs(struct store *s, int64_t document_id, struct arena *a, struct job **list,
                size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    struct conn *c = reader_take(s, err);
    struct job *j;
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, document_id != 0 ? Q_JOBS_OF : Q_JOBS);
    if (document_id != 0)
        call_int(&q, document_id);
    while (call_row(&q) && (j = list_add(&l)) != NULL)
        read_job(&q, a, j);
    ok = call_end(&q, "read the jobs", err);
    reader_give(s, c);
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}

/* ---- waiting ---------------------------------------------------------------------------- */

void job_index_ring(struct job_index *ix)
{
    pthread_mutex_lock(&ix->lock);
    ix->rings_all++;
    for (struct waiter *w = ix->waiting; w != NULL; w = w->next) {
        w->woken = true;
        pthread_cond_signal(&w->rung);
    }
    pthread_mutex_unlock(&ix->lock);
}

void store_wake(struct store *s)
{
    job_index_ring(s->jobs);
}

static uint64_t rings_of(const struct job_index *ix, unsigned kinds)
{
    uint64_t n = ix->rings_all;

    for (unsigned kind = 0; kind < JOB_KINDS; kind++)
        if (((kinds >> kind) & 1) != 0)
            n += ix->rings[kind];
    return n;
}

static struct timespec after_ms(int64_t wait_ms)
{
    struct timespec t;

    /* A year is as good as for ever, and does not overflow. */
    if (wait_ms > 365LL * 86400 * 1000)
        wait_ms = 365LL * 86400 * 1000;
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (wait_ms > 0) {
        t.tv_sec += wait_ms / 1000;
        t.tv_nsec += wait_ms % 1000 * 1000000;
    }
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void store_wait_kinds(struct store *s, unsigned kinds, bool one, uint64_t *seen,
                      int64_t wait_ms)
{
    struct job_index *ix = s->jobs;
    struct timespec until = after_ms(wait_ms);
    struct waiter me = { .kinds = kinds, .one = one }, **at;
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&me.rung, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_lock(&ix->lock);
    if (wait_ms > 0 && rings_of(ix, kinds) == *seen) {
        me.next = ix->waiting;
        ix->waiting = &me;
        while (!me.woken && pthread_cond_timedwait(&me.rung, &ix->lock, &until) == 0) {
        }
        for (at = &ix->waiting; *at != &me; at = &(*at)->next) {
        }
        *at = me.next;
    }
    *seen = rings_of(ix, kinds);
    pthread_mutex_unlock(&ix->lock);
    pthread_cond_destroy(&me.rung);
}

void store_wait_jobs(struct store *s, uint64_t *seen, int64_t wait_ms)
{
    store_wait_kinds(s, ~0u, false, seen, wait_ms);
}
