/* SignerInfo, RFC 5652 5.3 to 5.6, where there is nothing to judge. */
#include "cms/usual_signer.h"

#include "cms/algorithms.h"
#include "cms/key_context.h"
#include "cms/recipient.h"

enum { ATTRIBUTES_MAX = 64 };

/* 1.2.840.113549.1.9, of which one octet more tells the attributes apart. */
static const uint8_t pkcs9[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9 };
/* 1.2.840.113549.1.1: rsaEncryption is 1. */
static const uint8_t pkcs1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1 };

enum {
    CONTENT_TYPE = 3,
    MESSAGE_DIGEST = 4,
    SIGNING_TIME = 5,
    COUNTER_SIGNATURE = 6,
    ALGORITHM_PROTECTION = 52 /* RFC 6211 */
};

/* The octet behind this prefix, when there is just one; 0 else. */
static uint8_t within(struct span oid, const uint8_t prefix[8])
{
    return oid.n == 9 && memcmp(oid.p, prefix, 8) == 0 ? oid.p[8] : 0;
}

static bool element(struct span *in, uint8_t want, struct span *content)
{
    uint8_t id;

    return ber_element(in, &id, content) && id == want;
}

/* An AlgorithmIdentifier's content: its identifier, with NULL or nothing behind it. */
static bool bare_algorithm(struct span a, struct span *oid)
{
    struct span null;

    return element(&a, BER_OID, oid) &&
           (a.n == 0 || (element(&a, BER_NULL, &null) && null.n == 0 && a.n == 0));
}

/* rsaEncryption, or it with a digest: which is not looked at, digestAlgorithm counts. */
static bool is_rsa(struct span algorithm)
{
    struct span oid;
    uint8_t last;

    if (!bare_algorithm(algorithm, &oid))
        return false;
    last = within(oid, pkcs1);
    return last == 1 || last == 5 || (last >= 11 && last <= 14);
}

/* One attribute with one value; *last tells which it is, where it is of PKCS #9. */
static bool read_attribute(struct span *all, uint8_t *last, uint8_t *id, struct span *value)
{
    struct span attribute, oid, set;

    if (!element(all, BER_SEQUENCE, &attribute) || !element(&attribute, BER_OID, &oid) ||
        !element(&attribute, BER_SET, &set) || attribute.n > 0)
        return false;
    *last = within(oid, pkcs9);
    return ber_element(&set, id, value) &&
           (set.n == 0 || *last < CONTENT_TYPE || *last > SIGNING_TIME);
}

/* Each of those that count stands there once. */
static bool read_attributes(struct span all, struct span type, struct usual_signer *u)
{
    unsigned seen[256] = { 0 };

    for (unsigned n = 0; all.n > 0; n++) {
        struct span value;
        uint8_t last, id;

        if (n == ATTRIBUTES_MAX || !read_attribute(&all, &last, &id, &value) ||
            last == COUNTER_SIGNATURE || last == ALGORITHM_PROTECTION)
            return false;
        seen[last]++;
        if (last == CONTENT_TYPE && (id != BER_OID || !span_equal(value, type)))
            return false;
        if (last == MESSAGE_DIGEST && id != BER_OCTET_STRING)
            return false;
        if (last == MESSAGE_DIGEST)
            u->message_digest = value;
        if (last == SIGNING_TIME && id != BER_UTC_TIME && id != BER_GENERALIZED_TIME)
            return false;
    }
    return seen[CONTENT_TYPE] == 1 && seen[MESSAGE_DIGEST] == 1 && seen[SIGNING_TIME] <= 1;
}

/* Version, SET OF the one digest. */
static bool announces(struct span head, struct span digest)
{
    struct span version, set, algorithm, oid;

    return element(&head, BER_INTEGER, &version) && element(&head, BER_SET, &set) &&
           head.n == 0 && element(&set, BER_SEQUENCE, &algorithm) && set.n == 0 &&
           bare_algorithm(algorithm, &oid) && span_equal(oid, digest);
}

/* SignerInfo's content up to its attributes, which *info begins with then. */
static bool read_identity(struct span *info, struct usual_signer *u, struct span *digest)
{
    struct span version, algorithm;

    return element(info, BER_INTEGER, &version) && ber_element(info, &u->who_id, &u->who) &&
           element(info, BER_SEQUENCE, &algorithm) && bare_algorithm(algorithm, digest);
}

bool usual_signer_read(const struct walk *w, struct span infos, struct usual_signer *u)
{
    struct span type = grow_span(&w->inner), content_type, set, info, before, digest;
    struct span attributes, algorithm;
    struct usual_signer found = { 0 };

    if (!element(&type, BER_OID, &content_type) || !element(&infos, BER_SET, &set) ||
        infos.n > 0 || !element(&set, BER_SEQUENCE, &info) || set.n > 0 ||
        !read_identity(&info, &found, &digest) || !announces(grow_span(&w->head), digest))
        return false;
    before = info;
    if (!element(&info, BER_CONTEXT_CONSTRUCTED, &attributes))
        return false;
    found.attributes = span_of(before.p, before.n - info.n);
    if (!element(&info, BER_SEQUENCE, &algorithm) || !is_rsa(algorithm) ||
        !element(&info, BER_OCTET_STRING, &found.signature) || info.n > 0)
        return false;
    found.digest = cms_digest_nid(digest);
    if (cms_digest(found.digest) == NULL || !read_attributes(attributes, content_type, &found))
        return false;
    *u = found;
    return true;
}

/* Of the attributes as a SET, in the order received. */
static bool digest_attributes(const struct usual_signer *u, const EVP_MD *md,
                              uint8_t digest[EVP_MAX_MD_SIZE], size_t *n)
{
    static const uint8_t set = BER_SET;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned made = 0;
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
              EVP_DigestUpdate(ctx, &set, 1) == 1 &&
              EVP_DigestUpdate(ctx, u->attributes.p + 1, u->attributes.n - 1) == 1 &&
              EVP_DigestFinal_ex(ctx, digest, &made) == 1;

    *n = made;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool made_by(X509 *cert, const struct usual_signer *u, const EVP_MD *md,
                    struct span digest)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    EVP_PKEY_CTX *c =
        key != NULL && EVP_PKEY_is_a(key, "RSA") ? key_context(key, KEY_VERIFY, md) : NULL;
    bool ok = c != NULL &&
              EVP_PKEY_verify(c, u->signature.p, u->signature.n, digest.p, digest.n) == 1;

    EVP_PKEY_CTX_free(c);
    return ok;
}

X509 *usual_signer_verify(const struct usual_signer *u, X509 *const *certs, size_t n,
                          struct span digest)
{
    const EVP_MD *md = cms_digest(u->digest);
    uint8_t octets[EVP_MAX_MD_SIZE];
    size_t octets_n = 0;
    X509 *found = NULL;

    if (!span_equal(u->message_digest, digest) || !digest_attributes(u, md, octets, &octets_n))
        n = 0;
    for (size_t i = 0; i < n && found == NULL; i++)
        if (cms_is_named(u->who_id, u->who, certs[i]) &&
            made_by(certs[i], u, md, span_of(octets, octets_n)))
            found = certs[i];
    cms_ssl_clear();
    return found;
}
