/* The search. The planner cannot know which filter is rare, so one filter is chosen here to
 * drive the search, from rare to common, and its index is named in the statement: with it the
 * statement either uses the index or cannot be prepared. All these indexes are walked by id,
 * newest first, and end with the page.
 *
 * Times: ids ascend as documents are made, so a time is turned into a bound of ids, wide enough
 * for a clock that was set back by an hour; the times themselves are still compared.
 *
 * Text: a prefix in three columns is three searches, each with all the other filters and the
 * limit, of which the newest are taken. Each has to sort what matches, so a prefix that matches
 * much (the code all of our documents are sent to) is looked for by walking the ids instead. */
#include "base/writer.h"
#include "store/sqlite_int.h"

#include <assert.h>

enum {
    FIND_LIMIT = 100,
    FIND_LIMIT_MAX = 1000,
    SQL_MAX = 8000, /* three branches of at most some 1,000 octets each */
    PARAMS_MAX = 96,
    WIDE = 20000,          /* matches from which a walk finds a page sooner than a sort */
    CLOCK_SLACK = 3600000, /* ms */
};

struct search {
    const struct document_filter *f;
    enum document_state state; /* 0: any */
    size_t limit;
    struct span prefix, above; /* from the text up to, not with, its successor */
    bool wide;                 /* the text matches much */
    char sql[SQL_MAX];
    struct writer w;
    struct param {
        bool is_text;
        int64_t number;
        struct span text;
    } params[PARAMS_MAX];
    size_t n;
};

static void sql(struct search *q, const char *text)
{
    writer_put(&q->w, text, strlen(text));
}

static void number(struct search *q, const char *text, int64_t v)
{
    sql(q, text);
    q->params[q->n++] = (struct param) { .number = v };
}

static void text(struct search *q, const char *fragment, struct span v)
{
    sql(q, fragment);
    q->params[q->n++] = (struct param) { .is_text = true, .text = v };
}

static void text_if(struct search *q, const char *fragment, const char *v)
{
    if (v != NULL)
        text(q, fragment, span_text(v));
}

static const struct {
    const char *name, *index;
} text_columns[] = {
    { "name", "document_name" },
    { "sender", "document_sender" },
    { "receiver", "document_receiver" },
};

static const char *driver(const struct search *q)
{
    const struct document_filter *f = q->f;
    bool done = q->state == DOC_PROCESSED || q->state == DOC_ACKNOWLEDGED;

    return f->identity_key != NULL                                ? "document_identity"
           : f->tracked_label != NULL || f->tracked_value != NULL ? NULL /* by id */
           : f->name != NULL                                      ? "document_name"
           : q->state != 0 && !done                               ? "document_state"
           : f->partner != NULL                                   ? "document_partner"
           : f->listener != NULL                                  ? "document_listener"
           : q->state != 0                                        ? "document_state"
           : f->protocol != NULL                                  ? "document_protocol"
           : f->direction != 0                                    ? "document_outbound"
                                                                  : NULL;
}

static void tracked_filter(struct search *q)
{
    const struct document_filter *f = q->f;

    if (f->tracked_label == NULL && f->tracked_value == NULL)
        return;
    sql(q,
        f->tracked_label != NULL
            ? " AND id IN (SELECT document_id FROM tracked INDEXED BY tracked_label WHERE 1"
            : " AND id IN (SELECT document_id FROM tracked INDEXED BY tracked_value WHERE 1");
    text_if(q, " AND label = ?", f->tracked_label);
    text_if(q, " AND value = ?", f->tracked_value);
    sql(q, ")");
}

static void prefix_filter(struct search *q, const char *column)
{
    sql(q, column);
    text(q, " >= ?", q->prefix);
    if (q->above.n == 0)
        return;
    sql(q, " AND ");
    sql(q, column);
    text(q, " < ?", q->above);
}

static void any_prefix_filter(struct search *q)
{
    sql(q, " AND (");
    for (size_t i = 0; i < COUNT_OF(text_columns); i++) {
        sql(q, i == 0 ? "(" : " OR (");
        prefix_filter(q, text_columns[i].name);
        sql(q, ")");
    }
    sql(q, ")");
}

