/* Plays a scripted session against one engine, on a counter for a clock: replay SCRIPT...
 * Each script is played with its octets cut in several ways; all must come out the same.
 *
 *   open responder|initiator [level=N level_min=N sdeb=N cred=N sr=X cmpr rest auth plus_one]
 *   clock +MS             the clock moves; what expires is an event
 *   > "TEXT"              an exchange buffer comes; \r \n \\ \" \xHH, and *N repeats the last octet
 *   >> HEX ...            octets come as they are
 *   ! EVENT               this is the next event; its line begins so
 *   < "TEXT" [...]        this is the next buffer sent, whole, or its beginning with ...
 *   state NAME            after all that came was taken
 *   deadline MS|never
 *   over | ending | turn
 *   do REQUEST [ARGUMENTS]
 *   fail REQUEST ...      the same, and it must be refused
 *   # remark */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "oftp/oftp.h"

struct play {
    const char *file;
    int line;
    size_t chunk;
    struct oftp_session *s;
    struct oftp_config cfg;
    uint64_t now;
    uint8_t in[1 << 18];
    size_t at, n; /* what came and is not taken yet */
    struct oftp_event ev;
    bool have_event;
    struct err err;
};

static _Noreturn void wrong(const struct play *p, const char *what, const char *got)
{
    fprintf(stderr, "%s:%d: (cut at %zu) %s%s%s\n", p->file, p->line, p->chunk, what,
            got != NULL ? ": " : "", got != NULL ? got : "");
    exit(1);
}

static unsigned hex(const char *p)
{
    char two[3] = { p[0], p[1], '\0' };

    return (unsigned)strtoul(two, NULL, 16);
}

/* Reads "TEXT" at *p into to[cap]. */
static size_t take_text(const struct play *pl, const char **p, uint8_t *to, size_t cap)
{
    const char *c = *p;
    size_t n = 0;

    if (*c++ != '"')
        wrong(pl, "a text in quotes is missing", NULL);
    for (; *c != '"' && *c != '\0' && n < cap; c++) {
        if (*c != '\\') {
            to[n++] = (uint8_t)*c;
        } else if (*++c == 'x') {
            to[n++] = (uint8_t)hex(c + 1);
            c += 2;
        } else if (*c == '*') {
            char *end;
            size_t times = strtoul(c + 1, &end, 10);

            for (; times > 1 && n < cap; times--, n++)
                to[n] = to[n - 1];
            c = end - (*end == '.' ? 0 : 1);
        } else {
            to[n++] = (uint8_t)(*c == 'r' ? '\r' : *c == 'n' ? '\n' : *c);
        }
    }
    if (*c != '"')
        wrong(pl, "the text does not end", NULL);
    *p = c + 1;
    return n;
}

static void escape(char *to, size_t cap, struct span s)
{
    size_t n = 0;

    for (size_t k = 0; k < s.n && n + 5 < cap; k++) {
        if (s.p[k] == '\r' || s.p[k] == '\n')
            n += (size_t)sprintf(to + n, "\\%c", s.p[k] == '\r' ? 'r' : 'n');
        else if (isprint(s.p[k]))
            to[n++] = (char)s.p[k];
        else
            n += (size_t)sprintf(to + n, "\\x%02x", s.p[k]);
    }
    to[n] = '\0';
}

/* ---- events ------------------------------------------------------------------------- */

static const char *const kinds[] = {
    [OFTP_NONE] = "NONE",
    [OFTP_SSID] = "SSID",
    [OFTP_CHALLENGE_DUE] = "CHALLENGE_DUE",
    [OFTP_CHALLENGE] = "CHALLENGE",
    [OFTP_STARTED] = "STARTED",
    [OFTP_FILE_OFFERED] = "FILE_OFFERED",
    [OFTP_DATA] = "DATA",
    [OFTP_CREDIT_DUE] = "CREDIT_DUE",
    [OFTP_FILE_ENDED] = "FILE_ENDED",
    [OFTP_RESPONSE] = "RESPONSE",
    [OFTP_FILE_ACCEPTED] = "FILE_ACCEPTED",
    [OFTP_FILE_REFUSED] = "FILE_REFUSED",
    [OFTP_FILE_TAKEN] = "FILE_TAKEN",
    [OFTP_FILE_FAILED] = "FILE_FAILED",
    [OFTP_RESPONSE_TAKEN] = "RESPONSE_TAKEN",
    [OFTP_ENDED] = "ENDED",
    [OFTP_ABORTED] = "ABORTED",
};

