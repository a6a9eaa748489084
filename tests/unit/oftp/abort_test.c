#include "support.h"

static struct one o;
static uint8_t file[300000];

static const char *const all_states[] = {
    "I_WF_SSID", "A_NC_ONLY", "A_WF_CONRS", "WF_SECD", "SECDP", "WF_AUCH", "AUCHP", "WF_AURP",
    "IDLESP",    "IDLESPCD",  "WF_RTR",     "OPOP",    "OPO",   "OPOWFC",  "CLOP",  "WF_CD",
    "IDLELI",    "IDLELICD",  "OPIP",       "OPI",     "CLIP",  "RTRP",
};

/* OFTP2-C100: the application ends the session in any state; ESID with its reason and text. */
static void test_the_application_can_end_any_state(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(all_states); k++) {
        one_at(&o, all_states[k]);
        oftp_session_abort(o.s, ESID_SHUTDOWN, "closing down");
        assert_true(oftp_session_ending(o.s));
        one_sends(&o, "F");
        assert_memory_equal(o.octets,
                            "\x10\0\0\x17"
                            "F05012closing down\r",
                            23);
        assert_false(oftp_session_wants_data(o.s));
        assert_false(oftp_session_turn(o.s));
        one_done(&o);
    }
}

/* OFTP2-C6, OFTP2-C7: a stream out of step ends in every state; 4 and 100004 are no lengths. */
static void test_a_broken_stream_header_ends_the_session(void **state)
{
    static const uint8_t bad[][5] = {
        { 0x20, 0, 0, 5, 'R' }, { 0x00, 0, 0, 5, 'R' },          { 0x10, 0, 0, 4, 'R' },
        { 0x10, 0, 0, 0, 'R' }, { 0x10, 0x01, 0x86, 0xa4, 'R' },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(bad) * COUNT_OF(all_states); k++) {
        one_at(&o, all_states[k / COUNT_OF(bad)]);
        one_give(&o, bad[k % COUNT_OF(bad)], 5);
        one_aborted(&o, ESID_SIZE);
        one_done(&o);
    }
}

/* OFTP2-C8: the flags are not looked at. */
static void test_flags_of_the_stream_header_are_ignored(void **state)
{
    (void)state;
    for (uint8_t flags = 0; flags < 16; flags++) {
        uint8_t cd[] = { (uint8_t)(0x10 | flags), 0, 0, 5, 'R' };

        one_at(&o, "IDLELI");
        one_give(&o, cd, sizeof(cd));
        one_in(&o, "IDLESPCD");
        one_done(&o);
    }
}

/* OFTP2-C20: each command cut short of its first mandatory field is 07. OFTP2-C21, OFTP2-C22:
 * octets that are no digits or no value are 06. */
