/* Deployments: versions, their order, pausing and dropping. */
#include "support.h"

static void put(struct fixture *f, const char *kind, const char *name, int64_t since,
                const char *text)
{
    struct store_batch *b = store_batch_new();
    struct deployment d = {
        .kind = kind, .name = name, .since = since, .at_ms = 42, .text = text
    };

    store_put_deployment(b, &d);
    commit(f, b);
}

static struct deployment *list_all(struct fixture *f, const char *kind, size_t want)
{
    struct deployment *list = NULL;
    size_t n = 0;

    assert_ok(f, store_deployments(f->s, kind, &f->a, &list, &n, &f->err));
    assert_int_equal(n, want);
    return list;
}

static void the_newest_version_is_given(void **state)
{
    struct fixture *f = *state;
    struct deployment *list;

    put(f, "process", "orders", 0, "one");
    put(f, "process", "orders", 1, "two");
    put(f, "process", "orders", 0, "three");
    list = list_all(f, "process", 1);
    assert_int_equal(list[0].version, 3);
    assert_int_equal(list[0].since, 2);
    assert_int_equal(list[0].at_ms, 42);
    assert_text(list[0].kind, "process");
    assert_text(list[0].name, "orders");
    assert_text(list[0].text, "three");
    assert_false(list[0].paused);
}

static void since_is_counted_over_all_kinds(void **state)
{
    struct fixture *f = *state;
    struct deployment *list;

    put(f, "process", "b", 0, NULL);
    put(f, "partner", "p", 0, NULL);
    put(f, "process", "a", 0, NULL);
    put(f, "process", "b", 1, NULL); /* keeps its place */
    list = list_all(f, "process", 2);
    assert_text(list[0].name, "b");
    assert_int_equal(list[0].since, 1);
    assert_int_equal(list[0].version, 2);
    assert_text(list[1].name, "a");
    assert_int_equal(list[1].since, 3);
}

static void all_come_in_the_order_they_are_needed(void **state)
{
    static const char *const kinds[] = { "process", "partner", "certificate", "identity" };
    static const char *const want[] = { "certificate", "identity", "partner", "process" };
    struct fixture *f = *state;
    struct deployment *list;

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        put(f, kinds[i], "x", 0, NULL);
    list = list_all(f, NULL, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++)
        assert_text(list[i].kind, want[i]);
}

static void a_dropped_one_is_gone_and_counts_on_when_it_returns(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct deployment *list;

    put(f, "process", "orders", 0, "one");
    put(f, "process", "orders", 0, "two");
    store_drop_deployment(b, "process", "orders");
    commit(f, b);
    list_all(f, NULL, 0);
    b = store_batch_new();
    store_drop_deployment(b, "process", "orders");
    commit_fails(f, b, FAIL_AGAIN);
    assert_text(f->err.text, "no process 'orders' is deployed");
    fixture_reopen(f);
    put(f, "process", "orders", 0, "three");
    list = list_all(f, NULL, 1);
    assert_int_equal(list[0].version, 3);
}

static void pausing_makes_no_version(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct deployment *list;

    put(f, "process", "orders", 0, "one");
    store_set_paused(b, "process", "orders", true);
    store_add_audit(b, 1, "admin", "paused orders");
    commit(f, b);
    fixture_reopen(f);
    list = list_all(f, "process", 1);
    assert_true(list[0].paused);
    assert_int_equal(list[0].version, 1);
    b = store_batch_new();
    store_set_paused(b, "process", "orders", false);
    commit(f, b);
    assert_false(list_all(f, "process", 1)[0].paused);
    b = store_batch_new();
    store_set_paused(b, "process", "none", true);
    commit_fails(f, b, FAIL_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_newest_version_is_given),
        STORE_TEST(since_is_counted_over_all_kinds),
        STORE_TEST(all_come_in_the_order_they_are_needed),
        STORE_TEST(a_dropped_one_is_gone_and_counts_on_when_it_returns),
        STORE_TEST(pausing_makes_no_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
