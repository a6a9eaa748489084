/* Entities put together by hand, header block and all: also such as we never send. */
#ifndef WAYBILL_TESTS_AS2_CRAFT_H
#define WAYBILL_TESTS_AS2_CRAFT_H

#include "layers.h"

/* head: lines with CRLF, without the empty one. */
struct bytes entity_of(const char *head, struct span body);
struct bytes entity_text(const char *whole);
/* Each takes (frees) the entity it wraps. */
struct bytes entity_encrypted(struct bytes inner);
struct bytes entity_encrypted_with(struct bytes inner, const EVP_CIPHER *cipher,
                                   enum cms_padding padding, X509 *const *recipients, size_t n);
struct bytes entity_compressed(struct bytes inner);
/* micalg as it is to be written: "micalg=sha-256; " or "". */
struct bytes entity_signed_as(struct bytes part, const struct cms_signer *signer, int nid,
                              const char *micalg);
struct bytes entity_signed(struct bytes part);
/* SignedData with the part inside; so too with what the signer's options are to be. */
struct bytes entity_opaque(struct bytes part);
struct bytes entity_opaque_as(struct bytes part, const struct cms_sign_options *o);
/* multipart/signed around a part and a given SignedData. */
struct bytes entity_with_signature(struct span part, struct span signature, const char *micalg);

/* The outermost header block becomes that of HTTP. Takes the entity. */
struct message message_from(struct bytes entity);

#define COMPRESSED_HEAD                                                                        \
    "Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z\r\n"     \
    "Content-Transfer-Encoding: binary\r\n"                                                    \
    "Content-Disposition: attachment; filename=smime.p7z\r\n"
#define OPAQUE_HEAD                                                                            \
    "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n"
#define ENCRYPTED_HEAD                                                                         \
    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"

#endif
