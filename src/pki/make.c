/* New keys, with a certificate signed by themselves or a request for one. */
#include "pki/pki.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { CN_MAX = 64 }; /* RFC 5280: ub-common-name */

static bool failed(struct err *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);

    FAIL(err, FAIL_LOCAL, 0, "cannot make the %s: %s", what, why == NULL ? "no reason" : why);
    ERR_clear_error();
    return false;
}

static bool plausible(const char *cn, unsigned bits, struct err *err)
{
    for (const char *p = cn; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            return FAIL(err, FAIL_LOCAL, 0, "the common name has control characters in it");
    if (*cn == '\0' || strlen(cn) > CN_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "the common name must have 1 to %d characters", CN_MAX);
    if (bits < PKI_BITS_MIN || bits > PKI_BITS_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "a key must have %d to %d bits, not %u", PKI_BITS_MIN,
                    PKI_BITS_MAX, bits);
    return true;
}

/* Each name whose use is among uses, in libcrypto's notation. */
struct named_use {
    unsigned use;
    const char *name;
};

static void names(char *text, size_t cap, const struct named_use *all, size_t n, unsigned uses)
{
    size_t used = strlen(text);

    for (size_t i = 0; i < n && used < cap; i++)
        if (all[i].use & uses)
            used += (size_t)snprintf(text + used, cap - used, "%s%s", used == 0 ? "" : ",",
                                     all[i].name);
}

/* What partners' TLS looks for. "" when cn is no host: its octets go into a small language. */
static void host_name(const char *cn, char *text, size_t cap)
{
    bool host = strchr(cn, '.') != NULL || strcmp(cn, "localhost") == 0;
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(cn);

    for (const char *p = cn; *p != '\0'; p++)
        host = host && (isalnum((unsigned char)*p) || *p == '.' || *p == '-');
    text[0] = '\0';
    if (ip != NULL)
        (void)snprintf(text, cap, "IP:%s", cn);
    else if (host)
        (void)snprintf(text, cap, "DNS:%s", cn);
    ASN1_OCTET_STRING_free(ip);
}

/* clang-format off */
typedef STACK_OF(X509_EXTENSION) extensions;
/* clang-format on */

static bool add(extensions *list, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

    if (x != NULL && sk_X509_EXTENSION_push(list, x) > 0)
        return true;
    X509_EXTENSION_free(x);
    return false;
}

/* Given: sk_X509_EXTENSION_pop_free. NULL when something failed. */
static extensions *make_extensions(X509V3_CTX *ctx, const char *cn, unsigned uses)
{
    static const struct named_use key[] = {
        { PKI_SIGN | PKI_SERVER | PKI_CLIENT, "digitalSignature" },
        { PKI_SIGN, "nonRepudiation" },
        { PKI_ENCRYPT | PKI_SERVER, "keyEncipherment" },
    };
    static const struct named_use extended[] = {
        { PKI_SERVER, "serverAuth" },
        { PKI_CLIENT, "clientAuth" },
        { PKI_SIGN | PKI_ENCRYPT, "emailProtection" },
    };
    char key_text[100] = "critical", extended_text[100] = "", host[80];
    extensions *list = sk_X509_EXTENSION_new_null();
    bool ok;

    names(key_text, sizeof(key_text), key, COUNT_OF(key), uses);
    if (uses & (PKI_SERVER | PKI_CLIENT))
        names(extended_text, sizeof(extended_text), extended, COUNT_OF(extended), uses);
    host_name(cn, host, sizeof(host));
    ok = list != NULL && add(list, ctx, NID_basic_constraints, "critical,CA:FALSE") &&
         add(list, ctx, NID_subject_key_identifier, "hash");
    if (ok && uses != 0)
        ok = add(list, ctx, NID_key_usage, key_text);
    if (ok && extended_text[0] != '\0')
        ok = add(list, ctx, NID_ext_key_usage, extended_text);
    if (ok && (uses & PKI_SERVER) && host[0] != '\0')
        ok = add(list, ctx, NID_subject_alt_name, host);
    if (ok)
        return list;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return NULL;
}

static bool set_name(X509_NAME *name, const char *cn)
{
    return name != NULL && X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                                      (const unsigned char *)cn, -1, -1, 0);
}

