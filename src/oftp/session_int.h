/* What session.c, request.c, output.c, start.c, speaker.c, listener.c and check.c share.
 *
 * A session is one value of enum state plus the fields below. Everything that happens to it is
 * an input: a command of the peer (IN_) or a request of our own application (RQ_). Each phase
 * has a table, inputs down and states across, whose cells name the transition; the tables stand
 * for RFC 5024 9.8 to 9.12 and oftp2.md 6.4 to 6.7. */
#ifndef WAYBILL_OFTP_SESSION_INT_H
#define WAYBILL_OFTP_SESSION_INT_H

#include "base/writer.h"
#include "oftp/oftp.h"

/* RFC 5024 9.2 and oftp2.md 6.3, in the order of the tables' columns. SECDP and AUCHP are ours:
 * the cryptography of the authentication phase is done by the application, so its answer is
 * pending as in OPIP, CLIP and RTRP. */
enum state {
    IDLE, /* no connection: before open, after the end */
    /* start.c */
    I_WF_RM,
    I_WF_SSID,
    A_NC_ONLY,
    A_WF_CONRS,
    WF_SECD,
    SECDP,
    WF_AUCH,
    AUCHP,
    WF_AURP,
    /* speaker.c */
    IDLESP,
    IDLESPCD,
    WF_RTR,
    OPOP,
    OPO,
    OPOWFC,
    CLOP,
    WF_CD,
    /* listener.c */
    IDLELI,
    IDLELICD,
    OPIP,
    OPI,
    CLIP,
    RTRP,
    WF_NDISC,
    STATES,
    START_STATES = IDLESP - I_WF_RM,
    SPEAKER_STATES = IDLELI - IDLESP,
    LISTENER_STATES = WF_NDISC - IDLELI,
};

enum input_kind {
    IN_SSRM,
    IN_SSID,
    IN_SECD,
    IN_AUCH,
    IN_AURP,
    IN_SFID,
    IN_SFPA,
    IN_SFNA,
    IN_DATA,
    IN_CDT,
    IN_EFID,
    IN_EFPA,
    IN_EFNA,
    IN_CD,
    IN_EERP,
    IN_NERP,
    IN_RTR,
    IN_ESID,
    RQ_ACCEPT,
    RQ_CHALLENGE,
    RQ_RESPOND,
    RQ_OFFER,
    RQ_RESPONSE,
    RQ_PASS,
    RQ_DATA,
    RQ_FILE_END,
    RQ_TAKE,
    RQ_REFUSE,
    RQ_GRANT,
    RQ_END_TAKEN,
    RQ_END_REFUSED,
    RQ_READY,
    INPUTS,
    COMMANDS = RQ_ACCEPT,
};

/* One input. A command has its exchange buffer, a request those of the rest that it needs; all
 * borrowed for the call. */
struct input {
    enum input_kind kind;
    struct span oeb;
    const struct oftp_config *cfg;
    const struct oftp_sfid *sfid;
    const struct oftp_response *response;
    const struct oftp_efid *efid;
    const uint8_t *challenge; /* OFTP_CHALLENGE_SIZE octets */
    struct span encrypted;
    struct span *content;
    bool *whole;
    uint64_t position, octets, records;
    int reason;
    bool flag; /* retry, end, want_turn */
    const char *text;
};

enum {
    STB_MAX = OFTP_STH + OFTP_OEB_MAX,
    OUT_DATA = 4 * STB_MAX,           /* unsent octets beyond which no DATA is taken      */
    OUT_CAP = OUT_DATA + 3 * STB_MAX, /* and a buffer sent in part, a command, an ESID */
    OUT_ESID = OFTP_STH + 1006,       /* kept free so that an ESID always fits, 5.3.11    */
    CONTENT_CAP = 128 * 1024,         /* over OFTP_OEB_MAX: an uncompressed DATA buffer fits */
    ENDS_CAP = OFTP_OEB_MAX,          /* as many as a buffer of empty records has         */
    EFID_MAX = 35,
};

struct oftp_session {
    enum state state;
    struct oftp_config cfg;
    struct oftp_event ev; /* what the current call reports */
    char text[OFTP_TEXT + 1];

    /* Time. The requests carry no clock, so what they put into the output is `untimed` until
     * the next call that does. */
    uint64_t opened_ms, active_ms;
    bool untimed;

    /* Input. `rest` is what is left of a DATA buffer that is being delivered; `held` octets of
     * the caller's span stay untaken meanwhile, so that it is not empty before the last event. */
    struct oftp_stb *stb;
    struct span rest;
    size_t held;
    bool rest_copied; /* rest lies in stb, not in the caller's span */
    bool deaf;        /* the stream is out of step or over: take and drop everything */

