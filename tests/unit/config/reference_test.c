/* The tables themselves, and the page made of them. */
#include "support.h"

#include "config/schema_int.h"

#include <ctype.h>

static const char *root;

/* docs/configuration.md is committed; it must be what the rows give. */
static void test_the_committed_reference_is_current(void **state)
{
    char path[4096], *got, *want;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/docs/configuration.md", root);
    got = file_text(path);
    want = config_reference();
    assert_non_null(want);
    if (strcmp(got, want) != 0)
        fail_msg("docs/configuration.md is old; write it anew with "
                 "BUILD/src/config/config-reference > docs/configuration.md");
    free(got);
    free(want);
}

static void each_row(const struct mapping *m,
                     void (*fn)(const struct mapping *, const struct row *))
{
    for (size_t i = 0; i < m->rows_n; i++) {
        fn(m, &m->rows[i]);
        if (m->rows[i].sub != NULL)
            each_row(m->rows[i].sub, fn);
        if (m->rows[i].other != NULL)
            each_row(m->rows[i].other, fn);
    }
}

static void every_row(void (*fn)(const struct mapping *, const struct row *))
{
    each_row(&mapping_runtime, fn);
    for (size_t i = 0; i < 4; i++)
        each_row(component_mappings[i], fn);
}

static void has_help(const struct mapping *m, const struct row *row)
{
    size_t n = row->help == NULL ? 0 : strlen(row->help);

    if (n < 5 || row->help[n - 1] != '.' || m->help == NULL)
        fail_msg("%s.%s: help must be a sentence", m->name, row->name);
}

static void is_whole(const struct mapping *m, const struct row *row)
{
    bool list = row->type == ROW_LIST || row->type == ROW_STEPS;

    bool words = row->type == ROW_WORD || row->type == ROW_CHOICE || row->type == ROW_EITHER;

    if ((words != (row->words != NULL) && row->type != ROW_TEXTS) ||
        (list || row->type == ROW_MAP) != (row->sub != NULL) ||
        (row->other != NULL && (row->type != ROW_MAP || row->when == NULL)) ||
        (list && row->also == 0) || (row->type == ROW_PASSWORD && row->also == 0) ||
        (row->type >= ROW_NUMBER && row->type <= ROW_SIZE && row->max == 0))
        fail_msg("%s.%s: a field of its row is missing", m->name, row->name);
    if (row->flags & ROW_REQUIRED && row->def != NULL)
        fail_msg("%s.%s: required, and yet a default", m->name, row->name);
    for (const struct row *other = m->rows; other != row; other++)
        if (strcmp(other->name, row->name) == 0)
            fail_msg("%s.%s: twice", m->name, row->name);
}

static void test_every_row_has_help(void **state)
{
    (void)state;
    every_row(has_help);
}

static void test_every_row_is_whole(void **state)
{
    (void)state;
    every_row(is_whole);
}

/* The links of a page lead to headings of it, as GitHub names them. */
static void test_links_lead_somewhere(void **state)
{
    char *text = config_reference(), *headings = calloc(1, 1 << 20);
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    assert_non_null(headings);
    for (const char *p = text; p != NULL && *p != '\0'; p = strchr(p, '\n'), p += p != NULL) {
        if (*p != '#')
            continue;
        headings[n++] = '\n';
        for (p += strspn(p, "# "); *p != '\n'; p++)
            if (isalnum((unsigned char)*p) || *p == '_' || *p == '-')
                headings[n++] = (char)tolower((unsigned char)*p);
            else if (*p == ' ')
                headings[n++] = '-';
    }
    headings[n] = '\n';
    for (const char *p = text; (p = strstr(p, "](#")) != NULL; p++) {
        char want[100];

        (void)snprintf(want, sizeof(want), "\n%.*s\n", (int)strcspn(p + 3, ")"), p + 3);
        if (strstr(headings, want) == NULL)
            fail_msg("no heading for %s", want);
    }
    free(text);
    free(headings);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_committed_reference_is_current),
        cmocka_unit_test(test_every_row_has_help),
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_links_lead_somewhere),
    };

    root = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
