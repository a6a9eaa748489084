/* The session: object, input loop, timers, abort. What a command or request does is in start.c,
 * speaker.c and listener.c; requests come in by request.c; what is sent is in output.c. RFC 5024 section 9. */
#include <assert.h>
#include <stdlib.h>

#include "oftp/session_int.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUFFERS_APART 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BUFFERS_APART 1
#endif

/* The buffers of a session lie in one block. It is so large that the C library maps it for itself and
 * gives it back to the system when the session ends; one by one they would end up between small
 * things in a heap that hardly ever shrinks. Not cleared: a session that never uses the far end of a
 * buffer never owns that memory. */
static bool buffers_new(struct oftp_session *s)
{
#if defined(BUFFERS_APART) /* so that the sanitizer sees where each of them ends */
    s->stb = malloc(sizeof(*s->stb));
    s->out = malloc(OUT_CAP);
    s->content = malloc(CONTENT_CAP);
    s->ends = malloc(ENDS_CAP * sizeof(*s->ends));
    return s->stb != NULL && s->out != NULL && s->content != NULL && s->ends != NULL;
#else
    struct buffers {
        struct oftp_stb stb;
        uint8_t out[OUT_CAP], content[CONTENT_CAP];
        uint32_t ends[ENDS_CAP];
    } *b = malloc(sizeof(*b));

    if (b == NULL)
        return false;
    s->stb = &b->stb; /* the first: freed by it */
    s->out = b->out;
    s->content = b->content;
    s->ends = b->ends;
    return true;
#endif
}

static void buffers_free(struct oftp_session *s)
{
#if defined(BUFFERS_APART)
    free(s->out);
    free(s->content);
    free(s->ends);
#endif
    free(s->stb);
}

struct oftp_session *oftp_session_new(void)
{
    struct oftp_session *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    if (!buffers_new(s)) {
        oftp_session_free(s);
        return NULL;
    }
    s->stb->have = 0;
    s->deaf = true;
    return s;
}

void oftp_session_free(struct oftp_session *s)
{
    if (s == NULL)
        return;
    buffers_free(s);
    explicit_bzero(s, sizeof(*s));
    free(s);
}

void oftp_session_open(struct oftp_session *s, const struct oftp_config *cfg, uint64_t now_ms)
{
    struct oftp_session fresh = {
        .cfg = *cfg,
        .opened_ms = now_ms,
        .active_ms = now_ms,
        .stb = s->stb,
        .out = s->out,
        .content = s->content,
        .ends = s->ends,
    };
    struct writer w;
    struct err err;
    bool ok;

    *s = fresh;
    s->stb->have = 0;
    if (cfg->initiator) {
        s->state = I_WF_RM;
        s->mute = true;
    } else {
        s->state = A_NC_ONLY;
        w = oftp_out_begin(s);
        ok = oftp_write_ssrm(&w, &err);
        assert(ok);
        oftp_out_commit(s, &w);
        s->untimed = false;
    }
    oftp_session_check(s);
}

/* ---- events and the end ------------------------------------------------------------- */

void oftp_session_event(struct oftp_session *s, enum oftp_event_kind kind)
{
    s->ev = (struct oftp_event) { .kind = kind, .text = "" };
}

/* What must not outlive the file or the session that it belonged to. */
static void forget(struct oftp_session *s)
{
    s->rest.n = 0;
    s->announce = false;
    s->started_due = false;
    s->packing = false;
    s->efid_waits = false;
    s->early_cdt = false;
    explicit_bzero(s->challenge, sizeof(s->challenge));
}

void oftp_session_close(struct oftp_session *s)
{
    forget(s);
    s->state = IDLE;
    s->deaf = true;
    s->begin = s->end = s->stb_at = s->cdt_end = 0;
}

/* oftp2.md 2.5: the layout that the peer is sure to understand. */
static int esid_level(const struct oftp_session *s)
{
    int level = s->cfg.level_max;

    if (s->level != 0)
        return s->level;
    if (s->have_ssid && s->ssid.lev < level)
        level = s->ssid.lev;
    if (level == 3)
        level = OFTP_13;
    return level < OFTP_12 ? OFTP_12 : level;
}

