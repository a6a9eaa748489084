/* The as2 settings of the components identity and partner. */
#include "config/party_int.h"

#define SECOND_MS UINT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)

#define ROWS(table)     .rows = (table), .rows_n = COUNT_OF(table)
#define PARTNER(member) COMPONENT(u.partner.as2_out.member)
#define PARTNER_OF(target)                                                                     \
    (&((const struct config_component *)(target))->u.partner) /* of a mapping in a partner */

void as2_party_done(struct walk *w, const yaml_node_t *node,
                    const struct config_as2_party *party)
{
    const yaml_node_t *password = walk_find(w, node, "password");

    if (party->as2_id != NULL && !party->allow_blanks && strchr(party->as2_id, ' ') != NULL)
        walk_problem(w, walk_find(w, node, "as2_id"),
                     "'as2_id' has a blank in it; when the partner insists on it, add "
                     "allow_blanks: true");
    if (party->username != NULL && password == NULL)
        walk_problem(w, walk_find(w, node, "username"),
                     "'username' needs 'password': the value or {secret: name}");
    if (party->username == NULL && password != NULL && walk_find(w, node, "username") == NULL)
        walk_problem(w, password, "'password' needs 'username'");
}

static void identity_done(struct walk *w, const yaml_node_t *node, void *target)
{
    as2_party_done(w, node, &((const struct config_component *)target)->u.identity.as2);
}

/* clang-format off */

/* ---- identity ---- */

static const struct row identity_rows[] = {
    AS2_IDENTITY_PARTY_ROWS(u.identity.as2, ROW_REQUIRED),
    { "signing_certificate", ROW_TEXT, COMPONENT(u.identity.as2.signing_certificate), .refers = REFERS_KEY,
      .help = "Our certificate, with its key, that we sign the messages we send with." },
};

const struct mapping mapping_identity_as2 = {
    .name = "identity.as2", ROWS(identity_rows), .at = 1 + COMPONENT(u.identity.as2.at), .done = identity_done,
    .foreign = &mapping_identity_oftp2, .protocol = "AS2",
    .help = "Who we are in AS2.",
};

/* ---- partner ---- */

/* YAML writers turn no into false. */
static const struct word compressions[] = {
    { .name = "no" }, { .name = "before_signing" }, { .name = "after_signing" }, { "false", 0, "no" }, { .name = NULL },
};
static const struct word signatures[] = { { .name = "multipart" }, { .name = "opaque" }, { .name = NULL } };
static const struct word paddings[] = { { .name = "pkcs1" }, { .name = "pss_oaep" }, { .name = NULL } };
static const struct word inclusions[] = { { .name = "none" }, { .name = "leaf" }, { .name = "chain" }, { .name = NULL } };
static const struct word mdns[] = {
    { "none", MDN_NONE, NULL }, { "sync", MDN_SYNC, NULL }, { "async", MDN_ASYNC, NULL }, { NULL, 0, NULL },
};
static const struct word versions[] = { { .name = "1.0" }, { .name = "1.1" }, { .name = "1.2" }, { .name = NULL } };

