/* Opaque signatures: application/pkcs7-mime whose SignedData has the content inside. The same verdicts
 * as for multipart/signed, which open_signature_test.c has. AS2-C31, AS2-C44. */
#include "craft.h"

#include "cms/algorithms.h"

#include <stdlib.h>

#define T_ENTITY "Content-Type: text/plain\r\n\r\nhello\r\n"
#define MIC_T    "WBhEq+//8XdXTTcUayVykfFriFR5oMtZtx6rHWJTiUk="

static struct bytes plain(void)
{
    return entity_text(T_ENTITY);
}

static struct bytes opaque_by(const struct cms_signer *signer, int nid, bool attributes)
{
    struct cms_sign_options o = sign_options(signer, cms_digest(nid));

    o.include_certificates = true;
    o.signed_attributes = attributes;
    return entity_opaque_as(plain(), &o);
}

/* The same octets as `from` in e become `to`. */
static struct bytes changed(struct bytes e, const char *from, const char *to)
{
    uint8_t *at = memmem(e.p, e.n, from, strlen(from));

    assert_non_null(at);
    memcpy(at, to, strlen(to));
    return e;
}

static struct bytes object_of(struct bytes e, const char *head)
{
    const uint8_t *body = (const uint8_t *)memmem(e.p, e.n, "\r\n\r\n", 4) + 4;
    struct bytes made = entity_of(head, span_of(body, e.n - (size_t)(body - e.p)));

    bytes_free(&e);
    return made;
}

static void expect_once(struct bytes entity, enum as2_fault fault)
{
    struct message m = message_from(entity);
    struct as2_open_options o = open_options(&m);

    expect_fault(&o, &m, fault);
    message_free(&m);
}

/* ---- what is found ------------------------------------------------------------------------ */

/* AS2-C51: the MIC is of the octets inside. */
static void all_is_told_of_it_as_of_multipart_signed(void **state)
{
    struct message opaque = message_from(opaque_by(&partner, NID_sha256, true));
    struct message parts = message_from(entity_signed(plain()));
    struct as2_open_options o = open_options(&opaque), p = open_options(&parts);
    struct seen a = { 0 }, b = { 0 };
    uint8_t zero[32] = { 0 };

    (void)state;
    open_message(&o, &opaque, 10, &a);
    open_message(&p, &parts, 10, &b);
    if (!a.ok || !b.ok)
        fail_msg("%s%s", a.err.text, b.err.text);
    expect_mic(&a.opened.mic, NID_sha256, MIC_T);
    assert_true(as2_mic_equal(&a.opened.mic, &b.opened.mic));
    assert_true(a.opened.is_signed && a.opened.trusted);
    assert_ptr_equal(a.opened.signer, partner.cert);
    assert_string_equal(a.opened.digest, b.opened.digest);
    assert_string_equal(a.mic_spelling, b.mic_spelling);
    assert_string_equal(a.opened.signer_digest_spelling, b.opened.signer_digest_spelling);
    CHECK_EQ(a.opened.signature_digest, b.opened.signature_digest);
    /* the same attributes of the same content at the same time: the same signature */
    assert_memory_not_equal(a.opened.signature_hash, zero, 32);
    assert_memory_equal(a.opened.signature_hash, b.opened.signature_hash, 32);
    seen_free(&a);
    seen_free(&b);
    message_free(&opaque);
    message_free(&parts);
}

/* AS2-C107, AS2-C120: none needs a second pass, for what it uses stands in front. */
static void every_digest_opens_in_one_pass(void **state)
{
    static const int nids[] = { NID_sha1, NID_sha224, NID_sha256, NID_sha384, NID_sha512 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nids); i++)
        for (unsigned attributes = 0; attributes < 2; attributes++) {
            struct message m =
                message_from(entity_encrypted(opaque_by(&partner, nids[i], attributes)));
            struct as2_open_options o = open_options(&m);

            expect_opened(&o, &m, 1, span_text("hello\r\n"));
            message_free(&m);
        }
}

