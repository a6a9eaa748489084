#include "craft.h"

#include "cms/algorithms.h"

#include <stdlib.h>

struct bytes entity_of(const char *head, struct span body)
{
    struct bytes b = { 0 };

    bytes_put(&b, head, strlen(head));
    bytes_put(&b, "\r\n", 2);
    bytes_put(&b, body.p, body.n);
    return b;
}

struct bytes entity_text(const char *whole)
{
    struct bytes b = { 0 };

    bytes_put(&b, whole, strlen(whole));
    return b;
}

struct bytes entity_encrypted_with(struct bytes inner, const EVP_CIPHER *cipher,
                                   enum cms_padding padding, X509 *const *recipients, size_t n)
{
    struct cms_encrypt_options o = { .recipients = recipients,
                                     .recipients_n = n,
                                     .cipher = cipher,
                                     .padding = padding,
                                     .digest = cms_digest(NID_sha256) };
    struct err err = { 0 };
    struct bytes made;
    uint8_t *p;
    size_t p_n;

    if (!cms_encrypt_octets(&o, bytes_span(&inner), &p, &p_n, &err))
        fail_msg("%s", err.text);
    made = entity_of(ENCRYPTED_HEAD, span_of(p, p_n));
    bytes_free(&inner);
    free(p);
    return made;
}

struct bytes entity_encrypted(struct bytes inner)
{
    return entity_encrypted_with(inner, cms_cipher(NID_aes_256_cbc), CMS_PKCS1, &us.cert, 1);
}

struct bytes entity_compressed(struct bytes inner)
{
    struct err err = { 0 };
    struct bytes object = seal_with(cms_compress_new(&err), bytes_span(&inner));
    struct bytes made = entity_of(COMPRESSED_HEAD, bytes_span(&object));

    bytes_free(&object);
    bytes_free(&inner);
    return made;
}

struct bytes entity_with_signature(struct span part, struct span signature, const char *micalg)
{
    static unsigned next;
    char text[300];
    struct bytes b = { 0 };
    int n;

    next++;
    n = snprintf(text, sizeof(text),
                 "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
                 "%sboundary=\"=b%u=\"\r\n\r\n--=b%u=\r\n",
                 micalg, next, next);
    bytes_put(&b, text, (size_t)n);
    bytes_put(&b, part.p, part.n);
    n = snprintf(
        text, sizeof(text),
        "\r\n--=b%u=\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\n",
        next);
    bytes_put(&b, text, (size_t)n);
    bytes_put(&b, signature.p, signature.n);
    n = snprintf(text, sizeof(text), "\r\n--=b%u=--\r\n", next);
    bytes_put(&b, text, (size_t)n);
    return b;
}

struct bytes entity_signed_as(struct bytes part, const struct cms_signer *signer, int nid,
                              const char *micalg)
{
    struct cms_sign_options o = sign_options(signer, cms_digest(nid));
    uint8_t digest[EVP_MAX_MD_SIZE], *p;
    struct err err = { 0 };
    struct bytes made;
    unsigned n;
    size_t p_n;

    o.include_certificates = true;
    assert_true(EVP_Digest(part.p, part.n, digest, &n, o.digest, NULL) == 1);
    assert_true(cms_sign_digest(&o, span_of(digest, n), &p, &p_n, &err));
    made = entity_with_signature(bytes_span(&part), span_of(p, p_n), micalg);
    bytes_free(&part);
    free(p);
    return made;
}

struct bytes entity_signed(struct bytes part)
{
    return entity_signed_as(part, &partner, NID_sha256, "micalg=sha-256; ");
}

struct bytes entity_opaque_as(struct bytes part, const struct cms_sign_options *o)
{
    struct err err = { 0 };
    struct bytes made;
    uint8_t *p;
    size_t n;

    assert_true(cms_sign_octets(o, bytes_span(&part), &p, &n, &err));
    made = entity_of(OPAQUE_HEAD, span_of(p, n));
    bytes_free(&part);
    free(p);
    return made;
}

struct bytes entity_opaque(struct bytes part)
{
    struct cms_sign_options o = sign_options(&partner, cms_digest(NID_sha256));

    o.include_certificates = true;
    return entity_opaque_as(part, &o);
}

struct message message_from(struct bytes entity)
{
    const uint8_t *end = memmem(entity.p, entity.n, "\r\n\r\n", 4);
    struct message m = { 0 };
    struct err err = { 0 };
    size_t n;

    assert_non_null(end);
    n = (size_t)(end - entity.p) + 4;
    if (!mime_head_read(span_of(entity.p, n), &m.arena, &m.head, &err))
        fail_msg("%s", err.text);
    bytes_put(&m.body, entity.p + n, entity.n - n);
    bytes_free(&entity);
    return m;
}
