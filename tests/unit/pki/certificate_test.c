/* Certificates and keys from PEM. The PEM texts are made here, so that nothing expires. */
#include "pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

enum { NOT_BEFORE = 1700000000, NOT_AFTER = 4000000000 };

struct made {
    EVP_PKEY *key;
    X509 *cert;
    char *cert_pem, *key_pem;
};

static struct made first, second;

/* The content of a memory BIO; given: free(). */
static char *text_of(BIO *bio)
{
    char *data, *text;
    long n = BIO_get_mem_data(bio, &data);

    text = calloc(1, (size_t)n + 1);
    assert_non_null(text);
    memcpy(text, data, (size_t)n);
    BIO_free(bio);
    return text;
}

static struct made make(const char *cn)
{
    struct made m = { .key = EVP_EC_gen("P-256"), .cert = X509_new() };
    X509_NAME *name = X509_get_subject_name(m.cert);
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());

    assert_non_null(m.key);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)cn, -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"ACME", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(m.cert, name), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(m.cert), 7), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(m.cert), NOT_BEFORE));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(m.cert), NOT_AFTER));
    assert_int_equal(X509_set_pubkey(m.cert, m.key), 1);
    assert_true(X509_sign(m.cert, m.key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(cert, m.cert), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key, m.key, NULL, NULL, 0, NULL, NULL), 1);
    m.cert_pem = text_of(cert);
    m.key_pem = text_of(key);
    return m;
}

static void made_free(struct made *m)
{
    EVP_PKEY_free(m->key);
    X509_free(m->cert);
    free(m->cert_pem);
    free(m->key_pem);
}

static struct pki_certificate *good(const char *pem, const char *key)
{
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    if (!pki_certificate_read(span_text(pem), span_text(key), &c, &err))
        fail_msg("%s", err.text);
    assert_int_equal(ERR_peek_error(), 0);
    return c;
}

static void bad(struct span pem, struct span key, const char *want)
{
    struct pki_certificate *untouched = (struct pki_certificate *)&first, *c = untouched;
    struct err err = { 0 };

    assert_false(pki_certificate_read(pem, key, &c, &err));
    assert_ptr_equal(c, untouched);
    assert_int_equal(err.kind, FAIL_LOCAL);
    if (strncmp(err.text, want, strlen(want)) != 0)
        fail_msg("got: %s, want: %s", err.text, want);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_a_certificate_with_its_key(void **state)
{
    struct pki_certificate *c = good(first.cert_pem, first.key_pem);

    (void)state;
    assert_int_equal(X509_cmp(c->leaf, first.cert), 0);
    assert_int_equal(EVP_PKEY_eq(c->key, first.key), 1);
    assert_int_equal(sk_X509_num(c->chain), 0);
    pki_certificate_free(c);
    pki_certificate_free(NULL);
}

static void test_a_chain_keeps_its_order(void **state)
{
    struct pki_certificate *c;
    char *text = calloc(1, 10000);

    (void)state;
    assert_non_null(text);
    (void)snprintf(text, 10000, "subject=x\n%sBag Attributes\n%s%s", first.cert_pem,
                   second.cert_pem, first.cert_pem);
    c = good(text, "");
    assert_null(c->key);
    assert_int_equal(X509_cmp(c->leaf, first.cert), 0);
    assert_int_equal(sk_X509_num(c->chain), 2);
    assert_int_equal(X509_cmp(sk_X509_value(c->chain, 0), second.cert), 0);
    pki_certificate_free(c);
    free(text);
}

static void test_a_foreign_key_is_refused(void **state)
{
    (void)state;
    bad(span_text(first.cert_pem), span_text(second.key_pem),
        "the private key does not belong to the certificate 'CN=");
}

static void test_no_certificate(void **state)
{
    (void)state;
    bad(span_text(""), span_text(""), "no certificate in the PEM text");
    bad(span_text("hello"), span_text(""), "no certificate in the PEM text");
    bad(span_text(first.key_pem), span_text(""), "no certificate in the PEM text");
    bad(span_text(first.cert_pem), span_text("hello"), "no private key in the key's PEM text");
    bad(span_text(first.cert_pem), span_text(first.cert_pem), "no private key in the key's");
}

static void test_damage_is_told_from_the_end(void **state)
{
    char text[6000], *at;

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", first.cert_pem, second.cert_pem);
    at = text + strlen(first.cert_pem) + 60;
    *at = '!';
    bad(span_text(text), span_text(""), "certificate number 2 of the PEM text is damaged: ");
    (void)snprintf(text, sizeof(text), "%s", first.key_pem);
    text[60] = '!';
    bad(span_text(first.cert_pem), span_text(text), "the private key is damaged: ");
}

static void test_every_truncation(void **state)
{
    struct pki_certificate *c = NULL;
    struct err err;
    size_t n = strlen(first.cert_pem);

    (void)state;
    for (size_t i = 0; i + 2 < n; i++) {
        char *copy = malloc(i + 1); /* no octet more than it is told of */

        assert_non_null(copy);
        memcpy(copy, first.cert_pem, i);
        assert_false(pki_certificate_read(span_of(copy, i), span_text(""), &c, &err));
        free(copy);
    }
    for (size_t i = 1; i + 2 < strlen(first.key_pem); i++)
        assert_false(pki_certificate_read(span_text(first.cert_pem), span_of(first.key_pem, i),
                                          &c, &err));
}

static void test_an_encrypted_key_is_refused_without_asking(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    (void)state;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, first.key, EVP_aes_128_cbc(), "secret",
                                                   6, NULL, NULL),
                     1);
    text = text_of(bio);
    bad(span_text(first.cert_pem), span_text(text),
        "the private key is encrypted with a pass phrase");
    free(text);
}

