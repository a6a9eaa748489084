/* AS2 messages going out: what a document needs, and sealing it once, so that every attempt sends the
 * same octets. as2.md 6.1. */
#include "gateway/as2_int.h"
#include "gateway/pump.h"

#include "as2/seal.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { ALL_MICS_MAX = 1024 * 1024 }; /* octets of a document for which every digest is kept */

/* ---- the document -------------------------------------------------------------------------------- */

bool as2_send_wanted(const struct snapshot *sn, const struct gateway_send *w)
{
    const struct partner *p = snapshot_partner(sn, w->partner);

    if (w->protocol != NULL && w->protocol[0] != '\0')
        return strcmp(w->protocol, "as2") == 0;
    return p != NULL && !p->cfg->has_oftp2 && p->cfg->has_as2;
}

static const struct identity *identity_of(const struct snapshot *sn,
                                          const struct gateway_send *w, const struct partner *p,
                                          struct err *err)
{
    const char *name = w->identity != NULL ? w->identity : p->as2_out.cfg->identity;
    const struct identity *id =
        name == NULL ? snapshot_only_identity(sn, true) : snapshot_identity(sn, name);

    if (id == NULL && name == NULL)
        (void)FAIL(err, FAIL_LOCAL, 422,
                   "no identity was named: give one, or set as2.identity of partner '%s'",
                   w->partner);
    else if (id == NULL)
        (void)FAIL(err, FAIL_LOCAL, 404, "identity '%s' is not deployed", name);
    else if (id->as2.cfg == NULL || id->as2.id == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 422, "identity '%s' has no as2.as2_id", name);
        id = NULL;
    }
    return id;
}

static bool partner_fits(const struct partner *p, const struct gateway_send *w, struct err *err)
{
    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 404,
                    "partner '%s' is not deployed: see `waybill get partner`", w->partner);
    if (p->as2.cfg == NULL || p->as2_out.cfg == NULL || p->as2.id == NULL)
        return FAIL(err, FAIL_LOCAL, 422, "partner '%s' has no as2.as2_id", w->partner);
    if (p->as2_out.cfg->url == NULL)
        return FAIL(err, FAIL_LOCAL, 422,
                    "partner '%s' has no as2.url: there is nowhere to post messages to",
                    w->partner);
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool as2_send_fill(struct gateway *g, const struct snapshot *sn, const struct gateway_send *w,
                   struct document *d, struct arena *a, struct err *err)
{
    const struct partner *p = snapshot_partner(sn, w->partner);
    const struct identity *id;
    const char *file = base_name(w->file_name), *message_id;
    char random[33], name[MIME_FILE_NAME_MAX + 1];
    bool changed;

