/* ODETTE-FTP 1.2 to 2.0 (RFC 5024, RFC 2204): framing, commands, DATA buffers and the session.
 * Does no I/O, reads no clock, draws no random octets: octets, time and challenges come in as
 * arguments, octets and events go out. Nothing here is safe for two threads at a time; different
 * objects may be used by different threads.
 *
 * Text fields (X and 9 types) are held without padding and with a final NUL. */
#ifndef WAYBILL_OFTP_H
#define WAYBILL_OFTP_H

#include "base/err.h"
#include "base/span.h"

enum {
    OFTP_STH = 4,            /* octets of the stream transmission header, RFC 5024 8.2 */
    OFTP_OEB_MAX = 99999,    /* largest exchange buffer in octets, 5.3.2              */
    OFTP_SDEB_MIN = 128,     /* smallest SSIDSDEB, 5.3.2                              */
    OFTP_SUBRECORD_MAX = 63, /* octets a subrecord represents, 7.2                    */
    OFTP_BLOCK = 1024,       /* octets in a block of SFIDFSIZ and SFIDREST            */
    OFTP_CODE = 25,          /* identification code, 5.4                              */
    OFTP_PSWD = 8,
    OFTP_DSN = 26,
    OFTP_TEXT = 999,          /* longest SFIDDESC and reason text in octets            */
    OFTP_CHALLENGE_SIZE = 20, /* octets of the secure authentication challenge         */
};

enum oftp_level { OFTP_12 = 1, OFTP_13 = 2, OFTP_14 = 4, OFTP_20 = 5 };

/* ---- reason codes (reason.c; oftp2.md section 7) ------------------------------------- */

enum oftp_esid { /* ESIDREAS, 5.3.11 */
                 ESID_NORMAL = 0,
                 ESID_UNKNOWN_COMMAND = 1,
                 ESID_VIOLATION = 2,
                 ESID_UNKNOWN_CODE = 3,
                 ESID_PASSWORD = 4,
                 ESID_SHUTDOWN = 5,
                 ESID_INVALID_DATA = 6,
                 ESID_SIZE = 7,
                 ESID_RESOURCES = 8,
                 ESID_TIMEOUT = 9,
                 ESID_INCOMPATIBLE = 10,
                 ESID_CHALLENGE = 11,
                 ESID_AUTHENTICATION = 12,
                 ESID_UNSPECIFIED = 99,
};

enum oftp_answer { /* SFNAREAS and EFNAREAS, 5.3.5 and 5.3.10 */
                   ANSWER_FILENAME = 1,
                   ANSWER_DESTINATION = 2,
                   ANSWER_ORIGIN = 3,
                   ANSWER_FORMAT = 4,
                   ANSWER_RECORD_LENGTH = 5,
                   ANSWER_SIZE = 6,
                   ANSWER_RECORD_COUNT = 10,
                   ANSWER_BYTE_COUNT = 11,
                   ANSWER_ACCESS = 12,
                   ANSWER_DUPLICATE = 13,
                   ANSWER_DIRECTION = 14,
                   ANSWER_CIPHER = 15,
                   ANSWER_ENCRYPTED = 16,
                   ANSWER_UNENCRYPTED = 17,
                   ANSWER_COMPRESSED = 18,
                   ANSWER_SIGNED = 19,
                   ANSWER_UNSIGNED = 20,
                   ANSWER_SIGNATURE = 21,
                   ANSWER_DECRYPTION = 22,
                   ANSWER_DECOMPRESSION = 23,
                   ANSWER_UNSPECIFIED = 99,
};

enum oftp_nerp { /* NERPREAS, 5.3.14 */
                 NERP_ESID_CODE = 3,
                 NERP_ESID_PASSWORD = 4,
                 NERP_ESID_UNSPECIFIED = 9,
                 NERP_SIGNATURE = 31,
                 NERP_DECOMPRESSION = 32,
                 NERP_DECRYPTION = 33,
                 NERP_PROCESSING = 34,
                 NERP_NOT_DELIVERED = 35,
                 NERP_NOT_ACKNOWLEDGED = 36,
                 NERP_OPERATOR = 50,
                 NERP_LEVEL_SIZE = 90,
                 NERP_UNSPECIFIED = 99,
};

/* The standard's meaning of a code in a few words; never NULL ("unknown reason"). */
const char *oftp_esid_text(int reason);
const char *oftp_answer_text(int reason);
const char *oftp_nerp_text(int reason);

