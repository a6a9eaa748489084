/* Users, tokens and the audit log: changed and read. */
#include "store/access.h"
#include "store/sqlite_int.h"

/* ---- changes ---------------------------------------------------------------------------- */

static bool add_user(struct conn *c, const struct user *u, struct err *err)
{
    struct call q = call_of(c, Q_ADD_USER);

    call_text(&q, u->name);
    call_text(&q, u->role);
    call_text(&q, u->password);
    call_int(&q, u->created_ms);
    if (!call_run(&q, "add a user", err))
        return false;
    return sqlite3_changes(c->db) > 0 ||
           FAIL(err, FAIL_AGAIN, 0, "there is a user '%s' already", u->name);
}

static bool change_user(struct conn *c, bool drop, const struct user *u, struct err *err)
{
    struct call q = call_of(c, drop ? Q_DROP_USER : Q_SET_USER);

    call_text(&q, u->name);
    if (!drop) {
        call_text(&q, u->role);
        call_text(&q, u->password);
        call_int(&q, u->changed_ms);
    }
    if (!call_run(&q, "change a user", err))
        return false;
    return sqlite3_changes(c->db) > 0 ||
           FAIL(err, FAIL_AGAIN, 0, "there is no user '%s'", u->name);
}

bool sqlite_apply_user(struct conn *c, const struct change *ch, struct err *err)
{
    return ch->kind == CHANGE_ADD_USER
               ? add_user(c, &ch->u.user, err)
               : change_user(c, ch->kind == CHANGE_DROP_USER, &ch->u.user, err);
}

static bool add_token(struct conn *c, const struct token *t, struct err *err)
{
    struct call q = call_of(c, Q_ADD_TOKEN);

    call_text(&q, t->name);
    call_text(&q, t->role);
    call_text(&q, t->hash);
    call_text(&q, t->made_by);
    call_int(&q, t->created_ms);
    call_int(&q, t->expires_ms);
    if (!call_run(&q, "add a token", err))
        return false;
    return sqlite3_changes(c->db) > 0 ||
           FAIL(err, FAIL_AGAIN, 0, "there is a token '%s' already", t->name);
}

static bool change_token(struct conn *c, bool drop, const struct token *t, struct err *err)
{
    struct call q = call_of(c, drop ? Q_DROP_TOKEN : Q_USE_TOKEN);

    call_text(&q, t->name);
    if (!drop)
        call_int(&q, t->used_ms);
    if (!call_run(&q, "change a token", err))
        return false;
    return sqlite3_changes(c->db) > 0 ||
           FAIL(err, FAIL_AGAIN, 0, "there is no token '%s'", t->name);
}

bool sqlite_apply_token(struct conn *c, const struct change *ch, struct err *err)
{
    return ch->kind == CHANGE_ADD_TOKEN
               ? add_token(c, &ch->u.token, err)
               : change_token(c, ch->kind == CHANGE_DROP_TOKEN, &ch->u.token, err);
}

/* ---- reading ---------------------------------------------------------------------------- */

typedef void read_row(const struct call *q, struct arena *a, void *item);

static void read_user(const struct call *q, struct arena *a, void *item)
{
    *(struct user *)item = (struct user) {
        .name = col_text(q, 0, a),
        .role = col_text(q, 1, a),
        .password = col_text(q, 2, a),
        .created_ms = col_int(q, 3),
        .changed_ms = col_int(q, 4),
    };
}

static void read_token(const struct call *q, struct arena *a, void *item)
{
    *(struct token *)item = (struct token) {
        .name = col_text(q, 0, a),
        .role = col_text(q, 1, a),
        .hash = col_text(q, 2, a),
        .made_by = col_text(q, 3, a),
        .created_ms = col_int(q, 4),
        .expires_ms = col_int(q, 5),
        .used_ms = col_int(q, 6),
    };
}

static void read_audit(const struct call *q, struct arena *a, void *item)
{
    *(struct audit_line *)item = (struct audit_line) {
        .id = col_int(q, 0),
        .at_ms = col_int(q, 1),
        .who = col_text(q, 2, a),
        .what = col_text(q, 3, a),
    };
}

/* Runs and ends q. */
static bool read_all(struct call *q, struct list *l, read_row *row, struct err *err)
{
    void *item;

    while (call_row(q) && (item = list_add(l)) != NULL)
        row(q, l->a, item);
    if (!call_end(q, "read who may use it", err))
        return false;
    return !l->a->failed || FAIL(err, FAIL_LOCAL, 0, "memory is out");
}

/* key NULL: a query without one. */
static bool read_by(struct store *s, enum query query, const char *key, struct list *l,
                    read_row *row, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, query);
    if (key != NULL)
        call_text(&q, key);
    ok = read_all(&q, l, row, err);
    reader_give(s, c);
    return ok;
}

bool store_users(struct store *s, struct arena *a, struct user **list, size_t *n,
                 struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };

    if (!read_by(s, Q_USERS, NULL, &l, read_user, err))
        return false;
    *list = l.items;
    *n = l.n;
    return true;
}

bool store_find_user(struct store *s, const char *name, struct arena *a, struct user *u,
                     bool *found, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(*u) };

    if (!read_by(s, Q_FIND_USER, name, &l, read_user, err))
        return false;
    *found = l.n > 0;
    if (l.n > 0)
        *u = *(struct user *)l.items;
    return true;
}

bool store_tokens(struct store *s, struct arena *a, struct token **list, size_t *n,
                  struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };

    if (!read_by(s, Q_TOKENS, NULL, &l, read_token, err))
        return false;
    *list = l.items;
    *n = l.n;
    return true;
}

bool store_find_token(struct store *s, const char *hash, struct arena *a, struct token *t,
                      bool *found, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(*t) };

    if (!read_by(s, Q_FIND_TOKEN, hash, &l, read_token, err))
        return false;
    *found = l.n > 0;
    if (l.n > 0)
        *t = *(struct token *)l.items;
    return true;
}

bool store_audit(struct store *s, const struct audit_filter *f, struct arena *a,
                 struct audit_line **list, size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    struct conn *c = reader_take(s, err);
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_AUDIT);
    call_int(&q, f->before_id > 0 ? f->before_id : INT64_MAX);
    call_text(&q, f->who != NULL ? f->who : "");
    call_int(&q, f->from_ms);
    call_int(&q, f->to_ms > 0 ? f->to_ms : INT64_MAX);
    call_int(&q, f->limit == 0 ? 100 : f->limit > 1000 ? 1000 : (int64_t)f->limit);
    ok = read_all(&q, &l, read_audit, err);
    reader_give(s, c);
    if (!ok)
        return false;
    *list = l.items;
    *n = l.n;
    return true;
}
