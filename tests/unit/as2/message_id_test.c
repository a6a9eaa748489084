/* Message-ID: as2.md 1.3. */
#include "test.h"

/* AS2-C10, AS2-C100: brackets, '@' and length do not matter; brackets are not part of the id. */
static void an_id_is_what_is_between_the_brackets(void **state)
{
    static const struct {
        const char *value, *id;
    } rows[] = {
        { "<0001@sender.example>", "0001@sender.example" },
        { "0001@sender.example", "0001@sender.example" },
        { " <0001@sender.example>\t", "0001@sender.example" },
        { "0574493161569973Sterling20574493161569973MOKO",
          "0574493161569973Sterling20574493161569973MOKO" },
        { "<<a@b>>", "<a@b>" }, /* one pair */
        { "<a@b", "<a@b" },
        { "a@b>", "a@b>" },
        { "<a b@c>", "a b@c" },
        { "<#\"\\~@x>", "#\"\\~@x" },
        { "<", "<" },
        { "<>", NULL },
        { "", NULL },
        { " \t", NULL },
        { "<a\tb>", NULL },
        { "<a@b>\r\n", NULL },
        { "<a\x01>", NULL },
        { "<a\x7f>", NULL },
        { "<\xE4@b>", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char id[AS2_MESSAGE_ID_MAX + 1] = "untouched";
        char *value = exact_text(rows[i].value, strlen(rows[i].value));

        if (as2_message_id_read(value, id) != (rows[i].id != NULL))
            fail_msg("row %zu: %s", i, rows[i].value);
        assert_string_equal(id, rows[i].id != NULL ? rows[i].id : "untouched");
        free(value);
    }
}

/* AS2-C10, AS2-C127 */
static void an_id_has_up_to_998_characters(void **state)
{
    static const size_t sizes[] = { 1,   100, 300, AS2_MESSAGE_ID_MAX, AS2_MESSAGE_ID_MAX + 1,
                                    5000 };
    static char room[6000], bracketed[6003], id[AS2_MESSAGE_ID_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        many(room, 'x', sizes[i]);
        (void)snprintf(bracketed, sizeof(bracketed), "<%s>", room);
        CHECK_EQ(as2_message_id_read(room, id), sizes[i] <= AS2_MESSAGE_ID_MAX);
        CHECK_EQ(as2_message_id_read(bracketed, id), sizes[i] <= AS2_MESSAGE_ID_MAX);
    }
}

static void an_id_that_is_made_has_only_legal_characters(void **state)
{
    static const struct {
        const char *domain, *id;
    } rows[] = {
        { "edi.example", "<1800000000123-abcd@edi.example>" },
        { "EDI_1.example-2", "<1800000000123-abcd@EDI_1.example-2>" },
        { "..a b..\"c\r\n\\<>@\xC3\xA4.d..", "<1800000000123-abcd@ab.c.d>" },
        { "", "<1800000000123-abcd@as2>" },
        { "...", "<1800000000123-abcd@as2>" },
    };
    struct arena a = { 0 };
    char room[1000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(as2_message_id_make(&a, 1800000000123, "abcd", rows[i].domain),
                            rows[i].id);
    assert_in_range(
        strlen(as2_message_id_make(&a, INT64_MAX, "0123456789abcdef0123456789abcdef",
                                   many(room, 'd', 999))),
        100, 255);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_what_is_between_the_brackets),
        cmocka_unit_test(an_id_has_up_to_998_characters),
        cmocka_unit_test(an_id_that_is_made_has_only_legal_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