/* Whether SFNA with this reason invites a retry by default (oftp2.md 7.2). */
bool oftp_answer_retry(int reason);
/* Whether an EFNA with this reason (it has no flag) is worth a later retry from 0: 10 11 12 99. */
bool oftp_efna_retry(int reason);
/* The NERP reason for a permanent SFNA/EFNA (22 -> 33, 23 -> 32) and for an ESID. */
int oftp_nerp_for_answer(int reason);
int oftp_nerp_for_esid(int reason);

/* ---- stream transmission buffers (stb.c; RFC 5024 section 8) -------------------------- */

/* The buffer being collected. Zero it to begin; it owns nothing. */
struct oftp_stb {
    size_t have; /* octets of header and buffer held so far */
    uint8_t octets[OFTP_STH + OFTP_OEB_MAX];
};

/* Moves octets from *in until one exchange buffer is whole.
 *   in   advanced past what was taken; empty on return unless *oeb is set.
 *   oeb  the exchange buffer without its header, or .n == 0 while more is needed. Borrowed:
 *        from st, or straight from in when it was whole there; dies at the next call.
 * Fails with FAIL_PEER and ESID_SIZE (07) when version or length are wrong; the flags are not
 * looked at. st is then of no further use. */
MUST_CHECK bool oftp_stb_take(struct oftp_stb *st, struct span *in, struct span *oeb,
                              struct err *err);

/* ---- commands (command_*.c; RFC 5024 5.3) ----------------------------------------------
 * Each has oftp_read_x (wire to struct) and oftp_write_x (struct to wire, without the stream
 * header). Readers take the exchange buffer whole, with its command octet, and tolerate what
 * oftp2.md 2.1 lists. They fail with FAIL_PEER and ESID_INVALID_DATA (06) for a bad field,
 * ESID_SIZE (07) for a length that does not fit, or ESID_UNKNOWN_COMMAND (01) for a command the
 * level does not have; *c is then untouched.
 *
 * Writers fail with FAIL_LOCAL when a value does not fit its field or the level cannot carry it
 * (never silently dropping protection); *w is then untouched. Reasons the level does not know
 * become 99; descriptions and texts are left out where it has none, and cut to 999 octets. SFID
 * and SSID keep to the legal alphabets, except for passwords, user fields and the reserved names
 * of oftp2.md 13.1; EERP and NERP echo what came. */

struct oftp_ssid {
    uint8_t lev;
    char code[OFTP_CODE + 1];
    char pswd[OFTP_PSWD + 1];
    uint32_t sdeb;
    char sr; /* 'S', 'R' or 'B' */
    bool cmpr, rest, spec;
    uint16_t cred;
    bool auth; /* false below level 5 */
    char user[OFTP_PSWD + 1];
};

struct oftp_sfid {
    char dsn[OFTP_DSN + 1];
    char date[9];  /* CCYYMMDD, or YYMMDD at level 1 and 2: as on the wire, opaque */
    char time[11]; /* HHMMSScccc, or HHMMSS                                       */
    char user[OFTP_PSWD + 1];
    char dest[OFTP_CODE + 1];
    char orig[OFTP_CODE + 1];
    char fmt; /* 'F', 'V', 'U' or 'T' */
    uint32_t lrecl;
    uint64_t fsiz, osiz; /* 1024-octet blocks */
    uint64_t rest;       /* blocks or records, see oftp_counts_records() */
    uint8_t sec, ciph, comp, env;
    bool sign; /* SFIDSIGN: a signed EERP is asked for */
    char desc[OFTP_TEXT + 1];
    uint16_t descl; /* octets in desc; it is UTF-8 from outside: may hold anything, even NUL */
};

struct oftp_sfna {
    int reas;
    bool rrtr; /* may be retried later */
    char reast[OFTP_TEXT + 1];
};

struct oftp_efid {
    uint64_t rcnt, ucnt;
};

struct oftp_efna {
    int reas;
    char reast[OFTP_TEXT + 1];
};

struct oftp_esid_command {
    int reas;
    char reast[OFTP_TEXT + 1];
};

/* EERP and NERP. The spans are borrowed. */
struct oftp_response {
    bool negative; /* NERP */
    char dsn[OFTP_DSN + 1];
    char date[9], time[11];
    char user[OFTP_PSWD + 1]; /* EERP only */
    char dest[OFTP_CODE + 1]; /* SFIDORIG of the file */
    char orig[OFTP_CODE + 1]; /* SFIDDEST of the file */
    char crea[OFTP_CODE + 1]; /* NERP only            */
    int reas;                 /* NERP only            */
    char reast[OFTP_TEXT + 1];
    struct span hsh, sig; /* empty: unsigned */
};

