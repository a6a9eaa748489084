/* AS2 in the gateway: requests in, messages opened, MDNs made and taken, messages posted. as2.md
 * sections 4 to 6; the engine is as2/as2.h. */
#ifndef WAYBILL_AS2_INT_H
#define WAYBILL_AS2_INT_H

#include "as2/open.h"
#include "gateway/delivery.h"
#include "gateway/security.h"
#include "net/http.h"

/* ---- policy: as2_policy.c ------------------------------------------------------------------ */

/* A digest by NID, fetched once; NULL: not known to this libcrypto. */
const EVP_MD *as2_digest(int nid);
/* What the engine may open at all; what the operation allows is asked of the result. */
bool as2_digest_supported(int nid);
/* The policy for receipts: MD5 only where the operation's digests name it. */
typedef bool as2_digest_policy(int nid);
as2_digest_policy *as2_receipt_policy(const struct config_as2_operation *op);
/* What the agreement asks for, against what was found (as2.md 5.1 steps 14, 17, 20). False: *fault,
 * and the setting to look at in *err. */
MUST_CHECK bool as2_agreed(const struct config_process *p, const struct as2_opened *found,
                           enum as2_fault *fault, struct err *err);
/* The partner's signing certificates: valid ones, and those expired within the days of grace. */
void as2_signers(const struct as2_side *side, uint32_t grace_days, struct trusted *out);
/* 32 random hexadecimal digits. */
void as2_random(char text[33]);

/* ---- MDNs of ours: as2_answer.c ------------------------------------------------------------ */

/* Properties of an AS2 document that answering it needs. */
#define AS2_MESSAGE_ID   "as2.message_id" /* as it came */
#define AS2_FROM_RAW     "as2.from_raw"
#define AS2_TO_RAW       "as2.to_raw"
#define AS2_MDN_TO       "as2.disposition_notification_to"
#define AS2_MDN_OPTIONS  "as2.disposition_notification_options"
#define AS2_MDN_DELIVERY "as2.receipt_delivery_option"
#define AS2_MDN_URL      "as2.mdn_url" /* where it goes when the message proves its sender */
#define AS2_MDN_FALLBACK "as2.mdn_url_fallback" /* ... and when not */
#define AS2_MIC          "as2.mic"
#define AS2_ATTEMPTS     "as2.attempts" /* of opening it, since the last one that ended well */
#define AS2_AUTHENTIC    "as2.authenticated" /* "signature", "transport" */

/* The value of a property, "" without. */
const char *as2_prop(const struct document *d, const char *name);
/* Where an asynchronous MDN of this document goes; NULL: nowhere. */
const char *as2_mdn_url(const struct document *d);
/* The request for a receipt, read from the document's properties. */
void as2_request_of(const struct document *d, struct arena *a, struct as2_request *r);
/* Makes the MDN: header lines, an empty line, the body; in the arena. text: for people, NULL: one
 * that fits. */
MUST_CHECK bool as2_mdn_compose(struct gateway *g, const struct snapshot *sn,
                                const struct as2_side *us,
                                const struct config_as2_operation *op, const struct document *d,
                                const struct as2_receipt_plan *plan, enum as2_fault fault,
                                const char *failure, const char *text, struct arena *a,
                                struct span *mdn, struct err *err);
/* Adds to the batch the MDN of a document and, when it goes out by itself, its job. Nothing when
 * none was asked for. *mdn: the octets, in the arena (.n 0: none). */
MUST_CHECK bool as2_answer_plan(struct gateway *g, struct store_batch *b,
                                const struct snapshot *sn, const struct listener *l,
                                struct document *d, enum as2_fault fault, const char *failure,
                                const char *text, int64_t now_ms, struct arena *a,
                                struct span *mdn, struct err *err);
/* The same when a process or an operator has decided: the answer of `acknowledge: processed` and
 * `manual`. What cannot be made is told in the document's events. */
void as2_answer_later(struct gateway *g, struct store_batch *b, const struct document *d,
                      bool positive, const char *text, int64_t now_ms);
/* The stored MDN of a document: the newest. *found false: there is none. In the arena. */
MUST_CHECK bool as2_answer_stored(struct gateway *g, int64_t document_id, struct arena *a,
                                  struct receipt *rc, bool *found, struct err *err);
/* Posts a stored MDN (again): adds the job unless one waits already. */
MUST_CHECK bool as2_answer_again(struct gateway *g, const struct document *d,
                                 int64_t receipt_id, struct err *err);
/* Splits what as2_mdn_compose made: header lines (in the arena, with their CRLFs) and body. */
void as2_answer_split(struct span mdn, struct arena *a, const char **headers,
                      struct span *body);

