#include "pki/pki.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* A chain is two to four long in practice; a set of authorities some hundreds. */
enum { CERTIFICATES_MAX = 1000 };

/* libcrypto's reason for the last failure; leaves its queue empty, so that a later failure of
 * TLS in this thread is not told with ours. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);

    ERR_clear_error();
    return text == NULL ? "unreadable" : text;
}

static bool at_end(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* libcrypto's own would ask at the terminal. Called: the key is encrypted. */
static int no_password(char *buffer, int cap, int writing, void *asked)
{
    (void)buffer, (void)cap, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static BIO *source(struct span pem, const char *what, struct err *err)
{
    BIO *bio;

    if (pem.n > PKI_PEM_MAX) {
        FAIL(err, FAIL_LOCAL, 0, "the %s is longer than %d octets", what, PKI_PEM_MAX);
        return NULL;
    }
    bio = BIO_new_mem_buf(pem.n > 0 ? (const void *)pem.p : "", (int)pem.n);
    if (bio == NULL)
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
    return bio;
}

static bool keep(struct pki_certificate *c, X509 *cert, struct err *err)
{
    if (c->leaf == NULL) {
        c->leaf = cert;
        return true;
    }
    if (sk_X509_num(c->chain) + 1 >= CERTIFICATES_MAX) {
        X509_free(cert);
        return FAIL(err, FAIL_LOCAL, 0, "more than %d certificates in one text",
                    CERTIFICATES_MAX);
    }
    if (sk_X509_push(c->chain, cert) == 0) {
        X509_free(cert);
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    return true;
}

static bool read_certificates(struct pki_certificate *c, struct span pem, struct err *err)
{
    BIO *bio = source(pem, "certificate's PEM text", err);
    bool ok = bio != NULL;
    int n = 0;

    while (ok) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (cert == NULL)
            break;
        n++;
        ok = keep(c, cert, err);
    }
    if (ok && !at_end())
        ok = FAIL(err, FAIL_LOCAL, 0, "certificate number %d of the PEM text is damaged: %s",
                  n + 1, reason());
    else if (ok && n == 0)
        ok = FAIL(err, FAIL_LOCAL, 0,
                  "no certificate in the PEM text; it begins with "
                  "-----BEGIN CERTIFICATE-----");
    ERR_clear_error();
    BIO_free(bio);
    return ok;
}

static bool read_key(struct pki_certificate *c, struct span pem, struct err *err)
{
    BIO *bio = source(pem, "private key's PEM text", err);
    /* libcrypto says only "unsupported" of a text that holds something else */
    static const char begin[] = "PRIVATE KEY-----";
    bool asked = false, ok = false;
    char subject[128];

    if (bio == NULL)
        return false;
    c->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
    if (c->key == NULL && asked)
        FAIL(err, FAIL_LOCAL, 0,
             "the private key is encrypted with a pass phrase; store it without one "
             "(openssl pkey -in KEY -out NEW) in a file only this program can read");
    else if (c->key == NULL && memmem(pem.p, pem.n, begin, strlen(begin)) == NULL)
        FAIL(err, FAIL_LOCAL, 0,
             "no private key in the key's PEM text; it begins with "
             "-----BEGIN PRIVATE KEY-----");
    else if (c->key == NULL)
        FAIL(err, FAIL_LOCAL, 0, "the private key is damaged: %s", reason());
    else if (X509_check_private_key(c->leaf, c->key) != 1) {
        pki_subject(c->leaf, subject, sizeof(subject));
        FAIL(err, FAIL_LOCAL, 0, "the private key does not belong to the certificate '%s'",
             subject);
    } else
        ok = true;
    ERR_clear_error();
    BIO_free(bio);
    return ok;
}

bool pki_certificate_read(struct span pem, struct span key_pem, struct pki_certificate **out,
                          struct err *err)
{
    struct pki_certificate *c = calloc(1, sizeof(*c));
    bool ok = false;

    ERR_clear_error();
    if (c == NULL || (c->chain = sk_X509_new_null()) == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    if (!read_certificates(c, pem, err))
        goto out;
    if (key_pem.n > 0 && !read_key(c, key_pem, err))
        goto out;
    *out = c;
    c = NULL;
    ok = true;
out:
    pki_certificate_free(c);
    return ok;
}

void pki_certificate_free(struct pki_certificate *c)
{
    if (c == NULL)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    free(c);
}

void pki_fingerprint(const X509 *cert, char text[65])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (X509_digest(cert, EVP_sha256(), md, &n) != 1)
        n = 0;
    for (unsigned i = 0; i < n && i < 32; i++) {
        text[2 * i] = "0123456789abcdef"[md[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
    }
    text[2 * (n < 32 ? n : 32)] = '\0';
    ERR_clear_error();
}

static bool seconds_of(const ASN1_TIME *t, int64_t *s)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    bool ok = epoch != NULL && t != NULL && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;

    if (ok)
        *s = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    ERR_clear_error();
    return ok;
}

bool pki_validity(const X509 *cert, int64_t *not_before_s, int64_t *not_after_s)
{
    int64_t from, to;

    if (!seconds_of(X509_get0_notBefore(cert), &from) ||
        !seconds_of(X509_get0_notAfter(cert), &to))
        return false;
    *not_before_s = from;
    *not_after_s = to;
    return true;
}

void pki_subject(const X509 *cert, char *text, size_t cap)
{
    /* Control characters escaped: this goes into logs. */
    const unsigned long form = (XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN |
                                ((ASN1_STRFLGS_RFC2253 | ASN1_STRFLGS_ESC_CTRL) &
                                 ~(unsigned long)ASN1_STRFLGS_ESC_MSB));
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (cap == 0)
        goto out;
    if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, form) >= 0)
        n = BIO_read(bio, text, cap - 1 > INT_MAX ? INT_MAX : (int)(cap - 1));
    text[n > 0 ? n : 0] = '\0';
out:
    ERR_clear_error();
    BIO_free(bio);
}
