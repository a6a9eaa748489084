/* The settings of the component process. */
#include "config/party_int.h"

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)

#define ROWS(table)     .rows = (table), .rows_n = COUNT_OF(table)
#define PROCESS(member) COMPONENT(u.process.member)
#define STEP(member)    offsetof(struct config_step, u.member)

static void exec_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_step *s = target;

    if (node != NULL && s->u.exec.command != NULL && s->u.exec.command[0] != NULL &&
        s->u.exec.command[0][0] != '/')
        walk_problem(w, walk_find(w, node, "command"),
                     "'command' must begin with the absolute path of the program, not '%s'",
                     walk_shown(w, s->u.exec.command[0]));
}

static void send_done(struct walk *w, const yaml_node_t *node, void *target)
{
    static const char *const only[][2] = { { "content_type", "as2" },
                                           { "subject", "as2" },
                                           { "format", "oftp2" },
                                           { "record_length", "oftp2" },
                                           { "description", "oftp2" } };
    const struct config_step *s = target;

    if (s->u.send.format != NULL && *s->u.send.format == 'F' && s->u.send.record_length == 0)
        walk_problem(w, node, "format F needs record_length: the length of every record");
    if (s->u.send.protocol == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(only); i++)
        if (strcmp(only[i][1], s->u.send.protocol) != 0 &&
            walk_find(w, node, only[i][0]) != NULL)
            walk_problem(w, walk_find(w, node, only[i][0]),
                         "'%s' has no meaning with protocol: %s; remove it", only[i][0],
                         s->u.send.protocol);
}

/* clang-format off */

/* ---- steps ---- */

static const struct word existing[] = {
    { .name = "fail" }, { .name = "replace" }, { .name = "number" }, { .name = NULL },
};

static const struct row write_rows[] = {
    { "directory", ROW_TEXT, STEP(write.directory), .check = check_directory, .flags = ROW_REQUIRED,
      .help = "Where to put the file. It appears there whole or not at all." },
    { "name", ROW_TEXT, STEP(write.name), .def = "{{document.id}}-{{document.name}}", .flags = ROW_TEMPLATE,
      .help = "The file's name, a template. Characters that do not belong in a file name are replaced." },
    { "existing", ROW_WORD, STEP(write.existing), .def = "fail", .words = existing,
      .help = "When there is a file of that name: `fail` the step, `replace` it, or `number` the new one." },
};

static const struct row exec_rows[] = {
    { "command", ROW_TEXTS, STEP(exec.command), .max = 63, .flags = ROW_REQUIRED | ROW_TEMPLATE,
      .help = "The program (absolute path) and its arguments, each a template; no shell. The document is its standard input, the document's properties are in its environment (`WAYBILL_DOCUMENT_ID`, `WAYBILL_OFTP2_SFIDDSN`, ...); exit status 0 is success." },
    { "timeout", ROW_DURATION, STEP(exec.timeout_ms), .def = "60s", .min = 10, .max = 24 * HOUR_MS,
      .help = "The program is ended after this time, and the step has failed." },
};

static const struct word methods[] = { { .name = "POST" }, { .name = "PUT" }, { .name = "PATCH" }, { .name = NULL } };

static const struct row http_rows[] = {
    { "url", ROW_TEXT, STEP(http.url), .check = check_url, .flags = ROW_REQUIRED | ROW_TEMPLATE,
      .help = "Where to send the document, a template. An answer 2xx is success; 4xx other than 408 and 429 is a failure for good." },
    { "method", ROW_WORD, STEP(http.method), .def = "POST", .words = methods, .help = "The HTTP method." },
    { "content_type", ROW_TEXT, STEP(http.content_type), .def = "application/octet-stream", .max = 200,
      .help = "The Content-Type of the request. With the default an AS2 document keeps the media type it came with." },
    { "timeout", ROW_DURATION, STEP(http.timeout_ms), .def = "60s", .min = 10, .max = 24 * HOUR_MS,
      .help = "How long one request may take." },
    { "retries", ROW_NUMBER, STEP(http.retries), .def = "3", .max = 1000,
      .help = "How often to try again when the server cannot be reached or gives another answer." },
    { "retry_delay", ROW_DURATION, STEP(http.retry_delay_ms), .def = "10s", .max = 24 * HOUR_MS,
      .help = "How long to wait before each further try." },
};

