/* The output queue of a session: stream transmission buffers, one behind the other, in one
 * block of memory. Commands and DATA are written where they will be sent from. */
#include <assert.h>

#include "oftp/session_int.h"

static size_t stb_length(const uint8_t *p)
{
    return (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static void put_header(uint8_t *p, size_t oeb)
{
    size_t n = OFTP_STH + oeb;

    p[0] = 0x10;
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

/* Moves stb_at up to the last start of a buffer that is not behind begin. */
static void find_boundary(struct oftp_session *s)
{
    while (s->stb_at < s->begin) {
        size_t next = s->stb_at + stb_length(s->out + s->stb_at);

        if (next > s->begin)
            break;
        s->stb_at = next;
    }
}

/* Makes room for n octets behind end; there is enough of it in all. */
static void compact(struct oftp_session *s, size_t n)
{
    size_t gone;

    if (s->begin == s->end) {
        s->begin = s->end = s->stb_at = s->cdt_end = 0;
        return;
    }
    if (s->end + n <= OUT_CAP)
        return;
    find_boundary(s);
    gone = s->stb_at;
    memmove(s->out, s->out + gone, s->end - gone);
    s->begin -= gone;
    s->end -= gone;
    s->stb_at = 0;
    s->cdt_end = s->cdt_end > gone ? s->cdt_end - gone : 0;
}

/* Octets that could be added; a buffer sent in part still takes its place. */
static size_t room_left(const struct oftp_session *s)
{
    size_t head = s->begin < s->end ? STB_MAX : 0;
    size_t used = s->end - s->begin + head;

    if (s->begin < head)
        used = s->end;
    return OUT_CAP - used;
}

static struct writer begin(struct oftp_session *s, size_t reserve)
{
    size_t room = room_left(s), cap;

    assert(!s->packing);
    cap = room > reserve + OFTP_STH ? room - reserve - OFTP_STH : 0;
    if (cap > OFTP_OEB_MAX)
        cap = OFTP_OEB_MAX;
    if (cap > 0)
        compact(s, OFTP_STH + cap);
    return writer_of(s->out + s->end + (cap > 0 ? OFTP_STH : 0), cap);
}

struct writer oftp_out_begin(struct oftp_session *s)
{
    return begin(s, OUT_ESID);
}

struct writer oftp_out_begin_esid(struct oftp_session *s)
{
    return begin(s, 0);
}

void oftp_out_commit(struct oftp_session *s, const struct writer *w)
{
    assert(!w->failed && w->n > 0 && w->begin == s->out + s->end + OFTP_STH);
    put_header(s->out + s->end, w->n);
    s->end += OFTP_STH + w->n;
    s->untimed = true;
}

bool oftp_out_bare(struct oftp_session *s, char command, struct err *err)
{
    struct writer w = oftp_out_begin(s);

    if (!oftp_write_bare(&w, command, err))
        return false;
    oftp_out_commit(s, &w);
    if (command == 'C')
        s->cdt_end = s->end;
    return true;
}

bool oftp_out_ready(const struct oftp_session *s)
{
    return room_left(s) >= STB_MAX + OUT_ESID;
}

bool oftp_out_data_fits(const struct oftp_session *s)
{
    return s->end - s->begin + OFTP_STH + s->sdeb <= OUT_DATA;
}

bool oftp_out_data_begin(struct oftp_session *s)
{
    if (!oftp_out_data_fits(s))
        return false;
    compact(s, OFTP_STH + s->sdeb);
    oftp_pack_begin(&s->pack, s->out + s->end + OFTP_STH, s->sdeb);
    s->packing = true;
    return true;
}

void oftp_out_data_commit(struct oftp_session *s)
{
    assert(s->packing && s->pack.oeb == s->out + s->end + OFTP_STH);
    put_header(s->out + s->end, s->pack.n);
    s->end += OFTP_STH + s->pack.n;
    s->packing = false;
    s->untimed = true;
}

void oftp_out_drop(struct oftp_session *s)
{
    s->packing = false;
    find_boundary(s);
    if (s->stb_at < s->begin)
        s->end = s->stb_at + stb_length(s->out + s->stb_at);
    else
        s->end = s->begin;
}

void oftp_out_drop_cdt(struct oftp_session *s)
{
    const size_t cdt = OFTP_STH + 3;

    if (s->cdt_end != 0 && s->cdt_end == s->end && s->end - s->begin >= cdt)
        s->end -= cdt;
    s->cdt_end = 0;
}

bool oftp_session_between(const struct oftp_session *s)
{
    return s->stb->have == 0;
}

struct span oftp_session_output(const struct oftp_session *s)
{
    return span_of(s->out + s->begin, s->end - s->begin);
}

void oftp_session_sent(struct oftp_session *s, size_t n, uint64_t now_ms)
{
    assert(n <= s->end - s->begin);
    s->begin += n;
    if (n == 0)
        return;
    s->active_ms = now_ms;
    s->untimed = false;
    oftp_session_check(s);
}
