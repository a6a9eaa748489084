/* DER written from the end to the front, so that every length is known when it is written: put the
 * last field first, then wrap. A failure (memory) sticks. */
#ifndef WAYBILL_CMS_DER_H
#define WAYBILL_CMS_DER_H

#include "cms/ber.h"

#include <openssl/x509.h>

/* Zero it to begin; der_done() or der_free(). */
struct der {
    uint8_t *octets; /* the last n of cap are written */
    size_t n, cap;
    bool failed;
};

void der_free(struct der *d);

/* Puts octets before what is there. */
void der_put(struct der *d, const void *p, size_t n);
static inline void der_span(struct der *d, struct span s)
{
    der_put(d, s.p, s.n);
}
void der_header(struct der *d, uint8_t id, size_t length);
/* Identifier and length before all that was put since d->n was `since`. */
void der_wrap(struct der *d, uint8_t id, size_t since);

void der_element(struct der *d, uint8_t id, struct span content);
void der_small(struct der *d, unsigned v); /* INTEGER below 128 */
void der_oid(struct der *d, int nid);
/* AlgorithmIdentifier; with_null: parameters NULL, else absent. */
void der_algorithm(struct der *d, int nid, bool with_null);
void der_name(struct der *d, const X509_NAME *name);
void der_integer(struct der *d, const ASN1_INTEGER *v);
void der_certificate(struct der *d, const X509 *cert);

static inline struct span der_all(const struct der *d)
{
    return d->n > 0 ? span_of(d->octets + (d->cap - d->n), d->n) : span_of("", 0);
}

/* Moves what was written into a block of its own; d is empty then. Given: free(). NULL after a
 * failure. */
uint8_t *der_done(struct der *d, size_t *n);

#endif
