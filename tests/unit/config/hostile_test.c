/* Texts that want to crash the loader, or to make it use more than they are worth. */
#include "support.h"

#include "config/schema_int.h"

#define MINIMAL "runtime: {data_directory: /data}\n"

/* Both readers, whatever they say about it. */
static void feed(struct span text)
{
    struct config_problems ps = { 0 };
    struct config_runtime *rt = config_runtime_parse(text, "f", &ps);
    struct components all;

    if (rt == NULL)
        assert_true(ps.n > 0);
    if (config_components_parse(text, "f", &all.list, &all.n, &ps)) {
        (void)!config_check(rt, all.list, all.n, &ps);
        components_free(&all);
    } else {
        assert_true(ps.n > 0);
    }
    for (const struct config_problem *p = ps.first; p != NULL; p = p->next)
        assert_non_null(p->text);
    config_runtime_free(rt);
    config_problems_free(&ps);
}

/* A copy of exactly n octets, so that a sanitizer sees a read beyond them. */
static void feed_copy(const char *text, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    assert_non_null(copy);
    memcpy(copy, text, n);
    feed(span_of(copy, n));
    free(copy);
}

static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(example_runtime); n++)
        feed_copy(example_runtime, n);
    for (size_t n = 0; n < sizeof(example_process); n++)
        feed_copy(example_process, n);
    for (size_t n = 0; n < sizeof(example_as2); n++)
        feed_copy(example_as2, n);
}

static void change_every_octet(const char *good, size_t n)
{
    static const char octets[] = "\0\n {}[]:&*!|\xFF";
    char *text = malloc(n);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k + 1 < sizeof(octets); k++) {
            memcpy(text, good, n);
            text[i] = octets[k];
            feed_copy(text, n);
        }
    free(text);
}

static void test_every_octet_changed(void **state)
{
    (void)state;
    change_every_octet(example_process, sizeof(example_process) - 1);
    change_every_octet(example_as2, sizeof(example_as2) - 1);
}

static void test_aliases_are_refused(void **state)
{
    (void)state;
    bad_runtime("runtime: &r {data_directory: /data}\nx: *r\n",
                "f:1:10: anchors (&name) are not");
    bad_runtime(MINIMAL "admin: *r\n", "f:2:8: aliases (*name) are not used");
    bad_runtime(MINIMAL "store: &s sqlite\n", "f:2:8: anchors (&name) are not used");
    bad_components("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "f:1:4: anchors");
}

static char *repeated(const char *head, const char *piece, size_t n, const char *tail)
{
    size_t len = strlen(piece);
    char *text = malloc(strlen(head) + n * len + strlen(tail) + 1), *at = text;

    assert_non_null(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, piece);
    (void)stpcpy(at, tail);
    return text;
}

static void test_a_million_nodes_are_refused(void **state)
{
    char *text = repeated("partner: x\nvia: [", "a,", 1000000, "a]\n");

    (void)state;
    bad_components(text, "f:2:");
    bad_runtime(text, "f:2:");
    free(text);
}

static void test_depth_is_limited(void **state)
{
    char *flow = repeated("partner: ", "[", 100000, "");
    char *block = repeated("partner:\n  ", "- ", 100000, "a\n");

    (void)state;
    bad_components(flow, "f:1:41: nested too deeply");
    bad_components(block, "f:2:65: nested too deeply");
    free(flow);
    free(block);
}

static void test_length_is_limited(void **state)
{
    char *text = repeated(MINIMAL "#", "x", CONFIG_TEXT_MAX, "\n");

    (void)state;
    bad_runtime(text, "f: longer than 4194304 octets");
    bad_components(text, "f: longer than 4194304 octets");
    text[CONFIG_TEXT_MAX] = '\0';
    config_runtime_free(good_runtime(text));
    free(text);
}

static void test_a_hundred_thousand_problems_are_cut(void **state)
{
    char *text = repeated("partner: x\n", "a: b\n", 40000, "");
    struct config_problems ps = { 0 };
    struct components all;

    (void)state;
    assert_false(config_components_parse(span_text(text), "f", &all.list, &all.n, &ps));
    assert_true(ps.n < 300);
    config_problems_free(&ps);
    free(text);
}

static void test_many_documents(void **state)
{
    char *text = repeated("", "---\npartner: p\n", 20000, "");
    struct components all = good_components(text);
    struct config_problems ps = { 0 };

    (void)state;
    assert_int_equal(all.n, 20000);
    assert_string_equal(all.list[19999]->text, "partner: p\n");
    assert_false(config_check(NULL, all.list, all.n, &ps));
    config_problems_free(&ps);
    components_free(&all);
    free(text);
}

static void test_yaml_that_is_none(void **state)
{
    (void)state;
    bad_runtime("runtime: {a: b\n", "f:2:1: not valid YAML: did not find expected ',' or '}'");
    bad_runtime("runtime:\n\tname: x\n", "f:2:1: not valid YAML: found character that cannot "
                                         "start any token here; indent with blanks, not tabs");
    bad_runtime("runtime: \"a\n", "f:2:1: not valid YAML");
    bad_runtime("a: \xFF\n", "f:1:4: not readable as UTF-8 text");
    bad_runtime("a:\n  b: \x01\n", "f:2:6: not readable as UTF-8 text");
    bad_runtime("a: b\n  c: d\n", "f:2:4: not valid YAML");
}

/* An editor may put one there. */
static void test_a_byte_order_mark_is_skipped(void **state)
{
    struct components all = good_components("\xEF\xBB\xBFpartner: a\n---\npartner: b\n");

    (void)state;
    config_runtime_free(good_runtime("\xEF\xBB\xBF" MINIMAL));
    assert_int_equal(all.n, 2);
    assert_string_equal(all.list[1]->text, "partner: b\n");
    components_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_octet_changed),
        cmocka_unit_test(test_aliases_are_refused),
        cmocka_unit_test(test_a_million_nodes_are_refused),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_length_is_limited),
        cmocka_unit_test(test_a_hundred_thousand_problems_are_cut),
        cmocka_unit_test(test_many_documents),
        cmocka_unit_test(test_yaml_that_is_none),
        cmocka_unit_test(test_a_byte_order_mark_is_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
