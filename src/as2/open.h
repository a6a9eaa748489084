/* Opening an AS2 message in one pass: [E] [C] [S [C]] P of as2.md 2.3, any depth of nothing else.
 * The HTTP body is pushed in; payloads come out before the message is verified: they belong into
 * quarantine until as2_open_end() has said yes. Memory does not follow the size. */
#ifndef WAYBILL_AS2_OPEN_H
#define WAYBILL_AS2_OPEN_H

#include "as2/as2.h"

enum {
    AS2_SIGNATURE_MAX = 256 * 1024, /* octets of the signature part, encoded */
    AS2_DIGESTS_MAX = 4,            /* digests run over the signed octets    */
};

struct as2_payload {
    /* 0; of a part of multipart/related or mixed: 0 for the root, 1 and up for the others. Parts are
     * told in the order they come, the root wherever it stands; `start` that names no part: no 0. */
    size_t index;
    const char *type;       /* Content-Type's value with parameters; NULL: none was there */
    const char *file_name;  /* as given, not made safe; NULL: none       */
    const char *content_id; /* NULL: none */
};

struct as2_open_options {
    /* Content-Type, Content-Transfer-Encoding, Content-Disposition of the HTTP message */
    const struct mime_head *http;
    const struct cms_signer *keys; /* ours; as in struct cms_open_options */
    size_t keys_n;
    X509 *const *signers; /* of this partner */
    size_t signers_n;
    cms_vouch *vouch; /* as in struct cms_open_options; NULL: nobody */
    const void *vouch_context;
    bool (*cipher_allowed)(int nid); /* NULL: the defaults of as2.md 7.3 */
    bool (*digest_allowed)(int nid);
    uint64_t content_max; /* octets of payload, and of decompressed content; 0: none */
    const struct as2_request *request; /* for the MIC's algorithm */
    bool mic_by_list;
    int mic_fallback;   /* NID for unsigned messages without a list; 0: SHA-1 */
    int digest_besides; /* for a second pass: see as2_opened.missing_digest; 0: none */
    bool headerless;    /* encrypted content without MIME headers is a payload */
    bool unpack;        /* multipart/related and mixed: each part is a payload; else P is one */

    /* A payload begins; its octets follow. Failing stops the opening with that *err. */
    bool (*payload)(void *context, const struct as2_payload *p, struct err *err);
    bool (*octets)(void *context, struct span octets, struct err *err);
    void *context;
};

/* What was found, also after a failure as far as it got. Lives as long as the opener. */
struct as2_opened {
    bool encrypted, is_signed, compressed;
    bool aead;    /* encrypted with authentication               */
    bool trusted; /* signed by one of the signers, verified      */
    char cipher[64], digest[64], signer_digest_spelling[32];
    X509 *signer;             /* borrowed from the options                   */
    char signer_subject[256]; /* of the certificate in the message when .signer is NULL */
    int signature_digest;     /* NID, NID_undef without signature       */
    struct as2_mic mic;       /* .n 0: its source was never known       */
    const char *mic_spelling;
    uint8_t
        signature_hash[32]; /* SHA-256 of the signature's octets, for replays; zero without */
    size_t payloads;
    uint64_t octets;      /* of all payloads */
    enum as2_fault fault; /* the first failing layer from outside in; AS2_FINE */
    /* The signer used a digest that was not run along: open again with .digest_besides set to it
     * (the raw payload is kept). as2_open_end() has failed with FAIL_AGAIN then. */
    int missing_digest;
};

struct as2_open;

/* NULL with *err. Options are copied, what they point to is borrowed. */
struct as2_open *as2_open_new(const struct as2_open_options *o, struct err *err);
/* False: FAIL_TRUST with .wire an enum as2_fault (also .fault of the result), FAIL_LOCAL, or what the
 * events failed with. Nothing more may be pushed then. */
MUST_CHECK bool as2_open_write(struct as2_open *o, struct span octets, struct err *err);
MUST_CHECK bool as2_open_end(struct as2_open *o, struct err *err);
const struct as2_opened *as2_open_result(const struct as2_open *o);
void as2_open_free(struct as2_open *o); /* NULL is fine */

#endif
