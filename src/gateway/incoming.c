/* Files coming in: the decision on SFID, the octets into custody, EFPA after the sync.
 * RFC 5024 5.3.3 to 5.3.10; oftp2.md 7.3 (order of checks), 8 (restart), 9.3 (duplicates). */
#include "gateway/delivery.h"
#include "gateway/exchange.h"
#include "gateway/relay.h"
#include "gateway/session_int.h"
#include "store/counts.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFUSALS_TOLD = 200 };

/* ---- the same file again ----------------------------------------------------------------- */

/* Another session may still hold this file: the partner's broken connection that we have not
 * noticed. The newcomer wins; the old one keeps what it has for the restart. */
static bool claim_key(struct session *s, const char *key)
{
    struct timespec until;
    bool free_now = false;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&s->g->lock);
    for (bool in_time = true; !free_now && in_time;) {
        free_now = strcmp(s->g->reserved_key, key) != 0;
        for (struct session *o = s->g->sessions; o != NULL; o = o->next) {
            if (o == s || strcmp(o->receiving_key, key) != 0)
                continue;
            free_now = false;
            conn_shutdown(o->conn);
        }
        if (!free_now)
            in_time = pthread_cond_timedwait(&s->g->session_left, &s->g->lock, &until) == 0;
    }
    if (free_now)
        (void)text_copy(s->receiving_key, sizeof(s->receiving_key), key);
    pthread_mutex_unlock(&s->g->lock);
    return free_now;
}

static void release_key(struct session *s)
{
    pthread_mutex_lock(&s->g->lock);
    s->receiving_key[0] = '\0';
    pthread_cond_broadcast(&s->g->session_left);
    pthread_mutex_unlock(&s->g->lock);
}

bool incoming_reserve(struct gateway *g, const char *key)
{
    bool ok = true;

    pthread_mutex_lock(&g->lock);
    for (const struct session *s = g->sessions; s != NULL && ok; s = s->next)
        ok = strcmp(s->receiving_key, key) != 0;
    if (ok)
        (void)text_copy(g->reserved_key, sizeof(g->reserved_key), key);
    pthread_mutex_unlock(&g->lock);
    return ok;
}

void incoming_unreserve(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    g->reserved_key[0] = '\0';
    pthread_cond_broadcast(&g->session_left);
    pthread_mutex_unlock(&g->lock);
}

static bool same_attributes(const struct document *d, const struct oftp_sfid *f)
{
    struct oftp_sfid old;

    sfid_from_props(&old, &d->props);
    return old.fmt == f->fmt && old.lrecl == f->lrecl && old.fsiz == f->fsiz &&
           old.sec == f->sec && old.ciph == f->ciph && old.comp == f->comp && old.env == f->env;
}

/* A half-received row of this file, if there is one. */
static bool find_partial(struct session *s, struct incoming *in, const char *key, bool *found,
                         struct err *err)
{
    struct document_filter filter = { .identity_key = key, .direction = 1, .limit = 10 };
    struct document *list = NULL;
    size_t n = 0;

    *found = false;
    if (!store_any_in_state(s->g->store, DOC_RECEIVING))
        return true;
    if (!store_find_documents(s->g->store, &filter, &in->arena, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].state == DOC_RECEIVING)
            return store_get_document(s->g->store, list[i].id, &in->arena, &in->d, found, err);
    return true;
}

/* How much of the partial file is kept: units (SFPAACNT), octets and records. */
static bool kept_part(struct session *s, const struct document *d, const struct oftp_sfid *f,
                      uint64_t *units, uint64_t *octets, uint64_t *records, struct err *err)
{
    *units = *octets = *records = 0;
    if (f->rest == 0 || !oftp_session_restart(s->oftp) || !same_attributes(d, f) ||
        d->raw.kind != PAYLOAD_FILE)
        return true;
    if (!oftp_counts_records(f->fmt, f->env)) {
        *units = d->progress / OFTP_BLOCK;
        *units = f->rest < *units ? f->rest : *units;
        *octets = *units * OFTP_BLOCK;
        return true;
    }
    *units = f->rest < d->records ? f->rest : d->records;
    *records = *units;
    if (f->fmt == 'F') {
        *octets = *units * f->lrecl;
        return true;
    }
    return records_size(s->g->store, d->id, *units, octets, err);
}

