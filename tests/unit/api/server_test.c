/* The admin API from its socket to a gateway that only remembers, and a real store. */
#include "api/api_int.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char directory[64], socket_path[96];
static struct gateway fake;
static struct api *api;
static struct arena arena;
static struct http_reply reply;

static int begin(void **state)
{
    struct store_config cfg = { "sqlite", directory };
    struct err err;

    (void)state;
    (void)strcpy(directory, "/tmp/waybill-api-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", directory);
    fake = (struct gateway) { 0 };
    fake.rt.runtime.name = "plant-7";
    fake.rt.runtime.data_directory = directory;
    fake.rt.admin.socket = socket_path;
    fake.rt.admin.listen = "127.0.0.1:0";
    if (!store_open(&cfg, &fake.store, &err) || !api_start(&fake, &api, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    api_stop(api);
    api = NULL;
    store_close(fake.store);
    arena_free(&arena);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

/* Over the Unix socket; the answer is in reply. Gives its status. */
static int ask(const char *method, const char *path, struct span body)
{
    struct http_call call = {
        .method = method, .unix_socket = socket_path, .body = body, .timeout_ms = 60000
    };
    struct err err;

    call.url = arena_printf(&arena, "http://localhost%s", path);
    if (!http_call(&call, &arena, &reply, &err))
        fail_msg("%s %s: %s", method, path, err.text);
    return reply.status;
}

static int get(const char *path)
{
    return ask("GET", path, span_of(NULL, 0));
}

static int post(const char *path)
{
    return ask("POST", path, span_of(NULL, 0));
}

static int get_tcp(const char *path, const char *header, const char *host)
{
    const char *headers[] = { header, host, NULL };
    struct http_call call = { .method = "GET", .headers = headers, .timeout_ms = 60000 };
    struct err err;

    call.url = arena_printf(&arena, "http://127.0.0.1:%u%s", (unsigned)api_port(api), path);
    if (!http_call(&call, &arena, &reply, &err))
        fail_msg("GET %s: %s", path, err.text);
    return reply.status;
}

/* A member of the answer, "a.b.0.c" going down; as text. */
static const char *member(const char *path)
{
    json_t *root = json_loadb((const char *)reply.body.p, reply.body.n, 0, NULL), *v = root;
    char *copy = arena_text(&arena, path), *save = NULL;
    char *text;

    for (char *p = strtok_r(copy, ".", &save); p != NULL; p = strtok_r(NULL, ".", &save))
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(p)) : json_object_get(v, p);
    text = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY);
    copy = text != NULL ? arena_text(&arena, text) : arena_text(&arena, "missing");
    free(text);
    json_decref(root);
    return copy;
}

static void add_document(int64_t id, const char *name, struct span octets)
{
    struct document d = { .id = id,
                          .outbound = true,
                          .state = DOC_SENT,
                          .protocol = "oftp2",
                          .partner = "acme",
                          .name = name,
                          .created_ms = 1795256100123,
                          .changed_ms = 1795256100123 };
    struct store_batch *b = store_batch_new();
    struct payload_writer *w;
    struct err err;

    assert_non_null(b);
    assert_true(payload_create(fake.store, id, 'o', &w, &err));
    assert_true(payload_write(w, octets, &err));
    assert_true(payload_finish(w, b, &d.opened, &err));
    d.size = d.opened.size;
    store_put_document(b, &d);
    assert_true(store_commit(fake.store, b, &err));
    payload_writer_free(w);
    store_batch_free(b);
}

/* ---- who may ---------------------------------------------------------------------------- */

/* A token with this role, as a header. */
static const char *token_header(const char *role)
{
    const char *body = arena_printf(&arena, "{\"name\":\"%s\",\"role\":\"%s\"}", role, role);
    const char *text;

    assert_int_equal(ask("POST", "/api/v1/tokens", span_text(body)), 201);
    text = member("token");
    return arena_printf(&arena, "Authorization: Bearer %.*s", (int)strlen(text) - 2, text + 1);
}

static void test_tcp_needs_a_token_and_a_loopback_host(void **state)
{
    const char *header;

    (void)state;
    assert_int_equal(get_tcp("/healthz", NULL, NULL), 200);
    assert_int_equal(get_tcp("/readyz", NULL, NULL), 200);
    assert_int_equal(get_tcp("/api/v1/runtime", NULL, NULL), 401);
    assert_non_null(strstr(member("error"), "waybill users add"));
    assert_int_equal(get_tcp("/metrics", NULL, NULL), 401);
    assert_int_equal(get_tcp("/nothing", NULL, NULL), 401);
    assert_int_equal(get_tcp("/api/v1/runtime", "Authorization: Bearer 00", NULL), 401);
    header = token_header("viewer");
    assert_int_equal(get_tcp("/api/v1/runtime", header, NULL), 200);
    assert_int_equal(get_tcp("/api/v1/users", header, NULL), 403);
    assert_non_null(strstr(member("error"), "admin"));
    assert_int_equal(get_tcp("/api/v1/runtime", header, "Host: evil.example"), 403);
    assert_int_equal(get_tcp("/healthz", "Host: evil.example", NULL), 403);
    assert_int_equal(ask("DELETE", "/api/v1/tokens/viewer", span_of(NULL, 0)), 200);
    assert_int_equal(get_tcp("/api/v1/runtime", header, NULL), 401);
}

static void test_the_unix_socket_needs_none(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/runtime"), 200);
    assert_string_equal(member("name"), "\"plant-7\"");
    assert_string_equal(member("endpoints.0.port"), "3305");
    assert_string_equal(member("admin"),
                        arena_printf(&arena, "\"127.0.0.1:%u\"", (unsigned)api_port(api)));
}

static void test_unknown_paths_and_methods_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/nothing"), 404);
    assert_int_equal(post("/api/v1/runtime"), 405);
    assert_string_equal(http_reply_header(&reply, "Allow"), "GET");
    assert_int_equal(post("/api/v1/components/partner/acme"), 405);
    assert_string_equal(http_reply_header(&reply, "Allow"), "GET, PUT, DELETE");
    assert_non_null(strstr(member("error"), "does not take POST, but GET, PUT, DELETE"));
    assert_int_equal(ask("DELETE", "/api/v1/documents/7/resend", span_of(NULL, 0)), 405);
    assert_string_equal(http_reply_header(&reply, "Allow"), "GET, POST");
    assert_int_equal(get("/api/v1/listeners/orders/pause"), 405);
    assert_int_equal(post("/api/v1/listeners/orders/explode"), 404);
}

