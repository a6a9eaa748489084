/* Requests for receipts: three header values, separated by line ends. What is planned must follow
 * from what was asked, and nothing but digests that are allowed is chosen. */
#include "as2/as2.h"

#include <openssl/objects.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool allow(int nid)
{
    return nid == NID_sha1 || nid == NID_sha256;
}

static void check_plan(const struct as2_request *r)
{
    struct as2_receipt_plan plan;

    as2_receipt_plan_make(r, allow, &plan);
    if (plan.mdn != r->mdn || (plan.is_signed && (plan.failed || !r->protocol)) ||
        plan.failed != (plan.fault != AS2_FINE) || plan.failed != (plan.failure != NULL) ||
        (!plan.mdn && (plan.failed || plan.is_signed)) ||
        (plan.digest != NID_undef && !allow(plan.digest)))
        abort();
}

static void check_choice(const struct as2_request *r)
{
    static const int signatures[] = { NID_undef, NID_sha1, NID_sha512 };

    for (unsigned i = 0; i < 6; i++) {
        int signature = signatures[i / 2];
        struct as2_mic_choice c = as2_mic_choose(r, signature, i % 2 != 0, NID_sha256, allow);

        if (c.spelling == NULL || (c.nid == NID_undef && r->micalgs_n == 0) ||
            (c.nid != NID_undef && as2_digest_of(span_text(c.spelling)) != c.nid) ||
            (c.nid != NID_undef && c.nid != signature && !allow(c.nid)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    char *text = malloc(size + 1), *line[3] = { NULL };
    struct as2_request r;

    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    line[0] = text;
    for (size_t i = 1; i < 3 && line[i - 1] != NULL; i++) {
        line[i] = strchr(line[i - 1], '\n');
        if (line[i] != NULL)
            *line[i]++ = '\0';
    }
    as2_request_read(line[1], line[0], line[2], &a, &r);
    if (r.mdn != (line[1] != NULL) || r.micalgs_n > AS2_MICALGS_MAX ||
        (r.async_url != NULL && !r.mdn) ||
        (r.broken && (r.protocol || r.micalgs_n > 0 || r.bad_required != NULL)))
        abort();
    check_plan(&r);
    check_choice(&r);
    arena_free(&a);
    free(text);
    return 0;
}
