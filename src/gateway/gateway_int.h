/* Inside the gateway: what its files share. See gateway.h for what others may use. */
#ifndef WAYBILL_GATEWAY_INT_H
#define WAYBILL_GATEWAY_INT_H

#include "gateway/gateway.h"
#include "gateway/snapshot.h"
#include "net/log.h"
#include "oftp/oftp.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    /* Leases are given back on every path and die with the runtime. One that ran out under its
     * holder would run a process, or send a file, twice at the same time: so they are longer than
     * any step or the time between two restart points, where they are renewed. */
    LEASE_MS = 7 * 24 * 3600 * 1000,
    HOLD_MS = 10 * 1000,    /* a job whose outcome could not be stored waits for so long */
    SESSION_SLICE_MS = 500, /* how long a session waits before it looks for a stop */
    CHECKPOINT_FIRST = 8 * 1024 * 1024,  /* octets received before the first restart point */
    CHECKPOINT_EVERY = 64 * 1024 * 1024, /* octets between further ones, and */
    CHECKPOINT_MS = 1000,                /* time: a fast line does not wait for each */
    READ_SIZE = 256 * 1024,
};

struct session;
struct trace_hub;
struct caller;
struct acceptor;
struct poster;
struct keeper;
struct outboxes;

struct counters {
    atomic_ullong documents_in, documents_out, octets_in, octets_out, refused, failed;
    atomic_ullong as2_octets_in, as2_octets_out; /* of those */
    atomic_ullong sessions_in, sessions_out, sessions_failed, logons_refused;
    atomic_ullong receipts_in, receipts_out;
    atomic_ullong mdns_in, mdns_out, mdns_undelivered, posts, posts_failed;
    atomic_ullong purged_documents, purged_payloads, purged_octets, purged_receipts,
        purged_audit;
    atomic_ullong outbox_taken, outbox_failed;
    atomic_ullong held; /* documents, when they were counted last */
};

/* An AS2 request under way: a message coming in or going out. */
struct transfer {
    /* filled in before transfer_begin */
    bool outgoing, tls;
    int64_t document_id;
    uint64_t total; /* octets of the body; 0: not known */
    atomic_ullong done;
    /* by it */
    int64_t id, since_ms;
    char partner[129], peer[129], address[257];
    struct transfer *next;
};

struct listener_counts {
    char name[65];
    uint64_t documents, failures;
    int64_t last_ms;
    int64_t since_ms;     /* in its state */
    int64_t error_ms;     /* 0: there was none */
    char last_error[300]; /* of a session, a request or a document */
    struct listener_counts *next;
};

struct gateway {
    struct config_runtime *rt; /* as read at the start: limits and endpoints need a restart */
    struct store *store;
    atomic_bool stopping; /* take nothing new */
    atomic_bool ending;   /* the time for running transfers is over */
    atomic_bool stop_requested;
    atomic_bool ready;
    atomic_uint busy; /* workers that run a job */
    int64_t started_ms;

    pthread_mutex_t lock; /* guards what follows */
    struct snapshot *snap;
    struct session *sessions; /* linked by session.next */
    struct transfer *transfers;
    struct listener_counts *counts;
    char reserved_key[192]; /* identity key of a partial file that is being dropped */
    int64_t next_session;
    int64_t stamp_s;             /* second of the last SFIDTIME given ... */
    unsigned stamp_count;        /* ... and its counter */
    pthread_cond_t session_left; /* CLOCK_MONOTONIC: a session has ended or let go of a file */

    pthread_mutex_t apply;     /* one change of deployments at a time                 */
    pthread_mutex_t operators; /* one retry, receipt or cancellation by hand at a time */
    _Atomic int64_t
        told_hour; /* in which .told failures inside encrypted files were told apart */
    atomic_uint told;
    struct counters n;
    struct trace_hub *trace;
    struct acceptor *oftp2, *as2;
    struct poster *poster;
    struct caller *caller;
    struct workers *workers;
    struct keeper *keeper;
    struct outboxes *outboxes;
    struct alerts *alerts;
};

unsigned gateway_sessions_open(struct gateway *g);
/* Counted; snapshot_put. */
struct snapshot *gateway_snapshot(struct gateway *g);
void gateway_swap(struct gateway *g, struct snapshot *sn); /* taken */
/* Builds a new snapshot of what is deployed. g->apply is held. */
bool gateway_rebuild(struct gateway *g, struct err *err);
/* versions.c: while g->apply is held; 412. */
bool gateway_version_is(struct gateway *g, const char *kind, const char *name, int64_t version,
                        struct err *err);
/* gateway_apply while g->apply is held. */
bool gateway_apply_locked(struct gateway *g, struct span yaml, const char *file, bool dry_run,
                          const char *who, struct arena *a, struct gateway_applied **list,
                          size_t *n, struct config_problems *ps, struct err *err);
void gateway_count_document(struct gateway *g, const char *listener, bool failed);
/* The last thing that went wrong with a listener, for who asks how it is doing. */
void gateway_listener_error(struct gateway *g, const char *listener, const char *text);
/* The same for all OFTP2 listeners of a partner's code. */
void gateway_code_error(struct gateway *g, const struct snapshot *sn, const char *code,
                        const char *text);
