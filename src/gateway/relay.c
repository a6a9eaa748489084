/* Relaying: see relay.h. RFC 5024 5.3.13, 5.3.14; oftp2.md 9.8. */
#include "gateway/relay.h"

#include "gateway/delivery.h"
#include "gateway/security.h"

#include <stdio.h>
#include <stdlib.h>

/* How long it is known that a copy was made: longer than any file is under way. */
#define COPY_KEPT_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)

const struct config_relay *relay_route(const struct snapshot *sn, const struct listener *l,
                                       const char *dest)
{
    for (size_t i = 0; i < l->process->relay_n; i++) {
        const struct config_relay *r = &l->process->relay[i];
        const struct partner *p = snapshot_partner(sn, r->partners[0]);
        const char *code = r->destination != NULL ? r->destination
                           : p != NULL            ? p->party.code
                                                  : NULL;

        if (code != NULL && strcmp(code, dest) == 0)
            return r;
    }
    return NULL;
}

bool relay_inbound(const struct document *d)
{
    return !d->outbound && props_get(&d->props, "waybill.relay") != NULL;
}

int64_t relay_original(const struct document *d)
{
    const char *v = d->outbound ? props_get(&d->props, "waybill.relay_of") : NULL;

    return v == NULL ? 0 : strtoll(v, NULL, 10);
}

void relay_wake(struct gateway *g, struct store_batch *b, int64_t original, int64_t now_ms)
{
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_PROCESS,
                     .document_id = original,
                     .not_before_ms = now_ms };

    store_put_job(b, &j);
}

void relay_failed(struct gateway *g, struct store_batch *b, int64_t document_id, int nerp)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct err err = { 0 };
    char code[8];
    bool found = false;

    if (!store_get_document(g->store, document_id, &a, &d, &found, &err))
        log_event(LOG_ERROR, "relay.unanswered", "document", log_num(document_id), "reason",
                  err.text, "look_at", "`waybill reject` of the document it is a copy of",
                  NULL);
    if (found && relay_original(&d) != 0) {
        (void)snprintf(code, sizeof(code), "%02d", nerp);
        store_set_prop(b, document_id, "waybill.nerp", code);
        relay_wake(g, b, relay_original(&d), net_wall_ms());
    }
    arena_free(&a);
}

bool relay_may_retry(struct gateway *g, const struct document *d, struct err *err)
{
    struct arena a = { 0 };
    struct document original = *d;
    bool ok = true, found = true;

    if (relay_original(d) != 0)
        ok = store_get_document(g->store, relay_original(d), &a, &original, &found, err);
    if (ok && found && (relay_original(d) != 0 || relay_inbound(d)) &&
        (d->state == DOC_REJECTED || props_get(&original.props, "waybill.answered") != NULL))
        ok = FAIL(err, FAIL_LOCAL, 409,
                  "document %lld is relayed and its originator was told: it must send the file "
                  "again",
                  (long long)d->id);
    arena_free(&a);
    return ok;
}

/* ---- passing on -------------------------------------------------------------------------- */

static bool copy_payload(struct gateway *g, int64_t from, char role,
                         const struct payload_ref *ref, int64_t to, struct payload_writer **w,
                         struct err *err)
{
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    uint64_t at = 0;
    size_t got = 0;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && payload_open(g->store, from, role, ref, &r, err) &&
         payload_create(g->store, to, role, w, err);
    do {
        if (ok && atomic_load(&g->ending))
            ok = FAIL(err, FAIL_LOCAL, 0, "the runtime is being stopped");
        ok = ok && payload_read(r, at, (struct room) { buffer, READ_SIZE }, &got, err) &&
             payload_write(*w, span_of(buffer, got), err);
        at += got;
    } while (ok && got > 0);
    payload_reader_free(r);
    free(buffer);
    return ok;
}

/* From levels 1 and 2 stamps are short; further on they get the century and the first counter. A
 * hop of these levels takes them off again. */
static void long_stamp(struct oftp_sfid *f)
{
    char date[9], time[11];

    if (strlen(f->date) != 6 || strlen(f->time) != 6)
        return;
    (void)snprintf(date, sizeof(date), "20%s", f->date);
    (void)snprintf(time, sizeof(time), "%s0001", f->time);
    (void)text_copy(f->date, sizeof(f->date), date);
    (void)text_copy(f->time, sizeof(f->time), time);
}

static void fill_copy(struct gateway *g, const struct snapshot *sn, const struct document *d,
                      const struct partner *p, const char *dest, struct document *c,
                      struct arena *a)
{
    const struct identity *id =
        p->cfg->identity == NULL ? NULL : snapshot_identity(sn, p->cfg->identity);
    struct oftp_sfid f;

