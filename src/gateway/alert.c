/* Collecting alerts, and when to hand them over. */
#include "gateway/alert.h"
#include "gateway/certificates.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,
    RETRY_MAX_MS = 15 * 60 * 1000,
    TAKEN = 64,      /* documents of one look */
    TOLD_MAX = 1024, /* listeners and certificates remembered */
};

/* A listener or certificate that was told of. */
struct told {
    char name[65];
    bool listener, still;
    int64_t at_ms;
    int days; /* of a certificate: the mark it has passed */
};

struct channel {
    bool on;
    struct alert_batch gathered, sending;
    unsigned failures;
    int64_t next_ms;
};

struct alerts {
    struct gateway *g;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t stop; /* CLOCK_MONOTONIC */
    bool stopping;
    struct alert_settings *settings; /* of the last reload */
    /* the thread's own */
    struct alert_settings *held;     /* what it goes by */
    const struct config_runtime *rt; /* of held */
    bool any;                        /* a channel is on */
    struct channel *channels;        /* ALERT_CHANNELS of them */
    struct told *told;               /* TOLD_MAX */
    size_t told_n;
    int64_t mark_ms, seen_ms; /* in the file; of the newest document collected */
};

static bool wanted(const struct alerts *s, enum alert_kind kind)
{
    const char *const *on = s->rt->alerts.on;

    for (size_t i = 0; on != NULL && on[i] != NULL; i++)
        if (strcmp(on[i], alert_kind_name(kind)) == 0)
            return true;
    return on == NULL;
}

static void add(struct alerts *s, const struct alert *one)
{
    for (size_t i = 0; i < ALERT_CHANNELS; i++)
        if (s->channels[i].on)
            alert_add(&s->channels[i].gathered, one);
}

/* ---- documents -------------------------------------------------------------------------- */

static const char *todo_of(enum store_outcome o, long long id, struct arena *a)
{
    switch (o) {
    case OUTCOME_REFUSED:
        return arena_printf(a, "tell the partner what is wrong with it: `waybill show %lld`",
                            id);
    case OUTCOME_REJECTED:
        return arena_printf(
            a, "ask the partner what it means; `waybill retry %lld` sends it anew", id);
    case OUTCOME_OVERDUE:
        return arena_printf(
            a, "ask the partner for the receipt: `waybill show %lld` has the names", id);
    default:
        return arena_printf(
            a, "mend the cause (`waybill explain %lld`), then `waybill retry %lld`", id, id);
    }
}

static void add_document(struct alerts *s, const struct store_bad *bad)
{
    struct alert one = { .at_ms = bad->at_ms, .document = bad->id };
    struct document d = { 0 };
    struct arena a = { 0 };
    struct err err;
    bool found = false;

    one.kind = bad->outcome == OUTCOME_OVERDUE ? ALERT_RECEIPT_OVERDUE : ALERT_DOCUMENT_FAILED;
    if (bad->at_ms > s->seen_ms)
        s->seen_ms = bad->at_ms;
    if (!wanted(s, one.kind))
        return;
    ALERT_COPY(one.state, store_outcome_name(bad->outcome));
    if (store_get_document(s->g->store, bad->id, &a, &d, &found, &err) && found) {
        ALERT_COPY(one.partner, d.partner);
        ALERT_COPY(one.what, d.listener);
        ALERT_COPY(one.name, d.name);
        ALERT_COPY(one.reason, d.reason);
    }
    ALERT_COPY(one.todo, todo_of(bad->outcome, bad->id, &a));
    add(s, &one);
    arena_free(&a);
}

static void look_at_documents(struct alerts *s)
{
    struct store_bad list[TAKEN];
    uint64_t lost;
    size_t n;

    do {
        n = store_take_bad(s->g->store, list, TAKEN, &lost);
        if (lost > 0)
            log_event(LOG_WARN, "alert.lost", "documents", log_num((long long)lost), "reason",
                      "more documents failed at once than are remembered", "look_at",
                      "`waybill documents --state failed`", NULL);
        for (size_t i = 0; i < n; i++)
            add_document(s, &list[i]);
    } while (n == TAKEN);
}

