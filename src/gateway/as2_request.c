/* The AS2 server: requests, from the head to whoever takes the body. as2.md 1, 4.7, 4.8, 5.1 steps 0
 * to 7. */
#include "gateway/acceptor.h"
#include "gateway/as2_restart.h"

#include "config/ip_filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDSHAKE_MS = 30000, PEEK_MAX = 64 * 1024 };

/* ---- refusals -------------------------------------------------------------------------------- */

void as2_refuse(struct gateway *g, struct http_request *r, int status, const char *text,
                const char *extra, const char *reason, const char *look_at)
{
    char line[160];
    struct err ignored;
    const char *from = http_header(r, "AS2-From");

    atomic_fetch_add(&g->n.logons_refused, 1);
    log_event(LOG_WARN, "as2.request.refused", "address", r->address, "as2_from", from,
              "as2_to", http_header(r, "AS2-To"), "status", log_num(status), "reason", reason,
              "look_at", look_at, NULL);
    as2_trace(g, 0, from == NULL ? "" : from, from == NULL ? "" : from, "< HTTP %d: %s", status,
              reason);
    (void)snprintf(line, sizeof(line), "%s\n", text);
    (void)!http_answer(r, status, text[0] != '\0' ? "text/plain; charset=utf-8" : NULL, extra,
                       span_text(text[0] != '\0' ? line : ""), &ignored);
}

void as2_trace(struct gateway *g, int64_t session, const char *partner, const char *code,
               const char *fmt, ...)
{
    char line[600];
    va_list args;

    if (!trace_wanted(g->trace))
        return;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    trace_line(g->trace, session, partner == NULL ? "" : partner, code == NULL ? "" : code,
               line);
}

/* ---- who is it ------------------------------------------------------------------------------- */

/* "Basic dXNlcjpwYXNz" against what is agreed, without telling by time which half was wrong. */
static bool basic_fits(const struct as2_side *side, const char *header)
{
    uint8_t *plain = NULL;
    struct err ignored;
    size_t n = 0;
    char both[2 * SECRET_MAX + 2], given[2 * SECRET_MAX + 2] = "";
    bool fits;

    if (header == NULL || strncasecmp(header, "Basic ", 6) != 0 ||
        strlen(header) > 2 * sizeof(given))
        return false;
    if (mime_decode_octets(MIME_BASE64, span_text(header + 6), &plain, &n, &ignored) &&
        n < sizeof(given) && memchr(plain, 0, n) == NULL) {
        memcpy(given, plain, n);
        given[n] = '\0';
    }
    (void)snprintf(both, sizeof(both), "%s:%s", side->username,
                   side->password == NULL ? "" : side->password);
    fits = secret_equal(both, given) && side->password != NULL;
    OPENSSL_cleanse(both, sizeof(both));
    OPENSSL_cleanse(given, sizeof(given));
    if (plain != NULL)
        OPENSSL_cleanse(plain, n);
    free(plain);
    return fits;
}

static void refuse_side(struct gateway *g, struct http_request *r, const char *listener,
                        int status, const char *extra, const char *reason, const char *look_at)
{
    as2_refuse(g, r, status, "", extra, reason, look_at);
    gateway_listener_error(g, listener, reason);
}

/* Address, client certificate and password of this side; answers when they do not fit. */
static bool admitted(struct gateway *g, struct http_request *r, const struct as2_side *side,
                     const char *listener, struct as2_head *head)
{
    if (!ip_filter_allows(side->cfg->ip_filter, r->address)) {
        refuse_side(g, r, listener, 403, NULL, "the address is not among those agreed",
                    "from.ip_filter");
        return false;
    }
    if (side->cfg->client_ssl_certificate != NULL) {
        if (!certificate_shown(side->client_ssl, r->certificate)) {
            refuse_side(g, r, listener, 403, NULL,
                        r->certificate == NULL
                            ? "no client certificate was shown, and one is agreed"
                            : "the client certificate is not the one agreed for this AS2-From",
                        "from.client_ssl_certificate");
            return false;
        }
        head->authenticated = true;
    }
    if (side->username != NULL) {
        if (!basic_fits(side, http_header(r, "Authorization"))) {
            refuse_side(g, r, listener, 401, "WWW-Authenticate: Basic realm=\"AS2\"\r\n",
                        "user name and password are missing or wrong", "from.username");
            return false;
        }
        head->authenticated = true;
    }
    return true;
}

