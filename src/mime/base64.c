/* base64, RFC 2045 6.8, as stages. Groups of four characters that have no line end within go by
 * large tables (decoding 3 GB/s where octet by octet makes 0.3); everything else by character. */
#include "mime/mime.h"

#include <stdlib.h>

enum {
    QUANTUM = 4,
    OCTETS = 3,
    LINE_OCTETS = 57, /* 76 characters */
    LINE_CHARS = 76,
    /* besides the values of characters, which are below 64 */
    BLANK = 64,
    PAD,
    NEVER,
};

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Octets that did not fit into the room. */
struct held {
    uint8_t p[QUANTUM + 2];
    size_t at, n;
};

static void held_add(struct held *h, uint8_t octet)
{
    h->p[h->n++] = octet;
}

/* False: the room is used and some are left. */
static bool held_drain(struct held *h, struct room *out)
{
    struct span s = span_of(h->p + h->at, h->n - h->at);

    h->at += room_take(out, &s);
    if (h->at < h->n)
        return false;
    h->at = h->n = 0;
    return true;
}

/* ---- decoding --------------------------------------------------------------------------- */

struct decoder {
    struct stage stage; /* the first member */
    uint8_t value[256];
    /* What a character at each place of a group gives to its three octets; in the fourth whether it
     * is none. In memory order: read and joined as uint32_t, whatever the machine's order. */
    uint8_t share[QUANTUM][256][4];
    uint32_t bits;
    unsigned chars, pads; /* of the group that is under way */
    bool done;            /* a padded group has been: nothing may follow */
    struct held held;
};

static uint32_t word_of(const uint8_t p[4])
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static void decode_groups(const struct decoder *d, struct span *in, struct room *out)
{
    static const uint8_t no_character[4] = { 0, 0, 0, 1 };
    const uint32_t bad = word_of(no_character);
    const uint8_t *p = in->p;
    /* four octets are written where three count */
    size_t n = in->n / QUANTUM, rooms = out->n > 0 ? (out->n - 1) / OCTETS : 0;
    uint8_t *o = out->p;

    for (n = n < rooms ? n : rooms; n > 0; n--, p += QUANTUM, o += OCTETS) {
        uint32_t v = word_of(d->share[0][p[0]]) | word_of(d->share[1][p[1]]) |
                     word_of(d->share[2][p[2]]) | word_of(d->share[3][p[3]]);

        if ((v & bad) != 0)
            break;
        memcpy(o, &v, sizeof(v));
    }
    span_skip(in, (size_t)(p - in->p));
    room_skip(out, (size_t)(o - out->p));
}

static bool decode_char(struct decoder *d, uint8_t c, struct err *err)
{
    uint8_t v = d->value[c];

    if (v == BLANK)
        return true;
    if (v == NEVER)
        return FAIL(err, FAIL_PEER, 0, "base64: octet 0x%02x is not of its alphabet", c);
    if (d->done || (v == PAD ? d->chars < 2 : d->pads > 0))
        return FAIL(err, FAIL_PEER, 0, "base64: '=' elsewhere than at the end");
    if (v == PAD)
        d->pads++;
    d->bits = d->bits << 6 | (v == PAD ? 0 : v);
    if (++d->chars < QUANTUM)
        return true;
    for (unsigned i = 0; i < OCTETS - d->pads; i++)
        held_add(&d->held, (uint8_t)(d->bits >> (16 - 8 * i)));
    d->done = d->pads > 0;
    d->bits = d->chars = d->pads = 0;
    return true;
}

static enum flow decode_step(struct stage *st, struct span *in, bool last, struct room *out,
                             struct err *err)
{
    struct decoder *d = (struct decoder *)st;

    for (;;) {
        if (!held_drain(&d->held, out))
            return FLOW_OUT;
        if (d->chars == 0 && !d->done)
            decode_groups(d, in, out);
        if (in->n == 0)
            break;
        if (!decode_char(d, in->p[0], err))
            return FLOW_FAIL;
        span_skip(in, 1);
    }
    if (!last)
        return FLOW_IN;
    if (d->chars > 0) {
        (void)FAIL(err, FAIL_PEER, 0, "base64: its end is missing (%u of 4 characters)",
                   d->chars);
        return FLOW_FAIL;
    }
    return FLOW_END;
}

