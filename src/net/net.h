/* Connections with deadlines: TCP (IPv4, IPv6) and Unix sockets, with and without TLS 1.2/1.3.
 * Blocking calls for one thread per connection; other threads may only call conn_shutdown.
 * Deadlines are milliseconds on net_now_ms()'s clock. SIGPIPE is never raised. */
#ifndef WAYBILL_NET_H
#define WAYBILL_NET_H

#include "base/err.h"
#include "base/span.h"
#include "pki/pki.h"

#include <stdatomic.h>
#include <sys/socket.h>

/* Monotonic, for deadlines. */
uint64_t net_now_ms(void);
/* Milliseconds since 1970 UTC. */
int64_t net_wall_ms(void);
/* From here on waits of this thread for a peer or the name service end early, with FAIL_AGAIN and
 * ECANCELED, when *stop becomes true. NULL: no more. Borrowed until then. Gives what was heeded
 * before. */
const atomic_bool *net_heed(const atomic_bool *stop);
/* To be called after such a flag was set: all who heed one look at once (else within seconds). For
 * the first time; from then on they look every 100 ms. */
void net_heed_now(void);
/* A thread that nobody joins calls it as its last work, before it tells that it ends: what the
 * libraries keep for the thread is freed now, not while the process may be ending already. */
void net_thread_end(void);
/* "2026-11-21T10:15:00.123Z" into text[25]. */
void net_time_text(int64_t wall_ms, char text[25]);

/* ---- TLS contexts ---------------------------------------------------------------------- */

struct tls; /* shared by connections; counted */

enum tls_peer {
    TLS_PEER_NONE,
    TLS_PEER_OPTIONAL,
    TLS_PEER_REQUIRED,
    TLS_PEER_REQUIRED_ANY, /* one must be shown; whose it is the caller looks at */
};

/* Server: cert with key; trust: certificates a client's may equal or be issued by. NULL: with
 * TLS_PEER_OPTIONAL and TLS_PEER_REQUIRED_ANY (which takes no trust) a certificate of any issuer,
 * even an expired one, is taken: that the client holds its key is proven, the caller compares it
 * (conn_peer_certificate) with the partner's; with TLS_PEER_REQUIRED that is FAIL_LOCAL.
 * TLS 1.2 with forward secrecy and AEAD, and 1.3; no renegotiation; no tickets are kept across
 * restarts. */
MUST_CHECK bool tls_server_new(const struct pki_certificate *cert, enum tls_peer peer,
                               const struct pki_certificate *trust, struct tls **out,
                               struct err *err);
/* Client: cert is ours with key, or NULL. trust: what the server's certificate must equal or be
 * issued by; NULL: the system's authorities. */
MUST_CHECK bool tls_client_new(const struct pki_certificate *cert,
                               const struct pki_certificate *trust, struct tls **out,
                               struct err *err);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t);

/* ---- connections ------------------------------------------------------------------------ */

struct conn;

/* Takes an accepted socket; does the TLS handshake when tls is not NULL (borrowed until the
 * call returns). fd is taken. */
MUST_CHECK bool conn_accept(int fd, struct tls *tls, uint64_t deadline, struct conn **out,
                            struct err *err);
/* Looks host up, tries all addresses. verify_name: host must be in the server's certificate.
 * FAIL_AGAIN for what time may cure, FAIL_TRUST when the certificate does not please. The text
 * names the step: resolving, connecting, TLS handshake. */
MUST_CHECK bool conn_dial(const char *host, uint16_t port, struct tls *tls, bool verify_name,
                          uint64_t deadline, struct conn **out, struct err *err);
/* Reads at least one octet. *n 0: the peer closed in order. FAIL_AGAIN: deadline ("timed out"),
 * reset. err->wire is then ETIMEDOUT for a deadline. After a deadline reading may go on.
 * deadline UINT64_MAX: none. */
MUST_CHECK bool conn_read(struct conn *c, struct room room, uint64_t deadline, size_t *n,
                          struct err *err);
/* Writes all of it. After a failure nothing more can be written, but still be read. */
MUST_CHECK bool conn_write(struct conn *c, struct span octets, uint64_t deadline,
                           struct err *err);
/* Whether octets (or the end) can be read without waiting. */
bool conn_readable(struct conn *c);
/* close_notify, FIN, and frees. Waits at most until deadline for the peer's FIN, so that nothing
 * under way is cut by a reset. deadline 0: at once. */
void conn_close(struct conn *c, uint64_t deadline);
/* From any thread: makes reads and writes under way and later ones fail. Safe beside a
 * conn_close of the owner; but c must not be freed meanwhile, so a thread that is not the owner
 * holds a reference from conn_ref, given back with conn_unref. */
void conn_shutdown(struct conn *c);
struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);
/* "127.0.0.1:4711", "[::1]:4711", "unix": borrowed for the connection's life. */
const char *conn_peer(const struct conn *c);
/* The address alone, for limits per address. */
const char *conn_address(const struct conn *c);
/* The certificate the peer showed, NULL none. Borrowed. */
const X509 *conn_peer_certificate(const struct conn *c);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without TLS. */
const char *conn_tls_text(const struct conn *c);

/* The numeric address of a socket address, IPv4-mapped ones as IPv4. */
void net_address_text(const struct sockaddr *sa, socklen_t n, char *text, size_t cap);
/* Whether it is of the public Internet: not loopback, private, link-local, shared (CGNAT),
 * documentation, multicast, unspecified or the like, also as IPv4 within IPv6 (mapped, NAT64,
 * 6to4). as2.md 4.9 rule 4. */
bool net_address_public(const struct sockaddr *sa);

/* ---- listening -------------------------------------------------------------------------- */

/* host "::" takes IPv4 too. port 0: the system picks; *port_out is what it is. Given: close(). */
MUST_CHECK bool net_listen(const char *host, uint16_t port, int *fd, uint16_t *port_out,
                           struct err *err);
/* A Unix socket with mode 0600; a dead one of the same path is replaced. */
MUST_CHECK bool net_listen_unix(const char *path, int *fd, struct err *err);
/* Waits for a connection on any of fds or for wake_fd to become readable. *fd -1: woken, or
 * nothing to accept after all. Which of fds: *which. FAIL_LOCAL when out of descriptors (the
 * caller waits a little). */
MUST_CHECK bool net_accept(const int *fds, size_t n, int wake_fd, int *fd, size_t *which,
                           struct err *err);

#endif
