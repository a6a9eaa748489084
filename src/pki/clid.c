#include "pki/clid.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { DN_MAX = 2048, PARTS_MAX = 64, HEX_MAX = 128 };

/* ---- parts of a certificate -------------------------------------------------------------- */

/* As RFC 4514 has it, in UTF-8. */
static bool dn_text(const X509_NAME *name, char text[DN_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    long n = -1;

    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_get_mem_data(bio, &data);
    if (n >= 0 && n < DN_MAX) {
        memcpy(text, data, (size_t)n);
        text[n] = '\0';
    }
    BIO_free(bio);
    return n >= 0 && n < DN_MAX;
}

static void hex(const uint8_t *p, size_t n, char text[HEX_MAX + 1])
{
    size_t at = 0;

    for (size_t i = 0; i < n && at + 2 <= HEX_MAX; i++)
        at += (size_t)sprintf(text + at, "%02x", p[i]);
    text[at] = '\0';
}

static void serial_text(const X509 *cert, char text[HEX_MAX + 1])
{
    const ASN1_INTEGER *s = X509_get0_serialNumber(cert);

    hex(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s), text);
}

/* The key identifier of the issuer; of one that signed itself, its own. "": it has none. */
static void authority_text(const X509 *cert, char text[HEX_MAX + 1])
{
    X509 *c = (X509 *)(uintptr_t)cert; /* libcrypto caches extensions in it */
    const ASN1_OCTET_STRING *id = X509_get0_authority_key_id(c);

    if (id == NULL && pki_self_signed(cert))
        id = X509_get0_subject_key_id(c);
    text[0] = '\0';
    if (id != NULL)
        hex(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id), text);
}

static void usage_text(const X509 *cert, char text[HEX_MAX + 1])
{
    ASN1_BIT_STRING *u = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);

    text[0] = '\0';
    if (u != NULL)
        hex(ASN1_STRING_get0_data(u), (size_t)ASN1_STRING_length(u), text);
    ASN1_BIT_STRING_free(u);
}

/* OIDs with commas between. */
static void purposes_text(const X509 *cert, char *text, size_t cap)
{
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    size_t at = 0;

    text[0] = '\0';
    for (int i = 0; i < sk_ASN1_OBJECT_num(list); i++) {
        char oid[80];

        if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(list, i), 1) > 0 &&
            at + strlen(oid) + 2 < cap)
            at += (size_t)sprintf(text + at, "%s%s", at > 0 ? "," : "", oid);
    }
    EXTENDED_KEY_USAGE_free(list);
}

