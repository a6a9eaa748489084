/* Certificates brought in: a component is made, or renewed, whose private key lies in the store,
 * sealed under the store key. */
#include "gateway/certificates.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* A key of this component that belongs to a certificate that came without one: a renewal of the
 * same key. Counted; NULL: there is none. */
static EVP_PKEY *own_key(const struct certificate *c, const struct pki_certificate *p)
{
    for (size_t i = 0; c != NULL && i < c->items_n; i++) {
        EVP_PKEY *key = c->items[i].pki == NULL ? NULL : c->items[i].pki->key;

        if (key != NULL && EVP_PKEY_eq(X509_get0_pubkey(p->leaf), key) == 1 &&
            EVP_PKEY_up_ref(key) == 1)
            return key;
    }
    return NULL;
}

static bool any_sealed(const struct snapshot *sn)
{
    for (size_t i = 0; i < sn->certificates_n; i++) {
        const struct config_certificate *c = sn->certificates[i].cfg;

        if (c->sealed_key != NULL)
            return true;
        for (size_t j = 0; j < c->also_n; j++)
            if (c->also[j].sealed_key != NULL)
                return true;
    }
    return false;
}

/* Text in the arena. A new store key is made only while nothing is sealed under another. */
static bool seal(struct gateway *g, const struct snapshot *sn, const char *name, EVP_PKEY *key,
                 struct arena *a, const char **text, struct err *err)
{
    uint8_t store_key[STORE_KEY_SIZE];
    char *sealed = NULL;
    bool ok = store_key_get(g->rt, !any_sealed(sn), store_key, err) &&
              pki_key_seal(store_key, name, key, &sealed, err);

    OPENSSL_cleanse(store_key, sizeof(store_key));
    if (ok && (*text = arena_text(a, sealed)) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    free(sealed);
    return ok;
}

static bool known(const struct certificate *c, const struct pki_certificate *p)
{
    for (size_t i = 0; c != NULL && i < c->items_n; i++)
        if (c->items[i].pki != NULL && X509_cmp(c->items[i].pki->leaf, p->leaf) == 0)
            return true;
    return false;
}

/* The component as it will be. The rest of its settings stays as it is. */
static bool settings(const struct certificate *was, const struct gateway_import *what,
                     const char *pem, const char *sealed, struct arena *a,
                     struct config_certificate *out, struct err *err)
{
    struct config_certificate_also *also;

    *out = was == NULL ? (struct config_certificate) { 0 } : *was->cfg;
    if (!what->next || was == NULL) {
        out->file = out->key_file = out->pkcs12_file = NULL;
        out->key_password = out->pkcs12_password = (struct config_secret) { 0 };
        out->pem = pem;
        out->sealed_key = sealed;
        return true;
    }
    if (out->also_n >= CONFIG_ALSO_MAX)
        return FAIL(err, FAIL_LOCAL, 409,
                    "certificate '%s' has %d others already: apply it with fewer under `also`",
                    what->name, CONFIG_ALSO_MAX);
    also = arena_take(a, sizeof(*also) * (out->also_n + 1));
    if (also == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (out->also_n > 0)
        memcpy(also, out->also, sizeof(*also) * out->also_n);
    also[out->also_n++] = (struct config_certificate_also) { .pem = pem, .sealed_key = sealed };
    out->also = also;
    return true;
}

/* The YAML text of the component, in the arena. */
static bool compose(struct gateway *g, const struct snapshot *sn,
                    const struct gateway_import *what, struct pki_certificate *p,
                    struct arena *a, const char **text, struct err *err)
{
    const struct certificate *was = snapshot_certificate(sn, what->name);
    struct config_certificate cfg;
    const char *sealed = NULL;
    char *pem = NULL;
    bool ok;

    if (what->next && was == NULL)
        return FAIL(err, FAIL_LOCAL, 404,
                    "no certificate '%s' is deployed that another could follow: import without "
                    "--next",
                    what->name);
    if (what->next && known(was, p))
        return FAIL(err, FAIL_LOCAL, 409, "certificate '%s' has this one already", what->name);
    if (p->key == NULL)
        p->key = own_key(was, p);
    ok = pki_write_pem(p, true, &pem, err) &&
         (p->key == NULL || seal(g, sn, what->name, p->key, a, &sealed, err)) &&
         settings(was, what, pem, sealed, a, &cfg, err);
    if (ok && (*text = config_certificate_text(what->name, &cfg, a)) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    free(pem);
    return ok;
}

/* Why the one just imported is not used all the same; "": it is. */
static const char *problem_of(struct gateway *g, const char *name,
                              const struct pki_certificate *p, struct arena *a)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct certificate *c = snapshot_certificate(sn, name);
    const char *text = "";

    for (size_t i = 0; c != NULL && i < c->items_n; i++) {
        const struct certificate_item *x = &c->items[i];

        if (x->pki != NULL && X509_cmp(x->pki->leaf, p->leaf) == 0 && x->problem != NULL)
            text = arena_text(a, x->problem);
    }
    snapshot_put(sn);
    return text == NULL ? "" : text;
}

bool gateway_certificate_import(struct gateway *g, const struct gateway_import *what,
                                const char *who, struct arena *a, struct gateway_imported *out,
                                struct config_problems *ps, struct err *err)
{
    struct pki_certificate *p = NULL;
    struct snapshot *sn;
    struct gateway_applied *list = NULL;
    const char *text = NULL;
    size_t n = 0;
    bool ok;

    if (!pki_any_read(what->certificate, what->key, what->password, &p, err)) {
        err->wire = 422;
        return false;
    }
    /* one import at a time: the component is read, changed and stored */
    pthread_mutex_lock(&g->apply);
    sn = gateway_snapshot(g);
    ok =
        compose(g, sn, what, p, a, &text, err) &&
        gateway_apply_locked(g, span_text(text), what->name, false, who, a, &list, &n, ps, err);
    snapshot_put(sn);
    pthread_mutex_unlock(&g->apply);
    if (ok)
        *out = (struct gateway_imported) { .version = list[0].version,
                                           .unchanged = list[0].unchanged,
                                           .has_key = p->key != NULL,
                                           .days_left =
                                               pki_days_left(p->leaf, net_wall_ms() / 1000) };
    if (ok) {
        char subject[512], fingerprint[65];

        pki_subject(p->leaf, subject, sizeof(subject));
        pki_fingerprint(p->leaf, fingerprint);
        out->problem = problem_of(g, what->name, p, a);
        out->subject = arena_text(a, subject);
        out->sha256 = arena_text(a, fingerprint);
        log_event(LOG_INFO, "certificate.imported", "certificate", what->name, "subject",
                  subject, "sha256", fingerprint, "key", p->key != NULL ? "sealed" : "none",
                  NULL);
    }
    pki_certificate_free(p);
    return ok;
}
