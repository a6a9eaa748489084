#include "support.h"

static struct one o;

/* OFTP2-C97: the table of the Listener, command by command and state by state. */
static void test_every_command_in_every_state_of_the_listener(void **state)
{
    static const char *const states[] = { "IDLELI", "IDLELICD", "OPIP", "OPI", "CLIP", "RTRP" };
    /* clang-format off */
    static const char *const cells[] = {
        "I", ".",        ".",    ".",    ".",    ".",    ".",
        "X", ".",        ".",    ".",    ".",    ".",    ".",
        "J", ".",        ".",    ".",    ".",    ".",    ".",
        "A", ".",        ".",    ".",    ".",    ".",    ".",
        "S", ".",        ".",    ".",    ".",    ".",    ".",
        "H", "OPIP",     "OPIP", ".",    ".",    ".",    ".",
        "2", ".",        ".",    ".",    ".",    ".",    ".",
        "3", ".",        ".",    ".",    ".",    ".",    ".",
        "D", ".",        ".",    ".",    "OPI",  ".",    ".",
        "C", ".",        ".",    ".",    ".",    ".",    ".",
        "T", ".",        ".",    ".",    "CLIP", ".",    ".",
        "4", ".",        ".",    ".",    ".",    ".",    ".",
        "Y", ".",        ".",    ".",    ".",    ".",    ".",
        "5", ".",        ".",    ".",    ".",    ".",    ".",
        "R", "IDLESPCD", ".",    ".",    ".",    ".",    ".",
        "E", "RTRP",     "RTRP", ".",    ".",    ".",    ".",
        "N", "RTRP",     "RTRP", ".",    ".",    ".",    ".",
        "P", ".",        ".",    ".",    ".",    ".",    ".",
        "F", "IDLE",     "IDLE", "IDLE", "IDLE", "IDLE", "IDLE",
        "G", "IDLE",     "IDLE", "IDLE", "IDLE", "IDLE", "IDLE",
    };
    /* clang-format on */
    (void)state;

    one_check_table(states, COUNT_OF(states), cells, COUNT_OF(cells) / (COUNT_OF(states) + 1));
}

/* OFTP2-C94, OFTP2-C98: ESID(00) is an end in order in both idle states and an abort elsewhere;
 * another reason is an abort everywhere, with its text. */
static void test_an_esid_while_we_listen(void **state)
{
    static const char *const states[] = { "IDLELI", "IDLELICD", "OPIP", "OPI", "CLIP", "RTRP" };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(states); k++) {
        one_at(&o, states[k]);
        one_command(&o, 'F');
        assert_int_equal(o.ev.kind, k < 2 ? OFTP_ENDED : OFTP_ABORTED);
        assert_int_equal(o.ev.reason, 0);
        assert_true(oftp_session_over(o.s));
        one_sends(&o, "");
        one_done(&o);

        one_at(&o, states[k]);
        one_text(&o, "F05007stopped\r");
        assert_int_equal(o.ev.kind, OFTP_ABORTED);
        assert_false(o.ev.local);
        assert_int_equal(o.ev.reason, ESID_SHUTDOWN);
        assert_string_equal(o.ev.text, "stopped");
        one_done(&o);
    }
}

static void open_file(char fmt, uint32_t lrecl)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of(fmt, lrecl);

    one_opi(&o, &cfg, &f);
}

/* OFTP2-C10: a buffer of exactly SSIDSDEB passes, one octet more is 07. */
static void test_a_buffer_over_the_agreed_size_is_refused(void **state)
{
    uint8_t oeb[2049] = { 'D' };
    (void)state;

    open_file('U', 0);
    one_oeb(&o, oeb, 2048);
    assert_int_equal(o.ev.kind, OFTP_NONE);
    one_oeb(&o, oeb, 2049);
    one_aborted(&o, ESID_SIZE);
    one_done(&o);
}

