/* The outcomes of an MDN, to be sent and as received: RFC 4130 7.4, RFC 3798 3.2.6; as2.md 4.3,
 * 4.4, 13.5. */
#include "as2/as2_int.h"

#include <strings.h>

const char *as2_fault_disposition(enum as2_fault f)
{
    switch (f) {
    case AS2_FINE:
        return "processed";
    case AS2_AUTHENTICATION:
        return "processed/error: authentication-failed";
    case AS2_INTEGRITY:
        return "processed/error: integrity-check-failed";
    case AS2_DECRYPTION:
        return "processed/error: decryption-failed";
    case AS2_DECOMPRESSION:
        return "processed/error: decompression-failed";
    case AS2_INSUFFICIENT:
        return "processed/error: insufficient-message-security";
    case AS2_UNEXPECTED:
        break;
    case AS2_UNKNOWN_PARTNER:
        return "processed/error: unknown-trading-partner";
    case AS2_DUPLICATE_NAME:
        return "processed/error: duplicate-filename";
    case AS2_ILLEGAL_NAME:
        return "processed/error: illegal-filename";
    case AS2_UNSUPPORTED_MICALG:
        return "failed/failure: unsupported MIC-algorithms";
    case AS2_UNSUPPORTED_FORMAT:
        return "failed/failure: unsupported format";
    case AS2_UNSUPPORTED_OPTION:
        return "failed/failure";
    case AS2_SENDER_IS_RECEIVER:
        return "failed/failure: sender-equals-receiver";
    case AS2_DUPLICATE:
        return "processed/warning: duplicate-document";
    }
    return "processed/error: unexpected-processing-error";
}

static bool is_word(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

/* The next token, up to one of `marks` or the end; *mark: the one it ended at, 0 at the end. */
static struct span token(struct span *s, const char *marks, char *mark)
{
    struct span t = { s->p, 0 };

    while (t.n < s->n && strchr(marks, s->p[t.n]) == NULL)
        t.n++;
    span_skip(s, t.n);
    *mark = '\0';
    if (s->n > 0) {
        *mark = (char)s->p[0];
        span_skip(s, 1);
    }
    return as2_trim(t);
}

/* What follows the mode: "processed/error: detail". The mode itself decides nothing. */
static struct span behind_mode(struct span s)
{
    const uint8_t *p = memchr(s.p, ';', s.n);
    struct span rest = s;

    if (p != NULL) {
        span_skip(&rest, (size_t)(p - s.p) + 1);
        rest = as2_trim(rest);
        if (rest.n == 0) /* "processed;" */
            rest = span_of(s.p, (size_t)(p - s.p));
    }
    rest = as2_trim(rest);
    while (rest.n > 0 && rest.p[rest.n - 1] == ';')
        rest = as2_trim(span_of(rest.p, rest.n - 1));
    return rest;
}

static enum as2_class classify_warning(struct span detail)
{
    static const char unproved[] = "authentication-failed";

    if (is_word(detail, "duplicate-document"))
        return AS2_DUPLICATE_WARNING;
    if (detail.n >= sizeof(unproved) - 1 &&
        strncasecmp((const char *)detail.p, unproved, sizeof(unproved) - 1) == 0)
        return AS2_UNTRUSTED;
    return AS2_WARNING;
}

/* "modifier, modifier: detail"; the worst of the modifiers counts. */
static enum as2_class classify_processed(struct span s, struct span *detail)
{
    bool negative = false;
    char mark;

    do {
        struct span modifier = token(&s, ":,", &mark);

        if (is_word(modifier, "error") || is_word(modifier, "failure"))
            negative = true;
        else if (!is_word(modifier, "warning"))
            return AS2_INVALID;
    } while (mark == ',');
    *detail = as2_trim(s);
    return negative ? AS2_NEGATIVE : classify_warning(*detail);
}

static enum as2_class classify(struct span s, struct span *detail)
{
    char mark;
    struct span type = token(&s, "/:", &mark);

    *detail = span_of(s.p, 0);
    if (is_word(type, "processed")) {
        if (mark == '\0')
            return AS2_POSITIVE;
        return mark == '/' ? classify_processed(s, detail) : AS2_INVALID;
    }
    if (is_word(type, "failed") || is_word(type, "error") || is_word(type, "failure")) {
        if (mark == '/')
            (void)token(&s, ":", &mark);
        *detail = as2_trim(s);
        return AS2_NEGATIVE;
    }
    return AS2_INVALID;
}

enum as2_class as2_disposition_read(const char *value, struct arena *a, const char **detail)
{
    char *text = arena_text(a, value);
    struct span rest;
    enum as2_class class;

    *detail = "";
    if (text == NULL || !as2_strip_comments(text, text, strlen(text) + 1))
        return AS2_INVALID;
    class = classify(behind_mode(span_text(text)), &rest);
    if (rest.n > 0 && (*detail = arena_copy(a, rest)) == NULL) {
        *detail = "";
        return AS2_INVALID;
    }
    return class;
}
