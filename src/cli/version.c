/* version: of the program and of what does its cryptography. */
#include "cli/cli.h"

#include <openssl/crypto.h>

static int run(struct cli *c)
{
    json_t *o;

    if (!c->json) {
        printf("waybill %s\n%s\n", WAYBILL_VERSION, OpenSSL_version(OPENSSL_VERSION));
        return CLI_DONE;
    }
    o = json_pack("{s:s, s:s}", "version", WAYBILL_VERSION, "openssl",
                  OpenSSL_version(OPENSSL_VERSION));
    cli_print_json(o);
    json_decref(o);
    return CLI_DONE;
}

const struct cli_command cmd_version = {
    .name = "version",
    .help = "print the version",
    .usage = "",
    .example = "waybill version\n",
    .run = run,
};
