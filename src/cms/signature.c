/* One SignerInfo, RFC 5652 5.3 to 5.6. More lenient than libcrypto where partners are (as2.md 7.3,
 * 7.5): a DigestInfo may lack its NULL, and attributes may be sent unsorted but signed sorted. */
#include "cms/signature.h"

#include "base/writer.h"
#include "cms/algorithms.h"

#include <openssl/rsa.h>

enum { ATTRIBUTES_MAX = 64, SALT_MAX = 2048, DIGEST_INFO_MAX = 128, MODULUS_MAX = 2048 };

bool signature_read(struct peel *p, struct span *in, struct err *err)
{
    struct walk *w = &p->walk;
    struct span slice;

    for (;;)
        switch (walk_next(w, in, &slice, err)) {
        case WALK_HEAD:
            if (w->kind != CMS_SIGNED || !w->absent)
                return REFUSE(err, CMS_FORMAT, "signature: no detached signed data");
            break;
        case WALK_CLOSED:
            break;
        case WALK_CONTENT:
        case WALK_MORE:
            return REFUSE(err, CMS_FORMAT, "signature: it ends too early");
        case WALK_DONE:
            return true;
        case WALK_FAIL:
            return false;
        }
}

struct span signature_infos(struct span tail)
{
    struct span rest = tail;

    while (rest.n > 0) {
        struct span at = rest;

        if (!ber_pass(&rest))
            break;
        if (at.p[0] == BER_SET)
            return span_of(at.p, at.n - rest.n);
    }
    return tail;
}

static size_t add_digest(int nid, int *nids, size_t n, size_t max)
{
    if (cms_digest(nid) == NULL || n == max)
        return n; /* a signer who needs it will not verify */
    for (size_t i = 0; i < n; i++)
        if (nids[i] == nid)
            return n;
    nids[n] = nid;
    return n + 1;
}

/* head: version, SET OF AlgorithmIdentifier. Any identifier in the set that names a digest is taken
 * for one. */
size_t signature_digests(struct span head, int *nids, size_t max)
{
    struct ber b = { 0 };
    struct ber_event ev;
    struct span rest = head;
    size_t n = 0;

    if (!ber_pass(&rest))
        return 0;
    while (ber_next(&b, &rest, &ev) != BER_DONE && ev.what != BER_MORE && ev.what != BER_BAD) {
        ASN1_OBJECT *o;
        const unsigned char *at = rest.p - (ev.what == BER_BEGIN ? ev.raw.n : 0);

        if (ev.what == BER_BEGIN && ev.id == BER_OID && ev.depth == 2) {
            o = d2i_ASN1_OBJECT(NULL, &at, (long)((head.p + head.n) - at));
            n = add_digest(o != NULL ? OBJ_obj2nid(o) : NID_undef, nids, n, max);
            ASN1_OBJECT_free(o);
        }
        if (ev.what == BER_OCTETS)
            ber_take(&b, &rest, ev.raw.n);
    }
    cms_ssl_clear();
    return n;
}

static int object_of(const X509_ALGOR *a)
{
    const ASN1_OBJECT *o = NULL;

    X509_ALGOR_get0(&o, NULL, NULL, a);
    return OBJ_obj2nid(o);
}

static void algorithms(const CMS_SignerInfo *si, X509_ALGOR **digest, X509_ALGOR **signature)
{
    /* libcrypto declares it not const and changes nothing */
    CMS_SignerInfo_get0_algs((CMS_SignerInfo *)(uintptr_t)si, NULL, NULL, digest, signature);
}

int signer_digest(const CMS_SignerInfo *si)
{
    X509_ALGOR *a = NULL;

    algorithms(si, &a, NULL);
    return object_of(a);
}

