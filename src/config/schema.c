/* The walker: any mapping from its rows. What a single value may be is in value.c. */
#include "config/schema_int.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { ROWS_MAX = 64 };

struct config_at walk_at(const yaml_node_t *node)
{
    if (node == NULL)
        return (struct config_at) { 0, 0 };
    return (struct config_at) { (unsigned)node->start_mark.line + 1,
                                (unsigned)node->start_mark.column + 1 };
}

void walk_problem(struct walk *w, const yaml_node_t *node, const char *fmt, ...)
{
    struct config_at at = walk_at(node);
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    config_problem_add(w->ps, w->file, at.line, at.column, "%s", text);
    w->failed = true;
}

void walk_place(struct walk *w, const yaml_node_t *node, const void *value)
{
    struct config_place *p = node == NULL ? NULL : arena_take(w->arena, sizeof(*p));

    if (p == NULL)
        return;
    *p = (struct config_place) { value, walk_at(node), w->places };
    w->places = p;
}

const char *walk_shown(struct walk *w, const char *text)
{
    char shown[CONFIG_SHOWN_MAX + 4];
    size_t n = strnlen(text, CONFIG_SHOWN_MAX);

    memcpy(shown, text, n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)shown[i] < ' ' || shown[i] == 0x7F)
            shown[i] = '?';
    if (text[n] != '\0') {
        /* not in the middle of a character */
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
        (void)snprintf(shown + n, 4, "...");
    } else {
        shown[n] = '\0';
    }
    text = arena_text(&w->ps->arena, shown);
    return text == NULL ? "?" : text;
}

const yaml_node_t *walk_node(const struct walk *w, int index)
{
    return yaml_document_get_node(w->doc, index);
}

const yaml_node_t *walk_find(const struct walk *w, const yaml_node_t *node, const char *name)
{
    if (node == NULL || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = walk_node(w, p->key);

        if (key->type == YAML_SCALAR_NODE &&
            strcmp((const char *)key->data.scalar.value, name) == 0)
            return walk_node(w, p->value);
    }
    return NULL;
}

static bool has_row(const struct mapping *m, const char *name)
{
    for (size_t i = 0; m != NULL && i < m->rows_n; i++)
        if (strcmp(m->rows[i].name, name) == 0)
            return true;
    return false;
}

static void unknown_key(struct walk *w, const struct mapping *m, const yaml_node_t *key,
                        const char *name)
{
    const char *names[ROWS_MAX], *near;
    char known[800];
    size_t n = 0;

    if (has_row(m->foreign, name)) {
        walk_problem(w, key,
                     "'%s' is a setting of %s, and this is a place for those of %s; remove it",
                     name, m->foreign->protocol, m->protocol);
        return;
    }
    for (size_t i = 0; i < m->rows_n; i++)
        names[i] = m->rows[i].name;
    near = scalar_nearest(name, names, m->rows_n);
    if (near != NULL) {
        walk_problem(w, key, "unknown setting '%s'; did you mean '%s'?", walk_shown(w, name),
                     near);
        return;
    }
    known[0] = '\0';
    for (size_t i = 0; i < m->rows_n && n < sizeof(known); i++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i == 0 ? "" : ", ",
                              names[i]);
    walk_problem(w, key, "unknown setting '%s'; known here: %s", walk_shown(w, name), known);
}

/* The row a key stands for, or NULL after a problem. */
static const struct row *row_of(struct walk *w, const struct mapping *m, const yaml_node_t *key)
{
    const char *name;

    if (key->type != YAML_SCALAR_NODE) {
        walk_problem(w, key, "the name of a setting must be plain text");
        return NULL;
    }
    name = (const char *)key->data.scalar.value;
    if (strlen(name) == key->data.scalar.length)
        for (size_t i = 0; i < m->rows_n; i++)
            if (strcmp(m->rows[i].name, name) == 0)
                return &m->rows[i];
    unknown_key(w, m, key, name);
    return NULL;
}

void schema_load(struct walk *w, const struct mapping *m, const yaml_node_t *node, void *target)
{
    const yaml_node_t *values[ROWS_MAX] = { NULL };

    assert(m->rows_n <= ROWS_MAX);
    if (m->at != 0 && node != NULL) {
        struct config_at at = walk_at(node);

        memcpy((uint8_t *)target + m->at - 1, &at, sizeof(at));
    }
    for (const yaml_node_pair_t *p = node == NULL ? NULL : node->data.mapping.pairs.start;
         node != NULL && p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = walk_node(w, p->key);
        const struct row *row = row_of(w, m, key);
        const yaml_node_t **value = row == NULL ? NULL : &values[row - m->rows];

        if (value == NULL)
            continue;
        if (*value != NULL)
            walk_problem(w, key, "'%s' is given twice (before in line %u); keep one", row->name,
                         walk_at(*value).line);
        else
            *value = walk_node(w, p->value);
    }
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];

        if (values[i] == NULL && node != NULL && (row->flags & ROW_REQUIRED))
            walk_problem(w, node, "'%s' is missing; it must be given here: %s", row->name,
                         row->help);
        schema_value(w, row, values[i], target);
    }
    if (m->done != NULL)
        m->done(w, node, target);
}

const struct mapping *row_sub(const struct row *row, const void *target)
{
    const char *by = NULL;

    if (row->other != NULL)
        memcpy(&by, (const uint8_t *)target + row->by, sizeof(by));
    return by != NULL && strcmp(by, row->when) == 0 ? row->other : row->sub;
}

static void visit_list(const struct row *row, const void *target, row_visit *fn, void *ctx)
{
    const struct mapping *sub = row->sub;
    const uint8_t *item;
    size_t n;

    memcpy(&item, row_value(row, target), sizeof(item));
    memcpy(&n, (const uint8_t *)target + row->also, sizeof(n));
    for (; n > 0; n--, item += sub->size) {
        unsigned kind;

        if (row->type == ROW_LIST) {
            schema_visit(sub, item, fn, ctx);
            continue;
        }
        memcpy(&kind, item + sub->kind - 1, sizeof(kind));
        assert(kind < sub->rows_n);
        schema_visit(sub->rows[kind].sub, item + sub->rows[kind].offset, fn, ctx);
    }
}

void schema_visit(const struct mapping *m, const void *target, row_visit *fn, void *ctx)
{
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];

        fn(ctx, row, row_value(row, target));
        if (row->type == ROW_MAP)
            schema_visit(row_sub(row, target), row_value(row, target), fn, ctx);
        else if (row->type == ROW_LIST || row->type == ROW_STEPS)
            visit_list(row, target, fn, ctx);
    }
}
