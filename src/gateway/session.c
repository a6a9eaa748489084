/* Drives one OFTP session: octets between the connection and the engine, and what the engine's
 * events ask for. RFC 5024 9; the engine is oftp/oftp.h. */
#include "gateway/security.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define CANNOT_GO_ON "this system cannot go on at the moment: try later"

struct session *session_new(struct gateway *g, struct conn *conn, bool initiator)
{
    struct session *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->oftp = oftp_session_new()) == NULL) {
        free(s);
        conn_close(conn, 0);
        return NULL;
    }
    s->g = g;
    s->rt = g->rt;
    s->conn = conn;
    s->initiator = initiator;
    s->since_ms = net_wall_ms();
    s->snap = gateway_snapshot(g);
    s->end_reason = ESID_NORMAL;
    if (conn != NULL)
        (void)text_copy(s->tls_text, sizeof(s->tls_text), conn_tls_text(conn));
    s->over_tls = s->tls_text[0] != '\0';
    return s;
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    outgoing_note_told(s, true);
    session_trace_free(s->trace);
    oftp_session_free(s->oftp);
    snapshot_put(s->snap);
    free(s);
}

bool session_link(struct session *s)
{
    struct gateway *g = s->g;
    bool ok;

    pthread_mutex_lock(&g->lock);
    ok = !atomic_load(&g->stopping);
    if (ok) {
        s->id = ++g->next_session;
        s->next = g->sessions;
        g->sessions = s;
    }
    pthread_mutex_unlock(&g->lock);
    return ok;
}

void session_unlink(struct session *s)
{
    struct gateway *g = s->g;
    struct session **at;

    pthread_mutex_lock(&g->lock);
    for (at = &g->sessions; *at != NULL && *at != s; at = &(*at)->next)
        ;
    if (*at == s)
        *at = s->next;
    pthread_cond_broadcast(&g->session_left);
    pthread_mutex_unlock(&g->lock);
}

uint64_t session_write_deadline(const struct session *s)
{
    return net_now_ms() + s->rt->oftp2_server.inactivity_timeout_ms;
}

/* ---- log-on ------------------------------------------------------------------------------ */

static void set_partner(struct session *s, const char *own, const char *name, const char *code)
{
    pthread_mutex_lock(&s->g->lock);
    if (own != s->own)
        (void)text_copy(s->own, sizeof(s->own), own);
    (void)text_copy(s->partner_name, sizeof(s->partner_name), name);
    (void)text_copy(s->peer, sizeof(s->peer), code);
    pthread_mutex_unlock(&s->g->lock);
    if (s->trace != NULL)
        session_trace_partner(s->trace, name, code);
}

static void refuse_logon(struct session *s, int reason, const char *code, const char *told,
                         const char *look_at)
{
    atomic_fetch_add(&s->g->n.logons_refused, 1);
    log_event(LOG_WARN, "oftp2.logon.refused", "address", conn_peer(s->conn), "code", code,
              "esid", log_num(reason), "reason", told, "look_at", look_at, NULL);
    gateway_code_error(s->g, s->snap, code, told);
    s->refused_once = true;
    oftp_session_abort(s->oftp, reason, told);
}

static unsigned partner_sessions(struct session *s, const char *name, const char *code)
{
    unsigned n = 0;

    pthread_mutex_lock(&s->g->lock);
    for (const struct session *o = s->g->sessions; o != NULL; o = o->next)
        if (o != s && strcmp(o->peer, code) == 0 && strcmp(o->partner_name, name) == 0)
            n++;
    pthread_mutex_unlock(&s->g->lock);
    return n;
}

/* A client certificate the operation asks for must be the one on the line (design.md 7). */
static bool client_certificate_fits(const struct session *s, const struct listener *l,
                                    const char **why)
{
    const X509 *shown = conn_peer_certificate(s->conn);

    if (l->client_certificate == NULL && !s->certificate_needed)
        return true;
    if (shown == NULL) {
        *why = "no TLS client certificate was shown";
        return false;
    }
    if (l->client_certificate == NULL) {
        /* The endpoint's own authorities have vouched for it, where it has any. */
        *why = "no TLS client certificate is agreed with this partner";
        return s->certificate_vouched;
    }
    *why = "the TLS client certificate is not the one agreed";
    return certificate_shown(l->client_certificate, shown);
}

