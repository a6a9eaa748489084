/* The receipt that is asked for: as2.md 1.4, 3.2 and the table of 13.4. */
#include "test.h"

#define SIGNED "signed-receipt-protocol=optional, pkcs7-signature"

struct row {
    const char *options;
    bool protocol, broken;
    const char *bad; /* what is required and unknown */
    bool bad_protocol;
    int nids[4]; /* up to 0 (NID_undef) */
};

static const struct row table[] = {
    { SIGNED "; signed-receipt-micalg=optional, sha1", true, false, NULL, false, { NID_sha1 } },
    { "Signed-Receipt-Protocol=required,pkcs7-signature;"
      "Signed-Receipt-MICalg=required,SHA-256,sha1;",
      true,
      false,
      NULL,
      false,
      { NID_sha256, NID_sha1 } },
    { "signed-receipt-micalg = optional , md5 , sha-512",
      false,
      false,
      NULL,
      false,
      { NID_md5, NID_sha512 } },
    { "signed-receipt-micalg\t=\toptional\t,\tmd5\t,\tsha-512\t",
      false,
      false,
      NULL,
      false,
      { NID_md5, NID_sha512 } },
    { SIGNED, true, false, NULL, false, { 0 } },
    { "signed-receipt-protocol=required, pgp-signature; signed-receipt-micalg=optional, sha1",
      false,
      false,
      "pgp-signature",
      true,
      { NID_sha1 } },
    { "signed-receipt-protocol=optional, pgp-signature", false, false, NULL, false, { 0 } },
    { "signed-receipt-protocol=required, pgp-signature, PKCS7-Signature",
      true,
      false,
      NULL,
      false,
      { 0 } },
    { "x-foo=optional, 1; " SIGNED, true, false, NULL, false, { 0 } },
    { "x-foo=required, 1; " SIGNED, true, false, "x-foo", false, { 0 } },
    { SIGNED "; signed-receipt-micalg=sha256", true, false, NULL, false, { NID_sha256 } },
    { "signed-receipt-protocol=optional,\r\n pkcs7-signature; "
      "signed-receipt-micalg=optional,sha1,md5",
      true,
      false,
      NULL,
      false,
      { NID_sha1, NID_md5 } },
    { "signed-receipt-micalg=optional,sha1;\tsigned-receipt-protocol=optional,pkcs7-signature",
      true,
      false,
      NULL,
      false,
      { NID_sha1 } },
    { ";; " SIGNED " ;; ; signed-receipt-micalg=optional,,sha1, ,md5,;",
      true,
      false,
      NULL,
      false,
      { NID_sha1, NID_md5 } },
    { "\"" SIGNED "\"", true, false, NULL, false, { 0 } },
    { "signed-receipt-protocol=optional, \"pkcs7-signature\"; signed-receipt-micalg=\"optional\", "
      "\"sha1\"",
      true,
      false,
      NULL,
      false,
      { NID_sha1 } },
    { SIGNED "; signed-receipt-micalg=optional, SHA, rsa-md5, sha2_256",
      true,
      false,
      NULL,
      false,
      { NID_sha1, NID_md5, NID_sha256 } },
    { "", false, false, NULL, false, { 0 } },
    { "  ", false, false, NULL, false, { 0 } },
    { "x", false, true, NULL, false, { 0 } },
    { "=", false, true, NULL, false, { 0 } },
    { "=optional, x", false, true, NULL, false, { 0 } },
    { "signed-receipt-protocol=", false, true, NULL, false, { 0 } },
    { SIGNED "; pkcs7-signature", false, true, NULL, false, { 0 } },
    { SIGNED ", signed-receipt-micalg=optional, sha1", true, false, NULL, false, { 0 } },
    { SIGNED "; x\x01=optional, x", false, true, NULL, false, { 0 } },
    { SIGNED "; x\xE4=optional, x", false, true, NULL, false, { 0 } },
};

