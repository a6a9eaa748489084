/* What AS2 settings need from other components, and what is advised against. */
#include "support.h"

#define RUNTIME "runtime: {data_directory: /data}\n"

static const char keys[] = "certificate: c\npkcs12_file: /c.p12\n---\n";

/* yaml begins in line 4: after `keys`. want NULL: no problem. */
static void check_with(const char *runtime, const char *yaml, const char *want)
{
    struct config_runtime *rt = runtime == NULL ? NULL : good_runtime(runtime);
    char text[3000];
    struct components all;
    struct config_problems ps = { 0 };
    bool ok;

    assert_true(snprintf(text, sizeof(text), "%s%s", keys, yaml) < (int)sizeof(text));
    all = good_components(text);
    ok = config_check(rt, all.list, all.n, &ps);
    if (want == NULL)
        print_problems(&ps);
    assert_true(ok == (want == NULL));
    if (want != NULL) {
        assert_problem(&ps, want);
        assert_int_equal(ps.n, 1);
    }
    config_problems_free(&ps);
    components_free(&all);
    config_runtime_free(rt);
}

static void check(const char *yaml, const char *want)
{
    check_with(NULL, yaml, want);
}

#define US(more)   "identity: us\nas2: {as2_id: US" more "}\n---\n"
#define ACME(more) "partner: acme\nas2: {as2_id: A, identity: us, url: http://h" more "}\n"

static void test_what_sending_to_a_partner_needs(void **state)
{
    (void)state;
    check(US(", signing_certificate: c")
              ACME(", encryption_certificate: c, signing_certificate: c"),
          NULL);
    check(US(", signing_certificate: c") ACME(", signing_certificate: c"),
          "f:8:6: partner acme: as2 with 'url' needs encryption_certificate");
    check(US(", signing_certificate: c")
              ACME(", signing_certificate: c, send: {encrypted: true}"),
          "f:8:89: partner acme: as2 with 'url' needs encryption_certificate");
    check(
        US("") ACME(", encryption_certificate: c, signing_certificate: c"),
        "f:8:6: partner acme: as2 with 'url' needs as2.signing_certificate in the identity 'us'");
    check(US(", signing_certificate: c") ACME(", encryption_certificate: c"),
          "f:8:6: partner acme: as2 with 'url' needs signing_certificate: what the partner's "
          "MDNs are verified with");
    check(US("") ACME(", send: {signed: no, encrypted: no, signed_mdn: no}"), NULL);
    check(US("") ACME(", send: {signed: no, encrypted: no, mdn: none}"), NULL);
    check("partner: acme\nas2: {as2_id: A}\n", NULL); /* nothing is sent */
}

static void test_asynchronous_mdns_need_our_url(void **state)
{
    static const char yaml[] =
        US("") ACME(", send: {signed: no, encrypted: no, signed_mdn: no, mdn: async}");

    (void)state;
    check_with(RUNTIME, yaml,
               "f:8:102: partner acme: send: {mdn: async} needs as2_server.mdn_url in "
               "waybill.yaml");
    check_with(RUNTIME "as2_server: {mdn_url: http://us/as2}\n", yaml, NULL);
    check_with(NULL, yaml, NULL);
}

static void test_references_of_as2(void **state)
{
    (void)state;
    check("partner: acme\nas2: {as2_id: A, identity: uz}\n---\n" US(""),
          "f:5:28: partner acme: 'identity' names the identity 'uz', which does not exist");
    check(
        "partner: acme\nas2: {as2_id: A, identity: us}\n---\nidentity: us\n",
        "f:5:28: partner acme: 'identity' names the identity 'us', which has no as2 settings");
    check("partner: acme\nas2: {as2_id: A, encryption_certificate: d}\n",
          "f:5:42: partner acme: 'encryption_certificate' names the certificate 'd'");
    check("certificate: nokey\nfile: /x\n---\n"
          "identity: us\nas2: {as2_id: U, decryption_certificate: nokey}\n",
          "f:8:42: identity us: 'decryption_certificate' names the certificate 'nokey', which "
          "has no private key");
    check(
        "partner: acme\noftp2: {odette_id: A, identity: us}\n---\n" US(""),
        "f:5:33: partner acme: 'identity' names the identity 'us', which has no oftp2 settings");
}

#define PROCESS(from, to, more)                                                                \
    "process: p\nstart: {listen: as2-server, operation: {from: {" from "}, to: {" to "}" more  \
    "}}\n"

