/* What the tests of certificates share. */
#ifndef WAYBILL_TESTS_PKI_SUPPORT_H
#define WAYBILL_TESTS_PKI_SUPPORT_H

#include "pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>

enum {
    NOW = 1800000000,
    DAY = 86400,
    ALL_USES = PKI_SIGN | PKI_ENCRYPT | PKI_SERVER | PKI_CLIENT
};

/* A new certificate with its key; given: pki_certificate_free. */
static inline struct pki_certificate *made(const char *cn, int64_t from_s, int days,
                                           unsigned uses)
{
    struct pki_certificate *c = NULL;
    char *cert = NULL, *key = NULL;
    struct err err = { 0 };

    if (!pki_generate(cn, PKI_BITS_MIN, days, from_s, uses, &cert, &key, &err) ||
        !pki_certificate_read(span_text(cert), span_text(key), &c, &err))
        fail_msg("%s", err.text);
    assert_int_equal(ERR_peek_error(), 0);
    free(cert);
    free(key);
    return c;
}

static inline void assert_starts(const struct err *err, const char *want)
{
    assert_int_equal(err->kind, FAIL_LOCAL);
    if (strncmp(err->text, want, strlen(want)) != 0)
        fail_msg("got: %s, want: %s", err->text, want);
    assert_int_equal(ERR_peek_error(), 0);
}

#endif
