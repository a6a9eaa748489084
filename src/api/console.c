/* The web console's files, and what it asks before anybody has logged on. Files are sent as the
 * build compressed them; who does not take gzip gets them opened. */
#include "api/console.h"
#include "api/api_int.h"
#include "net/log.h"
#include "store/access.h"

#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

#define PREFIX "/console/"

/* No script, style or request but our own; no inline code; no frame around it. */
static const char strict[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; require-trusted-types-for 'script'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Embedder-Policy: require-corp\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

bool api_console_path(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, "/console") == 0 ||
           strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

static void send_octets(struct api_call *c, int status, const char *type, const char *extra,
                        struct span body)
{
    struct err err;

    if (extra == NULL)
        api_error(c, 500, "memory is out");
    else if (!http_answer(c->r, status, type, extra, body, &err))
        log_event(LOG_DEBUG, "api.answer.lost", "peer", c->r->peer, "error", err.text, NULL);
}

/* ---- files ------------------------------------------------------------------------------ */

/* Names with a dot are files; all else is a page of the one document. NULL: no such file. */
static const struct console_asset *asset_of(const char *name)
{
    if (console_assets_n == 0)
        return NULL;
    if (strchr(name, '.') == NULL || strchr(name, '/') != NULL)
        return &console_assets[0];
    for (size_t i = 0; i < console_assets_n; i++)
        if (strcmp(console_assets[i].name, name) == 0)
            return &console_assets[i];
    return NULL;
}

/* The end of a list's member, which begins at p; its parameters belong to it. */
static const char *member_end(const char *p)
{
    return p + strcspn(p, ",");
}

/* Whether one of the ETags of an If-None-Match is this one; weak ones count. */
static bool has_etag(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    for (; list != NULL && *list != '\0'; list = member_end(list)) {
        list += strspn(list, " \t,");
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, etag, n) == 0)
            return true;
    }
    return false;
}

/* Whether an Accept-Encoding takes gzip (RFC 9110 12.5.3); q=0 is that it does not. */
static bool takes_gzip(const char *list)
{
    for (; list != NULL && *list != '\0'; list = member_end(list)) {
        const char *q;

        list += strspn(list, " \t,");
        if (strncasecmp(list, "gzip", 4) != 0 || strchr("; \t,", list[4]) == NULL)
            continue;
        q = strstr(list, "q=");
        return q == NULL || q > member_end(list) || strtod(q + 2, NULL) > 0;
    }
    return false;
}

/* NULL: memory is out. */
static uint8_t *opened(const struct console_asset *a)
{
    uint8_t *out = malloc(a->size + 1);
    z_stream z = { .next_in = (Bytef *)(uintptr_t)a->octets,
                   .avail_in = (uInt)a->n,
                   .next_out = out,
                   .avail_out = (uInt)a->size };
    bool ok = out != NULL && inflateInit2(&z, 16 + MAX_WBITS) == Z_OK;

    if (ok) {
        ok = inflate(&z, Z_FINISH) == Z_STREAM_END;
        (void)inflateEnd(&z);
    }
    if (ok)
        return out;
    free(out);
    return NULL;
}

static void send_asset(struct api_call *c, const struct console_asset *a)
{
    bool zip = takes_gzip(http_header(c->r, "Accept-Encoding"));
    const char *extra = arena_printf(
        &c->r->arena, "ETag: %s\r\nVary: Accept-Encoding\r\nCache-Control: %s\r\n%s%s", a->etag,
        a->fixed ? "public, max-age=31536000, immutable" : "no-cache", strict,
        zip ? "Content-Encoding: gzip\r\n" : "");
    uint8_t *out = NULL;

    if (has_etag(http_header(c->r, "If-None-Match"), a->etag)) {
        send_octets(c, 304, NULL, extra, span_of(NULL, 0));
    } else if (zip) {
        send_octets(c, 200, a->type, extra, span_of(a->octets, a->n));
    } else {
        out = opened(a);
        send_octets(c, 200, a->type, out != NULL ? extra : NULL, span_of(out, a->size));
    }
    free(out);
}

/* ---- the beginning ---------------------------------------------------------------------- */

/* Who has logged on, and whether anybody can: without a 401, which a browser notes as an error. */
static void start(struct api_call *c)
{
    enum api_session_found found = c->conn->local ? SESSION_NONE : api_session_find(c);
    struct json_out o;
    struct user *users;
    struct err err;
    size_t n;

    if (found == SESSION_ANSWERED)
        return;
    if (!store_users(c->store, &c->r->arena, &users, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    json_put_bool(&o, "users", n > 0);
    if (found == SESSION_GOOD)
        json_put(&o, "session", api_session_tell(c));
    else
        json_put_text(&o, "session", NULL);
    api_json(c, 200, o);
}

void api_console(struct api_call *c)
{
    const char *path = c->r->path;
    const struct console_asset *a;

    if (api_changes(c->r)) {
        c->extra = "Allow: GET, HEAD\r\n";
        api_error(c, 405, "%s takes GET", path);
    } else if (strncmp(path, PREFIX, strlen(PREFIX)) != 0) {
        send_octets(c, 308, NULL, "Location: " PREFIX "\r\nCache-Control: no-cache\r\n",
                    span_of(NULL, 0));
    } else if (console_assets_n == 0) {
        static const char none[] =
            "This waybill was built without the web console (-Dconsole=enabled, with node and "
            "npm, builds it). The command line does the same: waybill help\n";

        send_octets(c, 404, "text/plain; charset=utf-8", strict, span_text(none));
    } else if (strcmp(path, PREFIX "start") == 0) {
        start(c);
    } else if ((a = asset_of(path + strlen(PREFIX))) != NULL) {
        send_asset(c, a);
    } else {
        api_error(c, 404, "the console has no file %.80s", path);
    }
}
