/* Exchange buffers as lines for people: traces and test scripts. Reads the layout tables below and
 * not the commands' readers, so that a malformed command is shown as far as it goes. */
#include "base/reader.h"
#include "oftp/oftp.h"

#include <stdarg.h>
#include <stdio.h>

enum kind {
    END,
    RESERVED, /* octets nobody looks at, CR included           */
    TEXT,     /* X, and 9 whose zeros matter (stamps, reasons) */
    NUMBER,   /* 9                                             */
    SECRET,
    LONG_TEXT,   /* length 9(3), T */
    HEX,         /* length U(2), U */
    SIZE,        /* the same, only its length shown */
    SECRET_SIZE, /* the same, marked as hidden      */
};

struct field {
    const char *name;
    enum kind kind;
    uint8_t n;
};

static const struct field ssrm[] = { { "msg", TEXT, 17 }, { "cr", RESERVED, 1 }, { 0 } };
static const struct field ssid[] = {
    { "lev", NUMBER, 1 },   { "code", TEXT, 25 },
    { "pswd", SECRET, 8 },  { "sdeb", NUMBER, 5 },
    { "sr", TEXT, 1 },      { "cmpr", TEXT, 1 },
    { "rest", TEXT, 1 },    { "spec", TEXT, 1 },
    { "cred", NUMBER, 3 },  { "auth", TEXT, 1 },
    { "rsv", RESERVED, 4 }, { "user", TEXT, 8 },
    { "cr", RESERVED, 1 },  { 0 },
};
static const struct field ssid_1x[] = {
    { "lev", NUMBER, 1 },
    { "code", TEXT, 25 },
    { "pswd", SECRET, 8 },
    { "sdeb", NUMBER, 5 },
    { "sr", TEXT, 1 },
    { "cmpr", TEXT, 1 },
    { "rest", TEXT, 1 },
    { "spec", TEXT, 1 },
    { "cred", NUMBER, 3 },
    { "rsv", RESERVED, 5 },
    { "user", TEXT, 8 },
    { "cr", RESERVED, 1 },
    { 0 },
};
static const struct field sfid[] = {
    { "dsn", TEXT, 26 },
    { "rsv", RESERVED, 3 },
    { "date", TEXT, 8 },
    { "time", TEXT, 10 },
    { "user", TEXT, 8 },
    { "dest", TEXT, 25 },
    { "orig", TEXT, 25 },
    { "fmt", TEXT, 1 },
    { "lrecl", NUMBER, 5 },
    { "fsiz", NUMBER, 13 },
    { "osiz", NUMBER, 13 },
    { "rest", NUMBER, 17 },
    { "sec", TEXT, 2 },
    { "ciph", TEXT, 2 },
    { "comp", TEXT, 1 },
    { "env", TEXT, 1 },
    { "sign", TEXT, 1 },
    { "desc", LONG_TEXT, 0 },
    { 0 },
};
static const struct field sfid_14[] = {
    { "dsn", TEXT, 26 },    { "rsv", RESERVED, 3 }, { "date", TEXT, 8 },   { "time", TEXT, 10 },
    { "user", TEXT, 8 },    { "dest", TEXT, 25 },   { "orig", TEXT, 25 },  { "fmt", TEXT, 1 },
    { "lrecl", NUMBER, 5 }, { "fsiz", NUMBER, 7 },  { "rest", NUMBER, 9 }, { 0 },
};
static const struct field sfid_12[] = {
    { "dsn", TEXT, 26 },    { "rsv", RESERVED, 9 }, { "date", TEXT, 6 },   { "time", TEXT, 6 },
    { "user", TEXT, 8 },    { "dest", TEXT, 25 },   { "orig", TEXT, 25 },  { "fmt", TEXT, 1 },
    { "lrecl", NUMBER, 5 }, { "fsiz", NUMBER, 7 },  { "rest", NUMBER, 9 }, { 0 },
};
static const struct field sfpa[] = { { "acnt", NUMBER, 17 }, { 0 } };
static const struct field sfpa_1x[] = { { "acnt", NUMBER, 9 }, { 0 } };
static const struct field sfna[] = {
    { "reas", TEXT, 2 }, { "rrtr", TEXT, 1 }, { "reast", LONG_TEXT, 0 }, { 0 }
};
static const struct field sfna_1x[] = { { "reas", TEXT, 2 }, { "rrtr", TEXT, 1 }, { 0 } };
static const struct field efid[] = { { "rcnt", NUMBER, 17 }, { "ucnt", NUMBER, 17 }, { 0 } };
static const struct field efid_1x[] = { { "rcnt", NUMBER, 9 }, { "ucnt", NUMBER, 12 }, { 0 } };
static const struct field efpa[] = { { "cd", TEXT, 1 }, { 0 } };
static const struct field efna[] = { { "reas", TEXT, 2 }, { "reast", LONG_TEXT, 0 }, { 0 } };
static const struct field efna_1x[] = { { "reas", TEXT, 2 }, { 0 } };
static const struct field esid[] = {
    { "reas", TEXT, 2 }, { "reast", LONG_TEXT, 0 }, { "cr", RESERVED, 1 }, { 0 }
};
static const struct field esid_1x[] = { { "reas", TEXT, 2 }, { "cr", RESERVED, 1 }, { 0 } };
static const struct field eerp[] = {
    { "dsn", TEXT, 26 },  { "rsv", RESERVED, 3 },
    { "date", TEXT, 8 },  { "time", TEXT, 10 },
    { "user", TEXT, 8 },  { "dest", TEXT, 25 },
    { "orig", TEXT, 25 }, { "hsh", HEX, 0 },
    { "sig", SIZE, 0 },   { 0 },
};
static const struct field eerp_14[] = {
    { "dsn", TEXT, 26 }, { "rsv", RESERVED, 3 }, { "date", TEXT, 8 },  { "time", TEXT, 10 },
    { "user", TEXT, 8 }, { "dest", TEXT, 25 },   { "orig", TEXT, 25 }, { 0 },
};
static const struct field eerp_12[] = {
    { "dsn", TEXT, 26 }, { "rsv", RESERVED, 9 }, { "date", TEXT, 6 },  { "time", TEXT, 6 },
    { "user", TEXT, 8 }, { "dest", TEXT, 25 },   { "orig", TEXT, 25 }, { 0 },
};
static const struct field nerp[] = {
    { "dsn", TEXT, 26 },  { "rsv", RESERVED, 6 }, { "date", TEXT, 8 },
    { "time", TEXT, 10 }, { "dest", TEXT, 25 },   { "orig", TEXT, 25 },
    { "crea", TEXT, 25 }, { "reas", TEXT, 2 },    { "reast", LONG_TEXT, 0 },
    { "hsh", HEX, 0 },    { "sig", SIZE, 0 },     { 0 },
};
static const struct field nerp_1x[] = {
    { "dsn", TEXT, 26 },  { "rsv", RESERVED, 6 }, { "date", TEXT, 8 },
    { "time", TEXT, 10 }, { "dest", TEXT, 25 },   { "orig", TEXT, 25 },
    { "crea", TEXT, 25 }, { "reas", TEXT, 2 },    { 0 },
};
static const struct field auch[] = { { "chal", SECRET_SIZE, 0 }, { 0 } };
static const struct field aurp[] = { { "rsp", SECRET, 20 }, { 0 } };
static const struct field cdt[] = { { "rsv", RESERVED, 2 }, { 0 } };
static const struct field bare[] = { { 0 } };

