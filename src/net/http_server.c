/* Serving: one request after the other on one connection. RFC 9110, RFC 9112. */
#include "net/http_serve_int.h"
#include "net/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    LINGER_MS = 2000,        /* for the client to read a last answer and close */
    LINGER_UNREAD_MS = 5000, /* the same when it still sends its body */
    WINDOW_MS = 60 * 1000,   /* over which the rate of a body is averaged */
};

uint64_t http_exchange_until(const struct http_exchange *x)
{
    return net_now_ms() + x->options.idle_ms;
}

/* ---- the request's body ----------------------------------------------------------------- */

static bool send_continue(struct http_exchange *x, struct err *err)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    x->parse.expects = false;
    return conn_write(x->c, span_text(line), http_exchange_until(x), err);
}

/* The octets of the body that must come in a window. 0: any number. */
static uint64_t window_need(const struct http_exchange *x, uint64_t window)
{
    uint64_t rate = x->options.body_rate;

    return rate > UINT64_MAX / window ? UINT64_MAX : (rate * window + 999) / 1000;
}

static bool refuse_body(struct http_exchange *x, int status, const char *why, struct err *err)
{
    x->parse.status = status;
    x->parse.why = why;
    return FAIL(err, FAIL_PEER, status, "the body is refused: %s", why);
}

/* Once a window is full of waiting, it must have brought enough; then the next begins. */
static bool check_rate(struct http_exchange *x, struct err *err)
{
    uint64_t window = x->options.body_window_ms > 0 ? x->options.body_window_ms : WINDOW_MS;

    if (x->window_waited < window)
        return true;
    if (x->window_n < window_need(x, window))
        return refuse_body(x, 408, "its octets come too slowly", err);
    x->window_n = x->window_waited = 0;
    return true;
}

/* Only the time spent waiting counts: the handler may be slow. */
static bool body_read(struct http_exchange *x, struct room room, size_t *n, struct err *err)
{
    uint64_t from = net_now_ms(), limit = from + x->options.idle_ms;
    uint64_t window = x->options.body_window_ms > 0 ? x->options.body_window_ms : WINDOW_MS;

    for (;;) {
        uint64_t look = from + (window - x->window_waited), now;
        bool ok;

        if (x->options.body_rate == 0 || look > limit)
            look = limit;
        ok = conn_read(x->c, room, look, n, err);
        now = net_now_ms();
        x->window_waited += now - from;
        from = now;
        if (ok && *n == 0)
            return FAIL(err, FAIL_AGAIN, ECONNRESET,
                        "the client closed the connection before the end of its body");
        if (!ok && err->wire != ETIMEDOUT)
            return false;
        if (!ok && now >= limit)
            return refuse_body(x, 408, "no more of it came in time", err);
        if (!check_rate(x, err))
            return false;
        if (ok)
            return true;
    }
}

/* Octets of a body of known length go straight where the handler wants them. */
static bool body_direct(struct http_exchange *x, struct room room, size_t max, size_t *n,
                        struct err *err)
{
    if (room.n > max)
        room.n = max;
    if (!body_read(x, room, n, err))
        return false;
    http_parse_direct(&x->parse, *n);
    return true;
}

static bool body_piece(struct http_exchange *x, struct room room, size_t *n, struct err *err)
{
    struct http_parse *p = &x->parse;

    *n = 0;
    while (*n == 0 && !p->complete) {
        size_t max = http_parse_direct_max(p), got = 0;

        if (max > 0)
            return body_direct(x, room, max, n, err);
        if (!http_parse_body(p, room, n))
            return refuse_body(x, p->status, p->why, err);
        if (*n > 0 || p->complete)
            return true;
        if (!body_read(x, http_parse_room(p), &got, err))
            return false;
        http_parse_filled(p, got);
    }
    return true;
}

static bool check_size(struct http_exchange *x, uint64_t n, struct err *err)
{
    const struct http_request *r = &x->request;

    if (r->body_max == 0 || n <= r->body_max)
        return true;
    return refuse_body(x, 413, "it has more octets than are taken here", err);
}

static bool body_more(struct http_exchange *x, struct room room, size_t *n, struct err *err)
{
    if (x->parse.status != 0)
        return refuse_body(x, x->parse.status, x->parse.why, err);
    if (!check_size(x, x->request.length, err))
        return false;
    if (x->parse.expects && x->answer == ANSWER_NONE && !send_continue(x, err))
        return false;
    if (!body_piece(x, room, n, err))
        return false;
    x->body_n += *n;
    x->window_n += *n;
    return check_size(x, x->body_n, err);
}

bool http_body(struct http_request *r, struct room room, size_t *n, struct err *err)
{
    size_t got = 0;

    if (!body_more(r->x, room, &got, err)) {
        r->x->keep = false;
        return false;
    }
    *n = got;
    return true;
}

/* The next request can be found only behind this body. */
static bool skip_body(struct http_exchange *x)
{
    uint8_t trash[16 * 1024];
    uint64_t end = http_exchange_until(x);
    size_t skipped = 0, n = 1;
    struct err err;

    x->request.body_max = 0;
    while (!x->parse.complete && n > 0) {
        if (skipped > HTTP_DRAIN_MAX || net_now_ms() > end ||
            !http_body(&x->request, (struct room) { trash, sizeof(trash) }, &n, &err))
            return false;
        skipped += n;
    }
    return true;
}

