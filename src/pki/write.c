/* Certificates and keys written for others: PEM, encrypted PKCS#8, PKCS#12. */
#include "pki/pki.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>

/* A file with a password is guessed at off line. PKCS#12 derives three keys, and some programs
 * refuse many rounds. */
enum { PKCS8_ROUNDS = 600000, PKCS12_ROUNDS = 100000 };

static bool failed(struct err *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);

    FAIL(err, FAIL_LOCAL, 0, "cannot write the %s: %s", what, why == NULL ? "no reason" : why);
    ERR_clear_error();
    return false;
}

/* What bio holds as text. Given: free(). NULL when memory is out. */
static char *text_of(BIO *bio)
{
    char *data, *text;
    long n = BIO_get_mem_data(bio, &data);

    text = n <= 0 ? NULL : malloc((size_t)n + 1);
    if (text != NULL) { /* data does not end with NUL */
        memcpy(text, data, (size_t)n);
        text[n] = '\0';
    }
    return text;
}

bool pki_write_pem(const struct pki_certificate *c, bool chain, char **pem, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_X509(bio, c->leaf) == 1;
    char *text;

    for (int i = 0; ok && chain && i < sk_X509_num(c->chain); i++)
        ok = PEM_write_bio_X509(bio, sk_X509_value(c->chain, i)) == 1;
    text = ok ? text_of(bio) : NULL;
    BIO_free(bio);
    if (text == NULL)
        return failed(err, "certificate");
    *pem = text;
    return true;
}

static bool fit(const struct pki_certificate *c, const char *password, struct err *err)
{
    if (c->key == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "it has no private key");
    if (password == NULL || strlen(password) < PKI_PASSWORD_MIN)
        return FAIL(err, FAIL_LOCAL, 0,
                    "a private key is exported with a password of at least %d octets",
                    PKI_PASSWORD_MIN);
    return true;
}

bool pki_write_key(const struct pki_certificate *c, const char *password, char **pem,
                   struct err *err)
{
    PKCS8_PRIV_KEY_INFO *plain = NULL;
    X509_SIG *sealed = NULL;
    BIO *bio = NULL;
    char *text = NULL;

    if (!fit(c, password, err))
        return false;
    if ((plain = EVP_PKEY2PKCS8(c->key)) != NULL &&
        (sealed = PKCS8_encrypt(-1, EVP_aes_256_cbc(), password, (int)strlen(password), NULL, 0,
                                PKCS8_ROUNDS, plain)) != NULL &&
        (bio = BIO_new(BIO_s_mem())) != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1)
        text = text_of(bio);
    BIO_free(bio);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(plain);
    if (text == NULL)
        return failed(err, "private key");
    *pem = text;
    return true;
}

bool pki_write_pkcs12(const struct pki_certificate *c, const char *name, const char *password,
                      uint8_t **der, size_t *n, struct err *err)
{
    unsigned char *made = NULL;
    PKCS12 *p12;
    int len;

    if (!fit(c, password, err))
        return false;
    p12 = PKCS12_create(password, name, c->key, c->leaf, c->chain, NID_aes_256_cbc,
                        NID_aes_256_cbc, PKCS12_ROUNDS, PKCS12_ROUNDS, 0);
    len = p12 == NULL ? -1 : i2d_PKCS12(p12, &made);
    PKCS12_free(p12);
    if (len <= 0)
        return failed(err, "PKCS#12 file");
    *der = made; /* libcrypto's allocator is malloc: the program sets no other */
    *n = (size_t)len;
    return true;
}
