#include "support.h"

static struct one o;
static struct pair p;

/* Gives the initiator's SSID to a responder and lets it answer. */
static void call(const struct oftp_config *peer, int level, const struct oftp_config *cfg)
{
    one_open(&o, cfg);
    one_sends(&o, "I");
    one_ssid(&o, peer, level);
    if (o.ev.kind == OFTP_SSID)
        MUST(oftp_session_accept(o.s, cfg, &o.ev, &o.err));
}

/* Gives the responder's SSID to an initiator. */
static void answer(const struct oftp_config *cfg, const struct oftp_config *peer, int level)
{
    one_open(&o, cfg);
    one_oeb(&o, "IODETTE FTP READY \r", 19);
    one_sends(&o, "X");
    one_ssid(&o, peer, level);
}

static struct oftp_ssid ssid_sent(void)
{
    struct oftp_ssid c;

    MUST(oftp_read_ssid(span_of(o.octets + OFTP_STH, o.n - OFTP_STH), &c, &o.err));
    return c;
}

/* OFTP2-C28: the answer is the lower of both levels; 9 gets our maximum, 3 becomes 2. */
static void test_the_responder_answers_the_lower_level(void **state)
{
    static const int levels[] = { 1, 2, 4, 5 };
    (void)state;

    for (size_t own = 0; own < 4; own++) {
        for (int offered = 1; offered <= 9; offered++) {
            struct oftp_config cfg = config_of(false), peer = config_of(true);
            int want = offered == 3 ? 2 : offered > 5 ? 5 : offered;

            cfg.level_max = levels[own];
            if (want > cfg.level_max)
                want = cfg.level_max;
            call(&peer, offered, &cfg);
            assert_int_equal(o.ev.kind, OFTP_STARTED);
            one_sends(&o, "X");
            assert_int_equal(ssid_sent().lev, want);
            assert_int_equal(oftp_session_level(o.s), want);
            one_done(&o);
        }
    }
}

/* OFTP2-C29, OFTP2-C28: as initiator every level up to the offered one is taken, none above. */
static void test_the_initiator_refuses_a_higher_level(void **state)
{
    static const int levels[] = { 1, 2, 4, 5 };
    (void)state;

    for (size_t own = 0; own < 4; own++) {
        for (int got = 1; got <= 9; got++) {
            struct oftp_config cfg = config_of(true), peer = config_of(false);

            cfg.level_max = levels[own];
            answer(&cfg, &peer, got);
            if (got <= cfg.level_max && got != 3) {
                assert_int_equal(o.ev.kind, OFTP_STARTED);
                assert_int_equal(oftp_session_level(o.s), got);
            } else {
                one_aborted(&o, ESID_INCOMPATIBLE);
            }
            one_done(&o);
        }
    }
}

/* OFTP2-C30: a partner restricted to 2.0 gets ESID(10) in place of our SSID. */
static void test_a_level_below_the_lowest_is_refused(void **state)
{
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    cfg.level_min = OFTP_20;
    call(&peer, OFTP_14, &cfg);
    one_aborted(&o, ESID_INCOMPATIBLE);
    assert_int_equal(o.n, 0);
    one_done(&o);

    cfg = config_of(true);
    peer = config_of(false);
    cfg.level_min = OFTP_20;
    answer(&cfg, &peer, OFTP_14);
    one_aborted(&o, ESID_INCOMPATIBLE);
    one_done(&o);
}

/* OFTP2-C30: the ESID has the layout of the level that the peer spoke. */
static void test_a_refusal_is_written_in_the_level_of_the_peer(void **state)
{
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    cfg.level_min = OFTP_20;
    call(&peer, OFTP_14, &cfg);
    one_sends(&o, "F");
    assert_int_equal(o.n, 8);
    assert_memory_equal(o.octets,
                        "\x10\0\0\x08"
                        "F10\r",
                        8);
    one_done(&o);
}

/* OFTP2-C31: 4096 against 2048 gives 2048 on both sides. OFTP2-C32: never more than offered. */
static void test_buffer_and_credit_are_the_lower_ones(void **state)
{
    static const uint32_t sdeb[] = { 128, 2048, 99999 };
    static const uint16_t cred[] = { 1, 8, 999 };
    (void)state;

    for (size_t k = 0; k < 9; k++) {
        uint32_t want = sdeb[k % 3] < sdeb[k / 3] ? sdeb[k % 3] : sdeb[k / 3];
        uint16_t window = cred[k % 3] < cred[k / 3] ? cred[k % 3] : cred[k / 3];

        pair_new(&p);
        p.i.cfg.sdeb = sdeb[k % 3];
        p.r.cfg.sdeb = sdeb[k / 3];
        p.i.cfg.cred = cred[k % 3];
        p.r.cfg.cred = cred[k / 3];
        p.i.no_pass = true;
        pair_open(&p);
        pair_run(&p);
        assert_true(p.i.started && p.r.started);
        assert_int_equal(oftp_session_sdeb(p.i.s), want);
        assert_int_equal(oftp_session_sdeb(p.r.s), want);
        assert_int_equal(oftp_session_credit(p.i.s), window);
        assert_int_equal(oftp_session_credit(p.r.s), window);
        pair_free(&p);
    }
}

