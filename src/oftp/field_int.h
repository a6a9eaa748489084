/* The fields of a command: X, 9, T and U of RFC 5024 5.2 and 5.3, one after the other.
 * Both ends are sticky. Take or put all fields in the RFC's order, then ask once; the first field
 * that failed is the one the error names. Names are string literals such as "SFIDDSN". */
#ifndef WAYBILL_OFTP_FIELD_INT_H
#define WAYBILL_OFTP_FIELD_INT_H

#include "base/reader.h"
#include "base/writer.h"
#include "oftp/oftp.h"

/* ---- from the wire ---------------------------------------------------------------------- */

struct take {
    struct reader r;
    size_t size;      /* octets in the whole exchange buffer        */
    const char *name; /* first field that failed, NULL while all fit */
    const char *want; /* what it should hold; NULL: it is cut short  */
    size_t at;        /* where it begins                             */
};

/* Begins with the command octet; `name` is the command's. */
struct take take_command(struct span oeb, char command, const char *name);
/* True when nothing is left: where a truncated command is tolerated. */
bool take_ended(const struct take *t);
/* Fails with FAIL_PEER: ESID_SIZE for a field cut short, ESID_INVALID_DATA for its content.
 * What follows the last field is ignored. */
MUST_CHECK bool take_done(const struct take *t, struct err *err);
/* Marks a field of n octets, just taken, as holding something else than `want`. */
void take_refuse(struct take *t, const char *name, size_t n, const char *want);

/* The next n octets, borrowed; .n == 0 when an earlier field failed or they are not there. */
struct span take_octets(struct take *t, const char *name, size_t n);
/* A reserved field, whatever it holds. */
void take_reserved(struct take *t, const char *name, size_t n);
/* X(n) without its padding into text[n + 1]. Takes all printable ASCII: products send lower
 * case, underscores and inner blanks. */
void take_x(struct take *t, const char *name, char *text, size_t n);
/* One of the octets in `allowed`, otherwise '\0'. */
char take_one_of(struct take *t, const char *name, const char *allowed);
bool take_yes(struct take *t, const char *name);
/* 9(n), n at most 17. All blanks are 0, as products send it. */
uint64_t take_9(struct take *t, const char *name, size_t n);
uint64_t take_9_within(struct take *t, const char *name, size_t n, uint64_t min, uint64_t max,
                       const char *want);
/* 9(2) of a reason. Blanks are refused: 00 means success in ESID. */
int take_reason(struct take *t, const char *name);
/* Date and time of a file stamp at this level: digits, or any text below OFTP_14. */
void take_stamp(struct take *t, int level, char date[9], char time[11]);
/* A length 9(3) and a T field. Gives the octets, borrowed from the exchange buffer. */
struct span take_t(struct take *t, const char *name);
/* The same as text; NUL becomes a blank, so that a C string holds all of it. */
void take_text(struct take *t, const char *name, char text[OFTP_TEXT + 1]);
/* A length U(2) and a U field, borrowed. */
struct span take_u(struct take *t, const char *name);
/* The final CR: 0D, 8D or, because products forget it, nothing. */
void take_cr(struct take *t, const char *name);

/* ---- to the wire ------------------------------------------------------------------------ */

struct put {
    struct writer *w;
    struct writer before; /* to undo: a command that fails leaves nothing behind */
    const char *name;     /* first field that failed, NULL while all went well   */
    const char *why;
};

struct put put_command(struct writer *w, char command);
/* Fails with FAIL_LOCAL; *w is then as it was before the command. */
MUST_CHECK bool put_done(struct put *p, struct err *err);
/* Unless ok: `name` fails, "<name> <why>". */
void put_check(struct put *p, bool ok, const char *name, const char *why);

void put_reserved(struct put *p, size_t n);
/* X(n), any printable ASCII: for what is echoed and for passwords. */
void put_x(struct put *p, const char *name, const char *text, size_t n);
/* An identification code as oftp_code_valid() has it. */
void put_code(struct put *p, const char *name, const char *code);
void put_one_of(struct put *p, const char *name, char c, const char *allowed);
void put_yes(struct put *p, bool yes);
void put_9(struct put *p, const char *name, uint64_t v, size_t n);
void put_reason(struct put *p, const char *name, int reason);
/* The counterpart of take_stamp. */
void put_stamp(struct put *p, int level, const char *date, const char *time);
/* The length and the octets, cut to 999 at the end of a UTF-8 character. */
void put_t(struct put *p, const char *name, const char *text, size_t n);
void put_text(struct put *p, const char *name, const char text[OFTP_TEXT + 1]);
void put_u(struct put *p, const char *name, struct span octets);

/* ---- reasons a level knows (reason.c) ----------------------------------------------------- */

/* The reason itself, or 99 (unspecified) when a partner at this level could not know it. */
int esid_for_level(int reason, int level);
int sfna_for_level(int reason, int level);
int efna_for_level(int reason, int level);
int nerp_for_level(int reason, int level);

#endif
