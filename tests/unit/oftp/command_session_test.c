#include "wire.h"

static struct oftp_ssid alpha(void)
{
    return (struct oftp_ssid) { .lev = OFTP_20,
                                .code = "O0013000000ALPHA",
                                .pswd = "ALPHAPW1",
                                .sdeb = 4096,
                                .sr = 'B',
                                .cmpr = true,
                                .rest = true,
                                .cred = 32 };
}

/* The initiator's SSID with one octet changed, then read. */
static bool read_changed(size_t at, char octet, struct oftp_ssid *c)
{
    static uint8_t changed[61];

    memcpy(changed, EXAMPLE(ssid_initiator).p, sizeof(changed));
    changed[at] = (uint8_t)octet;
    return oftp_read_ssid(span_of(changed, sizeof(changed)), c, &err);
}

/* OFTP2-C13 OFTP2-C14: SSRM and both SSIDs of oftp2.md section 17, octet for octet. */
static void start_of_session_is_written_as_in_the_examples(void **state)
{
    struct writer w = fresh();
    struct oftp_ssid c = alpha();

    (void)state;
    assert_true(oftp_write_ssrm(&w, &err));
    assert_octets(writer_done(&w), EXAMPLE(ssrm));
    w = fresh();
    assert_true(oftp_write_ssid(&w, &c, &err));
    assert_octets(writer_done(&w), EXAMPLE(ssid_initiator));
    w = fresh();
    c.sdeb = 2048;
    c.cred = 8;
    strcpy(c.code, "O0013000000BETA");
    strcpy(c.pswd, "BETAPW");
    assert_true(oftp_write_ssid(&w, &c, &err));
    assert_octets(writer_done(&w), EXAMPLE(ssid_responder));
}

/* OFTP2-C13: the responder's SSID of section 17, field by field. */
static void ssid_is_read_field_by_field(void **state)
{
    struct oftp_ssid c;

    (void)state;
    assert_true(oftp_read_ssid(EXAMPLE(ssid_responder), &c, &err));
    assert_int_equal(c.lev, 5);
    assert_string_equal(c.code, "O0013000000BETA");
    assert_string_equal(c.pswd, "BETAPW");
    assert_int_equal(c.sdeb, 2048);
    assert_int_equal(c.sr, 'B');
    assert_true(c.cmpr && c.rest && !c.spec && !c.auth);
    assert_int_equal(c.cred, 8);
    assert_string_equal(c.user, "");
}

/* OFTP2-C17: 8D ends a command as well as 0D; what we write ends with 0D (the examples above). */
static void carriage_returns_may_have_the_high_bit(void **state)
{
    struct oftp_ssid c;
    struct oftp_esid_command e;

    (void)state;
    assert_true(read_changed(60, (char)0x8D, &c));
    assert_true(oftp_read_ssrm(TEXT("IODETTE FTP READY \x8D"), &err));
    assert_true(oftp_read_esid(TEXT("F02000\x8D"), &e, &err));
    assert_true(oftp_read_esid(TEXT("F02\x8D"), &e, &err));
    assert_peer(read_changed(60, '\n', &c), ESID_INVALID_DATA);
}