static const struct word formats[] = { { .name = "U" }, { .name = "T" }, { .name = "F" }, { .name = "V" }, { .name = NULL } };

static const struct word protocols[] = { { .name = "oftp2" }, { .name = "as2" }, { .name = NULL } };

static const struct row send_rows[] = {
    { "partner", ROW_TEXT, STEP(send.partner), .refers = REFERS_PARTNER_ANY, .flags = ROW_REQUIRED,
      .help = "The partner to send the document to." },
    { "identity", ROW_TEXT, STEP(send.identity), .refers = REFERS_IDENTITY_ANY, .def_shown = "the partner's `identity`",
      .help = "The identity to send as." },
    { "protocol", ROW_WORD, STEP(send.protocol), .words = protocols, .def_shown = "what the partner has, `oftp2` first",
      .help = "How to send it, to a partner that has both." },
    { "name", ROW_TEXT, STEP(send.name), .def = "{{document.name}}", .flags = ROW_TEMPLATE,
      .help = "The virtual file name (OFTP2: SFIDDSN, of which at most 26 characters reach the partner) or the file name (AS2), a template." },
    { "content_type", ROW_TEXT, STEP(send.content_type), .max = 200, .flags = ROW_TEMPLATE, .def_shown = "the partner's `send.content_type`",
      .help = "AS2: the media type of the document, a template." },
    { "subject", ROW_TEXT, STEP(send.subject), .max = 500, .flags = ROW_TEMPLATE, .def_shown = "the partner's `send.subject`",
      .help = "AS2: the subject of the message, a template." },
    { "format", ROW_WORD, STEP(send.format), .def = "U", .words = formats,
      .help = "OFTP2: the record format (SFIDFMT): U unstructured, T text, F fixed, V variable records." },
    { "record_length", ROW_NUMBER, STEP(send.record_length), .def = "0", .max = 99999,
      .help = "OFTP2: the length of every record (F) or of the longest (V)." },
    { "description", ROW_TEXT, STEP(send.description), .flags = ROW_TEMPLATE | ROW_EMPTY,
      .help = "OFTP2: the description (SFIDDESC), a template; partners with a version below 2.0 do not get it." },
};

static const struct mapping write_mapping = {
    .name = "process.steps[].write", ROWS(write_rows), .help = "Writes the document into a directory.",
};
static const struct mapping exec_mapping = {
    .name = "process.steps[].exec", ROWS(exec_rows), .done = exec_done, .help = "Runs a program over the document.",
};
static const struct mapping http_mapping = {
    .name = "process.steps[].http", ROWS(http_rows), .help = "Sends the document to a web server.",
};
static const struct mapping send_mapping = {
    .name = "process.steps[].send", ROWS(send_rows), .done = send_done, .help = "Sends the document to another partner.",
};

/* In the order of enum config_step_kind: the index is the kind. */
static const struct row step_rows[] = {
    [STEP_WRITE] = { "write", ROW_MAP, .sub = &write_mapping, .help = "Writes the document into a directory." },
    [STEP_EXEC] = { "exec", ROW_MAP, .sub = &exec_mapping, .help = "Runs a program over the document." },
    [STEP_HTTP] = { "http", ROW_MAP, .sub = &http_mapping, .help = "Sends the document to a web server." },
    [STEP_SEND] = { "send", ROW_MAP, .sub = &send_mapping, .help = "Sends the document to another partner." },
};

static const struct mapping steps_mapping = {
    .name = "process.steps[]", ROWS(step_rows), .size = sizeof(struct config_step),
    .kind = 1 + offsetof(struct config_step, kind), .at = AT_OFFSET(struct config_step, at),
    .help = "What happens to a document, one step after the other; a failing step ends the run. Each item is one of these:",
};

/* ---- operation ---- */

