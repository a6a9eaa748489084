/* init: a folder from which `waybill serve` runs at once. */
#include "cli/init.h"

#include <stdlib.h>

/* ---- the texts: @NAME@ @DIR@ @DATA@ are put in ------------------------------------------- */

static const char settings[] =
    "# The runtime's own settings. Read at start; log and alerts also at SIGHUP (`waybill reload`), which\n"
    "# names what else was changed and counts from the next start. All settings, with their defaults:\n"
    "# `waybill dump`; each explained: docs/configuration.md. Look through a change with `waybill check`.\n"
    "# Who we are, our partners and what happens to their documents are components: see components/.\n"
    "\n"
    "runtime:\n"
    "  name: @NAME@                    # in the log and the console\n"
    "  data_directory: @DATA@\n"
    "\n"
    "oftp2_server:\n"
    "  endpoints:\n"
    "    - {port: 3305}                # plain: passwords and documents pass the network readable\n"
    "    # With TLS, once the certificate is applied:\n"
    "    # - {port: 6619, session_level_encryption: true, server_ssl_certificate: our-key}\n"
    "  # duplicate_memory: 30d         # how long a file is remembered to know a second copy\n"
    "\n"
    "# Without this block no AS2 is received; sending works all the same.\n"
    "# as2_server:\n"
    "#   path: /as2\n"
    "#   domain: edi.example           # right of the @ in our Message-IDs\n"
    "#   mdn_url: https://edi.example:8443/as2   # where asynchronous MDNs for us go\n"
    "#   endpoints:\n"
    "#     - {port: 8080}\n"
    "#     - {port: 8443, ssl: true, ssl_certificate: our-key}\n"
    "\n"
    "admin:\n"
    "  listen: \"127.0.0.1:8090\"        # REST API, metrics, console\n"
    "\n"
    "# What is done is kept for ever unless this says otherwise. Nothing goes that somebody waits for.\n"
    "# retention:\n"
    "#   settled: {payloads: 90d, documents: 3650d}\n"
    "#   failed: {payloads: 365d, documents: 3650d}\n"
    "\n"
    "log:\n"
    "  level: info                     # error, warn, info, debug\n"
    "  format: text                    # or json, for collectors\n";

static const char us[] =
    "# Who we are. Change the names to those agreed with partners, then:\n"
    "#   waybill apply -f @DIR@/components/us.yaml\n"
    "\n"
    "# A key pair of our own. Partners get our-key.pem, never our-key.key. It is signed by itself;\n"
    "# `waybill certificates request` makes a request for an authority instead.\n"
    "certificate: our-key\n"
    "file: @DIR@/keys/our-key.pem\n"
    "key_file: @DIR@/keys/our-key.key\n"
    "---\n"
    "identity: us\n"
    "oftp2:\n"
    "  odette_id: O0013999999EXAMPLE   # yours, from your national Odette organisation\n"
    "  password: SECRET                # what we send; {secret: name} keeps it in a file of its own\n"
    "  decryption_certificate: our-key\n"
    "  acknowledgment_signing_certificate: our-key\n"
    "  signing_certificate: our-key\n"
    "as2:\n"
    "  as2_id: EXAMPLE-AS2             # compared with its case\n"
    "  decryption_certificate: our-key\n"
    "  mdn_signing_certificate: our-key\n"
    "  signing_certificate: our-key\n";

static const char partner[] =
    "# A partner over OFTP2, and what happens to what it sends. Copy this file for each partner,\n"
    "# change what is in it, look through it and apply it:\n"
    "#   waybill check --config @DIR@/waybill.yaml @DIR@/components\n"
    "#   waybill apply -f @DIR@/components\n"
    "#   waybill test acme             # connects, logs on, says what was found\n"
    "#   waybill send --partner acme --wait FILE\n"
    "\n"
    "partner: acme\n"
    "oftp2:\n"
    "  odette_id: O0013999999ACME\n"
    "  password: ACMEPW                # what the partner must send\n"
    "  identity: us\n"
    "  # host: oftp.acme.example       # where to call it; without, it calls us\n"
    "  # port: 6619\n"
    "  # session_level_encryption: true\n"
    "  # Its certificate, a component of its own (`waybill certificates import acme-key FILE`):\n"
    "  # encryption_certificate: acme-key\n"
    "  # signature_verification_certificate: acme-key\n"
    "  # acknowledgment_verification_certificate: acme-key\n"
    "  # send: {signed: true, encrypted: true, compressed: true, signed_receipt: true}\n"
    "# outbox:                         # files put there are sent\n"
    "#   - {directory: /srv/edi/out/acme, names: [\"*.edi\"], done: move}\n"
    "---\n"
    "process: from-acme\n"
    "start:\n"
    "  listen: oftp2-server\n"
    "  operation:\n"
    "    from: {partner: acme}\n"
    "    to: {identity: us}\n"
    "    # require: {signed: true, encrypted: true}\n"
    "    acknowledge: received         # or processed: the receipt waits for the steps\n"
    "    tracking:\n"
    "      - {field: File, value: \"{{oftp2.sfiddsn}}\"}\n"
    "# Without steps documents are kept in the store: `waybill documents`, `waybill download ID`.\n"
    "# steps:\n"
    "#   - write: {directory: /srv/edi/in, name: \"{{document.id}}-{{document.name}}\"}\n";

