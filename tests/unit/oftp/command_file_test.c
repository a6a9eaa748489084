#include "wire.h"

/* Section 17 of oftp2.md: a plain U file of five blocks. */
static struct oftp_sfid invoice(void)
{
    return (struct oftp_sfid) { .dsn = "INVOIC-4711.EDI",
                                .date = "20260131",
                                .time = "1015300001",
                                .dest = "O0013000000BETA",
                                .orig = "O0013000000ALPHA",
                                .fmt = 'U',
                                .fsiz = 5,
                                .osiz = 5,
                                .desc = "Rechnung M\xC3\xA4rz.edi",
                                .descl = 18 };
}

static struct oftp_sfid secured(void)
{
    struct oftp_sfid c = invoice();

    c.fsiz = 3;
    c.sec = 3;
    c.ciph = 4;
    c.comp = 1;
    c.env = 1;
    c.sign = true;
    c.descl = 0;
    return c;
}

static struct oftp_sfid short_stamp(void)
{
    struct oftp_sfid c = invoice();

    strcpy(c.date, "260131");
    strcpy(c.time, "101530");
    return c;
}

/* The plain SFID at level 5 with octets changed, then read. */
static bool read_changed(size_t at, const char *octets, size_t n, struct oftp_sfid *c)
{
    struct span s = EXAMPLE(sfid_plain);

    memcpy(wire, s.p, s.n);
    memcpy(wire + at, octets, n);
    return oftp_read_sfid(span_of(wire, s.n), OFTP_20, c, &err);
}

/* OFTP2-C13 OFTP2-C14: the four SFIDs of section 17, octet for octet. */
static void sfid_is_written_as_in_the_examples(void **state)
{
    struct oftp_sfid plain = invoice(), sealed = secured(), old = short_stamp();
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_write_sfid(&w, OFTP_20, &plain, &err));
    assert_octets(writer_done(&w), EXAMPLE(sfid_plain));
    w = fresh();
    assert_true(oftp_write_sfid(&w, OFTP_20, &sealed, &err));
    assert_octets(writer_done(&w), EXAMPLE(sfid_secured));
    w = fresh();
    assert_true(oftp_write_sfid(&w, OFTP_14, &plain, &err));
    assert_octets(writer_done(&w), EXAMPLE(sfid_14));
    for (int level = OFTP_12; level <= OFTP_13; level++) {
        w = fresh();
        assert_true(oftp_write_sfid(&w, level, &old, &err));
        assert_octets(writer_done(&w), EXAMPLE(sfid_12));
    }
}

/* OFTP2-C13: the same, field by field. */
static void sfid_is_read_field_by_field(void **state)
{
    struct oftp_sfid c;

    (void)state;
    assert_true(oftp_read_sfid(EXAMPLE(sfid_plain), OFTP_20, &c, &err));
    assert_string_equal(c.dsn, "INVOIC-4711.EDI");
    assert_string_equal(c.date, "20260131");
    assert_string_equal(c.time, "1015300001");
    assert_string_equal(c.user, "");
    assert_string_equal(c.dest, "O0013000000BETA");
    assert_string_equal(c.orig, "O0013000000ALPHA");
    assert_int_equal(c.fmt, 'U');
    assert_int_equal(c.lrecl, 0);
    assert_int_equal(c.fsiz, 5);
    assert_int_equal(c.osiz, 5);
    assert_int_equal(c.rest, 0);
    assert_true(c.sec == 0 && c.ciph == 0 && c.comp == 0 && c.env == 0 && !c.sign);
    assert_int_equal(c.descl, 18);
    assert_string_equal(c.desc, "Rechnung M\xC3\xA4rz.edi");

    assert_true(oftp_read_sfid(EXAMPLE(sfid_secured), OFTP_20, &c, &err));
    assert_int_equal(c.fsiz, 3);
    assert_int_equal(c.osiz, 5);
    assert_true(c.sec == 3 && c.ciph == 4 && c.comp == 1 && c.env == 1 && c.sign);
    assert_int_equal(c.descl, 0);

    assert_true(oftp_read_sfid(EXAMPLE(sfid_14), OFTP_14, &c, &err));
    assert_string_equal(c.time, "1015300001");
    assert_true(c.fsiz == 5 && c.osiz == 5);
    assert_true(oftp_read_sfid(EXAMPLE(sfid_12), OFTP_12, &c, &err));
    assert_string_equal(c.date, "260131");
    assert_string_equal(c.time, "101530");
    assert_string_equal(c.dest, "O0013000000BETA");
}

