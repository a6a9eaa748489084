/* Sessions of the console: a cookie that scripts cannot read, and a token that only our own page
 * can send with what changes something. Kept in memory: a restart logs everybody off. */
#include "api/api_int.h"
#include "net/log.h"
#include "store/access.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SESSIONS_MAX = 256,
    SESSION_MS = 12 * 60 * 60 * 1000, /* from log-on             */
    IDLE_MS = 60 * 60 * 1000,         /* from the last request   */
    ID_OCTETS = 32,
};

struct api_web {
    pthread_mutex_t lock;
    struct web_session {
        uint8_t hash[SHA256_DIGEST_LENGTH]; /* of the cookie */
        char user[API_NAME_MAX + 1];
        char csrf[2 * ID_OCTETS + 1];
        uint8_t password[SHA256_DIGEST_LENGTH]; /* of what was stored: a new one ends it */
        uint64_t until_ms, idle_ms;             /* net_now_ms; until 0: free */
    } list[SESSIONS_MAX];
};

struct api_web *api_web_new(void)
{
    struct api_web *w = calloc(1, sizeof(*w));

    if (w != NULL)
        pthread_mutex_init(&w->lock, NULL);
    return w;
}

void api_web_free(struct api_web *w)
{
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    OPENSSL_cleanse(w, sizeof(*w));
    free(w);
}

static void hash_of(const char *text, uint8_t hash[SHA256_DIGEST_LENGTH])
{
    (void)SHA256((const uint8_t *)text, strlen(text), hash);
}

/* The port the browser speaks to, which may be another one than ours behind a tunnel; "": none. */
static const char *port_of(const struct api_call *c)
{
    const char *host = http_header(c->r, "Host"), *colon = host ? strrchr(host, ':') : NULL;
    size_t n = colon ? strlen(colon + 1) : 0;

    return n > 0 && n <= 5 && strspn(colon + 1, "0123456789") == n ? colon + 1 : "";
}

/* Cookies are a host's, whatever the port (RFC 6265 8.5): with the port in its name the consoles of
 * two runtimes on one host, or behind two tunnels, do not end each other's sessions. A browser sends
 * a cookie whose name begins with __Host- only back to where it came from over TLS.
 * NULL: memory is out. */
static const char *cookie_name(const struct api_call *c)
{
    const char *port = port_of(c);

    return arena_printf(&c->r->arena, "%swaybill%s%s", c->r->tls[0] != '\0' ? "__Host-" : "",
                        port[0] != '\0' ? "-" : "", port);
}

/* Of the Cookie header; NULL: none. */
static const char *cookie_of(struct api_call *c)
{
    const char *p = http_header(c->r, "Cookie"), *name = cookie_name(c);
    size_t n = name != NULL ? strlen(name) : 0;

    while (p != NULL && name != NULL && *p != '\0') {
        p += strspn(p, "; ");
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            return arena_copy(&c->r->arena, span_of(p + n + 1, strcspn(p + n + 1, "; ")));
        p += strcspn(p, ";");
    }
    return NULL;
}

/* Under the lock. NULL: none. */
static struct web_session *find(struct api_web *w, const char *cookie)
{
    uint64_t now = net_now_ms();
    uint8_t hash[SHA256_DIGEST_LENGTH];

    hash_of(cookie, hash);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct web_session *s = &w->list[i];

        if (s->until_ms > now && s->idle_ms > now &&
            CRYPTO_memcmp(s->hash, hash, sizeof(hash)) == 0)
            return s;
    }
    return NULL;
}

void api_session_drop(struct api_call *c)
{
    const char *cookie = cookie_of(c);
    struct web_session *s;

    if (cookie == NULL)
        return;
    pthread_mutex_lock(&c->api->web->lock);
    s = find(c->api->web, cookie);
    if (s != NULL)
        OPENSSL_cleanse(s, sizeof(*s));
    pthread_mutex_unlock(&c->api->web->lock);
}

