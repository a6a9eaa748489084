/* Watched folders: files put there are sent to a partner, each once.
 *
 * A file goes through these places, each step durable before the next:
 *   DIRECTORY/NAME                      put there by somebody
 *   DIRECTORY/.waybill-PARTNER/ID-NAME  taken: nobody else's any more, ID is never given again
 *   the store                           under an idempotency key made of ID and the file's marks
 *   removed, or DIRECTORY/sent/NAME; DIRECTORY/failed/NAME with NAME.reason when it cannot be sent
 * What a crash leaves in the second place is sent from there, and known by its key if it was. */
#ifndef WAYBILL_OUTBOX_H
#define WAYBILL_OUTBOX_H

#include "gateway/gateway_int.h"

enum { OUTBOX_NAME_MAX = 230 }; /* octets: longer ones have no room for the number in front */

/* Whether a file of this name is to be sent. */
bool outbox_wanted(const struct config_outbox *o, const char *name);
/* Moves dir/name to where it waits. False: it could not be; gone when it is not there any more. */
bool outbox_take(struct gateway *g, int dir, int work, const char *name, bool *gone,
                 struct err *err);
/* Sends one that waits as work/taken. False: it must be tried again later. */
bool outbox_send(struct gateway *g, const char *partner, const struct config_outbox *o, int dir,
                 int work, const char *taken);
/* "ID-NAME" gives NAME, or NULL. */
const char *outbox_name_of(const char *taken);

#endif
