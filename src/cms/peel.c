/* Opening one layer: the walk around the content, and what the kind makes of the content. */
#include "cms/peel.h"

#include <openssl/cms.h>

static bool data_begin(struct peel *p, struct err *err)
{
    (void)p;
    (void)err;
    return true;
}

static bool data_content(struct peel *p, struct span *in, struct room *out, struct err *err)
{
    (void)p;
    (void)err;
    (void)room_take(out, in);
    return true;
}

static enum flow data_flush(struct peel *p, struct room *out, struct err *err)
{
    (void)p;
    (void)out;
    (void)err;
    return FLOW_END;
}

static void data_free(struct peel *p)
{
    (void)p;
}

static const struct peel_ops peel_data = { data_begin, data_content, data_flush, data_begin,
                                           data_free };

static const struct peel_ops *ops_of(const struct peel *p)
{
    switch (p->walk.kind) {
    case CMS_SIGNED:
        return p->o->unverified ? &peel_data : &peel_signed;
    case CMS_ENVELOPED:
    case CMS_AUTH_ENVELOPED:
        return &peel_enveloped;
    case CMS_COMPRESSED:
        return &peel_compressed;
    case CMS_DATA:
        break;
    }
    return &peel_data;
}

static enum cms_fault fault_of(enum cms_kind kind)
{
    switch (kind) {
    case CMS_SIGNED:
        return CMS_SIGNATURE;
    case CMS_ENVELOPED:
    case CMS_AUTH_ENVELOPED:
        return CMS_DECRYPTION;
    case CMS_COMPRESSED:
        return CMS_DECOMPRESSION;
    case CMS_DATA:
        break;
    }
    return CMS_FORMAT;
}

static bool unwanted(const struct peel *p, const char *found, struct err *err)
{
    return REFUSE(err, (int)fault_of(*p->want), "%s was announced, and there is %s",
                  cms_kind_name(*p->want), found);
}

static bool is_wanted(const struct peel *p)
{
    enum cms_kind kind = p->walk.kind == CMS_AUTH_ENVELOPED ? CMS_ENVELOPED : p->walk.kind;

    return p->want == NULL || kind == *p->want;
}

static bool head_known(struct peel *p, struct err *err)
{
    p->layer->kind = p->walk.kind;
    p->layer->known = true;
    p->likely = true;
    if (!is_wanted(p))
        return unwanted(p, cms_kind_name(p->walk.kind), err);
    /* Certificates travel as SignedData of nothing: only that may lack its content. */
    if (p->walk.absent && !p->detached && (p->walk.kind != CMS_SIGNED || p->o->unverified))
        return REFUSE(err, CMS_FORMAT, "%s: the content is missing",
                      cms_kind_name(p->walk.kind));
    p->likely = false;
    p->ops = ops_of(p);
    return p->ops->begin(p, err);
}

enum flow peel_step(struct peel *p, struct span *in, bool last, struct room *out,
                    struct err *err)
{
    bool ok = true;

    while (ok) {
        struct span slice;
        size_t had, room;

        if (p->flushing) {
            enum flow f = p->ops->flush(p, out, err);

            if (f != FLOW_END)
                return f;
            p->flushing = false;
        }
        switch (walk_next(&p->walk, in, &slice, err)) {
        case WALK_MORE:
            if (!last)
                return FLOW_IN;
            ok = REFUSE(err, CMS_FORMAT, "%s: the object ends too early",
                        p->ops != NULL ? cms_kind_name(p->walk.kind) : "cms");
            break;
        case WALK_HEAD:
            ok = head_known(p, err);
            break;
        case WALK_CONTENT:
            if (out->n == 0)
                return FLOW_OUT;
            had = slice.n;
            room = out->n;
            ok = p->ops->content(p, &slice, out, err);
            walk_take(&p->walk, in, had - slice.n);
            if (ok && had == slice.n && room == out->n)
                ok = FAIL(err, FAIL_LOCAL, 0, "%s: takes nothing and gives nothing",
                          cms_kind_name(p->walk.kind));
            break;
        case WALK_CLOSED:
            p->flushing = true;
            break;
        case WALK_DONE:
            p->done = true;
            ok = p->ops->finish(p, err);
            if (ok)
                return FLOW_END;
            break;
        case WALK_FAIL:
            ok = false;
        }
    }
    if (p->ops == NULL && p->want != NULL && err->kind == FAIL_TRUST && err->wire == CMS_FORMAT)
        (void)unwanted(p, "no such object", err);
    return FLOW_FAIL;
}

bool peel_undecryptable(struct err *err)
{
    return REFUSE(err, CMS_DECRYPTION, "enveloped data: it cannot be decrypted");
}

void peel_free(struct peel *p)
{
    if (p->ops != NULL)
        p->ops->free(p);
    walk_free(&p->walk);
}

CMS_ContentInfo *peel_detached(const struct peel *p, struct span extra, struct err *err)
{
    struct form form = { p->walk.kind, grow_span(&p->walk.head), grow_span(&p->walk.inner),
                         extra, NULL };
    struct der d = { 0 };
    CMS_ContentInfo *cms = NULL;
    const unsigned char *at;
    struct span all;

    form_der(&d, &form);
    all = der_all(&d);
    at = all.p;
    if (d.failed) {
        (void)NO_MEMORY(err);
    } else {
        cms = d2i_CMS_ContentInfo(NULL, &at, (long)all.n);
        if (cms == NULL)
            (void)REFUSE(err, CMS_FORMAT, "%s: %s", cms_kind_name(p->walk.kind),
                         cms_ssl_reason());
    }
    der_free(&d);
    return cms;
}