bool signer_names(CMS_SignerInfo *si, X509 *cert)
{
    ASN1_OCTET_STRING *id = NULL;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (CMS_SignerInfo_cert_cmp(si, cert) == 0)
        return true;
    if (CMS_SignerInfo_get0_signer_id(si, &id, NULL, NULL) != 1 || id == NULL ||
        X509_get0_subject_key_id(cert) != NULL)
        return false;
    /* a certificate without the extension: RFC 5280 4.2.1.2 (1) */
    return X509_pubkey_digest(cert, cms_digest(NID_sha1), hash, &n) == 1 &&
           span_equal(span_of(hash, n),
                      span_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)));
}

bool signer_type_agrees(CMS_ContentInfo *cms, CMS_SignerInfo *si)
{
    const ASN1_OBJECT *o =
        CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);

    return o != NULL && OBJ_cmp(o, CMS_get0_eContentType(cms)) == 0;
}

bool signer_digest_agrees(CMS_SignerInfo *si, struct span content)
{
    const ASN1_OCTET_STRING *said;

    if (CMS_signed_get_attr_count(si) < 0)
        return true;
    said = CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3,
                                       V_ASN1_OCTET_STRING);
    return said != NULL && span_equal(content, span_of(ASN1_STRING_get0_data(said),
                                                       (size_t)ASN1_STRING_length(said)));
}

/* ---- the public key's part ---------------------------------------------------------------- */

/* What is in the block of RSASSA-PKCS1-v1_5 must be one of the two encodings of this digest, as a
 * whole: it is never parsed (RFC 8017 8.2.2, and forgeries with exponent 3 that came from parsing). */
static bool is_digest_info(struct span block, int nid, struct span digest)
{
    const ASN1_OBJECT *o = OBJ_nid2obj(nid);
    bool same = false;

    for (unsigned with_null = 0; with_null < 2; with_null++) {
        uint8_t octets[DIGEST_INFO_MAX], oid = (uint8_t)OBJ_length(o), null = with_null ? 2 : 0;
        struct writer w = writer_of(octets, sizeof(octets));

        writer_u8(&w, BER_SEQUENCE);
        writer_u8(&w, (uint8_t)(digest.n + 6 + oid + null));
        writer_u8(&w, BER_SEQUENCE);
        writer_u8(&w, (uint8_t)(2 + oid + null));
        writer_u8(&w, BER_OID);
        writer_u8(&w, oid);
        writer_put(&w, OBJ_get0_data(o), oid);
        writer_put(&w, "\x05\x00", null);
        writer_u8(&w, BER_OCTET_STRING);
        writer_u8(&w, (uint8_t)digest.n);
        writer_put(&w, digest.p, digest.n);
        same = same || (writer_ok(&w) && span_equal(writer_done(&w), block));
    }
    return same;
}

static bool verify_pkcs1(EVP_PKEY_CTX *c, int nid, struct span digest, struct span signature)
{
    uint8_t block[MODULUS_MAX];
    size_t n = sizeof(block);

    return EVP_PKEY_verify_recover_init(c) > 0 &&
           EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 &&
           EVP_PKEY_verify_recover(c, block, &n, signature.p, signature.n) > 0 &&
           is_digest_info(span_of(block, n), nid, digest);
}

/* RSASSA-PSS-params, RFC 4055 3.1: absent fields mean SHA-1. */
static bool read_pss(const X509_ALGOR *a, int *hash, int *mask_hash, int *salt)
{
    int type = V_ASN1_UNDEF;
    const void *value = NULL;
    const unsigned char *at;
    RSA_PSS_PARAMS *pss;
    X509_ALGOR *mask = NULL;
    int64_t n = 20, trailer = 1;
    bool ok;

    X509_ALGOR_get0(NULL, &type, &value, a);
    if (type != V_ASN1_SEQUENCE)
        return false;
    at = ASN1_STRING_get0_data(value);
    pss = d2i_RSA_PSS_PARAMS(NULL, &at, ASN1_STRING_length(value));
    if (pss == NULL)
        return false;
    *hash = pss->hashAlgorithm != NULL ? object_of(pss->hashAlgorithm) : NID_sha1;
    *mask_hash = NID_sha1;
    ok = true;
    if (pss->maskGenAlgorithm != NULL) {
        X509_ALGOR_get0(NULL, &type, &value, pss->maskGenAlgorithm);
        ok = object_of(pss->maskGenAlgorithm) == NID_mgf1 && type == V_ASN1_SEQUENCE;
        at = ok ? ASN1_STRING_get0_data(value) : NULL;
        if (ok)
            mask = d2i_X509_ALGOR(NULL, &at, ASN1_STRING_length(value));
        ok = mask != NULL;
        if (ok)
            *mask_hash = object_of(mask);
    }
    ok = ok && (pss->saltLength == NULL || ASN1_INTEGER_get_int64(&n, pss->saltLength) == 1) &&
         (pss->trailerField == NULL ||
          ASN1_INTEGER_get_int64(&trailer, pss->trailerField) == 1) &&
         n >= 0 && n <= SALT_MAX && trailer == 1;
    *salt = (int)n;
    X509_ALGOR_free(mask);
    RSA_PSS_PARAMS_free(pss);
    return ok;
}

