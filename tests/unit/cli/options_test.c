/* The command line: src/cli/options.c. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct cli_option send_options[] = {
    { 'p', "partner", "P", "" },
    { 'w', "wait", NULL, "" },
    { 'f', "file", "FILE", "" },
};
static const struct cli_command send_command = { .name = "send",
                                                 .usage = "FILE...",
                                                 .options = send_options,
                                                 .options_n = COUNT_OF(send_options),
                                                 .args_min = 1,
                                                 .args_max = 2 };
static const struct cli_command bench_command = {
    .name = "bench", .usage = "", .raw = true, .args_max = SIZE_MAX
};
static const struct cli_command version_command = { .name = "version", .usage = "" };
static const struct cli_command *const table[] = { &send_command, &bench_command,
                                                   &version_command, NULL };
static struct cli c;
static struct err err;

/* words: NULL-ended, without the program's name. */
static bool parse(const char *const *words)
{
    char *argv[16];
    int argc = 0;

    arena_free(&c.arena);
    c = (struct cli) { 0 };
    err = (struct err) { 0 };
    argv[argc++] = arena_text(&c.arena, "waybill");
    for (; *words != NULL; words++)
        argv[argc++] = arena_text(&c.arena, *words);
    argv[argc] = NULL;
    return cli_parse(&c, argc, argv, table, &err);
}
#define PARSE(...) parse((const char *const[]) { __VA_ARGS__, NULL })

static void test_options_of_all_commands_stand_anywhere(void **state)
{
    (void)state;
    assert_true(PARSE("--config", "a.yaml", "send", "--json", "x", "--socket=/s"));
    assert_ptr_equal(c.command, &send_command);
    assert_string_equal(c.config, "a.yaml");
    assert_string_equal(c.socket_path, "/s");
    assert_true(c.json);
    assert_int_equal(c.args_n, 1);
    assert_string_equal(c.args[0], "x");
    assert_true(PARSE("-c", "b.yaml", "send", "x"));
    assert_string_equal(c.config, "b.yaml");
}

static void test_a_value_stands_by_itself_or_after_the_equals_sign(void **state)
{
    (void)state;
    assert_true(PARSE("send", "--partner", "acme", "x"));
    assert_string_equal(cli_option_value(&c, "partner"), "acme");
    assert_true(PARSE("send", "--partner=acme", "x"));
    assert_string_equal(cli_option_value(&c, "partner"), "acme");
    assert_true(PARSE("send", "-p", "acme", "x"));
    assert_string_equal(cli_option_value(&c, "partner"), "acme");
    assert_true(PARSE("send", "-pacme", "x"));
    assert_string_equal(cli_option_value(&c, "partner"), "acme");
    assert_true(PARSE("send", "--partner=", "x"));
    assert_string_equal(cli_option_value(&c, "partner"), "");
    assert_true(PARSE("send", "--partner", "--wait", "x")); /* a value may look like one */
    assert_string_equal(cli_option_value(&c, "partner"), "--wait");
    assert_false(cli_flag(&c, "wait"));
}

static void test_repeated_options_keep_their_order(void **state)
{
    (void)state;
    assert_true(PARSE("send", "-f", "a", "x", "--file", "b"));
    assert_string_equal(cli_option_nth(&c, "file", 0), "a");
    assert_string_equal(cli_option_nth(&c, "file", 1), "b");
    assert_null(cli_option_nth(&c, "file", 2));
    assert_string_equal(cli_option_value(&c, "file"), "b");
    assert_null(cli_option_value(&c, "partner"));
}

static void test_dashes_alone_are_no_options(void **state)
{
    (void)state;
    assert_true(PARSE("send", "-", "--", "--wait"));
    assert_int_equal(c.args_n, 2);
    assert_string_equal(c.args[0], "-");
    assert_string_equal(c.args[1], "--wait");
    assert_false(cli_flag(&c, "wait"));
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_false(PARSE("sned"));
    assert_non_null(strstr(err.text, "'sned'"));
    assert_false(PARSE("send", "--pardner", "x"));
    assert_non_null(strstr(err.text, "--pardner"));
    assert_false(PARSE("send", "--part", "x")); /* no abbreviations */
    assert_false(PARSE("send", "-x", "x"));
    assert_false(PARSE("send", "x", "--partner"));
    assert_non_null(strstr(err.text, "needs a value"));
    assert_false(PARSE("send", "--wait=yes", "x"));
    assert_non_null(strstr(err.text, "takes no value"));
    assert_false(PARSE("--partner", "acme", "send", "x"));
    assert_non_null(strstr(err.text, "follow its name"));
    assert_false(PARSE("send"));
    assert_false(PARSE("send", "a", "b", "c"));
    assert_non_null(strstr(err.text, "'c'"));
}

static void test_help_asks_for_nothing_more(void **state)
{
    (void)state;
    assert_true(PARSE("send", "--help"));
    assert_true(c.help);
    assert_true(PARSE("-h"));
    assert_true(c.help);
    assert_null(c.command);
    assert_true(PARSE("--version"));
    assert_ptr_equal(c.command, &version_command);
}

static void test_a_raw_command_gets_the_rest_as_it_stands(void **state)
{
    (void)state;
    assert_true(PARSE("--json", "bench", "oftp2", "--size", "1G", "--json", "--", "--help"));
    assert_true(c.json);
    assert_false(c.help);
    assert_int_equal(c.args_n, 7);
    assert_string_equal(c.args[0], "bench");
    assert_string_equal(c.args[4], "--json");
    assert_string_equal(c.args[6], "--help");
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
        cmocka_unit_test(test_options_of_all_commands_stand_anywhere),
        cmocka_unit_test(test_a_value_stands_by_itself_or_after_the_equals_sign),
        cmocka_unit_test(test_repeated_options_keep_their_order),
        cmocka_unit_test(test_dashes_alone_are_no_options),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_help_asks_for_nothing_more),
        cmocka_unit_test(test_a_raw_command_gets_the_rest_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, clean);
}
