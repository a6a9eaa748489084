/* The client against our own server. */
#include "support.h"

#include "net/http.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int listeners[2], wake[2];
static uint16_t port;
static char folder[64], path[96], base[64];
static pthread_t acceptor_thread, workers[64];
static size_t workers_n;
static atomic_uint connections;

static void answer(void *context, struct http_request *r)
{
    struct arena a = { 0 };
    uint8_t piece[5000];
    size_t n = 1, sum = 0;
    uint8_t check = 0;
    const char *text, *type = http_header(r, "Content-Type");
    struct err err = { .text = "" };

    (void)context;
    if (strcmp(r->path, "/moved") == 0) {
        (void)!http_answer(r, 302, NULL, "Location: /x\r\n", span_of(NULL, 0), &err);
        return;
    }
    if (strcmp(r->path, "/slow") == 0)
        (void)poll(NULL, 0, 1500);
    if (strcmp(r->path, "/many") == 0) {
        memset(piece, 'm', sizeof(piece));
        if (http_answer_begin(r, 200, "text/plain", NULL, 20 * sizeof(piece), &err)) {
            for (int i = 0; i < 20; i++)
                (void)!http_answer_part(r, span_of(piece, sizeof(piece)), &err);
            (void)!http_answer_end(r, &err);
        }
        return;
    }
    while (n > 0 && http_body(r, (struct room) { piece, sizeof(piece) }, &n, &err)) {
        for (size_t i = 0; i < n; i++)
            check = (uint8_t)(check + piece[i]);
        sum += n;
    }
    text = arena_printf(&a, "%s %s?%s %zu/%u %s %s %s", r->method, r->path, r->query, sum,
                        (unsigned)check, type != NULL ? type : "-",
                        http_header(r, "X-One") != NULL ? http_header(r, "X-One") : "-",
                        r->local ? "local" : "tcp");
    (void)!http_answer(r, strcmp(r->path, "/missing") == 0 ? 404 : 200, "text/x-test", NULL,
                       span_text(text), &err);
    arena_free(&a);
}

struct job {
    struct conn *c;
    bool local;
};

static void *serve(void *context)
{
    struct job *j = context;

    http_serve(j->c, j->local, answer, NULL, 2000);
    free(j);
    return NULL;
}

static void *accept_all(void *context)
{
    struct err err;

    (void)context;
    for (;;) {
        struct job *j = calloc(1, sizeof(*j));
        size_t which = 0;
        int fd = -1;

        if (j == NULL || !net_accept(listeners, 2, wake[0], &fd, &which, &err) || fd < 0 ||
            workers_n == COUNT_OF(workers) || !conn_accept(fd, NULL, soon(), &j->c, &err)) {
            free(j);
            return NULL;
        }
        j->local = which == 1;
        connections++;
        (void)pthread_create(&workers[workers_n++], NULL, serve, j);
    }
}

