/* Transfer encodings. */
#include "support.h"

#include <openssl/evp.h>
#include <time.h>

static const size_t sizes[] = { 1, 2, 3, 5, 7, 64, 100000 };

/* What a decoder makes of in, the same for every chunk and room; false: refused. */
static bool decode(enum mime_encoding e, struct span in, struct bytes *out, struct err *err)
{
    uint8_t *octets = NULL;
    size_t n = 0;
    bool ok = mime_decode_octets(e, in, &octets, &n, err);

    for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(sizes); i++) {
        struct bytes got = { 0 };
        struct stage *st = NULL;

        assert_true(mime_decoder_new(e, &st, err));
        CHECK_EQ(run_stage(st, in, sizes[i % COUNT_OF(sizes)], sizes[i / COUNT_OF(sizes)], &got,
                           err),
                 ok);
        if (ok) {
            CHECK_EQ(got.n, n);
            assert_memory_equal(got.p, octets, n);
        } else {
            CHECK_EQ(err->kind, FAIL_PEER);
        }
        bytes_free(&got);
    }
    bytes_put(out, octets, n);
    free(octets);
    return ok;
}

static void expect(enum mime_encoding e, const char *in, const char *want)
{
    struct bytes got = { 0 };
    struct err err;

    if (decode(e, span_text(in), &got, &err) != (want != NULL))
        fail_msg("%s: %s", in, want == NULL ? "taken" : err.text);
    if (want != NULL)
        CHECK_OCTETS(&got, want, strlen(want));
    bytes_free(&got);
}

static void base64_is_decoded_strictly(void **state)
{
    (void)state;
    /* RFC 4648 10 */
    expect(MIME_BASE64, "", "");
    expect(MIME_BASE64, "Zg==", "f");
    expect(MIME_BASE64, "Zm8=", "fo");
    expect(MIME_BASE64, "Zm9v", "foo");
    expect(MIME_BASE64, "Zm9vYg==", "foob");
    expect(MIME_BASE64, "Zm9vYmE=", "fooba");
    expect(MIME_BASE64, "Zm9vYmFy", "foobar");
    expect(MIME_BASE64, "\r\nZm9v\r\nYm\tFy \n\n", "foobar");
    expect(MIME_BASE64, "Z m 9 v\rY\ng = = \r\n", "foob");
    expect(MIME_BASE64, "   ", "");
    /* padding that is not right */
    expect(MIME_BASE64, "Zg", NULL);
    expect(MIME_BASE64, "Zg=", NULL);
    expect(MIME_BASE64, "Zm8", NULL);
    expect(MIME_BASE64, "Z", NULL);
    expect(MIME_BASE64, "Z===", NULL);
    expect(MIME_BASE64, "====", NULL);
    expect(MIME_BASE64, "=", NULL);
    expect(MIME_BASE64, "Zg=v", NULL);
    expect(MIME_BASE64, "Zg===", NULL);
    expect(MIME_BASE64, "Zg==Zm9v", NULL);
    expect(MIME_BASE64, "Zm8=\r\nZm9v", NULL);
    expect(MIME_BASE64, "Zm9v=", NULL);
    /* other characters */
    expect(MIME_BASE64, "Zm9-", NULL);
    expect(MIME_BASE64, "Zm9_", NULL);
    expect(MIME_BASE64, "Zm9v!", NULL);
    expect(MIME_BASE64, "Zm9v\xff", NULL);
    expect(MIME_BASE64, "-----BEGIN", NULL);
}

static void a_nul_in_base64_is_refused(void **state)
{
    struct bytes got = { 0 };
    struct err err;

    (void)state;
    assert_false(decode(MIME_BASE64, span_of("Zm9v\0", 5), &got, &err));
    assert_non_null(strstr(err.text, "0x00"));
    bytes_free(&got);
}

/* The oracle is libcrypto's one-shot encoder; lines of 76. */
static void base64_is_encoded_and_decoded_in_every_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < 400; n++) {
        uint8_t octets[400], flat[600];
        struct bytes want = { 0 }, back = { 0 };
        struct err err;
        int flat_n;

        for (size_t i = 0; i < n; i++)
            octets[i] = (uint8_t)(i * 37 + n);
        flat_n = EVP_EncodeBlock(flat, octets, (int)n);
        bytes_put(&want, "", 0);
        for (int i = 0; i < flat_n; i += 76) {
            bytes_put(&want, flat + i, flat_n - i < 76 ? (size_t)(flat_n - i) : 76);
            bytes_text(&want, "\r\n");
        }
        for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(sizes); i++) {
            struct bytes got = { 0 };

            assert_true(run_stage(mime_base64_encode_new(), span_of(octets, n),
                                  sizes[i % COUNT_OF(sizes)], sizes[i / COUNT_OF(sizes)], &got,
                                  &err));
            CHECK_OCTETS(&got, want.p, want.n);
            bytes_free(&got);
        }
        assert_true(decode(MIME_BASE64, bytes_span(&want), &back, &err));
        CHECK_OCTETS(&back, octets, n);
        bytes_free(&want);
        bytes_free(&back);
    }
}

