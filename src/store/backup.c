/* Backups: see backup.h. The database is copied first, from one read transaction. While files are
 * linked nobody may take away what that copy refers to: removals wait (files_hold), and a file that
 * is to be made anew in the place of another waits, too. Only half-received files change in place:
 * they are copied, and a copy that is shorter than the database says is one that the partner must
 * send from its beginning. */
#include "store/backup.h"

#include "store/sqlite_int.h"
#include "store/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PAGES = 512,    /* of the database, copied at a time */
    PAUSE_US = 500, /* between two of them               */
    MANIFEST_MAX = 4096,
};
static const char manifest_name[] = "waybill.backup";

/* ---- the database ------------------------------------------------------------------------ */

static bool copy_pages(struct conn *from, sqlite3 *to, struct err *err)
{
    sqlite3_backup *b;
    int rc;

    /* One transaction from first to last page: one picture, whatever is committed meanwhile. */
    if (sqlite3_exec(from->db, "BEGIN; SELECT count(*) FROM meta", NULL, NULL, NULL) !=
        SQLITE_OK)
        return conn_fail(from, sqlite3_errcode(from->db), "begin its backup", err);
    b = sqlite3_backup_init(to, "main", from->db, "main");
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "the backup cannot begin: %s", sqlite3_errmsg(to));
    do {
        rc = sqlite3_backup_step(b, PAGES);
        if (rc == SQLITE_OK)
            (void)usleep(PAUSE_US);
    } while (rc == SQLITE_OK);
    if (sqlite3_backup_finish(b) != SQLITE_OK || rc != SQLITE_DONE)
        return FAIL(err, FAIL_LOCAL, 0, "the database cannot be copied: %s",
                    sqlite3_errmsg(to));
    return true;
}

