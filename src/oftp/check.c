/* What holds between two calls, state by state. A broken promise is a fault of this folder, not
 * of the peer, so it stops the program before a document is harmed. */
#include <assert.h>

#include "oftp/session_int.h"

static void check_output(const struct oftp_session *s)
{
    assert(s->stb_at <= s->begin && s->begin <= s->end && s->end <= OUT_CAP);
    assert(s->cdt_end <= s->end);
    if (s->packing)
        assert(s->state == OPO && s->credit > 0 && s->pack.oeb == s->out + s->end + OFTP_STH &&
               s->pack.n <= s->sdeb && s->end + OFTP_STH + s->sdeb <= OUT_CAP);
}

static void check_agreed(const struct oftp_session *s)
{
    assert(s->level == OFTP_12 || s->level == OFTP_13 || s->level == OFTP_14 ||
           s->level == OFTP_20);
    assert(s->sdeb >= OFTP_SDEB_MIN && s->sdeb <= OFTP_OEB_MAX);
    assert(s->window >= 1 && s->credit <= s->window);
    assert(s->may_send || s->may_take);
    assert(s->have_ssid && !s->mute);
}

static void check_state(const struct oftp_session *s)
{
    switch (s->state) {
    case IDLE:
        assert(s->begin == s->end && s->deaf);
        break;
    case I_WF_RM:
        assert(s->cfg.initiator && s->begin == s->end && s->mute);
        break;
    case I_WF_SSID:
        assert(s->cfg.initiator && s->level == 0 && !s->mute);
        break;
    case A_NC_ONLY:
        assert(!s->cfg.initiator && s->level == 0 && !s->have_ssid);
        break;
    case A_WF_CONRS:
        assert(!s->cfg.initiator && s->level == 0 && s->have_ssid);
        break;
    case WF_SECD:
    case SECDP:
    case WF_AUCH:
    case AUCHP:
    case WF_AURP:
        assert(s->level == OFTP_20 && s->cfg.auth && s->ssid.auth);
        break;
    case OPOP:
        assert(s->may_send && (s->rest_agreed || s->file.rest == 0));
        break;
    case OPO:
        assert(s->may_send && s->credit > 0);
        break;
    case OPOWFC:
        assert(s->may_send && s->credit == 0 && !s->early_cdt);
        break;
    case CLOP:
        assert(s->may_send && s->credit == 0 && s->ended);
        break;
    case OPIP:
        assert(s->may_take && (s->rest_agreed || s->file.rest == 0));
        break;
    case OPI:
    case CLIP:
        assert(s->may_take);
        break;
    default:
        break;
    }
}

void oftp_session_check(const struct oftp_session *s)
{
    assert(s->state < STATES);
    check_output(s);
    check_state(s);
    if (s->state >= IDLESP && s->state < WF_NDISC)
        check_agreed(s);
    assert(!s->efid_waits || (s->state == OPOWFC && s->ended && s->efid_n > 0));
    assert(!s->early_cdt || s->state == OPO);
    assert((s->rest.n == 0 && !s->announce) || (s->state == OPI && s->held > 0));
    assert(!s->announce || s->credit == 0);
    assert(!s->started_due || s->state == IDLELI);
}
