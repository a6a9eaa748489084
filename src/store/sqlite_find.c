/* The search. Each filter is a term that gives ids, newest first (sqlite_ids.h); what all of them
 * have is found by asking each in turn for its next id below the others', so that no plan has to
 * guess which filter is rare: the work follows the rarest, and two that are common and never meet
 * cost two walks along their indexes, not the reading of documents.
 *
 * An index of two columns serves the second by itself, too: it is walked for each value of the first,
 * of which there are few (partners, labels, states).
 *
 * Prefixes come in the order of the text. What they have is sorted by id if it is not much; a prefix
 * that has much (the term is wide) is told by looking at the documents that the other terms have,
 * or at all from the newest on, which soon fills a page. Should it not, because what has the
 * prefix is all old or never has the rest, all that the index has of it is marked in a map of ids.
 *
 * Times: `period` tells when the documents of each block of ids were made. Only its blocks are
 * looked at, whatever the clock did. */
#include "store/sqlite_ids.h"

enum {
    FIND_LIMIT = 100,
    FIND_LIMIT_MAX = 1000,
    TERMS_MAX = 10,
    BLOCK = 1 << PERIOD_BITS,
};

size_t find_misses_max = 1000; /* documents looked at in vain before a wide term is marked */

struct search {
    const struct document_filter *f;
    enum document_state state; /* 0: any */
    size_t limit;
    struct ids_scope scope;
    struct ids_term terms[TERMS_MAX];
    size_t terms_n;
    int64_t *blocks; /* of ids, descending; NULL: all */
    size_t blocks_n, block_at;
    size_t misses;
    struct arena scratch; /* for properties that are looked at */
    struct list found;
};

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---- terms ------------------------------------------------------------------------------- */

static struct ids_term *add_term(struct search *q)
{
    struct ids_term *t = &q->terms[q->terms_n++];

    ids_term_init(t, q->scope.a);
    return t;
}

static bool next_value(struct search *q, enum query which, const char *after,
                       const struct ids_key *rest, int rest_n, const char **value,
                       struct err *err)
{
    struct call c = call_of(q->scope.c, which);

    call_text(&c, after);
    for (int i = 0; i < rest_n; i++)
        if (rest[i].is_number)
            call_int(&c, rest[i].number);
        else
            call_text(&c, rest[i].text);
    *value = call_row(&c) ? col_text(&c, 0, q->scope.a) : NULL;
    return call_end(&c, "search documents", err);
}

/* A walk over the values of a column: NULL, "", then the others in their order. */
struct values {
    enum query which;
    struct ids_key rest[2]; /* the columns before it */
    int rest_n;
    int step;
    const char *at;
    bool fixed; /* only this one: at */
};

/* *more false: there are no more. */
static bool values_next(struct search *q, struct values *v, bool *more, struct err *err)
{
    const char *next;

    *more = true;
    if (v->fixed) {
        *more = v->step++ == 0;
        return true;
    }
    if (v->step < 2) {
        v->at = v->step++ == 0 ? NULL : "";
        return true;
    }
    if (!next_value(q, v->which, v->at, v->rest, v->rest_n, &next, err))
        return false;
    v->at = next;
    *more = next != NULL;
    return !q->scope.a->failed || FAIL(err, FAIL_LOCAL, 0, "memory is out");
}

static struct ids_key text_key(const char *text)
{
    return (struct ids_key) { .text = text };
}

static struct ids_key number_key(int64_t v)
{
    return (struct ids_key) { .is_number = true, .number = v };
}

static void text_term(struct search *q, enum query which, const char *value)
{
    struct ids_key key = text_key(value);

    if (value != NULL)
        ids_add(add_term(q), which, &key, 1);
}

