/* Settings of AS2: the server, identities, partners, operations, and send steps. */
#include "support.h"

#define MINIMAL "runtime: {name: plant, data_directory: /data}\n"

/* ---- the server ---- */

static void test_defaults_of_the_server(void **state)
{
    struct config_runtime *c = good_runtime(MINIMAL);
    const struct config_as2_server *s = &c->as2_server;

    (void)state;
    assert_false(c->as2_server_given);
    assert_string_equal(s->path, "/as2");
    assert_int_equal(s->endpoints_n, 0);
    assert_null(s->mdn_url);
    assert_string_equal(s->domain, "plant");
    assert_string_equal(s->product, "Waybill");
    assert_int_equal(s->max_connections, 1000);
    assert_int_equal(s->max_connections_per_address, 100);
    assert_int_equal(s->header_timeout_ms, 30000);
    assert_int_equal(s->idle_timeout_ms, 60000);
    assert_int_equal(s->min_octets_per_second, 1024);
    assert_int_equal(s->max_message_size, 0);
    assert_int_equal(s->sync_wait_ms, 30000);
    assert_int_equal(s->duplicate_memory_ms, INT64_C(30) * 86400000);
    assert_false(s->answer_unknown);
    assert_int_equal(s->senders, 8);
    assert_int_equal(s->max_posts_per_partner, 4);
    config_runtime_free(c);
}

static void test_settings_of_the_server(void **state)
{
    struct config_runtime *c =
        good_runtime(MINIMAL "as2_server:\n"
                             "  path: /in/as2\n"
                             "  mdn_url: \"https://as2.us.example:8443/in/as2?x=1\"\n"
                             "  domain: us.example\n"
                             "  product: \"EDI gateway 7\"\n"
                             "  max_message_size: 5G\n"
                             "  min_octets_per_second: 0\n"
                             "  answer_unknown: yes\n"
                             "  senders: 64\n"
                             "  endpoints:\n"
                             "  - {port: 80}\n"
                             "  - {host: \"::1\", port: 443, ssl: true, ssl_certificate: t, "
                             "require_client_ssl: true, trusted_certificates: ca}\n");
    const struct config_as2_server *s = &c->as2_server;
    char *dump = config_runtime_dump(c);
    struct config_runtime *again;

    (void)state;
    assert_true(c->as2_server_given);
    assert_string_equal(s->path, "/in/as2");
    assert_string_equal(s->mdn_url, "https://as2.us.example:8443/in/as2?x=1");
    assert_string_equal(s->domain, "us.example");
    assert_string_equal(s->product, "EDI gateway 7");
    assert_int_equal(s->max_message_size, INT64_C(5) << 30);
    assert_int_equal(s->min_octets_per_second, 0);
    assert_true(s->answer_unknown);
    assert_int_equal(s->senders, 64);
    assert_int_equal(s->endpoints_n, 2);
    assert_string_equal(s->endpoints[0].host, "::");
    assert_int_equal(s->endpoints[0].port, 80);
    assert_false(s->endpoints[0].ssl);
    assert_int_equal(s->endpoints[0].at.line, 12);
    assert_true(s->endpoints[1].ssl && s->endpoints[1].require_client_ssl);
    assert_string_equal(s->endpoints[1].ssl_certificate, "t");
    assert_string_equal(s->endpoints[1].trusted_certificates, "ca");
    /* dump shows all of it */
    again = good_runtime(dump);
    assert_true(again->as2_server_given);
    assert_string_equal(again->as2_server.mdn_url, s->mdn_url);
    assert_int_equal(again->as2_server.endpoints_n, 2);
    assert_true(again->as2_server.endpoints[1].require_client_ssl);
    config_runtime_free(again);
    free(dump);
    config_runtime_free(c);
}

