#include "oftp/field_int.h"
#include "wire.h"

/* RFC 5024 5.3.11, 5.3.5, 5.3.10 and 5.3.14: every code has its words, others are unknown. */
static void every_code_has_a_text(void **state)
{
    static const int esid[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99 };
    static const int answer[] = { 1,  2,  3,  4,  5,  6,  10, 11, 12, 13, 14,
                                  15, 16, 17, 18, 19, 20, 21, 22, 23, 99 };
    static const int nerp[] = { 3,  4,  9,  11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25,
                                26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 50, 90, 99 };
    size_t known = 0;

    (void)state;
    for (int i = -1; i <= 100; i++) {
        known += strcmp(oftp_esid_text(i), "unknown reason") != 0;
        known += strcmp(oftp_answer_text(i), "unknown reason") != 0;
        known += strcmp(oftp_nerp_text(i), "unknown reason") != 0;
    }
    assert_int_equal(known, COUNT_OF(esid) + COUNT_OF(answer) + COUNT_OF(nerp));
    for (size_t i = 0; i < COUNT_OF(esid); i++)
        assert_string_not_equal(oftp_esid_text(esid[i]), "unknown reason");
    for (size_t i = 0; i < COUNT_OF(answer); i++)
        assert_string_not_equal(oftp_answer_text(answer[i]), "unknown reason");
    for (size_t i = 0; i < COUNT_OF(nerp); i++)
        assert_string_not_equal(oftp_nerp_text(nerp[i]), "unknown reason");
}

/* RFC 5024 5.3.14: decryption and decompression are crossed between EFNA and NERP. */
static void answers_become_nerp_reasons(void **state)
{
    (void)state;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(oftp_nerp_for_answer(i), i + 10);
    for (int i = 10; i <= 20; i++)
        assert_int_equal(oftp_nerp_for_answer(i), i + 10);
    assert_int_equal(oftp_nerp_for_answer(ANSWER_SIGNATURE), 31);
    assert_int_equal(oftp_nerp_for_answer(ANSWER_DECRYPTION), 33);
    assert_int_equal(oftp_nerp_for_answer(ANSWER_DECOMPRESSION), 32);
    assert_int_equal(oftp_nerp_for_answer(99), 99);
    assert_int_equal(oftp_nerp_for_answer(7), 99);
    assert_int_equal(oftp_nerp_for_answer(-1), 99);
    assert_int_equal(oftp_nerp_for_esid(ESID_UNKNOWN_CODE), 3);
    assert_int_equal(oftp_nerp_for_esid(ESID_PASSWORD), 4);
    assert_int_equal(oftp_nerp_for_esid(ESID_UNSPECIFIED), 9);
    assert_int_equal(oftp_nerp_for_esid(ESID_TIMEOUT), 99);
}

/* oftp2.md 7.2: which refusals time may cure. */
static void only_some_refusals_invite_a_retry(void **state)
{
    (void)state;
    for (int i = 0; i <= 100; i++) {
        assert_int_equal(oftp_answer_retry(i), i == 12 || i == 99);
        assert_int_equal(oftp_efna_retry(i), i == 10 || i == 11 || i == 12 || i == 99);
    }
}

/* oftp2.md 2.5: a code newer than the level is sent as 99. */
static void reasons_a_level_does_not_know_become_99(void **state)
{
    (void)state;
    assert_int_equal(sfna_for_level(ANSWER_DIRECTION, OFTP_13), 99);
    assert_int_equal(sfna_for_level(ANSWER_DIRECTION, OFTP_14), 14);
    assert_int_equal(sfna_for_level(ANSWER_CIPHER, OFTP_14), 99);
    assert_int_equal(sfna_for_level(ANSWER_CIPHER, OFTP_20), 15);
    assert_int_equal(sfna_for_level(ANSWER_SIGNATURE, OFTP_20), 99);
    assert_int_equal(efna_for_level(ANSWER_SIGNATURE, OFTP_20), 21);
    assert_int_equal(efna_for_level(ANSWER_SIGNATURE, OFTP_14), 99);
    assert_int_equal(esid_for_level(ESID_CHALLENGE, OFTP_14), 99);
    assert_int_equal(esid_for_level(ESID_CHALLENGE, OFTP_20), 11);
    assert_int_equal(esid_for_level(ESID_INCOMPATIBLE, OFTP_12), 10);
    assert_int_equal(nerp_for_level(NERP_SIGNATURE, OFTP_14), 99);
    assert_int_equal(nerp_for_level(NERP_SIGNATURE, OFTP_20), 31);
    assert_int_equal(nerp_for_level(NERP_OPERATOR, OFTP_14), 50);
    assert_int_equal(nerp_for_level(77, OFTP_20), 99);
    assert_int_equal(nerp_for_level(100, OFTP_20), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text),
        cmocka_unit_test(answers_become_nerp_reasons),
        cmocka_unit_test(only_some_refusals_invite_a_retry),
        cmocka_unit_test(reasons_a_level_does_not_know_become_99),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
