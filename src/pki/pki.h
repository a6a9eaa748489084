/* Certificates and keys: read from PEM, DER and PKCS#12, chosen by validity among those of one
 * purpose, checked for usage and revocation, made new. Values are never changed after loading and
 * may be shared by threads. No files and no clock: octets and time are arguments, seconds since
 * 1970 UTC. */
#ifndef WAYBILL_PKI_H
#define WAYBILL_PKI_H

#include "base/err.h"
#include "base/span.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum {
    PKI_PEM_MAX = 256 * 1024,       /* octets of PEM, DER or PKCS#12 taken from one source */
    PKI_CRL_MAX = 16 * 1024 * 1024, /* octets of a revocation list                         */
};

struct pki_certificate {
    X509 *leaf; /* the first certificate */
    /* clang-format off */
    STACK_OF(X509) *chain; /* those after it; may be empty, never NULL */
    /* clang-format on */
    EVP_PKEY *key; /* NULL when only the public part is known */
    /* For what is trusted: lists that say which certificates count no more. */
    /* clang-format off */
    STACK_OF(X509_CRL) *crls; /* NULL: none are asked */
    /* clang-format on */
    bool crl_strict; /* an overdue list, or none of the issuer, is a refusal */
};

/* Reads one or more certificates from PEM text, or one in DER, and, when key.n > 0, the private key
 * (PEM) that belongs to the first. Given: pki_certificate_free. FAIL_LOCAL names what is wrong. */
MUST_CHECK bool pki_certificate_read(struct span cert, struct span key,
                                     struct pki_certificate **out, struct err *err);
/* The same; the key may be encrypted. password NULL: it may not. */
MUST_CHECK bool pki_certificate_read_password(struct span cert, struct span key,
                                              const char *password,
                                              struct pki_certificate **out, struct err *err);
/* Certificate, key and chain from PKCS#12 (DER). password: "" or NULL for none. A file without key
 * is read, too; one without certificate is not. */
MUST_CHECK bool pki_pkcs12_read(struct span der, const char *password,
                                struct pki_certificate **out, struct err *err);
void pki_certificate_free(struct pki_certificate *c);

/* PKCS#7 (.p7b), PEM or DER: certificates in no order, no key. pem: first the one that has issued
 * none of the others, then those; given: free(). FAIL_LOCAL: damaged, or it is not clear which is
 * meant. */
bool pki_is_pkcs7(struct span text);
MUST_CHECK bool pki_pkcs7_pem(struct span text, char **pem, struct err *err);

/* Any of them: PEM, DER, PKCS#12 or PKCS#7 for the certificate; the key, PEM or DER, may also stand
 * in the same PEM text. */
MUST_CHECK bool pki_any_read(struct span cert, struct span key, const char *password,
                             struct pki_certificate **out, struct err *err);
/* Gives c, which has none, its key; counted once more. FAIL_LOCAL: it is not its. */
MUST_CHECK bool pki_certificate_set_key(struct pki_certificate *c, EVP_PKEY *key,
                                        struct err *err);

/* SHA-256 of the leaf's DER in lower-case hex: text has 65 octets. */
void pki_fingerprint(const X509 *cert, char text[65]);
/* Seconds since 1970. */
bool pki_time(const ASN1_TIME *t, int64_t *s);
bool pki_validity(const X509 *cert, int64_t *not_before_s, int64_t *not_after_s);
/* "CN=acme, O=ACME": for logs. Always ends with NUL. */
void pki_subject(const X509 *cert, char *text, size_t cap);
void pki_issuer(const X509 *cert, char *text, size_t cap);

/* ---- several of one purpose ------------------------------------------------------------- */

/* Older, current and next certificates of one purpose, in the order of preference. */
struct pki_set {
    struct pki_certificate **list;
    size_t n;
};

bool pki_valid_at(const X509 *cert, int64_t now_s);
/* The first valid one with its key; NULL: none. */
const struct pki_certificate *pki_set_sign(const struct pki_set *set, int64_t now_s);
/* The valid one with the latest notBefore, the first of equals; NULL: none. */
const struct pki_certificate *pki_set_encrypt(const struct pki_set *set, int64_t now_s);
/* The leaves of all valid ones, at most cap, borrowed from the set; how many. */
size_t pki_set_accept(const struct pki_set *set, int64_t now_s, X509 **list, size_t cap);
/* Frees the certificates and the list, not the struct. */
void pki_set_free(struct pki_set *set);

/* ---- fit for it? ------------------------------------------------------------------------ */

