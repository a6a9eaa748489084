/* What the files of this folder share. */
#ifndef WAYBILL_API_INT_H
#define WAYBILL_API_INT_H

#include "api/api.h"
#include "api/json.h"
#include "net/http.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

enum { API_ARGS_MAX = 2 };

struct api_conn {
    struct api *api;
    int fd; /* a duplicate: http_serve frees the connection while api_stop may still look */
    int peer_fd; /* as accepted; its owner is the thread */
    bool used, local;
};

struct api {
    struct gateway *gateway; /* borrowed */
    char token[2 * API_TOKEN_OCTETS + 1];
    char host[64]; /* as bound, "" without TCP */
    uint16_t port;
    char *socket_path; /* bound by us, removed at the end; NULL before */
    int fds[2];
    bool fd_local[2];
    size_t fds_n;
    int wake_fd;
    pthread_t acceptor;
    bool accepting;
    atomic_bool stopping;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t gone;
    unsigned running;
    struct api_conn conns[API_CONNECTIONS_MAX];
};

/* One request being answered. */
struct api_call {
    struct api *api; /* borrowed, like all here */
    struct api_conn *conn;
    struct gateway *gateway;
    struct store *store;
    struct http_request *r;
    const char *arg[API_ARGS_MAX]; /* what stands at the stars of the route */
    const char *who;               /* for the audit log */
};
typedef void api_handler(struct api_call *c);

/* routes.c: an http_handler; context is the struct api_conn. */
void api_dispatch(void *context, struct http_request *r);
/* Whether path fits pattern, where a segment "*" takes any that is not empty; those go to arg,
 * in the arena. */
bool api_path_match(const char *pattern, const char *path, struct arena *a,
                    const char *arg[API_ARGS_MAX]);

/* access.c */
MUST_CHECK bool api_token_load(const char *directory, char token[2 * API_TOKEN_OCTETS + 1],
                               struct err *err);
/* Whether the Authorization header's value carries the token; takes the same time for any. */
bool api_token_fits(const char *token, const char *authorization);
/* Whether a Host header's value names this machine itself. */
bool api_host_is_loopback(const char *host);
/* "127.0.0.1:8090", "[::1]:8090", "localhost:0" taken apart; anything not loopback fails. */
MUST_CHECK bool api_listen_parse(const char *listen, char host[64], uint16_t *port,
                                 struct err *err);

/* answer.c. All answer exactly once. */
void api_json(struct api_call *c, int status, struct json_out root); /* root is taken */
void api_error(struct api_call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The status that fits *err, with its text. */
void api_fail(struct api_call *c, const struct err *err);
/* The same with the problems. */
void api_fail_problems(struct api_call *c, const struct err *err,
                       const struct config_problems *ps);
/* A number of the path or the query. False: api_error was called. */
MUST_CHECK bool api_number(struct api_call *c, const char *what, const char *text, int64_t min,
                           int64_t max, int64_t *out);
/* The last resort when an answer under way cannot be finished: the client must see it cut. */
void api_cut(struct api_call *c);

/* components.c: the whole body, at most CONFIG_TEXT_MAX octets, ended by NUL. Given: free(). NULL:
 * answered already. */
uint8_t *api_body(struct api_call *c, size_t *n);

/* Families. */
api_handler api_health, api_ready, api_metrics, api_runtime, api_reload, api_stop_runtime;
api_handler api_apply, api_components, api_component, api_component_delete;
api_handler api_certificates, api_certificate_import, api_certificate_export;
api_handler api_listeners, api_listener_do;
api_handler api_documents, api_document, api_document_do, api_receipts, api_jobs;
api_handler api_document_octets, api_send;
api_handler api_exchange, api_exchange_pending, api_trust_list; /* exchange.c */
api_handler api_sessions, api_partner_call, api_partner_test, api_trace;

#endif
