/* Documents and what belongs to them: written, read back, refused. */
#include "support.h"

#include <jansson.h>
#include <stdlib.h>

static struct document full_document(struct fixture *f, int64_t id)
{
    struct document d = {
        .id = id,
        .outbound = true,
        .state = DOC_SENDING,
        .protocol = "oftp2",
        .listener = "orders",
        .partner = "acme",
        .from = "O001 FROM",
        .to = "O001 TO",
        .own = "O001 OWN",
        .peer = "O001 PEER",
        .name = "ORDERS'; DROP TABLE document; --",
        .identity_key = "key",
        .created_ms = 1000,
        .changed_ms = 2000,
        .size = 1ull << 41,
        .raw = { PAYLOAD_FILE, 1ull << 40, "000/000/7.raw" },
        .opened = { PAYLOAD_ROW, 17, NULL },
        .progress = 5,
        .total = 6,
        .records = 7,
        .reason = "because",
        .redelivered = true,
    };

    props_set(&d.props, &f->a, "oftp2.sfiddsn", "a \"quoted\" \\ name");
    props_set(&d.props, &f->a, "a.empty", "");
    props_set(&d.props, &f->a, "latin", "M\xFCller");
    return d;
}

static void every_field_of_a_document_comes_back(void **state)
{
    struct fixture *f = *state;
    struct document want = full_document(f, 7), got;
    struct store_batch *b = store_batch_new();

    store_put_document(b, &want);
    commit(f, b);
    got = get_document(f, 7);
    assert_true(got.outbound);
    assert_int_equal(got.state, want.state);
    assert_text(got.protocol, want.protocol);
    assert_text(got.listener, want.listener);
    assert_text(got.partner, want.partner);
    assert_text(got.from, want.from);
    assert_text(got.to, want.to);
    assert_text(got.own, want.own);
    assert_text(got.peer, want.peer);
    assert_text(got.name, want.name);
    assert_text(got.identity_key, want.identity_key);
    assert_int_equal(got.created_ms, want.created_ms);
    assert_int_equal(got.changed_ms, want.changed_ms);
    assert_true(got.size == want.size);
    assert_int_equal(got.raw.kind, PAYLOAD_FILE);
    assert_true(got.raw.size == want.raw.size);
    assert_text(got.raw.path, want.raw.path);
    assert_int_equal(got.opened.kind, PAYLOAD_ROW);
    assert_int_equal(got.opened.size, 17);
    assert_null(got.opened.path);
    assert_int_equal(got.progress, 5);
    assert_int_equal(got.total, 6);
    assert_int_equal(got.records, 7);
    assert_text(got.reason, "because");
    assert_true(got.redelivered);
    assert_text(props_get(&got.props, "oftp2.sfiddsn"), "a \"quoted\" \\ name");
    assert_text(props_get(&got.props, "a.empty"), "");
    assert_text(props_get(&got.props, "latin"), "M\xC3\xBCller");
    assert_text(got.props.first->name, "oftp2.sfiddsn");
}

/* The whole of what a property may be made of, one octet and with others, read by another program. */
static void properties_are_json_whatever_is_in_them(void **state)
{
    struct fixture *f = *state;
    struct props want = { 0 }, got;
    json_t *read;
    const char *text;

    for (int c = 1; c < 256; c++) {
        char name[8] = { 'n', (char)c, '\0' }, value[8] = { (char)c, '\\', (char)c, '"', '\0' };

        props_set(&want, &f->a, name, value);
    }
    props_set(&want, &f->a, "utf-8", "\xE2\x82\xAC \xF0\x9F\x93\xA6 \x7F");
    text = props_to_json(&want, &f->a);
    assert_non_null(text);
    read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(read), 256);
    assert_text(json_string_value(json_object_get(read, "n\xC3\xBF")), "\xC3\xBF\\\xC3\xBF\"");
    json_decref(read);
    assert_true(props_from_json(text, &f->a, &got));
    for (const struct prop *p = want.first, *q = got.first; p != NULL;
         p = p->next, q = q->next) {
        assert_non_null(q);
        assert_text(q->name, text_utf8(&f->a, p->name));
        assert_text(q->value, text_utf8(&f->a, p->value));
    }
    assert_text(props_to_json(&(struct props) { 0 }, &f->a), "{}");
}

