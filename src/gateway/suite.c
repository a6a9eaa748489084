/* Cipher suites by SFIDCIPH, and the certificates of the seven settings. */
#include "gateway/security.h"

#include <fnmatch.h>
#include <stdio.h>

static const struct {
    const char *name, *cipher, *digest;
    enum cms_padding padding;
} suites[] = {
    [1] = { "TRIPLEDES_RSA_SHA1", "DES-EDE3-CBC", "SHA1", CMS_PKCS1 },
    [2] = { "AES_RSA_SHA1", "AES-256-CBC", "SHA1", CMS_PKCS1 },
    [3] = { "TRIPLEDES_RSA_SHA256", "DES-EDE3-CBC", "SHA256", CMS_PKCS1 },
    [4] = { "AES_RSA_SHA256", "AES-256-CBC", "SHA256", CMS_PKCS1 },
    [5] = { "TRIPLEDES_RSA_SHA512", "DES-EDE3-CBC", "SHA512", CMS_PKCS1 },
    [6] = { "AES_RSA_SHA512", "AES-256-CBC", "SHA512", CMS_PKCS1 },
    [7] = { "AES_RSA_SHA3_512", "AES-256-CBC", "SHA3-512", CMS_PKCS1 },
    [8] = { "AES_RSA_OAEP_PSS_SHA256", "AES-256-CBC", "SHA256", CMS_PSS_OAEP },
    [9] = { "AES_RSA_OAEP_PSS_SHA512", "AES-256-CBC", "SHA512", CMS_PSS_OAEP },
    [10] = { "AES_RSA_OAEP_PSS_SHA3_512", "AES-256-CBC", "SHA3-512", CMS_PSS_OAEP },
};

/* Fetched once: an implicit fetch per message is slow in OpenSSL 3. */
static struct {
    EVP_CIPHER *cipher;
    EVP_MD *digest;
} fetched[COUNT_OF(suites)];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    for (size_t i = 1; i < COUNT_OF(suites); i++) {
        fetched[i].cipher = EVP_CIPHER_fetch(NULL, suites[i].cipher, NULL);
        fetched[i].digest = EVP_MD_fetch(NULL, suites[i].digest, NULL);
    }
}

bool suite_of(unsigned ciph, struct suite *out)
{
    (void)pthread_once(&once, fetch_all);
    if (ciph == 0 || ciph >= COUNT_OF(suites) || fetched[ciph].cipher == NULL ||
        fetched[ciph].digest == NULL)
        return false;
    *out = (struct suite) { suites[ciph].name, fetched[ciph].cipher, fetched[ciph].digest,
                            suites[ciph].padding };
    return true;
}

/* ---- certificates ------------------------------------------------------------------------ */

static const struct certificate *find(const struct snapshot *sn, const char *name,
                                      const char *setting, struct err *err)
{
    const struct certificate *c;

    if (name == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0, "%s is not configured", setting);
        return NULL;
    }
    c = snapshot_certificate(sn, name);
    if (c == NULL)
        (void)FAIL(err, FAIL_LOCAL, 0, "%s: certificate '%s' is not deployed", setting, name);
    else if (c->set.n == 0) {
        (void)FAIL(err, FAIL_LOCAL, 0, "%s: certificate '%s': %s", setting, name, c->error);
        c = NULL;
    }
    return c;
}

bool security_trusted(const struct snapshot *sn, const char *name, const char *setting,
                      struct trusted *out, struct err *err)
{
    const struct certificate *c = find(sn, name, setting, err);
    X509 *all[CERTIFICATES_MAX];
    size_t n;

    if (c == NULL)
        return false;
    n = pki_set_accept(&c->set, net_wall_ms() / 1000, all, CERTIFICATES_MAX);
    out->n = 0;
    out->authority = c->cfg->issued_to != NULL ? c : NULL;
    out->quiet = false;
    for (size_t i = 0; i < n; i++)
        if (pki_usage_allows(all[i], PKI_SIGN))
            out->list[out->n++] = all[i];
    return out->n > 0 || (out->authority != NULL && n > 0) ||
           FAIL(err, FAIL_TRUST, NERP_SIGNATURE,
                "%s: no certificate of '%s' is valid today and may sign", setting, name);
}

