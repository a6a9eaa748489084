/* The runtime itself: is it well, where does it listen, reload, stop. */
#include "api/api_int.h"
#include "net/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void api_health(struct api_call *c)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "status", "ok");
    api_json(c, 200, o);
}

void api_ready(struct api_call *c)
{
    struct json_out o = json_out_object();
    bool ready = gateway_ready(c->gateway) && !gateway_stop_requested(c->gateway);

    json_put_text(&o, "status", ready ? "ok" : "starting or stopping");
    api_json(c, ready ? 200 : 503, o);
}

void api_metrics(struct api_call *c)
{
    const char *text;
    struct err err;

    if (!gateway_metrics(c->gateway, &c->r->arena, &text, &err)) {
        api_fail(c, &err);
        return;
    }
    if (!http_answer(c->r, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
                     span_text(text), &err))
        log_event(LOG_DEBUG, "api.answer.lost", "peer", c->r->peer, "error", err.text, NULL);
}

static struct json_out endpoints(struct api_call *c)
{
    struct json_out list = json_out_list();
    struct gateway_endpoint *all;
    size_t n;

    gateway_endpoints(c->gateway, &c->r->arena, &all, &n);
    for (size_t i = 0; i < n; i++) {
        struct json_out o = json_out_object();

        json_put_text(&o, "protocol", all[i].protocol);
        json_put_text(&o, "host", all[i].host);
        json_put_int(&o, "port", all[i].port);
        json_put_bool(&o, "tls", all[i].tls);
        json_add(&list, o);
    }
    return list;
}

void api_runtime(struct api_call *c)
{
    struct json_out o = json_out_object();
    const char *host = c->api->host;
    char admin[80];

    (void)snprintf(admin, sizeof(admin), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)c->api->port);
    json_put_text(&o, "name", gateway_config(c->gateway)->runtime.name);
    json_put_text(&o, "version", WAYBILL_VERSION);
    json_put_int(&o, "pid", getpid());
    json_put(&o, "endpoints", endpoints(c));
    json_put_text(&o, "admin", host[0] != '\0' ? admin : NULL);
    json_put_bool(&o, "admin_tls", c->api->tls);
    api_json(c, 200, o);
}

void api_settings(struct api_call *c)
{
    struct json_out o = json_out_object();
    char *text = gateway_settings(c->gateway);

    if (text == NULL)
        o.failed = true;
    else
        json_put_text(&o, "text", text);
    free(text);
    api_json(c, 200, o);
}

void api_reload(struct api_call *c)
{
    struct config_problems ps = { 0 };
    const char *later;
    struct json_out o;
    struct err err;

    if (!api_audit(c, "reload"))
        return;
    if (!gateway_reload(c->gateway, &ps, &c->r->arena, &later, &err)) {
        log_event(LOG_WARN, "gateway.reload.refused", "who", c->who, "error", err.text, NULL);
        api_fail_problems(c, &err, &ps);
    } else {
        log_event(LOG_INFO, "gateway.reload", "who", c->who, NULL);
        o = json_out_object();
        json_put_bool(&o, "reloaded", true);
        json_put_text(&o, "later", later);
        api_json(c, 200, o);
    }
    config_problems_free(&ps);
}

void api_stop_runtime(struct api_call *c)
{
    struct json_out o;

    if (!api_audit(c, "stop"))
        return;
    o = json_out_object();
    log_event(LOG_INFO, "gateway.stop.asked", "who", c->who, NULL);
    json_put_bool(&o, "stopping", true);
    api_json(c, 202, o);
    gateway_request_stop(c->gateway);
}
