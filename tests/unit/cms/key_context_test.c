/* Contexts kept with a key: they work like new ones, in any number of threads, and go with the key. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/key_context.h"

#include <openssl/rsa.h>
#include <pthread.h>

enum { THREADS = 6, TIMES = 30 };

static const uint8_t digest[64] = "the digest of a text, and more";

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *k = EVP_RSA_gen(1024);

    assert_non_null(k);
    return k;
}

static bool use(EVP_PKEY *key, int nid)
{
    const EVP_MD *md = cms_digest(nid);
    size_t n = 128, digest_n = (size_t)EVP_MD_get_size(md);
    EVP_PKEY_CTX *s = key_context(key, KEY_SIGN, md), *v = key_context(key, KEY_VERIFY, md);
    uint8_t signature[128];
    bool ok = s != NULL && v != NULL && EVP_PKEY_sign(s, signature, &n, digest, digest_n) > 0 &&
              EVP_PKEY_verify(v, signature, n, digest, digest_n) == 1;

    if (ok) {
        signature[5] ^= 1;
        ok = EVP_PKEY_verify(v, signature, n, digest, digest_n) != 1;
    }
    EVP_PKEY_CTX_free(s);
    EVP_PKEY_CTX_free(v);
    return ok;
}

static bool decrypts(EVP_PKEY *key)
{
    EVP_PKEY_CTX *e = EVP_PKEY_CTX_new(key, NULL), *d = key_context(key, KEY_DECRYPT, NULL);
    uint8_t sealed[128], plain[128];
    size_t n = sizeof(sealed), m = sizeof(plain);
    bool ok = EVP_PKEY_encrypt_init(e) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(e, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_encrypt(e, sealed, &n, digest, 20) > 0 && d != NULL &&
              EVP_PKEY_decrypt(d, plain, &m, sealed, n) > 0 &&
              span_equal(span_of(plain, m), span_of(digest, 20));

    EVP_PKEY_CTX_free(e);
    EVP_PKEY_CTX_free(d);
    return ok;
}

/* More kinds of use than are kept, again and again. */
static void every_use_of_a_key_works(void **state)
{
    static const int nids[] = { NID_sha256, NID_sha1, NID_sha512, NID_sha3_256, NID_sha384 };
    EVP_PKEY *key = new_key();

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        assert_true(decrypts(key));
        for (size_t i = 0; i < COUNT_OF(nids); i++)
            assert_true(use(key, nids[i]));
    }
    EVP_PKEY_free(key);
}

static void a_context_outlives_its_key(void **state)
{
    EVP_PKEY *key = new_key();
    EVP_PKEY_CTX *c = key_context(key, KEY_SIGN, cms_digest(NID_sha256));
    uint8_t signature[128];
    size_t n = sizeof(signature);

    (void)state;
    EVP_PKEY_free(key);
    assert_true(EVP_PKEY_sign(c, signature, &n, digest, 32) > 0);
    EVP_PKEY_CTX_free(c);
}

static void a_copy_of_a_key_keeps_its_own(void **state)
{
    EVP_PKEY *key = new_key(), *copy;

    (void)state;
    assert_true(use(key, NID_sha256));
    copy = EVP_PKEY_dup(key);
    EVP_PKEY_free(key);
    assert_true(use(copy, NID_sha256) && decrypts(copy));
    EVP_PKEY_free(copy);
}

static void a_key_of_another_kind_has_none(void **state)
{
    struct cms_signer curve = make_signer("curve", "P-256");

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_null(key_context(curve.key, KEY_SIGN, cms_digest(NID_sha256)));
    free_signer(&curve);
}

static void *work(void *key)
{
    static char failed;

    for (unsigned i = 0; i < TIMES; i++)
        if (!use(key, i % 2 ? NID_sha256 : NID_sha1) || !decrypts(key))
            return &failed;
    return NULL;
}

static void threads_share_a_key(void **state)
{
    EVP_PKEY *key = new_key();
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, key), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_use_of_a_key_works),
        cmocka_unit_test(a_context_outlives_its_key),
        cmocka_unit_test(a_copy_of_a_key_keeps_its_own),
        cmocka_unit_test(a_key_of_another_kind_has_none),
        cmocka_unit_test(threads_share_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
