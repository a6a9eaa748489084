/* One engine against octets. */
#include "support.h"

struct oftp_config config_of(bool initiator)
{
    struct oftp_config c = {
        .initiator = initiator,
        .level_max = OFTP_20,
        .level_min = OFTP_12,
        .sdeb = initiator ? 4096 : 2048,
        .cred = initiator ? 32 : 8,
        .sr = 'B',
        .cmpr = true,
        .rest = true,
        .start_ms = 60000,
        .inactivity_ms = 180000,
        .end_file_ms = 360000,
        .disconnect_ms = 20000,
    };

    strcpy(c.code, initiator ? CODE_I : CODE_R);
    strcpy(c.pswd, initiator ? "ALPHAPW1" : "BETAPW");
    strcpy(c.peer_code, initiator ? CODE_R : CODE_I);
    strcpy(c.peer_pswd, initiator ? "BETAPW" : "ALPHAPW1");
    return c;
}

/* ---- one engine against octets ---- */

void one_open(struct one *o, const struct oftp_config *cfg)
{
    o->s = oftp_session_new();
    assert_non_null(o->s);
    o->now = 1000;
    o->n = 0;
    oftp_session_open(o->s, cfg, o->now);
}

void one_done(struct one *o)
{
    oftp_session_free(o->s);
    o->s = NULL;
}

void one_give(struct one *o, const void *p, size_t n)
{
    struct span in = span_of(p, n);

    oftp_session_input(o->s, &in, o->now, &o->ev);
    if (o->ev.kind == OFTP_NONE || o->ev.kind == OFTP_ABORTED)
        return;
    /* One octet is held back while the buffer has more to tell. */
    while (in.n > 0 && o->ev.kind == OFTP_DATA) {
        struct oftp_event ev;

        oftp_session_input(o->s, &in, o->now, &ev);
        if (ev.kind != OFTP_NONE)
            o->ev = ev;
    }
    assert_int_equal(in.n, 0);
}

void one_oeb(struct one *o, const void *p, size_t n)
{
    static uint8_t stb[OFTP_STH + 200000];
    size_t len = n + OFTP_STH;

    stb[0] = 0x10;
    stb[1] = (uint8_t)(len >> 16);
    stb[2] = (uint8_t)(len >> 8);
    stb[3] = (uint8_t)len;
    memcpy(stb + OFTP_STH, p, n);
    one_give(o, stb, len);
}

void one_text(struct one *o, const char *text)
{
    one_oeb(o, text, strlen(text));
}

const char *one_sent(struct one *o)
{
    static char text[4096];
    struct span out = oftp_session_output(o->s);
    size_t n = 0;

    assert_true(out.n <= sizeof(o->octets));
    memcpy(o->octets, out.p, out.n);
    o->n = out.n;
    oftp_session_sent(o->s, out.n, o->now);
    for (size_t at = 0; at < o->n;) {
        size_t len = (size_t)o->octets[at + 1] << 16 | (size_t)o->octets[at + 2] << 8 |
                     o->octets[at + 3];

        assert_int_equal(o->octets[at], 0x10);
        assert_true(len > OFTP_STH && at + len <= o->n);
        text[n++] = (char)o->octets[at + OFTP_STH];
        at += len;
    }
    text[n] = '\0';
    return text;
}

int esid_reason(const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + OFTP_STH < n;) {
        size_t len = (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];

        if (at + len == n && p[at + OFTP_STH] == 'F')
            return (p[at + 5] - '0') * 10 + p[at + 6] - '0';
        at += len;
    }
    return -1;
}

void one_aborted(struct one *o, int reason)
{
    assert_int_equal(o->ev.kind, OFTP_ABORTED);
    assert_true(o->ev.local);
    assert_int_equal(o->ev.reason, reason);
    assert_true(oftp_session_ending(o->s));
    one_sends(o, "F");
    assert_int_equal(esid_reason(o->octets, o->n), reason);
    one_text(o, "R");
    assert_int_equal(o->ev.kind, OFTP_NONE);
    one_sends(o, "");
}

