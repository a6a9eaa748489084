/* Changes as statements: each function does one kind of change inside the transaction under
 * way. FAIL_AGAIN: the store is not as the batch expected, and only that batch fails. */
#include "base/writer.h"
#include "store/sqlite_int.h"

enum { MINUTE = 60000 };

typedef bool apply(struct conn *c, const struct change *ch, struct err *err);

/* For updates of one document that must be there. */
static bool run_on_document(struct call *q, const struct change *ch, const char *what,
                            struct err *err)
{
    if (!call_run(q, what, err))
        return false;
    if (sqlite3_changes(q->c->db) == 0)
        return FAIL(err, FAIL_AGAIN, 0, "document %lld is not in the store: could not %s",
                    (long long)ch->id, what);
    return true;
}

static void bind_ref(struct call *q, const struct payload_ref *ref)
{
    call_int(q, ref->kind);
    call_size(q, ref->size);
    call_text(q, ref->path);
}

/* When the documents of its block were made, widened by this one. */
static bool put_period(struct conn *c, const struct document *d, struct err *err)
{
    struct call q = call_of(c, Q_PUT_PERIOD);
    int64_t minute = d->created_ms / MINUTE * MINUTE;

    call_int(&q, d->id >> PERIOD_BITS);
    call_int(&q, minute);
    call_int(&q, minute + MINUTE - 1);
    return call_run(&q, "write when documents were made", err);
}

static bool put_document(struct conn *c, const struct change *ch, struct err *err)
{
    const struct document *d = &ch->u.document.d;
    struct call q = call_of(c, Q_PUT_DOCUMENT);

    call_int(&q, d->id);
    call_int(&q, d->outbound);
    call_int(&q, d->state);
    call_text(&q, d->protocol);
    call_text(&q, d->listener);
    call_text(&q, d->partner);
    call_text(&q, d->from);
    call_text(&q, d->to);
    call_text(&q, d->own);
    call_text(&q, d->peer);
    call_text(&q, d->name);
    call_text(&q, d->identity_key);
    call_int(&q, d->created_ms);
    call_int(&q, d->changed_ms);
    call_size(&q, d->size);
    bind_ref(&q, &d->raw);
    bind_ref(&q, &d->opened);
    call_size(&q, d->progress);
    call_size(&q, d->total);
    call_size(&q, d->records);
    call_text(&q, d->reason);
    call_int(&q, d->redelivered);
    call_text(&q, ch->u.document.props);
    return call_run(&q, "write a document", err) && put_period(c, d, err);
}

static bool add_event(struct conn *c, int64_t id, int64_t at_ms, const char *kind,
                      const char *text, struct err *err)
{
    struct call q = call_of(c, Q_ADD_EVENT);

    call_int(&q, id);
    call_int(&q, at_ms);
    call_text(&q, kind);
    call_text(&q, text);
    return call_run(&q, "write an event", err);
}

/* "queued, sealed": the states in a set. */
static void name_states(unsigned set, char *text, size_t cap)
{
    struct writer w = writer_of(text, cap - 1);

    for (int st = DOC_RECEIVING; st <= DOC_OVERDUE; st++) {
        const char *name = document_state_name((enum document_state)st);

        if (((set >> st) & 1) == 0)
            continue;
        if (w.n > 0)
            writer_put(&w, ", ", 2);
        writer_put(&w, name, strlen(name));
    }
    text[w.n] = '\0';
}

/* Says why a state was not changed. */
static bool state_conflict(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_STATE_OF);
    enum document_state is = 0;
    bool found;
    char expected[160];

    call_int(&q, ch->id);
    found = call_row(&q);
    if (found)
        is = (enum document_state)col_int(&q, 0);
    if (!call_end(&q, "read a document's state", err))
        return false;
    if (!found)
        return FAIL(err, FAIL_AGAIN, 0,
                    "document %lld is not in the store: could not set it %s", (long long)ch->id,
                    document_state_name(ch->u.state.to));
    name_states(ch->u.state.from, expected, sizeof(expected));
    return FAIL(err, FAIL_AGAIN, 0, "document %lld is %s, expected %s: could not set it %s",
                (long long)ch->id, document_state_name(is), expected,
                document_state_name(ch->u.state.to));
}

