/* `waybill test` of a partner that is posted to: connects, does TLS, asks for the head of its URL. */
#include "gateway/as2_post.h"

enum { TEST_ANSWER_MS = 60000, TEXT_CAP = 8 * 1024, TRACE_MAX = 8 + HTTP_FIELDS_MAX };

struct testing {
    struct gateway *g;
    const struct partner *p;
    struct arena *a;
    struct gateway_test *r;
    struct http_call call;
    struct http_url url;
    size_t lines_left; /* that the trace has room for */
};

/* What went over the wire, for the operator. Taken from the arena; what is not ASCII becomes '?'. */
static void trace(struct testing *t, char *line)
{
    if (line == NULL || t->lines_left == 0)
        return;
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7E)
            *p = '?';
    t->r->trace[t->r->trace_n++] = line;
    t->lines_left--;
}

/* Room behind what a test of OFTP2 has said. */
static void trace_room(struct testing *t)
{
    const char **all = arena_take(t->a, sizeof(*all) * (t->r->trace_n + TRACE_MAX));

    if (all == NULL)
        return;
    if (t->r->trace_n > 0)
        memcpy(all, t->r->trace, sizeof(*all) * t->r->trace_n);
    t->r->trace = all;
    t->lines_left = TRACE_MAX;
}

static void trace_reply(struct testing *t, const struct http_reply *reply)
{
    trace(t, arena_printf(t->a, "< HTTP %d", reply->status));
    for (size_t i = 0; i < reply->fields_n; i++)
        trace(t, arena_printf(t->a, "< %.100s: %.500s", reply->fields[i].name,
                              reply->fields[i].value));
}

/* Connects as a post would and hangs up; what certificate was shown is told. */
static bool test_tls(struct testing *t)
{
    char subject[200] = "", *today;
    uint64_t since = net_now_ms();
    int64_t from = 0, to = 0;
    struct tls *tls = NULL;
    struct conn *c = NULL;
    struct err err = { 0 };
    bool ok;

    ok = !t->url.tls || tls_client_new(t->call.certificate, t->call.trust, &tls, &err);
    net_heed(&t->g->stop_requested);
    ok = ok && conn_dial(t->url.host, t->url.port, tls, !t->call.any_host_name,
                         since + t->call.connect_ms, &c, &err);
    net_heed(NULL);
    tls_unref(tls);
    if (!ok) {
        gateway_test_add(
            t->r, t->a, "AS2 connect", false, since,
            err.kind == FAIL_TRUST
                ? arena_printf(t->a, "%s: see as2.server_ssl_certificate", err.text)
                : err.text);
        return false;
    }
    gateway_test_add(t->r, t->a, "AS2 connect", true, since, conn_peer(c));
    trace(t, arena_printf(t->a, "= connected to %s", conn_peer(c)));
    if (t->url.tls) {
        const X509 *cert = conn_peer_certificate(c);

        if (cert != NULL)
            pki_subject(cert, subject, sizeof(subject));
        today = cert != NULL && pki_validity(cert, &from, &to)
                    ? arena_printf(t->a, ", %lld days left",
                                   (long long)((to - net_wall_ms() / 1000) / 86400))
                    : arena_text(t->a, "");
        gateway_test_add(t->r, t->a, "AS2 TLS", true, since,
                         arena_printf(t->a, "%s, %s%s", conn_tls_text(c), subject, today));
        trace(t, arena_printf(t->a, "= TLS %s", conn_tls_text(c)));
        trace(t, arena_printf(t->a, "= certificate %s%s", subject, today));
    }
    conn_close(c, net_now_ms() + 1000);
    return true;
}

/* What a status says of the URL and the credentials; HEAD itself need not be known there. */
static const char *advice(int status)
{
    switch (status) {
    case 401:
        return ": see as2.our_username and our_password";
    case 403:
        return ": the partner does not let us in (certificate, address or credentials)";
    case 404:
    case 410:
        return ": see the path of as2.url";
    case 405:
    case 501:
        return ": HEAD is not known there, which is no harm";
    default:
        return "";
    }
}

static void test_head(struct testing *t)
{
    struct http_reply *reply = arena_take(t->a, sizeof(*reply));
    uint64_t since = net_now_ms();
    struct err err = { 0 };
    const char *server;
    int s;

    trace(t, arena_printf(t->a, "> HEAD %s%s", t->call.url,
                          t->call.user != NULL ? ", with credentials" : ""));
    if (reply == NULL || !http_call(&t->call, t->a, reply, &err)) {
        trace(t, arena_printf(t->a, "! %s", reply == NULL ? "out of memory" : err.text));
        gateway_test_add(t->r, t->a, "AS2 HEAD", false, since,
                         reply == NULL ? "out of memory" : err.text);
        return;
    }
    trace_reply(t, reply);
    s = reply->status;
    server = http_reply_header(reply, "Server");
    gateway_test_add(
        t->r, t->a, "AS2 HEAD", (s >= 200 && s < 300) || s == 405 || s == 501, since,
        arena_printf(t->a, "HTTP %d%s%.200s%s%s%s%.100s", s,
                     reply->redirect_url != NULL ? ", redirected to " : "",
                     reply->redirect_url != NULL ? reply->redirect_url : "", advice(s),
                     t->call.user != NULL ? ", with credentials" : "",
                     server != NULL ? ", from " : "", server != NULL ? server : ""));
}

void as2_test_partner(struct gateway *g, const struct snapshot *sn, const struct partner *p,
                      struct arena *a, struct gateway_test *r)
{
    struct testing t = { .g = g, .p = p, .a = a, .r = r };
    struct err err = { 0 };

    trace_room(&t);
    if (p->as2_out.send_error != NULL ||
        !http_url_check(p->as2_out.cfg->url, a, &t.url, &err)) {
        gateway_test_add(r, a, "AS2 connect", false, net_now_ms(),
                         p->as2_out.send_error != NULL ? p->as2_out.send_error : err.text);
        return;
    }
    post_reach(&t.call, sn, p, g);
    t.call.method = "HEAD";
    t.call.url = t.url.url;
    t.call.user = p->as2_out.cfg->username;
    t.call.password = p->as2_out.password;
    t.call.clear_credentials = true;
    t.call.answer_ms = t.call.timeout_ms = TEST_ANSWER_MS;
    t.call.answer_max = TEXT_CAP;
    t.call.answer_cut = true;
    if (t.call.proxy[0] != '\0' || test_tls(&t))
        test_head(&t);
}
