/* The admin API of docs/api.md: HTTP on a Unix socket, whose users may do everything, and, when
 * admin.listen names one, on an address that asks for log-on. A handler decodes, calls one function of store or gateway, and encodes. */
#ifndef WAYBILL_API_H
#define WAYBILL_API_H

#include "gateway/gateway.h"

#include <jansson.h>

enum {
    API_CONNECTIONS_MAX = 64, /* at a time, each with a thread     */
    API_TCP_MAX = 48,         /* of them over TCP: the rest is for the Unix socket */
    API_BUFFER = 256 * 1024,  /* octets of a payload under way     */
    API_IDLE_MS = 120 * 1000, /* between and within requests       */
    API_TOKEN_OCTETS = 32,    /* random                            */
    API_STOP_MS = 2 * 1000,   /* api_stop lets answers go out      */
    API_WAIT_MS = 500,        /* how often a trace looks around    */
};

struct api;

/* Binds what gateway_config(g)->admin says, starts the acceptor. g is borrowed until api_stop. FAIL_LOCAL. */
MUST_CHECK bool api_start(struct gateway *g, struct api **out, struct err *err);
/* Lets answers under way go out for a moment, then cuts; waits for all threads; frees. NULL is
 * fine. */
void api_stop(struct api *api);
/* The OpenAPI document of all requests. Given: json_decref. NULL: memory is out. */
json_t *api_openapi_make(void);
/* The TCP port that is served, 0 when there is none. */
uint16_t api_port(const struct api *api);

#endif
