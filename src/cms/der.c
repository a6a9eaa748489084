/* Writing DER back to front. */
#include "cms/der.h"

#include <openssl/objects.h>
#include <stdlib.h>

void der_free(struct der *d)
{
    free(d->octets);
    *d = (struct der) { 0 };
}

static bool reserve(struct der *d, size_t n)
{
    size_t cap = d->cap > 0 ? d->cap : 512;
    uint8_t *p;

    if (d->failed)
        return false;
    if (d->cap - d->n >= n)
        return true;
    while (cap - d->n < n)
        cap *= 2;
    p = malloc(cap);
    if (p == NULL) {
        d->failed = true;
        return false;
    }
    if (d->n > 0)
        memcpy(p + (cap - d->n), d->octets + (d->cap - d->n), d->n);
    free(d->octets);
    d->octets = p;
    d->cap = cap;
    return true;
}

void der_put(struct der *d, const void *p, size_t n)
{
    if (n == 0 || !reserve(d, n))
        return;
    d->n += n;
    memcpy(d->octets + (d->cap - d->n), p, n);
}

void der_header(struct der *d, uint8_t id, size_t length)
{
    uint8_t h[2 + sizeof(length)];
    size_t at = sizeof(h);

    if (length < 0x80) {
        h[--at] = (uint8_t)length;
    } else {
        for (size_t v = length; v > 0; v >>= 8)
            h[--at] = (uint8_t)v;
        h[at - 1] = (uint8_t)(0x80 | (sizeof(h) - at));
        at--;
    }
    h[--at] = id;
    der_put(d, h + at, sizeof(h) - at);
}

void der_wrap(struct der *d, uint8_t id, size_t since)
{
    der_header(d, id, d->n - since);
}

void der_element(struct der *d, uint8_t id, struct span content)
{
    der_span(d, content);
    der_header(d, id, content.n);
}

void der_small(struct der *d, unsigned v)
{
    uint8_t octet = (uint8_t)v;

    der_element(d, BER_INTEGER, span_of(&octet, 1));
}

/* Takes what one of libcrypto's i2d functions gave. */
static void put_encoded(struct der *d, unsigned char *encoded, int n)
{
    if (n <= 0)
        d->failed = true;
    else
        der_put(d, encoded, (size_t)n);
    OPENSSL_free(encoded);
}

void der_oid(struct der *d, int nid)
{
    unsigned char *p = NULL;
    int n = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &p);

    put_encoded(d, p, n);
}

void der_algorithm(struct der *d, int nid, bool with_null)
{
    size_t since = d->n;

    if (with_null)
        der_element(d, BER_NULL, span_of(NULL, 0));
    der_oid(d, nid);
    der_wrap(d, BER_SEQUENCE, since);
}

void der_name(struct der *d, const X509_NAME *name)
{
    unsigned char *p = NULL;
    int n = i2d_X509_NAME(name, &p);

    put_encoded(d, p, n);
}

void der_integer(struct der *d, const ASN1_INTEGER *v)
{
    unsigned char *p = NULL;
    int n = i2d_ASN1_INTEGER(v, &p);

    put_encoded(d, p, n);
}

void der_certificate(struct der *d, const X509 *cert)
{
    unsigned char *p = NULL;
    int n = i2d_X509(cert, &p);

    put_encoded(d, p, n);
}

uint8_t *der_done(struct der *d, size_t *n)
{
    uint8_t *p = d->octets;

    if (d->failed || p == NULL) {
        der_free(d);
        return NULL;
    }
    *n = d->n;
    memmove(p, p + (d->cap - d->n), d->n);
    *d = (struct der) { 0 };
    return p;
}
