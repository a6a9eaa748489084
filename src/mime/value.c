/* "value; name=parameter", RFC 2045 5.1, with RFC 2231's sections and character sets. */
#include "mime/mime.h"
#include "mime/text.h"

#include <stdlib.h>

enum { PLAIN = -1, SECTIONS_MAX = MIME_PARAMS_MAX };

/* A parameter as it stands. */
struct raw {
    char *name; /* lower case, without '*' and number */
    struct span text;
    int section; /* PLAIN: none */
    bool extended;
};

struct reader {
    const char *p;
    struct arena *arena;
    struct raw raw[MIME_PARAMS_MAX];
    size_t n, seen; /* seen: repeated ones, too */
};

static bool bad(struct err *err, const char *why)
{
    return FAIL(err, FAIL_PEER, 0, "MIME header value: %s", why);
}

static bool out_of_memory(struct err *err)
{
    return FAIL(err, FAIL_LOCAL, 0, "MIME header value: memory is out");
}

/* RFC 2045 5.1 */
static bool is_token(char c)
{
    return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
}

/* Blanks and comments, which nest. False: a comment does not end. */
static bool skip(const char **p)
{
    size_t depth = 0;

    for (; **p != '\0'; (*p)++) {
        if (depth > 0 && **p == '\\' && (*p)[1] != '\0')
            (*p)++;
        else if (**p == '(')
            depth++;
        else if (**p == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !text_blank(**p))
            break;
    }
    return depth == 0;
}

static bool is_file_name(const char *name)
{
    return strcmp(name, "filename") == 0 || strcmp(name, "name") == 0;
}

/* Between quotes. In a file name '\' quotes nothing but '"' and '\': paths of Windows are sent
 * as they are. */
static bool read_quoted(struct reader *r, bool file_name, struct span *text)
{
    const char *begin = ++r->p;
    size_t n = 0;
    char *out;

    for (; *r->p != '"'; r->p++) {
        if (*r->p == '\0')
            return false;
        if (*r->p == '\\' && r->p[1] != '\0')
            r->p++;
    }
    out = arena_take(r->arena, (size_t)(r->p - begin) + 1);
    if (out == NULL)
        return true; /* the arena knows */
    for (const char *p = begin; p < r->p; p++) {
        if (*p == '\\' && (!file_name || p[1] == '"' || p[1] == '\\'))
            p++;
        out[n++] = *p;
    }
    r->p++;
    *text = span_of(out, n);
    return true;
}

/* Without quotes. A file name may have blanks and '(' then, others end there. */
static void read_unquoted(struct reader *r, bool file_name, struct span *text)
{
    const char *begin = r->p, *end;

    while (*r->p != '\0' && *r->p != ';' && *r->p != '"' &&
           (file_name || (!text_blank(*r->p) && *r->p != '(')))
        r->p++;
    for (end = r->p; end > begin && text_blank(end[-1]); end--) {
    }
    *text = span_of(begin, (size_t)(end - begin));
}

/* Takes RFC 2231's "*", "*1", "*1*" off the name. */
static bool split_name(struct raw *raw)
{
    size_t n = strlen(raw->name), digits = 0;

    raw->section = PLAIN;
    raw->extended = n > 1 && raw->name[n - 1] == '*';
    if (raw->extended)
        raw->name[--n] = '\0';
    while (digits < n && raw->name[n - digits - 1] >= '0' && raw->name[n - digits - 1] <= '9')
        digits++;
    if (digits > 0 && digits + 1 < n && raw->name[n - digits - 1] == '*') {
        if (digits > 2 || (digits > 1 && raw->name[n - digits] == '0'))
            return false;
        raw->section = atoi(raw->name + n - digits);
        raw->name[n - digits - 1] = '\0';
    }
    return raw->section < SECTIONS_MAX;
}

