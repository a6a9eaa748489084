/* A writer into fixed room whose failure sticks: put all fields, then ask once. */
#ifndef WAYBILL_BASE_WRITER_H
#define WAYBILL_BASE_WRITER_H

#include "base/span.h"

struct writer {
    uint8_t *begin; /* borrowed for the writer's life */
    size_t cap, n;
    bool failed; /* something did not fit; .n stays as it was before that */
};

static inline struct writer writer_of(void *p, size_t cap)
{
    return (struct writer) { (uint8_t *)p, cap, 0, false };
}

static inline bool writer_ok(const struct writer *w)
{
    return !w->failed;
}

static inline struct span writer_done(const struct writer *w)
{
    return (struct span) { w->begin, w->n };
}

static inline void writer_put(struct writer *w, const void *p, size_t n)
{
    if (w->failed || w->cap - w->n < n) {
        w->failed = true;
        return;
    }
    if (n > 0)
        memcpy(w->begin + w->n, p, n);
    w->n += n;
}

static inline void writer_fill(struct writer *w, uint8_t octet, size_t n)
{
    if (w->failed || w->cap - w->n < n) {
        w->failed = true;
        return;
    }
    memset(w->begin + w->n, octet, n);
    w->n += n;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    writer_put(w, &v, 1);
}

/* Two octets, network byte order. */
static inline void writer_u16(struct writer *w, uint16_t v)
{
    uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

    writer_put(w, b, 2);
}

#endif