static void a_batch_for_which_memory_ran_out_is_not_made_text_of(void **state)
{
    struct fixture *f = *state;
    struct document d = full_document(f, 8);
    struct store_batch *b = store_batch_new();

    store_put_document(b, &d);
    b->first->u.document.d.props.first->value = NULL; /* as after a copy that failed */
    b->failed = true;
    commit_fails(f, b, FAIL_LOCAL);
}

static void what_was_not_set_comes_back_as_nothing(void **state)
{
    struct fixture *f = *state;
    struct document got;

    put_simple(f, 3, DOC_RECEIVING);
    got = get_document(f, 3);
    assert_false(got.outbound);
    assert_null(got.protocol);
    assert_null(got.listener);
    assert_null(got.partner);
    assert_null(got.from);
    assert_null(got.to);
    assert_null(got.own);
    assert_null(got.peer);
    assert_null(got.name);
    assert_null(got.identity_key);
    assert_null(got.reason);
    assert_int_equal(got.raw.kind, PAYLOAD_NONE);
    assert_null(got.props.first);
}

static void a_document_that_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct document d;
    bool found = true;

    assert_ok(f, store_get_document(f->s, 99, &f->a, &d, &found, &f->err));
    assert_false(found);
}

static void single_fields_are_changed_in_place(void **state)
{
    struct fixture *f = *state;
    struct document d = full_document(f, 7), got;
    struct payload_ref raw = { PAYLOAD_ROW, 3, NULL };
    struct payload_ref opened = { PAYLOAD_FILE, 40000, "000/000/7.opened" };
    struct store_batch *b = store_batch_new();

    d.redelivered = false;
    store_put_document(b, &d);
    store_add_event(b, 7, 1, "first", NULL);
    commit(f, b);
    b = store_batch_new();
    store_set_raw(b, 7, &raw);
    store_set_opened(b, 7, &opened);
    store_set_progress(b, 7, 123, 45);
    store_set_prop(b, 7, "a.empty", "no more");
    store_set_prop(b, 7, "new 'one'", "x");
    store_set_redelivered(b, 7);
    commit(f, b);
    got = get_document(f, 7);
    assert_int_equal(got.raw.kind, PAYLOAD_ROW);
    assert_null(got.raw.path);
    assert_int_equal(got.opened.size, 40000);
    assert_text(got.opened.path, "000/000/7.opened");
    assert_int_equal(got.progress, 123);
    assert_int_equal(got.records, 45);
    assert_text(props_get(&got.props, "a.empty"), "no more");
    assert_text(props_get(&got.props, "new 'one'"), "x");
    assert_text(props_get(&got.props, "oftp2.sfiddsn"), "a \"quoted\" \\ name");
    assert_true(got.redelivered);
}

