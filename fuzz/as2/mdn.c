/* MDNs: the first line is the Content-Type of the HTTP message, the rest its body. What is read must
 * be within its limits; what it says can be sent on in an MDN of ours or is refused, and that MDN is
 * read back the same. Signed ones are verified by a key that signed some of the corpus. */
#include "../cms/key.h"
#include "as2/as2.h"

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_told(const char *type, struct span body, bool read)
{
    bool more, is = as2_is_mdn(type, body, &more);

    if ((is && more) || (read && !is))
        abort();
    for (size_t n = 0; n < body.n; n += 1 + body.n / 8)
        if (as2_is_mdn(type, span_of(body.p, n), &more) && (more || !is))
            abort();
}

static void check_fields(const struct as2_mdn_in *in, struct span body)
{
    if (in->detail == NULL || in->text == NULL || strlen(in->text) > AS2_TEXT_MAX)
        abort();
    if ((in->disposition == NULL && in->class != AS2_INVALID) ||
        (in->mic_text == NULL && in->mic.n > 0) || in->mic.n > EVP_MAX_MD_SIZE)
        abort();
    if (in->is_signed && in->signed_octets.n > body.n)
        abort();
    for (const char *p = in->text; *p != '\0'; p++)
        if ((uint8_t)*p < ' ' && *p != '\n')
            abort();
}

static void check_again(const struct as2_mdn_in *in, struct arena *a)
{
    struct as2_mdn m = { .reporting_ua = in->reporting_ua,
                         .final_recipient = in->final_recipient,
                         .original_message_id = in->original_message_id,
                         .fault = in->class == AS2_POSITIVE ? AS2_FINE : AS2_UNEXPECTED,
                         .failure = in->detail,
                         .text = in->text,
                         .boundary_outer = "fuzz-outer",
                         .boundary_inner = "fuzz-inner" };
    struct mime_field field = { "Content-Type", NULL };
    struct mime_head head = { &field, 1 };
    struct as2_mdn_in again;
    struct span body;
    struct err err = { 0 };

    if (m.final_recipient == NULL || m.original_message_id == NULL ||
        !as2_mdn_make(&m, NULL, NULL, false, a, &field.value, &body, &err))
        return;
    for (size_t i = 0; i < body.n; i++)
        if ((body.p[i] < ' ' || body.p[i] > '~') && body.p[i] != '\r' && body.p[i] != '\n')
            abort();
    if (!as2_mdn_read(&head, body, a, &again, &err) ||
        (again.class == AS2_POSITIVE) != (in->class == AS2_POSITIVE) ||
        again.original_message_id == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cms_signer key;
    struct arena a = { 0 };
    const uint8_t *end = memchr(data, '\n', size);
    size_t n = end == NULL ? size : (size_t)(end - data);
    struct span body = end == NULL ? span_of(data, 0) : span_of(end + 1, size - n - 1);
    struct mime_field field = { "Content-Type", arena_copy(&a, span_of(data, n)) };
    struct mime_head http = { &field, 1 };
    struct as2_mdn_in in;
    struct cms_layer layer;
    struct err err = { 0 };
    bool ok;

    if (key.key == NULL)
        key = fuzz_signer();
    ok = as2_mdn_read(&http, body, &a, &in, &err);
    if (!ok && err.kind != FAIL_PEER)
        abort();
    check_told(field.value, body, ok);
    if (ok) {
        check_fields(&in, body);
        check_again(&in, &a);
        err = (struct err) { 0 };
        if (!as2_mdn_verify(&in, &key.cert, 1, NULL, &layer, &err) && err.kind != FAIL_TRUST)
            abort();
        if (ERR_peek_error() != 0)
            abort();
    }
    arena_free(&a);
    return 0;
}
