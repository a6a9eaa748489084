/* Whether a store is whole: see check.h. */
#include "store/check.h"

#include "store/sqlite_int.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
    struct store s; /* only its folders */
    sqlite3 *db;
    store_check_line *say;
    void *context;
    struct store_check *out;
};

static void say(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct check *k, const char *fmt, ...)
{
    char line[500];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (++k->out->problems <= STORE_CHECK_LINES)
        k->say(line, k->context);
}

/* ---- the database ------------------------------------------------------------------------ */

/* A damaged page may end any statement: that is a finding, too. */
static sqlite3_stmt *begin(struct check *k, const char *sql)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(k->db, sql, -1, &st, NULL) != SQLITE_OK)
        say(k, "the database cannot be read: %s", sqlite3_errmsg(k->db));
    return st;
}

static bool row(struct check *k, sqlite3_stmt *st)
{
    int rc = st == NULL ? SQLITE_DONE : sqlite3_step(st);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        say(k, "the database cannot be read: %s", sqlite3_errmsg(k->db));
    return rc == SQLITE_ROW;
}

static const char *text(sqlite3_stmt *st, int i)
{
    const char *t = (const char *)sqlite3_column_text(st, i);

    return t == NULL ? "" : t;
}

static void check_pages(struct check *k)
{
    sqlite3_stmt *st = begin(k, "PRAGMA integrity_check");

    while (row(k, st))
        if (strcmp(text(st, 0), "ok") != 0)
            say(k, "waybill.db: %s", text(st, 0));
    (void)sqlite3_finalize(st);
}

static void check_version(struct check *k)
{
    sqlite3_stmt *st = begin(k, "PRAGMA user_version");

    if (row(k, st))
        k->out->version = sqlite3_column_int(st, 0);
    if (k->out->version > schema_version)
        say(k, "the store was written by a newer Waybill (version %d, this one knows %d)",
            k->out->version, schema_version);
    (void)sqlite3_finalize(st);
}

/* What belongs to a document that is not there. */
static void check_references(struct check *k)
{
    static const char *const tables[] = { "event", "tracked", "execution", "receipt", "job" };

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        char sql[200];
        sqlite3_stmt *st;

        (void)snprintf(sql, sizeof(sql),
                       "SELECT count(*), min(document_id) FROM %s WHERE document_id <> 0"
                       " AND document_id NOT IN (SELECT id FROM document)",
                       tables[i]);
        st = begin(k, sql);
        if (row(k, st) && sqlite3_column_int64(st, 0) > 0)
            say(k, "%lld rows of the table %s belong to documents that are missing, such as %s",
                (long long)sqlite3_column_int64(st, 0), tables[i], text(st, 1));
        (void)sqlite3_finalize(st);
    }
}

/* ---- payloads ---------------------------------------------------------------------------- */

/* NULL: it is there, as long as it should be. */
static const char *file_problem(struct check *k, const char *path, int64_t size)
{
    struct stat st;

    k->out->files++;
    if (fstatat(k->s.payload_fd, path, &st, 0) != 0)
        return "is missing";
    return st.st_size < size ? "is too short" : NULL;
}

/* The columns of one payload: kind, size, path, octets in the row or NULL. */
static void check_payload(struct check *k, sqlite3_stmt *st, const char *form, int at)
{
    int64_t size = sqlite3_column_int64(st, at + 1);
    const char *problem = NULL;

    switch (sqlite3_column_int(st, at)) {
    case PAYLOAD_ROW:
        if (sqlite3_column_type(st, at + 3) == SQLITE_NULL)
            problem = "is missing";
        else if (sqlite3_column_int64(st, at + 3) != size)
            problem = "has another length";
        break;
    case PAYLOAD_FILE:
        problem = file_problem(k, text(st, at + 2), size);
        break;
    default:
        break;
    }
    if (problem != NULL)
        say(k, "document %lld: its %s payload %s%s%s", (long long)sqlite3_column_int64(st, 0),
            form, problem, text(st, at + 2)[0] != '\0' ? ": payload/" : "", text(st, at + 2));
}

/* What is not protected is opened as it is: its row is that of the raw one. */
static const char payloads[] =
    "SELECT id, raw_kind, raw_size, raw_path,"
    " (SELECT length(octets) FROM octets WHERE key = id * 4), opened_kind, opened_size,"
    " opened_path, (SELECT length(octets) FROM octets WHERE key IN (id * 4, id * 4 + 1)"
    " ORDER BY key DESC LIMIT 1) FROM document";

static void check_payloads(struct check *k)
{
    sqlite3_stmt *st = begin(k, payloads);

    while (row(k, st)) {
        k->out->documents++;
        check_payload(k, st, "raw", 1);
        check_payload(k, st, "opened", 5);
    }
    (void)sqlite3_finalize(st);
}

/* ---- the whole --------------------------------------------------------------------------- */

static bool open_folders(struct check *k, const char *directory, struct err *err)
{
    struct stat st;

    k->s.dir_fd = open_file_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (k->s.dir_fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "cannot open '%s': %m", directory);
    k->s.payload_fd =
        open_file_at(k->s.dir_fd, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (k->s.payload_fd < 0 && fstatat(k->s.dir_fd, "waybill.db", &st, 0) != 0)
        return FAIL(err, FAIL_LOCAL, 0, "there is no store in '%s'", directory);
    if (k->s.payload_fd < 0)
        say(k, "the folder 'payload' is missing");
    return true;
}

/* While a runtime writes the log it is never what it was a moment ago. */
static void check_log(struct check *k)
{
    int fd = open_file_at(k->s.dir_fd, "lock", O_RDWR | O_CLOEXEC, 0);
    struct err err;

    k->out->running = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (!k->out->running && !store_check_log(&k->s, &err))
        say(k, "%s", err.text);
    if (fd >= 0)
        close(fd);
}

/* Nothing is changed: not even the log goes into the file at the end. */
static bool open_database(struct check *k, const char *directory)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/waybill.db", directory);
    if (sqlite3_open_v2(path, &k->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_db_config(k->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(k->db, 5000) == SQLITE_OK &&
        sqlite3_exec(k->db, "PRAGMA query_only = ON; PRAGMA cache_size = -64000; BEGIN", NULL,
                     NULL, NULL) == SQLITE_OK)
        return true;
    say(k, "waybill.db cannot be opened: %s", sqlite3_errmsg(k->db));
    return false;
}

bool store_check(const char *directory, store_check_line *line, void *context,
                 struct store_check *out, struct err *err)
{
    struct check k = {
        .s = { .dir_fd = -1, .payload_fd = -1 }, .say = line, .context = context, .out = out
    };
    struct stat st;
    bool ok;

    *out = (struct store_check) { 0 };
    ok = open_folders(&k, directory, err);
    if (ok && k.s.payload_fd >= 0)
        check_log(&k);
    if (ok && fstatat(k.s.dir_fd, "waybill.db", &st, 0) == 0 && st.st_size > 0 &&
        open_database(&k, directory)) {
        check_version(&k);
        check_pages(&k);
        check_references(&k);
        check_payloads(&k);
    }
    (void)sqlite3_close(k.db);
    if (k.s.payload_fd >= 0)
        close(k.s.payload_fd);
    if (k.s.dir_fd >= 0)
        close(k.s.dir_fd);
    return ok;
}
