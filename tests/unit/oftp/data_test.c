#include "wire.h"

#include <stdlib.h>

enum { FILE_MAX = 200000 };

/* What a file becomes on the wire and back: buffers with their 'D' end to end, lengths aside. */
static uint8_t packed[4 * FILE_MAX], unpacked[FILE_MAX + OFTP_SUBRECORD_MAX];
static size_t lengths[FILE_MAX], buffers, packed_n, unpacked_n;
static uint32_t ends[FILE_MAX];
static size_t ends_n;
static struct oftp_pack pk;
static struct oftp_unpack up;

static void begin(bool compress, size_t cap)
{
    buffers = packed_n = 0;
    pk = (struct oftp_pack) { .compress = compress };
    oftp_pack_begin(&pk, packed, cap);
}

static void finish_buffer(void)
{
    lengths[buffers++] = pk.n;
    packed_n += pk.n;
}

/* Packs one piece of the file into as many buffers as it takes. */
static void pack(struct span piece, bool end)
{
    while (!oftp_pack(&pk, &piece, end)) {
        finish_buffer();
        oftp_pack_begin(&pk, packed + packed_n, pk.cap);
    }
}

/* Subrecord by subrecord, by the letter of RFC 5024 7.2: an independent decoder, which also checks
 * that no subrecord crosses a buffer and no compressed one is empty. */
static void decode_by_the_letter(bool compress, size_t cap)
{
    size_t at = 0, record = 0;

    unpacked_n = ends_n = 0;
    for (size_t i = 0; i < buffers; i++) {
        size_t end = at + lengths[i];

        assert_true(lengths[i] >= 1 && lengths[i] <= cap);
        assert_int_equal(packed[at++], 'D');
        while (at < end) {
            uint8_t header = packed[at++];
            size_t count = header & 0x3F;

            if ((header & 0x40) != 0) {
                assert_true(compress && count > 0 && at < end);
                memset(unpacked + unpacked_n, packed[at++], count);
            } else {
                assert_true(end - at >= count);
                memcpy(unpacked + unpacked_n, packed + at, count);
                at += count;
            }
            unpacked_n += count;
            record += count;
            if ((header & 0x80) != 0) {
                ends[ends_n++] = (uint32_t)record;
                record = 0;
            }
        }
    }
    assert_int_equal(record, 0);
}

/* The same through oftp_unpack with `room` octets and `cap` ends at a time, from octets in front of
 * a page that faults. */
static void unpack(size_t room, size_t ends_cap)
{
    size_t at = 0;

    unpacked_n = ends_n = 0;
    up = (struct oftp_unpack) { 0 };
    for (size_t i = 0; i < buffers; i++) {
        struct span in = guard_after(packed + at + 1, lengths[i] - 1);

        while (in.n > 0) {
            struct room out = { unpacked + unpacked_n, room };
            size_t n, before = in.n;

            if (out.n > sizeof(unpacked) - unpacked_n)
                out.n = sizeof(unpacked) - unpacked_n;
            assert_true(oftp_unpack(&up, &in, &out, ends + ends_n, ends_cap, &n, &err));
            assert_true(in.n < before && n <= ends_cap);
            unpacked_n = (size_t)(out.p - unpacked);
            ends_n += n;
        }
        at += lengths[i];
    }
    assert_int_equal(up.octets, unpacked_n);
    assert_int_equal(up.records, ends_n);
    assert_int_equal(up.record_octets, 0);
}

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* n octets with runs of every length among them. */
static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t run = draw(3) == 0 ? 1 + draw(200) : 1 + draw(6);
        uint8_t c = (uint8_t)draw(4 + (uint32_t)(n & 0xFF));

        for (; run > 0 && i < n; run--)
            p[i++] = c;
    }
}

/* OFTP2-C71: the files of section 17, packed as there. */
static void files_are_packed_as_in_the_examples(void **state)
{
    char file[84];

    (void)state;
    sprintf(file, "ABC%70sDEF00000XY", "");
    begin(true, 2048);
    pack(span_of(file, 83), true);
    assert_octets(span_of(packed, pk.n), EXAMPLE(data_folded));
    begin(true, 2048);
    pack(TEXT("REC-000001"), true);
    pack(TEXT("REC-2     "), true);
    pack(TEXT("REC-3AAAAA"), true);
    assert_octets(span_of(packed, pk.n), EXAMPLE(data_fixed));
    begin(false, 2048);
    pack(span_of(file, 83), true);
    assert_int_equal(pk.n, 86);
    assert_int_equal(packed[1], 0x3F);
    assert_int_equal(packed[65], 0x94);
}

