/* Header fields that leave: as2.md 1.1, 11.1 #6. */
#include "test.h"

#include <time.h>

static const struct as2_envelope plain = {
    .version = "1.2",
    .from = "SENDERCO",
    .to = "RECVCO",
    .message_id = "<0001@sender.example>",
    .subject = "orders",
    .now_ms = 1767323045000,
    .user_agent = "Waybill",
    .features = "multiple-attachments",
};

static void the_envelope_of_the_example_is_written(void **state)
{
    struct arena a = { 0 };
    struct as2_headers h = { .arena = &a };

    (void)state;
    as2_envelope_write(&h, &plain);
    assert_false(h.failed);
    assert_string_equal(h.text, "AS2-Version: 1.2\r\n"
                                "EDIINT-Features: multiple-attachments\r\n"
                                "AS2-From: SENDERCO\r\n"
                                "AS2-To: RECVCO\r\n"
                                "Message-ID: <0001@sender.example>\r\n"
                                "Subject: orders\r\n"
                                "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
                                "MIME-Version: 1.0\r\n"
                                "User-Agent: Waybill\r\n");
    CHECK_EQ(h.n, strlen(h.text));
    arena_free(&a);
}

/* AS2-C123 */
static void features_are_sent_from_version_1_2_on(void **state)
{
    static const struct {
        const char *version;
        bool features;
    } rows[] = { { "1.0", false }, { "1.1", false }, { "1.2", true },
                 { "1.3", true },  { "1.10", true }, { "2.0", true } };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_headers h = { .arena = &a };
        struct as2_envelope e = plain;

        e.version = rows[i].version;
        e.server = true;
        as2_envelope_write(&h, &e);
        assert_false(h.failed);
        CHECK_EQ(strstr(h.text, "EDIINT-Features: ") != NULL, rows[i].features);
        assert_non_null(
            strstr(h.text, arena_printf(&a, "AS2-Version: %s\r\n", rows[i].version)));
        assert_non_null(strstr(h.text, "Server: Waybill\r\n"));
    }
    arena_free(&a);
}

/* AS2-C5, AS2-C7: names are quoted when needed; what came is returned as it came. */
static void names_are_written_in_the_right_form(void **state)
{
    struct arena a = { 0 };
    struct as2_headers h = { .arena = &a }, raw = { .arena = &a };
    struct as2_envelope e = plain;

    (void)state;
    e.from = "SENDER CO";
    e.to = "RE\"CV";
    as2_envelope_write(&h, &e);
    assert_non_null(strstr(h.text, "AS2-From: \"SENDER CO\"\r\nAS2-To: \"RE\\\"CV\"\r\n"));
    e.raw_names = true;
    e.from = "\"SENDER\"";
    e.to = "RECV CO";
    as2_envelope_write(&raw, &e);
    assert_non_null(strstr(raw.text, "AS2-From: \"SENDER\"\r\nAS2-To: \"RECV CO\"\r\n"));
    arena_free(&a);
}

/* AS2-C128: none of these ever gets into a header, in no place. */
static void a_value_that_would_end_the_line_is_refused(void **state)
{
    static const char *const bad[] = { "a\r\nX: y", "a\nb",  "a\rb",      "~\r\n",    "a\tb",
                                       "a\x01",     "a\x7f", "a\x1b[31m", "a\xC3\xA4" };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (int place = 0; place < 7; place++) {
            struct as2_headers h = { .arena = &a };
            struct as2_envelope e = plain;

            e.raw_names = place == 6;
            if (place == 0)
                e.from = bad[i];
            else if (place == 1 || place == 6)
                e.to = bad[i];
            else if (place == 2)
                e.message_id = bad[i];
            else if (place == 3)
                e.user_agent = bad[i];
            else if (place == 4)
                e.features = bad[i];
            else
                e.version = arena_printf(&a, "1.2%s", bad[i]);
            as2_envelope_write(&h, &e);
            assert_true(h.failed);
            assert_true(h.n == 0 || strstr(h.text, bad[i]) == NULL);
        }
    arena_free(&a);
}