/* oftp2.md 15: one octet over and a tail of empty subrecords, where the partner is known for it. */
static void test_one_octet_over_can_be_tolerated(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    uint8_t oeb[2050] = { 'D', 0x83, 'a', 'b', 'c' };
    (void)state;

    cfg.tolerate_sdeb_plus_one = true;
    one_opi(&o, &cfg, &f);
    one_oeb(&o, oeb, 2049);
    assert_int_equal(o.ev.kind, OFTP_DATA);
    assert_int_equal(o.ev.octets.n, 3);
    one_oeb(&o, oeb, 2050);
    one_aborted(&o, ESID_SIZE);
    one_done(&o);
}

/* OFTP2-C71: what the subrecord headers of the checklist stand for. */
static void test_all_kinds_of_subrecords_are_unpacked(void **state)
{
    static const struct {
        const char *oeb;
        size_t n, octets, ends;
    } rows[] = {
        { "D\0", 2, 0, 0 },
        { "D\x80", 2, 0, 1 },
        { "D\x43x", 3, 3, 0 },
        { "D\xc3x", 3, 3, 1 },
        { "D\x7fx", 3, 63, 0 },
        { "D\1a\1b\x81"
          "c\x81"
          "d",
          9, 4, 2 },
        { "D", 1, 0, 0 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        open_file('V', 100);
        one_oeb(&o, rows[k].oeb, rows[k].n);
        if (rows[k].octets + rows[k].ends == 0) {
            assert_int_equal(o.ev.kind, OFTP_NONE);
        } else {
            assert_int_equal(o.ev.kind, OFTP_DATA);
            assert_int_equal(o.ev.octets.n, rows[k].octets);
            assert_int_equal(o.ev.ends_n, rows[k].ends);
        }
        one_done(&o);
    }
}

/* OFTP2-C71: a record across two buffers has one end, of its whole length. */
static void test_a_record_across_buffers_is_one(void **state)
{
    (void)state;
    open_file('V', 100);
    one_text(&o, "D\2ab");
    assert_int_equal(o.ev.ends_n, 0);
    one_text(&o, "D\x83"
                 "cde");
    assert_int_equal(o.ev.ends_n, 1);
    assert_int_equal(o.ev.ends[0], 5);
    one_efid(&o, 1, 5);
    assert_int_equal(o.ev.kind, OFTP_FILE_ENDED);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);
}

/* OFTP2-C79: a subrecord longer than the buffer, and a compressed one of nothing. */
static void test_a_broken_subrecord_is_refused_with_06(void **state)
{
    static const char *const bad[] = { "D\x0dhello", "D\x3f", "D\1a\x45", "D\x40x", "D\xc0x" };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(bad); k++) {
        open_file('U', 0);
        one_text(&o, bad[k]);
        one_aborted(&o, ESID_INVALID_DATA);
        one_done(&o);
    }
}

/* OFTP2-C85: counts that differ are reported with the file: 11 for octets, 10 for records of an
 * F or V file that is not enveloped. */
static void test_the_counts_of_the_end_are_checked(void **state)
{
    static const struct {
        char fmt;
        uint8_t env;
        uint64_t records, octets;
        int reason;
    } rows[] = {
        { 'U', 0, 0, 3, 0 },  { 'U', 0, 0, 4, 11 }, { 'U', 0, 1, 3, 0 },  { 'T', 0, 0, 2, 11 },
        { 'V', 0, 1, 3, 0 },  { 'V', 0, 2, 3, 10 }, { 'V', 0, 1, 4, 11 }, { 'V', 1, 9, 3, 0 },
        { 'V', 1, 0, 2, 11 }, { 'F', 0, 1, 3, 0 },  { 'F', 0, 0, 3, 10 }, { 'F', 1, 7, 3, 0 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        struct oftp_config cfg = config_of(false);
        struct oftp_sfid f =
            sfid_of(rows[k].fmt, rows[k].fmt == 'F' || rows[k].fmt == 'V' ? 3 : 0);

        f.env = rows[k].env;
        one_opi(&o, &cfg, &f);
        one_data(&o, "abc");
        one_efid(&o, rows[k].records, rows[k].octets);
        assert_int_equal(o.ev.kind, OFTP_FILE_ENDED);
        assert_int_equal(o.ev.reason, rows[k].reason);
        assert_int_equal(o.ev.efid->ucnt, rows[k].octets);
        MUST(oftp_session_end_refused(o.s, ANSWER_BYTE_COUNT, "short", &o.err));
        one_sends(&o, "5");
        assert_memory_equal(o.octets + OFTP_STH, "511005short", 11);
        one_in(&o, "IDLELI");
        one_done(&o);
    }
}

/* A record that SFIDLRECL does not allow makes the file fail, not the session. */
static void test_records_of_the_wrong_length_are_reported(void **state)
{
    static const struct {
        char fmt;
        uint32_t lrecl;
        int reason;
    } rows[] = { { 'V', 2, 11 }, { 'V', 3, 0 }, { 'V', 4, 0 },
                 { 'F', 2, 11 }, { 'F', 3, 0 }, { 'F', 4, 11 } };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        open_file(rows[k].fmt, rows[k].lrecl);
        one_data(&o, "abc");
        one_efid(&o, 1, 3);
        assert_int_equal(o.ev.reason, rows[k].reason);
        one_done(&o);
    }
}

