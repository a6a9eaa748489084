/* What is told when several things are wrong, what is told the same, limits, and hostile octets. */
#include "craft.h"

#include "cms/algorithms.h"

#include <stdlib.h>

#define T_ENTITY "Content-Type: text/plain\r\n\r\nhello\r\n"

static struct bytes plain(void)
{
    return entity_text(T_ENTITY);
}

static struct bytes flipped(struct bytes e, size_t from_end)
{
    e.p[e.n - from_end] ^= 0x10;
    return e;
}

/* The one text that opening m fails with. */
static void expect_text(const struct as2_open_options *o, const struct message *m,
                        enum as2_fault fault, const char *text)
{
    static const size_t chunks[] = { 1, 37, 1 << 20 };

    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct seen seen = { 0 };

        open_message(o, m, chunks[i], &seen);
        assert_false(seen.ok);
        if (seen.err.wire != (int)fault)
            fail_msg("%d instead of %d: %s", seen.err.wire, fault, seen.err.text);
        if (strcmp(seen.err.text, text) != 0)
            fail_msg("\"%s\" instead of \"%s\"", seen.err.text, text);
        CHECK_EQ(seen.opened.mic.n, 0); /* AS2-C55 */
        assert_false(seen.opened.trusted);
        assert_true(seen.opened.encrypted);
        seen_free(&seen);
    }
}

/* AS2-C55, AS2-C73: a wrong key, wrong padding, damage and MIME that is none look all the same. */
static void failures_to_decrypt_are_told_the_same(void **state)
{
    static const char text[] = "enveloped data: it cannot be decrypted";
    const struct cms_signer wrong = { us.cert, stranger.key };
    const EVP_CIPHER *gcm = cms_cipher(NID_aes_256_gcm);
    const struct {
        struct bytes entity;
        const struct cms_signer *key;
    } cases[] = {
        { entity_encrypted(plain()), &wrong },
        { entity_encrypted(entity_signed(plain())), &wrong },
        { flipped(entity_encrypted(plain()), 17), &us }, /* the last octet of the padding */
        { flipped(entity_encrypted(entity_signed(plain())), 17), &us },
        { entity_encrypted(entity_text("UNB+UNOA:2+SENDERCO'")), &us },
        { entity_encrypted(entity_text("")), &us },
        { entity_encrypted(entity_text("Content-Type: text/plain\r\n")), &us },
        { entity_encrypted(entity_text("Content-Type: ;;\r\n\r\nx")), &us },
        { entity_encrypted(entity_text("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx")),
          &us },
        { entity_encrypted(entity_text("Content-Transfer-Encoding: base64\r\n\r\nx*")), &us },
        { entity_encrypted(entity_compressed(entity_text("nonsense"))), &us },
        { flipped(entity_encrypted_with(plain(), gcm, CMS_PKCS1, &us.cert, 1), 1), &us },
        { flipped(entity_encrypted_with(entity_signed(plain()), gcm, CMS_PKCS1, &us.cert, 1),
                  30),
          &us },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(cases[i].entity);
        struct as2_open_options o = open_options(&m);

        o.keys = cases[i].key;
        expect_text(&o, &m, AS2_DECRYPTION, text);
        message_free(&m);
    }
}

/* AS2-C73: of a wrong key's random octets one message in 256 has good padding; some of those end in the
 * very step in which their MIME turns out to be none. */
static void random_octets_are_told_the_same(void **state)
{
    const struct cms_signer wrong = { us.cert, stranger.key };
    struct message m = message_from(entity_encrypted(plain()));
    struct as2_open_options o = open_options(&m);

    (void)state;
    o.keys = &wrong;
    for (unsigned i = 0; i < 3000; i++) {
        struct seen seen = { 0 };

        open_message(&o, &m, 1 << 20, &seen);
        if (seen.err.wire != AS2_DECRYPTION)
            fail_msg("%s", seen.err.text);
        seen_free(&seen);
    }
    message_free(&m);
}

