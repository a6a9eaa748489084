/* The side that has not the turn: files and responses in. RFC 5024 9.12; oftp2.md 6.6.
 *
 * Tolerated beyond the tables (oftp2.md section 5 and 15): EFID at credit 0 before the CDT was
 * sent or seen, compressed subrecords that were not agreed, DATA without content, a file
 * without end of record. A record that is too long (or of another length, in format F) does
 * not end the session: the file is reported with reason 11 when it ends. */
#include <assert.h>

#include "oftp/session_int.h"

static transition offered, took, not_taken, data, grant, ended, end_taken, end_refused, turned,
    receipt, refusal, ready;

/* RFC 5024 9.12, row for row. */
/* clang-format off */
static transition *const table[INPUTS][LISTENER_STATES] = {
    /*                    IDLELI   IDLELICD OPIP       OPI      CLIP         RTRP    */
    [IN_SSRM]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_SSID]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_SECD]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_AUCH]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_AURP]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_SFID]         = { offered, offered, broken,    broken,  broken,      broken  },
    [IN_SFPA]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_SFNA]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_DATA]         = { broken,  broken,  broken,    data,    broken,      broken  },
    [IN_CDT]          = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_EFID]         = { broken,  broken,  broken,    ended,   broken,      broken  },
    [IN_EFPA]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_EFNA]         = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_CD]           = { turned,  broken,  broken,    broken,  broken,      broken  },
    [IN_EERP]         = { receipt, receipt, broken,    broken,  broken,      broken  },
    [IN_NERP]         = { refusal, refusal, broken,    broken,  broken,      broken  },
    [IN_RTR]          = { broken,  broken,  broken,    broken,  broken,      broken  },
    [IN_ESID]         = { left,    left,    left,      left,    left,        left    },
    [RQ_TAKE]         = { misused, misused, took,      misused, misused,     misused },
    [RQ_REFUSE]       = { misused, misused, not_taken, misused, misused,     misused },
    [RQ_GRANT]        = { misused, misused, misused,   grant,   misused,     misused },
    [RQ_END_TAKEN]    = { misused, misused, misused,   misused, end_taken,   misused },
    [RQ_END_REFUSED]  = { misused, misused, misused,   misused, end_refused, misused },
    [RQ_READY]        = { misused, misused, misused,   misused, misused,     ready   },
};
/* clang-format on */

transition *oftp_listener_cell(enum input_kind kind, enum state state)
{
    return table[kind][state - IDLELI];
}

/* ---- start file --------------------------------------------------------------------- */

static bool offered(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct oftp_sfid *f = &s->file;

    if (!oftp_read_sfid(in->oeb, s->level, f, err))
        return false;
    if (f->rest > 0 && !s->rest_agreed)
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "SFIDREST though restart was not agreed");
    if (!s->may_take)
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "SFID in a session that only sends");
    s->counts_records = oftp_counts_records(f->fmt, f->env);
    s->state = OPIP;
    oftp_session_event(s, OFTP_FILE_OFFERED);
    s->ev.sfid = f;
    return true;
}

static bool took(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w;

    if (in->position > s->file.rest)
        return FAIL(err, FAIL_LOCAL, 0, "more kept than is offered");
    w = oftp_out_begin(s);
    if (!oftp_write_sfpa(&w, s->level, in->position, err))
        return false;
    oftp_out_commit(s, &w);
    s->unpack = (struct oftp_unpack) { .octets = in->octets, .records = in->records };
    s->bad_record = false;
    s->credit = s->window;
    s->state = OPI;
    return true;
}

static bool not_taken(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = oftp_out_begin(s);
    struct oftp_sfna c = { .reas = in->reason, .rrtr = in->flag };
    const char *text = in->text != NULL ? in->text : "";

    memcpy(c.reast, text, oftp_utf8_cut(text, strlen(text), OFTP_TEXT));
    if (!oftp_write_sfna(&w, s->level, &c, err))
        return false;
    oftp_out_commit(s, &w);
    s->state = IDLELI;
    return true;
}

/* ---- data --------------------------------------------------------------------------- */

