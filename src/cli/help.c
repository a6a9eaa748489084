/* help: made of the table of commands, as is docs/cli.md. */
#include "api/api.h"
#include "cli/cli.h"

/* ---- for the terminal ------------------------------------------------------------------- */

static void usage_line(const struct cli_command *cmd, FILE *f)
{
    fprintf(f, "waybill %s%s%s\n", cmd->name, cmd->usage[0] != '\0' ? " " : "", cmd->usage);
}

/* "-f, --file FILE" */
static void option_text(const struct cli_option *o, char *text, size_t cap)
{
    char letter[8] = "";

    if (o->letter != 0)
        (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    (void)snprintf(text, cap, "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
                   o->value != NULL ? o->value : "");
}

static void options(const struct cli_option *list, size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        char text[80];

        option_text(&list[i], text, sizeof(text));
        fprintf(f, "  %-28s  %s\n", text, list[i].help);
    }
}

int cli_help_command(const struct cli_command *cmd, FILE *f)
{
    fprintf(f, "%s: %s\n\nusage: ", cmd->name, cmd->help);
    usage_line(cmd, f);
    if (cmd->more != NULL)
        fprintf(f, "\n%s\n", cmd->more);
    if (cmd->options_n > 0) {
        fputs("\noptions:\n", f);
        options(cmd->options, cmd->options_n, f);
    }
    fputs("\noptions of all commands:\n", f);
    options(cli_globals, cli_globals_n, f);
    fprintf(f, "\nexample:\n%s", cmd->example);
    return CLI_DONE;
}

static void overview(FILE *f)
{
    fputs("usage: waybill [--config FILE] [--socket PATH] [--json] COMMAND ...\n\n", f);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++)
        if (*p != &cmd_bench || bench_main != NULL)
            fprintf(f, "  %-12s  %s\n", (*p)->name, (*p)->help);
    fputs("\n`waybill help COMMAND` says more. Exit status: 0 done, 1 refused, 2 misused.\n",
          f);
}

/* ---- for docs/cli.md -------------------------------------------------------------------- */

static void cell(const char *text, FILE *f)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            fputc('\\', f);
        fputc(*text, f);
    }
}

static void option_rows(const struct cli_option *list, size_t n, FILE *f)
{
    fputs("\n| Option | Meaning |\n| --- | --- |\n", f);
    for (size_t i = 0; i < n; i++) {
        char text[80];

        option_text(&list[i], text, sizeof(text));
        fputs("| `", f);
        cell(text, f);
        fputs("` | ", f);
        cell(list[i].help, f);
        fputs(" |\n", f);
    }
}

static void markdown(FILE *f)
{
    fputs(
        "# Command line\n\n"
        "Made by `waybill help --markdown` from the table of commands.\n\n"
        "`waybill serve` runs the gateway. All other commands but `check`, `dump`, `certificates`, `restore`, `init`, `completion`, "
        "`bench`, `version` and `help`\nspeak to a running one through its admin socket, which only "
        "the user who runs it may use.\nThe exit status is 0 when it was done, 1 when it was "
        "refused (the reason is on standard error)\nand 2 when the command line is wrong.\n\n"
        "These options may stand before or after the command's name:\n",
        f);
    option_rows(cli_globals, cli_globals_n, f);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++) {
        const struct cli_command *cmd = *p;

        fprintf(f, "\n## %s\n\nTo %s.\n\n```\n", cmd->name, cmd->help);
        usage_line(cmd, f);
        fputs("```\n", f);
        if (cmd->more != NULL)
            fprintf(f, "\n%s\n", cmd->more);
        if (cmd->options_n > 0)
            option_rows(cmd->options, cmd->options_n, f);
        fprintf(f, "\nExample:\n\n```\n%s```\n", cmd->example);
    }
}

static int openapi(void)
{
    json_t *v = cli_have(api_openapi_make());

    cli_print_json(v);
    json_decref(v);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    const struct cli_command *cmd;

    if (cli_flag(c, "markdown")) {
        markdown(stdout);
        return CLI_DONE;
    }
    if (cli_flag(c, "man")) {
        cli_man(stdout);
        return CLI_DONE;
    }
    if (cli_flag(c, "openapi"))
        return openapi();
    if (cli_flag(c, "troubleshooting")) {
        cli_troubleshooting(stdout);
        return CLI_DONE;
    }
    if (c->args_n == 0) {
        overview(stdout);
        return CLI_DONE;
    }
    cmd = cli_find(cli_commands, c->args[0]);
    if (cmd == NULL)
        return cli_misused(c, "there is no command '%s'", c->args[0]);
    return cli_help_command(cmd, stdout);
}

static const struct cli_option help_options[] = {
    { 0, "markdown", NULL, "print docs/cli.md" },
    { 0, "man", NULL, "print the manual page waybill(1)" },
    { 0, "openapi", NULL, "print docs/openapi.json, the OpenAPI document of the admin API" },
    { 0, "troubleshooting", NULL, "print docs/troubleshooting.md" },
};

const struct cli_command cmd_help = {
    .name = "help",
    .help = "list the commands, or say how one is used",
    .usage = "[COMMAND]",
    .example = "waybill help send\n",
    .options = help_options,
    .options_n = COUNT_OF(help_options),
    .args_max = 1,
    .run = run,
};
