/* MDNs of partners: found, verified, compared, and only then believed. as2.md 6.5, 6.6. */
#include "gateway/as2_int.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { REFUSED_KEPT = 20 }; /* MDNs that settle nothing, for one message */

/* States from which an MDN may settle a message: it may come before its own 2xx was recorded. */
#define OPEN_STATES                                                                            \
    (DOC_BIT(DOC_SENT) | DOC_BIT(DOC_OVERDUE) | DOC_BIT(DOC_SENDING) | DOC_BIT(DOC_SEALED) |   \
     DOC_BIT(DOC_FAILED))

struct taking {
    struct gateway *g;
    const struct snapshot *sn;
    const struct as2_mdn_source *src;
    struct arena arena;
    struct as2_mdn_in mdn;
    struct document d; /* .id 0: none */
    const struct partner *partner;
    bool contradicts, again; /* an earlier one; again: the same octets */
    bool mismatch;           /* it is the partner's, and says that something else arrived */
};

const char *as2_out_key(struct arena *a, const char *own, const char *peer,
                        const char *message_id)
{
    char id[AS2_MESSAGE_ID_MAX + 1];

    if (message_id == NULL || !as2_message_id_read(message_id, id))
        return NULL;
    return arena_printf(a, "as2-out\x1f%s\x1f%s\x1f%s", own, peer, id);
}

/* ---- which message ----------------------------------------------------------------------------- */

static bool find(struct taking *t, struct err *err)
{
    struct document_filter f = { .direction = 2, .limit = 2 };
    struct document *list = NULL;
    size_t n = 0;
    bool found = false;

    if (t->src->document_id != 0) {
        if (!store_get_document(t->g->store, t->src->document_id, &t->arena, &t->d, &found,
                                err))
            return false;
        if (!found)
            t->d.id = 0;
        return true;
    }
    f.identity_key =
        as2_out_key(&t->arena, t->src->to, t->src->from, t->mdn.original_message_id);
    if (f.identity_key == NULL)
        return true;
    if (!store_find_documents(t->g->store, &f, &t->arena, &list, &n, err))
        return false;
    if (n > 0)
        t->d = list[0];
    return true;
}

/* The connection of a synchronous MDN says which message it is about; the MDN must agree. */
static bool correlates(struct taking *t, struct err *err)
{
    const char *key;

    if (t->mdn.original_message_id == NULL)
        return FAIL(err, FAIL_TRUST, 0, "the MDN has no Original-Message-ID");
    key = as2_out_key(&t->arena, t->d.own, t->d.peer, t->mdn.original_message_id);
    if (key == NULL || t->d.identity_key == NULL || strcmp(key, t->d.identity_key) != 0)
        return FAIL(err, FAIL_TRUST, 0, "the MDN is about another message: %.100s",
                    t->mdn.original_message_id);
    if ((t->src->from != NULL && strcmp(t->src->from, t->d.peer) != 0) ||
        (t->src->to != NULL && strcmp(t->src->to, t->d.own) != 0))
        return FAIL(err, FAIL_TRUST, 0,
                    "AS2-From and AS2-To of the MDN are not those of the message, swapped");
    return true;
}

/* ---- is it true -------------------------------------------------------------------------------- */

static bool negative(const struct taking *t)
{
    return t->mdn.class == AS2_NEGATIVE || t->mdn.class == AS2_UNTRUSTED;
}

/* What is signed with one CRLF less at its end, or one more. */
static struct span toggled(struct taking *t, struct span s)
{
    uint8_t *p;

    if (s.n >= 2 && memcmp(s.p + s.n - 2, "\r\n", 2) == 0)
        return span_of(s.p, s.n - 2);
    p = arena_take(&t->arena, s.n + 2);
    if (p == NULL)
        return s;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    memcpy(p + s.n, "\r\n", 2);
    return span_of(p, s.n + 2);
}

