/* One SQLite connection with its prepared statements. A connection is used by one thread at a
 * time, and no statement is left running between two calls. */
#ifndef WAYBILL_STORE_SQLITE_INT_H
#define WAYBILL_STORE_SQLITE_INT_H

#include "store/store_int.h"

#include <sqlite3.h>

enum query {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_SAVEPOINT,
    Q_RELEASE,
    Q_ROLLBACK_TO,
    /* changes */
    Q_PUT_DOCUMENT,
    Q_SET_STATE,
    Q_STATE_OF,
    Q_WAS,
    Q_SET_RAW,
    Q_SET_OPENED,
    Q_SET_PROGRESS,
    Q_SET_PROP,
    Q_SET_REDELIVERED,
    Q_PUT_OCTETS,
    Q_DROP_OCTETS,
    Q_ADD_EVENT,
    Q_PUT_RECEIPT,
    Q_SET_RECEIPT,
    Q_ADD_TRACKED,
    Q_ADD_SEEN,
    Q_SEEN_BY,
    Q_TRIM_SEEN,
    Q_PURGE_SEEN,
    Q_PUT_JOB,
    Q_END_JOB,
    Q_PUT_EXECUTION,
    Q_PUT_DEPLOYMENT,
    Q_DROP_DEPLOYMENT,
    Q_SET_PAUSED,
    Q_ADD_AUDIT,
    Q_PURGE_PAYLOAD,
    Q_PURGE_DOCUMENT,
    Q_PURGE_RECEIPTS_OF,
    Q_PURGE_OCTETS,
    Q_PURGE_RECEIPTS,
    Q_PURGE_AUDIT,
    Q_ADD_USER,
    Q_SET_USER,
    Q_DROP_USER,
    Q_ADD_TOKEN,
    Q_USE_TOKEN,
    Q_DROP_TOKEN,
    Q_SET_META,
    Q_CUT_OFF,
    Q_PUT_PERIOD,
    Q_TRIM_PERIODS,
    /* reading */
    Q_USERS,
    Q_FIND_USER,
    Q_TOKENS,
    Q_FIND_TOKEN,
    Q_AUDIT,
    Q_GET_META,
    Q_MAX_ID,
    Q_GET_DOCUMENT,
    Q_BY_KEY,
    Q_UNANSWERED,
    Q_EVENTS,
    Q_RECEIPTS_OF,
    Q_RECEIPTS_OF_IN,
    Q_RECEIPTS_IN,
    Q_RECEIPTS,
    Q_TRACKED,
    Q_EXECUTIONS,
    Q_DEPLOYMENTS,
    Q_DEPLOYMENTS_OF,
    Q_VERSIONS,
    Q_FIND_SEEN,
    Q_GET_OCTETS,
    Q_HAS_OCTETS,
    Q_COUNT_STATES,
    Q_COUNT_KEPT,
    Q_COUNT_HELD,
    Q_CREATED_SINCE,
    Q_NEWEST_IN_STATE,
    Q_GET_JOB,
    Q_JOBS,
    Q_JOBS_OF,
    Q_OPEN_JOBS,
    Q_FILES_BETWEEN,
    Q_RAW_KIND,
    Q_NEXT_IN_STATE,
    Q_NEXT_WITH_OCTETS,
    /* the search */
    Q_BEGIN_READ,
    Q_IDS,
    Q_IDS_KIND,
    Q_IDS_PARTNER,
    Q_IDS_PAIR,
    Q_IDS_NAME,
    Q_IDS_FILE_NAME,
    Q_IDS_MESSAGE,
    Q_IDS_HELD,
    Q_IDS_IDENTITY,
    Q_IDS_TRACKED,
    Q_NEXT_PROTOCOL,
    Q_NEXT_PARTNER,
    Q_NEXT_LISTENER,
    Q_NEXT_SENDER,
    Q_NEXT_RECEIVER,
    Q_NEXT_LABEL,
    Q_RANGE_NAME,
    Q_RANGE_FILE_NAME,
    Q_RANGE_TRACKED,
    Q_PERIODS,
    QUERIES,
};

