#include "fake.h"

#include "gateway/overview.h"

#include "store/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool asked(struct gateway *g, struct err *err, const char *what, const char *name)
{
    (void)snprintf(g->asked, sizeof(g->asked), "%s %s", what, name);
    return g->fail_wire == 0 || FAIL(err, FAIL_LOCAL, g->fail_wire, "the fake refuses");
}

struct store *gateway_store(struct gateway *g)
{
    return g->store;
}

const struct config_runtime *gateway_config(const struct gateway *g)
{
    return &g->rt;
}

bool gateway_admin_tls(struct gateway *g, struct tls **out, struct err *err)
{
    (void)g;
    (void)err;
    *out = NULL;
    return true;
}

char *gateway_settings(struct gateway *g)
{
    return config_runtime_dump(&g->rt);
}

bool gateway_reload(struct gateway *g, struct config_problems *ps, struct arena *a,
                    const char **later, struct err *err)
{
    (void)a;
    *later = "admin.listen";
    if (g->fail_wire != 0)
        config_problem_add(ps, "waybill.yaml", 3, 7, "bad");
    return asked(g, err, "reload", "");
}

void gateway_endpoints(struct gateway *g, struct arena *a, struct gateway_endpoint **list,
                       size_t *n)
{
    (void)g;
    *list = arena_take(a, sizeof(**list));
    (*list)[0] = (struct gateway_endpoint) { "oftp2", "::", 3305, false };
    *n = 1;
}

bool gateway_apply(struct gateway *g, struct span yaml, const char *file, bool dry_run,
                   const char *who, struct arena *a, struct gateway_applied **list, size_t *n,
                   struct config_problems *ps, struct err *err)
{
    static const char *const warnings[] = { "partner acme: mind the gap", NULL };

    (void)who;
    (void)snprintf(g->asked, sizeof(g->asked), "apply %s %zu%s", file, yaml.n,
                   dry_run ? " dry" : "");
    if (g->fail_wire != 0) {
        config_problem_add(ps, file, 3, 7, "unknown key '%s'", "x");
        return FAIL(err, FAIL_LOCAL, 422, "1 problem: nothing was applied");
    }
    *list = arena_take(a, sizeof(**list));
    (*list)[0] = (struct gateway_applied) {
        .kind = "partner", .name = "acme", .version = 3, .warnings = dry_run ? NULL : warnings
    };
    *n = 1;
    return true;
}

bool gateway_put_component(struct gateway *g, const struct gateway_put *put, struct span yaml,
                           const char *who, struct arena *a, struct gateway_applied *out,
                           struct config_problems *ps, struct err *err)
{
    (void)who;
    (void)a;
    (void)ps;
    *out = (struct gateway_applied) { .kind = put->kind, .name = put->name, .version = 8 };
    (void)snprintf(g->asked, sizeof(g->asked), "put %s %s %lld %zu%s", put->kind, put->name,
                   (long long)put->version, yaml.n, put->dry_run ? " dry" : "");
    return g->fail_wire == 0 || FAIL(err, FAIL_LOCAL, g->fail_wire, "the fake refuses");
}

bool gateway_delete(struct gateway *g, const char *kind, const char *name, int64_t version,
                    const char *who, struct err *err)
{
    (void)who;
    (void)kind;
    if (version != GATEWAY_ANY_VERSION)
        name = version == 7 ? "version 7" : "another version";
    return asked(g, err, "delete", name);
}

bool gateway_certificates(struct gateway *g, struct arena *a, struct gateway_certificate **list,
                          size_t *n, struct err *err)
{
    static const char *const users[] = { "partner acme: encryption_certificate" };

    (void)g;
    (void)err;
    *list = arena_take(a, sizeof(**list));
    (*list)[0] = (struct gateway_certificate) { .name = "acme",
                                                .number = 1,
                                                .subject = "CN=acme",
                                                .issuer = "CN=ca",
                                                .serial = "01",
                                                .sha256 = "ab",
                                                .from_s = 1,
                                                .to_s = 2,
                                                .days_left = -3,
                                                .state = "expired",
                                                .problem = "",
                                                .place = "file",
                                                .users = users,
                                                .users_n = 1 };
    *n = 1;
    return true;
}

bool gateway_certificate_import(struct gateway *g, const struct gateway_import *what,
                                const char *who, struct arena *a, struct gateway_imported *out,
                                struct config_problems *ps, struct err *err)
{
    (void)who;
    (void)a;
    (void)ps;
    *out = (struct gateway_imported) {
        .version = 2, .has_key = true, .subject = "CN=us", .sha256 = "cd", .problem = ""
    };
    (void)snprintf(g->asked, sizeof(g->asked), "import %s %zu %zu %s%s", what->name,
                   what->certificate.n, what->key.n, what->password == NULL ? "-" : "secret",
                   what->next ? " next" : "");
    return g->fail_wire == 0 || FAIL(err, FAIL_LOCAL, g->fail_wire, "the fake refuses");
}

