#include "base/pipe.h"

#include <stdlib.h>

/* What stands between stage i and stage i + 1. */
struct between {
    uint8_t *octets;
    size_t from, to; /* octets[from..to) wait to be taken */
};

struct pipe {
    struct stage base;
    struct stage *stages[PIPE_STAGES];
    bool ended[PIPE_STAGES];
    struct between between[PIPE_STAGES];
    size_t n, cap;
};

static void pipe_free(struct stage *st)
{
    struct pipe *p = (struct pipe *)st;

    for (size_t i = 0; i < p->n; i++) {
        stage_free(p->stages[i]);
        free(p->between[i].octets);
    }
    free(p);
}

/* Steps stage i once. Sets *moved when anything went in, came out or ended. */
static bool step_one(struct pipe *p, size_t i, struct span *in, bool last, struct room *out,
                     bool *moved, struct err *err)
{
    struct between *from = i == 0 ? NULL : &p->between[i - 1];
    struct between *to = i + 1 == p->n ? NULL : &p->between[i];
    struct span left =
        from == NULL ? *in : span_of(from->octets + from->from, from->to - from->from);
    struct room room =
        to == NULL ? *out : (struct room) { to->octets + to->to, p->cap - to->to };
    bool final = from == NULL ? last : p->ended[i - 1];
    size_t had = left.n, space = room.n;
    enum flow f = stage_step(p->stages[i], &left, final, &room, err);

    if (f == FLOW_FAIL)
        return false;
    *moved = *moved || left.n != had || room.n != space || f == FLOW_END;
    if (from == NULL)
        *in = left;
    else
        from->from += had - left.n;
    if (to == NULL)
        *out = room;
    else
        to->to += space - room.n;
    p->ended[i] = f == FLOW_END;
    /* A stage that ends early leaves octets nobody asked for: something follows the end. */
    if (f == FLOW_END && left.n > 0)
        return FAIL(err, FAIL_TRUST, 0, "%s: octets follow the end", p->stages[i]->ops->name);
    return true;
}

static void make_room(struct between *b)
{
    if (b->from == b->to)
        b->from = b->to = 0;
}

static enum flow pipe_step(struct stage *st, struct span *in, bool last, struct room *out,
                           struct err *err)
{
    struct pipe *p = (struct pipe *)st;
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < p->n; i++) {
            if (!p->ended[i] && !step_one(p, i, in, last, out, &moved, err))
                return FLOW_FAIL;
            if (i > 0)
                make_room(&p->between[i - 1]);
        }
        if (p->ended[p->n - 1])
            break;
    }
    if (p->ended[p->n - 1]) {
        for (size_t i = 0; i + 1 < p->n; i++)
            if (!p->ended[i] || p->between[i].from != p->between[i].to) {
                (void)FAIL(err, FAIL_TRUST, 0, "%s: octets follow the end",
                           p->stages[i + 1]->ops->name);
                return FLOW_FAIL;
            }
        if (in->n > 0) {
            (void)FAIL(err, FAIL_TRUST, 0, "%s: octets follow the end",
                       p->stages[0]->ops->name);
            return FLOW_FAIL;
        }
        return last ? FLOW_END : FLOW_IN; /* until `last`, more octets would be an error */
    }
    if (in->n == 0 && !last)
        return FLOW_IN;
    if (out->n == 0)
        return FLOW_OUT;
    if (in->n == 0)
        (void)FAIL(err, FAIL_TRUST, 0, "%s: the input ends too early", p->stages[0]->ops->name);
    else
        (void)FAIL(err, FAIL_LOCAL, 0, "%s: a stage takes nothing and gives nothing",
                   p->stages[0]->ops->name);
    return FLOW_FAIL;
}

struct stage *pipe_new(struct stage *const *stages, size_t n, size_t buffer)
{
    static const struct stage_ops ops = { "pipe", pipe_step, pipe_free };
    struct pipe *p = calloc(1, sizeof(*p));
    bool ok = p != NULL;

    if (buffer == 0)
        buffer = PIPE_BUFFER;
    for (size_t i = 0; i < n; i++) {
        if (p == NULL) {
            stage_free(stages[i]);
            continue;
        }
        p->stages[i] = stages[i];
        p->n = i + 1;
        p->between[i].octets = i + 1 < n ? malloc(buffer) : NULL;
        ok = ok && stages[i] != NULL && (i + 1 == n || p->between[i].octets != NULL);
    }
    if (p == NULL)
        return NULL;
    p->base.ops = &ops;
    p->cap = buffer;
    if (!ok) {
        pipe_free(&p->base);
        return NULL;
    }
    return &p->base;
}
