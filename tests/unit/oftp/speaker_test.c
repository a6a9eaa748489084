#include "support.h"

static struct one o;
static struct pair p;

/* OFTP2-C97: the table of the Speaker, command by command and state by state. */
static void test_every_command_in_every_state_of_the_speaker(void **state)
{
    static const char *const states[] = { "IDLESP", "IDLESPCD", "WF_RTR", "OPOP",
                                          "OPO",    "OPOWFC",   "CLOP",   "WF_CD" };
    /* clang-format off */
    static const char *const cells[] = {
        "I", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "X", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "J", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "A", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "S", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "H", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "2", ".",    ".",    ".",      "OPO",    ".",    ".",    ".",      ".",
        "3", ".",    ".",    ".",      "IDLESP", ".",    ".",    ".",      ".",
        "D", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "C", ".",    ".",    ".",      ".",      "OPO",  "CLOP", "CLOP",   ".",
        "T", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "4", ".",    ".",    ".",      ".",      ".",    ".",    "IDLESP", ".",
        "Y", ".",    ".",    ".",      ".",      ".",    ".",    "IDLELI", ".",
        "5", ".",    ".",    ".",      ".",      ".",    ".",    "IDLESP", ".",
        "R", ".",    ".",    ".",      ".",      ".",    ".",    ".",      "IDLESP",
        "E", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "N", ".",    ".",    ".",      ".",      ".",    ".",    ".",      ".",
        "P", ".",    ".",    "IDLESP", ".",      ".",    ".",    ".",      ".",
        "F", "IDLE", "IDLE", "IDLE",   "IDLE",   "IDLE", "IDLE", "IDLE",   "IDLE",
        "G", "IDLE", "IDLE", "IDLE",   "IDLE",   "IDLE", "IDLE", "IDLE",   "IDLE",
    };
    /* clang-format on */
    (void)state;

    one_check_table(states, COUNT_OF(states), cells, COUNT_OF(cells) / (COUNT_OF(states) + 1));
}

/* OFTP2-C98: ESID in a Speaker state is an abort with the peer's reason, 00 included. */
static void test_an_esid_while_we_speak_is_an_abort(void **state)
{
    static const char *const states[] = { "IDLESP", "IDLESPCD", "WF_RTR", "OPOP",
                                          "OPO",    "OPOWFC",   "CLOP",   "WF_CD" };
    (void)state;

    for (size_t k = 0; k < COUNT_OF(states) * 2; k++) {
        one_at(&o, states[k / 2]);
        one_command(&o, k % 2 == 0 ? 'F' : 'G');
        assert_int_equal(o.ev.kind, OFTP_ABORTED);
        assert_int_equal(o.ev.reason, k % 2 == 0 ? 0 : 99);
        assert_false(o.ev.local);
        one_sends(&o, "");
        one_done(&o);
    }
}

static struct oftp_efid efid_sent(size_t at)
{
    struct oftp_efid c;

    MUST(oftp_read_efid(span_of(o.octets + at + OFTP_STH, 35), OFTP_20, &c, &o.err));
    return c;
}

static void put(const void *octets, size_t n, bool end)
{
    struct span in = span_of(octets, n);
    bool whole;

    MUST(oftp_session_data(o.s, &in, end, &whole, &o.err));
    assert_true(whole);
    assert_int_equal(in.n, 0);
}

/* OFTP2-C78: an empty file is 44 80 and EFID(0,0). */
static void test_an_empty_file_is_one_empty_record(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    one_opo(&o, &cfg, &f);
    put(NULL, 0, true);
    MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 0, 0 }, &o.err));
    one_sends(&o, "DT");
    assert_memory_equal(o.octets, "\x10\0\0\6D\x80", 6);
    assert_int_equal(efid_sent(6).ucnt, 0);
    one_done(&o);
}

