/* Components: applying, deleting, listing; listeners: pausing, resuming, restarting. Sessions
 * under way keep the snapshot they began with. */
#include "gateway/gateway_int.h"

#include <stdio.h>
#include <stdlib.h>

struct snapshot *gateway_snapshot(struct gateway *g)
{
    struct snapshot *sn;

    pthread_mutex_lock(&g->lock);
    sn = snapshot_ref(g->snap);
    pthread_mutex_unlock(&g->lock);
    return sn;
}

/* g->lock is held. NULL: memory is out. */
static struct listener_counts *counts_of(struct gateway *g, const char *listener)
{
    struct listener_counts *c;

    for (c = g->counts; c != NULL && strcmp(c->name, listener) != 0; c = c->next)
        ;
    if (c == NULL && (c = calloc(1, sizeof(*c))) != NULL) {
        (void)text_copy(c->name, sizeof(c->name), listener);
        c->next = g->counts;
        g->counts = c;
    }
    return c;
}

void gateway_listener_error(struct gateway *g, const char *listener, const char *text)
{
    struct listener_counts *c;

    pthread_mutex_lock(&g->lock);
    c = listener == NULL || *listener == '\0' ? NULL : counts_of(g, listener);
    if (c != NULL) {
        c->error_ms = net_wall_ms();
        (void)text_copy(c->last_error, sizeof(c->last_error), text == NULL ? "" : text);
    }
    pthread_mutex_unlock(&g->lock);
}

void gateway_code_error(struct gateway *g, const struct snapshot *sn, const char *code,
                        const char *text)
{
    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];

        if (l->as2 == NULL && l->from.code != NULL && strcmp(l->from.code, code) == 0)
            gateway_listener_error(g, l->name, text);
    }
}

static void state_begins(struct gateway *g, const struct listener *l)
{
    struct listener_counts *c;

    pthread_mutex_lock(&g->lock);
    c = counts_of(g, l->name);
    if (c != NULL)
        c->since_ms = net_wall_ms();
    pthread_mutex_unlock(&g->lock);
    if (l->state == LISTENER_ERRORED)
        gateway_listener_error(g, l->name, l->reason);
}

void gateway_swap(struct gateway *g, struct snapshot *sn)
{
    struct snapshot *old;

    pthread_mutex_lock(&g->lock);
    old = g->snap;
    g->snap = sn;
    pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];
        const struct listener *was = old == NULL ? NULL : snapshot_listener(old, l->name);

        if (was == NULL || was->state != l->state ||
            (l->state == LISTENER_ERRORED && was->version != l->version))
            state_begins(g, l);
        if (l->state == LISTENER_ERRORED &&
            (was == NULL || was->state != LISTENER_ERRORED || was->version != l->version))
            log_event(LOG_ERROR, "listener.errored", "listener", l->name, "reason", l->reason,
                      NULL);
        else if (was == NULL || was->state != l->state || was->version != l->version)
            log_event(LOG_INFO,
                      l->state == LISTENER_PAUSED ? "listener.paused" : "listener.listening",
                      "listener", l->name, "from",
                      l->as2 != NULL ? l->as2_from.id : l->from.code, "to",
                      l->as2 != NULL ? l->as2_to.id : l->to.code, NULL);
    }
    snapshot_put(old);
}

bool gateway_rebuild(struct gateway *g, struct err *err)
{
    struct snapshot *sn = NULL;

    if (!snapshot_build(g->store, g->rt, &sn, err))
        return false;
    gateway_swap(g, sn);
    return true;
}

/* ---- apply ------------------------------------------------------------------------------- */

static bool same_component(const struct config_component *c, const char *kind, const char *name)
{
    return strcmp(config_kind_name(c->kind), kind) == 0 && strcmp(c->name, name) == 0;
}