/* With a tag nothing can be learned by tampering, and nothing need be hidden. */
static void bad_mime_behind_a_tag_is_told_as_it_is(void **state)
{
    struct message m = message_from(entity_encrypted_with(
        entity_text("no header"), cms_cipher(NID_aes_128_gcm), CMS_PKCS1, &us.cert, 1));
    struct as2_open_options o = open_options(&m);

    (void)state;
    expect_fault(&o, &m, AS2_UNEXPECTED);
    message_free(&m);
}

/* A signed part whose octet `at` is changed afterwards. */
static struct bytes tampered(struct bytes part, size_t at)
{
    struct bytes e = { 0 };
    size_t n = part.n;
    uint8_t *copy = malloc(n), *found;

    assert_non_null(copy);
    memcpy(copy, part.p, n);
    e = entity_signed(part);
    found = memmem(e.p, e.n, copy, n);
    assert_non_null(found);
    found[at] ^= 1;
    free(copy);
    return e;
}

static struct bytes broken_zlib(void)
{
    struct bytes e = entity_compressed(plain());

    return flipped(e, 20); /* its checksum, before the end-of-contents octets */
}

/* as2.md 5.1: the first failing layer from the outside in. */
static void the_outermost_failure_is_told(void **state)
{
    const struct {
        struct bytes entity;
        enum as2_fault fault;
        bool mic;
    } cases[] = {
        { tampered(plain(), 30), AS2_INTEGRITY, true },
        { tampered(entity_text("Content-Type: ;;\r\n\r\nx"), 19), AS2_INTEGRITY, true },
        { tampered(entity_compressed(plain()), 240), AS2_INTEGRITY, true },
        { entity_encrypted(tampered(plain(), 30)), AS2_INTEGRITY, true },
        { entity_signed(broken_zlib()), AS2_DECOMPRESSION, true },
        { entity_signed(entity_text("no header")), AS2_UNEXPECTED, true },
        { entity_signed(entity_text("Content-Transfer-Encoding: base64\r\n\r\n*")),
          AS2_UNEXPECTED, true },
        { entity_encrypted(entity_signed(entity_text("no header"))), AS2_UNEXPECTED, true },
        { entity_encrypted(
              entity_signed_as(entity_text("no header"), &stranger, NID_sha256, "")),
          AS2_AUTHENTICATION, true },
        { broken_zlib(), AS2_DECOMPRESSION, false },
        { entity_encrypted(broken_zlib()), AS2_DECOMPRESSION, false },
        { entity_compressed(tampered(plain(), 30)), AS2_INTEGRITY, true },
        { entity_compressed(entity_text("no header")), AS2_UNEXPECTED, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(cases[i].entity);
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        expect_fault(&o, &m, cases[i].fault);
        open_message(&o, &m, 1000, &seen);
        if ((seen.opened.mic.n > 0) != cases[i].mic)
            fail_msg("case %zu: MIC", i);
        seen_free(&seen);
        message_free(&m);
    }
}

/* ---- payloads ----------------------------------------------------------------------------- */

#define RELATED                                                                                \
    "Content-Type: multipart/related; type=\"application/xml\"; start=\"<root@x>\"; "          \
    "boundary=\"=r\"\r\n\r\n"                                                                  \
    "--=r\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"           \
    "Content-Disposition: attachment; filename=\"a.pdf\"\r\nContent-ID: <a@x>\r\n\r\n"         \
    "JVBERg==\r\n"                                                                             \
    "--=r\r\nContent-Type: application/xml\r\nContent-ID: <root@x>\r\n\r\n<x/>\r\n"            \
    "--=r\r\n\r\nlast\r\n--=r--\r\n"

static void check_part(const struct seen *s, size_t k, size_t index, const char *type,
                       const char *octets)
{
    CHECK_EQ(s->payload[k].index, index);
    assert_string_equal(s->payload[k].type, type);
    if (!span_is(bytes_span(&s->payload[k].octets), octets))
        fail_msg("part %zu", k);
}

/* AS2-C121, the receiving half: each part a payload, the root with index 0, one MIC over all. */
static void parts_become_payloads(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 2000; chunk *= 11) {
        struct message m = message_from(entity_encrypted(entity_signed(entity_text(RELATED))));
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        o.unpack = true;
        open_message(&o, &m, chunk, &seen);
        if (!seen.ok)
            fail_msg("%s", seen.err.text);
        CHECK_EQ(seen.n, 3);
        CHECK_EQ(seen.opened.payloads, 3);
        CHECK_EQ(seen.opened.octets, 12);
        check_part(&seen, 0, 1, "application/pdf", "%PDF");
        check_part(&seen, 1, 0, "application/xml", "<x/>");
        check_part(&seen, 2, 2, "", "last");
        assert_string_equal(seen.payload[0].file_name, "a.pdf");
        assert_string_equal(seen.payload[0].content_id, "<a@x>");
        assert_false(seen.payload[2].has_type);
        seen_free(&seen);
        o.unpack = false;
        expect_opened(&o, &m, chunk, span_text(strstr(RELATED, "\r\n\r\n") + 4));
        message_free(&m);
    }
}

