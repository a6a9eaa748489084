/* AS2, RFC 4130: names, message identifiers, receipt requests, dispositions, MICs, MDNs and the
 * headers of requests. as2.md sections 1 to 4. The layers of a message are in as2/open.h and
 * as2/seal.h. Octets in, octets out: no I/O, no clock, no random source; times and random texts
 * are arguments.
 *
 * Failures: FAIL_PEER with .wire as the HTTP status for what a request must not look like (400 ...)
 * or 0; FAIL_TRUST with .wire one of enum as2_fault. */
#ifndef WAYBILL_AS2_H
#define WAYBILL_AS2_H

#include "cms/cms.h"
#include "mime/mime.h"

enum {
    AS2_NAME_MAX = 128,        /* characters of a decoded name     */
    AS2_MESSAGE_ID_MAX = 998,  /* characters of Message-ID         */
    AS2_MDN_MAX = 1024 * 1024, /* octets of an MDN                */
    AS2_MICALGS_MAX = 16,
    AS2_TEXT_MAX = 2048, /* octets of an MDN's text for people    */
};

/* ---- what a message fails with, as2.md 4.4 ------------------------------------------------ */

enum as2_fault {
    AS2_FINE,
    AS2_AUTHENTICATION = 100, /* authentication-failed                         */
    AS2_INTEGRITY,            /* integrity-check-failed                        */
    AS2_DECRYPTION,           /* decryption-failed                             */
    AS2_DECOMPRESSION,        /* decompression-failed                          */
    AS2_INSUFFICIENT,         /* insufficient-message-security                 */
    AS2_UNEXPECTED,           /* unexpected-processing-error                   */
    AS2_UNKNOWN_PARTNER,      /* unknown-trading-partner                       */
    AS2_DUPLICATE_NAME,       /* duplicate-filename                            */
    AS2_ILLEGAL_NAME,         /* illegal-filename                              */
    AS2_UNSUPPORTED_MICALG,   /* failed/failure: unsupported MIC-algorithms    */
    AS2_UNSUPPORTED_FORMAT,   /* failed/failure: unsupported format            */
    AS2_UNSUPPORTED_OPTION,   /* failed/failure, with a Failure: field         */
    AS2_SENDER_IS_RECEIVER,   /* failed/failure: sender-equals-receiver        */
    AS2_DUPLICATE,            /* processed/warning: duplicate-document         */
};

/* ---- names and identifiers, as2.md 1.2, 1.3 ---------------------------------------------- */

/* Decodes the value of AS2-From or AS2-To into name[AS2_NAME_MAX + 1]. False: no legal name. An
 * unquoted one may contain blanks (the caller looks it up whole, then up to the first blank), '"'
 * and '\\', which no partner's name sent rightly has. */
MUST_CHECK bool as2_name_read(const char *value, char name[AS2_NAME_MAX + 1]);
/* The form to send: quoted only when needed. text[2 * AS2_NAME_MAX + 3]. */
void as2_name_write(const char *name, char *text);
/* The value to send back: as it was quoted when that was legal, else in the form above. NULL: no
 * legal name, or memory is out. */
const char *as2_name_echo(const char *value, struct arena *a);
/* Blanks around and one pair of <> cut: what identifies a message. False: empty, too long or with
 * other than printable ASCII, which no MDN could repeat. id[AS2_MESSAGE_ID_MAX + 1]. */
MUST_CHECK bool as2_message_id_read(const char *value, char *id);
/* "<" time "-" random "@" domain ">" with what is illegal in a Message-ID cut out of domain. */
const char *as2_message_id_make(struct arena *a, int64_t now_ms, const char *random,
                                const char *domain);

/* ---- digests and their names, as2.md 1.4, 3.2, 7.2 ---------------------------------------- */

/* NID of a digest in any of the spellings of as2.md 1.4; NID_undef: none. */
int as2_digest_of(struct span name);
/* The spelling for micalg and MIC: sha1, md5, sha-256 ...; legacy (RFC 3851): sha256. */
const char *as2_digest_name(int nid, bool legacy);

/* ---- the receipt that is asked for, as2.md 1.4 -------------------------------------------- */

