/* Opening EnvelopedData (RFC 5652 6) and AuthEnvelopedData (RFC 5083). The head gives the key and with
 * it a cipher context: recipient.c where it is the usual one; else libcrypto, which takes the content
 * for detached. The content goes through that, straight from the input to the room.
 *
 * CBC proves nothing about the content: who needs to know demands a signature inside. libcrypto
 * answers a wrong key of PKCS #1 v1.5 with a random one (RFC 3218), so that it shows only at the
 * padding of the last block, as every other damage does. Wrong padding goes on as content and is
 * told when all layers have ended (open.c): what is inside is worked through either way. */
#include "cms/algorithms.h"
#include "cms/recipient.h"

#include <openssl/cms.h>

enum {
    BLOCK_MAX = 16,
    FEED = 64,
    ICV_DEFAULT = 12,
    ICV_MIN = 12,
    ICV_MAX = 16,
    NONCE_MAX = 16
};

struct enveloped {
    CMS_ContentInfo *cms;
    BIO *chain; /* owns ctx, when there is one               */
    EVP_CIPHER_CTX *ctx;
    const EVP_CIPHER *cipher;
    uint8_t iv[EVP_MAX_IV_LENGTH]; /* of CBC                          */
    size_t iv_n;
    bool gcm, finished;
    size_t icv; /* octets of the tag                         */
    uint8_t held[FEED + BLOCK_MAX];
    size_t held_from, held_to; /* plain octets that found no room */
};

static bool undecryptable(struct err *err)
{
    cms_ssl_clear();
    return peel_undecryptable(err);
}

/* GCMParameters, RFC 5084 3.2. The length of the tag is not covered by the tag: a short one must
 * not make forging cheap. */
static bool gcm_parameters(const X509_ALGOR *a, size_t *icv)
{
    int type;
    const void *value;
    struct span s, content, nonce;
    uint8_t id;

    X509_ALGOR_get0(NULL, &type, &value, a);
    if (type != V_ASN1_SEQUENCE)
        return false;
    s = span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    *icv = ICV_DEFAULT;
    if (!ber_element(&s, &id, &content) || id != BER_SEQUENCE ||
        !ber_element(&content, &id, &nonce) || id != BER_OCTET_STRING || nonce.n == 0 ||
        nonce.n > NONCE_MAX)
        return false;
    if (content.n > 0) {
        if (!ber_element(&content, &id, &s) || id != BER_INTEGER || s.n != 1)
            return false;
        *icv = s.p[0];
    }
    return *icv >= ICV_MIN && *icv <= ICV_MAX;
}

/* Of CBC, RFC 3565 4.1. What is none is libcrypto's to refuse. */
static void keep_iv(struct enveloped *e, const X509_ALGOR *a)
{
    int type;
    const void *value;

    X509_ALGOR_get0(NULL, &type, &value, a);
    if (type != V_ASN1_OCTET_STRING || ASN1_STRING_length(value) > (int)sizeof(e->iv))
        return;
    e->iv_n = (size_t)ASN1_STRING_length(value);
    memcpy(e->iv, ASN1_STRING_get0_data(value), e->iv_n);
}

static bool defaults_allow(int nid)
{
    return cms_cipher(nid) != NULL;
}

/* inner: contentType, contentEncryptionAlgorithm. */
static bool check_cipher(struct peel *p, struct enveloped *e, struct err *err)
{
    bool (*allowed)(int) = p->o->cipher_allowed != NULL ? p->o->cipher_allowed : defaults_allow;
    const unsigned char *at = p->walk.inner.p, *end = at + p->walk.inner.n;
    ASN1_OBJECT *type = d2i_ASN1_OBJECT(NULL, &at, end - at);
    X509_ALGOR *a = type != NULL ? d2i_X509_ALGOR(NULL, &at, end - at) : NULL;
    const ASN1_OBJECT *object;
    bool ok = false;
    int nid;

    if (a == NULL || at != end) {
        (void)REFUSE(err, CMS_FORMAT, "enveloped data: no content encryption algorithm");
        goto out;
    }
    X509_ALGOR_get0(&object, NULL, NULL, a);
    nid = OBJ_obj2nid(object);
    (void)text_copy(p->layer->algorithm, sizeof(p->layer->algorithm), cms_algorithm_name(nid));
    e->gcm = cms_is_gcm(nid);
    e->cipher = cms_cipher(nid);
    keep_iv(e, a);
    if (cms_cipher(nid) == NULL || !allowed(nid))
        (void)REFUSE(err, CMS_POLICY, "enveloped data: the cipher %s is not allowed",
                     nid != NID_undef ? OBJ_nid2sn(nid) : "(unknown)");
    else if (e->gcm != (p->walk.kind == CMS_AUTH_ENVELOPED))
        (void)REFUSE(err, CMS_FORMAT, "%s: the wrong kind of cipher",
                     cms_kind_name(p->walk.kind));
    else if (e->gcm && !gcm_parameters(a, &e->icv))
        (void)REFUSE(err, CMS_FORMAT, "enveloped data: wrong GCM parameters");
    else
        ok = true;
out:
    ASN1_OBJECT_free(type);
    X509_ALGOR_free(a);
    return ok;
}

