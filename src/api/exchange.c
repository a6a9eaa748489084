/* Certificate exchange: what waits for an operator, and sending ours; trust lists. */
#include "api/api_int.h"

#include <stdlib.h>

void api_exchange(struct api_call *c)
{
    const char *what = http_query(c->r, "what");
    struct json_out o, list;
    struct err err;
    int64_t *ids = NULL;
    size_t n = 0;

    if (!gateway_exchange(c->gateway, c->arg[0], what == NULL ? "deliver" : what,
                          http_query(c->r, "certificate"), c->who, &c->r->arena, &ids, &n,
                          &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    list = json_out_list();
    for (size_t i = 0; i < n; i++) {
        struct json_out one = json_out_object();

        json_put_int(&one, "id", ids[i]);
        json_add(&list, one);
    }
    json_put(&o, "documents", list);
    api_json(c, 201, o);
}

static struct json_out certificate(const struct document *d)
{
    struct json_out o = json_out_object();
    const char *end = props_get(&d->props, "waybill.certificate_not_after");

    json_put_int(&o, "document", d->id);
    json_put_text(&o, "partner", d->partner);
    json_put_text(&o, "kind", props_get(&d->props, "waybill.certificate"));
    json_put_text(&o, "subject", props_get(&d->props, "waybill.certificate_subject"));
    json_put_text(&o, "sha256", props_get(&d->props, "waybill.certificate_fingerprint"));
    json_put_time(&o, "not_after", end == NULL ? 0 : strtoll(end, NULL, 10));
    json_put_text(&o, "certificates", props_get(&d->props, "waybill.certificate_for"));
    json_put_text(&o, "note", props_get(&d->props, "waybill.certificate_note"));
    json_put_time(&o, "received", d->created_ms);
    return o;
}

void api_exchange_pending(struct api_call *c)
{
    static const char *const names[] = { "ODETTE_CERTIFICATE_DELIVER",
                                         "ODETTE_CERTIFICATE_REPLACE",
                                         "ODETTE_CERTIFICATE_REQUEST" };
    struct json_out o = json_out_object(), all = json_out_list();

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct document_filter f = {
            .direction = 1, .state = "processing", .name = names[i], .limit = 1000
        };
        struct document *list = NULL;
        struct err err;
        size_t n = 0;

        if (!store_find_documents(c->store, &f, &c->r->arena, &list, &n, &err)) {
            json_out_free(&o);
            json_out_free(&all);
            api_fail(c, &err);
            return;
        }
        for (size_t k = 0; k < n; k++)
            if (props_get(&list[k].props, "waybill.certificate_subject") != NULL)
                json_add(&all, certificate(&list[k]));
    }
    json_put(&o, "certificates", all);
    api_json(c, 200, o);
}

void api_trust_list(struct api_call *c)
{
    struct json_out o;
    const char *text = NULL;
    int64_t version = 0;
    struct err err;
    size_t n;
    uint8_t *xml = api_body(c, &n);

    if (xml == NULL)
        return;
    if (gateway_trust_list(c->gateway, c->arg[0], http_query(c->r, "signer"), span_of(xml, n),
                           c->who, &c->r->arena, &version, &text, &err)) {
        o = json_out_object();
        json_put_text(&o, "name", c->arg[0]);
        json_put_int(&o, "version", version);
        json_put_text(&o, "list", text);
        api_json(c, 200, o);
    } else {
        api_fail(c, &err);
    }
    free(xml);
}