static const struct row tracking_rows[] = {
    { "field", ROW_TEXT, offsetof(struct config_tracking, field), .max = 64, .flags = ROW_REQUIRED,
      .help = "The label documents are found by. Different processes may fill the same one." },
    { "value", ROW_TEXT, offsetof(struct config_tracking, value), .flags = ROW_REQUIRED | ROW_TEMPLATE,
      .help = "What to note down under it, a template." },
};

const struct mapping mapping_tracking = {
    .name = "process.start.operation.tracking[]", ROWS(tracking_rows), .size = sizeof(struct config_tracking),
    .help = "One value to find documents by.",
};

static const struct row archiving_rows[] = {
    { "enabled", ROW_BOOL, PROCESS(archiving.enabled), .def_shown = "`true` when `directory` is given",
      .help = "Whether each opened document is archived." },
    { "directory", ROW_TEXT, PROCESS(archiving.directory), .check = check_directory,
      .help = "Where to. Files are named by date and time, document index, process and a unique number." },
    { "raw", ROW_BOOL, PROCESS(archiving.raw), .def = "false",
      .help = "Archive the form on the wire and the receipts, too, which is what an auditor asks for." },
};

static void archiving_done(struct walk *w, const yaml_node_t *node, void *target)
{
    struct config_process *p = &((struct config_component *)target)->u.process;
    const yaml_node_t *enabled = walk_find(w, node, "enabled");

    if (enabled == NULL)
        p->archiving.enabled = p->archiving.directory != NULL;
    else if (p->archiving.enabled && walk_find(w, node, "directory") == NULL)
        walk_problem(w, enabled, "archiving is enabled, but 'directory' is missing: where to");
}

const struct mapping mapping_archiving = {
    .name = "process.start.operation.archiving", ROWS(archiving_rows), .done = archiving_done,
    .help = "Keeps a copy of each opened document.",
};

static const struct row require_rows[] = {
    { "signed", ROW_BOOL, PROCESS(require.is_signed), .def = "false", .help = "Refuse documents that are not signed." },
    { "encrypted", ROW_BOOL, PROCESS(require.encrypted), .def = "false", .help = "Refuse documents that are not encrypted." },
    { "compressed", ROW_BOOL, PROCESS(require.compressed), .def = "false", .help = "Refuse documents that are not compressed." },
    { "signed_receipt", ROW_BOOL, PROCESS(require.signed_receipt), .def = "false", .help = "Refuse documents that do not ask for a signed receipt." },
};

const struct mapping mapping_require = {
    .name = "process.start.operation.require", ROWS(require_rows),
    .help = "The security that was agreed. A document with less is refused with the protocol's reason code.",
};

static const struct row relay_rows[] = {
    { "partners", ROW_TEXTS, offsetof(struct config_relay, partners), .refers = REFERS_PARTNER, .min = 1, .max = 100, .flags = ROW_REQUIRED,
      .help = "The partner components that the file is passed on to. One: the file keeps its destination, and its receipt comes back unchanged. Several: each gets the file under its own ODETTE ID, and the receipt for `destination` is ours, made when all have answered." },
    { "destination", ROW_TEXT, offsetof(struct config_relay, destination), .check = check_odette_id, .def_shown = "the partner's `odette_id`",
      .help = "The destination (SFIDDEST) this is about: somebody behind the partner, or the name of the group. Needed with several partners." },
};

static void relay_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_relay *r = target;

    if (r->partners != NULL && r->partners[0] != NULL && r->partners[1] != NULL &&
        r->destination == NULL)
        walk_problem(w, node, "several partners need 'destination': the ODETTE ID of the group");
}

static const struct mapping relay_mapping = {
    .name = "process.start.operation.relay[]", ROWS(relay_rows), .size = sizeof(struct config_relay),
    .at = AT_OFFSET(struct config_relay, at), .done = relay_done,
    .help = "Files of this originator that are for others: passed on with name, stamp, originator and octets unchanged.",
};

static const struct row from_rows[] = {
    { "partner", ROW_TEXT, PROCESS(from_partner), .refers = REFERS_PARTNER,
      .help = "The partner component that documents come from. Either this alone, or the settings below in place." },
    PARTNER_PARTY_ROWS(u.process.from, 0),
};