static bool verify_pss(EVP_PKEY_CTX *c, const X509_ALGOR *a, int nid, struct span digest,
                       struct span signature)
{
    int hash, mask_hash, salt;
    const EVP_MD *mask;

    if (!read_pss(a, &hash, &mask_hash, &salt) || hash != nid)
        return false;
    mask = cms_digest(mask_hash);
    return mask != NULL && EVP_PKEY_verify_init(c) > 0 &&
           EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(c, cms_digest(nid)) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(c, mask) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(c, salt) > 0 &&
           EVP_PKEY_verify(c, signature.p, signature.n, digest.p, digest.n) == 1;
}

/* signatureAlgorithm may be that of the key or of key and digest: which digest it names is not
 * looked at, digestAlgorithm counts. */
static bool verify_digest(CMS_SignerInfo *si, X509 *cert, struct span digest)
{
    ASN1_OCTET_STRING *s = CMS_SignerInfo_get0_signature(si);
    struct span signature = span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    EVP_PKEY *key = X509_get0_pubkey(cert);
    EVP_PKEY_CTX *c = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    int nid = signer_digest(si);
    X509_ALGOR *a = NULL;
    bool ok = false;

    algorithms(si, NULL, &a);
    if (c == NULL)
        goto out;
    if (EVP_PKEY_is_a(key, "RSA-PSS") || object_of(a) == NID_rsassaPss)
        ok = cms_digest(nid) != NULL && verify_pss(c, a, nid, digest, signature);
    else if (EVP_PKEY_is_a(key, "RSA"))
        ok = verify_pkcs1(c, nid, digest, signature);
    else if (EVP_PKEY_is_a(key, "EC"))
        ok = cms_digest(nid) != NULL && EVP_PKEY_verify_init(c) > 0 &&
             EVP_PKEY_CTX_set_signature_md(c, cms_digest(nid)) > 0 &&
             EVP_PKEY_verify(c, signature.p, signature.n, digest.p, digest.n) == 1;
out:
    EVP_PKEY_CTX_free(c);
    cms_ssl_clear();
    return ok;
}

/* ---- signed attributes -------------------------------------------------------------------- */

struct encoded {
    unsigned char *p;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    const struct encoded *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static bool sorted(const struct encoded *e, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare(&e[i - 1], &e[i]) > 0)
            return false;
    return true;
}

