/* Every type of row, good and bad, through a mapping of the test's own. */
#include "support.h"

#include "config/schema_int.h"

struct part {
    uint32_t n;
};

struct all {
    const char *text, *word, *small;
    int choice, maybe;
    bool yes, any, given;
    uint32_t number;
    uint16_t port;
    uint64_t duration, size;
    struct config_secret secret, password;
    const char *const *texts;
    struct part part, *parts;
    size_t parts_n;
    struct config_at at;
};

static const struct row part_rows[] = {
    { "n", ROW_NUMBER, offsetof(struct part, n), .max = 9, .flags = ROW_REQUIRED,
      .help = "N." },
};
static const struct mapping part_mapping = {
    .name = "part",
    .rows = part_rows,
    .rows_n = 1,
    .size = sizeof(struct part),
};
static const struct word words[] = {
    { .name = "red" }, { .name = "blue" }, { "azure", 0, "blue" }, { .name = NULL }
};
static const struct word choices[] = { { "one", 1, NULL },
                                       { "five", 5, NULL },
                                       { NULL, 0, NULL } };

#define AT(member) offsetof(struct all, member)
/* clang-format off */
static const struct row rows[] = {
    { "text", ROW_TEXT, AT(text), .def = "default" },
    { "small", ROW_TEXT, AT(small), .max = 3, .flags = ROW_EMPTY },
    { "word", ROW_WORD, AT(word), .words = words },
    { "choice", ROW_CHOICE, AT(choice), .words = choices, .def = "five" },
    { "maybe", ROW_MAYBE, AT(maybe), .def = NULL },
    { "yes", ROW_BOOL, AT(yes), .def = "true" },
    { "number", ROW_NUMBER, AT(number), .def = "2", .min = 2, .max = 64 },
    { "port", ROW_PORT, AT(port), .min = 1, .max = 65535 },
    { "duration", ROW_DURATION, AT(duration), .min = 10, .max = 3600000, .flags = ROW_ZERO },
    { "size", ROW_SIZE, AT(size), .max = UINT64_C(1) << 40 },
    { "secret", ROW_SECRET, AT(secret), .max = 8 },
    { "password", ROW_PASSWORD, AT(password), AT(any), .max = 8 },
    { "texts", ROW_TEXTS, AT(texts), .max = 3 },
    { "part", ROW_MAP, AT(part), AT(given), .sub = &part_mapping },
    { "parts", ROW_LIST, AT(parts), AT(parts_n), .sub = &part_mapping, .max = 2 },
};
/* clang-format on */
static const struct mapping mapping = {
    .name = "all",
    .rows = rows,
    .rows_n = COUNT_OF(rows),
    .at = AT_OFFSET(struct all, at),
};

static struct arena arena;
static struct config_problems ps;

/* Loads {yaml} as the mapping; problems stay in ps. */
static bool load(const char *yaml, struct all *all)
{
    struct walk w = { .arena = &arena, .ps = &ps, .file = "f" };
    yaml_document_t doc;
    yaml_parser_t parser;

    config_problems_free(&ps);
    arena_free(&arena);
    memset(all, 0, sizeof(*all));
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const uint8_t *)yaml, strlen(yaml));
    assert_true(yaml_parser_load(&parser, &doc));
    w.doc = &doc;
    schema_load(&w, &mapping, yaml_document_get_root_node(&doc), all);
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return !w.failed;
}

static void bad(const char *yaml, const char *want)
{
    struct all all;

    assert_false(load(yaml, &all));
    assert_int_equal(ps.n, 1);
    assert_problem(&ps, want);
}

static void test_every_type_takes_its_value(void **state)
{
    struct all all;

    (void)state;
    assert_true(load("text: a b\nsmall: ''\nword: red\nchoice: one\nmaybe: yes\nyes: false\n"
                     "number: 64\nport: 65535\nduration: 15m\nsize: 100M\nsecret: s3cret\n"
                     "password: {secret: acme.in-1}\ntexts: [a, 'b']\npart: {n: 3}\n"
                     "parts: [{n: 4}, {n: 5}]\n",
                     &all));
    assert_string_equal(all.text, "a b");
    assert_string_equal(all.small, "");
    assert_string_equal(all.word, "red");
    assert_int_equal(all.choice, 1);
    assert_int_equal(all.maybe, 1);
    assert_false(all.yes);
    assert_int_equal(all.number, 64);
    assert_int_equal(all.port, 65535);
    assert_int_equal(all.duration, 900000);
    assert_int_equal(all.size, 100 << 20);
    assert_string_equal(all.secret.value, "s3cret");
    assert_null(all.secret.name);
    assert_int_equal(all.secret.at.line, 11);
    assert_int_equal(all.secret.at.column, 9);
    assert_string_equal(all.password.name, "acme.in-1");
    assert_null(all.password.value);
    assert_false(all.any);
    assert_string_equal(all.texts[0], "a");
    assert_string_equal(all.texts[1], "b");
    assert_null(all.texts[2]);
    assert_true(all.given);
    assert_int_equal(all.part.n, 3);
    assert_int_equal(all.parts_n, 2);
    assert_int_equal(all.parts[1].n, 5);
    assert_int_equal(all.at.line, 1);
    assert_int_equal(all.at.column, 1);
}

