/* Settings of file security: certificates in a row, cipher suites, what is sent and required. */
#include "support.h"

/* ---- certificates ---- */

static void test_older_and_newer_certificates(void **state)
{
    struct components all =
        good_components("certificate: c\n"
                        "file: /c.pem\n"
                        "key_file: /c.key\n"
                        "key_password: {secret: pass}\n"
                        "crl_file: /c.crl\n"
                        "also:\n"
                        "  - {pkcs12_file: /old.p12, pkcs12_password: x}\n"
                        "  - {file: /next.pem, key_file: /next.key, key_password: y}\n");
    const struct config_certificate *c = &all.list[0]->u.certificate;

    (void)state;
    assert_string_equal(c->key_password.name, "pass");
    assert_string_equal(c->crl_file, "/c.crl");
    assert_null(c->pkcs12_file);
    assert_int_equal(c->also_n, 2);
    assert_string_equal(c->also[0].pkcs12_file, "/old.p12");
    assert_string_equal(c->also[0].pkcs12_password.value, "x");
    assert_null(c->also[0].key_file);
    assert_int_equal(c->also[0].at.line, 7);
    assert_string_equal(c->also[1].file, "/next.pem");
    assert_string_equal(c->also[1].key_file, "/next.key");
    assert_string_equal(c->also[1].key_password.value, "y");
    components_free(&all);
}

static void test_certificates_that_contradict_themselves(void **state)
{
    (void)state;
    bad_components("certificate: c\npkcs12_file: /p\nfile: /f\n",
                   "f:1:1: of 'pem', 'file' and 'pkcs12_file' only one may be given");
    bad_components("certificate: c\npkcs12_file: /p\nkey_file: /k\n",
                   "f:3:11: 'key_file' is not used with 'pkcs12_file'");
    bad_components("certificate: c\nfile: /p\nkey_password: x\n",
                   "f:3:15: 'key_password' needs 'key_file'");
    bad_components("certificate: c\nfile: /p\npkcs12_password: x\n",
                   "f:3:18: 'pkcs12_password' needs 'pkcs12_file'");
    bad_components("certificate: c\nfile: /p\nalso:\n- {key_file: /k}\n",
                   "f:4:3: 'pem', 'file' or 'pkcs12_file' is missing");
    bad_components("certificate: c\nfile: /p\nalso:\n- {file: /f, crl_file: /c}\n",
                   "f:4:14: unknown setting 'crl_file'");
    bad_components("certificate: c\nfile: /p\nalso:\n- {pem: x}\n",
                   "f:4:9: 'pem' holds no certificate");
}

static void test_a_sealed_key_is_the_only_key(void **state)
{
    (void)state;
    bad_components("certificate: c\nfile: /p\nsealed_key: QUJD\nkey_file: /k\n",
                   "f:3:13: 'sealed_key' and 'key_file' are two places");
    bad_components("certificate: c\npkcs12_file: /p\nsealed_key: QUJD\n",
                   "f:3:13: 'sealed_key' and 'pkcs12_file' are two places");
    bad_components("certificate: c\nfile: /p\nsealed_key: not base64\n",
                   "f:3:13: 'sealed_key' must be what");
    bad_components("certificate: c\npem: |\n  -----BEGIN PRIVATE KEY-----\n",
                   "f:2:6: 'pem' holds a private key, which would be kept in the store in the "
                   "clear; run `waybill certificates import`");
}

static void test_trust_that_contradicts_itself(void **state)
{
    (void)state;
    bad_components("certificate: c\nfile: /p\ncrl_strict: true\n",
                   "f:3:13: 'crl_strict' needs 'crl_file'");
    bad_components("certificate: c\nfile: /p\ntrust: c\n",
                   "f:3:8: 'trust' names the component itself");
}

