/* Octets of a payload through a pipe. */
#ifndef WAYBILL_PUMP_H
#define WAYBILL_PUMP_H

#include "base/stage.h"
#include "store/payload.h"

#include <openssl/evp.h>

/* Takes what comes out of a pipe. */
typedef bool pump_sink(void *context, struct span octets, struct err *err);

struct pump {
    struct payload_reader *from;
    struct stage *pipe; /* NULL: octets go through as they are */
    pump_sink *put;
    void *context;
    EVP_MD_CTX *hash_in, *hash_out; /* NULL: none */
    uint8_t *in, *out;              /* pump_run's own */
};

MUST_CHECK bool pump_run(struct pump *p, struct err *err);
/* A sink: context is a struct payload_writer. */
bool pump_to_writer(void *context, struct span octets, struct err *err);
/* NULL when memory is out. Given: EVP_MD_CTX_free. */
EVP_MD_CTX *pump_digest(const EVP_MD *md);

#endif
