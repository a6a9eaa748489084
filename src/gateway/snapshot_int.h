/* Inside the building of a snapshot: what snapshot.c and snapshot_as2.c share. */
#ifndef WAYBILL_SNAPSHOT_INT_H
#define WAYBILL_SNAPSHOT_INT_H

#include "gateway/snapshot.h"

/* The certificate component of a setting, with at least one certificate that can be used, or NULL
 * with *why in the arena. A NULL name is no certificate. */
const struct certificate *snapshot_usable(struct snapshot *sn, const char *name,
                                          const char *setting, const char **why);

/* The AS2 sides of components; certificates are there already. What is wrong goes to .error. */
void as2_identity_fill(struct snapshot *sn, const struct config_runtime *rt,
                       struct identity *id);
void as2_partner_fill(struct snapshot *sn, const struct config_runtime *rt, struct partner *p);
/* from, to and the collision; what is wrong goes to l->reason. Listeners before l in the snapshot
 * were deployed earlier. */
void as2_listener_resolve(struct snapshot *sn, const struct config_runtime *rt,
                          struct listener *l);

#endif