/* ---- a message being opened: as2_opening.c, as2_open_run.c ------------------------------------ */

struct as2_in {
    struct gateway *g;
    const struct snapshot *sn; /* borrowed, like l */
    const struct listener *l;
    struct arena arena;
    struct document d;
    struct as2_request request;
    struct as2_receipt_plan plan;

    struct mime_head http; /* the fields that describe the body */
    struct own_keys keys;
    struct trusted signers;
    /* Being received: as it came, and where, when that had to be read before the commit (then to be
     * removed when there is none). NULL: it is in the store, see d.raw. */
    struct payload_writer *raw;
    struct payload_ref raw_ref;
    bool
        is_whole; /* nothing was received: the octets are those of the document that came first */

    struct as2_open *open;
    const struct as2_opened *found; /* once as2_in_end was called */
    struct payload_writer *opened;
    bool stopped;         /* nothing more is pushed */
    enum as2_fault fault; /* what the MDN will say */
    struct err why;       /* for the log */
    bool local;           /* it is our own failure: no MDN, the sender shall try again */
    bool over_budget;     /* too many failures behind CBC: the answer takes its time */
    size_t parts_n;       /* payloads that have begun */
    const char *first_name, *first_type; /* of the one that came first */
    int64_t replay_of;                   /* a document that has the same signature; 0 */
    const char
        *illegal_name; /* as it was made safe: a file name that had to be changed; NULL none */
};

/* Header fields of the HTTP message into properties, and back into in->http. */
void as2_in_keep_head(struct as2_in *in, const struct http_request *r);
bool as2_in_restore_head(struct as2_in *in, struct err *err);
/* Makes the opener and the quarantine. digest_besides: as in struct as2_open_options. */
void as2_in_begin(struct as2_in *in, int digest_besides);
void as2_in_write(struct as2_in *in, struct span octets);
/* The verdict: .fault, or .local. Opens again from the raw payload when the signer's digest was not
 * run along; reread gives its octets. */
void as2_in_end(struct as2_in *in,
                bool (*reread)(void *context, uint64_t at, struct room room, size_t *n,
                               struct err *err),
                void *context);
/* The last checks, just before the commit: file names that were seen before, where the operation
 * minds, and, with look, signatures that were: without, the commit fails with FAIL_AGAIN when there was
 * one. May change the verdict. False: the store failed. */
MUST_CHECK bool as2_in_last(struct as2_in *in, bool look, struct err *err);
/* Adds to the batch what follows from the verdict: the document's new state with its properties, the
 * job of its process, its MDN (*mdn). stored: the document is in the store already. */
MUST_CHECK bool as2_in_plan(struct as2_in *in, struct store_batch *b, bool stored,
                            int64_t now_ms, struct span *mdn, struct err *err);
/* After the commit: counters and the log's line. */
void as2_in_told(const struct as2_in *in);
/* Frees what it holds; the quarantine is removed unless it was committed. */
void as2_in_free(struct as2_in *in, bool committed);

/* A handler's answer without a body but a short text, and the log's line. */
void as2_refuse(struct gateway *g, struct http_request *r, int status, const char *text,
                const char *extra, const char *reason, const char *look_at);
/* What an exchange is about: filled from the head of the request. */
struct as2_head {
    const char *from_raw, *to_raw, *message_id;
    char from[AS2_NAME_MAX + 1], to[AS2_NAME_MAX + 1];
    bool authenticated; /* by its client certificate or with its password */
};
/* Takes the body of a message for l and answers. first: octets of the body read already. */
void as2_take_message(struct gateway *g, const struct snapshot *sn, const struct listener *l,
                      const struct as2_head *head, struct http_request *r, struct span first);

/* From its job: opens a received document, raw payload to opened payload. */
void as2_open_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                  struct document *d, const struct listener *l);

/* ---- duplicates: as2_duplicate.c ------------------------------------------------------------ */

/* "as2\x1fFROM\x1fTO\x1fid", the id without its brackets. */
const char *as2_key(struct arena *a, const char *from, const char *to, const char *message_id);
/* Adds the key to the batch and forgets old ones as the operation says. */
void as2_remember(struct gateway *g, struct store_batch *b, const struct listener *l,
                  const struct document *d, int64_t now_ms);
/* Forgets the key of a document that was refused: it may come again. */
void as2_forget(struct store_batch *b, const struct document *d, int64_t now_ms);

enum as2_again {
    AS2_AGAIN_NEW,   /* not a duplicate after all: take it */
    AS2_AGAIN_SAME,  /* *mdn is the answer (.n 0: none is owed), or is on its way */
    AS2_AGAIN_GONE,  /* received before, but its document is no longer kept */
    AS2_AGAIN_OTHER, /* the same Message-ID with other content */
    AS2_AGAIN_BUSY,  /* the first is still under way: 503 */
    AS2_AGAIN_FAULT, /* it does not open: the error it would get anyway */
};
/* What to do with a message whose key `original` holds. in: the verdict is in when sync. */
enum as2_again as2_duplicate(struct as2_in *in, int64_t original, struct span *mdn,
                             struct err *err);

