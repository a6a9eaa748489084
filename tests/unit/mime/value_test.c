/* Values with parameters. */
#include "support.h"

static struct arena arena;
static struct mime_value value;

static bool read_value(const char *text, struct err *err)
{
    size_t n = strlen(text) + 1;

    arena_free(&arena);
    *err = (struct err) { 0 };
    return mime_value_read((const char *)guard_after(text, n).p, &arena, &value, err);
}

/* What text is read as: the value and, when name is not NULL, a parameter. */
static void expect(const char *text, const char *type, const char *name, const char *param)
{
    struct err err;
    const char *got;

    if (!read_value(text, &err))
        fail_msg("%s\n%s", text, err.text);
    assert_string_equal(value.value, type);
    got = name != NULL ? mime_param(&value, name) : NULL;
    if (param == NULL)
        assert_null(got);
    else if (got == NULL)
        fail_msg("no %s in: %s", name, text);
    else
        assert_string_equal(got, param);
}

static void refused(const char *text, const char *why)
{
    struct err err;

    if (read_value(text, &err))
        fail_msg("taken: %s", text);
    CHECK_EQ(err.kind, FAIL_PEER);
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" is not in: %s", why, err.text);
}

/* AS2-C45: letter case, quotes or none, blanks or none, any order, a stray ';'. */
static void as2_c45_values_are_read_in_every_legal_and_tolerated_form(void **state)
{
    static const char *const forms[] = {
        "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=SHA1; boundary=\"b\"",
        "Multipart/SIGNED;Protocol=application/pkcs7-signature;MICALG=SHA1;Boundary=b",
        "multipart/signed;boundary=b;micalg=SHA1;protocol=application/pkcs7-signature;",
        "multipart/signed ; boundary = \"b\" ;; micalg\t=\tSHA1 ; ;"
        "protocol=\"application/pkcs7-signature\" ; ",
        " multipart / signed (a (nested\\) ;) comment); boundary=b (x); micalg=SHA1(y) ;"
        " (z) protocol=\"application\\/pkcs7-signature\"(;)",
        "multipart/signed;\r\n\tboundary=b;\r\n micalg=SHA1;\r\n"
        " protocol=\"application/pkcs7-signature\"\r\n",
        "multipart/signed; boundary=b; boundary=\"b\"; micalg=SHA1; "
        "protocol=application/pkcs7-signature",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        expect(forms[i], "multipart/signed", "protocol", "application/pkcs7-signature");
        expect(forms[i], "multipart/signed", "micalg", "SHA1");
        expect(forms[i], "multipart/signed", "boundary", "b");
        CHECK_EQ(value.n, 3);
    }
    expect("application/EDI-X12", "application/edi-x12", NULL, NULL);
    expect("Attachment", "attachment", "filename", NULL);
    expect("attachment; filename=\"\"", "attachment", "filename", "");
    expect("attachment; filename=", "attachment", "filename", "");
    expect("a/b; boundary=\"----=_Part_1 (x);y=\\\"z\"", "a/b", "boundary",
           "----=_Part_1 (x);y=\"z");
    expect("a/b; boundary=----=_Part_1_=?:@,<>[]/", "a/b", "boundary",
           "----=_Part_1_=?:@,<>[]/");
    expect("a/b; c=d\\e", "a/b", "c", "d\\e");
    expect("a/b; c=\"d\\e\"", "a/b", "c", "de");
}

static void file_names_may_have_blanks_and_backslashes(void **state)
{
    (void)state;
    expect("attachment; filename=my order (1).edi ; x=y", "attachment", "filename",
           "my order (1).edi");
    expect("a/b; name=my order.edi", "a/b", "name", "my order.edi");
    expect("attachment; filename=\"C:\\in\\a.edi\"", "attachment", "filename", "C:\\in\\a.edi");
    expect("attachment; filename=\"a\\\"b\\\\c\"", "attachment", "filename", "a\"b\\c");
    refused("multipart/signed; boundary=a b", "quotes are missing");
}

