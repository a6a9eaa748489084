/* Retention in the store: what is removed, what is spared, and what is left behind. */
#include "support.h"

#include <stdio.h>
#include <unistd.h>

static struct store_batch *batch(void)
{
    struct store_batch *b = store_batch_new();

    assert_non_null(b);
    return b;
}

/* A settled document with octets, an event, a receipt, a tracked field and an execution. */
static struct document settled(struct fixture *f, int64_t id)
{
    struct document d = simple_document(id, DOC_PROCESSED);
    struct store_batch *b = batch();
    struct receipt r = { .id = id + 100,
                         .document_id = id,
                         .kind = "EERP",
                         .outbound = true,
                         .state = "sent",
                         .octets = span_text("E") };
    struct execution x = { .id = id + 200, .document_id = id, .started_ms = 1, .ended_ms = 2 };

    d.identity_key = arena_printf(&f->a, "key-%lld", (long long)id);
    d.raw = d.opened = (struct payload_ref) { PAYLOAD_ROW, 3, NULL };
    store_put_document(b, &d);
    store_put_octets(b, id, 'r', span_text("raw"));
    store_put_octets(b, id, 'o', span_text("opn"));
    store_add_event(b, id, 1, "received", NULL);
    store_put_receipt(b, &r);
    store_add_tracked(b, id, "Order", "4711");
    store_put_execution(b, &x);
    commit(f, b);
    return get_document(f, id);
}

static uint64_t purge(struct fixture *f, const struct document *d, bool octets, bool answered)
{
    struct store_batch *b = batch();
    uint64_t done = 9;

    if (octets)
        store_purge_octets(b, d, answered, store_clock_ms(), &done);
    else
        store_purge_document(b, d, answered, store_clock_ms(), &done);
    commit(f, b);
    return done;
}

static bool is_there(struct fixture *f, int64_t id)
{
    struct document d;
    bool found = false;

    assert_ok(f, store_get_document(f->s, id, &f->a, &d, &found, &f->err));
    return found;
}

