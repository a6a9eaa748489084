/* How the runtime is doing, in one answer that costs no look at the store's tables, but at the index of
 * the documents that are held. */
#ifndef WAYBILL_OVERVIEW_H
#define WAYBILL_OVERVIEW_H

#include "gateway/gateway.h"
#include "store/counts.h"

enum {
    OVERVIEW_MINUTES = 60,
    OVERVIEW_DAYS = 30,    /* certificates that end within */
    OVERVIEW_EXPIRING = 50 /* are told, at most so many, the first to end first */
};

struct gateway_expiring {
    const char *name;
    int days; /* negative: it has ended */
};

struct gateway_overview {
    bool ready;
    int64_t now_ms, started_ms;
    unsigned listening, paused, errored; /* listeners */
    unsigned sessions, as2_connections;  /* open now */
    uint64_t octets_in, octets_out;      /* since the start */
    struct store_counts counts;
    uint64_t held; /* documents that wait for an operator to release their receipt */
    struct store_minute minutes[OVERVIEW_MINUTES]; /* oldest first */
    uint64_t hour[STORE_OUTCOMES], day[STORE_OUTCOMES];
    struct gateway_expiring *expiring;
    size_t expiring_n;
    uint64_t disk_free, disk_total; /* octets, of the data directory; 0: not known */
};
/* Texts and lists in the arena. */
MUST_CHECK bool gateway_get_overview(struct gateway *g, struct arena *a,
                                     struct gateway_overview *out, struct err *err);

/* Octets a user may still write below the data directory, and of it in all. */
void gateway_disk(struct gateway *g, uint64_t *free_octets, uint64_t *total);

#endif
