/* An entity: its header block is collected, its body passed on. */
#include "mime/mime.h"

#include <stdlib.h>

enum { EMPTY_LINE = 2, FIRST_CAP = 1024, NAME_MAX_ASKED = 128 };

struct entity {
    struct sink sink; /* the first member */
    const struct mime_entity_events *events;
    void *context;
    struct arena *arena;
    enum { ASK, BLOCK, BODY } where; /* ASK: is there a block at all? */
    uint8_t *block;                  /* the header block so far */
    size_t n, cap, line;             /* line: where the last line begins */
    struct sink *body;
};

static bool block_add(struct entity *e, struct span octets, struct err *err)
{
    size_t cap = e->cap;
    uint8_t *block;

    if (octets.n > MIME_HEAD_MAX + EMPTY_LINE - e->n)
        return FAIL(err, FAIL_PEER, 0, "MIME header: more than %d octets", MIME_HEAD_MAX);
    while (cap < e->n + octets.n)
        cap = cap == 0 ? FIRST_CAP : 2 * cap;
    if (cap > e->cap) {
        block = realloc(e->block, cap);
        if (block == NULL)
            return FAIL(err, FAIL_LOCAL, 0, "MIME header: memory is out");
        e->block = block;
        e->cap = cap;
    }
    if (octets.n > 0)
        memcpy(e->block + e->n, octets.p, octets.n);
    e->n += octets.n;
    return true;
}

/* The block is whole: tells it, the body follows. */
static bool begin_body(struct entity *e, struct span raw, struct err *err)
{
    struct mime_head h = { NULL, 0 };

    if (!mime_head_read(raw, e->arena, &h, err) ||
        !e->events->head(e->context, &h, raw, &e->body, err))
        return false;
    e->where = BODY;
    return true;
}

static bool write_body(struct entity *e, struct span octets, struct err *err)
{
    return e->body == NULL || sink_write(e->body, octets, err);
}

/* Whether octets begin a header block: its empty line, or like a header field of MIME. Stricter than
 * RFC 5322, as EDI, XML and JSON have colons, too. *more: there are not enough to tell. */
static bool is_block(struct span s, bool *more)
{
    size_t n = 0;

    *more = s.n == 0 || (s.n == 1 && s.p[0] == '\r');
    if (*more)
        return false;
    if (s.p[0] == '\n' || (s.p[0] == '\r' && s.p[1] == '\n'))
        return true;
    while (n < s.n && n < NAME_MAX_ASKED &&
           ((s.p[n] >= 'A' && s.p[n] <= 'Z') || (s.p[n] >= 'a' && s.p[n] <= 'z') ||
            (n > 0 && (s.p[n] == '-' || (s.p[n] >= '0' && s.p[n] <= '9')))))
        n++;
    *more = n == s.n;
    return n > 0 && n < s.n && s.p[n] == ':' &&
           !span_is(span_of(s.p, n), "UNA"); /* EDIFACT's first segment */
}

/* There is no block: what was collected begins the body. */
static bool begin_headerless(struct entity *e, struct err *err)
{
    struct span none = { NULL, 0 };

    return begin_body(e, none, err) && write_body(e, span_of(e->block, e->n), err);
}

/* Takes from the front of *in until it is known whether there is a block. */
static bool ask(struct entity *e, struct span *in, struct err *err)
{
    size_t before = e->n, n = NAME_MAX_ASKED + 1 - before;
    bool more;

    n = n < in->n ? n : in->n;
    if (!block_add(e, span_of(in->p, n), err))
        return false;
    if (is_block(span_of(e->block, e->n), &more)) {
        /* before holds no line end: one would have settled it; so in is read on by line */
        e->n = before;
        e->where = BLOCK;
        return true;
    }
    span_skip(in, n);
    return more || begin_headerless(e, err);
}

static bool is_empty_line(const struct entity *e)
{
    size_t n = e->n - e->line;
    const uint8_t *line = e->block + e->line;

    return (n == 1 && line[0] == '\n') || (n == 2 && line[0] == '\r' && line[1] == '\n');
}

/* Takes a line, or what there is of it, from the front of *in. */
static bool collect(struct entity *e, struct span *in, struct err *err)
{
    const uint8_t *lf = memchr(in->p, '\n', in->n);
    size_t n = lf != NULL ? (size_t)(lf - in->p) + 1 : in->n;

    if (!block_add(e, span_of(in->p, n), err))
        return false;
    span_skip(in, n);
    if (lf == NULL)
        return true;
    if (is_empty_line(e))
        return begin_body(e, span_of(e->block, e->n), err);
    e->line = e->n;
    return true;
}

static bool entity_write(struct sink *s, struct span octets, struct err *err)
{
    struct entity *e = (struct entity *)s;

    while (octets.n > 0 && e->where != BODY)
        if (!(e->where == ASK ? ask : collect)(e, &octets, err))
            return false;
    return octets.n == 0 || write_body(e, octets, err);
}

static bool entity_end(struct sink *s, struct err *err)
{
    struct entity *e = (struct entity *)s;

    if (e->where == BLOCK)
        return FAIL(err, FAIL_PEER, 0,
                    "a MIME entity ends before the empty line behind its header");
    if (e->where == ASK && !begin_headerless(e, err))
        return false;
    return e->body == NULL || sink_end(e->body, err);
}

static void entity_free(struct sink *s)
{
    struct entity *e = (struct entity *)s;

    sink_free(e->body);
    free(e->block);
    free(e);
}

struct sink *mime_entity_new(const struct mime_entity_events *events, void *context,
                             struct arena *a, bool headerless)
{
    static const struct sink_ops ops = { "MIME entity", entity_write, entity_end, entity_free };
    struct entity *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return NULL;
    e->sink.ops = &ops;
    e->events = events;
    e->context = context;
    e->arena = a;
    e->where = headerless ? ASK : BLOCK;
    return &e->sink;
}
