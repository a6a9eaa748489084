/* A batch: changes in the order they were asked for, everything copied into its arena. */
#include "store/store_int.h"

#include <stdlib.h>

struct store_batch *store_batch_new(void)
{
    struct store_batch *b = calloc(1, sizeof(*b));

    if (b != NULL)
        b->last = &b->first;
    return b;
}

void store_batch_free(struct store_batch *b)
{
    if (b == NULL)
        return;
    arena_free(&b->arena);
    free(b);
}

/* Where a change goes when memory is out: written to, never read. */
static _Thread_local struct change nowhere;

static struct change *add(struct store_batch *b, enum change_kind kind, int64_t id)
{
    struct change *ch = arena_take(&b->arena, sizeof(*ch));

    if (ch == NULL) {
        b->failed = true;
        return &nowhere;
    }
    ch->kind = kind;
    ch->id = id;
    *b->last = ch;
    b->last = &ch->next;
    return ch;
}

static const char *copy(struct store_batch *b, const char *text)
{
    const char *c = arena_text(&b->arena, text);

    if (c == NULL && text != NULL)
        b->failed = true;
    return c;
}

static struct span copy_span(struct store_batch *b, struct span s)
{
    char *p = arena_copy(&b->arena, s);

    if (p == NULL) {
        b->failed = true;
        return (struct span) { NULL, 0 };
    }
    return span_of(p, s.n);
}

static struct payload_ref copy_ref(struct store_batch *b, const struct payload_ref *ref)
{
    return (struct payload_ref) { ref->kind, ref->size, copy(b, ref->path) };
}

static struct props copy_props(struct store_batch *b, const struct props *ps)
{
    struct props out = { 0 };
    struct prop **last = &out.first;

    for (const struct prop *p = ps->first; p != NULL; p = p->next) {
        struct prop *q = arena_take(&b->arena, sizeof(*q));

        if (q == NULL) {
            b->failed = true;
            break;
        }
        q->name = copy(b, p->name);
        q->value = copy(b, p->value);
        *last = q;
        last = &q->next;
    }
    return out;
}

void store_put_document(struct store_batch *b, const struct document *d)
{
    struct document_change *c = &add(b, CHANGE_DOCUMENT, d->id)->u.document;

    c->d = *d;
    c->d.protocol = copy(b, d->protocol);
    c->d.listener = copy(b, d->listener);
    c->d.partner = copy(b, d->partner);
    c->d.from = copy(b, d->from);
    c->d.to = copy(b, d->to);
    c->d.own = copy(b, d->own);
    c->d.peer = copy(b, d->peer);
    c->d.name = copy(b, d->name);
    c->d.identity_key = copy(b, d->identity_key);
    c->d.reason = copy(b, d->reason);
    c->d.raw = copy_ref(b, &d->raw);
    c->d.opened = copy_ref(b, &d->opened);
    c->d.props = copy_props(b, &d->props);
}

/* The document as this batch will write it; NULL: it does not. */
static struct document_change *written(struct store_batch *b, int64_t id)
{
    struct document_change *found = NULL;

    for (struct change *ch = b->first; ch != NULL; ch = ch->next)
        if (ch->kind == CHANGE_DOCUMENT && ch->id == id)
            found = &ch->u.document;
    return found;
}

/* Not before the commit: properties may still be set. */
void batch_close(struct store_batch *b)
{
    /* After want of memory names or values may be missing; it is not going to be committed. */
    for (struct change *ch = b->failed ? NULL : b->first; ch != NULL; ch = ch->next) {
        struct document_change *c = &ch->u.document;

        if (ch->kind == CHANGE_DOCUMENT && c->d.props.first != NULL &&
            (c->props = props_to_json(&c->d.props, &b->arena)) == NULL)
            b->failed = true;
    }
}

void store_set_state(struct store_batch *b, int64_t id, unsigned from, enum document_state to,
                     int64_t now_ms, const char *event, const char *text, const char *reason)
{
    struct document_change *c = written(b, id);
    struct change *ch;

    /* One statement instead of two; what conflicts is left to say so. */
    if (c != NULL && ((from >> c->d.state) & 1) != 0) {
        c->d.state = to;
        c->d.changed_ms = now_ms;
        if (reason != NULL)
            c->d.reason = copy(b, reason);
        if (event != NULL)
            store_add_event(b, id, now_ms, event, text);
        return;
    }
    ch = add(b, CHANGE_STATE, id);
    ch->at_ms = now_ms;
    ch->u.state = (struct state_change) {
        from, to, copy(b, event), copy(b, text), copy(b, reason),
    };
}

