/* Certificate components made ready for use: read, their keys opened, checked against revocation
 * lists and the authorities they must come from. What is wrong with one leaves the others alone. */
#include "gateway/certificates.h"

#include "net/log.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool read_file(const char *path, size_t max, struct arena *a, struct span *text,
                      struct err *err)
{
    FILE *f = fopen(path, "re");
    size_t n = 0, cap = 64 * 1024;
    uint8_t *p = NULL;

    if (f == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "cannot open '%s': %m", path);
    /* one octet more than may be: so that a larger file is seen */
    while ((p = arena_take(a, cap + 1)) != NULL) {
        rewind(f);
        n = fread(p, 1, cap + 1 < max + 1 ? cap + 1 : max + 1, f);
        if (n <= cap || n > max)
            break;
        cap *= 8;
    }
    (void)fclose(f);
    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (n > max)
        return FAIL(err, FAIL_LOCAL, 0, "'%s' is larger than %zu octets: not what it should be",
                    path, max);
    *text = span_of(p, n);
    return true;
}

/* ---- the store key ----------------------------------------------------------------------- */

bool store_key_get(const struct config_runtime *rt, bool make, uint8_t key[STORE_KEY_SIZE],
                   struct err *err)
{
    const char *path = rt->runtime.key_file;
    bool found = false, shared = false;

    if (!store_key_read(path, key, &found, &shared, err))
        return false;
    if (!found && make)
        return store_key_make(path, key, err);
    if (!found)
        return FAIL(
            err, FAIL_LOCAL, 0,
            "the store key '%s' (runtime.key_file) is missing: put it back from its "
            "backup; if it is lost, make a new one (head -c 32 /dev/urandom) and import "
            "the private keys anew",
            path);
    if (shared)
        log_event(LOG_WARN, "store.key.readable", "file", path, "cure", "chmod 600", NULL);
    return true;
}

/* Read with the first component that needs it. */
struct ring {
    const struct config_runtime *rt;
    bool tried, had;
    uint8_t key[STORE_KEY_SIZE];
    struct err err;
};

static bool add_sealed(struct ring *ring, const char *name, const char *sealed,
                       struct pki_certificate *c, struct err *err)
{
    EVP_PKEY *key = NULL;
    struct err why = { 0 };
    bool ok;

    if (!ring->tried) {
        ring->had = store_key_get(ring->rt, false, ring->key, &ring->err);
        ring->tried = true;
    }
    if (!ring->had) {
        *err = ring->err;
        return false;
    }
    ok = pki_key_open(ring->key, name, sealed, &key, &why) ||
         FAIL(err, FAIL_LOCAL, 0, "%s; the store key is '%s' (runtime.key_file)", why.text,
              ring->rt->runtime.key_file);
    ok = ok && pki_certificate_set_key(c, key, err);
    EVP_PKEY_free(key);
    return ok;
}

/* ---- one certificate --------------------------------------------------------------------- */

static bool load_one(struct ring *ring, const char *name,
                     const struct config_certificate_also *cfg, struct pki_certificate **out,
                     struct err *err)
{
    const struct config_runtime *rt = ring->rt;
    struct arena tmp = { 0 };
    struct span pem = { NULL, 0 }, key = { NULL, 0 };
    char password[SECRET_MAX] = "";
    bool ok = true;

    if (cfg->pkcs12_file != NULL) {
        ok = read_file(cfg->pkcs12_file, PKI_PEM_MAX, &tmp, &pem, err) &&
             config_secret_get(rt, &cfg->pkcs12_password, password, sizeof(password), err) &&
             pki_pkcs12_read(pem, password, out, err);
    } else {
        if (cfg->file != NULL)
            ok = read_file(cfg->file, PKI_PEM_MAX, &tmp, &pem, err);
        else if (cfg->pem != NULL)
            pem = span_text(cfg->pem);
        if (ok && cfg->key_file != NULL)
            ok = read_file(cfg->key_file, PKI_PEM_MAX, &tmp, &key, err) &&
                 config_secret_get(rt, &cfg->key_password, password, sizeof(password), err);
        ok = ok && pki_certificate_read_password(
                       pem, key, password[0] != '\0' ? password : NULL, out, err);
        if (ok && cfg->sealed_key != NULL &&
            !add_sealed(ring, name, cfg->sealed_key, *out, err)) {
            pki_certificate_free(*out);
            *out = NULL;
            ok = false;
        }
    }
    OPENSSL_cleanse(password, sizeof(password));
    if (key.n > 0)
        OPENSSL_cleanse((void *)(uintptr_t)key.p, key.n);
    arena_free(&tmp);
    return ok;
}