/* ---- SFID -------------------------------------------------------------------------------- */

static void incoming_free(struct session *s)
{
    struct incoming *in = s->in;

    if (in == NULL)
        return;
    s->in = NULL;
    release_key(s);
    atomic_store(&s->document_id, 0);
    atomic_store(&s->done, 0);
    atomic_store(&s->total, 0);
    payload_writer_free(in->raw);
    payload_writer_free(in->index);
    arena_free(&in->arena);
    free(in);
}

static void fill_document(struct session *s, struct incoming *in, const struct oftp_sfid *f,
                          const struct listener *l)
{
    struct document *d = &in->d;
    struct arena *a = &in->arena;
    int level = oftp_session_level(s->oftp);

    d->id = store_next_id(s->g->store);
    d->outbound = false;
    d->state = DOC_RECEIVING;
    d->protocol = "oftp2";
    d->listener = l == NULL ? NULL : arena_text(a, l->name);
    d->partner =
        arena_text(a, l != NULL && l->partner != NULL ? l->partner->name : s->partner_name);
    d->from = arena_text(a, f->orig);
    d->to = arena_text(a, f->dest);
    d->own = arena_text(a, s->own);
    d->peer = arena_text(a, s->peer);
    d->name = arena_text(a, f->dsn);
    d->identity_key = oftp_identity_key(a, f->dsn, f->date, f->time, f->orig, f->dest);
    d->created_ms = d->changed_ms = net_wall_ms();
    d->total = f->fsiz < UINT64_MAX / OFTP_BLOCK ? f->fsiz * OFTP_BLOCK : 0;
    props_from_sfid(&d->props, a, f, level);
    if (l != NULL && strcmp(l->to.code, f->dest) != 0)
        props_set(&d->props, a, "waybill.relay", "yes");
    else if (l != NULL && exchange_kind(f->dsn) != NULL)
        props_set(&d->props, a, "waybill.certificate", exchange_kind(f->dsn));
    props_set(&d->props, a, "oftp2.initiator_ssidcode", s->initiator ? s->own : s->peer);
    props_set(&d->props, a, "oftp2.responder_ssidcode", s->initiator ? s->peer : s->own);
}

/* Whether this refusal is still told to people one by one: a partner that has thousands of files
 * refused in one session must fill neither the store nor the log. */
static bool refusal_told(struct session *s)
{
    if (++s->refusals == REFUSALS_TOLD)
        log_event(LOG_WARN, "oftp2.refusals", "session", log_num(s->id), "partner",
                  s->partner_name, "refused", log_num(s->refusals), "reason",
                  "further refusals of this session are answered, but neither kept nor logged",
                  NULL);
    return s->refusals <= REFUSALS_TOLD;
}

/* Keeps a record of a refusal, for people: what was offered and why not. False when the store did
 * not take it. */
static bool record_refusal(struct session *s, const struct oftp_sfid *f, const char *command,
                           int reason, const char *text, int64_t original)
{
    struct incoming in = { 0 };
    struct store_batch *b = store_batch_new();
    struct err err = { 0 };
    char line[400];
    int64_t now = net_wall_ms();
    bool ok;

    (void)snprintf(line, sizeof(line), "%s %02d %s: %s", command, reason,
                   oftp_answer_text(reason), text);
    if (b == NULL)
        return false;
    if (original != 0) {
        store_add_event(b, original, now, "duplicate", line);
    } else {
        fill_document(s, &in, f, NULL);
        in.d.state = DOC_REFUSED;
        in.d.reason = line;
        props_printf(&in.d.props, &in.arena, "oftp2.nareas", "%02d", reason);
        props_set(&in.d.props, &in.arena, "oftp2.nareast", text);
        in.d.identity_key = NULL; /* it may come again */
        store_put_document(b, &in.d);
        store_add_event(b, in.d.id, now, "refused", line);
    }
    ok = store_commit(s->g->store, b, &err);
    if (!ok)
        log_event(LOG_ERROR, "store.commit", "what", "a refusal", "reason", err.text, NULL);
    store_batch_free(b);
    arena_free(&in.arena);
    return ok;
}

