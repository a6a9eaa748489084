/* The committing thread. It takes every batch that waits, runs them in one transaction, and syncs
 * once for all of them: while one sync is under way the next batches gather, so that cost per batch
 * falls as load rises. Conflicts are rare and savepoints copy every page they touch, so the batches
 * run without; should one fail, all are run again, each in a savepoint.
 *
 * What holds:
 *   1. A caller is answered true only after COMMIT, with synchronous = FULL, has returned.
 *   2. A batch that conflicts leaves no trace, and those beside it do not notice.
 *   3. When the transaction is lost, every batch in it fails and has left no trace.
 *   4. After a sync that failed nothing more is stored until the store is opened anew: the system may
 *      have dropped what it could not write, and the next sync would not tell.
 *   5. The index of open jobs changes after COMMIT and before the caller is answered. */
#include "store/sqlite_int.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOG_PAGES = 2000,    /* of 4 KB: longer, and the log is moved into the file */
    PURGE_EVERY = 60000, /* ms between removals of forgotten keys               */
    GATHER_US = 1000,    /* in company: a wait for others that are about to commit */
    SOON_MS = 50,        /* a batch that need not be committed at once waits for another */
};

struct request {
    struct store_batch *b; /* NULL: only a new mark for ids is wanted */
    struct err *err;
    uint64_t begun_us;
    bool ok;
    sem_t answered;
    struct request *next;
    /* Nobody waits for it: */
    bool unattended;
    void (*failed)(void *context, const struct err *err);
    void *context;
    struct err own_err;
};

struct commit_line {
    pthread_mutex_t lock;
    pthread_cond_t waiting;
    struct request *first, **last;
    struct request *soon, **soon_last;
    struct timespec soon_due; /* monotonic, while there is one of those */
    bool stopping;
    pthread_t thread;
    _Atomic uint64_t commits;
    atomic_bool broken; /* a sync failed; why: */
    char broken_text[128];
    /* the committing thread's own */
    bool company; /* the transaction before was of several batches */
    int log_pages;
    int64_t purge_ms;
};

/* ---- one transaction -------------------------------------------------------------------- */

static bool run(struct conn *c, enum query q, const char *what, struct err *err)
{
    struct call call = call_of(c, q);

    return call_run(&call, what, err);
}

static bool apply_batch(struct store *s, struct store_batch *b, struct err *err)
{
    int open = 0, most;

    for (struct change *ch = b->first; ch != NULL; ch = ch->next) {
        if (ch->kind == CHANGE_JOB && !job_index_prepare(s->jobs, ch, err))
            return false;
        if (!counters_look(s->writer, ch, err) || !sqlite_apply(s->writer, ch, err))
            return false;
    }
    /* Deferred keys would only be looked at by COMMIT, where one batch's mistake would be
     * everyone's failure. */
    if (sqlite3_db_status(s->writer->db, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &most, 0) !=
            SQLITE_OK ||
        open != 0)
        return FAIL(err, FAIL_AGAIN, 0, "the batch refers to a document that is not there");
    return true;
}

/* Whether only the batch has failed and the transaction can go on. */
static bool still_open(struct conn *c, const struct err *err)
{
    int rc = sqlite3_errcode(c->db) & 0xFF;

    if (sqlite3_get_autocommit(c->db))
        return false;
    return err->kind == FAIL_AGAIN || rc == SQLITE_OK || rc == SQLITE_DONE ||
           rc == SQLITE_CONSTRAINT || rc == SQLITE_TOOBIG || rc == SQLITE_MISMATCH;
}

/* False: the transaction is lost, *err says why. Else r->ok says how the batch went. */
static bool run_request(struct store *s, struct request *r, struct err *err)
{
    struct conn *c = s->writer;

    if (!run(c, Q_SAVEPOINT, "begin a batch", err))
        return false;
    r->ok = apply_batch(s, r->b, r->err);
    if (!r->ok && !still_open(c, r->err)) {
        *err = *r->err;
        return false;
    }
    if (!r->ok && !run(c, Q_ROLLBACK_TO, "undo a batch", err))
        return false;
    return run(c, Q_RELEASE, "end a batch", err);
}