/* Levels: enum oftp_level as agreed for the session. */
MUST_CHECK bool oftp_read_ssrm(struct span oeb, struct err *err);
MUST_CHECK bool oftp_read_ssid(struct span oeb, struct oftp_ssid *c, struct err *err);
MUST_CHECK bool oftp_read_sfid(struct span oeb, int level, struct oftp_sfid *c,
                               struct err *err);
MUST_CHECK bool oftp_read_sfpa(struct span oeb, int level, uint64_t *aacnt, struct err *err);
MUST_CHECK bool oftp_read_sfna(struct span oeb, int level, struct oftp_sfna *c,
                               struct err *err);
MUST_CHECK bool oftp_read_efid(struct span oeb, int level, struct oftp_efid *c,
                               struct err *err);
MUST_CHECK bool oftp_read_efpa(struct span oeb, bool *cd, struct err *err);
MUST_CHECK bool oftp_read_efna(struct span oeb, int level, struct oftp_efna *c,
                               struct err *err);
/* The level is told by the length. */
MUST_CHECK bool oftp_read_esid(struct span oeb, struct oftp_esid_command *c, struct err *err);
/* CD, RTR, SECD, CDT: only the length. */
MUST_CHECK bool oftp_read_bare(struct span oeb, struct err *err);
MUST_CHECK bool oftp_read_eerp(struct span oeb, int level, struct oftp_response *c,
                               struct err *err);
MUST_CHECK bool oftp_read_nerp(struct span oeb, int level, struct oftp_response *c,
                               struct err *err);
MUST_CHECK bool oftp_read_auch(struct span oeb, struct span *chal, struct err *err);
MUST_CHECK bool oftp_read_aurp(struct span oeb, uint8_t rsp[OFTP_CHALLENGE_SIZE],
                               struct err *err);

struct writer;
MUST_CHECK bool oftp_write_ssrm(struct writer *w, struct err *err);
MUST_CHECK bool oftp_write_ssid(struct writer *w, const struct oftp_ssid *c, struct err *err);
MUST_CHECK bool oftp_write_sfid(struct writer *w, int level, const struct oftp_sfid *c,
                                struct err *err);
MUST_CHECK bool oftp_write_sfpa(struct writer *w, int level, uint64_t aacnt, struct err *err);
MUST_CHECK bool oftp_write_sfna(struct writer *w, int level, const struct oftp_sfna *c,
                                struct err *err);
MUST_CHECK bool oftp_write_efid(struct writer *w, int level, const struct oftp_efid *c,
                                struct err *err);
MUST_CHECK bool oftp_write_efpa(struct writer *w, bool cd, struct err *err);
MUST_CHECK bool oftp_write_efna(struct writer *w, int level, const struct oftp_efna *c,
                                struct err *err);
MUST_CHECK bool oftp_write_esid(struct writer *w, int level, const struct oftp_esid_command *c,
                                struct err *err);
/* command: 'R' CD, 'P' RTR, 'J' SECD, 'C' CDT. */
MUST_CHECK bool oftp_write_bare(struct writer *w, char command, struct err *err);
MUST_CHECK bool oftp_write_eerp(struct writer *w, int level, const struct oftp_response *c,
                                struct err *err);
MUST_CHECK bool oftp_write_nerp(struct writer *w, int level, const struct oftp_response *c,
                                struct err *err);
MUST_CHECK bool oftp_write_auch(struct writer *w, struct span chal, struct err *err);
MUST_CHECK bool oftp_write_aurp(struct writer *w, const uint8_t rsp[OFTP_CHALLENGE_SIZE],
                                struct err *err);

/* Whether counts and restart positions of such a file are records (F, V without envelope)
 * or 1024-octet blocks. oftp2.md 8.1. */
bool oftp_counts_records(char fmt, uint8_t env);

/* Octets to 1024-octet blocks, rounded up. */
uint64_t oftp_blocks(uint64_t octets);

/* Whether code is a possible identification code: 1 to 25 octets of the X alphabet (RFC 5024
 * 5.4, blanks inside allowed). */
bool oftp_code_valid(const char *code);
/* Whether text is made of the X alphabet only, without blanks, 1 to max octets. */
bool oftp_x_valid(const char *text, size_t max);
/* Makes a legal SFIDDSN of any text (a file name): upper case, '-' for what is not allowed,
 * cut to 26. dsn has OFTP_DSN + 1 octets. */