static bool answer_no(struct session *s, const struct oftp_sfid *f, const struct verdict *v,
                      int64_t original, struct err *err)
{
    struct oftp_sfid copy = *f;

    atomic_fetch_add(&s->g->n.refused, 1);
    if (refusal_told(s)) {
        log_event(LOG_WARN, "oftp2.file.refused", "session", log_num(s->id), "partner",
                  s->partner_name, "dsn", copy.dsn, "orig", copy.orig, "dest", copy.dest,
                  "sfna", log_num(v->reason), "retry", v->retry ? "Y" : "N", "reason", v->text,
                  "look_at", v->look_at, NULL);
        if (s->logon != NULL)
            gateway_listener_error(s->g, s->logon->name, v->text);
        (void)record_refusal(s, &copy, "SFNA", v->reason, v->text, original);
    }
    return oftp_session_refuse_file(s->oftp, v->reason, v->retry, v->text, err);
}

static bool is_duplicate(struct session *s, const struct listener *l, const char *key,
                         int64_t *original, struct err *err)
{
    *original = 0;
    return !l->process->reject_duplicates ||
           store_find_seen(s->g->store, key, net_wall_ms(), original, err);
}

static bool open_payload(struct session *s, struct incoming *in, uint64_t octets,
                         uint64_t records, struct err *err)
{
    bool v = in->sfid.fmt == 'V' && in->sfid.env == 0;
    struct payload_ref index;
    bool found = false;

    if (octets == 0 && records == 0)
        return payload_create(s->g->store, in->d.id, 'r', &in->raw, err) &&
               (!v || payload_create(s->g->store, in->d.id, 'x', &in->index, err));
    if (!payload_resume(s->g->store, in->d.id, 'r', &in->d.raw, octets, &in->raw, err))
        return false;
    if (!v)
        return true;
    return payload_index_ref(s->g->store, in->d.id, &index, &found, err) &&
           payload_resume(s->g->store, in->d.id, 'x', &index, records * 4, &in->index, err);
}

/* Says in the store that no more than this is kept. It comes before the file is cut: a count
 * beyond its end would make the partial file useless for ever. */
static bool note_kept(struct session *s, struct incoming *in, uint64_t octets, uint64_t records,
                      struct err *err)
{
    struct store_batch *b = store_batch_new();
    bool ok;

    in->d.progress = octets;
    in->d.records = records;
    if (octets == 0 && records == 0)
        in->d.raw = (struct payload_ref) { 0 };
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_put_document(b, &in->d);
    ok = store_commit(s->g->store, b, err);
    store_batch_free(b);
    return ok;
}

/* Goes on with a file that came in part. One that cannot be gone on with is taken from its
 * beginning. */
static bool go_on(struct session *s, const struct oftp_sfid *f, const struct listener *l,
                  uint64_t *units, uint64_t *octets, uint64_t *records, struct err *err)
{
    struct incoming *in = s->in;
    struct document was = in->d;
    struct err why = { 0 };
    bool usable = kept_part(s, &was, f, units, octets, records, &why);

    in->stored = true;
    fill_document(s, in, f, l);
    in->d.id = was.id;
    in->d.created_ms = was.created_ms;
    in->d.raw = was.raw;
    if (usable && (*octets > 0 || *records > 0)) {
        if ((*octets != was.progress || *records != was.records) &&
            !note_kept(s, in, *octets, *records, err))
            return false;
        if (open_payload(s, in, *octets, *records, &why))
            return true;
        usable = false;
        payload_writer_free(in->raw);
        in->raw = NULL;
    }
    if (!usable)
        log_event(LOG_WARN, "oftp2.file.anew", "session", log_num(s->id), "document",
                  log_num(was.id), "dsn", f->dsn, "reason", why.text, NULL);
    *units = *octets = *records = 0;
    if (!note_kept(s, in, 0, 0, err))
        return false;
    payload_remove(s->g->store, &was.raw);
    return open_payload(s, in, 0, 0, err);
}

