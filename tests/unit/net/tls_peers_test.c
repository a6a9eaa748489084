/* Peers of old TLS, and of none. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

static struct pki_certificate *srv, *rsa;

static int certificates_make(void **state)
{
    (void)state;
    srv = cert_make(&(struct cert_spec) { .name = "our server" });
    rsa = cert_make(&(struct cert_spec) { .name = "rsa", .rsa = true });
    return 0;
}

static int certificates_drop(void **state)
{
    (void)state;
    cert_drop(srv);
    cert_drop(rsa);
    return 0;
}

static struct tls *server_of(const struct pki_certificate *cert)
{
    struct tls *t = NULL;
    struct err err;

    CHECK(tls_server_new(cert, TLS_PEER_NONE, NULL, &t, &err));
    return t;
}

struct foreigner {
    int min, max;
    const char *ciphers;
};

/* A bare OpenSSL client that would take anything. True: the handshake succeeded. */
static bool foreign_handshake(uint16_t port, const struct foreigner *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = raw_connect(port);
    SSL *ssl;
    bool ok;

    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, f->min), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, f->max), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, f->ciphers), 1);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    ok = SSL_connect(ssl) == 1;
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return ok;
}

static bool ours_takes(const struct pki_certificate *cert, const struct foreigner *f,
                       struct err *why)
{
    struct tls *t = server_of(cert);
    struct acceptor a;
    bool ok;

    acceptor_start(&a, "127.0.0.1", t, SOON_MS);
    ok = foreign_handshake(a.port, f);
    acceptor_join(&a);
    assert_true(ok == a.ok);
    *why = a.err;
    conn_close(a.conn, 0);
    tls_unref(t);
    return ok;
}

struct lax {
    int listener;
    const struct pki_certificate *cert;
};

