#include "store/sqlite_ids.h"

#include <stdlib.h>

enum {
    PAGE_MAX = 512,            /* ids read at once, where one after the other is wanted     */
    WINDOW = 64 * 1024 * 1024, /* ids for which a wide term keeps a bit each: 8 MB */
};

size_t ids_sort_max = 20000;

struct ids_prefix ids_prefix_of(const char *text, struct arena *a)
{
    uint8_t *above = (uint8_t *)arena_text(a, text);
    struct ids_prefix p = { span_text(text), { NULL, 0 } };

    p.above = span_of(above, above == NULL ? 0 : p.first.n);
    while (p.above.n > 0 && above[p.above.n - 1] == 0xFF)
        p.above.n--;
    if (p.above.n > 0)
        above[p.above.n - 1]++;
    return p;
}

void ids_term_init(struct ids_term *t, struct arena *a)
{
    *t = (struct ids_term) {
        .cursors = { .a = a, .item = sizeof(struct ids_cursor) },
        .ranges = { .a = a, .item = sizeof(struct ids_range) },
    };
}

void ids_term_free(struct ids_term *t)
{
    struct ids_cursor *list = t->cursors.items;

    for (size_t i = 0; i < t->cursors.n; i++)
        free(list[i].ids);
    free(t->sorted);
    free(t->bits);
}

void ids_add(struct ids_term *t, enum query q, const struct ids_key *key, int keys)
{
    struct ids_cursor *c = list_add(&t->cursors);

    if (c == NULL)
        return;
    *c = (struct ids_cursor) { .query = q, .keys = keys };
    for (int i = 0; i < keys; i++)
        c->key[i] = key[i];
}

void ids_add_range(struct ids_term *t, enum query q, struct ids_prefix p, const char *label)
{
    struct ids_range *r = list_add(&t->ranges);

    if (r != NULL)
        *r = (struct ids_range) { q, p, label };
}

/* ---- cursors ---------------------------------------------------------------------------- */

/* How many ids are worth reading: more, when most of those before were used. */
static size_t page_size(const struct ids_cursor *c)
{
    size_t n = c->cap == 0 ? 1 : c->n;

    if (c->cap == 0)
        return 1;
    if (4 * c->used >= n)
        n *= 2;
    else
        n /= 2;
    return n < 1 ? 1 : n > PAGE_MAX ? PAGE_MAX : n;
}

static bool make_room(struct ids_cursor *c, size_t n, struct err *err)
{
    int64_t *p;

    if (n <= c->cap)
        return true;
    p = realloc(c->ids, n * sizeof(*p));
    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    c->ids = p;
    c->cap = n;
    return true;
}

static bool read_page(struct ids_cursor *c, const struct ids_scope *s, int64_t below,
                      struct err *err)
{
    size_t want = page_size(c);
    struct call q;

    if (!make_room(c, want, err))
        return false;
    q = call_of(s->c, c->query);
    call_int(&q, below);
    call_int(&q, s->floor);
    call_int(&q, (int64_t)want);
    for (int i = 0; i < c->keys; i++)
        if (c->key[i].is_number)
            call_int(&q, c->key[i].number);
        else
            call_text(&q, c->key[i].text);
    c->n = c->at = c->used = 0;
    while (c->n < want && call_row(&q))
        c->ids[c->n++] = col_int(&q, 0);
    c->ended = c->n < want;
    return call_end(&q, "search documents", err);
}

static bool cursor_next(struct ids_cursor *c, const struct ids_scope *s, int64_t below,
                        int64_t *id, struct err *err)
{
    if (c->n > 0 && c->ids[c->n - 1] >= below)
        c->at = c->n;
    while (c->at < c->n && c->ids[c->at] >= below)
        c->at++;
    if (c->at == c->n && !c->ended && !read_page(c, s, below, err))
        return false;
    *id = c->at < c->n ? c->ids[c->at] : 0;
    return true;
}

/* ---- ranges ----------------------------------------------------------------------------- */

static struct call call_range(const struct ids_range *r, const struct ids_scope *s)
{
    struct call q = call_of(s->c, r->query);

    call_span(&q, r->prefix.first, true);
    /* Any text is less than any octets that are no text. */
    call_span(&q, r->prefix.above, r->prefix.above.n > 0);
    if (r->label != NULL)
        call_text(&q, r->label);
    return q;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x < y) - (x > y);
}