/* Begins or goes on with a file that was decided to be taken. */
static bool begin(struct session *s, const struct oftp_sfid *f, const struct listener *l,
                  uint64_t *units, uint64_t *octets, uint64_t *records, struct err *err)
{
    struct incoming *in = s->in;
    bool found = false, ok;

    in->sfid = *f;
    if (!find_partial(s, in, s->receiving_key, &found, err))
        return false;
    if (found) {
        ok = go_on(s, f, l, units, octets, records, err);
    } else {
        fill_document(s, in, f, l);
        ok = open_payload(s, in, 0, 0, err);
    }
    if (ok && in->arena.failed)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    in->listener = in->d.listener;
    in->d.progress = *octets;
    in->d.records = *records;
    in->next_checkpoint = *octets + CHECKPOINT_FIRST;
    return ok;
}

static bool take_file(struct session *s, const struct oftp_sfid *f, const struct listener *l,
                      struct err *err)
{
    uint64_t units = 0, octets = 0, records = 0;
    struct verdict v = { 0 };
    struct err why = { 0 };

    s->in = calloc(1, sizeof(*s->in));
    if (s->in == NULL || !begin(s, f, l, &units, &octets, &records, &why)) {
        (void)verdict_no(&v, ANSWER_ACCESS, true, "the file cannot be stored at the moment",
                         s->in == NULL ? "memory" : why.text);
        incoming_free(s);
        return answer_no(s, f, &v, 0, err);
    }
    atomic_store(&s->document_id, s->in->d.id);
    atomic_store(&s->done, octets);
    atomic_store(&s->total, s->in->d.total);
    log_event(LOG_INFO, "oftp2.file.start", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(s->in->d.id), "listener", l->name, "dsn",
              s->in->sfid.dsn, "from_octet", octets > 0 ? log_num((long long)octets) : NULL,
              NULL);
    return oftp_session_take_file(s->oftp, units, octets, records, err);
}

bool incoming_offer(struct session *s, const struct oftp_sfid *sfid, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(s->g);
    struct oftp_sfid f = *sfid; /* the event dies at the next call on the engine */
    struct verdict v = { 0 };
    struct arena a = { 0 };
    struct err why = { 0 };
    const struct listener *l = incoming_decide(s, sn, &f, &v);
    const char *key = oftp_identity_key(&a, f.dsn, f.date, f.time, f.orig, f.dest);
    int64_t original = 0;
    bool ok;

    if (l != NULL && key != NULL && !claim_key(s, key)) {
        (void)verdict_no(&v, ANSWER_UNSPECIFIED, true,
                         "another session is receiving this very file", "`waybill sessions`");
        l = NULL;
    }
    if (l != NULL && (key == NULL || !is_duplicate(s, l, key, &original, &why))) {
        (void)verdict_no(&v, ANSWER_ACCESS, true, "the store does not answer at the moment",
                         why.text);
        l = NULL;
    }
    if (l != NULL && original != 0) {
        (void)verdict_no(&v, ANSWER_DUPLICATE, false, "this file was received before",
                         "reject_duplicates of the operation; oftp2_server.duplicate_memory");
        l = NULL;
    }
    if (l == NULL) {
        release_key(s);
        ok = answer_no(s, &f, &v, original, err);
    } else {
        ok = take_file(s, &f, l, err);
    }
    arena_free(&a);
    snapshot_put(sn);
    return ok;
}

/* ---- DATA -------------------------------------------------------------------------------- */

/* A restart point: what came so far is made durable together with its count. */
static bool checkpoint(struct session *s, struct incoming *in, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct payload_ref index;
    bool ok = b != NULL;

    if (ok && in->index != NULL)
        ok = payload_checkpoint(in->index, &index, err);
    if (ok && (ok = payload_checkpoint(in->raw, &in->d.raw, err))) {
        in->d.changed_ms = net_wall_ms();
        store_put_document(b, &in->d);
        if (!in->stored)
            store_add_event(b, in->d.id, in->d.created_ms, "receiving", in->d.name);
        ok = store_commit(s->g->store, b, err);
        in->stored = in->stored || ok;
    }
    store_batch_free(b);
    return ok;
}

static uint64_t size_limit(const struct session *s, const struct listener *l)
{
    uint64_t own = l != NULL ? l->process->max_file_size : 0;

    return own != 0 ? own : s->rt->oftp2_server.max_file_size;
}

/* What the limit is about. An empty record has no octets, but its length is kept: each record
 * counts as one octet more. */