/* ---- families --------------------------------------------------------------------------- */

static void test_components_are_applied_and_problems_have_their_place(void **state)
{
    struct span yaml = span_text("partner: acme\n");

    (void)state;
    assert_int_equal(ask("POST", "/api/v1/components?file=a%20b.yaml&dry_run=1", yaml), 200);
    assert_string_equal(fake.asked, "apply a b.yaml 14 dry");
    assert_string_equal(member("applied.0.version"), "3");
    assert_string_equal(member("applied.0.warnings"), "missing");
    assert_int_equal(ask("POST", "/api/v1/components?file=x.yaml", yaml), 200);
    assert_string_equal(member("applied.0.warnings.0"), "\"partner acme: mind the gap\"");
    fake.fail_wire = 422;
    assert_int_equal(ask("POST", "/api/v1/components?file=x.yaml", yaml), 422);
    assert_string_equal(member("problems.0.file"), "\"x.yaml\"");
    assert_string_equal(member("problems.0.line"), "3");
    assert_string_equal(member("problems.0.column"), "7");
    assert_string_equal(member("problems.0.text"), "\"unknown key 'x'\"");
}

static void test_components_beyond_the_limit_are_refused(void **state)
{
    size_t n = (size_t)CONFIG_TEXT_MAX + 1;
    uint8_t *text = calloc(1, n);

    (void)state;
    assert_non_null(text);
    assert_int_equal(ask("POST", "/api/v1/components", span_of(text, n)), 413);
    fake.asked[0] = '\0';
    assert_int_equal(ask("POST", "/api/v1/components", span_of(text, n - 1)), 200);
    assert_string_equal(fake.asked, "apply request 4194304");
    free(text);
}

static void test_failures_carry_the_gateways_status(void **state)
{
    (void)state;
    fake.fail_wire = 409;
    assert_int_equal(ask("DELETE", "/api/v1/components/partner/acme", span_of(NULL, 0)), 409);
    assert_string_equal(member("error"), "\"the fake refuses\"");
    fake.fail_wire = 404;
    assert_int_equal(post("/api/v1/partners/acme/call"), 404);
    fake.fail_wire = 7; /* a partner's reason is no status */
    assert_int_equal(post("/api/v1/partners/acme/call"), 500);
    fake.fail_wire = 0;
    assert_int_equal(post("/api/v1/partners/acme/call"), 202);
    assert_int_equal(get("/api/v1/components/partner/acme"), 404);
    assert_int_equal(get("/api/v1/components/pirate/acme"), 400);
}

