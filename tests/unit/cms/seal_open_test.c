/* What we seal we open: all layer combinations, algorithms, sizes; DER and BER. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/der.h"
#include "cms/zip.h"

#include <openssl/err.h>

static struct cms_signer rsa, rsa2, ec;

static int make_keys(void **state)
{
    (void)state;
    rsa = make_signer("plant", "RSA");
    rsa2 = make_signer("supplier", "RSA");
    ec = make_signer("curve", "P-256");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&rsa);
    free_signer(&rsa2);
    free_signer(&ec);
    return 0;
}

struct layers {
    const struct cms_signer *signer, *recipient;
    bool compress;
    int digest, cipher;
    enum cms_padding padding;
    bool key_identifier, attributes;
};

static struct bytes seal_layers(const struct layers *l, struct span content)
{
    struct err err = { 0 };
    struct stage *stages[3], *pipe;
    size_t n = 0;

    if (l->signer != NULL) {
        struct cms_sign_options o = sign_options(l->signer, cms_digest(l->digest));

        o.padding = l->padding;
        o.signed_attributes = l->attributes;
        o.key_identifier = l->key_identifier;
        stages[n++] = cms_sign_new(&o, &err);
    }
    if (l->compress)
        stages[n++] = cms_compress_new(&err);
    if (l->recipient != NULL) {
        struct cms_encrypt_options o = { .recipients = &l->recipient->cert,
                                         .recipients_n = 1,
                                         .cipher = cms_cipher(l->cipher),
                                         .padding = l->padding,
                                         .digest = cms_digest(l->digest),
                                         .key_identifier = l->key_identifier };

        stages[n++] = cms_encrypt_new(&o, &err);
    }
    for (size_t i = 0; i < n; i++)
        if (stages[i] == NULL)
            fail_msg("digest %d cipher %d padding %d: %s", l->digest, l->cipher, l->padding,
                     err.text);
    pipe = pipe_new(stages, n, 0);
    return seal_with(pipe, content);
}

static void open_layers(const struct layers *l, struct span object, struct span content,
                        size_t chunk, size_t room)
{
    struct cms_open_options o = { .keys = l->recipient,
                                  .keys_n = l->recipient != NULL,
                                  .signers = l->signer != NULL ? &l->signer->cert : NULL,
                                  .signers_n = l->signer != NULL };
    struct err err = { 0 };
    struct stage *st = cms_open_new(&o, &err);
    struct bytes got = { 0 };
    enum flow f;
    struct span left = object, in = span_of(object.p, 0);
    uint8_t *buffer = malloc(room);
    const struct cms_layer *found;
    size_t n = 0;

    assert_non_null(st);
    do {
        struct room r = { buffer, room };

        if (in.n == 0) {
            in = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, in.n);
        }
        f = stage_step(st, &in, left.n == 0, &r, &err);
        bytes_put(&got, buffer, room - r.n);
    } while (f == FLOW_IN || f == FLOW_OUT);
    if (f == FLOW_FAIL)
        fail_msg("digest %d cipher %d: %s", l->digest, l->cipher, err.text);
    CHECK_EQ(got.n, content.n);
    assert_true(content.n == 0 || memcmp(got.p, content.p, content.n) == 0);
    CHECK_EQ(cms_open_layers(st, &found),
             (l->signer != NULL) + l->compress + (l->recipient != NULL));
    if (l->recipient != NULL)
        assert_string_equal(found[n++].algorithm, cms_algorithm_name(l->cipher));
    if (l->compress)
        CHECK_EQ(found[n++].kind, CMS_COMPRESSED);
    if (l->signer != NULL) {
        CHECK_EQ(found[n].kind, CMS_SIGNED);
        assert_true(found[n].trusted);
        assert_ptr_equal(found[n].signer, l->signer->cert);
        assert_string_equal(found[n].algorithm, cms_algorithm_name(l->digest));
        CHECK_EQ(found[n].digest_n, EVP_MD_get_size(cms_digest(l->digest)));
    }
    CHECK_EQ(ERR_peek_error(), 0);
    stage_free(st);
    free(buffer);
    bytes_free(&got);
}

static void round_trip(const struct layers *l, size_t n)
{
    struct bytes text = make_text(n), sealed = seal_layers(l, bytes_span(&text));

    open_layers(l, bytes_span(&sealed), bytes_span(&text), 65536, 65536);
    if (n <= 1)
        for (size_t room = 1; room <= 3; room++)
            open_layers(l, bytes_span(&sealed), bytes_span(&text), room == 3 ? 1000 : room,
                        room);
    bytes_free(&text);
    bytes_free(&sealed);
}

/* 10.1: signed or not, compressed or not, encrypted or not; files from nothing to 3 MB. */
static void every_combination_of_layers_comes_back(void **state)
{
    static const size_t sizes[] = { 0, 1, 100 * 1024, 3 * 1024 * 1024 + 5 };

    (void)state;
    for (unsigned set = 1; set < 8; set++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct layers l = { set & 1 ? &rsa : NULL,
                                set & 4 ? &rsa2 : NULL,
                                (set & 2) != 0,
                                NID_sha256,
                                NID_aes_256_cbc,
                                CMS_PKCS1,
                                false,
                                true };

            round_trip(&l, sizes[i]);
        }
}

