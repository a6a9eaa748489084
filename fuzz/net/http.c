/* The first octet says how the rest, a stream of requests, is cut. Oracle: no cut and no size
 * of the caller's room changes what is understood. */
#include "net/http_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRACE_CAP = 4 * 1024 * 1024 };

/* All that a server would act on. */
struct trace {
    size_t n;
    int status; /* of the refusal that ended it */
    char text[TRACE_CAP];
};

static void note(struct trace *t, const char *text, size_t n)
{
    if (TRACE_CAP - t->n < n + 1)
        return;
    memcpy(t->text + t->n, text, n);
    t->n += n;
    t->text[t->n++] = '\n';
}

static bool more(struct http_parse *p, struct span *in, size_t chunk)
{
    struct room room = http_parse_room(p);
    size_t n = in->n < chunk ? in->n : chunk;

    if (n > room.n)
        n = room.n;
    if (n == 0) {
        if (in->n > 0)
            abort(); /* a server would wait for ever */
        return false;
    }
    memcpy(room.p, in->p, n);
    http_parse_filled(p, n);
    span_skip(in, n);
    return true;
}

static void note_head(struct trace *t, const struct http_parse *p)
{
    struct http_request r = { .path = "", .query = "" };
    const char *value;

    note(t, p->url, strlen(p->url));
    for (size_t i = 0; i < p->fields_n; i++) {
        note(t, p->fields[i].name, strlen(p->fields[i].name));
        note(t, p->fields[i].value, strlen(p->fields[i].value));
    }
    if (http_split_url(p->url, &r.arena, &r.path, &r.query)) {
        note(t, r.path, strlen(r.path));
        value = http_query(&r, "a");
        note(t, value != NULL ? value : "-", value != NULL ? strlen(value) : 1);
    }
    note(t, p->keep_alive ? "k" : "c", 1);
    note(t, p->expects ? "e" : "-", 1);
    arena_free(&r.arena);
}

/* False: the stream ended within it, or it was refused. */
static bool body(struct http_parse *p, struct span *in, size_t chunk, size_t room,
                 struct trace *t)
{
    uint8_t out[256];

    while (!p->complete) {
        size_t n = 0, direct = http_parse_direct_max(p);

        if (direct > 0 && chunk % 2 == 0 && in->n > 0) {
            n = direct < room ? direct : room;
            n = n < in->n ? n : in->n;
            memcpy(out, in->p, n);
            http_parse_direct(p, n);
            span_skip(in, n);
        } else if (!http_parse_body(p, (struct room) { out, room }, &n)) {
            t->status = p->status;
            return false;
        }
        if (n > 0 && TRACE_CAP - t->n > n) {
            memcpy(t->text + t->n, out, n);
            t->n += n;
        }
        if (n == 0 && !p->complete && !more(p, in, chunk))
            return false;
    }
    return true;
}

static void run(struct span in, size_t chunk, size_t room, struct trace *t)
{
    struct http_parse *p = malloc(sizeof(*p));
    enum http_step step;

    if (p == NULL)
        abort();
    t->n = 0;
    t->status = 0;
    http_parse_begin(p, false);
    for (;;) {
        step = http_parse_head(p);
        if (step == HTTP_MORE && more(p, &in, chunk))
            continue;
        if (step == HTTP_REFUSED)
            t->status = p->status;
        if (step != HTTP_HEAD_DONE)
            break;
        note_head(t, p);
        if (!body(p, &in, chunk, room, t) || !p->keep_alive)
            break;
        http_parse_begin(p, true);
    }
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trace whole, cut;
    struct span in;

    if (size == 0)
        return 0;
    in = span_of(data + 1, size - 1);
    run(in, SIZE_MAX, 256, &whole);
    run(in, 1U + data[0] % 37U, 1U + data[0] % 11U, &cut);
    /* which of two faults is found first may depend on the cut */
    if ((whole.status == 0) != (cut.status == 0))
        abort();
    /* before a refusal within a body, its octets may have been told or not */
    if (whole.status == 0 && (whole.n != cut.n || memcmp(whole.text, cut.text, whole.n) != 0))
        abort();
    return 0;
}