static bool verifies(struct taking *t, struct err *err)
{
    const struct config_as2_partner *out = t->partner->as2_out.cfg;
    struct as2_mdn_in other = t->mdn;
    struct cms_open_options who = { .digest_allowed = as2_digest_supported };
    struct trusted signers;
    struct cms_layer layer;
    struct err why = { 0 };

    as2_signers(&t->partner->as2, 0, &signers);
    security_trust(&who, &signers);
    if (signers.n == 0 && signers.authority == NULL)
        return FAIL(err, FAIL_TRUST, 0, "no certificate of the partner is valid today");
    if (as2_mdn_verify_by(&t->mdn, &who, &layer, &why))
        return true;
    if (why.wire == AS2_INTEGRITY) {
        struct err ignored = { 0 };

        other.signed_octets = toggled(t, t->mdn.signed_octets);
        if (as2_mdn_verify_by(&other, &who, &layer, &ignored))
            return (out != NULL && out->tolerate_trailing_crlf) ||
                   FAIL(
                       err, FAIL_TRUST, AS2_INTEGRITY,
                       "mdn: the signature fits only with one CRLF more or less at the end: see "
                       "tolerate_trailing_crlf of the partner");
    }
    *err = why;
    return false;
}

static bool signature_fits(struct taking *t, struct err *err)
{
    const char *asked = props_get(&t->d.props, "as2.mdn_signed");
    const struct config_as2_partner *out = t->partner->as2_out.cfg;

    if (t->mdn.is_signed)
        return verifies(t, err) || err_context(err, "signing_certificate of the partner");
    if (asked == NULL || strcmp(asked, "yes") != 0)
        return true;
    if (out != NULL && out->accept_unsigned_receipts)
        return true;
    if (negative(t) && t->src->document_id != 0 && t->src->authenticated)
        return true; /* as2.md 6.5: a negative one is believed on a channel that proves the peer */
    return FAIL(err, FAIL_TRUST, 0,
                "a signed MDN was asked for and this one is not signed: see "
                "accept_unsigned_receipts of the partner");
}

/* "as2.mic.sha-256" of the message as it was sealed. */
static const char *own_mic(const struct document *d, int nid)
{
    char name[40];

    (void)snprintf(name, sizeof(name), "as2.mic.%s", as2_digest_name(nid, false));
    return props_get(&d->props, name);
}

/* True with *note: positive all the same, but somebody should know. */
static bool mic_fits(struct taking *t, const char **note, struct err *err)
{
    const struct as2_mic *theirs = &t->mdn.mic;
    const char *is_signed = props_get(&t->d.props, "as2.signed");
    struct as2_mic ours;
    const char *kept;

    *note = NULL;
    if (t->mdn.mic_text == NULL) {
        if (t->mdn.is_signed && is_signed != NULL && strcmp(is_signed, "yes") == 0)
            return FAIL(err, FAIL_TRUST, 0, "the signed MDN has no Received-content-MIC");
        *note = "the MDN has no Received-content-MIC: it was not compared";
        return true;
    }
    if (theirs->n == 0 || theirs->nid == NID_undef)
        return FAIL(err, FAIL_TRUST, 0, "Received-content-MIC cannot be read: %.80s",
                    t->mdn.mic_text);
    kept = own_mic(&t->d, theirs->nid);
    if (kept == NULL) {
        *note = "Received-content-MIC is in a digest that was not kept: it was not compared";
        return true;
    }
    if (as2_mic_read(kept, &ours) && as2_mic_equal(theirs, &ours))
        return true;
    t->mismatch = true;
    return FAIL(
        err, FAIL_TRUST, 0,
        "MIC mismatch: the partner has something else than was sent (%.80s, sent %.80s)",
        t->mdn.mic_text, kept);
}

/* ---- what follows ------------------------------------------------------------------------------- */

static bool settled(enum document_state st)
{
    return st == DOC_ACKNOWLEDGED || st == DOC_REJECTED;
}

/* The whole of it, header fields and body: what proves the receipt later. */
static struct span raw_of(struct taking *t)
{
    size_t n = t->src->body.n + 4, at = 0;
    uint8_t *p;

    for (size_t i = 0; i < t->src->head.n; i++)
        n += strlen(t->src->head.fields[i].name) + strlen(t->src->head.fields[i].value) + 4;
    p = arena_take(&t->arena, n);
    if (p == NULL)
        return span_of(NULL, 0);
    for (size_t i = 0; i < t->src->head.n; i++)
        at += (size_t)sprintf((char *)p + at, "%s: %s\r\n", t->src->head.fields[i].name,
                              t->src->head.fields[i].value);
    memcpy(p + at, "\r\n", 2);
    at += 2;
    if (t->src->body.n > 0)
        memcpy(p + at, t->src->body.p, t->src->body.n);
    return span_of(p, at + t->src->body.n);
}

static void end_waiting(struct taking *t, struct store_batch *b)
{
    struct job *jobs = NULL;
    struct err err;
    size_t n = 0;

    if (!store_jobs(t->g->store, t->d.id, &t->arena, &jobs, &n, &err))
        return;
    for (size_t i = 0; i < n; i++)
        if (jobs[i].kind == JOB_POST)
            store_end_job(b, jobs[i].id);
}

