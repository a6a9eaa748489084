/* Requests from arrays: the same however they are cut. */
#include "support.h"

#include "net/http_int.h"

#include <stdio.h>
#include <stdlib.h>

static struct http_parse *p;

static int up(void **state)
{
    (void)state;
    p = malloc(sizeof(*p));
    assert_non_null(p);
    http_parse_begin(p, false);
    return 0;
}

static int down(void **state)
{
    (void)state;
    free(p);
    return 0;
}

/* Feeds text in pieces of at most chunk octets until the head is whole; the rest stays fed. */
static enum http_step feed_head(struct span text, size_t chunk, struct span *rest)
{
    enum http_step step = HTTP_MORE;

    while (step == HTTP_MORE && text.n > 0) {
        struct room room = http_parse_room(p);
        size_t n = text.n < chunk ? text.n : chunk;

        assert_true(room.n > 0);
        n = n < room.n ? n : room.n;
        memcpy(room.p, text.p, n);
        http_parse_filled(p, n);
        span_skip(&text, n);
        step = http_parse_head(p);
    }
    *rest = text;
    return step;
}

static bool feed_body(struct span *rest, size_t chunk, char *body, size_t cap, size_t *n)
{
    *n = 0;
    while (!p->complete) {
        size_t got = 0;

        if (!http_parse_body(p, (struct room) { (uint8_t *)body + *n, cap - *n }, &got))
            return false;
        *n += got;
        if (got == 0 && !p->complete) {
            struct room room = http_parse_room(p);
            size_t take = rest->n < chunk ? rest->n : chunk;

            if (take == 0)
                return true;
            memcpy(room.p, rest->p, take);
            http_parse_filled(p, take);
            span_skip(rest, take);
        }
    }
    return true;
}

static const char *field(const char *name)
{
    return http_field_get(p->fields, p->fields_n, name);
}

/* AS2-C17, AS2-C9, AS2-C16: RFC 9112 5.2, which AS2 partners still use; 7.1; and a request behind
 * it on the same line. */
static void test_every_split(void **state)
{
    static const char text[] = "POST /as2?x=1 HTTP/1.1\r\n"
                               "Host: gate\r\n"
                               "Content-Type: multipart/signed; \r\n"
                               "\tprotocol=\"application/pkcs7-signature\";\r\n"
                               "   micalg=sha1  \r\n"
                               "Receipt-Delivery-Option:\r\n http://a/b\r\n"
                               "X-Empty:\r\n"
                               "X-Late:\r\n later\r\n"
                               "Transfer-Encoding: chunked\r\n"
                               "\r\n"
                               "5;ext=1\r\nhello\r\n"
                               "4 \t\r\n, wo\r\n"
                               "03 ;a=\"b;c\" ;d\r\nrld\r\n"
                               "0\r\nTrailer: x\r\nAnother: y\r\n\r\n"
                               "GET /next HTTP/1.1\r\nHost: b\r\n\r\n";

    (void)state;
    for (size_t chunk = 1; chunk <= sizeof(text); chunk++) {
        struct span rest;
        char body[32];
        size_t n = 0;

        http_parse_begin(p, false);
        assert_int_equal(feed_head(span_text(text), chunk, &rest), HTTP_HEAD_DONE);
        assert_string_equal(p->url, "/as2?x=1");
        assert_int_equal(p->fields_n, 6);
        assert_string_equal(field("host"), "gate");
        assert_string_equal(field("receipt-delivery-option"), "http://a/b");
        assert_string_equal(field("CONTENT-TYPE"),
                            "multipart/signed; "
                            "protocol=\"application/pkcs7-signature\"; micalg=sha1");
        assert_string_equal(field("x-empty"), "");
        assert_string_equal(field("x-late"), "later");
        assert_null(field("trailer"));
        assert_true(p->keep_alive);
        assert_true(feed_body(&rest, chunk, body, sizeof(body), &n));
        assert_true(p->complete);
        assert_int_equal(n, 12);
        assert_memory_equal(body, "hello, world", 12);
        http_parse_begin(p, true);
        if (http_parse_head(p) == HTTP_MORE)
            assert_int_equal(feed_head(rest, chunk, &rest), HTTP_HEAD_DONE);
        assert_string_equal(p->url, "/next");
        assert_true(p->complete);
        assert_int_equal(p->fields_n, 1);
    }
}

