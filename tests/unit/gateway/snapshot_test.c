/* What becomes of deployed components: listeners of both servers, their states and collisions, and
 * how they are found. */
#include "config/ip_filter.h"
#include "gateway/snapshot.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    char directory[64];
    struct config_runtime *rt;
    struct store *store;
    struct snapshot *sn;
};

static void put_file(const struct scene *s, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", s->directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct config_problems ps = { 0 };
    struct err err = { 0 };
    char yaml[600], *cert = NULL, *key = NULL;

    assert_non_null(s);
    (void)snprintf(s->directory, sizeof(s->directory), "/tmp/waybill-snapshot-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    (void)snprintf(yaml, sizeof(yaml),
                   "runtime: {data_directory: %s/data, secrets_directory: %s}\n"
                   "as2_server: {endpoints: [{port: 0}, {port: 0, ssl: true, ssl_certificate: "
                   "ours}, {port: 0, ssl: true, ssl_certificate: none}]}\n",
                   s->directory, s->directory);
    s->rt = config_runtime_parse(span_text(yaml), "f", &ps);
    assert_non_null(s->rt);
    assert_true(store_open(&(struct store_config) { "sqlite", s->rt->runtime.data_directory },
                           &s->store, &err));
    assert_true(pki_generate("us", 2048, 30, net_wall_ms() / 1000,
                             PKI_SIGN | PKI_ENCRYPT | PKI_SERVER, &cert, &key, &err));
    put_file(s, "cert.pem", cert);
    put_file(s, "key.pem", key);
    put_file(s, "acme_http", "open sesame\n");
    free(cert);
    free(key);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;
    char command[128];

    snapshot_put(s->sn);
    store_close(s->store);
    config_runtime_free(s->rt);
    (void)snprintf(command, sizeof(command), "rm -rf %s", s->directory);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

/* Deploys one more component, told by its first line, and builds a new snapshot. */
static void deploy(struct scene *s, const char *text)
{
    struct store_batch *b = store_batch_new();
    struct deployment d = { .at_ms = net_wall_ms(), .text = text };
    struct config_component **list;
    struct config_problems ps = { 0 };
    struct err err = { 0 };
    size_t n;

    assert_true(config_components_parse(span_text(text), "f", &list, &n, &ps));
    assert_int_equal(n, 1);
    d.kind = config_kind_name(list[0]->kind);
    d.name = list[0]->name;
    assert_non_null(b);
    store_put_deployment(b, &d);
    assert_true(store_commit(s->store, b, &err));
    store_batch_free(b);
    config_component_free(list[0]);
    free(list);
    snapshot_put(s->sn);
    assert_true(snapshot_build(s->store, s->rt, &s->sn, &err));
}

static void deploy_certificate(struct scene *s, const char *name)
{
    char text[400];

    (void)snprintf(text, sizeof(text),
                   "certificate: %s\nfile: %s/cert.pem\nkey_file: %s/key.pem\n", name,
                   s->directory, s->directory);
    deploy(s, text);
}

static void pause_process(struct scene *s, const char *name, bool paused)
{
    struct store_batch *b = store_batch_new();
    struct err err = { 0 };

    assert_non_null(b);
    store_set_paused(b, "process", name, paused);
    assert_true(store_commit(s->store, b, &err));
    store_batch_free(b);
    snapshot_put(s->sn);
    assert_true(snapshot_build(s->store, s->rt, &s->sn, &err));
}

#define AS2(name, from, to)                                                                    \
    "process: " name "\nstart: {listen: as2-server, operation: {from: {" from "}, to: {" to    \
    "}}}\n"
#define OFTP2(name, from, to)                                                                  \
    "process: " name "\nstart: {listen: oftp2-server, operation: {from: {" from "}, to: {" to  \
    "}}}\n"

static void assert_listener(const struct scene *s, const char *name, enum listener_state state,
                            const char *reason)
{
    const struct listener *l = snapshot_listener(s->sn, name);

    assert_non_null(l);
    if (l->state != state || (reason != NULL && strstr(l->reason, reason) == NULL))
        fail_msg("%s is in state %d: %s", name, (int)l->state,
                 l->reason == NULL ? "-" : l->reason);
}

/* ---- AS2 listeners ----------------------------------------------------------------------- */

static void test_an_as2_listener_is_found_by_both_names(void **state)
{
    struct scene *s = *state;
    const struct listener *l;

    deploy(s, AS2("p", "as2_id: ACME", "as2_id: US"));
    assert_listener(s, "p", LISTENER_LISTENING, NULL);
    l = snapshot_as2_listener(s->sn, "ACME", "US");
    assert_non_null(l);
    assert_string_equal(l->name, "p");
    assert_ptr_equal(l->as2, &l->process->as2);
    assert_string_equal(l->as2_from.id, "ACME");
    assert_string_equal(l->as2_to.id, "US");
    assert_string_equal(l->as2_from.name, "");
    assert_null(l->as2_from.username);
    assert_null(l->client_certificate);
    assert_null(snapshot_as2_listener(s->sn, "US", "ACME"));
    assert_null(snapshot_as2_listener(s->sn, "ACME", "OTHER"));
    assert_null(snapshot_as2_listener(s->sn, "", ""));
}

/* AS2-C6: differing case does not select the same partner. */
static void test_as2_names_are_compared_with_their_case(void **state)
{
    struct scene *s = *state;

    deploy(s, AS2("p", "as2_id: ACME", "as2_id: US"));
    deploy(s, AS2("q", "as2_id: Acme", "as2_id: US"));
    assert_listener(s, "q", LISTENER_LISTENING, NULL);
    assert_string_equal(snapshot_as2_listener(s->sn, "Acme", "US")->name, "q");
    assert_null(snapshot_as2_listener(s->sn, "acme", "US"));
    assert_null(snapshot_as2_listener(s->sn, "ACME", "us"));
}

static void test_the_later_of_two_with_one_pair_is_errored(void **state)
{
    struct scene *s = *state;

    deploy(s, "partner: acme\nas2: {as2_id: ACME}\n");
    deploy(s, AS2("first", "as2_id: ACME", "as2_id: US"));
    deploy(s, AS2("second", "partner: acme", "as2_id: US"));
    deploy(s, AS2("other", "partner: acme", "as2_id: US2"));
    assert_listener(s, "first", LISTENER_LISTENING, NULL);
    assert_listener(
        s, "second", LISTENER_ERRORED,
        "listener 'first' was deployed earlier with the same AS2-From ACME and AS2-To "
        "US: give one of them another as2_id");
    assert_listener(s, "other", LISTENER_LISTENING, NULL);
    assert_string_equal(snapshot_as2_listener(s->sn, "ACME", "US")->name, "first");
    pause_process(s, "first", true);
    assert_listener(s, "first", LISTENER_PAUSED, NULL);
    assert_listener(s, "second", LISTENER_ERRORED, "first");
    assert_string_equal(snapshot_as2_listener(s->sn, "ACME", "US")->name, "first");
    assert_int_equal(snapshot_as2_listener(s->sn, "ACME", "US")->state, LISTENER_PAUSED);
}

static void test_an_errored_listener_is_told_from_none(void **state)
{
    struct scene *s = *state;

    deploy(s, AS2("p", "as2_id: ACME, signing_certificate: gone", "as2_id: US"));
    assert_listener(s, "p", LISTENER_ERRORED,
                    "signing_certificate: certificate 'gone' is not deployed");
    assert_int_equal(snapshot_as2_listener(s->sn, "ACME", "US")->state, LISTENER_ERRORED);
    deploy(s, AS2("q", "as2_id: ACME", "as2_id: US"));
    assert_string_equal(snapshot_as2_listener(s->sn, "ACME", "US")->name, "q");
    deploy(s, AS2("r", "as2_id: X, username: u, password: {secret: nowhere}", "as2_id: US"));
    assert_listener(s, "r", LISTENER_ERRORED, "as2.password of X: secret 'nowhere'");
    deploy(s, AS2("t", "partner: stranger", "as2_id: US"));
    assert_listener(s, "t", LISTENER_ERRORED,
                    "partner 'stranger' (start.operation.from) is not");
    deploy(s, "partner: oftp-only\noftp2: {odette_id: O, password: x}\n");
    deploy(s, AS2("u", "partner: oftp-only", "as2_id: US"));
    assert_listener(s, "u", LISTENER_ERRORED, "'oftp-only' (start.operation.from) has no as2");
    deploy(s, "identity: oftp-us\noftp2: {odette_id: OUS}\n");
    deploy(s, AS2("v", "as2_id: Y", "identity: oftp-us"));
    assert_listener(s, "v", LISTENER_ERRORED, "'oftp-us' (start.operation.to) has no as2");
}

static void test_sides_have_their_secrets_and_certificates(void **state)
{
    struct scene *s = *state;
    const struct listener *l;
    const struct partner *p;

    deploy_certificate(s, "ours");
    deploy_certificate(s, "theirs");
    deploy(s, "partner: acme\n"
              "as2:\n"
              "  as2_id: ACME\n"
              "  username: acme\n"
              "  password: {secret: acme_http}\n"
              "  signing_certificate: theirs\n"
              "  encryption_certificate: theirs\n"
              "  client_ssl_certificate: theirs\n"
              "  ip_filter: [10.0.0.0/8]\n"
              "  url: https://acme.example/as2\n"
              "  our_username: us\n"
              "  our_password: {secret: acme_http}\n"
              "  server_ssl_certificate: theirs\n"
              "  client_certificate: ours\n");
    deploy(s, "identity: us\nas2: {as2_id: US, decryption_certificate: ours, "
              "mdn_signing_certificate: ours, signing_certificate: ours}\n");
    deploy(s, AS2("p", "partner: acme", "identity: us"));
    assert_listener(s, "p", LISTENER_LISTENING, NULL);
    l = snapshot_as2_listener(s->sn, "ACME", "US");
    p = snapshot_partner_of_as2(s->sn, "ACME");
    assert_ptr_equal(l->partner, p);
    assert_string_equal(l->as2_from.name, "acme");
    assert_string_equal(l->as2_from.username, "acme");
    assert_string_equal(l->as2_from.password, "open sesame");
    assert_string_equal(l->as2_from.signing->name, "theirs");
    assert_string_equal(l->as2_from.encryption->name, "theirs");
    assert_string_equal(l->client_certificate->name, "theirs");
    assert_string_equal(l->as2_to.name, "us");
    assert_string_equal(l->as2_to.decryption->name, "ours");
    assert_string_equal(l->as2_to.mdn_signing->name, "ours");
    assert_string_equal(l->as2_to.signing->name, "ours");
    assert_true(certificate_shown(l->client_certificate, l->as2_to.signing->set.list[0]->leaf));
    assert_false(certificate_shown(l->client_certificate, NULL));
    assert_false(certificate_shown(NULL, l->as2_to.signing->set.list[0]->leaf));
    assert_true(ip_filter_allows(l->as2_from.cfg->ip_filter, "10.1.2.3"));
    assert_null(p->as2_out.error);
    assert_null(p->as2_out.send_error);
    assert_string_equal(p->as2_out.password, "open sesame");
    assert_string_equal(p->as2_out.server_ssl->name, "theirs");
    assert_string_equal(p->as2_out.client->name, "ours");
    assert_string_equal(snapshot_identity_of_as2(s->sn, "US")->name, "us");
    assert_null(snapshot_identity_of_as2(s->sn, "us"));
    assert_null(snapshot_partner_of_as2(s->sn, "acme"));
}

static void test_why_nothing_can_be_sent_to_a_partner(void **state)
{
    struct scene *s = *state;

    deploy(s, "partner: a\nas2: {as2_id: A}\n");
    deploy(s, "partner: b\nas2: {as2_id: B, url: http://h, send: {mdn: async}}\n");
    deploy(s, "partner: c\nas2: {as2_id: C, url: https://h, client_certificate: none}\n");
    assert_null(snapshot_partner(s->sn, "a")->as2_out.error);
    assert_non_null(strstr(snapshot_partner(s->sn, "a")->as2_out.send_error, "has no as2.url"));
    assert_null(snapshot_partner(s->sn, "b")->as2_out.error);
    assert_non_null(
        strstr(snapshot_partner(s->sn, "b")->as2_out.send_error, "as2_server.mdn_url"));
    assert_non_null(strstr(snapshot_partner(s->sn, "c")->as2_out.error,
                           "client_certificate: certificate 'none' is not deployed"));
    assert_string_equal(snapshot_partner(s->sn, "c")->as2_out.error,
                        snapshot_partner(s->sn, "c")->as2_out.send_error);
}

/* ---- beside OFTP2 ------------------------------------------------------------------------ */

static void test_the_searches_of_one_protocol_skip_the_other(void **state)
{
    struct scene *s = *state;
    bool known = true;

    deploy(s, AS2("as2", "as2_id: ACME", "as2_id: US"));
    deploy(s, OFTP2("oftp2", "odette_id: ACME, password: X", "odette_id: US"));
    deploy(s, OFTP2("any", "odette_id: ANY, password: {any: true}", "odette_id: US"));
    deploy(s, AS2("as2-any", "as2_id: ANY", "as2_id: US"));
    assert_listener(s, "as2", LISTENER_LISTENING, NULL);
    assert_listener(s, "oftp2", LISTENER_LISTENING, NULL);
    assert_string_equal(snapshot_as2_listener(s->sn, "ACME", "US")->name, "as2");
    assert_string_equal(snapshot_logon(s->sn, "ACME", "X", &known)->name, "oftp2");
    assert_null(snapshot_logon(s->sn, "ACME", "", &known));
    assert_true(known);
    assert_string_equal(snapshot_logon(s->sn, "ANY", "Y", &known)->name, "any");
    assert_null(snapshot_logon(s->sn, "", "", &known));
    assert_false(known);
    assert_null(snapshot_listener(s->sn, "oftp2")->as2);
    assert_null(snapshot_listener(s->sn, "as2")->from.code);
    assert_non_null(snapshot_listener(s->sn, "as2")->from.cfg); /* empty, never missing */
}

static void test_components_without_the_protocol_are_not_found_by_it(void **state)
{
    struct scene *s = *state;

    deploy(s, "partner: a\nas2: {as2_id: A}\n");
    deploy(s, "partner: o\noftp2: {odette_id: O}\n");
    deploy(s, "identity: us\nas2: {as2_id: U}\n");
    assert_null(snapshot_partner_of_code(s->sn, ""));
    assert_null(snapshot_partner_of_code(s->sn, "A"));
    assert_null(snapshot_partner_of_as2(s->sn, "O"));
    assert_null(snapshot_partner_of_as2(s->sn, ""));
    assert_null(snapshot_identity_of_code(s->sn, ""));
    assert_null(snapshot_only_identity(s->sn, false));
    assert_string_equal(snapshot_only_identity(s->sn, true)->name, "us");
    deploy(s, "identity: both\noftp2: {odette_id: OU}\nas2: {as2_id: U2}\n");
    assert_string_equal(snapshot_only_identity(s->sn, false)->name, "both");
    assert_null(snapshot_only_identity(s->sn, true));
}

static void test_two_oftp2_listeners_still_collide(void **state)
{
    struct scene *s = *state;

    deploy(s, AS2("zero", "as2_id: ACME", "as2_id: US"));
    deploy(s, OFTP2("first", "odette_id: ACME, password: X", "odette_id: US"));
    deploy(s, OFTP2("second", "odette_id: ACME, password: X", "odette_id: US2"));
    assert_listener(s, "second", LISTENER_ERRORED, "listener 'first' was deployed earlier");
}

static void test_endpoints_of_the_as2_server_have_their_tls(void **state)
{
    struct scene *s = *state;

    deploy_certificate(s, "ours");
    assert_int_equal(s->sn->as2_endpoints_n, 3);
    assert_null(s->sn->as2_endpoints[0].tls);
    assert_null(s->sn->as2_endpoints[0].error);
    assert_non_null(s->sn->as2_endpoints[1].tls);
    assert_null(s->sn->as2_endpoints[2].tls);
    assert_non_null(strstr(s->sn->as2_endpoints[2].error,
                           "ssl_certificate: certificate 'none' is not deployed"));
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_an_as2_listener_is_found_by_both_names),
        SCENE(test_as2_names_are_compared_with_their_case),
        SCENE(test_the_later_of_two_with_one_pair_is_errored),
        SCENE(test_an_errored_listener_is_told_from_none),
        SCENE(test_sides_have_their_secrets_and_certificates),
        SCENE(test_why_nothing_can_be_sent_to_a_partner),
        SCENE(test_the_searches_of_one_protocol_skip_the_other),
        SCENE(test_components_without_the_protocol_are_not_found_by_it),
        SCENE(test_two_oftp2_listeners_still_collide),
        SCENE(test_endpoints_of_the_as2_server_have_their_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
