/* The grammar of the five kinds of ContentInfo (RFC 5652 3, 5.1, 6.1; RFC 5083 2.1; RFC 3274 1.1),
 * as far as it lies around the content. By depth:
 *   0 ContentInfo  1 type, [0]  2 the body, or data's octets  3 the body's fields
 *   4 fields of the inner sequence, which has the content  5 octets within an explicit [0] */
#include "cms/walk.h"

#include <openssl/objects.h>

enum { TAIL_SIGNED_CERTIFICATES = 0xa0, TAIL_SIGNED_CRLS = 0xa1, TAIL_UNPROTECTED = 0xa1 };

void walk_free(struct walk *w)
{
    grow_free(&w->head);
    grow_free(&w->inner);
    grow_free(&w->tail);
}

static bool find_kind(struct span oid, enum cms_kind *kind)
{
    for (enum cms_kind k = CMS_DATA; k <= CMS_COMPRESSED; k++) {
        const ASN1_OBJECT *o = OBJ_nid2obj(cms_kind_nid(k));

        if (span_equal(oid, span_of(OBJ_get0_data(o), OBJ_length(o)))) {
            *kind = k;
            return true;
        }
    }
    return false;
}

static bool malformed(struct err *err, const struct walk *w, const char *what)
{
    return REFUSE(err, CMS_FORMAT, "%s: %s", w->oid_n > 0 ? cms_kind_name(w->kind) : "cms",
                  what);
}

/* Adds to what is being collected, within its limit. */
static bool collect(struct walk *w, struct span raw, struct err *err)
{
    size_t max = w->capture == &w->tail ? CMS_TAIL_MAX : CMS_HEAD_MAX;

    if (w->head.n + w->inner.n > max ||
        raw.n > max - (w->capture == &w->tail ? w->tail.n : w->head.n + w->inner.n))
        return REFUSE(err, CMS_FORMAT, "%s: more than %zu octets %s the content",
                      cms_kind_name(w->kind), max,
                      w->capture == &w->tail ? "behind" : "before");
    return grow_put(w->capture, raw) || NO_MEMORY(err);
}

static bool begin_capture(struct walk *w, struct grow *g, const struct ber_event *ev,
                          struct err *err)
{
    w->capture = g;
    w->capture_depth = ev->depth;
    w->children = 0;
    return collect(w, ev->raw, err);
}

/* An element within one that is being collected. The members of a SET are recipients, signers or
 * digest algorithms; each costs work, so each is counted. */
static bool begin_captured(struct walk *w, const struct ber_event *ev, struct err *err)
{
    bool enveloped = w->kind == CMS_ENVELOPED || w->kind == CMS_AUTH_ENVELOPED;
    unsigned max = enveloped ? CMS_RECIPIENTS_MAX : CMS_SIGNERS_MAX;

    if (ev->depth == 4 && w->ber.level[3].id == BER_SET && ++w->children > max)
        return REFUSE(err, CMS_FORMAT, "%s: more than %u %s", cms_kind_name(w->kind), max,
                      enveloped ? "recipients" : "signers or digests");
    return collect(w, ev->raw, err);
}

static void begin_content(struct walk *w, unsigned depth)
{
    w->phase = WALK_WITHIN;
    w->content_depth = depth;
    w->tell_head = true;
}

static bool is_octets(uint8_t id)
{
    return (id & ~BER_CONSTRUCTED) == BER_OCTET_STRING;
}

static bool in_tail(const struct walk *w, uint8_t id)
{
    switch (w->kind) {
    case CMS_SIGNED:
        return id == TAIL_SIGNED_CERTIFICATES || id == TAIL_SIGNED_CRLS || id == BER_SET;
    case CMS_ENVELOPED:
        return id == TAIL_UNPROTECTED;
    case CMS_AUTH_ENVELOPED: /* [1] authenticated attributes, mac, [2] */
        return id == 0xa1 || id == BER_OCTET_STRING || id == 0xa2;
    default:
        return false;
    }
}

/* A field of the body. */
static bool begin_field(struct walk *w, const struct ber_event *ev, unsigned index,
                        struct err *err)
{
    bool inner = ev->id == BER_SEQUENCE && (w->kind != CMS_COMPRESSED || index == 2);

    if (w->phase != WALK_BEFORE)
        return in_tail(w, ev->id) ? begin_capture(w, &w->tail, ev, err)
                                  : malformed(err, w, "an unknown field behind the content");
    if (inner) {
        w->inner_begun = true;
        return true;
    }
    if (index == 0
            ? ev->id != BER_INTEGER
            : ev->id != BER_SET && ev->id != BER_CONTEXT_CONSTRUCTED && ev->id != BER_SEQUENCE)
        return malformed(err, w, "an unknown field before the content");
    return begin_capture(w, &w->head, ev, err);
}

/* A field of the inner sequence: type, algorithm when encrypted, content. */
static bool begin_inner(struct walk *w, const struct ber_event *ev, unsigned index,
                        struct err *err)
{
    bool encrypted = w->kind == CMS_ENVELOPED || w->kind == CMS_AUTH_ENVELOPED;

