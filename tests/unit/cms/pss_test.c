/* The parameters of RSASSA-PSS stand outside of what is signed (RFC 4055 3.1): anybody on the way
 * can change them. A signature counts with those it was made with, and with no others. */
#include "support.h"

#include <stdlib.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

static struct cms_signer key;
static struct bytes text, sealed;

/* What the parameters are to be; 0 or NID_undef: left out. */
struct params {
    const char *what;
    int hash, mask, mask_hash;
    long salt, trailer;
    int without; /* 1: no parameters at all, 2: octets that are none, 3: mask without a hash */
};

static X509_ALGOR *algorithm(int nid)
{
    X509_ALGOR *a = X509_ALGOR_new();

    assert_non_null(a);
    assert_int_equal(X509_ALGOR_set0(a, OBJ_nid2obj(nid), V_ASN1_NULL, NULL), 1);
    return a;
}

static ASN1_INTEGER *integer(long value)
{
    ASN1_INTEGER *i = ASN1_INTEGER_new();

    assert_non_null(i);
    assert_int_equal(ASN1_INTEGER_set(i, value), 1);
    return i;
}

static ASN1_STRING *params_of(const struct params *p)
{
    RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
    ASN1_STRING *s = NULL;

    assert_non_null(pss);
    if (p->hash != NID_undef)
        pss->hashAlgorithm = algorithm(p->hash);
    if (p->mask != NID_undef) {
        X509_ALGOR *inner = algorithm(p->mask_hash);
        ASN1_STRING *packed = ASN1_item_pack(inner, ASN1_ITEM_rptr(X509_ALGOR), NULL);

        X509_ALGOR_free(inner);
        pss->maskGenAlgorithm = algorithm(p->mask);
        if (p->without != 3)
            X509_ALGOR_set0(pss->maskGenAlgorithm, OBJ_nid2obj(p->mask), V_ASN1_SEQUENCE,
                            packed);
        else
            ASN1_STRING_free(packed);
    }
    if (p->salt != 0)
        pss->saltLength = integer(p->salt);
    if (p->trailer != 0)
        pss->trailerField = integer(p->trailer);
    if (p->without == 2) {
        s = ASN1_STRING_new();
        assert_int_equal(ASN1_STRING_set(s, "\x30\x03\x02\x01\x01", 5), 1);
    } else {
        s = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
    }
    assert_non_null(s);
    RSA_PSS_PARAMS_free(pss);
    return s;
}

/* The sealed object with these parameters instead of its own. */
static struct bytes with(const struct params *p)
{
    const unsigned char *at = sealed.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)sealed.n);
    X509_ALGOR *signature = NULL;
    unsigned char *der = NULL;
    struct bytes made = { 0 };
    int n;

    assert_non_null(cms);
    CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0), NULL, NULL,
                             NULL, &signature);
    assert_int_equal(OBJ_obj2nid(signature->algorithm), NID_rsassaPss);
    assert_int_equal(X509_ALGOR_set0(signature, OBJ_nid2obj(NID_rsassaPss),
                                     p->without == 1 ? V_ASN1_UNDEF : V_ASN1_SEQUENCE,
                                     p->without == 1 ? NULL : params_of(p)),
                     1);
    n = i2d_CMS_ContentInfo(cms, &der);
    assert_true(n > 0);
    bytes_put(&made, der, (size_t)n);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return made;
}

/* By the reader of whole objects (OFTP2), then by that of digests (AS2). */
static bool opens(struct span object, struct err *err)
{
    struct cms_open_options o = { .signers = &key.cert, .signers_n = 1 };
    struct stage *st = cms_verify_detached_new(&o, object, err);
    struct bytes got = { 0 };
    bool ok = st != NULL && run_stage(st, bytes_span(&text), 100, 70, &got, err);

    bytes_free(&got);
    return ok;
}

static bool agrees(struct span object, struct err *err)
{
    struct cms_open_options o = { .signers = &key.cert, .signers_n = 1 };
    struct cms_digest d = { .nid = NID_sha256 };
    struct cms_layer layer;
    size_t used;
    unsigned n;

    assert_int_equal(EVP_Digest(text.p, text.n, d.value, &n, EVP_sha256(), NULL), 1);
    d.n = n;
    return cms_verify_digests(&o, object, &d, 1, &layer, &used, err);
}

