/* Disposition: as2.md 4.3, 4.4 and the table of 13.5. */
#include "test.h"

#define AUTO "automatic-action/MDN-sent-automatically; "

static const struct {
    const char *value;
    enum as2_class class;
    const char *detail;
} table[] = {
    { AUTO "processed", AS2_POSITIVE, "" },
    { "AUTOMATIC-ACTION/mdn-sent-automatically;PROCESSED", AS2_POSITIVE, "" },
    { "automatic-action/MDN-sent-automatically ; processed", AS2_POSITIVE, "" },
    { "manual-action/MDN-sent-manually; processed", AS2_POSITIVE, "" },
    { "automatic-action/MDN-sent-automatically;\r\n processed", AS2_POSITIVE, "" },
    { AUTO "processed/warning: duplicate-document", AS2_DUPLICATE_WARNING,
      "duplicate-document" },
    { AUTO "processed/Warning:authentication-failed, processing continued", AS2_UNTRUSTED,
      "authentication-failed, processing continued" },
    { AUTO "processed/error: decryption-failed", AS2_NEGATIVE, "decryption-failed" },
    { AUTO "processed/Error:decryption-failed", AS2_NEGATIVE, "decryption-failed" },
    { AUTO "processed/Error", AS2_NEGATIVE, "" },
    { AUTO "processed/error: something-new", AS2_NEGATIVE, "something-new" },
    { AUTO "processed/error: Decompresion-Failed", AS2_NEGATIVE, "Decompresion-Failed" },
    { AUTO "failed/failure: unsupported MIC-algorithms", AS2_NEGATIVE,
      "unsupported MIC-algorithms" },
    { AUTO "failed/Failure: unsupported format;", AS2_NEGATIVE, "unsupported format" },
    { AUTO "failed", AS2_NEGATIVE, "" },
    { AUTO "failed: it did", AS2_NEGATIVE, "it did" },
    { AUTO "error: authentication-failed", AS2_NEGATIVE, "authentication-failed" },
    { AUTO "failure: x", AS2_NEGATIVE, "x" },
    { AUTO "processed/failure: x", AS2_NEGATIVE, "x" },
    { AUTO "processedx", AS2_INVALID, "" },
    { AUTO "reprocessed", AS2_INVALID, "" },
    { "processed", AS2_POSITIVE, "" },
    { "processed;", AS2_POSITIVE, "" },
    { "; processed", AS2_POSITIVE, "" },
    { "processed/error: x", AS2_NEGATIVE, "x" },
    { AUTO "processed;", AS2_POSITIVE, "" },
    { AUTO "processed ; ; ", AS2_POSITIVE, "" },
    { AUTO "processed / error : x ", AS2_NEGATIVE, "x" },
    { AUTO " (done (by us)) processed (well)", AS2_POSITIVE, "" },
    { "(a;b) automatic-action/MDN-sent-automatically; processed/(x:)warning:(y) z", AS2_WARNING,
      "z" },
    { AUTO "processed (no end", AS2_POSITIVE, "" },
    { AUTO "(a \\) (b \\( ) c)processed", AS2_POSITIVE, "" },
    { AUTO "proce(ss)ssed", AS2_INVALID, "" }, /* a comment parts words */
    { AUTO "processed/warning", AS2_WARNING, "" },
    { AUTO "processed/warning: duplicate-documents", AS2_WARNING, "duplicate-documents" },
    { AUTO "processed/warning, error: x", AS2_NEGATIVE, "x" },
    { AUTO "processed/error, warning: x", AS2_NEGATIVE, "x" },
    { AUTO "processed/superseded", AS2_INVALID, "" },
    { AUTO "processed/", AS2_INVALID, "" },
    { AUTO "processed: error", AS2_INVALID, "" },
    { AUTO "processed error", AS2_INVALID, "" },
    { AUTO "displayed", AS2_INVALID, "" },
    { AUTO "dispatched", AS2_INVALID, "" },
    { AUTO "deleted", AS2_INVALID, "" },
    { AUTO "no-error: x", AS2_INVALID, "" },
    { AUTO "", AS2_INVALID, "" },
    { "", AS2_INVALID, "" },
    { ";", AS2_INVALID, "" },
    { "(processed)", AS2_INVALID, "" },
};

/* AS2-C78 */
static void the_table_of_the_reference_holds(void **state)
{
    struct arena a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char *value = exact_text(table[i].value, strlen(table[i].value));
        const char *detail;
        enum as2_class class = as2_disposition_read(value, &a, &detail);

        free(value);
        if (class != table[i].class)
            fail_msg("%s: class %d", table[i].value, (int)class);
        assert_string_equal(detail, table[i].detail);
    }
    arena_free(&a);
}

/* Every disposition we send is understood as it was meant. */
static void what_we_say_is_read_back(void **state)
{
    struct arena a = { 0 };
    const char *detail;

    (void)state;
    for (int f = AS2_AUTHENTICATION; f <= AS2_DUPLICATE; f++) {
        const char *text = as2_fault_disposition((enum as2_fault)f);

        CHECK_EQ(as2_disposition_read(arena_printf(&a, AUTO "%s", text), &a, &detail),
                 f == AS2_DUPLICATE ? AS2_DUPLICATE_WARNING : AS2_NEGATIVE);
        if (f != AS2_UNSUPPORTED_OPTION)
            assert_non_null(strstr(text, detail));
    }
    assert_string_equal(as2_fault_disposition(AS2_FINE), "processed");
    assert_string_equal(as2_fault_disposition(AS2_INTEGRITY),
                        "processed/error: integrity-check-failed");
    arena_free(&a);
}

/* A single flipped bit never makes a negative answer a positive one, nor does a cut. */
static void no_flipped_bit_turns_an_error_into_success(void **state)
{
    static const char value[] = AUTO "processed/error: decryption-failed";
    const char *detail;
    struct arena a = { 0 };

    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof(value) - 1); bit++) {
        char *text = exact_text(value, sizeof(value) - 1);
        enum as2_class class;

        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        class = as2_disposition_read(text, &a, &detail);
        /* '(' and ';' in place of '/' begin what is not looked at: none is one bit away */
        assert_true(class == AS2_NEGATIVE || class == AS2_INVALID);
        free(text);
    }
    for (size_t n = 0; n < sizeof(value); n++) {
        char *text = exact_text(value, n);
        enum as2_class class = as2_disposition_read(text, &a, &detail);

        assert_true(class == AS2_NEGATIVE || class == AS2_INVALID ||
                    n == strlen(AUTO "processed"));
        free(text);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_reference_holds),
        cmocka_unit_test(what_we_say_is_read_back),
        cmocka_unit_test(no_flipped_bit_turns_an_error_into_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
