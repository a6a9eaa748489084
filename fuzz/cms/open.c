/* Any octets to the whole opening pipe, with a key it knows: layers, result and content must not
 * depend on how input and room are cut, and libcrypto's error queue must be left empty. */
#include "key.h"

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONTENT_MAX = 1 << 16 };

struct result {
    enum flow flow;
    size_t layers, n;
    bool trusted;
    uint8_t content[CONTENT_MAX];
};

static void open_all(const struct cms_open_options *o, struct span all, size_t chunk,
                     size_t cap, struct result *r)
{
    struct err err = { 0 };
    struct stage *st = cms_open_new(o, &err);
    struct span left = all, in = span_of(all.p, 0);
    const struct cms_layer *layers;

    if (st == NULL)
        abort();
    r->n = 0;
    do {
        struct room room = { r->content + r->n,
                             CONTENT_MAX - r->n < cap ? CONTENT_MAX - r->n : cap };
        size_t had = room.n;

        if (in.n == 0) {
            in = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, in.n);
        }
        r->flow = stage_step(st, &in, left.n == 0, &room, &err);
        r->n += had - room.n;
    } while ((r->flow == FLOW_IN || r->flow == FLOW_OUT) && r->n < CONTENT_MAX);
    if (r->flow == FLOW_FAIL && err.kind != FAIL_TRUST)
        abort();
    if (ERR_peek_error() != 0)
        abort();
    r->layers = cms_open_layers(st, &layers);
    r->trusted = r->layers > 0 && layers[r->layers - 1].trusted;
    stage_free(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cms_signer key;
    static struct result whole, cut;
    struct cms_open_options o = { .keys = &key, .keys_n = 1, .signers_n = 1 };

    if (size < 2)
        return 0;
    if (key.key == NULL)
        key = fuzz_signer();
    o.signers = &key.cert;
    o.signers_n = data[0] & 1;
    open_all(&o, span_of(data + 2, size - 2), size, CONTENT_MAX, &whole);
    open_all(&o, span_of(data + 2, size - 2), 1 + data[0] % 32, 1 + data[1], &cut);
    if (whole.n == CONTENT_MAX || cut.n == CONTENT_MAX)
        return 0;
    if (whole.flow != cut.flow)
        abort();
    if (whole.flow == FLOW_END &&
        (whole.n != cut.n || whole.layers != cut.layers || whole.trusted != cut.trusted ||
         memcmp(whole.content, cut.content, whole.n) != 0))
        abort();
    return 0;
}
