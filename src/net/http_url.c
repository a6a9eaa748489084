#include "net/http_int.h"

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
