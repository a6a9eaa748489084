/* Heads of requests are read by libhttp-parser, bodies by ourselves: as it is packaged, the
 * library takes any two octets for the end of a chunk, and so understands bodies that others
 * cut elsewhere (RFC 9112 11.2). */
#include "net/http_int.h"

#include <errno.h>
#include <stdlib.h>
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
    p->keep_alive = parser->http_minor > 0 && http_should_keep_alive(parser) != 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
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
    p->in_value = p->in_url = p->in_fold = p->in_line = false;
    p->lines = p->head_line = 0;
    memset(p->folded, 0, sizeof(p->folded));
    p->status = 0;
    p->why = NULL;
    p->piece_end = NULL;
    p->left = 0;
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

static bool execute(struct http_parse *p, size_t n)
{
    enum http_errno e;

    p->at += http_parser_execute(&p->parser, &settings, (const char *)p->in + p->at, n);
    e = HTTP_PARSER_ERRNO(&p->parser);
    if (e == HPE_OK || (e == HPE_INVALID_TRANSFER_ENCODING && p->has_head))
        return true; /* check_length words the latter better */
    if (e == HPE_HEADER_OVERFLOW)
        (void)refuse(p, 431, "the header is too long");
    else
        (void)refuse(p, 400, http_errno_description(e));
    return false;
}

static bool line_begins(struct http_parse *p, uint8_t c)
{
    p->in_line = c != '\r' && c != '\n'; /* an empty line: before or behind the head */
    if (!p->in_line)
        return false;
    if (p->lines == 0 || !is_blank((char)c)) {
        p->lines++;
        p->head_line = 0;
    } else if (p->lines > 1 && p->lines - 2 < HTTP_FIELDS_MAX) {
        p->folded[p->lines - 2] = true;
    }
    return true;
}

/* The parser tells neither how long a line is nor where it was folded. False: too long. */
static bool scan_lines(struct http_parse *p, size_t n)
{
    for (const uint8_t *c = p->in + p->at, *end = c + n; c < end; c++) {
        if (!p->in_line && !line_begins(p, *c))
            continue;
        p->in_line = *c != '\n';
        p->head_line++;
        if (p->lines == 1 && p->head_line > HTTP_LINE_MAX) {
            (void)refuse(p, 414, "the request line is too long");
            return false;
        }
        if (p->head_line > HTTP_FIELD_MAX) {
            (void)refuse(p, 431, "a header field is too long");
            return false;
        }
    }
    return true;
}

/* How many of the octets to hand over: up to where the head may end (a LF after LF or LF CR),
 * so that the parser does not run into the body; 0: the next one follows a lone CR, which it
 * would take for a line end (RFC 9112 2.2). */
static size_t head_slice(const struct http_parse *p)
{
    for (size_t i = p->at; i < p->end; i++) {
        if (i == 0)
            continue;
        if (p->in[i] != '\n') {
            if (p->in[i - 1] == '\r')
                return i - p->at;
            continue;
        }
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

/* RFC 9112 6.1, 6.3: where the body ends can be told only with chunked as the last coding, and
 * once. */
static bool refuse_coding(struct http_parse *p, const char *coding)
{
    const char *chunked = strcasestr(coding, "chunked");
    bool token = coding[strspn(coding, "!#$%&'*+-.^_`|~, \t0123456789"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
    bool last = chunked != NULL && chunked[strlen("chunked")] == '\0' &&
                (chunked == coding || strchr(", \t", chunked[-1]) != NULL);

    if (!token || (chunked != NULL && !last))
        refuse(p, 400, "Transfer-Encoding is garbled");
    else
        refuse(p, 501, "of transfer codings only 'chunked' is known, with HTTP/1.1");
    return false;
}

/* RFC 9112 6.3: who disagrees with a proxy about where a body ends can be made to take part of
 * it for a request. So only the two plain forms are taken, and not both. */
static bool check_length(struct http_parse *p)
{
    const char *coding = http_field_get(p->fields, p->fields_n, "Transfer-Encoding");
    const char *length = http_field_get(p->fields, p->fields_n, "Content-Length");
    unsigned long long n = 0;

    if (coding != NULL && (length != NULL || count(p, "Transfer-Encoding") > 1)) {
        refuse(p, 400, "Transfer-Encoding is given twice, or with Content-Length");
        return false;
    }
    if (coding != NULL && (p->parser.http_minor == 0 || strcasecmp(coding, "chunked") != 0))
        return refuse_coding(p, coding);
    errno = 0;
    if (length != NULL)
        n = strtoull(length, NULL, 10);
    if (length != NULL && (count(p, "Content-Length") > 1 || length[0] == '\0' || errno != 0 ||
                           length[strspn(length, "0123456789")] != '\0')) {
        refuse(p, 400, "Content-Length is no number, or given twice");
        return false;
    }
    http_parse_body_begin(p, coding != NULL, n);
    return true;
}

static bool is_visible(const char *text)
{
    while ((*text > ' ' && *text != 0x7f) || *text < 0)
        text++;
    return *text == '\0';
}

/* RFC 4130 6.2 forbids it for the last two; the others say where a request ends. */
static bool may_fold(const char *name)
{
    static const char *const plain[] = { "Host",   "Content-Length", "Transfer-Encoding",
                                         "Expect", "AS2-From",       "AS2-To" };

    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (strcasecmp(name, plain[i]) == 0)
            return false;
    }
    return true;
}

static bool check_fields(struct http_parse *p)
{
    for (size_t i = 0; i < p->fields_n; i++) {
        if (p->fields[i].name[0] == '\0' || strpbrk(p->fields[i].name, " \t") != NULL) {
            refuse(p, 400, "there is a blank within the name of a header field");
            return false;
        }
        if (p->folded[i] && !may_fold(p->fields[i].name)) {
            refuse(p, 400, "a header field that must not be folded is folded");
            return false;
        }
    }
    return true;
}

/* What the parser lets pass and we do not. */
static bool check_head(struct http_parse *p)
{
    const char *expect = http_field_get(p->fields, p->fields_n, "Expect");

    if (!check_fields(p))
        return false;
    if (!is_visible(p->url)) {
        refuse(p, 400, "there is a blank or a control character in the request's target");
        return false;
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
    if (!check_length(p))
        return false;
    p->expects = expect != NULL && p->parser.http_minor == 1 && !p->complete;
    return true;
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
        size_t n = head_slice(p);

        if (n == 0)
            (void)refuse(p, 400, "there is a CR without LF in the header");
        if (n == 0 || !scan_lines(p, n) || !execute(p, n))
            return HTTP_REFUSED;
    }
    if (!p->has_head && p->end == sizeof(p->in)) {
        (void)refuse(p, 431, "the header is too long");
        return HTTP_REFUSED;
    }
    if (!p->has_head)
        return HTTP_MORE;
    trim_values(p);
    return check_head(p) ? HTTP_HEAD_DONE : HTTP_REFUSED;
}

const char *http_header(const struct http_request *r, const char *name)
{
    return http_field_get(r->fields, r->fields_n, name);
}

bool http_header_once(const struct http_request *r, const char *name, const char **value)
{
    const char *first = http_header(r, name);

    for (size_t i = 0; i < r->fields_n; i++) {
        if (strcasecmp(r->fields[i].name, name) == 0 && strcmp(r->fields[i].value, first) != 0)
            return false;
    }
    *value = first;
    return true;
}
