/* Payloads: row or file, written, resumed, read, removed; and every system call failing. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct payload_writer *create(struct fixture *f, int64_t id, char role)
{
    struct payload_writer *w = NULL;

    assert_ok(f, payload_create(f->s, id, role, &w, &f->err));
    return w;
}

/* Writes n octets from place `at` of the pattern in pieces of `piece`. */
static void write_pattern(struct fixture *f, struct payload_writer *w, size_t n, size_t piece)
{
    uint8_t *p = malloc(piece);

    while (n > 0) {
        size_t now = n < piece ? n : piece;

        fill(p, now, payload_size(w));
        assert_ok(f, payload_write(w, span_of(p, now), &f->err));
        n -= now;
    }
    free(p);
}

static void finish(struct fixture *f, int64_t id, struct payload_writer *w)
{
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(id, DOC_RECEIVED);

    assert_ok(f, payload_finish(w, b, &d.raw, &f->err));
    store_put_document(b, &d);
    commit(f, b);
    payload_writer_free(w);
}

static void check_pattern(struct fixture *f, int64_t id, char role,
                          const struct payload_ref *ref, uint64_t want)
{
    struct payload_reader *r = NULL;
    uint8_t got[5000], pattern[5000];
    uint64_t at = 0;
    size_t n;

    assert_ok(f, payload_open(f->s, id, role, ref, &r, &f->err));
    for (;;) {
        assert_ok(f, payload_read(r, at, (struct room) { got, sizeof(got) }, &n, &f->err));
        if (n == 0)
            break;
        fill(pattern, n, at);
        assert_memory_equal(got, pattern, n);
        at += n;
    }
    assert_int_equal(at, want);
    if (ref->kind == PAYLOAD_ROW) {
        assert_int_equal(payload_fd(r), -1);
        assert_int_equal(payload_row(r).n, want);
    } else {
        assert_true(payload_fd(r) >= 0);
    }
    payload_reader_free(r);
}

static void sizes_up_to_the_limit_are_rows_and_all_come_back(void **state)
{
    static const size_t sizes[] = { 0,     1,     32767, 32768,  32769,  65535,
                                    65536, 65537, 98304, 131072, 1000003 };
    static const size_t pieces[] = { 1 << 20, 65536, 4093, 100000 };
    struct fixture *f = *state;
    int64_t id = 0;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            struct payload_writer *w = create(f, ++id, 'r');
            struct document d;

            write_pattern(f, w, sizes[i], pieces[k]);
            assert_int_equal(payload_size(w), sizes[i]);
            finish(f, id, w);
            d = get_document(f, id);
            assert_int_equal(d.raw.kind,
                             sizes[i] <= PAYLOAD_ROW_MAX ? PAYLOAD_ROW : PAYLOAD_FILE);
            assert_int_equal(d.raw.size, sizes[i]);
            check_pattern(f, id, 'r', &d.raw, sizes[i]);
        }
    }
}

static void files_are_sharded_by_id(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 12345, 'r');

    write_pattern(f, w, 40000, 40000);
    finish(f, 12345, w);
    assert_text(get_document(f, 12345).raw.path, "000/012/12345.raw");
    assert_true(file_exists(f, "payload/000/012/12345.raw"));
}

static void an_unfinished_payload_leaves_no_file(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'o');

    write_pattern(f, w, 100000, 1000);
    assert_true(file_exists(f, "payload/000/000/5.opened"));
    payload_writer_free(w);
    assert_false(file_exists(f, "payload/000/000/5.opened"));
    payload_writer_free(NULL);
}