static void put_esid(struct oftp_session *s, int reason, const char *text)
{
    struct writer w = oftp_out_begin_esid(s);
    struct oftp_esid_command c = { .reas = reason };
    struct err err;
    size_t n = oftp_utf8_cut(text, strlen(text), OFTP_TEXT);

    memcpy(c.reast, text, n);
    if (!oftp_write_esid(&w, esid_level(s), &c, &err)) {
        /* A reason or text that cannot be told must not keep the session from ending. */
        w = oftp_out_begin_esid(s);
        c = (struct oftp_esid_command) { .reas = ESID_UNSPECIFIED };
        if (!oftp_write_esid(&w, esid_level(s), &c, &err))
            return;
    }
    /* The levels below 5 have no such reason, yet it alone says what to change there: oftp2.md
     * 3.2 asks for it. */
    if (reason == ESID_AUTHENTICATION)
        memcpy(w.begin + 1, "12", 2);
    oftp_out_commit(s, &w);
}

void oftp_session_end(struct oftp_session *s, int reason, const char *text)
{
    bool sending = s->state == OPO || s->state == OPOWFC || s->state == CLOP;

    if (s->state == IDLE || s->state == WF_NDISC)
        return;
    forget(s);
    if (s->mute) {
        oftp_session_close(s);
        return;
    }
    /* The file is lost for this session: a peer that reads slowly shall not have to take four
     * more buffers of it before it learns so. */
    if (sending)
        oftp_out_drop(s);
    put_esid(s, reason, text != NULL ? text : "");
    s->state = WF_NDISC;
}

/* The session fails by our decision: ESID, and the event that says so. */
static void fail(struct oftp_session *s, int reason, const char *text)
{
    (void)text_copy(s->text, sizeof(s->text), text);
    oftp_session_end(s, reason, s->text);
    oftp_session_event(s, OFTP_ABORTED);
    s->ev.reason = reason;
    s->ev.text = s->text;
    s->ev.local = true;
}

void oftp_session_fault(struct oftp_session *s, const struct err *err)
{
    fail(s, err->wire > 0 ? err->wire : ESID_UNSPECIFIED, err->text);
}

void oftp_session_abort(struct oftp_session *s, int reason, const char *text)
{
    oftp_session_end(s, reason, text);
    oftp_session_check(s);
}

/* ---- the tables --------------------------------------------------------------------- */

static const char *const state_names[STATES] = {
    [IDLE] = "IDLE",
    [I_WF_RM] = "I_WF_RM",
    [I_WF_SSID] = "I_WF_SSID",
    [A_NC_ONLY] = "A_NC_ONLY",
    [A_WF_CONRS] = "A_WF_CONRS",
    [WF_SECD] = "WF_SECD",
    [SECDP] = "SECDP",
    [WF_AUCH] = "WF_AUCH",
    [AUCHP] = "AUCHP",
    [WF_AURP] = "WF_AURP",
    [IDLESP] = "IDLESP",
    [IDLESPCD] = "IDLESPCD",
    [WF_RTR] = "WF_RTR",
    [OPOP] = "OPOP",
    [OPO] = "OPO",
    [OPOWFC] = "OPOWFC",
    [CLOP] = "CLOP",
    [WF_CD] = "WF_CD",
    [IDLELI] = "IDLELI",
    [IDLELICD] = "IDLELICD",
    [OPIP] = "OPIP",
    [OPI] = "OPI",
    [CLIP] = "CLIP",
    [RTRP] = "RTRP",
    [WF_NDISC] = "WF_NDISC",
};

