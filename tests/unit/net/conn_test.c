#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static struct conn *server, *client;

static int plain_up(void **state)
{
    (void)state;
    pair_make(NULL, NULL, &server, &client);
    return 0;
}

static int down(void **state)
{
    (void)state;
    conn_close(server, 0);
    conn_close(client, 0);
    server = client = NULL;
    return 0;
}

static struct room room_of(void *p, size_t n)
{
    return (struct room) { p, n };
}

/* OFTP2 1.1: octets arrive as they were sent, and the end of them as the end. */
static void test_octets_and_end(void **state)
{
    char got[16];
    size_t n = 99;
    struct err err;

    (void)state;
    assert_false(conn_readable(server));
    CHECK(conn_write(client, span_text("hello"), soon(), &err));
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 5);
    assert_memory_equal(got, "hello", 5);
    conn_close(client, 0);
    client = NULL;
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 0);
    assert_true(conn_readable(server));
}

static void test_names_the_peer(void **state)
{
    char want[32];

    (void)state;
    assert_string_equal(conn_address(server), "127.0.0.1");
    assert_string_equal(conn_address(client), "127.0.0.1");
    assert_int_equal(strncmp(conn_peer(server), "127.0.0.1:", 10), 0);
    (void)snprintf(want, sizeof(want), "127.0.0.1:");
    assert_true(strlen(conn_peer(client)) > strlen(want));
    assert_string_equal(conn_tls_text(client), "");
    assert_null(conn_peer_certificate(client));
}

/* OFTP2 6.8: nothing waits longer than its timer. */
static void test_read_deadline(void **state)
{
    char got[16];
    size_t n = 99;
    struct err err;
    uint64_t begin = net_now_ms();

    (void)state;
    assert_false(conn_read(server, room_of(got, sizeof(got)), begin + 100, &n, &err));
    assert_in_range(net_now_ms() - begin, 99, SOON_MS);
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_int_equal(err.wire, ETIMEDOUT);
    assert_has(err.text, " s waiting for the peer");
    assert_int_equal(n, 99);
    CHECK(conn_write(client, span_text("x"), soon(), &err));
    CHECK(conn_read(server, room_of(got, sizeof(got)), UINT64_MAX, &n, &err));
    assert_int_equal(n, 1);
}

/* A deadline in the past still takes what is there. */
static void test_past_deadline(void **state)
{
    char got[4];
    size_t n = 0;
    struct err err;

    (void)state;
    CHECK(conn_write(client, span_text("ab"), soon(), &err));
    while (!conn_readable(server))
        ;
    CHECK(conn_read(server, room_of(got, sizeof(got)), 0, &n, &err));
    assert_int_equal(n, 2);
    assert_false(conn_read(server, room_of(got, sizeof(got)), 0, &n, &err));
    assert_int_equal(err.wire, ETIMEDOUT);
}

static void test_write_deadline(void **state)
{
    static uint8_t flood[32 * 1024 * 1024];
    struct err err;
    uint64_t begin = net_now_ms();

    (void)state;
    assert_false(conn_write(client, span_of(flood, sizeof(flood)), begin + 100, &err));
    assert_in_range(net_now_ms() - begin, 99, SOON_MS);
    assert_int_equal(err.wire, ETIMEDOUT);
    /* the stream is garbled now: nothing may follow */
    assert_false(conn_write(client, span_text("x"), soon(), &err));
    assert_int_equal(err.wire, ETIMEDOUT);
}

