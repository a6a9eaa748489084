/* Certificates that partners send: see exchange.h. */
#include "gateway/exchange.h"

#include "gateway/delivery.h"
#include "gateway/relay.h"
#include "gateway/security.h"
#include "pki/clid.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { BLOCKS_MAX = PKI_PEM_MAX / OFTP_BLOCK, PURPOSES = 6, SECURITY_BITS = 112 };

const char *exchange_kind(const char *dsn)
{
    static const char prefix[] = "ODETTE_CERTIFICATE_";
    static const char *const kinds[] = { "DELIVER", "REPLACE", "REQUEST" };

    if (strncasecmp(dsn, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcasecmp(dsn + sizeof(prefix) - 1, kinds[i]) == 0)
            return kinds[i];
    return NULL;
}

bool exchange_check(const struct oftp_sfid *f, struct verdict *v)
{
    if (f->env != 0 || f->sec != 0 || f->comp != 0)
        return verdict_no(v, ANSWER_UNSPECIFIED, false,
                          "a certificate file is sent unprotected", "the partner's program");
    if (f->fsiz > BLOCKS_MAX)
        return verdict_no(v, ANSWER_SIZE, false, "a certificate file is smaller than that",
                          "the partner's program");
    return true;
}

bool exchange_inbound(const struct document *d)
{
    return !d->outbound && props_get(&d->props, "waybill.certificate") != NULL;
}

/* ---- the certificate --------------------------------------------------------------------- */

static bool check_certificate(const struct pki_certificate *c, int64_t now_s, struct err *err)
{
    int64_t from = 0, to = 0;

    if (c->key != NULL || sk_X509_num(c->chain) > 0)
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED,
                    "exactly one certificate may be in the file, without private key");
    if (!pki_validity(c->leaf, &from, &to) || now_s < from)
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED, "the certificate is not valid yet");
    if (now_s > to)
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED, "the certificate is expired");
    if (EVP_PKEY_get_security_bits(X509_get0_pubkey(c->leaf)) < SECURITY_BITS)
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED,
                    "its key is too short: RSA 2048 or better is needed");
    return true;
}

/* The certificate in the file. Given. FAIL_TRUST: it is not acceptable to anybody. */
static bool read_certificate(struct gateway *g, const struct document *d,
                             struct pki_certificate **out, struct err *err)
{
    struct payload_reader *r = NULL;
    uint8_t *p = malloc(PKI_PEM_MAX + 1);
    size_t n = 0, got = 1;
    bool ok = p != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && payload_open(g->store, d->id, 'r', &d->raw, &r, err);
    while (ok && got > 0 && n <= PKI_PEM_MAX) {
        ok = payload_read(r, n, (struct room) { p + n, PKI_PEM_MAX + 1 - n }, &got, err);
        n += got;
    }
    if (ok && !pki_certificate_read(span_of(p, n), span_of(NULL, 0), out, err)) {
        ok = FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED, "the file is no X.509 certificate");
    } else if (ok && !check_certificate(*out, net_wall_ms() / 1000, err)) {
        pki_certificate_free(*out);
        *out = NULL;
        ok = false;
    }
    payload_reader_free(r);
    free(p);
    return ok;
}

/* ---- what it succeeds -------------------------------------------------------------------- */

/* One certificate component of the partner that has a predecessor of the new one. */
struct place {
    const struct certificate *component;
    bool old[CERTIFICATES_MAX];                /* which of its set are predecessors */
    const struct pki_certificate *predecessor; /* the first of them; NULL: none     */
    bool there;                                /* the new one is in it already      */
};

struct places {
    struct place list[PURPOSES];
    size_t n;
    bool changes; /* there is something to do */
};

/* Whether the component is of this partner alone: an authority, and what others use, too, are none
 * that it may change. */
static bool is_its_own(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                       const struct certificate *c)
{
    struct arena a = { 0 };
    const char *const *users = NULL;
    const char *prefix = arena_printf(&a, "partner %s: ", p->name);
    size_t n = 0;
    bool own = c->cfg->issued_to == NULL && c->cfg->trust_list_sequence == NULL &&
               prefix != NULL &&
               config_certificate_users(g->rt, sn->components, sn->components_n, c->name, &a,
                                        &users, &n);

    for (size_t i = 0; i < n && own; i++)
        own = strncmp(users[i], prefix, strlen(prefix)) == 0;
    arena_free(&a);
    return own;
}