/* A date and time this run of the program has not given before: SFIDDATE and SFIDTIME. Whether
 * an earlier run did, or local time before the clocks went back, only the store knows. */
void gateway_stamp(struct gateway *g, char date[9], char time[11]);
/* A stamp with which no file of this name went to this destination before: the partner would
 * take the new one for the old one, sent again. */
bool stamp_unused(struct gateway *g, struct oftp_sfid *f, struct err *err);

/* Lists it from here to transfer_end, up to which t is borrowed. Texts are copied, cut when too
 * long. */
void transfer_begin(struct gateway *g, struct transfer *t, const char *partner,
                    const char *peer, const char *address);
/* Nothing when it was not begun. */
void transfer_end(struct gateway *g, struct transfer *t);
/* Adds them to list, up to cap. g->lock is held. */
void transfers_list(struct gateway *g, struct arena *a, struct gateway_session *list, size_t *n,
                    size_t cap);

/* ---- documents --------------------------------------------------------------------------- */

/* What makes a virtual file the same one again: RFC 5024 and oftp2.md 9.3. In the arena. */
char *oftp_identity_key(struct arena *a, const char *dsn, const char *date, const char *time,
                        const char *orig, const char *dest);
/* Whether an outbound document other than this one has the key. */
bool outbound_key_taken(struct gateway *g, const char *key, int64_t but_id, bool *taken,
                        struct err *err);
/* Puts the SFID's fields into the properties that design.md section 7 names, and back. */
void props_from_sfid(struct props *ps, struct arena *a, const struct oftp_sfid *sfid,
                     int level);
void sfid_from_props(struct oftp_sfid *sfid, const struct props *ps);

/* What templates may speak of. x may be NULL. */
bool template_expand(const char *text, const struct document *d, const struct execution *x,
                     struct arena *a, char **out, struct err *err);

/* Adds to the batch what follows from a document being opened: tracked fields, process job,
 * receipt. The document is in its final form. */
void delivery_plan(struct gateway *g, struct store_batch *b, const struct listener *l,
                   const struct document *d, int64_t now_ms);
/* After its commit: logs what has been processed with it, there being no steps. */
void delivery_log(const struct listener *l, const struct document *d);

/* ---- receipts ---------------------------------------------------------------------------- */

/* Adds a receipt and its job for an inbound document: EERP when reason is 0, else NERP. */
void receipt_plan(struct gateway *g, struct store_batch *b, const struct document *d,
                  int reason, const char *text, int64_t now_ms);
/* Adds the response `theirs`, which settled a copy of the inbound document d, for d's originator:
 * every field as it came but for the stamp, which is d's. oftp2.md 9.8. */
bool receipt_pass_back(struct gateway *g, struct store_batch *b, const struct document *d,
                       const struct receipt *theirs, int64_t now_ms, struct err *err);
/* Takes an EERP or NERP from the session partner: stores it, settles the document. Durable on
 * return: then RTR. *odd counts those of the session that settled nothing; after many of them they
 * are not even stored. */
bool receipt_take(struct gateway *g, const struct oftp_response *r, int level, const char *peer,
                  const char *partner, unsigned *odd, struct err *err);
/* Rebuilds the command of one of our receipts. octets in the arena carry it. */
bool receipt_response(const struct receipt *rc, struct oftp_response *r, struct err *err);

/* ---- threads ----------------------------------------------------------------------------- */

struct thread_list; /* detached threads that are counted, so that a stop can wait for them */

/* The listening servers: gateway/acceptor.h stops and frees them. */
bool oftp2_server_start(struct gateway *g, struct acceptor **out, struct err *err);
bool as2_server_start(struct gateway *g, struct acceptor **out, struct err *err);

/* One step more of `waybill test`; since: net_now_ms() when it began. */
void gateway_test_add(struct gateway_test *r, struct arena *a, const char *step, bool ok,
                      uint64_t since, const char *text);

bool caller_start(struct gateway *g, struct caller **out, struct err *err);
void caller_stop(struct caller *c);
void caller_now(struct caller *c, const char *partner);

struct workers;
bool workers_start(struct gateway *g, unsigned n, struct workers **out, struct err *err);
void workers_stop(struct workers *w);

/* Retention: removes what is old and settled, in small helpings (gateway/retention.c). */
bool keeper_start(struct gateway *g, struct keeper **out, struct err *err);
void keeper_stop(struct keeper *k);

/* Watched folders (gateway/outbox.h). */
bool outboxes_start(struct gateway *g, struct outboxes **out, struct err *err);
void outboxes_stop(struct outboxes *o);

/* Runs the process of one document from its job. */
void process_run(struct gateway *g, const struct job *j);
/* Makes the opened form of a received document. */
void open_run(struct gateway *g, const struct job *j);

/* ---- tracing ----------------------------------------------------------------------------- */

struct trace_hub *trace_hub_new(void);
void trace_hub_free(struct trace_hub *h);
bool trace_wanted(struct trace_hub *h); /* anybody at all */
/* session 0: of none. */
void trace_line(struct trace_hub *h, int64_t session, const char *partner, const char *code,
                const char *line);
void trace_hub_stop(struct trace_hub *h);

/* openat(), made again when a signal came between. */
int open_again(int dir, const char *path, int flags, mode_t mode);

#endif
