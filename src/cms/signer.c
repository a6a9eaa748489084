/* SignerInfo, RFC 5652 5.3, made by hand: libcrypto's own reads the clock and cannot do PSS with
 * SHA3-512 (suite 10 of oftp2.md section 10.2). */
#include "cms/algorithms.h"
#include "cms/cms_int.h"
#include "cms/key_context.h"

#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static bool is_pss(const struct cms_sign_options *o, EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA-PSS") ||
           (EVP_PKEY_is_a(key, "RSA") && o->padding == CMS_PSS_OAEP);
}

bool signer_check(const struct cms_sign_options *o, struct err *err)
{
    if (o->signers_n == 0 || o->signers_n > CMS_SIGNERS_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "sign: 1 to %d signers are needed", CMS_SIGNERS_MAX);
    for (size_t i = 0; i < o->signers_n; i++) {
        const struct cms_signer *s = &o->signers[i];

        if (s->cert == NULL || s->key == NULL || X509_check_private_key(s->cert, s->key) != 1) {
            cms_ssl_clear();
            return FAIL(err, FAIL_LOCAL, 0, "sign: key and certificate do not belong together");
        }
        if (!EVP_PKEY_is_a(s->key, "RSA") && !EVP_PKEY_is_a(s->key, "RSA-PSS") &&
            !EVP_PKEY_is_a(s->key, "EC"))
            return FAIL(err, FAIL_LOCAL, 0, "sign: a key that is neither RSA nor EC");
        if (o->key_identifier && X509_get0_subject_key_id(s->cert) == NULL)
            return FAIL(err, FAIL_LOCAL, 0,
                        "sign: the certificate has no subject key identifier");
    }
    return true;
}

/* RSASSA-PSS-params, RFC 4055 3.1; what equals the default (SHA-1) is left out, as DER demands. */
static void put_pss(struct der *d, const EVP_MD *md)
{
    int nid = EVP_MD_get_type(md);
    size_t all = d->n, params;

    if (nid != NID_sha1) {
        size_t field = d->n;

        der_small(d, (unsigned)EVP_MD_get_size(md));
        der_wrap(d, BER_CONTEXT_CONSTRUCTED + 2, field);
        field = d->n;
        der_algorithm(d, nid, false);
        der_oid(d, NID_mgf1);
        der_wrap(d, BER_SEQUENCE, field);
        der_wrap(d, BER_CONTEXT_CONSTRUCTED + 1, field);
        field = d->n;
        der_algorithm(d, nid, false);
        der_wrap(d, BER_CONTEXT_CONSTRUCTED, field);
    }
    params = all;
    der_wrap(d, BER_SEQUENCE, params);
    der_oid(d, NID_rsassaPss);
    der_wrap(d, BER_SEQUENCE, all);
}

static void put_algorithm(struct der *d, const struct cms_sign_options *o, EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "EC"))
        der_algorithm(d, cms_ecdsa(EVP_MD_get_type(o->digest)), false);
    else if (is_pss(o, key))
        put_pss(d, o->digest);
    else
        der_algorithm(d, NID_rsaEncryption, true);
}

static EVP_PKEY_CTX *sign_setup(const struct cms_sign_options *o, EVP_PKEY *key)
{
    EVP_PKEY_CTX *c;
    bool ok;

    if (EVP_PKEY_is_a(key, "RSA") && !is_pss(o, key))
        return key_context(key, KEY_SIGN, o->digest);
    c = EVP_PKEY_CTX_new(key, NULL);
    ok = c != NULL && EVP_PKEY_sign_init(c) > 0;
    if (ok && is_pss(o, key)) /* the digest before what depends on it */
        ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_signature_md(c, o->digest) > 0 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(c, o->digest) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
    else if (ok)
        ok = EVP_PKEY_CTX_set_signature_md(c, o->digest) > 0;
    if (ok)
        return c;
    EVP_PKEY_CTX_free(c);
    return NULL;
}

/* Signs a digest and puts the signature as an OCTET STRING. */
static bool put_signature(struct der *d, const struct cms_sign_options *o, EVP_PKEY *key,
                          struct span digest, struct err *err)
{
    EVP_PKEY_CTX *c = sign_setup(o, key);
    uint8_t *signature = NULL;
    size_t n = 0;
    bool ok = c != NULL && EVP_PKEY_sign(c, NULL, &n, digest.p, digest.n) > 0;

    if (ok)
        signature = malloc(n);
    ok = ok && signature != NULL && EVP_PKEY_sign(c, signature, &n, digest.p, digest.n) > 0;
    if (ok)
        der_element(d, BER_OCTET_STRING, span_of(signature, n));
    else
        (void)FAIL(err, FAIL_LOCAL, 0, "sign: %s", cms_ssl_reason());
    free(signature);
    EVP_PKEY_CTX_free(c);
    return ok;
}

