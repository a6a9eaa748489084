/* Counting what is committed. The committing thread adds, others read copies. */
#include "store/sqlite_int.h"

#include <stdlib.h>

enum {
    HOUR = 60, /* minutes */
    FILL_MAX = 100000,
    FILL_BAD_MAX = 5000,
    BAD_KEPT = 512,
};

struct counters {
    pthread_mutex_t lock;
    struct store_counts c;
    int64_t opened_ms;
    bool filled;
    struct store_minute minutes[STORE_MINUTES];
    struct store_bad bad[BAD_KEPT];
    size_t bad_first, bad_n;
    uint64_t bad_lost;
};

static const struct {
    const char *name;
    bool outbound, bad;
} outcomes[STORE_OUTCOMES] = {
    [OUTCOME_RECEIVED] = { "received", false, false },
    [OUTCOME_PROCESSED] = { "processed", false, false },
    [OUTCOME_REFUSED] = { "refused", false, true },
    [OUTCOME_FAILED_IN] = { "failed", false, true },
    [OUTCOME_QUEUED] = { "queued", true, false },
    [OUTCOME_SENT] = { "sent", true, false },
    [OUTCOME_ACKNOWLEDGED] = { "acknowledged", true, false },
    [OUTCOME_REJECTED] = { "rejected", true, true },
    [OUTCOME_OVERDUE] = { "overdue", true, true },
    [OUTCOME_FAILED_OUT] = { "failed", true, true },
};
const char *const store_protocols[STORE_PROTOCOLS] = { "oftp2", "as2" };
const uint32_t store_latency_bounds_us[STORE_LATENCY_BOUNDS] = {
    250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000,
};
const uint32_t store_group_bounds[STORE_GROUP_BOUNDS] = { 1, 2, 4, 8, 16, 32, 64, 128 };

bool store_outcome_outbound(enum store_outcome o)
{
    return outcomes[o].outbound;
}

const char *store_outcome_name(enum store_outcome o)
{
    return outcomes[o].name;
}

bool store_outcome_bad(enum store_outcome o)
{
    return outcomes[o].bad;
}

const char *store_job_kind_name(enum job_kind k)
{
    static const char *const names[STORE_JOB_KINDS] = {
        [JOB_OPEN] = "open",       [JOB_PROCESS] = "process", [JOB_SEND] = "send",
        [JOB_RECEIPT] = "receipt", [JOB_SEAL] = "seal",       [JOB_POST] = "post",
        [JOB_MDN] = "mdn",
    };

    return (unsigned)k < COUNT_OF(names) && names[k] != NULL ? names[k] : "?";
}

struct counters *counters_new(void)
{
    struct counters *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    pthread_mutex_init(&k->lock, NULL);
    k->opened_ms = store_clock_ms();
    return k;
}

