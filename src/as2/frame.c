/* What stands around a layer: header fields, delimiters, the signature. */
#include "as2/frame.h"

#include <stdlib.h>

enum phase { START, BEFORE, CONTENT, AFTER };

struct framed {
    struct stage base; /* the first member */
    struct frame f;
    enum phase phase;
    struct span text; /* still to be written, before or behind */
};

static bool begin(struct framed *s, struct err *err)
{
    s->text = s->f.before;
    s->phase = BEFORE;
    return s->f.digests == NULL || !s->f.digest_before ||
           digests_update(s->f.digests, s->text, err);
}

static bool content(struct framed *s, struct span *in, struct room *out, struct err *err)
{
    struct span taken = *in;

    taken.n = room_take(out, in);
    return s->f.digests == NULL || digests_update(s->f.digests, taken, err);
}

static bool finish(struct framed *s, struct err *err)
{
    s->phase = AFTER;
    s->text = span_of(NULL, 0);
    return (s->f.digests == NULL || digests_end(s->f.digests, err)) &&
           (s->f.after == NULL || s->f.after(s->f.context, &s->text, err));
}

static enum flow frame_step(struct stage *st, struct span *in, bool last, struct room *out,
                            struct err *err)
{
    struct framed *s = (struct framed *)st;

    if (s->phase == START && !begin(s, err))
        return FLOW_FAIL;
    if (s->phase == BEFORE) {
        (void)room_take(out, &s->text);
        if (s->text.n > 0)
            return FLOW_OUT;
        s->phase = CONTENT;
    }
    if (s->phase == CONTENT) {
        if (!content(s, in, out, err))
            return FLOW_FAIL;
        if (in->n > 0)
            return FLOW_OUT;
        if (!last)
            return FLOW_IN;
        if (!finish(s, err))
            return FLOW_FAIL;
    }
    (void)room_take(out, &s->text);
    return s->text.n > 0 ? FLOW_OUT : FLOW_END;
}

static void frame_free(struct stage *st)
{
    free(st);
}

struct stage *frame_new(const struct frame *f, struct err *err)
{
    static const struct stage_ops ops = { "frame", frame_step, frame_free };
    struct framed *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0, "out of memory");
        return NULL;
    }
    s->base.ops = &ops;
    s->f = *f;
    return &s->base;
}
