/* The innermost entity: its octets to the events, its digest for the MIC when nothing signed it
 * (as2.md 3.1), its parts when it is a multipart and they are asked for (8.1). */
#include "as2/open_int.h"

#include <stdlib.h>
#include <strings.h>

/* ---- octets out --------------------------------------------------------------------------- */

struct payload {
    struct sink sink; /* the first member */
    struct as2_open *o;
};

static bool event_failed(struct as2_open *o, const struct err *err)
{
    o->stopped = err->kind != FAIL_TRUST; /* a verdict waits like any other */
    return false;
}

static bool payload_write(struct sink *s, struct span octets, struct err *err)
{
    struct as2_open *o = ((struct payload *)s)->o;

    o->found.octets += octets.n;
    if (o->o.content_max > 0 && o->found.octets > o->o.content_max)
        return REFUSE(err, AS2_UNEXPECTED, "the payload has more than the %llu octets allowed",
                      (unsigned long long)o->o.content_max);
    return o->o.octets(o->o.context, octets, err) || event_failed(o, err);
}

static bool payload_end(struct sink *s, struct err *err)
{
    (void)s;
    (void)err;
    return true;
}

static void payload_free(struct sink *s)
{
    free(s);
}

/* Tells of a payload; its octets go to *body, transfer encoding removed unless `decoded`. */
static bool begin_payload(struct as2_open *o, const struct mime_head *h, size_t index,
                          struct sink **body, struct err *err)
{
    static const struct sink_ops ops = { "payload", payload_write, payload_end, payload_free };
    struct as2_payload p = { .index = index,
                             .type = mime_head_get(h, "Content-Type"),
                             .file_name = mime_file_name(h, &o->arena),
                             .content_id = mime_head_get(h, "Content-ID") };
    struct payload *made;

    if (o->arena.failed)
        return NO_MEMORY(err);
    if (!o->o.payload(o->o.context, &p, err))
        return event_failed(o, err);
    o->found.payloads++;
    made = malloc(sizeof(*made));
    if (made == NULL)
        return NO_MEMORY(err);
    made->sink.ops = &ops;
    made->o = o;
    *body = &made->sink;
    return true;
}

/* ---- parts -------------------------------------------------------------------------------- */

/* The root is part 0: the one that `start` names, else the first. Parts come as they are, so those
 * before the root come before it, with the numbers 1 and up; when start names none, none is 0. */
struct parts {
    struct sink sink; /* the first member */
    struct as2_open *o;
    struct sink *parts;
    const char *start; /* without <>; may be NULL */
    size_t others;
};

/* "<id>", maybe with blanks or without the brackets. */
static bool is_root(const struct parts *p, const struct mime_head *h, bool first)
{
    const char *id = mime_head_get(h, "Content-ID");
    size_t n;

    if (p->start == NULL)
        return first;
    if (id == NULL)
        return false;
    id += *id == '<';
    n = strlen(id);
    n -= n > 0 && id[n - 1] == '>';
    return n == strlen(p->start) && memcmp(id, p->start, n) == 0;
}

static bool part_head(void *context, const struct mime_head *h, struct span raw,
                      struct sink **body, struct err *err)
{
    struct parts *p = context;
    bool root = is_root(p, h, p->o->found.payloads == 0);
    struct sink *made = NULL;

    (void)raw;
    if (!begin_payload(p->o, h, root ? 0 : ++p->others, &made, err) ||
        !open_decoded(h, &made, err))
        return false;
    *body = made;
    return true;
}

static bool begin_part(void *context, size_t index, struct sink **part, struct err *err)
{
    static const struct mime_entity_events events = { part_head };
    struct parts *p = context;

    (void)index;
    *part = mime_entity_new(&events, p, &p->o->arena, false);
    return *part != NULL || NO_MEMORY(err);
}

static bool parts_write(struct sink *s, struct span octets, struct err *err)
{
    return sink_write(((struct parts *)s)->parts, octets, err);
}

static bool parts_end(struct sink *s, struct err *err)
{
    return sink_end(((struct parts *)s)->parts, err);
}

static void parts_free(struct sink *s)
{
    sink_free(((struct parts *)s)->parts);
    free(s);
}

static const char *start_of(struct as2_open *o, const struct mime_value *type)
{
    const char *start = mime_param(type, "start");
    size_t n;

    if (start == NULL || strcmp(type->value, "multipart/related") != 0)
        return NULL;
    start += *start == '<';
    n = strlen(start);
    n -= n > 0 && start[n - 1] == '>';
    return arena_copy(&o->arena, span_of(start, n));
}

static bool begin_parts(struct as2_open *o, const struct mime_value *type, struct sink **body,
                        struct err *err)
{
    static const struct sink_ops ops = { "parts", parts_write, parts_end, parts_free };
    static const struct mime_parts_events events = { begin_part };
    const char *boundary = mime_param(type, "boundary");
    struct parts *p;