static void test_bad_settings_of_the_server(void **state)
{
    static const char *const bad[][2] = {
        { "path: as2", "f:2:20: 'path' must be the path of a URL" },
        { "mdn_url: ftp://x", "f:2:23: 'mdn_url' must begin with http:// or https://" },
        { "mdn_url: \"http://\"", "f:2:23: 'mdn_url' must have a host name or address" },
        { "mdn_url: \"http://u:p@h/\"",
          "f:2:23: 'mdn_url' must have no user name or password" },
        { "mdn_url: \"http://h:0/\"", "f:2:23: 'mdn_url' must have a host name" },
        { "mdn_url: \"http://h:65536/\"", "f:2:23: 'mdn_url' must have a host name" },
        { "mdn_url: \"http://h:8x/\"", "f:2:23: 'mdn_url' must have a host name" },
        { "mdn_url: \"http://[::1\"", "f:2:23: 'mdn_url' must have a host name" },
        { "mdn_url: \"http://h/a b\"", "f:2:23: 'mdn_url' must have no blanks" },
        { "mdn_url: \"http://h/a\\\\b\"", "f:2:23: 'mdn_url' must have no blanks" },
        { "mdn_url: \"http://h/#x\"", "f:2:23: 'mdn_url' must have no fragment" },
        { "domain: a@b", "f:2:22: 'domain' must be a domain name" },
        { "product: \"\xC3\xA4\"", "f:2:23: 'product' must be made of printable ASCII" },
        { "senders: 65", "f:2:23: 'senders' is 65, which is out of range; it must be 1 to 64" },
        { "odette_id: X", "f:2:14: unknown setting 'odette_id'" },
        { "endpoints: [{port: 1, ssl: true}]", "f:2:26: an endpoint with ssl needs ssl_cert" },
        { "endpoints: [{port: 1, ssl_certificate: x}]", "f:2:26: an endpoint with ssl_certif" },
        { "endpoints: [{port: 1, require_client_ssl: true}]",
          "f:2:26: an endpoint with require_client_ssl or trusted_certificates also needs ssl" },
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(text, sizeof(text), MINIMAL "as2_server: {%s}\n", bad[i][0]);
        bad_runtime(text, bad[i][1]);
    }
    config_runtime_free(
        good_runtime(MINIMAL "as2_server: {mdn_url: \"http://[2001:db8::1]:8080/as2\"}\n"));
}

/* ---- AS2 IDs ---- */

/* AS2-C4, AS2-C5: an ID has 1 to 128 characters, and blanks only where that is allowed. */
static void test_as2_ids(void **state)
{
    static const char *const good[] = { "A", "ACME-1!#[x];<y>@z,'&/", "a\\\"b\\\\c", "aB" };
    char text[400], name[140];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct components all;

        (void)snprintf(text, sizeof(text), "identity: us\nas2: {as2_id: \"%s\"}\n", good[i]);
        all = good_components(text);
        assert_true(all.list[0]->u.identity.has_as2);
        assert_false(all.list[0]->u.identity.has_oftp2);
        components_free(&all);
    }
    memset(name, 'x', sizeof(name));
    name[128] = '\0';
    (void)snprintf(text, sizeof(text), "partner: a\nas2: {as2_id: %s}\n", name);
    struct components all = good_components(text);
    assert_string_equal(all.list[0]->u.partner.as2.as2_id, name);
    components_free(&all);
    name[128] = 'x';
    name[129] = '\0';
    (void)snprintf(text, sizeof(text), "partner: a\nas2: {as2_id: %s}\n", name);
    bad_components(text, "f:2:15: 'as2_id' must have at most 128 characters");
    bad_components("partner: a\nas2: {as2_id: \"\"}\n", "f:2:15: 'as2_id' is empty");
    bad_components("partner: a\nas2: {as2_id: \"\xC3\xA4\"}\n",
                   "f:2:15: 'as2_id' must be made of printable ASCII characters");
    bad_components("partner: a\nas2: {url: http://h}\n", "f:2:6: 'as2_id' is missing");
}

struct place {
    const char *before, *after, *at;
};

