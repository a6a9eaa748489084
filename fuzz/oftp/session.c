/* Two engines joined by octets that the input cuts, mutates, drops and makes up, with
 * applications that act as the input says.
 *
 * What must hold: the engines' own checks; no DATA beyond credit or size; and while no octet was
 * touched: no engine ever accuses the other, a file taken is the file sent, and once the input is
 * used up the session comes to its end. */
#include <stdio.h>
#include <stdlib.h>

#include "base/writer.h"
#include "oftp/oftp.h"

#define HOLDS(x)                                                                               \
    do {                                                                                       \
        if (!(x)) {                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                            \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

enum { FILE_MAX = 30000, RECORDS_MAX = 700 };

struct side {
    struct oftp_session *s;
    struct oftp_config cfg;
    bool stuck; /* an event waits for an answer that was put off */
    struct oftp_event ev;
    unsigned quota; /* things left to send */
    struct oftp_sfid sfid;
    size_t n, at, record, records;
    bool ended, open;
    uint8_t got[FILE_MAX];
    size_t got_n, got_records, got_open;
    bool receiving;
};

struct world {
    const uint8_t *p;
    size_t n;
    struct side a, b; /* initiator, responder */
    bool clean;       /* no octet was touched       */
    bool quiet;       /* no application gave up     */
    uint64_t now;
    uint8_t wire[1 << 20];
};

static uint8_t file[FILE_MAX];
static size_t record_at[RECORDS_MAX + 1];
static struct oftp_session *engines[2];
static struct world world;

static uint8_t next(struct world *w)
{
    if (w->n == 0)
        return 0;
    w->n--;
    return *w->p++;
}

static struct side *other(struct world *w, const struct side *d)
{
    return d == &w->a ? &w->b : &w->a;
}

/* ---- applications ------------------------------------------------------------------- */

static void configure(struct world *w, struct side *d, bool initiator)
{
    static const uint8_t levels[] = { 5, 4, 2, 1, 5, 5, 5, 5 };
    static const uint32_t sdeb[] = { 128, 129, 200, 2048, 4096, 65535, 99999, 1000 };
    static const char sr[] = "BBBBBBSR";
    uint8_t x = next(w), y = next(w);

    d->cfg = (struct oftp_config) {
        .initiator = initiator,
        .level_max = levels[x & 7],
        .level_min = OFTP_12,
        .sdeb = sdeb[x >> 3 & 7],
        .cred = (uint16_t)(1 + (y & 3) * 5),
        .sr = sr[y >> 2 & 7],
        .cmpr = y & 32,
        .rest = y & 64,
        .auth = x >> 6 == 3,
        .start_ms = 60000,
        .inactivity_ms = 180000,
        .end_file_ms = 360000,
        .disconnect_ms = 20000,
    };
    strcpy(d->cfg.code, initiator ? "OALPHA" : "OBETA");
    strcpy(d->cfg.pswd, initiator ? "A" : "B");
    strcpy(d->cfg.peer_code, initiator ? "OBETA" : "OALPHA");
    strcpy(d->cfg.peer_pswd, initiator ? "B" : "A");
    d->quota = 1 + next(w) % 4;
}

static void compare(const struct world *w, const struct side *d, const struct side *from)
{
    if (!w->clean)
        return;
    HOLDS(d->got_n == from->n);
    HOLDS(memcmp(d->got, file, d->got_n) == 0);
}

static void take_data(struct world *w, struct side *d)
{
    size_t n = d->ev.octets.n;
    const struct side *from = other(w, d);

    HOLDS(d->receiving);
    HOLDS(n <= 128 * 1024);
    if (d->ev.ends_n > 0)
        HOLDS(oftp_counts_records(d->sfid.fmt, d->sfid.env));
    for (size_t k = 0; k < d->ev.ends_n && w->clean; k++) {
        size_t want = d->sfid.fmt == 'F'
                          ? d->sfid.lrecl
                          : record_at[d->got_records + 1] - record_at[d->got_records];

        HOLDS(d->ev.ends[k] == want);
        d->got_records++;
    }
    if (w->clean)
        HOLDS(d->got_n + n <= from->n);
    if (n > sizeof(d->got) - d->got_n)
        n = sizeof(d->got) - d->got_n;
    memcpy(d->got + d->got_n, d->ev.octets.p, n);
    d->got_n += n;
}

static void offered(struct world *w, struct side *d, uint8_t how, struct err *err)
{
    uint64_t keep = 0, octets = 0, records = 0;

    d->sfid = *d->ev.sfid;
    if (how % 8 == 7) {
        HOLDS(oftp_session_refuse_file(d->s, 1 + how % 6, how & 16, "no", err));
        return;
    }
    HOLDS(!oftp_session_take_file(d->s, d->sfid.rest + 1, 0, 0, err));
    if (w->clean && d->sfid.rest > 0) {
        keep = d->sfid.rest - how % 2;
        if (!oftp_counts_records(d->sfid.fmt, d->sfid.env)) {
            octets = keep * OFTP_BLOCK;
        } else {
            octets = d->sfid.fmt == 'F' ? keep * d->sfid.lrecl : record_at[keep];
            records = keep;
        }
        memcpy(d->got, file, octets);
    }
    d->got_n = octets;
    d->got_records = records;
    d->receiving = true;
    HOLDS(oftp_session_take_file(d->s, keep, octets, records, err));
}

static void ended(struct world *w, struct side *d, uint8_t how, struct err *err)
{
    bool fine = d->ev.reason == 0;

    if (w->clean)
        HOLDS(fine);
    if (fine)
        compare(w, d, other(w, d));
    d->receiving = false;
    if (fine && how % 8 != 7)
        HOLDS(oftp_session_end_taken(d->s, how & 1, err));
    else
        HOLDS(oftp_session_end_refused(d->s, fine ? ANSWER_ACCESS : d->ev.reason, NULL, err));
}

static void aborted(struct world *w, const struct side *d)
{
    int r = d->ev.reason;

    /* Nobody has done anything wrong: limits that do not fit, silence and operators remain. */
    if (w->clean && d->ev.local)
        HOLDS(r == ESID_INCOMPATIBLE || r == ESID_AUTHENTICATION || r == ESID_TIMEOUT);
    w->quiet = false;
}

static void answer(struct world *w, struct side *d, uint8_t how)
{
    static const uint8_t challenge[OFTP_CHALLENGE_SIZE] = { 9, 8, 7 };
    const struct oftp_sfid *f = &d->sfid;
    struct err err;

    d->stuck = false;
    switch (d->ev.kind) {
    case OFTP_SSID:
        HOLDS(oftp_session_accept(d->s, &d->cfg, &d->ev, &err));
        if (d->ev.kind == OFTP_ABORTED)
            aborted(w, d);
        break;
    case OFTP_CHALLENGE_DUE:
        HOLDS(oftp_session_challenge(d->s, challenge, span_of("xyz", 3), &err));
        break;
    case OFTP_CHALLENGE:
        HOLDS(oftp_session_respond(d->s, challenge, &err));
        break;
    case OFTP_FILE_OFFERED:
        offered(w, d, how, &err);
        break;
    case OFTP_DATA:
        take_data(w, d);
        break;
    case OFTP_CREDIT_DUE:
        /* An EFID that did not wait may have come before this answer. */
        if (!oftp_session_grant(d->s, &err))
            HOLDS(!w->clean);
        break;
    case OFTP_FILE_ENDED:
        ended(w, d, how, &err);
        break;
    case OFTP_RESPONSE:
        HOLDS(oftp_session_ready(d->s, &err));
        break;
    case OFTP_FILE_ACCEPTED:
        HOLDS(d->ev.position <= f->rest);
        d->ended = false;
        d->open = true;
        d->record = 0;
        d->at = d->ev.position * OFTP_BLOCK;
        if (oftp_counts_records(f->fmt, f->env)) {
            d->record = f->fmt == 'V' ? d->ev.position : 0;
            d->at = f->fmt == 'F' ? d->ev.position * f->lrecl : record_at[d->ev.position];
        }
        break;
    case OFTP_FILE_REFUSED:
    case OFTP_FILE_TAKEN:
    case OFTP_FILE_FAILED:
        d->open = false;
        break;
    case OFTP_ABORTED:
        aborted(w, d);
        break;
    default:
        break;
    }
}

/* ---- sending ------------------------------------------------------------------------ */

static void offer(struct side *d, uint8_t how, struct err *err)
{
    struct oftp_sfid f = { .fmt = "UFVT"[how & 3], .lrecl = how & 1 ? 40 : how & 2 ? 80 : 0 };
    bool low = oftp_session_level(d->s) < OFTP_14;

    if (f.fmt == 'T')
        f.lrecl = 0;
    d->n = (size_t)how * how % FILE_MAX;
    if (f.fmt == 'F')
        d->n -= d->n % f.lrecl;
    if (f.fmt == 'V') {
        d->records = (size_t)how * 2;
        d->n = record_at[d->records];
    }
    strcpy(f.dsn, "FILE");
    strcpy(f.date, low ? "260131" : "20260131");
    strcpy(f.time, low ? "101530" : "1015300001");
    strcpy(f.dest, "OX");
    strcpy(f.orig, "OY");
    if (oftp_session_restart(d->s) && how & 64)
        f.rest = f.fmt == 'F'   ? d->n / f.lrecl / 2
                 : f.fmt == 'V' ? d->records / 2
                                : d->n / OFTP_BLOCK / 2;
    d->sfid = f;
    HOLDS(oftp_session_offer_file(d->s, &f, err));
}

static void speak(struct side *d, uint8_t how)
{
    struct oftp_response r = { .negative = how & 4 && oftp_session_level(d->s) >= OFTP_14 };
    bool low = oftp_session_level(d->s) < OFTP_14;
    struct err err;

    if (!oftp_session_turn(d->s))
        return;
    if (d->quota == 0 || how % 8 == 7) {
        HOLDS(oftp_session_pass_turn(d->s, &err));
        return;
    }
    d->quota--;
    if (how % 4 != 0 && oftp_session_may_send_files(d->s)) {
        offer(d, how, &err);
        return;
    }
    strcpy(r.dsn, "FILE");
    strcpy(r.date, low ? "260131" : "20260131");
    strcpy(r.time, low ? "101530" : "1015300001");
    strcpy(r.dest, "OY");
    strcpy(r.orig, "OX");
    strcpy(r.crea, "OX");
    r.reas = r.negative ? NERP_PROCESSING : 0;
    HOLDS(oftp_session_respond_file(d->s, &r, &err));
}

static void close_file(struct side *d)
{
    bool counts = oftp_counts_records(d->sfid.fmt, d->sfid.env);
    struct oftp_efid efid = { 0, d->n };
    struct err err;

    if (counts)
        efid.rcnt = d->sfid.fmt == 'F' ? d->n / d->sfid.lrecl : d->records;
    HOLDS(oftp_session_file_end(d->s, &efid, &err));
    d->ended = true;
}

/* Gives at most `most` octets of the file. */
static void feed(struct side *d, size_t most)
{
    bool v = d->sfid.fmt == 'V', end, whole;
    struct span in;
    struct err err;
    size_t had;

    if (!d->open || d->ended || strncmp(oftp_session_state(d->s), "OPO", 3) != 0)
        return;
    if (v ? d->record == d->records : d->at > d->n || (d->sfid.fmt == 'F' && d->at == d->n)) {
        close_file(d);
        return;
    }
    if (!oftp_session_wants_data(d->s))
        return;
    in = span_of(file + d->at, (v ? record_at[d->record + 1] : d->n) - d->at);
    end = in.n <= most;
    if (!end)
        in.n = most;
    had = in.n;
    HOLDS(oftp_session_data(d->s, &in, end, &whole, &err));
    d->at += had - in.n;
    if (!whole || !end)
        return;
    if (v)
        d->record++;
    else
        d->at = d->sfid.fmt == 'F' ? d->n : d->n + 1;
}

/* ---- the wire ----------------------------------------------------------------------- */

static void give(struct world *w, struct side *d, struct span *in, uint8_t how)
{
    while (in->n > 0) {
        oftp_session_input(d->s, in, w->now, &d->ev);
        d->stuck = d->ev.kind != OFTP_NONE;
        if (d->stuck)
            answer(w, d, how);
    }
}

/* Moves at most n octets from d to the other, changed as the input says. */
static void move(struct world *w, struct side *d, size_t n, uint8_t change)
{
    struct span out = oftp_session_output(d->s), in;
    uint8_t how = next(w);

    if (n > out.n)
        n = out.n;
    if (n == 0)
        return;
    memcpy(w->wire, out.p, n);
    oftp_session_sent(d->s, n, w->now);
    in = span_of(w->wire, n);
    if (change != 0)
        w->clean = false;
    switch (change) {
    case 1:
        w->wire[(size_t)next(w) * 7 % n] ^= (uint8_t)(1 << (how & 7));
        break;
    case 2:
        w->wire[next(w) % n] = next(w);
        break;
    case 3: /* lost */
        span_skip(&in, next(w) % n);
        break;
    case 4: /* twice */
        memcpy(w->wire + n, w->wire, n);
        in.n = 2 * n;
        break;
    default:
        break;
    }
    give(w, other(w, d), &in, how);
}

/* A command made up by the input, with a true header. */
static void make_up(struct world *w, struct side *d)
{
    static const char *const commands[] = {
        "IODETTE FTP READY \r",
        "X5OBETA                    B       02048BYYN008N            \r",
        "J",
        "2000000000000000000",
        "200000000000000000",
        "302N000",
        "D\x83xyz",
        "C  ",
        "T0000000000000000000000000000000003",
        "4Y",
        "4N",
        "511000",
        "R",
        "P",
        "F00000\r",
        "F99000\r",
    };
    uint8_t which = next(w), how = next(w);
    size_t n;
    struct span in;

    if (which % 32 < 16) {
        n = strlen(commands[which % 32]);
        memcpy(w->wire + OFTP_STH, commands[which % 32], n);
    } else {
        n = 1 + which / 2;
        for (size_t k = 0; k < n; k++)
            w->wire[OFTP_STH + k] = next(w);
    }
    n += OFTP_STH;
    memcpy(w->wire, (uint8_t[]) { 0x10, 0, (uint8_t)(n >> 8), (uint8_t)n }, OFTP_STH);
    w->clean = false;
    in = span_of(w->wire, n);
    give(w, d, &in, how);
}

static void wait(struct world *w, struct side *d, uint8_t how)
{
    uint64_t at;

    w->now += (uint64_t)how * how * 8;
    at = oftp_session_deadline(d->s);
    oftp_session_expire(d->s, w->now, &d->ev);
    if (w->now < at)
        HOLDS(d->ev.kind == OFTP_NONE);
    if (d->ev.kind != OFTP_NONE) {
        HOLDS(d->ev.kind == OFTP_ABORTED && d->ev.reason == ESID_TIMEOUT);
        w->quiet = false;
    }
}

static void step(struct world *w)
{
    uint8_t op = next(w);
    struct side *d = op & 1 ? &w->a : &w->b;

    switch (op >> 1 & 31) {
    case 0:
        move(w, d, 1 + next(w), 1 + (op >> 6));
        break;
    case 1:
        make_up(w, d);
        break;
    case 2:
        move(w, d, (size_t)next(w) * 997, 4);
        break;
    case 3:
        wait(w, d, next(w));
        break;
    case 4:
        oftp_session_abort(d->s, next(w) % 100, "enough");
        w->quiet = false;
        break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        speak(d, next(w));
        break;
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
        feed(d, (size_t)1 + next(w) * 61);
        break;
    case 16:
    case 17:
    case 18:
    case 19:
        move(w, d, 1 + (next(w) & 63), 0);
        break;
    default:
        move(w, d, (size_t)1 + next(w) * 1999, 0);
        break;
    }
}

/* Whatever happened before, two honest sides come to an end. */
static void finish(struct world *w)
{
    unsigned rounds = 0;

    while (!oftp_session_over(w->a.s) && !oftp_session_ending(w->a.s) &&
           !oftp_session_over(w->b.s) && !oftp_session_ending(w->b.s)) {
        HOLDS(rounds++ < 100000);
        for (int k = 0; k < 2; k++) {
            struct side *d = k == 0 ? &w->a : &w->b;

            speak(d, (uint8_t)(1 + rounds % 3));
            for (int n = 0; n < 20; n++)
                feed(d, FILE_MAX);
            move(w, d, SIZE_MAX, 0);
        }
    }
}

static void prepare(void)
{
    uint32_t x = 12345;

    for (size_t k = 0; k < sizeof(file); k++) {
        x = x * 1664525u + 1013904223u;
        file[k] = k / 211 % 3 == 0 ? ' ' : (uint8_t)(x >> 25);
    }
    for (size_t k = 0; k < RECORDS_MAX; k++)
        record_at[k + 1] = record_at[k] + (k % 5 == 0 ? 0 : k % 77);
    engines[0] = oftp_session_new();
    engines[1] = oftp_session_new();
    HOLDS(engines[0] != NULL && engines[1] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = &world;

    if (engines[0] == NULL)
        prepare();
    if (size > 4096)
        return 0;
    memset(&w->a, 0, sizeof(w->a));
    memset(&w->b, 0, sizeof(w->b));
    w->p = data;
    w->n = size;
    w->clean = w->quiet = true;
    w->now = 0;
    w->a.s = engines[0];
    w->b.s = engines[1];
    configure(w, &w->a, true);
    configure(w, &w->b, false);
    oftp_session_open(w->a.s, &w->a.cfg, 0);
    oftp_session_open(w->b.s, &w->b.cfg, 0);
    while (w->n > 0)
        step(w);
    if (w->clean && w->quiet)
        finish(w);
    return 0;
}
