/* The settings of the components identity and partner. */
#include "config/party_int.h"

#define SECOND_MS UINT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)

enum { LEVEL_SECURE = 5 }; /* OFTP 2.0: the first with CMS */

#define ROWS(table)     .rows = (table), .rows_n = COUNT_OF(table)
#define PARTNER(member) COMPONENT(u.partner.member)

/* clang-format off */

/* ---- identity ---- */

static const struct row identity_oftp2_rows[] = {
    IDENTITY_PARTY_ROWS(u.identity.oftp2, ROW_REQUIRED),
    { "signing_certificate", ROW_TEXT, COMPONENT(u.identity.oftp2.signing_certificate), .refers = REFERS_KEY,
      .help = "Our certificate, with its key, that we sign the documents we send with." },
};

const struct mapping mapping_identity_oftp2 = {
    .name = "identity.oftp2", ROWS(identity_oftp2_rows), .at = 1 + COMPONENT(u.identity.oftp2.at),
    .foreign = &mapping_identity_as2, .protocol = "OFTP2",
    .help = "Who we are in OFTP2.",
};

static const struct row identity_rows[] = {
    { "identity", ROW_TEXT, COMPONENT(name), .check = check_name, .flags = ROW_REQUIRED,
      .help = "The name other components refer to." },
    { "oftp2", ROW_MAP, .also = COMPONENT(u.identity.has_oftp2), .sub = &mapping_identity_oftp2,
      .help = "Who we are in OFTP2." },
    { "as2", ROW_MAP, .also = COMPONENT(u.identity.has_as2), .sub = &mapping_identity_as2,
      .help = "Who we are in AS2." },
};

/* ---- partner ---- */

static const struct row retry_rows[] = {
    { "first", ROW_DURATION, PARTNER(retry_first_ms), .def = "1m", .min = 10, .max = DAY_MS,
      .help = "How long to wait after the first failed call. Each further failure doubles it." },
    { "max", ROW_DURATION, PARTNER(retry_max_ms), .def = "60m", .min = 10, .max = 30 * DAY_MS,
      .help = "The longest wait between two calls." },
    { "attempts", ROW_NUMBER, PARTNER(retry_attempts), .def = "0", .max = 100000,
      .help = "Give a document up as failed after so many calls; 0 is never." },
};

static const struct mapping retry_mapping = {
    .name = "partner.oftp2.retry", ROWS(retry_rows), .help = "What to do when the partner cannot be reached.",
};

static const struct row send_rows[] = {
    { "signed", ROW_BOOL, PARTNER(send_signed), .def = "false",
      .help = "Whether to sign documents, with the identity's `signing_certificate`." },
    { "encrypted", ROW_BOOL, PARTNER(send_encrypted), .def = "false",
      .help = "Whether to encrypt documents, to the partner's `encryption_certificate`." },
    { "compressed", ROW_BOOL, PARTNER(send_compressed), .def = "false",
      .help = "Whether to compress documents, after signing and before encryption." },
    { "signed_receipt", ROW_BOOL, PARTNER(send_signed_receipt), .def = "false",
      .help = "Whether to ask for signed receipts, which are verified with `acknowledgment_verification_certificate`." },
};

static const struct mapping send_mapping = {
    .name = "partner.oftp2.send", ROWS(send_rows), .help = "How documents for this partner are protected.",
};

static const struct word levels[] = {
    { "1.2", 1, NULL }, { "1.3", 2, NULL }, { "1.4", 4, NULL }, { "2.0", 5, NULL }, { NULL, 0, NULL },
};

/* YAML writers turn yes into true. */
static const struct word yes_no[] = {
    { .name = "yes" }, { .name = "no" }, { "true", 0, "yes" }, { "false", 0, "no" }, { .name = NULL },
};

static const struct word exchanges[] = {
    { .name = "off" }, { .name = "manual" }, { .name = "automatic" }, { "false", 0, "off" }, { .name = NULL },
};

