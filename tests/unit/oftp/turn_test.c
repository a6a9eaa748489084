#include "support.h"

static struct one o;
static struct pair p;
static const uint8_t octets[100] = "content";

static void run(void)
{
    pair_open(&p);
    pair_run(&p);
}

/* OFTP2-C90: nothing on either side: CD, ESID(00), in order on both. */
static void test_two_idle_sides_end_the_session(void **state)
{
    (void)state;
    pair_new(&p);
    run();
    assert_string_equal(p.log, "r:I i:X r:X i:R r:F");
    assert_true(p.i.ended_well && !p.i.aborted && !p.r.aborted);
    assert_true(oftp_session_over(p.i.s));
    assert_true(oftp_session_ending(p.r.s) && !oftp_session_over(p.r.s));
    pair_free(&p);
}

/* OFTP2-C92, OFTP2-C111: the responder with an EERP ends its turn by CD, so that the initiator
 * ends the session: the smallest session of oftp2.md 6.2 and 17. */
static void test_after_an_eerp_the_turn_goes_back(void **state)
{
    struct job file = { .sfid = sfid_of('U', 0), .octets = octets, .n = 13 };
    struct oftp_response r = eerp_of(&file.sfid);
    struct job response = { .response = &r };
    (void)state;

    pair_new(&p);
    p.i.jobs = &file;
    p.i.jobs_n = 1;
    p.r.jobs = &response;
    p.r.jobs_n = 1;
    run();
    assert_string_equal(p.log, "r:I i:X r:X i:H r:2 i:D i:T r:4 i:R r:E i:P r:R i:F");
    assert_int_equal(p.i.responses, 1);
    assert_int_equal(p.r.acknowledged, 1);
    assert_true(p.r.ended_well);
    pair_free(&p);
}

/* OFTP2-C87, OFTP2-C93: EFPA(Y) is answered by CD at once, though more files wait; the side that
 * asked may give the turn straight back with CD, and does not end the session. */
static void test_the_listener_can_ask_for_the_turn(void **state)
{
    struct job files[] = { { .sfid = sfid_of('U', 0), .octets = octets, .n = 13 },
                           { .sfid = sfid_of('U', 0), .octets = octets, .n = 14 } };
    struct oftp_response r = eerp_of(&files[0].sfid);
    struct job response = { .response = &r };
    (void)state;

    for (size_t k = 0; k < 2; k++) {
        pair_new(&p);
        p.r.want_turn = true;
        p.i.jobs = files;
        p.i.jobs_n = 2;
        p.r.jobs = &response;
        p.r.jobs_n = k;
        run();
        /* The turn is asked for again with the second file. */
        assert_string_equal(p.log, k == 0 ? "r:I i:X r:X i:H r:2 i:D i:T r:4 i:R r:R "
                                            "i:H r:2 i:D i:T r:4 i:R r:R i:F"
                                          : "r:I i:X r:X i:H r:2 i:D i:T r:4 i:R r:E i:P r:R "
                                            "i:H r:2 i:D i:T r:4 i:R r:R i:F");
        assert_int_equal(p.i.taken, 2);
        assert_true(p.r.ended_well);
        pair_free(&p);
    }
}

/* OFTP2-C91: CD answered by CD. */
static void test_cd_must_not_be_answered_by_cd(void **state)
{
    (void)state;
    one_at(&o, "IDLELICD");
    one_command(&o, 'R');
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* OFTP2-C92: whatever was sent, a refused file too, the turn then ends by CD. */
static void test_anything_sent_takes_the_duty_to_end_away(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        struct oftp_sfid f = sfid_of('U', 0);
        struct oftp_response r = eerp_of(&f);

        one_at(&o, "IDLESPCD");
        if (k == 1) {
            MUST(oftp_session_respond_file(o.s, &r, &o.err));
            one_command(&o, 'P');
        } else if (k == 2) {
            MUST(oftp_session_offer_file(o.s, &f, &o.err));
            one_command(&o, '3');
        }
        (void)one_sent(&o);
        MUST(oftp_session_pass_turn(o.s, &o.err));
        one_sends(&o, k == 0 ? "F" : "R");
        one_in(&o, k == 0 ? "WF_NDISC" : "IDLELICD");
        if (k == 0)
            assert_memory_equal(o.octets,
                                "\x10\0\0\x0b"
                                "F00000\r",
                                11);
        one_done(&o);
    }
}

