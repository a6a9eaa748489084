/* What is kept hangs on the key (ex_data), so that it lives as long; it refers to a copy of the key,
 * or neither would ever be freed. */
#include "cms/key_context.h"

#include "cms/algorithms.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { KEPT_MAX = 4 }; /* uses of one key: decrypt, and sign or verify with some digests */

struct kept {
    EVP_PKEY *copy;
    struct {
        enum key_use use;
        const EVP_MD *md;
        EVP_PKEY_CTX *ready;
    } list[KEPT_MAX];
    size_t n;
    bool full;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static CRYPTO_RWLOCK *lock; /* of what hangs on any key; a context in a list never changes */
static int place = -1;

static void free_kept(void *parent, void *p, CRYPTO_EX_DATA *data, int idx, long argl,
                      void *argp)
{
    struct kept *k = p;

    (void)parent;
    (void)data;
    (void)idx;
    (void)argl;
    (void)argp;
    for (size_t i = 0; k != NULL && i < k->n; i++)
        EVP_PKEY_CTX_free(k->list[i].ready);
    if (k != NULL)
        EVP_PKEY_free(k->copy);
    free(k);
}

/* A copy of a key has nothing of its own yet. */
static int copy_nothing(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **p, int idx,
                        long argl, void *argp)
{
    (void)to;
    (void)from;
    (void)idx;
    (void)argl;
    (void)argp;
    *p = NULL;
    return 1;
}

static void prepare(void)
{
    lock = CRYPTO_THREAD_lock_new();
    place = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL, copy_nothing,
                                    free_kept);
}

static EVP_PKEY_CTX *make(EVP_PKEY *key, enum key_use use, const EVP_MD *md)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool ok = c != NULL && (use == KEY_DECRYPT ? EVP_PKEY_decrypt_init(c)
                            : use == KEY_SIGN  ? EVP_PKEY_sign_init(c)
                                               : EVP_PKEY_verify_init(c)) > 0;

    ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 &&
         (md == NULL || EVP_PKEY_CTX_set_signature_md(c, md) > 0);
    if (ok)
        return c;
    EVP_PKEY_CTX_free(c);
    return NULL;
}

/* Under the lock. */
static EVP_PKEY_CTX *copy_of(const struct kept *k, enum key_use use, const EVP_MD *md)
{
    for (size_t i = 0; k != NULL && i < k->n; i++)
        if (k->list[i].use == use && k->list[i].md == md)
            return EVP_PKEY_CTX_dup(k->list[i].ready);
    return NULL;
}

/* Under the lock: keeps one more, when there is room and the key can be copied. */
static void keep(EVP_PKEY *key, enum key_use use, const EVP_MD *md)
{
    struct kept *k = EVP_PKEY_get_ex_data(key, place);
    EVP_PKEY_CTX *c;

    if (k == NULL) {
        k = calloc(1, sizeof(*k));
        if (k == NULL || EVP_PKEY_set_ex_data(key, place, k) != 1) {
            free(k);
            return;
        }
        k->copy = EVP_PKEY_dup(key);
        k->full = k->copy == NULL; /* of a device, perhaps */
    }
    c = k->full ? NULL : make(k->copy, use, md);
    if (c == NULL)
        return;
    k->list[k->n].use = use;
    k->list[k->n].md = md;
    k->list[k->n++].ready = c;
    k->full = k->n == KEPT_MAX;
}

EVP_PKEY_CTX *key_context(EVP_PKEY *key, enum key_use use, const EVP_MD *md)
{
    const struct kept *k;
    EVP_PKEY_CTX *c = NULL;
    bool full = false;

    if (CRYPTO_THREAD_run_once(&once, prepare) != 1 || lock == NULL || place < 0)
        return make(key, use, md);
    if (CRYPTO_THREAD_read_lock(lock) == 1) {
        k = EVP_PKEY_get_ex_data(key, place);
        c = copy_of(k, use, md);
        full = k != NULL && k->full;
        CRYPTO_THREAD_unlock(lock);
    }
    if (c == NULL && !full && CRYPTO_THREAD_write_lock(lock) == 1) {
        c = copy_of(EVP_PKEY_get_ex_data(key, place), use, md);
        if (c == NULL)
            keep(key, use, md);
        CRYPTO_THREAD_unlock(lock);
    }
    return c != NULL ? c : make(key, use, md);
}
