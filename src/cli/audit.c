/* audit: who changed what, and from where. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "AT", "WHO", "FROM", "WHAT", NULL };
    struct cli_table t;
    const json_t *x;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "audit"), i, x)
    {
        cli_table_row(&t, (const char *const[]) { cli_time_text(c, cli_j_text(x, "at")),
                                                  cli_j_text(x, "who"), cli_j_text(x, "from"),
                                                  cli_j_text(x, "what") });
    }
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    static const char *const names[] = { "who", "from", "to", "before", "limit" };
    const char *path = "/api/v1/audit";

    for (size_t i = 0; i < COUNT_OF(names); i++)
        path = cli_query(c, path, names[i], cli_option_value(c, names[i]));
    return cli_call_show(c, "GET", path, show);
}

static const struct cli_option options[] = {
    { 0, "who", "TEXT", "whose name begins with it: user:zoe, token:, local:" },
    { 0, "from", "TIME", "not before" },
    { 0, "to", "TIME", "not after" },
    { 0, "before", "ID", "older than this line: the next page" },
    { 0, "limit", "N", "so many lines, 100" },
};

const struct cli_command cmd_audit = {
    .name = "audit",
    .help = "list who changed what, newest first",
    .usage = "[--who TEXT] [--from TIME] [--to TIME] [--before ID] [--limit N]",
    .example = "waybill audit --who user:zoe --from 2026-11-01\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
