#include "gateway/snapshot_int.h"

#include "gateway/certificates.h"

#include "net/log.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

bool secret_equal(const char *a, const char *b)
{
    uint8_t x[SECRET_MAX] = { 0 }, y[SECRET_MAX] = { 0 };

    (void)text_copy((char *)x, sizeof(x), a);
    (void)text_copy((char *)y, sizeof(y), b);
    return CRYPTO_memcmp(x, y, sizeof(x)) == 0;
}

const struct certificate *snapshot_certificate(const struct snapshot *sn, const char *name)
{
    for (size_t i = 0; i < sn->certificates_n; i++)
        if (strcmp(sn->certificates[i].name, name) == 0)
            return &sn->certificates[i];
    return NULL;
}

/* The loaded certificate, or NULL with *why in the arena. A NULL name is no certificate. */
static const struct pki_certificate *use_certificate(struct snapshot *sn, const char *name,
                                                     const char *setting, const char **why)
{
    const struct certificate *c = snapshot_usable(sn, name, setting, why);
    const struct pki_certificate *good;

    if (c == NULL)
        return NULL;
    good = pki_set_sign(&c->set, net_wall_ms() / 1000);
    return good != NULL ? good : c->set.list[0];
}

const struct certificate *snapshot_usable(struct snapshot *sn, const char *name,
                                          const char *setting, const char **why)
{
    const struct certificate *c = name == NULL ? NULL : snapshot_certificate(sn, name);

    if (name == NULL)
        return NULL;
    if (c == NULL)
        *why = arena_printf(&sn->arena,
                            "%s: certificate '%s' is not deployed: apply a certificate "
                            "component of that name",
                            setting, name);
    else if (c->set.n == 0)
        *why = arena_printf(&sn->arena, "%s: certificate '%s': %s", setting, name, c->error);
    return c == NULL || c->set.n == 0 ? NULL : c;
}

/* What a setting trusts: all of it that is usable, with its revocation lists. */
static const struct pki_certificate *use_trust(struct snapshot *sn, const char *name,
                                               const char *setting, const char **why)
{
    return use_certificate(sn, name, setting, why) == NULL
               ? NULL
               : snapshot_certificate(sn, name)->anchors;
}

/* ---- building ---------------------------------------------------------------------------- */

static bool fill_party(struct snapshot *sn, const struct config_runtime *rt,
                       const struct config_oftp2_party *cfg, const char *name,
                       struct party *party, const char **why)
{
    char text[SECRET_MAX];
    struct err err = { 0 };

    party->name = name;
    party->cfg = cfg;
    party->code = cfg->odette_id == NULL ? "" : cfg->odette_id;
    party->password = "";
    party->password_any = cfg->password_any;
    if (cfg->odette_id == NULL) {
        *why = party->error = arena_printf(&sn->arena, "'%s' has no oftp2.odette_id", name);
        return false;
    }
    if (!config_secret_get(rt, &cfg->password, text, sizeof(text), &err)) {
        *why = party->error =
            arena_printf(&sn->arena, "password of %s: %s", cfg->odette_id, err.text);
        return false;
    }
    party->password = arena_text(&sn->arena, text);
    OPENSSL_cleanse(text, sizeof(text));
    return party->password != NULL;
}

static void fill_partner(struct snapshot *sn, const struct config_runtime *rt,
                         struct partner *p)
{
    const char *why = NULL;
    const struct pki_certificate *ours, *trust;
    struct err err = { 0 };

    if (!fill_party(sn, rt, &p->cfg->oftp2, p->name, &p->party, &p->error))
        return;
    if (p->cfg->host == NULL || !p->cfg->session_level_encryption)
        return;
    trust = use_trust(sn, p->cfg->server_ssl_certificate, "server_ssl_certificate", &why);
    ours = use_certificate(sn, p->cfg->client_certificate, "client_certificate", &why);
    if (why != NULL)
        p->error = why;
    else if (!tls_client_new(ours, trust, &p->tls, &err))
        p->error = arena_text(&sn->arena, err.text);
}

static void resolve_from(struct snapshot *sn, const struct config_runtime *rt,
                         struct listener *l)
{
    const char *why = NULL;

