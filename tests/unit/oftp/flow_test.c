#include "support.h"

static struct one o;
static struct pair p;
static uint8_t file[1 << 20];

static void open_out(uint16_t credit, uint32_t sdeb)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);

    cfg.cred = credit;
    cfg.sdeb = sdeb;
    cfg.cmpr = false;
    one_opo(&o, &cfg, &f);
}

static void open_in(uint16_t credit)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);

    cfg.cred = credit;
    one_opi(&o, &cfg, &f);
}

static bool put(size_t n, bool end)
{
    struct span in = span_of(file, n);
    bool whole;

    MUST(oftp_session_data(o.s, &in, end, &whole, &o.err));
    return whole;
}

/* OFTP2-C80: exactly n DATA, then nothing until CDT; the EFID waits too. */
static void test_the_speaker_stops_when_the_credit_is_used_up(void **state)
{
    (void)state;
    open_out(3, 128);
    assert_true(oftp_session_wants_data(o.s));
    assert_false(put(1000, true));
    one_sends(&o, "DDD");
    one_in(&o, "OPOWFC");
    assert_false(oftp_session_wants_data(o.s));
    assert_false(put(10, true));
    one_sends(&o, "");
    one_command(&o, 'C');
    one_in(&o, "OPO");
    assert_true(put(3 * 125, true));
    MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 0, 6 * 125 }, &o.err));
    one_sends(&o, "DDD");
    one_in(&o, "OPOWFC");
    one_command(&o, 'C');
    one_sends(&o, "T");
    one_in(&o, "CLOP");
    one_done(&o);
}

/* OFTP2-C81: CDT after exactly n DATA and only when it is granted, also where the file ends. */
static void test_the_listener_renews_credit_only_when_told(void **state)
{
    (void)state;
    open_in(3);
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < 3; k++) {
            assert_false(oftp_session_grant(o.s, &o.err));
            one_data(&o, "abc");
            one_sends(&o, "");
        }
        assert_int_equal(o.ev.kind, OFTP_CREDIT_DUE);
        MUST(oftp_session_grant(o.s, &o.err));
        one_sends(&o, "C");
        assert_memory_equal(o.octets, "\x10\0\0\7C  ", 7);
    }
    one_efid(&o, 0, 27);
    assert_int_equal(o.ev.reason, 0);
    one_done(&o);
}

