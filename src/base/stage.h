/* Transformations of octet streams that stop anywhere: given some input and some room, a stage
 * takes what it can, writes what it can and says which ran out. Memory is what the stage holds,
 * backpressure is a full room, the end is the `last` flag. No I/O, no clock. */
#ifndef WAYBILL_BASE_STAGE_H
#define WAYBILL_BASE_STAGE_H

#include "base/err.h"
#include "base/span.h"

enum flow {
    FLOW_IN,   /* all input taken: bring more, or say `last`         */
    FLOW_OUT,  /* all room used: empty it and call again             */
    FLOW_END,  /* the last octet has been written; do not call again */
    FLOW_FAIL, /* *err is set; only stage_free() may follow          */
};

struct stage;

struct stage_ops {
    const char *name; /* for error texts: "decrypt" */
    enum flow (*step)(struct stage *st, struct span *in, bool last, struct room *out,
                      struct err *err);
    void (*free)(struct stage *st);
};

/* The first member of every stage's own struct. */
struct stage {
    const struct stage_ops *ops;
};

/* Takes from the front of *in, writes to the front of *out, advances both. `last` says
 * that *in ends the stream. May be called with nothing in *in or no room in *out. */
MUST_CHECK static inline enum flow stage_step(struct stage *st, struct span *in, bool last,
                                              struct room *out, struct err *err)
{
    return st->ops->step(st, in, last, out, err);
}

/* NULL is fine. */
static inline void stage_free(struct stage *st)
{
    if (st != NULL)
        st->ops->free(st);
}

static inline void room_skip(struct room *r, size_t n)
{
    r->p += n;
    r->n -= n;
}

/* Moves as much as both allow. */
static inline size_t room_take(struct room *out, struct span *in)
{
    size_t n = in->n < out->n ? in->n : out->n;

    if (n > 0)
        memcpy(out->p, in->p, n);
    room_skip(out, n);
    span_skip(in, n);
    return n;
}

#endif