static const struct place places[] = {
    { "partner: a\nas2: {as2_id: ", "}\n", "f:2:15: " },
    { "identity: a\nas2: {as2_id: ", "}\n", "f:2:15: " },
    { "process: p\nstart: {listen: as2-server, operation: {\nfrom: {as2_id: ",
      "}, to: {as2_id: B}}}\n", "f:3:16: " },
    { "process: p\nstart: {listen: as2-server, operation: {\nto: {as2_id: ",
      "}, from: {as2_id: B}}}\n", "f:3:14: " },
};

/* wrong NULL: it is taken. */
static void blanks(const struct place *p, const char *id, const char *wrong)
{
    char text[400], want[200];
    struct components all;

    (void)snprintf(text, sizeof(text), "%s%s%s", p->before, id, p->after);
    if (wrong == NULL) {
        all = good_components(text);
        components_free(&all);
        return;
    }
    (void)snprintf(want, sizeof(want), "%s%s", p->at, wrong);
    bad_components(text, want);
}

/* AS2-C5: configuration refuses an ID with blanks unless allow_blanks is set. */
static void test_blanks_in_as2_ids(void **state)
{
    static const char blank[] =
        "'as2_id' has a blank in it; when the partner insists on it, add "
        "allow_blanks: true";
    static const char end[] = "'as2_id' must not begin or end with a blank";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        blanks(&places[i], "AC ME", blank);
        blanks(&places[i], "AC ME, allow_blanks: false", blank);
        blanks(&places[i], "AC  M E, allow_blanks: true", NULL);
        blanks(&places[i], "\" ACME\", allow_blanks: true", end);
        blanks(&places[i], "\"ACME \", allow_blanks: true", end);
        blanks(&places[i], "\" \", allow_blanks: true", end);
    }
}

/* ---- partners and identities ---- */

static void test_defaults_of_a_partner(void **state)
{
    struct components all = good_components("partner: a\nas2: {as2_id: A}\n---\npartner: b\n");
    const struct config_partner *p = &all.list[0]->u.partner;
    const struct config_as2_partner *o = &p->as2_out;

    (void)state;
    assert_true(p->has_as2);
    assert_false(p->has_oftp2);
    assert_null(p->as2.ip_filter);
    assert_null(p->as2.username);
    assert_null(o->url);
    assert_true(o->verify_host_name && o->send.is_signed && o->send.encrypted);
    assert_string_equal(o->send.compressed, "no");
    assert_string_equal(o->send.digest, "SHA256");
    assert_string_equal(o->send.cipher, "AES256");
    assert_string_equal(o->send.padding, "pkcs1");
    assert_false(o->send.legacy_names);
    assert_true(o->send.signed_attributes);
    assert_string_equal(o->send.include_certificates, "leaf");
    assert_string_equal(o->send.content_type, "application/octet-stream");
    assert_string_equal(o->send.subject, "{{document.name}}");
    assert_true(o->send.file_name && o->send.signed_mdn);
    assert_false(o->send.base64 || o->send.chunked || o->accept_unsigned_receipts ||
                 o->tolerate_trailing_crlf);
    assert_int_equal(o->send.mdn, MDN_SYNC);
    assert_string_equal(o->send.version, "1.2");
    assert_int_equal(o->retry_first_ms, 60000);
    assert_int_equal(o->retry_max_ms, 3600000);
    assert_int_equal(o->retry_attempts, 12);
    assert_int_equal(o->receipt_timeout_ms, 3600000);
    assert_int_equal(o->receipt_resends, 3);
    assert_int_equal(o->connect_timeout_ms, 30000);
    assert_int_equal(o->answer_timeout_ms, 300000);
    assert_false(all.list[1]->u.partner.has_as2);
    components_free(&all);
}

