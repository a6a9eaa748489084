/* Seals and opens messages from standard input to standard output, so that other programs can be
 * checked against ours (tests/integration/test_as2_openssl.py).
 *
 *   as2_tool seal [--sign CERT KEY] [--encrypt CERT]... [--compress before|after] [options]
 *     the message as an entity: header lines, an empty line, the body. MICs on standard error
 *     --type T --file-name N --digest D --cipher C --boundary B --base64 --base64-layers
 *     --binary-signature --opaque --pss --no-attributes --no-certificates --key-identifier --legacy
 *   as2_tool open [--key CERT KEY]... [--signer CERT]... [options]
 *     the payload; what was found on standard error, "name: value" a line
 *     --also DIGEST (digest_besides) --unpack --headerless --max N --chunk N */
#include "as2/open.h"
#include "as2/seal.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 16, CHUNK = 65536 };

static struct {
    struct cms_signer keys[KEYS];
    X509 *certs[KEYS];
    size_t keys_n, certs_n;
    const char *type, *file_name, *compress, *boundary;
    const EVP_MD *digest;
    const EVP_CIPHER *cipher;
    bool base64, base64_layers, binary_signature, opaque, pss, no_attributes, no_certificates;
    bool key_identifier, legacy, unpack, headerless;
    int also;
    uint64_t max;
    size_t chunk;
} args = { .type = "application/EDIFACT", .compress = "", .boundary = "OUTER-0001" };

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

static bool flag(const char *a)
{
    const struct {
        const char *name;
        bool *value;
    } flags[] = {
        { "--base64", &args.base64 },
        { "--base64-layers", &args.base64_layers },
        { "--binary-signature", &args.binary_signature },
        { "--opaque", &args.opaque },
        { "--pss", &args.pss },
        { "--no-attributes", &args.no_attributes },
        { "--no-certificates", &args.no_certificates },
        { "--key-identifier", &args.key_identifier },
        { "--legacy", &args.legacy },
        { "--unpack", &args.unpack },
        { "--headerless", &args.headerless },
    };

    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (strcmp(a, flags[i].name) == 0)
            return *flags[i].value = true;
    return false;
}

static void option(const char *a, const char *value)
{
    if (strcmp(a, "--type") == 0)
        args.type = value;
    else if (strcmp(a, "--file-name") == 0)
        args.file_name = value;
    else if (strcmp(a, "--compress") == 0)
        args.compress = value;
    else if (strcmp(a, "--boundary") == 0)
        args.boundary = value;
    else if (strcmp(a, "--digest") == 0)
        args.digest = EVP_get_digestbyname(value);
    else if (strcmp(a, "--cipher") == 0)
        args.cipher = EVP_get_cipherbyname(value);
    else if (strcmp(a, "--also") == 0)
        args.also = as2_digest_of(span_text(value));
    else if (strcmp(a, "--max") == 0)
        args.max = strtoull(value, NULL, 10);
    else if (strcmp(a, "--chunk") == 0)
        args.chunk = strtoul(value, NULL, 10);
    else
        die(a);
}

static void parse(char **argv)
{
    args.digest = EVP_sha256();
    args.cipher = EVP_aes_256_cbc();
    args.chunk = CHUNK;
    for (int i = 2; argv[i] != NULL; i++) {
        const char *a = argv[i];

        if (strcmp(a, "--sign") == 0 || strcmp(a, "--key") == 0) {
            args.keys[args.keys_n].cert = read_cert(next(argv, &i));
            args.keys[args.keys_n++].key = read_key(next(argv, &i));
        } else if (strcmp(a, "--encrypt") == 0 || strcmp(a, "--signer") == 0) {
            args.certs[args.certs_n++] = read_cert(next(argv, &i));
        } else if (!flag(a)) {
            option(a, next(argv, &i));
        }
    }
    if (args.chunk == 0 || args.chunk > CHUNK)
        die("--chunk");
}

