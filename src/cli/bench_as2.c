/* `waybill bench as2`: clients with open connections post signed and encrypted messages to a gateway
 * in a process of its own and wait for the signed MDN each. The floor of a message's cost are two
 * private RSA operations, measured in the same run. design.md section 10. */
#include "cli/bench.h"

#include "as2/seal.h"
#include "gateway/gateway.h"
#include "net/log.h"
#include "net/net.h"

#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS = 8,
    BODIES = 32, /* large ones, sealed beforehand; each request has a Message-ID of its own */
    IDLE = 1000,
    DEADLINE_MS = 60000,
    FIRST_MAX = 64 * 1024, /* octets of a request's first call */
};

struct message {
    char *head; /* all fields but Message-ID, without the empty line */
    uint8_t *body;
    size_t body_n;
};

struct load {
    /* A small message is sealed for each request: one signature twice would be a replay. */
    struct message *bodies;
    unsigned bodies_n;
    uint16_t port;
    unsigned messages; /* of all clients */
    _Atomic unsigned next;
    double *latency_ms; /* one a message */
    _Atomic bool failed;
    struct err why;
};

static double cpu_seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- messages ---------------------------------------------------------------------------------- */

static bool seal(struct message *m, uint64_t size, const struct cms_signer *signer, X509 *to,
                 struct err *err)
{
    struct cms_sign_options sign = { .signers = signer,
                                     .signers_n = 1,
                                     .digest = EVP_sha256(),
                                     .signed_attributes = true,
                                     .include_certificates = true,
                                     .detached = true,
                                     .now_s = (int64_t)time(NULL) };
    struct cms_encrypt_options encrypt = { .recipients = &to,
                                           .recipients_n = 1,
                                           .cipher = EVP_aes_256_cbc(),
                                           .digest = EVP_sha256() };
    struct as2_seal_options o = { .content_type = "application/EDIFACT",
                                  .file_name = "bench.edi",
                                  .sign = &sign,
                                  .encrypt = &encrypt,
                                  .boundary = "=_bench0123456789",
                                  .mics = { NID_sha256 },
                                  .mics_n = 1 };
    struct stage *st = as2_seal_new(&o, err);
    const struct mime_head *h = st == NULL ? NULL : as2_seal_head(st);
    size_t cap = size + size / 8 + 8 * 1024, used = 0;
    uint8_t *plain = malloc(size);
    struct span in = { plain, size };
    enum flow f = FLOW_IN;
    char fields[1000] = "";

    m->body = malloc(cap);
    if (plain != NULL)
        RAND_bytes(plain, (int)size);
    if (st != NULL && plain != NULL && m->body != NULL) {
        struct room room = { m->body, cap };

        do
            f = stage_step(st, &in, true, &room, err);
        while (f == FLOW_OUT && room.n > 0);
        used = cap - room.n;
        for (size_t i = 0; i < h->n; i++)
            (void)snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields),
                           "%s: %s\r\n", h->fields[i].name, h->fields[i].value);
    }
    m->body_n = used;
    if (asprintf(&m->head,
                 "POST /as2 HTTP/1.1\r\nHost: bench\r\nAS2-Version: 1.2\r\nAS2-From: BENCHA\r\n"
                 "AS2-To: BENCHB\r\nSubject: bench\r\nMIME-Version: 1.0\r\n"
                 "Disposition-Notification-To: bench\r\nDisposition-Notification-Options: "
                 "signed-receipt-protocol=optional, pkcs7-signature; "
                 "signed-receipt-micalg=optional, sha-256\r\nContent-Length: %zu\r\n%s",
                 used, fields) < 0)
        m->head = NULL;
    stage_free(st);
    free(plain);
    return (f == FLOW_END && m->head != NULL) ||
           FAIL(err, FAIL_LOCAL, 0, "a message could not be sealed");
}

/* ---- clients ------------------------------------------------------------------------------------ */

