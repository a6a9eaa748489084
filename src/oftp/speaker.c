/* The side that has the turn: files and responses out. RFC 5024 9.10, 9.11; oftp2.md 6.5.
 *
 * What the tables do not have: a file that ends in OPOWFC leaves its EFID waiting for the CDT;
 * a CDT that comes too early counts when the credit is used up; one CDT that crosses our EFID
 * is dropped (oftp2.md section 5). Credit is counted when a DATA buffer is put into the output,
 * not when it is sent. */
#include <assert.h>

#include "oftp/session_int.h"

static transition offer, respond, pass, may_go, refused, ready, data, held_up, ends, renewed,
    early, crossed, closed, not_closed, turned;

/* RFC 5024 9.10 and 9.11. The WF_CD columns for a queued EERP, NERP, SFID or CD are missing:
 * our application queues, and asks for the turn when it has it. */
/* clang-format off */
static transition *const table[INPUTS][SPEAKER_STATES] = {
    /*                 IDLESP   IDLESPCD WF_RTR   OPOP     OPO      OPOWFC   CLOP        WF_CD   */
    [IN_SSRM]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_SSID]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_SECD]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_AUCH]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_AURP]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_SFID]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_SFPA]      = { broken,  broken,  broken,  may_go,  broken,  broken,  broken,     broken  },
    [IN_SFNA]      = { broken,  broken,  broken,  refused, broken,  broken,  broken,     broken  },
    [IN_DATA]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_CDT]       = { broken,  broken,  broken,  broken,  early,   renewed, crossed,    broken  },
    [IN_EFID]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_EFPA]      = { broken,  broken,  broken,  broken,  broken,  broken,  closed,     broken  },
    [IN_EFNA]      = { broken,  broken,  broken,  broken,  broken,  broken,  not_closed, broken  },
    [IN_CD]        = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     turned  },
    [IN_EERP]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_NERP]      = { broken,  broken,  broken,  broken,  broken,  broken,  broken,     broken  },
    [IN_RTR]       = { broken,  broken,  ready,   broken,  broken,  broken,  broken,     broken  },
    [IN_ESID]      = { left,    left,    left,    left,    left,    left,    left,       left    },
    [RQ_OFFER]     = { offer,   offer,   misused, misused, misused, misused, misused,    misused },
    [RQ_RESPONSE]  = { respond, respond, misused, misused, misused, misused, misused,    misused },
    [RQ_PASS]      = { pass,    pass,    misused, misused, misused, misused, misused,    misused },
    [RQ_DATA]      = { misused, misused, misused, misused, data,    held_up, misused,    misused },
    [RQ_FILE_END]  = { misused, misused, misused, misused, ends,    ends,    misused,    misused },
};
/* clang-format on */

transition *oftp_speaker_cell(enum input_kind kind, enum state state)
{
    return table[kind][state - IDLESP];
}

/* ---- between files ------------------------------------------------------------------ */

static bool respond(struct oftp_session *s, const struct input *in, struct err *err)
{
    const struct oftp_response *r = in->response;
    struct writer w = oftp_out_begin(s);

    if (!(r->negative ? oftp_write_nerp : oftp_write_eerp)(&w, s->level, r, err))
        return false;
    oftp_out_commit(s, &w);
    s->state = WF_RTR;
    return true;
}

static bool ready(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    s->state = IDLESP;
    oftp_session_event(s, OFTP_RESPONSE_TAKEN);
    return true;
}

/* After an unsolicited CD an answer of CD would go on for ever: the session ends instead. */
static bool pass(struct oftp_session *s, const struct input *in, struct err *err)
{
    (void)in;
    if (s->state == IDLESPCD) {
        oftp_session_end(s, ESID_NORMAL, NULL);
        return true;
    }
    if (!oftp_out_bare(s, 'R', err))
        return false;
    s->state = IDLELICD;
    return true;
}

static bool turned(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    s->state = IDLESP; /* solicited: not IDLESPCD */
    return true;
}

/* ---- start file --------------------------------------------------------------------- */