static void look_into(const struct certificate *component, const struct oftp_sfid *f,
                      const char *kind, const X509 *fresh, struct places *out)
{
    struct place p = { .component = component };
    struct span desc = span_of(f->desc, f->descl);
    bool named = false, replace = strcmp(kind, "REPLACE") == 0;

    for (size_t i = 0; i < out->n; i++)
        if (out->list[i].component == component)
            return;
    for (size_t i = 0; i < p.component->set.n && i < CERTIFICATES_MAX; i++)
        named = named || pki_clid_names(desc, p.component->set.list[i]->leaf);
    for (size_t i = 0; i < p.component->set.n && i < CERTIFICATES_MAX; i++) {
        const struct pki_certificate *c = p.component->set.list[i];

        if (c->key != NULL)
            return;
        if (X509_cmp(c->leaf, fresh) == 0) {
            p.there = true;
            continue;
        }
        p.old[i] = named ? pki_clid_names(desc, c->leaf) : pki_same_logical(c->leaf, fresh);
        if (p.old[i] && p.predecessor == NULL)
            p.predecessor = c;
    }
    if (!p.there && p.predecessor == NULL)
        return;
    out->changes = out->changes || !p.there || (replace && p.predecessor != NULL);
    out->list[out->n++] = p;
}

/* Where the new one belongs: all purposes of the partner that use a predecessor. */
static void find_places(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                        const struct document *d, const X509 *fresh, struct places *out)
{
    const struct config_oftp2_party *o = &p->cfg->oftp2;
    const char *const names[PURPOSES] = { o->acknowledgment_verification_certificate,
                                          o->signature_verification_certificate,
                                          o->session_authentication_encrypting_certificate,
                                          o->client_ssl_certificate,
                                          o->encryption_certificate,
                                          p->cfg->server_ssl_certificate };
    struct oftp_sfid f;

    sfid_from_props(&f, &d->props);
    *out = (struct places) { 0 };
    for (size_t i = 0; i < PURPOSES; i++) {
        const struct certificate *c =
            names[i] == NULL ? NULL : snapshot_certificate(sn, names[i]);

        if (c != NULL && is_its_own(g, sn, p, c))
            look_into(c, &f, props_get(&d->props, "waybill.certificate"), fresh, out);
    }
}

/* ---- whether it is trusted --------------------------------------------------------------- */

enum trust { TRUST_NO, TRUST_UNKNOWN, TRUST_YES };

/* inside: issuers on the way, not trusted by themselves; may be NULL. */
/* clang-format off */
static enum trust by_authorities(const struct certificate *authorities, STACK_OF(X509) *inside,
                                 const X509 *fresh, char *why, size_t cap)
/* clang-format on */
{
    const char *reason = authorities->error;

    if (authorities->anchors != NULL &&
        pki_chain_ok(fresh, inside, authorities->anchors, net_wall_ms() / 1000, &reason))
        return TRUST_YES;
    (void)snprintf(why, cap, "it does not come from '%s': %.200s", authorities->name,
                   reason == NULL ? "" : reason);
    return TRUST_NO;
}

/* By the issuers that are kept beside its predecessor. */
static enum trust by_issuers(const struct place *at, const X509 *fresh, char *why, size_t cap)
{
    struct pki_certificate issuers = *at->predecessor;
    const char *reason = "";

    issuers.leaf = sk_X509_value(issuers.chain, 0);
    issuers.crls = at->component->crls;
    issuers.crl_strict = at->component->cfg->crl_strict;
    if (pki_chain_ok(fresh, NULL, &issuers, net_wall_ms() / 1000, &reason))
        return TRUST_YES;
    (void)snprintf(why, cap, "it does not come from the issuers of its predecessor: %s",
                   reason);
    return TRUST_NO;
}