static const char *const input_names[INPUTS] = {
    [IN_SSRM] = "SSRM",
    [IN_SSID] = "SSID",
    [IN_SECD] = "SECD",
    [IN_AUCH] = "AUCH",
    [IN_AURP] = "AURP",
    [IN_SFID] = "SFID",
    [IN_SFPA] = "SFPA",
    [IN_SFNA] = "SFNA",
    [IN_DATA] = "DATA",
    [IN_CDT] = "CDT",
    [IN_EFID] = "EFID",
    [IN_EFPA] = "EFPA",
    [IN_EFNA] = "EFNA",
    [IN_CD] = "CD",
    [IN_EERP] = "EERP",
    [IN_NERP] = "NERP",
    [IN_RTR] = "RTR",
    [IN_ESID] = "ESID",
    [RQ_ACCEPT] = "accept",
    [RQ_CHALLENGE] = "challenge",
    [RQ_RESPOND] = "respond",
    [RQ_OFFER] = "offer a file",
    [RQ_RESPONSE] = "send EERP or NERP",
    [RQ_PASS] = "pass the turn",
    [RQ_DATA] = "send data",
    [RQ_FILE_END] = "end the file",
    [RQ_TAKE] = "take the file",
    [RQ_REFUSE] = "refuse the file",
    [RQ_GRANT] = "grant credit",
    [RQ_END_TAKEN] = "take the end of file",
    [RQ_END_REFUSED] = "refuse the end of file",
    [RQ_READY] = "send RTR",
};

/* The command octets, plus one: 0 is none. */
static const uint8_t commands[256] = {
    ['I'] = IN_SSRM + 1, ['X'] = IN_SSID + 1, ['J'] = IN_SECD + 1, ['A'] = IN_AUCH + 1,
    ['S'] = IN_AURP + 1, ['H'] = IN_SFID + 1, ['2'] = IN_SFPA + 1, ['3'] = IN_SFNA + 1,
    ['D'] = IN_DATA + 1, ['C'] = IN_CDT + 1,  ['T'] = IN_EFID + 1, ['4'] = IN_EFPA + 1,
    ['5'] = IN_EFNA + 1, ['R'] = IN_CD + 1,   ['E'] = IN_EERP + 1, ['N'] = IN_NERP + 1,
    ['P'] = IN_RTR + 1,  ['F'] = IN_ESID + 1,
};

bool oftp_session_broken(struct oftp_session *s, const struct input *in, struct err *err)
{
    /* A peer that speaks OFTP, if the wrong word, may be answered in OFTP. */
    s->mute = false;
    return FAIL(err, FAIL_PEER, ESID_VIOLATION, "%s in %s", input_names[in->kind],
                state_names[s->state]);
}

bool oftp_session_misused(struct oftp_session *s, const struct input *in, struct err *err)
{
    return FAIL(err, FAIL_LOCAL, 0, "cannot %s in state %s", input_names[in->kind],
                state_names[s->state]);
}

bool oftp_session_left(struct oftp_session *s, const struct input *in, struct err *err)
{
    bool idle = s->state == IDLELI || s->state == IDLELICD;
    struct oftp_esid_command c;

    if (!oftp_read_esid(in->oeb, &c, err)) {
        /* Whatever it says, the peer is going: an ESID of ours would not be read. */
        c.reas = ESID_UNSPECIFIED;
        (void)text_copy(c.reast, sizeof(c.reast), "its ESID is malformed");
    }
    /* ESID(00) belongs into IDLELICD; some end a mere connection test with it in IDLELI. */
    (void)text_copy(s->text, sizeof(s->text), c.reast);
    oftp_session_event(s, c.reas == ESID_NORMAL && idle ? OFTP_ENDED : OFTP_ABORTED);
    s->ev.reason = c.reas;
    s->ev.text = s->text;
    oftp_session_close(s);
    return true;
}

bool oftp_session_act(struct oftp_session *s, const struct input *in, struct err *err)
{
    transition *cell = NULL;

    if (s->state >= I_WF_RM && s->state < IDLESP)
        cell = oftp_start_cell(in->kind, s->state);
    else if (s->state >= IDLESP && s->state < IDLELI)
        cell = oftp_speaker_cell(in->kind, s->state);
    else if (s->state >= IDLELI && s->state < WF_NDISC)
        cell = oftp_listener_cell(in->kind, s->state);
    if (cell == NULL)
        cell = in->kind < COMMANDS ? broken : misused;
    return cell(s, in, err);
}

