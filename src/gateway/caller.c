/* The client: calls partners that have something waiting, polls on their schedules, backs off
 * after failures, and tells which receipts are overdue. oftp2.md 14.3. */
#include "gateway/as2_post.h"
#include "gateway/as2_restart.h"
#include "gateway/certificates.h"
#include "gateway/relay.h"
#include "gateway/security.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CALL_JOBS = 1u << JOB_SEND | 1u << JOB_RECEIPT,
    CONNECT_MS = 30000,
    GATHER_MS = 20,     /* looks are so far apart at least */
    LOOK_MS = 1000,     /* between looks at the schedule */
    TOLD_MAX = 20,      /* waiting documents that get an event for a failed call */
    OVERDUE_MS = 10000, /* between looks for missing receipts */
    TEST_STEPS_MAX = 8,
};

/* What is known of one pair of us and a partner we call. */
struct pair {
    char own[OFTP_CODE + 1], peer[OFTP_CODE + 1];
    int failures;
    int64_t next_ms; /* not called before, after a failure; this and the next by net_now_ms */
    int64_t polled_ms;
    bool calling; /* a call is under way                */
    bool now;     /* an operator asked for a call       */
    struct pair *next;
};

struct caller {
    struct gateway *g;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    struct pair *pairs;
    unsigned calls;
    int64_t overdue_ms;
};

struct call {
    struct caller *c;
    struct pair *pair;
    struct snapshot *snap;
    const struct partner *partner;
    char own[OFTP_CODE + 1];
};

static struct pair *pair_of(struct caller *c, const char *own, const char *peer)
{
    struct pair *p;

    for (p = c->pairs; p != NULL; p = p->next)
        if (strcmp(p->own, own) == 0 && strcmp(p->peer, peer) == 0)
            return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    (void)text_copy(p->own, sizeof(p->own), own);
    (void)text_copy(p->peer, sizeof(p->peer), peer);
    p->polled_ms = (int64_t)net_now_ms();
    p->next = c->pairs;
    c->pairs = p;
    return p;
}

static bool session_with(struct gateway *g, const char *own, const char *peer)
{
    bool found = false;

    pthread_mutex_lock(&g->lock);
    for (const struct session *s = g->sessions; s != NULL && !found; s = s->next)
        found = strcmp(s->own, own) == 0 && strcmp(s->peer, peer) == 0;
    pthread_mutex_unlock(&g->lock);
    return found;
}

/* ---- one call ---------------------------------------------------------------------------- */

static void prepare(struct session *s, const struct call *call)
{
    s->partner = call->partner;
    snapshot_put(s->snap);
    s->snap = snapshot_ref(call->snap);
    (void)text_copy(s->own, sizeof(s->own), call->own);
    (void)text_copy(s->peer, sizeof(s->peer), call->partner->party.code);
    (void)text_copy(s->partner_name, sizeof(s->partner_name), call->partner->name);
}

static bool connect_partner(const struct call *call, const atomic_bool *stop, struct conn **c,
                            struct err *err)
{
    const struct config_partner *p = call->partner->cfg;
    const struct identity *id = snapshot_identity_of_code(call->snap, call->own);
    bool ok;

    if (call->partner->error != NULL)
        return FAIL(err, FAIL_LOCAL, 0, "%s", call->partner->error);
    if (id != NULL && id->error != NULL)
        return FAIL(err, FAIL_LOCAL, 0, "identity '%s': %s", id->name, id->error);
    net_heed(stop);
    ok = conn_dial(p->host, p->port, call->partner->tls, p->verify_host_name,
                   net_now_ms() + CONNECT_MS, c, err);
    net_heed(NULL);
    return ok;
}

/* Tells the documents that wait for a partner why it was not reached; when its attempts are used
 * up, they have failed. */
