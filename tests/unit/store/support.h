/* What the store's tests share: a fresh data directory for each test, and short forms. */
#ifndef WAYBILL_TEST_STORE_SUPPORT_H
#define WAYBILL_TEST_STORE_SUPPORT_H

#include "store/store_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    char dir[200];
    struct store *s; /* NULL: the test opens it itself */
    struct arena a;
    struct err err;
};

/* cmocka's set-up and tear-down; *state is a struct fixture. */
int fixture_make(void **state); /* the directory only */
int fixture_open(void **state);
int fixture_close(void **state); /* removes the directory */

void fixture_reopen(struct fixture *f);
struct store *open_at(const char *dir); /* fails the test when it cannot */
/* Commits and frees the batch; fails the test, with the reason, when it is not stored. */
void commit(struct fixture *f, struct store_batch *b);
/* Commits and frees the batch, which must fail with this kind. */
void commit_fails(struct fixture *f, struct store_batch *b, enum fail_kind kind);
/* A document with the fewest fields, in this state. */
struct document simple_document(int64_t id, enum document_state state);
void put_simple(struct fixture *f, int64_t id, enum document_state state);
struct document get_document(struct fixture *f, int64_t id);
struct job simple_job(int64_t id, enum job_kind kind, const char *own, const char *peer);
bool file_exists(const struct fixture *f, const char *path); /* below the data directory */
/* Octets that depend on their place. */
void fill(uint8_t *p, size_t n, uint64_t at);

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

/* NULL equals NULL only. */
#define assert_text(got, want) assert_text_at((got), (want), __FILE__, __LINE__)
void assert_text_at(const char *got, const char *want, const char *file, int line);
#define assert_ok(f, call)                                                                     \
    do {                                                                                       \
        if (!(call))                                                                           \
            fail_msg("%s: %s", #call, (f)->err.text);                                          \
    } while (0)

#endif
