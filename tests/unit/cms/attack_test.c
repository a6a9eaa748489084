/* What a hostile partner may send: damage, strangers' signatures, foreign keys. All of it is
 * refused. */
#include "support.h"

#include "cms/algorithms.h"

#include <openssl/err.h>

static struct cms_signer us, partner, stranger;

static int make_keys(void **state)
{
    (void)state;
    us = make_signer("us", "P-256");
    partner = make_signer("partner", "P-256");
    stranger = make_signer("stranger", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&us);
    free_signer(&partner);
    free_signer(&stranger);
    return 0;
}

static struct cms_open_options open_options(void)
{
    return (struct cms_open_options) {
        .keys = &us, .keys_n = 1, .signers = &partner.cert, .signers_n = 1
    };
}

enum { SIGN = 1, COMPRESS = 2, ENCRYPT = 4, GCM = 8 };

static struct bytes seal(unsigned set, const struct cms_signer *signer, X509 *recipient,
                         struct span content)
{
    struct cms_sign_options so = sign_options(signer, EVP_sha256());
    struct cms_encrypt_options eo = { .recipients = &recipient,
                                      .recipients_n = 1,
                                      .cipher =
                                          set & GCM ? EVP_aes_256_gcm() : EVP_aes_256_cbc(),
                                      .digest = EVP_sha256() };
    struct stage *stages[3];
    struct err err = { 0 };
    size_t n = 0;

    if (set & SIGN)
        stages[n++] = cms_sign_new(&so, &err);
    if (set & COMPRESS)
        stages[n++] = cms_compress_new(&err);
    if (set & (ENCRYPT | GCM))
        stages[n++] = cms_encrypt_new(&eo, &err);
    return seal_with(pipe_new(stages, n, 0), content);
}

static const unsigned sets[] = { SIGN,      COMPRESS, ENCRYPT, GCM, SIGN | COMPRESS | ENCRYPT,
                                 SIGN | GCM };

/* No beginning of an object is an object. */
static void every_truncation_is_refused(void **state)
{
    struct bytes text = make_text(60);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        struct bytes sealed = seal(sets[i], &partner, us.cert, bytes_span(&text));
        struct cms_open_options o = open_options();

        for (size_t n = 0; n < sealed.n; n++) {
            struct bytes got = { 0 };
            struct err err = { 0 };
            bool trusted;

            if (try_open(&o, span_of(sealed.p, n), &got, &trusted, &err))
                fail_msg("%zu of %zu octets of set %u", n, sealed.n, sets[i]);
            CHECK_EQ(err.kind, FAIL_TRUST);
            assert_in_range(err.wire, CMS_SIGNATURE, CMS_POLICY);
            bytes_free(&got);
        }
        bytes_put(&sealed, "", 1);
        expect_refusal(&o, bytes_span(&sealed), CMS_FORMAT);
        bytes_free(&sealed);
    }
    bytes_free(&text);
}

/* A flipped bit is refused, or it changed nothing that matters. */
static void every_flipped_bit_is_found(void **state)
{
    struct bytes text = make_text(60);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        struct bytes sealed = seal(sets[i], &partner, us.cert, bytes_span(&text));
        struct cms_open_options o = open_options();
        size_t accepted = 0;

        for (size_t bit = 0; bit < sealed.n * 8; bit++) {
            struct bytes got = { 0 };
            struct err err = { 0 };
            bool trusted;

            sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (try_open(&o, bytes_span(&sealed), &got, &trusted, &err)) {
                bool same = span_equal(bytes_span(&got), bytes_span(&text));

                accepted++;
                if (!same && (trusted || sets[i] & GCM))
                    fail_msg("bit %zu of set %u", bit, sets[i]);
            } else {
                CHECK_EQ(err.kind, FAIL_TRUST);
            }
            bytes_free(&got);
            sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        /* versions, parameters that are NULL, types nobody looks at */
        if (sets[i] != ENCRYPT)
            assert_true(accepted < sealed.n * 8 / 10);
        bytes_free(&sealed);
    }
    bytes_free(&text);
}

