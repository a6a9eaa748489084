/* `waybill bench cms`: sign, compress and encrypt, and the inverse, beside the sum of the single
 * steps (digest, deflate or inflate, cipher) in the same run. */
#include "cli/bench.h"

#include "base/pipe.h"
#include "cms/cms.h"
#include "cms/zip.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RING = 1024 * 1024, PIECE = 256 * 1024 };

struct numbers {
    double seal, open; /* MB/s of plain content, by the clock ... */
    /* ... and by CPU time, as the limits: on a machine with company that is what compares */
    double seal_cpu, open_cpu, seal_limit, open_limit;
    double ratio;
    double peak_mb;
};

struct work {
    uint64_t size;
    uint8_t
        *ring; /* RING octets of plain content, repeated: farther apart than deflate looks */
    uint8_t *out;
    struct cms_signer signer;
    int fd;
    struct err err;
};

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(uint8_t *p, bool random)
{
    size_t at = 0;

    if (random && RAND_bytes(p, RING) == 1)
        return;
    for (unsigned line = 1; at < RING; line++) {
        char text[80];
        size_t n = (size_t)snprintf(text, sizeof(text), "LIN+%u++%09u:IN'QTY+21:%u'\r\n", line,
                                    line * 7919u % 1000000007u, line % 977u);

        n = n < RING - at ? n : RING - at;
        memcpy(p + at, text, n);
        at += n;
    }
}

static struct span plain(const struct work *w, uint64_t at)
{
    size_t from = (size_t)(at % RING);
    size_t n = RING - from < PIECE ? RING - from : PIECE;

    return span_of(w->ring + from, w->size - at < n ? (size_t)(w->size - at) : n);
}

/* ---- the whole --------------------------------------------------------------------------- */

static bool put(struct work *w, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = write(w->fd, w->out + at, n - at);

        if (k <= 0)
            return FAIL(&w->err, FAIL_LOCAL, 0, "write: %m");
        at += (size_t)k;
    }
    return true;
}

static bool step_all(struct work *w, struct stage *st, struct span *in, bool last, bool keep,
                     uint64_t *total, bool *ended)
{
    enum flow f = FLOW_OUT;

    while (f == FLOW_OUT) {
        struct room room = { w->out, PIECE };

        f = stage_step(st, in, last, &room, &w->err);
        if (f == FLOW_FAIL || (keep && !put(w, PIECE - room.n)))
            return false;
        *total += PIECE - room.n;
    }
    *ended = f == FLOW_END;
    return true;
}

static bool seal(struct work *w)
{
    X509 *recipient = w->signer.cert;
    struct cms_sign_options so = {
        .signers = &w->signer, .signers_n = 1, .digest = EVP_sha256(), .signed_attributes = true
    };
    struct cms_encrypt_options eo = { .recipients = &recipient,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_cbc(),
                                      .digest = EVP_sha256() };
    struct stage *stages[3] = { cms_sign_new(&so, &w->err), cms_compress_new(&w->err),
                                cms_encrypt_new(&eo, &w->err) };
    struct stage *pipe = pipe_new(stages, 3, 0);
    uint64_t at = 0, total = 0;
    bool ended = false, ok = pipe != NULL;

    while (ok && !ended) {
        struct span in = plain(w, at);

        at += in.n;
        ok = step_all(w, pipe, &in, at == w->size, true, &total, &ended);
    }
    stage_free(pipe);
    return ok;
}

static bool open_sealed(struct work *w)
{
    X509 *known = w->signer.cert;
    struct cms_open_options o = {
        .keys = &w->signer, .keys_n = 1, .signers = &known, .signers_n = 1
    };
    struct stage *st = cms_open_new(&o, &w->err);
    uint8_t *in = malloc(PIECE);
    uint64_t total = 0;
    bool ended = false, ok = st != NULL && in != NULL && lseek(w->fd, 0, SEEK_SET) == 0;

    while (ok && !ended) {
        ssize_t n = read(w->fd, in, PIECE);
        struct span s = span_of(in, n > 0 ? (size_t)n : 0);

        ok = n >= 0 && step_all(w, st, &s, n == 0, false, &total, &ended);
    }
    if (ok && total != w->size)
        ok = FAIL(&w->err, FAIL_LOCAL, 0, "%llu octets came out of %llu",
                  (unsigned long long)total, (unsigned long long)w->size);
    stage_free(st);
    free(in);
    return ok;
}

