/* MDNs as they come: as2.md 4.2, 4.8, 10, 13.3. */
#include "mdn_support.h"

static bool read_as(const char *type, const char *cte, struct span body, struct arena *a,
                    struct as2_mdn_in *m, struct err *err)
{
    struct mime_field fields[] = { { "content-type", type },
                                   { "Content-Transfer-Encoding", cte } };
    struct mime_head http = head_of(fields, type == NULL ? 0 : cte == NULL ? 1 : 2);
    uint8_t *copy = malloc(body.n > 0 ? body.n : 1);
    char *octets;
    bool ok;

    assert_non_null(copy);
    if (body.n > 0)
        memcpy(copy, body.p, body.n);
    *err = (struct err) { 0 };
    ok = as2_mdn_read(&http, span_of(copy, body.n), a, m, err);
    if (!ok)
        CHECK_EQ(err->kind, FAIL_PEER);
    if (ok && m->is_signed) { /* they may be borrowed */
        octets = arena_copy(a, m->signed_octets);
        m->signed_octets.p = (const uint8_t *)octets;
        octets = arena_copy(a, m->signature);
        m->signature.p = (const uint8_t *)octets;
    }
    free(copy);
    return ok;
}

static struct as2_mdn_in must_read(const char *type, const char *body, struct arena *a)
{
    struct as2_mdn_in m;
    struct err err;

    if (!read_as(type, NULL, span_text(body), a, &m, &err))
        fail_msg("%s: %s", err.text, body);
    return m;
}

static void must_refuse(const char *type, const char *body)
{
    struct arena a = { 0 };
    struct as2_mdn_in m = { .detail = "untouched" };
    struct err err;

    if (read_as(type, NULL, span_text(body), &a, &m, &err))
        fail_msg("read: %s", body);
    CHECK_EQ(err.wire, 400);
    assert_memory_equal(err.text, "mdn: ", 5);
    assert_string_equal(m.detail, "untouched");
    arena_free(&a);
}

static void check_13_3(const struct as2_mdn_in *m)
{
    struct as2_mic mic = { 0 };

    assert_true(as2_mic_read(MIC_13_1, &mic));
    assert_string_equal(m->reporting_ua, "ExampleGW");
    assert_string_equal(m->final_recipient, "RECVCO");
    assert_string_equal(m->original_message_id, "<0001@sender.example>");
    assert_string_equal(m->disposition, "automatic-action/MDN-sent-automatically; processed");
    CHECK_EQ(m->class, AS2_POSITIVE);
    assert_string_equal(m->detail, "");
    assert_string_equal(m->mic_text, MIC_13_1);
    assert_true(as2_mic_equal(&m->mic, &mic));
    assert_string_equal(m->text, "The message has been received and processed.");
}

/* AS2-C84: nothing but Content-Type is needed of the HTTP message's header. */
static void the_report_of_the_reference_is_read(void **state)
{
    struct arena a = { 0 };
    struct as2_mdn_in m = must_read(REPORT_TYPE, REPORT_BODY_13_3, &a);

    (void)state;
    assert_false(m.is_signed);
    check_13_3(&m);
    arena_free(&a);
}

#define SIGNED_TYPE                                                                            \
    "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; "             \
    "boundary=\"OUTER-0002\""
#define SIGNED_BODY_OF(part)                                                                   \
    "--OUTER-0002\r\n" REPORT_13_3 "\r\n--OUTER-0002\r\n" part "\r\n--OUTER-0002--\r\n"
#define BASE64_PART                                                                            \
    "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"                            \
    "Content-Transfer-Encoding: base64\r\n"                                                    \
    "\r\n"                                                                                     \
    "c2lnbmF0dXJl\r\n"

