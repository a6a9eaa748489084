/* A key that is the same everywhere, so that a corpus can be opened: the number 1 on P-256, whose
 * public point is the generator of the curve. */
#ifndef WAYBILL_FUZZ_CMS_KEY_H
#define WAYBILL_FUZZ_CMS_KEY_H

#include "cms/cms.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

static inline EVP_PKEY *fuzz_key(void)
{
    static uint8_t generator[] = {
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
        0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
        0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
        0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
        0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
    };
    static char curve[] = "P-256";
    BIGNUM *one = BN_new();
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    BN_one(one);
    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, generator, sizeof(generator));
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, one);
    params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_fromdata_init(c);
    EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(c);
    BN_free(one);
    return key;
}

static inline struct cms_signer fuzz_signer(void)
{
    struct cms_signer s = { X509_new(), fuzz_key() };

    X509_set_version(s.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(s.cert), 1);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(s.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(s.cert, X509_get_subject_name(s.cert));
    ASN1_TIME_set(X509_getm_notBefore(s.cert), 1700000000);
    ASN1_TIME_set(X509_getm_notAfter(s.cert), 2000000000);
    X509_set_pubkey(s.cert, s.key);
    X509_sign(s.cert, s.key, EVP_sha256());
    return s;
}

#endif
