/* OFTP2-C127: signed data with and without attributes, certificates, key identifiers; attached and
 * detached; several signers. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/der.h"

#include <openssl/err.h>

static struct cms_signer old, new, stranger;

static int make_keys(void **state)
{
    (void)state;
    old = make_signer("partner 2025", "RSA");
    new = make_signer("partner 2026", "P-384");
    stranger = make_signer("stranger", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&old);
    free_signer(&new);
    free_signer(&stranger);
    return 0;
}

static bool open_signed(X509 *const *certs, size_t n, struct span object, struct span content,
                        struct cms_layer *layer, struct err *err)
{
    struct cms_open_options o = { .signers = certs, .signers_n = n };
    struct cms_layer layers[CMS_LAYERS_MAX];
    uint8_t *p;
    size_t p_n, layers_n;

    if (!cms_open_octets(&o, object, 1 << 20, &p, &p_n, layers, &layers_n, err))
        return false;
    assert_true(span_equal(span_of(p, p_n), content));
    CHECK_EQ(layers_n, 1);
    *layer = layers[0];
    free(p);
    return true;
}

/* OFTP2-C127: all sixteen forms, each in DER and as a stream. */
static void every_form_verifies(void **state)
{
    struct bytes text = make_text(1000);

    (void)state;
    for (unsigned form = 0; form < 16; form++)
        for (unsigned k = 0; k < 3; k++) {
            struct cms_sign_options o = sign_options(k == 2 ? &new : &old, EVP_sha512());
            struct err err = { 0 };
            struct cms_layer layer;
            struct bytes object = { 0 };
            uint8_t digest[EVP_MAX_MD_SIZE];

            o.signed_attributes = form & 1;
            o.include_certificates = form & 2;
            o.key_identifier = form & 4;
            o.padding = k == 1 ? CMS_PSS_OAEP : CMS_PKCS1;
            if (form & 8) {
                assert_true(cms_sign_octets(&o, bytes_span(&text), &object.p, &object.n, &err));
            } else {
                object = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
            }
            if (!open_signed(&o.signers->cert, 1, bytes_span(&object), bytes_span(&text),
                             &layer, &err))
                fail_msg("form %u key %u: %s", form, k, err.text);
            assert_true(layer.trusted);
            assert_ptr_equal(layer.signer, o.signers->cert);
            assert_string_equal(layer.algorithm, "sha512");
            assert_true(EVP_Digest(text.p, text.n, digest, NULL, EVP_sha512(), NULL));
            CHECK_EQ(layer.digest_n, 64);
            assert_memory_equal(layer.digest, digest, 64);
            assert_false(open_signed(&stranger.cert, 1, bytes_span(&object), bytes_span(&text),
                                     &layer, &err));
            CHECK_EQ(err.wire, CMS_SIGNATURE);
            bytes_free(&object);
        }
    bytes_free(&text);
}

/* OFTP2-C128: signed with the old and the new key, the partner knows one of them. */
static void one_known_signer_of_two_is_enough(void **state)
{
    struct cms_signer both[] = { old, new };
    struct cms_sign_options o = sign_options(both, EVP_sha256());
    struct bytes text = make_text(1000), object;
    struct err err = { 0 };
    struct cms_layer layer;
    X509 *several[] = { stranger.cert, new.cert };

    (void)state;
    o.signers_n = 2;
    object = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
    assert_true(
        open_signed(&old.cert, 1, bytes_span(&object), bytes_span(&text), &layer, &err));
    assert_ptr_equal(layer.signer, old.cert);
    assert_true(
        open_signed(&new.cert, 1, bytes_span(&object), bytes_span(&text), &layer, &err));
    assert_ptr_equal(layer.signer, new.cert);
    assert_true(open_signed(several, 2, bytes_span(&object), bytes_span(&text), &layer, &err));
    assert_ptr_equal(layer.signer, new.cert);
    assert_false(
        open_signed(&stranger.cert, 1, bytes_span(&object), bytes_span(&text), &layer, &err));
    CHECK_EQ(err.wire, CMS_SIGNATURE);
    /* nobody asked for: opened, and said so */
    assert_true(open_signed(NULL, 0, bytes_span(&object), bytes_span(&text), &layer, &err));
    assert_false(layer.trusted);
    assert_null(layer.signer);
    bytes_free(&object);
    bytes_free(&text);
}

/* The certificate in the message is its sender's claim, no more. */
static void a_certificate_inside_is_not_trusted(void **state)
{
    struct cms_sign_options o = sign_options(&stranger, EVP_sha256());
    struct bytes text = make_text(10), object;
    struct err err = { 0 };
    struct cms_layer layer;

    (void)state;
    o.include_certificates = true;
    object = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
    assert_false(
        open_signed(&old.cert, 1, bytes_span(&object), bytes_span(&text), &layer, &err));
    CHECK_EQ(err.wire, CMS_SIGNATURE);
    bytes_free(&object);
    bytes_free(&text);
}

