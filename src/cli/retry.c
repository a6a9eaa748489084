/* retry, cancel, resend, reprocess: a failed document again, a queued one no more, one that came to its
 * end once more. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *d)
{
    const char *reason = cli_j_text(d, "reason");

    const char *of = cli_j_text(json_object_get(d, "properties"), "resend_of");

    printf("document %s: %s", cli_j_number(c, d, "id"), cli_j_text(d, "state"));
    if (strcmp(c->command->name, "resend") == 0)
        printf(", document %s again", of);
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

const struct cli_command cmd_resend = {
    .name = "resend",
    .help = "send a document that came to its end again, as a new one",
    .usage = "ID...",
    .more =
        "The same octets under the same name to the same partner, protected as it is configured "
        "now; the partner takes it for another document. For acknowledged, rejected, overdue and "
        "failed documents whose octets are still kept. While a document sent again is under way "
        "it is not sent a third time.",
    .example = "waybill resend 18\n",
    .args_min = 1,
    .args_max = SIZE_MAX,
    .run = run,
};

const struct cli_command cmd_reprocess = {
    .name = "reprocess",
    .help = "run all steps of the process again for a processed document",
    .usage = "ID...",
    .more = "The steps are told by `redelivered: true`. The partner gets no second receipt.",
    .example = "waybill reprocess 17\n",
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
