/* Writing payloads. Octets gather in the writer; the file is made when they are more than fit
 * in the row. What holds:
 *   1. A reference to a file is returned only after its octets (fdatasync) and its name (fsync
 *      of the folder, and of the folders above when they are new) are on disk.
 *   2. A failed sync is final. The kernel may have dropped the pages already, so a second try
 *      would succeed and lie.
 *   3. A writer that failed stays failed. Its file is removed, or cut to what is referred to: a
 *      transfer that filled the disk must not keep it full.
 *   4. After a sync of the store's own file that failed nobody knows what it refers to until it is
 *      opened anew: no file is begun, cut or removed any more. */
#include "store/store_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
    /* Files are written in blocks of this size, each at a multiple of it: the kernel keeps such a one
     * as one piece. Pieces across the borders cost a third more CPU time, larger ones are not cheaper. */
    BUFFER = 64 * 1024,
    LEAF = 1000, /* documents a folder */
};
_Static_assert((int)BUFFER >= (int)PAYLOAD_ROW_MAX, "a row payload gathers in the buffer");

struct payload_writer {
    struct store *s;
    int64_t id;
    char role;
    char path[PAYLOAD_PATH];
    int fd;           /* -1: no file yet */
    bool kept;        /* the file is referred to, or may be: not ours to remove */
    bool name_synced; /* the folder knows it, durably */
    bool finished, failed;
    struct err err;           /* why it failed */
    uint64_t written, hinted; /* octets in the file; those the disk was set to work on */
    uint64_t dropped;         /* those before are not to stay in the page cache, or do */
    uint64_t held;            /* octets that were referred to, when kept */
    size_t have;              /* octets gathered */
    uint8_t buffer[BUFFER];
};

static bool fail(struct payload_writer *w, const char *what, struct err *err)
{
    int error = errno;

    w->failed = true;
    if (error == ENOSPC || error == EDQUOT)
        FAIL(&w->err, FAIL_LOCAL, 0, "disk full: could not %s '%s'", what, w->path);
    else
        FAIL(&w->err, FAIL_LOCAL, 0, "%s '%s': %s", what, w->path, strerror(error));
    *err = w->err;
    return false;
}

/* ---- files and folders ------------------------------------------------------------------ */

