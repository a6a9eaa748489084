/* The verdict on a signature, as2.md 7.5, and which digests it and the MIC will need, 3.2. The
 * signature says only behind the content what it was made with; micalg is a hint. */
#include "as2/open_int.h"

#include <openssl/cms.h>
#include <openssl/err.h>

enum { TRAILING_MAX = 64 };

/* ---- digests ------------------------------------------------------------------------------ */

struct as2_mic_choice open_mic_choice(const struct as2_open *o, int signature)
{
    static const struct as2_request none;

    return as2_mic_choose(o->o.request != NULL ? o->o.request : &none, signature,
                          o->o.mic_by_list, o->o.mic_fallback, o->o.digest_allowed);
}

/* micalg's next name; several are told apart by commas (RFC 1847 2.1). */
static bool next_name(struct span *list, struct span *name)
{
    size_t n = 0;

    while (list->n > 0 && (*list->p == ',' || *list->p == ' ' || *list->p == '\t'))
        span_skip(list, 1);
    while (n < list->n && list->p[n] != ',' && list->p[n] != ' ' && list->p[n] != '\t')
        n++;
    *name = span_of(list->p, n);
    span_skip(list, n);
    return n > 0;
}

static bool add(struct as2_open *o, int nid, struct err *err)
{
    if (nid == NID_undef || o->digests.n >= AS2_DIGESTS_MAX)
        return true;
    return digests_add(&o->digests, nid, err);
}

/* What a second pass asks for and what the MIC takes when it does not take the signature's come first:
 * so a second pass is always the last. */
bool open_digests(struct as2_open *o, const char *micalg, struct err *err)
{
    struct span list = span_text(micalg != NULL ? micalg : ""), name;
    bool announced = false;

    if (!add(o, o->o.digest_besides, err) || !add(o, open_mic_choice(o, NID_undef).nid, err))
        return false;
    while (next_name(&list, &name)) {
        int nid = as2_digest_of(name);

        announced = announced || nid != NID_undef;
        if (!add(o, nid, err))
            return false;
    }
    /* nothing to go by: what is usual */
    return announced || (add(o, NID_sha256, err) && add(o, NID_sha1, err));
}

/* ---- what is told of the signature -------------------------------------------------------- */

/* Who the first signer claims to be, by a certificate that came along: for the operator. */
static void note_subject(struct as2_open *o, struct span signature)
{
    const unsigned char *at = signature.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)signature.n);
    STACK_OF(CMS_SignerInfo) *infos = cms != NULL ? CMS_get0_SignerInfos(cms) : NULL;
    STACK_OF(X509) *certs = cms != NULL ? CMS_get1_certs(cms) : NULL;
    int n = infos != NULL && sk_CMS_SignerInfo_num(infos) > 0 ? sk_X509_num(certs) : 0;

    for (int i = 0; i < n && o->found.signer_subject[0] == '\0'; i++) {
        X509 *cert = sk_X509_value(certs, i);

        if (CMS_SignerInfo_cert_cmp(sk_CMS_SignerInfo_value(infos, 0), cert) == 0)
            (void)X509_NAME_oneline(X509_get_subject_name(cert), o->found.signer_subject,
                                    (int)sizeof(o->found.signer_subject));
    }
    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
}

/* How the announcement spells the digest that was used, else how we do. */
static void note_spelling(struct as2_open *o, const char *micalg)
{
    struct span list = span_text(micalg != NULL ? micalg : ""), name;
    char *spelling = o->found.signer_digest_spelling;
    size_t cap = sizeof(o->found.signer_digest_spelling);

    (void)text_copy(spelling, cap, as2_digest_name(o->found.signature_digest, false));
    while (next_name(&list, &name))
        if (as2_digest_of(name) == o->found.signature_digest && name.n < cap) {
            memcpy(spelling, name.p, name.n);
            spelling[name.n] = '\0';
            return;
        }
}

static void note_layer(struct as2_open *o, const char *micalg, const struct cms_layer *layer)
{
    (void)text_copy(o->found.digest, sizeof(o->found.digest), layer->algorithm);
    o->found.signature_digest = as2_digest_of(span_text(layer->algorithm));
    o->found.trusted = layer->trusted;
    o->found.signer = layer->signer;
    memcpy(o->found.signature_hash, layer->signature, sizeof(o->found.signature_hash));
    if (o->found.signature_digest != NID_undef)
        note_spelling(o, micalg);
}

/* False: the digest it needs was not run. */
static bool note_mic(struct as2_open *o)
{
    struct as2_mic_choice choice = open_mic_choice(o, o->found.signature_digest);

    if (choice.nid == NID_undef)
        return true;
    o->found.mic = digests_mic(&o->digests, choice.nid);
    o->found.mic_spelling = choice.spelling;
    if (o->found.mic.n == 0)
        o->found.missing_digest = choice.nid;
    return o->found.mic.n > 0;
}

/* ---- the verdict -------------------------------------------------------------------------- */

static bool refused(struct as2_open *o, struct err *err)
{
    if (err->kind == FAIL_AGAIN)
        o->found.missing_digest = err->wire;
    if (err->kind != FAIL_TRUST)
        return false;
    switch (err->wire) {
    case CMS_SIGNATURE:
        err->wire = AS2_AUTHENTICATION;
        break;
    case CMS_POLICY:
        err->wire = AS2_INSUFFICIENT;
        break;
    default:
        err->wire = AS2_INTEGRITY;
        break;
    }
    return false;
}

static bool is_padding(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
            return false;
    return s.n <= TRAILING_MAX;
}

bool open_verify(struct as2_open *o, const char *micalg, struct span signature, struct err *err)
{
    const struct cms_open_options options = { .signers = o->o.signers,
                                              .signers_n = o->o.signers_n,
                                              .vouch = o->o.vouch,
                                              .vouch_context = o->o.vouch_context,
                                              .digest_allowed = o->o.digest_allowed };
    struct cms_layer layer;
    size_t used;
    bool ok = cms_verify_digests(&options, signature, o->digests.made, o->digests.n, &layer,
                                 &used, err);
    struct span rest = signature;

    note_layer(o, micalg, &layer);
    if (layer.signer == NULL)
        note_subject(o, span_of(signature.p, used));
    if (!ok) {
        if (err->kind != FAIL_AGAIN)
            (void)note_mic(o);
        if (err->kind == FAIL_TRUST)
            o->found.missing_digest = NID_undef;
        return refused(o, err);
    }
    span_skip(&rest, used);
    if (!is_padding(rest)) {
        o->found.trusted = false;
        return REFUSE(err, AS2_INTEGRITY, "signature: octets follow its end");
    }
    return note_mic(o) || FAIL(err, FAIL_AGAIN, o->found.missing_digest,
                               "signature: the %s for the MIC was not computed",
                               as2_digest_name(o->found.missing_digest, false));
}
