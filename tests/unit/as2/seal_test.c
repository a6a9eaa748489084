/* What sealing writes, to the octet: as2.md 2.1, 2.2, 13.1. And what it refuses to begin with. */
#include "layers.h"

#include "../cms/known.h"
#include "cms/algorithms.h"

#include <stdlib.h>

static const char *field(const struct message *m, const char *name)
{
    const char *v = mime_head_get(&m->head, name);

    return v != NULL ? v : "-";
}

static size_t count(struct span s, const char *what)
{
    size_t n = 0;
    const uint8_t *at;

    while ((at = memmem(s.p, s.n, what, strlen(what))) != NULL) {
        n++;
        span_skip(&s, (size_t)(at - s.p) + 1);
    }
    return n;
}

static struct span between(struct span s, const char *from, const char *to)
{
    const uint8_t *a = memmem(s.p, s.n, from, strlen(from)), *b;

    assert_non_null(a);
    a += strlen(from);
    b = memmem(a, s.n - (size_t)(a - s.p), to, strlen(to));
    assert_non_null(b);
    return span_of(a, (size_t)(b - a));
}

/* AS2-C33, AS2-C37, AS2-C50: the message of 13.1 but for its signature. */
static void a_signed_message_is_as_in_the_reference(void **state)
{
    struct as2_seal_options o = seal_options(&nestings[1]);
    static const int nids[] = { NID_md5,    NID_sha1,   NID_sha256,
                                NID_sha384, NID_sha512, NID_sha224 };
    static const char *const want[] = {
        "TA/zMj4MYvlauLBQ5OS+zQ==",
        "KzoXiiF2SjHwLGtLY0Sp770tlqw=",
        "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=",
        "DTPMevedMSbONdhQq2p8JKEGyuKqk4Vlgm+qHxSvVPRi2jH4K5dFeEXe5jA7FFfW",
        ("Z0AFVYBXh4phBjHcx2FXydP46bsjFoN3FHeE7M0GHQkuAmckQCm+j0qimOLAeCPojT+/"
         "L8E/TjeFKAffygImCw=="),
    };
    static const char part[] = "\r\n--OUTER-0001\r\n"
                               "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                               "Content-Transfer-Encoding: base64\r\n"
                               "Content-Disposition: attachment; filename=smime.p7s\r\n\r\n";
    struct message m;
    struct span body, signature;

    (void)state;
    memcpy(o.mics, nids, sizeof(nids));
    o.mics_n = COUNT_OF(nids);
    m = seal_message(&o, span_text(KNOWN_PAYLOAD), 10, 10);
    body = bytes_span(&m.body);
    CHECK_EQ(m.head.n, 1);
    assert_string_equal(field(&m, "Content-Type"),
                        "multipart/signed; protocol=\"application/pkcs7-signature\"; "
                        "micalg=sha-256; boundary=\"OUTER-0001\"");
    assert_true(body.n > 14 + 241 && memcmp(body.p, "--OUTER-0001\r\n" KNOWN_ENTITY, 255) == 0);
    CHECK_EQ(count(body, "--OUTER-0001"), 3);
    assert_true(body.n > 255 + sizeof(part) &&
                memcmp(body.p + 255, part, sizeof(part) - 1) == 0);
    assert_true(span_is(span_of(body.p + body.n - 20, 20), "\r\n\r\n--OUTER-0001--\r\n"));
    signature = between(body, "smime.p7s\r\n\r\n", "\r\n--OUTER-0001--");
    for (struct span s = signature; s.n > 0;) {
        const uint8_t *end = memmem(s.p, s.n, "\r\n", 2);

        assert_non_null(end); /* the last line has its own */
        assert_true(end - s.p <= 76 && end > s.p);
        span_skip(&s, (size_t)(end - s.p) + 2);
    }
    CHECK_EQ(m.mics_n, 6);
    for (size_t i = 0; i < COUNT_OF(want); i++)
        expect_mic(&m.mics[i], nids[i], want[i]);
    message_free(&m);
}

