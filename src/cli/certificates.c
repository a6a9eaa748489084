/* certificates: new keys with a certificate or a request, and a look into certificate files. These
 * speak to no runtime: keys are made where they are kept. The rest is certificate_store.c. */
#include "cli/cli.h"
#include "pki/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAYS = 1095, BITS = 3072 };

static const unsigned all_uses = PKI_SIGN | PKI_ENCRYPT | PKI_SERVER | PKI_CLIENT;

/* ---- generate, request ------------------------------------------------------------------ */

/* A new file, never one over another: what it held might be the only copy of a key. */
static bool write_new(const char *path, const char *text, mode_t mode, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    size_t n = strlen(text), done = 0;
    bool ok = fd >= 0;
    int why;

    while (ok && done < n) {
        ssize_t put = write(fd, text + done, n - done);

        if (put > 0)
            done += (size_t)put;
        else
            ok = put < 0 && errno == EINTR;
    }
    why = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        why = errno;
        ok = false;
    }
    if (!ok && fd >= 0)
        (void)unlink(path);
    return ok || FAIL(err, FAIL_LOCAL, 0, "%s: %s%s", path, strerror(why),
                      why == EEXIST ? "; choose another name, or move it away" : "");
}

/* As it stands in YAML and in JSON. */
static const char *quoted(struct cli *c, const char *text)
{
    json_t *value = json_string(text);
    char *q = json_dumps(value, JSON_ENCODE_ANY);
    const char *copy = cli_printf(c, "%s", q == NULL ? "\"\"" : q);

    free(q);
    json_decref(value);
    return copy;
}

/* A whole number of at least 1; dflt when the option is not given, 0 when it is wrong. */
static unsigned number(const struct cli *c, const char *option, unsigned dflt)
{
    const char *text = cli_option_value(c, option);
    unsigned long v;
    char *end;

    if (text == NULL)
        return dflt;
    v = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && v <= 1000000 ? (unsigned)v : 0;
}

struct order {
    const char *name, *cn;
    const char *directory; /* absolute */
    unsigned days, bits;
    bool request;
};

static bool take_order(struct cli *c, struct order *o, struct err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *out = cli_option_value(c, "out");
    char *directory;

    o->name = c->args[1];
    o->cn = cli_option_value(c, "cn");
    o->days = number(c, "days", DAYS);
    o->bits = number(c, "bits", BITS);
    if (o->name[strspn(o->name, letters)] != '\0' || strchr("-_.", *o->name) != NULL ||
        strlen(o->name) > 64)
        return FAIL(err, FAIL_LOCAL, 0,
                    "NAME must be 1 to 64 of a-z 0-9 - _ . and begin with a letter or digit");
    if (o->cn == NULL)
        return FAIL(err, FAIL_LOCAL, 0,
                    "--cn is missing: the name to stand in the certificate");
    if (o->days == 0 || o->bits == 0)
        return FAIL(err, FAIL_LOCAL, 0, "--days and --bits are whole numbers");
    directory = realpath(out == NULL ? "." : out, NULL);
    if (directory == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "%s: %s", out == NULL ? "." : out, strerror(errno));
    o->directory = cli_printf(c, "%s", directory);
    free(directory);
    return true;
}

static void show_made(struct cli *c, const struct order *o, const char *public_path,
                      const char *cert_path, const char *key_path)
{
    json_t *answer;

    if (c->json) {
        answer = json_pack("{s:s, s:s, s:s, s:s}", "certificate", o->name, "file", cert_path,
                           "key_file", key_path, "made", public_path);
        cli_print_json(answer);
        json_decref(answer);
        return;
    }
    if (o->request) {
        fputs("# Have ", stdout);
        cli_put_safe(stdout, public_path);
        puts(" signed by the authority, put its answer and\n# the authority's own certificates "
             "into the file below, then apply:");
    }
    printf("certificate: %s\nfile: %s\nkey_file: %s\n", o->name, quoted(c, cert_path),
           quoted(c, key_path));
}

/* The key first: a certificate without key is worth nothing, and the other way round it can be
 * made again. */