static void the_parts_of_a_signed_one_are_found(void **state)
{
    static const struct {
        const char *type, *part, *micalg;
    } rows[] = {
        { SIGNED_TYPE, BASE64_PART, "sha-256" },
        /* without micalg and protocol */
        { "multipart/signed; boundary=OUTER-0002", BASE64_PART, NULL },
        { "Multipart/Signed;BOUNDARY=OUTER-0002;Micalg=SHA1;", BASE64_PART, "SHA1" },
        /* Sterling: binary, no transfer encoding */
        { SIGNED_TYPE,
          "Content-Type: application/pkcs7-signature; name=EDIINTSIG.p7s\r\n\r\nsignature",
          "sha-256" },
        { SIGNED_TYPE,
          "Content-Type: Application/x-pkcs7-signature\r\nContent-Transfer-Encoding: "
          "binary\r\n\r\nsignature",
          "sha-256" },
        { SIGNED_TYPE, "\r\nsignature", "sha-256" },
        { SIGNED_TYPE,
          "Content-Type: application/pkcs7-signature\nContent-Transfer-Encoding: "
          "BASE64\n\nc2lnbm\n F0dXJl\n",
          "sha-256" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *body = arena_printf(&a,
                                        "--OUTER-0002\r\n%s\r\n--OUTER-0002\r\n%s\r\n"
                                        "--OUTER-0002--\r\n",
                                        REPORT_13_3, rows[i].part);
        struct as2_mdn_in m = must_read(rows[i].type, body, &a);

        check_13_3(&m);
        assert_true(m.is_signed);
        assert_true(span_is(m.signed_octets, REPORT_13_3));
        assert_true(span_is(m.signature, "signature"));
        if (rows[i].micalg == NULL)
            assert_null(m.micalg);
        else
            assert_string_equal(m.micalg, rows[i].micalg);
    }
    arena_free(&a);
}

/* AS2-C83: each in the place of the two parts of 13.3 says the same. */
static void oddly_written_parts_say_the_same(void **state)
{
    static const char *const texts[] = {
        TEXT_PART,
        "\r\nThe message has been received and processed.\r\n", /* no header: Sterling */
        "The message has been received and processed.",         /* not even an empty line */
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        "VGhlIG1lc3NhZ2UgaGFzIGJlZW4gcmVjZWl2\r\nZWQgYW5kIHByb2Nlc3NlZC4=\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n"
        "The message has been=20received and=\r\n processed=2E\r\n",
    };
    static const char *const fields[] = {
        FIELDS_HEAD FIELDS_13_3,
        /* odd case, order, no blanks, a leading empty line, unknown and empty fields */
        "content-type:MESSAGE/Disposition-Notification;\r\n\r\n"
        "\r\n"
        "RECEIVED-CONTENT-MIC:" MIC_13_1 "\r\n"
        "X-Other: \r\n"
        "disposition:automatic-action/MDN-sent-automatically; processed\r\n"
        "original-message-id:<0001@sender.example>\r\n"
        "final-recipient:RECVCO\r\n" /* no type */
        "reporting-ua:ExampleGW\r\n"
        "\r\n"
        "Disposition: what is behind the empty line is not read\r\n",
        /* folded, comments, twice the same, another address type, LF */
        "Content-Type: message/disposition-notification; x=(y)\n\n"
        "Reporting-UA:\n ExampleGW\n"
        "Final-Recipient: As2 ;RECVCO\n"
        "Final-Recipient: rfc822; SECOND\n"
        "Original-Message-ID:\n\t<0001@sender.example>\n"
        "Original-Message-ID: <0001@sender.example>\n"
        "Disposition: automatic-action/MDN-sent-automatically;\n processed\n"
        "Received-Content-MIC: f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=,\n sha-256",
        "Content-Type: message/disposition-notification\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
        "UmVwb3J0aW5nLVVBOiBFeGFtcGxlR1cNCkZpbmFsLVJlY2lwaWVudDogcmZjODIyOyBSRUNWQ08N\r\n"
        "Ck9yaWdpbmFsLU1lc3NhZ2UtSUQ6IDwwMDAxQHNlbmRlci5leGFtcGxlPg0KRGlzcG9zaXRpb246\r\n"
        "IGF1dG9tYXRpYy1hY3Rpb24vTUROLXNlbnQtYXV0b21hdGljYWxseTsgcHJvY2Vzc2VkDQpSZWNl\r\n"
        "aXZlZC1Db250ZW50LU1JQzogZjBLbVh6MFJZS0pGWE8rcjRQNWx1dEx4UlZiYnlxT3ZCZFcrMVYy\r\n"
        "QTNKOD0sIHNoYS0yNTYNCg==\r\n",
        "Content-Type: message/disposition-notification\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Reporting-UA: ExampleGW\r\nFinal-Recipient: rfc822; RECVCO\r\n"
        "Original-Message-ID: <0001@sender.example>\r\n"
        "Disposition: automatic-action/MDN-sent-automatically; pro=\r\ncessed\r\n"
        "Received-Content-MIC: f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=3D, sha-256\r\n",
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (size_t k = 0; k < COUNT_OF(fields); k++)
            for (int order = 0; order < 2; order++) {
                const char *body = arena_printf(
                    &a, "--INNER-0002\r\n%s\r\n--INNER-0002\r\n%s\r\n--INNER-0002--\r\n",
                    order == 0 ? texts[i] : fields[k], order == 0 ? fields[k] : texts[i]);
                struct as2_mdn_in m = must_read(REPORT_TYPE, body, &a);

                check_13_3(&m);
            }
    arena_free(&a);
}

/* AS2-C83: around the parts. */
static void oddly_written_multiparts_say_the_same(void **state)
{
    static const struct {
        const char *type, *before, *after;
    } rows[] = {
        { REPORT_TYPE, "", "" },
        { REPORT_TYPE, "\r\n", "\r\n\r\n" },
        { REPORT_TYPE, "Message-ID: <x@y>\r\nContent-Type: text/plain\r\n\r\n", "epilogue" },
        { "Multipart/Report; Report-Type=Disposition-Notification; boundary=INNER-0002;", "",
          "" },
        { "multipart/report;boundary=\"INNER-0002\"", "", "" },
    };
    struct arena a = { 0 };
    struct as2_mdn_in m;
    struct err err;
    char *lf;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        m = must_read(
            rows[i].type,
            arena_printf(&a, "%s%s%s", rows[i].before, REPORT_BODY_13_3, rows[i].after), &a);
        check_13_3(&m);
    }
    /* without the last CRLF, and with LF alone */
    assert_true(read_as(REPORT_TYPE, NULL,
                        span_of(REPORT_BODY_13_3, strlen(REPORT_BODY_13_3) - 2), &a, &m, &err));
    check_13_3(&m);
    lf = exact_text(REPORT_BODY_13_3, strlen(REPORT_BODY_13_3));
    for (size_t i = 0; lf[i] != '\0'; i++)
        if (lf[i] != '\r')
            lf[n++] = lf[i];
    lf[n] = '\0';
    m = must_read(REPORT_TYPE, lf, &a);
    check_13_3(&m);
    free(lf);
    arena_free(&a);
}

/* base64 around the whole. */
static void a_transfer_encoding_of_the_http_message_is_taken_off(void **state)
{
    struct arena a = { 0 };
    size_t n = strlen(REPORT_BODY_13_3);
    char *text = arena_take(&a, 2 * n);
    struct as2_mdn_in m;
    struct err err;

    (void)state;
    EVP_EncodeBlock((uint8_t *)text, (const uint8_t *)REPORT_BODY_13_3, (int)n);
    if (!read_as(REPORT_TYPE, "Base64", span_text(text), &a, &m, &err))
        fail_msg("%s", err.text);
    check_13_3(&m);
    assert_true(read_as(REPORT_TYPE, "8bit", span_text(REPORT_BODY_13_3), &a, &m, &err));
    check_13_3(&m);
    assert_false(read_as(REPORT_TYPE, "x-uuencode", span_text(REPORT_BODY_13_3), &a, &m, &err));
    arena_free(&a);
}

static struct as2_mdn_in read_fields(const char *fields, struct arena *a)
{
    return must_read(
        REPORT_TYPE,
        arena_printf(a, "--INNER-0002\r\n%s%s\r\n--INNER-0002--\r\n", FIELDS_HEAD, fields), a);
}

static void what_the_fields_say_is_told(void **state)
{
    static const struct {
        const char *fields;
        enum as2_class class;
        const char *detail;
    } rows[] = {
        { "Disposition: a/b; processed/Error\r\nError: authentication-failed\r\n", AS2_NEGATIVE,
          "authentication-failed" },
        { "Disposition: a/b; failed\r\nFailure: no such option\r\n", AS2_NEGATIVE,
          "no such option" },
        { "Disposition: a/b; processed/error: x\r\nError: y\r\n", AS2_NEGATIVE, "x" },
        { "Disposition: a/b; processed/warning\r\nWarning: y\r\nWarning: z\r\n", AS2_WARNING,
          "y" },
        { "Disposition: a/b; processed\r\nError: y\r\n", AS2_POSITIVE, "" },
        { "Disposition: a/b; displayed\r\n", AS2_INVALID, "" },
        { "Disposition:\r\n", AS2_INVALID, "" },
        { "Original-Message-ID: x\r\n", AS2_INVALID, "" },
        { "Disposition: a/b; processed\r\nDisposition: a/b; processed\r\n", AS2_POSITIVE, "" },
        { "Content-Length: 1\r\nContent-Length: 2\r\nDisposition: processed\r\n", AS2_POSITIVE,
          "" },
    };
    struct arena a = { 0 };
    struct as2_mdn_in m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        m = read_fields(rows[i].fields, &a);
        if (m.class != rows[i].class)
            fail_msg("%s: %d", rows[i].fields, (int)m.class);
        assert_string_equal(m.detail, rows[i].detail);
        assert_null(m.mic_text);
        CHECK_EQ(m.mic.n, 0);
        assert_string_equal(m.text, "");
    }
    assert_null(read_fields("X: y\r\n", &a).disposition);
    m = read_fields("Received-content-MIC: ???, sha1\r\n", &a);
    assert_string_equal(m.mic_text, "???, sha1");
    CHECK_EQ(m.mic.n, 0);
    assert_string_equal(
        read_fields("Original-Message-ID: <a@b> (their (own))\r\n", &a).original_message_id,
        "<a@b>");
    assert_string_equal(read_fields("Original-Message-ID: a (b)\r\n", &a).original_message_id,
                        "a (b)");
    assert_string_equal(read_fields("Final-Recipient: rfc822; \"A B\"\r\n", &a).final_recipient,
                        "\"A B\"");
    arena_free(&a);
}

