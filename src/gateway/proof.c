/* Proofs between partners: signed receipts and secure authentication. oftp2.md 9.5, 9.6, 11. */
#include "gateway/security.h"

#include "base/writer.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* ---- signed receipts --------------------------------------------------------------------- */

static void field(struct writer *w, const char *text, size_t width)
{
    size_t n = strlen(text);

    writer_put(w, text, n < width ? n : width);
    writer_fill(w, ' ', n < width ? width - n : 0);
}

size_t response_content(const struct oftp_response *r, bool with_creator,
                        uint8_t content[RESPONSE_CONTENT_MAX])
{
    struct writer w = writer_of(content, RESPONSE_CONTENT_MAX);

    field(&w, r->dsn, OFTP_DSN);
    field(&w, r->date, 8);
    field(&w, r->time, 10);
    field(&w, r->dest, OFTP_CODE);
    field(&w, r->orig, OFTP_CODE);
    if (r->negative && with_creator)
        field(&w, r->crea, OFTP_CODE);
    writer_put(&w, r->hsh.p, r->hsh.n);
    return writer_ok(&w) ? w.n : 0;
}

bool response_sign(const struct snapshot *sn, const struct listener *l, unsigned ciph,
                   struct oftp_response *r, uint8_t **sig, struct err *err)
{
    uint8_t content[RESPONSE_CONTENT_MAX];
    size_t n = response_content(r, true, content), sig_n = 0;
    struct cms_signer signer;
    struct suite su;
    struct cms_sign_options o = { .signers = &signer,
                                  .signers_n = 1,
                                  .signed_attributes = true,
                                  .now_s = net_wall_ms() / 1000 };

    if (!suite_of(ciph, &su))
        return FAIL(err, FAIL_LOCAL, 0, "SFIDCIPH %02u names no algorithms to sign with", ciph);
    if (n == 0)
        return FAIL(err, FAIL_LOCAL, 0, "the hash is too long");
    if (!security_signer(sn, l->to.cfg->acknowledgment_signing_certificate,
                         "to.acknowledgment_signing_certificate", &signer, err))
        return false;
    o.digest = su.digest;
    o.padding = su.padding;
    if (!cms_sign_octets(&o, span_of(content, n), sig, &sig_n, err))
        return false;
    r->sig = span_of(*sig, sig_n);
    return true;
}

static bool hash_fits(const struct document *d, const struct oftp_response *r, struct err *err)
{
    const char *kept = props_get(&d->props, "oftp2.hash");
    uint8_t want[EVP_MAX_MD_SIZE];
    size_t n = kept == NULL ? 0 : hex_octets(kept, want, sizeof(want));

    if (n == 0)
        return FAIL(err, FAIL_TRUST, 0, "no hash was kept for this file");
    return (n == r->hsh.n && CRYPTO_memcmp(want, r->hsh.p, n) == 0) ||
           FAIL(err, FAIL_TRUST, 0, "the hash in the receipt is not that of the file sent");
}

bool response_verify(const struct snapshot *sn, const struct document *d,
                     const struct oftp_response *r, struct err *err)
{
    const struct partner *p = snapshot_partner(sn, d->partner == NULL ? "" : d->partner);
    uint8_t with[RESPONSE_CONTENT_MAX], without[RESPONSE_CONTENT_MAX], *got = NULL;
    size_t with_n = response_content(r, true, with), got_n = 0;
    size_t without_n = response_content(r, false, without);
    struct cms_layer layers[CMS_LAYERS_MAX];
    size_t layers_n = COUNT_OF(layers);
    struct trusted signers = { .n = 0 };
    struct cms_open_options o = { .one_layer = true };
    bool ok;

    if (p == NULL)
        return FAIL(err, FAIL_TRUST, 0, "partner '%s' is no longer deployed", d->partner);
    if (!hash_fits(d, r, err))
        return false;
    if (!security_trusted(sn, p->cfg->oftp2.acknowledgment_verification_certificate,
                          "acknowledgment_verification_certificate of the partner", &signers,
                          err)) {
        err->kind = FAIL_TRUST;
        return false;
    }
    security_trust(&o, &signers);
    if (!cms_open_octets(&o, r->sig, RESPONSE_CONTENT_MAX, &got, &got_n, layers, &layers_n,
                         err)) {
        err->kind = FAIL_TRUST;
        return err_context(err, "acknowledgment_verification_certificate of the partner");
    }
    ok = layers_n == 1 && layers[0].kind == CMS_SIGNED && layers[0].trusted;
    if (!ok)
        (void)FAIL(err, FAIL_TRUST, 0,
                   "the receipt is not signed by acknowledgment_verification_certificate");
    /* Some partners leave NERPCREA out of what they sign (oftp2.md section 15). */
    if (ok && !span_equal(span_of(got, got_n), span_of(with, with_n)) &&
        !span_equal(span_of(got, got_n), span_of(without, without_n)))
        ok = FAIL(err, FAIL_TRUST, 0, "the signature is over other fields than the receipt's");
    free(got);
    return ok;
}