/* OFTP2-C82: a buffer that there is no credit for. */
static void test_data_beyond_the_credit_is_a_violation(void **state)
{
    (void)state;
    open_in(2);
    one_data(&o, "abc");
    one_data(&o, "abc");
    assert_int_equal(o.ev.kind, OFTP_CREDIT_DUE);
    one_data(&o, "abc");
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* A buffer without content consumes credit like any other. */
static void test_an_empty_buffer_consumes_credit(void **state)
{
    (void)state;
    open_in(2);
    one_text(&o, "D");
    assert_int_equal(o.ev.kind, OFTP_NONE);
    one_text(&o, "D");
    assert_int_equal(o.ev.kind, OFTP_CREDIT_DUE);
    one_done(&o);
}

/* OFTP2-C83: EFID at credit 0, before the CDT was sent or before it was seen. */
static void test_an_early_end_of_file_is_accepted(void **state)
{
    static const uint8_t both[] = "\x10\0\0\x08"
                                  "D\x82xy\x10\0\0\x27"
                                  "T0000000000000000000000000000000002";
    struct span in = span_of(both, sizeof(both) - 1);
    (void)state;

    open_in(1);
    one_data(&o, "abc");
    assert_int_equal(o.ev.kind, OFTP_CREDIT_DUE);
    one_efid(&o, 0, 3);
    assert_int_equal(o.ev.kind, OFTP_FILE_ENDED);
    assert_int_equal(o.ev.reason, 0);
    assert_false(oftp_session_grant(o.s, &o.err));
    MUST(oftp_session_end_taken(o.s, false, &o.err));
    one_sends(&o, "4");
    one_done(&o);

    /* The CDT is on its way: then it crosses the EFID. */
    open_in(1);
    one_data(&o, "abc");
    MUST(oftp_session_grant(o.s, &o.err));
    one_sends(&o, "C");
    one_efid(&o, 0, 3);
    MUST(oftp_session_end_taken(o.s, false, &o.err));
    one_sends(&o, "4");
    one_done(&o);

    /* The CDT has not left: it need not. */
    open_in(1);
    oftp_session_input(o.s, &in, 0, &o.ev);
    assert_int_equal(o.ev.kind, OFTP_DATA);
    oftp_session_input(o.s, &in, 0, &o.ev);
    assert_int_equal(o.ev.kind, OFTP_CREDIT_DUE);
    MUST(oftp_session_grant(o.s, &o.err));
    oftp_session_input(o.s, &in, 0, &o.ev);
    assert_int_equal(o.ev.kind, OFTP_FILE_ENDED);
    assert_int_equal(in.n, 0);
    MUST(oftp_session_end_taken(o.s, false, &o.err));
    one_sends(&o, "4");
    one_done(&o);
}

/* OFTP2-C83: as Speaker one CDT in place of EFPA is dropped, a second is a violation. */
static void test_one_crossing_cdt_is_dropped(void **state)
{
    (void)state;
    one_at(&o, "CLOP");
    one_command(&o, 'C');
    assert_int_equal(o.ev.kind, OFTP_NONE);
    one_in(&o, "CLOP");
    one_command(&o, '4');
    assert_int_equal(o.ev.kind, OFTP_FILE_TAKEN);
    one_done(&o);

    one_at(&o, "CLOP");
    one_command(&o, 'C');
    one_command(&o, 'C');
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* oftp2.md 5: a CDT that comes too early counts when the credit is used up, and never adds up. */
static void test_an_early_cdt_is_remembered(void **state)
{
    (void)state;
    open_out(2, 128);
    one_command(&o, 'C');
    one_in(&o, "OPO");
    assert_false(put(1000, true));
    one_sends(&o, "DDDD"); /* two, and two by the early CDT; not more */
    one_in(&o, "OPOWFC");
    one_command(&o, 'C');
    assert_false(put(1000, true));
    one_sends(&o, "DD");
    one_done(&o);

    open_out(2, 128);
    one_command(&o, 'C');
    one_command(&o, 'C');
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* OFTP2-C84: a file of 1 MiB with a window of one buffer of 128 octets. */
static void test_the_smallest_window(void **state)
{
    struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = sizeof(file) };
    (void)state;

    for (size_t k = 0; k < sizeof(file); k++)
        file[k] = (uint8_t)(k * k >> 7);
    pair_new(&p);
    p.i.cfg.cred = 1;
    p.i.cfg.sdeb = 128;
    p.i.jobs = &job;
    p.i.jobs_n = 1;
    pair_open(&p);
    pair_run(&p);
    assert_int_equal(p.i.taken, 1);
    assert_int_equal(p.r.got_n, sizeof(file));
    assert_memory_equal(p.r.got, file, sizeof(file));
    pair_free(&p);
}

/* OFTP2-C72: the output holds a few buffers at most, whatever the credit: memory is bounded. */
static void test_the_output_is_bounded(void **state)
{
    struct oftp_config cfg = config_of(true), peer = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    struct span in = span_of(file, sizeof(file)), out;
    bool whole;
    (void)state;

    cfg.cred = peer.cred = 999;
    cfg.sdeb = peer.sdeb = 99999;
    cfg.cmpr = false;
    one_open(&o, &cfg);
    one_oeb(&o, "IODETTE FTP READY \r", 19);
    one_sends(&o, "X");
    one_ssid(&o, &peer, OFTP_20);
    MUST(oftp_session_offer_file(o.s, &f, &o.err));
    one_sends(&o, "H");
    one_sfpa(&o, 0);
    while (in.n > 0) {
        MUST(oftp_session_data(o.s, &in, true, &whole, &o.err));
        out = oftp_session_output(o.s);
        assert_true(out.n <= 4 * 100003);
        if (in.n > 0 && !oftp_session_wants_data(o.s)) {
            assert_true(out.n > 3 * 100003);
            oftp_session_sent(o.s, out.n > 70001 ? 70001 : out.n, 0); /* never a whole buffer */
        }
    }
    assert_true(whole);
    one_done(&o);
}

/* A connection that takes odd pieces makes the engine move what is left; nothing is lost. */
static void test_the_output_may_be_sent_in_any_pieces(void **state)
{
    static const size_t chunks[] = { 70001, 99990, 100003, 100004, 250000 };
    struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = sizeof(file) };
    (void)state;

    for (size_t k = 0; k < sizeof(file); k++)
        file[k] = (uint8_t)(k * k >> 7);
    for (size_t k = 0; k < COUNT_OF(chunks); k++) {
        pair_new(&p);
        p.i.cfg.cred = p.r.cfg.cred = 999;
        p.i.cfg.sdeb = p.r.cfg.sdeb = 99999;
        p.chunk = chunks[k];
        p.i.jobs = &job;
        p.i.jobs_n = 1;
        pair_open(&p);
        pair_run(&p);
        assert_int_equal(p.i.taken, 1);
        assert_int_equal(p.r.got_n, sizeof(file));
        assert_memory_equal(p.r.got, file, sizeof(file));
        pair_free(&p);
    }
}

/* A Listener that grants late holds the Speaker back, and both wait for nobody but it. */
static void test_a_slow_disk_slows_the_partner(void **state)
{
    struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = 5000 };
    (void)state;

    pair_new(&p);
    p.r.no_grant = true;
    p.i.jobs = &job;
    p.i.jobs_n = 1;
    p.i.cfg.sdeb = 128;
    p.i.cfg.cmpr = false;
    pair_open(&p);
    pair_run(&p);
    assert_int_equal(p.r.got_n, 8 * 125);
    assert_true(oftp_session_deadline(p.r.s) == UINT64_MAX);
    assert_true(oftp_session_deadline(p.i.s) == 180000);
    p.r.no_grant = false;
    MUST(oftp_session_grant(p.r.s, &p.err));
    pair_run(&p);
    assert_int_equal(p.r.got_n, 5000);
    assert_int_equal(p.i.taken, 1);
    pair_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_speaker_stops_when_the_credit_is_used_up),
        cmocka_unit_test(test_the_listener_renews_credit_only_when_told),
        cmocka_unit_test(test_data_beyond_the_credit_is_a_violation),
        cmocka_unit_test(test_an_empty_buffer_consumes_credit),
        cmocka_unit_test(test_an_early_end_of_file_is_accepted),
        cmocka_unit_test(test_one_crossing_cdt_is_dropped),
        cmocka_unit_test(test_an_early_cdt_is_remembered),
        cmocka_unit_test(test_the_smallest_window),
        cmocka_unit_test(test_the_output_is_bounded),
        cmocka_unit_test(test_the_output_may_be_sent_in_any_pieces),
        cmocka_unit_test(test_a_slow_disk_slows_the_partner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