bool gateway_certificate_export(struct gateway *g, const struct gateway_export *what,
                                const char *who, struct gateway_exported *out, struct err *err)
{
    (void)who;
    if (!asked(g, err, "export", what->name))
        return false;
    *out = (struct gateway_exported) { .pem = strdup("PEM\n") };
    return true;
}

void gateway_exported_free(struct gateway_exported *x)
{
    free(x->pem);
    *x = (struct gateway_exported) { 0 };
}

bool gateway_listeners(struct gateway *g, struct arena *a, struct gateway_listener **list,
                       size_t *n, struct err *err)
{
    (void)g;
    (void)err;
    *list = arena_take(a, sizeof(**list));
    (*list)[0] = (struct gateway_listener) { .name = "orders",
                                             .server = "oftp2-server",
                                             .state = "errored",
                                             .reason = "collides",
                                             .since_ms = 500,
                                             .last_error = "collides",
                                             .error_ms = 500,
                                             .from = "OA",
                                             .to = "OB",
                                             .from_name = "",
                                             .to_name = "" };
    *n = 1;
    return true;
}

bool gateway_listener_do(struct gateway *g, const char *name, const char *what, const char *who,
                         struct err *err)
{
    (void)who;
    return asked(g, err, what, name);
}

struct gateway_outgoing {
    struct gateway *g;
};

bool gateway_send_begin(struct gateway *g, const struct gateway_send *what,
                        struct gateway_outgoing **out, struct err *err)
{
    if (!asked(g, err, "send", what->partner))
        return false;
    (void)snprintf(g->asked, sizeof(g->asked), "send %s %s %c %u %s", what->partner,
                   what->name != NULL ? what->name : "-", what->format, what->record_length,
                   what->listener);
    g->sent_octets = 0;
    g->sent_sum = 0;
    g->committed = false;
    *out = calloc(1, sizeof(**out));
    (*out)->g = g;
    atomic_fetch_add(&g->begun, 1);
    return true;
}

bool gateway_send_octets(struct gateway_outgoing *o, struct span octets, struct err *err)
{
    (void)err;
    o->g->sent_octets += octets.n;
    for (size_t i = 0; i < octets.n; i++)
        o->g->sent_sum = (uint8_t)(o->g->sent_sum + octets.p[i]);
    return true;
}

bool gateway_send_commit(struct gateway_outgoing *o, int64_t *document_id, struct err *err)
{
    (void)err;
    o->g->committed = true;
    *document_id = 4711;
    return true;
}

void gateway_send_free(struct gateway_outgoing *o)
{
    if (o != NULL)
        atomic_fetch_add(&o->g->freed, 1);
    free(o);
}

bool gateway_retry(struct gateway *g, int64_t document_id, const char *who, struct err *err)
{
    (void)document_id;
    return asked(g, err, "retry", who);
}

bool gateway_reprocess(struct gateway *g, int64_t document_id, const char *who, struct err *err)
{
    (void)document_id;
    return asked(g, err, "reprocess", who);
}

bool gateway_resend(struct gateway *g, int64_t document_id, const char *key, const char *who,
                    int64_t *new_id, struct err *err)
{
    (void)who;
    *new_id = document_id;
    return asked(g, err, "resend", key == NULL ? "-" : key);
}

bool gateway_acknowledge(struct gateway *g, int64_t document_id, bool positive,
                         const char *text, const char *who, struct err *err)
{
    (void)document_id;
    (void)who;
    return asked(g, err, positive ? "acknowledge" : "reject", text != NULL ? text : "");
}

bool gateway_cancel(struct gateway *g, int64_t document_id, const char *who, struct err *err)
{
    (void)document_id;
    return asked(g, err, "cancel", who);
}

bool gateway_sessions(struct gateway *g, struct arena *a, struct gateway_session **list,
                      size_t *n, struct err *err)
{
    (void)g;
    (void)err;
    *list = arena_take(a, sizeof(**list));
    (*list)[0] = (struct gateway_session) { .id = 1,
                                            .protocol = "oftp2",
                                            .partner = "acme",
                                            .peer_code = "OA",
                                            .address = "10.0.0.1:5",
                                            .state = "sending",
                                            .tls = "",
                                            .document_id = 17,
                                            .done = 5,
                                            .total = 10 };
    *n = 1;
    return true;
}