static void stage_done(struct stage *st)
{
    free(st);
}

static void add_character(struct decoder *d, uint8_t c, uint8_t value)
{
    d->value[c] = value;
    for (unsigned at = 0; at < QUANTUM; at++) {
        uint32_t bits = (uint32_t)value << (18 - 6 * at);

        for (unsigned i = 0; i < OCTETS; i++)
            d->share[at][c][i] = (uint8_t)(bits >> (16 - 8 * i));
        d->share[at][c][3] = 0;
    }
}

struct stage *mime_base64_decode_new(void)
{
    static const struct stage_ops ops = { "base64 decode", decode_step, stage_done };
    struct decoder *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->stage.ops = &ops;
    memset(d->value, NEVER, sizeof(d->value));
    for (unsigned c = 0; c < 256; c++)
        for (unsigned at = 0; at < QUANTUM; at++)
            d->share[at][c][3] = 1;
    for (uint8_t i = 0; i < 64; i++)
        add_character(d, (uint8_t)alphabet[i], i);
    d->value['\r'] = d->value['\n'] = d->value[' '] = d->value['\t'] = BLANK;
    d->value['='] = PAD;
    return &d->stage;
}

/* ---- encoding --------------------------------------------------------------------------- */

struct encoder {
    struct stage stage; /* the first member */
    char pair[4096][2]; /* of 12 bits */
    uint8_t octets[OCTETS];
    size_t n;    /* of octets */
    size_t line; /* characters in this line */
    struct held held;
};

static void encode_group(const struct encoder *e, const uint8_t *in, uint8_t *out)
{
    uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

    memcpy(out, e->pair[v >> 12], 2);
    memcpy(out + 2, e->pair[v & 4095], 2);
}

static void encode_lines(const struct encoder *e, struct span *in, struct room *out)
{
    const uint8_t *p = in->p;
    uint8_t *o = out->p;
    size_t lines = in->n / LINE_OCTETS, rooms = out->n / (LINE_CHARS + 2);

    for (size_t n = lines < rooms ? lines : rooms; n > 0; n--) {
        for (size_t i = 0; i < LINE_OCTETS / OCTETS; i++, p += OCTETS, o += QUANTUM)
            encode_group(e, p, o);
        *o++ = '\r';
        *o++ = '\n';
    }
    span_skip(in, (size_t)(p - in->p));
    room_skip(out, (size_t)(o - out->p));
}

static void encode_line_end(struct encoder *e)
{
    held_add(&e->held, '\r');
    held_add(&e->held, '\n');
    e->line = 0;
}

/* e->octets as a group, padded when there are fewer than three. */
static void encode_held(struct encoder *e)
{
    size_t n = e->n;

    memset(e->octets + n, 0, OCTETS - n);
    encode_group(e, e->octets, e->held.p);
    memset(e->held.p + n + 1, '=', OCTETS - n);
    e->held.n = QUANTUM;
    e->n = 0;
    e->line += QUANTUM;
    if (e->line == LINE_CHARS)
        encode_line_end(e);
}

static enum flow encode_step(struct stage *st, struct span *in, bool last, struct room *out,
                             struct err *err)
{
    struct encoder *e = (struct encoder *)st;

    (void)err;
    for (;;) {
        if (!held_drain(&e->held, out))
            return FLOW_OUT;
        if (e->n == 0 && e->line == 0)
            encode_lines(e, in, out);
        if (in->n > 0) {
            e->octets[e->n++] = in->p[0];
            span_skip(in, 1);
            if (e->n == OCTETS)
                encode_held(e);
        } else if (!last) {
            return FLOW_IN;
        } else if (e->n > 0) {
            encode_held(e);
        } else if (e->line > 0) {
            encode_line_end(e);
        } else {
            return FLOW_END;
        }
    }
}

struct stage *mime_base64_encode_new(void)
{
    static const struct stage_ops ops = { "base64 encode", encode_step, stage_done };
    struct encoder *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return NULL;
    e->stage.ops = &ops;
    for (unsigned i = 0; i < COUNT_OF(e->pair); i++) {
        e->pair[i][0] = alphabet[i >> 6];
        e->pair[i][1] = alphabet[i & 63];
    }
    return &e->stage;
}
