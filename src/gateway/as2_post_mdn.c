/* An asynchronous MDN of ours is posted: as2.md 4.9. The same octets each time. */
#include "gateway/as2_post.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REFUSED_MAX = 3, /* attempts after 403 and 404 */
    ANSWER_CUT = 64 * 1024,
    ANSWER_MS = 60000,
    CALL_MS = 10 * 60000, /* an answer that drips must not hold a sender for ever */
};

/* Waits, in as2_server.mdn_retry_first: as2.md 4.9. */
static const unsigned schedule[] = { 1, 2, 5, 10, 30, 60 };

static bool find_receipt(struct gateway *g, const struct job *j, struct arena *a,
                         struct receipt *rc, bool *found, struct err *err)
{
    struct receipt *list = NULL;
    size_t n = 0;

    *found = false;
    if (!store_receipts(g->store, j->document_id, NULL, a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n && !*found; i++)
        if (list[i].id == j->receipt_id) {
            *rc = list[i];
            *found = true;
        }
    return true;
}

/* The user name and password for this URL: only where they were configured for its origin. */
static void credentials(struct http_call *call, const struct partner *p, struct arena *a)
{
    const struct config_as2_partner *cfg = p == NULL ? NULL : p->as2_out.cfg;
    struct http_url to, own;
    struct err ignored;

    if (cfg == NULL || !http_url_check(call->url, a, &to, &ignored))
        return;
    if (cfg->mdn_username != NULL && cfg->mdn_url != NULL &&
        http_url_check(cfg->mdn_url, a, &own, &ignored) && http_same_origin(&to, &own)) {
        call->user = cfg->mdn_username;
        call->password = p->as2_out.mdn_password;
        call->clear_credentials = true;
    } else if (cfg->username != NULL && cfg->url != NULL &&
               http_url_check(cfg->url, a, &own, &ignored) && http_same_origin(&to, &own)) {
        call->user = cfg->username;
        call->password = p->as2_out.password;
        call->clear_credentials = true;
    }
}

/* Whether an operator wrote this host somewhere for this partner. */
static bool configured_host(const char *url, const struct listener *l, const struct partner *p,
                            struct arena *a)
{
    const struct config_as2_partner *cfg = p == NULL ? NULL : p->as2_out.cfg;
    const char *const known[] = { l == NULL || l->as2 == NULL ? NULL : l->as2->mdn_url,
                                  cfg == NULL ? NULL : cfg->mdn_url,
                                  cfg == NULL ? NULL : cfg->url };
    struct http_url to, own;
    struct err ignored;

    if (!http_url_check(url, a, &to, &ignored))
        return false;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i] != NULL && http_url_check(known[i], a, &own, &ignored) &&
            strcmp(own.host, to.host) == 0)
            return true;
    return false;
}

static void give_up(struct gateway *g, const struct job *j, const struct document *d,
                    struct receipt *rc, const char *text)
{
    struct store_batch *b = store_batch_new();

    atomic_fetch_add(&g->n.mdns_undelivered, 1);
    log_event(LOG_ERROR, "as2.mdn.undelivered", "document", log_num(d->id), "partner",
              d->partner, "url", as2_mdn_url(d), "reason", text, "look_at",
              "mdn_url of the operation or the partner", NULL);
    if (b != NULL) {
        rc->state = "undelivered";
        store_put_receipt(b, rc);
        store_add_event(b, d->id, net_wall_ms(), "MDN undelivered", text);
        store_end_job(b, j->id);
    }
    (void)job_commit(g, b, j, "an MDN that was not taken");
}

static void sent(struct gateway *g, const struct job *j, const struct document *d,
                 struct receipt *rc, const char *text)
{
    struct store_batch *b = store_batch_new();

    atomic_fetch_add(&g->n.mdns_out, 1);
    log_event(LOG_INFO, "as2.mdn.sent", "document", log_num(d->id), "partner", d->partner,
              "answer", text, NULL);
    if (b != NULL) {
        rc->state = "sent";
        store_put_receipt(b, rc);
        store_add_event(b, d->id, net_wall_ms(), "MDN sent", text);
        store_end_job(b, j->id);
    }
    (void)job_commit(g, b, j, "an MDN that was sent");
}

