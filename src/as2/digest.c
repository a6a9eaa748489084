/* The names digests have in micalg parameters and MICs: as2.md 1.4, 3.2. */
#include "as2/as2.h"

#include <openssl/objects.h>

static const struct {
    const char *plain; /* lower case, without '-' and '_', without a leading "rsa" */
    int nid;
    const char *name, *legacy;
} digests[] = {
    { "md5", NID_md5, "md5", "md5" },
    { "sha1", NID_sha1, "sha1", "sha1" },
    { "sha", NID_sha1, "sha1", "sha1" },
    { "sha224", NID_sha224, "sha-224", "sha224" },
    { "sha256", NID_sha256, "sha-256", "sha256" },
    { "sha384", NID_sha384, "sha-384", "sha384" },
    { "sha512", NID_sha512, "sha-512", "sha512" },
    { "sha2224", NID_sha224, "sha-224", "sha224" },
    { "sha2256", NID_sha256, "sha-256", "sha256" },
    { "sha2384", NID_sha384, "sha-384", "sha384" },
    { "sha2512", NID_sha512, "sha-512", "sha512" },
    { "sha3224", NID_sha3_224, "sha3-224", "sha3-224" },
    { "sha3256", NID_sha3_256, "sha3-256", "sha3-256" },
    { "sha3384", NID_sha3_384, "sha3-384", "sha3-384" },
    { "sha3512", NID_sha3_512, "sha3-512", "sha3-512" },
};

int as2_digest_of(struct span name)
{
    char plain[16];
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];

        if (c == '-' || c == '_')
            continue;
        if (n + 1 == sizeof(plain))
            return NID_undef;
        plain[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    plain[n] = '\0';
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (strcmp(digests[i].plain, strncmp(plain, "rsa", 3) == 0 ? plain + 3 : plain) == 0)
            return digests[i].nid;
    return NID_undef;
}

const char *as2_digest_name(int nid, bool legacy)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        if (digests[i].nid == nid)
            return legacy ? digests[i].legacy : digests[i].name;
    return "";
}
