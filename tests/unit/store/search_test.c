/* The search against a plain reading of every document: many filters, all ways of finding. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENTS = 3000, LABELS = 3 };

static unsigned seed = 1;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return seed >> 8 & 0xFFFF ? (seed >> 8 & 0xFFFF) % n : 0;
}

static const char *one_of(const char *const *list, unsigned n)
{
    return list[below(n)];
}

static const char *const partners[] = { "acme", "bolt", "core", NULL, "" };
static const char *const listeners[] = { "orders", "invoices", "api", NULL };
static const char *const codes[] = { "O0013000001ACME", "O0013000002US", "ACME", "US\xFF",
                                     NULL };
static const char *const names[] = { "ORDERS", "ORDERS1", "INVOIC", "\xFF\xFF", NULL };
static const char *const labels[] = { "Order", "Plant", "Zone" };
static const char *const protocols[] = { "oftp2", "as2", NULL };

struct row {
    struct document d;
    struct tracked tracked[LABELS];
    size_t tracked_n;
};

/* Clocks go back and forth; fields come in every combination. */
static void make_row(struct fixture *f, struct row *r, int64_t id)
{
    struct document *d = &r->d;
    enum document_state st = (enum document_state)(1 + below(14));

    *d = simple_document(id, st);
    d->outbound = below(2) == 1;
    d->protocol = one_of(protocols, COUNT_OF(protocols));
    d->partner = one_of(partners, COUNT_OF(partners));
    d->listener = one_of(listeners, COUNT_OF(listeners));
    d->from = one_of(codes, COUNT_OF(codes));
    d->to = one_of(codes, COUNT_OF(codes));
    d->name = one_of(names, COUNT_OF(names));
    if (d->name != NULL && below(2) == 0)
        d->name = arena_printf(&f->a, "%s-%u", d->name, below(40));
    d->created_ms = 60000 * (id + (below(20) == 0 ? (int64_t)below(2000) : 0));
    if (below(3) > 0)
        props_set(&d->props, &f->a, "as2.message_id",
                  arena_printf(&f->a, "<%u@somewhere>", below(500)));
    if (below(3) > 0)
        props_set(&d->props, &f->a, "file_name", arena_printf(&f->a, "file-%u.edi", below(60)));
    if (below(4) > 0)
        d->identity_key = arena_printf(&f->a, "key %u", below(900));
    r->tracked_n = below(LABELS + 1);
    for (size_t i = 0; i < r->tracked_n; i++)
        r->tracked[i] = (struct tracked) { one_of(labels, LABELS),
                                           arena_printf(&f->a, "%u", 1 + below(120)) };
}

static void put_rows(struct fixture *f, struct row *rows)
{
    struct store_batch *b = store_batch_new();
    int64_t id = 1;

    for (size_t i = 0; i < DOCUMENTS; i++) {
        make_row(f, &rows[i], id);
        store_put_document(b, &rows[i].d);
        for (size_t k = 0; k < rows[i].tracked_n; k++)
            store_add_tracked(b, id, rows[i].tracked[k].label, rows[i].tracked[k].value);
        id += 1 + below(9);
    }
    commit(f, b);
}

/* ---- the plain reading ---------------------------------------------------------------------- */

static bool same(const char *want, const char *is)
{
    return want == NULL || (is != NULL && strcmp(want, is) == 0);
}

static bool begins(const char *prefix, const char *is)
{
    return is != NULL && strncmp(is, prefix, strlen(prefix)) == 0;
}

static bool tracked_fits(const struct row *r, const struct document_filter *f)
{
    if (f->tracked_label == NULL && f->tracked_value == NULL && f->tracked_value_prefix == NULL)
        return true;
    for (size_t i = 0; i < r->tracked_n; i++)
        if (same(f->tracked_label, r->tracked[i].label) &&
            same(f->tracked_value, r->tracked[i].value) &&
            (f->tracked_value_prefix == NULL ||
             begins(f->tracked_value_prefix, r->tracked[i].value)))
            return true;
    return false;
}

static bool message_fits(const struct document *d, const char *want)
{
    const char *is = props_get(&d->props, "as2.message_id");
    size_t n = strlen(want);

    return same("as2", d->protocol) && is != NULL &&
           (strcmp(is, want) == 0 || (strncmp(is + 1, want, n) == 0 && is[1 + n] == '>'));
}

static bool row_fits(const struct row *r, const struct document_filter *f)
{
    const struct document *d = &r->d;
    const char *file =
        same("oftp2", d->protocol) && d->outbound ? props_get(&d->props, "file_name") : NULL;

    return (f->before_id == 0 || d->id < f->before_id) && same(f->partner, d->partner) &&
           same(f->protocol, d->protocol) && same(f->name, d->name) &&
           same(f->listener, d->listener) && same(f->identity_key, d->identity_key) &&
           (f->state == NULL || strcmp(f->state, document_state_name(d->state)) == 0) &&
           (f->direction == 0 || d->outbound == (f->direction == 2)) &&
           (f->from_ms == 0 || d->created_ms >= f->from_ms) &&
           (f->to_ms == 0 || d->created_ms <= f->to_ms) &&
           (f->file_name == NULL || same(f->file_name, d->name) ||
            (file != NULL && same(f->file_name, file))) &&
           (f->file_name_prefix == NULL || begins(f->file_name_prefix, d->name) ||
            begins(f->file_name_prefix, file)) &&
           (f->text == NULL || f->text[0] == '\0' || begins(f->text, d->name) ||
            begins(f->text, d->from) || begins(f->text, d->to) || begins(f->text, file)) &&
           (f->message_id == NULL || message_fits(d, f->message_id)) && tracked_fits(r, f);
}

