/* What the API makes of documents and of text that partners chose: src/api/json.c, time.c. */
#include "api/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

static void text_is(const char *text, const char *want)
{
    json_t *v = json_of_text(text);

    assert_non_null(v);
    assert_string_equal(json_string_value(v), want);
    json_decref(v);
}

static void test_utf_8_stays_as_it_is(void **state)
{
    (void)state;
    text_is("", "");
    text_is("ORDERS 1", "ORDERS 1");
    text_is("Gr\xC3\xB6\xC3\x9F"
            "e \xE2\x82\xAC \xF0\x9F\x93\xA6",
            "Gr\xC3\xB6\xC3\x9F"
            "e \xE2\x82\xAC \xF0\x9F\x93\xA6");
}

static void test_octets_that_are_no_utf_8_are_shown_as_digits(void **state)
{
    (void)state;
    text_is("Gr\xF6\xDF"
            "e",
            "Gr\\xF6\\xDF"
            "e");
    text_is("\xFF", "\\xFF");
    text_is("a\xC3", "a\\xC3");                          /* cut off    */
    text_is("\xE2\x82", "\\xE2\\x82");                   /* cut off    */
    text_is("\xC0\xAF", "\\xC0\\xAF");                   /* overlong   */
    text_is("\xED\xA0\x80", "\\xED\\xA0\\x80");          /* surrogate  */
    text_is("\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"); /* too high   */
    text_is("\xC3\xB6\x80", "\xC3\xB6\\x80");            /* good first */
}

static void test_every_octet_gives_valid_json(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 256; i++) {
        char text[3] = { (char)i, (char)(i ^ 0x55), '\0' }, *dump;
        json_t *v = json_of_text(text), *again;

        dump = json_dumps(v, JSON_ENCODE_ANY);
        assert_non_null(dump);
        again = json_loads(dump, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(v, again));
        json_decref(v);
        json_decref(again);
        free(dump);
    }
}

static void test_octets_of_a_receipt_are_hexadecimal(void **state)
{
    json_t *v = json_of_octets(span_of("E\x00\xFF", 3));

    (void)state;
    assert_string_equal(json_string_value(v), "4500ff");
    json_decref(v);
    v = json_of_octets(span_of(NULL, 0));
    assert_string_equal(json_string_value(v), "");
    json_decref(v);
}

static void test_a_document_has_all_its_members(void **state)
{
    static const char *const members[] = {
        "id",      "direction",   "state",      "protocol", "listener", "partner",
        "from",    "to",          "own",        "peer",     "name",     "created",
        "changed", "size",        "raw_size",   "progress", "total",    "records",
        "reason",  "redelivered", "properties", "held",
    };
    struct document d = { .id = 17,
                          .outbound = true,
                          .state = DOC_SENT,
                          .name = "ORDERS",
                          .created_ms = 1795256100123,
                          .size = 5,
                          .raw = { .size = 7 } };
    struct arena a = { 0 };
    struct json_out o;

    (void)state;
    props_set(&d.props, &a, "oftp2.sfiddsn", "ORDERS");
    o = json_document(&d);
    assert_false(o.failed);
    for (size_t i = 0; i < COUNT_OF(members); i++)
        assert_non_null(json_object_get(o.v, members[i]));
    assert_int_equal(json_object_size(o.v), COUNT_OF(members));
    assert_string_equal(json_string_value(json_object_get(o.v, "direction")), "out");
    assert_string_equal(json_string_value(json_object_get(o.v, "state")), "sent");
    assert_string_equal(json_string_value(json_object_get(o.v, "created")),
                        "2026-11-21T10:15:00.123Z");
    assert_true(json_is_null(json_object_get(o.v, "changed")));
    assert_true(json_is_null(json_object_get(o.v, "partner")));
    assert_int_equal(json_integer_value(json_object_get(o.v, "raw_size")), 7);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(o.v, "properties"), "oftp2.sfiddsn")),
        "ORDERS");
    json_out_free(&o);
    arena_free(&a);
}

static void test_a_part_that_failed_fails_the_whole(void **state)
{
    struct json_out o = json_out_object(), part = { NULL, true };

    (void)state;
    json_put(&o, "part", part);
    assert_true(o.failed);
    json_out_free(&o);
}

static void test_times_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "1970-01-01", 0 },
        { "2026-11-21", 1795219200000 },
        { "2026-11-21T10:15", 1795256100000 },
        { "2026-11-21 10:15:00", 1795256100000 },
        { "2026-11-21T10:15:00Z", 1795256100000 },
        { "2026-11-21T10:15:00.123Z", 1795256100123 },
        { "2026-11-21T10:15:00.1239999Z", 1795256100123 },
        { "2026-11-21T12:15:00+02:00", 1795256100000 },
        { "2026-11-21T12:15:00 02:00", 1795256100000 },
        { "2026-11-21T05:15:00-0500", 1795256100000 },
    };
    static const char *const bad[] = { "",
                                       "yesterday",
                                       "2026-13-01",
                                       "2026-11",
                                       "2026-11-21T",
                                       "2026-11-21T25:00",
                                       "2026-11-21x",
                                       "2026-11-21T10:15:00.Z",
                                       "2026-11-21T10:15:00Zx",
                                       "2026-11-21T10:15:00+2" };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(json_time_of(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(json_time_of(bad[i], &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf_8_stays_as_it_is),
        cmocka_unit_test(test_octets_that_are_no_utf_8_are_shown_as_digits),
        cmocka_unit_test(test_every_octet_gives_valid_json),
        cmocka_unit_test(test_octets_of_a_receipt_are_hexadecimal),
        cmocka_unit_test(test_a_document_has_all_its_members),
        cmocka_unit_test(test_a_part_that_failed_fails_the_whole),
        cmocka_unit_test(test_times_are_read_as_people_write_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
