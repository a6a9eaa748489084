/* PKCS#7 (.p7b, .p7c): certificates in a bag, in no order, as authorities and Windows hand them
 * out. */
#include "pki/pki.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { BAG_MAX = 100, NAME_MAX_SHOWN = 128 };

bool pki_is_pkcs7(struct span text)
{
    static const char begin[] = "-----BEGIN PKCS7-----",
                      old[] = "-----BEGIN PKCS #7 SIGNED DATA-----";
    static const char signed_data[] = "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";
    size_t head, oid = sizeof(signed_data) - 1;

    if (text.n < 2)
        return false;
    if (text.p[0] != 0x30)
        return memmem(text.p, text.n, begin, strlen(begin)) != NULL ||
               memmem(text.p, text.n, old, strlen(old)) != NULL;
    head = text.p[1] > 0x80 ? 2 + (size_t)(text.p[1] & 0x7F) : 2;
    return text.n >= head + oid && memcmp(text.p + head, signed_data, oid) == 0;
}

static PKCS7 *read_bag(struct span text)
{
    const unsigned char *p = text.p;
    BIO *bio;
    PKCS7 *bag;

    if (text.n > PKI_PEM_MAX)
        return NULL;
    if (text.p[0] == 0x30)
        return d2i_PKCS7(NULL, &p, (long)text.n);
    bio = BIO_new_mem_buf(text.p, (int)text.n);
    bag = bio == NULL ? NULL : PEM_read_bio_PKCS7(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return bag;
}

/* Whether number i has issued another one, or stands here a second time. */
/* clang-format off */
static bool is_issuer(const STACK_OF(X509) *all, int i)
/* clang-format on */
{
    X509 *cert = sk_X509_value(all, i);

    for (int k = 0; k < sk_X509_num(all); k++) {
        X509 *other = sk_X509_value(all, k);

        if (k < i && X509_cmp(cert, other) == 0)
            return true;
        if (k != i && X509_cmp(cert, other) != 0 && X509_check_issued(cert, other) == X509_V_OK)
            return true;
    }
    return false;
}

/* The one certificate that has issued none of the others. */
/* clang-format off */
static bool find_leaf(const STACK_OF(X509) *all, int *leaf, struct err *err)
/* clang-format on */
{
    char first[NAME_MAX_SHOWN], second[NAME_MAX_SHOWN];
    int n = 0;

    if (sk_X509_num(all) <= 0 || sk_X509_num(all) > BAG_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "the PKCS#7 file holds %s",
                    sk_X509_num(all) <= 0 ? "no certificate" : "more than 100 certificates");
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (is_issuer(all, i))
            continue;
        pki_subject(sk_X509_value(all, i), n == 0 ? first : second, NAME_MAX_SHOWN);
        if (n++ == 0)
            *leaf = i;
        else
            return FAIL(
                err, FAIL_LOCAL, 0,
                "the PKCS#7 file holds several certificates of which none has issued the "
                "other, such as '%s' and '%s': take each out (openssl pkcs7 "
                "-print_certs -in FILE) and import it by itself",
                first, second);
    }
    return n == 1 ||
           FAIL(err, FAIL_LOCAL, 0, "the certificates in the PKCS#7 file go round in a circle");
}

bool pki_pkcs7_pem(struct span text, char **pem, struct err *err)
{
    struct pki_certificate c = { 0 };
    PKCS7 *bag = NULL;
    int leaf = 0;
    bool ok;

    ERR_clear_error();
    bag = text.n > 0 ? read_bag(text) : NULL;
    ok = bag != NULL && PKCS7_type_is_signed(bag) && bag->d.sign != NULL;
    if (!ok)
        FAIL(err, FAIL_LOCAL, 0,
             "the PKCS#7 file (usually .p7b or .p7c) is damaged, or longer than %d octets",
             PKI_PEM_MAX);
    ok = ok && find_leaf(bag->d.sign->cert, &leaf, err);
    if (ok) {
        c.leaf = sk_X509_delete(bag->d.sign->cert, leaf);
        c.chain = bag->d.sign->cert;
        ok = pki_write_pem(&c, true, pem, err);
        X509_free(c.leaf);
    }
    PKCS7_free(bag);
    ERR_clear_error();
    return ok;
}