static void test_limits(void **state)
{
    char *text = calloc(1, PKI_PEM_MAX + 2);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', PKI_PEM_MAX + 1);
    bad(span_text(text), span_text(""), "the certificate's PEM text is longer than 262144");
    bad(span_text(first.cert_pem), span_text(text), "the private key's PEM text is longer");
    memcpy(text, first.cert_pem, strlen(first.cert_pem));
    text[PKI_PEM_MAX] = '\0';
    pki_certificate_free(good(text, ""));
    free(text);
}

static void test_fingerprint(void **state)
{
    unsigned char *der = NULL, md[SHA256_DIGEST_LENGTH];
    int n = i2d_X509(first.cert, &der);
    char got[65], want[65];

    (void)state;
    assert_true(n > 0);
    SHA256(der, (size_t)n, md);
    for (size_t i = 0; i < sizeof(md); i++)
        (void)snprintf(want + 2 * i, 3, "%02x", md[i]);
    pki_fingerprint(first.cert, got);
    assert_string_equal(got, want);
    OPENSSL_free(der);
}

static void test_validity(void **state)
{
    int64_t from, to;

    (void)state;
    assert_true(pki_validity(first.cert, &from, &to));
    assert_int_equal(from, NOT_BEFORE);
    assert_int_equal(to, NOT_AFTER);
}

static void test_subject(void **state)
{
    char text[64], small[5];

    (void)state;
    pki_subject(first.cert, text, sizeof(text));
    assert_string_equal(text, "CN=first\\0Aline, O=ACME");
    pki_subject(first.cert, small, sizeof(small));
    assert_string_equal(small, "CN=f");
    pki_subject(first.cert, small, 1);
    assert_string_equal(small, "");
    pki_subject(second.cert, text, sizeof(text));
    assert_string_equal(text, "CN=zw\xC3\xB6lf, O=ACME");
}

static int begin(void **state)
{
    (void)state;
    first = make("first\nline");
    second = make("zw\xC3\xB6lf");
    return 0;
}

static int end(void **state)
{
    (void)state;
    made_free(&first);
    made_free(&second);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_certificate_with_its_key),
        cmocka_unit_test(test_a_chain_keeps_its_order),
        cmocka_unit_test(test_a_foreign_key_is_refused),
        cmocka_unit_test(test_no_certificate),
        cmocka_unit_test(test_damage_is_told_from_the_end),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_an_encrypted_key_is_refused_without_asking),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_subject),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