static const struct row send_rows[] = {
    { "signed", ROW_BOOL, PARTNER(send.is_signed), .def = "true",
      .help = "Whether to sign messages, with the identity's `signing_certificate`." },
    { "signature", ROW_WORD, PARTNER(send.signature), .def = "multipart", .words = signatures,
      .help = "The form of signatures: `multipart` (multipart/signed, what AS2 products send), or `opaque` (application/pkcs7-mime with the document inside), for a partner that asks for it. Both are taken." },
    { "encrypted", ROW_BOOL, PARTNER(send.encrypted), .def = "true",
      .help = "Whether to encrypt messages, to the partner's `encryption_certificate`. Encrypted and not signed proves nothing about who sent it: a warning is logged when such a partner is deployed." },
    { "compressed", ROW_WORD, PARTNER(send.compressed), .def = "no", .words = compressions,
      .help = "Whether to compress messages, and where: before signing (the signature is over the compressed document) or after." },
    { "digest", ROW_WORD, PARTNER(send.digest), .def = "SHA256", .words = as2_digest_words + 1,
      .help = "The digest of signatures, and the one asked for in MDNs. SHA1 only for partners that know no better." },
    { "cipher", ROW_WORD, PARTNER(send.cipher), .def = "AES256", .words = as2_cipher_words,
      .help = "The content encryption; `AES128` to `AES256` are CBC. The GCM ones (AuthEnvelopedData) are understood by few partners." },
    { "padding", ROW_WORD, PARTNER(send.padding), .def = "pkcs1", .words = paddings,
      .help = "How the RSA keys are used: `pkcs1` (v1.5), or `pss_oaep`, which few partners understand." },
    { "legacy_names", ROW_BOOL, PARTNER(send.legacy_names), .def = "false",
      .help = "Write the algorithm names of old S/MIME (RFC 3851: `sha256`) instead of the new ones (`sha-256`)." },
    { "signed_attributes", ROW_BOOL, PARTNER(send.signed_attributes), .def = "true",
      .help = "Whether signatures have signed attributes. Switch it off only for a partner that accepts no others." },
    { "include_certificates", ROW_WORD, PARTNER(send.include_certificates), .def = "leaf", .words = inclusions,
      .help = "Which certificates go with a signature: none, our own (`leaf`), or the whole `chain`." },
    { "content_type", ROW_TEXT, PARTNER(send.content_type), .def = "application/octet-stream", .max = 200, .check = check_media_type,
      .help = "The media type of documents, such as `application/edifact`, `application/edi-x12` or `application/xml`." },
    { "subject", ROW_TEXT, PARTNER(send.subject), .def = "{{document.name}}", .max = 500, .flags = ROW_TEMPLATE,
      .help = "The subject of messages, a template." },
    { "file_name", ROW_BOOL, PARTNER(send.file_name), .def = "true",
      .help = "Whether to send the document's name along (Content-Disposition)." },
    { "base64", ROW_BOOL, PARTNER(send.base64), .def = "false",
      .help = "Whether to write MIME parts in base64, for a partner that does not take binary ones." },
    { "chunked", ROW_BOOL, PARTNER(send.chunked), .def = "false",
      .help = "Whether to post with chunked transfer coding instead of Content-Length. Many products refuse it." },
    { "mdn", ROW_CHOICE, PARTNER(send.mdn), .def = "sync", .words = mdns,
      .help = "Which receipt to ask for: in the answer (`sync`), by a request of its own to `as2_server.mdn_url` (`async`), or `none`: the partner's 2xx is then all there is, and makes the message `acknowledged`." },
    { "signed_mdn", ROW_BOOL, PARTNER(send.signed_mdn), .def = "true",
      .help = "Whether to ask for a signed MDN. It is verified with the partner's `signing_certificate`." },
    { "version", ROW_WORD, PARTNER(send.version), .def = "1.2", .words = versions,
      .help = "AS2-Version to announce. 1.2 goes with EDIINT-Features; lower it only for a partner that stumbles over that." },
};

static const struct mapping send_mapping = {
    .name = "partner.as2.send", ROWS(send_rows), .help = "How messages for this partner are made.",
};

static const struct row retry_rows[] = {
    { "first", ROW_DURATION, PARTNER(retry_first_ms), .def = "1m", .min = 10, .max = DAY_MS,
      .help = "How long to wait after the first failed post. Each further failure doubles it." },
    { "max", ROW_DURATION, PARTNER(retry_max_ms), .def = "60m", .min = 10, .max = 30 * DAY_MS,
      .help = "The longest wait between two posts." },
    { "attempts", ROW_NUMBER, PARTNER(retry_attempts), .def = "12", .max = 100000,
      .help = "Give a message up as failed after so many posts; 0 is never." },
};

static const struct mapping retry_mapping = {
    .name = "partner.as2.retry", ROWS(retry_rows),
    .help = "What to do when the partner cannot be reached, or says that it may work later. The message is always sent again as it was, with the same Message-ID.",
};

