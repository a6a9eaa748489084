/* What one SignerInfo says and whether its signature is right, given a digest of the content; and
 * reading a SignedData without content. libcrypto parses and does the public key's part. */
#ifndef WAYBILL_CMS_SIGNATURE_H
#define WAYBILL_CMS_SIGNATURE_H

#include "cms/peel.h"

#include <openssl/cms.h>

/* Walks a SignedData without content ("detached") from *in into p->walk, and *in behind it. */
MUST_CHECK bool signature_read(struct peel *p, struct span *in, struct err *err);

/* Of what stands behind the content (struct walk's tail) the signer infos alone. */
struct span signature_infos(struct span tail);

/* The digests that SignedData announces (head: struct walk's, in any BER) and we know, each once,
 * max at most. How many. */
size_t signature_digests(struct span head, int *nids, size_t max);

int signer_digest(const CMS_SignerInfo *si);
/* Whether si names this certificate as its signer's. */
bool signer_names(CMS_SignerInfo *si, X509 *cert);
/* RFC 5652 5.3: the attribute must name the content's type. libcrypto looks only whether it is
 * there. */
bool signer_type_agrees(CMS_ContentInfo *cms, CMS_SignerInfo *si);

/* Verifies si, signed attributes and all, by the key of cert; content: the content's digest, made
 * with signer_digest(). CMS_INTEGRITY or CMS_SIGNATURE as cms_verify_digests() says. */
MUST_CHECK bool signer_verify(CMS_ContentInfo *cms, CMS_SignerInfo *si, X509 *cert,
                              struct span content, struct err *err);
/* Whether the messageDigest attribute, where there are attributes, is that of the content. */
bool signer_digest_agrees(CMS_SignerInfo *si, struct span content);

#endif