/* AS2-From, AS2-To, Message-ID; answers when they are not what they must be. */
static bool read_head(struct gateway *g, struct http_request *r, struct as2_head *h)
{
    /* what two readers could take for two messages: as2.md 11.1 #19 */
    static const char *const single[] = { "Content-Type", "Content-Transfer-Encoding",
                                          "Content-Disposition",
                                          "Disposition-Notification-Options",
                                          "Receipt-Delivery-Option" };
    const char *ignored;
    bool once = http_header_once(r, "AS2-From", &h->from_raw) &&
                http_header_once(r, "AS2-To", &h->to_raw) &&
                http_header_once(r, "Message-ID", &h->message_id);

    if (!once) {
        as2_refuse(g, r, 400, "AS2-From, AS2-To or Message-ID is there twice", NULL,
                   "a header that identifies the message is there twice, with two values",
                   NULL);
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(single); i++)
        if (!http_header_once(r, single[i], &ignored)) {
            as2_refuse(g, r, 400, "a header that may stand there once has two values", NULL,
                       arena_printf(&r->arena, "%s is there twice, with two values", single[i]),
                       "the partner's program");
            return false;
        }
    if (h->from_raw == NULL || h->to_raw == NULL || !as2_name_read(h->from_raw, h->from) ||
        !as2_name_read(h->to_raw, h->to)) {
        as2_refuse(g, r, 400, "AS2-From or AS2-To is missing or not legal", NULL,
                   "AS2-From or AS2-To is missing or not legal", NULL);
        return false;
    }
    return true;
}

static bool has_blank(const char *name)
{
    return strchr(name, ' ') != NULL;
}

/* An unquoted name with a blank may end there: as2.md 1.2. */
static void cut_at_blank(const char *raw, char *name)
{
    if (raw[0] != '"' && has_blank(name))
        *strchr(name, ' ') = '\0';
}

struct relation {
    const struct listener *l;      /* NULL: only MDNs are taken */
    const struct partner *partner; /* for MDNs */
    const struct identity *us;
};

static struct relation look_up(const struct snapshot *sn, const char *from, const char *to)
{
    return (struct relation) { snapshot_as2_listener(sn, from, to),
                               snapshot_partner_of_as2(sn, from),
                               snapshot_identity_of_as2(sn, to) };
}

static bool is_known(const struct relation *rel)
{
    return rel->l != NULL || (rel->partner != NULL && rel->us != NULL);
}

static struct relation relation_of(const struct snapshot *sn, struct as2_head *h)
{
    struct relation rel = look_up(sn, h->from, h->to);

    if (!is_known(&rel) && (has_blank(h->from) || has_blank(h->to))) {
        cut_at_blank(h->from_raw, h->from);
        cut_at_blank(h->to_raw, h->to);
        rel = look_up(sn, h->from, h->to);
        if (is_known(&rel))
            log_event(LOG_WARN, "as2.name.blank", "as2_from", h->from_raw, "as2_to", h->to_raw,
                      "reason", "a name with a blank is not quoted: read up to the blank",
                      NULL);
    }
    return rel;
}

/* Nothing tells which of the two names is unknown: as2.md 4.7. */
static void refuse_unknown(struct gateway *g, const struct snapshot *sn, struct http_request *r,
                           const struct as2_head *h)
{
    struct document d = { .id = 0, .partner = "" };
    struct as2_receipt_plan plan = { .mdn = true };
    struct arena a = { 0 };
    struct span mdn = { NULL, 0 }, body;
    const char *headers = NULL;
    struct err err = { 0 };
    bool wants = http_header(r, "Disposition-Notification-To") != NULL;
    const char *delivery = http_header(r, "Receipt-Delivery-Option");
    bool async = delivery != NULL && delivery[0] != '\0';

    if (g->rt->as2_server.answer_unknown && wants && !async && h->message_id != NULL) {
        props_set(&d.props, &a, AS2_TO_RAW, h->to_raw);
        props_set(&d.props, &a, AS2_FROM_RAW, h->from_raw);
        props_set(&d.props, &a, AS2_MESSAGE_ID, h->message_id);
        if (as2_mdn_compose(g, sn, NULL, NULL, &d, &plan, AS2_UNKNOWN_PARTNER, NULL, NULL, &a,
                            &mdn, &err))
            as2_answer_split(mdn, &a, &headers, &body);
    }
    if (headers != NULL) {
        log_event(LOG_WARN, "as2.request.refused", "address", r->address, "as2_from",
                  h->from_raw, "as2_to", h->to_raw, "reason",
                  "no process has this from.as2_id together with this to.as2_id", "answer",
                  "unknown-trading-partner", NULL);
        (void)!http_answer(r, 200, NULL, headers, body, &err);
    } else {
        as2_refuse(g, r, 403, "", NULL,
                   "no process has this from.as2_id together with this to.as2_id",
                   "start.operation.from, to; `waybill listeners`");
    }
    arena_free(&a);
}

