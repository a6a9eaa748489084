/* What our own application asks of a session: each request is one input of the tables. */
#include "oftp/session_int.h"

static bool request(struct oftp_session *s, const struct input *in, struct err *err)
{
    bool ok;

    oftp_session_event(s, OFTP_NONE);
    ok = oftp_session_act(s, in, err);
    oftp_session_check(s);
    return ok;
}

bool oftp_session_accept(struct oftp_session *s, const struct oftp_config *cfg,
                         struct oftp_event *ev, struct err *err)
{
    if (!request(s, &(struct input) { .kind = RQ_ACCEPT, .cfg = cfg }, err)) {
        if (err->kind != FAIL_PEER)
            return false;
        oftp_session_fault(s, err);
        oftp_session_check(s);
    }
    *ev = s->ev;
    return true;
}

bool oftp_session_challenge(struct oftp_session *s,
                            const uint8_t challenge[OFTP_CHALLENGE_SIZE], struct span encrypted,
                            struct err *err)
{
    return request(s,
                   &(struct input) {
                       .kind = RQ_CHALLENGE, .challenge = challenge, .encrypted = encrypted },
                   err);
}

bool oftp_session_respond(struct oftp_session *s, const uint8_t plain[OFTP_CHALLENGE_SIZE],
                          struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_RESPOND, .challenge = plain }, err);
}

bool oftp_session_offer_file(struct oftp_session *s, const struct oftp_sfid *sfid,
                             struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_OFFER, .sfid = sfid }, err);
}

bool oftp_session_respond_file(struct oftp_session *s, const struct oftp_response *r,
                               struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_RESPONSE, .response = r }, err);
}

bool oftp_session_pass_turn(struct oftp_session *s, struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_PASS }, err);
}

bool oftp_session_data(struct oftp_session *s, struct span *in, bool end, bool *whole,
                       struct err *err)
{
    return request(
        s, &(struct input) { .kind = RQ_DATA, .content = in, .flag = end, .whole = whole },
        err);
}

bool oftp_session_file_end(struct oftp_session *s, const struct oftp_efid *efid,
                           struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_FILE_END, .efid = efid }, err);
}

bool oftp_session_take_file(struct oftp_session *s, uint64_t position, uint64_t octets,
                            uint64_t records, struct err *err)
{
    return request(
        s,
        &(struct input) {
            .kind = RQ_TAKE, .position = position, .octets = octets, .records = records },
        err);
}

bool oftp_session_refuse_file(struct oftp_session *s, int reason, bool retry, const char *text,
                              struct err *err)
{
    return request(
        s, &(struct input) { .kind = RQ_REFUSE, .reason = reason, .flag = retry, .text = text },
        err);
}

bool oftp_session_grant(struct oftp_session *s, struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_GRANT }, err);
}

bool oftp_session_end_taken(struct oftp_session *s, bool want_turn, struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_END_TAKEN, .flag = want_turn }, err);
}

bool oftp_session_end_refused(struct oftp_session *s, int reason, const char *text,
                              struct err *err)
{
    return request(
        s, &(struct input) { .kind = RQ_END_REFUSED, .reason = reason, .text = text }, err);
}

bool oftp_session_ready(struct oftp_session *s, struct err *err)
{
    return request(s, &(struct input) { .kind = RQ_READY }, err);
}
