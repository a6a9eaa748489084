/* Sealing and opening documents, file to file on a worker: RFC 5024 6.3 to 6.5, oftp2.md 10.1. A
 * sealed payload is kept, so that a restart sends the same octets. */
#include "gateway/as2_int.h"
#include "gateway/pump.h"
#include "gateway/security.h"

#include "base/pipe.h"

#include <stdio.h>
#include <stdlib.h>

static bool to_nowhere(void *context, struct span octets, struct err *err)
{
    (void)context;
    (void)octets;
    (void)err;
    return true;
}

/* ---- sealing ----------------------------------------------------------------------------- */

/* The stages that SFIDSEC and SFIDCOMP ask for, in the order of oftp2.md 10.1. */
static bool seal_stages(const struct snapshot *sn, const struct document *d,
                        const struct oftp_sfid *f, const struct suite *su, struct stage **pipe,
                        struct err *err)
{
    const struct partner *p = snapshot_partner(sn, d->partner);
    const struct identity *id = snapshot_identity_of_code(sn, d->own);
    struct stage *stages[3];
    size_t n = 0;
    struct cms_signer signer;
    X509 *recipient = NULL;
    bool ok = (p != NULL && id != NULL) ||
              FAIL(err, FAIL_LOCAL, 0, "partner or identity is no longer deployed");