static void a_checkpoint_is_where_one_may_go_on(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'r');
    struct payload_ref ref, again;
    struct document d = simple_document(5, DOC_RECEIVING);
    struct store_batch *b = store_batch_new();

    write_pattern(f, w, 1000, 100);
    assert_ok(f, payload_checkpoint(w, &ref, &f->err));
    assert_int_equal(ref.kind, PAYLOAD_FILE);
    assert_int_equal(ref.size, 1000);
    d.raw = ref;
    store_put_document(b, &d);
    store_set_progress(b, 5, 1000, 0);
    commit(f, b);
    write_pattern(f, w, 100000, 100); /* lost with the session */
    payload_writer_free(w);
    fixture_reopen(f);

    ref = get_document(f, 5).raw;
    assert_ok(f, payload_resume(f->s, 5, 'r', &ref, 900, &w, &f->err));
    assert_int_equal(payload_size(w), 900);
    write_pattern(f, w, 70000, 333);
    assert_ok(f, payload_checkpoint(w, &again, &f->err));
    write_pattern(f, w, 100, 3);
    finish(f, 5, w);
    ref = get_document(f, 5).raw;
    check_pattern(f, 5, 'r', &ref, 71000);
    assert_false(payload_resume(f->s, 5, 'r', &ref, 71001, &w, &f->err));
    assert_int_equal(f->err.kind, FAIL_LOCAL);
    assert_true(file_exists(f, "payload/000/000/5.raw"));
}

static void a_row_payload_goes_on_in_a_file(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'r');
    struct payload_ref ref;
    struct span octets;

    write_pattern(f, w, 500, 100);
    finish(f, 5, w);
    ref = get_document(f, 5).raw;
    assert_int_equal(ref.kind, PAYLOAD_ROW);
    assert_ok(f, payload_resume(f->s, 5, 'r', &ref, 400, &w, &f->err));
    write_pattern(f, w, 600, 100);
    finish(f, 5, w);
    ref = get_document(f, 5).raw;
    assert_int_equal(ref.kind, PAYLOAD_FILE);
    check_pattern(f, 5, 'r', &ref, 1000);
    assert_false(store_get_octets(f->s, 5, 'r', &f->a, &octets, &f->err));
    ref = (struct payload_ref) { 0 };
    assert_ok(f, payload_resume(f->s, 6, 'r', &ref, 0, &w, &f->err));
    payload_writer_free(w);
    assert_false(payload_resume(f->s, 6, 'r', &ref, 1, &w, &f->err));
}

/* The commit failed with FAIL_AGAIN: the same writer serves the next batch. */
static void a_payload_may_be_finished_again_for_another_batch(void **state)
{
    static const size_t sizes[] = { 40, 100000 };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct payload_writer *w = create(f, 8 + (int64_t)i, 'r');
        struct store_batch *lost = store_batch_new();
        struct payload_ref ref = { 0 }, again = { 0 };

        write_pattern(f, w, sizes[i], 1000);
        assert_ok(f, payload_finish(w, lost, &ref, &f->err));
        store_batch_free(lost);
        if (ref.kind == PAYLOAD_FILE) {
            assert_ok(f, payload_checkpoint(w, &again, &f->err));
            assert_int_equal(again.size, sizes[i]);
        }
        finish(f, 8 + (int64_t)i, w);
        ref = get_document(f, 8 + (int64_t)i).raw;
        check_pattern(f, 8 + (int64_t)i, 'r', &ref, sizes[i]);
    }
}

static void a_record_index_is_found_by_the_documents_id(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(5, DOC_RECEIVED);
    struct payload_writer *w = create(f, 5, 'x');
    struct payload_ref ref;
    bool found = true;

    assert_ok(f, payload_index_ref(f->s, 5, &ref, &found, &f->err));
    assert_false(found);
    write_pattern(f, w, 40, 4);
    assert_ok(f, payload_finish(w, b, &ref, &f->err));
    payload_writer_free(w);
    store_put_document(b, &d);
    commit(f, b);
    assert_ok(f, payload_index_ref(f->s, 5, &ref, &found, &f->err));
    assert_true(found);
    check_pattern(f, 5, 'x', &ref, 40);

    /* A larger one takes its place. */
    b = store_batch_new();
    w = create(f, 5, 'x');
    write_pattern(f, w, 40000, 4);
    assert_ok(f, payload_finish(w, b, &ref, &f->err));
    payload_writer_free(w);
    commit(f, b);
    assert_ok(f, payload_index_ref(f->s, 5, &ref, &found, &f->err));
    assert_true(found);
    assert_int_equal(ref.kind, PAYLOAD_FILE);
    check_pattern(f, 5, 'x', &ref, 40000);
}