static void tell_jobs(struct gateway *g, const char *own, const char *peer, const char *why,
                      bool used_up)
{
    struct arena a = { 0 };
    struct job j;
    struct err err;
    bool found = true;
    int64_t last = 0, now = net_wall_ms();

    for (int i = 0; i < TOLD_MAX || used_up; i++) {
        struct store_batch *b;

        if (!store_take_job(g->store, 1u << JOB_SEND, own, peer, last, now, LEASE_MS, &a, &j,
                            &found, &err) ||
            !found)
            break;
        last = j.id;
        b = store_batch_new();
        if (b == NULL) {
            (void)job_commit(g, b, &j, "a failed call");
            break;
        }
        j.attempts++;
        j.last_error = why;
        if (used_up) {
            store_set_state(b, j.document_id, DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_SENDING),
                            DOC_FAILED, now, "failed", why, why);
            store_end_job(b, j.id);
            relay_failed(g, b, j.document_id, NERP_NOT_DELIVERED);
        } else {
            store_put_job(b, &j);
            store_add_event(b, j.document_id, now, "call failed", why);
        }
        (void)job_commit(g, b, &j, "a failed call");
    }
    arena_free(&a);
}

static bool run_call(const struct call *call, char *why, size_t cap)
{
    struct gateway *g = call->c->g;
    struct conn *conn = NULL;
    struct session *s;
    struct err err = { 0 };
    bool ok;

    if (!connect_partner(call, &g->stopping, &conn, &err)) {
        (void)snprintf(why, cap, "%.80s port %u: %s", call->partner->cfg->host,
                       call->partner->cfg->port, err.text);
        return false;
    }
    s = session_new(g, conn, true);
    if (s == NULL) {
        (void)text_copy(why, cap, "out of memory");
        return false;
    }
    prepare(s, call);
    if (session_link(s)) {
        session_run(s);
        session_unlink(s);
    }
    ok = s->started && s->end_text[0] == '\0';
    if (!ok)
        (void)text_copy(why, cap, s->end_text[0] != '\0' ? s->end_text : "no session");
    conn_close(conn, net_now_ms() + 2000);
    session_free(s);
    return ok;
}

/* What a failed call means for the pair; true when its attempts are used up. */
static bool note_failure(const struct call *call, const char *why)
{
    struct caller *c = call->c;
    uint32_t limit = call->partner->cfg->retry_attempts;
    bool used_up;
    int failures;
    int64_t now = (int64_t)net_now_ms(), next;

    pthread_mutex_lock(&c->lock);
    failures = ++call->pair->failures;
    used_up = limit != 0 && (uint32_t)failures >= limit;
    next = call->pair->next_ms = outgoing_backoff(call->partner, failures, now);
    if (used_up)
        call->pair->failures = 0;
    pthread_mutex_unlock(&c->lock);
    log_event(LOG_WARN, "oftp2.call.failed", "partner", call->partner->name, "attempt",
              log_num(failures), "reason", why, "in_s", log_num((next - now) / 1000), "look_at",
              "`waybill test` tells step by step what goes wrong", NULL);
    return used_up;
}

static void *call_thread(void *arg)
{
    struct call *call = arg;
    struct caller *c = call->c;
    char why[600] = "";
    bool ok = run_call(call, why, sizeof(why));

    if (!ok)
        tell_jobs(c->g, call->own, call->partner->party.code, why, note_failure(call, why));
    snapshot_put(call->snap);
    store_wake(c->g->store);
    net_thread_end();
    pthread_mutex_lock(&c->lock);
    if (ok) {
        call->pair->failures = 0;
        call->pair->next_ms = 0;
    }
    call->pair->calling = false;
    c->calls--; /* the last: a stop waits for it and then frees the store */
    pthread_cond_broadcast(&c->left);
    pthread_mutex_unlock(&c->lock);
    free(call);
    return NULL;
}