static void name_event(const struct oftp_event *ev, char *to, size_t cap)
{
    size_t n = (size_t)snprintf(to, cap, "%s", kinds[ev->kind]);

    switch (ev->kind) {
    case OFTP_SSID:
    case OFTP_STARTED:
        snprintf(to + n, cap - n, " lev=%d code=%s pswd=%s", ev->ssid->lev, ev->ssid->code,
                 ev->ssid->pswd);
        break;
    case OFTP_FILE_OFFERED:
        snprintf(to + n, cap - n, " dsn=%s date=%s time=%s fmt=%c rest=%llu", ev->sfid->dsn,
                 ev->sfid->date, ev->sfid->time, ev->sfid->fmt,
                 (unsigned long long)ev->sfid->rest);
        break;
    case OFTP_DATA:
        if (ev->octets.n > 200) {
            snprintf(to + n, cap - n, " %zu octets", ev->octets.n);
        } else {
            to[n++] = ' ';
            escape(to + n, cap - n, ev->octets);
        }
        break;
    case OFTP_FILE_ENDED:
        snprintf(to + n, cap - n, " rcnt=%llu ucnt=%llu reason=%d",
                 (unsigned long long)ev->efid->rcnt, (unsigned long long)ev->efid->ucnt,
                 ev->reason);
        break;
    case OFTP_RESPONSE:
        snprintf(to + n, cap - n, " %s dsn=%s reas=%d",
                 ev->response->negative ? "NERP" : "EERP", ev->response->dsn,
                 ev->response->reas);
        break;
    case OFTP_FILE_ACCEPTED:
        snprintf(to + n, cap - n, " position=%llu", (unsigned long long)ev->position);
        break;
    case OFTP_FILE_REFUSED:
        snprintf(to + n, cap - n, " reason=%d retry=%d text=%s", ev->reason, ev->retry,
                 ev->text);
        break;
    case OFTP_FILE_FAILED:
        snprintf(to + n, cap - n, " reason=%d text=%s", ev->reason, ev->text);
        break;
    case OFTP_ABORTED:
        snprintf(to + n, cap - n, " reason=%d local=%d text=%s", ev->reason, ev->local,
                 ev->text);
        break;
    default:
        break;
    }
}

/* Lets the engine take what came, up to an event. True when there is one. */
static bool pull(struct play *p)
{
    while (!p->have_event && p->at < p->n) {
        size_t left = p->n - p->at, cut = p->chunk > 0 && left > p->chunk ? p->chunk : left;
        struct span in = span_of(p->in + p->at, cut);

        oftp_session_input(p->s, &in, p->now, &p->ev);
        p->at += cut - in.n;
        p->have_event = p->ev.kind != OFTP_NONE;
    }
    if (!p->have_event) { /* an event may wait though no octet does */
        struct span none = { NULL, 0 };

        oftp_session_input(p->s, &none, p->now, &p->ev);
        p->have_event = p->ev.kind != OFTP_NONE;
    }
    return p->have_event;
}

static void settle(struct play *p)
{
    char got[4096];

    if (!pull(p))
        return;
    name_event(&p->ev, got, sizeof(got));
    wrong(p, "an event that nobody expected", got);
}

static void expect_event(struct play *p, const char *want)
{
    char got[4096];

    if (!pull(p))
        wrong(p, "no event came", oftp_session_state(p->s));
    p->have_event = false;
    name_event(&p->ev, got, sizeof(got));
    if (strncmp(got, want, strlen(want)) != 0)
        wrong(p, "another event", got);
}

/* ---- lines -------------------------------------------------------------------------- */

static void come(struct play *p, const uint8_t *octets, size_t n)
{
    settle(p);
    p->at = p->n = 0;
    memcpy(p->in, octets, n);
    p->n = n;
}

static void come_text(struct play *p, const char *text)
{
    static uint8_t stb[1 << 17];
    size_t n = take_text(p, &text, stb + OFTP_STH, sizeof(stb) - OFTP_STH) + OFTP_STH;

    stb[0] = 0x10;
    stb[1] = (uint8_t)(n >> 16);
    stb[2] = (uint8_t)(n >> 8);
    stb[3] = (uint8_t)n;
    come(p, stb, n);
}

static void come_hex(struct play *p, const char *text)
{
    uint8_t octets[4096];
    size_t n = 0;

    for (; *text != '\0' && n < sizeof(octets); text++)
        if (isxdigit((unsigned char)*text)) {
            octets[n++] = (uint8_t)hex(text);
            text++;
        }
    come(p, octets, n);
}