/* ---- MDNs of partners ------------------------------------------------------------------------- */

static bool collect(struct http_request *r, struct span first, struct arena *a,
                    struct span *body, struct err *err)
{
    size_t cap = r->has_length && r->length < AS2_MDN_MAX ? r->length : AS2_MDN_MAX;
    uint8_t *p = arena_take(a, cap + 1);
    size_t n = first.n, got = 1;

    if (p == NULL || n > cap)
        return FAIL(err, FAIL_PEER, 413, "an MDN of more than %d octets", AS2_MDN_MAX);
    memcpy(p, first.p, n);
    while (got > 0) {
        if (!http_body(r, (struct room) { p + n, cap + 1 - n }, &got, err))
            return false;
        n += got;
        if (n > cap && got > 0)
            return FAIL(err, FAIL_PEER, 413, "an MDN of more than %d octets", AS2_MDN_MAX);
    }
    *body = span_of(p, n);
    return true;
}

static void take_mdn(struct gateway *g, const struct snapshot *sn, const struct as2_head *h,
                     struct http_request *r, struct span first)
{
    struct arena a = { 0 };
    struct as2_mdn_source src = { .authenticated = h->authenticated,
                                  .from = h->from,
                                  .to = h->to };
    struct mime_field *fields = arena_take(&a, sizeof(*fields) * (r->fields_n + 1));
    struct err err = { 0 };
    enum as2_settled settled;
    int status = 503;
    bool ok = fields != NULL && collect(r, first, &a, &src.body, &err);

    if (ok) {
        for (size_t i = 0; i < r->fields_n; i++)
            fields[i] = (struct mime_field) { r->fields[i].name, r->fields[i].value };
        src.head = (struct mime_head) { fields, r->fields_n };
        ok = as2_mdn_take(g, sn, &src, &status, &settled, &err);
        status = ok ? status : 503;
    } else if (err.wire >= 400 && err.wire < 500) {
        status = err.wire;
    }
    as2_trace(g, 0, h->from, h->from, "> MDN, answered HTTP %d", status);
    if (ok && status < 300)
        (void)!http_answer(r, status, NULL, NULL, span_of(NULL, 0), &err);
    else
        as2_refuse(g, r, status, "the MDN was not taken",
                   status == 503 ? "Retry-After: 60\r\n" : NULL, err.text, NULL);
    arena_free(&a);
}

/* ---- one request ------------------------------------------------------------------------------- */

/* Reads so much of the body that a message and an MDN can be told apart. */
static bool peek(struct http_request *r, struct room buffer, size_t *n, bool *is_mdn,
                 struct err *err)
{
    const char *type = http_header(r, "Content-Type");
    bool more = false;
    size_t got = 1;

    *n = 0;
    *is_mdn = type != NULL && as2_is_mdn(type, span_of(buffer.p, 0), &more);
    while (type != NULL && more && got > 0 && *n < buffer.n) {
        if (!http_body(r, (struct room) { buffer.p + *n, buffer.n - *n }, &got, err))
            return false;
        *n += got;
        *is_mdn = as2_is_mdn(type, span_of(buffer.p, *n), &more);
    }
    return true;
}