    if (index == 0 && ev->id == BER_OID)
        return begin_capture(w, &w->inner, ev, err);
    if (encrypted && index == 1 && ev->id == BER_SEQUENCE)
        return begin_capture(w, &w->inner, ev, err);
    if (encrypted && index == 2 && (ev->id & ~BER_CONSTRUCTED) == BER_CONTEXT) {
        begin_content(w, 4);
        return true;
    }
    if (!encrypted && index == 1 && ev->id == BER_CONTEXT_CONSTRUCTED)
        return true;
    return malformed(err, w, "an unknown field beside the content");
}

static bool begin(struct walk *w, const struct ber_event *ev, struct err *err)
{
    unsigned index = ev->depth < COUNT_OF(w->index) ? w->index[ev->depth]++ : 0;
    bool ok = false;

    if (w->capture != NULL)
        return begin_captured(w, ev, err);
    if (w->phase == WALK_WITHIN)
        return is_octets(ev->id) || malformed(err, w, "the content is no octet string");
    if (ev->depth + 1 < COUNT_OF(w->index))
        w->index[ev->depth + 1] = 0;
    switch (ev->depth) {
    case 0:
        ok = ev->id == BER_SEQUENCE;
        break;
    case 1:
        ok = index == 0 ? ev->id == BER_OID : index == 1 && ev->id == BER_CONTEXT_CONSTRUCTED;
        break;
    case 2:
        ok = index == 0 && (w->kind == CMS_DATA ? is_octets(ev->id) : ev->id == BER_SEQUENCE);
        if (ok && w->kind == CMS_DATA)
            begin_content(w, 2);
        break;
    case 3:
        return begin_field(w, ev, index, err);
    case 4:
        return begin_inner(w, ev, index, err);
    case 5:
        ok = index == 0 && is_octets(ev->id);
        begin_content(w, 5);
        break;
    default:
        break;
    }
    return ok || malformed(err, w, "not the structure of RFC 5652");
}

static bool end(struct walk *w, const struct ber_event *ev, struct err *err)
{
    if (w->capture != NULL) {
        if (!collect(w, ev->raw, err))
            return false;
        if (ev->depth == w->capture_depth)
            w->capture = NULL;
        return true;
    }
    if (w->phase == WALK_WITHIN) {
        if (ev->depth == w->content_depth) {
            w->phase = WALK_BEHIND;
            w->tell_closed = true;
        }
        return true;
    }
    if (ev->depth == 1 && w->index[1] == 1)
        return find_kind(span_of(w->oid, w->oid_n), &w->kind) ||
               REFUSE(err, CMS_FORMAT, "cms: a content type we do not know");
    if (ev->depth == 3 && w->phase == WALK_BEFORE && w->inner_begun) {
        w->phase = WALK_BEHIND;
        w->absent = w->tell_head = w->tell_closed = true;
    }
    if (ev->depth == 0 && w->phase != WALK_BEHIND)
        return malformed(err, w, "it ends before its content");
    return true;
}

/* Content of a primitive element around the content proper. */
static bool octets(struct walk *w, const struct ber_event *ev, struct err *err)
{
    if (w->capture != NULL)
        return collect(w, ev->raw, err);
    if (ev->depth != 1 || ev->raw.n > sizeof(w->oid) - w->oid_n)
        return REFUSE(err, CMS_FORMAT, "cms: a content type we do not know");
    memcpy(w->oid + w->oid_n, ev->raw.p, ev->raw.n);
    w->oid_n += ev->raw.n;
    return true;
}

enum walked walk_next(struct walk *w, struct span *in, struct span *slice, struct err *err)
{
    struct ber_event ev;
    bool ok = true;

    while (ok) {
        if (w->tell_head) {
            w->tell_head = false;
            return WALK_HEAD;
        }
        if (w->tell_closed) {
            w->tell_closed = false;
            return WALK_CLOSED;
        }
        switch (ber_next(&w->ber, in, &ev)) {
        case BER_MORE:
            return WALK_MORE;
        case BER_DONE:
            return WALK_DONE;
        case BER_BAD:
            (void)malformed(err, w, w->ber.why);
            return WALK_FAIL;
        case BER_BEGIN:
            ok = begin(w, &ev, err);
            break;
        case BER_END:
            ok = end(w, &ev, err);
            break;
        case BER_OCTETS:
            if (w->phase == WALK_WITHIN) {
                *slice = ev.raw;
                return WALK_CONTENT;
            }
            ok = octets(w, &ev, err);
            ber_take(&w->ber, in, ev.raw.n);
            break;
        }
    }
    return WALK_FAIL;
}

void walk_take(struct walk *w, struct span *in, size_t n)
{
    ber_take(&w->ber, in, n);
}

enum walk_guess walk_guess(struct span s)
{
    struct ber b = { 0 };
    struct ber_event ev;
    enum cms_kind kind;

    for (unsigned i = 0; i < 2; i++)
        switch (ber_next(&b, &s, &ev)) {
        case BER_MORE:
            return GUESS_SHORT;
        case BER_BEGIN:
            if (ev.id != (i == 0 ? BER_SEQUENCE : BER_OID))
                return GUESS_NO;
            break;
        default:
            return GUESS_NO;
        }
    if (ev.raw.n < 2 || ev.raw.p[1] > 16)
        return GUESS_NO;
    if (s.n < ev.raw.p[1])
        return GUESS_SHORT;
    return find_kind(span_of(s.p, ev.raw.p[1]), &kind) ? GUESS_YES : GUESS_NO;
}
