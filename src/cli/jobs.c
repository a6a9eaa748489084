/* jobs: what is still to be done, and what went wrong so far. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">ID",        ">DOCUMENT", "KIND",       "OWN", "PEER",
                                         "NOT BEFORE", ">ATTEMPTS", "LAST ERROR", NULL };
    struct cli_table t;
    const json_t *j;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "jobs"), i, j)
    {
        cli_table_row(&t,
                      (const char *const[]) {
                          cli_j_number(c, j, "id"), cli_j_number(c, j, "document"),
                          cli_j_text(j, "kind"), cli_j_text(j, "own"), cli_j_text(j, "peer"),
                          cli_time_text(c, cli_j_text(j, "not_before")),
                          cli_j_number(c, j, "attempts"), cli_j_text(j, "last_error") });
    }
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    return cli_call_show(
        c, "GET", cli_query(c, "/api/v1/jobs", "document", cli_option_value(c, "document")),
        show);
}

static const struct cli_option options[] = {
    { 0, "document", "ID", "of this document" },
};

const struct cli_command cmd_jobs = {
    .name = "jobs",
    .help = "list what is still to be done, with the last error of each",
    .usage = "[--document ID]",
    .example = "waybill jobs\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
