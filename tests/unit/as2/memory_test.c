/* The n-th allocation of ours fails, for all n: making, reading and verifying MDNs and all that is
 * read into an arena say so, lose nothing and never crash. */
#include "../cms/support.h"
#include "mdn_support.h"

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

static bool verify_once(struct arena *a, struct err *err);

/* Runs `run` until nothing fails any more; how often it did. A signature that cannot be checked for
 * want of memory may be said to be wrong, never to be right. */
static long every_allocation_fails(bool (*run)(struct arena *a, struct err *err))
{
    bool ok = false;
    long k;

    for (k = 0; !ok; k++) {
        struct arena a = { 0 };
        struct err err = { 0 };

        assert_true(k < 1000);
        countdown = k;
        ok = run(&a, &err);
        countdown = -1;
        CHECK_EQ(err.kind, ok                                             ? FAIL_NONE
                           : run == verify_once && err.kind == FAIL_TRUST ? FAIL_TRUST
                                                                          : FAIL_LOCAL);
        CHECK_EQ(ERR_peek_error(), 0);
        arena_free(&a);
    }
    return k - 1;
}

static bool make(struct arena *a, const char **type, struct span *body, struct err *err)
{
    struct cms_sign_options how = sign_options(NULL, EVP_sha256());
    struct as2_mdn m = mdn_13_3();

    m.fault = AS2_DECRYPTION;
    m.failure = "the reason";
    return as2_mdn_make(&m, &key, &how, false, a, type, body, err);
}

static bool make_once(struct arena *a, struct err *err)
{
    const char *type;
    struct span body;

    return make(a, &type, &body, err);
}

static struct as2_mdn_in in;
static struct mime_field field = { "Content-Type", NULL };
static struct span mdn;

static bool read_once(struct arena *a, struct err *err)
{
    struct mime_head http = head_of(&field, 1);

    return as2_mdn_read(&http, mdn, a, &in, err);
}

static bool verify_once(struct arena *a, struct err *err)
{
    struct cms_layer layer;

    (void)a;
    return as2_mdn_verify(&in, &key.cert, 1, NULL, &layer, err);
}

static void an_mdn_is_made_read_and_verified(void **state)
{
    struct arena made = { 0 }, parts = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_in_range(every_allocation_fails(make_once), 3, 100);
    assert_true(make(&made, &field.value, &mdn, &err));
    assert_in_range(every_allocation_fails(read_once), 3, 100);
    assert_true(read_once(&parts, &err));
    assert_in_range(every_allocation_fails(verify_once), 1, 100);
    arena_free(&parts);
    arena_free(&made);
}

/* Whether it is an MDN is never claimed wrongly. */
static void an_mdn_is_told_or_not(void **state)
{
    struct arena made = { 0 };
    struct err err = { 0 };
    bool is = false, more;

    (void)state;
    assert_true(make(&made, &field.value, &mdn, &err));
    for (long k = 0; !is; k++) {
        assert_true(k < 100);
        countdown = k;
        is = as2_is_mdn(field.value, mdn, &more);
        countdown = -1;
        assert_false(more);
    }
    arena_free(&made);
}

/* What has no error to return leaves the arena failed. */
static bool read_request(struct arena *a, struct err *err)
{
    struct as2_headers h = { .arena = a };
    struct as2_envelope e = { .version = "1.2",
                              .from = "A B",
                              .to = "C",
                              .message_id = "<a@b>",
                              .subject = "f\xC3\xBCr",
                              .user_agent = "x" };
    struct as2_request r;
    const char *detail;
    struct as2_mic mic = { NID_sha1, 20, { 0 } };

    as2_request_read("x",
                     "signed-receipt-protocol=optional, pkcs7-signature; "
                     "signed-receipt-micalg=optional, sha1; x-y=required, z",
                     "http://x", a, &r);
    (void)as2_disposition_read("a/b; processed/error: x", a, &detail);
    (void)as2_mic_write(&mic, NULL, a);
    (void)as2_message_id_make(a, 1, "r", "d");
    (void)as2_name_echo("a b", a);
    as2_envelope_write(&h, &e);
    for (int i = 0; i < 100 && !h.failed; i++)
        as2_header(&h, "X-More", "and more, and more, and more");
    assert_true(!h.failed || a->failed);
    return !a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

static void what_cannot_say_so_leaves_the_arena_failed(void **state)
{
    (void)state;
    assert_in_range(every_allocation_fails(read_request), 2, 100);
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
        cmocka_unit_test(an_mdn_is_made_read_and_verified),
        cmocka_unit_test(an_mdn_is_told_or_not),
        cmocka_unit_test(what_cannot_say_so_leaves_the_arena_failed),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
