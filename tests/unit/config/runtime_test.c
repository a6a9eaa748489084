#include "support.h"

#include <unistd.h>

#define MINIMAL "runtime: {data_directory: /data}\n"

static void test_the_example_of_the_design_loads(void **state)
{
    struct config_runtime *c = good_runtime(example_runtime);

    (void)state;
    assert_string_equal(c->file, "f");
    assert_string_equal(c->runtime.name, "plant-7");
    assert_string_equal(c->runtime.data_directory, "/var/lib/waybill");
    assert_string_equal(c->runtime.secrets_directory, "/var/lib/waybill/secrets");
    assert_string_equal(c->store, "sqlite");
    assert_int_equal(c->oftp2_server.endpoints_n, 2);
    assert_string_equal(c->oftp2_server.endpoints[0].host, "::");
    assert_int_equal(c->oftp2_server.endpoints[0].port, 3305);
    assert_false(c->oftp2_server.endpoints[0].session_level_encryption);
    assert_null(c->oftp2_server.endpoints[0].server_ssl_certificate);
    assert_int_equal(c->oftp2_server.endpoints[1].port, 6619);
    assert_true(c->oftp2_server.endpoints[1].session_level_encryption);
    assert_string_equal(c->oftp2_server.endpoints[1].server_ssl_certificate, "our-tls");
    assert_int_equal(c->oftp2_server.endpoints[1].at.line, 7);
    assert_int_equal(c->oftp2_server.endpoints[1].at.column, 7);
    assert_true(c->as2_server_given);
    assert_string_equal(c->admin.listen, "127.0.0.1:8090");
    assert_string_equal(c->admin.socket, "/var/lib/waybill/admin.sock");
    assert_null(c->admin.ssl_certificate);
    config_runtime_free(c);
}

static void expect_changes(const char *was, const char *now, const char *want)
{
    static const char *const but[] = { "log", "alerts", NULL };
    struct config_runtime *x = good_runtime(was), *y = good_runtime(now);
    struct arena a = { 0 };

    assert_string_equal(config_runtime_changes(x, y, but, &a), want);
    arena_free(&a);
    config_runtime_free(x);
    config_runtime_free(y);
}

static void test_settings_that_are_others_now_are_named(void **state)
{
    (void)state;
    expect_changes(MINIMAL, MINIMAL, "");
    expect_changes(MINIMAL, MINIMAL "# a remark\nstore: sqlite\noftp2_server: {credit: 999}\n",
                   "");
    expect_changes(MINIMAL, MINIMAL "oftp2_server: {credit: 7, buffer_size: 512}\n",
                   "oftp2_server.buffer_size, oftp2_server.credit");
    expect_changes(MINIMAL "oftp2_server: {endpoints: [{port: 1}]}\n",
                   MINIMAL "oftp2_server: {endpoints: [{port: 1}, {port: 2}]}\n",
                   "oftp2_server.endpoints");
    expect_changes(MINIMAL "oftp2_server: {endpoints: [{port: 1}, {port: 2}]}\n",
                   MINIMAL "oftp2_server: {endpoints: [{port: 1}, {port: 3}]}\n",
                   "oftp2_server.endpoints");
    expect_changes(MINIMAL, MINIMAL "as2_server: {endpoints: [{port: 1}]}\n",
                   "as2_server.endpoints");
    expect_changes(MINIMAL "as2_server: {endpoints: [{port: 1}]}\n", MINIMAL,
                   "as2_server.endpoints");
    expect_changes(
        MINIMAL, MINIMAL "log: {level: debug}\nalerts: {webhook: {url: \"http://x/\"}}\n", "");
    expect_changes(MINIMAL,
                   "runtime: {data_directory: /data, stop_timeout: 3s}\nretention: {settled: "
                   "{payloads: 3d}}\n",
                   "runtime.stop_timeout, retention.settled");
    expect_changes(MINIMAL "admin: {ssl_certificate: a, listen: \"0.0.0.0:1\"}\n", MINIMAL,
                   "admin.listen, admin.ssl_certificate");
}

static void test_defaults(void **state)
{
    struct config_runtime *c = good_runtime(MINIMAL);
    const struct config_oftp2_server *s = &c->oftp2_server;

    (void)state;
    assert_string_equal(c->runtime.name, "waybill");
    assert_int_equal(c->runtime.workers, 4);
    assert_int_equal(c->runtime.stop_timeout_ms, 30000);
    assert_string_equal(c->store, "sqlite");
    assert_int_equal(s->endpoints_n, 0);
    assert_string_equal(s->cipher_suite, "AES_RSA_SHA256");
    assert_int_equal(s->buffer_size, 99999);
    assert_int_equal(s->credit, 999);
    assert_false(s->compression);
    assert_true(s->restart);
    assert_int_equal(s->max_connections, 1000);
    assert_int_equal(s->max_connections_per_address, 100);
    assert_int_equal(s->max_sessions_per_partner, 10);
    assert_int_equal(s->start_timeout_ms, 60000);
    assert_int_equal(s->inactivity_timeout_ms, 180000);
    assert_int_equal(s->end_file_timeout_ms, 360000);
    assert_int_equal(s->disconnect_timeout_ms, 10000);
    assert_int_equal(s->max_file_size, 0);
    assert_int_equal(s->duplicate_memory_ms, INT64_C(30) * 86400000);
    assert_int_equal(s->partial_memory_ms, INT64_C(7) * 86400000);
    assert_false(c->as2_server_given);
    assert_string_equal(c->admin.listen, "127.0.0.1:8090");
    assert_string_equal(c->log.level, "info");
    assert_string_equal(c->log.format, "text");
    config_runtime_free(c);
}

