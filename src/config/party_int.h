/* The rows of one side of an OFTP2 relation, which stand in two places each: in a component of
 * its own (partner, identity) and in place in a process (from, to). */
#ifndef WAYBILL_CONFIG_PARTY_INT_H
#define WAYBILL_CONFIG_PARTY_INT_H

#include "config/schema_int.h"

#define COMPONENT(member) offsetof(struct config_component, member)

/* clang-format off */
#define PARTNER_PARTY_ROWS(party, id_flags) \
    { "odette_id", ROW_TEXT, COMPONENT(party.odette_id), .check = check_odette_id, .flags = (id_flags), \
      .help = "The partner's ODETTE ID (SSIDCODE), at most 25 characters of `A-Z 0-9 / - . & ( )` and blanks inside." }, \
    { "password", ROW_PASSWORD, COMPONENT(party.password), COMPONENT(party.password_any), .max = PASSWORD_MAX, .def_shown = "none; a process needs one", \
      .help = "The password the partner must send (SSIDPSWD), at most 8 octets: the value, `{secret: name}`, or `{any: true}` to accept any. Partners formally know only `A-Z 0-9 / - . & ( )`; lower case is compared as it is." }, \
    { "acknowledgment_verification_certificate", ROW_TEXT, COMPONENT(party.acknowledgment_verification_certificate), .refers = REFERS_CERTIFICATE, \
      .help = "The partner's certificate that its signed receipts (EERP, NERP) are verified with." }, \
    { "signature_verification_certificate", ROW_TEXT, COMPONENT(party.signature_verification_certificate), .refers = REFERS_CERTIFICATE, \
      .help = "The partner's certificate that its signed documents are verified with." }, \
    { "session_authentication_encrypting_certificate", ROW_TEXT, COMPONENT(party.session_authentication_encrypting_certificate), .refers = REFERS_CERTIFICATE, \
      .help = "The partner's certificate that we encrypt the challenge of secure authentication with." }, \
    { "client_ssl_certificate", ROW_TEXT, COMPONENT(party.client_ssl_certificate), .refers = REFERS_CERTIFICATE, \
      .help = "The certificate the partner must show as TLS client when it calls us. Not given: any that the endpoint accepts." }, \
    { "via", ROW_TEXTS, COMPONENT(party.via), .check = check_odette_id, \
      .help = "ODETTE IDs of clearing centres that may bring files of this partner." }

#define IDENTITY_PARTY_ROWS(party, id_flags) \
    { "odette_id", ROW_TEXT, COMPONENT(party.odette_id), .check = check_odette_id, .flags = (id_flags), \
      .help = "Our ODETTE ID (SSIDCODE), at most 25 characters of `A-Z 0-9 / - . & ( )` and blanks inside." }, \
    { "password", ROW_SECRET, COMPONENT(party.password), .max = PASSWORD_MAX, .def_shown = "blanks", \
      .help = "The password we send (SSIDPSWD), at most 8 octets: the value or `{secret: name}`." }, \
    { "decryption_certificate", ROW_TEXT, COMPONENT(party.decryption_certificate), .refers = REFERS_KEY, \
      .help = "Our certificate, with its key, that documents for us are encrypted to." }, \
    { "acknowledgment_signing_certificate", ROW_TEXT, COMPONENT(party.acknowledgment_signing_certificate), .refers = REFERS_KEY, \
      .help = "Our certificate, with its key, that we sign receipts with." }, \
    { "session_authentication_challenge_certificate", ROW_TEXT, COMPONENT(party.session_authentication_challenge_certificate), .refers = REFERS_KEY, \
      .help = "Our certificate, with its key, that partners encrypt the challenge of secure authentication to." }
/* clang-format on */

#endif