static const char whole_partner[] =
    "partner: acme\n"
    "as2:\n"
    "  as2_id: ACME\n"
    "  signing_certificate: acme-sign\n"
    "  encryption_certificate: acme-encrypt\n"
    "  client_ssl_certificate: acme-tls\n"
    "  username: acme\n"
    "  password: {secret: acme_http}\n"
    "  ip_filter: [192.0.2.7, 10.0.0.0/8, 2001:db8:*]\n"
    "  url: https://as2.acme.example/as2?to=us\n"
    "  mdn_url: https://as2.acme.example/mdn\n"
    "  our_username: us\n"
    "  our_password: geheim\n"
    "  mdn_username: us2\n"
    "  mdn_password: {secret: m}\n"
    "  server_ssl_certificate: acme-ca\n"
    "  verify_host_name: false\n"
    "  client_certificate: our-tls\n"
    "  proxy: http://proxy.example:3128\n"
    "  identity: us\n"
    "  send: {signed: no, encrypted: no, compressed: after_signing, digest: SHA1, cipher: 3DES,\n"
    "    padding: pss_oaep, legacy_names: true, signed_attributes: false,\n"
    "    include_certificates: none, content_type: \"text/plain; charset=utf-8\", subject: S,\n"
    "    file_name: no, base64: yes, chunked: yes, mdn: async, signed_mdn: no, version: \"1.0\"}\n"
    "  retry: {first: 2m, max: 3h, attempts: 0}\n"
    "  receipt_timeout: 5m\n"
    "  receipt_resends: 0\n"
    "  connect_timeout: 1s\n"
    "  answer_timeout: 10s\n"
    "  accept_unsigned_receipts: true\n"
    "  tolerate_trailing_crlf: true\n";

static void test_all_settings_of_a_partner(void **state)
{
    struct components all = good_components(whole_partner);
    const struct config_as2_party *p = &all.list[0]->u.partner.as2;
    const struct config_as2_partner *o = &all.list[0]->u.partner.as2_out;

    (void)state;
    assert_string_equal(p->signing_certificate, "acme-sign");
    assert_string_equal(p->encryption_certificate, "acme-encrypt");
    assert_string_equal(p->client_ssl_certificate, "acme-tls");
    assert_string_equal(p->username, "acme");
    assert_string_equal(p->password.name, "acme_http");
    assert_string_equal(p->ip_filter[0], "192.0.2.7");
    assert_string_equal(p->ip_filter[2], "2001:db8:*");
    assert_null(p->ip_filter[3]);
    assert_int_equal(p->at.line, 3);
    assert_string_equal(o->url, "https://as2.acme.example/as2?to=us");
    assert_string_equal(o->mdn_url, "https://as2.acme.example/mdn");
    assert_string_equal(o->username, "us");
    assert_string_equal(o->password.value, "geheim");
    assert_string_equal(o->mdn_username, "us2");
    assert_string_equal(o->mdn_password.name, "m");
    assert_string_equal(o->server_ssl_certificate, "acme-ca");
    assert_string_equal(o->client_certificate, "our-tls");
    assert_string_equal(o->proxy, "http://proxy.example:3128");
    assert_string_equal(o->identity, "us");
    assert_false(o->verify_host_name || o->send.is_signed || o->send.encrypted);
    assert_string_equal(o->send.compressed, "after_signing");
    assert_string_equal(o->send.digest, "SHA1");
    assert_string_equal(o->send.cipher, "3DES");
    assert_string_equal(o->send.padding, "pss_oaep");
    assert_true(o->send.legacy_names && o->send.base64 && o->send.chunked);
    assert_false(o->send.signed_attributes || o->send.file_name || o->send.signed_mdn);
    assert_string_equal(o->send.include_certificates, "none");
    assert_string_equal(o->send.content_type, "text/plain; charset=utf-8");
    assert_string_equal(o->send.subject, "S");
    assert_int_equal(o->send.mdn, MDN_ASYNC);
    assert_string_equal(o->send.version, "1.0");
    assert_int_equal(o->retry_max_ms, 3 * 3600000);
    assert_int_equal(o->retry_attempts, 0);
    assert_int_equal(o->receipt_resends, 0);
    assert_true(o->accept_unsigned_receipts && o->tolerate_trailing_crlf);
    components_free(&all);
}