static void removing_takes_the_index_along_and_readers_finish(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'x'), *raw = create(f, 5, 'r');
    struct payload_reader *r = NULL;
    struct payload_ref ref;
    uint8_t got[10];
    size_t n = 0;

    write_pattern(f, w, 4, 4);
    assert_ok(f, payload_checkpoint(w, &ref, &f->err));
    payload_writer_free(w);
    write_pattern(f, raw, 40000, 40000);
    finish(f, 5, raw);
    ref = get_document(f, 5).raw;
    assert_ok(f, payload_open(f->s, 5, 'r', &ref, &r, &f->err));
    payload_remove(f->s, &ref);
    payload_remove(f->s, NULL);
    assert_false(file_exists(f, "payload/000/000/5.raw"));
    assert_false(file_exists(f, "payload/000/000/5.idx"));
    assert_ok(f, payload_read(r, 39995, (struct room) { got, sizeof(got) }, &n, &f->err));
    assert_int_equal(n, 5);
    payload_reader_free(r);
    assert_false(payload_open(f->s, 5, 'r', &ref, &r, &f->err));
    ref.kind = PAYLOAD_NONE;
    assert_false(payload_open(f->s, 5, 'r', &ref, &r, &f->err));
    assert_true(payload_space(f->s) > 0);
}

static void a_file_cut_short_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'r');
    struct payload_reader *r = NULL;
    struct payload_ref ref;
    uint8_t got[10];
    size_t n = 0;

    write_pattern(f, w, 40000, 40000);
    finish(f, 5, w);
    ref = get_document(f, 5).raw;
    assert_int_equal(truncate(arena_printf(&f->a, "%s/payload/%s", f->dir, ref.path), 39990),
                     0);
    assert_ok(f, payload_open(f->s, 5, 'r', &ref, &r, &f->err));
    assert_false(payload_read(r, 39995, (struct room) { got, sizeof(got) }, &n, &f->err));
    assert_non_null(strstr(f->err.text, "ends at 39995 of 40000"));
    payload_reader_free(r);
}

/* What is removed while a backup is made goes at its end, but not what has come in its place. */
static void a_file_made_anew_during_a_backup_outlives_it(void **state)
{
    struct fixture *f = *state;
    const struct payload_ref old = { PAYLOAD_FILE, 1, "000/000/7.raw" };
    struct payload_writer *w;
    struct payload_ref ref;
    uint8_t octets[2 * PAYLOAD_ROW_MAX];

    fill(octets, sizeof(octets), 0);
    assert_true(files_hold(f->s));
    payload_remove(f->s, &old); /* with an index that it did not have */
    assert_ok(f, payload_create(f->s, 7, 'x', &w, &f->err));
    assert_ok(f, payload_write(w, span_of(octets, sizeof(octets)), &f->err));
    assert_ok(f, payload_checkpoint(w, &ref, &f->err));
    payload_writer_free(w);
    files_release(f->s);
    assert_true(file_exists(f, "payload/000/000/7.idx"));
}

/* ---- failing calls ------------------------------------------------------------------------ */

static const struct fs_ops *real_fs;
static struct {
    int left;   /* calls until the one that goes wrong */
    int error;  /* its errno; 0: it writes or reads half */
    bool fired; /* it has gone wrong */
    bool sync_failed;
    int calls;
} plan;

static bool goes_wrong(void)
{
    plan.calls++;
    if (--plan.left != 0)
        return false;
    plan.fired = true;
    errno = plan.error;
    return plan.error != 0;
}