static bool offer(struct oftp_session *s, const struct input *in, struct err *err)
{
    const struct oftp_sfid *f = in->sfid;
    struct writer w;

    if (!s->may_send)
        return FAIL(err, FAIL_LOCAL, 0, "this session was agreed not to carry files to them");
    if (f->rest > 0 && !s->rest_agreed)
        return FAIL(err, FAIL_LOCAL, 0, "restart was not agreed");
    if (f->fmt == 'F' && f->env == 0 && f->lrecl == 0)
        return FAIL(err, FAIL_LOCAL, 0, "fixed records need a length");
    w = oftp_out_begin(s);
    if (!oftp_write_sfid(&w, s->level, f, err))
        return false;
    oftp_out_commit(s, &w);
    s->file = *f;
    s->state = OPOP;
    return true;
}

static bool may_go(struct oftp_session *s, const struct input *in, struct err *err)
{
    uint64_t position;

    if (!oftp_read_sfpa(in->oeb, s->level, &position, err))
        return false;
    if (position > s->file.rest)
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "SFPAACNT beyond SFIDREST");
    s->counts_records = oftp_counts_records(s->file.fmt, s->file.env);
    s->credit = s->window;
    s->ended = s->early_cdt = s->spare_cdt = false;
    s->record_octets = 0;
    s->pack = (struct oftp_pack) { .compress = s->cmpr };
    s->state = OPO;
    oftp_session_event(s, OFTP_FILE_ACCEPTED);
    s->ev.position = position;
    return true;
}

static bool refused(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct oftp_sfna c;

    if (!oftp_read_sfna(in->oeb, s->level, &c, err))
        return false;
    s->state = IDLESP;
    (void)text_copy(s->text, sizeof(s->text), c.reast);
    oftp_session_event(s, OFTP_FILE_REFUSED);
    s->ev.reason = c.reas;
    s->ev.retry = c.rrtr;
    s->ev.text = s->text;
    return true;
}

/* ---- data --------------------------------------------------------------------------- */

/* Sends the DATA buffer that is open. */
static void flush(struct oftp_session *s)
{
    oftp_out_data_commit(s);
    s->credit--;
    if (s->credit > 0)
        return;
    if (s->early_cdt) {
        s->early_cdt = false;
        s->credit = s->window;
        return;
    }
    s->state = OPOWFC;
}

/* Packs *piece, and the end of record behind it; false when credit or room ran out first. */
static bool put(struct oftp_session *s, struct span *piece, bool end_of_record)
{
    for (;;) {
        if (!s->packing && (s->credit == 0 || !oftp_out_data_begin(s)))
            return false;
        if (oftp_pack(&s->pack, piece, end_of_record))
            return true;
        flush(s);
    }
}

/* Format F: the records are cut here. */
static bool put_fixed(struct oftp_session *s, struct span *in)
{
    uint64_t length = s->file.lrecl;

    while (in->n > 0 || s->record_octets == length) {
        uint64_t rest = length - s->record_octets;
        size_t n = in->n < rest ? in->n : (size_t)rest;
        struct span piece = { in->p, n };
        bool whole = put(s, &piece, n == rest);

        n -= piece.n;
        span_skip(in, n);
        s->record_octets += n;
        if (!whole)
            return false;
        if (s->record_octets == length)
            s->record_octets = 0;
    }
    return true;
}

static bool put_variable(struct oftp_session *s, struct span *in, bool end)
{
    size_t n = in->n;
    bool whole = (n == 0 && !end) || put(s, in, end);

    s->record_octets += n - in->n;
    if (whole && end)
        s->record_octets = 0;
    return whole;
}

