/* TLS contexts: what every connection of an endpoint or to a partner has in common. */
#include "net/conn_int.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

/* RFC 9325 4.2: ephemeral keys and authenticated encryption only. Everything in TLS 1.3 is. */
static const char ciphers_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:"
                                  "!aNULL:!eNULL:!PSK:!SRP:!aDSS";

enum { SECURITY_LEVEL = 2 }; /* 112 bits: RSA-2048, no SHA-1 in signatures */

static bool openssl_failed(const char *what, struct err *err)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long e = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = ERR_reason_error_string(e);

    ERR_clear_error();
    return FAIL(err, FAIL_LOCAL, 0, "%s: %s", what, reason != NULL ? reason : "unknown reason");
}

/* Lets the application words of a failed check be made later: OpenSSL keeps only the code. */
static int verified(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct conn *c = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    X509_STORE_CTX_verify_cb own = X509_STORE_get_verify_cb(X509_STORE_CTX_get0_store(store));

    if (own != NULL) /* revocation lists: pki_store_fill */
        ok = own(ok, store);
    if (ok == 0 && c != NULL && c->verify_error == X509_V_OK) {
        c->verify_error = X509_STORE_CTX_get_error(store);
        if (cert != NULL)
            pki_subject(cert, c->verify_subject, sizeof(c->verify_subject));
    }
    return ok;
}

/* That the peer holds the certificate's key is proven by the handshake all the same. */
static int any_certificate(X509_STORE_CTX *store, void *context)
{
    (void)context;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

bool tls_use_own(SSL_CTX *ctx, const struct pki_certificate *cert, struct err *err)
{
    if (cert->key == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "the certificate has no private key: set its key_file");
    if (SSL_CTX_use_cert_and_key(ctx, cert->leaf, cert->key, cert->chain, 1) != 1)
        return openssl_failed("the certificate cannot be used for TLS", err);
    return true;
}

/* Every certificate given is an anchor, self-signed or not: RFC 5280 6.1.1 (d) leaves that to
 * us, and partners exchange end-entity certificates. */
bool tls_use_trust(SSL_CTX *ctx, const struct pki_certificate *trust, struct err *err)
{
    if (!pki_store_fill(SSL_CTX_get_cert_store(ctx), trust))
        return openssl_failed("the certificates to trust cannot be used", err);
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    return true;
}

static bool common(const SSL_METHOD *method, bool server, struct tls **out, struct err *err)
{
    struct tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return FAIL(err, FAIL_LOCAL, ENOMEM, "memory is out");
    atomic_init(&t->refs, 1);
    t->server = server;
    ERR_clear_error();
    t->ctx = SSL_CTX_new(method);
    if (t->ctx == NULL)
        goto out;
    SSL_CTX_set_security_level(t->ctx, SECURITY_LEVEL);
    if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(t->ctx, 0) != 1 ||
        SSL_CTX_set_cipher_list(t->ctx, ciphers_1_2) != 1 ||
        SSL_CTX_set_dh_auto(t->ctx, 1) != 1)
        goto out;
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(t->ctx, 0);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_NO_AUTO_CHAIN |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(t->ctx, 1);
    *out = t;
    return true;
out:
    tls_unref(t);
    return openssl_failed("set up TLS", err);
}

bool tls_server_new(const struct pki_certificate *cert, enum tls_peer peer,
                    const struct pki_certificate *trust, struct tls **out, struct err *err)
{
    bool any = peer == TLS_PEER_REQUIRED_ANY || (peer == TLS_PEER_OPTIONAL && trust == NULL);
    int mode = SSL_VERIFY_NONE;
    struct tls *t = NULL;

    if (peer == TLS_PEER_REQUIRED && trust == NULL)
        return FAIL(err, FAIL_LOCAL, 0,
                    "client certificates are required, but none is trusted: set "
                    "trusted_certificates of the endpoint or client_ssl_certificate of a "
                    "partner");
    if (!common(TLS_server_method(), true, &t, err))
        return false;
    if (!tls_use_own(t->ctx, cert, err))
        goto out;
    if (peer != TLS_PEER_NONE && !any && !tls_use_trust(t->ctx, trust, err))
        goto out;
    if (any)
        SSL_CTX_set_cert_verify_callback(t->ctx, any_certificate, NULL);
    if (peer != TLS_PEER_NONE)
        mode = SSL_VERIFY_PEER;
    if (peer == TLS_PEER_REQUIRED || peer == TLS_PEER_REQUIRED_ANY)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    /* No list of authorities is sent: with pinned certificates it would keep clients from
     * showing the very certificate we wait for. */
    SSL_CTX_set_verify(t->ctx, mode, verified);
    *out = t;
    t = NULL;
out:
    tls_unref(t);
    return t == NULL;
}

bool tls_client_new(const struct pki_certificate *cert, const struct pki_certificate *trust,
                    struct tls **out, struct err *err)
{
    struct tls *t = NULL;

    if (!common(TLS_client_method(), false, &t, err))
        return false;
    if (cert != NULL && !tls_use_own(t->ctx, cert, err))
        goto out;
    if (trust != NULL && !tls_use_trust(t->ctx, trust, err))
        goto out;
    if (trust == NULL && SSL_CTX_set_default_verify_paths(t->ctx) != 1) {
        openssl_failed("load the system's certificate authorities", err);
        goto out;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, verified);
    *out = t;
    t = NULL;
out:
    tls_unref(t);
    return t == NULL;
}

struct tls *tls_ref(struct tls *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tls_unref(struct tls *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}
