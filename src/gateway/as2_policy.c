/* What of AS2's cryptography an operation allows: as2.md 7.3, 7.5, 5.1 steps 14, 17, 20. */
#include "gateway/as2_int.h"

#include <openssl/objects.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static struct {
    int nid;
    const char *name;
    unsigned strength; /* order of minimum_digest */
    EVP_MD *md;
} digests[] = {
    { NID_md5, "MD5", 1, NULL },           { NID_sha1, "SHA1", 2, NULL },
    { NID_sha224, "SHA224", 3, NULL },     { NID_sha256, "SHA256", 4, NULL },
    { NID_sha384, "SHA384", 5, NULL },     { NID_sha512, "SHA512", 6, NULL },
    { NID_sha3_224, "SHA3-224", 3, NULL }, { NID_sha3_256, "SHA3-256", 4, NULL },
    { NID_sha3_384, "SHA3-384", 5, NULL }, { NID_sha3_512, "SHA3-512", 6, NULL },
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        digests[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL);
}

const EVP_MD *as2_digest(int nid)
{
    (void)pthread_once(&once, fetch_all);
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (digests[i].nid == nid)
            return digests[i].md;
    return NULL;
}

bool as2_digest_supported(int nid)
{
    return as2_digest(nid) != NULL;
}

static unsigned strength(int nid)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (digests[i].nid == nid)
            return digests[i].strength;
    return 0;
}

static bool without_md5(int nid)
{
    return nid != NID_md5 && as2_digest_supported(nid);
}

static bool named(const char *const *list, int nid)
{
    for (; list != NULL && *list != NULL; list++)
        if (as2_digest_of(span_text(*list)) == nid)
            return true;
    return false;
}

as2_digest_policy *as2_receipt_policy(const struct config_as2_operation *op)
{
    return named(op->digests, NID_md5) ? as2_digest_supported : without_md5;
}

/* Whether the operation's list names this cipher of libcrypto: "AES256" is aes-256-cbc. */
static bool cipher_named(const char *const *list, const char *cipher)
{
    static const struct {
        const char *name, *cipher;
    } names[] = {
        { "3DES", "DES-EDE3-CBC" },        { "AES128", "AES-128-CBC" },
        { "AES192", "AES-192-CBC" },       { "AES256", "AES-256-CBC" },
        { "AES128_GCM", "AES-128-GCM" },   { "AES192_GCM", "AES-192-GCM" },
        { "AES256_GCM", "AES-256-GCM" },   { "AES128_GCM", "id-aes128-GCM" },
        { "AES192_GCM", "id-aes192-GCM" }, { "AES256_GCM", "id-aes256-GCM" },
    };

    for (; *list != NULL; list++)
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (strcasecmp(names[i].name, *list) == 0 &&
                strcasecmp(names[i].cipher, cipher) == 0)
                return true;
    return false;
}

static bool no(enum as2_fault *fault, enum as2_fault f, struct err *err, const char *text)
{
    *fault = f;
    return FAIL(err, FAIL_TRUST, (int)f, "%s", text);
}

bool as2_agreed(const struct config_process *p, const struct as2_opened *found,
                enum as2_fault *fault, struct err *err)
{
    const struct config_as2_operation *op = &p->as2;
    bool allowed = op->digests == NULL ? found->signature_digest != NID_md5
                                       : named(op->digests, found->signature_digest);

    if (found->encrypted && op->ciphers != NULL && !cipher_named(op->ciphers, found->cipher))
        return no(fault, AS2_DECRYPTION, err,
                  "the cipher is not allowed: ciphers of the operation");
    if (p->require.encrypted && !found->encrypted)
        return no(fault, AS2_INSUFFICIENT, err,
                  "the message is not encrypted: require.encrypted of the operation");
    if (p->require.is_signed && !found->is_signed)
        return no(fault, AS2_INSUFFICIENT, err,
                  "the message is not signed: require.signed of the operation");
    if (p->require.compressed && !found->compressed)
        return no(fault, AS2_INSUFFICIENT, err,
                  "the message is not compressed: require.compressed of the operation");
    if (found->is_signed && !found->trusted)
        return no(fault, AS2_AUTHENTICATION, err,
                  "the signature was not verified: from.signing_certificate of the operation");
    if (found->is_signed && !allowed)
        return no(fault, AS2_INSUFFICIENT, err,
                  "the signature's digest is not allowed: digests of the operation");
    if (found->is_signed && op->minimum_digest != NULL &&
        strength(found->signature_digest) <
            strength(as2_digest_of(span_text(op->minimum_digest))))
        return no(fault, AS2_INSUFFICIENT, err,
                  "the signature's digest is too weak: minimum_digest of the operation");
    return true;
}

void as2_signers(const struct as2_side *side, uint32_t grace_days, struct trusted *out)
{
    const struct pki_set *set = side->signing == NULL ? NULL : &side->signing->set;
    int64_t now = net_wall_ms() / 1000, from, to;

    out->n = 0;
    out->authority =
        side->signing != NULL && side->signing->cfg->issued_to != NULL ? side->signing : NULL;
    out->quiet = false;
    for (size_t i = 0; set != NULL && i < set->n && out->n < CERTIFICATES_MAX; i++) {
        X509 *leaf = set->list[i]->leaf;

        if (!pki_validity(leaf, &from, &to) || from > now || !pki_usage_allows(leaf, PKI_SIGN))
            continue;
        if (to + (int64_t)grace_days * 86400 < now)
            continue;
        if (to < now)
            log_event(LOG_WARN, "as2.certificate.expired", "certificate", side->signing->name,
                      "as2_id", side->id, "reason", "taken within its days of grace", "look_at",
                      "expired_grace_days of the operation", NULL);
        out->list[out->n++] = leaf;
    }
}

/* Of this thread: a call of the generator costs the same for many octets as for few. */
static _Thread_local struct {
    uint8_t octets[16 * 16];
    size_t left;
} drawn;

void as2_random(char text[33])
{
    uint8_t *octets;

    if (drawn.left == 0) {
        if (RAND_bytes(drawn.octets, sizeof(drawn.octets)) != 1)
            abort(); /* nothing that follows could be unguessable */
        drawn.left = sizeof(drawn.octets);
    }
    drawn.left -= 16;
    octets = drawn.octets + drawn.left;
    hex_text(octets, 16, text);
    memset(octets, 0, 16); /* given once */
}
