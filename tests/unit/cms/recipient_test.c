/* The recipient that is read by hand, and those that are left to libcrypto: both open the same, and
 * nothing tells why what was encrypted for us could not be decrypted. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/recipient.h"

#include <openssl/rsa.h>
#include <stdlib.h>

static struct cms_signer us, other, curve;
static struct bytes text;

static int make_keys(void **state)
{
    (void)state;
    us = make_signer("us", "RSA");
    other = make_signer("other", "RSA");
    curve = make_signer("curve", "P-256");
    text = make_text(100);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&us);
    free_signer(&other);
    free_signer(&curve);
    bytes_free(&text);
    return 0;
}

static struct cms_encrypt_options encrypt_for(X509 **to, size_t n)
{
    return (struct cms_encrypt_options) {
        .recipients = to, .recipients_n = n, .cipher = EVP_aes_256_cbc(), .digest = EVP_sha256()
    };
}

/* In DER. */
static struct bytes seal(const struct cms_encrypt_options *eo)
{
    struct bytes out = { 0 };
    struct err err = { 0 };
    uint8_t *p;
    size_t n;

    assert_true(cms_encrypt_octets(eo, bytes_span(&text), &p, &n, &err));
    bytes_put(&out, p, n);
    free(p);
    return out;
}

static struct cms_open_options open_options(void)
{
    return (struct cms_open_options) { .keys = &us, .keys_n = 1 };
}

static bool opens(const struct cms_open_options *o, struct span object, struct err *err)
{
    struct bytes got = { 0 };
    bool trusted, ok = try_open(o, object, &got, &trusted, err);
    bool same = span_equal(bytes_span(&got), bytes_span(&text));

    bytes_free(&got);
    return ok && same;
}

/* Whether recipient_cipher() reads the head of this object. */
static bool by_hand(struct span object, size_t iv_n)
{
    static const uint8_t iv[EVP_MAX_IV_LENGTH];
    struct cms_open_options o = open_options();
    struct peel p = { .o = &o };
    struct span in = object, slice;
    struct err err = { 0 };
    EVP_CIPHER_CTX *ctx;
    bool read;

    CHECK_EQ(walk_next(&p.walk, &in, &slice, &err), WALK_HEAD);
    ctx = recipient_cipher(&p, cms_cipher(NID_aes_256_cbc), span_of(iv, iv_n));
    read = ctx != NULL;
    EVP_CIPHER_CTX_free(ctx);
    walk_free(&p.walk);
    return read;
}

static void check(const struct cms_encrypt_options *eo, bool hand)
{
    struct cms_open_options o = open_options();
    struct bytes sealed = seal(eo), ber;
    struct err err = { 0 };

    assert_true(by_hand(bytes_span(&sealed), 16) == hand);
    assert_false(by_hand(bytes_span(&sealed), 8));
    assert_true(opens(&o, bytes_span(&sealed), &err));
    ber = to_ber(bytes_span(&sealed), 50);
    assert_true(opens(&o, bytes_span(&ber), &err));
    bytes_free(&ber);
    bytes_free(&sealed);
}

static void the_usual_recipient_is_read_by_hand(void **state)
{
    struct cms_encrypt_options eo = encrypt_for(&us.cert, 1);

    (void)state;
    check(&eo, true);
    eo.key_identifier = true;
    check(&eo, true);
}

static void every_other_recipient_opens_as_before(void **state)
{
    X509 *two[] = { other.cert, us.cert }, *mixed[] = { curve.cert, us.cert };
    struct cms_encrypt_options eo = encrypt_for(two, 2);

    (void)state;
    check(&eo, false);
    eo = encrypt_for(mixed, 2);
    check(&eo, false);
    eo = encrypt_for(&us.cert, 1);
    eo.padding = CMS_PSS_OAEP;
    check(&eo, false);
}

