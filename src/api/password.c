/* Passwords, hashed with scrypt (RFC 7914). What is kept says how it was made, so that the cost may
 * rise later: "scrypt$16384$8$5$SALT$HASH". One at a time: each takes 16 MB and some tenths of a
 * second, and whoever guesses passwords must not get more than that of the machine. */
#include "api/api_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { SALT = 16, HASH = 32, COST_N = 16384, COST_R = 8, COST_P = 5 };
#define MEMORY_MAX ((uint64_t)256 * 1024 * 1024)

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void api_hex(const uint8_t *octets, size_t n, char *text)
{
    for (size_t i = 0; i < n; i++)
        (void)sprintf(text + 2 * i, "%02x", octets[i]);
}

static bool unhex(const char *text, size_t digits, uint8_t *octets)
{
    for (size_t i = 0; i < digits / 2; i++) {
        unsigned v;

        if (strspn(text + 2 * i, "0123456789abcdef") < 2 ||
            sscanf(text + 2 * i, "%2x", &v) != 1)
            return false;
        octets[i] = (uint8_t)v;
    }
    return true;
}

static bool scrypt(const char *password, const uint8_t salt[SALT], uint64_t n, uint32_t r,
                   uint32_t p, uint8_t hash[HASH])
{
    uint64_t memory = MEMORY_MAX;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password,
                                strlen(password)),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, SALT),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    bool ok;

    pthread_mutex_lock(&one_at_a_time);
    ok = ctx != NULL && EVP_KDF_derive(ctx, hash, HASH, params) == 1;
    pthread_mutex_unlock(&one_at_a_time);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

bool api_password_make(const char *password, char text[API_PASSWORD_TEXT], struct err *err)
{
    char salt_text[2 * SALT + 1], hash_text[2 * HASH + 1];
    uint8_t salt[SALT], hash[HASH];

    if (RAND_bytes(salt, sizeof(salt)) != 1 ||
        !scrypt(password, salt, COST_N, COST_R, COST_P, hash))
        return FAIL(err, FAIL_LOCAL, 0, "the password could not be hashed");
    api_hex(salt, SALT, salt_text);
    api_hex(hash, HASH, hash_text);
    OPENSSL_cleanse(hash, sizeof(hash));
    (void)snprintf(text, API_PASSWORD_TEXT, "scrypt$%d$%d$%d$%s$%s", (int)COST_N, (int)COST_R,
                   (int)COST_P, salt_text, hash_text);
    return true;
}

bool api_password_fits(const char *stored, const char *password)
{
    /* of nobody: a name that does not exist must take as long */
    static const char nobody[] =
        "scrypt$16384$8$5$00000000000000000000000000000000$"
        "0000000000000000000000000000000000000000000000000000000000000000";
    const char *text = stored != NULL ? stored : nobody;
    uint8_t salt[SALT], want[HASH], got[HASH] = { 0 };
    unsigned long n;
    unsigned r, p;
    int at = 0;
    bool ok;

    if (sscanf(text, "scrypt$%lu$%u$%u$%n", &n, &r, &p, &at) != 3 || at == 0 ||
        strlen(text) != (size_t)at + 2 * SALT + 1 + 2 * HASH ||
        !unhex(text + at, 2 * SALT, salt) || !unhex(text + at + 2 * SALT + 1, 2 * HASH, want))
        return false;
    ok = scrypt(password, salt, n, r, p, got);
    ok = (CRYPTO_memcmp(got, want, HASH) == 0) & ok & (stored != NULL);
    OPENSSL_cleanse(got, sizeof(got));
    return ok;
}

bool api_password_good(const char *password, struct err *err)
{
    size_t n = strlen(password);

    if (n < API_PASSWORD_MIN || n > API_PASSWORD_MAX)
        return FAIL(err, FAIL_LOCAL, 400, "a password has %d to %d octets",
                    (int)API_PASSWORD_MIN, (int)API_PASSWORD_MAX);
    return true;
}