/* AS2-C66 */
static void the_table_of_the_reference_holds(void **state)
{
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct row *want = &table[i];
        char *options = exact_text(want->options, strlen(want->options));
        struct as2_request r;
        size_t n = 0;

        as2_request_read("edi@sender.example", options, NULL, &a, &r);
        free(options);
        while (n < 4 && want->nids[n] != NID_undef)
            n++;
        assert_true(r.mdn && r.has_options);
        assert_null(r.async_url);
        if (r.protocol != want->protocol || r.broken != want->broken || r.micalgs_n != n)
            fail_msg("row %zu: %s", i, want->options);
        for (size_t k = 0; k < n; k++)
            CHECK_EQ(r.micalgs[k].nid, want->nids[k]);
        if (want->bad == NULL)
            assert_null(r.bad_required);
        else
            assert_string_equal(r.bad_required, want->bad);
        CHECK_EQ(r.bad_protocol, want->bad_protocol);
    }
    arena_free(&a);
}

/* AS2-C63, AS2-C64: what is asked for is told by Disposition-Notification-To alone. */
static void three_headers_say_whether_and_where(void **state)
{
    struct as2_request r;
    struct arena a = { 0 };

    (void)state;
    as2_request_read(NULL, NULL, NULL, &a, &r);
    assert_false(r.mdn || r.has_options);
    as2_request_read(NULL, SIGNED, "http://sender.example/mdn", &a, &r);
    assert_false(r.mdn);
    assert_null(r.async_url);
    as2_request_read("", NULL, NULL, &a, &r);
    assert_true(r.mdn);
    as2_request_read("x", NULL, "", &a, &r);
    assert_null(r.async_url);
    as2_request_read("x", NULL, " \t ", &a, &r);
    assert_null(r.async_url);
    as2_request_read("x", NULL, " http://sender.example/mdn?a=b ", &a, &r);
    assert_string_equal(r.async_url, "http://sender.example/mdn?a=b");
    arena_free(&a);
}

/* AS2-C127 */
static void sixteen_micalgs_are_looked_at(void **state)
{
    char options[600] = SIGNED "; signed-receipt-micalg=optional";
    struct as2_receipt_plan plan;
    struct as2_request r;
    struct arena a = { 0 };

    (void)state;
    for (size_t n = 1; n <= AS2_MICALGS_MAX; n++) {
        (void)strcat(options, n == AS2_MICALGS_MAX ? ", sha1" : ", unknown");
        as2_request_read("x", options, NULL, &a, &r);
        CHECK_EQ(r.micalgs_n, n);
    }
    as2_receipt_plan_make(&r, NULL, &plan);
    CHECK_EQ(plan.digest, NID_sha1);
    (void)strcat(options, ", sha256");
    as2_request_read("x", options, NULL, &a, &r);
    CHECK_EQ(r.micalgs_n, AS2_MICALGS_MAX);
    CHECK_EQ(r.micalgs[AS2_MICALGS_MAX - 1].nid, NID_sha1);
    arena_free(&a);
}

static bool allow_sha2(int nid)
{
    return nid == NID_sha256 || nid == NID_sha512;
}

