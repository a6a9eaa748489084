/* Commits: shared syncs, failures that stay where they belong, disks that fail. */
#include "support.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 64, BATCHES = 50 };

/* ---- sharing ------------------------------------------------------------------------------ */

struct worker {
    struct store *s;
    int number, failed, conflicts;
};

static void *commit_many(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < BATCHES; i++) {
        struct store_batch *b = store_batch_new();
        int64_t id = store_next_id(w->s);
        struct document d = simple_document(id, DOC_RECEIVED);
        struct job j = simple_job(id, JOB_OPEN, NULL, NULL);
        struct err err;

        store_put_document(b, &d);
        store_put_octets(b, id, 'r', span_text("content"));
        store_add_event(b, id, 1, "received", NULL);
        store_put_job(b, &j);
        w->failed += !store_commit(w->s, b, &err);
        store_batch_free(b);
    }
    return NULL;
}

static void many_threads_share_their_syncs(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS] = { 0 };
    pthread_t threads[THREADS];
    uint64_t before = store_test_commits(f->s), commits, counts[16];
    struct job *jobs;
    size_t n;

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker) { .s = f->s, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, commit_many, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
    commits = store_test_commits(f->s) - before;
    print_message("%d batches, %llu commits\n", THREADS * BATCHES, (unsigned long long)commits);
    assert_true(commits < THREADS * BATCHES / 4);
    assert_ok(f, store_count_states(f->s, counts, &f->err));
    assert_int_equal(counts[DOC_RECEIVED], THREADS * BATCHES);
    assert_ok(f, store_jobs(f->s, 0, &f->a, &jobs, &n, &f->err));
    assert_int_equal(n, THREADS * BATCHES);
}

/* All try to move the same document; half of what they do must conflict, and nothing else. */
static void *move_the_same(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < BATCHES; i++) {
        bool there = (i + w->number) % 2 == 0;
        struct store_batch *b = store_batch_new();
        struct err err;

        store_add_event(b, 1, 1, "try", NULL);
        store_set_state(b, 1, DOC_BIT(there ? DOC_OPENED : DOC_PROCESSING),
                        there ? DOC_PROCESSING : DOC_OPENED, 1, "moved", NULL, NULL);
        if (!store_commit(w->s, b, &err)) {
            w->failed += err.kind != FAIL_AGAIN;
            w->conflicts++;
        }
        store_batch_free(b);
    }
    return NULL;
}

static void a_conflict_fails_its_own_batch_only(void **state)
{
    enum { MOVERS = 16 };
    struct fixture *f = *state;
    struct worker workers[MOVERS] = { 0 };
    pthread_t threads[MOVERS];
    struct event *events;
    size_t n, good = 0;

    put_simple(f, 1, DOC_OPENED);
    for (int i = 0; i < MOVERS; i++) {
        workers[i] = (struct worker) { .s = f->s, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, move_the_same, &workers[i]), 0);
    }
    for (int i = 0; i < MOVERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
        good += (size_t)(BATCHES - workers[i].conflicts);
    }
    /* Two events a batch that was done, none of the others; and the moves alternate. */
    assert_ok(f, store_events(f->s, 1, &f->a, &events, &n, &f->err));
    assert_int_equal(n, 2 * good);
    assert_int_equal(get_document(f, 1).state, good % 2 == 0 ? DOC_OPENED : DOC_PROCESSING);
}

static void *read_while_others_write(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < BATCHES; i++) {
        struct document_filter filter = { .state = "received", .limit = 5 };
        struct arena a = { 0 };
        struct document *list;
        struct job j;
        size_t n;
        bool found;
        struct err err;

        w->failed += !store_find_documents(w->s, &filter, &a, &list, &n, &err);
        w->failed +=
            !store_take_job(w->s, 1u << JOB_OPEN, NULL, NULL, 0, 1, 5, &a, &j, &found, &err);
        arena_free(&a);
    }
    return NULL;
}

