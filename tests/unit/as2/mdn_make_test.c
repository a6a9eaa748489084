/* MDNs as they leave: as2.md 4.1, 4.2, 13.3. */
#include "../cms/support.h"
#include "mdn_support.h"

#include <openssl/pem.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cms_signer signer;

static int make_keys(void **state)
{
    (void)state;
    signer = make_signer("RECVCO", "RSA");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free_signer(&signer);
    return 0;
}

/* AS2-C70: the report entity of 13.3, octet for octet. */
static void the_report_of_the_reference_is_made(void **state)
{
    static const uint8_t digest[] = {
        0x70, 0x4d, 0x12, 0x64, 0xb1, 0x9a, 0x12, 0xfb, 0x29, 0xc3, 0x48,
        0xea, 0x67, 0x0c, 0x03, 0x10, 0xbd, 0x8a, 0xba, 0x44, 0xd6, 0x56,
        0xcb, 0x5c, 0xc5, 0xd6, 0xca, 0xd9, 0x10, 0x21, 0xd4, 0x49,
    };
    struct as2_mdn m = mdn_13_3();
    struct arena a = { 0 };
    struct err err = { 0 };
    const char *type, *entity;
    struct span body;
    uint8_t got[32];

    (void)state;
    assert_true(as2_mdn_make(&m, NULL, NULL, false, &a, &type, &body, &err));
    assert_string_equal(type, REPORT_TYPE);
    entity = arena_printf(&a, "Content-Type: %s\r\n\r\n%.*s", type, (int)body.n,
                          (const char *)body.p);
    assert_string_equal(entity, REPORT_13_3);
    CHECK_EQ(strlen(entity), 631);
    assert_true(EVP_Digest(entity, 631, got, NULL, EVP_sha256(), NULL));
    assert_memory_equal(got, digest, sizeof(digest));
    arena_free(&a);
}

