/* The command line, taken apart by the tables of options. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>

const struct cli_option cli_globals[] = {
    { 'c', "config", "FILE",
      "settings of the runtime; default $WAYBILL_CONFIG, else ./waybill.yaml, else "
      "/etc/waybill/waybill.yaml" },
    { 0, "socket", "PATH",
      "the runtime's admin socket; default $WAYBILL_SOCKET, else admin.socket of the settings" },
    { 0, "json", NULL, "print what the API answered, as JSON" },
    { 'h', "help", NULL, "say how the command is used" },
};
const size_t cli_globals_n = COUNT_OF(cli_globals);

void *cli_have(void *p)
{
    if (p == NULL) {
        fputs("waybill: memory is out\n", stderr);
        exit(CLI_REFUSED);
    }
    return p;
}

char *cli_printf(struct cli *c, const char *fmt, ...)
{
    va_list ap, again;
    char *p;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    p = cli_have(n < 0 ? NULL : arena_take(&c->arena, (size_t)n + 1));
    (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

const struct cli_command *cli_find(const struct cli_command *const *table, const char *name)
{
    for (; *table != NULL; table++)
        if (strcmp((*table)->name, name) == 0)
            return *table;
    return NULL;
}

/* ---- parsing ---------------------------------------------------------------------------- */

/* arg is "-f", "-fFILE", "--file" or "--file=FILE"; *value: what was given with it, or NULL. */
static bool fits(const struct cli_option *o, const char *arg, const char **value)
{
    size_t n = strlen(o->name);

    *value = NULL;
    if (arg[1] != '-') {
        if (o->letter == 0 || arg[1] != o->letter)
            return false;
        if (arg[2] != '\0')
            *value = arg + 2;
        return true;
    }
    if (strncmp(arg + 2, o->name, n) != 0 || (arg[2 + n] != '\0' && arg[2 + n] != '='))
        return false;
    if (arg[2 + n] == '=')
        *value = arg + 2 + n + 1;
    return true;
}

static const struct cli_option *look_up(const struct cli_option *list, size_t n,
                                        const char *arg, const char **value)
{
    for (size_t i = 0; i < n; i++)
        if (fits(&list[i], arg, value))
            return &list[i];
    return NULL;
}

static void set_global(struct cli *c, const struct cli_option *o, const char *value)
{
    if (strcmp(o->name, "config") == 0)
        c->config = value;
    else if (strcmp(o->name, "socket") == 0)
        c->socket_path = value;
    else if (strcmp(o->name, "json") == 0)
        c->json = true;
    else
        c->help = true;
}

/* One option at argv[*i], which is moved onto its value when that stands by itself. */
static bool take_option(struct cli *c, int argc, char **argv, int *i, struct err *err)
{
    const struct cli_command *cmd = c->command;
    const char *arg = argv[*i], *value;
    const struct cli_option *o = NULL;
    bool global = false;

    if (cmd != NULL)
        o = look_up(cmd->options, cmd->options_n, arg, &value);
    if (o == NULL) {
        o = look_up(cli_globals, cli_globals_n, arg, &value);
        global = true;
    }
    if (o == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "unknown option %s%s", arg,
                    cmd == NULL ? " (options of a command follow its name)" : "");
    if (o->value == NULL && value != NULL)
        return FAIL(err, FAIL_LOCAL, 0, "--%s takes no value", o->name);
    if (o->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return FAIL(err, FAIL_LOCAL, 0, "%s needs a value: %s", arg, o->value);
        value = argv[++*i];
    }
    if (global)
        set_global(c, o, value);
    else
        c->given[c->given_n++] = (struct cli_given) { o->name, value != NULL ? value : "" };
    return true;
}

static bool take_command(struct cli *c, const char *name,
                         const struct cli_command *const *table, struct err *err)
{
    c->command = cli_find(table, name);
    if (c->command == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "there is no command '%s'; `waybill help` lists them",
                    name);
    if (c->command->raw)
        c->args[c->args_n++] = c->command->name;
    return true;
}

static bool count_args(const struct cli *c, struct err *err)
{
    const struct cli_command *cmd = c->command;

    if (cmd == NULL || c->help || cmd->raw)
        return true;
    if (c->args_n < cmd->args_min)
        return FAIL(err, FAIL_LOCAL, 0, "an argument is missing");
    if (c->args_n > cmd->args_max)
        return FAIL(err, FAIL_LOCAL, 0, "'%s' is one too many", c->args[cmd->args_max]);
    return true;
}

bool cli_parse(struct cli *c, int argc, char **argv, const struct cli_command *const *table,
               struct err *err)
{
    size_t room = argc > 0 ? (size_t)argc : 1;
    bool options = true;

    c->given = cli_have(arena_take(&c->arena, room * sizeof(*c->given)));
    c->args = cli_have(arena_take(&c->arena, room * sizeof(*c->args)));
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (c->command != NULL && c->command->raw) {
            c->args[c->args_n++] = arg;
        } else if (options && strcmp(arg, "--") == 0) {
            options = false;
        } else if (c->command == NULL && strcmp(arg, "--version") == 0) {
            if (!take_command(c, "version", table, err))
                return false;
        } else if (options && arg[0] == '-' && arg[1] != '\0') {
            if (!take_option(c, argc, argv, &i, err))
                return false;
        } else if (c->command == NULL) {
            if (!take_command(c, arg, table, err))
                return false;
        } else {
            c->args[c->args_n++] = arg;
        }
    }
    return count_args(c, err);
}

/* ---- what was given --------------------------------------------------------------------- */

const char *cli_option_nth(const struct cli *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->given_n; i++)
        if (strcmp(c->given[i].name, name) == 0 && n-- == 0)
            return c->given[i].value;
    return NULL;
}

const char *cli_option_value(const struct cli *c, const char *name)
{
    const char *last = NULL;

    for (size_t i = 0; i < c->given_n; i++)
        if (strcmp(c->given[i].name, name) == 0)
            last = c->given[i].value;
    return last;
}

bool cli_flag(const struct cli *c, const char *name)
{
    return cli_option_value(c, name) != NULL;
}

/* ---- saying what is wrong --------------------------------------------------------------- */

int cli_misused(const struct cli *c, const char *fmt, ...)
{
    const struct cli_command *cmd = c->command;
    va_list ap;

    fprintf(stderr, "waybill%s%s: ", cmd != NULL ? " " : "", cmd != NULL ? cmd->name : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (cmd != NULL)
        fprintf(stderr, "\nusage: waybill %s%s%s\n", cmd->name, cmd->usage[0] ? " " : "",
                cmd->usage);
    else
        fputs("\nusage: waybill [--config FILE] [--socket PATH] [--json] COMMAND ...\n",
              stderr);
    return CLI_MISUSED;
}

int cli_refused(const char *fmt, ...)
{
    char text[1200], *safe;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    safe = cli_safe(text);
    fprintf(stderr, "waybill: %s\n", safe);
    free(safe);
    return CLI_REFUSED;
}

void cli_problems(const struct config_problems *ps)
{
    char line[1000];

    for (const struct config_problem *p = ps->first; p != NULL; p = p->next) {
        config_problem_line(p, line, sizeof(line));
        cli_put_safe(stderr, line);
        fputc('\n', stderr);
    }
}