    if (l->process->from_partner == NULL) {
        (void)fill_party(sn, rt, &l->process->from, "", &l->from, &l->reason);
    } else {
        l->partner = snapshot_partner(sn, l->process->from_partner);
        if (l->partner == NULL)
            l->reason =
                arena_printf(&sn->arena, "partner '%s' (start.operation.from) is not deployed",
                             l->process->from_partner);
        else if (l->partner->party.error != NULL)
            l->reason = l->partner->party.error;
        else
            l->from = l->partner->party;
    }
    if (l->reason != NULL)
        return;
    if (use_certificate(sn, l->from.cfg->client_ssl_certificate, "client_ssl_certificate",
                        &why) != NULL)
        l->client_certificate = snapshot_certificate(sn, l->from.cfg->client_ssl_certificate);
    l->reason = why;
}

static void resolve_to(struct snapshot *sn, const struct config_runtime *rt, struct listener *l)
{
    const struct identity *id;

    if (l->process->to_identity == NULL) {
        (void)fill_party(sn, rt, &l->process->to, "", &l->to, &l->reason);
        return;
    }
    id = snapshot_identity(sn, l->process->to_identity);
    if (id == NULL)
        l->reason =
            arena_printf(&sn->arena, "identity '%s' (start.operation.to) is not deployed",
                         l->process->to_identity);
    else if (id->error != NULL)
        l->reason = id->error;
    else
        l->to = id->party;
}

/* The rule of design.md section 7: two listeners differ in (from ODETTE ID, from password). */
static const struct listener *collision(const struct snapshot *sn, const struct listener *l)
{
    for (const struct listener *o = sn->listeners; o < l; o++)
        if (o->as2 == NULL && o->state != LISTENER_ERRORED &&
            strcmp(o->from.code, l->from.code) == 0 &&
            secret_equal(o->from.password, l->from.password) &&
            o->from.password_any == l->from.password_any)
            return o;
    return NULL;
}

static void resolve_listener(struct snapshot *sn, const struct config_runtime *rt,
                             struct listener *l, bool paused)
{
    static const struct config_oftp2_party nobody = { 0 };
    const struct listener *other;

    l->from.cfg = l->to.cfg = &nobody;
    if (l->as2 != NULL) {
        as2_listener_resolve(sn, rt, l);
    } else {
        resolve_from(sn, rt, l);
        if (l->reason == NULL)
            resolve_to(sn, rt, l);
    }
    l->state = l->reason != NULL ? LISTENER_ERRORED
               : paused          ? LISTENER_PAUSED
                                 : LISTENER_LISTENING;
    if (l->reason != NULL || l->as2 != NULL || (other = collision(sn, l)) == NULL)
        return;
    l->state = LISTENER_ERRORED;
    l->reason = arena_printf(&sn->arena,
                             "listener '%s' was deployed earlier with the same from odette_id "
                             "%s and the same password: give one of them another password, or "
                             "delete one, then restart this listener",
                             other->name, l->from.code);
}

/* The TLS context of an endpoint. setting: the name of its certificate's setting. */
static void fill_endpoint(struct snapshot *sn, struct endpoint_tls *out, const char *setting,
                          const char *cert_name, const char *trust_name, enum tls_peer peer)
{
    const char *why = NULL;
    struct err err = { 0 };
    const struct pki_certificate *cert = use_certificate(sn, cert_name, setting, &why);
    const struct pki_certificate *trust =
        use_trust(sn, trust_name, "trusted_certificates", &why);

    if (why == NULL && cert == NULL)
        why = arena_printf(&sn->arena, "the endpoint has no %s", setting);
    if (why == NULL &&
        !tls_server_new(cert,
                        trust != NULL && peer != TLS_PEER_OPTIONAL ? TLS_PEER_REQUIRED : peer,
                        trust, &out->tls, &err))
        why = arena_text(&sn->arena, err.text);
    out->error = why;
}

