/* Framing: however the stream is cut, the exchange buffers and the failure are the same.
 * The first octet draws the cuts; the rest is the stream. */
#include <assert.h>
#include <stdlib.h>

#include "oftp/oftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint64_t hash; /* over lengths and octets of all buffers */
    size_t buffers;
    bool failed;
    int wire;
};

static struct oftp_stb st;

static void note(struct outcome *o, struct span oeb)
{
    o->buffers++;
    o->hash = (o->hash ^ oeb.n) * 0x100000001b3;
    for (size_t i = 0; i < oeb.n; i++)
        o->hash = (o->hash ^ oeb.p[i]) * 0x100000001b3;
}

/* seed 0: all at once. Pieces are copied to the heap, for the sanitizer to see their ends. */
static struct outcome run(const uint8_t *data, size_t size, uint32_t seed)
{
    struct outcome o = { 0 };

    st.have = 0;
    for (size_t at = 0, n; at < size && !o.failed; at += n) {
        uint8_t *piece;
        struct span in, oeb;

        seed = seed * 1664525 + 1013904223 * (uint32_t)(seed != 0);
        n = seed == 0 ? size : 1 + (seed >> 16) % (seed & 0x100 ? 7 : 300);
        if (n > size - at)
            n = size - at;
        piece = malloc(n);
        assert(piece != NULL);
        memcpy(piece, data + at, n);
        in = span_of(piece, n);
        do {
            struct err err = { 0 };

            if (!oftp_stb_take(&st, &in, &oeb, &err)) {
                assert(err.kind == FAIL_PEER && err.text[0] != '\0');
                o.failed = true;
                o.wire = err.wire;
                break;
            }
            assert(oeb.n <= OFTP_OEB_MAX && (oeb.n > 0 || in.n == 0));
            if (oeb.n > 0)
                note(&o, oeb);
        } while (in.n > 0);
        free(piece);
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome a, b;

    if (size < 1)
        return 0;
    a = run(data + 1, size - 1, 0);
    b = run(data + 1, size - 1, 1U + data[0]);
    /* A header of four octets that ends the input is seen at the same place by both. */
    assert(a.hash == b.hash && a.buffers == b.buffers);
    assert(a.failed == b.failed && a.wire == b.wire);
    return 0;
}
