/* Cryptographic Message Syntax as stages (base/stage.h): seal by signing, compressing and
 * encrypting, open by the inverse, in memory that does not grow with the content. RFC 5652, 3274,
 * 5083, 8933; oftp2.md section 10.
 *
 * No I/O, no clock, no random source of its own but libcrypto's where keys and IVs are made: time
 * comes in as an argument. A stage is used by one thread at a time. Keys and certificates are
 * borrowed for the stage's life.
 *
 * Failures: FAIL_TRUST with .wire one of enum cms_fault; FAIL_LOCAL for our own set-up. What comes
 * out of an opening stage is not to be believed before FLOW_END of the whole pipe. */
#ifndef WAYBILL_CMS_H
#define WAYBILL_CMS_H

#include "base/stage.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum {
    CMS_LAYERS_MAX = 8,        /* nested content infos opened             */
    CMS_HEAD_MAX = 256 * 1024, /* octets before the content of one layer  */
    CMS_TAIL_MAX = 256 * 1024, /* octets behind it: certificates, signers */
    CMS_RECIPIENTS_MAX = 1000,
    CMS_SIGNERS_MAX = 32,
};

/* What went wrong, for the protocol's own words (EFNA 21 22 23, NERP 31 33 32, MDN modifiers).
 * Wrong key, padding and tag all are CMS_DECRYPTION: the text tells the operator no more. */
enum cms_fault {
    CMS_SIGNATURE = 1, /* missing where required, wrong, or by nobody we know */
    CMS_DECRYPTION,
    CMS_DECOMPRESSION,
    CMS_FORMAT,    /* not CMS, or beyond a limit     */
    CMS_POLICY,    /* an algorithm that is not agreed */
    CMS_INTEGRITY, /* only from cms_verify_digests: the content is another */
};

enum cms_kind { CMS_DATA, CMS_SIGNED, CMS_ENVELOPED, CMS_AUTH_ENVELOPED, CMS_COMPRESSED };

/* ---- sealing ---------------------------------------------------------------------------- */

struct cms_signer {
    X509 *cert;
    EVP_PKEY *key;
};

enum cms_padding { CMS_PKCS1, CMS_PSS_OAEP };

struct cms_sign_options {
    const struct cms_signer *signers;
    size_t signers_n;
    const EVP_MD *digest;
    enum cms_padding padding; /* RSA keys; PSS salt = digest length            */
    bool signed_attributes;   /* contentType, messageDigest, signingTime       */
    bool include_certificates;
    STACK_OF(X509) * chain; /* borrowed: goes along with include_certificates; NULL: none */
    bool key_identifier;    /* name the signer by subject key identifier     */
    bool detached;          /* nothing but the SignedData comes out          */
    int64_t now_s;          /* signingTime, seconds since 1970 UTC           */
};

/* Content in, BER (indefinite length) ContentInfo(SignedData) out. NULL with *err. */
struct stage *cms_sign_new(const struct cms_sign_options *o, struct err *err);

/* zlib through ISA-L where the build has it, else zlib. */
struct stage *cms_compress_new(struct err *err);

struct cms_encrypt_options {
    X509 *const *recipients;
    size_t recipients_n;
    const EVP_CIPHER *cipher; /* CBC: EnvelopedData; GCM: AuthEnvelopedData    */
    enum cms_padding padding; /* OAEP with `digest` for both hashes            */
    const EVP_MD *digest;
    bool key_identifier;
};
struct stage *cms_encrypt_new(const struct cms_encrypt_options *o, struct err *err);

/* ---- opening ---------------------------------------------------------------------------- */

struct cms_layer {
    bool known; /* the object's head was read: kind counts */
    enum cms_kind kind;
    char algorithm[64];              /* cipher, or digest of the signer that verified */
    bool trusted;                    /* signed: by one of the certificates given      */
    X509 *signer;                    /* which of them; borrowed; NULL: vouched for    */
    uint8_t digest[EVP_MAX_MD_SIZE]; /* signed: of the content                   */
    size_t digest_n;
    uint8_t signature[32]; /* cms_verify_digests(): SHA-256 of the signature, for replays */
};

/* clang-format off */
typedef bool cms_vouch(const void *context, X509 *signer, STACK_OF(X509) *inside);
/* clang-format on */
enum { CMS_INSIDE_MAX = 100, CMS_VOUCH_MAX = 10 }; /* certificates, and questions, a message */

