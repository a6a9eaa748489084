/* The field types of RFC 5024 5.2, 5.3 and 5.4, and the alphabets they are made of. */
#include "oftp/field_int.h"

static bool is_printable(uint8_t c)
{
    return c >= 0x20 && c <= 0x7E;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* RFC 5024 5.2, without the blank, which only pads. */
static bool is_x(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("/-.&()", c) != NULL);
}

static bool all_printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_printable(s.p[i]))
            return false;
    }
    return true;
}

static bool all_digits(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
    }
    return true;
}

static bool all_blank(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != ' ')
            return false;
    }
    return true;
}

bool oftp_x_valid(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);

    for (size_t i = 0; i < n; i++) {
        if (!is_x(text[i]))
            return false;
    }
    return n >= 1 && n <= max;
}

bool oftp_code_valid(const char *code)
{
    size_t n = strnlen(code, OFTP_CODE + 1);

    for (size_t i = 0; i < n; i++) {
        if (!is_x(code[i]) && code[i] != ' ')
            return false;
    }
    return n >= 1 && n <= OFTP_CODE && code[0] != ' ' && code[n - 1] != ' ';
}

void oftp_dsn_from(char *dsn, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n < OFTP_DSN; text++) {
        uint8_t c = (uint8_t)*text;

        if ((c & 0xC0) == 0x80)
            continue; /* the rest of a UTF-8 character whose first octet gave the '-' */
        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 'a' + 'A');
        dsn[n++] = is_x((char)c) ? (char)c : '-';
    }
    if (n == 0)
        dsn[n++] = '-';
    dsn[n] = '\0';
}

size_t oftp_utf8_cut(const char *text, size_t n, size_t max)
{
    size_t cut = max;

    if (n <= max)
        return n;
    while (cut > 0 && max - cut < 4 && ((uint8_t)text[cut] & 0xC0) == 0x80)
        cut--;
    /* Four octets that all continue a character are not UTF-8: any place is as good. */
    return ((uint8_t)text[cut] & 0xC0) == 0x80 ? max : cut;
}

/* ---- from the wire ---------------------------------------------------------------------- */

static void take_fail(struct take *t, const char *name, size_t at, const char *want)
{
    if (t->name == NULL) {
        t->name = name;
        t->at = at;
        t->want = want;
    }
    t->r.failed = true;
}

struct span take_octets(struct take *t, const char *name, size_t n)
{
    size_t at = t->size - t->r.left.n;
    struct span s = reader_take(&t->r, n);

    if (!reader_ok(&t->r))
        take_fail(t, name, at, NULL);
    return s;
}

void take_refuse(struct take *t, const char *name, size_t n, const char *want)
{
    take_fail(t, name, t->size - t->r.left.n - n, want);
}

struct take take_command(struct span oeb, char command, const char *name)
{
    struct take t = { .r = reader_of(oeb), .size = oeb.n };
    struct span s = take_octets(&t, name, 1);

    if (s.n == 1 && s.p[0] != (uint8_t)command)
        take_refuse(&t, name, 1, "its command octet");
    return t;
}

bool take_ended(const struct take *t)
{
    return reader_ok(&t->r) && t->r.left.n == 0;
}

bool take_done(const struct take *t, struct err *err)
{
    if (t->name == NULL)
        return true;
    if (t->want == NULL)
        return FAIL(err, FAIL_PEER, ESID_SIZE,
                    "%s at octet %zu does not fit in the %zu received", t->name, t->at,
                    t->size);
    return FAIL(err, FAIL_PEER, ESID_INVALID_DATA, "%s at octet %zu must hold %s", t->name,
                t->at, t->want);
}

void take_reserved(struct take *t, const char *name, size_t n)
{
    (void)take_octets(t, name, n);
}

void take_x(struct take *t, const char *name, char *text, size_t n)
{
    struct span s = take_octets(t, name, n);

    if (!all_printable(s)) {
        take_refuse(t, name, n, "printable ASCII");
        s.n = 0;
    }
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    if (s.n > 0)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
}

char take_one_of(struct take *t, const char *name, const char *allowed)
{
    struct span s = take_octets(t, name, 1);

    if (s.n == 0)
        return '\0';
    if (s.p[0] == '\0' || strchr(allowed, s.p[0]) == NULL) {
        take_refuse(t, name, 1, allowed);
        return '\0';
    }
    return (char)s.p[0];
}

bool take_yes(struct take *t, const char *name)
{
    struct span s = take_octets(t, name, 1);

    if (s.n == 1 && s.p[0] != 'Y' && s.p[0] != 'N')
        take_refuse(t, name, 1, "Y or N");
    return s.n == 1 && s.p[0] == 'Y';
}

