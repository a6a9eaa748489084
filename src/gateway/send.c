/* Documents going out: from the command line, the API or a process step into custody, in the
 * form in which they will be sent. */
#include "gateway/as2_int.h"
#include "gateway/delivery.h"
#include "gateway/records.h"
#include "gateway/security.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct gateway_outgoing {
    struct gateway *g;
    struct arena arena;
    struct document d;
    struct oftp_sfid sfid;
    const char *key;    /* idempotency key, NULL: none */
    const char *former; /* what it was called before, NULL: nothing else */
    EVP_MD_CTX *digest; /* of the octets, where a caller gave a key; NULL: none */
    const char *who;    /* for the audit log, NULL: none */
    struct payload_writer *raw, *index;
    struct records_cut cut;
    uint8_t *record; /* V, secured: the record under way */
    uint64_t source; /* octets taken from the caller */
    bool records, as2;
    bool committed;
    int64_t again; /* the document that this one is again, 0: none; with its state and size */
    enum document_state again_state;
    uint64_t again_size;
};

void gateway_stamp(struct gateway *g, char date[9], char time_text[11])
{
    time_t now = time(NULL), second;
    struct tm tm;
    unsigned count;

    pthread_mutex_lock(&g->lock);
    if (now > g->stamp_s) {
        g->stamp_s = now;
        g->stamp_count = 0;
    } else if (g->stamp_count == 9999) { /* the counter is used up: a stamp a little ahead */
        g->stamp_s++;
        g->stamp_count = 0;
    }
    count = ++g->stamp_count;
    second = g->stamp_s;
    pthread_mutex_unlock(&g->lock);
    (void)localtime_r(&second, &tm);
    (void)strftime(date, 9, "%Y%m%d", &tm);
    (void)strftime(time_text, 7, "%H%M%S", &tm);
    (void)snprintf(time_text + 6, 5, "%04u", count % 10000);
}

bool outbound_key_taken(struct gateway *g, const char *key, int64_t but_id, bool *taken,
                        struct err *err)
{
    struct document_filter f = { .direction = 2, .identity_key = key, .limit = 10 };
    struct document *list = NULL;
    struct arena a = { 0 };
    size_t n = 0;
    bool ok = store_find_documents(g->store, &f, &a, &list, &n, err);

    *taken = false;
    for (size_t i = 0; ok && i < n; i++)
        *taken = *taken || list[i].id != but_id;
    arena_free(&a);
    return ok;
}

bool stamp_unused(struct gateway *g, struct oftp_sfid *f, struct err *err)
{
    bool taken = true;

    while (taken) {
        struct arena a = { 0 };
        const char *key;
        bool ok;

        gateway_stamp(g, f->date, f->time);
        key = oftp_identity_key(&a, f->dsn, f->date, f->time, f->orig, f->dest);
        ok = key != NULL ? outbound_key_taken(g, key, 0, &taken, err)
                         : FAIL(err, FAIL_LOCAL, 0, "out of memory");
        arena_free(&a);
        if (!ok)
            return false;
    }
    return true;
}

