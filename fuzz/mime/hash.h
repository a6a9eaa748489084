/* A sink that keeps a hash of what it is told, for the comparison of two readings. */
#ifndef WAYBILL_FUZZ_MIME_HASH_H
#define WAYBILL_FUZZ_MIME_HASH_H

#include <stdlib.h>

#include "base/sink.h"

struct hash {
    struct sink sink; /* the first member */
    uint64_t *value;
};

static inline void hash_add(uint64_t *h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
}

static inline void hash_mark(uint64_t *h, const char *what)
{
    hash_add(h, what, strlen(what) + 1);
}

static inline bool hash_write(struct sink *s, struct span octets, struct err *err)
{
    (void)err;
    if (octets.n == 0)
        abort();
    hash_add(((struct hash *)s)->value, octets.p, octets.n);
    return true;
}

static inline bool hash_end(struct sink *s, struct err *err)
{
    (void)err;
    hash_mark(((struct hash *)s)->value, "end");
    return true;
}

static inline void hash_free(struct sink *s)
{
    free(s);
}

static inline struct sink *hash_new(uint64_t *value)
{
    static const struct sink_ops ops = { "hash", hash_write, hash_end, hash_free };
    struct hash *h = calloc(1, sizeof(*h));

    if (h == NULL)
        abort();
    h->sink.ops = &ops;
    h->value = value;
    return &h->sink;
}

/* Pushes all in pieces of `chunk`, each a copy of its own so that the sanitizer sees reads beyond
 * it; ends, frees. */
static inline bool push(struct sink *s, struct span all, size_t chunk, struct err *err)
{
    bool ok = true;

    if (s == NULL)
        abort();
    while (ok && all.n > 0) {
        size_t n = all.n < chunk ? all.n : chunk;
        uint8_t *copy = malloc(n);

        if (copy == NULL)
            abort();
        memcpy(copy, all.p, n);
        ok = sink_write(s, span_of(copy, n), err);
        free(copy);
        span_skip(&all, n);
    }
    ok = ok && sink_end(s, err);
    sink_free(s);
    return ok;
}

#endif
