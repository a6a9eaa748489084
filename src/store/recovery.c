/* What start-up does before anybody else uses the store. Leases need nothing: they lived in
 * the memory of the runtime that held them. */
#include "store/sqlite_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Interrupted or in pieces: it goes on. */
static bool write_pid(int fd, const char *pid, size_t n)
{
    while (ftruncate(fd, 0) != 0)
        if (errno != EINTR)
            return false;
    for (size_t at = 0; at < n;) {
        ssize_t k = pwrite(fd, pid + at, n - at, (off_t)at);

        if (k > 0)
            at += (size_t)k;
        else if (k == 0 || errno != EINTR)
            return false;
    }
    return true;
}

bool store_lock_directory(struct store *s, struct err *err)
{
    char pid[32] = "";
    int n;

    s->lock_fd = open_file_at(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "open its lock: %m");
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return FAIL(err, FAIL_LOCAL, 0, "take its lock: %m");
        if (pread(s->lock_fd, pid, sizeof(pid) - 1, 0) < 0)
            pid[0] = '\0';
        return FAIL(err, FAIL_LOCAL, 0, "another runtime holds it: process %ld",
                    strtol(pid, NULL, 10));
    }
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (!write_pid(s->lock_fd, pid, (size_t)n))
        return FAIL(err, FAIL_LOCAL, 0, "write its lock: %m");
    return true;
}

bool store_mark_cut_off(struct conn *c, struct err *err)
{
    struct call q = call_of(c, Q_CUT_OFF);

    return call_run(&q, "mark executions that were cut off", err);
}

/* ---- payload files ---------------------------------------------------------------------- */

enum {
    LEAF = 1000, /* documents a folder */
    RAW = 1,
    OPENED = 2,
    INDEX = 4,
};

/* One folder's documents: which of their payloads are files. */
static bool read_leaf(struct conn *c, int64_t first, uint8_t files[LEAF], struct err *err)
{
    struct call q = call_of(c, Q_FILES_BETWEEN);

    memset(files, 0, LEAF);
    call_int(&q, first);
    call_int(&q, first + LEAF);
    while (call_row(&q)) {
        int64_t at = col_int(&q, 0) - first;

        files[at] = (uint8_t)((col_int(&q, 1) == PAYLOAD_FILE ? RAW : 0) |
                              (col_int(&q, 2) == PAYLOAD_FILE ? OPENED : 0));
    }
    return call_end(&q, "read which payloads are files", err);
}

/* What a file is: RAW, OPENED or INDEX; 0: a name that is none of ours. */
static int role_of(const char *name, int64_t *id)
{
    char *end;

    if (!isdigit((unsigned char)name[0]))
        return 0;
    errno = 0;
    *id = strtoll(name, &end, 10);
    if (errno != 0)
        return 0;
    return strcmp(end, ".raw") == 0      ? RAW
           : strcmp(end, ".opened") == 0 ? OPENED
           : strcmp(end, ".idx") == 0    ? INDEX
                                         : 0;
}

/* An index belongs to a raw payload, which may be in the row though the index is a file. */
static bool has_raw(struct conn *c, int64_t id, bool *has, struct err *err)
{
    struct call q = call_of(c, Q_RAW_KIND);

    call_int(&q, id);
    *has = call_row(&q) && col_int(&q, 0) != PAYLOAD_NONE;
    return call_end(&q, "read whether a document has a payload", err);
}

static DIR *open_list(int at, const char *name)
{
    int fd = open_file_at(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (d == NULL && fd >= 0)
        close(fd);
    return d;
}

/* A file that cannot be removed is no reason not to start: it is tried again the next time. */
static bool sweep_leaf(struct conn *c, int at, const char *name, int64_t first, struct err *err)
{
    uint8_t files[LEAF];
    DIR *dir = open_list(at, name);
    struct dirent *e;
    int64_t id;
    bool ok;

    if (dir == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "read the payload folder '%s': %m", name);
    ok = read_leaf(c, first, files, err);
    while (ok && (e = readdir(dir)) != NULL) {
        int role = role_of(e->d_name, &id);
        bool wanted;

        if (role == 0 || id < first || id >= first + LEAF)
            continue;
        if (role == INDEX)
            ok = has_raw(c, id, &wanted, err);
        else
            wanted = (files[id - first] & role) != 0;
        if (ok && !wanted)
            (void)store_fs->unlink(dirfd(dir), e->d_name);
    }
    closedir(dir);
    return ok;
}

/* "012" is 12; -1: no number of ours. */
static int64_t folder_number(const char *name)
{
    char *end;
    long long n;

    if (!isdigit((unsigned char)name[0]))
        return -1;
    errno = 0;
    n = strtoll(name, &end, 10);
    return errno != 0 || *end != '\0' || n > INT64_MAX / (LEAF * LEAF) ? -1 : n;
}

bool store_sweep_payload(struct store *s, struct conn *c, struct err *err)
{
    DIR *tops = open_list(s->payload_fd, "."), *leaves = NULL;
    struct dirent *top, *leaf;
    bool ok = tops != NULL || FAIL(err, FAIL_LOCAL, 0, "read the payload folder: %m");

    while (ok && (top = readdir(tops)) != NULL) {
        int64_t t = folder_number(top->d_name);

        leaves = t < 0 ? NULL : open_list(dirfd(tops), top->d_name);
        if (t >= 0 && leaves == NULL && errno != ENOTDIR)
            ok = FAIL(err, FAIL_LOCAL, 0, "read the payload folder '%s': %m", top->d_name);
        while (ok && leaves != NULL && (leaf = readdir(leaves)) != NULL) {
            int64_t n = folder_number(leaf->d_name);

            if (n >= 0 && n < LEAF && leaf->d_type != DT_REG)
                ok = sweep_leaf(c, dirfd(leaves), leaf->d_name, (t * LEAF + n) * LEAF, err);
        }
        if (leaves != NULL)
            closedir(leaves);
    }
    if (tops != NULL)
        closedir(tops);
    return ok;
}
