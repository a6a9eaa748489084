/* The OFTP2 server: what its connections do. */
#include "gateway/acceptor.h"
#include "gateway/session_int.h"

#include "base/writer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDSHAKE_MS = 30000 };

/* ESID(08) in place of SSRM, where no TLS is in the way: the protocol's own word for "later". */
static void turn_away(int fd, bool plain)
{
    struct oftp_esid_command c = { .reas = ESID_RESOURCES };
    uint8_t octets[OFTP_STH + 1100];
    struct writer w = writer_of(octets + OFTP_STH, sizeof(octets) - OFTP_STH);
    struct err err;

    (void)text_copy(c.reast, sizeof(c.reast), "too many connections: try again later");
    if (plain && oftp_write_esid(&w, OFTP_20, &c, &err)) {
        size_t n = w.n + OFTP_STH;

        octets[0] = 0x10;
        octets[1] = 0;
        octets[2] = (uint8_t)(n >> 8);
        octets[3] = (uint8_t)n;
        (void)send(fd, octets, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    (void)close(fd);
}

static void serve(struct gateway *g, int fd, size_t endpoint, const char *address)
{
    const struct config_oftp2_endpoint *cfg = &g->rt->oftp2_server.endpoints[endpoint];
    struct snapshot *sn = gateway_snapshot(g);
    const struct endpoint_tls *et = &sn->endpoints[endpoint];
    struct tls *tls = et->tls == NULL ? NULL : tls_ref(et->tls);
    bool wants_tls = cfg->session_level_encryption;
    struct conn *c = NULL;
    struct session *s;
    struct err err = { 0 };
    bool accepted;

    net_heed(&g->stopping); /* who has not said a word yet is not waited for */
    accepted = (!wants_tls || tls != NULL) &&
               conn_accept(fd, tls, net_now_ms() + HANDSHAKE_MS, &c, &err);
    net_heed(NULL);
    if (wants_tls && tls == NULL) {
        log_event(LOG_ERROR, "oftp2.endpoint.tls", "port", log_num(cfg->port), "address",
                  address, "reason", et->error, NULL);
        (void)close(fd);
    } else if (!accepted) {
        log_event(LOG_WARN, "oftp2.connection.failed", "address", address, "reason", err.text,
                  NULL);
    } else if ((s = session_new(g, c, false)) != NULL) {
        s->certificate_vouched = cfg->trusted_certificates != NULL;
        s->certificate_needed = cfg->require_client_ssl;
        if (session_link(s)) {
            session_run(s);
            session_unlink(s);
        }
        conn_close(c, net_now_ms() + 2000);
        session_free(s);
    }
    tls_unref(tls);
    snapshot_put(sn);
}

bool oftp2_server_start(struct gateway *g, struct acceptor **out, struct err *err)
{
    const struct config_oftp2_server *os = &g->rt->oftp2_server;
    const struct acceptor_config cfg = { .protocol = "oftp2",
                                         .section = "oftp2_server",
                                         .max_connections = os->max_connections,
                                         .max_connections_per_address =
                                             os->max_connections_per_address,
                                         .turn_away = turn_away,
                                         .serve = serve };
    struct acceptor_endpoint *list = calloc(os->endpoints_n + 1, sizeof(*list));
    bool ok = list != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    for (size_t i = 0; ok && i < os->endpoints_n; i++)
        list[i] = (struct acceptor_endpoint) { .host = os->endpoints[i].host,
                                               .port = os->endpoints[i].port,
                                               .tls = os->endpoints[i].session_level_encryption,
                                               .line = os->endpoints[i].at.line };
    ok = ok && acceptor_start(g, &cfg, list, os->endpoints_n, out, err);
    free(list);
    return ok;
}
