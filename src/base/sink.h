/* Where octets are pushed to: the counterpart of a stage, for readers that learn only while they
 * read what must come next (MIME parts, layers of a message). A chain of sinks is fed at its head
 * and holds what each sink holds; there is no backpressure but the time a write takes. */
#ifndef WAYBILL_BASE_SINK_H
#define WAYBILL_BASE_SINK_H

#include "base/stage.h"

struct sink;

struct sink_ops {
    const char *name; /* for error texts */
    /* Takes all of it. After a failure only sink_free() may follow. */
    bool (*write)(struct sink *s, struct span octets, struct err *err);
    /* The stream is whole: called once, after the last write. Ends the next sink, too. */
    bool (*end)(struct sink *s, struct err *err);
    void (*free)(struct sink *s); /* and what it owns, the next sink included where it does */
};

/* The first member of every sink's own struct. */
struct sink {
    const struct sink_ops *ops;
};

MUST_CHECK static inline bool sink_write(struct sink *s, struct span octets, struct err *err)
{
    return octets.n == 0 || s->ops->write(s, octets, err);
}

MUST_CHECK static inline bool sink_end(struct sink *s, struct err *err)
{
    return s->ops->end(s, err);
}

/* NULL is fine. */
static inline void sink_free(struct sink *s)
{
    if (s != NULL)
        s->ops->free(s);
}

/* Pushes through a stage (taken) into next (taken when `owns`, else borrowed): a buffer of
 * PIPE_BUFFER octets lies between. Octets behind the stage's own end are refused with FAIL_PEER.
 * NULL when memory is out (what was to be taken is freed). */
struct sink *sink_of_stage(struct stage *st, struct sink *next, bool owns);

#endif
