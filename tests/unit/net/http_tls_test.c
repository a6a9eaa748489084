/* HTTPS: who is trusted, what is shown, and which connections are used again. Our client against
 * our server, and what the server tells its handler. */
#include "support.h"

#include "net/http.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pki_certificate *authority, *server_cert, *other, *ours, *theirs;
static struct tls *server_tls;
static int listener, wake[2];
static uint16_t port;
static char url[64], by_name[64];
static atomic_uint connections, serving;
static pthread_t acceptor_thread;

/* Answers with what it knows of the client. */
static void handle(void *context, struct http_request *r)
{
    char subject[80] = "-";
    struct err err;

    (void)context;
    if (r->certificate != NULL)
        pki_subject(r->certificate, subject, sizeof(subject));
    (void)!http_answer(r, 200, "text/plain", NULL,
                       span_text(arena_printf(&r->arena, "%.7s %s", r->tls, subject)), &err);
}

static void *serve(void *context)
{
    struct http_serve_options options = { .idle_ms = 20000 };

    http_serve_with(context, &options, handle, NULL);
    net_thread_end();
    serving--;
    return NULL;
}

static void *accept_all(void *context)
{
    pthread_attr_t detached;
    pthread_t thread;
    size_t which = 0;
    struct err err;
    int fd = -1;

    (void)context;
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while (net_accept(&listener, 1, wake[0], &fd, &which, &err) && fd >= 0) {
        struct conn *c = NULL;

        connections++;
        if (!conn_accept(fd, server_tls, soon(), &c, &err))
            continue;
        serving++;
        assert_int_equal(pthread_create(&thread, &detached, serve, c), 0);
    }
    (void)pthread_attr_destroy(&detached);
    return NULL;
}

static int group_up(void **state)
{
    (void)state;
    authority = cert_make(&(struct cert_spec) { .name = "authority", .authority = true });
    server_cert = cert_make(&(struct cert_spec) {
        .name = "server", .issuer = authority, .san = "DNS:localhost", .eku = "serverAuth" });
    other = cert_make(&(struct cert_spec) { .name = "other", .authority = true });
    ours = cert_make(&(struct cert_spec) { .name = "ours", .from_days = -9, .to_days = -2 });
    theirs = cert_make(&(struct cert_spec) { .name = "theirs", .rsa = true });
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    cert_drop(authority);
    cert_drop(server_cert);
    cert_drop(other);
    cert_drop(ours);
    cert_drop(theirs);
    return 0;
}

static void begin(enum tls_peer peer)
{
    struct err err;

    connections = 0;
    CHECK(tls_server_new(server_cert, peer, NULL, &server_tls, &err));
    assert_int_equal(pipe(wake), 0);
    CHECK(net_listen("127.0.0.1", 0, &listener, &port, &err));
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", (unsigned)port);
    (void)snprintf(by_name, sizeof(by_name), "https://localhost:%u/", (unsigned)port);
    assert_int_equal(pthread_create(&acceptor_thread, NULL, accept_all, NULL), 0);
}

static struct arena arena;

static int down(void **state)
{
    (void)state;
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_int_equal(pthread_join(acceptor_thread, NULL), 0);
    http_forget();
    while (serving > 0) /* their clients have gone now: they see it */
        (void)usleep(1000);
    close(listener);
    close(wake[0]);
    close(wake[1]);
    tls_unref(server_tls);
    arena_free(&arena);
    return 0;
}

static void tells(struct http_call c, const char *want)
{
    struct http_reply reply = { 0 };
    struct err err;

    c.method = "GET";
    c.timeout_ms = SOON_MS;
    CHECK(http_call(&c, &arena, &reply, &err));
    assert_string_equal((const char *)reply.body.p, want);
}

static void refuses(struct http_call c, enum fail_kind kind, enum http_fail how)
{
    struct http_reply reply = { 0 };
    struct err err = { 0 };

    c.method = "GET";
    c.timeout_ms = SOON_MS;
    assert_false(http_call(&c, &arena, &reply, &err));
    if (err.kind != kind || err.wire != (int)how)
        fail_msg("kind %d, wire %d: %s", err.kind, err.wire, err.text);
}

