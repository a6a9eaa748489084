/* Components: applied, listed, shown, deleted. */
#include "api/api_int.h"

#include <errno.h>
#include <stdlib.h>

static void put_warnings(struct json_out *o, const char *const *warnings)
{
    struct json_out list;

    if (warnings == NULL)
        return;
    list = json_out_list();
    for (; *warnings != NULL; warnings++)
        json_add_text(&list, *warnings);
    json_put(o, "warnings", list);
}

static struct json_out applied(const struct gateway_applied *list, size_t n)
{
    struct json_out o = json_out_object(), all = json_out_list();

    for (size_t i = 0; i < n; i++) {
        struct json_out one = json_out_object();

        json_put_text(&one, "kind", list[i].kind);
        json_put_text(&one, "name", list[i].name);
        json_put_int(&one, "version", list[i].version);
        json_put_bool(&one, "unchanged", list[i].unchanged);
        put_warnings(&one, list[i].warnings);
        json_add(&all, one);
    }
    json_put(&o, "applied", all);
    return o;
}

/* If-Match and If-None-Match of who saw a version before: *version, or GATEWAY_ANY_VERSION. False:
 * answered already. */
static bool expected(struct api_call *c, int64_t *version)
{
    const char *match = http_header(c->r, "If-Match"),
               *none = http_header(c->r, "If-None-Match");
    char *end;

    *version = GATEWAY_ANY_VERSION;
    if (none != NULL && match == NULL && strcmp(none, "*") == 0) {
        *version = 0;
        return true;
    }
    if (match == NULL && none == NULL)
        return true;
    if (match != NULL && none == NULL && strcmp(match, "*") == 0) {
        *version = GATEWAY_SOME_VERSION;
        return true;
    }
    errno = 0;
    if (match != NULL && none == NULL && match[0] == '"' && match[1] >= '1' &&
        match[1] <= '9') {
        *version = strtoll(match + 1, &end, 10);
        if (errno == 0 && strcmp(end, "\"") == 0)
            return true;
    }
    api_error(
        c, 400,
        "If-Match must be one ETag as it was given, like \"7\", or *; If-None-Match only *, "
        "and not both");
    return false;
}

/* As a header line of the answer. */
static void tell_version(struct api_call *c, int64_t version)
{
    const char *line = arena_printf(&c->r->arena, "ETag: \"%lld\"\r\n", (long long)version);

    if (line != NULL && c->extra != NULL)
        line = arena_printf(&c->r->arena, "%s%s", c->extra, line);
    c->extra = line != NULL ? line : c->extra;
}

uint8_t *api_body(struct api_call *c, size_t *n)
{
    uint8_t *text = malloc((size_t)CONFIG_TEXT_MAX + 1);
    struct err err;
    size_t got;

    if (text == NULL) {
        api_error(c, 500, "memory is out");
        return NULL;
    }
    *n = 0;
    for (;;) {
        struct room room = { text + *n, (size_t)CONFIG_TEXT_MAX + 1 - *n };

        if (!http_body(c->r, room, &got, &err)) {
            err.wire = 400;
            api_fail(c, &err);
            break;
        }
        if (got == 0) {
            text[*n] = '\0';
            return text;
        }
        *n += got;
        if (*n > CONFIG_TEXT_MAX) {
            api_error(c, 413, "the body is longer than %d octets: send it in parts",
                      (int)CONFIG_TEXT_MAX);
            break;
        }
    }
    free(text);
    return NULL;
}

static bool is_dry(struct api_call *c)
{
    const char *dry = http_query(c->r, "dry_run");

    return dry != NULL && strcmp(dry, "0") != 0 && strcmp(dry, "false") != 0;
}

void api_apply(struct api_call *c)
{
    const char *file = http_query(c->r, "file");
    bool dry_run = is_dry(c);
    struct config_problems ps = { 0 };
    struct gateway_applied *list;
    struct err err;
    size_t n, len;
    uint8_t *text = api_body(c, &len);

    if (text == NULL)
        return;
    if (gateway_apply(c->gateway, span_of(text, len), file != NULL ? file : "request", dry_run,
                      c->who, &c->r->arena, &list, &n, &ps, &err))
        api_json(c, 200, applied(list, n));
    else
        api_fail_problems(c, &err, &ps);
    config_problems_free(&ps);
    free(text);
}