/* Without start the first is the root; a part that is CMS stays what it is. */
static void the_first_part_is_the_root_without_start(void **state)
{
    static const char entity[] =
        "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\none\r\n--m\r\n"
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\ntwo\r\n--m--";
    struct message m = message_from(entity_compressed(entity_text(entity)));
    struct as2_open_options o = open_options(&m);
    struct seen seen = { 0 };

    (void)state;
    o.unpack = true;
    open_message(&o, &m, 5, &seen);
    assert_true(seen.ok);
    check_part(&seen, 0, 0, "", "one");
    check_part(&seen, 1, 1, "application/pkcs7-mime; smime-type=enveloped-data", "two");
    assert_false(seen.opened.encrypted);
    seen_free(&seen);
    message_free(&m);
}

/* AS2-C124 */
static void certificate_exchange_is_recognised(void **state)
{
    static const char *const entities[] = {
        "Content-Type: application/ediint-cert-exchange+xml\r\n\r\n<x/>",
        "Content-Type: multipart/related; boundary=b; "
        "type=\"application/EDIINT-cert-exchange+xml\"\r\n\r\n--b\r\n\r\n<x/>\r\n--b--\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        struct message m = message_from(entity_signed(entity_text(entities[i])));
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        expect_fault(&o, &m, AS2_UNEXPECTED);
        open_message(&o, &m, 100, &seen);
        assert_non_null(strstr(seen.err.text, "certificate exchange"));
        CHECK_EQ(seen.n, 0);
        seen_free(&seen);
        message_free(&m);
    }
}

/* as2.md 2.3: raw EDI within encryption, for the partner who sends it. */
static void headerless_content_is_a_payload_when_allowed(void **state)
{
    static const char edi[] = "UNB+UNOA:2+SENDERCO:14'\r\nUNZ+1+1'\r\n";
    struct message m = message_from(entity_encrypted(entity_text(edi)));
    struct as2_open_options o = open_options(&m);
    struct seen seen = { 0 };
    uint8_t digest[32];

    (void)state;
    expect_fault(&o, &m, AS2_DECRYPTION);
    o.headerless = true;
    expect_opened(&o, &m, 1, span_text(edi));
    open_message(&o, &m, 9, &seen);
    assert_false(seen.payload[0].has_type);
    assert_true(EVP_Digest(edi, strlen(edi), digest, NULL, EVP_sha256(), NULL) == 1);
    assert_memory_equal(seen.opened.mic.value, digest, 32);
    seen_free(&seen);
    message_free(&m);
    /* the empty line alone is no header, either */
    m = message_from(entity_encrypted(entity_text("\r\nUNB+UNOA:2'")));
    o = open_options(&m);
    expect_fault(&o, &m, AS2_DECRYPTION);
    o.headerless = true;
    expect_opened(&o, &m, 1, span_text("UNB+UNOA:2'"));
    message_free(&m);
    /* not elsewhere */
    m = message_from(entity_signed(entity_text(edi)));
    o.http = &m.head;
    expect_fault(&o, &m, AS2_UNEXPECTED);
    message_free(&m);
}

