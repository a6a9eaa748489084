/* Templates of processes: src/gateway/template.c. */
#include "gateway/gateway_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena a;

static const char *expand(const char *text, const struct document *d, const struct execution *x)
{
    struct err err = { 0 };
    char *out = NULL;

    assert_true(template_expand(text, d, x, &a, &out, &err));
    return out;
}

static void test_names_are_replaced_by_the_documents_values(void **state)
{
    struct document d = { .id = 42, .name = "ORDERS", .from = "OA", .to = "OB", .size = 7 };

    (void)state;
    props_set(&d.props, &a, "oftp2.sfiddsn", "INVOICE");
    assert_string_equal(expand("{{document.id}}-{{oftp2.sfiddsn}}", &d, NULL), "42-INVOICE");
    assert_string_equal(expand("{{ document.from }}>{{document.to}}", &d, NULL), "OA>OB");
    assert_string_equal(expand("{{document.size}}", &d, NULL), "7");
    assert_string_equal(expand("{{execution.redelivered}}", &d, NULL), "false");
}

static void test_what_a_document_does_not_have_is_empty(void **state)
{
    struct document d = { .id = 1 };

    (void)state;
    assert_string_equal(expand("a{{document.name}}b{{oftp2.nothing}}c", &d, NULL), "abc");
}

static void test_text_that_is_no_template_stays_as_it_is(void **state)
{
    struct document d = { .id = 1 };

    (void)state;
    assert_string_equal(expand("", &d, NULL), "");
    assert_string_equal(expand("{{never ends", &d, NULL), "{{never ends");
    assert_string_equal(expand("{x} }}", &d, NULL), "{x} }}");
}

static void test_a_value_is_not_expanded_again(void **state)
{
    struct document d = { .id = 1, .name = "{{document.id}}" };

    (void)state;
    assert_string_equal(expand("{{document.name}}", &d, NULL), "{{document.id}}");
}

static void test_a_template_that_grows_too_large_is_an_error(void **state)
{
    struct document d = { .id = 1 };
    struct err err = { 0 };
    char *big = arena_take(&a, 2000), *text = arena_take(&a, 40 * 20), *out = NULL;

    (void)state;
    memset(big, 'x', 1999);
    d.name = big;
    for (int i = 0; i < 40; i++)
        strcat(text, "{{document.name}}");
    assert_false(template_expand(text, &d, NULL, &a, &out, &err));
    assert_null(out);
    assert_non_null(strstr(err.text, "template"));
}

static int end(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_replaced_by_the_documents_values),
        cmocka_unit_test(test_what_a_document_does_not_have_is_empty),
        cmocka_unit_test(test_text_that_is_no_template_stays_as_it_is),
        cmocka_unit_test(test_a_value_is_not_expanded_again),
        cmocka_unit_test(test_a_template_that_grows_too_large_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