/* State, direction, protocol. */
static bool kind_term(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    struct ids_term *t;
    bool more = true;

    if (q->state == 0 && f->direction == 0 && f->protocol == NULL)
        return true;
    t = add_term(q);
    for (int i = 0; i < 2 * (DOC_OVERDUE + 1); i++) {
        struct ids_key key[3] = { number_key(i / 2), number_key(i % 2) };
        struct values v = { .which = Q_NEXT_PROTOCOL,
                            .rest = { key[0], key[1] },
                            .rest_n = 2,
                            .at = f->protocol,
                            .fixed = f->protocol != NULL };

        if ((q->state != 0 && i / 2 != (int)q->state) ||
            (f->direction != 0 && i % 2 != (f->direction == 2)))
            continue;
        for (;;) {
            if (!values_next(q, &v, &more, err))
                return false;
            if (!more)
                break;
            key[2] = text_key(v.at);
            ids_add(t, Q_IDS_KIND, key, 3);
        }
    }
    return true;
}

static bool partner_term(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    struct values p = { .which = Q_NEXT_PARTNER,
                        .at = f->partner,
                        .fixed = f->partner != NULL };
    struct ids_term *t;
    bool more = true;

    if (f->partner == NULL && f->listener == NULL)
        return true;
    t = add_term(q);
    for (;;) {
        struct values l = { .which = Q_NEXT_LISTENER,
                            .rest_n = 1,
                            .at = f->listener,
                            .fixed = f->listener != NULL };

        if (!values_next(q, &p, &more, err))
            return false;
        if (!more)
            return true;
        l.rest[0] = text_key(p.at);
        for (;;) {
            struct ids_key key[2] = { l.rest[0] };

            if (!values_next(q, &l, &more, err))
                return false;
            if (!more)
                break;
            key[1] = text_key(l.at);
            ids_add(t, Q_IDS_PARTNER, key, 2);
        }
    }
}