static enum trust trust_of(const struct snapshot *sn, const struct partner *p,
                           const struct place *at, X509 *fresh, char *why, size_t cap)
{
    const char *name = p->cfg->certificate_authorities;
    const struct certificate *authorities;

    if (pki_self_signed(fresh)) {
        (void)snprintf(why, cap, "it signed itself, and succeeds no certificate that did");
        return at != NULL && at->predecessor != NULL &&
                       pki_self_signed(at->predecessor->leaf) &&
                       X509_verify(fresh, X509_get0_pubkey(fresh)) == 1
                   ? TRUST_YES
                   : TRUST_NO;
    }
    if (name == NULL && at != NULL)
        name = at->component->cfg->trust;
    if (name != NULL) {
        authorities = snapshot_certificate(sn, name);
        if (authorities != NULL)
            return by_authorities(authorities,
                                  at != NULL && at->predecessor != NULL ? at->predecessor->chain
                                                                        : NULL,
                                  fresh, why, cap);
    } else if (at != NULL && at->predecessor != NULL &&
               sk_X509_num(at->predecessor->chain) > 0) {
        return by_issuers(at, fresh, why, cap);
    }
    (void)snprintf(why, cap,
                   "no authority is known to check it with: see certificate_authorities of the "
                   "partner");
    return TRUST_UNKNOWN;
}

/* ---- into use ---------------------------------------------------------------------------- */

/* The new one first, then what stays, as one component; with its issuers where they are known. */
static char *new_text(const struct place *at, bool replace, const X509 *fresh, struct arena *a,
                      struct err *err)
{
    struct config_certificate cfg = { .crl_file = at->component->cfg->crl_file,
                                      .crl_strict = at->component->cfg->crl_strict,
                                      .trust = at->component->cfg->trust };
    struct config_certificate_also *also = arena_take(a, sizeof(*also) * (CONFIG_ALSO_MAX + 1));
    const struct pki_certificate *old = at->predecessor;
    struct pki_certificate c = { .leaf = (X509 *)(uintptr_t)fresh };
    bool issued = old != NULL && sk_X509_num(old->chain) > 0 &&
                  X509_check_issued(sk_X509_value(old->chain, 0), c.leaf) == X509_V_OK;
    char *pem = NULL, *text;
    int64_t from, to;

    if (issued)
        c.chain = old->chain;
    if (also == NULL || !pki_write_pem(&c, issued, &pem, err))
        return NULL;
    cfg.pem = arena_text(a, pem);
    free(pem);
    cfg.also = also;
    for (size_t i = 0; i < at->component->set.n && cfg.also_n < CONFIG_ALSO_MAX; i++) {
        const struct pki_certificate *kept = at->component->set.list[i];

        if (X509_cmp(kept->leaf, fresh) == 0 || (replace && at->old[i]) ||
            !pki_validity(kept->leaf, &from, &to) || to < net_wall_ms() / 1000)
            continue;
        if (!pki_write_pem(kept, true, &pem, err))
            return NULL;
        also[cfg.also_n++].pem = arena_text(a, pem);
        free(pem);
    }
    text = config_certificate_text(at->component->name, &cfg, a);
    if (text == NULL || a->failed)
        (void)FAIL(err, FAIL_LOCAL, 0, "out of memory");
    return a->failed ? NULL : text;
}

static bool put_into_use(struct gateway *g, const struct partner *p, const struct document *d,
                         const struct places *places, const X509 *fresh, const char *who,
                         struct arena *a, struct err *err)
{
    bool replace = strcmp(props_get(&d->props, "waybill.certificate"), "REPLACE") == 0, ok;
    struct config_problems ps = { 0 };
    struct gateway_applied *list = NULL;
    const char *all = "";
    size_t n = 0;