static void what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    refused("", "does not begin with a type");
    refused(" ; a=b", "does not begin with a type");
    refused("/b", "does not begin with a type");
    refused("a/", "does not begin with a type");
    refused("\"a/b; c=d\"", "does not begin with a type");
    refused("a/b/c", "quotes are missing");
    refused("a b", "quotes are missing");
    refused("a/b, c/d", "quotes are missing");
    refused("a/b; c", "has no value");
    refused("a/b; =d", "has no name");
    refused("a/b; \"c\"=d", "has no name");
    refused("a/b; c=\"d", "quoted text does not end");
    refused("a/b; c=\"d\\", "quoted text does not end");
    refused("a/b; c=\"d\\\"", "quoted text does not end");
    refused("a/b; c=\"d\"e", "quotes are missing");
    refused("a/b; c=d\"e\"", "quotes are missing");
    refused("(a", "comment does not end");
    refused("a/b (c", "comment does not end");
    refused("a/b; (c", "comment does not end");
    refused("a/b; c (=d", "comment does not end");
    refused("a/b; c=(d", "comment does not end");
}

/* as2.md 11.1 #19: no second boundary in any form. */
static void a_parameter_with_two_values_is_refused(void **state)
{
    (void)state;
    refused("a/b; boundary=x; boundary=y", "twice");
    refused("a/b; boundary=x; Boundary=X", "twice");
    refused("a/b; boundary=x; boundary*=utf-8''y", "two forms");
    refused("a/b; boundary=x; boundary*0=y", "two forms");
    refused("a/b; boundary*0=x; boundary*0=y", "twice");
    refused("a/b; boundary*0=x; boundary*0*=x", "twice");
    expect("a/b; boundary=xy; boundary*0=x; boundary*1=y; boundary*=''xy", "a/b", "boundary",
           "xy");
    CHECK_EQ(value.n, 1);
    refused("a/b; filename=x; filename=y", "twice");
}

static void rfc_2231_sections_and_character_sets_are_decoded(void **state)
{
    (void)state;
    /* RFC 2231 3, 4, 4.1 */
    expect("message/external-body; url*0=\"ftp://\";\r\n url*1=\"cs.utk.edu/pub\"",
           "message/external-body", "url", "ftp://cs.utk.edu/pub");
    expect("a/x; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "a/x", "title",
           "This is ***fun***");
    expect("a/x; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\";"
           " title*0*=us-ascii'en'This%20is%20even%20more%20",
           "a/x", "title", "This is even more ***fun*** isn't it!");
    assert_true(value.params[0].extended);
    expect("attachment; filename*=UTF-8''%c3%A4.edi", "attachment", "filename", "\xc3\xa4.edi");
    expect("attachment; filename*=iso-8859-1''%e4.edi", "attachment", "filename",
           "\xc3\xa4.edi");
    expect("attachment; filename*=koi8-r''%e4.edi", "attachment", "filename", "\xc3\xa4.edi");
    expect("attachment; filename*=utf-8''%e4.edi", "attachment", "filename", "\xc3\xa4.edi");
    expect("attachment; filename*0*=utf-8''%c3; filename*1*=%a4.edi", "attachment", "filename",
           "\xc3\xa4.edi");
    expect("attachment; filename*=\"utf-8''a%20b\"", "attachment", "filename", "a b");
    expect("attachment; filename*=a%20b", "attachment", "filename", "a b");
    expect("attachment; filename*=''%zz%4", "attachment", "filename", "%zz%4");
    expect("attachment; filename*=utf-8''a%00b", "attachment", "filename",
           "a\xef\xbf\xbd"
           "b");
    /* an overlong '/' is no '/' */
    expect("attachment; filename*=utf-8''%c0%af", "attachment", "filename", "\xc3\x80\xc2\xaf");
    /* the better form of a file name wins, in any order */
    expect("attachment; filename=\"a.edi\"; filename*=utf-8''b.edi", "attachment", "filename",
           "b.edi");
    expect("attachment; filename*=utf-8''b.edi; filename=\"a.edi\"", "attachment", "filename",
           "b.edi");
    CHECK_EQ(value.n, 1);
    expect("attachment; filename*0=b; filename*1=.edi; filename=a.edi", "attachment",
           "filename", "b.edi");
    assert_false(value.params[0].extended);
    expect("a/b; c*d=e", "a/b", "c*d", "e");
    expect("a/b; *0=e", "a/b", "*0", "e");
    expect("a/b; *=e", "a/b", "*", "e");
    refused("a/b; c*1=e", "section 0 of parameter \"c\" is missing");
    refused("a/b; c*0=d; c*2=e", "section 1 of parameter \"c\" is missing");
    refused("a/b; c*00=d", "no legal number");
    refused("a/b; c*01=d", "no legal number");
    refused("a/b; c*32=d", "no legal number");
    refused("a/b; c*99999999999999999999=d", "no legal number");
}

