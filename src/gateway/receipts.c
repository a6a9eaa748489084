/* End-to-end responses: EERP and NERP, ours and the partner's. RFC 5024 5.3.13, 5.3.14; oftp2.md
 * section 9. Stored before they are sent or acknowledged by RTR. */
#include "gateway/as2_int.h"
#include "gateway/relay.h"
#include "gateway/security.h"

#include "base/writer.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RESPONSE_MAX = 16 * 1024, /* octets of a response of ours, signature included */
    ODD_KEPT = 200,           /* responses of a session that match nothing or say nothing new */
};

static void response_for(const struct document *d, int reason, const char *text,
                         struct oftp_response *r)
{
    struct oftp_sfid f;

    sfid_from_props(&f, &d->props);
    memset(r, 0, sizeof(*r));
    r->negative = reason != 0;
    (void)text_copy(r->dsn, sizeof(r->dsn), f.dsn);
    (void)text_copy(r->date, sizeof(r->date), f.date);
    (void)text_copy(r->time, sizeof(r->time), f.time);
    (void)text_copy(r->user, sizeof(r->user), f.user);
    (void)text_copy(r->dest, sizeof(r->dest), f.orig); /* it travels back: oftp2.md 9.2 */
    (void)text_copy(r->orig, sizeof(r->orig), f.dest);
    (void)text_copy(r->crea, sizeof(r->crea), d->own != NULL ? d->own : f.dest);
    r->reas = reason;
    (void)text_copy(r->reast, sizeof(r->reast), text == NULL ? "" : text);
}

static int level_of(const struct document *d)
{
    const char *v = props_get(&d->props, "oftp2.level");

    return v == NULL ? OFTP_20 : atoi(v);
}

/* A signature where SFIDSIGN asked for one. If it cannot be made the response goes without: an
 * unsigned one tells the partner more than none (oftp2.md 9.6). Given: free(). */
static uint8_t *sign(struct gateway *g, struct store_batch *b, const struct document *d,
                     struct oftp_response *r, uint8_t *hash, int64_t now_ms)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);
    const char *kept = props_get(&d->props, "oftp2.hash");
    uint8_t *sig = NULL;
    struct oftp_sfid f;
    struct err err = { 0 };

    sfid_from_props(&f, &d->props);
    if (f.sign && l != NULL && kept != NULL) {
        r->hsh = span_of(hash, hex_octets(kept, hash, EVP_MAX_MD_SIZE));
        if (!response_sign(sn, l, f.ciph, r, &sig, &err)) {
            r->hsh = r->sig = span_of(NULL, 0);
            store_add_event(b, d->id, now_ms, "receipt not signed", err.text);
            log_event(LOG_ERROR, "oftp2.receipt.unsigned", "document", log_num(d->id),
                      "partner", d->partner, "reason", err.text, NULL);
        }
    }
    snapshot_put(sn);
    return sig;
}

static void response_plan(struct gateway *g, struct store_batch *b, const struct document *d,
                          int reason, const char *text, int64_t now_ms)
{
    int level = level_of(d);
    struct oftp_response r;
    struct err err = { 0 };
    uint8_t octets[RESPONSE_MAX], hash[EVP_MAX_MD_SIZE], *sig;
    struct writer w = writer_of(octets, sizeof(octets));
    struct receipt rc = { .id = store_next_id(g->store),
                          .document_id = d->id,
                          .outbound = true,
                          .kind = reason == 0 ? "EERP" : "NERP",
                          .state = "pending",
                          .reason = reason,
                          .text = text,
                          .creator = d->own,
                          .at_ms = now_ms };
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_RECEIPT,
                     .document_id = d->id,
                     .receipt_id = rc.id,
                     .own = d->own,
                     .peer = d->peer,
                     .not_before_ms = JOB_AT_ONCE };

    response_for(d, reason, text, &r);
    if (reason != 0 && level <= OFTP_13) {
        store_add_event(b, d->id, now_ms, "no receipt",
                        "the partner's protocol level knows no negative response (NERP)");
        return;
    }
    sig = sign(g, b, d, &r, hash, now_ms);
    if (!(reason == 0 ? oftp_write_eerp(&w, level, &r, &err)
                      : oftp_write_nerp(&w, level, &r, &err))) {
        store_add_event(b, d->id, now_ms, "no receipt", err.text);
    } else {
        rc.octets = writer_done(&w);
        store_put_receipt(b, &rc);
        store_put_job(b, &j);
    }
    free(sig);
}

void receipt_plan(struct gateway *g, struct store_batch *b, const struct document *d,
                  int reason, const char *text, int64_t now_ms)
{
    if (d->protocol != NULL && strcmp(d->protocol, "as2") == 0)
        as2_answer_later(g, b, d, reason == 0, text, now_ms);
    else
        response_plan(g, b, d, reason, text, now_ms);
}

