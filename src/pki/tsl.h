/* Trust service status lists: the signed XML lists of authorities that Odette publishes. oftp2.md
 * 13.4; ETSI TS 102 231 v2, TS 119 612. Only in builds with libxmlsec1. */
#ifndef WAYBILL_PKI_TSL_H
#define WAYBILL_PKI_TSL_H

#include "pki/pki.h"

enum { PKI_TSL_MAX = 4 * 1024 * 1024 /* octets of a list */ };

struct pki_tsl {
    uint64_t sequence; /* TSLSequenceNumber */
    char scheme[128];  /* SchemeName, the first one */
    char issued[40],
        next[40]; /* ListIssueDateTime and NextUpdate as they stand; "" when open */
    /* The authorities in accord, each once. Roots, which only vouch for another authority of the
     * list, are left out: what a root issued directly is not accepted. */
    /* clang-format off */
    STACK_OF(X509) *authorities;
    /* clang-format on */
};

/* Reads a list and verifies that one of these signed all of it. No DTD, no entity and no other
 * document is read. *out: given, pki_tsl_free. FAIL_TRUST: the signature is not good; FAIL_LOCAL:
 * it is no list, or this build reads none. */
MUST_CHECK bool pki_tsl_read(struct span xml, X509 *const *signers, size_t n,
                             struct pki_tsl *out, struct err *err);
void pki_tsl_free(struct pki_tsl *list);
/* Seconds since 1970 of "2026-11-21T10:15:00Z"; 0: it is no such time. */
int64_t pki_tsl_time(const char *text);

#endif
