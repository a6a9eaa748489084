/* The n-th allocation of ours fails, for all n: sealing and opening say so, lose nothing and never
 * crash. */
#include "support.h"

#include <stdlib.h>

#include <openssl/err.h>

static long countdown = -1; /* allocations until the one that fails; negative: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static struct cms_signer key;

/* One pass through st with everything on the stack; frees st. */
static bool pass(struct stage *st, struct span in, uint8_t *out, size_t cap, size_t *n,
                 struct err *err)
{
    struct room room = { out, cap };
    enum flow f;

    if (st == NULL)
        return false;
    f = stage_step(st, &in, true, &room, err);
    stage_free(st);
    *n = cap - room.n;
    assert_true(f == FLOW_END || f == FLOW_FAIL);
    return f == FLOW_END;
}

static bool seal_all(struct span in, uint8_t *out, size_t cap, size_t *n, struct err *err)
{
    struct cms_sign_options so = sign_options(&key, EVP_sha256());
    struct cms_encrypt_options eo = { .recipients = &key.cert,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_gcm(),
                                      .digest = EVP_sha256() };
    static uint8_t a[20000], b[20000];
    size_t a_n, b_n;

    so.include_certificates = true;
    return pass(cms_sign_new(&so, err), in, a, sizeof(a), &a_n, err) &&
           pass(cms_compress_new(err), span_of(a, a_n), b, sizeof(b), &b_n, err) &&
           pass(cms_encrypt_new(&eo, err), span_of(b, b_n), out, cap, n, err);
}

static void sealing_and_opening(void **state)
{
    static const struct span text = { (const uint8_t *)"UNB+UNOA:1+A+B'", 15 };
    static uint8_t sealed[20000], opened[100];
    struct cms_open_options oo = {
        .keys = &key, .keys_n = 1, .signers = &key.cert, .signers_n = 1
    };
    struct err err = { 0 };
    size_t n, opened_n;
    bool ok = false;

    (void)state;
    for (long k = 0; !ok; k++) {
        assert_true(k < 1000);
        err = (struct err) { 0 };
        countdown = k;
        ok = seal_all(text, sealed, sizeof(sealed), &n, &err);
        countdown = -1;
        CHECK_EQ(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
        CHECK_EQ(ERR_peek_error(), 0);
    }
    ok = false;
    for (long k = 0; !ok; k++) {
        assert_true(k < 1000);
        err = (struct err) { 0 };
        countdown = k;
        ok = pass(cms_open_new(&oo, &err), span_of(sealed, n), opened, sizeof(opened),
                  &opened_n, &err);
        countdown = -1;
        CHECK_EQ(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
        CHECK_EQ(ERR_peek_error(), 0);
    }
    assert_true(span_equal(span_of(opened, opened_n), text));
}

static void small_objects(void **state)
{
    struct cms_sign_options so = sign_options(&key, EVP_sha256());
    struct cms_open_options oo = { .signers = &key.cert, .signers_n = 1 };
    struct err err = { 0 };
    bool ok = false;

    (void)state;
    for (long k = 0; !ok; k++) {
        uint8_t *p = NULL, *back = NULL;
        size_t n, back_n;

        assert_true(k < 1000);
        err = (struct err) { 0 };
        countdown = k;
        ok = cms_sign_octets(&so, span_text("x"), &p, &n, &err) &&
             cms_open_octets(&oo, span_of(p, n), 10, &back, &back_n, NULL, NULL, &err);
        countdown = -1;
        CHECK_EQ(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
        free(p);
        free(back);
    }
}

/* A signature beside its content. */
static void detached_signatures(void **state)
{
    static const struct span text = { (const uint8_t *)"UNB+UNOA:1+A+B'", 15 };
    static uint8_t signature[2000], copy[100];
    struct cms_sign_options so = sign_options(&key, EVP_sha256());
    struct cms_open_options oo = { .signers = &key.cert, .signers_n = 1 };
    struct err err = { 0 };
    size_t n, copy_n;
    bool ok = false;

    (void)state;
    so.detached = true;
    assert_true(pass(cms_sign_new(&so, &err), text, signature, sizeof(signature), &n, &err));
    for (long k = 0; !ok; k++) {
        assert_true(k < 1000);
        err = (struct err) { 0 };
        countdown = k;
        ok = pass(cms_verify_detached_new(&oo, span_of(signature, n), &err), text, copy,
                  sizeof(copy), &copy_n, &err);
        countdown = -1;
        CHECK_EQ(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
        CHECK_EQ(ERR_peek_error(), 0);
    }
    assert_true(span_equal(span_of(copy, copy_n), text));
}

static int make_keys(void **state)
{
    (void)state;
    key = make_signer("us", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_and_opening),
        cmocka_unit_test(small_objects),
        cmocka_unit_test(detached_signatures),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
