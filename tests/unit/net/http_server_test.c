/* Raw octets against the server, over loopback. */
#include "support.h"

#include "net/http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDLE_MS = 300 };

struct server {
    int listener;
    uint16_t port;
    uint64_t idle_ms;
    pthread_t thread;
    unsigned handled;
};

/* What is asked for by path. */
static void handle(void *context, struct http_request *r)
{
    struct server *s = context;
    struct err err;
    char body[256];
    size_t n = 1, sum = 0;
    bool ok = true;

    s->handled++;
    if (strcmp(r->path, "/echo") == 0) {
        while (ok && n > 0 && sum < sizeof(body)) {
            ok = http_body(r, (struct room) { (uint8_t *)body + sum, sizeof(body) - sum }, &n,
                           &err);
            sum += ok ? n : 0;
        }
        if (ok)
            (void)!http_answer(r, 200, "text/plain", "X-Extra: 1\r\n", span_of(body, sum),
                               &err);
        else
            (void)!http_answer(r, err.wire >= 400 ? err.wire : 400, NULL, NULL,
                               span_text("broken"), &err);
    } else if (strcmp(r->path, "/parts") == 0) {
        static char much[40 * 1024];

        (void)!(
            http_answer_begin(r, 200, "text/plain", NULL, UINT64_MAX, &err) &&
            http_answer_part(r, span_text("one,"), &err) &&
            http_answer_part(r, span_of(NULL, 0), &err) &&
            http_answer_part(r, span_of(memset(much, 'x', sizeof(much)), sizeof(much)), &err) &&
            http_answer_end(r, &err));
    } else if (strcmp(r->path, "/short") == 0) {
        (void)!(http_answer_begin(r, 200, NULL, NULL, 10, &err) &&
                http_answer_part(r, span_text("short"), &err) && http_answer_end(r, &err));
    } else if (strcmp(r->path, "/none") == 0) {
        (void)!http_answer(r, 204, NULL, NULL, span_of(NULL, 0), &err);
    } else if (strcmp(r->path, "/silent") != 0) {
        const char *q = http_query(r, "q");
        const char *h = http_header(r, "x-fold");
        int len = snprintf(body, sizeof(body), "%s %s %s %s %s", r->method, r->path,
                           q != NULL ? q : "-", h != NULL ? h : "-", r->address);

        (void)!http_answer(r, 200, "text/plain", NULL, span_of(body, (size_t)len), &err);
    }
}

static void *serve_run(void *context)
{
    struct server *s = context;
    struct conn *c = NULL;
    size_t which = 0;
    int fd = -1;
    struct err err;

    if (net_accept(&s->listener, 1, -1, &fd, &which, &err) &&
        conn_accept(fd, NULL, soon(), &c, &err))
        http_serve(c, false, handle, s, s->idle_ms);
    return NULL;
}

/* Serves one connection, which is returned. */
static int begin_idle(struct server *s, uint64_t idle_ms)
{
    struct err err;
    int fd;

    *s = (struct server) { .listener = -1, .idle_ms = idle_ms };
    CHECK(net_listen("127.0.0.1", 0, &s->listener, &s->port, &err));
    assert_int_equal(pthread_create(&s->thread, NULL, serve_run, s), 0);
    fd = raw_connect(s->port);
    return fd;
}

static int begin(struct server *s)
{
    return begin_idle(s, SOON_MS);
}

static void finish(struct server *s, int fd)
{
    close(fd);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
}

static void test_simple(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, "GET /a%20b?q=%21 HTTP/1.1\r\nHost: a\r\nX-Fold: one\r\n two\r\n\r\n");
    got = raw_hear(fd, "127.0.0.1");
    assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    assert_has(got, "\r\nContent-Type: text/plain\r\n");
    assert_has(got, "\r\nContent-Length: 28\r\n");
    assert_has(got, "\r\n\r\nGET /a b ! one two 127.0.0.1");
    assert_null(strstr(got, "Connection:"));
    finish(&s, fd);
}

static void test_keep_alive_and_close(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    for (int i = 0; i < 3; i++) {
        raw_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_has(raw_hear(fd, "\r\n\r\nhi"), "X-Extra: 1\r\n");
    }
    raw_say(fd, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "\r\nConnection: close\r\n");
    finish(&s, fd);
    assert_int_equal(s.handled, 4);
}

/* AS2-C27: one answer, whatever the client asks for, and no chunks: the end is the end */
static void test_http_1_0(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "\r\nConnection: close\r\n");
    assert_has(got, "127.0.0.1");
    finish(&s, fd);
    fd = begin(&s);
    raw_say(fd, "GET /parts HTTP/1.0\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "Connection: close\r\n\r\none,xxx");
    assert_null(strstr(got, "chunked"));
    finish(&s, fd);
}

static void test_pipelined(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\ntwo\r\n0\r\n\r\n"
                "GET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "\r\n\r\noneHTTP/1.1 200 OK");
    assert_has(got, "\r\n\r\ntwoHTTP/1.1 200 OK");
    assert_has(got, "GET /three");
    finish(&s, fd);
}

static void test_octet_by_octet(void **state)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct server s;
    int fd = begin(&s);

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(write(fd, text + i, 1), 1);
        (void)poll(NULL, 0, 1);
    }
    assert_has(raw_hear(fd, "abcde"), "\r\n\r\nabcde");
    finish(&s, fd);
}

