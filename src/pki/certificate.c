#include "pki/pki.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <time.h>

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

struct password {
    const char *text; /* NULL: none */
    bool asked;       /* the key is encrypted */
};

/* libcrypto's own would ask at the terminal. */
static int give_password(char *buffer, int cap, int writing, void *ctx)
{
    struct password *pw = ctx;
    size_t n = pw->text == NULL ? 0 : strlen(pw->text);

    (void)writing;
    pw->asked = true;
    if (pw->text == NULL || n > (size_t)cap)
        return -1;
    memcpy(buffer, pw->text, n);
    return (int)n;
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

/* A certificate is longer than 127 octets, so its second octet is no character. */
static bool is_der(struct span text)
{
    return text.n > 2 && text.p[0] == 0x30 && text.p[1] > 0x80;
}

static bool read_der(struct pki_certificate *c, struct span der, struct err *err)
{
    const unsigned char *p = der.p;

    c->leaf = der.n > PKI_PEM_MAX ? NULL : d2i_X509(NULL, &p, (long)der.n);
    if (c->leaf == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "the certificate (DER) is damaged: %s", reason());
    if (p != der.p + der.n)
        return FAIL(err, FAIL_LOCAL, 0,
                    "there are octets behind the certificate (DER); write several "
                    "certificates as PEM");
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

static bool belongs(const struct pki_certificate *c, struct err *err)
{
    char subject[128];

    if (X509_check_private_key(c->leaf, c->key) == 1)
        return true;
    pki_subject(c->leaf, subject, sizeof(subject));
    return FAIL(err, FAIL_LOCAL, 0, "the private key does not belong to the certificate '%s'",
                subject);
}

/* PKCS#8, encrypted or not, or the older form of the algorithm. */
static EVP_PKEY *read_der_key(BIO *bio, struct span der, struct password *pw)
{
    const unsigned char *p = der.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);

    return key != NULL ? key : d2i_PKCS8PrivateKey_bio(bio, NULL, give_password, pw);
}

static bool read_key(struct pki_certificate *c, struct span pem, const char *password,
                     struct err *err)
{
    BIO *bio = source(pem, "private key's PEM text", err);
    /* libcrypto says only "unsupported" of a text that holds something else */
    static const char begin[] = "PRIVATE KEY-----";
    struct password pw = { .text = password };
    bool ok = false;

    if (bio == NULL)
        return false;
    c->key = is_der(pem) ? read_der_key(bio, pem, &pw)
                         : PEM_read_bio_PrivateKey(bio, NULL, give_password, &pw);
    if (c->key == NULL && pw.asked && password == NULL)
        FAIL(err, FAIL_LOCAL, 0,
             "the private key is encrypted with a pass phrase; give it in key_password (or to "
             "`certificates import` with --password-file), or store the key without one "
             "(openssl pkey -in KEY -out NEW) in a file only this program can read");
    else if (c->key == NULL && pw.asked)
        FAIL(
            err, FAIL_LOCAL, 0,
            "the private key cannot be decrypted: the pass phrase (key_password, --password-file) "
            "is wrong, or the key damaged");
    else if (c->key == NULL && !is_der(pem) &&
             memmem(pem.p, pem.n, begin, strlen(begin)) == NULL)
        FAIL(err, FAIL_LOCAL, 0,
             "no private key in the key's PEM text; it begins with "
             "-----BEGIN PRIVATE KEY-----");
    else if (c->key == NULL)
        FAIL(err, FAIL_LOCAL, 0, "the private key is damaged: %s", reason());
    else
        ok = belongs(c, err);
    ERR_clear_error();
    BIO_free(bio);
    return ok;
}

/* PFX begins with its version, 3; a certificate with the SEQUENCE that was signed. */
static bool is_pkcs12(struct span der)
{
    size_t head = !is_der(der) ? der.n : 2 + (size_t)(der.p[1] & 0x7F);

    return der.n > head && der.n - head > 3 && memcmp(der.p + head, "\x02\x01\x03", 3) == 0;
}

bool pki_certificate_read_password(struct span cert, struct span key, const char *password,
                                   struct pki_certificate **out, struct err *err)
{
    struct pki_certificate *c = calloc(1, sizeof(*c));
    bool ok = false;

    ERR_clear_error();
    if (c == NULL || (c->chain = sk_X509_new_null()) == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    if (is_pkcs12(cert) || pki_is_pkcs7(cert)) {
        FAIL(
            err, FAIL_LOCAL, 0,
            "it is a file of %s; `waybill certificates import` takes it, or write what is in it "
            "as PEM (openssl %s)",
            is_pkcs12(cert) ? "PKCS#12 (see pkcs12_file)" : "PKCS#7",
            is_pkcs12(cert) ? "pkcs12 -in FILE -out NEW"
                            : "pkcs7 -print_certs -in FILE -out NEW");
        goto out;
    }
    if (!(is_der(cert) ? read_der(c, cert, err) : read_certificates(c, cert, err)))
        goto out;
    if (key.n > 0 && !read_key(c, key, password, err))
        goto out;
    *out = c;
    c = NULL;
    ok = true;
out:
    ERR_clear_error();
    pki_certificate_free(c);
    return ok;
}

bool pki_certificate_read(struct span cert, struct span key, struct pki_certificate **out,
                          struct err *err)
{
    return pki_certificate_read_password(cert, key, NULL, out, err);
}

/* ---- PKCS#12 ---- */

/* With the password, or for "" and NULL with either way of writing none. */
static bool unlocked(PKCS12 *p12, const char **password)
{
    if (*password != NULL && **password != '\0')
        return PKCS12_verify_mac(p12, *password, -1) == 1;
    *password = NULL;
    if (!PKCS12_mac_present(p12) || PKCS12_verify_mac(p12, NULL, 0) == 1)
        return true;
    *password = "";
    return PKCS12_verify_mac(p12, "", 0) == 1;
}

static bool unpack(struct pki_certificate *c, PKCS12 *p12, const char *password,
                   struct err *err)
{
    if (!unlocked(p12, &password))
        return FAIL(err, FAIL_LOCAL, 0,
                    "the PKCS#12 file cannot be opened: the password (pkcs12_password, "
                    "--password-file) is wrong, or the file damaged");
    if (PKCS12_parse(p12, password, &c->key, &c->leaf, &c->chain) != 1)
        return FAIL(err, FAIL_LOCAL, 0,
                    "the PKCS#12 file cannot be read: %s; when it is encrypted with RC2, write "
                    "it anew (openssl pkcs12 -legacy -in OLD -out PEM; openssl pkcs12 -export "
                    "-in PEM -out NEW)",
                    reason());
    if (c->chain == NULL && (c->chain = sk_X509_new_null()) == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (c->leaf == NULL && c->key == NULL)
        c->leaf = sk_X509_shift(c->chain);
    if (c->leaf == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "the PKCS#12 file holds no certificate%s",
                    c->key != NULL ? " for its private key" : "");
    return c->key == NULL || belongs(c, err);
}

bool pki_pkcs12_read(struct span der, const char *password, struct pki_certificate **out,
                     struct err *err)
{
    struct pki_certificate *c = calloc(1, sizeof(*c));
    const unsigned char *p = der.p;
    PKCS12 *p12 = NULL;
    bool ok = false;

    ERR_clear_error();
    if (c == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    if (der.n > 0 && der.n <= PKI_PEM_MAX)
        p12 = d2i_PKCS12(NULL, &p, (long)der.n);
    if (p12 == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0,
                  "it is no PKCS#12 file (usually .p12 or .pfx), or longer "
                  "than %d octets",
                  PKI_PEM_MAX);
    else
        ok = unpack(c, p12, password, err);
    if (!ok)
        goto out;
    *out = c;
    c = NULL;
out:
    ERR_clear_error();
    PKCS12_free(p12);
    pki_certificate_free(c);
    return ok;
}

bool pki_any_read(struct span cert, struct span key, const char *password,
                  struct pki_certificate **out, struct err *err)
{
    static const char begin[] = "PRIVATE KEY-----";
    char *pem = NULL;
    bool ok;

    if (is_pkcs12(cert) && key.n > 0)
        return FAIL(err, FAIL_LOCAL, 0, "a PKCS#12 file holds the key itself: leave --key out");
    if (is_pkcs12(cert))
        return pki_pkcs12_read(cert, password, out, err);
    if (pki_is_pkcs7(cert)) {
        if (!pki_pkcs7_pem(cert, &pem, err))
            return false;
        ok = pki_certificate_read_password(span_text(pem), key, password, out, err);
        free(pem);
        return ok;
    }
    if (key.n == 0 && !is_der(cert) && cert.n > 0 &&
        memmem(cert.p, cert.n, begin, strlen(begin)) != NULL)
        key = cert;
    return pki_certificate_read_password(cert, key, password, out, err);
}

bool pki_certificate_set_key(struct pki_certificate *c, EVP_PKEY *key, struct err *err)
{
    c->key = key;
    if (!belongs(c, err)) {
        c->key = NULL;
        ERR_clear_error();
        return false;
    }
    (void)EVP_PKEY_up_ref(key);
    return true;
}

void pki_certificate_free(struct pki_certificate *c)
{
    if (c == NULL)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    sk_X509_CRL_pop_free(c->crls, X509_CRL_free);
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

bool pki_time(const ASN1_TIME *t, int64_t *s)
{
    struct tm tm;
    bool ok = t != NULL && ASN1_TIME_to_tm(t, &tm) == 1;

    if (ok)
        *s = timegm(&tm);
    ERR_clear_error();
    return ok;
}

bool pki_validity(const X509 *cert, int64_t *not_before_s, int64_t *not_after_s)
{
    int64_t from, to;

    if (!pki_time(X509_get0_notBefore(cert), &from) || !pki_time(X509_get0_notAfter(cert), &to))
        return false;
    *not_before_s = from;
    *not_after_s = to;
    return true;
}

static void name_text(const X509_NAME *name, char *text, size_t cap)
{
    /* Control characters escaped: this goes into logs. */
    const unsigned long form = (XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN |
                                ((ASN1_STRFLGS_RFC2253 | ASN1_STRFLGS_ESC_CTRL) &
                                 ~(unsigned long)ASN1_STRFLGS_ESC_MSB));
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (cap == 0)
        goto out;
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, form) >= 0)
        n = BIO_read(bio, text, cap - 1 > INT_MAX ? INT_MAX : (int)(cap - 1));
    text[n > 0 ? n : 0] = '\0';
out:
    ERR_clear_error();
    BIO_free(bio);
}

void pki_subject(const X509 *cert, char *text, size_t cap)
{
    name_text(X509_get_subject_name(cert), text, cap);
}

void pki_issuer(const X509 *cert, char *text, size_t cap)
{
    name_text(X509_get_issuer_name(cert), text, cap);
}
