/* Calling HTTP servers, by libcurl. One handle per thread keeps connections open between
 * calls. Redirects are not followed: where a document goes is configured, not told by peers. */
#include "net/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ANSWER_MAX = 16 * 1024 * 1024, /* octets collected when the caller names no limit */
    CONNECT_MS = 30 * 1000,
};

struct call {
    const struct http_call *call;
    struct span body; /* what is left of it */
    bool read_failed, write_stopped, too_long, memory_out;
    uint8_t *got; /* the answer collected so far */
    size_t got_n, got_cap;
};

/* ---- the handle ------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool ready;

static void handle_free(void *handle)
{
    curl_easy_cleanup(handle);
}

static void set_up(void)
{
    ready = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK &&
            pthread_key_create(&key, handle_free) == 0;
}

static CURL *handle_of_thread(void)
{
    CURL *h;

    (void)pthread_once(&once, set_up);
    if (!ready)
        return NULL;
    h = pthread_getspecific(key);
    if (h == NULL) {
        h = curl_easy_init();
        if (h != NULL && pthread_setspecific(key, h) != 0) {
            curl_easy_cleanup(h);
            h = NULL;
        }
    }
    return h;
}

/* ---- octets ----------------------------------------------------------------------------- */

static size_t give(char *p, size_t size, size_t n, void *context)
{
    struct call *c = context;
    size_t room = size * n, got = 0;

    if (c->call->read != NULL) {
        if (c->call->read(c->call->read_context, (struct room) { (uint8_t *)p, room }, &got))
            return got;
        c->read_failed = true;
        return CURL_READFUNC_ABORT;
    }
    got = c->body.n < room ? c->body.n : room;
    if (got > 0)
        memcpy(p, c->body.p, got);
    span_skip(&c->body, got);
    return got;
}

/* A kept connection may turn out to be closed only when the body is on its way. */
static int rewind_body(void *context, curl_off_t at, int origin)
{
    struct call *c = context;

    if (c->call->read != NULL || origin != SEEK_SET || at < 0 || (size_t)at > c->call->body.n)
        return CURL_SEEKFUNC_FAIL;
    c->body = c->call->body;
    span_skip(&c->body, (size_t)at);
    return CURL_SEEKFUNC_OK;
}

static bool collect(struct call *c, const char *p, size_t n)
{
    size_t max = c->call->answer_max > 0 ? c->call->answer_max : ANSWER_MAX;

    if (n > max - c->got_n) {
        c->too_long = true;
        return false;
    }
    if (n > c->got_cap - c->got_n) {
        size_t cap = c->got_cap * 2 > c->got_n + n ? c->got_cap * 2 : c->got_n + n;
        uint8_t *more = realloc(c->got, cap);

        if (more == NULL) {
            c->memory_out = true;
            return false;
        }
        c->got = more;
        c->got_cap = cap;
    }
    memcpy(c->got + c->got_n, p, n);
    c->got_n += n;
    return true;
}

static size_t take(char *p, size_t size, size_t n, void *context)
{
    struct call *c = context;

    n *= size;
    if (n == 0)
        return 0;
    if (c->call->write == NULL)
        return collect(c, p, n) ? n : 0;
    if (c->call->write(c->call->write_context, span_of(p, n)))
        return n;
    c->write_stopped = true;
    return 0;
}

static int progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                    curl_off_t up)
{
    const struct call *c = context;

    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return c->call->stop(c->call->stop_context);
}

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

/* Without these libcurl would send a form's type, and wait a second for peers that never
 * heard of 100 Continue. */
static bool header_list(const struct http_call *call, bool chunked, struct curl_slist **list)
{
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        if (!add(list, call->headers[i]))
            return false;
    }
    if (!names(call, "Expect") && !add(list, "Expect:"))
        return false;
    if (!names(call, "Content-Type") && !add(list, "Content-Type:"))
        return false;
    return !chunked || add(list, "Transfer-Encoding: chunked");
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

