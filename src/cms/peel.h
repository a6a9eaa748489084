/* One layer being opened: a ContentInfo of any kind in, its content out. open.c stacks them. */
#ifndef WAYBILL_CMS_PEEL_H
#define WAYBILL_CMS_PEEL_H

#include "cms/walk.h"

struct peel;

struct peel_ops {
    /* Head and inner are known. */
    bool (*begin)(struct peel *p, struct err *err);
    /* Takes content from *in and writes what becomes of it to *out. */
    bool (*content)(struct peel *p, struct span *in, struct room *out, struct err *err);
    /* The content has ended: writes what was held back. FLOW_OUT, FLOW_END or FLOW_FAIL. */
    enum flow (*flush)(struct peel *p, struct room *out, struct err *err);
    /* The object has ended: the verdict. */
    bool (*finish)(struct peel *p, struct err *err);
    void (*free)(struct peel *p);
};

/* Zero it, set the first four and call peel_step(); peel_free() in the end. */
struct peel {
    const struct cms_open_options *o;
    struct cms_layer *layer;   /* filled as things become known           */
    const uint64_t *taken;     /* octets of the outermost object so far   */
    bool detached;             /* the content comes from elsewhere        */
    const enum cms_kind *want; /* the kind it must be; NULL: any          */
    struct walk walk;
    const struct peel_ops *ops; /* from WALK_HEAD on */
    void *own;                  /* of ops            */
    bool flushing;
    bool done;      /* the object has ended                                  */
    bool damaged;   /* enveloped: the padding is wrong; told by open.c       */
    bool authentic; /* enveloped: the tag was right                          */
    bool limit;     /* failed for a limit, in the midst of it                */
    bool whole;     /* signed: a signature verifies, though nobody trusts it */
    bool likely; /* signed: the content has the digest that is in it; or it is another object */
};

enum flow peel_step(struct peel *p, struct span *in, bool last, struct room *out,
                    struct err *err);
void peel_free(struct peel *p);

extern const struct peel_ops peel_signed, peel_enveloped, peel_compressed;

/* What every failure to decrypt is called. */
MUST_CHECK bool peel_undecryptable(struct err *err);

/* Content that comes from elsewhere, for a detached signature. */
MUST_CHECK bool peel_signed_digest(struct peel *p, struct span in, struct err *err);

/* The ContentInfo of p without its content, as libcrypto reads it. NULL with *err. extra: fields
 * put in the place of the tail. Given: CMS_ContentInfo_free(). */
struct CMS_ContentInfo_st;
struct CMS_ContentInfo_st *peel_detached(const struct peel *p, struct span extra,
                                         struct err *err);

/* What every opening stage begins with, for cms_open_layers(). */
struct opened {
    struct stage base;
    struct cms_layer layers[CMS_LAYERS_MAX];
    size_t n;
    enum cms_doubt doubt;
};

#endif