static int bad_open(int dirfd, const char *path, int flags, mode_t mode)
{
    return goes_wrong() ? -1 : real_fs->open(dirfd, path, flags, mode);
}

static ssize_t bad_pwrite(int fd, const void *p, size_t n, off_t at)
{
    bool half = plan.left == 1 && plan.error == 0 && n > 1;

    if (goes_wrong()) {
        /* What a disk does when it fills: some octets may be there. */
        (void)!real_fs->pwrite(fd, p, n / 2, at);
        errno = plan.error;
        return -1;
    }
    return real_fs->pwrite(fd, p, half ? n / 2 : n, at);
}

static ssize_t bad_pread(int fd, void *p, size_t n, off_t at)
{
    bool half = plan.left == 1 && plan.error == 0 && n > 1;

    return goes_wrong() ? -1 : real_fs->pread(fd, p, half ? n / 2 : n, at);
}

static int bad_fdatasync(int fd)
{
    if (!goes_wrong())
        return real_fs->fdatasync(fd);
    plan.sync_failed = true;
    return -1;
}

static int bad_fsync(int fd)
{
    if (!goes_wrong())
        return real_fs->fsync(fd);
    plan.sync_failed = true;
    return -1;
}

/* Only the calls that wait, and so report what went wrong with the octets. */
static int bad_sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
    if ((flags & SYNC_FILE_RANGE_WAIT_AFTER) != 0 && goes_wrong()) {
        plan.sync_failed = true;
        return -1;
    }
    return real_fs->sync_file_range(fd, from, n, flags);
}

static int bad_ftruncate(int fd, off_t size)
{
    return goes_wrong() ? -1 : real_fs->ftruncate(fd, size);
}

static int bad_mkdir(int dirfd, const char *path, mode_t mode)
{
    return goes_wrong() ? -1 : real_fs->mkdir(dirfd, path, mode);
}

static int bad_rename(int olddir, const char *old, int newdir, const char *name)
{
    return goes_wrong() ? -1 : real_fs->rename(olddir, old, newdir, name);
}

static int bad_unlink(int dirfd, const char *path)
{
    return goes_wrong() ? -1 : real_fs->unlink(dirfd, path);
}

static int bad_close(int fd)
{
    bool wrong = goes_wrong();
    int error = errno;

    (void)real_fs->close(fd); /* Linux closes it whatever it says */
    errno = error;
    return wrong ? -1 : 0;
}

static const struct fs_ops bad_fs = {
    .open = bad_open,
    .pwrite = bad_pwrite,
    .pread = bad_pread,
    .fdatasync = bad_fdatasync,
    .fsync = bad_fsync,
    .sync_file_range = bad_sync_file_range,
    .ftruncate = bad_ftruncate,
    .mkdir = bad_mkdir,
    .rename = bad_rename,
    .unlink = bad_unlink,
    .close = bad_close,
};

/* Writes on from the writer's size to `to`; false when it fails. */
static bool write_to(struct payload_writer *w, uint64_t to, struct err *err)
{
    uint8_t p[30000];

    while (payload_size(w) < to) {
        uint64_t left = to - payload_size(w);
        size_t n = left < sizeof(p) ? (size_t)left : sizeof(p);

        fill(p, n, payload_size(w));
        if (!payload_write(w, span_of(p, n), err))
            return false;
    }
    return true;
}

