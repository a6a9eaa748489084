/* The budget for failures behind CBC: as2.md 11.1 #12. */
#include "gateway/as2_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MINUTE = 60000, DAY = 86400000 };

/* How many of n failures at that time are told apart; *alarms: how many were the first of too many. */
static int told(const char *partner, const char *address, uint64_t now_ms, int n, int *alarms)
{
    int good = 0;

    *alarms = 0;
    for (int i = 0; i < n; i++) {
        bool first;

        good += as2_budget_take(partner, address, now_ms, &first) ? 1 : 0;
        *alarms += first ? 1 : 0;
    }
    return good;
}

static void test_twenty_a_minute_are_told_apart(void **state)
{
    int alarms;

    (void)state;
    assert_int_equal(told("minute", "192.0.2.1", 1000, 20, &alarms), 20);
    assert_int_equal(alarms, 0);
    assert_int_equal(told("minute", "192.0.2.1", 1000 + MINUTE - 1, 5, &alarms), 0);
    assert_int_equal(alarms, 1);
    assert_int_equal(told("minute", "192.0.2.1", 1000 + MINUTE, 25, &alarms), 20);
    assert_int_equal(alarms, 1);
}

static void test_five_hundred_a_day_are_told_apart(void **state)
{
    uint64_t now = 5000;
    int alarms, all = 0, good = 0;

    (void)state;
    for (int i = 0; i < 30; i++, now += MINUTE) {
        good += told("day", "192.0.2.1", now, 20, &alarms);
        all += alarms;
    }
    assert_int_equal(good, 500);
    assert_int_equal(all, 1);
    assert_int_equal(told("day", "192.0.2.1", 5000 + (uint64_t)DAY, 20, &alarms), 20);
}

static void test_partners_and_addresses_have_budgets_of_their_own(void **state)
{
    int alarms;

    (void)state;
    assert_int_equal(told("a", "192.0.2.1", 1000, 30, &alarms), 20);
    assert_int_equal(told("a", "192.0.2.2", 1000, 30, &alarms), 20);
    assert_int_equal(told("b", "192.0.2.1", 1000, 30, &alarms), 20);
    /* no pair is the other glued differently */
    assert_int_equal(told("a1", "92.0.2.1", 1000, 30, &alarms), 20);
}

static void test_it_keeps_the_youngest_when_there_are_too_many(void **state)
{
    char name[32];
    int alarms;

    (void)state;
    assert_int_equal(told("kept", "192.0.2.1", 200000000, 20, &alarms), 20);
    for (int i = 0; i < AS2_BUDGETS_MAX - 1; i++) {
        (void)snprintf(name, sizeof(name), "partner %d", i);
        assert_int_equal(told(name, "192.0.2.1", 200000001, 1, &alarms), 1);
    }
    assert_int_equal(told("kept", "192.0.2.1", 200000002, 1, &alarms), 0);
    for (int i = 0; i < AS2_BUDGETS_MAX - 1; i++) {
        (void)snprintf(name, sizeof(name), "another %d", i);
        assert_int_equal(told(name, "192.0.2.1", 200000003, 1, &alarms), 1);
    }
    assert_int_equal(told("kept", "192.0.2.1", 200000004, 1, &alarms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twenty_a_minute_are_told_apart),
        cmocka_unit_test(test_five_hundred_a_day_are_told_apart),
        cmocka_unit_test(test_partners_and_addresses_have_budgets_of_their_own),
        cmocka_unit_test(test_it_keeps_the_youngest_when_there_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
