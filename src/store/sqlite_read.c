/* Reading: a pool of connections, so that reads run beside commits and beside each other.
 * Each answer is one statement, and with it one consistent picture. */
#include "store/sqlite_int.h"

#include <stdlib.h>

enum { READERS = 4 }; /* connections at most: more than cores read at once gains nothing */

struct reader_pool {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct conn *free;
    int open;
};

bool reader_pool_new(struct store *s, struct err *err)
{
    struct reader_pool *p = calloc(1, sizeof(*p));
    struct conn *c;

    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->given, NULL);
    s->readers = p;
    /* One at least is open from the start, so that later failures only make readers wait. */
    c = reader_take(s, err);
    if (c == NULL)
        return false;
    reader_give(s, c);
    return true;
}

void reader_pool_free(struct reader_pool *p)
{
    if (p == NULL)
        return;
    while (p->free != NULL) {
        struct conn *c = p->free;

        p->free = c->next;
        conn_free(c);
    }
    pthread_cond_destroy(&p->given);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* The connection that a view of this thread reads by. */
static _Thread_local struct {
    struct store *s;
    struct conn *c;
} view;

struct conn *reader_take(struct store *s, struct err *err)
{
    struct reader_pool *p = s->readers;
    struct conn *c = NULL;
    bool opening;

    if (view.s == s)
        return view.c;
    pthread_mutex_lock(&p->lock);
    while (p->free == NULL && p->open == READERS)
        pthread_cond_wait(&p->given, &p->lock);
    opening = p->free == NULL;
    if (opening) {
        p->open++;
    } else {
        c = p->free;
        p->free = c->next;
    }
    pthread_mutex_unlock(&p->lock);
    if (opening && !conn_open(s, false, &c, err)) {
        pthread_mutex_lock(&p->lock);
        p->open--;
        pthread_cond_signal(&p->given);
        pthread_mutex_unlock(&p->lock);
        return NULL;
    }
    return c;
}

void reader_give(struct store *s, struct conn *c)
{
    struct reader_pool *p = s->readers;

    if (view.s == s)
        return;
    pthread_mutex_lock(&p->lock);
    c->next = p->free;
    p->free = c;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

bool store_view_begin(struct store *s, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, Q_BEGIN_READ);
    if (!call_run(&q, "begin to read", err)) {
        reader_give(s, c);
        return false;
    }
    view.s = s;
    view.c = c;
    return true;
}

void store_view_end(struct store *s)
{
    struct conn *c = view.c;
    struct call q = call_of(c, Q_COMMIT);
    struct err ignored;

    (void)!call_run(&q, "end reading", &ignored);
    view.s = NULL;
    view.c = NULL;
    reader_give(s, c);
}

/* ---- answers ---------------------------------------------------------------------------- */

/* Fills one item from the current row. */
typedef bool read_row(const struct call *q, struct arena *a, void *item, struct err *err);

/* Runs q to its end on c, which is given back. */
static bool read_list(struct store *s, struct call *q, read_row *read, size_t item,
                      struct arena *a, void **list, size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = item };
    bool ok = true;

    while (ok && call_row(q)) {
        void *p = list_add(&l);

        ok = p == NULL || read(q, a, p, err);
        if (p == NULL)
            break;
    }
    if (!call_end(q, "read", err))
        ok = false;
    reader_give(s, q->c);
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}

bool read_document(const struct call *q, struct arena *a, struct document *d, struct err *err)
{
    *d = (struct document) {
        .id = col_int(q, 0),
        .outbound = col_int(q, 1) != 0,
        .state = (enum document_state)col_int(q, 2),
        .protocol = col_text(q, 3, a),
        .listener = col_text(q, 4, a),
        .partner = col_text(q, 5, a),
        .from = col_text(q, 6, a),
        .to = col_text(q, 7, a),
        .own = col_text(q, 8, a),
        .peer = col_text(q, 9, a),
        .name = col_text(q, 10, a),
        .identity_key = col_text(q, 11, a),
        .created_ms = col_int(q, 12),
        .changed_ms = col_int(q, 13),
        .size = col_size(q, 14),
        .raw = { (enum payload_kind)col_int(q, 15), col_size(q, 16), col_text(q, 17, a) },
        .opened = { (enum payload_kind)col_int(q, 18), col_size(q, 19), col_text(q, 20, a) },
        .progress = col_size(q, 21),
        .total = col_size(q, 22),
        .records = col_size(q, 23),
        .reason = col_text(q, 24, a),
        .redelivered = col_int(q, 25) != 0,
    };
    if (!props_from_json((const char *)sqlite3_column_text(q->st, 26), a, &d->props))
        return FAIL(err, FAIL_LOCAL, 0, "the properties of document %lld are damaged",
                    (long long)d->id);
    return true;
}

