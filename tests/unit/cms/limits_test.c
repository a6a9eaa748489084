/* OFTP2-C131: bombs and floods: what a hostile partner may send without end is refused at its limit,
 * early and in constant memory. */
#include "support.h"

#include "cms/der.h"

#include <sys/resource.h>

static struct cms_signer us, partner;

static int make_keys(void **state)
{
    (void)state;
    us = make_signer("us", "P-256");
    partner = make_signer("partner", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&us);
    free_signer(&partner);
    return 0;
}

static struct cms_open_options open_options(void)
{
    return (struct cms_open_options) {
        .keys = &us, .keys_n = 1, .signers = &partner.cert, .signers_n = 1
    };
}

/* Runs a pipe that is fed with n zeros; returns how many octets had been taken when it failed. */
static uint64_t feed_zeros(struct stage *st, uint64_t n, struct err *err)
{
    static uint8_t zeros[65536], out[65536];
    uint64_t given = 0;
    struct span in = span_of(zeros, 0);
    enum flow f = FLOW_IN;

    while (f == FLOW_IN || f == FLOW_OUT) {
        struct room room = { out, sizeof(out) };

        if (in.n == 0 && given < n) {
            in = span_of(zeros, sizeof(zeros));
            given += in.n;
        }
        f = stage_step(st, &in, given >= n, &room, err);
    }
    stage_free(st);
    CHECK_EQ(f, FLOW_FAIL);
    return given;
}

static size_t put_head(uint8_t *p, uint8_t tag, uint64_t n)
{
    p[0] = tag;
    p[1] = 0x88;
    for (int i = 0; i < 8; i++)
        p[2 + i] = (uint8_t)(n >> (56 - 8 * i));
    return 10;
}

/* OFTP2-C134: lengths in DER that do not fit 32 bits. SignedData that names no digest: what is walked
 * over costs nothing else. */
static void content_of_more_than_4_gib_is_walked_over(void **state)
{
    static const uint8_t type[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2 },
                         data[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1 },
                         start[] = { 2, 1, 1, 0x31, 0 }, end[] = { 0x31, 0 };
    static uint8_t zeros[1 << 20], out[1 << 20];
    const uint64_t n = (UINT64_C(1) << 32) + 5, all = n + 10 + 10; /* the string, and [0] */
    struct cms_open_options o = { .one_layer = true };
    uint8_t head[200];
    size_t at = 0;

    (void)state;
    at += put_head(head, 0x30,
                   sizeof(type) + 20 + sizeof(start) + 10 + sizeof(data) + all + sizeof(end));
    memcpy(head + at, type, sizeof(type));
    at += sizeof(type);
    at += put_head(head + at, 0xa0, 10 + sizeof(start) + 10 + sizeof(data) + all + sizeof(end));
    at += put_head(head + at, 0x30, sizeof(start) + 10 + sizeof(data) + all + sizeof(end));
    memcpy(head + at, start, sizeof(start));
    at += sizeof(start);
    at += put_head(head + at, 0x30, sizeof(data) + all);
    memcpy(head + at, data, sizeof(data));
    at += sizeof(data);
    at += put_head(head + at, 0xa0, n + 10);
    at += put_head(head + at, 0x04, n);
    for (int cut = 0; cut < 2; cut++) { /* whole, and an octet short */
        struct err err = { 0 };
        struct stage *st = cms_open_new(&o, &err);
        uint64_t given = 0, got = 0, content = n - (unsigned)cut;
        struct span in = span_of(head, at);
        bool last = false;
        enum flow f;

        do {
            struct room room = { out, sizeof(out) };

            if (in.n == 0 && given < content) {
                in = span_of(zeros, content - given < sizeof(zeros) ? (size_t)(content - given)
                                                                    : sizeof(zeros));
                given += in.n;
            } else if (in.n == 0) {
                in = last ? span_of(end, 0) : span_of(end, sizeof(end));
                last = true;
            }
            f = stage_step(st, &in, last, &room, &err);
            got += sizeof(out) - room.n;
        } while (f == FLOW_IN || f == FLOW_OUT);
        CHECK_EQ(f, cut ? FLOW_FAIL : FLOW_END);
        assert_true(cut || got == n);
        stage_free(st);
    }
}

