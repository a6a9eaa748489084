/* Certificate components: made ready for a snapshot, listed, imported, exported, watched. */
#ifndef WAYBILL_CERTIFICATES_H
#define WAYBILL_CERTIFICATES_H

#include "gateway/gateway_int.h"

/* Fills sn->certificates from sn->components; what is wrong with one is in it, and in the log. */
void certificates_load(struct snapshot *sn, const struct config_runtime *rt);
void certificates_free(struct snapshot *sn);

/* The key that private keys in the store are sealed under. make: when there is no file. */
MUST_CHECK bool store_key_get(const struct config_runtime *rt, bool make,
                              uint8_t key[STORE_KEY_SIZE], struct err *err);

/* False: there is no such file. */
bool file_marks(const char *path, struct file_mark *mark);

/* Says in the log which certificates end within 30, 14 and 3 days and which revocation lists are
 * overdue; loads the certificates anew when a list has changed or is over, or the next certificate of
 * a roll-over takes its turn. */
struct watch;
struct watch *watch_new(struct gateway *g); /* NULL: memory is out, nothing is watched */
void watch_look(struct watch *w, const struct snapshot *sn);
void watch_free(struct watch *w);

/* Whole days until the last of the usable ones ends, negative when all have; INT_MIN: none is
 * usable. */
int certificate_days_left(const struct certificate *c, int64_t now_s);

#endif