/* The components as they will be: what is deployed, with the new ones in their places. */
static struct config_component **merged(const struct snapshot *sn,
                                        struct config_component **fresh, size_t n,
                                        size_t *all_n, struct arena *a)
{
    struct config_component **all =
        arena_take(a, sizeof(struct config_component *) * (sn->components_n + n + 1));

    *all_n = 0;
    for (size_t i = 0; all != NULL && i < sn->components_n; i++) {
        bool replaced = false;

        for (size_t j = 0; j < n && !replaced; j++)
            replaced = same_component(fresh[j], config_kind_name(sn->components[i]->kind),
                                      sn->components[i]->name);
        if (!replaced)
            all[(*all_n)++] = sn->components[i];
    }
    for (size_t j = 0; all != NULL && j < n; j++)
        all[(*all_n)++] = fresh[j];
    return all;
}

static bool text_same(const struct snapshot *sn, const struct config_component *c)
{
    for (size_t i = 0; i < sn->components_n; i++)
        if (same_component(sn->components[i], config_kind_name(c->kind), c->name))
            return strcmp(sn->components[i]->text, c->text) == 0;
    return false;
}

/* The same reference, or the same ID in place. */
static bool same_party(const char *ref, const char *id, const char *was_ref, const char *was_id)
{
    const char *a = ref != NULL ? ref : id, *b = was_ref != NULL ? was_ref : was_id;

    return (ref != NULL) == (was_ref != NULL) && a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool same_as2_pair(const struct config_process *p, const struct config_process *was)
{
    return same_party(p->from_partner, p->as2.from.as2_id, was->from_partner,
                      was->as2.from.as2_id) &&
           same_party(p->to_identity, p->as2.to.as2_id, was->to_identity, was->as2.to.as2_id);
}

/* Where a process stood in the order of deployment, while its listening key stays the same: a
 * change of its steps must not make it "the one deployed later". 0: it goes to the end. */
static int64_t kept_since(struct gateway *g, const struct snapshot *sn,
                          const struct config_component *c)
{
    const struct listener *l = snapshot_listener(sn, c->name);
    const struct config_oftp2_party *from = &c->u.process.from;
    char password[SECRET_MAX];
    struct err err = { 0 };

    if (c->kind != CONFIG_PROCESS || l == NULL ||
        strcmp(c->u.process.listen, l->process->listen) != 0)
        return 0;
    if (l->as2 != NULL)
        return same_as2_pair(&c->u.process, l->process) ? l->since : 0;
    if (c->u.process.from_partner != NULL || l->process->from_partner != NULL)
        return c->u.process.from_partner != NULL && l->process->from_partner != NULL &&
                       strcmp(c->u.process.from_partner, l->process->from_partner) == 0
                   ? l->since
                   : 0;
    if (l->from.password == NULL || from->odette_id == NULL ||
        strcmp(from->odette_id, l->from.code) != 0 ||
        !config_secret_get(g->rt, &from->password, password, sizeof(password), &err))
        return 0;
    return secret_equal(password, l->from.password) ? l->since : 0;
}

static bool is_paused(struct gateway *g, const char *kind, const char *name)
{
    struct arena a = { 0 };
    struct deployment *list = NULL;
    struct err err;
    size_t n = 0;
    bool paused = false;

    if (store_deployments(g->store, kind, &a, &list, &n, &err))
        for (size_t i = 0; i < n; i++)
            if (strcmp(list[i].name, name) == 0)
                paused = list[i].paused;
    arena_free(&a);
    return paused;
}

static bool store_changes(struct gateway *g, const struct snapshot *sn,
                          struct config_component **fresh, size_t n,
                          const struct gateway_applied *list, const char *who, struct err *err)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();
    char what[160];
    bool ok;

    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct deployment d = { .kind = config_kind_name(fresh[i]->kind),
                                .name = fresh[i]->name,
                                .at_ms = now,
                                .text = fresh[i]->text };

        if (list[i].unchanged)
            continue;
        d.since = kept_since(g, sn, fresh[i]);
        d.paused = is_paused(g, d.kind, d.name);
        store_put_deployment(b, &d);
        (void)snprintf(what, sizeof(what), "apply %s %s", d.kind, d.name);
        store_add_audit(b, now, who, what);
    }
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    return ok;
}

