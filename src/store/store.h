/* Custody: documents, their events, receipts, jobs, duplicates and deployments; payloads are in
 * store/payload.h. The words here fit an embedded store, a database server and an object
 * store alike; which one is used is said at store_open and nowhere else.
 *
 * Changes are collected in a batch and committed as a whole. store_commit returns after the
 * change would survive a power cut, and not before: only then may EFPA, RTR or an MDN be sent.
 * Concurrent commits share one sync (group commit). All functions may be called by any thread,
 * each batch and arena by one at a time. Times are milliseconds since 1970 UTC.
 * Failures: FAIL_LOCAL (disk full, damaged, rights), FAIL_AGAIN (conflict: the state was not
 * what the batch expected; nothing of the batch was done). */
#ifndef WAYBILL_STORE_H
#define WAYBILL_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/props.h"

struct store;
struct store_batch;

enum document_state {
    /* inbound */
    DOC_RECEIVING = 1,
    DOC_RECEIVED,
    DOC_OPENED,
    DOC_PROCESSING,
    DOC_PROCESSED,
    DOC_REFUSED,
    /* both */
    DOC_FAILED,
    /* outbound */
    DOC_QUEUED,
    DOC_SEALED,
    DOC_SENDING,
    DOC_SENT,
    DOC_ACKNOWLEDGED,
    DOC_REJECTED,
    DOC_OVERDUE,
};
#define DOC_BIT(state) (1u << (state))
#define DOC_ANY        0xFFFFFFFFu

const char *document_state_name(enum document_state st); /* "receiving"; "?" */
/* False when there is no such name. */
bool document_state_of(const char *name, enum document_state *st);

enum payload_kind { PAYLOAD_NONE, PAYLOAD_ROW, PAYLOAD_FILE, PAYLOAD_HERE };

/* Where octets are. A row payload is in the store itself, a file one in the payload folder; one that
 * is here is in memory still, and is only read, never stored. */
struct payload_ref {
    enum payload_kind kind;
    uint64_t size;    /* octets */
    const char *path; /* file: relative to the payload folder; here: the octets; else NULL */
};

/* All text in a document's arena. NULL text means none. */
struct document {
    int64_t id; /* > 0, ascending */
    bool outbound;
    enum document_state state;
    const char *protocol;   /* "oftp2", "as2" */
    const char *listener;   /* the process (inbound) or step/command that made it (outbound) */
    const char *partner;    /* the trading partner's name where known, else its ODETTE ID    */
    const char *from, *to;  /* originator and destination identifiers                        */
    const char *own, *peer; /* session partners: our SSIDCODE and theirs                    */
    const char *name;       /* SFIDDSN or file name */
    const char *identity_key; /* what makes it the same file again; see store_find_seen     */
    int64_t created_ms, changed_ms;
    uint64_t size;          /* of the opened document, octets */
    struct payload_ref raw; /* as on the wire                */
    struct payload_ref opened;
    uint64_t progress, total; /* octets moved so far, durable; octets in all where known    */
    uint64_t records;         /* F and V: records in raw/so far                             */
    const char *reason;       /* why refused, failed, rejected */
    bool redelivered;
    struct props props;
};

struct event {
    int64_t at_ms;
    const char *kind; /* "received", "efpa", "step", ... */
    const char *text;
};

struct receipt {
    int64_t id, document_id; /* document 0: it matches none */
    const char *kind;        /* "EERP", "NERP", "MDN" */
    bool outbound;           /* ours */
    const char *state;       /* "pending", "sent", "received", "unmatched", "refused" */
    int reason;
    const char *text;
    const char *creator;
    struct span octets; /* the command as on the wire (level 5 layout for ours) */
    int64_t at_ms;
};

enum job_kind {
    JOB_OPEN = 1,
    JOB_PROCESS,
    JOB_SEND,    /* OFTP2: in a session with the pair */
    JOB_RECEIPT, /* the same */
    JOB_SEAL,
    JOB_POST, /* AS2: one request; own, peer: the pair of AS2 names */
    JOB_MDN,  /* the same, for an asynchronous MDN of ours */
};

/* For not_before_ms of a job that waits for nothing: due whatever the clock shows when it is stored. */
#define JOB_AT_ONCE INT64_MIN

struct job {
    int64_t id;
    enum job_kind kind;
    int64_t document_id, receipt_id;
    const char *own, *peer; /* send, receipt: who to who (station codes) */
    int64_t not_before_ms;
    int attempts;
    int64_t step; /* process: the step to go on with */
    const char *last_error;
};

