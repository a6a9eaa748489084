/* The stage common to all sealing: the frame of the object, and the content in segments of a
 * constructed octet string, made in place where the room allows. */
#include "cms/cms_int.h"

#include <assert.h>

enum { SEGMENT_HEAD = 4, DIRECT = 512 }; /* less room than DIRECT: through s->small */

static void drain(struct seal *s, struct room *out)
{
    struct span left;

    if (s->wait.n == 0)
        return;
    left = span_of(s->wait.p + s->waiting, s->wait.n - s->waiting);
    s->waiting += room_take(out, &left);
    if (left.n == 0)
        s->wait.n = s->waiting = 0;
}

/* Makes content of room p[cap], which has place for the header before it: writes that and says
 * how many octets there are in all. */
static bool segment(struct seal *s, struct span *in, bool last, uint8_t *p, size_t cap,
                    size_t *n, struct err *err)
{
    struct room room = { p + SEGMENT_HEAD, cap - SEGMENT_HEAD };
    size_t made;

    if (room.n > SEAL_SEGMENT)
        room.n = SEAL_SEGMENT;
    made = room.n;
    if (!s->ops->work(s, in, last, &room, &s->done, err))
        return false;
    made -= room.n;
    *n = 0;
    if (made == 0 || s->silent)
        return true;
    if (made < 0x80) {
        p[0] = BER_OCTET_STRING;
        p[1] = (uint8_t)made;
        memmove(p + 2, p + SEGMENT_HEAD, made);
        *n = made + 2;
        return true;
    }
    /* two length octets even where one would do: BER allows it, and nothing has to move */
    p[0] = BER_OCTET_STRING;
    p[1] = 0x82;
    p[2] = (uint8_t)(made >> 8);
    p[3] = (uint8_t)made;
    *n = made + SEGMENT_HEAD;
    return true;
}

/* True: something was written or taken, go on. */
static bool produce(struct seal *s, struct span *in, bool last, struct room *out, bool *fail,
                    struct err *err)
{
    size_t had = in->n, n;

    if (out->n >= DIRECT) {
        *fail = !segment(s, in, last, out->p, out->n, &n, err);
        if (*fail)
            return false;
        room_skip(out, n);
    } else {
        *fail = !segment(s, in, last, s->small, sizeof(s->small), &n, err) ||
                !(grow_put(&s->wait, span_of(s->small, n)) || NO_MEMORY(err));
        if (*fail)
            return false;
    }
    return had != in->n || n > 0 || s->done;
}

static bool finish(struct seal *s, struct err *err)
{
    return s->ops->tail(s, err) && (s->silent || form_end(&s->wait, &s->form, err));
}

static enum flow step(struct seal *s, struct span *in, bool last, struct room *out,
                      struct err *err)
{
    if (!s->begun && !s->silent && !form_begin(&s->wait, &s->form, err))
        return FLOW_FAIL;
    s->begun = true;
    for (;;) {
        bool fail;

        drain(s, out);
        if (s->wait.n > 0)
            return FLOW_OUT;
        if (s->done)
            return FLOW_END;
        if (!produce(s, in, last, out, &fail, err)) {
            if (fail)
                return FLOW_FAIL;
            assert(!last);
            return FLOW_IN;
        }
        if (s->done && !finish(s, err))
            return FLOW_FAIL;
    }
}

enum flow seal_step(struct stage *st, struct span *in, bool last, struct room *out,
                    struct err *err)
{
    enum flow f;

    cms_ssl_begin();
    f = step((struct seal *)st, in, last, out, err);
    if (f == FLOW_FAIL)
        cms_ssl_judge(err);
    else
        cms_ssl_clear();
    return f;
}

void seal_free(struct stage *st)
{
    struct seal *s = (struct seal *)st;

    grow_free(&s->wait);
    s->ops->free(s);
}