    if (ok && (f->sec & 2) != 0) {
        struct cms_sign_options o = { .signers = &signer,
                                      .signers_n = 1,
                                      .digest = su->digest,
                                      .padding = su->padding,
                                      .signed_attributes = true,
                                      .now_s = net_wall_ms() / 1000 };

        ok = security_signer(sn, id->cfg->oftp2.signing_certificate,
                             "signing_certificate of the identity", &signer, err) &&
             (stages[n] = cms_sign_new(&o, err)) != NULL;
        n += ok;
    }
    if (ok && f->comp != 0) {
        ok = (stages[n] = cms_compress_new(err)) != NULL;
        n += ok;
    }
    if (ok && (f->sec & 1) != 0) {
        struct cms_encrypt_options o = { .recipients = &recipient,
                                         .recipients_n = 1,
                                         .cipher = su->cipher,
                                         .padding = su->padding,
                                         .digest = su->digest };

        ok = security_recipient(sn, p->cfg->oftp2.encryption_certificate,
                                "encryption_certificate of the partner", &recipient, err) &&
             (stages[n] = cms_encrypt_new(&o, err)) != NULL;
        n += ok;
    }
    if (!ok) {
        while (n > 0)
            stage_free(stages[--n]);
        return false;
    }
    *pipe = n == 0 ? NULL : pipe_new(stages, n, 0);
    return n == 0 || *pipe != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

/* *passes: what fails from there on is of the disk, the store or memory. Before, of the settings. */
static bool seal_file(struct gateway *g, const struct snapshot *sn, const struct document *d,
                      const struct oftp_sfid *f, struct payload_writer *w,
                      char hash[2 * EVP_MAX_MD_SIZE + 1], bool *passes, struct err *err)
{
    struct pump p = { .put = pump_to_writer, .context = w };
    uint8_t value[EVP_MAX_MD_SIZE];
    unsigned value_n = 0;
    struct suite su = { 0 };
    bool ok = suite_of(f->ciph, &su) || (f->sec == 0 && !f->sign) ||
              FAIL(err, FAIL_LOCAL, 0, "cipher_suite is not known to this libcrypto");

    ok = ok && seal_stages(sn, d, f, &su, &p.pipe, err);
    *passes = ok;
    if (ok && su.digest != NULL && (p.hash_out = pump_digest(su.digest)) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok =
        ok && payload_open(g->store, d->id, 'o', &d->opened, &p.from, err) && pump_run(&p, err);
    if (ok && p.hash_out != NULL)
        ok = EVP_DigestFinal_ex(p.hash_out, value, &value_n) == 1;
    hash[0] = '\0';
    if (ok)
        hex_text(value, value_n, hash);
    EVP_MD_CTX_free(p.hash_out);
    stage_free(p.pipe);
    payload_reader_free(p.from);
    return ok;
}

/* A plain file that asks for a signed receipt: only its hash is to be kept. */
static bool hash_file(struct gateway *g, const struct document *d, const struct oftp_sfid *f,
                      char hash[2 * EVP_MAX_MD_SIZE + 1], bool *passes, struct err *err)
{
    uint8_t value[EVP_MAX_MD_SIZE];
    size_t n = 0;

    *passes = true;
    if (!security_hash(g, d, f, value, &n, err))
        return false;
    hex_text(value, n, hash);
    *passes = n > 0;
    return n > 0 || FAIL(err, FAIL_LOCAL, 0, "cipher_suite names no digest for the receipt");
}

static bool commit_sealed(struct gateway *g, const struct job *j, struct document *d,
                          struct oftp_sfid *f, struct payload_writer *w, const char *hash,
                          struct arena *a, struct err *err)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    struct job send = { .id = store_next_id(g->store),
                        .kind = JOB_SEND,
                        .document_id = d->id,
                        .own = d->own,
                        .peer = d->peer,
                        .not_before_ms = JOB_AT_ONCE };
    bool ok = b != NULL && (w == NULL || payload_finish(w, b, &d->raw, err));

    if (ok) {
        f->osiz = oftp_blocks(d->opened.size);
        f->fsiz = oftp_blocks(d->raw.size);
        props_from_sfid(&d->props, a, f, OFTP_20);
        if (hash[0] != '\0')
            props_set(&d->props, a, "oftp2.hash", hash);
        if (w != NULL)
            props_set(&d->props, a, "waybill.opened", "plain");
        d->total = d->raw.size;
        d->state = DOC_SEALED;
        d->changed_ms = now;
        store_put_document(b, d);
        store_add_event(b, d->id, now, "sealed",
                        arena_printf(a, "%s%s%s%s, %llu octets", (f->sec & 2) ? "signed " : "",
                                     f->comp ? "compressed " : "",
                                     (f->sec & 1) ? "encrypted " : "",
                                     f->sign ? "signed receipt asked for" : "",
                                     (unsigned long long)d->raw.size));
        store_put_job(b, &send);
        store_end_job(b, j->id);
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    return ok;
}

static void fail_sealing(struct gateway *g, const struct job *j, const struct document *d,
                         const char *reason)
{
    struct store_batch *b = store_batch_new();

    log_event(LOG_ERROR, "document.seal", "document", log_num(d->id), "partner", d->partner,
              "reason", reason, "look_at", "`waybill retry` once it is mended", NULL);
    atomic_fetch_add(&g->n.failed, 1);
    if (b != NULL) {
        store_set_state(b, d->id, DOC_BIT(DOC_QUEUED), DOC_FAILED, net_wall_ms(), "failed",
                        reason, reason);
        store_end_job(b, j->id);
    }
    (void)job_commit(g, b, j, "a document that cannot be sealed");
}

/* A full disk passes; what is wrong with the settings is told at once. */
static void sealing_failed(struct gateway *g, const struct job *j, const struct document *d,
                           bool passes, const struct err *err)
{
    if (err->kind == FAIL_AGAIN)
        job_later(g, j, err->text);
    else if (!passes || !document_later(g, j, "sealing later", err->text))
        fail_sealing(g, j, d, err->text);
}

static bool oftp2_seal_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                           struct document *d, struct arena *a, bool *passes, struct err *err)
{
    struct oftp_sfid f;
    struct payload_writer *w = NULL;
    char hash[2 * EVP_MAX_MD_SIZE + 1];
    bool ok;

    sfid_from_props(&f, &d->props);
    if (f.env == 0)
        ok = hash_file(g, d, &f, hash, passes, err);
    else
        ok = payload_create(g->store, d->id, 'r', &w, err) &&
             seal_file(g, sn, d, &f, w, hash, passes, err);
    ok = ok && commit_sealed(g, j, d, &f, w, hash, a, err);
    if (!ok && w != NULL && d->raw.kind == PAYLOAD_FILE)
        payload_remove(g->store, &d->raw);
    payload_writer_free(w);
    return ok;
}

void seal_run(struct gateway *g, const struct job *j)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct err err = { 0 };
    bool found = false, passes = true;

