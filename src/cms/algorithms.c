/* The table of digests and ciphers; RFC 5652 leaves the choice to profiles, ours is the one of
 * oftp2.md section 10.2 with what else partners send. */
#include "cms/algorithms.h"

#include <openssl/crypto.h>
#include <openssl/objects.h>

struct digest {
    int nid;
    int ecdsa;
    int kdf;
    const char *name;
    EVP_MD *fetched;
};

struct cipher {
    int nid;
    bool gcm;
    const char *name;
    EVP_CIPHER *fetched;
};

static struct digest digests[] = {
    { NID_sha1, NID_ecdsa_with_SHA1, NID_sha1, "sha1", NULL },
    { NID_sha224, NID_ecdsa_with_SHA224, NID_sha224, "sha224", NULL },
    { NID_sha256, NID_ecdsa_with_SHA256, NID_sha256, "sha256", NULL },
    { NID_sha384, NID_ecdsa_with_SHA384, NID_sha384, "sha384", NULL },
    { NID_sha512, NID_ecdsa_with_SHA512, NID_sha512, "sha512", NULL },
    { NID_sha3_224, NID_ecdsa_with_SHA3_224, NID_sha224, "sha3-224", NULL },
    { NID_sha3_256, NID_ecdsa_with_SHA3_256, NID_sha256, "sha3-256", NULL },
    { NID_sha3_384, NID_ecdsa_with_SHA3_384, NID_sha384, "sha3-384", NULL },
    { NID_sha3_512, NID_ecdsa_with_SHA3_512, NID_sha512, "sha3-512", NULL },
};

static struct cipher ciphers[] = {
    { NID_des_ede3_cbc, false, "des-ede3-cbc", NULL },
    { NID_aes_128_cbc, false, "aes-128-cbc", NULL },
    { NID_aes_192_cbc, false, "aes-192-cbc", NULL },
    { NID_aes_256_cbc, false, "aes-256-cbc", NULL },
    { NID_aes_128_gcm, true, "aes-128-gcm", NULL },
    { NID_aes_192_gcm, true, "aes-192-gcm", NULL },
    { NID_aes_256_gcm, true, "aes-256-gcm", NULL },
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

/* They live as long as the program. What a provider lacks (a FIPS one has no 3DES) stays NULL. */
static void fetch_all(void)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        digests[i].fetched = EVP_MD_fetch(NULL, digests[i].name, NULL);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        ciphers[i].fetched = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
}

static const struct digest *find_digest(int nid)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (digests[i].nid == nid)
            return &digests[i];
    return NULL;
}

static const struct cipher *find_cipher(int nid)
{
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        if (ciphers[i].nid == nid)
            return &ciphers[i];
    return NULL;
}

const EVP_MD *cms_digest(int nid)
{
    const struct digest *d = find_digest(nid);

    return d != NULL && CRYPTO_THREAD_run_once(&once, fetch_all) == 1 ? d->fetched : NULL;
}

const EVP_CIPHER *cms_cipher(int nid)
{
    const struct cipher *c = find_cipher(nid);

    return c != NULL && CRYPTO_THREAD_run_once(&once, fetch_all) == 1 ? c->fetched : NULL;
}

int cms_digest_nid(struct span oid)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        const ASN1_OBJECT *o = OBJ_nid2obj(digests[i].nid);

        if (span_equal(oid, span_of(OBJ_get0_data(o), OBJ_length(o))))
            return digests[i].nid;
    }
    return NID_undef;
}

const char *cms_algorithm_name(int nid)
{
    const struct digest *d = find_digest(nid);
    const struct cipher *c = find_cipher(nid);

    return d != NULL ? d->name : c != NULL ? c->name : "unknown";
}

int cms_ecdsa(int digest_nid)
{
    const struct digest *d = find_digest(digest_nid);

    return d != NULL ? d->ecdsa : NID_undef;
}

const EVP_MD *cms_kdf_digest(int digest_nid)
{
    const struct digest *d = find_digest(digest_nid);

    return d != NULL ? cms_digest(d->kdf) : NULL;
}

bool cms_is_gcm(int cipher_nid)
{
    const struct cipher *c = find_cipher(cipher_nid);

    return c != NULL && c->gcm;
}
