#include "wire.h"

/* Section 17 of oftp2.md: the response to the invoice; destination and origin are swapped. */
static struct oftp_response receipt(void)
{
    return (struct oftp_response) { .dsn = "INVOIC-4711.EDI",
                                    .date = "20260131",
                                    .time = "1015300001",
                                    .dest = "O0013000000ALPHA",
                                    .orig = "O0013000000BETA" };
}

static struct oftp_response refusal(void)
{
    struct oftp_response c = receipt();

    c.negative = true;
    strcpy(c.crea, "O0013000000BETA");
    c.reas = NERP_PROCESSING;
    strcpy(c.reast, "Bad syntax");
    return c;
}

static struct oftp_response short_stamp(void)
{
    struct oftp_response c = receipt();

    strcpy(c.date, "260131");
    strcpy(c.time, "101530");
    return c;
}

static void assert_same_file(const struct oftp_response *got, const struct oftp_response *want)
{
    assert_string_equal(got->dsn, want->dsn);
    assert_string_equal(got->date, want->date);
    assert_string_equal(got->time, want->time);
    assert_string_equal(got->user, want->user);
    assert_string_equal(got->dest, want->dest);
    assert_string_equal(got->orig, want->orig);
}

/* OFTP2-C13 OFTP2-C14 OFTP2-C24: EERP and NERP of section 17, octet for octet. NERP has its date
 * at 33 and no user field. */
static void responses_are_as_in_the_examples(void **state)
{
    struct oftp_response yes = receipt(), no = refusal(), got;
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_eerp(&w, OFTP_20, &yes, &err));
    assert_octets(writer_done(&w), EXAMPLE(eerp));
    assert_true(oftp_read_eerp(EXAMPLE(eerp), OFTP_20, &got, &err));
    assert_same_file(&got, &yes);
    assert_true(!got.negative && got.hsh.n == 0 && got.sig.n == 0);
    w = fresh();
    assert_true(oftp_write_nerp(&w, OFTP_20, &no, &err));
    assert_octets(writer_done(&w), EXAMPLE(nerp));
    assert_true(oftp_read_nerp(EXAMPLE(nerp), OFTP_20, &got, &err));
    assert_same_file(&got, &no);
    assert_true(got.negative && got.hsh.n == 0 && got.sig.n == 0);
    assert_string_equal(got.crea, no.crea);
    assert_int_equal(got.reas, 34);
    assert_string_equal(got.reast, "Bad syntax");
    assert_memory_equal(EXAMPLE(nerp).p + 33, "20260131", 8);
}

/* OFTP2-C13: hash and signature, up to the largest exchange buffer. */
static void responses_carry_hash_and_signature(void **state)
{
    static uint8_t big[65535];
    struct oftp_response c = receipt(), no = refusal(), got;
    struct writer w = fresh();

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7);
    c.hsh = no.hsh = span_of(big, 32);
    c.sig = no.sig = span_of(big + 32, 1500);
    assert_true(oftp_write_eerp(&w, OFTP_20, &c, &err));
    assert_int_equal(w.n, 110 + 32 + 1500);
    assert_memory_equal(wire + 106, "\0\x20", 2);
    assert_memory_equal(wire + 106 + 2 + 32, "\x05\xDC", 2);
    assert_true(oftp_read_eerp(writer_done(&w), OFTP_20, &got, &err));
    assert_octets(got.hsh, c.hsh);
    assert_octets(got.sig, c.sig);
    w = fresh();
    assert_true(oftp_write_nerp(&w, OFTP_20, &no, &err));
    assert_int_equal(w.n, 135 + 10 + 32 + 1500);
    assert_true(oftp_read_nerp(writer_done(&w), OFTP_20, &got, &err));
    assert_octets(got.hsh, no.hsh);
    assert_octets(got.sig, no.sig);

    c.sig = span_of(big, 65535);
    w = fresh();
    assert_true(oftp_write_eerp(&w, OFTP_20, &c, &err));
    c.hsh = span_of(big, 65535);
    w = fresh();
    assert_local(w, oftp_write_eerp(&w, OFTP_20, &c, &err));
    c.hsh = span_of(big, 65536);
    assert_local(w, oftp_write_eerp(&w, OFTP_20, &c, &err));
}

