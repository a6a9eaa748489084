/* `waybill bench`: what this program reaches on this machine, beside what the machine itself
 * does in the same run. design.md section 10. */
#ifndef WAYBILL_BENCH_H
#define WAYBILL_BENCH_H

#include "base/err.h"

#include <openssl/types.h>
#include <sys/resource.h>
#include <sys/types.h>

struct gateway;

/* Megabytes (10^6 octets) per second through one loopback connection, plain or TLS 1.3 with
 * AES-256-GCM, writer and reader each on its own thread. */
MUST_CHECK bool bench_raw(bool tls, uint64_t octets, double *mb_per_s, struct err *err);

/* A self-signed certificate with its key as PEM text. Given: free(). */
MUST_CHECK bool bench_certificate(char **cert_pem, char **key_pem, struct err *err);

struct bench_options {
    uint64_t size; /* octets of the file */
    bool size_given;
    bool tls, json;
    int runs;
    bool secured;          /* many small files, signed and encrypted, with signed receipts */
    int count;             /* of them */
    int documents;         /* of the store that is searched; 0: a million */
    const char *directory; /* payloads; NULL: the RAM file system, then the disk */
};
int bench_oftp2(const struct bench_options *o);
int bench_cms(const struct bench_options *o);
int bench_as2(const struct bench_options *o);
int bench_secured(const struct bench_options *o);
int bench_search(const struct bench_options *o);

double bench_seconds(void); /* monotonic */

/* CPU milliseconds of a private operation of an RSA key: on its own, and the median of those made
 * now and then by a thread of this process between begin and end, beside a load. 0: unknown. */
double bench_rsa_alone(EVP_PKEY *key);
struct bench_rsa;
struct bench_rsa *bench_rsa_begin(EVP_PKEY *key); /* borrowed until the end; NULL: unknown */
double bench_rsa_end(struct bench_rsa *r);

/* ---- two gateways, each a process of its own: bench_sides.c --------------------------------- */

/* One named `side` with its data in dir/side; a certificate named tls where it listens so. */
struct gateway *bench_gateway(const char *dir, const char *side, bool listens, bool tls,
                              struct err *err);
MUST_CHECK bool bench_apply(struct gateway *g, const char *yaml, struct err *err);
MUST_CHECK bool bench_write_file(const char *dir, const char *name, const char *text,
                                 struct err *err);
void bench_remove(const char *dir, const char *name); /* and all below */
/* fork(); the child ends with this process and logs errors only. */
pid_t bench_child(void);
/* Waits; true when it ended well. */
bool bench_end_child(pid_t pid, struct rusage *ru);
void bench_complain(const struct err *err);

#endif
