/* Known answers of as2.md 13.1: an entity, certificates, and signatures made by openssl. Base64. */
#ifndef WAYBILL_TESTS_CMS_KNOWN_H
#define WAYBILL_TESTS_CMS_KNOWN_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>

#define KNOWN_PAYLOAD                                                                          \
    "UNB+UNOA:2+SENDERCO:14+RECVCO:14+260102:0304+1'\r\n"                                      \
    "UNH+1+ORDERS:D:96A:UN'\r\n"                                                               \
    "BGM+220+PO-0001+9'\r\n"                                                                   \
    "UNT+3+1'\r\n"                                                                             \
    "UNZ+1+1'\r\n"
#define KNOWN_ENTITY                                                                           \
    "Content-Type: application/EDIFACT\r\n"                                                    \
    "Content-Transfer-Encoding: binary\r\n"                                                    \
    "Content-Disposition: attachment; filename=\"orders.edi\"\r\n"                             \
    "\r\n" KNOWN_PAYLOAD

/* CN=SENDERCO, RSA-2048; CN=SENDERCO-EC, P-256. The signatures: KAT-1, KAT-2, KAT-3. */
static const char known_rsa_certificate[] =
    "MIICwzCCAaugAwIBAgICEAEwDQYJKoZIhvcNAQELBQAwEzERMA8GA1UEAwwIU0VOREVSQ08wHhcNMjAwMTAx"
    "MDAwMDAwWhcNNDkxMjMxMjM1OTU5WjATMREwDwYDVQQDDAhTRU5ERVJDTzCCASIwDQYJKoZIhvcNAQEBBQAD"
    "ggEPADCCAQoCggEBALxoD3EwjWM2wahCHJs5IMJdu2VVlugXxZxpIN3lXgmPh0an5UMmRyBre0HQBQSUCCYd"
    "g3aB08Lw1j0fP8nUJUYuZxB79dJ7sDkXUDQmGTCUxAqh+uFGhjovuqPOIOCvmJndYjxjXD+sNmNISHhE6s2n"
    "bo9GsDFD1swijodLoRtAM4ZsMMyT4JyBdV57YDcBZaWEErtinmQwBn8tWZc5VmyLIvtPhHADsWbunuwHOjnJ"
    "vtEfLWWdV07NKNLS4ievVrt0LuGKmDr7/u0mDJhvMDhqbfnvmVVaxlAQXO3HFCYdcjFx5yWuTsBWiuPyp+4L"
    "6WE+P5M5n4+xVpTq7YeMPrsCAwEAAaMhMB8wHQYDVR0OBBYEFObjQUZQxZ2NlErP0o7sccPh2C48MA0GCSqG"
    "SIb3DQEBCwUAA4IBAQCycjWM3TANmiXSgJz+V1nxKvK75a8YlVLLuKQkQWVj8kYeiCIwGB4VBofpWgw8qq5i"
    "TWdU+osJ7n7H2UX/dpE5yXtVJ9EQxS8jFRmc+T/YvWX8YdOhIiIDY0DlYR5bplJliLGZqqLlhucFxZMdvqBj"
    "kUg2OrDHnvNP6U66ql+uCvH67x70aZGPgkFVFmhwm4RYKFUfBToBPtHhaDLGylISBDHo3e3bhetJRAZxxcWE"
    "S65XKupipWRfLZQqnTGc1kNTa7JthdwmFBvdf3+cm3bNvqRjTIhPOiud0X1vIkynDOcMlbyP72rP8geVp74b"
    "FLautLFBCW0dcOJVJUUn8qv5";
