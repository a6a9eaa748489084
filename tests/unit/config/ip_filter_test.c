/* Rules about IP addresses. */
#include "support.h"

#include "config/ip_filter.h"

static bool allows(const char *rule, const char *address)
{
    return ip_filter_allows((const char *const[]) { rule, NULL }, address);
}

static void test_no_filter_allows_all_and_an_empty_one_none(void **state)
{
    static const char *const none[] = { NULL };

    (void)state;
    assert_true(ip_filter_allows(NULL, "192.0.2.7"));
    assert_true(ip_filter_allows(NULL, "unix"));
    assert_false(ip_filter_allows(none, "192.0.2.7"));
    assert_false(ip_filter_allows(none, "::1"));
}

static void test_one_of_several_rules_is_enough(void **state)
{
    static const char *const rules[] = { "192.0.2.7", "10.0.0.0/8", "2001:db8::1", NULL };

    (void)state;
    assert_true(ip_filter_allows(rules, "192.0.2.7"));
    assert_true(ip_filter_allows(rules, "10.255.0.1"));
    assert_true(ip_filter_allows(rules, "2001:0db8:0::1"));
    assert_false(ip_filter_allows(rules, "192.0.2.8"));
    assert_false(ip_filter_allows(rules, "2001:db8::2"));
}

struct sample {
    const char *rule;
    const char *in[5], *out[6]; /* end with NULL */
};

static const struct sample samples[] = {
    { "192.0.2.7", { "192.0.2.7", "::ffff:192.0.2.7" }, { "192.0.2.70", "192.0.2.6", "::1" } },
    { "::ffff:192.0.2.7", { "192.0.2.7", "::ffff:c000:207" }, { "192.0.2.8", "::192.0.2.7" } },
    { "192.0.2.9-192.0.2.11",
      { "192.0.2.9", "192.0.2.10", "192.0.2.11" },
      { "192.0.2.8", "192.0.2.12", "192.0.3.10", "2001:db8::a" } },
    { "192.0.2.7-192.0.2.7", { "192.0.2.7" }, { "192.0.2.6", "192.0.2.8" } },
    { "9.255.255.255-10.0.0.1",
      { "9.255.255.255", "10.0.0.0", "10.0.0.1" },
      { "9.255.255.254", "10.0.0.2" } },
    { "10.0.0.0/8", { "10.0.0.0", "10.255.255.255" }, { "9.255.255.255", "11.0.0.0" } },
    { "192.0.2.128/25", { "192.0.2.128", "192.0.2.255" }, { "192.0.2.127", "192.0.3.128" } },
    { "192.0.2.4/30",
      { "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7" },
      { "192.0.2.3", "192.0.2.8" } },
    { "192.0.2.7/32", { "192.0.2.7" }, { "192.0.2.6" } },
    { "0.0.0.0/0", { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" }, { "::1", "::" } },
    { "::/0", { "::", "2001:db8::1" }, { "192.0.2.7", "::ffff:192.0.2.7" } },
    { "2001:db8::/32",
      { "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
      { "2001:db7:ffff::", "2001:db9::", "32.1.13.184" } },
    { "2001:db8::/33", { "2001:db8:7fff::1" }, { "2001:db8:8000::" } },
    { "::ffff:10.0.0.0/104", { "10.1.2.3", "::ffff:10.1.2.3" }, { "11.0.0.0", "::10.1.2.3" } },
    { "2001:db8::a-2001:db8::c", { "2001:db8::b" }, { "2001:db8::9", "2001:db8::d" } },
    { "10.1.*.*",
      { "10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3" },
      { "10.2.0.0", "11.1.0.0" } },
    { "10.1.*", { "10.1.0.0", "10.1.255.255" }, { "10.10.0.0", "11.1.0.0" } },
    { "10.*.3.4", { "10.0.3.4", "10.255.3.4" }, { "10.0.3.5", "10.0.4.4", "11.0.3.4" } },
    { "*.*.*.1", { "1.2.3.1" }, { "1.2.3.2", "::1" } },
    { "2001:db8:*",
      { "2001:db8::", "2001:db8:1:2:3:4:5:6" },
      { "2001:db9::", "2001:0d8:b::", "10.0.0.1" } },
    { "2001:DB8:0:*:0:0:0:1",
      { "2001:db8:0:ffff::1" },
      { "2001:db8:1:ffff::1", "2001:db8::2" } },
    { "*", { "1.2.3.4", "::1", "fe80::1%eth0" }, { "unix", "", "1.2.3" } },
    { "fe80::1", { "fe80::1", "fe80::1%eth0" }, { "fe80::2%eth0", "fe80::1x" } },
};

static void test_each_kind_of_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *s = &samples[i];
        struct ip_rule rule;
        const char *wrong = ip_rule_read(s->rule, &rule);

        if (wrong != NULL)
            fail_msg("%s: %s", s->rule, wrong);
        for (const char *const *a = s->in; *a != NULL; a++)
            if (!allows(s->rule, *a))
                fail_msg("%s must allow %s", s->rule, *a);
        for (const char *const *a = s->out; *a != NULL; a++)
            if (allows(s->rule, *a))
                fail_msg("%s must not allow %s", s->rule, *a);
    }
}

static void test_what_is_no_rule(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4/+8",
        "1.2.3.0/08",
        "1.2.3.4/24",
        "1.2.3.4/24/1",
        "1.2.3.4-",
        "-1.2.3.4",
        "1.2.3.4-1.2.3.3",
        "1.2.3.4-::1",
        "1.2.3.4-1.2.3.5-1.2.3.6",
        "1.*.3",
        "10.1.2*",
        "10.**.1.1",
        "*.1",
        "256.*.*.*",
        "10..*",
        "*.*.*.*.*",
        "10.1.*.",
        "2001:db8::*",
        "2001:db8:*:1",
        "12345:*",
        "g:*",
        ":*",
        "::1/129",
        "2001:db8::1/32",
        "::ffff:10.0.0.0/95",
        "fe80::1%eth0",
        "*.*.*.*/8",
        "10.1.*.*-10.2.*.*",
    };
    char longest[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct ip_rule rule = { .octets = 99 };

        if (ip_rule_read(bad[i], &rule) == NULL)
            fail_msg("'%s' must be refused", bad[i]);
        assert_int_equal(rule.octets, 99);
        assert_false(allows(bad[i], "1.2.3.4"));
        assert_false(allows(bad[i], "2001:db8::1"));
    }
    memset(longest, '1', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_false(allows(longest, "1.1.1.1"));
    assert_false(allows("1.1.1.1", longest));
}

/* Every octet of every good rule changed, and every truncation: no crash, and nothing that is no
 * address is ever allowed. */
static void test_rules_that_are_damaged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        size_t n = strlen(samples[i].rule);
        char text[80];

        for (size_t k = 0; k < n; k++)
            for (unsigned bit = 0; bit < 9; bit++) {
                memcpy(text, samples[i].rule, n + 1);
                text[k] = bit < 8 ? (char)(text[k] ^ (1 << bit)) : '\0';
                assert_false(allows(text, "unix"));
                (void)allows(text, "192.0.2.7");
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_filter_allows_all_and_an_empty_one_none),
        cmocka_unit_test(test_one_of_several_rules_is_enough),
        cmocka_unit_test(test_each_kind_of_rule),
        cmocka_unit_test(test_what_is_no_rule),
        cmocka_unit_test(test_rules_that_are_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
