#include "support.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cms/ber.h"

static EVP_PKEY *make_key(const char *type)
{
    static EVP_PKEY *rsa[4];
    static unsigned next;
    EVP_PKEY **slot;

    if (strcmp(type, "RSA") != 0)
        return EVP_EC_gen(type);
    slot = &rsa[next++ % COUNT_OF(rsa)];
    if (*slot == NULL)
        *slot = EVP_RSA_gen(2048);
    (void)EVP_PKEY_up_ref(*slot);
    return *slot;
}

struct cms_signer make_signer(const char *name, const char *type)
{
    static long serial = 1000;
    struct cms_signer s = { X509_new(), make_key(type) };
    X509_NAME *subject = X509_get_subject_name(s.cert);
    X509V3_CTX ctx;
    X509_EXTENSION *ski;

    assert_non_null(s.key);
    X509_set_version(s.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(s.cert), ++serial);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(s.cert, subject);
    ASN1_TIME_set(X509_getm_notBefore(s.cert), 1700000000);
    ASN1_TIME_set(X509_getm_notAfter(s.cert), 2000000000);
    X509_set_pubkey(s.cert, s.key);
    X509V3_set_ctx(&ctx, s.cert, s.cert, NULL, NULL, 0);
    ski = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
    X509_add_ext(s.cert, ski, -1);
    X509_EXTENSION_free(ski);
    assert_true(X509_sign(s.cert, s.key, EVP_sha256()) > 0);
    return s;
}

void free_signer(struct cms_signer *s)
{
    X509_free(s->cert);
    EVP_PKEY_free(s->key);
}

void bytes_put(struct bytes *b, const void *p, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes) { 0 };
}

struct bytes make_text(size_t n)
{
    struct bytes b = { 0 };
    uint32_t x = 12345;

    bytes_put(&b, "", 0);
    while (b.n < n) {
        char line[80];
        int k;

        x = x * 1664525 + 1013904223;
        k = snprintf(line, sizeof(line), "LIN+%u++%08X:EN'\r\nQTY+21:%u:PCE'\r\n", x % 9973, x,
                     x >> 20);
        bytes_put(&b, line, n - b.n < (size_t)k ? n - b.n : (size_t)k);
    }
    return b;
}

bool run_stage(struct stage *st, struct span in, size_t chunk, size_t room, struct bytes *out,
               struct err *err)
{
    struct span left = in, given = span_of(in.p, 0);
    enum flow f = FLOW_IN;
    unsigned idle = 0;
    uint8_t *buffer = malloc(room);

    assert_non_null(st);
    assert_non_null(buffer);
    while (f != FLOW_END && f != FLOW_FAIL) {
        struct room r = { buffer, room };
        size_t had;

        if (f == FLOW_IN && given.n == 0) {
            given = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, given.n);
        }
        had = given.n;
        f = stage_step(st, &given, left.n == 0, &r, err);
        bytes_put(out, buffer, room - r.n);
        if (f == FLOW_IN)
            assert_int_equal(given.n, 0);
        if (f == FLOW_OUT)
            assert_int_equal(r.n, 0);
        if (f == FLOW_END)
            assert_int_equal(given.n + left.n, 0);
        idle = had == given.n && r.n == room && chunk > 0 ? idle + 1 : 0;
        assert_true(idle < 4);
    }
    free(buffer);
    stage_free(st);
    if (f == FLOW_FAIL)
        assert_int_not_equal(err->kind, FAIL_NONE);
    return f == FLOW_END;
}

struct bytes seal_with(struct stage *st, struct span content)
{
    struct bytes out = { 0 };
    struct err err = { 0 };

    if (!run_stage(st, content, 65536, 65536, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

bool try_open(const struct cms_open_options *o, struct span object, struct bytes *got,
              bool *trusted, struct err *err)
{
    struct cms_layer layers[CMS_LAYERS_MAX];
    size_t n;
    uint8_t *p;
    size_t p_n;
    bool ok = cms_open_octets(o, object, 1 << 20, &p, &p_n, layers, &n, err);

    CHECK_EQ(ERR_peek_error(), 0);
    if (!ok)
        return false;
    *trusted = false;
    for (size_t i = 0; i < n; i++)
        *trusted = *trusted || layers[i].trusted;
    bytes_put(got, p, p_n);
    free(p);
    return true;
}

void expect_refusal(const struct cms_open_options *o, struct span object, enum cms_fault fault)
{
    struct bytes got = { 0 };
    struct err err = { 0 };
    bool trusted;

    if (try_open(o, object, &got, &trusted, &err))
        fail_msg("opened");
    CHECK_EQ(err.kind, FAIL_TRUST);
    if (err.wire != (int)fault)
        fail_msg("fault %d instead of %d: %s", err.wire, fault, err.text);
    bytes_free(&got);
}

struct cms_sign_options sign_options(const struct cms_signer *signer, const EVP_MD *md)
{
    return (struct cms_sign_options) { .signers = signer,
                                       .signers_n = 1,
                                       .digest = md,
                                       .signed_attributes = true,
                                       .now_s = 1800000000 };
}

/* One octet string as a constructed one. */
static void put_segments(struct bytes *out, uint8_t id, struct span content, size_t segment)
{
    uint8_t head[2] = { id | BER_CONSTRUCTED, 0x80 };

    bytes_put(out, head, 2);
    while (content.n > 0) {
        size_t n = content.n < segment ? content.n : segment;
        uint8_t h[4] = { BER_OCTET_STRING, 0x82, (uint8_t)(n >> 8), (uint8_t)n };

        bytes_put(out, h, 4);
        bytes_put(out, content.p, n);
        span_skip(&content, n);
    }
    bytes_put(out, "\0\0", 2);
}

/* signedAttrs and certificates are signed as DER and stay as they are: [0] at depth 4 and 3. */
static void convert(struct bytes *out, struct span *in, unsigned depth, bool enveloped,
                    size_t segment)
{
    struct span content;
    uint8_t id, head[2];

    while (in->n > 0) {
        struct span whole = *in;
        bool octets;

        assert_true(ber_element(in, &id, &content));
        whole.n -= in->n;
        octets =
            enveloped ? depth == 4 && id == BER_CONTEXT : depth == 5 && id == BER_OCTET_STRING;
        if (octets) {
            put_segments(out, id, content, segment);
        } else if ((id & BER_CONSTRUCTED) != 0 && depth < 4 &&
                   !(depth == 3 && id == BER_CONTEXT_CONSTRUCTED)) {
            head[0] = id;
            head[1] = 0x80;
            bytes_put(out, head, 2);
            convert(out, &content, depth + 1, enveloped, segment);
            bytes_put(out, "\0\0", 2);
        } else if (depth == 4 && id == BER_CONTEXT_CONSTRUCTED) {
            head[0] = id;
            head[1] = 0x80;
            bytes_put(out, head, 2);
            convert(out, &content, depth + 1, enveloped, segment);
            bytes_put(out, "\0\0", 2);
        } else {
            bytes_put(out, whole.p, whole.n);
        }
    }
}

struct bytes to_ber(struct span der, size_t segment)
{
    static const uint8_t enveloped[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3 };
    static const uint8_t auth[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 23 };
    struct bytes out = { 0 };
    struct span s = der, content = s, oid = s;
    uint8_t id;

    assert_true(ber_element(&s, &id, &content) && ber_element(&content, &id, &oid));
    s = der;
    convert(&out, &s, 0,
            span_equal(oid, span_of(enveloped, sizeof(enveloped))) ||
                span_equal(oid, span_of(auth, sizeof(auth))),
            segment);
    return out;
}