void oftp_dsn_from(char *dsn, const char *text);
/* Longest prefix of text[n] of at most max octets that ends at a UTF-8 character boundary. */
size_t oftp_utf8_cut(const char *text, size_t n, size_t max);

/* One line that names every field of an exchange buffer: "SSID lev=5 code=... pswd=***".
 * Passwords, challenges and file content are not shown; octets outside printable ASCII are
 * escaped. level 0 means not agreed yet. Cuts at cap; always ends with NUL. */
void oftp_describe(struct span oeb, int level, char *text, size_t cap);

/* ---- DATA buffers (data.c; RFC 5024 section 7, oftp2.md section 4) --------------------- */

/* Packs octets of a virtual file into one DATA exchange buffer. Zero it, set the options and
 * call oftp_pack_begin for each buffer. */
struct oftp_pack {
    bool compress; /* SSIDCMPR was agreed: runs may be folded */
    uint8_t *oeb;  /* the buffer being filled: borrowed from oftp_pack_begin */
    size_t cap, n; /* n counts the 'D' */
};

/* cap: at least 3, at most what was agreed in SSIDSDEB. */
void oftp_pack_begin(struct oftp_pack *pk, uint8_t *oeb, size_t cap);
/* Takes octets from the front of *in while there is room. When all of *in fitted and
 * `end_of_record` is set, the last subrecord carries EOR (an empty *in gives the empty
 * subrecord 80). True when everything, the end of record included, is in the buffer; false
 * when the buffer is full: send it, begin another and call again with the rest. */
MUST_CHECK bool oftp_pack(struct oftp_pack *pk, struct span *in, bool end_of_record);

/* Unpacks DATA exchange buffers. Zero it at the start of each file. */
struct oftp_unpack {
    uint64_t octets;        /* represented so far                               */
    uint64_t records;       /* ends of record seen so far                       */
    uint64_t record_octets; /* in the record that is open                 */
};

/* Unpacks whole subrecords from the front of *in (the exchange buffer after its 'D') to the front
 * of *out and advances both. Stops before a subrecord that does not fit in *out or in ends[]: make
 * room and call again with what is left of *in. With 63 octets of *out and one of ends[] it always
 * gets further. Octets of *out behind the unpacked ones may be overwritten.
 *   ends, ends_cap, ends_n  lengths in octets of the records that ended in this call (UINT32_MAX
 *                           for longer ones); ends may be NULL when the caller does not care for
 *                           records, ends_n too.
 * Fails with FAIL_PEER and ESID_INVALID_DATA (06) for a subrecord longer than the rest of the
 * buffer or compressed with count 0; what comes before it has been unpacked. */
MUST_CHECK bool oftp_unpack(struct oftp_unpack *up, struct span *in, struct room *out,
                            uint32_t *ends, size_t ends_cap, size_t *ends_n, struct err *err);

/* ---- the session (session.c, start.c, speaker.c, listener.c; RFC 5024 section 9) --------
 *
 * The caller moves octets, acts on events and calls the functions below when the state allows
 * it. The order for a driver:
 *
 *   oftp_session_open
 *   loop: send oftp_session_output(), read, oftp_session_input() until the span is empty,
 *         acting on each event; when oftp_session_turn() says so, send something or pass the
 *         turn; when oftp_session_wants_data() says so, oftp_session_data();
 *         when the clock passes oftp_session_deadline(), oftp_session_expire()
 *   until oftp_session_over(). */

struct oftp_session;

struct oftp_config {
    bool initiator;
    int level_max, level_min; /* enum oftp_level */
    char code[OFTP_CODE + 1]; /* our own SSIDCODE and SSIDPSWD */
    char pswd[OFTP_PSWD + 1];
    char peer_code[OFTP_CODE + 1]; /* initiator: whom we called and what it must answer with */
    char peer_pswd[OFTP_PSWD + 1];
    bool peer_pswd_any; /* do not check the peer's password (an explicit setting) */
    uint32_t sdeb;      /* 128 .. 99999  */
    uint16_t cred;      /* 1 .. 999      */
    char sr;            /* 'B', 'S', 'R' */
    bool cmpr, rest, auth;
    /* Milliseconds; RFC 5024 wants timers, oftp2.md 6.8 has the values. */
    uint32_t start_ms;           /* connection to complete SSID         */
    uint32_t inactivity_ms;      /* any wait for the peer               */
    uint32_t end_file_ms;        /* EFID to EFPA or EFNA                */
    uint32_t disconnect_ms;      /* ESID to the peer's disconnect       */
    bool tolerate_sdeb_plus_one; /* take DATA one octet over SSIDSDEB (oftp2.md 15) */
};

