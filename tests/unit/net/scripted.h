/* A tiny HTTP server that says what it is told, right or wrong. */
#ifndef WAYBILL_TESTS_NET_SCRIPTED_H
#define WAYBILL_TESTS_NET_SCRIPTED_H

#include "support.h"

#include <stdatomic.h>

struct script_step {
    const char *text;  /* the answer; NULL: none */
    bool early;        /* sent without reading the request's body */
    unsigned wait_ms;  /* before it */
    const char *after; /* and this behind another wait, or NULL */
    bool close;        /* then the connection */
};

struct scripted {
    const struct script_step *steps;
    size_t steps_n;
    struct tls *tls;
    uint16_t port;
    char url[64]; /* "http://127.0.0.1:4711" */
    /* what came */
    atomic_uint connections, requests;
    char request[16 * 1024]; /* the last one, at most so much of it */
    size_t request_n;        /* octets of all of it */
    X509 *certificate;       /* the client's of the last connection */

    int listener, wake[2];
    pthread_t thread;
};

/* One step a request, over any number of connections, one at a time. */
void scripted_start(struct scripted *s, struct tls *tls, const struct script_step *steps,
                    size_t n);
void scripted_stop(struct scripted *s);

#endif