/* Random, positive, 127 bits: nobody else's certificate has it. */
static bool set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    bool ok = n != NULL && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;

    BN_free(n);
    return ok;
}

static X509 *make_certificate(EVP_PKEY *key, const char *cn, int days, int64_t now_s,
                              unsigned uses)
{
    X509 *cert = X509_new();
    extensions *list = NULL;
    X509V3_CTX ctx;
    bool ok = cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
              set_name(X509_get_subject_name(cert), cn) &&
              X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
              ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)now_s) != NULL &&
              ASN1_TIME_set(X509_getm_notAfter(cert),
                            (time_t)(now_s + days * INT64_C(86400))) != NULL &&
              X509_set_pubkey(cert, key) == 1;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ok = ok && (list = make_extensions(&ctx, cn, uses)) != NULL;
    for (int i = 0; ok && i < sk_X509_EXTENSION_num(list); i++)
        ok = X509_add_ext(cert, sk_X509_EXTENSION_value(list, i), -1) == 1;
    ok = ok && X509_sign(cert, key, EVP_sha256()) > 0;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509_REQ *make_request(EVP_PKEY *key, const char *cn, unsigned uses)
{
    X509_REQ *req = X509_REQ_new();
    extensions *list = NULL;
    X509V3_CTX ctx;
    bool ok = req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
              set_name(X509_REQ_get_subject_name(req), cn) &&
              X509_REQ_set_pubkey(req, key) == 1;

    X509V3_set_ctx(&ctx, NULL, NULL, req, NULL, 0);
    ok = ok && (list = make_extensions(&ctx, cn, uses)) != NULL &&
         X509_REQ_add_extensions(req, list) == 1 && X509_REQ_sign(req, key, EVP_sha256()) > 0;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    if (ok)
        return req;
    X509_REQ_free(req);
    return NULL;
}

/* What bio holds; wiped there when bio is freed. Given: free(). */
static char *text_of(BIO *bio)
{
    char *data, *text;
    long n = BIO_get_mem_data(bio, &data);

    text = n <= 0 ? NULL : malloc((size_t)n + 1);
    if (text != NULL) {
        memcpy(text, data, (size_t)n);
        text[n] = '\0';
    }
    return text;
}

/* Writes cert, or else req, and the key. */
static bool write_pem(const X509 *cert, const X509_REQ *req, EVP_PKEY *key, char **public_pem,
                      char **key_pem)
{
    BIO *open = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    char *public_text = NULL, *key_text = NULL;
    bool ok = open != NULL && secret != NULL &&
              (cert != NULL ? PEM_write_bio_X509(open, cert)
                            : PEM_write_bio_X509_REQ(open, req)) == 1 &&
              PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              (public_text = text_of(open)) != NULL && (key_text = text_of(secret)) != NULL;

    BIO_free(open);
    BIO_free(secret);
    if (ok) {
        *public_pem = public_text;
        *key_pem = key_text;
    } else {
        free(public_text);
    }
    return ok;
}

bool pki_generate(const char *subject_cn, unsigned bits, int days, int64_t now_s, unsigned uses,
                  char **cert_pem, char **key_pem, struct err *err)
{
    EVP_PKEY *key;
    X509 *cert;
    bool ok;

    if (!plausible(subject_cn, bits, err))
        return false;
    if (days < 1 || days > PKI_DAYS_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "a certificate is valid for 1 to %d days, not %d",
                    PKI_DAYS_MAX, days);
    key = EVP_RSA_gen(bits);
    cert = key == NULL ? NULL : make_certificate(key, subject_cn, days, now_s, uses);
    ok = cert != NULL && write_pem(cert, NULL, key, cert_pem, key_pem);
    if (!ok)
        failed(err, "certificate");
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool pki_request(const char *subject_cn, unsigned bits, unsigned uses, char **request_pem,
                 char **key_pem, struct err *err)
{
    EVP_PKEY *key;
    X509_REQ *req;
    bool ok;

    if (!plausible(subject_cn, bits, err))
        return false;
    key = EVP_RSA_gen(bits);
    req = key == NULL ? NULL : make_request(key, subject_cn, uses);
    ok = req != NULL && write_pem(NULL, req, key, request_pem, key_pem);
    if (!ok)
        failed(err, "request");
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return ok;
}