/* What is written back reads as the same settings. */
static void test_a_certificate_is_written_back(void **state)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    struct components all = good_components(
        "certificate: c\n"
        "pem: |\n  -----BEGIN CERTIFICATE-----\n  MIIB\n  -----END CERTIFICATE-----\n"
        "sealed_key: QUJD\n"
        "crl_file: \"/a \\\"b\\\" # c.crl\"\n"
        "crl_strict: true\n"
        "trust: ca\n"
        "issued_to: \"CN=acme*\"\n"
        "also:\n"
        "  - {pkcs12_file: /old.p12, pkcs12_password: {secret: old}}\n"
        "  - {file: /next.pem, key_file: /next.key, key_password: \"y: z\"}\n"
        "  - pem: \"-----BEGIN CERTIFICATE-----\\n\\tMIIB\\n-----END CERTIFICATE-----\"\n");
    struct arena a = { 0 };
    char *text = config_certificate_text("c", &all.list[0]->u.certificate, &a), *again;
    struct components back = good_components(text);
    const struct config_certificate *c = &back.list[0]->u.certificate;

    (void)state;
    assert_string_equal(c->pem, pem);
    assert_string_equal(c->sealed_key, "QUJD");
    assert_string_equal(c->crl_file, "/a \"b\" # c.crl");
    assert_true(c->crl_strict);
    assert_string_equal(c->trust, "ca");
    assert_string_equal(c->issued_to, "CN=acme*");
    assert_int_equal(c->also_n, 3);
    assert_string_equal(c->also[0].pkcs12_password.name, "old");
    assert_string_equal(c->also[1].key_password.value, "y: z");
    assert_non_null(strstr(c->also[2].pem, "\n\tMIIB"));
    again = config_certificate_text("c", c, &a);
    assert_string_equal(text, again);
    components_free(&back);
    components_free(&all);
    arena_free(&a);
}

static void test_users_of_a_certificate_are_found(void **state)
{
    struct components all = good_components("certificate: ca\nfile: /f\n"
                                            "---\ncertificate: c\nfile: /f\ntrust: ca\n"
                                            "---\npartner: acme\noftp2: {odette_id: OA, "
                                            "password: P, encryption_certificate: c, "
                                            "signature_verification_certificate: c}\n");
    struct config_runtime *rt =
        good_runtime("runtime: {data_directory: /d}\n"
                     "oftp2_server: {endpoints: [{port: 1, session_level_encryption: true, "
                     "server_ssl_certificate: c}]}\n");
    const char *const *list;
    struct arena a = { 0 };
    size_t n;

    (void)state;
    assert_true(config_certificate_users(rt, all.list, all.n, "c", &a, &list, &n));
    assert_int_equal(n, 3);
    assert_string_equal(list[0], "waybill.yaml: server_ssl_certificate");
    assert_string_equal(list[1], "partner acme: signature_verification_certificate");
    assert_string_equal(list[2], "partner acme: encryption_certificate");
    assert_true(config_certificate_users(NULL, all.list, all.n, "ca", &a, &list, &n));
    assert_int_equal(n, 1);
    assert_string_equal(list[0], "certificate c: trust");
    config_runtime_free(rt);
    components_free(&all);
    arena_free(&a);
}

/* ---- cipher suites ---- */

static void test_cipher_suites_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(config_cipher_suite("TRIPLEDES_RSA_SHA1"), 1);
    assert_int_equal(config_cipher_suite("3DES_RSA_SHA1"), 1);
    assert_int_equal(config_cipher_suite("AES_RSA_SHA256"), 4);
    assert_int_equal(config_cipher_suite("AES_RSA_OAEP_PSS_SHA3_512"), 10);
    assert_int_equal(config_cipher_suite("aes_rsa_sha256"), 0);
    assert_int_equal(config_cipher_suite(""), 0);
    assert_int_equal(config_cipher_suite(NULL), 0);
    for (int i = 1; i <= 10; i++)
        assert_int_equal(config_cipher_suite(config_cipher_suite_name(i)), i);
    assert_null(config_cipher_suite_name(0));
    assert_null(config_cipher_suite_name(11));
}

#define SERVER "runtime: {data_directory: /d}\noftp2_server: {cipher_suite: "

static void test_the_servers_cipher_suite(void **state)
{
    struct config_runtime *rt = good_runtime(SERVER "AES_RSA_OAEP_PSS_SHA512}\n");

    (void)state;
    assert_string_equal(rt->oftp2_server.cipher_suite, "AES_RSA_OAEP_PSS_SHA512");
    config_runtime_free(rt);
    rt = good_runtime(SERVER "3DES_RSA_SHA256}\n");
    assert_string_equal(rt->oftp2_server.cipher_suite, "TRIPLEDES_RSA_SHA256");
    config_runtime_free(rt);
    bad_runtime(SERVER "AES}\n", "f:2:30: 'cipher_suite' must be one of TRIPLEDES_RSA_SHA1, ");
}