static void *lax_run(void *context)
{
    struct lax *l = context;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int fd = accept(l->listener, NULL, NULL);
    SSL *ssl;

    SSL_CTX_set_security_level(ctx, 0);
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    (void)SSL_CTX_set_cipher_list(ctx, "ALL");
    (void)SSL_CTX_use_cert_and_key(ctx, l->cert->leaf, l->cert->key, NULL, 1);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    (void)SSL_accept(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    close(fd);
    return NULL;
}

/* Shows that the foreigner really can do what our server then refuses. */
static bool lax_takes(const struct pki_certificate *cert, const struct foreigner *f)
{
    struct lax l = { .listener = -1, .cert = cert };
    struct err err;
    uint16_t port = 0;
    pthread_t t;
    bool ok;

    CHECK(net_listen("127.0.0.1", 0, &l.listener, &port, &err));
    assert_int_equal(fcntl(l.listener, F_SETFL, 0), 0);
    assert_int_equal(pthread_create(&t, NULL, lax_run, &l), 0);
    ok = foreign_handshake(port, f);
    assert_int_equal(pthread_join(t, NULL), 0);
    close(l.listener);
    return ok;
}

/* OFTP2-C143: TLS 1.1 refused (RFC 8996); RSA key exchange refused; TLS 1.2 with ECDHE taken */
static void test_old_tls_refused(void **state)
{
    static const struct foreigner tls_1_1 = { TLS1_1_VERSION, TLS1_1_VERSION, "ALL" };
    static const struct foreigner rsa_kx = { TLS1_2_VERSION, TLS1_2_VERSION, "kRSA" };
    static const struct foreigner cbc = { TLS1_2_VERSION, TLS1_2_VERSION,
                                          "ECDHE-RSA-AES256-SHA384" };
    static const struct foreigner ecdhe = { TLS1_2_VERSION, TLS1_2_VERSION,
                                            "ECDHE-RSA-AES256-GCM-SHA384" };
    static const struct foreigner dhe = { TLS1_2_VERSION, TLS1_2_VERSION,
                                          "DHE-RSA-AES256-GCM-SHA384" };
    struct err err;

    (void)state;
    assert_true(lax_takes(rsa, &tls_1_1));
    assert_false(ours_takes(rsa, &tls_1_1, &err));
    assert_has(err.text, "the peer must offer TLS 1.2 or 1.3");
    assert_true(lax_takes(rsa, &rsa_kx));
    assert_false(ours_takes(rsa, &rsa_kx, &err));
    assert_has(err.text, "no cipher suite in common (no shared cipher)");
    assert_true(lax_takes(rsa, &cbc));
    assert_false(ours_takes(rsa, &cbc, &err));
    assert_true(ours_takes(rsa, &ecdhe, &err));
    assert_true(ours_takes(rsa, &dhe, &err));
}

/* OFTP2 1.1: a caller without TLS at the port for TLS */
static void test_plain_client(void **state)
{
    struct tls *t = server_of(srv);
    static const char *const said[] = { "\x10\x00\x00\x17ISSRM", "GET / HTTP/1.1\r\n\r\n",
                                        "hello, is anybody there?" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        struct acceptor a;
        int fd;

        acceptor_start(&a, "127.0.0.1", t, SOON_MS);
        fd = raw_connect(a.port);
        assert_true(write(fd, said[i], i == 0 ? 9 : strlen(said[i])) > 0);
        (void)shutdown(fd, SHUT_WR);
        acceptor_join(&a);
        assert_false(a.ok);
        assert_int_equal(a.err.kind, FAIL_AGAIN);
        assert_has(a.err.text, "TLS handshake: the peer does not speak TLS (got plain octets");
        close(fd);
    }
    tls_unref(t);
}

static void test_silent_client(void **state)
{
    struct tls *t = server_of(srv);
    struct acceptor a;
    int fd;

    (void)state;
    acceptor_start(&a, "127.0.0.1", t, 150);
    fd = raw_connect(a.port);
    acceptor_join(&a);
    assert_false(a.ok);
    assert_int_equal(a.err.wire, ETIMEDOUT);
    assert_has(a.err.text, "TLS handshake: timed out after ");
    close(fd);
    acceptor_start(&a, "127.0.0.1", t, SOON_MS);
    fd = raw_connect(a.port);
    close(fd);
    acceptor_join(&a);
    assert_false(a.ok);
    assert_has(a.err.text, "TLS handshake: the peer closed the connection");
    tls_unref(t);
}

static void *speak_plain(void *context)
{
    static const uint8_t ssrm[] = "\x10\x00\x00\x17IODETTE FTP READY \r";
    const int *listener = context;
    struct conn *c = NULL;
    size_t which = 0;
    int fd = -1;
    struct err err;

    if (net_accept(listener, 1, -1, &fd, &which, &err) &&
        conn_accept(fd, NULL, soon(), &c, &err) &&
        conn_write(c, span_of(ssrm, sizeof(ssrm) - 1), soon(), &err))
        conn_close(c, soon());
    return NULL;
}

/* OFTP2 1.1: calling with TLS a port without it */
static void test_plain_server(void **state)
{
    struct tls *t = NULL;
    struct conn *c = NULL;
    uint16_t port = 0;
    int listener = -1;
    pthread_t thread;
    struct err err;

    (void)state;
    CHECK(tls_client_new(NULL, srv, &t, &err));
    CHECK(net_listen("127.0.0.1", 0, &listener, &port, &err));
    assert_int_equal(pthread_create(&thread, NULL, speak_plain, &listener), 0);
    assert_false(conn_dial("127.0.0.1", port, t, true, soon(), &c, &err));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_has(err.text, "TLS handshake: the peer does not speak TLS (got plain octets, the "
                         "first is 0x10: wrong version number)");
    close(listener);
    tls_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_tls_refused),
        cmocka_unit_test(test_plain_client),
        cmocka_unit_test(test_silent_client),
        cmocka_unit_test(test_plain_server),
    };

    return cmocka_run_group_tests_name("net.tls_peers", tests, certificates_make,
                                       certificates_drop);
}
