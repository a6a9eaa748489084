/* Certificates told and given away: what `waybill certificates list` and `export` show. */
#include "gateway/certificates.h"

#include <limits.h>
#include <openssl/bn.h>
#include <stdlib.h>

enum { SOON_DAYS = 30 };

static const char *state_of(const struct certificate_item *x, int64_t now_s)
{
    int64_t from = 0, to = 0;

    if (x->pki == NULL)
        return "unusable";
    if (x->revoked)
        return "revoked";
    if (!pki_validity(x->pki->leaf, &from, &to) || now_s > to)
        return "expired";
    if (x->problem != NULL)
        return "unusable";
    if (now_s < from)
        return "not yet valid";
    return pki_days_left(x->pki->leaf, now_s) <= SOON_DAYS ? "expires" : "ok";
}

static const char *serial_of(const X509 *cert, struct arena *a)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = n == NULL ? NULL : BN_bn2hex(n);
    const char *text = arena_text(a, hex == NULL ? "" : hex);

    OPENSSL_free(hex);
    BN_free(n);
    return text;
}

static void describe(const struct certificate_item *x, int64_t now_s, struct arena *a,
                     struct gateway_certificate *out)
{
    const struct pki_certificate *p = x->pki;
    char subject[512], fingerprint[65];

    out->state = state_of(x, now_s);
    out->place = x->place;
    out->problem = x->problem == NULL ? "" : arena_text(a, x->problem);
    out->subject = out->issuer = out->serial = out->sha256 = "";
    if (p == NULL)
        return;
    pki_subject(p->leaf, subject, sizeof(subject));
    out->subject = arena_text(a, subject);
    pki_issuer(p->leaf, subject, sizeof(subject));
    out->issuer = arena_text(a, subject);
    pki_fingerprint(p->leaf, fingerprint);
    out->sha256 = arena_text(a, fingerprint);
    out->serial = serial_of(p->leaf, a);
    (void)pki_validity(p->leaf, &out->from_s, &out->to_s);
    out->days_left = pki_days_left(p->leaf, now_s);
    out->has_key = p->key != NULL;
}

static bool list_one(struct gateway *g, const struct snapshot *sn, const struct certificate *c,
                     int64_t now_s, struct arena *a, struct gateway_certificate *out,
                     struct err *err)
{
    const char *const *users;
    size_t users_n;

    if (!config_certificate_users(g->rt, sn->components, sn->components_n, c->name, a, &users,
                                  &users_n))
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    for (size_t i = 0; i < c->items_n; i++) {
        struct gateway_certificate *o = &out[i];

        describe(&c->items[i], now_s, a, o);
        o->name = arena_text(a, c->name);
        o->number = (unsigned)i + 1;
        o->users = users;
        o->users_n = users_n;
        o->crl_next_s = c->crl_next_s == INT64_MAX ? 0 : c->crl_next_s;
        o->crl_overdue = c->crl_next_s != 0 && c->crl_next_s <= now_s;
    }
    return true;
}

static int by_name(const void *x, const void *y)
{
    const struct gateway_certificate *a = x, *b = y;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

bool gateway_certificates(struct gateway *g, struct arena *a, struct gateway_certificate **list,
                          size_t *n, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    int64_t now_s = net_wall_ms() / 1000;
    size_t all = 0;
    bool ok = true;

    for (size_t i = 0; i < sn->certificates_n; i++)
        all += sn->certificates[i].items_n;
    *n = 0;
    *list = arena_take(a, sizeof(**list) * (all + 1));
    for (size_t i = 0; *list != NULL && ok && i < sn->certificates_n; i++) {
        ok = list_one(g, sn, &sn->certificates[i], now_s, a, *list + *n, err);
        *n += sn->certificates[i].items_n;
    }
    snapshot_put(sn);
    if (ok && a->failed)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok)
        qsort(*list, *n, sizeof(**list), by_name);
    return ok;
}

/* ---- export ------------------------------------------------------------------------------ */

/* The one asked for; without a number the one that would sign today, else the component's own. */
static const struct pki_certificate *chosen(const struct snapshot *sn, const char *name,
                                            unsigned number, struct err *err)
{
    const struct certificate *c = snapshot_certificate(sn, name);
    const struct pki_certificate *p = NULL;

    if (c == NULL)
        (void)FAIL(err, FAIL_LOCAL, 404, "no certificate '%s' is deployed", name);
    else if (number > c->items_n)
        (void)FAIL(err, FAIL_LOCAL, 404, "certificate '%s' has no number %u, but %zu", name,
                   number, c->items_n);
    else if (number == 0 && (p = pki_set_sign(&c->set, net_wall_ms() / 1000)) == NULL)
        number = 1;
    if (number > 0 && c != NULL && number <= c->items_n &&
        (p = c->items[number - 1].pki) == NULL)
        (void)FAIL(err, FAIL_LOCAL, 409, "certificate '%s' cannot be read: %s", name,
                   c->items[number - 1].problem);
    return p;
}

/* Said before it is given: an export that is not in the audit log must not happen. */
static bool record(struct gateway *g, const struct gateway_export *what,
                   const struct pki_certificate *p, const char *who, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct arena a = { 0 };
    char fingerprint[65];
    const char *text;
    bool ok;

    pki_fingerprint(p->leaf, fingerprint);
    text = arena_printf(&a, "export private key of certificate %s (%s), sha256 %s", what->name,
                        what->pkcs12 ? "PKCS#12" : "PKCS#8", fingerprint);
    ok = (b != NULL && text != NULL) || FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (ok) {
        store_add_audit(b, net_wall_ms(), who, text);
        ok = store_commit(g->store, b, err);
    }
    if (ok)
        log_event(LOG_WARN, "certificate.key.exported", "certificate", what->name, "who", who,
                  NULL);
    store_batch_free(b);
    arena_free(&a);
    return ok;
}

static bool export_one(struct gateway *g, const struct gateway_export *what,
                       const struct pki_certificate *p, const char *who,
                       struct gateway_exported *out, struct err *err)
{
    bool ok = true;

    err->wire = 0;
    if (what->pkcs12)
        ok = pki_write_pkcs12(p, what->name, what->password, &out->pkcs12, &out->pkcs12_n, err);
    else if (what->key)
        ok = pki_write_key(p, what->password, &out->key, err);
    if (!ok && err->kind == FAIL_LOCAL)
        err->wire = 422;
    ok = ok && pki_write_pem(p, what->chain, &out->pem, err) &&
         (!(what->key || what->pkcs12) || record(g, what, p, who, err));
    return ok;
}

bool gateway_certificate_export(struct gateway *g, const struct gateway_export *what,
                                const char *who, struct gateway_exported *out, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct pki_certificate *p = chosen(sn, what->name, what->number, err);
    struct gateway_exported made = { 0 };
    bool ok = p != NULL && export_one(g, what, p, who, &made, err);

    if (ok)
        *out = made;
    else
        gateway_exported_free(&made);
    snapshot_put(sn);
    return ok;
}

void gateway_exported_free(struct gateway_exported *x)
{
    free(x->pem);
    free(x->key);
    free(x->pkcs12);
    *x = (struct gateway_exported) { 0 };
}
