/* Jobs: who gets which one, when, and for how long. */
#include "support.h"

#include "store/tree.h"

#include <stdlib.h>
#include <time.h>

#define BIT(kind) (1u << (kind))

static void put_job(struct fixture *f, struct job j)
{
    struct store_batch *b = store_batch_new();

    store_put_job(b, &j);
    commit(f, b);
}

static void end_job(struct fixture *f, int64_t id)
{
    struct store_batch *b = store_batch_new();

    store_end_job(b, id);
    commit(f, b);
}

/* The id of the job taken; 0: none. */
static int64_t take(struct fixture *f, unsigned kinds, const char *own, const char *peer,
                    int64_t after, int64_t now_ms, struct job *j)
{
    bool found = false;

    assert_ok(f, store_take_job(f->s, kinds, own, peer, after, now_ms, 100, &f->a, j, &found,
                                &f->err));
    return found ? j->id : 0;
}

static int64_t take_any(struct fixture *f, unsigned kinds, int64_t now_ms)
{
    struct job j;

    return take(f, kinds, NULL, NULL, 0, now_ms, &j);
}

static int64_t next_due(struct fixture *f, unsigned kinds, int64_t now_ms)
{
    int64_t in_ms = -1;

    assert_ok(f, store_next_due(f->s, kinds, now_ms, &in_ms, &f->err));
    return in_ms;
}

/* A time that was read while the clock was set to something that the store has not seen would be one of
 * another day. */
static void a_job_that_waits_for_nothing_is_due_whatever_the_clock_shows(void **state)
{
    struct fixture *f = *state;
    int64_t now = store_clock_ms();
    struct job got;

    put_job(f, (struct job) { .id = 1, .kind = JOB_OPEN, .not_before_ms = now + 86400000 });
    put_job(f, (struct job) { .id = 2, .kind = JOB_OPEN, .not_before_ms = JOB_AT_ONCE });
    assert_int_equal(next_due(f, BIT(JOB_OPEN), now), 0);
    assert_int_equal(take(f, BIT(JOB_OPEN), NULL, NULL, 0, now, &got), 2);
    assert_in_range(got.not_before_ms, now, store_clock_ms());
    assert_int_equal(take_any(f, BIT(JOB_OPEN), now), 0);
    fixture_reopen(f);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), store_clock_ms()), 2);
}

static void every_field_of_a_job_comes_back(void **state)
{
    struct fixture *f = *state;
    struct job want = { 9, JOB_SEND, 5, 6, "US", "ACME", 100, 3, 4, "refused" }, got, *list;
    size_t n;

    put_job(f, want);
    assert_int_equal(take(f, BIT(JOB_SEND), NULL, NULL, 0, 100, &got), 9);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got.kind, JOB_SEND);
        assert_int_equal(got.document_id, 5);
        assert_int_equal(got.receipt_id, 6);
        assert_text(got.own, "US");
        assert_text(got.peer, "ACME");
        assert_int_equal(got.not_before_ms, 100);
        assert_int_equal(got.attempts, 3);
        assert_int_equal(got.step, 4);
        assert_text(got.last_error, "refused");
        assert_ok(f, store_jobs(f->s, i == 0 ? 5 : 0, &f->a, &list, &n, &f->err));
        assert_int_equal(n, 1);
        got = list[0];
    }
}

static void the_oldest_due_job_of_the_kinds_is_taken_once(void **state)
{
    struct fixture *f = *state;

    put_job(f, simple_job(3, JOB_OPEN, NULL, NULL));
    put_job(f, simple_job(1, JOB_PROCESS, NULL, NULL));
    put_job(f, simple_job(2, JOB_OPEN, NULL, NULL));
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 10), 2);
    assert_int_equal(take_any(f, BIT(JOB_OPEN) | BIT(JOB_PROCESS), 10), 1);
    assert_int_equal(take_any(f, BIT(JOB_OPEN) | BIT(JOB_PROCESS), 10), 3);
    assert_int_equal(take_any(f, BIT(JOB_OPEN) | BIT(JOB_PROCESS), 10), 0);
    assert_int_equal(take_any(f, BIT(JOB_SEAL), 10), 0);
}

