/* What an RSA private operation costs: alone, and beside a load. The second is what the operations
 * inside the load cost: processors that share a core, caches and clock make it dearer. */
#include "cli/bench.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    ALONE = 300,
    BATCH =
        2, /* in one go beside a load: the first finds cold caches as those of the load do */
    PAUSE_US = 20 * 1000,
    SAMPLES = 4096,
};

struct bench_rsa {
    EVP_PKEY *key; /* borrowed */
    pthread_t thread;
    _Atomic bool stop;
    size_t n;
    double ms[SAMPLES];
};

static double thread_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* CPU milliseconds of one signature, over n of them; 0: it cannot be made. */
static double sign(EVP_PKEY *key, int n)
{
    uint8_t digest[32] = { 1 }, sig[1024];
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool ok = c != NULL && EVP_PKEY_sign_init(c) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) > 0;
    double begin = thread_ms();

    for (int i = 0; ok && i < n; i++) {
        size_t room = sizeof(sig);

        ok = EVP_PKEY_sign(c, sig, &room, digest, sizeof(digest)) > 0;
    }
    begin = thread_ms() - begin;
    EVP_PKEY_CTX_free(c);
    return ok ? begin / n : 0;
}

double bench_rsa_alone(EVP_PKEY *key)
{
    return sign(key, ALONE);
}

static void *run(void *context)
{
    struct bench_rsa *r = context;

    while (!atomic_load(&r->stop) && r->n < SAMPLES) {
        r->ms[r->n++] = sign(r->key, BATCH);
        (void)usleep(PAUSE_US);
    }
    return NULL;
}

struct bench_rsa *bench_rsa_begin(EVP_PKEY *key)
{
    struct bench_rsa *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->key = key;
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    free(r);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

double bench_rsa_end(struct bench_rsa *r)
{
    double median;

    if (r == NULL)
        return 0;
    atomic_store(&r->stop, true);
    (void)pthread_join(r->thread, NULL);
    qsort(r->ms, r->n, sizeof(double), by_value);
    median = r->n == 0 ? 0 : r->ms[r->n / 2];
    free(r);
    return median;
}