static bool document_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    return read_document(q, a, item, err);
}

bool store_get_document(struct store *s, int64_t id, struct arena *a, struct document *d,
                        bool *found, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    struct document *list;
    size_t n;

    if (c == NULL)
        return false;
    q = call_of(c, Q_GET_DOCUMENT);
    call_int(&q, id);
    if (!read_list(s, &q, document_row, sizeof(*list), a, (void **)&list, &n, err))
        return false;
    if (n > 0)
        *d = list[0];
    *found = n > 0;
    return true;
}

bool store_find_unanswered(struct store *s, int64_t before_ms, struct arena *a,
                           struct document **list, size_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, Q_UNANSWERED);
    call_int(&q, before_ms);
    return read_list(s, &q, document_row, sizeof(**list), a, (void **)list, n, err);
}

static bool event_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    (void)err;
    *(struct event *)item =
        (struct event) { col_int(q, 0), col_text(q, 1, a), col_text(q, 2, a) };
    return true;
}

/* Lists of what belongs to one document. */
static bool list_of(struct store *s, enum query which, int64_t document_id, read_row *read,
                    size_t item, struct arena *a, void **list, size_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, which);
    call_int(&q, document_id);
    return read_list(s, &q, read, item, a, list, n, err);
}

bool store_events(struct store *s, int64_t document_id, struct arena *a, struct event **list,
                  size_t *n, struct err *err)
{
    return list_of(s, Q_EVENTS, document_id, event_row, sizeof(**list), a, (void **)list, n,
                   err);
}

static bool receipt_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    (void)err;
    *(struct receipt *)item = (struct receipt) {
        .id = col_int(q, 0),
        .document_id = col_int(q, 1),
        .kind = col_text(q, 2, a),
        .outbound = col_int(q, 3) != 0,
        .state = col_text(q, 4, a),
        .reason = (int)col_int(q, 5),
        .text = col_text(q, 6, a),
        .creator = col_text(q, 7, a),
        .octets = col_span(q, 8, a),
        .at_ms = col_int(q, 9),
    };
    return true;
}

bool store_receipts_page(struct store *s, const char *state, int64_t before_id, size_t limit,
                         struct arena *a, struct receipt **list, size_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, state != NULL ? Q_RECEIPTS_IN : Q_RECEIPTS);
    call_int(&q, before_id > 0 ? before_id : INT64_MAX);
    call_int(&q, limit == 0 ? 100 : limit > 1000 ? 1000 : (int64_t)limit);
    if (state != NULL)
        call_text(&q, state);
    return read_list(s, &q, receipt_row, sizeof(**list), a, (void **)list, n, err);
}

bool store_receipts(struct store *s, int64_t document_id, const char *state, struct arena *a,
                    struct receipt **list, size_t *n, struct err *err)
{
    struct conn *c;
    struct call q;

    if (document_id == 0)
        return store_receipts_page(s, state, 0, 0, a, list, n, err);
    c = reader_take(s, err);
    if (c == NULL)
        return false;
    q = call_of(c, state != NULL ? Q_RECEIPTS_OF_IN : Q_RECEIPTS_OF);
    call_int(&q, document_id);
    if (state != NULL)
        call_text(&q, state);
    return read_list(s, &q, receipt_row, sizeof(**list), a, (void **)list, n, err);
}

static bool tracked_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    (void)err;
    *(struct tracked *)item = (struct tracked) { col_text(q, 0, a), col_text(q, 1, a) };
    return true;
}