/* ---- secure authentication --------------------------------------------------------------- */

/* The parties of this session: the peer's public certificate, our private key. */
static void parties(const struct session *s, const char **peer, const char **own)
{
    const struct identity *id = snapshot_identity_of_code(s->snap, s->own);
    const struct config_oftp2_party *from = s->logon != NULL     ? s->logon->from.cfg
                                            : s->partner != NULL ? &s->partner->cfg->oftp2
                                                                 : NULL;
    const struct config_oftp2_party *to = s->logon != NULL ? s->logon->to.cfg
                                          : id != NULL     ? &id->cfg->oftp2
                                                           : NULL;

    *peer = from == NULL ? NULL : from->session_authentication_encrypting_certificate;
    *own = to == NULL ? NULL : to->session_authentication_challenge_certificate;
}

/* The suite agreed with the partner; AES-256 where none is. */
static bool challenge_suite(const struct session *s, struct suite *su)
{
    const char *name = s->partner != NULL && s->partner->cfg->cipher_suite != NULL
                           ? s->partner->cfg->cipher_suite
                           : s->rt->oftp2_server.cipher_suite;
    int ciph = name == NULL ? 0 : config_cipher_suite(name);

    return suite_of(ciph == 0 ? 2 : (unsigned)ciph, su);
}

bool session_challenge(struct session *s, struct err *err)
{
    struct cms_encrypt_options o = { .recipients_n = 1 };
    uint8_t plain[OFTP_CHALLENGE_SIZE], *encrypted = NULL;
    const char *peer, *own;
    struct suite su;
    X509 *recipient = NULL;
    size_t n = 0;
    bool ok;

    parties(s, &peer, &own);
    if (!security_recipient(s->snap, peer, "session_authentication_encrypting_certificate",
                            &recipient, err))
        return false;
    o.recipients = &recipient;
    ok = challenge_suite(s, &su) && RAND_bytes(plain, sizeof(plain)) == 1;
    if (!ok)
        return FAIL(err, FAIL_LOCAL, 0, "no challenge can be made");
    o.cipher = su.cipher;
    o.digest = su.digest;
    o.padding = su.padding;
    ok = cms_encrypt_octets(&o, span_of(plain, sizeof(plain)), &encrypted, &n, err) &&
         oftp_session_challenge(s->oftp, plain, span_of(encrypted, n), err);
    OPENSSL_cleanse(plain, sizeof(plain));
    free(encrypted);
    return ok;
}

bool session_respond(struct session *s, struct span auch, struct err *err)
{
    struct cms_open_options o = { .one_layer = true };
    struct own_keys keys;
    const char *peer, *own;
    uint8_t *plain = NULL;
    size_t n = 0;
    bool ok;

    parties(s, &peer, &own);
    if (!security_keys(s->snap, own, "session_authentication_challenge_certificate", &keys,
                       err))
        return false;
    o.keys = keys.list;
    o.keys_n = keys.n;
    ok = cms_open_octets(&o, auch, 1024, &plain, &n, NULL, NULL, err) ||
         err_context(err, "session_authentication_challenge_certificate");
    /* Whatever else was decrypted goes nowhere: this is an oracle on the key (section 11). */
    if (ok && n != OFTP_CHALLENGE_SIZE)
        ok = FAIL(err, FAIL_TRUST, 0,
                  "the challenge is not for session_authentication_challenge_certificate");
    ok = ok && oftp_session_respond(s->oftp, plain, err);
    if (plain != NULL)
        OPENSSL_cleanse(plain, n);
    free(plain);
    return ok;
}
