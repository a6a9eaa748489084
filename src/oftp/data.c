/* DATA buffers: a virtual file as subrecords. RFC 5024 section 7, oftp2.md section 4. */
#include "oftp/oftp.h"

#include <assert.h>

enum {
    EOR = 0x80,
    CF = 0x40,
    COUNT = 0x3F,
    FULL = 1 + OFTP_SUBRECORD_MAX, /* header and octets of a full subrecord */
    RUN = 4,                       /* equal octets that save when folded inside a text */
    EDGE_RUN = 3,                  /* the same at the beginning or end of a text       */
};

void oftp_pack_begin(struct oftp_pack *pk, uint8_t *oeb, size_t cap)
{
    assert(cap >= 3 && cap <= OFTP_OEB_MAX);
    pk->oeb = oeb;
    pk->cap = cap;
    pk->oeb[0] = 'D';
    pk->n = 1;
}

/* The octets of p[n] as plain subrecords while there is room. Returns how many were taken.
 *   eor  the last of them ends the record */
static size_t put_plain(struct oftp_pack *pk, const uint8_t *p, size_t n, bool eor)
{
    uint8_t *o = pk->oeb + pk->n;
    size_t room = pk->cap - pk->n, left = n, part;

    /* The copies are of constant size: this loop is all that most files see. */
    while (left > OFTP_SUBRECORD_MAX && room >= FULL) {
        o[0] = OFTP_SUBRECORD_MAX;
        memcpy(o + 1, p, OFTP_SUBRECORD_MAX);
        o += FULL;
        room -= FULL;
        p += OFTP_SUBRECORD_MAX;
        left -= OFTP_SUBRECORD_MAX;
    }
    if (left > 0 && room >= 2) {
        part = left < room - 1 ? left : room - 1;
        if (part > OFTP_SUBRECORD_MAX)
            part = OFTP_SUBRECORD_MAX;
        o[0] = (uint8_t)(part | (eor && part == left ? EOR : 0));
        memcpy(o + 1, p, part);
        o += 1 + part;
        left -= part;
    }
    pk->n = (size_t)(o - pk->oeb);
    return n - left;
}

/* n times the octet as folded subrecords; the rest as in put_plain. */
static size_t put_run(struct oftp_pack *pk, uint8_t octet, size_t n, bool eor)
{
    size_t left = n;

    while (left > 0 && pk->cap - pk->n >= 2) {
        size_t part = left < OFTP_SUBRECORD_MAX ? left : OFTP_SUBRECORD_MAX;

        left -= part;
        pk->oeb[pk->n++] = (uint8_t)(CF | part | (eor && left == 0 ? EOR : 0));
        pk->oeb[pk->n++] = octet;
    }
    return n - left;
}