void one_ssid(struct one *o, const struct oftp_config *peer, int level)
{
    uint8_t oeb[100];
    struct writer w = writer_of(oeb, sizeof(oeb));
    struct oftp_ssid c = {
        .lev = (uint8_t)level,
        .sdeb = peer->sdeb,
        .sr = peer->sr,
        .cmpr = peer->cmpr,
        .rest = peer->rest,
        .cred = peer->cred,
        .auth = peer->auth && level == OFTP_20,
    };

    strcpy(c.code, peer->code);
    strcpy(c.pswd, peer->pswd);
    /* Levels that no writer knows are patched in. */
    c.lev = OFTP_20;
    MUST(oftp_write_ssid(&w, &c, &o->err));
    oeb[1] = (uint8_t)('0' + level);
    if (level < OFTP_20)
        oeb[47] = ' ';
    one_oeb(o, oeb, w.n);
}

void one_idlesp(struct one *o, const struct oftp_config *cfg)
{
    struct oftp_config peer = config_of(false);

    if (peer.cred > cfg->cred)
        peer.cred = cfg->cred;
    one_open(o, cfg);
    one_oeb(o, "IODETTE FTP READY \r", 19);
    one_sends(o, "X");
    one_ssid(o, &peer, cfg->level_max);
    assert_int_equal(o->ev.kind, OFTP_STARTED);
    one_in(o, "IDLESP");
}

void one_idleli(struct one *o, const struct oftp_config *cfg)
{
    struct oftp_config peer = config_of(true);

    one_open(o, cfg);
    one_ssid(o, &peer, OFTP_20);
    assert_int_equal(o->ev.kind, OFTP_SSID);
    MUST(oftp_session_accept(o->s, cfg, &o->ev, &o->err));
    assert_int_equal(o->ev.kind, OFTP_STARTED);
    one_sends(o, "IX");
    one_in(o, "IDLELI");
}

void one_opo(struct one *o, const struct oftp_config *cfg, const struct oftp_sfid *f)
{
    one_idlesp(o, cfg);
    MUST(oftp_session_offer_file(o->s, f, &o->err));
    one_sends(o, "H");
    one_sfpa(o, 0);
    assert_int_equal(o->ev.kind, OFTP_FILE_ACCEPTED);
    one_in(o, "OPO");
}

void one_opi(struct one *o, const struct oftp_config *cfg, const struct oftp_sfid *f)
{
    one_idleli(o, cfg);
    one_sfid(o, f);
    assert_int_equal(o->ev.kind, OFTP_FILE_OFFERED);
    MUST(oftp_session_take_file(o->s, 0, 0, 0, &o->err));
    one_sends(o, "2");
    one_in(o, "OPI");
}

static int level_of(const struct one *o)
{
    int level = oftp_session_level(o->s);

    return level == 0 ? OFTP_20 : level;
}

void one_sfid(struct one *o, const struct oftp_sfid *f)
{
    uint8_t oeb[1300];
    struct writer w = writer_of(oeb, sizeof(oeb));

    MUST(oftp_write_sfid(&w, level_of(o), f, &o->err));
    one_oeb(o, oeb, w.n);
}

void one_sfpa(struct one *o, uint64_t position)
{
    uint8_t oeb[32];
    struct writer w = writer_of(oeb, sizeof(oeb));

    MUST(oftp_write_sfpa(&w, level_of(o), position, &o->err));
    one_oeb(o, oeb, w.n);
}

void one_efid(struct one *o, uint64_t records, uint64_t octets)
{
    uint8_t oeb[64];
    struct writer w = writer_of(oeb, sizeof(oeb));

    MUST(oftp_write_efid(&w, level_of(o), &(struct oftp_efid) { records, octets }, &o->err));
    one_oeb(o, oeb, w.n);
}

void one_data(struct one *o, const char *octets)
{
    uint8_t oeb[70] = { 'D', (uint8_t)(0x80 | strlen(octets)) };

    memcpy(oeb + 2, octets, strlen(octets));
    one_oeb(o, oeb, 2 + strlen(octets));
}

void one_eerp(struct one *o)
{
    uint8_t oeb[256];
    struct writer w = writer_of(oeb, sizeof(oeb));
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);

    MUST(oftp_write_eerp(&w, level_of(o), &r, &o->err));
    one_oeb(o, oeb, w.n);
}

