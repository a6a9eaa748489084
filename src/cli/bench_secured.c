/* `waybill bench oftp2 --secured`: what one small file costs that is signed, encrypted and answered
 * by a signed EERP, as CPU time of both gateways. The floor is RSA: the receiver decrypts and signs
 * its receipt, two private operations; the sender signs, one. Their cost is measured in the same run,
 * alone before it and beside the load. */
#include "cli/bench.h"

#include "gateway/gateway.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SENDER   "O0013000001BENCHA"
#define RECEIVER "O0013000002BENCHB"

enum { WARM = 50 };

/* One side, as this process sees it. */
struct side {
    pid_t pid;
    int ask, answer; /* a byte in, an answer out */
    struct rusage end;
};

struct numbers {
    double seconds, sender_ms, receiver_ms; /* CPU a file */
    double rsa_ms, alone_ms; /* a private operation beside the load, and on its own */
    double peak_mb;
};

static double cpu_of(const struct rusage *ru)
{
    return (double)(ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) * 1e3 +
           (double)(ru->ru_utime.tv_usec + ru->ru_stime.tv_usec) / 1e3;
}

static EVP_PKEY *key_of(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

    BIO_free(b);
    return key;
}

/* ---- the sides --------------------------------------------------------------------------- */

static bool say(int fd, const void *p, size_t n)
{
    return write(fd, p, n) == (ssize_t)n;
}

static bool hear(int fd, void *p, size_t n)
{
    return read(fd, p, n) == (ssize_t)n;
}

static bool set_up(struct gateway *g, const char *dir, const char *parties, struct err *err)
{
    char yaml[4000];

    (void)snprintf(yaml, sizeof(yaml),
                   "certificate: sender\nfile: %s/sender.pem\nkey_file: %s/sender.key\n---\n"
                   "certificate: receiver\nfile: %s/receiver.pem\nkey_file: %s/receiver.key\n"
                   "---\n%s",
                   dir, dir, dir, dir, parties);
    return bench_apply(g, yaml, err);
}

static bool say_cpu(int fd)
{
    struct rusage ru;

    return getrusage(RUSAGE_SELF, &ru) == 0 && say(fd, &ru, sizeof(ru));
}

static bool receiver(const char *dir, int ask, int answer, struct err *err)
{
    struct gateway *g = bench_gateway(dir, "receiver-data", true, false, err);
    struct gateway_endpoint *ep;
    struct arena a = { 0 };
    char byte;
    size_t n;
    bool ok = g != NULL &&
              set_up(g, dir,
                     "process: bench\nstart:\n  listen: oftp2-server\n  operation:\n"
                     "    from: {odette_id: " SENDER
                     ", password: PWA, signature_verification_certificate: sender}\n"
                     "    to: {odette_id: " RECEIVER
                     ", password: PWB, decryption_certificate: receiver, "
                     "acknowledgment_signing_certificate: receiver}\n"
                     "    require: {signed: true, encrypted: true, signed_receipt: true}\n"
                     "steps: []\n",
                     err);

    if (ok) {
        gateway_endpoints(g, &a, &ep, &n);
        ok = n == 1 && say(answer, &ep[0].port, sizeof(ep[0].port));
        while (ok && hear(ask, &byte, 1) && byte == 'c')
            ok = say_cpu(answer);
    }
    gateway_stop(g);
    arena_free(&a);
    return ok;
}

static bool send_one(struct gateway *g, struct span octets, struct err *err)
{
    struct gateway_send w = { .partner = "receiver", .name = "BENCH", .listener = "bench" };
    struct gateway_outgoing *o = NULL;
    int64_t id;
    bool ok = gateway_send_begin(g, &w, &o, err) && gateway_send_octets(o, octets, err) &&
              gateway_send_commit(o, &id, err);

    gateway_send_free(o);
    return ok;
}

/* Waits until so many have been acknowledged. */
static bool wait_all(struct gateway *g, uint64_t count, struct err *err)
{
    uint64_t states[16];

    for (;;) {
        if (!store_count_states(gateway_store(g), states, err))
            return false;
        if (states[DOC_FAILED] + states[DOC_REJECTED] > 0)
            return FAIL(err, FAIL_LOCAL, 0, "a file was refused");
        if (states[DOC_ACKNOWLEDGED] >= count)
            return true;
        (void)usleep(10000);
    }
}

