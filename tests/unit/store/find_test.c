/* The search: what each filter finds, and that each is served by an index. */
#include "support.h"

#include "store/sqlite_int.h"

#include <stdio.h>

/* Fifty documents whose fields follow from their ids. */
static void put_fifty(struct fixture *f)
{
    static const char *const partners[] = { "acme", "bolt", "core" };
    struct store_batch *b = store_batch_new();

    for (int64_t id = 1; id <= 50; id++) {
        struct document d = simple_document(id, id % 10 == 0 ? DOC_FAILED : DOC_PROCESSED);
        char number[16];

        (void)snprintf(number, sizeof(number), "%02d", (int)id);
        d.created_ms = 1000 * id;
        d.partner = partners[id % 3];
        d.protocol = id % 2 == 0 ? "as2" : "oftp2";
        d.name = arena_printf(&f->a, "ORDERS%s", number);
        d.listener = id < 25 ? "orders" : "invoices";
        d.outbound = id % 5 == 0;
        d.from = arena_printf(&f->a, "O00%s", number);
        d.to = arena_printf(&f->a, "T%s\xFF", number);
        d.identity_key = arena_printf(&f->a, "key %s", number);
        store_put_document(b, &d);
        store_add_tracked(b, id, "Order", number);
        store_add_tracked(b, id, "Plant", id == 7 ? "9" : "1");
    }
    commit(f, b);
}

static struct document *find(struct fixture *f, struct document_filter filter, size_t want)
{
    struct document *list = NULL;
    size_t n = 0;

    assert_ok(f, store_find_documents(f->s, &filter, &f->a, &list, &n, &f->err));
    assert_int_equal(n, want);
    for (size_t i = 1; i < n; i++)
        assert_true(list[i].id < list[i - 1].id);
    return list;
}

#define FIND(n, ...) find(f, (struct document_filter) { __VA_ARGS__ }, (n))

static void each_filter_finds_its_documents(void **state)
{
    struct fixture *f = *state;

    put_fifty(f);
    FIND(50, 0);
    FIND(5, .state = "failed");
    FIND(45, .state = "processed");
    FIND(0, .state = "no such state");
    FIND(17, .partner = "bolt");
    FIND(25, .protocol = "as2");
    assert_int_equal(FIND(1, .name = "ORDERS17")->id, 17);
    FIND(24, .listener = "orders");
    FIND(40, .direction = 1);
    FIND(10, .direction = 2);
    FIND(11, .from_ms = 20000, .to_ms = 30000);
    FIND(31, .from_ms = 20000);
    FIND(20, .to_ms = 20000);
    assert_int_equal(FIND(1, .identity_key = "key 33")->id, 33);
    assert_int_equal(FIND(1, .tracked_label = "Order", .tracked_value = "07")->id, 7);
    FIND(49, .tracked_label = "Plant", .tracked_value = "1");
    FIND(50, .tracked_label = "Plant");
    assert_int_equal(FIND(1, .tracked_value = "9")->id, 7);
    FIND(0, .tracked_label = "Order", .tracked_value = "0");
}

static void text_is_a_prefix_of_name_from_or_to(void **state)
{
    struct fixture *f = *state;

    put_fifty(f);
    FIND(9, .text = "ORDERS0");
    FIND(50, .text = "O");
    FIND(10, .text = "O003");
    assert_int_equal(FIND(1, .text = "T12\xFF")->id, 12);
    FIND(0, .text = "%");
    FIND(0, .text = "' OR 1=1 --");
    FIND(50, .text = "");
    assert_int_equal(FIND(2, .text = "O", .limit = 2)->id, 50);
    FIND(1, .text = "ORDERS", .state = "failed", .partner = "bolt", .from_ms = 10000,
         .to_ms = 20000);
    FIND(1, .text = "O", .identity_key = "key 33");
}

static void a_text_that_matches_much_finds_the_newest(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document *list;

    for (int64_t id = 1; id <= 20100; id++) {
        struct document d = simple_document(id, DOC_SENT);

        d.name = "SAME";
        d.from = id % 100 == 0 ? "OTHER" : "SAMEHERE";
        store_put_document(b, &d);
    }
    commit(f, b);
    list = FIND(30, .text = "SAM", .limit = 30);
    assert_int_equal(list[0].id, 20100);
    list = FIND(30, .text = "SAM", .limit = 30, .before_id = list[29].id, .to_ms = 20000);
    assert_int_equal(list[0].id, 20000);
    list = FIND(100, .text = "O");
    assert_int_equal(list[99].id, 10200);
}

/* Times are compared as they are, though ids bound the search. */
static void a_clock_set_back_hides_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    static const int64_t minutes[] = { 100, 160, 110, 170, 120 };

    for (size_t i = 0; i < COUNT_OF(minutes); i++) {
        struct document d = simple_document((int64_t)i + 1, DOC_SENT);

        d.created_ms = minutes[i] * 60000;
        store_put_document(b, &d);
    }
    commit(f, b);
    FIND(3, .to_ms = 130 * 60000);
    FIND(3, .from_ms = 120 * 60000);
    assert_int_equal(FIND(1, .from_ms = 105 * 60000, .to_ms = 115 * 60000)->id, 3);
}