/* What can be known to be wrong before anything of it is packed. */
static bool check_content(const struct oftp_session *s, const struct input *in, struct err *err)
{
    uint64_t octets = s->record_octets + in->content->n;

    if (s->ended)
        return FAIL(err, FAIL_LOCAL, 0, "the file has ended already");
    if (!s->counts_records)
        return true;
    if (s->file.fmt == 'F' && in->flag && octets % s->file.lrecl != 0)
        return FAIL(err, FAIL_LOCAL, 0, "the last record is shorter than the %u octets of all",
                    s->file.lrecl);
    if (s->file.fmt == 'V' && octets > s->file.lrecl)
        return FAIL(err, FAIL_LOCAL, 0, "a record of over %u octets", s->file.lrecl);
    return true;
}

static bool data(struct oftp_session *s, const struct input *in, struct err *err)
{
    bool whole;

    if (!check_content(s, in, err))
        return false;
    if (!s->counts_records)
        whole = (in->content->n == 0 && !in->flag) || put(s, in->content, in->flag);
    else if (s->file.fmt == 'F')
        whole = put_fixed(s, in->content);
    else
        whole = put_variable(s, in->content, in->flag);
    s->ended = whole && in->flag && !(s->counts_records && s->file.fmt == 'V');
    *in->whole = whole;
    return true;
}

/* No credit: nothing is taken. */
static bool held_up(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!check_content(s, in, err))
        return false;
    *in->whole = in->content->n == 0 && !in->flag;
    return true;
}

bool oftp_session_wants_data(const struct oftp_session *s)
{
    return s->state == OPO && !s->ended && (s->packing || oftp_out_data_fits(s));
}

static bool renewed(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    s->credit = s->window;
    s->state = OPO;
    if (s->efid_waits) {
        struct writer w = oftp_out_begin(s);

        writer_put(&w, s->efid, s->efid_n);
        oftp_out_commit(s, &w);
        s->efid_waits = false;
        s->credit = 0;
        s->state = CLOP;
    }
    return true;
}

/* Such a Listener has reset its counter already and might not send another: dropping this one
 * could leave both waiting. Adding it up would let us overrun the window. */
static bool early(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    if (s->early_cdt)
        return broken(s, in, err);
    s->early_cdt = true;
    return true;
}

/* ---- end file ----------------------------------------------------------------------- */

static bool ends(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = writer_of(s->efid, sizeof(s->efid));

    if (s->efid_waits)
        return misused(s, in, err);
    if (!s->counts_records && !s->ended)
        return FAIL(err, FAIL_LOCAL, 0, "the last octets were not marked as the end");
    if (s->counts_records && s->record_octets > 0)
        return FAIL(err, FAIL_LOCAL, 0, "the last record was not marked as ended");
    if (!oftp_write_efid(&w, s->level, in->efid, err))
        return false;
    s->efid_n = w.n;
    if (s->packing && s->pack.n > 1)
        flush(s);
    s->packing = false;
    s->ended = true;
    if (s->credit == 0) {
        s->efid_waits = true;
        return true;
    }
    w = oftp_out_begin(s);
    writer_put(&w, s->efid, s->efid_n);
    oftp_out_commit(s, &w);
    s->credit = 0;
    s->early_cdt = false;
    s->state = CLOP;
    return true;
}

/* A Listener may have sent CDT before it saw our EFID. */
static bool crossed(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    if (s->spare_cdt)
        return broken(s, in, err);
    s->spare_cdt = true;
    return true;
}

static bool closed(struct oftp_session *s, const struct input *in, struct err *err)
{
    bool cd;

    if (!oftp_read_efpa(in->oeb, &cd, err))
        return false;
    s->state = IDLESP;
    if (cd) {
        if (!oftp_out_bare(s, 'R', err))
            return false;
        s->state = IDLELI; /* asked for: not IDLELICD, RFC 5024 9.10 */
    }
    oftp_session_event(s, OFTP_FILE_TAKEN);
    return true;
}

static bool not_closed(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct oftp_efna c;

    if (!oftp_read_efna(in->oeb, s->level, &c, err))
        return false;
    s->state = IDLESP;
    (void)text_copy(s->text, sizeof(s->text), c.reast);
    oftp_session_event(s, OFTP_FILE_FAILED);
    s->ev.reason = c.reas;
    s->ev.text = s->text;
    return true;
}
