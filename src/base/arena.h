/* Memory that is given back all at once: what lives as long as one message, one
 * configuration or one answer. Not for use by two threads at a time. */
#ifndef WAYBILL_BASE_ARENA_H
#define WAYBILL_BASE_ARENA_H

#include "base/span.h"

struct arena_block;

/* Zero it to begin. */
struct arena {
    struct arena_block *last;
    size_t used, total; /* total: octets asked for so far */
    bool failed;        /* memory ran out once: some pointer given was NULL */
};

/* n zeroed octets, aligned for anything; NULL when memory is out (and .failed is set). */
void *arena_take(struct arena *a, size_t n);

/* A copy that ends with NUL; NULL when memory is out or text is NULL. */
char *arena_text(struct arena *a, const char *text);
char *arena_copy(struct arena *a, struct span s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Gives everything back; the arena may be used again. */
void arena_free(struct arena *a);

#endif