/* How much is held of a transfer that was cut, for the partner it is of: as2.md 8.6. 0 else. */
static void answer_head(struct gateway *g, struct http_request *r)
{
    const char *etag = http_header(r, "ETag");
    struct as2_head h = { 0 };
    struct snapshot *sn;
    struct relation rel;
    struct err ignored;
    uint64_t held = 0;

    if (etag == NULL || !http_header_once(r, "AS2-From", &h.from_raw) ||
        !http_header_once(r, "AS2-To", &h.to_raw) || h.from_raw == NULL || h.to_raw == NULL ||
        !as2_name_read(h.from_raw, h.from) || !as2_name_read(h.to_raw, h.to)) {
        (void)!http_answer(r, 200, NULL, NULL, span_of(NULL, 0), &ignored);
        return;
    }
    sn = gateway_snapshot(g);
    rel = relation_of(sn, &h);
    if (rel.l == NULL || rel.l->as2_from.cfg == NULL) {
        refuse_unknown(g, sn, r, &h);
    } else if (admitted(g, r, &rel.l->as2_from, rel.l->name, &h)) {
        held = as2_part_held(g, h.from, h.to, etag, &r->arena);
        if (http_answer_begin(r, 200, NULL, NULL, held, &ignored))
            (void)!http_answer_end(r, &ignored);
    }
    snapshot_put(sn);
}

/* What HTTP has to say before anything of AS2: as2.md 1.8. */
static bool http_fits(struct gateway *g, struct http_request *r)
{
    const struct config_as2_server *cfg = &g->rt->as2_server;
    const char *coding = http_header(r, "Content-Encoding");

    if (strcmp(r->path, cfg->path) != 0)
        as2_refuse(g, r, 404, "there is nothing here", NULL, "the path is not the server's",
                   "as2_server.path");
    else if (strcmp(r->method, "HEAD") == 0)
        answer_head(g, r);
    else if (strcmp(r->method, "POST") != 0)
        as2_refuse(g, r, 405, "AS2 messages are posted", "Allow: POST, HEAD\r\n",
                   "the method is not POST", NULL);
    else if (coding != NULL && strcasecmp(coding, "identity") != 0)
        as2_refuse(g, r, 415, "Content-Encoding is not used in AS2", NULL,
                   "the body has a Content-Encoding", "the partner's program");
    else if (!r->has_length && !r->chunked)
        as2_refuse(g, r, 411, "Content-Length or chunked encoding is needed", NULL,
                   "the request has neither Content-Length nor chunked encoding", NULL);
    else if (cfg->max_message_size != 0 && r->has_length && r->length > cfg->max_message_size)
        as2_refuse(g, r, 413, "the message is larger than is taken here", NULL,
                   "the message is too large", "as2_server.max_message_size");
    else if (r->has_length && r->length > payload_space(g->store))
        as2_refuse(g, r, 503, "", "Retry-After: 600\r\n", "not enough space for the message",
                   "free space below runtime.data_directory");
    else if (atomic_load(&g->stopping))
        as2_refuse(g, r, 503, "", "Retry-After: 60\r\n", "the runtime is being stopped", NULL);
    else
        return true;
    return false;
}

static bool in_service(struct gateway *g, struct http_request *r, const struct listener *l)
{
    if (l->state == LISTENER_LISTENING)
        return true;
    as2_refuse(g, r, 503, "out of service for now: try again later", "Retry-After: 300\r\n",
               l->state == LISTENER_PAUSED ? "the listener is paused" : l->reason,
               "`waybill listeners`");
    return false;
}

static void route(struct gateway *g, const struct snapshot *sn, struct http_request *r,
                  struct as2_head *h, struct room buffer)
{
    struct relation rel = relation_of(sn, h);
    const struct as2_side *side = rel.l != NULL         ? &rel.l->as2_from
                                  : rel.partner != NULL ? &rel.partner->as2
                                                        : NULL;
    struct err err = { 0 };
    bool is_mdn = false;
    size_t n = 0;

