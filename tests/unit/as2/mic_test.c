/* MICs as text: as2.md 3.2, 3.4 and the table of 13.4. */
#include "test.h"

#define V256 "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8="

static const uint8_t value256[32] = {
    0x7f, 0x42, 0xa6, 0x5f, 0x3d, 0x11, 0x60, 0xa2, 0x45, 0x5c, 0xef,
    0xab, 0xe0, 0xfe, 0x65, 0xba, 0xd2, 0xf1, 0x45, 0x56, 0xdb, 0xca,
    0xa3, 0xaf, 0x05, 0xd5, 0xbe, 0xd5, 0x5d, 0x80, 0xdc, 0x9f,
};

/* AS2-C56: case, dash, blanks, folding, comments, quotes. */
static void every_spelling_of_a_mic_is_read(void **state)
{
    static const char *const rows[] = {
        V256 ", sha-256",
        V256 ",sha256",
        V256 ", SHA256",
        V256 ", rsa-sha256",
        V256 ", SHA-256",
        V256 ", sha2-256",
        V256 ", sha2_256",
        V256 " , sha_256 ",
        V256 ",\r\n sha-256",
        V256 ",\t sha-256",
        "\"" V256 "\", sha-256",
        "\"" V256 "\", \"sha-256\"",
        V256 " (the digest), sha-256 (its (nested \\) name) of it)",
        "(a, b)" V256 ", sha-256",
        "f0KmXz0RYKJFXO+r4P5l\r\n utLxRVbbyqOvBdW+1V2A3J8=, sha-256",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_mic want = { NID_sha256, sizeof(value256), { 0 } }, m;
        char *value = exact_text(rows[i], strlen(rows[i]));

        memcpy(want.value, value256, sizeof(value256));
        if (!as2_mic_read(value, &m) || !as2_mic_equal(&m, &want))
            fail_msg("%s", rows[i]);
        free(value);
    }
}

