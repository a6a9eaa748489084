/* A body that says base64 and is not: as2-lib and libas2 copy the Content-Transfer-Encoding of a
 * part into the head of the message. A layer's first two octets tell: delimiters begin with "--", and
 * BER with a length that is no character. */
#include "as2/open_int.h"

#include <stdlib.h>
#include <string.h>

enum { TELLING = 2 };

struct coded {
    struct sink sink;   /* the first member */
    struct sink *plain; /* owned until there is next */
    struct sink *next;  /* owned; NULL: not told yet */
    uint8_t first[TELLING];
    size_t n;
};

static bool is_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("+/=\r\n\t ", c) != NULL);
}

static bool tell(struct coded *c, struct err *err)
{
    struct sink *plain = c->plain;
    bool is_base64 = true;
    struct stage *st;

    for (size_t i = 0; i < c->n; i++)
        is_base64 = is_base64 && is_character(c->first[i]);
    if (is_base64) {
        st = mime_base64_decode_new();
        if (st == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "out of memory");
        c->plain = NULL;
        c->next = sink_of_stage(st, plain, true);
    } else {
        c->plain = NULL;
        c->next = plain;
    }
    if (c->next == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    return sink_write(c->next, span_of(c->first, c->n), err);
}

static bool coded_write(struct sink *s, struct span octets, struct err *err)
{
    struct coded *c = (struct coded *)s;

    while (c->next == NULL && octets.n > 0) {
        c->first[c->n++] = *octets.p;
        span_skip(&octets, 1);
        if (c->n == TELLING && !tell(c, err))
            return false;
    }
    return c->next == NULL || sink_write(c->next, octets, err);
}

static bool coded_end(struct sink *s, struct err *err)
{
    struct coded *c = (struct coded *)s;

    return (c->next != NULL || tell(c, err)) && sink_end(c->next, err);
}

static void coded_free(struct sink *s)
{
    struct coded *c = (struct coded *)s;

    sink_free(c->plain);
    sink_free(c->next);
    free(c);
}

struct sink *open_coded(struct sink *plain)
{
    static const struct sink_ops ops = { "base64", coded_write, coded_end, coded_free };
    struct coded *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        sink_free(plain);
        return NULL;
    }
    c->sink.ops = &ops;
    c->plain = plain;
    return &c->sink;
}