/* as2.md 3.1: text that is not said to be binary counts with CRLF, EDI as it is. */
static void unsigned_text_counts_with_crlf(void **state)
{
    static const struct {
        const char *sent, *counted;
    } cases[] = {
        { "Content-Type: text/plain\n\na\nb\r\n\n",
          "Content-Type: text/plain\r\n\r\na\r\nb\r\n\r\n" },
        { "Content-Type: application/xml\n\na\nb\r\n",
          "Content-Type: application/xml\r\n\r\na\nb\r\n" },
        { "Content-Type: text/xml\r\nContent-Transfer-Encoding: binary\r\n\r\na\n",
          "Content-Type: text/xml\r\nContent-Transfer-Encoding: binary\r\n\r\na\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t chunk = 1; chunk < 200; chunk += 50) {
            struct message m = message_from(entity_encrypted(entity_text(cases[i].sent)));
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };
            uint8_t digest[32];

            open_message(&o, &m, chunk, &seen);
            assert_true(seen.ok);
            assert_true(EVP_Digest(cases[i].counted, strlen(cases[i].counted), digest, NULL,
                                   EVP_sha256(), NULL) == 1);
            assert_memory_equal(seen.opened.mic.value, digest, 32);
            seen_free(&seen);
            message_free(&m);
        }
}

static bool refuse_illegal(const struct as2_payload *p, struct err *err)
{
    (void)p;
    return FAIL(err, FAIL_TRUST, AS2_ILLEGAL_NAME, "the file name is not allowed");
}

static bool refuse_disk(const struct as2_payload *p, struct err *err)
{
    (void)p;
    return FAIL(err, FAIL_AGAIN, 28, "the disk is full");
}

/* A verdict on the payload is one of the innermost layer; a failure of ours ends all at once. */
static void what_the_events_fail_with_is_told(void **state)
{
    struct message good = message_from(entity_signed(plain()));
    struct message bad = message_from(tampered(plain(), 30));
    struct as2_open_options o = open_options(&good);
    struct seen seen = { .refuse = refuse_illegal };

    (void)state;
    open_message(&o, &good, 10, &seen);
    CHECK_EQ(seen.opened.fault, AS2_ILLEGAL_NAME);
    seen_free(&seen);
    o.http = &bad.head;
    seen.refuse = refuse_illegal;
    open_message(&o, &bad, 10, &seen);
    CHECK_EQ(seen.opened.fault, AS2_INTEGRITY);
    seen_free(&seen);
    seen.refuse = refuse_disk;
    open_message(&o, &bad, 10, &seen);
    CHECK_EQ(seen.err.kind, FAIL_AGAIN);
    CHECK_EQ(seen.err.wire, 28);
    CHECK_EQ(seen.opened.fault, AS2_FINE);
    seen_free(&seen);
    message_free(&good);
    message_free(&bad);
}

/* ---- limits ------------------------------------------------------------------------------- */

