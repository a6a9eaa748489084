/* Multipart bodies. */
#include "support.h"

#include <time.h>

enum { PARTS = 110 };

static struct bytes part[PARTS];
static size_t begun;
static unsigned ends, frees;

static bool begin(void *context, size_t index, struct sink **out, struct err *err)
{
    (void)context;
    (void)err;
    CHECK_EQ(index, begun);
    assert_true(begun < PARTS);
    CHECK_EQ(ends, begun);
    bytes_put(&part[begun], "", 0);
    *out = keeper_new(&part[begun++], &ends, &frees);
    return true;
}

static const struct mime_parts_events events = { begin };

static void forget(void)
{
    for (size_t i = 0; i < PARTS; i++)
        bytes_free(&part[i]);
    begun = ends = frees = 0;
}

static bool split(const char *boundary, struct span body, size_t chunk, struct err *err)
{
    struct sink *s;
    bool ok;

    forget();
    s = mime_parts_new(boundary, &events, NULL, err);
    ok = push(s, body, chunk, err);
    CHECK_EQ(frees, begun);
    if (ok)
        CHECK_EQ(ends, begun);
    return ok;
}

struct vector {
    const char *body;
    const char *parts[4]; /* none: refused */
};

/* as2.md 13.6, in its order, then others. */
static const struct vector vectors[] = {
    { "--b\r\nH: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n", { "H: 1\r\n\r\nx", "\r\ny" } },
    { "\r\n--b\r\n\r\nx\r\n--b--", { "\r\nx" } },
    { "pre\r\n--b  \r\n\r\nx\r\n\r\n--b--\r\nepi", { "\r\nx\r\n" } },
    { "--b\r\n\r\na\r\n--bc\r\nz\r\n--b--\r\n", { "\r\na\r\n--bc\r\nz" } },
    { "--b\r\n\r\na --b\r\n--b--\r\n", { "\r\na --b" } },
    { "--b\r\n\r\n\r\n--b--\r\n", { "\r\n" } },
    { "--b\r\n\r\nx", { NULL } },
    /* AS2-C34: a preamble of text, of lines like headers */
    { "Content-Type: text/plain\r\nX: y\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", { "\r\nx" } },
    { "--c\r\n--bb\r\n--b\r\n\r\nx\r\n--b--\r\n", { "\r\nx" } },
    /* AS2-C35: the boundary is a prefix of the inner one, whose lines are content */
    { "--b\r\nX: multipart\r\n\r\n--b2\r\n\r\ni\r\n--b2--\r\n\r\n--b--\r\n",
      { "X: multipart\r\n\r\n--b2\r\n\r\ni\r\n--b2--\r\n" } },
    /* AS2-C43: text that resembles the boundary */
    { "--b\r\n\r\n--b-\r\n--b-x\r\n--b--x\r\n--b x\r\n-b\r\n--\r\n--b\rx\r\n--b--\r\n",
      { "\r\n--b-\r\n--b-x\r\n--b--x\r\n--b x\r\n-b\r\n--\r\n--b\rx" } },
    { "--b\r\n\r\nx--b--\r\n --b--\r\n--b--\r\n", { "\r\nx--b--\r\n --b--" } },
    /* AS2-C36: parts without header, without anything */
    { "--b\r\n\r\nx\r\n--b\r\n\r\n\r\n--b--", { "\r\nx", "\r\n" } },
    { "--b\r\n--b\r\n\r\n--b--\r\n", { "", "" } },
    /* the line end before a delimiter is its own, only one of them, and CR LF as one */
    { "--b\r\n\r\nx\r\r\n--b--\r\n", { "\r\nx\r" } },
    { "--b\r\n\r\nx\n\r\n\r\n--b--\r\n", { "\r\nx\n\r\n" } },
    { "--b\r\n\r\n\r\n\n--b\r\n\n--b--\r\n", { "\r\n\r\n", "" } },
    /* bare LF on delimiter lines and before them */
    { "--b\n\nx\n--b\n\ny\n--b--\n", { "\nx", "\ny" } },
    { "--b\n\nx\ry\n--b--", { "\nx\ry" } },
    { "--b\r\n\r\nx\n--b \t \r\n\r\ny\r\n--b-- \t\r\nepilogue\r\n--b\r\nno part",
      { "\r\nx", "\r\ny" } },
    { "--b\r\n\r\nx\r\n--b--\r", { "\r\nx" } },
    { "--b\r\n\r\nx\r\n--b-- ", { "\r\nx" } },
    { "--b\r\n\r\n\n--b\r\r\n--b--", { "\r\n\n--b\r" } },
    { "--b\r\n\r\n\r\r\r\n\r\r\n--b--", { "\r\n\r\r\r\n\r" } },
    { "--b\r\n\r\n\r\n-\r\n--\r\n--\n--b--", { "\r\n\r\n-\r\n--\r\n--" } },
    /* refused: the last delimiter missing, no part at all */
    { "", { NULL } },
    { "--b--\r\n", { NULL } },
    { "--b\r\n\r\nx\r\n--b\r\n", { NULL } },
    { "--b\r\n\r\nx\r\n--b", { NULL } },
    { "--b\r\n\r\nx\r\n--b-", { NULL } },
    { "--b\r\n\r\nx\r--b--", { NULL } },
    { "x--b\r\n\r\n--b--", { NULL } },
    { "no delimiter", { NULL } },
};