static bool send_batch(struct gateway *g, struct span octets, int count, uint64_t *total,
                       struct err *err)
{
    bool ok = true;

    for (int i = 0; ok && i < count; i++)
        ok = send_one(g, octets, err);
    *total += (uint64_t)count;
    return ok && wait_all(g, *total, err);
}

static bool sender(const char *dir, const struct bench_options *o, uint16_t port, int ask,
                   int answer, struct err *err)
{
    struct gateway *g = bench_gateway(dir, "sender-data", false, false, err);
    uint8_t *octets = malloc((size_t)o->size);
    char parties[1000], byte;
    uint64_t total = 0;
    double begin = 0;
    bool ok = g != NULL && octets != NULL;

    (void)snprintf(parties, sizeof(parties),
                   "identity: sender\noftp2: {odette_id: " SENDER
                   ", password: PWA, signing_certificate: sender}\n---\n"
                   "partner: receiver\noftp2: {odette_id: " RECEIVER
                   ", password: PWB, host: 127.0.0.1, port: %u, identity: sender, "
                   "encryption_certificate: receiver, "
                   "acknowledgment_verification_certificate: receiver, "
                   "send: {signed: true, encrypted: true, signed_receipt: true}}\n",
                   port);
    ok = ok && set_up(g, dir, parties, err);
    for (size_t i = 0; ok && i < o->size; i++)
        octets[i] = (uint8_t)("LIN+1++4711:IN'"[i % 15]);
    ok = ok && send_batch(g, span_of(octets, (size_t)o->size), WARM, &total, err) &&
         say_cpu(answer) && hear(ask, &byte, 1);
    begin = bench_seconds();
    ok = ok && send_batch(g, span_of(octets, (size_t)o->size), o->count, &total, err);
    begin = bench_seconds() - begin;
    ok = ok && say_cpu(answer) && say(answer, &begin, sizeof(begin)) && hear(ask, &byte, 1);
    gateway_stop(g);
    free(octets);
    return ok;
}

/* ---- the run ----------------------------------------------------------------------------- */

