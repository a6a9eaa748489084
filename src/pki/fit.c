/* Whether a certificate may be used: key usage, time left, revocation. */
#include "pki/pki.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* libcrypto fills a cache of the extensions on the first look, under its own lock. */
static X509 *looked_at(const X509 *cert)
{
    return (X509 *)(uintptr_t)cert;
}

/* RFC 5280 4.2.1.3 and 4.2.1.12. Extended key usage is asked for with TLS only: partners sign and
 * encrypt documents with certificates that were issued for TLS, and no standard forbids it. */
bool pki_usage_allows(const X509 *cert, enum pki_use use)
{
    static const struct {
        enum pki_use use;
        uint32_t key, extended; /* one of each must be there; 0: not asked for */
    } needs[] = {
        { PKI_SIGN, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, 0 },
        { PKI_ENCRYPT, KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT, 0 },
        { PKI_SERVER, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT,
          XKU_SSL_SERVER | XKU_ANYEKU },
        { PKI_CLIENT, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT, XKU_SSL_CLIENT | XKU_ANYEKU },
    };
    /* both are all ones when the extension is absent */
    uint32_t key = X509_get_key_usage(looked_at(cert));
    uint32_t extended = X509_get_extended_key_usage(looked_at(cert));

    ERR_clear_error();
    for (size_t i = 0; i < COUNT_OF(needs); i++)
        if (needs[i].use == use)
            return (key & needs[i].key) != 0 &&
                   (needs[i].extended == 0 || (extended & needs[i].extended) != 0);
    return false;
}

int pki_days_left(const X509 *cert, int64_t now_s)
{
    int64_t from, to, days;

    if (!pki_validity(cert, &from, &to))
        return INT_MIN;
    days = (to - now_s) / 86400;
    if (to < now_s && (to - now_s) % 86400 != 0)
        days--;
    return days > INT_MAX ? INT_MAX : days < INT_MIN ? INT_MIN : (int)days;
}

bool pki_crl_read(struct span pem_or_der, X509_CRL **out)
{
    const unsigned char *p = pem_or_der.p;
    X509_CRL *crl = NULL;
    BIO *bio = NULL;

    if (pem_or_der.n == 0 || pem_or_der.n > PKI_CRL_MAX)
        return false;
    if (pem_or_der.p[0] == 0x30)
        crl = d2i_X509_CRL(NULL, &p, (long)pem_or_der.n);
    else if ((bio = BIO_new_mem_buf(pem_or_der.p, (int)pem_or_der.n)) != NULL)
        crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    ERR_clear_error();
    BIO_free(bio);
    if (crl == NULL)
        return false;
    *out = crl;
    return true;
}

bool pki_revoked(const X509 *cert, X509_CRL *crl, const X509 *issuer_or_null)
{
    X509_REVOKED *entry = NULL;
    bool revoked = false;

    if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_CRL_get_issuer(crl)) == 0 &&
        (issuer_or_null == NULL || X509_CRL_verify(crl, X509_get0_pubkey(issuer_or_null)) == 1))
        /* 2 is: taken off the list again */
        revoked = X509_CRL_get0_by_cert(crl, &entry, looked_at(cert)) == 1;
    ERR_clear_error();
    return revoked;
}