static void reading_and_writing_go_on_side_by_side(void **state)
{
    enum { PAIRS = 8 };
    struct fixture *f = *state;
    struct worker workers[2 * PAIRS] = { 0 };
    pthread_t threads[2 * PAIRS];

    for (int i = 0; i < 2 * PAIRS; i++) {
        workers[i] = (struct worker) { .s = f->s, .number = i };
        pthread_create(&threads[i], NULL, i % 2 == 0 ? commit_many : read_while_others_write,
                       &workers[i]);
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
}

static void an_empty_batch_is_done_at_once(void **state)
{
    struct fixture *f = *state;
    uint64_t before = store_test_commits(f->s);

    commit(f, store_batch_new());
    assert_int_equal(store_test_commits(f->s), before);
}

/* ---- ids ---------------------------------------------------------------------------------- */

static void ids_ascend_and_are_never_given_again(void **state)
{
    struct fixture *f = *state;
    int64_t last = 0;

    for (int run = 0; run < 3; run++) {
        for (int i = 0; i < 2500; i++) {
            int64_t id = store_next_id(f->s);

            assert_true(id > last);
            last = id;
        }
        fixture_reopen(f);
    }
    assert_int_equal(store_next_id(f->s), last + 1);
    put_simple(f, last + 5000, DOC_RECEIVED);
    fixture_reopen(f);
    assert_true(store_next_id(f->s) > last + 5000);
}

/* ---- disks that fail ---------------------------------------------------------------------- */

static void a_full_disk_fails_the_batch_and_the_store_goes_on_when_there_is_space(void **state)
{
    static uint8_t big[200000];
    struct fixture *f = *state;
    struct job j = simple_job(5, JOB_OPEN, NULL, NULL), got;
    struct document d = simple_document(2, DOC_RECEIVED);
    struct store_batch *b = store_batch_new();
    bool found;

    put_simple(f, 1, DOC_RECEIVED);
    store_test_limit_pages(f->s, 1); /* SQLite takes the pages there are for the limit */
    store_put_document(b, &d);
    store_put_octets(b, 2, 'r', span_of(big, sizeof(big)));
    store_put_job(b, &j);
    for (int i = 0; i < 2; i++) {
        assert_false(store_commit(f->s, b, &f->err));
        assert_int_equal(f->err.kind, FAIL_LOCAL);
        assert_true(strncmp(f->err.text, "disk full: ", 11) == 0);
        assert_ok(f,
                  store_take_job(f->s, ~0u, NULL, NULL, 0, 1, 1, &f->a, &got, &found, &f->err));
        assert_false(found);
    }
    assert_int_equal(get_document(f, 1).state, DOC_RECEIVED);
    store_test_limit_pages(f->s, 0);
    commit(f, b);
    assert_int_equal(get_document(f, 2).state, DOC_RECEIVED);
    assert_ok(f, store_take_job(f->s, ~0u, NULL, NULL, 0, 1, 1, &f->a, &got, &found, &f->err));
    assert_true(found);
}

/* A VFS that is the usual one until the n-th write or sync, which fails. The file and its log
 * have methods of their own. */
static struct {
    sqlite3_vfs vfs;
    const sqlite3_vfs *below;
    struct flaky_methods {
        const sqlite3_io_methods *real;
        sqlite3_io_methods methods;
    } main, log;
    atomic_int left; /* calls until one fails; 0 or less: none */
    int rc;
    atomic_bool syncs_fail, reads_fail;
    atomic_int log_writes;
} flaky;

static bool fails_now(void)
{
    return atomic_load(&flaky.left) > 0 && atomic_fetch_sub(&flaky.left, 1) == 1;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
    return file->pMethods == &flaky.main.methods ? flaky.main.real : flaky.log.real;
}

static int flaky_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    atomic_fetch_add(&flaky.log_writes, file->pMethods == &flaky.log.methods);
    return fails_now() ? flaky.rc : real_of(file)->xWrite(file, p, n, at);
}

static int flaky_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return flaky.reads_fail ? SQLITE_IOERR_READ : real_of(file)->xRead(file, p, n, at);
}

static int flaky_sync(sqlite3_file *file, int flags)
{
    int rc = flaky.rc == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_FSYNC;

    if (flaky.syncs_fail)
        return SQLITE_IOERR_FSYNC;
    return fails_now() ? rc : real_of(file)->xSync(file, flags);
}

