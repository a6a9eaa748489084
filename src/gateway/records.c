#include "gateway/records.h"

#include "oftp/oftp.h"

/* Octets of the first n records of a V file, from its index. */
bool records_size(struct store *st, int64_t id, uint64_t n, uint64_t *octets, struct err *err)
{
    struct payload_ref ref;
    struct payload_reader *r = NULL;
    uint8_t buffer[8192];
    uint64_t at = 0;
    bool found = false, ok;

    *octets = 0;
    if (n == 0)
        return true;
    if (!payload_index_ref(st, id, &ref, &found, err))
        return false;
    if (!found || ref.size < n * 4)
        return FAIL(err, FAIL_LOCAL, 0, "the record index of document %lld is too short",
                    (long long)id);
    ok = payload_open(st, id, 'x', &ref, &r, err);
    while (ok && at < n * 4) {
        uint64_t left = n * 4 - at;
        size_t got = 0;

        ok = payload_read(
            r, at,
            (struct room) { buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer) },
            &got, err);
        got -= got % 4;
        if (ok && got == 0)
            ok = FAIL(err, FAIL_LOCAL, 0, "the record index of document %lld ends early",
                      (long long)id);
        for (size_t i = 0; ok && i < got; i += 4)
            *octets += (uint64_t)buffer[i] << 24 | (uint64_t)buffer[i + 1] << 16 |
                       (uint64_t)buffer[i + 2] << 8 | buffer[i + 3];
        at += got;
    }
    payload_reader_free(r);
    return ok;
}

bool records_misfit(int64_t id, struct err *err)
{
    return FAIL(err, FAIL_LOCAL, 0,
                "the record index of document %lld does not fit its payload: see the folder "
                "`payload` below runtime.data_directory",
                (long long)id);
}

bool records_write(struct payload_writer *index, const uint32_t *ends, size_t n,
                   struct err *err)
{
    uint8_t octets[4 * 512];

    for (size_t at = 0; at < n;) {
        size_t k = 0;

        for (; k < 512 && at + k < n; k++) {
            uint32_t len = ends[at + k];

            octets[4 * k] = (uint8_t)(len >> 24);
            octets[4 * k + 1] = (uint8_t)(len >> 16);
            octets[4 * k + 2] = (uint8_t)(len >> 8);
            octets[4 * k + 3] = (uint8_t)len;
        }
        if (!payload_write(index, span_of(octets, 4 * k), err))
            return false;
        at += k;
    }
    return true;
}

bool records_next(struct records_in *in, uint32_t *length, bool *more, struct err *err)
{
    const uint8_t *p;

    if (in->used == in->have) {
        in->used = in->have = 0;
        if (!payload_read(in->reader, in->at, (struct room) { in->buffer, sizeof(in->buffer) },
                          &in->have, err))
            return false;
        in->have -= in->have % 4;
        in->at += in->have;
    }
    *more = in->have > 0;
    if (!*more)
        return true;
    p = in->buffer + in->used;
    *length = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    in->used += 4;
    return true;
}

struct span records_delimiter(const char *name, const char *dflt)
{
    if (name == NULL)
        name = dflt;
    return strcmp(name, "lf") == 0     ? span_text("\n")
           : strcmp(name, "crlf") == 0 ? span_text("\r\n")
                                       : span_text("");
}

/* ---- text to records --------------------------------------------------------------------- */

static bool end_record(struct records_cut *c, struct err *err)
{
    if (c->exact != 0 && c->length != c->exact)
        return FAIL(err, FAIL_LOCAL, 422,
                    "record %llu has %u octets, format F wants %u in each: check record_length",
                    (unsigned long long)c->records + 1, c->length, c->exact);
    if (c->prefixed != NULL) {
        uint8_t prefix[2] = { (uint8_t)(c->length >> 8), (uint8_t)c->length };

        if (!payload_write(c->raw, span_of(prefix, 2), err) ||
            !payload_write(c->raw, span_of(c->prefixed, c->length), err))
            return false;
    }
    if (c->index != NULL && !records_write(c->index, &c->length, 1, err))
        return false;
    c->records++;
    c->length = 0;
    c->open = false;
    return true;
}

static bool add(struct records_cut *c, struct span part, struct err *err)
{
    if (part.n == 0)
        return true;
    c->open = true;
    if (part.n > c->longest - c->length)
        return FAIL(err, FAIL_LOCAL, 422,
                    "record %llu is longer than %u octets: check record_length and the "
                    "delimiter",
                    (unsigned long long)c->records + 1, c->longest);
    if (c->prefixed != NULL)
        memcpy(c->prefixed + c->length, part.p, part.n);
    c->length += (uint32_t)part.n;
    return c->prefixed != NULL || payload_write(c->raw, part, err);
}