struct deployment {
    const char *kind, *name; /* "process", "partner", "identity", "certificate" */
    int64_t version;         /* 1, 2, ... */
    int64_t since; /* order in which its listening key was deployed: a store-wide count */
    bool paused;
    int64_t at_ms;
    const char *text; /* the YAML document */
};

struct execution {
    int64_t id, document_id;
    int64_t started_ms, ended_ms; /* ended 0: running or cut off */
    bool redelivered;
    const char *process;
    const char *outcome; /* NULL while running, "processed" or "failed" */
    const char *text;
};

struct tracked {
    const char *label, *value;
};

/* ---- opening -------------------------------------------------------------------------- */

struct store_config {
    const char *url;       /* "sqlite" */
    const char *directory; /* data directory; made when missing, with mode 0700 */
};

/* Opens and recovers: leases are void, executions without end are marked, unreferenced payload
 * files and quarantine are removed. One runtime at a time (FAIL_LOCAL names who holds it). */
MUST_CHECK bool store_open(const struct store_config *cfg, struct store **out, struct err *err);
/* Waits for commits under way. NULL is fine. */
void store_close(struct store *s);
/* A number never given before, across restarts too: for documents, receipts, jobs, executions. */
int64_t store_next_id(struct store *s);

/* ---- the store key ---------------------------------------------------------------------- */

enum { STORE_KEY_SIZE = 32 };

/* Reads it. *found false, key untouched: there is no such file. *shared: others than the owner
 * have rights to it. */
MUST_CHECK bool store_key_read(const char *path, uint8_t key[STORE_KEY_SIZE], bool *found,
                               bool *shared, struct err *err);
/* Makes one, never over another, for the owner only, and its folder; synced on return. */
MUST_CHECK bool store_key_make(const char *path, uint8_t key[STORE_KEY_SIZE], struct err *err);

/* Between these two all that this thread reads (documents, events, receipts, jobs ...; no search, no
 * payload) is of one moment. Not nested; end it soon: the log of changes grows meanwhile. */
MUST_CHECK bool store_view_begin(struct store *s, struct err *err);
void store_view_end(struct store *s);

/* ---- changes -------------------------------------------------------------------------- */

/* NULL when memory is out. Given: store_batch_free (store_commit does not free it). */
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b);

/* Everything handed to a batch is copied. */
void store_put_document(struct store_batch *b,
                        const struct document *d); /* insert or replace */
/* Moves a document that is in one of `from` (DOC_BIT) to `to`, with its event. Otherwise the
 * commit fails with FAIL_AGAIN. reason: kept with the document when not NULL. */
void store_set_state(struct store_batch *b, int64_t id, unsigned from, enum document_state to,
                     int64_t now_ms, const char *event, const char *text, const char *reason);
void store_set_raw(struct store_batch *b, int64_t id, const struct payload_ref *ref);
void store_set_opened(struct store_batch *b, int64_t id, const struct payload_ref *ref);
void store_set_progress(struct store_batch *b, int64_t id, uint64_t progress, uint64_t records);
void store_set_prop(struct store_batch *b, int64_t id, const char *name, const char *value);
void store_set_redelivered(struct store_batch *b, int64_t id);
/* Row payload: role 'r' raw or 'o' opened. */
void store_put_octets(struct store_batch *b, int64_t id, char role, struct span octets);
void store_add_event(struct store_batch *b, int64_t id, int64_t now_ms, const char *kind,
                     const char *text);
void store_put_receipt(struct store_batch *b, const struct receipt *r); /* insert or replace */
/* Of a receipt that is in the store; none is no failure. */
void store_set_receipt(struct store_batch *b, int64_t id, const char *state);
void store_add_tracked(struct store_batch *b, int64_t id, const char *label, const char *value);
/* Remembers an identification key until forget_ms. The commit fails with FAIL_AGAIN when
 * another document holds it already. */
void store_add_seen(struct store_batch *b, const char *key, int64_t document_id,
                    int64_t forget_ms);
/* Of the keys that begin with prefix, keeps those of the `keep` youngest documents. */
void store_trim_seen(struct store_batch *b, const char *prefix, uint32_t keep);
void store_put_job(struct store_batch *b, const struct job *j); /* insert or replace */
void store_end_job(struct store_batch *b, int64_t job_id);
void store_put_execution(struct store_batch *b, const struct execution *x);
/* Stores a new version (version and since are filled by the store: version = last + 1; since as
 * given, or when 0 the next of the store-wide count). Old versions are kept. */
