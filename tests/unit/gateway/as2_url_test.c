/* Where asynchronous MDNs may go (as2.md 4.9), and what makes a message the same again (5.4). */
#include "gateway/as2_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct place {
    struct config_process process;
    struct config_as2_partner out;
    struct partner partner;
    struct listener l;
    struct arena a;
};

/* A listener with its partner's url and mdn_url, and the operation's own mdn_url. */
static struct place *place(enum config_mdn_url rule, const char *url, const char *mdn_url,
                           const char *own)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    p->process.as2.mdn_delivery = rule;
    p->process.as2.mdn_url = own;
    p->out.url = url;
    p->out.mdn_url = mdn_url;
    p->partner.as2_out.cfg = &p->out;
    p->l.process = &p->process;
    p->l.partner = &p->partner;
    return p;
}

/* NULL: none; of both NULL: refused, with a line that names the setting. */
static void goes(struct place *p, const char *wanted, const char *url, const char *fallback)
{
    const char *got = NULL, *other = NULL;
    struct err err = { 0 };
    bool ok = as2_mdn_urls(&p->l, wanted, &p->a, &got, &other, &err);

    if (ok != (url != NULL || fallback != NULL))
        fail_msg("%s: %s", wanted, ok ? "taken" : err.text);
    if (!ok) {
        assert_int_equal(err.wire, 403);
        assert_non_null(strstr(err.text, "mdn_url"));
        return;
    }
    if ((got == NULL) != (url == NULL) || (got != NULL && strcmp(got, url) != 0))
        fail_msg("%s goes to %s", wanted, got == NULL ? "nowhere" : got);
    if ((other == NULL) != (fallback == NULL) ||
        (other != NULL && strcmp(other, fallback) != 0))
        fail_msg("%s falls back to %s", wanted, other == NULL ? "nowhere" : other);
}

static void done(struct place *p)
{
    arena_free(&p->a);
    free(p);
}

static void a_host_of_the_partner_is_used_with_any_port_and_path(void **state)
{
    const char *url = "https://10.1.2.3/as2", *mdn = "http://mdn.example/r?x=1";
    struct place *p = place(MDN_URL_PARTNER_HOST, url, mdn, NULL);

    (void)state;
    goes(p, "http://10.1.2.3:4080/mdn", "http://10.1.2.3:4080/mdn", mdn);
    goes(p, "https://MDN.example/other", "https://MDN.example/other", mdn);
    goes(p, "http://mdn.example/r#here", "http://mdn.example/r", mdn);
    goes(p, "http://else.example/", NULL, mdn);
    p->out.mdn_url = NULL;
    goes(p, "http://10.1.2.3/x", "http://10.1.2.3/x", url);
    goes(p, "http://else.example/", NULL, NULL);
    p->process.as2.mdn_url = "http://own.example/";
    goes(p, "http://own.example:81/y", "http://own.example:81/y", "http://own.example/");
    done(p);
}

