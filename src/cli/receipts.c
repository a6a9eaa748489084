/* receipts: EERP, NERP and MDN, ours and the partners'. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">ID",     ">DOCUMENT", "KIND", "DIRECTION", "STATE",
                                         ">REASON", "CREATOR",   "AT",   "TEXT",      NULL };
    struct cli_table t;
    const json_t *r;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "receipts"), i, r)
    {
        bool plain = cli_j_int(r, "reason") == 0;

        cli_table_row(&t, (const char *const[]) {
                              cli_j_number(c, r, "id"), cli_j_number(c, r, "document"),
                              cli_j_text(r, "kind"), cli_j_text(r, "direction"),
                              cli_j_text(r, "state"), plain ? "" : cli_j_number(c, r, "reason"),
                              cli_j_text(r, "creator"), cli_time_text(c, cli_j_text(r, "at")),
                              cli_j_text(r, "text") });
    }
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    const char *path =
        cli_query(c, "/api/v1/receipts", "document", cli_option_value(c, "document"));

    return cli_call_show(c, "GET", cli_query(c, path, "state", cli_option_value(c, "state")),
                         show);
}

static const struct cli_option options[] = {
    { 0, "document", "ID", "of this document" },
    { 0, "state", "STATE", "pending, sent, received, unmatched or refused" },
};

const struct cli_command cmd_receipts = {
    .name = "receipts",
    .help = "list receipts, ours and the partners'",
    .usage = "[--document ID] [--state STATE]",
    .example = "waybill receipts --state unmatched\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
