/* Encrypted and compressed layers, and signed ones with the content inside ("opaque"). Which of them
 * is decided by the object itself: smime-type may be missing, and may lie (as2.md 2.1). */
#include "as2/open_int.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>

enum {
    TRAILING_MAX = 64,
    BUFFER = 32 * 1024, /* larger blocks make malloc tidy up each time one is given back */
};

struct layer {
    struct sink sink; /* the first member */
    struct as2_open *o;
    struct stage *stage;
    const char *announced; /* smime-type; may be NULL         */
    const char *micalg;    /* signed: the digests it announces */
    enum cms_kind kind;
    bool known;
    struct guard inner;
    uint64_t taken; /* octets of the object */
    uint8_t buffer[BUFFER];
};

static bool is_encrypted(const struct layer *l)
{
    return l->known && (l->kind == CMS_ENVELOPED || l->kind == CMS_AUTH_ENVELOPED);
}

static bool is_signed(const struct layer *l)
{
    return l->known && l->kind == CMS_SIGNED;
}

/* ---- what went wrong ---------------------------------------------------------------------- */

static enum as2_fault fault_of(const struct layer *l)
{
    const char *said = l->announced != NULL ? l->announced : "";

    if (strcasecmp(said, "certs-only") == 0 && (!l->known || is_signed(l)))
        return AS2_UNEXPECTED;
    if (l->known)
        return is_encrypted(l) ? AS2_DECRYPTION
               : is_signed(l)  ? AS2_INTEGRITY
                               : AS2_DECOMPRESSION;
    if (strcasecmp(said, "enveloped-data") == 0 || strcasecmp(said, "authEnveloped-data") == 0)
        return AS2_DECRYPTION;
    if (strcasecmp(said, "signed-data") == 0)
        return AS2_INTEGRITY;
    return strcasecmp(said, "compressed-data") == 0 ? AS2_DECOMPRESSION : AS2_UNEXPECTED;
}

/* Nothing that was found behind a layer that did not open is worth anything. */
static void forget(struct as2_open *o)
{
    o->found.trusted = false;
    o->found.signer = NULL;
    o->found.mic.n = 0;
}

static bool layer_failed(struct layer *l, struct err *err)
{
    struct err ignored;

    if (err->kind != FAIL_TRUST)
        return false;
    err->wire = (int)fault_of(l);
    /* the same work whether the padding was right or not: as2.md 11.1 #12 */
    if (is_encrypted(l) && l->inner.inner != NULL && !guard_end(l->o, &l->inner, &ignored))
        l->inner.failed = true;
    forget(l->o);
    return false;
}

/* The layer is whole; what of its content? Under CBC anybody could have written that: MIME that
 * cannot be read must look like a wrong key, or it tells what the octets were decrypted to. What a
 * signature has proved is no longer FAIL_PEER: open_signed.c. */
static bool content_verdict(struct layer *l, struct err *err)
{
    if (guard_verdict(&l->inner, err))
        return true;
    if (l->kind != CMS_ENVELOPED || err->kind != FAIL_PEER)
        return false;
    forget(l->o);
    return REFUSE(err, AS2_DECRYPTION, "enveloped data: it cannot be decrypted");
}

/* As for multipart/signed: what is wrong inside is told only when the signature is right. */
static bool signed_verdict(struct layer *l, struct err *err)
{
    uint8_t *signature;
    size_t n;
    bool ok;

    if (!digests_end(&l->o->digests, err) || !guard_end(l->o, &l->inner, err) ||
        !cms_open_signature(l->stage, &signature, &n, err))
        return false;
    ok = open_verify(l->o, l->micalg, span_of(signature, n), err) &&
         open_signed_content(l->o, &l->inner, err);
    free(signature);
    return ok;
}

/* ---- what it is --------------------------------------------------------------------------- */

static bool misplaced(const struct layer *l, struct err *err)
{
    const struct as2_opened *found = &l->o->found;

    switch (l->kind) {
    case CMS_ENVELOPED:
    case CMS_AUTH_ENVELOPED:
        return (found->encrypted || found->compressed || found->is_signed) &&
               !REFUSE(err, AS2_UNEXPECTED, "encrypted data within %s",
                       found->encrypted ? "encrypted data" : "another layer");
    case CMS_COMPRESSED:
        return found->compressed &&
               !REFUSE(err, AS2_DECOMPRESSION, "the message is compressed twice");
    case CMS_SIGNED:
        return found->is_signed && !REFUSE(err, AS2_UNEXPECTED, "the message is signed twice");
    case CMS_DATA:
        break;
    }
    return !REFUSE(err, AS2_UNEXPECTED,
                   "data that is neither encrypted, compressed nor signed");
}

/* What it announces stands in front, so there is no guessing as with multipart/signed; a signer who
 * uses another digest all the same costs a second pass. */
