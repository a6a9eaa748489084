#include "support.h"

static struct one o;
static struct pair p;

/* OFTP2-C1, OFTP2-C4: the responder's first octets, before it has heard any. */
static void test_the_responder_speaks_first(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct span out;
    (void)state;

    one_open(&o, &cfg);
    out = oftp_session_output(o.s);
    assert_int_equal(out.n, 23);
    assert_memory_equal(out.p, "\x10\0\0\x17IODETTE FTP READY \r", 23);
    one_done(&o);
}

/* OFTP2-C3: the initiator sends nothing before SSRM, not even an ESID. */
static void test_the_initiator_waits_for_the_ready_message(void **state)
{
    struct oftp_config cfg = config_of(true);
    (void)state;

    one_open(&o, &cfg);
    one_sends(&o, "");
    one_give(&o, "\x10\0\0\x17IODETTE FTP READY", 21);
    one_sends(&o, "");
    one_give(&o, " ", 1);
    one_sends(&o, "");
    one_give(&o, "\r", 1);
    one_sends(&o, "X");
    one_done(&o);

    one_open(&o, &cfg);
    oftp_session_abort(o.s, ESID_SHUTDOWN, "we stop");
    assert_true(oftp_session_over(o.s));
    one_sends(&o, "");
    one_done(&o);
}

/* OFTP2-C18, OFTP2-C17: the exact text, also with CR 8D or cut; another text closes. */
static void test_the_ready_message_is_checked(void **state)
{
    static const char *const good[] = { "IODETTE FTP READY \r", "IODETTE FTP READY \x8d",
                                        "IODETTE FTP READY " };
    struct oftp_config cfg = config_of(true);
    (void)state;

    for (size_t k = 0; k < COUNT_OF(good); k++) {
        one_open(&o, &cfg);
        one_text(&o, good[k]);
        one_sends(&o, "X");
        one_done(&o);
    }
    one_open(&o, &cfg);
    one_text(&o, "IODETTE FTP LATER \r");
    assert_int_equal(o.ev.kind, OFTP_ABORTED);
    assert_true(o.ev.local);
    assert_true(oftp_session_over(o.s));
    one_sends(&o, "");
    one_done(&o);
}

/* OFTP2-C98: an ESID in place of SSRM, SSID or of any answer of the start is reported. */
static void test_an_esid_ends_every_state_of_the_start(void **state)
{
    static const char *const states[] = { "I_WF_RM",    "I_WF_SSID", "A_NC_ONLY",
                                          "A_WF_CONRS", "WF_SECD",   "SECDP",
                                          "WF_AUCH",    "AUCHP",     "WF_AURP" };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(states); k++) {
        one_at(&o, states[k]);
        one_text(&o, "F08004full\r");
        assert_int_equal(o.ev.kind, OFTP_ABORTED);
        assert_int_equal(o.ev.reason, ESID_RESOURCES);
        assert_string_equal(o.ev.text, "full");
        assert_false(o.ev.local);
        assert_true(oftp_session_over(o.s));
        one_sends(&o, "");
        one_done(&o);
    }
}

/* OFTP2-C46, OFTP2-C53: the table of the start, command by command and state by state. */
static void test_every_command_in_every_state_of_the_start(void **state)
{
    static const char *const states[] = { "I_WF_SSID", "A_NC_ONLY", "A_WF_CONRS", "WF_SECD",
                                          "SECDP",     "WF_AUCH",   "AUCHP",      "WF_AURP" };
    /* clang-format off */
    static const char *const cells[] = {
        "I", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "X", "IDLESP", "A_WF_CONRS", ".",    ".",     ".",    ".",     ".",    ".",
        "J", ".",      ".",          ".",    "SECDP", ".",    ".",     ".",    ".",
        "A", ".",      ".",          ".",    ".",     ".",    "AUCHP", ".",    ".",
        "S", ".",      ".",          ".",    ".",     ".",    ".",     ".",    "WF_AUCH",
        "H", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "2", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "3", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "D", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "C", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "T", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "4", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "5", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "R", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "E", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "N", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "P", ".",      ".",          ".",    ".",     ".",    ".",     ".",    ".",
        "F", "IDLE",   "IDLE",       "IDLE", "IDLE",  "IDLE", "IDLE",  "IDLE", "IDLE",
        "G", "IDLE",   "IDLE",       "IDLE", "IDLE",  "IDLE", "IDLE",  "IDLE", "IDLE",
    };
    /* clang-format on */
    (void)state;

    one_check_table(states, COUNT_OF(states), cells, COUNT_OF(cells) / (COUNT_OF(states) + 1));
}