static void foreign_signatures_and_keys_are_refused(void **state)
{
    struct bytes text = make_text(100), sealed;
    struct cms_open_options o = open_options();
    struct cms_signer impostor = { us.cert, stranger.key };

    (void)state;
    sealed = seal(SIGN, &stranger, NULL, bytes_span(&text));
    expect_refusal(&o, bytes_span(&sealed), CMS_SIGNATURE);
    bytes_free(&sealed);
    sealed = seal(SIGN | ENCRYPT, &partner, stranger.cert, bytes_span(&text));
    expect_refusal(&o, bytes_span(&sealed), CMS_DECRYPTION);
    bytes_free(&sealed);
    /* our certificate named, but the key is another: as damaged padding, as a wrong tag */
    o.keys = &impostor;
    sealed = seal(SIGN | GCM, &partner, us.cert, bytes_span(&text));
    expect_refusal(&o, bytes_span(&sealed), CMS_DECRYPTION);
    bytes_free(&sealed);
    bytes_free(&text);
}

/* An RSA key that is not the right one, damaged padding and a damaged key look the same. */
static void decryption_failures_look_the_same(void **state)
{
    struct cms_signer one = make_signer("one", "RSA"), other = make_signer("other", "RSA");
    struct cms_signer impostor = { one.cert, other.key };
    struct bytes text = make_text(100);
    struct bytes sealed = seal(ENCRYPT, NULL, one.cert, bytes_span(&text));
    struct cms_open_options o = { .keys = &impostor, .keys_n = 1 };
    struct err wrong_key = { 0 }, wrong_padding = { 0 };
    unsigned failed = 0;

    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        struct bytes got = { 0 };
        bool trusted;

        /* one time in 256 a random key gives right padding, and garbage */
        failed += !try_open(&o, bytes_span(&sealed), &got, &trusted, &wrong_key);
        assert_false(span_equal(bytes_span(&got), bytes_span(&text)));
        bytes_free(&got);
    }
    assert_true(failed > 4);
    CHECK_EQ(wrong_key.wire, CMS_DECRYPTION);
    o.keys = &one;
    for (unsigned bit = 0; bit < 8 && wrong_padding.kind == FAIL_NONE; bit++) {
        struct bytes got = { 0 };
        bool trusted;

        sealed.p[sealed.n - 12 - 1] ^= (uint8_t)(1 << bit); /* before the end-of-contents */
        (void)try_open(&o, bytes_span(&sealed), &got, &trusted, &wrong_padding);
        bytes_free(&got);
    }
    CHECK_EQ(wrong_padding.wire, CMS_DECRYPTION);
    assert_string_equal(wrong_key.text, wrong_padding.text);
    bytes_free(&sealed);
    bytes_free(&text);
    free_signer(&one);
    free_signer(&other);
}

static bool not_sha256(int nid)
{
    return nid != NID_sha256;
}

static bool no_cbc(int nid)
{
    return nid != NID_aes_256_cbc;
}

static void algorithms_not_agreed_are_refused(void **state)
{
    struct bytes text = make_text(100);
    struct bytes sealed = seal(SIGN | ENCRYPT, &partner, us.cert, bytes_span(&text));
    struct cms_open_options o = open_options();

    (void)state;
    o.digest_allowed = not_sha256;
    expect_refusal(&o, bytes_span(&sealed), CMS_POLICY);
    o = open_options();
    o.cipher_allowed = no_cbc;
    expect_refusal(&o, bytes_span(&sealed), CMS_POLICY);
    bytes_free(&sealed);
    bytes_free(&text);
}

/* ---- what may be told of failures behind encryption ---------------------------------------- */

static const enum cms_kind want[] = { CMS_ENVELOPED, CMS_SIGNED };

/* Opens what must fail; what may be told of it. */
static enum cms_doubt doubt_of(const struct cms_open_options *o, struct span object,
                               size_t chunk, struct err *err)
{
    struct stage *st = cms_open_new(o, err);
    struct span in = span_of(object.p, 0);
    uint8_t out[4096];
    enum cms_doubt doubt;
    enum flow f;

    assert_non_null(st);
    do {
        struct room room = { out, sizeof(out) };

        if (in.n == 0) {
            in = span_of(object.p, object.n < chunk ? object.n : chunk);
            span_skip(&object, in.n);
        }
        f = stage_step(st, &in, object.n == 0, &room, err);
    } while (f == FLOW_IN || f == FLOW_OUT);
    CHECK_EQ(f, FLOW_FAIL);
    CHECK_EQ(ERR_peek_error(), 0);
    doubt = cms_open_doubt(st);
    stage_free(st);
    return doubt;
}

