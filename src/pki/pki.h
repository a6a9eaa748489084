/* Certificates and keys from PEM (and their files). For now what TLS needs: a chain with its
 * private key, or a set of trust anchors. Values are never changed after loading and may be
 * shared by threads. */
#ifndef WAYBILL_PKI_H
#define WAYBILL_PKI_H

#include "base/err.h"
#include "base/span.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { PKI_PEM_MAX = 256 * 1024 }; /* octets of PEM text taken from one source */

struct pki_certificate {
    X509 *leaf; /* the first certificate */
    /* clang-format off */
    STACK_OF(X509) *chain; /* those after it; may be empty, never NULL */
    /* clang-format on */
    EVP_PKEY *key; /* NULL when only the public part is known */
};

/* Reads one or more certificates from PEM text and, when key_pem.n > 0, the private key that
 * belongs to the first. Given: pki_certificate_free. FAIL_LOCAL names what is wrong. */
MUST_CHECK bool pki_certificate_read(struct span pem, struct span key_pem,
                                     struct pki_certificate **out, struct err *err);
void pki_certificate_free(struct pki_certificate *c);

/* SHA-256 of the leaf's DER in lower-case hex: text has 65 octets. */
void pki_fingerprint(const X509 *cert, char text[65]);
/* Seconds since 1970 UTC. */
bool pki_validity(const X509 *cert, int64_t *not_before_s, int64_t *not_after_s);
/* "CN=acme, O=ACME": for logs. Always ends with NUL. */
void pki_subject(const X509 *cert, char *text, size_t cap);

#endif
