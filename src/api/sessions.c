/* Sessions under way, and partners: call now, test, trace. */
#include "api/api_int.h"
#include "net/log.h"

#include <poll.h>

static struct json_out session(const struct gateway_session *s)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "id", s->id);
    json_put_text(&o, "protocol", s->protocol);
    json_put_text(&o, "partner", s->partner);
    json_put_text(&o, "peer", s->peer_code);
    json_put_text(&o, "address", s->address);
    json_put_text(&o, "state", s->state);
    json_put_text(&o, "tls", s->tls);
    json_put_bool(&o, "initiator", s->initiator);
    json_put_time(&o, "since", s->since_ms);
    if (s->document_id != 0)
        json_put_int(&o, "document", s->document_id);
    else
        json_put_text(&o, "document", NULL);
    json_put_count(&o, "done", s->done);
    json_put_count(&o, "total", s->total);
    json_put_count(&o, "octets_in", s->octets_in);
    json_put_count(&o, "octets_out", s->octets_out);
    return o;
}

void api_sessions(struct api_call *c)
{
    struct json_out o, all;
    struct gateway_session *list;
    struct err err;
    size_t n;

    if (!gateway_sessions(c->gateway, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, session(&list[i]));
    json_put(&o, "sessions", all);
    api_json(c, 200, o);
}

void api_one_session(struct api_call *c)
{
    struct gateway_session *list;
    struct err err;
    int64_t id;
    size_t n;

    if (!api_number(c, "session", c->arg[0], 1, INT64_MAX, &id))
        return;
    if (!gateway_sessions(c->gateway, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].id == id) {
            api_json(c, 200, session(&list[i]));
            return;
        }
    api_error(c, 404, "session %lld is not under way", (long long)id);
}

void api_partner_call(struct api_call *c)
{
    struct json_out o;
    struct err err;

    if (!api_audit(c, arena_printf(&c->r->arena, "call partner %s", c->arg[0])))
        return;
    if (!gateway_call(c->gateway, c->arg[0], &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    json_put_bool(&o, "called", true);
    api_json(c, 202, o);
}

void api_partner_test(struct api_call *c)
{
    struct json_out o, steps, trace;
    struct gateway_test t = { 0 };
    struct err err;

    if (!api_audit(c, arena_printf(&c->r->arena, "test partner %s", c->arg[0])))
        return;
    if (!gateway_test_partner(c->gateway, c->arg[0], &c->r->arena, &t, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    steps = json_out_list();
    trace = json_out_list();
    for (size_t i = 0; i < t.steps_n; i++) {
        struct json_out one = json_out_object();

        json_put_text(&one, "step", t.steps[i].step);
        json_put_bool(&one, "ok", t.steps[i].ok);
        json_put_text(&one, "text", t.steps[i].text);
        json_put_count(&one, "ms", t.steps[i].ms);
        json_add(&steps, one);
    }
    for (size_t i = 0; i < t.trace_n; i++)
        json_add_text(&trace, t.trace[i]);
    json_put_bool(&o, "ok", t.ok);
    json_put(&o, "steps", steps);
    json_put(&o, "trace", trace);
    api_json(c, 200, o);
}

/* A client that went away is noticed between lines too: a quiet partner must not hold one of
 * the few connections for ever. */
static bool client_gone(const struct api_call *c)
{
    struct pollfd p = { .fd = c->conn->fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static bool trace_lines(struct api_call *c, struct gateway_trace *t, struct err *err)
{
    const char *line;

    while (!atomic_load(&c->api->stopping) && gateway_trace_next(t, API_WAIT_MS, &line)) {
        size_t n = strlen(line);

        if (n == 0) {
            if (client_gone(c))
                return FAIL(err, FAIL_AGAIN, 0, "the client closed");
            continue;
        }
        if (!http_answer_part(c->r, span_of(line, n), err) ||
            !http_answer_part(c->r, span_text("\n"), err))
            return false;
    }
    return http_answer_end(c->r, err);
}

void api_trace(struct api_call *c)
{
    const char *partner = http_query(c->r, "partner");
    const char *session = http_query(c->r, "session");
    struct gateway_trace *t;
    struct err err;
    int64_t id = 0;

    if (session != NULL && !api_number(c, "session", session, 1, INT64_MAX, &id))
        return;
    if (!gateway_trace_open(c->gateway, partner != NULL ? partner : "*", id, &t, &err)) {
        api_fail(c, &err);
        return;
    }
    log_event(LOG_INFO, "api.trace.begin", "who", c->who, "partner", partner, NULL);
    if (!http_answer_begin(c->r, 200, "text/plain; charset=utf-8", NULL, UINT64_MAX, &err) ||
        !trace_lines(c, t, &err))
        api_cut(c);
    gateway_trace_close(t);
    log_event(LOG_INFO, "api.trace.end", "who", c->who, "partner", partner, NULL);
}
