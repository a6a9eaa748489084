/* Checks over all components together. */
#include "support.h"

static const char runtime[] = "runtime: {data_directory: /data}\n"
                              "oftp2_server:\n"
                              "  endpoints:\n"
                              "    - {port: 6619, session_level_encryption: true, "
                              "server_ssl_certificate: our-tls}\n";

#define CERTIFICATE "certificate: our-tls\nfile: /t.pem\nkey_file: /t.key\n---\n"
#define IDENTITY    "identity: us\noftp2: {odette_id: US}\n---\n"
#define PARTNER     "partner: acme\noftp2: {odette_id: ACME, password: X, identity: us}\n---\n"
#define PROCESS                                                                                \
    "process: p\nstart: {listen: oftp2-server, operation: {from: {partner: acme}, to: {identity: us}}}\n"

/* Runs the check; want NULL: no problem. */
static void check(const char *yaml, const char *want)
{
    struct config_runtime *rt = good_runtime(runtime);
    struct components all = good_components(yaml);
    struct config_problems ps = { 0 };
    bool ok = config_check(rt, all.list, all.n, &ps);

    if (want == NULL) {
        print_problems(&ps);
        assert_true(ok);
        assert_int_equal(ps.n, 0);
    } else {
        assert_false(ok);
        assert_problem(&ps, want);
    }
    config_problems_free(&ps);
    components_free(&all);
    config_runtime_free(rt);
}

static void test_all_references_are_found(void **state)
{
    (void)state;
    check(CERTIFICATE IDENTITY PARTNER PROCESS, NULL);
}

static void test_a_reference_that_leads_nowhere(void **state)
{
    (void)state;
    check(IDENTITY PARTNER PROCESS,
          "f:4:76: waybill.yaml: 'server_ssl_certificate' names the certificate 'our-tls', "
          "which does not exist; apply a component 'certificate: our-tls' or correct the name");
    check(CERTIFICATE IDENTITY PROCESS,
          "f:9:59: process p: 'partner' names the partner 'acme', which does not exist");
    check(CERTIFICATE PARTNER PROCESS,
          "f:9:81: process p: 'identity' names the identity 'us', which does not exist");
    check(CERTIFICATE PARTNER PROCESS,
          "f:6:49: partner acme: 'identity' names the identity 'us', which does not exist");
    check(
        CERTIFICATE IDENTITY PARTNER PROCESS "steps:\n- send: {partner: acmee}\n",
        "f:14:19: process p: 'partner' names the partner 'acmee', which does not exist; apply "
        "a component 'partner: acmee' or correct the name (did you mean 'acme'?)");
    check(CERTIFICATE "identity: us\noftp2: {odette_id: US, decryption_certificate: d}\n",
          "f:6:48: identity us: 'decryption_certificate' names the certificate 'd'");
    check(CERTIFICATE
          "partner: a\noftp2:\n  odette_id: A\n  signature_verification_certificate: s\n",
          "f:8:39: partner a: 'signature_verification_certificate' names the certificate 's'");
}

static void test_a_certificate_without_key(void **state)
{
    (void)state;
    check("certificate: our-tls\nfile: /t.pem\n",
          "f:4:76: waybill.yaml: 'server_ssl_certificate' names the certificate 'our-tls', "
          "which has no private key; add key_file");
    check(CERTIFICATE "certificate: c\nfile: /c.pem\n---\npartner: a\noftp2: {odette_id: A, "
                      "session_level_encryption: true, client_certificate: c}\n",
          "f:9:75: partner a: 'client_certificate' names the certificate 'c', which has no");
    check(CERTIFICATE "certificate: c\nfile: /c.pem\n---\npartner: a\noftp2: {odette_id: A, "
                      "session_level_encryption: true, server_ssl_certificate: c}\n",
          NULL);
}

static void test_a_process_without_password(void **state)
{
    (void)state;
    check(CERTIFICATE IDENTITY "partner: acme\noftp2: {odette_id: A}\n---\n" PROCESS,
          "f:12:59: process p: the partner 'acme' has no password to be checked");
    check(CERTIFICATE IDENTITY
          "partner: acme\noftp2: {odette_id: A, password: {any: true}}\n---\n" PROCESS,
          NULL);
    check(CERTIFICATE IDENTITY
          "partner: acme\noftp2: {odette_id: A, password: {secret: s}}\n---\n" PROCESS,
          NULL);
    check(
        CERTIFICATE IDENTITY "partner: acme\n---\n" PROCESS,
        "f:11:59: process p: 'partner' names the partner 'acme', which has no oftp2 settings");
    check(
        CERTIFICATE "identity: us\n---\n" PARTNER PROCESS,
        "f:11:81: process p: 'identity' names the identity 'us', which has no oftp2 settings");
}

static void check_step(const char *template, const char *want)
{
    char text[900];

    (void)snprintf(text, sizeof(text),
                   CERTIFICATE IDENTITY PARTNER PROCESS
                   "steps:\n- write: {directory: /d, name: \"%s\"}\n",
                   template);
    check(text, want);
}

static void test_templates(void **state)
{
    (void)state;
    check_step("{{document.id}}-{{ oftp2.sfiddsn }}.{{execution.redelivered}}", NULL);
    check_step("plain } } {", NULL);
}

static void test_unknown_names_in_templates(void **state)
{
    (void)state;
    check_step("x{{document.idd}}",
               "f:14:32: process p: 'name' has {{document.idd}}, which is unknown; known are "
               "document.id, document.name, document.from,");
    check_step("{{}}", "f:14:32: process p: 'name' has {{}}, which is unknown");
    check_step("{{document.id}", "f:14:32: process p: 'name' has {{ without }}; close it");
    check_step("{{document.id}} {{", "f:14:32: process p: 'name' has {{ without }}; close it");
    check_step("{{document.id document.id document.id document.id document.id document.id}}",
               "f:14:32: process p: 'name' has {{document.id");
    check(CERTIFICATE IDENTITY PARTNER PROCESS "steps:\n- exec: {command: [/a, \"{{b}}\"]}\n",
          "f:14:24: process p: 'command' has {{b}}, which is unknown");
    check(
        CERTIFICATE IDENTITY PARTNER
        "process: p\nstart:\n  listen: oftp2-server\n  operation:\n    from: {partner: acme}\n"
        "    to: {identity: us}\n    tracking:\n    - {field: f, value: \"{{oftp2.x}}\"}\n",
        "f:18:25: process p: 'value' has {{oftp2.x}}, which is unknown");
}

static void test_one_name_twice(void **state)
{
    (void)state;
    check(CERTIFICATE "partner: a\n---\npartner: b\n---\npartner: a\n",
          "f:9:1: partner a is given twice (also at f:5); keep one");
    check(CERTIFICATE "partner: us\n---\nidentity: us\n", NULL);
}

static void test_components_without_a_runtime(void **state)
{
    struct components all = good_components(IDENTITY PARTNER PROCESS);
    struct config_problems ps = { 0 };

    (void)state;
    assert_true(config_check(NULL, all.list, all.n, &ps));
    assert_true(config_check(NULL, NULL, 0, &ps));
    components_free(&all);
    config_problems_free(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_references_are_found),
        cmocka_unit_test(test_a_reference_that_leads_nowhere),
        cmocka_unit_test(test_a_certificate_without_key),
        cmocka_unit_test(test_a_process_without_password),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_unknown_names_in_templates),
        cmocka_unit_test(test_one_name_twice),
        cmocka_unit_test(test_components_without_a_runtime),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
