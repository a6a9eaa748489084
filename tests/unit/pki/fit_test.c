/* Whether a certificate may be used: usage, days left, revocation. */
#include "support.h"

#include <openssl/pem.h>

static struct pki_certificate *authority, *other;

static int begin(void **state)
{
    (void)state;
    authority = made("authority", NOW, 10, 0);
    other = made("authority", NOW, 10, 0); /* the same name, another key */
    return 0;
}

static int end(void **state)
{
    (void)state;
    pki_certificate_free(authority);
    pki_certificate_free(other);
    return 0;
}

static void may(unsigned uses, const char *want)
{
    struct pki_certificate *c = made("c", NOW, 1, uses);
    char got[5] = "....";

    for (unsigned i = 0; i < 4; i++)
        if (pki_usage_allows(c->leaf, (enum pki_use)(1U << i)))
            got[i] = "SEsc"[i];
    assert_string_equal(got, want);
    pki_certificate_free(c);
}

static void test_usage_is_what_the_certificate_says(void **state)
{
    (void)state;
    may(0, "SEsc"); /* says nothing */
    may(ALL_USES, "SEsc");
    may(PKI_SIGN, "S.sc"); /* no extended usage: TLS is not excluded */
    may(PKI_ENCRYPT, ".Es.");
    may(PKI_SERVER, "SEs.");
    may(PKI_CLIENT, "S..c");
    may(PKI_ENCRYPT | PKI_SERVER, "SEs.");
}

static void test_days_left(void **state)
{
    (void)state;
    assert_int_equal(pki_days_left(authority->leaf, NOW), 10);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 1), 9);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 9 * DAY), 1);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 9 * DAY + 1), 0);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 10 * DAY), 0);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 10 * DAY + 1), -1);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 11 * DAY), -1);
    assert_int_equal(pki_days_left(authority->leaf, NOW + 11 * DAY + 1), -2);
}

/* A list by signer with the serial number of cert, which may be NULL: an empty one. */
static X509_CRL *list_of(const struct pki_certificate *signer, const X509 *cert)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, NOW);

    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(signer->leaf)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, now), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, now), 1);
    if (cert != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_dup(X509_get0_serialNumber(cert));

        assert_int_equal(X509_REVOKED_set_serialNumber(entry, serial), 1);
        assert_int_equal(X509_REVOKED_set_revocationDate(entry, now), 1);
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
        ASN1_INTEGER_free(serial);
    }
    assert_true(X509_CRL_sign(crl, signer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(now);
    return crl;
}

/* Through octets, as it comes from a file. */
static X509_CRL *reread(X509_CRL *crl, bool pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_CRL *again = NULL;
    char *data;
    long n;

    assert_int_equal(pem ? PEM_write_bio_X509_CRL(bio, crl) : i2d_X509_CRL_bio(bio, crl), 1);
    n = BIO_get_mem_data(bio, &data);
    assert_true(pki_crl_read(span_of(data, (size_t)n), &again));
    assert_false(pki_crl_read(span_of(data, (size_t)n / 2), &again));
    BIO_free(bio);
    X509_CRL_free(crl);
    return again;
}

static void test_a_certificate_on_the_list_is_revoked(void **state)
{
    (void)state;
    for (int pem = 0; pem < 2; pem++) {
        X509_CRL *with = reread(list_of(authority, authority->leaf), pem);
        X509_CRL *without = reread(list_of(authority, NULL), pem);

        assert_true(pki_revoked(authority->leaf, with, NULL));
        assert_true(pki_revoked(authority->leaf, with, authority->leaf));
        assert_false(pki_revoked(authority->leaf, without, NULL));
        assert_false(pki_revoked(other->leaf, with, NULL)); /* another serial number */
        X509_CRL_free(with);
        X509_CRL_free(without);
    }
}

static void test_a_list_by_somebody_else_revokes_nothing(void **state)
{
    struct pki_certificate *stranger = made("stranger", NOW, 10, 0);
    X509_CRL *named = list_of(stranger, authority->leaf);
    X509_CRL *forged = list_of(other, authority->leaf);

    (void)state;
    assert_false(pki_revoked(authority->leaf, named, NULL));
    assert_false(pki_revoked(authority->leaf, forged, authority->leaf));
    assert_int_equal(ERR_peek_error(), 0);
    X509_CRL_free(named);
    X509_CRL_free(forged);
    pki_certificate_free(stranger);
}

static void test_what_is_no_list_is_not_read(void **state)
{
    static const char *const texts[] = { "", "x", "0", "-----BEGIN X509 CRL-----\nAAAA\n" };
    X509_CRL *untouched = (X509_CRL *)(uintptr_t)&texts, *crl = untouched;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(pki_crl_read(span_text(texts[i]), &crl));
    assert_ptr_equal(crl, untouched);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_is_what_the_certificate_says),
        cmocka_unit_test(test_days_left),
        cmocka_unit_test(test_a_certificate_on_the_list_is_revoked),
        cmocka_unit_test(test_a_list_by_somebody_else_revokes_nothing),
        cmocka_unit_test(test_what_is_no_list_is_not_read),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