    /* Output: out[begin, end) is to be sent; `stb_at`, at or before begin, is where an STB
     * begins. A DATA buffer being filled lies behind end. */
    uint8_t *out;
    size_t begin, end, stb_at;
    size_t cdt_end; /* .end after the last CDT, 0: none in the output */

    /* Start. */
    bool mute;        /* initiator: nothing may be sent before SSRM            */
    bool started_due; /* OFTP_STARTED is still to be given                     */
    bool peer_left;   /* ESID came while we waited for the disconnect          */
    bool have_ssid;   /* .ssid is the peer's                                   */
    struct oftp_ssid ssid;
    uint8_t challenge[OFTP_CHALLENGE_SIZE];
    int level; /* agreed, 0 before; so are the next ones */
    uint32_t sdeb;
    uint16_t window;
    bool cmpr, rest_agreed, may_send, may_take;

    /* The file that is open, in either role. */
    struct oftp_sfid file;
    bool counts_records;
    uint16_t credit;

    /* Speaker. */
    struct oftp_pack pack;
    bool packing;           /* pack is open at the end of the output                  */
    bool ended;             /* the last octet of the file was given                   */
    bool early_cdt;         /* a CDT came while credit was left: counts when it is 0  */
    bool spare_cdt;         /* one CDT that crossed our EFID was dropped              */
    bool efid_waits;        /* efid[] is to be sent when CDT comes                    */
    uint64_t record_octets; /* given of the record that is open                */
    uint8_t efid[EFID_MAX];
    size_t efid_n;

    /* Listener. */
    struct oftp_unpack unpack;
    struct oftp_efid efid_got;
    struct oftp_response response;
    bool announce;   /* OFTP_CREDIT_DUE is still to be given                   */
    bool bad_record; /* a record was longer (F: or shorter) than SFIDLRECL     */
    uint8_t *content;
    uint32_t *ends;
};

/* Acts on one input. Sets s->state and s->ev and puts commands into the output. False when *err
 * is set, with everything else as it was: FAIL_PEER ends the session, FAIL_LOCAL is the
 * caller's. */
typedef bool transition(struct oftp_session *s, const struct input *in, struct err *err);

/* The cell of the phase's table; NULL is broken for a command, misused for a request. */
transition *oftp_start_cell(enum input_kind kind, enum state state);
transition *oftp_speaker_cell(enum input_kind kind, enum state state);
transition *oftp_listener_cell(enum input_kind kind, enum state state);

/* The peer's command does not belong here: ESID(02). */
transition oftp_session_broken;
/* Our caller's request does not belong here. */
transition oftp_session_misused;
/* ESID: the peer has given up. */
transition oftp_session_left;

/* Names short enough for the tables' cells. */
#define broken  oftp_session_broken
#define misused oftp_session_misused
#define left    oftp_session_left

/* Gives the next OFTP_DATA of s->rest, or OFTP_CREDIT_DUE, or nothing. */
bool oftp_listener_deliver(struct oftp_session *s, struct err *err);

/* Looks the transition up in the tables and makes it. */
bool oftp_session_act(struct oftp_session *s, const struct input *in, struct err *err);
/* Ends the session for a FAIL_PEER, with the event that says so. */
void oftp_session_fault(struct oftp_session *s, const struct err *err);
void oftp_session_event(struct oftp_session *s, enum oftp_event_kind kind);
/* Queues ESID(reason) and waits for the disconnect; closes at once where ESID may not go. */
void oftp_session_end(struct oftp_session *s, int reason, const char *text);
/* The connection is of no further use. */
void oftp_session_close(struct oftp_session *s);
/* Asserts what holds in s->state. */
void oftp_session_check(const struct oftp_session *s);

/* output.c: a command is written into the room that begin gives, without its stream header,
 * and is in the output after commit. Nothing has happened when commit is not called. */
struct writer oftp_out_begin(struct oftp_session *s);
struct writer oftp_out_begin_esid(struct oftp_session *s);
void oftp_out_commit(struct oftp_session *s, const struct writer *w);
bool oftp_out_bare(struct oftp_session *s, char command, struct err *err);
/* Whether a command of any size fits. */
bool oftp_out_ready(const struct oftp_session *s);
/* Opens s->pack at the end of the output; false while there is no room. */
bool oftp_out_data_begin(struct oftp_session *s);
void oftp_out_data_commit(struct oftp_session *s);
/* Whether oftp_out_data_begin would open one. */
bool oftp_out_data_fits(const struct oftp_session *s);
/* Takes back what was not sent, up to the end of a buffer that was sent in part. */
void oftp_out_drop(struct oftp_session *s);
/* Takes back the last CDT when none of it was sent. */
void oftp_out_drop_cdt(struct oftp_session *s);

#endif
