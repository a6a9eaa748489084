/* Which certificates open a connection, on either side. */
#include "support.h"

/* One authority, what it issued, and strangers. */
static struct pki_certificate *ca, *srv, *cli, *foreign_ca, *foreign, *expired, *server_only,
    *pinned, *client_only;

static int certificates_make(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_spec) { .name = "Test CA", .authority = true });
    srv = cert_make(&(struct cert_spec) { .name = "our server",
                                          .issuer = ca,
                                          .san = "DNS:localhost,IP:127.0.0.1",
                                          .eku = "serverAuth" });
    cli = cert_make(&(struct cert_spec) { .name = "acme", .issuer = ca, .eku = "clientAuth" });
    foreign_ca = cert_make(&(struct cert_spec) { .name = "Other CA", .authority = true });
    foreign = cert_make(&(struct cert_spec) { .name = "stranger", .issuer = foreign_ca });
    expired = cert_make(&(struct cert_spec) {
        .name = "late", .issuer = ca, .san = "IP:127.0.0.1", .from_days = -20, .to_days = -1 });
    server_only = cert_make(
        &(struct cert_spec) { .name = "server only", .issuer = ca, .eku = "serverAuth" });
    client_only = cert_make(&(struct cert_spec) {
        .name = "client only", .issuer = ca, .san = "IP:127.0.0.1", .eku = "clientAuth" });
    pinned = cert_make(&(struct cert_spec) { .name = "alone", .san = "DNS:alone.example" });
    return 0;
}

static int certificates_drop(void **state)
{
    struct pki_certificate *all[] = { ca,      srv,         cli,    foreign_ca, foreign,
                                      expired, server_only, pinned, client_only };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        cert_drop(all[i]);
    return 0;
}

/* ---- our two ends ----------------------------------------------------------------------- */

struct both {
    struct tls *server_tls, *client_tls;
    struct conn *server, *client;
    struct err server_err, client_err;
};

static struct tls *server_of(const struct pki_certificate *cert, enum tls_peer peer,
                             const struct pki_certificate *trust)
{
    struct tls *t = NULL;
    struct err err;

    CHECK(tls_server_new(cert, peer, trust, &t, &err));
    return t;
}

static struct tls *client_of(const struct pki_certificate *cert,
                             const struct pki_certificate *trust)
{
    struct tls *t = NULL;
    struct err err;

    CHECK(tls_client_new(cert, trust, &t, &err));
    return t;
}

/* Dials "127.0.0.1" or another name of it. What fails stays NULL with its err. */
static void meet(struct both *b, const char *name, bool verify)
{
    struct acceptor a;

    acceptor_start(&a, "127.0.0.1", b->server_tls, SOON_MS);
    b->server = b->client = NULL;
    if (!conn_dial(name, a.port, b->client_tls, verify, soon(), &b->client, &b->client_err))
        b->client = NULL;
    acceptor_join(&a);
    b->server = a.conn;
    b->server_err = a.err;
}

static void part(struct both *b)
{
    conn_close(b->server, 0);
    conn_close(b->client, 0);
    tls_unref(b->server_tls);
    tls_unref(b->client_tls);
}

static void talk(struct both *b)
{
    char got[8];
    size_t n = 0;
    struct err err;

    CHECK(conn_write(b->server, span_text("ping"), soon(), &err));
    CHECK(
        conn_read(b->client, (struct room) { (uint8_t *)got, sizeof(got) }, soon(), &n, &err));
    assert_int_equal(n, 4);
    assert_memory_equal(got, "ping", 4);
    CHECK(conn_write(b->client, span_text("pong!"), soon(), &err));
    CHECK(
        conn_read(b->server, (struct room) { (uint8_t *)got, sizeof(got) }, soon(), &n, &err));
    assert_int_equal(n, 5);
}

/* With TLS 1.3 a client learns only by reading that its certificate was refused. */
static void client_reads_refusal(struct both *b, const char *part_of_text)
{
    char got[8];
    size_t n = 0;

    if (b->client != NULL)
        assert_false(conn_read(b->client, (struct room) { (uint8_t *)got, sizeof(got) }, soon(),
                               &n, &b->client_err));
    assert_has(b->client_err.text, part_of_text);
}

