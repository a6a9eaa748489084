/* Exchange buffers on a TCP stream: RFC 5024 section 8. */
#include "oftp/oftp.h"

/* The length of header and buffer that h[OFTP_STH] announces, or 0 when it cannot be one. The
 * flags in the low nibble are not looked at: RFC 5024 8.2 gives them no meaning yet. */
static size_t announced(const uint8_t *h)
{
    size_t n = (size_t)h[1] << 16 | (size_t)h[2] << 8 | (size_t)h[3];

    if (h[0] >> 4 != 1 || n <= OFTP_STH || n > OFTP_STH + OFTP_OEB_MAX)
        return 0;
    return n;
}

static bool out_of_step(const uint8_t *h, struct err *err)
{
    return FAIL(err, FAIL_PEER, ESID_SIZE,
                "stream header %02x %02x %02x %02x: not version 1 with a length of 5 to %d",
                h[0], h[1], h[2], h[3], OFTP_STH + OFTP_OEB_MAX);
}

static void collect(struct oftp_stb *st, struct span *in, size_t want)
{
    size_t n = want - st->have;

    if (n > in->n)
        n = in->n;
    if (n > 0)
        memcpy(st->octets + st->have, in->p, n);
    st->have += n;
    span_skip(in, n);
}

bool oftp_stb_take(struct oftp_stb *st, struct span *in, struct span *oeb, struct err *err)
{
    size_t want;

    *oeb = (struct span) { NULL, 0 };
    if (st->have == 0 && in->n > OFTP_STH) {
        want = announced(in->p);
        if (want == 0)
            return out_of_step(in->p, err);
        if (in->n >= want) { /* the common case: nothing is copied */
            *oeb = span_of(in->p + OFTP_STH, want - OFTP_STH);
            span_skip(in, want);
            return true;
        }
    }
    if (st->have < OFTP_STH)
        collect(st, in, OFTP_STH);
    if (st->have < OFTP_STH)
        return true;
    want = announced(st->octets);
    if (want == 0)
        return out_of_step(st->octets, err);
    collect(st, in, want);
    if (st->have == want) {
        *oeb = span_of(st->octets + OFTP_STH, want - OFTP_STH);
        st->have = 0;
    }
    return true;
}