struct cms_open_options {
    /* our keys: current, previous, next; the one a recipient info names is used */
    const struct cms_signer *keys;
    size_t keys_n;
    /* Whose signatures count; certificates inside the message are never trusted by themselves.
     * With some given, each SignedData found must have one of them as a signer (CMS_SIGNATURE);
     * without, it is opened as not .trusted. Whether there was one at all: cms_open_layers(). */
    X509 *const *signers;
    size_t signers_n;
    /* Asked about a certificate that came with the message and that a signature names, when none of
     * signers made it: whether an authority that is configured answers for it. inside: all that
     * came, none of them trusted by itself. Such a layer is .trusted without .signer. NULL: no. */
    cms_vouch *vouch;
    const void *vouch_context;
    /* algorithms allowed; NULL: RFC defaults (AES-CBC/GCM, 3DES; SHA-1, SHA-2, SHA3) */
    bool (*cipher_allowed)(int nid);
    bool (*digest_allowed)(int nid);
    uint64_t content_max;  /* octets of decompressed content, 0: none       */
    uint32_t ratio_max;    /* decompressed : compressed, 0: 1100 (zlib itself stays below
                                   1032), counted after the first MB             */
    bool one_layer;        /* open the outermost layer only                 */
    unsigned trailing_max; /* octets CR, LF and NUL tolerated behind the outermost object */
    /* The layers to be there, outermost first, CMS_ENVELOPED standing for both kinds: exactly these
     * are opened. Another in the place of one is refused with that one's fault. NULL: see below. */
    const enum cms_kind *want;
    size_t want_n;
    /* SignedData's content comes out neither digested nor verified: with cms_open_digests() and
     * cms_open_signature() that is the caller's to do. One without content is refused. */
    bool unverified;
};

/* How much of a failure may be told to who sent the message. What comes out of a CBC cipher may have
 * been tampered with octet by octet, and different answers to that decrypt it in the end (Vaudenay;
 * oftp2.md 10.4): so a failure inside an encrypted layer is kept until all of that layer has been
 * read, and is answered as CMS_DECRYPTION unless it cannot come from tampering. */
enum cms_doubt {
    CMS_CERTAIN, /* nothing was encrypted, or what was proved whole: by GCM's tag, the checksum of
                    the compressed data around, or a signature that verifies, though a stranger's */
    CMS_LIKELY, /* padding and form are good, but nothing proves it: tell it seldom */
    CMS_DOUBTFUL,
};

/* Peels ContentInfo after ContentInfo (DER or BER, any chunking of octet strings) until the
 * content is no CMS object any more, in the order it finds them; writes that content. What is no CMS
 * object from the start is refused (CMS_FORMAT), as are AuthEnvelopedData with authenticated
 * attributes. o is copied, what it points to is borrowed. */
struct stage *cms_open_new(const struct cms_open_options *o, struct err *err);
/* After FLOW_END (or failure): the layers found, outermost first. Borrowed from st. */
size_t cms_open_layers(const struct stage *st, const struct cms_layer **layers);
/* After failure. */
enum cms_doubt cms_open_doubt(const struct stage *st);

/* Of the outermost layer, opened .unverified, once it is known to be CMS_SIGNED: the digests that it
 * announces and we know, max at most. How many. */
size_t cms_open_digests(const struct stage *st, int *nids, size_t max);
/* The same after FLOW_END: the SignedData without its content, for cms_verify_digests(). Given:
 * free(). */
MUST_CHECK bool cms_open_signature(const struct stage *st, uint8_t **out, size_t *out_n,
                                   struct err *err);

/* A detached signature over content that was digested elsewhere is verified by feeding the content
 * through this stage (it comes out unchanged) and the SignedData at the end. AS2 needs it. */
struct stage *cms_verify_detached_new(const struct cms_open_options *o, struct span signed_data,
                                      struct err *err);

struct cms_digest {
    int nid;
    size_t n;
    uint8_t value[EVP_MAX_MD_SIZE];
};
/* The same when the content's digests are at hand. o: .signers, .digest_allowed. *used: octets of
 * signed_data the object has (what follows is the caller's to judge); layer: filled as far as
 * known, also on failure, .algorithm the signer's digest, .digest what it signed. .wire:
 * CMS_INTEGRITY (the content's digest is another; or, without signed attributes, a known signer's
 * signature is wrong), CMS_SIGNATURE (nobody we know, or the signature over the attributes is
 * wrong), CMS_FORMAT, CMS_POLICY. FAIL_AGAIN with .wire the NID: that digest was not among d. */
MUST_CHECK bool cms_verify_digests(const struct cms_open_options *o, struct span signed_data,
                                   const struct cms_digest *d, size_t n,
                                   struct cms_layer *layer, size_t *used, struct err *err);

/* ---- small objects in memory: receipts and challenges ------------------------------------ */

/* Given: free(). */
MUST_CHECK bool cms_sign_octets(const struct cms_sign_options *o, struct span content,
                                uint8_t **out, size_t *out_n, struct err *err);
/* A detached SignedData, in DER, over a content with this digest, made by o->digest elsewhere. */
MUST_CHECK bool cms_sign_digest(const struct cms_sign_options *o, struct span digest,
                                uint8_t **out, size_t *out_n, struct err *err);
MUST_CHECK bool cms_encrypt_octets(const struct cms_encrypt_options *o, struct span content,
                                   uint8_t **out, size_t *out_n, struct err *err);
/* At most max octets of content. Given: free(). layers: room for CMS_LAYERS_MAX, their .signer as
 * borrowed as o->signers; NULL: not wanted. */
MUST_CHECK bool cms_open_octets(const struct cms_open_options *o, struct span object,
                                size_t max, uint8_t **out, size_t *out_n,
                                struct cms_layer *layers, size_t *layers_n, struct err *err);

#endif
