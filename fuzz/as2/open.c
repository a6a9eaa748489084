/* Any octets to the whole opening of a message. Three octets choose options and the layers that are
 * laid around the input with a key it knows, so that a fuzzer gets to what is behind signatures and
 * encryption; the first line is the Content-Type of the HTTP message when there are none. What comes
 * out must not depend on how the message is cut, and libcrypto's error queue must be left empty. */
#include "as2/open.h"
#include "../cms/key.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONTENT_MAX = 1 << 18, ENTITY_MAX = 1 << 16, OBJECT_MAX = 1 << 17 };

enum { /* of the first octet */
       SIGNERS = 1,
       BY_LIST = 2,
       HEADERLESS = 4,
       UNPACK = 8,
       SMALL = 16,
       SIGN = 32,
       COMPRESS = 64,
       ENCRYPT = 128,
};
enum {
    COMPRESS_BEFORE = 1,
    GCM = 2,
    BASE64 = 4,
    NO_KEY = 8,
    OTHER_DIGEST = 16,
    OPAQUE = 32
}; /* the third */

static struct cms_signer key;

/* ---- layers ------------------------------------------------------------------------------- */

struct made {
    const char *type;
    size_t n;
    uint8_t p[OBJECT_MAX];
};

static void put(struct made *m, const void *p, size_t n)
{
    if (n > sizeof(m->p) - m->n)
        abort();
    if (n > 0)
        memcpy(m->p + m->n, p, n);
    m->n += n;
}

static void put_text(struct made *m, const char *text)
{
    put(m, text, strlen(text));
}

static void put_object(struct made *m, uint8_t *object, size_t n)
{
    put(m, object, n);
    free(object);
}

static void sign(struct span entity, bool other, bool opaque, struct made *m)
{
    struct cms_sign_options o = { .signers = &key,
                                  .signers_n = 1,
                                  .digest = other ? EVP_sha384() : EVP_sha256(),
                                  .signed_attributes = !other,
                                  .detached = !opaque,
                                  .now_s = 1800000000 };
    uint8_t *object;
    size_t n;
    struct err err;

    if (!cms_sign_octets(&o, entity, &object, &n, &err))
        abort();
    if (opaque) {
        m->type = "application/pkcs7-mime; smime-type=signed-data";
        put_object(m, object, n);
        return;
    }
    m->type = "multipart/signed; micalg=sha-256; boundary=fuzz-outer";
    put_text(m, "--fuzz-outer\r\n");
    put(m, entity.p, entity.n);
    put_text(m, "\r\n--fuzz-outer\r\nContent-Type: application/pkcs7-signature\r\n\r\n");
    put_object(m, object, n);
    put_text(m, "\r\n--fuzz-outer--\r\n");
}

static void compress(struct span entity, struct made *m)
{
    struct err err;
    struct stage *st = cms_compress_new(&err);
    struct room room = { m->p, sizeof(m->p) };

    if (st == NULL || stage_step(st, &entity, true, &room, &err) != FLOW_END)
        abort();
    m->n = sizeof(m->p) - room.n;
    m->type = "application/pkcs7-mime; smime-type=compressed-data";
    stage_free(st);
}

static void encrypt(struct span entity, bool gcm, struct made *m)
{
    struct cms_encrypt_options o = { .recipients = &key.cert,
                                     .recipients_n = 1,
                                     .cipher = gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc(),
                                     .digest = EVP_sha256() };
    uint8_t *object;
    size_t n;
    struct err err;

    if (!cms_encrypt_octets(&o, entity, &object, &n, &err))
        abort();
    m->type = "application/pkcs7-mime; smime-type=enveloped-data";
    put_object(m, object, n);
}

enum layer { SIGNED_LAYER, COMPRESSED_LAYER, ENCRYPTED_LAYER };

/* Turns the entity *m into one with a layer around. */
static void wrap(enum layer layer, unsigned more, struct made *m)
{
    static struct made body;

    body.n = 0;
    if (layer == SIGNED_LAYER)
        sign(span_of(m->p, m->n), more & OTHER_DIGEST, more & OPAQUE, &body);
    else if (layer == COMPRESSED_LAYER)
        compress(span_of(m->p, m->n), &body);
    else
        encrypt(span_of(m->p, m->n), more & GCM, &body);
    m->n = 0;
    m->type = body.type;
    put_text(m, "Content-Type: ");
    put_text(m, body.type);
    put_text(m, "\r\n\r\n");
    put(m, body.p, body.n);
}

/* ---- opening ------------------------------------------------------------------------------ */

struct result {
    bool ok, trusted;
    int kind;
    enum as2_fault fault;
    size_t payloads, n;
    uint64_t octets;
    struct as2_mic mic;
    uint8_t content[CONTENT_MAX];
};

static bool on_payload(void *context, const struct as2_payload *p, struct err *err)
{
    struct result *r = context;

    if (r->payloads++ >= MIME_PARTS_MAX || p->index >= MIME_PARTS_MAX)
        abort();
    if (p->file_name != NULL && strlen(p->file_name) > 2 * MIME_HEAD_MAX)
        abort();
    (void)err;
    return true;
}

static bool on_octets(void *context, struct span octets, struct err *err)
{
    struct result *r = context;

    if (r->payloads == 0)
        abort();
    r->octets += octets.n;
    if (octets.n > sizeof(r->content) - r->n)
        return FAIL(err, FAIL_AGAIN, 4711, "more than the test holds");
    memcpy(r->content + r->n, octets.p, octets.n);
    r->n += octets.n;
    return true;
}