static void a_job_is_not_taken_before_its_time(void **state)
{
    struct fixture *f = *state;
    struct job j = simple_job(1, JOB_SEND, "US", "ACME");

    j.not_before_ms = 1000;
    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 999), 0);
    assert_int_equal(next_due(f, BIT(JOB_SEND), 400), 600);
    assert_int_equal(next_due(f, BIT(JOB_SEND), 1000), 0);
    assert_true(next_due(f, BIT(JOB_OPEN), 0) == INT64_MAX);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 1000), 1);
}

static void pairs_and_ids_narrow_the_choice(void **state)
{
    struct fixture *f = *state;
    struct job j;

    put_job(f, simple_job(1, JOB_SEND, "US", "ACME"));
    put_job(f, simple_job(2, JOB_SEND, "US", "BOLT"));
    put_job(f, simple_job(3, JOB_RECEIPT, "US", "ACME"));
    put_job(f, simple_job(4, JOB_SEND, "US", "ACME"));
    assert_int_equal(take(f, BIT(JOB_SEND), "US", "BOLT", 2, 10, &j), 0);
    assert_int_equal(take(f, BIT(JOB_SEND), NULL, "BOLT", 1, 10, &j), 2);
    assert_int_equal(take(f, BIT(JOB_SEND) | BIT(JOB_RECEIPT), "US", "ACME", 1, 10, &j), 3);
    assert_int_equal(take(f, BIT(JOB_SEND), "US", NULL, 1, 10, &j), 4);
    assert_int_equal(take(f, BIT(JOB_SEND), "THEM", NULL, 0, 10, &j), 0);
    assert_int_equal(take(f, BIT(JOB_SEND), "US", "ACME", 0, 10, &j), 1);
}

static void a_lease_ends_by_time_release_or_a_new_row(void **state)
{
    struct fixture *f = *state;
    struct job j = simple_job(1, JOB_OPEN, NULL, NULL);

    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1000), 1);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1099), 0);
    assert_int_equal(next_due(f, BIT(JOB_OPEN), 1099), 1);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1100), 1);
    store_release_job(f->s, 1);
    store_release_job(f->s, 77);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1100), 1);
    j.not_before_ms = 1150;
    j.attempts = 1;
    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1149), 0);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 1150), 1);
    end_job(f, 1);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 9999), 0);
    assert_true(next_due(f, BIT(JOB_OPEN), 9999) == INT64_MAX);
}

static void a_held_job_waits_and_nothing_else_changes(void **state)
{
    struct fixture *f = *state;
    struct job got;

    put_job(f, simple_job(1, JOB_PROCESS, NULL, NULL));
    assert_int_equal(take_any(f, BIT(JOB_PROCESS), 10), 1);
    store_hold_job(f->s, 1, 5000); /* shorter or longer than the lease */
    store_hold_job(f->s, 77, 5000);
    assert_int_equal(take_any(f, BIT(JOB_PROCESS), 4999), 0);
    assert_int_equal(next_due(f, BIT(JOB_PROCESS), 4000), 1000);
    assert_int_equal(take(f, BIT(JOB_PROCESS), NULL, NULL, 0, 5000, &got), 1);
    assert_int_equal(got.not_before_ms, simple_job(1, JOB_PROCESS, NULL, NULL).not_before_ms);
    store_hold_job(f->s, 1, 9000);
    store_release_job(f->s, 1);
    assert_int_equal(take_any(f, BIT(JOB_PROCESS), 5000), 1);
}