/* Looks at no more entries than are sorted. */
static bool read_range(struct ids_term *t, const struct ids_range *r, const struct ids_scope *s,
                       size_t *looked, struct err *err)
{
    struct call q = call_range(r, s);

    while (!t->wide && call_row(&q)) {
        int64_t id = col_int(&q, 0);

        t->wide = ++*looked > ids_sort_max;
        if (!t->wide && id < s->below && id >= s->floor)
            t->sorted[t->sorted_n++] = id;
    }
    return call_end(&q, "search documents", err);
}

bool ids_open(struct ids_term *t, const struct ids_scope *s, struct err *err)
{
    const struct ids_range *list = t->ranges.items;
    size_t looked = 0;

    if (s->a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    if (t->ranges.n == 0)
        return true;
    t->sorted = malloc(ids_sort_max * sizeof(*t->sorted));
    if (t->sorted == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    for (size_t i = 0; i < t->ranges.n && !t->wide; i++)
        if (!read_range(t, &list[i], s, &looked, err))
            return false;
    if (!t->wide)
        qsort(t->sorted, t->sorted_n, sizeof(*t->sorted), newest_first);
    return true;
}

/* ---- wide terms ------------------------------------------------------------------------- */

static void set_bit(struct ids_term *t, int64_t id)
{
    if (id >= t->bits_from && id < t->bits_to)
        t->bits[(id - t->bits_from) / 64] |= (uint64_t)1 << ((id - t->bits_from) % 64);
}

/* The bits of the window that ends at `to`. */
static bool read_window(struct ids_term *t, const struct ids_scope *s, int64_t to,
                        struct err *err)
{
    const struct ids_range *list = t->ranges.items;

    t->bits_to = to;
    t->bits_from = to - t->bits_span > s->floor ? to - t->bits_span : s->floor;
    memset(t->bits, 0, (size_t)(t->bits_span / 64 + 1) * 8);
    for (size_t i = 0; i < t->ranges.n; i++) {
        struct call q = call_range(&list[i], s);

        while (call_row(&q))
            set_bit(t, col_int(&q, 0));
        if (!call_end(&q, "search documents", err))
            return false;
    }
    return true;
}

bool ids_widen(struct ids_term *t, const struct ids_scope *s, struct err *err)
{
    int64_t newest = 0, to;
    struct call q = call_of(s->c, Q_MAX_ID);

    if (call_row(&q))
        newest = col_int(&q, 0);
    if (!call_end(&q, "search documents", err))
        return false;
    to = newest < s->below ? newest + 1 : s->below;
    t->bits_span = to - s->floor < 0 ? 0 : to - s->floor > WINDOW ? WINDOW : to - s->floor;
    t->bits = malloc((size_t)(t->bits_span / 64 + 1) * 8);
    if (t->bits == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    t->wide = false;
    t->sorted_n = 0;
    return read_window(t, s, to, err);
}

static bool bits_next(struct ids_term *t, const struct ids_scope *s, int64_t below, int64_t *id,
                      struct err *err)
{
    *id = 0;
    while (below > s->floor && below > 0) {
        int64_t at = (below < t->bits_to ? below : t->bits_to) - t->bits_from - 1;
        uint64_t word;

        for (; at >= 0; at = at / 64 * 64 - 1) {
            word = t->bits[at / 64] << (63 - at % 64);
            if (word != 0) {
                *id = t->bits_from + at - __builtin_clzll(word);
                return true;
            }
        }
        if (t->bits_from <= s->floor || t->bits_from <= 0)
            return true;
        if (!read_window(t, s, below < t->bits_from ? below : t->bits_from, err))
            return false;
    }
    return true;
}

/* ---- terms ------------------------------------------------------------------------------ */

bool ids_next(struct ids_term *t, const struct ids_scope *s, int64_t below, int64_t *id,
              struct err *err)
{
    struct ids_cursor *list = t->cursors.items;
    int64_t best = 0, one = 0;

    for (size_t i = 0; i < t->cursors.n; i++) {
        if (!cursor_next(&list[i], s, below, &one, err))
            return false;
        if (one > best)
            best = one;
    }
    if (t->bits != NULL) {
        if (!bits_next(t, s, below, &one, err))
            return false;
        best = one > best ? one : best;
    }
    while (t->sorted_at < t->sorted_n && t->sorted[t->sorted_at] >= below)
        t->sorted_at++;
    if (t->sorted_at < t->sorted_n && t->sorted[t->sorted_at] > best)
        best = t->sorted[t->sorted_at];
    /* The cursor that had it was right to read on. */
    for (size_t i = 0; i < t->cursors.n; i++)
        if (list[i].at < list[i].n && list[i].ids[list[i].at] == best)
            list[i].used++;
    *id = best;
    return true;
}
