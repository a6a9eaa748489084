/* The watched folders of a partner. */
#include "config/schema_int.h"

#define SECOND_MS UINT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)

#define OUTBOX(member) offsetof(struct config_outbox, member)
#define ROWS(table)    .rows = (table), .rows_n = COUNT_OF(table)

static void outbox_done(struct walk *w, const yaml_node_t *node, void *target)
{
    static const char *const only[][2] = {
        { "content_type", "as2" },    { "subject", "as2" },
        { "name", "oftp2" },          { "format", "oftp2" },
        { "record_length", "oftp2" }, { "record_delimiter", "oftp2" },
        { "description", "oftp2" },   { "destination", "oftp2" },
    };
    const struct config_outbox *o = target;

    if (o->format != NULL && (*o->format == 'F' || *o->format == 'V') && o->record_length == 0)
        walk_problem(w, node, "format %s needs record_length: the length of %s record",
                     o->format, *o->format == 'F' ? "every" : "the longest");
    if (o->names != NULL && o->names[0] == NULL)
        walk_problem(w, walk_find(w, node, "names"),
                     "'names' is empty; name what is to be sent, or remove the line");
    if (o->protocol == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(only); i++)
        if (strcmp(only[i][1], o->protocol) != 0 && walk_find(w, node, only[i][0]) != NULL)
            walk_problem(w, walk_find(w, node, only[i][0]),
                         "'%s' has no meaning with protocol: %s; remove it", only[i][0],
                         o->protocol);
}

/* clang-format off */
static const struct word protocols[] = { { .name = "oftp2" }, { .name = "as2" }, { .name = NULL } };
static const struct word dones[] = { { .name = "remove" }, { .name = "move" }, { .name = NULL } };
static const struct word formats[] = { { .name = "U" }, { .name = "T" }, { .name = "F" }, { .name = "V" }, { .name = NULL } };
static const struct word delimiters[] = { { .name = "none" }, { .name = "lf" }, { .name = "crlf" }, { .name = NULL } };

static const struct row rows[] = {
    { "directory", ROW_TEXT, OUTBOX(directory), .check = check_directory, .flags = ROW_REQUIRED,
      .help = "The folder to watch. It must be there, and Waybill must be allowed to write into it: files are moved into a hidden folder below it before they are read, and those that cannot be sent into `failed`, each beside a `.reason` file." },
    { "names", ROW_TEXTS, OUTBOX(names), .max = 100, .def_shown = "all",
      .help = "Send only files whose name matches one of these patterns; `*`, `?` and `[...]` as in a shell. Names that begin with a dot or end in `.tmp` or `.part` are never taken." },
    { "settle", ROW_DURATION, OUTBOX(settle_ms), .def = "5s", .max = DAY_MS,
      .help = "How long a file must not have changed before it is taken. One that is renamed into the folder is taken at once. `0`: all are; only for programs that write elsewhere and rename." },
    { "scan", ROW_DURATION, OUTBOX(scan_ms), .def = "10s", .min = 50, .max = DAY_MS,
      .help = "How often to look, besides being told of changes by the system, which does not happen on network file systems." },
    { "done", ROW_WORD, OUTBOX(done), .def = "remove", .words = dones,
      .help = "What happens to a file once its document is safe in the store: `remove`, or `move` into the folder `sent` below the directory." },
    { "protocol", ROW_WORD, OUTBOX(protocol), .words = protocols, .def_shown = "what the partner has, `oftp2` first",
      .help = "How to send, to a partner that has both." },
    { "identity", ROW_TEXT, OUTBOX(identity), .refers = REFERS_IDENTITY_ANY, .def_shown = "the partner's `identity`",
      .help = "The identity to send as." },
    { "name", ROW_TEXT, OUTBOX(name), .max = 255, .def_shown = "the file's name",
      .help = "OFTP2: the virtual file name (SFIDDSN), of which at most 26 characters reach the partner." },
    { "destination", ROW_TEXT, OUTBOX(destination), .check = check_odette_id, .def_shown = "the partner",
      .help = "OFTP2: the ODETTE ID of somebody behind the partner." },
    { "format", ROW_WORD, OUTBOX(format), .def = "U", .words = formats,
      .help = "OFTP2: the record format (SFIDFMT): U unstructured, T text, F fixed, V variable records." },
    { "record_length", ROW_NUMBER, OUTBOX(record_length), .def = "0", .max = 99999,
      .help = "OFTP2: the length of every record (F) or of the longest (V)." },
    { "record_delimiter", ROW_WORD, OUTBOX(record_delimiter), .words = delimiters, .def_shown = "`none` for format F, `lf` for V",
      .help = "OFTP2: what ends each record in the file." },
    { "description", ROW_TEXT, OUTBOX(description), .max = 999, .def_shown = "the file's name",
      .help = "OFTP2: the description (SFIDDESC)." },
    { "content_type", ROW_TEXT, OUTBOX(content_type), .max = 200, .check = check_media_type, .def_shown = "the partner's `send.content_type`",
      .help = "AS2: the media type of the documents." },
    { "subject", ROW_TEXT, OUTBOX(subject), .max = 500, .check = check_header_text, .def_shown = "the partner's `send.subject`",
      .help = "AS2: the subject of the messages." },
};

const struct mapping mapping_outbox = {
    .name = "partner.outbox[]", ROWS(rows), .size = sizeof(struct config_outbox),
    .at = AT_OFFSET(struct config_outbox, at), .done = outbox_done,
    .help = "A folder whose files are sent to the partner. Each is sent once, whatever happens in between. It belongs to one runtime.",
    .example =
        "partner: acme\n"
        "oftp2: ...\n"
        "outbox:\n"
        "  - {directory: /srv/edi/out/acme, names: [\"*.edi\"], done: move}\n",
};
/* clang-format on */