typedef bool reader(struct span object, struct err *err);
static reader *const readers[] = { opens, agrees };

static void the_right_parameters_count(void **state)
{
    static const struct params right[] = {
        { "as they were", NID_sha256, NID_mgf1, NID_sha256, 32, 0, 0 },
        { "the trailer told", NID_sha256, NID_mgf1, NID_sha256, 32, 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(right) * COUNT_OF(readers); i++) {
        struct bytes object = with(&right[i / 2]);
        struct err err = { 0 };

        if (!readers[i % 2](bytes_span(&object), &err))
            fail_msg("%s, reader %zu: %s", right[i / 2].what, i % 2, err.text);
        bytes_free(&object);
    }
}

static void refused(reader *by, const struct params *p)
{
    struct bytes object = with(p);
    struct err err = { 0 };

    if (by(bytes_span(&object), &err))
        fail_msg("%s: it counts", p->what);
    assert_int_equal(err.kind, FAIL_TRUST);
    assert_int_equal(err.wire, CMS_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
    bytes_free(&object);
}

static void other_parameters_do_not(void **state)
{
    static const struct params wrong[] = {
        { "none", 0, 0, 0, 0, 0, 1 },
        { "octets that are no parameters", 0, 0, 0, 0, 0, 2 },
        { "the defaults: SHA-1", 0, 0, 0, 0, 0, 0 },
        { "another digest", NID_sha512, NID_mgf1, NID_sha256, 32, 0, 0 },
        { "an unknown digest", NID_rsaEncryption, NID_mgf1, NID_sha256, 32, 0, 0 },
        { "no mask function: SHA-1", NID_sha256, 0, 0, 32, 0, 0 },
        { "an unknown mask function", NID_sha256, NID_sha256, NID_sha256, 32, 0, 0 },
        { "a mask function without a digest", NID_sha256, NID_mgf1, NID_sha256, 32, 0, 3 },
        { "a mask by another digest", NID_sha256, NID_mgf1, NID_sha512, 32, 0, 0 },
        { "a mask by an unknown digest", NID_sha256, NID_mgf1, NID_rsaEncryption, 32, 0, 0 },
        { "another salt", NID_sha256, NID_mgf1, NID_sha256, 31, 0, 0 },
        { "the default salt", NID_sha256, NID_mgf1, NID_sha256, 0, 0, 0 },
        { "a salt of less than nothing", NID_sha256, NID_mgf1, NID_sha256, -1, 0, 0 },
        /* what libcrypto takes for "find it out yourself" */
        { "a salt of any length", NID_sha256, NID_mgf1, NID_sha256, -2, 0, 0 },
        { "a salt beyond reason", NID_sha256, NID_mgf1, NID_sha256, 1L << 31, 0, 0 },
        { "another trailer", NID_sha256, NID_mgf1, NID_sha256, 32, 2, 0 },
    };
    /* libcrypto's own reader keeps 32 bits of it: the same salt, and so a right signature. */
    static const struct params long_salt = {
        "a salt of 2^32 + 32", NID_sha256, NID_mgf1, NID_sha256, (1L << 32) + 32, 0, 0
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong) * COUNT_OF(readers); i++)
        refused(readers[i % 2], &wrong[i / 2]);
    refused(agrees, &long_salt);
}

static int seal(void **state)
{
    struct cms_sign_options o;
    struct err err = { 0 };

    (void)state;
    key = make_signer("plant", "RSA");
    text = make_text(1000);
    o = sign_options(&key, EVP_sha256());
    o.padding = CMS_PSS_OAEP;
    o.detached = true;
    o.signed_attributes = true;
    sealed = seal_with(cms_sign_new(&o, &err), bytes_span(&text));
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free_signer(&key);
    bytes_free(&text);
    bytes_free(&sealed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_parameters_count),
        cmocka_unit_test(other_parameters_do_not),
    };

    return cmocka_run_group_tests(tests, seal, forget);
}