/* 10.2: every suite and what else we know, RSA with both paddings, and EC. */
static void every_algorithm_comes_back(void **state)
{
    static const int digests[] = { NID_sha1,   NID_sha224,   NID_sha256,  NID_sha384,
                                   NID_sha512, NID_sha3_256, NID_sha3_512 };
    static const int ciphers[] = { NID_des_ede3_cbc, NID_aes_128_cbc, NID_aes_192_cbc,
                                   NID_aes_256_cbc,  NID_aes_128_gcm, NID_aes_192_gcm,
                                   NID_aes_256_gcm };

    (void)state;
    for (size_t d = 0; d < COUNT_OF(digests); d++)
        for (size_t c = 0; c < COUNT_OF(ciphers); c++)
            for (unsigned k = 0; k < 6; k++) {
                const struct cms_signer *key = k % 3 == 2 ? &ec : &rsa;
                struct layers l = { key,        key,
                                    k < 3,      digests[d],
                                    ciphers[c], k % 3 == 1 ? CMS_PSS_OAEP : CMS_PKCS1,
                                    k >= 3,     k != 4 };

                round_trip(&l, d == 0 ? 100000 : 1);
            }
}

/* CompressedData in DER, which our own sealing does not write. */
static void compressed_der(struct span content, uint8_t **out, size_t *n)
{
    static uint8_t zlib[10000];
    struct zip *zip = zip_new();
    struct room room = { zlib, sizeof(zlib) };
    struct span left = content;
    struct der d = { 0 };

    while (!zip_step(zip, &left, true, &room))
        ;
    zip_free(zip);
    der_element(&d, BER_OCTET_STRING, span_of(zlib, sizeof(zlib) - room.n));
    der_wrap(&d, BER_CONTEXT_CONSTRUCTED, 0);
    der_oid(&d, NID_pkcs7_data);
    der_wrap(&d, BER_SEQUENCE, 0);
    der_algorithm(&d, NID_zlib_compression, false);
    der_small(&d, 0);
    der_wrap(&d, BER_SEQUENCE, 0);
    der_wrap(&d, BER_CONTEXT_CONSTRUCTED, 0);
    der_oid(&d, NID_id_smime_ct_compressedData);
    der_wrap(&d, BER_SEQUENCE, 0);
    *out = der_done(&d, n);
    assert_non_null(*out);
}

