/* MIME entities as AS2 needs them: header blocks, parameters, multipart bodies, transfer encodings
 * and file names. RFC 2045, 2046, 2047, 2231; as2.md sections 2.2, 2.4, 5.5, 11.2.
 *
 * Octets are pushed in (base/sink.h), nothing of a body is held. Raw octets are passed on as they
 * came, so that a digest over them is that of the sender. Failures: FAIL_PEER with a text that
 * says what is wrong with the entity; FAIL_LOCAL when memory is out. */
#ifndef WAYBILL_MIME_H
#define WAYBILL_MIME_H

#include "base/arena.h"
#include "base/sink.h"

enum {
    MIME_LINE_MAX = 16 * 1024, /* octets of one header line, folds included        */
    MIME_HEAD_MAX = 64 * 1024, /* octets of one header block                       */
    MIME_FIELDS_MAX = 100,
    MIME_PARAMS_MAX = 32,
    MIME_PARTS_MAX = 100,
    MIME_EDGE_MAX = 64 * 1024, /* octets of preamble, and of epilogue              */
    MIME_BOUNDARY_MAX = 70,
    MIME_FILE_NAME_MAX = 200, /* octets of UTF-8                                   */
};

/* ---- header blocks ---------------------------------------------------------------------- */

struct mime_field {
    const char *name, *value; /* value: folds joined with one blank, blanks around it cut */
};

struct mime_head {
    struct mime_field *fields;
    size_t n;
};

/* Reads a header block: lines up to, without, the empty one (which may be there; what follows it is
 * not looked at). CRLF or LF. Refused: a line without colon, blanks before the colon or the first
 * line, NUL, a CR without LF, limits above (line ends count, the empty line does not), a second
 * Content-Type, Content-Transfer-Encoding or Content-Disposition. An empty block is fine. In the
 * arena. */
MUST_CHECK bool mime_head_read(struct span block, struct arena *a, struct mime_head *h,
                               struct err *err);
/* The first field of this name (without case), NULL: none. */
const char *mime_head_get(const struct mime_head *h, const char *name);

/* ---- "value; name=parameter" ------------------------------------------------------------ */

struct mime_param {
    const char *name;  /* lower case, without RFC 2231's '*' and numbers */
    const char *value; /* unquoted; RFC 2231 sections joined and decoded to UTF-8 */
    bool extended;     /* it was in RFC 2231's form with a character set; else octets as sent */
};

struct mime_value {
    const char *value; /* lower case: "multipart/signed", "attachment" */
    struct mime_param params[MIME_PARAMS_MAX];
    size_t n;
};

/* Content-Type and Content-Disposition: any order, case, blanks and comments, a stray ';' at the
 * end, quoted or not (unquoted '/' too; a file name even with blanks). Refused: a parameter given
 * twice with different values, also in RFC 2231's and the plain form; but of filename and name the
 * former wins then. NUL from RFC 2231 becomes U+FFFD. In the arena. */
MUST_CHECK bool mime_value_read(const char *text, struct arena *a, struct mime_value *v,
                                struct err *err);
const char *mime_param(const struct mime_value *v, const char *name); /* NULL: none */

/* RFC 2047: `text` with its encoded words decoded to UTF-8 (octets in between that are none are read
 * as ISO-8859-1; so are character sets other than UTF-8 and ASCII). Words that are broken stay as
 * they are. In the arena; NULL: memory is out. */
char *mime_words(const char *text, struct arena *a);

/* How a body is encoded. */
enum mime_encoding { MIME_BINARY, MIME_BASE64, MIME_QUOTED, MIME_UNKNOWN };
/* Content-Transfer-Encoding; NULL, "", 7bit, 8bit and binary are MIME_BINARY. */
enum mime_encoding mime_encoding_of(const char *value_or_null);

/* ---- an entity: header block, empty line, body ------------------------------------------ */

struct mime_entity_events {
    /* The header block is there: h lives in the arena given, raw until the call returns (it ends
     * with the empty line). Returns where the body goes (*body; taken; left alone: nowhere) or
     * fails. */
    bool (*head)(void *context, const struct mime_head *h, struct span raw, struct sink **body,
                 struct err *err);
};
/* An entity is pushed in. Its header block is collected (MIME_HEAD_MAX). One that begins with the
 * empty line has none; one that ends before an empty line is refused. headerless: octets that begin
 * neither with the empty line nor with a letter, up to 127 letters, digits or '-' and a colon
 * (EDIFACT's "UNA:" apart) are the body of an entity without a block; head() gets no fields and no
 * octets then, no octets at all are an empty body. events, context and the arena are borrowed. NULL: memory is
 * out. */
struct sink *mime_entity_new(const struct mime_entity_events *events, void *context,
                             struct arena *a, bool headerless);

/* ---- multipart bodies ------------------------------------------------------------------- */

struct mime_parts_events {
    /* Part `index`, from 0, begins: its octets, header block included, go to *part (taken; ended and
     * freed when the part is whole; left alone: they go nowhere). */
    bool (*begin)(void *context, size_t index, struct sink **part, struct err *err);
};
/* The body of a multipart entity is pushed in: as2.md 2.2, the vectors of 13.6. Both CRLF and, on
 * delimiter lines, bare LF are understood; the line end before a delimiter belongs to it. Ends well
 * when the last delimiter has come (its CRLF may be missing) and there was a part. What is passed on
 * are spans of what is pushed in, but for a delimiter's length where a push ends. Refused: limits
 * above, more than 128 blanks behind a delimiter. NULL: boundary not legal (1 to 70 printable
 * characters, no blank at its end) or memory out, with *err. */
struct sink *mime_parts_new(const char *boundary, const struct mime_parts_events *events,
                            void *context, struct err *err);

/* ---- transfer encodings: stages --------------------------------------------------------- */

/* base64 ignores CR, LF, blanks, tabs; padding must be right, nothing may follow it. Quoted-printable
 * as RFC 2045 6.7: soft line ends, blanks before a line end cut (up to 998), line ends as they came.
 * NULL: memory is out. */
struct stage *mime_base64_decode_new(void);
struct stage *mime_base64_encode_new(void); /* lines of 76, each ended by CRLF */
struct stage *mime_quoted_decode_new(void);
/* The decoder of an encoding; *st NULL for MIME_BINARY. MIME_UNKNOWN is refused. */
MUST_CHECK bool mime_decoder_new(enum mime_encoding e, struct stage **st, struct err *err);

/* Small ones at once: given, free(). */
MUST_CHECK bool mime_decode_octets(enum mime_encoding e, struct span in, uint8_t **out,
                                   size_t *n, struct err *err);

/* ---- file names ------------------------------------------------------------------------- */

/* The name a part carries, decoded to UTF-8 but not made safe: Content-Disposition filename*,
 * filename, then Content-Type name; a header that cannot be read has none. NULL: none. In the
 * arena. */
const char *mime_file_name(const struct mime_head *h, struct arena *a);
/* as2.md 11.2: a name that is safe as one component of a path, into text[MIME_FILE_NAME_MAX + 1].
 * name may be NULL; fallback, made safe as well, is used when nothing is left. *changed: name had
 * to be repaired (steps 3 to 7), also when nothing is left of it. */
void mime_safe_name(const char *name, const char *fallback, char text[MIME_FILE_NAME_MAX + 1],
                    bool *changed);
/* `; filename="..."` for Content-Disposition: quoted, with RFC 2231's form besides when the name is
 * not ASCII. In the arena. */
const char *mime_file_name_param(const char *name, struct arena *a);

#endif