/* OFTP2-C134: places beyond 2^32, in a file that is mostly a hole. */
static void a_payload_goes_on_beyond_4_gib(void **state)
{
    const uint64_t border = (UINT64_C(1) << 32) - 3;
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'r');
    struct document d = simple_document(5, DOC_RECEIVING);
    struct store_batch *b = store_batch_new();
    struct payload_reader *r = NULL;
    struct payload_ref ref;
    char path[600];
    uint8_t got[64];
    size_t n;

    write_pattern(f, w, 50000, 5000);
    assert_ok(f, payload_checkpoint(w, &d.raw, &f->err));
    store_put_document(b, &d);
    commit(f, b);
    (void)snprintf(path, sizeof(path), "%s/payload/000/000/5.raw", f->dir);
    assert_int_equal(truncate(path, (off_t)border), 0);
    payload_writer_free(w);
    ref = get_document(f, 5).raw;
    assert_ok(f, payload_resume(f->s, 5, 'r', &ref, border, &w, &f->err));
    assert_true(payload_size(w) == border);
    assert_ok(f, payload_write(w, span_text("across the border"), &f->err));
    finish(f, 5, w);
    ref = get_document(f, 5).raw;
    assert_true(ref.size == border + 17);
    assert_ok(f, payload_open(f->s, 5, 'r', &ref, &r, &f->err));
    assert_ok(f, payload_read(r, border - 1, (struct room) { got, sizeof(got) }, &n, &f->err));
    assert_int_equal(n, 18);
    assert_memory_equal(got, "\0across the border", 18);
    assert_ok(f, payload_read(r, border + 14, (struct room) { got, 10 }, &n, &f->err));
    assert_int_equal(n, 3);
    assert_memory_equal(got, "der", 3);
    payload_reader_free(r);
}

enum { SCRIPT_SIZE = 300000, SCRIPT_CUT = 90000 };

/* A transfer with a restart point, a break, a restart and an end. False: a call failed, *err
 * says so. The document refers to what was said to be durable, as the gateway does it. */
static bool script(struct fixture *f, int64_t id, struct err *err)
{
    struct document d = simple_document(id, DOC_RECEIVING);
    struct payload_writer *w = NULL;
    struct payload_ref ref = { 0 };
    struct store_batch *b = store_batch_new();
    bool ok = payload_create(f->s, id, 'r', &w, err) && write_to(w, SCRIPT_CUT, err) &&
              payload_checkpoint(w, &ref, err);

    if (ok) {
        d.raw = ref;
        store_put_document(b, &d);
        ok = store_commit(f->s, b, err) && write_to(w, SCRIPT_CUT + 70000, err);
    }
    payload_writer_free(w);
    w = NULL;
    store_batch_free(b);
    b = store_batch_new();
    if (ok && (ref = get_document(f, id).raw).kind == PAYLOAD_FILE)
        ok = payload_resume(f->s, id, 'r', &ref, SCRIPT_CUT, &w, err) &&
             write_to(w, SCRIPT_SIZE, err) && payload_finish(w, b, &ref, err);
    if (ok) {
        store_set_raw(b, id, &ref);
        store_set_state(b, id, DOC_ANY, DOC_RECEIVED, 1, "received", NULL, NULL);
        ok = store_commit(f->s, b, err);
    }
    payload_writer_free(w);
    store_batch_free(b);
    return ok;
}

/* Either nothing, or the whole up to the restart point, or the whole is referred to. */
static void check_script(struct fixture *f, int64_t id, bool ok)
{
    struct document d = { 0 };
    bool found = false;

    assert_ok(f, store_get_document(f->s, id, &f->a, &d, &found, &f->err));
    if (ok)
        assert_int_equal(d.state, DOC_RECEIVED);
    if (!found)
        return;
    assert_int_equal(d.raw.size, d.state == DOC_RECEIVED ? SCRIPT_SIZE : SCRIPT_CUT);
    check_pattern(f, id, 'r', &d.raw, d.raw.size);
}

