/* The audit log, page by page. */
#include "api/api_int.h"
#include "store/access.h"

/* "user:zoe from 10.0.0.5": who, and from where. */
static struct json_out line(const struct audit_line *l, struct arena *a)
{
    struct json_out o = json_out_object();
    const char *who = l->who != NULL ? l->who : "", *from = strstr(who, " from ");

    json_put_int(&o, "id", l->id);
    json_put_time(&o, "at", l->at_ms);
    json_put_text(&o, "who",
                  from != NULL ? arena_copy(a, span_of(who, (size_t)(from - who))) : who);
    json_put_text(&o, "from", from != NULL ? from + 6 : NULL);
    json_put_text(&o, "what", l->what);
    return o;
}

void api_audit_lines(struct api_call *c)
{
    const char *before = http_query(c->r, "before"), *limit = http_query(c->r, "limit");
    struct audit_filter f = { .who = http_query(c->r, "who") };
    struct audit_line *list;
    struct json_out o, all;
    int64_t most = 100;
    struct err err;
    size_t n;

    if ((before != NULL && !api_number(c, "before", before, 1, INT64_MAX, &f.before_id)) ||
        (limit != NULL && !api_number(c, "limit", limit, 1, 1000, &most)) ||
        !api_query_time(c, "from", &f.from_ms) || !api_query_time(c, "to", &f.to_ms))
        return;
    f.limit = (size_t)most;
    if (!store_audit(c->store, &f, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, line(&list[i], &c->r->arena));
    json_put(&o, "audit", all);
    if (n == f.limit)
        json_put_int(&o, "next", list[n - 1].id);
    else
        json_put_text(&o, "next", NULL);
    api_json(c, 200, o);
}
