/* The usual SignerInfo, read by hand: one signer with signed attributes, RSA with PKCS #1 v1.5. Only
 * that it is right is told: whatever else comes, and whatever is wrong, is signature.c's. */
#ifndef WAYBILL_CMS_USUAL_SIGNER_H
#define WAYBILL_CMS_USUAL_SIGNER_H

#include "cms/peel.h"

/* Borrowed from what was read. */
struct usual_signer {
    int digest; /* NID, one that cms_digest() knows */
    uint8_t who_id;
    struct span who;        /* for cms_is_named() */
    struct span attributes; /* [0] as it came, in definite lengths */
    struct span message_digest;
    struct span signature;
};

/* infos: as signature_infos() gives it of w's tail. w's head announces the signer's digest and no
 * other, and the attributes name the content's type. False: it is not the usual one. */
bool usual_signer_read(const struct walk *w, struct span infos, struct usual_signer *u);

/* The first of the certificates that u names and whose key made the signature, given the digest of
 * the content. NULL: none. */
X509 *usual_signer_verify(const struct usual_signer *u, X509 *const *certs, size_t n,
                          struct span digest);

#endif