static bool names(CMS_RecipientInfo *ri, X509 *cert)
{
    STACK_OF(CMS_RecipientEncryptedKey) * keys;

    switch (CMS_RecipientInfo_type(ri)) {
    case CMS_RECIPINFO_TRANS:
        return CMS_RecipientInfo_ktri_cert_cmp(ri, cert) == 0;
    case CMS_RECIPINFO_AGREE:
        keys = CMS_RecipientInfo_kari_get0_reks(ri);
        for (int i = 0; i < sk_CMS_RecipientEncryptedKey_num(keys); i++)
            if (CMS_RecipientEncryptedKey_cert_cmp(sk_CMS_RecipientEncryptedKey_value(keys, i),
                                                   cert) == 0)
                return true;
        return false;
    default:
        return false;
    }
}

/* Which of our keys some recipient info is for. */
static const struct cms_signer *find_key(const struct peel *p, CMS_ContentInfo *cms)
{
    STACK_OF(CMS_RecipientInfo) *infos = CMS_get0_RecipientInfos(cms);

    for (int i = 0; infos != NULL && i < sk_CMS_RecipientInfo_num(infos); i++)
        for (size_t k = 0; k < p->o->keys_n; k++)
            if (names(sk_CMS_RecipientInfo_value(infos, i), p->o->keys[k].cert))
                return &p->o->keys[k];
    return NULL;
}

/* By libcrypto's structures. */
static bool begin_any(struct peel *p, struct enveloped *e, struct err *err)
{
    static const uint8_t no_tag[2 + ICV_MAX] = { BER_OCTET_STRING, ICV_MAX };
    const struct cms_signer *key;
    uint8_t mac[2 + ICV_MAX];
    BIO *nowhere;

    /* The field of the tag must be there; the tag itself comes behind the content. */
    memcpy(mac, no_tag, sizeof(mac));
    mac[1] = (uint8_t)e->icv;
    e->cms = peel_detached(p, span_of(mac, e->gcm ? 2 + e->icv : 0), err);
    if (e->cms == NULL)
        return false;
    key = find_key(p, e->cms);
    if (key == NULL)
        return REFUSE(err, CMS_DECRYPTION,
                      "enveloped data: encrypted for none of our %zu certificates",
                      p->o->keys_n);
    if (CMS_decrypt_set1_pkey_and_peer(e->cms, key->key, key->cert, NULL) != 1)
        return undecryptable(err);
    nowhere = BIO_new(BIO_s_null());
    e->chain = nowhere != NULL ? CMS_dataInit(e->cms, nowhere) : NULL;
    if (e->chain == NULL) {
        BIO_free(nowhere);
        return undecryptable(err);
    }
    cms_ssl_clear();
    return BIO_get_cipher_ctx(e->chain, &e->ctx) > 0 || undecryptable(err);
}

static bool begin(struct peel *p, struct err *err)
{
    struct enveloped *e = p->own = calloc(1, sizeof(*e));

    if (e == NULL)
        return NO_MEMORY(err);
    if (!check_cipher(p, e, err))
        return false;
    e->ctx = recipient_cipher(p, e->cipher, span_of(e->iv, e->iv_n));
    return e->ctx != NULL || begin_any(p, e, err);
}

static void drain(struct enveloped *e, struct room *out)
{
    struct span held = span_of(e->held + e->held_from, e->held_to - e->held_from);

    e->held_from += room_take(out, &held);
}

