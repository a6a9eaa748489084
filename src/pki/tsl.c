#include "pki/tsl.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

static const char list_ns[] = "http://uri.etsi.org/02231/v2#";
static const char signature_ns[] = "http://www.w3.org/2000/09/xmldsig#";
static const char properties[] = "http://uri.etsi.org/01903#SignedProperties";
static const char trusted[] = "http://uri.etsi.org/TrstSvc/Svcstatus/inaccord";

enum { AUTHORITIES_MAX = 1000, REFERENCES_MAX = 2 };

/* ---- the library ------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void begin(void)
{
    xmlInitParser();
    ready = xmlSecInit() >= 0 && xmlSecCryptoAppInit(NULL) >= 0 && xmlSecCryptoInit() >= 0;
    xmlSecErrorsDefaultCallbackEnableOutput(0);
}

/* ---- the tree ---------------------------------------------------------------------------- */

static bool is(const xmlNode *n, const char *name, const char *ns)
{
    return n->type == XML_ELEMENT_NODE && xmlStrEqual(n->name, (const xmlChar *)name) &&
           n->ns != NULL && xmlStrEqual(n->ns->href, (const xmlChar *)ns);
}

/* The first child of that name behind `after` (NULL: of all). */
static xmlNode *child(const xmlNode *of, const char *name, const char *ns, const xmlNode *after)
{
    xmlNode *n = of == NULL ? NULL : after == NULL ? of->children : after->next;

    while (n != NULL && !is(n, name, ns))
        n = n->next;
    return n;
}

static xmlNode *item(const xmlNode *of, const char *name)
{
    return child(of, name, list_ns, NULL);
}

/* The text of an element without blanks around. Given: xmlFree. NULL: none. */
static char *text_of(const xmlNode *n)
{
    char *text = n == NULL ? NULL : (char *)xmlNodeGetContent(n), *p = text;
    size_t len;

    if (text == NULL)
        return NULL;
    p += strspn(p, " \t\r\n");
    len = strlen(p);
    while (len > 0 && strchr(" \t\r\n", p[len - 1]) != NULL)
        len--;
    memmove(text, p, len);
    text[len] = '\0';
    return text;
}

static bool copy_text(const xmlNode *n, char *to, size_t cap)
{
    char *text = text_of(n);
    bool ok = text != NULL && strlen(text) < cap;

    to[0] = '\0';
    if (ok)
        (void)text_copy(to, cap, text);
    xmlFree(text);
    return ok;
}

static bool parse(struct span xml, xmlDoc **doc, struct err *err)
{
    static const int quiet = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    xmlDoc *d;

    if (xml.n == 0 || xml.n > PKI_TSL_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "a trust list has 1 to %d octets", PKI_TSL_MAX);
    /* Before the parser sees it: what it declares cannot expand. */
    if (memmem(xml.p, xml.n, "<!", 2) != NULL &&
        (memmem(xml.p, xml.n, "<!DOCTYPE", 9) != NULL ||
         memmem(xml.p, xml.n, "<!ENTITY", 8) != NULL))
        return FAIL(err, FAIL_LOCAL, 0, "it has a document type: a trust list has none");
    d = xmlReadMemory((const char *)xml.p, (int)xml.n, NULL, NULL, quiet);
    if (d == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "it is no well-formed XML");
    if (d->intSubset != NULL || d->extSubset != NULL || xmlDocGetRootElement(d) == NULL ||
        !is(xmlDocGetRootElement(d), "TrustServiceStatusList", list_ns)) {
        xmlFreeDoc(d);
        return FAIL(err, FAIL_LOCAL, 0, "it is no trust service status list (%s)", list_ns);
    }
    *doc = d;
    return true;
}

/* ---- the signature ----------------------------------------------------------------------- */

static bool attribute_is(xmlNode *n, const char *name, const char *value)
{
    xmlChar *a = xmlGetNoNsProp(n, (const xmlChar *)name);
    bool same = a != NULL && xmlStrEqual(a, (const xmlChar *)value);

    xmlFree(a);
    return same;
}

/* The one signature, over all of the document: one reference is to it, another one may be to the
 * properties that XAdES adds. NULL: it is not so. */
