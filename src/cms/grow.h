/* Octets collected in memory up to a limit. */
#ifndef WAYBILL_CMS_GROW_H
#define WAYBILL_CMS_GROW_H

#include "base/span.h"

#include <stdlib.h>

/* Zero it to begin; grow_free() in the end. */
struct grow {
    uint8_t *p;
    size_t n, cap;
};

static inline struct span grow_span(const struct grow *g)
{
    return span_of(g->p, g->n);
}

static inline void grow_free(struct grow *g)
{
    free(g->p);
    *g = (struct grow) { 0 };
}

/* False when memory is out. */
MUST_CHECK static inline bool grow_put(struct grow *g, struct span s)
{
    if (g->cap - g->n < s.n) {
        size_t cap = g->cap > 0 ? g->cap : 256;
        uint8_t *p;

        while (cap - g->n < s.n)
            cap *= 2;
        p = realloc(g->p, cap);
        if (p == NULL)
            return false;
        g->p = p;
        g->cap = cap;
    }
    if (s.n > 0)
        memcpy(g->p + g->n, s.p, s.n);
    g->n += s.n;
    return true;
}

#endif
