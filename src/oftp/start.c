/* Session start: SSRM, negotiation by SSID, secure authentication. RFC 5024 4.2, 9.8; oftp2.md
 * sections 3 and 11. The cryptography is done by the application. */
#include <assert.h>

#include "oftp/session_int.h"

/* What a negotiation comes to. */
struct terms {
    int level;
    uint32_t sdeb;
    uint16_t window;
    char sr; /* our side of it */
    bool cmpr, rest, auth;
};

static transition propose, called, answered, accepted, secd, challenged, chosen, response,
    proven;

/* RFC 5024 9.8, oftp2.md 6.4. SSID outside I_WF_SSID and A_NC_ONLY, and SECD, AUCH, AURP outside
 * their own states, would only disconnect by the RFC; ESID(02) says why. */
/* clang-format off */
static transition *const table[INPUTS][START_STATES] = {
    /*                 I_WF_RM  I_WF_SSID A_NC_ONLY A_WF_CONRS WF_SECD  SECDP    WF_AUCH     AUCHP     WF_AURP */
    [IN_SSRM]      = { propose, broken,   broken,   broken,    broken,  broken,  broken,     broken,   broken  },
    [IN_SSID]      = { broken,  answered, called,   broken,    broken,  broken,  broken,     broken,   broken  },
    [IN_SECD]      = { broken,  broken,   broken,   broken,    secd,    broken,  broken,     broken,   broken  },
    [IN_AUCH]      = { broken,  broken,   broken,   broken,    broken,  broken,  challenged, broken,   broken  },
    [IN_AURP]      = { broken,  broken,   broken,   broken,    broken,  broken,  broken,     broken,   proven  },
    [IN_ESID]      = { left,    left,     left,     left,      left,    left,    left,       left,     left    },
    [RQ_ACCEPT]    = { misused, misused,  misused,  accepted,  misused, misused, misused,    misused,  misused },
    [RQ_CHALLENGE] = { misused, misused,  misused,  misused,   misused, chosen,  misused,    misused,  misused },
    [RQ_RESPOND]   = { misused, misused,  misused,  misused,   misused, misused, misused,    response, misused },
};
/* clang-format on */

transition *oftp_start_cell(enum input_kind kind, enum state state)
{
    return table[kind][state - I_WF_RM];
}

static bool put_ssid(struct oftp_session *s, const struct terms *t, struct err *err)
{
    struct writer w = oftp_out_begin(s);
    struct oftp_ssid c = {
        .lev = (uint8_t)t->level,
        .sdeb = t->sdeb,
        .sr = t->sr,
        .cmpr = t->cmpr,
        .rest = t->rest,
        .cred = t->window,
        .auth = t->auth,
    };

    (void)text_copy(c.code, sizeof(c.code), s->cfg.code);
    (void)text_copy(c.pswd, sizeof(c.pswd), s->cfg.pswd);
    if (!oftp_write_ssid(&w, &c, err))
        return false;
    oftp_out_commit(s, &w);
    return true;
}

static void agree(struct oftp_session *s, const struct terms *t)
{
    s->level = t->level;
    s->sdeb = t->sdeb;
    s->window = t->window;
    s->cmpr = t->cmpr;
    s->rest_agreed = t->rest;
    s->may_send = t->sr != 'R' && s->ssid.sr != 'S';
    s->may_take = t->sr != 'S' && s->ssid.sr != 'R';
}

static void started(struct oftp_session *s, enum state state)
{
    s->state = state;
    oftp_session_event(s, OFTP_STARTED);
    s->ev.ssid = &s->ssid;
}

/* Below level 5 the octet is reserved. */
static bool wants_auth(const struct oftp_ssid *c)
{
    return c->lev >= OFTP_20 && c->auth;
}

/* ---- initiator ---------------------------------------------------------------------- */

static bool propose(struct oftp_session *s, const struct input *in, struct err *err)
{
    const struct oftp_config *cfg = &s->cfg;
    struct terms offer = {
        .level = cfg->level_max,
        .sdeb = cfg->sdeb,
        .window = cfg->cred,
        .sr = cfg->sr,
        .cmpr = cfg->cmpr,
        .rest = cfg->rest,
        .auth = cfg->auth && cfg->level_max == OFTP_20,
    };

    if (!oftp_read_ssrm(in->oeb, err) || !put_ssid(s, &offer, err))
        return false;
    s->mute = false;
    s->state = I_WF_SSID;
    return true;
}