    for (size_t i = 0; i < places->n; i++) {
        const struct place *at = &places->list[i];
        const char *text;

        if (at->there && (!replace || at->predecessor == NULL))
            continue;
        text = new_text(at, replace, fresh, a, err);
        if (text == NULL)
            return false;
        all = arena_printf(a, "%s%s%s", all, *all != '\0' ? "---\n" : "", text);
        if (all == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    ok = gateway_apply(g, span_text(all), "certificate exchange", false,
                       arena_printf(a, "certificate exchange with %s, document %lld, %s",
                                    p->name, (long long)d->id, who),
                       a, &list, &n, &ps, err);
    if (!ok && ps.first != NULL)
        (void)FAIL(err, FAIL_LOCAL, 0, "%s", ps.first->text);
    config_problems_free(&ps);
    for (size_t i = 0; ok && i < n; i++)
        log_event(LOG_WARN, "certificate.exchanged", "partner", p->name, "certificate",
                  list[i].name, "version", log_num(list[i].version), "how",
                  replace ? "the old one is refused from now on" : "the old one counts on",
                  "by", who, NULL);
    return ok;
}

/* ---- the outcome ------------------------------------------------------------------------- */

#define WAITING (DOC_BIT(DOC_OPENED) | DOC_BIT(DOC_PROCESSING))

static void put_answer(struct gateway *g, struct store_batch *b, const struct document *d,
                       const char *refusal)
{
    int64_t now = net_wall_ms();

    receipt_plan(g, b, d, refusal == NULL ? 0 : NERP_UNSPECIFIED, refusal, now);
    store_set_prop(b, d->id, "waybill.answered", refusal == NULL ? "EERP" : "NERP");
    store_set_state(b, d->id, WAITING, refusal == NULL ? DOC_PROCESSED : DOC_REFUSED, now,
                    refusal == NULL ? "processed" : "refused",
                    refusal == NULL ? "the certificate is in use" : refusal,
                    refusal == NULL ? "" : refusal);
}

static void answer(struct gateway *g, const struct job *j, const struct document *d,
                   const char *refusal)
{
    struct store_batch *b = store_batch_new();

    if (b != NULL) {
        put_answer(g, b, d, refusal);
        store_end_job(b, j->id);
    }
    if (refusal != NULL) {
        atomic_fetch_add(&g->n.refused, 1);
        log_event(LOG_WARN, "certificate.refused", "partner", d->partner, "document",
                  log_num(d->id), "kind", props_get(&d->props, "waybill.certificate"), "reason",
                  refusal, "look_at",
                  "certificate_exchange and certificate_authorities of the partner", NULL);
    }
    (void)job_commit(g, b, j, "a certificate file");
}

/* Waits for an operator, who sees what it is. */
static void keep(struct gateway *g, const struct job *j, const struct document *d,
                 const X509 *fresh, const struct places *places, const char *note,
                 struct arena *a)
{
    struct store_batch *b = store_batch_new();
    char subject[256], fingerprint[65];
    const char *names = "";
    int64_t from = 0, to = 0;

    pki_subject(fresh, subject, sizeof(subject));
    pki_fingerprint(fresh, fingerprint);
    (void)pki_validity(fresh, &from, &to);
    for (size_t i = 0; i < places->n && names != NULL; i++)
        names = arena_printf(a, "%s%s%s", names, *names != '\0' ? ", " : "",
                             places->list[i].component->name);
    if (b != NULL && names != NULL) {
        store_set_prop(b, d->id, "waybill.certificate_subject", subject);
        store_set_prop(b, d->id, "waybill.certificate_fingerprint", fingerprint);
        store_set_prop(b, d->id, "waybill.certificate_not_after",
                       arena_printf(a, "%lld", (long long)to * 1000));
        store_set_prop(b, d->id, "waybill.certificate_for", names);
        store_set_prop(b, d->id, "waybill.certificate_note", note);
        store_set_prop(b, d->id, "waybill.certificate_accepted", "");
        store_set_state(b, d->id, WAITING, DOC_PROCESSING, net_wall_ms(),
                        "waits for an operator", note, NULL);
        store_end_job(b, j->id);
    }
    log_event(LOG_WARN, "certificate.waits", "partner", d->partner, "document", log_num(d->id),
              "kind", props_get(&d->props, "waybill.certificate"), "subject", subject, "sha256",
              fingerprint, "for", names, "note", note, "look_at",
              "`waybill exchange`; then `waybill acknowledge` or `waybill reject`", NULL);
    (void)job_commit(g, b, j, "a certificate file");
}

/* What to do with a certificate that is sound in itself. */
static bool decide(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                   const struct job *j, const struct document *d, X509 *fresh, struct arena *a,
                   struct err *err)
{
    const char *who = props_get(&d->props, "waybill.certificate_accepted");
    bool accepted = who != NULL && *who != '\0';
    bool automatic = strcmp(p->cfg->certificate_exchange, "automatic") == 0;
    struct places places;
    enum trust trust;
    char why[400] = "";

    find_places(g, sn, p, d, fresh, &places);
    trust = trust_of(sn, p, places.n > 0 ? &places.list[0] : NULL, fresh, why, sizeof(why));
    if (places.n > 0 && !places.changes)
        trust = TRUST_YES; /* it is in use already */
    if (trust == TRUST_NO || (automatic && !accepted && trust == TRUST_UNKNOWN))
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED, "%s", why);
    if (places.n == 0)
        (void)snprintf(why, sizeof(why), "it succeeds no certificate known of this partner");
    if (automatic && !accepted && places.n == 0)
        return FAIL(err, FAIL_TRUST, NERP_UNSPECIFIED, "%s", why);
    if (places.n == 0 || (places.changes && !automatic && !accepted)) {
        keep(g, j, d, fresh, &places, why, a);
        return true;
    }
    if (places.changes &&
        !put_into_use(g, p, d, &places, fresh, accepted ? who : "automatically", a, err))
        return false;
    if (strcmp(props_get(&d->props, "waybill.certificate"), "REQUEST") == 0 &&
        !exchange_answer(g, sn, p, d, err))
        return false;
    answer(g, j, d, NULL);
    return true;
}

static const struct partner *partner_of(const struct snapshot *sn, const struct document *d)
{
    const struct listener *l = snapshot_listener(sn, d->listener == NULL ? "" : d->listener);

    return l == NULL ? NULL : l->partner;
}

void exchange_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                  struct document *d, struct arena *a)
{
    const struct partner *p = partner_of(sn, d);
    struct pki_certificate *c = NULL;
    struct err err = { 0 };

    if (p == NULL || strcmp(p->cfg->certificate_exchange, "off") == 0)
        answer(g, j, d, "certificates are not exchanged this way");
    else if (read_certificate(g, d, &c, &err) && decide(g, sn, p, j, d, c->leaf, a, &err))
        ;
    else if (err.kind == FAIL_TRUST)
        answer(g, j, d, err.text);
    else if (!atomic_load(&g->ending))
        job_later(g, j, err.text);
    pki_certificate_free(c);
}