static void check_vector(const struct vector *v, size_t chunk)
{
    struct err err;
    size_t n = 0;

    if (v->parts[0] == NULL) {
        assert_false(split("b", span_text(v->body), chunk, &err));
        CHECK_EQ(err.kind, FAIL_PEER);
        return;
    }
    if (!split("b", span_text(v->body), chunk, &err))
        fail_msg("%s\n%s", v->body, err.text);
    for (; n < COUNT_OF(v->parts) && v->parts[n] != NULL; n++) {
        assert_true(n < begun);
        assert_string_equal((const char *)part[n].p, v->parts[n]);
    }
    CHECK_EQ(begun, n);
}

static void vectors_split_as_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        for (size_t chunk = 1; chunk <= strlen(vectors[i].body) + 1; chunk++)
            check_vector(&vectors[i], chunk);
    forget();
}

/* A reference without any cleverness: the whole body, line after line. */
static size_t slow_parts(struct span body, struct bytes *out, bool *whole)
{
    size_t n = 0, at = 0, content = 0;
    bool in_part = false;

    *whole = false;
    while (at < body.n) {
        const uint8_t *lf = memchr(body.p + at, '\n', body.n - at);
        size_t end = lf != NULL ? (size_t)(lf - body.p) : body.n, i = at + 3, line_end = at;
        bool last = false;

        if (i <= end && memcmp(body.p + at, "--b", 3) == 0) {
            if (i + 2 <= end && memcmp(body.p + i, "--", 2) == 0) {
                last = true;
                i += 2;
            }
            while (i < end && (body.p[i] == ' ' || body.p[i] == '\t'))
                i++;
            if (i < end && body.p[i] == '\r')
                i++;
            if (i == end && (lf != NULL || last)) {
                if (in_part) {
                    if (line_end > content && body.p[line_end - 1] == '\n')
                        line_end--;
                    if (line_end > content && body.p[line_end - 1] == '\r' && line_end < at)
                        line_end--;
                    bytes_put(&out[n++], body.p + content, line_end - content);
                }
                if (last) {
                    *whole = n > 0;
                    return n;
                }
                in_part = true;
                content = end + 1;
            }
        }
        at = end + 1;
    }
    return n;
}