#define START                                                                                  \
    "process: p\nstart:\n  listen: oftp2-server\n  operation:\n"                               \
    "    from: {odette_id: A, password: x}\n    to: {odette_id: B}\n"

static void test_cipher_suites_of_a_process(void **state)
{
    struct components all =
        good_components(START "    cipher_suites: [AES_RSA_SHA256, AES_RSA_SHA512]\n");
    const char *const *suites = all.list[0]->u.process.cipher_suites;

    (void)state;
    assert_string_equal(suites[0], "AES_RSA_SHA256");
    assert_string_equal(suites[1], "AES_RSA_SHA512");
    assert_null(suites[2]);
    components_free(&all);
    all = good_components(START);
    assert_null(all.list[0]->u.process.cipher_suites);
    components_free(&all);
    bad_components(START "    cipher_suites: [AES_RSA_SHA256, DES]\n",
                   "f:7:37: 'cipher_suites' must be a cipher suite, such as");
    bad_components(START "    cipher_suites: []\n", "f:7:20: 'cipher_suites' is empty");
}

/* ---- partners ---- */

static void test_what_is_sent_to_a_partner(void **state)
{
    struct components all = good_components(
        "partner: a\n"
        "oftp2:\n"
        "  odette_id: A\n"
        "  encryption_certificate: e\n"
        "  send: {signed: true, encrypted: true, compressed: true, signed_receipt: true}\n"
        "  cipher_suite: AES_RSA_SHA512\n"
        "  require_secure_authentication: true\n"
        "  accept_unsigned_receipts: true\n"
        "---\n"
        "identity: us\n"
        "oftp2: {odette_id: US, signing_certificate: s}\n");
    const struct config_partner *p = &all.list[0]->u.partner;

    (void)state;
    assert_true(p->send_signed && p->send_encrypted && p->send_compressed);
    assert_true(p->send_signed_receipt && p->accept_unsigned_receipts);
    assert_string_equal(p->cipher_suite, "AES_RSA_SHA512");
    assert_int_equal(p->secure_authentication, 1);
    assert_string_equal(p->oftp2.encryption_certificate, "e");
    assert_string_equal(all.list[1]->u.identity.oftp2.signing_certificate, "s");
    components_free(&all);
}

static void test_nothing_is_sent_protected_unless_said(void **state)
{
    struct components all =
        good_components("partner: a\noftp2: {odette_id: A}\n---\npartner: b\n");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct config_partner *p = &all.list[i]->u.partner;

        assert_false(p->send_signed || p->send_encrypted || p->send_compressed);
        assert_false(p->send_signed_receipt || p->accept_unsigned_receipts);
        assert_null(p->cipher_suite);
        assert_int_equal(p->secure_authentication, -1);
    }
    components_free(&all);
}

static void test_protection_needs_a_protocol_that_has_it(void **state)
{
    (void)state;
    bad_components(
        "partner: a\noftp2: {odette_id: A, level_max: \"1.4\", send: {signed: yes}}\n",
        "f:2:8: 'send' and require_secure_authentication need 'level_max' 2.0");
}

/* ---- over all components ---- */

static void check(const char *yaml, const char *want)
{
    struct components all = good_components(yaml);
    struct config_problems ps = { 0 };
    bool ok = config_check(NULL, all.list, all.n, &ps);

    if (want == NULL)
        print_problems(&ps);
    assert_true(ok == (want == NULL));
    if (want != NULL) {
        assert_problem(&ps, want);
        assert_int_equal(ps.n, 1);
    }
    config_problems_free(&ps);
    components_free(&all);
}

#define CERTIFICATE "certificate: c\npkcs12_file: /c.p12\n---\n"
#define US(more)    CERTIFICATE "identity: us\noftp2: {odette_id: US" more "}\n---\n"
#define ACME(more)  "partner: acme\noftp2: {odette_id: A, password: x, identity: us" more "}\n"

