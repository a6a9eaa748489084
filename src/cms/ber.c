/* Reading BER, X.690 section 8. Multi-octet tag numbers are passed over, not understood. */
#include "cms/ber.h"

#include <assert.h>

static const uint64_t length_max = UINT64_C(1) << 62;

struct header {
    bool indefinite;
    uint64_t length;
};

enum parsed { PART, WHOLE, WRONG };

/* Where the length octets begin in h[n]; 0: not yet known, or wrong when n > 5. */
static unsigned identifier_size(const uint8_t *h, unsigned n)
{
    unsigned i = 1;

    if ((h[0] & 0x1f) != 0x1f)
        return n > 1 ? 1 : 0;
    while (i < n && (h[i] & 0x80) != 0)
        i++;
    return i + 1 < n ? i + 1 : 0;
}

static enum parsed parse_header(const uint8_t *h, unsigned n, struct header *out)
{
    unsigned i = identifier_size(h, n), octets;
    uint64_t length = 0;

    if (i == 0)
        return n > 5 ? WRONG : PART;
    octets = h[i] & 0x7f;
    *out = (struct header) { h[i] == 0x80, h[i] };
    i++;
    if (h[i - 1] <= 0x80)
        return WHOLE;
    if (octets == 0x7f || i + octets > BER_HEAD)
        return WRONG;
    if (n < i + octets)
        return PART;
    for (unsigned k = 0; k < octets; k++) {
        if (length >= length_max >> 8)
            return WRONG;
        length = length << 8 | h[i + k];
    }
    out->length = length;
    return WHOLE;
}

static enum ber_what bad(struct ber *b, struct ber_event *ev, const char *why)
{
    if (b->why == NULL)
        b->why = why;
    return ev->what = BER_BAD;
}

static enum ber_what ended(struct ber *b, struct ber_event *ev, size_t octets)
{
    b->depth--;
    b->done = b->depth == 0;
    *ev = (struct ber_event) { BER_END, b->level[b->depth].id, b->depth,
                               span_of(b->head, octets) };
    return BER_END;
}

/* A whole header is in b->head. */
static enum ber_what began(struct ber *b, struct ber_event *ev, const struct header *h)
{
    struct ber_level *top = b->depth > 0 ? &b->level[b->depth - 1] : NULL;
    uint64_t limit = top != NULL ? top->limit : UINT64_MAX;
    unsigned n = b->head_n;
    uint8_t id = b->head[0];

    b->head_n = 0;
    if (id == 0) {
        if (h->indefinite || h->length != 0 || n != 2 || top == NULL || !top->indefinite)
            return bad(b, ev, "end-of-contents octets where nothing ends");
        return ended(b, ev, 2);
    }
    if (h->indefinite && (id & BER_CONSTRUCTED) == 0)
        return bad(b, ev, "a primitive element of indefinite length");
    if (!h->indefinite && h->length > limit - b->at)
        return bad(b, ev, "an element reaches beyond the one around it");
    if (b->depth == BER_DEPTH)
        return bad(b, ev, "elements are nested too deep");
    b->level[b->depth] = (struct ber_level) {
        .end = b->at + h->length,
        .limit = h->indefinite ? limit : b->at + h->length,
        .id = id,
        .indefinite = h->indefinite,
    };
    *ev = (struct ber_event) { BER_BEGIN, id, b->depth, span_of(b->head, n) };
    b->depth++;
    return BER_BEGIN;
}

enum ber_what ber_next(struct ber *b, struct span *in, struct ber_event *ev)
{
    const struct ber_level *top = b->depth > 0 ? &b->level[b->depth - 1] : NULL;
    struct header h;

    if (b->why != NULL)
        return bad(b, ev, b->why);
    if (b->done)
        return ev->what = BER_DONE;
    if (top != NULL && !top->indefinite && b->head_n == 0 && b->at == top->end)
        return ended(b, ev, 0);
    if (top != NULL && (top->id & BER_CONSTRUCTED) == 0) {
        uint64_t left = top->end - b->at;

        if (in->n == 0)
            return ev->what = BER_MORE;
        *ev = (struct ber_event) { BER_OCTETS, top->id, b->depth - 1,
                                   span_of(in->p, left < in->n ? (size_t)left : in->n) };
        return BER_OCTETS;
    }
    while (in->n > 0) {
        if (top != NULL && b->at == top->limit)
            return bad(b, ev, "an element ends within a header");
        b->head[b->head_n++] = *in->p;
        span_skip(in, 1);
        b->at++;
        switch (parse_header(b->head, b->head_n, &h)) {
        case PART:
            break;
        case WHOLE:
            return began(b, ev, &h);
        case WRONG:
            return bad(b, ev, "a length or tag beyond all reason");
        }
    }
    return ev->what = BER_MORE;
}

void ber_take(struct ber *b, struct span *in, size_t n)
{
    assert(b->depth > 0 && n <= in->n && n <= b->level[b->depth - 1].end - b->at);
    b->at += n;
    span_skip(in, n);
}

bool ber_element(struct span *in, uint8_t *id, struct span *content)
{
    struct header h;
    enum parsed parsed = PART;
    unsigned n = 0;

    while (parsed == PART && n < in->n && n < BER_HEAD)
        parsed = parse_header(in->p, ++n, &h);
    if (parsed != WHOLE || h.indefinite || h.length > in->n - n)
        return false;
    *id = in->p[0];
    *content = span_of(in->p + n, (size_t)h.length);
    span_skip(in, n + (size_t)h.length);
    return true;
}

bool ber_pass(struct span *in)
{
    struct ber b = { 0 };
    struct ber_event ev;

    for (;;)
        switch (ber_next(&b, in, &ev)) {
        case BER_DONE:
            return true;
        case BER_MORE:
        case BER_BAD:
            return false;
        case BER_OCTETS:
            ber_take(&b, in, ev.raw.n);
            break;
        case BER_BEGIN:
        case BER_END:
            break;
        }
}