bool receipt_response(const struct receipt *rc, struct oftp_response *r, struct err *err)
{
    /* It is kept as written at the level at which the file came, which need not be that of this
     * session. Below level 5 it has a length of its own: 106 and 128 octets; below level 4, where
     * stamps are short, an EERP has blanks where the date would be. */
    bool negative = strcmp(rc->kind, "NERP") == 0;
    int kept = OFTP_14;

    if (rc->octets.n > (negative ? 128u : 106u))
        kept = OFTP_20;
    else if (!negative && rc->octets.n > 30 && rc->octets.p[30] == ' ')
        kept = OFTP_12;

    return negative ? oftp_read_nerp(rc->octets, kept, r, err)
                    : oftp_read_eerp(rc->octets, kept, r, err);
}

/* The raw command, written anew: the engine has taken it apart. */
static struct span raw_octets(const struct oftp_response *r, int level, uint8_t *p, size_t cap)
{
    struct writer w = writer_of(p, cap);
    struct err err = { 0 };
    bool ok =
        r->negative ? oftp_write_nerp(&w, level, r, &err) : oftp_write_eerp(&w, level, r, &err);

    return ok ? writer_done(&w) : span_of(NULL, 0);
}

bool receipt_pass_back(struct gateway *g, struct store_batch *b, const struct document *d,
                       const struct receipt *theirs, int64_t now_ms, struct err *err)
{
    int level = level_of(d) <= OFTP_13 ? level_of(d) : OFTP_20;
    uint8_t *octets = malloc(OFTP_OEB_MAX);
    struct oftp_response r;
    struct oftp_sfid f;
    struct receipt rc = *theirs;
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_RECEIPT,
                     .document_id = d->id,
                     .own = d->own,
                     .peer = d->peer,
                     .not_before_ms = JOB_AT_ONCE };
    bool ok = octets != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && (ok = receipt_response(theirs, &r, err))) {
        sfid_from_props(&f, &d->props);
        (void)text_copy(r.date, sizeof(r.date), f.date);
        (void)text_copy(r.time, sizeof(r.time), f.time);
        rc.octets = raw_octets(&r, level, octets, OFTP_OEB_MAX);
        rc.id = j.receipt_id = store_next_id(g->store);
        rc.document_id = d->id;
        rc.outbound = true;
        rc.state = "pending";
        rc.at_ms = now_ms;
        if (rc.octets.n == 0 || (r.negative && level <= OFTP_13)) {
            store_add_event(b, d->id, now_ms, "no receipt",
                            "the partner's protocol level cannot carry this response");
        } else {
            store_put_receipt(b, &rc);
            store_put_job(b, &j);
        }
    }
    free(octets);
    return ok;
}

/* ---- the partner's ----------------------------------------------------------------------- */

static void response_text(const struct oftp_response *r, char *text, size_t cap)
{
    if (r->negative)
        (void)snprintf(text, cap, "NERP %02d %s%s%s, created by %s", r->reas,
                       oftp_nerp_text(r->reas), r->reast[0] != '\0' ? ": " : "", r->reast,
                       r->crea);
    else
        (void)snprintf(text, cap, "EERP from %s", r->orig);
}

/* The outbound document this response is about, or .id 0. */
static bool find_document(struct gateway *g, const struct oftp_response *r, struct arena *a,
                          struct document *d, struct err *err)
{
    struct document_filter f = { .direction = 2, .limit = 10 };
    struct document *list = NULL;
    size_t n = 0;

