/* What the files of this folder share. */
#ifndef WAYBILL_API_INT_H
#define WAYBILL_API_INT_H

#include "api/api.h"
#include "api/json.h"
#include "net/http.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    API_ARGS_MAX = 3,
    API_NAME_MAX = 64,
    API_KEY_MAX = 200,     /* octets of a key against doing something twice */
    API_PASSWORD_MIN = 12, /* octets */
    API_PASSWORD_MAX = 256,
    API_PASSWORD_TEXT = 160,                   /* hashed */
    API_TOKEN_TEXT = 9 + 2 * API_TOKEN_OCTETS, /* "waybill_", digits, NUL */
};

/* Each may do what those before it may. */
enum api_role { ROLE_NONE = -1, ROLE_UNSET, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

struct api_logon; /* logon.c */
struct api_web;   /* web_session.c */
struct user;

struct api_conn {
    struct api *api;
    int fd; /* a duplicate: http_serve frees the connection while api_stop may still look */
    int peer_fd; /* as accepted; its owner is the thread */
    bool used, local;
};

struct api {
    struct gateway *gateway; /* borrowed */
    struct api_logon *logon;
    struct api_web *web;
    char host[64]; /* as bound, "" without TCP */
    uint16_t port;
    bool tls;          /* the TCP port has it */
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
    enum api_role role;            /* of who asks */
    const char *who;               /* for the audit log: "local:0", "user:zoe from ::1" */
    const char *user, *csrf;       /* of a user, of a session; else NULL */
    int64_t session_ms;            /* when the session ends */
    const char *extra;             /* header lines of the answer, or NULL */
};
typedef void api_handler(struct api_call *c);

/* routes.c: an http_handler; context is the struct api_conn. */
void api_dispatch(void *context, struct http_request *r);
/* Whether path fits pattern, where a segment "{name}" takes any that is not empty; those go to arg,
 * in the arena. */
bool api_path_match(const char *pattern, const char *path, struct arena *a,
                    const char *arg[API_ARGS_MAX]);

/* access.c */
/* Whether a Host header's value names this machine itself. */
bool api_host_is_loopback(const char *host);
/* "127.0.0.1:8090", "[::1]:8090", "localhost:0" taken apart; without tls anything not loopback
 * fails. */
MUST_CHECK bool api_listen_parse(const char *listen, bool tls, char host[64], uint16_t *port,
                                 struct err *err);

/* password.c. fits: stored NULL takes as long, and is false. */
MUST_CHECK bool api_password_make(const char *password, char text[API_PASSWORD_TEXT],
                                  struct err *err);
bool api_password_fits(const char *stored, const char *password);
/* Whether it may be one; 400. */
MUST_CHECK bool api_password_good(const char *password, struct err *err);
void api_hex(const uint8_t *octets, size_t n, char *text);

/* logon.c. False: answered already, here and below. */
struct api_logon *api_logon_new(void);
void api_logon_free(struct api_logon *l);
bool api_role_of(const char *name, enum api_role *role);
const char *api_role_name(enum api_role role);
/* Finds out who asks: role, who, user and csrf of the call. */
MUST_CHECK bool api_logon(struct api_call *c);
MUST_CHECK bool api_logon_local(struct api_call *c);
MUST_CHECK bool api_logon_user(struct api_call *c, const struct user *u);
/* kind: for the log. *u in the request's arena. */
MUST_CHECK bool api_logon_password(struct api_call *c, const char *kind, const char *name,
                                   const char *password, struct user *u);
void api_token_hash(const char *token, char hash[65]);

/* web_session.c */
enum api_session_found { SESSION_NONE, SESSION_GOOD, SESSION_ANSWERED };
struct api_web *api_web_new(void);
void api_web_free(struct api_web *w);
enum api_session_found api_session_find(struct api_call *c);
/* Sets csrf and the cookie of the answer. */
MUST_CHECK bool api_session_begin(struct api_call *c, const struct user *u, struct err *err);
void api_session_drop(struct api_call *c);
void api_session_cookie_gone(struct api_call *c);

/* answer.c. All answer exactly once. */
void api_json(struct api_call *c, int status, struct json_out root); /* root is taken */
void api_error(struct api_call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The status that fits *err, with its text. */
void api_fail(struct api_call *c, const struct err *err);
struct json_out api_problems(const struct config_problems *ps);
/* The same with the problems. */
void api_fail_problems(struct api_call *c, const struct err *err,
                       const struct config_problems *ps);
/* A number of the path or the query. False: api_error was called. */
MUST_CHECK bool api_number(struct api_call *c, const char *what, const char *text, int64_t min,
                           int64_t max, int64_t *out);
/* The last resort when an answer under way cannot be finished: the client must see it cut. */
void api_cut(struct api_call *c);

/* components.c: a component's text for who asks: secrets are hidden below the role admin, or when the
 * query says masked. NULL: answered already. */
const char *api_shown_text(struct api_call *c, const char *text);
/* components.c: the whole body, at most CONFIG_TEXT_MAX octets, ended by NUL. Given: free(). NULL:
 * answered already. */
uint8_t *api_body(struct api_call *c, size_t *n);

/* A time of the query; *ms stays when it is missing. False: answered already. */
MUST_CHECK bool api_query_time(struct api_call *c, const char *name, int64_t *ms);
/* certificates.c: the body as a JSON object, an empty one when it is empty. NULL: answered
 * already. Given: api_wipe, which takes its texts from memory, too. */
json_t *api_read_object(struct api_call *c);
void api_wipe(json_t *v);
const char *api_text_of(const json_t *v, const char *key); /* NULL when missing */
/* users.c: writes a line of the audit log, before it is done. False: answered already. */
MUST_CHECK bool api_audit(struct api_call *c, const char *what);
/* Whether the request's method is one that changes something. */
bool api_changes(const struct http_request *r);

/* Families. */
api_handler api_openapi, api_settings, api_versions, api_version, api_diff;
api_handler api_alert_test; /* alerts.c */
api_handler api_overview;   /* overview.c */
api_handler api_health, api_ready, api_metrics, api_runtime, api_reload, api_stop_runtime;
api_handler api_apply, api_check, api_components, api_component;
api_handler api_component_put, api_component_delete;
api_handler api_components_schema; /* components_schema.c */
api_handler api_certificates, api_certificate_import, api_certificate_export;
api_handler api_listeners, api_listener_do;
api_handler api_documents, api_document, api_document_do, api_receipts, api_jobs;
api_handler api_resend, api_document_octets, api_send;
api_handler api_users, api_user_add, api_user_password, api_user_role, api_user_delete;
api_handler api_tokens, api_token_add, api_token_delete, api_audit_lines;
api_handler api_session, api_session_post, api_session_delete, api_session_password;
api_handler api_exchange, api_exchange_pending, api_trust_list; /* exchange.c */
api_handler api_backup;                                         /* backup.c */
api_handler api_log, api_log_set;                               /* log.c */
api_handler api_one_session, api_sessions, api_partner_call, api_partner_test, api_trace;

/* users.c: who asks, as the API tells it. */
struct json_out api_session_tell(const struct api_call *c);
/* console.c: whether a path is the web console's, and what serves it. */
bool api_console_path(const char *path);
api_handler api_console;

#endif