static void at_start(struct one *o, const char *state)
{
    struct oftp_config i = config_of(true), r = config_of(false);
    static const uint8_t challenge[OFTP_CHALLENGE_SIZE] = { 1, 2, 3 };

    i.auth = r.auth = strncmp(state, "WF_A", 4) == 0 || strstr(state, "SECD") != NULL ||
                      strcmp(state, "AUCHP") == 0;
    if (state[0] == 'I' || strstr(state, "AUCH") != NULL) {
        one_open(o, &i);
        if (strcmp(state, "I_WF_RM") == 0)
            return;
        one_oeb(o, "IODETTE FTP READY \r", 19);
        if (i.auth)
            one_ssid(o, &r, OFTP_20);
        if (strcmp(state, "AUCHP") == 0)
            one_command(o, 'A');
        return;
    }
    one_open(o, &r);
    if (strcmp(state, "A_NC_ONLY") == 0)
        return;
    one_ssid(o, &i, OFTP_20);
    if (!i.auth)
        return;
    MUST(oftp_session_accept(o->s, &r, &o->ev, &o->err));
    if (strcmp(state, "WF_SECD") == 0)
        return;
    one_command(o, 'J');
    if (strcmp(state, "WF_AURP") == 0)
        MUST(oftp_session_challenge(o->s, challenge, span_of("0123", 4), &o->err));
}

static void at_speaker(struct one *o, const char *state)
{
    struct oftp_config cfg = config_of(true);
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);
    struct span in = span_of("x", 1);
    bool whole;

    cfg.cred = strcmp(state, "OPO") == 0 ? 8 : 1;
    one_idlesp(o, &cfg);
    if (strcmp(state, "WF_RTR") == 0)
        MUST(oftp_session_respond_file(o->s, &r, &o->err));
    if (strcmp(state, "IDLELICD") == 0)
        MUST(oftp_session_pass_turn(o->s, &o->err));
    if (strncmp(state, "OPO", 3) != 0 && strcmp(state, "CLOP") != 0)
        return;
    MUST(oftp_session_offer_file(o->s, &f, &o->err));
    if (strcmp(state, "OPOP") == 0)
        return;
    one_sfpa(o, 0);
    if (strcmp(state, "OPO") == 0)
        return;
    MUST(oftp_session_data(o->s, &in, true, &whole, &o->err));
    MUST(oftp_session_file_end(o->s, &(struct oftp_efid) { 0, 1 }, &o->err));
    if (strcmp(state, "CLOP") == 0)
        one_command(o, 'C');
}

static void at_listener(struct one *o, const char *state)
{
    struct oftp_config cfg = config_of(false);

    one_idleli(o, &cfg);
    if (strcmp(state, "IDLESPCD") == 0)
        one_command(o, 'R');
    if (strcmp(state, "RTRP") == 0)
        one_command(o, 'E');
    if (strncmp(state, "OPI", 3) != 0 && strcmp(state, "CLIP") != 0 &&
        strcmp(state, "WF_CD") != 0)
        return;
    one_command(o, 'H');
    if (strcmp(state, "OPIP") == 0)
        return;
    MUST(oftp_session_take_file(o->s, 0, 0, 0, &o->err));
    if (strcmp(state, "OPI") == 0)
        return;
    one_command(o, 'T');
    if (strcmp(state, "WF_CD") == 0)
        MUST(oftp_session_end_taken(o->s, true, &o->err));
}

void one_at(struct one *o, const char *state)
{
    static const char *const speaker[] = { "IDLESP", "WF_RTR", "OPOP",    "OPO",
                                           "OPOWFC", "CLOP",   "IDLELICD" };
    static const char *const listener[] = { "IDLELI", "IDLESPCD", "OPIP",  "OPI",
                                            "CLIP",   "RTRP",     "WF_CD", "WF_NDISC" };
    bool done = false;

    for (size_t k = 0; k < COUNT_OF(speaker) && !done; k++)
        if ((done = strcmp(state, speaker[k]) == 0))
            at_speaker(o, state);
    for (size_t k = 0; k < COUNT_OF(listener) && !done; k++)
        if ((done = strcmp(state, listener[k]) == 0))
            at_listener(o, state);
    if (!done)
        at_start(o, state);
    if (strcmp(state, "WF_NDISC") == 0)
        oftp_session_abort(o->s, ESID_SHUTDOWN, NULL);
    (void)one_sent(o);
    one_in(o, state);
}