static bool add(struct reader *r, const struct raw *raw, struct err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct raw *o = &r->raw[i];

        if (o->section != raw->section || strcmp(o->name, raw->name) != 0 ||
            (raw->section == PLAIN && o->extended != raw->extended))
            continue;
        if (o->extended == raw->extended && span_equal(o->text, raw->text))
            return true;
        return FAIL(
            err, FAIL_PEER, 0,
            "MIME header value: parameter \"%.60s\" is there twice, with different values",
            raw->name);
    }
    r->raw[r->n++] = *raw;
    return true;
}

/* One "name=value", r->p on its first octet. */
static bool read_param(struct reader *r, struct err *err)
{
    const char *begin = r->p;
    struct raw raw = { 0 };
    bool file_name;

    if (r->seen++ == MIME_PARAMS_MAX)
        return FAIL(err, FAIL_PEER, 0, "MIME header value: more than %d parameters",
                    MIME_PARAMS_MAX);
    while (is_token(*r->p))
        r->p++;
    if (r->p == begin)
        return bad(err, "a parameter has no name");
    raw.name = arena_copy(r->arena, span_of(begin, (size_t)(r->p - begin)));
    if (raw.name == NULL)
        return out_of_memory(err);
    lower(raw.name);
    if (!split_name(&raw))
        return bad(err, "a section of a parameter has no legal number");
    if (!skip(&r->p))
        return bad(err, "a comment does not end");
    if (*r->p++ != '=')
        return bad(err, "a parameter has no value");
    if (!skip(&r->p))
        return bad(err, "a comment does not end");
    file_name = is_file_name(raw.name);
    if (*r->p != '"')
        read_unquoted(r, file_name, &raw.text);
    else if (!read_quoted(r, file_name, &raw.text))
        return bad(err, "a quoted text does not end");
    return r->arena->failed ? out_of_memory(err) : add(r, &raw, err);
}

static bool read_params(struct reader *r, struct err *err)
{
    for (;;) {
        if (!skip(&r->p))
            return bad(err, "a comment does not end");
        if (*r->p == '\0')
            return true;
        if (*r->p != ';')
            return bad(err, "something that is no parameter, or quotes are missing");
        r->p++;
        if (!skip(&r->p))
            return bad(err, "a comment does not end");
        if (*r->p != '\0' && *r->p != ';' && !read_param(r, err))
            return false;
    }
}

/* ---- RFC 2231 --------------------------------------------------------------------------- */

static size_t percent_decode(struct span in, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '%' && in.n - i > 2 && text_hex(in.p[i + 1]) >= 0 &&
            text_hex(in.p[i + 2]) >= 0) {
            out[n++] = (uint8_t)(text_hex(in.p[i + 1]) << 4 | text_hex(in.p[i + 2]));
            i += 2;
        } else {
            out[n++] = in.p[i];
        }
    }
    return n;
}

/* Cuts "charset'language'" off; without both quotes there is none. */
static struct span take_charset(struct span *text)
{
    const uint8_t *first = memchr(text->p, '\'', text->n), *second;
    struct span charset = { text->p, 0 };

    if (first == NULL)
        return charset;
    second = memchr(first + 1, '\'', (size_t)(text->p + text->n - first - 1));
    if (second == NULL)
        return charset;
    charset.n = (size_t)(first - text->p);
    span_skip(text, (size_t)(second - text->p) + 1);
    return charset;
}

static const struct raw *find(const struct reader *r, const char *name, int section,
                              bool extended)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->raw[i].section == section &&
            (section != PLAIN || r->raw[i].extended == extended) &&
            strcmp(r->raw[i].name, name) == 0)
            return &r->raw[i];
    return NULL;
}