/* sqlite_sql.c: all SQL there is. */
extern const char *const query_text[QUERIES];
extern const char *const schema_steps[]; /* one a version of the schema */
extern const int schema_version;
#define DOCUMENT_COLUMNS                                                                       \
    "id, outbound, state, protocol, listener, partner, sender, receiver, own, peer, name, "    \
    "identity_key, created_ms, changed_ms, size, raw_kind, raw_size, raw_path, opened_kind, "  \
    "opened_size, opened_path, progress, total, records, reason, redelivered, props"

struct conn {
    sqlite3 *db;
    sqlite3_stmt *cached[QUERIES];
    struct conn *next; /* in the pool */
};

MUST_CHECK bool conn_open(struct store *s, bool for_writing, struct conn **out,
                          struct err *err);
void conn_free(struct conn *c);

/* log_vfs.c: the name of a VFS that is that one (NULL: the usual), but writes the log in few calls.
 * For a connection whose commits sync. NULL: memory is out. */
const char *log_vfs(const char *real, struct err *err);

/* Fills *err from the connection's last failure: what was done, why it failed. */
bool conn_fail(struct conn *c, int rc, const char *what, struct err *err);

/* Parameters in order. What fails sticks. */
struct call {
    struct conn *c;
    sqlite3_stmt *st; /* NULL: could not be prepared */
    int rc;
    int at;
};

struct call call_of(struct conn *c, enum query q);
/* SQL made by the caller; ended by call_drop. */
struct call call_sql(struct conn *c, const char *sql);
void call_int(struct call *q, int64_t v);
void call_size(struct call *q, uint64_t v);
void call_text(struct call *q, const char *text); /* borrowed until call_end */
void call_span(struct call *q, struct span octets, bool as_text);
/* True while there are rows. False: q->rc is SQLITE_DONE or the failure. */
bool call_row(struct call *q);
/* Ready for the next use; true when everything worked. */
MUST_CHECK bool call_end(struct call *q, const char *what, struct err *err);
MUST_CHECK bool call_drop(struct call *q, const char *what, struct err *err);
/* Runs a statement without rows. */
MUST_CHECK bool call_run(struct call *q, const char *what, struct err *err);

int64_t col_int(const struct call *q, int i);
uint64_t col_size(const struct call *q, int i);
char *col_text(const struct call *q, int i, struct arena *a); /* NULL stays NULL */
struct span col_span(const struct call *q, int i, struct arena *a);

/* sqlite_access.c: one change of users or tokens. */
MUST_CHECK bool sqlite_apply_user(struct conn *c, const struct change *ch, struct err *err);
MUST_CHECK bool sqlite_apply_token(struct conn *c, const struct change *ch, struct err *err);
/* Runs one change. */
MUST_CHECK bool sqlite_apply(struct conn *c, const struct change *ch, struct err *err);

/* The same, sqlite_purge.c. */
MUST_CHECK bool sqlite_purge_octets(struct conn *c, const struct change *ch, struct err *err);
MUST_CHECK bool sqlite_purge_document(struct conn *c, const struct change *ch, struct err *err);
MUST_CHECK bool sqlite_purge_old(struct conn *c, const struct change *ch, struct err *err);
/* Documents of a block of ids have a common period (sqlite_sql.c). */
#define PERIOD_BITS 10
/* The key of a row payload. */
int64_t octets_key(int64_t document_id, char role);

/* The current row, columns in the order of DOCUMENT_COLUMNS. */
MUST_CHECK bool read_document(const struct call *q, struct arena *a, struct document *d,
                              struct err *err);
void read_job(const struct call *q, struct arena *a, struct job *j);

/* A connection for reading; NULL when none can be opened. */
struct conn *reader_take(struct store *s, struct err *err);
void reader_give(struct store *s, struct conn *c);

/* A growing array in an arena; the old copies die with it. */
struct list {
    struct arena *a;
    size_t item, n, cap;
    void *items;
};
void *list_add(struct list *l);

/* Opening. */
MUST_CHECK bool sqlite_migrate(struct conn *c, struct err *err);
MUST_CHECK bool sqlite_meta_get(struct conn *c, const char *name, int64_t *v, struct err *err);
MUST_CHECK bool sqlite_meta_set(struct conn *c, const char *name, int64_t v, struct err *err);

#endif