/* 10 GB of zeros in 10 MB: the limits of size and ratio stop it long before its end. */
static void bombs_are_stopped_at_the_limit(void **state)
{
    static const uint64_t ten_gb = UINT64_C(10) << 30;
    struct cms_open_options o = { .content_max = 50 << 20 };
    struct err err = { 0 };
    struct stage *stages[4];

    (void)state;
    stages[0] = cms_compress_new(&err);
    stages[1] = cms_open_new(&o, &err);
    assert_true(feed_zeros(pipe_new(stages, 2, 0), ten_gb, &err) < UINT64_C(200) << 20);
    CHECK_EQ(err.wire, CMS_DECOMPRESSION);

    o = (struct cms_open_options) { .ratio_max = 100 };
    stages[0] = cms_compress_new(&err);
    stages[1] = cms_open_new(&o, &err);
    assert_true(feed_zeros(pipe_new(stages, 2, 0), ten_gb, &err) < UINT64_C(200) << 20);
    CHECK_EQ(err.wire, CMS_DECOMPRESSION);

    /* zeros compressed twice: beyond what zlib can do in one go */
    o = (struct cms_open_options) { .content_max = 0 };
    stages[0] = cms_compress_new(&err);
    stages[1] = cms_compress_new(&err);
    stages[2] = cms_open_new(&o, &err);
    assert_true(feed_zeros(pipe_new(stages, 3, 0), ten_gb, &err) < UINT64_C(9) << 30);
    CHECK_EQ(err.wire, CMS_DECOMPRESSION);
}

/* Honest content that shrinks well is no bomb. */
static void zeros_within_the_limits_open(void **state)
{
    struct bytes zeros = { 0 }, sealed, got = { 0 };
    struct cms_open_options o = { .content_max = 8 << 20 };
    struct err err = { 0 };

    (void)state;
    bytes_put(&zeros, "", 0);
    for (unsigned i = 0; i < 8 << 10; i++)
        bytes_put(&zeros, (uint8_t[1024]) { 0 }, 1024);
    sealed = seal_with(cms_compress_new(&err), bytes_span(&zeros));
    assert_true(run_stage(cms_open_new(&o, &err), bytes_span(&sealed), 777, 65536, &got, &err));
    assert_true(span_equal(bytes_span(&got), bytes_span(&zeros)));
    bytes_free(&zeros);
    bytes_free(&sealed);
    bytes_free(&got);
}

/* 10,000 layers of SignedData: the ninth is one too many. */
static void nested_layers_are_counted(void **state)
{
    static const uint8_t no_digests[] = { BER_SET, 0 };
    struct der d = { 0 };
    struct cms_open_options o = { .content_max = 0 };

    (void)state;
    der_put(&d, "content", 7);
    for (unsigned layers = 1; layers <= 10000; layers++) {
        /* without the SET of signers behind the content, which nobody gets to see */
        der_wrap(&d, BER_OCTET_STRING, 0);
        der_wrap(&d, BER_CONTEXT_CONSTRUCTED, 0);
        der_oid(&d, NID_pkcs7_data);
        der_wrap(&d, BER_SEQUENCE, 0);
        der_put(&d, no_digests, 2);
        der_small(&d, 1);
        der_wrap(&d, BER_SEQUENCE, 0);
        der_wrap(&d, BER_CONTEXT_CONSTRUCTED, 0);
        der_oid(&d, NID_pkcs7_signed);
        der_wrap(&d, BER_SEQUENCE, 0);
        if (layers == CMS_LAYERS_MAX + 1 || layers == 10000)
            expect_refusal(&o, der_all(&d), CMS_FORMAT);
    }
    der_free(&d);
}

