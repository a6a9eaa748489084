/* Several digests in one pass; memory that libcrypto cannot have. */
#include "as2/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

static long countdown =
    -1; /* libcrypto's allocations until the one that fails; negative: none */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
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

static bool run(struct digests *d, struct err *err)
{
    return digests_add(d, NID_sha256, err) && digests_add(d, NID_md5, err) &&
           digests_update(d, span_text("a"), err) && digests_update(d, span_text("bc"), err) &&
           digests_end(d, err);
}

static void what_is_computed_is_found(void **state)
{
    /* FIPS 180-2 B.1, RFC 1321 A.5 */
    static const uint8_t sha256[] = { 0xba, 0x78, 0x16, 0xbf },
                         md5[] = { 0x90, 0x01, 0x50, 0x98 };
    struct digests d = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(run(&d, &err));
    assert_int_equal(digests_find(&d, NID_sha256)->n, 32);
    assert_memory_equal(digests_find(&d, NID_sha256)->value, sha256, sizeof(sha256));
    assert_memory_equal(digests_mic(&d, NID_md5).value, md5, sizeof(md5));
    assert_null(digests_find(&d, NID_sha1));
    assert_int_equal(digests_mic(&d, NID_sha1).n, 0);
    digests_free(&d);
}

static void nothing_is_found_before_the_end(void **state)
{
    struct digests d = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(digests_add(&d, NID_sha256, &err));
    assert_true(digests_add(&d, NID_sha256, &err));
    assert_int_equal(d.n, 1);
    assert_true(digests_update(&d, span_text("abc"), &err));
    assert_null(digests_find(&d, NID_sha256));
    digests_free(&d);
}

static void unknown_and_too_many_are_refused(void **state)
{
    static const int nids[] = { NID_sha1,     NID_sha224,   NID_sha256,
                                NID_sha384,   NID_sha512,   NID_sha3_224,
                                NID_sha3_256, NID_sha3_384, NID_sha3_512 };
    struct digests d = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_false(digests_add(&d, NID_rsaEncryption, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_string_equal(err.text, "digest: unknown algorithm");
    for (size_t i = 0; i < COUNT_OF(nids); i++)
        assert_true(digests_add(&d, nids[i], &err));
    assert_int_equal(d.n, DIGESTS_MAX);
    assert_true(digests_add(&d, NID_sha256, &err)); /* is there */
    assert_false(digests_add(&d, NID_md5, &err));
    assert_string_equal(err.text, "digest: too many at a time");
    digests_free(&d);
}

/* Not even a wrong digest comes out, and no error stays in libcrypto's queue. */
static void libcrypto_has_no_memory(void **state)
{
    bool ok = false;
    long k;

    (void)state;
    for (k = 0; !ok; k++) {
        struct digests d = { 0 };
        struct err err = { 0 };

        assert_true(k < 1000);
        countdown = k;
        ok = run(&d, &err);
        countdown = -1;
        assert_int_equal(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
        assert_int_equal(ERR_peek_error(), 0);
        assert_true(ok || digests_find(&d, NID_sha256) == NULL);
        digests_free(&d);
    }
    assert_true(k > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_computed_is_found),
        cmocka_unit_test(nothing_is_found_before_the_end),
        cmocka_unit_test(unknown_and_too_many_are_refused),
        cmocka_unit_test(libcrypto_has_no_memory),
    };

    if (CRYPTO_set_mem_functions(take, take_again, give) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