bool store_tracked(struct store *s, int64_t document_id, struct arena *a, struct tracked **list,
                   size_t *n, struct err *err)
{
    return list_of(s, Q_TRACKED, document_id, tracked_row, sizeof(**list), a, (void **)list, n,
                   err);
}

static bool execution_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    (void)err;
    *(struct execution *)item = (struct execution) {
        .id = col_int(q, 0),
        .document_id = col_int(q, 1),
        .started_ms = col_int(q, 2),
        .ended_ms = col_int(q, 3),
        .redelivered = col_int(q, 4) != 0,
        .process = col_text(q, 5, a),
        .outcome = col_text(q, 6, a),
        .text = col_text(q, 7, a),
    };
    return true;
}

bool store_executions(struct store *s, int64_t document_id, struct arena *a,
                      struct execution **list, size_t *n, struct err *err)
{
    return list_of(s, Q_EXECUTIONS, document_id, execution_row, sizeof(**list), a,
                   (void **)list, n, err);
}

static bool deployment_row(const struct call *q, struct arena *a, void *item, struct err *err)
{
    (void)err;
    *(struct deployment *)item = (struct deployment) {
        .kind = col_text(q, 0, a),
        .name = col_text(q, 1, a),
        .version = col_int(q, 2),
        .since = col_int(q, 3),
        .paused = col_int(q, 4) != 0,
        .at_ms = col_int(q, 5),
        .text = col_text(q, 6, a),
    };
    return true;
}

bool store_deployments(struct store *s, const char *kind, struct arena *a,
                       struct deployment **list, size_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, kind != NULL ? Q_DEPLOYMENTS_OF : Q_DEPLOYMENTS);
    if (kind != NULL)
        call_text(&q, kind);
    return read_list(s, &q, deployment_row, sizeof(**list), a, (void **)list, n, err);
}

bool store_versions(struct store *s, const char *kind, const char *name, struct arena *a,
                    struct deployment **list, size_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;

    if (c == NULL)
        return false;
    q = call_of(c, Q_VERSIONS);
    call_text(&q, kind);
    call_text(&q, name);
    return read_list(s, &q, deployment_row, sizeof(**list), a, (void **)list, n, err);
}

bool store_find_seen(struct store *s, const char *key, int64_t now_ms, int64_t *document_id,
                     struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    int64_t id = 0;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_FIND_SEEN);
    call_text(&q, key);
    call_int(&q, now_ms);
    if (call_row(&q))
        id = col_int(&q, 0);
    ok = call_end(&q, "read who holds a key", err);
    reader_give(s, c);
    if (ok)
        *document_id = id;
    return ok;
}

bool store_get_octets(struct store *s, int64_t id, char role, struct arena *a,
                      struct span *octets, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    struct span got = { NULL, 0 };
    bool ok, found;

    if (c == NULL)
        return false;
    q = call_of(c, Q_GET_OCTETS);
    call_int(&q, octets_key(id, role));
    found = call_row(&q);
    if (found)
        got = col_span(&q, 0, a);
    ok = call_end(&q, "read a payload", err);
    reader_give(s, c);
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    if (!found)
        return FAIL(err, FAIL_LOCAL, 0, "document %lld has no %s payload in the store",
                    (long long)id,
                    role == 'r'   ? "raw"
                    : role == 'o' ? "opened"
                                  : "index");
    *octets = got;
    return true;
}

bool store_count_states(struct store *s, uint64_t counts[16], struct err *err)
{
    struct conn *c = reader_take(s, err);
    uint64_t got[16] = { 0 };
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_COUNT_STATES);
    while (call_row(&q)) {
        uint64_t state = col_size(&q, 0);

        if (state < COUNT_OF(got))
            got[state] = col_size(&q, 1);
    }
    ok = call_end(&q, "count documents", err);
    reader_give(s, c);
    if (ok)
        memcpy(counts, got, sizeof(got));
    return ok;
}

bool store_count_held(struct store *s, uint64_t *n, struct err *err)
{
    struct conn *c = reader_take(s, err);
    uint64_t got = 0;
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_COUNT_HELD);
    if (call_row(&q))
        got = col_size(&q, 0);
    ok = call_end(&q, "count documents", err);
    reader_give(s, c);
    if (ok)
        *n = got;
    return ok;
}