/* OFTP2-C93: after EFPA(Y) and CD the former Speaker is not told ESID(00) by us: we have CD. */
static void test_a_turn_that_was_asked_for_ends_by_cd(void **state)
{
    (void)state;
    one_at(&o, "WF_CD");
    one_command(&o, 'R');
    one_in(&o, "IDLESP");
    MUST(oftp_session_pass_turn(o.s, &o.err));
    one_sends(&o, "R");
    one_in(&o, "IDLELICD");
    one_done(&o);
}

/* OFTP2-C111, OFTP2-C112: files and responses in both directions of one session; nothing is sent
 * between EERP and RTR. */
static void test_files_and_responses_both_ways(void **state)
{
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response eerp = eerp_of(&f), nerp = eerp_of(&f);
    struct job i[] = { { .response = &eerp }, { .sfid = f, .octets = octets, .n = 100 } };
    struct job r[] = { { .sfid = f, .octets = octets, .n = 50 }, { .response = &nerp } };
    (void)state;

    nerp.negative = true;
    nerp.reas = NERP_PROCESSING;
    strcpy(nerp.crea, CODE_R);
    for (size_t chunk = 0; chunk < 200; chunk += chunk < 20 ? 1 : 37) {
        pair_new(&p);
        p.chunk = chunk;
        p.i.jobs = i;
        p.i.jobs_n = 2;
        p.r.jobs = r;
        p.r.jobs_n = 2;
        run();
        assert_string_equal(p.log, "r:I i:X r:X i:E r:P i:H r:2 i:D i:T r:4 i:R "
                                   "r:H i:2 r:D r:T i:4 r:N i:P r:R i:F");
        assert_int_equal(p.r.got_n, 100);
        assert_int_equal(p.i.got_n, 50);
        assert_true(p.r.ended_well);
        pair_free(&p);
    }
}

/* OFTP2-C5: the same session, cut into every size from one octet up; and ten buffers at once. */
static void test_every_split_of_a_session(void **state)
{
    static uint8_t file[3000];
    struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = sizeof(file) };
    char want[sizeof(p.log)] = "";
    (void)state;

    for (size_t k = 0; k < sizeof(file); k++)
        file[k] = (uint8_t)(k * k >> 3);
    for (size_t chunk = 0; chunk <= 700; chunk++) {
        pair_new(&p);
        p.chunk = chunk;
        p.i.cfg.sdeb = 200;
        p.i.jobs = &job;
        p.i.jobs_n = 1;
        run();
        if (chunk == 0)
            strcpy(want, p.log);
        assert_string_equal(p.log, want);
        assert_int_equal(p.r.got_n, sizeof(file));
        assert_memory_equal(p.r.got, file, sizeof(file));
        assert_true(p.i.ended_well);
        pair_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_idle_sides_end_the_session),
        cmocka_unit_test(test_after_an_eerp_the_turn_goes_back),
        cmocka_unit_test(test_the_listener_can_ask_for_the_turn),
        cmocka_unit_test(test_cd_must_not_be_answered_by_cd),
        cmocka_unit_test(test_anything_sent_takes_the_duty_to_end_away),
        cmocka_unit_test(test_a_turn_that_was_asked_for_ends_by_cd),
        cmocka_unit_test(test_files_and_responses_both_ways),
        cmocka_unit_test(test_every_split_of_a_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
