/* Calling HTTP servers, by libcurl. Redirects are not followed: where a document goes is
 * configured, not told by peers. */
#include "net/http_client_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum {
    CONNECT_MS = 30 * 1000,
    RETRY_AFTER_MAX_S = 24 * 60 * 60, /* what a server may ask us to wait */
};

/* ---- options ---------------------------------------------------------------------------- */

static bool names(const struct http_call *call, const char *header)
{
    size_t n = strlen(header);

    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        if (strncasecmp(call->headers[i], header, n) == 0 && call->headers[i][n] == ':')
            return true;
    }
    return false;
}

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);

    if (more == NULL)
        return false;
    *list = more;
    return true;
}

/* RFC 9110 5.5 */
static bool is_clean(const char *line)
{
    for (; *line != '\0'; line++) {
        if (((unsigned char)*line < 0x20 && *line != '\t') || *line == 0x7f)
            return false;
    }
    return true;
}

/* Without the two of ours libcurl would send a form's type, and wait a second for peers that
 * never heard of 100 Continue. */
static bool header_list(const struct http_call *call, struct curl_slist **list, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && call->headers != NULL && call->headers[i] != NULL; i++) {
        if (!is_clean(call->headers[i]))
            return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER,
                        "a header field to be sent has a control character: %.40s",
                        call->headers[i]);
        ok = add(list, call->headers[i]);
    }
    if (ok && !names(call, "Expect"))
        ok = add(list, "Expect:");
    if (ok && !names(call, "Content-Type"))
        ok = add(list, "Content-Type:");
    if (ok && call->read != NULL && call->read_length == UINT64_MAX)
        ok = add(list, "Transfer-Encoding: chunked");
    return ok || FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out");
}

static bool is_loopback(const char *url)
{
    static const char *const fronts[] = {
        "http://127.",  "http://localhost",  "http://[::1]",
        "https://127.", "https://localhost", "https://[::1]"
    };

    for (size_t i = 0; i < COUNT_OF(fronts); i++) {
        if (strncasecmp(url, fronts[i], strlen(fronts[i])) == 0)
            return true;
    }
    return false;
}

/* curl_easy_setopt fails only for want of memory, or for what this libcurl was built without. */
#define SET(option, value) ok = ok && curl_easy_setopt(h, (option), (value)) == CURLE_OK

static long limit_ms(uint64_t ms)
{
    return ms < INT32_MAX ? (long)ms : INT32_MAX;
}

static bool set_method(CURL *h, struct http_transfer *t)
{
    const struct http_call *call = t->call;
    uint64_t length = call->read != NULL ? call->read_length : call->body.n;
    bool get = strcmp(call->method, "GET") == 0, head = strcmp(call->method, "HEAD") == 0;
    bool bodyless = get || head || strcmp(call->method, "DELETE") == 0;
    bool ok = true;

    if (head) {
        SET(CURLOPT_NOBODY, 1L);
        return ok;
    }
    if (call->read == NULL && call->body.n == 0 && bodyless) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE,
            length == UINT64_MAX ? (curl_off_t)-1 : (curl_off_t)length);
        SET(CURLOPT_FRESH_CONNECT, call->read != NULL && call->rewind == NULL ? 1L : 0L);
    }
    SET(CURLOPT_CUSTOMREQUEST, call->method);
    return ok;
}

static bool set_security(CURL *h, const struct http_call *call)
{
    bool ok = true;

    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, call->any_host_name ? 0L : 2L);
    if (call->trust != NULL) { /* and nobody else */
        SET(CURLOPT_CAINFO, NULL);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (call->user != NULL) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, call->user);
        SET(CURLOPT_PASSWORD, call->password != NULL ? call->password : "");
    }
    if (call->unix_socket != NULL)
        SET(CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    if (call->unix_socket != NULL || (call->proxy == NULL && is_loopback(call->url))) {
        SET(CURLOPT_PROXY, ""); /* what stays on this machine is for no proxy */
    } else if (call->proxy != NULL) {
        SET(CURLOPT_PROXY, call->proxy);
        SET(CURLOPT_NOPROXY, ""); /* what was configured counts, not the environment */
    }
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return ok;
}

static bool set_options(CURL *h, struct http_transfer *t, struct curl_slist *headers, char *why)
{
    const struct http_call *call = t->call;
    bool ok = true;

    SET(CURLOPT_ERRORBUFFER, why);
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "waybill/" WAYBILL_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        limit_ms(call->connect_ms > 0 ? call->connect_ms : CONNECT_MS));
    SET(CURLOPT_TIMEOUT_MS, limit_ms(call->timeout_ms));
    SET(CURLOPT_TCP_KEEPALIVE, 1L); /* a peer that is gone ends even a call without limit */
    /* only for speed: libcurl refuses them now and then, after a call that never began */
    (void)curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 128L * 1024);
    (void)curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 128L * 1024);
    return ok && http_transfer_set(h, t) && set_security(h, call) && set_method(h, t);
}

#undef SET

/* ---- before the call -------------------------------------------------------------------- */

