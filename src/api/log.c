/* Log levels at run time, for one partner or all. Nothing of it outlives the runtime. */
#include "net/log.h"
#include "api/api_int.h"
#include "net/net.h"

enum { FOR_MAX_S = 30 * 24 * 3600 };

void api_log(struct api_call *c)
{
    struct log_override list[LOG_OVERRIDES_MAX];
    size_t n = log_overrides(list);
    struct json_out o = json_out_object(), all = json_out_list();

    for (size_t i = 0; i < n; i++) {
        struct json_out one = json_out_object();

        json_put_text(&one, "partner", list[i].partner[0] != '\0' ? list[i].partner : NULL);
        json_put_text(&one, "level", log_level_name(list[i].level));
        json_put_time(&one, "until", list[i].until_ms);
        json_add(&all, one);
    }
    json_put_text(&o, "level", log_level_name(log_level_for(NULL)));
    json_put_text(&o, "configured", log_level_name(log_level_base()));
    json_put(&o, "set", all);
    api_json(c, 200, o);
}

/* False: answered already. */
static bool partner_there(struct api_call *c, const char *partner)
{
    struct deployment *list;
    struct err err;
    size_t n;

    if (!store_deployments(c->store, "partner", &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, partner) == 0)
            return true;
    api_error(c, 404, "there is no partner '%.64s'", partner);
    return false;
}

/* Seconds; 0 without. False: answered already. */
static bool duration(struct api_call *c, const json_t *v, int64_t *seconds)
{
    const json_t *given = json_object_get(v, "for");

    *seconds = given == NULL || json_is_null(given) ? 0 : json_integer_value(given);
    if (given == NULL || json_is_null(given) || (*seconds >= 1 && *seconds <= FOR_MAX_S))
        return true;
    api_error(c, 400, "for is a number of seconds from 1 to %d", (int)FOR_MAX_S);
    return false;
}

/* False: answered already. */
static bool change(struct api_call *c, const json_t *v)
{
    const char *partner = api_text_of(v, "partner"), *name = api_text_of(v, "level");
    bool drop = name != NULL && strcmp(name, "default") == 0;
    const char *of = partner != NULL ? partner : "";
    enum log_level level = LOG_INFO;
    int64_t seconds;

    if (name == NULL || (!drop && !log_level_of(name, &level))) {
        api_error(c, 400, "level is error, warn, info, debug or default");
        return false;
    }
    if (!duration(c, v, &seconds) || (*of != '\0' && !drop && !partner_there(c, of)) ||
        !api_audit(c, arena_printf(&c->r->arena, "log level %s%s%s", name,
                                   *of != '\0' ? " for partner " : "", of)))
        return false;
    if (drop) {
        log_override_drop(of);
    } else if (!log_override_set(of, level, seconds > 0 ? net_wall_ms() + seconds * 1000 : 0)) {
        api_error(c, 409, "levels are set for %d partners already: set one back to default",
                  (int)LOG_OVERRIDES_MAX);
        return false;
    }
    log_event(LOG_WARN, "log.level", "who", c->who, "for", partner, "level", name, NULL);
    return true;
}

void api_log_set(struct api_call *c)
{
    json_t *v = api_read_object(c);

    if (v == NULL)
        return;
    if (change(c, v))
        api_log(c);
    json_decref(v);
}
