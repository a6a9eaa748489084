/* One request on its connection: what reading and answering share. Not for other folders. */
#ifndef WAYBILL_HTTP_SERVE_INT_H
#define WAYBILL_HTTP_SERVE_INT_H

#include "net/http_int.h"

enum { HTTP_DRAIN_MAX = 1024 * 1024 }; /* octets of an unread body read for keep-alive's sake */

enum answer { ANSWER_NONE, ANSWER_BEGUN, ANSWER_DONE };

struct http_exchange {
    struct conn *c;
    struct http_serve_options options;
    bool keep;    /* serve another request on this connection */
    bool no_body; /* the answer has none: HEAD, 204, 304 */
    bool chunked, counted;
    enum answer answer;
    uint64_t left;          /* octets of the answer still to come when counted */
    uint64_t body_n;        /* octets of the request's body the handler got */
    uint64_t window_n;      /* of them since the rate was last looked at ... */
    uint64_t window_waited; /* ... and milliseconds spent waiting for them */
    struct http_request request;
    struct http_parse parse;
};

/* The deadline of something that must go on. */
uint64_t http_exchange_until(const struct http_exchange *x);

#endif
