/* Detached signatures judged by the content's digests: cms_verify_digests() and cms_sign_digest().
 * as2.md 7.3, 7.5, 13.1; AS2-C107 to C110, C119, C120. */
#include "support.h"

#include "cms/algorithms.h"
#include "cms/der.h"
#include "known.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

static struct cms_signer rsa, ec, stranger;
static X509 *known_rsa, *known_ec;

static int make_keys(void **state)
{
    (void)state;
    rsa = make_signer("partner", "RSA");
    ec = make_signer("partner ec", "P-384");
    stranger = make_signer("stranger", "RSA");
    known_rsa = known_certificate(known_rsa_certificate);
    known_ec = known_certificate(known_ec_certificate);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&rsa);
    free_signer(&ec);
    free_signer(&stranger);
    X509_free(known_rsa);
    X509_free(known_ec);
    return 0;
}

static struct cms_digest digest_of(const char *text, int nid)
{
    struct cms_digest d = { .nid = nid };
    unsigned n;

    assert_true(EVP_Digest(text, strlen(text), d.value, &n, EVP_get_digestbynid(nid), NULL) ==
                1);
    d.n = n;
    return d;
}

static bool verify(X509 *cert, struct span object, const char *text, int nid,
                   struct cms_layer *layer, size_t *used, struct err *err)
{
    struct cms_open_options o = { .signers = &cert, .signers_n = cert != NULL ? 1 : 0 };
    struct cms_digest d = digest_of(text, nid);
    bool ok = cms_verify_digests(&o, object, &d, 1, layer, used, err);

    CHECK_EQ(ERR_peek_error(), 0);
    return ok;
}

static void expect(X509 *cert, struct span object, const char *text, int nid, int fault)
{
    struct cms_layer layer;
    struct err err = { 0 };
    size_t used;

    if (fault == 0) {
        if (!verify(cert, object, text, nid, &layer, &used, &err))
            fail_msg("%s", err.text);
        CHECK_EQ(used, object.n);
        assert_true(layer.trusted);
        assert_ptr_equal(layer.signer, cert);
        return;
    }
    assert_false(verify(cert, object, text, nid, &layer, &used, &err));
    CHECK_EQ(err.kind, FAIL_TRUST);
    if (err.wire != fault)
        fail_msg("%d instead of %d: %s", err.wire, fault, err.text);
    assert_false(layer.trusted);
    assert_null(layer.signer);
}

/* AS2-C108: the known answers of as2.md 13.1, and their negative uses. */
static void known_signatures_verify_and_tampered_content_does_not(void **state)
{
    const struct {
        const char *signature;
        X509 *cert, *other;
        int nid;
    } cases[] = {
        { known_rsa_signature, known_rsa, known_ec, NID_sha256 },
        { known_ec_signature, known_ec, known_rsa, NID_sha256 },
        { known_bare_signature, known_ec, known_rsa, NID_sha384 },
    };
    char tampered[] = KNOWN_ENTITY;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n;
        uint8_t *p = known_octets(cases[i].signature, &n);
        struct span s = span_of(p, n);

        expect(cases[i].cert, s, KNOWN_ENTITY, cases[i].nid, 0);
        expect(cases[i].other, s, KNOWN_ENTITY, cases[i].nid, CMS_SIGNATURE);
        for (size_t k = 0; k < strlen(tampered); k += 17) {
            tampered[k] ^= 1;
            expect(cases[i].cert, s, tampered, cases[i].nid, CMS_INTEGRITY);
            tampered[k] ^= 1;
        }
        p[n - 1] ^= 1;
        expect(cases[i].cert, s, KNOWN_ENTITY, cases[i].nid,
               i == 2 ? CMS_INTEGRITY : CMS_SIGNATURE);
        free(p);
    }
}

