/* The AS2 side of a snapshot: identities, partners, listeners, and how they are found. */
#include "gateway/snapshot_int.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>

/* ---- building ---------------------------------------------------------------------------- */

/* The value of a secret in the arena; NULL with *why. what: "password of ACME". */
static const char *secret_of(struct snapshot *sn, const struct config_runtime *rt,
                             const struct config_secret *s, const char *setting,
                             const char *who, const char **why)
{
    char text[SECRET_MAX];
    struct err err = { 0 };
    const char *value = NULL;

    if (config_secret_get(rt, s, text, sizeof(text), &err))
        value = arena_text(&sn->arena, text);
    else
        *why = arena_printf(&sn->arena, "as2.%s of %s: %s", setting, who, err.text);
    OPENSSL_cleanse(text, sizeof(text));
    return value;
}

static void fill_side(struct snapshot *sn, const struct config_runtime *rt,
                      const struct config_as2_party *cfg, const char *name,
                      struct as2_side *side)
{
    const char *why = NULL;

    side->name = name;
    side->cfg = cfg;
    side->id = cfg->as2_id;
    side->username = cfg->username;
    side->password = "";
    if (cfg->username != NULL)
        side->password = secret_of(sn, rt, &cfg->password, "password", cfg->as2_id, &why);
    side->client_ssl =
        snapshot_usable(sn, cfg->client_ssl_certificate, "client_ssl_certificate", &why);
    side->signing = snapshot_usable(sn, cfg->signing_certificate, "signing_certificate", &why);
    side->encryption =
        snapshot_usable(sn, cfg->encryption_certificate, "encryption_certificate", &why);
    side->decryption =
        snapshot_usable(sn, cfg->decryption_certificate, "decryption_certificate", &why);
    side->mdn_signing =
        snapshot_usable(sn, cfg->mdn_signing_certificate, "mdn_signing_certificate", &why);
    side->error = why;
}

void as2_identity_fill(struct snapshot *sn, const struct config_runtime *rt,
                       struct identity *id)
{
    if (id->cfg->has_as2)
        fill_side(sn, rt, &id->cfg->as2, id->name, &id->as2);
}

void as2_partner_fill(struct snapshot *sn, const struct config_runtime *rt, struct partner *p)
{
    const struct config_as2_partner *cfg = &p->cfg->as2_out;
    struct as2_out *out = &p->as2_out;
    const char *why = NULL;

    if (!p->cfg->has_as2)
        return;
    fill_side(sn, rt, &p->cfg->as2, p->name, &p->as2);
    out->cfg = cfg;
    out->password = secret_of(sn, rt, &cfg->password, "password", p->name, &why);
    out->mdn_password = secret_of(sn, rt, &cfg->mdn_password, "mdn_password", p->name, &why);
    out->server_ssl =
        snapshot_usable(sn, cfg->server_ssl_certificate, "server_ssl_certificate", &why);
    out->client = snapshot_usable(sn, cfg->client_certificate, "client_certificate", &why);
    out->error = why;
    if (why != NULL)
        out->send_error = why;
    else if (cfg->url == NULL)
        out->send_error =
            arena_printf(&sn->arena, "partner '%s' has no as2.url: where to post to", p->name);
    else if (cfg->send.mdn == MDN_ASYNC && rt->as2_server.mdn_url == NULL)
        out->send_error = arena_printf(&sn->arena,
                                       "send: {mdn: async} of partner '%s' needs "
                                       "as2_server.mdn_url in waybill.yaml",
                                       p->name);
}

/* Why the side cannot be used, or NULL. */
static const char *resolve_from(struct snapshot *sn, const struct config_runtime *rt,
                                struct listener *l)
{
    const char *name = l->process->from_partner;

    if (name == NULL) {
        fill_side(sn, rt, &l->as2->from, "", &l->as2_from);
    } else {
        l->partner = snapshot_partner(sn, name);
        if (l->partner == NULL)
            return arena_printf(&sn->arena,
                                "partner '%s' (start.operation.from) is not deployed", name);
        if (l->partner->as2.cfg == NULL)
            return arena_printf(
                &sn->arena, "partner '%s' (start.operation.from) has no as2 settings", name);
        l->as2_from = l->partner->as2;
    }
    l->client_certificate = l->as2_from.client_ssl;
    return l->as2_from.error;
}

static const char *resolve_to(struct snapshot *sn, const struct config_runtime *rt,
                              struct listener *l)
{
    const char *name = l->process->to_identity;
    const struct identity *id;

    if (name == NULL) {
        fill_side(sn, rt, &l->as2->to, "", &l->as2_to);
    } else {
        id = snapshot_identity(sn, name);
        if (id == NULL)
            return arena_printf(&sn->arena,
                                "identity '%s' (start.operation.to) is not deployed", name);
        if (id->as2.cfg == NULL)
            return arena_printf(&sn->arena,
                                "identity '%s' (start.operation.to) has no as2 settings", name);
        l->as2_to = id->as2;
    }
    return l->as2_to.error;
}

static bool has_pair(const struct listener *l, const char *from, const char *to)
{
    return l->as2 != NULL && l->as2_from.id != NULL && l->as2_to.id != NULL &&
           strcmp(l->as2_from.id, from) == 0 && strcmp(l->as2_to.id, to) == 0;
}

/* The rule of design.md section 7: two listeners differ in (AS2-From, AS2-To). */
void as2_listener_resolve(struct snapshot *sn, const struct config_runtime *rt,
                          struct listener *l)
{
    const char *from = resolve_from(sn, rt, l), *to = resolve_to(sn, rt, l);

    l->reason = from != NULL ? from : to;
    for (const struct listener *o = sn->listeners; l->reason == NULL && o < l; o++)
        if (o->state != LISTENER_ERRORED && has_pair(o, l->as2_from.id, l->as2_to.id))
            l->reason =
                arena_printf(&sn->arena,
                             "listener '%s' was deployed earlier with the same AS2-From "
                             "%s and AS2-To %s: give one of them another as2_id, or "
                             "delete one, then restart this listener",
                             o->name, l->as2_from.id, l->as2_to.id);
}

/* ---- looking up -------------------------------------------------------------------------- */

const struct listener *snapshot_as2_listener(const struct snapshot *sn, const char *from,
                                             const char *to)
{
    const struct listener *errored = NULL, *found = NULL;

    /* All of them, whichever fits: the time tells nothing about who is known. */
    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];

        if (!has_pair(l, from, to))
            continue;
        if (l->state == LISTENER_ERRORED)
            errored = errored == NULL ? l : errored;
        else if (found == NULL)
            found = l;
    }
    return found != NULL ? found : errored;
}

const struct partner *snapshot_partner_of_as2(const struct snapshot *sn, const char *id)
{
    for (size_t i = 0; i < sn->partners_n; i++)
        if (sn->partners[i].as2.id != NULL && strcmp(sn->partners[i].as2.id, id) == 0)
            return &sn->partners[i];
    return NULL;
}

const struct identity *snapshot_identity_of_as2(const struct snapshot *sn, const char *id)
{
    for (size_t i = 0; i < sn->identities_n; i++)
        if (sn->identities[i].as2.id != NULL && strcmp(sn->identities[i].as2.id, id) == 0)
            return &sn->identities[i];
    return NULL;
}
