/* HTTP/1.1: a server and a client for AS2 and the admin API. RFC 9110, RFC 9112.
 * Server: one thread per connection, blocking; libhttp-parser reads heads. Strict: what two readers
 * could take for two things is answered 400 and closed (as2.md 11.1 #5).
 * Client: libcurl; redirects are never followed. */
#ifndef WAYBILL_HTTP_H
#define WAYBILL_HTTP_H

#include "base/arena.h"
#include "net/net.h"

#include <stdatomic.h>

/* as2.md 11.1 #3; octets, line ends counted */
enum {
    HTTP_HEAD_MAX = 64 * 1024,   /* request line and header fields: 431           */
    HTTP_LINE_MAX = 8 * 1024,    /* request line: 414                             */
    HTTP_FIELD_MAX = 16 * 1024,  /* one header field with its folds: 431          */
    HTTP_FIELDS_MAX = 100,       /* header fields, of answers to the client, too  */
    HTTP_TRAILER_MAX = 8 * 1024, /* all trailers, which nobody asks for: 400      */
    HTTP_CHUNK_LINE_MAX = 256,   /* a chunk's size and extensions: 400            */
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
    bool has_length,
        chunked;     /* neither: no body. A POST without is for the handler to answer 411 */
    uint64_t length; /* Content-Length when has_length */
    const char *peer, *address;
    bool local;              /* came over the Unix socket */
    const char *tls;         /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" without TLS */
    const X509 *certificate; /* the client's, NULL none; of any issuer where the endpoint's TLS
                                has no trust of its own: then the handler compares */
    /* for the handler to set: */
    uint64_t body_max; /* http_body refuses more octets with 413; 0: any number */
    bool close;        /* the connection ends after the answer */

    struct arena arena;
    struct http_exchange *x; /* for the functions below */
};

/* NULL when missing; names are compared without case. The first, when given more than once. */
const char *http_header(const struct http_request *r, const char *name);
/* The same, but false when it is given more than once with values that differ. *value may be NULL
 * (missing). For AS2-From, AS2-To, Message-ID. */
MUST_CHECK bool http_header_once(const struct http_request *r, const char *name,
                                 const char **value);
/* The decoded value of a query parameter, in the request's arena; NULL when missing. */
const char *http_query(struct http_request *r, const char *name);
/* Reads the body in pieces; *n 0 at its end. Sends 100 Continue first where it is expected.
 * err->wire is the status to answer with: 400 broken, 408 too slow, 413 more than body_max; with
 * FAIL_AGAIN and another .wire the client is gone. */
MUST_CHECK bool http_body(struct http_request *r, struct room room, size_t *n, struct err *err);

/* Answers in one go. extra: header lines each ended by CRLF, or NULL; a Date among them replaces
 * that of now.
 * A handler may answer without having read the body: a small one is then skipped, else the
 * connection ends after the answer, with time for the client to read it. */
MUST_CHECK bool http_answer(struct http_request *r, int status, const char *content_type,
                            const char *extra, struct span body, struct err *err);
/* Answers in pieces: begin (length UINT64_MAX: chunked), any number of parts, end. */
MUST_CHECK bool http_answer_begin(struct http_request *r, int status, const char *content_type,
                                  const char *extra, uint64_t length, struct err *err);
MUST_CHECK bool http_answer_part(struct http_request *r, struct span part, struct err *err);
MUST_CHECK bool http_answer_end(struct http_request *r, struct err *err);

/* Answers exactly once; runs on the connection's thread. */
typedef void http_handler(void *context, struct http_request *r);

/* 0 for any but idle_ms: no such limit. */
struct http_serve_options {
    bool local;       /* the Unix socket */
    uint64_t idle_ms; /* without an octet: before a request, within a body, within an answer */
    uint64_t head_ms; /* from a head's first octet to its last; 0: idle_ms. 408 */
    uint64_t body_rate;      /* octets a second that a body must bring ... */
    uint64_t body_window_ms; /* ... on average over so much waiting for it; 0: 60 s. 408 */
    const atomic_bool *stop; /* true: no further request is begun (net_heed_now). Borrowed */
};

/* Serves requests on c until either side closes; frees c. HTTP/1.0 gets one answer. */
void http_serve_with(struct conn *c, const struct http_serve_options *options,
                     http_handler *handler, void *context);
/* With idle_ms alone. */
void http_serve(struct conn *c, bool local, http_handler *handler, void *context,
                uint64_t idle_ms);

/* ---- URLs ------------------------------------------------------------------------------- */

enum { HTTP_URL_MAX = 2048 };

struct http_url {
    bool tls;         /* https */
    const char *host; /* lower case, without brackets */
    uint16_t port;    /* 80, 443 when none is given */
    const char *path; /* with the query, at least "/" */
    const char *url;  /* the whole as given, without the fragment */
};

/* Takes apart and checks what a partner or an operator gave (as2.md 4.9 rule 3): http or https, no
 * user, at most 2048 visible ASCII characters, no backslash. The fragment is dropped. Texts in the
 * arena. FAIL_PEER, .wire 400, says what is wrong without repeating it. */
MUST_CHECK bool http_url_check(const char *url, struct arena *a, struct http_url *out,
                               struct err *err);
