/* Our MDNs: made, stored before they are sent, replayed. as2.md sections 4 and 5.4. */
#include "gateway/as2_int.h"

#include <stdio.h>
#include <stdlib.h>

void as2_request_of(const struct document *d, struct arena *a, struct as2_request *r)
{
    as2_request_read(props_get(&d->props, AS2_MDN_TO), props_get(&d->props, AS2_MDN_OPTIONS),
                     props_get(&d->props, AS2_MDN_DELIVERY), a, r);
}

const char *as2_prop(const struct document *d, const char *name)
{
    const char *v = props_get(&d->props, name);

    return v == NULL ? "" : v;
}

static const char *said(enum as2_fault f)
{
    switch (f) {
    case AS2_FINE:
        return "The message has been received, opened and stored.";
    case AS2_AUTHENTICATION:
        return "The message's signature is not by a certificate agreed for this sender.";
    case AS2_INTEGRITY:
        return "The message is not what was signed.";
    case AS2_DECRYPTION:
        return "The message could not be decrypted.";
    case AS2_DECOMPRESSION:
        return "The message could not be decompressed.";
    case AS2_INSUFFICIENT:
        return "The message is less protected than agreed.";
    case AS2_UNKNOWN_PARTNER:
        return "There is no agreement for this AS2-From and AS2-To.";
    case AS2_UNSUPPORTED_MICALG:
        return "None of the MIC algorithms in Disposition-Notification-Options is supported.";
    case AS2_UNSUPPORTED_FORMAT:
        return "The receipt format in Disposition-Notification-Options is not supported.";
    case AS2_DUPLICATE:
        return "The message was received before.";
    default:
        return "The message could not be taken.";
    }
}

/* The key that signs: the valid one, else an expired one (as2.md 4.5), for which somebody is told.
 * False: there is none. */
static bool signer_of(const struct as2_side *us, struct cms_signer *out)
{
    const struct certificate *c = us->mdn_signing != NULL ? us->mdn_signing : us->signing;
    const struct pki_certificate *p =
        c == NULL ? NULL : pki_set_sign(&c->set, net_wall_ms() / 1000);

    for (size_t i = 0; c != NULL && p == NULL && i < c->set.n; i++)
        if (c->set.list[i]->key != NULL) {
            p = c->set.list[i];
            log_event(LOG_ERROR, "as2.mdn.certificate", "certificate", c->name, "reason",
                      "no certificate is valid today: MDNs are signed with an expired one",
                      "look_at", "to.mdn_signing_certificate", NULL);
        }
    if (p == NULL)
        return false;
    *out = (struct cms_signer) { p->leaf, p->key };
    return true;
}

static int mdn_digest(const struct document *d, const struct as2_receipt_plan *plan)
{
    const char *own = props_get(&d->props, "as2.signature_digest");
    int nid = plan->digest;

    if (nid == NID_undef && own != NULL)
        nid = as2_digest_of(span_text(own));
    if (nid == NID_md5) /* good for a MIC that is agreed; who knows only MD5 knows SHA-1, too */
        nid = NID_sha1;
    return nid == NID_undef || as2_digest(nid) == NULL ? NID_sha256 : nid;
}

static const char *headers_of(struct gateway *g, const struct document *d,
                              const struct as2_request *r, const char *content_type,
                              struct arena *a)
{
    char random[33];
    int64_t now = net_wall_ms();
    struct as2_headers h = { .arena = a };
    struct as2_envelope e = { .version = "1.2",
                              .from = as2_prop(d, AS2_TO_RAW),
                              .to = as2_prop(d, AS2_FROM_RAW),
                              .raw_names = true,
                              .subject = "Message Disposition Notification",
                              .now_ms = now,
                              .user_agent = g->rt->as2_server.product,
                              .server = r->async_url == NULL,
                              .features = "multiple-attachments" };

    as2_random(random);
    e.message_id = as2_message_id_make(a, now, random, g->rt->as2_server.domain);
    as2_envelope_write(&h, &e);
    as2_header(&h, "Content-Type", content_type);
    return h.failed ? NULL : h.text;
}

