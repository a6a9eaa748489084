/* `waybill bench oftp2`: two gateways, each a process of its own with its own store, one file from
 * the one to the other. What is timed goes from the sender's commit to EFPA in the sender's store:
 * connecting, log-on, transfer, the receiver's sync and both commits. */
#include "cli/bench.h"

#include "gateway/gateway.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SENDER   "O0013000001BENCHA"
#define RECEIVER "O0013000002BENCHB"

struct result {
    double mb_per_s;
    double store_mb_per_s;         /* what the payload directory takes, written and synced */
    double sender_mb, receiver_mb; /* peak resident memory */
    double sender_s, receiver_s;   /* CPU seconds per GB of the best run */
};

/* What the sending process tells of one transfer. */
struct told {
    double seconds, cpu_s, store_mb_per_s;
};

/* ---- the receiving process --------------------------------------------------------------- */

static bool receiver(const char *dir, bool tls, int ready, int stop, struct err *err)
{
    struct gateway *g = bench_gateway(dir, "receiver", true, tls, err);
    struct gateway_endpoint *ep;
    struct arena a = { 0 };
    char yaml[2000], byte;
    size_t n;
    bool ok = g != NULL;

    (void)snprintf(
        yaml, sizeof(yaml),
        "%s%s%s%s%s---\nprocess: bench\nstart:\n  listen: oftp2-server\n  operation:\n"
        "    from: {odette_id: " SENDER ", password: PWA}\n"
        "    to: {odette_id: " RECEIVER ", password: PWB}\nsteps: []\n",
        tls ? "certificate: tls\nfile: " : "", tls ? dir : "",
        tls ? "/tls.pem\nkey_file: " : "", tls ? dir : "", tls ? "/tls.key\n" : "");
    ok = ok && bench_apply(g, tls ? yaml : strstr(yaml, "process:"), err);
    if (ok) {
        gateway_endpoints(g, &a, &ep, &n);
        ok = n == 1 && write(ready, &ep[0].port, sizeof(ep[0].port)) == sizeof(ep[0].port);
        (void)!read(stop, &byte, 1);
    }
    gateway_stop(g);
    arena_free(&a);
    return ok;
}

/* ---- the sending process ----------------------------------------------------------------- */

