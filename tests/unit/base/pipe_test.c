/* Stages and pipes: src/base/stage.h, pipe.c. */
#include "base/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each octet comes out twice; ends with '.' behind the last one. */
struct twice {
    struct stage base;
    uint8_t held;
    int left; /* copies of `held` to write */
    bool dot;
};

static enum flow twice_step(struct stage *st, struct span *in, bool last, struct room *out,
                            struct err *err)
{
    struct twice *t = (struct twice *)st;

    (void)err;
    for (;;) {
        if (t->left == 0) {
            if (in->n == 0)
                break;
            t->held = in->p[0];
            t->left = 2;
            span_skip(in, 1);
        }
        if (out->n == 0)
            return FLOW_OUT;
        out->p[0] = t->held;
        room_skip(out, 1);
        t->left--;
    }
    if (!last)
        return FLOW_IN;
    if (out->n == 0)
        return FLOW_OUT;
    out->p[0] = '.';
    room_skip(out, 1);
    return FLOW_END;
}

/* Takes three octets and ends, whatever follows. */
static enum flow three_step(struct stage *st, struct span *in, bool last, struct room *out,
                            struct err *err)
{
    struct twice *t = (struct twice *)st;

    (void)last;
    (void)err;
    while (t->left < 3 && in->n > 0 && out->n > 0) {
        out->p[0] = in->p[0];
        room_skip(out, 1);
        span_skip(in, 1);
        t->left++;
    }
    return t->left == 3 ? FLOW_END : in->n == 0 ? FLOW_IN : FLOW_OUT;
}

static void stage_done(struct stage *st)
{
    free(st);
}

static const struct stage_ops twice_ops = { "twice", twice_step, stage_done };
static const struct stage_ops three_ops = { "three", three_step, stage_done };

static struct stage *make(const struct stage_ops *ops)
{
    struct twice *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->base.ops = ops;
    return &t->base;
}

static struct stage *chain(const struct stage_ops *a, const struct stage_ops *b, size_t buffer)
{
    struct stage *stages[] = { make(a), make(b) };
    struct stage *p = pipe_new(stages, 2, buffer);

    assert_non_null(p);
    return p;
}

/* Runs text through with `chunk` octets of input and `room` of output at a time. */
static enum flow run(struct stage *p, const char *text, size_t chunk, size_t room, char *result,
                     struct err *err)
{
    struct span all = span_text(text);
    size_t n = 0;

    for (;;) {
        struct span in = { all.p, all.n < chunk ? all.n : chunk };
        size_t had = in.n;
        struct room out = { (uint8_t *)result + n, room };
        enum flow f = stage_step(p, &in, had == all.n, &out, err);

        n += room - out.n;
        span_skip(&all, had - in.n);
        result[n] = '\0';
        if (f == FLOW_END || f == FLOW_FAIL)
            return f;
        assert_true(n < 80);
    }
}

static void test_the_result_is_the_same_for_every_split(void **state)
{
    (void)state;
    for (size_t buffer = 1; buffer < 9; buffer++)
        for (size_t chunk = 1; chunk < 5; chunk++)
            for (size_t room = 1; room < 7; room++) {
                struct stage *p = chain(&twice_ops, &twice_ops, buffer);
                struct err err = { 0 };
                char got[120];

                assert_int_equal(run(p, "abc", chunk, room, got, &err), FLOW_END);
                assert_string_equal(got, "aaaabbbbcccc...");
                stage_free(p);
            }
}

static void test_an_empty_input_still_reaches_the_end(void **state)
{
    struct stage *p = chain(&twice_ops, &twice_ops, 4);
    struct err err = { 0 };
    char got[120];

    (void)state;
    assert_int_equal(run(p, "", 1, 10, got, &err), FLOW_END);
    assert_string_equal(got, "...");
    stage_free(p);
}

static void test_octets_behind_the_end_are_an_error(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 6; chunk++) {
        struct stage *p = chain(&three_ops, &twice_ops, 8),
                     *q = chain(&twice_ops, &three_ops, 8);
        struct err err = { 0 };
        char got[120];

        assert_int_equal(run(p, "abcd", chunk, 50, got, &err), FLOW_FAIL);
        assert_int_equal(err.kind, FAIL_TRUST);
        assert_int_equal(run(q, "abcd", chunk, 50, got, &err), FLOW_FAIL);
        stage_free(p);
        stage_free(q);
    }
}

static void test_an_input_that_ends_early_is_an_error(void **state)
{
    struct stage *p = chain(&three_ops, &twice_ops, 8);
    struct err err = { 0 };
    char got[120];

    (void)state;
    assert_int_equal(run(p, "ab", 1, 50, got, &err), FLOW_FAIL);
    assert_non_null(strstr(err.text, "too early"));
    stage_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_result_is_the_same_for_every_split),
        cmocka_unit_test(test_an_empty_input_still_reaches_the_end),
        cmocka_unit_test(test_octets_behind_the_end_are_an_error),
        cmocka_unit_test(test_an_input_that_ends_early_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