/* ---- a component ------------------------------------------------------------------------- */

static void unusable(const struct certificate *c, const char *reason)
{
    log_event(LOG_ERROR, "certificate.unusable", "certificate", c->name, "reason", reason,
              NULL);
}

static const char *place_of(const struct config_certificate_also *cfg, bool has_key)
{
    bool in_store =
        has_key && cfg->pkcs12_file == NULL ? cfg->sealed_key != NULL : cfg->pem != NULL;

    return in_store ? "store" : "file";
}

static void load_items(struct snapshot *sn, struct ring *ring, struct certificate *c)
{
    const struct config_certificate *cfg = c->cfg;
    struct config_certificate_also first = { .pem = cfg->pem,
                                             .file = cfg->file,
                                             .key_file = cfg->key_file,
                                             .pkcs12_file = cfg->pkcs12_file,
                                             .sealed_key = cfg->sealed_key,
                                             .key_password = cfg->key_password,
                                             .pkcs12_password = cfg->pkcs12_password };

    c->items = arena_take(&sn->arena, sizeof(*c->items) * (cfg->also_n + 1));
    for (size_t i = 0; c->items != NULL && i < cfg->also_n + 1; i++) {
        const struct config_certificate_also *one = i == 0 ? &first : &cfg->also[i - 1];
        struct certificate_item *x = &c->items[c->items_n++];
        struct err err = { 0 };

        if (!load_one(ring, c->name, one, &x->pki, &err)) {
            x->problem = arena_text(&sn->arena, err.text);
            unusable(c, err.text);
        }
        x->place = place_of(one, x->pki != NULL && x->pki->key != NULL);
    }
}

bool file_marks(const char *path, struct file_mark *mark)
{
    struct stat st;

    *mark = (struct file_mark) { 0 };
    if (stat(path, &st) != 0)
        return false;
    *mark = (struct file_mark) { .there = 1,
                                 .device = (uint64_t)st.st_dev,
                                 .number = (uint64_t)st.st_ino,
                                 .size = (uint64_t)st.st_size,
                                 .changed_s = st.st_mtim.tv_sec,
                                 .changed_ns = st.st_mtim.tv_nsec };
    return true;
}

/* Lists that cannot be read make all of the component unusable: nobody knows what is on them. */
static bool load_lists(struct certificate *c, struct err *err)
{
    struct arena tmp = { 0 };
    struct span text = { NULL, 0 };
    const char *path = c->cfg->crl_file;
    bool ok;

    /* before reading: a change in between is then seen by the next look */
    (void)file_marks(path, &c->crl_mark);
    ok = read_file(path, PKI_CRL_MAX, &tmp, &text, err) &&
         (pki_crls_read(text, &c->crls) ||
          FAIL(err, FAIL_LOCAL, 0, "crl_file '%s' holds no revocation list", path));
    if (ok)
        c->crl_next_s = pki_crls_next(c->crls);
    arena_free(&tmp);
    return ok;
}

/* Whoever issued x, of those that came with it. NULL: not known. */
static const X509 *issuer_of(const struct pki_certificate *x)
{
    if (X509_check_issued(x->leaf, x->leaf) == X509_V_OK)
        return x->leaf;
    for (int i = 0; i < sk_X509_num(x->chain); i++)
        if (X509_check_issued(sk_X509_value(x->chain, i), x->leaf) == X509_V_OK)
            return sk_X509_value(x->chain, i);
    return NULL;
}

static void check_revoked(struct snapshot *sn, struct certificate *c,
                          struct certificate_item *x)
{
    bool listed = false;