static uint64_t load(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Where the first run of RUN equal octets in p[n] begins, or n. */
static size_t find_run(const uint8_t *p, size_t n)
{
    const uint64_t low = 0x0101010101010101, high = 0x8080808080808080;
    size_t i = 0, end;

    while (i + 8 + RUN <= n) {
        /* A zero octet in `pairs` is an octet that equals its successor; without one no run can
         * begin among these eight. */
        uint64_t pairs = load(p + i) ^ load(p + i + 1);

        if (((pairs - low) & ~pairs & high) != 0) {
            for (end = i + 8; i < end; i++) {
                if (p[i] == p[i + 1] && p[i] == p[i + 2] && p[i] == p[i + 3])
                    return i;
            }
        } else {
            i += 8;
        }
    }
    for (; i + RUN <= n; i++) {
        if (p[i] == p[i + 1] && p[i] == p[i + 2] && p[i] == p[i + 3])
            return i;
    }
    return n;
}

/* How many octets at the front of p[n] equal the first. */
static size_t run_length(const uint8_t *p, size_t n)
{
    size_t i = 1;

    /* Octets that all equal their successor make one long run. */
    while (i + 8 <= n && load(p + i) == load(p + i - 1))
        i += 8;
    while (i < n && p[i] == p[0])
        i++;
    return i;
}

/* Text between two long runs: its edges fold from three octets on, because the run takes the place
 * of a header that is due there anyway. */
static size_t put_text(struct oftp_pack *pk, const uint8_t *p, size_t n, bool eor)
{
    size_t taken = 0, body = n;

    while (n - taken >= EDGE_RUN && p[taken] == p[taken + 1] && p[taken] == p[taken + 2]) {
        if (put_run(pk, p[taken], EDGE_RUN, eor && taken + EDGE_RUN == n) == 0)
            return taken;
        taken += EDGE_RUN;
    }
    if (taken == n)
        return taken;
    if (n - taken >= EDGE_RUN && p[n - 1] == p[n - 2] && p[n - 1] == p[n - 3])
        body = n - EDGE_RUN;
    taken += put_plain(pk, p + taken, body - taken, eor && body == n);
    if (taken == body && body < n)
        taken += put_run(pk, p[body], n - body, eor);
    return taken;
}

/* Looks no further than what may fit, so that a large input is not scanned again for each buffer
 * it is packed into. */
static void fold(struct oftp_pack *pk, struct span *in, bool eor)
{
    size_t want, taken = 0;

    do {
        size_t room = pk->cap - pk->n, runs = room / 2 * OFTP_SUBRECORD_MAX + 1;

        want = find_run(in->p, in->n < room ? in->n : room);
        if (want > 0) {
            taken = put_text(pk, in->p, want, eor && want == in->n);
        } else {
            want = run_length(in->p, in->n < runs ? in->n : runs);
            taken = put_run(pk, in->p[0], want, eor && want == in->n);
        }
        span_skip(in, taken);
    } while (in->n > 0 && taken == want);
}

bool oftp_pack(struct oftp_pack *pk, struct span *in, bool end_of_record)
{
    if (in->n == 0) {
        if (!end_of_record)
            return true;
        if (pk->cap == pk->n)
            return false;
        pk->oeb[pk->n++] = EOR;
        return true;
    }
    if (pk->compress)
        fold(pk, in, end_of_record);
    else
        span_skip(in, put_plain(pk, in->p, in->n, end_of_record));
    return in->n == 0;
}

/* ---- the way back ------------------------------------------------------------------------- */

/* Octets of the subrecord at in on the wire, header included, or 0 when it is malformed. */
static size_t wire_length(struct span in)
{
    uint8_t header = in.p[0];
    size_t count = header & COUNT, n = 1 + count;

    if ((header & CF) != 0)
        n = count == 0 ? 0 : 2; /* a run of nothing: nobody sends that on purpose */
    return n > in.n ? 0 : n;
}

static bool malformed(struct span in, struct err *err)
{
    if ((in.p[0] & (CF | COUNT)) == CF)
        return FAIL(err, FAIL_PEER, ESID_INVALID_DATA, "compressed subrecord with count 0");
    return FAIL(err, FAIL_PEER, ESID_INVALID_DATA,
                "subrecord header %02x with %zu octets left in its buffer", in.p[0], in.n - 1);
}

/* Expands one subrecord that fits. Where both sides have room for the largest, the copy is of
 * constant size; what it writes beyond the count is overwritten or never looked at. */
static void expand(const uint8_t *p, size_t wire_room, struct room *out)
{
    size_t count = p[0] & COUNT;

    if ((p[0] & CF) != 0 && out->n >= OFTP_SUBRECORD_MAX)
        memset(out->p, p[1], OFTP_SUBRECORD_MAX);
    else if ((p[0] & CF) != 0)
        memset(out->p, p[1], count);
    else if (wire_room >= FULL && out->n >= OFTP_SUBRECORD_MAX)
        memcpy(out->p, p + 1, OFTP_SUBRECORD_MAX);
    else if (count > 0)
        memcpy(out->p, p + 1, count);
    out->p += count;
    out->n -= count;
}

/* Full subrecords without flags, as long as they follow one another. Returns the octets taken. */
static size_t unpack_full(struct span *in, struct room *out)
{
    const uint8_t *p = in->p;
    uint8_t *o = out->p;
    size_t in_n = in->n, out_n = out->n, n;

    while (in_n >= FULL && out_n >= OFTP_SUBRECORD_MAX && p[0] == OFTP_SUBRECORD_MAX) {
        memcpy(o, p + 1, OFTP_SUBRECORD_MAX);
        p += FULL;
        in_n -= FULL;
        o += OFTP_SUBRECORD_MAX;
        out_n -= OFTP_SUBRECORD_MAX;
    }
    n = out->n - out_n;
    *in = span_of(p, in_n);
    *out = (struct room) { o, out_n };
    return n;
}

static void end_record(struct oftp_unpack *up, uint32_t *ends, size_t *ends_n)
{
    if (ends != NULL) {
        ends[*ends_n] =
            up->record_octets > UINT32_MAX ? UINT32_MAX : (uint32_t)up->record_octets;
        (*ends_n)++;
    }
    up->records++;
    up->record_octets = 0;
}

bool oftp_unpack(struct oftp_unpack *up, struct span *in, struct room *out, uint32_t *ends,
                 size_t ends_cap, size_t *ends_n, struct err *err)
{
    size_t ended = 0;
    bool ok = true;

    while (in->n > 0) {
        size_t n = unpack_full(in, out), count, wire;

        up->octets += n;
        up->record_octets += n;
        if (in->n == 0)
            break;
        count = in->p[0] & COUNT;
        wire = wire_length(*in);
        if (wire == 0) {
            ok = malformed(*in, err);
            break;
        }
        if (count > out->n)
            break;
        if ((in->p[0] & EOR) != 0 && ends != NULL && ended == ends_cap)
            break;
        if (count > 0)
            expand(in->p, in->n, out);
        up->octets += count;
        up->record_octets += count;
        if ((in->p[0] & EOR) != 0)
            end_record(up, ends, &ended);
        span_skip(in, wire);
    }
    if (ends_n != NULL)
        *ends_n = ended;
    return ok;
}
