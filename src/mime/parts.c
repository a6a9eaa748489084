/* Multipart bodies, RFC 2046 5.1; the rules are those of as2.md 2.2.
 *
 * Lines that cannot be delimiters are found by their line end and first octet and passed on within
 * the span they came in. Only where a span ends within what may become a delimiter (with the line
 * end before it) is something held: at most HOLD_MAX octets, which are judged again with the next
 * ones. */
#include "mime/mime.h"

#include <stdlib.h>

enum {
    DASHES = 2,
    PADDING_MAX = 128, /* blanks behind a delimiter */
    /* CRLF, delimiter, "--", padding, CR; and what comes with it before it can be judged */
    HOLD_MAX = 2 + DASHES + MIME_BOUNDARY_MAX + DASHES + PADDING_MAX + 2,
};

enum verdict { NO, MORE, DELIMITER, LAST, LAST_IF_END, TOO_LONG };

struct parts {
    struct sink sink; /* the first member */
    const struct mime_parts_events *events;
    void *context;
    uint8_t delimiter[DASHES + MIME_BOUNDARY_MAX];
    size_t delimiter_n;
    enum { PREAMBLE, PART, EPILOGUE } where;
    bool fresh; /* at the beginning of a line whose predecessor's end is gone */
    uint8_t hold[HOLD_MAX];
    size_t hold_n;
    size_t edge;  /* octets of preamble or epilogue so far */
    size_t count; /* parts that began                      */
    struct sink *part;
};

/* What follows "--boundary": padding and a line end. LAST_IF_END: "--" was there and so far
 * nothing that speaks against it. */
static enum verdict judge_rest(struct span s, size_t *used)
{
    bool last = false;
    size_t n = 0;

    if (s.n > 0 && s.p[0] == '-') {
        if (s.n == 1)
            return MORE;
        if (s.p[1] != '-')
            return NO;
        last = true;
        n = DASHES;
    }
    for (size_t begin = n; n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'); n++)
        if (n - begin == PADDING_MAX)
            return TOO_LONG;
    if (n < s.n && s.p[n] == '\r')
        n++;
    if (n == s.n)
        return last ? LAST_IF_END : MORE;
    if (s.p[n] != '\n')
        return NO;
    *used += n + 1;
    return last ? LAST : DELIMITER;
}

/* Is s, from the line end before it on (without one when `fresh`), a delimiter's line? *used: its
 * octets if so. */
static enum verdict judge(const struct parts *m, struct span s, bool fresh, size_t *used)
{
    size_t n = s.n;