bool http_url_public(const struct http_url *url, struct err *err)
{
    struct addrinfo numeric = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *list = NULL;
    bool ok = true;

    if (url->port < 1024 && url->port != 80 && url->port != 443)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_FORBIDDEN,
                    "port %u is none of HTTP's, and below 1024", (unsigned)url->port);
    if (getaddrinfo(url->host, NULL, &numeric, &list) == 0) {
        ok = net_address_public(list->ai_addr);
        freeaddrinfo(list);
    }
    return ok || FAIL(err, FAIL_LOCAL, HTTP_FAIL_FORBIDDEN,
                      "its address %s is none of the public Internet, where only those may be "
                      "called",
                      url->host);
}

static bool check_public(const struct http_call *call, struct arena *a, struct err *err)
{
    struct http_url url;

    if (!http_url_check(call->url, a, &url, err)) {
        err->kind = FAIL_LOCAL;
        err->wire = HTTP_FAIL_FORBIDDEN;
        return false;
    }
    return http_url_public(&url, err);
}

static bool check_call(const struct http_call *call, struct arena *a, struct err *err)
{
    bool https = strncasecmp(call->url, "https:", 6) == 0;
    bool plain_proxy = call->proxy == NULL || strstr(call->proxy, "://") == NULL ||
                       strncasecmp(call->proxy, "http:", 5) == 0;

    if (call->user != NULL && !https && !call->clear_credentials && call->unix_socket == NULL)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER,
                    "credentials are not sent over http: use https, or allow it");
    if (!plain_proxy) /* our certificate and trust would be used for it, too */
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "a proxy's URL begins with http://");
    return !call->public_only || check_public(call, a, err);
}

/* ---- the answer ------------------------------------------------------------------------- */

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->fields_n; i++) {
        if (strcasecmp(reply->fields[i].name, name) == 0)
            return reply->fields[i].value;
    }
    return NULL;
}

int64_t http_retry_after(const char *value, int64_t now_s, int64_t cap_s)
{
    int64_t s = 0;

    if (value == NULL || *value == '\0')
        return -1;
    if (value[strspn(value, "0123456789")] == '\0') {
        for (; *value != '\0' && s < cap_s; value++)
            s = s > INT64_MAX / 10 - 10 ? INT64_MAX : s * 10 + (*value - '0');
    } else {
        time_t at = isalpha((unsigned char)*value) ? curl_getdate(value, NULL) : -1;

        if (at == -1)
            return -1;
        s = at > now_s ? at - now_s : 0;
    }
    return s < cap_s ? s : cap_s;
}

static bool keep_reply(CURL *h, const struct http_transfer *t, struct arena *a,
                       struct http_reply *reply, struct err *err)
{
    struct http_reply r = { .cut = t->cut };
    long status = 0;
    const char *redirect = NULL, *address = NULL;
    char *body = arena_copy(a, span_of(t->got.p, t->got.n));

    if (!http_reply_fields(t, a, r.fields, &r.fields_n, err))
        return false;
    (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(h, CURLINFO_REDIRECT_URL, &redirect);
    (void)curl_easy_getinfo(h, CURLINFO_PRIMARY_IP, &address);
    r.status = (int)status;
    r.body = span_of(body, t->got.n);
    r.content_type = http_reply_header(&r, "Content-Type");
    if (r.content_type == NULL)
        r.content_type = "";
    r.redirect_url = arena_text(a, redirect);
    r.address = arena_text(a, address != NULL ? address : "");
    r.retry_after_s = http_retry_after(http_reply_header(&r, "Retry-After"),
                                       net_wall_ms() / 1000, RETRY_AFTER_MAX_S);
    if (body == NULL || r.address == NULL || (redirect != NULL && r.redirect_url == NULL))
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out");
    *reply = r;
    return true;
}

/* ---- the call --------------------------------------------------------------------------- */

static bool run(CURL *h, struct http_transfer *t, struct arena *a, struct http_reply *reply,
                struct err *err)
{
    struct curl_slist *headers = NULL;
    char why[CURL_ERROR_SIZE] = "";
    CURLcode code;
    bool ok = false;

    curl_easy_reset(h); /* keeps the open connections */
    if (!header_list(t->call, &headers, err))
        goto out;
    if (!set_options(h, t, headers, why)) {
        FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out, or libcurl lacks what we need");
        goto out;
    }
    code = curl_easy_perform(h);
    if (code != CURLE_OK && !t->cut)
        (void)http_transfer_explain(t, code, why[0] != '\0' ? why : curl_easy_strerror(code),
                                    err);
    else if (!t->head_ended) /* which libcurl takes for whole when the connection was closed */
        (void)FAIL(err, FAIL_AGAIN, HTTP_FAIL_LOST,
                   "the connection was closed within the head of the answer");
    else
        ok = keep_reply(h, t, a, reply, err);
out:
    curl_easy_reset(h); /* the pointers in it die here */
    curl_slist_free_all(headers);
    return ok;
}

bool http_call(const struct http_call *call, struct arena *a, struct http_reply *reply,
               struct err *err)
{
    struct http_transfer t = { .call = call, .body = call->body };
    struct http_handle handle;
    bool ok;

    if (!check_call(call, a, err))
        return err_context(err, "%s %s", call->method, call->url);
    if (!http_pool_take(call, &handle))
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "libcurl cannot be set up");
    t.given_all = call->read == NULL && call->body.n == 0;
    ok = run(handle.h, &t, a, reply, err);
    http_pool_give(&handle);
    free(t.got.p);
    free(t.head.p);
    return ok;
}
