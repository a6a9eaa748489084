/* Answers, and the errors among them. */
#include "api/api_int.h"
#include "net/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void send_text(struct api_call *c, int status, const char *text)
{
    /* a token in a browser's or proxy's cache would be worth having */
    static const char no_store[] = "Cache-Control: no-store\r\n";
    const char *extra =
        c->extra == NULL ? no_store : arena_printf(&c->r->arena, "%s%s", no_store, c->extra);
    struct err err;

    if (!http_answer(c->r, status, "application/json", extra, span_text(text), &err))
        log_event(LOG_DEBUG, "api.answer.lost", "peer", c->r->peer, "error", err.text, NULL);
}

void api_json(struct api_call *c, int status, struct json_out root)
{
    char *text = root.failed ? NULL : json_dumps(root.v, JSON_COMPACT);

    json_out_free(&root);
    if (text == NULL)
        send_text(c, 500, "{\"error\":\"memory is out\"}");
    else
        send_text(c, status, text);
    free(text);
}

void api_error(struct api_call *c, int status, const char *fmt, ...)
{
    struct json_out o = json_out_object();
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_put_text(&o, "error", text);
    api_json(c, status, o);
}

static int status_of(const struct err *err)
{
    if (err->kind == FAIL_AGAIN)
        return 409; /* the store: the state was not what the request expected */
    return err->wire >= 400 && err->wire <= 599 ? err->wire : 500;
}

void api_fail(struct api_call *c, const struct err *err)
{
    int status = status_of(err);

    if (status == 500)
        log_event(LOG_ERROR, "api.failed", "method", c->r->method, "path", c->r->path, "error",
                  err->text, "where", err->where, NULL);
    api_error(c, status, "%s", err->text);
}

struct json_out api_problems(const struct config_problems *ps)
{
    struct json_out list = json_out_list();

    for (const struct config_problem *p = ps->first; p != NULL; p = p->next) {
        struct json_out one = json_out_object();

        json_put_text(&one, "file", p->file);
        json_put_int(&one, "line", p->line);
        json_put_int(&one, "column", p->column);
        json_put_text(&one, "text", p->text);
        json_add(&list, one);
    }
    return list;
}

void api_fail_problems(struct api_call *c, const struct err *err,
                       const struct config_problems *ps)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "error", err->text);
    json_put(&o, "problems", api_problems(ps));
    api_json(c, ps->n > 0 ? 422 : status_of(err), o);
}

bool api_number(struct api_call *c, const char *what, const char *text, int64_t min,
                int64_t max, int64_t *out)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < min || v > max) {
        api_error(c, 400, "%s '%.60s' is not a number from %lld to %lld", what, text,
                  (long long)min, (long long)max);
        return false;
    }
    *out = v;
    return true;
}

void api_cut(struct api_call *c)
{
    (void)shutdown(c->conn->fd, SHUT_RDWR);
}