/* OFTP2-C18: the exact text, CR or 8D behind it; last blank and CR may be missing. */
static void another_greeting_is_refused(void **state)
{
    (void)state;
    assert_true(oftp_read_ssrm(TEXT("IODETTE FTP READY \r"), &err));
    assert_true(oftp_read_ssrm(TEXT("IODETTE FTP READY "), &err));
    assert_true(oftp_read_ssrm(TEXT("IODETTE FTP READY\r"), &err));
    assert_true(oftp_read_ssrm(TEXT("IODETTE FTP READY"), &err));
    assert_peer(oftp_read_ssrm(TEXT("IODETTE FTP ready \r"), &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_ssrm(TEXT("ISMTP SERVICE READY"), &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_ssrm(TEXT("IODETTE"), &err), ESID_SIZE);
}

/* oftp2.md 2.1: a missing final CR is tolerated, and so is what follows the command. */
static void missing_cr_and_trailing_octets_are_tolerated(void **state)
{
    struct oftp_ssid c;
    struct oftp_esid_command e;
    struct span s = EXAMPLE(ssid_initiator);

    (void)state;
    assert_true(oftp_read_ssid(span_of(s.p, 60), &c, &err));
    memcpy(wire, s.p, s.n);
    memcpy(wire + s.n, "tail", 4);
    assert_true(oftp_read_ssid(span_of(wire, s.n + 4), &c, &err));
    assert_true(oftp_read_esid(TEXT("F00"), &e, &err));
    assert_true(oftp_read_esid(TEXT("F00000"), &e, &err));
}

/* OFTP2-C20: a command that ends inside a mandatory field gives 07. */
static void commands_cut_short_give_07(void **state)
{
    struct oftp_ssid c;
    struct oftp_esid_command e;
    struct span chal;
    uint8_t rsp[OFTP_CHALLENGE_SIZE];

    (void)state;
    for (size_t n = 0; n < 60; n++)
        assert_peer(oftp_read_ssid(span_of(EXAMPLE(ssid_initiator).p, n), &c, &err), ESID_SIZE);
    for (size_t n = 0; n < 17; n++)
        assert_peer(oftp_read_ssrm(span_of(EXAMPLE(ssrm).p, n), &err), ESID_SIZE);
    for (size_t n = 0; n < 21; n++)
        assert_peer(oftp_read_aurp(span_of(EXAMPLE(aurp).p, n), rsp, &err), ESID_SIZE);
    assert_peer(oftp_read_esid(TEXT("F0"), &e, &err), ESID_SIZE);
    assert_peer(oftp_read_esid(TEXT("F0200"), &e, &err), ESID_SIZE);
    assert_peer(oftp_read_esid(TEXT("F02004abc"), &e, &err), ESID_SIZE);
    assert_peer(oftp_read_auch(TEXT("A\0\4abc"), &chal, &err), ESID_SIZE);
    assert_peer(oftp_read_bare(TEXT(""), &err), ESID_SIZE);
}

/* OFTP2-C21 OFTP2-C22: what is no digit in a 9 field, no allowed value in an enumerated one. */
static void bad_values_give_06(void **state)
{
    struct oftp_ssid c;
    struct oftp_esid_command e;

    (void)state;
    assert_peer(read_changed(1, 'A', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(1, '0', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(37, 'x', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(40, 'X', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(40, '\0', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(41, 'y', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(45, '-', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(47, '1', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(2, '\x1F', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(3, '\x7F', &c), ESID_INVALID_DATA);
    assert_peer(read_changed(30, (char)0xC3, &c), ESID_INVALID_DATA);
    assert_peer(oftp_read_esid(TEXT("F0x000\r"), &e, &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_esid(TEXT("F  \r"), &e, &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_esid(TEXT("F02\n"), &e, &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_bare(TEXT("Z"), &err), ESID_INVALID_DATA);
}

/* OFTP2-C34 OFTP2-C35: a buffer below 128 and a credit of nothing are refused. */
static void too_small_a_buffer_or_credit_gives_06(void **state)
{
    static const char *const buffers[] = { "00127", "00000", "     " };
    uint8_t s[61];
    struct oftp_ssid c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(buffers); i++) {
        memcpy(s, EXAMPLE(ssid_initiator).p, sizeof(s));
        memcpy(s + 35, buffers[i], 5);
        assert_peer(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err), ESID_INVALID_DATA);
    }
    memcpy(s + 35, "00128", 5);
    assert_true(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err));
    assert_int_equal(c.sdeb, 128);
    memcpy(s + 44, "000", 3);
    assert_peer(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err), ESID_INVALID_DATA);
}

/* OFTP2-C23: whatever reserved fields hold. Below level 5 SSIDAUTH is one of them. */
static void reserved_fields_are_ignored(void **state)
{
    struct oftp_ssid c;
    uint8_t s[61];

    (void)state;
    memcpy(s, EXAMPLE(ssid_initiator).p, sizeof(s));
    memcpy(s + 48, "\x00\xFFxY", 4);
    assert_true(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err));
    s[1] = '4';
    s[47] = 'Y';
    assert_true(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err));
    assert_false(c.auth);
    s[47] = ' ';
    assert_true(oftp_read_ssid(span_of(s, sizeof(s)), &c, &err));
}

/* OFTP2-C27: blanks inside a code are kept; only the sub-address makes two codes differ. */
static void a_code_keeps_its_inner_blanks(void **state)
{
    struct oftp_ssid c = alpha(), got;
    struct writer w = fresh();

    (void)state;
    strcpy(c.code, "O0013ACME          PLANT1");
    assert_true(oftp_code_valid(c.code));
    assert_true(oftp_write_ssid(&w, &c, &err));
    assert_memory_equal(wire + 2, "O0013ACME          PLANT1", 25);
    assert_true(oftp_read_ssid(writer_done(&w), &got, &err));
    assert_string_equal(got.code, "O0013ACME          PLANT1");
    wire[26] = '2';
    assert_true(oftp_read_ssid(writer_done(&w), &got, &err));
    assert_string_not_equal(got.code, c.code);
}

/* Nothing that another program would refuse leaves us. */
static void an_ssid_we_may_not_send_is_refused(void **state)
{
    struct oftp_ssid c;
    struct writer w = fresh();

    (void)state;
#define REFUSED(change)                                                                        \
    do {                                                                                       \
        c = alpha();                                                                           \
        change;                                                                                \
        assert_local(w, oftp_write_ssid(&w, &c, &err));                                        \
    } while (0)
    REFUSED(c.lev = 3);
    REFUSED(c.lev = 0);
    REFUSED(c.lev = 9);
    REFUSED(c.code[0] = 'o');
    REFUSED(c.code[0] = '\0');
    REFUSED(strcpy(c.pswd, "\t"));
    REFUSED(c.sdeb = 127);
    REFUSED(c.sdeb = 100000);
    REFUSED(c.sr = 'X');
    REFUSED(c.sr = '\0');
    REFUSED(c.cred = 0);
    REFUSED(c.cred = 1000);
    REFUSED((c.lev = OFTP_14, c.auth = true));
#undef REFUSED
    c = alpha();
    strcpy(c.pswd, "geheim_1");
    assert_true(oftp_write_ssid(&w, &c, &err));
    w = writer_of(wire, 60);
    assert_local(w, oftp_write_ssid(&w, &c, &err));
}

/* oftp2.md 2.5: position 47 is a reserved blank below level 5. */
static void ssid_below_level_5_has_no_authentication(void **state)
{
    struct oftp_ssid c = alpha();

    (void)state;
    for (int level = OFTP_12; level < OFTP_20; level += level == OFTP_13 ? 2 : 1) {
        struct writer w = fresh();

        c.lev = (uint8_t)level;
        assert_true(oftp_write_ssid(&w, &c, &err));
        assert_int_equal(w.n, 61);
        assert_int_equal(wire[1], '0' + level);
        assert_int_equal(wire[47], ' ');
    }
}

/* OFTP2-C13: ESID of section 17, at level 5 and below. */
static void esid_is_as_in_the_examples(void **state)
{
    struct oftp_esid_command c = { .reas = 0 }, got;
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_esid(&w, OFTP_20, &c, &err));
    assert_octets(writer_done(&w), EXAMPLE(esid_normal));
    for (int level = OFTP_12; level <= OFTP_14; level++) {
        w = fresh();
        assert_true(oftp_write_esid(&w, level, &c, &err));
        assert_octets(writer_done(&w), EXAMPLE(esid_normal_1x));
    }
    c.reas = ESID_VIOLATION;
    strcpy(c.reast, "EFID in IDLELI");
    w = fresh();
    assert_true(oftp_write_esid(&w, OFTP_20, &c, &err));
    assert_octets(writer_done(&w), EXAMPLE(esid_02));
    assert_true(oftp_read_esid(EXAMPLE(esid_02), &got, &err));
    assert_int_equal(got.reas, 2);
    assert_string_equal(got.reast, "EFID in IDLELI");
    assert_true(oftp_read_esid(EXAMPLE(esid_normal_1x), &got, &err));
    assert_int_equal(got.reas, 0);
    assert_string_equal(got.reast, "");
}

/* OFTP2-C15: CR behind the text; the length counts octets. */
static void esid_counts_its_text_in_octets(void **state)
{
    struct oftp_esid_command c = { .reas = 99, .reast = "M\xC3\xA4rz" }, got;
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_esid(&w, OFTP_20, &c, &err));
    assert_octets(writer_done(&w), TEXT("F99005M\xC3\xA4rz\r"));
    assert_true(oftp_read_esid(writer_done(&w), &got, &err));
    assert_string_equal(got.reast, c.reast);
    c.reas = 100;
    assert_local(w, oftp_write_esid(&w, OFTP_20, &c, &err));
    c.reas = -1;
    assert_local(w, oftp_write_esid(&w, OFTP_20, &c, &err));
    c.reas = ESID_CHALLENGE;
    w = fresh();
    assert_true(oftp_write_esid(&w, OFTP_14, &c, &err));
    assert_octets(writer_done(&w), TEXT("F99\r"));
}

/* A text with NUL inside still is one C string. */
static void nul_in_a_text_becomes_a_blank(void **state)
{
    struct oftp_esid_command c;

    (void)state;
    assert_true(oftp_read_esid(TEXT("F99003a\0b\r"), &c, &err));
    assert_string_equal(c.reast, "a b");
}

/* OFTP2-C13 OFTP2-C26: CD, RTR, SECD and CDT of section 17; a CDT of one octet is taken. */
static void bare_commands_are_as_in_the_examples(void **state)
{
    static const char octets[] = { 'R', 'P', 'J', 'C' };
    const struct span want[] = { EXAMPLE(cd), EXAMPLE(rtr), EXAMPLE(secd), EXAMPLE(cdt) };
    struct writer w;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(octets); i++) {
        w = fresh();
        assert_true(oftp_write_bare(&w, octets[i], &err));
        assert_octets(writer_done(&w), want[i]);
        assert_true(oftp_read_bare(want[i], &err));
    }
    assert_true(oftp_read_bare(TEXT("C"), &err));
    assert_true(oftp_read_bare(TEXT("Rmore"), &err));
    w = fresh();
    assert_local(w, oftp_write_bare(&w, 'X', &err));
    assert_local(w, oftp_write_bare(&w, '\0', &err));
}

/* OFTP2-C13: AURP of section 17, AUCH with lengths up to 65535. */
static void authentication_commands_carry_any_octets(void **state)
{
    static uint8_t big[65536];
    uint8_t rsp[OFTP_CHALLENGE_SIZE], want[OFTP_CHALLENGE_SIZE];
    struct span chal;
    struct writer w = fresh();

    (void)state;
    for (size_t i = 0; i < sizeof(want); i++)
        want[i] = (uint8_t)i;
    assert_true(oftp_write_aurp(&w, want, &err));
    assert_octets(writer_done(&w), EXAMPLE(aurp));
    assert_true(oftp_read_aurp(EXAMPLE(aurp), rsp, &err));
    assert_memory_equal(rsp, want, sizeof(rsp));

    w = fresh();
    assert_true(oftp_write_auch(&w, TEXT("\0\1\2"), &err));
    assert_octets(writer_done(&w), TEXT("A\0\3\0\1\2"));
    assert_true(oftp_read_auch(writer_done(&w), &chal, &err));
    assert_octets(chal, TEXT("\0\1\2"));
    w = fresh();
    assert_true(oftp_write_auch(&w, span_of(big, 65535), &err));
    assert_int_equal(w.n, 65538);
    w = fresh();
    assert_local(w, oftp_write_auch(&w, span_of(big, 65536), &err));
}

/* A failing reader leaves the caller's struct alone. */
static void a_failing_reader_changes_nothing(void **state)
{
    struct oftp_ssid c = { .lev = 77 };

    (void)state;
    assert_peer(oftp_read_ssid(span_of(EXAMPLE(ssid_initiator).p, 59), &c, &err), ESID_SIZE);
    assert_int_equal(c.lev, 77);
}

/* OFTP2-C13: cut anywhere, any bit turned: no octet is read beyond, what is taken writes back. */
static void damaged_commands_do_no_harm(void **state)
{
    const struct span all[] = { EXAMPLE(ssrm),
                                EXAMPLE(ssid_initiator),
                                EXAMPLE(ssid_responder),
                                EXAMPLE(esid_normal),
                                EXAMPLE(esid_02),
                                EXAMPLE(esid_normal_1x),
                                EXAMPLE(cd),
                                EXAMPLE(rtr),
                                EXAMPLE(cdt),
                                EXAMPLE(secd),
                                EXAMPLE(aurp),
                                TEXT("A\0\5abcde") };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_true(reread(all[i], OFTP_20, &err));
        try_truncations(all[i], OFTP_20);
        try_flipped_bits(all[i], OFTP_20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_of_session_is_written_as_in_the_examples),
        cmocka_unit_test(ssid_is_read_field_by_field),
        cmocka_unit_test(carriage_returns_may_have_the_high_bit),
        cmocka_unit_test(another_greeting_is_refused),
        cmocka_unit_test(missing_cr_and_trailing_octets_are_tolerated),
        cmocka_unit_test(commands_cut_short_give_07),
        cmocka_unit_test(bad_values_give_06),
        cmocka_unit_test(too_small_a_buffer_or_credit_gives_06),
        cmocka_unit_test(reserved_fields_are_ignored),
        cmocka_unit_test(a_code_keeps_its_inner_blanks),
        cmocka_unit_test(an_ssid_we_may_not_send_is_refused),
        cmocka_unit_test(ssid_below_level_5_has_no_authentication),
        cmocka_unit_test(esid_is_as_in_the_examples),
        cmocka_unit_test(esid_counts_its_text_in_octets),
        cmocka_unit_test(nul_in_a_text_becomes_a_blank),
        cmocka_unit_test(bare_commands_are_as_in_the_examples),
        cmocka_unit_test(authentication_commands_carry_any_octets),
        cmocka_unit_test(a_failing_reader_changes_nothing),
        cmocka_unit_test(damaged_commands_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
