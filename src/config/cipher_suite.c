/* The names of the cipher suites (SFIDCIPH): RFC 5024 10.2, and those Odette added. */
#include "config/schema_int.h"

const struct word cipher_suite_words[] = {
    { "TRIPLEDES_RSA_SHA1", 1, NULL },
    { "AES_RSA_SHA1", 2, NULL },
    { "TRIPLEDES_RSA_SHA256", 3, NULL },
    { "AES_RSA_SHA256", 4, NULL },
    { "TRIPLEDES_RSA_SHA512", 5, NULL },
    { "AES_RSA_SHA512", 6, NULL },
    { "AES_RSA_SHA3_512", 7, NULL },
    { "AES_RSA_OAEP_PSS_SHA256", 8, NULL },
    { "AES_RSA_OAEP_PSS_SHA512", 9, NULL },
    { "AES_RSA_OAEP_PSS_SHA3_512", 10, NULL },
    /* what the first release called them */
    { "3DES_RSA_SHA1", 1, "TRIPLEDES_RSA_SHA1" },
    { "3DES_RSA_SHA256", 3, "TRIPLEDES_RSA_SHA256" },
    { "3DES_RSA_SHA512", 5, "TRIPLEDES_RSA_SHA512" },
    { NULL, 0, NULL },
};

int config_cipher_suite(const char *name)
{
    for (const struct word *w = cipher_suite_words; w->name != NULL && name != NULL; w++)
        if (strcmp(w->name, name) == 0)
            return w->value;
    return 0;
}

const char *config_cipher_suite_name(int suite)
{
    for (const struct word *w = cipher_suite_words; w->name != NULL; w++)
        if (w->value == suite)
            return w->name;
    return NULL;
}

const char *check_cipher_suite(const char *value)
{
    return config_cipher_suite(value) != 0
               ? NULL
               : "must be a cipher suite, such as AES_RSA_SHA256 or TRIPLEDES_RSA_SHA1 (the "
                 "reference lists them at oftp2_server.cipher_suite)";
}