static bool start_call(struct caller *c, struct pair *pair, struct snapshot *sn,
                       const struct partner *p)
{
    struct call *call = calloc(1, sizeof(*call));
    pthread_attr_t attr;
    pthread_t t;
    bool ok;

    if (call == NULL)
        return false;
    call->c = c;
    call->pair = pair;
    call->snap = snapshot_ref(sn);
    call->partner = p;
    (void)text_copy(call->own, sizeof(call->own), pair->own);
    pair->calling = true;
    pair->now = false;
    c->calls++;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 512 * 1024);
    ok = pthread_create(&t, &attr, call_thread, call) == 0;
    pthread_attr_destroy(&attr);
    if (!ok) {
        pair->calling = false;
        c->calls--;
        snapshot_put(call->snap);
        free(call);
    }
    return ok;
}

/* ---- the schedule ------------------------------------------------------------------------ */

/* Under c->lock: calls the partner of this pair when it may be called now. */
static void consider(struct caller *c, struct snapshot *sn, const char *own, const char *peer,
                     bool due, bool receipts_only)
{
    const struct partner *p = snapshot_partner_of_code(sn, peer);
    struct pair *pair;

    if (p == NULL || p->cfg->host == NULL || snapshot_identity_of_code(sn, own) == NULL)
        return; /* it calls us */
    if (receipts_only && p->cfg->call_for_receipts != NULL &&
        strcmp(p->cfg->call_for_receipts, "no") == 0)
        due = false;
    pair = pair_of(c, own, peer);
    if (pair == NULL || pair->calling)
        return;
    if (pair->now ||
        (due && pair->next_ms <= (int64_t)net_now_ms() && !session_with(c->g, own, peer)))
        (void)start_call(c, pair, sn, p);
}

static void call_for_jobs(struct caller *c, struct snapshot *sn)
{
    struct arena a = { 0 };
    struct job *sends = NULL, *receipts = NULL;
    size_t sends_n = 0, receipts_n = 0;
    struct err err = { 0 };
    int64_t now = net_wall_ms();

    if (!store_job_pairs(c->g->store, 1u << JOB_SEND, &a, &sends, &sends_n, &err) ||
        !store_job_pairs(c->g->store, 1u << JOB_RECEIPT, &a, &receipts, &receipts_n, &err))
        log_event(LOG_ERROR, "store.jobs", "reason", err.text, NULL);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < sends_n; i++)
        consider(c, sn, sends[i].own, sends[i].peer, sends[i].not_before_ms <= now, false);
    for (size_t i = 0; i < receipts_n; i++)
        consider(c, sn, receipts[i].own, receipts[i].peer, receipts[i].not_before_ms <= now,
                 true);
    pthread_mutex_unlock(&c->lock);
    arena_free(&a);
}

/* The identity under which a partner is called when nothing waits for it. */
static const struct identity *default_identity(const struct snapshot *sn,
                                               const struct partner *p)
{
    if (p->cfg->identity != NULL)
        return snapshot_identity(sn, p->cfg->identity);
    return snapshot_only_identity(sn, false);
}

static void call_by_schedule(struct caller *c, struct snapshot *sn)
{
    int64_t now = (int64_t)net_now_ms();

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < sn->partners_n; i++) {
        const struct partner *p = &sn->partners[i];
        const struct identity *id = default_identity(sn, p);
        struct pair *pair;

        if (p->cfg->host == NULL || id == NULL || p->party.code == NULL ||
            (pair = pair_of(c, id->party.code, p->party.code)) == NULL)
            continue;
        bool poll = p->cfg->poll_ms > 0 && now >= pair->polled_ms + (int64_t)p->cfg->poll_ms;

        if (poll && !pair->calling)
            pair->polled_ms = now;
        if (poll || pair->now)
            consider(c, sn, id->party.code, p->party.code, true, false);
    }
    pthread_mutex_unlock(&c->lock);
}

static bool same_code(const char *x, const char *y)
{
    return x != NULL && strcmp(x, y) == 0;
}

