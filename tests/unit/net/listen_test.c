#include "support.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96];

static int up(void **state)
{
    (void)state;
    (void)text_copy(folder, sizeof(folder), "/tmp/waybill-listen-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/admin.sock", folder);
    return 0;
}

static int down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void test_port_taken(void **state)
{
    int fd = -1, other = -1;
    uint16_t port = 0, again = 0;
    struct err err;

    (void)state;
    CHECK(net_listen("127.0.0.1", 0, &fd, &port, &err));
    assert_true(port > 0);
    assert_false(net_listen("127.0.0.1", port, &other, &again, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "listen on '127.0.0.1' port ");
    assert_has(err.text, "another program listens there");
    assert_int_equal(other, -1);
    close(fd);
    CHECK(net_listen("127.0.0.1", port, &fd, &again, &err));
    assert_int_equal(port, again);
    close(fd);
}

static void test_no_such_address(void **state)
{
    int fd = -1;
    uint16_t port = 0;
    struct err err;

    (void)state;
    assert_false(net_listen("192.0.2.1", 0, &fd, &port, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "listen on '192.0.2.1' port 0");
}

static void test_which_and_wake(void **state)
{
    int fds[2] = { -1, -1 }, wake[2], fd = -1, client;
    uint16_t ports[2];
    size_t which = 9;
    struct err err;

    (void)state;
    assert_int_equal(pipe(wake), 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(net_listen("127.0.0.1", 0, &fds[i], &ports[i], &err));
    for (size_t i = 0; i < 2; i++) {
        client = raw_connect(ports[i]);
        CHECK(net_accept(fds, 2, wake[0], &fd, &which, &err));
        assert_true(fd >= 0);
        assert_int_equal(which, i);
        close(fd);
        close(client);
    }
    assert_int_equal(write(wake[1], "x", 1), 1);
    CHECK(net_accept(fds, 2, wake[0], &fd, &which, &err));
    assert_int_equal(fd, -1);
    for (size_t i = 0; i < 2; i++) {
        close(fds[i]);
        close(wake[i]);
    }
}

/* Both are served though both always have somebody waiting. */
static void test_no_starving(void **state)
{
    int fds[2] = { -1, -1 }, clients[16], taken[2] = { 0, 0 };
    uint16_t ports[2];
    struct err err;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        CHECK(net_listen("127.0.0.1", 0, &fds[i], &ports[i], &err));
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = raw_connect(ports[i % 2]);
    for (int i = 0; i < 8; i++) {
        size_t which = 9;
        int fd = -1;

        CHECK(net_accept(fds, 2, -1, &fd, &which, &err));
        taken[which]++;
        close(fd);
    }
    assert_int_equal(taken[0], 4);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        close(clients[i]);
    close(fds[0]);
    close(fds[1]);
}

static void test_unix_mode_and_replacing(void **state)
{
    struct stat st;
    int fd = -1, second = -1;
    struct err err;

    (void)state;
    CHECK(net_listen_unix(path, &fd, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_false(net_listen_unix(path, &second, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "running already?");
    close(fd); /* its file stays, as after a crash */
    CHECK(net_listen_unix(path, &fd, &err));
    close(fd);
}

static void test_unix_refusals(void **state)
{
    char too_long[200];
    int fd = -1;
    FILE *f = fopen(path, "w");
    struct err err;

    (void)state;
    assert_non_null(f);
    (void)fclose(f);
    assert_false(net_listen_unix(path, &fd, &err));
    assert_has(err.text, "it exists and is no socket");
    assert_int_equal(access(path, F_OK), 0);
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_false(net_listen_unix(too_long, &fd, &err));
    assert_has(err.text, "at most 107 octets");
    assert_false(net_listen_unix("/no/such/folder/s", &fd, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
}

/* "::" takes IPv4 too, and its peers are told as IPv4. */
static void test_both_families(void **state)
{
    struct conn *c = NULL;
    struct acceptor a;
    int fd;

    (void)state;
    acceptor_start(&a, "::", NULL, SOON_MS);
    fd = raw_connect(a.port);
    acceptor_join(&a);
    assert_true(a.ok);
    assert_string_equal(conn_address(a.conn), "127.0.0.1");
    assert_int_equal(strncmp(conn_peer(a.conn), "127.0.0.1:", 10), 0);
    conn_close(a.conn, 0);
    conn_close(c, 0);
    close(fd);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, up, down)
    const struct CMUnitTest tests[] = {
        TEST(test_port_taken),    TEST(test_no_such_address),         TEST(test_which_and_wake),
        TEST(test_no_starving),   TEST(test_unix_mode_and_replacing), TEST(test_unix_refusals),
        TEST(test_both_families),
    };

    return cmocka_run_group_tests_name("net.listen", tests, NULL, NULL);
}
