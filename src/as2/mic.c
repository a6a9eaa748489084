/* Received-content-MIC, RFC 4130 7.4.3; as2.md 3.2, 3.4, 13.4. */
#include "as2/as2_int.h"

#include <openssl/crypto.h>
#include <openssl/objects.h>

enum {
    TEXT_MAX = 1024, /* octets without comments: blanks, quotes, digest, name */
    NAME_MAX_OCTETS = 64,
};

const char *as2_mic_write(const struct as2_mic *m, const char *spelling, struct arena *a)
{
    char text[(EVP_MAX_MD_SIZE + 2) / 3 * 4 + 1];

    if (m->n == 0 || m->n > sizeof(m->value))
        return NULL;
    EVP_EncodeBlock((uint8_t *)text, m->value, (int)m->n);
    return arena_printf(a, "%s, %s", text,
                        spelling != NULL ? spelling : as2_digest_name(m->nid, false));
}

/* Without blanks and quotes, into room for cap octets; false: longer. */
static bool squeeze(struct span s, char *out, size_t cap, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || as2_is_blank(s.p[i]))
            continue;
        if (*n == cap)
            return false;
        out[(*n)++] = (char)s.p[i];
    }
    return true;
}

static bool is_base64(const char *text, size_t n)
{
    size_t pad = 0;

    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c >= '0' && c <= '9') || c == '+' || c == '/';

        if (c == '=')
            pad++;
        else if (!digit || pad > 0)
            return false;
    }
    return n > 0 && n % 4 == 0 && pad <= 2;
}

static bool read_digest(struct span s, struct as2_mic *m)
{
    char text[(EVP_MAX_MD_SIZE + 2) / 3 * 4];
    uint8_t value[(EVP_MAX_MD_SIZE + 2) / 3 * 3];
    size_t n, size;

    if (!squeeze(s, text, sizeof(text), &n) || !is_base64(text, n) ||
        EVP_DecodeBlock(value, (const uint8_t *)text, (int)n) < 0)
        return false;
    size = n / 4 * 3 - (text[n - 1] == '=') - (text[n - 2] == '=');
    if (size > sizeof(m->value))
        return false;
    memcpy(m->value, value, size);
    m->n = size;
    return true;
}

/* Octets of a digest, 0: not known. */
static size_t digest_size(int nid)
{
    const EVP_MD *md = nid == NID_undef ? NULL : EVP_get_digestbynid(nid);

    return md == NULL ? 0 : (size_t)EVP_MD_get_size(md);
}

bool as2_mic_read(const char *value, struct as2_mic *m)
{
    struct as2_mic mic = { .nid = NID_undef };
    char text[TEXT_MAX], name[NAME_MAX_OCTETS];
    const char *comma;
    struct span digest;
    size_t n;

    if (!as2_strip_comments(value, text, sizeof(text)))
        return false;
    comma = strchr(text, ',');
    digest = span_of(text, comma != NULL ? (size_t)(comma - text) : strlen(text));
    if (!read_digest(digest, &mic))
        return false;
    if (comma != NULL && squeeze(span_text(comma + 1), name, sizeof(name), &n))
        mic.nid = as2_digest_of(span_of(name, n));
    if (mic.nid != NID_undef && mic.n != digest_size(mic.nid))
        return false;
    *m = mic;
    return true;
}

bool as2_mic_equal(const struct as2_mic *a, const struct as2_mic *b)
{
    return a->nid != NID_undef && a->nid == b->nid && a->n > 0 && a->n == b->n &&
           CRYPTO_memcmp(a->value, b->value, a->n) == 0;
}
