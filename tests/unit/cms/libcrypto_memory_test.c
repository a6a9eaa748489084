/* The n-th allocation of libcrypto fails, for all n: sealing and opening say so, or go without; they
 * never give out another content or believe a signature, and where libcrypto says that memory was
 * out it is not taken for the partner's fault. It does not always say so: of a key that could not be
 * used it hides why, and a method that could not be fetched it may not find again. */
#include "support.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

static long countdown = -1; /* allocations until the one that fails; negative: none */
static bool fired;

static bool fails(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    fired = true;
    return true;
}

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(n);
}

static void *take_again(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(p, n);
}

static void give(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static struct cms_signer key, stranger;
static const struct span text = { (const uint8_t *)"UNB+UNOA:1+A+B'", 15 };

static struct bytes sealed;

/* A whole pass; out is made anew. */
static bool pass(struct stage *st, struct span in, struct bytes *out, struct err *err)
{
    bytes_free(out);
    *out = (struct bytes) { 0 };
    return st != NULL && run_stage(st, in, 4096, 4096, out, err);
}

static bool seal_once(struct err *err)
{
    struct cms_sign_options so = sign_options(&key, EVP_sha256());
    struct cms_encrypt_options eo = { .recipients = &key.cert,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_gcm(),
                                      .digest = EVP_sha256() };
    struct bytes a = { 0 }, b = { 0 };
    bool ok;

    so.include_certificates = true;
    ok = pass(cms_sign_new(&so, err), text, &a, err) &&
         pass(cms_compress_new(err), bytes_span(&a), &b, err) &&
         pass(cms_encrypt_new(&eo, err), bytes_span(&b), &sealed, err);
    bytes_free(&a);
    bytes_free(&b);
    return ok;
}

static bool open_by(X509 *const *signer, struct err *err)
{
    struct cms_open_options oo = {
        .keys = &key, .keys_n = 1, .signers = signer, .signers_n = 1
    };
    struct bytes opened = { 0 };
    bool ok = pass(cms_open_new(&oo, err), bytes_span(&sealed), &opened, err);

    if (ok && !span_equal(bytes_span(&opened), text))
        fail_msg("another content came out, %zu octets, 0x%02x", opened.n, opened.p[0]);
    bytes_free(&opened);
    return ok;
}

static bool open_once(struct err *err)
{
    return open_by(&key.cert, err);
}

static bool open_stranger(struct err *err)
{
    return open_by(&stranger.cert, err);
}

static bool small_once(struct err *err)
{
    struct cms_sign_options so = sign_options(&key, EVP_sha256());
    struct cms_open_options oo = { .signers = &key.cert, .signers_n = 1 };
    uint8_t *p = NULL, *back = NULL;
    size_t n, back_n;
    bool ok = cms_sign_octets(&so, span_text("x"), &p, &n, err) &&
              cms_open_octets(&oo, span_of(p, n), 10, &back, &back_n, NULL, NULL, err);

    free(p);
    free(back);
    return ok;
}

/* Runs it with each allocation failing in turn, until none is left; how often each kind came. */
static void every_allocation_fails(bool (*run)(struct err *err), bool works, unsigned kinds[8])
{
    long k = 0;

    do {
        struct err err = { 0 };
        bool ok;

        assert_true(k < 100000);
        fired = false;
        countdown = k++;
        ok = run(&err);
        countdown = -1;
        if (ok && !works)
            fail_msg("allocation %ld: a stranger's signature counted", k);
        if (ok != (err.kind == FAIL_NONE))
            fail_msg("allocation %ld: %s, kind %d", k, ok ? "done" : "failed", err.kind);
        ERR_clear_error();
        kinds[err.kind]++;
    } while (fired);
    print_message("%ld allocations: %u done, %u refused as ours, %u as the partner's\n", k - 1,
                  kinds[FAIL_NONE], kinds[FAIL_LOCAL], kinds[FAIL_TRUST]);
}

static void sealing_says_so(void **state)
{
    unsigned kinds[8] = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(seal_once(&err));
    every_allocation_fails(seal_once, true, kinds);
    assert_int_equal(kinds[FAIL_TRUST], 0);
    assert_true(kinds[FAIL_LOCAL] > 50);
}

static void opening_says_so(void **state)
{
    unsigned kinds[8] = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(seal_once(&err) && open_once(&err));
    every_allocation_fails(open_once, true, kinds);
    assert_true(kinds[FAIL_LOCAL] > 20);
}

static void a_signature_is_never_believed_for_want_of_memory(void **state)
{
    unsigned kinds[8] = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(seal_once(&err));
    every_allocation_fails(open_stranger, false, kinds);
    assert_int_equal(kinds[FAIL_NONE], 0);
}

static void small_objects_say_so(void **state)
{
    unsigned kinds[8] = { 0 };

    (void)state;
    every_allocation_fails(small_once, true, kinds);
    assert_true(kinds[FAIL_LOCAL] > 20);
}

static int make_keys(void **state)
{
    (void)state;
    key = make_signer("us", "RSA");
    stranger = make_signer("stranger", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&key);
    free_signer(&stranger);
    bytes_free(&sealed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_says_so),
        cmocka_unit_test(opening_says_so),
        cmocka_unit_test(a_signature_is_never_believed_for_want_of_memory),
        cmocka_unit_test(small_objects_say_so),
    };

    /* before anything else of libcrypto */
    if (CRYPTO_set_mem_functions(take, take_again, give) != 1)
        return 1;
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