/* ---- filters --------------------------------------------------------------------------------- */

static const char *maybe(struct fixture *f, unsigned in, const char *text)
{
    return below(in) == 0 ? arena_text(&f->a, text) : NULL;
}

static struct document_filter make_filter(struct fixture *f)
{
    static const char *const prefixes[] = { "O", "ORDERS", "ORDERS1-", "INV",   "file-1",
                                            "A", "US\xFF", "\xFF",     "file-", "nothing" };
    struct document_filter x = { .limit = 1 + below(40) };
    unsigned sparse = 3 + below(9);

    x.state = maybe(f, sparse, document_state_name((enum document_state)(1 + below(14))));
    x.partner = maybe(f, sparse, one_of(partners, 3));
    x.protocol = maybe(f, sparse, one_of(protocols, 2));
    x.listener = maybe(f, sparse, one_of(listeners, 3));
    x.direction = below(sparse) == 0 ? 1 + (int)below(2) : 0;
    x.name = maybe(f, 3 * sparse, "ORDERS");
    x.file_name =
        maybe(f, 2 * sparse,
              below(2) == 0 ? "ORDERS1" : arena_printf(&f->a, "file-%u.edi", below(60)));
    x.file_name_prefix = maybe(f, sparse, one_of(prefixes, COUNT_OF(prefixes)));
    x.text = maybe(f, sparse, one_of(prefixes, COUNT_OF(prefixes)));
    x.message_id = maybe(
        f, 3 * sparse,
        arena_printf(&f->a, below(2) == 0 ? "<%u@somewhere>" : "%u@somewhere", below(500)));
    x.identity_key = maybe(f, 4 * sparse, arena_printf(&f->a, "key %u", below(900)));
    x.tracked_label = maybe(f, sparse, one_of(labels, LABELS));
    x.tracked_value = maybe(f, 2 * sparse, arena_printf(&f->a, "%u", 1 + below(120)));
    x.tracked_value_prefix = maybe(f, sparse, arena_printf(&f->a, "%u", 1 + below(20)));
    if (below(sparse) == 0)
        x.from_ms = 60000 * (1 + (int64_t)below(16000)) + 500 * below(3);
    if (below(sparse) == 0)
        x.to_ms = 60000 * (1 + (int64_t)below(16000)) + 500 * below(3);
    if (below(3) == 0)
        x.before_id = 1 + (int64_t)below(16000);
    return x;
}

static void check(struct fixture *f, const struct row *rows, const struct document_filter *x,
                  int which)
{
    struct document *list = NULL;
    size_t n = 0, at = 0;

    assert_ok(f, store_find_documents(f->s, x, &f->a, &list, &n, &f->err));
    for (size_t i = DOCUMENTS; i-- > 0 && at < x->limit;) {
        if (!row_fits(&rows[i], x))
            continue;
        if (at == n || list[at].id != rows[i].d.id)
            fail_msg("filter %d: at %zu of %zu is %lld, want %lld", which, at, n,
                     at < n ? (long long)list[at].id : 0, (long long)rows[i].d.id);
        at++;
    }
    if (at != n)
        fail_msg("filter %d: %zu found, want %zu", which, n, at);
}

static void check_many(struct fixture *f)
{
    struct row *rows = calloc(DOCUMENTS, sizeof(*rows));

    assert_non_null(rows);
    put_rows(f, rows);
    for (int i = 0; i < 1200; i++) {
        struct document_filter x = make_filter(f);

        check(f, rows, &x, i);
    }
    free(rows);
}

static void every_filter_finds_what_a_plain_reading_finds(void **state)
{
    check_many(*state);
}

/* Every prefix is wide, and hardly any document is looked at in vain. */
static void prefixes_that_have_much_find_the_same(void **state)
{
    size_t sort_max = ids_sort_max, misses_max = find_misses_max;

    ids_sort_max = 3;
    find_misses_max = 5;
    check_many(*state);
    ids_sort_max = sort_max;
    find_misses_max = misses_max;
}

static void wide_prefixes_are_told_by_looking_at_documents(void **state)
{
    size_t sort_max = ids_sort_max;

    ids_sort_max = 3;
    check_many(*state);
    ids_sort_max = sort_max;
}

static void a_changed_document_is_found_as_it_is_now(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(5, DOC_RECEIVED);
    struct document_filter was = { .state = "received" }, is = { .state = "opened" };
    struct document_filter id = { .message_id = "b@c" };
    struct document *list;
    size_t n;

    d.protocol = "as2";
    props_set(&d.props, &f->a, "as2.message_id", "<a@c>");
    store_put_document(b, &d);
    commit(f, b);
    b = store_batch_new();
    store_set_state(b, 5, DOC_ANY, DOC_OPENED, 6, "opened", NULL, NULL);
    store_set_prop(b, 5, "as2.message_id", "<b@c>");
    commit(f, b);
    assert_ok(f, store_find_documents(f->s, &was, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_find_documents(f->s, &is, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_ok(f, store_find_documents(f->s, &id, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_filter_finds_what_a_plain_reading_finds),
        STORE_TEST(prefixes_that_have_much_find_the_same),
        STORE_TEST(wide_prefixes_are_told_by_looking_at_documents),
        STORE_TEST(a_changed_document_is_found_as_it_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
