/* AS2 names: as2.md 1.2 and the table of 13.4. */
#include "test.h"

static const struct {
    const char *value, *name; /* NULL: none */
    const char *echo;         /* what goes back; NULL: the value as it is */
} table[] = {
    { "ACME", "ACME", NULL },
    { " ACME ", "ACME", "ACME" },
    { "\tACME\t", "ACME", "ACME" },
    { "\"ACME\"", "ACME", NULL },
    { "\"AC ME\"", "AC ME", NULL },
    { "\"A\\\"B\\\\C\"", "A\"B\\C", NULL },
    { "\"A\\C\"", NULL, NULL },
    { "\"ACME", "\"ACME", "\"\\\"ACME\"" }, /* matches no name: the caller's 400 */
    { "ACME\"", "ACME\"", "\"ACME\\\"\"" },
    { "AC ME", "AC ME", "\"AC ME\"" },
    { "\"\\\" as2Name \\\"\"", "\" as2Name \"", NULL }, /* RFC 4130 A.1 */
    { "ACME-1!#[x];<y>@z,'&/", "ACME-1!#[x];<y>@z,'&/", NULL },
    { "\"ACME-1!#[x];<y>@z,'&/\"", "ACME-1!#[x];<y>@z,'&/", NULL },
    { "a b c !", "a b c !", "\"a b c !\"" },
    { "", NULL, NULL },
    { "   ", NULL, NULL },
    { "\"\"", NULL, NULL },
    { "\"", "\"", "\"\\\"\"" },
    { "\"A\"B\"", NULL, NULL },
    { "\"A\\\"", NULL, NULL },          /* the last quote is an escaped one */
    { "A\\\"B", "A\"B", "\"A\\\"B\"" }, /* escaped and not quoted */
    { "A\\B", "A\\B", "\"A\\\\B\"" },
    { "A\tB", NULL, NULL },
    { "A\r\n", NULL, NULL },
    { "A\x01", NULL, NULL },
    { "A\x7f", NULL, NULL },
    { "A\xC3\xA4", NULL, NULL },
    { "\"A\xE4\"", NULL, NULL },
};

/* AS2-C6: quoted and not quoted name the same partner; case is kept, so another case does not. */
static void the_table_of_the_reference_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char name[AS2_NAME_MAX + 1] = "untouched";
        char *value = exact_text(table[i].value, strlen(table[i].value));

        if (as2_name_read(value, name) != (table[i].name != NULL))
            fail_msg("row %zu: %s", i, table[i].value);
        assert_string_equal(name, table[i].name != NULL ? table[i].name : "untouched");
        free(value);
    }
}

/* AS2-C7: a name goes back quoted as it came, and rightly when it came wrongly. */
static void a_name_is_echoed_as_it_was_quoted(void **state)
{
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *echo = as2_name_echo(table[i].value, &a);

        if (table[i].name == NULL)
            assert_null(echo);
        else
            assert_string_equal(echo, table[i].echo != NULL ? table[i].echo : table[i].value);
    }
    arena_free(&a);
}

/* AS2-C4, AS2-C127: 1 and 128 characters, counted after unquoting, not 0 and 129. */
static void a_name_has_up_to_128_characters(void **state)
{
    char room[300], quoted[310], escaped[300], name[AS2_NAME_MAX + 1];

    (void)state;
    for (size_t n = 1; n <= 140; n++) {
        many(room, 'x', n);
        CHECK_EQ(as2_name_read(room, name), n <= AS2_NAME_MAX);
        (void)snprintf(quoted, sizeof(quoted), "\"%s\"", room);
        CHECK_EQ(as2_name_read(quoted, name), n <= AS2_NAME_MAX);
        escaped[0] = '\0';
        for (size_t i = 0; i < n; i++)
            (void)strcat(escaped, "\\\"");
        CHECK_EQ(as2_name_read(escaped, name), n <= AS2_NAME_MAX);
        if (n <= AS2_NAME_MAX)
            CHECK_EQ(strlen(name), n);
    }
}

/* AS2-C5: quotes only around what needs them, only '"' and '\' escaped. */
static void a_name_is_quoted_only_when_needed(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { "ACME", "ACME" },
        { "AC ME", "\"AC ME\"" },
        { "A\"B", "\"A\\\"B\"" },
        { "A\\B", "\"A\\\\B\"" },
        { "ACME-1!#[x];<y>@z,'&/", "ACME-1!#[x];<y>@z,'&/" },
        { "(comment)", "(comment)" },
    };
    char text[2 * AS2_NAME_MAX + 3];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        as2_name_write(rows[i].name, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* AS2-C5, AS2-C6: every printable character, alone, doubled and at both ends; the longest name. */
static void what_is_written_is_read_back(void **state)
{
    char text[2 * AS2_NAME_MAX + 3], name[AS2_NAME_MAX + 1], back[AS2_NAME_MAX + 1];

    (void)state;
    for (int c = ' ' + 1; c <= '~'; c++)
        for (size_t n = 1; n <= AS2_NAME_MAX; n += n == 3 ? AS2_NAME_MAX - 3 : 1) {
            as2_name_write(many(name, (char)c, n), text);
            assert_true(as2_name_read(text, back));
            assert_string_equal(back, name);
        }
}

static void a_flipped_bit_gives_a_legal_name_or_none(void **state)
{
    static const char value[] = "\"A\\\"B \\\\C\"";
    char name[AS2_NAME_MAX + 1];

    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof(value) - 1); bit++) {
        char *text = exact_text(value, sizeof(value) - 1);

        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (as2_name_read(text, name))
            for (const char *p = name; *p != '\0'; p++)
                assert_in_range(*p, ' ', '~');
        free(text);
    }
    for (size_t n = 0; n < sizeof(value) - 1; n++) {
        char *text = exact_text(value, n);

        if (as2_name_read(text, name))
            assert_in_range(strlen(name), 1, n);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_reference_holds),
        cmocka_unit_test(a_name_is_echoed_as_it_was_quoted),
        cmocka_unit_test(a_name_has_up_to_128_characters),
        cmocka_unit_test(a_name_is_quoted_only_when_needed),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_flipped_bit_gives_a_legal_name_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