/* False: answered already. */
static bool known_kind(struct api_call *c, const char *kind)
{
    enum config_kind k;

    if (config_kind_of(kind, &k))
        return true;
    api_error(c, 400, "'%.40s' is no kind: use certificate, identity, partner or process",
              kind);
    return false;
}

void api_component_put(struct api_call *c)
{
    struct gateway_put put = { .kind = c->arg[0],
                               .name = c->arg[1],
                               .file = http_query(c->r, "file"),
                               .dry_run = is_dry(c) };
    struct config_problems ps = { 0 };
    struct gateway_applied done;
    struct err err;
    uint8_t *text;
    size_t len;

    if (put.file == NULL)
        put.file = "request";
    if (!known_kind(c, put.kind) || !expected(c, &put.version) ||
        (text = api_body(c, &len)) == NULL)
        return;
    if (gateway_put_component(c->gateway, &put, span_of(text, len), c->who, &c->r->arena, &done,
                              &ps, &err)) {
        if (done.version > 0)
            tell_version(c, done.version);
        api_json(c, 200, applied(&done, 1));
    } else {
        api_fail_problems(c, &err, &ps);
    }
    config_problems_free(&ps);
    free(text);
}

void api_check(struct api_call *c)
{
    const char *file = http_query(c->r, "file");
    struct config_problems ps = { 0 };
    struct gateway_applied *list = NULL;
    struct json_out o;
    struct err err = { 0 };
    size_t n = 0, len;
    uint8_t *text = api_body(c, &len);
    bool ok;

    if (text == NULL)
        return;
    ok = gateway_apply(c->gateway, span_of(text, len), file != NULL ? file : "request", true,
                       c->who, &c->r->arena, &list, &n, &ps, &err);
    if (!ok && ps.n == 0) {
        api_fail(c, &err);
    } else {
        o = applied(list, ok ? n : 0);
        json_put(&o, "problems", api_problems(&ps));
        api_json(c, 200, o);
    }
    config_problems_free(&ps);
    free(text);
}

const char *api_shown_text(struct api_call *c, const char *text)
{
    const char *masked = http_query(c->r, "masked"), *shown = text != NULL ? text : "";

    if (c->role >= ROLE_ADMIN &&
        (masked == NULL || strcmp(masked, "0") == 0 || strcmp(masked, "false") == 0))
        return shown;
    shown = config_mask(&c->r->arena, shown);
    if (shown == NULL)
        api_error(c, 500, "memory is out");
    return shown;
}

/* text: NULL, or to be told too. */
static struct json_out component(const struct deployment *d, const char *text)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "kind", d->kind);
    json_put_text(&o, "name", d->name);
    json_put_int(&o, "version", d->version);
    json_put_bool(&o, "paused", d->paused);
    json_put_time(&o, "at", d->at_ms);
    if (text != NULL)
        json_put_text(&o, "text", text);
    return o;
}

/* False: answered already. kind may be NULL. */
static bool load(struct api_call *c, const char *kind, struct deployment **list, size_t *n)
{
    struct err err;

    if (kind != NULL && !known_kind(c, kind))
        return false;
    if (!store_deployments(c->store, kind, &c->r->arena, list, n, &err)) {
        api_fail(c, &err);
        return false;
    }
    return true;
}

void api_components(struct api_call *c)
{
    struct json_out o, all;
    struct deployment *list;
    size_t n;

    if (!load(c, http_query(c->r, "kind"), &list, &n))
        return;
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, component(&list[i], NULL));
    json_put(&o, "components", all);
    api_json(c, 200, o);
}

void api_component(struct api_call *c)
{
    struct deployment *list;
    size_t n;

    if (!load(c, c->arg[0], &list, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, c->arg[1]) == 0) {
            const char *text = api_shown_text(c, list[i].text);

            if (text == NULL)
                return;
            tell_version(c, list[i].version);
            api_json(c, 200, component(&list[i], text));
            return;
        }
    }
    api_error(c, 404, "there is no %s '%.64s'", c->arg[0], c->arg[1]);
}

void api_component_delete(struct api_call *c)
{
    struct json_out o;
    struct err err;
    int64_t version;

    if (!expected(c, &version))
        return;
    if (!gateway_delete(c->gateway, c->arg[0], c->arg[1], version, c->who, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    json_put_bool(&o, "deleted", true);
    api_json(c, 200, o);
}
