/* multipart/signed, RFC 1847; as2.md 2.2, 7.5. The first part is digested as it stands on the wire
 * and opened at the same time; the second is collected. What is wrong with the inner parts is told
 * only when the signature is right. */
#include "as2/open_int.h"

#include <stdlib.h>

struct signed_part {
    struct sink sink; /* the first member */
    struct signed_data *owner;
};

struct signed_data {
    struct sink sink; /* the first member */
    struct as2_open *o;
    const char *micalg; /* may be NULL */
    struct sink *parts;
    size_t begun;
    struct guard inner;
    enum mime_encoding encoding; /* of the signature */
    struct grow signature;       /* encoded, at most AS2_SIGNATURE_MAX octets */
};

/* ---- the signed part ---------------------------------------------------------------------- */

static bool signed_octets(struct sink *s, struct span octets, struct err *err)
{
    struct signed_data *d = ((struct signed_part *)s)->owner;

    return digests_update(&d->o->digests, octets, err) &&
           guard_write(d->o, &d->inner, octets, err);
}

static bool signed_octets_end(struct sink *s, struct err *err)
{
    struct signed_data *d = ((struct signed_part *)s)->owner;

    return digests_end(&d->o->digests, err) && guard_end(d->o, &d->inner, err);
}

/* ---- the signature ------------------------------------------------------------------------ */

static bool signature_octets(struct sink *s, struct span octets, struct err *err)
{
    struct signed_data *d = ((struct signed_part *)s)->owner;

    if (octets.n > AS2_SIGNATURE_MAX - d->signature.n)
        return REFUSE(err, AS2_INTEGRITY,
                      "multipart/signed: a signature of more than %d octets",
                      AS2_SIGNATURE_MAX);
    return grow_put(&d->signature, octets) || NO_MEMORY(err);
}

static bool signature_octets_end(struct sink *s, struct err *err)
{
    (void)s;
    (void)err;
    return true;
}

static void part_free(struct sink *s)
{
    free(s);
}

static struct sink *part_new(struct signed_data *d, const struct sink_ops *ops, struct err *err)
{
    struct signed_part *p = malloc(sizeof(*p));

    if (p == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    p->sink.ops = ops;
    p->owner = d;
    return &p->sink;
}

static bool signature_head(void *context, const struct mime_head *h, struct span raw,
                           struct sink **body, struct err *err)
{
    static const struct sink_ops ops = { "signature", signature_octets, signature_octets_end,
                                         part_free };
    struct signed_data *d = context;
    const char *text = mime_head_get(h, "Content-Type");
    struct mime_value type = { .value = "" };

    (void)raw;
    if (text != NULL && !mime_value_read(text, &d->o->arena, &type, err))
        return false;
    if (strcmp(type.value, "application/pkcs7-signature") != 0 &&
        strcmp(type.value, "application/x-pkcs7-signature") != 0)
        return REFUSE(err, AS2_INTEGRITY,
                      "multipart/signed: the second part is no application/pkcs7-signature");
    d->encoding = mime_encoding_of(mime_head_get(h, "Content-Transfer-Encoding"));
    if (d->encoding == MIME_UNKNOWN)
        return REFUSE(err, AS2_INTEGRITY,
                      "multipart/signed: the signature's transfer encoding is none we know");
    *body = part_new(d, &ops, err);
    return *body != NULL;
}

/* ---- the parts ---------------------------------------------------------------------------- */

static bool begin_part(void *context, size_t index, struct sink **part, struct err *err)
{
    static const struct sink_ops ops = { "signed part", signed_octets, signed_octets_end,
                                         part_free };
    static const struct mime_entity_events events = { signature_head };
    struct signed_data *d = context;

    d->begun = index + 1;
    if (index > 1)
        return REFUSE(err, AS2_INTEGRITY, "multipart/signed: more than two parts");
    if (index == 1) {
        *part = mime_entity_new(&events, d, &d->o->arena, false);
        return *part != NULL || NO_MEMORY(err);
    }
    d->inner.inner = open_entity_sink(d->o, false, err);
    if (d->inner.inner == NULL)
        return false;
    *part = part_new(d, &ops, err);
    return *part != NULL;
}

/* Whatever is wrong with its shape, the signature is not one. */
static bool malformed(struct err *err)
{
    if (err->kind == FAIL_PEER) {
        err->kind = FAIL_TRUST;
        err->wire = AS2_INTEGRITY;
        (void)err_context(err, "multipart/signed");
    }
    return false;
}

static bool signed_write(struct sink *s, struct span octets, struct err *err)
{
    struct signed_data *d = (struct signed_data *)s;

    return sink_write(d->parts, octets, err) || malformed(err);
}

/* What is said here of the content is no longer to be doubted: a signature is right. */
bool open_signed_content(const struct as2_open *o, const struct guard *g, struct err *err)
{
    if (guard_verdict(g, err))
        return true;
    if (err->kind == FAIL_PEER && o->found.trusted) {
        err->kind = FAIL_TRUST;
        err->wire = AS2_UNEXPECTED;
    }
    return false;
}

static bool signed_end(struct sink *s, struct err *err)
{
    struct signed_data *d = (struct signed_data *)s;
    uint8_t *signature;
    size_t n;
    bool ok;

    if (!sink_end(d->parts, err))
        return malformed(err);
    if (d->begun != 2)
        return REFUSE(err, AS2_INTEGRITY, "multipart/signed: it has no signature part");
    if (!mime_decode_octets(d->encoding, grow_span(&d->signature), &signature, &n, err))
        return malformed(err);
    ok = open_verify(d->o, d->micalg, span_of(signature, n), err) &&
         open_signed_content(d->o, &d->inner, err);
    free(signature);
    return ok;
}

static void signed_free(struct sink *s)
{
    struct signed_data *d = (struct signed_data *)s;

    sink_free(d->parts);
    guard_free(&d->inner);
    grow_free(&d->signature);
    free(d);
}

bool open_signed(struct as2_open *o, const struct mime_value *type, struct sink **body,
                 struct err *err)
{
    static const struct sink_ops ops = { "multipart/signed", signed_write, signed_end,
                                         signed_free };
    static const struct mime_parts_events events = { begin_part };
    const char *boundary = mime_param(type, "boundary");
    struct signed_data *d;

    if (o->found.is_signed)
        return REFUSE(err, AS2_UNEXPECTED, "the message is signed twice");
    o->found.is_signed = true;
    if (boundary == NULL)
        return REFUSE(err, AS2_INTEGRITY, "multipart/signed: no boundary");
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NO_MEMORY(err);
    d->sink.ops = &ops;
    d->o = o;
    d->micalg = mime_param(type, "micalg");
    d->parts = mime_parts_new(boundary, &events, d, err);
    if (d->parts == NULL || !open_digests(o, d->micalg, err)) {
        signed_free(&d->sink);
        return malformed(err);
    }
    *body = &d->sink;
    return true;
}
