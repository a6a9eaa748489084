/* Header fields of what we send: one writer for all of them. as2.md 1.1, 11.1 #6. */
#include "as2/as2_int.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORD_CHARACTERS = 75, /* of an RFC 2047 word, at most */
    WORD_OCTETS = 45,     /* encoded in one               */
};

/* RFC 9110 5.6.2 */
static bool is_field_name(const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"(),/:;<=>?@[\\]{}", *p) != NULL)
            return false;
    return *name != '\0';
}

static bool is_field_value(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return true;
}

static bool make_room(struct as2_headers *h, size_t n)
{
    size_t cap = h->cap;
    char *text;

    if (h->cap - h->n > n)
        return true;
    while (cap - h->n <= n)
        cap = cap == 0 ? 1024 : 2 * cap;
    text = arena_take(h->arena, cap);
    if (text == NULL)
        return false;
    if (h->n > 0)
        memcpy(text, h->text, h->n);
    h->text = text;
    h->cap = cap;
    return true;
}

void as2_header(struct as2_headers *h, const char *name, const char *value)
{
    size_t n;

    if (value == NULL)
        return;
    n = strlen(name) + strlen(value) + 4;
    if (h->failed || !is_field_name(name) || !is_field_value(value) || !make_room(h, n)) {
        h->failed = true;
        return;
    }
    (void)snprintf(h->text + h->n, n + 1, "%s: %s\r\n", name, value);
    h->n += n;
}

/* Control characters (C1, too) and what is no UTF-8 become '?'. *ascii: nothing else is left. */
static char *cleaned(const char *utf8, struct arena *a, bool *ascii)
{
    struct span s = span_text(utf8);
    char *text = arena_take(a, s.n + 1);
    size_t n = 0;

    *ascii = true;
    while (text != NULL && s.n > 0) {
        size_t k = as2_utf8_character(s);
        bool control =
            k == 1 ? s.p[0] < ' ' || s.p[0] == 0x7F : k == 2 && s.p[0] == 0xC2 && s.p[1] < 0xA0;

        if (k == 0 || control) {
            text[n++] = '?';
            k = k == 0 ? 1 : k;
        } else {
            memcpy(text + n, s.p, k);
            n += k;
            *ascii &= k == 1;
        }
        span_skip(&s, k);
    }
    return text;
}

const char *as2_header_text(const char *utf8, struct arena *a)
{
    bool ascii;
    char *text = cleaned(utf8, a, &ascii), *all, *end;
    struct span s;

    if (text == NULL || ascii)
        return text;
    s = span_text(text);
    end = all = arena_take(a, (s.n / (WORD_OCTETS - 3) + 1) * (WORD_CHARACTERS + 1) + 1);
    if (all == NULL)
        return NULL;
    while (s.n > 0) {
        size_t n = 0, k;

        while (n < s.n && (k = as2_utf8_character(span_of(s.p + n, s.n - n))) > 0 &&
               n + k <= WORD_OCTETS)
            n += k;
        end = stpcpy(end, end == all ? "=?UTF-8?B?" : " =?UTF-8?B?");
        end += EVP_EncodeBlock((uint8_t *)end, s.p, (int)n);
        end = stpcpy(end, "?=");
        span_skip(&s, n);
    }
    return all;
}

/* The civil date of a day since 1970-01-01, counted from March so that leap days come last. */
static void date_of(int64_t day, int64_t *year, unsigned *month, unsigned *mday)
{
    const int64_t per_era = 146097; /* days of 400 years */
    int64_t since = day + 719468;   /* 0000-03-01 */
    int64_t era = since / per_era, of_era = since % per_era;
    int64_t of_400 = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = (unsigned)(of_era - (365 * of_400 + of_400 / 4 - of_400 / 100));
    unsigned march = (5 * of_year + 2) / 153;

    *mday = of_year - (153 * march + 2) / 5 + 1;
    *month = march < 10 ? march + 3 : march - 9;
    *year = of_400 + 400 * era + (*month <= 2);
}

const char *as2_date(int64_t now_ms, struct arena *a)
{
    static const char days[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t s = now_ms / 1000, day = s / 86400, year;
    unsigned month, mday, of_day = (unsigned)(s % 86400);

    if (now_ms < 0)
        return NULL;
    date_of(day, &year, &month, &mday);
    return arena_printf(a, "%s, %02u %s %04" PRId64 " %02u:%02u:%02u GMT", days[day % 7], mday,
                        months[month - 1], year, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

/* EDIINT-Features came with 1.2; as2.md 1.1. */
static bool has_features(const char *version)
{
    char *end;
    long major = strtol(version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

    return major > 1 || (major == 1 && minor >= 2);
}

/* A name as it came, or in the form to be sent. */
static const char *name_text(const char *name, bool raw, struct arena *a)
{
    char text[2 * AS2_NAME_MAX + 3];

    if (raw)
        return as2_name_echo(name, a);
    if (strlen(name) == 0 || strlen(name) > AS2_NAME_MAX)
        return NULL;
    as2_name_write(name, text);
    return arena_text(a, text);
}

void as2_envelope_write(struct as2_headers *h, const struct as2_envelope *e)
{
    const char *from = name_text(e->from, e->raw_names, h->arena);
    const char *to = name_text(e->to, e->raw_names, h->arena);
    const char *date = as2_date(e->now_ms, h->arena);
    const char *subject = e->subject == NULL ? NULL : as2_header_text(e->subject, h->arena);

    as2_header(h, "AS2-Version", e->version);
    if (has_features(e->version))
        as2_header(h, "EDIINT-Features", e->features);
    as2_header(h, "AS2-From", from);
    as2_header(h, "AS2-To", to);
    as2_header(h, "Message-ID", e->message_id);
    as2_header(h, "Subject", subject);
    as2_header(h, "Date", date);
    as2_header(h, "MIME-Version", "1.0");
    as2_header(h, e->server ? "Server" : "User-Agent", e->user_agent);
    if (from == NULL || to == NULL || date == NULL || (e->subject != NULL && subject == NULL))
        h->failed = true;
}
