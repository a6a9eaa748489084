/* The settings of an operation of the AS2 server. */
#include "config/party_int.h"

#define ROWS(table)        .rows = (table), .rows_n = COUNT_OF(table)
#define PROCESS(member)    COMPONENT(u.process.member)
#define AS2(member)        PROCESS(as2.member)
#define PROCESS_OF(target) (&((struct config_component *)(target))->u.process)
#define NUMBER_DEFAULT     100000

static void from_done(struct walk *w, const yaml_node_t *node, void *target)
{
    one_way(w, node, "partner", "acme", "as2_id");
    as2_party_done(w, node, &PROCESS_OF(target)->as2.from);
}

static void to_done(struct walk *w, const yaml_node_t *node, void *target)
{
    one_way(w, node, "identity", "us", "as2_id");
    as2_party_done(w, node, &PROCESS_OF(target)->as2.to);
}

static void duplicates_done(struct walk *w, const yaml_node_t *node, void *target)
{
    struct config_as2_operation *o = &PROCESS_OF(target)->as2;

    if (o->reject_duplicates.number != 0 && o->reject_duplicates.days != 0)
        walk_problem(w, node, "of 'number' and 'days' only one may be given; keep one");
    if (o->reject_duplicates.days == 0 && o->reject_duplicates.number == 0)
        o->reject_duplicates.number = NUMBER_DEFAULT;
}

static void operation_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_as2_operation *o = &PROCESS_OF(target)->as2;

    if (o->digests != NULL && o->digests[0] == NULL)
        walk_problem(w, walk_find(w, node, "digests"),
                     "'digests' is empty; name what may come in, or remove the line");
    if (o->ciphers != NULL && o->ciphers[0] == NULL)
        walk_problem(w, walk_find(w, node, "ciphers"),
                     "'ciphers' is empty; name what may come in, or remove the line");
    if (o->mdn_delivery == MDN_URL_CONFIGURED && o->mdn_url == NULL &&
        PROCESS_OF(target)->from_partner == NULL)
        walk_problem(w, walk_find(w, node, "mdn_delivery"),
                     "mdn_delivery: configured needs 'mdn_url': where asynchronous MDNs go");
}

/* clang-format off */

static const struct row from_rows[] = {
    { "partner", ROW_TEXT, PROCESS(from_partner), .refers = REFERS_PARTNER_AS2,
      .help = "The partner component that messages come from. Either this alone, or the settings below in place." },
    AS2_PARTNER_PARTY_ROWS(u.process.as2.from, 0),
};

static const struct row to_rows[] = {
    { "identity", ROW_TEXT, PROCESS(to_identity), .refers = REFERS_IDENTITY_AS2,
      .help = "The identity component that messages are for. Either this alone, or the settings below in place." },
    AS2_IDENTITY_PARTY_ROWS(u.process.as2.to, 0),
};

const struct mapping mapping_from_as2 = {
    .name = "process.start.operation.from (as2-server)", ROWS(from_rows), .at = 1 + PROCESS(from_at), .done = from_done,
    .foreign = &mapping_from_oftp2, .protocol = "AS2",
    .help = "Who messages come from. Two listeners of one runtime must differ in the AS2 IDs of *from* or *to*.",
};

const struct mapping mapping_to_as2 = {
    .name = "process.start.operation.to (as2-server)", ROWS(to_rows), .at = 1 + PROCESS(to_at), .done = to_done,
    .foreign = &mapping_to_oftp2, .protocol = "AS2",
    .help = "Which of our names they are for.",
};

static const struct row duplicates_rows[] = {
    { "enabled", ROW_BOOL, AS2(reject_duplicates.enabled), .def = "true",
      .help = "Whether a message that came before (same sender, receiver and Message-ID) is answered with the MDN it got and not delivered again." },
    { "number", ROW_NUMBER, AS2(reject_duplicates.number), .min = 100, .max = 1000000, .def_shown = "`100000`, unless `days` is given",
      .help = "How many of the last messages of this pair are remembered." },
    { "days", ROW_NUMBER, AS2(reject_duplicates.days), .min = 1, .max = 3650, .def_shown = "by `number`",
      .help = "Or for how many days they are remembered. Longer than the partner goes on trying; 30 are good." },
};

static const struct mapping duplicates_mapping = {
    .name = "process.start.operation.reject_duplicates", ROWS(duplicates_rows), .done = duplicates_done,
    .help = "How messages sent twice are recognised: by `number` or by `days`. `true` or `false` alone is short for `enabled`.",
};

static const struct word mic_algorithms[] = { { "signature", false, NULL }, { "list", true, NULL }, { NULL, 0, NULL } };
static const struct word deliveries[] = {
    { "partner-host", MDN_URL_PARTNER_HOST, NULL }, { "configured", MDN_URL_CONFIGURED, NULL },
    { "any-public", MDN_URL_ANY_PUBLIC, NULL }, { NULL, 0, NULL },
};
static const struct word file_names[] = {
    { "ignore", FILE_NAMES_IGNORE, NULL }, { "preserve", FILE_NAMES_PRESERVE, NULL },
    { "reject", FILE_NAMES_REJECT, NULL }, { NULL, 0, NULL },
};

