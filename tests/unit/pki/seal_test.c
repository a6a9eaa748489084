/* Private keys sealed for the store, and certificates written for others. */
#include "support.h"

#include <openssl/pem.h>

static const uint8_t key_a[PKI_STORE_KEY] = "0123456789abcdef0123456789abcdef";
static const uint8_t key_b[PKI_STORE_KEY] = "0123456789abcdef0123456789abcdeg";

static char *sealed(const struct pki_certificate *c, const char *name)
{
    char *text = NULL;
    struct err err = { 0 };

    if (!pki_key_seal(key_a, name, c->key, &text, &err))
        fail_msg("%s", err.text);
    return text;
}

static void a_sealed_key_opens_again_and_never_looks_the_same(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES);
    char *one = sealed(c, "our-sign"), *two = sealed(c, "our-sign");
    EVP_PKEY *key = NULL;
    struct err err = { 0 };

    (void)state;
    assert_string_not_equal(one, two);
    assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/="),
                     strlen(one));
    assert_true(strlen(one) < PKI_SEALED_MAX);
    assert_true(pki_key_open(key_a, "our-sign", one, &key, &err));
    assert_int_equal(EVP_PKEY_eq(key, c->key), 1);
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
    free(one);
    free(two);
    pki_certificate_free(c);
}

static void another_store_key_and_another_name_are_told_apart(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES);
    char *text = sealed(c, "our-sign");
    EVP_PKEY *key = NULL;
    struct err err = { 0 };

    (void)state;
    assert_false(pki_key_open(key_b, "our-sign", text, &key, &err));
    assert_starts(&err, "its private key was sealed under another store key");
    assert_false(pki_key_open(key_a, "our-tls", text, &key, &err));
    assert_starts(&err, "its sealed_key is damaged, or was made for a component of another "
                        "name than 'our-tls'");
    assert_null(key);
    free(text);
    pki_certificate_free(c);
}

/* The last character before the padding has bits that stand for nothing: they count, too. */
static void last_character_counts(const char *text, char *bad)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t last = strcspn(text, "=") - 1;
    EVP_PKEY *key = NULL;
    struct err err = { 0 };

    for (const char *p = alphabet; *p != '\0'; p++) {
        bad[last] = *p;
        if (*p != text[last] && pki_key_open(key_a, "our-sign", bad, &key, &err))
            fail_msg("%s opened with %c", text, *p);
    }
    bad[last] = text[last];
}

/* Every character changed, every truncation: refused, and the output untouched. */
static void no_changed_text_opens(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES);
    char *text = sealed(c, "our-sign"), *bad = strdup(text);
    size_t n = strlen(text);
    EVP_PKEY *key = NULL;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bad[i] = text[i] == 'A' ? 'B' : text[i] == '=' ? '!' : 'A';
        assert_false(pki_key_open(key_a, "our-sign", bad, &key, &err));
        bad[i] = text[i];
        bad[i] = '\0';
        assert_false(pki_key_open(key_a, "our-sign", bad, &key, &err));
        bad[i] = text[i];
    }
    last_character_counts(text, bad);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    free(bad);
    free(text);
    pki_certificate_free(c);
}

static void a_key_is_given_only_to_its_certificate(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES), *bare = NULL, *other;
    char *pem = NULL;
    struct err err = { 0 };

    (void)state;
    other = made("them", NOW, 10, ALL_USES);
    assert_true(pki_write_pem(c, true, &pem, &err));
    assert_true(pki_any_read(span_text(pem), (struct span) { NULL, 0 }, NULL, &bare, &err));
    assert_null(bare->key);
    assert_false(pki_certificate_set_key(bare, other->key, &err));
    assert_starts(&err, "the private key does not belong");
    assert_null(bare->key);
    assert_true(pki_certificate_set_key(bare, c->key, &err));
    assert_ptr_equal(bare->key, c->key);
    free(pem);
    pki_certificate_free(bare);
    pki_certificate_free(other);
    pki_certificate_free(c);
}

static struct pki_certificate *read_any(struct span cert, struct span key, const char *password,
                                        struct err *err)
{
    struct pki_certificate *c = NULL;

    return pki_any_read(cert, key, password, &c, err) ? c : NULL;
}