void one_command(struct one *o, char command)
{
    bool initiator = strcmp(oftp_session_state(o->s), "I_WF_SSID") == 0;
    struct oftp_config peer = config_of(!initiator);
    struct oftp_sfid f = sfid_of('U', 0);
    struct oftp_response r = eerp_of(&f);
    uint8_t oeb[1300];
    struct writer w = writer_of(oeb, sizeof(oeb));
    int level = level_of(o);

    switch (command) {
    case 'I':
        MUST(oftp_write_ssrm(&w, &o->err));
        break;
    case 'X':
        one_ssid(o, &peer, OFTP_20);
        return;
    case 'A':
        MUST(oftp_write_auch(&w, span_of("01234567890123456789", 20), &o->err));
        break;
    case 'S':
        MUST(oftp_write_aurp(&w, (const uint8_t *)"\1\2\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                             &o->err));
        break;
    case 'H':
        one_sfid(o, &f);
        return;
    case '2':
        one_sfpa(o, 0);
        return;
    case '3':
        MUST(oftp_write_sfna(
            &w, level, &(struct oftp_sfna) { .reas = 13, .reast = "Duplicate" }, &o->err));
        break;
    case 'D':
        one_data(o, "x");
        return;
    case 'T':
        one_efid(o, 0, 0);
        return;
    case '4':
    case 'Y':
        MUST(oftp_write_efpa(&w, command == 'Y', &o->err));
        break;
    case '5':
        MUST(oftp_write_efna(&w, level, &(struct oftp_efna) { .reas = 11 }, &o->err));
        break;
    case 'E':
        one_eerp(o);
        return;
    case 'N':
        r.negative = true;
        strcpy(r.crea, CODE_R);
        r.reas = NERP_PROCESSING;
        MUST(oftp_write_nerp(&w, level, &r, &o->err));
        break;
    case 'F':
    case 'G':
        MUST(oftp_write_esid(&w, level,
                             &(struct oftp_esid_command) { .reas = command == 'F' ? 0 : 99 },
                             &o->err));
        break;
    default:
        MUST(oftp_write_bare(&w, command, &o->err));
    }
    one_oeb(o, oeb, w.n);
}

void one_check_table(const char *const *states, size_t states_n, const char *const *cells,
                     size_t rows)
{
    static struct one o;

    for (size_t row = 0; row < rows; row++) {
        const char *const *r = cells + row * (states_n + 1);

        for (size_t k = 0; k < states_n; k++) {
            const char *want = r[k + 1];

            one_at(&o, states[k]);
            one_command(&o, r[0][0]);
            if (strcmp(want, ".") == 0) {
                one_aborted(&o, ESID_VIOLATION);
            } else {
                if (strcmp(want, oftp_session_state(o.s)) != 0)
                    fail_msg("%s in %s: %s, not %s", r[0], states[k], oftp_session_state(o.s),
                             want);
            }
            one_done(&o);
        }
    }
}

struct oftp_sfid sfid_of(char fmt, uint32_t lrecl)
{
    struct oftp_sfid f = { .fmt = fmt, .lrecl = lrecl, .fsiz = 5, .osiz = 5 };

    strcpy(f.dsn, "INVOIC-4711.EDI");
    strcpy(f.date, "20260131");
    strcpy(f.time, "1015300001");
    strcpy(f.dest, CODE_R);
    strcpy(f.orig, CODE_I);
    return f;
}

struct oftp_response eerp_of(const struct oftp_sfid *f)
{
    struct oftp_response r = { .negative = false };

    strcpy(r.dsn, f->dsn);
    strcpy(r.date, f->date);
    strcpy(r.time, f->time);
    strcpy(r.user, f->user);
    strcpy(r.dest, f->orig);
    strcpy(r.orig, f->dest);
    return r;
}
