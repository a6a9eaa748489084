/* What is made new, and the other forms certificates and keys come in: DER, PKCS#12, encrypted. */
#include "support.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

static struct pki_certificate *ours, *stranger;

static int begin(void **state)
{
    (void)state;
    ours = made("www.example.org", NOW, 30, ALL_USES);
    stranger = made("stranger", NOW, 30, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pki_certificate_free(ours);
    pki_certificate_free(stranger);
    return 0;
}

/* ---- making ---- */

static void test_a_generated_certificate(void **state)
{
    int64_t from, to;
    char subject[80];

    (void)state;
    pki_subject(ours->leaf, subject, sizeof(subject));
    assert_string_equal(subject, "CN=www.example.org");
    assert_true(pki_validity(ours->leaf, &from, &to));
    assert_true(from == NOW && to == NOW + 30 * DAY);
    assert_int_equal(EVP_PKEY_get_bits(ours->key), PKI_BITS_MIN);
    assert_int_equal(X509_verify(ours->leaf, ours->key), 1);
    assert_int_equal(X509_check_host(ours->leaf, "www.example.org", 0,
                                     X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL),
                     1);
    assert_int_equal(X509_check_ca(ours->leaf), 0);
    assert_true(ASN1_INTEGER_cmp(X509_get0_serialNumber(ours->leaf),
                                 X509_get0_serialNumber(stranger->leaf)) != 0);
}

/* The common name goes into text that libcrypto reads as a language of its own. */
static void test_a_common_name_is_only_a_name(void **state)
{
    struct pki_certificate *c = made("a.b,DNS:evil.example", NOW, 1, PKI_SERVER);

    (void)state;
    assert_int_equal(X509_get_ext_by_NID(c->leaf, NID_subject_alt_name, -1), -1);
    pki_certificate_free(c);
    c = made("192.0.2.7", NOW, 1, PKI_SERVER);
    assert_int_equal(X509_check_ip_asc(c->leaf, "192.0.2.7", 0), 1);
    pki_certificate_free(c);
}

static void test_what_cannot_be_generated(void **state)
{
    static const char long_name[] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    char *a = NULL, *b = NULL;
    struct err err = { 0 };

    (void)state;
    assert_false(pki_generate("", 2048, 1, NOW, 0, &a, &b, &err));
    assert_starts(&err, "the common name must have 1 to 64");
    assert_false(pki_generate(long_name, 2048, 1, NOW, 0, &a, &b, &err));
    assert_starts(&err, "the common name must have 1 to 64");
    assert_false(pki_generate("a\nb", 2048, 1, NOW, 0, &a, &b, &err));
    assert_starts(&err, "the common name has control characters");
    assert_false(pki_generate("a\xFF", 2048, 1, NOW, 0, &a, &b, &err));
    assert_starts(&err, "cannot make the certificate:");
    assert_false(pki_generate("a", 1024, 1, NOW, 0, &a, &b, &err));
    assert_starts(&err, "a key must have 2048 to 8192 bits, not 1024");
    assert_false(pki_generate("a", 2048, 0, NOW, 0, &a, &b, &err));
    assert_starts(&err, "a certificate is valid for 1 to 36500 days, not 0");
    assert_false(pki_request("a", 9000, 0, &a, &b, &err));
    assert_starts(&err, "a key must have");
    assert_null(a);
    assert_null(b);
}

static void test_a_request(void **state)
{
    char *request = NULL, *key = NULL;
    struct err err = { 0 };
    X509_REQ *req;
    EVP_PKEY *public;
    BIO *bio;

    (void)state;
    assert_true(pki_request("Ex\xC3\xA4mple AG", 2048, ALL_USES, &request, &key, &err));
    bio = BIO_new_mem_buf(request, -1);
    req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    assert_non_null(req);
    public = X509_REQ_get0_pubkey(req);
    assert_int_equal(X509_REQ_verify(req, public), 1);
    assert_non_null(strstr(key, "-----BEGIN PRIVATE KEY-----"));
    X509_REQ_free(req);
    BIO_free(bio);
    free(request);
    free(key);
}

/* ---- DER ---- */

static void test_a_certificate_in_der(void **state)
{
    unsigned char *der = NULL;
    int n = i2d_X509(ours->leaf, &der);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };
    struct span none = { NULL, 0 };

    (void)state;
    assert_true(n > 0);
    assert_true(pki_certificate_read(span_of(der, (size_t)n), none, &c, &err));
    assert_int_equal(X509_cmp(c->leaf, ours->leaf), 0);
    pki_certificate_free(c);
    for (size_t i = 0; i < (size_t)n; i++)
        assert_false(pki_certificate_read(span_of(der, i), none, &c, &err));
    assert_starts(&err, "the certificate (DER) is damaged");
    der = OPENSSL_realloc(der, (size_t)n + 1);
    assert_non_null(der);
    der[n] = 0;
    assert_false(pki_certificate_read(span_of(der, (size_t)n + 1), none, &c, &err));
    assert_starts(&err, "there are octets behind the certificate");
    OPENSSL_free(der);
}

/* ---- encrypted keys ---- */