    d->id = 0;
    f.identity_key = oftp_identity_key(a, r->dsn, r->date, r->time, r->dest, r->orig);
    if (f.identity_key == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (!store_find_documents(g->store, &f, a, &list, &n, err))
        return false;
    if (n > 0)
        *d = list[0];
    return true;
}

/* Whether the response proves what it was asked to prove. False: *err says why it settles
 * nothing. */
static bool proven(struct gateway *g, const struct document *d, const struct oftp_response *r,
                   struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct partner *p = snapshot_partner(sn, d->partner == NULL ? "" : d->partner);
    struct oftp_sfid f;
    bool ok = true;

    sfid_from_props(&f, &d->props);
    if (r->sig.n > 0 &&
        (f.sign ||
         (p != NULL && p->cfg->oftp2.acknowledgment_verification_certificate != NULL)))
        ok = response_verify(sn, d, r, err);
    else if (f.sign && !r->negative && (p == NULL || !p->cfg->accept_unsigned_receipts))
        ok = FAIL(err, FAIL_TRUST, 0,
                  "a signed receipt was asked for and this one has no signature: see "
                  "accept_unsigned_receipts of the partner");
    snapshot_put(sn);
    return ok;
}

static bool settled(enum document_state st)
{
    return st == DOC_ACKNOWLEDGED || st == DOC_REJECTED;
}

static void settle(struct store_batch *b, const struct document *d,
                   const struct oftp_response *r, const char *text, int64_t now)
{
    const unsigned open = DOC_BIT(DOC_SENT) | DOC_BIT(DOC_OVERDUE) | DOC_BIT(DOC_SENDING) |
                          DOC_BIT(DOC_SEALED) | DOC_BIT(DOC_FAILED);

    if (settled(d->state))
        store_add_event(b, d->id, now, "receipt again", text);
    else
        store_set_state(b, d->id, open, r->negative ? DOC_REJECTED : DOC_ACKNOWLEDGED, now,
                        r->negative ? "rejected" : "acknowledged", text,
                        r->negative ? text : "");
}

static void log_taken(const struct oftp_response *r, const struct document *d,
                      const char *partner, bool may, const char *text)
{
    log_event(r->negative || d->id == 0 || !may ? LOG_WARN : LOG_INFO, "oftp2.receipt.received",
              "partner", partner, "document", d->id != 0 ? log_num(d->id) : NULL, "dsn", r->dsn,
              "receipt", text, "matched",
              d->id == 0 ? "no"
              : may      ? "yes"
                         : "no: it came from somebody else than the document was sent to",
              "look_at", may ? NULL : "from.via of a process, if the partner is a relay", NULL);
}

/* Who may tell what became of a document: the station it was sent to, its final recipient, and
 * relays that a process names for that one. Others know its name perhaps, but nothing of it. */
static bool may_answer(struct gateway *g, const struct document *d, const char *peer,
                       const struct oftp_response *r)
{
    struct snapshot *sn;
    bool may = strcmp(peer, r->orig) == 0 || (d->peer != NULL && strcmp(peer, d->peer) == 0);

    if (may)
        return true;
    sn = gateway_snapshot(g);
    for (size_t i = 0; i < sn->listeners_n && !may; i++) {
        const struct listener *l = &sn->listeners[i];

        if (l->from.code == NULL || l->from.cfg == NULL || strcmp(l->from.code, r->orig) != 0)
            continue;
        for (const char *const *v = l->from.cfg->via; v != NULL && *v != NULL; v++)
            may = may || strcmp(*v, peer) == 0;
    }
    snapshot_put(sn);
    return may;
}

static bool take_once(struct gateway *g, const struct oftp_response *r, int level,
                      const char *peer, const char *partner, unsigned *odd, struct err *err)
{
    static const size_t cap = OFTP_OEB_MAX;
    struct store_batch *b = store_batch_new();
    struct arena a = { 0 };
    struct document d = { 0 };
    uint8_t *octets = malloc(cap);
    char text[1200];
    int64_t now = net_wall_ms();
    struct err why = { 0 };
    bool honest = true;
    struct receipt rc = { .kind = r->negative ? "NERP" : "EERP", .at_ms = now };
    bool ok = b != NULL && octets != NULL, may = true;

    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok = ok && find_document(g, r, &a, &d, err);
    if (ok) {
        response_text(r, text, sizeof(text));
        may = d.id == 0 || may_answer(g, &d, peer, r);
        if ((d.id == 0 || !may || settled(d.state)) && ++*odd > ODD_KEPT)
            goto out; /* answered, so that the partner forgets it; there is nothing new in it */
        rc.id = store_next_id(g->store);
        rc.document_id = d.id;
        /* What is relayed is for the originator to verify. */
        honest = d.id == 0 || !may || relay_original(&d) != 0 || proven(g, &d, r, &why);
        rc.state = d.id == 0 ? "unmatched" : may && honest ? "received" : "refused";
        rc.reason = r->reas;
        rc.text = r->reast;
        rc.creator = r->negative ? r->crea : r->orig;
        rc.octets = raw_octets(r, level, octets, cap);
        store_put_receipt(b, &rc);
        if (d.id != 0 && may && honest) {
            settle(b, &d, r, text, now);
            if (relay_original(&d) != 0 && !settled(d.state))
                relay_wake(g, b, relay_original(&d), now);
        } else if (d.id != 0)
            store_add_event(b, d.id, now, "receipt refused", may ? why.text : text);
        ok = store_commit(g->store, b, err);
    }
    if (ok) {
        atomic_fetch_add(&g->n.receipts_in, 1);
        log_taken(r, &d, partner, may, text);
        if (!honest)
            log_event(LOG_ERROR, "oftp2.receipt.refused", "partner", partner, "document",
                      log_num(d.id), "reason", why.text, "look_at",
                      "acknowledgment_verification_certificate of the partner", NULL);
    }
out:
    free(octets);
    store_batch_free(b);
    arena_free(&a);
    return ok;
}

bool receipt_take(struct gateway *g, const struct oftp_response *r, int level, const char *peer,
                  const char *partner, unsigned *odd, struct err *err)
{
    /* The state may change between the look and the commit: then the look was too early. */
    for (int tries = 0; tries < 5; tries++) {
        if (take_once(g, r, level, peer, partner, odd, err))
            return true;
        if (err->kind != FAIL_AGAIN)
            return false;
    }
    return false;
}
