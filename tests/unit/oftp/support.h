/* What the tests of the session share: two engines joined by arrays, one engine against raw
 * octets, and a counter for a clock. Link one.c and pair.c. */
#ifndef WAYBILL_TESTS_OFTP_SUPPORT_H
#define WAYBILL_TESTS_OFTP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/writer.h"
#include "oftp/oftp.h"

#define MUST(call) assert_true(call)
#define CODE_I     "O0013000000ALPHA"
#define CODE_R     "O0013000000BETA"

/* Section 17 of oftp2.md: what both sides are configured with there. */
struct oftp_config config_of(bool initiator);

/* ---- one engine against octets ---- */

struct one {
    struct oftp_session *s;
    struct oftp_event ev; /* of the last call */
    struct err err;
    uint64_t now;
    uint8_t octets[300000]; /* the last output taken */
    size_t n;
};

void one_open(struct one *o, const struct oftp_config *cfg);
void one_done(struct one *o);
/* Gives octets up to the first event; what is behind it must be nothing. */
void one_give(struct one *o, const void *p, size_t n);
/* The same with a stream header in front; then for commands that are text. */
void one_oeb(struct one *o, const void *p, size_t n);
void one_text(struct one *o, const char *text);
/* Takes all output; the command octets of the buffers, in order, as text. Lives until the next
 * call. */
const char *one_sent(struct one *o);
/* Asserts that the output is exactly these commands. */
#define one_sends(o, want) assert_string_equal(one_sent(o), want)
#define one_in(o, want)    assert_string_equal(oftp_session_state((o)->s), want)
/* Asserts that the session was aborted by ESID(reason), said so, and sends nothing else. */
void one_aborted(struct one *o, int reason);
/* The reason in the ESID at the end of .octets; -1: none. */
int esid_reason(const uint8_t *p, size_t n);

/* Each brings a fresh engine into the state, with no output left. */
void one_idlesp(struct one *o, const struct oftp_config *cfg); /* initiator */
void one_idleli(struct one *o, const struct oftp_config *cfg); /* responder */
void one_opo(struct one *o, const struct oftp_config *cfg, const struct oftp_sfid *f);
void one_opi(struct one *o, const struct oftp_config *cfg, const struct oftp_sfid *f);
/* The peer's SSID with these settings. */
void one_ssid(struct one *o, const struct oftp_config *peer, int level);
void one_sfid(struct one *o, const struct oftp_sfid *f);
void one_sfpa(struct one *o, uint64_t position);
void one_efid(struct one *o, uint64_t records, uint64_t octets);
void one_data(struct one *o, const char *octets); /* one subrecord with EOR */
void one_eerp(struct one *o);

/* Any state but IDLE by its name, with no output left. */
void one_at(struct one *o, const char *state);
/* A valid command of the peer by its octet. 'Y' is EFPA(Y), '4' EFPA(N), 'G' is ESID(99), 'F'
 * ESID(00). */
void one_command(struct one *o, char command);
/* Asserts what each command does in each state. The first row has the states' names; the others
 * begin with a command and have the state that follows, "02" for an abort with that reason, or
 * "." for 02. */
void one_check_table(const char *const *states, size_t states_n, const char *const *cells,
                     size_t rows);

struct oftp_sfid sfid_of(char fmt, uint32_t lrecl);
struct oftp_response eerp_of(const struct oftp_sfid *f);

/* ---- two engines ---- */

struct job {
    struct oftp_sfid sfid;
    const uint8_t *octets; /* NULL with .response set */
    size_t n;
    const size_t *records; /* V: lengths, ending with .records_n */
    size_t records_n;
    const struct oftp_response *response;
};

struct side {
    struct oftp_session *s;
    struct oftp_config cfg;
    const struct job *jobs;
    size_t jobs_n, job; /* the one to send next or being sent */
    size_t at, record;  /* octets and records of it that were given */
    bool ended;         /* its EFID was given */
    size_t piece;       /* most octets to give at once; 0: all */

    /* how the application behaves */
    int reject;    /* ESID reason for the SSID */
    uint64_t keep; /* units kept of a file that is offered */
    int refuse, refuse_end;
    bool want_turn, no_grant, no_pass, bad_challenge;

    /* what came */
    uint8_t *got;
    size_t got_n, got_cap;
    uint32_t got_ends[20000];
    size_t got_ends_n;
    struct oftp_sfid offered;
    struct oftp_efid efid;
    int end_reason;
    unsigned files, responses, taken, refused, failed, acknowledged;
    bool started, ended_well, aborted, local;
    int reason;
    bool retry;
    char text[OFTP_TEXT + 1];
    uint64_t position;
    size_t largest;   /* DATA buffer sent, octets */
    size_t data_sent; /* DATA buffers sent        */
    uint8_t partial[OFTP_STH + OFTP_OEB_MAX];
    size_t partial_n;
};

struct pair {
    struct side i, r;
    uint64_t now;
    size_t chunk;             /* octets moved at once; 0: all */
    size_t moved, stop_after; /* octets moved in all; cut there; 0: never */
    char log[8192];           /* "r:I i:X r:X ...": side and command octet */
    struct err err;
};

void pair_new(struct pair *p);
void pair_free(struct pair *p);
void pair_open(struct pair *p);
/* Moves octets and acts until nothing moves any more. */
void pair_run(struct pair *p);
/* The log without runs of D: "i:D i:D" is "i:D". */
const char *pair_log(struct pair *p);

#endif
