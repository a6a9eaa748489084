/* The store key's file: made once, for its owner only, told plainly when it is not right. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128];

static int begin(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/wb-key-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/keys/store.key", dir);
    return 0;
}

static int end(void **state)
{
    char command[200];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static void a_key_is_made_once_and_read_again(void **state)
{
    uint8_t made[STORE_KEY_SIZE], other[STORE_KEY_SIZE], key[STORE_KEY_SIZE] = { 0 };
    bool found = true, shared = true;
    struct err err = { 0 };
    struct stat st;

    (void)state;
    assert_true(store_key_read(path, key, &found, &shared, &err));
    assert_false(found);
    assert_true(store_key_make(path, made, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, STORE_KEY_SIZE);
    assert_true(store_key_read(path, key, &found, &shared, &err));
    assert_true(found);
    assert_false(shared);
    assert_memory_equal(key, made, sizeof(key));
    assert_false(store_key_make(path, other, &err));
    assert_non_null(strstr(err.text, "File exists"));
    assert_true(store_key_read(path, key, &found, &shared, &err));
    assert_memory_equal(key, made, sizeof(key));
}

static void a_file_others_may_read_is_noticed(void **state)
{
    uint8_t key[STORE_KEY_SIZE];
    bool found = false, shared = false;
    struct err err = { 0 };

    (void)state;
    assert_true(store_key_make(path, key, &err));
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(store_key_read(path, key, &found, &shared, &err));
    assert_true(shared);
}

static void a_file_of_another_length_is_refused_by_name(void **state)
{
    static const size_t lengths[] = { 0, 1, 31, 33, 64, 1000 };
    uint8_t key[STORE_KEY_SIZE] = { 7 };
    bool found = false, shared = false;
    struct err err = { 0 };

    (void)state;
    assert_true(store_key_make(path, key, &err));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        assert_int_equal(truncate(path, (off_t)lengths[i]), 0);
        assert_false(store_key_read(path, key, &found, &shared, &err));
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, "exactly 32 octets"));
    }
}

static void a_folder_in_its_place_is_refused_by_name(void **state)
{
    uint8_t key[STORE_KEY_SIZE];
    bool found = false, shared = false;
    struct err err = { 0 };

    (void)state;
    assert_false(store_key_read(dir, key, &found, &shared, &err));
    assert_true(found);
    assert_non_null(strstr(err.text, dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_made_once_and_read_again, begin, end),
        cmocka_unit_test_setup_teardown(a_file_others_may_read_is_noticed, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_another_length_is_refused_by_name, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_folder_in_its_place_is_refused_by_name, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