static void test_an_identity(void **state)
{
    struct components all =
        good_components("identity: us\n"
                        "as2: {as2_id: US, decryption_certificate: d,\n"
                        "  mdn_signing_certificate: m, signing_certificate: s}\n"
                        "oftp2: {odette_id: OUS}\n");
    const struct config_identity *id = &all.list[0]->u.identity;

    (void)state;
    assert_true(id->has_as2 && id->has_oftp2);
    assert_string_equal(id->as2.as2_id, "US");
    assert_string_equal(id->as2.decryption_certificate, "d");
    assert_string_equal(id->as2.mdn_signing_certificate, "m");
    assert_string_equal(id->as2.signing_certificate, "s");
    components_free(&all);
}

static void test_bad_settings_of_a_partner(void **state)
{
    static const char *const bad[][2] = {
        { "url: acme.example", "f:2:24: 'url' must begin with http:// or https://" },
        { "proxy: ftp://x", "f:2:26: 'proxy' must begin with http://, https://, socks5://" },
        { "username: x", "f:2:29: 'username' needs 'password'" },
        { "username: \"a:b\", password: x", "f:2:29: 'username' must have no colon in it" },
        { "password: x", "f:2:29: 'password' needs 'username'" },
        { "our_username: x, url: http://h", "f:2:33: 'our_username' needs 'our_password'" },
        { "mdn_password: x, mdn_url: http://h", "f:2:33: 'mdn_password' needs 'mdn_username'" },
        { "our_username: x, our_password: y", "f:2:33: 'our_username' needs 'url'" },
        { "mdn_username: x, mdn_password: y", "f:2:33: 'mdn_username' needs 'mdn_url'" },
        { "client_certificate: c, url: http://h",
          "f:2:6: server_ssl_certificate and client_cert" },
        { "ip_filter: [10.1.2.3/8]", "f:2:31: 'ip_filter' must have zeros behind the prefix" },
        { "ip_filter: [1.2.3.4, x]", "f:2:40: 'ip_filter' must be an IP address, a range a-b" },
        { "ip_filter: 1.2.3.4", "f:2:30: 'ip_filter' must be a list" },
        { "retry: {first: 2h}", "f:2:26: 'first' is longer than 'max'" },
        { "send: {digest: MD5}", "f:2:34: 'digest' must be one of SHA1, SHA224, SHA256" },
        { "send: {cipher: DES}", "f:2:34: 'cipher' must be one of 3DES, AES128" },
        { "send: {compressed: yes}", "f:2:38: 'compressed' must be one of no, before_signing" },
        { "send: {mdn: later}", "f:2:31: 'mdn' must be one of none, sync, async" },
        { "send: {content_type: text}", "f:2:40: 'content_type' must be a media type" },
        { "send: {content_type: \"a/b\\r\\nX: y\"}",
          "f:2:40: 'content_type' has control char" },
        { "send: {content_type: a/b c}", NULL },
        { "odette_id: X",
          "f:2:19: 'odette_id' is a setting of OFTP2, and this is a place for" },
        { "poll: 5m", "f:2:19: 'poll' is a setting of OFTP2" },
        { "decryption_certificate: x", "f:2:19: unknown setting 'decryption_certificate'" },
        { "send: {signed_receipt: true}", "f:2:26: unknown setting 'signed_receipt'" },
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(text, sizeof(text), "partner: a\nas2: {as2_id: AA, %s}\n", bad[i][0]);
        if (bad[i][1] != NULL)
            bad_components(text, bad[i][1]);
    }
    bad_components("partner: a\noftp2: {odette_id: A, url: http://x}\n",
                   "f:2:23: 'url' is a setting of AS2, and this is a place for those of OFTP2");
    bad_components("identity: a\noftp2: {odette_id: A, mdn_signing_certificate: x}\n",
                   "f:2:23: 'mdn_signing_certificate' is a setting of AS2");
    bad_components("identity: a\nas2: {as2_id: A, acknowledgment_signing_certificate: x}\n",
                   "f:2:18: 'acknowledgment_signing_certificate' is a setting of OFTP2");
}

/* ---- operations ---- */