/* Runs openssl; its exit status. */
static int run(char *const *args)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(127);
        (void)execvp(args[0], args);
        _exit(127);
    }
    assert_true(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void put_file(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(name, "wb");

    assert_non_null(f);
    CHECK_EQ(fwrite(p, 1, n, f), n);
    CHECK_EQ(fclose(f), 0);
}

/* Octets of the signature part. */
static size_t signature_of(const char *body, uint8_t out[4096])
{
    const char *from = strstr(strstr(body, "application/pkcs7-signature"), "\r\n\r\n") + 4;
    uint8_t *p;
    size_t n;
    struct err err;

    assert_true(mime_decode_octets(
        MIME_BASE64, span_of(from, (size_t)(strstr(from, "\r\n\r\n--") - from)), &p, &n, &err));
    assert_in_range(n, 100, 4096);
    memcpy(out, p, n);
    free(p);
    return n;
}

#define ARG(text) ((char[]) { text })

/* AS2-C77: `openssl cms` reads the whole multipart/signed, and the signature apart from the report
 * from its Content-Type to the CRLF behind its closing delimiter. */
static void check_with_openssl(const char *type, struct span body, const char *report)
{
    char folder[] = "/tmp/as2-mdn-XXXXXX";
    char *whole[] = {
        ARG("openssl"), ARG("cms"),       ARG("-verify"),   ARG("-in"),   ARG("message"),
        ARG("-out"),    ARG("/dev/null"), ARG("-inform"),   ARG("SMIME"), ARG("-certfile"),
        ARG("cert"),    ARG("-nointern"), ARG("-noverify"), NULL
    };
    char *apart[] = { ARG("openssl"),
                      ARG("cms"),
                      ARG("-verify"),
                      ARG("-in"),
                      ARG("signature"),
                      ARG("-out"),
                      ARG("/dev/null"),
                      ARG("-inform"),
                      ARG("DER"),
                      ARG("-certfile"),
                      ARG("cert"),
                      ARG("-nointern"),
                      ARG("-noverify"),
                      ARG("-binary"),
                      ARG("-content"),
                      ARG("report"),
                      NULL };
    static const char *const names[] = { "message", "cert", "report", "signature" };
    char *text = malloc(body.n + strlen(type) + 100);
    uint8_t signature[4096];
    size_t n;
    FILE *f;

    assert_non_null(text);
    n = (size_t)sprintf(text, "MIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n%.*s", type,
                        (int)body.n, (const char *)body.p);
    assert_non_null(mkdtemp(folder));
    CHECK_EQ(chdir(folder), 0);
    f = fopen("cert", "wb");
    assert_non_null(f);
    assert_true(PEM_write_X509(f, signer.cert));
    CHECK_EQ(fclose(f), 0);
    put_file("message", text, n);
    put_file("report", report, strlen(report));
    put_file("signature", signature, signature_of((const char *)body.p, signature));
    CHECK_EQ(run(whole), 0);
    CHECK_EQ(run(apart), 0);
    /* one CRLF less, one octet changed, and it is wrong */
    put_file("report", report, strlen(report) - 2);
    CHECK_EQ(run(apart), 4);
    text[n - body.n + 30] ^= 1;
    put_file("message", text, n);
    CHECK_EQ(run(whole), 4);
    free(text);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        CHECK_EQ(unlink(names[i]), 0);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(rmdir(folder), 0);
}

/* AS2-C70, AS2-C77: the wrapping of 13.3. */
static void the_signature_covers_the_report_to_its_last_crlf(void **state)
{
    struct as2_mdn m = mdn_13_3();
    struct cms_sign_options how = sign_options(NULL, EVP_sha256());
    struct arena a = { 0 };
    struct err err = { 0 };
    const char *type, *text;
    struct span body;

    (void)state;
    assert_true(as2_mdn_make(&m, &signer, &how, false, &a, &type, &body, &err));
    assert_string_equal(type, "multipart/signed; protocol=\"application/pkcs7-signature\"; "
                              "micalg=sha-256; boundary=\"OUTER-0002\"");
    text = (const char *)body.p;
    CHECK_EQ(strlen(text), body.n);
    assert_memory_equal(text, "--OUTER-0002\r\n", 14);
    assert_memory_equal(text + 14, REPORT_13_3, 631);
    text += 645;
    text = strstr(text, "\r\n\r\n");
    assert_non_null(text);
    assert_memory_equal(body.p + 645,
                        "\r\n--OUTER-0002\r\n"
                        "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                        "Content-Transfer-Encoding: base64\r\n"
                        "Content-Disposition: attachment; filename=smime.p7s\r\n\r\n",
                        (size_t)(text + 4 - (const char *)body.p) - 645);
    for (text += 4; *text != '\r'; text = strchr(text, '\n') + 1)
        assert_in_range(strcspn(text, "\r"), 1, 76);
    assert_string_equal(text, "\r\n--OUTER-0002--\r\n");
    check_with_openssl(type, body, REPORT_13_3);
    arena_free(&a);
}

/* AS2-C46, AS2-C67: the digest asked for, its name in the partner's style. */
static void the_digest_of_the_signature_is_named(void **state)
{
    static const struct {
        int nid;
        bool legacy;
        const char *micalg;
    } rows[] = {
        { NID_sha1, false, "; micalg=sha1; " },      { NID_sha1, true, "; micalg=sha1; " },
        { NID_sha384, false, "; micalg=sha-384; " }, { NID_sha384, true, "; micalg=sha384; " },
        { NID_sha512, false, "; micalg=sha-512; " },
    };
    struct as2_mdn m = mdn_13_3();
    struct arena a = { 0 };
    struct err err = { 0 };
    const char *type;
    struct span body;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cms_sign_options how = sign_options(NULL, EVP_get_digestbynid(rows[i].nid));

        assert_true(as2_mdn_make(&m, &signer, &how, rows[i].legacy, &a, &type, &body, &err));
        assert_non_null(strstr(type, rows[i].micalg));
        check_with_openssl(type, body, REPORT_13_3);
    }
    arena_free(&a);
}

static const char *make(struct as2_mdn m, struct arena *a)
{
    struct err err = { 0 };
    const char *type;
    struct span body;

    if (!as2_mdn_make(&m, NULL, NULL, false, a, &type, &body, &err)) {
        CHECK_EQ(err.kind, FAIL_LOCAL);
        return NULL;
    }
    return (const char *)body.p;
}

