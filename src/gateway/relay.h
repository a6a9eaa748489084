/* Files that are for somebody behind us: taken into custody, passed on, and the answer brought
 * back. oftp2.md 9.8.
 *
 * The file that came (the original) stays `processing` while one outbound document a recipient, a
 * copy, is under way. Whatever settles a copy puts, in the same change of the store, a job for the
 * original; the worker that runs it looks at all copies and answers when the last one is settled.
 * So no answer is lost by a crash, and none is given twice. */
#ifndef WAYBILL_RELAY_H
#define WAYBILL_RELAY_H

#include "gateway/gateway_int.h"

/* The entry of l's `relay` that takes files for this destination, or NULL. */
const struct config_relay *relay_route(const struct snapshot *sn, const struct listener *l,
                                       const char *dest);

/* Whether a document came in to be passed on. */
bool relay_inbound(const struct document *d);
/* The document that an outbound one is a copy of; 0: it is none. */
int64_t relay_original(const struct document *d);

/* Adds to the batch: look at this original again. */
void relay_wake(struct gateway *g, struct store_batch *b, int64_t original, int64_t now_ms);
/* Adds to the batch what follows from an outbound document that has failed for good: nothing
 * unless it is a copy. nerp: the reason for its originator. */
void relay_failed(struct gateway *g, struct store_batch *b, int64_t document_id, int nerp);
/* False (409) for what its originator was told of: it must send the file again itself. */
bool relay_may_retry(struct gateway *g, const struct document *d, struct err *err);

/* Runs the job of an original: passes it on, or answers. */
void relay_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
               struct document *d, struct arena *a);

#endif