/* AS2-C74, AS2-C127: at the limit and one beyond. */
static void content_has_a_limit(void **state)
{
    struct bytes text = make_text(5000), e;
    struct message m;
    struct as2_open_options o;

    (void)state;
    e = entity_of("Content-Type: application/x\r\n", bytes_span(&text));
    m = message_from(entity_signed(e));
    o = open_options(&m);
    o.content_max = 5000;
    expect_opened(&o, &m, 1000, bytes_span(&text));
    o.content_max = 4999;
    expect_fault(&o, &m, AS2_UNEXPECTED);
    message_free(&m);
    e = entity_of("", bytes_span(&text));
    m = message_from(entity_encrypted(entity_compressed(e)));
    o = open_options(&m);
    o.content_max = 5002;
    expect_opened(&o, &m, 1000, bytes_span(&text));
    o.content_max = 5001;
    expect_fault(&o, &m, AS2_DECOMPRESSION);
    message_free(&m);
    bytes_free(&text);
}

/* ---- keys and ciphers --------------------------------------------------------------------- */

/* AS2-C112, AS2-C113 */
static void every_cipher_and_key_transport_opens(void **state)
{
    static const int ciphers[] = { NID_des_ede3_cbc, NID_aes_128_cbc, NID_aes_192_cbc,
                                   NID_aes_256_cbc,  NID_aes_128_gcm, NID_aes_192_gcm,
                                   NID_aes_256_gcm };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        for (enum cms_padding padding = CMS_PKCS1; padding <= CMS_PSS_OAEP; padding++) {
            struct message m = message_from(entity_encrypted_with(
                entity_signed(plain()), cms_cipher(ciphers[i]), padding, &us.cert, 1));
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };

            expect_opened(&o, &m, 1, span_text("hello\r\n"));
            open_message(&o, &m, 1000, &seen);
            CHECK_EQ(seen.opened.aead, i >= 4);
            seen_free(&seen);
            message_free(&m);
        }
}

static bool only_aes(int nid)
{
    return nid == NID_aes_256_cbc;
}

static void a_cipher_that_is_not_allowed_fails_to_decrypt(void **state)
{
    struct message m = message_from(
        entity_encrypted_with(plain(), cms_cipher(NID_des_ede3_cbc), CMS_PKCS1, &us.cert, 1));
    struct as2_open_options o = open_options(&m);

    (void)state;
    o.cipher_allowed = only_aes;
    expect_fault(&o, &m, AS2_DECRYPTION);
    message_free(&m);
}

/* AS2-C114, AS2-C116: the recipient we are may stand anywhere, and any of our keys may be it. */
static void any_recipient_and_any_of_our_keys(void **state)
{
    X509 *orders[][3] = { { us.cert, partner.cert, stranger.cert },
                          { partner.cert, us.cert, stranger.cert },
                          { partner.cert, stranger.cert, us.cert } };
    const struct cms_signer keys[] = { stranger, us };
    X509 *certs[] = { stranger.cert, partner.cert };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct message m = message_from(entity_encrypted_with(
            entity_signed(plain()), cms_cipher(NID_aes_256_cbc), CMS_PKCS1, orders[i], 3));
        struct as2_open_options o = open_options(&m);

        expect_opened(&o, &m, 1000, span_text("hello\r\n"));
        o.signers = certs;
        o.signers_n = 2;
        for (size_t k = 0; k < 3; k++) {
            o.keys = k < 2 ? &keys[k] : keys;
            o.keys_n = k < 2 ? 1 : 2;
            expect_opened(&o, &m, 1000, span_text("hello\r\n"));
        }
        o.keys_n = 0;
        expect_fault(&o, &m, AS2_DECRYPTION);
        message_free(&m);
    }
}

/* AS2-C118: what comes before the tag is in the caller's quarantine; it is said to be no good. */
static void a_wrong_tag_is_no_success(void **state)
{
    struct bytes text = make_text(100000);
    struct message m;
    struct as2_open_options o;

    (void)state;
    m = message_from(
        flipped(entity_encrypted_with(entity_of("Content-Type: a/b\r\n", bytes_span(&text)),
                                      cms_cipher(NID_aes_256_gcm), CMS_PKCS1, &us.cert, 1),
                5));
    o = open_options(&m);
    expect_fault(&o, &m, AS2_DECRYPTION);
    message_free(&m);
    bytes_free(&text);
}