/* A signer whose digest is none of those announced: SHA-384 made out to be SHA-512 in front. */
static void a_digest_that_was_not_announced_costs_a_second_pass(void **state)
{
    struct bytes e = opaque_by(&partner, NID_sha384, true);
    static const uint8_t sha384[] = { 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2 };
    uint8_t *at = memmem(e.p, e.n, sha384, sizeof(sha384));
    struct message m;
    struct as2_open_options o;
    struct seen seen = { 0 };

    (void)state;
    assert_non_null(at);
    at[8] = 3;
    m = message_from(e);
    o = open_options(&m);
    open_message(&o, &m, 50, &seen);
    CHECK_EQ(seen.err.kind, FAIL_AGAIN);
    CHECK_EQ(seen.opened.missing_digest, NID_sha384);
    seen_free(&seen);
    o.digest_besides = NID_sha384;
    expect_opened(&o, &m, 50, span_text("hello\r\n"));
    message_free(&m);
}

/* AS2-C30, AS2-C40 */
static void it_may_be_encoded_and_called_anything(void **state)
{
    static const char *const heads[] = {
        "Content-Type: application/pkcs7-mime\r\n",
        "Content-Type: application/x-pkcs7-mime; smime-type=signed-data\r\n",
        "Content-Type: application/pkcs7-mime; smime-type=\"Signed-Data\"; name=x\r\n",
        "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n",
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        for (unsigned k = 0; k < 3; k++) {
            struct bytes e = object_of(opaque_by(&partner, NID_sha256, true), heads[i]);
            struct message m;
            struct as2_open_options o;

            e = k == 1 ? entity_encrypted(e) : k == 2 ? entity_compressed(e) : e;
            m = message_from(e);
            o = open_options(&m);
            expect_opened(&o, &m, 1, span_text("hello\r\n"));
            expect_opened(&o, &m, 1000, span_text("hello\r\n"));
            message_free(&m);
        }
}

/* ---- what is refused ---------------------------------------------------------------------- */

/* AS2-C110, AS2-C111 */
static void a_stranger_is_told_by_name_and_not_trusted(void **state)
{
    struct message m = message_from(opaque_by(&stranger, NID_sha256, true));
    struct as2_open_options o = open_options(&m);
    struct seen seen = { 0 };

    (void)state;
    expect_fault(&o, &m, AS2_AUTHENTICATION);
    open_message(&o, &m, 1000, &seen);
    assert_true(seen.opened.is_signed && !seen.opened.trusted);
    assert_null(seen.opened.signer);
    assert_non_null(strstr(seen.opened.signer_subject, "stranger"));
    expect_mic(&seen.opened.mic, NID_sha256, MIC_T);
    seen_free(&seen);
    o.signers_n = 0;
    open_message(&o, &m, 1000, &seen);
    assert_true(seen.ok && seen.opened.is_signed && !seen.opened.trusted);
    seen_free(&seen);
    message_free(&m);
}

static bool vouched;
static bool vouch(const void *context, X509 *signer, STACK_OF(X509) * inside)
{
    (void)context;
    (void)inside;
    return vouched && X509_cmp(signer, stranger.cert) == 0;
}

static void somebody_may_vouch_for_the_certificate_inside(void **state)
{
    struct message m = message_from(opaque_by(&stranger, NID_sha256, true));
    struct as2_open_options o = open_options(&m);
    struct seen seen = { 0 };

    (void)state;
    o.signers_n = 0;
    o.vouch = vouch;
    vouched = false;
    expect_fault(&o, &m, AS2_AUTHENTICATION);
    vouched = true;
    open_message(&o, &m, 100, &seen);
    if (!seen.ok)
        fail_msg("%s", seen.err.text);
    assert_true(seen.opened.trusted);
    assert_null(seen.opened.signer);
    assert_non_null(strstr(seen.opened.signer_subject, "stranger"));
    seen_free(&seen);
    message_free(&m);
}

static bool no_sha1(int nid)
{
    return nid != NID_sha1;
}

static void a_weak_digest_is_insufficient_security(void **state)
{
    struct message m = message_from(opaque_by(&partner, NID_sha1, true));
    struct as2_open_options o = open_options(&m);

    (void)state;
    expect_opened(&o, &m, 1000, span_text("hello\r\n"));
    o.digest_allowed = no_sha1;
    expect_fault(&o, &m, AS2_INSUFFICIENT);
    message_free(&m);
}

static struct bytes wrong_attributes(void)
{
    struct bytes e = opaque_by(&partner, NID_sha256, true);

    e.p[e.n - 20] ^= 1; /* the signature's value, before end-of-contents octets at most */
    return e;
}

/* AS2-C109, as2.md 5.1, 7.5 */
static void tampering_is_told_as_for_multipart_signed(void **state)
{
    (void)state;
    for (unsigned attributes = 0; attributes < 2; attributes++)
        expect_once(changed(opaque_by(&partner, NID_sha256, attributes), "hello", "hellO"),
                    AS2_INTEGRITY);
    expect_once(entity_encrypted(changed(entity_opaque(plain()), "hello", "hellO")),
                AS2_INTEGRITY);
    expect_once(entity_compressed(changed(entity_opaque(plain()), "hello", "hellO")),
                AS2_INTEGRITY);
    /* the damage shows in the MIME, too: the signature comes first */
    expect_once(changed(entity_opaque(plain()), "Content-Type: text", "Content Type: text"),
                AS2_INTEGRITY);
    expect_once(wrong_attributes(), AS2_AUTHENTICATION);
    expect_once(entity_opaque(entity_text("no header")), AS2_UNEXPECTED);
    expect_once(entity_opaque(entity_text("")), AS2_UNEXPECTED);
    expect_once(entity_encrypted(entity_opaque(entity_text("no header"))), AS2_UNEXPECTED);
}

/* A signature without its content, nobody's signature, and certificates only. */
static void what_lacks_content_or_signature_is_refused(void **state)
{
    struct cms_sign_options so = sign_options(&partner, cms_digest(NID_sha256));
    /* ContentInfo { signedData, [0] { version 1, {}, { data [, [0] "A: b\r\n\r\nx" ] }, {} } } */
    static const char nobody[] = "\x30\x33\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x26"
                                 "\x30\x24\x02\x01\x01\x31\x00\x30\x1b\x06\x09\x2a\x86\x48\x86"
                                 "\xf7\x0d\x01\x07\x01\xa0\x0e\x04\x0c"
                                 "A: b\r\n\r\nxxxx"
                                 "\x31\x00";
    static const char empty[] = "\x30\x23\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x16"
                                "\x30\x14\x02\x01\x01\x31\x00\x30\x0b\x06\x09\x2a\x86\x48\x86"
                                "\xf7\x0d\x01\x07\x01\x31\x00";
    static const char certs_only[] =
        "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n";
    struct bytes part = plain();
    struct err err = { 0 };
    uint8_t *p;
    size_t n;

    (void)state;
    so.detached = true;
    assert_true(cms_sign_octets(&so, bytes_span(&part), &p, &n, &err));
    expect_once(entity_of(OPAQUE_HEAD, span_of(p, n)), AS2_INTEGRITY);
    expect_once(entity_encrypted(entity_of(OPAQUE_HEAD, span_of(p, n))), AS2_INTEGRITY);
    expect_once(entity_of(OPAQUE_HEAD, span_of(nobody, sizeof(nobody) - 1)), AS2_INTEGRITY);
    expect_once(entity_of(OPAQUE_HEAD, span_of(empty, sizeof(empty) - 1)), AS2_INTEGRITY);
    expect_once(entity_of(certs_only, span_of(empty, sizeof(empty) - 1)), AS2_UNEXPECTED);
    free(p);
    bytes_free(&part);
}

/* Attributes that somebody signed, given out as a content without attributes, are no entity. */
static void signed_attributes_are_no_content(void **state)
{
    static const uint8_t set[] = { 0x31, 0x0b, 0x30, 0x09, 0x06, 0x05, 0x2a,
                                   3,    4,    5,    6,    0x31, 0x00 };
    struct cms_sign_options so = sign_options(&partner, cms_digest(NID_sha256));
    struct bytes content = { 0 };

    (void)state;
    so.signed_attributes = false;
    bytes_put(&content, set, sizeof(set));
    expect_once(entity_opaque_as(content, &so), AS2_UNEXPECTED);
}

/* AS2-C48 */
static void little_may_follow_it(void **state)
{
    static const struct {
        const char *rest;
        size_t n;
        bool fine;
    } cases[] = { { "\r\n", 2, true }, { "\0\0\n", 3, true }, { "x", 1, false } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(entity_opaque(plain()));
        struct as2_open_options o = open_options(&m);

        bytes_put(&m.body, cases[i].rest, cases[i].n);
        if (cases[i].fine)
            expect_opened(&o, &m, 1, span_text("hello\r\n"));
        else
            expect_fault(&o, &m, AS2_INTEGRITY);
        message_free(&m);
    }
}

/* ---- hostile octets ----------------------------------------------------------------------- */

static void no_truncated_message_opens(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct message m =
            message_from(k ? entity_encrypted(entity_opaque(plain())) : entity_opaque(plain()));
        size_t whole = m.body.n;

        for (m.body.n = 0; m.body.n < whole; m.body.n++) {
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };

            open_message(&o, &m, 1 + m.body.n % 97, &seen);
            assert_false(seen.ok);
            CHECK_EQ(seen.err.kind, FAIL_TRUST);
            CHECK_EQ(seen.opened.fault, k ? AS2_DECRYPTION : AS2_INTEGRITY);
            assert_false(seen.opened.trusted);
            seen_free(&seen);
        }
        message_free(&m);
    }
}

