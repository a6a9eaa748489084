/* Sealing an AS2 message: a document in, the HTTP body out, and the digests to compare the MDN's MIC
 * with. as2.md sections 2 and 3. A stage (base/stage.h), memory does not follow the size. */
#ifndef WAYBILL_AS2_SEAL_H
#define WAYBILL_AS2_SEAL_H

#include "as2/as2.h"

enum { AS2_MICS_MAX = 8 };

enum as2_compress { AS2_COMPRESS_NO, AS2_COMPRESS_BEFORE, AS2_COMPRESS_AFTER }; /* signing */

struct as2_seal_options {
    /* the payload entity */
    const char *content_type; /* with parameters, one line */
    const char *file_name;    /* UTF-8; NULL: no Content-Disposition  */
    bool base64;              /* payload, signature: else binary payload, base64 signature */
    bool base64_layers;       /* compressed, encrypted, opaque entities within others, too */
    bool binary_signature;    /* signature part with Content-Transfer-Encoding: binary  */
    const struct cms_sign_options *sign; /* NULL: not signed; detached is set here */
    bool opaque;                /* SignedData around the content, not multipart/signed */
    bool legacy_names;          /* RFC 3851: micalg=sha256 */
    enum as2_compress compress; /* without signature BEFORE and AFTER are the same */
    const struct cms_encrypt_options *encrypt; /* NULL: not encrypted */
    const char *boundary;                      /* of multipart/signed: random, legal */
    /* the digests of the MIC's source to be made; the first is what will be asked for */
    int mics[AS2_MICS_MAX];
    size_t mics_n;
};

/* NULL with *err. o and what it points to are borrowed until the stage is freed. */
struct stage *as2_seal_new(const struct as2_seal_options *o, struct err *err);

/* Header fields of the HTTP message that describe the body: Content-Type and, where there is one,
 * Content-Transfer-Encoding and Content-Disposition. Borrowed from the stage; known at once. */
const struct mime_head *as2_seal_head(const struct stage *st);
/* After FLOW_END: the MICs in the order of o->mics. */
size_t as2_seal_mics(const struct stage *st, struct as2_mic mics[AS2_MICS_MAX]);

#endif