/* OFTP2-C31: a responder that answers its own maximum is held to what was offered. */
static void test_a_larger_buffer_in_the_answer_is_cut_to_the_offer(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    (void)state;

    peer.sdeb = 65535;
    answer(&cfg, &peer, OFTP_20);
    assert_int_equal(o.ev.kind, OFTP_STARTED);
    assert_int_equal(oftp_session_sdeb(o.s), 4096);
    one_done(&o);
}

/* OFTP2-C33: a larger credit in the answer ends the session before any data. */
static void test_a_larger_credit_in_the_answer_is_refused(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    (void)state;

    peer.cred = 33;
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

static void patched(bool initiator, size_t at, const char *with)
{
    char oeb[] = "X5O0013000000ALPHA         ALPHAPW104096BYYN008N            \r";
    struct oftp_config cfg = config_of(initiator);

    if (initiator)
        memcpy(oeb, "X5O0013000000BETA          BETAPW  ", 35);
    memcpy(oeb + at, with, strlen(with));
    one_open(&o, &cfg);
    if (initiator)
        one_oeb(&o, "IODETTE FTP READY \r", 19);
    (void)one_sent(&o);
    one_text(&o, oeb);
}

/* OFTP2-C34: SSIDSDEB 00127. OFTP2-C35: SSIDCRED 000. OFTP2-C21, OFTP2-C22: bad fields. */
static void test_impossible_values_are_refused_with_06(void **state)
{
    static const struct {
        size_t at;
        const char *with;
    } bad[] = { { 35, "00127" }, { 44, "000" }, { 35, "0409A" }, { 40, "X" }, { 1, "A" } };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(bad) * 2; k++) {
        patched(k % 2 == 1, bad[k / 2].at, bad[k / 2].with);
        one_aborted(&o, ESID_INVALID_DATA);
        one_done(&o);
    }
}

/* OFTP2-C36: every pair of directions, as responder and as initiator, against the table of
 * oftp2.md 3.3. */
static void test_all_pairs_of_directions(void **state)
{
    /* offered, own, answered ('-': ESID 10), and what the responder may then do */
    static const struct {
        char offered, own, answer;
        bool send, take;
    } rows[] = {
        { 'S', 'S', '-', 0, 0 }, { 'S', 'R', 'R', 0, 1 }, { 'S', 'B', 'R', 0, 1 },
        { 'R', 'S', 'S', 1, 0 }, { 'R', 'R', '-', 0, 0 }, { 'R', 'B', 'S', 1, 0 },
        { 'B', 'S', 'S', 1, 0 }, { 'B', 'R', 'R', 0, 1 }, { 'B', 'B', 'B', 1, 1 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        struct oftp_config cfg = config_of(false), peer = config_of(true);

        cfg.sr = rows[k].own;
        peer.sr = rows[k].offered;
        call(&peer, OFTP_20, &cfg);
        if (rows[k].answer == '-') {
            one_aborted(&o, ESID_INCOMPATIBLE);
        } else {
            one_sends(&o, "X");
            assert_int_equal(ssid_sent().sr, rows[k].answer);
            assert_int_equal(oftp_session_may_send_files(o.s), rows[k].send);
            assert_int_equal(oftp_session_may_take_files(o.s), rows[k].take);
        }
        one_done(&o);
    }
}

/* OFTP2-C36: what an initiator makes of each answer; B to S and to R is tolerated. */
static void test_all_answers_about_the_direction(void **state)
{
    static const struct {
        char offered, answer;
        bool ok, send, take;
    } rows[] = {
        { 'S', 'S', 0, 0, 0 }, { 'S', 'R', 1, 1, 0 }, { 'S', 'B', 1, 1, 0 },
        { 'R', 'S', 1, 0, 1 }, { 'R', 'R', 0, 0, 0 }, { 'R', 'B', 1, 0, 1 },
        { 'B', 'S', 1, 0, 1 }, { 'B', 'R', 1, 1, 0 }, { 'B', 'B', 1, 1, 1 },
    };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        struct oftp_config cfg = config_of(true), peer = config_of(false);

        cfg.sr = rows[k].offered;
        peer.sr = rows[k].answer;
        answer(&cfg, &peer, OFTP_20);
        if (rows[k].ok) {
            assert_int_equal(oftp_session_may_send_files(o.s), rows[k].send);
            assert_int_equal(oftp_session_may_take_files(o.s), rows[k].take);
        } else {
            one_aborted(&o, ESID_INCOMPATIBLE);
        }
        one_done(&o);
    }
}