bool gateway_call(struct gateway *g, const char *partner, struct err *err)
{
    return asked(g, err, "call", partner);
}

int64_t gateway_next_call(struct gateway *g, const char *own, const char *peer)
{
    (void)g;
    (void)own;
    (void)peer;
    return 0;
}

bool gateway_exchange(struct gateway *g, const char *partner, const char *what,
                      const char *certificate, const char *who, struct arena *a, int64_t **ids,
                      size_t *n, struct err *err)
{
    (void)certificate;
    (void)who;
    *ids = arena_take(a, sizeof(**ids));
    **ids = 31;
    *n = 1;
    return asked(g, err, what, partner);
}

bool gateway_trust_list(struct gateway *g, const char *name, const char *signer,
                        struct span xml, const char *who, struct arena *a, int64_t *version,
                        const char **text, struct err *err)
{
    (void)xml;
    (void)who;
    *version = 2;
    *text = arena_text(a, "a list");
    return asked(g, err, name, signer);
}

bool gateway_backup(struct gateway *g, const char *directory, const char *who,
                    struct store_backup *out, struct err *err)
{
    (void)who;
    memset(out, 0, sizeof(*out));
    return asked(g, err, "backup", directory);
}

bool gateway_test_partner(struct gateway *g, const char *partner, struct arena *a,
                          struct gateway_test *result, struct err *err)
{
    result->steps = arena_take(a, sizeof(*result->steps));
    result->steps[0] = (struct gateway_test_step) { "log on", false, "wrong password", 12 };
    result->steps_n = 1;
    result->trace = arena_take(a, sizeof(*result->trace));
    result->trace[0] = "> SSID";
    result->trace_n = 1;
    return asked(g, err, "test", partner);
}

struct gateway_trace {
    struct gateway *g;
    int lines;
};

bool gateway_trace_open(struct gateway *g, const char *partner, int64_t session,
                        struct gateway_trace **out, struct err *err)
{
    (void)session;
    if (!asked(g, err, "trace", partner))
        return false;
    *out = calloc(1, sizeof(**out));
    (*out)->g = g;
    atomic_fetch_add(&g->traces, 1);
    return true;
}

/* Two lines, then silence. */
bool gateway_trace_next(struct gateway_trace *t, uint64_t wait_ms, const char **line)
{
    const struct timespec pause = { 0, (long)(wait_ms > 20 ? 20 : wait_ms) * 1000000L };

    *line = t->lines == 0 ? "> SSID" : t->lines == 1 ? "< SSID" : "";
    if (t->lines++ > 1)
        (void)nanosleep(&pause, NULL);
    return !atomic_load(&t->g->stop);
}

void gateway_trace_close(struct gateway_trace *t)
{
    atomic_fetch_sub(&t->g->traces, 1);
    free(t);
}

bool gateway_alert_test(struct gateway *g, const char *who, struct arena *a,
                        struct gateway_alert_try tries[GATEWAY_ALERT_CHANNELS], size_t *n,
                        struct err *err)
{
    (void)a;
    tries[0] = (struct gateway_alert_try) { "webhook", true, NULL };
    tries[1] = (struct gateway_alert_try) { "mail", false, "no route" };
    *n = 2;
    return asked(g, err, "alert-test", who);
}

bool gateway_get_overview(struct gateway *g, struct arena *a, struct gateway_overview *out,
                          struct err *err)
{
    struct gateway_overview o = { .ready = true, .now_ms = 1000, .started_ms = 500 };

    o.expiring = arena_take(a, sizeof(*o.expiring));
    o.expiring[0] = (struct gateway_expiring) { "old", -2 };
    o.expiring_n = 1;
    o.counts.in_state[DOC_OVERDUE] = 7;
    o.held = 4;
    o.counts.jobs[JOB_SEND].open = 2;
    o.counts.jobs[JOB_SEND].oldest_ms = 500;
    for (size_t i = 0; i < OVERVIEW_MINUTES; i++)
        o.minutes[i].minute = (int64_t)i + 1;
    o.minutes[59].n[OUTCOME_SENT] = 3;
    *out = o;
    return asked(g, err, "overview", "");
}

bool gateway_metrics(struct gateway *g, struct arena *a, const char **text, struct err *err)
{
    (void)g;
    (void)err;
    *text = arena_text(a, "waybill_documents 1\n");
    return true;
}

bool gateway_ready(struct gateway *g)
{
    (void)g;
    return true;
}

void gateway_request_stop(struct gateway *g)
{
    atomic_store(&g->stop, true);
}

bool gateway_stop_requested(struct gateway *g)
{
    return atomic_load(&g->stop);
}

char document_opened_role(const struct document *d)
{
    (void)d;
    return 'o';
}