static const struct row partner_oftp2_rows[] = {
    PARTNER_PARTY_ROWS(u.partner.oftp2, ROW_REQUIRED),
    { "host", ROW_TEXT, PARTNER(host), .check = check_host,
      .help = "Host name or address to call the partner at. Not given: only the partner calls us." },
    { "port", ROW_PORT, PARTNER(port), .min = 1, .max = 65535, .def_shown = "3305; 6619 with TLS",
      .help = "The TCP port to call." },
    { "session_level_encryption", ROW_BOOL, PARTNER(session_level_encryption), .def = "false",
      .help = "Whether to call with TLS." },
    { "server_ssl_certificate", ROW_TEXT, PARTNER(server_ssl_certificate), .refers = REFERS_CERTIFICATE,
      .def_shown = "the system's authorities",
      .help = "The certificate component with what the partner's server must show, or be issued by." },
    { "verify_host_name", ROW_BOOL, PARTNER(verify_host_name), .def = "true",
      .help = "Whether the partner's server certificate must name `host`. Switch it off only together with `server_ssl_certificate`." },
    { "client_certificate", ROW_TEXT, PARTNER(client_certificate), .refers = REFERS_KEY,
      .help = "Our certificate, with its key, to show as TLS client when calling this partner." },
    { "identity", ROW_TEXT, PARTNER(identity), .refers = REFERS_IDENTITY,
      .help = "The identity we call and send as, unless something else is said." },
    { "poll", ROW_DURATION, PARTNER(poll_ms), .def = "0", .min = 10, .max = 30 * DAY_MS, .flags = ROW_ZERO,
      .help = "Call the partner this often, also with nothing to send, to fetch what it has for us. 0 is never. Needs `host`." },
    { "retry", ROW_MAP, .sub = &retry_mapping, .help = "What to do when the partner cannot be reached." },
    { "receipt_timeout", ROW_DURATION, PARTNER(receipt_timeout_ms), .def = "24h", .min = 10, .max = 365 * DAY_MS, .flags = ROW_ZERO,
      .help = "A document without receipt after this time becomes overdue. 0 is never." },
    { "level_min", ROW_CHOICE, PARTNER(level_min), .def = "1.2", .words = levels,
      .help = "The lowest protocol version to agree to. TLS and receipts with hashes need 2.0." },
    { "level_max", ROW_CHOICE, PARTNER(level_max), .def = "2.0", .words = levels,
      .help = "The highest protocol version to offer. Lower it only for a partner that refuses 2.0." },
    { "buffer_size", ROW_NUMBER, PARTNER(buffer_size), .def = "0", .def_shown = "the server's", .min = 128, .max = 99999, .flags = ROW_ZERO,
      .help = "The largest exchange buffer to offer this partner, in octets; 0 is the server's." },
    { "credit", ROW_NUMBER, PARTNER(credit), .def = "0", .def_shown = "the server's", .min = 1, .max = 999, .flags = ROW_ZERO,
      .help = "The credit to offer this partner; 0 is the server's." },
    { "buffer_compression", ROW_MAYBE, PARTNER(compression), .def_shown = "the server's",
      .help = "Whether to offer buffer compression to this partner." },
    { "restart", ROW_MAYBE, PARTNER(restart), .def_shown = "the server's",
      .help = "Whether to offer restart to this partner. Switch it off for a partner whose restarts damage files." },
    { "tolerate_buffer_plus_one", ROW_BOOL, PARTNER(tolerate_buffer_plus_one), .def = "false",
      .help = "Accept buffers one octet longer than agreed, which some old programs send." },
    { "call_for_receipts", ROW_WORD, PARTNER(call_for_receipts), .def = "yes", .words = yes_no,
      .help = "Whether to call the partner only to bring a receipt. `no`: receipts wait for the next session. Without `host` they always do." },
    { "encryption_certificate", ROW_TEXT, COMPONENT(u.partner.oftp2.encryption_certificate), .refers = REFERS_CERTIFICATE,
      .help = "The partner's certificate that documents for it are encrypted to. Several: the valid one that begins last." },
    { "send", ROW_MAP, .sub = &send_mapping, .help = "How documents for this partner are protected." },
    { "cipher_suite", ROW_WORD, PARTNER(cipher_suite), .words = cipher_suite_words, .def_shown = "the server's",
      .help = "Algorithms for documents and receipts sent to this partner." },
    { "require_secure_authentication", ROW_MAYBE, PARTNER(secure_authentication), .def_shown = "the server's",
      .help = "Whether both sides must prove, by decrypting a challenge, that they hold their private key (SSIDAUTH). Needs `session_authentication_encrypting_certificate`." },
    { "accept_unsigned_receipts", ROW_BOOL, PARTNER(accept_unsigned_receipts), .def = "false",
      .help = "Let a receipt without signature settle a document that asked for a signed one. Only for a partner that cannot sign: such a receipt proves nothing." },
    { "certificate_exchange", ROW_WORD, PARTNER(certificate_exchange), .def = "manual", .words = exchanges,
      .help = "What to do with certificates the partner sends (Odette certificate exchange): `manual`, an operator decides (`waybill exchange`); `automatic`, a successor of a certificate in use that comes from a trusted authority counts at once; `off`, all are refused." },
    { "certificate_authorities", ROW_TEXT, PARTNER(certificate_authorities), .refers = REFERS_CERTIFICATE,
      .def_shown = "those of the certificate it succeeds: `trust`, or its issuers",
      .help = "The certificate component with the authorities that certificates the partner sends must come from. One signed by itself must succeed one that signed itself." },
};