static bool begin_digests(struct layer *l, struct err *err)
{
    int nids[AS2_DIGESTS_MAX];
    size_t n = cms_open_digests(l->stage, nids, COUNT_OF(nids));
    const char *names = "";

    for (size_t i = 0; names != NULL && i < n; i++)
        names = arena_printf(&l->o->arena, "%s%s,", names, as2_digest_name(nids[i], false));
    if (names == NULL)
        return NO_MEMORY(err);
    l->micalg = names;
    return open_digests(l->o, names, err);
}

/* The kind is known: from now on so is what is inside. */
static bool begin(struct layer *l, struct err *err)
{
    struct as2_opened *found = &l->o->found;

    if (misplaced(l, err))
        return false;
    l->known = true;
    found->encrypted = found->encrypted || is_encrypted(l);
    found->aead = found->aead || l->kind == CMS_AUTH_ENVELOPED;
    found->compressed = found->compressed || l->kind == CMS_COMPRESSED;
    found->is_signed = found->is_signed || is_signed(l);
    if (is_signed(l) && !begin_digests(l, err))
        return false;
    l->inner.inner = open_entity_sink(l->o, is_encrypted(l), err);
    return l->inner.inner != NULL;
}

/* After each step. */
static bool look(struct layer *l, bool *fresh, struct err *err)
{
    const struct cms_layer *layers;

    *fresh = false;
    if (l->known || cms_open_layers(l->stage, &layers) == 0 || !layers[0].known)
        return true;
    l->kind = layers[0].kind;
    *fresh = true;
    return begin(l, err);
}

/* ---- the sink ----------------------------------------------------------------------------- */

static void note_cipher(struct layer *l)
{
    const struct cms_layer *layers;

    if (cms_open_layers(l->stage, &layers) > 0)
        (void)text_copy(l->o->found.cipher, sizeof(l->o->found.cipher), layers[0].algorithm);
}

static bool content(struct layer *l, struct span octets, struct err *err)
{
    return (!is_signed(l) || digests_update(&l->o->digests, octets, err)) &&
           guard_write(l->o, &l->inner, octets, err);
}

static bool pump(struct layer *l, struct span in, bool last, struct err *err)
{
    enum flow f = FLOW_OUT;

    l->taken += in.n;
    while (f == FLOW_OUT) {
        struct room room = { l->buffer, sizeof(l->buffer) };
        struct err misplaced;
        bool fresh;
        size_t n;

        f = stage_step(l->stage, &in, last, &room, err);
        n = sizeof(l->buffer) - room.n;
        if (!look(l, &fresh, &misplaced)) {
            *err = misplaced;
            return false;
        }
        if (fresh && is_encrypted(l))
            note_cipher(l);
        if (n > 0 && !content(l, span_of(l->buffer, n), err))
            return false;
        if (f == FLOW_FAIL)
            return layer_failed(l, err);
    }
    return true;
}

static bool layer_write(struct sink *s, struct span octets, struct err *err)
{
    return pump((struct layer *)s, octets, false, err);
}

static bool layer_end(struct sink *s, struct err *err)
{
    struct layer *l = (struct layer *)s;

    if (!pump(l, span_of(NULL, 0), true, err))
        return false;
    if (is_signed(l))
        return signed_verdict(l, err);
    return guard_end(l->o, &l->inner, err) && content_verdict(l, err);
}

/* How much of the buffer was ever written, at most: but for inflating no layer makes more of the
 * octets it takes. It follows from the object's size alone, not from what was in it. */
static size_t written(const struct layer *l)
{
    return l->known && l->kind != CMS_COMPRESSED && l->taken < sizeof(l->buffer)
               ? (size_t)l->taken
               : sizeof(l->buffer);
}

static void layer_free(struct sink *s)
{
    struct layer *l = (struct layer *)s;

    guard_free(&l->inner);
    stage_free(l->stage);
    OPENSSL_cleanse(l->buffer, written(l));
    free(l);
}

bool open_layer(struct as2_open *o, const struct mime_value *type, struct sink **body,
                struct err *err)
{
    static const struct sink_ops ops = { "CMS", layer_write, layer_end, layer_free };
    const struct cms_open_options options = { .keys = o->o.keys,
                                              .keys_n = o->o.keys_n,
                                              .cipher_allowed = o->o.cipher_allowed,
                                              .content_max = o->o.content_max,
                                              .one_layer = true,
                                              .unverified = true,
                                              .trailing_max = TRAILING_MAX };
    struct layer *l = malloc(sizeof(*l));

    if (l == NULL)
        return NO_MEMORY(err);
    memset(l, 0, offsetof(struct layer, buffer)); /* most of the buffer is never touched */
    l->sink.ops = &ops;
    l->o = o;
    l->announced = mime_param(type, "smime-type");
    l->stage = cms_open_new(&options, err);
    if (l->stage == NULL) {
        layer_free(&l->sink);
        return false;
    }
    *body = &l->sink;
    return true;
}
