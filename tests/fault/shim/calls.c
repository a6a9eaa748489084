/* The system calls in our place. Each: is the file watched? is it to fail? else the real one, and
 * a line in the journal. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#undef open
#undef openat
#undef pread
#undef pwrite
#undef ftruncate

/* Runs `call` in the journal's order, and writes `line` when it worked. */
#define JOURNALED(type, call, line)                                                            \
    ({                                                                                         \
        type rc_;                                                                              \
        bool on_ = journal_on();                                                               \
        int errno_;                                                                            \
        if (on_)                                                                               \
            journal_lock();                                                                    \
        rc_ = (call);                                                                          \
        errno_ = errno;                                                                        \
        if (on_) {                                                                             \
            if (rc_ != (type)-1)                                                               \
                line;                                                                          \
            journal_unlock();                                                                  \
        }                                                                                      \
        errno = errno_;                                                                        \
        rc_;                                                                                   \
    })

static int fail_with(int64_t fault)
{
    errno = (int)fault;
    return -1;
}

/* ---- open and close ----------------------------------------------------------------------- */

static int opened(int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    int64_t fault;
    int fd;

    if (!shim_below(dir, name, path, sizeof(path)))
        return REAL(openat)(dir, name, flags, mode);
    fault = shim_fault(CALL_OPEN, "open", path);
    if (fault > 0)
        return fail_with(fault);
    fd = JOURNALED(int, REAL(openat)(dir, name, flags, mode),
                   journal_add(ENTRY_OPEN, rc_, (uint64_t)flags, path, strlen(path)));
    if (fd >= 0)
        shim_opened(fd, path);
    return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
    return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

#define OPENS(name)                                                                            \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        va_list ap;                                                                            \
        mode_t mode;                                                                           \
        va_start(ap, flags);                                                                   \
        mode = mode_of(flags, ap);                                                             \
        va_end(ap);                                                                            \
        return opened(AT_FDCWD, path, flags, mode);                                            \
    }
#define OPENS_AT(name)                                                                         \
    int name(int dir, const char *path, int flags, ...)                                        \
    {                                                                                          \
        va_list ap;                                                                            \
        mode_t mode;                                                                           \
        va_start(ap, flags);                                                                   \
        mode = mode_of(flags, ap);                                                             \
        va_end(ap);                                                                            \
        return opened(dir, path, flags, mode);                                                 \
    }

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return opened(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return opened(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
    return opened(dir, path, flags, 0);
}

int __openat64_2(int dir, const char *path, int flags)
{
    return opened(dir, path, flags, 0);
}

int close(int fd)
{
    const char *path = shim_path(fd);
    int64_t fault;
    int rc;

    if (path == NULL)
        return REAL(close)(fd);
    fault = shim_fault(CALL_CLOSE, "close", path);
    /* Before it is closed: another thread may get the same number at once. */
    shim_closed(fd);
    if (journal_on()) {
        journal_lock();
        journal_add(ENTRY_CLOSE, fd, 0, NULL, 0);
        rc = REAL(close)(fd);
        journal_unlock();
    } else {
        rc = REAL(close)(fd);
    }
    return fault > 0 ? fail_with(fault) : rc; /* as Linux has it: closed all the same */
}

/* ---- octets ------------------------------------------------------------------------------- */

static size_t part(int64_t fault, size_t n)
{
    return fault == FAULT_SHORT && n > 1 ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    const char *path = shim_path(fd);
    int64_t fault;
    off_t at;

    if (path == NULL)
        return REAL(write)(fd, p, n);
    fault = shim_fault(CALL_WRITE, "write", path);
    if (fault > 0)
        return fail_with(fault);
    at = lseek(fd, 0, SEEK_CUR);
    return JOURNALED(ssize_t, REAL(write)(fd, p, part(fault, n)),
                     journal_add(ENTRY_WRITE, fd, (uint64_t)at, p, (size_t)rc_));
}

static ssize_t put_at(int fd, const void *p, size_t n, off_t at)
{
    const char *path = shim_path(fd);
    int64_t fault;

    if (path == NULL)
        return REAL(pwrite64)(fd, p, n, at);
    fault = shim_fault(CALL_WRITE, "pwrite", path);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(ssize_t, REAL(pwrite64)(fd, p, part(fault, n), at),
                     journal_add(ENTRY_WRITE, fd, (uint64_t)at, p, (size_t)rc_));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return put_at(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return put_at(fd, p, n, at);
}

ssize_t read(int fd, void *p, size_t n)
{
    const char *path = shim_path(fd);
    int64_t fault = path == NULL ? 0 : shim_fault(CALL_READ, "read", path);

    return fault > 0 ? fail_with(fault) : REAL(read)(fd, p, part(fault, n));
}

static ssize_t get_at(int fd, void *p, size_t n, off_t at)
{
    const char *path = shim_path(fd);
    int64_t fault = path == NULL ? 0 : shim_fault(CALL_READ, "pread", path);

    return fault > 0 ? fail_with(fault) : REAL(pread64)(fd, p, part(fault, n), at);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    return get_at(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    return get_at(fd, p, n, at);
}

ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *p, size_t n, off64_t at, size_t room);

ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
    (void)room;
    return read(fd, p, n);
}

ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
    (void)room;
    return get_at(fd, p, n, at);
}

ssize_t __pread64_chk(int fd, void *p, size_t n, off64_t at, size_t room)
{
    (void)room;
    return get_at(fd, p, n, at);
}

/* ---- syncs and sizes ----------------------------------------------------------------------- */

