#include "net/net.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts); /* cannot fail with the clocks asked for below */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t net_now_ms(void)
{
    return (uint64_t)clock_ms(CLOCK_MONOTONIC);
}

int64_t net_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

void net_time_text(int64_t wall_ms, char text[25])
{
    enum { YEAR_MAX = 9999 }; /* four digits are all the text has room for */
    int64_t ms = wall_ms % 1000;
    time_t s;
    struct tm tm;

    if (ms < 0)
        ms += 1000;
    s = (time_t)((wall_ms - ms) / 1000);
    if (gmtime_r(&s, &tm) == NULL || tm.tm_year + 1900 > YEAR_MAX || tm.tm_year < -1900) {
        (void)text_copy(text, 25, "0000-00-00T00:00:00.000Z");
        return;
    }
    (void)snprintf(text, 25, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(tm.tm_year + 1900) % 10000U, (unsigned)(tm.tm_mon + 1) % 100U,
                   (unsigned)tm.tm_mday % 100U, (unsigned)tm.tm_hour % 100U,
                   (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U,
                   (unsigned)ms % 1000U);
}