/* AS2-C107, C108, C120: every form of ours, whole or from the digest alone. */
static void every_form_verifies_by_its_digest(void **state)
{
    static const int nids[] = { NID_sha1,   NID_sha224, NID_sha256,
                                NID_sha384, NID_sha512, NID_sha3_256 };
    const char *text = "Content-Type: text/plain\r\n\r\nhello\r\n";

    (void)state;
    for (unsigned form = 0; form < 16; form++)
        for (unsigned k = 0; k < 3; k++) {
            int nid = nids[(form + k) % COUNT_OF(nids)];
            struct cms_sign_options o =
                sign_options(k == 2 ? &ec : &rsa, EVP_get_digestbynid(nid));
            struct cms_digest d = digest_of(text, nid);
            struct bytes object = { 0 };
            struct err err = { 0 };

            o.signed_attributes = form & 1;
            o.include_certificates = form & 2;
            o.key_identifier = form & 4;
            o.padding = k == 1 ? CMS_PSS_OAEP : CMS_PKCS1;
            o.detached = true;
            if (form & 8)
                object = seal_with(cms_sign_new(&o, &err), span_text(text));
            else if (!cms_sign_digest(&o, span_of(d.value, d.n), &object.p, &object.n, &err))
                fail_msg("%s", err.text);
            expect(o.signers->cert, bytes_span(&object), text, nid, 0);
            expect(o.signers->cert, bytes_span(&object), "else", nid, CMS_INTEGRITY);
            expect(stranger.cert, bytes_span(&object), text, nid, CMS_SIGNATURE);
            bytes_free(&object);
        }
}

/* ---- objects as others make them -------------------------------------------------------- */

struct craft {
    bool null_parameters;   /* in digestAlgorithm, both places       */
    int signature_nid;      /* signatureAlgorithm                    */
    struct der *attributes; /* their encodings, in the order sent  */
    struct span signature;
};

static struct bytes craft(const struct craft *c)
{
    struct der d = { 0 };
    struct bytes out = { 0 };
    size_t info, id, wrapped;

    der_element(&d, BER_OCTET_STRING, c->signature);
    der_algorithm(&d, c->signature_nid, true);
    if (c->attributes != NULL)
        der_element(&d, BER_CONTEXT_CONSTRUCTED, der_all(c->attributes));
    der_algorithm(&d, NID_sha256, c->null_parameters);
    id = d.n;
    der_integer(&d, X509_get0_serialNumber(rsa.cert));
    der_name(&d, X509_get_issuer_name(rsa.cert));
    der_wrap(&d, BER_SEQUENCE, id);
    der_small(&d, 1);
    der_wrap(&d, BER_SEQUENCE, 0);
    der_wrap(&d, BER_SET, 0);
    info = d.n;
    der_oid(&d, NID_pkcs7_data);
    der_wrap(&d, BER_SEQUENCE, info);
    wrapped = d.n;
    der_algorithm(&d, NID_sha256, c->null_parameters);
    der_wrap(&d, BER_SET, wrapped);
    der_small(&d, 1);
    der_wrap(&d, BER_SEQUENCE, 0);
    der_wrap(&d, BER_CONTEXT_CONSTRUCTED, 0);
    der_oid(&d, NID_pkcs7_signed);
    der_wrap(&d, BER_SEQUENCE, 0);
    assert_false(d.failed);
    out.p = der_done(&d, &out.n);
    return out;
}

/* RSASSA-PKCS1-v1_5 over a DigestInfo of our own making. */
static struct bytes sign_raw(struct span digest, bool with_null)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(rsa.key, NULL);
    struct der d = { 0 };
    struct bytes out = { malloc(512), 512, 512 };

    der_element(&d, BER_OCTET_STRING, digest);
    der_algorithm(&d, NID_sha256, with_null);
    der_wrap(&d, BER_SEQUENCE, 0);
    assert_true(EVP_PKEY_sign_init(c) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0);
    assert_true(EVP_PKEY_sign(c, out.p, &out.n, der_all(&d).p, d.n) > 0);
    der_free(&d);
    EVP_PKEY_CTX_free(c);
    return out;
}

/* AS2-C109: NULL or absent, in digestAlgorithm and in DigestInfo, each for itself; and the
 * signature algorithm by its key's name, or with a digest, even another's. */