#define START "process: p\nstart:\n  listen: as2-server\n  operation:\n"
#define PAIR  "    from: {as2_id: A}\n    to: {as2_id: B}\n"

static void test_defaults_of_an_operation(void **state)
{
    struct components all = good_components(START PAIR);
    const struct config_process *p = &all.list[0]->u.process;
    const struct config_as2_operation *o = &p->as2;

    (void)state;
    assert_string_equal(p->listen, "as2-server");
    assert_string_equal(o->from.as2_id, "A");
    assert_string_equal(o->to.as2_id, "B");
    assert_null(p->from_partner);
    assert_int_equal(p->from_at.line, 5);
    assert_true(o->reject_duplicates.enabled);
    assert_int_equal(o->reject_duplicates.number, 100000);
    assert_int_equal(o->reject_duplicates.days, 0);
    assert_null(o->digests);
    assert_null(o->ciphers);
    assert_null(o->minimum_digest);
    assert_false(o->legacy_names || o->mic_by_list || o->uniform_errors || o->headerless);
    assert_string_equal(o->mic_default, "SHA1");
    assert_int_equal(o->mdn_delivery, MDN_URL_PARTNER_HOST);
    assert_null(o->mdn_url);
    assert_int_equal(o->expired_grace_days, 0);
    assert_int_equal(o->file_names, FILE_NAMES_PRESERVE);
    assert_int_equal(p->acknowledge, ACK_RECEIVED);
    assert_false(p->require.is_signed || p->archiving.enabled);
    components_free(&all);
}

static void test_all_settings_of_an_operation(void **state)
{
    struct components all = good_components(
        START
        "    from:\n"
        "      as2_id: A\n"
        "      signing_certificate: s\n"
        "      client_ssl_certificate: c\n"
        "      username: u\n"
        "      password: {secret: p}\n"
        "      ip_filter: []\n"
        "    to: {as2_id: B, decryption_certificate: d, mdn_signing_certificate: m}\n"
        "    require: {signed: true, encrypted: true, compressed: true, signed_receipt: true}\n"
        "    digests: [SHA256, MD5]\n"
        "    minimum_digest: SHA224\n"
        "    ciphers: [AES256_GCM, 3DES]\n"
        "    acknowledge: manual\n"
        "    archiving: {directory: /a, raw: true}\n"
        "    tracking: [{field: f, value: \"{{as2.message_id}}\"}]\n"
        "    max_file_size: 10M\n"
        "    reject_duplicates: {days: 30}\n"
        "    legacy_names: true\n"
        "    mic_algorithm: list\n"
        "    mic_default: SHA512\n"
        "    mdn_delivery: configured\n"
        "    mdn_url: http://a.example/mdn\n"
        "    uniform_errors: true\n"
        "    expired_grace_days: 90\n"
        "    file_names: reject\n"
        "    headerless: true\n"
        "steps:\n- write: {directory: /d}\n");
    const struct config_process *p = &all.list[0]->u.process;
    const struct config_as2_operation *o = &p->as2;

    (void)state;
    assert_string_equal(o->from.signing_certificate, "s");
    assert_string_equal(o->from.client_ssl_certificate, "c");
    assert_string_equal(o->from.username, "u");
    assert_string_equal(o->from.password.name, "p");
    assert_non_null(o->from.ip_filter);
    assert_null(o->from.ip_filter[0]);
    assert_string_equal(o->to.decryption_certificate, "d");
    assert_string_equal(o->to.mdn_signing_certificate, "m");
    assert_true(p->require.is_signed && p->require.encrypted && p->require.compressed &&
                p->require.signed_receipt);
    assert_string_equal(o->digests[0], "SHA256");
    assert_string_equal(o->digests[1], "MD5");
    assert_null(o->digests[2]);
    assert_string_equal(o->minimum_digest, "SHA224");
    assert_string_equal(o->ciphers[0], "AES256_GCM");
    assert_string_equal(o->ciphers[1], "3DES");
    assert_int_equal(p->acknowledge, ACK_MANUAL);
    assert_true(p->archiving.enabled && p->archiving.raw);
    assert_int_equal(p->tracking_n, 1);
    assert_int_equal(p->max_file_size, 10 << 20);
    assert_int_equal(o->reject_duplicates.days, 30);
    assert_int_equal(o->reject_duplicates.number, 0);
    assert_true(o->legacy_names && o->mic_by_list && o->uniform_errors && o->headerless);
    assert_string_equal(o->mic_default, "SHA512");
    assert_int_equal(o->mdn_delivery, MDN_URL_CONFIGURED);
    assert_string_equal(o->mdn_url, "http://a.example/mdn");
    assert_int_equal(o->expired_grace_days, 90);
    assert_int_equal(o->file_names, FILE_NAMES_REJECT);
    assert_int_equal(p->steps_n, 1);
    components_free(&all);
}

