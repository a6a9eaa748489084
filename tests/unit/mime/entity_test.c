/* Entities. */
#include "support.h"

static struct arena arena;
static struct bytes raw, body;
static unsigned heads, ends, frees;
static size_t fields;
static char type[200];

static bool on_head(void *context, const struct mime_head *h, struct span octets,
                    struct sink **out, struct err *err)
{
    const char *value = mime_head_get(h, "Content-Type");

    (void)context;
    (void)err;
    heads++;
    fields = h->n;
    (void)snprintf(type, sizeof(type), "%s", value != NULL ? value : "");
    bytes_put(&raw, octets.p, octets.n);
    bytes_put(&body, "", 0);
    *out = keeper_new(&body, &ends, &frees);
    return true;
}

static const struct mime_entity_events events = { on_head };

static bool read_entity(struct span octets, bool headerless, size_t chunk, struct err *err)
{
    bool ok;

    arena_free(&arena);
    bytes_free(&raw);
    bytes_free(&body);
    heads = ends = frees = 0;
    ok = push(mime_entity_new(&events, NULL, &arena, headerless), octets, chunk, err);
    CHECK_EQ(frees, heads);
    if (ok) {
        CHECK_EQ(heads, 1);
        CHECK_EQ(ends, 1);
    }
    return ok;
}

struct example {
    const char *octets;
    bool headerless;
    const char *raw, *body; /* NULL: refused */
};

static const struct example examples[] = {
    { "A: 1\r\n\r\nbody", false, "A: 1\r\n\r\n", "body" },
    { "A: 1\n\nbody\r\n", false, "A: 1\n\n", "body\r\n" },
    { "A: 1\r\nB: 2\n\r\n\r\nbody", false, "A: 1\r\nB: 2\n\r\n", "\r\nbody" },
    { "A: 1\r\n fold\r\n\r\n", false, "A: 1\r\n fold\r\n\r\n", "" },
    { "A: 1\r\n \r\n\r\n body", false, "A: 1\r\n \r\n\r\n", " body" },
    /* AS2-C36 */
    { "\r\nbody", false, "\r\n", "body" },
    { "\n", false, "\n", "" },
    /* refused: no empty line, no header */
    { "", false, NULL, NULL },
    { "A: 1\r\n", false, NULL, NULL },
    { "A: 1\r\nB: 2", false, NULL, NULL },
    { "\r", false, NULL, NULL },
    { "UNB+UNOA:1+X'\r\nUNH+1'\r\n\r\n", false, NULL, NULL },
    { "A: 1\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n\r\n", false, NULL, NULL },
    /* headerless: payloads as they are encrypted by some */
    { "UNB+UNOA:1+X'\r\nUNH+1'\r\n\r\nx", true, "", "UNB+UNOA:1+X'\r\nUNH+1'\r\n\r\nx" },
    { "UNA:+.? '\r\nUNB+UNOA:1+X'\r\n\r\n", true, "", "UNA:+.? '\r\nUNB+UNOA:1+X'\r\n\r\n" },
    { "ISA*00*          *00*:~\n", true, "", "ISA*00*          *00*:~\n" },
    { "STX=ANA:1+X'", true, "", "STX=ANA:1+X'" },
    { "{\"a\":1}", true, "", "{\"a\":1}" },
    { "<a:b>", true, "", "<a:b>" },
    { "511X", true, "", "511X" },
    { ":x", true, "", ":x" },
    { "no colon", true, "", "no colon" },
    { "", true, "", "" },
    { "\r", true, "", "\r" },
    { "\rx", true, "", "\rx" },
    { "A", true, "", "A" },
    { "A-1: 1\r\n\r\nbody", true, "A-1: 1\r\n\r\n", "body" },
    { "\r\nbody", true, "\r\n", "body" },
    { "\nbody", true, "\n", "body" },
    /* ... but what begins like a header must be one */
    { "Content-Type: a/b\r\nno header\r\n\r\n", true, NULL, NULL },
    { "Content-Type: a/b\r\n", true, NULL, NULL },
};