    if (!store_get_document(g->store, j->document_id, &a, &d, &found, &err))
        job_later(g, j, err.text);
    else if (!found || d.state != DOC_QUEUED)
        job_done(g, j);
    else if (!(strcmp(d.protocol == NULL ? "" : d.protocol, "as2") == 0
                   ? as2_seal_run(g, sn, j, &d, &a, &passes, &err)
                   : oftp2_seal_run(g, sn, j, &d, &a, &passes, &err)))
        sealing_failed(g, j, &d, passes, &err);
    arena_free(&a);
    snapshot_put(sn);
}

bool security_hash(struct gateway *g, const struct document *d, const struct oftp_sfid *f,
                   uint8_t hash[EVP_MAX_MD_SIZE], size_t *n, struct err *err)
{
    struct pump p = { .put = to_nowhere };
    struct suite su;
    unsigned len = 0;
    bool ok;

    *n = 0;
    if (!suite_of(f->ciph, &su))
        return true;
    p.hash_in = pump_digest(su.digest);
    ok = p.hash_in != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok = ok && payload_open(g->store, d->id, 'r', &d->raw, &p.from, err) && pump_run(&p, err) &&
         EVP_DigestFinal_ex(p.hash_in, hash, &len) == 1;
    *n = ok ? len : 0;
    EVP_MD_CTX_free(p.hash_in);
    payload_reader_free(p.from);
    return ok;
}

/* ---- opening ----------------------------------------------------------------------------- */

static int nerp_of(int fault)
{
    return fault == CMS_SIGNATURE       ? NERP_SIGNATURE
           : fault == CMS_DECOMPRESSION ? NERP_DECOMPRESSION
           : fault == CMS_DECRYPTION    ? NERP_DECRYPTION
                                        : NERP_PROCESSING;
}

/* The layers SFIDSEC and SFIDCOMP announce, outermost first: no more are opened, the content may
 * itself be a CMS object that is none of our business. */
struct layers {
    enum cms_kind want[3];
    size_t n;
    struct trusted signers;
    struct own_keys keys;
};

/* Failures in what was encrypted are told apart so often an hour, as a partner with a new
 * certificate needs it; then no more, as somebody who tries block after block needs it. */
enum { TOLD_AN_HOUR = 20 };

static bool may_be_told(struct gateway *g)
{
    int64_t hour = net_wall_ms() / 3600000;

    if (atomic_exchange(&g->told_hour, hour) != hour)
        atomic_store(&g->told, 0);
    return atomic_fetch_add(&g->told, 1) < TOLD_AN_HOUR;
}

/* What the pipe says, in NERP's words. */
static void explain(struct gateway *g, enum cms_doubt doubt, struct err *err)
{
    if (err->kind != FAIL_TRUST)
        return;
    err->wire = nerp_of(err->wire);
    if (err->wire != NERP_DECRYPTION &&
        (doubt == CMS_DOUBTFUL || (doubt == CMS_LIKELY && !may_be_told(g))))
        err->wire |= NERP_UNTOLD;
}

/* How much may come out of a compressed file: what is agreed, else what the partner announced
 * with a wide margin, and never what the disk does not hold. SFIDOSIZ is an estimate. */
static uint64_t most_octets(struct gateway *g, const struct oftp_sfid *f,
                            const struct listener *l)
{
    uint64_t space = payload_space(g->store), most = l->process->max_file_size;

    if (most == 0)
        most = g->rt->oftp2_server.max_file_size;
    if (most == 0 && f->osiz != 0 && f->osiz < UINT64_MAX / OFTP_BLOCK / 16)
        most = f->osiz * OFTP_BLOCK * 10 + 16 * 1024 * 1024;
    return most == 0 || most > space ? space : most;
}

