/* Component files, one by one and as one stream: src/cli/files.c. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct cli c;

static int begin(void **state)
{
    (void)state;
    (void)strcpy(directory, "/tmp/waybill-cli-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    arena_free(&c.arena);
    c = (struct cli) { 0 };
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

/* The path of a new file with this text. */
static const char *put(const char *name, const char *text)
{
    const char *path = cli_printf(&c, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_a_directory_stands_for_its_yaml_files_in_order(void **state)
{
    const char *names[] = { directory, "-", "other.txt" };
    const char **list;
    size_t n;

    (void)state;
    put("b.yaml", "");
    put("a.yml", "");
    put(".hidden.yaml", "");
    put("notes.txt", "");
    list = cli_expand(&c, names, COUNT_OF(names), &n);
    assert_non_null(list);
    assert_int_equal(n, 4);
    assert_string_equal(list[0], cli_printf(&c, "%s/a.yml", directory));
    assert_string_equal(list[1], cli_printf(&c, "%s/b.yaml", directory));
    assert_string_equal(list[2], "-");
    assert_string_equal(list[3], "other.txt");
}

static void place_is(const struct cli_stream *st, unsigned line, const char *file,
                     unsigned want)
{
    assert_string_equal(cli_stream_place(st, &line), file);
    assert_int_equal(line, want);
}

static void test_files_become_one_stream_and_lines_find_back(void **state)
{
    const char *files[] = { put("1", "partner: a"), put("2", "# only a remark\n\n"),
                            put("3", "# remark\n---\npartner: b\n"), put("4", "partner: c\n") };
    struct cli_stream st;
    struct err err;

    (void)state;
    assert_true(cli_stream_make(&c, files, COUNT_OF(files), &st, &err));
    assert_true(span_is(st.text, "partner: a\n"
                                 "# remark\n---\npartner: b\n"
                                 "---\npartner: c\n"));
    assert_int_equal(st.parts_n, 3);
    place_is(&st, 1, files[0], 1);
    place_is(&st, 2, files[2], 1);
    place_is(&st, 4, files[2], 3);
    place_is(&st, 6, files[3], 1);
    place_is(&st, 0, files[0], 0);
}

static void test_one_file_is_sent_as_it_stands(void **state)
{
    const char *files[] = { put("1", "\n# remark\npartner: a") };
    struct cli_stream st;
    struct err err;

    (void)state;
    assert_true(cli_stream_make(&c, files, 1, &st, &err));
    assert_true(span_is(st.text, "\n# remark\npartner: a"));
    place_is(&st, 3, files[0], 3);
}

static void test_files_that_cannot_be_read_are_named(void **state)
{
    const char *missing = cli_printf(&c, "%s/missing", directory), *files[] = { missing };
    struct cli_stream st;
    struct err err;

    (void)state;
    assert_false(cli_stream_make(&c, files, 1, &st, &err));
    assert_non_null(strstr(err.text, "/missing'"));
    files[0] = put("huge", "");
    assert_int_equal(truncate(files[0], (off_t)CONFIG_TEXT_MAX + 1), 0);
    assert_false(cli_stream_make(&c, files, 1, &st, &err));
    assert_non_null(strstr(err.text, "longer than"));
}

int main(void)
{
#define IN_DIRECTORY(t) cmocka_unit_test_setup_teardown(t, begin, end)
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_a_directory_stands_for_its_yaml_files_in_order),
        IN_DIRECTORY(test_files_become_one_stream_and_lines_find_back),
        IN_DIRECTORY(test_one_file_is_sent_as_it_stands),
        IN_DIRECTORY(test_files_that_cannot_be_read_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