static void config_common(const struct session *s, const struct config_partner *p,
                          struct oftp_config *cfg)
{
    const struct config_oftp2_server *os = &s->rt->oftp2_server;

    cfg->initiator = s->initiator;
    cfg->level_max = p != NULL && p->level_max > 0 ? p->level_max : OFTP_20;
    cfg->level_min = p != NULL && p->level_min > 0 ? p->level_min : OFTP_12;
    cfg->sdeb = p != NULL && p->buffer_size > 0 ? p->buffer_size : os->buffer_size;
    cfg->cred = (uint16_t)(p != NULL && p->credit > 0 ? p->credit : os->credit);
    cfg->sr = 'B';
    cfg->cmpr = p != NULL && p->compression >= 0 ? p->compression == 1 : os->compression;
    cfg->rest = p != NULL && p->restart >= 0 ? p->restart == 1 : os->restart;
    cfg->auth = p != NULL && p->secure_authentication >= 0 ? p->secure_authentication == 1
                                                           : os->require_secure_authentication;
    cfg->start_ms = (uint32_t)os->start_timeout_ms;
    cfg->inactivity_ms = (uint32_t)os->inactivity_timeout_ms;
    cfg->end_file_ms = (uint32_t)os->end_file_timeout_ms;
    cfg->disconnect_ms = (uint32_t)os->disconnect_timeout_ms;
    cfg->tolerate_sdeb_plus_one = p != NULL && p->tolerate_buffer_plus_one;
}

/* The listener this SSID reaches, or NULL after the refusal. */
static const struct listener *find_listener(struct session *s, const struct oftp_ssid *ssid)
{
    const char *why = NULL;
    bool code_known = false;
    const struct listener *l = snapshot_logon(s->snap, ssid->code, ssid->pswd, &code_known);

    if (l == NULL && !code_known)
        refuse_logon(s, ESID_UNKNOWN_CODE, ssid->code, "user code not known",
                     "no listening process has this from.odette_id: see `waybill listeners`");
    else if (l == NULL)
        refuse_logon(s, ESID_PASSWORD, ssid->code, "invalid password",
                     "from.password of the processes or the partner with this odette_id");
    else if (!client_certificate_fits(s, l, &why))
        refuse_logon(s, ESID_UNKNOWN_CODE, ssid->code, why,
                     "client_ssl_certificate of the operation's from, or of the partner");
    else if (l->state == LISTENER_PAUSED)
        refuse_logon(s, ESID_RESOURCES, ssid->code, "the listener is paused: try later",
                     "`waybill listeners resume` starts it again");
    else if (partner_sessions(s, l->partner != NULL ? l->partner->name : "", ssid->code) >=
             s->rt->oftp2_server.max_sessions_per_partner)
        refuse_logon(s, ESID_RESOURCES, ssid->code, "too many sessions of this partner",
                     "oftp2_server.max_sessions_per_partner");
    else
        return l;
    return NULL;
}

static bool on_ssid(struct session *s, const struct oftp_event *ev, struct oftp_event *next,
                    struct err *err)
{
    const struct config_partner *p;
    struct oftp_config cfg = { 0 };
    const struct listener *l = find_listener(s, ev->ssid);

    next->kind = OFTP_NONE;
    if (l == NULL)
        return true;
    s->logon = l;
    s->partner = l->partner;
    p = l->partner != NULL ? l->partner->cfg : NULL;
    set_partner(s, l->to.code, l->partner != NULL ? l->partner->name : l->from.code,
                ev->ssid->code);
    (void)text_copy(s->peer_pswd, sizeof(s->peer_pswd), ev->ssid->pswd);
    config_common(s, p, &cfg);
    (void)text_copy(cfg.code, sizeof(cfg.code), l->to.code);
    (void)text_copy(cfg.pswd, sizeof(cfg.pswd), l->to.password);
    return oftp_session_accept(s->oftp, &cfg, next, err);
}

