/* X.690 section 8: the reader tells the same whatever the split, and nothing but what is right. */
#include "support.h"

#include "../guard.h"
#include "cms/ber.h"

#include <stdio.h>

/* What was told, as text: ( for BEGIN with the tag, octets, ) for END. */
static void tell(struct span all, size_t chunk, char *out, size_t cap)
{
    struct ber b = { 0 };
    struct ber_event ev;
    struct span left = all;
    struct span in = span_of(all.p, 0);
    size_t n = 0;

    for (;;) {
        switch (ber_next(&b, &in, &ev)) {
        case BER_MORE:
            if (left.n == 0) {
                (void)snprintf(out + n, cap - n, "...");
                return;
            }
            in = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, in.n);
            break;
        case BER_BEGIN:
            n += (size_t)snprintf(out + n, cap - n, "(%02x", ev.id);
            break;
        case BER_OCTETS:
            for (size_t i = 0; i < ev.raw.n; i++)
                n += (size_t)snprintf(out + n, cap - n, "%c", ev.raw.p[i]);
            ber_take(&b, &in, ev.raw.n);
            break;
        case BER_END:
            n += (size_t)snprintf(out + n, cap - n, ")");
            break;
        case BER_DONE:
            (void)snprintf(out + n, cap - n, "%s", in.n + left.n > 0 ? "+" : "");
            return;
        case BER_BAD:
            assert_non_null(b.why);
            (void)snprintf(out + n, cap - n, "!");
            return;
        }
    }
}

static void check(const void *p, size_t n, const char *want)
{
    char got[400];

    for (size_t chunk = 1; chunk <= n + 1; chunk++) {
        tell(guard_after(p, n), chunk, got, sizeof(got));
        assert_string_equal(got, want);
    }
}

#define CHECK_BER(octets, want) check(octets, sizeof(octets) - 1, want)

static void elements_are_told(void **state)
{
    (void)state;
    CHECK_BER("\x04\x00", "(04)");
    CHECK_BER("\x04\x03"
              "abc",
              "(04abc)");
    CHECK_BER("\x04\x81\x03"
              "abc",
              "(04abc)");
    CHECK_BER("\x04\x88\0\0\0\0\0\0\0\x03"
              "abc",
              "(04abc)");
    CHECK_BER("\x30\x05\x04\x03"
              "abc",
              "(30(04abc))");
    CHECK_BER("\x30\x80\x04\x03"
              "abc\0\0",
              "(30(04abc))");
    CHECK_BER("\x30\x80\x24\x80\x04\x01"
              "a\x04\x02"
              "bc\0\0\0\0",
              "(30(24(04a)(04bc)))");
    CHECK_BER("\x30\x09\x24\x80\x04\x01"
              "a\x04\0\0\0",
              "(30(24(04a)(04)))");
    CHECK_BER("\x30\x80\0\0", "(30)");
    CHECK_BER("\xbf\x81\x01\x02\x05\0", "(bf(05))");
    CHECK_BER("\x04\x01"
              "ab",
              "(04a)+");
}

static void the_rest_is_not(void **state)
{
    (void)state;
    CHECK_BER("", "...");
    CHECK_BER("\x04", "...");
    CHECK_BER("\x04\x84\0", "...");
    CHECK_BER("\x04\x03"
              "ab",
              "(04ab...");
    CHECK_BER("\x30\x80\x04\x01"
              "a\0",
              "(30(04a)...");
    CHECK_BER("\x04\x80", "!");          /* primitive and indefinite       */
    CHECK_BER("\0\0", "!");              /* an end of nothing              */
    CHECK_BER("\x30\x02\0\0", "(30!");   /* an end in a definite element   */
    CHECK_BER("\x30\x80\0\x01", "(30!"); /* an end with length             */
    CHECK_BER("\x30\x03\x04\x02"
              "ab",
              "(30!");                     /* beyond the one around it     */
    CHECK_BER("\x30\x01\x04\x00", "(30!"); /* its header does                */
    CHECK_BER("\x30\x03\x30\x80\x04\x00", "(30(30!");
    CHECK_BER("\x04\xff", "!");
    CHECK_BER("\x04\x88\x40\0\0\0\0\0\0\0", "!");
    CHECK_BER("\x1f\xff\xff\xff\xff\xff\x01", "!");
}

static void nesting_has_a_limit(void **state)
{
    uint8_t deep[2 * BER_DEPTH + 2];
    char got[400], want[400] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(deep); i++)
        deep[i] = i % 2 == 0 ? 0x30 : 0x80;
    for (unsigned i = 0; i < BER_DEPTH; i++)
        strcat(want, "(30");
    strcat(want, "!");
    tell(span_of(deep, sizeof(deep)), 3, got, sizeof(got));
    assert_string_equal(got, want);
}

/* Lengths above 4 GiB: no octet of them is held, only counted. */
static void lengths_beyond_four_gib_are_counted(void **state)
{
    static const uint8_t head[] = { 0x24, 0x80, 0x04, 0x85, 2, 0, 0, 0, 1 };
    static uint8_t megabyte[1 << 20];
    struct ber b = { 0 };
    struct ber_event ev;
    struct span in = span_of(head, sizeof(head));
    uint64_t left = (UINT64_C(2) << 32) + 1;

    (void)state;
    CHECK_EQ(ber_next(&b, &in, &ev), BER_BEGIN);
    CHECK_EQ(ber_next(&b, &in, &ev), BER_BEGIN);
    while (left > 0) {
        in = span_of(megabyte, sizeof(megabyte));
        CHECK_EQ(ber_next(&b, &in, &ev), BER_OCTETS);
        assert_true(ev.raw.n == (left < sizeof(megabyte) ? left : sizeof(megabyte)));
        left -= ev.raw.n;
        ber_take(&b, &in, ev.raw.n);
    }
    CHECK_EQ(ber_next(&b, &in, &ev), BER_END);
    in = span_of("\0\0", 2);
    CHECK_EQ(ber_next(&b, &in, &ev), BER_END);
    CHECK_EQ(ber_next(&b, &in, &ev), BER_DONE);
}

static void elements_in_memory(void **state)
{
    struct span in = span_of("\x02\x01\x05\x04\x82\0\x01"
                             "a\x30\x80\0\0\x05\0",
                             14),
                content;
    uint8_t id;

    (void)state;
    assert_true(ber_element(&in, &id, &content));
    CHECK_EQ(id, BER_INTEGER);
    CHECK_EQ(content.p[0], 5);
    assert_true(ber_element(&in, &id, &content));
    assert_true(span_is(content, "a"));
    assert_false(ber_element(&in, &id, &content)); /* indefinite */
    assert_true(ber_pass(&in));
    assert_true(ber_element(&in, &id, &content));
    CHECK_EQ(id, BER_NULL);
    CHECK_EQ(in.n, 0);
    assert_false(ber_element(&in, &id, &content));
    assert_false(ber_pass(&in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_told),
        cmocka_unit_test(the_rest_is_not),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(lengths_beyond_four_gib_are_counted),
        cmocka_unit_test(elements_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