/* ---- serving ---------------------------------------------------------------------------- */

static void refuse(struct http_exchange *x, int status, const char *why)
{
    struct err ignored;
    char *text;

    x->keep = false;
    log_event(LOG_INFO, "http.refused", "peer", conn_peer(x->c), "status", log_num(status),
              "reason", why, NULL);
    text = arena_printf(&x->request.arena, "%s\n", why);
    if (text != NULL)
        (void)!http_answer(&x->request, status, "text/plain; charset=utf-8", NULL,
                           span_text(text), &ignored);
}

static void request_begin(struct http_exchange *x)
{
    arena_free(&x->request.arena);
    x->request = (struct http_request) { .method = "", .path = "", .query = "", .x = x };
    x->request.peer = conn_peer(x->c);
    x->request.address = conn_address(x->c);
    x->request.local = x->options.local;
    x->request.tls = conn_tls_text(x->c);
    x->request.certificate = conn_peer_certificate(x->c);
    x->answer = ANSWER_NONE;
    x->keep = true;
    x->body_n = x->window_n = x->window_waited = 0;
}

static bool request_ready(struct http_exchange *x)
{
    struct http_request *r = &x->request;
    struct http_parse *p = &x->parse;

    r->method = http_method_str((enum http_method)p->parser.method);
    if (!http_split_url(p->url, &r->arena, &r->path, &r->query)) {
        refuse(x, 400, "the request's target is broken");
        return false;
    }
    memcpy(r->fields, p->fields, p->fields_n * sizeof(p->fields[0]));
    r->fields_n = p->fields_n;
    r->has_length = http_header(r, "Content-Length") != NULL;
    r->chunked = http_header(r, "Transfer-Encoding") != NULL;
    r->length = r->has_length ? p->left : 0;
    x->keep = p->keep_alive;
    return true;
}

/* Octets of a head. Before the first of them a stop ends the wait. */
static bool head_read(struct http_exchange *x, bool begun, uint64_t deadline, size_t *n,
                      struct err *err)
{
    struct room room = http_parse_room(&x->parse);
    const atomic_bool *stop = begun ? NULL : x->options.stop, *before;
    bool ok;

    if (stop == NULL)
        return conn_read(x->c, room, deadline, n, err);
    if (atomic_load(stop))
        return FAIL(err, FAIL_AGAIN, ECANCELED, "no more requests are taken");
    before = net_heed(stop);
    ok = conn_read(x->c, room, deadline, n, err);
    (void)net_heed(before);
    return ok;
}

/* Reads one head. False: no further request will be served. *said_bye: the client closed, or
 * kept silent. The time for a head counts from its first octet, however slowly it drips. */
static bool read_head(struct http_exchange *x, bool *said_bye)
{
    struct http_parse *p = &x->parse;
    uint64_t head_ms = x->options.head_ms > 0 ? x->options.head_ms : x->options.idle_ms;
    bool begun = p->end > 0;
    uint64_t deadline = net_now_ms() + (begun ? head_ms : x->options.idle_ms);

    for (;;) {
        enum http_step step = http_parse_head(p);
        size_t n = 0;
        struct err err;

        if (step == HTTP_HEAD_DONE)
            return request_ready(x);
        if (step == HTTP_REFUSED) {
            refuse(x, p->status, p->why);
            return false;
        }
        if (!head_read(x, begun, deadline, &n, &err)) {
            if (begun && err.wire == ETIMEDOUT)
                refuse(x, 408, "the request took too long to come");
            else
                *said_bye = true;
            return false;
        }
        *said_bye = n == 0;
        if (n == 0)
            return false;
        if (!begun)
            deadline = net_now_ms() + head_ms;
        begun = true;
        http_parse_filled(p, n);
    }
}

static void serve_one(struct http_exchange *x, http_handler *handler, void *context)
{
    struct err ignored;

    handler(context, &x->request);
    if (x->answer == ANSWER_DONE)
        return;
    x->keep = false; /* half an answer: only the end of the connection tells the client */
    if (x->answer == ANSWER_NONE)
        (void)!http_answer(&x->request, 500, NULL, NULL, span_of(NULL, 0), &ignored);
}

void http_serve_with(struct conn *c, const struct http_serve_options *options,
                     http_handler *handler, void *context)
{
    struct http_exchange *x = malloc(sizeof(*x));
    bool said_bye = false;
    uint64_t linger;

    if (x == NULL) {
        conn_close(c, 0);
        return;
    }
    /* not calloc: most of its 130 KB are never touched */
    x->c = c;
    x->options = *options;
    x->request.arena = (struct arena) { 0 };
    http_parse_begin(&x->parse, false);
    request_begin(x);
    while (read_head(x, &said_bye)) {
        serve_one(x, handler, context);
        if (!x->keep || !skip_body(x))
            break;
        http_parse_begin(&x->parse, true);
        request_begin(x);
    }
    linger = x->parse.complete ? LINGER_MS : LINGER_UNREAD_MS;
    conn_close(c, said_bye ? 0 : net_now_ms() + linger);
    arena_free(&x->request.arena);
    free(x);
}

void http_serve(struct conn *c, bool local, http_handler *handler, void *context,
                uint64_t idle_ms)
{
    struct http_serve_options options = { .local = local, .idle_ms = idle_ms };

    http_serve_with(c, &options, handler, context);
}
