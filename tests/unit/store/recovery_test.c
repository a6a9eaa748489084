/* Start-up after an orderly end, after a kill, and beside another runtime. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_second_runtime_is_refused_with_the_pid_of_the_first(void **state)
{
    struct fixture *f = *state;
    struct store_config cfg = { "sqlite", f->dir };
    struct store *second = NULL;
    char want[80];

    assert_false(store_open(&cfg, &second, &f->err));
    assert_null(second);
    assert_int_equal(f->err.kind, FAIL_LOCAL);
    (void)snprintf(want, sizeof(want), "another runtime holds it: process %ld", (long)getpid());
    assert_non_null(strstr(f->err.text, want));
    assert_non_null(strstr(f->err.text, f->dir));
    put_simple(f, 1, DOC_RECEIVED); /* and the first is none the worse */
}

static void an_unknown_kind_of_store_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_config cfg = { "oracle://x", f->dir };
    struct store *s = NULL;

    assert_false(store_open(&cfg, &s, &f->err));
    assert_int_equal(f->err.kind, FAIL_LOCAL);
}

static void a_damaged_or_newer_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_config cfg = { "sqlite", f->dir };
    struct store *s = NULL;
    uint8_t version[4] = { 0, 0, 1, 0 };
    char path[300];
    int fd;

    store_close(f->s);
    f->s = NULL;
    (void)snprintf(path, sizeof(path), "%s/waybill.db", f->dir);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, version, 4, 60), 4); /* user_version in SQLite's header */
    assert_false(store_open(&cfg, &s, &f->err));
    assert_non_null(strstr(f->err.text, "newer Waybill"));
    assert_int_equal(pwrite(fd, "no database at all", 18, 0), 18);
    close(fd);
    assert_false(store_open(&cfg, &s, &f->err));
    assert_non_null(strstr(f->err.text, "damaged"));
}