static size_t put_number(char *p, unsigned long long v, size_t least)
{
    char digits[20];
    size_t n = 0;

    for (; v > 0 || n < least; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    for (size_t i = 0; i < n; i++)
        p[i] = digits[n - 1 - i];
    return n;
}

static size_t put_text(char *p, const char *text)
{
    size_t n = strlen(text);

    memcpy(p, text, n);
    return n;
}

/* EDI-like text: segments of changing numbers, so that nothing folds it away. */
static void fill_text(uint8_t *p, size_t n, uint64_t *line)
{
    size_t at = 0;

    while (at < n) {
        char text[80];
        size_t len = put_text(text, "LIN+"), take;

        len += put_number(text + len, *line, 1);
        len += put_text(text + len, "++");
        len += put_number(text + len, *line * 7919 % 1000000007, 9);
        len += put_text(text + len, ":IN'QTY+21:");
        len += put_number(text + len, *line % 977, 1);
        len += put_text(text + len, "'\r\n");
        take = n - at < len ? n - at : len;
        memcpy(p + at, text, take);
        at += take;
        (*line)++;
    }
}

static bool queue(struct gateway *g, uint64_t size, struct gateway_outgoing **o,
                  struct err *err)
{
    struct gateway_send w = { .partner = "receiver", .name = "BENCH", .listener = "bench" };
    enum { PIECE = 1024 * 1024 };
    uint8_t *piece = malloc(PIECE);
    uint64_t left = size, line = 1;
    bool ok = piece != NULL && gateway_send_begin(g, &w, o, err);

    while (ok && left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;

        fill_text(piece, n, &line);
        ok = gateway_send_octets(*o, span_of(piece, n), err);
        left -= n;
    }
    free(piece);
    return ok;
}

static bool wait_sent(struct gateway *g, int64_t id, struct err *err)
{
    for (;;) {
        struct arena a = { 0 };
        struct document d = { 0 };
        bool found = false;
        bool ok = store_get_document(gateway_store(g), id, &a, &d, &found, err);
        enum document_state st = d.state;

        if (ok && st == DOC_FAILED)
            ok = FAIL(err, FAIL_LOCAL, 0, "the transfer failed: %s", d.reason);
        arena_free(&a);
        if (!ok || st == DOC_SENT || st == DOC_ACKNOWLEDGED)
            return ok;
        (void)usleep(2000);
    }
}

/* Writes and syncs the same amount into the directory: the other limit of a transfer. It is measured
 * right before each: memory that lies idle goes back from a virtual machine to its host, and the first
 * use of a gigabyte then takes seconds, whoever it is that uses it. */
static bool write_speed(const char *dir, uint64_t size, double *mb_per_s)
{
    enum { PIECE = 128 * 1024 };
    uint8_t *piece = calloc(1, PIECE);
    char path[400];
    uint64_t left = size;
    double begin;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/speed", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    begin = bench_seconds();
    while (piece != NULL && fd >= 0 && left > 0) {
        ssize_t n = write(fd, piece, left < PIECE ? (size_t)left : PIECE);

        if (n <= 0)
            break;
        left -= (uint64_t)n;
    }
    if (fd < 0 || fdatasync(fd) != 0)
        left = size;
    *mb_per_s = (double)(size - left) / 1e6 / (bench_seconds() - begin);
    if (fd >= 0)
        (void)close(fd);
    (void)unlink(path);
    free(piece);
    return left == 0;
}

static double cpu_of(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static double cpu_seconds(void)
{
    struct rusage u = { 0 };

    (void)getrusage(RUSAGE_SELF, &u);
    return cpu_of(&u);
}

static bool sender(const char *dir, const struct bench_options *o, uint16_t port,
                   struct told *told, struct err *err)
{
    struct gateway *g = bench_gateway(dir, "sender", false, false, err);
    struct gateway_outgoing *out = NULL;
    char yaml[2000];
    int64_t id = 0;
    double begin, cpu;
    bool ok = g != NULL;

    (void)snprintf(yaml, sizeof(yaml),
                   "%s%s%sidentity: sender\noftp2: {odette_id: " SENDER ", password: PWA}\n"
                   "---\npartner: receiver\noftp2: {odette_id: " RECEIVER ", password: PWB, "
                   "host: 127.0.0.1, port: %u, identity: sender%s}\n",
                   o->tls ? "certificate: tls\nfile: " : "", o->tls ? dir : "",
                   o->tls ? "/tls.pem\n---\n" : "", port,
                   o->tls ? ", session_level_encryption: true, server_ssl_certificate: tls, "
                            "verify_host_name: false"
                          : "");
    ok = ok && bench_apply(g, yaml, err) && queue(g, o->size, &out, err);
    ok = ok && write_speed(dir, o->size, &told->store_mb_per_s);
    cpu = cpu_seconds();
    begin = bench_seconds();
    ok = ok && gateway_send_commit(out, &id, err) && wait_sent(g, id, err);
    told->seconds = bench_seconds() - begin;
    told->cpu_s = cpu_seconds() - cpu;
    gateway_send_free(out);
    gateway_stop(g);
    return ok;
}

/* ---- the run ----------------------------------------------------------------------------- */

static bool transfer(const char *dir, const struct bench_options *o, struct result *r)
{
    int ready[2] = { -1, -1 }, stop[2] = { -1, -1 }, done[2] = { -1, -1 };
    struct err err = { 0 };
    uint16_t port = 0;
    struct told told = { 0 };
    struct rusage ru = { 0 };
    pid_t rx, tx = -1;
    bool ok;

    if (pipe(ready) != 0 || pipe(stop) != 0 || pipe(done) != 0)
        return false;
    rx = bench_child();
    if (rx == 0) {
        (void)close(ready[0]);
        (void)close(stop[1]);
        ok = receiver(dir, o->tls, ready[1], stop[0], &err);
        if (!ok)
            bench_complain(&err);
        _exit(ok ? 0 : 1);
    }
    (void)close(ready[1]);
    ok = rx > 0 && read(ready[0], &port, sizeof(port)) == sizeof(port);
    if (ok) {
        tx = bench_child();
        if (tx == 0) {
            (void)close(stop[1]);
            ok = sender(dir, o, port, &told, &err);
            if (!ok)
                bench_complain(&err);
            _exit(ok && write(done[1], &told, sizeof(told)) == sizeof(told) ? 0 : 1);
        }
    }
    (void)close(done[1]);
    ok = ok && read(done[0], &told, sizeof(told)) == sizeof(told);
    ok = bench_end_child(tx, &ru) && ok;
    r->sender_mb = (double)ru.ru_maxrss / 1024;
    (void)close(stop[1]);
    ok = bench_end_child(rx, &ru) && ok;
    r->receiver_mb = (double)ru.ru_maxrss / 1024;
    r->receiver_s = cpu_of(&ru) * 1e9 / (double)o->size;
    r->sender_s = told.cpu_s * 1e9 / (double)o->size;
    r->store_mb_per_s = told.store_mb_per_s;
    (void)close(stop[0]);
    (void)close(ready[0]);
    (void)close(done[0]);
    r->mb_per_s = told.seconds > 0 ? (double)o->size / 1e6 / told.seconds : 0;
    return ok;
}

static bool in_directory(const char *base, const struct bench_options *o, struct result *best)
{
    struct err err = { 0 };
    char dir[300], *cert = NULL, *key = NULL;
    bool ok;

    (void)snprintf(dir, sizeof(dir), "%s/waybill-bench-XXXXXX", base);
    if (mkdtemp(dir) == NULL) {
        (void)fprintf(stderr, "waybill bench: cannot make a directory in '%s': %m\n", base);
        return false;
    }
    ok = bench_certificate(&cert, &key, &err) && bench_write_file(dir, "tls.pem", cert, &err) &&
         bench_write_file(dir, "tls.key", key, &err);
    if (!ok)
        bench_complain(&err);
    *best = (struct result) { 0 };
    for (int i = 0; ok && i < o->runs; i++) {
        struct result r = { 0 };
        ok = transfer(dir, o, &r);
        if (r.mb_per_s > best->mb_per_s) {
            best->mb_per_s = r.mb_per_s;
            best->sender_s = r.sender_s;
            best->receiver_s = r.receiver_s;
        }
        if (r.store_mb_per_s > best->store_mb_per_s)
            best->store_mb_per_s = r.store_mb_per_s;
        if (r.sender_mb > best->sender_mb)
            best->sender_mb = r.sender_mb;
        if (r.receiver_mb > best->receiver_mb)
            best->receiver_mb = r.receiver_mb;
        bench_remove(dir, "sender");
        bench_remove(dir, "receiver");
    }
    free(cert);
    free(key);
    bench_remove(dir, "");
    return ok;
}

static void print(const struct bench_options *o, const char *where, const struct result *r,
                  double limit)
{
    const char *raw = o->tls ? "raw TLS" : "raw TCP";
    double peak = r->sender_mb > r->receiver_mb ? r->sender_mb : r->receiver_mb;

    if (o->json)
        (void)printf(
            "{\"benchmark\": \"oftp2\", \"size\": %llu, \"tls\": %s, \"buffer\": 99999, "
            "\"credit\": 999, \"directory\": \"%s\", \"mb_per_s\": %.1f, "
            "\"limit\": %.1f, \"limit_unit\": \"MB/s %s on loopback\", "
            "\"ratio\": %.3f, \"peak_rss_mb\": %.1f, \"sender_rss_mb\": %.1f, "
            "\"receiver_rss_mb\": %.1f, \"store_mb_per_s\": %.1f, "
            "\"sender_cpu_s_per_gb\": %.2f, \"receiver_cpu_s_per_gb\": %.2f}\n",
            (unsigned long long)o->size, o->tls ? "true" : "false", where, r->mb_per_s, limit,
            raw, r->mb_per_s / limit, peak, r->sender_mb, r->receiver_mb, r->store_mb_per_s,
            r->sender_s, r->receiver_s);
    else
        (void)printf("oftp2 %s, %.0f MB, payloads in %s: %.0f MB/s, %.2f of %s on loopback "
                     "(%.0f MB/s), the directory takes %.0f MB/s; peak memory %.1f MB sender, "
                     "%.1f MB receiver; CPU %.2f and %.2f s/GB\n",
                     o->tls ? "TLS" : "plain", (double)o->size / 1e6, where, r->mb_per_s,
                     r->mb_per_s / limit, raw, limit, r->store_mb_per_s, r->sender_mb,
                     r->receiver_mb, r->sender_s, r->receiver_s);
    (void)fflush(stdout);
}

int bench_oftp2(const struct bench_options *o)
{
    const char *disk = getenv("TMPDIR");
    const char *where[] = { o->directory != NULL ? o->directory : "/dev/shm",
                            o->directory != NULL ? NULL
                            : disk != NULL       ? disk
                                                 : "/var/tmp" };
    struct err err = { 0 };

    for (size_t i = 0; i < COUNT_OF(where) && where[i] != NULL; i++) {
        struct result r;
        double before = 0, after = 0;

        /* The limit is measured before and after: the machine may have company. */
        if (!bench_raw(o->tls, o->size, &before, &err)) {
            bench_complain(&err);
            return 1;
        }
        if (!in_directory(where[i], o, &r))
            return 1;
        if (!bench_raw(o->tls, o->size, &after, &err)) {
            bench_complain(&err);
            return 1;
        }
        print(o, where[i], &r, before > after ? before : after);
    }
    return 0;
}