void store_put_deployment(struct store_batch *b, const struct deployment *d);
void store_drop_deployment(struct store_batch *b, const char *kind, const char *name);
void store_set_paused(struct store_batch *b, const char *kind, const char *name, bool paused);
void store_add_audit(struct store_batch *b, int64_t now_ms, const char *who, const char *what);

/* Retention. Each does nothing, and leaves *done at 0, unless the document is as d says (state,
 * changed_ms, kinds of payload), has no jobs and, with `answered`, a receipt of ours. The first
 * removes its octets, the second all of it, if its identity_key is not remembered any more. *done
 * is 1 after a commit that did it: then its files, which d names, are to be removed
 * (payload_remove_all). done is borrowed until the commit has returned. */
void store_purge_octets(struct store_batch *b, const struct document *d, bool answered,
                        int64_t now_ms, uint64_t *done);
void store_purge_document(struct store_batch *b, const struct document *d, bool answered,
                          int64_t now_ms, uint64_t *done);
/* At most `most` of the oldest receipts that match no document, or audit lines, from before
 * before_ms; *done: how many it were. */
void store_purge_receipts(struct store_batch *b, int64_t before_ms, uint32_t most,
                          uint64_t *done);
void store_purge_audit(struct store_batch *b, int64_t before_ms, uint32_t most, uint64_t *done);

MUST_CHECK bool store_commit(struct store *s, struct store_batch *b, struct err *err);
/* The same with the next commit of anybody, and at once when none comes within moments or the store is
 * closed: for what is not lost with the batch, but done once more. Takes b, also on failure, which
 * *failed is told, from another thread; context outlives the store. */
void store_commit_soon(struct store *s, struct store_batch *b,
                       void (*failed)(void *context, const struct err *err), void *context);
/* A sync has failed: what is read is right, but nothing can be stored until it is opened anew. */
bool store_failed(struct store *s);

/* ---- reading --------------------------------------------------------------------------- */

/* *found false: no such document. Given: in the arena. */
MUST_CHECK bool store_get_document(struct store *s, int64_t id, struct arena *a,
                                   struct document *d, bool *found, struct err *err);

/* Whether it was taken with acknowledge: manual and has not been answered. */
bool document_held(const struct document *d);

struct document_filter { /* NULL and 0: any; all that is given must fit */
    const char *state, *partner, *protocol, *name, *listener;
    int direction; /* 1 inbound, 2 outbound */
    /* name, or what a file we sent by OFTP2 was called before (property file_name) */
    const char *file_name, *file_name_prefix;
    const char *text;       /* prefix of name, that property, from or to */
    const char *message_id; /* of AS2 (property as2.message_id), with or without <> */
    int64_t from_ms, to_ms; /* created then */
    const char *tracked_label, *tracked_value, *tracked_value_prefix; /* of one tracked field */
    const char *identity_key;
    bool held;         /* waits for an operator to release its receipt: document_held */
    int64_t before_id; /* paging: documents with a smaller id, newest first */
    size_t limit;      /* 0: 100; at most 1000 */
};
MUST_CHECK bool store_find_documents(struct store *s, const struct document_filter *f,
                                     struct arena *a, struct document **list, size_t *n,
                                     struct err *err);
MUST_CHECK bool store_events(struct store *s, int64_t document_id, struct arena *a,
                             struct event **list, size_t *n, struct err *err);
/* Newest first. document_id 0: the newest 100 of all. state NULL: any. */
MUST_CHECK bool store_receipts(struct store *s, int64_t document_id, const char *state,
                               struct arena *a, struct receipt **list, size_t *n,
                               struct err *err);
/* Those of all documents, newest first: at most limit (0: 100; at most 1000) with a smaller id than
 * before_id (0: any). */
MUST_CHECK bool store_receipts_page(struct store *s, const char *state, int64_t before_id,
                                    size_t limit, struct arena *a, struct receipt **list,
                                    size_t *n, struct err *err);
MUST_CHECK bool store_tracked(struct store *s, int64_t document_id, struct arena *a,
                              struct tracked **list, size_t *n, struct err *err);
MUST_CHECK bool store_executions(struct store *s, int64_t document_id, struct arena *a,
                                 struct execution **list, size_t *n, struct err *err);
