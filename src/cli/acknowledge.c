/* acknowledge, reject: the receipt of a document that waits for an operator. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *d)
{
    printf("document %s: the receipt will be sent\n", cli_j_number(c, d, "id"));
}

static int run(struct cli *c)
{
    const char *path =
        cli_printf(c, "/api/v1/documents/%s/%s", cli_escape(c, c->args[0]), c->command->name);

    return cli_call_show(c, "POST", cli_query(c, path, "text", cli_option_value(c, "text")),
                         show);
}

const struct cli_command cmd_acknowledge = {
    .name = "acknowledge",
    .help = "release the receipt of a document (acknowledge: manual)",
    .usage = "ID",
    .more = "`waybill documents --held` lists what waits for it.",
    .example = "waybill acknowledge 17\n",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};

static const struct cli_option options[] = {
    { 0, "text", "TEXT", "why, for the partner" },
};

const struct cli_command cmd_reject = {
    .name = "reject",
    .help = "answer a document with a negative receipt (acknowledge: manual)",
    .usage = "ID [--text TEXT]",
    .example = "waybill reject 17 --text \"order number missing\"\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