static int flaky_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out)
{
    int rc = flaky.below->xOpen(sqlite3_vfs_find(NULL), name, file, flags, out);
    struct flaky_methods *m = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? &flaky.main : &flaky.log;

    (void)vfs;
    if (rc == SQLITE_OK && file->pMethods != NULL) {
        m->real = file->pMethods;
        m->methods = *file->pMethods;
        m->methods.xRead = flaky_read;
        m->methods.iVersion = 2; /* no mapping */
        m->methods.xWrite = flaky_write;
        m->methods.xSync = flaky_sync;
        file->pMethods = &m->methods;
    }
    return rc;
}

static int flaky_setup(void **state)
{
    flaky.below = sqlite3_vfs_find(NULL);
    flaky.vfs = *flaky.below;
    flaky.vfs.zName = "flaky";
    flaky.vfs.pNext = NULL;
    flaky.vfs.xOpen = flaky_open;
    sqlite3_vfs_register(&flaky.vfs, 0);
    store_test_vfs = "flaky";
    return fixture_open(state);
}

static int flaky_teardown(void **state)
{
    int rc = fixture_close(state);

    store_test_vfs = NULL;
    sqlite3_vfs_unregister(&flaky.vfs);
    return rc;
}

static bool try_put(struct fixture *f, int64_t id)
{
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(id, DOC_RECEIVED);
    bool ok;

    store_put_document(b, &d);
    ok = store_commit(f->s, b, &f->err);
    store_batch_free(b);
    return ok;
}

static void put(struct fixture *f, int64_t id)
{
    assert_true(try_put(f, id));
}

/* Whichever write or sync fails: what was acknowledged is there, what was refused is not. */
static void each_failing_write_or_sync_fails_only_its_transaction(void **state)
{
    enum { DEEPEST = 12, EACH = 4 };
    struct fixture *f = *state;
    bool acknowledged[4000] = { false };
    int refused = 0;
    int64_t id = 0;

    for (int round = 0; round < 4 * DEEPEST; round++) {
        int64_t lost = 0;

        flaky.rc = round % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
        for (int i = 0; i < EACH; i++) {
            struct store_batch *b = store_batch_new();
            struct document d = simple_document(++id, DOC_RECEIVED);

            if (i == 0)
                atomic_store(&flaky.left, 1 + round % DEEPEST);
            store_put_document(b, &d);
            store_put_octets(b, id, 'r', span_text("some octets"));
            acknowledged[id] = store_commit(f->s, b, &f->err);
            if (!acknowledged[id]) {
                refused++;
                assert_int_equal(f->err.kind, FAIL_LOCAL);
                if (flaky.rc == SQLITE_FULL)
                    assert_true(strncmp(f->err.text, "disk full: ", 11) == 0);
                if (lost == 0 && store_failed(f->s))
                    lost = id; /* written, but nobody knows where to */
            }
            store_batch_free(b);
        }
        atomic_store(&flaky.left, 0);
        if (round % DEEPEST == DEEPEST - 1 || store_failed(f->s))
            fixture_reopen(f);
        for (int64_t i = 1; i <= id; i++) {
            struct document d;
            bool found;

            assert_ok(f, store_get_document(f->s, i, &f->a, &d, &found, &f->err));
            if (i == lost)
                acknowledged[i] = found;
            assert_int_equal(found, acknowledged[i]);
        }
    }
    assert_true(refused >= DEEPEST);
}

/* Linux drops the pages that a failed sync could not write: a later sync that works proves
 * nothing. */
static void after_a_failed_sync_nothing_is_stored_until_it_is_opened_anew(void **state)
{
    struct fixture *f = *state;
    struct document d;
    bool found;

    put(f, 1);
    assert_false(store_failed(f->s));
    flaky.syncs_fail = true;
    assert_false(try_put(f, 2));
    flaky.syncs_fail = false;
    for (int64_t id = 3; id < 6; id++) {
        assert_false(try_put(f, id));
        assert_int_equal(f->err.kind, FAIL_LOCAL);
        assert_non_null(strstr(f->err.text, "until Waybill is restarted"));
    }
    assert_true(store_failed(f->s));
    assert_ok(f, store_get_document(f->s, 1, &f->a, &d, &found, &f->err));
    assert_true(found);
    fixture_reopen(f);
    assert_false(store_failed(f->s));
    put(f, 7);
    for (int64_t id = 3; id < 6; id++) {
        assert_ok(f, store_get_document(f->s, id, &f->a, &d, &found, &f->err));
        assert_false(found);
    }
}

