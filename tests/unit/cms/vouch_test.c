/* Certificates that come with a signature: they count only when somebody outside the message
 * vouches for them. */
#include "support.h"

#include <openssl/err.h>

static struct cms_signer partner, stranger;

static int make_keys(void **state)
{
    (void)state;
    partner = make_signer("partner", "RSA");
    stranger = make_signer("stranger", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&partner);
    free_signer(&stranger);
    return 0;
}

struct asked {
    const X509 *good; /* vouched for; NULL: everybody */
    unsigned times;
    int inside;
};

/* clang-format off */
static bool vouch(const void *context, X509 *signer, STACK_OF(X509) *inside)
/* clang-format on */
{
    struct asked *a = (struct asked *)(uintptr_t)context;

    a->times++;
    a->inside = sk_X509_num(inside);
    return a->good == NULL || X509_cmp(signer, a->good) == 0;
}

static struct bytes sealed(const struct cms_signer *s, size_t n, bool certificates,
                           bool attributes, bool detached)
{
    struct cms_sign_options o = sign_options(s, EVP_sha256());
    struct bytes text = make_text(1000), object;
    struct err err = { 0 };

    o.signers_n = n;
    o.include_certificates = certificates;
    o.signed_attributes = attributes;
    o.detached = detached;
    object = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
    bytes_free(&text);
    return object;
}

/* Both ways of verifying, with one object attached and one detached. */
static bool attached(const struct cms_open_options *o, const struct bytes *object,
                     struct cms_layer *layer, struct err *err)
{
    struct cms_layer layers[CMS_LAYERS_MAX];
    size_t n = 0, layers_n = 0;
    uint8_t *p = NULL;
    bool ok = cms_open_octets(o, bytes_span(object), 1 << 20, &p, &n, layers, &layers_n, err);

    if (ok)
        *layer = layers[0];
    free(p);
    return ok;
}

static bool detached(const struct cms_open_options *o, const struct bytes *object,
                     struct cms_layer *layer, struct err *err)
{
    struct bytes text = make_text(1000);
    struct cms_digest d = { .nid = NID_sha256, .n = 32 };
    size_t used = 0;
    bool ok;

    assert_true(EVP_Digest(text.p, text.n, d.value, NULL, EVP_sha256(), NULL));
    ok = cms_verify_digests(o, bytes_span(object), &d, 1, layer, &used, err);
    bytes_free(&text);
    return ok;
}

typedef bool way(const struct cms_open_options *o, const struct bytes *object,
                 struct cms_layer *layer, struct err *err);
static const struct {
    way *run;
    bool detached;
} ways[] = { { attached, false }, { detached, true } };

static void a_signer_who_is_vouched_for_is_trusted(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT_OF(ways); w++)
        for (unsigned attributes = 0; attributes < 2; attributes++) {
            struct bytes object = sealed(&partner, 1, true, attributes, ways[w].detached);
            struct asked a = { .good = partner.cert };
            struct cms_open_options o = { .vouch = vouch, .vouch_context = &a };
            struct cms_layer layer = { 0 };
            struct err err = { 0 };

            if (!ways[w].run(&o, &object, &layer, &err))
                fail_msg("way %zu: %s", w, err.text);
            assert_true(layer.trusted);
            assert_null(layer.signer);
            CHECK_EQ(a.times, 1);
            CHECK_EQ(a.inside, 1);
            CHECK_EQ(layer.digest_n, 32);
            bytes_free(&object);
        }
}

static void a_signer_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct bytes object = sealed(&stranger, 1, true, true, ways[w].detached);
        struct asked a = { .good = partner.cert };
        struct cms_open_options o = { .vouch = vouch, .vouch_context = &a };
        struct cms_layer layer = { 0 };
        struct err err = { 0 };

        assert_false(ways[w].run(&o, &object, &layer, &err));
        CHECK_EQ(err.kind, FAIL_TRUST);
        CHECK_EQ(err.wire, CMS_SIGNATURE);
        assert_false(layer.trusted);
        CHECK_EQ(a.times, 1);
        bytes_free(&object);
    }
}

static void without_a_certificate_inside_nobody_is_asked(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct bytes object = sealed(&partner, 1, false, true, ways[w].detached);
        struct asked a = { 0 };
        struct cms_open_options o = { .vouch = vouch, .vouch_context = &a };
        struct cms_layer layer = { 0 };
        struct err err = { 0 };

        assert_false(ways[w].run(&o, &object, &layer, &err));
        CHECK_EQ(a.times, 0);
        bytes_free(&object);
    }
}

static void a_signer_of_the_list_needs_nobody(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct bytes object = sealed(&partner, 1, true, true, ways[w].detached);
        struct asked a = { .good = stranger.cert };
        struct cms_open_options o = {
            .signers = &partner.cert, .signers_n = 1, .vouch = vouch, .vouch_context = &a
        };
        struct cms_layer layer = { 0 };
        struct err err = { 0 };

        assert_true(ways[w].run(&o, &object, &layer, &err));
        assert_ptr_equal(layer.signer, partner.cert);
        CHECK_EQ(a.times, 0);
        bytes_free(&object);
    }
}

/* A flipped bit anywhere is a wrong signature, whoever vouches for the certificate. */
static void vouching_does_not_verify(void **state)
{
    struct bytes object = sealed(&partner, 1, true, true, false);
    struct asked a = { 0 };
    struct cms_open_options o = { .vouch = vouch, .vouch_context = &a };
    struct cms_layer layer;
    unsigned opened = 0;

    (void)state;
    for (size_t i = 0; i < object.n; i += 3) {
        struct err err = { 0 };

        object.p[i] ^= 0x10;
        layer = (struct cms_layer) { 0 };
        opened += attached(&o, &object, &layer, &err) && layer.trusted;
        object.p[i] ^= 0x10;
    }
    /* what is not signed: parts of the certificate that here nobody looks at */
    assert_true(opened < object.n / 6);
    CHECK_EQ(ERR_peek_error(), 0);
    bytes_free(&object);
}

/* Chains are dear to build: a message may not ask for any number of them. */
static void so_many_questions_and_no_more(void **state)
{
    struct cms_signer many[CMS_VOUCH_MAX + 4];
    struct asked a = { .good = stranger.cert };
    struct cms_open_options o = { .vouch = vouch, .vouch_context = &a };
    struct cms_layer layer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = make_signer("one of many", "P-256");
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        struct bytes object = sealed(many, COUNT_OF(many), true, true, ways[w].detached);
        struct err err = { 0 };

        a.times = 0;
        assert_false(ways[w].run(&o, &object, &layer, &err));
        CHECK_EQ(a.times, CMS_VOUCH_MAX);
        bytes_free(&object);
    }
    for (size_t i = 0; i < COUNT_OF(many); i++)
        free_signer(&many[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signer_who_is_vouched_for_is_trusted),
        cmocka_unit_test(a_signer_nobody_vouches_for_is_refused),
        cmocka_unit_test(without_a_certificate_inside_nobody_is_asked),
        cmocka_unit_test(a_signer_of_the_list_needs_nobody),
        cmocka_unit_test(vouching_does_not_verify),
        cmocka_unit_test(so_many_questions_and_no_more),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
