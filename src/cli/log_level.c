/* log-level: more or fewer lines of the log, for one partner or all, while the gateway runs. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "PARTNER", "LEVEL", "UNTIL", NULL };
    struct cli_table t;
    const json_t *s;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "set"), i, s)
    {
        const char *partner = cli_j_text(s, "partner");

        cli_table_row(&t, (const char *const[]) { partner[0] != '\0' ? partner : "(all)",
                                                  cli_j_text(s, "level"),
                                                  cli_time_text(c, cli_j_text(s, "until")) });
    }
    printf("level %s, configured %s\n", cli_j_text(answer, "level"),
           cli_j_text(answer, "configured"));
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    const char *partner = cli_option_value(c, "partner"), *limit = cli_option_value(c, "for");
    json_t *body, *answer;
    uint64_t ms = 0;
    int status;

    if (c->args_n == 0)
        return cli_call_show(c, "GET", "/api/v1/log", show);
    if (limit != NULL && (!cli_duration_of(limit, &ms) || ms < 1000))
        return cli_misused(c, "--for takes a duration such as 10m, not '%s'", limit);
    body = json_pack("{s:s, s:s*, s:o*}", "level", c->args[0], "partner", partner, "for",
                     limit == NULL ? NULL : json_integer((json_int_t)(ms / 1000)));
    status = cli_call_json(c, "/api/v1/log", cli_have(body), &answer);
    if (status != CLI_DONE)
        return status;
    if (c->json)
        cli_print_json(answer);
    else
        show(c, answer);
    json_decref(answer);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 'p', "partner", "NAME", "only lines that name this partner" },
    { 0, "for", "DURATION", "such as 10m; then it is as before" },
};

const struct cli_command cmd_log_level = {
    .name = "log-level",
    .help = "set the level of the log while the gateway runs, or say what is set",
    .usage = "[LEVEL [--partner NAME] [--for DURATION]]",
    .more =
        "LEVEL is error, warn, info, debug, or default, which takes back what was set. With debug "
        "for a partner the log has each command of its sessions, decoded, and what is posted to it "
        "and by it; passwords are hidden. Nothing of it outlives a restart.",
    .example = "waybill log-level debug --partner acme --for 10m\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = 1,
    .run = run,
};
