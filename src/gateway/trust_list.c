/* Trust service status lists: a verified one becomes a certificate component, which any `trust` or
 * `certificate_authorities` may name. oftp2.md 13.4. */
#include "gateway/gateway_int.h"
#include "pki/tsl.h"

#include <stdio.h>
#include <stdlib.h>

/* The list in use under this name, or NULL; *taken: the component is something else. */
static const struct config_certificate *in_use(const struct snapshot *sn, const char *name,
                                               bool *taken)
{
    const struct certificate *c = snapshot_certificate(sn, name);

    *taken = c != NULL && c->cfg->trust_list_sequence == NULL;
    return c == NULL || *taken ? NULL : c->cfg;
}

static bool read_list(const struct snapshot *sn, const char *signer, struct span xml,
                      struct pki_tsl *list, struct err *err)
{
    const struct certificate *c = snapshot_certificate(sn, signer);
    X509 *signers[CONFIG_ALSO_MAX + 1];
    size_t n;

    if (c == NULL)
        return FAIL(err, FAIL_LOCAL, 404, "signer: certificate '%s' is not deployed", signer);
    n = pki_set_accept(&c->set, net_wall_ms() / 1000, signers, COUNT_OF(signers));
    if (n == 0)
        return FAIL(err, FAIL_LOCAL, 422, "signer: certificate '%s': %s", signer,
                    c->error == NULL ? "none of it is valid now" : c->error);
    if (pki_tsl_read(xml, signers, n, list, err))
        return true;
    err->wire = 422;
    err->kind = FAIL_LOCAL;
    return err_context(err, "the trust list");
}

/* Against the one in use. */
static bool newer(const struct config_certificate *old, const char *signer,
                  const struct pki_tsl *list, struct err *err)
{
    uint64_t number = old == NULL ? 0 : strtoull(old->trust_list_sequence, NULL, 10);

    if (old == NULL)
        return true;
    if (old->trust_list_signer == NULL || strcmp(old->trust_list_signer, signer) != 0)
        return FAIL(err, FAIL_LOCAL, 422,
                    "the list in use is by the signer '%s': delete the component before you "
                    "trust another one",
                    old->trust_list_signer == NULL ? "" : old->trust_list_signer);
    return list->sequence >= number ||
           FAIL(err, FAIL_LOCAL, 422,
                "its number is %llu, that of the list in use is %llu: it is an old list",
                (unsigned long long)list->sequence, (unsigned long long)number);
}

/* clang-format off */
static char *pem_of(STACK_OF(X509) *list, struct arena *a, struct err *err)
/* clang-format on */
{
    char *all = arena_text(a, ""), *pem;

    for (int i = 0; i < sk_X509_num(list) && all != NULL; i++) {
        struct pki_certificate c = { .leaf = sk_X509_value(list, i) };

        if (!pki_write_pem(&c, false, &pem, err))
            return NULL;
        all = arena_printf(a, "%s%s", all, pem);
        free(pem);
    }
    if (all == NULL)
        (void)FAIL(err, FAIL_LOCAL, 0, "out of memory");
    return all;
}

static bool apply_list(struct gateway *g, const char *name, const char *signer,
                       const struct config_certificate *old, const struct pki_tsl *list,
                       const char *who, struct arena *a, int64_t *version, struct err *err)
{
    struct config_certificate cfg = { .trust_list_signer = signer };
    struct config_problems ps = { 0 };
    struct gateway_applied *applied = NULL;
    const char *text;
    size_t n = 0;
    bool ok;

    if (old != NULL) {
        cfg.crl_file = old->crl_file;
        cfg.crl_strict = old->crl_strict;
    }
    cfg.trust_list_sequence = arena_printf(a, "%llu", (unsigned long long)list->sequence);
    cfg.trust_list_until = list->next[0] == '\0' ? NULL : list->next;
    cfg.pem = pem_of(list->authorities, a, err);
    if (cfg.pem == NULL)
        return false;
    text = config_certificate_text(name, &cfg, a);
    if (text == NULL || cfg.trust_list_sequence == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ok = gateway_apply(g, span_text(text), "trust list", false, who, a, &applied, &n, &ps, err);
    if (!ok && ps.first != NULL)
        (void)FAIL(err, FAIL_LOCAL, 422, "%s", ps.first->text);
    config_problems_free(&ps);
    *version = n > 0 ? applied[0].version : 0;
    return ok;
}

bool gateway_trust_list(struct gateway *g, const char *name, const char *signer,
                        struct span xml, const char *who, struct arena *a, int64_t *version,
                        const char **text, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    const struct config_certificate *old;
    struct pki_tsl list = { .authorities = NULL };
    bool taken = false, ok = true;

    old = in_use(sn, name, &taken);
    if (signer == NULL && old != NULL)
        signer = old->trust_list_signer;
    if (taken)
        ok = FAIL(err, FAIL_LOCAL, 409, "certificate '%s' is there already, and no trust list",
                  name);
    else if (signer == NULL)
        ok = FAIL(err, FAIL_LOCAL, 400, "say who must have signed it: signer, a certificate");
    ok = ok && read_list(sn, signer, xml, &list, err) && newer(old, signer, &list, err);
    if (ok && sk_X509_num(list.authorities) == 0)
        ok = FAIL(err, FAIL_LOCAL, 422, "the trust list has no authority in accord");
    ok = ok && apply_list(g, name, signer, old, &list, who, a, version, err);
    if (ok) {
        int64_t next = pki_tsl_time(list.next);
        bool late = next != 0 && next < net_wall_ms() / 1000;

        *text = arena_printf(
            a, "%s, number %llu of %s, %d authorities, next update %s%s", list.scheme,
            (unsigned long long)list.sequence, list.issued, sk_X509_num(list.authorities),
            list.next[0] == '\0' ? "open" : list.next, late ? ": overdue" : "");
        log_event(late ? LOG_WARN : LOG_INFO, "trust_list.applied", "certificate", name, "list",
                  *text, "who", who, NULL);
    } else {
        log_event(LOG_ERROR, "trust_list.refused", "certificate", name, "reason", err->text,
                  "who", who, NULL);
    }
    pki_tsl_free(&list);
    snapshot_put(sn);
    return ok && (*text != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory"));
}