static bool make(struct cli *c, const struct order *o, struct err *err)
{
    const char *cert_path = cli_printf(c, "%s/%s.pem", o->directory, o->name);
    const char *key_path = cli_printf(c, "%s/%s.key", o->directory, o->name);
    const char *public_path =
        o->request ? cli_printf(c, "%s/%s.csr", o->directory, o->name) : cert_path;
    char *public_pem = NULL, *key_pem = NULL;
    bool ok;

    ok = o->request ? pki_request(o->cn, o->bits, all_uses, &public_pem, &key_pem, err)
                    : pki_generate(o->cn, o->bits, (int)o->days, time(NULL), all_uses,
                                   &public_pem, &key_pem, err);
    if (ok && (ok = write_new(key_path, key_pem, 0600, err)) &&
        !(ok = write_new(public_path, public_pem, 0644, err)))
        (void)unlink(key_path);
    if (ok)
        show_made(c, o, public_path, cert_path, key_path);
    if (key_pem != NULL)
        OPENSSL_cleanse(key_pem, strlen(key_pem));
    free(key_pem);
    free(public_pem);
    return ok;
}

/* ---- show ------------------------------------------------------------------------------- */

static const char *day(struct cli *c, int64_t s)
{
    time_t t = (time_t)s;
    char text[40] = "?";
    struct tm tm;

    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm);
    return cli_printf(c, "%s", text);
}

static const char *uses(struct cli *c, const X509 *cert)
{
    static const struct {
        enum pki_use use;
        const char *name;
    } all[] = {
        { PKI_SIGN, "sign" },
        { PKI_ENCRYPT, "encrypt" },
        { PKI_SERVER, "tls-server" },
        { PKI_CLIENT, "tls-client" },
    };
    const char *text = "";

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (pki_usage_allows(cert, all[i].use))
            text = cli_printf(c, "%s%s%s", text, *text == '\0' ? "" : ", ", all[i].name);
    return *text == '\0' ? "none of ours" : text;
}

static json_t *described(struct cli *c, const X509 *cert, int64_t now_s)
{
    char subject[512], fingerprint[65];
    int64_t from = 0, to = 0;
    json_t *o;

    pki_subject(cert, subject, sizeof(subject));
    pki_fingerprint(cert, fingerprint);
    (void)pki_validity(cert, &from, &to);
    o = json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:s}", "subject", subject, "valid_from",
                  day(c, from), "valid_to", day(c, to), "days_left", pki_days_left(cert, now_s),
                  "valid", (int)pki_valid_at(cert, now_s), "usage", uses(c, cert), "sha256",
                  fingerprint);
    /* a subject that is no UTF-8 */
    return o != NULL ? o : json_pack("{s:s, s:s}", "subject", "?", "sha256", fingerprint);
}

static void show_text(struct cli *c, const json_t *list)
{
    static const char *const keys[] = { "subject",   "valid_from", "valid_to",
                                        "days_left", "usage",      "sha256" };
    const json_t *o;
    size_t i;

    json_array_foreach(list, i, o)
    {
        if (i > 0)
            putchar('\n');
        for (size_t k = 0; k < COUNT_OF(keys); k++) {
            const json_t *v = json_object_get(o, keys[k]);

            printf("%-10s  ", keys[k]);
            cli_put_safe(stdout, json_is_integer(v) ? cli_j_number(c, o, keys[k])
                                                    : cli_j_text(o, keys[k]));
            putchar('\n');
        }
        if (!cli_j_bool(o, "valid"))
            puts(cli_j_int(o, "days_left") < 0 ? "EXPIRED" : "NOT YET VALID");
    }
}

static int show(struct cli *c)
{
    struct pki_certificate *cert;
    struct span none = { NULL, 0 }, text;
    const char *password = NULL;
    struct err err = { 0 };
    int64_t now_s = time(NULL);
    json_t *list;

    if (!cli_password(c, &password, &err) || !cli_read(c, c->args[1], &text, &err))
        return cli_refused("%s", err.text);
    if (!pki_any_read(text, none, password, &cert, &err))
        return cli_refused("%s: %s", c->args[1], err.text);
    list = json_pack("[o]", described(c, cert->leaf, now_s));
    for (int i = 0; i < sk_X509_num(cert->chain); i++)
        (void)json_array_append_new(list, described(c, sk_X509_value(cert->chain, i), now_s));
    if (c->json)
        cli_print_json(list);
    else
        show_text(c, list);
    json_decref(list);
    pki_certificate_free(cert);
    return CLI_DONE;
}

