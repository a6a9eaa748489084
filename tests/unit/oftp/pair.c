/* Two engines joined by arrays, with applications that answer everything. */
#include "support.h"

void pair_new(struct pair *p)
{
    memset(p, 0, sizeof(*p));
    p->i.cfg = config_of(true);
    p->r.cfg = config_of(false);
    p->i.s = oftp_session_new();
    p->r.s = oftp_session_new();
    assert_non_null(p->i.s);
    assert_non_null(p->r.s);
}

void pair_free(struct pair *p)
{
    oftp_session_free(p->i.s);
    oftp_session_free(p->r.s);
    free(p->i.got);
    free(p->r.got);
}

void pair_open(struct pair *p)
{
    p->log[0] = '\0';
    p->i.partial_n = p->r.partial_n = 0;
    oftp_session_open(p->r.s, &p->r.cfg, p->now);
    oftp_session_open(p->i.s, &p->i.cfg, p->now);
}

static void keep(struct side *d, struct span octets)
{
    if (octets.n == 0)
        return;
    if (d->got_n + octets.n > d->got_cap) {
        d->got_cap = (d->got_n + octets.n) * 2;
        d->got = realloc(d->got, d->got_cap);
        assert_non_null(d->got);
    }
    memcpy(d->got + d->got_n, octets.p, octets.n);
    d->got_n += octets.n;
}

static void reason_of(struct side *d, const struct oftp_event *ev)
{
    d->reason = ev->reason;
    d->retry = ev->retry;
    (void)text_copy(d->text, sizeof(d->text), ev->text);
}

static uint64_t kept_octets(const struct side *d)
{
    if (!oftp_counts_records(d->offered.fmt, d->offered.env))
        return d->keep * OFTP_BLOCK;
    return d->got_n;
}

static void offered(struct pair *p, struct side *d)
{
    uint64_t at = d->keep < d->offered.rest ? d->keep : d->offered.rest;
    bool records = oftp_counts_records(d->offered.fmt, d->offered.env);

    if (d->refuse != 0) {
        MUST(oftp_session_refuse_file(d->s, d->refuse, true, "not now", &p->err));
        return;
    }
    d->got_n = at > 0 ? (size_t)kept_octets(d) : 0;
    if (!records || at == 0)
        d->got_ends_n = 0;
    MUST(oftp_session_take_file(d->s, at, d->got_n, records ? at : 0, &p->err));
}

static void crypt(uint8_t *to, const uint8_t *from)
{
    for (size_t k = 0; k < OFTP_CHALLENGE_SIZE; k++)
        to[k] = from[k] ^ 0x5a;
}

static void act(struct pair *p, struct side *d, const struct oftp_event *ev)
{
    uint8_t a[OFTP_CHALLENGE_SIZE], b[OFTP_CHALLENGE_SIZE];
    struct oftp_event next;

    switch (ev->kind) {
    case OFTP_SSID:
        if (d->reject != 0) {
            oftp_session_abort(d->s, d->reject, "not you");
            break;
        }
        MUST(oftp_session_accept(d->s, &d->cfg, &next, &p->err));
        act(p, d, &next);
        break;
    case OFTP_CHALLENGE_DUE:
        for (size_t k = 0; k < sizeof(a); k++)
            a[k] = (uint8_t)(d->cfg.initiator ? k : 100 + k);
        crypt(b, a);
        MUST(oftp_session_challenge(d->s, a, span_of(b, sizeof(b)), &p->err));
        break;
    case OFTP_CHALLENGE:
        assert_int_equal(ev->octets.n, sizeof(a));
        crypt(a, ev->octets.p);
        if (d->bad_challenge)
            a[7] ^= 1;
        MUST(oftp_session_respond(d->s, a, &p->err));
        break;
    case OFTP_STARTED:
        d->started = true;
        break;
    case OFTP_FILE_OFFERED:
        d->offered = *ev->sfid;
        offered(p, d);
        break;
    case OFTP_DATA:
        keep(d, ev->octets);
        for (size_t k = 0; k < ev->ends_n; k++)
            d->got_ends[d->got_ends_n++ % COUNT_OF(d->got_ends)] = ev->ends[k];
        break;
    case OFTP_CREDIT_DUE:
        if (!d->no_grant)
            MUST(oftp_session_grant(d->s, &p->err));
        break;
    case OFTP_FILE_ENDED:
        d->efid = *ev->efid;
        d->end_reason = ev->reason;
        d->files++;
        if (d->refuse_end != 0 || ev->reason != 0)
            MUST(oftp_session_end_refused(d->s, d->refuse_end != 0 ? d->refuse_end : ev->reason,
                                          "bad", &p->err));
        else
            MUST(oftp_session_end_taken(d->s, d->want_turn, &p->err));
        break;
    case OFTP_RESPONSE:
        d->responses++;
        MUST(oftp_session_ready(d->s, &p->err));
        break;
    case OFTP_FILE_ACCEPTED: {
        const struct job *j = &d->jobs[d->job];

        d->position = ev->position;
        d->ended = false;
        d->at = d->record = 0;
        if (!oftp_counts_records(j->sfid.fmt, j->sfid.env)) {
            d->at = (size_t)ev->position * OFTP_BLOCK;
        } else if (j->sfid.fmt == 'F') {
            d->at = (size_t)ev->position * j->sfid.lrecl;
        } else {
            for (; d->record < ev->position; d->record++)
                d->at += j->records[d->record];
        }
        break;
    }
    case OFTP_FILE_REFUSED:
        d->refused++;
        d->job++;
        reason_of(d, ev);
        break;
    case OFTP_FILE_TAKEN:
        d->taken++;
        d->job++;
        break;
    case OFTP_FILE_FAILED:
        d->failed++;
        d->job++;
        reason_of(d, ev);
        break;
    case OFTP_RESPONSE_TAKEN:
        d->acknowledged++;
        d->job++;
        break;
    case OFTP_ENDED:
        d->ended_well = true;
        break;
    case OFTP_ABORTED:
        d->aborted = true;
        d->local = ev->local;
        reason_of(d, ev);
        break;
    case OFTP_NONE:
        break;
    }
}

