/* The settings of the component certificate. */
#include "config/schema_int.h"

enum { SECRET_MAX = 255, SEALED_MAX = 32 * 1024 };

#define ROWS(table)   .rows = (table), .rows_n = COUNT_OF(table)
#define OUR(member)   offsetof(struct config_component, u.certificate.member)
#define OTHER(member) offsetof(struct config_certificate_also, member)

/* clang-format off */

/* The same in both mappings; at: where the member is. */
#define SOURCE_ROWS(at) \
    { "pem", ROW_TEXT, at(pem), .flags = ROW_LINES, .max = 256 * 1024, \
      .help = "One or more certificates as PEM text: the certificate itself, then its issuers. Either this, `file` or `pkcs12_file`." }, \
    { "file", ROW_TEXT, at(file), .check = check_path, \
      .help = "Path of a PEM file with the same content, or of one certificate in DER." }, \
    { "key_file", ROW_TEXT, at(key_file), .check = check_path, \
      .help = "Path of the PEM file with the private key of the first certificate, when it is ours. Only the runtime's user should be able to read it." }, \
    { "key_password", ROW_SECRET, at(key_password), .max = SECRET_MAX, .def_shown = "none", \
      .help = "The pass phrase of `key_file`, when it is encrypted: the value or `{secret: name}`." }, \
    { "pkcs12_file", ROW_TEXT, at(pkcs12_file), .check = check_path, \
      .help = "Path of a PKCS#12 file (`.p12`, `.pfx`) with the certificate, its issuers and, when it is ours, its private key." }, \
    { "pkcs12_password", ROW_SECRET, at(pkcs12_password), .max = SECRET_MAX, .def_shown = "none", \
      .help = "The password of `pkcs12_file`: the value or `{secret: name}`." }, \
    { "sealed_key", ROW_TEXT, at(sealed_key), .max = SEALED_MAX, .check = check_sealed_key, .flags = ROW_HIDDEN, \
      .help = "The private key of the first certificate, encrypted under the store key (`runtime.key_file`) for a component of this name. Made by `waybill certificates import`, never by hand." }

/* clang-format on */

static void source_done(struct walk *w, const yaml_node_t *node, const char *text)
{
    static const char *const sources[] = { "pem", "file", "pkcs12_file" };
    static const char *const keys[] = { "sealed_key", "key_file", "pkcs12_file" };
    const yaml_node_t *pem = walk_find(w, node, "pem");
    unsigned n = 0;

    for (size_t i = 0; i < COUNT_OF(sources); i++)
        n += walk_find(w, node, sources[i]) != NULL;
    if (n > 1)
        walk_problem(w, node,
                     "of 'pem', 'file' and 'pkcs12_file' only one may be given; keep "
                     "one");
    else if (n == 0)
        walk_problem(w, node,
                     "'pem', 'file' or 'pkcs12_file' is missing: the certificate as PEM text, "
                     "or the path of a PEM or PKCS#12 file");
    if (walk_find(w, node, "pkcs12_file") != NULL && walk_find(w, node, "key_file") != NULL)
        walk_problem(
            w, walk_find(w, node, "key_file"),
            "'key_file' is not used with 'pkcs12_file', which holds the key; remove it");
    for (size_t i = 1; i < COUNT_OF(keys); i++)
        if (walk_find(w, node, "sealed_key") != NULL && walk_find(w, node, keys[i]) != NULL)
            walk_problem(w, walk_find(w, node, "sealed_key"),
                         "'sealed_key' and '%s' are two places for one private key; keep one",
                         keys[i]);
    if (walk_find(w, node, "key_password") != NULL && walk_find(w, node, "key_file") == NULL)
        walk_problem(w, walk_find(w, node, "key_password"),
                     "'key_password' needs 'key_file': the key it opens");
    if (walk_find(w, node, "pkcs12_password") != NULL &&
        walk_find(w, node, "pkcs12_file") == NULL)
        walk_problem(w, walk_find(w, node, "pkcs12_password"),
                     "'pkcs12_password' needs 'pkcs12_file': the file it opens");
    if (text == NULL)
        return;
    if (strstr(text, "PRIVATE KEY-----") != NULL)
        walk_problem(w, pem,
                     "'pem' holds a private key, which would be kept in the store in the "
                     "clear; run `waybill certificates import`, which encrypts it, or put it "
                     "into a file of its own and name that in 'key_file'");
    else if (strstr(text, "-----BEGIN ") == NULL || strstr(text, "CERTIFICATE-----") == NULL)
        walk_problem(w, pem,
                     "'pem' holds no certificate; paste it from the line "
                     "-----BEGIN CERTIFICATE----- on");
}

