/* The table of troubles: every reason the protocols have is in it, in their words, and what people
 * paste is found. */
#include "as2/as2.h"
#include "base/trouble.h"
#include "oftp/oftp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

static const struct trouble *row_of(enum trouble_kind kind, const char *key)
{
    const struct trouble *found = NULL;

    for (size_t i = 0; i < COUNT_OF(trouble_tables); i++)
        for (size_t k = 0; k < trouble_tables[i]->n; k++) {
            const struct trouble *t = &trouble_tables[i]->rows[k];

            if (t->kind != kind || strcmp(t->key, key) != 0)
                continue;
            if (found != NULL)
                fail_msg("%s is there twice", key);
            found = t;
        }
    return found;
}

static void check_reasons(enum trouble_kind kind, const char *(*text)(int))
{
    for (int code = 0; code < 100; code++) {
        const struct trouble *t;
        char key[8];

        (void)snprintf(key, sizeof(key), "%d", code);
        t = row_of(kind, key);
        if (strcmp(text(code), "unknown reason") == 0)
            assert_null(t);
        else if (t == NULL)
            fail_msg("reason %d (%s) has no row in src/base/trouble_codes.c", code, text(code));
        else
            assert_string_equal(t->means, text(code));
    }
}

static void every_reason_of_the_protocols_has_a_row(void **state)
{
    (void)state;
    check_reasons(TROUBLE_ESID, oftp_esid_text);
    check_reasons(TROUBLE_ANSWER, oftp_answer_text);
    check_reasons(TROUBLE_NERP, oftp_nerp_text);
    for (int f = AS2_AUTHENTICATION; f <= AS2_DUPLICATE; f++)
        if (row_of(TROUBLE_DISPOSITION, as2_fault_disposition((enum as2_fault)f)) == NULL)
            fail_msg("%s has no row", as2_fault_disposition((enum as2_fault)f));
}

static void rows_are_whole_and_fit_a_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(trouble_tables); i++)
        for (size_t k = 0; k < trouble_tables[i]->n; k++) {
            const struct trouble *t = &trouble_tables[i]->rows[k];
            const char *const texts[] = { t->means, t->cause, t->cure };

            assert_true(t->key[0] != '\0');
            for (size_t n = 0; n < COUNT_OF(texts); n++)
                if (texts[n][0] == '\0' || strpbrk(texts[n], "|\n") != NULL)
                    fail_msg("%s: '%s'", t->key, texts[n]);
        }
}

static void finds(const char *text, enum trouble_kind kind, const char *key)
{
    const struct trouble *t;
    size_t at = 0;

    while ((t = trouble_find(text, &at)) != NULL)
        if (t->kind == kind && strcmp(t->key, key) == 0)
            return;
    fail_msg("'%s' does not find %s", text, key);
}

static void finds_nothing(const char *text)
{
    size_t at = 0;
    const struct trouble *t = trouble_find(text, &at);

    if (t != NULL)
        fail_msg("'%s' finds %s", text, t->key);
}

static void what_people_paste_is_found(void **state)
{
    static const char line[] =
        "2026-11-21T11:31:23.846Z warn oftp2.logon.refused address=10.0.0.7:1 code=OX esid=4 "
        "reason=\"invalid password\"";

    (void)state;
    finds(line, TROUBLE_EVENT, "oftp2.logon.refused");
    finds(line, TROUBLE_ESID, "4");
    finds("ESID(04)", TROUBLE_ESID, "4");
    finds("esid 4", TROUBLE_ESID, "4");
    finds("SFNA 02", TROUBLE_ANSWER, "2");
    finds("EFNA: 11", TROUBLE_ANSWER, "11");
    finds("{\"event\":\"document.refused\",\"nerp\":\"33\"}", TROUBLE_NERP, "33");
    finds("automatic-action/MDN-sent-automatically; processed/error: decryption-failed",
          TROUBLE_DISPOSITION, "processed/error: decryption-failed");
    finds("status=403", TROUBLE_HTTP, "403");
    finds("HTTP 503", TROUBLE_HTTP, "503");
    finds("connecting to 'x' port 1: Connection refused", TROUBLE_TEXT, "connection refused");
    finds_nothing("");
    finds_nothing("nerp 77");
    finds_nothing("nerp");
    finds_nothing("esid 44");
    finds_nothing("oftp2.logon.refusedx");
    finds_nothing("xoftp2.logon.refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_of_the_protocols_has_a_row),
        cmocka_unit_test(rows_are_whole_and_fit_a_table),
        cmocka_unit_test(what_people_paste_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
