/* tokens: what programs show instead of a name and a password. */
#include "cli/cli.h"
#include "net/net.h"

#include <time.h>

static void show_list(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "TOKEN",     "ROLE",    "CREATED", "EXPIRES",
                                         "LAST USED", "MADE BY", NULL };
    struct cli_table t;
    const json_t *x;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "tokens"), i, x)
    {
        cli_table_row(&t, (const char *const[]) { cli_j_text(x, "name"), cli_j_text(x, "role"),
                                                  cli_time_text(c, cli_j_text(x, "created")),
                                                  cli_time_text(c, cli_j_text(x, "expires")),
                                                  cli_time_text(c, cli_j_text(x, "used")),
                                                  cli_j_text(x, "made_by") });
    }
    cli_table_end(&t, stdout, 0);
}

static void show_deleted(struct cli *c, const json_t *answer)
{
    (void)answer;
    printf("token %s is deleted\n", c->args[1]);
}

/* "90d" as the time it will be; all else as it is. */
static const char *expires(struct cli *c, const char *text)
{
    struct timespec now;
    uint64_t ms;
    char at[25];

    if (text == NULL || !cli_duration_of(text, &ms))
        return text;
    clock_gettime(CLOCK_REALTIME, &now);
    net_time_text((int64_t)now.tv_sec * 1000 + (int64_t)ms, at);
    return cli_printf(c, "%s", at);
}

static int add(struct cli *c)
{
    const char *role = cli_option_value(c, "role");
    const char *until = expires(c, cli_option_value(c, "expires"));
    json_t *answer;
    int status;

    if (role == NULL)
        return cli_misused(c, "what may it do? give --role viewer, operator or admin");
    status = cli_call_json(c, "/api/v1/tokens",
                           cli_have(json_pack("{s:s, s:s, s:s?}", "name", c->args[1], "role",
                                              role, "expires", until)),
                           &answer);
    if (status != CLI_DONE)
        return status;
    if (c->json) {
        cli_print_json(answer);
    } else {
        printf("%s\n", cli_j_text(answer, "token"));
        fputs("this is shown once: keep it where the program finds it\n", stderr);
    }
    json_decref(answer);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    const char *what = c->args_n > 0 ? c->args[0] : "list";

    if (strcmp(what, "list") == 0 && c->args_n <= 1)
        return cli_call_show(c, "GET", "/api/v1/tokens", show_list);
    if (strcmp(what, "add") == 0 && c->args_n == 2)
        return add(c);
    if (strcmp(what, "delete") == 0 && c->args_n == 2)
        return cli_call_show(c, "DELETE",
                             cli_printf(c, "/api/v1/tokens/%s", cli_escape(c, c->args[1])),
                             show_deleted);
    return cli_misused(c, "list, add NAME or delete NAME");
}

static const struct cli_option options[] = {
    { 0, "role", "ROLE", "add: viewer, operator or admin" },
    { 0, "expires", "WHEN", "add: after so long, 90d, or at this time; else never" },
};

const struct cli_command cmd_tokens = {
    .name = "tokens",
    .help = "list, make and delete the tokens with which programs use the admin API",
    .usage = "[list | add NAME --role ROLE [--expires 90d] | delete NAME]",
    .more =
        "A program sends `Authorization: Bearer TOKEN`. The token is printed once; only a hash "
        "of it is kept. Roles are those of `waybill users`.",
    .example = "waybill tokens add erp --role operator --expires 365d\n"
               "waybill tokens\n"
               "waybill tokens delete erp\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = 2,
    .run = run,
};
