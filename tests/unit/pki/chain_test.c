/* Chains up to what is configured, and revocation lists. */
#include "support.h"

#include <openssl/pem.h>

static X509_CRL *list_of(const struct pki_certificate *ca, long revoked, int64_t next_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, NOW);
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();

    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->leaf)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, t), 1);
    assert_int_equal(ASN1_INTEGER_set(serial, revoked), 1);
    assert_int_equal(X509_REVOKED_set_serialNumber(r, serial), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(r, t), 1);
    assert_non_null(ASN1_TIME_set(t, (time_t)next_s));
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, t), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
    assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(t);
    return crl;
}

static struct pki_certificate *root, *sub, *leaf, *direct, *other;

static int make_all(void **state)
{
    (void)state;
    root = issued("root", NULL, true, 1, 1000);
    sub = issued("sub", root, true, 2, 100);
    leaf = issued("leaf", sub, false, 3, 50);
    direct = issued("direct", root, false, 4, 50);
    other = issued("root", NULL, true, 1, 1000); /* the same name, another key */
    return 0;
}

static int free_all(void **state)
{
    struct pki_certificate *all[] = { root, sub, leaf, direct, other };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        pki_certificate_free(all[i]);
    return 0;
}

static bool chains(const struct pki_certificate *c, struct pki_certificate *between,
                   const struct pki_certificate *anchors, int64_t at_s)
{
    /* clang-format off */
    STACK_OF(X509) *inside = between == NULL ? NULL : sk_X509_new_null();
    /* clang-format on */
    const char *why = NULL;
    bool ok;

    if (between != NULL)
        assert_true(sk_X509_push(inside, between->leaf) > 0);
    ok = pki_chain_ok(c->leaf, inside, anchors, at_s, &why);
    assert_non_null(why);
    assert_int_equal(ERR_peek_error(), 0);
    sk_X509_free(inside);
    return ok;
}

static void a_chain_ends_at_what_is_configured(void **state)
{
    (void)state;
    assert_true(chains(direct, NULL, root, NOW + 1));
    assert_true(chains(leaf, sub, root, NOW + 1));
    assert_true(chains(leaf, NULL, sub, NOW + 1)); /* no root above it is asked for */
    assert_true(chains(leaf, NULL, leaf, NOW + 1));
    assert_false(chains(leaf, NULL, root, NOW + 1));
    assert_false(chains(direct, NULL, sub, NOW + 1));
    assert_false(chains(direct, NULL, leaf, NOW + 1));
    assert_false(chains(leaf, direct, root, NOW + 1));
    assert_false(chains(direct, root, other, NOW + 1)); /* its authority came with it */
    assert_false(chains(root, NULL, direct, NOW + 1));
}

static void each_of_a_chain_must_be_valid_at_the_time(void **state)
{
    (void)state;
    assert_false(chains(leaf, sub, root, NOW - 10));
    assert_true(chains(leaf, sub, root, NOW + 49 * (int64_t)DAY));
    assert_false(chains(leaf, sub, root, NOW + 51 * (int64_t)DAY));
    assert_false(chains(direct, NULL, root, NOW + 2000 * (int64_t)DAY));
    assert_false(chains(leaf, NULL, leaf, NOW + 51 * (int64_t)DAY)); /* pinned, and ended */
}

/* anchors with one list more; takes crl. */
static void with_list(struct pki_certificate *anchors, X509_CRL *crl)
{
    if (anchors->crls == NULL)
        anchors->crls = sk_X509_CRL_new_null();
    assert_true(sk_X509_CRL_push(anchors->crls, crl) > 0);
}

static void drop_lists(struct pki_certificate *anchors)
{
    sk_X509_CRL_pop_free(anchors->crls, X509_CRL_free);
    anchors->crls = NULL;
    anchors->crl_strict = false;
}

static void what_its_issuer_revoked_counts_no_more(void **state)
{
    int64_t later = NOW + 10 * (int64_t)DAY;

    (void)state;
    with_list(root, list_of(root, 4, later));
    assert_false(chains(direct, NULL, root, NOW + 1));
    assert_true(chains(leaf, sub, root, NOW + 1)); /* no list of sub: not asked for */
    root->crl_strict = true;
    assert_false(chains(leaf, sub, root, NOW + 1));
    drop_lists(root);
    /* an authority in between */
    with_list(root, list_of(root, 2, later));
    assert_false(chains(leaf, sub, root, NOW + 1));
    assert_true(chains(direct, NULL, root, NOW + 1));
    drop_lists(root);
    /* by somebody of the same name */
    with_list(root, list_of(other, 4, later));
    assert_false(chains(direct, NULL, root, NOW + 1));
    drop_lists(root);
    assert_true(chains(direct, NULL, root, NOW + 1));
}

static void an_overdue_list_refuses_only_when_strict(void **state)
{
    (void)state;
    with_list(root, list_of(root, 99, NOW + DAY));
    assert_true(chains(direct, NULL, root, NOW + 2 * DAY));
    root->crl_strict = true;
    assert_true(chains(direct, NULL, root, NOW + 1));
    assert_false(chains(direct, NULL, root, NOW + 2 * DAY));
    drop_lists(root);
    /* overdue, and what it says counts all the same */
    with_list(root, list_of(root, 4, NOW + DAY));
    assert_false(chains(direct, NULL, root, NOW + 2 * DAY));
    drop_lists(root);
}

static void lists_are_read_one_in_der_and_many_in_pem(void **state)
{
    X509_CRL *a = list_of(root, 4, NOW + 2 * DAY), *b = list_of(sub, 3, NOW + DAY);
    /* clang-format off */
    STACK_OF(X509_CRL) *got = NULL;
    /* clang-format on */
    BIO *pem = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    int der_n = i2d_X509_CRL(a, &der);
    char *text;
    long n;

    (void)state;
    assert_true(pki_crls_read(span_of(der, (size_t)der_n), &got));
    assert_int_equal(sk_X509_CRL_num(got), 1);
    assert_int_equal(pki_crls_next(got), NOW + 2 * DAY);
    sk_X509_CRL_pop_free(got, X509_CRL_free);
    assert_int_equal(PEM_write_bio_X509_CRL(pem, a), 1);
    assert_int_equal(PEM_write_bio_X509_CRL(pem, b), 1);
    n = BIO_get_mem_data(pem, &text);
    assert_true(pki_crls_read(span_of(text, (size_t)n), &got));
    assert_int_equal(sk_X509_CRL_num(got), 2);
    assert_int_equal(pki_crls_next(got), NOW + DAY);
    sk_X509_CRL_pop_free(got, X509_CRL_free);
    got = NULL;
    /* the second one damaged: none of it is used */
    text[n - 60] = '!';
    assert_false(pki_crls_read(span_of(text, (size_t)n), &got));
    assert_false(pki_crls_read(span_of(der, (size_t)der_n / 2), &got));
    assert_false(pki_crls_read(span_text(""), &got));
    assert_false(pki_crls_read(span_text("no list"), &got));
    assert_null(got);
    assert_int_equal(ERR_peek_error(), 0);
    BIO_free(pem);
    OPENSSL_free(der);
    X509_CRL_free(a);
    X509_CRL_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_ends_at_what_is_configured),
        cmocka_unit_test(each_of_a_chain_must_be_valid_at_the_time),
        cmocka_unit_test(what_its_issuer_revoked_counts_no_more),
        cmocka_unit_test(an_overdue_list_refuses_only_when_strict),
        cmocka_unit_test(lists_are_read_one_in_der_and_many_in_pem),
    };

    return cmocka_run_group_tests(tests, make_all, free_all);
}
