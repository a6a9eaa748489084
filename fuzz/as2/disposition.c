/* The two values of an MDN that are decided by: Disposition and Received-content-MIC. A positive
 * class needs the whole word; a MIC that is read is one that can be written and read again. */
#include "as2/as2.h"

#include <openssl/objects.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_disposition(const char *value, struct arena *a)
{
    const char *detail;
    enum as2_class class = as2_disposition_read(value, a, &detail);

    if (detail == NULL || strlen(detail) > strlen(value))
        abort();
    if (class == AS2_POSITIVE && (*detail != '\0' || strcasestr(value, "processed") == NULL))
        abort();
    if ((class == AS2_WARNING || class == AS2_UNTRUSTED || class == AS2_DUPLICATE_WARNING) &&
        strcasestr(value, "warning") == NULL)
        abort();
}

static void check_mic(const char *value, struct arena *a)
{
    struct as2_mic m, again;

    if (!as2_mic_read(value, &m))
        return;
    if (m.n == 0 || m.n > EVP_MAX_MD_SIZE || as2_mic_equal(&m, &m) != (m.nid != NID_undef))
        abort();
    if (m.nid != NID_undef &&
        (!as2_mic_read(as2_mic_write(&m, NULL, a), &again) || !as2_mic_equal(&m, &again)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    char *value = malloc(size + 1);

    if (value == NULL)
        abort();
    if (size > 0)
        memcpy(value, data, size);
    value[size] = '\0';
    check_disposition(value, &a);
    check_mic(value, &a);
    arena_free(&a);
    free(value);
    return 0;
}
