/* Header blocks. */
#include "support.h"

static struct arena arena;
static struct mime_head head;

static bool read_head(struct span block, struct err *err)
{
    arena_free(&arena);
    *err = (struct err) { 0 };
    return mime_head_read(guard_after(block.p, block.n), &arena, &head, err);
}

static void expect(const char *block, const char *name, const char *value)
{
    struct err err;
    const char *got;

    if (!read_head(span_text(block), &err))
        fail_msg("%s\n%s", block, err.text);
    got = mime_head_get(&head, name);
    if (value == NULL)
        assert_null(got);
    else if (got == NULL)
        fail_msg("no %s in:\n%s", name, block);
    else
        assert_string_equal(got, value);
}

static void refused(struct span block, const char *why)
{
    struct err err;

    assert_false(read_head(block, &err));
    CHECK_EQ(err.kind, FAIL_PEER);
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" is not in: %s", why, err.text);
}

static void fields_are_read_with_either_line_end(void **state)
{
    (void)state;
    expect("A: 1\r\nB:2\r\n\r\n", "a", "1");
    expect("A: 1\nB:2\n\n", "B", "2");
    expect("A: 1\r\nB:  two words \t\r\n", "b", "two words");
    expect("A: 1", "A", "1");
    expect("A:\r\n", "A", "");
    expect("A: 1\r\nA: 2\r\n", "A", "1");
    expect("A: 1\r\n", "B", NULL);
    expect("A: b:c\xff\r\n", "A", "b:c\xff");
    expect("", "A", NULL);
    CHECK_EQ(head.n, 0);
    expect("\r\nA: 1\r\n", "A", NULL);
    expect("A: 1\r\n\r\n not a fold\r\nnor a field", "A", "1");
    CHECK_EQ(head.n, 1);
}

/* AS2-C9: folds in part headers are read; AS2-C45: names in any letter case. */
static void as2_c9_folds_are_joined_with_one_blank(void **state)
{
    static const char type[] = "multipart/signed; boundary=\"b\"; micalg=sha-256";

    (void)state;
    expect("Content-Type: multipart/signed;\r\n boundary=\"b\";\r\n\tmicalg=sha-256\r\n\r\n",
           "content-TYPE", type);
    expect("CONTENT-TYPE:\r\n multipart/signed; \t\r\n\t  boundary=\"b\"; micalg=sha-256\r\n"
           "X: y\r\n",
           "Content-Type", type);
    expect("content-type:\n multipart/signed;\n boundary=\"b\";\n   \n micalg=sha-256\n",
           "Content-Type", type);
    expect("A: 1\r\n \r\nB: 2\r\n", "A", "1");
    expect("A: 1\r\n \r\nB: 2\r\n", "B", "2");
    expect("A: 1\r\n ", "A", "1");
}

static void what_is_no_header_is_refused(void **state)
{
    (void)state;
    refused(span_text("no colon\r\n"), "line 1 is not");
    refused(span_text("A: 1\r\nno-colon\r\n"), "line 2 is not");
    refused(span_text("A : 1\r\n"), "is not");
    refused(span_text(": 1\r\n"), "is not");
    refused(span_text("\xc3\xa4: 1\r\n"), "is not");
    refused(span_text(" A: 1\r\n"), "blanks before");
    refused(span_text("\tA: 1\r\n"), "blanks before");
    refused(span_of("A: 1\0002\r\n", 9), "NUL");
    refused(span_of("A\0: 1\r\n", 8), "NUL");
    refused(span_text("A: 1\r2\r\n"), "CR without LF");
    refused(span_text("A: 1\r\r\n"), "CR without LF");
    refused(span_text("A: 1\r"), "CR without LF");
}

/* as2.md 11.1 #19 */
static void a_second_content_header_is_refused(void **state)
{
    static const char *const names[] = { "Content-Type", "Content-Transfer-Encoding",
                                         "Content-Disposition" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char block[200];

        (void)snprintf(block, sizeof(block), "%s: a\r\nX: y\r\n%s: a\r\n", names[i], names[i]);
        refused(span_text(block), "more than one Content-");
        block[0] = 'c';
        refused(span_text(block), "more than one Content-");
    }
}

