/* Message-ID and Original-Message-ID, RFC 5322 3.6.4, RFC 4130 5.3.3; as2.md 1.3. */
#include "as2/as2_int.h"

#include <inttypes.h>

enum { DOMAIN_MAX = 128 }; /* the whole shall stay below 255 characters */

bool as2_message_id_read(const char *value, char *id)
{
    struct span s = as2_trim_value(value);

    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = span_of(s.p + 1, s.n - 2);
    if (s.n == 0 || s.n > AS2_MESSAGE_ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    memcpy(id, s.p, s.n);
    id[s.n] = '\0';
    return true;
}

const char *as2_message_id_make(struct arena *a, int64_t now_ms, const char *random,
                                const char *domain)
{
    char text[DOMAIN_MAX + 1];
    size_t n = 0;

    for (; *domain != '\0' && n < DOMAIN_MAX; domain++) {
        char c = *domain;
        bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                     (c == '.' && n > 0 && text[n - 1] != '.');

        if (legal)
            text[n++] = c;
    }
    while (n > 0 && text[n - 1] == '.')
        n--;
    text[n] = '\0';
    return arena_printf(a, "<%" PRId64 "-%s@%s>", now_ms, random, n > 0 ? text : "as2");
}