static bool set_state(struct conn *c, const struct change *ch, struct err *err)
{
    const struct state_change *st = &ch->u.state;
    struct call q = call_of(c, Q_SET_STATE);

    call_int(&q, ch->id);
    call_int(&q, st->from);
    call_int(&q, st->to);
    call_int(&q, ch->at_ms);
    call_text(&q, st->reason);
    if (!call_run(&q, "set a document's state", err))
        return false;
    if (sqlite3_changes(c->db) == 0)
        return state_conflict(c, ch, err);
    return st->event == NULL || add_event(c, ch->id, ch->at_ms, st->event, st->text, err);
}

static bool set_ref(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, ch->kind == CHANGE_RAW ? Q_SET_RAW : Q_SET_OPENED);

    call_int(&q, ch->id);
    bind_ref(&q, &ch->u.ref);
    return run_on_document(&q, ch, "set its payload", err);
}

static bool set_progress(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_SET_PROGRESS);

    call_int(&q, ch->id);
    call_size(&q, ch->u.progress.octets);
    call_size(&q, ch->u.progress.records);
    return run_on_document(&q, ch, "set its progress", err);
}

static bool set_prop(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_SET_PROP);

    call_int(&q, ch->id);
    call_text(&q, ch->u.pair.name);
    call_text(&q, ch->u.pair.value);
    return run_on_document(&q, ch, "set a property", err);
}

static bool set_redelivered(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_SET_REDELIVERED);

    call_int(&q, ch->id);
    return run_on_document(&q, ch, "mark it redelivered", err);
}

int64_t octets_key(int64_t document_id, char role)
{
    return document_id * 4 + (role == 'r' ? 0 : role == 'o' ? 1 : 2);
}

static bool put_octets(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_PUT_OCTETS);

    call_int(&q, octets_key(ch->id, ch->u.octets.role));
    call_span(&q, ch->u.octets.octets, false);
    return call_run(&q, "write a payload", err);
}

static bool drop_octets(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_DROP_OCTETS);

    call_int(&q, octets_key(ch->id, ch->u.octets.role));
    return call_run(&q, "remove a payload", err);
}

static bool put_event(struct conn *c, const struct change *ch, struct err *err)
{
    return add_event(c, ch->id, ch->at_ms, ch->u.pair.name, ch->u.pair.value, err);
}

static bool put_receipt(struct conn *c, const struct change *ch, struct err *err)
{
    const struct receipt *r = &ch->u.receipt;
    struct call q = call_of(c, Q_PUT_RECEIPT);

    call_int(&q, r->id);
    call_int(&q, r->document_id);
    call_text(&q, r->kind);
    call_int(&q, r->outbound);
    call_text(&q, r->state);
    call_int(&q, r->reason);
    call_text(&q, r->text);
    call_text(&q, r->creator);
    call_span(&q, r->octets, false);
    call_int(&q, r->at_ms);
    return call_run(&q, "write a receipt", err);
}

static bool set_receipt(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_SET_RECEIPT);

    call_int(&q, ch->id);
    call_text(&q, ch->u.pair.value);
    return call_run(&q, "set a receipt's state", err);
}

static bool add_tracked(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_ADD_TRACKED);

    call_int(&q, ch->id);
    call_text(&q, ch->u.pair.name);
    call_text(&q, ch->u.pair.value);
    return call_run(&q, "write a tracked field", err);
}

static bool add_seen(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_ADD_SEEN);
    int64_t holder = 0;

    call_text(&q, ch->u.seen.key);
    call_int(&q, ch->id);
    call_int(&q, ch->u.seen.forget_ms);
    call_int(&q, store_clock_ms());
    if (!call_run(&q, "remember a document's key", err))
        return false;
    if (sqlite3_changes(c->db) > 0)
        return true;
    q = call_of(c, Q_SEEN_BY);
    call_text(&q, ch->u.seen.key);
    if (call_row(&q))
        holder = col_int(&q, 0);
    if (!call_end(&q, "read who holds a key", err))
        return false;
    return FAIL(err, FAIL_AGAIN, 0, "document %lld is the same as document %lld: both are '%s'",
                (long long)ch->id, (long long)holder, ch->u.seen.key);
}

static bool trim_seen(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_TRIM_SEEN);

    call_text(&q, ch->u.seen.key);
    call_int(&q, ch->u.seen.forget_ms);
    return call_run(&q, "forget old keys", err);
}

static bool put_job(struct conn *c, const struct change *ch, struct err *err)
{
    const struct job *j = &ch->u.job.job;
    struct call q = call_of(c, Q_PUT_JOB);

    call_int(&q, j->id);
    call_int(&q, j->kind);
    call_int(&q, j->document_id);
    call_int(&q, j->receipt_id);
    call_text(&q, j->own);
    call_text(&q, j->peer);
    call_int(&q, j->not_before_ms);
    call_int(&q, j->attempts);
    call_int(&q, j->step);
    call_text(&q, j->last_error);
    return call_run(&q, "write a job", err);
}