/* ---- what was seen before: as2_seen.c --------------------------------------------------------- */

/* Whether a file name of this message came before from this partner. *name: which; NULL: none. */
MUST_CHECK bool as2_names_seen(struct as2_in *in, const char **name, struct err *err);
/* The document whose signature this message has, under another Message-ID; 0: none. as2.md 11.1 #17,
 * #18. */
MUST_CHECK bool as2_signature_seen(struct as2_in *in, int64_t *document_id, struct err *err);
/* Adds both to the batch of a message that is taken. signature: its is not remembered yet. A commit
 * fails with FAIL_AGAIN when another message was faster. */
void as2_seen_add(struct as2_in *in, struct store_batch *b, bool signature, int64_t now_ms);

/* ---- failures behind CBC are not for asking: as2_budget.c ------------------------------------- */

enum { AS2_FAILURES_A_MINUTE = 20, AS2_FAILURES_A_DAY = 500, AS2_BUDGETS_MAX = 1024 };

/* Counts one of this partner from this address: as2.md 11.1 #12. False: there were more than may be
 * told apart; *first: the minute's or day's first of these. In memory, for the youngest
 * AS2_BUDGETS_MAX pairs; now_ms is the clock that only goes on. */
bool as2_budget_take(const char *partner, const char *address, uint64_t now_ms, bool *first);

/* ---- where asynchronous MDNs go: as2_url.c --------------------------------------------------- */

/* as2.md 4.9: the URL to use when the message proves its sender, and the one to use when not; each
 * NULL: none. False: there is nowhere to send it, *err names the setting. In the arena. */
MUST_CHECK bool as2_mdn_urls(const struct listener *l, const char *wanted, struct arena *a,
                             const char **url, const char **fallback, struct err *err);

/* ---- MDNs of partners: as2_mdn_in.c ---------------------------------------------------------- */

struct as2_mdn_source {
    int64_t document_id;   /* the message whose answer this is; 0: posted to us */
    bool authenticated;    /* over TLS to a server we know, or with credentials */
    const char *from, *to; /* decoded AS2-From, AS2-To; NULL: missing (synchronous only) */
    struct mime_head head;
    struct span body;
};
/* What became of it: the HTTP status to answer with, and for synchronous ones what the sender of the
 * message does next. */
enum as2_settled {
    AS2_SETTLED,
    AS2_SETTLED_BEFORE, /* nothing was stored */
    AS2_SETTLED_NOT,
    AS2_SETTLED_MISSING
};
/* Stores it and settles the document it is about; durable on return. False: it could not be stored
 * (503). */
MUST_CHECK bool as2_mdn_take(struct gateway *g, const struct snapshot *sn,
                             const struct as2_mdn_source *src, int *status,
                             enum as2_settled *settled, struct err *err);

/* ---- out: as2_send.c, as2_post.c -------------------------------------------------------------- */

/* Properties of an outbound AS2 document. */
#define AS2_HEADERS "as2.headers" /* header lines of the request, fixed when it was sealed */

/* Whether this send goes out by AS2. */
bool as2_send_wanted(const struct snapshot *sn, const struct gateway_send *w);
/* Fills the document of an AS2 send, its id set; texts in the arena. */
MUST_CHECK bool as2_send_fill(struct gateway *g, const struct snapshot *sn,
                              const struct gateway_send *w, struct document *d, struct arena *a,
                              struct err *err);
/* Another Message-ID for a document that is to be sealed anew. False: memory is out. */
bool as2_send_renew(struct gateway *g, struct document *d, struct arena *a);
/* Seals a queued AS2 document from its job. *passes, when it fails: the disk, the store or memory did,
 * not the settings. */
MUST_CHECK bool as2_seal_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                             struct document *d, struct arena *a, bool *passes,
                             struct err *err);
/* What identifies an outbound message for the MDN that comes back. */
const char *as2_out_key(struct arena *a, const char *own, const char *peer,
                        const char *message_id);

/* Adds to *r what posting to the partner meets: at most 3 steps. */
void as2_test_partner(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                      struct arena *a, struct gateway_test *r);

bool poster_start(struct gateway *g, struct poster **out, struct err *err);
void poster_stop(struct poster *p); /* NULL is fine */

/* ---- the trace ---------------------------------------------------------------------------------- */
void as2_trace(struct gateway *g, int64_t session, const char *partner, const char *code,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
