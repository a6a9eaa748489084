/* What the store has done since it was opened, counted as it is committed: cheap to ask for, since
 * nothing is read from the tables. Any thread. */
#ifndef WAYBILL_STORE_COUNTS_H
#define WAYBILL_STORE_COUNTS_H

#include "store/store.h"

/* What becomes of a document. A document may come to several, one after the other. */
enum store_outcome {
    OUTCOME_RECEIVED, /* inbound: in custody */
    OUTCOME_PROCESSED,
    OUTCOME_REFUSED,
    OUTCOME_FAILED_IN,
    OUTCOME_QUEUED, /* outbound: from here on */
    OUTCOME_SENT,   /* the partner has it */
    OUTCOME_ACKNOWLEDGED,
    OUTCOME_REJECTED,
    OUTCOME_OVERDUE,
    OUTCOME_FAILED_OUT,
    STORE_OUTCOMES,
};
bool store_outcome_outbound(enum store_outcome o);
const char *store_outcome_name(enum store_outcome o); /* "failed" in both directions */
/* Whether an operator wants to know: refused, failed, rejected, overdue. */
bool store_outcome_bad(enum store_outcome o);

enum {
    STORE_PROTOCOLS = 2, /* OFTP2, AS2 */
    STORE_LATENCY_BOUNDS = 12,
    STORE_GROUP_BOUNDS = 8,
    STORE_JOB_KINDS = 8, /* greater than any enum job_kind */
    STORE_MINUTES = 24 * 60,
};
extern const char *const store_protocols[STORE_PROTOCOLS];
extern const uint32_t store_latency_bounds_us[STORE_LATENCY_BOUNDS];
extern const uint32_t store_group_bounds[STORE_GROUP_BOUNDS];
const char *store_job_kind_name(enum job_kind k); /* "open"; "?" */

struct store_counts {
    uint64_t documents[STORE_PROTOCOLS][STORE_OUTCOMES]; /* since the store was opened */
    /* Documents in a state now; not kept, and 0, for processed, acknowledged, refused, rejected. */
    int64_t in_state[16];
    /* Batches answered after a commit, and how long each caller waited. The last of each array
     * counts what is above all bounds; none is a sum of those before it. */
    uint64_t batches, batches_failed, latency_us, latency[STORE_LATENCY_BOUNDS + 1];
    /* Transactions, and how many batches one had. */
    uint64_t commits, groups[STORE_GROUP_BOUNDS + 1];
    struct {
        uint64_t open;
        int64_t oldest_ms; /* when the one that waits longest came; 0: there is none */
    } jobs[STORE_JOB_KINDS];
};
void store_get_counts(struct store *s, struct store_counts *out);
/* .in_state[st] > 0, for one that is kept. A caller whose commit was answered finds it counted. */
bool store_any_in_state(struct store *s, enum document_state st);

struct store_minute {
    int64_t minute; /* since 1970; 0: nothing was counted */
    uint32_t n[STORE_OUTCOMES];
    uint32_t commits; /* batches answered */
    uint64_t latency_us;
};
/* The n minutes (at most STORE_MINUTES) that end with the one of now_ms, oldest first. */
void store_get_minutes(struct store *s, int64_t now_ms, size_t n, struct store_minute *out);
/* Adds, once, what was before the store was opened, as far as the tables tell it: outcomes by the
 * time of the last change, at most 100,000 documents of the last hour and 5,000 bad ones of each
 * kind of the last day. Takes a moment: for a thread of its own.
 * Bad ends from after told_ms are to be taken, too. */
MUST_CHECK bool store_fill_minutes(struct store *s, int64_t told_ms, struct err *err);

/* A document that has come to a bad end. */
struct store_bad {
    int64_t id, at_ms; /* .changed_ms */
    enum store_outcome outcome;
};
/* Takes the oldest of those that were not taken yet: at most cap; *lost: how many were forgotten
 * since, because nobody took them. */
size_t store_take_bad(struct store *s, struct store_bad *list, size_t cap, uint64_t *lost);

#endif