void store_set_raw(struct store_batch *b, int64_t id, const struct payload_ref *ref)
{
    add(b, CHANGE_RAW, id)->u.ref = copy_ref(b, ref);
}

void store_set_opened(struct store_batch *b, int64_t id, const struct payload_ref *ref)
{
    add(b, CHANGE_OPENED, id)->u.ref = copy_ref(b, ref);
}

void store_set_progress(struct store_batch *b, int64_t id, uint64_t progress, uint64_t records)
{
    add(b, CHANGE_PROGRESS, id)->u.progress = (struct progress_change) { progress, records };
}

static struct change *add_pair(struct store_batch *b, enum change_kind kind, int64_t id,
                               const char *name, const char *value)
{
    struct change *ch = add(b, kind, id);

    ch->u.pair.name = copy(b, name);
    ch->u.pair.value = copy(b, value);
    return ch;
}

void store_set_prop(struct store_batch *b, int64_t id, const char *name, const char *value)
{
    struct document_change *c = written(b, id);
    const char *n = text_utf8(&b->arena, name);
    const char *v = text_utf8(&b->arena, value == NULL ? "" : value);

    if (n == NULL || v == NULL)
        b->failed = true;
    else if (c != NULL)
        props_set(&c->d.props, &b->arena, n, v);
    else
        add_pair(b, CHANGE_PROP, id, n, v);
}

void store_set_redelivered(struct store_batch *b, int64_t id)
{
    add(b, CHANGE_REDELIVERED, id);
}

void store_put_octets(struct store_batch *b, int64_t id, char role, struct span octets)
{
    struct octets_change *c = &add(b, CHANGE_OCTETS, id)->u.octets;

    c->role = role;
    c->octets = copy_span(b, octets);
}

void batch_drop_octets(struct store_batch *b, int64_t id, char role)
{
    add(b, CHANGE_DROP_OCTETS, id)->u.octets.role = role;
}

void store_add_event(struct store_batch *b, int64_t id, int64_t now_ms, const char *kind,
                     const char *text)
{
    add_pair(b, CHANGE_EVENT, id, kind, text)->at_ms = now_ms;
}

void store_put_receipt(struct store_batch *b, const struct receipt *r)
{
    struct receipt *c = &add(b, CHANGE_RECEIPT, r->id)->u.receipt;

    *c = *r;
    c->kind = copy(b, r->kind);
    c->state = copy(b, r->state);
    c->text = copy(b, r->text);
    c->creator = copy(b, r->creator);
    c->octets = copy_span(b, r->octets);
}

void store_set_receipt(struct store_batch *b, int64_t id, const char *state)
{
    add_pair(b, CHANGE_RECEIPT_STATE, id, NULL, state);
}

void store_add_tracked(struct store_batch *b, int64_t id, const char *label, const char *value)
{
    add_pair(b, CHANGE_TRACKED, id, label, value);
}

void store_add_seen(struct store_batch *b, const char *key, int64_t document_id,
                    int64_t forget_ms)
{
    add(b, CHANGE_SEEN, document_id)->u.seen = (struct seen_change) { copy(b, key), forget_ms };
}

void store_trim_seen(struct store_batch *b, const char *prefix, uint32_t keep)
{
    add(b, CHANGE_TRIM_SEEN, 0)->u.seen = (struct seen_change) { copy(b, prefix), keep };
}

void store_put_job(struct store_batch *b, const struct job *j)
{
    struct change *ch = add(b, CHANGE_JOB, j->id);
    struct job *c = &ch->u.job.job;

    b->has_jobs = true;
    *c = *j;
    ch->u.job.at_once = j->not_before_ms == JOB_AT_ONCE;
    if (ch->u.job.at_once)
        c->not_before_ms = store_clock_ms();
    c->own = copy(b, j->own);
    c->peer = copy(b, j->peer);
    c->last_error = copy(b, j->last_error);
}

void store_end_job(struct store_batch *b, int64_t job_id)
{
    b->has_jobs = true;
    add(b, CHANGE_END_JOB, job_id);
}

void store_put_execution(struct store_batch *b, const struct execution *x)
{
    struct execution *c = &add(b, CHANGE_EXECUTION, x->id)->u.execution;

    *c = *x;
    c->process = copy(b, x->process);
    c->outcome = copy(b, x->outcome);
    c->text = copy(b, x->text);
}