/* Reads one answer whole; its body must say that the message was processed. */
static bool read_answer(struct conn *c, const char *want, struct err *err)
{
    char text[16 * 1024];
    size_t n = 0, got, whole = SIZE_MAX;

    while (n < whole) {
        const char *end, *length;

        if (n + 1 >= sizeof(text))
            return FAIL(err, FAIL_LOCAL, 0, "an answer is too long");
        if (!conn_read(c, (struct room) { (uint8_t *)text + n, sizeof(text) - 1 - n },
                       net_now_ms() + DEADLINE_MS, &got, err))
            return false;
        if (got == 0)
            return FAIL(err, FAIL_LOCAL, 0, "the connection was closed");
        n += got;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strstr(text, "Content-Length: ");
        if (end != NULL && whole == SIZE_MAX)
            whole = (size_t)(end + 4 - text) +
                    (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
    }
    if (strncmp(text, "HTTP/1.1 200", 12) != 0 || strstr(text, want) == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "not the answer expected: %.200s", text);
    return true;
}

/* The head, and with it so much of the body as one call takes: as libcurl sends them. */
static bool post_one(struct load *l, struct conn *c, unsigned i, struct err *err)
{
    const struct message *m = &l->bodies[i % l->bodies_n];
    char first[FIRST_MAX];
    double begin = bench_seconds();
    uint64_t until = net_now_ms() + DEADLINE_MS;
    int head =
        snprintf(first, sizeof(first), "%sMessage-ID: <bench-%u@bench>\r\n\r\n", m->head, i);
    size_t with;
    bool ok;

    if (head <= 0 || (size_t)head >= sizeof(first))
        return FAIL(err, FAIL_LOCAL, 0, "a head is too long");
    with = m->body_n < sizeof(first) - (size_t)head ? m->body_n : sizeof(first) - (size_t)head;
    memcpy(first + head, m->body, with);
    ok = conn_write(c, span_of((uint8_t *)first, (size_t)head + with), until, err) &&
         (with == m->body_n ||
          conn_write(c, span_of(m->body + with, m->body_n - with), until, err)) &&
         read_answer(c, "; processed\r\n", err);
    l->latency_ms[i] = (bench_seconds() - begin) * 1e3;
    return ok;
}

static void *client(void *context)
{
    struct load *l = context;
    struct conn *c = NULL;
    struct err err = { 0 };
    bool ok =
        conn_dial("127.0.0.1", l->port, NULL, false, net_now_ms() + DEADLINE_MS, &c, &err);

    while (ok && !atomic_load(&l->failed)) {
        unsigned i = atomic_fetch_add(&l->next, 1);

        if (i >= l->messages)
            break;
        ok = post_one(l, c, i, &err);
    }
    if (c != NULL)
        conn_close(c, 0);
    if (!ok && !atomic_exchange(&l->failed, true))
        l->why = err;
    return NULL;
}

static bool run_clients(struct load *l, double *seconds, struct err *err)
{
    pthread_t threads[CLIENTS];
    unsigned n = 0;
    double begin = bench_seconds();

    while (n < CLIENTS && pthread_create(&threads[n], NULL, client, l) == 0)
        n++;
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    *seconds = bench_seconds() - begin;
    if (atomic_load(&l->failed))
        *err = l->why;
    return n == CLIENTS && !atomic_load(&l->failed);
}

/* Connections that were used once and wait. */
static bool open_idle(uint16_t port, struct conn **list, struct err *err)
{
    static const char head[] = "HEAD /as2 HTTP/1.1\r\nHost: bench\r\n\r\n";
    uint64_t until = net_now_ms() + DEADLINE_MS;

    for (int i = 0; i < IDLE; i++)
        if (!conn_dial("127.0.0.1", port, NULL, false, until, &list[i], err) ||
            !conn_write(list[i], span_text(head), until, err) ||
            !read_answer(list[i], "Content-Length: 0", err))
            return false;
    return true;
}

/* ---- the gateway, a process of its own -------------------------------------------------------------- */

/* What the parent is told: the port, then on each octet it writes the CPU used so far and memory. */
struct told {
    uint16_t port;
    double cpu_s, rss_mb, peak_mb;
};

static double memory_mb(const char *field)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "re");
    double kb = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtod(line + strlen(field) + 1, NULL);
    if (f != NULL)
        (void)fclose(f);
    return kb / 1024;
}

static bool serve(const char *dir, int to_parent, int from_parent, struct err *err)
{
    struct config_problems ps = { 0 };
    struct config_runtime *rt;
    struct gateway *g = NULL;
    struct gateway_endpoint *ep;
    struct arena a = { 0 };
    struct told told = { 0 };
    char *yaml = arena_printf(&a,
                              "runtime: {name: bench, data_directory: %s/server}\n"
                              "as2_server:\n  max_connections: 4000\n"
                              "  max_connections_per_address: 4000\n  endpoints:\n"
                              "    - {host: 127.0.0.1, port: 0}\nadmin: {listen: \"\"}\n",
                              dir);
    char byte;
    size_t n = 0;
    bool ok;

    rt = config_runtime_parse(span_text(yaml), "bench.yaml", &ps);
    ok = rt != NULL && gateway_start(rt, &g, err);
    yaml = arena_printf(&a,
                        "certificate: ours\nfile: %s/b.pem\nkey_file: %s/b.key\n---\n"
                        "certificate: theirs\nfile: %s/a.pem\n---\nprocess: bench\nstart:\n"
                        "  listen: as2-server\n  operation:\n"
                        "    from: {as2_id: BENCHA, signing_certificate: theirs}\n"
                        "    to: {as2_id: BENCHB, decryption_certificate: ours, "
                        "mdn_signing_certificate: ours}\n"
                        "    require: {signed: true, encrypted: true}\nsteps: []\n",
                        dir, dir, dir);
    ok = ok && bench_apply(g, yaml, err);
    if (!ok && ps.first != NULL)
        config_problem_line(ps.first, err->text, sizeof(err->text));
    if (ok) {
        gateway_endpoints(g, &a, &ep, &n);
        told.port = n == 1 ? ep[0].port : 0;
    }
    do {
        told.cpu_s = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
        told.rss_mb = memory_mb("VmRSS:");
        told.peak_mb = memory_mb("VmHWM:");
    } while (ok && write(to_parent, &told, sizeof(told)) == sizeof(told) &&
             read(from_parent, &byte, 1) == 1);
    gateway_stop(g);
    config_problems_free(&ps);
    arena_free(&a);
    return ok;
}