/* OFTP2-C143: TLS 1.3 */
static void test_tls_1_3(void **state)
{
    struct both b = { server_of(srv, TLS_PEER_NONE, NULL), client_of(NULL, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_non_null(b.client);
    assert_non_null(b.server);
    assert_string_equal(conn_tls_text(b.client), "TLSv1.3 TLS_AES_256_GCM_SHA384");
    assert_int_equal(X509_cmp(conn_peer_certificate(b.client), srv->leaf), 0);
    assert_null(conn_peer_certificate(b.server));
    talk(&b);
    part(&b);
}

static void test_name_by_dns(void **state)
{
    struct both b = { server_of(srv, TLS_PEER_NONE, NULL), client_of(NULL, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "localhost", true);
    assert_non_null(b.client);
    talk(&b);
    part(&b);
}

static void test_wrong_name(void **state)
{
    struct both b = { server_of(pinned, TLS_PEER_NONE, NULL), client_of(NULL, pinned),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_null(b.client);
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    assert_has(b.client_err.text, "is not for '127.0.0.1'");
    assert_has(b.client_err.text, "verify_host_name");
    assert_has(b.client_err.text, "mismatch");
    assert_int_equal(b.server_err.kind, FAIL_TRUST);
    assert_has(b.server_err.text, "the peer refused our certificate");
    meet(&b, "localhost", true);
    assert_null(b.client);
    assert_has(b.client_err.text, "is not for 'localhost'");
    meet(&b, "127.0.0.1", false); /* pinned, and any name will do */
    assert_non_null(b.client);
    talk(&b);
    part(&b);
}

static void test_foreign_server(void **state)
{
    struct both b = { server_of(foreign, TLS_PEER_NONE, NULL), client_of(NULL, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", false);
    assert_null(b.client);
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    assert_has(b.client_err.text, "the partner's certificate is not trusted");
    assert_has(b.client_err.text, "unable to get local issuer certificate");
    assert_has(b.client_err.text, "set server_ssl_certificate of the partner");
    assert_has(b.client_err.text, "stranger");
    part(&b);
}

/* A pinned certificate vouches for itself only, though it has another's name. */
static void test_pinned_is_no_authority(void **state)
{
    struct pki_certificate *twin =
        cert_make(&(struct cert_spec) { .name = "alone", .issuer = pinned });
    struct both b = { server_of(twin, TLS_PEER_NONE, NULL), client_of(NULL, pinned),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", false);
    assert_null(b.client);
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    part(&b);
    cert_drop(twin);
}

/* The end-entity certificate alone is trusted, its issuer is not known. */
static void test_pinned_issued(void **state)
{
    struct both b = { server_of(srv, TLS_PEER_NONE, NULL), client_of(NULL, srv),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_non_null(b.client);
    talk(&b);
    part(&b);
}

static void test_expired_server(void **state)
{
    struct both b = { server_of(expired, TLS_PEER_NONE, NULL), client_of(NULL, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_null(b.client);
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    assert_has(b.client_err.text, "not valid today: certificate has expired");
    part(&b);
}

static void test_client_certificate_at_server(void **state)
{
    struct both b = { server_of(client_only, TLS_PEER_NONE, NULL), client_of(NULL, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_null(b.client);
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    assert_has(b.client_err.text, "serverAuth");
    part(&b);
}

/* ---- client certificates: OFTP2-C144 ---------------------------------------------------- */

static void refuse_client(const struct pki_certificate *shown, const char *said)
{
    struct both b = { server_of(srv, TLS_PEER_REQUIRED, ca), client_of(shown, ca),
                      .server = NULL };

    meet(&b, "127.0.0.1", true);
    assert_null(b.server);
    assert_int_equal(b.server_err.kind, FAIL_TRUST);
    assert_has(b.server_err.text, "TLS handshake: ");
    assert_has(b.server_err.text, said);
    client_reads_refusal(&b, "the peer refused our certificate");
    assert_int_equal(b.client_err.kind, FAIL_TRUST);
    part(&b);
}

/* OFTP2-C144: none, expired, wrong EKU, foreign CA */
static void test_client_certificate_required(void **state)
{
    (void)state;
    refuse_client(NULL, "the client showed no certificate");
    refuse_client(expired, "certificate has expired");
    refuse_client(server_only, "clientAuth");
    refuse_client(foreign, "set client_ssl_certificate of the partner");
    refuse_client(pinned, "self-signed certificate");
}

/* OFTP2-C144: and a good one is taken */
static void test_client_certificate_good(void **state)
{
    struct both b = { server_of(srv, TLS_PEER_REQUIRED, ca), client_of(cli, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_non_null(b.server);
    assert_int_equal(X509_cmp(conn_peer_certificate(b.server), cli->leaf), 0);
    talk(&b);
    part(&b);
}

static void test_client_certificate_pinned(void **state)
{
    struct both b = { server_of(srv, TLS_PEER_REQUIRED, pinned), client_of(pinned, ca),
                      .server = NULL };

    (void)state;
    meet(&b, "127.0.0.1", true);
    assert_non_null(b.server);
    talk(&b);
    part(&b);
}

static void test_client_certificate_optional(void **state)
{
    const struct pki_certificate *shown[] = { NULL, foreign, expired, cli };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        struct both b = { server_of(srv, TLS_PEER_OPTIONAL, NULL), client_of(shown[i], ca),
                          .server = NULL };

        meet(&b, "127.0.0.1", true);
        assert_non_null(b.server);
        if (shown[i] == NULL)
            assert_null(conn_peer_certificate(b.server));
        else
            assert_int_equal(X509_cmp(conn_peer_certificate(b.server), shown[i]->leaf), 0);
        talk(&b);
        part(&b);
    }
}

static void test_required_needs_trust(void **state)
{
    struct tls *t = NULL;
    struct err err;

    (void)state;
    assert_false(tls_server_new(srv, TLS_PEER_REQUIRED, NULL, &t, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "trusted_certificates");
    assert_null(t);
}

static void test_needs_its_key(void **state)
{
    struct pki_certificate keyless = *srv;
    struct tls *t = NULL;
    struct err err;

    (void)state;
    keyless.key = NULL;
    assert_false(tls_server_new(&keyless, TLS_PEER_NONE, NULL, &t, &err));
    assert_int_equal(err.kind, FAIL_LOCAL);
    assert_has(err.text, "private key");
    keyless.key = cli->key;
    assert_false(tls_server_new(&keyless, TLS_PEER_NONE, NULL, &t, &err));
    assert_has(err.text, "mismatch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_1_3),
        cmocka_unit_test(test_name_by_dns),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_foreign_server),
        cmocka_unit_test(test_pinned_is_no_authority),
        cmocka_unit_test(test_pinned_issued),
        cmocka_unit_test(test_expired_server),
        cmocka_unit_test(test_client_certificate_at_server),
        cmocka_unit_test(test_client_certificate_required),
        cmocka_unit_test(test_client_certificate_good),
        cmocka_unit_test(test_client_certificate_pinned),
        cmocka_unit_test(test_client_certificate_optional),
        cmocka_unit_test(test_required_needs_trust),
        cmocka_unit_test(test_needs_its_key),
    };

    return cmocka_run_group_tests_name("net.tls", tests, certificates_make, certificates_drop);
}
