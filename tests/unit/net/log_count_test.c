/* Warnings and errors are counted, whatever of them is written; the kinds are bounded. */
#include "net/log_count.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

static struct log_count list[LOG_COUNTS_MAX];

static uint64_t count_of(const char *event, const char *code)
{
    size_t n = log_counts(list, LOG_COUNTS_MAX);

    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].event, event) == 0 && strcmp(list[i].code, code) == 0)
            return list[i].n;
    return 0;
}

static void events_are_counted_by_the_protocols_code(void **state)
{
    (void)state;
    log_level_set(LOG_ERROR); /* not written, but counted */
    log_event(LOG_WARN, "a.refused", "partner", "acme", "sfna", "2", "reason", "x", NULL);
    log_event(LOG_WARN, "a.refused", "partner", "other", "sfna", "2", NULL);
    log_event(LOG_WARN, "a.refused", "esid", NULL, "esid", "44444", NULL); /* no such code */
    log_event(LOG_WARN, "b.refused", "disposition", "failed/failure", "status", "403", NULL);
    log_event(LOG_INFO, "c.fine", "sfna", "2", NULL);
    assert_int_equal(count_of("a.refused", "sfna 2"), 2);
    assert_int_equal(count_of("a.refused", ""), 1);
    assert_int_equal(count_of("b.refused", "failed/failure"), 1);
    assert_int_equal(count_of("c.fine", "sfna 2"), 0);
}

static void too_many_kinds_are_counted_together(void **state)
{
    (void)state;
    log_level_set(LOG_ERROR);
    for (int i = 0; i < 1000; i++) {
        char code[16];

        (void)snprintf(code, sizeof(code), "%d", i);
        log_event(LOG_WARN, "many", "status", code, NULL);
    }
    assert_true(log_counts(list, LOG_COUNTS_MAX) < LOG_COUNTS_MAX);
    assert_int_equal(count_of("many", "status 7"), 1);
    assert_true(count_of("other", "") > 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_counted_by_the_protocols_code),
        cmocka_unit_test(too_many_kinds_are_counted_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