/* Whatever bit is wrong: it is not trusted, or it is what was signed. */
static void no_changed_bit_is_trusted(void **state)
{
    (void)state;
    for (unsigned attributes = 0; attributes < 2; attributes++) {
        struct message m = message_from(opaque_by(&partner, NID_sha256, attributes));

        for (size_t i = 0; i < m.body.n * 8; i++) {
            struct as2_open_options o = open_options(&m);
            struct seen seen = { 0 };

            m.body.p[i / 8] ^= (uint8_t)(1U << i % 8);
            open_message(&o, &m, 64, &seen);
            if (seen.ok)
                assert_true(
                    seen.opened.is_signed && seen.opened.trusted && seen.n == 1 &&
                    span_equal(bytes_span(&seen.payload[0].octets), span_text("hello\r\n")));
            else
                assert_true(
                    seen.err.kind == FAIL_AGAIN ||
                    (seen.err.kind == FAIL_TRUST && seen.opened.fault >= AS2_AUTHENTICATION));
            seen_free(&seen);
            m.body.p[i / 8] ^= (uint8_t)(1U << i % 8);
        }
        message_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_told_of_it_as_of_multipart_signed),
        cmocka_unit_test(every_digest_opens_in_one_pass),
        cmocka_unit_test(a_digest_that_was_not_announced_costs_a_second_pass),
        cmocka_unit_test(it_may_be_encoded_and_called_anything),
        cmocka_unit_test(a_stranger_is_told_by_name_and_not_trusted),
        cmocka_unit_test(somebody_may_vouch_for_the_certificate_inside),
        cmocka_unit_test(a_weak_digest_is_insufficient_security),
        cmocka_unit_test(tampering_is_told_as_for_multipart_signed),
        cmocka_unit_test(what_lacks_content_or_signature_is_refused),
        cmocka_unit_test(signed_attributes_are_no_content),
        cmocka_unit_test(little_may_follow_it),
        cmocka_unit_test(no_truncated_message_opens),
        cmocka_unit_test(no_changed_bit_is_trusted),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
