/* A multipart body: the first octet says how it is cut, the line behind it is the boundary. No cut may
 * change what is understood. */
#include "hash.h"
#include "mime/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t hash;
    size_t parts;
    bool ok;
};

static bool begin(void *context, size_t index, struct sink **part, struct err *err)
{
    struct told *t = context;

    (void)err;
    if (index != t->parts || index >= MIME_PARTS_MAX)
        abort();
    t->parts++;
    hash_mark(&t->hash, "begin");
    *part = hash_new(&t->hash);
    return true;
}

static struct told read_all(const char *boundary, struct span all, size_t chunk)
{
    static const struct mime_parts_events events = { begin };
    struct told t = { 7, 0, false };
    struct err err;
    struct sink *s = mime_parts_new(boundary, &events, &t, &err);

    if (s != NULL)
        t.ok = push(s, all, chunk, &err);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char boundary[80] = { 0 };
    struct told whole, cut;
    const uint8_t *lf;
    struct span all;

    if (size < 2)
        return 0;
    lf = memchr(data + 1, '\n', size - 1);
    if (lf == NULL || (size_t)(lf - data) > sizeof(boundary))
        return 0;
    memcpy(boundary, data + 1, (size_t)(lf - data) - 1);
    all = span_of(lf + 1, size - (size_t)(lf - data) - 1);
    whole = read_all(boundary, all, size);
    cut = read_all(boundary, all, 1 + data[0] % 32);
    if (whole.ok != cut.ok || whole.parts != cut.parts)
        abort();
    /* before a refusal, content may have been told or not */
    if (whole.ok && whole.hash != cut.hash)
        abort();
    return 0;
}
