/* File names: AS2-C122. */
#include "support.h"

static struct arena arena;

/* The name in a header, NULL: none. */
static const char *found(const char *block)
{
    struct mime_head h;
    struct err err;

    arena_free(&arena);
    if (!mime_head_read(span_text(block), &arena, &h, &err))
        fail_msg("%s\n%s", block, err.text);
    return mime_file_name(&h, &arena);
}

static void expect_found(const char *block, const char *want)
{
    const char *name = found(block);

    if (want == NULL)
        assert_null(name);
    else if (name == NULL)
        fail_msg("no name in: %s", block);
    else
        assert_string_equal(name, want);
}

static void expect_safe(const char *name, const char *want, bool want_changed)
{
    char text[MIME_FILE_NAME_MAX + 1];
    bool changed = !want_changed;

    memset(text, 'X', sizeof(text));
    mime_safe_name(name, "payload-7", text, &changed);
    assert_string_equal(text, want);
    CHECK_EQ(changed, want_changed);
}

/* AS2-C122: as2.md 5.5, the order of the sources. */
static void as2_c122_the_name_is_found_in_the_order_of_its_sources(void **state)
{
    (void)state;
    expect_found("Content-Type: a/b; name=t\r\nContent-Disposition: attachment; filename=d; "
                 "filename*=utf-8''e\r\n",
                 "e");
    expect_found("Content-Type: a/b; name=t\r\nContent-Disposition: attachment; filename=d\r\n",
                 "d");
    expect_found("Content-Type: a/b; name=t\r\nContent-Disposition: attachment\r\n", "t");
    expect_found("Content-Type: a/b; name=t\r\nContent-Disposition: ;;=\r\n", "t");
    expect_found("Content-Type: a/b\r\n", NULL);
    expect_found("", NULL);
    expect_found("Content-Disposition: attachment; filename=\"a b.edi\"\r\n", "a b.edi");
    expect_found("Content-Disposition: attachment;\r\n filename=\"=?utf-8?B?w6Q=?=.edi\"\r\n",
                 "\xc3\xa4.edi");
    expect_found("Content-Disposition: attachment; filename*=utf-8''=?utf-8?B?w6Q=?=\r\n",
                 "=?utf-8?B?w6Q=?=");
    expect_found("Content-Disposition: attachment; filename=\"\xe4\"\r\n", "\xc3\xa4");
    expect_found("Content-Disposition: attachment; filename=\"\xc3\xa4\"\r\n", "\xc3\xa4");
}

/* AS2-C122: the table of as2.md 11.2. */
static void as2_c122_names_are_made_safe_as_listed(void **state)
{
    (void)state;
    expect_safe("../../etc/passwd", "passwd", true);
    expect_safe("C:\\in\\a.edi", "a.edi", true);
    expect_safe("..", "payload-7", true);
    expect_safe("", "payload-7", false);
    expect_safe(NULL, "payload-7", false);
    expect_safe("///", "payload-7", true);
    expect_safe(".htaccess", "htaccess", true);
    expect_safe("nul.txt", "_nul.txt", true);
    expect_safe("a*b?.edi", "a_b_.edi", true);
    expect_safe(found("Content-Disposition: attachment; "
                      "filename=\"=?utf-8?B?Li4vLi4veA==?=\"\r\n"),
                "x", true);
    expect_safe(found("Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fx.edi\r\n"),
                "x.edi", true);
    expect_safe("-rf", "rf", true);
}

static void names_are_made_safe_in_every_other_way(void **state)
{
    (void)state;
    expect_safe("orders 2026-11-21 (1).edi", "orders 2026-11-21 (1).edi", false);
    expect_safe("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.edi",
                "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.edi", false);
    expect_safe("\xe4.edi", "\xc3\xa4.edi", false); /* ISO-8859-1 */
    expect_safe("\xc0\xaf\x41", "\xc3\x80\xc2\xaf\x41", false);
    expect_safe("\x80\x9b", "__", true);
    expect_safe("a\r\nb\tc\x1b\x7f", "a__b_c__", true);
    expect_safe("a\xe2\x80\xaegpj.exe", "a_gpj.exe", true); /* right-to-left override */
    expect_safe("a\xe2\x80\x8b\xef\xbb\xbf\xe2\x81\xa6"
                "b",
                "a___b", true);
    expect_safe("<>:\"|", "_____", true);
    expect_safe("a. . ", "a", true);
    expect_safe(" .- a", "a", true);
    expect_safe("a-", "a-", false);
    expect_safe("x/", "payload-7", true);
    expect_safe("x\\y/z\\w", "w", true);
    expect_safe("CON", "_CON", true);
    expect_safe("con .x", "_con .x", true);
    expect_safe("aux.a.b", "_aux.a.b", true);
    expect_safe("Lpt9", "_Lpt9", true);
    expect_safe("COM0.edi", "_COM0.edi", true);
    expect_safe("COM10", "COM10", false);
    expect_safe("COMX", "COMX", false);
    expect_safe("CONS", "CONS", false);
    expect_safe("nu", "nu", false);
}

