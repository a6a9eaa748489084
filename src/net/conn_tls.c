/* A connection's octets as TLS records. OpenSSL sees the socket through a BIO of ours: its own
 * writes without MSG_NOSIGNAL, and does not tell an end from a reset. */
#include "net/conn_int.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READ_BUFFER = 64 * 1024,                /* octets: several records by one recv */
    RECORD_MAX = 16 * 1024,                 /* octets of one record's content */
    OUT_FULL = 64 * 1024,                   /* octets of records sent together */
    OUT_CAP = OUT_FULL + RECORD_MAX + 1024, /* so that the last of them always fits */
};

/* ---- the BIO ---------------------------------------------------------------------------- */

static int bio_failed(BIO *bio, struct conn *c)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return -1;
    BIO_clear_retry_flags(bio);
    c->io_errno = errno;
    return -1;
}

static int bio_read(BIO *bio, char *p, int n)
{
    struct conn *c = BIO_get_data(bio);
    ssize_t got = recv(c->fd, p, (size_t)n, MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (got < 0) {
        BIO_set_retry_read(bio);
        return bio_failed(bio, c);
    }
    if (got == 0)
        c->eof = true;
    if (got > 0 && !c->has_first) {
        c->has_first = true;
        c->first = (uint8_t)p[0];
    }
    return (int)got;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct conn *c = BIO_get_data(bio);
    ssize_t put;

    BIO_clear_retry_flags(bio);
    if (c->gathering && OUT_CAP - c->out_n >= (size_t)n) {
        memcpy(c->out + c->out_n, p, (size_t)n);
        c->out_n += (size_t)n;
        return n;
    }
    put = send(c->fd, p, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0) {
        BIO_set_retry_write(bio);
        return bio_failed(bio, c);
    }
    return (int)put;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    struct conn *c = BIO_get_data(bio);

    (void)number;
    (void)p;
    if (command == BIO_CTRL_EOF)
        return c->eof;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void method_make(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "waybill socket");

    if (m == NULL)
        return;
    if (BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        method = m;
    else
        BIO_meth_free(m);
}

/* ---- one operation ---------------------------------------------------------------------- */

enum io { IO_DONE, IO_IN, IO_OUT, IO_END, IO_FAIL };

static void begin(struct conn *c)
{
    ERR_clear_error();
    c->io_errno = 0;
}

/* What the operation that returned ret came to; IO_FAIL: *err is set. */
static enum io outcome(struct conn *c, int ret, struct err *err)
{
    int e;

    if (ret > 0)
        return IO_DONE;
    e = SSL_get_error(c->ssl, ret);
    switch (e) {
    case SSL_ERROR_WANT_READ:
        return IO_IN;
    case SSL_ERROR_WANT_WRITE:
        return IO_OUT;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    default:
        tls_explain(c, e, err);
        return IO_FAIL;
    }
}

static bool break_off(struct conn *c, const struct err *err)
{
    c->failed = true;
    c->failure = *err;
    return false;
}

static bool wait_for(struct conn *c, enum io io, uint64_t *since, uint64_t deadline,
                     struct err *err)
{
    if (*since == 0)
        *since = net_now_ms();
    return net_wait(c->fd, io == IO_OUT ? POLLOUT : POLLIN, *since, deadline, err);
}

/* ---- handshake -------------------------------------------------------------------------- */

static bool expect_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1;
}

static bool is_address(const char *host)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);

    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

/* RFC 6066 3: so that a server of many names shows the right certificate. Never an address. */
static bool send_name(SSL *ssl, const char *host)
{
    char name[TLSEXT_MAXLEN_host_name + 1];

    return text_copy(name, sizeof(name), host) &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
}