/* ---- listeners and certificates ----------------------------------------------------------- */

/* NULL: there are too many. */
static struct told *told_of(struct alerts *s, const char *name, bool listener)
{
    struct told *t;

    for (size_t i = 0; i < s->told_n; i++)
        if (s->told[i].listener == listener && strcmp(s->told[i].name, name) == 0)
            return &s->told[i];
    if (s->told_n == TOLD_MAX)
        return NULL;
    t = &s->told[s->told_n++];
    *t = (struct told) { .listener = listener, .days = INT_MAX };
    (void)text_copy(t->name, sizeof(t->name), name);
    return t;
}

static void look_at_listener(struct alerts *s, const struct listener *l, int64_t now)
{
    struct told *t;
    struct alert one = { .kind = ALERT_LISTENER_ERRORED, .at_ms = now };

    if (l->state != LISTENER_ERRORED || (t = told_of(s, l->name, true)) == NULL)
        return;
    t->still = true;
    if (t->at_ms != 0 && now - t->at_ms < (int64_t)s->rt->alerts.repeat_ms)
        return;
    t->at_ms = now;
    ALERT_COPY(one.what, l->name);
    ALERT_COPY(one.reason, l->reason);
    ALERT_COPY(one.partner, l->partner != NULL ? l->partner->name : "");
    ALERT_COPY(one.todo, "mend what the reason says, then apply the component again or "
                         "`waybill listeners restart`");
    add(s, &one);
}

static void look_at_certificate(struct alerts *s, const struct certificate *c, int64_t now)
{
    static const int marks[] = { 30, 14, 7, 3, 1, 0 }; /* days */
    int days = certificate_days_left(c, now / 1000), mark = INT_MAX;
    struct alert one = { .kind = ALERT_CERTIFICATE_EXPIRING, .at_ms = now };
    struct told *t;
    char text[100];

    for (size_t i = 0; days != INT_MIN && i < COUNT_OF(marks); i++)
        if (days < marks[i])
            mark = marks[i];
    if (mark == INT_MAX || (t = told_of(s, c->name, false)) == NULL)
        return;
    t->still = true;
    if (t->days <= mark)
        return;
    t->days = mark;
    if (days < 0)
        (void)snprintf(text, sizeof(text), "ended %d days ago", -days);
    else
        (void)snprintf(text, sizeof(text), "ends in %d days", days);
    ALERT_COPY(one.what, c->name);
    ALERT_COPY(one.reason, text);
    ALERT_COPY(one.todo,
               "`waybill certificates generate` or `import` with --next, and give the "
               "new one to the partners in time: docs/certificates.md");
    add(s, &one);
}

static void look_at_snapshot(struct alerts *s, int64_t now)
{
    struct snapshot *sn = gateway_snapshot(s->g);
    size_t kept = 0;

    for (size_t i = 0; i < s->told_n; i++)
        s->told[i].still = false;
    for (size_t i = 0; wanted(s, ALERT_LISTENER_ERRORED) && i < sn->listeners_n; i++)
        look_at_listener(s, &sn->listeners[i], now);
    for (size_t i = 0; wanted(s, ALERT_CERTIFICATE_EXPIRING) && i < sn->certificates_n; i++)
        look_at_certificate(s, &sn->certificates[i], now);
    snapshot_put(sn);
    for (size_t i = 0; i < s->told_n; i++) /* what is well again is new the next time */
        if (s->told[i].still)
            s->told[kept++] = s->told[i];
    s->told_n = kept;
}

/* ---- up to when all is told --------------------------------------------------------------- */

static bool mark_path(struct alerts *s, const char *end, char path[PATH_MAX])
{
    return (size_t)snprintf(path, PATH_MAX, "%s/alerts.mark%s",
                            s->g->rt->runtime.data_directory, end) < PATH_MAX;
}

