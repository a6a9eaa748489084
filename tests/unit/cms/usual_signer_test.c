/* The signer that is read by hand: what it says is right, libcrypto's structures say, too; and it is
 * not asked where there is anything to judge. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/signature.h"
#include "cms/usual_signer.h"

#include <openssl/rsa.h>
#include <stdlib.h>

static struct cms_signer us, other;
static uint8_t hash[32]; /* of the content */

static int make_keys(void **state)
{
    (void)state;
    us = make_signer("us", "RSA");
    other = make_signer("other", "RSA");
    assert_true(EVP_Digest("content", 7, hash, NULL, EVP_sha256(), NULL) == 1);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&us);
    free_signer(&other);
    return 0;
}

static bool by_libcrypto(const struct peel *p, struct span infos, X509 *cert)
{
    struct err err = { 0 };
    CMS_ContentInfo *cms = peel_detached(p, infos, &err);
    STACK_OF(CMS_SignerInfo) *list = cms != NULL ? CMS_get0_SignerInfos(cms) : NULL;
    bool ok = false;

    for (int i = 0; list != NULL && i < sk_CMS_SignerInfo_num(list); i++) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(list, i);

        ok = ok || (signer_names(si, cert) &&
                    signer_verify(cms, si, cert, span_of(hash, sizeof(hash)), &err));
    }
    CMS_ContentInfo_free(cms);
    cms_ssl_clear();
    return ok;
}

/* Whether it is right by hand; asserts that it is not by hand alone. */
static bool by_hand(struct span object)
{
    struct cms_open_options o = { .signers_n = 0 };
    struct cms_layer layer = { 0 };
    struct peel p = { .o = &o, .layer = &layer };
    X509 *certs[] = { other.cert, us.cert };
    struct span in = object, infos;
    struct usual_signer u;
    struct err err = { 0 };
    bool right = false;

    if (signature_read(&p, &in, &err)) {
        infos = signature_infos(grow_span(&p.walk.tail));
        right = usual_signer_read(&p.walk, infos, &u) && u.digest == NID_sha256 &&
                usual_signer_verify(&u, certs, 2, span_of(hash, sizeof(hash))) == us.cert;
        assert_true(!right || by_libcrypto(&p, infos, us.cert));
    }
    peel_free(&p);
    return right;
}

/* A signature of ours over the hash, with or without what is usual. */
static struct bytes sign(const struct cms_sign_options *o)
{
    struct bytes out = { 0 };
    struct err err = { 0 };
    uint8_t *p;
    size_t n;

    assert_true(cms_sign_digest(o, span_of(hash, sizeof(hash)), &p, &n, &err));
    bytes_put(&out, p, n);
    free(p);
    return out;
}

static void check(const struct cms_sign_options *o, bool usual)
{
    struct bytes object = sign(o);

    assert_true(by_hand(bytes_span(&object)) == usual);
    bytes_free(&object);
}

static void the_usual_signer_is_read_by_hand(void **state)
{
    struct cms_sign_options o = sign_options(&us, EVP_sha256());
    struct cms_signer two[] = { us, other };

    (void)state;
    check(&o, true);
    o.include_certificates = true;
    check(&o, true);
    o.key_identifier = true;
    check(&o, true);
    o.signed_attributes = false;
    check(&o, false);
    o.signed_attributes = true;
    o.padding = CMS_PSS_OAEP;
    check(&o, false);
    o.padding = CMS_PKCS1;
    o.signers = two;
    o.signers_n = 2;
    check(&o, false);
    o.signers_n = 1;
    o.signers = &other;
    check(&o, false);
}

static void damage_is_never_right_by_hand_alone(void **state)
{
    struct cms_sign_options o = sign_options(&us, EVP_sha256());
    struct bytes object = sign(&o);
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; i < object.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            object.p[i] ^= (uint8_t)(1 << bit);
            accepted += by_hand(bytes_span(&object));
            object.p[i] ^= (uint8_t)(1 << bit);
        }
        assert_false(by_hand(span_of(object.p, i)));
    }
    /* the versions, which digest the signature algorithm names: nothing that counts */
    assert_true(accepted < 200);
    bytes_free(&object);
}

/* ---- attributes as nobody should send them -------------------------------------------------- */

enum {
    TYPE = 1,
    TYPE_OTHER = 2,
    DIGEST = 4,
    DIGEST_OTHER = 8,
    TIME = 16,
    COUNTER = 32,
    PROTECTION = 64,
    FOREIGN = 128,
    TWO_VALUES = 256, /* of the digest */
    TWICE = 512,      /* all of them   */
};

static void put(struct der *d, int nid, uint8_t id, struct span value, bool two)
{
    size_t since = d->n;

    der_element(d, id, value);
    if (two)
        der_element(d, id, value);
    der_wrap(d, BER_SET, since);
    der_oid(d, nid);
    der_wrap(d, BER_SEQUENCE, since);
}