static uint64_t weight(const struct incoming *in)
{
    return in->d.progress + (in->index != NULL ? in->d.records : 0);
}

/* SFIDFSIZ is only an estimate: the limit counts what really comes. */
static bool beyond_limit(struct session *s, const struct incoming *in)
{
    struct snapshot *sn = gateway_snapshot(s->g);
    uint64_t limit = size_limit(s, snapshot_listener(sn, in->listener));

    snapshot_put(sn);
    return limit != 0 && (in->d.progress > limit || weight(in) / 2 > limit);
}

static void give_up(struct session *s, int esid, const char *told, const char *reason)
{
    log_event(LOG_ERROR, "oftp2.file.cut", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(s->in->d.id), "dsn", s->in->sfid.dsn, "esid",
              log_num(esid), "reason", reason, NULL);
    oftp_session_abort(s->oftp, esid, told);
    s->in->failed = true;
    s->end_reason = esid;
    (void)snprintf(s->end_text, sizeof(s->end_text), "we sent ESID %02d %s: %s", esid,
                   oftp_esid_text(esid), reason);
}

bool incoming_data(struct session *s, const struct oftp_event *ev, struct err *err)
{
    struct incoming *in = s->in;
    struct err why = { 0 };
    uint64_t before, weighed;

    (void)err;
    if (in == NULL || oftp_session_ending(s->oftp))
        return true;
    before = in->d.progress;
    weighed = weight(in);
    in->d.progress += ev->octets.n;
    in->d.records += ev->ends_n;
    if (!payload_write(in->raw, ev->octets, &why) ||
        (in->index != NULL && !records_write(in->index, ev->ends, ev->ends_n, &why))) {
        in->d.progress = before;
        give_up(s, ESID_RESOURCES, "the file cannot be stored: try later", why.text);
        return true;
    }
    atomic_store(&s->done, in->d.progress);
    if (weighed >> 20 != weight(in) >> 20 && beyond_limit(s, in)) {
        in->too_large = true;
        give_up(s, ESID_RESOURCES, "the file is larger than agreed",
                "more octets came than max_file_size allows");
        return true;
    }
    if (in->d.progress >= in->next_checkpoint &&
        net_now_ms() - in->checkpoint_ms >= CHECKPOINT_MS) {
        in->next_checkpoint = in->d.progress + CHECKPOINT_EVERY;
        in->checkpoint_ms = net_now_ms();
        if (!checkpoint(s, in, &why))
            give_up(s, ESID_RESOURCES, "the file cannot be stored: try later", why.text);
    }
    return true;
}

/* ---- EFID -------------------------------------------------------------------------------- */

static bool needs_opening(const struct listener *l, const struct oftp_sfid *f)
{
    const char *delimiter = l->process->record_delimiter;

    if (f->env != 0 || f->sign) /* a signed receipt needs the file's hash */
        return true;
    if (f->fmt == 'V')
        return delimiter == NULL || strcmp(delimiter, "none") != 0;
    return f->fmt == 'F' && delimiter != NULL && strcmp(delimiter, "none") != 0;
}

/* Everything that makes the file ours, as one change. A small secured one is opened in it; what does
 * not open is left to a worker, whose business refusals are. */
