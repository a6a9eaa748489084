/* The n-th allocation fails, for all n: a session says so when it is made, and never needs memory
 * after that. */
#include "support.h"

#include "base/span.h"

static long countdown = -1; /* allocations until the one that fails; negative: none */
static bool none_left;      /* every allocation fails */
static long asked;          /* allocations asked for */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    asked++;
    return none_left || (countdown >= 0 && countdown-- == 0);
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static void a_session_is_made_whole_or_not_at_all(void **state)
{
    struct oftp_session *s = NULL;
    long n;

    (void)state;
    for (n = 0; s == NULL; n++) {
        assert_true(n < 10);
        asked = 0;
        countdown = n;
        s = oftp_session_new();
        countdown = -1;
        assert_int_equal(s == NULL, asked > n); /* it failed when one of its own did */
    }
    assert_true(n > 2); /* the session and its buffers */
    assert_true(oftp_session_between(s));
    oftp_session_free(s);
}

/* The application of the tests keeps what comes; it gets its memory before. */
static void make_room(struct side *d)
{
    d->got_cap = 300000;
    d->got = malloc(d->got_cap);
    assert_non_null(d->got);
}

/* Both ways, over both kinds of files, compressed, with secure authentication and a receipt. */
static void a_session_needs_no_memory_after_it_is_made(void **state)
{
    static uint8_t octets[100000];
    static const size_t records[] = { 80, 0, 70000, 1 };
    struct job there[] = { { .sfid = sfid_of('U', 0), .octets = octets, .n = sizeof(octets) },
                           { .sfid = sfid_of('V', 70000),
                             .octets = octets,
                             .n = 70081,
                             .records = records,
                             .records_n = COUNT_OF(records) } };
    struct oftp_response eerp = eerp_of(&there[0].sfid);
    struct job back[] = { { .response = &eerp } };
    static struct pair p;

    (void)state;
    for (size_t k = 0; k < sizeof(octets); k++)
        octets[k] = (uint8_t)(k % 200 < 100 ? k * k >> 3 : 'x');
    pair_new(&p);
    p.i.cfg.auth = p.r.cfg.auth = true;
    p.i.cfg.cmpr = p.r.cfg.cmpr = true;
    p.i.jobs = there;
    p.i.jobs_n = COUNT_OF(there);
    p.r.jobs = back;
    p.r.jobs_n = COUNT_OF(back);
    make_room(&p.i);
    make_room(&p.r);

    asked = 0;
    none_left = true;
    pair_open(&p);
    pair_run(&p);
    none_left = false;

    assert_int_equal(asked, 0);
    assert_int_equal(p.r.files, 2);
    assert_int_equal(p.i.taken, 2);
    assert_int_equal(p.i.responses, 1);
    assert_true(p.i.ended_well || p.r.ended_well);
    assert_int_equal(p.r.got_n, 70081);
    assert_memory_equal(p.r.got, octets, 70081);
    pair_free(&p);
}

/* An aborted session and its trace need none either: the partner is told, the line is written. */
static void an_abort_and_its_trace_need_no_memory(void **state)
{
    static struct one o;
    struct oftp_config cfg = config_of(false);
    char line[200];

    (void)state;
    one_idleli(&o, &cfg);
    asked = 0;
    none_left = true;
    one_text(&o, "?nonsense");
    oftp_describe(span_text("?nonsense"), OFTP_20, line, sizeof(line));
    none_left = false;
    assert_int_equal(asked, 0);
    one_aborted(&o, ESID_UNKNOWN_COMMAND);
    assert_true(line[0] != '\0');
    one_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_made_whole_or_not_at_all),
        cmocka_unit_test(a_session_needs_no_memory_after_it_is_made),
        cmocka_unit_test(an_abort_and_its_trace_need_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
