/* The machine's own speed: one TCP or TLS connection on loopback. */
#include "cli/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

double bench_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static char *bio_text(BIO *b)
{
    char *p = NULL, *copy;
    long n = BIO_get_mem_data(b, &p);

    copy = n < 0 ? NULL : malloc((size_t)n + 1);
    if (copy != NULL) {
        memcpy(copy, p, (size_t)n);
        copy[n] = '\0';
    }
    return copy;
}

bool bench_certificate(char **cert_pem, char **key_pem, struct err *err)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *x = X509_new();
    BIO *cb = BIO_new(BIO_s_mem()), *kb = BIO_new(BIO_s_mem());
    X509_NAME *name;
    bool ok = false;

    if (key == NULL || x == NULL || cb == NULL || kb == NULL)
        goto out;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 400L * 24 * 3600);
    X509_set_pubkey(x, key);
    name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                               -1, 0);
    X509_set_issuer_name(x, name);
    if (X509_sign(x, key, EVP_sha256()) == 0 || !PEM_write_bio_X509(cb, x) ||
        !PEM_write_bio_PrivateKey(kb, key, NULL, NULL, 0, NULL, NULL))
        goto out;
    *cert_pem = bio_text(cb);
    *key_pem = bio_text(kb);
    ok = *cert_pem != NULL && *key_pem != NULL;
out:
    BIO_free(cb);
    BIO_free(kb);
    X509_free(x);
    EVP_PKEY_free(key);
    return ok || FAIL(err, FAIL_LOCAL, 0, "cannot make a certificate for the benchmark");
}

struct end {
    int fd;
    SSL_CTX *ctx; /* NULL: plain */
    uint64_t octets;
    bool ok;
};

static void *reader(void *arg)
{
    struct end *e = arg;
    uint8_t *buffer = malloc(CHUNK);
    SSL *ssl = NULL;
    uint64_t left = e->octets;

    if (e->ctx != NULL) {
        ssl = SSL_new(e->ctx);
        if (ssl == NULL || !SSL_set_fd(ssl, e->fd) || SSL_accept(ssl) != 1)
            left = UINT64_MAX;
    }
    while (buffer != NULL && left > 0 && left != UINT64_MAX) {
        ssize_t n = ssl != NULL ? SSL_read(ssl, buffer, CHUNK) : read(e->fd, buffer, CHUNK);

        if (n <= 0)
            break;
        left -= (uint64_t)n;
    }
    e->ok = left == 0;
    SSL_free(ssl);
    free(buffer);
    (void)close(e->fd);
    return NULL;
}

static bool write_all(int fd, SSL *ssl, uint64_t octets)
{
    uint8_t *buffer = calloc(1, CHUNK);
    uint64_t left = octets;

    while (buffer != NULL && left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = ssl != NULL ? SSL_write(ssl, buffer, (int)want) : write(fd, buffer, want);

        if (n <= 0)
            break;
        left -= (uint64_t)n;
    }
    free(buffer);
    return left == 0;
}

/* Two ends of one loopback connection. */
static bool connection(int fds[2], struct err *err)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[1] = -1;
    if (l < 0 || fds[0] < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(l, 1) != 0 || getsockname(l, (struct sockaddr *)&a, &n) != 0 ||
        connect(fds[0], (struct sockaddr *)&a, sizeof(a)) != 0 ||
        (fds[1] = accept(l, NULL, NULL)) < 0) {
        (void)FAIL(err, FAIL_LOCAL, 0, "loopback connection: %m");
        if (l >= 0)
            (void)close(l);
        if (fds[0] >= 0)
            (void)close(fds[0]);
        return false;
    }
    (void)close(l);
    (void)setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return true;
}

static bool contexts(SSL_CTX **server, SSL_CTX **client, struct err *err)
{
    char *cert = NULL, *key = NULL;
    BIO *cb, *kb;
    X509 *x = NULL;
    EVP_PKEY *pk = NULL;
    bool ok = bench_certificate(&cert, &key, err);

    *server = SSL_CTX_new(TLS_server_method());
    *client = SSL_CTX_new(TLS_client_method());
    if (ok && *server != NULL && *client != NULL) {
        cb = BIO_new_mem_buf(cert, -1);
        kb = BIO_new_mem_buf(key, -1);
        x = PEM_read_bio_X509(cb, NULL, NULL, NULL);
        pk = PEM_read_bio_PrivateKey(kb, NULL, NULL, NULL);
        ok = SSL_CTX_use_certificate(*server, x) == 1 &&
             SSL_CTX_use_PrivateKey(*server, pk) == 1;
        SSL_CTX_set_min_proto_version(*client, TLS1_3_VERSION);
        BIO_free(cb);
        BIO_free(kb);
    }
    X509_free(x);
    EVP_PKEY_free(pk);
    free(cert);
    free(key);
    return ok;
}

bool bench_raw(bool tls, uint64_t octets, double *mb_per_s, struct err *err)
{
    SSL_CTX *server = NULL, *client = NULL;
    SSL *ssl = NULL;
    struct end e = { .octets = octets };
    int fds[2];
    pthread_t t;
    double begin;
    bool ok;

    if ((tls && !contexts(&server, &client, err)) || !connection(fds, err))
        return false;
    e.fd = fds[1];
    e.ctx = server;
    ok = pthread_create(&t, NULL, reader, &e) == 0;
    if (tls) {
        ssl = SSL_new(client);
        ok = ok && ssl != NULL && SSL_set_fd(ssl, fds[0]) && SSL_connect(ssl) == 1;
    }
    begin = bench_seconds();
    ok = ok && write_all(fds[0], ssl, octets);
    (void)shutdown(fds[0], SHUT_WR);
    (void)pthread_join(t, NULL);
    *mb_per_s = (double)octets / 1e6 / (bench_seconds() - begin);
    SSL_free(ssl);
    (void)close(fds[0]);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return (ok && e.ok) || FAIL(err, FAIL_LOCAL, 0, "the raw loopback transfer failed");
}