static bool open_stages(struct gateway *g, const struct snapshot *sn, const struct oftp_sfid *f,
                        const struct listener *l, bool trial, struct layers *la,
                        struct stage **pipe, struct err *err)
{
    struct cms_open_options o = { .want = la->want, .content_max = most_octets(g, f, l) };

    if ((f->sec & 1) != 0) {
        if (!security_keys(sn, l->to.cfg->decryption_certificate, "to.decryption_certificate",
                           &la->keys, err))
            return false;
        la->want[la->n++] = CMS_ENVELOPED;
    }
    if (f->comp != 0)
        la->want[la->n++] = CMS_COMPRESSED;
    if ((f->sec & 2) != 0) {
        if (!security_trusted(sn, l->from.cfg->signature_verification_certificate,
                              "from.signature_verification_certificate", &la->signers, err))
            return false;
        la->signers.quiet = trial;
        la->want[la->n++] = CMS_SIGNED;
    }
    if (la->n == 0)
        return FAIL(err, FAIL_TRUST, NERP_PROCESSING,
                    "SFIDENV is 1, but no layer is announced");
    o.want_n = la->n;
    o.keys = la->keys.list;
    o.keys_n = la->keys.n;
    if ((f->sec & 2) != 0)
        security_trust(&o, &la->signers);
    *pipe = cms_open_new(&o, err);
    return *pipe != NULL;
}

/* Records that do not fit are told when all has been read and verified: before, they may be what
 * damage made of them. */
struct opened_to {
    struct records_out *records;
    struct err fault;
};

static bool to_records(void *context, struct span octets, struct err *err)
{
    struct opened_to *to = context;

    if (to->fault.kind == FAIL_TRUST || records_out(to->records, octets, err))
        return true;
    to->fault = *err;
    return err->kind == FAIL_TRUST;
}

/* The records, after the layers. Encrypted only, they may be anything. */
static bool end_records(struct opened_to *to, const struct oftp_sfid *f, struct err *err)
{
    if (to->fault.kind == FAIL_TRUST)
        *err = to->fault;
    else if (records_out_end(to->records, err))
        return true;
    if (f->sec == 1 && f->comp == 0 && err->kind == FAIL_TRUST)
        err->wire |= NERP_UNTOLD;
    return false;
}

bool security_open(struct gateway *g, const struct snapshot *sn, const struct document *d,
                   const struct oftp_sfid *f, const struct listener *l, bool trial,
                   struct records_out *to, uint8_t hash[EVP_MAX_MD_SIZE], size_t *hash_n,
                   struct err *err)
{
    struct opened_to out = { .records = to };
    struct pump p = { .put = to_records, .context = &out };
    struct layers la = { .n = 0 };
    struct suite su = { 0 };
    unsigned n = 0;
    bool ok = true;

    *hash_n = 0;
    if (f->env != 0)
        ok = open_stages(g, sn, f, l, trial, &la, &p.pipe, err);
    if (ok && f->sign && suite_of(f->ciph, &su) && (p.hash_in = pump_digest(su.digest)) == NULL)
        ok = FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok = ok && payload_open(g->store, d->id, 'r', &d->raw, &p.from, err);
    if (ok && !pump_run(&p, err)) {
        ok = false;
        if (p.pipe != NULL && !trial)
            explain(g, cms_open_doubt(p.pipe), err);
    }
    ok = ok && end_records(&out, f, err);
    if (ok && p.hash_in != NULL && EVP_DigestFinal_ex(p.hash_in, hash, &n) == 1)
        *hash_n = n;
    EVP_MD_CTX_free(p.hash_in);
    stage_free(p.pipe);
    payload_reader_free(p.from);
    return ok;
}