static bool content(struct peel *p, struct span *in, struct room *out, struct err *err)
{
    struct enveloped *e = p->own;
    int n = 0;

    drain(e, out);
    if (e->held_from < e->held_to)
        return true;
    if (out->n >= FEED + BLOCK_MAX) {
        size_t take = in->n < out->n - BLOCK_MAX ? in->n : out->n - BLOCK_MAX;

        take = take < INT32_MAX / 2 ? take : INT32_MAX / 2;
        if (EVP_DecryptUpdate(e->ctx, out->p, &n, in->p, (int)take) != 1)
            return undecryptable(err);
        room_skip(out, (size_t)n);
        span_skip(in, take);
    } else {
        size_t take = in->n < FEED ? in->n : FEED;

        if (EVP_DecryptUpdate(e->ctx, e->held, &n, in->p, (int)take) != 1)
            return undecryptable(err);
        e->held_from = 0;
        e->held_to = (size_t)n;
        span_skip(in, take);
        drain(e, out);
    }
    return true;
}

/* Octets of content in the last block, or all of it with *damaged; in time that does not tell. */
static size_t unpad(const uint8_t *block, size_t n, bool *damaged)
{
    unsigned pad = block[n - 1], bad = (pad == 0) | (pad > n);

    for (size_t i = 0; i < n; i++) {
        unsigned within = 0u - (unsigned)(i < pad); /* all ones, or none */

        bad |= within & (block[n - 1 - i] ^ pad);
    }
    *damaged = bad != 0;
    return n - (pad & (0u - (unsigned)(bad == 0)));
}

/* The last block, which the context has held back. */
static void last_block(struct peel *p)
{
    struct enveloped *e = p->own;
    int n = 0;

    e->finished = true;
    e->held_from = e->held_to = 0;
    p->damaged = true;
    if (EVP_CIPHER_CTX_set_padding(e->ctx, 0) == 1 &&
        EVP_DecryptFinal_ex(e->ctx, e->held, &n) == 1 && n > 0)
        e->held_to = unpad(e->held, (size_t)n, &p->damaged);
    cms_ssl_clear();
}

static enum flow flush(struct peel *p, struct room *out, struct err *err)
{
    struct enveloped *e = p->own;

    (void)err;
    drain(e, out);
    if (e->held_from < e->held_to)
        return FLOW_OUT;
    if (!e->gcm && !e->finished) {
        last_block(p);
        drain(e, out);
    }
    return e->held_from < e->held_to ? FLOW_OUT : FLOW_END;
}

/* Only a tail of mac and unauthenticated attributes: authenticated ones stand behind the content
 * but belong before it into GCM, which a stream cannot do. Nobody has been seen to send them. */
static bool check_tag(struct peel *p, struct enveloped *e, struct err *err)
{
    struct span tail = grow_span(&p->walk.tail), tag;
    uint8_t id, plain[BLOCK_MAX];
    int n = 0;

    if (tail.n > 0 && tail.p[0] == 0xa1)
        return REFUSE(
            err, CMS_FORMAT,
            "authenticated enveloped data: authenticated attributes are not supported");
    if (!ber_element(&tail, &id, &tag) || id != BER_OCTET_STRING || tag.n != e->icv ||
        (tail.n > 0 && tail.p[0] != 0xa2))
        return REFUSE(err, CMS_FORMAT, "authenticated enveloped data: no tag behind it");
    if (EVP_CIPHER_CTX_ctrl(e->ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag.n,
                            (void *)(uintptr_t)tag.p) <= 0 || /* read only */
        EVP_DecryptFinal_ex(e->ctx, plain, &n) != 1)
        return undecryptable(err);
    p->authentic = true;
    return true;
}

static bool finish(struct peel *p, struct err *err)
{
    struct enveloped *e = p->own;

    return !e->gcm || check_tag(p, e, err);
}

static void enveloped_free(struct peel *p)
{
    struct enveloped *e = p->own;

    if (e == NULL)
        return;
    if (e->chain == NULL)
        EVP_CIPHER_CTX_free(e->ctx);
    BIO_free_all(e->chain);
    CMS_ContentInfo_free(e->cms);
    OPENSSL_cleanse(e->held, sizeof(e->held));
    free(e);
}

const struct peel_ops peel_enveloped = { begin, content, flush, finish, enveloped_free };