/* as2.md 4.2 */
static void fields_that_contradict_each_other_are_refused(void **state)
{
    static const char *const rows[] = {
        "Disposition: a/b; processed\r\nDisposition: a/b; failed\r\n",
        "Disposition: a/b; processed\r\nX: y\r\ndisposition: processed\r\n",
        "Original-Message-ID: <a@b>\r\nOriginal-Message-ID: <c@d>\r\n",
        "Received-content-MIC: " MIC_13_1 "\r\nReceived-Content-MIC: x\r\n",
        "Disposition\r\n",
        " Disposition: folded from nowhere\r\n",
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        must_refuse(REPORT_TYPE, arena_printf(&a, "--INNER-0002\r\n%s%s\r\n--INNER-0002--\r\n",
                                              FIELDS_HEAD, rows[i]));
    arena_free(&a);
}

static void what_is_no_mdn_is_refused(void **state)
{
    (void)state;
    must_refuse(NULL, REPORT_BODY_13_3);
    must_refuse("text/html", "<html>");
    must_refuse("multipart/mixed; boundary=INNER-0002", REPORT_BODY_13_3);
    must_refuse("multipart/report; report-type=delivery-status; boundary=INNER-0002",
                REPORT_BODY_13_3);
    must_refuse("multipart/report; report-type=disposition-notification", REPORT_BODY_13_3);
    must_refuse("multipart/report; boundary=OTHER", REPORT_BODY_13_3);
    must_refuse("multipart/report; boundary=\"\"", REPORT_BODY_13_3);
    must_refuse(REPORT_TYPE, "");
    must_refuse(REPORT_TYPE, REPORT_BODY_OF(TEXT_PART, TEXT_PART));
    must_refuse(REPORT_TYPE, REPORT_BODY_OF(FIELDS_HEAD FIELDS_13_3, FIELDS_HEAD FIELDS_13_3));
    must_refuse(SIGNED_TYPE, "--OUTER-0002\r\n" REPORT_13_3 "\r\n--OUTER-0002--\r\n");
    must_refuse(SIGNED_TYPE, SIGNED_BODY_OF(BASE64_PART "\r\n--OUTER-0002\r\n" BASE64_PART));
    must_refuse(SIGNED_TYPE, SIGNED_BODY_OF("Content-Type: text/plain\r\n\r\nsignature"));
    must_refuse(SIGNED_TYPE, SIGNED_BODY_OF("Content-Type: application/pkcs7-signature\r\n"
                                            "Content-Transfer-Encoding: base64\r\n\r\n!!!!"));
    must_refuse(SIGNED_TYPE, "--OUTER-0002\r\nContent-Type: text/plain\r\n\r\nx\r\n"
                             "--OUTER-0002\r\n" BASE64_PART "\r\n--OUTER-0002--\r\n");
    must_refuse(SIGNED_TYPE, "--OUTER-0002\r\n" BASE64_PART "\r\n--OUTER-0002\r\n" REPORT_13_3
                             "\r\n--OUTER-0002--\r\n");
}

/* AS2-C127 */
static void an_mdn_has_up_to_a_megabyte(void **state)
{
    size_t n = strlen(REPORT_BODY_13_3), max = AS2_MDN_MAX;
    char *body = malloc(max + 1);
    struct as2_mdn_in m;
    struct err err;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', max + 1);
    memcpy(body, "--INNER-0002\r\n\r\n", 16);
    for (size_t extra = 0; extra < 2; extra++) {
        struct arena a = { 0 };

        memcpy(body + max + extra - n - 2, "\r\n" REPORT_BODY_13_3, n + 2);
        CHECK_EQ(read_as(REPORT_TYPE, NULL, span_of(body, max + extra), &a, &m, &err),
                 extra == 0);
        if (extra == 0) {
            CHECK_EQ(m.class, AS2_POSITIVE);
            CHECK_EQ(strlen(m.text), AS2_TEXT_MAX - 3);
        }
        arena_free(&a);
    }
    free(body);
}

static void the_text_for_people_is_made_harmless(void **state)
{
    static const struct {
        const char *part, *text;
    } rows[] = {
        { "\r\none\r\ntwo\rthree\n\r\n", "one\ntwo\nthree" },
        { "\r\n\x1b[31m\x01\x7f\t.", "?[31m?? ." },
        { "\r\nf\xC3\xBCr", "f\xC3\xBCr" },
        { "\r\nf\xFCr", "f\xC3\xBCr" }, /* ISO-8859-1 */
        { "\r\n\xC2\x85\x85.", "??." }, /* C1 */
        { "\r\n\xE2\x82", "\xC3\xA2?" },
        { "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: x\r\n\r\nx",
          "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: x\n\nx" },
        { "", "" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(
            must_read(REPORT_TYPE,
                      arena_printf(&a,
                                   "--INNER-0002\r\n%s\r\n--INNER-0002\r\n%s\r\n--INNER-0002--",
                                   rows[i].part, FIELDS_HEAD FIELDS_13_3),
                      &a)
                .text,
            rows[i].text);
    arena_free(&a);
}

/* Told by the type and what the first part is; at any cut of the body it is the same or
 * not known yet. */
static void an_mdn_is_told_from_a_message(void **state)
{
    static const struct {
        const char *type, *body;
        bool is;
    } rows[] = {
        { REPORT_TYPE, "", true },
        { "Multipart/Report; Report-Type=Disposition-Notification", "", true },
        { "multipart/report; boundary=x", "", true },
        { "multipart/report; report-type=delivery-status; boundary=x", "", false },
        { SIGNED_TYPE, SIGNED_BODY_OF(BASE64_PART), true },
        { SIGNED_TYPE, "preamble: x\r\n\r\n" SIGNED_BODY_OF(BASE64_PART), true },
        { SIGNED_TYPE,
          "--OUTER-0002\nContent-type: Multipart/Report;\n report-type=DISPOSITION-notification\n"
          "\nx",
          true },
        { SIGNED_TYPE,
          "--OUTER-0002\r\nContent-Type: application/EDIFACT\r\n\r\nUNB\r\n--OUTER-0002\r\n",
          false },
        { SIGNED_TYPE,
          "--OUTER-0002\r\n\r\nContent-Type: multipart/report\r\n\r\n\r\n--OUTER-0002\r\n",
          false },
        { SIGNED_TYPE,
          "--OUTER-0002\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" REPORT_13_3,
          false },
        { SIGNED_TYPE, "--OUTER-0002\r\nno header\r\n\r\n" REPORT_13_3, false },
        { "multipart/mixed; boundary=OUTER-0002", SIGNED_BODY_OF(BASE64_PART), false },
        { "multipart/signed", SIGNED_BODY_OF(BASE64_PART), false },
        { "application/pkcs7-mime; smime-type=enveloped-data", REPORT_13_3, false },
        { "application/EDIFACT", REPORT_13_3, false },
        { "", REPORT_13_3, false },
        { NULL, REPORT_13_3, false },
    };
    bool more;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t all = strlen(rows[i].body);

        for (size_t n = 0; n <= all; n++) {
            char *cut = exact_text(rows[i].body, n);
            bool is = as2_is_mdn(rows[i].type, span_of(cut, n), &more);

            if (is && more)
                fail_msg("row %zu at %zu: both", i, n);
            if (!more && is != rows[i].is)
                fail_msg("row %zu at %zu: %d", i, n, is);
            free(cut);
        }
        assert_false(more);
    }
}

static void a_signed_message_that_never_begins_is_given_up(void **state)
{
    size_t n = 4 * MIME_EDGE_MAX;
    char *body = malloc(n);
    bool more = true;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', n);
    assert_false(as2_is_mdn(SIGNED_TYPE, span_of(body, n), &more));
    assert_false(more);
    free(body);
}

/* AS2-C126: whatever is cut off or flipped, it is read or refused; a positive answer to another
 * message or with another MIC never comes of a cut. */
static void every_cut_and_flipped_bit_is_survived(void **state)
{
    static const char body[] = SIGNED_BODY_OF(BASE64_PART);
    struct as2_mdn_in m;
    struct err err;
    size_t read = 0;

    (void)state;
    for (size_t n = 0; n < sizeof(body) - 3; n++) {
        struct arena a = { 0 };

        /* the last CRLF may be missing: the delimiter's, not what is before it */
        assert_false(read_as(SIGNED_TYPE, NULL, span_of(body, n), &a, &m, &err));
        arena_free(&a);
    }
    for (size_t bit = 0; bit < 8 * (sizeof(body) - 1); bit++) {
        struct arena a = { 0 };
        char *text = exact_text(body, sizeof(body) - 1);

        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        read += read_as(SIGNED_TYPE, NULL, span_of(text, sizeof(body) - 1), &a, &m, &err);
        free(text);
        arena_free(&a);
    }
    assert_in_range(read, 1000, 8 * sizeof(body) - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_of_the_reference_is_read),
        cmocka_unit_test(the_parts_of_a_signed_one_are_found),
        cmocka_unit_test(oddly_written_parts_say_the_same),
        cmocka_unit_test(oddly_written_multiparts_say_the_same),
        cmocka_unit_test(a_transfer_encoding_of_the_http_message_is_taken_off),
        cmocka_unit_test(what_the_fields_say_is_told),
        cmocka_unit_test(fields_that_contradict_each_other_are_refused),
        cmocka_unit_test(what_is_no_mdn_is_refused),
        cmocka_unit_test(an_mdn_has_up_to_a_megabyte),
        cmocka_unit_test(the_text_for_people_is_made_harmless),
        cmocka_unit_test(an_mdn_is_told_from_a_message),
        cmocka_unit_test(a_signed_message_that_never_begins_is_given_up),
        cmocka_unit_test(every_cut_and_flipped_bit_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
