#include "base/props.h"

#include <stdarg.h>
#include <stdio.h>

void props_set(struct props *ps, struct arena *a, const char *name, const char *value)
{
    struct prop **at = &ps->first;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (*at == NULL) {
        struct prop *p = arena_take(a, sizeof(*p));

        if (p == NULL || (p->name = arena_text(a, name)) == NULL)
            return;
        p->value = "";
        *at = p;
    }
    value = arena_text(a, value == NULL ? "" : value);
    if (value != NULL)
        (*at)->value = value;
}

void props_printf(struct props *ps, struct arena *a, const char *name, const char *fmt, ...)
{
    char text[1100];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    props_set(ps, a, name, text);
}

const char *props_get(const struct props *ps, const char *name)
{
    for (const struct prop *p = ps->first; p != NULL; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p->value;
    return NULL;
}