struct as2_micalg {
    int nid; /* NID_undef: a name we do not know */
    const char *spelling;
};
struct as2_request {
    bool mdn;      /* Disposition-Notification-To is there, empty or not            */
    bool protocol; /* signed-receipt-protocol names pkcs7-signature                 */
    bool has_options, broken;
    const char
        *bad_required; /* an attribute or protocol that is required and unknown, else NULL */
    bool bad_protocol; /* ... it is the protocol ("unsupported format")         */
    struct as2_micalg micalgs[AS2_MICALGS_MAX];
    size_t micalgs_n;
    const char *async_url; /* NULL: synchronous. Only set with mdn                     */
};
/* The three values, each NULL when the header is missing. Never fails: an unreadable options header
 * sets .broken (unsigned MDN; nothing of it is used). Names beyond AS2_MICALGS_MAX are left out. In
 * the arena; when that has failed, nothing of it counts. */
void as2_request_read(const char *to, const char *options, const char *delivery,
                      struct arena *a, struct as2_request *r);

/* What is to be answered, decided before the body: the table of as2.md 1.4. allowed: the policy;
 * NULL: all but MD5. */
struct as2_receipt_plan {
    bool mdn, is_signed;
    int digest;  /* of the MDN's signature; NID_undef: that of the message's, else SHA-256 */
    bool failed; /* failed/failure: nothing is delivered                    */
    enum as2_fault fault; /* which one; AS2_FINE                                */
    const char
        *failure; /* for as2_mdn.failure: "unsupported format", ..., or the attribute that is
                             required and unknown; borrowed from the request or static */
};
void as2_receipt_plan_make(const struct as2_request *r, bool (*allowed)(int nid),
                           struct as2_receipt_plan *plan);

/* Which digest the MIC is made with (as2.md 3.2) and how it is spelt. signature: the digest of the
 * message's signature, NID_undef without one. by_list: the first supported of the list even when
 * the signature's own is in it (setting mic_algorithm: list). fallback: for unsigned messages
 * without a list. r may be NULL. .nid is NID_undef when none of a list is supported: no MIC. */
struct as2_mic_choice {
    int nid;
    const char *spelling; /* borrowed from the request, or static */
};
struct as2_mic_choice as2_mic_choose(const struct as2_request *r, int signature, bool by_list,
                                     int fallback, bool (*allowed)(int nid));

/* ---- outcomes, as2.md 4.3, 4.4 ------------------------------------------------------------ */

/* "processed/error: decryption-failed"; AS2_FINE: "processed". */
const char *as2_fault_disposition(enum as2_fault f);

enum as2_class {
    AS2_POSITIVE,
    AS2_WARNING,           /* processed/warning: the message was taken          */
    AS2_UNTRUSTED,         /* warning: authentication-failed, processing continued */
    AS2_DUPLICATE_WARNING, /* warning: duplicate-document: success after a resend */
    AS2_NEGATIVE,
    AS2_INVALID, /* no disposition anybody may act on                   */
};
/* The value of Disposition (unfolded), the table of 13.5. detail: the text behind the modifier, in
 * the arena, "" without. */
enum as2_class as2_disposition_read(const char *value, struct arena *a, const char **detail);

/* ---- MIC, as2.md 3 ------------------------------------------------------------------------ */

struct as2_mic {
    int nid;
    size_t n; /* 0: there is none */
    uint8_t value[EVP_MAX_MD_SIZE];
};
/* "base64, sha-256": text of a field or property. spelling NULL: as2_digest_name. NULL: there is no
 * MIC, or memory is out. */
const char *as2_mic_write(const struct as2_mic *m, const char *spelling, struct arena *a);
/* Any spelling, blanks, quotes, comments. False: malformed, or not of the digest's length. A name we
 * do not know or none: .nid NID_undef, which equals nothing. */
MUST_CHECK bool as2_mic_read(const char *value, struct as2_mic *m);
/* In constant time. False when one is missing or of no known digest. */
bool as2_mic_equal(const struct as2_mic *a, const struct as2_mic *b);

/* ---- MDN, as2.md 4 ------------------------------------------------------------------------- */

struct as2_mdn {
    const char *reporting_ua;        /* NULL: none */
    const char *final_recipient;     /* AS2-To of the message as it came (quoting kept) */
    const char *original_message_id; /* octet for octet */
    enum as2_fault fault;
    /* text of a Failure, Error or Warning field, as the fault wants it; made ASCII; NULL: none */
    const char *failure;
    const char *mic;  /* as2_mic_write; NULL: no field */
    const char *text; /* for people; made ASCII, '\\n' ends a line, other control characters are
                         replaced; cut at AS2_TEXT_MAX */
    /* random, different and none the beginning of the other, of letters, digits and "_=.-" */
    const char *boundary_outer, *boundary_inner;
};
/* The whole body. signer NULL: unsigned, and how is not looked at; its .signers and .detached are
 * set here. content_type: for the HTTP header, one line. Both in the arena. Whatever came from the
 * partner is checked: CR, LF, NUL and what is not ASCII never get out (FAIL_LOCAL). A recipient
 * whose quoting is illegal is quoted rightly. */
