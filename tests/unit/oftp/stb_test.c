#include "wire.h"

static struct oftp_stb st;

static void begin(void)
{
    st.have = 0;
}

/* The command octets of the exchange buffers in stream[n], handed over in pieces of `chunk`. */
static size_t commands(const uint8_t *stream, size_t n, size_t chunk, char *got)
{
    size_t count = 0;

    begin();
    for (size_t at = 0; at < n; at += chunk) {
        struct span in = { stream + at, n - at < chunk ? n - at : chunk }, oeb;

        do {
            assert_true(oftp_stb_take(&st, &in, &oeb, &err));
            if (oeb.n > 0)
                got[count++] = (char)oeb.p[0];
            else
                assert_int_equal(in.n, 0);
        } while (in.n > 0);
    }
    got[count] = '\0';
    return count;
}

/* OFTP2-C5: one octet at a time, and ten buffers in one segment. RFC 5024 8.2. */
static void the_stream_means_the_same_however_it_is_cut(void **state)
{
    static uint8_t stream[1000];
    size_t n = 0;
    char got[20];

    (void)state;
#define APPEND(name)                                                                           \
    do {                                                                                       \
        memcpy(stream + n, example_##name, sizeof(example_##name));                            \
        n += sizeof(example_##name);                                                           \
    } while (0)
    APPEND(ssrm);
    APPEND(ssid_initiator);
    APPEND(ssid_responder);
    APPEND(sfid_plain);
    APPEND(sfpa);
    APPEND(data_folded);
    APPEND(efid_u);
    APPEND(efpa_n);
    APPEND(cd);
    APPEND(esid_normal);
    for (size_t chunk = 1; chunk <= n; chunk++) {
        assert_int_equal(commands(stream, n, chunk, got), 10);
        assert_string_equal(got, "IXXH2DT4RF");
    }
}

/* OFTP2-C5: every cut in two, with the octets compared. */
static void the_octets_are_the_same_at_every_cut(void **state)
{
    struct span whole = EXAMPLE(sfid_plain), all = { example_sfid_plain, whole.n + OFTP_STH };

    (void)state;
    for (size_t cut = 0; cut <= all.n; cut++) {
        struct span oeb, in = guard_after(all.p, cut);

        begin();
        assert_true(oftp_stb_take(&st, &in, &oeb, &err));
        if (cut < all.n) {
            assert_int_equal(oeb.n, 0);
            assert_int_equal(in.n, 0);
            in = guard_before(all.p + cut, all.n - cut);
            assert_true(oftp_stb_take(&st, &in, &oeb, &err));
        }
        assert_int_equal(in.n, 0);
        assert_octets(oeb, whole);
    }
}

/* A buffer that lies whole in the input is not copied. */
static void a_whole_buffer_is_borrowed_from_the_input(void **state)
{
    struct span in = { example_sfid_plain, sizeof(example_sfid_plain) }, oeb;

    (void)state;
    begin();
    assert_true(oftp_stb_take(&st, &in, &oeb, &err));
    assert_ptr_equal(oeb.p, example_sfid_plain + OFTP_STH);
}

/* The header h and then nothing but zeros: refused, at once or octet for octet. */
static void assert_refused(const uint8_t h[8])
{
    for (size_t chunk = 1; chunk <= 8; chunk++) {
        bool ok = true;

        begin();
        for (size_t at = 0; at < 8 && ok; at += chunk) {
            struct span in = { h + at, 8 - at < chunk ? 8 - at : chunk }, oeb;

            err = (struct err) { 0 };
            ok = oftp_stb_take(&st, &in, &oeb, &err);
            assert_int_equal(oeb.n, 0);
        }
        assert_false(ok);
        assert_int_equal(err.kind, FAIL_PEER);
        assert_int_equal(err.wire, ESID_SIZE);
    }
}

/* OFTP2-C6: another version is no stream of ours. */
static void another_version_is_refused(void **state)
{
    (void)state;
    for (int version = 0; version < 16; version++) {
        const uint8_t h[8] = { (uint8_t)(version << 4), 0, 0, 5, 'R' };

        if (version != 1)
            assert_refused(h);
    }
}

/* OFTP2-C7: lengths run from 5 to 100003. */
static void lengths_outside_5_to_100003_are_refused(void **state)
{
    static const uint8_t least[] = { 0x10, 0, 0, 5, 'P' };
    static uint8_t most[100003] = { 0x10, 0x01, 0x86, 0xA3, 'D' };
    struct span in = { least, sizeof(least) }, oeb;

    (void)state;
    assert_refused((const uint8_t[8]) { 0x10, 0, 0, 0 });
    assert_refused((const uint8_t[8]) { 0x10, 0, 0, 4 });
    assert_refused((const uint8_t[8]) { 0x10, 0x01, 0x86, 0xA4 });
    assert_refused((const uint8_t[8]) { 0x10, 0xFF, 0xFF, 0xFF });
    begin();
    assert_true(oftp_stb_take(&st, &in, &oeb, &err));
    assert_int_equal(oeb.n, 1);
    for (size_t cut = 1; cut < sizeof(most); cut += 9999) {
        in = span_of(most, cut);
        assert_true(oftp_stb_take(&st, &in, &oeb, &err));
        assert_int_equal(oeb.n, 0);
        in = span_of(most + cut, sizeof(most) - cut);
        assert_true(oftp_stb_take(&st, &in, &oeb, &err));
        assert_int_equal(oeb.n, OFTP_OEB_MAX);
    }
}

/* OFTP2-C8: flags are not looked at. */
static void flags_are_accepted(void **state)
{
    (void)state;
    for (int flags = 0; flags < 16; flags++) {
        const uint8_t h[] = { (uint8_t)(0x10 | flags), 0, 0, 5, 'R' };
        char got[2];

        assert_int_equal(commands(h, sizeof(h), sizeof(h), got), 1);
        assert_string_equal(got, "R");
    }
}

/* Nothing in, nothing out, any number of times. */
static void no_input_is_no_failure(void **state)
{
    struct span in = { NULL, 0 }, oeb;

    (void)state;
    begin();
    for (int i = 0; i < 3; i++) {
        assert_true(oftp_stb_take(&st, &in, &oeb, &err));
        assert_int_equal(oeb.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_means_the_same_however_it_is_cut),
        cmocka_unit_test(the_octets_are_the_same_at_every_cut),
        cmocka_unit_test(a_whole_buffer_is_borrowed_from_the_input),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(lengths_outside_5_to_100003_are_refused),
        cmocka_unit_test(flags_are_accepted),
        cmocka_unit_test(no_input_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