/* OFTP2-C78: an empty file with and without DATA; oftp2.md 4.3: a file without EOR. */
static void test_empty_and_unfinished_files_are_accepted(void **state)
{
    (void)state;
    open_file('U', 0);
    one_efid(&o, 0, 0);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);

    open_file('U', 0);
    one_text(&o, "D\x80");
    one_efid(&o, 0, 0);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);

    open_file('U', 0);
    one_text(&o, "D\3abc");
    one_efid(&o, 0, 3);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);
}

/* OFTP2-C89: 17 digits of octets. */
static void test_counts_have_seventeen_digits(void **state)
{
    (void)state;
    open_file('U', 0);
    one_text(&o, "T9999999999999999999999999999999999");
    assert_int_equal(o.ev.kind, OFTP_FILE_ENDED);
    assert_true(o.ev.efid->rcnt == 99999999999999999u);
    assert_true(o.ev.efid->ucnt == 99999999999999999u);
    assert_int_equal(o.ev.reason, ANSWER_BYTE_COUNT);
    one_done(&o);
}

/* OFTP2-C69: SFIDFSIZ is an estimate, 0 included. */
static void test_a_wrong_size_does_not_matter(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    uint8_t oeb[2000] = { 'D' };
    (void)state;

    f.fsiz = f.osiz = 0;
    for (size_t at = 1; at + 64 <= sizeof(oeb); at += 64)
        oeb[at] = 63;
    one_opi(&o, &cfg, &f);
    one_oeb(&o, oeb, 1 + 31 * 64);
    assert_int_equal(o.ev.octets.n, 31 * 63);
    one_efid(&o, 0, 31 * 63);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);
}

/* OFTP2-C55: a refused file leaves the session as it was. */
static void test_a_refusal_goes_out_with_its_reason(void **state)
{
    (void)state;
    one_at(&o, "OPIP");
    MUST(oftp_session_refuse_file(o.s, ANSWER_DESTINATION, false, "not for us", &o.err));
    one_sends(&o, "3");
    assert_memory_equal(o.octets,
                        "\x10\0\0\x15"
                        "302N010not for us",
                        21);
    one_in(&o, "IDLELI");
    one_command(&o, 'H');
    one_in(&o, "OPIP");
    one_done(&o);
}

/* Compressed subrecords are taken although compression was not agreed, oftp2.md 4.1; a buffer
 * that unfolds to more than one event may be taken in any pieces. */