static int generate(struct cli *c)
{
    struct order o = { .request = strcmp(c->args[0], "request") == 0 };
    struct err err = { 0 };

    if (!take_order(c, &o, &err))
        return cli_misused(c, "%s", err.text);
    return make(c, &o, &err) ? CLI_DONE : cli_refused("%s", err.text);
}

static const struct {
    const char *name;
    size_t args; /* with the name */
    int (*run)(struct cli *c);
} does[] = {
    { "list", 1, certificates_list },     { "import", 3, certificates_import },
    { "export", 2, certificates_export }, { "generate", 2, generate },
    { "request", 2, generate },           { "show", 2, show },
};

static int run(struct cli *c)
{
    for (size_t i = 0; i < COUNT_OF(does); i++) {
        if (strcmp(c->args[0], does[i].name) != 0)
            continue;
        if (c->args_n != does[i].args)
            return cli_misused(c, "certificates %s takes %s", does[i].name,
                               does[i].args == 1   ? "no name"
                               : does[i].args == 2 ? "one name"
                                                   : "a name and a file");
        return does[i].run(c);
    }
    return cli_misused(c,
                       "certificates can list, import, export, generate, request and show, not "
                       "'%s'",
                       c->args[0]);
}
static const struct cli_option options[] = {
    { 0, "cn", "NAME", "common name: who the certificate is of; a host's name for TLS" },
    { 0, "days", "N", "days until a generated certificate ends (1095)" },
    { 0, "bits", "N", "bits of the RSA key, 2048 to 8192 (3072)" },
    { 0, "out", "PATH",
      "where to put the files (the current directory); of export: the file (standard output)" },
    { 0, "key", "FILE",
      "import: the private key, PEM or DER, when it is in a file of its own" },
    { 0, "next", NULL,
      "import: beside the certificates the component has, not in their place" },
    { 0, "password-file", "FILE", "its first line is the password of the key, or for the key" },
    { 0, "password-stdin", NULL, "the same from standard input" },
    { 0, "number", "N", "export: which one of the list (the one that signs today)" },
    { 0, "chain", NULL, "export: the issuers, too" },
    { 0, "with-key", NULL, "export: the private key, too, encrypted with the password" },
    { 0, "pkcs12", NULL, "export: all in one PKCS#12 file, encrypted with the password" },
};

const struct cli_command cmd_certificates = {
    .name = "certificates",
    .help = "list, import and export certificates; make keys and requests; look into files",
    .usage = "list | import NAME FILE [--key FILE] [--next] [--password-file F] | "
             "export NAME [--number N] [--chain] [--with-key|--pkcs12 --password-file F] "
             "[--out FILE] | generate NAME --cn X [--days N] [--bits N] [--out DIR] | "
             "request NAME --cn X [--bits N] [--out DIR] | show FILE [--password-file F]",
    .more =
        "`list` shows what is deployed: whose, until when, in which state, with or without "
        "key, and who uses it.\n`import` makes the component NAME, or renews it, from PEM, "
        "DER, PKCS#7 or PKCS#12; its private key goes into the\nstore, encrypted under the store key "
        "(`runtime.key_file`). With `--next` the new one stands beside the old:\nboth are "
        "accepted, the old one signs while it is valid, the newest is encrypted to. `export` "
        "writes the\ncertificate, and only when asked the private key, encrypted with the "
        "password and noted in the audit log.\n\n"
        "`generate` makes an RSA key, NAME.key, which only its owner may read, and a "
        "certificate signed by itself,\nNAME.pem, fit for signing, encryption and TLS. "
        "`request` makes the key and NAME.csr for an authority to\nsign. Both print the "
        "component to apply, and never write over a file. `show` says who each certificate "
        "of\na PEM, DER, PKCS#7 or PKCS#12 file is of, how long it is valid and what it may be used for. These "
        "three need no runtime.",
    .example =
        "waybill certificates list\n"
        "waybill certificates import our-sign our-sign.p12 --password-file p12.password\n"
        "waybill certificates import our-sign renewed.pem --key renewed.key --next\n"
        "waybill certificates export our-sign --out for-acme.pem\n"
        "waybill certificates generate our-sign --cn \"Example AG\" --out /etc/waybill "
        "> our-sign.yaml\n"
        "waybill certificates show /etc/waybill/our-sign.pem\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_min = 1,
    .args_max = 3,
    .run = run,
};
