/* One component changed by who saw it before: what came in between is not overwritten unseen. */
#include "gateway/gateway_int.h"
#include "store/access.h"

#include <stdio.h>

enum { LINES_MAX = 1000 }; /* of the audit log that are looked at */

/* The newest version of it, also of one that was deleted. *d NULL: there was none. *deployed: it is in
 * force. */
static bool newest(struct gateway *g, const char *kind, const char *name, struct arena *a,
                   const struct deployment **d, bool *deployed, struct err *err)
{
    struct deployment *list, *there;
    size_t n, there_n;

    if (!store_versions(g->store, kind, name, a, &list, &n, err) ||
        !store_deployments(g->store, kind, a, &there, &there_n, err))
        return false;
    *d = n > 0 ? &list[0] : NULL;
    *deployed = false;
    for (size_t i = 0; i < there_n; i++)
        *deployed = *deployed || strcmp(there[i].name, name) == 0;
    return true;
}

/* " by user:zoe from ::1 at 2026-11-21T20:40:01.123Z" of the newest audit line that says so; "": the
 * line is gone, or one of many. */
static const char *by_whom(struct gateway *g, const char *what, int64_t at_ms, struct arena *a)
{
    struct audit_filter f = { .from_ms = at_ms,
                              .to_ms = at_ms == 0 ? 0 : at_ms + 1,
                              .limit = LINES_MAX };
    struct audit_line *list;
    struct err err;
    char at[25];
    size_t n;

    if (!store_audit(g->store, &f, a, &list, &n, &err))
        return "";
    for (size_t i = 0; i < n; i++) {
        if (list[i].what == NULL || strcmp(list[i].what, what) != 0)
            continue;
        net_time_text(list[i].at_ms, at);
        return arena_printf(a, " by %s at %s", list[i].who, at);
    }
    return "";
}

static bool changed(struct gateway *g, const char *kind, const char *name, int64_t version,
                    const struct deployment *d, struct arena *a, struct err *err)
{
    const char *by = by_whom(g, arena_printf(a, "apply %s %.64s", kind, name), d->at_ms, a);

    if (version == 0)
        return FAIL(err, FAIL_LOCAL, 412,
                    "there is a %s '%.64s' already: version %lld, saved%s. Nothing was changed",
                    kind, name, (long long)d->version, by);
    return FAIL(
        err, FAIL_LOCAL, 412,
        "%s '%.64s' is not version %lld any more: version %lld was saved%s. Nothing was "
        "changed: look at what it is now, and save again",
        kind, name, (long long)version, (long long)d->version, by);
}

bool gateway_version_is(struct gateway *g, const char *kind, const char *name, int64_t version,
                        struct err *err)
{
    const struct deployment *d = NULL;
    struct arena a = { 0 };
    bool deployed, ok = true;

    if (version == GATEWAY_ANY_VERSION)
        return true;
    if (!newest(g, kind, name, &a, &d, &deployed, err))
        ok = false;
    else if (deployed && version != GATEWAY_SOME_VERSION && version != d->version)
        ok = changed(g, kind, name, version, d, &a, err);
    else if (!deployed && d != NULL && version != 0)
        ok =
            FAIL(err, FAIL_LOCAL, 412,
                 "there is no %s '%.64s' any more: it was deleted%s. Nothing was changed", kind,
                 name, by_whom(g, arena_printf(&a, "delete %s %.64s", kind, name), 0, &a));
    else if (!deployed && version != 0)
        ok = FAIL(err, FAIL_LOCAL, 412, "there is no %s '%.64s'. Nothing was changed", kind,
                  name);
    arena_free(&a);
    return ok;
}

/* Under the lock. The text is tried first: what else it has may not be applied with it. */
static bool put_locked(struct gateway *g, const struct gateway_put *put, struct span yaml,
                       const char *who, struct arena *a, struct gateway_applied **list,
                       size_t *n, struct config_problems *ps, struct err *err)
{
    if (!gateway_version_is(g, put->kind, put->name, put->version, err) ||
        !gateway_apply_locked(g, yaml, put->file, true, who, a, list, n, ps, err))
        return false;
    if (*n != 1 || strcmp((*list)[0].kind, put->kind) != 0 ||
        strcmp((*list)[0].name, put->name) != 0)
        return FAIL(err, FAIL_LOCAL, 422,
                    "the text must be %s '%.64s' and nothing else; it has %zu component%s%s%s",
                    put->kind, put->name, *n, *n == 1 ? "" : "s", *n == 0 ? "" : ", first ",
                    *n == 0 ? ""
                            : arena_printf(a, "%s '%.64s'", (*list)[0].kind, (*list)[0].name));
    return put->dry_run ||
           gateway_apply_locked(g, yaml, put->file, false, who, a, list, n, ps, err);
}

bool gateway_put_component(struct gateway *g, const struct gateway_put *put, struct span yaml,
                           const char *who, struct arena *a, struct gateway_applied *out,
                           struct config_problems *ps, struct err *err)
{
    struct gateway_applied *list = NULL;
    size_t n = 0;
    bool ok;

    pthread_mutex_lock(&g->apply);
    ok = put_locked(g, put, yaml, who, a, &list, &n, ps, err);
    pthread_mutex_unlock(&g->apply);
    if (ok)
        *out = list[0];
    return ok;
}
