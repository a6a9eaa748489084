/* An OFTP2 initiator (RFC 5024) that logs on, and sends plain files one after the other. */
#include "crowd.h"

#include <string.h>
#include <time.h>

enum { STH = 4, BUFFER_MAX = 99999, AHEAD = 256 * 1024 };

static void frame(struct client *c, size_t n)
{
    uint8_t head[STH] = { 0x10, (uint8_t)((n + STH) >> 16), (uint8_t)((n + STH) >> 8),
                          (uint8_t)(n + STH) };

    put(c, head, sizeof(head));
}

static void command(struct client *c, const char *text)
{
    size_t n = strlen(text);

    frame(c, n);
    put(c, text, n);
}

static void start(struct client *c)
{
    (void)c; /* the responder speaks first */
}

static void ssid(struct client *c)
{
    char text[80], code[32];

    code_of(c, code);
    (void)snprintf(text, sizeof(text), "X5%-25s%-8s%05uBNNN%03uN    %-8s\r", code,
                   c->crowd->password, BUFFER_MAX, 999U, "");
    command(c, text);
}

static void document(struct client *c)
{
    char text[200], stamp[24], code[32];
    struct timespec t;
    struct tm tm;
    uint64_t kb = (c->crowd->size + 1023) / 1024;

    code_of(c, code);
    (void)clock_gettime(CLOCK_REALTIME, &t);
    (void)gmtime_r(&t.tv_sec, &tm);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
    (void)snprintf(text, sizeof(text),
                   "HC%05u-%-19u   %s%04u%-8s%-25s%-25sU00000%013llu%013llu%017u000000N000",
                   c->number, c->documents++, stamp, (unsigned)(t.tv_nsec / 100000), "",
                   c->crowd->own, code, (unsigned long long)kb, (unsigned long long)kb, 0U);
    command(c, text);
    c->left = c->crowd->size;
}

/* One DATA buffer of subrecords of 63 octets. */
static void data(struct client *c)
{
    static uint8_t buffer[BUFFER_MAX];
    size_t n = 1, cap = c->sdeb < sizeof(buffer) ? c->sdeb : sizeof(buffer);

    buffer[0] = 'D';
    while (c->left > 0 && cap - n >= 2) {
        size_t part = c->left < 63 ? (size_t)c->left : 63;

        if (part > cap - n - 1)
            part = cap - n - 1;
        c->left -= part;
        buffer[n++] = (uint8_t)(part | (c->left == 0 ? 0x80 : 0));
        memset(buffer + n, 'A' + (int)(c->left % 26), part);
        n += part;
    }
    frame(c, n);
    put(c, buffer, n);
    c->credit_left--;
}

static void end_of_file(struct client *c)
{
    char text[48];

    c->sending = false;
    (void)snprintf(text, sizeof(text), "T%017u%017llu", 0U, (unsigned long long)c->crowd->size);
    command(c, text);
}

static void more(struct client *c)
{
    while (c->sending && c->out_n - c->out_at < AHEAD && c->credit_left > 0) {
        if (c->left > 0)
            data(c);
        if (c->left == 0)
            end_of_file(c);
    }
}

static unsigned number(const uint8_t *p, size_t n)
{
    unsigned v = 0;

    for (size_t i = 0; i < n; i++)
        v = v * 10 + (unsigned)(p[i] - '0') % 10;
    return v;
}

/* Their turn came to us. */
static void turn(struct client *c)
{
    c->mine = true;
    if (c->step == STEP_BUSY && c->left == 0 && !c->sending)
        c->step = STEP_READY; /* its receipt comes later */
}

static bool act(struct client *c, const uint8_t *p, size_t n)
{
    switch (p[0]) {
    case 'I': /* who is slow or silent does not answer it */
        if (strcmp(c->crowd->mode, "sessions") == 0)
            ssid(c);
        return true;
    case 'X':
        if (n < 43)
            return false;
        c->sdeb = number(p + 35, 5);
        c->credit = c->credit_left = number(p + 44, 3);
        c->mine = true;
        ready(c);
        return true;
    case '2':
        c->sending = true;
        c->credit_left = c->credit;
        more(c);
        return true;
    case 'C':
        c->credit_left = c->credit;
        more(c);
        return true;
    case '4':
        taken(c);
        c->mine = false;
        command(c, "R");
        return true;
    case 'E':
    case 'N':
        settled(c, p[0] == 'E');
        command(c, "P");
        return true;
    case 'R':
        turn(c);
        return true;
    case 'F': /* 00: they had nothing to do, as when another session took the receipt */
        if (n < 3 || memcmp(p + 1, "00", 2) != 0)
            refused(c, (int)number(p + 1, n >= 3 ? 2 : 0), (const char *)p, n);
        return false;
    default: /* SFNA, EFNA and what nobody asked for */
        refused(c, 0, (const char *)p, n);
        return false;
    }
}

static ptrdiff_t input(struct client *c, const uint8_t *p, size_t n)
{
    size_t length;

    if (n < STH)
        return 0;
    length = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (p[0] != 0x10 || length <= STH || length > IN_CAP)
        return -1;
    if (n < length)
        return 0;
    return act(c, p + STH, length - STH) ? (ptrdiff_t)length : -1;
}

/* A stream transmission buffer of 61 octets, and before its end the clock has run out. */
static uint8_t drip(unsigned n)
{
    static const uint8_t head[STH] = { 0x10, 0, 0, 65 };

    return n < STH ? head[n] : n == STH ? 'X' : '5';
}

const struct protocol oftp2 = { input, start, document, more, drip };