static void as2_c127_parameters_up_to_the_limit(void **state)
{
    struct bytes b = { 0 };
    struct err err;

    (void)state;
    bytes_text(&b, "a/b");
    for (unsigned i = 0; i < MIME_PARAMS_MAX; i++) {
        char param[40];

        (void)snprintf(param, sizeof(param), "; p%u=%u", i, i);
        bytes_text(&b, param);
    }
    assert_true(read_value((const char *)b.p, &err));
    CHECK_EQ(value.n, MIME_PARAMS_MAX);
    assert_string_equal(mime_param(&value, "p31"), "31");
    bytes_text(&b, ";p0=0");
    refused((const char *)b.p, "more than 32 parameters");
    bytes_free(&b);
}

static void truncated_and_damaged_values_are_read_or_refused(void **state)
{
    static const char good[] = "multipart/signed; (x) boundary=\"a\\\"b\"; micalg=sha-256; "
                               "name*0*=utf-8'en'%c3; name*1*=%a4x; name=\"y\";";
    char text[sizeof(good)];
    struct err err;

    (void)state;
    for (size_t n = 0; n < sizeof(good); n++) {
        memcpy(text, good, n);
        text[n] = '\0';
        if (!read_value(text, &err))
            CHECK_EQ(err.kind, FAIL_PEER);
        if (n + 1 == sizeof(good))
            break;
    }
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
        memcpy(text, good, sizeof(good));
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (!read_value(text, &err))
            CHECK_EQ(err.kind, FAIL_PEER);
    }
}

static void encoded_words_are_decoded(void **state)
{
    static const char *const words[][2] = {
        { "plain", "plain" },
        { "", "" },
        { "=?utf-8?Q?a=C3=A4_b?=", "a\xc3\xa4 b" },
        { "=?UTF-8*en?q?=c3=a4?=", "\xc3\xa4" },
        { "=?iso-8859-1?Q?=e4?= x", "\xc3\xa4 x" },
        { "=?utf-8?B?w6Q=?=", "\xc3\xa4" },
        { "=?utf-8?b?Li4vLi4veA==?=", "../../x" },
        { "=?utf-8?Q?a?= \t=?utf-8?Q?b?=", "ab" },
        { "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c" },
        /* a character in two words */
        { "=?utf-8?Q?=c3?= =?utf-8?Q?=a4?=", "\xc3\xa4" },
        { "=?utf-8?Q?=c3=a4?= =?iso-8859-1?Q?=e4?=", "\xc3\xa4\xc3\xa4" },
        { "x=?utf-8?Q?y?=z", "xyz" },
        { "=?utf-8?Q?"
          "?=",
          "" },
        { "=?utf-8?Q?=00?=", "\xef\xbf\xbd" },
        { "\xe4 =?utf-8?Q?=c3=a4?=", "\xc3\xa4 \xc3\xa4" },
        { "\xc3\xa4", "\xc3\xa4" },
        /* what is none stays */
        { "=?utf-8?B?w6Q?=", "=?utf-8?B?w6Q?=" },
        { "=?utf-8?X?a?=", "=?utf-8?X?a?=" },
        { "=??Q?a?=", "=??Q?a?=" },
        { "=?utf-8?Q?a", "=?utf-8?Q?a" },
        { "=?utf-8?Q?a?", "=?utf-8?Q?a?" },
        { "=?utf-8?Q", "=?utf-8?Q" },
        { "=?utf-8?", "=?utf-8?" },
        { "=?", "=?" },
        { "=?utf-8?Q?a?= =?utf-8?B?!?=", "a =?utf-8?B?!?=" },
        { "=?utf-8?Q?=zz=4?=", "=zz=4" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        arena_free(&arena);
        assert_string_equal(mime_words(words[i][0], &arena), words[i][1]);
    }
}

static int done(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as2_c45_values_are_read_in_every_legal_and_tolerated_form),
        cmocka_unit_test(file_names_may_have_blanks_and_backslashes),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(a_parameter_with_two_values_is_refused),
        cmocka_unit_test(rfc_2231_sections_and_character_sets_are_decoded),
        cmocka_unit_test(as2_c127_parameters_up_to_the_limit),
        cmocka_unit_test(truncated_and_damaged_values_are_read_or_refused),
        cmocka_unit_test(encoded_words_are_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