/* AS2-C71: octet for octet, however odd. */
static void the_message_id_is_repeated_as_it_came(void **state)
{
    static const char *const ids[] = { "<0001@sender.example>", "no-brackets", "<a b@c>",
                                       "<#\"\\~(x)@y>",         "<<a@b>>",     "<\";,:=?@x>" };
    struct arena a = { 0 };
    static char room[AS2_MESSAGE_ID_MAX + 1];

    (void)state;
    for (size_t i = 0; i <= COUNT_OF(ids); i++) {
        struct as2_mdn m = mdn_13_3();
        const char *body;

        m.original_message_id =
            i < COUNT_OF(ids) ? ids[i] : many(room, 'x', AS2_MESSAGE_ID_MAX);
        body = make(m, &a);
        assert_non_null(body);
        assert_non_null(
            strstr(body, arena_printf(&a, "\r\nOriginal-Message-ID: %s\r\nDisposition: ",
                                      m.original_message_id)));
    }
    arena_free(&a);
}

static void the_recipient_is_quoted_as_it_came_or_rightly(void **state)
{
    static const struct {
        const char *to, *field;
    } rows[] = {
        { "RECVCO", "RECVCO" },       { "\"RECVCO\"", "\"RECVCO\"" },
        { "RECV CO", "\"RECV CO\"" }, { "\"RECV CO\"", "\"RECV CO\"" },
        { "RE\\CV", "\"RE\\\\CV\"" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_mdn m = mdn_13_3();

        m.final_recipient = rows[i].to;
        assert_non_null(
            strstr(make(m, &a), arena_printf(&a,
                                             "\r\nOriginal-Recipient: rfc822; %s\r\n"
                                             "Final-Recipient: rfc822; %s\r\n",
                                             rows[i].field, rows[i].field)));
    }
    arena_free(&a);
}

/* as2.md 4.4: the text of the fault, a field with the reason, no MIC where there is none. */
static void a_fault_is_said_in_the_fields(void **state)
{
    static const struct {
        enum as2_fault fault;
        const char *failure, *fields;
    } rows[] = {
        { AS2_DECRYPTION, NULL, "; processed/error: decryption-failed\r\n\r\n--" },
        { AS2_AUTHENTICATION, "no certificate",
          "; processed/error: authentication-failed\r\nError: no certificate\r\n\r\n--" },
        { AS2_UNSUPPORTED_OPTION, "x-foo", "; failed/failure\r\nFailure: x-foo\r\n\r\n--" },
        { AS2_UNSUPPORTED_MICALG, NULL,
          "; failed/failure: unsupported MIC-algorithms\r\n\r\n--" },
        { AS2_DUPLICATE, "seen",
          "; processed/warning: duplicate-document\r\nWarning: seen\r\n\r\n--" },
        { AS2_UNSUPPORTED_OPTION, "a\r\nDisposition: x\xE4",
          "; failed/failure\r\nFailure: a??Disposition: x?\r\n\r\n--" },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_mdn m = mdn_13_3();

        m.mic = NULL;
        m.reporting_ua = NULL;
        m.fault = rows[i].fault;
        m.failure = rows[i].failure;
        assert_non_null(strstr(make(m, &a), rows[i].fields));
        assert_null(strstr(make(m, &a), "Reporting-UA"));
    }
    arena_free(&a);
}

/* AS2-C79: nothing but ASCII, CR LF line ends, lines of legal length, whatever the text was. */
static void the_text_for_people_is_made_harmless(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "one\ntwo", "\r\n\r\none\r\ntwo\r\n\r\n--INNER" },
        { "one\r\ntwo\r\n", "\r\n\r\none\r\ntwo\r\n\r\n--INNER" },
        { "one\rtwo", "\r\n\r\none?two\r\n\r\n--INNER" },
        { "f\xC3\xBCr \x1b[31m\x7f\x01\ttab", "\r\n\r\nf??r ?[31m???tab\r\n\r\n--INNER" },
        { "", "\r\n\r\n\r\n--INNER" },
        { NULL, "\r\n\r\n\r\n--INNER" },
    };
    static char room[3 * AS2_TEXT_MAX];
    struct arena a = { 0 };
    const char *text, *end;
    struct as2_mdn m = mdn_13_3();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        m.text = rows[i].text;
        assert_non_null(strstr(make(m, &a), rows[i].part));
    }
    for (int c = 1; c < 256; c++)
        room[c - 1] = (char)c;
    m.text = room;
    for (const char *p = make(m, &a); *p != '\0'; p++)
        assert_true((*p >= ' ' && *p <= '~') || (*p == '\r' && p[1] == '\n') || *p == '\n');
    /* AS2-C127: the limit, and one more */
    for (size_t n = AS2_TEXT_MAX - 1; n <= AS2_TEXT_MAX + 1; n++) {
        size_t kept = 0;

        m.text = many(room, 'x', n);
        text = strstr(strstr(make(m, &a), "\r\n\r\n") + 4, "x");
        end = strstr(text, "--INNER");
        for (size_t line; text < end; text += line + 2) {
            line = strcspn(text, "\r");
            kept += line;
            assert_in_range(line, 0, 998);
        }
        CHECK_EQ(kept, n < AS2_TEXT_MAX ? n : AS2_TEXT_MAX);
    }
    assert_non_null(make(m, &a));
    m.text = many(room, '\n', sizeof(room) - 1);
    assert_non_null(make(m, &a));
    arena_free(&a);
}