/* RFC 9110 10.1.1 */
static void test_expect(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(
        fd,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    got = raw_hear(fd, "\r\n\r\n");
    assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_say(fd, "ok");
    assert_has(raw_hear(fd, "\r\n\r\nok"), "HTTP/1.1 200 OK");
    /* a handler that does not want it: no 100, and the connection cannot go on */
    raw_say(fd,
            "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 OK", 15), 0);
    assert_has(got, "Connection: close");
    finish(&s, fd);
}

static void test_parts(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, "GET /parts HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, "\r\n0\r\n\r\n");
    assert_has(got, "Transfer-Encoding: chunked\r\n");
    assert_has(got, "\r\n\r\n4\r\none,\r\na000\r\nxxx");
    raw_say(fd, "HEAD /parts HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, "\r\n\r\n");
    assert_has(got, "Transfer-Encoding: chunked\r\n");
    raw_say(fd, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, "\r\n\r\n");
    assert_has(got, "Content-Length: ");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    raw_say(fd, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, "\r\n\r\n");
    assert_has(got, "HTTP/1.1 204 No Content\r\n");
    assert_null(strstr(got, "Content-Length"));
    finish(&s, fd);
}

static void test_unread_bodies(void **state)
{
    struct server s;
    int fd = begin(&s);
    static char big[3 * 1024 * 1024];
    const char *got;
    int n;

    (void)state;
    raw_say(fd, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
    assert_has(raw_hear(fd, "127.0.0.1"), "POST /x");
    raw_say(fd, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "5\r\n12345\r\n0\r\n\r\n");
    got = raw_hear(fd, "127.0.0.1");
    assert_null(strstr(got, "Connection: close"));
    n = snprintf(big, sizeof(big), "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                 sizeof(big));
    /* too much to read for nothing: it is answered, and the answer is not lost in a reset */
    assert_int_equal(write(fd, big, (size_t)n), n);
    got = raw_hear(fd, "127.0.0.1");
    assert_has(got, "Connection: close");
    assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
    finish(&s, fd);
    assert_int_equal(s.handled, 3);
}

static void answers(const char *text, const char *want)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    raw_say(fd, text);
    got = raw_hear(fd, NULL);
    assert_has(got, want);
    assert_has(got, "Connection: close");
    finish(&s, fd);
}

static void test_refusals(void **state)
{
    static char long_one[70 * 1024];

    (void)state;
    answers("garbage\r\n\r\n", "HTTP/1.1 400 Bad Request");
    answers("\x16\x03\x01\x02\x00\x01\x00", "HTTP/1.1 400 Bad Request");
    answers("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request");
    answers("GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 ");
    answers("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 400 ");
    answers("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 500 ");
    (void)snprintf(long_one, sizeof(long_one), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(long_one + strlen(long_one), 'x', sizeof(long_one) - strlen(long_one) - 1);
    answers(long_one, "HTTP/1.1 431 Request Header Fields Too Large");
}

/* Half an answer must not look like a whole one. */
static void test_short_answer(void **state)
{
    struct server s;
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, "GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "Content-Length: 10\r\n");
    assert_has(got, "\r\n\r\nshort");
    finish(&s, fd);
}

/* To a server that may have closed. */
static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* An octet now and then does not buy time. Nothing comes when we were late with the first. */
static const char *hear_after_a_drip(struct server *s, unsigned idle)
{
    int fd = begin_idle(s, idle);
    uint64_t from = net_now_ms();
    const char *got;

    for (int i = 0; i < 5; i++) {
        say(fd, "G");
        (void)poll(NULL, 0, (int)idle / 6);
        if (i == 0)
            say(fd, "ET / HTTP/1.1\r\nHost: ");
    }
    got = raw_hear(fd, NULL);
    if (*got != '\0')
        assert_in_range(net_now_ms() - from, idle - 1, SOON_MS);
    finish(s, fd);
    return got;
}

/* On a machine that makes us late longer times are tried. */
static void test_slow_clients(void **state)
{
    struct server s;
    int fd = begin_idle(&s, IDLE_MS);
    uint64_t from = net_now_ms();
    const char *got = "";

    (void)state;
    assert_string_equal(raw_hear(fd, NULL), ""); /* never said a word */
    assert_in_range(net_now_ms() - from, IDLE_MS - 1, SOON_MS);
    finish(&s, fd);

    for (unsigned idle = IDLE_MS; *got == '\0' && idle < 100 * IDLE_MS; idle *= 4)
        got = hear_after_a_drip(&s, idle);
    assert_has(got, "HTTP/1.1 408 ");
    got = "";
    for (unsigned idle = IDLE_MS; *got == '\0' && idle < 100 * IDLE_MS; idle *= 4) {
        fd = begin_idle(&s, idle);
        say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12");
        got = raw_hear(fd, NULL);
        finish(&s, fd);
    }
    assert_has(got, "HTTP/1.1 ");
    assert_int_equal(s.handled, 1);
}

static void test_broken_off_body(void **state)
{
    struct server s;
    int fd = begin(&s);

    (void)state;
    raw_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12");
    (void)shutdown(fd, SHUT_WR);
    assert_has(raw_hear(fd, NULL), "broken");
    finish(&s, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),         cmocka_unit_test(test_keep_alive_and_close),
        cmocka_unit_test(test_http_1_0),       cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_octet_by_octet), cmocka_unit_test(test_expect),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_unread_bodies),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_short_answer),
        cmocka_unit_test(test_slow_clients),   cmocka_unit_test(test_broken_off_body),
    };

    return cmocka_run_group_tests_name("net.http_server", tests, NULL, NULL);
}