static bool set_method(CURL *h, struct call *c)
{
    const struct http_call *call = c->call;
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
        SET(CURLOPT_READFUNCTION, give);
        SET(CURLOPT_READDATA, c);
        SET(CURLOPT_SEEKFUNCTION, rewind_body);
        SET(CURLOPT_SEEKDATA, c);
        SET(CURLOPT_POSTFIELDSIZE_LARGE,
            length == UINT64_MAX ? (curl_off_t)-1 : (curl_off_t)length);
        /* what a function gave cannot be given again */
        SET(CURLOPT_FRESH_CONNECT, call->read != NULL ? 1L : 0L);
    }
    SET(CURLOPT_CUSTOMREQUEST, call->method);
    return ok;
}

static bool set_options(CURL *h, struct call *c, struct curl_slist *headers, char *why)
{
    const struct http_call *call = c->call;
    bool ok = true;

    SET(CURLOPT_ERRORBUFFER, why);
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "waybill/" WAYBILL_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_WRITEDATA, c);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, call->timeout_ms < INT32_MAX ? (long)call->timeout_ms : INT32_MAX);
    SET(CURLOPT_TCP_KEEPALIVE, 1L); /* a peer that is gone ends even a call without limit */
    if (call->stop != NULL) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, progress);
        SET(CURLOPT_XFERINFODATA, c);
    }
    if (call->unix_socket != NULL)
        SET(CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    if (call->unix_socket != NULL || is_loopback(call->url))
        SET(CURLOPT_PROXY, ""); /* what stays on this machine is for no proxy */
    /* only for speed: libcurl refuses them now and then, after a call that never began */
    (void)curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 128L * 1024);
    (void)curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 128L * 1024);
    return ok && set_method(h, c);
}

#undef SET

/* ---- the call --------------------------------------------------------------------------- */

static bool explain(const struct call *c, CURLcode code, const char *why, struct err *err)
{
    const struct http_call *call = c->call;

    if (c->read_failed)
        return FAIL(err, FAIL_LOCAL, 0, "%s %s: the body could not be read", call->method,
                    call->url);
    if (c->write_stopped)
        return FAIL(err, FAIL_LOCAL, 0, "%s %s: the answer was not taken to its end",
                    call->method, call->url);
    if (c->too_long)
        return FAIL(err, FAIL_PEER, 0, "%s %s: the answer has more than %zu octets",
                    call->method, call->url,
                    call->answer_max > 0 ? call->answer_max : (size_t)ANSWER_MAX);
    if (c->memory_out || code == CURLE_OUT_OF_MEMORY)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return FAIL(err, FAIL_LOCAL, 0, "'%s' is no URL that can be called: %s", call->url,
                    why);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM)
        return FAIL(err, FAIL_TRUST, 0, "%s %s: %s", call->method, call->url, why);
    return FAIL(err, FAIL_AGAIN, 0, "%s %s: %s", call->method, call->url, why);
}

static bool keep_reply(CURL *h, const struct call *c, struct arena *a, struct http_reply *reply,
                       struct err *err)
{
    long status = 0;
    const char *type = NULL;
    char *body = arena_copy(a, span_of(c->got, c->got_n));

    (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(h, CURLINFO_CONTENT_TYPE, &type);
    type = arena_text(a, type != NULL ? type : "");
    if (body == NULL || type == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    reply->status = (int)status;
    reply->body = span_of(body, c->got_n);
    reply->content_type = type;
    return true;
}

bool http_call(const struct http_call *call, struct arena *a, struct http_reply *reply,
               struct err *err)
{
    struct call c = { .call = call, .body = call->body };
    struct curl_slist *headers = NULL;
    char why[CURL_ERROR_SIZE] = "";
    CURL *h = handle_of_thread();
    CURLcode code;
    bool ok = false;

    if (h == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "libcurl cannot be set up");
    curl_easy_reset(h); /* keeps the open connections */
    if (!header_list(call, call->read != NULL && call->read_length == UINT64_MAX, &headers) ||
        !set_options(h, &c, headers, why)) {
        FAIL(err, FAIL_LOCAL, 0, "%s %s: memory is out, or libcurl lacks what we need",
             call->method, call->url);
        goto out;
    }
    code = curl_easy_perform(h);
    if (code != CURLE_OK)
        explain(&c, code, why[0] != '\0' ? why : curl_easy_strerror(code), err);
    else
        ok = keep_reply(h, &c, a, reply, err);
out:
    curl_easy_reset(h); /* the pointers in it die here */
    curl_slist_free_all(headers);
    free(c.got);
    return ok;
}
