/* Alerts: what an operator must know of without looking. One thread looks about twice a second at
 * what the store counted and at the snapshot, gathers, and hands over by webhook and mail. Nothing
 * waits for it. What could not be delivered is kept, up to a bound, and tried again; documents that
 * came to a bad end are told of after a restart, too: `alerts.mark` in the data directory says up
 * to when that has been done. */
#ifndef WAYBILL_ALERT_H
#define WAYBILL_ALERT_H

#include "gateway/gateway_int.h"
#include "store/counts.h"

enum {
    ALERTS_LISTED = 30, /* of one message; more are only counted */
};

enum alert_kind {
    ALERT_LISTENER_ERRORED,
    ALERT_DOCUMENT_FAILED,
    ALERT_RECEIPT_OVERDUE,
    ALERT_CERTIFICATE_EXPIRING,
    ALERT_TEST,
    ALERT_KINDS,
};
const char *alert_kind_name(enum alert_kind k); /* "listener_errored", as in alerts.on */

/* All texts are one line of UTF-8 without control characters: alert_copy. */
struct alert {
    enum alert_kind kind;
    int64_t at_ms, document;     /* 0: about none */
    char partner[65], what[65];  /* what: listener, certificate, the document's listener */
    char name[128], state[16];   /* of a document */
    char reason[512], todo[256]; /* why, and what to do */
};
void alert_copy(char *to, size_t cap, const char *from);
#define ALERT_COPY(member, text) alert_copy((member), sizeof(member), (text))

/* What goes out together. */
struct alert_batch {
    struct alert list[ALERTS_LISTED];
    size_t n;
    uint64_t all, kinds[ALERT_KINDS]; /* with those that are not in the list */
    int64_t first_ms;                 /* of those about documents; 0: none */
};
void alert_add(struct alert_batch *b, const struct alert *one);

/* alert_text.c: in the arena; NULL when memory is out. */
const char *alert_summary(const struct alert_batch *b, const char *runtime, struct arena *a);
const char *alert_json(const struct alert_batch *b, const char *runtime, int64_t now_ms,
                       struct arena *a);
const char *alert_mail(const struct alert_batch *b, const struct config_runtime *rt,
                       int64_t now_ms, struct arena *a);

/* alert_send.c: one try. */
enum alert_channel { ALERT_WEBHOOK, ALERT_MAIL, ALERT_CHANNELS };
const char *alert_channel_name(enum alert_channel c);
bool alert_channel_on(const struct config_runtime *rt, enum alert_channel c);
MUST_CHECK bool alert_send(struct gateway *g, const struct config_runtime *rt,
                           enum alert_channel c, const struct alert_batch *b, struct err *err);

/* alert.c. Starts the thread, which also fills the minutes of the overview. */
struct alerts;
bool alerts_start(struct gateway *g, struct alerts **out, struct err *err);
/* Goes by these settings from the next look on. A channel that is new tells what happens from now on. rt
 * is taken. */
MUST_CHECK bool alerts_reload(struct alerts *s, struct config_runtime *rt, struct err *err);
/* The settings alerts go by: those of the start or of the last reload. Counted. */
struct alert_settings {
    unsigned uses; /* under the lock of struct alerts */
    struct config_runtime *rt;
    bool borrowed; /* of the start */
};
struct alert_settings *alerts_settings(struct alerts *s);
void alerts_settings_put(struct alerts *s, struct alert_settings *x); /* NULL is fine */
void alerts_stop(struct alerts *s);                                   /* NULL is fine */

#endif