/* OFTP2-C78: an empty file is 44 80, and comes back as nothing. */
static void an_empty_file_is_an_empty_end_of_record(void **state)
{
    (void)state;
    begin(true, 128);
    pack(TEXT(""), true);
    finish_buffer();
    assert_octets(span_of(packed, packed_n), EXAMPLE(data_empty));
    unpack(63, 1);
    assert_int_equal(unpacked_n, 0);
    assert_int_equal(ends_n, 1);
    assert_int_equal(ends[0], 0);
    begin(true, 128);
    pack(TEXT(""), false);
    assert_int_equal(pk.n, 1);
}

/* OFTP2-C71: every kind of header; a record across buffers, several records in one. */
static void every_header_is_decoded(void **state)
{
    static const char one[] = "D\x00\x80\x02"
                              "ab\x83"
                              "cde\x43x\xC3y\x00\x01z";
    static uint8_t two[1 + 64 + 64 + 2] = { 'D', 0x3F };
    char want[300];

    (void)state;
    memset(two + 2, 'f', 63);
    two[65] = 0xBF;
    memset(two + 66, 'g', 63);
    memcpy(two + 129, "\x7F-", 2);
    buffers = 0;
    packed_n = 0;
    memcpy(packed, one, sizeof(one) - 1);
    lengths[buffers++] = sizeof(one) - 1;
    memcpy(packed + sizeof(one) - 1, two, sizeof(two));
    lengths[buffers++] = sizeof(two);
    memcpy(packed + sizeof(one) - 1 + sizeof(two), "D\xFF+", 3);
    lengths[buffers++] = 3;
    unpack(1000, 100);
    memcpy(want, "abcdexxxyyyz", 12);
    memset(want + 12, 'f', 63);
    memset(want + 75, 'g', 63);
    memset(want + 138, '-', 63);
    memset(want + 201, '+', 63);
    assert_octets(span_of(unpacked, unpacked_n), span_of(want, 264));
    assert_int_equal(ends_n, 5);
    assert_true(ends[0] == 0 && ends[1] == 5 && ends[2] == 6 && ends[3] == 127 &&
                ends[4] == 126);
}

/* OFTP2-C72 OFTP2-C73: files with runs through buffers of all sizes and back. */
static void random_files_come_back_the_same(void **state)
{
    static const size_t caps[] = { 3, 4, 65, 66, 67, 128, 2048, 99999 };
    static uint8_t file[5000];

    (void)state;
    for (size_t n = 0; n <= sizeof(file); n += n < 200 ? 1 : 97) {
        fill(file, n);
        for (size_t i = 0; i < 2 * COUNT_OF(caps); i++) {
            bool compress = i % 2 == 1;

            begin(compress, caps[i / 2]);
            pack(span_of(file, n), true);
            finish_buffer();
            decode_by_the_letter(compress, caps[i / 2]);
            assert_octets(span_of(unpacked, unpacked_n), span_of(file, n));
            assert_int_equal(ends_n, 1);
            unpack(i % 3 == 0 ? 63 : 5000, 1);
            assert_octets(span_of(unpacked, unpacked_n), span_of(file, n));
        }
    }
}

/* OFTP2-C74: one end of record, on the last subrecord that carries octets. */
static void the_end_of_the_file_is_marked_once(void **state)
{
    static uint8_t file[10 * 63];

    (void)state;
    for (size_t i = 0; i < sizeof(file); i++)
        file[i] = (uint8_t)i;
    for (size_t n = 1; n <= sizeof(file); n++) {
        begin(n % 2 == 0, 128);
        pack(span_of(file, n / 2), false);
        pack(span_of(file + n / 2, n - n / 2), true);
        finish_buffer();
        decode_by_the_letter(true, 128);
        assert_int_equal(ends_n, 1);
        assert_int_equal(ends[0], n);
        assert_octets(span_of(unpacked, unpacked_n), span_of(file, n));
    }
}

/* OFTP2-C74 OFTP2-C75: 807 octets of text with CR-LF inside as in RFC 5024 Appendix A: twelve full
 * subrecords and B3. */
static void text_files_keep_their_line_ends(void **state)
{
    static uint8_t file[807];

    (void)state;
    for (size_t i = 0; i < sizeof(file); i++)
        file[i] = i % 28 == 26 ? '\r' : i % 28 == 27 ? '\n' : (uint8_t)('a' + i % 26);
    begin(false, 2048);
    pack(span_of(file, sizeof(file)), true);
    finish_buffer();
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(packed[1 + 64 * i], 0x3F);
    assert_int_equal(packed[1 + 64 * 12], 0xB3);
    assert_int_equal(packed_n, 1 + 64 * 12 + 52);
    unpack(1000, 1);
    assert_octets(span_of(unpacked, unpacked_n), span_of(file, sizeof(file)));
    assert_int_equal(up.octets, 807);
}