    if (!partner_fits(p, w, err) || (id = identity_of(sn, w, p, err)) == NULL)
        return false;
    mime_safe_name(given(w->name) ? w->name : file, "document", name, &changed);
    as2_random(random);
    message_id = as2_message_id_make(a, net_wall_ms(), random, g->rt->as2_server.domain);
    d->outbound = true;
    d->protocol = "as2";
    d->listener = arena_text(a, w->listener != NULL ? w->listener : "api");
    d->partner = arena_text(a, p->name);
    d->from = d->own = arena_text(a, id->as2.id);
    d->to = d->peer = arena_text(a, p->as2.id);
    d->name = arena_text(a, name);
    d->identity_key = as2_out_key(a, d->own, d->peer, message_id);
    d->created_ms = d->changed_ms = net_wall_ms();
    props_set(&d->props, a, AS2_MESSAGE_ID, message_id == NULL ? "" : message_id);
    props_set(&d->props, a, "as2.as2_from", d->from);
    props_set(&d->props, a, "as2.as2_to", d->to);
    props_set(&d->props, a, "as2.identity", id->name);
    props_set(&d->props, a, "as2.mime_type",
              given(w->content_type) ? w->content_type : p->as2_out.cfg->send.content_type);
    if (given(w->subject))
        props_set(&d->props, a, "as2.subject", w->subject);
    if (p->as2_out.cfg->send.file_name)
        props_set(&d->props, a, "as2.file_name", d->name);
    if (w->source_document != 0)
        props_printf(&d->props, a, "source_document", "%lld", (long long)w->source_document);
    return (!a->failed && d->identity_key != NULL) || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

bool as2_send_renew(struct gateway *g, struct document *d, struct arena *a)
{
    const char *message_id;
    char random[33];

    as2_random(random);
    message_id = as2_message_id_make(a, net_wall_ms(), random, g->rt->as2_server.domain);
    if (message_id == NULL)
        return false;
    d->identity_key = as2_out_key(a, d->own, d->peer, message_id);
    props_set(&d->props, a, AS2_MESSAGE_ID, message_id);
    props_set(&d->props, a, "as2.resends", "0");
    return d->identity_key != NULL && !a->failed;
}

/* ---- sealing ----------------------------------------------------------------------------------- */

struct sealing {
    const struct partner *p;
    const struct identity *id;
    const struct config_as2_partner *cfg;
    struct cms_signer signer;
    X509 *recipient;
    struct cms_sign_options sign;
    struct cms_encrypt_options encrypt;
    struct as2_seal_options seal;
    char boundary[40];
};

static const struct {
    const char *name, *cipher;
    const EVP_CIPHER *(*of)(void);
} ciphers[] = {
    { "3DES", "DES-EDE3-CBC", EVP_des_ede3_cbc },
    { "AES128", "AES-128-CBC", EVP_aes_128_cbc },
    { "AES192", "AES-192-CBC", EVP_aes_192_cbc },
    { "AES256", "AES-256-CBC", EVP_aes_256_cbc },
    { "AES128_GCM", "AES-128-GCM", EVP_aes_128_gcm },
    { "AES192_GCM", "AES-192-GCM", EVP_aes_192_gcm },
    { "AES256_GCM", "AES-256-GCM", EVP_aes_256_gcm },
};
static EVP_CIPHER *fetched[COUNT_OF(ciphers)];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        fetched[i] = EVP_CIPHER_fetch(NULL, ciphers[i].cipher, NULL);
}

static const EVP_CIPHER *cipher_of(const char *name)
{
    (void)pthread_once(&once, fetch_all);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        if (strcmp(ciphers[i].name, name) == 0)
            return fetched[i];
    return NULL;
}

/* Those that came with our certificate. */
/* clang-format off */
static STACK_OF(X509) *chain_of(const struct snapshot *sn, const char *name, const X509 *leaf)
/* clang-format on */
{
    const struct certificate *c = snapshot_certificate(sn, name);

    for (size_t i = 0; c != NULL && i < c->set.n; i++)
        if (c->set.list[i]->leaf == leaf)
            return c->set.list[i]->chain;
    return NULL;
}

static bool plan_signature(const struct snapshot *sn, struct sealing *s, const EVP_MD *digest,
                           struct err *err)
{
    if (!security_signer(sn, s->id->cfg->as2.signing_certificate,
                         "as2.signing_certificate of the identity", &s->signer, err))
        return false;
    s->sign = (struct cms_sign_options) {
        .signers = &s->signer,
        .signers_n = 1,
        .digest = digest,
        .padding = strcmp(s->cfg->send.padding, "pss_oaep") == 0 ? CMS_PSS_OAEP : CMS_PKCS1,
        .signed_attributes = s->cfg->send.signed_attributes,
        .include_certificates = strcmp(s->cfg->send.include_certificates, "none") != 0,
        .detached = true,
        .now_s = net_wall_ms() / 1000,
    };
    if (strcmp(s->cfg->send.include_certificates, "chain") == 0)
        s->sign.chain = chain_of(sn, s->id->cfg->as2.signing_certificate, s->signer.cert);
    s->seal.sign = &s->sign;
    return true;
}

static bool plan_encryption(const struct snapshot *sn, struct sealing *s, const EVP_MD *digest,
                            struct err *err)
{
    if (!security_recipient(sn, s->p->cfg->as2.encryption_certificate,
                            "as2.encryption_certificate of the partner", &s->recipient, err))
        return false;
    s->encrypt = (struct cms_encrypt_options) {
        .recipients = &s->recipient,
        .recipients_n = 1,
        .cipher = cipher_of(s->cfg->send.cipher),
        .padding = strcmp(s->cfg->send.padding, "pss_oaep") == 0 ? CMS_PSS_OAEP : CMS_PKCS1,
        .digest = digest,
    };
    s->seal.encrypt = &s->encrypt;
    return s->encrypt.cipher != NULL ||
           FAIL(err, FAIL_LOCAL, 0, "as2.send.cipher %s is not known to this libcrypto",
                s->cfg->send.cipher);
}