static const struct row to_rows[] = {
    { "identity", ROW_TEXT, PROCESS(to_identity), .refers = REFERS_IDENTITY,
      .help = "The identity component that documents are for. Either this alone, or the settings below in place." },
    IDENTITY_PARTY_ROWS(u.process.to, 0),
};

/* clang-format on */

void one_way(struct walk *w, const yaml_node_t *node, const char *reference,
             const char *example, const char *id)
{
    if (node == NULL)
        return;
    if (walk_find(w, node, reference) == NULL) {
        if (walk_find(w, node, id) == NULL)
            walk_problem(w, node, "say who: {%s: %s}, or '%s' and its settings in place",
                         reference, example, id);
    } else if (node->data.mapping.pairs.top - node->data.mapping.pairs.start > 1) {
        walk_problem(w, node, "'%s' stands alone; put the other settings into that component",
                     reference);
    }
}

/* clang-format off */

static void from_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_process *p = &((const struct config_component *)target)->u.process;

    one_way(w, node, "partner", "acme", "odette_id");
    if (p->from.odette_id != NULL && walk_find(w, node, "password") == NULL)
        walk_problem(w, node, "'password' is missing: what the partner must send, {secret: name}, "
                              "or {any: true} to accept any");
}

static void to_done(struct walk *w, const yaml_node_t *node, void *target)
{
    (void)target;
    one_way(w, node, "identity", "us", "odette_id");
}

const struct mapping mapping_from_oftp2 = {
    .name = "process.start.operation.from", ROWS(from_rows), .at = 1 + PROCESS(from_at), .done = from_done,
    .foreign = &mapping_from_as2, .protocol = "OFTP2",
    .help = "Who documents come from. Two listeners of one runtime must differ in ODETTE ID or password here.",
};

const struct mapping mapping_to_oftp2 = {
    .name = "process.start.operation.to", ROWS(to_rows), .at = 1 + PROCESS(to_at), .done = to_done,
    .foreign = &mapping_to_as2, .protocol = "OFTP2",
    .help = "Which of our names they are for.",
};

const struct word acknowledge_words[] = {
    { "received", ACK_RECEIVED, NULL }, { "processed", ACK_PROCESSED, NULL }, { "manual", ACK_MANUAL, NULL },
    { "none", ACK_NONE, NULL }, { NULL, 0, NULL },
};
static const struct word delimiters[] = { { .name = "none" }, { .name = "lf" }, { .name = "crlf" }, { .name = NULL } };

static const struct row operation_rows[] = {
    { "from", ROW_MAP, .sub = &mapping_from_oftp2, .flags = ROW_REQUIRED, .help = "Who documents come from." },
    { "to", ROW_MAP, .sub = &mapping_to_oftp2, .flags = ROW_REQUIRED, .help = "Which of our names they are for." },
    { "require", ROW_MAP, .sub = &mapping_require, .help = "The security that was agreed." },
    { "cipher_suites", ROW_TEXTS, PROCESS(cipher_suites), .check = check_cipher_suite, .max = 10, .def_shown = "SFIDCIPH 01 to 07",
      .help = "The cipher suites that signed or encrypted documents may come with, by the names of `oftp2_server.cipher_suite`." },
    { "acknowledge", ROW_CHOICE, PROCESS(acknowledge), .def = "received", .words = acknowledge_words,
      .help = "When the receipt (EERP) is sent: once the document is `received` safely; once it is `processed` (a failing process gives a NERP); `manual`, when an operator releases it; or `none`." },
    { "archiving", ROW_MAP, .sub = &mapping_archiving, .help = "Keeps a copy of each opened document." },
    { "tracking", ROW_LIST, PROCESS(tracking), PROCESS(tracking_n), .sub = &mapping_tracking, .max = 50,
      .help = "Values to find documents by." },
    { "relay", ROW_LIST, PROCESS(relay), PROCESS(relay_n), .sub = &relay_mapping, .max = 1000,
      .help = "Files of this originator that are for others: passed on unchanged. The steps below are not run for them." },
    { "max_file_size", ROW_SIZE, PROCESS(max_file_size), .def = "0", .def_shown = "the server's", .max = UINT64_C(1) << 50,
      .help = "The largest document to accept; 0 is the server's limit." },
    { "formats", ROW_TEXT, PROCESS(formats), .def = "FVUT", .check = check_formats,
      .help = "The record formats (SFIDFMT) to accept, one letter each." },
    { "max_record_length", ROW_NUMBER, PROCESS(max_record_length), .def = "99999", .min = 1, .max = 99999,
      .help = "The longest record to accept in formats F and V (SFIDLRECL)." },
    { "file_name", ROW_TEXT, PROCESS(file_name), .max = 100, .def_shown = "any",
      .help = "Accept only files whose virtual file name matches this pattern; `*`, `?` and `[...]` as in a shell." },
    { "record_delimiter", ROW_WORD, PROCESS(record_delimiter), .words = delimiters,
      .def_shown = "`none` for format F, `lf` for V",
      .help = "What the opened document has after each record of formats F and V, which have no delimiter on the wire." },
    { "reject_duplicates", ROW_BOOL, PROCESS(reject_duplicates), .def = "true",
      .help = "Recognise a file sent twice (same name, date, time, origin and destination) and do not deliver it again." },
};

