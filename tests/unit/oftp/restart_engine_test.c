#include "support.h"

static struct pair p;
static struct one o;
static uint8_t file[100000];
static size_t records[4000];

#define NOT_CUT UINT64_MAX /* the cut was behind the end of the file */

static void make_file(void)
{
    for (size_t k = 0; k < sizeof(file); k++)
        file[k] = (uint8_t)(k * k >> 5 ^ k);
}

/* Sends the job until about `cut` octets have moved, drops the connection, and sends it again
 * offering what was sent; the listener keeps all whole units but the last `keep_less`. Gives the
 * position agreed. */
static uint64_t interrupt(struct job *job, size_t cut, bool counts_records, uint64_t keep_less)
{
    size_t kept = 0;
    uint64_t units;

    pair_new(&p);
    p.i.cfg.sdeb = p.r.cfg.sdeb = 1000;
    p.chunk = 333;
    p.i.jobs = job;
    p.i.jobs_n = 1;
    p.stop_after = cut;
    pair_open(&p);
    pair_run(&p);
    if (p.i.ended)
        return NOT_CUT;

    if (counts_records) {
        units = p.r.got_ends_n;
        units = units > keep_less ? units - keep_less : 0;
        for (size_t k = 0; k < units; k++)
            kept += p.r.got_ends[k];
        p.r.got_ends_n = (size_t)units;
    } else {
        units = p.r.got_n / OFTP_BLOCK;
        units = units > keep_less ? units - keep_less : 0;
        kept = (size_t)units * OFTP_BLOCK;
    }
    p.r.got_n = kept;
    p.r.keep = units;
    job->sfid.rest = counts_records ? p.i.record : p.i.at / OFTP_BLOCK;
    if (counts_records && job->sfid.fmt == 'F')
        job->sfid.rest = p.i.at / job->sfid.lrecl;
    p.stop_after = 0;
    pair_open(&p);
    pair_run(&p);
    assert_int_equal(p.i.taken, 1);
    assert_int_equal(p.r.end_reason, 0);
    assert_true(p.i.position <= job->sfid.rest);
    assert_int_equal(p.i.position, units < job->sfid.rest ? units : job->sfid.rest);
    assert_int_equal(p.r.efid.ucnt, job->n);
    assert_int_equal(p.r.got_n, job->n);
    assert_memory_equal(p.r.got, file, job->n);
    return p.i.position;
}

/* OFTP2-C101: a U file cut anywhere resumes at the answered block and arrives as it was; the end
 * counts the whole file. OFTP2-C102: the answer is the lower of offer and what is kept. */
static void test_an_interrupted_file_resumes_at_a_block(void **state)
{
    uint64_t largest = 0;
    (void)state;

    make_file();
    for (size_t cut = 300; cut < 108000; cut += 1777) {
        struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = sizeof(file) };
        uint64_t at = interrupt(&job, cut, false, cut % 3);

        if (at != NOT_CUT && at > largest)
            largest = at;
        pair_free(&p);
    }
    assert_true(largest > 80);
}

/* OFTP2-C104: F and V resume behind the last whole record, with their boundaries. */
static void test_record_files_resume_at_a_record(void **state)
{
    (void)state;
    make_file();
    for (int v = 0; v < 2; v++) {
        uint64_t largest = 0;

        for (size_t cut = 300; cut < 60000; cut += 1777) {
            struct job job = { .sfid = sfid_of(v ? 'V' : 'F', 40), .octets = file };

            job.n = v ? 0 : 40 * 1300;
            for (size_t k = 0; k < 2000; k++) {
                records[k] = k % 41;
                job.n += v ? records[k] : 0;
            }
            job.records = records;
            job.records_n = 2000;
            uint64_t at = interrupt(&job, cut, true, cut % 3);

            if (at == NOT_CUT) {
                pair_free(&p);
                break;
            }
            assert_int_equal(p.r.got_ends_n, v ? 2000 : 1300);
            for (size_t k = 0; k < p.r.got_ends_n; k++)
                assert_int_equal(p.r.got_ends[k], v ? records[k] : 40);
            if (at > largest)
                largest = at;
            pair_free(&p);
        }
        assert_true(largest > 900);
    }
}

/* OFTP2-C105: an enveloped file counts blocks though its format is V. */
static void test_enveloped_files_resume_at_a_block(void **state)
{
    struct job job = { .sfid = sfid_of('V', 40), .octets = file, .n = sizeof(file) };
    (void)state;

    make_file();
    job.sfid.env = job.sfid.comp = 1;
    assert_true(interrupt(&job, 50000, false, 1) > 30);
    assert_int_equal(p.r.got_ends_n, 0);
    pair_free(&p);
}