static void a_nul_in_a_name_does_not_end_it(void **state)
{
    (void)state;
    expect_safe(found("Content-Disposition: attachment; filename*=utf-8''a.edi%00.exe\r\n"),
                "a.edi_.exe", true);
    expect_safe(found("Content-Disposition: attachment; filename=\"=?utf-8?Q?a=00b?=\"\r\n"),
                "a_b", true);
}

static void the_fallback_is_made_safe_too(void **state)
{
    char text[MIME_FILE_NAME_MAX + 1];
    bool changed;

    (void)state;
    mime_safe_name(NULL, "<1/2@x>", text, &changed);
    assert_string_equal(text, "2@x_");
    assert_false(changed);
    mime_safe_name("..", "..", text, &changed);
    assert_string_equal(text, "payload");
    assert_true(changed);
}

static void long_name(const char *unit, size_t n, const char *end, size_t want_n,
                      const char *want_end)
{
    struct bytes name = { 0 };
    char text[MIME_FILE_NAME_MAX + 1];
    bool changed;

    for (size_t i = 0; i < n; i++)
        bytes_text(&name, unit);
    bytes_text(&name, end);
    mime_safe_name((const char *)name.p, "f", text, &changed);
    CHECK_EQ(strlen(text), want_n);
    assert_string_equal(text + want_n - strlen(want_end), want_end);
    assert_memory_equal(text, name.p, want_n - strlen(want_end));
    CHECK_EQ(changed, name.n > MIME_FILE_NAME_MAX);
    bytes_free(&name);
}

static void as2_c127_names_up_to_the_limit(void **state)
{
    (void)state;
    long_name("a", 200, "", 200, "aaa");
    long_name("a", 201, "", 200, "aaa");
    long_name("a", 196, ".edi", 200, ".edi");
    long_name("a", 197, ".edi", 200, "a.edi");
    long_name("a", 5000, ".edi", 200, "a.edi");
    /* extensions of 16 and 17 octets */
    long_name("a", 300, ".1234567890123456", 200, ".1234567890123456");
    long_name("a", 300, ".12345678901234567", 200, "aaaa");
    /* whole characters only */
    long_name("\xc3\xa4", 100, "", 200, "\xc3\xa4");
    long_name("\xc3\xa4", 101, "", 200, "\xc3\xa4");
    long_name("\xe2\x82\xac", 67, "", 198, "\xe2\x82\xac");
    long_name("\xc3\xa4", 200, ".x", 200, "\xc3\xa4.x");
    long_name("\xc3\xa4", 200, ".xy", 199, "\xc3\xa4.xy");
}

/* Whatever the octets: UTF-8, one component, at most 200 octets, safe a second time. */
static void random_octets_become_safe_names(void **state)
{
    static const char special[] = "./\\ -\xc3\xa4\xe2\x80\xae:*conN1\x80\xff";
    uint32_t x = 7;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char name[300], once[MIME_FILE_NAME_MAX + 1], twice[MIME_FILE_NAME_MAX + 1];
        size_t n = round % sizeof(name);
        bool changed;

        for (size_t i = 0; i < n; i++) {
            x = x * 1664525 + 1013904223;
            name[i] = special[(x >> 16) % (sizeof(special) - 1)];
        }
        name[n] = '\0';
        if (n > 0)
            name[n - 1] = '\0';
        mime_safe_name(name, "f", once, &changed);
        assert_true(once[0] != '\0' && once[0] != '.' && once[0] != '-');
        assert_null(strpbrk(once, "/\\:*"));
        mime_safe_name(once, "g", twice, &changed);
        assert_string_equal(twice, once);
        assert_false(changed);
    }
}

static void names_are_written_into_headers(void **state)
{
    static const char *const names[][2] = {
        { "a.edi", "; filename=\"a.edi\"" },
        { "a \"b\"\\c", "; filename=\"a \\\"b\\\"\\\\c\"" },
        { "a\r\nb", "; filename=\"a__b\"" },
        { "\xc3\xa4 (1).edi",
          "; filename=\"_ (1).edi\"; filename*=UTF-8''%C3%A4%20%281%29.edi" },
        { "\xe4", "; filename=\"_\"; filename*=UTF-8''%C3%A4" },
        { "\xe2\x82\xac%'*\x01", "; filename=\"_%'*_\"; filename*=UTF-8''%E2%82%AC%25%27%2A_" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char block[200];

        arena_free(&arena);
        assert_string_equal(mime_file_name_param(names[i][0], &arena), names[i][1]);
        (void)snprintf(block, sizeof(block), "Content-Disposition: attachment%s\r\n",
                       names[i][1]);
        if (i != 2 && i < 4) /* what was written is found again */
            expect_found(block, names[i][0]);
    }
}

static int done(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as2_c122_the_name_is_found_in_the_order_of_its_sources),
        cmocka_unit_test(as2_c122_names_are_made_safe_as_listed),
        cmocka_unit_test(names_are_made_safe_in_every_other_way),
        cmocka_unit_test(a_nul_in_a_name_does_not_end_it),
        cmocka_unit_test(the_fallback_is_made_safe_too),
        cmocka_unit_test(as2_c127_names_up_to_the_limit),
        cmocka_unit_test(random_octets_become_safe_names),
        cmocka_unit_test(names_are_written_into_headers),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