static xmlNode *whole_signature(xmlNode *root)
{
    xmlNode *signature = child(root, "Signature", signature_ns, NULL), *info, *r = NULL;
    size_t whole = 0, n = 0;

    if (signature == NULL || child(root, "Signature", signature_ns, signature) != NULL)
        return NULL;
    info = child(signature, "SignedInfo", signature_ns, NULL);
    while ((r = child(info, "Reference", signature_ns, r)) != NULL) {
        n++;
        if (attribute_is(r, "URI", ""))
            whole++;
        else if (!attribute_is(r, "Type", properties))
            return NULL;
    }
    return whole == 1 && n <= REFERENCES_MAX ? signature : NULL;
}

static bool allow(xmlSecDSigCtxPtr c)
{
    const xmlSecTransformId references[] = {
        xmlSecTransformEnvelopedId, xmlSecTransformInclC14NId, xmlSecTransformExclC14NId,
        xmlSecTransformSha256Id,    xmlSecTransformSha384Id,   xmlSecTransformSha512Id
    };
    const xmlSecTransformId signatures[] = {
        xmlSecTransformInclC14NId,    xmlSecTransformExclC14NId,
        xmlSecTransformRsaSha256Id,   xmlSecTransformRsaSha384Id,
        xmlSecTransformRsaSha512Id,   xmlSecTransformEcdsaSha256Id,
        xmlSecTransformEcdsaSha384Id, xmlSecTransformEcdsaSha512Id,
    };
    bool ok = true;

    for (size_t i = 0; i < COUNT_OF(references); i++)
        ok = ok && xmlSecDSigCtxEnableReferenceTransform(c, references[i]) >= 0;
    for (size_t i = 0; i < COUNT_OF(signatures); i++)
        ok = ok && xmlSecDSigCtxEnableSignatureTransform(c, signatures[i]) >= 0;
    c->enabledReferenceUris = xmlSecTransformUriTypeEmpty | xmlSecTransformUriTypeSameDocument;
    return ok;
}

/* What KeyInfo says does not count: the key is the one configured. */
static bool signed_by(xmlNode *signature, X509 *signer)
{
    xmlSecDSigCtxPtr c = xmlSecDSigCtxCreate(NULL);
    EVP_PKEY *key = X509_get_pubkey(signer);
    xmlSecKeyDataPtr value = key == NULL ? NULL : xmlSecOpenSSLEvpKeyAdopt(key);
    bool ok = c != NULL && value != NULL && (c->signKey = xmlSecKeyCreate()) != NULL;

    if (value == NULL)
        EVP_PKEY_free(key);
    ok = ok && xmlSecKeySetValue(c->signKey, value) >= 0;
    if (!ok && value != NULL)
        xmlSecKeyDataDestroy(value);
    ok = ok && allow(c) && xmlSecDSigCtxVerify(c, signature) >= 0 &&
         c->status == xmlSecDSigStatusSucceeded;
    if (c != NULL)
        xmlSecDSigCtxDestroy(c);
    ERR_clear_error();
    return ok;
}

static bool verify(xmlDoc *doc, X509 *const *signers, size_t n, struct err *err)
{
    static const xmlChar *const ids[] = { BAD_CAST "Id", NULL };
    xmlNode *root = xmlDocGetRootElement(doc), *signature = whole_signature(root);

    if (signature == NULL)
        return FAIL(err, FAIL_TRUST, 0, "it has not exactly one signature over all of it");
    xmlSecAddIDs(doc, signature, (const xmlChar **)(uintptr_t)ids);
    for (size_t i = 0; i < n; i++)
        if (signed_by(signature, signers[i]))
            return true;
    return FAIL(err, FAIL_TRUST, 0,
                "its signature is not good, or not by the signer that is configured");
}

/* ---- the content ------------------------------------------------------------------------- */

/* Base64 with blanks anywhere. False: it is no certificate. */
static bool add_certificate(const xmlNode *n, struct pki_tsl *out)
{
    char *text = text_of(n), *to = text;
    uint8_t *der = NULL;
    const uint8_t *p;
    X509 *cert = NULL;
    int len = -1;
    bool ok;

    for (const char *from = text; from != NULL && *from != '\0'; from++)
        if (strchr(" \t\r\n", *from) == NULL)
            *to++ = *from;
    if (text != NULL && to > text && (to - text) % 4 == 0 &&
        (der = malloc((size_t)(to - text))) != NULL)
        len = EVP_DecodeBlock(der, (uint8_t *)text, (int)(to - text));
    p = der;
    if (len > 0)
        cert = d2i_X509(NULL, &p, len);
    for (int i = 0; cert != NULL && i < sk_X509_num(out->authorities); i++)
        if (X509_cmp(sk_X509_value(out->authorities, i), cert) == 0) {
            X509_free(cert);
            cert = NULL;
            ok = true;
            goto out;
        }
    ok = cert != NULL && sk_X509_num(out->authorities) < AUTHORITIES_MAX &&
         sk_X509_push(out->authorities, cert) > 0;
    if (!ok)
        X509_free(cert);
out:
    ERR_clear_error();
    free(der);
    xmlFree(text);
    return ok;
}

