/* Serving: one request after the other on one connection. RFC 9110, RFC 9112. */
#include "net/http_int.h"
#include "net/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum {
    DRAIN_MAX = 1024 * 1024, /* octets of an unread body read for the sake of keep-alive */
    LINGER_MS = 2000,        /* for the client to read a last answer and close */
    ONE_WRITE = 16 * 1024,   /* octets: a smaller answer leaves in one piece */
    SLICE = 256 * 1024,      /* octets: the deadline is for this much */
};

enum answer { ANSWER_NONE, ANSWER_BEGUN, ANSWER_DONE };

struct http_exchange {
    struct conn *c;
    uint64_t idle_ms;
    bool local;
    bool keep;    /* serve another request on this connection */
    bool no_body; /* the answer has none: HEAD, 204, 304 */
    bool chunked, counted;
    enum answer answer;
    uint64_t left; /* octets of the answer still to come when counted */
    struct http_request request;
    struct http_parse parse;
};

static uint64_t until(const struct http_exchange *x)
{
    return net_now_ms() + x->idle_ms;
}

/* ---- the request's body ----------------------------------------------------------------- */

static bool send_continue(struct http_exchange *x, struct err *err)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    x->parse.expects = false;
    return conn_write(x->c, span_text(line), until(x), err);
}

/* Octets of a body of known length go straight where the handler wants them. */
static bool body_direct(struct http_exchange *x, struct room room, size_t max, size_t *n,
                        struct err *err)
{
    if (room.n > max)
        room.n = max;
    if (!conn_read(x->c, room, until(x), n, err))
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
        struct room in;

        if (max > 0) {
            if (!body_direct(x, room, max, n, err))
                return false;
            got = *n;
        } else {
            if (!http_parse_body(p, room, n))
                return FAIL(err, FAIL_PEER, p->status, "the body is broken: %s", p->why);
            if (*n > 0 || p->complete)
                return true;
            in = http_parse_room(p);
            if (!conn_read(x->c, in, until(x), &got, err))
                return false;
            http_parse_filled(p, got);
        }
        if (got == 0)
            return FAIL(err, FAIL_AGAIN, ECONNRESET,
                        "the client closed the connection before the end of its body");
    }
    return true;
}

bool http_body(struct http_request *r, struct room room, size_t *n, struct err *err)
{
    struct http_exchange *x = r->x;
    size_t got = 0;

    if (x->parse.status != 0)
        return FAIL(err, FAIL_PEER, x->parse.status, "the body is broken: %s", x->parse.why);
    if ((x->parse.expects && x->answer == ANSWER_NONE && !send_continue(x, err)) ||
        !body_piece(x, room, &got, err)) {
        x->keep = false;
        return false;
    }
    *n = got;
    return true;
}

/* The next request can be found only behind this body. */
static bool skip_body(struct http_exchange *x)
{
    uint8_t trash[16 * 1024];
    uint64_t end = until(x);
    size_t skipped = 0, n = 1;
    struct err err;

    while (!x->parse.complete && n > 0) {
        if (skipped > DRAIN_MAX || net_now_ms() > end ||
            !http_body(&x->request, (struct room) { trash, sizeof(trash) }, &n, &err))
            return false;
        skipped += n;
    }
    return true;
}

/* ---- answers ---------------------------------------------------------------------------- */

static bool send_octets(struct http_exchange *x, struct span s, struct err *err)
{
    while (s.n > 0) {
        struct span slice = { s.p, s.n < SLICE ? s.n : SLICE };

        if (!conn_write(x->c, slice, until(x), err)) {
            x->keep = false;
            return false;
        }
        span_skip(&s, slice.n);
    }
    return true;
}

/* RFC 9110 5.6.7; not strftime, which would follow the locale. */
static void date_text(char text[40])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(net_wall_ms() / 1000);
    struct tm tm = { 0 };

    (void)gmtime_r(&now, &tm);
    (void)snprintf(text, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
                   tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
}

static const char *status_text(int status)
{
    const char *text = http_status_str((enum http_status)status);

    return strcmp(text, "<unknown>") == 0 ? "" : text;
}

/* Whether the connection can serve another request after this answer. */
static bool may_keep(const struct http_exchange *x, uint64_t length)
{
    const struct http_parse *p = &x->parse;

    if (!x->keep || p->status != 0 || p->expects)
        return false;
    if (!p->complete && x->request.has_length && p->left > DRAIN_MAX)
        return false;
    return length != UINT64_MAX || p->parser.http_minor > 0;
}

