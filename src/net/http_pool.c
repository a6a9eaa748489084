/* Handles of libcurl kept with their open connections. libcurl does not see what is done to a TLS
 * context behind its back, and would use a connection again under another certificate; so each
 * handle serves one key only: all that connections must have in common. */
#include "net/http_client_int.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <strings.h>

enum {
    IDLE_MAX = 64,           /* handles kept       */
    IDLE_MS = 2 * 60 * 1000, /* and for how long */
};

struct idle {
    struct http_handle handle;
    uint64_t since_ms;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct idle idle[IDLE_MAX]; /* the oldest first */
static size_t idle_n;

static void set_up(void)
{
    ready = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
}

bool http_pool_ready(void)
{
    pthread_once(&once, set_up);
    return ready;
}

/* ---- keys ------------------------------------------------------------------------------- */

/* With its length, so that no two lists of texts are the same octets. */
static bool mix(EVP_MD_CTX *md, const void *p, size_t n)
{
    uint64_t length = n;

    return EVP_DigestUpdate(md, &length, sizeof(length)) == 1 &&
           EVP_DigestUpdate(md, p, n) == 1;
}

static bool mix_text(EVP_MD_CTX *md, const char *text)
{
    return text != NULL ? mix(md, text, strlen(text)) : mix(md, "\0none", 5);
}

static bool mix_certificate(EVP_MD_CTX *md, const struct pki_certificate *c)
{
    char text[65];
    int chain_n = c != NULL ? sk_X509_num(c->chain) : 0;

    if (c == NULL)
        return mix_text(md, NULL);
    pki_fingerprint(c->leaf, text);
    if (!mix_text(md, text))
        return false;
    for (int i = 0; i < chain_n; i++) {
        pki_fingerprint(sk_X509_value(c->chain, i), text);
        if (!mix_text(md, text))
            return false;
    }
    return mix(md, &chain_n, sizeof(chain_n));
}

/* "https://host:port" as written */
static bool mix_origin(EVP_MD_CTX *md, const char *url)
{
    const char *host = strstr(url, "://");

    if (host == NULL)
        return mix_text(md, url);
    host += 3;
    return mix(md, url, (size_t)(host - url) + strcspn(host, "/?#"));
}

static bool make_key(const struct http_call *call, uint8_t key[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t flags[2] = { call->any_host_name, call->public_only };
    unsigned n = 32;
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              mix_origin(md, call->url) && mix_text(md, call->unix_socket) &&
              mix_certificate(md, call->certificate) && mix_certificate(md, call->trust) &&
              mix(md, flags, sizeof(flags)) && mix_text(md, call->user) &&
              mix_text(md, call->password) && mix_text(md, call->proxy) &&
              EVP_DigestFinal_ex(md, key, &n) == 1;

    EVP_MD_CTX_free(md);
    return ok;
}

/* ---- the pool --------------------------------------------------------------------------- */

/* Under the lock. */
static CURL *remove_at(size_t i)
{
    CURL *h = idle[i].handle.h;

    memmove(idle + i, idle + i + 1, (--idle_n - i) * sizeof(idle[0]));
    return h;
}

/* Closing says goodbye to servers, so not under the lock. */
static void drop_old(uint64_t now, size_t keep)
{
    for (;;) {
        CURL *h = NULL;

        (void)pthread_mutex_lock(&lock);
        if (idle_n > keep || (idle_n > 0 && now - idle[0].since_ms > IDLE_MS))
            h = remove_at(0);
        (void)pthread_mutex_unlock(&lock);
        if (h == NULL)
            return;
        curl_easy_cleanup(h);
    }
}

bool http_pool_take(const struct http_call *call, struct http_handle *out)
{
    out->h = NULL;
    (void)pthread_once(&once, set_up);
    if (!ready || !make_key(call, out->key))
        return false;
    drop_old(net_now_ms(), IDLE_MAX);
    (void)pthread_mutex_lock(&lock);
    for (size_t i = idle_n;
         i-- > 0 && out->h == NULL;) { /* the latest is the least likely closed */
        if (memcmp(idle[i].handle.key, out->key, sizeof(out->key)) == 0)
            out->h = remove_at(i);
    }
    (void)pthread_mutex_unlock(&lock);
    if (out->h == NULL)
        out->h = curl_easy_init();
    return out->h != NULL;
}

void http_pool_give(struct http_handle *handle)
{
    drop_old(net_now_ms(), IDLE_MAX - 1);
    (void)pthread_mutex_lock(&lock);
    if (idle_n < IDLE_MAX) {
        idle[idle_n++] = (struct idle) { *handle, net_now_ms() };
        handle->h = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
    if (handle->h != NULL)
        curl_easy_cleanup(handle->h);
    handle->h = NULL;
}

void http_forget(void)
{
    drop_old(0, 0);
}