bool pki_self_signed(const X509 *cert)
{
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

bool pki_same_logical(const X509 *a, const X509 *b)
{
    char x[512], y[512];

    if (X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) != 0 ||
        X509_NAME_cmp(X509_get_issuer_name(a), X509_get_issuer_name(b)) != 0)
        return false;
    usage_text(a, x);
    usage_text(b, y);
    if (strcmp(x, y) != 0)
        return false;
    purposes_text(a, x, sizeof(x));
    purposes_text(b, y, sizeof(y));
    return strcmp(x, y) == 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

static bool put_dn(const X509_NAME *name, char base64[DN_MAX * 2])
{
    char dn[DN_MAX];

    return dn_text(name, dn) &&
           EVP_EncodeBlock((uint8_t *)base64, (const uint8_t *)dn, (int)strlen(dn)) >= 0;
}

bool pki_clid_write(const X509 *cert, char *text, struct err *err)
{
    char issuer[DN_MAX * 2], subject[DN_MAX * 2], serial[HEX_MAX + 1], authority[HEX_MAX + 1];
    char usage[HEX_MAX + 1], purposes[512];
    int n, more;

    if (!put_dn(X509_get_issuer_name(cert), issuer) ||
        !put_dn(X509_get_subject_name(cert), subject))
        return FAIL(err, FAIL_LOCAL, 0, "the certificate's names are too long");
    serial_text(cert, serial);
    authority_text(cert, authority);
    usage_text(cert, usage);
    purposes_text(cert, purposes, sizeof(purposes));
    n = snprintf(text, PKI_CLID_MAX + 1, "I=%s\nN=%s\nA=%s\nB=%s", issuer, serial, authority,
                 usage);
    if (n < 0 || n > PKI_CLID_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "the certificate's names are too long");
    more = snprintf(text + n, (size_t)(PKI_CLID_MAX + 1 - n), "%s%s\nS=%s",
                    purposes[0] != '\0' ? "\nE=" : "", purposes, subject);
    if (n + more > PKI_CLID_MAX)
        text[n] = '\0';
    return true;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The value of a key, "" when there is none; false when it is longer than cap - 1. */
static bool value_of(struct span text, char key, char *value, size_t cap)
{
    size_t at = 0;

    value[0] = '\0';
    while (at < text.n) {
        size_t end = at, n;

        while (end < text.n && text.p[end] != '\n')
            end++;
        n = end - at;
        if (n > 0 && text.p[at + n - 1] == '\r')
            n--;
        if (n >= 2 && toupper(text.p[at]) == key && text.p[at + 1] == '=') {
            if (n - 2 >= cap)
                return false;
            memcpy(value, text.p + at + 2, n - 2);
            value[n - 2] = '\0';
            return strlen(value) == n - 2;
        }
        at = end + 1;
    }
    return true;
}

/* Base64 to text without NUL inside. */
static bool base64_text(const char *in, char *out, size_t cap)
{
    size_t n = strlen(in), pad = 0;
    int got;

    if (n == 0 || n % 4 != 0 || n / 4 * 3 + 1 > cap)
        return false;
    got = EVP_DecodeBlock((uint8_t *)out, (const uint8_t *)in, (int)n);
    ERR_clear_error();
    if (got < 0)
        return false;
    for (; pad < 2 && in[n - 1 - pad] == '='; pad++)
        ;
    out[(size_t)got - pad] = '\0';
    return strlen(out) == (size_t)got - pad;
}

/* Upper case without blanks and leading zeros. */
static const char *plain_hex(char *text)
{
    char *to = text;

    for (const char *p = text; *p != '\0'; p++)
        if (*p != ' ' && *p != ':')
            *to++ = (char)toupper((unsigned char)*p);
    *to = '\0';
    while (text[0] == '0' && text[1] != '\0')
        text++;
    return text;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts a DN, which it changes, into RDNs without case and blanks, sorted. 0: too many. */
static size_t rdns(char *dn, char *parts[PARTS_MAX])
{
    char *to = dn;
    size_t n = 1;

    parts[0] = dn;
    for (const char *p = dn; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            *to++ = *p++;
            *to++ = (char)tolower((unsigned char)*p);
        } else if (*p == ',') {
            if (n == PARTS_MAX)
                return 0;
            *to++ = '\0';
            parts[n++] = to;
        } else if (*p != ' ') {
            *to++ = (char)tolower((unsigned char)*p);
        }
    }
    *to = '\0';
    qsort(parts, n, sizeof(*parts), by_text);
    return n;
}

static bool same_dn(char *a, char *b)
{
    char *x[PARTS_MAX], *y[PARTS_MAX];
    size_t n = rdns(a, x);

    if (n == 0 || rdns(b, y) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(x[i], y[i]) != 0)
            return false;
    return true;
}

bool pki_clid_is(struct span text)
{
    char issuer[DN_MAX], serial[HEX_MAX + 1];

    return value_of(text, 'I', issuer, sizeof(issuer)) &&
           value_of(text, 'N', serial, sizeof(serial)) && issuer[0] != '\0' &&
           serial[0] != '\0';
}

bool pki_clid_names(struct span text, const X509 *cert)
{
    char coded[DN_MAX], issuer[DN_MAX], own[DN_MAX];
    char serial[HEX_MAX + 1], own_serial[HEX_MAX + 1], id[HEX_MAX + 1], own_id[HEX_MAX + 1];

    if (!pki_clid_is(text) || !value_of(text, 'I', coded, sizeof(coded)) ||
        !value_of(text, 'N', serial, sizeof(serial)) || !value_of(text, 'A', id, sizeof(id)) ||
        !base64_text(coded, issuer, sizeof(issuer)))
        return false;
    serial_text(cert, own_serial);
    if (strcmp(plain_hex(serial), plain_hex(own_serial)) != 0)
        return false;
    authority_text(cert, own_id);
    if (id[0] != '\0' && own_id[0] != '\0' && strcmp(plain_hex(id), plain_hex(own_id)) != 0)
        return false;
    return dn_text(X509_get_issuer_name(cert), own) && same_dn(issuer, own);
}
