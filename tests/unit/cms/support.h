/* Keys, certificates, content and a pump for the tests of cms/. */
#ifndef WAYBILL_TESTS_CMS_SUPPORT_H
#define WAYBILL_TESTS_CMS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pipe.h"
#include "cms/cms.h"

#define CHECK_EQ(got, want) assert_int_equal((got), (want))

/* A self-signed certificate with subject key identifier. Each call makes a new key, but for
 * "RSA" ones, which are slow to make: those are one key for each name. */
struct cms_signer make_signer(const char *name, const char *type);
void free_signer(struct cms_signer *s);

struct bytes {
    uint8_t *p;
    size_t n, cap;
};
void bytes_put(struct bytes *b, const void *p, size_t n);
void bytes_free(struct bytes *b);
static inline struct span bytes_span(const struct bytes *b)
{
    return span_of(b->p, b->n);
}

/* EDI-like text, the same for the same n. */
struct bytes make_text(size_t n);

/* Runs st over in, chunk octets of input and room octets of output at a time, and frees it. Adds
 * the output to *out; false with *err. Asserts what every stage promises. */
bool run_stage(struct stage *st, struct span in, size_t chunk, size_t room, struct bytes *out,
               struct err *err);

/* Seals by stage and chunk sizes that suit; asserts success. */
struct bytes seal_with(struct stage *st, struct span content);

/* Opens; true with the content added to *got and whether a signature counted. */
bool try_open(const struct cms_open_options *o, struct span object, struct bytes *got,
              bool *trusted, struct err *err);
/* Asserts that it is refused, for that reason. */
void expect_refusal(const struct cms_open_options *o, struct span object, enum cms_fault fault);

struct cms_sign_options sign_options(const struct cms_signer *signer, const EVP_MD *md);

/* The same object with every constructed element of indefinite length and every content octet
 * string (at the place of the content) in segments of `segment` octets. */
struct bytes to_ber(struct span der, size_t segment);

#endif