struct server {
    pid_t pid;
    int from, to;
};

static bool ask(const struct server *s, struct told *t, bool first)
{
    return (first || write(s->to, "?", 1) == 1) && read(s->from, t, sizeof(*t)) == sizeof(*t);
}

static bool start_server(const char *dir, struct server *s, struct told *t, struct err *err)
{
    int up[2], down[2];

    if (pipe(up) != 0 || pipe(down) != 0)
        return FAIL(err, FAIL_LOCAL, 0, "no pipe");
    s->pid = bench_child();
    if (s->pid == 0) {
        bool ok;

        (void)close(up[0]);
        (void)close(down[1]);
        ok = serve(dir, up[1], down[0], err);
        if (!ok)
            bench_complain(err);
        _exit(ok ? 0 : 1);
    }
    (void)close(up[1]);
    (void)close(down[0]);
    s->from = up[0];
    s->to = down[1];
    return (s->pid > 0 && ask(s, t, true) && t->port != 0) ||
           FAIL(err, FAIL_LOCAL, 0, "the gateway did not start");
}

static void stop_server(struct server *s)
{
    (void)close(s->to);
    (void)close(s->from);
    if (s->pid > 0)
        (void)waitpid(s->pid, NULL, 0);
}

/* ---- the run ------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

struct figures {
    double messages_per_s, cpu_ms, p50_ms, p99_ms, peak_mb, idle_kb;
    double rsa_ms, alone_ms; /* a private operation beside the load, and on its own */
};

static void print(const struct bench_options *o, uint64_t size, const char *where,
                  const struct load *l, const struct figures *f)
{
    double ratio = f->rsa_ms > 0 ? f->cpu_ms / (2 * f->rsa_ms) : 0;

    if (o->json)
        (void)printf(
            "{\"benchmark\": \"as2\", \"size\": %llu, \"clients\": %d, \"messages\": %u, "
            "\"directory\": \"%s\", \"messages_per_s\": %.1f, "
            "\"cpu_ms_per_message\": %.3f, \"limit\": %.3f, \"limit_unit\": "
            "\"CPU ms of two RSA-2048 private operations beside the load\", \"ratio\": %.3f, "
            "\"limit_alone\": %.3f, \"p50_ms\": %.2f, "
            "\"p99_ms\": %.2f, \"peak_rss_mb\": %.1f, \"idle_connection_kb\": %.1f}\n",
            (unsigned long long)size, CLIENTS, l->messages, where, f->messages_per_s, f->cpu_ms,
            2 * f->rsa_ms, ratio, 2 * f->alone_ms, f->p50_ms, f->p99_ms, f->peak_mb,
            f->idle_kb);
    else
        (void)printf(
            "as2 %.0f kB, signed + encrypted, signed synchronous MDN, %d clients, %u "
            "messages, store in %s: %.0f messages/s, %.2f CPU-ms each, %.2f of two RSA "
            "operations beside it (%.2f ms; alone %.2f); p50 %.1f ms, p99 %.1f ms; peak memory %.1f MB, an "
            "idle connection %.0f kB\n",
            (double)size / 1e3, CLIENTS, l->messages, where, f->messages_per_s, f->cpu_ms,
            ratio, 2 * f->rsa_ms, 2 * f->alone_ms, f->p50_ms, f->p99_ms, f->peak_mb,
            f->idle_kb);
    (void)fflush(stdout);
}

static bool measure(struct load *l, const struct server *s, EVP_PKEY *key, struct figures *f,
                    struct err *err)
{
    struct conn **idle = calloc(IDLE, sizeof(*idle));
    struct told before, after, waiting;
    double seconds = 0;
    struct bench_rsa *rsa;
    bool ok = idle != NULL && ask(s, &before, false);