/* ---- limits: AS2-C127, as2.md 11.1 #3 ---------------------------------------------------- */

static void put_line(struct bytes *b, const char *name, size_t octets, bool fold)
{
    size_t n = strlen(name);

    bytes_text(b, name);
    for (; n < octets; n++)
        bytes_text(b, fold && n == octets / 2 ? " " : "x");
    if (fold)
        memcpy(b->p + b->n - octets / 2 - 2, "\r\n ", 3);
    bytes_text(b, "\r\n");
}

static void as2_c127_lines_up_to_the_limit(void **state)
{
    struct err err;

    (void)state;
    for (int fold = 0; fold < 2; fold++)
        for (size_t over = 0; over < 2; over++) {
            struct bytes b = { 0 };

            put_line(&b, "A: ", MIME_LINE_MAX + over, fold != 0);
            CHECK_EQ(read_head(bytes_span(&b), &err), over == 0);
            if (over > 0)
                CHECK_EQ(err.kind, FAIL_PEER);
            bytes_free(&b);
        }
}

static void as2_c127_blocks_up_to_the_limit(void **state)
{
    struct err err;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct bytes b = { 0 };

        for (unsigned i = 0; i < 4; i++)
            put_line(&b, "A: ", MIME_LINE_MAX - 2 + (i == 3 ? over : 0), false);
        CHECK_EQ(b.n, MIME_HEAD_MAX + over);
        bytes_text(&b, "\r\n");
        CHECK_EQ(read_head(bytes_span(&b), &err), over == 0);
        if (over > 0)
            assert_non_null(strstr(err.text, "octets"));
        bytes_free(&b);
    }
}

static void as2_c127_fields_up_to_the_limit(void **state)
{
    struct bytes b = { 0 };
    struct err err;

    (void)state;
    for (unsigned i = 0; i < MIME_FIELDS_MAX; i++)
        bytes_text(&b, "A: 1\r\n");
    assert_true(read_head(bytes_span(&b), &err));
    CHECK_EQ(head.n, MIME_FIELDS_MAX);
    bytes_text(&b, "\r\n");
    assert_true(read_head(bytes_span(&b), &err));
    b.n -= 2;
    bytes_text(&b, "A: 1\r\n");
    refused(bytes_span(&b), "more than 100 fields");
    bytes_free(&b);
}

/* ---- damage ------------------------------------------------------------------------------ */

static const char good[] = "Content-Type: application/EDIFACT;\r\n\tname=a.edi\r\n"
                           "Content-Transfer-Encoding: binary\r\n\r\n";

static void truncated_and_damaged_blocks_are_read_or_refused(void **state)
{
    char block[sizeof(good)];
    struct err err;

    (void)state;
    for (size_t n = 0; n < sizeof(good); n++)
        if (!read_head(span_of(good, n), &err))
            assert_true(err.text[0] != '\0');
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
        memcpy(block, good, sizeof(good));
        block[bit / 8] = (char)(block[bit / 8] ^ 1 << bit % 8);
        if (!read_head(span_text(block), &err))
            CHECK_EQ(err.kind, FAIL_PEER);
    }
}

static void a_failure_leaves_the_output_alone(void **state)
{
    struct mime_head h = { NULL, 42 };
    struct err err;

    (void)state;
    assert_false(mime_head_read(span_text("A: 1\r\nx\r\n"), &arena, &h, &err));
    CHECK_EQ(h.n, 42);
    assert_null(h.fields);
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
        cmocka_unit_test(fields_are_read_with_either_line_end),
        cmocka_unit_test(as2_c9_folds_are_joined_with_one_blank),
        cmocka_unit_test(what_is_no_header_is_refused),
        cmocka_unit_test(a_second_content_header_is_refused),
        cmocka_unit_test(as2_c127_lines_up_to_the_limit),
        cmocka_unit_test(as2_c127_blocks_up_to_the_limit),
        cmocka_unit_test(as2_c127_fields_up_to_the_limit),
        cmocka_unit_test(truncated_and_damaged_blocks_are_read_or_refused),
        cmocka_unit_test(a_failure_leaves_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
