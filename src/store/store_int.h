/* What the files of this folder share: a batch as a list of typed changes, the parts of a
 * store, and the few knobs that only tests turn. */
#ifndef WAYBILL_STORE_INT_H
#define WAYBILL_STORE_INT_H

#include "store/access.h"
#include "store/counts.h"
#include "store/payload.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- batches ---------------------------------------------------------------------------- */

enum change_kind {
    CHANGE_DOCUMENT,
    CHANGE_STATE,
    CHANGE_RAW,
    CHANGE_OPENED,
    CHANGE_PROGRESS,
    CHANGE_PROP,
    CHANGE_REDELIVERED,
    CHANGE_OCTETS,
    CHANGE_DROP_OCTETS,
    CHANGE_EVENT,
    CHANGE_RECEIPT,
    CHANGE_RECEIPT_STATE,
    CHANGE_TRACKED,
    CHANGE_SEEN,
    CHANGE_TRIM_SEEN,
    CHANGE_JOB,
    CHANGE_END_JOB,
    CHANGE_EXECUTION,
    CHANGE_DEPLOYMENT,
    CHANGE_DROP,
    CHANGE_PAUSED,
    CHANGE_AUDIT,
    CHANGE_PURGE_OCTETS,
    CHANGE_PURGE_DOCUMENT,
    CHANGE_PURGE_RECEIPTS,
    CHANGE_PURGE_AUDIT,
    CHANGE_ADD_USER,
    CHANGE_SET_USER,
    CHANGE_DROP_USER,
    CHANGE_ADD_TOKEN,
    CHANGE_USE_TOKEN,
    CHANGE_DROP_TOKEN,
    CHANGE_KINDS,
};

struct open_job;

/* A document before a change of its state; state 0: it was not there. */
struct state_seen {
    enum document_state state;
    bool outbound, as2;
};

struct change {
    struct change *next;
    enum change_kind kind;
    int64_t id; /* of the document, receipt, job or execution it is about */
    int64_t at_ms;
    struct state_seen was; /* CHANGE_DOCUMENT, CHANGE_STATE: counts.c */
    union {
        struct document_change {
            struct document d;
            const char *props; /* as JSON */
        } document;
        struct state_change {
            unsigned from;
            enum document_state to;
            const char *event, *text, *reason;
        } state;
        struct payload_ref ref;
        struct progress_change {
            uint64_t octets, records;
        } progress;
        struct pair_change { /* prop, event, tracked, audit, drop, paused, receipt's state */
            const char *name, *value;
            bool paused;
        } pair;
        struct octets_change {
            char role;
            struct span octets;
        } octets;
        struct receipt receipt;
        struct seen_change {
            const char *key;
            int64_t forget_ms; /* CHANGE_TRIM_SEEN: how many are kept */
        } seen;
        struct job_change {
            struct job job;
            bool at_once;
            struct open_job *open; /* made before the commit, so that nothing fails after it */
        } job;
        struct execution execution;
        struct deployment deployment;
        struct purge_change { /* .at_ms: now, or before when */
            enum document_state state;
            int64_t changed_ms;
            enum payload_kind raw, opened;
            bool answered;
            uint32_t most;
            uint64_t *done; /* the caller's */
        } purge;
        struct user user;
        struct token token;
    } u;
};

struct store_batch {
    struct arena arena;
    struct change *first, **last;
    bool has_jobs;
    bool failed; /* memory ran out: it can only fail as a whole */
};

/* Forgets the row payload of this role, if there is one: its octets are in a file now. */
void batch_drop_octets(struct store_batch *b, int64_t id, char role);
/* Before it is committed: makes text of the properties of its documents. */
void batch_close(struct store_batch *b);

/* ---- properties as JSON ------------------------------------------------------------------ */

/* In the arena; NULL when memory is out (and arena.failed is set). */
const char *props_to_json(const struct props *ps, struct arena *a);
/* False when the text is no JSON object. json NULL: no properties. */
MUST_CHECK bool props_from_json(const char *json, struct arena *a, struct props *ps);
/* The text itself when it is UTF-8, else a copy that takes its octets for Latin-1. */
const char *text_utf8(struct arena *a, const char *text);

/* ---- the store --------------------------------------------------------------------------- */

struct conn;        /* sqlite_int.h */
struct job_index;   /* jobs.c */
struct commit_line; /* sqlite_write.c */
struct reader_pool; /* sqlite_read.c */
struct file_hold;   /* payload_hold.c */
struct counters;    /* counts.c */

struct store {
    char *directory;
    int dir_fd, payload_fd, lock_fd;
    struct conn *writer; /* of the committing thread, once that runs */
    struct commit_line *line;
    struct reader_pool *readers;
    struct job_index *jobs;
    struct counters *counters;
    _Atomic int64_t next_id;
    _Atomic int64_t id_mark; /* ids below it may have been given: it is in the file */
    pthread_mutex_t folder_lock;
    int64_t folder_known; /* the newest payload folder known to be durable; -1 none */
    struct file_hold *hold;
};

enum {
    ID_BLOCK = 1000, /* ids reserved at a time                                   */
    ID_SPARE = 500,  /* a commit under way reserves more when fewer than this left */
};