static bool make_ssl(struct conn *c, struct tls *tls, const char *host, const char *verify_name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio = NULL;

    (void)pthread_once(&once, method_make);
    c->ssl = SSL_new(tls->ctx);
    if (c->ssl == NULL || method == NULL)
        return false;
    bio = BIO_new(method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_app_data(c->ssl, c);
    SSL_set_default_read_buffer_len(c->ssl, READ_BUFFER);
    if (host != NULL && !is_address(host) && !send_name(c->ssl, host))
        return false;
    if (verify_name != NULL && !expect_name(c->ssl, verify_name))
        return false;
    if (tls->server)
        SSL_set_accept_state(c->ssl);
    else
        SSL_set_connect_state(c->ssl);
    return true;
}

bool conn_tls_start(struct conn *c, struct tls *tls, const char *host, const char *verify_name,
                    uint64_t deadline, struct err *err)
{
    uint64_t since = 0;

    ERR_clear_error();
    c->host = verify_name;
    if (!make_ssl(c, tls, host, verify_name)) {
        ERR_clear_error();
        FAIL(err, FAIL_LOCAL, 0, "memory is out, or '%s' is no host name",
             host != NULL ? host : "");
        return break_off(c, err);
    }
    for (;;) {
        enum io io;

        begin(c);
        io = outcome(c, SSL_do_handshake(c->ssl), err);
        if (io == IO_DONE)
            break;
        if (io == IO_END)
            FAIL(err, FAIL_AGAIN, ECONNRESET, "the peer ended TLS before it began");
        if (io == IO_END || io == IO_FAIL || !wait_for(c, io, &since, deadline, err)) {
            err_context(err, "TLS handshake");
            return break_off(c, err);
        }
    }
    c->established = true;
    c->host = NULL;
    c->peer_certificate = SSL_get1_peer_certificate(c->ssl);
    (void)snprintf(c->tls_text, sizeof(c->tls_text), "%s %s", SSL_get_version(c->ssl),
                   SSL_get_cipher_name(c->ssl));
    return true;
}

/* ---- reading and writing ---------------------------------------------------------------- */

/* Fills the room from what has come without waiting; at least one octet, or says why not. */
static enum io take(struct conn *c, struct room room, size_t *n, struct err *err)
{
    *n = 0;
    do {
        size_t got = 0;
        enum io io;

        begin(c);
        io = outcome(c, SSL_read_ex(c->ssl, room.p + *n, room.n - *n, &got), err);
        if (io == IO_FAIL)
            (void)break_off(c, err); /* told now, or by the next read when octets came first */
        if (io != IO_DONE)
            return *n > 0 ? IO_DONE : io;
        *n += got;
    } while (*n < room.n && SSL_has_pending(c->ssl) == 1);
    return IO_DONE;
}

bool conn_tls_read(struct conn *c, struct room room, uint64_t deadline, size_t *n,
                   struct err *err)
{
    uint64_t since = 0;

    if (c->failed) {
        *err = c->failure;
        return false;
    }
    for (;;) {
        enum io io = take(c, room, n, err);

        if (io == IO_DONE || io == IO_END)
            return true;
        if (io == IO_FAIL || !wait_for(c, io, &since, deadline, err))
            return false;
    }
}

/* Sends the records gathered. */
static bool flush(struct conn *c, uint64_t *since, uint64_t deadline, struct err *err)
{
    size_t at = 0;

    while (at < c->out_n) {
        ssize_t put = send(c->fd, c->out + at, c->out_n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put >= 0) {
            at += (size_t)put;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(c, IO_OUT, since, deadline, err))
                return false;
        } else if (errno != EINTR) {
            c->io_errno = errno;
            return tls_explain(c, SSL_ERROR_SYSCALL, err);
        }
    }
    c->out_n = 0;
    return true;
}

static bool write_records(struct conn *c, struct span octets, uint64_t deadline,
                          struct err *err)
{
    uint64_t since = 0;

    while (octets.n > 0) {
        size_t put = 0;
        enum io io;

        begin(c);
        io = outcome(c, SSL_write_ex(c->ssl, octets.p, octets.n, &put), err);
        if (io == IO_DONE) {
            span_skip(&octets, put);
            if (c->out_n >= OUT_FULL && !flush(c, &since, deadline, err))
                return false;
            continue;
        }
        if (io == IO_END)
            return FAIL(err, FAIL_AGAIN, EPIPE, "write: the peer has closed the connection");
        /* A broken pipe leaves what the peer said before to be read; broken TLS does not. */
        if (io == IO_FAIL && err->wire == 0)
            return break_off(c, err);
        if (io == IO_FAIL || !wait_for(c, io, &since, deadline, err))
            return false;
    }
    return flush(c, &since, deadline, err);
}

/* A system call for each record of 16 KB costs a seventh of the throughput: the records of a
 * large write are sent together. */
bool conn_tls_write(struct conn *c, struct span octets, uint64_t deadline, struct err *err)
{
    bool ok;

    if (octets.n > RECORD_MAX && c->out == NULL)
        c->out = malloc(OUT_CAP); /* without it, it is only slower */
    c->gathering = octets.n > RECORD_MAX && c->out != NULL;
    ok = write_records(c, octets, deadline, err);
    c->gathering = false;
    return ok;
}

bool conn_tls_readable(struct conn *c)
{
    uint8_t octet;
    size_t got = 0;
    struct err err;
    enum io io;

    if (c->failed)
        return true;
    begin(c);
    io = outcome(c, SSL_peek_ex(c->ssl, &octet, 1, &got), &err);
    if (io == IO_FAIL)
        (void)break_off(c, &err);
    return io == IO_DONE || io == IO_END || io == IO_FAIL;
}

void conn_tls_end(struct conn *c, uint64_t deadline)
{
    uint64_t since = 0;
    struct err ignored;

    for (;;) {
        int ret;

        begin(c);
        ret = SSL_shutdown(c->ssl);
        if (ret >= 0 || outcome(c, ret, &ignored) != IO_OUT ||
            !wait_for(c, IO_OUT, &since, deadline, &ignored))
            break;
    }
    ERR_clear_error();
}
