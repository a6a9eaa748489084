/* A library put before libc (LD_PRELOAD) by the tests of tests/fault. It watches the system calls
 * on files below given folders, can fail the n-th of them, can write all that changes those files
 * into a journal of which the state after a power cut is worked out (tests/lib/power.py), and
 * can set the wall clock. tests/lib/faulty.py is its other half.
 *
 *   FAULT_CONTROL   a file of this layout, shared with the test
 *   FAULT_ROOTS     absolute folders, joined by ':'
 *   FAULT_JOURNAL   the journal; absent: none is written */
#ifndef FAULT_SHIM_H
#define FAULT_SHIM_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum call_class {
    CALL_OPEN = 1,
    CALL_READ = 2,
    CALL_WRITE = 4,
    CALL_SYNC = 8,
    CALL_SIZE = 16, /* ftruncate, fallocate */
    CALL_NAME = 32, /* rename, link, unlink, mkdir */
    CALL_CLOSE = 64,
    CALL_HINT = 128, /* sync_file_range */
    CALL_MAP = 256,
};

enum { FAULT_SHORT = -1, /* instead of an error: half of the octets */ };

struct control {
    _Atomic uint64_t calls;    /* of the classes in mask, so far              */
    _Atomic uint64_t fail_at;  /* the first to fail, counted from 1; 0: none  */
    _Atomic uint64_t fail_for; /* how many in a row                           */
    _Atomic uint64_t mask;
    _Atomic int64_t error;    /* errno or FAULT_SHORT                          */
    _Atomic uint64_t failed;  /* how many were                                 */
    _Atomic int64_t clock_ns; /* added to CLOCK_REALTIME                       */
    _Atomic uint64_t entries; /* in the journal                                */
    char last[256];           /* the first that failed: name and path          */
};

extern struct control *control; /* NULL: nothing is watched */

/* The function of this name behind us. */
void *shim_real(const char *name);
#define REAL(name)                                                                             \
    ({                                                                                         \
        static _Atomic(void *) known_;                                                         \
        void *real_ = atomic_load(&known_);                                                    \
        if (real_ == NULL)                                                                     \
            atomic_store(&known_, real_ = shim_real(#name));                                   \
        (__typeof__(&name))real_;                                                              \
    })

/* The path of a watched descriptor, NULL for others. Borrowed while it is open. */
const char *shim_path(int fd);
void shim_opened(int fd, const char *path); /* copied */
void shim_closed(int fd);
/* The absolute path into out; false when it is not below a root. */
bool shim_below(int dir, const char *path, char *out, size_t cap);

/* Counts a call. 0: let it pass; else the error it is to fail with. */
int64_t shim_fault(enum call_class c, const char *name, const char *path);

/* ---- the journal: every change is made and written down under one lock ---------------------- */

enum entry_kind {
    ENTRY_OPEN = 1, /* fd, a: flags, text: path */
    ENTRY_CLOSE,    /* fd */
    ENTRY_WRITE,    /* fd, a: offset, text: octets */
    ENTRY_SIZE,     /* fd, a: size */
    ENTRY_SYNC,     /* fd */
    ENTRY_RENAME,   /* text: old, 0, new */
    ENTRY_LINK,     /* the same */
    ENTRY_UNLINK,   /* text: path */
    ENTRY_MKDIR,    /* text: path */
    ENTRY_SEND,     /* fd, text: octets given to a socket */
};

bool journal_on(void);
void journal_lock(void);
void journal_unlock(void);
/* Held: the lock. */
void journal_add(enum entry_kind kind, int fd, uint64_t a, const void *text, size_t n);

#endif