static void test_how_duplicates_are_recognised(void **state)
{
    static const struct {
        const char *text;
        bool enabled;
        uint32_t number, days;
    } good[] = {
        { "true", true, 100000, 0 },
        { "no", false, 100000, 0 },
        { "{}", true, 100000, 0 },
        { "{enabled: false}", false, 100000, 0 },
        { "{number: 100}", true, 100, 0 },
        { "{number: 1000000}", true, 1000000, 0 },
        { "{enabled: true, days: 1}", true, 0, 1 },
    };
    static const char *const bad[][2] = {
        { "{number: 99}",
          "f:7:33: 'number' is 99, which is out of range; it must be 100 to 1000000" },
        { "{number: 1000001}", "f:7:33: 'number' is 1000001, which is out of range" },
        { "{days: 0}", "f:7:31: 'days' is 0, which is out of range" },
        { "{number: 100, days: 1}", "f:7:24: of 'number' and 'days' only one" },
        { "sometimes", "f:7:24: 'reject_duplicates' must be true, false or a mapping" },
        { "[]", "f:7:24: 'reject_duplicates' must be a mapping" },
        { "{numbers: 100}", "f:7:25: unknown setting 'numbers'; did you mean 'number'?" },
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct components all;
        const struct config_as2_operation *o;

        (void)snprintf(text, sizeof(text), START PAIR "    reject_duplicates: %s\n",
                       good[i].text);
        all = good_components(text);
        o = &all.list[0]->u.process.as2;
        assert_int_equal(o->reject_duplicates.enabled, good[i].enabled);
        assert_int_equal(o->reject_duplicates.number, good[i].number);
        assert_int_equal(o->reject_duplicates.days, good[i].days);
        components_free(&all);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(text, sizeof(text), START PAIR "    reject_duplicates: %s\n", bad[i][0]);
        bad_components(text, bad[i][1]);
    }
}

