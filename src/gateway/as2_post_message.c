/* A message of ours is posted, and what comes of it: as2.md 6.2 to 6.4. */
#include "gateway/as2_post.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    MISSING_MAX = 3, /* attempts whose 2xx came without the MDN */
    MIB100 = 100 * 1024 * 1024,
    CALL_MS = 10 * 60000,
};

/* job.step of JOB_POST. From STEP_MISSING on: to be posted again, and so many answers but one had no
 * MDN in them. */
enum { STEP_POST, STEP_AWAIT, STEP_MISSING };

struct posting {
    struct gateway *g;
    const struct snapshot *sn;
    const struct job *j;
    const struct partner *p;
    const struct config_as2_partner *cfg;
    struct arena arena;
    struct document d;
    struct transfer shown;
    struct payload_reader *raw;
    uint64_t at;
    struct http_reply *reply;
};

/* ---- shared with MDNs ----------------------------------------------------------------------------- */

int64_t post_jitter(int64_t ms)
{
    uint16_t r = 0;

    (void)RAND_bytes((uint8_t *)&r, sizeof(r));
    return ms - ms / 5 + (int64_t)((double)r / 65535.0 * (double)ms * 0.4);
}

bool post_ending(void *context)
{
    const struct gateway *g = context;

    return atomic_load(&g->ending);
}

void post_reach(struct http_call *call, const struct snapshot *sn, const struct partner *p,
                struct gateway *g)
{
    const struct as2_out *out = &p->as2_out;

    (void)sn;
    call->method = "POST";
    call->certificate =
        out->client == NULL ? NULL : pki_set_sign(&out->client->set, net_wall_ms() / 1000);
    call->trust = out->server_ssl == NULL || out->server_ssl->set.n == 0
                      ? NULL
                      : out->server_ssl->set.list[0];
    call->any_host_name = !out->cfg->verify_host_name;
    call->proxy = out->cfg->proxy != NULL ? out->cfg->proxy : "";
    call->connect_ms = out->cfg->connect_timeout_ms;
    call->answer_max = POST_ANSWER_MAX;
    call->stop = post_ending;
    call->stop_context = g;
}

const char *const *post_header_list(const char *lines, struct arena *a)
{
    size_t n = 0;
    const char **list;

    for (const char *p = lines; (p = strstr(p, "\r\n")) != NULL; p += 2)
        n++;
    list = arena_take(a, sizeof(*list) * (n + 1));
    for (size_t i = 0; list != NULL && i < n; i++) {
        const char *end = strstr(lines, "\r\n");

        list[i] = arena_copy(a, span_of(lines, (size_t)(end - lines)));
        if (list[i] == NULL)
            return NULL;
        lines = end + 2;
    }
    return list;
}

static bool transient(int status)
{
    return status == 408 || status == 425 || status == 429 ||
           (status >= 500 && status != 501 && status != 505);
}

/* What a status came with in plain words, if anything: ": its first line". */
static void add_words(const struct http_reply *reply, char *text, size_t cap)
{
    static const char plain[] = "text/plain";
    size_t at = strlen(text), n = 0;

    if (reply->content_type == NULL ||
        strncasecmp(reply->content_type, plain, sizeof(plain) - 1) != 0)
        return;
    while (n < reply->body.n && n < 160 && reply->body.p[n] >= ' ' && reply->body.p[n] < 127)
        n++;
    if (n > 0)
        (void)snprintf(text + at, cap - at, ": %.*s", (int)n, (const char *)reply->body.p);
}

void post_judge(bool answered, const struct http_reply *reply, const struct err *err,
                struct post_outcome *out)
{
    *out = (struct post_outcome) { .verdict = POST_LATER };
    if (!answered) {
        (void)text_copy(out->text, sizeof(out->text), err->text);
        if (err->kind == FAIL_TRUST || err->wire == HTTP_FAIL_FORBIDDEN)
            out->verdict = POST_NEVER;
        return;
    }
    (void)snprintf(out->text, sizeof(out->text), "HTTP %d%s%.200s", reply->status,
                   reply->redirect_url != NULL ? ", redirected to " : "",
                   reply->redirect_url != NULL ? reply->redirect_url : "");
    if (reply->status >= 300)
        add_words(reply, out->text, sizeof(out->text));
    if (reply->status >= 200 && reply->status < 300)
        out->verdict = POST_TAKEN;
    else if (!transient(reply->status))
        out->verdict = POST_NEVER;
    else if (reply->retry_after_s > 0)
        out->after_ms = 1000 * (reply->retry_after_s < RETRY_AFTER_MAX_S ? reply->retry_after_s
                                                                         : RETRY_AFTER_MAX_S);
}