static void time_filter(struct search *q)
{
    const struct document_filter *f = q->f;

    if (f->from_ms != 0) {
        number(q, " AND created_ms >= ?", f->from_ms);
        number(q,
               " AND id > coalesce((SELECT id FROM document INDEXED BY document_created"
               " WHERE created_ms < ? ORDER BY created_ms DESC LIMIT 1), 0)",
               f->from_ms - CLOCK_SLACK);
    }
    if (f->to_ms != 0) {
        number(q, " AND created_ms <= ?", f->to_ms);
        number(q,
               " AND id < coalesce((SELECT id FROM document INDEXED BY document_created"
               " WHERE created_ms > ? ORDER BY created_ms LIMIT 1), 9223372036854775807)",
               f->to_ms + CLOCK_SLACK);
    }
}

/* One search; column: where the text is looked for, NULL when there is none. */
static void branch(struct search *q, const char *what, const char *index, const char *column)
{
    const struct document_filter *f = q->f;

    sql(q, "SELECT ");
    sql(q, what);
    sql(q, " FROM document ");
    sql(q, index != NULL ? "INDEXED BY " : "NOT INDEXED");
    sql(q, index != NULL ? index : "");
    number(q, " WHERE id < ?", f->before_id > 0 ? f->before_id : INT64_MAX);
    text_if(q, " AND identity_key = ?", f->identity_key);
    text_if(q, " AND name = ?", f->name);
    text_if(q, " AND partner = ?", f->partner);
    text_if(q, " AND listener = ?", f->listener);
    text_if(q, " AND protocol = ?", f->protocol);
    if (q->state != 0)
        number(q, " AND state = ?", q->state);
    if (f->direction != 0)
        number(q, " AND outbound = ?", f->direction == 2);
    time_filter(q);
    if (column != NULL) {
        sql(q, " AND ");
        prefix_filter(q, column);
    } else if (q->prefix.n > 0) {
        any_prefix_filter(q);
    }
    tracked_filter(q);
    number(q, " ORDER BY id DESC LIMIT ?", (int64_t)q->limit);
}

static void text_branches(struct search *q)
{
    sql(q, "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id IN (");
    for (size_t i = 0; i < COUNT_OF(text_columns); i++) {
        sql(q, i == 0 ? "SELECT id FROM (" : " UNION SELECT id FROM (");
        branch(q, "id", text_columns[i].index, text_columns[i].name);
        sql(q, ")");
    }
    number(q, ") ORDER BY id DESC LIMIT ?", (int64_t)q->limit);
}

static void bind_all(struct call *call, const struct search *q)
{
    for (size_t i = 0; i < q->n; i++) {
        if (q->params[i].is_text)
            call_span(call, q->params[i].text, true);
        else
            call_int(call, q->params[i].number);
    }
}

static void restart(struct search *q)
{
    q->w = writer_of(q->sql, sizeof(q->sql) - 1);
    q->n = 0;
}

/* Looks at no more than WIDE entries of each index. */
static bool measure(struct search *q, struct conn *c, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(text_columns) && !q->wide; i++) {
        struct call call;

        restart(q);
        sql(q, "SELECT count(*) FROM (SELECT 1 FROM document INDEXED BY ");
        sql(q, text_columns[i].index);
        sql(q, " WHERE ");
        prefix_filter(q, text_columns[i].name);
        number(q, " LIMIT ?)", WIDE);
        q->sql[q->w.n] = '\0';
        call = call_sql(c, q->sql);
        bind_all(&call, q);
        q->wide = call_row(&call) && col_int(&call, 0) == WIDE;
        if (!call_drop(&call, "measure a search", err))
            return false;
    }
    return true;
}

static void set_text(struct search *q, struct arena *a)
{
    uint8_t *above = (uint8_t *)arena_text(a, q->f->text);

    q->prefix = span_text(q->f->text);
    q->above = span_of(above, above == NULL ? 0 : q->prefix.n);
    while (q->above.n > 0 && above[q->above.n - 1] == 0xFF)
        q->above.n--;
    if (q->above.n > 0)
        above[q->above.n - 1]++;
}

