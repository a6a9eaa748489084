/* Who may use the admin API over TCP: src/api/access.c. */
#include "api/api_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_a_password_fits_itself_only(void **state)
{
    char text[API_PASSWORD_TEXT], second[API_PASSWORD_TEXT];
    struct err err;

    (void)state;
    assert_true(api_password_make("correct horse", text, &err));
    assert_int_equal(strncmp(text, "scrypt$16384$8$5$", 17), 0);
    assert_true(strlen(text) < API_PASSWORD_TEXT - 1);
    assert_true(api_password_fits(text, "correct horse"));
    assert_false(api_password_fits(text, "correct horsf"));
    assert_false(api_password_fits(text, ""));
    assert_false(api_password_fits(NULL, "correct horse"));
    assert_true(api_password_make("correct horse", second, &err));
    assert_string_not_equal(text, second); /* salt */
}

static void test_what_is_kept_says_its_cost(void **state)
{
    static const char cheap[] =
        "scrypt$16$1$1$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000";
    static const char *const broken[] = {
        "",
        "scrypt",
        "scrypt$16$1$1$",
        "scrypt$16$1$1$zz$00",
        "plain$text",
        "scrypt$15$1$1$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "scrypt$1099511627776$8$1$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000"
    };

    (void)state;
    assert_false(api_password_fits(cheap, "x"));
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_false(api_password_fits(broken[i], "x"));
}

static void test_a_password_has_bounds(void **state)
{
    char text[300];
    struct err err;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[11] = '\0';
    assert_false(api_password_good(text, &err));
    assert_int_equal(err.wire, 400);
    text[11] = 'x';
    text[12] = '\0';
    assert_true(api_password_good(text, &err));
    text[12] = 'x';
    text[256] = '\0';
    assert_true(api_password_good(text, &err));
    text[256] = 'x';
    text[257] = '\0';
    assert_false(api_password_good(text, &err));
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
    assert_true(api_listen_parse("127.0.0.1:8090", false, host, &port, &err));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 8090);
    assert_true(api_listen_parse("[::1]:0", false, host, &port, &err));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
    assert_true(api_listen_parse("localhost:1", false, host, &port, &err));
    assert_string_equal(host, "127.0.0.1");
    assert_false(api_listen_parse("0.0.0.0:8090", false, host, &port, &err));
    assert_non_null(strstr(err.text, "not a loopback address"));
    assert_true(api_listen_parse("0.0.0.0:8090", true, host, &port, &err));
    assert_string_equal(host, "0.0.0.0");
    assert_false(api_listen_parse("127.0.0.1", false, host, &port, &err));
    assert_false(api_listen_parse("127.0.0.1:65536", false, host, &port, &err));
    assert_false(api_listen_parse("8090", false, host, &port, &err));
}

static void test_routes_take_segments_not_parts_of_them(void **state)
{
    const char *arg[API_ARGS_MAX] = { NULL, NULL };
    struct arena a = { 0 };

    (void)state;
    assert_true(api_path_match("/healthz", "/healthz", &a, arg));
    assert_false(api_path_match("/healthz", "/healthz/", &a, arg));
    assert_false(api_path_match("/healthz", "/health", &a, arg));
    assert_true(api_path_match("/d/{id}/raw", "/d/17/raw", &a, arg));
    assert_string_equal(arg[0], "17");
    assert_true(api_path_match("/c/{kind}/{name}", "/c/process/a.b-c", &a, arg));
    assert_string_equal(arg[0], "process");
    assert_string_equal(arg[1], "a.b-c");
    assert_false(api_path_match("/c/{kind}/{name}", "/c/process/", &a, arg));
    assert_false(api_path_match("/c/{kind}/{name}", "/c//x", &a, arg));
    assert_false(api_path_match("/c/{kind}/{name}", "/c/process", &a, arg));
    assert_false(api_path_match("/c/{kind}", "/c/process/x", &a, arg));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_password_fits_itself_only),
        cmocka_unit_test(test_what_is_kept_says_its_cost),
        cmocka_unit_test(test_a_password_has_bounds),
        cmocka_unit_test(test_a_host_header_must_name_this_machine),
        cmocka_unit_test(test_the_api_listens_on_loopback_only),
        cmocka_unit_test(test_routes_take_segments_not_parts_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