/* A request with one header. */
static int ask_with(const char *method, const char *header, struct span body)
{
    const char *headers[] = { header, NULL };
    struct http_call call = { .method = method,
                              .url = "http://localhost/api/v1/components/partner/acme",
                              .unix_socket = socket_path,
                              .headers = headers,
                              .body = body,
                              .timeout_ms = 60000 };
    struct err err;

    if (!http_call(&call, &arena, &reply, &err))
        fail_msg("%s: %s", method, err.text);
    return reply.status;
}

static void test_a_version_that_was_seen_goes_to_the_gateway(void **state)
{
    struct span yaml = span_text("partner: acme\n"), none = span_of(NULL, 0);

    (void)state;
    assert_int_equal(ask_with("PUT", "If-Match: \"7\"", yaml), 200);
    assert_string_equal(fake.asked, "put partner acme 7 14");
    assert_string_equal(member("applied.0.version"), "8");
    assert_string_equal(http_reply_header(&reply, "ETag"), "\"8\"");
    assert_int_equal(ask_with("PUT", "If-Match: *", yaml), 200);
    assert_string_equal(fake.asked, "put partner acme -2 14");
    assert_int_equal(ask_with("PUT", "If-None-Match: *", yaml), 200);
    assert_string_equal(fake.asked, "put partner acme 0 14");
    assert_int_equal(ask("PUT", "/api/v1/components/partner/acme?dry_run=1", yaml), 200);
    assert_string_equal(fake.asked, "put partner acme -1 14 dry");
    assert_int_equal(ask_with("PUT", "If-Match: 7", yaml), 400);
    assert_int_equal(ask_with("DELETE", "If-Match: \"7\"", none), 200);
    assert_string_equal(fake.asked, "delete version 7");
    fake.fail_wire = 412;
    assert_int_equal(ask_with("PUT", "If-Match: \"7\"", yaml), 412);
    assert_int_equal(ask_with("DELETE", "If-Match: \"7\"", none), 412);
    fake.fail_wire = 0;
}

static void test_listeners_sessions_and_tests_are_told(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/listeners"), 200);
    assert_string_equal(member("listeners.0.reason"), "\"collides\"");
    assert_int_equal(post("/api/v1/listeners/orders/pause"), 200);
    assert_string_equal(fake.asked, "pause orders");
    assert_string_equal(member("name"), "\"orders\"");
    assert_int_equal(get("/api/v1/sessions"), 200);
    assert_string_equal(member("sessions.0.done"), "5");
    assert_int_equal(post("/api/v1/partners/acme/test"), 200);
    assert_string_equal(member("ok"), "false");
    assert_string_equal(member("steps.0.text"), "\"wrong password\"");
    assert_string_equal(member("trace.0"), "\"> SSID\"");
    assert_int_equal(get("/metrics"), 200);
    assert_true(span_is(reply.body, "waybill_documents 1\n"));
}

static void test_the_overview_is_told(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/overview"), 200);
    assert_string_equal(member("receipts_overdue"), "7");
    assert_string_equal(member("documents_held"), "4");
    assert_string_equal(member("certificates_expiring.0.days_left"), "-2");
    assert_string_equal(member("minutes.59.out.sent"), "3");
    assert_string_equal(member("minutes.59.at"), "\"1970-01-01T01:00:00.000Z\"");
    assert_string_equal(member("jobs.open"), "2");
    assert_string_equal(member("jobs.kinds.0.kind"), "\"send\"");
}

static void test_documents_are_found_page_by_page(void **state)
{
    (void)state;
    for (int64_t id = 1; id <= 3; id++)
        add_document(id,
                     id == 2 ? "Gr\xF6\xDF"
                               "e"
                             : "ORDERS",
                     span_text("octets"));
    assert_int_equal(get("/api/v1/documents?limit=2"), 200);
    assert_string_equal(member("documents.0.id"), "3");
    assert_string_equal(member("documents.1.name"), "\"Gr\\\\xF6\\\\xDFe\"");
    assert_string_equal(member("next"), "2");
    assert_int_equal(get("/api/v1/documents?limit=2&before=2"), 200);
    assert_string_equal(member("documents.0.id"), "1");
    assert_string_equal(member("next"), "null");
    assert_int_equal(get("/api/v1/documents?state=sent&direction=out&from=2026-11-21"), 200);
    assert_string_equal(member("documents.2.id"), "1");
    assert_int_equal(get("/api/v1/documents?direction=in"), 200);
    assert_string_equal(member("documents"), "[]");
}

