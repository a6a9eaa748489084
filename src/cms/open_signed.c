/* Opening SignedData, RFC 5652 section 5: content is digested on its way through; the signers come
 * behind it. libcrypto checks them against the certificates given, and no other: what the message
 * carries proves nothing. */
#include "cms/algorithms.h"
#include "cms/signature.h"
#include "cms/usual_signer.h"

enum { DIGESTS_MAX = 9 };

struct signed_data {
    BIO *chain; /* one digest BIO for each algorithm announced */
    EVP_MD_CTX *ctx[DIGESTS_MAX];
    int nid[DIGESTS_MAX];
    size_t n;
    /* Does the content look like signed attributes? See looks_signed(). */
    struct ber look;
    enum { LOOK_GOING, LOOK_NO, LOOK_YES } looked;
    bool look_digest;
    uint8_t look_oid[9];
    size_t look_oid_n;
};

static bool add_digest(struct signed_data *s, int nid, struct err *err)
{
    const EVP_MD *md = cms_digest(nid);
    BIO *bio = BIO_new(BIO_f_md());

    /* BIO_set_md() would cast const away, as the compiler is told to report */
    if (bio == NULL || BIO_ctrl(bio, BIO_C_SET_MD, 0, (void *)(uintptr_t)md) <= 0 ||
        BIO_get_md_ctx(bio, &s->ctx[s->n]) <= 0) {
        BIO_free(bio);
        cms_ssl_clear();
        return NO_MEMORY(err);
    }
    s->nid[s->n++] = nid;
    s->chain = s->chain == NULL ? bio : BIO_push(bio, s->chain);
    return true;
}

static bool announced(struct signed_data *s, struct span head, struct err *err)
{
    int nids[DIGESTS_MAX];
    size_t n = signature_digests(head, nids, DIGESTS_MAX);

    for (size_t i = 0; i < n; i++)
        if (!add_digest(s, nids[i], err))
            return false;
    return true;
}

static bool begin(struct peel *p, struct err *err)
{
    struct signed_data *s = p->own = calloc(1, sizeof(*s));

    if (s == NULL)
        return NO_MEMORY(err);
    return announced(s, grow_span(&p->walk.head), err);
}

/* A signature without signed attributes is over the content itself; one with them is over their
 * encoding. So a stranger could take those attributes, which we signed, for the content of a
 * message without attributes, and it would verify. Content that is a SET OF Attribute with a
 * messageDigest is therefore refused there. This follows it octet by octet and stops at the first
 * that does not fit: nearly always the very first of all. */
static void look_event(struct signed_data *s, const struct ber_event *ev)
{
    static const uint8_t message_digest[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4 };
    bool oid = ev->depth == 2 && ev->id == BER_OID;

    if (ev->what == BER_BEGIN &&
        ((ev->depth == 0 && ev->id != BER_SET) || (ev->depth == 1 && ev->id != BER_SEQUENCE)))
        s->looked = LOOK_NO;
    if (ev->what == BER_BEGIN && oid)
        s->look_oid_n = 0;
    if (ev->what == BER_OCTETS && oid)
        for (size_t i = 0; i < ev->raw.n; i++) {
            if (s->look_oid_n < sizeof(s->look_oid))
                s->look_oid[s->look_oid_n] = ev->raw.p[i];
            s->look_oid_n++;
        }
    if (ev->what == BER_END && oid && s->look_oid_n == sizeof(message_digest) &&
        memcmp(s->look_oid, message_digest, sizeof(message_digest)) == 0)
        s->look_digest = true;
}

static void look(struct signed_data *s, struct span in)
{
    struct ber_event ev;

    if (s->looked == LOOK_YES && in.n > 0)
        s->looked = LOOK_NO;
    while (s->looked == LOOK_GOING) {
        switch (ber_next(&s->look, &in, &ev)) {
        case BER_MORE:
            return;
        case BER_DONE:
            s->looked = in.n == 0 && s->look_digest ? LOOK_YES : LOOK_NO;
            break;
        case BER_BAD:
            s->looked = LOOK_NO;
            break;
        case BER_BEGIN:
        case BER_END:
            look_event(s, &ev);
            break;
        case BER_OCTETS:
            look_event(s, &ev);
            ber_take(&s->look, &in, ev.raw.n);
            break;
        }
    }
}

static bool looks_signed(struct signed_data *s)
{
    look(s, span_of(NULL, 0));
    return s->looked == LOOK_YES;
}

static bool digest(struct signed_data *s, struct span in, struct err *err)
{
    for (size_t i = 0; i < s->n; i++)
        if (EVP_DigestUpdate(s->ctx[i], in.p, in.n) != 1)
            return FAIL(err, FAIL_LOCAL, 0, "digest: %s", cms_ssl_reason());
    if (s->looked != LOOK_NO)
        look(s, in);
    return true;
}

