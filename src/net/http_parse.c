#include "net/http_int.h"

#include <strings.h>

/* ---- libhttp-parser's callbacks --------------------------------------------------------- */

static bool put(struct http_parse *p, const char *at, size_t n)
{
    if (sizeof(p->text) - p->text_n < n + 1) /* with the NUL that ends it */
        return false;
    memcpy(p->text + p->text_n, at, n);
    p->text_n += n;
    p->text[p->text_n] = '\0';
    return true;
}

/* Starts a new text; the one before keeps its NUL. */
static const char *start(struct http_parse *p)
{
    if (p->text_n > 0)
        p->text_n++;
    p->text[p->text_n] = '\0';
    return p->text + p->text_n;
}

static int refuse(struct http_parse *p, int status, const char *why)
{
    if (p->status == 0) {
        p->status = status;
        p->why = why;
    }
    return -1;
}

static int on_url(http_parser *parser, const char *at, size_t n)
{
    struct http_parse *p = parser->data;

    if (!p->in_url)
        p->url = start(p);
    p->in_url = true;
    return put(p, at, n) ? 0 : refuse(p, 431, "the request line is too long");
}

static int on_field(http_parser *parser, const char *at, size_t n)
{
    struct http_parse *p = parser->data;

    if (p->has_head) /* a trailer: nobody asks for them */
        return 0;
    if (p->fields_n == 0 || p->in_value) {
        if (p->fields_n == HTTP_FIELDS_MAX)
            return refuse(p, 431, "there are too many header fields");
        p->fields[p->fields_n++] = (struct http_field) { start(p), "" };
        p->in_value = p->in_fold = false;
    }
    return put(p, at, n) ? 0 : refuse(p, 431, "the header is too long");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9112 5.2: the blanks around the end of a folded line count as one. */
static bool join_fold(struct http_parse *p, const char *value)
{
    while (p->text + p->text_n > value && is_blank(p->text[p->text_n - 1]))
        p->text_n--;
    return p->text + p->text_n == value || put(p, " ", 1);
}

/* The parser leaves out the line end of a fold: then a piece does not begin where the one
 * before ended. */
static int on_value(http_parser *parser, const char *at, size_t n)
{
    struct http_parse *p = parser->data;
    struct http_field *f;

    if (p->has_head)
        return 0;
    f = &p->fields[p->fields_n - 1];
    if (!p->in_value)
        f->value = start(p);
    else if (at != p->piece_end)
        p->in_fold = true;
    p->in_value = true;
    p->piece_end = at + n;
    while (p->in_fold && n > 0 && is_blank(*at)) {
        at++;
        n--;
    }
    if (p->in_fold && n > 0) {
        p->in_fold = false;
        if (!join_fold(p, f->value))
            return refuse(p, 431, "the header is too long");
    }
    return put(p, at, n) ? 0 : refuse(p, 431, "the header is too long");
}

static int on_head(http_parser *parser)
{
    struct http_parse *p = parser->data;

    p->has_head = true;
    p->keep_alive = http_should_keep_alive(parser) != 0;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t n)
{
    struct http_parse *p = parser->data;

    if (p->body.n - p->body_n < n) /* never more comes out than went in */
        return refuse(p, 500, "the body overran its room");
    if ((const uint8_t *)at != p->body.p + p->body_n)
        memmove(p->body.p + p->body_n, at, n);
    p->body_n += n;
    return 0;
}

/* What follows is the next request's: it waits until this one is answered. */
static int on_complete(http_parser *parser)
{
    struct http_parse *p = parser->data;

    p->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- feeding ---------------------------------------------------------------------------- */

void http_parse_begin(struct http_parse *p, bool keep)
{
    size_t left = keep ? p->end - p->at : 0;

    if (left > 0)
        memmove(p->in, p->in + p->at, left);
    p->at = 0;
    p->end = left;
    http_parser_init(&p->parser, HTTP_REQUEST);
    p->parser.data = p;
    p->url = "";
    p->fields_n = p->text_n = 0;
    p->keep_alive = p->expects = p->complete = p->has_head = false;
    p->in_value = p->in_url = p->in_fold = false;
    p->status = 0;
    p->why = NULL;
    p->piece_end = NULL;
    p->body = (struct room) { NULL, 0 };
    p->body_n = 0;
}

struct room http_parse_room(struct http_parse *p)
{
    if (p->has_head && p->at == p->end)
        p->at = p->end = 0;
    return (struct room) { p->in + p->end, sizeof(p->in) - p->end };
}

void http_parse_filled(struct http_parse *p, size_t n)
{
    p->end += n;
}

static bool execute(struct http_parse *p, const uint8_t *octets, size_t n, size_t *used)
{
    enum http_errno e;

    *used = http_parser_execute(&p->parser, &settings, (const char *)octets, n);
    e = HTTP_PARSER_ERRNO(&p->parser);
    if (e == HPE_OK || (e == HPE_PAUSED && p->complete))
        return true;
    if (e == HPE_HEADER_OVERFLOW)
        (void)refuse(p, 431, "the header is too long");
    else
        (void)refuse(p, 400, http_errno_description(e));
    return false;
}

/* The head ends with a LF after LF or LF CR. Octets are handed over up to such a place at most,
 * so that the parser cannot run into the body, which has no room yet. */
static size_t head_slice(const struct http_parse *p)
{
    for (size_t i = p->at; i < p->end; i++) {
        if (p->in[i] != '\n' || i == 0)
            continue;
        if (p->in[i - 1] == '\n' || (p->in[i - 1] == '\r' && i > 1 && p->in[i - 2] == '\n'))
            return i + 1 - p->at;
    }
    return p->end - p->at;
}

const char *http_field_get(const struct http_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(fields[i].name, name) == 0)
            return fields[i].value;
    }
    return NULL;
}

