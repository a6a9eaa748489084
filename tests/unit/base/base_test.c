/* The small things everything stands on: src/base. */
#include "base/arena.h"
#include "base/err.h"
#include "base/props.h"
#include "base/reader.h"
#include "base/writer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static void test_a_reader_fails_once_and_stays_failed(void **state)
{
    static const uint8_t octets[] = { 1, 2, 3, 4 };
    struct reader r = reader_of(span_of(octets, sizeof(octets)));

    (void)state;
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_true(reader_ok(&r));
    assert_int_equal(reader_u16(&r), 0);
    assert_false(reader_ok(&r));
    assert_int_equal(reader_take(&r, 1).n, 0); /* the one octet that is left is not given */
    assert_false(reader_ok(&r));
}

static void test_a_reader_takes_nothing_at_the_end(void **state)
{
    struct reader r = reader_of(span_of("", 0));

    (void)state;
    assert_int_equal(reader_take(&r, 0).n, 0);
    assert_true(reader_ok(&r));
    assert_int_equal(reader_take(&r, SIZE_MAX).n, 0);
    assert_false(reader_ok(&r));
}

static void test_a_writer_that_is_full_keeps_what_it_has(void **state)
{
    uint8_t room[4] = { 0, 0, 0, 9 };
    struct writer w = writer_of(room, 3);

    (void)state;
    writer_u16(&w, 0x0102);
    writer_u16(&w, 0x0304);
    assert_false(writer_ok(&w));
    writer_u8(&w, 7); /* would fit, but the writer has failed */
    assert_int_equal(writer_done(&w).n, 2);
    assert_int_equal(room[2], 0);
    assert_int_equal(room[3], 9);
}

static void test_a_writer_fills_to_the_last_octet(void **state)
{
    uint8_t room[3];
    struct writer w = writer_of(room, sizeof(room));

    (void)state;
    writer_fill(&w, ' ', 2);
    writer_put(&w, "", 0);
    writer_u8(&w, 'x');
    assert_true(writer_ok(&w));
    assert_memory_equal(room, "  x", 3);
    writer_fill(&w, ' ', 1);
    assert_false(writer_ok(&w));
}

static void test_text_is_cut_at_its_place_and_said_so(void **state)
{
    char to[4];

    (void)state;
    assert_true(text_copy(to, sizeof(to), "abc"));
    assert_string_equal(to, "abc");
    assert_false(text_copy(to, sizeof(to), "abcd"));
    assert_string_equal(to, "abc");
}

static void test_an_arena_gives_aligned_zeroed_memory_of_any_size(void **state)
{
    struct arena a = { 0 };

    (void)state;
    for (size_t n = 0; n < 9000; n += 97) {
        uint8_t *p = arena_take(&a, n);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xFF, n);
    }
    assert_null(arena_take(&a, SIZE_MAX - 3));
    assert_true(a.failed);
    arena_free(&a);
    assert_null(a.last);
    assert_false(a.failed);
}

static void test_arena_texts_are_copies(void **state)
{
    struct arena a = { 0 };
    char text[] = "abc";
    char *copy = arena_text(&a, text), *made = arena_printf(&a, "%s-%d", text, 7);

    (void)state;
    text[0] = 'X';
    assert_string_equal(copy, "abc");
    assert_string_equal(made, "abc-7");
    assert_string_equal(arena_copy(&a, span_of("abcdef", 2)), "ab");
    assert_null(arena_text(&a, NULL));
    arena_free(&a);
}

static void test_properties_keep_their_order_and_their_last_value(void **state)
{
    struct arena a = { 0 };
    struct props ps = { 0 };

    (void)state;
    props_set(&ps, &a, "b", "1");
    props_printf(&ps, &a, "a", "%05d", 42);
    props_set(&ps, &a, "b", "2");
    props_set(&ps, &a, "c", NULL);
    assert_string_equal(props_get(&ps, "b"), "2");
    assert_string_equal(props_get(&ps, "a"), "00042");
    assert_string_equal(props_get(&ps, "c"), "");
    assert_null(props_get(&ps, "d"));
    assert_string_equal(ps.first->name, "b");
    assert_string_equal(ps.first->next->name, "a");
    arena_free(&a);
}

static void test_an_error_says_what_where_and_in_which_context(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_false(FAIL(&err, FAIL_PEER, 7, "length %d", 4));
    assert_false(err_context(&err, "partner %s", "acme"));
    assert_int_equal(err.kind, FAIL_PEER);
    assert_int_equal(err.wire, 7);
    assert_string_equal(err.text, "partner acme: length 4");
    assert_non_null(strstr(err.where, "base_test.c:"));
}

static void test_a_long_context_cuts_the_text_not_the_program(void **state)
{
    struct err err = { 0 };
    char longish[600];

    (void)state;
    memset(longish, 'x', sizeof(longish) - 1);
    longish[sizeof(longish) - 1] = '\0';
    assert_false(FAIL(&err, FAIL_LOCAL, 0, "%s", longish));
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_false(err_context(&err, "%s", longish));
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void text_is_printed_whole_wherever_the_arena_block_ends(void **state)
{
    char want[300];

    (void)state;
    memset(want, 'x', sizeof(want) - 1);
    want[sizeof(want) - 1] = '\0';
    for (size_t before = 3600; before <= 4100; before++) {
        struct arena a = { 0 };
        char *first = arena_take(&a, before), *p, *after;

        assert_non_null(first);
        memset(first, 'y', before);
        p = arena_printf(&a, "%s.%zu", want, before);
        after = arena_take(&a, 32);
        assert_non_null(p);
        assert_non_null(after);
        for (size_t i = 0; i < 32; i++)
            assert_int_equal(after[i], 0);
        assert_memory_equal(p, want, sizeof(want) - 1);
        assert_int_equal(p[sizeof(want) - 1], '.');
        assert_int_equal(strtoul(p + sizeof(want), NULL, 10), before);
        assert_int_equal(first[before - 1], 'y');
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_printed_whole_wherever_the_arena_block_ends),
        cmocka_unit_test(test_a_reader_fails_once_and_stays_failed),
        cmocka_unit_test(test_a_reader_takes_nothing_at_the_end),
        cmocka_unit_test(test_a_writer_that_is_full_keeps_what_it_has),
        cmocka_unit_test(test_a_writer_fills_to_the_last_octet),
        cmocka_unit_test(test_text_is_cut_at_its_place_and_said_so),
        cmocka_unit_test(test_an_arena_gives_aligned_zeroed_memory_of_any_size),
        cmocka_unit_test(test_arena_texts_are_copies),
        cmocka_unit_test(test_properties_keep_their_order_and_their_last_value),
        cmocka_unit_test(test_an_error_says_what_where_and_in_which_context),
        cmocka_unit_test(test_a_long_context_cuts_the_text_not_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