bool as2_mdn_compose(struct gateway *g, const struct snapshot *sn, const struct as2_side *us,
                     const struct config_as2_operation *op, const struct document *d,
                     const struct as2_receipt_plan *plan, enum as2_fault fault,
                     const char *failure, const char *text, struct arena *a, struct span *mdn,
                     struct err *err)
{
    char outer[33], inner[33];
    struct as2_request r;
    struct cms_signer signer = { 0 };
    struct cms_sign_options how = { .signers = &signer,
                                    .signers_n = 1,
                                    .signed_attributes = true,
                                    .include_certificates = true,
                                    .detached = true,
                                    .now_s = net_wall_ms() / 1000 };
    struct as2_mdn m = { .reporting_ua = g->rt->as2_server.product,
                         .final_recipient = as2_prop(d, AS2_TO_RAW),
                         .original_message_id = as2_prop(d, AS2_MESSAGE_ID),
                         .fault = fault,
                         .failure = failure,
                         .mic = props_get(&d->props, AS2_MIC),
                         .text = text != NULL ? text : said(fault) };
    bool sign = plan->is_signed && fault != AS2_UNKNOWN_PARTNER &&
                fault != AS2_UNSUPPORTED_MICALG && fault != AS2_UNSUPPORTED_FORMAT &&
                us != NULL;
    const char *content_type, *headers;
    struct span body;
    char *out;
    size_t n;

    (void)sn;
    as2_random(outer);
    as2_random(inner);
    m.boundary_outer = arena_printf(a, "=_o%s", outer);
    m.boundary_inner = arena_printf(a, "=_i%s", inner);
    as2_request_of(d, a, &r);
    if (sign && !signer_of(us, &signer)) {
        sign = false;
        log_event(LOG_ERROR, "as2.mdn.unsigned", "document", log_num(d->id), "partner",
                  d->partner, "reason", "a signed MDN is asked for and there is no key to sign",
                  "look_at", "to.mdn_signing_certificate", NULL);
    }
    how.digest = as2_digest(mdn_digest(d, plan));
    if (!as2_mdn_make(&m, sign ? &signer : NULL, sign ? &how : NULL,
                      op != NULL && op->legacy_names, a, &content_type, &body, err))
        return false;
    headers = headers_of(g, d, &r, content_type, a);
    n = headers == NULL ? 0 : strlen(headers);
    out = headers == NULL ? NULL : arena_take(a, n + 2 + body.n);
    if (out == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory, or a name that no header can carry");
    memcpy(out, headers, n);
    memcpy(out + n, "\r\n", 2);
    memcpy(out + n + 2, body.p, body.n);
    *mdn = span_of(out, n + 2 + body.n);
    return true;
}

void as2_answer_split(struct span mdn, struct arena *a, const char **headers, struct span *body)
{
    for (size_t i = 0; i + 4 <= mdn.n; i++)
        if (memcmp(mdn.p + i, "\r\n\r\n", 4) == 0) {
            *headers = arena_copy(a, span_of(mdn.p, i + 2));
            *body = span_of(mdn.p + i + 4, mdn.n - i - 4);
            return;
        }
    *headers = "";
    *body = span_of(NULL, 0);
}

/* Where an asynchronous MDN of this document goes; NULL: nowhere. */
const char *as2_mdn_url(const struct document *d)
{
    const char *proof = props_get(&d->props, AS2_AUTHENTIC);
    const char *url = as2_prop(d, AS2_MDN_URL);

    if (proof == NULL || url[0] == '\0')
        url = as2_prop(d, AS2_MDN_FALLBACK);
    return url[0] != '\0' ? url : NULL;
}

static struct job mdn_job(struct gateway *g, const struct document *d, int64_t receipt_id)
{
    return (struct job) { .id = store_next_id(g->store),
                          .kind = JOB_MDN,
                          .document_id = d->id,
                          .receipt_id = receipt_id,
                          .own = d->to,
                          .peer = d->from,
                          .not_before_ms = JOB_AT_ONCE };
}

bool as2_answer_plan(struct gateway *g, struct store_batch *b, const struct snapshot *sn,
                     const struct listener *l, struct document *d, enum as2_fault fault,
                     const char *failure, const char *text, int64_t now_ms, struct arena *a,
                     struct span *mdn, struct err *err)
{
    struct as2_request r;
    struct as2_receipt_plan plan;
    struct receipt rc = { .id = store_next_id(g->store),
                          .document_id = d->id,
                          .kind = "MDN",
                          .outbound = true,
                          .reason = (int)fault,
                          .text = as2_fault_disposition(fault),
                          .creator = d->to,
                          .at_ms = now_ms };
    bool async;

