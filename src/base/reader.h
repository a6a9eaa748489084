/* A reader whose failure sticks: take all fields, then ask once.
 * After the first take beyond the end every take gives nothing and reader_ok() is false. */
#ifndef WAYBILL_BASE_READER_H
#define WAYBILL_BASE_READER_H

#include "base/span.h"

struct reader {
    struct span left; /* borrowed for the reader's life */
    bool failed;
};

static inline struct reader reader_of(struct span s)
{
    return (struct reader) { s, false };
}

static inline bool reader_ok(const struct reader *r)
{
    return !r->failed;
}

/* The next n octets, or an empty span when there are fewer (then the reader has failed). */
static inline struct span reader_take(struct reader *r, size_t n)
{
    struct span s = { r->left.p, n };

    if (r->failed || r->left.n < n) {
        r->failed = true;
        return (struct span) { NULL, 0 };
    }
    span_skip(&r->left, n);
    return s;
}

static inline uint8_t reader_u8(struct reader *r)
{
    struct span s = reader_take(r, 1);

    return s.n == 1 ? s.p[0] : 0;
}

/* Two octets, network byte order. */
static inline uint16_t reader_u16(struct reader *r)
{
    struct span s = reader_take(r, 2);

    return s.n == 2 ? (uint16_t)((unsigned)s.p[0] << 8 | s.p[1]) : 0;
}

#endif