static bool find_parties(const struct snapshot *sn, const struct gateway_send *w,
                         const struct partner **p, const struct identity **id, struct err *err)
{
    const char *name = w->identity;

    *p = snapshot_partner(sn, w->partner);
    if (*p == NULL)
        return FAIL(err, FAIL_LOCAL, 404,
                    "partner '%s' is not deployed: see `waybill get partner`", w->partner);
    if ((*p)->party.code == NULL || (*p)->party.code[0] == '\0')
        return FAIL(err, FAIL_LOCAL, 422, "partner '%s' has no oftp2.odette_id", w->partner);
    if (name == NULL)
        name = (*p)->cfg->identity;
    if (name == NULL && snapshot_only_identity(sn, false) != NULL)
        name = snapshot_only_identity(sn, false)->name;
    if (name == NULL)
        return FAIL(err, FAIL_LOCAL, 422,
                    "no identity was named: give one, or set oftp2.identity of partner '%s'",
                    w->partner);
    *id = snapshot_identity(sn, name);
    if (*id == NULL)
        return FAIL(err, FAIL_LOCAL, 404, "identity '%s' is not deployed", name);
    if ((*id)->error != NULL)
        return FAIL(err, FAIL_LOCAL, 422, "identity '%s': %s", name, (*id)->error);
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool fill_sfid(struct gateway *g, struct oftp_sfid *f, const struct gateway_send *w,
                      const struct partner *p, const struct identity *id, struct err *err)
{
    const char *file = base_name(w->file_name);
    const char *name = w->name != NULL && w->name[0] != '\0' ? w->name
                       : file != NULL && file[0] != '\0'     ? file
                                                             : "DOCUMENT";
    const char *desc = w->description != NULL ? w->description : file;

    f->fmt = w->format == 0 ? 'U' : w->format;
    if (strchr("UTFV", f->fmt) == NULL)
        return FAIL(err, FAIL_LOCAL, 400, "format is U, T, F or V");
    f->lrecl = f->fmt == 'F' || f->fmt == 'V' ? w->record_length : 0;
    if ((f->fmt == 'F' || f->fmt == 'V') && (f->lrecl == 0 || f->lrecl > OFTP_OEB_MAX))
        return FAIL(err, FAIL_LOCAL, 400, "format %c needs a record_length from 1 to 99999",
                    f->fmt);
    f->sec = (uint8_t)((p->cfg->send_encrypted ? 1 : 0) | (p->cfg->send_signed ? 2 : 0));
    f->comp = p->cfg->send_compressed ? 1 : 0;
    f->env = f->sec != 0 || f->comp != 0;
    f->sign = p->cfg->send_signed_receipt;
    if (f->sec != 0 || f->sign)
        f->ciph = (uint8_t)config_cipher_suite(p->cfg->cipher_suite != NULL
                                                   ? p->cfg->cipher_suite
                                                   : g->rt->oftp2_server.cipher_suite);
    if (w->certificate) {
        f->sec = f->comp = f->env = f->ciph = 0;
        f->sign = false;
        (void)text_copy(f->dsn, sizeof(f->dsn), name);
    } else {
        oftp_dsn_from(f->dsn, name);
    }
    if (f->dsn[0] == '\0')
        (void)text_copy(f->dsn, sizeof(f->dsn), "DOCUMENT");
    if (w->destination != NULL && !oftp_code_valid(w->destination))
        return FAIL(err, FAIL_LOCAL, 400,
                    "destination '%.40s' is no ODETTE ID: at most 25 of A-Z 0-9 / - . & ( )",
                    w->destination);
    (void)text_copy(f->dest, sizeof(f->dest),
                    w->destination != NULL ? w->destination : p->party.code);
    (void)text_copy(f->orig, sizeof(f->orig), id->party.code);
    if (desc != NULL) {
        size_t n = oftp_utf8_cut(desc, strlen(desc), OFTP_TEXT);

        memcpy(f->desc, desc, n);
        f->descl = (uint16_t)n;
    }
    return stamp_unused(g, f, err);
}

static bool open_writers(struct gateway_outgoing *o, const struct gateway_send *w,
                         struct err *err)
{
    struct store *st = o->g->store;

    o->records = o->sfid.fmt == 'F' || o->sfid.fmt == 'V';
    if (!payload_create(st, o->d.id, o->sfid.env != 0 ? 'o' : 'r', &o->raw, err))
        return false;
    if (o->sfid.fmt == 'V' && o->sfid.env != 0) { /* lengths go in front: RFC 5024 6.5 */
        if (o->sfid.lrecl > 65535)
            return FAIL(err, FAIL_LOCAL, 422,
                        "records of a secured V file have at most 65535 octets: RFC 5024 6.5");
        o->cut.prefixed = o->record = malloc(65536);
        if (o->record == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    } else if (o->sfid.fmt == 'V' && !payload_create(st, o->d.id, 'x', &o->index, err)) {
        return false;
    }
    o->cut.raw = o->raw;
    o->cut.index = o->index;
    o->cut.longest = o->sfid.lrecl;
    o->cut.exact = o->sfid.fmt == 'F' ? o->sfid.lrecl : 0;
    o->cut.delimiter = w->again != NULL ? span_text("")
                                        : records_delimiter(w->record_delimiter,
                                                            o->sfid.fmt == 'V' ? "lf" : "none");
    if (o->sfid.fmt == 'V' && o->cut.delimiter.n == 0 && w->again == NULL)
        return FAIL(err, FAIL_LOCAL, 400, "format V needs record_delimiter lf or crlf");
    return true;
}

static void keep_key(struct gateway_outgoing *o, const struct gateway_send *w)
{
    o->who = arena_text(&o->arena, w->who);
    if (w->idempotency_key != NULL)
        o->key = arena_printf(&o->arena, "send|%s|%s", w->partner, w->idempotency_key);
    if (w->former_key != NULL)
        o->former = arena_printf(&o->arena, "send|%s|%s", w->partner, w->former_key);
    if (o->key != NULL && o->who != NULL && w->again == NULL) {
        o->digest = EVP_MD_CTX_new();
        if (o->digest != NULL && EVP_DigestInit_ex(o->digest, EVP_sha256(), NULL) != 1) {
            EVP_MD_CTX_free(o->digest);
            o->digest = NULL;
        }
    }
    if (w->again == NULL)
        return;
    o->again = w->again->id;
    o->again_state = w->again->state;
    o->again_size = w->again->size;
    props_printf(&o->d.props, &o->arena, "resend_of", "%lld", (long long)o->again);
}

static void fill_document(struct gateway_outgoing *o, const struct gateway_send *w,
                          const struct partner *p)
{
    struct document *d = &o->d;
    struct arena *a = &o->arena;

    d->outbound = true;
    d->protocol = "oftp2";
    d->listener = arena_text(a, w->listener != NULL ? w->listener : "api");
    d->partner = arena_text(a, p->name);
    d->from = d->own = arena_text(a, o->sfid.orig);
    d->to = arena_text(a, o->sfid.dest);
    d->peer = arena_text(a, p->party.code); /* who is called; it may only pass the file on */
    d->name = arena_text(a, o->sfid.dsn);
    d->identity_key = oftp_identity_key(a, o->sfid.dsn, o->sfid.date, o->sfid.time,
                                        o->sfid.orig, o->sfid.dest);
    d->created_ms = d->changed_ms = net_wall_ms();
    if (w->file_name != NULL)
        props_set(&d->props, a, "file_name", base_name(w->file_name));
    if (w->source_document != 0)
        props_printf(&d->props, a, "source_document", "%lld", (long long)w->source_document);
    keep_key(o, w);
}

bool gateway_send_begin(struct gateway *g, const struct gateway_send *what,
                        struct gateway_outgoing **out, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct gateway_outgoing *o = calloc(1, sizeof(*o));
    const struct partner *p = NULL;
    const struct identity *id = NULL;
    bool ok = o != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && atomic_load(&g->stopping))
        ok = FAIL(err, FAIL_LOCAL, 503, "the runtime is stopping: try again later");
    if (ok) {
        o->g = g;
        o->as2 = as2_send_wanted(sn, what);
    }
    if (ok && o->as2) {
        o->d.id = store_next_id(g->store);
        ok = as2_send_fill(g, sn, what, &o->d, &o->arena, err) &&
             payload_create(g->store, o->d.id, 'o', &o->raw, err);
        keep_key(o, what);
    } else if (ok) {
        ok = find_parties(sn, what, &p, &id, err) && fill_sfid(g, &o->sfid, what, p, id, err);
        if (ok) {
            o->d.id = store_next_id(g->store);
            fill_document(o, what, p);
            ok = open_writers(o, what, err);
        }
    }
    if (ok)
        *out = o;
    else
        gateway_send_free(o);
    snapshot_put(sn);
    return ok;
}

bool gateway_send_octets(struct gateway_outgoing *o, struct span octets, struct err *err)
{
    o->source += octets.n;
    if (o->digest != NULL && EVP_DigestUpdate(o->digest, octets.p, octets.n) != 1)
        return FAIL(err, FAIL_LOCAL, 500, "the digest of the octets cannot be made");
    return o->records ? records_cut(&o->cut, octets, err) : payload_write(o->raw, octets, err);
}

/* The document that was made with this key before; 0: none. */
static bool made_before(struct gateway_outgoing *o, int64_t *id, struct err *err)
{
    struct store *st = o->g->store;
    int64_t now = net_wall_ms();

    *id = 0;
    return o->key == NULL ||
           (store_find_seen(st, o->key, now, id, err) &&
            (*id != 0 || o->former == NULL || store_find_seen(st, o->former, now, id, err)));
}

/* What was handed in under the key, for same_content(). */
static bool note_content(struct gateway_outgoing *o, struct err *err)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    if (o->digest == NULL)
        return true;
    if (EVP_DigestFinal_ex(o->digest, md, &n) != 1)
        return FAIL(err, FAIL_LOCAL, 500, "the digest of the octets cannot be made");
    hex_text(md, n, text);
    props_set(&o->d.props, &o->arena, "key_sha256", text);
    return true;
}

