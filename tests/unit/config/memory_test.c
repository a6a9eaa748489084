/* The n-th allocation fails, for all n: the text is refused, never half loaded, never a crash. */
#include "support.h"

static long countdown = -1; /* allocations until the one that fails; negative: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static void test_a_runtime(void **state)
{
    struct config_runtime *c = NULL;
    char *dump = NULL;

    (void)state;
    for (long n = 0; dump == NULL; n++) {
        struct config_problems ps = { 0 };

        assert_true(n < 1000);
        countdown = n;
        c = config_runtime_parse(span_text(example_runtime), "f", &ps);
        if (c != NULL)
            dump = config_runtime_dump(c);
        countdown = -1;
        assert_int_equal(c == NULL, ps.n > 0);
        config_runtime_free(c);
        config_problems_free(&ps);
    }
    free(dump);
}

static void test_components(void **state)
{
    bool ok = false, checked = false;

    (void)state;
    for (long n = 0; !checked; n++) {
        struct config_problems ps = { 0 };
        struct components all;

        assert_true(n < 1000);
        countdown = n;
        ok = config_components_parse(span_text(example_process), "f", &all.list, &all.n, &ps);
        assert_int_equal(ok, ps.n == 0);
        checked = ok && !config_check(NULL, all.list, all.n, &ps) && ps.n == 7 &&
                  !ps.arena.failed && ps.first != NULL;
        countdown = -1;
        components_free(&all);
        config_problems_free(&ps);
    }
}

/* Two problems: no certificates to encrypt to and to verify with. */
static void test_components_of_as2(void **state)
{
    bool checked = false;

    (void)state;
    for (long n = 0; !checked; n++) {
        struct config_problems ps = { 0 };
        struct components all;
        bool ok;

        assert_true(n < 1000);
        countdown = n;
        ok = config_components_parse(span_text(example_as2), "f", &all.list, &all.n, &ps);
        assert_int_equal(ok, ps.n == 0);
        for (size_t i = 0; ok && i < all.n; i++)
            config_advise(NULL, all.list, all.n, all.list[i], &ps);
        checked = ok && ps.n == 0 && !config_check(NULL, all.list, all.n, &ps) && ps.n == 2 &&
                  !ps.arena.failed && ps.first != NULL;
        countdown = -1;
        components_free(&all);
        config_problems_free(&ps);
    }
}

static void test_the_reference(void **state)
{
    char *text = NULL;

    (void)state;
    for (long n = 0; text == NULL; n++) {
        assert_true(n < 100);
        countdown = n;
        text = config_reference();
        countdown = -1;
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_runtime),
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_components_of_as2),
        cmocka_unit_test(test_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