static void test_malformed_commands_end_the_session(void **state)
{
    static const struct {
        const char *state, *oeb;
        int reason;
    } rows[] = {
        { "A_NC_ONLY", "X5O001", 7 },
        { "IDLELI", "HINVOIC", 7 },
        { "OPOP", "2000", 7 },
        { "OPOP", "31", 7 },
        { "OPI", "T0000", 7 },
        { "CLOP", "4", 7 },
        { "CLOP", "51", 7 },
        { "IDLELI", "EINVOIC", 7 },
        { "IDLELI", "NINVOIC", 7 },
        { "WF_AUCH", "A\1", 7 },
        { "WF_AURP", "S0123456789012345678", 7 },
        { "OPOP", "20000000000000000A", 6 },
        { "OPOP", "3AAN000", 6 },
        { "OPOP", "313?000", 6 },
        { "CLOP", "4?", 6 },
        { "CLOP", "5xx000", 6 },
        { "OPI", "T0000000000000000000000000000000Z13", 6 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        one_at(&o, rows[k].state);
        one_text(&o, rows[k].oeb);
        one_aborted(&o, rows[k].reason);
        one_done(&o);
    }
}

/* OFTP2-C96: what comes after our ESID is dropped, whatever it is, in any pieces. */
static void test_nothing_is_heard_after_our_esid(void **state)
{
    uint32_t x = 7;
    (void)state;

    one_at(&o, "WF_NDISC");
    for (const char *c = "IXJASH23DCT4Y5RENP"; *c != '\0'; c++) {
        one_command(&o, *c);
        assert_int_equal(o.ev.kind, OFTP_NONE);
        one_sends(&o, "");
        one_in(&o, "WF_NDISC");
    }
    for (int k = 0; k < 2000; k++) {
        uint8_t noise[7];

        for (size_t n = 0; n < sizeof(noise); n++)
            noise[n] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
        one_give(&o, noise, sizeof(noise));
        assert_int_equal(o.ev.kind, OFTP_NONE);
    }
    one_in(&o, "WF_NDISC");
    one_done(&o);
}

/* When both sides sent an ESID nobody would disconnect: then the session is over at once. */
static void test_two_esids_that_cross_end_the_wait(void **state)
{
    (void)state;
    one_at(&o, "WF_NDISC");
    assert_false(oftp_session_over(o.s));
    one_command(&o, 'G');
    assert_int_equal(o.ev.kind, OFTP_NONE);
    assert_true(oftp_session_over(o.s));
    one_done(&o);
}

/* OFTP2-C95: the wait for the disconnect ends on its timer, without another word. */
static void test_the_wait_for_the_disconnect_is_limited(void **state)
{
    (void)state;
    one_at(&o, "WF_NDISC");
    assert_true(oftp_session_deadline(o.s) == 1000 + 20000);
    oftp_session_expire(o.s, 20999, &o.ev);
    assert_false(oftp_session_over(o.s));
    o.now = 20999;
    one_command(&o, 'R'); /* noise does not prolong it */
    oftp_session_expire(o.s, 21000, &o.ev);
    assert_int_equal(o.ev.kind, OFTP_NONE);
    assert_true(oftp_session_over(o.s));
    assert_true(oftp_session_deadline(o.s) == UINT64_MAX);
    one_done(&o);
}

/* OFTP2-C99: silence, state by state: whom we wait for, how long, and ESID(09) at the end. */
static void test_silence_ends_the_session(void **state)
{
    static const struct {
        const char *state;
        uint64_t ms; /* after 1000; 0: it is our own application that is waited for */
    } rows[] = {
        { "I_WF_RM", 60000 },   { "I_WF_SSID", 60000 }, { "A_NC_ONLY", 60000 },
        { "A_WF_CONRS", 0 },    { "WF_SECD", 180000 },  { "SECDP", 0 },
        { "WF_AUCH", 60000 },   { "AUCHP", 0 },         { "WF_AURP", 180000 },
        { "IDLESP", 0 },        { "IDLESPCD", 0 },      { "WF_RTR", 180000 },
        { "OPOP", 180000 },     { "OPO", 0 },           { "OPOWFC", 180000 },
        { "CLOP", 360000 },     { "WF_CD", 180000 },    { "IDLELI", 180000 },
        { "IDLELICD", 180000 }, { "OPIP", 0 },          { "OPI", 180000 },
        { "CLIP", 0 },          { "RTRP", 0 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        uint64_t at = 1000 + rows[k].ms;

        one_at(&o, rows[k].state);
        if (rows[k].ms == 0) {
            assert_true(oftp_session_deadline(o.s) == UINT64_MAX);
            oftp_session_expire(o.s, UINT64_MAX - 1, &o.ev);
            assert_int_equal(o.ev.kind, OFTP_NONE);
            one_in(&o, rows[k].state);
            one_done(&o);
            continue;
        }
        assert_true(oftp_session_deadline(o.s) == at);
        oftp_session_expire(o.s, at - 1, &o.ev);
        assert_int_equal(o.ev.kind, OFTP_NONE);
        one_in(&o, rows[k].state);
        oftp_session_expire(o.s, at, &o.ev);
        if (k == 0) {
            /* before SSRM not a word is sent */
            assert_int_equal(o.ev.kind, OFTP_ABORTED);
            assert_int_equal(o.ev.reason, ESID_TIMEOUT);
            assert_true(oftp_session_over(o.s));
            one_sends(&o, "");
        } else {
            one_aborted(&o, ESID_TIMEOUT);
        }
        one_done(&o);
    }
}

/* OFTP2-C99: each command that comes or goes starts the wait again. */
static void test_activity_starts_the_wait_again(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    one_opi(&o, &cfg, &f);
    o.now = 100000;
    one_data(&o, "abc");
    assert_true(oftp_session_deadline(o.s) == 280000);
    o.now = 200000;
    one_give(&o, "\x10\0\0", 3); /* not a command yet */
    assert_true(oftp_session_deadline(o.s) == 280000);
    one_done(&o);

    one_at(&o, "OPIP");
    o.now = 500000;
    MUST(oftp_session_take_file(o.s, 0, 0, 0, &o.err));
    one_sends(&o, "2");
    assert_true(oftp_session_deadline(o.s) == 680000);
    one_done(&o);
}

/* The requests tell no time: an application that took longer than the peer may is not punished
 * for it when it answers. */
static void test_a_late_answer_does_not_expire_at_once(void **state)
{
    (void)state;
    one_at(&o, "CLIP");
    MUST(oftp_session_end_taken(o.s, false, &o.err));
    assert_true(oftp_session_deadline(o.s) == 181000);
    oftp_session_expire(o.s, 500000, &o.ev);
    assert_int_equal(o.ev.kind, OFTP_NONE);
    assert_true(oftp_session_deadline(o.s) == 680000);
    oftp_session_expire(o.s, 680000, &o.ev); /* but a peer that does not read it is */
    assert_int_equal(o.ev.kind, OFTP_ABORTED);
    one_sends(&o, "4F");
    one_done(&o);
}

/* OFTP2-C100: at an abort DATA that was not sent is dropped, but never half of a buffer: whatever
 * was sent before, the ESID parses. */
static void test_an_abort_drops_whole_buffers_only(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    for (size_t sent = 0; sent <= 3 * 4100; sent += sent < 4200 ? 1 : 97) {
        struct span in = span_of(file, sizeof(file)), out;
        size_t boundary, at = 0;
        bool whole;

        cfg.cmpr = false;
        one_idlesp(&o, &cfg);
        MUST(oftp_session_offer_file(o.s, &f, &o.err));
        one_sends(&o, "H");
        one_sfpa(&o, 0);
        MUST(oftp_session_data(o.s, &in, true, &whole, &o.err));
        out = oftp_session_output(o.s);
        memcpy(o.octets, out.p, sent);
        oftp_session_sent(o.s, sent, o.now);
        oftp_session_abort(o.s, ESID_SHUTDOWN, "stop");
        out = oftp_session_output(o.s);
        boundary = (sent + 2051) / 2052 * 2052;
        assert_int_equal(sent + out.n, boundary + 15);
        memcpy(o.octets + sent, out.p, out.n);
        for (at = 0; at < boundary; at += 2052)
            assert_memory_equal(o.octets + at,
                                "\x10\0\x08\x04"
                                "D",
                                5);
        assert_memory_equal(o.octets + at,
                            "\x10\0\0\x0f"
                            "F05004stop\r",
                            15);
        one_done(&o);
    }
}

/* A peer that sends commands without waiting for the answers cannot make us store them. */
static void test_a_peer_that_never_reads_is_cut_off(void **state)
{
    char text[OFTP_TEXT + 1];
    struct span out;
    (void)state;

    memset(text, 'x', OFTP_TEXT);
    text[OFTP_TEXT] = '\0';
    one_at(&o, "IDLELI");
    for (int k = 0; k < 100000 && o.ev.kind != OFTP_ABORTED; k++) {
        one_command(&o, 'H');
        if (o.ev.kind == OFTP_FILE_OFFERED)
            MUST(oftp_session_refuse_file(o.s, ANSWER_UNSPECIFIED, false, text, &o.err));
    }
    assert_int_equal(o.ev.kind, OFTP_ABORTED);
    assert_int_equal(o.ev.reason, ESID_VIOLATION);
    out = oftp_session_output(o.s);
    assert_true(out.n < 1000000);
    assert_int_equal(esid_reason(out.p, out.n), ESID_VIOLATION);
    one_done(&o);
}

/* OFTP2-C15: texts are cut at a character and counted in octets; OFTP2-C4: CR behind the text. */
static void test_a_long_text_is_cut_at_a_character(void **state)
{
    char text[1500] = "";
    (void)state;

    for (int k = 0; k < 500; k++)
        strcat(text, "\xc3\xa4");
    one_at(&o, "IDLESP");
    oftp_session_abort(o.s, ESID_UNSPECIFIED, text);
    one_sends(&o, "F");
    assert_int_equal(o.n, OFTP_STH + 7 + 998);
    assert_memory_equal(o.octets + OFTP_STH, "F99998\xc3\xa4", 8);
    assert_int_equal(o.octets[o.n - 1], '\r');
    one_done(&o);
}

/* A session object serves again after another open, and is over before the first. */
static void test_a_session_can_be_opened_again(void **state)
{
    struct oftp_config cfg = config_of(false);
    (void)state;

    o.s = oftp_session_new();
    assert_true(oftp_session_over(o.s));
    assert_int_equal(oftp_session_level(o.s), 0);
    for (int k = 0; k < 3; k++) {
        oftp_session_open(o.s, &cfg, 0);
        one_in(&o, "A_NC_ONLY");
        assert_false(oftp_session_over(o.s));
        one_sends(&o, "I");
        one_give(&o, "\x10\0\0\x41X5", 6);
        oftp_session_abort(o.s, ESID_SHUTDOWN, NULL);
    }
    one_done(&o);
    oftp_session_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_application_can_end_any_state),
        cmocka_unit_test(test_a_broken_stream_header_ends_the_session),
        cmocka_unit_test(test_flags_of_the_stream_header_are_ignored),
        cmocka_unit_test(test_malformed_commands_end_the_session),
        cmocka_unit_test(test_nothing_is_heard_after_our_esid),
        cmocka_unit_test(test_two_esids_that_cross_end_the_wait),
        cmocka_unit_test(test_the_wait_for_the_disconnect_is_limited),
        cmocka_unit_test(test_silence_ends_the_session),
        cmocka_unit_test(test_activity_starts_the_wait_again),
        cmocka_unit_test(test_a_late_answer_does_not_expire_at_once),
        cmocka_unit_test(test_an_abort_drops_whole_buffers_only),
        cmocka_unit_test(test_a_peer_that_never_reads_is_cut_off),
        cmocka_unit_test(test_a_long_text_is_cut_at_a_character),
        cmocka_unit_test(test_a_session_can_be_opened_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
