/* Preparing, binding, stepping and reading statements. */
#include "store/sqlite_int.h"

#include <errno.h>

bool conn_fail(struct conn *c, int rc, const char *what, struct err *err)
{
    const char *text = c != NULL && c->db != NULL ? sqlite3_errmsg(c->db) : "memory is out";

    /* Not every write that finds no space is told as such. */
    if ((rc & 0xFF) == SQLITE_IOERR && c != NULL && c->db != NULL &&
        sqlite3_system_errno(c->db) == ENOSPC)
        rc = SQLITE_FULL;
    switch (rc & 0xFF) {
    case SQLITE_FULL:
        return FAIL(err, FAIL_LOCAL, 0, "disk full: the store could not %s", what);
    case SQLITE_IOERR:
        return FAIL(err, FAIL_LOCAL, 0, "input/output error: the store could not %s: %s (%d)",
                    what, text, rc);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAIL(err, FAIL_LOCAL, 0,
                    "the store's file waybill.db is damaged: could not %s: %s; `waybill check "
                    "--store` says where; restore a backup, or save what can be read with "
                    "`sqlite3 waybill.db .dump`",
                    what, text);
    case SQLITE_BUSY:
        return FAIL(err, FAIL_LOCAL, 0,
                    "another program locks the store's file waybill.db: could not %s; `fuser "
                    "waybill.db` tells which, end it",
                    what);
    default:
        return FAIL(err, FAIL_LOCAL, 0, "the store could not %s: %s (%d)", what, text, rc);
    }
}

struct call call_of(struct conn *c, enum query q)
{
    struct call call = { c, c->cached[q], SQLITE_OK, 0 };

    if (call.st == NULL) {
        call.rc = sqlite3_prepare_v3(c->db, query_text[q], -1, SQLITE_PREPARE_PERSISTENT,
                                     &c->cached[q], NULL);
        call.st = c->cached[q];
    }
    return call;
}

struct call call_sql(struct conn *c, const char *sql)
{
    struct call call = { c, NULL, SQLITE_OK, 0 };

    call.rc = sqlite3_prepare_v2(c->db, sql, -1, &call.st, NULL);
    return call;
}

void call_int(struct call *q, int64_t v)
{
    q->at++;
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_int64(q->st, q->at, v);
}

void call_size(struct call *q, uint64_t v)
{
    call_int(q, (int64_t)v);
}

void call_text(struct call *q, const char *text)
{
    q->at++;
    if (q->rc == SQLITE_OK && text != NULL)
        q->rc = sqlite3_bind_text(q->st, q->at, text, -1, SQLITE_STATIC);
}

void call_span(struct call *q, struct span octets, bool as_text)
{
    const void *p = octets.n > 0 ? (const void *)octets.p : "";

    q->at++;
    if (q->rc != SQLITE_OK)
        return;
    if (as_text)
        q->rc = sqlite3_bind_text64(q->st, q->at, p, octets.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        q->rc = sqlite3_bind_blob64(q->st, q->at, p, octets.n, SQLITE_STATIC);
}

bool call_row(struct call *q)
{
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW)
        return false;
    q->rc = sqlite3_step(q->st);
    return q->rc == SQLITE_ROW;
}

/* Stopping before the last row is no failure: many look at the first only. */
static bool worked(struct call *q, const char *what, struct err *err)
{
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW || q->rc == SQLITE_DONE)
        return true;
    return conn_fail(q->c, q->rc, what, err);
}

bool call_end(struct call *q, const char *what, struct err *err)
{
    bool ok = worked(q, what, err);

    if (q->st != NULL) {
        (void)sqlite3_reset(q->st);
        (void)sqlite3_clear_bindings(q->st);
    }
    return ok;
}

bool call_drop(struct call *q, const char *what, struct err *err)
{
    bool ok = worked(q, what, err);

    (void)sqlite3_finalize(q->st);
    return ok;
}

bool call_run(struct call *q, const char *what, struct err *err)
{
    while (call_row(q)) {
    }
    return call_end(q, what, err);
}

int64_t col_int(const struct call *q, int i)
{
    return sqlite3_column_int64(q->st, i);
}

uint64_t col_size(const struct call *q, int i)
{
    return (uint64_t)sqlite3_column_int64(q->st, i);
}

char *col_text(const struct call *q, int i, struct arena *a)
{
    return arena_text(a, (const char *)sqlite3_column_text(q->st, i));
}

struct span col_span(const struct call *q, int i, struct arena *a)
{
    const void *p = sqlite3_column_blob(q->st, i);
    struct span s = { p, (size_t)sqlite3_column_bytes(q->st, i) };

    if (p == NULL)
        return (struct span) { NULL, 0 };
    return span_of(arena_copy(a, s), s.n);
}

void *list_add(struct list *l)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : 2 * l->cap;
        void *p = arena_take(l->a, cap * l->item);

        if (p == NULL)
            return NULL;
        if (l->n > 0)
            memcpy(p, l->items, l->n * l->item);
        l->items = p;
        l->cap = cap;
    }
    return (char *)l->items + l->item * l->n++;
}