static void operation_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_process *p = &((const struct config_component *)target)->u.process;

    if (p->cipher_suites != NULL && p->cipher_suites[0] == NULL)
        walk_problem(w, walk_find(w, node, "cipher_suites"),
                     "'cipher_suites' is empty; name what may come in, or remove the line");
}

const struct mapping mapping_operation_oftp2 = {
    .name = "process.start.operation", ROWS(operation_rows), .done = operation_done,
    .foreign = &mapping_operation_as2, .protocol = "OFTP2",
    .help = "The agreement for one direction between one partner (*from*) and one identity (*to*), with `listen: oftp2-server`.",
};

static const struct word listens[] = { { .name = "oftp2-server" }, { .name = "as2-server" }, { .name = NULL } };

static const struct row start_rows[] = {
    { "listen", ROW_WORD, PROCESS(listen), .words = listens, .flags = ROW_REQUIRED,
      .help = "The server that receives the documents." },
    { "operation", ROW_MAP, .sub = &mapping_operation_oftp2, .other = &mapping_operation_as2, .by = PROCESS(listen), .when = "as2-server", .flags = ROW_REQUIRED,
      .help = "The agreement: *from*, *to* and what applies." },
};

static const struct mapping start_mapping = {
    .name = "process.start", ROWS(start_rows), .help = "What starts the process.",
};

static const struct row process_rows[] = {
    { "process", ROW_TEXT, COMPONENT(name), .check = check_name, .flags = ROW_REQUIRED,
      .help = "The name of the process; it is also the listener's name." },
    { "start", ROW_MAP, .sub = &start_mapping, .flags = ROW_REQUIRED, .help = "What starts the process." },
    { "steps", ROW_STEPS, PROCESS(steps), PROCESS(steps_n), .sub = &steps_mapping, .max = 100,
      .help = "What happens to a document. None: it is kept in the store, to be fetched from there." },
    { "retention", ROW_MAP, .sub = &mapping_process_retention, .help = "How long its documents are kept." },
};

const struct mapping mapping_process = {
    .name = "process", ROWS(process_rows), .size = sizeof(struct config_component),
    .help = "What happens to documents of one partner: where they come in, and the steps.",
    .example =
        "process: orders-from-acme\n"
        "start:\n"
        "  listen: oftp2-server\n"
        "  operation:\n"
        "    from: {partner: acme}\n"
        "    to: {identity: us}\n"
        "    acknowledge: processed\n"
        "    archiving: {enabled: true, directory: /var/archive/acme}\n"
        "    tracking:\n"
        "      - {field: Order file, value: \"{{oftp2.sfiddsn}}\"}\n"
        "steps:\n"
        "  - write: {directory: /srv/edi/in, name: \"{{document.id}}-{{oftp2.sfiddsn}}\"}\n"
        "  - exec: {command: [/usr/local/bin/import-order], timeout: 60s}\n"
        "  - http: {url: \"http://erp.local/edi\", method: POST}\n",
};
/* clang-format on */