/* With a journal nothing is really synced: what would be durable is worked out of it. */
static int synced(int fd, const char *name)
{
    const char *path = shim_path(fd);
    int64_t fault;

    if (path == NULL)
        return ((int (*)(int))shim_real(name))(fd);
    fault = shim_fault(CALL_SYNC, name, path);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(int, on_ ? 0 : ((int (*)(int))shim_real(name))(fd),
                     journal_add(ENTRY_SYNC, fd, 0, NULL, 0));
}

int fsync(int fd)
{
    return synced(fd, "fsync");
}

int fdatasync(int fd)
{
    return synced(fd, "fdatasync");
}

int sync_file_range(int fd, off64_t at, off64_t n, unsigned flags)
{
    const char *path = shim_path(fd);
    int64_t fault = path == NULL ? 0 : shim_fault(CALL_HINT, "sync_file_range", path);

    return fault > 0 ? fail_with(fault) : REAL(sync_file_range)(fd, at, n, flags);
}

static int sized(int fd, off_t size)
{
    const char *path = shim_path(fd);
    int64_t fault;

    if (path == NULL)
        return REAL(ftruncate64)(fd, size);
    fault = shim_fault(CALL_SIZE, "ftruncate", path);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(int, REAL(ftruncate64)(fd, size),
                     journal_add(ENTRY_SIZE, fd, (uint64_t)size, NULL, 0));
}

int ftruncate(int fd, off_t size)
{
    return sized(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return sized(fd, size);
}

static int reserved(int fd, off_t at, off_t n)
{
    struct stat st;

    return JOURNALED(
        int, REAL(fallocate64)(fd, 0, at, n),
        journal_add(ENTRY_SIZE, fd, fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0, NULL, 0));
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    const char *path = shim_path(fd);
    int64_t fault;

    if (path == NULL)
        return REAL(posix_fallocate64)(fd, at, n);
    fault = shim_fault(CALL_SIZE, "posix_fallocate", path);
    if (fault > 0)
        return (int)fault;
    return reserved(fd, at, n) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    return posix_fallocate(fd, at, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    const char *path = shim_path(fd);
    int64_t fault;

    if (path == NULL)
        return REAL(fallocate64)(fd, mode, at, n);
    fault = shim_fault(CALL_SIZE, "fallocate", path);
    return fault > 0 ? fail_with(fault) : reserved(fd, at, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    return fallocate(fd, mode, at, n);
}

static void *mapped(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    const char *path = (flags & MAP_ANONYMOUS) != 0 ? NULL : shim_path(fd);
    int64_t fault = path == NULL ? 0 : shim_fault(CALL_MAP, "mmap", path);

    if (fault > 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return REAL(mmap64)(p, n, prot, flags, fd, at);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    return mapped(p, n, prot, flags, fd, at);
}

void *mmap64(void *p, size_t n, int prot, int flags, int fd, off64_t at)
{
    return mapped(p, n, prot, flags, fd, at);
}

/* ---- names -------------------------------------------------------------------------------- */

static int two_names(enum entry_kind kind, int from, const char *old, int to, const char *new,
                     int flags)
{
    char both[2 * PATH_MAX];
    char *second;
    int64_t fault;
    bool watched = shim_below(from, old, both, PATH_MAX);

    second = both + strlen(both) + 1;
    if (!watched || !shim_below(to, new, second, PATH_MAX))
        return kind == ENTRY_LINK ? REAL(linkat)(from, old, to, new, flags)
                                  : REAL(renameat2)(from, old, to, new, (unsigned)flags);
    fault = shim_fault(CALL_NAME, kind == ENTRY_LINK ? "link" : "rename", second);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(int,
                     kind == ENTRY_LINK ? REAL(linkat)(from, old, to, new, flags)
                                        : REAL(renameat2)(from, old, to, new, (unsigned)flags),
                     journal_add(kind, -1, 0, both, (size_t)(second - both) + strlen(second)));
}

int rename(const char *old, const char *new)
{
    return two_names(ENTRY_RENAME, AT_FDCWD, old, AT_FDCWD, new, 0);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return two_names(ENTRY_RENAME, from, old, to, new, 0);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    return two_names(ENTRY_RENAME, from, old, to, new, (int)flags);
}

int link(const char *old, const char *new)
{
    return two_names(ENTRY_LINK, AT_FDCWD, old, AT_FDCWD, new, 0);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    return two_names(ENTRY_LINK, from, old, to, new, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    int64_t fault;

    if (!shim_below(dir, name, path, sizeof(path)))
        return REAL(unlinkat)(dir, name, flags);
    fault = shim_fault(CALL_NAME, "unlink", path);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(int, REAL(unlinkat)(dir, name, flags),
                     journal_add(ENTRY_UNLINK, -1, 0, path, strlen(path)));
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    int64_t fault;

    if (!shim_below(dir, name, path, sizeof(path)))
        return REAL(mkdirat)(dir, name, mode);
    fault = shim_fault(CALL_NAME, "mkdir", path);
    if (fault > 0)
        return fail_with(fault);
    return JOURNALED(int, REAL(mkdirat)(dir, name, mode),
                     journal_add(ENTRY_MKDIR, -1, 0, path, strlen(path)));
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

/* ---- what the partner is told -------------------------------------------------------------- */

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return JOURNALED(ssize_t, REAL(send)(fd, p, n, flags),
                     journal_add(ENTRY_SEND, fd, 0, p, (size_t)rc_));
}
