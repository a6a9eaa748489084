/* Sealing: P -> [C] -> S -> [C] -> E as a pipe of stages, as2.md 2 and 6.1. Each layer but the
 * outermost is an entity with its header fields; those of the outermost are the HTTP message's. No
 * octet of the document is changed: its transfer encoding, binary, says so also of text. */
#include "as2/seal.h"

#include "as2/frame.h"
#include "base/pipe.h"
#include "base/writer.h"

#include <openssl/err.h>
#include <stdlib.h>

enum { HEAD_FIELDS = 3, BASE64_LINE = 76 };

struct sealer {
    struct stage base; /* the first member */
    const struct as2_seal_options *o;
    struct stage *pipe;
    struct arena arena;
    struct mime_head head; /* of the outermost layer so far */
    struct digests digests;
    struct stage *stages[PIPE_STAGES];
    size_t n;
};

static bool no_memory(struct err *err)
{
    return FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

/* ---- header fields ------------------------------------------------------------------------ */

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* encoding, disposition: NULL for none. */
static bool set_head(struct sealer *s, const char *type, const char *encoding,
                     const char *disposition, struct err *err)
{
    struct mime_field *f = arena_take(&s->arena, HEAD_FIELDS * sizeof(*f));

    if (f == NULL || type == NULL || s->arena.failed)
        return no_memory(err);
    if (!is_one_line(type) || (disposition != NULL && !is_one_line(disposition)))
        return FAIL(err, FAIL_LOCAL, 0, "seal: control characters in a content type or name");
    s->head = (struct mime_head) { f, 0 };
    f[s->head.n++] = (struct mime_field) { "Content-Type", type };
    if (encoding != NULL)
        f[s->head.n++] = (struct mime_field) { "Content-Transfer-Encoding", encoding };
    if (disposition != NULL)
        f[s->head.n++] = (struct mime_field) { "Content-Disposition", disposition };
    return true;
}

/* The header block of the layer built last, for within another. */
static bool head_text(struct sealer *s, struct span *text, struct err *err)
{
    const char *all = "";

    for (size_t i = 0; i < s->head.n; i++)
        all = arena_printf(&s->arena, "%s%s: %s\r\n", all, s->head.fields[i].name,
                           s->head.fields[i].value);
    all = arena_printf(&s->arena, "%s\r\n", all);
    if (s->arena.failed)
        return no_memory(err);
    *text = span_text(all);
    return true;
}

/* ---- the pipe ----------------------------------------------------------------------------- */

/* NULL has failed already. */
static bool add(struct sealer *s, struct stage *st)
{
    if (st != NULL)
        s->stages[s->n++] = st;
    return st != NULL;
}

static bool add_base64(struct sealer *s, struct err *err)
{
    return add(s, mime_base64_encode_new()) || no_memory(err);
}

/* Makes the layer built last an entity: its header block before it. digested: both are the source
 * of the MIC. */
static bool add_entity(struct sealer *s, bool digested, struct err *err)
{
    struct frame f = { .digests = digested ? &s->digests : NULL, .digest_before = true };

    return head_text(s, &f.before, err) && add(s, frame_new(&f, err));
}

/* ---- payload ------------------------------------------------------------------------------ */

static bool add_payload(struct sealer *s, struct err *err)
{
    const struct as2_seal_options *o = s->o;
    bool layered = o->sign != NULL || o->compress != AS2_COMPRESS_NO || o->encrypt != NULL;
    struct frame plain = { .digests = &s->digests };
    const char *disposition = NULL;

    if (o->file_name != NULL) {
        const char *name = mime_file_name_param(o->file_name, &s->arena);

        if (name == NULL)
            return no_memory(err);
        disposition = arena_printf(&s->arena, "attachment%s", name);
    }
    if (!set_head(s, o->content_type, o->base64 ? "base64" : "binary", disposition, err))
        return false;
    /* bare: the document itself, before its transfer encoding (as2.md 3.1) */
    if (!layered && !add(s, frame_new(&plain, err)))
        return false;
    if (o->base64 && !add_base64(s, err))
        return false;
    return !layered || add_entity(s, o->sign == NULL, err);
}

/* ---- compression and encryption ----------------------------------------------------------- */

/* A CMS object that the stage makes. */
static bool add_cms(struct sealer *s, struct stage *st, const char *type,
                    const char *disposition, bool within, struct err *err)
{
    bool base64 = within && s->o->base64_layers;

    return add(s, st) && set_head(s, type, base64 ? "base64" : "binary", disposition, err) &&
           (!base64 || add_base64(s, err)) && (!within || add_entity(s, false, err));
}

static bool add_compressed(struct sealer *s, bool within, struct err *err)
{
    return add_cms(s, cms_compress_new(err),
                   "application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z",
                   "attachment; filename=smime.p7z", within, err);
}

static bool add_encrypted(struct sealer *s, struct err *err)
{
    bool aead = EVP_CIPHER_get_mode(s->o->encrypt->cipher) == EVP_CIPH_GCM_MODE;

    return add_cms(s, cms_encrypt_new(s->o->encrypt, err),
                   aead
                       ? "application/pkcs7-mime; smime-type=authEnveloped-data; name=smime.p7m"
                       : "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
                   "attachment; filename=smime.p7m", false, err);
}

/* ---- signature ---------------------------------------------------------------------------- */

/* The body of the signature part, with its line end where it has lines. */
static bool encode_signature(struct sealer *s, struct span signature, struct span *body,
                             struct err *err)
{
    size_t lines = (signature.n + BASE64_LINE / 4 * 3 - 1) / (BASE64_LINE / 4 * 3), at = 0;
    uint8_t *p;

    *body = signature;
    if (s->o->binary_signature)
        return true;
    p = arena_take(&s->arena, lines * (BASE64_LINE + 2) + 1);
    if (p == NULL)
        return no_memory(err);
    while (signature.n > 0) {
        size_t n = signature.n < BASE64_LINE / 4 * 3 ? signature.n : BASE64_LINE / 4 * 3;

        at += (size_t)EVP_EncodeBlock(p + at, signature.p, (int)n);
        p[at++] = '\r';
        p[at++] = '\n';
        span_skip(&signature, n);
    }
    *body = span_of(p, at);
    return true;
}

static bool join(struct sealer *s, struct span body, struct span *text, struct err *err)
{
    const char *head =
        arena_printf(&s->arena,
                     "\r\n--%s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                     "Content-Transfer-Encoding: %s\r\n"
                     "Content-Disposition: attachment; filename=smime.p7s\r\n\r\n",
                     s->o->boundary, s->o->binary_signature ? "binary" : "base64");
    const char *end = arena_printf(&s->arena, "\r\n--%s--\r\n", s->o->boundary);
    struct writer w;

    if (s->arena.failed)
        return no_memory(err);
    w = writer_of(NULL, strlen(head) + body.n + strlen(end));
    w.begin = arena_take(&s->arena, w.cap);
    if (w.begin == NULL)
        return no_memory(err);
    writer_put(&w, head, strlen(head));
    writer_put(&w, body.p, body.n);
    writer_put(&w, end, strlen(end));
    *text = writer_done(&w);
    return true;
}

/* All behind the signed part, once that is digested. */
static bool signature_part(void *context, struct span *text, struct err *err)
{
    struct sealer *s = context;
    const struct cms_digest *d = digests_find(&s->digests, EVP_MD_get_type(s->o->sign->digest));
    struct span body;
    uint8_t *p;
    size_t n;
    bool ok;

    if (!cms_sign_digest(s->o->sign, span_of(d->value, d->n), &p, &n, err))
        return false;
    ok = encode_signature(s, span_of(p, n), &body, err) && join(s, body, text, err);
    free(p);
    return ok;
}

static bool boundary_is_legal(const char *boundary)
{
    size_t n = boundary != NULL ? strlen(boundary) : 0;

    return n > 0 && n <= MIME_BOUNDARY_MAX && boundary[n - 1] != ' ' &&
           strspn(boundary, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "'()+_,-./:=? ") == n;
}

/* Whether there can be a signature in the end: said before the document goes through. */
static bool can_sign(const struct cms_sign_options *o, struct err *err)
{
    struct cms_sign_options detached = *o;
    struct stage *st;

    detached.detached = true;
    st = cms_sign_new(&detached, err);
    stage_free(st);
    return st != NULL;
}

static bool add_signed(struct sealer *s, bool within, struct err *err)
{
    const struct as2_seal_options *o = s->o;
    struct frame f = { .digests = &s->digests, .after = signature_part, .context = s };
    const char *first;
    int nid;

    if (!can_sign(o->sign, err))
        return false;
    if (!boundary_is_legal(o->boundary))
        return FAIL(err, FAIL_LOCAL, 0, "seal: no legal boundary");
    nid = EVP_MD_get_type(o->sign->digest);
    first = arena_printf(&s->arena, "--%s\r\n", o->boundary);
    if (first == NULL)
        return no_memory(err);
    f.before = span_text(first);
    return digests_add(&s->digests, nid, err) && add(s, frame_new(&f, err)) &&
           set_head(s,
                    arena_printf(&s->arena,
                                 "multipart/signed; protocol=\"application/pkcs7-signature\"; "
                                 "micalg=%s; boundary=\"%s\"",
                                 as2_digest_name(nid, o->legacy_names), o->boundary),
                    NULL, NULL, err) &&
           (!within || add_entity(s, false, err));
}

/* The content goes through twice: its digests for the MIC, and into the object. */
static bool add_opaque(struct sealer *s, bool within, struct err *err)
{
    struct cms_sign_options whole = *s->o->sign;
    struct frame f = { .digests = &s->digests };

    whole.detached = false;
    return add(s, frame_new(&f, err)) &&
           add_cms(s, cms_sign_new(&whole, err),
                   "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
                   "attachment; filename=smime.p7m", within, err);
}

/* ---- the stage ---------------------------------------------------------------------------- */

static bool add_layers(struct sealer *s, struct err *err)
{
    const struct as2_seal_options *o = s->o;
    bool before = o->sign != NULL && o->compress == AS2_COMPRESS_BEFORE;
    bool after = o->compress != AS2_COMPRESS_NO && !before;

    for (size_t i = 0; i < o->mics_n; i++)
        if (!digests_add(&s->digests, o->mics[i], err))
            return false;
    if (!add_payload(s, err) || (before && !add_compressed(s, true, err)))
        return false;
    if (o->sign != NULL &&
        !(o->opaque ? add_opaque : add_signed)(s, after || o->encrypt != NULL, err))
        return false;
    if (after && !add_compressed(s, o->encrypt != NULL, err))
        return false;
    return o->encrypt == NULL || add_encrypted(s, err);
}

static enum flow seal_step(struct stage *st, struct span *in, bool last, struct room *out,
                           struct err *err)
{
    return stage_step(((struct sealer *)st)->pipe, in, last, out, err);
}

static void seal_free(struct stage *st)
{
    struct sealer *s = (struct sealer *)st;

    stage_free(s->pipe);
    for (size_t i = 0; i < s->n; i++)
        stage_free(s->stages[i]);
    digests_free(&s->digests);
    arena_free(&s->arena);
    free(s);
}

struct stage *as2_seal_new(const struct as2_seal_options *o, struct err *err)
{
    static const struct stage_ops ops = { "seal", seal_step, seal_free };
    struct sealer *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        (void)no_memory(err);
        return NULL;
    }
    s->base.ops = &ops;
    s->o = o;
    if (add_layers(s, err)) {
        s->pipe = pipe_new(s->stages, s->n, 0);
        s->n = 0; /* taken */
        if (s->pipe != NULL || no_memory(err))
            return &s->base;
    }
    seal_free(&s->base);
    return NULL;
}

const struct mime_head *as2_seal_head(const struct stage *st)
{
    return &((const struct sealer *)st)->head;
}

size_t as2_seal_mics(const struct stage *st, struct as2_mic mics[AS2_MICS_MAX])
{
    const struct sealer *s = (const struct sealer *)st;

    for (size_t i = 0; i < s->o->mics_n; i++)
        mics[i] = digests_mic(&s->digests, s->o->mics[i]);
    return s->o->mics_n;
}