/* The newest version of each. kind NULL: all, in the order certificate, identity, partner,
 * process, then by since. */
MUST_CHECK bool store_deployments(struct store *s, const char *kind, struct arena *a,
                                  struct deployment **list, size_t *n, struct err *err);
/* All versions there were of one component, the newest first, at most 1000; n 0: there was none. */
MUST_CHECK bool store_versions(struct store *s, const char *kind, const char *name,
                               struct arena *a, struct deployment **list, size_t *n,
                               struct err *err);
/* The document that holds this key; 0: none. */
MUST_CHECK bool store_find_seen(struct store *s, const char *key, int64_t now_ms,
                                int64_t *document_id, struct err *err);
/* Outbound documents in state sent since before `before_ms`. */
MUST_CHECK bool store_find_unanswered(struct store *s, int64_t before_ms, struct arena *a,
                                      struct document **list, size_t *n, struct err *err);
/* For retention: documents in `state`, or with octets when state is 0, and with an id greater than
 * after_id, oldest first. */
MUST_CHECK bool store_find_next(struct store *s, enum document_state state, int64_t after_id,
                                uint32_t limit, struct arena *a, struct document **list,
                                size_t *n, struct err *err);
/* A row payload's octets, in the arena. */
MUST_CHECK bool store_get_octets(struct store *s, int64_t id, char role, struct arena *a,
                                 struct span *octets, struct err *err);
/* Documents by state, for counters: counts[state]. */
MUST_CHECK bool store_count_states(struct store *s, uint64_t counts[16], struct err *err);
/* Of those that are held; costs what they are. */
MUST_CHECK bool store_count_held(struct store *s, uint64_t *n, struct err *err);

/* ---- jobs ------------------------------------------------------------------------------ */

/* Takes the oldest due job of one of `kinds` (1u << JOB_x) that nobody holds, for lease_ms.
 * own/peer: only jobs of that pair (NULL: any). after_id: only jobs with a greater id (0: any).
 * *found false: none is due. A lease ends by store_end_job, store_put_job (which gives it back),
 * store_release_job, time (store_hold_job), or the end of the runtime that holds it. */
MUST_CHECK bool store_take_job(struct store *s, unsigned kinds, const char *own,
                               const char *peer, int64_t after_id, int64_t now_ms,
                               int64_t lease_ms, struct arena *a, struct job *j, bool *found,
                               struct err *err);
void store_release_job(struct store *s, int64_t job_id);
/* The lease ends at until_ms instead: renews it, or keeps a job that failed from being taken again
 * at once. Nothing is written; a runtime that ends forgets it. */
void store_hold_job(struct store *s, int64_t job_id, int64_t until_ms);
/* Jobs of kinds for this peer that wait for their time and that nobody holds are due at now_ms, but for
 * those whose .step is but_step. How many. Nothing is written. */
size_t store_hurry_jobs(struct store *s, unsigned kinds, const char *peer, int64_t but_step,
                        int64_t now_ms);
/* Pairs (own, peer) that have jobs of one of kinds: .own, .peer and the earliest .not_before_ms
 * are set. Jobs not due yet are listed too; a leased job is due when its lease ends. */
MUST_CHECK bool store_job_pairs(struct store *s, unsigned kinds, struct arena *a,
                                struct job **list, size_t *n, struct err *err);
/* All jobs, oldest first; document_id 0: any. */
MUST_CHECK bool store_jobs(struct store *s, int64_t document_id, struct arena *a,
                           struct job **list, size_t *n, struct err *err);
/* Whether store_take_job would find one. */
bool store_job_waits(struct store *s, unsigned kinds, const char *own, const char *peer,
                     int64_t after_id, int64_t now_ms);
/* Milliseconds until the next job of kinds is due: 0 now, INT64_MAX none. */
MUST_CHECK bool store_next_due(struct store *s, unsigned kinds, int64_t now_ms, int64_t *in_ms,
                               struct err *err);
/* Waits until a commit has put a job, one is released, store_wake, or for at most wait_ms; *seen
 * is the count of these, kept by the caller between calls: none is missed. */
void store_wait_jobs(struct store *s, uint64_t *seen, int64_t wait_ms);
/* The same for jobs of kinds only. one: of all that wait so, one is woken for each job. */
void store_wait_kinds(struct store *s, unsigned kinds, bool one, uint64_t *seen,
                      int64_t wait_ms);
/* Wakes all in store_wait_jobs. */
void store_wake(struct store *s);

#endif