/* OFTP2-C4, OFTP2-C74: the smallest file of oftp2.md 17, octet for octet. */
static void test_a_small_file_goes_out_as_in_the_example(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    one_opo(&o, &cfg, &f);
    put("HELLO OFTP2\r\n", 13, true);
    MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 0, 13 }, &o.err));
    one_sends(&o, "DT");
    assert_memory_equal(o.octets,
                        "\x10\0\0\x13"
                        "D\x8dHELLO OFTP2\r\n",
                        19);
    assert_memory_equal(o.octets + 19, "\x10\0\0\x27T0000000000000000000000000000000013", 39);
    one_done(&o);
}

/* OFTP2-C76: fixed records are cut by SFIDLRECL whatever the pieces are; each ends with EOR. */
static void test_fixed_records_are_cut_by_their_length(void **state)
{
    static const char file[] = "REC-000001REC-2     REC-3AAAAA";
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('F', 10);
    (void)state;

    for (size_t piece = 1; piece <= 30; piece++) {
        cfg.cmpr = false;
        one_opo(&o, &cfg, &f);
        for (size_t at = 0; at < 30; at += piece)
            put(file + at, 30 - at < piece ? 30 - at : piece, at + piece >= 30);
        MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 3, 30 }, &o.err));
        one_sends(&o, "DT");
        {
            struct oftp_unpack up = { 0 };
            uint8_t got[64];
            uint32_t ends[8];
            size_t ends_n = 0, n = (size_t)o.octets[3] - OFTP_STH - 1;
            struct span in = span_of(o.octets + 5, n);
            struct room room = { got, sizeof(got) };

            MUST(oftp_unpack(&up, &in, &room, ends, 8, &ends_n, &o.err));
            assert_int_equal(ends_n, 3);
            assert_int_equal(ends[0] + ends[1] * 100 + ends[2] * 10000, 101010);
            assert_memory_equal(got, file, 30);
        }
        one_done(&o);
    }
}