    for (int i = 0; i < sk_X509_CRL_num(c->crls); i++) {
        X509_CRL *crl = sk_X509_CRL_value(c->crls, i);

        listed = listed || X509_NAME_cmp(X509_get_issuer_name(x->pki->leaf),
                                         X509_CRL_get_issuer(crl)) == 0;
        if (!pki_revoked(x->pki->leaf, crl, issuer_of(x->pki)))
            continue;
        x->revoked = true;
        x->problem =
            arena_printf(&sn->arena, "it is revoked (crl_file '%s')", c->cfg->crl_file);
        return;
    }
    /* An authority's component has the lists it writes, not always one about itself. */
    if (c->cfg->crl_strict && !listed && X509_check_ca(x->pki->leaf) == 0)
        x->problem =
            arena_printf(&sn->arena, "crl_file '%s' has no list of its issuer (crl_strict)",
                         c->cfg->crl_file);
}

static void check_lists(struct snapshot *sn, struct certificate *c, int64_t now_s)
{
    struct err err = { 0 };
    const char *why = NULL;

    if (c->cfg->crl_file == NULL)
        return;
    if (!load_lists(c, &err))
        why = arena_text(&sn->arena, err.text);
    else if (c->cfg->crl_strict && c->crl_next_s <= now_s)
        why = arena_printf(&sn->arena,
                           "the time of a revocation list in crl_file '%s' is over "
                           "(crl_strict): get the current one",
                           c->cfg->crl_file);
    for (size_t i = 0; i < c->items_n; i++) {
        struct certificate_item *x = &c->items[i];

        if (x->problem != NULL)
            continue;
        if (why == NULL)
            check_revoked(sn, c, x);
        else
            x->problem = why;
        if (x->problem != NULL)
            unusable(c, x->problem);
    }
}

/* Into what the rest uses. The component's own must be readable: the others are only for the time
 * before and after it. */
static void gather(struct snapshot *sn, struct certificate *c)
{
    c->set.n = 0;
    c->set.list = arena_take(&sn->arena, sizeof(struct pki_certificate *) * (c->items_n + 1));
    if (c->set.list == NULL || c->items_n == 0)
        return;
    for (size_t i = 0; i < c->items_n && c->items[0].pki != NULL; i++)
        if (c->items[i].problem == NULL)
            c->set.list[c->set.n++] = c->items[i].pki;
    for (size_t i = 0; i < c->items_n && c->error == NULL; i++)
        c->error = c->items[i].problem;
}

static bool push(struct pki_certificate *to, X509 *cert)
{
    if (X509_up_ref(cert) != 1)
        return false;
    if (sk_X509_push(to->chain, cert) > 0)
        return true;
    X509_free(cert);
    return false;
}

/* Given: pki_certificate_free. NULL when memory is out. */
static struct pki_certificate *anchors_of(const struct certificate *c, bool followers)
{
    struct pki_certificate *a = calloc(1, sizeof(*a));
    bool ok = a != NULL && (a->chain = sk_X509_new_null()) != NULL;

    for (size_t i = 0; ok && i < c->set.n; i++) {
        const struct pki_certificate *x = c->set.list[i];

        if (i == 0 && X509_up_ref(x->leaf) == 1)
            a->leaf = x->leaf;
        else
            ok = i > 0 && push(a, x->leaf);
        for (int j = 0; ok && followers && j < sk_X509_num(x->chain); j++)
            ok = push(a, sk_X509_value(x->chain, j));
    }
    if (ok && c->crls != NULL)
        ok = (a->crls = sk_X509_CRL_deep_copy(c->crls, X509_CRL_dup, X509_CRL_free)) != NULL;
    if (ok) {
        a->crl_strict = c->cfg->crl_strict;
        return a;
    }
    pki_certificate_free(a);
    return NULL;
}

static void drop_anchors(struct certificate *c)
{
    pki_certificate_free(c->own);
    pki_certificate_free(c->anchors);
    c->own = c->anchors = NULL;
}

