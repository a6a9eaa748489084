/* One line that says how far something long has come. */
#include "cli/cli.h"
#include "net/net.h"

#include <unistd.h>

enum {
    PATIENCE_MS = 500, /* what ends sooner shows nothing */
    REFRESH_MS = 200,
};

void cli_progress_text(char *text, size_t cap, const char *name, uint64_t done, uint64_t total,
                       uint64_t ms)
{
    char size[16], whole[16], rate[16];

    cli_size_text(done, size);
    cli_size_text(total, whole);
    cli_size_text(ms > 0 ? (uint64_t)((double)done * 1000 / (double)ms) : 0, rate);
    if (total > 0)
        (void)snprintf(text, cap, "%.60s  %3u %%  %s of %s  %s/s", name,
                       (unsigned)((double)(done < total ? done : total) * 100 / (double)total),
                       size, whole, rate);
    else
        (void)snprintf(text, cap, "%.60s  %s  %s/s", name, size, rate);
}

void cli_progress_begin(struct cli_progress *p, const char *name, uint64_t total)
{
    *p = (struct cli_progress) {
        .name = name, .total = total, .begin_ms = net_now_ms(), .on = isatty(STDERR_FILENO) == 1
    };
}

void cli_progress_at(struct cli_progress *p, uint64_t done)
{
    uint64_t now = net_now_ms();
    char text[160];

    if (!p->on || now - p->begin_ms < PATIENCE_MS || now - p->shown_ms < REFRESH_MS)
        return;
    p->shown_ms = now;
    p->visible = true;
    cli_progress_text(text, sizeof(text), p->name, done, p->total, now - p->begin_ms);
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