/* The signed attributes of one message as the content of another, with the same signature. */
static void signed_attributes_are_no_content(void **state)
{
    struct cms_sign_options o = sign_options(&old, EVP_sha256());
    struct bytes text = make_text(10);
    struct err err = { 0 };
    struct cms_layer layer;
    struct span s, body, inner, set, info, attributes = span_of("", 0), last, whole, fields[5];
    struct der forged = { 0 };
    uint8_t *object, id, *content;
    size_t n, since;

    (void)state;
    assert_true(cms_sign_octets(&o, bytes_span(&text), &object, &n, &err));
    s = span_of(object, n);
    assert_true(ber_element(&s, &id, &body) && ber_element(&body, &id, &inner));
    assert_true(ber_element(&body, &id, &inner) && ber_element(&inner, &id, &body));
    for (unsigned i = 0; i < 3; i++)
        assert_true(ber_element(&body, &id, &inner));
    assert_true(ber_element(&body, &id, &set) && ber_element(&set, &id, &info));
    for (unsigned i = 0; i < 6; i++) {
        whole = info;
        assert_true(ber_element(&info, &id, &last));
        whole.n -= info.n;
        if (i == 3)
            attributes = whole;
        else
            fields[i < 3 ? i : i - 1] = whole;
    }
    content = malloc(attributes.n);
    memcpy(content, attributes.p, attributes.n);
    content[0] = BER_SET;
    for (unsigned i = 5; i-- > 0;)
        der_span(&forged, fields[i]);
    der_wrap(&forged, BER_SEQUENCE, 0);
    der_wrap(&forged, BER_SET, 0);
    since = forged.n;
    der_element(&forged, BER_OCTET_STRING, span_of(content, attributes.n));
    der_wrap(&forged, BER_CONTEXT_CONSTRUCTED, since);
    der_oid(&forged, NID_pkcs7_data);
    der_wrap(&forged, BER_SEQUENCE, since);
    since = forged.n;
    der_algorithm(&forged, NID_sha256, false);
    der_wrap(&forged, BER_SET, since);
    der_small(&forged, 1);
    der_wrap(&forged, BER_SEQUENCE, 0);
    der_wrap(&forged, BER_CONTEXT_CONSTRUCTED, 0);
    der_oid(&forged, NID_pkcs7_signed);
    der_wrap(&forged, BER_SEQUENCE, 0);
    assert_false(open_signed(&old.cert, 1, der_all(&forged), span_of(content, attributes.n),
                             &layer, &err));
    CHECK_EQ(err.wire, CMS_SIGNATURE);
    assert_non_null(strstr(err.text, "attributes"));
    der_free(&forged);
    free(content);
    free(object);
    bytes_free(&text);
}

static bool verify_detached(struct span signature, struct span content, X509 *cert,
                            size_t chunk, struct err *err)
{
    struct cms_open_options o = { .signers = &cert, .signers_n = 1 };
    struct stage *st = cms_verify_detached_new(&o, signature, err);
    struct bytes got = { 0 };
    bool ok;

    if (st == NULL)
        return false;
    ok = run_stage(st, content, chunk, chunk / 2 + 1, &got, err);
    if (ok)
        assert_true(span_equal(bytes_span(&got), content));
    bytes_free(&got);
    CHECK_EQ(ERR_peek_error(), 0);
    return ok;
}

static void detached_signatures_verify(void **state)
{
    struct cms_sign_options o = sign_options(&new, EVP_sha384());
    struct bytes text = make_text(5000), signature;
    struct err err = { 0 };
    struct cms_layer layer;

    (void)state;
    o.detached = true;
    for (unsigned attributes = 0; attributes < 2; attributes++) {
        o.signed_attributes = attributes;
        signature = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
        assert_true(signature.n < 700);
        assert_true(
            verify_detached(bytes_span(&signature), bytes_span(&text), new.cert, 1, &err));
        assert_true(
            verify_detached(bytes_span(&signature), bytes_span(&text), new.cert, 9999, &err));
        text.p[4000] ^= 1;
        assert_false(
            verify_detached(bytes_span(&signature), bytes_span(&text), new.cert, 999, &err));
        CHECK_EQ(err.wire, CMS_SIGNATURE);
        text.p[4000] ^= 1;
        assert_false(
            verify_detached(bytes_span(&signature), bytes_span(&text), old.cert, 999, &err));
        for (size_t n = 0; n < signature.n; n++)
            assert_false(verify_detached(span_of(signature.p, n), bytes_span(&text), new.cert,
                                         5000, &err));
        /* without content it is no signed content */
        assert_false(
            open_signed(&new.cert, 1, bytes_span(&signature), span_of("", 0), &layer, &err));
        CHECK_EQ(err.wire, CMS_FORMAT);
        bytes_free(&signature);
    }
    o.detached = false;
    signature = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
    assert_false(
        verify_detached(bytes_span(&signature), bytes_span(&text), new.cert, 99, &err));
    CHECK_EQ(err.wire, CMS_FORMAT);
    bytes_free(&signature);
    bytes_free(&text);
}