static void on_started(struct session *s)
{
    s->started = true;
    atomic_fetch_add(s->initiator ? &s->g->n.sessions_out : &s->g->n.sessions_in, 1);
    log_event(
        LOG_INFO, "oftp2.session.start", "session", log_num(s->id), "partner", s->partner_name,
        "peer", s->peer, "own", s->own, "address", conn_peer(s->conn), "role",
        s->initiator ? "initiator" : "responder", "level", log_num(oftp_session_level(s->oftp)),
        "buffer", log_num(oftp_session_sdeb(s->oftp)), "credit",
        log_num(oftp_session_credit(s->oftp)), "tls", s->over_tls ? s->tls_text : NULL, NULL);
    if (s->test)
        oftp_session_abort(s->oftp, ESID_NORMAL, NULL);
}

static void on_aborted(struct session *s, const struct oftp_event *ev)
{
    s->end_reason = ev->reason;
    (void)snprintf(s->end_text, sizeof(s->end_text), "%s ESID %02d %s%s%s",
                   ev->local ? "we sent" : "the partner sent", ev->reason,
                   oftp_esid_text(ev->reason), ev->text[0] != '\0' ? ": " : "", ev->text);
}

/* ---- events ------------------------------------------------------------------------------ */

static bool on_response(struct session *s, const struct oftp_event *ev, struct err *err)
{
    struct err why = { 0 };

    if (!receipt_take(s->g, ev->response, oftp_session_level(s->oftp), s->peer, s->partner_name,
                      &s->odd_receipts, &why)) {
        log_event(LOG_ERROR, "oftp2.receipt.store", "session", log_num(s->id), "partner",
                  s->partner_name, "reason", why.text, NULL);
        oftp_session_abort(s->oftp, ESID_RESOURCES, "the response cannot be stored: try later");
        return true;
    }
    return oftp_session_ready(s->oftp, err);
}

/* The line is well, but we cannot go on: RFC 5024 5.3.11. */
bool session_give_up(struct session *s, const char *told, const struct err *why)
{
    if (oftp_session_ending(s->oftp))
        return true;
    oftp_session_abort(s->oftp, ESID_RESOURCES, told);
    (void)snprintf(s->end_text, sizeof(s->end_text), "we sent ESID 08: %.200s", why->text);
    s->end_reason = ESID_RESOURCES;
    return true;
}

/* One text for the partner whatever went wrong: the reason is for our operator. */
static bool authenticate(struct session *s, bool ok, const struct err *why)
{
    if (ok)
        return true;
    log_event(LOG_ERROR, "oftp2.authentication.failed", "partner", s->partner_name, "peer",
              s->peer, "esid", "11", "reason", why->text, NULL);
    oftp_session_abort(s->oftp, ESID_CHALLENGE, "the challenge cannot be answered");
    s->end_reason = ESID_CHALLENGE;
    (void)snprintf(s->end_text, sizeof(s->end_text), "secure authentication: %.200s",
                   why->text);
    return true;
}

static bool act(struct session *s, const struct oftp_event *ev, struct err *err)
{
    struct oftp_event next = { 0 };
    struct err why = { 0 };

    switch (ev->kind) {
    case OFTP_NONE:
    case OFTP_ENDED:
        return true;
    case OFTP_SSID:
        return on_ssid(s, ev, &next, err) && (next.kind == OFTP_NONE || act(s, &next, err));
    case OFTP_CHALLENGE_DUE:
        return authenticate(s, session_challenge(s, &why), &why);
    case OFTP_CHALLENGE:
        return authenticate(s, session_respond(s, ev->octets, &why), &why);
    case OFTP_STARTED:
        on_started(s);
        return true;
    case OFTP_FILE_OFFERED:
        return incoming_offer(s, ev->sfid, err);
    case OFTP_DATA:
        return incoming_data(s, ev, err);
    case OFTP_CREDIT_DUE:
        return oftp_session_grant(s->oftp, err);
    case OFTP_FILE_ENDED:
        return incoming_end(s, ev, err);
    case OFTP_RESPONSE:
        return on_response(s, ev, err);
    case OFTP_FILE_ACCEPTED:
        return outgoing_accepted(s, ev->position, err);
    case OFTP_FILE_REFUSED:
        return outgoing_refused(s, ev, err);
    case OFTP_FILE_TAKEN:
        return outgoing_taken(s, err);
    case OFTP_FILE_FAILED:
        return outgoing_failed(s, ev, err);
    case OFTP_RESPONSE_TAKEN:
        return outgoing_receipt_taken(s, err);
    case OFTP_ABORTED:
        on_aborted(s, ev);
        return true;
    }
    return true;
}

