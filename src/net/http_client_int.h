/* One call of the HTTP client while it runs. Not for other folders. */
#ifndef WAYBILL_HTTP_CLIENT_INT_H
#define WAYBILL_HTTP_CLIENT_INT_H

#include "net/http.h"

#include <curl/curl.h>
#include <netdb.h>

enum { HTTP_ANSWER_MAX = 16 * 1024 * 1024 }; /* octets, when the caller names no limit */

struct octets {
    uint8_t *p;
    size_t n, cap;
};

struct http_transfer {
    const struct http_call *call;
    struct span body; /* what is left of it */
    uint64_t given;   /* octets of it handed to libcurl */

    /* how far it came */
    bool requested;    /* the connection stands: from here on the server may have got octets */
    bool given_all;    /* the body, to libcurl */
    bool answering;    /* the final answer has begun */
    bool head_ended;   /* ... and its head is whole: what follows are trailers */
    uint64_t moved_ms; /* when an octet came or went */
    curl_off_t up, down;

    /* why we ended it */
    bool read_failed, write_stopped, stopped, memory_out, cut;
    bool body_too_long, head_too_long;
    uint64_t silent_ms; /* longer than the limit of ... */
    const char *silent; /* ... what went on then; NULL: not for that */
    bool forbidden;
    char address[NI_MAXHOST]; /* that was forbidden */
    bool own_failed;          /* our certificate or the trust cannot be used */
    struct err own_err;

    struct octets head, got; /* the answer collected so far */
};

/* Sets the functions that libcurl calls. */
MUST_CHECK bool http_transfer_set(CURL *h, struct http_transfer *t);
/* Words the failure and sorts it. why: libcurl's text. */
bool http_transfer_explain(const struct http_transfer *t, CURLcode code, const char *why,
                           struct err *err);
/* Splits the head collected; folds are joined. False: memory is out, or too many fields. */
MUST_CHECK bool http_reply_fields(const struct http_transfer *t, struct arena *a,
                                  struct http_field fields[HTTP_FIELDS_MAX], size_t *n,
                                  struct err *err);

/* A handle whose open connections may serve the call: of the same origin, certificate, trust,
 * credentials, proxy. NULL: memory is out. One caller at a time has it. */
struct http_handle {
    CURL *h;
    uint8_t key[32];
};
MUST_CHECK bool http_pool_take(const struct http_call *call, struct http_handle *out);
void http_pool_give(struct http_handle *handle);
/* Sets libcurl up, once. False: it cannot be. */
MUST_CHECK bool http_pool_ready(void);

#endif