/* A page and its header would be two writes each. */
static void a_transaction_goes_to_the_log_in_few_writes(void **state)
{
    static uint8_t big[400000];
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(2, DOC_RECEIVED);
    struct arena a = { 0 };
    struct span got;
    int before;

    put(f, 1);
    fill(big, sizeof(big), 0);
    store_put_document(b, &d);
    store_put_octets(b, 2, 'r', span_of(big, sizeof(big)));
    before = atomic_load(&flaky.log_writes);
    commit(f, b);
    assert_in_range(atomic_load(&flaky.log_writes) - before, 1, 10);
    assert_ok(f, store_get_octets(f->s, 2, 'r', &a, &got, &f->err));
    assert_true(span_equal(got, span_of(big, sizeof(big))));
    before = atomic_load(&flaky.log_writes);
    put(f, 3);
    assert_int_equal(atomic_load(&flaky.log_writes) - before, 1);
    arena_free(&a);
}

static bool is_there(struct fixture *f, int64_t id)
{
    struct document d;
    bool found;

    assert_ok(f, store_get_document(f->s, id, &f->a, &d, &found, &f->err));
    return found;
}

/* Whether a document that was refused by a failed sync is there after all shows at the next start: its
 * file must be what it was, then. */
static void after_a_failed_sync_payloads_stay_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct document d = simple_document(1, DOC_RECEIVED);
    struct store_batch *b = store_batch_new();
    struct payload_writer *w = NULL, *next = NULL;
    struct payload_reader *r;
    struct fixture after;
    char command[1000];
    uint8_t octets[3 * PAYLOAD_ROW_MAX];
    size_t n;

    put(f, 100);
    fill(octets, sizeof(octets), 0);
    assert_ok(f, payload_create(f->s, 1, 'r', &w, &f->err));
    assert_ok(f, payload_write(w, span_of(octets, sizeof(octets)), &f->err));
    assert_ok(f, payload_finish(w, b, &d.raw, &f->err));
    store_put_document(b, &d);
    flaky.syncs_fail = true;
    assert_false(store_commit(f->s, b, &f->err));
    assert_true(store_failed(f->s));
    payload_remove(f->s, &d.raw);
    payload_remove_all(f->s, &d);
    assert_true(file_exists(f, "payload/000/000/1.raw"));
    /* Nor is it made anew, with other octets. */
    assert_false(payload_create(f->s, 1, 'r', &next, &f->err));
    assert_false(payload_resume(f->s, 1, 'r', &d.raw, 10, &next, &f->err));
    assert_int_equal(f->err.kind, FAIL_LOCAL);
    payload_writer_free(w);
    store_batch_free(b);
    flaky.syncs_fail = false;
    /* As after a crash: the index of the log is gone, and with it where it ends. */
    (void)snprintf(command, sizeof(command), "cp -r %s %s.copy && rm -f %s.copy/waybill.db-shm",
                   f->dir, f->dir, f->dir);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof(command), "%s.copy", f->dir);
    after = (struct fixture) { .s = open_at(command) };
    assert_true(is_there(&after, 100) && is_there(&after, 1));
    d = get_document(&after, 1);
    assert_ok(&after, payload_open(after.s, 1, 'r', &d.raw, &r, &after.err));
    assert_ok(&after,
              payload_read(r, sizeof(octets) - 1, (struct room) { octets, 1 }, &n, &after.err));
    assert_int_equal(n, 1);
    payload_reader_free(r);
    store_close(after.s);
    arena_free(&after.a);
    (void)snprintf(command, sizeof(command), "rm -r %s.copy", f->dir);
    assert_int_equal(system(command), 0);
}