static void a_name_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = { "", "a b", "a:", "a\r\n", "\xC3\xA4", "(a)", "a\x7f" };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct as2_headers h = { .arena = &a };

        as2_header(&h, bad[i], "x");
        assert_true(h.failed);
        as2_header(&h, "Good", "x"); /* it stays so */
        CHECK_EQ(h.n, 0);
    }
    arena_free(&a);
}

/* AS2-C8: however long a value is, it is one line. */
static void no_length_folds_a_line(void **state)
{
    static char room[20001];
    struct arena a = { 0 };
    struct as2_headers h = { .arena = &a };

    (void)state;
    for (size_t n = 0; n <= 20000; n += 997) {
        as2_header(&h, "X-Long", many(room, 'x', n));
        as2_header(&h, "X-None", NULL);
    }
    assert_false(h.failed);
    CHECK_EQ(strlen(h.text), h.n);
    for (size_t i = 0, line = 0; i < h.n; i++)
        if (h.text[i] == '\n') {
            assert_memory_equal(h.text + line, "X-Long: ", 8);
            CHECK_EQ(h.text[i - 1], '\r');
            line = i + 1;
        }
    as2_header(&h, "Subject", as2_header_text(many(room, '\xE4', 20000), &a));
    assert_false(h.failed);
    arena_free(&a);
}

static void a_subject_beyond_ascii_is_encoded(void **state)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        { "orders", "orders" },
        { "", "" },
        { "a\r\nBcc: b\tc", "a??Bcc: b?c" },
        { "Bestellung f\xC3\xBCr", "=?UTF-8?B?QmVzdGVsbHVuZyBmw7xy?=" },
        { "\xC3\xA4\xC2\x85z", "=?UTF-8?B?w6Q/eg==?=" }, /* C1 */
        { "\xE4", "?" },
        { "\xC0\xAF\xED\xA0\x80\xF4\x90\x80\x80", "?????????" },
        { "\xE2\x82", "??" },
    };
    struct arena a = { 0 };
    const char *value;
    char room[1000] = "";
    size_t words = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *text = exact_text(rows[i].text, strlen(rows[i].text));

        assert_string_equal(as2_header_text(text, &a), rows[i].value);
        free(text);
    }
    /* words of 75 characters at most, cut between characters */
    for (size_t i = 0; i < 300; i++)
        (void)strcat(room, "\xE2\x82\xAC");
    value = as2_header_text(room, &a);
    for (const char *p = value; p != NULL; p = strchr(p + 1, ' ')) {
        const char *end = strstr(p + 1, "?=");

        assert_non_null(end);
        assert_in_range(end + 2 - (*p == ' ' ? p + 1 : p), 1, 75);
        words++;
    }
    CHECK_EQ(words, 20);
    arena_free(&a);
}

static void a_date_is_in_english_and_gmt(void **state)
{
    struct arena a = { 0 };

    (void)state;
    assert_string_equal(as2_date(1795227006999, &a), "Sat, 21 Nov 2026 02:10:06 GMT");
    assert_string_equal(as2_date(0, &a), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(as2_date(951827696000, &a), "Tue, 29 Feb 2000 12:34:56 GMT");
    assert_null(as2_date(-1, &a));
    /* every day of four centuries as the C library has it */
    for (int64_t day = 0; day < 146100; day++) {
        time_t t = (time_t)(day * 86400 + day % 86400);
        char want[64];
        struct tm tm;

        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
        assert_string_equal(as2_date((int64_t)t * 1000, &a), want);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_envelope_of_the_example_is_written),
        cmocka_unit_test(features_are_sent_from_version_1_2_on),
        cmocka_unit_test(names_are_written_in_the_right_form),
        cmocka_unit_test(a_value_that_would_end_the_line_is_refused),
        cmocka_unit_test(a_name_that_is_none_is_refused),
        cmocka_unit_test(no_length_folds_a_line),
        cmocka_unit_test(a_subject_beyond_ascii_is_encoded),
        cmocka_unit_test(a_date_is_in_english_and_gmt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
