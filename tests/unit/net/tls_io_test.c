/* Octets through TLS connections that stand. */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static struct pki_certificate *cert;
static struct tls *server_tls, *client_tls;
static struct conn *server, *client;

static int group_up(void **state)
{
    struct err err;

    (void)state;
    cert = cert_make(&(struct cert_spec) { .name = "pinned" });
    CHECK(tls_server_new(cert, TLS_PEER_NONE, NULL, &server_tls, &err));
    CHECK(tls_client_new(NULL, cert, &client_tls, &err));
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    tls_unref(server_tls);
    tls_unref(client_tls);
    cert_drop(cert);
    return 0;
}

static int up(void **state)
{
    (void)state;
    pair_make(server_tls, client_tls, &server, &client);
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

enum { BULK = 3 * 1024 * 1024 + 17 };

struct sender {
    struct conn *c;
    size_t piece;
    bool ok;
};

static uint8_t octet_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void *send_bulk(void *context)
{
    struct sender *s = context;
    uint8_t *all = malloc(BULK);
    struct err err;

    s->ok = all != NULL;
    for (size_t i = 0; s->ok && i < BULK; i++)
        all[i] = octet_at(i);
    for (size_t at = 0; s->ok && at < BULK; at += s->piece)
        s->ok = conn_write(s->c, span_of(all + at, s->piece < BULK - at ? s->piece : BULK - at),
                           soon(), &err);
    free(all);
    return NULL;
}

static void test_bulk(void **state)
{
    static const size_t pieces[] = { 999, 16384, 16385, 65536, 81920, BULK };
    static const size_t rooms[] = { 700, 16384, 70000, 300000 };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces) * COUNT_OF(rooms); i++) {
        struct sender s = { client, pieces[i % COUNT_OF(pieces)], false };
        size_t cap = rooms[i / COUNT_OF(pieces)], at = 0;
        uint8_t *got = malloc(cap);
        pthread_t t;

        assert_non_null(got);
        assert_int_equal(pthread_create(&t, NULL, send_bulk, &s), 0);
        while (at < BULK) {
            size_t n = 0;

            CHECK(conn_read(server, room_of(got, cap), soon(), &n, &err));
            assert_true(n > 0 && n <= cap && at + n <= BULK);
            for (size_t k = 0; k < n; k++) {
                if (got[k] != octet_at(at + k))
                    fail_msg("octet %zu differs", at + k);
            }
            at += n;
        }
        assert_int_equal(pthread_join(t, NULL), 0);
        assert_true(s.ok);
        free(got);
    }
}

static void test_deadlines(void **state)
{
    static uint8_t flood[32 * 1024 * 1024];
    char got[16];
    size_t n = 99;
    struct err err;
    uint64_t from = net_now_ms();

    (void)state;
    assert_false(conn_readable(server));
    assert_false(conn_read(server, room_of(got, sizeof(got)), from + 100, &n, &err));
    assert_in_range(net_now_ms() - from, 99, SOON_MS);
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_int_equal(err.wire, ETIMEDOUT);
    assert_has(err.text, " s waiting for the peer");
    CHECK(conn_write(client, span_text("late"), soon(), &err)); /* reading may go on */
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 4);
    from = net_now_ms();
    assert_false(conn_write(client, span_of(flood, sizeof(flood)), from + 100, &err));
    assert_in_range(net_now_ms() - from, 99, SOON_MS);
    assert_int_equal(err.wire, ETIMEDOUT);
    assert_false(conn_write(client, span_text("x"), soon(), &err));
    assert_int_equal(err.wire, ETIMEDOUT);
}

/* OFTP2 1.1: close_notify and FIN */
static void test_orderly_end(void **state)
{
    char got[16];
    size_t n = 99;
    struct err err;

    (void)state;
    CHECK(conn_write(client, span_text("bye"), soon(), &err));
    conn_close(client, 0);
    client = NULL;
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 3);
    assert_true(conn_readable(server));
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 0);
    CHECK(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(n, 0);
}

/* Anybody on the way can send a FIN: only close_notify is an end. RFC 8446 6.1. */
static void test_truncation(void **state)
{
    char got[16];
    size_t n = 99;
    struct err err;

    (void)state;
    conn_shutdown(client);
    assert_false(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_int_equal(err.kind, FAIL_AGAIN);
    assert_int_equal(err.wire, ECONNRESET);
    assert_has(err.text, "the peer closed the connection without ending TLS");
    assert_false(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_has(err.text, "without ending TLS"); /* and it stays so */
    assert_int_equal(n, 99);
}

static void test_readable_means_octets(void **state)
{
    char got[2];
    size_t n = 0;
    struct err err;

    (void)state;
    CHECK(conn_write(client, span_text("abcd"), soon(), &err));
    while (!conn_readable(server))
        (void)poll(NULL, 0, 1);
    CHECK(conn_read(server, room_of(got, 2), soon(), &n, &err));
    assert_int_equal(n, 2);
    assert_true(conn_readable(server)); /* the rest is within, not in the socket */
    CHECK(conn_read(server, room_of(got, 2), soon(), &n, &err));
    assert_false(conn_readable(server));
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

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, shut_later, conn_ref(server)), 0);
    assert_false(conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err));
    assert_has(err.text, "ended on our side");
    assert_false(conn_write(server, span_text("x"), soon(), &err));
    assert_int_equal(pthread_join(t, NULL), 0);
}

/* What a peer said before it left can be read though nothing can be written any more. */
static void test_read_after_broken_write(void **state)
{
    static uint8_t flood[8 * 1024 * 1024];
    char got[16];
    size_t n = 0;
    struct err err;

    (void)state;
    CHECK(conn_write(client, span_text("ESID"), soon(), &err));
    conn_close(client, 0);
    client = NULL;
    assert_false(conn_write(server, span_of(flood, sizeof(flood)), soon(), &err));
    assert_int_equal(err.kind, FAIL_AGAIN);
    if (conn_read(server, room_of(got, sizeof(got)), soon(), &n, &err))
        assert_memory_equal(got, "ESID", 4); /* unless the reset overtook it */
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, up, down)
    const struct CMUnitTest tests[] = {
        TEST(test_bulk),
        TEST(test_deadlines),
        TEST(test_orderly_end),
        TEST(test_truncation),
        TEST(test_readable_means_octets),
        TEST(test_shutdown_from_another_thread),
        TEST(test_read_after_broken_write),
    };

    return cmocka_run_group_tests_name("net.tls_io", tests, group_up, group_down);
}