static void check_doubt(const struct cms_open_options *o, struct bytes *object,
                        enum cms_fault fault, enum cms_doubt doubt)
{
    static const size_t chunks[] = { 100, 4096, 1000000 };

    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct err err = { 0 };

        CHECK_EQ(doubt_of(o, bytes_span(object), chunks[i], &err), doubt);
        CHECK_EQ(err.wire, fault);
    }
    bytes_free(object);
}

static struct cms_open_options wanted(void)
{
    struct cms_open_options o = open_options();

    o.want = want;
    o.want_n = COUNT_OF(want);
    return o;
}

static void what_proves_whole_may_be_told(void **state)
{
    static const enum cms_kind three[] = { CMS_ENVELOPED, CMS_COMPRESSED, CMS_SIGNED };
    struct bytes text = make_text(300), sealed;
    struct cms_open_options o = wanted();

    (void)state;
    /* a stranger's signature: without his certificate, behind GCM, behind a checksum, alone */
    sealed = seal(SIGN | ENCRYPT, &stranger, us.cert, bytes_span(&text));
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_LIKELY);
    sealed = seal(SIGN | GCM, &stranger, us.cert, bytes_span(&text));
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_CERTAIN);
    o.want = three;
    o.want_n = COUNT_OF(three);
    sealed = seal(SIGN | COMPRESS | ENCRYPT, &stranger, us.cert, bytes_span(&text));
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_CERTAIN);
    o.want = &want[1];
    o.want_n = 1;
    sealed = seal(SIGN, &stranger, NULL, bytes_span(&text));
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_CERTAIN);
    bytes_free(&text);
}

static void what_was_not_announced_is_refused_as_what_was(void **state)
{
    struct bytes text = make_text(300), sealed;
    struct cms_open_options o = wanted();

    (void)state;
    sealed = seal(ENCRYPT, NULL, us.cert, bytes_span(&text)); /* nobody signed */
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_LIKELY);
    sealed = seal(COMPRESS | ENCRYPT, NULL, us.cert, bytes_span(&text));
    check_doubt(&o, &sealed, CMS_SIGNATURE, CMS_LIKELY);
    sealed = seal(SIGN, &partner, NULL, bytes_span(&text)); /* nor encrypted */
    check_doubt(&o, &sealed, CMS_DECRYPTION, CMS_CERTAIN);
    sealed = make_text(300);
    check_doubt(&o, &sealed, CMS_DECRYPTION, CMS_CERTAIN);
    /* but the content may be what it likes */
    o.want_n = 1;
    sealed = seal(SIGN | ENCRYPT, &stranger, us.cert, bytes_span(&text));
    {
        struct bytes got = { 0 };
        struct err err = { 0 };

        assert_true(run_stage(cms_open_new(&o, &err), bytes_span(&sealed), 99, 50, &got, &err));
        assert_true(got.n > text.n);
        bytes_free(&got);
    }
    bytes_free(&sealed);
    bytes_free(&text);
}

/* Whatever bit is changed in what was encrypted, neither kind nor text of the failure may tell: none
 * is certain, but for the few that only make the signer unknown. */
static void tampering_is_never_certain(void **state)
{
    struct bytes text = make_text(60);
    struct bytes sealed = seal(SIGN | ENCRYPT, &partner, us.cert, bytes_span(&text));
    struct cms_open_options o = wanted();
    size_t likely = 0, from = sealed.n / 2;

    (void)state;
    for (size_t bit = from * 8; bit < (sealed.n - 14) * 8; bit++) {
        struct err err = { 0 };

        sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        switch (doubt_of(&o, bytes_span(&sealed), 100000, &err)) {
        case CMS_CERTAIN:
            if (err.wire != CMS_FORMAT) /* the form around is no secret */
                fail_msg("bit %zu: %s", bit, err.text);
            break;
        case CMS_LIKELY:
            likely++;
            break;
        case CMS_DOUBTFUL:
            break;
        }
        sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(likely < (sealed.n - from) * 8 / 4);
    bytes_free(&sealed);
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(foreign_signatures_and_keys_are_refused),
        cmocka_unit_test(decryption_failures_look_the_same),
        cmocka_unit_test(algorithms_not_agreed_are_refused),
        cmocka_unit_test(what_proves_whole_may_be_told),
        cmocka_unit_test(what_was_not_announced_is_refused_as_what_was),
        cmocka_unit_test(tampering_is_never_certain),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