static void test_bad_settings_of_an_operation(void **state)
{
    static const char *const bad[][2] = {
        { "digests: []", "f:7:14: 'digests' is empty" },
        { "ciphers: []", "f:7:14: 'ciphers' is empty" },
        { "digests: [SHA256, SHA2]", "f:7:23: 'digests' must be one of MD5, SHA1, SHA224" },
        { "ciphers: [RC4]", "f:7:15: 'ciphers' must be one of 3DES, AES128" },
        { "minimum_digest: sha1", "f:7:21: 'minimum_digest' must be one of MD5, SHA1" },
        { "mic_algorithm: best", "f:7:20: 'mic_algorithm' must be one of signature, list" },
        { "mdn_delivery: anywhere",
          "f:7:19: 'mdn_delivery' must be one of partner-host, conf" },
        { "mdn_delivery: configured", "f:7:19: mdn_delivery: configured needs 'mdn_url'" },
        { "mdn_url: mailto:x", "f:7:14: 'mdn_url' must begin with http:// or https://" },
        { "expired_grace_days: 91",
          "f:7:25: 'expired_grace_days' is 91, which is out of range" },
        { "file_names: keep", "f:7:17: 'file_names' must be one of ignore, preserve, reject" },
        { "cipher_suites: [AES_RSA_SHA256]",
          "f:7:5: 'cipher_suites' is a setting of OFTP2, and" },
        { "formats: FV", "f:7:5: 'formats' is a setting of OFTP2" },
        { "relay: []", "f:7:5: 'relay' is a setting of OFTP2" },
        { "mic: x", "f:7:5: unknown setting 'mic'" },
    };
    char text[500];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(text, sizeof(text), START PAIR "    %s\n", bad[i][0]);
        bad_components(text, bad[i][1]);
    }
    bad_components(
        "process: p\nstart:\n  listen: oftp2-server\n  operation:\n"
        "    from: {odette_id: A, password: x}\n    to: {odette_id: B}\n"
        "    mdn_delivery: configured\n",
        "f:7:5: 'mdn_delivery' is a setting of AS2, and this is a place for those of "
        "OFTP2; remove it");
    bad_components("process: p\nstart:\n  listen: oftp2-server\n  operation:\n"
                   "    from: {odette_id: A, password: x, as2_id: X}\n    to: {odette_id: B}\n",
                   "f:5:39: 'as2_id' is a setting of AS2, and this is a place for");
    bad_components(START "    from: {as2_id: A, odette_id: O}\n    to: {as2_id: B}\n",
                   "f:5:23: 'odette_id' is a setting of OFTP2, and this is a place for");
    bad_components(START "    from: {as2_id: A}\n    to: {as2_id: B, password: x}\n",
                   "f:6:21: 'password' is a setting of OFTP2");
    bad_components(START "    from: {partner: a, as2_id: A}\n    to: {as2_id: B}\n",
                   "f:5:11: 'partner' stands alone");
    bad_components(START "    from: {ip_filter: []}\n    to: {as2_id: B}\n",
                   "f:5:11: say who: {partner: acme}, or 'as2_id' and its settings in place");
    bad_components(START "    from: {partner: a}\n", "f:5:5: 'to' is missing");
}

/* ---- send steps ---- */

static void test_send_steps(void **state)
{
    struct components all = good_components(
        START PAIR
        "steps:\n"
        "- send: {partner: a, protocol: as2, content_type: a/b, subject: \"{{document.id}}\"}\n"
        "- send: {partner: a, protocol: oftp2, format: T}\n"
        "- send: {partner: a}\n");
    const struct config_step *s = all.list[0]->u.process.steps;

    (void)state;
    assert_string_equal(s[0].u.send.protocol, "as2");
    assert_string_equal(s[0].u.send.content_type, "a/b");
    assert_string_equal(s[0].u.send.subject, "{{document.id}}");
    assert_string_equal(s[1].u.send.protocol, "oftp2");
    assert_null(s[2].u.send.protocol);
    components_free(&all);
    bad_components(START PAIR "steps:\n- send: {partner: a, protocol: as4}\n",
                   "f:8:32: 'protocol' must be one of oftp2, as2");
    bad_components(START PAIR "steps:\n- send: {partner: a, protocol: as2, format: T}\n",
                   "f:8:45: 'format' has no meaning with protocol: as2");
    bad_components(START PAIR "steps:\n- send: {partner: a, protocol: oftp2, subject: T}\n",
                   "f:8:48: 'subject' has no meaning with protocol: oftp2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_the_server),
        cmocka_unit_test(test_settings_of_the_server),
        cmocka_unit_test(test_bad_settings_of_the_server),
        cmocka_unit_test(test_as2_ids),
        cmocka_unit_test(test_blanks_in_as2_ids),
        cmocka_unit_test(test_defaults_of_a_partner),
        cmocka_unit_test(test_all_settings_of_a_partner),
        cmocka_unit_test(test_an_identity),
        cmocka_unit_test(test_bad_settings_of_a_partner),
        cmocka_unit_test(test_defaults_of_an_operation),
        cmocka_unit_test(test_all_settings_of_an_operation),
        cmocka_unit_test(test_how_duplicates_are_recognised),
        cmocka_unit_test(test_bad_settings_of_an_operation),
        cmocka_unit_test(test_send_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