/* Reserves ids and forgets old keys along with a transaction that is made anyway. */
static bool house_work(struct store *s, int64_t *mark, struct err *err)
{
    int64_t now = store_clock_ms(), next = atomic_load(&s->next_id);

    *mark = atomic_load(&s->id_mark);
    if (next + ID_SPARE > *mark) {
        *mark = next + ID_BLOCK;
        if (!sqlite_meta_set(s->writer, "next_id", *mark, err))
            return false;
    }
    if (now - s->line->purge_ms >= PURGE_EVERY || now < s->line->purge_ms) {
        struct call q = call_of(s->writer, Q_PURGE_SEEN);

        call_int(&q, now);
        if (!call_run(&q, "forget old keys", err))
            return false;
        /* A full helping: there may be more to forget. */
        s->line->purge_ms = sqlite3_changes(s->writer->db) < 200 ? now : 0;
    }
    return true;
}

/* All batches, none in a savepoint. False: one of them failed, and the transaction is of no use. */
static bool run_together(struct store *s, struct request *list, struct err *err)
{
    for (struct request *r = list; r != NULL; r = r->next) {
        r->ok = r->b == NULL || apply_batch(s, r->b, err);
        if (!r->ok)
            return false;
    }
    return true;
}

static bool run_apart(struct store *s, struct request *list, struct err *err)
{
    for (struct request *r = list; r != NULL; r = r->next) {
        r->ok = r->b == NULL;
        if (r->b != NULL && !run_request(s, r, err))
            return false;
    }
    return true;
}

static bool run_all(struct store *s, struct request *list, struct err *err)
{
    struct conn *c = s->writer;

    if (run_together(s, list, err))
        return true;
    if (!still_open(c, err))
        return false;
    return run(c, Q_ROLLBACK, "undo the batches", err) &&
           run(c, Q_BEGIN, "begin a transaction", err) && run_apart(s, list, err);
}

static bool transaction(struct store *s, struct request *list, struct err *err)
{
    int64_t mark;

    if (!run(s->writer, Q_BEGIN, "begin a transaction", err) || !run_all(s, list, err))
        return false;
    if (!house_work(s, &mark, err) || !run(s->writer, Q_COMMIT, "commit", err))
        return false;
    atomic_store(&s->id_mark, mark);
    return true;
}

static bool failed_for_good(struct store *s, struct err *err)
{
    return FAIL(
        err, FAIL_LOCAL, 0,
        "the disk failed to sync (%s): nothing more is stored until Waybill is restarted; "
        "look at the disk below runtime.data_directory",
        s->line->broken_text);
}

/* rc: of the connection, right after a failure. */
static void look_for_failed_sync(struct store *s, int rc)
{
    if (rc != SQLITE_IOERR_FSYNC && rc != SQLITE_IOERR_DIR_FSYNC)
        return;
    (void)snprintf(s->line->broken_text, sizeof(s->line->broken_text), "error %d", rc);
    if (sqlite3_system_errno(s->writer->db) != 0) {
        errno = sqlite3_system_errno(s->writer->db);
        (void)snprintf(s->line->broken_text, sizeof(s->line->broken_text), "%m");
    }
    atomic_store(&s->line->broken, true);
}

