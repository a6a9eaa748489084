/* The wall clock, as far ahead as the test says. Clocks that only count are left alone. */
#include "shim.h"

#include <sys/time.h>
#include <time.h>

enum { SECOND = 1000000000 };

static void shift(struct timespec *t)
{
    int64_t by = control == NULL ? 0 : atomic_load(&control->clock_ns), ns;

    ns = (int64_t)t->tv_nsec + by % SECOND;
    t->tv_sec += (time_t)(by / SECOND);
    if (ns < 0) {
        ns += SECOND;
        t->tv_sec--;
    } else if (ns >= SECOND) {
        ns -= SECOND;
        t->tv_sec++;
    }
    t->tv_nsec = (long)ns;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = REAL(clock_gettime)(id, t);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        shift(t);
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL)
        *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    out->tv_sec = t.tv_sec;
    out->tv_usec = (suseconds_t)(t.tv_nsec / 1000);
    return 0;
}
