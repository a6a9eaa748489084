/* dump: the settings in effect, and the reference of all there are. */
#include "cli/cli.h"

#include <stdlib.h>

static void print(const struct cli *c, const char *text)
{
    json_t *o;

    if (!c->json) {
        fputs(text, stdout);
        return;
    }
    o = json_pack("{s:s}", "text", text);
    cli_print_json(o);
    json_decref(o);
}

static int run(struct cli *c)
{
    struct config_runtime *rt;
    char *text;

    if (cli_flag(c, "reference")) {
        text = cli_have(config_reference());
        print(c, text);
        free(text);
        return CLI_DONE;
    }
    rt = cli_config_load(c);
    if (rt == NULL)
        return CLI_REFUSED;
    text = cli_have(config_runtime_dump(rt));
    print(c, text);
    free(text);
    config_runtime_free(rt);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 0, "reference", NULL, "print the reference of all settings and components (Markdown)" },
};

const struct cli_command cmd_dump = {
    .name = "dump",
    .help = "print all settings with their values, defaults included",
    .usage = "[--config FILE] [--reference]",
    .more = "Secrets are shown as `***`.",
    .example = "waybill dump --config waybill.yaml\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