    *used = 0;
    if (!fresh) {
        *used = s.p[0] == '\r' ? 2 : 1;
        if (s.n < *used)
            return MORE;
        if (s.p[*used - 1] != '\n')
            return NO;
        span_skip(&s, *used);
        n = s.n;
    }
    if (n > m->delimiter_n)
        n = m->delimiter_n;
    if (n > 0 && memcmp(s.p, m->delimiter, n) != 0)
        return NO;
    if (n < m->delimiter_n)
        return MORE;
    *used += n;
    span_skip(&s, n);
    return judge_rest(s, used);
}

/* Content, or what lies around the parts. */
static bool pass(struct parts *m, struct span octets, struct err *err)
{
    if (m->where == PART)
        return m->part == NULL || sink_write(m->part, octets, err);
    if (octets.n > MIME_EDGE_MAX - m->edge)
        return FAIL(err, FAIL_PEER, 0, "multipart body: more than %d octets %s its parts",
                    MIME_EDGE_MAX, m->where == PREAMBLE ? "before" : "behind");
    m->edge += octets.n;
    return true;
}

static bool end_part(struct parts *m, struct err *err)
{
    bool ok = m->part == NULL || sink_end(m->part, err);

    sink_free(m->part);
    m->part = NULL;
    return ok;
}

static bool delimiter(struct parts *m, enum verdict v, struct err *err)
{
    if (!end_part(m, err))
        return false;
    m->fresh = true;
    if (v != DELIMITER) {
        m->where = EPILOGUE;
        m->edge = 0;
        return m->count > 0 || FAIL(err, FAIL_PEER, 0, "multipart body: it has no parts");
    }
    if (m->count == MIME_PARTS_MAX)
        return FAIL(err, FAIL_PEER, 0, "multipart body: more than %d parts", MIME_PARTS_MAX);
    m->where = PART;
    return m->events->begin(m->context, m->count++, &m->part, err);
}

static bool too_long(struct err *err)
{
    return FAIL(err, FAIL_PEER, 0, "multipart body: more than %d blanks behind a delimiter",
                PADDING_MAX);
}

/* Something is held: judges it together with *in. True with m->hold_n 0 when that is settled. */
static bool settle(struct parts *m, struct span *in, struct err *err)
{
    size_t old = m->hold_n, used, n = in->n < HOLD_MAX - old ? in->n : HOLD_MAX - old;
    bool fresh = m->fresh;
    enum verdict v;

    memcpy(m->hold + old, in->p, n);
    v = judge(m, span_of(m->hold, old + n), fresh, &used);
    if (v == TOO_LONG)
        return too_long(err);
    if (v == MORE || v == LAST_IF_END) {
        m->hold_n += n;
        span_skip(in, n);
        return true;
    }
    m->hold_n = 0;
    m->fresh = false;
    if (v == NO)
        return pass(m, span_of(m->hold, old), err);
    span_skip(in, used - old);
    return delimiter(m, v, err);
}

/* Keeps what cannot be judged yet, all of s. */
static void keep(struct parts *m, struct span s)
{
    memcpy(m->hold, s.p, s.n);
    m->hold_n = s.n;
}

/* Where in s[from..] the next line end begins that may be a delimiter's, s.n: nowhere. */
static size_t candidate(struct span s, size_t from)
{
    while (from < s.n) {
        const uint8_t *lf = memchr(s.p + from, '\n', s.n - from);
        size_t at;

        if (lf == NULL)
            return s.p[s.n - 1] == '\r' ? s.n - 1 : s.n;
        at = (size_t)(lf - s.p);
        if (at + 1 == s.n || s.p[at + 1] == '-')
            return at > 0 && s.p[at - 1] == '\r' ? at - 1 : at;
        from = at + 1;
    }
    return s.n;
}

/* Nothing is held. Passes on up to the next delimiter, which is taken, too. */
static bool scan(struct parts *m, struct span *in, struct err *err)
{
    size_t at = 0, from = 0, used;
    bool fresh = m->fresh;

    for (;; fresh = false) {
        enum verdict v;

        if (!fresh)
            at = candidate(*in, from);
        v = at < in->n ? judge(m, span_of(in->p + at, in->n - at), fresh, &used) : MORE;
        if (v == TOO_LONG)
            return too_long(err);
        if (v == NO) {
            m->fresh = false;
            from = fresh ? 0 : at + (in->p[at] == '\r' ? 2 : 1);
            continue;
        }
        if (at > 0 && !pass(m, span_of(in->p, at), err))
            return false;
        span_skip(in, at);
        if (v == MORE || v == LAST_IF_END) {
            keep(m, *in);
            span_skip(in, in->n);
            return true;
        }
        span_skip(in, used);
        return delimiter(m, v, err);
    }
}

static bool parts_write(struct sink *s, struct span octets, struct err *err)
{
    struct parts *m = (struct parts *)s;

    while (octets.n > 0 && m->where != EPILOGUE)
        if (!(m->hold_n > 0 ? settle : scan)(m, &octets, err))
            return false;
    return octets.n == 0 || pass(m, octets, err);
}

static bool parts_end(struct sink *s, struct err *err)
{
    struct parts *m = (struct parts *)s;
    size_t used;

    if (m->hold_n > 0 &&
        judge(m, span_of(m->hold, m->hold_n), m->fresh, &used) == LAST_IF_END) {
        m->hold_n = 0;
        if (!delimiter(m, LAST, err))
            return false;
    }
    return m->where == EPILOGUE ||
           FAIL(err, FAIL_PEER, 0, "multipart body: it ends before its last delimiter");
}

static void parts_free(struct sink *s)
{
    struct parts *m = (struct parts *)s;

    sink_free(m->part);
    free(m);
}

static bool is_boundary(const char *boundary)
{
    size_t n = strlen(boundary);

    for (size_t i = 0; i < n; i++)
        if (boundary[i] < ' ' || boundary[i] > '~')
            return false;
    return n > 0 && n <= MIME_BOUNDARY_MAX && boundary[n - 1] != ' ';
}

struct sink *mime_parts_new(const char *boundary, const struct mime_parts_events *events,
                            void *context, struct err *err)
{
    static const struct sink_ops ops = { "multipart body", parts_write, parts_end, parts_free };
    struct parts *m;

    if (!is_boundary(boundary)) {
        (void)FAIL(
            err, FAIL_PEER, 0,
            "multipart body: its boundary is not of 1 to %d printable characters, or ends "
            "with a blank",
            MIME_BOUNDARY_MAX);
        return NULL;
    }
    m = calloc(1, sizeof(*m));
    if (m == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0, "multipart body: memory is out");
        return NULL;
    }
    m->sink.ops = &ops;
    m->events = events;
    m->context = context;
    m->delimiter_n = DASHES + strlen(boundary);
    memcpy(m->delimiter, "--", DASHES);
    memcpy(m->delimiter + DASHES, boundary, m->delimiter_n - DASHES);
    m->fresh = true;
    return &m->sink;
}