static void filters_join(void **state)
{
    struct fixture *f = *state;

    put_fifty(f);
    FIND(2, .state = "failed", .partner = "bolt");
    FIND(6, .partner = "bolt", .protocol = "as2", .state = "processed", .direction = 1,
         .tracked_label = "Plant", .from_ms = 1, .limit = 8);
    FIND(0, .name = "ORDERS17", .partner = "acme");
}

static void what_waits_to_be_released_is_found_and_counted(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document *list;
    uint64_t n = 9;

    put_fifty(f);
    assert_ok(f, store_count_held(f->s, &n, &f->err));
    assert_int_equal(n, 0);
    FIND(0, .held = true);
    for (int64_t id = 41; id <= 50; id++)
        store_set_prop(b, id, "acknowledge", id == 42 ? "none" : "manual");
    store_set_prop(b, 43, "waybill.answered", "EERP");
    commit(f, b);
    /* 45 and 50 are outbound */
    list = FIND(6, .held = true);
    for (size_t i = 0; i < 6; i++)
        assert_true(document_held(&list[i]));
    assert_int_equal(list[0].id, 49);
    assert_int_equal(list[5].id, 41);
    assert_int_equal(FIND(2, .held = true, .before_id = 46)[0].id, 44);
    assert_int_equal(FIND(1, .held = true, .partner = "bolt", .limit = 1)[0].id, 49);
    FIND(3, .held = true, .protocol = "as2");
    FIND(6, .held = true, .direction = 1);
    FIND(0, .held = true, .direction = 2);
    FIND(0, .held = true, .listener = "orders");
    assert_int_equal(FIND(1, .held = true, .identity_key = "key 44")[0].id, 44);
    FIND(0, .held = true, .identity_key = "key 43", .direction = 1, .limit = 1);
    list = FIND(44, .limit = 100, .direction = 0, .before_id = 45);
    for (size_t i = 0; i < 44; i++)
        assert_int_equal(document_held(&list[i]), list[i].id == 44 || list[i].id == 41);
    assert_ok(f, store_count_held(f->s, &n, &f->err));
    assert_int_equal(n, 6);
}

static void pages_follow_each_other(void **state)
{
    struct fixture *f = *state;
    struct document *list;

    put_fifty(f);
    list = FIND(20, .limit = 20);
    assert_int_equal(list[0].id, 50);
    list = FIND(20, .limit = 20, .before_id = list[19].id);
    assert_int_equal(list[0].id, 30);
    list = FIND(10, .limit = 20, .before_id = list[19].id);
    assert_int_equal(list[9].id, 1);
}

/* ---- plans -------------------------------------------------------------------------------- */

static void refuse_scans(const char *what, const char *plan)
{
    static const char *const tables[] = { "document", "event", "receipt", "tracked",
                                          "octets",   "seen",  "job",     "execution" };

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        char scan[40];

        (void)snprintf(scan, sizeof(scan), "SCAN %s", tables[i]);
        if (strstr(plan, scan) != NULL)
            fail_msg("%s reads a whole table:\n%s", what, plan);
    }
}

/* All jobs, all states and the newest receipts are lists of the whole; the rest are not. */
static void no_other_statement_reads_a_whole_table(void **state)
{
    struct fixture *f = *state;
    struct conn *c = reader_take(f->s, &f->err);

    assert_non_null(c);
    for (enum query i = Q_PUT_DOCUMENT; i < QUERIES; i++) {
        struct call q;
        char *plan = arena_text(&f->a, "");

        if (i == Q_JOBS || i == Q_OPEN_JOBS || i == Q_COUNT_STATES || i == Q_RECEIPTS)
            continue;
        q = call_sql(c, arena_printf(&f->a, "EXPLAIN QUERY PLAN %s", query_text[i]));
        while (call_row(&q))
            plan =
                arena_printf(&f->a, "%s%s\n", plan, (const char *)sqlite3_column_text(q.st, 3));
        assert_ok(f, call_drop(&q, query_text[i], &f->err));
        refuse_scans(query_text[i], plan);
    }
    reader_give(f->s, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_filter_finds_its_documents),
        STORE_TEST(text_is_a_prefix_of_name_from_or_to),
        STORE_TEST(a_text_that_matches_much_finds_the_newest),
        STORE_TEST(a_clock_set_back_hides_nothing),
        STORE_TEST(filters_join),
        STORE_TEST(what_waits_to_be_released_is_found_and_counted),
        STORE_TEST(pages_follow_each_other),
        STORE_TEST(no_other_statement_reads_a_whole_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