static void a_stranger_s_message_names_no_key_of_ours(void **state)
{
    struct cms_encrypt_options eo = encrypt_for(&other.cert, 1);
    struct cms_open_options o = open_options();
    struct bytes sealed = seal(&eo);

    (void)state;
    assert_false(by_hand(bytes_span(&sealed), 16));
    expect_refusal(&o, bytes_span(&sealed), CMS_DECRYPTION);
    bytes_free(&sealed);
}

/* Where the encrypted key stands: the only element of 256 octets. */
static uint8_t *encrypted_key(struct bytes *sealed)
{
    static const uint8_t header[] = { BER_OCTET_STRING, 0x82, 1, 0 };

    for (size_t i = 0; i + 4 + 256 <= sealed->n; i++)
        if (memcmp(sealed->p + i, header, 4) == 0)
            return sealed->p + i + 4;
    fail_msg("there is no encrypted key");
    return NULL;
}

static void encrypt_key(uint8_t *to, const char *key, int padding)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(us.key, NULL);
    size_t n = 256;

    assert_true(EVP_PKEY_encrypt_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, padding) > 0);
    assert_true(EVP_PKEY_encrypt(c, to, &n, (const uint8_t *)key, strlen(key)) > 0);
    EVP_PKEY_CTX_free(c);
}

/* A key of another length, wrong padding and a block that is none: all as a wrong key. One time in
 * 256 a random key gives right padding, and garbage. */
static void what_the_encrypted_key_holds_shows_nowhere(void **state)
{
    char block[257];
    struct cms_encrypt_options eo = encrypt_for(&us.cert, 1);
    struct cms_open_options o = open_options();
    struct bytes sealed = seal(&eo);
    uint8_t *key = encrypted_key(&sealed);
    unsigned refused = 0, all = 0;

    (void)state;
    memset(block, 1, 256);
    block[256] = '\0';
    for (unsigned k = 0; k < 24; k++, all++) {
        struct err err = { 0 };

        if (k % 4 == 0)
            encrypt_key(key, "12345", RSA_PKCS1_PADDING);
        else if (k % 4 == 1)
            encrypt_key(key, "12345678901234567890123456789012345", RSA_PKCS1_PADDING);
        else if (k % 4 == 2)
            encrypt_key(key, block, RSA_NO_PADDING);
        else
            memset(key, 0xff, 256); /* greater than the modulus */
        assert_false(opens(&o, bytes_span(&sealed), &err));
        if (err.kind == FAIL_NONE)
            continue;
        refused++;
        CHECK_EQ(err.kind, FAIL_TRUST);
        CHECK_EQ(err.wire, CMS_DECRYPTION);
        assert_string_equal(err.text, "enveloped data: it cannot be decrypted");
    }
    assert_true(refused > all / 2);
    bytes_free(&sealed);
}

/* One bit of each octet, and each beginning: refused, or nothing that matters has changed. */
static void damage_never_gives_another_content_unseen(void **state)
{
    struct cms_encrypt_options eo = encrypt_for(&us.cert, 1);
    struct cms_open_options o = open_options();
    struct bytes sealed = seal(&eo);

    (void)state;
    for (size_t i = 0; i < sealed.n; i++) {
        struct err err = { 0 };

        sealed.p[i] ^= (uint8_t)(1 << i % 8);
        if (!opens(&o, bytes_span(&sealed), &err))
            assert_true(err.kind == FAIL_TRUST || err.kind == FAIL_NONE);
        sealed.p[i] ^= (uint8_t)(1 << i % 8);
        memset(&err, 0, sizeof(err));
        assert_false(opens(&o, span_of(sealed.p, i), &err));
        CHECK_EQ(err.kind, FAIL_TRUST);
    }
    bytes_free(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_recipient_is_read_by_hand),
        cmocka_unit_test(every_other_recipient_opens_as_before),
        cmocka_unit_test(a_stranger_s_message_names_no_key_of_ours),
        cmocka_unit_test(what_the_encrypted_key_holds_shows_nowhere),
        cmocka_unit_test(damage_never_gives_another_content_unseen),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
