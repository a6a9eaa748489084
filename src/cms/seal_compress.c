/* Sealing by CompressedData, RFC 3274. */
#include "cms/cms_int.h"
#include "cms/zip.h"

#include <openssl/objects.h>

struct compress {
    struct seal seal; /* the first member */
    struct zip *zip;
    struct der head, inner;
};

static bool work(struct seal *seal, struct span *in, bool last, struct room *out, bool *done,
                 struct err *err)
{
    struct compress *c = (struct compress *)seal;

    (void)err;
    *done = zip_step(c->zip, in, last, out);
    return true;
}

static bool tail(struct seal *seal, struct err *err)
{
    (void)seal;
    (void)err;
    return true;
}

static void compress_free(struct seal *seal)
{
    struct compress *c = (struct compress *)seal;

    zip_free(c->zip);
    der_free(&c->head);
    der_free(&c->inner);
    free(c);
}

struct stage *cms_compress_new(struct err *err)
{
    static const struct stage_ops stage_ops = { "compress", seal_step, seal_free };
    static const struct seal_ops ops = { work, tail, compress_free };
    struct compress *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    c->seal.base.ops = &stage_ops;
    c->seal.ops = &ops;
    c->zip = zip_new();
    der_algorithm(&c->head, NID_zlib_compression, false);
    der_small(&c->head, 0);
    der_oid(&c->inner, NID_pkcs7_data);
    if (c->zip == NULL || c->head.failed || c->inner.failed) {
        compress_free(&c->seal);
        (void)NO_MEMORY(err);
        return NULL;
    }
    c->seal.form = (struct form) { .kind = CMS_COMPRESSED,
                                   .head = der_all(&c->head),
                                   .inner = der_all(&c->inner) };
    return &c->seal.base;
}