/* A copy of the session the request names. */
static bool take(struct api_call *c, struct web_session *out)
{
    struct api_web *w = c->api->web;
    const char *cookie = cookie_of(c);
    struct web_session *s;

    if (cookie == NULL)
        return false;
    pthread_mutex_lock(&w->lock);
    s = find(w, cookie);
    if (s != NULL) {
        s->idle_ms = net_now_ms() + IDLE_MS;
        *out = *s;
    }
    pthread_mutex_unlock(&w->lock);
    return s != NULL;
}

static bool csrf_fits(struct api_call *c, const struct web_session *s)
{
    const char *shown = http_header(c->r, "X-CSRF-Token");

    return shown != NULL && strlen(shown) == strlen(s->csrf) &&
           CRYPTO_memcmp(shown, s->csrf, strlen(s->csrf)) == 0;
}

enum api_session_found api_session_find(struct api_call *c)
{
    uint8_t password[SHA256_DIGEST_LENGTH];
    struct web_session s;
    struct user u;
    struct err err;
    bool found;

    if (!take(c, &s))
        return SESSION_NONE;
    if (!store_find_user(c->store, s.user, &c->r->arena, &u, &found, &err)) {
        api_fail(c, &err);
        return SESSION_ANSWERED;
    }
    if (found)
        hash_of(u.password, password);
    if (!found || memcmp(password, s.password, sizeof(password)) != 0) {
        api_session_drop(c);
        return SESSION_NONE;
    }
    if (api_changes(c->r) && !csrf_fits(c, &s)) {
        log_event(LOG_WARN, "api.refused", "peer", c->r->peer, "why", "csrf", "path",
                  c->r->path, NULL);
        api_error(c, 403, "send the session's csrf value as 'X-CSRF-Token'");
        return SESSION_ANSWERED;
    }
    c->csrf = arena_text(&c->r->arena, s.csrf);
    c->session_ms = net_wall_ms() + (int64_t)(s.until_ms - net_now_ms());
    return api_logon_user(c, &u) ? SESSION_GOOD : SESSION_ANSWERED;
}

/* The one that ends first makes room. */
static struct web_session *place(struct api_web *w)
{
    struct web_session *s = &w->list[0];

    for (size_t i = 1; i < SESSIONS_MAX; i++)
        if (w->list[i].until_ms < s->until_ms)
            s = &w->list[i];
    return s;
}

bool api_session_begin(struct api_call *c, const struct user *u, struct err *err)
{
    uint8_t octets[2 * ID_OCTETS];
    char cookie[2 * ID_OCTETS + 1];
    const char *name = cookie_name(c);
    struct web_session s = { .until_ms = net_now_ms() + SESSION_MS,
                             .idle_ms = net_now_ms() + IDLE_MS };

    if (RAND_bytes(octets, sizeof(octets)) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "random octets");
    api_hex(octets, ID_OCTETS, cookie);
    api_hex(octets + ID_OCTETS, ID_OCTETS, s.csrf);
    hash_of(cookie, s.hash);
    hash_of(u->password, s.password);
    (void)text_copy(s.user, sizeof(s.user), u->name);
    pthread_mutex_lock(&c->api->web->lock);
    *place(c->api->web) = s;
    pthread_mutex_unlock(&c->api->web->lock);
    c->csrf = arena_text(&c->r->arena, s.csrf);
    c->session_ms = net_wall_ms() + SESSION_MS;
    c->extra =
        name == NULL
            ? NULL
            : arena_printf(&c->r->arena,
                           "Set-Cookie: %s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"
                           "\r\n",
                           name, cookie, SESSION_MS / 1000,
                           c->r->tls[0] != '\0' ? "; Secure" : "");
    OPENSSL_cleanse(cookie, sizeof(cookie));
    return c->extra != NULL && c->csrf != NULL ? true
                                               : FAIL(err, FAIL_LOCAL, 0, "memory is out");
}

void api_session_cookie_gone(struct api_call *c)
{
    const char *name = cookie_name(c);

    c->extra = name == NULL ? NULL
                            : arena_printf(&c->r->arena,
                                           "Set-Cookie: %s=; Path=/; Max-Age=0; HttpOnly; "
                                           "SameSite=Strict%s\r\n",
                                           name, c->r->tls[0] != '\0' ? "; Secure" : "");
}