static void entities_are_read_in_every_cut(void **state)
{
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        const struct example *x = &examples[i];

        for (size_t chunk = 1; chunk <= strlen(x->octets) + 1; chunk++) {
            bool ok = read_entity(span_text(x->octets), x->headerless, chunk, &err);

            if (ok != (x->raw != NULL))
                fail_msg("%s\n%s", x->octets, err.text);
            if (ok) {
                CHECK_OCTETS(&raw, x->raw, strlen(x->raw));
                CHECK_OCTETS(&body, x->body, strlen(x->body));
            } else {
                CHECK_EQ(err.kind, FAIL_PEER);
                CHECK_EQ(heads, 0);
            }
        }
    }
}

/* AS2-C9: what a digest is made over are the octets as they came, folds included. */
static void as2_c9_raw_octets_keep_their_folds(void **state)
{
    static const char octets[] =
        "content-TYPE:\r\n\tapplication/EDIFACT;\r\n  name=x\r\n\r\nUNB";
    struct err err;

    (void)state;
    for (size_t chunk = 1; chunk < sizeof(octets); chunk++) {
        assert_true(read_entity(span_text(octets), false, chunk, &err));
        assert_string_equal(type, "application/EDIFACT; name=x");
        CHECK_EQ(fields, 1);
        bytes_put(&raw, body.p, body.n);
        CHECK_OCTETS(&raw, octets, sizeof(octets) - 1);
    }
}

/* AS2-C39: no Content-Transfer-Encoding is binary. */
static void as2_c39_no_transfer_encoding_is_binary(void **state)
{
    (void)state;
    CHECK_EQ(mime_encoding_of(NULL), MIME_BINARY);
    CHECK_EQ(mime_encoding_of(""), MIME_BINARY);
    CHECK_EQ(mime_encoding_of("7BIT"), MIME_BINARY);
    CHECK_EQ(mime_encoding_of("8bit"), MIME_BINARY);
    CHECK_EQ(mime_encoding_of("Binary"), MIME_BINARY);
    CHECK_EQ(mime_encoding_of("BASE64"), MIME_BASE64);
    CHECK_EQ(mime_encoding_of("Quoted-Printable"), MIME_QUOTED);
    CHECK_EQ(mime_encoding_of("x-uuencode"), MIME_UNKNOWN);
}

static void as2_c127_header_blocks_up_to_the_limit(void **state)
{
    static const size_t chunks[] = { 1, 1000, 1000000 };
    struct err err;

    (void)state;
    for (size_t over = 0; over < 2; over++)
        for (size_t i = 0; i < COUNT_OF(chunks); i++) {
            struct bytes b = { 0 };

            while (b.n < MIME_HEAD_MAX + over)
                bytes_text(&b, b.n == 0                            ? "A: "
                               : b.n % 1024 == 1022 && b.n < 65000 ? "\r\n "
                                                                   : "x");
            memcpy(b.p + b.n - 2, "\r\n", 2);
            for (size_t at = 15 * 1024; at + 1024 < b.n; at += 15 * 1024)
                memcpy(b.p + at - 2, "\r\nA: ", 5);
            bytes_text(&b, "\r\nbody");
            CHECK_EQ(read_entity(bytes_span(&b), i == 1, chunks[i], &err), over == 0);
            if (over > 0)
                assert_non_null(strstr(err.text, "65536 octets"));
            bytes_free(&b);
        }
}

/* Without line end nothing is collected beyond the limit. */
static void endless_headers_are_refused_early(void **state)
{
    struct sink *s = mime_entity_new(&events, NULL, &arena, false);
    size_t n = 0;
    struct err err;

    (void)state;
    heads = 0;
    while (sink_write(s, span_text("A"), &err))
        n++;
    CHECK_EQ(n, MIME_HEAD_MAX + 2);
    CHECK_EQ(err.kind, FAIL_PEER);
    sink_free(s);
}