/* AS2-C46, the sending half. */
static void micalg_is_spelt_as_the_partner_wants(void **state)
{
    static const struct {
        int nid;
        bool legacy;
        const char *want;
    } cases[] = {
        { NID_sha256, false, "micalg=sha-256;" }, { NID_sha256, true, "micalg=sha256;" },
        { NID_sha1, false, "micalg=sha1;" },      { NID_sha1, true, "micalg=sha1;" },
        { NID_sha512, false, "micalg=sha-512;" }, { NID_sha512, true, "micalg=sha512;" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct as2_seal_options o = seal_options(&nestings[1]);
        struct cms_sign_options how = *o.sign;
        struct message m;

        how.digest = cms_digest(cases[i].nid);
        o.sign = &how;
        o.legacy_names = cases[i].legacy;
        m = seal_message(&o, span_text("x"), 1, 100);
        assert_non_null(strstr(field(&m, "Content-Type"), cases[i].want));
        message_free(&m);
    }
}

/* The outermost layer's fields, for HTTP. */
static void the_outermost_layer_is_described_for_http(void **state)
{
    static const struct {
        size_t nesting;
        const char *type, *encoding, *disposition;
    } want[] = {
        { 0, "application/EDIFACT", "binary", "attachment; filename=\"orders.edi\"" },
        { 2, "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "binary",
          "attachment; filename=smime.p7m" },
        { 4, "application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z", "binary",
          "attachment; filename=smime.p7z" },
        { 6, "application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z", "binary",
          "attachment; filename=smime.p7z" },
        { 9, "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "binary",
          "attachment; filename=smime.p7m" },
    };
    struct as2_seal_options o;
    struct cms_encrypt_options gcm;
    struct message m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        o = seal_options(&nestings[want[i].nesting]);
        o.base64_layers = true; /* changes nothing of the outermost */
        m = seal_message(&o, span_text("x"), 1, 100);
        assert_string_equal(field(&m, "Content-Type"), want[i].type);
        assert_string_equal(field(&m, "Content-Transfer-Encoding"), want[i].encoding);
        assert_string_equal(field(&m, "Content-Disposition"), want[i].disposition);
        message_free(&m);
    }
    o = seal_options(&nestings[2]);
    gcm = *o.encrypt;
    gcm.cipher = cms_cipher(NID_aes_256_gcm);
    o.encrypt = &gcm;
    m = seal_message(&o, span_text("x"), 1, 100);
    assert_non_null(strstr(field(&m, "Content-Type"), "smime-type=authEnveloped-data;"));
    message_free(&m);
    o = seal_options(&nestings[0]);
    o.base64 = true;
    o.file_name = NULL;
    m = seal_message(&o, span_text("x"), 1, 100);
    assert_string_equal(field(&m, "Content-Transfer-Encoding"), "base64");
    assert_string_equal(field(&m, "Content-Disposition"), "-");
    assert_true(span_is(bytes_span(&m.body), "eA==\r\n"));
    message_free(&m);
}

/* AS2-C8: whatever its length, no line is folded; a blank line ends each block. */
static void no_header_line_is_folded(void **state)
{
    char name[181];
    struct as2_seal_options o = seal_options(&nestings[5]);
    struct message m;

    (void)state;
    memset(name, 'n', 180);
    name[180] = '\0';
    o.file_name = name;
    o.base64_layers = o.base64 = true; /* so that there is nothing but text */
    m = seal_message(&o, span_text("x"), 1, 100);
    CHECK_EQ(count(bytes_span(&m.body), "\r\n "), 0);
    CHECK_EQ(count(bytes_span(&m.body), "\r\n\t"), 0);
    message_free(&m);
}

/* AS2-C119: nothing that some partners choke on. */
static void algorithm_protection_is_not_sent(void **state)
{
    static const char oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x34";
    struct as2_seal_options o = seal_options(&nestings[1]);
    struct message m;

    (void)state;
    o.binary_signature = true;
    m = seal_message(&o, span_text("x"), 1, 100);
    CHECK_EQ(count(bytes_span(&m.body), oid), 0);
    CHECK_EQ(count(bytes_span(&m.body), "Content-Transfer-Encoding: binary\r\n"), 2);
    message_free(&m);
}

/* AS2-C128: no value of ours or the document's makes another header line. */
static void what_cannot_be_sealed_is_said_at_once(void **state)
{
    static const char *const boundaries[] = {
        NULL,
        "",
        "a ",
        "a\"b",
        "a\r\nb",
        "0123456789012345678901234567890123456789012345678"
        "9012345678901234567890"
    };
    struct as2_seal_options o = seal_options(&nestings[1]);
    struct cms_sign_options how = *o.sign;
    const struct cms_signer wrong = { partner.cert, stranger.key };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(boundaries); i++) {
        o.boundary = boundaries[i];
        assert_null(as2_seal_new(&o, &err));
        CHECK_EQ(err.kind, FAIL_LOCAL);
    }
    o = seal_options(&nestings[1]);
    o.content_type = "text/plain\r\nX: y";
    assert_null(as2_seal_new(&o, &err));
    o = seal_options(&nestings[1]);
    how.signers = &wrong;
    o.sign = &how;
    assert_null(as2_seal_new(&o, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    o = seal_options(&nestings[1]);
    o.mics[0] = NID_md4;
    assert_null(as2_seal_new(&o, &err));
}

/* A message that is never finished leaves nothing behind. */
static void sealing_may_be_given_up_at_any_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(nestings); i++)
        for (size_t n = 0; n < 3; n++) {
            struct as2_seal_options o = seal_options(&nestings[i]);
            struct err err = { 0 };
            struct stage *st = as2_seal_new(&o, &err);
            uint8_t out[100];
            struct room room = { out, sizeof(out) };
            struct span in = span_text("text");

            assert_non_null(st);
            for (size_t k = 0; k < n; k++) {
                room = (struct room) { out, sizeof(out) };
                assert_int_not_equal(stage_step(st, &in, false, &room, &err), FLOW_FAIL);
            }
            stage_free(st);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_message_is_as_in_the_reference),
        cmocka_unit_test(micalg_is_spelt_as_the_partner_wants),
        cmocka_unit_test(the_outermost_layer_is_described_for_http),
        cmocka_unit_test(no_header_line_is_folded),
        cmocka_unit_test(algorithm_protection_is_not_sent),
        cmocka_unit_test(what_cannot_be_sealed_is_said_at_once),
        cmocka_unit_test(sealing_may_be_given_up_at_any_time),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
