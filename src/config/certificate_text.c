/* Certificate components written back as YAML, and who refers to them. */
#include "config/schema_int.h"
#include "config/text_int.h"

#include <stdlib.h>

/* Lines that stand in a block as they are. */
static bool plain_lines(const char *text)
{
    if (strchr(text, '\n') == NULL || *text == ' ' || *text == '\n')
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if ((*p < ' ' && *p != '\n') || *p == 0x7F)
            return false;
    return text[strlen(text) - 1] == '\n' && strstr(text, "\n\n") == NULL;
}

static void put_lines(struct text *t, const char *text, unsigned depth)
{
    text_put(t, "|\n");
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        text_put(t, "%*s%.*s\n", (int)(2 * depth + 2), "", (int)n, text);
        text += n + 1;
    }
}

static void put_mapping(struct text *t, const struct mapping *m, const void *target,
                        unsigned depth);

static void put_list(struct text *t, const struct row *row, const void *target, unsigned depth)
{
    const uint8_t *item;
    size_t n;

    memcpy(&item, row_value(row, target), sizeof(item));
    memcpy(&n, (const uint8_t *)target + row->also, sizeof(n));
    if (n > 0)
        text_put(t, "%*s%s:\n", (int)(2 * depth), "", row->name);
    for (; n > 0; n--, item += row->sub->size) {
        text_put(t, "%*s-\n", (int)(2 * depth + 2), "");
        put_mapping(t, row->sub, item, depth + 2);
    }
}

static void put_text(struct text *t, const struct row *row, const char *value, unsigned depth)
{
    if (value == NULL)
        return;
    text_put(t, "%*s%s: ", (int)(2 * depth), "", row->name);
    if ((row->flags & ROW_LINES) && plain_lines(value)) {
        put_lines(t, value, depth);
    } else {
        text_quoted(t, value);
        text_put(t, "\n");
    }
}

static void put_secret(struct text *t, const struct row *row, const struct config_secret *s,
                       unsigned depth)
{
    if (s->name == NULL) {
        put_text(t, row, s->value, depth);
        return;
    }
    text_put(t, "%*s%s: {secret: ", (int)(2 * depth), "", row->name);
    text_quoted(t, s->name);
    text_put(t, "}\n");
}

/* The types that certificates have; what has its default is left out. */
static void put_mapping(struct text *t, const struct mapping *m, const void *target,
                        unsigned depth)
{
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];
        const void *value = row_value(row, target);

        if (row->type == ROW_TEXT)
            put_text(t, row, *(const char *const *)value, depth);
        else if (row->type == ROW_SECRET)
            put_secret(t, row, value, depth);
        else if (row->type == ROW_BOOL && *(const bool *)value)
            text_put(t, "%*s%s: true\n", (int)(2 * depth), "", row->name);
        else if (row->type == ROW_LIST)
            put_list(t, row, target, depth);
    }
}

char *config_certificate_text(const char *name, const struct config_certificate *c,
                              struct arena *a)
{
    struct config_component x = { .name = name, .u.certificate = *c };
    struct text t = { 0 };
    char *made, *copy;

    put_mapping(&t, &mapping_certificate, &x, 0);
    made = text_done(&t);
    copy = arena_text(a, made);
    free(made);
    return copy;
}

/* ---- users ---- */

struct users {
    const char *wanted, *kind, *name;
    struct arena *arena;
    const char **list;
    size_t n, cap;
};

static void look(void *ctx, const struct row *row, const void *value)
{
    struct users *u = ctx;
    const char *to;

    if (row->type != ROW_TEXT ||
        (row->refers != REFERS_CERTIFICATE && row->refers != REFERS_KEY))
        return;
    to = *(const char *const *)value;
    if (to == NULL || strcmp(to, u->wanted) != 0)
        return;
    if (u->n < u->cap)
        u->list[u->n] = *u->name == '\0'
                            ? arena_printf(u->arena, "%s: %s", u->kind, row->name)
                            : arena_printf(u->arena, "%s %s: %s", u->kind, u->name, row->name);
    u->n++;
}

static size_t find_users(struct users *u, const struct config_runtime *rt,
                         struct config_component *const *all, size_t n)
{
    u->n = 0;
    u->kind = "waybill.yaml";
    u->name = "";
    if (rt != NULL)
        schema_visit(&mapping_runtime, rt, look, u);
    for (size_t i = 0; i < n; i++) {
        u->kind = config_kind_name(all[i]->kind);
        u->name = all[i]->name;
        schema_visit(component_mappings[all[i]->kind], all[i], look, u);
    }
    return u->n;
}

bool config_certificate_users(const struct config_runtime *rt,
                              struct config_component *const *all, size_t n, const char *name,
                              struct arena *a, const char *const **list, size_t *list_n)
{
    struct users u = { .wanted = name, .arena = a };

    u.cap = find_users(&u, rt, all, n);
    u.list = arena_take(a, sizeof(*u.list) * (u.cap + 1));
    if (u.list == NULL)
        return false;
    (void)find_users(&u, rt, all, n);
    *list = u.list;
    *list_n = u.n;
    return !a->failed;
}
