#include "config/schema_int.h"
#include "config/text_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { DUMP_WIDTH = 92 };

static void indent(struct text *t, unsigned depth)
{
    text_put(t, "%*s", (int)(2 * depth), "");
}

/* The help of a row as comment lines. */
static void comment(struct text *t, unsigned depth, const char *help)
{
    size_t room = DUMP_WIDTH - 2 * depth - 2;

    while (*help != '\0') {
        size_t n = strlen(help);

        if (n > room) {
            n = room;
            while (n > 0 && help[n] != ' ')
                n--;
            if (n == 0)
                n = strcspn(help, " ");
        }
        indent(t, depth);
        text_put(t, "# %.*s\n", (int)n, help);
        help += n;
        help += strspn(help, " ");
    }
}

static void texts(struct text *t, const char *const *list)
{
    text_put(t, "[");
    for (size_t i = 0; list[i] != NULL; i++) {
        text_put(t, "%s", i > 0 ? ", " : "");
        text_quoted(t, list[i]);
    }
    text_put(t, "]");
}

static void secret(struct text *t, const struct config_secret *s)
{
    if (s->name == NULL) {
        text_put(t, "\"***\"");
        return;
    }
    text_put(t, "{secret: ");
    text_quoted(t, s->name);
    text_put(t, "}");
}

/* Choices, passwords of partners and flags that may be left out are of components only, whose own
 * text is shown. */
static void scalar(struct text *t, const struct row *row, const void *value)
{
    char text[24];

    switch (row->type) {
    case ROW_WORD:
        text_put(t, "%s", *(const char *const *)value);
        break;
    case ROW_BOOL:
        text_put(t, "%s", *(const bool *)value ? "true" : "false");
        break;
    case ROW_NUMBER:
        text_put(t, "%u", *(const uint32_t *)value);
        break;
    case ROW_PORT:
        text_put(t, "%u", *(const uint16_t *)value);
        break;
    case ROW_DURATION:
        scalar_duration_text(*(const uint64_t *)value, text);
        text_put(t, "%s", text);
        break;
    case ROW_SIZE:
        scalar_size_text(*(const uint64_t *)value, text);
        text_put(t, "%s", text);
        break;
    case ROW_TEXTS:
        texts(t, *(const char *const *const *)value);
        break;
    case ROW_SECRET:
        secret(t, value);
        break;
    default:
        text_quoted(t, *(const char *const *)value);
        break;
    }
}

/* Whether there is a value to show. */
static bool has_value(const struct row *row, const void *value)
{
    if (row->type == ROW_TEXT || row->type == ROW_WORD || row->type == ROW_TEXTS)
        return *(const void *const *)value != NULL;
    if (row->type == ROW_SECRET)
        return ((const struct config_secret *)value)->value != NULL ||
               ((const struct config_secret *)value)->name != NULL;
    return true;
}

static void dump_mapping(struct text *t, const struct mapping *m, const void *target,
                         unsigned depth);

static void dump_list(struct text *t, const struct row *row, const void *target, unsigned depth)
{
    const uint8_t *item;
    size_t n;

    memcpy(&item, row_value(row, target), sizeof(item));
    memcpy(&n, (const uint8_t *)target + row->also, sizeof(n));
    indent(t, depth);
    text_put(t, n == 0 ? "%s: []\n" : "%s:\n", row->name);
    for (; n > 0; n--, item += row->sub->size) {
        indent(t, depth + 1);
        text_put(t, "-\n");
        dump_mapping(t, row->sub, item, depth + 2);
    }
}

static void dump_mapping(struct text *t, const struct mapping *m, const void *target,
                         unsigned depth)
{
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];
        const void *value = row_value(row, target);

        comment(t, depth, row->help);
        if ((row->flags & ROW_ABSENT) != 0 && !*((const bool *)target + row->also)) {
            indent(t, depth);
            text_put(t, "# %s: not set\n", row->name);
        } else if (row->type == ROW_MAP) {
            indent(t, depth);
            text_put(t, "%s:\n", row->name);
            dump_mapping(t, row_sub(row, target), value, depth + 1);
        } else if (row->type == ROW_LIST) {
            dump_list(t, row, target, depth);
        } else if (has_value(row, value)) {
            indent(t, depth);
            text_put(t, "%s: ", row->name);
            scalar(t, row, value);
            text_put(t, "\n");
        } else {
            indent(t, depth);
            text_put(t, "# %s: not set\n", row->name);
        }
    }
}

char *config_runtime_dump(const struct config_runtime *c)
{
    struct text t = { 0 };

    dump_mapping(&t, &mapping_runtime, c, 0);
    return text_done(&t);
}