void counters_free(struct counters *k)
{
    if (k == NULL)
        return;
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- what is looked at before and counted after a commit --------------------------------- */

static bool changes_state(const struct change *ch)
{
    return ch->kind == CHANGE_DOCUMENT || ch->kind == CHANGE_STATE;
}

bool counters_look(struct conn *c, struct change *ch, struct err *err)
{
    struct state_seen *was = &ch->was;
    struct call q;

    if (!changes_state(ch))
        return true;
    *was = (struct state_seen) { 0 };
    q = call_of(c, Q_WAS);
    call_int(&q, ch->id);
    if (call_row(&q))
        *was = (struct state_seen) {
            .state = (enum document_state)col_int(&q, 0),
            .outbound = col_int(&q, 1) != 0,
            .as2 = col_int(&q, 2) != 0,
        };
    if (!call_end(&q, "read a document's state", err))
        return false;
    if (ch->kind == CHANGE_DOCUMENT) {
        const struct document *d = &ch->u.document.d;

        was->outbound = d->outbound;
        was->as2 = d->protocol != NULL && strcmp(d->protocol, "as2") == 0;
    }
    return true;
}

/* The states whose documents are counted: the ends most documents come to would have to be counted
 * one by one at the start. */
static bool is_kept(enum document_state st)
{
    return st > 0 && st != DOC_PROCESSED && st != DOC_ACKNOWLEDGED && st != DOC_REFUSED &&
           st != DOC_REJECTED && st <= DOC_OVERDUE;
}

static void move(struct store_counts *c, enum document_state from, enum document_state to)
{
    if (is_kept(from))
        c->in_state[from]--;
    if (is_kept(to))
        c->in_state[to]++;
}

static struct store_minute *minute_of(struct counters *k, int64_t minute)
{
    struct store_minute *m = &k->minutes[(uint64_t)minute % STORE_MINUTES];

    if (m->minute != minute)
        *m = (struct store_minute) { .minute = minute };
    return m;
}

static void add_bad(struct counters *k, int64_t id, int64_t at_ms, enum store_outcome o)
{
    if (k->bad_n == BAD_KEPT) {
        k->bad_first = (k->bad_first + 1) % BAD_KEPT;
        k->bad_n--;
        k->bad_lost++;
    }
    k->bad[(k->bad_first + k->bad_n++) % BAD_KEPT] = (struct store_bad) { id, at_ms, o };
}

/* Which outcomes lie between two states; -1 for none. */
static void outcomes_of(enum document_state was, enum document_state to, bool outbound,
                        int found[2])
{
    bool unsent = was == DOC_QUEUED || was == DOC_SEALED || was == DOC_SENDING;

    found[0] = found[1] = -1;
    if (was == to)
        return;
    if (!outbound) {
        if (was <= DOC_RECEIVING && to != DOC_RECEIVING && to != DOC_REFUSED)
            found[0] = OUTCOME_RECEIVED;
        found[1] = to == DOC_PROCESSED ? OUTCOME_PROCESSED
                   : to == DOC_REFUSED ? OUTCOME_REFUSED
                   : to == DOC_FAILED  ? OUTCOME_FAILED_IN
                                       : -1;
        return;
    }
    if (was == 0)
        found[0] = OUTCOME_QUEUED;
    else if (to == DOC_SENT ||
             (unsent && (to == DOC_ACKNOWLEDGED || to == DOC_REJECTED || to == DOC_OVERDUE)))
        found[0] = OUTCOME_SENT;
    found[1] = to == DOC_ACKNOWLEDGED ? OUTCOME_ACKNOWLEDGED
               : to == DOC_REJECTED   ? OUTCOME_REJECTED
               : to == DOC_OVERDUE    ? OUTCOME_OVERDUE
               : to == DOC_FAILED     ? OUTCOME_FAILED_OUT
                                      : -1;
}

static void count_change(struct counters *k, const struct change *ch, int64_t now_ms)
{
    const struct state_seen *was = &ch->was;
    enum document_state to = ch->kind == CHANGE_STATE ? ch->u.state.to : ch->u.document.d.state;
    int64_t changed_ms = ch->kind == CHANGE_STATE ? ch->at_ms : ch->u.document.d.changed_ms;
    struct store_minute *m = minute_of(k, now_ms / 60000);
    int found[2];

    move(&k->c, was->state, to);
    outcomes_of(was->state, to, was->outbound, found);
    for (size_t i = 0; i < COUNT_OF(found); i++) {
        if (found[i] < 0)
            continue;
        k->c.documents[was->as2][found[i]]++;
        m->n[found[i]]++;
        if (outcomes[found[i]].bad)
            add_bad(k, ch->id, changed_ms, (enum store_outcome)found[i]);
    }
}

static size_t bucket_of(const uint32_t *bounds, size_t n, uint64_t v)
{
    size_t i = 0;

    while (i < n && v > bounds[i])
        i++;
    return i;
}

void counters_commit(struct counters *k, const struct store_batch *b, bool done,
                     uint64_t waited_us)
{
    int64_t now_ms = store_clock_ms();
    struct store_minute *m;

    pthread_mutex_lock(&k->lock);
    if (!done) {
        k->c.batches_failed++;
        pthread_mutex_unlock(&k->lock);
        return;
    }
    for (const struct change *ch = b->first; ch != NULL; ch = ch->next) {
        if (changes_state(ch))
            count_change(k, ch, now_ms);
        else if (ch->kind == CHANGE_PURGE_DOCUMENT && *ch->u.purge.done > 0)
            move(&k->c, ch->u.purge.state, 0);
    }
    k->c.batches++;
    k->c.latency_us += waited_us;
    k->c.latency[bucket_of(store_latency_bounds_us, STORE_LATENCY_BOUNDS, waited_us)]++;
    m = minute_of(k, now_ms / 60000);
    m->commits++;
    m->latency_us += waited_us;
    pthread_mutex_unlock(&k->lock);
}

void counters_group(struct counters *k, size_t batches)
{
    pthread_mutex_lock(&k->lock);
    k->c.commits++;
    k->c.groups[bucket_of(store_group_bounds, STORE_GROUP_BOUNDS, batches)]++;
    pthread_mutex_unlock(&k->lock);
}

/* ---- from the tables --------------------------------------------------------------------- */

bool counters_load(struct counters *k, struct conn *c, struct err *err)
{
    struct call q = call_of(c, Q_COUNT_KEPT);

    while (call_row(&q)) {
        uint64_t state = col_size(&q, 0);

        if (state < COUNT_OF(k->c.in_state) && is_kept((enum document_state)state))
            k->c.in_state[state] = col_int(&q, 1);
    }
    return call_end(&q, "count documents", err);
}

/* Under the lock. */
static void count_past(struct counters *k, int64_t at_ms, enum store_outcome o)
{
    int64_t minute = at_ms / 60000, now = store_clock_ms() / 60000;
    struct store_minute *m;

    if (at_ms >= k->opened_ms || minute <= now - STORE_MINUTES || minute > now)
        return;
    m = &k->minutes[(uint64_t)minute % STORE_MINUTES];
    if (m->minute < minute)
        *m = (struct store_minute) { .minute = minute };
    if (m->minute == minute)
        m->n[o]++;
}

/* One of the last hour; what is bad is found by its state. */
static void count_row(struct counters *k, bool outbound, enum document_state state,
                      int64_t created_ms, int64_t changed_ms)
{
    int found[2];

    pthread_mutex_lock(&k->lock);
    if (outbound) {
        count_past(k, created_ms, OUTCOME_QUEUED);
        outcomes_of(DOC_SENDING, state, true, found);
    } else {
        outcomes_of(0, state, false, found);
        if (found[0] >= 0)
            count_past(k, created_ms, (enum store_outcome)found[0]);
        found[0] = -1;
    }
    for (size_t i = 0; i < COUNT_OF(found); i++)
        if (found[i] >= 0 && !outcomes[found[i]].bad)
            count_past(k, changed_ms, (enum store_outcome)found[i]);
    pthread_mutex_unlock(&k->lock);
}

static bool fill_hour(struct counters *k, struct conn *c, struct err *err)
{
    struct call q = call_of(c, Q_CREATED_SINCE);

    call_int(&q, k->opened_ms - HOUR * 60000LL);
    call_int(&q, k->opened_ms);
    call_int(&q, FILL_MAX);
    while (call_row(&q))
        count_row(k, col_int(&q, 0) != 0, (enum document_state)col_int(&q, 1), col_int(&q, 2),
                  col_int(&q, 3));
    return call_end(&q, "read the documents of the last hour", err);
}

static bool fill_bad(struct counters *k, struct conn *c, enum document_state state,
                     int64_t told_ms, struct err *err)
{
    struct call q = call_of(c, Q_NEWEST_IN_STATE);

    call_int(&q, state);
    call_int(&q, FILL_BAD_MAX);
    while (call_row(&q)) {
        int found[2];

        outcomes_of(DOC_SENT, state, col_int(&q, 0) != 0, found);
        pthread_mutex_lock(&k->lock);
        if (found[1] >= 0)
            count_past(k, col_int(&q, 1), (enum store_outcome)found[1]);
        if (found[1] >= 0 && col_int(&q, 1) > told_ms && col_int(&q, 1) < k->opened_ms)
            add_bad(k, col_int(&q, 2), col_int(&q, 1), (enum store_outcome)found[1]);
        pthread_mutex_unlock(&k->lock);
    }
    return call_end(&q, "read the documents that failed", err);
}

bool store_fill_minutes(struct store *s, int64_t told_ms, struct err *err)
{
    static const enum document_state bad[] = { DOC_REFUSED, DOC_FAILED, DOC_REJECTED,
                                               DOC_OVERDUE };
    struct counters *k = s->counters;
    struct conn *c;
    bool first, ok;

    pthread_mutex_lock(&k->lock);
    first = !k->filled;
    k->filled = true;
    pthread_mutex_unlock(&k->lock);
    if (!first)
        return true;
    c = reader_take(s, err);
    if (c == NULL)
        return false;
    ok = fill_hour(k, c, err);
    for (size_t i = 0; ok && i < COUNT_OF(bad); i++)
        ok = fill_bad(k, c, bad[i], told_ms, err);
    reader_give(s, c);
    return ok;
}

/* ---- asked ------------------------------------------------------------------------------- */

void store_get_counts(struct store *s, struct store_counts *out)
{
    pthread_mutex_lock(&s->counters->lock);
    *out = s->counters->c;
    pthread_mutex_unlock(&s->counters->lock);
    job_index_ages(s->jobs, out);
}

bool store_any_in_state(struct store *s, enum document_state st)
{
    bool any;

    pthread_mutex_lock(&s->counters->lock);
    any = s->counters->c.in_state[st] > 0;
    pthread_mutex_unlock(&s->counters->lock);
    return any;
}

void store_get_minutes(struct store *s, int64_t now_ms, size_t n, struct store_minute *out)
{
    struct counters *k = s->counters;
    int64_t last = now_ms / 60000;

    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < n; i++) {
        int64_t minute = last - (int64_t)(n - 1 - i);
        const struct store_minute *m = &k->minutes[(uint64_t)minute % STORE_MINUTES];

        out[i] = m->minute == minute ? *m : (struct store_minute) { .minute = minute };
    }
    pthread_mutex_unlock(&k->lock);
}

size_t store_take_bad(struct store *s, struct store_bad *list, size_t cap, uint64_t *lost)
{
    struct counters *k = s->counters;
    size_t n = 0;

    pthread_mutex_lock(&k->lock);
    for (; n < cap && k->bad_n > 0; n++) {
        list[n] = k->bad[k->bad_first];
        k->bad_first = (k->bad_first + 1) % BAD_KEPT;
        k->bad_n--;
    }
    *lost = k->bad_lost;
    k->bad_lost = 0;
    pthread_mutex_unlock(&k->lock);
    return n;
}
