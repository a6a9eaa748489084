/* Which request goes where, and who may make it. docs/api.md has the same list for readers. */
#include "api/api_int.h"
#include "net/log.h"

#include <stdio.h>
#include <sys/socket.h>

static const struct api_route {
    const char *method, *pattern;
    api_handler *run;
    bool open; /* no token needed: tells nothing but "ok" */
} routes[] = {
    { "GET", "/healthz", api_health, true },
    { "GET", "/readyz", api_ready, true },
    { "GET", "/metrics", api_metrics, false },
    { "GET", "/api/v1/runtime", api_runtime, false },
    { "POST", "/api/v1/reload", api_reload, false },
    { "POST", "/api/v1/stop", api_stop_runtime, false },
    { "POST", "/api/v1/components", api_apply, false },
    { "GET", "/api/v1/components", api_components, false },
    { "GET", "/api/v1/components/*/*", api_component, false },
    { "DELETE", "/api/v1/components/*/*", api_component_delete, false },
    { "GET", "/api/v1/certificates", api_certificates, false },
    { "POST", "/api/v1/certificates/*/import", api_certificate_import, false },
    { "POST", "/api/v1/certificates/*/export", api_certificate_export, false },
    { "GET", "/api/v1/listeners", api_listeners, false },
    { "POST", "/api/v1/listeners/*/*", api_listener_do, false },
    { "GET", "/api/v1/documents", api_documents, false },
    { "POST", "/api/v1/documents", api_send, false },
    { "GET", "/api/v1/documents/*", api_document, false },
    { "GET", "/api/v1/documents/*/*", api_document_octets, false },
    { "POST", "/api/v1/documents/*/*", api_document_do, false },
    { "GET", "/api/v1/receipts", api_receipts, false },
    { "GET", "/api/v1/jobs", api_jobs, false },
    { "GET", "/api/v1/sessions", api_sessions, false },
    { "POST", "/api/v1/partners/*/call", api_partner_call, false },
    { "POST", "/api/v1/partners/*/test", api_partner_test, false },
    { "POST", "/api/v1/partners/*/certificates", api_exchange, false },
    { "POST", "/api/v1/trust-lists/*", api_trust_list, false },
    { "GET", "/api/v1/exchange", api_exchange_pending, false },
    { "GET", "/api/v1/trace", api_trace, false },
};

bool api_path_match(const char *pattern, const char *path, struct arena *a,
                    const char *arg[API_ARGS_MAX])
{
    size_t found = 0;

    while (*pattern != '\0' && *path != '\0') {
        size_t n = strcspn(path, "/");

        if (*pattern != '*') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        if (n == 0 || found == API_ARGS_MAX)
            return false;
        arg[found++] = arena_copy(a, span_of(path, n));
        if (arg[found - 1] == NULL)
            return false;
        pattern++;
        path += n;
    }
    return *pattern == '\0' && *path == '\0';
}

/* The route; NULL: none. *other: some other method of the same path. */
static const struct api_route *find(struct http_request *r, const char *arg[API_ARGS_MAX],
                                    const char **other)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!api_path_match(routes[i].pattern, r->path, &r->arena, arg))
            continue;
        if (strcmp(routes[i].method, r->method) == 0)
            return &routes[i];
        *other = routes[i].method;
    }
    return NULL;
}

/* Whoever asks, for the audit log. */
static const char *who(const struct api_conn *conn, struct arena *a)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);
    const char *text = NULL;

    if (!conn->local)
        return "api";
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
        text = arena_printf(a, "command, uid %u", (unsigned)cred.uid);
    return text != NULL ? text : "command";
}

/* False: answered already. */
static bool allowed(struct api_call *c, const struct api_route *route)
{
    struct http_request *r = c->r;

    if (c->conn->local)
        return true;
    if (!api_host_is_loopback(http_header(r, "Host"))) {
        log_event(LOG_WARN, "api.refused", "peer", r->peer, "why", "host", "host",
                  http_header(r, "Host"), NULL);
        api_error(c, 403, "the Host header must be the loopback address of admin.listen");
        return false;
    }
    /* a path that leads nowhere is told only to those who may know */
    if (route != NULL && route->open)
        return true;
    if (!api_token_fits(c->api->token, http_header(r, "Authorization"))) {
        log_event(LOG_WARN, "api.refused", "peer", r->peer, "why", "token", "path", r->path,
                  NULL);
        api_error(c, 401,
                  "send 'Authorization: Bearer TOKEN' with the content of admin.token in the "
                  "data directory");
        return false;
    }
    return true;
}

void api_dispatch(void *context, struct http_request *r)
{
    struct api_conn *conn = context;
    struct api_call c = {
        .api = conn->api,
        .conn = conn,
        .gateway = conn->api->gateway,
        .r = r,
    };
    const char *other = NULL;
    const struct api_route *route = find(r, c.arg, &other);

    if (!allowed(&c, route))
        return;
    if (route == NULL) {
        if (other != NULL)
            api_error(&c, 405, "%s does not take %s, but %s", r->path, r->method, other);
        else
            api_error(&c, 404, "there is no %s; docs/api.md lists what is", r->path);
        return;
    }
    c.store = gateway_store(c.gateway);
    c.who = who(conn, &r->arena);
    log_event(LOG_DEBUG, "api.request", "peer", r->peer, "who", c.who, "method", r->method,
              "path", r->path, "query", r->query, NULL);
    route->run(&c);
}