static size_t read_some(uint8_t *p, size_t n)
{
    ssize_t got = read(STDIN_FILENO, p, n);

    if (got < 0)
        die("read");
    return (size_t)got;
}

static void write_all(const void *octets, size_t n)
{
    const uint8_t *p = octets;

    while (n > 0) {
        ssize_t k = write(STDOUT_FILENO, p, n);

        if (k < 0)
            die("write");
        p += k;
        n -= (size_t)k;
    }
}

static void print_mic(const struct as2_mic *mic)
{
    struct arena a = { 0 };

    if (mic->n > 0)
        (void)fprintf(stderr, "mic: %s\n", as2_mic_write(mic, NULL, &a));
    arena_free(&a);
}

static void print_cost(void)
{
    struct timespec t;
    struct rusage u;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    (void)getrusage(RUSAGE_SELF, &u);
    (void)fprintf(stderr, "cpu: %.3f\nrss: %ld\n", (double)t.tv_sec + (double)t.tv_nsec / 1e9,
                  u.ru_maxrss);
}

/* ---- seal --------------------------------------------------------------------------------- */

static void pump(struct stage *st)
{
    static uint8_t in[CHUNK], out[CHUNK];
    struct span left = span_of(in, 0);
    struct err err = { 0 };
    enum flow f = FLOW_IN;
    bool last = false;

    while (f != FLOW_END) {
        struct room room = { out, sizeof(out) };

        if (left.n == 0 && !last) {
            left = span_of(in, read_some(in, args.chunk));
            last = left.n == 0;
        }
        f = stage_step(st, &left, last, &room, &err);
        if (f == FLOW_FAIL)
            die(err.text);
        write_all(out, sizeof(out) - room.n);
    }
}

static enum as2_compress compression(void)
{
    return *args.compress == '\0'                 ? AS2_COMPRESS_NO
           : strcmp(args.compress, "before") == 0 ? AS2_COMPRESS_BEFORE
                                                  : AS2_COMPRESS_AFTER;
}

static int seal(void)
{
    const struct cms_sign_options sign = { .signers = args.keys,
                                           .signers_n = args.keys_n,
                                           .digest = args.digest,
                                           .padding = args.pss ? CMS_PSS_OAEP : CMS_PKCS1,
                                           .signed_attributes = !args.no_attributes,
                                           .include_certificates = !args.no_certificates,
                                           .key_identifier = args.key_identifier,
                                           .now_s = time(NULL) };
    const struct cms_encrypt_options encrypt = { .recipients = args.certs,
                                                 .recipients_n = args.certs_n,
                                                 .cipher = args.cipher,
                                                 .padding = args.pss ? CMS_PSS_OAEP : CMS_PKCS1,
                                                 .digest = args.digest,
                                                 .key_identifier = args.key_identifier };
    const struct as2_seal_options o = { .content_type = args.type,
                                        .file_name = args.file_name,
                                        .base64 = args.base64,
                                        .base64_layers = args.base64_layers,
                                        .binary_signature = args.binary_signature,
                                        .sign = args.keys_n > 0 ? &sign : NULL,
                                        .opaque = args.opaque,
                                        .legacy_names = args.legacy,
                                        .compress = compression(),
                                        .encrypt = args.certs_n > 0 ? &encrypt : NULL,
                                        .boundary = args.boundary,
                                        .mics = { EVP_MD_get_type(args.digest) },
                                        .mics_n = 1 };
    struct as2_mic mics[AS2_MICS_MAX];
    struct err err = { 0 };
    struct stage *st = as2_seal_new(&o, &err);
    const struct mime_head *h;

    if (st == NULL)
        die(err.text);
    h = as2_seal_head(st);
    for (size_t i = 0; i < h->n; i++) {
        char line[400];

        write_all(line, (size_t)snprintf(line, sizeof(line), "%s: %s\r\n", h->fields[i].name,
                                         h->fields[i].value));
    }
    write_all("\r\n", 2);
    pump(st);
    for (size_t i = 0, n = as2_seal_mics(st, mics); i < n; i++)
        print_mic(&mics[i]);
    print_cost();
    stage_free(st);
    return 0;
}

