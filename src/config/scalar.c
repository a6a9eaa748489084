/* Values as they are written in a file, and back. */
#include "config/schema_int.h"

#include <stdio.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Longest first, so that the text of a value has the fewest digits. */
static const struct unit durations[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};
/* Powers of 1024. */
static const struct unit sizes[] = {
    { "T", UINT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 },
};

/* The digits at the start of text; *rest is what follows. */
static bool digits(const char *text, uint64_t *value, const char **rest)
{
    uint64_t v = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned d = (unsigned)(*text - '0');

        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *value = v;
    *rest = text;
    return true;
}

static bool with_unit(const char *text, const struct unit *units, size_t n, uint64_t *value)
{
    const char *rest;
    uint64_t v;

    if (!digits(text, &v, &rest))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rest, units[i].name) != 0)
            continue;
        if (v > UINT64_MAX / units[i].factor)
            return false;
        *value = v * units[i].factor;
        return true;
    }
    return false;
}

static void unit_text(uint64_t value, const struct unit *units, size_t n, char text[24])
{
    for (size_t i = 0; i < n; i++) {
        if (value % units[i].factor != 0)
            continue;
        (void)snprintf(text, 24, "%llu%s", (unsigned long long)(value / units[i].factor),
                       units[i].name);
        return;
    }
}

bool scalar_number(const char *text, uint64_t *value)
{
    const char *rest;
    uint64_t v;

    if (!digits(text, &v, &rest) || *rest != '\0')
        return false;
    *value = v;
    return true;
}

bool scalar_bool(const char *text, bool *value)
{
    static const char *const words[][2] = { { "false", "true" }, { "no", "yes" } };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (int v = 0; v < 2; v++)
            if (strcasecmp(text, words[i][v]) == 0) {
                *value = v == 1;
                return true;
            }
    return false;
}

bool scalar_duration(const char *text, uint64_t *ms)
{
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return true;
    }
    return with_unit(text, durations, COUNT_OF(durations), ms);
}

bool scalar_size(const char *text, uint64_t *octets)
{
    return with_unit(text, sizes, COUNT_OF(sizes), octets);
}

void scalar_duration_text(uint64_t ms, char text[24])
{
    if (ms == 0)
        (void)snprintf(text, 24, "0");
    else
        unit_text(ms, durations, COUNT_OF(durations), text);
}

void scalar_size_text(uint64_t octets, char text[24])
{
    if (octets == 0)
        (void)snprintf(text, 24, "0");
    else
        unit_text(octets, sizes, COUNT_OF(sizes), text);
}

enum { NEAR_MAX = 64 }; /* longer names are nobody's slip of the pen */

/* Number of letters to insert, drop, change or swap with their neighbour. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
    size_t row[3][NEAR_MAX + 1];

    for (size_t j = 0; j <= bn; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[an % 3][bn];
}

const char *scalar_nearest(const char *name, const char *const *names, size_t n)
{
    size_t len = strlen(name), best = SIZE_MAX;
    const char *found = NULL;

    if (len > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]), d;

        if (other > NEAR_MAX)
            continue;
        d = distance(name, len, names[i], other);
        /* Half of a name beginning with the same letters is a good guess, too. */
        if (len >= 4 && strncmp(name, names[i], len) == 0)
            d = 1;
        if (d < best && d <= (len < other ? other : len) / 3) {
            best = d;
            found = names[i];
        }
    }
    return found;
}