/* Bodies made of what delimiters are made of: every cut gives what the slow reader gives. */
static void random_bodies_split_as_a_slow_reader_splits_them(void **state)
{
    static const char *const pieces[] = { "--b", "--b--", "\r\n", "\n", "\r", "-",
                                          "b",   " ",     "\t",   "x",  "--", "\r\n--b\r\n" };
    struct bytes want[PARTS] = { { 0 } };
    uint32_t x = 1;

    (void)state;
    for (unsigned round = 0; round < 40000; round++) {
        struct bytes body = { 0 };
        struct err err;
        size_t n, chunk;
        bool whole;

        bytes_text(&body, round % 2 == 0 ? "--b\r\n" : "");
        for (unsigned i = 0; i < 14; i++) {
            x = x * 1664525 + 1013904223;
            bytes_text(&body, pieces[(x >> 16) % COUNT_OF(pieces)]);
        }
        n = slow_parts(bytes_span(&body), want, &whole);
        chunk = 1 + round % 7;
        if (split("b", bytes_span(&body), chunk, &err) != whole)
            fail_msg("chunks of %zu: %s\n[%s]", chunk, err.text, (const char *)body.p);
        if (whole) {
            CHECK_EQ(begun, n);
            for (size_t i = 0; i < n; i++)
                CHECK_OCTETS(&part[i], want[i].p, want[i].n);
        }
        for (size_t i = 0; i < n; i++)
            bytes_free(&want[i]);
        bytes_free(&body);
    }
    forget();
}

/* AS2-C37: octets of every value come out as they went in, whatever the cut. */
static void every_octet_passes_unchanged(void **state)
{
    struct bytes body = { 0 }, content = { 0 };
    struct err err;

    (void)state;
    for (unsigned i = 0; i < 3 * 256; i++)
        bytes_put(&content, &(uint8_t) { (uint8_t)(i * 7) }, 1);
    bytes_text(&body, "--bound\r\n");
    bytes_put(&body, content.p, content.n);
    bytes_text(&body, "\r\n--bound--\r\n");
    for (size_t chunk = 1; chunk <= body.n; chunk += chunk < 100 ? 1 : 37) {
        assert_true(split("bound", bytes_span(&body), chunk, &err));
        CHECK_EQ(begun, 1);
        CHECK_OCTETS(&part[0], content.p, content.n);
    }
    bytes_free(&body);
    bytes_free(&content);
    forget();
}

static void every_truncation_before_the_last_dashes_is_refused(void **state)
{
    static const char body[] = "--b\r\nH: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--";
    struct err err;

    (void)state;
    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        assert_false(split("b", span_of(body, n), 5, &err));
        CHECK_EQ(err.kind, FAIL_PEER);
        assert_non_null(strstr(err.text, "before its last delimiter"));
    }
    forget();
}

static void flipped_bits_give_the_same_parts_in_every_cut(void **state)
{
    static const char good[] = "\r\n--b\r\nH: 1\r\n\r\nx\r\n--b \r\n\r\ny\n--b--\r\n";
    char body[sizeof(good)];
    struct err err;

    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
        struct bytes first = { 0 };
        size_t n;
        bool ok;

        memcpy(body, good, sizeof(good));
        body[bit / 8] = (char)(body[bit / 8] ^ 1 << bit % 8);
        ok = split("b", span_of(body, sizeof(good) - 1), SIZE_MAX, &err);
        n = begun;
        for (size_t i = 0; i < n; i++)
            bytes_put(&first, part[i].p, part[i].n);
        for (size_t chunk = 1; chunk < 9; chunk++) {
            struct bytes again = { 0 };

            CHECK_EQ(split("b", span_of(body, sizeof(good) - 1), chunk, &err), ok);
            CHECK_EQ(begun, n);
            for (size_t i = 0; i < n; i++)
                bytes_put(&again, part[i].p, part[i].n);
            if (ok)
                CHECK_OCTETS(&again, first.p, first.n);
            bytes_free(&again);
        }
        bytes_free(&first);
    }
    forget();
}

/* ---- limits: AS2-C127 ------------------------------------------------------------------- */

static bool split_parts(size_t n, struct err *err)
{
    struct bytes body = { 0 };
    bool ok;

    for (size_t i = 0; i < n; i++)
        bytes_text(&body, "--b\r\n\r\nx\r\n");
    bytes_text(&body, "--b--\r\n");
    ok = split("b", bytes_span(&body), 1000, err);
    bytes_free(&body);
    return ok;
}