/* oftp2.md 6.7 (b): a peer that greets with another command of OFTP is told so in OFTP. */
static void test_another_command_in_place_of_the_ready_message(void **state)
{
    (void)state;
    for (const char *c = "XJASH23DCT45RENP"; *c != '\0'; c++) {
        one_at(&o, "I_WF_RM");
        one_command(&o, *c);
        one_aborted(&o, ESID_VIOLATION);
        one_done(&o);
    }
}

/* OFTP2-C19: an octet that is no command; SECD, AUCH, AURP and NERP where the level has none. */
static void test_unknown_commands_are_answered_01(void **state)
{
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    for (int c = 0; c < 256; c++) {
        uint8_t octet = (uint8_t)c;

        if (c != 0 && strchr("IXJASH23DCT45RENPF", c) != NULL)
            continue;
        one_at(&o, "IDLELI");
        one_oeb(&o, &octet, 1);
        one_aborted(&o, ESID_UNKNOWN_COMMAND);
        one_done(&o);
    }
    for (const char *c = "JASN"; *c != '\0'; c++) {
        one_open(&o, &cfg);
        one_ssid(&o, &peer, OFTP_13);
        MUST(oftp_session_accept(o.s, &cfg, &o.ev, &o.err));
        one_sends(&o, "IX");
        one_oeb(&o, c, 1);
        one_aborted(&o, ESID_UNKNOWN_COMMAND);
        one_done(&o);
    }
}

/* OFTP2-C47: SECD, AUCH, AURP from one side, then from the other; then the initiator speaks. */
static void test_secure_authentication_runs_both_ways(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 30; chunk++) {
        pair_new(&p);
        p.i.cfg.auth = p.r.cfg.auth = true;
        p.chunk = chunk;
        pair_open(&p);
        pair_run(&p);
        assert_string_equal(p.log, "r:I i:X r:X i:J r:A i:S r:J i:A r:S i:R r:F");
        assert_true(p.i.started && p.r.started && p.i.ended_well);
        pair_free(&p);
    }
}

/* OFTP2-C49: a response with one bit changed, to either side. */
static void test_a_wrong_response_is_refused_with_11(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        pair_new(&p);
        p.i.cfg.auth = p.r.cfg.auth = true;
        *(k == 0 ? &p.i.bad_challenge : &p.r.bad_challenge) = true;
        pair_open(&p);
        pair_run(&p);
        if (k == 0) {
            assert_string_equal(p.log, "r:I i:X r:X i:J r:A i:S r:F");
            assert_true(p.r.aborted && p.r.local && p.i.aborted && !p.i.local);
            assert_false(p.i.started || p.r.started);
        } else {
            assert_string_equal(p.log, "r:I i:X r:X i:J r:A i:S r:J i:A r:S i:F");
            assert_true(p.i.aborted && p.i.local && p.r.aborted && !p.r.local);
            assert_false(p.i.started);
        }
        assert_int_equal(p.i.reason, ESID_CHALLENGE);
        assert_int_equal(p.r.reason, ESID_CHALLENGE);
        pair_free(&p);
    }
}