/* OFTP2-C25: EERP of 106 octets at level 5 is unsigned; cut elsewhere it is 07. */
static void an_eerp_that_ends_behind_its_origin_is_unsigned(void **state)
{
    struct oftp_response got, want = receipt();

    (void)state;
    assert_true(oftp_read_eerp(span_of(EXAMPLE(eerp).p, 106), OFTP_20, &got, &err));
    assert_same_file(&got, &want);
    assert_true(got.hsh.n == 0 && got.sig.n == 0);
    for (size_t n = 0; n < 110; n++) {
        if (n != 106)
            assert_peer(oftp_read_eerp(span_of(EXAMPLE(eerp).p, n), OFTP_20, &got, &err),
                        ESID_SIZE);
    }
}

/* OFTP2-C20: a NERP that ends early. */
static void a_nerp_cut_short_gives_07(void **state)
{
    struct oftp_response got;

    (void)state;
    for (size_t n = 0; n < EXAMPLE(nerp).n; n++)
        assert_peer(oftp_read_nerp(span_of(EXAMPLE(nerp).p, n), OFTP_20, &got, &err),
                    ESID_SIZE);
    for (size_t n = 0; n < 128; n++)
        assert_peer(oftp_read_nerp(span_of(EXAMPLE(nerp).p, n), OFTP_14, &got, &err),
                    ESID_SIZE);
}

/* OFTP2-C21: digits where digits belong. */
static void bad_values_give_06(void **state)
{
    struct oftp_response got;

    (void)state;
    memcpy(wire, EXAMPLE(eerp).p, 110);
    wire[30] = 'x';
    assert_peer(oftp_read_eerp(span_of(wire, 110), OFTP_20, &got, &err), ESID_INVALID_DATA);
    memcpy(wire, EXAMPLE(nerp).p, 145);
    wire[127] = ' ';
    assert_peer(oftp_read_nerp(span_of(wire, 145), OFTP_20, &got, &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_eerp(EXAMPLE(nerp), OFTP_20, &got, &err), ESID_INVALID_DATA);
}

/* OFTP2-C23: reserved octets may hold anything. */
static void reserved_fields_are_ignored(void **state)
{
    struct oftp_response got;

    (void)state;
    memcpy(wire, EXAMPLE(nerp).p, 145);
    memset(wire + 27, 0xFF, 6);
    assert_true(oftp_read_nerp(span_of(wire, 145), OFTP_20, &got, &err));
    memcpy(wire, EXAMPLE(eerp).p, 110);
    memset(wire + 27, 0, 3);
    assert_true(oftp_read_eerp(span_of(wire, 110), OFTP_20, &got, &err));
}

/* oftp2.md 2.5: EERP of 106 octets at all lower levels, with long stamps at 1.4. */
static void eerp_is_short_below_level_5(void **state)
{
    struct oftp_response long_form = receipt(), short_form = short_stamp(), got;
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_eerp(&w, OFTP_14, &long_form, &err));
    assert_octets(writer_done(&w), span_of(EXAMPLE(eerp).p, 106));
    assert_true(oftp_read_eerp(writer_done(&w), OFTP_14, &got, &err));
    assert_same_file(&got, &long_form);
    for (int level = OFTP_12; level <= OFTP_13; level++) {
        w = fresh();
        assert_true(oftp_write_eerp(&w, level, &short_form, &err));
        assert_int_equal(w.n, 106);
        assert_memory_equal(wire + 27, "         260131101530", 21);
        assert_true(oftp_read_eerp(writer_done(&w), level, &got, &err));
        assert_same_file(&got, &short_form);
        w = fresh();
        assert_local(w, oftp_write_eerp(&w, level, &long_form, &err));
    }
}

