/* get: the components that are deployed; one of them as it was applied. */
#include "cli/cli.h"

static void show_list(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "KIND", "NAME", ">VERSION", "APPLIED", "", NULL };
    struct cli_table t;
    const json_t *d;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "components"), i, d)
    {
        cli_table_row(&t, (const char *const[]) { cli_j_text(d, "kind"), cli_j_text(d, "name"),
                                                  cli_j_number(c, d, "version"),
                                                  cli_time_text(c, cli_j_text(d, "at")),
                                                  cli_j_bool(d, "paused") ? "paused" : "" });
    }
    cli_table_end(&t, stdout, 0);
}

static void show_one(struct cli *c, const json_t *answer)
{
    const char *text = cli_j_text(answer, "text");
    size_t n = strlen(text);

    (void)c;
    fputs(text, stdout);
    if (n > 0 && text[n - 1] != '\n')
        putchar('\n');
}

static int run(struct cli *c)
{
    const char *path = "/api/v1/components";

    if (c->args_n < 2)
        return cli_call_show(
            c, "GET", cli_query(c, path, "kind", c->args_n > 0 ? c->args[0] : NULL), show_list);
    path =
        cli_printf(c, "%s/%s/%s", path, cli_escape(c, c->args[0]), cli_escape(c, c->args[1]));
    return cli_call_show(c, "GET", path, show_one);
}

const struct cli_command cmd_get = {
    .name = "get",
    .help = "list deployed components, or print one as it was applied",
    .usage = "[KIND [NAME]]",
    .more = "KIND is certificate, identity, partner or process.",
    .example = "waybill get process orders-from-acme > orders.yaml\n",
    .args_max = 2,
    .run = run,
};