bool store_failed(struct store *s)
{
    return atomic_load(&s->line->broken);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void count_all(struct store *s, const struct request *list, bool ok)
{
    uint64_t now = now_us();
    size_t n = 0;

    for (const struct request *r = list; r != NULL; r = r->next) {
        if (r->b == NULL)
            continue;
        counters_commit(s->counters, r->b, r->ok, now - r->begun_us);
        n++;
    }
    if (ok)
        counters_group(s->counters, n);
}

static void commit_all(struct store *s, struct request *list)
{
    struct err err = { 0 };
    bool ok = store_failed(s) ? failed_for_good(s, &err) : transaction(s, list, &err);

    if (!ok && !store_failed(s)) {
        look_for_failed_sync(s, sqlite3_extended_errcode(s->writer->db));
        if (store_failed(s))
            (void)failed_for_good(s, &err);
    }
    if (!ok && !sqlite3_get_autocommit(s->writer->db)) {
        struct err ignored;

        (void)!run(s->writer, Q_ROLLBACK, "roll back", &ignored);
    }
    for (struct request *r = list; r != NULL; r = r->next) {
        if (!ok) {
            r->ok = false;
            *r->err = err;
        }
        if (r->b != NULL && r->b->has_jobs)
            job_index_settle(s->jobs, r->b, r->ok);
    }
    atomic_fetch_add(&s->line->commits, ok);
    count_all(s, list, ok);
}

/* ---- the thread ------------------------------------------------------------------------- */

static int log_grew(void *line, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct commit_line *)line)->log_pages = pages;
    return SQLITE_OK;
}

/* Half of what a transaction writes are index pages, whatever the number of batches: among callers
 * that come one upon the other a moment's wait makes each of them cheaper. One alone never waits. */
static void gather(void)
{
    const struct timespec t = { .tv_nsec = GATHER_US * 1000L };

    (void)nanosleep(&t, NULL);
}

/* Those that can wait go after the others. */
static void add_those_that_waited(struct commit_line *line)
{
    *line->last = line->soon;
    line->soon = NULL;
    line->soon_last = &line->soon;
}

/* Waits for requests; NULL: none will come any more. */
static struct request *take_all(struct commit_line *line)
{
    struct request *list;
    bool due = false;

    pthread_mutex_lock(&line->lock);
    while (line->first == NULL && !due && !line->stopping) {
        if (line->soon == NULL)
            pthread_cond_wait(&line->waiting, &line->lock);
        else
            due = pthread_cond_timedwait(&line->waiting, &line->lock, &line->soon_due) ==
                  ETIMEDOUT;
    }
    if (line->company && line->first != NULL && !line->stopping) {
        pthread_mutex_unlock(&line->lock);
        gather();
        pthread_mutex_lock(&line->lock);
    }
    line->company = line->first != NULL && line->first->next != NULL;
    add_those_that_waited(line);
    list = line->first;
    line->first = NULL;
    line->last = &line->first;
    pthread_mutex_unlock(&line->lock);
    return list;
}

static void answer_all(struct request *list)
{
    while (list != NULL) {
        struct request *next = list->next; /* it is gone once it knows */

        if (list->unattended) {
            if (!list->ok)
                list->failed(list->context, list->err);
            store_batch_free(list->b);
            free(list);
        } else {
            (void)sem_post(&list->answered);
        }
        list = next;
    }
}

static void *commit_thread(void *arg)
{
    struct store *s = arg;
    struct request *list;

    while ((list = take_all(s->line)) != NULL) {
        commit_all(s, list);
        answer_all(list);
        /* Passive: it never waits for readers; what they hold is moved the next time. A
         * failure shows again, and is reported, at the next commit. */
        if (s->line->log_pages >= LOG_PAGES) {
            s->line->log_pages = 0;
            look_for_failed_sync(s, sqlite3_wal_checkpoint_v2(s->writer->db, NULL,
                                                              SQLITE_CHECKPOINT_PASSIVE, NULL,
                                                              NULL));
        }
    }
    return NULL;
}