/* OFTP2-C16: the length is in octets, and a longer text ends with a whole character. */
static void a_description_is_cut_at_a_character(void **state)
{
    struct oftp_sfid c = invoice(), got;
    struct writer w = fresh();

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(c.desc); i += 2)
        memcpy(c.desc + i, "\xC3\xA4", 2);
    c.descl = 1000;
    assert_true(oftp_write_sfid(&w, OFTP_20, &c, &err));
    assert_memory_equal(wire + 162, "998", 3);
    assert_int_equal(w.n, 165 + 998);
    assert_true(oftp_read_sfid(writer_done(&w), OFTP_20, &got, &err));
    assert_int_equal(got.descl, 998);
    c.descl = 999;
    memset(c.desc, 'x', 999);
    w = fresh();
    assert_true(oftp_write_sfid(&w, OFTP_20, &c, &err));
    assert_int_equal(w.n, 1164);
    c.descl = 1001;
    w = fresh();
    assert_local(w, oftp_write_sfid(&w, OFTP_20, &c, &err));
}

/* OFTP2-C70: products send lower case, underscores and blanks; we keep to the alphabet, except for
 * the reserved names. */
static void names_are_taken_loosely_and_sent_strictly(void **state)
{
    static const char *const bad[] = { "",         "invoice",     "INVOICE_1", "INVOICE 1",
                                       "INVOICE*", "M\xC3\x84RZ", " A" };
    static const char *const reserved[] = { "ODETTE_CERTIFICATE_REQUEST",
                                            "ODETTE_CERTIFICATE_DELIVER",
                                            "ODETTE_CERTIFICATE_REPLACE" };
    struct oftp_sfid c, got;
    struct writer w;

    (void)state;
    assert_true(read_changed(1, "outfile of_May.txt        ", 26, &got));
    assert_string_equal(got.dsn, "outfile of_May.txt");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        c = invoice();
        strcpy(c.dsn, bad[i]);
        w = fresh();
        assert_local(w, oftp_write_sfid(&w, OFTP_20, &c, &err));
    }
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        c = invoice();
        strcpy(c.dsn, reserved[i]);
        w = fresh();
        assert_true(oftp_write_sfid(&w, OFTP_20, &c, &err));
        assert_true(oftp_read_sfid(writer_done(&w), OFTP_20, &got, &err));
        assert_string_equal(got.dsn, reserved[i]);
    }
}

/* OFTP2-C67: U and T files carry no record length. */
static void unstructured_files_have_no_record_length(void **state)
{
    static const char formats[] = "UTFV";
    struct oftp_sfid c = invoice();

    (void)state;
    c.lrecl = 80;
    for (size_t i = 0; i < 4; i++) {
        struct writer w = fresh();

        c.fmt = formats[i];
        assert_true(oftp_write_sfid(&w, OFTP_20, &c, &err));
        assert_memory_equal(wire + 107, i < 2 ? "00000" : "00080", 5);
    }
}

/* oftp2.md 2.5: what a lower level cannot carry is refused, protection before all. */
static void lower_levels_refuse_what_they_cannot_carry(void **state)
{
    static const int levels[] = { OFTP_12, OFTP_13, OFTP_14 };
    struct oftp_sfid c;
    struct writer w = fresh();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        int level = levels[i];

#define REFUSED(change)                                                                        \
    do {                                                                                       \
        c = level == OFTP_14 ? invoice() : short_stamp();                                      \
        change;                                                                                \
        assert_local(w, oftp_write_sfid(&w, level, &c, &err));                                 \
    } while (0)
        REFUSED(c.sec = 1);
        REFUSED(c.comp = 1);
        REFUSED(c.env = 1);
        REFUSED(c.sign = true);
        REFUSED(c.fsiz = 10000000);
        REFUSED(c.rest = 1000000000);
    }
#undef REFUSED
}