static void test_a_bad_search_says_what_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/documents?state=lost"), 400);
    assert_int_equal(get("/api/v1/documents?direction=up"), 400);
    assert_int_equal(get("/api/v1/documents?limit=0"), 400);
    assert_int_equal(get("/api/v1/documents?limit=1001"), 400);
    assert_int_equal(get("/api/v1/documents?before=x"), 400);
    assert_int_equal(get("/api/v1/documents?from=yesterday"), 400);
    assert_non_null(strstr(member("error"), "yesterday"));
    assert_int_equal(get("/api/v1/documents/x"), 400);
    assert_int_equal(get("/api/v1/documents/99"), 404);
    assert_int_equal(get("/api/v1/receipts?document=0"), 400);
}

static void test_one_document_comes_with_all_that_belongs_to_it(void **state)
{
    (void)state;
    add_document(5, "ORDERS", span_text("octets"));
    assert_int_equal(get("/api/v1/documents/5"), 200);
    assert_string_equal(member("state"), "\"sent\"");
    assert_string_equal(member("events"), "[]");
    assert_string_equal(member("receipts"), "[]");
    assert_string_equal(member("tracked"), "[]");
    assert_string_equal(member("executions"), "[]");
    assert_string_equal(member("jobs"), "[]");
    assert_int_equal(post("/api/v1/documents/5/reject?text=no%20order"), 200);
    assert_string_equal(fake.asked, "reject no order");
    assert_int_equal(post("/api/v1/documents/5/retry"), 200);
    assert_non_null(strstr(fake.asked, "retry local:"));
    assert_int_equal(post("/api/v1/documents/5/explode"), 404);
}

/* ---- octets ----------------------------------------------------------------------------- */

static void test_a_document_goes_in_and_out_whole(void **state)
{
    size_t n = 3 * (size_t)API_BUFFER + 17;
    uint8_t *octets = malloc(n), sum = 0;

    (void)state;
    assert_non_null(octets);
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + (octets[i] = (uint8_t)(i * 7 + i / 251)));
    assert_int_equal(ask("POST",
                         "/api/v1/documents?partner=acme&name=A%26B&format=F&record_length=80",
                         span_of(octets, n)),
                     201);
    assert_string_equal(member("id"), "4711");
    assert_string_equal(fake.asked, "send acme A&B F 80 command");
    assert_true(fake.committed);
    assert_int_equal(fake.sent_octets, n);
    assert_int_equal(fake.sent_sum, sum);

    add_document(6, "../\"x\"\n", span_of(octets, n));
    assert_int_equal(get("/api/v1/documents/6/opened"), 200);
    assert_true(span_equal(reply.body, span_of(octets, n)));
    assert_int_equal(get("/api/v1/documents/6/raw"), 404);
    assert_int_equal(get("/api/v1/documents/6/cooked"), 404);
    assert_int_equal(get("/api/v1/documents/7/raw"), 404);
    free(octets);
}

static void test_a_send_that_lacks_something_is_refused(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/documents"), 400);
    assert_int_equal(post("/api/v1/documents?partner=acme&format=X"), 400);
    assert_int_equal(post("/api/v1/documents?partner=acme&record_length=100000"), 400);
    fake.fail_wire = 404;
    assert_int_equal(post("/api/v1/documents?partner=nobody"), 404);
    assert_false(fake.committed);
}

static int dial(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)text_copy(a.sun_path, sizeof(a.sun_path), socket_path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void test_a_client_that_leaves_in_the_middle_sends_nothing(void **state)
{
    static const char half[] = "POST /api/v1/documents?partner=acme HTTP/1.1\r\nHost: x\r\n"
                               "Content-Length: 100\r\n\r\nhalf";
    const struct timespec pause = { 0, 10 * 1000000L };
    int begun = atomic_load(&fake.begun), freed = atomic_load(&fake.freed);
    int fd = dial();

    (void)state;
    atomic_store(&fake.committed, false);
    assert_int_equal(send(fd, half, sizeof(half) - 1, MSG_NOSIGNAL), sizeof(half) - 1);
    close(fd);
    for (int i = 0; i < 5000 && atomic_load(&fake.freed) == freed; i++)
        (void)nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&fake.begun), begun + 1);
    assert_int_equal(atomic_load(&fake.freed), freed + 1);
    assert_false(fake.committed);
}

