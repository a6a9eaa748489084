/* Times of the wall clock by one that cannot be set: the clock is set here by moving what it was
 * compared with at the start. */
#include "support.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400000 };

/* How far the wall clock of this program is set. */
static atomic_int ahead_s;

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);

    if (id == CLOCK_REALTIME)
        t->tv_sec += atomic_load(&ahead_s);
    return rc;
}

/* The same as setting the clock forth by so much, but for all times being so much less. */
static void set_clock(struct steady *s, int64_t by_ms)
{
    s->first_ms -= by_ms;
}

static void without_a_jump_times_are_what_they_are(void **state)
{
    static const int64_t times[] = { 0, 1, -5, 1000, INT64_MAX, INT64_MIN, 2000000000000 };
    struct steady s;

    (void)state;
    steady_start(&s);
    assert_int_equal(steady_set_ms(&s), 0);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        assert_true(steady_time(&s, times[i]) == times[i]);
}

static void a_wait_is_as_long_whatever_the_clock_is_set_to(void **state)
{
    static const int64_t jumps[] = { DAY, -DAY, 3600000, -3600000, -40 * (int64_t)DAY };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(jumps); i++) {
        struct steady s;
        int64_t before = store_clock_ms(), due, now;

        steady_start(&s);
        due = steady_time(&s, before + 60000);
        set_clock(&s, jumps[i]);
        now = steady_time(&s, store_clock_ms());
        /* 60 s, less what this test has taken; first_ms itself was moved here */
        assert_in_range(due - (now + jumps[i]), 30000, 60001);
    }
}

static void a_time_read_just_before_a_jump_means_what_it_meant(void **state)
{
    struct steady s;
    int64_t read, due;

    (void)state;
    steady_start(&s);
    read = store_clock_ms();
    (void)steady_time(&s, read);
    set_clock(&s, DAY);
    /* The clock shows DAY more now; a time of before is not taken for one of yesterday. */
    due = steady_time(&s, read - DAY + 60000);
    assert_in_range(due - (read - DAY), 59000, 61000);
}

static void never(void *context, const struct err *err)
{
    (void)context;
    fail_msg("%s", err->text);
}

/* The clock is set forth, a job is to be tried again in a minute, and the clock is set back before its
 * batch is stored: nobody but who read the time has seen it so. */
static void a_minute_by_a_clock_nobody_else_has_seen_is_no_day(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct job j = simple_job(1, JOB_SEND, "US", "THEM");
    int64_t due = INT64_MAX;

    atomic_store(&ahead_s, DAY / 1000);
    j.not_before_ms = store_clock_ms() + 60000;
    store_put_job(b, &j);
    store_commit_soon(f->s, b, never, NULL);
    atomic_store(&ahead_s, 0);
    while (due == INT64_MAX) {
        (void)usleep(1000);
        assert_ok(f, store_next_due(f->s, ~0u, store_clock_ms(), &due, &f->err));
    }
    assert_in_range(due, 0, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_jump_times_are_what_they_are),
        cmocka_unit_test(a_wait_is_as_long_whatever_the_clock_is_set_to),
        cmocka_unit_test(a_time_read_just_before_a_jump_means_what_it_meant),
        STORE_TEST(a_minute_by_a_clock_nobody_else_has_seen_is_no_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