/* ---- the request ------------------------------------------------------------------------------------ */

static bool read_raw(void *context, struct room room, size_t *n)
{
    struct posting *x = context;
    struct err err;

    if (!payload_read(x->raw, x->at, room, n, &err))
        return false;
    x->at += *n;
    atomic_store(&x->shown.done, x->at);
    return true;
}

static bool rewind_raw(void *context)
{
    ((struct posting *)context)->at = 0;
    return true;
}

static void call_for(struct posting *x, struct http_call *call)
{
    uint64_t size = x->d.raw.size, rate = x->g->rt->as2_server.min_octets_per_second;

    post_reach(call, x->sn, x->p, x->g);
    call->url = x->cfg->url;
    call->headers = post_header_list(as2_prop(&x->d, AS2_HEADERS), &x->arena);
    call->read = read_raw;
    call->rewind = rewind_raw;
    call->read_context = x;
    call->read_length = x->cfg->send.chunked ? UINT64_MAX : size;
    call->user = x->cfg->username;
    call->password = x->p->as2_out.password;
    call->clear_credentials = true; /* the operator wrote an http URL and a password */
    call->stall_ms = x->g->rt->as2_server.idle_timeout_ms;
    call->answer_ms = x->cfg->answer_timeout_ms + size / MIB100 * 60000;
    if (rate > 0) /* who reads and answers by drips must not hold a sender for ever */
        call->timeout_ms = CALL_MS + call->answer_ms + size / rate * 1000;
}

static bool request(struct posting *x, struct err *err)
{
    struct http_call call = { .method = "POST" };
    bool answered;

    if (!payload_open(x->g->store, x->d.id, 'r', &x->d.raw, &x->raw, err))
        return false;
    call_for(x, &call);
    if (call.headers == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    as2_trace(x->g, x->shown.id, x->p->name, x->d.peer, "> POST %s Message-ID %s, %llu octets",
              x->cfg->url, as2_prop(&x->d, AS2_MESSAGE_ID), (unsigned long long)x->d.raw.size);
    x->shown.outgoing = true;
    x->shown.tls = strncmp(x->cfg->url, "https:", 6) == 0;
    x->shown.document_id = x->d.id;
    x->shown.total = x->d.raw.size;
    transfer_begin(x->g, &x->shown, x->p->name, x->d.peer, x->cfg->url);
    answered = http_call(&call, &x->arena, x->reply, err);
    if (answered && x->reply->status == 411 && x->cfg->send.chunked) {
        call.read_length = x->d.raw.size; /* as2.md 6.3: once, with Content-Length */
        x->at = 0;
        answered = http_call(&call, &x->arena, x->reply, err);
    }
    transfer_end(x->g, &x->shown);
    atomic_fetch_add(answered ? &x->g->n.posts : &x->g->n.posts_failed, 1);
    as2_trace(x->g, x->shown.id, x->p->name, x->d.peer, "< %s",
              answered ? arena_printf(&x->arena, "HTTP %d", x->reply->status) : err->text);
    return answered;
}

/* ---- outcomes ----------------------------------------------------------------------------------------- */

static void commit(struct posting *x, struct store_batch *b, const char *what)
{
    (void)job_commit(x->g, b, x->j, what);
}

static void fail(struct posting *x, enum document_state to, const char *text)
{
    struct store_batch *b = store_batch_new();

    log_event(LOG_ERROR, "as2.message.failed", "document", log_num(x->d.id), "partner",
              x->d.partner, "message_id", as2_prop(&x->d, AS2_MESSAGE_ID), "reason", text,
              "look_at", "as2.url of the partner; `waybill retry` once it is mended", NULL);
    atomic_fetch_add(&x->g->n.failed, 1);
    if (b != NULL) {
        store_set_state(b, x->d.id,
                        DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_SENDING) | DOC_BIT(DOC_SENT), to,
                        net_wall_ms(), document_state_name(to), text, text);
        store_end_job(b, x->j->id);
    }
    commit(x, b, "a message that failed");
}

static int64_t backoff(const struct config_as2_partner *cfg, int attempts)
{
    uint64_t wait = cfg->retry_first_ms, most = cfg->retry_max_ms;

    for (int i = 1; i < attempts && wait < most; i++)
        wait *= 2;
    return post_jitter((int64_t)(wait < most ? wait : most));
}