/* The signature's own digest first, which is also what is asked for. A partner that answers in
 * another one is compared, too, where the digests are cheap. */
static void plan_mics(struct sealing *s, const struct document *d, int own)
{
    static const int all[] = { NID_sha1, NID_sha256, NID_sha384, NID_sha512 };

    s->seal.mics[s->seal.mics_n++] = own;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i] != own && (i < 2 || d->opened.size <= ALL_MICS_MAX))
            s->seal.mics[s->seal.mics_n++] = all[i];
}

static bool plan(const struct snapshot *sn, struct sealing *s, const struct document *d,
                 struct err *err)
{
    const char *compressed;
    int own;
    char random[33];

    s->p = snapshot_partner(sn, d->partner);
    s->id = snapshot_identity(sn, as2_prop(d, "as2.identity"));
    if (s->p == NULL || s->id == NULL || s->p->as2_out.cfg == NULL || s->id->as2.cfg == NULL)
        return FAIL(err, FAIL_LOCAL, 0,
                    "partner '%s' or identity '%s' is no longer deployed with as2 settings",
                    d->partner, as2_prop(d, "as2.identity"));
    s->cfg = s->p->as2_out.cfg;
    own = as2_digest_of(span_text(s->cfg->send.digest));
    if (as2_digest(own) == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "as2.send.digest %s is not known to this libcrypto",
                    s->cfg->send.digest);
    if ((s->cfg->send.is_signed && !plan_signature(sn, s, as2_digest(own), err)) ||
        (s->cfg->send.encrypted && !plan_encryption(sn, s, as2_digest(own), err)))
        return false;
    compressed = s->cfg->send.compressed;
    s->seal.compress = strcmp(compressed, "before_signing") == 0  ? AS2_COMPRESS_BEFORE
                       : strcmp(compressed, "after_signing") == 0 ? AS2_COMPRESS_AFTER
                                                                  : AS2_COMPRESS_NO;
    s->seal.content_type = as2_prop(d, "as2.mime_type");
    s->seal.file_name = props_get(&d->props, "as2.file_name");
    /* RFC 2045 6.4: a multipart has no encoding of its own */
    s->seal.base64 =
        s->cfg->send.base64 && strncasecmp(s->seal.content_type, "multipart/", 10) != 0;
    s->seal.legacy_names = s->cfg->send.legacy_names;
    s->seal.opaque = strcmp(s->cfg->send.signature, "opaque") == 0;
    as2_random(random);
    (void)snprintf(s->boundary, sizeof(s->boundary), "=_s%s", random);
    s->seal.boundary = s->boundary;
    plan_mics(s, d, own);
    return true;
}

static const char *subject_of(const struct sealing *s, const struct document *d,
                              struct arena *a)
{
    const char *own = props_get(&d->props, "as2.subject");
    struct err ignored;
    char *made = NULL;

    if (own != NULL)
        return own;
    if (s->cfg->send.subject != NULL &&
        template_expand(s->cfg->send.subject, d, NULL, a, &made, &ignored) && given(made))
        return made;
    return d->name;
}

/* What is asked for: one algorithm, that of our own signature, so that all agree (as2.md 1.4). */
static bool ask_for_mdn(struct gateway *g, const struct sealing *s, struct as2_headers *h,
                        struct arena *a, struct err *err)
{
    const char *url = g->rt->as2_server.mdn_url;

    if (s->cfg->send.mdn == MDN_NONE)
        return true;
    as2_header(h, "Disposition-Notification-To",
               arena_printf(a, "mdn@%s", g->rt->as2_server.domain));
    if (s->cfg->send.signed_mdn)
        as2_header(h, "Disposition-Notification-Options",
                   arena_printf(a,
                                "signed-receipt-protocol=optional, pkcs7-signature; "
                                "signed-receipt-micalg=optional, %s",
                                as2_digest_name(s->seal.mics[0], s->cfg->send.legacy_names)));
    if (s->cfg->send.mdn != MDN_ASYNC)
        return true;
    if (url == NULL)
        return FAIL(err, FAIL_LOCAL, 0,
                    "asynchronous MDNs need as2_server.mdn_url, where partners send them");
    as2_header(h, "Receipt-Delivery-Option", url);
    return true;
}