/* By command octet: levels 1 and 2, level 4, level 5. */
static const struct layout {
    char octet;
    const char *name;
    const struct field *at_12, *at_14, *at_20;
} layouts[] = {
    { 'I', "SSRM", ssrm, ssrm, ssrm },       { 'X', "SSID", ssid_1x, ssid_1x, ssid },
    { 'J', "SECD", bare, bare, bare },       { 'A', "AUCH", auch, auch, auch },
    { 'S', "AURP", aurp, aurp, aurp },       { 'H', "SFID", sfid_12, sfid_14, sfid },
    { '2', "SFPA", sfpa_1x, sfpa_1x, sfpa }, { '3', "SFNA", sfna_1x, sfna_1x, sfna },
    { 'C', "CDT", cdt, cdt, cdt },           { 'T', "EFID", efid_1x, efid_1x, efid },
    { '4', "EFPA", efpa, efpa, efpa },       { '5', "EFNA", efna_1x, efna_1x, efna },
    { 'F', "ESID", esid_1x, esid_1x, esid }, { 'R', "CD", bare, bare, bare },
    { 'E', "EERP", eerp_12, eerp_14, eerp }, { 'N', "NERP", nerp_1x, nerp_1x, nerp },
    { 'P', "RTR", bare, bare, bare },
};