static void put_all(struct der *d, unsigned set)
{
    const ASN1_OBJECT *data = OBJ_nid2obj(NID_pkcs7_data),
                      *rsa = OBJ_nid2obj(NID_rsaEncryption);
    struct span type = span_of(OBJ_get0_data(data), OBJ_length(data));
    struct span wrong = span_of(OBJ_get0_data(rsa), OBJ_length(rsa));
    struct span hashed = span_of(hash, sizeof(hash));
    int protection = OBJ_txt2nid("1.2.840.113549.1.9.52");

    if (protection == NID_undef)
        protection = OBJ_create("1.2.840.113549.1.9.52", NULL, NULL);
    if (set & TYPE)
        put(d, NID_pkcs9_contentType, BER_OID, type, false);
    if (set & TYPE_OTHER)
        put(d, NID_pkcs9_contentType, BER_OID, wrong, false);
    if (set & DIGEST)
        put(d, NID_pkcs9_messageDigest, BER_OCTET_STRING, hashed, (set & TWO_VALUES) != 0);
    if (set & DIGEST_OTHER)
        put(d, NID_pkcs9_messageDigest, BER_OCTET_STRING, span_of(hash, 31), false);
    if (set & TIME)
        put(d, NID_pkcs9_signingTime, BER_UTC_TIME, span_text("261121101500Z"), false);
    if (set & COUNTER)
        put(d, NID_pkcs9_countersignature, BER_SEQUENCE, span_text(""), false);
    if (set & PROTECTION)
        put(d, protection, BER_SEQUENCE, span_text(""), false);
    if (set & FOREIGN)
        put(d, NID_SMIMECapabilities, BER_SEQUENCE, span_text(""), true);
}

/* SignedData whose signature over these attributes is right. */
static struct bytes sign_set(unsigned set)
{
    struct der attributes = { 0 }, infos = { 0 }, head = { 0 }, inner = { 0 }, all = { 0 };
    uint8_t digest[32], signature[256];
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(us.key, NULL);
    size_t n = sizeof(signature);
    struct bytes out = { 0 };
    struct form form;

    put_all(&attributes, set);
    if (set & TWICE)
        put_all(&attributes, set);
    der_wrap(&attributes, BER_SET, 0);
    EVP_Digest(der_all(&attributes).p, attributes.n, digest, NULL, EVP_sha256(), NULL);
    assert_true(EVP_PKEY_sign_init(c) > 0 &&
                EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 &&
                EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) > 0 &&
                EVP_PKEY_sign(c, signature, &n, digest, sizeof(digest)) > 0);
    EVP_PKEY_CTX_free(c);
    attributes.octets[attributes.cap - attributes.n] = BER_CONTEXT_CONSTRUCTED;
    der_element(&infos, BER_OCTET_STRING, span_of(signature, n));
    der_algorithm(&infos, NID_rsaEncryption, true);
    der_span(&infos, der_all(&attributes));
    der_algorithm(&infos, NID_sha256, false);
    n = infos.n;
    der_integer(&infos, X509_get0_serialNumber(us.cert));
    der_name(&infos, X509_get_issuer_name(us.cert));
    der_wrap(&infos, BER_SEQUENCE, n);
    der_small(&infos, 1);
    der_wrap(&infos, BER_SEQUENCE, 0);
    der_wrap(&infos, BER_SET, 0);
    der_algorithm(&head, NID_sha256, false);
    der_wrap(&head, BER_SET, 0);
    der_small(&head, 1);
    der_oid(&inner, NID_pkcs7_data);
    form = (struct form) { CMS_SIGNED, der_all(&head), der_all(&inner), der_all(&infos), NULL };
    form_der(&all, &form);
    bytes_put(&out, der_all(&all).p, all.n);
    der_free(&attributes);
    der_free(&infos);
    der_free(&head);
    der_free(&inner);
    der_free(&all);
    return out;
}

static void attributes_that_say_it_twice_or_not_are_not_usual(void **state)
{
    static const struct {
        unsigned set;
        bool usual;
    } cases[] = {
        { TYPE | DIGEST, true },
        { TYPE | DIGEST | TIME, true },
        { TYPE | DIGEST | TIME | FOREIGN, true },
        { TYPE | TIME, false },
        { DIGEST | TIME, false },
        { TYPE_OTHER | DIGEST, false },
        { TYPE | TYPE_OTHER | DIGEST, false },
        { TYPE | DIGEST_OTHER, false },
        { TYPE | DIGEST | DIGEST_OTHER, false },
        { TYPE | DIGEST | TWO_VALUES, false },
        { TYPE | DIGEST | TWICE, false },
        { TYPE | DIGEST | COUNTER, false },
        { TYPE | DIGEST | PROTECTION, false },
        { FOREIGN, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes object = sign_set(cases[i].set);

        if (by_hand(bytes_span(&object)) != cases[i].usual)
            fail_msg("set 0x%x", cases[i].set);
        bytes_free(&object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_signer_is_read_by_hand),
        cmocka_unit_test(damage_is_never_right_by_hand_alone),
        cmocka_unit_test(attributes_that_say_it_twice_or_not_are_not_usual),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