/* A caller that gives a second document the key of another one would lose it without a word. */
static bool same_content(struct gateway_outgoing *o, int64_t before, struct err *err)
{
    const char *is = props_get(&o->d.props, "key_sha256"), *was;
    struct document d;
    bool found = false;

    if (is == NULL)
        return true;
    if (!store_get_document(o->g->store, before, &o->arena, &d, &found, err))
        return false;
    was = found ? props_get(&d.props, "key_sha256") : NULL;
    return was == NULL || strcmp(was, is) == 0 ||
           FAIL(
               err, FAIL_LOCAL, 409,
               "the key was used for document %lld, whose octets are others: give each document "
               "a key of its own",
               (long long)before);
}

/* Who made it: in its timeline, in that of the one it is again, and in the audit log. */
static void put_story(struct gateway_outgoing *o, struct store_batch *b, int64_t now)
{
    struct document *d = &o->d;
    struct arena *a = &o->arena;
    long long id = (long long)d->id;

    if (o->again == 0) {
        store_add_event(b, d->id, d->created_ms, "queued", d->listener);
        if (o->who != NULL)
            store_add_audit(b, now, o->who,
                            arena_printf(a, "send document %lld to %s", id, d->partner));
        return;
    }
    store_add_event(b, d->id, d->created_ms, "queued",
                    arena_printf(a, "document %lld again, by %s", (long long)o->again, o->who));
    store_set_state(b, o->again, DOC_BIT(o->again_state), o->again_state, now, "resent",
                    arena_printf(a, "as document %lld, by %s", id, o->who), NULL);
    store_set_prop(b, o->again, "resent_as", arena_printf(a, "%lld", id));
    store_add_audit(b, now, o->who,
                    arena_printf(a, "send document %lld to %s again, as document %lld",
                                 (long long)o->again, d->partner, id));
}