/* The subject is compared as `waybill certificates show` writes it. What is escaped there could
 * look like another part of the name to a pattern that does not expect it. */
static bool subject_fits(const char *pattern, const char *subject)
{
    return (strchr(subject, '\\') == NULL || strchr(pattern, '\\') != NULL) &&
           fnmatch(pattern, subject, FNM_NOESCAPE) == 0;
}

/* clang-format off */
static bool vouch(const void *context, X509 *signer, STACK_OF(X509) *inside)
/* clang-format on */
{
    const struct trusted *t = context;
    const struct certificate *c = t->authority;
    const char *why = "its subject does not fit issued_to";
    char subject[1024];

    pki_subject(signer, subject, sizeof(subject));
    if (subject_fits(c->cfg->issued_to, subject)) {
        why = "it may not sign (key usage)";
        if (pki_usage_allows(signer, PKI_SIGN) &&
            pki_chain_ok(signer, inside, c->anchors, net_wall_ms() / 1000, &why))
            return true;
    }
    if (!t->quiet)
        log_event(LOG_WARN, "certificate.signer_refused", "certificate", c->name, "subject",
                  subject, "reason", why, NULL);
    return false;
}

void security_trust(struct cms_open_options *o, const struct trusted *t)
{
    o->signers = t->list;
    o->signers_n = t->n;
    o->vouch = t->authority != NULL ? vouch : NULL;
    o->vouch_context = t;
}

bool security_keys(const struct snapshot *sn, const char *name, const char *setting,
                   struct own_keys *out, struct err *err)
{
    const struct certificate *c = find(sn, name, setting, err);

    out->n = 0;
    for (size_t i = 0; c != NULL && i < c->set.n && out->n < CERTIFICATES_MAX; i++)
        if (c->set.list[i]->key != NULL)
            out->list[out->n++] =
                (struct cms_signer) { c->set.list[i]->leaf, c->set.list[i]->key };
    if (c != NULL && out->n == 0)
        (void)FAIL(err, FAIL_LOCAL, 0, "%s: certificate '%s' has no private key", setting,
                   name);
    return out->n > 0;
}

bool security_signer(const struct snapshot *sn, const char *name, const char *setting,
                     struct cms_signer *out, struct err *err)
{
    const struct certificate *c = find(sn, name, setting, err);
    const struct pki_certificate *p;

    if (c == NULL)
        return false;
    p = pki_set_sign(&c->set, net_wall_ms() / 1000);
    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0,
                    "%s: no certificate of '%s' with a private key is valid today", setting,
                    name);
    if (!pki_usage_allows(p->leaf, PKI_SIGN))
        return FAIL(err, FAIL_LOCAL, 0, "%s: certificate '%s' may not sign (key usage)",
                    setting, name);
    *out = (struct cms_signer) { p->leaf, p->key };
    return true;
}

bool security_recipient(const struct snapshot *sn, const char *name, const char *setting,
                        X509 **out, struct err *err)
{
    const struct certificate *c = find(sn, name, setting, err);
    const struct pki_certificate *p;

    if (c == NULL)
        return false;
    p = pki_set_encrypt(&c->set, net_wall_ms() / 1000);
    if (p == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "%s: no certificate of '%s' is valid today", setting,
                    name);
    if (!pki_usage_allows(p->leaf, PKI_ENCRYPT))
        return FAIL(err, FAIL_LOCAL, 0, "%s: certificate '%s' may not encrypt (key usage)",
                    setting, name);
    *out = p->leaf;
    return true;
}

/* ---- hex --------------------------------------------------------------------------------- */

void hex_text(const uint8_t *p, size_t n, char *text)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digit[p[i] >> 4];
        text[2 * i + 1] = digit[p[i] & 15];
    }
    text[2 * n] = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

size_t hex_octets(const char *text, uint8_t *p, size_t cap)
{
    size_t n = 0;

    while (n < cap && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0) {
        p[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
        text += 2;
    }
    return n;
}