static void test_every_type_has_its_default(void **state)
{
    struct all all;

    (void)state;
    assert_true(load("{}", &all));
    assert_string_equal(all.text, "default");
    assert_null(all.small);
    assert_null(all.word);
    assert_int_equal(all.choice, 5);
    assert_int_equal(all.maybe, -1);
    assert_true(all.yes);
    assert_int_equal(all.number, 2);
    assert_int_equal(all.duration, 0);
    assert_null(all.secret.value);
    assert_null(all.texts);
    assert_false(all.given);
    assert_null(all.parts);
    assert_int_equal(all.parts_n, 0);
}

static void test_other_ways_to_write_it(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } durations[] = { { "0", 0 },       { "0s", 0 },       { "500ms", 500 },
                      { "60s", 60000 }, { "1h", 3600000 }, { "\"15m\"", 900000 } },
      sizes[] = { { "0", 0 },
                  { "4096", 4096 },
                  { "512K", 512 << 10 },
                  { "2G", UINT64_C(2) << 30 },
                  { "1T", UINT64_C(1) << 40 } };
    char text[80];
    struct all all;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        (void)snprintf(text, sizeof(text), "duration: %s", durations[i].text);
        assert_true(load(text, &all));
        assert_int_equal(all.duration, durations[i].want);
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        (void)snprintf(text, sizeof(text), "size: %s", sizes[i].text);
        assert_true(load(text, &all));
        assert_int_equal(all.size, sizes[i].want);
    }
    assert_true(load("{yes: no, maybe: FALSE, word: azure, password: {any: true}}", &all));
    assert_false(all.yes);
    assert_int_equal(all.maybe, 0);
    assert_string_equal(all.word, "blue");
    assert_true(all.any);
    assert_true(load("{password: lower, secret: ''}", &all));
    assert_string_equal(all.password.value, "lower");
    assert_string_equal(all.secret.value, "");
    assert_true(load("text: 'null'", &all));
    assert_string_equal(all.text, "null");
}

static void test_bad_texts(void **state)
{
    (void)state;
    bad("text: [a]", "f:1:7: 'text' must be a single value");
    bad("text:", "f:1:6: 'text' has no value");
    bad("text: ~", "f:1:7: 'text' has no value");
    bad("text: null", "f:1:7: 'text' has no value");
    bad("text: ''", "f:1:7: 'text' is empty");
    bad("text: \"a\\0b\"", "f:1:7: 'text' has a NUL character");
    bad("text: \"a\\nb\"", "f:1:7: 'text' has control characters");
    bad("text: !!binary YQ==", "f:1:7: 'text' has a YAML tag");
    bad("small: abcd", "f:1:8: 'small' has 4 octets; at most 3 are allowed");
    bad("word: green", "f:1:7: 'word' must be one of red, blue, not 'green'");
    bad("choice: 5", "f:1:9: 'choice' must be one of one, five, not '5'");
}

static void test_bad_numbers(void **state)
{
    (void)state;
    bad("yes: 1", "f:1:6: 'yes' must be true or false, not '1'");
    bad("maybe: perhaps", "f:1:8: 'maybe' must be true or false");
    bad("number: x", "f:1:9: 'number' must be a whole number (2 to 64), not 'x'");
    bad("number: -3", "f:1:9: 'number' must be a whole number");
    bad("number: 3.5", "f:1:9: 'number' must be a whole number");
    bad("number: 0x10", "f:1:9: 'number' must be a whole number");
    bad("number: 99999999999999999999999", "f:1:9: 'number' must be a whole number");
    bad("number: 1", "f:1:9: 'number' is 1, which is out of range; it must be 2 to 64");
    bad("number: 4294967298", "f:1:9: 'number' is 4294967298, which is out of range");
    bad("port: 65536", "f:1:7: 'port' is 65536, which is out of range; it must be 1 to 65535");
    bad("port: 0", "f:1:7: 'port' is 0, which is out of range");
    bad("duration: 60", "f:1:11: 'duration' must be a time with its unit");
    bad("duration: 1 h", "f:1:11: 'duration' must be a time with its unit");
    bad("duration: 5ms",
        "f:1:11: 'duration' is 5ms, which is out of range; it must be 0, or 10ms");
    bad("duration: 2h", "f:1:11: 'duration' is 2h, which is out of range");
    bad("duration: 18446744073709551615d", "f:1:11: 'duration' must be");
    bad("size: 1X", "f:1:7: 'size' must be a size in octets");
    bad("size: 2T", "f:1:7: 'size' is 2T, which is out of range; it must be 0 to 1T");
    bad("size: 16777216T", "f:1:7: 'size' must be a size in octets");
}

