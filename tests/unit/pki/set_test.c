/* Roll-over: which of several certificates of one purpose. */
#include "support.h"

/* old until day 10, current from day 5 to 35, next from day 30 on; day 0 is NOW. */
enum { OLD, CURRENT, NEXT };

static struct pki_certificate *three[3];
static struct pki_set set = { three, 3 };

static int begin(void **state)
{
    (void)state;
    three[OLD] = made("old", NOW, 10, ALL_USES);
    three[CURRENT] = made("current", NOW + 5 * DAY, 30, ALL_USES);
    three[NEXT] = made("next", NOW + 30 * DAY, 30, ALL_USES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        pki_certificate_free(three[i]);
    return 0;
}

static void test_validity_has_a_first_and_a_last_second(void **state)
{
    (void)state;
    assert_false(pki_valid_at(three[OLD]->leaf, NOW - 1));
    assert_true(pki_valid_at(three[OLD]->leaf, NOW));
    assert_true(pki_valid_at(three[OLD]->leaf, NOW + 10 * DAY));
    assert_false(pki_valid_at(three[OLD]->leaf, NOW + 10 * DAY + 1));
}

static void test_the_first_valid_one_signs(void **state)
{
    (void)state;
    assert_null(pki_set_sign(&set, NOW - 1));
    assert_ptr_equal(pki_set_sign(&set, NOW), three[OLD]);
    assert_ptr_equal(pki_set_sign(&set, NOW + 7 * DAY), three[OLD]);
    assert_ptr_equal(pki_set_sign(&set, NOW + 11 * DAY), three[CURRENT]);
    assert_ptr_equal(pki_set_sign(&set, NOW + 32 * DAY), three[CURRENT]);
    assert_ptr_equal(pki_set_sign(&set, NOW + 40 * DAY), three[NEXT]);
    assert_null(pki_set_sign(&set, NOW + 61 * DAY));
}

static void test_a_certificate_without_key_does_not_sign(void **state)
{
    EVP_PKEY *key = three[OLD]->key;

    (void)state;
    three[OLD]->key = NULL;
    assert_ptr_equal(pki_set_sign(&set, NOW + 7 * DAY), three[CURRENT]);
    assert_null(pki_set_sign(&set, NOW));
    assert_ptr_equal(pki_set_encrypt(&set, NOW), three[OLD]);
    three[OLD]->key = key;
}

static void test_the_newest_valid_one_encrypts(void **state)
{
    (void)state;
    assert_null(pki_set_encrypt(&set, NOW - 1));
    assert_ptr_equal(pki_set_encrypt(&set, NOW), three[OLD]);
    assert_ptr_equal(pki_set_encrypt(&set, NOW + 7 * DAY), three[CURRENT]);
    assert_ptr_equal(pki_set_encrypt(&set, NOW + 32 * DAY), three[NEXT]);
    assert_null(pki_set_encrypt(&set, NOW + 61 * DAY));
}

static void test_all_valid_ones_are_accepted(void **state)
{
    X509 *list[3];

    (void)state;
    assert_int_equal(pki_set_accept(&set, NOW - 1, list, 3), 0);
    assert_int_equal(pki_set_accept(&set, NOW + 7 * DAY, list, 3), 2);
    assert_ptr_equal(list[0], three[OLD]->leaf);
    assert_ptr_equal(list[1], three[CURRENT]->leaf);
    assert_int_equal(pki_set_accept(&set, NOW + 32 * DAY, list, 3), 2);
    assert_ptr_equal(list[0], three[CURRENT]->leaf);
    assert_ptr_equal(list[1], three[NEXT]->leaf);
    assert_int_equal(pki_set_accept(&set, NOW + 32 * DAY, list, 1), 1);
    assert_int_equal(pki_set_accept(&set, NOW + 61 * DAY, list, 3), 0);
}

static void test_an_empty_set_has_nothing(void **state)
{
    struct pki_set none = { 0 };

    (void)state;
    assert_null(pki_set_sign(&none, NOW));
    assert_null(pki_set_encrypt(&none, NOW));
    assert_int_equal(pki_set_accept(&none, NOW, NULL, 0), 0);
    pki_set_free(&none);
}

static void test_a_set_frees_its_certificates(void **state)
{
    struct pki_set own = { calloc(1, sizeof(struct pki_certificate *)), 1 };

    (void)state;
    own.list[0] = made("x", NOW, 1, 0);
    pki_set_free(&own);
    assert_null(own.list);
    assert_int_equal(own.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validity_has_a_first_and_a_last_second),
        cmocka_unit_test(test_the_first_valid_one_signs),
        cmocka_unit_test(test_a_certificate_without_key_does_not_sign),
        cmocka_unit_test(test_the_newest_valid_one_encrypts),
        cmocka_unit_test(test_all_valid_ones_are_accepted),
        cmocka_unit_test(test_an_empty_set_has_nothing),
        cmocka_unit_test(test_a_set_frees_its_certificates),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
