/* A document's properties: names such as "oftp2.sfiddsn" with text values, in the order they
 * were set. Everything lives in the arena given at each call. */
#ifndef WAYBILL_BASE_PROPS_H
#define WAYBILL_BASE_PROPS_H

#include "base/arena.h"

struct prop {
    const char *name;
    const char *value;
    struct prop *next;
};

/* Zero it to begin. */
struct props {
    struct prop *first;
};

/* Sets or replaces; name and value are copied. */
void props_set(struct props *ps, struct arena *a, const char *name, const char *value);
void props_printf(struct props *ps, struct arena *a, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The value, borrowed from the arena; NULL when there is none. */
const char *props_get(const struct props *ps, const char *name);

#endif