static void test_what_a_process_requires_must_be_possible(void **state)
{
    (void)state;
    check(PROCESS("as2_id: A", "as2_id: B", ", require: {signed: true}"),
          "f:5:95: process p: require: {signed: true} needs signing_certificate in 'from'");
    check(
        PROCESS("as2_id: A, signing_certificate: c", "as2_id: B", ", require: {signed: true}"),
        NULL);
    check(PROCESS("as2_id: A", "as2_id: B", ", require: {encrypted: true}"),
          "f:5:98: process p: require: {encrypted: true} needs decryption_certificate in 'to'");
    check(PROCESS("as2_id: A", "as2_id: B, decryption_certificate: c",
                  ", require: {encrypted: true}"),
          NULL);
    check(PROCESS("as2_id: A", "as2_id: B", ", require: {signed_receipt: true}"),
          "f:5:103: process p: require: {signed_receipt: true} needs mdn_signing_certificate");
    check(PROCESS("as2_id: A", "as2_id: B, mdn_signing_certificate: c",
                  ", require: {signed_receipt: true}"),
          NULL);
    check(US("") "partner: acme\nas2: {as2_id: A}\n---\n" PROCESS(
              "partner: acme", "identity: us", ", require: {signed: true}"),
          "f:11:102: process p: require: {signed: true} needs signing_certificate in 'from' or "
          "the partner it names");
    check(US("") "partner: acme\nas2: {as2_id: A, signing_certificate: c}\n---\n" PROCESS(
              "partner: acme", "identity: us", ", require: {signed: true}"),
          NULL);
}

static void test_who_a_process_names_has_as2_settings(void **state)
{
    (void)state;
    check("partner: acme\noftp2: {odette_id: A}\n---\n" PROCESS("partner: acme", "as2_id: B",
                                                                ", require: {signed: true}"),
          "f:8:57: process p: 'partner' names the partner 'acme', which has no as2 settings");
    check("identity: us\n---\n" PROCESS("as2_id: A", "identity: us", ""),
          "f:7:75: process p: 'identity' names the identity 'us', which has no as2 settings");
}

static void test_a_configured_url_for_mdns(void **state)
{
    (void)state;
    check(US("") "partner: acme\nas2: {as2_id: A}\n---\n" PROCESS(
              "partner: acme", "identity: us", ", mdn_delivery: configured"),
          "f:11:98: process p: mdn_delivery: configured needs mdn_url, here or in the partner "
          "'acme'");
    check(US("") "partner: acme\nas2: {as2_id: A, mdn_url: http://h}\n---\n" PROCESS(
              "partner: acme", "identity: us", ", mdn_delivery: configured"),
          NULL);
}

#define STEP(more) PROCESS("as2_id: A", "as2_id: B", "") "steps:\n- send: {" more "}\n---\n"
#define BOTH                                                                                   \
    "partner: both\nas2: {as2_id: X, url: http://h, send: {signed: no, encrypted: no, mdn: "   \
    "none}}\noftp2: {odette_id: X}\n"

static void test_send_steps_name_who_can_be_sent_to(void **state)
{
    (void)state;
    check(STEP("partner: both, protocol: as2, subject: s") BOTH, NULL);
    check(STEP("partner: both, protocol: oftp2") BOTH, NULL);
    check(STEP("partner: both") BOTH, NULL);
    check(STEP("partner: both, subject: s") BOTH,
          "f:7:34: process p: 'subject' has no meaning: the document is sent by OFTP2");
    check(STEP("partner: o, protocol: as2") "partner: o\noftp2: {odette_id: X}\n",
          "f:7:19: process p: 'partner' names the partner 'o', which has no as2 settings");
    check(STEP("partner: a, protocol: oftp2") "partner: a\nas2: {as2_id: X}\n",
          "f:7:19: process p: 'partner' names the partner 'a', which has no oftp2 settings");
    check(STEP("partner: a") "partner: a\nas2: {as2_id: X}\n",
          "f:7:19: process p: 'partner' names the partner 'a', which has no as2.url");
    check(STEP("partner: a") "partner: a\n",
          "f:7:19: process p: 'partner' names the partner 'a', which has no oftp2 settings");
    check(STEP("partner: both, protocol: as2, identity: us") BOTH
          "---\nidentity: us\noftp2: {odette_id: US}\n",
          "f:7:50: process p: 'identity' names the identity 'us', which has no as2 settings");
    check(STEP("partner: both, subject: \"{{as3.x}}\", protocol: as2") BOTH,
          "f:7:34: process p: 'subject' has {{as3.x}}, which is unknown");
}

static void test_users_of_a_certificate_are_named(void **state)
{
    static const char yaml[] =
        "certificate: c\nfile: /c\n---\n"
        "partner: acme\nas2: {as2_id: A, encryption_certificate: c}\n---\n"
        "process: p\nstart: {listen: as2-server, operation: {from: {as2_id: "
        "A, client_ssl_certificate: c}, to: {as2_id: B}}}\n";
    struct config_runtime *rt = good_runtime(
        RUNTIME "as2_server: {endpoints: [{port: 1, ssl: true, ssl_certificate: c}]}\n");
    struct components all = good_components(yaml);
    const char *const *list = NULL;
    struct arena a = { 0 };
    char text[400] = "";
    size_t n = 0;

    (void)state;
    assert_true(config_certificate_users(rt, all.list, all.n, "c", &a, &list, &n));
    for (size_t i = 0; i < n; i++) {
        strcat(text, list[i]);
        strcat(text, "; ");
    }
    assert_int_equal(n, 3);
    assert_non_null(strstr(text, "ssl_certificate; "));
    assert_non_null(strstr(text, "partner acme: encryption_certificate; "));
    assert_non_null(strstr(text, "process p: client_ssl_certificate; "));
    arena_free(&a);
    components_free(&all);
    config_runtime_free(rt);
}

