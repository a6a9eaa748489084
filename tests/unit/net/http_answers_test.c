/* The client against servers that behave oddly: what is taken, and how failures are sorted. */
#include "scripted.h"

#include "net/http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct arena arena;
static struct scripted server;
static struct http_reply reply;
static struct err err;

static int down(void **state)
{
    (void)state;
    scripted_stop(&server);
    arena_free(&arena);
    http_forget();
    return 0;
}

static void script(const struct script_step *steps, size_t n)
{
    scripted_start(&server, NULL, steps, n);
}

static void call(struct http_call c)
{
    if (c.method == NULL)
        c.method = "POST";
    if (c.url == NULL)
        c.url = server.url;
    if (c.timeout_ms == 0)
        c.timeout_ms = SOON_MS;
    reply = (struct http_reply) { 0 };
    CHECK(http_call(&c, &arena, &reply, &err));
}

static void call_fails(struct http_call c, enum fail_kind kind, enum http_fail how,
                       const char *text)
{
    if (c.method == NULL)
        c.method = "POST";
    if (c.url == NULL)
        c.url = server.url;
    err = (struct err) { 0 };
    if (http_call(&c, &arena, &reply, &err))
        fail_msg("status %d instead of '%s'", reply.status, text);
    if (err.kind != kind || err.wire != (int)how)
        fail_msg("kind %d, wire %d: %s", err.kind, err.wire, err.text);
    assert_has(err.text, text);
}

/* AS2-C19, AS2-C28: whatever goes before the answer and whatever its reason phrase says */
static void test_any_number_of_1xx_is_skipped(void **state)
{
    static const struct script_step steps[] = {
        { .text =
              "HTTP/1.1 100 Continue\r\n\r\n"
              "HTTP/1.1 102 Processing\r\nX-Not: this\r\n\r\n"
              "HTTP/1.1 102 Processing\r\n\r\n"
              "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
              "HTTP/1.1 200 \"OK\"\r\nX-One:\r\nx-two:   2 \r\nContent-Length: 2\r\n\r\nhi" },
        { .text = "HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n" },
        { .text = "HTTP/1.1 204 Gone fishing\r\n\r\n" },
        { .text = "HTTP/1.0 299 What?\r\n\r\nuntil the end", .close = true },
    };

    (void)state;
    script(steps, COUNT_OF(steps));
    call((struct http_call) { .body = span_text("x") });
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.fields_n, 3);
    assert_string_equal(http_reply_header(&reply, "X-ONE"), "");
    assert_string_equal(http_reply_header(&reply, "X-Two"), "2");
    assert_null(http_reply_header(&reply, "Link"));
    assert_string_equal((const char *)reply.body.p, "hi");
    assert_string_equal(reply.address, "127.0.0.1");
    call((struct http_call) { .body = span_text("x") });
    assert_int_equal(reply.status, 202);
    call((struct http_call) { .body = span_text("x") });
    assert_int_equal(reply.status, 204);
    assert_int_equal(server.connections, 1);
    call((struct http_call) { .body = span_text("x") });
    assert_int_equal(reply.status, 299);
    assert_string_equal((const char *)reply.body.p, "until the end");
}

static void test_folded_fields_and_trailers(void **state)
{
    static const struct script_step steps[] = {
        { .text = "HTTP/1.1 200 OK\r\nContent-Type: multipart/report;\r\n"
                  "\treport-type=disposition-notification; \r\n  boundary=b\r\n"
                  "X-Late:\r\n later\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2;e\r\nhi\r\n0\r\nX-Trailer: no\r\nContent-Type: no\r\n\r\n" },
    };

    (void)state;
    script(steps, COUNT_OF(steps));
    call((struct http_call) { .body = span_text("x") });
    assert_string_equal(reply.content_type, "multipart/report; "
                                            "report-type=disposition-notification; boundary=b");
    assert_string_equal(http_reply_header(&reply, "X-Late"), "later");
    assert_null(http_reply_header(&reply, "X-Trailer"));
    assert_string_equal((const char *)reply.body.p, "hi");
}

/* AS2-C25: nobody is called but whom we were told to call */
static void test_redirects_are_told_not_followed(void **state)
{
    static const int statuses[] = { 301, 302, 303, 307, 308 };
    static char answers[5][256];
    static struct script_step steps[5], other_steps[] = { { .text = OK_EMPTY } };
    struct scripted other;
    char to[80];

    (void)state;
    scripted_start(&other, NULL, other_steps, 1);
    (void)snprintf(to, sizeof(to), "%s/there?a=b", other.url);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(answers[i], sizeof(answers[i]),
                       "HTTP/1.1 %d Look there\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                       statuses[i], to);
        steps[i].text = answers[i];
    }
    script(steps, 5);
    for (size_t i = 0; i < 5; i++) {
        call((struct http_call) { .body = span_text("x"),
                                  .user = "us",
                                  .password = "secret",
                                  .clear_credentials = true });
        assert_int_equal(reply.status, statuses[i]);
        assert_string_equal(reply.redirect_url, to);
    }
    assert_int_equal(other.connections, 0);
    scripted_stop(&other);
}