/* ---- input -------------------------------------------------------------------------- */

/* Whether the agreed level has this command; all are known before that. */
static bool known(const struct oftp_session *s, enum input_kind kind)
{
    if (s->level == 0 || s->level == OFTP_20)
        return true;
    if (kind == IN_SECD || kind == IN_AUCH || kind == IN_AURP)
        return false;
    return kind != IN_NERP || s->level == OFTP_14;
}

static bool command(struct oftp_session *s, struct span oeb, struct err *err)
{
    unsigned code = commands[oeb.p[0]];
    struct input in = { .oeb = oeb };

    if (code == 0 || !known(s, (enum input_kind)(code - 1)))
        return FAIL(err, FAIL_PEER, ESID_UNKNOWN_COMMAND, "command octet %02X is unknown",
                    oeb.p[0]);
    in.kind = (enum input_kind)(code - 1);
    /* Commands are half duplex: a peer gets this far only when it does not wait for answers,
     * and must not make us store them. */
    if (in.kind != IN_ESID && !oftp_out_ready(s))
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "%s while earlier answers are not taken",
                    input_names[in.kind]);
    return oftp_session_act(s, &in, err);
}

/* Takes one thing that happened. False when more octets are needed first. */
static bool step(struct oftp_session *s, struct span *in, uint64_t now_ms)
{
    struct span oeb = { NULL, 0 };
    struct err err = { .kind = FAIL_NONE };
    bool ok;

    if (s->started_due) {
        s->started_due = false;
        oftp_session_event(s, OFTP_STARTED);
        s->ev.ssid = &s->ssid;
        return true;
    }
    if (s->rest.n > 0 || s->announce) {
        if (!oftp_listener_deliver(s, &err))
            oftp_session_fault(s, &err);
        return true;
    }
    if (s->deaf) {
        span_skip(in, in->n);
        return false;
    }
    ok = oftp_stb_take(s->stb, in, &oeb, &err);
    if (ok && oeb.n == 0)
        return false;
    if (!ok)
        s->deaf = true; /* the stream cannot be resynchronised, oftp2.md 1.2 */
    if (s->state == WF_NDISC) {
        s->peer_left |= ok && oeb.p[0] == 'F';
        return true;
    }
    s->active_ms = now_ms;
    if (ok) {
        uintptr_t at = (uintptr_t)oeb.p, copy = (uintptr_t)s->stb->octets;

        s->rest_copied = at >= copy && at < copy + sizeof(s->stb->octets);
        ok = command(s, oeb, &err);
    }
    if (!ok)
        oftp_session_fault(s, &err);
    s->untimed = false;
    return true;
}

void oftp_session_input(struct oftp_session *s, struct span *in, uint64_t now_ms,
                        struct oftp_event *ev)
{
    oftp_session_event(s, OFTP_NONE);
    if (s->held > 0) {
        assert(in->n >= s->held);
        if (!s->rest_copied)
            s->rest.p = in->p; /* the caller may have moved its octets */
        span_skip(in, s->held);
        s->held = 0;
    }
    while (s->ev.kind == OFTP_NONE && step(s, in, now_ms)) {
    }
    /* A caller that stops when its span is empty must not miss the events still due. */
    if (s->rest.n > 0 || s->announce) {
        s->held = s->rest_copied || s->rest.n == 0 ? 1 : s->rest.n;
        in->p -= s->held;
        in->n += s->held;
    }
    oftp_session_check(s);
    *ev = s->ev;
}

/* ---- time --------------------------------------------------------------------------- */

enum wait { NOBODY, START, AUTHENTICATION, PEER, OURSELVES, END_OF_FILE, DISCONNECT };