bool commit_line_start(struct store *s, struct err *err)
{
    struct commit_line *line = calloc(1, sizeof(*line));
    pthread_condattr_t attr;

    if (line == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    pthread_mutex_init(&line->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&line->waiting, &attr);
    (void)pthread_condattr_destroy(&attr);
    line->last = &line->first;
    line->soon_last = &line->soon;
    s->line = line;
    (void)sqlite3_wal_hook(s->writer->db, log_grew, line);
    if (pthread_create(&line->thread, NULL, commit_thread, s) == 0)
        return true;
    s->line = NULL;
    free(line);
    return FAIL(err, FAIL_LOCAL, 0, "cannot start the committing thread");
}

void commit_line_stop(struct store *s)
{
    struct commit_line *line = s->line;

    pthread_mutex_lock(&line->lock);
    line->stopping = true;
    pthread_cond_signal(&line->waiting);
    pthread_mutex_unlock(&line->lock);
    pthread_join(line->thread, NULL);
    (void)sqlite3_wal_hook(s->writer->db, NULL, NULL);
    pthread_cond_destroy(&line->waiting);
    pthread_mutex_destroy(&line->lock);
    free(line);
    s->line = NULL;
}

/* ---- callers ---------------------------------------------------------------------------- */

static bool wait_for(struct commit_line *line, struct request *r)
{
    (void)sem_init(&r->answered, 0, 0);
    pthread_mutex_lock(&line->lock);
    *line->last = r;
    line->last = &r->next;
    pthread_mutex_unlock(&line->lock);
    /* Not under the lock: the thread would wake only to wait for it. */
    pthread_cond_signal(&line->waiting);
    while (sem_wait(&r->answered) != 0) {
    }
    (void)sem_destroy(&r->answered);
    return r->ok;
}

bool store_commit(struct store *s, struct store_batch *b, struct err *err)
{
    struct request r = { .b = b, .err = err, .begun_us = now_us() };

    if (b != NULL)
        batch_close(b);
    if (b == NULL || b->failed || b->arena.failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out: nothing was stored");
    if (b->first == NULL)
        return true;
    if (b->has_jobs)
        job_index_look(s->jobs);
    return wait_for(s->line, &r);
}

void store_commit_soon(struct store *s, struct store_batch *b,
                       void (*failed)(void *context, const struct err *err), void *context)
{
    struct commit_line *line = s->line;
    struct request *r = calloc(1, sizeof(*r));
    struct err err = { 0 };
    bool first;

    if (r == NULL || b == NULL) {
        FAIL(&err, FAIL_LOCAL, 0, "memory is out: nothing was stored");
    } else {
        batch_close(b);
        if (b->failed || b->arena.failed)
            FAIL(&err, FAIL_LOCAL, 0, "memory is out: nothing was stored");
    }
    if (err.kind != FAIL_NONE || b->first == NULL) {
        if (err.kind != FAIL_NONE)
            failed(context, &err);
        store_batch_free(b);
        free(r);
        return;
    }
    *r = (struct request) {
        .b = b, .begun_us = now_us(), .unattended = true, .failed = failed, .context = context
    };
    r->err = &r->own_err;
    if (b->has_jobs)
        job_index_look(s->jobs);
    pthread_mutex_lock(&line->lock);
    first = line->soon == NULL;
    if (first) {
        (void)clock_gettime(CLOCK_MONOTONIC, &line->soon_due);
        line->soon_due.tv_nsec += SOON_MS * 1000000L;
        if (line->soon_due.tv_nsec >= 1000000000) {
            line->soon_due.tv_nsec -= 1000000000;
            line->soon_due.tv_sec++;
        }
    }
    *line->soon_last = r;
    line->soon_last = &r->next;
    pthread_mutex_unlock(&line->lock);
    if (first) /* it sets the time to wait for */
        pthread_cond_signal(&line->waiting);
}

bool commit_line_reserve(struct store *s, struct err *err)
{
    struct request r = { .err = err };

    return wait_for(s->line, &r);
}

/* ---- for tests -------------------------------------------------------------------------- */

uint64_t store_test_commits(struct store *s)
{
    return atomic_load(&s->line->commits);
}

void store_test_limit_pages(struct store *s, int pages)
{
    char sql[64];

    /* Between commits only: the connection is the committing thread's. 4294967294 is what
     * SQLite takes for no limit. */
    (void)sqlite3_snprintf((int)sizeof(sql), sql, "PRAGMA max_page_count = %lld",
                           pages == 0 ? 4294967294LL : (long long)pages);
    (void)sqlite3_exec(s->writer->db, sql, NULL, NULL, NULL);
}
