/* What the tests of the configuration share. */
#ifndef WAYBILL_TESTS_CONFIG_SUPPORT_H
#define WAYBILL_TESTS_CONFIG_SUPPORT_H

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline void print_problems(const struct config_problems *ps)
{
    char line[1200];

    for (const struct config_problem *p = ps->first; p != NULL; p = p->next) {
        config_problem_line(p, line, sizeof(line));
        print_message("%s\n", line);
    }
}

/* One of the problems must begin with want: "f:3:7: text". */
static inline void assert_problem(const struct config_problems *ps, const char *want)
{
    char got[1200];

    for (const struct config_problem *p = ps->first; p != NULL; p = p->next) {
        config_problem_line(p, got, sizeof(got));
        if (strncmp(got, want, strlen(want)) == 0)
            return;
    }
    print_problems(ps);
    fail_msg("no problem begins with: %s", want);
}

static inline struct config_runtime *good_runtime(const char *yaml)
{
    struct config_problems ps = { 0 };
    struct config_runtime *c = config_runtime_parse(span_text(yaml), "f", &ps);

    print_problems(&ps);
    assert_non_null(c);
    assert_int_equal(ps.n, 0);
    config_problems_free(&ps);
    return c;
}

/* The text must be refused with this as one of the problems. */
static inline void bad_runtime(const char *yaml, const char *want)
{
    struct config_problems ps = { 0 };

    assert_null(config_runtime_parse(span_text(yaml), "f", &ps));
    assert_problem(&ps, want);
    config_problems_free(&ps);
}

struct components {
    struct config_component **list;
    size_t n;
};

static inline struct components good_components(const char *yaml)
{
    struct config_problems ps = { 0 };
    struct components all;
    bool ok = config_components_parse(span_text(yaml), "f", &all.list, &all.n, &ps);

    print_problems(&ps);
    assert_true(ok);
    assert_int_equal(ps.n, 0);
    config_problems_free(&ps);
    return all;
}

static inline void bad_components(const char *yaml, const char *want)
{
    struct config_problems ps = { 0 };
    struct components all = { (struct config_component **)&ps, 7 };

    assert_false(config_components_parse(span_text(yaml), "f", &all.list, &all.n, &ps));
    assert_null(all.list);
    assert_int_equal(all.n, 0);
    assert_problem(&ps, want);
    config_problems_free(&ps);
}

static inline void components_free(struct components *all)
{
    for (size_t i = 0; i < all->n; i++)
        config_component_free(all->list[i]);
    free(all->list);
    *all = (struct components) { 0 };
}

/* A whole file; given: free(). */
static inline char *file_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* The examples of the design. */
static const char example_runtime[] =
    "# waybill.yaml\n"
    "runtime: {name: plant-7, data_directory: /var/lib/waybill}\n"
    "store: sqlite                       # or postgresql://...\n"
    "oftp2_server:\n"
    "  endpoints:\n"
    "    - {port: 3305}\n"
    "    - {port: 6619, session_level_encryption: true, server_ssl_certificate: our-tls, "
    "require_client_ssl: false}\n"
    "  cipher_suite: AES_RSA_SHA256      # 3DES/AES x SHA1/SHA256/SHA512\n"
    "  require_secure_authentication: false\n"
    "as2_server:\n"
    "  path: /as2\n"
    "  endpoints:\n"
    "    - {host: 0.0.0.0, port: 8080}\n"
    "    - {host: 0.0.0.0, port: 8443, ssl: true, ssl_certificate: our-tls}\n"
    "admin: {listen: \"127.0.0.1:8090\"}\n";

static const char example_process[] =
    "process: orders-from-acme\n"
    "start:\n"
    "  listen: oftp2-server\n"
    "  operation:\n"
    "    from:                            # or {partner: acme}\n"
    "      odette_id: O0013000001ACME\n"
    "      password: {secret: acme_password}\n"
    "      acknowledgment_verification_certificate: acme-sign\n"
    "      signature_verification_certificate: acme-sign\n"
    "      session_authentication_encrypting_certificate: acme-auth\n"
    "      client_ssl_certificate: acme-tls\n"
    "    to:                              # or {identity: us}\n"
    "      odette_id: O0013000002US\n"
    "      password: {secret: our_password}\n"
    "      decryption_certificate: our-decrypt\n"
    "      acknowledgment_signing_certificate: our-sign\n"
    "      session_authentication_challenge_certificate: our-auth\n"
    "    require: {signed: true, encrypted: true}\n"
    "    acknowledge: received            # processed | manual | none\n"
    "    archiving: {enabled: true, directory: /var/archive/acme}\n"
    "    tracking:\n"
    "      - {field: Order file, value: \"{{oftp2.sfiddsn}}\"}\n"
    "steps:\n"
    "  - write: {directory: /srv/edi/in, name: \"{{document.id}}-{{oftp2.sfiddsn}}\"}\n"
    "  - exec: {command: [/usr/local/bin/import-order], timeout: 60s}\n"
    "  - http: {url: \"http://erp.local/edi\", method: POST}\n";

static const char example_as2[] =
    "partner: acme\n"
    "as2:\n"
    "  as2_id: \"AC ME\"\n"
    "  allow_blanks: true\n"
    "  ip_filter: [192.0.2.1-192.0.2.9, 10.1.*.*]\n"
    "  url: https://as2.acme.example:8443/as2?x=1\n"
    "  username: acme\n"
    "  password: {secret: acme_http}\n"
    "  send: {compressed: before_signing, content_type: application/edifact, mdn: async}\n"
    "---\n"
    "process: invoices\n"
    "start:\n"
    "  listen: as2-server\n"
    "  operation:\n"
    "    from: {partner: acme}\n"
    "    to: {as2_id: US}\n"
    "    reject_duplicates: {days: 30}\n"
    "    digests: [SHA256]\n"
    "    mic_algorithm: list\n"
    "steps:\n"
    "  - send: {partner: acme, protocol: as2, subject: \"{{as2.subject}}\"}\n";

#endif
