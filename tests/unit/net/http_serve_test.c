/* What the AS2 server asks of HTTP: times, rates, sizes, and what the handler learns. */
#include "support.h"

#include "net/http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOME_MS = 4000 }; /* less than a client that sends on is listened to */

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
#define SHORT      POST("/") "Content-Length: 5\r\n\r\n12"

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

/* What is heard behind a body of 8 MB, or of as much of it as was taken. */
static const char *say_much(struct server *s, bool *all)
{
    static char piece[64 * 1024];
    int fd = begin(s);
    const char *got;

    *all = true;
    raw_say(fd, POST("/early") "Content-Length: 8388608\r\n\r\n");
    for (int i = 0; *all && i < 128; i++)
        *all = send(fd, piece, sizeof(piece), MSG_NOSIGNAL) == sizeof(piece);
    got = raw_hear(fd, NULL);
    finish(s, fd);
    return got;
}

/* An answer without reading must reach a client that is still sending, for some seconds: a machine that
 * makes us send longer than that gets other tries. */
static void test_early_answers_outlive_the_body(void **state)
{
    struct server s = { 0 };
    const char *got = "";
    uint64_t took = SOME_MS;
    bool all = false;

    (void)state;
    for (int i = 0; !all && took >= SOME_MS && i < 5; i++) {
        took = net_now_ms();
        got = say_much(&s, &all);
        took = net_now_ms() - took;
    }
    assert_true(all);
    assert_has(got, "HTTP/1.1 403 ");
    assert_has(got, "Connection: close");
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
}

/* An idle connection is ended without a word: on a machine that makes us late a longer time is tried. */
static void test_silence_in_a_body_is_cut(void **state)
{
    struct server s = { 0 };
    const char *got = "";

    (void)state;
    for (uint64_t idle = 200; *got == '\0' && idle < 20000; idle *= 4) {
        int fd;

        s.options = (struct http_serve_options) { .idle_ms = idle };
        fd = begin(&s);
        (void)!send(fd, SHORT, strlen(SHORT), MSG_NOSIGNAL);
        got = raw_hear(fd, NULL);
        finish(&s, fd);
    }
    assert_has(got, "HTTP/1.1 408 ");
}

/* What the server says to a body of n times 1000 octets with pauses between them. */
static const char *say_in_pieces(struct server *s, int n, unsigned pause_ms)
{
    static char piece[1000], head[100];
    int fd = begin(s);
    const char *got;

    (void)snprintf(head, sizeof(head), POST("/") "Content-Length: %d\r\n\r\n", n * 1000);
    raw_say(fd, head);
    for (int i = 0; i < n && send(fd, piece, sizeof(piece), MSG_NOSIGNAL) > 0; i++)
        (void)poll(NULL, 0, (int)pause_ms);
    got = raw_hear(fd, "tls ''");
    finish(s, fd);
    return got;
}

/* A machine that makes us late makes us slow: then a longer window is tried. */
static void test_fast_enough_bodies_are_not(void **state)
{
    struct server s = { 0 };
    const char *got = "";

    (void)state;
    for (unsigned window = 100; strstr(got, "10000 from") == NULL && window < 5000;
         window *= 4) {
        s.options.body_rate = 100 * 1000 / window;
        s.options.body_window_ms = window;
        got = say_in_pieces(&s, 10, window * 6 / 10);
    }
    assert_has(got, "10000 from");
    /* the handler's own time is not the client's */
    got = "";
    for (unsigned window = 100; strstr(got, "1000 from") == NULL && window < 5000;
         window *= 4) {
        s.options.body_rate = 100 * 1000 / window;
        s.options.body_window_ms = window;
        s.nap_ms = window * 3 / 2;
        got = say_in_pieces(&s, 1, 0);
    }
    assert_has(got, "1000 from");
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
    raw_say(fd, POST("/") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_has(raw_hear(fd, "\r\n\r\n"), "100 Continue"); /* it has begun */
    raw_say(fd, "1");
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
        cmocka_unit_test(test_silence_in_a_body_is_cut),
        cmocka_unit_test(test_fast_enough_bodies_are_not),
        cmocka_unit_test(test_slow_heads_are_cut),
        cmocka_unit_test(test_a_stop_ends_idle_connections_only),
    };

    return cmocka_run_group_tests_name("net.http_serve", tests, NULL, NULL);
}
