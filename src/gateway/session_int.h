/* One OFTP session on one thread: the driver of the engine. session.c moves octets and acts on
 * events, incoming.c takes files, outgoing.c uses the turn. */
#ifndef WAYBILL_SESSION_INT_H
#define WAYBILL_SESSION_INT_H

#include "gateway/gateway_int.h"
#include "gateway/records.h"

/* A file being received. */
struct incoming {
    struct arena arena;
    struct document d;
    struct oftp_sfid sfid;
    const char *listener; /* name; in the arena */
    struct payload_writer *raw;
    struct payload_writer *index;            /* V: lengths of records */
    uint64_t next_checkpoint, checkpoint_ms; /* octets; when the last one was */
    bool too_large;
    bool stored; /* the document's row exists */
    bool failed; /* what came last was not taken: no restart point there */
};

/* A file being sent. */
struct sending {
    struct arena arena;
    struct document d;
    struct oftp_sfid sfid;
    struct job job;
    struct payload_reader *raw, *index;
    uint64_t at;               /* next octet of the file                    */
    struct records_in records; /* V: lengths of the records to come         */
    uint32_t record_left;      /* V: octets left of the record under way    */
    bool record_open;
    bool accepted;                           /* SFPA came                                 */
    bool ended;                              /* EFID is handed to the engine              */
    uint64_t next_checkpoint, checkpoint_ms; /* octets; when the last one was */
    uint8_t *buffer;                         /* READ_SIZE octets                          */
    size_t have, used;                       /* octets in buffer, of them taken           */
};

enum { RECEIPTS_TOLD = 16 };

struct session {
    struct gateway *g;
    struct session *next; /* in gateway.sessions */
    int64_t id, since_ms;
    bool initiator;

    struct conn *conn; /* guarded by gateway.lock while linked, for shutdown from outside */
    struct oftp_session *oftp;
    struct snapshot *snap; /* of the log-on */
    const struct config_runtime *rt;
    bool over_tls;
    bool certificate_vouched;      /* the endpoint has trusted_certificates: TLS checked it */
    bool certificate_needed;       /* the endpoint asks for a client certificate, the operation
                                 says which */
    const struct listener *logon;  /* whom the peer logged on to; NULL for calls without one */
    const struct partner *partner; /* calls: whom we call; else of the listener, or NULL */
    char partner_name[128];
    char own[OFTP_CODE + 1], peer[OFTP_CODE + 1];
    char peer_pswd[SECRET_MAX];
    char tls_text[96];
    bool started, test;
    bool refused_once; /* the log-on refusal is logged */

    struct incoming *in;
    struct sending *out;
    struct job receipt_job;   /* waiting for RTR; .id 0: none */
    char receipt_kind[8];     /* of that one */
    struct store_batch *told; /* receipts after RTR, for one commit: outgoing_note_told() */
    int64_t told_jobs[RECEIPTS_TOLD];
    unsigned told_n;
    int64_t last_send_job; /* jobs up to this id were tried in this session */
    int64_t last_receipt_job;
    unsigned refusals;     /* files refused to the partner       */
    unsigned odd_receipts; /* that matched nothing, or came again */
    uint64_t jobs_seen;    /* of store_wait_jobs                 */
    unsigned awaited;      /* documents taken whose receipt may still come in this session */
    uint64_t linger_until;

    /* for the API, under gateway.lock or atomic */
    char receiving_key[192]; /* identity key of the file being received */
    atomic_llong document_id;
    atomic_ullong done, total, octets_in, octets_out;

    struct session_trace *trace;
    char end_text[256];          /* why it ended; "" in order */
    int end_reason;              /* ESID reason; -1: the connection broke */
    struct gateway_test *result; /* test calls */
    struct arena *result_arena;
};

/* Runs a session on conn (taken) to its end, on this thread. tls_text may be "". */
void session_run(struct session *s);
/* NULL when memory is out. conn is taken in any case. */
struct session *session_new(struct gateway *g, struct conn *conn, bool initiator);
void session_free(struct session *s);
/* Links it so that the API and limits see it. False when the runtime stops. */
bool session_link(struct session *s);
void session_unlink(struct session *s);

uint64_t session_write_deadline(const struct session *s);
/* Ends the session with ESID 08 for a fault of ours: told is the partner's text, why our operator's.
 * Always true: the session goes on to its end in order. */
bool session_give_up(struct session *s, const char *told, const struct err *why);

/* incoming_decide.c: an SFNA in the making. */
struct verdict {
    int reason; /* SFNAREAS, 0: take it */
    bool retry;
    char text[200];    /* to the partner   */
    char look_at[200]; /* to our operator  */
};
/* Fills *v and returns false. */
bool verdict_no(struct verdict *v, int reason, bool retry, const char *text,
                const char *look_at);
/* The listener that takes this file, or NULL with *v. Duplicates are looked at later. */
const struct listener *incoming_decide(struct session *s, const struct snapshot *sn,
                                       const struct oftp_sfid *f, struct verdict *v);

/* incoming.c */
bool incoming_offer(struct session *s, const struct oftp_sfid *sfid, struct err *err);
bool incoming_data(struct session *s, const struct oftp_event *ev, struct err *err);
bool incoming_end(struct session *s, const struct oftp_event *ev, struct err *err);
/* Keeps the file of this identity from being received until the other is called; false when a
 * session receives it now. One at a time. */
bool incoming_reserve(struct gateway *g, const char *key);
void incoming_unreserve(struct gateway *g);
/* The session ended in the middle: keeps what came, for a restart. */
void incoming_cut(struct session *s);

/* outgoing.c */
/* It is our turn: sends a receipt, offers a file, waits a moment, or passes the turn. */
bool outgoing_turn(struct session *s, struct err *err);
bool outgoing_accepted(struct session *s, uint64_t position, struct err *err);
/* Hands octets to the engine as it takes them. A payload that cannot be read ends the session. */
void outgoing_pump(struct session *s);
bool outgoing_refused(struct session *s, const struct oftp_event *ev, struct err *err);
bool outgoing_taken(struct session *s, struct err *err);
bool outgoing_failed(struct session *s, const struct oftp_event *ev, struct err *err);
bool outgoing_receipt_taken(struct session *s, struct err *err);
/* Commits which receipts the partner has taken. Until then they count as not sent: after a crash
 * they are sent again, which he takes calmly. at_once false: with the next commit of anybody. */
void outgoing_note_told(struct session *s, bool at_once);
void outgoing_cut(struct session *s);
/* When a job that failed for the n-th time is tried again, by the partner's schedule. */
int64_t outgoing_backoff(const struct partner *p, int attempts, int64_t now_ms);

/* session_trace.c */
struct session_trace *session_trace_new(struct gateway *g, int64_t session);
void session_trace_free(struct session_trace *t);
void session_trace_octets(struct session_trace *t, bool sent, struct span octets, int level);
/* From here on the partner is known; lines held until now are handed on or dropped. */
void session_trace_partner(struct session_trace *t, const char *partner, const char *code);
/* Also collects the lines, for a test call. */
void session_trace_collect(struct session_trace *t, struct arena *a, const char ***lines,
                           size_t *n);

#endif
