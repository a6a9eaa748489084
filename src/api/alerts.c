/* A test of alerts. */
#include "api/api_int.h"

void api_alert_test(struct api_call *c)
{
    struct gateway_alert_try tries[GATEWAY_ALERT_CHANNELS];
    struct json_out o, list;
    struct err err;
    bool ok = true;
    size_t n;

    if (!api_audit(c, "send a test alert"))
        return;
    if (!gateway_alert_test(c->gateway, c->who, &c->r->arena, tries, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    list = json_out_list();
    for (size_t i = 0; i < n; i++) {
        struct json_out one = json_out_object();

        json_put_text(&one, "channel", tries[i].channel);
        json_put_bool(&one, "ok", tries[i].ok);
        json_put_text(&one, "error", tries[i].error);
        json_add(&list, one);
        ok = ok && tries[i].ok;
    }
    json_put_bool(&o, "ok", ok);
    json_put(&o, "channels", list);
    api_json(c, 200, o);
}