static size_t count(const struct http_parse *p, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < p->fields_n; i++)
        n += strcasecmp(p->fields[i].name, name) == 0;
    return n;
}

/* RFC 9112 6.3: who disagrees with a proxy about where a body ends can be made to take part of
 * it for a request. So only the two plain forms are taken, and not both. */
static bool check_length(struct http_parse *p)
{
    const char *coding = http_field_get(p->fields, p->fields_n, "Transfer-Encoding");
    const char *length = http_field_get(p->fields, p->fields_n, "Content-Length");

    if (coding != NULL && (length != NULL || count(p, "Transfer-Encoding") > 1)) {
        refuse(p, 400, "Transfer-Encoding is given twice, or with Content-Length");
        return false;
    }
    if (coding != NULL && (p->parser.http_minor == 0 || strcasecmp(coding, "chunked") != 0)) {
        refuse(p, 501, "of transfer codings only 'chunked' is known, with HTTP/1.1");
        return false;
    }
    if (length != NULL && (count(p, "Content-Length") > 1 || length[0] == '\0' ||
                           length[strspn(length, "0123456789")] != '\0')) {
        refuse(p, 400, "Content-Length is no number, or given twice");
        return false;
    }
    return true;
}

/* What the parser lets pass and we do not. */
static bool check_head(struct http_parse *p)
{
    const char *expect = http_field_get(p->fields, p->fields_n, "Expect");

    for (size_t i = 0; i < p->fields_n; i++) {
        if (p->fields[i].name[0] == '\0' || strpbrk(p->fields[i].name, " \t") != NULL) {
            refuse(p, 400, "there is a blank within the name of a header field");
            return false;
        }
    }
    if (p->parser.http_major != 1 || p->parser.http_minor > 1) {
        refuse(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        return false;
    }
    if (p->parser.method == HTTP_CONNECT) {
        refuse(p, 405, "this is no proxy");
        return false;
    }
    if (count(p, "Host") > 1 || (p->parser.http_minor == 1 && count(p, "Host") == 0)) {
        refuse(p, 400, "the Host field is missing, or given twice");
        return false;
    }
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0) {
        refuse(p, 417, "of expectations only '100-continue' is known");
        return false;
    }
    p->expects = expect != NULL && p->parser.http_minor == 1 && !p->complete;
    return check_length(p);
}

static void trim_values(struct http_parse *p)
{
    for (size_t i = 0; i < p->fields_n; i++) {
        const char *value = p->fields[i].value;
        size_t from = (size_t)(value - p->text), n = strlen(value);

        if (*value == '\0') /* may be the constant "" */
            continue;
        while (n > 0 && is_blank(p->text[from + n - 1]))
            p->text[from + --n] = '\0';
    }
}

enum http_step http_parse_head(struct http_parse *p)
{
    while (p->at < p->end && !p->has_head) {
        size_t n = head_slice(p), used = 0;

        if (!execute(p, p->in + p->at, n, &used))
            return HTTP_REFUSED;
        p->at += used;
    }
    if (!p->has_head && p->end == sizeof(p->in)) {
        refuse(p, 431, "the header is too long");
        return HTTP_REFUSED;
    }
    if (!p->has_head)
        return HTTP_MORE;
    trim_values(p);
    return check_head(p) ? HTTP_HEAD_DONE : HTTP_REFUSED;
}

bool http_parse_body(struct http_parse *p, struct room room, size_t *n)
{
    p->body = room;
    p->body_n = 0;
    while (p->at < p->end && p->body_n == 0 && !p->complete) {
        size_t left = p->end - p->at, used = 0;

        if (!execute(p, p->in + p->at, left < room.n ? left : room.n, &used))
            return false;
        p->at += used;
    }
    *n = p->body_n;
    return true;
}

size_t http_parse_direct_max(const struct http_parse *p)
{
    if (p->complete || p->at < p->end || (p->parser.flags & F_CHUNKED) != 0)
        return 0;
    return p->parser.content_length < SIZE_MAX ? (size_t)p->parser.content_length : 0;
}

bool http_parse_direct(struct http_parse *p, struct span octets)
{
    size_t used = 0;

    p->body_n = 0;
    return execute(p, octets.p, octets.n, &used);
}

/* ---- URLs ------------------------------------------------------------------------------- */

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

const char *http_header(const struct http_request *r, const char *name)
{
    return http_field_get(r->fields, r->fields_n, name);
}
