/* How often failures behind CBC are told apart: as2.md 11.1 #12. Each answer that says whether a
 * padding was good is one step of reading somebody's message without its key; beyond the budget all
 * of them are the same. The partner's good messages are never refused for it. */
#include "gateway/as2_int.h"

#include <openssl/objects.h>
#include <pthread.h>

enum { MINUTE_MS = 60000, DAY_MS = 86400000, DIGEST_SIZE = 32 };

struct budget {
    uint8_t key[DIGEST_SIZE];
    uint64_t used_ms; /* 0: free */
    uint64_t minute_ms, day_ms;
    unsigned minute, day;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct budget budgets[AS2_BUDGETS_MAX];

static bool key_of(const char *partner, const char *address, uint8_t key[DIGEST_SIZE])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    unsigned n = 0;
    bool ok = c != NULL && EVP_DigestInit_ex(c, as2_digest(NID_sha256), NULL) == 1 &&
              EVP_DigestUpdate(c, partner, strlen(partner) + 1) == 1 &&
              EVP_DigestUpdate(c, address, strlen(address)) == 1 &&
              EVP_DigestFinal_ex(c, key, &n) == 1 && n == DIGEST_SIZE;

    EVP_MD_CTX_free(c);
    return ok;
}

/* The pair's own, or the one that was not used for the longest time. */
static struct budget *find(const uint8_t key[DIGEST_SIZE])
{
    struct budget *oldest = &budgets[0];

    for (size_t i = 0; i < AS2_BUDGETS_MAX; i++) {
        if (budgets[i].used_ms != 0 && memcmp(budgets[i].key, key, DIGEST_SIZE) == 0)
            return &budgets[i];
        if (budgets[i].used_ms < oldest->used_ms)
            oldest = &budgets[i];
    }
    *oldest = (struct budget) { 0 };
    memcpy(oldest->key, key, DIGEST_SIZE);
    return oldest;
}

/* Counts one in a window that begins with its first. */
static unsigned count(unsigned *n, uint64_t *since_ms, uint64_t window_ms, uint64_t now_ms)
{
    if (*n == 0 || now_ms - *since_ms >= window_ms) {
        *n = 0;
        *since_ms = now_ms;
    }
    return *n < UINT32_MAX ? ++*n : *n;
}

bool as2_budget_take(const char *partner, const char *address, uint64_t now_ms, bool *first)
{
    uint8_t key[DIGEST_SIZE];
    unsigned minute, day;
    struct budget *b;

    *first = false;
    if (!key_of(partner, address, key))
        return false;
    (void)pthread_mutex_lock(&lock);
    b = find(key);
    b->used_ms = now_ms == 0 ? 1 : now_ms;
    minute = count(&b->minute, &b->minute_ms, MINUTE_MS, now_ms);
    day = count(&b->day, &b->day_ms, DAY_MS, now_ms);
    (void)pthread_mutex_unlock(&lock);
    *first = minute == AS2_FAILURES_A_MINUTE + 1 || day == AS2_FAILURES_A_DAY + 1;
    return minute <= AS2_FAILURES_A_MINUTE && day <= AS2_FAILURES_A_DAY;
}
