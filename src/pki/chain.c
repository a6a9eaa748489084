/* Chains up to the authorities that are configured, and their revocation lists. */
#include "pki/pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

enum { CRLS_MAX = 100, AUTH_LEVEL = 2 /* as TLS: 112 bits, no SHA-1 */ };

/* clang-format off */
bool pki_crls_read(struct span text, STACK_OF(X509_CRL) **out)
/* clang-format on */
{
    STACK_OF(X509_CRL) *list = sk_X509_CRL_new_null();
    X509_CRL *crl = NULL;
    BIO *bio = NULL;
    bool ok = list != NULL && text.n > 0 && text.n <= PKI_CRL_MAX;

    if (ok && text.p[0] == 0x30)
        ok = pki_crl_read(text, &crl) && sk_X509_CRL_push(list, crl) > 0;
    else if (ok && (bio = BIO_new_mem_buf(text.p, (int)text.n)) != NULL)
        while (ok && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
            ok = sk_X509_CRL_num(list) < CRLS_MAX && sk_X509_CRL_push(list, crl) > 0;
    if (!ok)
        X509_CRL_free(crl);
    /* a damaged one behind good ones is no end of the text */
    if (bio != NULL && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ok = false;
    ok = ok && sk_X509_CRL_num(list) > 0;
    ERR_clear_error();
    BIO_free(bio);
    if (ok)
        *out = list;
    else
        sk_X509_CRL_pop_free(list, X509_CRL_free);
    return ok;
}

/* clang-format off */
int64_t pki_crls_next(const STACK_OF(X509_CRL) *crls)
/* clang-format on */
{
    int64_t first = INT64_MAX, s;

    for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
        const ASN1_TIME *next = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(crls, i));

        if (next != NULL && pki_time(next, &s) && s < first)
            first = s;
    }
    return first;
}

/* Makes an overdue list, or one that is missing, no reason to refuse, unless strict. */
static int revocation(int ok, X509_STORE_CTX *ctx, bool strict)
{
    int error = X509_STORE_CTX_get_error(ctx);
    bool missing =
        error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER;

    if (ok != 0 || (!missing && error != X509_V_ERR_CRL_HAS_EXPIRED))
        return ok;
    /* A list of an authority's own issuer is not asked for. */
    if (strict && !(missing && X509_STORE_CTX_get_error_depth(ctx) > 0))
        return 0;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static int lenient(int ok, X509_STORE_CTX *ctx)
{
    return revocation(ok, ctx, false);
}

static int strict(int ok, X509_STORE_CTX *ctx)
{
    return revocation(ok, ctx, true);
}

bool pki_store_fill(X509_STORE *store, const struct pki_certificate *anchors)
{
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    bool ok = X509_STORE_add_cert(store, anchors->leaf) == 1;

    for (int i = 0; ok && i < sk_X509_num(anchors->chain); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(anchors->chain, i)) == 1;
    for (int i = 0; ok && i < sk_X509_CRL_num(anchors->crls); i++)
        ok = X509_STORE_add_crl(store, sk_X509_CRL_value(anchors->crls, i)) == 1;
    if (sk_X509_CRL_num(anchors->crls) > 0)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_STORE_set_verify_cb(store, anchors->crl_strict ? strict : lenient);
    return ok && X509_STORE_set_flags(store, flags) == 1;
}

/* clang-format off */
bool pki_chain_ok(const X509 *leaf, STACK_OF(X509) *inside, const struct pki_certificate *anchors,
                  int64_t at_s, const char **why)
/* clang-format on */
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    bool ok = false;

    *why = "memory is out";
    if (store == NULL || ctx == NULL || !pki_store_fill(store, anchors) ||
        X509_STORE_CTX_init(ctx, store, (X509 *)(uintptr_t)leaf, inside) != 1)
        goto out;
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at_s);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    ok = X509_verify_cert(ctx) == 1;
    *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
out:
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}