/* What waits under the code of nobody, for a partner was deleted or its code was changed, would
 * wait for ever. Whether somebody can be reached, or calls, is another question. */
static void fail_stranded(struct caller *c, const struct snapshot *sn, const struct job *j)
{
    bool us = snapshot_identity_of_code(sn, j->own) != NULL;
    bool them = snapshot_partner_of_code(sn, j->peer) != NULL;
    char why[200];

    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct config_process *p = sn->listeners[i].process;

        us = us || (p->to_identity == NULL && same_code(p->to.odette_id, j->own));
        them = them || (p->from_partner == NULL && same_code(p->from.odette_id, j->peer));
    }
    if (us && them)
        return;
    (void)snprintf(why, sizeof(why),
                   "no %s has the odette_id %s any more: `waybill resend` sends the file as "
                   "what is deployed now says",
                   them ? "identity" : "partner", them ? j->own : j->peer);
    log_event(LOG_ERROR, "oftp2.send.stranded", "own", j->own, "peer", j->peer, "reason", why,
              NULL);
    tell_jobs(c->g, j->own, j->peer, why, true);
}

static void find_stranded(struct caller *c, const struct snapshot *sn)
{
    struct arena a = { 0 };
    struct job *list = NULL;
    struct err err = { 0 };
    size_t n = 0;

    if (store_job_pairs(c->g->store, 1u << JOB_SEND, &a, &list, &n, &err))
        for (size_t i = 0; i < n; i++)
            if (list[i].not_before_ms <= net_wall_ms())
                fail_stranded(c, sn, &list[i]);
    arena_free(&a);
}

static void mark_overdue(struct gateway *g, const struct document *d, const char *partner,
                         uint64_t after_ms)
{
    struct store_batch *b = store_batch_new();
    struct arena a = { 0 };
    struct receipt *list;
    size_t refused = 0;
    char text[200];
    struct err err = { 0 };

    if (b == NULL)
        return;
    /* One that proves nothing is none, but the operator should know of it. */
    if (!store_receipts(g->store, d->id, "refused", &a, &list, &refused, &err))
        refused = 0;
    arena_free(&a);
    (void)snprintf(
        text, sizeof(text),
        refused > 0 ? "no EERP or NERP from %s that proves what was asked for within %g s, "
                      "but one that was refused: see its reason"
                    : "no EERP or NERP from %s within %g s: ask the partner, it has the file",
        partner, (double)after_ms / 1000);
    store_set_state(b, d->id, DOC_BIT(DOC_SENT), DOC_OVERDUE, net_wall_ms(), "overdue", text,
                    text);
    if (store_commit(g->store, b, &err))
        log_event(LOG_WARN, "receipt.overdue", "document", log_num(d->id), "partner", partner,
                  "name", d->name, "look_at", "oftp2.receipt_timeout of the partner", NULL);
    store_batch_free(b);
}

static void find_overdue(struct caller *c, struct snapshot *sn)
{
    struct arena a = { 0 };
    struct document *list = NULL;
    struct err err = { 0 };
    size_t n = 0;
    int64_t now = net_wall_ms();
    uint64_t least = UINT64_MAX;

    c->overdue_ms = (int64_t)net_now_ms() + OVERDUE_MS;
    for (size_t i = 0; i < sn->partners_n; i++) {
        uint64_t t = sn->partners[i].cfg->receipt_timeout_ms;

        if (t > 0 && t < least)
            least = t;
    }
    if (least < (uint64_t)OVERDUE_MS)
        c->overdue_ms = (int64_t)net_now_ms() + (int64_t)least;
    if (least != UINT64_MAX &&
        store_find_unanswered(c->g->store, now - (int64_t)least, &a, &list, &n, &err))
        for (size_t i = 0; i < n; i++) {
            const struct partner *p =
                snapshot_partner(sn, list[i].partner == NULL ? "" : list[i].partner);

            if (p != NULL && p->cfg->receipt_timeout_ms > 0 && list[i].protocol != NULL &&
                strcmp(list[i].protocol, "oftp2") == 0 &&
                list[i].changed_ms + (int64_t)p->cfg->receipt_timeout_ms <= now)
                mark_overdue(c->g, &list[i], p->name, p->cfg->receipt_timeout_ms);
        }
    arena_free(&a);
}

