/* help --man: the manual page waybill(1), made of the table of commands. */
#include "cli/cli.h"

/* Backslashes, and dots and quotes at the beginning of a line, are roff's; `code` becomes bold. */
static void text(const char *s, FILE *f)
{
    bool begins = true, bold = false;

    for (; *s != '\0'; s++) {
        if (begins && (*s == '.' || *s == '\''))
            fputs("\\&", f);
        begins = *s == '\n';
        if (*s == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fP", f);
        } else if (*s == '\\') {
            fputs("\\e", f);
        } else if (*s == '-') {
            fputs("\\-", f);
        } else {
            fputc(*s, f);
        }
    }
}

static void options(const struct cli_option *list, size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        fputs(".TP\n", f);
        if (list[i].letter != 0)
            fprintf(f, "\\fB\\-%c\\fP, ", list[i].letter);
        fputs("\\fB\\-\\-", f);
        text(list[i].name, f);
        fputs("\\fP", f);
        if (list[i].value != NULL)
            fprintf(f, " \\fI%s\\fP", list[i].value);
        fputc('\n', f);
        text(list[i].help, f);
        fputc('\n', f);
    }
}

static void command(const struct cli_command *cmd, FILE *f)
{
    fprintf(f, ".SS %s\n.B waybill %s\n", cmd->name, cmd->name);
    text(cmd->usage, f);
    fputs(cmd->usage[0] != '\0' ? "\n.PP\nTo " : ".PP\nTo ", f);
    text(cmd->help, f);
    fputs(".\n", f);
    if (cmd->more != NULL) {
        fputs(".PP\n", f);
        text(cmd->more, f);
        fputc('\n', f);
    }
    options(cmd->options, cmd->options_n, f);
    fputs(".PP\nExample:\n.PP\n.nf\n", f);
    text(cmd->example, f);
    fputs(".fi\n", f);
}

void cli_man(FILE *f)
{
    fputs(
        ".\\\" Made by `waybill help --man` from the table of commands.\n"
        ".TH WAYBILL 1 \"\" \"Waybill " WAYBILL_VERSION "\" \"User Commands\"\n"
        ".SH NAME\nwaybill \\- OFTP2 and AS2 gateway\n"
        ".SH SYNOPSIS\n"
        ".B waybill\n[\\fB\\-\\-config\\fP \\fIFILE\\fP] [\\fB\\-\\-socket\\fP \\fIPATH\\fP] "
        "[\\fB\\-\\-json\\fP] \\fICOMMAND\\fP ...\n"
        ".SH DESCRIPTION\n"
        "Waybill exchanges business documents with trading partners over OFTP2 (RFC 5024) and "
        "AS2 (RFC 4130).\n"
        "\\fBwaybill serve\\fP runs the gateway; most other commands speak to a running one "
        "through its admin socket,\nwhich only the user who runs it may use.\n"
        ".SH OPTIONS\nThese may stand before or after the command's name.\n",
        f);
    options(cli_globals, cli_globals_n, f);
    fputs(".SH COMMANDS\n", f);
    for (const struct cli_command *const *p = cli_commands; *p != NULL; p++)
        command(*p, f);
    fputs(
        ".SH EXIT STATUS\n"
        "0 when it was done, 1 when it was refused (the reason is on standard error), 2 when "
        "the command line is wrong.\n"
        ".SH ENVIRONMENT\n.TP\n\\fBWAYBILL_CONFIG\\fP\nThe runtime's settings, as with "
        "\\-\\-config.\n.TP\n\\fBWAYBILL_SOCKET\\fP\nThe admin socket, as with \\-\\-socket.\n"
        ".SH FILES\n.TP\n\\fI/etc/waybill/waybill.yaml\\fP\nThe runtime's settings, when there "
        "is no ./waybill.yaml.\n.TP\n\\fI/var/lib/waybill\\fP\nThe data directory of the "
        "packaged service.\n",
        f);
}