static bool data(struct oftp_session *s, const struct input *in, struct err *err)
{
    size_t most = s->sdeb + (s->cfg.tolerate_sdeb_plus_one ? 1 : 0);

    if (in->oeb.n > most)
        return FAIL(err, FAIL_PEER, ESID_SIZE, "DATA of %zu octets, %u agreed", in->oeb.n,
                    s->sdeb);
    if (s->credit == 0)
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "DATA beyond the agreed credit");
    s->credit--;
    s->announce = s->credit == 0;
    s->rest = in->oeb;
    span_skip(&s->rest, 1);
    return oftp_listener_deliver(s, err);
}

static void check_records(struct oftp_session *s, size_t n)
{
    uint32_t length = s->file.lrecl;

    for (size_t i = 0; i < n; i++)
        if (s->ends[i] > length || (s->file.fmt == 'F' && s->ends[i] != length))
            s->bad_record = true;
    if (s->unpack.record_octets > length)
        s->bad_record = true;
}

bool oftp_listener_deliver(struct oftp_session *s, struct err *err)
{
    while (s->rest.n > 0) {
        struct room room = { s->content, CONTENT_CAP };
        size_t ends = 0, n;

        if (!oftp_unpack(&s->unpack, &s->rest, &room, s->counts_records ? s->ends : NULL,
                         ENDS_CAP, &ends, err))
            return false;
        if (s->counts_records)
            check_records(s, ends);
        n = CONTENT_CAP - room.n;
        if (n == 0 && ends == 0)
            continue;
        oftp_session_event(s, OFTP_DATA);
        s->ev.octets = span_of(s->content, n);
        s->ev.ends = s->ends;
        s->ev.ends_n = s->counts_records ? ends : 0;
        return true;
    }
    if (s->announce) {
        s->announce = false;
        oftp_session_event(s, OFTP_CREDIT_DUE);
    }
    return true;
}

static bool grant(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (s->credit > 0 || s->announce)
        return misused(s, in, err);
    if (!oftp_out_bare(s, 'C', err))
        return false;
    s->credit = s->window;
    return true;
}

/* ---- end file ----------------------------------------------------------------------- */

/* 0, or why the counts of the EFID say that something is missing. */
static int compare(const struct oftp_session *s)
{
    if (s->efid_got.ucnt != s->unpack.octets)
        return ANSWER_BYTE_COUNT;
    if (!s->counts_records)
        return 0;
    if (s->efid_got.rcnt != s->unpack.records)
        return ANSWER_RECORD_COUNT;
    return s->bad_record || s->unpack.record_octets > 0 ? ANSWER_BYTE_COUNT : 0;
}

static bool ended(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_efid(in->oeb, s->level, &s->efid_got, err))
        return false;
    /* It did not wait for the CDT, so it needs none, and may not know what to do with it. */
    oftp_out_drop_cdt(s);
    s->credit = 0;
    s->state = CLIP;
    oftp_session_event(s, OFTP_FILE_ENDED);
    s->ev.efid = &s->efid_got;
    s->ev.reason = compare(s);
    return true;
}

static bool end_taken(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = oftp_out_begin(s);

    if (!oftp_write_efpa(&w, in->flag, err))
        return false;
    oftp_out_commit(s, &w);
    s->state = in->flag ? WF_CD : IDLELI;
    return true;
}

static bool end_refused(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = oftp_out_begin(s);
    struct oftp_efna c = { .reas = in->reason };
    const char *text = in->text != NULL ? in->text : "";

    memcpy(c.reast, text, oftp_utf8_cut(text, strlen(text), OFTP_TEXT));
    if (!oftp_write_efna(&w, s->level, &c, err))
        return false;
    oftp_out_commit(s, &w);
    s->state = IDLELI;
    return true;
}

/* ---- between files ------------------------------------------------------------------ */

static bool turned(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    s->state = IDLESPCD;
    return true;
}

static bool answer(struct oftp_session *s)
{
    s->state = RTRP;
    oftp_session_event(s, OFTP_RESPONSE);
    s->ev.response = &s->response;
    return true;
}

static bool receipt(struct oftp_session *s, const struct input *in, struct err *err)
{
    return oftp_read_eerp(in->oeb, s->level, &s->response, err) && answer(s);
}

static bool refusal(struct oftp_session *s, const struct input *in, struct err *err)
{
    return oftp_read_nerp(in->oeb, s->level, &s->response, err) && answer(s);
}

static bool ready(struct oftp_session *s, const struct input *in, struct err *err)
{
    (void)in;
    if (!oftp_out_bare(s, 'P', err))
        return false;
    s->state = IDLELI;
    return true;
}
