/* completion: what shells ask for when TAB is pressed, made of the table of commands. */
#include "cli/cli.h"

static bool shown(const struct cli_command *cmd)
{
    return cmd != &cmd_bench || bench_main != NULL;
}

static void put_option(const struct cli_option *o)
{
    printf(" --%s", o->name);
    if (o->letter != 0)
        printf(" -%c", o->letter);
}

/* "resume" of "[pause|resume|restart NAME...]": words of the usage that stand for themselves. */
static void put_words(const struct cli_command *cmd)
{
    const char *p = cmd->usage;

    while (*p != '\0') {
        size_t n = strcspn(p, " |[].()");
        bool lower = n > 1 && p[0] != '-';

        for (size_t i = 0; i < n; i++)
            lower = lower && ((p[i] >= 'a' && p[i] <= 'z') || p[i] == '-');
        if (lower)
            printf(" %.*s", (int)n, p);
        p += n + (p[n] != '\0');
    }
}

/* The options that take a value: the word behind them is no option and no command. */
static void put_valued(void)
{
    const char *between = "";

    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++)
        for (size_t i = 0; i < (*p)->options_n; i++)
            if ((*p)->options[i].value != NULL) {
                printf("%s--%s", between, (*p)->options[i].name);
                between = "|";
                if ((*p)->options[i].letter != 0)
                    printf("|-%c", (*p)->options[i].letter);
            }
    for (size_t i = 0; i < cli_globals_n; i++)
        if (cli_globals[i].value != NULL) {
            printf("%s--%s", between, cli_globals[i].name);
            between = "|";
        }
}

static void bash(void)
{
    fputs("# bash completion of waybill, made by `waybill completion bash`.\n"
          "_waybill()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command= words= i skip=\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        if [[ $skip ]]; then skip=; continue; fi\n"
          "        case ${COMP_WORDS[i]} in\n        ",
          stdout);
    put_valued();
    fputs(") skip=1 ;;\n        -*) ;;\n        *) command=${COMP_WORDS[i]}; break ;;\n"
          "        esac\n    done\n"
          "    COMPREPLY=()\n"
          "    case $before in\n        ",
          stdout);
    put_valued();
    fputs(
        ") [[ $i -lt $COMP_CWORD || $skip || ! $command ]] && compopt -o default && return ;;\n"
        "    esac\n"
        "    case $command in\n"
        "    '') words='",
        stdout);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++)
        if (shown(*p))
            printf("%s ", (*p)->name);
    for (size_t i = 0; i < cli_globals_n; i++)
        printf("--%s ", cli_globals[i].name);
    fputs("' ;;\n", stdout);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++) {
        if (!shown(*p))
            continue;
        printf("    %s) words='", (*p)->name);
        put_words(*p);
        if (*p == &cmd_help)
            for (const struct cli_command *const *q = cli_commands; *q != NULL; q++)
                printf(" %s", (*q)->name);
        for (size_t i = 0; i < (*p)->options_n; i++)
            put_option(&(*p)->options[i]);
        for (size_t i = 0; i < cli_globals_n; i++)
            put_option(&cli_globals[i]);
        fputs("' ;;\n", stdout);
    }
    fputs("    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default\n"
          "}\n"
          "complete -F _waybill waybill\n",
          stdout);
}

/* Quotes and colons mean something in zsh's lists. */
static void put_zsh(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (*text == ':' || *text == '[' || *text == ']' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_option(const struct cli_option *o)
{
    printf(" '--%s%s[", o->name, o->value != NULL ? "=" : "");
    put_zsh(o->help);
    fputs(o->value != NULL ? "]:value:_files'" : "]'", stdout);
}

static void zsh(void)
{
    fputs("#compdef waybill\n"
          "# zsh completion of waybill, made by `waybill completion zsh`.\n"
          "_waybill() {\n"
          "    local -a commands\n    local command=${words[(r)[a-z]*,2]}\n"
          "    commands=(\n",
          stdout);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++) {
        if (!shown(*p))
            continue;
        printf("        '%s:", (*p)->name);
        put_zsh((*p)->help);
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
          "    case ${words[2]} in\n",
          stdout);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++) {
        if (!shown(*p))
            continue;
        printf("    %s) _arguments", (*p)->name);
        for (size_t i = 0; i < (*p)->options_n; i++)
            zsh_option(&(*p)->options[i]);
        for (size_t i = 0; i < cli_globals_n; i++)
            zsh_option(&cli_globals[i]);
        fputs(" '*::argument:_files' ;;\n", stdout);
    }
    fputs("    esac\n}\n_waybill \"$@\"\n", stdout);
}

static int run(struct cli *c)
{
    if (strcmp(c->args[0], "bash") == 0)
        bash();
    else if (strcmp(c->args[0], "zsh") == 0)
        zsh();
    else
        return cli_misused(c, "completion is for bash and zsh, not '%s'", c->args[0]);
    return CLI_DONE;
}

const struct cli_command cmd_completion = {
    .name = "completion",
    .help = "print what makes a shell complete commands and options",
    .usage = "bash|zsh",
    .more =
        "For bash: `source <(waybill completion bash)`, or into "
        "/usr/share/bash-completion/completions/waybill.\nFor zsh: into a file `_waybill` in "
        "one of $fpath. Packages bring both.",
    .example = "source <(waybill completion bash)\n",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
