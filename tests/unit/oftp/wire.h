/* What the tests of framing, commands and DATA buffers share. */
#ifndef WAYBILL_TESTS_OFTP_WIRE_H
#define WAYBILL_TESTS_OFTP_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../guard.h"
#include "base/writer.h"
#include "examples.h"
#include "oftp/oftp.h"
#include "reread.h"

/* A worked example without its stream header. */
#define EXAMPLE(name) span_of(example_##name + OFTP_STH, sizeof(example_##name) - OFTP_STH)
#define TEXT(text)    span_of(text, sizeof(text) - 1)

static const int every_level[] = { OFTP_12, OFTP_13, OFTP_14, OFTP_20 };

static struct err err;
static uint8_t wire[OFTP_OEB_MAX + 1];

/* A writer into wire[]. */
static inline struct writer fresh(void)
{
    return writer_of(wire, sizeof(wire));
}

#define assert_octets(got, want)                                                               \
    do {                                                                                       \
        struct span got_ = (got), want_ = (want);                                              \
        assert_int_equal(got_.n, want_.n);                                                     \
        assert_memory_equal(got_.p, want_.p, want_.n);                                         \
    } while (0)

/* The call fails and blames the partner, with this ESID reason. */
#define assert_peer(call, reason)                                                              \
    do {                                                                                       \
        err = (struct err) { 0 };                                                              \
        assert_false(call);                                                                    \
        assert_int_equal(err.kind, FAIL_PEER);                                                 \
        assert_int_equal(err.wire, (reason));                                                  \
        assert_true(err.text[0] != '\0');                                                      \
    } while (0)

/* The call, a writer's, fails for reasons of our own and leaves nothing behind. */
#define assert_local(w, call)                                                                  \
    do {                                                                                       \
        size_t n_ = (w).n;                                                                     \
        err = (struct err) { 0 };                                                              \
        assert_false(call);                                                                    \
        assert_int_equal(err.kind, FAIL_LOCAL);                                                \
        assert_int_equal((w).n, n_);                                                           \
    } while (0)

/* Every truncation of a command, cut off by a page that faults: taken or refused with 06 or 07,
 * and what is taken reads back the same (reread). */
static inline void try_truncations(struct span whole, int level)
{
    for (size_t n = 0; n <= whole.n; n++) {
        if (!reread(guard_after(whole.p, n), level, &err)) {
            assert_int_equal(err.kind, FAIL_PEER);
            assert_in_range(err.wire, ESID_UNKNOWN_COMMAND, ESID_SIZE);
        }
    }
    (void)reread(guard_before(whole.p, whole.n), level, &err);
}

/* Each bit of a command turned over, between pages that fault. */
static inline void try_flipped_bits(struct span whole, int level)
{
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        struct span s = guard_after(whole.p, whole.n);

        guard_pages()[GUARD_ROOM - s.n + bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!reread(s, level, &err))
            assert_int_equal(err.kind, FAIL_PEER);
    }
}

#endif