/* OFTP2-C129: several recipients, in any order, of any kind, with several keys of ours. */
static void each_recipient_opens(void **state)
{
    struct cms_signer rsa2 = make_signer("another", "RSA"),
                      *all[] = { &old, &new, &stranger, &rsa2 };
    X509 *certs[] = { old.cert, new.cert, stranger.cert, rsa2.cert };
    struct bytes text = make_text(300);

    (void)state;
    for (unsigned form = 0; form < 8; form++) {
        struct cms_encrypt_options o = { .recipients = certs,
                                         .recipients_n = form & 4 ? 2 : 4,
                                         .cipher =
                                             form & 1 ? EVP_aes_128_gcm() : EVP_des_ede3_cbc(),
                                         .padding = form & 2 ? CMS_PSS_OAEP : CMS_PKCS1,
                                         .digest = EVP_sha256(),
                                         .key_identifier = form & 2 };
        uint8_t *p, *back;
        size_t n, back_n, layers_n;
        struct err err = { 0 };
        struct cms_layer layers[CMS_LAYERS_MAX];

        if (!cms_encrypt_octets(&o, bytes_span(&text), &p, &n, &err))
            fail_msg("%s", err.text);
        for (size_t i = 0; i < 4; i++) {
            struct cms_signer keys[] = { *all[i], *all[2] };
            struct cms_open_options oo = { .keys = keys, .keys_n = i < 2 ? 2 : 1 };
            bool ok = cms_open_octets(&oo, span_of(p, n), 1 << 20, &back, &back_n, layers,
                                      &layers_n, &err);

            CHECK_EQ(ok, i < o.recipients_n);
            CHECK_EQ(ERR_peek_error(), 0);
            if (!ok) {
                CHECK_EQ(err.wire, CMS_DECRYPTION);
                continue;
            }
            assert_true(span_equal(span_of(back, back_n), bytes_span(&text)));
            CHECK_EQ(layers[0].kind, form & 1 ? CMS_AUTH_ENVELOPED : CMS_ENVELOPED);
            free(back);
        }
        free(p);
    }
    bytes_free(&text);
    free_signer(&rsa2);
}

static void small_objects_keep_to_their_limit(void **state)
{
    struct cms_sign_options o = sign_options(&new, EVP_sha256());
    struct bytes text = make_text(100);
    struct cms_open_options oo = { .signers = &new.cert, .signers_n = 1 };
    struct err err = { 0 };
    uint8_t *p, *back = NULL;
    size_t n, back_n;

    (void)state;
    assert_true(cms_sign_octets(&o, bytes_span(&text), &p, &n, &err));
    assert_true(cms_open_octets(&oo, span_of(p, n), 100, &back, &back_n, NULL, NULL, &err));
    free(back);
    assert_false(cms_open_octets(&oo, span_of(p, n), 99, &back, &back_n, NULL, NULL, &err));
    CHECK_EQ(err.wire, CMS_FORMAT);
    free(p);
    bytes_free(&text);
}

/* What cannot be sealed is said when the stage is made. */
static void wrong_set_up_is_local(void **state)
{
    struct cms_signer mixed = { old.cert, new.key };
    struct cms_sign_options o = sign_options(&mixed, EVP_sha256());
    struct cms_encrypt_options eo = { .cipher = EVP_aes_256_cbc() };
    struct err err = { 0 };

    (void)state;
    assert_null(cms_sign_new(&o, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    o = sign_options(&old, EVP_md5());
    assert_null(cms_sign_new(&o, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    assert_null(cms_encrypt_new(&eo, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    eo = (struct cms_encrypt_options) { &old.cert, 1, EVP_rc4(), CMS_PKCS1, NULL, false };
    assert_null(cms_encrypt_new(&eo, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    CHECK_EQ(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_verifies),
        cmocka_unit_test(one_known_signer_of_two_is_enough),
        cmocka_unit_test(a_certificate_inside_is_not_trusted),
        cmocka_unit_test(signed_attributes_are_no_content),
        cmocka_unit_test(detached_signatures_verify),
        cmocka_unit_test(each_recipient_opens),
        cmocka_unit_test(small_objects_keep_to_their_limit),
        cmocka_unit_test(wrong_set_up_is_local),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