static void partner_done(struct walk *w, const yaml_node_t *node, void *target)
{
    struct config_partner *p = &((struct config_component *)target)->u.partner;

    if (p->port == 0)
        p->port = p->session_level_encryption ? 6619 : 3305;
    if (p->poll_ms > 0 && p->host == NULL)
        walk_problem(w, walk_find(w, node, "poll"), "'poll' needs 'host': where to call");
    if (p->level_min > p->level_max)
        walk_problem(w, node, "'level_min' is higher than 'level_max'; swap them");
    if (p->retry_first_ms > p->retry_max_ms)
        walk_problem(w, walk_find(w, node, "retry"),
                     "'first' is longer than 'max'; raise max or lower first");
    if (p->level_max < LEVEL_SECURE && (p->send_signed || p->send_encrypted || p->send_compressed ||
                                        p->send_signed_receipt || p->secure_authentication > 0))
        walk_problem(w, node, "'send' and require_secure_authentication need 'level_max' 2.0");
    if (!p->session_level_encryption &&
        (p->server_ssl_certificate != NULL || p->client_certificate != NULL))
        walk_problem(w, node, "a partner with server_ssl_certificate or client_certificate also "
                              "needs session_level_encryption: true");
}

const struct mapping mapping_partner_oftp2 = {
    .name = "partner.oftp2", ROWS(partner_oftp2_rows), .at = 1 + COMPONENT(u.partner.oftp2.at), .done = partner_done,
    .foreign = &mapping_partner_as2, .protocol = "OFTP2",
    .help = "Who the partner is in OFTP2, how to reach it and what was agreed.",
};

static const struct row partner_rows[] = {
    { "partner", ROW_TEXT, COMPONENT(name), .check = check_name, .flags = ROW_REQUIRED,
      .help = "The name other components refer to." },
    { "oftp2", ROW_MAP, .also = COMPONENT(u.partner.has_oftp2), .sub = &mapping_partner_oftp2,
      .help = "Who the partner is in OFTP2, how to reach it and what was agreed." },
    { "as2", ROW_MAP, .also = COMPONENT(u.partner.has_as2), .sub = &mapping_partner_as2,
      .help = "Who the partner is in AS2, where to post to it and what was agreed." },
    { "outbox", ROW_LIST, PARTNER(outbox), PARTNER(outbox_n), .sub = &mapping_outbox, .max = 20,
      .help = "Folders whose files are sent to the partner." },
};

const struct mapping mapping_identity = {
    .name = "identity", ROWS(identity_rows), .size = sizeof(struct config_component),
    .help = "One of our own names.",
    .example =
        "identity: us\n"
        "oftp2:\n"
        "  odette_id: O0013000002US\n"
        "  password: {secret: our_password}\n"
        "as2:\n"
        "  as2_id: US-AS2\n"
        "  signing_certificate: our-sign\n"
        "  mdn_signing_certificate: our-sign\n"
        "  decryption_certificate: our-decrypt\n",
};

const struct mapping mapping_partner = {
    .name = "partner", ROWS(partner_rows), .size = sizeof(struct config_component),
    .help = "A trading partner.",
    .example =
        "partner: acme\n"
        "oftp2:\n"
        "  odette_id: O0013000001ACME\n"
        "  password: {secret: acme_password}\n"
        "  host: oftp.acme.example\n"
        "  port: 6619\n"
        "  session_level_encryption: true\n"
        "  identity: us\n"
        "  poll: 15m\n"
        "  retry: {first: 1m, max: 60m}\n"
        "  encryption_certificate: acme-encrypt\n"
        "  acknowledgment_verification_certificate: acme-sign\n"
        "  send: {signed: true, encrypted: true, compressed: true, signed_receipt: true}\n"
        "as2:\n"
        "  as2_id: ACME\n"
        "  signing_certificate: acme-sign\n"
        "  encryption_certificate: acme-encrypt\n"
        "  url: https://as2.acme.example/as2\n"
        "  identity: us\n"
        "  send: {subject: \"Orders {{document.name}}\", mdn: sync}\n",
};
/* clang-format on */
