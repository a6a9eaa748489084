/* Quoted-printable, RFC 2045 6.7, as a stage. */
#include "mime/mime.h"
#include "mime/text.h"

#include <stdlib.h>

enum { BLANKS_MAX = 998 }; /* in a row: a line of RFC 5322 has no more octets */

struct quoted {
    struct stage stage; /* the first member */
    enum { TEXT, CR, EQUALS, DIGIT, SOFT, SOFT_CR } where;
    int high; /* DIGIT: the first digit's value */
    /* Octets to be written; behind them, while TEXT or CR, blanks that a line end may cut. */
    uint8_t held[BLANKS_MAX + 2];
    size_t at, sure, n;
};

static void sure(struct quoted *q, uint8_t octet)
{
    q->held[q->n++] = octet;
    q->sure = q->n;
}

/* Writes what is sure. False: the room is used and some is left. */
static bool drain(struct quoted *q, struct room *out)
{
    struct span s = span_of(q->held + q->at, q->sure - q->at);

    q->at += room_take(out, &s);
    if (q->at < q->sure)
        return false;
    if (q->at == q->n)
        q->at = q->sure = q->n = 0;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* In text. */
static bool take_text(struct quoted *q, uint8_t c, struct err *err)
{
    if (is_blank(c)) {
        if (q->n == BLANKS_MAX)
            return FAIL(err, FAIL_PEER, 0, "quoted-printable: more than %d blanks in a row",
                        BLANKS_MAX);
        q->held[q->n++] = c;
        return true;
    }
    if (c == '\n')
        q->n = q->sure; /* the blanks before it were not the sender's */
    if (c == '\r') {
        q->where = CR;
    } else if (c == '=') {
        q->sure = q->n;
        q->where = EQUALS;
    } else {
        sure(q, c);
    }
    return true;
}

/* *again: c has not been taken. */
static bool take(struct quoted *q, uint8_t c, bool *again, struct err *err)
{
    *again = false;
    switch (q->where) {
    case TEXT:
        return take_text(q, c, err);
    case CR:
        q->where = TEXT;
        if (c == '\n')
            q->n = q->sure;
        sure(q, '\r');
        *again = true;
        return true;
    case EQUALS:
        q->high = text_hex(c);
        q->where = q->high >= 0 ? DIGIT : SOFT;
        *again = q->high < 0;
        return true;
    case DIGIT:
        if (text_hex(c) < 0)
            break;
        sure(q, (uint8_t)(q->high << 4 | text_hex(c)));
        q->where = TEXT;
        return true;
    case SOFT:
    case SOFT_CR:
        if (q->where == SOFT && is_blank(c))
            return true;
        if (q->where == SOFT && c == '\r') {
            q->where = SOFT_CR;
            return true;
        }
        if (c != '\n')
            break;
        q->where = TEXT;
        return true;
    }
    return FAIL(err, FAIL_PEER, 0,
                "quoted-printable: '=' is not followed by two digits or a "
                "line end");
}

/* Ordinary octets as many as there are, from *in to *out. */
static void copy(struct span *in, struct room *out)
{
    size_t n = 0, max = in->n < out->n ? in->n : out->n;
    struct span run;

    while (n < max && in->p[n] > ' ' && in->p[n] != '=')
        n++;
    run = span_of(in->p, n);
    span_skip(in, room_take(out, &run));
}

static enum flow quoted_step(struct stage *st, struct span *in, bool last, struct room *out,
                             struct err *err)
{
    struct quoted *q = (struct quoted *)st;
    bool again;

    for (;;) {
        if (!drain(q, out))
            return FLOW_OUT;
        if (q->where == TEXT && q->n == 0)
            copy(in, out);
        if (in->n == 0)
            break;
        if (!take(q, in->p[0], &again, err))
            return FLOW_FAIL;
        if (!again)
            span_skip(in, 1);
    }
    if (!last)
        return FLOW_IN;
    if (q->where == DIGIT) {
        (void)FAIL(err, FAIL_PEER, 0, "quoted-printable: it ends within \"=XX\"");
        return FLOW_FAIL;
    }
    q->n = q->sure; /* blanks at the end are cut as before a line end */
    if (q->where == CR) {
        q->where = TEXT;
        sure(q, '\r');
    }
    return drain(q, out) ? FLOW_END : FLOW_OUT;
}

static void quoted_free(struct stage *st)
{
    free(st);
}

struct stage *mime_quoted_decode_new(void)
{
    static const struct stage_ops ops = { "quoted-printable decode", quoted_step, quoted_free };
    struct quoted *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->stage.ops = &ops;
    return &q->stage;
}