/* as2.md 4.9 rule 4, as far as it can be told without looking the name up: no address that is none of
 * the public Internet; of ports below 1024 only 80 and 443. FAIL_LOCAL, .wire HTTP_FAIL_FORBIDDEN. */
bool http_url_public(const struct http_url *url, struct err *err);
/* Scheme, host and port: credentials for one may be shown to the other. */
bool http_same_origin(const struct http_url *a, const struct http_url *b);

/* ---- client ----------------------------------------------------------------------------- */

struct http_call {
    const char *method, *url;
    const char *unix_socket; /* path, or NULL */
    const char *const
        *headers; /* NULL-ended "Name: value", or NULL; control characters are refused */
    /* body: either octets, or a function that fills room and returns false at failure
     * (*n 0: the end) with its length (UINT64_MAX: chunked) */
    struct span body;
    bool (*read)(void *context, struct room room, size_t *n);
    /* Begins again at the first octet. NULL: cannot, and then no open connection is used again,
     * which might be found closed only when octets are gone. */
    bool (*rewind)(void *context);
    void *read_context;
    uint64_t read_length;

    /* TLS 1.2 or later, SNI. Connections are used again only by calls for the same origin with the
     * same of these and of the credentials, the proxy and public_only. Compared by content. */
    const struct pki_certificate *certificate; /* ours, with key, shown when asked; or NULL */
    const struct pki_certificate
        *trust;         /* what the server's must equal or be issued by (leaf and
                                            chain, each); NULL: the system's authorities */
    bool any_host_name; /* the certificate may be for another host */

    const char *user,
        *password;          /* Basic, with the first request; NULL: none. The caller sees to
                                    it that url has the origin they are for */
    bool clear_credentials; /* also over http; else that is FAIL_LOCAL */
    const char *proxy;      /* "http://host:port"; "": none; NULL: the environment's */
    /* as2.md 4.9 rule 4: only public addresses, and of ports below 1024 only 80 and 443. Looked up
     * once; connected to what was checked. Behind a proxy only addresses in url can be checked. */
    bool public_only;

    uint64_t connect_ms; /* look-up, connecting and TLS; 0: 30 s */
    uint64_t stall_ms;   /* without an octet while sending or within the answer; 0: none */
    uint64_t answer_ms;  /* from the last octet sent to the first of the answer; 0: none */
    uint64_t timeout_ms; /* of the whole call; 0: none */
    /* Asked about once a second, or NULL: true gives the call up. */
    bool (*stop)(void *context);
    void *stop_context;
    /* the answer: to write when not NULL (return false to stop), else collected in arena */
    bool (*write)(void *context, struct span part);
    void *write_context;
    size_t answer_max; /* collected at most; 0: 16 MiB */
    bool answer_cut;   /* what is beyond is not read, and no failure */
};

struct http_reply {
    int status;
    struct span body; /* in the arena; ends with a NUL beyond n */
    bool cut;         /* there was more of it */
    const char *content_type;
    struct http_field fields[HTTP_FIELDS_MAX]; /* of the last head; not those of 1xx */
    size_t fields_n;
    const char *redirect_url; /* of a 3xx, absolute; NULL: none */
    int64_t retry_after_s;    /* -1: none, or not understood */
    const char *address;      /* of the server (or the proxy), "" unknown */
};

/* err->wire of http_call */
enum http_fail {
    HTTP_FAIL_OTHER,     /* FAIL_LOCAL: nothing was sent, or reading the body failed */
    HTTP_FAIL_LOOKUP,    /* FAIL_AGAIN: the host's name was not found          */
    HTTP_FAIL_CONNECT,   /* FAIL_AGAIN: refused, unreachable, proxy            */
    HTTP_FAIL_SLOW,      /* FAIL_AGAIN: connecting or TLS took too long        */
    HTTP_FAIL_TLS,       /* FAIL_AGAIN: the handshake broke                    */
    HTTP_FAIL_TRUST,     /* FAIL_TRUST: certificate not trusted, or another name */
    HTTP_FAIL_FORBIDDEN, /* FAIL_LOCAL: public_only, and it is not             */
    /* from here on the server may have taken the request: */
    HTTP_FAIL_LOST,    /* FAIL_AGAIN: connection lost before the answer's end */
    HTTP_FAIL_TIMEOUT, /* FAIL_AGAIN: stall_ms, answer_ms or timeout_ms       */
    HTTP_FAIL_ANSWER,  /* FAIL_PEER: not HTTP, or beyond the limits           */
    HTTP_FAIL_STOPPED, /* FAIL_AGAIN: .stop; FAIL_LOCAL: .write               */
};

/* An HTTP error status is no failure. */
MUST_CHECK bool http_call(const struct http_call *call, struct arena *a,
                          struct http_reply *reply, struct err *err);
/* NULL when missing. */
const char *http_reply_header(const struct http_reply *reply, const char *name);
/* Seconds to wait by a Retry-After (RFC 9110 10.2.3: seconds or a date), at least 0, at most cap_s;
 * -1: missing (NULL) or not understood. */
int64_t http_retry_after(const char *value, int64_t now_s, int64_t cap_s);
/* Closes the connections kept for later calls. */
void http_forget(void);

#endif
