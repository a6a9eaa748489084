#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 4000 }; /* octets: a page with room for malloc's own words */

struct arena_block {
    struct arena_block *before;
    size_t cap;
    max_align_t octets[];
};

/* Room for n octets, as they come; NULL: memory is out. */
static void *reserve(struct arena *a, size_t n)
{
    const size_t align = _Alignof(max_align_t);
    struct arena_block *b = a->last;
    void *p;

    if (n > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    n = (n + align - 1) / align * align;
    if (b == NULL || b->cap - a->used < n) {
        size_t cap = n > BLOCK ? n : BLOCK;

        b = malloc(sizeof(*b) + cap);
        if (b == NULL) {
            a->failed = true;
            return NULL;
        }
        b->before = a->last;
        b->cap = cap;
        a->last = b;
        a->used = 0;
    }
    p = (uint8_t *)b->octets + a->used;
    a->used += n;
    a->total += n;
    return p;
}

void *arena_take(struct arena *a, size_t n)
{
    void *p = reserve(a, n);

    if (p != NULL)
        memset(p, 0, n);
    return p;
}

char *arena_copy(struct arena *a, struct span s)
{
    char *p = arena_take(a, s.n + 1);

    if (p != NULL && s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_copy(a, span_text(text));
}

/* What fits into the block is printed where it will stay. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
    struct arena_block *b = a->last;
    size_t room = b == NULL ? 0 : b->cap - a->used;
    va_list ap, again;
    char *p = b == NULL ? NULL : (char *)b->octets + a->used;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(p, room, fmt, ap);
    p = n < 0 ? NULL : reserve(a, (size_t)n + 1);
    if (p != NULL && (size_t)n >= room)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

void arena_free(struct arena *a)
{
    while (a->last != NULL) {
        struct arena_block *before = a->last->before;

        free(a->last);
        a->last = before;
    }
    *a = (struct arena) { 0 };
}