/* OFTP2-C49: every single bit of the response counts. */
static void test_every_bit_of_the_response_counts(void **state)
{
    (void)state;
    for (int bit = 0; bit < 160; bit++) {
        uint8_t aurp[21] = { 'S', 1, 2, 3 };

        one_at(&o, "WF_AURP");
        aurp[1 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        one_oeb(&o, aurp, sizeof(aurp));
        one_aborted(&o, ESID_CHALLENGE);
        one_done(&o);
    }
}

/* OFTP2-C50, OFTP2-C51: the application that cannot decrypt ends with 11; nothing of what it
 * decrypted goes out. */
static void test_a_challenge_that_cannot_be_answered_ends_with_11(void **state)
{
    (void)state;
    one_at(&o, "AUCHP");
    oftp_session_abort(o.s, ESID_CHALLENGE, "the challenge cannot be decrypted");
    one_sends(&o, "F");
    assert_int_equal(esid_reason(o.octets, o.n), ESID_CHALLENGE);
    one_done(&o);
}

static bool ask(struct one *q, unsigned request)
{
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);
    struct oftp_config cfg = config_of(false);
    static const uint8_t twenty[OFTP_CHALLENGE_SIZE];
    struct span in = span_of("x", 1);
    bool whole;

    q->err = (struct err) { 0 };
    switch (request) {
    case 0:
        return oftp_session_accept(q->s, &cfg, &q->ev, &q->err);
    case 1:
        return oftp_session_challenge(q->s, twenty, span_of("abc", 3), &q->err);
    case 2:
        return oftp_session_respond(q->s, twenty, &q->err);
    case 3:
        return oftp_session_offer_file(q->s, &f, &q->err);
    case 4:
        return oftp_session_respond_file(q->s, &r, &q->err);
    case 5:
        return oftp_session_pass_turn(q->s, &q->err);
    case 6:
        return oftp_session_data(q->s, &in, false, &whole, &q->err);
    case 7:
        return oftp_session_file_end(q->s, &(struct oftp_efid) { 0, 1 }, &q->err);
    case 8:
        return oftp_session_take_file(q->s, 0, 0, 0, &q->err);
    case 9:
        return oftp_session_refuse_file(q->s, 1, false, NULL, &q->err);
    case 10:
        return oftp_session_grant(q->s, &q->err);
    case 11:
        return oftp_session_end_taken(q->s, false, &q->err);
    case 12:
        return oftp_session_end_refused(q->s, 11, NULL, &q->err);
    default:
        return oftp_session_ready(q->s, &q->err);
    }
}

/* OFTP2-C112: no request goes out in a state that has no place for it (between EERP and RTR:
 * none at all), and asking harms nothing. */
static void test_requests_at_the_wrong_time_are_refused(void **state)
{
    /* accept challenge respond offer response pass data end take refuse grant taken refused rtr */
    static const struct {
        const char *state, *allowed;
    } rows[] = {
        { "I_WF_RM", "00000000000000" },   { "I_WF_SSID", "00000000000000" },
        { "A_NC_ONLY", "00000000000000" }, { "A_WF_CONRS", "10000000000000" },
        { "WF_SECD", "00000000000000" },   { "SECDP", "01000000000000" },
        { "WF_AUCH", "00000000000000" },   { "AUCHP", "00100000000000" },
        { "WF_AURP", "00000000000000" },   { "IDLESP", "00011100000000" },
        { "IDLESPCD", "00011100000000" },  { "WF_RTR", "00000000000000" },
        { "OPOP", "00000000000000" },      { "OPO", "00000010000000" },
        { "OPOWFC", "00000000000000" },    { "CLOP", "00000000000000" },
        { "WF_CD", "00000000000000" },     { "IDLELI", "00000000000000" },
        { "IDLELICD", "00000000000000" },  { "OPIP", "00000000110000" },
        { "OPI", "00000000000000" },       { "CLIP", "00000000000110" },
        { "RTRP", "00000000000001" },      { "WF_NDISC", "00000000000000" },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        for (unsigned request = 0; request < 14; request++) {
            one_at(&o, rows[k].state);
            if (rows[k].allowed[request] == '1') {
                assert_true(ask(&o, request));
            } else {
                assert_false(ask(&o, request));
                assert_int_equal(o.err.kind, FAIL_LOCAL);
                one_in(&o, rows[k].state);
                one_sends(&o, "");
            }
            one_done(&o);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_responder_speaks_first),
        cmocka_unit_test(test_the_initiator_waits_for_the_ready_message),
        cmocka_unit_test(test_the_ready_message_is_checked),
        cmocka_unit_test(test_an_esid_ends_every_state_of_the_start),
        cmocka_unit_test(test_every_command_in_every_state_of_the_start),
        cmocka_unit_test(test_another_command_in_place_of_the_ready_message),
        cmocka_unit_test(test_unknown_commands_are_answered_01),
        cmocka_unit_test(test_secure_authentication_runs_both_ways),
        cmocka_unit_test(test_a_wrong_response_is_refused_with_11),
        cmocka_unit_test(test_every_bit_of_the_response_counts),
        cmocka_unit_test(test_a_challenge_that_cannot_be_answered_ends_with_11),
        cmocka_unit_test(test_requests_at_the_wrong_time_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
