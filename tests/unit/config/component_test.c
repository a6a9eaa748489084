#include "support.h"

static void test_the_example_of_the_design_loads(void **state)
{
    struct components all = good_components(example_process);
    const struct config_process *p = &all.list[0]->u.process;

    (void)state;
    assert_int_equal(all.n, 1);
    assert_int_equal(all.list[0]->kind, CONFIG_PROCESS);
    assert_string_equal(all.list[0]->name, "orders-from-acme");
    assert_string_equal(all.list[0]->file, "f");
    assert_string_equal(all.list[0]->text, example_process);
    assert_string_equal(p->listen, "oftp2-server");
    assert_null(p->from_partner);
    assert_string_equal(p->from.odette_id, "O0013000001ACME");
    assert_string_equal(p->from.password.name, "acme_password");
    assert_string_equal(p->from.client_ssl_certificate, "acme-tls");
    assert_int_equal(p->from_at.line, 6);
    assert_int_equal(p->from_at.column, 7);
    assert_string_equal(p->to.odette_id, "O0013000002US");
    assert_string_equal(p->to.decryption_certificate, "our-decrypt");
    assert_true(p->require.is_signed);
    assert_true(p->require.encrypted);
    assert_false(p->require.compressed);
    assert_int_equal(p->acknowledge, ACK_RECEIVED);
    assert_true(p->archiving.enabled);
    assert_string_equal(p->archiving.directory, "/var/archive/acme");
    assert_int_equal(p->tracking_n, 1);
    assert_string_equal(p->tracking[0].field, "Order file");
    assert_string_equal(p->tracking[0].value, "{{oftp2.sfiddsn}}");
    assert_int_equal(p->steps_n, 3);
    assert_int_equal(p->steps[0].kind, STEP_WRITE);
    assert_string_equal(p->steps[0].u.write.directory, "/srv/edi/in");
    assert_string_equal(p->steps[0].u.write.existing, "fail");
    assert_int_equal(p->steps[0].at.line, 24);
    assert_int_equal(p->steps[1].kind, STEP_EXEC);
    assert_string_equal(p->steps[1].u.exec.command[0], "/usr/local/bin/import-order");
    assert_null(p->steps[1].u.exec.command[1]);
    assert_int_equal(p->steps[1].u.exec.timeout_ms, 60000);
    assert_int_equal(p->steps[2].kind, STEP_HTTP);
    assert_string_equal(p->steps[2].u.http.method, "POST");
    assert_int_equal(p->steps[2].u.http.retries, 3);
    components_free(&all);
}

static const char short_process[] = "process: p\n"
                                    "start:\n"
                                    "  listen: oftp2-server\n"
                                    "  operation:\n"
                                    "    from: {partner: acme}\n"
                                    "    to: {identity: us}\n";

static void test_defaults_of_a_process(void **state)
{
    struct components all = good_components(short_process);
    const struct config_process *p = &all.list[0]->u.process;

    (void)state;
    assert_string_equal(p->from_partner, "acme");
    assert_string_equal(p->to_identity, "us");
    assert_null(p->from.odette_id);
    assert_int_equal(p->acknowledge, ACK_RECEIVED);
    assert_false(p->archiving.enabled);
    assert_int_equal(p->max_file_size, 0);
    assert_string_equal(p->formats, "FVUT");
    assert_int_equal(p->max_record_length, 99999);
    assert_null(p->file_name);
    assert_null(p->record_delimiter);
    assert_true(p->reject_duplicates);
    assert_int_equal(p->steps_n, 0);
    components_free(&all);
}