/* OFTP2-C103: nothing kept is answered 0 and the file starts from its beginning. */
static void test_without_a_partial_file_the_answer_is_0(void **state)
{
    struct job job = { .sfid = sfid_of('U', 0), .octets = file, .n = sizeof(file) };
    (void)state;

    make_file();
    assert_int_equal(interrupt(&job, 50000, false, 1000), 0);
    pair_free(&p);
}

/* OFTP2-C102: our application cannot answer more than was offered. */
static void test_more_than_the_offer_cannot_be_answered(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    f.rest = 7;
    one_idleli(&o, &cfg);
    one_sfid(&o, &f);
    assert_false(oftp_session_take_file(o.s, 8, 8192, 0, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    one_in(&o, "OPIP");
    MUST(oftp_session_take_file(o.s, 7, 7168, 0, &o.err));
    one_sends(&o, "2");
    assert_memory_equal(o.octets + OFTP_STH, "200000000000000007", 18);
    one_done(&o);
}

/* OFTP2-C108: a position without agreed restart. OFTP2-C39: as Speaker it is never sent. */
static void test_restart_must_have_been_agreed(void **state)
{
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    cfg.rest = false;
    f.rest = 1;
    one_idleli(&o, &cfg);
    one_sfid(&o, &f);
    one_aborted(&o, ESID_VIOLATION);
    one_done(&o);

    cfg = config_of(true);
    cfg.rest = false;
    one_idlesp(&o, &cfg);
    assert_false(oftp_session_offer_file(o.s, &f, &o.err));
    assert_int_equal(o.err.kind, FAIL_LOCAL);
    one_sends(&o, "");
    one_done(&o);
}

/* OFTP2-C109: seventeen nines as a position, in both roles. */
static void test_the_largest_position_does_not_overflow(void **state)
{
    const uint64_t most = 99999999999999999u;
    struct oftp_config cfg = config_of(false);
    struct oftp_sfid f = sfid_of('U', 0);
    (void)state;

    f.rest = most;
    one_idleli(&o, &cfg);
    one_sfid(&o, &f);
    assert_int_equal(o.ev.kind, OFTP_FILE_OFFERED);
    assert_true(o.ev.sfid->rest == most);
    MUST(oftp_session_take_file(o.s, 0, 0, 0, &o.err));
    one_sends(&o, "2");
    one_done(&o);

    cfg = config_of(true);
    one_idlesp(&o, &cfg);
    MUST(oftp_session_offer_file(o.s, &f, &o.err));
    one_sends(&o, "H");
    one_sfpa(&o, most);
    assert_int_equal(o.ev.kind, OFTP_FILE_ACCEPTED);
    assert_true(o.ev.position == most);
    one_done(&o);
}

/* OFTP2-C134: counts across 2^32 octets, from a restart just below it. */
static void test_counts_go_on_beyond_4_gib(void **state)
{
    const uint64_t below = (UINT64_C(1) << 32) - OFTP_BLOCK;
    struct oftp_config cfg = config_of(false);
    (void)state;

    cfg.cred = 99;
    for (int right = 0; right < 2; right++) {
        struct oftp_sfid f = sfid_of('U', 0);
        uint64_t octets = below;

        f.rest = below / OFTP_BLOCK;
        f.fsiz = f.osiz = below / OFTP_BLOCK + 2;
        one_idleli(&o, &cfg);
        one_sfid(&o, &f);
        MUST(oftp_session_take_file(o.s, f.rest, below, 0, &o.err));
        one_sends(&o, "2");
        while (octets <= UINT32_MAX) {
            one_data(&o, "abcdefghijklmnopqrstuvwxyz0123456789");
            octets += 36;
        }
        one_efid(&o, 0, right ? octets : (uint32_t)octets);
        assert_int_equal(o.ev.reason, right ? 0 : 11);
        one_done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interrupted_file_resumes_at_a_block),
        cmocka_unit_test(test_counts_go_on_beyond_4_gib),
        cmocka_unit_test(test_record_files_resume_at_a_record),
        cmocka_unit_test(test_enveloped_files_resume_at_a_block),
        cmocka_unit_test(test_without_a_partial_file_the_answer_is_0),
        cmocka_unit_test(test_more_than_the_offer_cannot_be_answered),
        cmocka_unit_test(test_restart_must_have_been_agreed),
        cmocka_unit_test(test_the_largest_position_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
