/* A detached signature over content whose digests are at hand: as2.md 7.5. */
#include "cms/algorithms.h"
#include "cms/signature.h"
#include "cms/usual_signer.h"

struct judge {
    const struct cms_open_options *o;
    const struct cms_digest *d;
    size_t n;
    struct cms_layer *layer;
    const struct peel *peel;
    CMS_ContentInfo
        *cms; /* without the certificates: decoding one takes longer than all else */
    CMS_ContentInfo
        *full;      /* with them, once they were asked for                               */
    unsigned asked; /* how often somebody was asked to vouch */
};

static const struct cms_digest *find(const struct judge *j, int nid)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->d[i].nid == nid)
            return &j->d[i];
    return NULL;
}

static const char *name_of(int nid)
{
    return cms_digest(nid) != NULL ? cms_algorithm_name(nid) : OBJ_nid2sn(nid);
}

static void record_as(struct judge *j, int nid, struct span signature)
{
    const struct cms_digest *d = find(j, nid);

    (void)text_copy(j->layer->algorithm, sizeof(j->layer->algorithm), name_of(nid));
    j->layer->digest_n = d != NULL ? d->n : 0;
    if (d != NULL)
        memcpy(j->layer->digest, d->value, d->n);
    (void)EVP_Digest(signature.p, signature.n, j->layer->signature, NULL,
                     cms_digest(NID_sha256), NULL);
}

static void record(struct judge *j, CMS_SignerInfo *si)
{
    const ASN1_OCTET_STRING *value = CMS_SignerInfo_get0_signature(si);

    record_as(j, signer_digest(si),
              span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
}

static bool defaults_allow(int nid)
{
    return cms_digest(nid) != NULL;
}

static bool allows(const struct judge *j, int nid)
{
    bool (*allowed)(int) = j->o->digest_allowed != NULL ? j->o->digest_allowed : defaults_allow;

    return nid != NID_undef && allowed(nid);
}

/* The digest of the content for this signer. */
static bool digest_for(const struct judge *j, const CMS_SignerInfo *si, struct span *digest,
                       struct err *err)
{
    int nid = signer_digest(si);
    const struct cms_digest *d = find(j, nid);

    if (!allows(j, nid))
        return REFUSE(err, CMS_POLICY, "signature: the digest %s is not allowed",
                      nid != NID_undef ? name_of(nid) : "(unknown)");
    if (d == NULL)
        return FAIL(err, FAIL_AGAIN, nid, "signature: the content's %s was not computed",
                    name_of(nid));
    *digest = span_of(d->value, d->n);
    return true;
}

/* By any of the certificates that si names. *known: there is one. */
static bool judge_signer(struct judge *j, CMS_SignerInfo *si, bool *known, struct err *err)
{
    struct span digest;

    *known = false;
    for (size_t i = 0; i < j->o->signers_n; i++) {
        if (!signer_names(si, j->o->signers[i]))
            continue;
        if (!*known && !j->layer->trusted)
            record(j, si);
        *known = true;
        if (!digest_for(j, si, &digest, err))
            return false;
        if (!signer_verify(j->cms, si, j->o->signers[i], digest, err))
            continue;
        if (!j->layer->trusted) {
            j->layer->trusted = true;
            j->layer->signer = j->o->signers[i];
        }
        return true;
    }
    return !*known;
}

/* NULL: there are none, or nobody would vouch for them. */
static STACK_OF(X509) * inside(struct judge *j)
{
    struct err ignored; /* what is damaged there proves nothing either */

    if (j->o->vouch == NULL)
        return NULL;
    if (j->full == NULL)
        j->full = peel_detached(j->peel, grow_span(&j->peel->walk.tail), &ignored);
    return j->full != NULL ? CMS_get1_certs(j->full) : NULL;
}

/* The same with the certificates inside that somebody vouches for. */
static bool judge_inside(struct judge *j, CMS_SignerInfo *si, bool *known, struct err *err)
{
    STACK_OF(X509) *certs = inside(j);
    int n = certs == NULL ? 0 : sk_X509_num(certs);
    struct span digest;
    bool ok = true, good = false;

    for (int k = 0; ok && !good && k < n && n <= CMS_INSIDE_MAX; k++) {
        X509 *cert = sk_X509_value(certs, k);

        if (!signer_names(si, cert) || j->asked++ >= CMS_VOUCH_MAX ||
            !j->o->vouch(j->o->vouch_context, cert, certs))
            continue;
        if (!*known && !j->layer->trusted)
            record(j, si);
        *known = true;
        ok = digest_for(j, si, &digest, err);
        good = ok && signer_verify(j->cms, si, cert, digest, err);
        j->layer->trusted = j->layer->trusted || good;
    }
    sk_X509_pop_free(certs, X509_free);
    return ok && (good || !*known);
}

/* Nobody is trusted, and nobody is asked for: the content at least is what was signed. */
static bool judge_whole(struct judge *j, CMS_SignerInfo *si, struct err *err)
{
    struct span digest;

    return digest_for(j, si, &digest, err) &&
           (signer_digest_agrees(si, digest) ||
            REFUSE(err, CMS_INTEGRITY, "signature: the content has another digest"));
}

/* One signer we know must be there and each of them must be right; strangers' are passed over. */
static bool judge_all(struct judge *j, struct err *err)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(j->cms);
    int n = signers != NULL ? sk_CMS_SignerInfo_num(signers) : 0;
    bool any = false;

    if (n == 0)
        return REFUSE(err, CMS_INTEGRITY, "signature: nobody signed");
    record(j, sk_CMS_SignerInfo_value(signers, 0));
    if (j->o->signers_n == 0 && j->o->vouch == NULL)
        return judge_whole(j, sk_CMS_SignerInfo_value(signers, 0), err);
    for (int i = 0; i < n; i++) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(signers, i);
        bool known;

        if (!judge_signer(j, si, &known, err) ||
            (!known && !judge_inside(j, si, &known, err))) {
            j->layer->trusted = false;
            j->layer->signer = NULL;
            return false;
        }
        any = any || known;
    }
    return any ||
           REFUSE(err, CMS_SIGNATURE, "signature: by none of the %zu certificates configured",
                  j->o->signers_n);
}

