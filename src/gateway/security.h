/* File security of OFTP2: cipher suites, sealing and opening of documents, signed receipts, secure
 * authentication. oftp2.md sections 9 to 11; the cryptography is cms/cms.h. */
#ifndef WAYBILL_SECURITY_H
#define WAYBILL_SECURITY_H

#include "cms/cms.h"
#include "gateway/delivery.h"
#include "gateway/session_int.h"

enum { CERTIFICATES_MAX = 32, RESPONSE_CONTENT_MAX = 119 + EVP_MAX_MD_SIZE };

/* What SFIDCIPH stands for. oftp2.md 10.2. */
struct suite {
    const char *name;
    const EVP_CIPHER *cipher;
    const EVP_MD *digest;
    enum cms_padding padding;
};
/* False for 0 and unknown codes. The algorithms are fetched once. */
bool suite_of(unsigned ciph, struct suite *out);

/* The certificates of one setting, as the CMS layer wants them. A missing or unusable one is
 * FAIL_LOCAL naming the setting; none to trust today is FAIL_TRUST. */
struct trusted {
    X509 *list[CERTIFICATES_MAX];
    size_t n;
    const struct certificate *authority; /* it has issued_to; NULL: only those of the list */
    bool quiet;                          /* the log does not say who was refused */
};
MUST_CHECK bool security_trusted(const struct snapshot *sn, const char *name,
                                 const char *setting, struct trusted *out, struct err *err);
/* Puts them into the options, which borrow t. */
void security_trust(struct cms_open_options *o, const struct trusted *t);
struct own_keys {
    struct cms_signer list[CERTIFICATES_MAX];
    size_t n;
};
/* All keys of ours for decrypting, expired ones included: the file may be older. */
MUST_CHECK bool security_keys(const struct snapshot *sn, const char *name, const char *setting,
                              struct own_keys *out, struct err *err);
MUST_CHECK bool security_signer(const struct snapshot *sn, const char *name,
                                const char *setting, struct cms_signer *out, struct err *err);
MUST_CHECK bool security_recipient(const struct snapshot *sn, const char *name,
                                   const char *setting, X509 **out, struct err *err);

/* Seals a queued document from its job: sign, compress, encrypt, once. */
void seal_run(struct gateway *g, const struct job *j);

/* The digest of the transmitted octets, by the suite of SFIDCIPH; *n 0: it names none. */
MUST_CHECK bool security_hash(struct gateway *g, const struct document *d,
                              const struct oftp_sfid *f, uint8_t hash[EVP_MAX_MD_SIZE],
                              size_t *n, struct err *err);

/* Undoes what SFIDSEC and SFIDCOMP announce, writes what comes out to `to`, and gives the digest
 * of the transmitted octets (*hash_n 0: none was wanted). FAIL_TRUST carries the NERP reason;
 * with NERP_UNTOLD it is for the operator only, and the partner is told NERP_DECRYPTION: what is
 * wrong within encrypted octets says too much about them (enum cms_doubt). trial: what fails is
 * opened once more by who refuses it; it is neither logged nor counted here, and err says little. */
enum { NERP_UNTOLD = 0x100 };
MUST_CHECK bool security_open(struct gateway *g, const struct snapshot *sn,
                              const struct document *d, const struct oftp_sfid *f,
                              const struct listener *l, bool trial, struct records_out *to,
                              uint8_t hash[EVP_MAX_MD_SIZE], size_t *hash_n, struct err *err);

/* The octets a signed EERP or NERP is made over: oftp2.md 9.6. with_creator: NERPCREA is in. */
size_t response_content(const struct oftp_response *r, bool with_creator,
                        uint8_t content[RESPONSE_CONTENT_MAX]);
/* Signs r, whose hash is set. sig: given, free(). */
MUST_CHECK bool response_sign(const struct snapshot *sn, const struct listener *l,
                              unsigned ciph, struct oftp_response *r, uint8_t **sig,
                              struct err *err);
/* Checks the signature and hash of a response to a document of ours. FAIL_TRUST says what is
 * wrong and which setting to look at. */
MUST_CHECK bool response_verify(const struct snapshot *sn, const struct document *d,
                                const struct oftp_response *r, struct err *err);

/* Secure authentication, RFC 5024 section 11 of oftp2.md: answers to the engine's events. */
MUST_CHECK bool session_challenge(struct session *s, struct err *err);
MUST_CHECK bool session_respond(struct session *s, struct span auch, struct err *err);

/* Lower-case hex with a final NUL. */
void hex_text(const uint8_t *p, size_t n, char *text);
size_t hex_octets(const char *text, uint8_t *p, size_t cap);

#endif
