/* What the AS2 server asks of HTTP: times, rates, sizes, and what the handler learns. */
#include "support.h"

#include "net/http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct server {
    int listener;
    uint16_t port;
    struct http_serve_options options;
    uint64_t body_max;
    unsigned nap_ms; /* before each piece of a body */
    pthread_t thread;
};

static void answer(struct http_request *r, int status, const char *text)
{
    struct err err;

    (void)!http_answer(r, status, "text/plain", NULL, span_text(text), &err);
}

/* "/early": answers without the body; "/close": for the last time. */
static void handle(void *context, struct http_request *r)
{
    struct server *s = context;
    const char *from = NULL;
    uint8_t piece[512];
    size_t n = 1, sum = 0;
    struct err err = { 0 };

    r->body_max = s->body_max;
    r->close = strcmp(r->path, "/close") == 0;
    if (strcmp(r->method, "POST") == 0 && !r->has_length && !r->chunked)
        return answer(r, 411, "no length");
    if (!http_header_once(r, "AS2-From", &from))
        return answer(r, 400, "two names");
    if (strcmp(r->path, "/early") == 0)
        return answer(r, 403, "not you");
    while (n > 0) {
        if (s->nap_ms > 0)
            (void)poll(NULL, 0, (int)s->nap_ms);
        if (!http_body(r, (struct room) { piece, sizeof(piece) }, &n, &err))
            return answer(r, err.wire >= 400 && err.wire < 600 ? err.wire : 500, err.text);
        sum += n;
    }
    answer(r, 200,
           arena_printf(&r->arena, "%zu from %s fields %zu tls '%s'", sum,
                        from != NULL ? from : "-", r->fields_n, r->tls));
}

static void *serve(void *context)
{
    struct server *s = context;
    struct conn *c = NULL;
    size_t which = 0;
    int fd = -1;
    struct err err;

    if (net_accept(&s->listener, 1, -1, &fd, &which, &err) &&
        conn_accept(fd, NULL, soon(), &c, &err))
        http_serve_with(c, &s->options, handle, s);
    return NULL;
}

static int begin(struct server *s)
{
    struct err err;

    if (s->options.idle_ms == 0)
        s->options.idle_ms = SOON_MS;
    CHECK(net_listen("127.0.0.1", 0, &s->listener, &s->port, &err));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return raw_connect(s->port);
}

static void finish(struct server *s, int fd)
{
    close(fd);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
}

#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

/* AS2-C26: nothing of a request is left for the next */
static void test_two_requests_share_nothing(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);

    (void)state;
    raw_say(fd, POST("/") "AS2-From: a\r\nX: y\r\nContent-Length: 3\r\n\r\nabc");
    assert_has(raw_hear(fd, "tls ''"), "3 from a fields 4");
    raw_say(fd, POST("/") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_has(raw_hear(fd, "tls ''"), "0 from - fields 2");
    finish(&s, fd);
}

/* AS2-C3, at this level: both are seen */
static void test_a_name_given_twice(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);

    (void)state;
    raw_say(fd, POST("/") "AS2-From: a\r\nas2-from: a\r\nContent-Length: 0\r\n\r\n");
    assert_has(raw_hear(fd, "tls ''"), "from a");
    raw_say(fd, POST("/") "AS2-From: a\r\nas2-from: b\r\nContent-Length: 0\r\n\r\n");
    assert_has(raw_hear(fd, "two names"), "HTTP/1.1 400 ");
    finish(&s, fd);
}

/* AS2-C15 */
static void test_a_post_without_length(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);

    (void)state;
    raw_say(fd, POST("/") "\r\n");
    assert_has(raw_hear(fd, "no length"), "HTTP/1.1 411 ");
    finish(&s, fd);
}

/* AS2-C13 */
static void test_two_framings_close(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, POST("/") "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                          "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_has(got, "HTTP/1.1 400 ");
    assert_has(got, "Connection: close");
    assert_null(strstr(got + 9, "HTTP/1.1"));
    finish(&s, fd);
}

/* AS2-C21, AS2-C127: a counted body is refused unread, one in chunks at the first octet too many */
static void test_bodies_have_a_limit(void **state)
{
    struct server s = { .body_max = 5 };
    int fd = begin(&s);

    (void)state;
    raw_say(fd, POST("/") "Content-Length: 5\r\n\r\n12345");
    assert_has(raw_hear(fd, "tls ''"), "5 from");
    raw_say(fd, POST("/") "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n");
    assert_has(raw_hear(fd, "tls ''"), "5 from");
    raw_say(fd, POST("/") "Content-Length: 6\r\nExpect: 100-continue\r\n\r\n");
    assert_has(raw_hear(fd, NULL), "HTTP/1.1 413 "); /* and no 100 */
    finish(&s, fd);
    fd = begin(&s);
    raw_say(fd, POST("/") "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n1\r\n6\r\n");
    assert_has(raw_hear(fd, NULL), "HTTP/1.1 413 ");
    finish(&s, fd);
}