/* AS2-C23 (the client's side), AS2-C82 */
static void test_credentials_come_with_the_first_request(void **state)
{
    static const struct script_step steps[] = {
        { .text = OK_EMPTY },
        { .text = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
                  "Content-Length: 0\r\n\r\n" },
        { .text = OK_EMPTY },
    };
    struct http_call c = { .body = span_text("x"), .user = "us", .password = "se:cret" };

    (void)state;
    script(steps, COUNT_OF(steps));
    call_fails(c, FAIL_LOCAL, HTTP_FAIL_OTHER, "not sent over http");
    assert_int_equal(server.connections, 0);
    c.clear_credentials = true;
    call(c);
    assert_has(server.request, "\r\nAuthorization: Basic dXM6c2U6Y3JldA==\r\n");
    call(c);
    assert_int_equal(reply.status, 401);
    assert_int_equal(server.requests, 2);
    call((struct http_call) { .body = span_text("x") });
    assert_null(strstr(server.request, "Authorization"));
    assert_null(strstr(server.request, "Expect"));
    assert_int_equal(server.connections, 2); /* one with, one without credentials */
}

static void test_lost_connections_leave_the_outcome_unknown(void **state)
{
    static const struct script_step steps[] = {
        { .close = true },
        { .text = "HTTP/1.1 200 O", .close = true },
        { .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .close = true },
        { .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
          .close = true },
        { .early = true, .close = true },
    };
    static char big[8 * 1024 * 1024];
    struct http_call c = { .body = span_text("x") };

    (void)state;
    script(steps, COUNT_OF(steps));
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i].early)
            c.body = span_of(big, sizeof(big));
        call_fails(c, FAIL_AGAIN, HTTP_FAIL_LOST, "POST http://127.0.0.1:");
    }
}

static void test_refused_looked_up_and_silent_hosts(void **state)
{
    static const struct script_step steps[] = { { .text = OK_EMPTY } };
    char url[64];
    uint16_t port = 0;
    int fd = -1;

    (void)state;
    script(steps, 1);
    CHECK(net_listen("127.0.0.1", 0, &fd, &port, &err));
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", (unsigned)port);
    /* connected, but nobody speaks TLS */
    call_fails((struct http_call) { .url = url, .connect_ms = 200 }, FAIL_AGAIN, HTTP_FAIL_SLOW,
               "timeout");
    close(fd);
    fd = held_port(&port);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", (unsigned)port);
    call_fails((struct http_call) { .url = url }, FAIL_AGAIN, HTTP_FAIL_CONNECT, "onnect");
    close(fd);
    call_fails(
        (struct http_call) { .url = "http://no-such-host.invalid/", .connect_ms = SOON_MS },
        FAIL_AGAIN, HTTP_FAIL_LOOKUP, "no-such-host.invalid");
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", (unsigned)server.port);
    call_fails((struct http_call) { .url = url, .connect_ms = SOON_MS }, FAIL_AGAIN,
               HTTP_FAIL_TLS, "TLS handshake");
}

static void test_slow_answers_end_calls(void **state)
{
    static const struct script_step steps[] = {
        { .wait_ms = 5000, .text = OK_EMPTY },
        { .wait_ms = 5000, .text = OK_EMPTY },
        { .wait_ms = 1,
          .text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
          .close = false },
        { .text = OK_EMPTY }, /* never asked for: the connection stays open for it */
    };
    struct http_call c = { .body = span_text("x") };

    (void)state;
    scripted_start(&server, NULL, steps, 1);
    c.answer_ms = 300;
    call_fails(c, FAIL_AGAIN, HTTP_FAIL_TIMEOUT, "waiting for the answer");
    scripted_stop(&server);
    scripted_start(&server, NULL, steps + 1, 1);
    c.answer_ms = 0;
    c.timeout_ms = 300;
    call_fails(c, FAIL_AGAIN, HTTP_FAIL_TIMEOUT, "timed out");
    scripted_stop(&server);
    scripted_start(&server, NULL, steps + 2, 2);
    c.timeout_ms = 0;
    c.answer_ms = SOON_MS;
    c.stall_ms = 300;
    call_fails(c, FAIL_AGAIN, HTTP_FAIL_TIMEOUT, "reading the answer");
}