static void test_what_is_missing_is_named(void **state)
{
    (void)state;
    bad_runtime("store: sqlite\n", "f:1:1: 'runtime' is missing");
    bad_runtime("runtime: {name: x}\n", "f:1:10: 'data_directory' is missing");
    bad_runtime(MINIMAL "oftp2_server: {endpoints: [{host: localhost}]}\n",
                "f:2:28: 'port' is missing");
    bad_runtime("", "f:1:1: the file is empty");
    bad_runtime("# nothing\n", "f:1:1: the file is empty");
    bad_runtime("- a\n", "f:1:1: the file must hold settings");
    bad_runtime("text\n", "f:1:1: the file must hold settings");
    bad_runtime(MINIMAL "---\npartner: x\n", "f:1:1: the file holds several documents");
}

static void test_settings_that_contradict_each_other(void **state)
{
    static const char *const endpoints[][2] = {
        { "{port: 1, session_level_encryption: true}",
          "f:2:28: an endpoint with session_level_encryption needs server_ssl_certificate" },
        { "{port: 1, server_ssl_certificate: x}",
          "f:2:28: an endpoint with server_ssl_certificate" },
        { "{port: 1, require_client_ssl: true}",
          "f:2:28: an endpoint with server_ssl_certificate" },
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
        (void)snprintf(text, sizeof(text), MINIMAL "oftp2_server: {endpoints: [%s]}\n",
                       endpoints[i][0]);
        bad_runtime(text, endpoints[i][1]);
    }
    bad_runtime(MINIMAL "as2_server: {endpoints: [{port: 1, ssl: true}]}\n",
                "f:2:26: an endpoint with ssl needs ssl_certificate");
    bad_runtime(MINIMAL "as2_server: {pat: /as2}\n",
                "f:2:14: unknown setting 'pat'; did you mean 'path'?");
}

static void test_paths_and_addresses(void **state)
{
    char text[400], deep[120];

    (void)state;
    bad_runtime("runtime: {data_directory: data}\n",
                "f:1:27: 'data_directory' must be an absolute directory");
    bad_runtime(MINIMAL "admin: {listen: localhost}\n", "f:2:17: 'listen' must be an address");
    bad_runtime(MINIMAL "admin: {listen: \":80\"}\n", "f:2:17: 'listen' must be an address");
    bad_runtime(MINIMAL "admin: {listen: \"a:65536\"}\n", "f:2:17: 'listen' must be");
    bad_runtime(MINIMAL "admin: {listen: \"::1:80\"}\n", "f:2:17: 'listen' must have an IPv6");
    config_runtime_free(good_runtime(MINIMAL "admin: {listen: \"[::1]:0\"}\n"));
    config_runtime_free(good_runtime(MINIMAL "admin: {listen: \"\"}\n"));
    bad_runtime(MINIMAL "store: postgresql://h/db\n", "f:2:8: 'store' must be sqlite");
    memset(deep, 'd', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "runtime: {data_directory: /%s}\n", deep);
    bad_runtime(text, "f:1:1: data_directory is too long for a Unix socket");
    (void)snprintf(text, sizeof(text), "runtime: {data_directory: /%s}\nadmin: {socket: /s}\n",
                   deep);
    config_runtime_free(good_runtime(text));
}

static void test_a_file_is_read(void **state)
{
    struct config_problems ps = { 0 };
    char path[] = "/tmp/waybill-config-XXXXXX";
    struct config_runtime *c;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, MINIMAL, strlen(MINIMAL)), strlen(MINIMAL));
    assert_int_equal(close(fd), 0);
    c = config_runtime_load(path, &ps);
    assert_non_null(c);
    assert_string_equal(c->file, path);
    config_runtime_free(c);
    assert_int_equal(unlink(path), 0);
    assert_null(config_runtime_load(path, &ps));
    assert_non_null(strstr(ps.first->text, "cannot be read: No such file"));
    assert_null(config_runtime_load("/", &ps));
    config_problems_free(&ps);
}

/* What `dump` writes is a configuration of the same values. */
static void test_a_dump_loads_again(void **state)
{
    struct config_runtime *c = good_runtime(
        MINIMAL "oftp2_server: {endpoints: [{host: \"a%b\", port: 7}, {port: 8}], credit: 7, "
                "max_file_size: 3G, start_timeout: 1500ms, restart: no}\n"
                "admin: {listen: \"\"}\nlog: {format: json}\n");
    char *text = config_runtime_dump(c), *again;
    struct config_runtime *d;

    (void)state;
    assert_non_null(text);
    d = good_runtime(text);
    assert_int_equal(d->oftp2_server.endpoints_n, 2);
    assert_string_equal(d->oftp2_server.endpoints[0].host, "a%b");
    assert_int_equal(d->oftp2_server.credit, 7);
    assert_int_equal(d->oftp2_server.max_file_size, INT64_C(3) << 30);
    assert_int_equal(d->oftp2_server.start_timeout_ms, 1500);
    assert_false(d->oftp2_server.restart);
    assert_string_equal(d->admin.listen, "");
    assert_string_equal(d->log.format, "json");
    again = config_runtime_dump(d);
    assert_string_equal(text, again);
    free(text);
    free(again);
    config_runtime_free(c);
    config_runtime_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_of_the_design_loads),
        cmocka_unit_test(test_settings_that_are_others_now_are_named),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_settings_that_contradict_each_other),
        cmocka_unit_test(test_paths_and_addresses),
        cmocka_unit_test(test_a_file_is_read),
        cmocka_unit_test(test_a_dump_loads_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
