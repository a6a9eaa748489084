/* AS2-From and AS2-To, RFC 4130 6.2; as2.md 1.2. */
#include "as2/as2_int.h"

static bool is_quoted(struct span s)
{
    return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
}

bool as2_name_read(const char *value, char name[AS2_NAME_MAX + 1])
{
    struct span s = as2_trim_value(value);
    bool quoted = is_quoted(s);
    char out[AS2_NAME_MAX];
    size_t n = 0;

    if (quoted)
        s = span_of(s.p + 1, s.n - 2);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (quoted && c == '"')
            return false;
        /* without quotes only \" is one: some escape and do not quote */
        if (c == '\\' && (quoted || (i + 1 < s.n && s.p[i + 1] == '"'))) {
            if (++i == s.n || (s.p[i] != '"' && s.p[i] != '\\'))
                return false;
            c = s.p[i];
        }
        if (c < ' ' || c > '~' || n == sizeof(out))
            return false;
        out[n++] = (char)c;
    }
    if (n == 0)
        return false;
    memcpy(name, out, n);
    name[n] = '\0';
    return true;
}

void as2_name_write(const char *name, char *text)
{
    bool quoted = strpbrk(name, " \"\\") != NULL;

    if (quoted)
        *text++ = '"';
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            *text++ = '\\';
        *text++ = *name;
    }
    if (quoted)
        *text++ = '"';
    *text = '\0';
}

const char *as2_name_echo(const char *value, struct arena *a)
{
    struct span s = as2_trim_value(value);
    char name[AS2_NAME_MAX + 1], text[2 * AS2_NAME_MAX + 3];

    if (!as2_name_read(value, name))
        return NULL;
    if (is_quoted(s) || strpbrk(name, " \"\\") == NULL)
        return arena_copy(a, s);
    as2_name_write(name, text);
    return arena_text(a, text);
}
