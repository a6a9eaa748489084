#include "as2/as2_int.h"

struct span as2_trim(struct span s)
{
    while (s.n > 0 && as2_is_blank(s.p[0]))
        span_skip(&s, 1);
    while (s.n > 0 && as2_is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct span as2_trim_value(const char *value)
{
    struct span s = span_text(value);

    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        span_skip(&s, 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool as2_strip_comments(const char *in, char *out, size_t cap)
{
    size_t depth = 0, n = 0;

    for (const char *p = in; *p != '\0'; p++) {
        char c = *p;

        if (c == '(' && depth++ == 0) {
            c = ' ';
        } else if (depth > 0) {
            depth -= c == ')';
            p += c == '\\' && p[1] != '\0';
            continue;
        }
        if (n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

size_t as2_utf8_character(struct span s)
{
    uint8_t c = s.p[0], second = s.n > 1 ? s.p[1] : 0;
    size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

    if (n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s.p[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
        (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F))
        return 0;
    return n;
}