static void parameters_may_be_null_or_absent(void **state)
{
    static const int algorithms[] = { NID_rsaEncryption, NID_sha256WithRSAEncryption,
                                      NID_sha1WithRSAEncryption };
    struct cms_digest d = digest_of("text", NID_sha256);

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        for (size_t k = 0; k < COUNT_OF(algorithms); k++) {
            struct bytes signature = sign_raw(span_of(d.value, d.n), i & 1);
            struct craft c = { .null_parameters = i & 2,
                               .signature_nid = algorithms[k],
                               .signature = bytes_span(&signature) };
            struct bytes object = craft(&c);

            expect(rsa.cert, bytes_span(&object), "text", NID_sha256, 0);
            expect(rsa.cert, bytes_span(&object), "Text", NID_sha256, CMS_INTEGRITY);
            bytes_free(&object);
            bytes_free(&signature);
        }
}

static void put_attribute(struct der *d, int nid, uint8_t id, struct span value)
{
    size_t since = d->n;

    der_element(d, id, value);
    der_wrap(d, BER_SET, since);
    der_oid(d, nid);
    der_wrap(d, BER_SEQUENCE, since);
}

enum order { SORTED, UNSORTED };

/* The two attributes that must be there; der.h writes the last first. */
static struct der attributes(struct span digest, enum order order, struct span more)
{
    static const uint8_t data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1 };
    struct der d = { 0 };

    der_span(&d, more);
    if (order == SORTED)
        put_attribute(&d, NID_pkcs9_messageDigest, BER_OCTET_STRING, digest);
    put_attribute(&d, NID_pkcs9_contentType, BER_OID, span_of(data, sizeof(data)));
    if (order == UNSORTED)
        put_attribute(&d, NID_pkcs9_messageDigest, BER_OCTET_STRING, digest);
    return d;
}

/* Sends attributes in one order, signs them in another. */
static struct bytes with_attributes(enum order sent, enum order is_signed, struct span more)
{
    struct cms_digest d = digest_of("text", NID_sha256);
    struct der to_sign = attributes(span_of(d.value, d.n), is_signed, more);
    struct der to_send = attributes(span_of(d.value, d.n), sent, more);
    struct craft c = { .signature_nid = NID_rsaEncryption, .attributes = &to_send };
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct bytes signature, object;
    unsigned n;

    der_wrap(&to_sign, BER_SET, 0);
    assert_true(EVP_Digest(der_all(&to_sign).p, to_sign.n, digest, &n, EVP_sha256(), NULL));
    signature = sign_raw(span_of(digest, n), true);
    c.signature = bytes_span(&signature);
    object = craft(&c);
    bytes_free(&signature);
    der_free(&to_sign);
    der_free(&to_send);
    return object;
}

