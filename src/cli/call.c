/* call: a partner, now. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    (void)answer;
    printf(
        "%s is being called, and what waits to be posted to it is posted; `waybill sessions` "
        "shows how it goes\n",
        c->args[0]);
}

static int run(struct cli *c)
{
    return cli_call_show(
        c, "POST", cli_printf(c, "/api/v1/partners/%s/call", cli_escape(c, c->args[0])), show);
}

const struct cli_command cmd_call = {
    .name = "call",
    .help = "call a partner now, and post what waits for it, whatever the schedule says",
    .usage = "PARTNER",
    .example = "waybill call acme\n",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
