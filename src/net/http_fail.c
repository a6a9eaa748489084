/* Why a call failed: for a person, and sorted for who must decide whether to try again (as2.md
 * 6.3). */
#include "net/http_client_int.h"

/* What we ended ourselves; libcurl only knows that we did. */
static bool explain_ours(const struct http_transfer *t, struct err *err)
{
    const struct http_call *call = t->call;

    if (t->forbidden)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_FORBIDDEN,
                    "its address %s is none of the public Internet, where only those may be "
                    "called",
                    t->address);
    if (t->own_failed)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "%s", t->own_err.text);
    if (t->read_failed)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "the body could not be read");
    if (t->write_stopped)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_STOPPED, "the answer was not taken to its end");
    if (t->body_too_long)
        return FAIL(err, FAIL_PEER, HTTP_FAIL_ANSWER, "the answer has more than %zu octets",
                    call->answer_max > 0 ? call->answer_max : (size_t)HTTP_ANSWER_MAX);
    if (t->head_too_long)
        return FAIL(err, FAIL_PEER, HTTP_FAIL_ANSWER,
                    "the answer has more than %d octets of header", HTTP_HEAD_MAX);
    if (t->memory_out)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out");
    if (t->stopped)
        return FAIL(err, FAIL_AGAIN, HTTP_FAIL_STOPPED, "given up");
    return FAIL(err, FAIL_AGAIN, HTTP_FAIL_TIMEOUT, "timed out: nothing for %.1f s while %s",
                (double)t->silent_ms / 1000.0, t->silent);
}

static bool ours(const struct http_transfer *t)
{
    return t->forbidden || t->own_failed || t->read_failed || t->write_stopped ||
           t->body_too_long || t->head_too_long || t->memory_out || t->stopped ||
           t->silent != NULL;
}

/* With TLS 1.3 a server refuses our certificate only after the handshake, as we see it. */
static bool is_alert(const char *why)
{
    return strstr(why, " alert ") != NULL;
}

static bool explain_network(const struct http_transfer *t, CURLcode code, const char *why,
                            struct err *err)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return FAIL(err, FAIL_AGAIN, HTTP_FAIL_LOOKUP, "%s", why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return FAIL(err, FAIL_TRUST, HTTP_FAIL_TRUST, "%s", why);
    case CURLE_SSL_CERTPROBLEM:
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "%s", why);
    case CURLE_SSL_CONNECT_ERROR:
        return FAIL(err, FAIL_AGAIN, HTTP_FAIL_TLS, "TLS handshake: %s", why);
    case CURLE_OPERATION_TIMEDOUT:
        return FAIL(err, FAIL_AGAIN, t->requested ? HTTP_FAIL_TIMEOUT : HTTP_FAIL_SLOW, "%s",
                    why);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        if (!t->requested)
            break;
        return FAIL(err, FAIL_AGAIN, is_alert(why) ? HTTP_FAIL_TLS : HTTP_FAIL_LOST, "%s", why);
    default:
        if (!t->requested)
            break;
        return FAIL(err, FAIL_PEER, HTTP_FAIL_ANSWER, "%s", why);
    }
    return FAIL(err, FAIL_AGAIN, HTTP_FAIL_CONNECT, "%s", why);
}

bool http_transfer_explain(const struct http_transfer *t, CURLcode code, const char *why,
                           struct err *err)
{
    const struct http_call *call = t->call;

    if (!t->requested && !ours(t) &&
        (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL))
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "'%s' is no URL that can be called: %s",
                    call->url, why);
    if (ours(t))
        (void)explain_ours(t, err);
    else
        (void)explain_network(t, code, why, err);
    return err_context(err, "%s %s", call->method, call->url);
}