static const char known_rsa_signature[] =
    "MIIB4wYJKoZIhvcNAQcCoIIB1DCCAdACAQExDTALBglghkgBZQMEAgEwCwYJKoZIhvcNAQcBMYIBrTCCAakC"
    "AQEwGTATMREwDwYDVQQDDAhTRU5ERVJDTwICEAEwCwYJYIZIAWUDBAIBoGkwGAYJKoZIhvcNAQkDMQsGCSqG"
    "SIb3DQEHATAcBgkqhkiG9w0BCQUxDxcNMjYxMTIxMDIyMjAzWjAvBgkqhkiG9w0BCQQxIgQgf0KmXz0RYKJF"
    "XO+r4P5lutLxRVbbyqOvBdW+1V2A3J8wDQYJKoZIhvcNAQEBBQAEggEAA57O5pa/4z9ghw17niukL5kzn+r8"
    "8WHkK8WR8u7kMR2E4PqonFsSYaTEgTHJD2hh/8F3baHtPs0cWlBE9y3vvbAYwgovwD7duYT5yuGZ89TUbidv"
    "qf6wnc72TCyh3NFOz0iTPxUC2anO6/lopRd+gkoAEWTljZu+9fNp386RgZ6///Pi0ycz0lXoZK3E5HLtnqpH"
    "tGQbshYQPuwypgpdX4w58ALqWcpzClcLWyknmPzMT9gcllfTEprmLAvHMtnpaA5s3MZxc8wQiPhEbt1NzIoz"
    "yJEdRSCA/iJes85HWo5JL5TFfZfpq8jDKMiiekr3vHMkSLbextPy0CyXLeEX5w==";
static const char known_ec_certificate[] =
    "MIIBPDCB46ADAgECAgIgAjAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtTRU5ERVJDTy1FQzAeFw0yMDAxMDEw"
    "MDAwMDBaFw00OTEyMzEyMzU5NTlaMBYxFDASBgNVBAMMC1NFTkRFUkNPLUVDMFkwEwYHKoZIzj0CAQYIKoZI"
    "zj0DAQcDQgAELBrGOZv7TAxvM4/FfMcIou7CT5FkI5PwrDquLACzCRYFHMBWnnaGnMFfE2l9M5vo6HpWn2Hk"
    "1BzuPUFczrG5OaMhMB8wHQYDVR0OBBYEFORBudBcBKQXi5L4m4eJI5gLwWdtMAoGCCqGSM49BAMCA0gAMEUC"
    "IQD+kmNRjii0ExoPs5N3Z4Zil3hmIKDTbDCwCvXaMBOVOAIgHBPTdfhiwKIQAZUptum5AtDGWxUwy4mIwjz3"
    "rCQSrIo=";
static const char known_ec_signature[] =
    "MIIBHwYJKoZIhvcNAQcCoIIBEDCCAQwCAQMxDTALBglghkgBZQMEAgEwCwYJKoZIhvcNAQcBMYHqMIHnAgED"
    "gBTkQbnQXASkF4uS+JuHiSOYC8FnbTALBglghkgBZQMEAgGgaTAYBgkqhkiG9w0BCQMxCwYJKoZIhvcNAQcB"
    "MBwGCSqGSIb3DQEJBTEPFw0yNjExMjEwMjIyMDNaMC8GCSqGSIb3DQEJBDEiBCB/QqZfPRFgokVc76vg/mW6"
    "0vFFVtvKo68F1b7VXYDcnzAKBggqhkjOPQQDAgRIMEYCIQChJuhrawt44T7HGrt5ztEPcmHD6+pFnYl2mhzu"
    "puf6mQIhALmTmBUvcyJJN9UWdXE142Y6ukT0sQgSvkY0WXRJJ6WN";
static const char known_bare_signature[] =
    "MIG5BgkqhkiG9w0BBwKggaswgagCAQExDTALBglghkgBZQMEAgIwCwYJKoZIhvcNAQcBMYGGMIGDAgEBMBww"
    "FjEUMBIGA1UEAwwLU0VOREVSQ08tRUMCAiACMAsGCWCGSAFlAwQCAjAKBggqhkjOPQQDAwRHMEUCIH4Swfcb"
    "8TzoUS20nZmqLNfNWTpqRNMhtM/Ovn9pvfW2AiEA3/K9fBucyQ+55YIG+vhqXsUtCFl4qcbTdjqUg+stkcs=";

/* Decodes; free(). */
static inline uint8_t *known_octets(const char *base64, size_t *n)
{
    size_t length = strlen(base64);
    uint8_t *p = malloc(length);
    int made = EVP_DecodeBlock(p, (const unsigned char *)base64, (int)length);

    assert_true(made > 0);
    *n = (size_t)made - (base64[length - 1] == '=') - (base64[length - 2] == '=');
    return p;
}

static inline X509 *known_certificate(const char *base64)
{
    size_t n;
    uint8_t *p = known_octets(base64, &n);
    const unsigned char *at = p;
    X509 *cert = d2i_X509(NULL, &at, (long)n);

    assert_non_null(cert);
    free(p);
    return cert;
}

#endif
