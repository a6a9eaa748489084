/* Handing alerts over, one try at a time. */
#include "gateway/alert.h"

#include "net/http.h"
#include "net/mail.h"

const char *alert_channel_name(enum alert_channel c)
{
    return c == ALERT_WEBHOOK ? "webhook" : "mail";
}

bool alert_channel_on(const struct config_runtime *rt, enum alert_channel c)
{
    return c == ALERT_WEBHOOK ? rt->alerts.webhook_given : rt->alerts.mail_given;
}

static bool given_up(void *context)
{
    const struct gateway *g = context;

    return atomic_load(&g->stopping);
}

static bool post(struct gateway *g, const struct config_runtime *rt,
                 const struct alert_batch *b, struct arena *a, struct err *err)
{
    const struct config_alerts *cfg = &rt->alerts;
    const char *body = alert_json(b, rt->runtime.name, net_wall_ms(), a);
    const char *headers[] = { "Content-Type: application/json", NULL, NULL };
    char secret[300];
    struct http_reply reply;
    struct http_call call = { .method = "POST",
                              .url = cfg->webhook.url,
                              .headers = headers,
                              .timeout_ms = cfg->webhook.timeout_ms,
                              .stop = given_up,
                              .stop_context = g,
                              .answer_max = 64 * 1024,
                              .answer_cut = true };

    if (body == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (!config_secret_get(rt, &cfg->webhook.authorization, secret, sizeof(secret), err))
        return err_context(err, "alerts.webhook.authorization");
    if (secret[0] != '\0')
        headers[1] = arena_printf(a, "Authorization: %s", secret);
    call.body = span_text(body);
    if (!http_call(&call, a, &reply, err))
        return false;
    return (reply.status >= 200 && reply.status < 300) ||
           FAIL(err, FAIL_PEER, 0, "HTTP status %d", reply.status);
}

static bool mail(struct gateway *g, const struct config_runtime *rt,
                 const struct alert_batch *b, struct arena *a, struct err *err)
{
    const struct config_alerts *cfg = &rt->alerts;
    const char *message = alert_mail(b, rt, net_wall_ms(), a);
    char secret[300];
    struct mail_call call = { .server = cfg->mail.server,
                              .user = cfg->mail.user,
                              .password = secret,
                              .tls = strcmp(cfg->mail.tls, "never") == 0 ? MAIL_TLS_NEVER
                                     : strcmp(cfg->mail.tls, "offered") == 0
                                         ? MAIL_TLS_OFFERED
                                         : MAIL_TLS_REQUIRED,
                              .ca_file = cfg->mail.ca_file,
                              .from = cfg->mail.from,
                              .to = cfg->mail.to,
                              .timeout_ms = cfg->mail.timeout_ms,
                              .stop = given_up,
                              .stop_context = g };

    if (message == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    if (!config_secret_get(rt, &cfg->mail.password, secret, sizeof(secret), err))
        return err_context(err, "alerts.mail.password");
    call.message = span_text(message);
    return mail_send(&call, err);
}

bool alert_send(struct gateway *g, const struct config_runtime *rt, enum alert_channel c,
                const struct alert_batch *b, struct err *err)
{
    struct arena a = { 0 };
    bool ok = c == ALERT_WEBHOOK ? post(g, rt, b, &a, err) : mail(g, rt, b, &a, err);

    arena_free(&a);
    return ok;
}

bool gateway_alert_test(struct gateway *g, const char *who, struct arena *a,
                        struct gateway_alert_try tries[GATEWAY_ALERT_CHANNELS], size_t *n,
                        struct err *err)
{
    struct alert_batch *b = arena_take(a, sizeof(*b));
    struct alert one = { .kind = ALERT_TEST, .at_ms = net_wall_ms() };
    struct alert_settings *now;
    const char *text = arena_printf(a, "a test of alerts, asked for by %s", who);

    *n = 0;
    if (b == NULL || text == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    ALERT_COPY(one.reason, text);
    alert_add(b, &one);
    now = alerts_settings(g->alerts);
    for (int i = 0; i < ALERT_CHANNELS; i++) {
        enum alert_channel c = (enum alert_channel)i;
        struct err why;
        bool ok;

        if (!alert_channel_on(now->rt, c))
            continue;
        ok = alert_send(g, now->rt, c, b, &why);
        if (ok)
            log_event(LOG_INFO, "alert.sent", "channel", alert_channel_name(c), "who", who,
                      NULL);
        else
            log_event(LOG_WARN, "alert.failed", "channel", alert_channel_name(c), "who", who,
                      "reason", why.text, "look_at", "alerts of waybill.yaml", NULL);
        tries[(*n)++] = (struct gateway_alert_try) { alert_channel_name(c), ok,
                                                     ok ? NULL : arena_text(a, why.text) };
    }
    alerts_settings_put(g->alerts, now);
    return *n > 0 || FAIL(err, FAIL_LOCAL, 409,
                          "nobody would be told: there is neither alerts.webhook nor "
                          "alerts.mail in %s",
                          g->rt->file);
}
