/* listeners: what waits for documents, and why it does not. */
#include "cli/cli.h"

static const char *const heads[] = { "LISTENER", "STATE",  "SERVER",     ">VERSION",
                                     "FROM",     "TO",     ">DOCUMENTS", ">FAILURES",
                                     "LAST",     "REASON", NULL };

/* "acme (O0013000001ACME)" */
static const char *party(struct cli *c, const json_t *l, const char *name, const char *code)
{
    if (cli_j_text(l, name)[0] == '\0')
        return cli_j_text(l, code);
    return cli_printf(c, "%s (%s)", cli_j_text(l, name), cli_j_text(l, code));
}

static void row(struct cli *c, struct cli_table *t, const json_t *l)
{
    cli_table_row(t, (const char *const[]) {
                         cli_j_text(l, "name"), cli_j_text(l, "state"), cli_j_text(l, "server"),
                         cli_j_number(c, l, "version"), party(c, l, "from_name", "from"),
                         party(c, l, "to_name", "to"), cli_j_number(c, l, "documents"),
                         cli_j_number(c, l, "failures"),
                         cli_time_text(c, cli_j_text(l, "last")), cli_j_text(l, "reason") });
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct cli_table t;
    const json_t *l;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "listeners"), i, l) row(c, &t, l);
    cli_table_end(&t, stdout, 0);
}

static void show_one(struct cli *c, const json_t *answer)
{
    struct cli_table t;

    cli_table_begin(&t, heads);
    row(c, &t, answer);
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    const char *what = c->args_n > 0 ? c->args[0] : "";

    if (c->args_n == 0)
        return cli_call_show(c, "GET", "/api/v1/listeners", show_list);
    if (strcmp(what, "pause") != 0 && strcmp(what, "resume") != 0 &&
        strcmp(what, "restart") != 0)
        return cli_misused(c, "pause, resume or restart, not '%s'", what);
    if (c->args_n < 2)
        return cli_misused(c, "%s which listener?", what);
    return cli_call_show(
        c, "POST", cli_printf(c, "/api/v1/listeners/%s/%s", cli_escape(c, c->args[1]), what),
        show_one);
}

const struct cli_command cmd_listeners = {
    .name = "listeners",
    .help = "list the listeners with their state; pause, resume or restart one",
    .usage = "[pause|resume|restart NAME]",
    .more =
        "A listener is `listening`, `paused`, or `errored` with the reason. `restart` checks "
        "an errored one again.",
    .example = "waybill listeners\nwaybill listeners pause orders-from-acme\n",
    .args_max = 2,
    .run = run,
};