/* OFTP2-C76: an end behind every fixed record, whatever the buffer. */
static void fixed_records_end_one_by_one(void **state)
{
    static uint8_t file[80 * 50];

    (void)state;
    fill(file, sizeof(file));
    for (size_t cap = 3; cap < 300; cap += 7) {
        begin(cap % 2 == 0, cap);
        for (size_t i = 0; i < 50; i++)
            pack(span_of(file + 80 * i, 80), true);
        finish_buffer();
        unpack(200, 3);
        assert_int_equal(ends_n, 50);
        assert_int_equal(up.octets, 50 * 80);
        for (size_t i = 0; i < 50; i++)
            assert_int_equal(ends[i], 80);
        assert_octets(span_of(unpacked, unpacked_n), span_of(file, sizeof(file)));
    }
}

/* OFTP2-C77: records of any length keep their ends, those of no octets too. */
static void variable_records_keep_their_boundaries(void **state)
{
    static uint8_t file[20000];
    static uint32_t want[200];

    (void)state;
    for (int turn = 0; turn < 20; turn++) {
        size_t n = 0;

        fill(file, sizeof(file));
        begin(turn % 2 == 0, 128 + draw(300));
        for (size_t i = 0; i < COUNT_OF(want); i++) {
            want[i] = draw(4) == 0 ? 0 : draw(100);
            pack(span_of(file + n, want[i] / 3), false);
            pack(span_of(file + n + want[i] / 3, want[i] - want[i] / 3), true);
            n += want[i];
        }
        finish_buffer();
        unpack(63 + draw(100), 1 + draw(4));
        assert_int_equal(ends_n, COUNT_OF(want));
        assert_memory_equal(ends, want, sizeof(want));
        assert_octets(span_of(unpacked, unpacked_n), span_of(file, n));
    }
}

/* oftp2.md 4.1: what folding saves is saved, and it never costs anything. */
static void folding_pays_off(void **state)
{
    static const struct {
        const char *file;
        size_t want; /* octets behind 'D' */
    } cases[] = {
        { "aaa", 2 },         { "aaab", 4 },      { "baaa", 4 },       { "abbbc", 6 },
        { "abbbbc", 6 },      { "aabb", 5 },      { "aaabbb", 4 },     { "aaabbbccc", 6 },
        { "aaaabbbcccc", 6 }, { "aaaaxbbbb", 6 }, { "xaaaybbbz", 10 },
    };
    static uint8_t file[3000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(true, 128);
        pack(span_text(cases[i].file), true);
        assert_int_equal(pk.n - 1, cases[i].want);
    }
    for (size_t n = 1; n < sizeof(file); n += 31) {
        size_t plain;

        fill(file, n);
        begin(false, 99999);
        pack(span_of(file, n), true);
        plain = pk.n;
        begin(true, 99999);
        pack(span_of(file, n), true);
        assert_true(pk.n <= plain);
    }
}

/* Runs are found wherever they begin, and a long one is folded throughout. */
static void runs_are_found_at_every_place(void **state)
{
    static uint8_t file[100], zeros[FILE_MAX];

    (void)state;
    for (size_t at = 0; at + 4 <= sizeof(file); at++) {
        for (size_t i = 0; i < sizeof(file); i++)
            file[i] = (uint8_t)(i * 3);
        memset(file + at, 0xEE, 4);
        begin(true, 2048);
        pack(span_of(file, sizeof(file)), true);
        finish_buffer();
        assert_non_null(memmem(packed, packed_n, at == 96 ? "\xC4\xEE" : "\x44\xEE", 2));
        unpack(200, 1);
        assert_octets(span_of(unpacked, unpacked_n), span_of(file, sizeof(file)));
    }
    begin(true, 99999);
    pack(span_of(zeros, sizeof(zeros)), true);
    finish_buffer();
    assert_int_equal(buffers, 1);
    assert_int_equal(packed_n, 1 + 2 * ((FILE_MAX + 62) / 63));
}

/* oftp2.md 4.2: the payload of full buffers. */
static void full_buffers_carry_what_they_can(void **state)
{
    static const size_t caps[] = { 128, 1024, 2048, 4096, 65535, 99999 };
    static const size_t payloads[] = { 125, 1007, 2015, 4031, 64510, 98435 };
    static uint8_t file[100000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        struct span in = { file, sizeof(file) };

        begin(false, caps[i]);
        assert_false(oftp_pack(&pk, &in, true));
        assert_int_equal(sizeof(file) - in.n, payloads[i]);
        assert_true(pk.n == caps[i] || pk.n == caps[i] - 1);
    }
}