/* Both waits together are longer than allowed, each is shorter: but for a machine that makes the server
 * late, which is tried again with longer ones. */
static void test_each_1xx_begins_the_wait_again(void **state)
{
    static struct script_step step = { .text = "HTTP/1.1 102 Wait\r\n\r\n", .after = OK_EMPTY };
    struct http_call c = { .method = "POST", .body = span_text("x"), .timeout_ms = SOON_MS };
    bool ok = false;

    (void)state;
    for (unsigned wait = 300; !ok && wait < 10000; wait *= 3) {
        if (wait > 300)
            scripted_stop(&server);
        step.wait_ms = wait;
        scripted_start(&server, NULL, &step, 1);
        c.url = server.url;
        c.answer_ms = wait * 2 - wait / 10;
        ok = http_call(&c, &arena, &reply, &err);
        if (!ok && err.wire != HTTP_FAIL_TIMEOUT)
            fail_msg("%s", err.text);
    }
    CHECK(ok);
    assert_int_equal(reply.status, 200);
}

/* The server says no before it has read all, and the client hears it. */
static void test_early_answers_are_heard(void **state)
{
    static const struct script_step steps[] = {
        { .early = true,
          .text = "HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
          .close = true },
    };
    static char big[1024 * 1024];

    (void)state;
    script(steps, 1);
    call((struct http_call) { .body = span_of(big, sizeof(big)) });
    assert_int_equal(reply.status, 413);
}

