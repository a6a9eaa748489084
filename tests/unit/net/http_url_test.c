/* URLs of requests, URLs that partners give, and the addresses they may lead to. */
#include "support.h"

#include "net/http_int.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

static void split(const char *url, const char *want_path, const char *want_query)
{
    struct arena a = { 0 };
    const char *path = NULL, *query = NULL;
    bool ok = http_split_url(url, &a, &path, &query);

    if (want_path == NULL) {
        assert_false(ok);
    } else {
        assert_true(ok);
        assert_string_equal(path, want_path);
        assert_string_equal(query, want_query);
    }
    arena_free(&a);
}

static void test_targets_of_requests(void **state)
{
    (void)state;
    split("/", "/", "");
    split("/a%20b/%C3%a4?q=%41#top", "/a b/\xc3\xa4", "q=%41");
    split("/a+b", "/a+b", "");
    split("*", "*", "");
    split("http://gate:80/x?y", "/x", "y");
    split("http://gate?y", "/", "y");
    split("http://gate", "/", "");
    split("/%", NULL, NULL);
    split("/%4", NULL, NULL);
    split("/%zz", NULL, NULL);
    split("/a%00b", NULL, NULL);
    split("gate:80", NULL, NULL);
}

static void test_queries_of_requests(void **state)
{
    struct http_request r = { .query = "a=1&b=x+y%26z&c&d=&%65=v&bad=%q&a=2" };

    (void)state;
    assert_string_equal(http_query(&r, "a"), "1");
    assert_string_equal(http_query(&r, "b"), "x y&z");
    assert_string_equal(http_query(&r, "c"), "");
    assert_string_equal(http_query(&r, "d"), "");
    assert_string_equal(http_query(&r, "e"), "v");
    assert_null(http_query(&r, "bad"));
    assert_null(http_query(&r, "f"));
    arena_free(&r.arena);
}

static void takes(const char *text, bool tls, const char *host, uint16_t port, const char *path,
                  const char *whole)
{
    struct arena a = { 0 };
    struct http_url u = { 0 };
    struct err err;

    CHECK(http_url_check(text, &a, &u, &err));
    assert_int_equal(u.tls, tls);
    assert_string_equal(u.host, host);
    assert_int_equal(u.port, port);
    assert_string_equal(u.path, path);
    assert_string_equal(u.url, whole);
    arena_free(&a);
}

/* AS2-C22: the query stays as it is; default ports */
static void test_urls_are_taken_apart(void **state)
{
    (void)state;
    takes("http://Partner.example/as2?a=%20b&c=/?", false, "partner.example", 80,
          "/as2?a=%20b&c=/?", "http://Partner.example/as2?a=%20b&c=/?");
    takes("HTTPS://a#frag", true, "a", 443, "/", "HTTPS://a");
    takes("https://a:8443?x", true, "a", 8443, "/?x", "https://a:8443?x");
    takes("http://[2001:DB8::1]:4080/../x#y?z", false, "2001:db8::1", 4080, "/../x",
          "http://[2001:DB8::1]:4080/../x");
    takes("http://127.1/", false, "127.0.0.1", 80, "/", "http://127.1/");
    takes("http://a/b@c", false, "a", 80, "/b@c", "http://a/b@c");
}

static void test_urls_are_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "a",
                                       "/a",
                                       "http:",
                                       "http://",
                                       "http:///x",
                                       "http:a",
                                       "//a/b",
                                       "ftp://a/",
                                       "mailto:a@b",
                                       "file:///etc/passwd",
                                       "javascript://a",
                                       "http://u@a/",
                                       "http://u:p@a/",
                                       "http://@a/",
                                       "http://a@b@c/",
                                       "http://a:0/",
                                       "http://a:65536/",
                                       "http://a:x/",
                                       "http://a /",
                                       " http://a/",
                                       "http://a/\r\nX: y",
                                       "http://a/b\\c",
                                       "http://a\\@b/",
                                       "http://a/\t",
                                       "http://a/\x7f",
                                       "http://\xc3\xa4/",
                                       "http://[::1/",
                                       "http://a%00b/" };
    struct arena a = { 0 };
    struct http_url u = { .port = 7 };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (http_url_check(bad[i], &a, &u, &err))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.kind, FAIL_PEER);
        assert_int_equal(err.wire, 400);
    }
    assert_int_equal(u.port, 7);
    arena_free(&a);
}