MUST_CHECK bool as2_mdn_make(const struct as2_mdn *m, const struct cms_signer *signer,
                             const struct cms_sign_options *how, bool legacy_names,
                             struct arena *a, const char **content_type, struct span *body,
                             struct err *err);

struct as2_mdn_in {
    bool is_signed;
    struct span signed_octets; /* the report part as on the wire */
    struct span signature;     /* SignedData, transfer encoding removed */
    const char *micalg;        /* of the multipart, a hint; may be NULL */
    /* each NULL: none. The recipient without its address type, a comment behind <id> cut off */
    const char *reporting_ua, *final_recipient, *original_message_id;
    const char *disposition; /* unfolded value; NULL none */
    enum as2_class class;    /* AS2_INVALID without disposition */
    const char *detail;      /* "decryption-failed"; from the modifier or an Error: field */
    const char *mic_text;    /* NULL: no field */
    struct as2_mic mic;      /* .n 0: none or malformed */
    const char
        *text; /* for people: UTF-8 of at most AS2_TEXT_MAX octets, control characters but
                             '\\n' replaced; "" without */
};
/* Whether an entity is an MDN (as2.md 4.8), told by its Content-Type and the first octets of its
 * body (transfer encoding removed): multipart/report, for MDNs or for nobody knows what, bare or
 * signed. *more: not enough of them to tell; false then. NULL: no Content-Type. */
bool as2_is_mdn(const char *content_type, struct span body, bool *more);
/* Reads an MDN: header fields of the HTTP message, whole body, at most AS2_MDN_MAX. FAIL_PEER when
 * it is none or contradicts itself: two parts of fields, two Disposition, Original-Message-ID or
 * MIC fields that differ; of other fields the first counts. Spans are borrowed from body or in the
 * arena. The signature is not looked at. */
MUST_CHECK bool as2_mdn_read(const struct mime_head *http, struct span body, struct arena *a,
                             struct as2_mdn_in *out, struct err *err);
/* Verifies its signature by one of signers (cms_open_options.signers). FAIL_TRUST says why not:
 * AS2_AUTHENTICATION, AS2_INTEGRITY, AS2_INSUFFICIENT (a digest that is not allowed, no signature).
 * *layer is filled as far as known, also on failure. */
MUST_CHECK bool as2_mdn_verify(const struct as2_mdn_in *m, X509 *const *signers,
                               size_t signers_n, bool (*digest_allowed)(int nid),
                               struct cms_layer *layer, struct err *err);
/* The same by whom the options name: .signers, .vouch, .digest_allowed; others are not looked at. */
MUST_CHECK bool as2_mdn_verify_by(const struct as2_mdn_in *m,
                                  const struct cms_open_options *who, struct cms_layer *layer,
                                  struct err *err);

/* ---- headers ------------------------------------------------------------------------------- */

/* A list of header lines under construction; names that are none and values with CR, LF, other
 * control characters or what is not ASCII make it fail. Zero it to begin, but for .arena. */
struct as2_headers {
    struct arena *arena; /* borrowed */
    char *text;          /* "Name: value\r\n" ... */
    size_t n, cap;
    bool failed;
};
void as2_header(struct as2_headers *h, const char *name,
                const char *value); /* NULL value: none */
/* Characters beyond ASCII as RFC 2047 words, on one line; control characters as '?'. NULL: memory is
 * out. */
const char *as2_header_text(const char *utf8, struct arena *a);
/* "Sat, 21 Nov 2026 02:10:06 GMT". NULL: before 1970, or memory is out. */
const char *as2_date(int64_t now_ms, struct arena *a);

/* The headers every message and MDN carries: AS2-Version, AS2-From, AS2-To (as2_name_write is done
 * here unless *_raw), Message-ID, Date, Subject, MIME-Version, EDIINT-Features from 1.2 on. */
struct as2_envelope {
    const char *version;   /* "1.1", "1.2" */
    const char *from, *to; /* decoded names, or when raw as they came: as2_name_echo */
    bool raw_names;
    const char *message_id, *subject; /* subject may be UTF-8 */
    int64_t now_ms;
    const char *user_agent; /* NULL none; field User-Agent, or Server when `server` */
    bool server;
    const char *features; /* EDIINT-Features; sent iff version is 1.2 or more */
};
void as2_envelope_write(struct as2_headers *h, const struct as2_envelope *e);

#endif