static struct bytes enveloped_head(void)
{
    static const uint8_t head[] = { 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                    0xf7, 0x0d, 0x01, 0x07, 0x03, 0xa0, 0x80, 0x30,
                                    0x80, 0x02, 0x01, 0x00, 0x31, 0x80 };
    struct bytes b = { 0 };

    bytes_put(&b, head, sizeof(head));
    return b;
}

/* 100,000 recipients, small ones and of true size: refused when the limit is reached. */
static void recipients_are_counted(void **state)
{
    static const uint8_t recipient[300] = { 0x30, 0x82, 0x01, 0x28, 0x02, 0x82, 0x01, 0x24 };
    struct cms_open_options o = open_options();

    (void)state;
    for (unsigned large = 0; large < 2; large++) {
        struct bytes b = enveloped_head(), got = { 0 };
        struct stage *st;
        struct err err = { 0 };

        for (unsigned i = 0; i < 100000; i++)
            bytes_put(&b, large ? recipient : (const uint8_t *)"\x30\x00",
                      large ? sizeof(recipient) : 2);
        st = cms_open_new(&o, &err);
        assert_false(run_stage(st, bytes_span(&b), 1000, 1000, &got, &err));
        CHECK_EQ(err.wire, CMS_FORMAT);
        /* it does not take the last of them to know */
        st = cms_open_new(&o, &err);
        assert_false(
            run_stage(st, span_of(b.p, large ? 310000 : 2100), 1000, 1000, &got, &err));
        assert_null(strstr(err.text, "too early"));
        bytes_free(&b);
        bytes_free(&got);
    }
}

/* SignedData of "x" with a tail of our choice. */
static void signed_with_tail(struct der *d, struct span tail)
{
    static const uint8_t no_digests[] = { BER_SET, 0 };
    size_t since;

    der_span(d, tail);
    since = d->n;
    der_element(d, BER_OCTET_STRING, span_text("x"));
    der_wrap(d, BER_CONTEXT_CONSTRUCTED, since);
    der_oid(d, NID_pkcs7_data);
    der_wrap(d, BER_SEQUENCE, since);
    der_put(d, no_digests, sizeof(no_digests));
    der_small(d, 1);
    der_wrap(d, BER_SEQUENCE, 0);
    der_wrap(d, BER_CONTEXT_CONSTRUCTED, 0);
    der_oid(d, NID_pkcs7_signed);
    der_wrap(d, BER_SEQUENCE, 0);
}