static bool begins(const char *text, const char *prefix)
{
    return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Pairs of which one begins so. */
static bool pair_cursors(struct search *q, struct ids_term *t, struct err *err)
{
    struct values s = { .which = Q_NEXT_SENDER };
    bool more = true;

    for (;;) {
        struct values r = { .which = Q_NEXT_RECEIVER, .rest_n = 1 };

        if (!values_next(q, &s, &more, err))
            return false;
        if (!more)
            return true;
        r.rest[0] = text_key(s.at);
        for (;;) {
            struct ids_key key[2] = { r.rest[0] };

            if (!values_next(q, &r, &more, err))
                return false;
            if (!more)
                break;
            key[1] = text_key(r.at);
            if (begins(s.at, q->f->text) || begins(r.at, q->f->text))
                ids_add(t, Q_IDS_PAIR, key, 2);
        }
    }
}

static bool names_term(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    struct arena *a = q->scope.a;
    struct ids_key key = text_key(f->file_name);
    struct ids_term *t;

    if (f->file_name != NULL) {
        t = add_term(q);
        ids_add(t, Q_IDS_NAME, &key, 1);
        ids_add(t, Q_IDS_FILE_NAME, &key, 1);
    }
    if (given(f->file_name_prefix)) {
        t = add_term(q);
        ids_add_range(t, Q_RANGE_NAME, ids_prefix_of(f->file_name_prefix, a), NULL);
        ids_add_range(t, Q_RANGE_FILE_NAME, ids_prefix_of(f->file_name_prefix, a), NULL);
    }
    if (!given(f->text))
        return true;
    t = add_term(q);
    ids_add_range(t, Q_RANGE_NAME, ids_prefix_of(f->text, a), NULL);
    ids_add_range(t, Q_RANGE_FILE_NAME, ids_prefix_of(f->text, a), NULL);
    return pair_cursors(q, t, err);
}

static bool tracked_term(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    const char *prefix = f->tracked_value_prefix;
    struct values l = { .which = Q_NEXT_LABEL,
                        .at = f->tracked_label,
                        .fixed = f->tracked_label != NULL };
    struct ids_term *t;
    bool more = true;

    if (f->tracked_label == NULL && f->tracked_value == NULL && !given(prefix))
        return true;
    t = add_term(q);
    for (;;) {
        struct ids_key key[2];

        if (!values_next(q, &l, &more, err))
            return false;
        if (!more)
            return true;
        if (l.at == NULL) /* no label is */
            continue;
        key[0] = text_key(l.at);
        key[1] = text_key(f->tracked_value);
        if (f->tracked_value != NULL)
            ids_add(t, Q_IDS_TRACKED, key, 2);
        else
            ids_add_range(t, Q_RANGE_TRACKED,
                          ids_prefix_of(prefix == NULL ? "" : prefix, q->scope.a), l.at);
    }
}

/* "<a@b>" and "a@b" are the same. */
static const char *bare_message_id(const char *text, struct arena *a)
{
    size_t n;
    char *bare;

    if (text == NULL)
        return NULL;
    text += strspn(text, " <>");
    bare = arena_text(a, text);
    for (n = bare == NULL ? 0 : strlen(bare); n > 0 && strchr(" <>", bare[n - 1]) != NULL; n--)
        bare[n - 1] = '\0';
    return bare;
}

/* ---- times ------------------------------------------------------------------------------- */

static bool read_blocks(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    struct list l = { .a = q->scope.a, .item = sizeof(int64_t) };
    struct call c;
    int64_t *block;

    if (f->from_ms == 0 && f->to_ms == 0)
        return true;
    c = call_of(q->scope.c, Q_PERIODS);
    call_int(&c, f->from_ms == 0 ? INT64_MIN : f->from_ms);
    call_int(&c, f->to_ms == 0 ? INT64_MAX : f->to_ms);
    while (call_row(&c) && (block = list_add(&l)) != NULL)
        *block = col_int(&c, 0);
    if (!call_end(&c, "search documents", err))
        return false;
    if (q->scope.a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    q->blocks = l.items;
    q->blocks_n = l.n;
    if (l.n == 0) {
        q->scope.below = 0;
        return true;
    }
    if ((q->blocks[0] + 1) * BLOCK < q->scope.below)
        q->scope.below = (q->blocks[0] + 1) * BLOCK;
    q->scope.floor = q->blocks[l.n - 1] * BLOCK;
    return true;
}

/* The greatest id below `below` in a block that may have the time; 0: there is none. */
static int64_t in_time(struct search *q, int64_t below)
{
    if (q->blocks == NULL)
        return below - 1;
    while (q->block_at < q->blocks_n && q->blocks[q->block_at] * BLOCK >= below)
        q->block_at++;
    if (q->block_at == q->blocks_n)
        return 0;
    return (q->blocks[q->block_at] + 1) * BLOCK < below
               ? (q->blocks[q->block_at] + 1) * BLOCK - 1
               : below - 1;
}

/* ---- documents --------------------------------------------------------------------------- */

static bool same(const char *want, const char *is)
{
    return want == NULL || (is != NULL && strcmp(want, is) == 0);
}

static const char *column(const struct call *c, int i)
{
    return (const char *)sqlite3_column_text(c->st, i);
}

/* Whether a tracked field of the document fits; only asked where the term was wide. */
static bool tracked_fits(struct search *q, int64_t id, bool *fits, struct err *err)
{
    const struct document_filter *f = q->f;
    struct call c = call_of(q->scope.c, Q_TRACKED);

    call_int(&c, id);
    *fits = false;
    while (!*fits && call_row(&c)) {
        const char *label = (const char *)sqlite3_column_text(c.st, 0);
        const char *value = (const char *)sqlite3_column_text(c.st, 1);

        *fits = same(f->tracked_label, label) && same(f->tracked_value, value) &&
                (f->tracked_value_prefix == NULL || begins(value, f->tracked_value_prefix));
    }
    return call_end(&c, "search documents", err);
}

/* The name that a file sent by OFTP2 came with, as in the index document_file_name; NULL: none. */
static const char *file_name_of(struct search *q, const struct call *c)
{
    const char *protocol = column(c, 3), *json = column(c, 26);
    struct props props;

    if (col_int(c, 1) == 0 || protocol == NULL || strcmp(protocol, "oftp2") != 0 ||
        json == NULL || strstr(json, "\"file_name\"") == NULL ||
        !props_from_json(json, &q->scratch, &props))
        return NULL;
    return props_get(&props, "file_name");
}

static bool text_fits(struct search *q, const struct call *c)
{
    const struct document_filter *f = q->f;
    const char *name = column(c, 10), *text = given(f->text) ? f->text : NULL;
    bool name_fits = f->file_name_prefix == NULL || begins(name, f->file_name_prefix);
    bool found = text == NULL || begins(name, text) || begins(column(c, 6), text) ||
                 begins(column(c, 7), text);

    if (!same(f->protocol, column(c, 3)) || !same(f->listener, column(c, 4)) ||
        !same(f->partner, column(c, 5)) || !same(f->name, name) ||
        !same(f->identity_key, column(c, 11)))
        return false;
    if (!name_fits || !found) {
        const char *file = file_name_of(q, c);

        name_fits = name_fits || begins(file, f->file_name_prefix);
        found = found || begins(file, text);
    }
    return name_fits && found;
}

/* What is seen without taking the document apart; columns as in DOCUMENT_COLUMNS. */
static bool numbers_fit(const struct search *q, const struct call *c)
{
    const struct document_filter *f = q->f;
    int64_t created_ms = col_int(c, 12);

    return (q->state == 0 || col_int(c, 2) == (int64_t)q->state) &&
           (f->direction == 0 || (col_int(c, 1) != 0) == (f->direction == 2)) &&
           (f->from_ms == 0 || created_ms >= f->from_ms) &&
           (f->to_ms == 0 || created_ms <= f->to_ms);
}

static bool fits(struct search *q, const struct call *c, bool *is, struct err *err)
{
    const struct document_filter *f = q->f;

    *is = numbers_fit(q, c) && text_fits(q, c);
    if (!*is || (f->tracked_label == NULL && f->tracked_value == NULL &&
                 !given(f->tracked_value_prefix)))
        return true;
    return tracked_fits(q, col_int(c, 0), is, err);
}

/* Reads a document into the list if it fits. */
static bool look_at(struct search *q, int64_t id, struct err *err)
{
    struct call c = call_of(q->scope.c, Q_GET_DOCUMENT);
    struct document *to;
    bool ok = true, is = false;

    call_int(&c, id);
    if (call_row(&c) && (ok = fits(q, &c, &is, err)) && is &&
        (to = list_add(&q->found)) != NULL)
        ok = read_document(&c, q->scope.a, to, err);
    if (!call_end(&c, "search documents", err))
        ok = false;
    q->misses += !is;
    if (q->scratch.total > 65536)
        arena_free(&q->scratch);
    return ok;
}

/* ---- the search -------------------------------------------------------------------------- */

/* The greatest id below `below` that all terms have; 0: there is none. */
static bool next_of_all(struct search *q, int64_t below, int64_t *out, struct err *err)
{
    int64_t id = below - 1, one;
    size_t agreed = 0;

    *out = 0;
    for (size_t i = 0; agreed < q->terms_n + 1; i = (i + 1) % (q->terms_n + 1)) {
        if (i < q->terms_n && q->terms[i].wide) {
            agreed++;
            continue;
        }
        if (i == q->terms_n)
            one = in_time(q, id + 1);
        else if (!ids_next(&q->terms[i], &q->scope, id + 1, &one, err))
            return false;
        if (one <= 0 || one < q->scope.floor)
            return true;
        agreed = one == id ? agreed + 1 : 1;
        id = one;
    }
    *out = id;
    return true;
}

/* Wide terms give ids from now on. */
static bool mark_wide(struct search *q, struct err *err)
{
    for (size_t i = 0; i < q->terms_n; i++)
        if (q->terms[i].wide && !ids_widen(&q->terms[i], &q->scope, err))
            return false;
    return true;
}

static bool any_wide(const struct search *q)
{
    for (size_t i = 0; i < q->terms_n; i++)
        if (q->terms[i].wide)
            return true;
    return false;
}

static bool run(struct search *q, struct err *err)
{
    int64_t id = q->scope.below;

    while (q->found.n < q->limit) {
        if (q->misses > find_misses_max && any_wide(q) && !mark_wide(q, err))
            return false;
        if (!next_of_all(q, id, &id, err))
            return false;
        if (id == 0)
            return true;
        if (!look_at(q, id, err))
            return false;
        if (q->scope.a->failed)
            return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    }
    return true;
}

static bool make_terms(struct search *q, struct err *err)
{
    const struct document_filter *f = q->f;
    bool ids = false;

    if (f->held)
        ids_add(add_term(q), Q_IDS_HELD, NULL, 0);
    text_term(q, Q_IDS_IDENTITY, f->identity_key);
    text_term(q, Q_IDS_MESSAGE, bare_message_id(f->message_id, q->scope.a));
    text_term(q, Q_IDS_NAME, f->name);
    if (!names_term(q, err) || !tracked_term(q, err) || !partner_term(q, err) ||
        !kind_term(q, err))
        return false;
    for (size_t i = 0; i < q->terms_n; i++) {
        if (!ids_open(&q->terms[i], &q->scope, err))
            return false;
        ids = ids || !q->terms[i].wide;
    }
    if (!ids)
        ids_add(add_term(q), Q_IDS, NULL, 0);
    return true;
}

static bool search(struct search *q, struct err *err)
{
    struct call c = call_of(q->scope.c, Q_BEGIN_READ);
    struct err ignored;
    bool ok = call_run(&c, "begin a search", err) && read_blocks(q, err) &&
              make_terms(q, err) && run(q, err);

    c = call_of(q->scope.c, Q_COMMIT);
    (void)!call_run(&c, "end a search", &ignored);
    for (size_t i = 0; i < q->terms_n; i++)
        ids_term_free(&q->terms[i]);
    arena_free(&q->scratch);
    return ok;
}

/* Of one key and direction: asked for with every file and every receipt, and prepared once. */
static bool by_key(const struct document_filter *f)
{
    return f->identity_key != NULL && f->direction != 0 && f->limit != 0 &&
           f->limit <= FIND_LIMIT_MAX && f->state == NULL && f->partner == NULL &&
           f->protocol == NULL && f->name == NULL && f->text == NULL && f->listener == NULL &&
           f->file_name == NULL && f->file_name_prefix == NULL && f->message_id == NULL &&
           f->from_ms == 0 && f->to_ms == 0 && f->tracked_label == NULL &&
           f->tracked_value == NULL && f->tracked_value_prefix == NULL && f->before_id == 0 &&
           !f->held;
}

static bool find_by_key(struct conn *c, const struct document_filter *f, struct list *l,
                        struct err *err)
{
    struct call q = call_of(c, Q_BY_KEY);
    struct document *d;
    bool ok = true;

    call_text(&q, f->identity_key);
    call_int(&q, f->direction == 2);
    call_int(&q, (int64_t)f->limit);
    while (ok && call_row(&q) && (d = list_add(l)) != NULL)
        ok = read_document(&q, l->a, d, err);
    return call_end(&q, "find a document by its key", err) && ok;
}

static bool find_by_terms(struct conn *c, const struct document_filter *f, struct list *l,
                          struct err *err)
{
    struct search q = {
        .f = f,
        .limit = f->limit == 0               ? FIND_LIMIT
                 : f->limit > FIND_LIMIT_MAX ? FIND_LIMIT_MAX
                                             : f->limit,
        .scope = { .c = c, .a = l->a, .below = f->before_id > 0 ? f->before_id : INT64_MAX },
        .found = *l,
    };

    if (f->state != NULL && !document_state_of(f->state, &q.state))
        return true; /* there is no such state, and so no such document */
    if (!search(&q, err))
        return false;
    *l = q.found;
    return true;
}

bool store_find_documents(struct store *s, const struct document_filter *f, struct arena *a,
                          struct document **list, size_t *n, struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    struct conn *c = reader_take(s, err);
    bool ok;

    if (c == NULL)
        return false;
    ok = by_key(f) ? find_by_key(c, f, &l, err) : find_by_terms(c, f, &l, err);
    reader_give(s, c);
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}