/* AS2-C18 */
static void test_expectations(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, POST("/") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_string_equal(raw_hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_say(fd, "hi");
    assert_has(raw_hear(fd, "tls ''"), "2 from");
    raw_say(fd, POST("/early") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    got = raw_hear(fd, NULL);
    assert_int_equal(strncmp(got, "HTTP/1.1 403 ", 13), 0);
    finish(&s, fd);
    fd = begin(&s);
    raw_say(fd, POST("/") "Content-Length: 2\r\nExpect: a miracle\r\n\r\n");
    assert_int_equal(strncmp(raw_hear(fd, NULL), "HTTP/1.1 417 ", 13), 0);
    finish(&s, fd);
}

/* An answer without reading must reach a client that is still sending. */
static void test_early_answers_outlive_the_body(void **state)
{
    static char piece[64 * 1024];
    struct server s = { 0 };
    int fd = begin(&s);
    const char *got;

    (void)state;
    raw_say(fd, POST("/early") "Content-Length: 8388608\r\n\r\n");
    for (int i = 0; i < 128; i++)
        assert_int_equal(write(fd, piece, sizeof(piece)), sizeof(piece));
    got = raw_hear(fd, NULL);
    assert_has(got, "HTTP/1.1 403 ");
    assert_has(got, "Connection: close");
    finish(&s, fd);
}

static void test_the_handler_may_end_the_connection(void **state)
{
    struct server s = { 0 };
    int fd = begin(&s);

    (void)state;
    raw_say(fd, POST("/close") "Content-Length: 0\r\n\r\n");
    assert_has(raw_hear(fd, NULL), "Connection: close");
    finish(&s, fd);
}

/* One octet now and then, until the server has had enough. */
static void drip(int fd, unsigned pause_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (int i = 0; i < 400 && poll(&p, 1, (int)pause_ms) == 0; i++)
        (void)!write(fd, "x", 1);
}

/* AS2-C29 */
static void test_slow_bodies_are_cut(void **state)
{
    struct server s = { .options = { .body_rate = 1000, .body_window_ms = 300 } };
    int fd = begin(&s);
    uint64_t from = net_now_ms();

    (void)state;
    raw_say(fd, POST("/") "Content-Length: 100000\r\n\r\n");
    drip(fd, 20);
    assert_has(raw_hear(fd, "\r\n\r\n"), "HTTP/1.1 408 ");
    assert_in_range(net_now_ms() - from, 290, SOON_MS / 2);
    finish(&s, fd);
    /* nor do empty frames count as a body */
    fd = begin(&s);
    raw_say(fd, POST("/") "Transfer-Encoding: chunked\r\n\r\n1;");
    drip(fd, 20);
    assert_has(raw_hear(fd, "\r\n\r\n"), "HTTP/1.1 4");
    finish(&s, fd);
    /* silence */
    s.options = (struct http_serve_options) { .idle_ms = 200 };
    fd = begin(&s);
    raw_say(fd, POST("/") "Content-Length: 5\r\n\r\n12");
    assert_has(raw_hear(fd, NULL), "HTTP/1.1 408 ");
    finish(&s, fd);
}

static void test_fast_enough_bodies_are_not(void **state)
{
    struct server s = { .options = { .body_rate = 1000, .body_window_ms = 100 } };
    char piece[1001] = "";
    int fd = begin(&s);

    (void)state;
    memset(piece, 'x', 1000);
    raw_say(fd, POST("/") "Content-Length: 10000\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        raw_say(fd, piece);
        (void)poll(NULL, 0, 60);
    }
    assert_has(raw_hear(fd, "tls ''"), "10000 from");
    finish(&s, fd);
    /* the handler's own time is not the client's */
    s.nap_ms = 150;
    fd = begin(&s);
    raw_say(fd, POST("/") "Content-Length: 1000\r\n\r\n");
    raw_say(fd, piece);
    assert_has(raw_hear(fd, "tls ''"), "1000 from");
    finish(&s, fd);
}

/* AS2-C29: a head has its own time, from its first octet */
static void test_slow_heads_are_cut(void **state)
{
    struct server s = { .options = { .head_ms = 200 } };
    int fd = begin(&s);
    uint64_t from;

    (void)state;
    (void)poll(NULL, 0, 400); /* nothing has begun yet */
    from = net_now_ms();
    raw_say(fd, "POST /");
    drip(fd, 20);
    assert_has(raw_hear(fd, "\r\n\r\n"), "HTTP/1.1 408 ");
    assert_in_range(net_now_ms() - from, 190, SOON_MS / 2);
    finish(&s, fd);
}

static void test_a_stop_ends_idle_connections_only(void **state)
{
    static atomic_bool stop;
    struct server s = { .options = { .stop = &stop } };
    int fd = begin(&s);
    uint64_t from;

    (void)state;
    raw_say(fd, POST("/") "Content-Length: 2\r\n\r\n1");
    (void)poll(NULL, 0, 50);
    atomic_store(&stop, true);
    (void)poll(NULL, 0, 300);
    raw_say(fd, "2"); /* what has begun is done */
    assert_has(raw_hear(fd, NULL), "Connection: close");
    finish(&s, fd);
    atomic_store(&stop, false);
    fd = begin(&s);
    (void)poll(NULL, 0, 50);
    from = net_now_ms();
    atomic_store(&stop, true);
    net_heed_now();
    assert_string_equal(raw_hear(fd, NULL), "");
    assert_in_range(net_now_ms() - from, 0, SOON_MS / 2);
    finish(&s, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_requests_share_nothing),
        cmocka_unit_test(test_a_name_given_twice),
        cmocka_unit_test(test_a_post_without_length),
        cmocka_unit_test(test_two_framings_close),
        cmocka_unit_test(test_bodies_have_a_limit),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_early_answers_outlive_the_body),
        cmocka_unit_test(test_the_handler_may_end_the_connection),
        cmocka_unit_test(test_slow_bodies_are_cut),
        cmocka_unit_test(test_fast_enough_bodies_are_not),
        cmocka_unit_test(test_slow_heads_are_cut),
        cmocka_unit_test(test_a_stop_ends_idle_connections_only),
    };

    return cmocka_run_group_tests_name("net.http_serve", tests, NULL, NULL);
}