static void test_settings_of_an_operation(void **state)
{
    char text[1000];
    struct components all;
    const struct config_process *p;

    (void)state;
    (void)snprintf(text, sizeof(text),
                   "%s    acknowledge: manual\n    max_file_size: 2G\n    formats: UT\n"
                   "    max_record_length: 2048\n    file_name: \"ORD*\"\n"
                   "    record_delimiter: crlf\n    reject_duplicates: false\n"
                   "    archiving: {directory: /a, raw: true}\n"
                   "steps: [{send: {partner: x, format: F, record_length: 80}}]\n",
                   short_process);
    all = good_components(text);
    p = &all.list[0]->u.process;
    assert_int_equal(p->acknowledge, ACK_MANUAL);
    assert_int_equal(p->max_file_size, INT64_C(2) << 30);
    assert_string_equal(p->formats, "UT");
    assert_int_equal(p->max_record_length, 2048);
    assert_string_equal(p->file_name, "ORD*");
    assert_string_equal(p->record_delimiter, "crlf");
    assert_false(p->reject_duplicates);
    assert_true(p->archiving.enabled);
    assert_true(p->archiving.raw);
    assert_int_equal(p->steps[0].kind, STEP_SEND);
    assert_string_equal(p->steps[0].u.send.name, "{{document.name}}");
    assert_int_equal(p->steps[0].u.send.record_length, 80);
    components_free(&all);
}

static void test_a_partner(void **state)
{
    struct components all = good_components("partner: acme\n"
                                            "oftp2:\n"
                                            "  odette_id: O0013ACME          PLANT1\n"
                                            "  password: {any: true}\n"
                                            "  host: oftp.acme.example\n"
                                            "  session_level_encryption: true\n"
                                            "  server_ssl_certificate: acme-ca\n"
                                            "  verify_host_name: false\n"
                                            "  client_certificate: our-tls\n"
                                            "  identity: us\n"
                                            "  poll: 15m\n"
                                            "  retry: {first: 2m, max: 30m, attempts: 9}\n"
                                            "  receipt_timeout: 0\n"
                                            "  level_min: 1.4\n"
                                            "  level_max: \"2.0\"\n"
                                            "  buffer_size: 4096\n"
                                            "  credit: 64\n"
                                            "  buffer_compression: true\n"
                                            "  restart: false\n"
                                            "  tolerate_buffer_plus_one: true\n"
                                            "  call_for_receipts: no\n"
                                            "  via: [O0013HUB]\n");
    const struct config_partner *p = &all.list[0]->u.partner;

    (void)state;
    assert_true(p->has_oftp2);
    assert_string_equal(p->oftp2.odette_id, "O0013ACME          PLANT1");
    assert_true(p->oftp2.password_any);
    assert_int_equal(p->oftp2.at.line, 3);
    assert_string_equal(p->host, "oftp.acme.example");
    assert_int_equal(p->port, 6619);
    assert_false(p->verify_host_name);
    assert_string_equal(p->client_certificate, "our-tls");
    assert_int_equal(p->poll_ms, 900000);
    assert_int_equal(p->retry_first_ms, 120000);
    assert_int_equal(p->retry_max_ms, 1800000);
    assert_int_equal(p->retry_attempts, 9);
    assert_int_equal(p->receipt_timeout_ms, 0);
    assert_int_equal(p->level_min, 4);
    assert_int_equal(p->level_max, 5);
    assert_int_equal(p->buffer_size, 4096);
    assert_int_equal(p->credit, 64);
    assert_int_equal(p->compression, 1);
    assert_int_equal(p->restart, 0);
    assert_true(p->tolerate_buffer_plus_one);
    assert_string_equal(p->call_for_receipts, "no");
    assert_string_equal(p->oftp2.via[0], "O0013HUB");
    assert_null(p->oftp2.via[1]);
    components_free(&all);
}

static void test_defaults_of_a_partner(void **state)
{
    struct components all = good_components("partner: a\noftp2: {odette_id: A}\n---\n"
                                            "partner: b\n");
    const struct config_partner *p = &all.list[0]->u.partner;

    (void)state;
    assert_int_equal(p->port, 3305);
    assert_true(p->verify_host_name);
    assert_int_equal(p->poll_ms, 0);
    assert_int_equal(p->retry_first_ms, 60000);
    assert_int_equal(p->retry_max_ms, 3600000);
    assert_int_equal(p->retry_attempts, 0);
    assert_int_equal(p->receipt_timeout_ms, 86400000);
    assert_int_equal(p->level_min, 1);
    assert_int_equal(p->level_max, 5);
    assert_int_equal(p->buffer_size, 0);
    assert_int_equal(p->compression, -1);
    assert_int_equal(p->restart, -1);
    assert_string_equal(p->call_for_receipts, "yes");
    assert_false(all.list[1]->u.partner.has_oftp2);
    components_free(&all);
}