static void as2_c127_parts_up_to_the_limit(void **state)
{
    struct err err;

    (void)state;
    assert_true(split_parts(MIME_PARTS_MAX, &err));
    CHECK_EQ(begun, MIME_PARTS_MAX);
    assert_false(split_parts(MIME_PARTS_MAX + 1, &err));
    CHECK_EQ(err.kind, FAIL_PEER);
    CHECK_EQ(begun, MIME_PARTS_MAX);
    forget();
}

static bool split_edges(size_t before, size_t behind, size_t chunk, struct err *err)
{
    struct bytes body = { 0 };
    bool ok;

    for (size_t i = 0; i < before; i++)
        bytes_text(&body, i % 60 == 59 ? "\n" : "p");
    bytes_text(&body, "\r\n--b\r\n\r\nx\r\n--b--\r\n");
    for (size_t i = 0; i < behind; i++)
        bytes_text(&body, "e");
    ok = split("b", bytes_span(&body), chunk, err);
    bytes_free(&body);
    return ok;
}

static void as2_c127_preamble_and_epilogue_up_to_the_limit(void **state)
{
    static const size_t chunks[] = { 1, 4096, 1000000 };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        assert_true(split_edges(MIME_EDGE_MAX, MIME_EDGE_MAX, chunks[i], &err));
        assert_false(split_edges(MIME_EDGE_MAX + 1, 0, chunks[i], &err));
        CHECK_EQ(err.kind, FAIL_PEER);
        assert_false(split_edges(0, MIME_EDGE_MAX + 1, chunks[i], &err));
        CHECK_EQ(err.kind, FAIL_PEER);
    }
    forget();
}

static void as2_c127_boundaries_up_to_the_limit(void **state)
{
    char boundary[MIME_BOUNDARY_MAX + 2];
    struct bytes body = { 0 };
    struct err err;

    (void)state;
    memset(boundary, '-', sizeof(boundary));
    boundary[MIME_BOUNDARY_MAX + 1] = '\0';
    assert_null(mime_parts_new(boundary, &events, NULL, &err));
    CHECK_EQ(err.kind, FAIL_PEER);
    boundary[MIME_BOUNDARY_MAX] = '\0';
    bytes_text(&body, "--");
    bytes_text(&body, boundary);
    bytes_text(&body, "\r\n\r\nx\r\n--");
    bytes_text(&body, boundary);
    bytes_text(&body, "--\r\n");
    for (size_t chunk = 1; chunk < body.n; chunk++) {
        assert_true(split(boundary, bytes_span(&body), chunk, &err));
        CHECK_OCTETS(&part[0], "\r\nx", 3);
    }
    bytes_free(&body);
    forget();
}

static void as2_c127_blanks_behind_a_delimiter_up_to_the_limit(void **state)
{
    struct err err;

    (void)state;
    for (size_t n = 128; n <= 1000; n += n == 128 ? 1 : 435)
        for (size_t chunk = 1; chunk < 400; chunk += 33) {
            struct bytes body = { 0 };

            bytes_text(&body, "--b\r\n\r\nx\r\n--b--");
            for (size_t i = 0; i < n; i++)
                bytes_text(&body, i % 3 == 0 ? "\t" : " ");
            bytes_text(&body, "\r\n");
            CHECK_EQ(split("b", bytes_span(&body), chunk, &err), n == 128);
            bytes_free(&body);
        }
    forget();
}

static void illegal_boundaries_are_refused(void **state)
{
    static const char *const boundaries[] = { "", "b ", "a\rb", "\xc3\xa4", "\x7f", " " };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(boundaries); i++) {
        assert_null(mime_parts_new(boundaries[i], &events, NULL, &err));
        CHECK_EQ(err.kind, FAIL_PEER);
    }
    assert_true(split("a b", span_text("--a b\r\n\r\nx\r\n--a b--"), 3, &err));
    forget();
}

/* ---- events ------------------------------------------------------------------------------ */

static bool refuse(void *context, size_t index, struct sink **out, struct err *err)
{
    (void)context;
    (void)out;
    return FAIL(err, FAIL_TRUST, 7, "part %zu is not wanted", index);
}

static bool nowhere(void *context, size_t index, struct sink **out, struct err *err)
{
    (void)out;
    (void)err;
    *(size_t *)context = index + 1;
    return true;
}