static bool add_service(const xmlNode *service, struct pki_tsl *out, struct err *err)
{
    xmlNode *info = item(service, "ServiceInformation"), *identity, *id = NULL;
    char status[128];

    if (!copy_text(item(info, "ServiceStatus"), status, sizeof(status)) ||
        strcmp(status, trusted) != 0)
        return true;
    identity = item(info, "ServiceDigitalIdentity");
    while ((id = child(identity, "DigitalId", list_ns, id)) != NULL) {
        xmlNode *cert = item(id, "X509Certificate");

        if (cert != NULL && !add_certificate(cert, out))
            return FAIL(err, FAIL_LOCAL, 0, "an X509Certificate in it cannot be read");
    }
    return true;
}

/* A root only vouches for others of the list. */
static void drop_roots(struct pki_tsl *out)
{
    for (int i = sk_X509_num(out->authorities) - 1; i >= 0; i--) {
        X509 *root = sk_X509_value(out->authorities, i);
        bool vouches = false;

        if (X509_check_issued(root, root) != X509_V_OK)
            continue;
        for (int k = 0; k < sk_X509_num(out->authorities) && !vouches; k++)
            vouches = k != i &&
                      X509_check_issued(root, sk_X509_value(out->authorities, k)) == X509_V_OK;
        if (vouches)
            X509_free(sk_X509_delete(out->authorities, i));
    }
    ERR_clear_error();
}

static bool read_providers(const xmlNode *root, struct pki_tsl *out, struct err *err)
{
    xmlNode *list = item(root, "TrustServiceProviderList"), *provider = NULL;

    while ((provider = child(list, "TrustServiceProvider", list_ns, provider)) != NULL) {
        xmlNode *services = item(provider, "TSPServices"), *service = NULL;

        while ((service = child(services, "TSPService", list_ns, service)) != NULL)
            if (!add_service(service, out, err))
                return false;
    }
    drop_roots(out);
    return true;
}

static bool read_scheme(const xmlNode *root, struct pki_tsl *out, struct err *err)
{
    xmlNode *info = item(root, "SchemeInformation");
    char number[24];
    char *end;

    if (!copy_text(item(info, "TSLSequenceNumber"), number, sizeof(number)) ||
        number[0] < '0' || number[0] > '9')
        return FAIL(err, FAIL_LOCAL, 0, "it has no TSLSequenceNumber");
    out->sequence = strtoull(number, &end, 10);
    if (*end != '\0')
        return FAIL(err, FAIL_LOCAL, 0, "its TSLSequenceNumber is no number");
    (void)copy_text(item(item(info, "SchemeName"), "Name"), out->scheme, sizeof(out->scheme));
    (void)copy_text(item(info, "ListIssueDateTime"), out->issued, sizeof(out->issued));
    (void)copy_text(item(item(info, "NextUpdate"), "dateTime"), out->next, sizeof(out->next));
    return true;
}

bool pki_tsl_read(struct span xml, X509 *const *signers, size_t n, struct pki_tsl *out,
                  struct err *err)
{
    struct pki_tsl list = { .authorities = sk_X509_new_null() };
    xmlDoc *doc = NULL;
    bool ok;

    (void)pthread_once(&once, begin);
    ok = (ready && list.authorities != NULL) ||
         FAIL(err, FAIL_LOCAL, 0, "libxmlsec1 cannot be used");
    ok = ok && parse(xml, &doc, err) && verify(doc, signers, n, err) &&
         read_scheme(xmlDocGetRootElement(doc), &list, err) &&
         read_providers(xmlDocGetRootElement(doc), &list, err);
    if (doc != NULL)
        xmlFreeDoc(doc);
    if (ok)
        *out = list;
    else
        pki_tsl_free(&list);
    return ok;
}

void pki_tsl_free(struct pki_tsl *list)
{
    sk_X509_pop_free(list->authorities, X509_free);
    list->authorities = NULL;
}

int64_t pki_tsl_time(const char *text)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    return end != NULL && (strcmp(end, "Z") == 0 || strncmp(end, ".", 1) == 0) ? timegm(&tm)
                                                                               : 0;
}
