/* What the files of cms/ share. */
#ifndef WAYBILL_CMS_CMS_INT_H
#define WAYBILL_CMS_CMS_INT_H

#include "cms/cms.h"
#include "cms/der.h"
#include "cms/grow.h"

#define REFUSE(err, fault, ...) FAIL((err), FAIL_TRUST, (fault), __VA_ARGS__)
#define NO_MEMORY(err)          FAIL((err), FAIL_LOCAL, 0, "out of memory")

/* libcrypto says that memory was out as it says that a signature is wrong, and the partner must not
 * be told the latter for the former. cms_ssl_begin() at each entry; cms_ssl_clear() wherever its
 * queue of errors is emptied; cms_ssl_judge() before a failure is given out: turns a refusal into
 * FAIL_LOCAL when memory was out since cms_ssl_begin(). */
void cms_ssl_begin(void);
void cms_ssl_clear(void);
void cms_ssl_judge(struct err *err);

/* ContentInfo's type, RFC 5652 section 3; NID_undef for what we do not open. */
int cms_kind_nid(enum cms_kind kind);
const char *cms_kind_name(enum cms_kind kind);

/* The pieces of a ContentInfo around its content, each a row of whole elements:
 *   ContentInfo { type, [0] { body { head, inner-sequence { inner, content }, tail } } } */
struct form {
    enum cms_kind kind;
    struct span head, inner, tail;
    const struct span *content; /* NULL: without, "detached" */
};

/* The whole object in DER. */
void form_der(struct der *d, const struct form *f);
/* BER of indefinite length: all up to the first segment of the content, and all behind the last. */
MUST_CHECK bool form_begin(struct grow *g, const struct form *f, struct err *err);
MUST_CHECK bool form_end(struct grow *g, const struct form *f, struct err *err);

/* Why libcrypto failed, in a word or two; clears its queue. Borrowed from libcrypto. */
const char *cms_ssl_reason(void);

/* ---- sealing: seal.c ---------------------------------------------------------------------- */

enum { SEAL_SMALL = 1024, SEAL_SEGMENT = 65535 };

struct seal;

/* What one kind of sealing adds to the common stage. */
struct seal_ops {
    /* Takes from *in, writes content at most room for it; *done when the content is whole. */
    bool (*work)(struct seal *s, struct span *in, bool last, struct room *out, bool *done,
                 struct err *err);
    /* The content is whole: fills s->form.tail; what it points to lives as long as s. */
    bool (*tail)(struct seal *s, struct err *err);
    void (*free)(struct seal *s);
};

/* Each stage's first member: writes the object around what work() makes. */
struct seal {
    struct stage base;
    const struct seal_ops *ops;
    struct form form; /* head and inner given at the start */
    struct grow wait; /* what must go out first            */
    size_t waiting;   /* wait.p[waiting..n)                */
    uint8_t small[SEAL_SMALL];
    bool begun, done, silent; /* silent: detached, content is not written */
};

enum flow seal_step(struct stage *st, struct span *in, bool last, struct room *out,
                    struct err *err);
void seal_free(struct stage *st);

/* sealing for octets.c: the object's pieces; NULL with *err */
struct seal *seal_sign(const struct cms_sign_options *o, struct err *err);
struct seal *seal_encrypt(const struct cms_encrypt_options *o, struct err *err);

/* Whether o can be signed with, and the SET OF SignerInfo over a digest of the content. */
MUST_CHECK bool signer_check(const struct cms_sign_options *o, struct err *err);
MUST_CHECK bool signer_infos(struct der *d, const struct cms_sign_options *o,
                             struct span content_digest, struct err *err);

#endif
