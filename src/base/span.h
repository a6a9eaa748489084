/* Octets that somebody else owns: to be read (span) and to be written (room).
 * Plain values; they own nothing. Lengths are octets. */
#ifndef WAYBILL_BASE_SPAN_H
#define WAYBILL_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK      __attribute__((warn_unused_result))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct span {
    const uint8_t *p;
    size_t n;
};

struct room {
    uint8_t *p;
    size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span) { (const uint8_t *)p, n };
}

/* The text without its final NUL; borrowed. */
static inline struct span span_text(const char *text)
{
    return span_of(text, strlen(text));
}

/* Drops the first n octets; n is at most s->n. */
static inline void span_skip(struct span *s, size_t n)
{
    if (n > 0) /* no octets may be at NULL */
        s->p += n;
    s->n -= n;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span s, const char *text)
{
    return span_equal(s, span_text(text));
}

/* Copies src into dst[cap], always ending it with NUL. False when it had to be cut. */
static inline bool text_copy(char *dst, size_t cap, const char *src)
{
    size_t n = strlen(src);
    bool whole = n < cap;

    if (!whole)
        n = cap - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return whole;
}

#endif
