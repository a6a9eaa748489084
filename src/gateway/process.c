/* Runs the process deployed for a document: archive, then its steps. What was delivered is
 * recorded step by step, so that a retry goes on where it failed and a crash is told to the
 * process as `redelivered`. */
#include "gateway/delivery.h"
#include "gateway/exchange.h"
#include "gateway/relay.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const step_names[] = {
    [STEP_WRITE] = "write", [STEP_EXEC] = "exec", [STEP_HTTP] = "http", [STEP_SEND] = "send"
};

enum step_outcome step_for_parts(struct step_context *c,
                                 enum step_outcome (*run)(struct step_context *c))
{
    const struct document *whole = c->d;
    enum step_outcome o = STEP_DONE;

    c->parts = document_parts(whole);
    for (size_t i = 0; i < c->parts && o == STEP_DONE; i++) {
        struct document view = *whole;

        document_part(whole, i, &c->part);
        if (c->part.left == UINT64_MAX)
            c->part.left = whole->opened.size - c->part.at;
        c->part_number = i + 1;
        view.name = c->part.name;
        if (c->parts > 1)
            view.size = c->part.left;
        c->d = &view;
        o = run(c);
        c->d = whole;
    }
    /* The next run begins with the first part, which was taken. */
    if (o == STEP_FAILED && c->part_number > 1)
        c->maybe_done = true;
    return o;
}

static enum step_outcome run_step(struct step_context *c)
{
    switch (c->step->kind) {
    case STEP_WRITE:
        return step_write(c);
    case STEP_EXEC:
        return step_for_parts(c, step_exec);
    case STEP_HTTP:
        return step_for_parts(c, step_http);
    case STEP_SEND:
        return step_send(c);
    }
    return STEP_FAILED;
}

/* Marks the document as being processed before anything leaves the house: a crash from here on
 * makes the next run a redelivery. What may have been done once stays so for every further run. */
static bool start(struct gateway *g, struct document *d, struct execution *x, bool again,
                  struct err *err)
{
    bool asked = props_get(&d->props, "waybill.run") != NULL; /* by an operator */
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    bool ok;

    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    x->id = store_next_id(g->store);
    x->document_id = d->id;
    x->started_ms = now;
    x->process = d->listener;
    x->redelivered = again || asked || d->redelivered;
    if (x->redelivered)
        store_set_redelivered(b, d->id);
    store_put_execution(b, x);
    store_set_state(b, d->id, DOC_BIT(DOC_OPENED) | DOC_BIT(DOC_PROCESSING), DOC_PROCESSING,
                    now, "processing", again ? "again, after an interruption" : d->listener,
                    NULL);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    d->redelivered = d->redelivered || x->redelivered;
    return ok;
}

/* The step to go on with is kept with the document: it outlives the job, for `waybill retry`. */
static void keep_step(struct store_batch *b, const struct document *d, int64_t step)
{
    char n[24];

    (void)snprintf(n, sizeof(n), "%lld", (long long)step);
    store_set_prop(b, d->id, "waybill.step", n);
}

static int64_t kept_step(const struct document *d)
{
    const char *n = props_get(&d->props, "waybill.step");

    return n == NULL ? 0 : strtoll(n, NULL, 10);
}

static bool commit_step(struct gateway *g, const struct job *j, const struct document *d,
                        const char *name, const char *text, struct err *err)
{
    struct store_batch *b = store_batch_new();
    bool ok;

    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_add_event(b, d->id, net_wall_ms(), name, text);
    keep_step(b, d, j->step);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    return ok;
}

static void finish(struct gateway *g, const struct job *j, const struct document *d,
                   struct execution *x, const struct listener *l, const char *last,
                   const char *text)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();

    if (b == NULL) {
        (void)job_commit(g, b, j, "a processed document");
        return;
    }
    if (last != NULL)
        store_add_event(b, d->id, now, last, text);
    x->ended_ms = now;
    x->outcome = "processed";
    store_put_execution(b, x);
    store_set_state(b, d->id, DOC_BIT(DOC_PROCESSING), DOC_PROCESSED, now, "processed", l->name,
                    "");
    store_end_job(b, j->id);
    if (document_acknowledge(d, l) == ACK_PROCESSED &&
        props_get(&d->props, "waybill.answered") == NULL) {
        receipt_plan(g, b, d, 0, NULL, now);
        store_set_prop(b, d->id, "waybill.answered", "EERP");
    }
    if (!job_commit(g, b, j, "a processed document"))
        return;
    log_event(LOG_INFO, "document.processed", "document", log_num(d->id), "listener", l->name,
              "redelivered", x->redelivered ? "true" : NULL, NULL);
    archive_answer(g, d, l);
}

