/* Signed MDNs from making to verifying: as2.md 2.4, 4.5, 6.5. */
#include "../cms/support.h"
#include "mdn_support.h"

static struct cms_signer partner, renewed, stranger;

static int make_keys(void **state)
{
    (void)state;
    partner = make_signer("RECVCO", "RSA");
    renewed = make_signer("RECVCO", "P-256");
    stranger = make_signer("RECVCO", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&partner);
    free_signer(&renewed);
    free_signer(&stranger);
    return 0;
}

static struct as2_mdn_in sign_and_read(const struct cms_signer *by, struct cms_sign_options how,
                                       struct arena *a)
{
    struct as2_mdn m = mdn_13_3();
    struct mime_field field = { "Content-Type", NULL };
    struct mime_head http = head_of(&field, 1);
    struct err err = { 0 };
    struct as2_mdn_in in;
    struct span body;

    if (!as2_mdn_make(&m, by, &how, false, a, &field.value, &body, &err) ||
        !as2_mdn_read(&http, body, a, &in, &err))
        fail_msg("%s", err.text);
    assert_true(in.is_signed);
    assert_true(span_is(in.signed_octets, REPORT_13_3));
    return in;
}

/* What it fails with, AS2_FINE: nothing. */
static int verify(const struct as2_mdn_in *m, X509 *const *signers, size_t n,
                  bool (*allowed)(int nid), struct cms_layer *layer)
{
    struct err err = { 0 };

    if (as2_mdn_verify(m, signers, n, allowed, layer, &err))
        return AS2_FINE;
    CHECK_EQ(err.kind, FAIL_TRUST);
    assert_memory_equal(err.text, "mdn: ", 5);
    return err.wire;
}

/* One of the partner's certificates, whichever it is. */
static void the_signer_is_one_of_the_partners_certificates(void **state)
{
    static const int digests[] = { NID_sha1, NID_sha256, NID_sha384, NID_sha512 };
    X509 *both[] = { renewed.cert, partner.cert };
    struct arena a = { 0 };
    struct cms_layer layer = { 0 };

    (void)state;
    for (size_t i = 0; i < 4 * COUNT_OF(digests); i++) {
        const struct cms_signer *by = i & 1 ? &partner : &renewed;
        struct cms_sign_options how = sign_options(NULL, EVP_get_digestbynid(digests[i / 4]));
        struct as2_mdn_in m;

        how.signed_attributes = i & 2;
        how.include_certificates = true;
        m = sign_and_read(by, how, &a);
        CHECK_EQ(verify(&m, both, 2, NULL, &layer), AS2_FINE);
        assert_ptr_equal(layer.signer, by->cert);
        assert_true(layer.trusted);
        /* its certificate is inside, and that proves nothing */
        CHECK_EQ(verify(&m, &stranger.cert, 1, NULL, &layer), AS2_AUTHENTICATION);
        CHECK_EQ(verify(&m, i & 1 ? &renewed.cert : &partner.cert, 1, NULL, &layer),
                 AS2_AUTHENTICATION);
    }
    arena_free(&a);
}

static bool allow_sha512(int nid)
{
    return nid == NID_sha512;
}

static void what_is_wrong_with_the_signature_is_told(void **state)
{
    struct arena a = { 0 };
    struct cms_sign_options how = sign_options(NULL, EVP_sha256());
    struct as2_mdn_in m = sign_and_read(&partner, how, &a), other = m;
    struct cms_layer layer;

    (void)state;
    other.signed_octets = span_text(REPORT_13_3 "\r\n");
    CHECK_EQ(verify(&other, &partner.cert, 1, NULL, &layer), AS2_INTEGRITY);
    other.signed_octets = span_text("");
    CHECK_EQ(verify(&other, &partner.cert, 1, NULL, &layer), AS2_INTEGRITY);
    CHECK_EQ(verify(&m, &partner.cert, 1, allow_sha512, &layer), AS2_INSUFFICIENT);
    other = m;
    other.signature = span_text("");
    CHECK_EQ(verify(&other, &partner.cert, 1, NULL, &layer), AS2_INTEGRITY);
    other.is_signed = false;
    CHECK_EQ(verify(&other, &partner.cert, 1, NULL, &layer), AS2_INSUFFICIENT);
    arena_free(&a);
}

/* AS2-C127: up to 64 of CR, LF, NUL behind the object. */
static void a_little_behind_the_object_is_tolerated(void **state)
{
    static const char padding[] = { '\r', '\n', '\0' };
    struct arena a = { 0 };
    struct as2_mdn_in m = sign_and_read(&partner, sign_options(NULL, EVP_sha256()), &a);
    struct cms_layer layer;
    struct span object = m.signature;

    (void)state;
    for (size_t n = 0; n <= 70; n++) {
        uint8_t *longer = malloc(object.n + n + 1);

        assert_non_null(longer);
        memcpy(longer, object.p, object.n);
        for (size_t i = 0; i < n; i++)
            longer[object.n + i] = (uint8_t)padding[i % 3];
        m.signature = span_of(longer, object.n + n);
        CHECK_EQ(verify(&m, &partner.cert, 1, NULL, &layer),
                 n <= 64 ? AS2_FINE : AS2_INTEGRITY);
        longer[object.n + n] = ' ';
        m.signature.n++;
        CHECK_EQ(verify(&m, &partner.cert, 1, NULL, &layer), AS2_INTEGRITY);
        free(longer);
    }
    arena_free(&a);
}

/* No octet of the report and none that is signed may change; a part of the
 * signature is none. */
static void no_cut_and_no_flipped_bit_verifies(void **state)
{
    struct arena a = { 0 };
    struct as2_mdn_in m = sign_and_read(&renewed, sign_options(NULL, EVP_sha256()), &a);
    struct as2_mdn_in changed = m;
    struct cms_layer layer;

    (void)state;
    for (size_t bit = 0; bit < 8 * m.signed_octets.n; bit += 7) {
        char *copy = arena_copy(&a, m.signed_octets);

        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        changed.signed_octets = span_of(copy, m.signed_octets.n);
        CHECK_EQ(verify(&changed, &renewed.cert, 1, NULL, &layer), AS2_INTEGRITY);
    }
    changed = m;
    for (size_t n = 0; n < m.signature.n; n++) {
        uint8_t *copy = malloc(n + 1);

        assert_non_null(copy);
        memcpy(copy, m.signature.p, n);
        changed.signature = span_of(copy, n);
        assert_int_not_equal(verify(&changed, &renewed.cert, 1, NULL, &layer), AS2_FINE);
        free(copy);
    }
    /* some bits of the structure mean nothing to the signature; the report stays what it was */
    for (size_t bit = 0; bit < 8 * m.signature.n; bit++) {
        char *copy = arena_copy(&a, m.signature);

        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        changed.signature = span_of(copy, m.signature.n);
        (void)verify(&changed, &renewed.cert, 1, NULL, &layer);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signer_is_one_of_the_partners_certificates),
        cmocka_unit_test(what_is_wrong_with_the_signature_is_told),
        cmocka_unit_test(a_little_behind_the_object_is_tolerated),
        cmocka_unit_test(no_cut_and_no_flipped_bit_verifies),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
