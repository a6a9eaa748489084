/* Transfer encodings, what may follow an object, and the shapes and digests of signatures. */
#include "craft.h"

#include "cms/algorithms.h"

#include <stdlib.h>

#define T_ENTITY "Content-Type: text/plain\r\n\r\nhello\r\n"
#define MIC_T    "WBhEq+//8XdXTTcUayVykfFriFR5oMtZtx6rHWJTiUk="

static struct bytes plain(void)
{
    return entity_text(T_ENTITY);
}

/* ---- transfer encodings, ends ------------------------------------------------------------- */

static struct bytes base64_of(struct span s)
{
    struct bytes b = { 0 };
    struct err err = { 0 };

    assert_true(run_stage(mime_base64_encode_new(), s, 1000, 1000, &b, &err));
    return b;
}

/* The entity again with its body in base64. */
static struct bytes encoded(struct bytes e, const char *head)
{
    const uint8_t *body = (const uint8_t *)memmem(e.p, e.n, "\r\n\r\n", 4) + 4;
    struct bytes b = base64_of(span_of(body, e.n - (size_t)(body - e.p)));
    struct bytes made = entity_of(head, bytes_span(&b));

    bytes_free(&b);
    bytes_free(&e);
    return made;
}

#define B64 "Content-Transfer-Encoding: base64\r\n"

/* AS2-C30, AS2-C39, AS2-C40 */
static void every_layer_may_be_encoded(void **state)
{
    static const char c_head[] =
        "Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\n" B64;
    struct {
        struct bytes entity;
    } cases[] = {
        { encoded(plain(), "Content-Type: text/plain\r\n" B64) },
        { encoded(entity_encrypted(plain()), ENCRYPTED_HEAD B64) },
        { encoded(entity_compressed(plain()), c_head) },
        { entity_encrypted(encoded(entity_compressed(plain()), c_head)) },
        { entity_signed(encoded(entity_compressed(plain()), c_head)) },
        { entity_signed(encoded(plain(), B64)) },
        { entity_signed(entity_text(
            "Content-Transfer-Encoding: Quoted-Printable\r\n\r\nhel=6C=\r\no=0D=0A")) },
        { entity_encrypted(
            entity_text("Content-Transfer-Encoding: quoted-printable\r\n\r\nhello\r\n")) },
        { encoded(entity_encrypted(
                      entity_signed(encoded(entity_compressed(encoded(plain(), B64)), c_head))),
                  ENCRYPTED_HEAD B64) },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(cases[i].entity);
        struct as2_open_options o = open_options(&m);

        expect_opened(&o, &m, 1, span_text("hello\r\n"));
        expect_opened(&o, &m, 1000, span_text("hello\r\n"));
        message_free(&m);
    }
}

/* AS2-C48: up to 64 octets of CR, LF, NUL behind a CMS object. */
static void little_may_follow_a_cms_object(void **state)
{
    static const char ends[65] = "\r\n\0\0\n\r";
    const struct {
        struct span rest;
        bool fine;
    } cases[] = {
        { span_of("\n", 1), true },     { span_of("\r\n", 2), true },
        { span_of(ends, 64), true },    { span_of(ends, 65), false },
        { span_of("\r\n ", 3), false }, { span_of("x", 1), false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned k = 0; k < 2; k++) {
            struct message m =
                message_from(k ? entity_encrypted(plain()) : entity_compressed(plain()));
            struct as2_open_options o = open_options(&m);

            bytes_put(&m.body, cases[i].rest.p, cases[i].rest.n);
            if (cases[i].fine) {
                expect_opened(&o, &m, 1, span_text("hello\r\n"));
                expect_opened(&o, &m, 1000, span_text("hello\r\n"));
            } else {
                expect_fault(&o, &m, k ? AS2_DECRYPTION : AS2_DECOMPRESSION);
            }
            message_free(&m);
        }
}

/* AS2-C48 for signatures, which are in a part of their own. */
static void little_may_follow_a_signature(void **state)
{
    static const struct {
        const char *rest;
        bool fine;
    } cases[] = { { "", true }, { "\r\n", true }, { "\n\n", true }, { "x", false } };
    struct cms_sign_options so = sign_options(&partner, cms_digest(NID_sha256));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes part = plain(), signature = { 0 };
        uint8_t digest[32], *p;
        struct err err = { 0 };
        struct message m;
        struct as2_open_options o;
        size_t n;

        assert_true(EVP_Digest(part.p, part.n, digest, NULL, EVP_sha256(), NULL) == 1);
        assert_true(cms_sign_digest(&so, span_of(digest, 32), &p, &n, &err));
        bytes_put(&signature, p, n);
        bytes_put(&signature, cases[i].rest, strlen(cases[i].rest));
        m = message_from(entity_with_signature(bytes_span(&part), bytes_span(&signature),
                                               "micalg=sha256; "));
        o = open_options(&m);
        if (cases[i].fine)
            expect_opened(&o, &m, 1, span_text("hello\r\n"));
        else
            expect_fault(&o, &m, AS2_INTEGRITY);
        message_free(&m);
        bytes_free(&part);
        bytes_free(&signature);
        free(p);
    }
}