static void what_only_looks_like_the_partners_host_is_not(void **state)
{
    static const char *const wanted[] = {
        "http://mdn.example@evil.example/",
        "http://mdn.example:80@evil.example/",
        "http://evil.example/mdn.example",
        "http://mdn.example.evil.example/",
        "http://evil.example#mdn.example",
        "http://evil.example\\@mdn.example/",
        "http://evil.example?mdn.example",
        "http://xmdn.example/",
        "http://mdn.example\r\nX: y/",
        "http://mdn.example /",
        "ftp://mdn.example/",
        "file:///etc/passwd",
        "mailto:as2@mdn.example",
        "//mdn.example/",
        "http://",
        "http:///",
        "http://mdn.example:0/",
        "http://mdn.example:65536/",
        "http://user:pw@mdn.example/",
        "gopher://mdn.example/",
        "http://mdn.example:80:80/",
        "http://[::1]:x/",
        "http://mdn.example%2eevil.example",
        "",
    };
    struct place *p = place(MDN_URL_PARTNER_HOST, NULL, "http://mdn.example/", NULL);
    char longest[2100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        goes(p, wanted[i], NULL, "http://mdn.example/");
    (void)snprintf(longest, sizeof(longest), "http://mdn.example/%02060d", 1);
    goes(p, longest, NULL, "http://mdn.example/");
    done(p);
}

static void configured_is_configured_whatever_is_wanted(void **state)
{
    struct place *p = place(MDN_URL_CONFIGURED, "http://a.example/", "http://b.example/", NULL);

    (void)state;
    goes(p, "http://a.example/", NULL, "http://b.example/");
    p->out.mdn_url = NULL;
    goes(p, "http://a.example/", NULL, NULL);
    done(p);
}

static void any_public_is_no_address_of_a_house_and_no_port_of_another_service(void **state)
{
    static const char *const no[] = {
        "http://127.0.0.1/",       "http://127.1/",
        "http://2130706433/",      "http://0x7f.0.0.1/",
        "http://017700000001/",    "http://0.0.0.0/",
        "http://10.0.0.1/",        "http://172.16.0.1/",
        "http://192.168.1.1/",     "http://100.64.0.1/",
        "http://169.254.169.254",  "http://224.0.0.1/",
        "http://[::1]/",           "http://[::]/",
        "http://[fe80::1]/",       "http://[fd00::1]/",
        "http://[ff02::1]/",       "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/",
        "http://[::127.0.0.1]/",   "http://pub.example:22/",
        "https://pub.example:25/", "http://pub.example:1023/",
    };
    struct place *p = place(MDN_URL_ANY_PUBLIC, "http://10.9.9.9:22/", NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        p->process.as2.mdn_url = NULL;
        goes(p, no[i], NULL, NULL);
        p->process.as2.mdn_url = "http://own.example/";
        goes(p, no[i], NULL, "http://own.example/");
    }
    goes(p, "http://pub.example/", "http://pub.example/", "http://own.example/");
    goes(p, "https://pub.example:8443/x", "https://pub.example:8443/x", "http://own.example/");
    /* an operator wrote it */
    goes(p, "http://10.9.9.9:4080/x", "http://10.9.9.9:4080/x", "http://own.example/");
    done(p);
}

static void without_a_partner_only_the_operations_url_counts(void **state)
{
    struct place *p = place(MDN_URL_PARTNER_HOST, "http://a.example/", NULL, NULL);

    (void)state;
    p->l.partner = NULL;
    goes(p, "http://a.example/", NULL, NULL);
    p->process.as2.mdn_url = "http://a.example/mdn";
    goes(p, "http://a.example/", "http://a.example/", "http://a.example/mdn");
    done(p);
}

static void the_key_of_a_message_is_its_names_and_its_id_without_brackets(void **state)
{
    struct arena a = { 0 };
    const char *key = as2_key(&a, "F", "T", "<id@x>");

    (void)state;
    assert_string_equal(key, as2_key(&a, "F", "T", "  id@x "));
    assert_string_not_equal(key, as2_key(&a, "f", "T", "<id@x>"));
    assert_string_not_equal(key, as2_key(&a, "T", "F", "<id@x>"));
    assert_string_not_equal(key, as2_key(&a, "F", "T", "<ID@x>"));
    /* names and id cannot be shifted into each other */
    assert_string_not_equal(as2_key(&a, "AB", "C", "<i>"), as2_key(&a, "A", "BC", "<i>"));
    assert_null(as2_key(&a, "F", "T", ""));
    assert_null(as2_key(&a, "F", "T",
                        "<a\x1f"
                        "b>"));
    arena_free(&a);
}

static void an_mdn_goes_where_the_message_wants_only_when_that_proves_its_sender(void **state)
{
    struct arena a = { 0 };
    struct document d = { .id = 1 };

    (void)state;
    assert_null(as2_mdn_url(&d));
    props_set(&d.props, &a, AS2_MDN_URL, "http://wanted.example/");
    assert_null(as2_mdn_url(&d));
    props_set(&d.props, &a, AS2_MDN_FALLBACK, "http://configured.example/");
    assert_string_equal(as2_mdn_url(&d), "http://configured.example/");
    props_set(&d.props, &a, AS2_AUTHENTIC, "signature");
    assert_string_equal(as2_mdn_url(&d), "http://wanted.example/");
    props_set(&d.props, &a, AS2_MDN_URL, "");
    assert_string_equal(as2_mdn_url(&d), "http://configured.example/");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_of_the_partner_is_used_with_any_port_and_path),
        cmocka_unit_test(what_only_looks_like_the_partners_host_is_not),
        cmocka_unit_test(configured_is_configured_whatever_is_wanted),
        cmocka_unit_test(any_public_is_no_address_of_a_house_and_no_port_of_another_service),
        cmocka_unit_test(without_a_partner_only_the_operations_url_counts),
        cmocka_unit_test(the_key_of_a_message_is_its_names_and_its_id_without_brackets),
        cmocka_unit_test(an_mdn_goes_where_the_message_wants_only_when_that_proves_its_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
