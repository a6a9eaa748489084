/* Numbers, times and foreign text for people. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

void cli_size_text(uint64_t octets, char text[16])
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    double v = (double)octets;
    size_t u = 0;

    if (octets < 1000) {
        (void)snprintf(text, 16, "%u B", (unsigned)octets);
        return;
    }
    /* 999.95 would be rounded up to 1000.0 of the smaller unit */
    for (v /= 1000; v >= 999.95 && u + 1 < COUNT_OF(units); u++)
        v /= 1000;
    (void)snprintf(text, 16, "%.1f %s", v, units[u]);
}

const char *cli_time_text(struct cli *c, const char *time)
{
    if (strlen(time) < 20)
        return time;
    return cli_printf(c, "%.10s %.8sZ", time, time + 11);
}

bool cli_duration_of(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {
        { "", 1000 },       { "ms", 1 },          { "s", 1000 },
        { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
    };
    unsigned long long n;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    n = strtoull(text, &end, 10);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        if (errno != 0 || n > INT64_MAX / units[i].ms)
            return false;
        *ms = n * units[i].ms;
        return true;
    }
    return false;
}

/* Octets at s that a terminal might act on: C0, DEL, and C1 in its UTF-8 form. */
static size_t control(const unsigned char *s)
{
    if (*s < 0x20 || *s == 0x7F)
        return 1;
    return s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0 ? 2 : 0;
}

char *cli_safe(const char *text)
{
    char *out = cli_have(malloc(4 * strlen(text) + 1)), *p = out;

    while (*text != '\0') {
        size_t n = control((const unsigned char *)text);

        if (n == 0)
            *p++ = *text++;
        for (; n > 0; n--, text++)
            p += sprintf(p, "\\x%02X", (unsigned char)*text);
    }
    *p = '\0';
    return out;
}

void cli_put_safe(FILE *f, const char *text)
{
    char *safe = cli_safe(text);

    fputs(safe, f);
    free(safe);
}