static void put_outcome(struct taking *t, struct store_batch *b, const char *text,
                        const char *note, int64_t now)
{
    bool no = negative(t);

    if (settled(t->d.state)) {
        store_add_event(b, t->d.id, now, t->contradicts ? "contradicting MDN" : "MDN again",
                        text);
        end_waiting(t, b);
        return;
    }
    store_set_state(b, t->d.id, OPEN_STATES, no ? DOC_REJECTED : DOC_ACKNOWLEDGED, now,
                    no ? "rejected" : "acknowledged", text, no ? text : "");
    store_set_prop(b, t->d.id, "as2.disposition",
                   t->mdn.disposition == NULL ? "" : t->mdn.disposition);
    if (t->mdn.mic_text != NULL)
        store_set_prop(b, t->d.id, "as2.received_content_mic", t->mdn.mic_text);
    if (note != NULL)
        store_add_event(b, t->d.id, now, "MDN warning", note);
    end_waiting(t, b);
}

/* The message has arrived as something else: to send it again is for a person to decide. */
static void put_mismatch(struct taking *t, struct store_batch *b, const struct err *why,
                         int64_t now)
{
    store_set_state(b, t->d.id, OPEN_STATES, DOC_OVERDUE, now, "MIC mismatch", why->text,
                    why->text);
    end_waiting(t, b);
}

static void log_taken(const struct taking *t, const char *text, const struct err *why)
{
    bool fine = t->d.id != 0 && why->text[0] == '\0' && !negative(t) && !t->contradicts;

    log_event(fine                            ? LOG_INFO
              : t->contradicts || t->mismatch ? LOG_ERROR
                                              : LOG_WARN,
              "as2.mdn.received", "partner",
              t->partner != NULL ? t->partner->name : t->src->from, "document",
              t->d.id != 0 ? log_num(t->d.id) : NULL, "mdn", text, "matched",
              t->d.id == 0           ? "no"
              : why->text[0] != '\0' ? "refused"
              : t->contradicts       ? "contradicts the first"
              : t->again             ? "came before"
                                     : "yes",
              "reason", why->text[0] != '\0' ? why->text : NULL, NULL);
}

static const char *text_of(struct taking *t)
{
    const char *disposition =
        t->mdn.disposition == NULL ? "no disposition" : t->mdn.disposition;

    if (!negative(t) || t->mdn.text == NULL || t->mdn.text[0] == '\0')
        return disposition;
    return arena_printf(&t->arena, "%s: %s", disposition, t->mdn.text);
}

/* Whether the MDN may settle the message. False: *why says why not. */
static bool believed(struct taking *t, const char **note, struct err *why)
{
    const char *mic_note = NULL;

    *note = NULL;
    if (t->partner == NULL)
        return FAIL(why, FAIL_TRUST, 0, "no partner with this AS2 ID is deployed");
    if (!correlates(t, why) || !signature_fits(t, why))
        return false;
    if (t->mdn.class == AS2_INVALID)
        return FAIL(why, FAIL_TRUST, 0,
                    "the MDN has no disposition that means anything: %.100s",
                    t->mdn.disposition == NULL ? "" : t->mdn.disposition);
    if (t->mdn.class == AS2_WARNING || t->mdn.class == AS2_DUPLICATE_WARNING)
        *note = t->mdn.disposition;
    if (negative(t))
        return true;
    if (t->mdn.class == AS2_DUPLICATE_WARNING && t->mdn.mic_text == NULL)
        return true;
    if (!mic_fits(t, &mic_note, why))
        return false;
    if (*note == NULL)
        *note = mic_note;
    return true;
}

/* An MDN for a message that is settled: the same again, or another. */
static bool compare(struct taking *t, struct err *err)
{
    struct receipt *list = NULL;
    struct span body = t->src->body;
    size_t n = 0;

    t->contradicts = negative(t) != (t->d.state == DOC_REJECTED);
    if (!store_receipts(t->g->store, t->d.id, NULL, &t->arena, &list, &n, err))
        return false;
    for (size_t i = 0; i < n && !t->again; i++)
        t->again =
            strcmp(list[i].state, "received") == 0 && list[i].octets.n >= body.n &&
            span_equal(span_of(list[i].octets.p + list[i].octets.n - body.n, body.n), body);
    t->contradicts = t->contradicts && !t->again;
    return true;
}