/* The usual signer, by a certificate we know: then there is nothing to judge. */
static bool judge_usual(struct judge *j, struct span infos)
{
    const struct cms_digest *d;
    struct usual_signer u;

    if (!usual_signer_read(&j->peel->walk, infos, &u) || !allows(j, u.digest))
        return false;
    d = find(j, u.digest);
    j->layer->signer = d == NULL ? NULL
                                 : usual_signer_verify(&u, j->o->signers, j->o->signers_n,
                                                       span_of(d->value, d->n));
    j->layer->trusted = j->layer->signer != NULL;
    if (j->layer->trusted)
        record_as(j, u.digest, u.signature);
    return j->layer->trusted;
}

/* By libcrypto's structures. */
static bool judge_any(struct judge *j, struct span infos, struct err *err)
{
    bool ok;

    j->cms = peel_detached(j->peel, infos, err);
    ok = j->cms != NULL && judge_all(j, err);
    CMS_ContentInfo_free(j->cms);
    CMS_ContentInfo_free(j->full);
    return ok;
}

bool cms_verify_digests(const struct cms_open_options *o, struct span signed_data,
                        const struct cms_digest *d, size_t n, struct cms_layer *layer,
                        size_t *used, struct err *err)
{
    struct peel p = { .o = o, .layer = layer };
    struct judge j = { .o = o, .d = d, .n = n, .layer = layer, .peel = &p };
    struct span left = signed_data;
    bool ok;

    cms_ssl_begin();
    *layer = (struct cms_layer) { .kind = CMS_SIGNED };
    ok = signature_read(&p, &left, err);
    *used = signed_data.n - left.n;
    if (ok) {
        struct span infos = signature_infos(grow_span(&p.walk.tail));

        ok = judge_usual(&j, infos) || judge_any(&j, infos, err);
    }
    peel_free(&p);
    if (!ok)
        cms_ssl_judge(err);
    cms_ssl_clear();
    return ok;
}