    sfid_from_props(&f, &d->props);
    long_stamp(&f);
    (void)text_copy(f.dest, sizeof(f.dest), dest);
    c->id = store_next_id(g->store);
    c->outbound = true;
    c->state = DOC_SEALED;
    c->protocol = d->protocol;
    c->listener = d->listener;
    c->partner = p->name;
    c->from = d->from;
    c->to = arena_text(a, dest);
    c->own = id != NULL && id->party.code != NULL ? id->party.code : d->own;
    c->peer = p->party.code;
    c->name = d->name;
    c->identity_key = oftp_identity_key(a, f.dsn, f.date, f.time, f.orig, f.dest);
    c->created_ms = c->changed_ms = net_wall_ms();
    c->size = d->size;
    c->total = d->raw.size;
    c->records = 0;
    props_from_sfid(&c->props, a, &f, OFTP_20);
    props_printf(&c->props, a, "waybill.relay_of", "%lld", (long long)d->id);
}

static bool commit_copy(struct gateway *g, struct document *c, struct payload_writer *raw,
                        struct payload_writer *index, const char *key, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct payload_ref ref;
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_SEND,
                     .document_id = c->id,
                     .own = c->own,
                     .peer = c->peer,
                     .not_before_ms = c->created_ms };
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && index != NULL)
        ok = payload_checkpoint(index, &ref, err);
    ok = ok && payload_finish(raw, b, &c->raw, err);
    if (ok) {
        store_put_document(b, c);
        store_add_event(b, c->id, c->created_ms, "queued",
                        "relayed: name, stamp, originator and octets as they came");
        store_add_seen(b, key, c->id, c->created_ms + COPY_KEPT_MS);
        store_put_job(b, &j);
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    return ok;
}

/* Makes the copy for one recipient, unless an earlier run did. */
static bool copy_for(struct gateway *g, const struct snapshot *sn, const struct document *d,
                     const struct partner *p, const char *dest, struct arena *a, int64_t *id,
                     struct err *err)
{
    const char *key = arena_printf(a, "relay|%lld|%s", (long long)d->id, p->name);
    struct payload_writer *raw = NULL, *index = NULL;
    struct payload_ref ref;
    struct document c = { 0 };
    bool found = false, ok;
    const char *env = props_get(&d->props, "oftp2.sfidenv");