static void what_is_exported_is_read_with_its_password_only(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES), *back;
    struct span none = { NULL, 0 };
    char *cert = NULL, *key = NULL, *both = NULL;
    uint8_t *p12 = NULL;
    size_t n = 0;
    struct err err = { 0 };

    (void)state;
    assert_true(pki_write_pem(c, false, &cert, &err));
    assert_true(pki_write_key(c, "correct horse", &key, &err));
    assert_non_null(strstr(key, "BEGIN ENCRYPTED PRIVATE KEY"));
    assert_true(pki_write_pkcs12(c, "us", "correct horse", &p12, &n, &err));
    back = read_any(span_text(cert), span_text(key), "correct horse", &err);
    assert_int_equal(EVP_PKEY_eq(back->key, c->key), 1);
    pki_certificate_free(back);
    assert_null(read_any(span_text(cert), span_text(key), "wrong", &err));
    assert_starts(&err, "the private key cannot be decrypted");
    assert_null(read_any(span_text(cert), span_text(key), NULL, &err));
    assert_starts(&err, "the private key is encrypted with a pass phrase");
    back = read_any(span_of(p12, n), none, "correct horse", &err);
    assert_int_equal(EVP_PKEY_eq(back->key, c->key), 1);
    pki_certificate_free(back);
    assert_null(read_any(span_of(p12, n), none, "wrong", &err));
    assert_null(read_any(span_of(p12, n), span_text(key), "correct horse", &err));
    assert_starts(&err, "a PKCS#12 file holds the key itself");
    /* certificate and key in one text */
    assert_true(asprintf(&both, "%s%s", cert, key) > 0);
    back = read_any(span_text(both), none, "correct horse", &err);
    assert_non_null(back->key);
    pki_certificate_free(back);
    free(both);
    free(p12);
    free(key);
    free(cert);
    pki_certificate_free(c);
}

static void keys_in_der_are_read(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES), *back;
    BIO *plain = BIO_new(BIO_s_mem()), *locked = BIO_new(BIO_s_mem());
    uint8_t *cert = NULL, *old = NULL;
    int cert_n = i2d_X509(c->leaf, &cert), old_n = i2d_PrivateKey(c->key, &old);
    BIO *bios[] = { plain, locked };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(i2d_PKCS8PrivateKey_bio(plain, c->key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(
        i2d_PKCS8PrivateKey_bio(locked, c->key, EVP_aes_256_cbc(), "secret 1", 8, NULL, NULL),
        1);
    for (size_t i = 0; i < COUNT_OF(bios); i++) {
        char *data;
        long n = BIO_get_mem_data(bios[i], &data);

        back =
            read_any(span_of(cert, (size_t)cert_n), span_of(data, (size_t)n), "secret 1", &err);
        assert_non_null(back);
        assert_int_equal(EVP_PKEY_eq(back->key, c->key), 1);
        pki_certificate_free(back);
    }
    back = read_any(span_of(cert, (size_t)cert_n), span_of(old, (size_t)old_n), NULL, &err);
    assert_non_null(back);
    pki_certificate_free(back);
    BIO_free(plain);
    BIO_free(locked);
    OPENSSL_free(cert);
    OPENSSL_free(old);
    pki_certificate_free(c);
}

static void a_key_needs_a_password_to_leave(void **state)
{
    struct pki_certificate *c = made("us", NOW, 10, ALL_USES);
    char *text = NULL;
    uint8_t *der = NULL;
    size_t n = 0;
    struct err err = { 0 };

    (void)state;
    assert_false(pki_write_key(c, NULL, &text, &err));
    assert_false(pki_write_key(c, "short", &text, &err));
    assert_starts(&err, "a private key is exported with a password of at least 8");
    assert_false(pki_write_pkcs12(c, "us", "", &der, &n, &err));
    EVP_PKEY_free(c->key);
    c->key = NULL;
    assert_false(pki_write_key(c, "long enough", &text, &err));
    assert_starts(&err, "it has no private key");
    assert_null(text);
    assert_null(der);
    pki_certificate_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_key_opens_again_and_never_looks_the_same),
        cmocka_unit_test(another_store_key_and_another_name_are_told_apart),
        cmocka_unit_test(no_changed_text_opens),
        cmocka_unit_test(a_key_is_given_only_to_its_certificate),
        cmocka_unit_test(what_is_exported_is_read_with_its_password_only),
        cmocka_unit_test(keys_in_der_are_read),
        cmocka_unit_test(a_key_needs_a_password_to_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
