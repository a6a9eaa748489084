/* A line is made whole in a buffer of at most PIPE_BUF octets and handed over by one write(2):
 * so lines of threads never mix, not even in a pipe shared with other programs. */
#include "net/log_count.h"

#include "base/writer.h"
#include "net/net.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_CAP = PIPE_BUF, /* octets of one line: more would not be written in one piece */
    VALUE_MAX = 1024,    /* octets of one value before escaping: one long value must not
                          * push out the keys after it */
    TAIL = 16,           /* kept free for the mark of a cut line and its end */
    NUMBERS = 16,        /* log_num's ring */
};

static atomic_int level_now = LOG_INFO;
static atomic_bool json_now;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_setup(const char *level, const char *format)
{
    enum log_level l = LOG_INFO;

    if (level != NULL)
        (void)log_level_of(level, &l);
    log_level_set(l);
    atomic_store(&json_now, format != NULL && strcmp(format, "json") == 0);
}

void log_level_set(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

enum log_level log_level_base(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_of(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_on(enum log_level level)
{
    return log_level_for(NULL) >= level;
}

/* The value of `partner` among the pairs. */
static const char *partner_of(va_list ap)
{
    const char *key;

    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);

        if (strcmp(key, "partner") == 0)
            return value;
    }
    return NULL;
}

/* ---- escaping --------------------------------------------------------------------------- */

/* The octets of the UTF-8 character at the front of s and its code; 0 when it is none. */
static size_t utf8_take(struct span s, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t c = s.p[0];
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    uint32_t v;

    if (n == 1) {
        *code = c;
        return 1;
    }
    if ((n == 4 && (c & 0xf8) != 0xf0) || s.n < n)
        return 0;
    v = c & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (s.p[i] & 0x3fU);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *code = v;
    return n;
}

/* What could end the line, move a terminal's cursor, or turn the reading direction so that a
 * line shows other than it is. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* JSON has no \x: there the backslash itself is doubled, and `\xff` is what a reader sees. */
static void put_hex(struct writer *w, uint8_t c, bool json)
{
    char text[8];
    int n = snprintf(text, sizeof(text), json ? "\\\\x%02x" : "\\x%02x", c);

    writer_put(w, text, (size_t)n);
}

static void put_escaped(struct writer *w, struct span s, bool json)
{
    while (s.n > 0) {
        uint32_t code = 0;
        size_t n = utf8_take(s, &code);

        if (n == 0 || is_unsafe(code)) {
            size_t bad = n == 0 ? 1 : n;

            if (s.p[0] == '\n' || s.p[0] == '\r' || s.p[0] == '\t') {
                writer_put(w, s.p[0] == '\n' ? "\\n" : s.p[0] == '\r' ? "\\r" : "\\t", 2);
            } else {
                for (size_t i = 0; i < bad; i++)
                    put_hex(w, s.p[i], json);
            }
            span_skip(&s, bad);
            continue;
        }
        if (code == '"' || code == '\\')
            writer_u8(w, '\\');
        writer_put(w, s.p, n);
        span_skip(&s, n);
    }
}

static bool is_bare(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=')
            return false;
    }
    return s.n > 0;
}

static void put_value(struct writer *w, const char *value, bool json)
{
    struct span s = span_text(value);
    bool cut = s.n > VALUE_MAX;

    if (cut)
        s.n = VALUE_MAX;
    if (!json && !cut && is_bare(s)) {
        writer_put(w, s.p, s.n);
        return;
    }
    writer_u8(w, '"');
    put_escaped(w, s, json);
    if (cut)
        writer_put(w, "...", 3);
    writer_u8(w, '"');
}

/* ---- lines ------------------------------------------------------------------------------ */

static void put_text(struct writer *w, const char *text)
{
    writer_put(w, text, strlen(text));
}

static void put_pair(struct writer *w, const char *key, const char *value, bool json)
{
    put_text(w, json ? ",\"" : " ");
    put_text(w, key);
    put_text(w, json ? "\":" : "=");
    put_value(w, value, json);
}

static void put_head(struct writer *w, enum log_level level, const char *event, bool json)
{
    char time[25];

    net_time_text(net_wall_ms(), time);
    if (json) {
        put_text(w, "{\"time\":\"");
        put_text(w, time);
        put_text(w, "\",\"level\":\"");
        put_text(w, level_names[level]);
        put_text(w, "\",\"event\":\"");
        put_text(w, event);
        put_text(w, "\"");
        return;
    }
    put_text(w, time);
    put_text(w, " ");
    put_text(w, level_names[level]);
    put_text(w, " ");
    put_text(w, event);
}

/* Nobody can be told when this fails. */
static void send_line(struct span line)
{
    while (line.n > 0) {
        ssize_t n = write(STDERR_FILENO, line.p, line.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        span_skip(&line, (size_t)n);
    }
}

void log_event(enum log_level level, const char *event, ...)
{
    bool json = atomic_load_explicit(&json_now, memory_order_relaxed);
    int errno_before = errno; /* callers may log and then look at it */
    char buffer[LINE_CAP];
    struct writer w = writer_of(buffer, sizeof(buffer) - TAIL);
    const char *key;
    bool cut = false, wanted;
    va_list ap;

    if (level <= LOG_WARN) {
        va_start(ap, event);
        log_count_add(level, event, ap);
        va_end(ap);
    }
    va_start(ap, event);
    wanted = log_level_for(partner_of(ap)) >= level;
    va_end(ap);
    if (!wanted)
        return;
    put_head(&w, level, event, json);
    va_start(ap, event);
    while ((key = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        size_t whole = w.n;

        if (value == NULL)
            continue;
        put_pair(&w, key, value, json);
        if (!writer_ok(&w)) { /* half a pair would not parse */
            w.n = whole;
            w.failed = false;
            cut = true;
        }
    }
    va_end(ap);
    w.cap = sizeof(buffer);
    if (cut)
        put_text(&w, json ? ",\"cut\":true" : " cut=true");
    put_text(&w, json ? "}\n" : "\n");
    send_line(writer_done(&w));
    errno = errno_before;
}

const char *log_num(long long v)
{
    static _Thread_local char ring[NUMBERS][24];
    static _Thread_local unsigned next;
    char *text = ring[next++ % NUMBERS];

    (void)snprintf(text, sizeof(ring[0]), "%lld", v);
    return text;
}
