/* Which request goes where, and who may make it. docs/api.md has the same list for readers. */
#include "api/api_int.h"
#include "net/log.h"

#include <stdio.h>

static const struct api_route {
    const char *method, *pattern;
    api_handler *run;
    enum api_role role; /* at least; ROLE_NONE: asks for no log-on */
} routes[] = {
    { "GET", "/healthz", api_health, ROLE_NONE },
    { "GET", "/readyz", api_ready, ROLE_NONE },
    { "GET", "/metrics", api_metrics, ROLE_VIEWER },
    { "GET", "/api/v1/runtime", api_runtime, ROLE_VIEWER },
    { "POST", "/api/v1/reload", api_reload, ROLE_ADMIN },
    { "POST", "/api/v1/backup", api_backup, ROLE_ADMIN },
    { "POST", "/api/v1/stop", api_stop_runtime, ROLE_ADMIN },
    { "POST", "/api/v1/components", api_apply, ROLE_ADMIN },
    { "GET", "/api/v1/components", api_components, ROLE_VIEWER },
    { "GET", "/api/v1/components/*/*", api_component, ROLE_VIEWER },
    { "DELETE", "/api/v1/components/*/*", api_component_delete, ROLE_ADMIN },
    { "GET", "/api/v1/certificates", api_certificates, ROLE_VIEWER },
    { "POST", "/api/v1/certificates/*/import", api_certificate_import, ROLE_ADMIN },
    { "POST", "/api/v1/certificates/*/export", api_certificate_export, ROLE_ADMIN },
    { "GET", "/api/v1/listeners", api_listeners, ROLE_VIEWER },
    { "POST", "/api/v1/listeners/*/*", api_listener_do, ROLE_OPERATOR },
    { "GET", "/api/v1/documents", api_documents, ROLE_VIEWER },
    { "POST", "/api/v1/documents", api_send, ROLE_OPERATOR },
    { "GET", "/api/v1/documents/*", api_document, ROLE_VIEWER },
    { "GET", "/api/v1/documents/*/*", api_document_octets, ROLE_VIEWER },
    { "POST", "/api/v1/documents/*/*", api_document_do, ROLE_OPERATOR },
    { "GET", "/api/v1/receipts", api_receipts, ROLE_VIEWER },
    { "GET", "/api/v1/jobs", api_jobs, ROLE_VIEWER },
    { "GET", "/api/v1/sessions", api_sessions, ROLE_VIEWER },
    { "POST", "/api/v1/partners/*/call", api_partner_call, ROLE_OPERATOR },
    { "POST", "/api/v1/partners/*/test", api_partner_test, ROLE_OPERATOR },
    { "POST", "/api/v1/partners/*/certificates", api_exchange, ROLE_OPERATOR },
    { "POST", "/api/v1/trust-lists/*", api_trust_list, ROLE_ADMIN },
    { "GET", "/api/v1/exchange", api_exchange_pending, ROLE_VIEWER },
    { "GET", "/api/v1/session", api_session, ROLE_VIEWER },
    { "POST", "/api/v1/session", api_session_post, ROLE_NONE },
    { "DELETE", "/api/v1/session", api_session_delete, ROLE_VIEWER },
    { "POST", "/api/v1/session/password", api_session_password, ROLE_VIEWER },
    { "GET", "/api/v1/users", api_users, ROLE_ADMIN },
    { "POST", "/api/v1/users", api_user_add, ROLE_ADMIN },
    { "POST", "/api/v1/users/*/password", api_user_password, ROLE_ADMIN },
    { "POST", "/api/v1/users/*/role", api_user_role, ROLE_ADMIN },
    { "DELETE", "/api/v1/users/*", api_user_delete, ROLE_ADMIN },
    { "GET", "/api/v1/tokens", api_tokens, ROLE_ADMIN },
    { "POST", "/api/v1/tokens", api_token_add, ROLE_ADMIN },
    { "DELETE", "/api/v1/tokens/*", api_token_delete, ROLE_ADMIN },
    { "GET", "/api/v1/audit", api_audit_lines, ROLE_VIEWER },
    { "GET", "/api/v1/trace", api_trace, ROLE_OPERATOR },
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

bool api_changes(const struct http_request *r)
{
    return strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0;
}

/* What a browser says of where a request comes from: no page but our own may change anything,
 * whatever the browser sends along by itself. */
static bool foreign(struct http_request *r)
{
    const char *site = http_header(r, "Sec-Fetch-Site");

    return api_changes(r) && site != NULL && strcmp(site, "same-origin") != 0 &&
           strcmp(site, "none") != 0;
}

static void refuse(struct api_call *c, const char *why, const char *text)
{
    log_event(LOG_WARN, "api.refused", "peer", c->r->peer, "why", why, "who", c->who, "method",
              c->r->method, "path", c->r->path, NULL);
    api_error(c, 403, "%s", text);
}

/* False: answered already. */
static bool allowed(struct api_call *c, const struct api_route *route)
{
    /* a path that leads nowhere is told only to those who may know */
    enum api_role needed = route != NULL ? route->role : ROLE_VIEWER;

    if (!c->conn->local && !c->api->tls && !api_host_is_loopback(http_header(c->r, "Host"))) {
        refuse(c, "host", "the Host header must be the loopback address of admin.listen");
        return false;
    }
    if (!c->conn->local && foreign(c->r)) {
        refuse(c, "site", "another site's page may not change anything here");
        return false;
    }
    if (needed == ROLE_NONE && !c->conn->local) {
        c->who = arena_printf(&c->r->arena, "anybody from %s", c->r->address);
        return true;
    }
    if (!api_logon(c))
        return false;
    if (c->role >= needed)
        return true;
    refuse(c, "role",
           arena_printf(&c->r->arena, "this takes the role %s, and %s is %s",
                        api_role_name(needed), c->who, api_role_name(c->role)));
    return false;
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

    c.store = gateway_store(c.gateway);
    if (!allowed(&c, route))
        return;
    if (route == NULL) {
        if (other != NULL)
            api_error(&c, 405, "%s does not take %s, but %s", r->path, r->method, other);
        else
            api_error(&c, 404, "there is no %s; docs/api.md lists what is", r->path);
        return;
    }
    log_event(LOG_DEBUG, "api.request", "peer", r->peer, "who", c.who, "method", r->method,
              "path", r->path, "query", r->query, NULL);
    route->run(&c);
}