static void fill_endpoints(struct snapshot *sn, const struct config_runtime *rt)
{
    const struct config_oftp2_server *os = &rt->oftp2_server;
    const struct config_as2_server *as = &rt->as2_server;

    sn->endpoints = arena_take(&sn->arena, sizeof(*sn->endpoints) * (os->endpoints_n + 1));
    sn->as2_endpoints =
        arena_take(&sn->arena, sizeof(*sn->as2_endpoints) * (as->endpoints_n + 1));
    if (sn->endpoints == NULL || sn->as2_endpoints == NULL)
        return;
    sn->endpoints_n = os->endpoints_n;
    for (size_t i = 0; i < os->endpoints_n; i++) {
        const struct config_oftp2_endpoint *ep = &os->endpoints[i];

        if (ep->session_level_encryption)
            fill_endpoint(sn, &sn->endpoints[i], "server_ssl_certificate",
                          ep->server_ssl_certificate, ep->trusted_certificates,
                          /* without authorities of its own the log-on decides: session.c */
                          ep->require_client_ssl && ep->trusted_certificates != NULL
                              ? TLS_PEER_REQUIRED
                              : TLS_PEER_OPTIONAL);
    }
    sn->as2_endpoints_n = as->endpoints_n;
    for (size_t i = 0; i < as->endpoints_n; i++) {
        const struct config_as2_endpoint *ep = &as->endpoints[i];

        if (ep->ssl)
            fill_endpoint(sn, &sn->as2_endpoints[i], "ssl_certificate", ep->ssl_certificate,
                          ep->trusted_certificates,
                          ep->require_client_ssl ? TLS_PEER_REQUIRED_ANY : TLS_PEER_OPTIONAL);
    }
    if (rt->admin.ssl_certificate != NULL)
        fill_endpoint(sn, &sn->admin, "admin.ssl_certificate", rt->admin.ssl_certificate, NULL,
                      TLS_PEER_NONE);
}

static bool parse_all(struct snapshot *sn, struct deployment *ds, size_t n, struct err *err)
{
    sn->components = arena_take(&sn->arena, sizeof(*sn->components) * (n + 1));
    if (sn->components == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct config_problems ps = { 0 };
        struct config_component **list = NULL;
        size_t found = 0;

        /* What was deployed was checked then; a text this version no longer takes leaves its
         * place empty and whoever refers to it errored. */
        if (config_components_parse(span_text(ds[i].text), ds[i].name, &list, &found, &ps) &&
            found == 1)
            sn->components[sn->components_n++] = list[0];
        else
            for (size_t j = 0; j < found; j++)
                config_component_free(list[j]);
        free(list);
        config_problems_free(&ps);
    }
    return true;
}

static const struct deployment *deployment_of(const struct config_component *c,
                                              const struct deployment *ds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ds[i].kind, config_kind_name(c->kind)) == 0 &&
            strcmp(ds[i].name, c->name) == 0)
            return &ds[i];
    return NULL;
}

static void resolve_all(struct snapshot *sn, const struct config_runtime *rt,
                        const struct deployment *ds, size_t n)
{
    certificates_load(sn, rt);
    for (size_t i = 0; i < sn->components_n; i++) {
        struct config_component *c = sn->components[i];

        if (c->kind == CONFIG_IDENTITY) {
            struct identity *x = &sn->identities[sn->identities_n++];

            x->name = c->name;
            x->cfg = &c->u.identity;
            (void)fill_party(sn, rt, &x->cfg->oftp2, c->name, &x->party, &x->error);
            as2_identity_fill(sn, rt, x);
        } else if (c->kind == CONFIG_PARTNER) {
            struct partner *x = &sn->partners[sn->partners_n++];

            x->name = c->name;
            x->cfg = &c->u.partner;
            fill_partner(sn, rt, x);
            as2_partner_fill(sn, rt, x);
        }
    }
    for (size_t i = 0; i < sn->components_n; i++) {
        struct config_component *c = sn->components[i];
        const struct deployment *d = deployment_of(c, ds, n);

        if (c->kind != CONFIG_PROCESS || d == NULL)
            continue;
        struct listener *l = &sn->listeners[sn->listeners_n++];

        l->name = c->name;
        l->process = &c->u.process;
        if (strcmp(l->process->listen, "as2-server") == 0)
            l->as2 = &l->process->as2;
        l->version = d->version;
        l->since = d->since;
        resolve_listener(sn, rt, l, d->paused);
    }
}

bool snapshot_build(struct store *store, const struct config_runtime *rt, struct snapshot **out,
                    struct err *err)
{
    struct snapshot *sn = calloc(1, sizeof(*sn));
    struct arena a = { 0 };
    struct deployment *ds = NULL;
    size_t n = 0;
    bool ok = false;

