/* Bags of certificates (.p7b), as authorities hand them out. */
#include "support.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>

static struct pki_certificate *root, *sub, *leaf, *direct;

static int make_all(void **state)
{
    (void)state;
    root = issued("root", NULL, true, 1, 1000);
    sub = issued("sub", root, true, 2, 100);
    leaf = issued("leaf", sub, false, 3, 50);
    direct = issued("direct", root, false, 4, 50);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    pki_certificate_free(root);
    pki_certificate_free(sub);
    pki_certificate_free(leaf);
    pki_certificate_free(direct);
    return 0;
}

/* A bag of n certificates, DER or PEM. Given: free(). */
static struct span bag(bool pem, int n, ...)
{
    PKCS7 *p7 = PKCS7_new();
    BIO *bio = BIO_new(BIO_s_mem());
    uint8_t *copy;
    char *data;
    va_list ap;
    long len;

    assert_int_equal(PKCS7_set_type(p7, NID_pkcs7_signed), 1);
    assert_int_equal(PKCS7_content_new(p7, NID_pkcs7_data), 1);
    va_start(ap, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(PKCS7_add_certificate(p7, va_arg(ap, struct pki_certificate *)->leaf),
                         1);
    va_end(ap);
    assert_int_equal(pem ? PEM_write_bio_PKCS7(bio, p7) : i2d_PKCS7_bio(bio, p7), 1);
    PKCS7_free(p7);
    len = BIO_get_mem_data(bio, &data);
    copy = malloc((size_t)len);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)len);
    BIO_free(bio);
    ERR_clear_error();
    return span_of(copy, (size_t)len);
}

static void release(struct span s)
{
    free((void *)(uintptr_t)s.p);
}

static const struct span none = { NULL, 0 };

static struct pki_certificate *good(struct span s, struct span key)
{
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    if (!pki_any_read(s, key, NULL, &c, &err))
        fail_msg("%s", err.text);
    assert_int_equal(ERR_peek_error(), 0);
    release(s);
    return c;
}

static void bad(struct span s, struct span key, const char *want)
{
    struct pki_certificate *untouched = root, *c = untouched;
    struct err err = { 0 };

    assert_false(pki_any_read(s, key, NULL, &c, &err));
    assert_ptr_equal(c, untouched);
    assert_starts(&err, want);
    release(s);
}

static void test_the_certificate_is_found_whatever_its_place(void **state)
{
    struct pki_certificate *order[][3] = {
        { leaf, sub, root }, { root, sub, leaf }, { sub, leaf, root }, { sub, root, leaf }
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct pki_certificate *c =
            good(bag(i % 2 == 0, 3, order[i][0], order[i][1], order[i][2]), none);

        assert_int_equal(X509_cmp(c->leaf, leaf->leaf), 0);
        assert_int_equal(sk_X509_num(c->chain), 2);
        assert_null(c->key);
        pki_certificate_free(c);
    }
}

static void test_one_alone_and_one_by_itself(void **state)
{
    struct pki_certificate *c = good(bag(false, 1, leaf), none);

    (void)state;
    assert_int_equal(X509_cmp(c->leaf, leaf->leaf), 0);
    pki_certificate_free(c);
    c = good(bag(true, 1, root), none);
    assert_int_equal(X509_cmp(c->leaf, root->leaf), 0);
    assert_int_equal(sk_X509_num(c->chain), 0);
    pki_certificate_free(c);
}

static void test_one_that_stands_there_twice(void **state)
{
    struct pki_certificate *c = good(bag(false, 3, leaf, leaf, sub), none);

    (void)state;
    assert_int_equal(X509_cmp(c->leaf, leaf->leaf), 0);
    pki_certificate_free(c);
}

static void test_with_its_key(void **state)
{
    struct pki_certificate *c;
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long n;

    (void)state;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, leaf->key, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &data);
    c = good(bag(false, 2, sub, leaf), span_of((uint8_t *)data, (size_t)n));
    assert_non_null(c->key);
    pki_certificate_free(c);
    bad(bag(false, 1, direct), span_of((uint8_t *)data, (size_t)n),
        "the private key does not belong to the certificate 'CN=direct'");
    BIO_free(bio);
}

static void test_several_that_could_be_meant(void **state)
{
    (void)state;
    bad(bag(true, 3, root, direct, leaf), none,
        "the PKCS#7 file holds several certificates of which none has issued the other, such as "
        "'CN=direct' and 'CN=leaf': take each out");
    bad(bag(false, 0), none, "the PKCS#7 file holds no certificate");
}

static void test_elsewhere_it_is_told_what_it_is(void **state)
{
    struct pki_certificate *c = NULL;
    struct span s = bag(false, 1, leaf);
    struct err err = { 0 };

    (void)state;
    assert_false(pki_certificate_read(s, none, &c, &err));
    assert_starts(&err, "it is a file of PKCS#7; `waybill certificates import` takes it");
    release(s);
}

/* Nothing but an answer: neither a crash nor something left behind. */
static void try(struct span s)
{
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    if (pki_any_read(s, none, NULL, &c, &err))
        pki_certificate_free(c);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_every_truncation_and_flipped_bit(void **state)
{
    (void)state;
    for (int pem = 0; pem < 2; pem++) {
        struct span whole = bag(pem == 1, 2, sub, leaf);
        uint8_t *copy = malloc(whole.n);

        assert_non_null(copy);
        for (size_t n = 0; n < whole.n; n += pem == 1 ? 7 : 1) {
            uint8_t *cut = malloc(n + 1); /* of its own, for the address sanitizer */

            memcpy(cut, whole.p, n);
            try(span_of(cut, n));
            free(cut);
            if (pem == 1)
                continue;
            memcpy(copy, whole.p, whole.n);
            copy[n] ^= (uint8_t)(1u << n % 8);
            try(span_of(copy, whole.n));
        }
        free(copy);
        release(whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_certificate_is_found_whatever_its_place),
        cmocka_unit_test(test_one_alone_and_one_by_itself),
        cmocka_unit_test(test_one_that_stands_there_twice),
        cmocka_unit_test(test_with_its_key),
        cmocka_unit_test(test_several_that_could_be_meant),
        cmocka_unit_test(test_elsewhere_it_is_told_what_it_is),
        cmocka_unit_test(test_every_truncation_and_flipped_bit),
    };

    return cmocka_run_group_tests(tests, make_all, free_all);
}