/* Joins parts[n] of a value and decodes them when one is extended. NULL: memory is out. */
static const char *join(struct reader *r, const struct raw *const *parts, size_t n,
                        bool *extended)
{
    struct span charset = span_text("");
    size_t total = 0, used = 0;
    uint8_t *octets;

    for (size_t i = 0; i < n; i++)
        total += parts[i]->text.n;
    octets = arena_take(r->arena, total + 1);
    if (octets == NULL)
        return NULL;
    *extended = false;
    for (size_t i = 0; i < n; i++) {
        struct span text = parts[i]->text;

        if (parts[i]->extended) {
            *extended = true;
            if (i == 0)
                charset = take_charset(&text);
            used += percent_decode(text, octets + used);
        } else if (text.n > 0) {
            memcpy(octets + used, text.p, text.n);
            used += text.n;
        }
    }
    if (!*extended)
        return (const char *)octets;
    return mime_text_utf8(span_of(octets, used), text_may_be_utf8(charset), r->arena);
}

/* The value of name in one of its three forms; *value NULL: it is not there in that form. */
static bool form(struct reader *r, const char *name, int which, const char **value,
                 bool *extended, struct err *err)
{
    const struct raw *parts[SECTIONS_MAX];
    size_t n = 0, all = 0;

    *value = NULL;
    if (which == 1) {
        for (size_t i = 0; i < r->n; i++)
            all += r->raw[i].section != PLAIN && strcmp(r->raw[i].name, name) == 0;
        while (n < all && (parts[n] = find(r, name, (int)n, false)) != NULL)
            n++;
        if (n < all)
            return FAIL(err, FAIL_PEER, 0,
                        "MIME header value: section %zu of parameter \"%.60s\" is missing", n,
                        name);
    } else {
        parts[0] = find(r, name, PLAIN, which == 0);
        n = parts[0] != NULL;
    }
    if (n > 0)
        *value = join(r, parts, n, extended);
    return n == 0 || *value != NULL || out_of_memory(err);
}

/* "name*" goes before "name*0", that before "name" (RFC 5987 4.2). Other values than the best are
 * borne only in file names: with a boundary they would be somebody else's message. */
static bool settle(struct reader *r, const char *name, struct mime_param *p, struct err *err)
{
    p->name = name;
    for (int which = 0; which < 3; which++) {
        const char *value;
        bool extended;

        if (!form(r, name, which, &value, &extended, err))
            return false;
        if (value != NULL && p->value == NULL) {
            p->value = value;
            p->extended = extended;
        } else if (value != NULL && !is_file_name(name) && strcmp(value, p->value) != 0) {
            return FAIL(err, FAIL_PEER, 0,
                        "MIME header value: parameter \"%.60s\" is there in two forms, with "
                        "different values",
                        name);
        }
    }
    return true;
}

/* ---- the whole -------------------------------------------------------------------------- */

/* "type/subtype" or "attachment" */
static bool read_value(struct reader *r, const char **out, struct err *err)
{
    char *value = arena_take(r->arena, strlen(r->p) + 1);
    size_t n = 0;
    bool slash = false;

    if (value == NULL)
        return out_of_memory(err);
    for (;;) {
        if (!skip(&r->p))
            return bad(err, "a comment does not end");
        while (is_token(*r->p))
            value[n++] = *r->p++;
        if (!skip(&r->p))
            return bad(err, "a comment does not end");
        if (*r->p != '/' || slash || n == 0)
            break;
        slash = true;
        value[n++] = *r->p++;
    }
    if (n == 0 || value[n - 1] == '/')
        return bad(err, "it does not begin with a type");
    lower(value);
    *out = value;
    return true;
}

bool mime_value_read(const char *text, struct arena *a, struct mime_value *v, struct err *err)
{
    struct reader r = { .p = text, .arena = a };
    struct mime_value out = { 0 };

    if (!read_value(&r, &out.value, err) || !read_params(&r, err))
        return false;
    for (size_t i = 0; i < r.n; i++) {
        if (mime_param(&out, r.raw[i].name) != NULL)
            continue;
        if (!settle(&r, r.raw[i].name, &out.params[out.n], err))
            return false;
        out.n++;
    }
    *v = out;
    return true;
}

const char *mime_param(const struct mime_value *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->params[i].name, name) == 0)
            return v->params[i].value;
    return NULL;
}