/* Nothing another program would refuse leaves us. */
static void an_sfid_we_may_not_send_is_refused(void **state)
{
    struct oftp_sfid c;
    struct writer w = fresh();

    (void)state;
#define REFUSED(change)                                                                        \
    do {                                                                                       \
        c = secured();                                                                         \
        change;                                                                                \
        assert_local(w, oftp_write_sfid(&w, OFTP_20, &c, &err));                               \
    } while (0)
    REFUSED(strcpy(c.date, "260131"));
    REFUSED(strcpy(c.time, "10:1530001"));
    REFUSED(c.date[0] = '\0');
    REFUSED(strcpy(c.user, "\x80"));
    REFUSED(strcpy(c.dest, "o0013"));
    REFUSED(c.orig[0] = '\0');
    REFUSED(c.fmt = 'Z');
    REFUSED((c.fmt = 'F', c.lrecl = 100000));
    REFUSED(c.fsiz = 10000000000000);
    REFUSED(c.osiz = 10000000000000);
    REFUSED(c.rest = 100000000000000000);
    REFUSED(c.sec = 4);
    REFUSED(c.ciph = 100);
    REFUSED(c.comp = 2);
    REFUSED(c.env = 2);
    REFUSED(c.env = 0);
#undef REFUSED
    c = short_stamp();
    strcpy(c.date, "20260131");
    assert_local(w, oftp_write_sfid(&w, OFTP_13, &c, &err));
}