static void later(struct posting *x, const struct post_outcome *o, bool missing)
{
    struct store_batch *b;
    struct job again = *x->j;
    int64_t now = net_wall_ms();
    int64_t without = again.step >= STEP_MISSING ? again.step - STEP_MISSING + 1 : 0;
    uint32_t most = x->cfg->retry_attempts;

    without += missing;
    again.attempts++;
    again.step = without > 0 ? STEP_MISSING + without - 1 : STEP_POST;
    again.last_error = o->text;
    again.not_before_ms =
        now + (o->after_ms > 0 ? o->after_ms : backoff(x->cfg, again.attempts));
    if ((most != 0 && (uint32_t)again.attempts >= most) || without >= MISSING_MAX) {
        fail(x, DOC_FAILED, o->text);
        return;
    }
    log_event(LOG_WARN, "as2.message.later", "document", log_num(x->d.id), "partner",
              x->d.partner, "attempt", log_num(again.attempts), "reason", o->text, "in_s",
              log_num((again.not_before_ms - now) / 1000), NULL);
    b = store_batch_new();
    if (b != NULL) {
        /* not when an MDN has settled it meanwhile, which ended the job */
        store_set_state(b, x->d.id, DOC_BIT(x->d.state), x->d.state, now, "not sent", o->text,
                        NULL);
        store_put_job(b, &again);
    }
    commit(x, b, "a message for later");
}

/* The message is there; an asynchronous MDN shall follow in the time agreed. */
static void await_mdn(struct posting *x, const char *text)
{
    struct store_batch *b = store_batch_new();
    struct job await = *x->j;
    int64_t now = net_wall_ms();
    struct err err = { 0 };

    await.step = STEP_AWAIT;
    await.attempts = 0; /* of the next time, should it be sent again */
    await.last_error = NULL;
    await.not_before_ms = now + (int64_t)x->cfg->receipt_timeout_ms;
    if (b == NULL) {
        commit(x, b, "a message that was sent");
        return;
    }
    store_set_state(b, x->d.id, DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_SENDING) | DOC_BIT(DOC_SENT),
                    DOC_SENT, now, "sent", text, "");
    if (x->cfg->receipt_timeout_ms > 0)
        store_put_job(b, &await);
    else
        store_end_job(b, x->j->id);
    if (!store_commit(x->g->store, b, &err)) {
        if (err.kind == FAIL_AGAIN) /* the MDN was faster: it has settled the message */
            job_done(x->g, x->j);
        else
            store_hold_job(x->g->store, x->j->id, now + HOLD_MS);
    }
    store_batch_free(b);
}

static void delivered(struct posting *x, const char *text)
{
    struct store_batch *b = store_batch_new();

    if (b != NULL) {
        store_set_state(b, x->d.id, DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_SENDING),
                        DOC_ACKNOWLEDGED, net_wall_ms(), "delivered",
                        arena_printf(&x->arena, "%s; no MDN was asked for", text), "");
        store_end_job(b, x->j->id);
    }
    commit(x, b, "a message that was delivered");
}

/* AS2 names of the answer, decoded; missing ones are tolerated (as2.md 6.5). */
static const char *name_of(struct posting *x, const char *header)
{
    const char *raw = http_reply_header(x->reply, header);
    char *name = arena_take(&x->arena, AS2_NAME_MAX + 1);

    return raw != NULL && name != NULL && as2_name_read(raw, name) ? name : NULL;
}

static void take_sync(struct posting *x, const struct post_outcome *o)
{
    struct as2_mdn_source src = { .document_id = x->d.id,
                                  .authenticated = strncmp(x->cfg->url, "https:", 6) == 0,
                                  .from = name_of(x, "AS2-From"),
                                  .to = name_of(x, "AS2-To"),
                                  .body = x->reply->body };
    struct mime_field *fields = arena_take(&x->arena, sizeof(*fields) * HTTP_FIELDS_MAX);
    struct post_outcome missing = { .verdict = POST_LATER };
    enum as2_settled settled = AS2_SETTLED_MISSING;
    struct err err = { 0 };
    int status;

    for (size_t i = 0; fields != NULL && i < x->reply->fields_n; i++)
        fields[i] = (struct mime_field) { x->reply->fields[i].name, x->reply->fields[i].value };
    src.head = (struct mime_head) { fields, fields == NULL ? 0 : x->reply->fields_n };
    if (x->reply->body.n > 0 && !as2_mdn_take(x->g, x->sn, &src, &status, &settled, &err)) {
        (void)snprintf(missing.text, sizeof(missing.text),
                       "the MDN could not be stored: %.300s", err.text);
        later(x, &missing, false);
    } else if (settled == AS2_SETTLED_MISSING) {
        (void)snprintf(missing.text, sizeof(missing.text), "%.200s, and no MDN in the answer",
                       o->text);
        later(x, &missing, true);
    } else if (settled == AS2_SETTLED_NOT) {
        /* The partner has it, most likely: somebody must look, nothing is sent again. */
        fail(x, DOC_OVERDUE,
             "the MDN in the answer settles nothing: see the document's events");
    } else if (settled == AS2_SETTLED_BEFORE) {
        job_done(x->g, x->j);
    }
}