static void a_document_goes_with_all_that_belongs_to_it(void **state)
{
    struct fixture *f = *state;
    struct document d = settled(f, 1), other = settled(f, 2);
    struct receipt *receipts;
    struct event *events;
    struct tracked *tracked;
    struct execution *executions;
    struct span octets;
    size_t n = 9;

    assert_int_equal(purge(f, &d, false, true), 1);
    assert_false(is_there(f, 1));
    assert_ok(f, store_receipts(f->s, 1, NULL, &f->a, &receipts, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_events(f->s, 1, &f->a, &events, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_tracked(f->s, 1, &f->a, &tracked, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_executions(f->s, 1, &f->a, &executions, &n, &f->err));
    assert_int_equal(n, 0);
    assert_false(store_get_octets(f->s, 1, 'r', &f->a, &octets, &f->err));
    assert_false(store_get_octets(f->s, 1, 'o', &f->a, &octets, &f->err));
    /* the one beside it keeps everything */
    assert_ok(f, store_get_octets(f->s, other.id, 'r', &f->a, &octets, &f->err));
    assert_ok(f, store_receipts(f->s, 2, NULL, &f->a, &receipts, &n, &f->err));
    assert_int_equal(n, 1);
}

static void octets_go_and_the_document_says_so(void **state)
{
    struct fixture *f = *state;
    struct document d = settled(f, 1), after;
    struct document *list;
    struct event *events;
    struct span octets;
    size_t n = 0;

    assert_ok(f, store_find_next(f->s, 0, 0, 10, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(purge(f, &d, true, false), 1);
    after = get_document(f, 1);
    assert_int_equal(after.raw.kind, PAYLOAD_NONE);
    assert_int_equal(after.opened.kind, PAYLOAD_NONE);
    assert_int_equal(after.changed_ms, d.changed_ms);
    assert_text(props_get(&after.props, "waybill.octets"), "removed");
    assert_false(store_get_octets(f->s, 1, 'o', &f->a, &octets, &f->err));
    assert_ok(f, store_events(f->s, 1, &f->a, &events, &n, &f->err));
    assert_text(events[n - 1].kind, "octets removed");
    assert_ok(f, store_find_next(f->s, 0, 0, 10, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
}

static void a_document_with_a_job_is_spared(void **state)
{
    struct fixture *f = *state;
    struct document d = settled(f, 1);
    struct job j = simple_job(7, JOB_RECEIPT, "US", "THEM");
    struct store_batch *b = batch();

    j.document_id = 1;
    store_put_job(b, &j);
    commit(f, b);
    assert_int_equal(purge(f, &d, true, false), 0);
    assert_int_equal(purge(f, &d, false, false), 0);
    assert_true(is_there(f, 1));
    b = batch();
    store_end_job(b, 7);
    commit(f, b);
    assert_int_equal(purge(f, &d, false, false), 1);
}

static void a_document_that_changed_since_it_was_looked_at_is_spared(void **state)
{
    struct fixture *f = *state;
    struct document d = settled(f, 1);
    struct store_batch *b = batch();

    store_set_state(b, 1, DOC_BIT(DOC_PROCESSED), DOC_PROCESSED, d.changed_ms + 1, "x", NULL,
                    NULL);
    commit(f, b);
    assert_int_equal(purge(f, &d, false, false), 0);
    d = get_document(f, 1);
    d.state = DOC_FAILED;
    assert_int_equal(purge(f, &d, false, false), 0);
    assert_true(is_there(f, 1));
}

static void a_document_whose_key_is_remembered_is_spared_but_for_its_octets(void **state)
{
    struct fixture *f = *state;
    struct document d = settled(f, 1);
    struct store_batch *b = batch();
    int64_t holder = 0, now = store_clock_ms();

    store_add_seen(b, d.identity_key, 1, now + 100000);
    commit(f, b);
    assert_int_equal(purge(f, &d, false, false), 0);
    assert_int_equal(purge(f, &d, true, false), 1);
    assert_ok(f, store_find_seen(f->s, d.identity_key, now, &holder, &f->err));
    assert_int_equal(holder, 1);
    b = batch();
    store_add_seen(b, d.identity_key, 1, now - 1);
    commit(f, b);
    d = get_document(f, 1);
    assert_int_equal(purge(f, &d, false, false), 1);
}

static void answered_asks_for_a_receipt_of_ours(void **state)
{
    struct fixture *f = *state;
    struct document d;

    put_simple(f, 1, DOC_PROCESSED);
    d = get_document(f, 1);
    assert_int_equal(purge(f, &d, false, true), 0);
    assert_int_equal(purge(f, &d, false, false), 1);
}

static void the_next_ones_come_in_order_and_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct document *list;
    size_t n;

    for (int64_t id = 1; id <= 9; id++)
        if (id % 3 == 0)
            put_simple(f, id, DOC_FAILED);
        else
            (void)settled(f, id);
    assert_ok(f, store_find_next(f->s, DOC_PROCESSED, 0, 4, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 4);
    assert_int_equal(list[3].id, 5);
    assert_ok(f, store_find_next(f->s, DOC_PROCESSED, 5, 4, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_ok(f, store_find_next(f->s, DOC_FAILED, 3, 4, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_ok(f, store_find_next(f->s, 0, 0, 3, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_int_equal(list[2].id, 4);
    assert_ok(f, store_find_next(f->s, 0, 4, 3, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_int_equal(list[2].id, 8);
    assert_ok(f, store_find_next(f->s, 0, 8, 3, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
}

static void files_go_with_their_index(void **state)
{
    static uint8_t big[PAYLOAD_ROW_MAX * 2];
    struct fixture *f = *state;
    struct payload_writer *w = NULL, *index = NULL;
    struct payload_ref ref, index_ref;
    struct store_batch *b = batch();
    struct document d = simple_document(5, DOC_PROCESSED);

    assert_ok(f, payload_create(f->s, 5, 'r', &w, &f->err));
    assert_ok(f, payload_write(w, span_of(big, sizeof(big)), &f->err));
    assert_ok(f, payload_finish(w, b, &ref, &f->err));
    assert_ok(f, payload_create(f->s, 5, 'x', &index, &f->err));
    assert_ok(f, payload_write(index, span_text("1234"), &f->err));
    assert_ok(f, payload_checkpoint(index, &index_ref, &f->err));
    d.raw = ref;
    store_put_document(b, &d);
    commit(f, b);
    payload_writer_free(w);
    payload_writer_free(index);
    assert_true(file_exists(f, "payload/000/000/5.raw"));
    assert_true(file_exists(f, "payload/000/000/5.idx"));
    d = get_document(f, 5);
    assert_int_equal(purge(f, &d, true, false), 1);
    assert_true(file_exists(f, "payload/000/000/5.raw")); /* the caller's to remove */
    fixture_reopen(f);                                    /* or the next start's */
    assert_false(file_exists(f, "payload/000/000/5.raw"));
    assert_false(file_exists(f, "payload/000/000/5.idx"));
}

static void old_lines_go_in_helpings(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = batch();
    struct receipt *list, r = { .kind = "EERP", .state = "unmatched" };
    uint64_t done = 0;
    size_t n;

    for (int i = 1; i <= 5; i++) {
        r.id = i;
        r.at_ms = i;
        store_put_receipt(b, &r);
        store_add_audit(b, i, "me", "what");
    }
    commit(f, b);
    b = batch();
    store_purge_receipts(b, 5, 3, &done);
    commit(f, b);
    assert_int_equal(done, 3);
    b = batch();
    store_purge_receipts(b, 5, 3, &done);
    commit(f, b);
    assert_int_equal(done, 1);
    assert_ok(f, store_receipts(f->s, 0, NULL, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    b = batch();
    store_purge_audit(b, 4, 100, &done);
    commit(f, b);
    assert_int_equal(done, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_document_goes_with_all_that_belongs_to_it),
        STORE_TEST(octets_go_and_the_document_says_so),
        STORE_TEST(a_document_with_a_job_is_spared),
        STORE_TEST(a_document_that_changed_since_it_was_looked_at_is_spared),
        STORE_TEST(a_document_whose_key_is_remembered_is_spared_but_for_its_octets),
        STORE_TEST(answered_asks_for_a_receipt_of_ours),
        STORE_TEST(the_next_ones_come_in_order_and_in_pieces),
        STORE_TEST(files_go_with_their_index),
        STORE_TEST(old_lines_go_in_helpings),
    };

    return cmocka_run_group_tests_name("store purge", tests, NULL, NULL);
}
