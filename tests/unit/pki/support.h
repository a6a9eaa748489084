/* What the tests of certificates share. */
#ifndef WAYBILL_TESTS_PKI_SUPPORT_H
#define WAYBILL_TESTS_PKI_SUPPORT_H

#include "pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum {
    NOW = 1800000000,
    DAY = 86400,
    ALL_USES = PKI_SIGN | PKI_ENCRYPT | PKI_SERVER | PKI_CLIENT
};

/* A new certificate with its key; given: pki_certificate_free. */
static inline struct pki_certificate *made(const char *cn, int64_t from_s, int days,
                                           unsigned uses)
{
    struct pki_certificate *c = NULL;
    char *cert = NULL, *key = NULL;
    struct err err = { 0 };

    if (!pki_generate(cn, PKI_BITS_MIN, days, from_s, uses, &cert, &key, &err) ||
        !pki_certificate_read(span_text(cert), span_text(key), &c, &err))
        fail_msg("%s", err.text);
    assert_int_equal(ERR_peek_error(), 0);
    free(cert);
    free(key);
    return c;
}

/* A certificate by issuer (NULL: by itself), valid from NOW for days. Given. */
static inline struct pki_certificate *issued(const char *cn, struct pki_certificate *issuer,
                                             bool ca, long serial, int days)
{
    static const struct {
        int nid;
        const char *authority, *leaf;
    } extensions[] = {
        { NID_basic_constraints, "critical,CA:TRUE", "critical,CA:FALSE" },
        { NID_key_usage, "critical,keyCertSign,cRLSign", "critical,digitalSignature" },
    };
    struct pki_certificate *c = made(cn, NOW, days, PKI_SIGN);
    X509V3_CTX ctx;

    X509_free(c->leaf);
    c->leaf = X509_new();
    assert_int_equal(X509_set_version(c->leaf, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c->leaf), serial), 1);
    assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(c->leaf), NID_commonName,
                                                MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(c->leaf,
                             X509_get_subject_name(issuer != NULL ? issuer->leaf : c->leaf)),
        1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(c->leaf), NOW));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(c->leaf), NOW + (time_t)days * DAY));
    assert_int_equal(X509_set_pubkey(c->leaf, c->key), 1);
    X509V3_set_ctx(&ctx, NULL, c->leaf, NULL, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        X509_EXTENSION *x = X509V3_EXT_conf_nid(
            NULL, &ctx, extensions[i].nid, ca ? extensions[i].authority : extensions[i].leaf);

        assert_int_equal(X509_add_ext(c->leaf, x, -1), 1);
        X509_EXTENSION_free(x);
    }
    assert_true(X509_sign(c->leaf, issuer != NULL ? issuer->key : c->key, EVP_sha256()) > 0);
    return c;
}

static inline void assert_starts(const struct err *err, const char *want)
{
    assert_int_equal(err->kind, FAIL_LOCAL);
    if (strncmp(err->text, want, strlen(want)) != 0)
        fail_msg("got: %s, want: %s", err->text, want);
    assert_int_equal(ERR_peek_error(), 0);
}

#endif
