/* Bodies of requests: counted, or in chunks. RFC 9112 6, 7.1. Line ends are CR LF, nothing less:
 * another reader of the same octets must not find the end of a body elsewhere. */
#include "net/http_int.h"

enum { DIGITS_MAX = 16 }; /* of a chunk's size: 64 bits */

void http_parse_body_begin(struct http_parse *p, bool chunked, uint64_t length)
{
    p->place = chunked ? IN_SIZE : IN_COUNTED;
    p->left = length;
    p->line_n = 0;
    p->complete = !chunked && length == 0;
}

static bool broken(struct http_parse *p, const char *why)
{
    p->status = 400;
    p->why = why;
    return false;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* chunk-size, at least one digit */
static bool size_octet(struct http_parse *p, uint8_t c)
{
    int digit = hex(c);

    if (digit >= 0) {
        if (p->left > UINT64_MAX >> 4 || p->line_n > DIGITS_MAX)
            return broken(p, "the size of a chunk is too large");
        p->left = p->left << 4 | (uint64_t)digit;
        return true;
    }
    if (p->line_n == 1 || (c != ';' && c != '\r' && c != ' ' && c != '\t'))
        return broken(p, "the size of a chunk is no number");
    p->place = c == '\r' ? IN_SIZE_LF : c == ';' ? IN_EXTENSION : IN_BLANK;
    return true;
}

/* Blanks before the line's end or before ';' occur; anything else would be another size. */
static bool blank_octet(struct http_parse *p, uint8_t c)
{
    if (c == ' ' || c == '\t')
        return true;
    if (c != ';' && c != '\r')
        return broken(p, "the size of a chunk is no number");
    p->place = c == '\r' ? IN_SIZE_LF : IN_EXTENSION;
    return true;
}

static bool extension_octet(struct http_parse *p, uint8_t c)
{
    if (c == '\n')
        return broken(p, "the line of a chunk's size ends with LF alone");
    if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
        return broken(p, "there is a control character behind the size of a chunk");
    if (c == '\r')
        p->place = IN_SIZE_LF;
    return true;
}

static void next(struct http_parse *p, enum http_place place)
{
    if (place == IN_SIZE)
        p->left = 0;
    if (place < IN_TRAILER || p->place < IN_TRAILER) /* trailers are counted together */
        p->line_n = 0;
    p->place = place;
}

/* An octet that must be there, and what comes after it. */
static bool expect(struct http_parse *p, uint8_t got, char want, enum http_place then)
{
    if (got != (uint8_t)want)
        return broken(p, "a chunk does not end where its size says");
    next(p, then);
    return true;
}

static bool framing_octet(struct http_parse *p, uint8_t c)
{
    if (++p->line_n >
        (p->place < IN_TRAILER ? (size_t)HTTP_CHUNK_LINE_MAX : (size_t)HTTP_TRAILER_MAX))
        return broken(p, p->place < IN_TRAILER ? "the line of a chunk's size is too long"
                                               : "the trailers are too long");
    switch (p->place) {
    case IN_SIZE:
        return size_octet(p, c);
    case IN_BLANK:
        return blank_octet(p, c);
    case IN_EXTENSION:
        return extension_octet(p, c);
    case IN_SIZE_LF:
        return expect(p, c, '\n', p->left > 0 ? IN_CHUNK : IN_TRAILER);
    case IN_CHUNK_CR:
        return expect(p, c, '\r', IN_CHUNK_LF);
    case IN_CHUNK_LF:
        return expect(p, c, '\n', IN_SIZE);
    case IN_TRAILER:
        next(p, c == '\r' ? IN_LAST_LF : IN_TRAILER_LINE);
        return c != '\n' || broken(p, "a trailer ends with LF alone");
    case IN_TRAILER_LINE:
        if (c == '\r')
            next(p, IN_TRAILER_LF);
        return c != '\n' || broken(p, "a trailer ends with LF alone");
    case IN_TRAILER_LF:
        return expect(p, c, '\n', IN_TRAILER);
    case IN_LAST_LF:
        p->complete = true;
        return expect(p, c, '\n', IN_LAST_LF);
    default:
        return broken(p, "octets where none belong");
    }
}

void http_parse_direct(struct http_parse *p, size_t n)
{
    p->left -= n;
    if (p->left > 0)
        return;
    if (p->place == IN_COUNTED)
        p->complete = true;
    else
        p->place = IN_CHUNK_CR;
}

bool http_parse_body(struct http_parse *p, struct room room, size_t *n)
{
    *n = 0;
    while (p->at < p->end && *n < room.n && !p->complete) {
        size_t have = p->end - p->at;

        if (p->place != IN_COUNTED && p->place != IN_CHUNK) {
            if (!framing_octet(p, p->in[p->at++]))
                return false;
            continue;
        }
        if (have > room.n - *n)
            have = room.n - *n;
        if (have > p->left)
            have = (size_t)p->left;
        memcpy(room.p + *n, p->in + p->at, have);
        p->at += have;
        *n += have;
        http_parse_direct(p, have);
    }
    return true;
}

size_t http_parse_direct_max(const struct http_parse *p)
{
    if (p->complete || p->at < p->end || (p->place != IN_COUNTED && p->place != IN_CHUNK))
        return 0;
    return p->left < SIZE_MAX ? (size_t)p->left : SIZE_MAX;
}