static void whichever_call_fails_all_or_nothing_is_referred_to(void **state)
{
    static const int errors[] = { ENOSPC, EIO, EINTR, 0 };
    struct fixture *f = *state;
    int64_t id = 0;

    real_fs = store_fs;
    for (size_t e = 0; e < COUNT_OF(errors); e++) {
        plan.fired = true;
        for (int n = 1; plan.fired; n++) {
            bool ok;

            id += 1000; /* a new folder each time, so that making it can fail */
            memset(&plan, 0, sizeof(plan));
            plan.left = n;
            plan.error = errors[e];
            store_fs = &bad_fs;
            ok = script(f, id, &f->err);
            store_fs = real_fs;
            if (!ok)
                assert_int_equal(f->err.kind, FAIL_LOCAL);
            if (errors[e] == 0 || !plan.fired)
                assert_true(ok); /* a short write is continued */
            if (errors[e] == EINTR && !plan.sync_failed)
                assert_true(ok); /* a call that was interrupted is made again */
            if (plan.sync_failed)
                assert_false(ok); /* but a sync never is */
            if (errors[e] == ENOSPC && !ok)
                assert_true(strncmp(f->err.text, "disk full", 9) == 0);
            check_script(f, id, ok);
        }
        assert_true(plan.calls > 20);
    }
    fixture_reopen(f);
    for (; id > 0; id -= 1000)
        check_script(f, id, false);
}

static void a_failed_writer_stays_failed(void **state)
{
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 5, 'r');
    struct store_batch *b = store_batch_new();
    struct payload_ref ref = { PAYLOAD_NONE, 77, NULL };

    write_pattern(f, w, 100000, 1000);
    real_fs = store_fs;
    memset(&plan, 0, sizeof(plan));
    plan.left = 2; /* the last octets are written, then synced */
    plan.error = EIO;
    store_fs = &bad_fs;
    assert_false(payload_finish(w, b, &ref, &f->err));
    store_fs = real_fs;
    assert_true(plan.sync_failed);
    assert_int_equal(ref.size, 77);
    assert_false(payload_finish(w, b, &ref, &f->err));
    assert_false(payload_checkpoint(w, &ref, &f->err));
    assert_false(payload_write(w, span_text("x"), &f->err));
    assert_non_null(strstr(f->err.text, "sync '000/000/5.raw'"));
    assert_int_equal(ref.size, 77);
    payload_writer_free(w);
    store_batch_free(b);
    assert_false(file_exists(f, "payload/000/000/5.raw"));
}

/* Pages of a long file are let go of behind the writer: what the disk says of them then is said once,
 * so it counts as the sync it is. */
static void a_long_payload_fails_with_the_octets_behind(void **state)
{
    static const struct {
        int error;
        bool fatal;
    } cases[] = { { EIO, true }, { ENOSPC, true }, { ENOSYS, false }, { EINVAL, false } };
    static uint8_t piece[1 << 20];
    struct fixture *f = *state;
    struct fs_ops ops = *store_fs;

    real_fs = store_fs;
    ops.sync_file_range = bad_sync_file_range;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct payload_writer *w = create(f, 10 + (int64_t)c, 'r');
        struct payload_ref ref;
        bool ok = true;

        memset(&plan, 0, sizeof(plan));
        plan.left = 1;
        plan.error = cases[c].error;
        store_fs = &ops;
        for (int n = 0; n < 130 && ok; n++)
            ok = payload_write(w, span_of(piece, sizeof(piece)), &f->err);
        assert_true(plan.fired);
        assert_int_equal(ok, !cases[c].fatal);
        assert_int_equal(payload_checkpoint(w, &ref, &f->err), !cases[c].fatal);
        store_fs = real_fs;
        payload_writer_free(w);
    }
}

static void a_long_payload_comes_back(void **state)
{
    enum { PIECE = 999983, SIZE = 100 * PIECE };
    static uint8_t piece[PIECE], got[PIECE];
    struct fixture *f = *state;
    struct payload_writer *w = create(f, 7, 'r');
    struct payload_reader *r;
    struct payload_ref ref;
    size_t n;

    for (uint64_t at = 0; at < SIZE; at += PIECE) {
        fill(piece, PIECE, at);
        assert_ok(f, payload_write(w, span_of(piece, PIECE), &f->err));
    }
    assert_ok(f, payload_checkpoint(w, &ref, &f->err));
    assert_int_equal(ref.size, SIZE);
    assert_ok(f, payload_open(f->s, 7, 'r', &ref, &r, &f->err));
    for (int turn = 0; turn < 2; turn++)
        for (uint64_t at = 0; at < SIZE; at += n) {
            assert_ok(f, payload_read(r, at, (struct room) { got, sizeof(got) }, &n, &f->err));
            assert_true(n > 0);
            fill(piece, n, at);
            assert_memory_equal(piece, got, n);
        }
    payload_reader_free(r);
    payload_writer_free(w);
}

