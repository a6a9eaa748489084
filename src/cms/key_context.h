/* Contexts for the RSA keys that are used again and again: libcrypto looks up a dozen names to make
 * one, and none to copy one. */
#ifndef WAYBILL_CMS_KEY_CONTEXT_H
#define WAYBILL_CMS_KEY_CONTEXT_H

#include "base/span.h"

#include <openssl/evp.h>

enum key_use { KEY_DECRYPT, KEY_SIGN, KEY_VERIFY };

/* A context for this use of an RSA key with PKCS #1 v1.5; md: of a signature, else NULL; one of
 * cms_digest()'s. The first one of a key is kept with the key, until that is freed. Any thread. NULL:
 * as EVP_PKEY_CTX_new(), or the key is not for this. Given: EVP_PKEY_CTX_free(). */
EVP_PKEY_CTX *key_context(EVP_PKEY *key, enum key_use use, const EVP_MD *md);

#endif
