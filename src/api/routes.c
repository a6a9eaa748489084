/* Which request goes where, and who may make it. */
#include "api/route.h"
#include "net/log.h"

#include <stdio.h>

bool api_path_match(const char *pattern, const char *path, struct arena *a,
                    const char *arg[API_ARGS_MAX])
{
    size_t found = 0;

    while (*pattern != '\0' && *path != '\0') {
        size_t n = strcspn(path, "/");

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        if (n == 0 || found == API_ARGS_MAX)
            return false;
        arg[found++] = arena_copy(a, span_of(path, n));
        if (arg[found - 1] == NULL)
            return false;
        pattern += strcspn(pattern, "}");
        pattern += *pattern == '}';
        path += n;
    }
    return *pattern == '\0' && *path == '\0';
}

/* The methods of one path: "GET, PUT, DELETE". */
struct methods {
    char text[64]; /* there are five */
};

static void add_method(struct methods *m, const char *method)
{
    size_t n = strlen(m->text);

    if (strstr(m->text, method) == NULL)
        (void)snprintf(m->text + n, sizeof(m->text) - n, "%s%s", n == 0 ? "" : ", ", method);
}

/* The route; NULL: none. *others: the methods of the same path that there are. */
static const struct api_route *find(struct http_request *r, const char *arg[API_ARGS_MAX],
                                    struct methods *others)
{
    for (size_t i = 0; i < api_routes_n; i++) {
        if (!api_path_match(api_routes[i].pattern, r->path, &r->arena, arg))
            continue;
        if (strcmp(api_routes[i].method, r->method) == 0)
            return &api_routes[i];
        add_method(others, api_routes[i].method);
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
    enum api_role needed = route == NULL               ? ROLE_VIEWER
                           : route->role != ROLE_UNSET ? route->role
                                                       : ROLE_ADMIN;

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
    /* its files are no part of the API, and not in the OpenAPI document */
    static const struct api_route console = { .run = api_console, .role = ROLE_NONE };
    struct methods others = { "" };
    const struct api_route *route =
        api_console_path(r->path) ? &console : find(r, c.arg, &others);

    c.store = gateway_store(c.gateway);
    if (!allowed(&c, route))
        return;
    if (route == NULL) {
        if (others.text[0] != '\0') {
            c.extra = arena_printf(&r->arena, "Allow: %s\r\n", others.text);
            api_error(&c, 405, "%s does not take %s, but %s", r->path, r->method, others.text);
        } else {
            api_error(&c, 404, "there is no %s; docs/api.md lists what is", r->path);
        }
        return;
    }
    log_event(LOG_DEBUG, "api.request", "peer", r->peer, "who", c.who, "method", r->method,
              "path", r->path, "query", r->query, NULL);
    route->run(&c);
}
