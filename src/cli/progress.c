/* One line that says how far something long has come. */
#include "cli/cli.h"
#include "net/net.h"

#include <unistd.h>

enum {
    PATIENCE_MS = 500, /* what ends sooner shows nothing */
    REFRESH_MS = 200,
};

void cli_progress_text(char *text, size_t cap, const char *name, uint64_t done, uint64_t total,
                       uint64_t rate)
{
    char size[16], whole[16], speed[16];

    cli_size_text(done, size);
    cli_size_text(total, whole);
    cli_size_text(rate, speed);
    if (total > 0)
        (void)snprintf(text, cap, "%.60s  %3u %%  %s of %s  %s/s", name,
                       (unsigned)((double)(done < total ? done : total) * 100 / (double)total),
                       size, whole, speed);
    else
        (void)snprintf(text, cap, "%.60s  %s  %s/s", name, size, speed);
}

void cli_progress_begin(struct cli_progress *p, const char *name, uint64_t total)
{
    *p = (struct cli_progress) {
        .name = name, .total = total, .begin_ms = net_now_ms(), .on = isatty(STDERR_FILENO) == 1
    };
}

void cli_progress_restart(struct cli_progress *p, uint64_t done, uint64_t total)
{
    p->total = total;
    p->begin_ms = net_now_ms();
    p->begin_done = done;
}

void cli_progress_at(struct cli_progress *p, uint64_t done)
{
    uint64_t now = net_now_ms(), passed = now - p->begin_ms;
    char text[160];

    if (!p->on || passed < PATIENCE_MS || now - p->shown_ms < REFRESH_MS)
        return;
    p->shown_ms = now;
    p->visible = true;
    cli_progress_text(text, sizeof(text), p->name, done, p->total,
                      (uint64_t)((double)(done - p->begin_done) * 1000 / (double)passed));
    fputc('\r', stderr);
    cli_put_safe(stderr, text);
    fputs("\033[K", stderr);
    fflush(stderr);
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->visible)
        fputs("\r\033[K", stderr);
    p->visible = false;
    p->on = false;
}