/* Whoever waits for jobs must not be woken for one that cannot be read, again and again. */
static void a_job_that_cannot_be_read_is_not_due_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct job j = simple_job(1, JOB_PROCESS, NULL, NULL), got;
    int64_t now = store_clock_ms(), due = 0;
    uint64_t seen = 0, before;
    bool found = false;

    store_put_job(b, &j);
    commit(f, b);
    store_wait_jobs(f->s, &seen, 0);
    before = seen;
    flaky.reads_fail = true;
    assert_false(
        store_take_job(f->s, ~0u, NULL, NULL, 0, now, 60000, &f->a, &got, &found, &f->err));
    flaky.reads_fail = false;
    assert_int_equal(f->err.kind, FAIL_LOCAL);
    store_wait_jobs(f->s, &seen, 0);
    assert_true(seen == before);
    assert_ok(f, store_next_due(f->s, ~0u, now, &due, &f->err));
    assert_in_range(due, 1, 2000);
    assert_ok(f, store_take_job(f->s, ~0u, NULL, NULL, 0, now + 2000, 60000, &f->a, &got,
                                &found, &f->err));
    assert_true(found);
}

static void count_failure(void *context, const struct err *err)
{
    assert_int_equal(err->kind, FAIL_LOCAL);
    atomic_fetch_add((_Atomic int *)context, 1);
}

static void put_soon(struct fixture *f, int64_t id, _Atomic int *failures)
{
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(id, DOC_RECEIVED);

    store_put_document(b, &d);
    store_commit_soon(f->s, b, count_failure, failures);
}

static void what_can_wait_goes_with_the_next_commit_or_by_itself(void **state)
{
    struct fixture *f = *state;
    static _Atomic int failures;
    uint64_t before = store_test_commits(f->s);

    for (int64_t id = 1; id <= 20; id++)
        put_soon(f, id, &failures);
    put(f, 21);
    assert_true(store_test_commits(f->s) - before <= 20); /* one, on a machine with time */
    for (int i = 0; i < 1000 && !is_there(f, 20); i++)
        (void)usleep(10000);
    for (int64_t id = 1; id <= 21; id++)
        assert_true(is_there(f, id));
    put_soon(f, 22, &failures);
    for (int i = 0; i < 1000 && !is_there(f, 22); i++)
        (void)usleep(10000);
    assert_true(is_there(f, 22));
    put_soon(f, 23, &failures);
    fixture_reopen(f);
    assert_true(is_there(f, 23));
    assert_int_equal(failures, 0);
}

static void what_could_wait_and_failed_is_told(void **state)
{
    struct fixture *f = *state;
    static _Atomic int failures;

    put(f, 1);
    flaky.syncs_fail = true;
    put_soon(f, 2, &failures);
    for (int i = 0; i < 1000 && atomic_load(&failures) == 0; i++)
        (void)usleep(10000);
    assert_int_equal(failures, 1);
    flaky.syncs_fail = false;
    fixture_reopen(f);
    assert_true(is_there(f, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(many_threads_share_their_syncs),
        STORE_TEST(a_conflict_fails_its_own_batch_only),
        STORE_TEST(reading_and_writing_go_on_side_by_side),
        STORE_TEST(an_empty_batch_is_done_at_once),
        STORE_TEST(what_can_wait_goes_with_the_next_commit_or_by_itself),
        STORE_TEST(ids_ascend_and_are_never_given_again),
        STORE_TEST(a_full_disk_fails_the_batch_and_the_store_goes_on_when_there_is_space),
        cmocka_unit_test_setup_teardown(each_failing_write_or_sync_fails_only_its_transaction,
                                        flaky_setup, flaky_teardown),
        cmocka_unit_test_setup_teardown(
            after_a_failed_sync_nothing_is_stored_until_it_is_opened_anew, flaky_setup,
            flaky_teardown),
        cmocka_unit_test_setup_teardown(a_transaction_goes_to_the_log_in_few_writes,
                                        flaky_setup, flaky_teardown),
        cmocka_unit_test_setup_teardown(after_a_failed_sync_payloads_stay_as_they_are,
                                        flaky_setup, flaky_teardown),
        cmocka_unit_test_setup_teardown(a_job_that_cannot_be_read_is_not_due_at_once,
                                        flaky_setup, flaky_teardown),
        cmocka_unit_test_setup_teardown(what_could_wait_and_failed_is_told, flaky_setup,
                                        flaky_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