static void test_the_server_must_be_whom_we_trust(void **state)
{
    (void)state;
    begin(TLS_PEER_NONE);
    tells((struct http_call) { .url = by_name, .trust = server_cert }, "TLSv1.3 -");
    tells((struct http_call) { .url = by_name, .trust = authority }, "TLSv1.3 -");
    refuses((struct http_call) { .url = by_name, .trust = other }, FAIL_TRUST, HTTP_FAIL_TRUST);
    refuses((struct http_call) { .url = by_name }, FAIL_TRUST, HTTP_FAIL_TRUST);
    refuses((struct http_call) { .url = by_name, .any_host_name = true }, FAIL_TRUST,
            HTTP_FAIL_TRUST);
    /* and again, now that a connection to it is open */
    refuses((struct http_call) { .url = by_name, .trust = other }, FAIL_TRUST, HTTP_FAIL_TRUST);
}

static void test_the_host_name_must_be_the_certificates(void **state)
{
    (void)state;
    begin(TLS_PEER_NONE);
    tells((struct http_call) { .url = url, .trust = server_cert, .any_host_name = true },
          "TLSv1.3 -");
    refuses((struct http_call) { .url = url, .trust = server_cert }, FAIL_TRUST,
            HTTP_FAIL_TRUST);
}

/* What AS2-C24 stands on: any certificate is taken, expired or not, and told to the handler. */
static void test_the_handler_sees_the_clients_certificate(void **state)
{
    struct http_call c = { .url = by_name, .trust = authority };

    (void)state;
    begin(TLS_PEER_OPTIONAL);
    tells(c, "TLSv1.3 -");
    c.certificate = ours;
    tells(c, "TLSv1.3 CN=ours");
    c.certificate = theirs;
    tells(c, "TLSv1.3 CN=theirs");
    c.certificate = ours;
    tells(c, "TLSv1.3 CN=ours");
    assert_int_equal(connections, 3); /* none is used for another certificate */
}

static void test_a_certificate_of_any_issuer_can_be_demanded(void **state)
{
    struct http_call c = { .url = by_name, .trust = authority };

    (void)state;
    begin(TLS_PEER_REQUIRED_ANY);
    refuses(c, FAIL_AGAIN, HTTP_FAIL_TLS);
    c.certificate = theirs;
    tells(c, "TLSv1.3 CN=theirs");
    c.certificate = &(struct pki_certificate) { .leaf = ours->leaf, .chain = ours->chain };
    refuses(c, FAIL_LOCAL, HTTP_FAIL_OTHER); /* no key */
}

static void *call_often(void *context)
{
    struct arena a = { 0 };
    struct http_reply reply;
    struct err err;

    for (int i = 0; i < 20; i++) {
        struct http_call c = { .method = "GET", .url = by_name, .trust = authority };

        if (!http_call(&c, &a, &reply, &err) || reply.status != 200)
            *(bool *)context = true;
    }
    arena_free(&a);
    return NULL;
}

static void test_handshakes_are_not_paid_twice(void **state)
{
    pthread_t threads[4];
    bool failed[4] = { false };

    (void)state;
    begin(TLS_PEER_NONE);
    for (int i = 0; i < 10; i++)
        tells((struct http_call) { .url = by_name, .trust = authority }, "TLSv1.3 -");
    assert_int_equal(connections, 1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &failed[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(failed[0] || failed[1] || failed[2] || failed[3]);
    assert_in_range(connections, 1, 4); /* from any thread */
    http_forget();
    tells((struct http_call) { .url = by_name, .trust = authority }, "TLSv1.3 -");
    assert_in_range(connections, 2, 5);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_server_must_be_whom_we_trust),
        TEST(test_the_host_name_must_be_the_certificates),
        TEST(test_the_handler_sees_the_clients_certificate),
        TEST(test_a_certificate_of_any_issuer_can_be_demanded),
        TEST(test_handshakes_are_not_paid_twice),
    };

    return cmocka_run_group_tests_name("net.http_tls", tests, group_up, group_down);
}