static int open_again(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    do {
        fd = store_fs->open(dir, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static bool sync_folder(struct store *s, const char *path)
{
    int fd = open_again(s->payload_fd, path, O_RDONLY | O_DIRECTORY, 0);
    bool ok;
    int error;

    if (fd < 0)
        return false;
    ok = store_fs->fsync(fd) == 0;
    error = errno;
    (void)store_fs->close(fd);
    errno = error;
    return ok;
}

static bool make_folder(struct store *s, const char *path)
{
    int rc;

    do {
        rc = store_fs->mkdir(s->payload_fd, path, 0700);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 || errno == EEXIST;
}

/* Another thread may have made the folder and not have synced it yet, so both happen under a
 * lock. Ids ascend: nearly always the folder is the one known from before. */
static bool know_folder(struct store *s, int64_t id, const char *path)
{
    char top[PAYLOAD_PATH], leaf[PAYLOAD_PATH];
    bool ok;

    (void)text_copy(top, sizeof(top), path);
    *strchr(top, '/') = '\0';
    (void)text_copy(leaf, sizeof(leaf), path);
    *strrchr(leaf, '/') = '\0';
    pthread_mutex_lock(&s->folder_lock);
    ok = s->folder_known == id / LEAF || (make_folder(s, top) && make_folder(s, leaf) &&
                                          sync_folder(s, top) && sync_folder(s, "."));
    if (ok)
        s->folder_known = id / LEAF;
    pthread_mutex_unlock(&s->folder_lock);
    return ok;
}

static bool open_file(struct payload_writer *w, struct err *err)
{
    if (!know_folder(w->s, w->id, w->path))
        return fail(w, "make the folder of", err);
    files_keep(w->s, w->path);
    w->fd = open_again(w->s->payload_fd, w->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    /* A new file, never the old one cut: a backup may hold a link to that. */
    if (w->fd < 0 && errno == EEXIST) {
        files_make_way(w->s, w->path);
        w->fd = open_again(w->s->payload_fd, w->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    }
    if (w->fd < 0)
        return fail(w, "make", err);
    return true;
}

/* Lets go of what is on disk, or nearly so. To wait for it reports its errors once and for all, so such
 * an error is that of a sync; that a file system cannot do it at all is none. */
static bool let_go(struct payload_writer *w, uint64_t to, struct err *err)
{
    const unsigned all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    off_t from = (off_t)w->dropped, n = (off_t)(to - w->dropped);

    w->dropped = to;
    if (store_fs->sync_file_range(w->fd, from, n, all) == 0)
        (void)posix_fadvise(w->fd, from, n, POSIX_FADV_DONTNEED);
    else if (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == ENOMEM)
        return fail(w, "sync", err);
    return true;
}

/* Sets the disk to work on what has come since the last time, lest the sync at the end wait for the
 * whole file. The disk always has several such pieces to do: to wait for each as soon as the next one is
 * there halves what it takes. */
static bool set_to_work(struct payload_writer *w, struct err *err)
{
    uint64_t to;

    (void)store_fs->sync_file_range(w->fd, (off_t)w->hinted, (off_t)(w->written - w->hinted),
                                    SYNC_FILE_RANGE_WRITE);
    w->hinted = w->written;
    if (w->dropped < PAYLOAD_CACHED)
        w->dropped = w->written < PAYLOAD_CACHED ? w->written : PAYLOAD_CACHED;
    to = w->written > PAYLOAD_UNDER_WAY ? w->written - PAYLOAD_UNDER_WAY : 0;
    return to <= w->dropped || let_go(w, to, err);
}

static bool write_all(struct payload_writer *w, struct span s, struct err *err)
{
    while (s.n > 0) {
        ssize_t n = store_fs->pwrite(w->fd, s.p, s.n, (off_t)w->written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return fail(w, "write", err);
        }
        span_skip(&s, (size_t)n);
        w->written += (uint64_t)n;
    }
    return w->written - w->hinted < PAYLOAD_STRIDE || set_to_work(w, err);
}

static bool flush(struct payload_writer *w, struct err *err)
{
    if (w->fd < 0 && !open_file(w, err))
        return false;
    if (!write_all(w, span_of(w->buffer, w->have), err))
        return false;
    w->have = 0;
    return true;
}

/* ---- the writer ------------------------------------------------------------------------- */

static struct payload_writer *writer_new(struct store *s, int64_t document_id, char role,
                                         struct err *err)
{
    struct payload_writer *w;

    if (store_failed(s)) {
        FAIL(err, FAIL_LOCAL, 0,
             "the disk failed to sync: nothing more is stored until Waybill is restarted");
        return NULL;
    }
    w = malloc(sizeof(*w));
    if (w == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "memory is out");
        return NULL;
    }
    memset(w, 0, offsetof(struct payload_writer, buffer));
    w->s = s;
    w->id = document_id;
    w->role = role;
    w->fd = -1;
    payload_path(document_id, role, w->path);
    return w;
}

bool payload_create(struct store *s, int64_t document_id, char role,
                    struct payload_writer **out, struct err *err)
{
    struct payload_writer *w = writer_new(s, document_id, role, err);

    if (w == NULL)
        return false;
    *out = w;
    return true;
}

/* A payload that was in the row until now goes on in a file. */
static bool resume_row(struct payload_writer *w, uint64_t size, struct err *err)
{
    struct arena a = { 0 };
    struct span octets;
    bool ok = store_get_octets(w->s, w->id, w->role, &a, &octets, err);

    if (ok && octets.n < size)
        ok = FAIL(err, FAIL_LOCAL, 0, "the payload of document %lld is shorter than %llu",
                  (long long)w->id, (unsigned long long)size);
    if (ok) {
        octets.n = (size_t)size;
        ok = open_file(w, err) && write_all(w, octets, err);
    }
    arena_free(&a);
    return ok;
}

static bool resume_file(struct payload_writer *w, const struct payload_ref *ref, uint64_t size,
                        struct err *err)
{
    struct stat st;
    int rc;

    if (ref->path == NULL || !text_copy(w->path, sizeof(w->path), ref->path))
        return FAIL(err, FAIL_LOCAL, 0, "document %lld has no payload to go on with",
                    (long long)w->id);
    w->kept = true;
    w->name_synced = true;
    w->fd = open_again(w->s->payload_fd, w->path, O_RDWR, 0);
    if (w->fd < 0 || fstat(w->fd, &st) != 0)
        return fail(w, "open", err);
    if ((uint64_t)st.st_size < size)
        return FAIL(err, FAIL_LOCAL, 0, "payload '%s' has %lld octets, expected %llu or more",
                    w->path, (long long)st.st_size, (unsigned long long)size);
    do {
        rc = store_fs->ftruncate(w->fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return fail(w, "cut", err);
    w->written = w->hinted = w->dropped = w->held = size;
    return true;
}

bool payload_resume(struct store *s, int64_t document_id, char role,
                    const struct payload_ref *ref, uint64_t size, struct payload_writer **out,
                    struct err *err)
{
    struct payload_writer *w = writer_new(s, document_id, role, err);
    bool ok;

    if (w == NULL)
        return false;
    if (ref->kind == PAYLOAD_FILE)
        ok = resume_file(w, ref, size, err);
    else if (ref->kind == PAYLOAD_ROW)
        ok = resume_row(w, size, err);
    else if (size == 0)
        ok = open_file(w, err);
    else
        ok = FAIL(err, FAIL_LOCAL, 0, "document %lld has no payload to go on with",
                  (long long)document_id);
    if (!ok) {
        payload_writer_free(w);
        return false;
    }
    *out = w;
    return true;
}

bool payload_write(struct payload_writer *w, struct span octets, struct err *err)
{
    assert(!w->finished);
    if (w->failed) {
        *err = w->err;
        return false;
    }
    if (w->fd < 0 && w->have + octets.n <= PAYLOAD_ROW_MAX) {
        if (octets.n > 0)
            memcpy(w->buffer + w->have, octets.p, octets.n);
        w->have += octets.n;
        return true;
    }
    if (w->fd < 0 && !open_file(w, err))
        return false;
    while (octets.n > 0) {
        size_t room = BUFFER - (size_t)((w->written + w->have) % BUFFER);
        size_t n = octets.n < room ? octets.n : room;

        if (w->have == 0 && n == room) { /* what fills a block by itself need not be gathered */
            if (!write_all(w, span_of(octets.p, n), err))
                return false;
        } else {
            memcpy(w->buffer + w->have, octets.p, n);
            w->have += n;
            if (n == room && !flush(w, err))
                return false;
        }
        span_skip(&octets, n);
    }
    return true;
}

uint64_t payload_size(const struct payload_writer *w)
{
    return w->written + w->have;
}

bool payload_here(const struct payload_writer *w, struct payload_ref *ref)
{
    if (w->fd >= 0 || w->failed)
        return false;
    *ref = (struct payload_ref) { PAYLOAD_HERE, w->have, (const char *)w->buffer };
    return true;
}

bool payload_checkpoint(struct payload_writer *w, struct payload_ref *ref, struct err *err)
{
    char folder[PAYLOAD_PATH];

    if (w->failed) {
        *err = w->err;
        return false;
    }
    if (w->finished && w->fd >= 0) { /* nothing has come since */
        *ref = (struct payload_ref) { PAYLOAD_FILE, w->written, w->path };
        return true;
    }
    if (!flush(w, err))
        return false;
    if (store_fs->fdatasync(w->fd) != 0)
        return fail(w, "sync", err);
    if (!w->name_synced) {
        (void)text_copy(folder, sizeof(folder), w->path);
        *strrchr(folder, '/') = '\0';
        if (!sync_folder(w->s, folder))
            return fail(w, "sync the folder of", err);
        w->name_synced = true;
    }
    w->kept = true;
    w->held = w->written;
    *ref = (struct payload_ref) { PAYLOAD_FILE, w->written, w->path };
    return true;
}

bool payload_finish(struct payload_writer *w, struct store_batch *b, struct payload_ref *ref,
                    struct err *err)
{
    if (w->failed) {
        *err = w->err;
        return false;
    }
    if (w->fd < 0) {
        store_put_octets(b, w->id, w->role, span_of(w->buffer, w->have));
        *ref = (struct payload_ref) { PAYLOAD_ROW, w->have, NULL };
    } else {
        if (!payload_checkpoint(w, ref, err))
            return false;
        /* An older, smaller one may still be in the row; the index is found there first. */
        batch_drop_octets(b, w->id, w->role);
    }
    w->finished = true;
    return true;
}

void payload_cool(const struct payload_writer *w)
{
    if (w->fd >= 0 && w->finished)
        (void)posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void payload_writer_free(struct payload_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0) {
        if (w->failed && w->kept && w->written > w->held)
            (void)store_fs->ftruncate(w->fd, (off_t)w->held);
        (void)store_fs->close(w->fd);
        if (!w->kept)
            (void)store_fs->unlink(w->s->payload_fd, w->path);
    }
    free(w);
}