/* F without delimiters: only the sum matters. */
static bool count_fixed(struct records_cut *c, struct span octets, struct err *err)
{
    uint64_t all = (uint64_t)c->length + octets.n;

    c->records += all / c->exact;
    c->length = (uint32_t)(all % c->exact);
    c->open = c->length > 0;
    return payload_write(c->raw, octets, err);
}

/* Up to the next LF, which in CR LF files is a delimiter only behind a CR: alone it is data. */
static bool cut_line(struct records_cut *c, struct span *in, struct err *err)
{
    const uint8_t *lf = memchr(in->p, '\n', in->n);
    size_t taken = lf == NULL ? in->n : (size_t)(lf - in->p) + 1;
    struct span line = { in->p, lf == NULL ? taken : taken - 1 };
    bool crlf = c->delimiter.n == 2;
    bool held = c->cr, ends = lf != NULL;

    c->cr = false;
    if (crlf) {
        bool cr = line.n > 0 ? line.p[line.n - 1] == '\r' : held;

        if (held && (line.n > 0 || !ends) && !add(c, span_text("\r"), err))
            return false;
        if (cr && line.n > 0)
            line.n--;
        if (cr && !ends) { /* the LF may come with the next octets */
            c->cr = true;
            c->open = true;
        }
        if (ends && !cr)
            line.n++;
        ends = ends && cr;
    }
    if (!add(c, line, err))
        return false;
    span_skip(in, taken);
    return !ends || end_record(c, err);
}

bool records_cut(struct records_cut *c, struct span octets, struct err *err)
{
    if (c->delimiter.n == 0)
        return c->exact != 0 ? count_fixed(c, octets, err) : add(c, octets, err);
    while (octets.n > 0)
        if (!cut_line(c, &octets, err))
            return false;
    return true;
}

bool records_cut_end(struct records_cut *c, struct err *err)
{
    if (c->cr && !add(c, span_text("\r"), err))
        return false;
    c->cr = false;
    return !c->open || end_record(c, err);
}

/* ---- records to text --------------------------------------------------------------------- */

static bool end_out(struct records_out *o, struct err *err)
{
    o->open = false;
    return o->delimiter.n == 0 || payload_write(o->w, o->delimiter, err);
}

/* Begins a record when none is open; false in *more when its length is not complete yet. */
static bool begin_out(struct records_out *o, struct span *in, bool *more, struct err *err)
{
    *more = true;
    if (o->open)
        return true;
    if (o->fmt == 'F') {
        o->left = o->lrecl;
        o->open = true;
        return true;
    }
    while (o->prefix_n < 2 && in->n > 0) {
        o->prefix[o->prefix_n++] = in->p[0];
        span_skip(in, 1);
    }
    *more = o->prefix_n == 2;
    if (!*more)
        return true;
    o->prefix_n = 0;
    o->left = (uint32_t)o->prefix[0] << 8 | o->prefix[1];
    o->open = true;
    if (o->lrecl != 0 && o->left > o->lrecl)
        return FAIL(err, FAIL_TRUST, NERP_PROCESSING,
                    "a record of %u octets is longer than SFIDLRECL %u", o->left, o->lrecl);
    return o->left > 0 || end_out(o, err);
}

bool records_out(struct records_out *o, struct span octets, struct err *err)
{
    bool more = true;

    if ((o->fmt != 'V' && o->fmt != 'F') || (o->fmt == 'F' && o->lrecl == 0))
        return payload_write(o->w, octets, err);
    while (octets.n > 0 && more) {
        struct span part;

        if (!begin_out(o, &octets, &more, err))
            return false;
        if (!more || !o->open || octets.n == 0)
            continue;
        part = span_of(octets.p, octets.n < o->left ? octets.n : o->left);
        if (!payload_write(o->w, part, err))
            return false;
        span_skip(&octets, part.n);
        o->left -= (uint32_t)part.n;
        if (o->left == 0 && !end_out(o, err))
            return false;
    }
    return true;
}

bool records_out_end(struct records_out *o, struct err *err)
{
    if (o->open || o->prefix_n > 0)
        return FAIL(err, FAIL_TRUST, NERP_PROCESSING,
                    "the file ends in the middle of a record");
    return true;
}