/* All that the component trusts, in one. */
static void make_anchors(struct certificate *c)
{
    if (c->set.n == 0)
        return;
    c->own = anchors_of(c, false);
    c->anchors = anchors_of(c, true);
    if (c->own != NULL && c->anchors != NULL)
        return;
    drop_anchors(c);
    c->set.n = 0;
    c->error = "out of memory";
}

/* ---- trust: ------------------------------------------------------------------------------ */

/* Why x does not come from what `trust` names; NULL: it does. */
static const char *distrust(struct snapshot *sn, const struct certificate *c,
                            const struct certificate *trust, const struct pki_certificate *x,
                            int64_t now_s)
{
    const char *why;

    if (trust == NULL)
        return arena_printf(&sn->arena, "trust: certificate '%s' is not deployed",
                            c->cfg->trust);
    if (trust->set.n == 0)
        return arena_printf(&sn->arena, "trust: certificate '%s': %s", c->cfg->trust,
                            trust->error);
    /* whether it is valid is asked when it is used */
    if (!pki_valid_at(x->leaf, now_s) ||
        pki_chain_ok(x->leaf, x->chain, trust->anchors, now_s, &why))
        return NULL;
    return arena_printf(&sn->arena, "it does not come from '%s' (trust): %s", c->cfg->trust,
                        why);
}

/* True: something became unusable, which others may have trusted. */
static bool check_trust(struct snapshot *sn, struct certificate *c, int64_t now_s)
{
    const struct certificate *trust =
        c->cfg->trust == NULL ? NULL : snapshot_certificate(sn, c->cfg->trust);
    bool changed = false;

    for (size_t i = 0; c->cfg->trust != NULL && i < c->items_n; i++) {
        struct certificate_item *x = &c->items[i];

        if (x->problem != NULL)
            continue;
        x->problem = distrust(sn, c, trust, x->pki, now_s);
        if (x->problem == NULL)
            continue;
        unusable(c, x->problem);
        changed = true;
    }
    if (changed) {
        drop_anchors(c);
        gather(sn, c);
        make_anchors(c);
    }
    return changed;
}

/* ---- all --------------------------------------------------------------------------------- */

void certificates_load(struct snapshot *sn, const struct config_runtime *rt)
{
    struct ring ring = { .rt = rt };
    int64_t now_s = net_wall_ms() / 1000;
    bool changed = true;

    for (size_t i = 0; i < sn->components_n; i++) {
        struct config_component *x = sn->components[i];
        struct certificate *c;

        if (x->kind != CONFIG_CERTIFICATE)
            continue;
        c = &sn->certificates[sn->certificates_n++];
        c->name = x->name;
        c->cfg = &x->u.certificate;
        load_items(sn, &ring, c);
        check_lists(sn, c, now_s);
        gather(sn, c);
        make_anchors(c);
    }
    OPENSSL_cleanse(&ring, sizeof(ring));
    while (changed) {
        changed = false;
        for (size_t i = 0; i < sn->certificates_n; i++)
            changed = check_trust(sn, &sn->certificates[i], now_s) || changed;
    }
    for (size_t i = 0; i < sn->certificates_n; i++)
        sn->certificates[i].current = pki_set_sign(&sn->certificates[i].set, now_s);
}

void certificates_free(struct snapshot *sn)
{
    for (size_t i = 0; i < sn->certificates_n; i++) {
        struct certificate *c = &sn->certificates[i];

        for (size_t j = 0; j < c->items_n; j++)
            pki_certificate_free(c->items[j].pki);
        drop_anchors(c);
        sk_X509_CRL_pop_free(c->crls, X509_CRL_free);
    }
}

bool certificate_shown(const struct certificate *agreed, const X509 *shown)
{
    int64_t now_s = net_wall_ms() / 1000;
    const char *why;

    if (agreed == NULL || agreed->own == NULL || shown == NULL)
        return false;
    for (size_t i = 0; i < agreed->set.n; i++)
        if (X509_cmp(shown, agreed->set.list[i]->leaf) == 0)
            return pki_valid_at(shown, now_s);
    return pki_chain_ok(shown, NULL, agreed->own, now_s, &why);
}
