/* An entity: the first octet says how it is cut and whether it may be without a header block. No cut
 * may change what is understood; what is found in the block must be safe to use. */
#include "hash.h"
#include "mime/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t hash;
    bool ok;
};

static bool on_head(void *context, const struct mime_head *h, struct span raw,
                    struct sink **body, struct err *err)
{
    struct told *t = context;

    (void)err;
    if (raw.n > MIME_HEAD_MAX + 2 || h->n > MIME_FIELDS_MAX)
        abort();
    hash_add(&t->hash, raw.p, raw.n);
    for (size_t i = 0; i < h->n; i++) {
        const char *value = h->fields[i].value;
        size_t n = strlen(value);

        if (strpbrk(value, "\r\n") != NULL || strpbrk(h->fields[i].name, " :\r\n") != NULL)
            abort();
        if (n > 0 && (strchr(" \t", value[0]) != NULL || strchr(" \t", value[n - 1]) != NULL))
            abort();
        hash_mark(&t->hash, h->fields[i].name);
        hash_mark(&t->hash, value);
    }
    *body = hash_new(&t->hash);
    return true;
}

static struct told read_all(struct span all, size_t chunk, bool headerless)
{
    static const struct mime_entity_events events = { on_head };
    struct told t = { 7, false };
    struct arena a = { 0 };
    struct err err;

    t.ok = push(mime_entity_new(&events, &t, &a, headerless), all, chunk, &err);
    arena_free(&a);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole, cut;
    struct span all;

    if (size < 1)
        return 0;
    all = span_of(data + 1, size - 1);
    whole = read_all(all, size, data[0] >= 128);
    cut = read_all(all, 1 + data[0] % 16, data[0] >= 128);
    if (whole.ok != cut.ok || whole.hash != cut.hash)
        abort();
    return 0;
}
