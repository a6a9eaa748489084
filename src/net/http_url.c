/* URLs: of requests as they come, and of servers to be called. RFC 3986. */
#include "net/http_int.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_unescape(struct span in, bool plus, char *out)
{
    while (in.n > 0) {
        uint8_t c = in.p[0];

        span_skip(&in, 1);
        if (c == '%') {
            int v = in.n < 2 || hex(in.p[0]) < 0 || hex(in.p[1]) < 0
                        ? 0
                        : hex(in.p[0]) << 4 | hex(in.p[1]);

            if (v == 0)
                return false;
            c = (uint8_t)v;
            span_skip(&in, 2);
        } else if (c == '+' && plus) {
            c = ' ';
        }
        *out++ = (char)c;
    }
    *out = '\0';
    return true;
}

bool http_split_url(const char *url, struct arena *a, const char **path, const char **query)
{
    const char *from = url, *scheme = strstr(url, "://");
    size_t n;
    char *decoded;

    if (*url != '/' && scheme != NULL) /* RFC 9112 3.2.2: as proxies get it */
        from = scheme + 3 + strcspn(scheme + 3, "/?#");
    else if (*url != '/' && strcmp(url, "*") != 0)
        return false;
    n = strcspn(from, "?#");
    decoded = arena_take(a, n + 2);
    if (decoded == NULL || !http_unescape(span_of(from, n), false, decoded))
        return false;
    if (n == 0)
        decoded[0] = '/';
    *path = decoded;
    *query = "";
    if (from[n] == '?')
        *query = arena_copy(a, span_of(from + n + 1, strcspn(from + n + 1, "#")));
    return *query != NULL;
}

const char *http_query(struct http_request *r, const char *name)
{
    const char *at = r->query;

    while (*at != '\0') {
        size_t n = strcspn(at, "&"), name_n = strcspn(at, "=&");
        char *text = arena_take(&r->arena, n + 2);
        size_t value_at = name_n < n ? name_n + 1 : n;

        if (text == NULL)
            return NULL;
        if (http_unescape(span_of(at, name_n), true, text) && strcmp(text, name) == 0)
            return http_unescape(span_of(at + value_at, n - value_at), true, text) ? text
                                                                                   : NULL;
        at += n + (at[n] == '&');
    }
    return NULL;
}

/* ---- URLs to be called ------------------------------------------------------------------ */

static bool refuse_url(struct err *err, const char *why)
{
    return FAIL(err, FAIL_PEER, 400, "the URL %s", why);
}

static bool check_text(const char *url, struct err *err)
{
    size_t n = strnlen(url, HTTP_URL_MAX + 1);

    if (n == 0 || n > HTTP_URL_MAX)
        return refuse_url(err, n == 0 ? "is empty" : "has more than 2048 characters");
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)url[i];

        if (c <= ' ' || c >= 0x7f || c == '\\')
            return refuse_url(err, "has a blank, a backslash or a character beyond ASCII");
    }
    return true;
}

/* libcurl takes any number of slashes, and does not tell an empty user. */
static bool check_authority(const char *url)
{
    const char *host = strstr(url, "://");

    if (host == NULL)
        return false;
    host += 3;
    return *host != '/' && memchr(host, '@', strcspn(host, "/?")) == NULL;
}

/* A part as libcurl, which will do the call, understands it; "" when missing. */
static const char *part(CURLU *u, CURLUPart which, struct arena *a)
{
    char *text = NULL;
    const char *copy = "";

    if (curl_url_get(u, which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        copy = arena_text(a, text);
    curl_free(text);
    return copy;
}

static const char *plain_host(const char *host, struct arena *a)
{
    size_t n = strlen(host);
    char *copy = n > 2 && host[0] == '[' ? arena_copy(a, span_of(host + 1, n - 2))
                                         : arena_copy(a, span_of(host, n));

    for (char *p = copy; p != NULL && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static bool take_parts(CURLU *u, struct arena *a, struct http_url *out, struct err *err)
{
    const char *scheme = part(u, CURLUPART_SCHEME, a), *host = part(u, CURLUPART_HOST, a);
    const char *user = part(u, CURLUPART_USER, a), *password = part(u, CURLUPART_PASSWORD, a);
    const char *port = part(u, CURLUPART_PORT, a), *path = part(u, CURLUPART_PATH, a);
    const char *query = part(u, CURLUPART_QUERY, a);

    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    out->tls = strcmp(scheme, "https") == 0;
    if (!out->tls && strcmp(scheme, "http") != 0)
        return refuse_url(err, "begins neither with http:// nor with https://");
    if (*user != '\0' || *password != '\0')
        return refuse_url(err, "has a user or a password in it");
    out->port = (uint16_t)strtoul(port, NULL, 10);
    if (*host == '\0' || out->port == 0)
        return refuse_url(err, "has no host, or port 0");
    out->host = plain_host(host, a);
    out->path = arena_printf(a, "%s%s%s", path, *query != '\0' ? "?" : "", query);
    if (out->host == NULL || out->path == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    return true;
}

bool http_url_check(const char *url, struct arena *a, struct http_url *out, struct err *err)
{
    struct http_url parts = { 0 };
    CURLU *u = curl_url();
    const char *text;
    bool ok = false;

    if (!check_text(url, err))
        goto out;
    text = arena_copy(a, span_of(url, strcspn(url, "#")));
    if (u == NULL || text == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "memory is out");
        goto out;
    }
    if (!check_authority(text) ||
        curl_url_set(u, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME) !=
            CURLUE_OK) {
        refuse_url(err, "is none, or has a user in it");
        goto out;
    }
    ok = take_parts(u, a, &parts, err);
    parts.url = text;
    if (ok)
        *out = parts;
out:
    curl_url_cleanup(u);
    return ok;
}

bool http_same_origin(const struct http_url *a, const struct http_url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}