/* The digest of the attributes as a SET, in the order they have in e. */
static bool digest_set(const struct encoded *e, size_t n, const EVP_MD *md,
                       uint8_t digest[EVP_MAX_MD_SIZE], struct span *made)
{
    uint8_t header[2 + sizeof(size_t)];
    struct writer w = writer_of(header, sizeof(header));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t all = 0, shift = 0;
    unsigned size = 0;
    bool ok;

    for (size_t i = 0; i < n; i++)
        all += e[i].n;
    while (shift < sizeof(all) && all >> 8 * shift > 0)
        shift++;
    writer_u8(&w, BER_SET);
    if (all >= 0x80)
        writer_u8(&w, (uint8_t)(0x80 | shift));
    for (shift = all >= 0x80 ? shift : 1; shift-- > 0;)
        writer_u8(&w, (uint8_t)(all >> 8 * shift));
    ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
         EVP_DigestUpdate(ctx, header, w.n) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, e[i].p, e[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, digest, &size) == 1;
    *made = span_of(digest, size);
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* Over the attributes in the order received; if that is not DER's, over DER's as well. */
static bool verify_attributes(CMS_SignerInfo *si, X509 *cert)
{
    struct encoded e[ATTRIBUTES_MAX];
    int count = CMS_signed_get_attr_count(si), nid = signer_digest(si);
    const EVP_MD *md = cms_digest(nid) != NULL ? cms_digest(nid) : EVP_get_digestbynid(nid);
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct span made;
    size_t n = 0;
    bool ok = count > 0 && count <= ATTRIBUTES_MAX && md != NULL;

    while (ok && n < (size_t)count) {
        int size;

        e[n].p = NULL;
        size = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, (int)n), &e[n].p);
        ok = size > 0;
        e[n].n = ok ? (size_t)size : 0;
        n += ok;
    }
    ok = ok && digest_set(e, n, md, digest, &made);
    if (ok && !verify_digest(si, cert, made)) {
        ok = !sorted(e, n);
        if (ok)
            qsort(e, n, sizeof(e[0]), compare);
        ok = ok && digest_set(e, n, md, digest, &made) && verify_digest(si, cert, made);
    }
    while (n > 0)
        OPENSSL_free(e[--n].p);
    return ok;
}

/* RFC 6211: SEQUENCE { digestAlgorithm, [1] signatureAlgorithm ... }; checked where it is sent. */
static bool protection_agrees(CMS_SignerInfo *si)
{
    ASN1_OBJECT *type = OBJ_txt2obj("1.2.840.113549.1.9.52", 1);
    int at = type != NULL ? CMS_signed_get_attr_by_OBJ(si, type, -1) : -1;
    X509_ALGOR *digest = NULL, *signature = NULL, *said;
    const ASN1_STRING *value;
    struct span all, fields, inner;
    const unsigned char *p;
    uint8_t id;
    bool ok = at < 0;

    if (ok)
        goto out;
    algorithms(si, &digest, &signature);
    value = CMS_signed_get0_data_by_OBJ(si, type, -3, V_ASN1_SEQUENCE);
    if (value == NULL)
        goto out;
    all = span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (!ber_element(&all, &id, &fields))
        goto out;
    p = fields.p;
    said = d2i_X509_ALGOR(NULL, &p, (long)fields.n);
    ok = said != NULL && object_of(said) == object_of(digest);
    X509_ALGOR_free(said);
    ok = ok && ber_element(&fields, &id, &inner) && ber_element(&fields, &id, &inner) &&
         id == (BER_CONTEXT_CONSTRUCTED | 1) && ber_element(&inner, &id, &all) && id == BER_OID;
    if (ok) {
        const ASN1_OBJECT *o = OBJ_nid2obj(object_of(signature));

        ok = span_equal(all, span_of(OBJ_get0_data(o), OBJ_length(o)));
    }
out:
    ASN1_OBJECT_free(type);
    cms_ssl_clear();
    return ok;
}

bool signer_verify(CMS_ContentInfo *cms, CMS_SignerInfo *si, X509 *cert, struct span content,
                   struct err *err)
{
    if (CMS_signed_get_attr_count(si) < 0)
        return verify_digest(si, cert, content) ||
               REFUSE(err, CMS_INTEGRITY, "signature: it is not over this content");
    if (!signer_digest_agrees(si, content))
        return REFUSE(err, CMS_INTEGRITY, "signature: the content has another digest");
    if (!signer_type_agrees(cms, si))
        return REFUSE(err, CMS_SIGNATURE, "signature: its content type attribute differs");
    if (!protection_agrees(si))
        return REFUSE(err, CMS_SIGNATURE, "signature: its algorithm protection differs");
    return verify_attributes(si, cert) || REFUSE(err, CMS_SIGNATURE, "signature: it is wrong");
}
