/* The settings of alerts, and what `waybill dump` shows of them. */
#include "support.h"

#define MINIMAL "runtime: {data_directory: /data}\n"
#define MAIL    "alerts: {mail: {server: \"smtp://mail:25\", from: a@b.example, to: [c@d.example]"

static void test_alerts_that_are_well(void **state)
{
    struct config_runtime *c =
        good_runtime(MINIMAL "alerts:\n"
                             "  on: [document_failed, receipt_overdue]\n"
                             "  gather: 5s\n"
                             "  webhook: {url: \"https://chat.example/x\", "
                             "authorization: {secret: hook}}\n"
                             "  mail:\n"
                             "    server: smtps://mail.example.com:465\n"
                             "    user: waybill\n"
                             "    password: open-sesame\n"
                             "    from: edi@example.com\n"
                             "    to: [a@example.com, b+c@example.org]\n");

    (void)state;
    assert_true(c->alerts.given);
    assert_string_equal(c->alerts.on[1], "receipt_overdue");
    assert_int_equal(c->alerts.gather_ms, 5000);
    assert_int_equal(c->alerts.repeat_ms, 24 * 3600 * 1000);
    assert_string_equal(c->alerts.webhook.authorization.name, "hook");
    assert_string_equal(c->alerts.mail.server, "smtps://mail.example.com:465");
    assert_string_equal(c->alerts.mail.tls, "required");
    assert_string_equal(c->alerts.mail.to[1], "b+c@example.org");
    assert_null(c->alerts.mail.to[2]);
    config_runtime_free(c);
}

static void test_without_alerts_there_are_none(void **state)
{
    struct config_runtime *c = good_runtime(MINIMAL);
    char *dump = config_runtime_dump(c);

    (void)state;
    assert_false(c->alerts.given || c->alerts.mail_given || c->alerts.webhook_given);
    assert_non_null(strstr(dump, "\n# alerts: not set\n"));
    free(dump);
    config_runtime_free(c);
}

static void test_alerts_must_reach_somebody(void **state)
{
    (void)state;
    bad_runtime(MINIMAL "alerts: {gather: 5s}\n",
                "f:2:9: 'alerts' has neither 'webhook' nor 'mail'; nobody would be told");
    bad_runtime(MINIMAL "alerts: {on: [war], webhook: {url: \"http://x\"}}\n",
                "f:2:15: 'on' must be");
    bad_runtime(MINIMAL "alerts: {mail: {server: \"smtp://m\", from: a@b, to: []}}\n",
                "f:2:52: 'to' is empty");
    bad_runtime(MINIMAL "alerts: {mail: {server: \"smtp://m\", from: a@b}}\n",
                "f:2:16: 'to' is missing");
}

/* A password for the mail server does not go over the network readable. */
static void test_a_log_on_needs_tls(void **state)
{
    static const char want[] =
        "f:2:87: 'user' needs tls: required: its password would cross the network readable";

    (void)state;
    config_runtime_free(good_runtime(MINIMAL MAIL ", user: x}}\n"));
    config_runtime_free(good_runtime(MINIMAL MAIL ", tls: never}}\n"));
    bad_runtime(MINIMAL MAIL ", user: x, tls: never}}\n", want);
    bad_runtime(MINIMAL MAIL ", user: x, tls: offered}}\n", want);
    config_runtime_free(
        good_runtime(MINIMAL "alerts: {mail: {server: \"smtps://m\", tls: never, user: x, "
                             "from: a@b, to: [a@b]}}\n"));
}

/* Several wrong settings in one mapping are each named; what they leave unset is not looked at. */
static void test_a_wrong_word_beside_a_user_is_refused(void **state)
{
    (void)state;
    bad_runtime(MINIMAL MAIL ", user: x, tls: perhaps}}\n", "f:2:95: 'tls' must be");
    bad_runtime(MINIMAL "alerts: {mail: {server: m, user: x, from: a@b, to: [a@b]}}\n",
                "f:2:25: 'server' must be smtp://HOST:PORT");
}

static void server(const char *value)
{
    char text[400];

    (void)snprintf(text, sizeof(text),
                   MINIMAL "alerts: {mail: {server: \"%s\", from: a@b, to: [a@b]}}\n", value);
    bad_runtime(text,
                "f:2:25: 'server' must be smtp://HOST:PORT or smtps://HOST:PORT, without a "
                "user and a path");
}

static void test_a_mail_server_is_a_host_and_a_port(void **state)
{
    (void)state;
    server("mail.example.com");
    server("smtp://");
    server("smtps://");
    server("http://mail.example.com");
    server("smtp://user@mail.example.com");
    server("smtp://mail.example.com/path");
    config_runtime_free(good_runtime(
        MINIMAL "alerts: {mail: {server: \"smtp://[::1]:25\", from: a@b, to: [a@b]}}\n"));
}

static void address(const char *value)
{
    char text[600];

    (void)snprintf(text, sizeof(text),
                   MINIMAL "alerts: {mail: {server: \"smtp://m\", to: [a@b], from: '%s'}}\n",
                   value);
    bad_runtime(text, "f:2:54: 'from' must be a plain mail address, such as edi@example.com");
}

/* What a mail's header or the mail server's commands would take for something else is refused. */
static void test_an_address_is_plain(void **state)
{
    static const char *const wrong[] = {
        "edi",     "@b",    "a@",      "a@b@c",  "a b@c",  "<a@b>",   "a@b,c@d",   "a@b;",
        "\"a\"@b", "a\\@b", "E <e@x>", "a@b:25", "(x)a@b", "a@[::1]", "\xC3\xA4@b"
    };
    char longest[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        address(wrong[i]);
    memset(longest, 'a', sizeof(longest));
    longest[255] = '\0';
    longest[1] = '@';
    address(longest);
    bad_runtime(MINIMAL "alerts: {mail: {server: \"smtp://m\", from: a@b, to: [a@b, c]}}\n",
                "f:2:58: 'to' must be a plain mail address");
}

/* Lists as lists, secrets in place as ***. */
static void test_a_dump_shows_lists_and_no_secrets(void **state)
{
    struct config_runtime *c = good_runtime(
        MINIMAL MAIL
        ", user: x, password: open-sesame}, webhook: {url: \"http://h/\", "
        "authorization: {secret: hook}}, on: [document_failed, receipt_overdue]}\n");
    char *dump = config_runtime_dump(c);
    struct config_runtime *again = good_runtime(dump);

    (void)state;
    assert_non_null(strstr(dump, "  on: [\"document_failed\", \"receipt_overdue\"]\n"));
    assert_non_null(strstr(dump, "    to: [\"c@d.example\"]\n"));
    assert_non_null(strstr(dump, "    password: \"***\"\n"));
    assert_non_null(strstr(dump, "    authorization: {secret: \"hook\"}\n"));
    assert_null(strstr(dump, "open-sesame"));
    assert_string_equal(again->alerts.mail.to[0], "c@d.example");
    config_runtime_free(again);
    config_runtime_free(c);
    free(dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alerts_that_are_well),
        cmocka_unit_test(test_without_alerts_there_are_none),
        cmocka_unit_test(test_alerts_must_reach_somebody),
        cmocka_unit_test(test_a_log_on_needs_tls),
        cmocka_unit_test(test_a_wrong_word_beside_a_user_is_refused),
        cmocka_unit_test(test_a_mail_server_is_a_host_and_a_port),
        cmocka_unit_test(test_an_address_is_plain),
        cmocka_unit_test(test_a_dump_shows_lists_and_no_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
