/* Lines for people: src/cli/format.c, table.c, progress.c; and the paths of requests. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

static struct cli c;

static const char *size(uint64_t n)
{
    static char text[16];

    cli_size_text(n, text);
    return text;
}

static void test_sizes_have_one_decimal_and_a_unit(void **state)
{
    (void)state;
    assert_string_equal(size(0), "0 B");
    assert_string_equal(size(999), "999 B");
    assert_string_equal(size(1000), "1.0 kB");
    assert_string_equal(size(1550), "1.6 kB");
    assert_string_equal(size(999949), "999.9 kB");
    assert_string_equal(size(999950), "1.0 MB");
    assert_string_equal(size(10000000000), "10.0 GB");
    assert_string_equal(size(UINT64_MAX), "18.4 EB");
}

static void test_durations_have_units_or_mean_seconds(void **state)
{
    static const char *const bad[] = { "",
                                       "s",
                                       "-1s",
                                       "1 s",
                                       "1w",
                                       "1.5s",
                                       "1ss",
                                       "99999999999999999999",
                                       "9223372036854775807d" };
    uint64_t ms;

    (void)state;
    assert_true(cli_duration_of("60s", &ms));
    assert_int_equal(ms, 60000);
    assert_true(cli_duration_of("30", &ms));
    assert_int_equal(ms, 30000);
    assert_true(cli_duration_of("500ms", &ms));
    assert_int_equal(ms, 500);
    assert_true(cli_duration_of("5m", &ms));
    assert_int_equal(ms, 300000);
    assert_true(cli_duration_of("2h", &ms));
    assert_int_equal(ms, 7200000);
    assert_true(cli_duration_of("1d", &ms));
    assert_int_equal(ms, 86400000);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(cli_duration_of(bad[i], &ms));
}

static void test_times_lose_their_milliseconds(void **state)
{
    (void)state;
    assert_string_equal(cli_time_text(&c, "2026-11-21T10:15:00.123Z"), "2026-11-21 10:15:00Z");
    assert_string_equal(cli_time_text(&c, ""), "");
}

static void safe(const char *text, const char *want)
{
    char *got = cli_safe(text);

    assert_string_equal(got, want);
    free(got);
}

static void test_nothing_reaches_the_terminal_that_it_would_act_on(void **state)
{
    (void)state;
    safe("Gr\xC3\xB6\xC3\x9F"
         "e",
         "Gr\xC3\xB6\xC3\x9F"
         "e");
    safe("\033]0;gotcha\007", "\\x1B]0;gotcha\\x07");
    safe("a\nb\rc\td", "a\\x0Ab\\x0Dc\\x09d");
    safe("\x7F", "\\x7F");
    safe("\xC2\x9B"
         "2J",
         "\\xC2\\x9B"
         "2J"); /* CSI in its 8-bit form */
    safe("\xC2\xA0", "\xC2\xA0");
}

static void table_is(const char *const *heads, const char *const *rows, unsigned indent,
                     const char *want)
{
    char *text = NULL;
    size_t n = 0;
    struct cli_table t;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    cli_table_begin(&t, heads);
    for (; *rows != NULL; rows += t.columns)
        cli_table_row(&t, rows);
    cli_table_end(&t, f, indent);
    (void)fclose(f);
    assert_string_equal(text, want);
    free(text);
}
#define TEXTS(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void test_columns_are_aligned(void **state)
{
    (void)state;
    table_is(TEXTS(">ID", "NAME", "STATE"), TEXTS("1", "a", "sent", "100", "orders", "queued"),
             0,
             " ID  NAME    STATE\n"
             "  1  a       sent\n"
             "100  orders  queued\n");
    table_is(TEXTS("NAME", ">N"), TEXTS("\xC3\xB6\xC3\xB6", "1", "abc", "22"), 2,
             "  NAME   N\n"
             "  \xC3\xB6\xC3\xB6     1\n"
             "  abc   22\n");
}

static void test_columns_without_content_and_blanks_at_the_end_are_left_out(void **state)
{
    (void)state;
    table_is(TEXTS("A", "REASON", "B"), TEXTS("1", "", "x", "2", "", ""), 0,
             "A  B\n"
             "1  x\n"
             "2\n");
    table_is(TEXTS("A"), TEXTS(NULL), 1, "");
}

static void test_progress_says_how_far_and_how_fast(void **state)
{
    char text[160];

    (void)state;
    cli_progress_text(text, sizeof(text), "orders.edi", 450000000, 1000000000, 300000000);
    assert_string_equal(text, "orders.edi   45 %  450.0 MB of 1.0 GB  300.0 MB/s");
    cli_progress_text(text, sizeof(text), "-", 1000, 0, 1000);
    assert_string_equal(text, "-  1.0 kB  1.0 kB/s");
    cli_progress_text(text, sizeof(text), "x", 11, 10, 0); /* a file that grew */
    assert_string_equal(text, "x  100 %  11 B of 10 B  0 B/s");
}

static void test_paths_and_queries_are_escaped(void **state)
{
    const char *path = "/p";

    (void)state;
    assert_string_equal(cli_escape(&c, "a b/c?d&e=\xC3\xB6"), "a%20b%2Fc%3Fd%26e%3D%C3%B6");
    path = cli_query(&c, path, "a", "1 2");
    path = cli_query(&c, path, "b", NULL);
    path = cli_query(&c, path, "c", "");
    assert_string_equal(path, "/p?a=1%202&c=");
}

static int clean(void **state)
{
    (void)state;
    arena_free(&c.arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_have_one_decimal_and_a_unit),
        cmocka_unit_test(test_durations_have_units_or_mean_seconds),
        cmocka_unit_test(test_times_lose_their_milliseconds),
        cmocka_unit_test(test_nothing_reaches_the_terminal_that_it_would_act_on),
        cmocka_unit_test(test_columns_are_aligned),
        cmocka_unit_test(test_columns_without_content_and_blanks_at_the_end_are_left_out),
        cmocka_unit_test(test_progress_says_how_far_and_how_fast),
        cmocka_unit_test(test_paths_and_queries_are_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, clean);
}
