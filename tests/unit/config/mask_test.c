/* Secrets in texts: hidden, and put back. */
#include "support.h"

static const char *hidden(struct arena *a, const char *text)
{
    const char *shown = config_mask(a, text);

    assert_non_null(shown);
    return shown;
}

static void secrets_are_hidden_wherever_they_stand(void **state)
{
    static const char *const texts[][2] = {
        { "partner: p # ä\noftp2: {odette_id: O1, password: PW, host: h} # x\n",
          "partner: p # ä\noftp2: {odette_id: O1, password: \"********\", host: h} # x\n" },
        { "partner: p\noftp2:\n  password: 'a b' # c\n  port: 1\n",
          "partner: p\noftp2:\n  password: \"********\" # c\n  port: 1\n" },
        { "certificate: c\nsealed_key: |\n  abc\n  def\nfile: /x\n",
          "certificate: c\nsealed_key: \"********\"\n\n\nfile: /x\n" },
        { "certificate: c\nalso:\n- file: /x\n  key_password: k\n",
          "certificate: c\nalso:\n- file: /x\n  key_password: \"********\"\n" },
        { "partner: p\noftp2: {password: {secret: name}}\n",
          "partner: p\noftp2: {password: {secret: name}}\n" },
        { "partner: p\noftp2: {password: {any: true}}\n",
          "partner: p\noftp2: {password: {any: true}}\n" },
        { "partner: p\nas2: {our_password: x, mdn_password: \"y\\\"z\"}",
          "partner: p\nas2: {our_password: \"********\", mdn_password: \"********\"}" },
        { "process: p\nnew_setting: {password: x}\n",
          "process: p\nnew_setting: {password: \"********\"}\n" },
        { "partner: password\n", "partner: password\n" },
        { "partner: [", "# not readable as YAML\n" },
        { "", "" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_string_equal(hidden(&a, texts[i][0]), texts[i][1]);
    arena_free(&a);
}

static const char *old_text(void *context, const char *kind, const char *name)
{
    const char *text = context;

    assert_string_equal(kind, "partner");
    return strcmp(name, "p") == 0 ? text : NULL;
}

static void hidden_ones_are_put_back(void **state)
{
    static const char *const texts[] = {
        "partner: p\noftp2: {odette_id: O1, password: PW}\n",
        "partner: p # ä\noftp2:\n  password: 'P W' # ö\n  port: 1\n",
        "partner: p\noftp2:\n  password: \"P\\\"W\"\n",
        "partner: p\noftp2: {password: {secret: name}}\n",
        "partner: p\nas2: {our_password: x/y-1.0}\n",
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        union {
            const char *text;
            void *context;
        } old = { texts[i] };
        const char *back = config_unmask(&a, hidden(&a, texts[i]), old_text, old.context);

        assert_non_null(back);
        assert_string_equal(back, texts[i]);
    }
    arena_free(&a);
}

static void expect_back(const char *old, const char *given, const char *want)
{
    union {
        const char *text;
        void *context;
    } was = { old };
    struct arena a = { 0 };
    const char *back = config_unmask(&a, given, old_text, was.context);

    assert_non_null(back);
    assert_string_equal(back, want);
    arena_free(&a);
}

#define MASK "\"********\""

static void only_from_the_same_place_of_the_same_component(void **state)
{
    (void)state;
    /* other components of the stream, and settings that were not there */
    expect_back(
        "partner: p\noftp2: {password: A}\n",
        "---\npartner: q\noftp2: {password: " MASK "}\n---\npartner: p\noftp2: {port: 2, "
        "password: ********}\n",
        "---\npartner: q\noftp2: {password: " MASK "}\n---\npartner: p\noftp2: {port: 2, "
        "password: ********}\n");
    expect_back(
        "partner: p\noftp2: {password: A}\n",
        "---\npartner: q\noftp2: {password: " MASK "}\n---\npartner: p\noftp2: {port: 2, "
        "password: " MASK "}\n",
        "---\npartner: q\noftp2: {password: " MASK "}\n---\npartner: p\noftp2: {port: 2, "
        "password: A}\n");
    expect_back("partner: p\noftp2: {password: A}\n",
                "partner: p\nas2: {our_password: " MASK "}\n",
                "partner: p\nas2: {our_password: " MASK "}\n");
    expect_back("partner: p\noftp2: {password: {secret: x}}\n",
                "partner: p\noftp2: {password: " MASK "}\n",
                "partner: p\noftp2: {password: " MASK "}\n");
    /* what is no secret may be asterisks */
    expect_back("partner: p\nx: 1\n", "partner: p\nx: " MASK "\n", "partner: p\nx: " MASK "\n");
    /* plain in a block may not be plain elsewhere */
    expect_back("partner: p\noftp2:\n  password: a,b\n",
                "partner: p\noftp2: {password: " MASK "}\n",
                "partner: p\noftp2: {password: \"a,b\"}\n");
}

static void items_of_lists_are_known_by_the_rest(void **state)
{
    static const char old[] =
        "partner: p\nalso: [{file: /a, key_password: A}, {file: /b, key_password: B}]\n";

    (void)state;
    expect_back(
        old,
        "partner: p\nalso: [{file: /b, key_password: " MASK "}, {file: /a, key_password: " MASK
        "}]\n",
        "partner: p\nalso: [{file: /b, key_password: B}, {file: /a, key_password: A}]\n");
    expect_back(old, "partner: p\nalso: [{file: /c, key_password: " MASK "}]\n",
                "partner: p\nalso: [{file: /c, key_password: " MASK "}]\n");
}

static void a_mask_without_anything_behind_it_is_a_problem(void **state)
{
    static const char text[] =
        "partner: p\noftp2: {odette_id: O1, password: " MASK ", host: h}\n";
    struct config_component **list = NULL;
    struct config_problems ps = { 0 };
    size_t n;

    (void)state;
    assert_false(config_components_parse(span_text(text), "f", &list, &n, &ps));
    assert_int_equal(ps.n, 1);
    assert_non_null(strstr(ps.first->text, "hidden"));
    config_problems_free(&ps);
}

static const char *none(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    return *name == 'p' ? "partner: p\noftp2: {password: A}\n" : NULL;
}

static void any_octets_are_taken(void **state)
{
    static const char text[] =
        "partner: p\noftp2:\n  password: \"********\"\n  also: [{x: |\n}]\n";
    struct arena a = { 0 };
    char copy[sizeof(text)];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, text, sizeof(text));
            copy[i] = (char)(copy[i] ^ (1 << bit));
            if (strlen(copy) < sizeof(text) - 1)
                continue;
            (void)hidden(&a, copy);
            assert_non_null(config_unmask(&a, copy, none, NULL));
        }
    for (size_t i = 0; i < sizeof(text); i++) {
        memcpy(copy, text, i);
        copy[i] = '\0';
        (void)hidden(&a, copy);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_hidden_wherever_they_stand),
        cmocka_unit_test(hidden_ones_are_put_back),
        cmocka_unit_test(only_from_the_same_place_of_the_same_component),
        cmocka_unit_test(items_of_lists_are_known_by_the_rest),
        cmocka_unit_test(a_mask_without_anything_behind_it_is_a_problem),
        cmocka_unit_test(any_octets_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