static bool unpack_octets(struct span in)
{
    struct room out = { unpacked, sizeof(unpacked) };

    up = (struct oftp_unpack) { 0 };
    return oftp_unpack(&up, &in, &out, NULL, 0, NULL, &err);
}

/* OFTP2-C79: a subrecord longer than the rest of its buffer; a compressed one of nothing. */
static void malformed_subrecords_give_06(void **state)
{
    (void)state;
    for (uint8_t header = 1; header < 64; header++) {
        uint8_t s[64] = { header };

        assert_peer(unpack_octets(guard_after(s, header)), ESID_INVALID_DATA);
        assert_true(unpack_octets(guard_after(s, header + 1U)));
        s[0] |= 0x80;
        assert_peer(unpack_octets(guard_after(s, header)), ESID_INVALID_DATA);
    }
    assert_peer(unpack_octets(guard_after("\x41", 1)), ESID_INVALID_DATA);
    assert_peer(unpack_octets(guard_after("\xC1", 1)), ESID_INVALID_DATA);
    assert_peer(unpack_octets(TEXT("\x40x")), ESID_INVALID_DATA);
    assert_peer(unpack_octets(TEXT("\xC0x")), ESID_INVALID_DATA);
    assert_peer(unpack_octets(TEXT("\x01"
                                   "a\x02"
                                   "b")),
                ESID_INVALID_DATA);
    assert_int_equal(up.octets, 1);
}

/* OFTP2-C79: every truncation and every flipped bit stays within its page. */
static void damaged_buffers_do_no_harm(void **state)
{
    static uint8_t file[300];

    (void)state;
    fill(file, sizeof(file));
    begin(true, 2048);
    pack(span_of(file, sizeof(file)), true);
    for (size_t n = 0; n < pk.n; n++)
        (void)unpack_octets(guard_after(packed + 1, n));
    for (size_t bit = 0; bit < 8 * (pk.n - 1); bit++) {
        struct span in = guard_after(packed + 1, pk.n - 1);

        guard_pages()[GUARD_ROOM - in.n + bit / 8] ^= (uint8_t)(1 << bit % 8);
        (void)unpack_octets(in);
    }
}

/* Output of every size stops in front of what does not fit and writes nothing beyond its room. */
static void small_rooms_are_kept(void **state)
{
    static const char wire_octets[] = "\x03"
                                      "abc\x47x\x82yz";

    (void)state;
    for (size_t n = 0; n < 80; n++) {
        struct span in = { (const uint8_t *)wire_octets, sizeof(wire_octets) - 1 };
        struct room out = { guard_pages() + GUARD_ROOM - n, n };
        size_t took, want = n >= 12 ? 12 : n >= 10 ? 10 : n >= 3 ? 3 : 0;
        uint32_t end[1];

        up = (struct oftp_unpack) { 0 };
        assert_true(oftp_unpack(&up, &in, &out, end, 1, &took, &err));
        assert_int_equal(n - out.n, want);
        assert_memory_equal(guard_pages() + GUARD_ROOM - n, "abcxxxxxxxyz", want);
        assert_int_equal(took, want == 12);
        assert_int_equal(in.n == 0, want == 12);
    }
}

/* Records longer than 32 bits can tell. */
static void a_huge_record_is_told_as_the_largest(void **state)
{
    struct span in = TEXT("\x81x");
    struct room out = { unpacked, 100 };
    uint32_t end[1];
    size_t n;

    (void)state;
    up = (struct oftp_unpack) { .octets = 5000000000, .record_octets = 5000000000 };
    assert_true(oftp_unpack(&up, &in, &out, end, 1, &n, &err));
    assert_true(n == 1 && end[0] == UINT32_MAX && up.octets == 5000000001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_packed_as_in_the_examples),
        cmocka_unit_test(an_empty_file_is_an_empty_end_of_record),
        cmocka_unit_test(every_header_is_decoded),
        cmocka_unit_test(random_files_come_back_the_same),
        cmocka_unit_test(the_end_of_the_file_is_marked_once),
        cmocka_unit_test(text_files_keep_their_line_ends),
        cmocka_unit_test(fixed_records_end_one_by_one),
        cmocka_unit_test(variable_records_keep_their_boundaries),
        cmocka_unit_test(folding_pays_off),
        cmocka_unit_test(runs_are_found_at_every_place),
        cmocka_unit_test(full_buffers_carry_what_they_can),
        cmocka_unit_test(malformed_subrecords_give_06),
        cmocka_unit_test(damaged_buffers_do_no_harm),
        cmocka_unit_test(small_rooms_are_kept),
        cmocka_unit_test(a_huge_record_is_told_as_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