/* OFTP2-C37: a session that only takes files refuses to offer one, and still sends EERP and
 * ESID; the peer's SFID in a session that only sends is a violation. */
static void test_the_direction_restricts_files_only(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);
    (void)state;

    cfg.sr = 'R';
    answer(&cfg, &peer, OFTP_20);
    assert_false(oftp_session_offer_file(o.s, &f, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    one_in(&o, "IDLESP");
    MUST(oftp_session_respond_file(o.s, &r, &o.err));
    one_sends(&o, "E");
    oftp_session_abort(o.s, ESID_SHUTDOWN, NULL);
    one_sends(&o, "F");
    one_done(&o);

    cfg = config_of(false);
    cfg.sr = 'S';
    one_idleli(&o, &cfg);
    one_sfid(&o, &f);
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* OFTP2-C38, OFTP2-C39: compression and restart only when both want them. */
static void test_compression_and_restart_need_both(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 16; k++) {
        pair_new(&p);
        p.i.cfg.cmpr = k & 1;
        p.r.cfg.cmpr = k & 2;
        p.i.cfg.rest = k & 4;
        p.r.cfg.rest = k & 8;
        p.i.no_pass = true;
        pair_open(&p);
        pair_run(&p);
        assert_int_equal(oftp_session_compression(p.i.s), (k & 3) == 3);
        assert_int_equal(oftp_session_compression(p.r.s), (k & 3) == 3);
        assert_int_equal(oftp_session_restart(p.i.s), (k & 12) == 12);
        assert_int_equal(oftp_session_restart(p.r.s), (k & 12) == 12);
        pair_free(&p);
    }
}

/* OFTP2-C40: special logic offered on TCP is answered N; insisted on, it is refused. */
static void test_special_logic_is_never_agreed(void **state)
{
    struct oftp_config cfg = config_of(false);
    (void)state;

    patched(false, 43, "Y");
    assert_int_equal(o.ev.kind, OFTP_SSID);
    MUST(oftp_session_accept(o.s, &cfg, &o.ev, &o.err));
    one_sends(&o, "X");
    assert_false(ssid_sent().spec);
    one_in(&o, "IDLELI");
    one_done(&o);

    patched(true, 43, "Y");
    one_aborted(&o, ESID_INCOMPATIBLE);
    one_done(&o);
}

/* OFTP2-C41: secure authentication is not negotiable, in both roles; below level 5 there is
 * none. */
static void test_authentication_must_be_equal(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        bool initiator = k & 1, own = k & 2, theirs = k & 4;
        struct oftp_config cfg = config_of(initiator), peer = config_of(!initiator);

        cfg.auth = own;
        peer.auth = theirs;
        if (initiator)
            answer(&cfg, &peer, OFTP_20);
        else
            call(&peer, OFTP_20, &cfg);
        if (own != theirs)
            one_aborted(&o, ESID_AUTHENTICATION);
        else
            one_in(&o, own         ? initiator ? "WF_AUCH" : "WF_SECD"
                       : initiator ? "IDLESP"
                                   : "IDLELI");
        one_done(&o);
    }
}

/* OFTP2-C41: level 4 cannot authenticate; who requires it does not go on without. */
static void test_authentication_does_not_vanish_with_the_level(void **state)
{
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    cfg.auth = peer.auth = true;
    call(&peer, OFTP_14, &cfg);
    one_aborted(&o, ESID_AUTHENTICATION);
    one_done(&o);

    cfg.level_max = OFTP_14;
    call(&peer, OFTP_20, &cfg);
    one_aborted(&o, ESID_AUTHENTICATION);
    one_done(&o);

    cfg = config_of(true);
    peer = config_of(false);
    cfg.auth = true;
    answer(&cfg, &peer, OFTP_14);
    one_aborted(&o, ESID_AUTHENTICATION);
    one_done(&o);
}