static void test_an_encrypted_key_and_its_password(void **state)
{
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    struct pki_certificate *c = NULL;
    struct err err = { 0 };
    char *cert_pem, *key_pem;
    struct span cert_text, key_text;

    (void)state;
    assert_int_equal(PEM_write_bio_X509(cert, ours->leaf), 1);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(key, ours->key, EVP_aes_256_cbc(), "right",
                                                   5, NULL, NULL),
                     1);
    cert_text.n = (size_t)BIO_get_mem_data(cert, &cert_pem);
    key_text.n = (size_t)BIO_get_mem_data(key, &key_pem);
    cert_text.p = (const uint8_t *)cert_pem;
    key_text.p = (const uint8_t *)key_pem;
    assert_true(pki_certificate_read_password(cert_text, key_text, "right", &c, &err));
    assert_int_equal(EVP_PKEY_eq(c->key, ours->key), 1);
    pki_certificate_free(c);
    assert_false(pki_certificate_read_password(cert_text, key_text, "wrong", &c, &err));
    assert_starts(&err, "the private key cannot be decrypted: the pass phrase (key_password");
    assert_false(pki_certificate_read_password(cert_text, key_text, NULL, &c, &err));
    assert_starts(&err, "the private key is encrypted with a pass phrase");
    BIO_free(cert);
    BIO_free(key);
}

/* ---- PKCS#12 ---- */

/* Given: OPENSSL_free(.p). */
static struct span packed(const char *password, EVP_PKEY *key, X509 *cert, X509 *issuer)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    unsigned char *der = NULL;
    PKCS12 *p12;
    int n;

    if (issuer != NULL)
        assert_true(sk_X509_push(chain, issuer) > 0);
    p12 = PKCS12_create(password, "name", key, cert, chain, 0, 0, 1, 1, 0);
    assert_non_null(p12);
    n = i2d_PKCS12(p12, &der);
    assert_true(n > 0);
    PKCS12_free(p12);
    sk_X509_free(chain);
    return span_of(der, (size_t)n);
}

static void unpack(struct span der)
{
    OPENSSL_free((void *)(uintptr_t)der.p);
}

static void bad_pkcs12(struct span der, const char *password, const char *want)
{
    struct pki_certificate *untouched = ours, *c = untouched;
    struct err err = { 0 };

    assert_false(pki_pkcs12_read(der, password, &c, &err));
    assert_ptr_equal(c, untouched);
    assert_starts(&err, want);
}

static void test_pkcs12_with_the_right_and_the_wrong_password(void **state)
{
    struct span der = packed("right", ours->key, ours->leaf, stranger->leaf);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    (void)state;
    assert_true(pki_pkcs12_read(der, "right", &c, &err));
    assert_int_equal(X509_cmp(c->leaf, ours->leaf), 0);
    assert_int_equal(EVP_PKEY_eq(c->key, ours->key), 1);
    assert_int_equal(sk_X509_num(c->chain), 1);
    pki_certificate_free(c);
    bad_pkcs12(der, "wrong",
               "the PKCS#12 file cannot be opened: the password (pkcs12_password");
    bad_pkcs12(der, "", "the PKCS#12 file cannot be opened: the password (pkcs12_password");
    bad_pkcs12(der, NULL, "the PKCS#12 file cannot be opened: the password (pkcs12_password");
    unpack(der);
}

static void test_pkcs12_without_password(void **state)
{
    struct span der = packed("", ours->key, ours->leaf, NULL);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(pki_pkcs12_read(der, i == 0 ? "" : NULL, &c, &err));
        assert_int_equal(sk_X509_num(c->chain), 0);
        pki_certificate_free(c);
    }
    unpack(der);
}

static void test_pkcs12_with_half_of_it(void **state)
{
    struct span der = packed("p", NULL, stranger->leaf, NULL);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    (void)state;
    assert_true(pki_pkcs12_read(der, "p", &c, &err));
    assert_int_equal(X509_cmp(c->leaf, stranger->leaf), 0);
    assert_null(c->key);
    assert_non_null(c->chain);
    pki_certificate_free(c);
    unpack(der);
    der = packed("p", ours->key, NULL, NULL);
    bad_pkcs12(der, "p", "the PKCS#12 file holds no certificate for its private key");
    unpack(der);
}

static void test_damaged_pkcs12(void **state)
{
    struct span der = packed("p", ours->key, ours->leaf, NULL);
    uint8_t *copy = malloc(der.n);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    (void)state;
    assert_non_null(copy);
    for (size_t i = 0; i < der.n; i += 7)
        bad_pkcs12(span_of(der.p, i), "p", "it is no PKCS#12 file");
    for (size_t i = 0; i < der.n; i += 5) {
        memcpy(copy, der.p, der.n);
        copy[i] ^= 0x20;
        /* what is outside the MAC may change; nothing leaks and nothing is half done */
        if (pki_pkcs12_read(span_of(copy, der.n), "p", &c, &err))
            pki_certificate_free(c);
    }
    bad_pkcs12(span_text("-----BEGIN CERTIFICATE-----"), "p", "it is no PKCS#12 file");
    free(copy);
    unpack(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_generated_certificate),
        cmocka_unit_test(test_a_common_name_is_only_a_name),
        cmocka_unit_test(test_what_cannot_be_generated),
        cmocka_unit_test(test_a_request),
        cmocka_unit_test(test_a_certificate_in_der),
        cmocka_unit_test(test_an_encrypted_key_and_its_password),
        cmocka_unit_test(test_pkcs12_with_the_right_and_the_wrong_password),
        cmocka_unit_test(test_pkcs12_without_password),
        cmocka_unit_test(test_pkcs12_with_half_of_it),
        cmocka_unit_test(test_damaged_pkcs12),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
