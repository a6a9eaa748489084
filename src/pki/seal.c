/* Private keys for the store: encrypted under a key that is kept outside of it. */
#include "pki/pki.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

/* Base64 of: version, which store key, nonce, the encrypted PKCS#8 (DER), tag. */
enum { VERSION = 1, ID = 8, NONCE = 12, TAG = 16, HEAD = 1 + ID + NONCE };

static const char no_crypto[] = "libcrypto cannot do AES-256-GCM, or memory is out";

/* Tells one store key from another, and nothing about it. */
static bool key_id(const uint8_t store_key[PKI_STORE_KEY], uint8_t id[ID])
{
    static const char label[] = "waybill store key";
    uint8_t in[sizeof(label) + PKI_STORE_KEY], md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool ok;

    memcpy(in, label, sizeof(label));
    memcpy(in + sizeof(label), store_key, PKI_STORE_KEY);
    ok = EVP_Digest(in, sizeof(in), md, &n, EVP_sha256(), NULL) == 1;
    if (ok)
        memcpy(id, md, ID);
    OPENSSL_cleanse(in, sizeof(in));
    return ok;
}

/* AES-256-GCM over in; the head and the component's name are authenticated with it. */
static bool gcm(bool encrypt, const uint8_t *store_key, const uint8_t *head, const char *name,
                struct span in, uint8_t *out, uint8_t tag[TAG])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int n = 0;
    bool ok =
        c != NULL &&
        EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, store_key, head + 1 + ID, encrypt) == 1 &&
        EVP_CipherUpdate(c, NULL, &n, head, HEAD) == 1 &&
        EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)name, (int)strlen(name)) == 1 &&
        EVP_CipherUpdate(c, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n &&
        (encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1) &&
        EVP_CipherFinal_ex(c, rest, &n) == 1 &&
        (!encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);

    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    return ok;
}

/* Given: free(). NULL when memory is out. */
static char *base64(const uint8_t *p, size_t n)
{
    char *text = malloc(4 * ((n + 2) / 3) + 1);

    if (text != NULL)
        (void)EVP_EncodeBlock((uint8_t *)text, p, (int)n);
    return text;
}

/* The octets of strict base64; 0: it is none. p: at least strlen(text) octets. */
static size_t octets_of(const char *text, uint8_t *p)
{
    size_t n = strlen(text), pad = 0;
    int got;

    if (n == 0 || n % 4 != 0 || n > PKI_SEALED_MAX)
        return 0;
    while (pad < 2 && text[n - 1 - pad] == '=')
        pad++;
    got = EVP_DecodeBlock(p, (const uint8_t *)text, (int)n);
    ERR_clear_error();
    if (got < 0 || (size_t)got != n / 4 * 3)
        return 0;
    for (size_t i = 1; i <= pad; i++)
        if (p[(size_t)got - i] != 0) /* bits of the last character that stand for nothing */
            return 0;
    return (size_t)got - pad;
}

static bool der_of(EVP_PKEY *key, uint8_t **der, size_t *n)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    int got = p8 == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(p8, der);

    PKCS8_PRIV_KEY_INFO_free(p8);
    ERR_clear_error();
    *n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

bool pki_key_seal(const uint8_t store_key[PKI_STORE_KEY], const char *name, EVP_PKEY *key,
                  char **text, struct err *err)
{
    uint8_t *der = NULL, *all = NULL;
    char *made = NULL;
    size_t n = 0;

    if (!der_of(key, &der, &n))
        return FAIL(err, FAIL_LOCAL, 0, "the private key cannot be written as PKCS#8");
    if (HEAD + n + TAG > PKI_SEALED_MAX / 4 * 3) {
        FAIL(err, FAIL_LOCAL, 0, "the private key is too large");
        goto out;
    }
    all = malloc(HEAD + n + TAG);
    if (all != NULL) {
        all[0] = VERSION;
        if (key_id(store_key, all + 1) && RAND_bytes(all + 1 + ID, NONCE) == 1 &&
            gcm(true, store_key, all, name, span_of(der, n), all + HEAD, all + HEAD + n))
            made = base64(all, HEAD + n + TAG);
    }
    if (made == NULL)
        FAIL(err, FAIL_LOCAL, 0, no_crypto);
    else
        *text = made;
out:
    OPENSSL_clear_free(der, n);
    free(all);
    ERR_clear_error();
    return made != NULL;
}

static bool open_octets(const uint8_t *store_key, const char *name, const uint8_t *all,
                        size_t n, EVP_PKEY **key, struct err *err)
{
    size_t len = n - HEAD - TAG;
    uint8_t *der = malloc(len), tag[TAG], id[ID];
    const unsigned char *p = der;
    PKCS8_PRIV_KEY_INFO *p8 = NULL;
    EVP_PKEY *got = NULL;

    if (der == NULL || !key_id(store_key, id)) {
        FAIL(err, FAIL_LOCAL, 0, no_crypto);
        goto out;
    }
    if (CRYPTO_memcmp(id, all + 1, ID) != 0) {
        FAIL(err, FAIL_LOCAL, 0, "its private key was sealed under another store key");
        goto out;
    }
    memcpy(tag, all + n - TAG, TAG);
    if (!gcm(false, store_key, all, name, span_of(all + HEAD, len), der, tag)) {
        FAIL(err, FAIL_LOCAL, 0,
             "its sealed_key is damaged, or was made for a component of another name than '%s'",
             name);
        goto out;
    }
    p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    got = p8 == NULL ? NULL : EVP_PKCS82PKEY(p8);
    if (got == NULL)
        FAIL(err, FAIL_LOCAL, 0, "its sealed_key holds no private key this libcrypto reads");
    else
        *key = got;
out:
    PKCS8_PRIV_KEY_INFO_free(p8);
    if (der != NULL)
        OPENSSL_cleanse(der, len);
    free(der);
    ERR_clear_error();
    return got != NULL;
}

bool pki_key_open(const uint8_t store_key[PKI_STORE_KEY], const char *name, const char *text,
                  EVP_PKEY **key, struct err *err)
{
    uint8_t *all = malloc(strlen(text) + 1);
    size_t n = all == NULL ? 0 : octets_of(text, all);
    bool ok = false;

    if (all == NULL)
        FAIL(err, FAIL_LOCAL, 0, "memory is out");
    else if (n <= HEAD + TAG || all[0] != VERSION)
        FAIL(err, FAIL_LOCAL, 0,
             "its sealed_key is not what `waybill certificates import` makes");
    else
        ok = open_octets(store_key, name, all, n, key, err);
    free(all);
    return ok;
}