static const enum wait waits[STATES] = {
    [IDLE] = NOBODY,          [I_WF_RM] = START,
    [I_WF_SSID] = START,      [A_NC_ONLY] = START,
    [A_WF_CONRS] = OURSELVES, [WF_SECD] = AUTHENTICATION,
    [SECDP] = OURSELVES,      [WF_AUCH] = AUTHENTICATION,
    [AUCHP] = OURSELVES,      [WF_AURP] = AUTHENTICATION,
    [IDLESP] = OURSELVES,     [IDLESPCD] = OURSELVES,
    [WF_RTR] = PEER,          [OPOP] = PEER,
    [OPO] = OURSELVES,        [OPOWFC] = PEER,
    [CLOP] = END_OF_FILE,     [WF_CD] = PEER,
    [IDLELI] = PEER,          [IDLELICD] = PEER,
    [OPIP] = OURSELVES,       [OPI] = PEER,
    [CLIP] = OURSELVES,       [RTRP] = OURSELVES,
    [WF_NDISC] = DISCONNECT,
};

static uint64_t after(uint64_t ms, uint32_t more)
{
    return ms > UINT64_MAX - more ? UINT64_MAX : ms + more;
}

uint64_t oftp_session_deadline(const struct oftp_session *s)
{
    enum wait wait = waits[s->state];

    if (wait == AUTHENTICATION)
        wait = s->cfg.initiator ? START : PEER;
    if (s->state == OPI && s->credit == 0)
        wait = OURSELVES;
    /* Even in our own turn it is the peer that we wait for while it does not read. */
    if (wait == OURSELVES && s->begin < s->end)
        wait = PEER;
    switch (wait) {
    case START:
        return after(s->opened_ms, s->cfg.start_ms);
    case PEER:
        return after(s->active_ms, s->cfg.inactivity_ms);
    case END_OF_FILE:
        return after(s->active_ms, s->cfg.end_file_ms);
    case DISCONNECT:
        return after(s->active_ms, s->cfg.disconnect_ms);
    default:
        return UINT64_MAX;
    }
}

void oftp_session_expire(struct oftp_session *s, uint64_t now_ms, struct oftp_event *ev)
{
    oftp_session_event(s, OFTP_NONE);
    if (now_ms < oftp_session_deadline(s)) {
        /* too early: nothing has expired */
    } else if (s->untimed) {
        /* The wait began with a request, which tells no time: it is counted from here. */
        s->untimed = false;
        s->active_ms = now_ms;
    } else if (s->state == WF_NDISC) {
        oftp_session_close(s);
    } else {
        s->active_ms = now_ms;
        fail(s, ESID_TIMEOUT, "nothing was heard for too long");
        s->untimed = false;
    }
    oftp_session_check(s);
    *ev = s->ev;
}

/* ---- questions ---------------------------------------------------------------------- */

bool oftp_session_over(const struct oftp_session *s)
{
    /* When both sent an ESID at once nobody would disconnect before the timer. */
    return s->state == IDLE || (s->state == WF_NDISC && s->peer_left && s->begin == s->end);
}

bool oftp_session_ending(const struct oftp_session *s)
{
    return s->state == WF_NDISC;
}

bool oftp_session_turn(const struct oftp_session *s)
{
    return s->state == IDLESP || s->state == IDLESPCD;
}

int oftp_session_level(const struct oftp_session *s)
{
    return s->level;
}

uint32_t oftp_session_sdeb(const struct oftp_session *s)
{
    return s->sdeb;
}

uint16_t oftp_session_credit(const struct oftp_session *s)
{
    return s->window;
}

bool oftp_session_restart(const struct oftp_session *s)
{
    return s->rest_agreed;
}

bool oftp_session_compression(const struct oftp_session *s)
{
    return s->cmpr;
}

bool oftp_session_may_send_files(const struct oftp_session *s)
{
    return s->may_send;
}

bool oftp_session_may_take_files(const struct oftp_session *s)
{
    return s->may_take;
}

const char *oftp_session_state(const struct oftp_session *s)
{
    return state_names[s->state];
}
