/* Sealing by SignedData, RFC 5652 section 5: the content is digested on its way through, the
 * SignerInfos follow it. */
#include "cms/algorithms.h"
#include "cms/cms_int.h"

#include <openssl/objects.h>

struct sign {
    struct seal seal; /* the first member */
    struct cms_sign_options o;
    struct cms_signer *signers; /* copied: o's array is gone by then */
    EVP_MD_CTX *ctx;
    uint8_t given[EVP_MAX_MD_SIZE]; /* the content's digest, when it comes from elsewhere */
    size_t given_n;
    struct der head, inner, tail;
};

static bool work(struct seal *seal, struct span *in, bool last, struct room *out, bool *done,
                 struct err *err)
{
    struct sign *s = (struct sign *)seal;
    struct span taken = *in;

    if (seal->silent)
        span_skip(in, in->n);
    else
        taken.n = room_take(out, in);
    if (taken.n > 0 && EVP_DigestUpdate(s->ctx, taken.p, taken.n) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "digest: %s", cms_ssl_reason());
    *done = last && in->n == 0;
    return true;
}

static void put_certificates(struct sign *s)
{
    size_t since = s->tail.n;

    for (int i = s->o.chain == NULL ? 0 : sk_X509_num(s->o.chain); i-- > 0;)
        der_certificate(&s->tail, sk_X509_value(s->o.chain, i));
    for (size_t i = s->o.signers_n; i-- > 0;)
        der_certificate(&s->tail, s->o.signers[i].cert);
    der_wrap(&s->tail, BER_CONTEXT_CONSTRUCTED, since);
}

/* Detached: the whole object comes at once. */
static bool whole(struct sign *s, struct err *err)
{
    struct form form = s->seal.form;
    struct der d = { 0 };
    bool ok;

    form.content = NULL;
    form_der(&d, &form);
    ok = (!d.failed && grow_put(&s->seal.wait, der_all(&d))) || NO_MEMORY(err);
    der_free(&d);
    return ok;
}

static bool tail(struct seal *seal, struct err *err)
{
    struct sign *s = (struct sign *)seal;
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct span content = span_of(s->given, s->given_n);
    unsigned n;

    if (s->given_n == 0) {
        if (EVP_DigestFinal_ex(s->ctx, digest, &n) != 1)
            return FAIL(err, FAIL_LOCAL, 0, "digest: %s", cms_ssl_reason());
        content = span_of(digest, n);
    }
    if (!signer_infos(&s->tail, &s->o, content, err))
        return false;
    if (s->o.include_certificates)
        put_certificates(s);
    if (s->tail.failed)
        return NO_MEMORY(err);
    seal->form.tail = der_all(&s->tail);
    return !seal->silent || whole(s, err);
}

static void sign_free(struct seal *seal)
{
    struct sign *s = (struct sign *)seal;

    EVP_MD_CTX_free(s->ctx);
    der_free(&s->head);
    der_free(&s->inner);
    der_free(&s->tail);
    free(s->signers);
    free(s);
}

/* Version 3 where a signer is named by its key identifier, RFC 5652 5.1. */
static bool prepare(struct sign *s, struct err *err)
{
    int nid = EVP_MD_get_type(s->o.digest);

    s->seal.silent = s->o.detached;
    s->ctx = EVP_MD_CTX_new();
    if (s->ctx == NULL || EVP_DigestInit_ex(s->ctx, s->o.digest, NULL) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "digest: %s", cms_ssl_reason());
    der_algorithm(&s->head, nid, false);
    der_wrap(&s->head, BER_SET, 0);
    der_small(&s->head, s->o.key_identifier ? 3 : 1);
    der_oid(&s->inner, NID_pkcs7_data);
    s->seal.form = (struct form) { .kind = CMS_SIGNED,
                                   .head = der_all(&s->head),
                                   .inner = der_all(&s->inner) };
    return (!s->head.failed && !s->inner.failed) || NO_MEMORY(err);
}

struct seal *seal_sign(const struct cms_sign_options *o, struct err *err)
{
    static const struct stage_ops stage_ops = { "sign", seal_step, seal_free };
    static const struct seal_ops ops = { work, tail, sign_free };
    const EVP_MD *md = o->digest != NULL ? cms_digest(EVP_MD_get_type(o->digest)) : NULL;
    struct sign *s;

    if (md == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0, "sign: an unknown digest");
        return NULL;
    }
    if (!signer_check(o, err)) {
        cms_ssl_clear();
        return NULL;
    }
    s = calloc(1, sizeof(*s));
    if (s != NULL)
        s->signers = calloc(o->signers_n, sizeof(*s->signers));
    if (s == NULL || s->signers == NULL) {
        free(s);
        (void)NO_MEMORY(err);
        return NULL;
    }
    memcpy(s->signers, o->signers, o->signers_n * sizeof(*s->signers));
    s->o = *o;
    s->o.signers = s->signers;
    s->o.digest = md;
    s->seal.base.ops = &stage_ops;
    s->seal.ops = &ops;
    if (!prepare(s, err)) {
        sign_free(&s->seal);
        s = NULL;
    }
    cms_ssl_clear();
    return s != NULL ? &s->seal : NULL;
}

struct stage *cms_sign_new(const struct cms_sign_options *o, struct err *err)
{
    struct seal *s = seal_sign(o, err);

    return s != NULL ? &s->base : NULL;
}

bool cms_sign_digest(const struct cms_sign_options *o, struct span digest, uint8_t **out,
                     size_t *out_n, struct err *err)
{
    struct cms_sign_options detached = *o;
    struct seal *seal;
    struct sign *s;
    bool ok;

    detached.detached = true;
    seal = seal_sign(&detached, err);
    if (seal == NULL)
        return false;
    s = (struct sign *)seal;
    ok = (digest.n > 0 && digest.n == (size_t)EVP_MD_get_size(s->o.digest)) ||
         FAIL(err, FAIL_LOCAL, 0, "sign: a digest of the wrong size");
    if (ok) {
        memcpy(s->given, digest.p, digest.n);
        s->given_n = digest.n;
    }
    ok = ok && tail(seal, err);
    if (ok) {
        *out = seal->wait.p;
        *out_n = seal->wait.n;
        seal->wait = (struct grow) { 0 };
    }
    stage_free(&seal->base);
    cms_ssl_clear();
    return ok;
}
