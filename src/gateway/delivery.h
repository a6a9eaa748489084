/* Inside the gateway: documents on their way from custody to the process. */
#ifndef WAYBILL_DELIVERY_H
#define WAYBILL_DELIVERY_H

#include "gateway/gateway_int.h"

/* Commits what became of a job. When that fails the job is tried again, though not at once: a full
 * disk must not make it spin. The batch is taken; NULL: there was no memory for one. */
bool job_commit(struct gateway *g, struct store_batch *b, const struct job *j,
                const char *what);
void job_done(struct gateway *g, const struct job *j);
/* Tries the job again a little later: the store or memory failed, not the document. */
void job_later(struct gateway *g, const struct job *j, const char *why);
/* The same with an event in the document's timeline. False, nothing done: it was tried often enough. */
bool document_later(struct gateway *g, const struct job *j, const char *event, const char *why);
/* Not the document's fault: tried again, and after a time kept in `failed`. */
void opening_failed(struct gateway *g, const struct job *j, const struct document *d,
                    const struct listener *l, const char *why);
/* Keeps the document in `failed` with the reason; NERP where the operation says so. */
void document_failed(struct gateway *g, const struct job *j, const struct document *d,
                     const struct listener *l, const char *reason);

/* The process that took the document, as it is deployed now; NULL: it is not, or is for the other
 * protocol: what is agreed there would neither decrypt nor verify this document. Borrowed from sn. */
const struct listener *document_listener(const struct snapshot *sn, const struct document *d);
/* When its receipt goes: one that was taken with `manual` waits for an operator whatever the process
 * says since, others go by the process as it is now. l NULL: it is not deployed. */
enum config_acknowledge document_acknowledge(const struct document *d,
                                             const struct listener *l);

/* Gives a document's opened octets to one that is to be sent. Records are given one by one when
 * it is sent again (gateway_send.again). */
bool send_copy(struct gateway *g, const struct document *d, struct gateway_outgoing *o,
               struct err *err);
/* For what is sent again: a record of format V begins, or ends. */
void send_record_begin(struct gateway_outgoing *o);
bool send_record_end(struct gateway_outgoing *o, struct err *err);
/* 404 without such a document. */
bool operator_load(struct gateway *g, int64_t id, struct arena *a, struct document *d,
                   struct err *err);
/* Commits b, which is taken, with a line of the audit log. */
bool operator_change(struct gateway *g, struct store_batch *b, const char *who,
                     const char *what, int64_t id, struct err *err);

/* Opens a secured file whose octets are in `raw` still, in the batch that takes it; delivery_plan
 * comes next. *out is to be freed after the commit: d->opened borrows from it. False: nothing was
 * done, a job is to open it. */
bool delivery_open_now(struct gateway *g, const struct snapshot *sn, struct store_batch *b,
                       struct document *d, const struct payload_writer *raw,
                       const struct listener *l, struct arena *a, struct payload_writer **out);

/* Writes a payload into a directory under a name that appears only when all is there and synced.
 * replace false: *exists tells that the name was taken. A failure with .wire DELIVER_NAMED came after
 * the file had its name: it may be there all the same. */
enum { DELIVER_NAMED = 1 };
bool deliver_file(struct gateway *g, const struct document *d, char role, const char *directory,
                  const char *name, bool replace, bool *exists, struct err *err);
/* A part of a document that has several (AS2 with attachments), or all of it. */
struct document_part {
    const char *name, *type;
    uint64_t at, left; /* octets of the opened payload; left UINT64_MAX: to its end */
};
/* How many parts it has, at least 1; part i from 0. */
size_t document_parts(const struct document *d);
void document_part(const struct document *d, size_t i, struct document_part *out);
/* deliver_file for one part. */
bool deliver_part(struct gateway *g, const struct document *d, char role,
                  const struct document_part *part, const char *directory, const char *name,
                  bool replace, bool *exists, struct err *err);
/* The same for a receipt of the document; an existing file is replaced. Any thread, also while another
 * delivers the document. */
bool deliver_receipt(struct gateway *g, int64_t id, struct span octets, const char *directory,
                     const char *name, struct err *err);
/* Archives the receipts made so far, where the operation asks for it. */
bool archive_receipts(struct gateway *g, const struct document *d, const struct listener *l,
                      struct err *err);
/* After a receipt that came later than the document's archiving: logs what goes wrong. */
void archive_answer(struct gateway *g, const struct document *d, const struct listener *l);
/* Archives the opened form, and the raw one where asked for. */
bool archive_document(struct gateway *g, const struct document *d, const struct listener *l,
                      struct err *err);

/* One step of a process (step_*.c). */
enum step_outcome { STEP_DONE, STEP_FAILED, STEP_LATER };
struct step_context {
    struct gateway *g;
    const struct document *d;
    const struct execution *x;
    const struct config_process *process;
    const struct config_step *step; /* of its steps */
    struct document_part part; /* exec, http: what this call is about; d->name is its name */
    size_t part_number, parts; /* from 1; 1 of 1 for documents of one piece */
    int attempts;              /* of this step so far                        */
    int64_t later_ms;          /* set with STEP_LATER: when to go on         */
    bool maybe_done;           /* it or STEP_FAILED: the next run may be a second delivery */
    char text[600];            /* what was done, or why not: for the event   */
    struct arena *arena;
};
/* Runs a step for each part of the document: a document with attachments is several to a program. */
enum step_outcome step_for_parts(struct step_context *c,
                                 enum step_outcome (*run)(struct step_context *c));
enum step_outcome step_write(struct step_context *c);
enum step_outcome step_exec(struct step_context *c);
enum step_outcome step_http(struct step_context *c);
enum step_outcome step_send(struct step_context *c);

#endif
