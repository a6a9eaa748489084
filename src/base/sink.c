/* A stage as a sink. */
#include "base/sink.h"

#include "base/pipe.h"

#include <stdlib.h>

struct staged {
    struct sink sink; /* the first member */
    struct stage *stage;
    struct sink *next;
    bool owns, ended;
    uint8_t buffer[PIPE_BUFFER];
};

static bool step(struct staged *s, struct span *in, bool last, struct err *err)
{
    for (;;) {
        struct room out = { s->buffer, sizeof(s->buffer) };
        enum flow f = stage_step(s->stage, in, last, &out, err);

        struct span made = span_of(s->buffer, sizeof(s->buffer) - out.n);
        struct err sooner;

        /* What came before the fault goes on first: which of two faults is told must not hang on
         * how the input is cut. */
        if (f == FLOW_FAIL && !sink_write(s->next, made, &sooner))
            *err = sooner;
        if (f == FLOW_FAIL || !sink_write(s->next, made, err))
            return false;
        s->ended = f == FLOW_END;
        if (f != FLOW_OUT)
            return true;
    }
}

static bool staged_write(struct sink *sink, struct span octets, struct err *err)
{
    struct staged *s = (struct staged *)sink;

    if (!s->ended && !step(s, &octets, false, err))
        return false;
    return octets.n == 0 ||
           FAIL(err, FAIL_PEER, 0, "%s: octets follow the end", s->stage->ops->name);
}

static bool staged_end(struct sink *sink, struct err *err)
{
    struct staged *s = (struct staged *)sink;
    struct span none = { NULL, 0 };

    if (!s->ended && !step(s, &none, true, err))
        return false;
    return sink_end(s->next, err);
}

static void staged_free(struct sink *sink)
{
    struct staged *s = (struct staged *)sink;

    stage_free(s->stage);
    if (s->owns)
        sink_free(s->next);
    free(s);
}

struct sink *sink_of_stage(struct stage *st, struct sink *next, bool owns)
{
    static const struct sink_ops ops = { "stage", staged_write, staged_end, staged_free };
    struct staged *s = malloc(sizeof(*s));

    if (s == NULL) {
        stage_free(st);
        if (owns)
            sink_free(next);
        return NULL;
    }
    s->sink.ops = &ops;
    s->stage = st;
    s->next = next;
    s->owns = owns;
    s->ended = false;
    return &s->sink;
}
