/* exchange: certificates that partners sent and an operator decides about, and sending ours. */
#include "cli/cli.h"

static void show_waiting(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">DOCUMENT", "PARTNER", "KIND", "SUBJECT", "NOT AFTER",
                                         "FOR",       "SHA256",  "NOTE", NULL };
    struct cli_table t;
    const json_t *x;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "certificates"), i, x)
    {
        cli_table_row(&t, (const char *const[]) {
                              cli_j_number(c, x, "document"), cli_j_text(x, "partner"),
                              cli_j_text(x, "kind"), cli_j_text(x, "subject"),
                              cli_time_text(c, cli_j_text(x, "not_after")),
                              cli_j_text(x, "certificates"), cli_j_text(x, "sha256"),
                              cli_j_text(x, "note") });
    }
    cli_table_end(&t, stdout, 0);
}

static void show_sent(struct cli *c, const json_t *answer)
{
    const json_t *x;
    size_t i;

    json_array_foreach(json_object_get(answer, "documents"), i, x)
        printf("document %s is queued for %s\n", cli_j_number(c, x, "id"), c->args[0]);
}

static int run(struct cli *c)
{
    const char *path;

    if (c->args_n == 0)
        return cli_call_show(c, "GET", "/api/v1/exchange", show_waiting);
    if (c->args_n == 1)
        return cli_misused(c, "say what to send: deliver, replace or request");
    path = cli_printf(c, "/api/v1/partners/%s/certificates", cli_escape(c, c->args[0]));
    path = cli_query(c, path, "what", c->args[1]);
    path = cli_query(c, path, "certificate", cli_option_value(c, "certificate"));
    return cli_call_show(c, "POST", path, show_sent);
}

static const struct cli_option options[] = {
    { 0, "certificate", "NAME", "only this certificate component of ours" },
};

const struct cli_command cmd_exchange = {
    .name = "exchange",
    .help = "exchange certificates with a partner over OFTP2; alone: list those that wait",
    .usage = "[PARTNER deliver|replace|request] [--certificate NAME]",
    .more =
        "Without arguments it lists the certificates partners have sent that wait for you: "
        "`waybill acknowledge ID` puts one into use,\n`waybill reject ID --text WHY` refuses "
        "it. `deliver` sends ours; the older ones stay valid. `replace` says that the older "
        "ones must not be\nused any more. `request` sends one of ours and asks for the "
        "partner's.",
    .example = "waybill exchange\n"
               "waybill acknowledge 41\n"
               "waybill exchange acme deliver --certificate our-sign\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = 2,
    .run = run,
};
