/* retry, cancel: a failed document again, a queued one no more. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *d)
{
    const char *reason = cli_j_text(d, "reason");

    printf("document %s: %s", cli_j_number(c, d, "id"), cli_j_text(d, "state"));
    if (reason[0] != '\0') {
        fputs(": ", stdout);
        cli_put_safe(stdout, reason);
    }
    putchar('\n');
}

/* All of them, though one be refused: the exit status says whether one was. */
static int run(struct cli *c)
{
    int status = CLI_DONE;

    for (size_t i = 0; i < c->args_n; i++) {
        int one = cli_call_show(c, "POST",
                                cli_printf(c, "/api/v1/documents/%s/%s",
                                           cli_escape(c, c->args[i]), c->command->name),
                                show);

        if (one == CLI_MISUSED)
            return one;
        if (one != CLI_DONE)
            status = one;
    }
    return status;
}

const struct cli_command cmd_retry = {
    .name = "retry",
    .help = "run a failed document again, or send it again",
    .usage = "ID...",
    .more = "An inbound document goes on with the step that failed; an outbound one is queued.",
    .example = "waybill retry 17\n",
    .args_min = 1,
    .args_max = SIZE_MAX,
    .run = run,
};

const struct cli_command cmd_cancel = {
    .name = "cancel",
    .help = "take a document that was not sent yet out of the queue, or give a failed one up",
    .usage = "ID...",
    .example = "waybill cancel 18\n",
    .args_min = 1,
    .args_max = SIZE_MAX,
    .run = run,
};
