/* The table of commands. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>

const struct cli_command *const cli_commands[] = {
    &cmd_init,      &cmd_serve,      &cmd_check,      &cmd_dump,       &cmd_apply,
    &cmd_get,       &cmd_components, &cmd_versions,   &cmd_diff,       &cmd_settings,
    &cmd_log_level, &cmd_delete,     &cmd_listeners,  &cmd_documents,  &cmd_show,
    &cmd_send,      &cmd_retry,      &cmd_resend,     &cmd_reprocess,  &cmd_acknowledge,
    &cmd_reject,    &cmd_cancel,     &cmd_receipts,   &cmd_jobs,       &cmd_sessions,
    &cmd_call,      &cmd_test,       &cmd_trace,      &cmd_download,   &cmd_certificates,
    &cmd_exchange,  &cmd_trust_list, &cmd_bench,      &cmd_users,      &cmd_tokens,
    &cmd_audit,     &cmd_backup,     &cmd_restore,    &cmd_alert_test, &cmd_explain,
    &cmd_reload,    &cmd_stop,       &cmd_completion, &cmd_version,    &cmd_help,
    NULL,
};

static int run(struct cli *c, int argc, char **argv)
{
    struct err err;

    if (!cli_parse(c, argc, argv, cli_commands, &err))
        return cli_misused(c, "%s", err.text);
    if (c->command == NULL && c->help)
        return cmd_help.run(c);
    if (c->command == NULL)
        return cli_misused(c, "which command? `waybill help` lists them");
    if (c->help)
        return cli_help_command(c->command, stdout);
    return c->command->run(c);
}

int main(int argc, char **argv)
{
    struct cli c = { 0 };
    int status;

    /* a reader that went away, `waybill documents | head`, shows at the last fflush */
    (void)signal(SIGPIPE, SIG_IGN);
    status = run(&c, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_DONE)
        status =
            errno == EPIPE ? CLI_REFUSED : cli_refused("standard output: %s", strerror(errno));
    arena_free(&c.arena);
    return status;
}