static void signers_are_counted(void **state)
{
    struct cms_signer many[CMS_SIGNERS_MAX + 1];
    struct cms_sign_options so = sign_options(many, EVP_sha256());
    struct cms_open_options o = open_options();
    struct bytes text = make_text(10), sealed, got = { 0 };
    struct der tail = { 0 }, d = { 0 };
    struct err err = { 0 };
    bool trusted;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = partner;
        der_put(&tail, "\x30\x00", 2);
    }
    so.signers_n = CMS_SIGNERS_MAX;
    sealed = seal_with(cms_sign_new(&so, &err), bytes_span(&text));
    assert_true(try_open(&o, bytes_span(&sealed), &got, &trusted, &err));
    assert_true(trusted);
    so.signers_n = CMS_SIGNERS_MAX + 1;
    assert_null(cms_sign_new(&so, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    der_wrap(&tail, BER_SET, 0);
    signed_with_tail(&d, der_all(&tail));
    assert_false(try_open(&o, der_all(&d), &got, &trusted, &err));
    CHECK_EQ(err.wire, CMS_FORMAT);
    assert_non_null(strstr(err.text, "more than 32 signers"));
    der_free(&tail);
    der_free(&d);
    bytes_free(&got);
    bytes_free(&sealed);
    bytes_free(&text);
}

/* Certificates without end behind the content. */
static void the_tail_is_limited(void **state)
{
    static const uint8_t octets[CMS_TAIL_MAX];
    struct cms_open_options o = open_options();
    struct der tail = { 0 }, d = { 0 };
    struct bytes got = { 0 };
    struct err err = { 0 };
    bool trusted;

    (void)state;
    der_element(&tail, BER_OCTET_STRING, span_of(octets, sizeof(octets)));
    der_wrap(&tail, BER_CONTEXT_CONSTRUCTED, 0);
    signed_with_tail(&d, der_all(&tail));
    assert_false(try_open(&o, der_all(&d), &got, &trusted, &err));
    CHECK_EQ(err.wire, CMS_FORMAT);
    assert_non_null(strstr(err.text, "behind the content"));
    der_free(&tail);
    der_free(&d);
    bytes_free(&got);
}

/* Elements that never end, of every tag that may stand there. */
static void endless_garbage_is_refused(void **state)
{
    static const uint8_t tags[] = {
        0x30, 0x31, 0x24, 0xa0, 0x04, 0x02, 0x06, 0x05, 0x00, 0xff
    };
    struct cms_open_options o = open_options();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        struct bytes b = { 0 }, e = enveloped_head();

        for (unsigned k = 0; k < 5000; k++) {
            bytes_put(&b, (uint8_t[]) { tags[i], 0x80 }, 2);
            bytes_put(&e, (uint8_t[]) { tags[i], 0x80 }, 2);
        }
        expect_refusal(&o, bytes_span(&b), CMS_FORMAT);
        expect_refusal(&o, bytes_span(&e), CMS_FORMAT);
        bytes_free(&b);
        bytes_free(&e);
    }
    expect_refusal(&o, span_of("", 0), CMS_FORMAT);
    expect_refusal(&o, span_text("UNB+UNOA:1+SENDER+RECEIVER"), CMS_FORMAT);
    expect_refusal(
        &o, span_of("\x30\x8f\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 17),
        CMS_FORMAT);
}

/* 300 MB through all stages, both ways: resident memory stays where it was. */
static void memory_does_not_grow(void **state)
{
    struct cms_sign_options so = sign_options(&partner, EVP_sha256());
    struct cms_encrypt_options eo = { .recipients = &us.cert,
                                      .recipients_n = 1,
                                      .cipher = EVP_aes_256_cbc() };
    struct cms_open_options oo = open_options();
    struct rusage before, after;
    static uint8_t out[65536];
    struct bytes text = make_text(1 << 20);
    uint64_t opened = 0;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct err err = { 0 };
        struct stage *stages[] = { cms_sign_new(&so, &err), cms_compress_new(&err),
                                   cms_encrypt_new(&eo, &err), cms_open_new(&oo, &err) };
        struct stage *st = pipe_new(stages, 4, 0);
        struct span in = bytes_span(&text);
        unsigned megabytes = round == 0 ? 5 : 300;
        enum flow f = FLOW_IN;

        while (f == FLOW_IN || f == FLOW_OUT) {
            struct room room = { out, sizeof(out) };

            if (in.n == 0 && megabytes > 1) {
                megabytes--;
                in = bytes_span(&text);
            }
            f = stage_step(st, &in, megabytes == 1, &room, &err);
            opened += sizeof(out) - room.n;
        }
        CHECK_EQ(f, FLOW_END);
        stage_free(st);
        (void)getrusage(RUSAGE_SELF, round == 0 ? &before : &after);
    }
    CHECK_EQ(opened, UINT64_C(305) << 20);
    assert_true(after.ru_maxrss - before.ru_maxrss < 2048); /* KiB */
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs_are_stopped_at_the_limit),
        cmocka_unit_test(content_of_more_than_4_gib_is_walked_over),
        cmocka_unit_test(zeros_within_the_limits_open),
        cmocka_unit_test(nested_layers_are_counted),
        cmocka_unit_test(recipients_are_counted),
        cmocka_unit_test(signers_are_counted),
        cmocka_unit_test(the_tail_is_limited),
        cmocka_unit_test(endless_garbage_is_refused),
        cmocka_unit_test(memory_does_not_grow),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