/* AS2-C67, AS2-C68, AS2-C69: the table of as2.md 1.4. */
static void the_receipt_is_planned_before_the_body(void **state)
{
    static const struct {
        const char *to, *options;
        bool (*allowed)(int nid);
        bool mdn, is_signed;
        int digest;
        enum as2_fault fault;
        const char *failure;
    } rows[] = {
        { NULL, SIGNED "; signed-receipt-micalg=optional, foo", NULL, false, false, 0, AS2_FINE,
          NULL },
        { "x", NULL, NULL, true, false, 0, AS2_FINE, NULL },
        { "x", SIGNED "; signed-receipt-micalg=optional, sha1, sha256", NULL, true, true,
          NID_sha1, AS2_FINE, NULL },
        { "x", SIGNED "; signed-receipt-micalg=optional, foo, md5, sha512, sha256", NULL, true,
          true, NID_sha512, AS2_FINE, NULL },
        { "x", SIGNED "; signed-receipt-micalg=optional, sha1, sha256", allow_sha2, true, true,
          NID_sha256, AS2_FINE, NULL },
        { "x", SIGNED, NULL, true, true, 0, AS2_FINE, NULL },
        { "x", "signed-receipt-micalg=optional, sha1", NULL, true, false, 0, AS2_FINE, NULL },
        { "x", SIGNED "; signed-receipt-micalg=optional, foo, bar", NULL, true, false, 0,
          AS2_UNSUPPORTED_MICALG, "unsupported MIC-algorithms" },
        { "x", SIGNED "; signed-receipt-micalg=required, md5", NULL, true, false, 0,
          AS2_UNSUPPORTED_MICALG, "unsupported MIC-algorithms" },
        { "x", SIGNED "; signed-receipt-micalg=required, sha1", allow_sha2, true, false, 0,
          AS2_UNSUPPORTED_MICALG, "unsupported MIC-algorithms" },
        { "x", "signed-receipt-protocol=required, pgp-signature", NULL, true, false, 0,
          AS2_UNSUPPORTED_FORMAT, "unsupported format" },
        { "x",
          "signed-receipt-protocol=optional, pgp-signature; signed-receipt-micalg=optional, "
          "sha1",
          NULL, true, false, 0, AS2_FINE, NULL },
        { "x", SIGNED "; x-foo=required, 1", NULL, true, false, 0, AS2_UNSUPPORTED_OPTION,
          "x-foo" },
        { "x", "what?", NULL, true, false, 0, AS2_FINE, NULL },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_receipt_plan plan;
        struct as2_request r;

        as2_request_read(rows[i].to, rows[i].options, NULL, &a, &r);
        as2_receipt_plan_make(&r, rows[i].allowed, &plan);
        if (plan.mdn != rows[i].mdn || plan.is_signed != rows[i].is_signed ||
            plan.digest != rows[i].digest || plan.fault != rows[i].fault ||
            plan.failed != (rows[i].fault != AS2_FINE))
            fail_msg("row %zu", i);
        if (rows[i].failure == NULL)
            assert_null(plan.failure);
        else
            assert_string_equal(plan.failure, rows[i].failure);
    }
    arena_free(&a);
}

