/* Sinks that remember, a pump, and the arena of a test of mime/. */
#ifndef WAYBILL_TESTS_MIME_SUPPORT_H
#define WAYBILL_TESTS_MIME_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../guard.h"
#include "mime/mime.h"

#define CHECK_EQ(got, want) assert_int_equal((got), (want))

struct bytes {
    uint8_t *p;
    size_t n, cap;
};

static inline void bytes_put(struct bytes *b, const void *p, size_t n)
{
    if (b->p == NULL || b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

static inline void bytes_text(struct bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

static inline struct span bytes_span(const struct bytes *b)
{
    return span_of(b->p, b->n);
}

static inline void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes) { 0 };
}

/* A sink that adds to *into, and counts in *ends and *frees. */
struct keeper {
    struct sink sink;
    struct bytes *into;
    unsigned *ends, *frees;
};

static inline bool keeper_write(struct sink *s, struct span octets, struct err *err)
{
    (void)err;
    bytes_put(((struct keeper *)s)->into, octets.p, octets.n);
    return true;
}

static inline bool keeper_end(struct sink *s, struct err *err)
{
    (void)err;
    ++*((struct keeper *)s)->ends;
    return true;
}

static inline void keeper_free(struct sink *s)
{
    ++*((struct keeper *)s)->frees;
    free(s);
}

static inline struct sink *keeper_new(struct bytes *into, unsigned *ends, unsigned *frees)
{
    static const struct sink_ops ops = { "keeper", keeper_write, keeper_end, keeper_free };
    struct keeper *k = calloc(1, sizeof(*k));

    assert_non_null(k);
    *k = (struct keeper) { { &ops }, into, ends, frees };
    return &k->sink;
}

/* Pushes all of it, chunk octets at a time, each from before a page that faults; ends and frees. */
static inline bool push(struct sink *s, struct span all, size_t chunk, struct err *err)
{
    bool ok = true;

    assert_non_null(s);
    *err = (struct err) { 0 };
    while (ok && all.n > 0) {
        size_t n = all.n < chunk ? all.n : chunk;
        struct span in = n <= GUARD_ROOM ? guard_after(all.p, n) : span_of(all.p, n);

        ok = sink_write(s, in, err);
        span_skip(&all, n);
    }
    ok = ok && sink_end(s, err);
    sink_free(s);
    return ok;
}

/* Runs a stage over in, chunk octets of input and room octets of output at a time. Frees it. */
static inline bool run_stage(struct stage *st, struct span in, size_t chunk, size_t room,
                             struct bytes *out, struct err *err)
{
    uint8_t *buffer = malloc(room);
    enum flow f;

    assert_non_null(st);
    assert_non_null(buffer);
    do {
        size_t n = in.n < chunk ? in.n : chunk;
        struct span piece = guard_after(in.p, n);
        struct room r = { buffer, room };

        f = stage_step(st, &piece, n == in.n, &r, err);
        bytes_put(out, buffer, room - r.n);
        span_skip(&in, n - piece.n);
        if (f == FLOW_IN || f == FLOW_END)
            CHECK_EQ(piece.n, 0);
        if (f == FLOW_OUT)
            CHECK_EQ(r.n, 0);
    } while (f == FLOW_IN || f == FLOW_OUT);
    stage_free(st);
    free(buffer);
    return f == FLOW_END;
}

#define CHECK_OCTETS(b, text, size)                                                            \
    do {                                                                                       \
        CHECK_EQ((b)->n, (size));                                                              \
        assert_memory_equal((b)->p, (text), (size));                                           \
    } while (0)

#endif