/* Takes as long for any text: how far a guess was right cannot be told from the time. */
static bool same_password(const char *a, const char *b)
{
    char pa[OFTP_PSWD] = { 0 }, pb[OFTP_PSWD] = { 0 };
    unsigned differ = 0;

    memcpy(pa, a, strnlen(a, OFTP_PSWD));
    memcpy(pb, b, strnlen(b, OFTP_PSWD));
    for (size_t i = 0; i < OFTP_PSWD; i++)
        differ |= (unsigned)(pa[i] ^ pb[i]);
    explicit_bzero(pa, sizeof(pa));
    explicit_bzero(pb, sizeof(pb));
    return differ == 0;
}

/* The Responder's answer against what we offered: oftp2.md 3.2. At the Initiator 10 goes before
 * 12, RFC 5024 9.8. */
static bool check_answer(const struct oftp_config *cfg, const struct oftp_ssid *a,
                         struct err *err)
{
    if (strcmp(a->code, cfg->peer_code) != 0)
        return FAIL(err, FAIL_PEER, ESID_UNKNOWN_CODE, "called %s but %s answered",
                    cfg->peer_code, oftp_code_valid(a->code) ? a->code : "another");
    if (!cfg->peer_pswd_any && !same_password(a->pswd, cfg->peer_pswd))
        return FAIL(err, FAIL_PEER, ESID_PASSWORD, "the password of %s is wrong", a->code);
    if (a->lev > cfg->level_max || a->lev < cfg->level_min ||
        (a->lev != OFTP_12 && a->lev != OFTP_13 && a->lev != OFTP_14 && a->lev != OFTP_20))
        return FAIL(err, FAIL_PEER, ESID_INCOMPATIBLE, "level %d answered, %d to %d possible",
                    a->lev, cfg->level_min, cfg->level_max);
    if (a->sr == cfg->sr && a->sr != 'B')
        return FAIL(err, FAIL_PEER, ESID_INCOMPATIBLE, "both sides can only %s",
                    a->sr == 'S' ? "send" : "receive");
    if (a->spec)
        return FAIL(err, FAIL_PEER, ESID_INCOMPATIBLE, "special logic on TCP");
    if (a->cred > cfg->cred)
        return FAIL(err, FAIL_PEER, ESID_VIOLATION, "credit %d answered to %d", a->cred,
                    cfg->cred);
    if (wants_auth(a) != cfg->auth)
        return FAIL(err, FAIL_PEER, ESID_AUTHENTICATION,
                    "secure authentication: %s here, %s there", cfg->auth ? "yes" : "no",
                    wants_auth(a) ? "yes" : "no");
    return true;
}

static bool answered(struct oftp_session *s, const struct input *in, struct err *err)
{
    const struct oftp_config *cfg = &s->cfg;
    const struct oftp_ssid *a = &s->ssid;
    struct terms t;

    if (!oftp_read_ssid(in->oeb, &s->ssid, err))
        return false;
    s->have_ssid = true;
    if (!check_answer(cfg, a, err))
        return false;
    t = (struct terms) {
        .level = a->lev,
        .sdeb = a->sdeb < cfg->sdeb ? a->sdeb : cfg->sdeb,
        .window = a->cred,
        .sr = cfg->sr,
        .cmpr = a->cmpr && cfg->cmpr,
        .rest = a->rest && cfg->rest,
    };
    agree(s, &t);
    if (!cfg->auth) {
        started(s, IDLESP);
        return true;
    }
    s->state = WF_AUCH;
    return oftp_out_bare(s, 'J', err);
}

/* ---- responder ---------------------------------------------------------------------- */

static bool called(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_ssid(in->oeb, &s->ssid, err))
        return false;
    s->have_ssid = true;
    s->state = A_WF_CONRS;
    oftp_session_event(s, OFTP_SSID);
    s->ev.ssid = &s->ssid;
    return true;
}