    if (sn == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    atomic_init(&sn->refs, 1);
    if (!store_deployments(store, NULL, &a, &ds, &n, err) || !parse_all(sn, ds, n, err))
        goto out;
    sn->certificates = arena_take(&sn->arena, sizeof(*sn->certificates) * (n + 1));
    sn->identities = arena_take(&sn->arena, sizeof(*sn->identities) * (n + 1));
    sn->partners = arena_take(&sn->arena, sizeof(*sn->partners) * (n + 1));
    sn->listeners = arena_take(&sn->arena, sizeof(*sn->listeners) * (n + 1));
    if (!sn->arena.failed) {
        resolve_all(sn, rt, ds, n);
        fill_endpoints(sn, rt);
    }
    if (sn->arena.failed) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    *out = sn;
    sn = NULL;
    ok = true;
out:
    snapshot_put(sn);
    arena_free(&a);
    return ok;
}

struct snapshot *snapshot_ref(struct snapshot *sn)
{
    atomic_fetch_add(&sn->refs, 1);
    return sn;
}

void snapshot_put(struct snapshot *sn)
{
    if (sn == NULL || atomic_fetch_sub(&sn->refs, 1) > 1)
        return;
    for (size_t i = 0; i < sn->partners_n; i++)
        tls_unref(sn->partners[i].tls);
    certificates_free(sn);
    for (size_t i = 0; i < sn->endpoints_n; i++)
        tls_unref(sn->endpoints[i].tls);
    for (size_t i = 0; i < sn->as2_endpoints_n; i++)
        tls_unref(sn->as2_endpoints[i].tls);
    tls_unref(sn->admin.tls);
    for (size_t i = 0; i < sn->components_n; i++)
        config_component_free(sn->components[i]);
    arena_free(&sn->arena);
    free(sn);
}

/* ---- looking up -------------------------------------------------------------------------- */

const struct listener *snapshot_listener(const struct snapshot *sn, const char *name)
{
    for (size_t i = 0; i < sn->listeners_n; i++)
        if (strcmp(sn->listeners[i].name, name) == 0)
            return &sn->listeners[i];
    return NULL;
}

const struct partner *snapshot_partner(const struct snapshot *sn, const char *name)
{
    for (size_t i = 0; i < sn->partners_n; i++)
        if (strcmp(sn->partners[i].name, name) == 0)
            return &sn->partners[i];
    return NULL;
}

const struct partner *snapshot_partner_of_code(const struct snapshot *sn, const char *code)
{
    for (size_t i = 0; i < sn->partners_n; i++)
        if (sn->partners[i].cfg->has_oftp2 && sn->partners[i].party.code != NULL &&
            strcmp(sn->partners[i].party.code, code) == 0)
            return &sn->partners[i];
    return NULL;
}

const struct identity *snapshot_identity(const struct snapshot *sn, const char *name)
{
    for (size_t i = 0; i < sn->identities_n; i++)
        if (strcmp(sn->identities[i].name, name) == 0)
            return &sn->identities[i];
    return NULL;
}

const struct identity *snapshot_identity_of_code(const struct snapshot *sn, const char *code)
{
    for (size_t i = 0; i < sn->identities_n; i++)
        if (sn->identities[i].cfg->has_oftp2 && sn->identities[i].party.code != NULL &&
            strcmp(sn->identities[i].party.code, code) == 0)
            return &sn->identities[i];
    return NULL;
}

const struct identity *snapshot_only_identity(const struct snapshot *sn, bool as2)
{
    const struct identity *only = NULL;

    for (size_t i = 0; i < sn->identities_n; i++) {
        const struct identity *id = &sn->identities[i];

        if (!(as2 ? id->cfg->has_as2 : id->cfg->has_oftp2))
            continue;
        if (only != NULL)
            return NULL;
        only = id;
    }
    return only;
}

const struct listener *snapshot_logon(const struct snapshot *sn, const char *code,
                                      const char *password, bool *code_known)
{
    const struct listener *exact = NULL, *any = NULL;
    bool known = false;

    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];
        bool usable =
            l->as2 == NULL && l->state != LISTENER_ERRORED && l->from.password != NULL;
        /* Compared in every case: the time must not tell a known code from an unknown one. */
        bool same = secret_equal(usable ? l->from.password : "", password);
        bool code_same = usable && secret_equal(l->from.code, code);

        known = known || code_same;
        if (code_same && l->from.password_any && any == NULL)
            any = l;
        else if (code_same && same && !l->from.password_any && exact == NULL)
            exact = l;
    }
    *code_known = known;
    return exact != NULL ? exact : any;
}