    f->alone_ms = bench_rsa_alone(key);
    rsa = bench_rsa_begin(key);
    ok = ok && run_clients(l, &seconds, err) && ask(s, &after, false);
    f->rsa_ms = bench_rsa_end(rsa);
    if (ok) {
        f->messages_per_s = l->messages / seconds;
        f->cpu_ms = (after.cpu_s - before.cpu_s) * 1e3 / l->messages;
        qsort(l->latency_ms, l->messages, sizeof(double), by_value);
        f->p50_ms = l->latency_ms[l->messages / 2];
        f->p99_ms = l->latency_ms[(size_t)l->messages * 99 / 100];
        f->peak_mb = after.peak_mb;
        ok = open_idle(l->port, idle, err) && ask(s, &waiting, false);
        f->idle_kb = (waiting.rss_mb - after.rss_mb) * 1024 / IDLE;
    }
    for (int i = 0; idle != NULL && i < IDLE; i++)
        if (idle[i] != NULL)
            conn_close(idle[i], 0);
    free(idle);
    return ok;
}

static bool keys(const char *dir, const char *name, struct cms_signer *out, struct err *err)
{
    char *cert = NULL, *key = NULL, file[20];
    bool ok = bench_certificate(&cert, &key, err);
    BIO *c, *k;

    (void)snprintf(file, sizeof(file), "%s.pem", name);
    ok = ok && bench_write_file(dir, file, cert, err);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    ok = ok && bench_write_file(dir, file, key, err);
    c = ok ? BIO_new_mem_buf(cert, -1) : NULL;
    k = ok ? BIO_new_mem_buf(key, -1) : NULL;
    out->cert = c == NULL ? NULL : PEM_read_bio_X509(c, NULL, NULL, NULL);
    out->key = k == NULL ? NULL : PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    BIO_free(c);
    BIO_free(k);
    free(cert);
    free(key);
    return (out->cert != NULL && out->key != NULL) ||
           FAIL(err, FAIL_LOCAL, 0, "no key could be made");
}

static bool one_size(const struct bench_options *o, const char *dir, const char *where,
                     uint64_t size, struct err *err)
{
    struct load *l = calloc(1, sizeof(*l));
    struct cms_signer a = { 0 }, b = { 0 };
    struct server s = { .pid = -1 };
    struct told t;
    struct figures f = { 0 };
    bool ok;

    if (l == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    l->messages = o->runs > 1 ? (unsigned)o->runs : size <= 100000 ? 4000 : 400;
    l->bodies_n = size <= 100000 ? l->messages : BODIES;
    l->bodies = calloc(l->bodies_n, sizeof(*l->bodies));
    l->latency_ms = calloc(l->messages, sizeof(double));
    ok = l->latency_ms != NULL && l->bodies != NULL && keys(dir, "a", &a, err) &&
         keys(dir, "b", &b, err) && start_server(dir, &s, &t, err);
    for (size_t i = 0; ok && i < l->bodies_n; i++)
        ok = seal(&l->bodies[i], size, &a, b.cert, err);
    if (ok) {
        l->port = t.port;
        ok = measure(l, &s, b.key, &f, err);
    }
    if (s.pid > 0)
        stop_server(&s);
    if (ok)
        print(o, size, where, l, &f);
    for (size_t i = 0; l->bodies != NULL && i < l->bodies_n; i++) {
        free(l->bodies[i].head);
        free(l->bodies[i].body);
    }
    free(l->bodies);
    X509_free(a.cert);
    X509_free(b.cert);
    EVP_PKEY_free(a.key);
    EVP_PKEY_free(b.key);
    free(l->latency_ms);
    free(l);
    return ok;
}

int bench_as2(const struct bench_options *o)
{
    const char *tmp = getenv("TMPDIR");
    const char *where = o->directory != NULL ? o->directory : tmp != NULL ? tmp : "/var/tmp";
    const uint64_t sizes[] = { o->size_given ? o->size : 4000, o->size_given ? 0 : 1000000 };
    struct err err = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < COUNT_OF(sizes) && sizes[i] > 0; i++) {
        char dir[300];

        (void)snprintf(dir, sizeof(dir), "%s/waybill-bench-XXXXXX", where);
        ok = mkdtemp(dir) != NULL ||
             FAIL(&err, FAIL_LOCAL, 0, "cannot make a directory in '%s': %m", where);
        ok = ok && one_size(o, dir, where, sizes[i], &err);
        bench_remove(dir, "");
    }
    if (!ok)
        bench_complain(&err);
    return ok ? 0 : 1;
}