static void expect_output(struct play *p, const char *text)
{
    static uint8_t want[1 << 17];
    char got[4096];
    size_t n, len;
    struct span out;

    settle(p);
    n = take_text(p, &text, want, sizeof(want));
    out = oftp_session_output(p->s);
    if (out.n < OFTP_STH)
        wrong(p, "nothing is sent in state", oftp_session_state(p->s));
    len = ((size_t)out.p[1] << 16 | (size_t)out.p[2] << 8 | out.p[3]) - OFTP_STH;
    escape(got, sizeof(got), span_of(out.p + OFTP_STH, len));
    if (strstr(text, "...") == NULL ? len != n : len < n)
        wrong(p, "sent in another length", got);
    if (out.p[0] != 0x10 || memcmp(out.p + OFTP_STH, want, n) != 0)
        wrong(p, "sent", got);
    oftp_session_sent(p->s, OFTP_STH + len, p->now);
}

static const char *option(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at == NULL ? NULL : at + strlen(name);
}

static void open_session(struct play *p, const char *line)
{
    struct oftp_config *c = &p->cfg;
    const char *v;

    *c = (struct oftp_config) {
        .initiator = strncmp(line, "initiator", 9) == 0,
        .level_max = OFTP_20,
        .level_min = OFTP_12,
        .sdeb = 2048,
        .cred = 8,
        .sr = 'B',
        .start_ms = 60000,
        .inactivity_ms = 180000,
        .end_file_ms = 360000,
        .disconnect_ms = 20000,
    };
    strcpy(c->code, c->initiator ? "O0013000000ALPHA" : "O0013000000BETA");
    strcpy(c->pswd, c->initiator ? "ALPHAPW1" : "BETAPW");
    strcpy(c->peer_code, c->initiator ? "O0013000000BETA" : "O0013000000ALPHA");
    strcpy(c->peer_pswd, c->initiator ? "BETAPW" : "ALPHAPW1");
    if ((v = option(line, "level=")) != NULL)
        c->level_max = atoi(v);
    if ((v = option(line, "level_min=")) != NULL)
        c->level_min = atoi(v);
    if ((v = option(line, "sdeb=")) != NULL)
        c->sdeb = (uint32_t)atoi(v);
    if ((v = option(line, "cred=")) != NULL)
        c->cred = (uint16_t)atoi(v);
    if ((v = option(line, "sr=")) != NULL)
        c->sr = *v;
    c->cmpr = option(line, " cmpr") != NULL;
    c->rest = option(line, " rest") != NULL;
    c->auth = option(line, " auth") != NULL;
    c->tolerate_sdeb_plus_one = option(line, " plus_one") != NULL;
    oftp_session_open(p->s, c, p->now);
}

static struct oftp_sfid file_of(const char *args)
{
    struct oftp_sfid f = { .fmt = 'U', .fsiz = 1, .osiz = 1 };

    strcpy(f.dsn, "HELLO");
    strcpy(f.date, "20260131");
    strcpy(f.time, "1015300001");
    strcpy(f.orig, "O0013000000ALPHA");
    strcpy(f.dest, "O0013000000BETA");
    if (strstr(args, "rest=") != NULL)
        f.rest = strtoull(strstr(args, "rest=") + 5, NULL, 10);
    return f;
}

static struct oftp_response response_of(void)
{
    struct oftp_response r = { .negative = false };

    strcpy(r.dsn, "HELLO");
    strcpy(r.date, "20260131");
    strcpy(r.time, "1015300001");
    strcpy(r.dest, "O0013000000ALPHA");
    strcpy(r.orig, "O0013000000BETA");
    return r;
}

static bool data(struct play *p, const char *args)
{
    static uint8_t octets[1 << 17];
    struct span in = { octets, 0 };
    bool whole, end = strncmp(args, "end ", 4) == 0;

    args += end ? 4 : 0;
    in.n = take_text(p, &args, octets, sizeof(octets));
    return oftp_session_data(p->s, &in, end, &whole, &p->err);
}

static bool request(struct play *p, const char *name, const char *args)
{
    static const uint8_t challenge[OFTP_CHALLENGE_SIZE] = "challenge of twenty";
    unsigned long long a = 0, b = 0, c = 0;
    struct oftp_sfid f = file_of(args);
    struct oftp_response r = response_of();
    struct err *err = &p->err;

    (void)sscanf(args, "%llu %llu %llu", &a, &b, &c);
    if (strcmp(name, "accept") == 0) {
        bool ok = oftp_session_accept(p->s, &p->cfg, &p->ev, err);

        p->have_event = ok && p->ev.kind != OFTP_NONE;
        return ok;
    }
    if (strcmp(name, "challenge") == 0)
        return oftp_session_challenge(p->s, challenge, span_of("sealed", 6), err);
    if (strcmp(name, "respond") == 0)
        return oftp_session_respond(p->s, challenge, err);
    if (strcmp(name, "offer") == 0)
        return oftp_session_offer_file(p->s, &f, err);
    if (strcmp(name, "eerp") == 0)
        return oftp_session_respond_file(p->s, &r, err);
    if (strcmp(name, "pass") == 0)
        return oftp_session_pass_turn(p->s, err);
    if (strcmp(name, "data") == 0)
        return data(p, args);
    if (strcmp(name, "file_end") == 0)
        return oftp_session_file_end(p->s, &(struct oftp_efid) { a, b }, err);
    if (strcmp(name, "take") == 0)
        return oftp_session_take_file(p->s, a, b, c, err);
    if (strcmp(name, "refuse") == 0)
        return oftp_session_refuse_file(p->s, (int)a, b != 0, "", err);
    if (strcmp(name, "grant") == 0)
        return oftp_session_grant(p->s, err);
    if (strcmp(name, "end_taken") == 0)
        return oftp_session_end_taken(p->s, a != 0, err);
    if (strcmp(name, "end_refused") == 0)
        return oftp_session_end_refused(p->s, (int)a, "", err);
    if (strcmp(name, "ready") == 0)
        return oftp_session_ready(p->s, err);
    if (strcmp(name, "abort") != 0)
        wrong(p, "no such request", name);
    oftp_session_abort(p->s, (int)a, "stopped");
    return true;
}