    if (!is_known(&rel) || side->cfg == NULL) {
        refuse_unknown(g, sn, r, h);
        return;
    }
    if (!admitted(g, r, side, rel.l != NULL ? rel.l->name : "", h))
        return;
    if (!peek(r, buffer, &n, &is_mdn, &err)) {
        if (err.kind == FAIL_PEER || err.wire == 408 || err.wire == 413)
            as2_refuse(g, r, err.wire, "the body is broken", NULL, err.text, NULL);
        else
            r->close = true;
    } else if (is_mdn) {
        take_mdn(g, sn, h, r, span_of(buffer.p, n));
    } else if (rel.l == NULL) {
        refuse_unknown(g, sn, r, h);
    } else if (h->message_id == NULL) {
        as2_refuse(g, r, 400, "Message-ID is missing", NULL, "Message-ID is missing", NULL);
    } else if (in_service(g, r, rel.l)) {
        as2_take_message(g, sn, rel.l, h, r, span_of(buffer.p, n));
    }
}

static void handle(void *context, struct http_request *r)
{
    struct gateway *g = context;
    struct as2_head h = { 0 };
    struct snapshot *sn;
    struct room buffer = { NULL, PEEK_MAX };
    struct err ignored;

    if (!http_fits(g, r) || !read_head(g, r, &h))
        return;
    r->body_max = g->rt->as2_server.max_message_size;
    if (r->has_length && r->length < PEEK_MAX)
        buffer.n = (size_t)r->length + 1; /* with one over there is room at the body's end */
    buffer.p = malloc(buffer.n);
    if (buffer.p == NULL) {
        (void)!http_answer(r, 503, NULL, "Retry-After: 60\r\n", span_of(NULL, 0), &ignored);
        return;
    }
    sn = gateway_snapshot(g);
    route(g, sn, r, &h, buffer);
    snapshot_put(sn);
    free(buffer.p);
}

/* ---- connections -------------------------------------------------------------------------------- */

/* HTTP's own word for "later", where no TLS is in the way. */
static void turn_away(int fd, bool plain)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";

    if (plain) {
        (void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    (void)close(fd);
}

static void serve(struct gateway *g, int fd, size_t endpoint, const char *address)
{
    const struct config_as2_server *cfg = &g->rt->as2_server;
    struct snapshot *sn = gateway_snapshot(g);
    const struct endpoint_tls *et = &sn->as2_endpoints[endpoint];
    struct tls *tls = et->tls == NULL ? NULL : tls_ref(et->tls);
    bool wants_tls = cfg->endpoints[endpoint].ssl;
    const struct http_serve_options options = { .idle_ms = cfg->idle_timeout_ms,
                                                .head_ms = cfg->header_timeout_ms,
                                                .body_rate = cfg->min_octets_per_second,
                                                .stop = &g->stopping };
    struct conn *c = NULL;
    struct err err = { 0 };

    snapshot_put(sn);
    net_heed(&g->stopping);
    if (wants_tls && tls == NULL) {
        log_event(LOG_ERROR, "as2.endpoint.tls", "port", log_num(cfg->endpoints[endpoint].port),
                  "address", address, "reason",
                  "its ssl_certificate cannot be used: see `waybill certificates`", NULL);
        (void)close(fd);
    } else if (!conn_accept(fd, tls, net_now_ms() + HANDSHAKE_MS, &c, &err)) {
        log_event(LOG_WARN, "as2.connection.failed", "address", address, "reason", err.text,
                  NULL);
    } else {
        net_heed(&g->ending); /* running transfers may end */
        http_serve_with(c, &options, handle, g);
    }
    net_heed(NULL);
    tls_unref(tls);
}

bool as2_server_start(struct gateway *g, struct acceptor **out, struct err *err)
{
    const struct config_as2_server *s = &g->rt->as2_server;
    const struct acceptor_config cfg = { .protocol = "as2",
                                         .section = "as2_server",
                                         .max_connections = s->max_connections,
                                         .max_connections_per_address =
                                             s->max_connections_per_address,
                                         .turn_away = turn_away,
                                         .serve = serve };
    struct acceptor_endpoint *list = calloc(s->endpoints_n + 1, sizeof(*list));
    bool ok = list != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    for (size_t i = 0; ok && i < s->endpoints_n; i++)
        list[i] = (struct acceptor_endpoint) { .host = s->endpoints[i].host,
                                               .port = s->endpoints[i].port,
                                               .tls = s->endpoints[i].ssl,
                                               .line = s->endpoints[i].at.line };
    ok = ok && acceptor_start(g, &cfg, list, s->endpoints_n, out, err);
    free(list);
    return ok;
}