static void jobs_of_a_peer_are_hurried_unless_somebody_holds_them(void **state)
{
    struct fixture *f = *state;
    struct job j = simple_job(1, JOB_POST, "US", "ACME");

    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_POST), 100), 1);
    j.not_before_ms = 90000;
    put_job(f, j); /* tried, and later again: the lease is given back */
    j.id = 2;
    put_job(f, j);
    j.id = 3;
    j.peer = "OTHER";
    put_job(f, j);
    j.id = 4;
    j.peer = "ACME";
    j.not_before_ms = 0;
    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_POST), 200), 4);
    j.id = 5;
    j.not_before_ms = 90000;
    j.step = 1;
    put_job(f, j);
    assert_int_equal(store_hurry_jobs(f->s, BIT(JOB_MDN), "ACME", 1, 200), 0);
    assert_int_equal(take_any(f, BIT(JOB_POST), 200), 0);
    assert_int_equal(store_hurry_jobs(f->s, BIT(JOB_POST), "ACME", 1, 200), 2);
    assert_int_equal(take_any(f, BIT(JOB_POST), 200), 1);
    assert_int_equal(take_any(f, BIT(JOB_POST), 200), 2);
    assert_int_equal(take_any(f, BIT(JOB_POST), 200), 0);
    assert_int_equal(store_hurry_jobs(f->s, BIT(JOB_POST), "ACME", 1, 300), 0);
    fixture_reopen(f); /* nor one that is left from an earlier run */
    assert_int_equal(store_hurry_jobs(f->s, BIT(JOB_POST), "ACME", 1, 300), 2);
    assert_int_equal(take_any(f, BIT(JOB_POST), 300), 1);
    assert_int_equal(take_any(f, BIT(JOB_POST), 300), 2);
    assert_int_equal(take_any(f, BIT(JOB_POST), 300), 4);
    assert_int_equal(take_any(f, BIT(JOB_POST), 300), 0);
}

static void leases_are_void_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct job j = simple_job(1, JOB_SEND, "US", "ACME");

    put_job(f, j);
    j.id = 2;
    j.not_before_ms = 5000;
    put_job(f, j);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 10), 1);
    fixture_reopen(f);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 10), 1);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 5000), 1);
    assert_int_equal(take_any(f, BIT(JOB_SEND), 5000), 2);
}

static void a_batch_that_fails_leaves_the_jobs_alone(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct job j = simple_job(2, JOB_OPEN, NULL, NULL);

    put_job(f, simple_job(1, JOB_OPEN, NULL, NULL));
    store_end_job(b, 1);
    store_put_job(b, &j);
    store_set_redelivered(b, 404);
    commit_fails(f, b, FAIL_AGAIN);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 10), 1);
    assert_int_equal(take_any(f, BIT(JOB_OPEN), 10), 0);
}

