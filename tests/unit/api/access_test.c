/* Who may use the admin API over TCP: src/api/access.c. */
#include "api/api_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[96];

static int make_directory(void **state)
{
    (void)state;
    (void)strcpy(directory, "/tmp/waybill-api-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/admin.token", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

static void write_token(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_the_first_start_makes_a_token_only_its_owner_reads(void **state)
{
    char first[65], second[65];
    struct err err;
    struct stat st;

    (void)state;
    assert_true(api_token_load(directory, first, &err));
    assert_int_equal(strlen(first), 64);
    assert_int_equal(strspn(first, "0123456789abcdef"), 64);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(api_token_load(directory, second, &err));
    assert_string_equal(first, second);
}

static void test_two_tokens_differ(void **state)
{
    char first[65], second[65];
    struct err err;

    (void)state;
    assert_true(api_token_load(directory, first, &err));
    assert_int_equal(unlink(path), 0);
    assert_true(api_token_load(directory, second, &err));
    assert_string_not_equal(first, second);
}

static void test_a_token_file_cut_short_is_refused_not_believed(void **state)
{
    char token[65] = "untouched";
    struct err err;

    (void)state;
    write_token("abc\n");
    assert_false(api_token_load(directory, token, &err));
    assert_non_null(strstr(err.text, "remove it"));
    write_token("");
    assert_false(api_token_load(directory, token, &err));
    assert_string_equal(token, "untouched");
}

static void test_only_the_whole_token_fits(void **state)
{
    static const char token[] =
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof(text), "Bearer %s", token);
    assert_true(api_token_fits(token, text));
    text[0] = 'b';
    assert_true(api_token_fits(token, text));
    (void)snprintf(text, sizeof(text), "Bearer %sf", token);
    assert_false(api_token_fits(token, text));
    (void)snprintf(text, sizeof(text), "Bearer %.63s", token);
    assert_false(api_token_fits(token, text));
    (void)snprintf(text, sizeof(text), "Bearer 1%s", token + 1);
    assert_false(api_token_fits(token, text));
    assert_false(api_token_fits(token, token));
    assert_false(api_token_fits(token, "Bearer "));
    assert_false(api_token_fits(token, "Basic abc"));
    assert_false(api_token_fits(token, ""));
    assert_false(api_token_fits(token, NULL));
}

static void test_a_host_header_must_name_this_machine(void **state)
{
    static const char *const good[] = { "127.0.0.1",  "127.0.0.1:8090", "127.9.9.9:1",
                                        "localhost",  "LOCALHOST:8090", "[::1]",
                                        "[::1]:65535" };
    static const char *const bad[] = { "evil.example",
                                       "127.0.0.1.evil.example",
                                       "localhost.evil",
                                       "10.0.0.1:8090",
                                       "[::2]",
                                       "::1",
                                       "[::1",
                                       "[::1]x",
                                       "127.0.0.1:",
                                       "127.0.0.1:80x",
                                       "128.0.0.1",
                                       "127.0.0",
                                       "127.0.0.1.",
                                       "127.0.0.300",
                                       "",
                                       ":80",
                                       " 127.0.0.1",
                                       "127.0.0.1@evil" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(api_host_is_loopback(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(api_host_is_loopback(bad[i]));
    assert_false(api_host_is_loopback(NULL));
}

static void test_the_api_listens_on_loopback_only(void **state)
{
    struct err err;
    char host[64];
    uint16_t port;

    (void)state;
    assert_true(api_listen_parse("127.0.0.1:8090", host, &port, &err));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 8090);
    assert_true(api_listen_parse("[::1]:0", host, &port, &err));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
    assert_true(api_listen_parse("localhost:1", host, &port, &err));
    assert_string_equal(host, "127.0.0.1");
    assert_false(api_listen_parse("0.0.0.0:8090", host, &port, &err));
    assert_non_null(strstr(err.text, "not a loopback address"));
    assert_false(api_listen_parse("127.0.0.1", host, &port, &err));
    assert_false(api_listen_parse("127.0.0.1:65536", host, &port, &err));
    assert_false(api_listen_parse("8090", host, &port, &err));
}

static void test_routes_take_segments_not_parts_of_them(void **state)
{
    const char *arg[API_ARGS_MAX] = { NULL, NULL };
    struct arena a = { 0 };

    (void)state;
    assert_true(api_path_match("/healthz", "/healthz", &a, arg));
    assert_false(api_path_match("/healthz", "/healthz/", &a, arg));
    assert_false(api_path_match("/healthz", "/health", &a, arg));
    assert_true(api_path_match("/d/*/raw", "/d/17/raw", &a, arg));
    assert_string_equal(arg[0], "17");
    assert_true(api_path_match("/c/*/*", "/c/process/a.b-c", &a, arg));
    assert_string_equal(arg[0], "process");
    assert_string_equal(arg[1], "a.b-c");
    assert_false(api_path_match("/c/*/*", "/c/process/", &a, arg));
    assert_false(api_path_match("/c/*/*", "/c//x", &a, arg));
    assert_false(api_path_match("/c/*/*", "/c/process", &a, arg));
    assert_false(api_path_match("/c/*", "/c/process/x", &a, arg));
    arena_free(&a);
}

int main(void)
{
#define WITH_DIRECTORY(t) cmocka_unit_test_setup_teardown(t, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(test_the_first_start_makes_a_token_only_its_owner_reads),
        WITH_DIRECTORY(test_two_tokens_differ),
        WITH_DIRECTORY(test_a_token_file_cut_short_is_refused_not_believed),
        cmocka_unit_test(test_only_the_whole_token_fits),
        cmocka_unit_test(test_a_host_header_must_name_this_machine),
        cmocka_unit_test(test_the_api_listens_on_loopback_only),
        cmocka_unit_test(test_routes_take_segments_not_parts_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
