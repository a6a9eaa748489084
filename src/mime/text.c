/* Character sets, and the encoded words of RFC 2047. */
#include "mime/text.h"

#include "mime/mime.h"

#include <stdlib.h>
#include <strings.h>

enum { REPLACEMENT = 0xfffd };

size_t utf8_next(struct span s, uint32_t *c)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t first = s.p[0];
    size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t v;

    if (n == 0 || n > s.n || first > 0xf4)
        return 0;
    v = n == 1 ? first : first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (s.p[i] & 0x3f);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return 0;
    *c = v;
    return n;
}

size_t utf8_put(uint32_t c, char text[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    for (size_t i = n - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    text[0] = (char)(lead[n] | c);
    return n;
}

bool text_may_be_utf8(struct span charset)
{
    static const char *const names[] = { "utf-8", "utf8", "us-ascii", "ascii", "" };
    const uint8_t *star = charset.n > 0 ? memchr(charset.p, '*', charset.n) : NULL;
    size_t n = star != NULL ? (size_t)(star - charset.p) : charset.n;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strlen(names[i]) == n && strncasecmp(names[i], (const char *)charset.p, n) == 0)
            return true;
    return false;
}

static bool is_utf8(struct span s)
{
    uint32_t c;

    while (s.n > 0) {
        size_t n = utf8_next(s, &c);

        if (n == 0)
            return false;
        span_skip(&s, n);
    }
    return true;
}

char *mime_text_utf8(struct span octets, bool may_be_utf8, struct arena *a)
{
    bool utf8 = may_be_utf8 && is_utf8(octets);
    char *text = octets.n < SIZE_MAX / 4 ? arena_take(a, 3 * octets.n + 1) : NULL;
    size_t n = 0;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < octets.n; i++) {
        uint8_t c = octets.p[i];

        if (c == 0)
            n += utf8_put(REPLACEMENT, text + n);
        else if (utf8)
            text[n++] = (char)c;
        else
            n += utf8_put(c, text + n);
    }
    return text;
}

int text_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- encoded words ---------------------------------------------------------------------- */

struct word {
    struct span charset, text;
    bool base64;
    size_t n; /* octets of the whole, "=?" to "?=" */
};

/* "=?charset?B?text?=" at the beginning of p? */
static bool word_at(const char *p, struct word *w)
{
    const char *charset = p + 2, *how, *text, *end;

    if (p[0] != '=' || p[1] != '?')
        return false;
    how = strchr(charset, '?');
    if (how == NULL || how == charset || how[1] == '\0' || how[2] != '?')
        return false;
    text = how + 3;
    end = strchr(text, '?');
    if (end == NULL || end[1] != '=' || strchr("bBqQ", how[1]) == NULL)
        return false;
    *w = (struct word) { span_of(charset, (size_t)(how - charset)),
                         span_of(text, (size_t)(end - text)), (how[1] | 0x20) == 'b',
                         (size_t)(end - p) + 2 };
    return true;
}

/* The "Q" encoding into out[in.n]; its octets. */
static size_t q_decode(struct span in, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];

        if (c == '=' && in.n - i > 2 && text_hex(in.p[i + 1]) >= 0 &&
            text_hex(in.p[i + 2]) >= 0) {
            out[n++] = (uint8_t)(text_hex(in.p[i + 1]) << 4 | text_hex(in.p[i + 2]));
            i += 2;
        } else {
            out[n++] = c == '_' ? ' ' : c;
        }
    }
    return n;
}

/* Decodes a word into out[w->text.n]. False: its base64 is none. */
static bool word_decode(const struct word *w, uint8_t *out, size_t *n)
{
    uint8_t *octets;
    struct err err;

    if (!w->base64) {
        *n = q_decode(w->text, out);
        return true;
    }
    if (!mime_decode_octets(MIME_BASE64, w->text, &octets, n, &err))
        return false;
    if (*n > 0)
        memcpy(out, octets, *n);
    free(octets);
    return true;
}

/* Octets that are one text: of neighbouring words of one kind of charset, or between words. */
struct run {
    uint8_t *octets; /* room for as many as the text has */
    size_t n;
    bool utf8, word;
};

static void run_flush(struct run *r, char *out, size_t *n, struct arena *a)
{
    const char *text = mime_text_utf8(span_of(r->octets, r->n), r->utf8, a);
    size_t len = text != NULL ? strlen(text) : 0;

    if (len > 0)
        memcpy(out + *n, text, len);
    *n += len;
    r->n = 0;
}

/* Makes r one that may go on with octets of this kind. */
static void run_turn(struct run *r, bool utf8, bool word, char *out, size_t *n, struct arena *a)
{
    if (r->n > 0 && (r->utf8 != utf8 || r->word != word))
        run_flush(r, out, n, a);
    r->utf8 = utf8;
    r->word = word;
}

char *mime_words(const char *text, struct arena *a)
{
    size_t len = strlen(text), n = 0, got;
    struct run r = { arena_take(a, len + 1), 0, true, false };
    char *out = len < SIZE_MAX / 4 ? arena_take(a, 3 * len + 1) : NULL;
    struct word w;

    if (r.octets == NULL || out == NULL)
        return NULL;
    while (*text != '\0') {
        const char *p = text;

        while (r.word && text_blank(*p)) /* between two words they mean nothing */
            p++;
        if (word_at(p, &w)) {
            run_turn(&r, text_may_be_utf8(w.charset), true, out, &n, a);
            if (word_decode(&w, r.octets + r.n, &got)) {
                r.n += got;
                text = p + w.n;
                continue;
            }
        }
        run_turn(&r, true, false, out, &n, a);
        r.octets[r.n++] = (uint8_t)*text++;
    }
    run_flush(&r, out, &n, a);
    return a->failed ? NULL : out;
}