static bool content(struct peel *p, struct span *in, struct room *out, struct err *err)
{
    struct span taken = *in;

    taken.n = room_take(out, in);
    return digest(p->own, taken, err);
}

static enum flow flush(struct peel *p, struct room *out, struct err *err)
{
    (void)p;
    (void)out;
    (void)err;
    return FLOW_END;
}

static bool verify(struct signed_data *s, CMS_ContentInfo *cms, CMS_SignerInfo *si, X509 *cert,
                   const char **why)
{
    bool attributes = CMS_signed_get_attr_count(si) >= 0;

    CMS_SignerInfo_set1_signer_cert(si, cert);
    *why = "it is wrong";
    if (s->n == 0) {
        *why = "its digest was not announced";
        return false;
    }
    if (!attributes && looks_signed(s)) {
        *why = "the content is somebody's signed attributes";
        return false;
    }
    if (CMS_SignerInfo_verify_content(si, s->chain) != 1)
        return false;
    if (!attributes)
        return true;
    if (!signer_type_agrees(cms, si)) {
        *why = "its content type attribute differs";
        return false;
    }
    return CMS_SignerInfo_verify(si) == 1;
}

static void record(struct peel *p, const struct signed_data *s, int nid)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    unsigned n = 0;

    (void)text_copy(p->layer->algorithm, sizeof(p->layer->algorithm), cms_algorithm_name(nid));
    for (size_t i = 0; copy != NULL && i < s->n; i++)
        if (s->nid[i] == nid && EVP_MD_CTX_copy_ex(copy, s->ctx[i]) == 1 &&
            EVP_DigestFinal_ex(copy, p->layer->digest, &n) == 1)
            p->layer->digest_n = n;
    EVP_MD_CTX_free(copy);
}

/* How the search for a signature that counts went. */
struct search {
    const char *why; /* the last one by a certificate of ours failed */
    int refused;     /* its digest is not allowed                    */
    unsigned asked;  /* how often somebody was asked to vouch        */
};

static bool defaults_allow(int nid)
{
    return cms_digest(nid) != NULL;
}

/* Tries one signer against every certificate that it names. */
static bool try_signer(struct peel *p, CMS_ContentInfo *cms, CMS_SignerInfo *si,
                       struct search *search)
{
    bool (*allowed)(int) = p->o->digest_allowed != NULL ? p->o->digest_allowed : defaults_allow;
    int nid = signer_digest(si);

    for (size_t i = 0; i < p->o->signers_n; i++) {
        if (CMS_SignerInfo_cert_cmp(si, p->o->signers[i]) != 0)
            continue;
        if (!allowed(nid)) {
            search->refused = nid;
            continue;
        }
        if (verify(p->own, cms, si, p->o->signers[i], &search->why)) {
            p->layer->trusted = true;
            p->layer->signer = p->o->signers[i];
            return true;
        }
    }
    return false;
}

/* Tries one signer against the certificates inside that somebody vouches for. */
static bool try_inside(struct peel *p, CMS_ContentInfo *cms, CMS_SignerInfo *si,
                       struct search *search)
{
    bool (*allowed)(int) = p->o->digest_allowed != NULL ? p->o->digest_allowed : defaults_allow;
    STACK_OF(X509) *certs = p->o->vouch == NULL ? NULL : CMS_get1_certs(cms);
    int n = certs == NULL ? 0 : sk_X509_num(certs);

    for (int k = 0; k < n && n <= CMS_INSIDE_MAX && !p->layer->trusted; k++) {
        X509 *cert = sk_X509_value(certs, k);

        if (CMS_SignerInfo_cert_cmp(si, cert) != 0 || search->asked++ >= CMS_VOUCH_MAX ||
            !p->o->vouch(p->o->vouch_context, cert, certs))
            continue;
        if (!allowed(signer_digest(si)))
            search->refused = signer_digest(si);
        else
            p->layer->trusted = verify(p->own, cms, si, cert, &search->why);
    }
    sk_X509_pop_free(certs, X509_free);
    cms_ssl_clear();
    return p->layer->trusted;
}

/* Nobody trusted signed. Is the message at least as somebody made it? Asked for cms_open_doubt()
 * only: a certificate inside the message proves that, and nothing else. */