static void quoted_printable_is_decoded(void **state)
{
    (void)state;
    expect(MIME_QUOTED, "", "");
    expect(MIME_QUOTED, "plain\r\ntext\n", "plain\r\ntext\n");
    expect(MIME_QUOTED, "a=3Db=0D=0a=c3=A4", "a=b\r\n\xc3\xa4");
    /* soft line ends, with blanks behind '=', at the end */
    expect(MIME_QUOTED, "a=\r\nb=\nc= \t\r\nd=", "abcd");
    expect(MIME_QUOTED, "a= ", "a");
    expect(MIME_QUOTED, "a=\r", "a");
    /* blanks before a line end */
    expect(MIME_QUOTED, "a \t\r\nb  \n c \t", "a\r\nb\n c");
    expect(MIME_QUOTED, "a =\r\n b", "a  b");
    expect(MIME_QUOTED, "a =20\r\n", "a  \r\n");
    expect(MIME_QUOTED, "a \r b", "a \r b");
    expect(MIME_QUOTED, "a \r\r\n", "a \r\r\n");
    expect(MIME_QUOTED, "a\r", "a\r");
    expect(MIME_QUOTED, "\x01\xff ~", "\x01\xff ~");
    /* '=' that says nothing */
    expect(MIME_QUOTED, "a=zz", NULL);
    expect(MIME_QUOTED, "a=4z", NULL);
    expect(MIME_QUOTED, "a=4", NULL);
    expect(MIME_QUOTED, "a= b", NULL);
    expect(MIME_QUOTED, "a=\rb", NULL);
    expect(MIME_QUOTED, "==", NULL);
}

static void as2_c127_blanks_in_a_row_up_to_the_limit(void **state)
{
    struct bytes in = { 0 }, got = { 0 };
    struct err err;

    (void)state;
    for (unsigned i = 0; i < 998; i++)
        bytes_text(&in, i % 2 == 0 ? " " : "\t");
    bytes_text(&in, "x");
    assert_true(decode(MIME_QUOTED, bytes_span(&in), &got, &err));
    CHECK_OCTETS(&got, in.p, in.n);
    in.p[998] = ' ';
    bytes_text(&in, "x");
    assert_false(decode(MIME_QUOTED, bytes_span(&in), &got, &err));
    bytes_free(&in);
    bytes_free(&got);
}

static void other_encodings_copy_or_are_refused(void **state)
{
    struct stage other = { NULL }, *st = &other;
    uint8_t *octets;
    struct err err;
    size_t n;

    (void)state;
    assert_true(mime_decode_octets(MIME_BINARY, span_of("a\0b", 3), &octets, &n, &err));
    CHECK_EQ(n, 3);
    assert_memory_equal(octets, "a\0b", 3);
    free(octets);
    assert_false(mime_decode_octets(MIME_UNKNOWN, span_text("a"), &octets, &n, &err));
    CHECK_EQ(err.kind, FAIL_PEER);
    assert_false(mime_decoder_new(MIME_UNKNOWN, &st, &err));
    assert_ptr_equal(st, &other);
    assert_true(mime_decoder_new(MIME_BINARY, &st, &err));
    assert_null(st);
}

static void damaged_encodings_decode_the_same_in_every_cut(void **state)
{
    static const char *const good[] = { "Zm9v\r\nYmFyYmF6Zg==\r\n", "a=3Db \t=\r\nc =20\r\nd" };

    (void)state;
    for (size_t g = 0; g < COUNT_OF(good); g++)
        for (size_t bit = 0; bit < 8 * strlen(good[g]); bit++) {
            struct bytes in = { 0 }, got = { 0 };
            struct err err;

            bytes_text(&in, good[g]);
            in.p[bit / 8] = (uint8_t)(in.p[bit / 8] ^ 1U << bit % 8);
            (void)decode(g == 0 ? MIME_BASE64 : MIME_QUOTED, bytes_span(&in), &got, &err);
            in.n = bit / 8;
            (void)decode(g == 0 ? MIME_BASE64 : MIME_QUOTED, bytes_span(&in), &got, &err);
            bytes_free(&in);
            bytes_free(&got);
        }
}

static double mb_per_s(struct stage *st, const char *pattern)
{
    static uint8_t in[78 * 800], out[128 * 1024];
    const size_t rounds = 2000;
    struct timespec a, b;
    struct err err;

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)pattern[i % strlen(pattern)];
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t n = 0; n < rounds; n++) {
        struct span s = span_of(in, sizeof(in));
        struct room r = { out, sizeof(out) };

        CHECK_EQ(stage_step(st, &s, false, &r, &err), FLOW_IN);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    stage_free(st);
    return (double)(rounds * sizeof(in)) / 1e6 /
           ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

/* Figures of input; no floor, as machines and sanitizers differ. */
static void speed(void **state)
{
    static const char line[] =
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2"
        "d3h5ejAxMjM0\r\n";

    (void)state;
    print_message("base64 decode: %.0f MB/s\n", mb_per_s(mime_base64_decode_new(), line));
    print_message("base64 encode: %.0f MB/s\n", mb_per_s(mime_base64_encode_new(), line));
    print_message("quoted-printable decode: %.0f MB/s\n",
                  mb_per_s(mime_quoted_decode_new(), "some words=20 and\r\nx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_decoded_strictly),
        cmocka_unit_test(a_nul_in_base64_is_refused),
        cmocka_unit_test(base64_is_encoded_and_decoded_in_every_cut),
        cmocka_unit_test(quoted_printable_is_decoded),
        cmocka_unit_test(as2_c127_blanks_in_a_row_up_to_the_limit),
        cmocka_unit_test(other_encodings_copy_or_are_refused),
        cmocka_unit_test(damaged_encodings_decode_the_same_in_every_cut),
        cmocka_unit_test(speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
