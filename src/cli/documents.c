/* documents: found by state, partner, name, time or a tracked field. */
#include "cli/cli.h"

/* Options that are query parameters under the same name, with '_' for '-'. */
static const struct cli_option options[] = {
    { 0, "state", "STATE",
      "receiving, received, opened, processing, processed, refused; queued, sealed, sending, "
      "sent, acknowledged, rejected, overdue; failed" },
    { 0, "partner", "NAME",
      "the partner's component name, or the ODETTE ID of one that has none" },
    { 0, "protocol", "NAME", "oftp2 or as2" },
    { 0, "direction", "in|out", "received or sent" },
    { 0, "name", "NAME", "the document's name as a whole (SFIDDSN, AS2 file name)" },
    { 0, "file-name", "NAME",
      "the same, or what a file that was sent by OFTP2 was called where it came from" },
    { 0, "file-name-prefix", "TEXT", "how one of these begins" },
    { 0, "message-id", "ID", "the Message-ID of AS2, with or without <>" },
    { 0, "text", "TEXT", "how one of the names, the originator or the destination begins" },
    { 0, "listener", "NAME", "the process that took it, or what sent it" },
    { 0, "from", "TIME", "begun not before, such as 2026-11-21 or 2026-11-21T10:15:00Z" },
    { 0, "to", "TIME", "begun not after" },
    { 'l', "label", "LABEL",
      "has a tracked field of this label; with --value or --value-prefix: the same field" },
    { 0, "value", "VALUE", "the tracked field's whole value" },
    { 0, "value-prefix", "TEXT", "how the tracked field's value begins" },
    { 0, "held", NULL,
      "waits for `waybill acknowledge` or `waybill reject` (acknowledge: manual)" },
    { 0, "before", "ID", "documents with a smaller number: the next page" },
    { 0, "limit", "N", "at most so many, default 100, up to 1000" },
};

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">ID",   "DIRECTION", "STATE",    "PARTNER", "NAME",
                                         ">SIZE", "CREATED",   "LISTENER", "REASON",  NULL };
    struct cli_table t;
    const json_t *d;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "documents"), i, d)
    {
        char size[16];
        const char *reason = cli_j_text(d, "reason");

        if (reason[0] == '\0' && json_is_true(json_object_get(d, "held")))
            reason = "its receipt waits to be released";
        cli_size_text((uint64_t)cli_j_int(d, "size"), size);
        cli_table_row(
            &t, (const char *const[]) { cli_j_number(c, d, "id"), cli_j_text(d, "direction"),
                                        cli_j_text(d, "state"), cli_j_text(d, "partner"),
                                        cli_j_text(d, "name"), size,
                                        cli_time_text(c, cli_j_text(d, "created")),
                                        cli_j_text(d, "listener"), reason });
    }
    cli_table_end(&t, stdout, 0);
    if (json_is_integer(json_object_get(answer, "next")))
        fprintf(stderr, "more with --before %s\n", cli_j_number(c, answer, "next"));
}

static int run(struct cli *c)
{
    const char *path = "/api/v1/documents";

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        char *name = cli_have(arena_text(&c->arena, options[i].name));

        for (char *p = name; *p != '\0'; p++)
            *p = *p == '-' ? '_' : *p;
        path = cli_query(c, path, name,
                         options[i].value == NULL && cli_flag(c, name)
                             ? "true"
                             : cli_option_value(c, options[i].name));
    }
    return cli_call_show(c, "GET", path, show);
}

const struct cli_command cmd_documents = {
    .name = "documents",
    .help = "list documents, newest first",
    .usage = "[--state STATE] [--partner NAME] [--direction in|out] [--name NAME] ...",
    .example = "waybill documents --state failed --partner acme\n"
               "waybill documents --held\n"
               "waybill documents --message-id 4711.2026@as2.acme.example\n"
               "waybill documents --label \"Order number\" --value 4711\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