/* oftp2.md 2.5: NERP of 128 octets at 1.4, unknown before. */
static void nerp_begins_with_level_4(void **state)
{
    struct oftp_response c = refusal(), got;
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_nerp(&w, OFTP_14, &c, &err));
    assert_int_equal(w.n, 128);
    assert_memory_equal(wire, EXAMPLE(nerp).p, 126);
    assert_memory_equal(wire + 126, "99", 2);
    assert_true(oftp_read_nerp(writer_done(&w), OFTP_14, &got, &err));
    assert_int_equal(got.reas, 99);
    assert_string_equal(got.reast, "");
    for (int level = OFTP_12; level <= OFTP_13; level++) {
        assert_peer(oftp_read_nerp(EXAMPLE(nerp), level, &got, &err), ESID_UNKNOWN_COMMAND);
        c = short_stamp();
        strcpy(c.crea, c.orig);
        w = fresh();
        assert_local(w, oftp_write_nerp(&w, level, &c, &err));
    }
}

/* A signature is never dropped on the way to a partner that cannot take it. */
static void signed_responses_need_level_5(void **state)
{
    struct oftp_response c = receipt(), no = refusal();
    struct writer w = fresh();

    (void)state;
    c.sig = no.sig = TEXT("signature");
    assert_local(w, oftp_write_eerp(&w, OFTP_14, &c, &err));
    assert_local(w, oftp_write_nerp(&w, OFTP_14, &no, &err));
    c.sig = TEXT("");
    c.hsh = TEXT("hash");
    assert_local(w, oftp_write_eerp(&w, OFTP_14, &c, &err));
}

/* oftp2.md 9.2: name, stamp, codes and user field go back as they came. */
static void a_response_echoes_what_came(void **state)
{
    struct oftp_response c = receipt(), got;
    struct writer w = fresh();

    (void)state;
    strcpy(c.dsn, "outfile of_May");
    strcpy(c.dest, "o0013 acme_1");
    strcpy(c.user, "ref 4711");
    strcpy(c.time, "9999990000");
    assert_true(oftp_write_eerp(&w, OFTP_20, &c, &err));
    assert_true(oftp_read_eerp(writer_done(&w), OFTP_20, &got, &err));
    assert_same_file(&got, &c);
    c.dsn[0] = '\0';
    w = fresh();
    assert_local(w, oftp_write_eerp(&w, OFTP_20, &c, &err));
    c = refusal();
    c.crea[0] = '\0';
    assert_local(w, oftp_write_nerp(&w, OFTP_20, &c, &err));
    c = refusal();
    c.reas = 123;
    assert_local(w, oftp_write_nerp(&w, OFTP_20, &c, &err));
}

/* OFTP2-C13: cut anywhere, any bit turned, at every level. */
static void damaged_responses_do_no_harm(void **state)
{
    struct oftp_response c = refusal();
    struct writer w = fresh();
    uint8_t sealed[200];

    (void)state;
    c.hsh = TEXT("0123456789abcdef");
    c.sig = TEXT("signature");
    assert_true(oftp_write_nerp(&w, OFTP_20, &c, &err));
    memcpy(sealed, wire, w.n);
    for (size_t k = 0; k < COUNT_OF(every_level); k++) {
        try_truncations(EXAMPLE(eerp), every_level[k]);
        try_flipped_bits(EXAMPLE(eerp), every_level[k]);
        try_truncations(span_of(sealed, w.n), every_level[k]);
        try_flipped_bits(span_of(sealed, w.n), every_level[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_as_in_the_examples),
        cmocka_unit_test(responses_carry_hash_and_signature),
        cmocka_unit_test(an_eerp_that_ends_behind_its_origin_is_unsigned),
        cmocka_unit_test(a_nerp_cut_short_gives_07),
        cmocka_unit_test(bad_values_give_06),
        cmocka_unit_test(reserved_fields_are_ignored),
        cmocka_unit_test(eerp_is_short_below_level_5),
        cmocka_unit_test(nerp_begins_with_level_4),
        cmocka_unit_test(signed_responses_need_level_5),
        cmocka_unit_test(a_response_echoes_what_came),
        cmocka_unit_test(damaged_responses_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