static void also_done(struct walk *w, const yaml_node_t *node, void *target)
{
    source_done(w, node, ((const struct config_certificate_also *)target)->pem);
}

static void certificate_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_component *c = target;

    if (c->u.certificate.crl_strict && c->u.certificate.crl_file == NULL)
        walk_problem(w, walk_find(w, node, "crl_strict"),
                     "'crl_strict' needs 'crl_file': the list that must be current");
    if (c->u.certificate.trust != NULL && c->name != NULL &&
        strcmp(c->u.certificate.trust, c->name) == 0)
        walk_problem(w, walk_find(w, node, "trust"),
                     "'trust' names the component itself; name the authorities, or remove it");
    source_done(w, node, ((const struct config_component *)target)->u.certificate.pem);
}

/* clang-format off */

static const struct row also_rows[] = {
    SOURCE_ROWS(OTHER),
};

static const struct mapping also_mapping = {
    .name = "certificate.also[]", ROWS(also_rows), .size = sizeof(struct config_certificate_also),
    .at = AT_OFFSET(struct config_certificate_also, at), .done = also_done,
    .help = "An older or newer certificate of the same purpose, for a roll-over without a gap. Of the component's own and these, "
            "all valid ones are accepted and tried for decryption, the first valid one signs, and the valid one that begins last is encrypted to.",
};

static const struct row certificate_rows[] = {
    { "certificate", ROW_TEXT, offsetof(struct config_component, name), .check = check_name, .flags = ROW_REQUIRED,
      .help = "The name other components refer to." },
    SOURCE_ROWS(OUR),
    { "crl_file", ROW_TEXT, OUR(crl_file), .check = check_path,
      .help = "Path of revocation lists: several in PEM, one in DER. A certificate on the list of its issuer is not accepted. Lists of what this certificate has issued may be in it, too. The file is read again when it changes (`runtime.crl_check`)." },
    { "crl_strict", ROW_BOOL, OUR(crl_strict), .def = "false",
      .help = "Whether a list whose time is over (nextUpdate), or none of the issuer, makes the certificate unusable. Without it that is only a warning." },
    { "trust", ROW_TEXT, OUR(trust), .refers = REFERS_CERTIFICATE, .def_shown = "none: trusted because it is configured",
      .help = "The certificate component with the authorities this certificate must come from: the chain is built with the issuers given here, and with `crl_file` and `crl_strict` of that component." },
    { "issued_to", ROW_TEXT, OUR(issued_to), .max = 256, .def_shown = "only the certificate itself",
      .help = "Makes the component an authority for signatures: a certificate that comes with a message is accepted when it was issued by one of these and its subject, as `waybill certificates show` writes it, fits this pattern (`*`, `?`, `[a-z]`), such as `CN=acme*`. With an authority that serves others, too, name the partner." },
    { "trust_list_sequence", ROW_TEXT, OUR(trust_list_sequence), .max = 20,
      .help = "The number of the trust service status list that the authorities in `pem` are from. Made by `waybill trust-list`, as are the two below: a list with a lower number, or by another signer, is refused." },
    { "trust_list_signer", ROW_TEXT, OUR(trust_list_signer), .refers = REFERS_CERTIFICATE,
      .help = "The certificate component of whoever must have signed the list." },
    { "trust_list_until", ROW_TEXT, OUR(trust_list_until), .max = 40,
      .help = "When the next list is due (NextUpdate)." },
    { "also", ROW_LIST, OUR(also), OUR(also_n), .sub = &also_mapping, .max = CONFIG_ALSO_MAX,
      .help = "Older and newer certificates of the same purpose. All valid ones are accepted, the first valid one signs, the newest valid one encrypts." },
};

const struct mapping mapping_certificate = {
    .name = "certificate", ROWS(certificate_rows), .size = sizeof(struct config_component), .done = certificate_done,
    .help = "A certificate of ours or of a partner, with its issuers; with `key_file`, `pkcs12_file` or `sealed_key` also our private key.",
    .example =
        "certificate: our-sign\n"
        "file: /etc/waybill/sign.pem\n"
        "key_file: /etc/waybill/sign.key\n"
        "also:\n"
        "  - {pkcs12_file: /etc/waybill/sign-next.p12, pkcs12_password: {secret: sign_next}}\n",
};
/* clang-format on */