static bool end_job(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_END_JOB);

    call_int(&q, ch->id);
    return call_run(&q, "end a job", err);
}

static bool put_execution(struct conn *c, const struct change *ch, struct err *err)
{
    const struct execution *x = &ch->u.execution;
    struct call q = call_of(c, Q_PUT_EXECUTION);

    call_int(&q, x->id);
    call_int(&q, x->document_id);
    call_int(&q, x->started_ms);
    call_int(&q, x->ended_ms);
    call_int(&q, x->redelivered);
    call_text(&q, x->process);
    call_text(&q, x->outcome);
    call_text(&q, x->text);
    return call_run(&q, "write an execution", err);
}

static bool put_deployment(struct conn *c, const struct change *ch, struct err *err)
{
    const struct deployment *d = &ch->u.deployment;
    struct call q = call_of(c, Q_PUT_DEPLOYMENT);

    call_text(&q, d->kind);
    call_text(&q, d->name);
    call_int(&q, d->since);
    call_int(&q, d->paused);
    call_int(&q, d->at_ms);
    call_text(&q, d->text);
    return call_run(&q, "write a deployment", err);
}

static bool change_deployment(struct conn *c, const struct change *ch, struct err *err)
{
    bool drop = ch->kind == CHANGE_DROP;
    struct call q = call_of(c, drop ? Q_DROP_DEPLOYMENT : Q_SET_PAUSED);

    call_text(&q, ch->u.pair.name);
    call_text(&q, ch->u.pair.value);
    if (!drop)
        call_int(&q, ch->u.pair.paused);
    if (!call_run(&q, "change a deployment", err))
        return false;
    if (sqlite3_changes(c->db) == 0)
        return FAIL(err, FAIL_AGAIN, 0, "no %s '%s' is deployed", ch->u.pair.name,
                    ch->u.pair.value);
    return true;
}

static bool add_audit(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_ADD_AUDIT);

    call_int(&q, ch->at_ms);
    call_text(&q, ch->u.pair.name);
    call_text(&q, ch->u.pair.value);
    return call_run(&q, "write an audit line", err);
}

bool sqlite_apply(struct conn *c, const struct change *ch, struct err *err)
{
    static apply *const table[CHANGE_KINDS] = {
        [CHANGE_DOCUMENT] = put_document,
        [CHANGE_STATE] = set_state,
        [CHANGE_RAW] = set_ref,
        [CHANGE_OPENED] = set_ref,
        [CHANGE_PROGRESS] = set_progress,
        [CHANGE_PROP] = set_prop,
        [CHANGE_REDELIVERED] = set_redelivered,
        [CHANGE_OCTETS] = put_octets,
        [CHANGE_DROP_OCTETS] = drop_octets,
        [CHANGE_EVENT] = put_event,
        [CHANGE_RECEIPT] = put_receipt,
        [CHANGE_RECEIPT_STATE] = set_receipt,
        [CHANGE_TRACKED] = add_tracked,
        [CHANGE_SEEN] = add_seen,
        [CHANGE_TRIM_SEEN] = trim_seen,
        [CHANGE_JOB] = put_job,
        [CHANGE_END_JOB] = end_job,
        [CHANGE_EXECUTION] = put_execution,
        [CHANGE_DEPLOYMENT] = put_deployment,
        [CHANGE_DROP] = change_deployment,
        [CHANGE_PAUSED] = change_deployment,
        [CHANGE_AUDIT] = add_audit,
        [CHANGE_PURGE_OCTETS] = sqlite_purge_octets,
        [CHANGE_PURGE_DOCUMENT] = sqlite_purge_document,
        [CHANGE_PURGE_RECEIPTS] = sqlite_purge_old,
        [CHANGE_PURGE_AUDIT] = sqlite_purge_old,
        [CHANGE_ADD_USER] = sqlite_apply_user,
        [CHANGE_SET_USER] = sqlite_apply_user,
        [CHANGE_DROP_USER] = sqlite_apply_user,
        [CHANGE_ADD_TOKEN] = sqlite_apply_token,
        [CHANGE_USE_TOKEN] = sqlite_apply_token,
        [CHANGE_DROP_TOKEN] = sqlite_apply_token,
    };

    return table[ch->kind](c, ch, err);
}