static bool commit_file(struct session *s, struct incoming *in, const struct snapshot *sn,
                        const struct listener *l, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct document *d = &in->d;
    struct payload_ref index;
    int64_t now = net_wall_ms();
    struct payload_writer *opened = NULL;
    bool relayed = relay_inbound(d) || exchange_inbound(d); /* not for the process */
    bool plain = relayed || !needs_opening(l, &in->sfid), open = plain;
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && in->index != NULL)
        ok = payload_checkpoint(in->index, &index, err);
    ok = ok && payload_finish(in->raw, b, &d->raw, err);
    if (!ok)
        goto out;
    d->state = plain ? DOC_OPENED : DOC_RECEIVED;
    d->opened = plain ? d->raw : (struct payload_ref) { 0 };
    d->size = plain ? d->raw.size : 0;
    if (!plain && in->sfid.env != 0)
        open = delivery_open_now(s->g, sn, b, d, in->raw, l, &in->arena, &opened);
    d->changed_ms = now;
    store_put_document(b, d);
    if (!in->stored)
        store_add_event(b, d->id, d->created_ms, "receiving", d->name);
    store_add_event(b, d->id, now, "received",
                    arena_printf(&in->arena, "%llu octets from %s",
                                 (unsigned long long)d->raw.size, s->partner_name));
    if (l->process->reject_duplicates)
        store_add_seen(b, d->identity_key, d->id,
                       now + (int64_t)s->rt->oftp2_server.duplicate_memory_ms);
    if (relayed) {
        relay_wake(s->g, b, d->id, now);
    } else if (open) {
        delivery_plan(s->g, b, l, d, now);
    } else {
        struct job j = { .id = store_next_id(s->g->store),
                         .kind = JOB_OPEN,
                         .document_id = d->id };

        store_put_job(b, &j);
    }
    ok = store_commit(s->g->store, b, err);
    if (ok && open && !relayed)
        delivery_log(l, d);
    if (!ok && opened != NULL && d->opened.kind == PAYLOAD_FILE && !store_failed(s->g->store))
        payload_remove(s->g->store, &d->opened);
out:
    payload_writer_free(opened);
    store_batch_free(b);
    return ok;
}

/* A reference whose path outlives the transfer. */
static void own_path(const struct payload_ref *ref, struct payload_ref *out, char *path,
                     size_t cap)
{
    path[0] = '\0';
    if (ref->path != NULL)
        (void)text_copy(path, cap, ref->path);
    *out = (struct payload_ref) { ref->kind, ref->size, path };
}

/* Small octets are in the row, and go with it, while their index is a file. */
static void remove_octets(struct session *s, int64_t id, bool indexed,
                          const struct payload_ref *raw)
{
    struct payload_ref index;
    struct err err;
    bool found = false;

    payload_remove(s->g->store, raw);
    if (indexed && payload_index_ref(s->g->store, id, &index, &found, &err) && found)
        payload_remove(s->g->store, &index);
}

/* Nothing of the file is kept, but that it was refused. The octets go when the store says so: until
 * then a row may still refer to them. */
static void discard(struct session *s, const char *command, int reason, const char *text)
{
    struct incoming *in = s->in;
    struct oftp_sfid f = in->sfid;
    bool stored = in->stored, indexed = in->index != NULL, gone;
    int64_t id = in->d.id;
    struct payload_ref raw, none = { 0 };
    char path[128];
    struct err err = { 0 };

    own_path(&in->d.raw, &raw, path, sizeof(path));
    incoming_free(s);
    atomic_fetch_add(&s->g->n.refused, 1);
    if (stored) {
        struct store_batch *b = store_batch_new();

        gone = b != NULL;
        if (gone) {
            store_set_raw(b, id, &none);
            store_set_state(b, id, DOC_BIT(DOC_RECEIVING), DOC_REFUSED, net_wall_ms(),
                            "refused", text, text);
            gone = store_commit(s->g->store, b, &err);
        }
        store_batch_free(b);
    } else {
        gone = !refusal_told(s) || record_refusal(s, &f, command, reason, text, 0);
    }
    if (gone)
        remove_octets(s, id, indexed, &raw);
}

/* A file whose end does not fit its counts, or that the store did not take. */
static bool end_refused(struct session *s, int reason, const char *text, struct err *err)
{
    log_event(LOG_WARN, "oftp2.file.failed", "session", log_num(s->id), "partner",
              s->partner_name, "dsn", s->in->sfid.dsn, "efna", log_num(reason), "reason", text,
              NULL);
    discard(s, "EFNA", reason, text);
    return oftp_session_end_refused(s->oftp, reason, text, err);
}

/* Whether something waits for this partner, so that the turn is worth asking for. */
static bool receipts_wait(struct session *s)
{
    return store_job_waits(s->g->store, 1u << JOB_RECEIPT, s->own, s->peer, s->last_receipt_job,
                           net_wall_ms());
}

/* Whether a receipt is likely to be there in a moment. */
static bool answer_expected(const struct listener *l, const struct document *d)
{
    if (exchange_inbound(d))
        return l->partner != NULL &&
               strcmp(l->partner->cfg->certificate_exchange, "automatic") == 0;
    return !relay_inbound(d) && (l->process->acknowledge == ACK_RECEIVED ||
                                 l->process->acknowledge == ACK_PROCESSED);
}