/* ---- moving octets ----------------------------------------------------------------------- */

static bool flush(struct session *s, struct err *err)
{
    struct span out = oftp_session_output(s->oftp);

    while (out.n > 0) {
        if (s->trace != NULL)
            session_trace_octets(s->trace, true, out, oftp_session_level(s->oftp));
        if (!conn_write(s->conn, out, session_write_deadline(s), err))
            return false;
        atomic_fetch_add(&s->octets_out, out.n);
        atomic_fetch_add(&s->g->n.octets_out, out.n);
        oftp_session_sent(s->oftp, out.n, net_now_ms());
        out = oftp_session_output(s->oftp);
    }
    return true;
}

static bool feed(struct session *s, struct span in, struct err *err)
{
    struct oftp_event ev;

    if (s->trace != NULL)
        session_trace_octets(s->trace, false, in, oftp_session_level(s->oftp));
    do {
        size_t before = in.n;

        oftp_session_input(s->oftp, &in, net_now_ms(), &ev);
        if (ev.kind == OFTP_NONE && in.n == before)
            return true; /* over: nothing is taken any more */
        if (!act(s, &ev, err))
            return session_give_up(s, CANNOT_GO_ON, err);
        /* Answers go out at once: the peer may wait for one before it sends on. */
        if (oftp_session_output(s->oftp).n > 0 && !flush(s, err))
            return false;
    } while (in.n > 0 || ev.kind != OFTP_NONE);
    return true;
}

/* Waits for octets until the deadline, a stop, or, where the looks of step() may change something,
 * for a slice of time. Nothing came: *n stays, with ETIMEDOUT or ECANCELED. */
static bool await(struct session *s, uint8_t *buffer, uint64_t deadline, size_t *n,
                  struct err *err)
{
    uint64_t slice = net_now_ms() + SESSION_SLICE_MS;
    bool ok;

    if (s->test || atomic_load(&s->g->stopping)) {
        deadline = deadline < slice ? deadline : slice;
        return conn_read(s->conn, (struct room) { buffer, READ_SIZE }, deadline, n, err);
    }
    (void)net_heed(&s->g->stopping);
    ok = conn_read(s->conn, (struct room) { buffer, READ_SIZE }, deadline, n, err);
    (void)net_heed(NULL);
    return ok;
}

/* Reads once and acts on what came. *gone: the peer closed. */
static bool take(struct session *s, uint8_t *buffer, bool *gone, struct err *err)
{
    uint64_t now = net_now_ms(), deadline = oftp_session_deadline(s->oftp);
    struct oftp_event ev;
    size_t n = 0;

    if (deadline <= now) {
        oftp_session_expire(s->oftp, now, &ev);
        return act(s, &ev, err) || session_give_up(s, CANNOT_GO_ON, err);
    }
    if (!await(s, buffer, deadline, &n, err))
        return err->wire == ETIMEDOUT || err->wire == ECANCELED;
    *gone = n == 0;
    atomic_fetch_add(&s->octets_in, n);
    atomic_fetch_add(&s->g->n.octets_in, n);
    return n == 0 || feed(s, span_of(buffer, n), err);
}

/* A stop was asked for: between files the session ends at once, in a file when time is up. */
static void heed_stop(struct session *s)
{
    bool idle = s->in == NULL && s->out == NULL && s->receipt_job.id == 0;

    bool stop = atomic_load(&s->g->stopping) ||
                (s->test && atomic_load(&s->g->stop_requested)); /* the API waits for it */

    if (oftp_session_ending(s->oftp) || !stop)
        return;
    if (idle || atomic_load(&s->g->ending))
        oftp_session_abort(s->oftp, ESID_SHUTDOWN, "this system is being stopped");
}