static void test_reset(void **state)
{
    struct linger hard = { .l_onoff = 1 };
    char got[4];
    size_t n = 0;
    struct err err;
    struct acceptor a;
    int fd;

    (void)state;
    acceptor_start(&a, "127.0.0.1", NULL, SOON_MS);
    fd = raw_connect(a.port);
    acceptor_join(&a);
    assert_true(a.ok);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(fd);
    assert_false(conn_read(a.conn, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_int_equal(err.wire, ECONNRESET);
    assert_has(err.text, "the peer has closed the connection");
    assert_false(conn_write(a.conn, span_text("x"), soon(), &err)); /* and no SIGPIPE */
    assert_false(conn_write(a.conn, span_text("x"), soon(), &err));
    assert_int_equal(err.kind, FAIL_AGAIN);
    conn_close(a.conn, soon());
}

static void *shut_later(void *context)
{
    (void)poll(NULL, 0, 100);
    conn_shutdown(context);
    conn_unref(context);
    return NULL;
}

static void test_shutdown_from_another_thread(void **state)
{
    char got[4];
    size_t n = 0;
    struct err err;
    pthread_t t;
    uint64_t begin = net_now_ms();

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, shut_later, conn_ref(server)), 0);
    assert_false(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_in_range(net_now_ms() - begin, 50, SOON_MS);
    assert_has(err.text, "ended on our side");
    assert_false(conn_write(server, span_text("x"), soon(), &err));
    assert_false(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(pthread_join(t, NULL), 0);
}

static void *shut_now(void *context)
{
    conn_shutdown(context);
    conn_unref(context);
    return NULL;
}

/* The owner may be closing at that very moment; for the thread sanitizer. */
static void test_shutdown_beside_close(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct conn *s, *c;
        pthread_t t;

        pair_make(NULL, NULL, &s, &c);
        assert_int_equal(pthread_create(&t, NULL, shut_now, conn_ref(s)), 0);
        conn_close(s, 0);
        conn_close(c, 0);
        assert_int_equal(pthread_join(t, NULL), 0);
    }
}

static uint8_t much[200 * 1024];

/* Comes late, reads all, then closes. */
static void *read_late(void *context)
{
    static size_t sum;
    uint8_t got[4096];
    size_t n = 1;
    struct err err;

    sum = 0;
    (void)poll(NULL, 0, 100);
    while (n > 0 && conn_read(context, room_of(got, sizeof(got)), soon(), &n, &err))
        sum += n;
    conn_close(context, 0);
    return &sum;
}

/* OFTP2 1.1: closing must not cut what is under way. A close with unread octets is a reset. */
static void test_close_waits_for_the_peer(void **state)
{
    struct err err;
    pthread_t t;
    void *sum = NULL;

    (void)state;
    CHECK(conn_write(client, span_text("unread"), soon(), &err));
    while (!conn_readable(server))
        ;
    CHECK(conn_write(server, span_of(much, sizeof(much)), soon(), &err));
    assert_int_equal(pthread_create(&t, NULL, read_late, client), 0);
    conn_close(server, soon());
    assert_int_equal(pthread_join(t, &sum), 0);
    server = client = NULL;
    assert_int_equal(*(size_t *)sum, sizeof(much));
}

static void test_close_deadline(void **state)
{
    uint64_t begin = net_now_ms();

    (void)state;
    conn_close(server, begin + 100); /* the client never closes */
    server = NULL;
    assert_in_range(net_now_ms() - begin, 99, SOON_MS);
}

static void test_ipv6(void **state)
{
    struct conn *c = NULL;
    struct acceptor a;
    struct err err;

    (void)state;
    if (!has_ipv6())
        skip();
    acceptor_start(&a, "::1", NULL, SOON_MS);
    CHECK(conn_dial("::1", a.port, NULL, false, soon(), &c, &err));
    acceptor_join(&a);
    assert_true(a.ok);
    assert_string_equal(conn_address(a.conn), "::1");
    assert_int_equal(strncmp(conn_peer(a.conn), "[::1]:", 6), 0);
    conn_close(a.conn, 0);
    conn_close(c, 0);
}

/* IPv4 and a name that has several addresses reach the same socket. */
static void test_name_tries_all_addresses(void **state)
{
    struct conn *c = NULL;
    struct acceptor a;
    struct err err;

    (void)state;
    acceptor_start(&a, "127.0.0.1", NULL, SOON_MS); /* not ::1, which localhost may be too */
    CHECK(conn_dial("localhost", a.port, NULL, false, soon(), &c, &err));
    acceptor_join(&a);
    assert_true(a.ok);
    conn_close(a.conn, 0);
    conn_close(c, 0);
}

static void test_dial_failures(void **state)
{
    struct conn *c = NULL;
    struct err err;
    uint16_t port = 0;
    int fd = held_port(&port);

    (void)state;
    assert_false(conn_dial("127.0.0.1", port, NULL, false, soon(), &c, &err));
    close(fd);
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_int_equal(err.wire, ECONNREFUSED);
    assert_has(err.text, "connecting to '127.0.0.1' port ");
    assert_has(err.text, "Connection refused");
    assert_false(conn_dial("no such host", 1, NULL, false, soon(), &c, &err));
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_has(err.text, "resolving 'no such host'");
    assert_null(c);
}

/* A full backlog does not answer: as a silent address would. */
static void test_connect_deadline(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[8];
    struct conn *c = NULL;
    struct err err;
    uint64_t begin;

    (void)state;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    for (size_t i = 0; i < COUNT_OF(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&in, sizeof(in));
    }
    begin = net_now_ms();
    assert_false(
        conn_dial("127.0.0.1", ntohs(in.sin_port), NULL, false, begin + 150, &c, &err));
    assert_in_range(net_now_ms() - begin, 149, SOON_MS);
    assert_int_equal(err.wire, ETIMEDOUT);
    assert_has(err.text, "connecting to");
    for (size_t i = 0; i < COUNT_OF(fill); i++)
        close(fill[i]);
    close(fd);
}

static void test_unix_socket(void **state)
{
    char path[] = "/tmp/waybill-conn-XXXXXX";
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    struct conn *c = NULL;
    int fd = -1, s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer = -1;
    size_t which = 7, n = 0;
    struct err err;
    char got[4];

    (void)state;
    assert_non_null(mkdtemp(path));
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", path);
    CHECK(net_listen_unix(sun.sun_path, &fd, &err));
    assert_int_equal(connect(s, (struct sockaddr *)&sun, sizeof(sun)), 0);
    CHECK(net_accept(&fd, 1, -1, &peer, &which, &err));
    CHECK(conn_accept(peer, NULL, soon(), &c, &err));
    assert_string_equal(conn_peer(c), "unix");
    assert_string_equal(conn_address(c), "unix");
    assert_int_equal(write(s, "hi", 2), 2);
    CHECK(conn_read(c, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 2);
    close(s);
    conn_close(c, soon());
    close(fd);
    (void)unlink(sun.sun_path);
    (void)rmdir(path);
}

int main(void)
{
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, plain_up, down)
    const struct CMUnitTest tests[] = {
        PLAIN(test_octets_and_end),
        PLAIN(test_names_the_peer),
        PLAIN(test_read_deadline),
        PLAIN(test_past_deadline),
        PLAIN(test_write_deadline),
        cmocka_unit_test(test_reset),
        PLAIN(test_shutdown_from_another_thread),
        cmocka_unit_test(test_shutdown_beside_close),
        PLAIN(test_close_waits_for_the_peer),
        PLAIN(test_close_deadline),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_name_tries_all_addresses),
        cmocka_unit_test(test_dial_failures),
        cmocka_unit_test(test_connect_deadline),
        cmocka_unit_test(test_unix_socket),
    };

    return cmocka_run_group_tests_name("net.conn", tests, NULL, NULL);
}
