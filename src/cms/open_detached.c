/* A detached signature: the SignedData is read when the stage is made, the content passes later. */
#include "cms/signature.h"

struct detached {
    struct opened opened; /* the first member */
    struct cms_open_options o;
    struct peel peel;
    uint64_t taken;
};

static void detached_free(struct stage *st)
{
    struct detached *d = (struct detached *)st;

    peel_free(&d->peel);
    free(d);
}

static enum flow step(struct detached *d, struct span *in, bool last, struct room *out,
                      struct err *err)
{
    struct span taken = *in;

    taken.n = room_take(out, in);
    if (!peel_signed_digest(&d->peel, taken, err))
        return FLOW_FAIL;
    if (in->n > 0)
        return FLOW_OUT;
    if (!last)
        return FLOW_IN;
    return d->peel.ops->finish(&d->peel, err) ? FLOW_END : FLOW_FAIL;
}

static enum flow detached_step(struct stage *st, struct span *in, bool last, struct room *out,
                               struct err *err)
{
    enum flow f;

    cms_ssl_begin();
    f = step((struct detached *)st, in, last, out, err);
    if (f == FLOW_FAIL)
        cms_ssl_judge(err);
    return f;
}

/* Walks the SignedData to its end but asks for no verdict yet. */
static bool read_signed(struct detached *d, struct span in, struct err *err)
{
    if (!signature_read(&d->peel, &in, err))
        return false;
    d->peel.layer->kind = CMS_SIGNED;
    d->peel.ops = &peel_signed;
    return d->peel.ops->begin(&d->peel, err) &&
           (in.n == 0 || REFUSE(err, CMS_FORMAT, "signature: octets follow the end"));
}

struct stage *cms_verify_detached_new(const struct cms_open_options *o, struct span signed_data,
                                      struct err *err)
{
    static const struct stage_ops ops = { "verify", detached_step, detached_free };
    struct detached *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    d->opened.base.ops = &ops;
    d->opened.n = 1;
    d->o = *o;
    d->peel = (struct peel) {
        .o = &d->o, .layer = &d->opened.layers[0], .taken = &d->taken, .detached = true
    };
    cms_ssl_begin();
    if (!read_signed(d, signed_data, err)) {
        detached_free(&d->opened.base);
        cms_ssl_judge(err);
        return NULL;
    }
    return &d->opened.base;
}
