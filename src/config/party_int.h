/* The rows of one side of a relation, which stand in two places each: in a component of its own
 * (partner, identity) and in place in a process (from, to). */
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

#define AS2_ID_ROWS(whose, party, id_flags) \
    { "as2_id", ROW_TEXT, COMPONENT(party.as2_id), .check = check_as2_id, .flags = (id_flags), \
      .help = whose " AS2 ID (AS2-From, AS2-To): 1 to 128 printable characters, compared with their case, without blanks." }, \
    { "allow_blanks", ROW_BOOL, COMPONENT(party.allow_blanks), .def = "false", \
      .help = "Allow blanks inside `as2_id`, for a partner that insists on them. On the wire it is in quotes then." }

#define AS2_PARTNER_PARTY_ROWS(party, id_flags) \
    AS2_ID_ROWS("The partner's", party, id_flags), \
    { "signing_certificate", ROW_TEXT, COMPONENT(party.signing_certificate), .refers = REFERS_CERTIFICATE, \
      .help = "The partner's certificate that its signed messages and MDNs are verified with." }, \
    { "client_ssl_certificate", ROW_TEXT, COMPONENT(party.client_ssl_certificate), .refers = REFERS_CERTIFICATE, \
      .def_shown = "none is asked for", \
      .help = "The certificate, or its authority, that the partner must show as TLS client when it posts to us (403 otherwise). Only over an endpoint with `ssl`." }, \
    { "username", ROW_TEXT, COMPONENT(party.username), .max = 128, .check = check_username, .def_shown = "none is asked for", \
      .help = "The user name the partner must show (HTTP Basic, 401 otherwise). Needs `password`." }, \
    { "password", ROW_SECRET, COMPONENT(party.password), .max = 255, .def_shown = "none", \
      .help = "The password the partner must show with `username`: the value or `{secret: name}`." }, \
    { "ip_filter", ROW_TEXTS, COMPONENT(party.ip_filter), .check = check_ip_rule, .def_shown = "every address", \
      .help = "The addresses the partner may post from (403 otherwise): addresses, ranges `192.0.2.1-192.0.2.99`, prefixes `10.0.0.0/8`, patterns `10.1.*.*`, IPv4 and IPv6. An empty list `[]` blocks all." }

#define AS2_IDENTITY_PARTY_ROWS(party, id_flags) \
    AS2_ID_ROWS("Our", party, id_flags), \
    { "decryption_certificate", ROW_TEXT, COMPONENT(party.decryption_certificate), .refers = REFERS_KEY, \
      .help = "Our certificate, with its key, that messages for us are encrypted to." }, \
    { "mdn_signing_certificate", ROW_TEXT, COMPONENT(party.mdn_signing_certificate), .refers = REFERS_KEY, \
      .help = "Our certificate, with its key, that we sign MDNs with. Without it they are unsigned, which most partners do not take." }

/* Checks over the settings of one party; node may be NULL. */
void as2_party_done(struct walk *w, const yaml_node_t *node,
                    const struct config_as2_party *party);
/* A reference alone, or a party in place, told by the setting `id`. */
void one_way(struct walk *w, const yaml_node_t *node, const char *reference,
             const char *example, const char *id);

/* What operations of both protocols have. */
extern const struct mapping mapping_require, mapping_archiving, mapping_tracking;
extern const struct word acknowledge_words[];
/* clang-format on */

#endif