/* Somebody began to look, perhaps in the middle of a session. */
static void trace_from_here(struct session *s)
{
    s->trace = session_trace_new(s->g, s->id);
    if (s->trace != NULL && s->peer[0] != '\0')
        session_trace_partner(s->trace, s->partner_name, s->peer);
}

static bool step(struct session *s, uint8_t *buffer, bool *gone, struct err *err)
{
    heed_stop(s);
    if (!flush(s, err))
        return false;
    if (s->trace == NULL && trace_wanted(s->g->trace) && oftp_session_between(s->oftp))
        trace_from_here(s);
    if (oftp_session_over(s->oftp))
        return true;
    if (!oftp_session_ending(s->oftp)) {
        if (s->started && oftp_session_turn(s->oftp))
            return outgoing_turn(s, err) || session_give_up(s, CANNOT_GO_ON, err);
        if (oftp_session_wants_data(s->oftp)) {
            outgoing_pump(s);
            if (!conn_readable(s->conn))
                return true;
        }
    }
    return take(s, buffer, gone, err);
}

static void log_end(struct session *s)
{
    bool bad = s->end_text[0] != '\0';

    if (s->refused_once || s->test)
        return;
    if (!s->started && !bad) /* a port probe: RFC 5024 knows nobody who minds */
        return;
    if (bad)
        atomic_fetch_add(&s->g->n.sessions_failed, 1);
    if (bad && s->logon != NULL)
        gateway_listener_error(s->g, s->logon->name, s->end_text);
    log_event(bad ? LOG_WARN : LOG_INFO, "oftp2.session.end", "session", log_num(s->id),
              "partner", s->partner_name[0] != '\0' ? s->partner_name : NULL, "address",
              conn_peer(s->conn), "octets_in", log_num((long long)atomic_load(&s->octets_in)),
              "octets_out", log_num((long long)atomic_load(&s->octets_out)), "reason",
              bad ? s->end_text : NULL, NULL);
}

static void open_engine(struct session *s)
{
    struct oftp_config cfg = { 0 };

    if (s->initiator) {
        const struct identity *id = snapshot_identity_of_code(s->snap, s->own);

        config_common(s, s->partner->cfg, &cfg);
        (void)text_copy(cfg.code, sizeof(cfg.code), s->own);
        (void)text_copy(cfg.pswd, sizeof(cfg.pswd), id == NULL ? "" : id->party.password);
        (void)text_copy(cfg.peer_code, sizeof(cfg.peer_code), s->partner->party.code);
        (void)text_copy(cfg.peer_pswd, sizeof(cfg.peer_pswd), s->partner->party.password);
        cfg.peer_pswd_any = s->partner->party.password_any;
        (void)text_copy(s->peer_pswd, sizeof(s->peer_pswd), s->partner->party.password);
        set_partner(s, s->own, s->partner->name, s->partner->party.code);
    } else {
        config_common(s, NULL, &cfg);
    }
    oftp_session_open(s->oftp, &cfg, net_now_ms());
}

void session_run(struct session *s)
{
    uint8_t *buffer = malloc(READ_SIZE);
    struct err err = { 0 };
    bool gone = buffer == NULL;

    if (s->trace == NULL && trace_wanted(s->g->trace))
        s->trace = session_trace_new(s->g, s->id);
    open_engine(s);
    while (!gone && !oftp_session_over(s->oftp)) {
        if (!step(s, buffer, &gone, &err)) {
            s->end_reason = -1;
            (void)text_copy(s->end_text, sizeof(s->end_text), err.text);
            break;
        }
    }
    if (gone && buffer != NULL && s->end_text[0] == '\0' && s->started &&
        !oftp_session_ending(s->oftp)) {
        s->end_reason = -1;
        (void)text_copy(s->end_text, sizeof(s->end_text),
                        "the partner closed the connection without ending the session");
    }
    if (gone && !s->started && s->initiator && s->end_text[0] == '\0') {
        s->end_reason = -1;
        (void)text_copy(s->end_text, sizeof(s->end_text),
                        "the partner closed the connection before the session started");
    }
    incoming_cut(s);
    outgoing_cut(s);
    log_end(s);
    free(buffer);
}