/* Under incoming_reserve: nobody goes on with it meanwhile. */
static void drop_partial(struct gateway *g, int64_t id, int64_t before_ms)
{
    static const struct payload_ref none;
    struct store_batch *b = store_batch_new();
    struct arena a = { 0 };
    struct document d = { 0 };
    struct err err = { 0 };
    bool found = false;

    if (b != NULL && store_get_document(g->store, id, &a, &d, &found, &err) && found &&
        d.state == DOC_RECEIVING && d.changed_ms <= before_ms) {
        store_set_raw(b, id, &none);
        store_set_state(b, id, DOC_BIT(DOC_RECEIVING), DOC_REFUSED, net_wall_ms(), "given up",
                        "the transfer was never completed",
                        "never completed within oftp2_server.partial_memory");
        if (store_commit(g->store, b, &err))
            payload_remove(g->store, &d.raw);
    }
    store_batch_free(b);
    arena_free(&a);
}

/* A transfer that was cut off and never taken up again gives its space back. */
static void drop_old_partials(struct caller *c)
{
    struct document_filter f = { .state = "receiving", .direction = 1, .limit = 100 };
    struct arena a = { 0 };
    struct document *list = NULL;
    struct err err = { 0 };
    size_t n = 0;

    f.to_ms = net_wall_ms() - (int64_t)c->g->rt->oftp2_server.partial_memory_ms;
    if (f.to_ms <= 0 || !store_find_documents(c->g->store, &f, &a, &list, &n, &err))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        const char *key = list[i].identity_key == NULL ? "" : list[i].identity_key;
        bool as2 = list[i].protocol != NULL && strcmp(list[i].protocol, "as2") == 0;
        struct as2_part part;

        if (list[i].changed_ms > f.to_ms ||
            !(as2 ? as2_part_reserve(c->g, key, &part) : incoming_reserve(c->g, key)))
            continue;
        drop_partial(c->g, list[i].id, f.to_ms);
        if (as2)
            as2_part_end(&part);
        else
            incoming_unreserve(c->g);
    }
    arena_free(&a);
}

/* A file that comes leaves a job, its receipt, which the session it came in takes as a rule: a
 * thousand of them a second are not worth a thousand looks. After a pause the first one is. */
static void gather(uint64_t looked_ms)
{
    uint64_t now = net_now_ms();

    if (now < looked_ms + GATHER_MS)
        (void)usleep((useconds_t)(looked_ms + GATHER_MS - now) * 1000);
}

static void *caller_thread(void *arg)
{
    struct caller *c = arg;
    struct gateway *g = c->g;
    uint64_t seen = 0;
    struct watch *watch = watch_new(g);

    while (!atomic_load(&g->stopping)) {
        struct snapshot *sn = gateway_snapshot(g);
        struct err err;
        int64_t due = LOOK_MS;
        uint64_t looked_ms = net_now_ms();

        call_for_jobs(c, sn);
        call_by_schedule(c, sn);
        watch_look(watch, sn);
        if ((int64_t)net_now_ms() >= c->overdue_ms) {
            find_overdue(c, sn);
            find_stranded(c, sn);
            drop_old_partials(c);
        }
        snapshot_put(sn);
        if (!store_next_due(g->store, CALL_JOBS, net_wall_ms(), &due, &err) || due > LOOK_MS)
            due = LOOK_MS;
        store_wait_kinds(g->store, CALL_JOBS, false, &seen, due < 50 ? 50 : due);
        gather(looked_ms);
    }
    watch_free(watch);
    return NULL;
}