static void fill_versions(struct gateway *g, struct gateway_applied *list, size_t n)
{
    struct arena a = { 0 };
    struct deployment *ds = NULL;
    struct err err;
    size_t ds_n = 0;

    if (store_deployments(g->store, NULL, &a, &ds, &ds_n, &err))
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < ds_n; j++)
                if (strcmp(ds[j].kind, list[i].kind) == 0 &&
                    strcmp(ds[j].name, list[i].name) == 0)
                    list[i].version = ds[j].version;
    arena_free(&a);
}

/* What is allowed and probably not meant: told to who applies it, and logged. */
static void advise(struct gateway *g, struct config_component **all, size_t all_n,
                   const struct config_component *x, bool log, struct gateway_applied *out,
                   struct arena *a)
{
    struct config_problems advice = { 0 };
    const char **list = NULL;
    size_t n = 0;

    config_advise(g->rt, all, all_n, x, &advice);
    if (advice.n > 0)
        list = arena_take(a, sizeof(*list) * (advice.n + 1));
    for (const struct config_problem *p = advice.first; list != NULL && p != NULL;
         p = p->next) {
        list[n++] = arena_text(a, p->text);
        if (log)
            log_event(LOG_WARN, "component.warning", out->kind, out->name, "reason", p->text,
                      NULL);
    }
    out->warnings = list;
    config_problems_free(&advice);
}

