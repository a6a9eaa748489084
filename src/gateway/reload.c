/* The configuration file read again while the runtime runs. */
#include "gateway/alert.h"
#include "net/http.h"

/* What a reload takes over; the rest counts from the next start. */
static const char *const reloaded[] = { "log", "alerts", NULL };

bool gateway_reload(struct gateway *g, struct config_problems *ps, struct arena *a,
                    const char **later, struct err *err)
{
    struct config_runtime *rt = config_runtime_load(g->rt->file, ps);
    bool ok;

    if (rt == NULL)
        return FAIL(err, FAIL_LOCAL, 422, "'%s' has %zu problems: nothing was changed",
                    g->rt->file, ps->n);
    *later = config_runtime_changes(g->rt, rt, reloaded, a);
    if (*later == NULL) {
        config_runtime_free(rt);
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    log_setup(rt->log.level, rt->log.format);
    if (!alerts_reload(g->alerts, rt, err))
        return false;
    pthread_mutex_lock(&g->apply);
    ok = gateway_rebuild(g, err);
    pthread_mutex_unlock(&g->apply);
    http_forget(); /* connections that were made with what was revoked or replaced */
    if (ok && **later != '\0')
        log_event(LOG_WARN, "runtime.reload.later", "settings", *later, "effect",
                  "they count from the next start", NULL);
    if (ok)
        log_event(LOG_INFO, "runtime.reloaded", NULL);
    return ok;
}

char *gateway_settings(struct gateway *g)
{
    struct alert_settings *now = alerts_settings(g->alerts);
    struct config_runtime shown = *g->rt;
    char *text;

    shown.log = now->rt->log;
    shown.alerts = now->rt->alerts;
    text = config_runtime_dump(&shown);
    alerts_settings_put(g->alerts, now);
    return text;
}
