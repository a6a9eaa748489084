/* Which certificate another one succeeds: the logical identification data (CLID) that Odette's
 * certificate exchange puts into SFIDDESC, and the logical identity of certificates. oftp2.md 13.2,
 * 13.3. */
#ifndef WAYBILL_PKI_CLID_H
#define WAYBILL_PKI_CLID_H

#include "pki/pki.h"

enum { PKI_CLID_MAX = 999 }; /* octets: SFIDDESC holds no more */

/* The data of a certificate, lines "key=value"; text[PKI_CLID_MAX + 1]. Without the subject and the
 * extended key usage when it would be longer. */
MUST_CHECK bool pki_clid_write(const X509 *cert, char *text, struct err *err);
/* Whether text is such data at all: it has at least a serial number and an issuer. */
bool pki_clid_is(struct span text);
/* Whether text names this certificate: serial number and issuer are its own, and the authority key
 * identifier where text has one. DNs are compared as sets, without case and blanks. */
bool pki_clid_names(struct span text, const X509 *cert);
/* Same subject, issuer, key usage and extended key usage. */
bool pki_same_logical(const X509 *a, const X509 *b);
bool pki_self_signed(const X509 *cert);

#endif