struct line {
    char *text;
    size_t cap, n; /* n stays below cap: the line is cut there */
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *l, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(l->text + l->n, l->cap - l->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->n = (size_t)n < l->cap - l->n ? l->n + (size_t)n : l->cap - 1;
}

static bool is_plain(uint8_t c)
{
    return c > 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* Quoted where blanks or escapes would blur where the value ends. */
static void add_value(struct line *l, struct span s)
{
    bool quoted = false;

    for (size_t i = 0; i < s.n && !quoted; i++)
        quoted = !is_plain(s.p[i]);
    if (quoted)
        add(l, "\"");
    for (size_t i = 0; i < s.n && l->n + 1 < l->cap; i++) {
        if (is_plain(s.p[i]) || s.p[i] == ' ')
            add(l, "%c", s.p[i]);
        else
            add(l, "\\x%02x", s.p[i]);
    }
    if (quoted)
        add(l, "\"");
}

static struct span trimmed(struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static struct span without_zeros(struct span s)
{
    while (s.n > 1 && s.p[0] == '0')
        span_skip(&s, 1);
    return s;
}

/* The octets a field's own length announces. What is no number announces more than there is. */
static size_t announced(struct reader *r, enum kind kind)
{
    struct span s;
    size_t n = 0;

    if (kind != LONG_TEXT)
        return reader_u16(r);
    s = reader_take(r, 3);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return SIZE_MAX;
        n = n * 10 + (size_t)(s.p[i] - '0');
    }
    return n;
}

static void add_field(struct line *l, const struct field *f, struct span s)
{
    if (f->kind == RESERVED)
        return;
    add(l, " %s=", f->name);
    switch (f->kind) {
    case TEXT:
        add_value(l, trimmed(s));
        break;
    case NUMBER:
        add_value(l, without_zeros(s));
        break;
    case LONG_TEXT:
        add_value(l, s);
        break;
    case HEX:
        for (size_t i = 0; i < s.n && l->n + 1 < l->cap; i++)
            add(l, "%02x", s.p[i]);
        break;
    case SIZE:
        add(l, "(%zu octets)", s.n);
        break;
    case SECRET_SIZE:
        add(l, "*** (%zu octets)", s.n);
        break;
    default:
        add(l, "***");
    }
}

static void add_fields(struct line *l, const struct field *f, struct span octets)
{
    struct reader r = reader_of(octets);

    for (; f->kind != END; f++) {
        size_t left = r.left.n, n = f->n;
        struct span s;

        if (n == 0)
            n = announced(&r, f->kind);
        s = reader_take(&r, n);
        if (!reader_ok(&r)) {
            add(l, " (ends %s %s)", left == 0 ? "before" : "inside", f->name);
            return;
        }
        add_field(l, f, s);
    }
    if (r.left.n > 0)
        add(l, " (and %zu octets more)", r.left.n);
}

/* SSID tells its own level and ESID shows it by its length; both come before one is agreed. */
static int level_of(struct span oeb, int level)
{
    if (oeb.p[0] == 'X' && oeb.n > 1)
        return oeb.p[1] >= '0' + OFTP_20 ? OFTP_20 : OFTP_12;
    if (oeb.p[0] == 'F')
        return oeb.n > 4 ? OFTP_20 : OFTP_12;
    return level == 0 ? OFTP_20 : level;
}

void oftp_describe(struct span oeb, int level, char *text, size_t cap)
{
    struct line l = { text, cap, 0 };

    if (cap == 0)
        return;
    text[0] = '\0';
    if (oeb.n == 0) {
        add(&l, "nothing");
        return;
    }
    if (oeb.p[0] == 'D') {
        add(&l, "DATA (%zu octets)", oeb.n - 1);
        return;
    }
    level = level_of(oeb, level);
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        const struct layout *y = &layouts[i];

        if ((uint8_t)y->octet != oeb.p[0])
            continue;
        add(&l, "%s", y->name);
        add_fields(&l,
                   level >= OFTP_20   ? y->at_20
                   : level >= OFTP_14 ? y->at_14
                                      : y->at_12,
                   span_of(oeb.p + 1, oeb.n - 1));
        return;
    }
    add(&l, "unknown command %02x (%zu octets)", oeb.p[0], oeb.n);
}
