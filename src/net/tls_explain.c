/* TLS failures in words that say what to do. */
#include "net/conn_int.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

enum {
    REASONS_MAX = 3, /* of OpenSSL's queue that are told */
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    SSL2_HELLO = 0x80, /* RFC 5246 E.2 */
};

/* Empties the queue. The first reason is the cause; the text tells all, once each. */
static int reasons(char *text, size_t cap)
{
    int first = 0, n = 0;
    unsigned long e;
    size_t at = 0;

    text[0] = '\0';
    while ((e = ERR_get_error()) != 0) {
        const char *reason = ERR_reason_error_string(e);

        if (first == 0)
            first = ERR_GET_REASON(e);
        if (reason == NULL || n == REASONS_MAX || strstr(text, reason) != NULL)
            continue;
        at += (size_t)snprintf(text + at, cap - at, "%s%s", n++ > 0 ? "; " : "", reason);
        if (at >= cap)
            at = cap - 1;
    }
    if (n == 0)
        (void)text_copy(text, cap, "no reason given");
    return first;
}

static bool explain_server_certificate(struct conn *c, struct err *err)
{
    const char *subject = c->verify_subject;
    const char *why = X509_verify_cert_error_string(c->verify_error);

    switch (c->verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return FAIL(err, FAIL_TRUST, 0,
                    "the partner's certificate (%s) is not for '%s': %s; correct host of the "
                    "partner, or set its verify_host_name: false",
                    subject, c->host != NULL ? c->host : "", why);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return FAIL(err, FAIL_TRUST, 0,
                    "the partner's certificate is not valid today: %s (%s); ask the partner to "
                    "renew it, and check this machine's clock",
                    why, subject);
    case X509_V_ERR_INVALID_PURPOSE:
        return FAIL(err, FAIL_TRUST, 0,
                    "the partner's certificate may not be used by a TLS server: %s (%s); ask "
                    "the partner for one with the extended key usage serverAuth",
                    why, subject);
    default:
        return FAIL(err, FAIL_TRUST, 0,
                    "the partner's certificate is not trusted: %s (%s); set "
                    "server_ssl_certificate of the partner to it or to its issuer",
                    why, subject);
    }
}

static bool explain_client_certificate(const struct conn *c, struct err *err)
{
    const char *subject = c->verify_subject;
    const char *why = X509_verify_cert_error_string(c->verify_error);

    switch (c->verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return FAIL(err, FAIL_TRUST, 0,
                    "the client's certificate is not valid today: %s (%s); ask the partner to "
                    "renew it, and check this machine's clock",
                    why, subject);
    case X509_V_ERR_INVALID_PURPOSE:
        return FAIL(err, FAIL_TRUST, 0,
                    "the client's certificate may not be used by a TLS client: %s (%s); ask "
                    "the partner for one with the extended key usage clientAuth",
                    why, subject);
    default:
        return FAIL(err, FAIL_TRUST, 0,
                    "the client's certificate is not trusted: %s (%s); set "
                    "client_ssl_certificate of the partner to it, or its issuer in "
                    "trusted_certificates of the endpoint",
                    why, subject);
    }
}

/* RFC 8446 6.2. The peer's word on us. */
static bool explain_alert(const struct conn *c, int alert, const char *text, struct err *err)
{
    const char *setting = SSL_is_server(c->ssl)
                              ? "give the partner the server_ssl_certificate of the endpoint"
                              : "give the partner our client_certificate of its component, "
                                "or set one there";

    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return FAIL(err, FAIL_TRUST, 0, "the peer refused our certificate (%s): %s", text,
                    setting);
    case SSL_AD_PROTOCOL_VERSION:
        return FAIL(err, FAIL_AGAIN, 0,
                    "no TLS version in common (%s): the peer must offer TLS 1.2 or 1.3", text);
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_INSUFFICIENT_SECURITY:
        return FAIL(err, FAIL_AGAIN, 0,
                    "the peer refused the handshake (%s): no cipher suite in common (TLS 1.2 "
                    "needs ECDHE or DHE with AES-GCM or ChaCha20), or it wants a client "
                    "certificate",
                    text);
    case SSL_AD_UNRECOGNIZED_NAME:
        return FAIL(err, FAIL_AGAIN, 0,
                    "the peer does not know the name it was called by (%s): correct host of "
                    "the partner",
                    text);
    default:
        return FAIL(err, FAIL_AGAIN, 0, "the peer ended TLS: %s", text);
    }
}

static bool explain_reason(struct conn *c, int reason, const char *text, struct err *err)
{
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return FAIL(err, FAIL_AGAIN, ECONNRESET,
                    c->established ? "the peer closed the connection without ending TLS (%s)"
                                   : "the peer closed the connection (%s); is this the port "
                                     "for TLS, and are we allowed to connect?",
                    text);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return FAIL(err, FAIL_TRUST, 0,
                    "the client showed no certificate (%s), but require_client_ssl of the "
                    "endpoint is set: ask the partner to send one",
                    text);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return FAIL(err, FAIL_AGAIN, 0,
                    "no TLS version in common (%s): the peer must offer TLS 1.2 or 1.3", text);
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_WRONG_CIPHER_RETURNED:
        return FAIL(err, FAIL_AGAIN, 0,
                    "no cipher suite in common (%s): with TLS 1.2 the peer must offer ECDHE or "
                    "DHE with AES-GCM or ChaCha20",
                    text);
    default:
        return FAIL(err, FAIL_AGAIN, 0, "TLS failed: %s", text);
    }
}

static bool is_plain(const struct conn *c)
{
    return !c->established && c->has_first && c->first != RECORD_HANDSHAKE &&
           c->first != RECORD_ALERT && c->first != SSL2_HELLO;
}

bool tls_explain(struct conn *c, int ssl_error, struct err *err)
{
    char text[160];
    int reason = reasons(text, sizeof(text));

    if (ssl_error == SSL_ERROR_SYSCALL || reason == 0) {
        if (c->io_errno == 0)
            return FAIL(err, FAIL_AGAIN, ECONNRESET, "the peer closed the connection");
        return FAIL(err, FAIL_AGAIN, c->io_errno, "the connection broke: %s",
                    strerror(c->io_errno));
    }
    if (c->verify_error != X509_V_OK)
        return SSL_is_server(c->ssl) ? explain_client_certificate(c, err)
                                     : explain_server_certificate(c, err);
    if (is_plain(c))
        return FAIL(err, FAIL_AGAIN, 0,
                    "the peer does not speak TLS (got plain octets, the first is 0x%02x: %s); "
                    "is this the right port?",
                    c->first, text);
    if (reason >= SSL_AD_REASON_OFFSET)
        return explain_alert(c, reason - SSL_AD_REASON_OFFSET, text, err);
    return explain_reason(c, reason, text, err);
}