/* AS2-C53, AS2-C54: the digest of the MIC and its spelling; AS2-C67: not that of the MDN. */
static void the_mic_follows_signature_and_list(void **state)
{
    static const struct {
        const char *micalgs; /* NULL: no list */
        int signature;
        bool by_list;
        bool (*allowed)(int nid);
        int nid;
        const char *spelling;
    } rows[] = {
        /* signed with list */
        { "SHA256", NID_sha256, false, NULL, NID_sha256, "SHA256" },
        { "sha1, Sha-256", NID_sha256, false, NULL, NID_sha256, "Sha-256" },
        { "sha1, Sha-256", NID_sha256, true, NULL, NID_sha1, "sha1" },
        { "foo, rsa-sha1, md5", NID_sha256, false, NULL, NID_sha1, "rsa-sha1" },
        { "foo", NID_sha256, false, NULL, NID_undef, "" },
        { "sha1, sha512", NID_sha256, false, allow_sha2, NID_sha512, "sha512" },
        /* signed without list */
        { NULL, NID_sha384, false, NULL, NID_sha384, "sha-384" },
        { NULL, NID_sha1, true, NULL, NID_sha1, "sha1" },
        /* unsigned with list */
        { "sha-512, sha1", NID_undef, false, NULL, NID_sha512, "sha-512" },
        { "md5, sha_1", NID_undef, false, NULL, NID_sha1, "sha_1" },
        { "foo", NID_undef, false, NULL, NID_undef, "" },
        /* unsigned without list */
        { NULL, NID_undef, false, NULL, NID_sha224, "sha-224" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_request r;
        struct as2_mic_choice c;

        as2_request_read(
            "x",
            rows[i].micalgs == NULL
                ? NULL
                : arena_printf(&a, "signed-receipt-micalg=optional, %s", rows[i].micalgs),
            NULL, &a, &r);
        c = as2_mic_choose(&r, rows[i].signature, rows[i].by_list, NID_sha224, rows[i].allowed);
        if (c.nid != rows[i].nid)
            fail_msg("row %zu: %d", i, c.nid);
        assert_string_equal(c.spelling, rows[i].spelling);
    }
    CHECK_EQ(as2_mic_choose(NULL, NID_undef, false, NID_sha1, NULL).nid, NID_sha1);
    arena_free(&a);
}

/* AS2-C46: as2.md 1.4, all of them. */
static void digests_have_many_names(void **state)
{
    static const struct {
        const char *name;
        int nid;
    } rows[] = {
        { "sha1", NID_sha1 },
        { "sha-1", NID_sha1 },
        { "rsa-sha1", NID_sha1 },
        { "sha", NID_sha1 },
        { "SHA1", NID_sha1 },
        { "RSA-SHA1", NID_sha1 },
        { "md5", NID_md5 },
        { "rsa-md5", NID_md5 },
        { "sha224", NID_sha224 },
        { "sha-256", NID_sha256 },
        { "sha2_256", NID_sha256 },
        { "sha2-384", NID_sha384 },
        { "rsa-sha512", NID_sha512 },
        { "Sha_512", NID_sha512 },
        { "sha3-224", NID_sha3_224 },
        { "sha3-256", NID_sha3_256 },
        { "SHA3-384", NID_sha3_384 },
        { "sha3_512", NID_sha3_512 },
        { "", NID_undef },
        { "rsa", NID_undef },
        { "sha 1", NID_undef },
        { "sha1024", NID_undef },
        { "whirlpool", NID_undef },
        { "sha2562562562562562", NID_undef },
        { "rsa-rsa-sha1", NID_undef },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct span s = span_text(rows[i].name);
        char *copy = exact_text(rows[i].name, s.n);

        if (as2_digest_of(span_of(copy, s.n)) != rows[i].nid)
            fail_msg("%s", rows[i].name);
        free(copy);
        if (rows[i].nid != NID_undef) {
            CHECK_EQ(as2_digest_of(span_text(as2_digest_name(rows[i].nid, false))),
                     rows[i].nid);
            CHECK_EQ(as2_digest_of(span_text(as2_digest_name(rows[i].nid, true))), rows[i].nid);
        }
    }
    assert_string_equal(as2_digest_name(NID_sha1, false), "sha1");
    assert_string_equal(as2_digest_name(NID_sha256, false), "sha-256");
    assert_string_equal(as2_digest_name(NID_sha256, true), "sha256");
}

static void every_cut_and_flipped_bit_is_read(void **state)
{
    static const char options[] =
        "signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, sha1;";
    struct as2_receipt_plan plan;
    struct as2_request r;

    (void)state;
    for (size_t i = 0; i < 9 * (sizeof(options) - 1); i++) {
        struct arena a = { 0 };
        char *text = exact_text(options, i % 9 < 8 ? sizeof(options) - 1 : i / 9);

        if (i % 9 < 8)
            text[i / 9] = (char)(text[i / 9] ^ 1 << i % 9);
        as2_request_read("x", text, text, &a, &r);
        free(text);
        as2_receipt_plan_make(&r, NULL, &plan);
        assert_true(plan.mdn);
        if (r.broken)
            assert_false(r.protocol || plan.is_signed || plan.failed);
        for (size_t k = 0; k < r.micalgs_n; k++)
            assert_true(strlen(r.micalgs[k].spelling) > 0);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_reference_holds),
        cmocka_unit_test(three_headers_say_whether_and_where),
        cmocka_unit_test(sixteen_micalgs_are_looked_at),
        cmocka_unit_test(the_receipt_is_planned_before_the_body),
        cmocka_unit_test(the_mic_follows_signature_and_list),
        cmocka_unit_test(digests_have_many_names),
        cmocka_unit_test(every_cut_and_flipped_bit_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
