/* What the files of connections share. Not for other folders. */
#ifndef WAYBILL_CONN_INT_H
#define WAYBILL_CONN_INT_H

#include "net/net.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct tls {
    atomic_uint refs;
    SSL_CTX *ctx;
    bool server;
};

struct conn {
    int fd; /* -1 once closed; changed only under lock */
    pthread_mutex_t lock;
    atomic_uint refs;
    atomic_bool down; /* conn_shutdown was called */

    SSL *ssl;     /* NULL without TLS */
    uint8_t *out; /* records to be sent together while gathering */
    size_t out_n;
    bool gathering;
    X509 *peer_certificate;
    bool established; /* the handshake is done */
    bool eof;         /* for the BIO: the peer's FIN came */
    int io_errno;     /* for the BIO: the last failure */
    uint8_t first;    /* the first octet the peer sent: tells TLS from plain text */
    bool has_first;
    const char *host; /* the name asked for; borrowed while dialling */
    int verify_error; /* X509_V_ERR_...: the first of the chain, and whose it is */
    char verify_subject[120];

    bool failed;       /* TLS is broken: nothing can be read or written any more */
    bool write_failed; /* a part was sent: nothing more can be written, but still read */
    struct err failure;

    char address[NI_MAXHOST];
    char peer[NI_MAXHOST + 16];
    char tls_text[80];
};

/* What a context shows of us: certificate, chain and key. */
MUST_CHECK bool tls_use_own(SSL_CTX *ctx, const struct pki_certificate *cert, struct err *err);
/* Adds what the other side's certificate may equal or be issued by to the context's store. */
MUST_CHECK bool tls_use_trust(SSL_CTX *ctx, const struct pki_certificate *trust,
                              struct err *err);

/* A connection around a connected socket (taken, also on failure). */
MUST_CHECK bool conn_new(int fd, struct conn **out, struct err *err);

/* The handshake, as the side tls is for. verify_name: NULL, or what the certificate must be for. */
MUST_CHECK bool conn_tls_start(struct conn *c, struct tls *tls, const char *host,
                               const char *verify_name, uint64_t deadline, struct err *err);

enum { /* between looks at the flag of net_heed */
       HEED_MS = 100,
       HEED_BELL_MS = 5000, /* while net_heed_now() would tell */
};
/* Whether it is set. */
bool net_stopped(struct err *err);
/* Waits for POLLIN or POLLOUT. since_ms: when the caller began to wait, for the text. */
MUST_CHECK bool net_wait(int fd, short events, uint64_t since_ms, uint64_t deadline,
                         struct err *err);

/* Octets as records, with the deadline. */
MUST_CHECK bool conn_tls_read(struct conn *c, struct room room, uint64_t deadline, size_t *n,
                              struct err *err);
MUST_CHECK bool conn_tls_write(struct conn *c, struct span octets, uint64_t deadline,
                               struct err *err);
bool conn_tls_readable(struct conn *c);
void conn_tls_end(struct conn *c, uint64_t deadline);

/* Words the failure of the operation on c->ssl that just returned ret, from OpenSSL's queue. */
bool tls_explain(struct conn *c, int ssl_error, struct err *err);

#endif