static void test_counted_body(void **state)
{
    static const char text[] = "PUT / HTTP/1.0\nContent-Length: 6\n\nabcdefGET";

    (void)state;
    for (size_t chunk = 1; chunk <= sizeof(text); chunk++) {
        struct span rest;
        char body[8];
        size_t n = 0;

        http_parse_begin(p, false);
        assert_int_equal(feed_head(span_text(text), chunk, &rest), HTTP_HEAD_DONE);
        assert_false(p->keep_alive);
        assert_true(feed_body(&rest, chunk, body, sizeof(body), &n));
        assert_int_equal(n, 6);
        assert_memory_equal(body, "abcdef", 6);
    }
}

/* Octets of a counted body may skip the buffer. */
static void test_direct_body(void **state)
{
    struct span rest;

    (void)state;
    assert_int_equal(
        feed_head(span_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), 999,
                  &rest),
        HTTP_HEAD_DONE);
    assert_int_equal(http_parse_direct_max(p), 5);
    http_parse_direct(p, 3);
    assert_int_equal(http_parse_direct_max(p), 2);
    assert_false(p->complete);
    http_parse_direct(p, 2);
    assert_true(p->complete);
    assert_int_equal(http_parse_direct_max(p), 0);
}

static void refused(const char *text, int status)
{
    for (size_t chunk = 1; chunk < 100; chunk += 98) {
        struct span rest;

        http_parse_begin(p, false);
        if (feed_head(span_text(text), chunk, &rest) != HTTP_REFUSED)
            fail_msg("taken: %s", text);
        if (p->status != status)
            fail_msg("got %d (%s), want %d: %s", p->status, p->why, status, text);
        assert_non_null(p->why);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    refused("\x16\x03\x01\x02", 400);
    refused("HELLO / HTTP/1.1\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\n\r\n", 400); /* no Host */
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    refused("GET /\r\n\r\n", 505);
    refused("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    refused("GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417);
    refused("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400);
    refused("GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

/* AS2-C13, AS2-C14: RFC 9112 6.3, 11.2: requests that two readers may cut differently */
static void test_smuggling(void **state)
{
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
    (void)state;
    refused(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400);
    refused(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400);
    refused(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400);
    refused(POST "Content-Length: +5\r\n\r\n", 400);
    refused(POST "Content-Length: 5, 5\r\n\r\n", 400);
    refused(POST "Content-Length: 99999999999999999999\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    refused(POST "Transfer-Encoding: gzip\r\n\r\n", 501);
    refused(POST "Transfer-Encoding: xchunked\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400);
    refused(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n",
            400);
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501);
}

/* A request line, n octets with its end. */
static size_t put_line(char *at, size_t n)
{
    memset(at, 'x', n);
    memcpy(at, "GET /", 5);
    memcpy(at + n - 11, " HTTP/1.1\r\n", 11);
    return n;
}

/* A header field, n octets with its end; folded: in two lines. */
static size_t put_field(char *at, size_t n, bool folded)
{
    memset(at, 'x', n);
    memcpy(at, "X: ", 3);
    if (folded)
        memcpy(at + n / 2, "\r\n ", 3);
    memcpy(at + n - 2, "\r\n", 2);
    return n;
}

static void limit(const char *text, size_t n, int want_status)
{
    for (size_t chunk = 1; chunk <= n; chunk = chunk * 5 + 1) {
        struct span rest;
        enum http_step step;

        http_parse_begin(p, false);
        step = feed_head(span_of(text, n), chunk, &rest);
        assert_int_equal(step, want_status == 0 ? HTTP_HEAD_DONE : HTTP_REFUSED);
        assert_int_equal(p->status, want_status);
    }
}

/* AS2-C127: the limits of as2.md 11.1 #3 at the limit and one octet beyond */
static void test_limits_of_the_head(void **state)
{
    static char text[HTTP_HEAD_MAX + 4096];
    static const char host[] = "Host: a\r\n", start[] = "GET / HTTP/1.1\r\nHost: a\r\n";

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        size_t n = put_line(text, HTTP_LINE_MAX + more);

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\r\n", host);
        limit(text, n, more == 0 ? 0 : 414);
        for (int folded = 0; folded < 2; folded++) {
            n = (size_t)snprintf(text, sizeof(text), "%s", start);
            n += put_field(text + n, HTTP_FIELD_MAX + more, folded == 1);
            memcpy(text + n, "\r\n", 2);
            limit(text, n + 2, more == 0 ? 0 : 431);
        }
        n = (size_t)snprintf(text, sizeof(text), "%s", start);
        for (int i = 0; i < 3; i++)
            n += put_field(text + n, HTTP_FIELD_MAX, false);
        n += put_field(text + n, HTTP_HEAD_MAX - n - 2 + more, false);
        memcpy(text + n, "\r\n", 2);
        assert_int_equal(n + 2, HTTP_HEAD_MAX + more);
        limit(text, n + 2, more == 0 ? 0 : 431);
    }
}

static void test_endless_heads(void **state)
{
    static char text[HTTP_HEAD_MAX + 4096];
    static const char *const fronts[] = { "GET / HTTP/1.1\r\nHost: a\r\nX: ", "GET /", "",
                                          "GET / HTTP/1.1\r\nX: a\r\n " };
    static const int statuses[] = { 431, 414, 431, 431 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fronts); i++) {
        memset(text, i == 2 ? '\n' : '/', sizeof(text));
        memcpy(text, fronts[i], strlen(fronts[i]));
        limit(text, sizeof(text), statuses[i]);
    }
}

static void test_too_many_fields(void **state)
{
    char text[4096];
    struct span rest;
    size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");

    (void)state;
    for (int i = 1; i < HTTP_FIELDS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "A%d: b\r\n", i);
    (void)snprintf(text + n, sizeof(text) - n, "\r\n");
    assert_int_equal(feed_head(span_text(text), 4096, &rest), HTTP_HEAD_DONE);
    assert_int_equal(p->fields_n, HTTP_FIELDS_MAX);
    (void)snprintf(text + n, sizeof(text) - n, "One: more\r\n\r\n");
    refused(text, 431);
}

/* AS2-C9: RFC 4130 6.2 and where requests could be cut in two ways */
static void test_folds_that_are_refused(void **state)
{
    (void)state;
    refused(POST "AS2-From: a\r\n b\r\n\r\n", 400);
    refused(POST "as2-to:\r\n\tb\r\n\r\n", 400);
    refused(POST "Content-Length: 1\r\n 2\r\n\r\n", 400);
    refused(POST "Content-Length:\r\n 2\r\n\r\n", 400);
    refused(POST "Content-Length: 2\r\n \r\n\r\n", 400);
    refused(POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400);
    refused(POST "Expect: 100-\n continue\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    refused("POST / HTTP/1.1\r\n\tX: a\r\nHost: a\r\n\r\n", 400);
}

/* AS2-C1, AS2-C14 */
static void test_any_case_and_leading_zeros(void **state)
{
    struct span rest;
    char body[8];
    size_t n = 0;

    (void)state;
    assert_int_equal(
        feed_head(span_text("POST / HTTP/1.1\r\nhOST: a\r\nEXPECT: 100-CONTINUE\r\n"
                            "content-LENGTH: 0000000000000000000000002\r\n\r\nhi"),
                  999, &rest),
        HTTP_HEAD_DONE);
    assert_true(p->expects);
    assert_true(feed_body(&rest, 9, body, sizeof(body), &n));
    assert_int_equal(n, 2);
    http_parse_begin(p, false);
    assert_int_equal(
        feed_head(span_text("POST / HTTP/1.1\r\nHOST: a\r\n"
                            "TRANSFER-ENCODING: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
                  999, &rest),
        HTTP_HEAD_DONE);
    assert_true(feed_body(&rest, 9, body, sizeof(body), &n));
    assert_int_equal(n, 2);
}

/* A chunked body of which the octets are taken as said. */
static void chunks(const char *text, size_t len, bool taken)
{
    for (size_t chunk = 1; chunk < 2000; chunk += 700) {
        struct span rest, body = span_of(text, len);
        char out[64];
        size_t n = 0;

        http_parse_begin(p, false);
        assert_int_equal(
            feed_head(span_text(POST "Transfer-Encoding: chunked\r\n\r\n"), 999, &rest),
            HTTP_HEAD_DONE);
        assert_int_equal(feed_body(&body, chunk, out, sizeof(out), &n), taken);
        assert_int_equal(p->complete, taken);
        assert_int_equal(p->status, taken ? 0 : 400);
    }
}

/* AS2-C127: line ends counted */
static void test_limits_between_chunks(void **state)
{
    static char text[HTTP_TRAILER_MAX + 64];
    size_t n;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, "3;", 2);
        n = HTTP_CHUNK_LINE_MAX + more;
        memcpy(text + n - 2, "\r\nabc\r\n", 7);
        memcpy(text + n + 5, "0\r\n\r\n", 5);
        chunks(text, n + 10, more == 0);
        memset(text, 'x', sizeof(text));
        memcpy(text, "0\r\nX: y\r\n", 9);
        n = 3 + HTTP_TRAILER_MAX + more;
        memcpy(text + n - 4, "\r\n\r\n", 4);
        chunks(text, n, more == 0);
    }
    chunks("0000000000000003\r\nabc\r\n0\r\n\r\n", 28, true);
    chunks("00000000000000003\r\nabc\r\n0\r\n\r\n", 29, false);
}

static void test_broken_bodies(void **state)
{
    static const char *const bodies[] = { "x\r\nabc",
                                          "5\r\nhelloX\r\n0\r\n\r\n",
                                          "fffffffffffffffff\r\n",
                                          "-1\r\n",
                                          "5\rXhello\r\n",
                                          "5\r\nhelloXY0\r\n\r\n",
                                          "\r\n",
                                          "5\nhello\n0\n\n",
                                          "1;x\nhello",
                                          "0\r\nT: x\n\r\n",
                                          "3 3\r\nabc\r\n0\r\n\r\n",
                                          "3;\x01\r\nabc\r\n0\r\n\r\n",
                                          "ffffffffffffffff0\r\n",
                                          "0\r\n\rX" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct span rest, body = span_text(bodies[i]);
        char out[64];
        size_t n = 0;

        http_parse_begin(p, false);
        assert_int_equal(
            feed_head(span_text(POST "Transfer-Encoding: chunked\r\n\r\n"), 999, &rest),
            HTTP_HEAD_DONE);
        assert_false(feed_body(&body, 3, out, sizeof(out), &n));
        assert_int_equal(p->status, 400);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, up, down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_split),
        TEST(test_counted_body),
        TEST(test_direct_body),
        TEST(test_refusals),
        TEST(test_smuggling),
        TEST(test_limits_of_the_head),
        TEST(test_endless_heads),
        TEST(test_folds_that_are_refused),
        TEST(test_any_case_and_leading_zeros),
        TEST(test_limits_between_chunks),
        TEST(test_broken_bodies),
        TEST(test_too_many_fields),
    };

    return cmocka_run_group_tests_name("net.http_parse", tests, NULL, NULL);
}
