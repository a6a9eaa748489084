/* get, components, versions, diff, settings: what is deployed, and what was. */
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

/* ---- components ------------------------------------------------------------------------- */

static int run_components(struct cli *c)
{
    return cli_call_show(
        c, "GET", cli_query(c, "/api/v1/components", "kind", cli_option_value(c, "kind")),
        show_list);
}

static const struct cli_option components_options[] = {
    { 'k', "kind", "KIND", "certificate, identity, partner or process" },
};

const struct cli_command cmd_components = {
    .name = "components",
    .help = "list deployed components with their versions",
    .usage = "[--kind KIND]",
    .example = "waybill components --kind partner\n",
    .options = components_options,
    .options_n = COUNT_OF(components_options),
    .run = run_components,
};

/* ---- versions and diff ------------------------------------------------------------------ */

static void show_versions(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">VERSION", "APPLIED", NULL };
    struct cli_table t;
    const json_t *v;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "versions"), i, v)
    {
        cli_table_row(&t, (const char *const[]) { cli_j_number(c, v, "version"),
                                                  cli_time_text(c, cli_j_text(v, "at")) });
    }
    cli_table_end(&t, stdout, 0);
}

static const char *versions_path(struct cli *c, const char *what)
{
    return cli_printf(c, "/api/v1/components/%s/%s/%s", cli_escape(c, c->args[0]),
                      cli_escape(c, c->args[1]), what);
}

static int run_versions(struct cli *c)
{
    if (c->args_n == 3)
        return cli_call_show(
            c, "GET",
            cli_printf(c, "%s/%s", versions_path(c, "versions"), cli_escape(c, c->args[2])),
            show_one);
    return cli_call_show(c, "GET", versions_path(c, "versions"), show_versions);
}

const struct cli_command cmd_versions = {
    .name = "versions",
    .help = "list the versions of a component, or print one as it was applied",
    .usage = "KIND NAME [VERSION]",
    .more = "The newest comes first. Versions of a deleted component are kept, too.",
    .example = "waybill versions partner acme\nwaybill versions partner acme 3 > acme.yaml\n",
    .args_min = 2,
    .args_max = 3,
    .run = run_versions,
};

static void show_diff(struct cli *c, const json_t *answer)
{
    const json_t *line;
    size_t i;

    printf("--- version %s\n", cli_j_number(c, answer, "from"));
    printf("+++ version %s\n", cli_j_number(c, answer, "to"));
    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        cli_put_safe(stdout, json_string_value(line) != NULL ? json_string_value(line) : "");
        putchar('\n');
    }
}

static int run_diff(struct cli *c)
{
    const char *path =
        cli_query(c, versions_path(c, "diff"), "from", cli_option_value(c, "from"));

    return cli_call_show(c, "GET", cli_query(c, path, "to", cli_option_value(c, "to")),
                         show_diff);
}

static const struct cli_option diff_options[] = {
    { 0, "from", "VERSION", "the older one (the one before the other)" },
    { 0, "to", "VERSION", "the younger one (the newest)" },
};

const struct cli_command cmd_diff = {
    .name = "diff",
    .help = "print what differs between two versions of a component",
    .usage = "KIND NAME [--from VERSION] [--to VERSION]",
    .example = "waybill diff process orders-from-acme\n",
    .options = diff_options,
    .options_n = COUNT_OF(diff_options),
    .args_min = 2,
    .args_max = 2,
    .run = run_diff,
};

/* ---- settings --------------------------------------------------------------------------- */

static int run_settings(struct cli *c)
{
    return cli_call_show(c, "GET", "/api/v1/settings", show_one);
}

const struct cli_command cmd_settings = {
    .name = "settings",
    .help = "print the settings that the running gateway works with",
    .usage = "",
    .more = "`waybill dump` prints those of the file, which may have been changed since.",
    .example = "waybill settings\n",
    .run = run_settings,
};