/* OFTP2-C126: for each kind, the same object in DER and in BER with any segments. */
static void ber_is_read_like_der(void **state)
{
    static const size_t segments[] = { 1, 2, 7, 1000 };
    struct bytes text = make_text(3000);

    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct layers l = { kind == 0 ? &rsa : NULL,
                            kind == 1 || kind == 2 ? &rsa2 : NULL,
                            kind == 3,
                            NID_sha256,
                            kind == 1 ? NID_aes_256_cbc : NID_aes_256_gcm,
                            CMS_PKCS1,
                            false,
                            true };
        struct cms_sign_options so = sign_options(&rsa, EVP_sha256());
        struct cms_encrypt_options eo = { .recipients = &rsa2.cert,
                                          .recipients_n = 1,
                                          .cipher = cms_cipher(l.cipher) };
        struct err err = { 0 };
        uint8_t *der;
        size_t n;

        so.include_certificates = true;
        if (kind == 3)
            compressed_der(bytes_span(&text), &der, &n);
        else
            assert_true(kind == 0 ? cms_sign_octets(&so, bytes_span(&text), &der, &n, &err)
                                  : cms_encrypt_octets(&eo, bytes_span(&text), &der, &n, &err));
        open_layers(&l, span_of(der, n), bytes_span(&text), 65536, 65536);
        for (size_t s = 0; s < COUNT_OF(segments); s++) {
            struct bytes ber = to_ber(span_of(der, n), segments[s]);

            assert_true(ber.n > n);
            open_layers(&l, bytes_span(&ber), bytes_span(&text), 65536, 65536);
            open_layers(&l, bytes_span(&ber), bytes_span(&text), 1, 1);
            bytes_free(&ber);
        }
        free(der);
    }
    bytes_free(&text);
}

/* However input and room are cut, the same octets go out and come back. */
static void every_split_gives_the_same(void **state)
{
    static const size_t cuts[] = { 1, 2, 7, 1000, 70000 };
    struct layers l = {
        &rsa, &rsa2, true, NID_sha256, NID_aes_256_cbc, CMS_PKCS1, false, true
    };
    struct bytes text = make_text(20000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cuts); i++)
        for (size_t k = 0; k < COUNT_OF(cuts); k++) {
            struct cms_sign_options so = sign_options(&rsa, EVP_sha256());
            struct cms_encrypt_options eo = { .recipients = &rsa2.cert,
                                              .recipients_n = 1,
                                              .cipher = EVP_aes_256_cbc() };
            struct err err = { 0 };
            struct stage *stages[] = { cms_sign_new(&so, &err), cms_compress_new(&err),
                                       cms_encrypt_new(&eo, &err) };
            struct bytes sealed = { 0 };

            assert_true(run_stage(pipe_new(stages, 3, cuts[k]), bytes_span(&text), cuts[i],
                                  cuts[k], &sealed, &err));
            open_layers(&l, bytes_span(&sealed), bytes_span(&text), cuts[i], cuts[k]);
            bytes_free(&sealed);
        }
    bytes_free(&text);
}

static void one_layer_leaves_the_next(void **state)
{
    struct layers l = { &rsa, NULL, true, NID_sha256, 0, CMS_PKCS1, false, true };
    struct layers inner = { &rsa, NULL, false, NID_sha256, 0, CMS_PKCS1, false, true };
    struct bytes text = make_text(500), sealed = seal_layers(&l, bytes_span(&text)),
                 got = { 0 };
    struct cms_open_options o = { .one_layer = true };
    struct err err = { 0 };

    (void)state;
    assert_true(run_stage(cms_open_new(&o, &err), bytes_span(&sealed), 99, 50, &got, &err));
    open_layers(&inner, bytes_span(&got), bytes_span(&text), 100, 100);
    bytes_free(&text);
    bytes_free(&sealed);
    bytes_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_of_layers_comes_back),
        cmocka_unit_test(every_algorithm_comes_back),
        cmocka_unit_test(ber_is_read_like_der),
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(one_layer_leaves_the_next),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