/* ---- the single steps -------------------------------------------------------------------- */

static double time_digest(const struct work *w)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    double begin = cpu_seconds();

    (void)EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    for (uint64_t at = 0; at < w->size;) {
        struct span in = plain(w, at);

        (void)EVP_DigestUpdate(c, in.p, in.n);
        at += in.n;
    }
    EVP_MD_CTX_free(c);
    return cpu_seconds() - begin;
}

/* Deflates into the file (cut before), so that inflating has something to read. */
static double time_deflate(struct work *w, uint64_t *compressed)
{
    struct zip *z = zip_new();
    double begin = cpu_seconds();
    bool done = z == NULL;

    *compressed = 0;
    for (uint64_t at = 0; !done;) {
        struct span in = plain(w, at);

        at += in.n;
        do {
            struct room room = { w->out, PIECE };

            done = zip_step(z, &in, at == w->size, &room);
            *compressed += PIECE - room.n;
            if (!put(w, PIECE - room.n))
                done = true;
        } while (!done && (in.n > 0 || at == w->size));
    }
    zip_free(z);
    return cpu_seconds() - begin;
}

static double time_inflate(struct work *w)
{
    struct unzip *u = unzip_new();
    uint8_t *in = malloc(PIECE);
    double begin = cpu_seconds();
    enum unzipped state = UNZIP_MORE;
    ssize_t n;

    (void)lseek(w->fd, 0, SEEK_SET);
    while (state == UNZIP_MORE && (n = read(w->fd, in, PIECE)) > 0) {
        struct span s = span_of(in, (size_t)n);
        struct room room;

        do {
            room = (struct room) { w->out, PIECE };
            state = unzip_step(u, &s, &room);
        } while (state == UNZIP_MORE && (s.n > 0 || room.n == 0));
    }
    unzip_free(u);
    free(in);
    return cpu_seconds() - begin;
}

static double time_cipher(const struct work *w, uint64_t octets, bool sealing)
{
    static const uint8_t key[32], iv[16];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    double begin = cpu_seconds();
    uint64_t left = octets;
    int n;

    (void)EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv, sealing ? 1 : 0);
    while (left > 0) {
        size_t k = left < PIECE - 32 ? (size_t)left : PIECE - 32;

        (void)EVP_CipherUpdate(c, w->out, &n, w->ring, (int)k);
        left -= k;
    }
    EVP_CIPHER_CTX_free(c);
    return cpu_seconds() - begin;
}

/* ---- the run ----------------------------------------------------------------------------- */

static bool keys(struct work *w)
{
    char *cert = NULL, *key = NULL;
    bool ok = bench_certificate(&cert, &key, &w->err);
    BIO *cb = ok ? BIO_new_mem_buf(cert, -1) : NULL, *kb = ok ? BIO_new_mem_buf(key, -1) : NULL;

    w->signer.cert = ok ? PEM_read_bio_X509(cb, NULL, NULL, NULL) : NULL;
    w->signer.key = ok ? PEM_read_bio_PrivateKey(kb, NULL, NULL, NULL) : NULL;
    BIO_free(cb);
    BIO_free(kb);
    free(cert);
    free(key);
    return w->signer.cert != NULL && w->signer.key != NULL;
}

