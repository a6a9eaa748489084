/* Which certificate another one succeeds: oftp2.md 13.3. */
#include "pki/clid.h"
#include "support.h"

static struct pki_certificate *acme, *again, *other, *signing;

static int begin(void **state)
{
    (void)state;
    acme = made("Acme, Inc", NOW, 10, ALL_USES);
    again = made("Acme, Inc", NOW + DAY, 10, ALL_USES); /* renewed */
    other = made("Bolt", NOW, 10, ALL_USES);
    signing = made("Acme, Inc", NOW, 10, PKI_SIGN);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pki_certificate_free(acme);
    pki_certificate_free(again);
    pki_certificate_free(other);
    pki_certificate_free(signing);
    return 0;
}

static struct span written(const X509 *cert, char text[PKI_CLID_MAX + 1])
{
    struct err err;

    assert_true(pki_clid_write(cert, text, &err));
    return span_text(text);
}

/* OFTP2-C138: the data names one certificate, the one it was made of. */
static void test_names_the_certificate_it_was_made_of_and_no_other(void **state)
{
    char text[PKI_CLID_MAX + 1];
    struct span clid = written(acme->leaf, text);

    (void)state;
    assert_true(pki_clid_is(clid));
    assert_true(pki_clid_names(clid, acme->leaf));
    assert_false(pki_clid_names(clid, again->leaf));
    assert_false(pki_clid_names(clid, other->leaf));
    assert_int_equal(text[0], 'I');
    assert_non_null(strstr(text, "\nN="));
    assert_non_null(strstr(text, "\nB="));
    assert_non_null(strstr(text, "\nE=1.3.6.1.5.5.7.3."));
}

/* A name with its parts in the other order, in other case and with blanks. */
static void test_names_are_compared_as_other_programs_write_them(void **state)
{
    static const char *const dns[] = { "CN=Acme\\, Inc", "cn=ACME\\, INC",
                                       "CN = Acme\\,  Inc" };
    char text[PKI_CLID_MAX + 1], mine[PKI_CLID_MAX + 1], base64[200];
    const char *serial;

    (void)state;
    (void)written(acme->leaf, text);
    serial = strstr(text, "\nN=") + 3;
    for (size_t i = 0; i < COUNT_OF(dns); i++) {
        (void)EVP_EncodeBlock((uint8_t *)base64, (const uint8_t *)dns[i], (int)strlen(dns[i]));
        (void)snprintf(mine, sizeof(mine), "N=00%.*s\r\nI=%s", (int)strcspn(serial, "\n"),
                       serial, base64);
        assert_true(pki_clid_names(span_text(mine), acme->leaf));
    }
}

static void test_cut_or_damaged_data_is_no_match_for_others(void **state)
{
    char text[PKI_CLID_MAX + 1];
    struct span clid = written(acme->leaf, text);

    (void)state;
    for (size_t n = 0; n < clid.n; n++)
        assert_false(pki_clid_names(span_of(clid.p, n), other->leaf));
    for (size_t bit = 0; bit < 8 * clid.n; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(pki_clid_names(clid, other->leaf));
        assert_false(pki_clid_names(clid, again->leaf));
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(pki_clid_names(clid, acme->leaf));
    assert_false(pki_clid_is(span_text("a certificate of ours")));
    assert_false(pki_clid_is(span_text("I=\nN=")));
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_the_same_logical_identity(void **state)
{
    (void)state;
    assert_true(pki_same_logical(acme->leaf, again->leaf));
    assert_false(pki_same_logical(acme->leaf, other->leaf));
    assert_false(pki_same_logical(acme->leaf, signing->leaf));
    assert_true(pki_self_signed(acme->leaf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_the_certificate_it_was_made_of_and_no_other),
        cmocka_unit_test(test_names_are_compared_as_other_programs_write_them),
        cmocka_unit_test(test_cut_or_damaged_data_is_no_match_for_others),
        cmocka_unit_test(test_the_same_logical_identity),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
