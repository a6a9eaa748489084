/* The settings of components in JSON, that forms are made of: all rows, with what each says. */
#include "support.h"

#include "config/schema_int.h"

#include <jansson.h>

static json_t *schema;

static const json_t *named(const json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, key)), name) == 0)
            return item;
    }
    fail_msg("nothing is named %s", name);
    return NULL;
}

/* The setting at a path such as "partner/oftp2/password". */
static const json_t *setting(const char *path)
{
    char text[100], *next, *at;
    const json_t *found;

    (void)snprintf(text, sizeof(text), "%s", path);
    at = strtok_r(text, "/", &next);
    found = named(json_object_get(schema, "kinds"), "kind", at);
    while ((at = strtok_r(NULL, "/", &next)) != NULL)
        found = named(json_object_get(found, "fields"), "name", at);
    return found;
}

static const char *text_of(const char *path, const char *key)
{
    return json_string_value(json_object_get(setting(path), key));
}

static bool is(const char *path, const char *key)
{
    const json_t *value = json_object_get(setting(path), key);

    assert_true(json_is_boolean(value));
    return json_is_true(value);
}

/* As many fields as rows, each with its name, help and default; *n counts them. */
static void same(const json_t *fields, const struct mapping *m, size_t *n)
{
    assert_int_equal(json_array_size(fields), m->rows_n);
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];
        const json_t *field = json_array_get(fields, i), *other;
        const char *def = json_string_value(json_object_get(field, "default"));

        ++*n;
        assert_string_equal(json_string_value(json_object_get(field, "name")), row->name);
        assert_string_equal(json_string_value(json_object_get(field, "help")), row->help);
        assert_true(json_is_string(json_object_get(field, "type")));
        if (row->def != NULL && row->def_shown == NULL)
            assert_string_equal(def, row->def);
        if (row->sub != NULL)
            same(json_object_get(field, "fields"), row->sub, n);
        else
            assert_null(json_object_get(field, "fields"));
        other = json_object_get(field, "other");
        assert_int_equal(other != NULL, row->other != NULL);
        if (other != NULL)
            same(json_object_get(other, "fields"), row->other, n);
    }
}

static void test_each_row_is_a_field(void **state)
{
    const json_t *kinds = json_object_get(schema, "kinds");
    size_t n = 0;

    (void)state;
    assert_int_equal(json_array_size(kinds), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *kind = json_array_get(kinds, i);

        assert_string_equal(json_string_value(json_object_get(kind, "kind")),
                            component_mappings[i]->name);
        assert_string_equal(json_string_value(json_object_get(kind, "example")),
                            component_mappings[i]->example);
        same(json_object_get(kind, "fields"), component_mappings[i], &n);
    }
    assert_true(n > 150);
}

static void test_types_and_flags(void **state)
{
    (void)state;
    assert_string_equal(text_of("partner/partner", "type"), "text");
    assert_true(is("partner/partner", "required"));
    assert_false(is("partner/oftp2/host", "required"));
    assert_string_equal(text_of("partner/oftp2/password", "type"), "password");
    assert_string_equal(text_of("partner/oftp2/level_max", "type"), "choice");
    assert_string_equal(text_of("partner/oftp2/restart", "type"), "flag");
    assert_string_equal(text_of("partner/outbox", "type"), "list");
    assert_string_equal(text_of("partner/outbox/names", "type"), "texts");
    assert_string_equal(text_of("partner/outbox/settle", "type"), "duration");
    assert_string_equal(text_of("process/start", "type"), "mapping");
    assert_string_equal(text_of("process/steps", "type"), "steps");
}

/* A secret is never shown in a form, a reference to one is no secret. */
static void test_secrets_are_told(void **state)
{
    (void)state;
    assert_true(is("partner/oftp2/password", "secret"));
    assert_true(is("certificate/sealed_key", "secret"));
    assert_true(is("certificate/key_password", "secret"));
    assert_false(is("certificate/key_file", "secret"));
    assert_false(is("partner/oftp2", "secret"));
    assert_false(is("partner/outbox", "secret"));
}

static void test_references_are_told(void **state)
{
    (void)state;
    assert_string_equal(text_of("partner/oftp2/identity", "refers"), "identity");
    assert_string_equal(text_of("partner/oftp2/identity", "refers_protocol"), "oftp2");
    assert_string_equal(text_of("partner/as2/identity", "refers"), "identity");
    assert_string_equal(text_of("partner/as2/identity", "refers_protocol"), "as2");
    assert_string_equal(text_of("partner/outbox/identity", "refers"), "identity");
    assert_null(text_of("partner/outbox/identity", "refers_protocol"));
    assert_string_equal(text_of("process/steps/send/partner", "refers"), "partner");
    assert_string_equal(text_of("identity/as2/decryption_certificate", "refers"),
                        "certificate");
    assert_true(is("identity/as2/decryption_certificate", "refers_key"));
    assert_null(text_of("partner/oftp2/host", "refers"));
}

static void test_limits_and_choices(void **state)
{
    const json_t *settle = setting("partner/outbox/settle");
    const json_t *choices = json_object_get(setting("partner/outbox/done"), "choices");

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(settle, "minimum")), 0);
    assert_int_equal(json_integer_value(json_object_get(settle, "maximum")), 24 * 3600 * 1000);
    assert_string_equal(text_of("partner/outbox/settle", "limits"), "0 to 1d");
    assert_string_equal(text_of("partner/outbox/settle", "default"), "5s");
    assert_string_equal(text_of("partner/outbox/names", "default_text"), "all");
    assert_int_equal(
        json_integer_value(json_object_get(setting("partner/outbox/names"), "maximum")), 100);
    assert_int_equal(
        json_integer_value(json_object_get(setting("partner/outbox/description"), "maximum")),
        999);
    assert_true(json_is_null(json_object_get(setting("partner/outbox/done"), "maximum")));
    assert_true(json_is_null(json_object_get(settle, "choices")));
    assert_int_equal(json_array_size(choices), 2);
    assert_string_equal(json_string_value(json_array_get(choices, 1)), "move");
}

/* The settings of `from` depend on what listens. */
static void test_the_other_protocols_settings_are_told(void **state)
{
    const json_t *other = json_object_get(setting("process/start/operation"), "other");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(other, "by")), "listen");
    assert_string_equal(json_string_value(json_object_get(other, "when")), "as2-server");
    (void)named(json_object_get(other, "fields"), "name", "mic_algorithm");
}

static void test_templates_are_told(void **state)
{
    const json_t *list = json_object_get(schema, "templates");
    size_t n = 0;

    (void)state;
    while (template_names[n].name != NULL)
        n++;
    assert_int_equal(json_array_size(list), n);
    (void)named(list, "name", "oftp2.sfiddsn");
}

static int read_schema(void **state)
{
    char *text = config_components_schema();
    json_error_t wrong;

    (void)state;
    assert_non_null(text);
    schema = json_loads(text, JSON_REJECT_DUPLICATES, &wrong);
    if (schema == NULL)
        fail_msg("%d:%d: %s", wrong.line, wrong.column, wrong.text);
    free(text);
    return 0;
}

static int forget_schema(void **state)
{
    (void)state;
    json_decref(schema);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_is_a_field),
        cmocka_unit_test(test_types_and_flags),
        cmocka_unit_test(test_secrets_are_told),
        cmocka_unit_test(test_references_are_told),
        cmocka_unit_test(test_limits_and_choices),
        cmocka_unit_test(test_the_other_protocols_settings_are_told),
        cmocka_unit_test(test_templates_are_told),
    };

    return cmocka_run_group_tests(tests, read_schema, forget_schema);
}