/* The names of every digest: AS2-C46, AS2-C57. */
static void a_mic_of_every_digest_is_read(void **state)
{
    static const struct {
        const char *value;
        int nid;
    } rows[] = {
        { "TA/zMj4MYvlauLBQ5OS+zQ==, md5", NID_md5 },
        { "TA/zMj4MYvlauLBQ5OS+zQ==, RSA-MD5", NID_md5 },
        { "KzoXiiF2SjHwLGtLY0Sp770tlqw=, sha1", NID_sha1 },
        { "KzoXiiF2SjHwLGtLY0Sp770tlqw=, SHA-1", NID_sha1 },
        { "KzoXiiF2SjHwLGtLY0Sp770tlqw=, sha", NID_sha1 },
        { "KzoXiiF2SjHwLGtLY0Sp770tlqw=, rsa-sha1", NID_sha1 },
        { "DTPMevedMSbONdhQq2p8JKEGyuKqk4Vlgm+qHxSvVPRi2jH4K5dFeEXe5jA7FFfW, sha384",
          NID_sha384 },
        { "Z0AFVYBXh4phBjHcx2FXydP46bsjFoN3FHeE7M0GHQkuAmckQCm+j0qimOLAeCPojT+/L8E/"
          "TjeFKAffygImCw==, SHA-512",
          NID_sha512 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_mic m = { 0 };

        if (!as2_mic_read(rows[i].value, &m))
            fail_msg("%s", rows[i].value);
        CHECK_EQ(m.nid, rows[i].nid);
        assert_true(as2_mic_equal(&m, &m));
    }
}

static void what_cannot_be_compared_equals_nothing(void **state)
{
    struct as2_mic m = { 0 }, none = { 0 };

    (void)state;
    assert_true(as2_mic_read(V256, &m)); /* no name */
    CHECK_EQ(m.nid, NID_undef);
    assert_false(as2_mic_equal(&m, &m));
    assert_true(as2_mic_read(V256 ", whirlpool", &m));
    CHECK_EQ(m.nid, NID_undef);
    assert_false(as2_mic_equal(&m, &m));
    assert_false(as2_mic_equal(&none, &none));
}

/* AS2-C127: blanks count, comments do not. */
static void a_mic_is_at_most_1023_octets_without_comments(void **state)
{
    static const char mic[] = V256 ", sha-256";
    static char value[20000];
    struct as2_mic m;

    (void)state;
    for (size_t n = 1000; n <= 1050; n++) {
        memset(value, ' ', n);
        memcpy(value + n - (sizeof(mic) - 1), mic, sizeof(mic));
        CHECK_EQ(as2_mic_read(value, &m), n <= 1023);
    }
    value[0] = '(';
    memset(value + 1, 'x', sizeof(value) - 101);
    value[sizeof(value) - 101] = ')';
    memcpy(value + sizeof(value) - 100, mic, sizeof(mic));
    assert_true(as2_mic_read(value, &m));
    CHECK_EQ(m.nid, NID_sha256);
}

static void a_malformed_mic_is_none(void **state)
{
    static const char *const rows[] = {
        "",
        ", sha-256",
        "sha-256",
        "f0Km, sha-256",
        V256 ", sha1",
        V256 ", sha-512",
        "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8, sha-256",   /* no padding */
        "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8==, sha-256", /* too much */
        "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW=1V2A3J8=, sha-256",
        "f0KmXz0RYKJFXO*r4P5lutLxRVbbyqOvBdW+1V2A3J8=, sha-256",
        "====, sha-256",
        "=, sha1",
        "Z0AFVYBXh4phBjHcx2FXydP46bsjFoN3FHeE7M0GHQkuAmckQCm+j0qimOLAeCPojT+/L8E/"
        "TjeFKAffygImCwAA, x", /* longer than any digest */
        "(" V256 ", sha-256)",
    };
    struct as2_mic m = { 4711, 1, { 0 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *value = exact_text(rows[i], strlen(rows[i]));

        if (as2_mic_read(value, &m))
            fail_msg("%s", rows[i]);
        CHECK_EQ(m.nid, 4711);
        free(value);
    }
}

/* AS2-C54: the name is written as it was asked for. */
static void a_mic_is_written_with_the_spelling_given(void **state)
{
    struct as2_mic m = { NID_sha256, sizeof(value256), { 0 } }, none = { 0 };
    struct arena a = { 0 };

    (void)state;
    memcpy(m.value, value256, sizeof(value256));
    assert_string_equal(as2_mic_write(&m, "SHA256", &a), V256 ", SHA256");
    assert_string_equal(as2_mic_write(&m, NULL, &a), V256 ", sha-256");
    m = (struct as2_mic) { NID_sha1, 20, { 0 } };
    assert_string_equal(as2_mic_write(&m, NULL, &a), "AAAAAAAAAAAAAAAAAAAAAAAAAAA=, sha1");
    assert_null(as2_mic_write(&none, "sha1", &a));
    arena_free(&a);
}

static void a_flipped_bit_or_a_cut_never_equals(void **state)
{
    static const char text[] = V256 ", sha-256";
    struct as2_mic want = { NID_sha256, sizeof(value256), { 0 } }, m;
    size_t equal = 0;

    (void)state;
    memcpy(want.value, value256, sizeof(value256));
    for (size_t bit = 0; bit < 8 * (sizeof(text) - 1); bit++) {
        char *value = exact_text(text, sizeof(text) - 1);

        value[bit / 8] = (char)(value[bit / 8] ^ 1 << bit % 8);
        /* in the digest's own characters; in the name other letter cases and signs are good */
        if (as2_mic_read(value, &m) && as2_mic_equal(&m, &want)) {
            equal++;
            assert_in_range(bit / 8, strlen(V256) - 2, sizeof(text));
        }
        free(value);
    }
    assert_in_range(equal, 3, 12);
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        char *value = exact_text(text, n);

        assert_false(as2_mic_read(value, &m) && as2_mic_equal(&m, &want));
        free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_mic_is_read),
        cmocka_unit_test(a_mic_of_every_digest_is_read),
        cmocka_unit_test(what_cannot_be_compared_equals_nothing),
        cmocka_unit_test(a_mic_is_at_most_1023_octets_without_comments),
        cmocka_unit_test(a_malformed_mic_is_none),
        cmocka_unit_test(a_mic_is_written_with_the_spelling_given),
        cmocka_unit_test(a_flipped_bit_or_a_cut_never_equals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
