/* The entities an MDN is made of, in memory: as2.md 4.1, 4.8. */
#include "as2/mdn_int.h"

#include <stdlib.h>
#include <strings.h>

/* ---- one entity -------------------------------------------------------------------------- */

/* Where the empty line that ends a header block begins, and what is behind it. False: there is
 * none. */
static bool find_body(struct span raw, struct span *block, struct span *body)
{
    size_t line = 0; /* where it begins */

    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] != '\n')
            continue;
        if (i == line || (i == line + 1 && raw.p[line] == '\r')) {
            *block = span_of(raw.p, line);
            *body = span_of(raw.p + i + 1, raw.n - i - 1);
            return true;
        }
        line = i + 1;
    }
    return false;
}

bool as2_entity_typed(const struct mime_head *head, struct span body, struct arena *a,
                      struct as2_entity *e, struct err *err)
{
    const char *type = mime_head_get(head, "Content-Type");
    struct as2_entity found = { .head = *head, .body = body, .type = { .value = "" } };

    if (type != NULL && !mime_value_read(type, a, &found.type, err))
        return false;
    *e = found;
    return true;
}

bool as2_entity_read(struct span raw, struct arena *a, struct as2_entity *e, struct err *err)
{
    struct mime_head head;
    struct span block, body;

    if (!find_body(raw, &block, &body))
        return FAIL(err, FAIL_PEER, 0, "a part's header has no end");
    return mime_head_read(block, a, &head, err) && as2_entity_typed(&head, body, a, e, err);
}

bool as2_entity_decode(struct as2_entity *e, struct arena *a, struct err *err)
{
    const char *name = mime_head_get(&e->head, "Content-Transfer-Encoding");
    enum mime_encoding encoding = mime_encoding_of(name);
    uint8_t *octets;
    char *copy;
    size_t n;

    if (encoding == MIME_BINARY)
        return true;
    if (encoding == MIME_UNKNOWN)
        return FAIL(err, FAIL_PEER, 0, "Content-Transfer-Encoding %.40s is unknown", name);
    if (!mime_decode_octets(encoding, e->body, &octets, &n, err))
        return false;
    copy = arena_copy(a, span_of(octets, n));
    free(octets);
    if (copy == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    e->body = span_of(copy, n);
    return true;
}

/* ---- the parts of a multipart body ------------------------------------------------------- */

struct collector {
    struct as2_parts parts;
    uint8_t *octets; /* of all parts, as many as the body has */
    size_t n, cap;
};

struct part_sink {
    struct sink sink; /* the first member */
    struct collector *all;
    size_t index;
};

static bool part_write(struct sink *sink, struct span octets, struct err *err)
{
    struct part_sink *s = (struct part_sink *)sink;
    struct collector *all = s->all;

    if (octets.n > all->cap - all->n)
        return FAIL(err, FAIL_LOCAL, 0, "parts are longer than their body");
    memcpy(all->octets + all->n, octets.p, octets.n);
    all->n += octets.n;
    all->parts.part[s->index].n += octets.n;
    return true;
}

static bool part_end(struct sink *sink, struct err *err)
{
    (void)sink;
    (void)err;
    return true;
}

static void part_free(struct sink *sink)
{
    free(sink);
}

static bool part_begin(void *context, size_t index, struct sink **part, struct err *err)
{
    static const struct sink_ops ops = { "part", part_write, part_end, part_free };
    struct collector *all = context;
    struct part_sink *s;

    if (index >= MIME_PARTS_MAX)
        return FAIL(err, FAIL_PEER, 0, "more than %d parts", MIME_PARTS_MAX);
    s = malloc(sizeof(*s));
    if (s == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    *s = (struct part_sink) { { &ops }, all, index };
    all->parts.part[index] = span_of(all->octets + all->n, 0);
    all->parts.n = index + 1;
    *part = &s->sink;
    return true;
}

bool as2_parts_read(const struct as2_entity *e, struct arena *a, struct as2_parts *parts,
                    struct err *err)
{
    static const struct mime_parts_events events = { part_begin };
    struct collector all = { .octets = arena_take(a, e->body.n + 1), .cap = e->body.n };
    const char *boundary = mime_param(&e->type, "boundary");
    struct sink *s;
    bool ok;

    if (boundary == NULL)
        return FAIL(err, FAIL_PEER, 0, "%s has no boundary", e->type.value);
    if (all.octets == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    s = mime_parts_new(boundary, &events, &all, err);
    if (s == NULL)
        return false;
    ok = sink_write(s, e->body, err) && sink_end(s, err);
    sink_free(s);
    if (!ok)
        return false;
    *parts = all.parts;
    return true;
}

/* ---- is it one? -------------------------------------------------------------------------- */

bool as2_is_report(const struct mime_value *type)
{
    const char *of = mime_param(type, "report-type");

    return strcmp(type->value, "multipart/report") == 0 &&
           (of == NULL || strcasecmp(of, "disposition-notification") == 0);
}

struct probe {
    struct arena arena;
    bool known, is_report;
};

/* The header block of the first part is there: nothing more is wanted. */
static bool probe_head(void *context, const struct mime_head *h, struct span raw,
                       struct sink **body, struct err *err)
{
    struct probe *p = context;
    struct as2_entity e;

    (void)raw;
    (void)body;
    p->known = true;
    p->is_report =
        as2_entity_typed(h, span_of("", 0), &p->arena, &e, err) && as2_is_report(&e.type);
    return FAIL(err, FAIL_PEER, 0, "known");
}

static bool probe_begin(void *context, size_t index, struct sink **part, struct err *err)
{
    static const struct mime_entity_events events = { probe_head };
    struct probe *p = context;

    if (index > 0)
        return FAIL(err, FAIL_PEER, 0, "the first part has no header");
    *part = mime_entity_new(&events, p, &p->arena, false);
    return *part != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

/* Whether the first part of multipart/signed is a report. */
static bool probe_signed(const struct mime_value *type, struct span body, bool *more)
{
    static const struct mime_parts_events events = { probe_begin };
    const char *boundary = mime_param(type, "boundary");
    struct probe p = { .known = false };
    struct err err;
    struct sink *s;

    s = boundary == NULL ? NULL : mime_parts_new(boundary, &events, &p, &err);
    if (s == NULL)
        return false;
    *more = sink_write(s, body, &err) && !p.known;
    sink_free(s);
    arena_free(&p.arena);
    return p.is_report;
}

bool as2_is_mdn(const char *content_type, struct span body, bool *more)
{
    struct arena a = { 0 };
    struct mime_value type;
    struct err err;
    bool is = false;

    *more = false;
    if (content_type != NULL && mime_value_read(content_type, &a, &type, &err))
        is = as2_is_report(&type) ||
             (strcmp(type.value, "multipart/signed") == 0 && probe_signed(&type, body, more));
    arena_free(&a);
    return is;
}