static int group_up(void **state)
{
    struct err err;

    (void)state;
    (void)text_copy(folder, sizeof(folder), "/tmp/waybill-http-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    assert_int_equal(pipe(wake), 0);
    CHECK(net_listen("127.0.0.1", 0, &listeners[0], &port, &err));
    CHECK(net_listen_unix(path, &listeners[1], &err));
    (void)snprintf(base, sizeof(base), "http://127.0.0.1:%u", (unsigned)port);
    return pthread_create(&acceptor_thread, NULL, accept_all, NULL);
}

static int group_down(void **state)
{
    (void)state;
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_int_equal(pthread_join(acceptor_thread, NULL), 0);
    for (size_t i = 0; i < workers_n; i++)
        assert_int_equal(pthread_join(workers[i], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        close(listeners[i]);
        close(wake[i]);
    }
    (void)unlink(path);
    return rmdir(folder);
}

static const char *url(const char *rest)
{
    static char text[128];

    (void)snprintf(text, sizeof(text), "%s%s", base, rest);
    return text;
}

static struct arena arena;

static int down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void got(struct http_call call, int status, const char *body)
{
    struct http_reply reply = { 0 };
    struct err err;

    CHECK(http_call(&call, &arena, &reply, &err));
    assert_int_equal(reply.status, status);
    assert_string_equal((const char *)reply.body.p, body);
    assert_int_equal(reply.body.n, strlen(body));
    assert_string_equal(reply.content_type, "text/x-test");
}

static void test_methods(void **state)
{
    static const char *const headers[] = { "X-One: 1", "Content-Type: text/a", NULL };
    struct span hi = span_text("hi"); /* adds up to 209 */

    (void)state;
    got((struct http_call) { .method = "GET", .url = url("/a%20b?c=d") }, 200,
        "GET /a b?c=d 0/0 - - tcp");
    got(
        (struct http_call) {
            .method = "POST", .url = url("/"), .body = hi, .headers = headers },
        200, "POST /? 2/209 text/a 1 tcp");
    got((struct http_call) { .method = "PUT", .url = url("/"), .body = hi }, 200,
        "PUT /? 2/209 - - tcp");
    got((struct http_call) { .method = "POST", .url = url("/") }, 200, "POST /? 0/0 - - tcp");
    got((struct http_call) { .method = "DELETE", .url = url("/x") }, 200,
        "DELETE /x? 0/0 - - tcp");
    got((struct http_call) { .method = "PATCH", .url = url("/missing"), .body = hi }, 404,
        "PATCH /missing? 2/209 - - tcp");
    got((struct http_call) { .method = "HEAD", .url = url("/x") }, 200, "");
}

static void test_keeps_connections(void **state)
{
    unsigned before;

    (void)state;
    got((struct http_call) { .method = "GET", .url = url("/1") }, 200, "GET /1? 0/0 - - tcp");
    before = connections;
    for (int i = 0; i < 5; i++)
        got((struct http_call) { .method = "GET", .url = url("/1") }, 200,
            "GET /1? 0/0 - - tcp");
    assert_int_equal(connections, before);
}

static void test_unix_socket(void **state)
{
    (void)state;
    got((struct http_call) { .method = "GET", .url = "http://waybill/x", .unix_socket = path },
        200, "GET /x? 0/0 - - local");
}

struct source {
    size_t left;
    bool fails;
};

static bool give(void *context, struct room room, size_t *n)
{
    struct source *s = context;

    if (s->fails && s->left < 100000)
        return false;
    *n = s->left < room.n ? s->left : room.n;
    memset(room.p, 1, *n);
    s->left -= *n;
    return true;
}

static void test_streams_up(void **state)
{
    struct source s = { 1000000, false };
    struct http_reply reply;
    struct err err;

    (void)state;
    got((struct http_call) { .method = "POST",
                             .url = url("/"),
                             .read = give,
                             .read_context = &s,
                             .read_length = 1000000 },
        200, "POST /? 1000000/64 - - tcp");
    s.left = 1000000;
    got((struct http_call) { .method = "POST",
                             .url = url("/"),
                             .read = give,
                             .read_context = &s,
                             .read_length = UINT64_MAX },
        200, "POST /? 1000000/64 - - tcp");
    s = (struct source) { 1000000, true };
    assert_false(http_call(&(struct http_call) { .method = "POST",
                                                 .url = url("/"),
                                                 .read = give,
                                                 .read_context = &s,
                                                 .read_length = UINT64_MAX },
                           &arena, &reply, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "the body could not be read");
}

struct sink {
    size_t n, max;
};

static bool take(void *context, struct span part)
{
    struct sink *s = context;

    s->n += part.n;
    return s->n <= s->max;
}

static void test_streams_down(void **state)
{
    struct sink s = { 0, SIZE_MAX };
    struct http_call call = { .method = "GET", .write = take, .write_context = &s };
    struct http_reply reply = { 0 };
    struct err err;

    (void)state;
    call.url = url("/many");
    CHECK(http_call(&call, &arena, &reply, &err));
    assert_int_equal(s.n, 100000);
    assert_int_equal(reply.body.n, 0);
    s = (struct sink) { 0, 1000 };
    assert_false(http_call(&call, &arena, &reply, &err));
    assert_has(err.text, "not taken to its end");
    call.write = NULL;
    call.answer_max = 99999;
    assert_false(http_call(&call, &arena, &reply, &err));
    assert_int_equal(err.kind, FAIL_PEER);
    assert_has(err.text, "more than 99999 octets");
    call.answer_max = 100000;
    CHECK(http_call(&call, &arena, &reply, &err));
    assert_int_equal(reply.body.n, 100000);
    assert_int_equal(reply.body.p[100000], 0);
}

static void test_redirects_are_not_followed(void **state)
{
    struct http_reply reply = { 0 };
    struct err err;

    (void)state;
    CHECK(http_call(&(struct http_call) { .method = "GET", .url = url("/moved") }, &arena,
                    &reply, &err));
    assert_int_equal(reply.status, 302);
    assert_string_equal(reply.content_type, "");
}

static void fails(const char *to, uint64_t timeout_ms, enum fail_kind kind, const char *text)
{
    struct http_reply reply;
    struct err err = { 0 };

    assert_false(
        http_call(&(struct http_call) { .method = "GET", .url = to, .timeout_ms = timeout_ms },
                  &arena, &reply, &err));
    assert_int_equal(err.kind, kind);
    assert_has(err.text, text);
}

static void test_failures(void **state)
{
    char closed[64];
    uint16_t free_port = 0;
    int fd = held_port(&free_port);

    (void)state;
    (void)snprintf(closed, sizeof(closed), "http://127.0.0.1:%u/", (unsigned)free_port);
    fails(closed, SOON_MS, FAIL_AGAIN, "connect");
    close(fd);
    fails(url("/slow"), 100, FAIL_AGAIN, "timed out");
    fails("file:///etc/passwd", SOON_MS, FAIL_LOCAL, "no URL that can be called");
    fails("ftp://127.0.0.1/", SOON_MS, FAIL_LOCAL, "no URL that can be called");
    fails("http://", SOON_MS, FAIL_LOCAL, "no URL that can be called");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, down)
    const struct CMUnitTest tests[] = {
        TEST(test_methods),      TEST(test_keeps_connections),
        TEST(test_unix_socket),  TEST(test_streams_up),
        TEST(test_streams_down), TEST(test_redirects_are_not_followed),
        TEST(test_failures),
    };

    return cmocka_run_group_tests_name("net.http_client", tests, group_up, group_down);
}