/* A file is refused before anything of it is packed when its records cannot be sent as said. */
static void test_records_of_the_wrong_length_are_refused_here(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('F', 10), v = sfid_of('V', 10);
    struct span in = span_of("12345678901", 11);
    bool whole;
    (void)state;

    one_opo(&o, &cfg, &f);
    assert_false(oftp_session_data(o.s, &in, true, &whole, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    assert_int_equal(in.n, 11);
    one_done(&o);

    one_opo(&o, &cfg, &v);
    assert_false(oftp_session_data(o.s, &in, true, &whole, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    put("1234567890", 10, false);
    assert_false(oftp_session_file_end(o.s, &(struct oftp_efid) { 1, 10 }, &o.err));
    put(NULL, 0, true);
    MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 1, 10 }, &o.err));
    one_sends(&o, "DT");
    one_done(&o);

    f.lrecl = 0;
    one_idlesp(&o, &cfg);
    assert_false(oftp_session_offer_file(o.s, &f, &o.err));
    one_in(&o, "IDLESP");
    one_done(&o);
}

/* OFTP2-C74: a file whose end was not marked cannot be closed, so its EOR is never missing. */
static void test_a_file_without_end_of_record_cannot_be_closed(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    one_opo(&o, &cfg, &f);
    put("abc", 3, false);
    assert_false(oftp_session_file_end(o.s, &(struct oftp_efid) { 0, 3 }, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    put(NULL, 0, true);
    MUST(oftp_session_file_end(o.s, &(struct oftp_efid) { 0, 3 }, &o.err));
    one_sends(&o, "DT");
    assert_memory_equal(o.octets,
                        "\x10\0\0\x0a"
                        "D\3abc\x80",
                        10);
    one_done(&o);
}

static uint8_t noise[40000];

static void make_noise(void)
{
    uint32_t x = 1;

    for (size_t k = 0; k < sizeof(noise); k++) {
        x = x * 1664525u + 1013904223u;
        /* Runs and text by turns. */
        noise[k] = k / 97 % 3 == 0 ? ' ' : (uint8_t)(x >> 24);
    }
}

/* OFTP2-C73, OFTP2-C72: files of many sizes, buffers and pieces arrive as they were, and no
 * buffer is longer than agreed. OFTP2-C38: with and without compression. */
static void test_files_arrive_as_they_were(void **state)
{
    static const uint32_t sdeb[] = { 128, 2048, 99999 };
    static const size_t sizes[] = { 0, 1, 62, 63, 64, 125, 126, 1000, 2015, 2016, 5000, 40000 };
    static const size_t pieces[] = { 0, 1, 63, 1000 };
    (void)state;

    make_noise();
    for (size_t k = 0; k < 3 * 12 * 4 * 2; k++) {
        struct job job = { .sfid = sfid_of('U', 0), .octets = noise, .n = sizes[k / 3 % 12] };

        pair_new(&p);
        p.i.cfg.sdeb = p.r.cfg.sdeb = sdeb[k % 3];
        p.i.cfg.cmpr = k / 144;
        p.i.piece = pieces[k / 36 % 4];
        p.i.jobs = &job;
        p.i.jobs_n = 1;
        pair_open(&p);
        pair_run(&p);
        assert_int_equal(p.i.taken, 1);
        assert_int_equal(p.r.got_n, job.n);
        if (job.n > 0)
            assert_memory_equal(p.r.got, noise, job.n);
        assert_true(p.i.largest <= sdeb[k % 3]);
        assert_true(p.i.ended_well);
        pair_free(&p);
    }
}

/* OFTP2-C77: record boundaries are kept, records without octets too. OFTP2-C76: format F. */
static void test_records_arrive_as_they_were(void **state)
{
    size_t records[1000], total = 0;
    (void)state;

    make_noise();
    for (size_t k = 0; k < COUNT_OF(records); k++) {
        records[k] = k % 7 == 0 ? 0 : k % 80;
        total += records[k];
    }
    for (int v = 0; v < 4; v++) {
        struct job job = { .sfid = sfid_of(v % 2 ? 'V' : 'F', v % 2 ? 79 : 80),
                           .octets = noise };

        job.n = v % 2 ? total : 80 * 400;
        job.records = records;
        job.records_n = COUNT_OF(records);
        pair_new(&p);
        p.i.cfg.sdeb = 300;
        p.i.piece = v < 2 ? 0 : 17;
        p.i.jobs = &job;
        p.i.jobs_n = 1;
        pair_open(&p);
        pair_run(&p);
        assert_int_equal(p.i.taken, 1);
        assert_int_equal(p.r.got_n, job.n);
        assert_memory_equal(p.r.got, noise, job.n);
        assert_int_equal(p.r.got_ends_n, v % 2 ? 1000 : 400);
        for (size_t k = 0; k < p.r.got_ends_n; k++)
            assert_int_equal(p.r.got_ends[k], v % 2 ? records[k] : 80);
        pair_free(&p);
    }
}

/* OFTP2-C65: after SFNA the turn stays and the next file goes. OFTP2-C64: the retry flag is told,
 * and nothing is offered again by itself. */
static void test_a_refused_file_leaves_the_turn(void **state)
{
    struct job jobs[] = { { .sfid = sfid_of('U', 0), .octets = noise, .n = 10 },
                          { .sfid = sfid_of('U', 0), .octets = noise, .n = 20 } };
    (void)state;

    pair_new(&p);
    p.r.refuse = ANSWER_DUPLICATE;
    p.i.jobs = jobs;
    p.i.jobs_n = 2;
    pair_open(&p);
    pair_run(&p);
    assert_string_equal(p.log, "r:I i:X r:X i:H r:3 i:H r:3 i:R r:F");
    assert_int_equal(p.i.refused, 2);
    assert_int_equal(p.i.reason, ANSWER_DUPLICATE);
    assert_true(p.i.retry);
    assert_string_equal(p.i.text, "not now");
    pair_free(&p);
}

/* OFTP2-C88: after EFNA the turn stays; the reason is told. */
static void test_a_file_that_fails_leaves_the_turn(void **state)
{
    struct job jobs[] = { { .sfid = sfid_of('U', 0), .octets = noise, .n = 10 },
                          { .sfid = sfid_of('U', 0), .octets = noise, .n = 20 } };
    (void)state;

    pair_new(&p);
    p.r.refuse_end = ANSWER_ACCESS;
    p.i.jobs = jobs;
    p.i.jobs_n = 2;
    pair_open(&p);
    pair_run(&p);
    assert_string_equal(p.log, "r:I i:X r:X i:H r:2 i:D i:T r:5 i:H r:2 i:D i:T r:5 i:R r:F");
    assert_int_equal(p.i.failed, 2);
    assert_int_equal(p.i.reason, ANSWER_ACCESS);
    assert_string_equal(p.i.text, "bad");
    pair_free(&p);
}

/* OFTP2-C66: a position beyond what was offered. */
static void test_an_answer_beyond_the_offer_is_a_violation(void **state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    f.rest = 5;
    one_idlesp(&o, &cfg);
    MUST(oftp_session_offer_file(o.s, &f, &o.err));
    one_sends(&o, "H");
    one_sfpa(&o, 6);
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);
}

/* OFTP2-C9: an SFID with 999 octets of description passes at buffer size 128. */
static void test_commands_may_be_longer_than_the_data_buffers(void **state)
{
    struct job job = { .sfid = sfid_of('U', 0), .octets = noise, .n = 500 };
    (void)state;

    make_noise();
    job.sfid.descl = 999;
    memset(job.sfid.desc, 'd', 999);
    pair_new(&p);
    p.i.cfg.sdeb = 128;
    p.i.jobs = &job;
    p.i.jobs_n = 1;
    pair_open(&p);
    pair_run(&p);
    assert_int_equal(p.i.taken, 1);
    assert_int_equal(p.r.offered.descl, 999);
    assert_int_equal(p.i.largest, 128);
    pair_free(&p);
}

/* OFTP2-C122: no NERP at levels 1 and 2; the session goes on. */
static void test_nerp_does_not_exist_at_low_levels(void **state)
{
    static const int levels[] = { 1, 2, 4, 5 };
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);
    (void)state;

    r.negative = true;
    r.reas = NERP_PROCESSING;
    strcpy(r.crea, CODE_I);
    for (size_t k = 0; k < COUNT_OF(levels); k++) {
        struct oftp_config cfg = config_of(true);

        cfg.level_max = levels[k];
        strcpy(r.date, levels[k] <= 2 ? "260131" : "20260131");
        strcpy(r.time, levels[k] <= 2 ? "101530" : "1015300001");
        one_idlesp(&o, &cfg);
        assert_int_equal(oftp_session_respond_file(o.s, &r, &o.err), levels[k] >= 4);
        one_sends(&o, levels[k] >= 4 ? "N" : "");
        one_in(&o, levels[k] >= 4 ? "WF_RTR" : "IDLESP");
        one_done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_in_every_state_of_the_speaker),
        cmocka_unit_test(test_an_esid_while_we_speak_is_an_abort),
        cmocka_unit_test(test_an_empty_file_is_one_empty_record),
        cmocka_unit_test(test_a_small_file_goes_out_as_in_the_example),
        cmocka_unit_test(test_fixed_records_are_cut_by_their_length),
        cmocka_unit_test(test_records_of_the_wrong_length_are_refused_here),
        cmocka_unit_test(test_a_file_without_end_of_record_cannot_be_closed),
        cmocka_unit_test(test_files_arrive_as_they_were),
        cmocka_unit_test(test_records_arrive_as_they_were),
        cmocka_unit_test(test_a_refused_file_leaves_the_turn),
        cmocka_unit_test(test_a_file_that_fails_leaves_the_turn),
        cmocka_unit_test(test_an_answer_beyond_the_offer_is_a_violation),
        cmocka_unit_test(test_commands_may_be_longer_than_the_data_buffers),
        cmocka_unit_test(test_nerp_does_not_exist_at_low_levels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
