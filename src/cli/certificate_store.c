/* certificates list, import, export: what the runtime has. Certificates go as they are, private
 * keys over the admin socket only; the runtime encrypts them. */
#include "cli/cli.h"
#include "pki/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- list ------------------------------------------------------------------------------- */

/* "partner acme, identity us": without the settings, each once. */
static const char *users_of(struct cli *c, const json_t *cert)
{
    const char *text = "", *last = "";
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(cert, "used_by"), i, v)
    {
        const char *user = json_string_value(v);
        const char *name = cli_printf(c, "%.*s", (int)strcspn(user, ":"), user);

        if (strcmp(name, last) == 0)
            continue;
        text = cli_printf(c, "%s%s%s", text, *text == '\0' ? "" : ", ", name);
        last = name;
    }
    return text;
}

static const char *day_of(struct cli *c, const json_t *cert, const char *key)
{
    return cli_printf(c, "%.10s", cli_j_text(cert, key));
}

static void show_row(struct cli *c, struct cli_table *t, const json_t *x)
{
    bool known = cli_j_text(x, "sha256")[0] != '\0';

    cli_table_row(t, (const char *const[]) {
                         cli_j_text(x, "name"), cli_j_number(c, x, "number"),
                         cli_j_text(x, "subject"), day_of(c, x, "valid_from"),
                         day_of(c, x, "valid_to"), known ? cli_j_number(c, x, "days_left") : "",
                         cli_j_text(x, "state"), cli_j_bool(x, "has_key") ? "yes" : "no",
                         cli_j_text(x, "where"), users_of(c, x) });
}

static void show_notes(const json_t *x)
{
    if (cli_j_text(x, "problem")[0] != '\0') {
        printf("%s %lld: ", cli_j_text(x, "name"), (long long)cli_j_int(x, "number"));
        cli_put_safe(stdout, cli_j_text(x, "problem"));
        putchar('\n');
    }
    if (cli_j_bool(x, "crl_overdue") && cli_j_int(x, "number") == 1)
        printf("%s: its revocation list is overdue since %.10s: get the current one\n",
               cli_j_text(x, "name"), cli_j_text(x, "crl_next_update"));
}

static void show_list(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "NAME",  ">NO", "SUBJECT", "FROM",    "TO", ">DAYS",
                                         "STATE", "KEY", "WHERE",   "USED BY", NULL };
    const json_t *all = json_object_get(answer, "certificates"), *x;
    struct cli_table t;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(all, i, x) show_row(c, &t, x);
    cli_table_end(&t, stdout, 0);
    json_array_foreach(all, i, x) show_notes(x);
}

int certificates_list(struct cli *c)
{
    return cli_call_show(c, "GET", "/api/v1/certificates", show_list);
}

/* ---- passwords and files ---------------------------------------------------------------- */

bool cli_password(struct cli *c, const char **out, struct err *err)
{
    const char *name = cli_option_value(c, "password-file");
    struct span text;

    *out = NULL;
    if (name != NULL && cli_flag(c, "password-stdin"))
        return FAIL(err, FAIL_LOCAL, 0, "--password-file and --password-stdin: give one");
    if (cli_flag(c, "password-stdin"))
        name = "-";
    if (name == NULL)
        return true;
    if (!cli_read(c, name, &text, err))
        return false;
    *out = cli_printf(c, "%.*s", (int)text.n, (const char *)text.p);
    ((char *)(uintptr_t)*out)[strcspn(*out, "\r\n")] = '\0';
    return **out != '\0' || FAIL(err, FAIL_LOCAL, 0, "the password is empty");
}

/* PEM goes as it is, all else as base64. */
static bool put_file(struct cli *c, json_t *body, const char *key, const char *name,
                     struct err *err)
{
    struct span text;
    char *code;

    if (name == NULL)
        return true;
    if (!cli_read(c, name, &text, err))
        return false;
    if (text.n == 0 || text.n > PKI_PEM_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "%s: %s", name,
                    text.n == 0 ? "the file is empty" : "it is too large for a certificate");
    if (memmem(text.p, text.n, "-----BEGIN ", 11) != NULL &&
        memchr(text.p, '\0', text.n) == NULL) {
        json_object_set_new(body, key, json_stringn_nocheck((const char *)text.p, text.n));
        return json_object_get(body, key) != NULL;
    }
    code = cli_have(malloc(4 * ((text.n + 2) / 3) + 1));
    (void)EVP_EncodeBlock((uint8_t *)code, text.p, (int)text.n);
    json_object_set_new(body, key, json_string(code));
    OPENSSL_cleanse(code, strlen(code));
    free(code);
    return true;
}

/* body is taken, and wiped. */
int cli_call_json(struct cli *c, const char *path, json_t *body, json_t **answer)
{
    char *text = cli_have(json_dumps(body, JSON_COMPACT));
    struct span octets = span_text(text);
    int status = cli_call(c, "POST", path, &octets, answer);

    OPENSSL_cleanse(text, octets.n);
    free(text);
    json_decref(body);
    return status;
}