static void test_what_a_partners_protection_needs(void **state)
{
    (void)state;
    check(US("") ACME(", send: {encrypted: true}"),
          "f:8:68: partner acme: send: {encrypted: true} needs encryption_certificate");
    check(US("") ACME(", encryption_certificate: c, send: {encrypted: true}"), NULL);
    check(
        US("") ACME(", send: {signed: true}"),
        "f:8:65: partner acme: send: {signed: true} needs signing_certificate in the identity "
        "'us'");
    check(US(", signing_certificate: c") ACME(", send: {signed: true}"), NULL);
    check("partner: acme\noftp2: {odette_id: A, send: {signed: true}}\n", NULL);
    check(US("") ACME(", send: {signed_receipt: true}"),
          "f:8:73: partner acme: send: {signed_receipt: true} needs "
          "acknowledgment_verification_certificate");
    check(US("")
              ACME(", acknowledgment_verification_certificate: c, send: {signed_receipt: yes}"),
          NULL);
    check(US("") ACME(", require_secure_authentication: true"),
          "f:8:81: partner acme: require_secure_authentication needs "
          "session_authentication_encrypting_certificate");
    check(US("") ACME(", require_secure_authentication: false"), NULL);
    check(US("") ACME(", session_authentication_encrypting_certificate: c, "
                      "require_secure_authentication: true"),
          NULL);
}

#define PROCESS(required)                                                                      \
    "---\nprocess: p\nstart: {listen: oftp2-server, operation: {from: {partner: acme}, "       \
    "to: {identity: us}, require: {" required ": true}}}\n"

static void test_what_a_process_requires_must_be_possible(void **state)
{
    (void)state;
    check(US("") ACME("") PROCESS("signed"),
          "f:11:104: process p: require: {signed: true} needs "
          "signature_verification_certificate in 'from'");
    check(US("") ACME(", signature_verification_certificate: c") PROCESS("signed"), NULL);
    check(
        US("") ACME("") PROCESS("encrypted"),
        "f:11:107: process p: require: {encrypted: true} needs decryption_certificate in 'to'");
    check(US(", decryption_certificate: c") ACME("") PROCESS("encrypted"), NULL);
    check(US("") ACME("") PROCESS("signed_receipt"),
          "f:11:112: process p: require: {signed_receipt: true} needs "
          "acknowledgment_signing_certificate in 'to'");
    check(US(", acknowledgment_signing_certificate: c") ACME("") PROCESS("signed_receipt"),
          NULL);
    check(START "    require: {signed: true}\n",
          "f:7:23: process p: require: {signed: true} needs");
    check(START "    require: {encrypted: true}\n",
          "f:7:26: process p: require: {encrypted: true} needs");
    check(START "    require: {compressed: true}\n", NULL);
}

static void test_a_key_may_be_in_any_of_the_certificates(void **state)
{
    (void)state;
    check(
        "certificate: c\nfile: /c.pem\n---\nidentity: us\n"
        "oftp2: {odette_id: US, decryption_certificate: c}\n",
        "f:5:48: identity us: 'decryption_certificate' names the certificate 'c', which has no "
        "private key; add key_file (or pkcs12_file)");
    check("certificate: c\nfile: /c.pem\nalso: [{file: /d.pem, key_file: /d.key}]\n---\n"
          "identity: us\noftp2: {odette_id: US, decryption_certificate: c}\n",
          NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_and_newer_certificates),
        cmocka_unit_test(test_certificates_that_contradict_themselves),
        cmocka_unit_test(test_a_sealed_key_is_the_only_key),
        cmocka_unit_test(test_trust_that_contradicts_itself),
        cmocka_unit_test(test_a_certificate_is_written_back),
        cmocka_unit_test(test_users_of_a_certificate_are_found),
        cmocka_unit_test(test_cipher_suites_have_numbers),
        cmocka_unit_test(test_the_servers_cipher_suite),
        cmocka_unit_test(test_cipher_suites_of_a_process),
        cmocka_unit_test(test_what_is_sent_to_a_partner),
        cmocka_unit_test(test_nothing_is_sent_protected_unless_said),
        cmocka_unit_test(test_protection_needs_a_protocol_that_has_it),
        cmocka_unit_test(test_what_a_partners_protection_needs),
        cmocka_unit_test(test_what_a_process_requires_must_be_possible),
        cmocka_unit_test(test_a_key_may_be_in_any_of_the_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