/* Makes the statement. *none: there is no such state, and so no such document. */
static bool search_init(struct search *q, const struct document_filter *f, struct conn *c,
                        struct arena *a, bool *none, struct err *err)
{
    bool rarer = f->identity_key != NULL || f->tracked_label != NULL ||
                 f->tracked_value != NULL || f->name != NULL;

    *q = (struct search) { .f = f };
    q->limit = f->limit == 0               ? FIND_LIMIT
               : f->limit > FIND_LIMIT_MAX ? FIND_LIMIT_MAX
                                           : f->limit;
    *none = f->state != NULL && !document_state_of(f->state, &q->state);
    if (f->text != NULL && f->text[0] != '\0') {
        set_text(q, a);
        if (!rarer && !measure(q, c, err))
            return false;
    }
    restart(q);
    if (q->prefix.n == 0 || rarer || q->wide)
        branch(q, DOCUMENT_COLUMNS, driver(q), NULL);
    else
        text_branches(q);
    q->sql[q->w.n] = '\0';
    assert(writer_ok(&q->w) && q->n <= PARAMS_MAX);
    return true;
}

/* Prepares and binds the search on a connection of its own; NULL: nothing can match, or *err
 * is set and *ok false. */
static struct conn *begin(struct store *s, const struct document_filter *f,
                          struct search *search, struct arena *a, bool *ok, struct err *err)
{
    struct conn *c = reader_take(s, err);
    bool none = false;

    *ok = c != NULL && search_init(search, f, c, a, &none, err);
    if (c != NULL && (!*ok || none)) {
        reader_give(s, c);
        return NULL;
    }
    return c;
}

/* Of one key and direction: asked for with every file and every receipt, and prepared once. */
static bool by_key(const struct document_filter *f)
{
    return f->identity_key != NULL && f->direction != 0 && f->limit != 0 &&
           f->limit <= FIND_LIMIT_MAX && f->state == NULL && f->partner == NULL &&
           f->protocol == NULL && f->name == NULL && f->text == NULL && f->listener == NULL &&
           f->from_ms == 0 && f->to_ms == 0 && f->tracked_label == NULL &&
           f->tracked_value == NULL && f->before_id == 0;
}

static bool find_by_key(struct store *s, const struct document_filter *f, struct list *l,
                        struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct document *d;
    struct call q;
    bool ok = true;

    if (c == NULL)
        return false;
    q = call_of(c, Q_BY_KEY);
    call_text(&q, f->identity_key);
    call_int(&q, f->direction == 2);
    call_int(&q, (int64_t)f->limit);
    while (ok && call_row(&q) && (d = list_add(l)) != NULL)
        ok = read_document(&q, l->a, d, err);
    if (!call_end(&q, "find a document by its key", err))
        ok = false;
    reader_give(s, c);
    return ok;
}

bool store_find_documents(struct store *s, const struct document_filter *f, struct arena *a,
                          struct document **list, size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    struct search search;
    struct document *d;
    struct call q;
    struct conn *c = NULL;
    bool ok;

    if (by_key(f))
        ok = find_by_key(s, f, &l, err);
    else
        c = begin(s, f, &search, a, &ok, err);
    if (c != NULL) {
        q = call_sql(c, search.sql);
        bind_all(&q, &search);
        while (ok && call_row(&q) && (d = list_add(&l)) != NULL)
            ok = read_document(&q, a, d, err);
        if (!call_drop(&q, "search documents", err))
            ok = false;
        reader_give(s, c);
    }
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}

bool store_test_plan(struct store *s, const struct document_filter *f, struct arena *a,
                     char **plan, struct err *err)
{
    struct search search;
    char *out = arena_text(a, "");
    struct call q;
    bool ok;
    struct conn *c = begin(s, f, &search, a, &ok, err);

    if (c == NULL)
        return false;
    q = call_sql(c, arena_printf(a, "EXPLAIN QUERY PLAN %s", search.sql));
    bind_all(&q, &search);
    while (call_row(&q))
        out = arena_printf(a, "%s%s\n", out, (const char *)sqlite3_column_text(q.st, 3));
    ok = call_drop(&q, "plan a search", err);
    reader_give(s, c);
    if (ok)
        *plan = out;
    return ok;
}
