/* Answering a request: whole, or in pieces. RFC 9110, RFC 9112. */
#include "net/http_serve_int.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    ONE_WRITE = 16 * 1024, /* octets: a smaller answer leaves in one piece */
    SLICE = 256 * 1024,    /* octets: the deadline is for this much */
};

/* ---- answers ---------------------------------------------------------------------------- */

static bool send_octets(struct http_exchange *x, struct span s, struct err *err)
{
    while (s.n > 0) {
        struct span slice = { s.p, s.n < SLICE ? s.n : SLICE };

        if (!conn_write(x->c, slice, http_exchange_until(x), err)) {
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
static bool may_keep(const struct http_exchange *x)
{
    const struct http_parse *p = &x->parse;

    if (!x->keep || x->request.close || p->status != 0 || p->expects)
        return false;
    if (x->options.stop != NULL && atomic_load(x->options.stop))
        return false;
    if (!p->complete && x->request.has_length && p->left > HTTP_DRAIN_MAX)
        return false;
    return true;
}

/* Whether lines, each ended by CRLF, have a field; name: with its colon. */
static bool has_field(const char *lines, const char *name)
{
    size_t n = strlen(name);

    for (; lines != NULL; lines = strchr(lines, '\n'), lines += lines != NULL)
        if (strncasecmp(lines, name, n) == 0)
            return true;
    return false;
}

static const char *answer_head(struct http_exchange *x, int status, const char *content_type,
                               const char *extra, uint64_t length)
{
    char date[40], framing[64] = "";
    bool dated = has_field(extra, "Date:"); /* a stored answer has that of its making */

    date_text(date);
    if (status == 204 || status == 304 || status < 200)
        ; /* RFC 9110 8.6 */
    else if (length != UINT64_MAX)
        (void)snprintf(framing, sizeof(framing), "Content-Length: %llu\r\n",
                       (unsigned long long)length);
    else if (x->chunked)
        (void)text_copy(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
    return arena_printf(&x->request.arena, "HTTP/1.1 %d %s\r\n%s%s%s%s%s%s%s%s%s\r\n", status,
                        status_text(status), dated ? "" : "Date: ", dated ? "" : date,
                        dated ? "" : "\r\n", content_type != NULL ? "Content-Type: " : "",
                        content_type != NULL ? content_type : "",
                        content_type != NULL ? "\r\n" : "", extra != NULL ? extra : "", framing,
                        x->keep ? "" : "Connection: close\r\n");
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
    x->keep = may_keep(x);
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
