/* DATA buffers. The first octet chooses what happens to the rest:
 *   even  it is a virtual file, packed into buffers and unpacked again, which gives the same file
 *         and the same ends of records;
 *   odd   it is the content of one buffer, unpacked at once and in small rooms, which gives the
 *         same octets, ends and failure. */
#include <assert.h>
#include <stdlib.h>

#include "oftp/oftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 8192, OUT_MAX = OFTP_SUBRECORD_MAX * FILE_MAX };

struct result {
    uint8_t octets[OUT_MAX];
    uint32_t ends[OUT_MAX];
    size_t n, ends_n;
    struct oftp_unpack up;
    bool failed;
};

static struct result one, two;

/* Unpacks in[n] behind what r holds already, `room` octets and `ends_cap` ends at a time. */
static void unpack(struct result *r, const uint8_t *p, size_t n, size_t room, size_t ends_cap)
{
    uint8_t *copy = malloc(n + 1), *out = malloc(room);
    struct span in = { copy, n };

    assert(copy != NULL && out != NULL);
    memcpy(copy, p, n);
    while (in.n > 0 && !r->failed) {
        struct room space = { out, room };
        struct err err = { 0 };
        size_t before = in.n, ended = 0;

        if (!oftp_unpack(&r->up, &in, &space, r->ends + r->ends_n, ends_cap, &ended, &err)) {
            assert(err.kind == FAIL_PEER && err.wire == ESID_INVALID_DATA);
            r->failed = true;
        }
        assert(r->failed || in.n < before);
        assert(ended <= ends_cap && space.n <= room &&
               (size_t)(space.p - out) == room - space.n);
        memcpy(r->octets + r->n, out, room - space.n);
        r->n += room - space.n;
        r->ends_n += ended;
    }
    assert(r->up.octets == r->n && r->up.records == r->ends_n);
    free(copy);
    free(out);
}

static void clear(struct result *r)
{
    r->n = r->ends_n = 0;
    r->up = (struct oftp_unpack) { 0 };
    r->failed = false;
}

static void rooms(const uint8_t *data, size_t size)
{
    size_t room = OFTP_SUBRECORD_MAX + data[0] % 64, ends_cap = 1 + data[0] % 5;

    clear(&one);
    clear(&two);
    unpack(&one, data + 1, size - 1, OUT_MAX, OUT_MAX);
    unpack(&two, data + 1, size - 1, room, ends_cap);
    assert(one.n == two.n && memcmp(one.octets, two.octets, one.n) == 0);
    assert(one.ends_n == two.ends_n && one.failed == two.failed);
    assert(memcmp(one.ends, two.ends, one.ends_n * sizeof(one.ends[0])) == 0);
}

/* Packs piece by piece; every zero octet behind the first four of a piece ends a record, so that
 * the fuzzer shapes records and pieces. */
static void there_and_back(const uint8_t *data, size_t size)
{
    static uint8_t oeb[2048];
    struct oftp_pack pk = { .compress = (data[0] & 2) != 0 };
    size_t cap = 3 + (size_t)(data[0] >> 2) * 5, at = 1, records = 0, record = 0;

    clear(&one);
    oftp_pack_begin(&pk, oeb, cap);
    while (at < size) {
        const uint8_t *stop = size - at > 4 ? memchr(data + at + 4, 0, size - at - 4) : NULL;
        size_t n = stop != NULL ? (size_t)(stop - (data + at)) + 1 : size - at;
        bool end = n % 3 != 0 || at + n == size;
        struct span in = { data + at, n };

        while (!oftp_pack(&pk, &in, end)) {
            assert(pk.n <= cap && pk.n >= 2 && oeb[0] == 'D');
            unpack(&one, oeb + 1, pk.n - 1, OFTP_SUBRECORD_MAX, 1);
            oftp_pack_begin(&pk, oeb, cap);
        }
        assert(in.n == 0);
        at += n;
        record += n;
        if (end) {
            two.ends[records++] = (uint32_t)record;
            record = 0;
        }
    }
    unpack(&one, oeb + 1, pk.n - 1, OFTP_SUBRECORD_MAX, 1);
    assert(!one.failed && one.n == size - 1 && memcmp(one.octets, data + 1, one.n) == 0);
    assert(one.ends_n == records);
    assert(memcmp(one.ends, two.ends, records * sizeof(two.ends[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > FILE_MAX)
        return 0;
    if (data[0] % 2 == 0)
        there_and_back(data, size);
    else
        rooms(data, size);
    return 0;
}