static void pairs_are_listed_once_with_their_earliest_time(void **state)
{
    struct fixture *f = *state;
    struct job j = simple_job(1, JOB_SEND, "US", "ACME"), *list;
    size_t n;

    j.not_before_ms = 500;
    put_job(f, j);
    j.id = 2;
    j.kind = JOB_RECEIPT;
    j.not_before_ms = 300;
    put_job(f, j);
    j.id = 3;
    j.peer = "BOLT";
    put_job(f, j);
    assert_ok(
        f, store_job_pairs(f->s, BIT(JOB_SEND) | BIT(JOB_RECEIPT), &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_text(list[i].own, "US");
        assert_int_equal(list[i].not_before_ms, 300);
    }
    /* While its only job is leased a pair is due again when the lease ends. */
    assert_int_equal(take(f, BIT(JOB_RECEIPT), "US", "BOLT", 0, 300, &j), 3);
    assert_ok(f, store_job_pairs(f->s, BIT(JOB_RECEIPT), &f->a, &list, &n, &f->err));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(list[i].not_before_ms, strcmp(list[i].peer, "BOLT") == 0 ? 400 : 300);
    end_job(f, 3);
    assert_ok(f, store_job_pairs(f->s, BIT(JOB_RECEIPT), &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
}

enum { WAIT_MS = 10 * 60 * 1000 }; /* longer than this program may run */

struct waiter {
    struct store *s;
    uint64_t seen;
};

static void *wait_for_a_job(void *arg)
{
    struct waiter *w = arg;

    store_wait_jobs(w->s, &w->seen, WAIT_MS);
    return NULL;
}

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void waiting_ends_with_a_job_a_wake_or_the_time(void **state)
{
    struct fixture *f = *state;
    struct waiter w = { f->s, 0 };
    int64_t begun = monotonic_ms();
    pthread_t t;

    store_wait_jobs(f->s, &w.seen, 20);
    assert_true(monotonic_ms() - begun >= 20);
    begun = monotonic_ms();
    pthread_create(&t, NULL, wait_for_a_job, &w);
    put_job(f, simple_job(1, JOB_OPEN, NULL, NULL));
    pthread_join(t, NULL);
    pthread_create(&t, NULL, wait_for_a_job, &w);
    store_wake(f->s);
    pthread_join(t, NULL);
    assert_true(monotonic_ms() - begun < WAIT_MS);
    store_wait_jobs(f->s, &w.seen, -1);
}

/* ---- against a plain model ---------------------------------------------------------------- */

enum { MODEL_JOBS = 60 };

struct model {
    bool there;
    enum job_kind kind;
    int64_t not_before, due;
};

static int64_t model_take(struct model *m, unsigned kinds, int64_t after, int64_t now)
{
    for (int64_t id = after + 1; id < MODEL_JOBS; id++) {
        if (m[id].there && (kinds >> m[id].kind & 1) != 0 && m[id].due <= now) {
            m[id].due = now + 100;
            return id;
        }
    }
    return 0;
}

static void random_use_agrees_with_a_plain_list(void **state)
{
    struct fixture *f = *state;
    struct model m[MODEL_JOBS] = { 0 };
    unsigned seed = 7;

    for (int i = 0; i < 4000; i++) {
        int64_t id = 1 + rand_r(&seed) % (MODEL_JOBS - 1), now = rand_r(&seed) % 1000;
        unsigned kinds = (unsigned)rand_r(&seed) & 0x3E;
        struct job j = simple_job(id, (enum job_kind)(1 + rand_r(&seed) % 5), NULL, NULL);
        int what = rand_r(&seed) % 20;

        j.not_before_ms = rand_r(&seed) % 1000;
        if (what == 0) {
            put_job(f, j);
            m[id] = (struct model) { true, j.kind, j.not_before_ms, j.not_before_ms };
        } else if (what == 1 && rand_r(&seed) % 3 == 0) {
            end_job(f, id);
            m[id].there = false;
        } else if (what == 2) {
            store_release_job(f->s, id);
            m[id].due = m[id].not_before;
        } else {
            int64_t after = what == 3 ? id : 0;
            int64_t want = model_take(m, kinds, after, now);
            int64_t got = take(f, kinds, NULL, NULL, after, now, &j);

            assert_int_equal(got, want);
        }
    }
}

static void a_tree_keeps_its_order(void **state)
{
    enum { NODES = 500 };
    static struct tree_node nodes[NODES];
    struct tree_node *root = NULL, *n;
    bool in[NODES] = { false };
    unsigned seed = 3;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t at = (size_t)rand_r(&seed) % NODES;

        if (in[at]) {
            tree_drop(&root, &nodes[at]);
        } else {
            nodes[at].key = (int64_t)at / 10;
            nodes[at].id = (int64_t)at;
            tree_add(&root, &nodes[at]);
        }
        in[at] = !in[at];
    }
    n = tree_first(root);
    for (size_t i = 0; i < NODES; i++) {
        if (!in[i])
            continue;
        assert_ptr_equal(n, &nodes[i]);
        n = tree_after(root, n->key, n->id);
    }
    assert_null(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_job_that_waits_for_nothing_is_due_whatever_the_clock_shows),
        STORE_TEST(every_field_of_a_job_comes_back),
        STORE_TEST(the_oldest_due_job_of_the_kinds_is_taken_once),
        STORE_TEST(a_job_is_not_taken_before_its_time),
        STORE_TEST(pairs_and_ids_narrow_the_choice),
        STORE_TEST(a_lease_ends_by_time_release_or_a_new_row),
        STORE_TEST(a_held_job_waits_and_nothing_else_changes),
        STORE_TEST(jobs_of_a_peer_are_hurried_unless_somebody_holds_them),
        STORE_TEST(leases_are_void_after_a_restart),
        STORE_TEST(a_batch_that_fails_leaves_the_jobs_alone),
        STORE_TEST(pairs_are_listed_once_with_their_earliest_time),
        STORE_TEST(waiting_ends_with_a_job_a_wake_or_the_time),
        STORE_TEST(random_use_agrees_with_a_plain_list),
        cmocka_unit_test(a_tree_keeps_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