/* AS2-C128: what would end a line, or is not ASCII, never gets out. */
static void what_would_end_a_line_is_refused(void **state)
{
    static const char *const bad[] = { "a\r\nX: y", "a\nb",  "a\rb", "a\x01",
                                       "a\x7f",     "a\xE4", "a\tb" };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct as2_mdn m = mdn_13_3();

        m.original_message_id = bad[i];
        assert_null(make(m, &a));
        m = mdn_13_3();
        m.final_recipient = bad[i];
        assert_null(make(m, &a));
        m = mdn_13_3();
        m.reporting_ua = bad[i];
        assert_null(make(m, &a));
        m = mdn_13_3();
        m.mic = bad[i];
        assert_null(make(m, &a));
    }
    arena_free(&a);
}

static void what_is_needed_is_asked_for(void **state)
{
    struct arena a = { 0 };
    struct as2_mdn m = mdn_13_3();

    (void)state;
    m.original_message_id = NULL;
    assert_null(make(m, &a));
    m = mdn_13_3();
    m.final_recipient = NULL;
    assert_null(make(m, &a));
    m.final_recipient = "\"\"";
    assert_null(make(m, &a));
    arena_free(&a);
}

static void boundaries_that_could_be_mistaken_are_refused(void **state)
{
    static const struct {
        const char *outer, *inner;
        bool fit;
    } rows[] = {
        { "OUTER", "INNER", true },
        { "", "INNER", false },
        { "OUTER", "", false },
        { "SAME", "SAME", false },
        { "B", "B2", false },
        { "B2", "B", false },
        { "OUTER ", "INNER", false },
        { "OUT\r\nER", "I", false },
        { "OUT\"ER", "I", false },
        { "a_b=c.d-e", "x", true },
        { "OUTER", "received", true },
        { "1234567890123456789012345678901234567890123456789012345678901234567890", "x", true },
        { "12345678901234567890123456789012345678901234567890123456789012345678901", "x",
          false },
    };
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct as2_mdn m = mdn_13_3();

        m.boundary_outer = rows[i].outer;
        m.boundary_inner = rows[i].inner;
        if ((make(m, &a) != NULL) != rows[i].fit)
            fail_msg("row %zu", i);
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const texts[] = { "--INNER-0002", "a\n--OUTER-0002--",
                                             "a\n--INNER-0002x",
                                             "a --INNER-0002\n-INNER-0002\n--INNER-000" };
        struct as2_mdn m = mdn_13_3();

        m.text = texts[i];
        CHECK_EQ(make(m, &a) != NULL, i == 3);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_of_the_reference_is_made),
        cmocka_unit_test(the_signature_covers_the_report_to_its_last_crlf),
        cmocka_unit_test(the_digest_of_the_signature_is_named),
        cmocka_unit_test(the_message_id_is_repeated_as_it_came),
        cmocka_unit_test(the_recipient_is_quoted_as_it_came_or_rightly),
        cmocka_unit_test(a_fault_is_said_in_the_fields),
        cmocka_unit_test(the_text_for_people_is_made_harmless),
        cmocka_unit_test(what_would_end_a_line_is_refused),
        cmocka_unit_test(what_is_needed_is_asked_for),
        cmocka_unit_test(boundaries_that_could_be_mistaken_are_refused),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