static void test_a_folded_buffer_comes_in_several_events(void **state)
{
    static uint8_t stb[OFTP_STH + OFTP_OEB_MAX];
    const size_t oeb = 99999, octets = (oeb - 1) / 2 * 63;
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    stb[0] = 0x10;
    stb[1] = (uint8_t)((oeb + 4) >> 16);
    stb[2] = (uint8_t)((oeb + 4) >> 8);
    stb[3] = (uint8_t)(oeb + 4);
    stb[4] = 'D';
    for (size_t at = 5; at < sizeof(stb); at += 2) {
        stb[at] = 0x7f;
        stb[at + 1] = 'z';
    }
    for (size_t cut = 0; cut < 3; cut++) {
        /* whole, in halves, and all but one octet first */
        size_t first = cut == 0 ? sizeof(stb) : cut == 1 ? 50000 : sizeof(stb) - 1, got = 0;
        unsigned events = 0, due = 0;

        cfg.sdeb = peer.sdeb = 99999;
        cfg.cmpr = false;
        cfg.cred = 1;
        one_open(&o, &cfg);
        one_ssid(&o, &peer, OFTP_20);
        MUST(oftp_session_accept(o.s, &cfg, &o.ev, &o.err));
        one_sfid(&o, &f);
        MUST(oftp_session_take_file(o.s, 0, 0, 0, &o.err));
        for (size_t at = 0; at < sizeof(stb); at += at == 0 ? first : sizeof(stb) - first) {
            struct span in = span_of(stb + at, at == 0 ? first : sizeof(stb) - first);

            /* The caller may stop when its span is empty and misses nothing. */
            while (in.n > 0) {
                oftp_session_input(o.s, &in, 0, &o.ev);
                if (o.ev.kind == OFTP_DATA) {
                    assert_int_equal(due, 0);
                    events++;
                    got += o.ev.octets.n;
                    for (size_t k = 0; k < o.ev.octets.n; k++)
                        assert_int_equal(o.ev.octets.p[k], 'z');
                } else if (o.ev.kind == OFTP_CREDIT_DUE) {
                    due++;
                }
            }
        }
        assert_int_equal(got, octets);
        assert_true(events > 1);
        assert_int_equal(due, 1);
        one_efid(&o, 0, octets);
        assert_int_equal(o.ev.reason, 0);
        one_done(&o);
    }
}

/* An uncompressed buffer of any size is one event. */
static void test_a_plain_buffer_is_one_event(void **state)
{
    static uint8_t oeb[OFTP_OEB_MAX];
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    cfg.sdeb = peer.sdeb = 99999;
    one_open(&o, &cfg);
    one_ssid(&o, &peer, OFTP_20);
    MUST(oftp_session_accept(o.s, &cfg, &o.ev, &o.err));
    one_sfid(&o, &f);
    MUST(oftp_session_take_file(o.s, 0, 0, 0, &o.err));
    oeb[0] = 'D';
    for (size_t at = 1; at + 64 <= sizeof(oeb); at += 64)
        oeb[at] = 63;
    one_oeb(&o, oeb, 1 + 64 * 1562);
    assert_int_equal(o.ev.kind, OFTP_DATA);
    assert_int_equal(o.ev.octets.n, 63 * 1562);
    one_done(&o);
}

/* OFTP2-C119: SFIDSIGN with SFIDSEC 00 and a suite is told as it came. */
static void test_a_signed_response_can_be_asked_for_a_plain_file(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    f.sign = true;
    f.ciph = 4;
    one_idleli(&o, &cfg);
    one_sfid(&o, &f);
    assert_int_equal(o.ev.kind, OFTP_FILE_OFFERED);
    assert_true(o.ev.sfid->sign);
    assert_int_equal(o.ev.sfid->ciph, 4);
    one_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_in_every_state_of_the_listener),
        cmocka_unit_test(test_an_esid_while_we_listen),
        cmocka_unit_test(test_a_buffer_over_the_agreed_size_is_refused),
        cmocka_unit_test(test_one_octet_over_can_be_tolerated),
        cmocka_unit_test(test_all_kinds_of_subrecords_are_unpacked),
        cmocka_unit_test(test_a_record_across_buffers_is_one),
        cmocka_unit_test(test_a_broken_subrecord_is_refused_with_06),
        cmocka_unit_test(test_the_counts_of_the_end_are_checked),
        cmocka_unit_test(test_records_of_the_wrong_length_are_reported),
        cmocka_unit_test(test_empty_and_unfinished_files_are_accepted),
        cmocka_unit_test(test_counts_have_seventeen_digits),
        cmocka_unit_test(test_a_wrong_size_does_not_matter),
        cmocka_unit_test(test_a_refusal_goes_out_with_its_reason),
        cmocka_unit_test(test_a_folded_buffer_comes_in_several_events),
        cmocka_unit_test(test_a_plain_buffer_is_one_event),
        cmocka_unit_test(test_a_signed_response_can_be_asked_for_a_plain_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
