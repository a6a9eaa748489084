/* How fast sealing and opening are, next to the sum of their single steps in the same run. */
#include "cms_tool_speed.h"

#include "base/pipe.h"
#include "cms/algorithms.h"
#include "cms/cms.h"
#include "cms/zip.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MB = 1000 * 1000, CHUNK = 65536 };

/* A source of the same octets over and over; what comes out is counted, or kept in `keep`. */
struct flow_of {
    const uint8_t *p;
    size_t n, total;
    uint8_t *keep;
    size_t kept;
};

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pump(struct stage *st, struct flow_of *flow)
{
    static uint8_t out[CHUNK];
    struct err err = { 0 };
    size_t given = 0;
    struct span in = span_of(flow->p, 0);
    enum flow f = FLOW_IN;

    while (f == FLOW_IN || f == FLOW_OUT) {
        struct room room = { flow->keep != NULL ? flow->keep + flow->kept : out, CHUNK };

        if (in.n == 0 && given < flow->total) {
            size_t at = given % flow->n, n = flow->n - at;

            n = n < CHUNK ? n : CHUNK;
            n = n < flow->total - given ? n : flow->total - given;
            in = span_of(flow->p + at, n);
            given += n;
        }
        f = stage_step(st, &in, given == flow->total, &room, &err);
        flow->kept += CHUNK - room.n;
    }
    if (f != FLOW_END) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static struct cms_signer make_signer(void)
{
    struct cms_signer s = { X509_new(), EVP_RSA_gen(2048) };

    ASN1_INTEGER_set(X509_get_serialNumber(s.cert), 1);
    X509_set_pubkey(s.cert, s.key);
    X509_sign(s.cert, s.key, EVP_sha256());
    return s;
}

static double digest_s(const uint8_t *p, size_t n, size_t total)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    double from = cpu_s();

    EVP_DigestInit_ex(c, cms_digest(NID_sha256), NULL);
    for (size_t done = 0; done < total; done += CHUNK)
        EVP_DigestUpdate(c, p + done % (n - CHUNK), CHUNK);
    EVP_MD_CTX_free(c);
    return cpu_s() - from;
}

static double cipher_s(const uint8_t *p, size_t n, size_t total, int encrypt)
{
    static uint8_t out[CHUNK + 32];
    static const uint8_t key[64];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    double from = cpu_s();
    int k;

    EVP_CipherInit_ex(c, cms_cipher(NID_aes_256_cbc), NULL, key, key, encrypt);
    for (size_t done = 0; done < total; done += CHUNK)
        EVP_CipherUpdate(c, out, &k, p + done % (n - CHUNK), CHUNK);
    EVP_CIPHER_CTX_free(c);
    return cpu_s() - from;
}

/* Deflates total octets of p[n] into z (kept) and inflates them again. */
static void zip_s(const uint8_t *p, size_t n, size_t total, uint8_t *z, size_t *z_n,
                  double *deflate_s, double *inflate_s)
{
    static uint8_t out[CHUNK];
    struct zip *zip = zip_new();
    struct unzip *unzip = unzip_new();
    double from = cpu_s();
    size_t given = 0;
    bool done = false;
    struct span in = span_of(p, 0);
    struct room room = { z, total + total / 8 + CHUNK };

    while (!done) {
        if (in.n == 0 && given < total) {
            in =
                span_of(p + given % (n - CHUNK), total - given < CHUNK ? total - given : CHUNK);
            given += in.n;
        }
        done = zip_step(zip, &in, given == total, &room);
    }
    *z_n = (size_t)(room.p - z);
    *deflate_s = cpu_s() - from;
    from = cpu_s();
    in = span_of(z, *z_n);
    do
        room = (struct room) { out, CHUNK };
    while (unzip_step(unzip, &in, &room) == UNZIP_MORE);
    *inflate_s = cpu_s() - from;
    zip_free(zip);
    unzip_free(unzip);
}

static uint8_t *make_content(size_t n, bool text)
{
    uint8_t *p = malloc(n);
    uint32_t x = 1;

    if (p == NULL)
        exit(1);
    if (!text) {
        (void)RAND_bytes(p, (int)n);
        return p;
    }
    for (size_t at = 0; at < n;) {
        char line[96];
        int k;

        x = x * 1664525 + 1013904223;
        k = snprintf(line, sizeof(line),
                     "LIN+%u++%08u:EN'PIA+5+%u:SA'QTY+113:%u:PCE'SCC+1'DTM+2:2026%02u%02u:102'",
                     x % 9973, x >> 6, x % 100003, x >> 22, x % 12 + 1, x % 28 + 1);
        if ((size_t)k > n - at)
            k = (int)(n - at);
        memcpy(p + at, line, (size_t)k);
        at += (size_t)k;
    }
    return p;
}

