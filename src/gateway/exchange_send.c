/* Certificates that we send: for a request, or because an operator says so. oftp2.md 13.1. */
#include "gateway/exchange.h"
#include "gateway/security.h"
#include "pki/clid.h"

#include <stdio.h>
#include <stdlib.h>

enum { OWN_MAX = 5, ANSWER_EVERY_MS = 60 * 1000 };

struct own {
    const struct pki_certificate *list[OWN_MAX], *before[OWN_MAX];
    size_t n;
};

/* The newest valid one of a component, and the one before it. */
static void add_own(const struct snapshot *sn, const char *name, struct own *own)
{
    const struct certificate *c = name == NULL ? NULL : snapshot_certificate(sn, name);
    int64_t now = net_wall_ms() / 1000, from, to, best = 0;
    const struct pki_certificate *it = c == NULL ? NULL : pki_set_encrypt(&c->set, now);

    if (it == NULL || own->n == OWN_MAX)
        return;
    for (size_t i = 0; i < own->n; i++)
        if (X509_cmp(own->list[i]->leaf, it->leaf) == 0)
            return;
    own->list[own->n] = it;
    own->before[own->n] = NULL;
    for (size_t i = 0; i < c->set.n; i++)
        if (c->set.list[i] != it && pki_validity(c->set.list[i]->leaf, &from, &to) &&
            (own->before[own->n] == NULL || from > best)) {
            own->before[own->n] = c->set.list[i];
            best = from;
        }
    own->n++;
}

static void find_own(const struct snapshot *sn, const struct partner *p,
                     const struct identity *id, const char *only, struct own *own)
{
    const struct config_oftp2_party *o = &id->cfg->oftp2;
    const char *const names[OWN_MAX] = { o->signing_certificate, o->decryption_certificate,
                                         o->acknowledgment_signing_certificate,
                                         o->session_authentication_challenge_certificate,
                                         p->cfg->client_certificate };

    *own = (struct own) { .n = 0 };
    for (size_t i = 0; i < OWN_MAX; i++)
        if (names[i] != NULL && (only == NULL || strcmp(names[i], only) == 0))
            add_own(sn, names[i], own);
}

/* Queues one certificate file. */
static bool send_one(struct gateway *g, const struct partner *p, const struct identity *id,
                     const char *dsn, const struct pki_certificate *c,
                     const struct pki_certificate *before, const char *listener,
                     const char *key, int64_t *document_id, struct err *err)
{
    char clid[PKI_CLID_MAX + 1];
    struct gateway_send w = { .partner = p->name,
                              .identity = id->name,
                              .name = dsn,
                              .listener = listener,
                              .idempotency_key = key,
                              .certificate = true };
    struct gateway_outgoing *o = NULL;
    uint8_t *der = NULL;
    struct err ignored;
    int n = i2d_X509(c->leaf, &der);
    bool ok = n > 0 || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    if (before != NULL && pki_clid_write(before->leaf, clid, &ignored))
        w.description = clid;
    ok = ok && gateway_send_begin(g, &w, &o, err) &&
         gateway_send_octets(o, span_of(der, (size_t)n), err) &&
         gateway_send_commit(o, document_id, err);
    gateway_send_free(o);
    OPENSSL_free(der);
    return ok;
}

/* Whether this partner's requests are answered again so soon. Remembers that it asked. */
static bool too_often(struct gateway *g, const struct document *request)
{
    struct store_batch *b = store_batch_new();
    struct arena a = { 0 };
    const char *key = arena_printf(&a, "certificates|%s|%s", request->from, request->to);
    int64_t now = net_wall_ms(), other = 0;
    struct err err;
    bool often = false;

    if (b != NULL && key != NULL && store_find_seen(g->store, key, now, &other, &err)) {
        often = other != 0 && other != request->id;
        if (other == 0)
            store_add_seen(b, key, request->id, now + ANSWER_EVERY_MS);
        if (often)
            store_add_event(b, request->id, now, "not answered",
                            "our certificates were sent less than a minute ago");
        if (!store_commit(g->store, b, &err))
            log_event(LOG_ERROR, "store.commit", "what", "a request for certificates", "reason",
                      err.text, NULL);
    }
    store_batch_free(b);
    arena_free(&a);
    return often;
}

bool exchange_answer(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                     const struct document *request, struct err *err)
{
    const struct identity *id = snapshot_identity_of_code(sn, request->to);
    struct own own;
    bool ok = true;

    if (id == NULL || too_often(g, request))
        return true;
    find_own(sn, p, id, NULL, &own);
    for (size_t i = 0; i < own.n && ok; i++) {
        char key[120], fingerprint[65];
        int64_t document_id;

        pki_fingerprint(own.list[i]->leaf, fingerprint);
        (void)snprintf(key, sizeof(key), "certificate|%lld|%s", (long long)request->id,
                       fingerprint);
        ok = send_one(g, p, id, "ODETTE_CERTIFICATE_DELIVER", own.list[i], own.before[i],
                      "certificate exchange", key, &document_id, err);
    }
    return ok;
}

static bool check_order(const struct snapshot *sn, const char *name, const char *what,
                        const struct partner **p, const struct identity **id, char dsn[27],
                        struct err *err)
{
    *p = snapshot_partner(sn, name);
    if (*p == NULL || (*p)->party.code == NULL)
        return FAIL(err, FAIL_LOCAL, 404, "partner '%s' is not deployed for OFTP2", name);
    if ((*p)->cfg->level_max < OFTP_20)
        return FAIL(err, FAIL_LOCAL, 422,
                    "partner '%s' has level_max below 2.0: certificates are exchanged from 2.0 "
                    "on",
                    name);
    if (strcmp(what, "deliver") != 0 && strcmp(what, "replace") != 0 &&
        strcmp(what, "request") != 0)
        return FAIL(err, FAIL_LOCAL, 400, "what: deliver, replace or request, not '%.40s'",
                    what);
    (void)snprintf(dsn, 27, "ODETTE_CERTIFICATE_%s",
                   what[0] == 'd'                 ? "DELIVER"
                   : strcmp(what, "replace") == 0 ? "REPLACE"
                                                  : "REQUEST");
    *id = (*p)->cfg->identity != NULL ? snapshot_identity(sn, (*p)->cfg->identity)
                                      : snapshot_only_identity(sn, false);
    return *id != NULL ||
           FAIL(err, FAIL_LOCAL, 422,
                "no identity is known for it: set oftp2.identity of partner '%s'", name);
}

bool gateway_exchange(struct gateway *g, const char *partner, const char *what,
                      const char *certificate, const char *who, struct arena *a, int64_t **ids,
                      size_t *n, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct partner *p = NULL;
    const struct identity *id = NULL;
    struct own own = { .n = 0 };
    char dsn[27];
    bool ok = check_order(sn, partner, what, &p, &id, dsn, err);

    *n = 0;
    if (ok) {
        find_own(sn, p, id, certificate, &own);
        if (strcmp(what, "request") == 0 && own.n > 1)
            own.n = 1; /* one of ours goes with the question */
        ok = own.n > 0 ||
             FAIL(err, FAIL_LOCAL, 422, "identity '%s' has no valid certificate%s%s to send",
                  id->name, certificate != NULL ? " " : "",
                  certificate != NULL ? certificate : "");
    }
    *ids = arena_take(a, sizeof(**ids) * OWN_MAX);
    if (ok && *ids == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    for (size_t i = 0; i < own.n && ok; i++) {
        ok = send_one(g, p, id, dsn, own.list[i], own.before[i], who, NULL, &(*ids)[i], err);
        *n += ok;
    }
    snapshot_put(sn);
    return ok;
}
