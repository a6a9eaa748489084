/* Seals and opens from standard input to standard output, so that other programs can be checked
 * against ours (tests/integration/test_cms_openssl.py), and measures how fast it goes.
 *
 *   cms_tool seal [--sign CERT KEY]... [--compress] [--encrypt CERT]... [options]
 *     --digest NAME --cipher NAME --pss --no-attributes --certificates --key-identifier
 *     --detached --der
 *   cms_tool open [--key CERT KEY]... [--signer CERT]... [--detached FILE] [--max N]
 *     prints a line for each layer to standard error: kind algorithm trusted
 *   cms_tool speed MEGABYTES */
#include "base/pipe.h"
#include "cms/cms.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cms_tool_speed.h"

enum { KEYS = 1100, CHUNK = 65536 };

static struct {
    struct cms_signer keys[KEYS];
    X509 *certs[KEYS];
    size_t keys_n, certs_n;
    bool compress, pss, attributes, certificates, key_identifier, detached, der;
    const char *detached_file;
    const EVP_MD *digest;
    const EVP_CIPHER *cipher;
    uint64_t max;
} args;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    exit(1);
}

static X509 *read_cert(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *cert = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

    if (cert == NULL)
        die(path);
    (void)fclose(f);
    return cert;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "r");
    EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (key == NULL)
        die(path);
    (void)fclose(f);
    return key;
}

static const char *next(char **argv, int *i)
{
    if (argv[++*i] == NULL)
        die("an argument is missing");
    return argv[*i];
}

static void parse(char **argv)
{
    args.attributes = true;
    args.digest = EVP_sha256();
    args.cipher = EVP_aes_256_cbc();
    for (int i = 2; argv[i] != NULL; i++) {
        const char *a = argv[i];

        if (strcmp(a, "--sign") == 0 || strcmp(a, "--key") == 0) {
            args.keys[args.keys_n].cert = read_cert(next(argv, &i));
            args.keys[args.keys_n++].key = read_key(next(argv, &i));
        } else if (strcmp(a, "--encrypt") == 0 || strcmp(a, "--signer") == 0) {
            args.certs[args.certs_n++] = read_cert(next(argv, &i));
        } else if (strcmp(a, "--digest") == 0) {
            args.digest = EVP_get_digestbyname(next(argv, &i));
        } else if (strcmp(a, "--cipher") == 0) {
            args.cipher = EVP_get_cipherbyname(next(argv, &i));
        } else if (strcmp(a, "--max") == 0) {
            args.max = strtoull(next(argv, &i), NULL, 10);
        } else if (strcmp(a, "--detached-signature") == 0) {
            args.detached_file = next(argv, &i);
        } else {
            args.compress |= strcmp(a, "--compress") == 0;
            args.pss |= strcmp(a, "--pss") == 0;
            args.attributes &= strcmp(a, "--no-attributes") != 0;
            args.certificates |= strcmp(a, "--certificates") == 0;
            args.key_identifier |= strcmp(a, "--key-identifier") == 0;
            args.detached |= strcmp(a, "--detached") == 0;
            args.der |= strcmp(a, "--der") == 0;
        }
    }
}

static size_t read_some(int fd, uint8_t *p, size_t n)
{
    ssize_t got = read(fd, p, n);

    if (got < 0)
        die("read");
    return (size_t)got;
}

static void write_all(const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(STDOUT_FILENO, p, n);

        if (k < 0)
            die("write");
        p += k;
        n -= (size_t)k;
    }
}

/* Standard input to standard output; 0 or 1 with a line on standard error. */
static int run(struct stage *st, struct err *err)
{
    static uint8_t in[CHUNK], out[CHUNK];
    struct span left = span_of(in, 0);
    bool last = false;
    enum flow f = FLOW_IN;

    if (st == NULL)
        die(err->text);
    while (f == FLOW_IN || f == FLOW_OUT) {
        struct room room = { out, sizeof(out) };

        if (left.n == 0 && !last) {
            left = span_of(in, read_some(STDIN_FILENO, in, sizeof(in)));
            last = left.n == 0;
        }
        f = stage_step(st, &left, last, &room, err);
        write_all(out, sizeof(out) - room.n);
    }
    if (f == FLOW_FAIL)
        (void)fprintf(stderr, "fault %d: %s\n", err->wire, err->text);
    return f == FLOW_END && left.n == 0 ? 0 : 1;
}