/* ---- hostile octets ----------------------------------------------------------------------- */

/* No part of a message is a message. */
static void no_truncated_message_opens(void **state)
{
    struct bytes text = make_text(300);

    (void)state;
    for (size_t i = 1; i < COUNT_OF(nestings); i++) {
        struct as2_seal_options so = seal_options(&nestings[i]);
        struct message m = seal_message(&so, bytes_span(&text), 100, 100);
        size_t whole = m.body.n;

        /* the end of multipart/signed may lack its CRLF */
        for (m.body.n = 0; m.body.n + 2 < whole; m.body.n++) {
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };

            open_message(&o, &m, 1 + m.body.n % 97, &seen);
            if (seen.ok && (nestings[i].encrypted || nestings[i].is_signed ||
                            seen.payload[0].octets.n != text.n))
                fail_msg("%s: opened with %zu of %zu octets", nestings[i].name, m.body.n,
                         whole);
            if (!seen.ok)
                assert_true(seen.err.kind == FAIL_TRUST &&
                            seen.opened.fault >= AS2_AUTHENTICATION);
            seen_free(&seen);
        }
        message_free(&m);
    }
    bytes_free(&text);
}

/* A signature keeps every octet as it was, whatever is around it. */
static void no_changed_octet_is_trusted(void **state)
{
    static const size_t which[] = { 1, 3, 5, 8, 9 };
    struct bytes text = make_text(200);

    (void)state;
    for (size_t k = 0; k < COUNT_OF(which); k++) {
        struct as2_seal_options so = seal_options(&nestings[which[k]]);
        struct message m = seal_message(&so, bytes_span(&text), 100, 100);

        for (size_t i = 0; i < m.body.n * 8; i += which[k] < 2 ? 1 : 11) {
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };

            m.body.p[i / 8] ^= (uint8_t)(1U << i % 8);
            open_message(&o, &m, 64, &seen);
            /* what became another kind of message is not signed, and says so */
            if (seen.ok && seen.opened.is_signed)
                assert_true(seen.opened.trusted);
            if (seen.opened.trusted && seen.ok &&
                (seen.n != 1 ||
                 !span_equal(bytes_span(&seen.payload[0].octets), bytes_span(&text))))
                fail_msg("%s: bit %zu", nestings[which[k]].name, i);
            if (!seen.ok && seen.err.kind == FAIL_TRUST)
                assert_true(seen.opened.fault >= AS2_AUTHENTICATION);
            else if (!seen.ok)
                CHECK_EQ(seen.err.kind, FAIL_AGAIN);
            seen_free(&seen);
            m.body.p[i / 8] ^= (uint8_t)(1U << i % 8);
        }
        message_free(&m);
    }
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_to_decrypt_are_told_the_same),
        cmocka_unit_test(random_octets_are_told_the_same),
        cmocka_unit_test(bad_mime_behind_a_tag_is_told_as_it_is),
        cmocka_unit_test(the_outermost_failure_is_told),
        cmocka_unit_test(parts_become_payloads),
        cmocka_unit_test(the_first_part_is_the_root_without_start),
        cmocka_unit_test(certificate_exchange_is_recognised),
        cmocka_unit_test(headerless_content_is_a_payload_when_allowed),
        cmocka_unit_test(unsigned_text_counts_with_crlf),
        cmocka_unit_test(what_the_events_fail_with_is_told),
        cmocka_unit_test(content_has_a_limit),
        cmocka_unit_test(every_cipher_and_key_transport_opens),
        cmocka_unit_test(a_cipher_that_is_not_allowed_fails_to_decrypt),
        cmocka_unit_test(any_recipient_and_any_of_our_keys),
        cmocka_unit_test(a_wrong_tag_is_no_success),
        cmocka_unit_test(no_truncated_message_opens),
        cmocka_unit_test(no_changed_octet_is_trusted),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