bool caller_start(struct gateway *g, struct caller **out, struct err *err)
{
    struct caller *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    c->g = g;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->left, NULL);
    *out = c;
    c->running = pthread_create(&c->thread, NULL, caller_thread, c) == 0;
    return c->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void caller_stop(struct caller *c)
{
    if (c == NULL)
        return;
    store_wake(c->g->store);
    if (c->running)
        (void)pthread_join(c->thread, NULL);
    pthread_mutex_lock(&c->lock);
    while (c->calls > 0)
        pthread_cond_wait(&c->left, &c->lock);
    pthread_mutex_unlock(&c->lock);
    while (c->pairs != NULL) {
        struct pair *next = c->pairs->next;

        free(c->pairs);
        c->pairs = next;
    }
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->left);
    free(c);
}

/* ---- on request -------------------------------------------------------------------------- */

static const struct partner *callable(const struct snapshot *sn, const char *name,
                                      const struct identity **id, struct err *err)
{
    const struct partner *p = snapshot_partner(sn, name);

    if (p == NULL)
        (void)FAIL(err, FAIL_LOCAL, 404,
                   "partner '%s' is not deployed: see `waybill get partner`", name);
    else if (!p->cfg->has_oftp2)
        (void)FAIL(err, FAIL_LOCAL, 422, "partner '%s' has no as2.url: it posts to us", name);
    else if (p->cfg->host == NULL)
        (void)FAIL(err, FAIL_LOCAL, 422, "partner '%s' has no oftp2.host: it calls us", name);
    else if ((*id = default_identity(sn, p)) == NULL)
        (void)FAIL(err, FAIL_LOCAL, 422,
                   "set oftp2.identity of partner '%s': it is not clear as whom to call", name);
    else
        return p;
    return NULL;
}

static void call_now(struct gateway *g, const struct partner *p, const struct identity *id)
{
    struct caller *c = g->caller;
    struct arena a = { 0 };
    struct job *jobs = NULL;
    struct err why;
    size_t n = 0;

    pthread_mutex_lock(&c->lock);
    if (store_job_pairs(g->store, CALL_JOBS, &a, &jobs, &n, &why))
        for (size_t i = 0; i < n; i++) {
            struct pair *pair = strcmp(jobs[i].peer, p->party.code) == 0
                                    ? pair_of(c, jobs[i].own, jobs[i].peer)
                                    : NULL;

            if (pair != NULL)
                pair->now = true;
        }
    struct pair *pair = pair_of(c, id->party.code, p->party.code);

    if (pair != NULL)
        pair->now = true;
    pthread_mutex_unlock(&c->lock);
    store_wake(g->store);
    arena_free(&a);
}

bool gateway_call(struct gateway *g, const char *partner, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct identity *id = NULL;
    const struct partner *p = snapshot_partner(sn, partner);
    bool posts = p != NULL && p->as2_out.cfg != NULL && p->as2_out.cfg->url != NULL;
    bool calls = p != NULL && p->cfg->has_oftp2 && p->cfg->host != NULL;
    bool ok = (posts && !calls) || callable(sn, partner, &id, err) != NULL;

    if (ok && calls)
        call_now(g, p, id);
    if (ok && posts)
        post_now(g, p);
    snapshot_put(sn);
    return ok;
}

int64_t gateway_next_call(struct gateway *g, const char *own, const char *peer)
{
    struct caller *c = g->caller;
    int64_t in_ms = 0;

    if (c == NULL || own == NULL || peer == NULL)
        return 0;
    pthread_mutex_lock(&c->lock);
    for (const struct pair *p = c->pairs; p != NULL; p = p->next)
        if (p->next_ms > 0 && strcmp(p->own, own) == 0 && strcmp(p->peer, peer) == 0)
            in_ms = p->next_ms - (int64_t)net_now_ms();
    pthread_mutex_unlock(&c->lock);
    return in_ms > 0 ? net_wall_ms() + in_ms : 0;
}