static struct span read_all(int fd)
{
    size_t cap = 1 << 20, n = 0, got;
    uint8_t *p = malloc(cap);

    while (p != NULL && (got = read_some(fd, p + n, cap - n)) > 0) {
        n += got;
        if (n == cap)
            p = realloc(p, cap *= 2);
    }
    if (p == NULL)
        die("out of memory");
    return span_of(p, n);
}

static int seal(void)
{
    struct cms_sign_options so = { .signers = args.keys,
                                   .signers_n = args.keys_n,
                                   .digest = args.digest,
                                   .padding = args.pss ? CMS_PSS_OAEP : CMS_PKCS1,
                                   .signed_attributes = args.attributes,
                                   .include_certificates = args.certificates,
                                   .key_identifier = args.key_identifier,
                                   .detached = args.detached,
                                   .now_s = 1800000000 };
    struct cms_encrypt_options eo = { .recipients = args.certs,
                                      .recipients_n = args.certs_n,
                                      .cipher = args.cipher,
                                      .padding = args.pss ? CMS_PSS_OAEP : CMS_PKCS1,
                                      .digest = args.digest,
                                      .key_identifier = args.key_identifier };
    struct stage *stages[3];
    struct err err = { 0 };
    size_t n = 0, made_n;
    uint8_t *made;

    if (args.der) {
        if (!(args.keys_n > 0 ? cms_sign_octets(&so, read_all(0), &made, &made_n, &err)
                              : cms_encrypt_octets(&eo, read_all(0), &made, &made_n, &err)))
            die(err.text);
        write_all(made, made_n);
        return 0;
    }
    if (args.keys_n > 0)
        stages[n++] = cms_sign_new(&so, &err);
    if (args.compress)
        stages[n++] = cms_compress_new(&err);
    if (args.certs_n > 0)
        stages[n++] = cms_encrypt_new(&eo, &err);
    return run(pipe_new(stages, n, 0), &err);
}

static int open_object(void)
{
    static const char *const kinds[] = { "data", "signed", "enveloped", "auth-enveloped",
                                         "compressed" };
    struct cms_open_options o = { .keys = args.keys,
                                  .keys_n = args.keys_n,
                                  .signers = args.certs,
                                  .signers_n = args.certs_n,
                                  .content_max = args.max };
    struct err err = { 0 };
    const struct cms_layer *layers;
    struct stage *st;
    size_t n;
    int result;

    if (args.detached_file != NULL) {
        FILE *f = fopen(args.detached_file, "r");

        if (f == NULL)
            die(args.detached_file);
        st = cms_verify_detached_new(&o, read_all(fileno(f)), &err);
    } else {
        st = cms_open_new(&o, &err);
    }
    result = run(st, &err);
    n = cms_open_layers(st, &layers);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(stderr, "%s %s %s\n", kinds[layers[i].kind],
                      layers[i].algorithm[0] != '\0' ? layers[i].algorithm : "-",
                      layers[i].trusted ? "trusted" : "-");
    stage_free(st);
    return result;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2)
        die("cms_tool seal | open | speed");
    parse(argv);
    if (strcmp(argv[1], "seal") == 0)
        status = seal();
    else if (strcmp(argv[1], "open") == 0)
        status = open_object();
    else
        status = cms_tool_speed(argc > 2 ? strtoul(argv[2], NULL, 10) : 200);
    /* It keeps what it has to its end: leaks are looked for by the unit tests of the library. */
    (void)fflush(NULL);
    _exit(status);
}
