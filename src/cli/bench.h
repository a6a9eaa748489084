/* `waybill bench`: what this program reaches on this machine, beside what the machine itself
 * does in the same run. design.md section 10. */
#ifndef WAYBILL_BENCH_H
#define WAYBILL_BENCH_H

#include "base/err.h"

/* Megabytes (10^6 octets) per second through one loopback connection, plain or TLS 1.3 with
 * AES-256-GCM, writer and reader each on its own thread. */
MUST_CHECK bool bench_raw(bool tls, uint64_t octets, double *mb_per_s, struct err *err);

/* A self-signed certificate with its key as PEM text. Given: free(). */
MUST_CHECK bool bench_certificate(char **cert_pem, char **key_pem, struct err *err);

struct bench_options {
    uint64_t size; /* octets of the file */
    bool tls, json;
    int runs;
    const char *directory; /* payloads; NULL: the RAM file system, then the disk */
};
int bench_oftp2(const struct bench_options *o);
int bench_cms(const struct bench_options *o);

double bench_seconds(void); /* monotonic */

#endif