/* OFTP2-C41: at the responder 12 goes before 10, at the initiator 10 before 12. */
static void test_the_order_of_two_failures(void **state)
{
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    cfg.auth = true;
    cfg.sr = peer.sr = 'S';
    call(&peer, OFTP_20, &cfg);
    one_aborted(&o, ESID_AUTHENTICATION);
    one_done(&o);

    cfg = config_of(true);
    peer = config_of(false);
    cfg.auth = true;
    cfg.sr = peer.sr = 'S';
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_INCOMPATIBLE);
    one_done(&o);
}

/* OFTP2-C42, OFTP2-C45: the application's refusal goes out in place of our SSID. */
static void test_the_application_refuses_a_caller(void **state)
{
    static const int reasons[] = { ESID_UNKNOWN_CODE, ESID_PASSWORD, ESID_RESOURCES };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(reasons); k++) {
        pair_new(&p);
        p.r.reject = reasons[k];
        pair_open(&p);
        pair_run(&p);
        assert_string_equal(p.log, "r:I i:X r:F");
        assert_true(p.i.aborted && !p.i.local && !p.i.started);
        assert_int_equal(p.i.reason, reasons[k]);
        assert_string_equal(p.i.text, "not you");
        assert_true(oftp_session_over(p.i.s));
        pair_free(&p);
    }
}

/* OFTP2-C43: who answers must be whom we called, with the password that we expect. */
static void test_the_initiator_checks_who_answers(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    (void)state;

    strcpy(peer.code, "O0013000000GAMMA");
    strcpy(peer.pswd, "WRONG");
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_UNKNOWN_CODE); /* 03 goes before 04 */
    one_done(&o);

    strcpy(peer.code, CODE_R);
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_PASSWORD);
    one_done(&o);

    strcpy(peer.pswd, "betapw");
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_PASSWORD);
    one_done(&o);

    cfg.peer_pswd_any = true;
    answer(&cfg, &peer, OFTP_20);
    assert_int_equal(o.ev.kind, OFTP_STARTED);
    one_done(&o);
}

/* OFTP2-C27: codes that differ only in the sub-address are different partners. */
static void test_the_sub_address_belongs_to_the_code(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    (void)state;

    strcpy(cfg.peer_code, "O0013ACME          PLANT1");
    strcpy(peer.code, "O0013ACME          PLANT1");
    answer(&cfg, &peer, OFTP_20);
    assert_int_equal(o.ev.kind, OFTP_STARTED);
    one_done(&o);
    strcpy(peer.code, "O0013ACME          PLANT2");
    answer(&cfg, &peer, OFTP_20);
    one_aborted(&o, ESID_UNKNOWN_CODE);
    one_done(&o);
}

/* OFTP2-C44: the responder's SSID has its own code and password, to the octet as in oftp2.md 17. */
static void test_the_answer_carries_our_own_code_and_password(void **state)
{
    static const char want[] = "\x10\0\0\x41X5O0013000000BETA          BETAPW  02048BYYN"
                               "008N            \r";
    struct oftp_config cfg = config_of(false), peer = config_of(true);
    (void)state;

    call(&peer, OFTP_20, &cfg);
    one_sends(&o, "X");
    assert_int_equal(o.n, 65);
    assert_memory_equal(o.octets, want, 65);
    one_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_responder_answers_the_lower_level),
        cmocka_unit_test(test_the_initiator_refuses_a_higher_level),
        cmocka_unit_test(test_a_level_below_the_lowest_is_refused),
        cmocka_unit_test(test_a_refusal_is_written_in_the_level_of_the_peer),
        cmocka_unit_test(test_buffer_and_credit_are_the_lower_ones),
        cmocka_unit_test(test_a_larger_buffer_in_the_answer_is_cut_to_the_offer),
        cmocka_unit_test(test_a_larger_credit_in_the_answer_is_refused),
        cmocka_unit_test(test_impossible_values_are_refused_with_06),
        cmocka_unit_test(test_all_pairs_of_directions),
        cmocka_unit_test(test_all_answers_about_the_direction),
        cmocka_unit_test(test_the_direction_restricts_files_only),
        cmocka_unit_test(test_compression_and_restart_need_both),
        cmocka_unit_test(test_special_logic_is_never_agreed),
        cmocka_unit_test(test_authentication_must_be_equal),
        cmocka_unit_test(test_authentication_does_not_vanish_with_the_level),
        cmocka_unit_test(test_the_order_of_two_failures),
        cmocka_unit_test(test_the_application_refuses_a_caller),
        cmocka_unit_test(test_the_initiator_checks_who_answers),
        cmocka_unit_test(test_the_sub_address_belongs_to_the_code),
        cmocka_unit_test(test_the_answer_carries_our_own_code_and_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
