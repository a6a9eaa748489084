/* A gateway for the API's tests: remembers what it was asked for. */
#ifndef WAYBILL_TEST_FAKE_H
#define WAYBILL_TEST_FAKE_H

#include "gateway/gateway.h"

#include <stdatomic.h>

struct gateway {
    struct config_runtime rt;
    struct store *store;
    char asked[256];      /* the last call, as text               */
    int fail_wire;        /* not 0: calls fail with this status   */
    uint64_t sent_octets; /* of the document handed in last       */
    uint8_t sent_sum;     /* all its octets, added                */
    atomic_bool committed;
    atomic_int begun, freed; /* documents handed in */
    atomic_bool stop;
    atomic_int traces; /* open ones */
};

#endif