void store_put_deployment(struct store_batch *b, const struct deployment *d)
{
    struct deployment *c = &add(b, CHANGE_DEPLOYMENT, 0)->u.deployment;

    *c = *d;
    c->kind = copy(b, d->kind);
    c->name = copy(b, d->name);
    c->text = copy(b, d->text);
}

void store_drop_deployment(struct store_batch *b, const char *kind, const char *name)
{
    add_pair(b, CHANGE_DROP, 0, kind, name);
}

void store_set_paused(struct store_batch *b, const char *kind, const char *name, bool paused)
{
    add_pair(b, CHANGE_PAUSED, 0, kind, name)->u.pair.paused = paused;
}

static void purge(struct store_batch *b, enum change_kind kind, const struct document *d,
                  bool answered, int64_t now_ms, uint64_t *done)
{
    struct change *ch = add(b, kind, d->id);

    *done = 0;
    ch->at_ms = now_ms;
    ch->u.purge = (struct purge_change) {
        .state = d->state,
        .changed_ms = d->changed_ms,
        .raw = d->raw.kind,
        .opened = d->opened.kind,
        .answered = answered,
        .done = done,
    };
}

void store_purge_octets(struct store_batch *b, const struct document *d, bool answered,
                        int64_t now_ms, uint64_t *done)
{
    purge(b, CHANGE_PURGE_OCTETS, d, answered, now_ms, done);
}

void store_purge_document(struct store_batch *b, const struct document *d, bool answered,
                          int64_t now_ms, uint64_t *done)
{
    purge(b, CHANGE_PURGE_DOCUMENT, d, answered, now_ms, done);
}

static void purge_old(struct store_batch *b, enum change_kind kind, int64_t before_ms,
                      uint32_t most, uint64_t *done)
{
    struct change *ch = add(b, kind, 0);

    *done = 0;
    ch->at_ms = before_ms;
    ch->u.purge = (struct purge_change) { .most = most, .done = done };
}

void store_purge_receipts(struct store_batch *b, int64_t before_ms, uint32_t most,
                          uint64_t *done)
{
    purge_old(b, CHANGE_PURGE_RECEIPTS, before_ms, most, done);
}

void store_purge_audit(struct store_batch *b, int64_t before_ms, uint32_t most, uint64_t *done)
{
    purge_old(b, CHANGE_PURGE_AUDIT, before_ms, most, done);
}

void store_add_audit(struct store_batch *b, int64_t now_ms, const char *who, const char *what)
{
    add_pair(b, CHANGE_AUDIT, 0, who, what)->at_ms = now_ms;
}

/* ---- who may use it ---------------------------------------------------------------------- */

static void add_user(struct store_batch *b, enum change_kind kind, const struct user *u)
{
    add(b, kind, 0)->u.user = (struct user) {
        copy(b, u->name), copy(b, u->role), copy(b, u->password), u->created_ms, u->changed_ms,
    };
}

void store_add_user(struct store_batch *b, const struct user *u)
{
    add_user(b, CHANGE_ADD_USER, u);
}

void store_set_user(struct store_batch *b, const char *name, const char *role,
                    const char *password, int64_t now_ms)
{
    add_user(b, CHANGE_SET_USER, &(struct user) { name, role, password, 0, now_ms });
}

void store_drop_user(struct store_batch *b, const char *name)
{
    add_user(b, CHANGE_DROP_USER, &(struct user) { .name = name });
}

static void add_token(struct store_batch *b, enum change_kind kind, const struct token *t)
{
    struct token *to = &add(b, kind, 0)->u.token;

    *to = *t;
    to->name = copy(b, t->name);
    to->role = copy(b, t->role);
    to->hash = copy(b, t->hash);
    to->made_by = copy(b, t->made_by);
}

void store_add_token(struct store_batch *b, const struct token *t)
{
    add_token(b, CHANGE_ADD_TOKEN, t);
}

void store_use_token(struct store_batch *b, const char *name, int64_t now_ms)
{
    add_token(b, CHANGE_USE_TOKEN, &(struct token) { .name = name, .used_ms = now_ms });
}

void store_drop_token(struct store_batch *b, const char *name)
{
    add_token(b, CHANGE_DROP_TOKEN, &(struct token) { .name = name });
}