static void measure(const char *what, bool text, size_t total)
{
    enum { N = 8 << 20 };
    uint8_t *p = make_content(N, text), *sealed = malloc(total + total / 4 + (1 << 20));
    struct cms_signer key = make_signer();
    struct cms_sign_options so = {
        .signers = &key, .signers_n = 1, .digest = EVP_sha256(), .signed_attributes = true
    };
    struct cms_encrypt_options eo = { .recipients = &key.cert,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_cbc() };
    struct cms_open_options oo = {
        .keys = &key, .keys_n = 1, .signers = &key.cert, .signers_n = 1
    };
    struct flow_of flow = { p, N, total, sealed, 0 }, back;
    struct err err;
    struct stage *stages[] = { cms_sign_new(&so, &err), cms_compress_new(&err),
                               cms_encrypt_new(&eo, &err) };
    struct stage *st = pipe_new(stages, 3, 0);
    double from = cpu_s(), seal_s, open_s, deflate, inflate, digest, encrypt, decrypt, mb;
    size_t z_n;

    pump(st, &flow);
    seal_s = cpu_s() - from;
    stage_free(st);
    st = cms_open_new(&oo, &err);
    back = (struct flow_of) { sealed, flow.kept, flow.kept, NULL, 0 };
    from = cpu_s();
    pump(st, &back);
    open_s = cpu_s() - from;
    stage_free(st);
    zip_s(p, N, total, sealed, &z_n, &deflate, &inflate);
    digest = digest_s(p, N, total);
    encrypt = cipher_s(p, N, z_n, 1);
    decrypt = cipher_s(p, N, z_n, 0);
    mb = (double)total / MB;
    (void)printf(
        "%s: seal %.0f MB/s, open %.0f MB/s, compressed to %.0f %%; steps: digest %.0f, "
        "deflate %.0f, inflate %.0f MB/s; ratio seal %.2f open %.2f\n",
        what, mb / seal_s, mb / open_s, 100 * (double)z_n / (double)total, mb / digest,
        mb / deflate, mb / inflate, (digest + deflate + encrypt) / seal_s,
        (digest + inflate + decrypt) / open_s);
    free(p);
    free(sealed);
    X509_free(key.cert);
    EVP_PKEY_free(key.key);
}

static double private_s(EVP_PKEY *key, unsigned n)
{
    static const uint8_t digest[32];
    uint8_t signature[256];
    double from = cpu_s();

    for (unsigned i = 0; i < n; i++) {
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
        size_t k = sizeof(signature);

        EVP_PKEY_sign_init(c);
        EVP_PKEY_sign(c, signature, &k, digest, sizeof(digest));
        EVP_PKEY_CTX_free(c);
    }
    return (cpu_s() - from) / n;
}

/* What one small document costs, next to the one RSA private operation that each way needs. */
static void measure_small(void)
{
    enum { N = 300, SIZE = 4096 };
    uint8_t *p = make_content(SIZE, true), *sealed = malloc(4 * CHUNK);
    struct cms_signer key = make_signer();
    struct cms_sign_options so = {
        .signers = &key, .signers_n = 1, .digest = EVP_sha256(), .signed_attributes = true
    };
    struct cms_encrypt_options eo = { .recipients = &key.cert,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_cbc() };
    struct cms_open_options oo = {
        .keys = &key, .keys_n = 1, .signers = &key.cert, .signers_n = 1
    };
    double from, seal_s, open_s, rsa_s = private_s(key.key, N);
    struct flow_of flow = { 0 }, back;
    struct err err;

    from = cpu_s();
    for (unsigned i = 0; i < N; i++) {
        struct stage *stages[] = { cms_sign_new(&so, &err), cms_compress_new(&err),
                                   cms_encrypt_new(&eo, &err) };
        struct stage *st = pipe_new(stages, 3, 0);

        flow = (struct flow_of) { p, SIZE, SIZE, sealed, 0 };
        pump(st, &flow);
        stage_free(st);
    }
    seal_s = (cpu_s() - from) / N;
    from = cpu_s();
    for (unsigned i = 0; i < N; i++) {
        struct stage *st = cms_open_new(&oo, &err);

        back = (struct flow_of) { sealed, flow.kept, flow.kept, NULL, 0 };
        pump(st, &back);
        stage_free(st);
    }
    open_s = (cpu_s() - from) / N;
    (void)printf(
        "4 KB: seal %.0f us, open %.0f us, RSA-2048 private %.0f us; %.2f and %.2f of it\n",
        seal_s * 1e6, open_s * 1e6, rsa_s * 1e6, seal_s / rsa_s, open_s / rsa_s);
    free(p);
    free(sealed);
    X509_free(key.cert);
    EVP_PKEY_free(key.key);
}

int cms_tool_speed(unsigned long megabytes)
{
    measure_small();
    measure("EDI text", true, megabytes * MB);
    measure("random", false, megabytes * MB);
    return 0;
}
