/* What the store counts of its commits: outcomes, documents in a state, jobs, latency. */
#include "support.h"

static void put_as(struct fixture *f, int64_t id, bool outbound, const char *protocol,
                   enum document_state state)
{
    struct document d = simple_document(id, state);
    struct store_batch *b = store_batch_new();

    d.outbound = outbound;
    d.protocol = protocol;
    d.created_ms = d.changed_ms = store_clock_ms();
    store_put_document(b, &d);
    commit(f, b);
}

static void move_to(struct fixture *f, int64_t id, enum document_state state)
{
    struct store_batch *b = store_batch_new();

    store_set_state(b, id, DOC_ANY, state, store_clock_ms(), NULL, NULL, NULL);
    commit(f, b);
}

static uint64_t sum(const struct store_minute *m, size_t n, enum store_outcome o)
{
    uint64_t all = 0;

    for (size_t i = 0; i < n; i++)
        all += m[i].n[o];
    return all;
}

static void a_document_is_counted_once_for_each_outcome(void **state)
{
    struct fixture *f = *state;
    struct store_counts c;

    put_as(f, 1, false, "oftp2", DOC_RECEIVING);
    store_get_counts(f->s, &c);
    assert_int_equal(c.documents[0][OUTCOME_RECEIVED], 0);
    assert_int_equal(c.in_state[DOC_RECEIVING], 1);
    assert_true(store_any_in_state(f->s, DOC_RECEIVING));
    put_as(f, 1, false, "oftp2", DOC_RECEIVED); /* written again as a whole */
    put_as(f, 1, false, "oftp2", DOC_RECEIVED);
    move_to(f, 1, DOC_OPENED);
    move_to(f, 1, DOC_PROCESSED);
    put_as(f, 2, false, "as2", DOC_PROCESSED);
    put_as(f, 3, false, "as2", DOC_REFUSED);
    put_as(f, 4, true, "as2", DOC_QUEUED);
    move_to(f, 4, DOC_SEALED);
    move_to(f, 4, DOC_ACKNOWLEDGED); /* the MDN came with the answer */
    put_as(f, 5, true, "oftp2", DOC_QUEUED);
    move_to(f, 5, DOC_SENT);
    move_to(f, 5, DOC_OVERDUE);
    store_get_counts(f->s, &c);
    assert_int_equal(c.documents[0][OUTCOME_RECEIVED], 1);
    assert_int_equal(c.documents[0][OUTCOME_PROCESSED], 1);
    assert_int_equal(c.documents[1][OUTCOME_RECEIVED], 1);
    assert_int_equal(c.documents[1][OUTCOME_PROCESSED], 1);
    assert_int_equal(c.documents[1][OUTCOME_REFUSED], 1);
    assert_int_equal(c.documents[1][OUTCOME_QUEUED], 1);
    assert_int_equal(c.documents[1][OUTCOME_SENT], 1);
    assert_int_equal(c.documents[1][OUTCOME_ACKNOWLEDGED], 1);
    assert_int_equal(c.documents[0][OUTCOME_SENT], 1);
    assert_int_equal(c.documents[0][OUTCOME_OVERDUE], 1);
    assert_int_equal(c.in_state[DOC_RECEIVING], 0);
    assert_false(store_any_in_state(f->s, DOC_RECEIVING));
    assert_int_equal(c.in_state[DOC_OVERDUE], 1);
    assert_int_equal(c.in_state[DOC_PROCESSED], 0);
    fixture_reopen(f);
    store_get_counts(f->s, &c);
    assert_int_equal(c.documents[0][OUTCOME_RECEIVED], 0);
    assert_int_equal(c.in_state[DOC_OVERDUE], 1);
}

static void what_conflicts_is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct store_counts c;
    uint64_t before;

    put_as(f, 1, false, "oftp2", DOC_RECEIVED);
    store_get_counts(f->s, &c);
    before = c.batches;
    put_as(f, 2, false, "oftp2", DOC_RECEIVED);
    store_set_state(b, 2, DOC_BIT(DOC_RECEIVED), DOC_FAILED, 1, NULL, NULL, NULL);
    store_set_state(b, 1, DOC_BIT(DOC_OPENED), DOC_FAILED, 1, NULL, NULL, NULL);
    commit_fails(f, b, FAIL_AGAIN);
    store_get_counts(f->s, &c);
    assert_int_equal(c.documents[0][OUTCOME_FAILED_IN], 0);
    assert_int_equal(c.in_state[DOC_RECEIVED], 2);
    assert_int_equal(c.batches, before + 1);
    assert_int_equal(c.batches_failed, 1);
}

static void latency_and_groups_add_up(void **state)
{
    struct fixture *f = *state;
    struct store_counts c;
    uint64_t latency = 0, groups = 0;

    for (int64_t id = 1; id <= 10; id++)
        put_as(f, id, false, "oftp2", DOC_RECEIVED);
    store_get_counts(f->s, &c);
    for (size_t i = 0; i <= STORE_LATENCY_BOUNDS; i++)
        latency += c.latency[i];
    for (size_t i = 0; i <= STORE_GROUP_BOUNDS; i++)
        groups += c.groups[i];
    assert_int_equal(c.batches, 10);
    assert_int_equal(latency, c.batches);
    assert_int_equal(groups, c.commits);
    assert_true(c.latency_us > 0);
}

