/* What the tests of net share: certificates made on the spot, and connected pairs. */
#ifndef WAYBILL_TESTS_NET_SUPPORT_H
#define WAYBILL_TESTS_NET_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net.h"

#include <pthread.h>

enum { SOON_MS = 60 * 1000 }; /* a deadline that is met unless something hangs */

uint64_t soon(void);

/* Where *err says what failed, should something that must work fail. */
#define CHECK(what)                                                                            \
    do {                                                                                       \
        if (!(what))                                                                           \
            fail_msg("%s: %s", #what, err.text);                                               \
    } while (0)

void assert_has(const char *text, const char *part);

struct cert_spec {
    const char *name;                     /* CN */
    const struct pki_certificate *issuer; /* NULL: signs itself */
    bool authority;
    bool rsa;
    const char *san;        /* "DNS:localhost,IP:127.0.0.1", or NULL */
    const char *eku;        /* "serverAuth", "clientAuth", or NULL */
    int from_days, to_days; /* from today; both 0: -1 to 30 */
};
struct pki_certificate *cert_make(const struct cert_spec *spec);
void cert_drop(struct pki_certificate *c);

/* A listening socket of 127.0.0.1 with a thread that accepts one connection. */
struct acceptor {
    int listener;
    uint16_t port;
    struct tls *tls;
    uint64_t deadline_ms; /* from the start of the handshake */
    pthread_t thread;
    bool ok;
    struct conn *conn;
    struct err err;
};
void acceptor_start(struct acceptor *a, const char *host, struct tls *tls,
                    uint64_t deadline_ms);
void acceptor_join(struct acceptor *a);

/* Two ends of one connection; tls NULL: plain. */
void pair_make(struct tls *server_tls, struct tls *client_tls, struct conn **server,
               struct conn **client);

/* A port that is ours until the socket, which is given, is closed, and at which nobody listens. */
int held_port(uint16_t *port);

/* A socket connected to the port, for what conn would never do. */
int raw_connect(uint16_t port);
void raw_say(int fd, const char *text);
/* All that comes until `until` was seen, or the other side closes. */
const char *raw_hear(int fd, const char *until);

bool has_ipv6(void);

#endif
