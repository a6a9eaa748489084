/* init --trial: two runtimes on this machine that are partners. */
#include "cli/init.h"

static const char settings[] =
    "# One of two runtimes to try things out; the other is in ../@PEER@.\n"
    "\n"
    "runtime: {name: @NAME@, data_directory: @DIR@/data}\n"
    "oftp2_server: {endpoints: [{host: 127.0.0.1, port: @OFTP2@}]}\n"
    "as2_server: {domain: @NAME@.example, endpoints: [{host: 127.0.0.1, port: @AS2@}]}\n"
    "admin: {listen: \"127.0.0.1:@ADMIN@\"}   # the console: http://127.0.0.1:@ADMIN@/\n";

static const char components[] =
    "# Who we are, our partner, and what happens to what it sends.\n"
    "\n"
    "certificate: our-key\n"
    "file: @DIR@/keys/our-key.pem\n"
    "key_file: @DIR@/keys/our-key.key\n"
    "---\n"
    "certificate: @PEER@-key\n"
    "file: @TOP@/@PEER@/keys/our-key.pem\n"
    "---\n"
    "identity: us\n"
    "oftp2:\n"
    "  odette_id: O0013999999@CODE@\n"
    "  password: TRIAL\n"
    "  decryption_certificate: our-key\n"
    "  acknowledgment_signing_certificate: our-key\n"
    "  signing_certificate: our-key\n"
    "as2:\n"
    "  as2_id: @CODE@-AS2\n"
    "  decryption_certificate: our-key\n"
    "  mdn_signing_certificate: our-key\n"
    "  signing_certificate: our-key\n"
    "---\n"
    "partner: @PEER@\n"
    "oftp2:\n"
    "  odette_id: O0013999999@PEERCODE@\n"
    "  password: TRIAL\n"
    "  identity: us\n"
    "  host: 127.0.0.1\n"
    "  port: @PEEROFTP2@\n"
    "  retry: {first: 5s, max: 60s}\n"
    "  encryption_certificate: @PEER@-key\n"
    "  signature_verification_certificate: @PEER@-key\n"
    "  acknowledgment_verification_certificate: @PEER@-key\n"
    "  send: {signed: true, compressed: true, encrypted: true, signed_receipt: true}\n"
    "as2:\n"
    "  as2_id: @PEERCODE@-AS2\n"
    "  identity: us\n"
    "  url: http://127.0.0.1:@PEERAS2@/as2\n"
    "  retry: {first: 5s, max: 60s}\n"
    "  encryption_certificate: @PEER@-key\n"
    "  signing_certificate: @PEER@-key\n"
    "  send: {signed: true, compressed: before_signing, encrypted: true, mdn: sync}\n"
    "---\n"
    "process: files-from-@PEER@           # OFTP2\n"
    "start:\n"
    "  listen: oftp2-server\n"
    "  operation:\n"
    "    from: {partner: @PEER@}\n"
    "    to: {identity: us}\n"
    "    require: {signed: true, encrypted: true}\n"
    "    acknowledge: processed\n"
    "    tracking:\n"
    "      - {field: File, value: \"{{oftp2.sfiddsn}}\"}\n"
    "steps:\n"
    "  - write: {directory: @DIR@/in, name: \"{{document.id}}-{{document.name}}\"}\n"
    "---\n"
    "process: messages-from-@PEER@        # AS2\n"
    "start:\n"
    "  listen: as2-server\n"
    "  operation:\n"
    "    from: {partner: @PEER@}\n"
    "    to: {identity: us}\n"
    "    require: {signed: true, encrypted: true}\n"
    "    acknowledge: processed\n"
    "    tracking:\n"
    "      - {field: File, value: \"{{as2.file_name}}\"}\n"
    "steps:\n"
    "  - write: {directory: @DIR@/in, name: \"{{document.id}}-{{document.name}}\"}\n";

static const struct side {
    const char *name, *code, *oftp2, *as2, *admin;
} sides[] = { { "plant-7", "PLANT7", "3305", "8080", "8090" },
              { "acme", "ACME", "13305", "18080", "18090" } };

static bool make_side(struct cli *c, const char *top, size_t i, struct err *err)
{
    const struct side *s = &sides[i], *peer = &sides[1 - i];
    const struct init_place p = { .directory = cli_printf(c, "%s/%s", top, s->name),
                                  .name = s->name };
    const struct init_mark marks[] = {
        { "@NAME@", s->name },
        { "@DIR@", p.directory },
        { "@TOP@", top },
        { "@CODE@", s->code },
        { "@OFTP2@", s->oftp2 },
        { "@AS2@", s->as2 },
        { "@ADMIN@", s->admin },
        { "@PEER@", peer->name },
        { "@PEERCODE@", peer->code },
        { "@PEEROFTP2@", peer->oftp2 },
        { "@PEERAS2@", peer->as2 },
        { NULL, NULL },
    };

    return init_folder(p.directory, 0755, err) &&
           init_write(c, &p, "waybill.yaml", settings, marks, 0644, err) &&
           init_folder(cli_printf(c, "%s/in", p.directory), 0755, err) &&
           init_folder(cli_printf(c, "%s/components", p.directory), 0755, err) &&
           init_write(c, &p, "components/all.yaml", components, marks, 0640, err) &&
           init_keys(c, &p, err);
}

bool init_trial(struct cli *c, const struct init_place *p, struct err *err)
{
    const char *top = p->directory;

    for (size_t i = 0; i < COUNT_OF(sides); i++)
        if (!make_side(c, top, i, err))
            return false;
    printf(
        "%s/plant-7 and %s/acme are partners by OFTP2 and AS2.\nStart both, tell them who is "
        "who, and make a user of their consoles:\n\n",
        top, top);
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        printf("  waybill serve --config %s/%s/waybill.yaml 2> %s/%s/log &\n", top,
               sides[i].name, top, sides[i].name);
    printf("  sleep 2\n");
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        printf("  waybill --config %s/%s/waybill.yaml apply -f %s/%s/components\n"
               "  waybill --config %s/%s/waybill.yaml users add me --role admin\n",
               top, sides[i].name, top, sides[i].name, top, sides[i].name);
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        printf("\nThe console of %s: http://127.0.0.1:%s/", sides[i].name, sides[i].admin);
    printf("\n");
    return true;
}