static bool start(struct side *s, const char *dir, const struct bench_options *o, uint16_t port,
                  int other)
{
    int down[2], up[2];
    struct err err = { 0 };
    bool ok;

    if (pipe(down) != 0 || pipe(up) != 0)
        return false;
    s->pid = bench_child();
    if (s->pid == 0) {
        (void)close(down[1]);
        (void)close(up[0]);
        if (other >= 0)
            (void)close(other);
        ok = port == 0 ? receiver(dir, down[0], up[1], &err)
                       : sender(dir, o, port, down[0], up[1], &err);
        if (!ok)
            bench_complain(&err);
        _exit(ok ? 0 : 1);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    s->ask = down[1];
    s->answer = up[0];
    return s->pid > 0;
}

static bool end(struct side *s)
{
    bool ok;

    if (s->pid <= 0)
        return false;
    (void)close(s->ask);
    ok = bench_end_child(s->pid, &s->end);
    (void)close(s->answer);
    return ok;
}

static bool cpu_between(const struct bench_options *o, struct side *rx, struct side *tx,
                        struct numbers *r)
{
    struct rusage rx_from, rx_to, tx_from, tx_to;

    if (!hear(tx->answer, &tx_from, sizeof(tx_from)) || !say(rx->ask, "c", 1) ||
        !hear(rx->answer, &rx_from, sizeof(rx_from)) || !say(tx->ask, "g", 1) ||
        !hear(tx->answer, &tx_to, sizeof(tx_to)) ||
        !hear(tx->answer, &r->seconds, sizeof(r->seconds)) || !say(rx->ask, "c", 1) ||
        !hear(rx->answer, &rx_to, sizeof(rx_to)) || !say(tx->ask, "e", 1))
        return false;
    r->receiver_ms = (cpu_of(&rx_to) - cpu_of(&rx_from)) / o->count;
    r->sender_ms = (cpu_of(&tx_to) - cpu_of(&tx_from)) / o->count;
    return true;
}

static bool measure(const char *base, const struct bench_options *o, struct numbers *r)
{
    struct side rx = { 0 }, tx = { 0 };
    char dir[300], *cert[2] = { NULL, NULL }, *key[2] = { NULL, NULL };
    struct err err = { 0 };
    uint16_t port = 0;
    struct bench_rsa *rsa;
    EVP_PKEY *pkey;
    bool ok;

    (void)snprintf(dir, sizeof(dir), "%s/waybill-bench-XXXXXX", base);
    if (mkdtemp(dir) == NULL)
        return false;
    ok = bench_certificate(&cert[0], &key[0], &err) &&
         bench_certificate(&cert[1], &key[1], &err) &&
         bench_write_file(dir, "sender.pem", cert[0], &err) &&
         bench_write_file(dir, "sender.key", key[0], &err) &&
         bench_write_file(dir, "receiver.pem", cert[1], &err) &&
         bench_write_file(dir, "receiver.key", key[1], &err);
    if (!ok)
        bench_complain(&err);
    pkey = ok ? key_of(key[1]) : NULL;
    ok = ok && pkey != NULL && start(&rx, dir, o, 0, -1) &&
         hear(rx.answer, &port, sizeof(port)) && start(&tx, dir, o, port, rx.ask);
    /* after the forks: threads do not come along */
    r->alone_ms = ok ? bench_rsa_alone(pkey) : 0;
    rsa = ok ? bench_rsa_begin(pkey) : NULL;
    ok = ok && cpu_between(o, &rx, &tx, r);
    r->rsa_ms = bench_rsa_end(rsa);
    ok = end(&tx) && ok;
    ok = end(&rx) && ok;
    EVP_PKEY_free(pkey);
    r->peak_mb = (double)rx.end.ru_maxrss / 1024;
    for (int i = 0; i < 2; i++) {
        free(cert[i]);
        free(key[i]);
    }
    bench_remove(dir, "");
    return ok;
}

static void print(const struct bench_options *o, const char *where, const struct numbers *r)
{
    double floor = 2 * r->rsa_ms, per_s = o->count / r->seconds;

    if (o->json)
        (void)printf(
            "{\"benchmark\": \"oftp2\", \"secured\": true, \"size\": %llu, \"count\": %d, "
            "\"directory\": \"%s\", \"messages_per_s\": %.1f, \"cpu_ms_per_message\": %.3f, "
            "\"limit\": %.3f, \"limit_unit\": \"ms of two RSA-2048 private operations beside the "
            "load\", \"limit_alone\": %.3f, \"ratio\": %.3f, \"sender_cpu_ms_per_message\": %.3f, \"peak_rss_mb\": %.1f}\n",
            (unsigned long long)o->size, o->count, where, per_s, r->receiver_ms, floor,
            2 * r->alone_ms, r->receiver_ms / floor, r->sender_ms, r->peak_mb);
    else
        (void)printf(
            "oftp2 signed, encrypted, signed receipt, %.1f KB, %d files in %s: %.0f files/s; the "
            "receiver needs %.2f ms of CPU a file, %.2f of two RSA private operations beside it "
            "(%.2f ms; alone %.2f); the sender %.2f ms; peak memory %.1f MB\n",
            (double)o->size / 1e3, o->count, where, per_s, r->receiver_ms,
            r->receiver_ms / floor, floor, 2 * r->alone_ms, r->sender_ms, r->peak_mb);
    (void)fflush(stdout);
}

int bench_secured(const struct bench_options *o)
{
    const char *disk = getenv("TMPDIR");
    const char *where = o->directory != NULL ? o->directory : disk != NULL ? disk : "/var/tmp";
    struct numbers best = { 0 };

    for (int i = 0; i < o->runs; i++) {
        struct numbers r = { 0 };

        if (!measure(where, o, &r)) {
            (void)fprintf(stderr, "waybill bench: the run in '%s' failed\n", where);
            return 1;
        }
        if (i == 0 || r.receiver_ms / r.rsa_ms < best.receiver_ms / best.rsa_ms)
            best = r;
    }
    print(o, where, &best);
    return 0;
}