static bool number(sqlite3 *db, const char *sql, uint64_t *n, struct err *err)
{
    sqlite3_stmt *st = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
              sqlite3_step(st) == SQLITE_ROW;

    if (ok)
        *n = (uint64_t)sqlite3_column_int64(st, 0);
    else
        FAIL(err, FAIL_LOCAL, 0, "the copied database cannot be read: %s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(st);
    return ok;
}

static bool copy_database(struct store *s, int dir, const char *directory, sqlite3 **to,
                          struct store_backup *out, struct err *err)
{
    struct conn *from = NULL;
    char path[4096];
    uint64_t sealed = 0;
    int fd = open_file_at(dir, "waybill.db", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "cannot make '%s/waybill.db': %m", directory);
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/waybill.db", directory);
    ok = conn_open(s, false, &from, err);
    if (ok && sqlite3_open_v2(path, to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot open '%s': %s", path, sqlite3_errmsg(*to));
    /* All is synced at the end; half a backup is none. */
    if (ok)
        (void)sqlite3_exec(*to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
                           NULL, NULL);
    ok = ok && copy_pages(from, *to, err);
    /* What is read from it must not need a log beside it. */
    if (ok)
        (void)sqlite3_exec(*to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    ok = ok && number(*to, "SELECT count(*) FROM document", &out->documents, err) &&
         number(
             *to,
             "SELECT count(*) FROM deployment WHERE dropped = 0 AND instr(text, 'sealed_key')",
             &sealed, err);
    out->sealed_keys = sealed > 0;
    conn_free(from);
    return ok;
}

/* ---- the payloads ------------------------------------------------------------------------ */

/* The files that the copied database refers to, and their indexes. */
static bool copy_payloads(struct store *s, sqlite3 *db, int to, struct store_backup *out,
                          struct err *err)
{
    static const char sql[] = "SELECT id, state, raw_kind, raw_path, opened_kind, opened_path"
                              " FROM document WHERE raw_kind <> 0 OR opened_kind <> 0";
    struct tree_copy t = { .from = s->payload_fd, .to = to, .link = true };
    char index[PAYLOAD_PATH];
    sqlite3_stmt *st = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;
    int rc = ok ? SQLITE_ROW : SQLITE_ERROR;

    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        bool partial = sqlite3_column_int(st, 1) == DOC_RECEIVING;

        t.link = !partial;
        for (int i = 2; ok && i <= 4; i += 2)
            if (sqlite3_column_int(st, i) == PAYLOAD_FILE)
                ok = tree_copy_file(&t, (const char *)sqlite3_column_text(st, i + 1), false,
                                    err);
        payload_path(sqlite3_column_int64(st, 0), 'x', index);
        ok = ok && (sqlite3_column_int(st, 2) == PAYLOAD_NONE ||
                    tree_copy_file(&t, index, true, err));
    }
    if (ok && rc != SQLITE_DONE)
        ok = FAIL(err, FAIL_LOCAL, 0, "the copied database cannot be read: %s",
                  sqlite3_errmsg(db));
    (void)sqlite3_finalize(st);
    out->files = t.files;
    out->linked = t.linked;
    out->octets += t.octets;
    return ok;
}

/* ---- the whole --------------------------------------------------------------------------- */

static bool write_manifest(int dir, const struct store_backup *b, struct err *err)
{
    json_t *o = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:b}", "waybill", WAYBILL_VERSION,
                          "schema", schema_version, "at_ms", (json_int_t)b->at_ms, "documents",
                          (json_int_t)b->documents, "files", (json_int_t)b->files, "octets",
                          (json_int_t)b->octets, "sealed_keys", (int)b->sealed_keys);
    char *text = o == NULL ? NULL : json_dumps(o, JSON_INDENT(2));
    int fd = open_file_at(dir, manifest_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text != NULL && write_file(fd, span_text(text)) &&
              write_file(fd, span_text("\n")) && fsync(fd) == 0 && fsync(dir) == 0;

    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "cannot write '%s': %m", manifest_name);
    if (fd >= 0)
        (void)close(fd);
    free(text);
    json_decref(o);
    return ok;
}

static bool make_all(struct store *s, int dir, const char *directory, struct store_backup *out,
                     struct err *err)
{
    sqlite3 *db = NULL;
    struct stat st;
    int payload = -1;
    bool ok = copy_database(s, dir, directory, &db, out, err);

    if (ok &&
        (mkdirat(dir, "payload", 0700) != 0 ||
         (payload = open_file_at(dir, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0))
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot make '%s/payload': %m", directory);
    ok = ok && copy_payloads(s, db, payload, out, err);
    (void)sqlite3_close(db);
    if (ok && fstatat(dir, "waybill.db", &st, 0) == 0)
        out->octets += (uint64_t)st.st_size;
    if (ok && syncfs(dir) != 0)
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot sync '%s': %m", directory);
    ok = ok && write_manifest(dir, out, err);
    if (payload >= 0)
        (void)close(payload);
    return ok;
}

bool store_make_backup(struct store *s, const char *directory, struct store_backup *out,
                       struct err *err)
{
    struct store_backup b = { .at_ms = store_clock_ms() };
    int dir = -1;
    bool ok;

    if (!files_hold(s))
        return FAIL(err, FAIL_LOCAL, 409, "another backup is being made");
    ok = tree_open_empty(directory, NULL, &dir, err) && make_all(s, dir, directory, &b, err);
    files_release(s);
    if (dir >= 0)
        (void)close(dir);
    if (ok)
        *out = b;
    return ok;
}

static int64_t of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

bool store_read_backup(const char *directory, struct store_backup *out, struct err *err)
{
    char path[4096];
    json_error_t where;
    json_t *o;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, manifest_name);
    o = json_load_file(path, 0, &where);
    if (!json_is_object(o)) {
        json_decref(o);
        return FAIL(err, FAIL_LOCAL, 0, "'%s' is no backup, or not a whole one: %s", directory,
                    where.text);
    }
    *out = (struct store_backup) {
        .at_ms = of(o, "at_ms"),
        .documents = (uint64_t)of(o, "documents"),
        .files = (uint64_t)of(o, "files"),
        .octets = (uint64_t)of(o, "octets"),
        .sealed_keys = json_is_true(json_object_get(o, "sealed_keys")),
    };
    if (of(o, "schema") > schema_version) {
        json_decref(o);
        return FAIL(err, FAIL_LOCAL, 0, "the backup was made by a newer Waybill");
    }
    json_decref(o);
    return true;
}

bool store_restore(const char *backup, const char *data_directory, struct store_backup *out,
                   struct err *err)
{
    static const char *const ours[] = { "waybill.db", "waybill.db-wal", "payload", "lock",
                                        NULL };
    struct store_backup b;
    struct tree_copy t = { .from = -1, .to = -1 };
    int from = -1, to = -1;
    bool ok =
        store_read_backup(backup, &b, err) && tree_open_empty(data_directory, ours, &to, err);

    if (ok &&
        (from = open_file_at(AT_FDCWD, backup, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0)
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot open '%s': %m", backup);
    t.from = from;
    t.to = to;
    ok = ok && tree_copy_below(&t, "payload", err);
    if (ok && t.files != b.files)
        ok = FAIL(err, FAIL_LOCAL, 0, "the backup has %llu payload files, expected %llu",
                  (unsigned long long)t.files, (unsigned long long)b.files);
    if (ok && syncfs(to) != 0)
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot sync '%s': %m", data_directory);
    /* Last, under its name when whole. */
    ok = ok && tree_copy_as(&t, "waybill.db", "waybill.db.new", err);
    if (ok && (syncfs(to) != 0 || renameat(to, "waybill.db.new", to, "waybill.db") != 0 ||
               fsync(to) != 0))
        ok = FAIL(err, FAIL_LOCAL, 0, "cannot put '%s/waybill.db' in its place: %m",
                  data_directory);
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    if (ok)
        *out = b;
    return ok;
}