    if (key == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (!store_find_seen(g->store, key, net_wall_ms(), id, err))
        return false;
    if (*id != 0)
        return true;
    fill_copy(g, sn, d, p, dest, &c, a);
    ok = copy_payload(g, d->id, 'r', &d->raw, c.id, &raw, err);
    if (ok && strcmp(props_get(&d->props, "oftp2.sfidfmt"), "V") == 0 &&
        (env == NULL || env[0] == '0'))
        ok = payload_index_ref(g->store, d->id, &ref, &found, err) &&
             (!found || copy_payload(g, d->id, 'x', &ref, c.id, &index, err));
    ok = ok && (!a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory")) &&
         commit_copy(g, &c, raw, index, key, err);
    if (ok)
        log_event(LOG_INFO, "document.relayed", "document", log_num(d->id), "as", log_num(c.id),
                  "partner", p->name, "dsn", d->name, "orig", d->from, "dest", dest, NULL);
    else
        payload_remove(g->store, &c.raw);
    *id = c.id;
    payload_writer_free(raw);
    payload_writer_free(index);
    return ok;
}

static bool pass_on(struct gateway *g, const struct snapshot *sn, struct document *d,
                    struct arena *a, struct err *err)
{
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    const struct config_relay *r = l == NULL ? NULL : relay_route(sn, l, d->to);
    const char *ids = "", *names = "";
    struct store_batch *b;
    bool ok;

    if (r == NULL)
        return FAIL(err, FAIL_LOCAL, 409,
                    "no process relays files from %s to %s any more: deploy one again (relay), "
                    "then `waybill retry`",
                    d->from, d->to);
    for (const char *const *name = r->partners; *name != NULL; name++) {
        const struct partner *p = snapshot_partner(sn, *name);
        int64_t id = 0;

        if (p == NULL || p->party.error != NULL)
            return FAIL(err, FAIL_LOCAL, 409, "relay: partner '%s': %s", *name,
                        p == NULL ? "it is not deployed" : p->party.error);
        if (!copy_for(g, sn, d, p, r->partners[1] != NULL ? p->party.code : d->to, a, &id, err))
            return false;
        ids = arena_printf(a, "%s%s%lld", ids, *ids != '\0' ? "," : "", (long long)id);
        names = arena_printf(a, "%s%s%s as document %lld", names, *names != '\0' ? ", " : "to ",
                             p->name, (long long)id);
        if (ids == NULL || names == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_set_prop(b, d->id, "waybill.relay_copies", ids);
    store_set_state(b, d->id, DOC_BIT(DOC_OPENED), DOC_PROCESSING, net_wall_ms(), "relayed",
                    names, NULL);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    props_set(&d->props, a, "waybill.relay_copies", ids);
    return ok;
}

/* ---- the answer -------------------------------------------------------------------------- */

/* What became of all copies. */
struct outcome {
    size_t n;
    bool open;            /* some are still under way */
    struct document last; /* the last one, or the first that was not delivered */
    bool delivered;       /* all were acknowledged */
};

static bool look(struct gateway *g, const struct document *d, struct arena *a,
                 struct outcome *o, struct err *err)
{
    const char *at = props_get(&d->props, "waybill.relay_copies");

    *o = (struct outcome) { .delivered = true };
    while (at != NULL && *at != '\0') {
        struct document c = { 0 };
        bool found = false;
        char *end;
        int64_t id = strtoll(at, &end, 10);

        if (!store_get_document(g->store, id, a, &c, &found, err))
            return false;
        if (!found)
            return FAIL(err, FAIL_LOCAL, 409, "its copy, document %lld, is gone",
                        (long long)id);
        o->n++;
        o->open = o->open || (c.state != DOC_ACKNOWLEDGED && c.state != DOC_REJECTED &&
                              c.state != DOC_FAILED);
        if (o->delivered)
            o->last = c;
        o->delivered = o->delivered && c.state == DOC_ACKNOWLEDGED;
        at = *end == ',' ? end + 1 : NULL;
    }
    return true;
}

/* The response that settled a copy: the first one, later ones changed nothing. */
static bool settling(struct gateway *g, const struct document *c, struct arena *a,
                     struct receipt *rc, struct err *err)
{
    const char *kind = c->state == DOC_REJECTED ? "NERP" : "EERP";
    struct receipt *list = NULL;
    size_t n = 0;

    rc->id = 0;
    if (!store_receipts(g->store, c->id, "received", a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].kind, kind) == 0)
            *rc = list[i];
    return rc->id != 0 || FAIL(err, FAIL_LOCAL, 409, "the response to document %lld is gone",
                               (long long)c->id);
}

/* A NERP of ours is signed with our own key; the hash in it is of the octets that came. */
static void add_hash(struct gateway *g, struct document *d, struct arena *a)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    struct oftp_sfid f;
    struct err err = { 0 };
    size_t n = 0;

    sfid_from_props(&f, &d->props);
    if (!f.sign || !security_hash(g, d, &f, hash, &n, &err) || n == 0)
        return;
    hex_text(hash, n, text);
    props_set(&d->props, a, "oftp2.hash", text);
}

/* Why the file did not get to c, in NERP's words; the reason in *text. */
static bool reason_of(struct gateway *g, const struct document *c, struct arena *a, int *nerp,
                      const char **text, struct err *err)
{
    const char *code = props_get(&c->props, "waybill.nerp");
    struct receipt rc = { 0 };

    if (c->state == DOC_REJECTED) {
        if (!settling(g, c, a, &rc, err))
            return false;
        *nerp = rc.reason;
    } else {
        *nerp = code == NULL ? NERP_NOT_DELIVERED : atoi(code);
    }
    *text = arena_printf(a, "not delivered to %s: %.300s", c->to,
                         c->reason == NULL ? "" : c->reason);
    return *text != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

/* Adds the answer and what it makes of the original. */
static bool answer(struct gateway *g, struct store_batch *b, struct document *d,
                   const struct outcome *o, struct arena *a, struct err *err)
{
    bool settled = o->last.state != DOC_FAILED;
    int64_t now = net_wall_ms();
    struct receipt rc = { 0 };
    const char *text = NULL;
    int nerp = 0;

    if (o->n == 1 && settled) {
        if (!settling(g, &o->last, a, &rc, err) || !receipt_pass_back(g, b, d, &rc, now, err))
            return false;
        text = arena_printf(a, "%s of %s passed back", rc.kind, rc.creator);
    } else if (o->delivered) {
        receipt_plan(g, b, d, 0, NULL, now);
        text = "EERP: all recipients have acknowledged";
    } else {
        if (!reason_of(g, &o->last, a, &nerp, &text, err))
            return false;
        add_hash(g, d, a);
        receipt_plan(g, b, d, nerp, text, now);
    }
    store_set_prop(b, d->id, "waybill.answered", nerp == 0 ? "passed back" : "NERP");
    store_set_state(b, d->id, DOC_BIT(DOC_PROCESSING), nerp == 0 ? DOC_PROCESSED : DOC_FAILED,
                    now, nerp == 0 ? "processed" : "failed", text, nerp == 0 ? "" : text);
    if (nerp != 0)
        log_event(LOG_WARN, "relay.failed", "document", log_num(d->id), "partner", d->partner,
                  "nerp", log_num(nerp), "reason", text, NULL);
    return true;
}

static bool settle(struct gateway *g, const struct job *j, struct document *d, struct arena *a,
                   struct err *err)
{
    struct outcome o;
    struct store_batch *b;
    bool ok;

    if (!look(g, d, a, &o, err))
        return false;
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_end_job(b, j->id);
    ok = (o.open || o.n == 0 || answer(g, b, d, &o, a, err)) && store_commit(g->store, b, err);
    store_batch_free(b);
    return ok;
}

void relay_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
               struct document *d, struct arena *a)
{
    struct err err = { 0 };

    if ((d->state != DOC_OPENED || pass_on(g, sn, d, a, &err)) && settle(g, j, d, a, &err))
        return;
    if (atomic_load(&g->ending))
        return; /* the next runtime goes on */
    if (err.wire == 409)
        document_failed(g, j, d, NULL, err.text);
    else
        job_later(g, j, err.text);
}
