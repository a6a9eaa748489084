#include "config/text_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct text *t, size_t more)
{
    size_t cap = t->cap == 0 ? 4096 : t->cap;
    char *p;

    while (cap - t->n <= more)
        cap *= 2;
    if (cap == t->cap)
        return true;
    p = realloc(t->p, cap);
    if (p == NULL)
        return false;
    t->p = p;
    t->cap = cap;
    return true;
}

void text_put(struct text *t, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (t->failed || n < 0 || !reserve(t, (size_t)n + 1)) {
        t->failed = true;
    } else {
        (void)vsnprintf(t->p + t->n, t->cap - t->n, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void text_quoted(struct text *t, const char *value)
{
    text_put(t, "\"");
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            text_put(t, "\\%c", *value);
        else if (*value == '\n')
            text_put(t, "\\n");
        else if ((unsigned char)*value < ' ' || *value == 0x7F)
            text_put(t, "\\x%02X", (unsigned)(unsigned char)*value);
        else
            text_put(t, "%c", *value);
    }
    text_put(t, "\"");
}

char *text_done(struct text *t)
{
    char *p = t->p;

    if (t->failed || (p == NULL && (p = calloc(1, 1)) == NULL)) {
        free(t->p);
        p = NULL;
    }
    *t = (struct text) { 0 };
    return p;
}