/* AS2-C127 */
static void test_urls_have_a_limit(void **state)
{
    char text[HTTP_URL_MAX + 2] = "http://a/";
    struct arena a = { 0 };
    struct http_url u;
    struct err err;

    (void)state;
    memset(text + 9, 'x', sizeof(text) - 9);
    text[HTTP_URL_MAX + 1] = '\0';
    assert_false(http_url_check(text, &a, &u, &err));
    text[HTTP_URL_MAX] = '\0';
    CHECK(http_url_check(text, &a, &u, &err));
    arena_free(&a);
}

/* AS2-C82: credentials are for an origin */
static void test_origins(void **state)
{
    static const char *const same[] = { "https://a/x", "https://A:443/y?z", "https://a" };
    static const char *const others[] = { "http://a/x", "https://b/x", "https://a:444/x",
                                          "https://a.b/x", "http://a:443/" };
    struct arena a = { 0 };
    struct http_url one, two;
    struct err err;

    (void)state;
    CHECK(http_url_check(same[0], &a, &one, &err));
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        CHECK(http_url_check(same[i], &a, &two, &err));
        assert_true(http_same_origin(&one, &two));
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        CHECK(http_url_check(others[i], &a, &two, &err));
        assert_false(http_same_origin(&one, &two));
    }
    arena_free(&a);
}

static bool is_public(const char *text, char again[NI_MAXHOST])
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    bool ok;

    if (getaddrinfo(text, NULL, &hints, &list) != 0)
        fail_msg("no address: %s", text);
    ok = net_address_public(list->ai_addr);
    net_address_text(list->ai_addr, list->ai_addrlen, again, NI_MAXHOST);
    freeaddrinfo(list);
    return ok;
}

/* AS2-C81: the addresses just within and just outside of each range */
static void test_addresses_of_the_public_internet(void **state)
{
    static const char *const yes[] = { "1.0.0.0",         "9.255.255.255",    "11.0.0.0",
                                       "100.63.255.255",  "100.128.0.0",      "126.255.255.255",
                                       "128.0.0.0",       "169.253.255.255",  "169.255.0.0",
                                       "172.15.255.255",  "172.32.0.0",       "192.0.1.0",
                                       "192.167.255.255", "192.169.0.0",      "198.17.255.255",
                                       "198.20.0.0",      "223.255.255.255",  "8.8.8.8",
                                       "2000::1",         "2600::1",          "2a01:4f8::1",
                                       "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8", "2002:808:808::1",
                                       "2001:200::1" };
    static const char *const no[] = { "0.0.0.0",
                                      "0.255.255.255",
                                      "10.0.0.0",
                                      "10.255.255.255",
                                      "100.64.0.0",
                                      "100.127.255.255",
                                      "127.0.0.1",
                                      "127.255.255.255",
                                      "169.254.0.0",
                                      "169.254.169.254",
                                      "172.16.0.0",
                                      "172.31.255.255",
                                      "192.0.0.1",
                                      "192.0.2.1",
                                      "192.168.0.0",
                                      "192.168.255.255",
                                      "198.18.0.0",
                                      "198.19.255.255",
                                      "198.51.100.1",
                                      "203.0.113.1",
                                      "224.0.0.1",
                                      "239.255.255.255",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::127.0.0.1",
                                      "::8.8.8.8",
                                      "fe80::1",
                                      "febf::1",
                                      "fec0::1",
                                      "fc00::1",
                                      "fdff::1",
                                      "ff02::1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "::ffff:169.254.169.254",
                                      "64:ff9b::127.0.0.1",
                                      "64:ff9b::a9fe:a9fe",
                                      "64:ff9b:1::1",
                                      "2002:7f00:1::1",
                                      "2002:a00:1::1",
                                      "2001::1",
                                      "2001:db8::1",
                                      "100::1",
                                      "3fff::1",
                                      "5f00::1" };
    char text[NI_MAXHOST];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (!is_public(yes[i], text))
            fail_msg("refused: %s", yes[i]);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        if (is_public(no[i], text))
            fail_msg("taken: %s", no[i]);
    }
    (void)is_public("::ffff:10.1.2.3", text);
    assert_string_equal(text, "10.1.2.3");
    assert_false(net_address_public(&(struct sockaddr) { .sa_family = AF_UNIX }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets_of_requests),
        cmocka_unit_test(test_queries_of_requests),
        cmocka_unit_test(test_urls_are_taken_apart),
        cmocka_unit_test(test_urls_are_refused),
        cmocka_unit_test(test_urls_have_a_limit),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_addresses_of_the_public_internet),
    };

    return cmocka_run_group_tests_name("net.http_url", tests, NULL, NULL);
}
