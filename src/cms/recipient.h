/* The usual RecipientInfo, read by hand: one recipient, RSA with PKCS #1 v1.5, named by issuer and
 * serial number or by key identifier. libcrypto's structures cost a small message more than its
 * cipher; whatever else comes is theirs. */
#ifndef WAYBILL_CMS_RECIPIENT_H
#define WAYBILL_CMS_RECIPIENT_H

#include "cms/peel.h"

/* A context that decrypts the content, for p's head and one of its keys. NULL: this is not the usual
 * case, ask libcrypto. A wrong key shows nowhere but in the content (RFC 3218). iv: as the cipher
 * wants it. Given: EVP_CIPHER_CTX_free(). */
EVP_CIPHER_CTX *recipient_cipher(const struct peel *p, const EVP_CIPHER *cipher,
                                 struct span iv);

/* Whether a RecipientIdentifier or SignerIdentifier (RFC 5652 6.2.1, 5.3; its first octet and its
 * content) names this certificate, octet by octet. */
bool cms_is_named(uint8_t id, struct span who, X509 *cert);

#endif
