/* Times as people and RFC 3339 write them, to milliseconds since 1970. */
#include "api/json.h"

#include <stdlib.h>
#include <time.h>

static bool digits(const char **p, int n, int min, int max, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        v = v * 10 + (**p - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

static bool literal(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* "10:15[:00[.123]]" */
static bool clock_of(const char **p, struct tm *tm, int *ms)
{
    int scale = 100;

    if (!digits(p, 2, 0, 23, &tm->tm_hour) || !literal(p, ':') ||
        !digits(p, 2, 0, 59, &tm->tm_min))
        return false;
    if (!literal(p, ':'))
        return true;
    if (!digits(p, 2, 0, 60, &tm->tm_sec))
        return false;
    if (!literal(p, '.'))
        return true;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ms += (**p - '0') * scale;
    return true;
}

/* "Z", "+02:00", "-0500", "" */
static bool zone_of(const char **p, int *minutes)
{
    int sign = **p == '-' ? -1 : 1, h, m;

    *minutes = 0;
    if (literal(p, 'Z') || literal(p, 'z') || **p == '\0')
        return true;
    /* in a query an unescaped plus arrives as a blank */
    if (!literal(p, '+') && !literal(p, '-') && !literal(p, ' '))
        return false;
    if (!digits(p, 2, 0, 23, &h))
        return false;
    (void)literal(p, ':');
    if (!digits(p, 2, 0, 59, &m))
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool json_time_of(const char *text, int64_t *ms)
{
    struct tm tm = { 0 };
    int minutes = 0, part = 0;
    time_t at;

    if (!digits(&text, 4, 1970, 9999, &tm.tm_year) || !literal(&text, '-') ||
        !digits(&text, 2, 1, 12, &tm.tm_mon) || !literal(&text, '-') ||
        !digits(&text, 2, 1, 31, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (*text != '\0') {
        if (!literal(&text, 'T') && !literal(&text, 't') && !literal(&text, ' '))
            return false;
        if (!clock_of(&text, &tm, &part) || !zone_of(&text, &minutes) || *text != '\0')
            return false;
    }
    at = timegm(&tm) - (time_t)minutes * 60;
    *ms = (int64_t)at * 1000 + part;
    return true;
}
