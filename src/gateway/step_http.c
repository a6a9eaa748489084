/* The step `http`: the document as the body of a request. Any answer from 200 to 299 is success;
 * 4xx (but 408 and 429) is final; everything else is tried again. */
#include "gateway/delivery.h"

#include "net/http.h"

#include <stdio.h>

struct body {
    struct gateway *g;
    struct payload_reader *reader;
    uint64_t from, at, left; /* of the payload: where it begins, what comes next */
};

static bool read_body(void *context, struct room room, size_t *n)
{
    struct body *b = context;
    struct err err;

    if (room.n > b->left)
        room.n = (size_t)b->left;
    *n = 0;
    if (room.n > 0 && !payload_read(b->reader, b->at, room, n, &err))
        return false;
    b->at += *n;
    b->left -= *n;
    return true;
}

static bool time_is_up(void *context)
{
    const struct gateway *g = ((struct body *)context)->g;

    return atomic_load(&g->ending);
}

static const char *header(struct arena *a, const char *name, const char *value)
{
    char *line = arena_printf(a, "%s: %s", name, value == NULL ? "" : value);

    for (char *p = line; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    return line;
}

/* What is configured; where that is the default, the type the document came with. */
static const char *media_type(const struct step_context *c)
{
    const char *own = c->step->u.http.content_type;
    bool any = own == NULL || strcmp(own, "application/octet-stream") == 0;

    if (any && c->part.type != NULL && c->part.type[0] != '\0')
        return c->part.type;
    return own == NULL ? "application/octet-stream" : own;
}

static bool final_status(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

enum step_outcome step_http(struct step_context *c)
{
    struct body body = {
        .g = c->g, .from = c->part.at, .at = c->part.at, .left = c->part.left
    };
    struct http_reply reply = { 0 };
    struct err err = { 0 };
    char *url = NULL;
    const char *type = media_type(c);
    const char *headers[] = {
        header(c->arena, "Content-Type", type),
        header(c->arena, "X-Waybill-Document",
               arena_printf(c->arena, "%lld", (long long)c->d->id)),
        header(c->arena, "X-Waybill-Name", c->d->name),
        header(c->arena, "X-Waybill-From", c->d->from),
        header(c->arena, "X-Waybill-To", c->d->to),
        header(c->arena, "X-Waybill-Redelivered", c->x->redelivered ? "true" : "false"),
        header(c->arena, "X-Waybill-Part",
               arena_printf(c->arena, "%zu/%zu", c->part_number, c->parts)),
        NULL,
    };
    struct http_call call = { .method = c->step->u.http.method,
                              .headers = headers,
                              .read = read_body,
                              .read_context = &body,
                              .stop = time_is_up,
                              .stop_context = &body,
                              .read_length = c->part.left,
                              .timeout_ms = c->step->u.http.timeout_ms,
                              .answer_max = 64 * 1024 };
    bool answered = false;

    if (call.method == NULL)
        call.method = "POST";
    if (template_expand(c->step->u.http.url, c->d, c->x, c->arena, &url, &err) &&
        payload_open(c->g->store, c->d->id, document_opened_role(c->d), &c->d->opened,
                     &body.reader, &err)) {
        call.url = url;
        answered = http_call(&call, c->arena, &reply, &err);
    }
    payload_reader_free(body.reader);
    if (answered && reply.status >= 200 && reply.status < 300) {
        (void)snprintf(c->text, sizeof(c->text), "%s %s: %d", call.method, url, reply.status);
        return STEP_DONE;
    }
    if (answered)
        (void)snprintf(c->text, sizeof(c->text), "%s %s: HTTP status %d: %.*s", call.method,
                       url, reply.status, (int)(reply.body.n < 200 ? reply.body.n : 200),
                       reply.body.n > 0 ? (const char *)reply.body.p : "");
    else
        (void)snprintf(c->text, sizeof(c->text), "%s %s: %s", call.method,
                       url == NULL ? "" : url, err.text);
    /* Without an answer nobody knows what the other side did with it. */
    c->maybe_done = (!answered && body.at > body.from) || c->part_number > 1;
    if ((answered && final_status(reply.status)) ||
        (uint32_t)c->attempts >= c->step->u.http.retries)
        return STEP_FAILED;
    c->later_ms = net_wall_ms() + (int64_t)c->step->u.http.retry_delay_ms;
    return STEP_LATER;
}