static const struct row partner_rows[] = {
    AS2_PARTNER_PARTY_ROWS(u.partner.as2, ROW_REQUIRED),
    { "encryption_certificate", ROW_TEXT, COMPONENT(u.partner.as2.encryption_certificate), .refers = REFERS_CERTIFICATE,
      .help = "The partner's certificate that messages for it are encrypted to. Several: the valid one that begins last." },
    { "url", ROW_TEXT, PARTNER(url), .check = check_as2_url,
      .help = "Where to post messages for the partner, with its query, if any. Not given: nothing is sent to it." },
    { "mdn_url", ROW_TEXT, PARTNER(mdn_url), .check = check_as2_url,
      .help = "Where the partner's asynchronous MDNs go when the URL in its message is not to be used: see `mdn_delivery` of the operation." },
    { "our_username", ROW_TEXT, PARTNER(username), .max = 128, .check = check_username, .def_shown = "none",
      .help = "The user name we show at `url` (HTTP Basic). It is sent nowhere else. Needs `our_password`." },
    { "our_password", ROW_SECRET, PARTNER(password), .max = 255, .def_shown = "none",
      .help = "The password that goes with `our_username`: the value or `{secret: name}`." },
    { "mdn_username", ROW_TEXT, PARTNER(mdn_username), .max = 128, .check = check_username, .def_shown = "none",
      .help = "The user name we show at `mdn_url` (HTTP Basic). Needs `mdn_password`." },
    { "mdn_password", ROW_SECRET, PARTNER(mdn_password), .max = 255, .def_shown = "none",
      .help = "The password that goes with `mdn_username`: the value or `{secret: name}`." },
    { "server_ssl_certificate", ROW_TEXT, PARTNER(server_ssl_certificate), .refers = REFERS_CERTIFICATE,
      .def_shown = "the system's authorities",
      .help = "The certificate component with what the partner's server must show, or be issued by." },
    { "verify_host_name", ROW_BOOL, PARTNER(verify_host_name), .def = "true",
      .help = "Whether the certificate of the partner's server must name the host of the URL. Switch it off only together with `server_ssl_certificate`." },
    { "client_certificate", ROW_TEXT, PARTNER(client_certificate), .refers = REFERS_KEY,
      .help = "Our certificate, with its key, to show as TLS client when posting to this partner." },
    { "proxy", ROW_TEXT, PARTNER(proxy), .check = check_proxy, .def_shown = "none",
      .help = "The proxy to post through: `http://host:port`, also https, socks5 or socks5h (which resolves names at the proxy)." },
    { "identity", ROW_TEXT, PARTNER(identity), .refers = REFERS_IDENTITY_AS2,
      .help = "The identity we send as, unless something else is said." },
    { "send", ROW_MAP, .sub = &send_mapping, .help = "How messages for this partner are made." },
    { "retry", ROW_MAP, .sub = &retry_mapping, .help = "What to do when the partner cannot be reached." },
    { "receipt_timeout", ROW_DURATION, PARTNER(receipt_timeout_ms), .def = "60m", .min = 10, .max = 365 * DAY_MS,
      .help = "How long to wait for an asynchronous MDN before the message is sent again." },
    { "receipt_resends", ROW_NUMBER, PARTNER(receipt_resends), .def = "3", .max = 1000,
      .help = "How often to send it again for want of an MDN. After that it is overdue." },
    { "connect_timeout", ROW_DURATION, PARTNER(connect_timeout_ms), .def = "30s", .min = 10, .max = 3600 * SECOND_MS,
      .help = "How long connecting and TLS may take." },
    { "answer_timeout", ROW_DURATION, PARTNER(answer_timeout_ms), .def = "300s", .min = 10, .max = DAY_MS,
      .help = "How long to wait for the answer once the message is out; 60s are added for each 100 MB of it." },
    { "accept_unsigned_receipts", ROW_BOOL, PARTNER(accept_unsigned_receipts), .def = "false",
      .help = "Let an MDN without signature settle a message that asked for a signed one. Only for a partner that cannot sign: such an MDN proves nothing." },
    { "tolerate_trailing_crlf", ROW_BOOL, PARTNER(tolerate_trailing_crlf), .def = "false",
      .help = "Also take an MDN whose signature fits only with one CRLF more or less at the end of what is signed. Only for a partner whose program signs like that, such as libas2." },
};

/* clang-format on */

/* A user name and its password come together. */
static void login(struct walk *w, const yaml_node_t *node, const char *name,
                  const char *password)
{
    const yaml_node_t *a = walk_find(w, node, name), *b = walk_find(w, node, password);

    if ((a == NULL) != (b == NULL))
        walk_problem(w, a != NULL ? a : b, "'%s' needs '%s'", a != NULL ? name : password,
                     a != NULL ? password : name);
}

static void partner_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_partner *p = PARTNER_OF(target);
    const struct config_as2_partner *o = &p->as2_out;
    bool https = (o->url != NULL && strncmp(o->url, "https:", 6) == 0) ||
                 (o->mdn_url != NULL && strncmp(o->mdn_url, "https:", 6) == 0);

    if (node == NULL)
        return;
    as2_party_done(w, node, &p->as2);
    login(w, node, "our_username", "our_password");
    login(w, node, "mdn_username", "mdn_password");
    if (o->username != NULL && o->url == NULL)
        walk_problem(w, walk_find(w, node, "our_username"),
                     "'our_username' needs 'url': where it is shown");
    if (o->mdn_username != NULL && o->mdn_url == NULL)
        walk_problem(w, walk_find(w, node, "mdn_username"),
                     "'mdn_username' needs 'mdn_url': where it is shown");
    if (!https && (o->server_ssl_certificate != NULL || o->client_certificate != NULL) &&
        (o->url != NULL || o->mdn_url != NULL))
        walk_problem(w, node,
                     "server_ssl_certificate and client_certificate need a 'url' that begins "
                     "with https://");
    if (o->retry_first_ms > o->retry_max_ms)
        walk_problem(w, walk_find(w, node, "retry"),
                     "'first' is longer than 'max'; raise max or lower first");
}

/* clang-format off */
const struct mapping mapping_partner_as2 = {
    .name = "partner.as2", ROWS(partner_rows), .at = 1 + COMPONENT(u.partner.as2.at), .done = partner_done,
    .foreign = &mapping_partner_oftp2, .protocol = "AS2",
    .help = "Who the partner is in AS2, where to post to it and what was agreed.",
};
/* clang-format on */