/* Without a mark nothing of before is told. */
static void read_mark(struct alerts *s)
{
    char path[PATH_MAX];
    long long v = 0;
    FILE *f = mark_path(s, "", path) ? fopen(path, "re") : NULL;

    if (f != NULL && fscanf(f, "%lld", &v) != 1)
        v = 0;
    if (f != NULL)
        (void)fclose(f);
    s->mark_ms = s->seen_ms = v > 0 ? v : s->g->started_ms;
}

static void write_mark(struct alerts *s)
{
    int64_t mark = s->seen_ms;
    char path[PATH_MAX], before[PATH_MAX];
    FILE *f;

    for (size_t i = 0; i < ALERT_CHANNELS; i++) {
        const struct channel *c = &s->channels[i];
        int64_t a = c->sending.first_ms, b = c->gathered.first_ms;

        if (a != 0 && a <= mark)
            mark = a - 1;
        if (b != 0 && b <= mark)
            mark = b - 1;
    }
    if (mark <= s->mark_ms || !mark_path(s, "", path) || !mark_path(s, ".new", before))
        return;
    s->mark_ms = mark;
    f = fopen(before, "we");
    if (f == NULL)
        return;
    (void)fprintf(f, "%lld\n", (long long)mark);
    if (fclose(f) == 0)
        (void)rename(before, path);
}

/* ---- handing over ------------------------------------------------------------------------- */

static int64_t pause_after(const struct config_alerts *cfg, unsigned failures)
{
    uint64_t most = cfg->retry_ms > RETRY_MAX_MS ? cfg->retry_ms : RETRY_MAX_MS;
    uint64_t wait = cfg->retry_ms;

    for (unsigned i = 1; i < failures && wait < most; i++)
        wait *= 2;
    return (int64_t)(wait < most ? wait : most);
}

static void hand_over(struct alerts *s, enum alert_channel which)
{
    struct channel *c = &s->channels[which];
    const struct config_alerts *cfg = &s->rt->alerts;
    struct err err;

    if (!c->on || (int64_t)net_now_ms() < c->next_ms)
        return;
    if (c->sending.all == 0) {
        c->sending = c->gathered;
        c->gathered = (struct alert_batch) { 0 };
    }
    if (c->sending.all == 0)
        return;
    if (alert_send(s->g, s->rt, which, &c->sending, &err)) {
        log_event(LOG_INFO, "alert.sent", "channel", alert_channel_name(which), "alerts",
                  log_num((long long)c->sending.all), NULL);
        c->sending = (struct alert_batch) { 0 };
        c->failures = 0;
        c->next_ms = (int64_t)net_now_ms() + (int64_t)cfg->gather_ms;
        return;
    }
    c->failures++;
    c->next_ms = (int64_t)net_now_ms() + pause_after(cfg, c->failures);
    log_event(LOG_WARN, "alert.failed", "channel", alert_channel_name(which), "alerts",
              log_num((long long)c->sending.all), "attempt", log_num(c->failures), "reason",
              err.text, "look_at", which == ALERT_MAIL ? "alerts.mail" : "alerts.webhook",
              NULL);
}

/* ---- the thread --------------------------------------------------------------------------- */

/* Until the next look, which other settings bring on at once; with nobody to tell there is none. False:
 * the runtime stops. */
static bool pause_for(struct alerts *s, uint64_t ms)
{
    uint64_t until = net_now_ms() + ms;
    struct timespec t = { .tv_sec = (time_t)(until / 1000),
                          .tv_nsec = (long)(until % 1000) * 1000000 };
    int rc = 0;
    bool go;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping && s->settings == s->held && rc == 0)
        rc = s->any ? pthread_cond_timedwait(&s->stop, &s->lock, &t)
                    : pthread_cond_wait(&s->stop, &s->lock);
    go = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go;
}

/* What failed while there was nobody to tell is not told later. */
static void begin_now(struct alerts *s)
{
    struct store_bad list[TAKEN];
    uint64_t lost;

    while (store_take_bad(s->g->store, list, TAKEN, &lost) == TAKEN)
        ;
    s->told_n = 0;
    s->mark_ms = s->seen_ms = net_wall_ms();
}