static void move_clock(struct play *p, const char *by)
{
    settle(p);
    p->now += strtoull(by, NULL, 10);
    if (p->now >= oftp_session_deadline(p->s)) {
        oftp_session_expire(p->s, p->now, &p->ev);
        p->have_event = p->ev.kind != OFTP_NONE;
    }
}

static void check_deadline(struct play *p, const char *want)
{
    uint64_t got = oftp_session_deadline(p->s);
    char text[32];

    settle(p);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)got);
    if (strcmp(want, "never") == 0 ? got != UINT64_MAX : strcmp(text, want) != 0)
        wrong(p, "another deadline", text);
}

static void ask(struct play *p, const char *name)
{
    bool yes;

    settle(p);
    if (strcmp(name, "over") == 0)
        yes = oftp_session_over(p->s);
    else if (strcmp(name, "ending") == 0)
        yes = oftp_session_ending(p->s);
    else if (strcmp(name, "turn") == 0)
        yes = oftp_session_turn(p->s);
    else
        wrong(p, "no such line", name);
    if (!yes)
        wrong(p, "not so", name);
}

static void play_line(struct play *p, const char *line)
{
    char word[32] = "", name[32] = "";
    int skip = 0, more = 0;
    const char *rest;

    (void)sscanf(line, " %31s %n", word, &skip);
    rest = line + skip;
    if (word[0] == '\0' || word[0] == '#')
        return;
    (void)sscanf(rest, "%31s %n", name, &more);
    if (strcmp(word, "open") == 0)
        open_session(p, rest);
    else if (strcmp(word, "clock") == 0)
        move_clock(p, rest + 1);
    else if (strcmp(word, ">") == 0)
        come_text(p, rest);
    else if (strcmp(word, ">>") == 0)
        come_hex(p, rest);
    else if (strcmp(word, "!") == 0)
        expect_event(p, rest);
    else if (strcmp(word, "<") == 0)
        expect_output(p, rest);
    else if (strcmp(word, "deadline") == 0)
        check_deadline(p, name);
    else if (strcmp(word, "do") == 0) {
        if (!request(p, name, rest + more))
            wrong(p, "refused", p->err.text);
    } else if (strcmp(word, "fail") == 0) {
        if (request(p, name, rest + more))
            wrong(p, "not refused", name);
    } else if (strcmp(word, "state") == 0) {
        settle(p);
        if (strcmp(oftp_session_state(p->s), name) != 0)
            wrong(p, "another state", oftp_session_state(p->s));
    } else
        ask(p, word);
}

static void play(struct play *p, FILE *f)
{
    char line[8192];

    p->line = 0;
    p->now = 0;
    p->at = p->n = 0;
    p->have_event = false;
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        p->line++;
        line[strcspn(line, "\n")] = '\0';
        play_line(p, line);
    }
    settle(p);
    if (oftp_session_output(p->s).n > 0)
        wrong(p, "something is still to be sent", NULL);
}

int main(int argc, char **argv)
{
    static const size_t chunks[] = { 0, 1, 2, 3, 4, 5, 7, 64, 1000 };
    static struct play p;

    for (int k = 1; k < argc; k++) {
        FILE *f = fopen(argv[k], "r");

        p.file = argv[k];
        if (f == NULL)
            wrong(&p, "cannot be read", NULL);
        for (size_t c = 0; c < COUNT_OF(chunks); c++) {
            p.chunk = chunks[c];
            p.s = oftp_session_new();
            if (p.s == NULL)
                wrong(&p, "out of memory", NULL);
            play(&p, f);
            oftp_session_free(p.s);
        }
        fclose(f);
    }
    return 0;
}