static void test_huge_answers_fail_or_are_cut(void **state)
{
    static char many[16 * 1024], wide[80 * 1024];
    static struct script_step steps[] = {
        { .text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789" },
        { .text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789" },
        { .text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789" },
        { .text = many, .close = true },
        { .text = wide, .close = true },
        { .text = "\x16\x03\x01 this is no HTTP\r\n\r\n", .close = true },
    };
    struct http_call c = { .body = span_text("x"), .answer_max = 8 };
    size_t n = (size_t)snprintf(many, sizeof(many), "HTTP/1.1 200 OK\r\n");

    (void)state;
    for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
        n += (size_t)snprintf(many + n, sizeof(many) - n, "X-%d: a\r\n", i);
    (void)snprintf(many + n, sizeof(many) - n, "\r\n");
    n = (size_t)snprintf(wide, sizeof(wide), "HTTP/1.1 200 OK\r\n");
    while (n < HTTP_HEAD_MAX)
        n += (size_t)snprintf(wide + n, sizeof(wide) - n, "X: %01000d\r\n", 1);
    (void)snprintf(wide + n, sizeof(wide) - n, "\r\n");
    script(steps, COUNT_OF(steps));
    call_fails(c, FAIL_PEER, HTTP_FAIL_ANSWER, "more than 8 octets");
    c.answer_cut = true;
    call(c);
    assert_true(reply.cut);
    assert_int_equal(reply.body.n, 8);
    c.answer_max = 9;
    call(c);
    assert_false(reply.cut);
    assert_int_equal(reply.body.n, 9);
    call_fails(c, FAIL_PEER, HTTP_FAIL_ANSWER, "more than 100 header fields");
    call_fails(c, FAIL_PEER, HTTP_FAIL_ANSWER, "octets of header");
    call_fails(c, FAIL_PEER, HTTP_FAIL_ANSWER, "HTTP");
}

/* AS2-C98 */
static void test_retry_after_in_seconds_and_as_a_date(void **state)
{
    static const struct script_step steps[] = {
        { .text = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n" },
        { .text = "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"
                  "Content-Length: 0\r\n\r\n" },
        { .text = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" },
    };
    static const char date[] = "Sat, 21 Nov 2026 02:10:06 GMT";
    const int64_t at = 1795227006; /* the same */

    (void)state;
    script(steps, COUNT_OF(steps));
    call((struct http_call) { 0 });
    assert_int_equal(reply.retry_after_s, 120);
    call((struct http_call) { 0 });
    assert_int_equal(reply.retry_after_s, 86400);
    call((struct http_call) { 0 });
    assert_int_equal(reply.retry_after_s, -1);
    assert_int_equal(http_retry_after("0", at, 10), 0);
    assert_int_equal(http_retry_after("10", at, 10), 10);
    assert_int_equal(http_retry_after("11", at, 10), 10);
    assert_int_equal(http_retry_after("99999999999999999999999", at, INT64_MAX), INT64_MAX);
    assert_int_equal(http_retry_after(date, at - 7, 10), 7);
    assert_int_equal(http_retry_after(date, at - 11, 10), 10);
    assert_int_equal(http_retry_after(date, at + 11, 10), 0);
    assert_int_equal(http_retry_after("Saturday, 21-Nov-26 02:10:06 GMT", at - 7, 10), 7);
    assert_int_equal(http_retry_after("soon", at, 10), -1);
    assert_int_equal(http_retry_after("-5", at, 10), -1);
    assert_int_equal(http_retry_after("5x", at, 10), -1);
    assert_int_equal(http_retry_after("", at, 10), -1);
    assert_int_equal(http_retry_after(NULL, at, 10), -1);
}

/* AS2-C81 */
static void test_private_addresses_are_not_called(void **state)
{
    static const struct script_step steps[] = { { .text = OK_EMPTY } };
    static const char *const hosts[] = { "127.0.0.1", "localhost", "0x7f000001", "127.1",
                                         "[::ffff:127.0.0.1]" };
    char url[80];

    (void)state;
    script(steps, 1);
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        (void)snprintf(url, sizeof(url), "http://%s:%u/", hosts[i], (unsigned)server.port);
        call_fails((struct http_call) { .url = url, .public_only = true }, FAIL_LOCAL,
                   HTTP_FAIL_FORBIDDEN, "none of the public Internet");
    }
    call_fails((struct http_call) { .url = "http://8.8.8.8:22/", .public_only = true },
               FAIL_LOCAL, HTTP_FAIL_FORBIDDEN, "port 22");
    call_fails((struct http_call) { .url = "http://u@8.8.8.8/", .public_only = true },
               FAIL_LOCAL, HTTP_FAIL_FORBIDDEN, "user");
    call_fails((struct http_call) { .url = "http://10.0.0.1/",
                                    .public_only = true,
                                    .proxy = "http://127.0.0.1:1" },
               FAIL_LOCAL, HTTP_FAIL_FORBIDDEN, "10.0.0.1");
    assert_int_equal(server.connections, 0);
    call((struct http_call) { 0 }); /* what an operator configured may be private */
    assert_int_equal(reply.status, 200);
}

static void test_header_fields_cannot_be_smuggled_in(void **state)
{
    static const struct script_step steps[] = { { .text = OK_EMPTY } };
    static const char *const bad[] = { "Subject: a\r\nX: b", NULL };

    (void)state;
    script(steps, 1);
    call_fails((struct http_call) { .headers = bad }, FAIL_LOCAL, HTTP_FAIL_OTHER,
               "control character");
}

struct source {
    size_t left;
    unsigned rewound;
};

static bool give(void *context, struct room room, size_t *n)
{
    struct source *s = context;

    *n = s->left < room.n ? s->left : room.n;
    memset(room.p, 'a', *n);
    s->left -= *n;
    return true;
}

static bool rewind_source(void *context)
{
    struct source *s = context;

    s->left = 100000;
    s->rewound++;
    return true;
}

static void test_streams_use_open_connections_again(void **state)
{
    static const struct script_step steps[] = { { .text = OK_EMPTY },
                                                { .text = OK_EMPTY, .close = true },
                                                { .text = OK_EMPTY },
                                                { .text = OK_EMPTY } };
    struct source s;
    struct http_call c = {
        .read = give, .rewind = rewind_source, .read_context = &s, .read_length = 100000
    };

    (void)state;
    script(steps, COUNT_OF(steps));
    for (int i = 0; i < 4; i++) {
        s = (struct source) { 100000, 0 };
        if (i == 3)
            c.read_length = UINT64_MAX;
        call(c);
        assert_int_equal(reply.status, 200);
        assert_true(server.request_n > 100000);
        assert_int_equal(server.connections, i < 2 ? 1 : 2);
    }
    assert_has(server.request, "Transfer-Encoding: chunked");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, down)
    const struct CMUnitTest tests[] = {
        TEST(test_any_number_of_1xx_is_skipped),
        TEST(test_folded_fields_and_trailers),
        TEST(test_redirects_are_told_not_followed),
        TEST(test_credentials_come_with_the_first_request),
        TEST(test_lost_connections_leave_the_outcome_unknown),
        TEST(test_refused_looked_up_and_silent_hosts),
        TEST(test_slow_answers_end_calls),
        TEST(test_each_1xx_begins_the_wait_again),
        TEST(test_early_answers_are_heard),
        TEST(test_huge_answers_fail_or_are_cut),
        TEST(test_retry_after_in_seconds_and_as_a_date),
        TEST(test_private_addresses_are_not_called),
        TEST(test_header_fields_cannot_be_smuggled_in),
        TEST(test_streams_use_open_connections_again),
    };

    return cmocka_run_group_tests_name("net.http_answers", tests, NULL, NULL);
}
