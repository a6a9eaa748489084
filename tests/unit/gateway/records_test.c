/* Records of F and V files: src/gateway/records.c, on a real store. */
#include "gateway/records.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char dir[64];
static struct store *st;
static struct err err;

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int begin(void **state)
{
    struct store_config cfg = { .url = "sqlite", .directory = dir };

    (void)state;
    strcpy(dir, "/tmp/waybill-records-XXXXXX");
    return mkdtemp(dir) != NULL && store_open(&cfg, &st, &err) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    store_close(st);
    return nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Cuts text into records with `chunk` octets at a time; gives the lengths as "1,2,3". */
static void cut(const char *text, const char *delimiter, size_t chunk, char *lengths, char *raw)
{
    struct records_cut c = { .longest = 10 };
    struct payload_ref ref, index;
    struct payload_reader *r = NULL;
    struct records_in in = { 0 };
    int64_t id = store_next_id(st);
    struct span left = span_text(text);
    size_t got = 0;
    bool more = true, found = false;

    assert_true(payload_create(st, id, 'r', &c.raw, &err));
    assert_true(payload_create(st, id, 'x', &c.index, &err));
    c.delimiter = records_delimiter(delimiter, "lf");
    while (left.n > 0) {
        size_t n = left.n < chunk ? left.n : chunk;

        assert_true(records_cut(&c, span_of(left.p, n), &err));
        span_skip(&left, n);
    }
    assert_true(records_cut_end(&c, &err));
    assert_true(payload_checkpoint(c.index, &index, &err));
    assert_true(payload_checkpoint(c.raw, &ref, &err));
    assert_true(payload_open(st, id, 'r', &ref, &r, &err));
    assert_true(payload_read(r, 0, (struct room) { (uint8_t *)raw, 100 }, &got, &err));
    raw[got] = '\0';
    payload_reader_free(r);

    assert_true(payload_index_ref(st, id, &index, &found, &err));
    assert_true(found);
    assert_true(payload_open(st, id, 'x', &index, &in.reader, &err));
    lengths[0] = '\0';
    while (more) {
        uint32_t n = 0;

        assert_true(records_next(&in, &n, &more, &err));
        if (more)
            sprintf(lengths + strlen(lengths), "%s%u", lengths[0] != '\0' ? "," : "", n);
    }
    payload_reader_free(in.reader);
    payload_writer_free(c.raw);
    payload_writer_free(c.index);
}

static void test_lines_become_records_however_they_arrive(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 20; chunk++) {
        char lengths[100], raw[101];

        cut("ab\n\ncde\nf", "lf", chunk, lengths, raw);
        assert_string_equal(lengths, "2,0,3,1");
        assert_string_equal(raw, "abcdef");
        cut("ab\r\n\r\ncde\r\n", "crlf", chunk, lengths, raw);
        assert_string_equal(lengths, "2,0,3");
        assert_string_equal(raw, "abcde");
        cut("a\rb\r\nc\r", "crlf", chunk, lengths, raw);
        assert_string_equal(lengths, "3,2");
        assert_string_equal(raw, "a\rbc\r");
        cut("a\nb\r\n\r\r\nc", "crlf", chunk, lengths, raw);
        assert_string_equal(lengths, "3,1,1");
        assert_string_equal(raw, "a\nb\rc");
        cut("", "lf", chunk, lengths, raw);
        assert_string_equal(lengths, "");
    }
}

static void test_a_record_too_long_is_named(void **state)
{
    struct records_cut c = { .longest = 3 };

    (void)state;
    assert_true(payload_create(st, store_next_id(st), 'r', &c.raw, &err));
    c.delimiter = records_delimiter(NULL, "lf");
    assert_true(records_cut(&c, span_text("abc\n"), &err));
    assert_false(records_cut(&c, span_text("abcd\n"), &err));
    assert_int_equal(err.wire, 422);
    assert_non_null(strstr(err.text, "record 2"));
    payload_writer_free(c.raw);
}

static void test_fixed_records_must_fill_the_file(void **state)
{
    struct records_cut c = { .longest = 4, .exact = 4 };

    (void)state;
    assert_true(payload_create(st, store_next_id(st), 'r', &c.raw, &err));
    assert_true(records_cut(&c, span_text("abcdefg"), &err));
    assert_int_equal(c.records, 1);
    assert_false(records_cut_end(&c, &err));
    assert_true(records_cut(&c, span_text("h"), &err));
    assert_true(records_cut_end(&c, &err));
    assert_int_equal(c.records, 2);
    payload_writer_free(c.raw);
}

static void test_the_size_of_the_first_records_is_their_sum(void **state)
{
    static const uint32_t lengths[] = { 5, 0, 7, 100000 };
    struct payload_writer *x = NULL;
    struct payload_ref ref;
    int64_t id = store_next_id(st);
    uint64_t octets = 0;

    (void)state;
    assert_true(payload_create(st, id, 'x', &x, &err));
    assert_true(records_write(x, lengths, 4, &err));
    assert_true(payload_checkpoint(x, &ref, &err));
    assert_true(records_size(st, id, 0, &octets, &err));
    assert_int_equal(octets, 0);
    assert_true(records_size(st, id, 3, &octets, &err));
    assert_int_equal(octets, 12);
    assert_true(records_size(st, id, 4, &octets, &err));
    assert_int_equal(octets, 100012);
    assert_false(records_size(st, id, 5, &octets, &err));
    payload_writer_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_become_records_however_they_arrive),
        cmocka_unit_test(test_a_record_too_long_is_named),
        cmocka_unit_test(test_fixed_records_must_fill_the_file),
        cmocka_unit_test(test_the_size_of_the_first_records_is_their_sum),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
