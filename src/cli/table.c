/* Lines for people in aligned columns. */
#include "cli/cli.h"

#include <assert.h>
#include <stdlib.h>

static void add(struct cli_table *t, const char *cell)
{
    if (t->cells_n == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 256;
        t->cells = cli_have(realloc(t->cells, t->cap * sizeof(*t->cells)));
    }
    t->cells[t->cells_n++] = cli_safe(cell != NULL ? cell : "");
}

void cli_table_begin(struct cli_table *t, const char *const *heads)
{
    *t = (struct cli_table) { 0 };
    for (; heads[t->columns] != NULL; t->columns++) {
        const char *head = heads[t->columns];

        assert(t->columns < COUNT_OF(t->right));
        t->right[t->columns] = head[0] == '>';
        add(t, head + (head[0] == '>' ? 1 : 0));
    }
}

void cli_table_row(struct cli_table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->columns; i++)
        add(t, cells[i]);
}

/* Columns on the screen: one for each character of UTF-8. */
static unsigned width(const char *text)
{
    unsigned n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* The widest cell of a column, 0 when nothing stands below its heading. */
static unsigned column_width(const struct cli_table *t, size_t column)
{
    unsigned max = 0, head = width(t->cells[column]);

    for (size_t i = t->columns + column; i < t->cells_n; i += t->columns) {
        unsigned w = width(t->cells[i]);

        max = w > max ? w : max;
    }
    return max > 0 && head > max ? head : max;
}

/* What is to be printed of a row, without blanks at its end. */
static void print_row(const struct cli_table *t, char **row, const unsigned *w, FILE *f,
                      unsigned indent)
{
    unsigned blanks = indent;

    for (size_t i = 0; i < t->columns; i++) {
        unsigned fill = w[i] > width(row[i]) ? w[i] - width(row[i]) : 0;

        if (w[i] == 0)
            continue;
        if (t->right[i])
            blanks += fill;
        if (row[i][0] != '\0') {
            fprintf(f, "%*s%s", (int)blanks, "", row[i]);
            blanks = 0;
        }
        blanks += (t->right[i] ? 0 : fill) + 2;
    }
    fputc('\n', f);
}

void cli_table_end(struct cli_table *t, FILE *f, unsigned indent)
{
    unsigned w[COUNT_OF(t->right)] = { 0 };

    for (size_t i = 0; i < t->columns; i++)
        w[i] = column_width(t, i);
    for (size_t i = 0; i < t->cells_n && t->cells_n > t->columns; i += t->columns)
        print_row(t, t->cells + i, w, f, indent);
    if (t->cells_n == t->columns && indent == 0)
        fputs("none\n", stderr); /* standard output stays empty for programs */
    for (size_t i = 0; i < t->cells_n; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct cli_table) { 0 };
}
