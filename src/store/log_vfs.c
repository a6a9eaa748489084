/* The log of the writing connection, written in few calls. SQLite writes a transaction to its log page by
 * page, a header and a page at a time: some fifty small writes for a document. Here they gather,
 * and go out together when it syncs.
 *
 * What holds: nothing that was written is missing from a sync, which comes before the transaction is
 * shown to readers (synchronous = FULL); and whatever else is done with the file comes after what was
 * written before. A write that fails is told by the call that made room for it, so by the sync at the
 * latest, and the transaction fails there. A sync of files that were deleted or moved away, or whose
 * file system is gone from its place, is none: what they hold would not be found by the next start. */
#include "store/sqlite_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { GATHERED = 128 * 1024 };

/* A file as it was opened; inode 0: nobody knows. */
struct place {
    char *path;
    dev_t device;
    ino_t inode;
};

struct log_file {
    sqlite3_file base;
    struct place log, database;
    sqlite3_int64 at; /* where what is gathered goes */
    int have;
    uint8_t *buffer; /* NULL until the first write, or when memory is out */
    uint64_t real[]; /* the file of the VFS below */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct log_file *)(void *)file)->real;
}

/* What was gathered is gone afterwards, also on failure: the transaction is. */
static int flush(sqlite3_file *file)
{
    struct log_file *f = (struct log_file *)(void *)file;
    int n = f->have;

    f->have = 0;
    return n == 0 ? SQLITE_OK
                  : real_of(file)->pMethods->xWrite(real_of(file), f->buffer, n, f->at);
}

static int log_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct log_file *f = (struct log_file *)(void *)file;
    int rc = SQLITE_OK;

    if (f->have > 0 && (at != f->at + f->have || n > GATHERED - f->have))
        rc = flush(file);
    if (rc != SQLITE_OK)
        return rc;
    if (f->buffer == NULL)
        f->buffer = malloc(GATHERED);
    if (f->buffer == NULL || n > GATHERED)
        return real_of(file)->pMethods->xWrite(real_of(file), p, n, at);
    if (f->have == 0)
        f->at = at;
    memcpy(f->buffer + f->have, p, (size_t)n);
    f->have += n;
    return SQLITE_OK;
}

static void note_place(struct place *p, const char *name, size_t n)
{
    struct stat st;

    p->path = sqlite3_mprintf("%.*s", (int)n, name);
    if (p->path != NULL && stat(p->path, &st) == 0) {
        p->device = st.st_dev;
        p->inode = st.st_ino;
    }
}

static bool in_place(const struct place *p)
{
    struct stat st;

    if (p->inode == 0)
        return true;
    if (stat(p->path, &st) == 0 ? st.st_dev == p->device && st.st_ino == p->inode
                                : errno != ENOENT && errno != ENOTDIR)
        return true;
    return false;
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *f = (struct log_file *)(void *)file;
    int rc = flush(file);

    if (rc == SQLITE_OK && (!in_place(&f->log) || !in_place(&f->database)))
        return SQLITE_IOERR_FSYNC;
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int log_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    int rc = flush(file);

    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xRead(real_of(file), p, n, at);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = flush(file);

    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    int rc = flush(file);

    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int log_close(sqlite3_file *file)
{
    struct log_file *f = (struct log_file *)(void *)file;
    int rc = flush(file), closed = real_of(file)->pMethods->xClose(real_of(file));

    free(f->buffer);
    sqlite3_free(f->log.path);
    sqlite3_free(f->database.path);
    return rc != SQLITE_OK ? rc : closed;
}

static int log_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int log_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int log_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int log_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int log_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, /* no shared memory, no mapping: those are of the database's file */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector,
    .xDeviceCharacteristics = log_device,
};

/* Other files are the real VFS's own, in the same memory. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    int rc;

    if ((flags & SQLITE_OPEN_WAL) == 0)
        return real->xOpen(real, name, file, flags, out);
    memset(file, 0, sizeof(struct log_file));
    real_of(file)->pMethods = NULL;
    rc = real->xOpen(real, name, real_of(file), flags, out);
    if (rc == SQLITE_OK) {
        struct log_file *f = (struct log_file *)(void *)file;
        size_t n = name == NULL ? 0 : strlen(name);

        file->pMethods = &log_methods;
        if (n > strlen("-wal")) {
            note_place(&f->log, name, n);
            note_place(&f->database, name, n - strlen("-wal"));
        }
    } else if (real_of(file)->pMethods != NULL)
        (void)real_of(file)->pMethods->xClose(real_of(file));
    return rc;
}

const char *log_vfs(const char *real_name, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    sqlite3_vfs *real = sqlite3_vfs_find(real_name), *vfs = NULL;
    char *name = real == NULL ? NULL : sqlite3_mprintf("waybill %s", real->zName);

    pthread_mutex_lock(&lock);
    if (name != NULL && (vfs = sqlite3_vfs_find(name)) == NULL &&
        (vfs = malloc(sizeof(*vfs))) != NULL) {
        *vfs = *real;
        vfs->szOsFile = (int)sizeof(struct log_file) + real->szOsFile;
        vfs->pNext = NULL;
        vfs->zName = name;
        vfs->pAppData = real;
        vfs->xOpen = vfs_open;
        name = NULL;
        if (sqlite3_vfs_register(vfs, 0) != SQLITE_OK)
            vfs = NULL;
    }
    pthread_mutex_unlock(&lock);
    sqlite3_free(name);
    if (vfs == NULL)
        (void)FAIL(err, FAIL_LOCAL, 0, "memory is out");
    return vfs == NULL ? NULL : vfs->zName;
}
