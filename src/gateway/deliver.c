/* Files for others, whole or not at all: written under a hidden name, synced, then named. */
#include "gateway/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the octets come from: a payload, or a span. */
struct source {
    struct payload_reader *reader;
    uint64_t at, left; /* of the payload */
    struct span octets;
};

int open_again(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    do {
        fd = openat(dir, path, flags, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static bool write_all(int fd, struct span octets)
{
    while (octets.n > 0) {
        ssize_t n = write(fd, octets.p, octets.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        span_skip(&octets, (size_t)n);
    }
    return true;
}

static bool copy(struct gateway *g, int fd, struct source *from, const char *where,
                 struct err *err)
{
    uint8_t *buffer;
    size_t got = 0;
    bool ok;

    if (from->reader == NULL)
        return write_all(fd, from->octets) ||
               FAIL(err, FAIL_LOCAL, 0, "cannot write into '%s': %m", where);
    buffer = malloc(READ_SIZE);
    ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
    do {
        size_t want = from->left < READ_SIZE ? (size_t)from->left : READ_SIZE;

        ok = ok &&
             payload_read(from->reader, from->at, (struct room) { buffer, want }, &got, err);
        if (ok && !write_all(fd, span_of(buffer, got)))
            ok = FAIL(err, FAIL_LOCAL, 0, "cannot write into '%s': %m", where);
        if (ok && atomic_load(&g->ending))
            ok = FAIL(err, FAIL_LOCAL, 0, "the runtime is being stopped");
        from->at += got;
        from->left -= got;
    } while (ok && got > 0 && from->left > 0);
    free(buffer);
    return ok;
}

static bool give_name(int dir, const char *directory, const char *tmp, const char *name,
                      bool replace, bool *exists, struct err *err)
{
    if (replace ? renameat(dir, tmp, dir, name) != 0 : linkat(dir, tmp, dir, name, 0) != 0) {
        *exists = errno == EEXIST;
        return FAIL(err, FAIL_LOCAL, 0, "cannot name '%s/%s': %m", directory, name);
    }
    if (!replace && unlinkat(dir, tmp, 0) != 0 && unlinkat(dir, tmp, 0) != 0)
        return FAIL(err, FAIL_LOCAL, DELIVER_NAMED, "cannot remove '%s/%s': %m", directory,
                    tmp);
    return fsync(dir) == 0 ||
           FAIL(err, FAIL_LOCAL, DELIVER_NAMED, "cannot sync directory '%s': %m", directory);
}

/* What an interrupted run left under that name may be the file that it delivered, under its other
 * name: it is not written to. */
static int create(int dir, const char *tmp)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = open_again(dir, tmp, flags, 0640);

    if (fd < 0 && errno == EEXIST && unlinkat(dir, tmp, 0) == 0)
        fd = open_again(dir, tmp, flags, 0640);
    return fd;
}

/* The hidden name is that of the runtime, as others may write into the same directory, the document
 * and the role: each has one writer at a time, and what an interrupted one left is found again. */
static bool deliver(struct gateway *g, int64_t id, char role, struct source *from,
                    const char *directory, const char *name, bool replace, bool *exists,
                    struct err *err)
{
    int dir = open_again(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), fd = -1;
    char tmp[128];
    bool ok = false;

    *exists = false;
    (void)snprintf(tmp, sizeof(tmp), ".%s-%lld%s.tmp", g->rt->runtime.name, (long long)id,
                   role == 'e' ? "-e" : "");
    if (dir < 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot open directory '%s': %m", directory);
        goto out;
    }
    fd = create(dir, tmp);
    if (fd < 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot write into '%s': %m", directory);
        goto out;
    }
    if (!copy(g, fd, from, directory, err))
        goto out;
    if (fsync(fd) != 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot sync '%s/%s': %m", directory, name);
        goto out;
    }
    ok = give_name(dir, directory, tmp, name, replace, exists, err);
out:
    if (!ok && fd >= 0)
        (void)unlinkat(dir, tmp, 0);
    if (fd >= 0)
        (void)close(fd);
    if (dir >= 0)
        (void)close(dir);
    return ok;
}

bool deliver_file(struct gateway *g, const struct document *d, char role, const char *directory,
                  const char *name, bool replace, bool *exists, struct err *err)
{
    const struct document_part whole = { .name = d->name, .left = UINT64_MAX };

    return deliver_part(g, d, role, &whole, directory, name, replace, exists, err);
}

bool deliver_part(struct gateway *g, const struct document *d, char role,
                  const struct document_part *part, const char *directory, const char *name,
                  bool replace, bool *exists, struct err *err)
{
    const struct payload_ref *ref = role == 'r' ? &d->raw : &d->opened;
    struct source from = { .at = part->at, .left = part->left };
    bool ok;

    *exists = false;
    if (!payload_open(g->store, d->id, role == 'o' ? document_opened_role(d) : role, ref,
                      &from.reader, err))
        return false;
    ok = deliver(g, d->id, role, &from, directory, name, replace, exists, err);
    payload_reader_free(from.reader);
    return ok;
}

bool deliver_receipt(struct gateway *g, int64_t id, struct span octets, const char *directory,
                     const char *name, struct err *err)
{
    /* An operator's answer may be archived while a worker archives the document. */
    static pthread_mutex_t locks[] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
    pthread_mutex_t *lock = &locks[(uint64_t)id % COUNT_OF(locks)];
    struct source from = { .octets = octets };
    bool exists, ok;

    pthread_mutex_lock(lock);
    ok = deliver(g, id, 'e', &from, directory, name, true, &exists, err);
    pthread_mutex_unlock(lock);
    return ok;
}