/* ---- making ------------------------------------------------------------------------------ */

static bool make_all(struct cli *c, const struct init_place *p, struct err *err)
{
    const struct init_mark marks[] = {
        { "@NAME@", p->name }, { "@DIR@", p->directory }, { "@DATA@", p->data }, { NULL, NULL }
    };

    return init_write(c, p, "waybill.yaml", settings, marks, 0644, err) &&
           init_folder(cli_printf(c, "%s/components", p->directory), 0755, err) &&
           init_write(c, p, "components/us.yaml", us, marks, 0640, err) &&
           init_write(c, p, "components/acme.yaml", partner, marks, 0640, err) &&
           (cli_flag(c, "no-keys") || init_keys(c, p, err));
}

/* What the templates put unquoted into YAML. */
static bool plain(const char *text, const char *more)
{
    for (; *text != '\0'; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
              (*text >= 'A' && *text <= 'Z') || strchr(more, *text) != NULL))
            return false;
    return true;
}

static bool take_place(struct cli *c, struct init_place *p, struct err *err)
{
    const char *name = cli_option_value(c, "name"), *data = cli_option_value(c, "data");
    char *real;

    if (!init_folder(c->args_n > 0 ? c->args[0] : ".", 0755, err))
        return false;
    real = realpath(c->args_n > 0 ? c->args[0] : ".", NULL);
    if (real == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "%s: %m", c->args[0]);
    p->directory = cli_printf(c, "%s", real);
    free(real);
    p->name = name == NULL ? "waybill" : name;
    p->data = data == NULL ? cli_printf(c, "%s/data", p->directory) : data;
    if (!plain(p->name, "-_.") || !plain(p->data, "/-_.") || !plain(p->directory, "/-_.") ||
        p->data[0] != '/')
        return FAIL(
            err, FAIL_LOCAL, 0,
            "names and folders must be made of letters, digits and - _ . /, and folders "
            "be absolute");
    return true;
}

static int run(struct cli *c)
{
    struct init_place p;
    struct err err;
    static const char *const of_one[] = { "no-keys", "name", "data" };

    for (size_t i = 0; cli_flag(c, "trial") && i < COUNT_OF(of_one); i++)
        if (cli_flag(c, of_one[i]))
            return cli_misused(c,
                               "--trial makes two runtimes with names, folders and keys of "
                               "their own: leave out --%s",
                               of_one[i]);
    if (!take_place(c, &p, &err) ||
        !(cli_flag(c, "trial") ? init_trial(c, &p, &err) : make_all(c, &p, &err)))
        return cli_refused("%s", err.text);
    if (cli_flag(c, "trial"))
        return CLI_DONE;
    printf("%s/waybill.yaml                the runtime's settings\n"
           "%s/components/us.yaml          who we are\n"
           "%s/components/acme.yaml        a partner and a process, as an example\n",
           p.directory, p.directory, p.directory);
    if (!cli_flag(c, "no-keys"))
        printf("%s/keys/our-key.{key,pem}      our key pair\n", p.directory);
    printf("\nStart it, and tell it who we are:\n\n"
           "  waybill serve --config %s/waybill.yaml\n"
           "  waybill --config %s/waybill.yaml apply -f %s/components\n",
           p.directory, p.directory, p.directory);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 0, "name", "NAME", "what the runtime is called (waybill)" },
    { 0, "data", "DIR", "the data directory (DIR/data)" },
    { 0, "no-keys", NULL, "make no key pair" },
    { 0, "trial", NULL,
      "make two runtimes that are partners, to try things out on this machine" },
};

const struct cli_command cmd_init = {
    .name = "init",
    .help = "make a folder with settings, components and keys to begin with",
    .usage = "[DIR] [--name NAME] [--data DIR] [--no-keys] | [DIR] --trial",
    .more =
        "Writes waybill.yaml, components/us.yaml, components/acme.yaml and a key pair into DIR "
        "(the current folder), each with\ncomments, and never over a file. `waybill serve` runs "
        "from it as it is. Speaks to no runtime.\n\n"
        "With --trial the folders DIR/plant-7 and DIR/acme: two runtimes on 127.0.0.1 that know each "
        "other by OFTP2 and AS2,\nsign and encrypt; what to do with them is printed.",
    .example = "waybill init edi && waybill serve --config edi/waybill.yaml\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = 1,
    .run = run,
};