static void a_view_is_of_one_moment(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(1, DOC_RECEIVED);
    struct event *events;
    size_t n;
    bool found;

    store_put_document(b, &d);
    assert_ok(f, store_commit(f->s, b, &f->err));
    store_batch_free(b);
    assert_ok(f, store_view_begin(f->s, &f->err));
    assert_ok(f, store_get_document(f->s, 1, &f->a, &d, &found, &f->err));
    b = store_batch_new();
    store_set_state(b, 1, DOC_BIT(DOC_RECEIVED), DOC_OPENED, 2, "opened", NULL, NULL);
    assert_ok(f, store_commit(f->s, b, &f->err));
    store_batch_free(b);
    assert_ok(f, store_events(f->s, 1, &f->a, &events, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_get_document(f->s, 1, &f->a, &d, &found, &f->err));
    assert_int_equal(d.state, DOC_RECEIVED);
    store_view_end(f->s);
    assert_ok(f, store_events(f->s, 1, &f->a, &events, &n, &f->err));
    assert_int_equal(n, 1);
    assert_ok(f, store_get_document(f->s, 1, &f->a, &d, &found, &f->err));
    assert_int_equal(d.state, DOC_OPENED);
}

static void a_document_put_again_keeps_its_events(void **state)
{
    struct fixture *f = *state;
    struct document d = simple_document(5, DOC_QUEUED);
    struct store_batch *b = store_batch_new();
    struct event *list;
    size_t n;

    store_put_document(b, &d);
    store_add_event(b, 5, 10, "made", "by hand");
    store_add_event(b, 5, 9, "odd", NULL);
    commit(f, b);
    d.name = "again";
    b = store_batch_new();
    store_put_document(b, &d);
    commit(f, b);
    assert_text(get_document(f, 5).name, "again");
    assert_ok(f, store_events(f->s, 5, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_text(list[0].kind, "made");
    assert_text(list[0].text, "by hand");
    assert_int_equal(list[0].at_ms, 10);
    assert_text(list[1].kind, "odd");
    assert_null(list[1].text);
}

static void a_state_moves_with_its_event_and_reason(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d;
    struct event *list;
    size_t n;

    put_simple(f, 1, DOC_RECEIVED);
    store_set_state(b, 1, DOC_BIT(DOC_RECEIVED), DOC_OPENED, 77, "opened", "fine", NULL);
    store_set_state(b, 1, DOC_ANY, DOC_FAILED, 78, "failed", NULL, "no space");
    store_set_state(b, 1, DOC_ANY, DOC_PROCESSING, 79, "again", NULL, NULL);
    commit(f, b);
    d = get_document(f, 1);
    assert_int_equal(d.state, DOC_PROCESSING);
    assert_int_equal(d.changed_ms, 79);
    assert_text(d.reason, "no space");
    assert_ok(f, store_events(f->s, 1, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_text(list[0].kind, "opened");
    assert_text(list[0].text, "fine");
}

static void a_batch_that_puts_a_document_may_move_it_on_and_set_its_properties(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = { .id = 7, .protocol = "as2", .state = DOC_OPENED, .reason = "" };
    struct arena own = { 0 };
    struct event *list;
    size_t n;

    props_set(&d.props, &own, "as2.mic", "old");
    props_set(&d.props, &own, "as2.subject", "kept");
    store_put_document(b, &d);
    arena_free(&own);
    store_set_prop(b, 7, "as2.mic", "new");
    store_set_prop(b, 7, "as2.disposition", "processed");
    store_set_state(b, 7, DOC_BIT(DOC_OPENED), DOC_PROCESSED, 78, "processed", "p", "why");
    commit(f, b);
    d = get_document(f, 7);
    assert_int_equal(d.state, DOC_PROCESSED);
    assert_int_equal(d.changed_ms, 78);
    assert_text(d.reason, "why");
    assert_text(props_get(&d.props, "as2.mic"), "new");
    assert_text(props_get(&d.props, "as2.subject"), "kept");
    assert_text(props_get(&d.props, "as2.disposition"), "processed");
    assert_ok(f, store_events(f->s, 7, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);

    b = store_batch_new();
    d = (struct document) { .id = 8, .protocol = "as2", .state = DOC_RECEIVED };
    store_put_document(b, &d);
    store_set_state(b, 8, DOC_BIT(DOC_OPENED), DOC_PROCESSED, 79, "processed", NULL, NULL);
    commit_fails(f, b, FAIL_AGAIN);
    assert_text(f->err.text,
                "document 8 is received, expected opened: could not set it processed");
}

static void a_state_conflict_names_document_and_both_states_and_undoes_the_batch(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct event *list;
    size_t n;

    put_simple(f, 12, DOC_SENT);
    store_add_event(b, 12, 1, "lost", NULL);
    store_set_state(b, 12, DOC_BIT(DOC_QUEUED) | DOC_BIT(DOC_SEALED), DOC_SENDING, 5, "x", NULL,
                    NULL);
    commit_fails(f, b, FAIL_AGAIN);
    assert_text(f->err.text,
                "document 12 is sent, expected queued, sealed: could not set it sending");
    assert_int_equal(get_document(f, 12).state, DOC_SENT);
    assert_ok(f, store_events(f->s, 12, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
}

static void changes_to_a_missing_document_are_refused(void **state)
{
    struct fixture *f = *state;
    struct payload_ref ref = { PAYLOAD_ROW, 0, NULL };
    struct execution x = { .id = 1, .document_id = 4 };

    for (int i = 0; i < 9; i++) {
        struct store_batch *b = store_batch_new();

        switch (i) {
        case 0:
            store_set_state(b, 4, DOC_ANY, DOC_OPENED, 1, "x", NULL, NULL);
            break;
        case 1:
            store_set_raw(b, 4, &ref);
            break;
        case 2:
            store_set_opened(b, 4, &ref);
            break;
        case 3:
            store_set_progress(b, 4, 1, 1);
            break;
        case 4:
            store_set_prop(b, 4, "a", "b");
            break;
        case 5:
            store_set_redelivered(b, 4);
            break;
        case 6:
            store_add_event(b, 4, 1, "x", NULL);
            break;
        case 7:
            store_add_tracked(b, 4, "x", "y");
            break;
        case 8:
            store_put_execution(b, &x);
            break;
        }
        commit_fails(f, b, FAIL_AGAIN);
    }
}

static void what_belongs_to_a_document_may_come_before_it_in_a_batch(void **state)
{
    struct fixture *f = *state;
    struct document d = simple_document(4, DOC_RECEIVED);
    struct store_batch *b = store_batch_new();
    struct span got;

    store_put_octets(b, 4, 'r', span_of("a\0b", 3));
    store_put_octets(b, 4, 'o', span_of("", 0));
    store_add_event(b, 4, 1, "early", NULL);
    store_add_tracked(b, 4, "Order", "1");
    store_put_document(b, &d);
    commit(f, b);
    assert_ok(f, store_get_octets(f->s, 4, 'r', &f->a, &got, &f->err));
    assert_true(span_equal(got, span_of("a\0b", 3)));
    assert_ok(f, store_get_octets(f->s, 4, 'o', &f->a, &got, &f->err));
    assert_int_equal(got.n, 0);
    assert_false(store_get_octets(f->s, 4, 'x', &f->a, &got, &f->err));
    assert_int_equal(f->err.kind, FAIL_LOCAL);
}

static void a_key_is_held_by_one_document_until_it_is_forgotten(void **state)
{
    struct fixture *f = *state;
    int64_t now = store_clock_ms(), id = -1;
    struct store_batch *b = store_batch_new();

    store_add_seen(b, "k", 1, now + 60000);
    store_add_seen(b, "old", 1, now - 1);
    commit(f, b);
    assert_ok(f, store_find_seen(f->s, "k", now, &id, &f->err));
    assert_int_equal(id, 1);
    assert_ok(f, store_find_seen(f->s, "k", now + 60000, &id, &f->err));
    assert_int_equal(id, 0);
    assert_ok(f, store_find_seen(f->s, "none", now, &id, &f->err));
    assert_int_equal(id, 0);

    b = store_batch_new();
    store_add_seen(b, "k", 2, now + 60000);
    commit_fails(f, b, FAIL_AGAIN);
    assert_text(f->err.text, "document 2 is the same as document 1: both are 'k'");

    b = store_batch_new();
    store_add_seen(b, "k", 1, now + 90000); /* the holder may prolong it */
    store_add_seen(b, "old", 2, now + 60000);
    commit(f, b);
    assert_ok(f, store_find_seen(f->s, "old", now, &id, &f->err));
    assert_int_equal(id, 2);
    assert_ok(f, store_find_seen(f->s, "k", now + 60001, &id, &f->err));
    assert_int_equal(id, 1);
}

static void the_keys_of_the_youngest_documents_of_a_prefix_are_kept(void **state)
{
    struct fixture *f = *state;
    int64_t later = store_clock_ms() + 60000, id = -1;
    struct store_batch *b = store_batch_new();

    store_add_seen(b, "a|3", 3, later);
    store_add_seen(b, "a|1", 1, later);
    store_add_seen(b, "a|2", 2, later);
    store_add_seen(b, "a", 4, later);
    store_add_seen(b, "b|0", 5, later);
    store_trim_seen(b, "a|", 3); /* just as many */
    commit(f, b);
    assert_ok(f, store_find_seen(f->s, "a|1", later - 1, &id, &f->err));
    assert_int_equal(id, 1);

    b = store_batch_new();
    store_trim_seen(b, "a|", 2);
    commit(f, b);
    assert_ok(f, store_find_seen(f->s, "a|1", later - 1, &id, &f->err));
    assert_int_equal(id, 0);
    assert_ok(f, store_find_seen(f->s, "a|2", later - 1, &id, &f->err));
    assert_int_equal(id, 2);
    assert_ok(f, store_find_seen(f->s, "a", later - 1, &id, &f->err));
    assert_int_equal(id, 4);
    assert_ok(f, store_find_seen(f->s, "b|0", later - 1, &id, &f->err));
    assert_int_equal(id, 5);
}

static void tracked_fields_and_executions_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(4, DOC_PROCESSED);
    struct execution x = { 1, 4, 100, 0, true, "orders", NULL, NULL }, *xs;
    struct tracked *ts;
    size_t n;

    store_put_document(b, &d);
    store_add_tracked(b, 4, "Zeta", "1");
    store_add_tracked(b, 4, "Alpha", "2");
    store_put_execution(b, &x);
    x = (struct execution) { 1, 4, 100, 200, true, "orders", "processed", "3 steps" };
    store_put_execution(b, &x);
    commit(f, b);
    assert_ok(f, store_tracked(f->s, 4, &f->a, &ts, &n, &f->err));
    assert_int_equal(n, 2);
    assert_text(ts[0].label, "Zeta");
    assert_text(ts[1].value, "2");
    assert_ok(f, store_executions(f->s, 4, &f->a, &xs, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(xs[0].ended_ms, 200);
    assert_true(xs[0].redelivered);
    assert_text(xs[0].outcome, "processed");
    assert_text(xs[0].text, "3 steps");
}

static void only_the_state_of_a_receipt_is_set(void **state)
{
    struct fixture *f = *state;
    struct receipt r = { 1, 4, "EERP", true, "pending", 3, "text", "O001", span_of("E\0\r", 3),
                         7 };
    struct store_batch *b = store_batch_new();
    struct receipt *list;
    size_t n;

    store_put_receipt(b, &r);
    commit(f, b);
    b = store_batch_new();
    store_set_receipt(b, 1, "sent");
    store_set_receipt(b, 2, "sent"); /* there is none */
    commit(f, b);
    assert_ok(f, store_receipts(f->s, 4, "sent", &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_text(list[0].kind, "EERP");
    assert_text(list[0].text, "text");
    assert_int_equal(list[0].at_ms, 7);
    assert_true(span_equal(list[0].octets, r.octets));
    assert_ok(f, store_receipts(f->s, 0, "pending", &f->a, &list, &n, &f->err));
    assert_int_equal(n, 0);
}

static void receipts_come_back_newest_first(void **state)
{
    struct fixture *f = *state;
    struct store_batch *b = store_batch_new();
    struct receipt r = { 1, 4, "EERP", true, "pending", 3, "text", "O001", span_of("E\0\r", 3),
                         55 };
    struct receipt *list;
    size_t n;

    store_put_receipt(b, &r);
    r.id = 2;
    r.state = "sent";
    store_put_receipt(b, &r);
    r = (struct receipt) { .id = 3, .kind = "MDN", .state = "unmatched" };
    store_put_receipt(b, &r);
    commit(f, b);
    assert_ok(f, store_receipts(f->s, 4, NULL, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[0].id, 2);
    assert_text(list[1].kind, "EERP");
    assert_true(list[1].outbound);
    assert_text(list[1].state, "pending");
    assert_int_equal(list[1].reason, 3);
    assert_text(list[1].text, "text");
    assert_text(list[1].creator, "O001");
    assert_true(span_equal(list[1].octets, span_of("E\0\r", 3)));
    assert_int_equal(list[1].at_ms, 55);
    assert_ok(f, store_receipts(f->s, 4, "sent", &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_ok(f, store_receipts(f->s, 0, "pending", &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].id, 1);
    assert_ok(f, store_receipts(f->s, 0, NULL, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_int_equal(list[0].id, 3);
    assert_null(list[0].text);
}

static void unanswered_documents_are_those_sent_before(void **state)
{
    struct fixture *f = *state;
    struct document d = simple_document(1, DOC_SENT), *list;
    struct store_batch *b = store_batch_new();
    size_t n;

    d.outbound = true;
    for (d.id = 1; d.id <= 3; d.id++) {
        d.changed_ms = 100 * d.id;
        store_put_document(b, &d);
    }
    store_set_state(b, 1, DOC_ANY, DOC_ACKNOWLEDGED, 100, "eerp", NULL, NULL);
    commit(f, b);
    assert_ok(f, store_find_unanswered(f->s, 300, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].id, 2);
}

static void documents_are_counted_by_state(void **state)
{
    struct fixture *f = *state;
    uint64_t counts[16];

    put_simple(f, 1, DOC_FAILED);
    put_simple(f, 2, DOC_FAILED);
    put_simple(f, 3, DOC_OVERDUE);
    assert_ok(f, store_count_states(f->s, counts, &f->err));
    assert_int_equal(counts[DOC_FAILED], 2);
    assert_int_equal(counts[DOC_OVERDUE], 1);
    assert_int_equal(counts[DOC_SENT], 0);
}

static void states_have_names_that_lead_back(void **state)
{
    (void)state;
    for (int i = DOC_RECEIVING; i <= DOC_OVERDUE; i++) {
        enum document_state got = 0;

        assert_true(document_state_of(document_state_name((enum document_state)i), &got));
        assert_int_equal(got, i);
    }
    assert_text(document_state_name(0), "?");
    assert_text(document_state_name((enum document_state)15), "?");
    assert_false(document_state_of("no such state", &(enum document_state) { 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(properties_are_json_whatever_is_in_them),
        STORE_TEST(every_field_of_a_document_comes_back),
        STORE_TEST(a_batch_for_which_memory_ran_out_is_not_made_text_of),
        STORE_TEST(what_was_not_set_comes_back_as_nothing),
        STORE_TEST(a_document_that_is_not_there_is_not_found),
        STORE_TEST(single_fields_are_changed_in_place),
        STORE_TEST(a_view_is_of_one_moment),
        STORE_TEST(a_document_put_again_keeps_its_events),
        STORE_TEST(a_state_moves_with_its_event_and_reason),
        STORE_TEST(a_batch_that_puts_a_document_may_move_it_on_and_set_its_properties),
        STORE_TEST(a_state_conflict_names_document_and_both_states_and_undoes_the_batch),
        STORE_TEST(changes_to_a_missing_document_are_refused),
        STORE_TEST(what_belongs_to_a_document_may_come_before_it_in_a_batch),
        STORE_TEST(a_key_is_held_by_one_document_until_it_is_forgotten),
        STORE_TEST(the_keys_of_the_youngest_documents_of_a_prefix_are_kept),
        STORE_TEST(tracked_fields_and_executions_are_listed_in_order),
        STORE_TEST(receipts_come_back_newest_first),
        STORE_TEST(only_the_state_of_a_receipt_is_set),
        STORE_TEST(unanswered_documents_are_those_sent_before),
        STORE_TEST(documents_are_counted_by_state),
        STORE_TEST(states_have_names_that_lead_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