    if (boundary == NULL)
        return FAIL(err, FAIL_PEER, 0, "%s: no boundary", type->value);
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NO_MEMORY(err);
    p->sink.ops = &ops;
    p->o = o;
    p->start = start_of(o, type);
    p->parts = mime_parts_new(boundary, &events, p, err);
    if (p->parts == NULL) {
        free(p);
        return false;
    }
    *body = &p->sink;
    return true;
}

/* ---- the MIC of what nobody signed -------------------------------------------------------- */

struct tap {
    struct sink sink; /* the first member */
    struct as2_open *o;
    struct sink *next; /* owned */
    struct as2_mic_choice choice;
    bool canonical; /* line ends count as CRLF */
    bool cr;        /* the last octet was CR   */
};

/* As if every line end were CRLF. */
static bool digest_lines(struct tap *t, struct span octets, struct err *err)
{
    while (octets.n > 0) {
        const uint8_t *lf = memchr(octets.p, '\n', octets.n);
        size_t n = lf != NULL ? (size_t)(lf - octets.p) : octets.n;
        bool cr = n > 0 ? octets.p[n - 1] == '\r' : t->cr;

        if (!digests_update(&t->o->digests, span_of(octets.p, n), err) ||
            (lf != NULL &&
             !digests_update(&t->o->digests, cr ? span_text("\n") : span_text("\r\n"), err)))
            return false;
        t->cr = lf == NULL && cr;
        span_skip(&octets, lf != NULL ? n + 1 : n);
    }
    return true;
}

static bool tap_write(struct sink *s, struct span octets, struct err *err)
{
    struct tap *t = (struct tap *)s;

    return (t->canonical ? digest_lines(t, octets, err)
                         : digests_update(&t->o->digests, octets, err)) &&
           sink_write(t->next, octets, err);
}

static bool tap_end(struct sink *s, struct err *err)
{
    struct tap *t = (struct tap *)s;

    if (!digests_end(&t->o->digests, err))
        return false;
    t->o->found.mic = digests_mic(&t->o->digests, t->choice.nid);
    t->o->found.mic_spelling = t->choice.spelling;
    return sink_end(t->next, err);
}

static void tap_free(struct sink *s)
{
    struct tap *t = (struct tap *)s;

    sink_free(t->next);
    free(t);
}

/* Lays one before *body (taken, given). raw: digested first, when there is any. */
static bool add_tap(struct as2_open *o, struct span raw, bool canonical, struct sink **body,
                    struct err *err)
{
    static const struct sink_ops ops = { "digest", tap_write, tap_end, tap_free };
    struct sink *next = *body;
    struct tap *t;

    *body = NULL;
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        sink_free(next);
        return NO_MEMORY(err);
    }
    t->sink.ops = &ops;
    t->o = o;
    t->next = next;
    t->choice = open_mic_choice(o, NID_undef);
    if ((t->choice.nid != NID_undef && !digests_add(&o->digests, t->choice.nid, err)) ||
        !digest_lines(t, raw, err)) {
        tap_free(&t->sink);
        return false;
    }
    t->canonical = canonical;
    t->cr = false;
    *body = &t->sink;
    return true;
}

/* as2.md 3.1: what RFC 4130 wants canonical of unsigned content is text that does not say it is
 * binary; EDI and XML of type application stay as they are. */
static bool is_canonical(const struct mime_head *h, const struct mime_value *type)
{
    const char *encoding = mime_head_get(h, "Content-Transfer-Encoding");

    return strncmp(type->value, "text/", 5) == 0 &&
           (encoding == NULL || strcasecmp(encoding, "7bit") == 0 ||
            strcasecmp(encoding, "8bit") == 0);
}

/* ---- the entity --------------------------------------------------------------------------- */

static bool is_exchange(const struct mime_value *type)
{
    static const char exchange[] = "application/ediint-cert-exchange+xml";
    const char *root = mime_param(type, "type");

    return strcmp(type->value, exchange) == 0 ||
           (strcmp(type->value, "multipart/related") == 0 && root != NULL &&
            strcasecmp(root, exchange) == 0);
}

static bool begin_content(struct as2_open *o, const struct mime_head *h,
                          const struct mime_value *type, struct sink **body, struct err *err)
{
    if (o->o.unpack && (strcmp(type->value, "multipart/related") == 0 ||
                        strcmp(type->value, "multipart/mixed") == 0))
        return begin_parts(o, type, body, err);
    return begin_payload(o, h, 0, body, err);
}

bool open_payload(struct as2_open *o, const struct mime_head *h, struct span raw,
                  const struct mime_value *type, struct sink **body, struct err *err)
{
    const struct as2_opened *found = &o->found;
    bool bare = !found->encrypted && !found->compressed && !found->is_signed;

    if (is_exchange(type))
        return REFUSE(err, AS2_UNEXPECTED,
                      "a certificate exchange message (CEM), which is not supported");
    if (!begin_content(o, h, type, body, err))
        return false;
    if (found->is_signed)
        return open_decoded(h, body, err);
    if (bare)
        return add_tap(o, span_of(NULL, 0), false, body, err) && open_decoded(h, body, err);
    return open_decoded(h, body, err) && add_tap(o, raw, is_canonical(h, type), body, err);
}