/* ---- the operator ------------------------------------------------------------------------ */

/* Whether there is a place for it: else accepting would change nothing. */
static bool has_place(struct gateway *g, const struct document *d, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct partner *p = partner_of(sn, d);
    struct pki_certificate *c = NULL;
    struct places places;
    bool ok = p != NULL || FAIL(err, FAIL_LOCAL, 409, "its process or partner is gone");

    ok = ok && read_certificate(g, d, &c, err);
    if (ok) {
        find_places(g, sn, p, d, c->leaf, &places);
        ok = places.n > 0 ||
             FAIL(err, FAIL_LOCAL, 409,
                  "it succeeds no certificate of partner '%s': put it into a certificate "
                  "component the partner names (`waybill download %lld`), then acknowledge",
                  p->name, (long long)d->id);
    }
    if (!ok && err->wire != 409)
        err->wire = 409;
    pki_certificate_free(c);
    snapshot_put(sn);
    return ok;
}

bool exchange_decide(struct gateway *g, int64_t document_id, bool positive, const char *text,
                     const char *who, bool *taken, struct err *err)
{
    struct arena a = { 0 };
    struct document d = { 0 };
    struct store_batch *b = NULL;
    bool found = false;
    bool ok = store_get_document(g->store, document_id, &a, &d, &found, err);

    *taken = ok && found && exchange_inbound(&d);
    if (!*taken) {
        arena_free(&a);
        return ok;
    }
    if (d.state != DOC_PROCESSING)
        ok = FAIL(err, FAIL_LOCAL, 409, "document %lld is %s: it waits for nobody",
                  (long long)document_id, document_state_name(d.state));
    ok = ok && (!positive || has_place(g, &d, err));
    if (ok && (b = store_batch_new()) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok) {
        if (positive) {
            store_set_prop(b, d.id, "waybill.certificate_accepted", who);
            store_add_event(b, d.id, net_wall_ms(), "accepted", who);
            relay_wake(g, b, d.id, net_wall_ms());
        } else {
            put_answer(g, b, &d, text == NULL || *text == '\0' ? "refused" : text);
        }
        store_add_audit(b, net_wall_ms(), who,
                        arena_printf(&a, "%s certificate of %s, document %lld",
                                     positive ? "accept" : "refuse", d.partner,
                                     (long long)d.id));
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    arena_free(&a);
    return ok;
}