enum oftp_event_kind {
    OFTP_NONE,          /* nothing to act on; with an empty span: more octets are needed      */
    OFTP_SSID,          /* responder: .ssid came: oftp_session_accept, or abort(03, 04, 08)   */
    OFTP_CHALLENGE_DUE, /* make and encrypt 20 octets: oftp_session_challenge                 */
    OFTP_CHALLENGE,     /* .octets: decrypt it and call oftp_session_respond, or abort(11)    */
    OFTP_STARTED,       /* the session is up; .ssid is the peer's                             */
    OFTP_FILE_OFFERED,  /* .sfid: answer with oftp_session_take_file or _refuse_file          */
    OFTP_DATA,          /* .octets of the file, .ends[.ends_n] lengths of records ended       */
    OFTP_CREDIT_DUE,    /* the window is used up: oftp_session_grant when there is room       */
    OFTP_FILE_ENDED,    /* .efid; .reason 0, or 10/11 when counts differ: oftp_session_end_taken
                           or _end_refused                                                    */
    OFTP_RESPONSE,      /* .response: store it, then oftp_session_ready                       */
    OFTP_FILE_ACCEPTED, /* .position: units the peer has; send from there                     */
    OFTP_FILE_REFUSED,  /* SFNA: .reason .retry .text                                         */
    OFTP_FILE_TAKEN,    /* EFPA: the peer has it in custody                                   */
    OFTP_FILE_FAILED,   /* EFNA: .reason .text                                                */
    OFTP_RESPONSE_TAKEN, /* RTR                                                                */
    OFTP_ENDED,   /* ESID(00) came, in order: disconnect                                */
    OFTP_ABORTED, /* .reason .text .local: the session failed. When .local, an ESID is
                           in the output where the protocol has one. Send, then disconnect    */
};

struct oftp_event {
    enum oftp_event_kind kind;
    struct span octets;
    const uint32_t *ends;
    size_t ends_n;
    const struct oftp_ssid *ssid;
    const struct oftp_sfid *sfid;
    const struct oftp_efid *efid;
    const struct oftp_response *response;
    uint64_t position;
    int reason;
    bool retry, local;
    const char *text; /* "" when there is none; from the peer: may hold anything but NUL */
};

/* NULL when memory is out. Given: oftp_session_free. */
struct oftp_session *oftp_session_new(void);
void oftp_session_free(struct oftp_session *s);

/* The connection stands. cfg is copied; of a responder's only limits and timers are used until
 * oftp_session_accept. A responder's SSRM is in the output afterwards. */
void oftp_session_open(struct oftp_session *s, const struct oftp_config *cfg, uint64_t now_ms);

/* Takes octets from *in up to the next event and fills *ev (whose pointers live until the next
 * call on s). Never fails: what the peer does wrong comes as OFTP_ABORTED. Call it until *in is
 * empty: while one exchange buffer has more events to give, a part of it stays in *in, which must
 * then come back as it was left. A responder's OFTP_STARTED after oftp_session_respond needs no
 * octets: the next call gives it, *in empty or not. */
void oftp_session_input(struct oftp_session *s, struct span *in, uint64_t now_ms,
                        struct oftp_event *ev);

/* Whether everything received so far were whole exchange buffers: a reader of the same octets may
 * begin here. */
bool oftp_session_between(const struct oftp_session *s);
/* What to send now (borrowed until the next call on s) and how much of it was sent. */
struct span oftp_session_output(const struct oftp_session *s);
void oftp_session_sent(struct oftp_session *s, size_t n, uint64_t now_ms);

/* When expire must be called at the latest; UINT64_MAX: never. An expired session gives
 * OFTP_ABORTED with ESID_TIMEOUT, or is silently over when it only waited for the disconnect.
 * OFTP_NONE otherwise: it was too early, or the wait began with one of the requests below, which
 * tell no time, and is counted from now_ms: ask for the deadline again. */
uint64_t oftp_session_deadline(const struct oftp_session *s);
void oftp_session_expire(struct oftp_session *s, uint64_t now_ms, struct oftp_event *ev);

/* True when nothing more will be sent or taken: close the connection. */
bool oftp_session_over(const struct oftp_session *s);
/* True once ESID was sent: flush, wait for the peer's disconnect until the deadline. */
bool oftp_session_ending(const struct oftp_session *s);

