/* What is allowed, but probably not meant. */
#include "config/check_int.h"

#include <stdlib.h>

static bool readable(const char *url)
{
    return url != NULL && strncmp(url, "http:", 5) == 0;
}

static void advise_party(struct check *c, const struct config_as2_party *party)
{
    if (party->ip_filter != NULL && party->ip_filter[0] == NULL)
        check_problem(c, &party->ip_filter,
                      "ip_filter is an empty list, which blocks every address; remove the line "
                      "to allow all");
}

/* as2.md 11.1, number 13 and 27. */
static void advise_partner(struct check *c, const struct config_partner *p)
{
    const struct config_as2_partner *o = &p->as2_out;

    if (!p->has_as2)
        return;
    c->at = p->as2.at; /* of what is not given */
    advise_party(c, &p->as2);
    if (o->url != NULL && o->send.encrypted && !o->send.is_signed)
        check_problem(c, &o->send.is_signed,
                      "messages for it are encrypted, but not signed: they prove nothing about "
                      "who sent them; better is send: {signed: true}");
    if (o->username != NULL && readable(o->url))
        check_problem(c, &o->username,
                      "our_password passes the network readable: 'url' is not https");
    if (o->mdn_username != NULL && readable(o->mdn_url))
        check_problem(c, &o->mdn_username,
                      "mdn_password passes the network readable: 'mdn_url' is not https");
    if (!o->verify_host_name && o->server_ssl_certificate == NULL)
        check_problem(c, &o->verify_host_name,
                      "verify_host_name is off without server_ssl_certificate: any server with "
                      "a certificate of a public authority is taken for the partner's");
}

static bool has_ssl(const struct config_as2_server *s)
{
    for (size_t i = 0; i < s->endpoints_n; i++)
        if (s->endpoints[i].ssl)
            return true;
    return false;
}

static void advise_process(struct check *c, const struct config_process *p)
{
    const struct config_component *partner =
        p->from_partner == NULL ? NULL : check_find(c, CONFIG_PARTNER, p->from_partner);
    const struct config_component *us =
        p->to_identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, p->to_identity);
    const struct config_as2_party *from =
        partner == NULL ? &p->as2.from : &partner->u.partner.as2;
    const struct config_as2_party *to = us == NULL ? &p->as2.to : &us->u.identity.as2;

    if (strcmp(p->listen, "as2-server") != 0)
        return;
    c->at = p->to_at;
    if (partner == NULL)
        advise_party(c, from);
    if (to->decryption_certificate != NULL && !p->require.is_signed)
        check_problem(
            c, &p->require.is_signed,
            "messages that are encrypted and not signed are taken: anybody who has our "
            "certificate can make one; better is require: {signed: true}");
    if (c->rt == NULL)
        return;
    if (c->rt->as2_server.endpoints_n == 0)
        check_problem(c, &p->listen,
                      "nobody can post to it: as2_server.endpoints in waybill.yaml is empty");
    else if (from->client_ssl_certificate != NULL && !has_ssl(&c->rt->as2_server))
        check_problem(
            c, &from->client_ssl_certificate,
            "nobody can post to it: it wants a TLS client certificate, and no endpoint "
            "of as2_server has ssl: true");
}

void config_advise(const struct config_runtime *rt, struct config_component *const *all,
                   size_t n, const struct config_component *one, struct config_problems *advice)
{
    struct check c;
    char what[100];

    if (!check_begin(&c, rt, all, n, advice))
        return;
    check_look_at(&c, one, what);
    if (one->kind == CONFIG_PARTNER)
        advise_partner(&c, &one->u.partner);
    else if (one->kind == CONFIG_PROCESS)
        advise_process(&c, &one->u.process);
    free(c.sorted);
}