static bool commit(struct gateway_outgoing *o, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct document *d = &o->d;
    struct payload_ref index;
    int64_t now = net_wall_ms();
    bool seal = o->as2 || o->sfid.env != 0 || o->sfid.sign;
    struct payload_ref ref = { 0 };
    struct job j = { .id = store_next_id(o->g->store),
                     .kind = seal ? JOB_SEAL : JOB_SEND,
                     .document_id = d->id,
                     .own = d->own,
                     .peer = d->peer,
                     .not_before_ms = JOB_AT_ONCE };
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && o->index != NULL)
        ok = payload_checkpoint(o->index, &index, err);
    ok = ok && payload_finish(o->raw, b, &ref, err);
    if (ok) {
        d->opened = ref;
        if (o->sfid.env == 0 && !o->as2)
            d->raw = ref;
        d->size = o->again != 0 ? o->again_size : o->source;
        d->total = ref.size;
        o->sfid.fsiz = o->sfid.osiz = oftp_blocks(ref.size);
        if (!o->as2)
            props_from_sfid(&d->props, &o->arena, &o->sfid, OFTP_20);
        d->state = seal ? DOC_QUEUED : DOC_SEALED;
        store_put_document(b, d);
        put_story(o, b, now);
        if (!seal)
            store_add_event(b, d->id, now, "sealed",
                            "plain: nothing to sign, compress or encrypt");
        store_put_job(b, &j);
        if (o->key != NULL)
            store_add_seen(b, o->key, d->id,
                           now + (int64_t)o->g->rt->oftp2_server.duplicate_memory_ms);
        ok = store_commit(o->g->store, b, err);
    }
    o->committed = ok;
    store_batch_free(b);
    return ok;
}

bool gateway_send_commit(struct gateway_outgoing *o, int64_t *document_id, struct err *err)
{
    int64_t before = 0;

    if (o->records && !records_cut_end(&o->cut, err))
        return false;
    if (!note_content(o, err) || !made_before(o, &before, err))
        return false;
    if (before == 0 && !commit(o, err)) {
        struct err again;

        /* Somebody with the same key was faster. */
        if (err->kind != FAIL_AGAIN || !made_before(o, &before, &again) || before == 0)
            return false;
    }
    if (before != 0 && !same_content(o, before, err))
        return false;
    *document_id = before != 0 ? before : o->d.id;
    if (before == 0)
        log_event(LOG_INFO, "document.queued", "document", log_num(o->d.id), "partner",
                  o->d.partner, "protocol", o->d.protocol, "name", o->d.name, "octets",
                  log_num((long long)o->d.size), NULL);
    return true;
}

void gateway_send_free(struct gateway_outgoing *o)
{
    struct payload_ref index;
    struct err err;
    bool found = false;

    if (o == NULL)
        return;
    /* What was made durable and then not committed: nobody would look for it before a restart. */
    if (!o->committed && o->raw != NULL) {
        payload_remove(o->g->store, &o->d.opened);
        if (o->index != NULL && payload_index_ref(o->g->store, o->d.id, &index, &found, &err) &&
            found)
            payload_remove(o->g->store, &index);
    }
    payload_writer_free(o->raw);
    payload_writer_free(o->index);
    EVP_MD_CTX_free(o->digest);
    arena_free(&o->arena);
    free(o->record);
    free(o);
}

void send_record_begin(struct gateway_outgoing *o)
{
    o->cut.open = true;
}