/* ---- import ----------------------------------------------------------------------------- */

static void show_imported(struct cli *c, const json_t *a)
{
    printf("certificate %s version %lld: ", cli_j_text(a, "name"),
           (long long)cli_j_int(a, "version"));
    cli_put_safe(stdout, cli_j_text(a, "subject"));
    printf(", %s, ends in %s days\n",
           cli_j_bool(a, "has_key") ? "its private key is sealed in the store"
                                    : "without private key",
           cli_j_number(c, a, "days_left"));
    if (cli_j_text(a, "problem")[0] == '\0')
        return;
    fputs("not used: ", stdout);
    cli_put_safe(stdout, cli_j_text(a, "problem"));
    putchar('\n');
}

int certificates_import(struct cli *c)
{
    const char *path =
        cli_printf(c, "/api/v1/certificates/%s/import", cli_escape(c, c->args[1]));
    json_t *body = cli_have(json_object()), *answer;
    const char *password;
    struct err err = { 0 };
    int status;

    if (!cli_password(c, &password, &err) ||
        !put_file(c, body, "certificate", c->args[2], &err) ||
        !put_file(c, body, "key", cli_option_value(c, "key"), &err)) {
        json_decref(body);
        return cli_refused("%s", err.text);
    }
    if (password != NULL)
        json_object_set_new(body, "password", json_string(password));
    status = cli_call_json(c, cli_query(c, path, "next", cli_flag(c, "next") ? "1" : NULL),
                           body, &answer);
    if (status != CLI_DONE)
        return status;
    if (c->json)
        cli_print_json(answer);
    else
        show_imported(c, answer);
    json_decref(answer);
    return CLI_DONE;
}

/* ---- export ----------------------------------------------------------------------------- */

/* A new file for its owner only, never one over another; NULL: standard output. */
static bool write_out(const char *path, struct span octets, struct err *err)
{
    int fd = path == NULL ? STDOUT_FILENO
                          : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    size_t done = 0;

    while (ok && done < octets.n) {
        ssize_t put = write(fd, octets.p + done, octets.n - done);

        if (put > 0)
            done += (size_t)put;
        else
            ok = put < 0 && errno == EINTR;
    }
    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "%s: %s", path == NULL ? "standard output" : path,
             strerror(errno));
    if (path != NULL && fd >= 0 && close(fd) != 0 && ok)
        ok = FAIL(err, FAIL_LOCAL, 0, "%s: %s", path, strerror(errno));
    return ok;
}

static bool write_answer(struct cli *c, const json_t *a, struct err *err)
{
    const char *path = cli_option_value(c, "out"), *code = cli_j_text(a, "pkcs12");
    size_t n = strlen(code), pad = 0;
    uint8_t *der;
    int got;

    if (*code == '\0')
        return write_out(path,
                         span_text(cli_printf(c, "%s%s", cli_j_text(a, "certificate"),
                                              cli_j_text(a, "key"))),
                         err);
    der = cli_have(arena_take(&c->arena, n + 1));
    got = EVP_DecodeBlock(der, (const uint8_t *)code, (int)n);
    while (pad < 2 && n > pad && code[n - 1 - pad] == '=')
        pad++;
    if (got < (int)pad)
        return FAIL(err, FAIL_LOCAL, 0, "the runtime's answer is no base64");
    return write_out(path, span_of(der, (size_t)got - pad), err);
}

int certificates_export(struct cli *c)
{
    const char *number = cli_option_value(c, "number"), *password;
    const char *path =
        cli_printf(c, "/api/v1/certificates/%s/export", cli_escape(c, c->args[1]));
    bool key = cli_flag(c, "with-key"), pkcs12 = cli_flag(c, "pkcs12");
    json_t *body, *answer;
    struct err err = { 0 };
    long long n = 0;
    int status;
    char *end;

    if (number != NULL && ((n = strtoll(number, &end, 10)) < 1 || n > 1000 || *end != '\0'))
        return cli_misused(c, "--number is a whole number: see `certificates list`");
    if (!cli_password(c, &password, &err))
        return cli_refused("%s", err.text);
    if ((key || pkcs12) && password == NULL)
        return cli_misused(c, "a private key is exported with a password: give --password-file "
                              "or --password-stdin");
    if (pkcs12 && !c->json && cli_option_value(c, "out") == NULL && isatty(STDOUT_FILENO))
        return cli_misused(c, "--pkcs12 makes no text: give --out FILE");
    body =
        cli_have(json_pack("{s:I, s:b, s:b, s:b}", "number", (json_int_t)n, "chain",
                           (int)cli_flag(c, "chain"), "key", (int)key, "pkcs12", (int)pkcs12));
    if (password != NULL)
        json_object_set_new(body, "password", json_string(password));
    status = cli_call_json(c, path, body, &answer);
    if (status != CLI_DONE)
        return status;
    if (c->json)
        cli_print_json(answer);
    else if (!write_answer(c, answer, &err))
        status = cli_refused("%s", err.text);
    json_decref(answer);
    return status;
}
