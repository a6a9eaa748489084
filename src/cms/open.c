/* Opening: layer upon layer, as they are found, each feeding the next through a buffer. */
#include "cms/signature.h"

enum { BETWEEN = 64 * 1024 };

/* What layer i has written and layer i + 1, or nobody yet, has not taken. */
struct between {
    uint8_t *octets;
    size_t from, to;
};

struct open {
    struct opened opened; /* the first member */
    struct cms_open_options o;
    struct peel peel[CMS_LAYERS_MAX];
    bool ended[CMS_LAYERS_MAX];
    struct between between[CMS_LAYERS_MAX];
    bool plain; /* the innermost layer's content is the content */
    uint64_t taken;
    unsigned trailing; /* octets passed over behind the outermost object */
    /* The first failure inside an encrypted layer: see enum cms_doubt. What is still to come for the
     * layer it was found in goes nowhere. */
    struct err fault;
    size_t faulty;
    bool failed, more; /* more: octets came behind the end of that layer */
};

static void open_free(struct stage *st)
{
    struct open *op = (struct open *)st;

    for (size_t i = 0; i < op->opened.n; i++) {
        peel_free(&op->peel[i]);
        free(op->between[i].octets);
    }
    free(op);
}

static bool add_layer(struct open *op, struct err *err)
{
    size_t n = op->opened.n;

    if (n == CMS_LAYERS_MAX)
        return REFUSE(err, CMS_FORMAT, "cms: more than %d layers", CMS_LAYERS_MAX);
    if (!op->plain) {
        op->between[n].octets = malloc(BETWEEN);
        if (op->between[n].octets == NULL)
            return NO_MEMORY(err);
    }
    op->peel[n] = (struct peel) { .o = &op->o,
                                  .layer = &op->opened.layers[n],
                                  .taken = &op->taken,
                                  .want = n < op->o.want_n ? &op->o.want[n] : NULL };
    op->opened.n = n + 1;
    return true;
}

static size_t waiting(const struct between *b)
{
    return b->to - b->from;
}

static bool too_long(struct err *err, const struct peel *p)
{
    return REFUSE(err, CMS_FORMAT, "%s: octets follow the end", cms_kind_name(p->walk.kind));
}

/* Octets behind the object that layer i opened: some, of no meaning, may follow the outermost. */
static bool at_end(struct open *op, size_t i, struct span *left, struct err *err)
{
    while (i == 0 && left->n > 0 && op->trailing < op->o.trailing_max &&
           (left->p[0] == '\r' || left->p[0] == '\n' || left->p[0] == '\0')) {
        op->trailing++;
        span_skip(left, 1);
    }
    return left->n == 0 || too_long(err, &op->peel[i]);
}

/* Lets layer i take from before it and write behind it. */
static bool step_layer(struct open *op, size_t i, struct span *in, bool last, struct room *out,
                       bool *moved, struct err *err)
{
    struct between *from = i > 0 ? &op->between[i - 1] : NULL, *to = &op->between[i];
    struct span left = from == NULL ? *in : span_of(from->octets + from->from, waiting(from));
    bool direct = i + 1 == op->opened.n && op->plain && waiting(to) == 0;
    struct room room = direct ? *out : (struct room) { to->octets + to->to, BETWEEN - to->to };
    size_t had = left.n, space = room.n;
    enum flow f;

    if (op->ended[i])
        return at_end(op, i, from == NULL ? in : &left, err);
    if (from == NULL)
        op->taken += had; /* as the ratio needs it: what is being taken counts */
    f = peel_step(&op->peel[i], &left, from == NULL ? last : op->ended[i - 1], &room, err);
    if (from == NULL)
        op->taken -= left.n;
    if (f == FLOW_FAIL) {
        if (from != NULL)
            from->from += had - left.n;
        return false;
    }
    *moved = *moved || left.n != had || room.n != space || f == FLOW_END;
    op->ended[i] = f == FLOW_END;
    if (op->ended[i] && !at_end(op, i, &left, err))
        return false;
    if (from == NULL)
        *in = left;
    else
        from->from += had - left.n;
    if (from != NULL && from->from == from->to)
        from->from = from->to = 0;
    if (direct)
        *out = room;
    else
        to->to += space - room.n;
    return true;
}

/* Looks at what the innermost layer contains: another layer, or the content? */
static bool decide(struct open *op, bool *moved, struct err *err)
{
    size_t i = op->opened.n - 1;
    struct between *b = &op->between[i];
    enum walk_guess guess = walk_guess(span_of(b->octets + b->from, waiting(b)));

    if (op->o.want_n > 0)
        guess = op->opened.n < op->o.want_n ? GUESS_YES : GUESS_NO;
    if (guess == GUESS_SHORT && !op->ended[i])
        return true;
    *moved = true;
    if (guess == GUESS_YES)
        return add_layer(op, err);
    op->plain = true;
    return true;
}

/* ---- failures inside encrypted layers ------------------------------------------------------ */

static bool is_enveloped(const struct open *op, size_t i)
{
    enum cms_kind kind = op->peel[i].walk.kind;

    return kind == CMS_ENVELOPED || kind == CMS_AUTH_ENVELOPED;
}