/* ---- signatures --------------------------------------------------------------------------- */

/* AS2-C47: what is announced is a hint; what was not run along is asked for once more. */
static void micalg_may_be_missing_or_wrong(void **state)
{
    static const struct {
        const char *micalg;
        int nid, missing;
        const char *spelling;
    } cases[] = {
        { "", NID_sha256, 0, "sha-256" },
        { "", NID_sha1, 0, "sha1" },
        { "", NID_sha512, NID_sha512, "sha-512" },
        { "micalg=SHA1; ", NID_sha1, 0, "SHA1" },
        { "micalg=sha1; ", NID_sha384, NID_sha384, "sha-384" },
        { "micalg=rsa-md5; ", NID_sha512, NID_sha512, "sha-512" },
        { "micalg=\"sha-1, sha2_512\"; ", NID_sha512, 0, "sha2_512" },
        { "micalg=unknown; ", NID_sha256, 0, "sha-256" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(entity_encrypted(
            entity_signed_as(plain(), &partner, cases[i].nid, cases[i].micalg)));
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        open_message(&o, &m, 50, &seen);
        if (cases[i].missing != 0) {
            assert_false(seen.ok);
            CHECK_EQ(seen.err.kind, FAIL_AGAIN);
            CHECK_EQ(seen.opened.missing_digest, cases[i].missing);
            CHECK_EQ(seen.opened.fault, AS2_FINE);
            o.digest_besides = seen.opened.missing_digest;
            seen_free(&seen);
            open_message(&o, &m, 50, &seen);
        }
        if (!seen.ok)
            fail_msg("%zu: %s", i, seen.err.text);
        CHECK_EQ(seen.opened.missing_digest, 0);
        CHECK_EQ(seen.opened.signature_digest, cases[i].nid);
        CHECK_EQ(seen.opened.mic.nid, cases[i].nid);
        assert_string_equal(seen.opened.signer_digest_spelling, cases[i].spelling);
        seen_free(&seen);
        message_free(&m);
    }
}

/* AS2-C110, AS2-C111: the certificate comes along, and is none of those given for this partner. */
static void a_stranger_is_told_by_name_and_not_trusted(void **state)
{
    struct message m =
        message_from(entity_signed_as(plain(), &stranger, NID_sha256, "micalg=sha-256; "));
    struct as2_open_options o = open_options(&m);
    struct seen seen = { 0 };
    uint8_t zero[32] = { 0 };

    (void)state;
    expect_fault(&o, &m, AS2_AUTHENTICATION);
    open_message(&o, &m, 1000, &seen);
    assert_true(seen.opened.is_signed);
    assert_false(seen.opened.trusted);
    assert_null(seen.opened.signer);
    assert_non_null(strstr(seen.opened.signer_subject, "stranger"));
    CHECK_EQ(seen.opened.signature_digest, NID_sha256);
    expect_mic(&seen.opened.mic, NID_sha256, MIC_T); /* as2.md 3.3: for diagnosis */
    assert_memory_not_equal(seen.opened.signature_hash, zero, 32);
    seen_free(&seen);
    /* nobody configured: opened, said to be untrusted */
    o.signers_n = 0;
    open_message(&o, &m, 1000, &seen);
    assert_true(seen.ok && seen.opened.is_signed && !seen.opened.trusted);
    seen_free(&seen);
    message_free(&m);
}

static bool no_sha1(int nid)
{
    return nid != NID_sha1;
}

/* AS2-C107: a setting refuses SHA-1. */
static void a_weak_digest_is_insufficient_security(void **state)
{
    struct message m =
        message_from(entity_signed_as(plain(), &partner, NID_sha1, "micalg=sha1; "));
    struct as2_open_options o = open_options(&m);

    (void)state;
    expect_opened(&o, &m, 1000, span_text("hello\r\n"));
    o.digest_allowed = no_sha1;
    expect_fault(&o, &m, AS2_INSUFFICIENT);
    message_free(&m);
}

/* The shape of multipart/signed. */
static void misshapen_signed_messages_fail_their_integrity(void **state)
{
    static const char head[] = "Content-Type: multipart/signed; boundary=b\r\n";
    static const char *const bodies[] = {
        "",
        "--b\r\n\r\nx\r\n--b--\r\n",
        "--b\r\n\r\nx",
        "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n\r\ny\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\ny\r\n--b--\r\n",
        "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n\r\n--b--\r\n",
        ("--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n" B64
         "\r\n%%%\r\n--b--\r\n"),
        "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\ny\r\n--b\r\n\r\n"
        "z\r\n--b--\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct message m = message_of(head, span_text(bodies[i]));
        struct as2_open_options o = open_options(&m);

        expect_fault(&o, &m, AS2_INTEGRITY);
        message_free(&m);
    }
    {
        struct message m = message_of("Content-Type: multipart/signed\r\n", span_text("x"));
        struct as2_open_options o = open_options(&m);

        expect_fault(&o, &m, AS2_INTEGRITY);
        message_free(&m);
    }
}

/* Two candidates for what was signed: as2.md 7.1, 11.1 #20. */
static void content_in_a_detached_signature_is_refused(void **state)
{
    struct cms_sign_options so = sign_options(&partner, cms_digest(NID_sha256));
    struct bytes part = plain();
    struct err err = { 0 };
    struct message m;
    struct as2_open_options o;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_true(cms_sign_octets(&so, bytes_span(&part), &p, &n, &err));
    m = message_from(
        entity_with_signature(bytes_span(&part), span_of(p, n), "micalg=sha-256; "));
    o = open_options(&m);
    expect_fault(&o, &m, AS2_INTEGRITY);
    message_free(&m);
    bytes_free(&part);
    free(p);
}

/* The limit of a signature part, encoded. */
static void a_signature_has_a_limit(void **state)
{
    struct bytes big = { 0 };

    (void)state;
    for (unsigned i = 0; i < AS2_SIGNATURE_MAX / 64; i++)
        bytes_put(&big, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 64);
    for (unsigned i = 0; i < 2; i++) {
        struct message m =
            message_from(entity_with_signature(span_text(T_ENTITY), bytes_span(&big), ""));
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        open_message(&o, &m, 1000, &seen);
        CHECK_EQ(seen.err.wire, AS2_INTEGRITY);
        CHECK_EQ(strstr(seen.err.text, "more than") != NULL, i == 1);
        seen_free(&seen);
        message_free(&m);
        bytes_put(&big, "A", 1);
    }
    bytes_free(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_may_be_encoded),
        cmocka_unit_test(little_may_follow_a_cms_object),
        cmocka_unit_test(little_may_follow_a_signature),
        cmocka_unit_test(micalg_may_be_missing_or_wrong),
        cmocka_unit_test(a_stranger_is_told_by_name_and_not_trusted),
        cmocka_unit_test(a_weak_digest_is_insufficient_security),
        cmocka_unit_test(misshapen_signed_messages_fail_their_integrity),
        cmocka_unit_test(content_in_a_detached_signature_is_refused),
        cmocka_unit_test(a_signature_has_a_limit),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
