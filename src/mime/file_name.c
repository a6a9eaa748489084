/* File names: found in a header, made safe for a path, written into a header. as2.md 5.5, 11.2. */
#include "mime/mime.h"
#include "mime/text.h"

#include <strings.h>

enum { EXTENSION_MAX = 16 };

/* ---- found ------------------------------------------------------------------------------ */

static const char *param_text(const char *header, const char *param, struct arena *a)
{
    struct mime_value v;
    struct err err;

    if (header == NULL || !mime_value_read(header, a, &v, &err))
        return NULL;
    for (size_t i = 0; i < v.n; i++)
        if (strcmp(v.params[i].name, param) == 0)
            return v.params[i].extended ? v.params[i].value : mime_words(v.params[i].value, a);
    return NULL;
}

const char *mime_file_name(const struct mime_head *h, struct arena *a)
{
    const char *name = param_text(mime_head_get(h, "Content-Disposition"), "filename", a);

    return name != NULL ? name : param_text(mime_head_get(h, "Content-Type"), "name", a);
}

/* ---- made safe -------------------------------------------------------------------------- */

/* Characters that steer a terminal or the direction of text, or cannot be seen. */
static bool is_harmful(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },
        { 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
        { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffd },
    };

    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return c < 0x80 && strchr("<>:\"|?*", (int)c) != NULL;
}

/* Replaces them by '_', in place. s is UTF-8 (mime_text_utf8()). */
static size_t replace_harmful(uint8_t *s, size_t n, bool *changed)
{
    size_t to = 0;

    for (size_t from = 0; from < n;) {
        uint32_t c = 0;
        size_t len = utf8_next(span_of(s + from, n - from), &c);

        len = len > 0 ? len : 1;
        if (is_harmful(c)) {
            s[to++] = '_';
            *changed = true;
        } else {
            memmove(s + to, s + from, len);
            to += len;
        }
        from += len;
    }
    return to;
}

static bool is_one_of(uint8_t c, const char *these)
{
    return c != '\0' && strchr(these, c) != NULL;
}

/* Whether DOS and its heirs take it for a device, with or without extension. */
static bool is_reserved(struct span s)
{
    static const char *const names[] = { "CON", "PRN", "AUX", "NUL" };
    const uint8_t *dot = s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
    size_t n = dot != NULL ? (size_t)(dot - s.p) : s.n;
    const char *stem = (const char *)s.p;

    while (n > 0 && stem[n - 1] == ' ')
        n--;
    for (size_t i = 0; n == 3 && i < COUNT_OF(names); i++)
        if (strncasecmp(stem, names[i], n) == 0)
            return true;
    return n == 4 && stem[3] >= '0' && stem[3] <= '9' &&
           (strncasecmp(stem, "COM", 3) == 0 || strncasecmp(stem, "LPT", 3) == 0);
}

/* The most octets of s up to max that end with a character's end. */
static size_t cut(struct span s, size_t max)
{
    size_t n = s.n < max ? s.n : max;

    while (n > 0 && n < s.n && (s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static size_t without_end(const uint8_t *p, size_t n)
{
    while (n > 0 && is_one_of(p[n - 1], ". "))
        n--;
    return n;
}

/* Puts s, after '_' when it is reserved, into text; too long a one keeps its extension. */
static void put(struct span s, char text[MIME_FILE_NAME_MAX + 1], bool *changed)
{
    size_t dot = s.n;
    struct span extension = { NULL, 0 };
    size_t n = 0;

    if (is_reserved(s)) {
        text[n++] = '_';
        *changed = true;
    }
    if (s.n <= MIME_FILE_NAME_MAX - n) {
        memcpy(text + n, s.p, s.n);
        text[n + s.n] = '\0';
        return;
    }
    *changed = true;
    while (dot > 0 && s.p[dot - 1] != '.')
        dot--;
    if (dot > 0 && s.n - dot <= EXTENSION_MAX)
        extension = span_of(s.p + dot - 1, s.n - dot + 1);
    s.n = cut(s, MIME_FILE_NAME_MAX - n - extension.n);
    memcpy(text + n, s.p, s.n);
    n += s.n;
    if (extension.n > 0)
        memcpy(text + n, extension.p, extension.n);
    else
        n = without_end((const uint8_t *)text, n);
    text[n + extension.n] = '\0';
}

/* Steps 2 to 7 of as2.md 11.2. False: nothing is left. */
static bool make_safe(const char *name, char text[MIME_FILE_NAME_MAX + 1], bool *changed)
{
    struct arena a = { 0 };
    char *utf8 = mime_text_utf8(span_text(name), true, &a);
    uint8_t *s = (uint8_t *)utf8;
    size_t n = utf8 != NULL ? strlen(utf8) : 0, begin = 0;

    if (utf8 == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '/' || s[i] == '\\')
            begin = i + 1;
    s += begin;
    n = replace_harmful(s, n - begin, changed);
    for (; n > 0 && is_one_of(s[0], ". -"); s++, n--)
        begin++;
    if (without_end(s, n) < n || begin > 0)
        *changed = true;
    n = without_end(s, n);
    if (n > 0)
        put(span_of(s, n), text, changed);
    arena_free(&a);
    return n > 0;
}

void mime_safe_name(const char *name, const char *fallback, char text[MIME_FILE_NAME_MAX + 1],
                    bool *changed)
{
    bool ignored;

    *changed = false;
    if (name != NULL && make_safe(name, text, changed))
        return;
    if (!make_safe(fallback, text, &ignored))
        memcpy(text, "payload", sizeof("payload"));
}

/* ---- written ---------------------------------------------------------------------------- */

/* RFC 5987: octets as they are when attr-char, else "%XX". Returns how many were put into out. */
static size_t percent_encode(struct span s, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (c > ' ' && c < 0x7f && !is_one_of(c, "()<>@,;:\\\"/[]?={}%'*")) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        }
    }
    return n;
}

const char *mime_file_name_param(const char *name, struct arena *a)
{
    char *utf8 = mime_text_utf8(span_text(name), true, a);
    size_t len = utf8 != NULL ? strlen(utf8) : 0, p = 0, e = 0;
    char *plain = arena_take(a, 2 * len + 1), *extended = arena_take(a, 3 * len + 1);
    bool ascii = true;

    if (utf8 == NULL || plain == NULL || extended == NULL)
        return NULL;
    for (struct span s = span_of(utf8, len); s.n > 0;) {
        uint32_t c = '_';
        size_t n = utf8_next(s, &c);

        if (c < ' ' || c == 0x7f)
            c = '_';
        if (c == '"' || c == '\\')
            plain[p++] = '\\';
        plain[p++] = c < 0x80 ? (char)c : '_';
        e += percent_encode(c == '_' ? span_text("_") : span_of(s.p, n), extended + e);
        ascii = ascii && c < 0x80;
        span_skip(&s, n);
    }
    return ascii ? arena_printf(a, "; filename=\"%s\"", plain)
                 : arena_printf(a, "; filename=\"%s\"; filename*=UTF-8''%s", plain, extended);
}