static struct {
    size_t across;      /* writes that touch two blocks */
    uint64_t end;       /* octets in the file           */
    uint64_t least_lag; /* between that and what was waited for */
    int waits;
} seen;

static ssize_t seen_pwrite(int fd, const void *p, size_t n, off_t at)
{
    const off_t block = 64 * 1024;

    seen.across += at / block != (at + (off_t)n - 1) / block;
    seen.end = (uint64_t)at + n;
    return real_fs->pwrite(fd, p, n, at);
}

static int seen_sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
    uint64_t lag = seen.end - (uint64_t)(from + n);

    if ((flags & SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
        seen.waits++;
        seen.least_lag = lag < seen.least_lag ? lag : seen.least_lag;
    }
    return real_fs->sync_file_range(fd, from, n, flags);
}

/* However the octets come, also after a restart at any octet; and the disk has always something to do. */
static void a_long_payload_is_written_in_whole_blocks_and_waits_for_old_ones(void **state)
{
    struct fixture *f = *state;
    struct fs_ops ops = *store_fs;
    struct payload_writer *w = create(f, 5, 'r');
    struct payload_ref ref;

    real_fs = store_fs;
    memset(&seen, 0, sizeof(seen));
    seen.least_lag = UINT64_MAX;
    ops.pwrite = seen_pwrite;
    ops.sync_file_range = seen_sync_file_range;
    store_fs = &ops;
    write_pattern(f, w, 300000, 98405);
    assert_ok(f, payload_checkpoint(w, &ref, &f->err));
    ref.path = arena_text(&f->a, ref.path);
    payload_writer_free(w);
    assert_ok(f, payload_resume(f->s, 5, 'r', &ref, 150001, &w, &f->err));
    write_pattern(f, w, 2000003, 98405);
    write_pattern(f, w, 300000, 777);
    write_pattern(f, w, 120u << 20, 1 << 20);
    finish(f, 5, w);
    store_fs = real_fs;
    assert_int_equal(seen.across, 0);
    assert_true(seen.waits > 0);
    assert_true(seen.least_lag >= PAYLOAD_UNDER_WAY);
    ref = get_document(f, 5).raw;
    check_pattern(f, 5, 'r', &ref, 150001 + 2000003 + 300000 + (120u << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_long_payload_fails_with_the_octets_behind),
        STORE_TEST(a_long_payload_is_written_in_whole_blocks_and_waits_for_old_ones),
        STORE_TEST(a_long_payload_comes_back),
        STORE_TEST(a_payload_goes_on_beyond_4_gib),
        STORE_TEST(sizes_up_to_the_limit_are_rows_and_all_come_back),
        STORE_TEST(files_are_sharded_by_id),
        STORE_TEST(an_unfinished_payload_leaves_no_file),
        STORE_TEST(a_checkpoint_is_where_one_may_go_on),
        STORE_TEST(a_row_payload_goes_on_in_a_file),
        STORE_TEST(a_payload_may_be_finished_again_for_another_batch),
        STORE_TEST(a_record_index_is_found_by_the_documents_id),
        STORE_TEST(removing_takes_the_index_along_and_readers_finish),
        STORE_TEST(a_file_cut_short_is_noticed),
        STORE_TEST(whichever_call_fails_all_or_nothing_is_referred_to),
        STORE_TEST(a_file_made_anew_during_a_backup_outlives_it),
        STORE_TEST(a_failed_writer_stays_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