/* The counts of the EFID, or, when these are right, a record that is not. */
static void why_not(const struct incoming *in, const struct oftp_efid *efid, char *text,
                    size_t cap)
{
    if (efid->ucnt != in->d.progress || efid->rcnt != in->d.records)
        (void)snprintf(text, cap, "EFID says %llu octets, %llu records; %llu, %llu came",
                       (unsigned long long)efid->ucnt, (unsigned long long)efid->rcnt,
                       (unsigned long long)in->d.progress, (unsigned long long)in->d.records);
    else
        (void)snprintf(text, cap, "a record is %s the %u octets of SFIDLRECL, or has no end",
                       in->sfid.fmt == 'F' ? "not of" : "longer than", in->sfid.lrecl);
}

bool incoming_end(struct session *s, const struct oftp_event *ev, struct err *err)
{
    struct incoming *in = s->in;
    struct snapshot *sn;
    const struct listener *l;
    struct err why = { 0 };
    char text[120];
    int reason = 0;

    if (in == NULL)
        return true;
    if (ev->reason != 0) {
        why_not(in, ev->efid, text, sizeof(text));
        return end_refused(s, ev->reason, text, err);
    }
    sn = gateway_snapshot(s->g);
    l = snapshot_listener(sn, in->listener);
    if (l == NULL)
        (void)FAIL(&why, FAIL_LOCAL, ANSWER_DESTINATION,
                   "the process was deleted during the transfer");
    else if (beyond_limit(s, in))
        (void)FAIL(&why, FAIL_LOCAL, ANSWER_SIZE, "the file is larger than agreed");
    else if (!commit_file(s, in, sn, l, &why))
        why.wire = why.kind == FAIL_AGAIN ? ANSWER_DUPLICATE : ANSWER_ACCESS;
    reason = why.wire;
    if (reason != 0) {
        snapshot_put(sn);
        log_event(LOG_ERROR, "oftp2.file.store", "session", log_num(s->id), "document",
                  log_num(in->d.id), "reason", why.text, NULL);
        return end_refused(
            s, reason,
            reason == ANSWER_ACCESS ? "the file cannot be stored: try later" : why.text, err);
    }
    if (answer_expected(l, &in->d))
        s->awaited++;
    gateway_count_document(s->g, in->listener, false);
    atomic_fetch_add(&s->g->n.documents_in, 1);
    log_event(LOG_INFO, "oftp2.file.received", "session", log_num(s->id), "partner",
              s->partner_name, "document", log_num(in->d.id), "listener", l->name, "dsn",
              in->sfid.dsn, "octets", log_num((long long)in->d.progress), NULL);
    snapshot_put(sn);
    incoming_free(s);
    return oftp_session_end_taken(s->oftp, receipts_wait(s) && s->awaited == 0, err);
}

void incoming_cut(struct session *s)
{
    struct err err = { 0 };
    struct payload_ref raw;
    char path[128];
    bool kept, referred, indexed;
    int64_t id;

    if (s->in == NULL)
        return;
    if (s->in->too_large) { /* as a restart point it would only be too large again */
        discard(s, "ESID 08:", ANSWER_SIZE, "the file is larger than agreed");
        return;
    }
    /* After a failure, which was told already, the last restart point stands. */
    kept = s->in->d.progress > 0 && !s->in->failed;
    if (kept && oftp_session_restart(s->oftp) && !checkpoint(s, s->in, &err))
        log_event(LOG_WARN, "oftp2.file.restart_point", "document", log_num(s->in->d.id),
                  "reason", err.text, NULL);
    else if (kept)
        log_event(LOG_INFO, "oftp2.file.kept", "document", log_num(s->in->d.id), "dsn",
                  s->in->sfid.dsn, "octets", log_num((long long)s->in->d.progress), NULL);
    own_path(&s->in->d.raw, &raw, path, sizeof(path));
    referred = s->in->stored;
    indexed = s->in->index != NULL;
    id = s->in->d.id;
    incoming_free(s);
    if (!referred) /* made durable, but the store did not take the reference */
        remove_octets(s, id, indexed, &raw);
}
