/* Listening endpoints of one server: limits on connections in all and per address, one thread a
 * connection. Used by the OFTP2 and the AS2 server. */
#ifndef WAYBILL_ACCEPTOR_H
#define WAYBILL_ACCEPTOR_H

#include "gateway/gateway_int.h"

struct acceptor;

struct acceptor_endpoint {
    const char *host;
    uint16_t port; /* 0: the system picks */
    bool tls;
    unsigned line; /* of the configuration */
};

struct acceptor_config {
    const char *protocol; /* "oftp2": in log events and lists of endpoints */
    const char *section;  /* "oftp2_server": in error texts */
    uint32_t max_connections, max_connections_per_address;
    /* One too many: says so in the protocol's words where it can (plain: without TLS), closes. */
    void (*turn_away)(int fd, bool plain);
    /* On a thread of its own; fd is taken. */
    void (*serve)(struct gateway *g, int fd, size_t endpoint, const char *address);
};

/* Binds and starts. cfg and endpoints are copied, texts borrowed. On failure *out is set when there
 * is something to stop and free. */
bool acceptor_start(struct gateway *g, const struct acceptor_config *cfg,
                    const struct acceptor_endpoint *endpoints, size_t n, struct acceptor **out,
                    struct err *err);
/* Takes nothing new; returns when the accepting thread has ended. NULL is fine. */
void acceptor_stop(struct acceptor *s);
/* Waits until the last connection has ended. NULL is fine. */
void acceptor_free(struct acceptor *s);
/* Appends to the list, which has room. */
void acceptor_endpoints(struct acceptor *s, struct arena *a, struct gateway_endpoint *list,
                        size_t *n);
size_t acceptor_endpoints_n(const struct acceptor *s); /* NULL: 0 */
/* Connections open now. NULL: 0 */
unsigned acceptor_connections(struct acceptor *s);

#endif