static bool measure(struct work *w, struct numbers *r)
{
    double mb = (double)w->size / 1e6, begin, cpu, digest, deflate, inflate;
    uint64_t compressed = 0;
    struct rusage ru;

    begin = bench_seconds();
    cpu = cpu_seconds();
    if (!seal(w))
        return false;
    r->seal = mb / (bench_seconds() - begin);
    r->seal_cpu = mb / (cpu_seconds() - cpu);
    begin = bench_seconds();
    cpu = cpu_seconds();
    if (!open_sealed(w))
        return false;
    r->open = mb / (bench_seconds() - begin);
    r->open_cpu = mb / (cpu_seconds() - cpu);
    (void)getrusage(RUSAGE_SELF, &ru);
    r->peak_mb = (double)ru.ru_maxrss / 1024;

    if (ftruncate(w->fd, 0) != 0 || lseek(w->fd, 0, SEEK_SET) != 0)
        return FAIL(&w->err, FAIL_LOCAL, 0, "cannot cut the file: %m");
    digest = time_digest(w);
    deflate = time_deflate(w, &compressed);
    inflate = time_inflate(w);
    r->seal_limit = mb / (digest + deflate + time_cipher(w, compressed, true));
    r->open_limit = mb / (digest + inflate + time_cipher(w, compressed, false));
    r->ratio = mb * 1e6 / (double)compressed;
    return true;
}

static bool one(const char *dir, uint64_t size, bool random, struct numbers *r)
{
    struct work w = { .size = size, .ring = malloc(RING), .out = malloc(PIECE) };
    char path[300];
    bool ok;

    (void)snprintf(path, sizeof(path), "%s/waybill-bench-XXXXXX", dir);
    w.fd = mkstemp(path);
    if (w.fd >= 0)
        (void)unlink(path);
    ok = w.fd >= 0 && w.ring != NULL && w.out != NULL && keys(&w);
    if (ok) {
        fill(w.ring, random);
        ok = measure(&w, r);
    }
    if (!ok)
        (void)fprintf(stderr, "waybill bench: %s\n", w.err.text);
    return ok;
}

static void print(const struct bench_options *o, const char *content, const struct numbers *r)
{
    if (o->json)
        (void)printf(
            "{\"benchmark\": \"cms\", \"size\": %llu, \"content\": \"%s\", "
            "\"mb_per_s\": %.1f, \"cpu_mb_per_s\": %.1f, \"limit\": %.1f, "
            "\"limit_unit\": \"MB/s of CPU of digest, deflate and cipher one by one\", "
            "\"ratio\": %.3f, \"open_mb_per_s\": %.1f, \"open_cpu_mb_per_s\": %.1f, "
            "\"open_limit\": %.1f, \"open_ratio\": %.3f, \"compression\": %.2f, "
            "\"peak_rss_mb\": %.1f}\n",
            (unsigned long long)o->size, content, r->seal, r->seal_cpu, r->seal_limit,
            r->seal_cpu / r->seal_limit, r->open, r->open_cpu, r->open_limit,
            r->open_cpu / r->open_limit, r->ratio, r->peak_mb);
    else
        (void)printf(
            "cms %s, %.0f MB, sign + compress (%.1f : 1) + encrypt: seal %.0f MB/s, by CPU time "
            "%.0f MB/s, %.2f of the single steps (%.0f MB/s); open %.0f MB/s, by CPU time %.0f "
            "MB/s, %.2f of them (%.0f MB/s); peak memory %.1f MB\n",
            content, (double)o->size / 1e6, r->ratio, r->seal, r->seal_cpu,
            r->seal_cpu / r->seal_limit, r->seal_limit, r->open, r->open_cpu,
            r->open_cpu / r->open_limit, r->open_limit, r->peak_mb);
    (void)fflush(stdout);
}

int bench_cms(const struct bench_options *o)
{
    static const char *const names[] = { "EDI text", "random data" };

    for (int i = 0; i < 2; i++) {
        struct numbers r = { 0 };
        int pair[2], status = 1;
        pid_t pid;

        /* A process of its own: peak memory is of nothing else. */
        if (pipe(pair) != 0 || (pid = fork()) < 0)
            return 1;
        if (pid == 0) {
            bool ok =
                one(o->directory != NULL ? o->directory : "/dev/shm", o->size, i == 1, &r);

            _exit(ok && write(pair[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
        }
        (void)close(pair[1]);
        if (read(pair[0], &r, sizeof(r)) != sizeof(r))
            r.seal = 0;
        (void)close(pair[0]);
        if (waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
        print(o, names[i], &r);
    }
    return 0;
}
