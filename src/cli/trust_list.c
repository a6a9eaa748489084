/* trust-list: the authorities of a trust service status list. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    printf("%s version %s: ", cli_j_text(answer, "name"), cli_j_number(c, answer, "version"));
    cli_put_safe(stdout, cli_j_text(answer, "list"));
    putchar('\n');
}

static int run(struct cli *c)
{
    const char *path = cli_printf(c, "/api/v1/trust-lists/%s", cli_escape(c, c->args[0]));
    struct span text;
    struct err err;
    json_t *answer;
    int status;

    if (!cli_read(c, c->args[1], &text, &err))
        return cli_refused("%s", err.text);
    path = cli_query(c, path, "signer", cli_option_value(c, "signer"));
    status = cli_call(c, "POST", path, &text, &answer);
    if (status != CLI_DONE)
        return status;
    if (c->json)
        cli_print_json(answer);
    else
        show(c, answer);
    json_decref(answer);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 0, "signer", "NAME", "the certificate component of whoever must have signed it" },
};

const struct cli_command cmd_trust_list = {
    .name = "trust-list",
    .help = "take the authorities of a trust service status list (TSL)",
    .usage = "NAME FILE [--signer NAME]",
    .more = "Verifies the list and makes the certificate component NAME of the authorities in "
            "it, or renews it; what names the component\n(`trust`, `certificate_authorities`) "
            "then accepts what they issue. A list whose signature is not good, of another "
            "signer,\nor older than the one in use is refused, and nothing changes. `--signer` "
            "is needed the first time.",
    .example = "waybill trust-list odette TSL_OFTP2.XML --signer odette-signer\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_min = 2,
    .args_max = 2,
    .run = run,
};
