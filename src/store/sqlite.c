/* Opening and closing the embedded store: the data directory, connections, the schema, ids. */
#include "store/sqlite_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *store_test_vfs;

int64_t store_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- connections ------------------------------------------------------------------------ */

static bool set_pragmas(struct conn *c, bool for_writing, struct err *err)
{
    /* Checkpoints are the committing thread's, after it has answered (sqlite_write.c). The log
     * is cut after an unusual transaction has made it long. */
    static const char writing[] = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                  "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8000;"
                                  "PRAGMA journal_size_limit = 67108864;"
                                  "PRAGMA temp_store = MEMORY;";
    static const char reading[] = "PRAGMA query_only = ON; PRAGMA cache_size = -1000;"
                                  "PRAGMA temp_store = MEMORY;";
    struct call q = call_sql(c, "PRAGMA journal_mode = WAL");
    bool wal = call_row(&q) && strcmp((const char *)sqlite3_column_text(q.st, 0), "wal") == 0;

    if (!call_drop(&q, "set its journal mode", err))
        return false;
    if (!wal)
        return FAIL(err, FAIL_LOCAL, 0,
                    "the file system of the data directory cannot hold the store: it has no "
                    "shared memory or locks");
    if (sqlite3_exec(c->db, for_writing ? writing : reading, NULL, NULL, NULL) != SQLITE_OK)
        return conn_fail(c, sqlite3_errcode(c->db), "set up a connection", err);
    return true;
}

/* Its count of the memory it uses costs a lock at each use, and nobody asks for it. */
static void set_up_sqlite(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool conn_open(struct store *s, bool for_writing, struct conn **out, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct conn *c = calloc(1, sizeof(*c));
    const char *vfs = store_test_vfs;
    char path[4096];
    int rc;

    if (c == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    (void)pthread_once(&once, set_up_sqlite);
    if (for_writing && (vfs = log_vfs(vfs, err)) == NULL)
        goto out;
    (void)snprintf(path, sizeof(path), "%s/waybill.db", s->directory);
    rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
    if (rc != SQLITE_OK) {
        conn_fail(c, rc, "open its file", err);
        goto out;
    }
    (void)sqlite3_extended_result_codes(c->db, 1);
    (void)sqlite3_busy_timeout(c->db, 5000);
    if (!set_pragmas(c, for_writing, err))
        goto out;
    *out = c;
    return true;
out:
    conn_free(c);
    return false;
}

void conn_free(struct conn *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < QUERIES; i++)
        (void)sqlite3_finalize(c->cached[i]);
    (void)sqlite3_close(c->db);
    free(c);
}

/* ---- schema and counters ---------------------------------------------------------------- */

bool sqlite_migrate(struct conn *c, struct err *err)
{
    struct call q = call_sql(c, "PRAGMA user_version");
    int version = call_row(&q) ? (int)col_int(&q, 0) : 0;

    if (!call_drop(&q, "read its version", err))
        return false;
    if (version > schema_version)
        return FAIL(err, FAIL_LOCAL, 0,
                    "the store was written by a newer Waybill (version %d, this one knows %d): "
                    "install that one again, or restore a backup made before",
                    version, schema_version);
    for (; version < schema_version; version++) {
        char *sql = sqlite3_mprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT;",
                                    schema_steps[version], version + 1);
        int rc = sql == NULL ? SQLITE_NOMEM : sqlite3_exec(c->db, sql, NULL, NULL, NULL);

        sqlite3_free(sql);
        if (rc != SQLITE_OK)
            return conn_fail(c, rc, "bring its tables up to date", err);
    }
    return true;
}

bool sqlite_meta_get(struct conn *c, const char *name, int64_t *v, struct err *err)
{
    struct call q = call_of(c, Q_GET_META);
    int64_t value = 0;

    call_text(&q, name);
    if (call_row(&q))
        value = col_int(&q, 0);
    if (!call_end(&q, "read a counter", err))
        return false;
    *v = value;
    return true;
}

bool sqlite_meta_set(struct conn *c, const char *name, int64_t v, struct err *err)
{
    struct call q = call_of(c, Q_SET_META);

    call_text(&q, name);
    call_int(&q, v);
    return call_run(&q, "write a counter", err);
}