/* What nobody asked for, settles nothing or comes over and over, must not fill the store. */
static bool worth_keeping(struct taking *t, bool honest)
{
    bool open = !settled(t->d.state);
    struct receipt *list = NULL;
    struct err err;
    size_t n = 0;

    if (t->d.id == 0 || t->again)
        return false;
    return (honest && open) || (t->mismatch && open && t->d.state != DOC_OVERDUE) ||
           (store_receipts(t->g->store, t->d.id, NULL, &t->arena, &list, &n, &err) &&
            n < REFUSED_KEPT);
}

static bool store(struct taking *t, bool honest, const char *text, const char *note,
                  const struct err *why, struct err *err)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    struct receipt rc = { .id = store_next_id(t->g->store),
                          .document_id = t->d.id,
                          .kind = "MDN",
                          .state = honest ? "received" : "refused",
                          .reason = negative(t) ? 1 : 0,
                          .text = text,
                          .creator = t->src->from != NULL ? t->src->from : t->d.peer,
                          .octets = raw_of(t),
                          .at_ms = now };
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (ok && t->arena.failed)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok) {
        store_put_receipt(b, &rc);
        if (honest)
            put_outcome(t, b, text, note, now);
        else if (t->mismatch && !settled(t->d.state))
            put_mismatch(t, b, why, now);
        else
            store_add_event(b, t->d.id, now, "MDN refused", why->text);
        ok = store_commit(t->g->store, b, err);
    }
    store_batch_free(b);
    return ok;
}

/* In an answer, what is no multipart is no MDN: none came. What is one and cannot be read may say
 * anything: it is kept, and somebody must look. */
static bool take_unreadable(struct taking *t, const struct err *why, int *status,
                            enum as2_settled *outcome, struct err *err)
{
    const char *type = mime_head_get(&t->src->head, "Content-Type");
    bool odd =
        t->src->document_id != 0 && type != NULL && strncasecmp(type, "multipart/", 10) == 0;

    *status = 400;
    *outcome = odd ? AS2_SETTLED_NOT : AS2_SETTLED_MISSING;
    log_event(LOG_WARN, "as2.mdn.unreadable", "as2_from", t->src->from, "document",
              t->src->document_id != 0 ? log_num(t->src->document_id) : NULL, "reason",
              why->text, NULL);
    t->mdn.class = AS2_INVALID;
    return !odd || (find(t, err) && (!worth_keeping(t, false) ||
                                     store(t, false, "unreadable", NULL, why, err)));
}

static bool take_once(struct taking *t, int *status, enum as2_settled *outcome, struct err *err)
{
    const char *note = NULL, *text;
    struct err why = { 0 };
    bool honest, keep;

    t->d = (struct document) { 0 };
    if (!as2_mdn_read(&t->src->head, t->src->body, &t->arena, &t->mdn, &why))
        return take_unreadable(t, &why, status, outcome, err);
    if (!find(t, err))
        return false;
    t->partner = t->d.id != 0 && t->d.partner != NULL
                     ? snapshot_partner(t->sn, t->d.partner)
                     : snapshot_partner_of_as2(t->sn, t->src->from == NULL ? "" : t->src->from);
    honest = t->d.id != 0 && believed(t, &note, &why);
    if (honest)
        why = (struct err) { 0 };
    if (honest && settled(t->d.state) && !compare(t, err))
        return false;
    text = text_of(t);
    keep = worth_keeping(t, honest);
    if (keep && !store(t, honest, text, note, &why, err))
        return false;
    atomic_fetch_add(&t->g->n.mdns_in, 1);
    log_taken(t, text, &why);
    *status = 200;
    *outcome = !honest && !t->mismatch ? AS2_SETTLED_NOT
               : keep                  ? AS2_SETTLED
                                       : AS2_SETTLED_BEFORE;
    return true;
}

bool as2_mdn_take(struct gateway *g, const struct snapshot *sn,
                  const struct as2_mdn_source *src, int *status, enum as2_settled *outcome,
                  struct err *err)
{
    /* The state may change between the look and the commit: then the look was too early. */
    for (int tries = 0; tries < 5; tries++) {
        struct taking t = { .g = g, .sn = sn, .src = src };
        bool ok = take_once(&t, status, outcome, err);

        arena_free(&t.arena);
        if (ok)
            return true;
        if (err->kind != FAIL_AGAIN)
            return false;
    }
    return false;
}