/* Goes by what is set now. */
static void take_settings(struct alerts *s, bool first)
{
    struct alert_settings *now = alerts_settings(s);
    bool any = false;

    for (int i = 0; now != s->held && i < ALERT_CHANNELS; i++) {
        struct channel *c = &s->channels[i];

        c->on = alert_channel_on(now->rt, (enum alert_channel)i);
        if (!c->on)
            *c = (struct channel) { 0 };
        c->failures = 0;
        c->next_ms = 0;
        any = any || c->on;
    }
    if (now != s->held) {
        if (any && !s->any && !first)
            begin_now(s);
        s->any = any;
    }
    alerts_settings_put(s, s->held);
    s->held = now;
    s->rt = now->rt;
}

static void look(struct alerts *s)
{
    look_at_documents(s);
    look_at_snapshot(s, net_wall_ms());
    for (int i = 0; i < ALERT_CHANNELS; i++)
        hand_over(s, (enum alert_channel)i);
    write_mark(s);
}

static void *alerts_thread(void *arg)
{
    struct alerts *s = arg;
    struct err err;

    take_settings(s, true);
    read_mark(s);
    /* Not at the start, which should be quick. */
    if (!store_fill_minutes(s->g->store, s->mark_ms, &err))
        log_event(LOG_ERROR, "overview.incomplete", "reason", err.text, NULL);
    while (pause_for(s, LOOK_MS)) {
        take_settings(s, false);
        if (s->any)
            look(s);
    }
    alerts_settings_put(s, s->held);
    return NULL;
}

/* ---- settings ----------------------------------------------------------------------------- */

struct alert_settings *alerts_settings(struct alerts *s)
{
    struct alert_settings *x;

    pthread_mutex_lock(&s->lock);
    x = s->settings;
    x->uses++;
    pthread_mutex_unlock(&s->lock);
    return x;
}

void alerts_settings_put(struct alerts *s, struct alert_settings *x)
{
    unsigned uses;

    if (x == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    uses = --x->uses;
    pthread_mutex_unlock(&s->lock);
    if (uses > 0)
        return;
    if (!x->borrowed)
        config_runtime_free(x->rt);
    free(x);
}

bool alerts_reload(struct alerts *s, struct config_runtime *rt, struct err *err)
{
    struct alert_settings *x = calloc(1, sizeof(*x)), *old;

    if (x == NULL) {
        config_runtime_free(rt);
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    *x = (struct alert_settings) { 1, rt, false };
    pthread_mutex_lock(&s->lock);
    old = s->settings;
    s->settings = x;
    pthread_cond_signal(&s->stop);
    pthread_mutex_unlock(&s->lock);
    alerts_settings_put(s, old);
    return true;
}

static bool make_room(struct alerts *s)
{
    s->channels = calloc(ALERT_CHANNELS, sizeof(*s->channels));
    s->told = calloc(TOLD_MAX, sizeof(*s->told));
    s->settings = calloc(1, sizeof(*s->settings));
    if (s->settings != NULL)
        *s->settings = (struct alert_settings) { 1, s->g->rt, true };
    return s->channels != NULL && s->told != NULL && s->settings != NULL;
}

bool alerts_start(struct gateway *g, struct alerts **out, struct err *err)
{
    struct alerts *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    s->g = g;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop, &attr);
    pthread_condattr_destroy(&attr);
    *out = s;
    if (!make_room(s))
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    s->running = pthread_create(&s->thread, NULL, alerts_thread, s) == 0;
    return s->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void alerts_stop(struct alerts *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->stop);
    pthread_mutex_unlock(&s->lock);
    if (s->running)
        (void)pthread_join(s->thread, NULL);
    alerts_settings_put(s, s->settings);
    pthread_cond_destroy(&s->stop);
    pthread_mutex_destroy(&s->lock);
    free(s->channels);
    free(s->told);
    free(s);
}