/* Starts above every id that may have been given, and reserves the next block. */
static bool start_ids(struct store *s, struct err *err)
{
    struct call q = call_of(s->writer, Q_MAX_ID);
    int64_t used = 0, mark = 0;

    if (call_row(&q))
        used = col_int(&q, 0);
    if (!call_end(&q, "read the newest id", err) ||
        !sqlite_meta_get(s->writer, "next_id", &mark, err))
        return false;
    if (mark <= used)
        mark = used + 1;
    atomic_store(&s->next_id, mark);
    atomic_store(&s->id_mark, mark + ID_BLOCK);
    return sqlite_meta_set(s->writer, "next_id", mark + ID_BLOCK, err);
}

int64_t store_next_id(struct store *s)
{
    int64_t id = atomic_fetch_add(&s->next_id, 1);
    struct err err;

    /* Should the disk be full the id is given all the same: it would only be given again if
     * nothing at all were stored with it and the runtime then ended. */
    if (id >= atomic_load(&s->id_mark))
        (void)!commit_line_reserve(s, &err);
    return id;
}

/* ---- directory -------------------------------------------------------------------------- */

static bool make_folder(int at, const char *name, struct err *err)
{
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return FAIL(err, FAIL_LOCAL, 0, "make the folder '%s': %m", name);
    return true;
}

static bool open_folder(int at, const char *name, int *fd, struct err *err)
{
    *fd = open_file_at(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (*fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "open the folder '%s': %m", name);
    return true;
}

/* The file is made here so that it and what SQLite puts beside it are for the owner only. */
static bool make_file(struct store *s, struct err *err)
{
    int fd = open_file_at(s->dir_fd, "waybill.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "open '%s/waybill.db': %m", s->directory);
    close(fd);
    return true;
}

static bool open_directory(struct store *s, struct err *err)
{
    if (!make_folder(AT_FDCWD, s->directory, err) ||
        !open_folder(AT_FDCWD, s->directory, &s->dir_fd, err) ||
        !store_lock_directory(s, err) || !make_folder(s->dir_fd, "payload", err) ||
        !open_folder(s->dir_fd, "payload", &s->payload_fd, err) || !store_check_log(s, err) ||
        !make_file(s, err))
        return false;
    if (fsync(s->dir_fd) != 0)
        return FAIL(err, FAIL_LOCAL, 0, "sync the folder '%s': %m", s->directory);
    return true;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* Of blocks whose documents retention has removed. */
static bool trim_periods(struct conn *c, struct err *err)
{
    struct call q = call_of(c, Q_TRIM_PERIODS);

    return call_run(&q, "forget old periods", err);
}

static bool recover(struct store *s, struct err *err)
{
    return sqlite_migrate(s->writer, err) && start_ids(s, err) &&
           trim_periods(s->writer, err) && store_mark_cut_off(s->writer, err) &&
           store_sweep_payload(s, s->writer, err) && job_index_load(s->jobs, s->writer, err) &&
           counters_load(s->counters, s->writer, err);
}

static void free_parts(struct store *s)
{
    reader_pool_free(s->readers);
    conn_free(s->writer); /* the last connection: it empties the log into the file */
    job_index_free(s->jobs);
    counters_free(s->counters);
    if (s->payload_fd >= 0)
        close(s->payload_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->folder_lock);
    file_hold_free(s->hold);
    free(s->directory);
    free(s);
}

bool store_open(const struct store_config *cfg, struct store **out, struct err *err)
{
    struct store *s;

    if (cfg->url != NULL && strcmp(cfg->url, "sqlite") != 0)
        return FAIL(err, FAIL_LOCAL, 0, "store '%s' is not known: it must be sqlite", cfg->url);
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    s->dir_fd = s->payload_fd = s->lock_fd = -1;
    s->folder_known = -1;
    pthread_mutex_init(&s->folder_lock, NULL);
    s->directory = strdup(cfg->directory);
    s->jobs = job_index_new();
    s->hold = file_hold_new();
    s->counters = counters_new();
    if (s->directory == NULL || s->jobs == NULL || s->hold == NULL || s->counters == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "memory is out");
        goto out;
    }
    if (!open_directory(s, err) || !conn_open(s, true, &s->writer, err) || !recover(s, err) ||
        !reader_pool_new(s, err) || !commit_line_start(s, err))
        goto out;
    *out = s;
    return true;
out:
    free_parts(s);
    return err_context(err, "data directory '%s'", cfg->directory);
}

void store_close(struct store *s)
{
    struct err err;

    if (s == NULL)
        return;
    commit_line_stop(s);
    /* An orderly end gives back the ids that were only reserved. */
    (void)!sqlite_meta_set(s->writer, "next_id", atomic_load(&s->next_id), &err);
    free_parts(s);
}
