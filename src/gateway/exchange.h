/* Odette certificate exchange: certificates that come and go as files with reserved names.
 * oftp2.md 13.1 to 13.3.
 *
 * A certificate that comes is never the process's: it is checked by a worker and then refused
 * (NERP), put into use (EERP), or kept for an operator, who acknowledges or rejects the document. */
#ifndef WAYBILL_EXCHANGE_H
#define WAYBILL_EXCHANGE_H

#include "gateway/session_int.h"

/* "DELIVER", "REPLACE" or "REQUEST" by SFIDDSN; NULL: it is no certificate file. */
const char *exchange_kind(const char *dsn);
/* Whether such a file is as it must be: unprotected, small. False: *v says what is wrong. */
bool exchange_check(const struct oftp_sfid *f, struct verdict *v);
/* Whether a document came in as a certificate file. */
bool exchange_inbound(const struct document *d);

/* Runs the job of one: checks it, puts it into use or keeps it for an operator. */
void exchange_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                  struct document *d, struct arena *a);
/* The operator's word on one that waits. *taken false: the document is none. */
bool exchange_decide(struct gateway *g, int64_t document_id, bool positive, const char *text,
                     const char *who, bool *taken, struct err *err);

/* Answers a request: one certificate file for each certificate the identity has. */
bool exchange_answer(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                     const struct document *request, struct err *err);

#endif