/* What follows answers an event or uses the turn. Each fails with FAIL_LOCAL when the state
 * does not allow it (the caller's mistake; the session is unharmed) or a value cannot be sent
 * at this level. Each puts its command into the output. */

/* Answers OFTP_SSID. cfg: our code, password, limits for this partner, copied. The negotiation
 * may fail: *ev is then OFTP_ABORTED, otherwise OFTP_STARTED, or OFTP_NONE when secure
 * authentication comes first. */
MUST_CHECK bool oftp_session_accept(struct oftp_session *s, const struct oftp_config *cfg,
                                    struct oftp_event *ev, struct err *err);
/* Ends the session with ESID, at any time. text may be NULL. */
void oftp_session_abort(struct oftp_session *s, int reason, const char *text);

MUST_CHECK bool oftp_session_challenge(struct oftp_session *s,
                                       const uint8_t challenge[OFTP_CHALLENGE_SIZE],
                                       struct span encrypted, struct err *err);
MUST_CHECK bool oftp_session_respond(struct oftp_session *s,
                                     const uint8_t plain[OFTP_CHALLENGE_SIZE], struct err *err);

/* True when we are the Speaker and idle: the four functions below may be called. */
bool oftp_session_turn(const struct oftp_session *s);
/* SFIDREST > 0 only when oftp_session_restart(); file formats as in sfid. */
MUST_CHECK bool oftp_session_offer_file(struct oftp_session *s, const struct oftp_sfid *sfid,
                                        struct err *err);
MUST_CHECK bool oftp_session_respond_file(struct oftp_session *s, const struct oftp_response *r,
                                          struct err *err); /* EERP or NERP */
/* Nothing (more) to send: CD, or ESID(00) where the rules ask for it (oftp2.md 6.2). */
MUST_CHECK bool oftp_session_pass_turn(struct oftp_session *s, struct err *err);

/* True while file octets can be taken: file open, credit left, room in the output. */
bool oftp_session_wants_data(const struct oftp_session *s);
/* Takes octets from the front of *in into DATA buffers as credit and room allow.
 *   end  *in ends a record (V) or the file (U, T, enveloped). For F records are cut by
 *        SFIDLRECL and end says that the file ends. With V an empty *in and end is a record
 *        of no octets.
 * True in *whole when all of *in and its end are packed; otherwise call again with the rest when
 * oftp_session_wants_data(). */
MUST_CHECK bool oftp_session_data(struct oftp_session *s, struct span *in, bool end,
                                  bool *whole, struct err *err);
/* After the last octet: EFID with the counts of the whole file; sent when the credit allows. */
MUST_CHECK bool oftp_session_file_end(struct oftp_session *s, const struct oftp_efid *efid,
                                      struct err *err);

/* Answers to OFTP_FILE_OFFERED. position: units kept from an earlier attempt (SFPAACNT), with
 * octets and records the totals they stand for, so that EFID can be checked. */
MUST_CHECK bool oftp_session_take_file(struct oftp_session *s, uint64_t position,
                                       uint64_t octets, uint64_t records, struct err *err);
MUST_CHECK bool oftp_session_refuse_file(struct oftp_session *s, int reason, bool retry,
                                         const char *text, struct err *err);
/* Answer to OFTP_CREDIT_DUE: CDT. */
MUST_CHECK bool oftp_session_grant(struct oftp_session *s, struct err *err);
/* Answers to OFTP_FILE_ENDED. want_turn: ask for the turn (EFPACD). */
MUST_CHECK bool oftp_session_end_taken(struct oftp_session *s, bool want_turn, struct err *err);
MUST_CHECK bool oftp_session_end_refused(struct oftp_session *s, int reason, const char *text,
                                         struct err *err);
/* Answer to OFTP_RESPONSE: RTR. */
MUST_CHECK bool oftp_session_ready(struct oftp_session *s, struct err *err);

/* What was agreed; 0 and false before that. */
int oftp_session_level(const struct oftp_session *s);
uint32_t oftp_session_sdeb(const struct oftp_session *s);
uint16_t oftp_session_credit(const struct oftp_session *s);
bool oftp_session_restart(const struct oftp_session *s);
bool oftp_session_compression(const struct oftp_session *s);
bool oftp_session_may_send_files(const struct oftp_session *s);
bool oftp_session_may_take_files(const struct oftp_session *s);
/* "OPI", "IDLESP", ...: the RFC's name of the state, for logs. */
const char *oftp_session_state(const struct oftp_session *s);

#endif