static void the_oldest_job_of_each_kind_keeps_its_age(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct job one = simple_job(101, JOB_SEND, "US", "THEM"),
               two = simple_job(102, JOB_SEND, "US", "OTHERS");
    struct store_counts c;
    int64_t since;

    put_as(f, 1, true, "oftp2", DOC_QUEUED);
    one.document_id = two.document_id = 1;
    store_put_job(b, &one);
    commit(f, b);
    store_get_counts(f->s, &c);
    since = c.jobs[JOB_SEND].oldest_ms;
    assert_int_equal(c.jobs[JOB_SEND].open, 1);
    assert_true(since > 0 && since <= store_clock_ms());
    b = store_batch_new();
    one.attempts = 1; /* tried again */
    store_put_job(b, &two);
    store_put_job(b, &one);
    commit(f, b);
    store_get_counts(f->s, &c);
    assert_int_equal(c.jobs[JOB_SEND].open, 2);
    assert_int_equal(c.jobs[JOB_SEND].oldest_ms, since);
    fixture_reopen(f); /* then as old as its document */
    store_get_counts(f->s, &c);
    assert_int_equal(c.jobs[JOB_SEND].open, 2);
    assert_int_equal(c.jobs[JOB_SEND].oldest_ms, get_document(f, 1).created_ms);
    b = store_batch_new();
    store_end_job(b, 101);
    store_end_job(b, 102);
    commit(f, b);
    store_get_counts(f->s, &c);
    assert_int_equal(c.jobs[JOB_SEND].open, 0);
    assert_int_equal(c.jobs[JOB_SEND].oldest_ms, 0);
}

static void minutes_go_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct store_minute m[60];
    struct store_counts c;
    struct store_bad bad[8];
    int64_t now, told = 0;
    uint64_t lost;

    put_as(f, 1, false, "oftp2", DOC_RECEIVED);
    move_to(f, 1, DOC_PROCESSED);
    put_as(f, 2, false, "as2", DOC_REFUSED);
    put_as(f, 3, true, "as2", DOC_QUEUED);
    move_to(f, 3, DOC_SENT);
    move_to(f, 3, DOC_REJECTED);
    for (int again = 0; again < 2; again++) {
        now = store_clock_ms();
        store_get_minutes(f->s, now, COUNT_OF(m), m);
        assert_int_equal(m[COUNT_OF(m) - 1].minute, now / 60000);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_RECEIVED), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_PROCESSED), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_REFUSED), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_QUEUED), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_SENT), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_REJECTED), 1);
        assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_FAILED_OUT), 0);
        fixture_reopen(f);
        assert_ok(f, store_fill_minutes(f->s, told, &f->err));
        assert_ok(f, store_fill_minutes(f->s, told, &f->err)); /* nothing twice */
        assert_int_equal(store_take_bad(f->s, bad, COUNT_OF(bad), &lost), told == 0 ? 2 : 0);
        told = store_clock_ms();
    }
    put_as(f, 4, false, "oftp2", DOC_RECEIVED);
    store_get_counts(f->s, &c);
    assert_int_equal(c.documents[0][OUTCOME_RECEIVED], 1);
    store_get_minutes(f->s, store_clock_ms(), COUNT_OF(m), m);
    assert_int_equal(sum(m, COUNT_OF(m), OUTCOME_RECEIVED), 2);
}

static void bad_ends_are_told_once_and_forgotten_when_they_are_too_many(void **state)
{
    struct fixture *f = *state;
    struct store_bad list[700];
    uint64_t lost;

    put_as(f, 1, false, "oftp2", DOC_RECEIVED);
    move_to(f, 1, DOC_REFUSED);
    put_as(f, 2, true, "oftp2", DOC_QUEUED);
    move_to(f, 2, DOC_FAILED);
    assert_int_equal(store_take_bad(f->s, list, COUNT_OF(list), &lost), 2);
    assert_int_equal(list[0].id, 1);
    assert_int_equal(list[0].outcome, OUTCOME_REFUSED);
    assert_int_equal(list[1].id, 2);
    assert_int_equal(list[1].outcome, OUTCOME_FAILED_OUT);
    assert_int_equal(store_take_bad(f->s, list, COUNT_OF(list), &lost), 0);
    for (int64_t id = 10; id < 610; id++)
        put_as(f, id, false, "oftp2", DOC_FAILED);
    assert_int_equal(store_take_bad(f->s, list, 1, &lost), 1);
    assert_int_equal(lost, 88);
    assert_int_equal(list[0].id, 98);
    assert_int_equal(store_take_bad(f->s, list, COUNT_OF(list), &lost), 511);
    assert_int_equal(lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_document_is_counted_once_for_each_outcome),
        STORE_TEST(what_conflicts_is_not_counted),
        STORE_TEST(latency_and_groups_add_up),
        STORE_TEST(the_oldest_job_of_each_kind_keeps_its_age),
        STORE_TEST(minutes_go_on_after_a_restart),
        STORE_TEST(bad_ends_are_told_once_and_forgotten_when_they_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
