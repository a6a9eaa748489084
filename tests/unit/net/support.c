#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

uint64_t soon(void)
{
    return net_now_ms() + SOON_MS;
}

void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' has no '%s'", text, part);
}

/* ---- certificates ----------------------------------------------------------------------- */

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

struct pki_certificate *cert_make(const struct cert_spec *spec)
{
    static long serial = 1000;
    struct pki_certificate *c = calloc(1, sizeof(*c));
    int to_days = spec->from_days == 0 && spec->to_days == 0 ? 30 : spec->to_days;
    int from_days = spec->from_days == 0 && spec->to_days == 0 ? -1 : spec->from_days;
    X509_NAME *name;
    X509 *issuer;

    assert_non_null(c);
    c->key = spec->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    c->leaf = X509_new();
    c->chain = sk_X509_new_null();
    assert_true(c->key != NULL && c->leaf != NULL && c->chain != NULL);
    issuer = spec->issuer != NULL ? spec->issuer->leaf : c->leaf;
    assert_int_equal(X509_set_version(c->leaf, 2), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(c->leaf), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c->leaf), from_days * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(c->leaf), to_days * 86400L);
    name = X509_get_subject_name(c->leaf);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)spec->name, -1, -1,
                               0);
    X509_set_issuer_name(c->leaf, X509_get_subject_name(issuer));
    X509_set_pubkey(c->leaf, c->key);
    extend(c->leaf, issuer, NID_basic_constraints,
           spec->authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec->san != NULL)
        extend(c->leaf, issuer, NID_subject_alt_name, spec->san);
    if (spec->eku != NULL)
        extend(c->leaf, issuer, NID_ext_key_usage, spec->eku);
    assert_true(X509_sign(c->leaf, spec->issuer != NULL ? spec->issuer->key : c->key,
                          EVP_sha256()) > 0);
    return c;
}

void cert_drop(struct pki_certificate *c)
{
    if (c == NULL)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    free(c);
}

/* ---- connections ------------------------------------------------------------------------ */

static void *accept_run(void *context)
{
    struct acceptor *a = context;
    size_t which = 0;
    int fd = -1;

    while (fd < 0) {
        if (!net_accept(&a->listener, 1, -1, &fd, &which, &a->err))
            return NULL;
    }
    a->ok = conn_accept(fd, a->tls, net_now_ms() + a->deadline_ms, &a->conn, &a->err);
    return NULL;
}

void acceptor_start(struct acceptor *a, const char *host, struct tls *tls, uint64_t deadline_ms)
{
    struct err err;

    *a = (struct acceptor) { .tls = tls, .deadline_ms = deadline_ms };
    CHECK(net_listen(host, 0, &a->listener, &a->port, &err));
    assert_int_equal(pthread_create(&a->thread, NULL, accept_run, a), 0);
}

void acceptor_join(struct acceptor *a)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    close(a->listener);
}

void pair_make(struct tls *server_tls, struct tls *client_tls, struct conn **server,
               struct conn **client)
{
    struct acceptor a;
    struct err err;

    acceptor_start(&a, "127.0.0.1", server_tls, SOON_MS);
    CHECK(conn_dial("127.0.0.1", a.port, client_tls, false, soon(), client, &err));
    acceptor_join(&a);
    if (!a.ok)
        fail_msg("accept: %s", a.err.text);
    *server = a.conn;
}

int held_port(uint16_t *port)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

void raw_say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

const char *raw_hear(int fd, const char *until)
{
    static char got[128 * 1024];
    size_t n = 0;

    got[0] = '\0';
    while (n < sizeof(got) - 1) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t more;

        if (until != NULL && strstr(got, until) != NULL)
            break;
        if (poll(&p, 1, SOON_MS) <= 0)
            fail_msg("nothing came; so far: %s", got);
        more = read(fd, got + n, sizeof(got) - 1 - n);
        if (more <= 0)
            break;
        n += (size_t)more;
        got[n] = '\0';
    }
    return got;
}

bool has_ipv6(void)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}
