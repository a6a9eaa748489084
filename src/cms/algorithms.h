/* The algorithms this program knows by their libcrypto numbers (NID_...), fetched once: fetching
 * by name for every message costs more than a small message itself. */
#ifndef WAYBILL_CMS_ALGORITHMS_H
#define WAYBILL_CMS_ALGORITHMS_H

#include "base/span.h"

#include <openssl/evp.h>

/* NULL when unknown. */
const EVP_MD *cms_digest(int nid);
const EVP_CIPHER *cms_cipher(int nid);
/* The digest of this object identifier (its content); NID_undef when unknown. */
int cms_digest_nid(struct span oid);
/* "sha256", "aes-256-cbc"; "unknown". */
const char *cms_algorithm_name(int nid);
/* ecdsa-with-<digest>; NID_undef when there is none. */
int cms_ecdsa(int digest_nid);
/* The digest of the key derivation of ECDH: RFC 5753 7.1.4 has none of the SHA-3 family, SHA-2 of
 * the same size then. */
const EVP_MD *cms_kdf_digest(int digest_nid);
bool cms_is_gcm(int cipher_nid);

#endif