static bool headers(struct gateway *g, const struct sealing *s, struct document *d,
                    const struct mime_head *body, struct arena *a, struct err *err)
{
    struct as2_headers h = { .arena = a };
    struct as2_envelope e = { .version = s->cfg->send.version,
                              .from = d->from,
                              .to = d->to,
                              .message_id = as2_prop(d, AS2_MESSAGE_ID),
                              .subject = subject_of(s, d, a),
                              .now_ms = net_wall_ms(),
                              .user_agent = g->rt->as2_server.product,
                              .features = "multiple-attachments" };

    as2_envelope_write(&h, &e);
    if (!ask_for_mdn(g, s, &h, a, err))
        return false;
    for (size_t i = 0; i < body->n; i++)
        as2_header(&h, body->fields[i].name, body->fields[i].value);
    if (h.failed)
        return FAIL(err, FAIL_LOCAL, 0,
                    "a header field cannot carry its value: look at subject, "
                    "content_type and file name");
    props_set(&d->props, a, AS2_HEADERS, h.text);
    props_set(&d->props, a, "as2.subject", e.subject);
    props_set(&d->props, a, "as2.mdn",
              s->cfg->send.mdn == MDN_NONE    ? "none"
              : s->cfg->send.mdn == MDN_ASYNC ? "asynchronous"
                                              : "synchronous");
    props_set(&d->props, a, "as2.mdn_signed", s->cfg->send.signed_mdn ? "yes" : "no");
    props_set(&d->props, a, "as2.signed", s->seal.sign != NULL ? "yes" : "no");
    props_set(&d->props, a, "as2.encrypted", s->seal.encrypt != NULL ? "yes" : "no");
    props_set(&d->props, a, "as2.compressed",
              s->seal.compress != AS2_COMPRESS_NO ? "yes" : "no");
    return true;
}

static void keep_mics(const struct stage *st, struct document *d, struct arena *a)
{
    struct as2_mic mics[AS2_MICS_MAX];
    size_t n = as2_seal_mics(st, mics);

    for (size_t i = 0; i < n; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "as2.mic.%s", as2_digest_name(mics[i].nid, false));
        props_set(&d->props, a, name, as2_mic_write(&mics[i], NULL, a));
        if (i == 0)
            props_set(&d->props, a, AS2_MIC, as2_mic_write(&mics[i], NULL, a));
    }
}

static bool commit(struct gateway *g, const struct job *j, const struct sealing *s,
                   struct document *d, struct payload_writer *w, struct arena *a,
                   struct err *err)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    struct job post = { .id = store_next_id(g->store),
                        .kind = JOB_POST,
                        .document_id = d->id,
                        .own = d->own,
                        .peer = d->peer,
                        .not_before_ms = JOB_AT_ONCE };
    bool ok = (b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory")) &&
              payload_finish(w, b, &d->raw, err);

    if (ok) {
        props_set(&d->props, a, "waybill.opened", "plain");
        d->total = d->raw.size;
        d->state = DOC_SEALED;
        d->changed_ms = now;
        store_put_document(b, d);
        store_add_event(b, d->id, now, "sealed",
                        arena_printf(a, "%s%s%s%llu octets",
                                     s->seal.sign != NULL ? "signed, " : "",
                                     s->seal.compress != AS2_COMPRESS_NO ? "compressed, " : "",
                                     s->seal.encrypt != NULL ? "encrypted, " : "",
                                     (unsigned long long)d->raw.size));
        store_put_job(b, &post);
        store_end_job(b, j->id);
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    return ok;
}

bool as2_seal_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                  struct document *d, struct arena *a, bool *passes, struct err *err)
{
    struct sealing *s = arena_take(a, sizeof(*s));
    struct payload_writer *w = NULL;
    struct pump p = { .put = pump_to_writer };
    bool ok = s != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    ok = ok && plan(sn, s, d, err) && (p.pipe = as2_seal_new(&s->seal, err)) != NULL &&
         headers(g, s, d, as2_seal_head(p.pipe), a, err);
    *passes = ok;
    ok = ok && payload_create(g->store, d->id, 'r', &w, err);
    p.context = w;
    ok =
        ok && payload_open(g->store, d->id, 'o', &d->opened, &p.from, err) && pump_run(&p, err);
    if (ok)
        keep_mics(p.pipe, d, a);
    ok = ok && commit(g, j, s, d, w, a, err);
    if (!ok && d->raw.kind == PAYLOAD_FILE)
        payload_remove(g->store, &d->raw);
    payload_reader_free(p.from);
    stage_free(p.pipe);
    payload_writer_free(w);
    return ok;
}