static void directory_and_files_are_for_the_owner_only(void **state)
{
    static const char *const files[] = { "waybill.db", "waybill.db-wal", "waybill.db-shm",
                                         "lock" };
    struct fixture *f = *state;
    struct store_config cfg = { NULL, NULL };
    struct store *s = NULL;
    struct stat st;
    char path[300];
    mode_t old = umask(0);

    cfg.directory = arena_printf(&f->a, "%s/new", f->dir);
    assert_ok(f, store_open(&cfg, &s, &f->err));
    umask(old);
    assert_int_equal(stat(cfg.directory, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", cfg.directory, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    store_close(s);
}

static void executions_without_end_are_marked(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(4, DOC_PROCESSING);
    struct execution x = { .id = 1, .document_id = 4, .started_ms = 5 }, *list;
    size_t n;

    store_put_document(b, &d);
    store_put_execution(b, &x);
    x = (struct execution) { .id = 2, .document_id = 4, .ended_ms = 9, .outcome = "processed" };
    store_put_execution(b, &x);
    commit(f, b);
    fixture_reopen(f);
    assert_ok(f, store_executions(f->s, 4, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_text(list[0].outcome, "failed");
    assert_non_null(strstr(list[0].text, "cut off"));
    assert_int_equal(list[0].ended_ms, 0);
    assert_text(list[1].outcome, "processed");
}

/* ---- payload files ------------------------------------------------------------------------ */

static void make_file(const struct fixture *f, const char *path)
{
    char whole[400];
    FILE *file;

    (void)snprintf(whole, sizeof(whole), "%s/payload/%s", f->dir, path);
    for (char *p = whole + strlen(f->dir) + 9; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';
        assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
    }
    file = fopen(whole, "w");
    assert_non_null(file);
    (void)fclose(file);
}

static void only_payload_files_without_a_document_are_removed(void **state)
{
    static const struct {
        const char *path;
        bool stays;
    } files[] = {
        { "000/000/7.raw", true },
        { "000/000/7.idx", true },
        { "000/000/7.opened", false },
        { "000/000/8.raw", false },
        { "000/000/8.idx", true },
        { "000/000/8.opened", true },
        { "000/000/9.idx", false },
        { "000/000/9.raw", false },
        { "000/000/9.opened", false },
        { "002/345/2345678.raw", true },
        { "002/345/2345679.raw", false },
        { "000/000/2345678.raw", true },
        { "000/000/notes.txt", true },
        { "000/000/7.raw.bak", true },
        { "hello/7.opened", true },
        { "002/345/2345999.idx", false },
        { "1234/000/1234000001.opened", false },
    };
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(7, DOC_RECEIVING);

    for (size_t i = 0; i < COUNT_OF(files); i++)
        make_file(f, files[i].path);
    d.raw = (struct payload_ref) { PAYLOAD_FILE, 0, "000/000/7.raw" };
    store_put_document(b, &d);
    d.id = 2345678;
    d.raw.path = "002/345/2345678.raw";
    store_put_document(b, &d);
    d.id = 8;
    d.raw = (struct payload_ref) { PAYLOAD_ROW, 0, NULL };
    d.opened = (struct payload_ref) { PAYLOAD_FILE, 0, "000/000/8.opened" };
    store_put_document(b, &d);
    commit(f, b);
    fixture_reopen(f);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[100];

        (void)snprintf(path, sizeof(path), "payload/%s", files[i].path);
        if (file_exists(f, path) != files[i].stays)
            fail_msg("%s: got %d, want %d", path, !files[i].stays, files[i].stays);
    }
}

/* ---- kill --------------------------------------------------------------------------------- */

struct child {
    struct store *s;
    int pipe;
};

/* Says each document's id when it is committed; every third is in a file as well. */
static void *commit_and_say(void *arg)
{
    uint8_t octets[PAYLOAD_ROW_MAX + 1];
    struct child *c = arg;
    struct err err;

    for (;;) {
        int64_t id = store_next_id(c->s);
        struct store_batch *b = store_batch_new();
        struct document d = simple_document(id, DOC_RECEIVED);
        struct job j = simple_job(id, JOB_OPEN, NULL, NULL);
        struct payload_writer *w = NULL;

        fill(octets, sizeof(octets), (uint64_t)id);
        if (!payload_create(c->s, id, 'r', &w, &err) ||
            !payload_write(w, span_of(octets, id % 3 == 0 ? sizeof(octets) : 100), &err) ||
            !payload_finish(w, b, &d.raw, &err))
            _exit(1);
        store_put_document(b, &d);
        store_put_job(b, &j);
        if (!store_commit(c->s, b, &err) || write(c->pipe, &id, sizeof(id)) != sizeof(id))
            _exit(1);
        payload_writer_free(w);
        store_batch_free(b);
    }
    return NULL;
}

static void run_child(const char *dir, int out)
{
    struct store_config cfg = { "sqlite", dir };
    struct child c = { NULL, out };
    pthread_t t[3];
    struct err err;

    if (!store_open(&cfg, &c.s, &err))
        _exit(1);
    for (size_t i = 0; i < COUNT_OF(t); i++)
        pthread_create(&t[i], NULL, commit_and_say, &c);
    pthread_join(t[0], NULL);
    _exit(1);
}

static void check_payload(struct fixture *f, int64_t id)
{
    struct document d = get_document(f, id);
    struct payload_reader *r = NULL;
    uint8_t want[200], got[200];
    uint64_t size = id % 3 == 0 ? PAYLOAD_ROW_MAX + 1 : 100;
    size_t n = 0;

    assert_int_equal(d.raw.size, size);
    assert_ok(f, payload_open(f->s, id, 'r', &d.raw, &r, &f->err));
    assert_ok(f, payload_read(r, size - 100, (struct room) { got, sizeof(got) }, &n, &f->err));
    assert_int_equal(n, 100);
    fill(want, n, (uint64_t)id + size - 100);
    assert_memory_equal(got, want, n);
    payload_reader_free(r);
}

static void what_was_acknowledged_before_a_kill_is_there_afterwards(void **state)
{
    struct fixture *f = *state;
    int64_t ids[400], newest = 0;

    for (int round = 0; round < 4; round++) {
        int ends[2], status;
        size_t n = 0;
        struct job *jobs;
        size_t njobs;
        pid_t pid;

        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0)
            run_child(f->dir, ends[1]);
        close(ends[1]);
        while (n < COUNT_OF(ids) && read(ends[0], &ids[n], sizeof(ids[n])) == sizeof(ids[n]))
            if (++n == 60 + 70 * (size_t)round)
                kill(pid, SIGKILL);
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        f->s = open_at(f->dir);
        for (size_t i = 0; i < n; i++) {
            check_payload(f, ids[i]);
            newest = ids[i] > newest ? ids[i] : newest;
        }
        assert_true(store_next_id(f->s) > newest);
        assert_ok(f, store_jobs(f->s, 0, &f->a, &jobs, &njobs, &f->err));
        assert_true(njobs >= n);
        store_close(f->s);
        f->s = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_second_runtime_is_refused_with_the_pid_of_the_first),
        STORE_TEST(an_unknown_kind_of_store_is_refused),
        STORE_TEST(a_damaged_or_newer_file_is_refused),
        STORE_TEST(directory_and_files_are_for_the_owner_only),
        STORE_TEST(executions_without_end_are_marked),
        STORE_TEST(only_payload_files_without_a_document_are_removed),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_before_a_kill_is_there_afterwards,
                                        fixture_make, fixture_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