bool send_record_end(struct gateway_outgoing *o, struct err *err)
{
    return records_cut_end(&o->cut, err);
}

/* ---- the step `send` --------------------------------------------------------------------- */

bool send_copy(struct gateway *g, const struct document *d, struct gateway_outgoing *o,
               struct err *err)
{
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    uint64_t at = 0;
    size_t got = 0;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && payload_open(g->store, d->id, document_opened_role(d), &d->opened, &r, err);
    do {
        ok = ok && payload_read(r, at, (struct room) { buffer, READ_SIZE }, &got, err) &&
             gateway_send_octets(o, span_of(buffer, got), err);
        at += got;
    } while (ok && got > 0);
    payload_reader_free(r);
    free(buffer);
    return ok;
}

static bool template_or_null(struct step_context *c, const char *text, const char **out,
                             struct err *err)
{
    char *made = NULL;

    if (text != NULL && !template_expand(text, c->d, c->x, c->arena, &made, err))
        return false;
    *out = made;
    return true;
}

static bool same_send(const struct config_step *a, const struct config_step *b)
{
    const char *const of_a[] = { a->u.send.protocol, a->u.send.identity, a->u.send.name },
                      *const of_b[] = { b->u.send.protocol, b->u.send.identity,
                                        b->u.send.name };
    bool same = b->kind == STEP_SEND && strcmp(a->u.send.partner, b->u.send.partner) == 0;

    for (size_t i = 0; same && i < COUNT_OF(of_a); i++)
        same = strcmp(of_a[i] == NULL ? "" : of_a[i], of_b[i] == NULL ? "" : of_b[i]) == 0;
    return same;
}

/* A run again after a crash, or after the process was mended, must not send twice: the key names the
 * document and what the step is, not where it stands. Of steps that are the same, which one. A run that
 * an operator asked for must send. */
static void step_key(struct step_context *c, struct gateway_send *w)
{
    const struct config_step *s = c->step;
    const char *run = props_get(&c->d->props, "waybill.run");
    long long id = (long long)c->d->id;
    unsigned nth = 1;

    for (const struct config_step *o = c->process->steps; o != s; o++)
        nth += same_send(s, o);
    w->idempotency_key =
        arena_printf(c->arena, "step|%lld|send|%u|%s|%s|%s|%s", id, nth, run == NULL ? "" : run,
                     s->u.send.protocol == NULL ? "" : s->u.send.protocol,
                     s->u.send.identity == NULL ? "" : s->u.send.identity,
                     s->u.send.name == NULL ? "" : s->u.send.name);
    /* Before, it had line and column. What came since the start has no such key. */
    if (c->d->created_ms < c->g->started_ms)
        w->former_key =
            arena_printf(c->arena, "step|%lld|%u:%u%s%s", id, s->at.line, s->at.column,
                         run == NULL ? "" : "|", run == NULL ? "" : run);
}

enum step_outcome step_send(struct step_context *c)
{
    struct gateway_send w = { .partner = c->step->u.send.partner,
                              .protocol = c->step->u.send.protocol,
                              .file_name = props_get(&c->d->props, "as2.file_name"),
                              .identity = c->step->u.send.identity,
                              .record_length = c->step->u.send.record_length,
                              .listener = c->d->listener,
                              .source_document = c->d->id };
    const char *name = c->step->u.send.name, *format = c->step->u.send.format;
    struct gateway_outgoing *o = NULL;
    char *dsn = NULL, *desc = NULL;
    int64_t id = 0;
    struct err err = { 0 };
    bool ok = template_expand(name == NULL ? "{{document.name}}" : name, c->d, c->x, c->arena,
                              &dsn, &err);

    ok = ok && template_or_null(c, c->step->u.send.content_type, &w.content_type, &err) &&
         template_or_null(c, c->step->u.send.subject, &w.subject, &err);
    if (ok && c->step->u.send.description != NULL)
        ok = template_expand(c->step->u.send.description, c->d, c->x, c->arena, &desc, &err);
    w.name = dsn;
    w.description = desc;
    w.format = format == NULL || format[0] == '\0' ? 'U' : format[0];
    step_key(c, &w);
    ok = ok && gateway_send_begin(c->g, &w, &o, &err) && send_copy(c->g, c->d, o, &err) &&
         gateway_send_commit(o, &id, &err);
    gateway_send_free(o);
    if (!ok) {
        (void)text_copy(c->text, sizeof(c->text), err.text);
        return STEP_FAILED;
    }
    (void)snprintf(c->text, sizeof(c->text), "queued as document %lld for %s", (long long)id,
                   w.partner);
    return STEP_DONE;
}
