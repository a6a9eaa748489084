/* The trace of one session: cuts what goes over the wire into commands and words them. */
#include "gateway/session_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { HELD_MAX = 8, COLLECT_MAX = 64 };

struct session_trace {
    struct gateway *g;
    int64_t id;
    struct oftp_stb stb[2]; /* received, sent */
    bool broken[2];
    char partner[128], code[OFTP_CODE + 1];
    bool known;
    char *held[HELD_MAX]; /* lines from before the partner was known */
    size_t held_n;
    unsigned long data[2]; /* DATA buffers not shown one by one */
    struct arena *arena;
    const char ***lines;
    size_t *lines_n;
};

struct session_trace *session_trace_new(struct gateway *g, int64_t id)
{
    struct session_trace *t = malloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    memset(t->broken, 0, sizeof(t->broken));
    t->g = g;
    t->id = id;
    t->stb[0].have = t->stb[1].have = 0;
    t->partner[0] = t->code[0] = '\0';
    t->known = false;
    t->held_n = 0;
    t->data[0] = t->data[1] = 0;
    t->arena = NULL;
    t->lines = NULL;
    t->lines_n = NULL;
    return t;
}

void session_trace_free(struct session_trace *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->held_n; i++)
        free(t->held[i]);
    free(t);
}

void session_trace_collect(struct session_trace *t, struct arena *a, const char ***lines,
                           size_t *n)
{
    t->arena = a;
    t->lines = lines;
    t->lines_n = n;
    *lines = arena_take(a, sizeof(**lines) * COLLECT_MAX);
    *n = 0;
}

static void give(struct session_trace *t, const char *line)
{
    if (t->lines != NULL && *t->lines != NULL && *t->lines_n < COLLECT_MAX)
        (*t->lines)[(*t->lines_n)++] = arena_text(t->arena, line);
    if (t->known)
        trace_line(t->g->trace, t->id, t->partner, t->code, line);
    else if (t->held_n < HELD_MAX && (t->held[t->held_n] = strdup(line)) != NULL)
        t->held_n++;
}

static void command(struct session_trace *t, bool sent, struct span oeb, int level)
{
    char text[1800], line[1900];

    if (oeb.p[0] == 'D') { /* a large file has ten thousands of them: only counted */
        t->data[sent]++;
        return;
    }
    for (int i = 0; i < 2; i++)
        if (t->data[i] > 0) {
            (void)snprintf(line, sizeof(line), "%s DATA buffers=%lu",
                           i == 1 ? "sent" : "received", t->data[i]);
            t->data[i] = 0;
            give(t, line);
        }
    oftp_describe(oeb, level, text, sizeof(text));
    (void)snprintf(line, sizeof(line), "%s %s", sent ? "sent" : "received", text);
    give(t, line);
}

void session_trace_octets(struct session_trace *t, bool sent, struct span octets, int level)
{
    struct err err;
    struct span oeb;

    while (octets.n > 0 && !t->broken[sent]) {
        if (!oftp_stb_take(&t->stb[sent], &octets, &oeb, &err)) {
            t->broken[sent] = true;
            give(t, sent ? "sent octets that are no exchange buffer"
                         : "received octets that are no exchange buffer");
        } else if (oeb.n > 0) {
            command(t, sent, oeb, level);
        }
    }
}

void session_trace_partner(struct session_trace *t, const char *partner, const char *code)
{
    (void)text_copy(t->partner, sizeof(t->partner), partner);
    (void)text_copy(t->code, sizeof(t->code), code);
    t->known = true;
    for (size_t i = 0; i < t->held_n; i++) {
        trace_line(t->g->trace, t->id, t->partner, t->code, t->held[i]);
        free(t->held[i]);
    }
    t->held_n = 0;
}