static bool apply_parsed(struct gateway *g, struct config_component **fresh, size_t n,
                         bool dry_run, const char *who, struct arena *a,
                         struct gateway_applied **list, struct config_problems *ps,
                         struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct config_component **all;
    size_t all_n = 0;
    bool ok = false;

    *list = arena_take(a, sizeof(**list) * (n + 1));
    all = merged(sn, fresh, n, &all_n, a);
    if (*list == NULL || all == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    /* Without the runtime: an endpoint may wait for its certificate. */
    if (!config_check(NULL, all, all_n, ps)) {
        FAIL(err, FAIL_LOCAL, 422, "%zu problems were found: nothing was applied", ps->n);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        (*list)[i].kind = config_kind_name(fresh[i]->kind);
        (*list)[i].name = arena_text(a, fresh[i]->name);
        (*list)[i].unchanged = text_same(sn, fresh[i]);
    }
    ok =
        dry_run || (store_changes(g, sn, fresh, n, *list, who, err) && gateway_rebuild(g, err));
    if (ok)
        fill_versions(g, *list, n);
    for (size_t i = 0; ok && i < n; i++)
        advise(g, all, all_n, fresh[i], !dry_run && !(*list)[i].unchanged, &(*list)[i], a);
out:
    snapshot_put(sn);
    return ok;
}

/* For config_unmask. */
static const char *deployed_text(void *context, const char *kind, const char *name)
{
    const struct snapshot *sn = context;

    for (size_t i = 0; i < sn->components_n; i++)
        if (same_component(sn->components[i], kind, name))
            return sn->components[i]->text;
    return NULL;
}

/* What is hidden is as it is deployed. */
static bool put_secrets_back(struct gateway *g, struct span *yaml, struct arena *a,
                             struct err *err)
{
    struct snapshot *sn;
    char *text;

    if (yaml->n == 0 ||
        memmem(yaml->p, yaml->n, CONFIG_MASK, sizeof(CONFIG_MASK) - 1) == NULL ||
        yaml->n > CONFIG_TEXT_MAX || memchr(yaml->p, 0, yaml->n) != NULL)
        return true;
    sn = gateway_snapshot(g);
    text = arena_copy(a, *yaml);
    text = text == NULL ? NULL : config_unmask(a, text, deployed_text, sn);
    snapshot_put(sn);
    if (text == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    *yaml = span_text(text);
    return true;
}

bool gateway_apply_locked(struct gateway *g, struct span yaml, const char *file, bool dry_run,
                          const char *who, struct arena *a, struct gateway_applied **list,
                          size_t *n, struct config_problems *ps, struct err *err)
{
    struct config_component **fresh = NULL;
    bool ok;

    *n = 0;
    if (!put_secrets_back(g, &yaml, a, err))
        return false;
    if (!config_components_parse(yaml, file, &fresh, n, ps)) {
        free(fresh);
        return FAIL(err, FAIL_LOCAL, 422, "%zu problems were found: nothing was applied",
                    ps->n);
    }
    ok = apply_parsed(g, fresh, *n, dry_run, who, a, list, ps, err);
    for (size_t i = 0; i < *n; i++)
        config_component_free(fresh[i]);
    free(fresh);
    return ok;
}

bool gateway_apply(struct gateway *g, struct span yaml, const char *file, bool dry_run,
                   const char *who, struct arena *a, struct gateway_applied **list, size_t *n,
                   struct config_problems *ps, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&g->apply);
    ok = gateway_apply_locked(g, yaml, file, dry_run, who, a, list, n, ps, err);
    pthread_mutex_unlock(&g->apply);
    return ok;
}

/* ---- delete ------------------------------------------------------------------------------ */

/* The first problem says what would be wrong without it; not what to do about that. */
static bool still_needed(const char *kind, const char *name, const struct config_problems *ps,
                         struct err *err)
{
    const char *text = ps->first->text, *end = strstr(text, ", which does not exist");
    size_t n = end != NULL ? (size_t)(end - text) : strlen(text);
    char more[60] = "";

    if (ps->n > 1)
        (void)snprintf(more, sizeof(more), ", and %zu more %s", ps->n - 1,
                       ps->n == 2 ? "place refers to it" : "places refer to it");
    return FAIL(err, FAIL_LOCAL, 409,
                "%s '%s' is still needed: %.*s%s; change or delete that first", kind, name,
                (int)n, text, more);
}

static bool delete_checked(struct gateway *g, const struct snapshot *sn, const char *kind,
                           const char *name, const char *who, struct err *err)
{
    struct arena a = { 0 };
    struct config_problems ps = { 0 };
    struct config_component **rest =
        arena_take(&a, sizeof(struct config_component *) * (sn->components_n + 1));
    struct store_batch *b = store_batch_new();
    size_t n = 0;
    bool ok = rest != NULL && b != NULL;

    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
    for (size_t i = 0; ok && i < sn->components_n; i++)
        if (!same_component(sn->components[i], kind, name))
            rest[n++] = sn->components[i];
    if (ok && n == sn->components_n)
        ok = FAIL(err, FAIL_LOCAL, 404, "no %s '%s' is deployed", kind, name);
    if (ok && !config_check(strcmp(kind, "certificate") == 0 ? g->rt : NULL, rest, n, &ps))
        ok = still_needed(kind, name, &ps, err);
    if (ok) {
        store_drop_deployment(b, kind, name);
        store_add_audit(b, net_wall_ms(), who, arena_printf(&a, "delete %s %s", kind, name));
        ok = store_commit(g->store, b, err) && gateway_rebuild(g, err);
    }
    store_batch_free(b);
    config_problems_free(&ps);
    arena_free(&a);
    return ok;
}

bool gateway_delete(struct gateway *g, const char *kind, const char *name, int64_t version,
                    const char *who, struct err *err)
{
    struct snapshot *sn;
    bool ok;

    pthread_mutex_lock(&g->apply);
    sn = gateway_snapshot(g);
    ok = gateway_version_is(g, kind, name, version, err) &&
         delete_checked(g, sn, kind, name, who, err);
    snapshot_put(sn);
    pthread_mutex_unlock(&g->apply);
    return ok;
}

/* ---- listeners --------------------------------------------------------------------------- */

static const char *const state_names[] = { [LISTENER_LISTENING] = "listening",
                                           [LISTENER_PAUSED] = "paused",
                                           [LISTENER_ERRORED] = "errored" };

void gateway_count_document(struct gateway *g, const char *listener, bool failed)
{
    struct listener_counts *c;

    pthread_mutex_lock(&g->lock);
    c = counts_of(g, listener);
    if (c != NULL && failed) {
        c->failures++;
    } else if (c != NULL) {
        c->documents++;
        c->last_ms = net_wall_ms();
    }
    pthread_mutex_unlock(&g->lock);
}

static const char *text_of(struct arena *a, const char *text)
{
    return text == NULL ? "" : arena_text(a, text);
}

bool gateway_listeners(struct gateway *g, struct arena *a, struct gateway_listener **list,
                       size_t *n, struct err *err)
{
    struct snapshot *sn = gateway_snapshot(g);

    *n = 0;
    *list = arena_take(a, sizeof(**list) * (sn->listeners_n + 1));
    for (size_t i = 0; *list != NULL && i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];
        struct gateway_listener *out = &(*list)[(*n)++];

        out->name = arena_text(a, l->name);
        out->server = arena_text(a, l->process->listen);
        out->state = state_names[l->state];
        out->reason = text_of(a, l->reason);
        out->from = text_of(a, l->as2 != NULL ? l->as2_from.id : l->from.code);
        out->to = text_of(a, l->as2 != NULL ? l->as2_to.id : l->to.code);
        out->from_name = l->partner == NULL ? "" : arena_text(a, l->partner->name);
        out->to_name = text_of(a, l->process->to_identity);
        out->version = l->version;
        pthread_mutex_lock(&g->lock);
        for (const struct listener_counts *c = g->counts; c != NULL; c = c->next)
            if (strcmp(c->name, l->name) == 0) {
                out->documents = c->documents;
                out->failures = c->failures;
                out->last_ms = c->last_ms;
                out->since_ms = c->since_ms;
                out->error_ms = c->error_ms;
                out->last_error = arena_text(a, c->last_error);
            }
        pthread_mutex_unlock(&g->lock);
    }
    snapshot_put(sn);
    return !a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

static bool set_paused(struct gateway *g, const char *name, bool paused, const char *who,
                       struct err *err)
{
    struct store_batch *b = store_batch_new();
    char what[128];
    bool ok;

    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    (void)snprintf(what, sizeof(what), "%s listener %s", paused ? "pause" : "resume", name);
    store_set_paused(b, "process", name, paused);
    store_add_audit(b, net_wall_ms(), who, what);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    return ok;
}

bool gateway_listener_do(struct gateway *g, const char *name, const char *what, const char *who,
                         struct err *err)
{
    struct snapshot *sn;
    bool known, ok;

    pthread_mutex_lock(&g->apply);
    sn = gateway_snapshot(g);
    known = snapshot_listener(sn, name) != NULL;
    snapshot_put(sn);
    if (!known)
        ok = FAIL(err, FAIL_LOCAL, 404, "no listener '%s': see `waybill listeners`", name);
    else if (strcmp(what, "pause") == 0)
        ok = set_paused(g, name, true, who, err);
    else if (strcmp(what, "resume") == 0 || strcmp(what, "restart") == 0)
        ok = set_paused(g, name, false, who, err);
    else
        ok = FAIL(err, FAIL_LOCAL, 400, "a listener can pause, resume or restart, not '%s'",
                  what);
    ok = ok && gateway_rebuild(g, err);
    pthread_mutex_unlock(&g->apply);
    return ok;
}

/* ---- the admin API's TLS ----------------------------------------------------------------- */

bool gateway_admin_tls(struct gateway *g, struct tls **out, struct err *err)
{
    struct snapshot *sn;
    bool ok = true;

    *out = NULL;
    if (g->rt->admin.ssl_certificate == NULL)
        return true;
    sn = gateway_snapshot(g);
    if (sn->admin.tls != NULL)
        *out = tls_ref(sn->admin.tls);
    else
        ok = FAIL(err, FAIL_LOCAL, 503, "%s",
                  sn->admin.error != NULL ? sn->admin.error : "no TLS");
    snapshot_put(sn);
    return ok;
}