/* Each component keeps its own text, and that text alone gives the same component. */
static void test_a_stream_is_split(void **state)
{
    static const char stream[] = "# heading \xC3\xA4\n"
                                 "---\n"
                                 "certificate: c1\n"
                                 "file: /c.pem # \xE2\x82\xAC\n"
                                 "--- # why\n"
                                 "identity: i1\n"
                                 "oftp2: {odette_id: I, password: x}\n"
                                 "...\n"
                                 "--- {partner: p1}\n"
                                 "---\n"
                                 "# nothing here\n"
                                 "---\r\n"
                                 "certificate: c2\r\n"
                                 "pem: |\r\n"
                                 "  -----BEGIN CERTIFICATE-----\r\n"
                                 "  MIIB\r\n"
                                 "  -----END CERTIFICATE-----\r\n";
    static const char *const texts[] = {
        "# heading \xC3\xA4\n---\ncertificate: c1\nfile: /c.pem # \xE2\x82\xAC\n",
        "--- # why\nidentity: i1\noftp2: {odette_id: I, password: x}\n...\n",
        "--- {partner: p1}\n",
        ("certificate: c2\r\npem: |\r\n  -----BEGIN CERTIFICATE-----\r\n  MIIB\r\n"
         "  -----END CERTIFICATE-----\r\n"),
    };
    struct components all = good_components(stream);

    (void)state;
    assert_int_equal(all.n, COUNT_OF(texts));
    for (size_t i = 0; i < all.n; i++) {
        struct components one = good_components(texts[i]);

        assert_string_equal(all.list[i]->text, texts[i]);
        assert_int_equal(one.n, 1);
        assert_int_equal(one.list[0]->kind, all.list[i]->kind);
        assert_string_equal(one.list[0]->name, all.list[i]->name);
        components_free(&one);
    }
    assert_int_equal(all.list[3]->at.line, 13);
    assert_string_equal(all.list[3]->u.certificate.pem,
                        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    components_free(&all);
}

static void test_the_kind_comes_first(void **state)
{
    (void)state;
    bad_components("proces: x\n", "f:1:1: a component begins with its kind and name: "
                                  "certificate:, identity:, partner: or process:; did you mean "
                                  "'process'?");
    bad_components("oftp2: {}\npartner: x\n", "f:1:1: a component begins with its kind");
    bad_components("- partner: x\n", "f:1:1: a component begins with its kind");
    bad_components("", "f:1:1: there is no component in it");
    bad_components("# text\n---\n", "f:1:1: there is no component in it");
    bad_components("partner: Acme\n", "f:1:10: 'partner' must be 1 to 64 of a-z 0-9 - _ . and "
                                      "begin with a letter or digit, not 'Acme'");
    bad_components("partner: ../x\n", "f:1:10: 'partner' must be 1 to 64");
    bad_components("partner:\n", "f:1:9: 'partner' has no value");
}

static void test_bad_partners(void **state)
{
    static const char *const cases[][2] = {
        { "odette_id: o0013", "f:2:21: 'odette_id' must be made of A-Z" },
        { "odette_id: O00130000000000000000000001",
          "f:2:21: 'odette_id' must have at most 25" },
        { "odette_id: ' A'", "f:2:21: 'odette_id' must not begin or end with a blank" },
        { "host: x", "f:2:9: 'odette_id' is missing" },
        { "odette_id: A, password: NINECHARS", "f:2:34: 'password' has 9 octets" },
        { "odette_id: A, poll: 5m", "f:2:30: 'poll' needs 'host'" },
        { "odette_id: A, level_min: 2.0, level_max: 1.4", "f:2:9: 'level_min' is higher" },
        { "odette_id: A, retry: {first: 2h}", "f:2:31: 'first' is longer than 'max'" },
        { "odette_id: A, client_certificate: x", "f:2:9: a partner with server_ssl_cert" },
        { "odette_id: A, host: 'a b'", "f:2:30: 'host' must be a host name" },
        { "odette_id: A, via: [B, c]", "f:2:33: 'via' must be made of" },
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(text, sizeof(text), "partner: x\noftp2:  {%s}\n", cases[i][0]);
        bad_components(text, cases[i][1]);
    }
}

static void test_bad_certificates(void **state)
{
    (void)state;
    bad_components("certificate: c\n", "f:1:1: 'pem', 'file' or 'pkcs12_file' is missing");
    bad_components("certificate: c\nfile: c.pem\n", "f:2:7: 'file' must be an absolute path");
    bad_components("certificate: c\nfile: /c.pem\npem: x\n",
                   "f:1:1: of 'pem', 'file' and 'pkcs12_file' only one may be given");
    bad_components("certificate: c\npem: x\n", "f:2:6: 'pem' holds no certificate");
    bad_components("certificate: c\npem: '-----BEGIN PRIVATE KEY-----'\n",
                   "f:2:6: 'pem' holds a private key");
}

static void test_bad_processes(void **state)
{
    static const char *const operations[][2] = {
        { "{from: {odette_id: A}, to: {identity: us}}",
          "f:3:8: 'password' is missing: what the partner must send" },
        { "{from: {partner: a, odette_id: A}, to: {identity: us}}",
          "f:3:8: 'partner' stands alone" },
        { "{from: {}, to: {identity: us}}", "f:3:8: say who: {partner: acme}" },
        { "{from: {partner: a}, to: {password: X}}", "f:3:26: say who: {identity: us}" },
        { "{from: {partner: a}}", "f:3:1: 'to' is missing" },
        { "{from: {partner: a}, to: {identity: u}, formats: FX}",
          "f:3:50: 'formats' must be letters of FVUT" },
        { "{from: {partner: a}, to: {identity: u}, archiving: {enabled: true}}",
          "f:3:62: archiving is enabled, but 'directory' is missing" },
        { "{from: {partner: a}, to: {identity: u}, acknowledge: later}",
          "f:3:54: 'acknowledge' must be one of received, processed, manual, none" },
    };
    static const char *const steps[][2] = {
        { "- wirte: {directory: /a}", "f:8:3: unknown setting 'wirte'; did you mean 'write'?" },
        { "- {write: {directory: /a}, exec: {command: [/a]}}",
          "f:8:3: an item of 'steps' is one" },
        { "- {}", "f:8:3: an item of 'steps' is one mapping" },
        { "- write: {directory: a}", "f:8:22: 'directory' must be an absolute directory" },
        { "- write: {}", "f:8:10: 'directory' is missing" },
        { "- exec: {command: []}", "f:8:19: 'command' is empty; it needs at least one" },
        { "- exec: {command: [true]}", "f:8:19: 'command' must begin with the absolute path" },
        { "- http: {url: ftp://x}", "f:8:15: 'url' must begin with http:// or https://" },
        { "- http: {url: http://x, method: GET}", "f:8:33: 'method' must be one of POST" },
        { "- send: {partner: a, format: F}", "f:8:9: format F needs record_length" },
    };
    char text[1000];

    (void)state;
    bad_components("process: p\n", "f:1:1: 'start' is missing");
    bad_components("process: p\nstart: {listen: as3-server}\n",
                   "f:2:17: 'listen' must be one of oftp2-server, as2-server, not");
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        (void)snprintf(text, sizeof(text),
                       "process: p\nstart: {listen: oftp2-server, operation:\n%s}\n",
                       operations[i][0]);
        bad_components(text, operations[i][1]);
    }
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        (void)snprintf(text, sizeof(text), "%ssteps:\n%s\n", short_process, steps[i][0]);
        bad_components(text, steps[i][1]);
    }
}

static void test_kinds_by_name(void **state)
{
    enum config_kind kind;

    (void)state;
    for (int i = CONFIG_CERTIFICATE; i <= CONFIG_PROCESS; i++) {
        assert_true(config_kind_of(config_kind_name((enum config_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(config_kind_of("runtime", &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_of_the_design_loads),
        cmocka_unit_test(test_defaults_of_a_process),
        cmocka_unit_test(test_settings_of_an_operation),
        cmocka_unit_test(test_a_partner),
        cmocka_unit_test(test_defaults_of_a_partner),
        cmocka_unit_test(test_a_stream_is_split),
        cmocka_unit_test(test_the_kind_comes_first),
        cmocka_unit_test(test_bad_partners),
        cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_bad_processes),
        cmocka_unit_test(test_kinds_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
