/* Traces: decoded commands, handed to whoever listens for that partner. A listener that does not
 * keep up loses lines and is told so; a session never waits for one. */
#include "gateway/session_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TRACE_LINES = 256, TRACE_LINE_MAX = 2048, TRACE_OPEN_MAX = 32 };

struct gateway_trace {
    struct trace_hub *hub;
    char partner[128];
    int64_t session;           /* 0: any */
    char line[TRACE_LINE_MAX]; /* what trace_next gave last */
    char *ring[TRACE_LINES];
    size_t first, n;
    unsigned long lost;
    struct gateway_trace *next;
};

struct trace_hub {
    pthread_mutex_t lock;
    pthread_cond_t more; /* CLOCK_MONOTONIC */
    struct gateway_trace *list;
    atomic_int open;
    bool stopped;
};

struct trace_hub *trace_hub_new(void)
{
    struct trace_hub *h = calloc(1, sizeof(*h));
    pthread_condattr_t attr;

    if (h == NULL)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->more, &attr);
    pthread_condattr_destroy(&attr);
    return h;
}

void trace_hub_free(struct trace_hub *h)
{
    if (h == NULL)
        return;
    pthread_cond_destroy(&h->more);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

bool trace_wanted(struct trace_hub *h)
{
    return atomic_load(&h->open) > 0 || log_partner_debug(NULL);
}

static bool wants(const struct gateway_trace *t, int64_t session, const char *partner,
                  const char *code)
{
    if (t->session != 0 && t->session != session)
        return false;
    return strcmp(t->partner, "*") == 0 || strcmp(t->partner, partner) == 0 ||
           strcmp(t->partner, code) == 0;
}

void trace_line(struct trace_hub *h, int64_t session, const char *partner, const char *code,
                const char *line)
{
    char time[25], text[TRACE_LINE_MAX];

    if (log_partner_debug(partner))
        log_event(LOG_DEBUG, "trace", "partner", partner, "session",
                  session != 0 ? log_num(session) : NULL, "line", line, NULL);
    if (atomic_load(&h->open) == 0)
        return;

    net_time_text(net_wall_ms(), time);
    (void)snprintf(text, sizeof(text), "%s %s %s", time, partner[0] != '\0' ? partner : code,
                   line);
    pthread_mutex_lock(&h->lock);
    for (struct gateway_trace *t = h->list; t != NULL; t = t->next) {
        if (!wants(t, session, partner, code))
            continue;
        if (t->n == TRACE_LINES) {
            t->lost++;
            continue;
        }
        char *copy = strdup(text);

        if (copy != NULL)
            t->ring[(t->first + t->n++) % TRACE_LINES] = copy;
    }
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
}

void trace_hub_stop(struct trace_hub *h)
{
    pthread_mutex_lock(&h->lock);
    h->stopped = true;
    pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
}

static bool session_there(struct gateway *g, int64_t id)
{
    bool found = false;

    pthread_mutex_lock(&g->lock);
    for (const struct session *s = g->sessions; s != NULL && !found; s = s->next)
        found = s->id == id;
    for (const struct transfer *t = g->transfers; t != NULL && !found; t = t->next)
        found = t->id == id;
    pthread_mutex_unlock(&g->lock);
    return found;
}

bool gateway_trace_open(struct gateway *g, const char *partner, int64_t session,
                        struct gateway_trace **out, struct err *err)
{
    struct gateway_trace *t = NULL;

    if (session != 0 && !session_there(g, session))
        return FAIL(err, FAIL_LOCAL, 404, "session %lld is not under way", (long long)session);

    if (atomic_load(&g->trace->open) >= TRACE_OPEN_MAX)
        return FAIL(err, FAIL_LOCAL, 503, "%d traces are open already: close one",
                    TRACE_OPEN_MAX);
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    t->hub = g->trace;
    (void)text_copy(t->partner, sizeof(t->partner), partner);
    t->session = session;
    pthread_mutex_lock(&t->hub->lock);
    t->next = t->hub->list;
    t->hub->list = t;
    atomic_fetch_add(&t->hub->open, 1);
    pthread_mutex_unlock(&t->hub->lock);
    *out = t;
    return true;
}

/* Under the lock: the next line into t->line. */
static bool take_line(struct gateway_trace *t)
{
    if (t->n > 0) {
        char *line = t->ring[t->first];

        (void)text_copy(t->line, sizeof(t->line), line);
        free(line);
        t->first = (t->first + 1) % TRACE_LINES;
        t->n--;
        return true;
    }
    if (t->lost > 0) {
        (void)snprintf(t->line, sizeof(t->line), "(%lu lines were lost: the reader is slow)",
                       t->lost);
        t->lost = 0;
        return true;
    }
    return false;
}

bool gateway_trace_next(struct gateway_trace *t, uint64_t wait_ms, const char **line)
{
    struct timespec until;
    bool stopped;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    t->line[0] = '\0';
    pthread_mutex_lock(&t->hub->lock);
    while (!take_line(t) && !t->hub->stopped)
        if (pthread_cond_timedwait(&t->hub->more, &t->hub->lock, &until) == ETIMEDOUT)
            break;
    stopped = t->hub->stopped;
    pthread_mutex_unlock(&t->hub->lock);
    *line = t->line;
    return !stopped;
}

void gateway_trace_close(struct gateway_trace *t)
{
    struct gateway_trace **at;

    if (t == NULL)
        return;
    pthread_mutex_lock(&t->hub->lock);
    for (at = &t->hub->list; *at != t; at = &(*at)->next)
        ;
    *at = t->next;
    atomic_fetch_sub(&t->hub->open, 1);
    pthread_mutex_unlock(&t->hub->lock);
    while (t->n > 0) {
        free(t->ring[t->first]);
        t->first = (t->first + 1) % TRACE_LINES;
        t->n--;
    }
    free(t);
}