    *mdn = span_of(NULL, 0);
    as2_request_of(d, a, &r);
    if (!r.mdn || (l != NULL && document_acknowledge(d, l) == ACK_NONE))
        return true;
    as2_receipt_plan_make(
        &r, l != NULL ? as2_receipt_policy(&l->process->as2) : as2_digest_supported, &plan);
    if (!as2_mdn_compose(g, sn, l != NULL ? &l->as2_to : NULL,
                         l != NULL ? &l->process->as2 : NULL, d, &plan, fault, failure, text, a,
                         mdn, err))
        return false;
    async = r.async_url != NULL;
    rc.state = !async ? "sent" : as2_mdn_url(d) != NULL ? "pending" : "undelivered";
    rc.octets = *mdn;
    store_put_receipt(b, &rc);
    store_set_prop(b, d->id, "as2.disposition", as2_fault_disposition(fault));
    if (async && as2_mdn_url(d) != NULL) {
        struct job j = mdn_job(g, d, rc.id);

        store_put_job(b, &j);
    } else if (async) {
        store_add_event(b, d->id, now_ms, "MDN undelivered",
                        "the message does not prove its sender and no mdn_url is configured");
    }
    return true;
}

void as2_answer_later(struct gateway *g, struct store_batch *b, const struct document *d,
                      bool positive, const char *text, int64_t now_ms)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    struct document copy = *d;
    struct arena a = { 0 };
    struct span mdn;
    struct err err = { 0 };

    if (l == NULL || l->as2 == NULL)
        store_add_event(b, d->id, now_ms, "no receipt",
                        "the process that took this document is no longer deployed");
    else if (!as2_answer_plan(g, b, sn, l, &copy, positive ? AS2_FINE : AS2_UNEXPECTED, NULL,
                              text, now_ms, &a, &mdn, &err))
        store_add_event(b, d->id, now_ms, "no receipt", err.text);
    arena_free(&a);
    snapshot_put(sn);
}

bool as2_answer_stored(struct gateway *g, int64_t document_id, struct arena *a,
                       struct receipt *rc, bool *found, struct err *err)
{
    struct receipt *list = NULL;
    size_t n = 0;

    *found = false;
    if (!store_receipts(g->store, document_id, NULL, a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n && !*found; i++)
        if (list[i].outbound && strcmp(list[i].kind, "MDN") == 0) {
            *rc = list[i];
            *found = true;
        }
    return true;
}

bool as2_answer_again(struct gateway *g, const struct document *d, int64_t receipt_id,
                      struct err *err)
{
    struct arena a = { 0 };
    struct store_batch *b = store_batch_new();
    struct job *jobs = NULL, j = mdn_job(g, d, receipt_id);
    size_t n = 0;
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && store_jobs(g->store, d->id, &a, &jobs, &n, err);
    for (size_t i = 0; ok && i < n; i++)
        if (jobs[i].kind == JOB_MDN && jobs[i].receipt_id == receipt_id) {
            j.id = jobs[i].id; /* at once, instead of when its time comes */
            j.attempts = jobs[i].attempts;
        }
    if (ok) {
        store_put_job(b, &j);
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    arena_free(&a);
    return ok;
}