/* ---- open --------------------------------------------------------------------------------- */

static bool on_payload(void *context, const struct as2_payload *p, struct err *err)
{
    (void)context;
    (void)err;
    (void)fprintf(stderr, "payload: %zu %s; %s\n", p->index, p->type != NULL ? p->type : "-",
                  p->file_name != NULL ? p->file_name : "-");
    return true;
}

static bool on_octets(void *context, struct span octets, struct err *err)
{
    (void)context;
    (void)err;
    write_all(octets.p, octets.n);
    return true;
}

/* Standard input begins with the header block that would be HTTP's. What was read behind it. */
static struct span read_head(struct arena *a, struct mime_head *h)
{
    static uint8_t in[CHUNK];
    struct err err = { 0 };
    size_t n = 0, got;
    uint8_t *end;

    while ((got = read_some(in + n, sizeof(in) - n)) > 0) {
        n += got;
        end = memmem(in, n, "\r\n\r\n", 4);
        if (end == NULL)
            continue;
        end += 4;
        if (!mime_head_read(span_of(in, (size_t)(end - in)), a, h, &err))
            die(err.text);
        return span_of(end, n - (size_t)(end - in));
    }
    die("no header block");
}

static bool push(struct as2_open *op, struct span first, struct err *err)
{
    static uint8_t in[CHUNK];
    struct span s = first;

    do {
        while (s.n > 0) {
            struct span part = span_of(s.p, s.n < args.chunk ? s.n : args.chunk);

            if (!as2_open_write(op, part, err))
                return false;
            span_skip(&s, part.n);
        }
        s = span_of(in, read_some(in, sizeof(in)));
    } while (s.n > 0);
    return as2_open_end(op, err);
}

static void print_found(const struct as2_opened *found)
{
    (void)fprintf(
        stderr, "encrypted: %s%s\nsigned: %s %s\ncompressed: %s\npayloads: %zu\noctets: %llu\n",
        found->encrypted ? found->cipher : "-", found->aead ? " aead" : "",
        found->is_signed ? found->digest : "-", found->trusted ? "trusted" : "-",
        found->compressed ? "zlib" : "-", found->payloads, (unsigned long long)found->octets);
    if (found->missing_digest != 0)
        (void)fprintf(stderr, "missing: %s\n", as2_digest_name(found->missing_digest, true));
    print_mic(&found->mic);
}

static int open_message(void)
{
    struct arena a = { 0 };
    struct mime_head head;
    const struct as2_open_options o = { .http = &head,
                                        .keys = args.keys,
                                        .keys_n = args.keys_n,
                                        .signers = args.certs,
                                        .signers_n = args.certs_n,
                                        .content_max = args.max,
                                        .mic_fallback = EVP_MD_get_type(args.digest),
                                        .digest_besides = args.also,
                                        .headerless = args.headerless,
                                        .unpack = args.unpack,
                                        .payload = on_payload,
                                        .octets = on_octets };
    struct span first = read_head(&a, &head);
    struct err err = { 0 };
    struct as2_open *op = as2_open_new(&o, &err);
    bool ok = op != NULL && push(op, first, &err);

    if (op != NULL)
        print_found(as2_open_result(op));
    if (!ok)
        (void)fprintf(stderr, "fault: %s\ntext: %s\n",
                      as2_fault_disposition((enum as2_fault)err.wire), err.text);
    print_cost();
    as2_open_free(op);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 2)
        die("as2_tool seal | open");
    parse(argv);
    status = strcmp(argv[1], "seal") == 0 ? seal() : open_message();
    /* It keeps what it has to its end: leaks are looked for by the unit tests. */
    (void)fflush(NULL);
    _exit(status);
}