/* ---- long answers and the end ----------------------------------------------------------- */

static bool two_lines(void *context, struct span part)
{
    size_t *n = context;

    *n += part.n;
    return *n < strlen("> SSID\n< SSID\n");
}

static void test_a_trace_ends_when_its_client_goes(void **state)
{
    size_t n = 0;
    struct http_call call = { .method = "GET",
                              .unix_socket = socket_path,
                              .url = "http://localhost/api/v1/trace?partner=acme",
                              .write = two_lines,
                              .write_context = &n,
                              .timeout_ms = 60000 };
    const struct timespec pause = { 0, 10 * 1000000L };
    struct err err;

    (void)state;
    assert_false(http_call(&call, &arena, &reply, &err)); /* stopped by us */
    assert_int_equal(n, strlen("> SSID\n< SSID\n"));
    for (int i = 0; i < 5000 && atomic_load(&fake.traces) > 0; i++)
        (void)nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&fake.traces), 0);
}

static void test_stop_is_answered_before_it_stops(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/stop"), 202);
    for (int i = 0; i < 5000 && !atomic_load(&fake.stop); i++) {
        const struct timespec pause = { 0, 10 * 1000000L };

        (void)nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(&fake.stop));
    assert_int_equal(get("/readyz"), 503);
    assert_int_equal(get("/healthz"), 200);
}

static void test_more_than_64_connections_are_turned_away(void **state)
{
    int fds[API_CONNECTIONS_MAX + 1];
    char text[256] = { 0 };
    const char *body;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = dial();
    assert_true(recv(fds[API_CONNECTIONS_MAX], text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 503 "));
    body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    assert_non_null(
        strstr(text, arena_printf(&arena, "Content-Length: %zu\r\n", strlen(body + 4))));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

/* As long as it would be held up, always; a machine that is busy is slow some times. */
static void test_an_idle_client_does_not_hold_up_the_end(void **state)
{
    uint64_t took = API_STOP_MS;

    (void)state;
    for (int i = 0; i < 5 && took >= API_STOP_MS; i++) {
        struct err err;
        uint64_t before;
        int fd;

        assert_true(api != NULL || api_start(&fake, &api, &err));
        fd = dial();
        assert_int_equal(get("/healthz"), 200);
        before = net_now_ms();
        api_stop(api);
        api = NULL;
        took = net_now_ms() - before;
        close(fd);
    }
    assert_true(took < API_STOP_MS);
    assert_int_equal(access(socket_path, F_OK), -1);
}

int main(void)
{
#define SERVED(t) cmocka_unit_test_setup_teardown(t, begin, end)
    const struct CMUnitTest tests[] = {
        SERVED(test_tcp_needs_a_token_and_a_loopback_host),
        SERVED(test_the_unix_socket_needs_none),
        SERVED(test_unknown_paths_and_methods_are_told_apart),
        SERVED(test_components_are_applied_and_problems_have_their_place),
        SERVED(test_components_beyond_the_limit_are_refused),
        SERVED(test_failures_carry_the_gateways_status),
        SERVED(test_a_version_that_was_seen_goes_to_the_gateway),
        SERVED(test_listeners_sessions_and_tests_are_told),
        SERVED(test_the_overview_is_told),
        SERVED(test_documents_are_found_page_by_page),
        SERVED(test_a_bad_search_says_what_is_wrong),
        SERVED(test_one_document_comes_with_all_that_belongs_to_it),
        SERVED(test_a_document_goes_in_and_out_whole),
        SERVED(test_a_send_that_lacks_something_is_refused),
        SERVED(test_a_client_that_leaves_in_the_middle_sends_nothing),
        SERVED(test_a_trace_ends_when_its_client_goes),
        SERVED(test_stop_is_answered_before_it_stops),
        SERVED(test_more_than_64_connections_are_turned_away),
        SERVED(test_an_idle_client_does_not_hold_up_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
