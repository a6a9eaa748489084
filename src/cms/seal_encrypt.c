/* Sealing by EnvelopedData (CBC) and AuthEnvelopedData (GCM). libcrypto makes the key, wraps it for
 * the recipients and leaves a keyed cipher context; what it encodes without content is taken apart
 * for head and inner sequence. The content goes through the context straight into the room. */
#include "cms/algorithms.h"
#include "cms/walk.h"

#include <openssl/cms.h>
#include <openssl/rsa.h>

enum { BLOCK_MAX = 16, TAG = 16 };

struct encrypt {
    struct seal seal; /* the first member */
    CMS_ContentInfo *cms;
    BIO *chain; /* owns ctx */
    EVP_CIPHER_CTX *ctx;
    bool gcm;
    struct walk walk; /* holds head and inner */
    uint8_t mac[2 + TAG];
};

static bool work(struct seal *seal, struct span *in, bool last, struct room *out, bool *done,
                 struct err *err)
{
    struct encrypt *e = (struct encrypt *)seal;
    size_t take = in->n < out->n - BLOCK_MAX ? in->n : out->n - BLOCK_MAX;
    int n = 0;

    if (take > 0 && EVP_EncryptUpdate(e->ctx, out->p, &n, in->p, (int)take) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    room_skip(out, (size_t)n);
    span_skip(in, take);
    if (!last || in->n > 0 || out->n < BLOCK_MAX)
        return true;
    if (EVP_EncryptFinal_ex(e->ctx, out->p, &n) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    room_skip(out, (size_t)n);
    *done = true;
    return true;
}

static bool tail(struct seal *seal, struct err *err)
{
    struct encrypt *e = (struct encrypt *)seal;

    if (!e->gcm)
        return true;
    e->mac[0] = BER_OCTET_STRING;
    e->mac[1] = TAG;
    if (EVP_CIPHER_CTX_ctrl(e->ctx, EVP_CTRL_AEAD_GET_TAG, TAG, e->mac + 2) <= 0)
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    seal->form.tail = span_of(e->mac, sizeof(e->mac));
    return true;
}

static void encrypt_free(struct seal *seal)
{
    struct encrypt *e = (struct encrypt *)seal;

    BIO_free_all(e->chain);
    CMS_ContentInfo_free(e->cms);
    walk_free(&e->walk);
    free(e);
}

static bool set_padding(EVP_PKEY_CTX *c, const struct cms_encrypt_options *o, EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return o->digest == NULL ||
               EVP_PKEY_CTX_set_ecdh_kdf_md(c, cms_kdf_digest(EVP_MD_get_type(o->digest))) > 0;
    if (o->padding != CMS_PSS_OAEP)
        return true;
    return o->digest != NULL && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(c, o->digest) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(c, o->digest) > 0;
}

static bool add_recipient(struct encrypt *e, const struct cms_encrypt_options *o, X509 *cert,
                          struct err *err)
{
    unsigned flags = CMS_KEY_PARAM | (o->key_identifier ? CMS_USE_KEYID : 0u);
    EVP_PKEY *key = X509_get0_pubkey(cert);
    CMS_RecipientInfo *ri;

    if (key == NULL || (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "EC"))) {
        cms_ssl_clear();
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: a certificate with neither RSA nor EC key");
    }
    ri = CMS_add1_recipient_cert(e->cms, cert, flags);
    if (ri == NULL || !set_padding(CMS_RecipientInfo_get0_pkey_ctx(ri), o, key))
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    return true;
}

/* Head and inner sequence out of what libcrypto has encoded. */
static bool take_apart(struct encrypt *e, struct err *err)
{
    unsigned char *p = NULL;
    int n = i2d_CMS_ContentInfo(e->cms, &p);
    struct span in = span_of(p, n > 0 ? (size_t)n : 0), slice;
    enum walked walked = WALK_MORE;

    if (n > 0)
        do
            walked = walk_next(&e->walk, &in, &slice, err);
        while (walked == WALK_HEAD || walked == WALK_CLOSED);
    OPENSSL_free(p);
    if (walked == WALK_FAIL) {
        err->kind = FAIL_LOCAL;
        return false;
    }
    return (walked == WALK_DONE && e->walk.absent) ||
           FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
}

static bool prepare(struct encrypt *e, const struct cms_encrypt_options *o,
                    const EVP_CIPHER *cipher, struct err *err)
{
    BIO *nowhere;

    e->gcm = cms_is_gcm(EVP_CIPHER_get_nid(cipher));
    e->cms = e->gcm ? CMS_AuthEnvelopedData_create(cipher) : CMS_EnvelopedData_create(cipher);
    if (e->cms == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    for (size_t i = 0; i < o->recipients_n; i++)
        if (!add_recipient(e, o, o->recipients[i], err))
            return false;
    nowhere = BIO_new(BIO_s_null());
    e->chain = nowhere != NULL ? CMS_dataInit(e->cms, nowhere) : NULL;
    if (e->chain == NULL) {
        BIO_free(nowhere);
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    }
    if (BIO_get_cipher_ctx(e->chain, &e->ctx) <= 0 || CMS_set_detached(e->cms, 1) != 1)
        return FAIL(err, FAIL_LOCAL, 0, "encrypt: %s", cms_ssl_reason());
    if (!take_apart(e, err))
        return false;
    e->seal.form = (struct form) { .kind = e->walk.kind,
                                   .head = grow_span(&e->walk.head),
                                   .inner = grow_span(&e->walk.inner) };
    return true;
}

struct seal *seal_encrypt(const struct cms_encrypt_options *o, struct err *err)
{
    static const struct stage_ops stage_ops = { "encrypt", seal_step, seal_free };
    static const struct seal_ops ops = { work, tail, encrypt_free };
    const EVP_CIPHER *cipher =
        o->cipher != NULL ? cms_cipher(EVP_CIPHER_get_nid(o->cipher)) : NULL;
    struct encrypt *e;

    if (cipher == NULL || o->recipients_n == 0 || o->recipients_n > CMS_RECIPIENTS_MAX) {
        (void)FAIL(err, FAIL_LOCAL, 0,
                   cipher == NULL ? "encrypt: an unknown cipher"
                                  : "encrypt: 1 to %d recipients are needed",
                   CMS_RECIPIENTS_MAX);
        return NULL;
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        (void)NO_MEMORY(err);
        return NULL;
    }
    e->seal.base.ops = &stage_ops;
    e->seal.ops = &ops;
    if (!prepare(e, o, cipher, err)) {
        encrypt_free(&e->seal);
        cms_ssl_clear();
        return NULL;
    }
    cms_ssl_clear();
    return &e->seal;
}

struct stage *cms_encrypt_new(const struct cms_encrypt_options *o, struct err *err)
{
    struct seal *s = seal_encrypt(o, err);

    return s != NULL ? &s->base : NULL;
}
