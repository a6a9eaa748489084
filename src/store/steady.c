/* Times of the wall clock, rid of what it was set by. Jobs are due at times of that clock, which may
 * be set by a day while the runtime waits; the wait itself, and a lease, are by a clock that
 * cannot be set. */
#include "store/store_int.h"

#include <stdlib.h>
#include <time.h>

enum {
    JUMP_MS = 2000, /* less is the two clocks running apart, or is made good in no time */
    TOGETHER_MS = 5,
    TRIES = 20,
    RECENT_MS = 10000, /* no time is handed over later than so long after it was read */
};

static int64_t boot_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The wall clock against the one that cannot be set. A thread may be made to wait between the two
 * readings, so the latter is read before and after. */
static int64_t offset_ms(int64_t *boot)
{
    int64_t after = 0, wall = 0;

    *boot = 0;
    for (int i = 0; i == 0 || (i < TRIES && after - *boot > TOGETHER_MS); i++) {
        *boot = boot_ms();
        wall = store_clock_ms();
        after = boot_ms();
    }
    return wall - *boot;
}

void steady_start(struct steady *s)
{
    int64_t boot;

    *s = (struct steady) { 0 };
    s->first_ms = offset_ms(&boot);
    s->known[0].seen_ms = boot;
}

/* Puts what the clock is set by now first among what is known. */
static void look(struct steady *s, int64_t set_ms)
{
    size_t oldest = 0, at = 0;

    while (at < STEADY_KNOWN &&
           (s->known[at].seen_ms == 0 || llabs(s->known[at].set_ms - set_ms) >= JUMP_MS)) {
        if (s->known[at].seen_ms < s->known[oldest].seen_ms)
            oldest = at;
        at++;
    }
    if (at == STEADY_KNOWN) {
        at = oldest;
        s->known[at].set_ms = set_ms;
    }
    s->now = at;
}

int64_t steady_set_ms(struct steady *s)
{
    int64_t boot, set_ms = offset_ms(&boot) - s->first_ms;

    if (llabs(s->known[s->now].set_ms - set_ms) >= JUMP_MS)
        look(s, set_ms);
    s->known[s->now].seen_ms = boot;
    return s->known[s->now].set_ms;
}

int64_t steady_past(struct steady *s)
{
    (void)steady_set_ms(s);
    return s->known[s->now].seen_ms + s->first_ms - JUMP_MS;
}

int64_t steady_time(struct steady *s, int64_t wall_ms)
{
    int64_t best, now_ms;

    if (wall_ms > INT64_MAX / 2 || wall_ms < INT64_MIN / 2)
        return wall_ms; /* never, or at once */
    best = wall_ms - steady_set_ms(s);
    now_ms = s->known[s->now].seen_ms + s->first_ms;
    for (size_t i = 0; i < STEADY_KNOWN; i++) {
        int64_t other = wall_ms - s->known[i].set_ms;

        if (s->known[i].seen_ms != 0 &&
            s->known[s->now].seen_ms - s->known[i].seen_ms < RECENT_MS &&
            llabs(other - now_ms) < llabs(best - now_ms))
            best = other;
    }
    return best;
}