static void test_bad_secrets_are_not_repeated(void **state)
{
    (void)state;
    bad("secret: 123456789", "f:1:9: 'secret' has 9 octets; at most 8 are allowed");
    assert_null(strstr(ps.first->text, "123456789"));
    bad("secret: {any: true}", "f:1:9: 'secret' must be the value itself or {secret: name}");
    bad("secret: [a]", "f:1:9: 'secret' must be");
    bad("secret: {secret: ../x}", "f:1:18: 'secret' must be 1 to 64 of");
    bad("secret: {secret: a, b: c}", "f:1:9: 'secret' must be");
    bad("secret: {secret: }", "f:1:18: 'secret' has no value");
    bad("password: ''", "f:1:11: 'password' is empty; write {any: true}");
    bad("password: \"a\\tb\"", "f:1:11: 'password' has control characters");
    bad("password: {any: false}", "f:1:17: 'any' can only be true");
}

static void test_bad_lists_and_mappings(void **state)
{
    (void)state;
    bad("texts: a", "f:1:8: 'texts' must be a list, such as [a, b]");
    bad("texts: [a, {b: c}]", "f:1:12: 'texts' must be a single value");
    bad("texts: [a, b, c, d]", "f:1:8: 'texts' has 4 items; at most 3 are allowed");
    bad("part: x", "f:1:7: 'part' must be a mapping");
    bad("part:", "f:1:6: 'part' has no value");
    bad("part: {}", "f:1:7: 'n' is missing; it must be given here: N.");
    bad("parts: {n: 1}", "f:1:8: 'parts' must be a list of mappings");
    bad("parts: [{n: 1}, 2]", "f:1:17: 'parts' must be a list of mappings");
    bad("parts:\n- n: 1\n- n: 10\n", "f:3:6: 'n' is 10, which is out of range");
    bad("parts: [{n: 1}, {n: 1}, {n: 1}]", "f:1:8: 'parts' has 3 items");
}

static void test_names_of_settings(void **state)
{
    (void)state;
    bad("nubmer: 3", "f:1:1: unknown setting 'nubmer'; did you mean 'number'?");
    bad("passwort: 3", "f:1:1: unknown setting 'passwort'; did you mean 'password'?");
    bad("dura: 1m", "f:1:1: unknown setting 'dura'; did you mean 'duration'?");
    bad("colour: red", "f:1:1: unknown setting 'colour'; known here: text, small, word");
    bad("? [a]\n: b", "f:1:3: the name of a setting must be plain text");
    bad("\"te\\0xt\": b", "f:1:1: unknown setting 'te'");
    bad("\"a\\e[31m\": b", "f:1:1: unknown setting 'a?[31m'; known here");
    bad("number: 3\nport: 4\nnumber: 5",
        "f:3:1: 'number' is given twice (before in line 1); keep one");
}

static void test_all_problems_are_told_in_order(void **state)
{
    struct all all;

    (void)state;
    assert_false(load("size: x\nnubmer: 3\nparts:\n- {m: 1}\nyes: 7\n", &all));
    assert_int_equal(ps.n, 5);
    for (const struct config_problem *p = ps.first; p->next != NULL; p = p->next)
        assert_true(p->line <= p->next->line);
    assert_string_equal(ps.last->text, "'yes' must be true or false, not '7'");
}

static void test_problems_have_an_end(void **state)
{
    (void)state;
    config_problems_free(&ps);
    for (unsigned i = 1; i < 5000; i++)
        config_problem_add(&ps, "f", i, 1, "x");
    assert_true(ps.n < 300);
    assert_non_null(strstr(ps.last->text, "more problems"));
}

static void test_texts_of_durations_and_sizes(void **state)
{
    char text[24];
    uint64_t v;

    (void)state;
    for (uint64_t ms = 1; ms < UINT64_MAX / 7; ms = ms * 5 + 1) {
        scalar_duration_text(ms, text);
        assert_true(scalar_duration(text, &v));
        assert_int_equal(v, ms);
        scalar_size_text(ms, text);
        assert_true(scalar_size(text, &v));
        assert_int_equal(v, ms);
    }
    scalar_duration_text(86400000, text);
    assert_string_equal(text, "1d");
    scalar_duration_text(90000, text);
    assert_string_equal(text, "90s");
    scalar_size_text(3 << 20, text);
    assert_string_equal(text, "3M");
}

static int done(void **state)
{
    (void)state;
    config_problems_free(&ps);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_takes_its_value),
        cmocka_unit_test(test_every_type_has_its_default),
        cmocka_unit_test(test_other_ways_to_write_it),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_bad_secrets_are_not_repeated),
        cmocka_unit_test(test_bad_lists_and_mappings),
        cmocka_unit_test(test_names_of_settings),
        cmocka_unit_test(test_all_problems_are_told_in_order),
        cmocka_unit_test(test_problems_have_an_end),
        cmocka_unit_test(test_texts_of_durations_and_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
