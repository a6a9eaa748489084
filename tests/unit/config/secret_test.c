#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct config_runtime *rt;

static void put(const char *name, const char *text)
{
    char path[200];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void drop(const char *name)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

static int begin(void **state)
{
    char yaml[300];

    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/waybill-secrets-XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(yaml, sizeof(yaml),
                   "runtime: {data_directory: /nowhere, secrets_directory: %s}\n", directory);
    rt = good_runtime(yaml);
    return 0;
}

static int end(void **state)
{
    (void)state;
    config_runtime_free(rt);
    return rmdir(directory);
}

static void get(const struct config_secret *s, const char *want)
{
    char text[256] = "?";
    struct err err;

    assert_true(config_secret_get(rt, s, text, sizeof(text), &err));
    assert_string_equal(text, want);
}

static void test_in_place(void **state)
{
    (void)state;
    get(&(struct config_secret) { .value = "here" }, "here");
    get(&(struct config_secret) { .value = "" }, "");
    get(&(struct config_secret) { 0 }, "");
    get(NULL, "");
}

static void test_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("WAYBILL_SECRET_ACME_IN_1", "from env", 1), 0);
    put("acme.in-1", "from file\n");
    get(&(struct config_secret) { .name = "acme.in-1" }, "from env");
    assert_int_equal(unsetenv("WAYBILL_SECRET_ACME_IN_1"), 0);
    get(&(struct config_secret) { .name = "acme.in-1" }, "from file");
    drop("acme.in-1");
}

static void test_from_the_first_line_of_a_file(void **state)
{
    static const char *const files[][2] = {
        { "one\ntwo\n", "one" }, { "one\r\n", "one" }, { "one", "one" },
        { " one \n", " one " },  { "", "" },           { "\n", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        put("s", files[i][0]);
        get(&(struct config_secret) { .name = "s" }, files[i][1]);
        drop("s");
    }
}

static void test_what_is_missing_is_named(void **state)
{
    const struct config_secret s = { .name = "none" };
    char text[256] = "untouched", path[200];
    struct err err = { 0 };

    (void)state;
    assert_false(config_secret_get(rt, &s, text, sizeof(text), &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    (void)snprintf(path, sizeof(path), "%s/none: No such file", directory);
    assert_non_null(strstr(err.text, path));
    assert_string_equal(text, "untouched");
}

static void test_a_directory_is_no_secret(void **state)
{
    const struct config_secret s = { .name = "d" };
    char text[256], path[200];
    struct err err = { 0 };

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/d", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(config_secret_get(rt, &s, text, sizeof(text), &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_int_equal(rmdir(path), 0);
}

static void test_too_long(void **state)
{
    const struct config_secret s = { .name = "s" };
    char text[256], line[400];
    struct err err = { 0 };

    (void)state;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    put("s", line);
    assert_false(config_secret_get(rt, &s, text, sizeof(text), &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_null(strstr(err.text, "xxx"));
    drop("s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_from_the_environment),
        cmocka_unit_test(test_from_the_first_line_of_a_file),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_a_directory_is_no_secret),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