/* Gives what is next of the file that is open; true when anything changed. */
static bool feed(struct pair *p, struct side *d)
{
    const struct job *j = &d->jobs[d->job];
    bool v = j->sfid.fmt == 'V' && j->sfid.env == 0;
    struct oftp_efid efid = { 0, j->n };
    struct span in;
    bool whole, end;
    size_t had;

    if (d->ended)
        return false;
    if (v ? d->record == j->records_n : d->at > j->n || (j->sfid.fmt == 'F' && d->at == j->n)) {
        if (oftp_counts_records(j->sfid.fmt, j->sfid.env))
            efid.rcnt = v ? j->records_n : j->n / j->sfid.lrecl;
        MUST(oftp_session_file_end(d->s, &efid, &p->err));
        d->ended = true;
        return true;
    }
    if (!oftp_session_wants_data(d->s))
        return false;
    if (v) {
        size_t begin = 0;

        for (size_t k = 0; k < d->record; k++)
            begin += j->records[k];
        in = span_of(j->octets + d->at, begin + j->records[d->record] - d->at);
        end = true;
    } else {
        in = span_of(j->octets + d->at, j->n - d->at);
        end = true;
    }
    if (d->piece > 0 && in.n > d->piece) {
        in.n = d->piece;
        end = false;
    }
    had = in.n;
    MUST(oftp_session_data(d->s, &in, end, &whole, &p->err));
    d->at += had - in.n;
    if (whole && end) {
        if (v)
            d->record++;
        else
            d->at = j->sfid.fmt == 'F' && j->sfid.env == 0 ? j->n : j->n + 1;
    }
    return true; /* if nothing was taken a full buffer became ready to be sent */
}

static bool speak(struct pair *p, struct side *d)
{
    const char *state = oftp_session_state(d->s);

    if (strncmp(state, "OPO", 3) == 0 && strcmp(state, "OPOP") != 0)
        return feed(p, d);
    if (!oftp_session_turn(d->s))
        return false;
    if (d->job < d->jobs_n) {
        const struct job *j = &d->jobs[d->job];

        if (j->response != NULL)
            MUST(oftp_session_respond_file(d->s, j->response, &p->err));
        else
            MUST(oftp_session_offer_file(d->s, &j->sfid, &p->err));
        return true;
    }
    if (d->no_pass)
        return false;
    MUST(oftp_session_pass_turn(d->s, &p->err));
    return true;
}

/* Follows the stream headers of what is sent. */
static void observe(struct pair *p, struct side *d, struct span sent)
{
    for (size_t k = 0; k < sent.n; k++) {
        size_t len;

        d->partial[d->partial_n++] = sent.p[k];
        if (d->partial_n < OFTP_STH)
            continue;
        len = (size_t)d->partial[1] << 16 | (size_t)d->partial[2] << 8 | d->partial[3];
        assert_int_equal(d->partial[0], 0x10);
        assert_true(len > OFTP_STH && len <= sizeof(d->partial));
        if (d->partial_n < len)
            continue;
        if (d->partial[OFTP_STH] == 'D') {
            d->data_sent++;
            if (len - OFTP_STH > d->largest)
                d->largest = len - OFTP_STH;
        }
        if (strlen(p->log) + 5 < sizeof(p->log))
            sprintf(p->log + strlen(p->log), "%s%c:%c", p->log[0] == '\0' ? "" : " ",
                    d->cfg.initiator ? 'i' : 'r', d->partial[OFTP_STH]);
        d->partial_n = 0;
    }
}

static bool move(struct pair *p, struct side *from, struct side *to)
{
    struct span out = oftp_session_output(from->s), in;
    static uint8_t copy[1 << 20];
    size_t n = out.n;

    if (p->chunk > 0 && n > p->chunk)
        n = p->chunk;
    if (p->stop_after > 0 && p->moved + n > p->stop_after)
        n = p->stop_after - p->moved;
    if (n == 0)
        return false;
    memcpy(copy, out.p, n);
    oftp_session_sent(from->s, n, p->now);
    p->moved += n;
    observe(p, from, span_of(copy, n));
    in = span_of(copy, n);
    while (in.n > 0) {
        struct oftp_event ev;

        oftp_session_input(to->s, &in, p->now, &ev);
        act(p, to, &ev);
    }
    return true;
}

void pair_run(struct pair *p)
{
    for (;;) {
        bool any = move(p, &p->i, &p->r);

        any |= move(p, &p->r, &p->i);
        any |= speak(p, &p->i);
        any |= speak(p, &p->r);
        if (!any)
            break;
    }
}

const char *pair_log(struct pair *p)
{
    static char log[sizeof(p->log)];
    const char *last = "";
    size_t n = 0;

    for (const char *at = p->log; *at != '\0';) {
        size_t len = strcspn(at, " ");

        if (at[2] != 'D' || strncmp(at, last, 3) != 0) {
            if (n > 0)
                log[n++] = ' ';
            memcpy(log + n, at, len);
            n += len;
        }
        last = at;
        at += len + (at[len] == ' ' ? 1 : 0);
    }
    log[n] = '\0';
    return log;
}
