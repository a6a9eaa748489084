/* KeyTransRecipientInfo, RFC 5652 6.2.1, and its RSA decryption, RFC 3370 4.2.1. */
#include "cms/recipient.h"

#include "cms/key_context.h"

#include <openssl/x509v3.h>

enum { SERIAL_MAX = 64, MODULUS_MAX = 2048 };

static bool is_issuer_and_serial(struct span who, const X509 *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    struct span rest = who, content;
    uint8_t octets[SERIAL_MAX], *end = octets, id;
    const unsigned char *der = NULL;
    size_t der_n = 0;
    int n = i2d_ASN1_INTEGER(serial, NULL);

    if (n <= 0 || n > SERIAL_MAX || !ber_element(&rest, &id, &content) || id != BER_SEQUENCE ||
        X509_NAME_get0_der(X509_get_issuer_name(cert), &der, &der_n) != 1)
        return false;
    return span_equal(span_of(who.p, who.n - rest.n), span_of(der, der_n)) &&
           i2d_ASN1_INTEGER(serial, &end) == n && span_equal(rest, span_of(octets, (size_t)n));
}

static bool is_key_identifier(struct span who, X509 *cert)
{
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(cert);

    return own != NULL && span_equal(who, span_of(ASN1_STRING_get0_data(own),
                                                  (size_t)ASN1_STRING_length(own)));
}

bool cms_is_named(uint8_t id, struct span who, X509 *cert)
{
    return id == BER_SEQUENCE ? is_issuer_and_serial(who, cert)
                              : id == BER_CONTEXT && is_key_identifier(who, cert);
}

/* The key encryption algorithm is rsaEncryption, with NULL or without parameters. */
static bool is_rsa(struct span algorithm)
{
    const ASN1_OBJECT *rsa = OBJ_nid2obj(NID_rsaEncryption);
    struct span oid, parameters;
    uint8_t id;

    if (!ber_element(&algorithm, &id, &oid) || id != BER_OID ||
        !span_equal(oid, span_of(OBJ_get0_data(rsa), OBJ_length(rsa))))
        return false;
    return algorithm.n == 0 || (ber_element(&algorithm, &id, &parameters) && id == BER_NULL &&
                                parameters.n == 0 && algorithm.n == 0);
}

static const struct cms_signer *named(const struct peel *p, uint8_t id, struct span who)
{
    for (size_t i = 0; i < p->o->keys_n; i++)
        if (cms_is_named(id, who, p->o->keys[i].cert))
            return &p->o->keys[i];
    return NULL;
}

/* Head: version, SET OF one KeyTransRecipientInfo { version, rid, algorithm, encrypted key }. */
static const struct cms_signer *read_head(const struct peel *p, struct span *encrypted)
{
    struct span head = grow_span(&p->walk.head), set, info, field, who, algorithm;
    uint8_t id, who_id;

    if (!ber_element(&head, &id, &field) || id != BER_INTEGER ||
        !ber_element(&head, &id, &set) || id != BER_SET || head.n > 0 ||
        !ber_element(&set, &id, &info) || id != BER_SEQUENCE || set.n > 0)
        return NULL;
    if (!ber_element(&info, &id, &field) || id != BER_INTEGER ||
        !ber_element(&info, &who_id, &who) || !ber_element(&info, &id, &algorithm) ||
        id != BER_SEQUENCE || !is_rsa(algorithm) || !ber_element(&info, &id, encrypted) ||
        id != BER_OCTET_STRING || info.n > 0)
        return NULL;
    return named(p, who_id, who);
}

/* key: random octets, replaced by what was encrypted when that has their number; in time that does
 * not tell which they are. */
static void decrypt(EVP_PKEY_CTX *c, struct span encrypted, uint8_t *key, size_t key_n)
{
    uint8_t plain[MODULUS_MAX] = { 0 };
    size_t n = sizeof(plain);
    unsigned good = EVP_PKEY_decrypt(c, plain, &n, encrypted.p, encrypted.n) > 0;
    uint8_t mask = (uint8_t)(0u - (good & (unsigned)(n == key_n)));

    for (size_t i = 0; i < key_n; i++)
        key[i] = (uint8_t)((plain[i] & mask) | (key[i] & (uint8_t)~mask));
    OPENSSL_cleanse(plain, sizeof(plain));
}

static bool set_key(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, EVP_PKEY *pkey,
                    struct span encrypted, struct span iv)
{
    EVP_PKEY_CTX *c = key_context(pkey, KEY_DECRYPT, NULL);
    uint8_t key[EVP_MAX_KEY_LENGTH];
    bool ok = c != NULL && EVP_DecryptInit_ex2(ctx, cipher, NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_rand_key(ctx, key) > 0;

    if (ok)
        decrypt(c, encrypted, key, (size_t)EVP_CIPHER_get_key_length(cipher));
    ok = ok && EVP_DecryptInit_ex2(ctx, NULL, key, iv.p, NULL) == 1;
    OPENSSL_cleanse(key, sizeof(key));
    EVP_PKEY_CTX_free(c);
    return ok;
}

EVP_CIPHER_CTX *recipient_cipher(const struct peel *p, const EVP_CIPHER *cipher, struct span iv)
{
    struct span encrypted;
    const struct cms_signer *k = read_head(p, &encrypted);
    EVP_CIPHER_CTX *ctx;

    if (k == NULL || !EVP_PKEY_is_a(k->key, "RSA") || EVP_PKEY_get_size(k->key) > MODULUS_MAX ||
        EVP_CIPHER_get_mode(cipher) != EVP_CIPH_CBC_MODE ||
        iv.n != (size_t)EVP_CIPHER_get_iv_length(cipher))
        return NULL;
    ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && !set_key(ctx, cipher, k->key, encrypted, iv)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    cms_ssl_clear();
    return ctx;
}