static void look_whole(struct peel *p, CMS_ContentInfo *cms, STACK_OF(CMS_SignerInfo) * signers,
                       bool known)
{
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    struct signed_data *s = p->own;
    int n = signers != NULL ? sk_CMS_SignerInfo_num(signers) : 0;
    const char *why;

    p->likely = n == 0;
    for (int i = 0; i < n && !p->whole; i++) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(signers, i);

        for (int k = 0; certs != NULL && k < sk_X509_num(certs) && !p->whole; k++)
            p->whole = CMS_SignerInfo_cert_cmp(si, sk_X509_value(certs, k)) == 0 &&
                       verify(s, cms, si, sk_X509_value(certs, k), &why);
        if (!known && CMS_signed_get_attr_count(si) >= 0 && s->n > 0)
            p->likely = p->likely || CMS_SignerInfo_verify_content(si, s->chain) == 1;
    }
    sk_X509_pop_free(certs, X509_free);
    cms_ssl_clear();
}

static bool verdict(struct peel *p, CMS_ContentInfo *cms, struct err *err)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    int n = signers != NULL ? sk_CMS_SignerInfo_num(signers) : 0;
    struct search search = { NULL, NID_undef, 0 };

    if (p->walk.absent && !p->detached && n > 0)
        return REFUSE(err, CMS_FORMAT, "signed data: the content is missing");
    for (int i = 0; i < n; i++) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(signers, i);

        if (try_signer(p, cms, si, &search) || try_inside(p, cms, si, &search)) {
            record(p, p->own, signer_digest(si));
            return true;
        }
    }
    if (n > 0)
        record(p, p->own, signer_digest(sk_CMS_SignerInfo_value(signers, 0)));
    if (p->o->signers_n == 0 && p->o->vouch == NULL)
        return true; /* nobody is trusted, and nobody is asked for */
    look_whole(p, cms, signers, search.why != NULL);
    if (search.why != NULL)
        return REFUSE(err, CMS_SIGNATURE, "signature: %s", search.why);
    if (search.refused != NID_undef)
        return REFUSE(err, CMS_POLICY, "signature: the digest %s is not allowed",
                      OBJ_nid2sn(search.refused));
    return REFUSE(err, CMS_SIGNATURE,
                  n > 0 ? "signature: by none of the %zu certificates configured"
                        : "signature: nobody signed (%zu certificates configured)",
                  p->o->signers_n);
}

/* The usual case, by what stands there besides certificates: decoding one takes libcrypto longer
 * than verifying. */
static bool signed_by_known(struct peel *p)
{
    struct err ignored;
    CMS_ContentInfo *cms =
        peel_detached(p, signature_infos(grow_span(&p->walk.tail)), &ignored);
    STACK_OF(CMS_SignerInfo) *signers = cms != NULL ? CMS_get0_SignerInfos(cms) : NULL;
    int n = signers != NULL ? sk_CMS_SignerInfo_num(signers) : 0;
    struct search search = { NULL, NID_undef, 0 };

    for (int i = 0; i < n && !p->layer->trusted; i++) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(signers, i);

        if (try_signer(p, cms, si, &search))
            record(p, p->own, signer_digest(si));
    }
    CMS_ContentInfo_free(cms);
    cms_ssl_clear();
    return p->layer->trusted;
}

/* The same without libcrypto's structures, where the signer is the usual one. */
static bool signed_usually(struct peel *p)
{
    bool (*allowed)(int) = p->o->digest_allowed != NULL ? p->o->digest_allowed : defaults_allow;
    struct cms_layer *l = p->layer;
    struct usual_signer u;

    if (!usual_signer_read(&p->walk, signature_infos(grow_span(&p->walk.tail)), &u) ||
        !allowed(u.digest))
        return false;
    record(p, p->own, u.digest);
    l->signer = l->digest_n == 0 ? NULL
                                 : usual_signer_verify(&u, p->o->signers, p->o->signers_n,
                                                       span_of(l->digest, l->digest_n));
    l->trusted = l->signer != NULL;
    return l->trusted;
}

static bool finish(struct peel *p, struct err *err)
{
    CMS_ContentInfo *cms;
    bool ok;

    if ((!p->walk.absent || p->detached) && (signed_usually(p) || signed_by_known(p)))
        return true;
    cms = peel_detached(p, grow_span(&p->walk.tail), err);
    ok = cms != NULL && verdict(p, cms, err);
    CMS_ContentInfo_free(cms);
    cms_ssl_clear();
    return ok;
}

static void signed_free(struct peel *p)
{
    struct signed_data *s = p->own;

    if (s != NULL)
        BIO_free_all(s->chain);
    free(s);
}

const struct peel_ops peel_signed = { begin, content, flush, finish, signed_free };

bool peel_signed_digest(struct peel *p, struct span in, struct err *err)
{
    return digest(p->own, in, err);
}