static void a_long_body_without_line_ends_is_headerless(void **state)
{
    struct bytes b = { 0 };
    struct err err;

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        bytes_text(&b, "a");
    for (size_t chunk = 1; chunk < 200000; chunk = chunk * 7 + 1) {
        assert_true(read_entity(bytes_span(&b), true, chunk, &err));
        CHECK_EQ(fields, 0);
        CHECK_OCTETS(&body, b.p, b.n);
    }
    bytes_free(&b);
}

/* AS2-C127: a longer first word is no field name, in any cut. */
static void as2_c127_names_that_begin_a_block_up_to_the_limit(void **state)
{
    struct err err;

    (void)state;
    for (size_t n = 127; n <= 130; n++) {
        struct bytes b = { 0 };

        while (b.n < n)
            bytes_text(&b, "n");
        bytes_text(&b, ": x\r\n\r\nbody");
        for (size_t chunk = 1; chunk < 150; chunk++) {
            assert_true(read_entity(bytes_span(&b), true, chunk, &err));
            CHECK_EQ(fields, n <= 128);
            CHECK_EQ(body.n, n <= 128 ? 4 : b.n);
        }
        bytes_free(&b);
    }
}

static void truncated_and_damaged_entities_are_read_or_refused(void **state)
{
    static const char good[] = "Content-Type: a/b;\r\n c=d\r\nX: y\r\n\r\nbody";
    char octets[sizeof(good)];
    struct err err;

    (void)state;
    for (size_t n = 0; n < sizeof(good); n++)
        CHECK_EQ(read_entity(span_of(good, n), false, 3, &err), n >= sizeof(good) - 1 - 4);
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
        bool ok;

        memcpy(octets, good, sizeof(good));
        octets[bit / 8] = (char)(octets[bit / 8] ^ 1 << bit % 8);
        ok = read_entity(span_of(octets, sizeof(good) - 1), bit % 2 == 0, 1000, &err);
        for (size_t chunk = 1; chunk < 9; chunk++)
            CHECK_EQ(read_entity(span_of(octets, sizeof(good) - 1), bit % 2 == 0, chunk, &err),
                     ok);
    }
}

static bool refuse(void *context, const struct mime_head *h, struct span octets,
                   struct sink **out, struct err *err)
{
    (void)context;
    (void)h;
    (void)octets;
    (void)out;
    return FAIL(err, FAIL_TRUST, 3, "not wanted");
}

static bool nowhere(void *context, const struct mime_head *h, struct span octets,
                    struct sink **out, struct err *err)
{
    (void)context;
    (void)h;
    (void)octets;
    (void)out;
    (void)err;
    return true;
}

static void the_event_may_refuse_or_let_the_body_go_nowhere(void **state)
{
    static const struct mime_entity_events no = { refuse }, drop = { nowhere };
    struct err err;

    (void)state;
    assert_false(push(mime_entity_new(&no, NULL, &arena, false), span_text("\r\nx"), 9, &err));
    CHECK_EQ(err.kind, FAIL_TRUST);
    assert_true(push(mime_entity_new(&drop, NULL, &arena, false), span_text("\r\nx"), 1, &err));
}

static int done(void **state)
{
    (void)state;
    arena_free(&arena);
    bytes_free(&raw);
    bytes_free(&body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_are_read_in_every_cut),
        cmocka_unit_test(as2_c9_raw_octets_keep_their_folds),
        cmocka_unit_test(as2_c39_no_transfer_encoding_is_binary),
        cmocka_unit_test(as2_c127_header_blocks_up_to_the_limit),
        cmocka_unit_test(endless_headers_are_refused_early),
        cmocka_unit_test(a_long_body_without_line_ends_is_headerless),
        cmocka_unit_test(as2_c127_names_that_begin_a_block_up_to_the_limit),
        cmocka_unit_test(truncated_and_damaged_entities_are_read_or_refused),
        cmocka_unit_test(the_event_may_refuse_or_let_the_body_go_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
