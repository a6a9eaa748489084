/* Any octets to the BER reader: what it tells must not depend on how they are cut. */
#include "cms/ber.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t hash;
    size_t left;
};

static void add(struct told *t, uint8_t v)
{
    t->hash = (t->hash ^ v) * UINT64_C(0x100000001b3);
}

static struct told read_all(struct span all, size_t chunk)
{
    struct told t = { 7, 0 };
    struct ber b = { 0 };
    struct ber_event ev;
    struct span left = all, in = span_of(all.p, 0);
    enum ber_what what;

    do {
        if (in.n == 0) {
            in = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, in.n);
        }
        what = ber_next(&b, &in, &ev);
        if (what == BER_BEGIN || what == BER_END) {
            add(&t, (uint8_t)what);
            add(&t, ev.id);
            add(&t, (uint8_t)ev.depth);
        }
        for (size_t i = 0;
             what != BER_MORE && what != BER_DONE && what != BER_BAD && i < ev.raw.n; i++)
            add(&t, ev.raw.p[i]);
        if (what == BER_OCTETS)
            ber_take(&b, &in, ev.raw.n);
    } while (what != BER_DONE && what != BER_BAD && (what != BER_MORE || left.n > 0));
    add(&t, (uint8_t)what);
    t.left = what == BER_DONE ? in.n + left.n : 0;
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole, cut;

    if (size < 1)
        return 0;
    whole = read_all(span_of(data + 1, size - 1), size);
    cut = read_all(span_of(data + 1, size - 1), 1 + data[0] % 16);
    if (whole.hash != cut.hash || whole.left != cut.left)
        abort();
    return 0;
}
