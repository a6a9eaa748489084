/* Listeners: their state, and pause, resume, restart. */
#include "api/api_int.h"

static void put_error(struct json_out *o, const struct gateway_listener *l)
{
    struct json_out error = json_out_object();

    if (l->error_ms == 0) {
        json_out_free(&error);
        json_put_text(o, "last_error", NULL);
        return;
    }
    json_put_text(&error, "text", l->last_error);
    json_put_time(&error, "at", l->error_ms);
    json_put(o, "last_error", error);
}

static struct json_out listener(const struct gateway_listener *l)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "name", l->name);
    json_put_text(&o, "server", l->server);
    json_put_text(&o, "state", l->state);
    json_put_text(&o, "reason", l->reason);
    json_put_text(&o, "from", l->from);
    json_put_text(&o, "to", l->to);
    json_put_text(&o, "from_name", l->from_name);
    json_put_text(&o, "to_name", l->to_name);
    json_put_int(&o, "version", l->version);
    json_put_count(&o, "documents", l->documents);
    json_put_count(&o, "failures", l->failures);
    json_put_time(&o, "last", l->last_ms);
    json_put_time(&o, "since", l->since_ms);
    put_error(&o, l);
    return o;
}

void api_listeners(struct api_call *c)
{
    struct json_out o, all;
    struct gateway_listener *list;
    struct err err;
    size_t n;

    if (!gateway_listeners(c->gateway, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, listener(&list[i]));
    json_put(&o, "listeners", all);
    api_json(c, 200, o);
}

void api_listener_do(struct api_call *c)
{
    const char *name = c->arg[0], *what = c->arg[1];
    struct gateway_listener *list;
    struct err err;
    size_t n;

    if (strcmp(what, "pause") != 0 && strcmp(what, "resume") != 0 &&
        strcmp(what, "restart") != 0) {
        api_error(c, 404, "a listener takes pause, resume and restart, not '%.40s'", what);
        return;
    }
    if (!gateway_listener_do(c->gateway, name, what, c->who, &err) ||
        !gateway_listeners(c->gateway, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0) {
            api_json(c, 200, listener(&list[i]));
            return;
        }
    }
    api_error(c, 404, "there is no listener '%.64s' any more", name);
}