static const struct row operation_rows[] = {
    { "from", ROW_MAP, .sub = &mapping_from_as2, .flags = ROW_REQUIRED, .help = "Who messages come from." },
    { "to", ROW_MAP, .sub = &mapping_to_as2, .flags = ROW_REQUIRED, .help = "Which of our names they are for." },
    { "require", ROW_MAP, .sub = &mapping_require, .help = "The security that was agreed." },
    { "digests", ROW_TEXTS, AS2(digests), .words = as2_digest_words, .max = 10, .def_shown = "all but MD5",
      .help = "The digests that signatures, and MICs that are asked for, may have. MD5 only for a partner that knows no other." },
    { "minimum_digest", ROW_WORD, AS2(minimum_digest), .words = as2_digest_words, .def_shown = "none",
      .help = "Signatures with a weaker digest than this are refused with insufficient-message-security." },
    { "ciphers", ROW_TEXTS, AS2(ciphers), .words = as2_cipher_words, .max = 10, .def_shown = "all of them",
      .help = "The content encryptions that messages may have; others are refused with decryption-failed." },
    { "acknowledge", ROW_CHOICE, PROCESS(acknowledge), .def = "received", .words = acknowledge_words,
      .help = "When the MDN that was asked for is sent: once the message is `received` safely; once it is `processed` (a failing process gives a negative one); `manual`, when an operator releases it; or `none`. `processed` and `manual` suit asynchronous MDNs: for a synchronous one the partner waits `as2_server.sync_wait`, gets 503 and asks again." },
    { "archiving", ROW_MAP, .sub = &mapping_archiving, .help = "Keeps a copy of each opened document." },
    { "tracking", ROW_LIST, PROCESS(tracking), PROCESS(tracking_n), .sub = &mapping_tracking, .max = 50,
      .help = "Values to find documents by." },
    { "max_file_size", ROW_SIZE, PROCESS(max_file_size), .def = "0", .def_shown = "the server's `max_message_size`", .max = UINT64_C(1) << 50,
      .help = "The largest document to accept, opened." },
    { "reject_duplicates", ROW_MAP, .sub = &duplicates_mapping, .flags = ROW_SWITCH,
      .help = "How messages sent twice are recognised." },
    { "legacy_names", ROW_BOOL, AS2(legacy_names), .def = "false",
      .help = "Write the algorithm names of old S/MIME (RFC 3851: `sha256`) in our MDNs instead of the new ones (`sha-256`)." },
    { "mic_algorithm", ROW_EITHER, AS2(mic_by_list), .def = "signature", .words = mic_algorithms,
      .help = "Which digest the MIC in our MDN is made with when the partner's list of digests has the one of its signature: that of the `signature`, or the first we know of the `list`." },
    { "mic_default", ROW_WORD, AS2(mic_default), .def = "SHA1", .words = as2_digest_words,
      .help = "The digest of the MIC for messages that are not signed and name none." },
    { "mdn_delivery", ROW_CHOICE, AS2(mdn_delivery), .def = "partner-host", .words = deliveries,
      .help = "Where asynchronous MDNs go. `partner-host`: to the URL in the message when its host is one of the partner's `url` and `mdn_url`, else to the configured one; `configured`: always to `mdn_url`; `any-public`: to whatever public address an authenticated message names." },
    { "mdn_url", ROW_TEXT, AS2(mdn_url), .check = check_as2_url, .def_shown = "the partner's `mdn_url`",
      .help = "The configured URL for asynchronous MDNs of this operation." },
    { "uniform_errors", ROW_BOOL, AS2(uniform_errors), .def = "false",
      .help = "Say decryption-failed whatever is wrong inside an encrypted message, from the start, so that nobody can learn from the difference. Without it that happens only after many failures." },
    { "expired_grace_days", ROW_NUMBER, AS2(expired_grace_days), .def = "0", .max = 90,
      .help = "For how many days signatures of the partner's expired certificate are still taken, with a warning." },
    { "file_names", ROW_CHOICE, AS2(file_names), .def = "preserve", .words = file_names,
      .help = "File names that come with messages: `ignore` them, `preserve` them (made safe), or `reject` messages with an unsafe one or one that was seen before." },
    { "headerless", ROW_BOOL, AS2(headerless), .def = "false",
      .help = "Take encrypted content without MIME headers as the document itself, which a few old programs send." },
};

const struct mapping mapping_operation_as2 = {
    .name = "process.start.operation (as2-server)", ROWS(operation_rows), .done = operation_done,
    .foreign = &mapping_operation_oftp2, .protocol = "AS2",
    .help = "The agreement for messages from one partner (*from*) for one identity (*to*), with `listen: as2-server`.",
    .example =
        "process: invoices-from-acme\n"
        "start:\n"
        "  listen: as2-server\n"
        "  operation:\n"
        "    from: {partner: acme}\n"
        "    to: {identity: us}\n"
        "    require: {signed: true, encrypted: true, signed_receipt: true}\n"
        "    reject_duplicates: {days: 30}\n"
        "    tracking:\n"
        "      - {field: Invoice file, value: \"{{as2.file_name}}\"}\n"
        "steps:\n"
        "  - write: {directory: /srv/edi/in, name: \"{{document.id}}-{{document.name}}\"}\n",
};
/* clang-format on */