enum pki_use { PKI_SIGN = 1, PKI_ENCRYPT = 2, PKI_SERVER = 4, PKI_CLIENT = 8 };

/* By key usage, for TLS also by extended key usage; a certificate without them may do all. */
bool pki_usage_allows(const X509 *cert, enum pki_use use);
/* Whole days until the certificate ends, 0 in its last 24 hours, negative afterwards. */
int pki_days_left(const X509 *cert, int64_t now_s);

/* One revocation list, PEM or DER. Given: X509_CRL_free. */
MUST_CHECK bool pki_crl_read(struct span pem_or_der, X509_CRL **out);
/* Whether crl, which must be of the certificate's issuer, has revoked it. issuer, when given, must
 * have signed crl: a list by somebody else revokes nothing. */
bool pki_revoked(const X509 *cert, X509_CRL *crl, const X509 *issuer_or_null);

/* ---- chains ----------------------------------------------------------------------------- */

/* All lists of one source: any number in PEM, one in DER. Given: sk_X509_CRL_pop_free. */
/* clang-format off */
MUST_CHECK bool pki_crls_read(struct span text, STACK_OF(X509_CRL) **out);
/* When the first of them is over (nextUpdate); INT64_MAX: none says so. */
int64_t pki_crls_next(const STACK_OF(X509_CRL) *crls);
/* clang-format on */

/* Every certificate of anchors, self-signed or not, becomes an anchor: RFC 5280 6.1.1 (d) leaves
 * that to us, and partners exchange end-entity certificates. With its lists; a verify callback of
 * somebody else must call the store's own, which judges missing and overdue ones. */
MUST_CHECK bool pki_store_fill(X509_STORE *store, const struct pki_certificate *anchors);
/* Whether leaf is one of anchors or was issued by them, over certificates that came inside and are
 * not trusted by themselves (may be NULL); each valid at at_s and revoked by none of the lists.
 * *why: libcrypto's words. Key usage is pki_usage_allows. */
/* clang-format off */
MUST_CHECK bool pki_chain_ok(const X509 *leaf, STACK_OF(X509) *inside,
                             const struct pki_certificate *anchors, int64_t at_s,
                             const char **why);
/* clang-format on */

/* ---- kept in the store, given away ------------------------------------------------------ */

enum {
    PKI_STORE_KEY = 32,         /* octets of the key that private keys are sealed under */
    PKI_SEALED_MAX = 32 * 1024, /* characters of a sealed key                           */
    PKI_PASSWORD_MIN = 8,       /* octets of a password a key is exported with          */
};

/* The private key as one line of text: PKCS#8 under AES-256-GCM, bound to a name. Given: free(). */
MUST_CHECK bool pki_key_seal(const uint8_t store_key[PKI_STORE_KEY], const char *name,
                             EVP_PKEY *key, char **text, struct err *err);
/* Back again; FAIL_LOCAL tells another store key from a damaged text or another name. Given:
 * EVP_PKEY_free. */
MUST_CHECK bool pki_key_open(const uint8_t store_key[PKI_STORE_KEY], const char *name,
                             const char *text, EVP_PKEY **key, struct err *err);

/* The certificate, and its chain when asked for, as PEM. Given: free(). */
MUST_CHECK bool pki_write_pem(const struct pki_certificate *c, bool chain, char **pem,
                              struct err *err);
/* Its private key as encrypted PKCS#8, PEM. Given: free(). */
MUST_CHECK bool pki_write_key(const struct pki_certificate *c, const char *password, char **pem,
                              struct err *err);
/* Certificate, chain and private key as PKCS#12, DER. Given: free(). */
MUST_CHECK bool pki_write_pkcs12(const struct pki_certificate *c, const char *name,
                                 const char *password, uint8_t **der, size_t *n,
                                 struct err *err);

/* ---- made new --------------------------------------------------------------------------- */

enum { PKI_BITS_MIN = 2048, PKI_BITS_MAX = 8192, PKI_DAYS_MAX = 36500 };

/* A new RSA key and a certificate for it signed by itself, both PEM, the key not encrypted.
 * uses: enum pki_use, or-ed. Given: free() each; wipe the key. */
MUST_CHECK bool pki_generate(const char *subject_cn, unsigned bits, int days, int64_t now_s,
                             unsigned uses, char **cert_pem, char **key_pem, struct err *err);
/* A new RSA key and a certificate signing request (PKCS#10) for it. */
MUST_CHECK bool pki_request(const char *subject_cn, unsigned bits, unsigned uses,
                            char **request_pem, char **key_pem, struct err *err);

#endif
