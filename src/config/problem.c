#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>

/* A text that is wrong everywhere would otherwise cost more than it holds. */
enum { PROBLEMS_MAX = 200 };

static bool before(const struct config_problem *a, const struct config_problem *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* In the order of the file, as a compiler does; rows are looked at in another one. */
static void insert(struct config_problems *ps, struct config_problem *p)
{
    struct config_problem **at = &ps->first;

    while (*at != NULL && !(p->line > 0 && p->file != NULL && (*at)->file != NULL &&
                            strcmp(p->file, (*at)->file) == 0 && before(p, *at)))
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    if (p->next == NULL)
        ps->last = p;
}

static void append(struct config_problems *ps, const char *file, unsigned line, unsigned column,
                   const char *text)
{
    struct config_problem *p = arena_take(&ps->arena, sizeof(*p));

    ps->n++; /* also when memory is out: nothing may look right then */
    if (p == NULL)
        return;
    *p = (struct config_problem) { arena_text(&ps->arena, file), line, column,
                                   arena_text(&ps->arena, text), NULL };
    if (p->text == NULL)
        p->text = "out of memory";
    insert(ps, p);
}

void config_problem_add(struct config_problems *ps, const char *file, unsigned line,
                        unsigned column, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    if (ps->n > PROBLEMS_MAX)
        return;
    if (ps->n == PROBLEMS_MAX) {
        append(ps, file, 0, 0,
               "there are more problems, which are not shown; correct the first ones");
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    append(ps, file, line, column, text);
}

void config_problem_line(const struct config_problem *p, char *text, size_t cap)
{
    const char *file = p->file == NULL ? "-" : p->file;

    if (p->line == 0)
        (void)snprintf(text, cap, "%s: %s", file, p->text);
    else if (p->column == 0)
        (void)snprintf(text, cap, "%s:%u: %s", file, p->line, p->text);
    else
        (void)snprintf(text, cap, "%s:%u:%u: %s", file, p->line, p->column, p->text);
}

void config_problems_free(struct config_problems *ps)
{
    if (ps == NULL)
        return;
    arena_free(&ps->arena);
    *ps = (struct config_problems) { 0 };
}
