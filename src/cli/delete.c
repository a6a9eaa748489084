/* delete: takes a component back. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    (void)answer;
    printf("%s %s deleted\n", c->args[0], c->args[1]);
}

static int run(struct cli *c)
{
    return cli_call_show(c, "DELETE",
                         cli_printf(c, "/api/v1/components/%s/%s", cli_escape(c, c->args[0]),
                                    cli_escape(c, c->args[1])),
                         show);
}

const struct cli_command cmd_delete = {
    .name = "delete",
    .help = "take a deployed component back",
    .usage = "KIND NAME",
    .more = "Refused while others refer to it. Documents and old versions stay in the store.",
    .example = "waybill delete process orders-from-acme\n",
    .args_min = 2,
    .args_max = 2,
    .run = run,
};
