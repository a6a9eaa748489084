/* Opening: the grammar [E] [C] [S [C]] P of as2.md 2.3. What may come next follows from what was
 * found so far: encryption only first, one of each, compression anywhere behind it. */
#include "as2/open_int.h"

#include <stdlib.h>

/* ---- guards ------------------------------------------------------------------------------- */

/* Leaves *err alone when the failure is kept: the layer's own may be in it. */
static bool keep(const struct as2_open *o, struct guard *g, const struct err *fault,
                 struct err *err)
{
    if (fault->kind == FAIL_LOCAL || o->stopped) {
        *err = *fault;
        return false;
    }
    g->fault = *fault;
    g->failed = true;
    return true;
}

bool guard_write(struct as2_open *o, struct guard *g, struct span octets, struct err *err)
{
    struct err fault;

    return g->failed || sink_write(g->inner, octets, &fault) || keep(o, g, &fault, err);
}

bool guard_end(struct as2_open *o, struct guard *g, struct err *err)
{
    struct err fault;

    return g->failed || sink_end(g->inner, &fault) || keep(o, g, &fault, err);
}

bool guard_verdict(const struct guard *g, struct err *err)
{
    if (g->failed)
        *err = g->fault;
    return !g->failed;
}

/* ---- entities ----------------------------------------------------------------------------- */

static struct stage *decoder(enum mime_encoding e)
{
    return e == MIME_BASE64 ? mime_base64_decode_new() : mime_quoted_decode_new();
}

bool open_decoded(const struct mime_head *h, struct sink **body, struct err *err)
{
    const char *value = mime_head_get(h, "Content-Transfer-Encoding");
    enum mime_encoding e = mime_encoding_of(value);
    struct sink *plain = *body;
    struct stage *st;

    if (e == MIME_BINARY)
        return true;
    *body = NULL;
    if (e == MIME_UNKNOWN) {
        sink_free(plain);
        return FAIL(err, FAIL_PEER, 0, "Content-Transfer-Encoding: \"%.40s\" is none we know",
                    value);
    }
    st = decoder(e);
    if (st == NULL) {
        sink_free(plain);
        return NO_MEMORY(err);
    }
    *body = sink_of_stage(st, plain, true);
    return *body != NULL || NO_MEMORY(err);
}

/* The same for a layer, whose header may say base64 without reason. */
static bool layer_decoded(const struct mime_head *h, struct sink **body, struct err *err)
{
    if (mime_encoding_of(mime_head_get(h, "Content-Transfer-Encoding")) != MIME_BASE64)
        return open_decoded(h, body, err);
    *body = open_coded(*body);
    return *body != NULL || NO_MEMORY(err);
}

static bool is_cms(const char *type)
{
    return strcmp(type, "application/pkcs7-mime") == 0 ||
           strcmp(type, "application/x-pkcs7-mime") == 0;
}

bool open_entity(struct as2_open *o, const struct mime_head *h, struct span raw,
                 struct sink **body, struct err *err)
{
    const char *text = mime_head_get(h, "Content-Type");
    struct mime_value type = { .value = "text/plain" }; /* RFC 2045 5.2 */
    struct sink *made = NULL;
    bool ok = true;

    if (text != NULL && !mime_value_read(text, &o->arena, &type, err))
        return false;
    if (is_cms(type.value))
        ok = open_layer(o, &type, &made, err) && layer_decoded(h, &made, err);
    else if (strcmp(type.value, "multipart/signed") == 0)
        ok = open_signed(o, &type, &made, err) && layer_decoded(h, &made, err);
    else
        ok = open_payload(o, h, raw, &type, &made, err);
    if (ok)
        *body = made;
    return ok;
}

static bool entity_head(void *context, const struct mime_head *h, struct span raw,
                        struct sink **body, struct err *err)
{
    return open_entity(context, h, raw, body, err);
}

static bool encrypted_head(void *context, const struct mime_head *h, struct span raw,
                           struct sink **body, struct err *err)
{
    struct as2_open *o = context;

    if (h->n == 0 && !o->o.headerless)
        return FAIL(err, FAIL_PEER, 0, "encrypted content without MIME headers (headerless)");
    return open_entity(o, h, raw, body, err);
}

struct sink *open_entity_sink(struct as2_open *o, bool encrypted, struct err *err)
{
    static const struct mime_entity_events events = { entity_head };
    static const struct mime_entity_events behind_encryption = { encrypted_head };
    struct sink *s = mime_entity_new(encrypted ? &behind_encryption : &events, o, &o->arena,
                                     encrypted && o->o.headerless);

    if (s == NULL)
        (void)NO_MEMORY(err);
    return s;
}

/* ---- the opener --------------------------------------------------------------------------- */

struct as2_open *as2_open_new(const struct as2_open_options *o, struct err *err)
{
    struct as2_open *made = calloc(1, sizeof(*made));

    if (made == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    made->o = *o;
    return made;
}

void as2_open_free(struct as2_open *o)
{
    if (o == NULL)
        return;
    sink_free(o->top);
    digests_free(&o->digests);
    arena_free(&o->arena);
    free(o);
}

const struct as2_opened *as2_open_result(const struct as2_open *o)
{
    return &o->found;
}

/* Nothing more will come; says what of it the partner is told. */
static bool fail(struct as2_open *o, struct err *err)
{
    o->failed = true;
    if (o->arena.failed && !o->stopped)
        (void)NO_MEMORY(err);
    if (err->kind == FAIL_PEER && !o->stopped) {
        err->kind = FAIL_TRUST;
        err->wire = AS2_UNEXPECTED;
    }
    if (err->kind == FAIL_TRUST)
        o->found.fault = (enum as2_fault)err->wire;
    return false;
}

static bool start(struct as2_open *o, struct err *err)
{
    return o->top != NULL || open_entity(o, o->o.http, span_of(NULL, 0), &o->top, err);
}

bool as2_open_write(struct as2_open *o, struct span octets, struct err *err)
{
    if (o->failed || o->ended)
        return FAIL(err, FAIL_LOCAL, 0, "open: pushed on after the end");
    return (start(o, err) && sink_write(o->top, octets, err)) || fail(o, err);
}

bool as2_open_end(struct as2_open *o, struct err *err)
{
    if (o->failed || o->ended)
        return FAIL(err, FAIL_LOCAL, 0, "open: ended after the end");
    o->ended = true;
    return (start(o, err) && sink_end(o->top, err)) || fail(o, err);
}
