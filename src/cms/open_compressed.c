/* Opening CompressedData, RFC 3274. The zlib stream is all there is to it. */
#include "cms/peel.h"
#include "cms/zip.h"

#include <openssl/objects.h>

enum { RATIO_DEFAULT = 1100, RATIO_FREE = 1000 * 1000 };

struct compressed {
    struct unzip *unzip;
    uint64_t out;
};

/* head: version 0, AlgorithmIdentifier. Its parameters, absent by RFC 3274, may be NULL. */
static bool known_algorithm(struct span head)
{
    const ASN1_OBJECT *oid = NULL;
    const unsigned char *at;
    X509_ALGOR *a;
    bool ok = false;

    if (!ber_pass(&head))
        return false;
    at = head.p;
    a = d2i_X509_ALGOR(NULL, &at, (long)head.n);
    if (a != NULL) {
        X509_ALGOR_get0(&oid, NULL, NULL, a);
        ok = OBJ_obj2nid(oid) == NID_zlib_compression;
    }
    X509_ALGOR_free(a);
    return ok;
}

static bool begin(struct peel *p, struct err *err)
{
    struct compressed *c;

    if (!known_algorithm(grow_span(&p->walk.head)))
        return REFUSE(err, CMS_DECOMPRESSION, "compressed data: not compressed with zlib");
    (void)text_copy(p->layer->algorithm, sizeof(p->layer->algorithm), "zlib");
    c = p->own = calloc(1, sizeof(*c));
    if (c != NULL)
        c->unzip = unzip_new();
    return (c != NULL && c->unzip != NULL) || NO_MEMORY(err);
}

/* Counts what came out. The ratio is to the outermost object, so that compressing twice gains
 * nothing: what is inside can only be smaller. */
static bool within_limits(struct peel *p, size_t n, struct err *err)
{
    const struct cms_open_options *o = p->o;
    struct compressed *c = p->own;
    uint64_t ratio = o->ratio_max > 0 ? o->ratio_max : RATIO_DEFAULT;

    c->out += n;
    p->limit = true;
    if (o->content_max > 0 && c->out > o->content_max)
        return REFUSE(err, CMS_DECOMPRESSION,
                      "compressed data: more than the %llu octets allowed come out of it",
                      (unsigned long long)o->content_max);
    if (c->out > RATIO_FREE && c->out / ratio > *p->taken)
        return REFUSE(err, CMS_DECOMPRESSION,
                      "compressed data: it expands to more than %llu times its size",
                      (unsigned long long)ratio);
    p->limit = false;
    return true;
}

static bool content(struct peel *p, struct span *in, struct room *out, struct err *err)
{
    struct compressed *c = p->own;
    size_t had = out->n;

    switch (unzip_step(c->unzip, in, out)) {
    case UNZIP_MORE:
        break;
    case UNZIP_END:
        if (in->n > 0)
            return REFUSE(err, CMS_DECOMPRESSION,
                          "compressed data: octets follow the end of the zlib stream");
        break;
    case UNZIP_BAD:
        return REFUSE(err, CMS_DECOMPRESSION, "compressed data: the zlib stream is damaged");
    }
    return within_limits(p, had - out->n, err);
}

static enum flow flush(struct peel *p, struct room *out, struct err *err)
{
    struct compressed *c = p->own;
    struct span none = span_of("", 0);
    size_t had = out->n;
    enum unzipped u = unzip_step(c->unzip, &none, out);

    if (u == UNZIP_BAD) {
        (void)REFUSE(err, CMS_DECOMPRESSION, "compressed data: the zlib stream is damaged");
        return FLOW_FAIL;
    }
    if (!within_limits(p, had - out->n, err))
        return FLOW_FAIL;
    if (u == UNZIP_END)
        return FLOW_END;
    if (out->n == 0)
        return FLOW_OUT;
    (void)REFUSE(err, CMS_DECOMPRESSION, "compressed data: the zlib stream ends too early");
    return FLOW_FAIL;
}

static bool finish(struct peel *p, struct err *err)
{
    (void)p;
    (void)err;
    return true;
}

static void compressed_free(struct peel *p)
{
    struct compressed *c = p->own;

    if (c != NULL)
        unzip_free(c->unzip);
    free(c);
}

const struct peel_ops peel_compressed = { begin, content, flush, finish, compressed_free };
