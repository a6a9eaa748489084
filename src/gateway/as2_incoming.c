/* A message's body: into custody as it arrives, opened in the same pass where the answer waits for
 * it, committed, answered. as2.md 5.1 steps 6 to 24. */
#include "gateway/as2_restart.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RACES = 5, /* commits of one message, with the one made in hope */
    POLL_MS = 50,
    ANSWER_FIRST_MS = 3000,
    OVER_BUDGET_MS = 500,
};

struct exchange {
    struct gateway *g;
    struct http_request *r;
    struct as2_in in;
    struct transfer shown;
    bool async, inline_opening, committed;
    struct as2_part part; /* of a transfer that may be gone on with */
    bool held;            /* what came is kept for that */
    int64_t open_job;
    int64_t original; /* the document that has the key already */
};

/* ---- the document -------------------------------------------------------------------------- */

static void keep(struct exchange *x, const char *name, const char *value)
{
    if (value != NULL)
        props_set(&x->in.d.props, &x->in.arena, name, value);
}

/* What is shown of a header is printable. */
static const char *shown(struct arena *a, const char *value)
{
    char *text = arena_text(a, value);

    for (char *p = text; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    return text;
}

static void fill(struct exchange *x, const struct as2_head *head)
{
    struct as2_in *in = &x->in;
    struct document *d = &in->d;
    struct arena *a = &in->arena;
    const struct listener *l = in->l;

    d->id = x->part.document_id != 0 ? x->part.document_id : store_next_id(x->g->store);
    d->raw = x->part.ref;
    d->protocol = "as2";
    d->listener = arena_text(a, l->name);
    d->partner = arena_text(a, l->partner != NULL ? l->partner->name : head->from);
    d->from = d->peer = arena_text(a, head->from);
    d->to = d->own = arena_text(a, head->to);
    d->created_ms = d->changed_ms = net_wall_ms();
    d->total = x->r->has_length ? x->r->length : 0;
    d->name = arena_printf(a, "payload-%lld", (long long)d->id);
    d->identity_key = as2_key(a, head->from, head->to, head->message_id);
    keep(x, AS2_MESSAGE_ID, head->message_id);
    keep(x, "as2.as2_from", head->from);
    keep(x, "as2.as2_to", head->to);
    keep(x, AS2_FROM_RAW, head->from_raw);
    keep(x, AS2_TO_RAW, head->to_raw);
    keep(x, AS2_MDN_TO, http_header(x->r, "Disposition-Notification-To"));
    keep(x, AS2_MDN_OPTIONS, http_header(x->r, "Disposition-Notification-Options"));
    keep(x, AS2_MDN_DELIVERY, http_header(x->r, "Receipt-Delivery-Option"));
    keep(x, "as2.subject", shown(a, http_header(x->r, "Subject")));
    keep(x, "as2.version", shown(a, http_header(x->r, "AS2-Version")));
    keep(x, "as2.features", shown(a, http_header(x->r, "EDIINT-Features")));
    keep(x, "as2.user_agent", shown(a, http_header(x->r, "User-Agent")));
    keep(x, "as2.address", x->r->address);
    if (head->authenticated)
        keep(x, AS2_AUTHENTIC, "transport");
    as2_in_keep_head(in, x->r);
    as2_request_of(d, a, &in->request);
    as2_receipt_plan_make(&in->request, as2_receipt_policy(&l->process->as2), &in->plan);
    x->async = in->request.mdn && in->request.async_url != NULL;
    if (in->request.broken)
        log_event(LOG_WARN, "as2.receipt_request", "partner", d->partner, "reason",
                  "Disposition-Notification-Options cannot be read: the MDN will be unsigned",
                  NULL);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void pass_on(struct exchange *x, struct span octets)
{
    x->in.d.progress += octets.n;
    atomic_store(&x->shown.done, x->in.d.progress);
    if (x->inline_opening)
        as2_in_write(&x->in, octets);
}

static bool take(struct exchange *x, struct span octets, struct err *err)
{
    if (!payload_write(x->in.raw, octets, err))
        return false;
    pass_on(x, octets);
    return true;
}

static bool read_body(struct exchange *x, struct span first, struct err *err)
{
    const size_t cap =
        x->r->has_length && x->r->length < READ_SIZE ? (size_t)x->r->length + 1 : READ_SIZE;
    uint8_t *buffer = malloc(cap);
    size_t n = 1;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && (first.n == 0 || take(x, first, err));
    while (ok && n > 0) {
        ok = http_body(x->r, (struct room) { buffer, cap }, &n, err) &&
             (n == 0 || take(x, span_of(buffer, n), err));
        if (ok && atomic_load(&x->g->ending))
            ok = FAIL(err, FAIL_LOCAL, 0, "the runtime is being stopped");
    }
    free(buffer);
    if (ok) {
        atomic_fetch_add(&x->g->n.octets_in, x->in.d.progress);
        atomic_fetch_add(&x->g->n.as2_octets_in, x->in.d.progress);
    }
    return ok;
}

/* What came before this body goes through the layers again. */
static bool take_held(struct exchange *x, struct err *err)
{
    struct payload_reader *reader = NULL;
    uint8_t *buffer;
    size_t n = 1;
    bool ok;

    if (x->part.document_id == 0 || x->part.from == 0)
        return true;
    buffer = malloc(READ_SIZE);
    ok = (buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory")) &&
         payload_open(x->g->store, x->in.d.id, 'r', &x->part.ref, &reader, err);
    while (ok && x->in.d.progress < x->part.from && n > 0) {
        uint64_t left = x->part.from - x->in.d.progress;
        size_t want = left < READ_SIZE ? (size_t)left : READ_SIZE;

        ok = payload_read(reader, x->in.d.progress, (struct room) { buffer, want }, &n, err);
        if (ok)
            pass_on(x, span_of(buffer, n));
    }
    if (ok && x->in.d.progress < x->part.from)
        ok = FAIL(err, FAIL_LOCAL, 0, "what is held is shorter than it should be");
    payload_reader_free(reader);
    free(buffer);
    return ok;
}

/* For a second pass, before anything is committed. */
static bool reread(void *context, uint64_t at, struct room room, size_t *n, struct err *err)
{
    struct exchange *x = context;
    struct payload_reader *reader = NULL;
    bool ok = x->in.raw_ref.kind != PAYLOAD_NONE ||
              payload_checkpoint(x->in.raw, &x->in.raw_ref, err);

    ok = ok && payload_open(x->g->store, x->in.d.id, 'r', &x->in.raw_ref, &reader, err) &&
         payload_read(reader, at, room, n, err);
    payload_reader_free(reader);
    return ok;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void answer_empty(struct exchange *x, int status, const char *extra)
{
    struct err ignored;

    as2_trace(x->g, x->shown.id, x->in.d.partner, x->in.d.from, "< HTTP %d", status);
    (void)!http_answer(x->r, status, NULL, extra, span_of(NULL, 0), &ignored);
}

static void answer_later(struct exchange *x, const char *reason)
{
    log_event(LOG_WARN, "as2.message.later", "partner", x->in.d.partner, "message_id",
              as2_prop(&x->in.d, AS2_MESSAGE_ID), "status", "503", "reason", reason, NULL);
    answer_empty(x, 503, "Retry-After: 60\r\n");
}

static void answer_mdn(struct exchange *x, struct span mdn)
{
    const char *headers;
    struct span body;
    struct err ignored;

    if (mdn.n == 0) {
        answer_empty(x, 200, NULL);
        return;
    }
    as2_answer_split(mdn, &x->in.arena, &headers, &body);
    as2_trace(x->g, x->shown.id, x->in.d.partner, x->in.d.from, "< HTTP 200, MDN %s",
              as2_fault_disposition(x->in.fault));
    if (headers != NULL && http_answer(x->r, 200, NULL, headers, body, &ignored))
        atomic_fetch_add(&x->g->n.mdns_out, 1);
}

/* An MDN that waits for the process or for an operator: as2.md 5.1, last paragraph. */
static void answer_when_processed(struct exchange *x)
{
    uint64_t until = net_now_ms() + x->g->rt->as2_server.sync_wait_ms;
    struct receipt rc;
    struct err err = { 0 };
    bool found = false;

    for (;;) {
        struct arena a = { 0 }; /* not that of the message: there may be many looks */
        bool again = as2_answer_stored(x->g, x->in.d.id, &a, &rc, &found, &err) && !found &&
                     net_now_ms() < until && !atomic_load(&x->g->stopping);

        arena_free(&a);
        if (!again)
            break;
        (void)usleep(POLL_MS * 1000);
    }
    if (found && as2_answer_stored(x->g, x->in.d.id, &x->in.arena, &rc, &found, &err) && found)
        answer_mdn(x, rc.octets);
    else
        answer_later(x, "the MDN waits for the process: the partner is asked to try again");
}

/* ---- committing ------------------------------------------------------------------------------ */

/* hopeful: without having looked for messages like it; if there is one, the commit says so. */
static bool commit(struct exchange *x, bool remember, bool hopeful, struct span *mdn,
                   struct err *err)
{
    struct as2_in *in = &x->in;
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    *mdn = span_of(NULL, 0);
    ok = ok && (!x->inline_opening || as2_in_last(in, !hopeful, err)) &&
         payload_finish(x->in.raw, b, &in->d.raw, err);
    if (!ok)
        goto out;
    in->d.progress = in->d.raw.size;
    if (!remember)
        in->d.identity_key = NULL;
    as2_part_done(b, &x->part, in->d.id, now);
    store_add_event(b, in->d.id, now, "received",
                    arena_printf(&in->arena, "%llu octets from %s",
                                 (unsigned long long)in->d.raw.size, in->d.partner));
    if (!x->inline_opening) {
        /* Not before the client has its 2xx: the MDN must not overtake it (as2.md 4.6). */
        struct job j = { .id = store_next_id(x->g->store),
                         .kind = JOB_OPEN,
                         .document_id = in->d.id,
                         .not_before_ms = now + ANSWER_FIRST_MS };

        in->d.state = DOC_RECEIVED;
        in->d.changed_ms = now;
        store_put_document(b, &in->d);
        x->open_job = j.id;
        store_put_job(b, &j);
        as2_remember(x->g, b, in->l, &in->d, now);
    } else {
        if (remember && in->fault == AS2_FINE)
            as2_remember(x->g, b, in->l, &in->d, now);
        else
            in->d.identity_key = NULL; /* what was refused may come again */
        ok = as2_in_plan(in, b, false, now, mdn, err);
    }
    ok = ok && store_commit(x->g->store, b, err);
out:
    store_batch_free(b);
    x->committed = x->committed || ok;
    if (ok && x->inline_opening)
        payload_cool(in->raw);
    return ok;
}

/* Other content under a Message-ID that was used before: refused, and somebody is told. */
static void refuse_reuse(struct exchange *x)
{
    x->in.fault = AS2_UNEXPECTED;
    (void)FAIL(&x->in.why, FAIL_TRUST, AS2_UNEXPECTED,
               "Message-ID reused with different content: document %lld has it already",
               (long long)x->original);
}

/* False: not settled yet, look again. */
static bool settle_duplicate(struct exchange *x, bool *remember)
{
    struct span mdn;
    struct err err = { 0 };

    switch (as2_duplicate(&x->in, x->original, &mdn, &err)) {
    case AS2_AGAIN_NEW:
        x->original = 0;
        return false;
    case AS2_AGAIN_SAME:
        answer_mdn(x, mdn);
        return true;
    case AS2_AGAIN_BUSY:
        answer_later(x, err.text[0] != '\0' ? err.text : "the same message is being processed");
        return true;
    case AS2_AGAIN_GONE: /* as2.md 4.4: the stored MDN went with it */
        x->in.fault = AS2_DUPLICATE;
        (void)FAIL(&x->in.why, FAIL_TRUST, AS2_DUPLICATE,
                   "received before as document %lld, which is no longer kept",
                   (long long)x->original);
        break;
    case AS2_AGAIN_OTHER:
        refuse_reuse(x);
        break;
    case AS2_AGAIN_FAULT:
        break;
    }
    *remember = false;
    return false;
}

static bool look_for_original(struct exchange *x, struct err *err)
{
    x->original = 0;
    return !x->in.l->process->as2.reject_duplicates.enabled ||
           store_find_seen(x->g->store, x->in.d.identity_key, net_wall_ms(), &x->original, err);
}

static void answer_async(struct exchange *x)
{
    answer_empty(x, 200, NULL);
    if (x->open_job == 0)
        return;
    store_hold_job(x->g->store, x->open_job, net_wall_ms());
    store_wake(x->g->store);
}

/* Nearly every message is new. To look twice in the store for one like it costs more than a commit in
 * vain now and then, if the message is small. One that the last checks may refuse is not committed
 * before it is known to be none that was answered. */
static bool worth_a_try(const struct exchange *x)
{
    struct payload_ref ref;

    return x->inline_opening && !x->async && x->in.fault == AS2_FINE &&
           x->in.l->process->as2.file_names != FILE_NAMES_REJECT &&
           payload_here(x->in.raw, &ref) && payload_here(x->in.opened, &ref);
}

static void conclude(struct exchange *x)
{
    struct span mdn = { NULL, 0 };
    struct err err = { 0 };
    bool remember = true;

    for (int i = 0; i < RACES; i++) {
        bool hopeful = i == 0 && worth_a_try(x);

        if (!hopeful && remember && !look_for_original(x, &err))
            break;
        if (remember && x->original != 0 && settle_duplicate(x, &remember))
            return;
        if (x->original != 0 && remember)
            break; /* cannot be told apart without being opened: later */
        if (commit(x, remember, hopeful, &mdn, &err)) {
            const struct config_process *p = x->in.l->process;
            bool waits = x->inline_opening && !x->async && x->in.request.mdn &&
                         x->in.fault == AS2_FINE &&
                         (p->acknowledge == ACK_PROCESSED || p->acknowledge == ACK_MANUAL);

            /* Whoever has the answer may go on with the transfer at once. */
            as2_part_end(&x->part);
            if (x->inline_opening)
                as2_in_told(&x->in);
            if (x->async)
                answer_async(x);
            else if (waits)
                answer_when_processed(x);
            else
                answer_mdn(x, mdn);
            return;
        }
        if (err.kind != FAIL_AGAIN)
            break;
    }
    answer_later(x,
                 err.text[0] != '\0' ? err.text : "another upload of this message was faster");
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Where the MDN may go is decided before the body: as2.md 4.9. */
static bool decide_urls(struct exchange *x, struct err *err)
{
    const char *url = NULL, *fallback = NULL;

    if (!x->async || x->in.l->process->acknowledge == ACK_NONE)
        return true;
    if (!as2_mdn_urls(x->in.l, x->in.request.async_url, &x->in.arena, &url, &fallback, err))
        return false;
    keep(x, AS2_MDN_URL, url);
    keep(x, AS2_MDN_FALLBACK, fallback);
    if (url == NULL)
        log_event(
            LOG_WARN, "as2.mdn.url", "partner", x->in.d.partner, "reason",
            "Receipt-Delivery-Option names another host than this partner's: the MDN goes "
            "to the configured URL",
            "look_at", "mdn_delivery of the operation", NULL);
    return true;
}

static bool begin(struct exchange *x, struct err *err)
{
    if (x->async && !look_for_original(x, err))
        return false;
    if (!as2_part_cut(x->g, &x->part, err))
        return false;
    if (x->part.document_id != 0
            ? !payload_resume(x->g->store, x->in.d.id, 'r', &x->part.ref, x->part.from,
                              &x->in.raw, err)
            : !payload_create(x->g->store, x->in.d.id, 'r', &x->in.raw, err))
        return false;
    /* An asynchronous MDN never delays the 2xx; but what may be a duplicate must be looked into. */
    x->inline_opening = !x->async || x->original != 0;
    return !x->inline_opening || as2_in_restore_head(&x->in, err);
}

/* A message that was refused keeps the answer it got. */
static bool replay_refused(struct exchange *x, const struct document *d)
{
    struct receipt rc;
    struct err err = { 0 };
    bool found = false;

    if (d->state != DOC_REFUSED ||
        !as2_answer_stored(x->g, d->id, &x->in.arena, &rc, &found, &err) ||
        (found && x->async && !as2_answer_again(x->g, d, rc.id, &err)))
        return false;
    x->in.fault = found ? (enum as2_fault)rc.reason : AS2_FINE;
    answer_mdn(x, found && !x->async ? rc.octets : span_of(NULL, 0));
    return true;
}

/* The end of a message that was received whole and whose answer was lost. */
static void replay_whole(struct exchange *x)
{
    struct document d = { 0 };
    struct err err = { 0 };
    const char *key;
    uint8_t trash[4096];
    bool found = false, remember = true;
    size_t n = 1;

    while (n > 0)
        if (!http_body(x->r, (struct room) { trash, sizeof(trash) }, &n, &err)) {
            x->r->close = true;
            return;
        }
    if (store_get_document(x->g->store, x->part.whole, &x->in.arena, &d, &found, &err) &&
        found) {
        x->in.is_whole = true;
        x->original = d.id;
        key = as2_key(&x->in.arena, x->in.d.from, x->in.d.to, as2_prop(&d, AS2_MESSAGE_ID));
        if (key != NULL && strcmp(key, x->in.d.identity_key) == 0 &&
            (replay_refused(x, &d) || settle_duplicate(x, &remember)))
            return;
    }
    answer_later(x, "the message of this transfer is not to be found: send it from its start");
}

static void exchange(struct exchange *x, struct span first)
{
    struct err err = { 0 };

    if (x->in.d.identity_key == NULL || x->in.arena.failed) {
        as2_refuse(x->g, x->r, 400, "Message-ID is missing or not legal", NULL,
                   "Message-ID is missing or not legal", NULL);
        return;
    }
    if (!decide_urls(x, &err)) {
        as2_refuse(x->g, x->r, 403, "this Receipt-Delivery-Option is not agreed", NULL,
                   err.text, "mdn_delivery, mdn_url");
        return;
    }
    if (x->part.whole != 0) {
        replay_whole(x);
        return;
    }
    if (x->r->body_max > 0)
        x->r->body_max = x->r->body_max > x->part.from ? x->r->body_max - x->part.from : 1;
    if (!begin(x, &err)) {
        answer_later(x, err.text);
        return;
    }
    if (x->inline_opening)
        as2_in_begin(&x->in, NID_undef);
    if (!take_held(x, &err)) {
        answer_later(x, err.text);
        return;
    }
    if (!read_body(x, first, &err)) {
        if (err.kind == FAIL_PEER || err.wire == 408 || err.wire == 413)
            as2_refuse(x->g, x->r, err.wire, "the body was not read to its end", NULL, err.text,
                       err.wire == 413 ? "as2_server.max_message_size" : NULL);
        else if (err.kind == FAIL_LOCAL)
            answer_later(x, err.text);
        else
            log_event(LOG_WARN, "as2.message.cut", "partner", x->in.d.partner, "message_id",
                      as2_prop(&x->in.d, AS2_MESSAGE_ID), "reason", err.text, NULL);
        if (err.kind == FAIL_AGAIN)
            x->held = as2_part_keep(x->g, &x->part, &x->in.d, x->in.raw, &x->in.arena);
        x->r->close = true;
        return;
    }
    if (!as2_part_complete(&x->part, x->in.d.progress)) {
        as2_refuse(x->g, x->r, 400, "the body is not as long as its Content-Range says", NULL,
                   "the body is not as long as its Content-Range says", NULL);
        return;
    }
    if (x->inline_opening)
        as2_in_end(&x->in, reread, x);
    if (x->in.over_budget)
        (void)usleep(OVER_BUDGET_MS * 1000);
    if (x->in.local)
        answer_later(x, x->in.why.text);
    else
        conclude(x);
}

void as2_take_message(struct gateway *g, const struct snapshot *sn, const struct listener *l,
                      const struct as2_head *head, struct http_request *r, struct span first)
{
    struct exchange *x = calloc(1, sizeof(*x));
    struct err ignored;

    if (x == NULL) {
        (void)!http_answer(r, 503, NULL, "Retry-After: 60\r\n", span_of(NULL, 0), &ignored);
        return;
    }
    x->g = g;
    x->r = r;
    x->in.g = g;
    x->in.sn = sn;
    x->in.l = l;
    if (!as2_part_begin(g, r, head->from, head->to, &x->in.arena, &x->part)) {
        as2_part_end(&x->part);
        arena_free(&x->in.arena);
        free(x);
        return;
    }
    atomic_fetch_add(&g->busy, 1);
    fill(x, head);
    as2_trace(g, 0, x->in.d.partner, head->from, "> POST %s Message-ID %s, MDN %s", r->path,
              head->message_id,
              !x->in.request.mdn ? "none"
              : x->async         ? "asynchronous"
                                 : "synchronous");
    x->shown.tls = r->tls[0] != '\0';
    x->shown.document_id = x->in.d.id;
    x->shown.total = x->in.d.total > 0 ? x->in.d.total + x->part.from : 0;
    transfer_begin(g, &x->shown, x->in.d.partner, head->from, r->address);
    exchange(x, first);
    transfer_end(g, &x->shown);
    /* A commit whose sync failed may be found to have happened: then the start sweeps up. */
    if (!x->committed && !x->held && x->part.document_id == 0 && !store_failed(g->store)) {
        if (x->in.raw_ref.kind == PAYLOAD_FILE)
            payload_remove(g->store, &x->in.raw_ref);
        else if (x->in.d.raw.kind == PAYLOAD_FILE)
            payload_remove(g->store, &x->in.d.raw);
    }
    payload_writer_free(x->in.raw);
    as2_in_free(&x->in, x->committed);
    as2_part_end(&x->part);
    free(x);
    atomic_fetch_sub(&g->busy, 1);
}
