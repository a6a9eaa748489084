/* The versions of a component, and what differs between two of them. */
#include "api/api_int.h"

#include <stdlib.h>

enum { CELLS_MAX = 4 * 1024 * 1024 }; /* of the table; more: all is shown as replaced */

/* False: answered already. */
static bool load(struct api_call *c, struct deployment **list, size_t *n)
{
    enum config_kind k;
    struct err err;

    if (!config_kind_of(c->arg[0], &k)) {
        api_error(c, 400, "'%.40s' is no kind: use certificate, identity, partner or process",
                  c->arg[0]);
        return false;
    }
    if (!store_versions(c->store, c->arg[0], c->arg[1], &c->r->arena, list, n, &err)) {
        api_fail(c, &err);
        return false;
    }
    if (*n == 0)
        api_error(c, 404, "there is no %s '%.64s', and there was none", c->arg[0], c->arg[1]);
    return *n > 0;
}

void api_versions(struct api_call *c)
{
    struct json_out o, all;
    struct deployment *list;
    size_t n;

    if (!load(c, &list, &n))
        return;
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++) {
        struct json_out one = json_out_object();

        json_put_int(&one, "version", list[i].version);
        json_put_time(&one, "at", list[i].at_ms);
        json_add(&all, one);
    }
    json_put(&o, "versions", all);
    api_json(c, 200, o);
}

/* NULL: answered already. */
static const struct deployment *find(struct api_call *c, const struct deployment *list,
                                     size_t n, int64_t version)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].version == version)
            return &list[i];
    api_error(c, 404, "%s '%.64s' has no version %lld", c->arg[0], c->arg[1],
              (long long)version);
    return NULL;
}

void api_version(struct api_call *c)
{
    const struct deployment *d;
    struct deployment *list;
    struct json_out o;
    const char *text;
    int64_t version;
    size_t n;

    if (!api_number(c, "version", c->arg[2], 1, INT64_MAX, &version) || !load(c, &list, &n) ||
        (d = find(c, list, n, version)) == NULL || (text = api_shown_text(c, d->text)) == NULL)
        return;
    o = json_out_object();
    json_put_text(&o, "kind", d->kind);
    json_put_text(&o, "name", d->name);
    json_put_int(&o, "version", d->version);
    json_put_time(&o, "at", d->at_ms);
    json_put_text(&o, "text", text);
    api_json(c, 200, o);
}

/* ---- what differs ----------------------------------------------------------------------- */

/* Lines as they are, to be compared, and as they are told: without secrets, perhaps. Who may not see
 * them sees all the same that one was changed. */
struct line {
    struct span is, told;
};

struct lines {
    struct line *list;
    size_t n;
};

/* told has as many lines as text. */
static struct lines lines_of(const char *text, const char *told, struct arena *a)
{
    struct lines l = { NULL, 0 };
    size_t n = 1;

    for (const char *p = text; *p != '\0'; p++)
        n += *p == '\n';
    l.list = arena_take(a, n * sizeof(*l.list));
    while (l.list != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n"), told_n = strcspn(told, "\n");

        l.list[l.n++] = (struct line) { span_of(text, len), span_of(told, told_n) };
        text += len + (text[len] == '\n');
        told += told_n + (told[told_n] == '\n');
    }
    return l;
}

static void put_line(struct json_out *out, char mark, struct line l, struct arena *a)
{
    const char *text = arena_printf(a, "%c%.*s", mark, (int)l.told.n, (const char *)l.told.p);

    if (text == NULL)
        out->failed = true;
    else
        json_add_text(out, text);
}

/* cells[i][j]: how many lines the rests from i and j have in common, in the same order. */
static void put_changed(struct json_out *out, struct lines x, struct lines y, struct arena *a)
{
    size_t w = y.n + 1, i = 0, j = 0;
    uint32_t *cells = (x.n + 1) * w > CELLS_MAX ? NULL : calloc((x.n + 1) * w, sizeof(*cells));

    if (cells != NULL)
        for (i = x.n; i-- > 0;)
            for (j = y.n; j-- > 0;) {
                uint32_t down = cells[(i + 1) * w + j], right = cells[i * w + j + 1];

                cells[i * w + j] = span_equal(x.list[i].is, y.list[j].is)
                                       ? cells[(i + 1) * w + j + 1] + 1
                                   : down > right ? down
                                                  : right;
            }
    for (i = 0, j = 0; i < x.n || j < y.n;) {
        if (cells != NULL && i < x.n && j < y.n && span_equal(x.list[i].is, y.list[j].is)) {
            put_line(out, ' ', x.list[i++], a);
            j++;
        } else if (i < x.n && (j == y.n || cells == NULL ||
                               cells[(i + 1) * w + j] >= cells[i * w + j + 1])) {
            put_line(out, '-', x.list[i++], a);
        } else {
            put_line(out, '+', y.list[j++], a);
        }
    }
    free(cells);
}

/* Every line of both, marked ' ', '-' or '+'. */
static struct json_out diff(struct lines x, struct lines y, struct arena *a)
{
    struct json_out out = json_out_list();
    size_t tail = 0;

    if (x.list == NULL || y.list == NULL) {
        out.failed = true;
        return out;
    }
    while (x.n > 0 && y.n > 0 && span_equal(x.list[0].is, y.list[0].is)) {
        put_line(&out, ' ', x.list[0], a);
        x = (struct lines) { x.list + 1, x.n - 1 };
        y = (struct lines) { y.list + 1, y.n - 1 };
    }
    while (tail < x.n && tail < y.n &&
           span_equal(x.list[x.n - 1 - tail].is, y.list[y.n - 1 - tail].is))
        tail++;
    put_changed(&out, (struct lines) { x.list, x.n - tail },
                (struct lines) { y.list, y.n - tail }, a);
    for (size_t i = x.n - tail; i < x.n; i++)
        put_line(&out, ' ', x.list[i], a);
    return out;
}

void api_diff(struct api_call *c)
{
    const char *from = http_query(c->r, "from"), *to = http_query(c->r, "to");
    const struct deployment *x, *y;
    const char *from_told, *to_told;
    struct arena *a = &c->r->arena;
    struct deployment *list;
    int64_t first, second;
    struct json_out o;
    size_t n;

    if (!load(c, &list, &n))
        return;
    second = list[0].version;
    if (to != NULL && !api_number(c, "to", to, 1, INT64_MAX, &second))
        return;
    first = second > 1 ? second - 1 : 1;
    if (from != NULL && !api_number(c, "from", from, 1, INT64_MAX, &first))
        return;
    if ((x = find(c, list, n, first)) == NULL || (y = find(c, list, n, second)) == NULL)
        return;
    if ((from_told = api_shown_text(c, x->text)) == NULL ||
        (to_told = api_shown_text(c, y->text)) == NULL)
        return;
    o = json_out_object();
    json_put_int(&o, "from", first);
    json_put_int(&o, "to", second);
    json_put(&o, "lines",
             diff(lines_of(x->text, from_told, a), lines_of(y->text, to_told, a), a));
    api_json(c, 200, o);
}