static void check(const struct result *r, const struct as2_opened *found, const struct err *err)
{
    if (ERR_peek_error() != 0)
        abort();
    if (r->ok && (found->fault != AS2_FINE || found->payloads != r->payloads ||
                  found->octets != r->octets))
        abort();
    if (!r->ok &&
        (err->text[0] == '\0' ||
         (err->kind == FAIL_TRUST &&
          (found->fault != (enum as2_fault)err->wire || found->fault < AS2_AUTHENTICATION)) ||
         (err->kind == FAIL_AGAIN && err->wire != 4711 && found->missing_digest == 0)))
        abort();
    if (!r->ok && err->kind != FAIL_TRUST && err->kind != FAIL_AGAIN)
        abort();
    if (found->trusted && (!found->is_signed || found->signer == NULL))
        abort();
    if (found->mic.n > EVP_MAX_MD_SIZE || (found->mic.n > 0 && found->mic.nid == 0))
        abort();
}

static void open_all(struct as2_open_options o, struct span left, size_t chunk,
                     struct result *r)
{
    struct err err = { 0 };
    struct as2_open *opener;
    const struct as2_opened *found;

    memset(r, 0, offsetof(struct result, content));
    o.payload = on_payload;
    o.octets = on_octets;
    o.context = r;
    opener = as2_open_new(&o, &err);
    if (opener == NULL)
        abort();
    r->ok = true;
    while (r->ok && left.n > 0) {
        struct span in = { left.p, left.n < chunk ? left.n : chunk };

        r->ok = as2_open_write(opener, in, &err);
        span_skip(&left, in.n);
    }
    r->ok = r->ok && as2_open_end(opener, &err);
    found = as2_open_result(opener);
    check(r, found, &err);
    r->kind = (int)err.kind;
    r->fault = found->fault;
    r->trusted = found->trusted;
    r->mic = found->mic;
    as2_open_free(opener);
}

static void compare(const struct result *a, const struct result *b)
{
    if (a->ok != b->ok || a->kind != b->kind || a->fault != b->fault)
        abort();
    if (!a->ok)
        return;
    if (a->trusted != b->trusted || a->payloads != b->payloads || a->n != b->n ||
        memcmp(a->content, b->content, a->n) != 0)
        abort();
    if (a->mic.nid != b->mic.nid || a->mic.n != b->mic.n ||
        memcmp(a->mic.value, b->mic.value, a->mic.n) != 0)
        abort();
}

/* ---- the input ---------------------------------------------------------------------------- */

/* The message: its Content-Type and body. */
static struct span make(struct made *m, unsigned flags, unsigned more)
{
    struct span body;
    const uint8_t *end;

    if ((flags & COMPRESS) && (more & COMPRESS_BEFORE))
        wrap(COMPRESSED_LAYER, more, m);
    if (flags & SIGN)
        wrap(SIGNED_LAYER, more, m);
    if ((flags & COMPRESS) && !(more & COMPRESS_BEFORE))
        wrap(COMPRESSED_LAYER, more, m);
    if (flags & ENCRYPT)
        wrap(ENCRYPTED_LAYER, more, m);
    body = span_of(m->p, m->n);
    if (flags & (SIGN | COMPRESS | ENCRYPT)) {
        span_skip(&body, strlen("Content-Type: \r\n\r\n") + strlen(m->type));
        return body;
    }
    end = memchr(body.p, '\n', body.n);
    if (end == NULL)
        return span_of(body.p, 0);
    m->p[end - body.p] = '\0';
    m->type = (const char *)m->p;
    span_skip(&body, (size_t)(end - body.p) + 1);
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result whole, cut;
    static struct made made;
    static const char list[] = "signed-receipt-micalg=optional, sha1, sha256";
    struct arena a = { 0 };
    struct as2_request request;
    struct mime_field fields[2];
    struct mime_head http = { fields, 1 };
    struct as2_open_options o = { .http = &http, .keys = &key, .signers = &key.cert };
    struct span body;

    if (size < 3 || size > ENTITY_MAX)
        return 0;
    if (key.key == NULL)
        key = fuzz_signer();
    made.n = 0;
    made.type = NULL;
    put(&made, data + 3, size - 3);
    body = make(&made, data[0], data[2]);
    if (made.type == NULL)
        return 0;
    fields[0] = (struct mime_field) { "Content-Type", made.type };
    fields[1] = (struct mime_field) { "Content-Transfer-Encoding", "base64" };
    http.n = data[2] & BASE64 ? 2 : 1;
    as2_request_read("x", data[0] & BY_LIST ? list : NULL, NULL, &a, &request);
    o.request = &request;
    o.keys_n = data[2] & NO_KEY ? 0 : 1;
    o.signers_n = data[0] & SIGNERS ? 1 : 0;
    o.mic_by_list = data[0] & BY_LIST;
    o.headerless = data[0] & HEADERLESS;
    o.unpack = data[0] & UNPACK;
    o.content_max = data[0] & SMALL ? 100 : 0;
    open_all(o, body, size + OBJECT_MAX, &whole);
    open_all(o, body, 1 + data[1], &cut);
    compare(&whole, &cut);
    arena_free(&a);
    return 0;
}
