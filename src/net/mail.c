#include "net/mail.h"
#include "net/http_client_int.h"

struct transfer {
    const struct mail_call *call;
    struct span left;
};

static size_t give(char *to, size_t size, size_t n, void *context)
{
    struct transfer *t = context;
    size_t take = size * n < t->left.n ? size * n : t->left.n;

    memcpy(to, t->left.p, take);
    span_skip(&t->left, take);
    return take;
}

static int look(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *t = context;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return t->call->stop != NULL && t->call->stop(t->call->stop_context);
}

static size_t drop(char *from, size_t size, size_t n, void *context)
{
    (void)from;
    (void)context;
    return size * n;
}

#define SET(option, value) ok = ok && curl_easy_setopt(h, (option), (value)) == CURLE_OK

static bool set_options(CURL *h, struct transfer *t, struct curl_slist *to, char *why)
{
    const struct mail_call *call = t->call;
    long tls = call->tls == MAIL_TLS_REQUIRED  ? CURLUSESSL_ALL
               : call->tls == MAIL_TLS_OFFERED ? CURLUSESSL_TRY
                                               : CURLUSESSL_NONE;
    bool ok = true;

    SET(CURLOPT_ERRORBUFFER, why);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_URL, call->server);
    SET(CURLOPT_USE_SSL, tls);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY, "");
    if (call->ca_file != NULL) {
        SET(CURLOPT_CAINFO, call->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_MAIL_FROM, call->from);
    SET(CURLOPT_MAIL_RCPT, to);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, give);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_WRITEFUNCTION, drop);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, look);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    if (call->user != NULL) {
        SET(CURLOPT_USERNAME, call->user);
        SET(CURLOPT_PASSWORD, call->password == NULL ? "" : call->password);
    }
    return ok;
}

/* Which setting to look at; they are those of alerts.mail, the only one who sends mail. */
static const char *look_at(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; its certificate must be for this host, and of one of the system's authorities or "
               "of alerts.mail.ca_file";
    case CURLE_SSL_CACERT_BADFILE:
        return "; see alerts.mail.ca_file";
    case CURLE_LOGIN_DENIED:
        return "; see alerts.mail.user and alerts.mail.password";
    case CURLE_USE_SSL_FAILED:
        return "; it has no STARTTLS, and alerts.mail.tls is required";
    default:
        return "";
    }
}

bool mail_send(const struct mail_call *call, struct err *err)
{
    struct transfer t = { call, call->message };
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *to = NULL;
    CURL *h = http_pool_ready() ? curl_easy_init() : NULL;
    bool ok = h != NULL;
    CURLcode code;

    for (size_t i = 0; ok && call->to[i] != NULL; i++) {
        struct curl_slist *more = curl_slist_append(to, call->to[i]);

        ok = more != NULL;
        to = ok ? more : to;
    }
    if (!ok || !set_options(h, &t, to, why)) {
        ok = FAIL(err, FAIL_LOCAL, 0, "memory is out, or libcurl lacks what we need");
    } else {
        code = curl_easy_perform(h);
        if (code != CURLE_OK) {
            long status = 0;
            char last[60];

            (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
            (void)snprintf(last, sizeof(last), " (last answer of the server: %ld)", status);
            ok = FAIL(err, FAIL_AGAIN, 0, "%s: %s%s%s", call->server,
                      why[0] != '\0' ? why : curl_easy_strerror(code), look_at(code),
                      status != 0 ? last : "");
        }
    }
    curl_slist_free_all(to);
    curl_easy_cleanup(h);
    return ok;
}
