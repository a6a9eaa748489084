/* Users, tokens, the audit log, and the step from the version before: src/store/sqlite_access.c. */
#include "support.h"

#include "store/access.h"
#include "store/sqlite_int.h"

#include <stdio.h>

static struct user user_of(const char *name, const char *role)
{
    return (
        struct user) { .name = name, .role = role, .password = "scrypt$x", .created_ms = 1000 };
}

static void add_user(struct fixture *f, const char *name, const char *role)
{
    struct store_batch *b = store_batch_new();
    struct user u = user_of(name, role);

    store_add_user(b, &u);
    commit(f, b);
}

static struct user find_user(struct fixture *f, const char *name)
{
    struct user u = { 0 };
    bool found = false;

    assert_ok(f, store_find_user(f->s, name, &f->a, &u, &found, &f->err));
    assert_int_equal(found, u.name != NULL);
    return u;
}

static void users_are_added_changed_and_dropped(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b;
    struct user *list;
    size_t n;

    add_user(f, "zoe", "viewer");
    add_user(f, "Adam", "admin");
    assert_ok(f, store_users(f->s, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "Adam");
    assert_int_equal(list[0].changed_ms, 1000);
    b = store_batch_new();
    store_set_user(b, "zoe", "operator", NULL, 2000);
    commit(f, b);
    assert_string_equal(find_user(f, "zoe").role, "operator");
    assert_string_equal(find_user(f, "zoe").password, "scrypt$x");
    b = store_batch_new();
    store_set_user(b, "zoe", NULL, "scrypt$y", 3000);
    commit(f, b);
    fixture_reopen(f);
    assert_string_equal(find_user(f, "zoe").role, "operator");
    assert_string_equal(find_user(f, "zoe").password, "scrypt$y");
    assert_int_equal(find_user(f, "zoe").changed_ms, 3000);
    b = store_batch_new();
    store_drop_user(b, "zoe");
    commit(f, b);
    assert_null(find_user(f, "zoe").name);
    assert_null(find_user(f, "adam").name); /* names are compared as they are */
}

static void a_user_is_not_added_twice_nor_changed_when_gone(void **state)
{
    struct fixture *f = *state;
    struct user u = user_of("zoe", "admin");
    struct store_batch *b = store_batch_new();

    add_user(f, "zoe", "viewer");
    store_add_user(b, &u);
    commit_fails(f, b, FAIL_AGAIN);
    assert_string_equal(find_user(f, "zoe").role, "viewer");
    b = store_batch_new();
    store_set_user(b, "nobody", "admin", NULL, 1);
    commit_fails(f, b, FAIL_AGAIN);
    b = store_batch_new();
    store_drop_user(b, "nobody");
    commit_fails(f, b, FAIL_AGAIN);
}

static void tokens_are_found_by_their_hash(void **state)
{
    struct fixture *f = *state;
    struct token t = { "erp", "operator", "abc", "local:0", 5, 9, 0 }, got = { 0 }, *list;
    struct store_batch *b = store_batch_new();
    bool found;
    size_t n;

    store_add_token(b, &t);
    commit(f, b);
    b = store_batch_new();
    store_use_token(b, "erp", 7);
    commit(f, b);
    assert_ok(f, store_find_token(f->s, "abc", &f->a, &got, &found, &f->err));
    assert_true(found);
    assert_string_equal(got.name, "erp");
    assert_string_equal(got.made_by, "local:0");
    assert_int_equal(got.expires_ms, 9);
    assert_int_equal(got.used_ms, 7);
    assert_ok(f, store_find_token(f->s, "abd", &f->a, &got, &found, &f->err));
    assert_false(found);
    b = store_batch_new();
    store_add_token(b, &t);
    commit_fails(f, b, FAIL_AGAIN);
    b = store_batch_new();
    store_drop_token(b, "erp");
    commit(f, b);
    assert_ok(f, store_tokens(f->s, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
}

static void the_audit_log_is_read_page_by_page(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct audit_filter filter = { .limit = 2 };
    struct audit_line *list;
    size_t n;

    for (int i = 1; i <= 5; i++)
        store_add_audit(b, i * 100, i == 3 ? "user:zoe from ::1" : "local:0", "apply");
    commit(f, b);
    assert_ok(f, store_audit(f->s, &filter, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[0].at_ms, 500);
    filter.before_id = list[1].id;
    filter.limit = 0;
    assert_ok(f, store_audit(f->s, &filter, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_int_equal(list[0].at_ms, 300);
    filter = (struct audit_filter) { .who = "user:" };
    assert_ok(f, store_audit(f->s, &filter, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(list[0].who, "user:zoe from ::1");
    filter = (struct audit_filter) { .from_ms = 200, .to_ms = 400 };
    assert_ok(f, store_audit(f->s, &filter, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
}

/* ---- from the version before ------------------------------------------------------------- */

static void old_store(struct fixture *f)
{
    char path[300];
    sqlite3 *db;

    (void)snprintf(path, sizeof(path), "%s/waybill.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, schema_steps[0], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "INSERT INTO document (id, outbound, state, name, created_ms, changed_ms,"
                     " size, raw_kind, raw_size, opened_kind, opened_size, progress, total,"
                     " records, redelivered) VALUES (7, 0, 5, 'ORDERS', 1, 1, 3, 0, 0, 0, 0, 0,"
                     " 0, 0, 0);"
                     "INSERT INTO event VALUES (7, 1, 1, 'received', NULL);"
                     "INSERT INTO audit (at_ms, who, what) VALUES (1, 'command', 'apply');"
                     "PRAGMA user_version = 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_store_of_version_1_keeps_what_it_has_and_takes_users(void **state)
{
    struct fixture *f = *state;
    struct audit_filter all = { 0 };
    struct audit_line *list;
    struct event *events;
    size_t n;

    old_store(f);
    f->s = open_at(f->dir);
    assert_string_equal(get_document(f, 7).name, "ORDERS");
    assert_ok(f, store_events(f->s, 7, &f->a, &events, &n, &f->err));
    assert_int_equal(n, 1);
    assert_ok(f, store_audit(f->s, &all, &f->a, &list, &n, &f->err));
    assert_string_equal(list[0].who, "command");
    assert_true(store_next_id(f->s) > 7);
    add_user(f, "zoe", "admin");
    fixture_reopen(f); /* and not once more */
    assert_string_equal(find_user(f, "zoe").role, "admin");
    assert_string_equal(get_document(f, 7).name, "ORDERS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(users_are_added_changed_and_dropped),
        STORE_TEST(a_user_is_not_added_twice_nor_changed_when_gone),
        STORE_TEST(tokens_are_found_by_their_hash),
        STORE_TEST(the_audit_log_is_read_page_by_page),
        cmocka_unit_test_setup_teardown(a_store_of_version_1_keeps_what_it_has_and_takes_users,
                                        fixture_make, fixture_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
