/* Commands: what is read can be written and reads back the same; every octet string makes one
 * printable line. The first octet chooses the level; the rest is the exchange buffer. */
#include <assert.h>
#include <stdlib.h>

#include "../../tests/unit/oftp/reread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void describe(struct span oeb, int level, size_t cap)
{
    char *line = malloc(cap);

    assert(line != NULL);
    oftp_describe(oeb, level, line, cap);
    assert(strnlen(line, cap) < cap);
    for (const char *p = line; *p != '\0'; p++)
        assert(*p >= 0x20 && *p <= 0x7E);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int levels[] = { OFTP_12, OFTP_13, OFTP_14, OFTP_20 };
    struct err err = { 0 };
    struct span oeb;
    uint8_t *copy;
    int level;

    if (size < 1 || size - 1 > OFTP_OEB_MAX)
        return 0;
    /* On the heap, for the sanitizer to see where the buffer ends. */
    copy = malloc(size > 1 ? size - 1 : 1);
    assert(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    oeb = span_of(copy, size - 1);
    level = levels[data[0] % 4];
    if (!reread(oeb, level, &err)) {
        assert(err.kind == FAIL_PEER && err.text[0] != '\0');
        assert(err.wire == ESID_INVALID_DATA || err.wire == ESID_SIZE ||
               (err.wire == ESID_UNKNOWN_COMMAND && oeb.p[0] == 'N' && level < OFTP_14));
    }
    describe(oeb, level, 4096);
    describe(oeb, 0, 1 + data[0]);
    free(copy);
    return 0;
}
