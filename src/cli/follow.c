/* Following a document that was sent until its receipt settles it. */
#include "cli/cli.h"
#include "net/net.h"

#include <time.h>

enum { FIRST_MS = 50, STEP_MS = 500 }; /* between looks: soon at first, then less often */

static void pause_ms(uint64_t ms)
{
    const struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000L };

    (void)nanosleep(&t, NULL);
}

static bool settled(const char *state)
{
    static const char *const last[] = { "acknowledged", "rejected",  "failed",
                                        "overdue",      "processed", "refused" };

    for (size_t i = 0; i < COUNT_OF(last); i++)
        if (strcmp(state, last[i]) == 0)
            return true;
    return false;
}

/* How far the session that moves it has come. */
static void show_progress(struct cli *c, int64_t id, struct cli_progress *p)
{
    uint64_t done, total;
    json_t *answer, *s;
    size_t i;

    if (!p->on || cli_call(c, "GET", "/api/v1/sessions", NULL, &answer) != CLI_DONE)
        return;
    json_array_foreach(json_object_get(answer, "sessions"), i, s)
    {
        if (cli_j_int(s, "document") != id)
            continue;
        done = (uint64_t)cli_j_int(s, "done");
        total = (uint64_t)cli_j_int(s, "total");
        /* it may have waited long, and a restart goes back */
        if (p->total != total || done < p->begin_done)
            cli_progress_restart(p, done, total);
        cli_progress_at(p, done);
    }
    json_decref(answer);
}

/* The last word on d; gives the exit status. */
static int outcome(const struct cli *c, const json_t *d, const char *name, uint64_t ms)
{
    const char *state = cli_j_text(d, "state"), *reason = cli_j_text(d, "reason");
    bool good = strcmp(state, "acknowledged") == 0 || strcmp(state, "processed") == 0;
    long long id = (long long)cli_j_int(d, "id");

    if (!good)
        return cli_refused("%s: document %lld %s%s%s", name, id, state,
                           reason[0] != '\0' ? ": " : "", reason);
    if (!c->json)
        printf("%s: document %lld %s after %.1f s\n", name, id, state, (double)ms / 1000);
    return CLI_DONE;
}

int cli_follow(struct cli *c, int64_t id, const char *name, uint64_t limit_ms, json_t **last)
{
    const char *path = cli_printf(c, "/api/v1/documents/%lld", (long long)id);
    uint64_t begin = net_now_ms(), pause = FIRST_MS, passed = 0;
    struct cli_progress progress;
    int status = CLI_DONE;
    json_t *d = NULL;

    cli_progress_begin(&progress, name, 0);
    for (;;) {
        json_decref(d);
        d = NULL;
        status = cli_call(c, "GET", path, NULL, &d);
        passed = net_now_ms() - begin;
        if (status != CLI_DONE || settled(cli_j_text(d, "state")) ||
            (limit_ms > 0 && passed >= limit_ms))
            break;
        if (strcmp(cli_j_text(d, "state"), "sending") == 0)
            show_progress(c, id, &progress);
        if (limit_ms > 0 && pause > limit_ms - passed)
            pause = limit_ms - passed;
        pause_ms(pause);
        pause = pause * 2 < STEP_MS ? pause * 2 : STEP_MS;
    }
    cli_progress_end(&progress);
    if (status == CLI_DONE && !settled(cli_j_text(d, "state")))
        status = cli_refused("%s: document %lld is still %s after %.1f s; `waybill show %lld` "
                             "says how it goes on",
                             name, (long long)id, cli_j_text(d, "state"), (double)passed / 1000,
                             (long long)id);
    else if (status == CLI_DONE)
        status = outcome(c, d, name, passed);
    *last = d;
    return status;
}