/* Our answer to what the Initiator offered: oftp2.md 3.2 and 3.3. At the Responder 12 goes
 * before 10, RFC 5024 9.8. */
static bool negotiate(const struct oftp_config *cfg, const struct oftp_ssid *o, struct terms *t,
                      struct err *err)
{
    int level = o->lev == 3 ? OFTP_13 : o->lev;

    if (level > cfg->level_max)
        level = cfg->level_max;
    if (wants_auth(o) != cfg->auth || (cfg->auth && level != OFTP_20))
        return FAIL(err, FAIL_PEER, ESID_AUTHENTICATION,
                    "secure authentication: %s here, %s there", cfg->auth ? "yes" : "no",
                    wants_auth(o) ? "yes" : "no");
    if (level < OFTP_12 || level < cfg->level_min)
        return FAIL(err, FAIL_PEER, ESID_INCOMPATIBLE, "level %d offered, %d is the lowest",
                    o->lev, cfg->level_min);
    if (o->sr == cfg->sr && o->sr != 'B')
        return FAIL(err, FAIL_PEER, ESID_INCOMPATIBLE, "both sides can only %s",
                    o->sr == 'S' ? "send" : "receive");
    *t = (struct terms) {
        .level = level,
        .sdeb = o->sdeb < cfg->sdeb ? o->sdeb : cfg->sdeb,
        .window = o->cred < cfg->cred ? o->cred : cfg->cred,
        .sr = o->sr == 'S'   ? 'R'
              : o->sr == 'R' ? 'S'
                             : cfg->sr,
        .cmpr = o->cmpr && cfg->cmpr,
        .rest = o->rest && cfg->rest,
        .auth = cfg->auth,
    };
    return true;
}

static bool accepted(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct terms t;

    s->cfg = *in->cfg;
    s->cfg.initiator = false;
    if (!negotiate(&s->cfg, &s->ssid, &t, err) || !put_ssid(s, &t, err))
        return false;
    agree(s, &t);
    if (t.auth)
        s->state = WF_SECD;
    else
        started(s, IDLELI);
    return true;
}

/* ---- secure authentication ---------------------------------------------------------- */

static bool secd(struct oftp_session *s, const struct input *in, struct err *err)
{
    if (!oftp_read_bare(in->oeb, err))
        return false;
    s->state = SECDP;
    oftp_session_event(s, OFTP_CHALLENGE_DUE);
    return true;
}

static bool chosen(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = oftp_out_begin(s);

    if (!oftp_write_auch(&w, in->encrypted, err))
        return false;
    oftp_out_commit(s, &w);
    memcpy(s->challenge, in->challenge, sizeof(s->challenge));
    s->state = WF_AURP;
    return true;
}

static bool challenged(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct span chal;

    if (!oftp_read_auch(in->oeb, &chal, err))
        return false;
    s->state = AUCHP;
    oftp_session_event(s, OFTP_CHALLENGE);
    s->ev.octets = chal;
    return true;
}

static bool response(struct oftp_session *s, const struct input *in, struct err *err)
{
    struct writer w = oftp_out_begin(s);

    if (!oftp_write_aurp(&w, in->challenge, err))
        return false;
    oftp_out_commit(s, &w);
    s->state = s->cfg.initiator ? WF_SECD : IDLELI;
    s->started_due = !s->cfg.initiator;
    return true;
}

static bool proven(struct oftp_session *s, const struct input *in, struct err *err)
{
    uint8_t got[OFTP_CHALLENGE_SIZE];
    unsigned differ = 0;

    if (!oftp_read_aurp(in->oeb, got, err))
        return false;
    for (size_t i = 0; i < sizeof(got); i++)
        differ |= (unsigned)(got[i] ^ s->challenge[i]);
    explicit_bzero(s->challenge, sizeof(s->challenge));
    if (differ != 0)
        return FAIL(err, FAIL_PEER, ESID_CHALLENGE, "the answer to our challenge is wrong");
    if (s->cfg.initiator) {
        started(s, IDLESP);
        return true;
    }
    s->state = WF_AUCH;
    return oftp_out_bare(s, 'J', err);
}