void gateway_test_add(struct gateway_test *r, struct arena *a, const char *step, bool ok,
                      uint64_t since, const char *text)
{
    struct gateway_test_step *s = &r->steps[r->steps_n++];

    s->step = step;
    s->ok = ok;
    s->text = arena_text(a, text);
    s->ms = net_now_ms() - since;
    r->ok = ok;
}

static void test_session(struct gateway *g, const struct call *call, struct conn *conn,
                         struct arena *a, struct gateway_test *r)
{
    struct session *s = session_new(g, conn, true);
    uint64_t since = net_now_ms();

    if (s == NULL) {
        gateway_test_add(r, a, "log on", false, since, "out of memory");
        return;
    }
    prepare(s, call);
    s->test = true;
    s->trace = session_trace_new(g, s->id);
    if (s->trace != NULL)
        session_trace_collect(s->trace, a, &r->trace, &r->trace_n);
    if (session_link(s)) {
        session_run(s);
        session_unlink(s);
    }
    if (s->started)
        gateway_test_add(r, a, "log on", true, since,
                         arena_printf(a,
                                      "%s answered: level %d, buffer %u, credit %u, restart %s",
                                      s->peer, oftp_session_level(s->oftp),
                                      oftp_session_sdeb(s->oftp), oftp_session_credit(s->oftp),
                                      oftp_session_restart(s->oftp) ? "yes" : "no"));
    else
        gateway_test_add(r, a, "log on", false, since,
                         s->end_text[0] != '\0' ? s->end_text
                                                : "the partner closed the connection");
    conn_close(conn, net_now_ms() + 2000);
    session_free(s);
}

static bool test_oftp2(struct gateway *g, struct snapshot *sn, const char *partner,
                       struct arena *a, struct gateway_test *r, struct err *err)
{
    struct call call = { .c = g->caller, .snap = sn };
    const struct identity *id = NULL;
    struct conn *conn = NULL;
    struct err why = { 0 };
    uint64_t since = net_now_ms();

    call.partner = callable(call.snap, partner, &id, err);
    if (call.partner == NULL)
        return false;
    (void)text_copy(call.own, sizeof(call.own), id->party.code);
    if (!connect_partner(&call, &g->stop_requested, &conn, &why)) {
        gateway_test_add(r, a, "connect", false, since, why.text);
    } else {
        const char *tls = conn_tls_text(conn);

        gateway_test_add(r, a, "connect", true, since, arena_printf(a, "%s", conn_peer(conn)));
        if (tls[0] != '\0') {
            char subject[200] = "";

            if (conn_peer_certificate(conn) != NULL)
                pki_subject(conn_peer_certificate(conn), subject, sizeof(subject));
            gateway_test_add(r, a, "TLS", true, since, arena_printf(a, "%s, %s", tls, subject));
        }
        test_session(g, &call, conn, a, r);
    }
    return true;
}

bool gateway_test_partner(struct gateway *g, const char *partner, struct arena *a,
                          struct gateway_test *r, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct partner *p = snapshot_partner(sn, partner);
    bool as2 = p != NULL && p->cfg->has_as2 && p->cfg->as2_out.url != NULL;
    bool oftp2 = !as2 || (p->cfg->has_oftp2 && p->cfg->host != NULL), ok = true;

    memset(r, 0, sizeof(*r));
    r->steps = arena_take(a, sizeof(*r->steps) * TEST_STEPS_MAX);
    if (r->steps == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok && oftp2)
        ok = test_oftp2(g, sn, partner, a, r, err);
    if (ok && as2) {
        bool first = !oftp2 || r->ok;

        as2_test_partner(g, sn, p, a, r);
        r->ok = r->ok && first;
    }
    snapshot_put(sn);
    return ok;
}