/* Milliseconds since 1970, by the system's clock. */
int64_t store_clock_ms(void);

/* steady.c: a clock that shows what the wall clock would had nobody set it since steady_start. One
 * thread at a time. */
enum { STEADY_KNOWN = 8 };
struct steady {
    int64_t first_ms; /* the wall clock against the time since boot */
    struct {
        int64_t set_ms, seen_ms; /* how far it was set; when that was seen last, 0: never */
    } known[STEADY_KNOWN];
    size_t now; /* which of these it is */
};
void steady_start(struct steady *s);
/* How far the wall clock is set now, forth or back. */
int64_t steady_set_ms(struct steady *s);
/* A time of the wall clock by the steady one. It may have been read just before the clock was set:
 * of what it can mean it is what is nearest. */
int64_t steady_time(struct steady *s, int64_t wall_ms);
/* One that is over, whenever the wall clock is asked after this. */
int64_t steady_past(struct steady *s);

/* ---- parts ------------------------------------------------------------------------------- */

/* recovery.c. The lock keeps a second runtime out; it ends with the process. */
MUST_CHECK bool store_lock_directory(struct store *s, struct err *err);
/* Removes payload files that no document refers to. Nobody else may use the store yet. */
MUST_CHECK bool store_sweep_payload(struct store *s, struct conn *c, struct err *err);
/* log_check.c: before SQLite opens it. False: committed transactions are missing from the log, or the
 * database itself is missing; *err names the way out. */
MUST_CHECK bool store_check_log(const struct store *s, struct err *err);
MUST_CHECK bool store_mark_cut_off(struct conn *c, struct err *err);

/* sqlite_write.c */
MUST_CHECK bool commit_line_start(struct store *s, struct err *err);
void commit_line_stop(struct store *s); /* after the last batch that waits */
/* Has the line write a new mark for ids, and waits for it. */
MUST_CHECK bool commit_line_reserve(struct store *s, struct err *err);

/* sqlite_read.c */
MUST_CHECK bool reader_pool_new(struct store *s, struct err *err);
void reader_pool_free(struct reader_pool *p);

/* jobs.c */
struct job_index *job_index_new(void);
void job_index_free(struct job_index *ix);
MUST_CHECK bool job_index_load(struct job_index *ix, struct conn *c, struct err *err);
/* Before the commit: makes what the index will need. */
MUST_CHECK bool job_index_prepare(struct job_index *ix, struct change *ch, struct err *err);
/* After the commit: done true puts and ends the batch's jobs; false drops what was prepared. */
void job_index_settle(struct job_index *ix, struct store_batch *b, bool done);
/* The clock as it is set now: times in a batch that waits for its turn were read by it. */
void job_index_look(struct job_index *ix);
/* Fills .jobs. */
void job_index_ages(struct job_index *ix, struct store_counts *out);
/* Wakes those who wait for jobs. */
void job_index_ring(struct job_index *ix);

/* counts.c */
struct counters *counters_new(void);
void counters_free(struct counters *k);
MUST_CHECK bool counters_load(struct counters *k, struct conn *c, struct err *err);
/* Before a change is made: looks what the document is now. */
MUST_CHECK bool counters_look(struct conn *c, struct change *ch, struct err *err);
/* After the commit, for each batch, and for the transaction. */
void counters_commit(struct counters *k, const struct store_batch *b, bool done,
                     uint64_t waited_us);
void counters_group(struct counters *k, size_t batches);

/* payload.c */
enum { PAYLOAD_PATH = 64 };
/* "000/012/12345.raw" for role 'r'. */
void payload_path(int64_t document_id, char role, char path[PAYLOAD_PATH]);

/* payload_hold.c. While a backup is made no payload file goes: removals are done at its end. */
struct file_hold *file_hold_new(void);
void file_hold_free(struct file_hold *h);
MUST_CHECK bool files_hold(struct store *s); /* false: it is held already */
void files_release(struct store *s);
/* Removes a file of the payload folder, now or then. */
void files_unlink(struct store *s, const char *path);
/* A file of this name is about to be made: it is not removed any more. */
void files_keep(struct store *s, const char *path);
/* Waits until files may be taken away, and removes this one. */
void files_make_way(struct store *s, const char *path);

/* ---- for tests --------------------------------------------------------------------------- */

/* The SQLite VFS that stores are opened with; NULL is the usual one. */
extern const char *store_test_vfs;
/* Transactions committed so far. */
uint64_t store_test_commits(struct store *s);
/* At most so many pages in the file: a full disk without filling one. 0: no limit. */
void store_test_limit_pages(struct store *s, int pages);
/* From how many ids on a prefix is not sorted, and how many documents are then looked at in vain
 * before all of its ids are read. */
extern size_t ids_sort_max, find_misses_max;

/* openat(), made again when a signal interrupted it. */
static inline int open_file_at(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    do {
        fd = openat(dir, path, flags, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* All of it, however many calls it takes. */
static inline bool write_file(int fd, struct span octets)
{
    while (octets.n > 0) {
        ssize_t n = write(fd, octets.p, octets.n);

        if (n < 0 && errno != EINTR)
            return false;
        span_skip(&octets, n > 0 ? (size_t)n : 0);
    }
    return true;
}

#endif
