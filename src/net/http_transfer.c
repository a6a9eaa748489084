/* What libcurl calls during a call: octets, time, addresses, certificates. */
#include "net/conn_int.h"
#include "net/http_client_int.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* ---- the body --------------------------------------------------------------------------- */

static size_t give(char *p, size_t size, size_t n, void *context)
{
    struct http_transfer *t = context;
    size_t room = size * n, got = 0;

    if (t->call->read == NULL) {
        got = t->body.n < room ? t->body.n : room;
        if (got > 0)
            memcpy(p, t->body.p, got);
        span_skip(&t->body, got);
        t->given_all = t->body.n == 0;
    } else if (!t->call->read(t->call->read_context, (struct room) { (uint8_t *)p, room },
                              &got)) {
        t->read_failed = true;
        return CURL_READFUNC_ABORT;
    } else {
        t->given_all = got == 0 || t->given + got == t->call->read_length;
    }
    t->given += got;
    return got;
}

/* A kept connection may turn out to be closed only when the body is on its way. */
static int rewind_body(void *context, curl_off_t at, int origin)
{
    struct http_transfer *t = context;

    if (origin != SEEK_SET || at != 0)
        return CURL_SEEKFUNC_FAIL;
    if (t->call->read != NULL &&
        (t->call->rewind == NULL || !t->call->rewind(t->call->read_context)))
        return CURL_SEEKFUNC_FAIL;
    t->body = t->call->body;
    t->given = 0;
    t->given_all = false;
    return CURL_SEEKFUNC_OK;
}

/* ---- the answer ------------------------------------------------------------------------- */

static bool append(struct octets *o, const char *p, size_t n)
{
    if (n == 0)
        return true;
    if (n > o->cap - o->n) {
        size_t cap = o->cap * 2 > o->n + n ? o->cap * 2 : o->n + n;
        uint8_t *more = realloc(o->p, cap);

        if (more == NULL)
            return false;
        o->p = more;
        o->cap = cap;
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
    return true;
}

static bool collect(struct http_transfer *t, const char *p, size_t n)
{
    size_t max = t->call->answer_max > 0 ? t->call->answer_max : HTTP_ANSWER_MAX;
    bool over = n > max - t->got.n;

    if (over && !t->call->answer_cut) {
        t->body_too_long = true;
        return false;
    }
    if (!append(&t->got, p, over ? max - t->got.n : n)) {
        t->memory_out = true;
        return false;
    }
    t->cut = over;
    return !over;
}

static size_t take(char *p, size_t size, size_t n, void *context)
{
    struct http_transfer *t = context;

    n *= size;
    if (n == 0)
        return 0;
    if (t->call->write == NULL)
        return collect(t, p, n) ? n : 0;
    if (t->call->write(t->call->write_context, span_of(p, n)))
        return n;
    t->write_stopped = true;
    return 0;
}

/* Line by line; those of 1xx answers (RFC 9110 15.2) make way for the next head. */
static size_t take_head(char *p, size_t size, size_t n, void *context)
{
    struct http_transfer *t = context;
    bool empty;

    n *= size;
    t->moved_ms = net_now_ms();
    if (t->head_ended)
        return n;
    if (n > 5 && strncasecmp(p, "HTTP/", 5) == 0) {
        const char *digits = memchr(p, ' ', n);

        t->head.n = 0;
        t->answering = digits == NULL || digits + 1 == p + n || digits[1] != '1';
        return n;
    }
    empty = n == 0 || p[0] == '\r' || p[0] == '\n';
    t->head_ended = empty && t->answering;
    if (empty)
        return n;
    if (n > HTTP_HEAD_MAX - t->head.n) {
        t->head_too_long = true;
        return 0;
    }
    t->memory_out = !append(&t->head, p, n);
    return t->memory_out ? 0 : n;
}

/* ---- time ------------------------------------------------------------------------------- */

static bool too_silent(struct http_transfer *t, uint64_t now)
{
    bool waits = t->given_all && !t->answering;
    uint64_t limit = waits ? t->call->answer_ms : t->call->stall_ms;

    if (!t->requested || limit == 0 || now - t->moved_ms < limit)
        return false;
    t->silent_ms = now - t->moved_ms;
    t->silent = waits          ? "waiting for the answer"
                : t->answering ? "reading the answer"
                               : "sending";
    return true;
}

static int progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                    curl_off_t up)
{
    struct http_transfer *t = context;
    uint64_t now = net_now_ms();
    struct err ignored;

    (void)down_all;
    (void)up_all;
    if (up != t->up || down != t->down)
        t->moved_ms = now;
    t->up = up;
    t->down = down;
    t->stopped = net_stopped(&ignored) ||
                 (t->call->stop != NULL && t->call->stop(t->call->stop_context));
    return t->stopped || too_silent(t, now);
}

static int before_request(void *context, char *primary, char *local, int primary_port,
                          int local_port)
{
    struct http_transfer *t = context;

    (void)primary;
    (void)local;
    (void)primary_port;
    (void)local_port;
    t->requested = true;
    t->moved_ms = net_now_ms();
    return CURL_PREREQFUNC_OK;
}

/* ---- the connection --------------------------------------------------------------------- */

/* Called for each address that is tried, and for no other is a socket opened. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_transfer *t = context;
    bool proxied = t->call->proxy != NULL && t->call->proxy[0] != '\0';

    (void)purpose;
    if (t->call->public_only && !proxied && !net_address_public(&a->addr)) {
        t->forbidden = true;
        net_address_text(&a->addr, a->addrlen, t->address, sizeof(t->address));
    }
    if (t->forbidden)
        return CURL_SOCKET_BAD;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* libcurl may share its store between handles: ours must not get into it. */
static bool own_store(SSL_CTX *ctx, const struct pki_certificate *trust, struct err *err)
{
    X509_STORE *store = X509_STORE_new();

    if (store == NULL)
        return FAIL(err, FAIL_LOCAL, ENOMEM, "memory is out");
    SSL_CTX_set_cert_store(ctx, store);
    return tls_use_trust(ctx, trust, err);
}

static CURLcode prepare_tls(CURL *h, void *ctx, void *context)
{
    struct http_transfer *t = context;
    const struct http_call *call = t->call;

    (void)h;
    t->own_failed =
        (call->certificate != NULL && !tls_use_own(ctx, call->certificate, &t->own_err)) ||
        (call->trust != NULL && !own_store(ctx, call->trust, &t->own_err));
    return t->own_failed ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

/* curl_easy_setopt fails only for want of memory, or for what this libcurl was built without. */
#define SET(option, value) ok = ok && curl_easy_setopt(h, (option), (value)) == CURLE_OK

bool http_transfer_set(CURL *h, struct http_transfer *t)
{
    bool ok = true;

    SET(CURLOPT_READFUNCTION, give);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_SEEKFUNCTION, rewind_body);
    SET(CURLOPT_SEEKDATA, t);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, take_head);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, progress);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    if (t->call->certificate != NULL || t->call->trust != NULL) {
        SET(CURLOPT_SSL_CTX_FUNCTION, prepare_tls);
        SET(CURLOPT_SSL_CTX_DATA, t);
    }
    return ok;
}

#undef SET