/* Whether what has come for layer i is the text of a file that was not protected as announced. */
static bool begins_as_text(const struct between *b)
{
    enum { ENOUGH = 16 };

    for (size_t i = 0; i < ENOUGH; i++) {
        uint8_t c = i < b->to ? b->octets[i] : 0;

        if ((c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t')
            return false;
    }
    return true;
}

/* Whether the failure of layer i is to wait for the end of the encrypted layer around it. */
static bool keep_fault(struct open *op, size_t i, struct err *err)
{
    bool inside = false;

    for (size_t k = 0; k < i; k++)
        inside = inside || is_enveloped(op, k);
    cms_ssl_judge(err);
    if (!inside || err->kind != FAIL_TRUST || op->peel[i].limit)
        return false;
    op->fault = *err;
    op->faulty = i;
    if (op->peel[i].ops == NULL && begins_as_text(&op->between[i - 1]))
        op->peel[i].likely = true;
    op->failed = true;
    return true;
}

static void discard(struct open *op, bool *moved)
{
    struct between *b = &op->between[op->faulty - 1];

    if (waiting(b) == 0)
        return;
    op->more = op->more || op->peel[op->faulty].done;
    b->from = b->to = 0;
    *moved = true;
}

/* All around the fault has ended: what can be told of it? */
static enum cms_doubt doubt(const struct open *op)
{
    const struct peel *p = &op->peel[op->faulty];

    for (size_t i = op->faulty; i-- > 0;) {
        if (op->peel[i].authentic || op->peel[i].walk.kind == CMS_COMPRESSED)
            return CMS_CERTAIN;
        if (is_enveloped(op, i))
            break;
    }
    if (op->more && p->ops != NULL)
        return CMS_DOUBTFUL;
    return p->whole ? CMS_CERTAIN : p->likely ? CMS_LIKELY : CMS_DOUBTFUL;
}

static bool tell_fault(struct open *op, struct err *err)
{
    for (size_t i = 0; i < op->opened.n; i++)
        if (op->peel[i].damaged) {
            op->opened.doubt = CMS_DOUBTFUL;
            return peel_undecryptable(err);
        }
    if (!op->failed)
        return true;
    op->opened.doubt = doubt(op);
    *err = op->fault;
    return false;
}

/* ---- the stack ----------------------------------------------------------------------------- */

static bool pump(struct open *op, struct span *in, bool last, struct room *out, bool *moved,
                 struct err *err)
{
    struct between *b;
    struct span left;

    for (size_t i = 0; i < (op->failed ? op->faulty : op->opened.n); i++)
        if (!step_layer(op, i, in, last, out, moved, err)) {
            if (!keep_fault(op, i, err))
                return false;
            *moved = true;
        }
    if (op->failed) {
        discard(op, moved);
        return true;
    }
    if (!op->plain)
        return decide(op, moved, err);
    b = &op->between[op->opened.n - 1];
    if (waiting(b) == 0) /* nor is there a buffer, perhaps */
        return true;
    left = span_of(b->octets + b->from, waiting(b));
    if (room_take(out, &left) > 0) {
        b->from = b->to - left.n;
        *moved = true;
    }
    return true;
}

static bool all_ended(const struct open *op)
{
    for (size_t i = 0; i < (op->failed ? op->faulty : op->opened.n); i++)
        if (!op->ended[i])
            return false;
    if (op->failed)
        return true;
    return op->plain && waiting(&op->between[op->opened.n - 1]) == 0;
}

static enum flow step(struct open *op, struct span *in, bool last, struct room *out,
                      struct err *err)
{
    bool moved = true;

    while (moved) {
        moved = false;
        if (!pump(op, in, last, out, &moved, err))
            return FLOW_FAIL;
    }
    if (all_ended(op))
        return !tell_fault(op, err) ? FLOW_FAIL : last ? FLOW_END : FLOW_IN;
    if (out->n == 0)
        return FLOW_OUT;
    if (in->n == 0 && !last)
        return FLOW_IN;
    (void)FAIL(err, FAIL_LOCAL, 0, "open: a layer takes nothing and gives nothing");
    return FLOW_FAIL;
}

static enum flow open_step(struct stage *st, struct span *in, bool last, struct room *out,
                           struct err *err)
{
    enum flow f;

    cms_ssl_begin();
    f = step((struct open *)st, in, last, out, err);
    if (f == FLOW_FAIL)
        cms_ssl_judge(err);
    else
        cms_ssl_clear();
    return f;
}

static const struct stage_ops open_ops = { "open", open_step, open_free };

struct stage *cms_open_new(const struct cms_open_options *o, struct err *err)
{
    struct open *op = calloc(1, sizeof(*op));

    if (op == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    op->opened.base.ops = &open_ops;
    op->o = *o;
    op->plain =
        o->one_layer; /* there is nothing to look for in the content: it goes right out */
    if (!add_layer(op, err)) {
        open_free(&op->opened.base);
        return NULL;
    }
    return &op->opened.base;
}

size_t cms_open_layers(const struct stage *st, const struct cms_layer **layers)
{
    const struct opened *o = (const struct opened *)st;

    *layers = o->layers;
    return o->n;
}

enum cms_doubt cms_open_doubt(const struct stage *st)
{
    return ((const struct opened *)st)->doubt;
}

size_t cms_open_digests(const struct stage *st, int *nids, size_t max)
{
    const struct open *op = (const struct open *)st;

    return signature_digests(grow_span(&op->peel[0].walk.head), nids, max);
}

bool cms_open_signature(const struct stage *st, uint8_t **out, size_t *out_n, struct err *err)
{
    const struct walk *w = &((const struct open *)st)->peel[0].walk;
    const struct form form = { CMS_SIGNED, grow_span(&w->head), grow_span(&w->inner),
                               grow_span(&w->tail), NULL };
    struct der d = { 0 };
    uint8_t *made;
    size_t n = 0;

    form_der(&d, &form);
    made = der_done(&d, &n);
    if (made == NULL)
        return NO_MEMORY(err);
    *out = made;
    *out_n = n;
    return true;
}