static void end_failed(struct gateway *g, const struct job *j, const struct document *d,
                       struct execution *x, const struct listener *l, bool maybe_done,
                       const char *reason)
{
    struct store_batch *b = store_batch_new();
    struct err err = { 0 };

    if (b != NULL) {
        x->ended_ms = net_wall_ms();
        x->outcome = "failed";
        x->text = reason;
        store_put_execution(b, x);
        if (maybe_done)
            store_set_redelivered(b, d->id);
        keep_step(b, d, j->step);
        if (!store_commit(g->store, b, &err))
            log_event(LOG_ERROR, "store.commit", "what", "an execution", "reason", err.text,
                      NULL);
        store_batch_free(b);
    }
    document_failed(g, j, d, l, reason);
    archive_answer(g, d, l);
}

/* The step comes again later. The document goes back to `opened`, so that one found in `processing`
 * was always cut off in the middle; it stays there when the receiver may have it all the same. */
static void put_off(struct gateway *g, struct job *j, const struct document *d,
                    struct execution *x, const struct step_context *c)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();

    if (b != NULL) {
        j->attempts++;
        j->not_before_ms = c->later_ms;
        j->last_error = c->text;
        x->ended_ms = now;
        x->outcome = "failed";
        x->text = c->text;
        store_put_execution(b, x);
        store_set_state(b, d->id, DOC_BIT(DOC_PROCESSING),
                        c->maybe_done ? DOC_PROCESSING : DOC_OPENED, now, "step later", c->text,
                        NULL);
        keep_step(b, d, j->step);
        store_put_job(b, j);
    }
    (void)job_commit(g, b, j, "a step for later");
}

/* Whether time is up: what was stopped in the middle is no failure of the document. It stays in
 * `processing`, and the next runtime goes on with it, as a redelivery. */
static bool cut_short(const struct gateway *g)
{
    return atomic_load(&g->ending);
}

static void run_steps(struct gateway *g, struct job *j, const struct document *d,
                      struct execution *x, const struct listener *l, struct arena *a)
{
    const struct config_process *p = l->process;
    struct step_context c = { .g = g, .d = d, .x = x, .process = p, .arena = a };
    const char *name = NULL;
    struct err err = { 0 };

    for (size_t i = j->step > 0 ? (size_t)j->step : 0; i < p->steps_n; i++) {
        char where[64];

        if (name != NULL && !commit_step(g, j, d, name, c.text, &err)) {
            store_hold_job(g->store, j->id, net_wall_ms() + HOLD_MS);
            return;
        }
        if (cut_short(g))
            return;
        store_hold_job(g->store, j->id, net_wall_ms() + LEASE_MS);
        c.step = &p->steps[i];
        c.attempts = j->attempts;
        name = step_names[c.step->kind];
        c.text[0] = '\0';
        c.maybe_done = false;
        switch (run_step(&c)) {
        case STEP_DONE:
            break;
        case STEP_LATER:
            put_off(g, j, d, x, &c);
            return;
        case STEP_FAILED:
            if (cut_short(g))
                return;
            (void)snprintf(where, sizeof(where), "step %zu (%s)", i + 1, name);
            end_failed(g, j, d, x, l, c.maybe_done, arena_printf(a, "%s: %s", where, c.text));
            return;
        }
        j->step = (int64_t)i + 1;
        j->attempts = 0;
    }
    finish(g, j, d, x, l, name, c.text);
}

void process_run(struct gateway *g, const struct job *job)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct execution x = { 0 };
    struct job j = *job;
    struct err err = { 0 };
    const struct listener *l = NULL;
    bool found = false, again;

    if (!store_get_document(g->store, j.document_id, &a, &d, &found, &err)) {
        job_later(g, &j, err.text);
        goto out;
    }
    if (!found || (d.state != DOC_OPENED && d.state != DOC_PROCESSING)) {
        job_done(g, &j);
        goto out;
    }
    if (exchange_inbound(&d)) {
        exchange_run(g, sn, &j, &d, &a);
        goto out;
    }
    if (relay_inbound(&d)) {
        relay_run(g, sn, &j, &d, &a);
        goto out;
    }
    l = snapshot_listener(sn, d.listener == NULL ? "" : d.listener);
    if (l == NULL) {
        document_failed(g, &j, &d, NULL,
                        "the process that took this document is no longer deployed: deploy it "
                        "again, then `waybill retry`");
        goto out;
    }
    j.step = kept_step(&d);
    again = d.state == DOC_PROCESSING; /* it was cut off */
    if (!start(g, &d, &x, again, &err)) {
        job_later(g, &j, err.text);
        goto out;
    }
    if (j.step == 0 && l->process->archiving.enabled && !archive_document(g, &d, l, &err)) {
        if (!cut_short(g))
            end_failed(g, &j, &d, &x, l, false, err.text);
        goto out;
    }
    run_steps(g, &j, &d, &x, l, &a);
out:
    arena_free(&a);
    snapshot_put(sn);
}