/* OFTP2-C21 OFTP2-C22: bad digits and bad choices in SFID and EFPA. */
static void bad_values_give_06(void **state)
{
    struct oftp_sfid c;
    struct oftp_sfna n;
    uint64_t count;
    bool cd;

    (void)state;
    assert_peer(read_changed(106, "Z", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(111, "x", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(112, "-", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(30, "2026-1-1", 8, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(38, "          ", 10, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(155, "04", 2, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(159, "2", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(160, "2", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(161, "?", 1, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(162, "01x", 3, &c), ESID_INVALID_DATA);
    assert_peer(read_changed(5, "\xC4", 1, &c), ESID_INVALID_DATA);
    assert_peer(oftp_read_efpa(TEXT("4?"), &cd, &err), ESID_INVALID_DATA);
    assert_peer(oftp_read_sfpa(TEXT("20000000000000000x"), OFTP_20, &count, &err),
                ESID_INVALID_DATA);
    assert_peer(oftp_read_sfna(TEXT("302?000"), OFTP_20, &n, &err), ESID_INVALID_DATA);
}

/* OFTP2-C20: cut inside a mandatory field. */
static void commands_cut_short_give_07(void **state)
{
    struct oftp_sfid c;
    struct oftp_efid e;
    struct oftp_sfna n;
    struct oftp_efna f;
    uint64_t count;
    bool cd;

    (void)state;
    for (size_t i = 0; i < EXAMPLE(sfid_plain).n; i++)
        assert_peer(oftp_read_sfid(span_of(EXAMPLE(sfid_plain).p, i), OFTP_20, &c, &err),
                    ESID_SIZE);
    for (size_t i = 0; i < 35; i++)
        assert_peer(oftp_read_efid(span_of(EXAMPLE(efid_u).p, i), OFTP_20, &e, &err),
                    ESID_SIZE);
    for (size_t i = 0; i < 18; i++)
        assert_peer(oftp_read_sfpa(span_of(EXAMPLE(sfpa).p, i), OFTP_20, &count, &err),
                    ESID_SIZE);
    for (size_t i = 0; i < EXAMPLE(sfna).n; i++) {
        if (i != 4)
            assert_peer(oftp_read_sfna(span_of(EXAMPLE(sfna).p, i), OFTP_20, &n, &err),
                        ESID_SIZE);
    }
    for (size_t i = 0; i < 6; i++) {
        if (i != 3)
            assert_peer(oftp_read_efna(span_of(EXAMPLE(efna).p, i), OFTP_20, &f, &err),
                        ESID_SIZE);
    }
    assert_peer(oftp_read_efpa(TEXT("4"), &cd, &err), ESID_SIZE);
}

/* OFTP2-C23: reserved octets may hold anything. */
static void reserved_fields_are_ignored(void **state)
{
    struct oftp_sfid c;

    (void)state;
    assert_true(read_changed(27, "\xFF\x00x", 3, &c));
    assert_string_equal(c.date, "20260131");
}

/* oftp2.md 15: blanks where a number belongs count as 0, and what follows a command is ignored. */
static void blank_numbers_and_trailing_octets_are_tolerated(void **state)
{
    struct oftp_sfid c;
    struct oftp_efid e;

    (void)state;
    assert_true(read_changed(112, "             ", 13, &c));
    assert_int_equal(c.fsiz, 0);
    assert_true(read_changed(138, "                 ", 17, &c));
    assert_int_equal(c.rest, 0);
    assert_true(
        oftp_read_efid(TEXT("T                 00000000000000083 tail"), OFTP_20, &e, &err));
    assert_int_equal(e.rcnt, 0);
    assert_int_equal(e.ucnt, 83);
}

/* oftp2.md 7.3: an unknown suite and a missing envelope are refused with SFNA, not by ending the
 * session, so the reader lets them through. */
static void what_sfna_must_answer_is_read(void **state)
{
    struct oftp_sfid c;

    (void)state;
    assert_true(read_changed(155, "029900N", 7, &c));
    assert_true(c.sec == 2 && c.ciph == 99 && c.comp == 0 && c.env == 0);
}

/* OFTP2-C13: SFPA, SFNA, EFID, EFPA and EFNA of section 17, written and read. */
static void answers_are_as_in_the_examples(void **state)
{
    struct oftp_sfna sfna = { 13, false, "Duplicate" }, sfna_got;
    struct oftp_efna efna = { 11, "" }, efna_got;
    struct oftp_efid efid = { 0, 83 }, efid_got;
    struct writer w = fresh();
    uint64_t count = 1;
    bool cd = false;

    (void)state;
    assert_true(oftp_write_sfpa(&w, OFTP_20, 0, &err));
    assert_octets(writer_done(&w), EXAMPLE(sfpa));
    assert_true(oftp_read_sfpa(EXAMPLE(sfpa), OFTP_20, &count, &err));
    assert_int_equal(count, 0);
    w = fresh();
    assert_true(oftp_write_sfna(&w, OFTP_20, &sfna, &err));
    assert_octets(writer_done(&w), EXAMPLE(sfna));
    assert_true(oftp_read_sfna(EXAMPLE(sfna), OFTP_20, &sfna_got, &err));
    assert_int_equal(sfna_got.reas, 13);
    assert_false(sfna_got.rrtr);
    assert_string_equal(sfna_got.reast, "Duplicate");
    w = fresh();
    assert_true(oftp_write_efid(&w, OFTP_20, &efid, &err));
    assert_octets(writer_done(&w), EXAMPLE(efid_u));
    assert_true(oftp_read_efid(EXAMPLE(efid_f), OFTP_20, &efid_got, &err));
    assert_true(efid_got.rcnt == 3 && efid_got.ucnt == 30);
    w = fresh();
    assert_true(oftp_write_efid(&w, OFTP_20, &efid_got, &err));
    assert_octets(writer_done(&w), EXAMPLE(efid_f));
    w = fresh();
    assert_true(oftp_write_efna(&w, OFTP_20, &efna, &err));
    assert_octets(writer_done(&w), EXAMPLE(efna));
    assert_true(oftp_read_efna(EXAMPLE(efna), OFTP_20, &efna_got, &err));
    assert_int_equal(efna_got.reas, 11);
    w = fresh();
    assert_true(oftp_write_efpa(&w, true, &err));
    assert_octets(writer_done(&w), EXAMPLE(efpa_y));
    assert_true(oftp_read_efpa(EXAMPLE(efpa_y), &cd, &err) && cd);
    w = fresh();
    assert_true(oftp_write_efpa(&w, false, &err));
    assert_octets(writer_done(&w), EXAMPLE(efpa_n));
    assert_true(oftp_read_efpa(EXAMPLE(efpa_n), &cd, &err) && !cd);
}

/* OFTP2-C13: the layouts of 1.x, oftp2.md 2.5: no texts, shorter counts. */
static void answers_are_shorter_below_level_5(void **state)
{
    struct oftp_sfna sfna = { 15, true, "cipher" }, sfna_got;
    struct oftp_efna efna = { 22, "key" }, efna_got;
    struct oftp_efid efid = { 999999999, 999999999999 }, efid_got;
    uint64_t count;

    (void)state;
    for (int level = OFTP_12; level <= OFTP_14; level++) {
        struct writer w = fresh();

        assert_true(oftp_write_sfpa(&w, level, 7, &err));
        assert_octets(writer_done(&w), TEXT("2000000007"));
        assert_true(oftp_read_sfpa(writer_done(&w), level, &count, &err) && count == 7);
        w = fresh();
        assert_local(w, oftp_write_sfpa(&w, level, 1000000000, &err));
        assert_true(oftp_write_sfna(&w, level, &sfna, &err));
        assert_octets(writer_done(&w), TEXT("399Y"));
        assert_true(oftp_read_sfna(writer_done(&w), level, &sfna_got, &err));
        assert_true(sfna_got.reas == 99 && sfna_got.rrtr && sfna_got.reast[0] == '\0');
        w = fresh();
        assert_true(oftp_write_efna(&w, level, &efna, &err));
        assert_octets(writer_done(&w), TEXT("599"));
        assert_true(oftp_read_efna(writer_done(&w), level, &efna_got, &err));
        w = fresh();
        assert_true(oftp_write_efid(&w, level, &efid, &err));
        assert_octets(writer_done(&w), TEXT("T999999999999999999999"));
        assert_true(oftp_read_efid(writer_done(&w), level, &efid_got, &err));
        assert_true(efid_got.rcnt == efid.rcnt && efid_got.ucnt == efid.ucnt);
    }
}

/* OFTP2-C89: counters of 17 digits. */
static void counts_of_17_digits_fit(void **state)
{
    struct oftp_efid c = { 0, 0 };
    struct writer w = fresh();

    (void)state;
    assert_true(oftp_read_efid(TEXT("T9999999999999999912345678901234567"), OFTP_20, &c, &err));
    assert_true(c.rcnt == 99999999999999999);
    assert_true(c.ucnt == 12345678901234567);
    assert_true(oftp_write_efid(&w, OFTP_20, &c, &err));
    assert_octets(writer_done(&w), TEXT("T9999999999999999912345678901234567"));
    c.ucnt = 100000000000000000;
    w = fresh();
    assert_local(w, oftp_write_efid(&w, OFTP_20, &c, &err));
}

/* oftp2.md 2.1: SFNA and EFNA that end before the length of their text have none. */
static void answers_without_a_text_are_tolerated(void **state)
{
    struct oftp_sfna s;
    struct oftp_efna e;

    (void)state;
    assert_true(oftp_read_sfna(TEXT("302N"), OFTP_20, &s, &err));
    assert_true(s.reas == 2 && s.reast[0] == '\0');
    assert_true(oftp_read_efna(TEXT("511"), OFTP_20, &e, &err));
    assert_true(e.reas == 11 && e.reast[0] == '\0');
}

/* OFTP2-C13: cut anywhere, any bit turned, at every level. */
static void damaged_commands_do_no_harm(void **state)
{
    const struct span all[] = { EXAMPLE(sfid_plain), EXAMPLE(sfid_secured), EXAMPLE(sfid_14),
                                EXAMPLE(sfid_12),    EXAMPLE(sfpa),         EXAMPLE(sfna),
                                EXAMPLE(efid_u),     EXAMPLE(efid_f),       EXAMPLE(efpa_n),
                                EXAMPLE(efpa_y),     EXAMPLE(efna) };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (size_t k = 0; k < COUNT_OF(every_level); k++) {
            try_truncations(all[i], every_level[k]);
            try_flipped_bits(all[i], every_level[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sfid_is_written_as_in_the_examples),
        cmocka_unit_test(sfid_is_read_field_by_field),
        cmocka_unit_test(a_description_is_cut_at_a_character),
        cmocka_unit_test(names_are_taken_loosely_and_sent_strictly),
        cmocka_unit_test(unstructured_files_have_no_record_length),
        cmocka_unit_test(lower_levels_refuse_what_they_cannot_carry),
        cmocka_unit_test(an_sfid_we_may_not_send_is_refused),
        cmocka_unit_test(bad_values_give_06),
        cmocka_unit_test(commands_cut_short_give_07),
        cmocka_unit_test(reserved_fields_are_ignored),
        cmocka_unit_test(blank_numbers_and_trailing_octets_are_tolerated),
        cmocka_unit_test(what_sfna_must_answer_is_read),
        cmocka_unit_test(answers_are_as_in_the_examples),
        cmocka_unit_test(answers_are_shorter_below_level_5),
        cmocka_unit_test(counts_of_17_digits_fit),
        cmocka_unit_test(answers_without_a_text_are_tolerated),
        cmocka_unit_test(damaged_commands_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