static void later(struct gateway *g, const struct job *j, const struct document *d,
                  struct receipt *rc, const struct post_outcome *o, bool refused)
{
    struct store_batch *b;
    struct job again = *j;
    int64_t now = net_wall_ms();
    size_t i = (size_t)again.attempts < COUNT_OF(schedule) ? (size_t)again.attempts
                                                           : COUNT_OF(schedule) - 1;
    int64_t wait = (int64_t)(schedule[i] * g->rt->as2_server.mdn_retry_first_ms);

    again.attempts++;
    again.last_error = o->text;
    again.not_before_ms = now + (o->after_ms > 0 ? o->after_ms : post_jitter(wait));
    if ((refused && again.attempts >= REFUSED_MAX) ||
        now - rc->at_ms > (int64_t)g->rt->as2_server.mdn_retry_for_ms) {
        give_up(g, j, d, rc, o->text);
        return;
    }
    log_event(LOG_WARN, "as2.mdn.later", "document", log_num(d->id), "partner", d->partner,
              "attempt", log_num(again.attempts), "reason", o->text, NULL);
    b = store_batch_new();
    if (b != NULL)
        store_put_job(b, &again);
    (void)job_commit(g, b, j, "an MDN for later");
}

static void call_for(struct gateway *g, const struct snapshot *sn, const struct document *d,
                     struct http_call *call, struct arena *a)
{
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    const struct partner *p = snapshot_partner(sn, d->partner == NULL ? "" : d->partner);

    call->method = "POST";
    if (p != NULL && p->as2_out.cfg != NULL)
        post_reach(call, sn, p, g);
    else
        call->proxy = "";
    call->stop = post_ending;
    call->stop_context = g;
    call->url = as2_mdn_url(d);
    call->public_only = !configured_host(call->url, l, p, a);
    call->stall_ms = g->rt->as2_server.idle_timeout_ms;
    call->answer_ms = ANSWER_MS;
    call->timeout_ms = CALL_MS;
    call->answer_max = ANSWER_CUT;
    call->answer_cut = true;
    credentials(call, p, a);
}

static void post(struct gateway *g, const struct snapshot *sn, const struct job *j,
                 const struct document *d, struct receipt *rc, struct arena *a)
{
    struct http_reply *reply = arena_take(a, sizeof(*reply));
    struct http_call call = { .url = as2_mdn_url(d) };
    struct post_outcome o;
    struct err err = { 0 };
    const char *headers = NULL;
    bool answered, refused;

    if (call.url == NULL || reply == NULL) {
        give_up(g, j, d, rc, "there is no URL for it");
        return;
    }
    call_for(g, sn, d, &call, a);
    as2_answer_split(rc->octets, a, &headers, &call.body);
    call.headers = headers == NULL ? NULL : post_header_list(headers, a);
    answered = call.headers != NULL ? http_call(&call, a, reply, &err)
                                    : FAIL(&err, FAIL_LOCAL, 0, "out of memory");
    as2_trace(g, 0, d->partner, d->peer, "> POST MDN to %s: %s", call.url,
              answered ? "answered" : err.text);
    if (!answered && atomic_load(&g->ending)) {
        store_release_job(g->store, j->id);
        return;
    }
    post_judge(answered, reply, &err, &o);
    refused = answered && (reply->status == 403 || reply->status == 404);
    if (o.verdict == POST_TAKEN)
        sent(g, j, d, rc, o.text);
    else if (o.verdict == POST_LATER || refused)
        later(g, j, d, rc, &o, refused);
    else
        give_up(g, j, d, rc, o.text);
}

void post_mdn(struct gateway *g, const struct snapshot *sn, const struct job *j)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct receipt rc = { 0 };
    struct err err = { 0 };
    bool found = false, has_mdn = false;

    if (!store_get_document(g->store, j->document_id, &a, &d, &found, &err) ||
        (found && !find_receipt(g, j, &a, &rc, &has_mdn, &err)))
        job_later(g, j, err.text);
    else if (!found || !has_mdn)
        job_done(g, j);
    else
        post(g, sn, j, &d, &rc, &a);
    arena_free(&a);
}
