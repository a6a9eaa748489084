/* Trust service status lists from anybody: oftp2.md 13.4. */
#include "pki/tsl.h"
#include "support.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <xmlsec/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define EXC  "http://www.w3.org/2001/10/xml-exc-c14n#"

static struct pki_certificate *signer, *stranger, *authority;
static char *list; /* a good one */
static size_t list_n;

static const char form[] =
    "<TrustServiceStatusList xmlns=\"http://uri.etsi.org/02231/v2#\"><SchemeInformation>"
    "<TSLSequenceNumber>42</TSLSequenceNumber><SchemeName><Name>Test</Name></SchemeName>"
    "<ListIssueDateTime>2026-01-01T00:00:00Z</ListIssueDateTime></SchemeInformation>"
    "<TrustServiceProviderList><TrustServiceProvider><TSPServices><TSPService>"
    "<ServiceInformation><ServiceDigitalIdentity><DigitalId><X509Certificate>%s"
    "</X509Certificate></DigitalId></ServiceDigitalIdentity><ServiceStatus>"
    "http://uri.etsi.org/TrstSvc/Svcstatus/inaccord</ServiceStatus></ServiceInformation>"
    "</TSPService></TSPServices></TrustServiceProvider></TrustServiceProviderList>"
    "<Signature xmlns=\"" DSIG "\"><SignedInfo><CanonicalizationMethod Algorithm=\"" EXC
    "\"/><SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>"
    "<Reference URI=\"\"><Transforms><Transform Algorithm=\"" DSIG "enveloped-signature\"/>"
    "<Transform Algorithm=\"" EXC "\"/></Transforms><DigestMethod Algorithm=\"%s\"/>"
    "<DigestValue/></Reference></SignedInfo><SignatureValue/></Signature>"
    "</TrustServiceStatusList>";

/* Signs what form makes; given: free(). */
static char *make(const char *digest, size_t *n)
{
    uint8_t *der = NULL;
    int der_n = i2d_X509(authority->leaf, &der), out_n = 0;
    char base64[4096], xml[8192], *copy;
    xmlChar *out = NULL;
    xmlDoc *doc;
    xmlSecDSigCtxPtr c = xmlSecDSigCtxCreate(NULL);

    assert_true(der_n > 0 && EVP_PKEY_up_ref(signer->key) == 1);
    (void)EVP_EncodeBlock((uint8_t *)base64, der, der_n);
    OPENSSL_free(der);
    (void)snprintf(xml, sizeof(xml), form, base64, digest);
    doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, 0);
    assert_true(doc != NULL && c != NULL);
    c->signKey = xmlSecKeyCreate();
    assert_int_equal(xmlSecKeySetValue(c->signKey, xmlSecOpenSSLEvpKeyAdopt(signer->key)), 0);
    assert_int_equal(xmlSecDSigCtxSign(c, xmlSecFindNode(xmlDocGetRootElement(doc),
                                                         BAD_CAST "Signature", BAD_CAST DSIG)),
                     0);
    xmlDocDumpMemory(doc, &out, &out_n);
    *n = (size_t)out_n;
    copy = malloc(*n);
    assert_non_null(copy);
    memcpy(copy, out, *n);
    xmlFree(out);
    xmlSecDSigCtxDestroy(c);
    xmlFreeDoc(doc);
    ERR_clear_error();
    return copy;
}

static bool reads(const void *p, size_t n, const struct pki_certificate *by, struct err *err)
{
    struct pki_tsl t = { .sequence = 0 };
    bool ok = pki_tsl_read(span_of(p, n), &by->leaf, 1, &t, err);

    if (ok) {
        assert_int_equal(t.sequence, 42);
        assert_int_equal(sk_X509_num(t.authorities), 1);
        assert_int_equal(X509_cmp(sk_X509_value(t.authorities, 0), authority->leaf), 0);
        pki_tsl_free(&t);
    }
    assert_int_equal(ERR_peek_error(), 0);
    return ok;
}

static int begin(void **state)
{
    struct err err;

    (void)state;
    signer = made("publisher", NOW, 10, ALL_USES);
    stranger = made("stranger", NOW, 10, ALL_USES);
    authority = made("authority", NOW, 10, 0);
    (void)reads("", 0, signer, &err); /* makes libxmlsec1 ready */
    list = make("http://www.w3.org/2001/04/xmlenc#sha256", &list_n);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pki_certificate_free(signer);
    pki_certificate_free(stranger);
    pki_certificate_free(authority);
    free(list);
    return 0;
}

/* OFTP2-C141: only the signer that is configured counts. */
static void test_a_good_list_by_its_signer_and_no_other(void **state)
{
    struct err err;

    (void)state;
    if (!reads(list, list_n, signer, &err))
        fail_msg("%s", err.text);
    assert_false(reads(list, list_n, stranger, &err));
    assert_int_equal(err.kind, FAIL_TRUST);
    assert_int_equal(pki_tsl_time("2026-11-21T10:15:00Z"), 1795256100);
    assert_int_equal(pki_tsl_time("yesterday"), 0);
}

/* A weak digest is not taken. */
static void test_sha_1_is_refused(void **state)
{
    struct err err;
    size_t n;
    char *weak = make("http://www.w3.org/2000/09/xmldsig#sha1", &n);

    (void)state;
    assert_false(reads(weak, n, signer, &err));
    free(weak);
}

/* OFTP2-C141: cut anywhere, or with one bit changed anywhere: refused, or still what was signed
 * (blanks between tags of SignedInfo's neighbours and the like do not count). */
static void test_cut_or_changed_lists(void **state)
{
    char *text = malloc(list_n);
    struct err err;

    (void)state;
    assert_non_null(text);
    for (size_t n = 0; n < list_n - 1; n += n < 200 ? 1 : 7)
        assert_false(reads(list, n, signer, &err));
    memcpy(text, list, list_n);
    for (size_t bit = 0; bit < 8 * list_n; bit += 5) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        (void)reads(text, list_n, signer, &err); /* asserts what it gives */
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(reads(text, list_n, signer, &err));
    free(text);
}

/* What would expand, or be fetched, is not even parsed. */
static void test_document_types_are_refused(void **state)
{
    static const char *const bad[] = {
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]><a>&c;</a>",
        "<a><!DOCTYPE a></a>",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(reads(bad[i], strlen(bad[i]), signer, &err));
        assert_non_null(strstr(err.text, "document type"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_list_by_its_signer_and_no_other),
        cmocka_unit_test(test_sha_1_is_refused),
        cmocka_unit_test(test_cut_or_changed_lists),
        cmocka_unit_test(test_document_types_are_refused),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
