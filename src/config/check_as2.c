/* What AS2 settings need from other components. */
#include "config/check_int.h"

/* ---- partners ---- */

void check_partner_as2(struct check *c, const struct config_partner *p)
{
    const struct config_as2_partner *o = &p->as2_out;
    const struct config_component *us =
        o->identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, o->identity);

    if (!p->has_as2 || o->url == NULL)
        return;
    c->at = p->as2.at; /* of what is not given */
    if (o->send.encrypted && p->as2.encryption_certificate == NULL)
        check_problem(c, &o->send.encrypted,
                      "as2 with 'url' needs encryption_certificate: the partner's certificate "
                      "to encrypt to, or send: {encrypted: false}");
    if (o->send.is_signed && us != NULL && us->u.identity.has_as2 &&
        us->u.identity.as2.signing_certificate == NULL)
        check_problem(c, &o->send.is_signed,
                      "as2 with 'url' needs as2.signing_certificate in the identity '%s': our "
                      "certificate, with its key, to sign with; or send: {signed: false}",
                      o->identity);
    if (o->send.mdn != MDN_NONE && o->send.signed_mdn && p->as2.signing_certificate == NULL)
        check_problem(c, &o->send.signed_mdn,
                      "as2 with 'url' needs signing_certificate: what the partner's MDNs are "
                      "verified with; or send: {signed_mdn: false}");
    if (o->send.mdn == MDN_ASYNC && c->rt != NULL && c->rt->as2_server.mdn_url == NULL)
        check_problem(c, &o->send.mdn,
                      "send: {mdn: async} needs as2_server.mdn_url in waybill.yaml: where the "
                      "partner sends it");
}

/* ---- processes ---- */

void check_process_as2(struct check *c, const struct config_process *p)
{
    const struct config_component *partner =
        p->from_partner == NULL ? NULL : check_find(c, CONFIG_PARTNER, p->from_partner);
    const struct config_component *us =
        p->to_identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, p->to_identity);
    const struct config_as2_party *from =
        partner == NULL ? &p->as2.from : &partner->u.partner.as2;
    const struct config_as2_party *to = us == NULL ? &p->as2.to : &us->u.identity.as2;
    /* Without as2 settings it was told already. */
    bool from_known =
        p->from_partner == NULL || (partner != NULL && partner->u.partner.has_as2);
    bool to_known = p->to_identity == NULL || (us != NULL && us->u.identity.has_as2);

    if (p->require.is_signed && from_known && from->signing_certificate == NULL)
        check_problem(c, &p->require.is_signed,
                      "require: {signed: true} needs signing_certificate in 'from' or the "
                      "partner it names: the certificate signatures are verified with");
    if (p->require.encrypted && to_known && to->decryption_certificate == NULL)
        check_problem(c, &p->require.encrypted,
                      "require: {encrypted: true} needs decryption_certificate in 'to' or the "
                      "identity it names: our certificate, with its key, to decrypt with");
    if (p->require.signed_receipt && to_known && to->mdn_signing_certificate == NULL)
        check_problem(
            c, &p->require.signed_receipt,
            "require: {signed_receipt: true} needs mdn_signing_certificate in 'to' or "
            "the identity it names: our certificate, with its key, to sign MDNs with");
    if (p->as2.mdn_delivery == MDN_URL_CONFIGURED && p->as2.mdn_url == NULL &&
        partner != NULL && partner->u.partner.as2_out.mdn_url == NULL)
        check_problem(c, &p->as2.mdn_delivery,
                      "mdn_delivery: configured needs mdn_url, here or in the partner '%s': "
                      "where asynchronous MDNs go",
                      p->from_partner);
}

/* ---- steps ---- */

static void check_send(struct check *c, const struct config_step *s)
{
    const struct config_component *to = check_find(c, CONFIG_PARTNER, s->u.send.partner);
    const struct config_component *us =
        s->u.send.identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, s->u.send.identity);
    const char *protocol = s->u.send.protocol;
    bool as2;

    if (to == NULL)
        return;
    if (protocol == NULL)
        protocol = to->u.partner.has_oftp2 || !to->u.partner.has_as2 ? "oftp2" : "as2";
    as2 = strcmp(protocol, "as2") == 0;
    if (as2 ? !to->u.partner.has_as2 : !to->u.partner.has_oftp2)
        check_problem(c, &s->u.send.partner,
                      "'partner' names the partner '%s', which has no %s settings; add them",
                      s->u.send.partner, protocol);
    else if (as2 && to->u.partner.as2_out.url == NULL)
        check_problem(
            c, &s->u.send.partner,
            "'partner' names the partner '%s', which has no as2.url: where to post to",
            s->u.send.partner);
    if (us != NULL && (as2 ? !us->u.identity.has_as2 : !us->u.identity.has_oftp2))
        check_problem(c, &s->u.send.identity,
                      "'identity' names the identity '%s', which has no %s settings; add them",
                      s->u.send.identity, protocol);
    if (!as2 && s->u.send.content_type != NULL)
        check_problem(
            c, &s->u.send.content_type,
            "'content_type' has no meaning: the document is sent by OFTP2; remove it, "
            "or add protocol: as2");
    if (!as2 && s->u.send.subject != NULL)
        check_problem(c, &s->u.send.subject,
                      "'subject' has no meaning: the document is sent by OFTP2; remove it, or "
                      "add protocol: as2");
}

void check_sends(struct check *c, const struct config_process *p)
{
    for (size_t i = 0; i < p->steps_n; i++)
        if (p->steps[i].kind == STEP_SEND)
            check_send(c, &p->steps[i]);
}