static void an_event_may_refuse_or_let_a_part_go_nowhere(void **state)
{
    static const struct mime_parts_events no = { refuse }, drop = { nowhere };
    struct span body = span_text("--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--");
    size_t seen = 0;
    struct err err;

    (void)state;
    assert_false(push(mime_parts_new("b", &no, NULL, &err), body, 4, &err));
    CHECK_EQ(err.kind, FAIL_TRUST);
    CHECK_EQ(err.wire, 7);
    assert_true(push(mime_parts_new("b", &drop, &seen, &err), body, 4, &err));
    CHECK_EQ(seen, 2);
}

/* Counts what passes, and how often it is called. */
struct counter {
    struct sink sink;
    uint64_t *octets;
};

static bool count_write(struct sink *s, struct span octets, struct err *err)
{
    (void)err;
    *((struct counter *)s)->octets += octets.n;
    return true;
}

static bool count_end(struct sink *s, struct err *err)
{
    (void)s;
    (void)err;
    return true;
}

static void count_free(struct sink *s)
{
    free(s);
}

static bool count_begin(void *context, size_t index, struct sink **out, struct err *err)
{
    static const struct sink_ops ops = { "counter", count_write, count_end, count_free };
    struct counter *c = calloc(1, sizeof(*c));

    (void)index;
    (void)err;
    assert_non_null(c);
    *c = (struct counter) { { &ops }, context };
    *out = &c->sink;
    return true;
}

static double mb_per_s(const char *pattern, size_t chunk)
{
    static const struct mime_parts_events count = { count_begin };
    static uint8_t buffer[65536];
    const size_t total = 256 << 20;
    uint64_t octets = 0;
    struct timespec a, b;
    struct err err;
    struct sink *s = mime_parts_new("boundary", &count, &octets, &err);

    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)pattern[i % strlen(pattern)];
    assert_true(sink_write(s, span_text("--boundary\r\n\r\n"), &err));
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t n = 0; n < total; n += chunk)
        assert_true(sink_write(s, span_of(buffer, chunk), &err));
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(sink_write(s, span_text("\r\n--boundary--\r\n"), &err));
    assert_true(sink_end(s, &err));
    sink_free(s);
    CHECK_EQ(octets, total + 2);
    return (double)total / 1e6 /
           ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

/* Figures, and a floor low enough for any machine and sanitizer: quadratic work would be far below. */
static void long_bodies_flow(void **state)
{
    static const struct {
        const char *what, *pattern;
        size_t chunk;
    } runs[] = {
        { "EDI lines of 80",
          "LIN+1++4012345000023:EN'IMD+F++:::some article with a name'QTY+21:12:PCE'PRI+A\r\n",
          65536 },
        { "one line", "abcdefghijklmnopqrstuvwxyz", 65536 },
        { "CRLF only", "\r\n", 65536 },
        { "nearly delimiters", "\r\n--boundar", 65536 },
        { "nearly delimiters, 64 octets a time", "\r\n--boundar", 64 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        double speed = mb_per_s(runs[i].pattern, runs[i].chunk);

        print_message("%s: %.0f MB/s\n", runs[i].what, speed);
        assert_true(speed > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_split_as_listed),
        cmocka_unit_test(random_bodies_split_as_a_slow_reader_splits_them),
        cmocka_unit_test(every_octet_passes_unchanged),
        cmocka_unit_test(every_truncation_before_the_last_dashes_is_refused),
        cmocka_unit_test(flipped_bits_give_the_same_parts_in_every_cut),
        cmocka_unit_test(as2_c127_parts_up_to_the_limit),
        cmocka_unit_test(as2_c127_preamble_and_epilogue_up_to_the_limit),
        cmocka_unit_test(as2_c127_boundaries_up_to_the_limit),
        cmocka_unit_test(as2_c127_blanks_behind_a_delimiter_up_to_the_limit),
        cmocka_unit_test(illegal_boundaries_are_refused),
        cmocka_unit_test(an_event_may_refuse_or_let_a_part_go_nowhere),
        cmocka_unit_test(long_bodies_flow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