static void judged(struct posting *x, const struct post_outcome *o)
{
    const char *mdn = as2_prop(&x->d, "as2.mdn");

    if (o->verdict == POST_NEVER) {
        fail(x, DOC_FAILED, o->text);
        return;
    }
    if (o->verdict == POST_LATER) {
        later(x, o, false);
        return;
    }
    atomic_fetch_add(&x->g->n.documents_out, 1);
    atomic_fetch_add(&x->g->n.octets_out, x->d.raw.size);
    atomic_fetch_add(&x->g->n.as2_octets_out, x->d.raw.size);
    log_event(LOG_INFO, "as2.message.sent", "document", log_num(x->d.id), "partner",
              x->d.partner, "message_id", as2_prop(&x->d, AS2_MESSAGE_ID), "answer", o->text,
              NULL);
    if (strcmp(mdn, "none") == 0)
        delivered(x, o->text);
    else if (strcmp(mdn, "asynchronous") == 0)
        await_mdn(x, o->text);
    else
        take_sync(x, o);
}

/* No asynchronous MDN came in time: the same octets again, as often as agreed. False: that is over. */
static bool may_resend(struct posting *x)
{
    struct store_batch *b;
    const char *kept = as2_prop(&x->d, "as2.resends");
    unsigned long resends = strtoul(kept, NULL, 10);
    char n[24];

    if (resends >= x->cfg->receipt_resends) {
        fail(x, DOC_OVERDUE, "no MDN came within as2.receipt_timeout of the partner");
        return false;
    }
    b = store_batch_new();
    (void)snprintf(n, sizeof(n), "%lu", resends + 1);
    if (b != NULL) {
        store_set_prop(b, x->d.id, "as2.resends", n);
        store_add_event(b, x->d.id, net_wall_ms(), "sending again",
                        "no MDN came within as2.receipt_timeout");
    }
    return job_commit(x->g, b, x->j, "a message to be sent again");
}

static void post(struct posting *x)
{
    struct post_outcome o = { .verdict = POST_NEVER };
    struct err err = { 0 };
    bool answered;

    x->p = snapshot_partner(x->sn, x->d.partner);
    x->cfg = x->p == NULL ? NULL : x->p->as2_out.cfg;
    if (x->cfg == NULL || x->cfg->url == NULL || x->p->as2_out.error != NULL) {
        fail(x, DOC_FAILED,
             x->cfg != NULL && x->p->as2_out.error != NULL
                 ? x->p->as2_out.error
                 : "the partner is no longer deployed with an as2.url");
        return;
    }
    if (x->j->step == STEP_AWAIT && !may_resend(x))
        return;
    answered = request(x, &err);
    if (atomic_load(&x->g->ending) && !answered) {
        store_release_job(x->g->store, x->j->id); /* the next runtime sends it again */
        return;
    }
    post_judge(answered, x->reply, &err, &o);
    judged(x, &o);
}

/* What waits for an MDN is with the partner: its time is left to it. */
void post_now(struct gateway *g, const struct partner *p)
{
    (void)store_hurry_jobs(g->store, 1u << JOB_POST | 1u << JOB_MDN, p->as2.id, STEP_AWAIT,
                           net_wall_ms());
}

void post_message(struct gateway *g, const struct snapshot *sn, const struct job *j)
{
    struct posting x = { .g = g, .sn = sn, .j = j };
    struct err err = { 0 };
    bool found = false;

    x.reply = arena_take(&x.arena, sizeof(*x.reply));
    if (x.reply == NULL ||
        !store_get_document(g->store, j->document_id, &x.arena, &x.d, &found, &err))
        job_later(g, j, err.text);
    else if (!found ||
             (x.d.state != DOC_SEALED && x.d.state != DOC_SENDING && x.d.state != DOC_SENT))
        job_done(g, j);
    else
        post(&x);
    payload_reader_free(x.raw);
    arena_free(&x.arena);
}