/* AS2-C108: libcrypto refuses what was sent unsorted and signed sorted. */
static void attributes_verify_as_received_and_as_sorted(void **state)
{
    static const struct {
        enum order sent, is_signed;
        int fault;
    } cases[] = {
        { SORTED, SORTED, 0 },
        { UNSORTED, UNSORTED, 0 },
        { UNSORTED, SORTED, 0 },
        { SORTED, UNSORTED, CMS_SIGNATURE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes object =
            with_attributes(cases[i].sent, cases[i].is_signed, span_of(NULL, 0));

        expect(rsa.cert, bytes_span(&object), "text", NID_sha256, cases[i].fault);
        expect(rsa.cert, bytes_span(&object), "else", NID_sha256, CMS_INTEGRITY);
        bytes_free(&object);
    }
}

/* CMSAlgorithmProtection, RFC 6211, as one encoded attribute. */
static struct der protection(int digest, int signature)
{
    struct der d = { 0 };
    ASN1_OBJECT *type = OBJ_txt2obj("1.2.840.113549.1.9.52", 1);

    der_element(&d, BER_NULL, span_of(NULL, 0));
    der_oid(&d, signature);
    der_wrap(&d, BER_CONTEXT_CONSTRUCTED | 1, 0);
    der_algorithm(&d, digest, false);
    der_wrap(&d, BER_SEQUENCE, 0);
    der_wrap(&d, BER_SET, 0);
    der_element(&d, BER_OID, span_of(OBJ_get0_data(type), OBJ_length(type)));
    der_wrap(&d, BER_SEQUENCE, 0);
    ASN1_OBJECT_free(type);
    return d;
}

/* AS2-C119: tolerated, and checked. */
static void algorithm_protection_is_checked_where_it_is_sent(void **state)
{
    static const struct {
        int digest, signature, fault;
    } cases[] = {
        { NID_sha256, NID_rsaEncryption, 0 },
        { NID_sha1, NID_rsaEncryption, CMS_SIGNATURE },
        { NID_sha256, NID_rsassaPss, CMS_SIGNATURE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct der attribute = protection(cases[i].digest, cases[i].signature);
        struct bytes object = with_attributes(UNSORTED, UNSORTED, der_all(&attribute));

        expect(rsa.cert, bytes_span(&object), "text", NID_sha256, cases[i].fault);
        bytes_free(&object);
        der_free(&attribute);
    }
}

/* AS2-C110: certificates inside, however they are, give nothing. */
static void of_several_signers_one_must_be_known_and_none_known_wrong(void **state)
{
    struct cms_signer all[] = { stranger, rsa, ec };
    X509 *known[] = { rsa.cert, ec.cert };
    struct cms_sign_options o = sign_options(all, EVP_sha256());
    struct cms_open_options open = { .signers = known, .signers_n = 2 };
    struct cms_digest d = digest_of("text", NID_sha256);
    struct bytes object = { 0 };
    struct cms_layer layer;
    struct err err = { 0 };
    size_t used, found = 0;

    (void)state;
    o.signers_n = 3;
    o.include_certificates = true;
    assert_true(cms_sign_digest(&o, span_of(d.value, d.n), &object.p, &object.n, &err));
    assert_true(cms_verify_digests(&open, bytes_span(&object), &d, 1, &layer, &used, &err));
    assert_true(layer.signer == rsa.cert || layer.signer == ec.cert);
    open.signers = &known[1];
    open.signers_n = 1;
    assert_true(cms_verify_digests(&open, bytes_span(&object), &d, 1, &layer, &used, &err));
    assert_ptr_equal(layer.signer, ec.cert);
    /* break each signature in turn: ours fail the message, the stranger's does not */
    open.signers = known;
    open.signers_n = 2;
    for (size_t i = 0; i + 260 <= object.n; i++) {
        bool big = memcmp(object.p + i, "\x04\x82\x01\x00", 4) == 0;

        if (!big)
            continue;
        object.p[i + 100] ^= 1;
        found += cms_verify_digests(&open, bytes_span(&object), &d, 1, &layer, &used, &err);
        object.p[i + 100] ^= 1;
    }
    CHECK_EQ(found, 1);
    bytes_free(&object);
}

static bool no_sha1(int nid)
{
    return nid != NID_sha1;
}

/* AS2-C107 */
static void a_digest_that_is_missing_or_not_allowed_is_told(void **state)
{
    struct cms_sign_options o = sign_options(&rsa, EVP_sha1());
    struct cms_open_options open = { .signers = &rsa.cert, .signers_n = 1 };
    struct cms_digest d[] = { digest_of("text", NID_sha1), digest_of("text", NID_sha256) };
    struct bytes object = { 0 };
    struct cms_layer layer;
    struct err err = { 0 };
    size_t used;

    (void)state;
    assert_true(cms_sign_digest(&o, span_of(d[0].value, d[0].n), &object.p, &object.n, &err));
    assert_true(cms_verify_digests(&open, bytes_span(&object), d, 2, &layer, &used, &err));
    assert_string_equal(layer.algorithm, "sha1");
    CHECK_EQ(layer.digest_n, 20);
    assert_false(cms_verify_digests(&open, bytes_span(&object), d + 1, 1, &layer, &used, &err));
    CHECK_EQ(err.kind, FAIL_AGAIN);
    CHECK_EQ(err.wire, NID_sha1);
    assert_string_equal(layer.algorithm, "sha1");
    open.digest_allowed = no_sha1;
    assert_false(cms_verify_digests(&open, bytes_span(&object), d, 2, &layer, &used, &err));
    CHECK_EQ(err.kind, FAIL_TRUST);
    CHECK_EQ(err.wire, CMS_POLICY);
    /* a digest of the wrong size is our mistake */
    assert_false(cms_sign_digest(&o, span_of(d[1].value, d[1].n), &object.p, &object.n, &err));
    CHECK_EQ(err.kind, FAIL_LOCAL);
    bytes_free(&object);
}

static void what_follows_the_object_is_the_callers(void **state)
{
    size_t n;
    uint8_t *p = known_octets(known_rsa_signature, &n);
    struct bytes object = { 0 };
    struct cms_layer layer;
    struct err err = { 0 };
    size_t used;

    (void)state;
    bytes_put(&object, p, n);
    bytes_put(&object, "\r\n", 2);
    assert_true(
        verify(known_rsa, bytes_span(&object), KNOWN_ENTITY, NID_sha256, &layer, &used, &err));
    CHECK_EQ(used, n);
    /* nobody asked for: only the digest is compared */
    assert_true(verify(NULL, span_of(p, n), KNOWN_ENTITY, NID_sha256, &layer, &used, &err));
    assert_false(layer.trusted);
    assert_false(verify(NULL, span_of(p, n), "else", NID_sha256, &layer, &used, &err));
    CHECK_EQ(err.wire, CMS_INTEGRITY);
    bytes_free(&object);
    free(p);
}

static void content_inside_is_refused(void **state)
{
    struct cms_sign_options o = sign_options(&rsa, EVP_sha256());
    struct bytes object = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(cms_sign_octets(&o, span_text("text"), &object.p, &object.n, &err));
    expect(rsa.cert, bytes_span(&object), "text", NID_sha256, CMS_FORMAT);
    bytes_free(&object);
    expect(rsa.cert, span_text("nonsense"), "text", NID_sha256, CMS_FORMAT);
    expect(rsa.cert, span_text(""), "text", NID_sha256, CMS_FORMAT);
}

/* AS2-C115 for signatures: indefinite lengths throughout. */
static void ber_signatures_verify(void **state)
{
    size_t n;
    uint8_t *p = known_octets(known_rsa_signature, &n);
    struct bytes ber = to_ber(span_of(p, n), 7);

    (void)state;
    expect(known_rsa, bytes_span(&ber), KNOWN_ENTITY, NID_sha256, 0);
    bytes_free(&ber);
    free(p);
}

static void damaged_signatures_do_no_harm(void **state)
{
    static const char *const all[] = { known_rsa_signature, known_ec_signature,
                                       known_bare_signature };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(all); k++) {
        size_t n, used;
        uint8_t *p = known_octets(all[k], &n);
        X509 *cert = k == 0 ? known_rsa : known_ec;
        int nid = k == 2 ? NID_sha384 : NID_sha256;
        struct cms_layer layer;
        struct err err;

        for (size_t i = 0; i < n; i++)
            assert_false(verify(cert, span_of(p, i), KNOWN_ENTITY, nid, &layer, &used, &err));
        for (size_t i = 0; i < n * 8; i++) {
            p[i / 8] ^= (uint8_t)(1U << i % 8);
            assert_false(
                verify(stranger.cert, span_of(p, n), KNOWN_ENTITY, nid, &layer, &used, &err));
            if (!verify(cert, span_of(p, n), KNOWN_ENTITY, nid, &layer, &used, &err))
                assert_false(layer.trusted);
            p[i / 8] ^= (uint8_t)(1U << i % 8);
        }
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_signatures_verify_and_tampered_content_does_not),
        cmocka_unit_test(every_form_verifies_by_its_digest),
        cmocka_unit_test(parameters_may_be_null_or_absent),
        cmocka_unit_test(attributes_verify_as_received_and_as_sorted),
        cmocka_unit_test(algorithm_protection_is_checked_where_it_is_sent),
        cmocka_unit_test(of_several_signers_one_must_be_known_and_none_known_wrong),
        cmocka_unit_test(a_digest_that_is_missing_or_not_allowed_is_told),
        cmocka_unit_test(what_follows_the_object_is_the_callers),
        cmocka_unit_test(content_inside_is_refused),
        cmocka_unit_test(ber_signatures_verify),
        cmocka_unit_test(damaged_signatures_do_no_harm),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
