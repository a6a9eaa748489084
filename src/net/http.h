/* HTTP/1.1: a small server for the admin API (and AS2 later) and a client.
 * Server: one thread per connection, blocking; libhttp-parser reads. */
#ifndef WAYBILL_HTTP_H
#define WAYBILL_HTTP_H

#include "base/arena.h"
#include "net/net.h"

enum {
    HTTP_HEAD_MAX = 64 * 1024, /* octets of request line and header fields */
    HTTP_FIELDS_MAX = 100,     /* header fields */
};

struct http_field {
    const char *name, *value; /* folded values joined with one blank */
};

/* One request while it is served. Its text lives until the handler returns. */
struct http_request {
    const char *method; /* "GET" */
    const char *path;   /* decoded, without the query */
    const char *query;  /* raw, "" when there is none */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t fields_n;
    bool has_length;
    uint64_t length; /* Content-Length when has_length */
    const char *peer, *address;
    bool local; /* came over the Unix socket */
    struct arena arena;
    struct http_exchange *x; /* for the functions below */
};

/* NULL when missing; names are compared without case. */
const char *http_header(const struct http_request *r, const char *name);
/* The decoded value of a query parameter, in the request's arena; NULL when missing. */
const char *http_query(struct http_request *r, const char *name);
/* Reads the body in pieces; *n 0 at its end. Sends 100 Continue first where it is expected. */
MUST_CHECK bool http_body(struct http_request *r, struct room room, size_t *n, struct err *err);

/* Answers in one go. extra: header lines each ended by CRLF, or NULL. */
MUST_CHECK bool http_answer(struct http_request *r, int status, const char *content_type,
                            const char *extra, struct span body, struct err *err);
/* Answers in pieces: begin (length UINT64_MAX: chunked), any number of parts, end. */
MUST_CHECK bool http_answer_begin(struct http_request *r, int status, const char *content_type,
                                  const char *extra, uint64_t length, struct err *err);
MUST_CHECK bool http_answer_part(struct http_request *r, struct span part, struct err *err);
MUST_CHECK bool http_answer_end(struct http_request *r, struct err *err);

/* Answers exactly once; runs on the connection's thread. */
typedef void http_handler(void *context, struct http_request *r);

/* Serves requests on c until either side closes; frees c. idle_ms: between and within requests. */
void http_serve(struct conn *c, bool local, http_handler *handler, void *context,
                uint64_t idle_ms);

/* ---- client ----------------------------------------------------------------------------- */

struct http_call {
    const char *method, *url;
    const char *unix_socket;    /* path, or NULL */
    const char *const *headers; /* NULL-ended "Name: value", or NULL */
    /* body: either octets, or a function that fills room and returns false at failure
     * (*n 0: the end) with its length (UINT64_MAX: chunked) */
    struct span body;
    bool (*read)(void *context, struct room room, size_t *n);
    void *read_context;
    uint64_t read_length;
    uint64_t timeout_ms; /* of the whole call; 0: none */
    /* Asked about once a second, or NULL: true gives the call up. */
    bool (*stop)(void *context);
    void *stop_context;
    /* the answer: to write when not NULL (return false to stop), else collected in arena */
    bool (*write)(void *context, struct span part);
    void *write_context;
    size_t answer_max; /* collected at most; 0: 16 MiB */
};

struct http_reply {
    int status;
    struct span body; /* in the arena; ends with a NUL beyond n */
    const char *content_type;
};

/* FAIL_AGAIN: no answer (the text says why, from libcurl). An HTTP error status is no failure. */
MUST_CHECK bool http_call(const struct http_call *call, struct arena *a,
                          struct http_reply *reply, struct err *err);

#endif