uint64_t take_9(struct take *t, const char *name, size_t n)
{
    struct span s = take_octets(t, name, n);
    uint64_t v = 0;

    if (all_blank(s))
        return 0;
    if (!all_digits(s)) {
        take_refuse(t, name, n, "digits");
        return 0;
    }
    for (size_t i = 0; i < s.n; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    return v;
}

uint64_t take_9_within(struct take *t, const char *name, size_t n, uint64_t min, uint64_t max,
                       const char *want)
{
    uint64_t v = take_9(t, name, n);

    if (reader_ok(&t->r) && (v < min || v > max))
        take_refuse(t, name, n, want);
    return v;
}

int take_reason(struct take *t, const char *name)
{
    struct span s = take_octets(t, name, 2);

    if (s.n == 0)
        return 0;
    if (!all_digits(s)) {
        take_refuse(t, name, 2, "two digits");
        return 0;
    }
    return (s.p[0] - '0') * 10 + (s.p[1] - '0');
}

void take_stamp(struct take *t, int level, char date[9], char time[11])
{
    bool full = level >= OFTP_14;
    size_t date_n = full ? 8 : 6, time_n = full ? 10 : 6;

    take_x(t, "the file date", date, date_n);
    if (full && reader_ok(&t->r) && (strlen(date) != date_n || !all_digits(span_text(date))))
        take_refuse(t, "the file date", date_n, "digits");
    take_x(t, "the file time", time, time_n);
    if (full && reader_ok(&t->r) && (strlen(time) != time_n || !all_digits(span_text(time))))
        take_refuse(t, "the file time", time_n, "digits");
}

struct span take_t(struct take *t, const char *name)
{
    size_t n = (size_t)take_9(t, name, 3);

    return take_octets(t, name, n);
}

void take_text(struct take *t, const char *name, char text[OFTP_TEXT + 1])
{
    struct span s = take_t(t, name);

    for (size_t i = 0; i < s.n; i++)
        text[i] = s.p[i] == 0 ? ' ' : (char)s.p[i];
    text[s.n] = '\0';
}

struct span take_u(struct take *t, const char *name)
{
    struct span s = take_octets(t, name, 2);

    if (s.n == 0)
        return s;
    return take_octets(t, name, (size_t)(s.p[0] << 8 | s.p[1]));
}

void take_cr(struct take *t, const char *name)
{
    struct span s;

    if (take_ended(t))
        return;
    s = take_octets(t, name, 1);
    if (s.n == 1 && s.p[0] != 0x0D && s.p[0] != 0x8D)
        take_refuse(t, name, 1, "a carriage return");
}

/* ---- to the wire ------------------------------------------------------------------------ */

struct put put_command(struct writer *w, char command)
{
    struct put p = { .w = w, .before = *w };

    writer_u8(w, (uint8_t)command);
    return p;
}

void put_check(struct put *p, bool ok, const char *name, const char *why)
{
    if (ok || p->name != NULL)
        return;
    p->name = name;
    p->why = why;
}

bool put_done(struct put *p, struct err *err)
{
    put_check(p, writer_ok(p->w) && p->w->n - p->before.n <= OFTP_OEB_MAX, "the command",
              "does not fit in its exchange buffer");
    if (p->name == NULL)
        return true;
    *p->w = p->before;
    return FAIL(err, FAIL_LOCAL, 0, "%s %s", p->name, p->why);
}

void put_reserved(struct put *p, size_t n)
{
    writer_fill(p->w, ' ', n);
}

void put_x(struct put *p, const char *name, const char *text, size_t n)
{
    struct span s = span_of(text, strnlen(text, n + 1));

    put_check(p, s.n <= n, name, "is too long for its field");
    put_check(p, all_printable(s), name, "holds something else than printable ASCII");
    if (s.n > n)
        s.n = n;
    writer_put(p->w, s.p, s.n);
    writer_fill(p->w, ' ', n - s.n);
}

void put_code(struct put *p, const char *name, const char *code)
{
    put_check(p, oftp_code_valid(code), name,
              "is no identification code: 1 to 25 of 0-9 A-Z / - . & ( ) and inner blanks");
    put_x(p, name, code, OFTP_CODE);
}

void put_one_of(struct put *p, const char *name, char c, const char *allowed)
{
    put_check(p, c != '\0' && strchr(allowed, c) != NULL, name, "has no such value");
    writer_u8(p->w, (uint8_t)c);
}

void put_yes(struct put *p, bool yes)
{
    writer_u8(p->w, yes ? 'Y' : 'N');
}

void put_9(struct put *p, const char *name, uint64_t v, size_t n)
{
    char digits[20];

    for (size_t i = n; i > 0; i--, v /= 10)
        digits[i - 1] = (char)('0' + v % 10);
    put_check(p, v == 0, name, "is too large for its field at this level");
    writer_put(p->w, digits, n);
}

void put_reason(struct put *p, const char *name, int reason)
{
    put_check(p, reason >= 0 && reason <= 99, name, "is not within 0 and 99");
    put_9(p, name, reason >= 0 && reason <= 99 ? (uint64_t)reason : 99, 2);
}

void put_stamp(struct put *p, int level, const char *date, const char *time)
{
    bool full = level >= OFTP_14;

    put_check(p, !full || (strlen(date) == 8 && all_digits(span_text(date))), "the file date",
              "is not CCYYMMDD");
    put_check(p, !full || (strlen(time) == 10 && all_digits(span_text(time))), "the file time",
              "is not HHMMSScccc");
    put_x(p, "the file date", date, full ? 8 : 6);
    put_x(p, "the file time", time, full ? 10 : 6);
}

void put_t(struct put *p, const char *name, const char *text, size_t n)
{
    size_t cut = oftp_utf8_cut(text, n, OFTP_TEXT);

    put_9(p, name, cut, 3);
    writer_put(p->w, text, cut);
}

void put_text(struct put *p, const char *name, const char text[OFTP_TEXT + 1])
{
    put_t(p, name, text, strnlen(text, OFTP_TEXT + 1));
}

void put_u(struct put *p, const char *name, struct span octets)
{
    put_check(p, octets.n <= UINT16_MAX, name, "is longer than 65535 octets");
    if (octets.n > UINT16_MAX)
        return;
    writer_u16(p->w, (uint16_t)octets.n);
    writer_put(p->w, octets.p, octets.n);
}
