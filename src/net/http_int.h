/* Reading HTTP/1.1 requests: octets in, a head and a body out. RFC 9112. Does no I/O, so that
 * tests and the fuzzer feed it arrays. Not for other folders. */
#ifndef WAYBILL_HTTP_INT_H
#define WAYBILL_HTTP_INT_H

#include "net/http.h"

#include <http_parser.h>

enum http_place {
    IN_COUNTED, /* RFC 9112 6.2 */
    IN_SIZE,    /* 7.1: chunks, from here on */
    IN_BLANK,   /* behind the size */
    IN_EXTENSION,
    IN_SIZE_LF,
    IN_CHUNK,
    IN_CHUNK_CR,
    IN_CHUNK_LF,
    IN_TRAILER, /* at the beginning of a line */
    IN_TRAILER_LINE,
    IN_TRAILER_LF,
    IN_LAST_LF,
};

/* One request after the other. */
struct http_parse {
    http_parser parser;

    /* the request's head, once http_parse_head said HTTP_HEAD */
    const char *url; /* as sent */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t fields_n;
    bool folded[HTTP_FIELDS_MAX]; /* which of them came in several lines */
    bool keep_alive;              /* the client would go on after the answer; HTTP/1.0: never */
    bool expects;                 /* waits for 100 Continue before the body  */
    bool complete;                /* the body has been read to its end       */

    /* a request to be refused: the answer and what is wrong with it */
    int status;
    const char *why;

    bool has_head;
    bool in_value, in_url, in_fold;
    bool in_line;                    /* of the head, not at its beginning      */
    size_t lines;                    /* of the head, without those of folds    */
    size_t head_line;                /* octets of the last of them, with folds */
    const char *piece_end;           /* of the last piece: a gap before the next is a fold */
    enum http_place place;           /* in the body */
    uint64_t left;                   /* octets of the counted body or of this chunk */
    size_t line_n;                   /* octets of this line, or of the trailers */
    size_t text_n;                   /* octets used of text  */
    size_t at, end;                  /* in[at..end) is to be parsed yet */
    uint8_t in[HTTP_HEAD_MAX];       /* octets as they came */
    char text[HTTP_HEAD_MAX + 1024]; /* the url, names and values, each ended by NUL */
};

enum http_step { HTTP_MORE, HTTP_HEAD_DONE, HTTP_REFUSED };

/* Makes ready for the first request, or (keep: what is left in .in) for the next. */
void http_parse_begin(struct http_parse *p, bool keep);

/* Where the next octets go; then say how many. Never empty while the step is HTTP_MORE. */
struct room http_parse_room(struct http_parse *p);
void http_parse_filled(struct http_parse *p, size_t n);

/* Goes on with the head. */
MUST_CHECK enum http_step http_parse_head(struct http_parse *p);

/* Says how the body comes: length octets (0: there is none), or in chunks. */
void http_parse_body_begin(struct http_parse *p, bool chunked, uint64_t length);
/* Goes on with the body from the octets there are. *n 0: more are needed, or .complete is set.
 * False: .status and .why are set. */
MUST_CHECK bool http_parse_body(struct http_parse *p, struct room room, size_t *n);

/* How many octets may be read straight into a room of the caller; 0: none, use .in. Those that
 * were are then told. */
size_t http_parse_direct_max(const struct http_parse *p);
void http_parse_direct(struct http_parse *p, size_t n);

/* Decodes %XX (plus: and '+') into out[in.n + 1]. False: broken, or a NUL within. */
MUST_CHECK bool http_unescape(struct span in, bool plus, char *out);
/* The part of url before '?', decoded, into the arena; and what follows it, raw. */
MUST_CHECK bool http_split_url(const char *url, struct arena *a, const char **path,
                               const char **query);
/* The value of a field, NULL when missing. */
const char *http_field_get(const struct http_field *fields, size_t n, const char *name);

#endif