static const char *answer_head(struct http_exchange *x, int status, const char *content_type,
                               const char *extra, uint64_t length)
{
    bool old = x->parse.parser.http_minor == 0;
    char date[40], framing[64] = "";

    date_text(date);
    if (status == 204 || status == 304 || status < 200)
        ; /* RFC 9110 8.6 */
    else if (length != UINT64_MAX)
        (void)snprintf(framing, sizeof(framing), "Content-Length: %llu\r\n",
                       (unsigned long long)length);
    else if (x->chunked)
        (void)text_copy(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
    return arena_printf(&x->request.arena, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%s%s%s%s\r\n",
                        status, status_text(status), date,
                        content_type != NULL ? "Content-Type: " : "",
                        content_type != NULL ? content_type : "",
                        content_type != NULL ? "\r\n" : "", extra != NULL ? extra : "", framing,
                        !x->keep ? "Connection: close\r\n"
                        : old    ? "Connection: keep-alive\r\n"
                                 : "");
}

/* The head with as much of the body as fits into one piece. */
static bool answer_begin(struct http_exchange *x, int status, const char *content_type,
                         const char *extra, uint64_t length, struct span *body, struct err *err)
{
    const char *head;
    char *piece = NULL;
    size_t n, with;

    if (x->answer != ANSWER_NONE)
        return FAIL(err, FAIL_LOCAL, 0, "a request was answered twice");
    x->keep = may_keep(x, length);
    x->no_body = status == 204 || status == 304 || strcmp(x->request.method, "HEAD") == 0;
    x->counted = length != UINT64_MAX;
    x->chunked = !x->counted && x->parse.parser.http_minor > 0;
    x->left = x->counted ? length : 0;
    x->answer = ANSWER_BEGUN;
    head = answer_head(x, status, content_type, extra, length);
    n = head != NULL ? strlen(head) : 0;
    with = !x->no_body && n + body->n <= ONE_WRITE ? body->n : 0;
    if (head != NULL)
        piece = arena_take(&x->request.arena, n + with);
    if (piece == NULL) {
        x->keep = false;
        return FAIL(err, FAIL_LOCAL, ENOMEM, "memory is out");
    }
    memcpy(piece, head, n);
    if (with > 0)
        memcpy(piece + n, body->p, with);
    span_skip(body, with);
    x->left -= with;
    return send_octets(x, span_of(piece, n + with), err);
}

bool http_answer_begin(struct http_request *r, int status, const char *content_type,
                       const char *extra, uint64_t length, struct err *err)
{
    struct span none = { NULL, 0 };

    return answer_begin(r->x, status, content_type, extra, length, &none, err);
}

bool http_answer_part(struct http_request *r, struct span part, struct err *err)
{
    struct http_exchange *x = r->x;
    uint8_t piece[ONE_WRITE + 32];
    int n;

    if (x->answer != ANSWER_BEGUN || (x->counted && part.n > x->left)) {
        x->keep = false;
        return FAIL(err, FAIL_LOCAL, 0, "an answer has more octets than were announced");
    }
    if (x->counted)
        x->left -= part.n;
    if (part.n == 0 || x->no_body) /* an empty chunk would be the last */
        return true;
    if (!x->chunked)
        return send_octets(x, part, err);
    n = snprintf((char *)piece, sizeof(piece), "%zx\r\n", part.n);
    if (part.n > ONE_WRITE)
        return send_octets(x, span_of(piece, (size_t)n), err) && send_octets(x, part, err) &&
               send_octets(x, span_text("\r\n"), err);
    memcpy(piece + n, part.p, part.n);
    memcpy(piece + n + part.n, "\r\n", 2);
    return send_octets(x, span_of(piece, (size_t)n + part.n + 2), err);
}

bool http_answer_end(struct http_request *r, struct err *err)
{
    struct http_exchange *x = r->x;

    if (x->answer != ANSWER_BEGUN || (x->left > 0 && !x->no_body)) {
        x->keep = false;
        return FAIL(err, FAIL_LOCAL, 0, "an answer has fewer octets than were announced");
    }
    x->answer = ANSWER_DONE;
    if (x->chunked && !x->no_body)
        return send_octets(x, span_text("0\r\n\r\n"), err);
    return true;
}

bool http_answer(struct http_request *r, int status, const char *content_type,
                 const char *extra, struct span body, struct err *err)
{
    if (!answer_begin(r->x, status, content_type, extra, body.n, &body, err))
        return false;
    return http_answer_part(r, body, err) && http_answer_end(r, err);
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
    x->request.local = x->local;
    x->answer = ANSWER_NONE;
    x->keep = true;
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
    r->length = r->has_length ? p->left : 0;
    x->keep = p->keep_alive;
    return true;
}

/* Reads one head. False: no further request will be served. *said_bye: the client closed, or
 * kept silent. The time for a head counts from its first octet, however slowly it drips. */
static bool read_head(struct http_exchange *x, bool *said_bye)
{
    struct http_parse *p = &x->parse;
    uint64_t deadline = until(x);
    bool begun = p->end > 0;

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
        if (!conn_read(x->c, http_parse_room(p), deadline, &n, &err)) {
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
            deadline = until(x);
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

void http_serve(struct conn *c, bool local, http_handler *handler, void *context,
                uint64_t idle_ms)
{
    struct http_exchange *x = malloc(sizeof(*x));
    bool said_bye = false;

    if (x == NULL) {
        conn_close(c, 0);
        return;
    }
    /* not calloc: most of its 130 KB are never touched */
    x->c = c;
    x->local = local;
    x->idle_ms = idle_ms;
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
    conn_close(c, said_bye ? 0 : net_now_ms() + LINGER_MS);
    arena_free(&x->request.arena);
    free(x);
}