/* ---- advice ---- */

/* About the last component. want NULL: none. */
static void advice(const char *runtime, const char *yaml, const char *want)
{
    struct config_runtime *rt = runtime == NULL ? NULL : good_runtime(runtime);
    struct components all = good_components(yaml);
    struct config_problems ps = { 0 };

    config_advise(rt, all.list, all.n, all.list[all.n - 1], &ps);
    if (want == NULL) {
        print_problems(&ps);
        assert_int_equal(ps.n, 0);
    } else {
        assert_problem(&ps, want);
        assert_int_equal(ps.n, 1);
    }
    config_problems_free(&ps);
    components_free(&all);
    config_runtime_free(rt);
}

/* as2.md 11.1, number 13: an agreement that takes encryption without signature is warned about. */
static void test_encryption_without_signature_is_advised_against(void **state)
{
    (void)state;
    advice(NULL, PROCESS("as2_id: A", "as2_id: B, decryption_certificate: c", ""),
           "f:2:64: process p: messages that are encrypted and not signed are taken");
    advice(NULL,
           PROCESS("as2_id: A", "as2_id: B, decryption_certificate: c",
                   ", require: {signed: false, encrypted: true}"),
           "f:2:122: process p: messages that are encrypted and not signed are taken");
    advice(NULL,
           PROCESS("as2_id: A, signing_certificate: c", "as2_id: B, decryption_certificate: c",
                   ", require: {signed: true}"),
           NULL);
    advice(NULL, PROCESS("as2_id: A", "as2_id: B", ""), NULL);
    advice(NULL, ACME(", send: {signed: false}"),
           "f:2:62: partner acme: messages for it are encrypted, but not signed");
    advice(NULL, ACME(", send: {signed: false, encrypted: false}"), NULL);
    advice(NULL, ACME(""), NULL);
}

static void test_other_advice(void **state)
{
    (void)state;
    advice(NULL, "partner: a\nas2: {as2_id: A, ip_filter: []}\n",
           "f:2:29: partner a: ip_filter is an empty list, which blocks every address");
    advice(NULL, PROCESS("as2_id: A, ip_filter: []", "as2_id: B", ""),
           "f:2:70: process p: ip_filter is an empty list");
    advice(NULL,
           "partner: a\nas2: {as2_id: A, url: http://h, our_username: u, our_password: p}\n",
           "f:2:47: partner a: our_password passes the network readable");
    advice(NULL,
           "partner: a\nas2: {as2_id: A, url: https://h, our_username: u, our_password: p}\n",
           NULL);
    advice(
        NULL,
        "partner: a\nas2: {as2_id: A, mdn_url: http://h, mdn_username: u, mdn_password: p}\n",
        "f:2:51: partner a: mdn_password passes the network readable");
    advice(NULL, "partner: a\nas2: {as2_id: A, verify_host_name: false}\n",
           "f:2:36: partner a: verify_host_name is off without server_ssl_certificate");
    advice(RUNTIME, PROCESS("as2_id: A", "as2_id: B", ""),
           "f:2:17: process p: nobody can post to it: as2_server.endpoints");
    advice(RUNTIME "as2_server: {endpoints: [{port: 1}]}\n",
           PROCESS("as2_id: A, client_ssl_certificate: c", "as2_id: B", ""),
           "f:2:83: process p: nobody can post to it: it wants a TLS client certificate");
    advice(RUNTIME "as2_server: {endpoints: [{port: 1}]}\n",
           PROCESS("as2_id: A", "as2_id: B", ""), NULL);
    advice(RUNTIME, "partner: a\noftp2: {odette_id: A, password: x}\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_sending_to_a_partner_needs),
        cmocka_unit_test(test_asynchronous_mdns_need_our_url),
        cmocka_unit_test(test_references_of_as2),
        cmocka_unit_test(test_what_a_process_requires_must_be_possible),
        cmocka_unit_test(test_who_a_process_names_has_as2_settings),
        cmocka_unit_test(test_a_configured_url_for_mdns),
        cmocka_unit_test(test_send_steps_name_who_can_be_sent_to),
        cmocka_unit_test(test_users_of_a_certificate_are_named),
        cmocka_unit_test(test_encryption_without_signature_is_advised_against),
        cmocka_unit_test(test_other_advice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
