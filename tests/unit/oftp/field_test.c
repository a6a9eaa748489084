#include "wire.h"

/* OFTP2-C16: cuts in texts of every kind. */
static void utf8_is_cut_between_characters(void **state)
{
    (void)state;
    assert_int_equal(oftp_utf8_cut("abc", 3, 5), 3);
    assert_int_equal(oftp_utf8_cut("abc", 3, 2), 2);
    assert_int_equal(oftp_utf8_cut("abc", 3, 0), 0);
    assert_int_equal(oftp_utf8_cut("a\xC3\xA4", 3, 2), 1);
    assert_int_equal(oftp_utf8_cut("a\xC3\xA4z", 4, 3), 3);
    assert_int_equal(oftp_utf8_cut("\xE2\x82\xAC", 3, 2), 0);
    assert_int_equal(oftp_utf8_cut("\xF0\x9F\x93\x84", 4, 3), 0);
    assert_int_equal(oftp_utf8_cut("\xA4\xA4\xA4\xA4\xA4\xA4\xA4", 7, 6), 6);
}

/* OFTP2-C70: any file name becomes a legal one. */
static void any_text_becomes_a_legal_name(void **state)
{
    static const char *const texts[][2] = {
        { "invoice.edi", "INVOICE.EDI" },
        { "Rechnung M\xC3\xA4rz.edi", "RECHNUNG-M-RZ.EDI" },
        { "a_b c\\d:e", "A-B-C-D-E" },
        { "A/B-C.D&E(F)", "A/B-C.D&E(F)" },
        { "", "-" },
        { "\xA4\xA4", "-" },
        { "abcdefghijklmnopqrstuvwxyz0123", "ABCDEFGHIJKLMNOPQRSTUVWXYZ" },
    };
    char dsn[OFTP_DSN + 1], one[2] = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        oftp_dsn_from(dsn, texts[i][0]);
        assert_string_equal(dsn, texts[i][1]);
    }
    for (int i = 1; i < 256; i++) {
        one[0] = (char)i;
        oftp_dsn_from(dsn, one);
        assert_true(oftp_x_valid(dsn, OFTP_DSN));
    }
    assert_false(oftp_x_valid("ABC", 2));
    assert_false(oftp_x_valid("A B", 3));
    assert_false(oftp_x_valid("", 3));
}

/* OFTP2-C68: sizes are blocks of 1024 octets, rounded up. */
static void sizes_are_rounded_up_to_blocks(void **state)
{
    (void)state;
    assert_int_equal(oftp_blocks(0), 0);
    assert_int_equal(oftp_blocks(1), 1);
    assert_int_equal(oftp_blocks(1024), 1);
    assert_int_equal(oftp_blocks(1025), 2);
    assert_true(oftp_blocks(UINT64_MAX) == UINT64_MAX / 1024 + 1);
}

/* oftp2.md 8.1: records for F and V without envelope, blocks for everything else. */
static void positions_count_records_or_blocks(void **state)
{
    (void)state;
    assert_true(oftp_counts_records('F', 0));
    assert_true(oftp_counts_records('V', 0));
    assert_false(oftp_counts_records('U', 0));
    assert_false(oftp_counts_records('T', 0));
    assert_false(oftp_counts_records('F', 1));
    assert_false(oftp_counts_records('V', 1));
}

/* RFC 5024 5.4, oftp2.md 2.4. */
static void codes_outside_the_alphabet_are_told(void **state)
{
    (void)state;
    assert_true(oftp_code_valid("O"));
    assert_true(oftp_code_valid("1234567890123456789012345"));
    assert_true(oftp_code_valid("A/B-C.D&E(F)"));
    assert_false(oftp_code_valid(""));
    assert_false(oftp_code_valid("12345678901234567890123456"));
    assert_false(oftp_code_valid(" O0013"));
    assert_false(oftp_code_valid("O0013 "));
    assert_false(oftp_code_valid("o0013"));
    assert_false(oftp_code_valid("O0013_A"));
    assert_false(oftp_code_valid("O0013\xC3\x84"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_cut_between_characters),
        cmocka_unit_test(any_text_becomes_a_legal_name),
        cmocka_unit_test(sizes_are_rounded_up_to_blocks),
        cmocka_unit_test(positions_count_records_or_blocks),
        cmocka_unit_test(codes_outside_the_alphabet_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