static void attribute(struct der *d, int nid, size_t since)
{
    der_wrap(d, BER_SET, since);
    der_oid(d, nid);
    der_wrap(d, BER_SEQUENCE, since);
}

/* RFC 5652 11.3: UTCTime until 2049. */
static bool put_time(struct der *d, int64_t now_s)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)now_s);

    if (t == NULL) {
        cms_ssl_clear();
        return false;
    }
    der_element(d, (uint8_t)ASN1_STRING_type(t),
                span_of(ASN1_STRING_get0_data(t), (size_t)ASN1_STRING_length(t)));
    ASN1_TIME_free(t);
    return true;
}

/* The members of the SET in the order of DER: that of their lengths, whatever the digest. */
static bool put_attributes(struct der *d, const struct cms_sign_options *o, struct span digest,
                           struct err *err)
{
    size_t since = d->n;

    der_element(d, BER_OCTET_STRING, digest);
    attribute(d, NID_pkcs9_messageDigest, since);
    since = d->n;
    if (!put_time(d, o->now_s))
        return FAIL(err, FAIL_LOCAL, 0, "sign: a time beyond all calendars");
    attribute(d, NID_pkcs9_signingTime, since);
    since = d->n;
    der_oid(d, NID_pkcs7_data);
    attribute(d, NID_pkcs9_contentType, since);
    return true;
}

static void put_identity(struct der *d, const struct cms_sign_options *o, const X509 *cert)
{
    size_t since = d->n;

    if (o->key_identifier) {
        /* libcrypto has cached its extensions by now: signer_check() asked for this one */
        const ASN1_OCTET_STRING *k = X509_get0_subject_key_id((X509 *)(uintptr_t)cert);

        der_element(d, BER_CONTEXT,
                    span_of(ASN1_STRING_get0_data(k), (size_t)ASN1_STRING_length(k)));
        return;
    }
    der_integer(d, X509_get0_serialNumber(cert));
    der_name(d, X509_get_issuer_name(cert));
    der_wrap(d, BER_SEQUENCE, since);
}

static bool put_signer(struct der *d, const struct cms_sign_options *o,
                       const struct cms_signer *signer, struct span content_digest,
                       struct err *err)
{
    size_t since = d->n;
    struct der attributes = { 0 };
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct span to_sign = content_digest;
    unsigned n;
    bool ok = true;

    if (o->signed_attributes) {
        ok = put_attributes(&attributes, o, content_digest, err);
        der_wrap(&attributes, BER_SET, 0);
        if (ok && (attributes.failed || EVP_Digest(der_all(&attributes).p, attributes.n, digest,
                                                   &n, o->digest, NULL) != 1))
            ok = FAIL(err, FAIL_LOCAL, 0, "digest: %s", cms_ssl_reason());
        if (ok)
            to_sign = span_of(digest, n);
    }
    ok = ok && put_signature(d, o, signer->key, to_sign, err);
    if (ok) {
        put_algorithm(d, o, signer->key);
        if (o->signed_attributes) { /* [0] in the place of SET */
            uint8_t *first = attributes.octets + (attributes.cap - attributes.n);

            *first = BER_CONTEXT_CONSTRUCTED;
            der_span(d, der_all(&attributes));
        }
        der_algorithm(d, EVP_MD_get_type(o->digest), false);
        put_identity(d, o, signer->cert);
        der_small(d, o->key_identifier ? 3 : 1);
        der_wrap(d, BER_SEQUENCE, since);
    }
    der_free(&attributes);
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct der *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = memcmp(der_all(x).p, der_all(y).p, n);

    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* SET OF SignerInfo, its members in the order of DER. */
bool signer_infos(struct der *d, const struct cms_sign_options *o, struct span content_digest,
                  struct err *err)
{
    struct der *infos = calloc(o->signers_n, sizeof(*infos));
    size_t since = d->n;
    bool ok = infos != NULL || NO_MEMORY(err);

    for (size_t i = 0; ok && i < o->signers_n; i++) {
        ok = put_signer(&infos[i], o, &o->signers[i], content_digest, err);
        if (ok && infos[i].failed)
            ok = NO_MEMORY(err);
    }
    if (ok)
        qsort(infos, o->signers_n, sizeof(*infos), compare);
    for (size_t i = o->signers_n; infos != NULL && i-- > 0;) {
        if (ok)
            der_span(d, der_all(&infos[i]));
        der_free(&infos[i]);
    }
    free(infos);
    if (ok)
        der_wrap(d, BER_SET, since);
    return ok;
}
