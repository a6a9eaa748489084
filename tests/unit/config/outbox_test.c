/* Watched folders of a partner, and files that are passed on. */
#include "support.h"

#define PARTNER                                                                                \
    "partner: acme\n"                                                                          \
    "oftp2: {odette_id: ACME, password: X}\n"                                                  \
    "as2: {as2_id: ACME, url: \"https://h/\"}\n"                                               \
    "outbox:\n"

static void test_watched_folders_that_are_well(void **state)
{
    struct components all = good_components(
        PARTNER
        "  - {directory: /o}\n"
        "  - {directory: /v, protocol: oftp2, format: V, record_length: 80, name: N}\n"
        "  - {directory: /a, protocol: as2, names: [\"*.edi\"], subject: s, settle: 0}\n");
    const struct config_outbox *o = all.list[0]->u.partner.outbox;

    (void)state;
    assert_int_equal(all.list[0]->u.partner.outbox_n, 3);
    assert_null(o[0].protocol);
    assert_null(o[0].names);
    assert_string_equal(o[0].format, "U");
    assert_int_equal(o[0].settle_ms, 5000);
    assert_int_equal(o[1].record_length, 80);
    assert_string_equal(o[2].names[0], "*.edi");
    assert_int_equal(o[2].settle_ms, 0);
    assert_int_equal(o[2].at.line, 7);
    components_free(&all);
}

static void test_records_need_their_length(void **state)
{
    (void)state;
    bad_components(PARTNER "  - {directory: /o, format: F}\n",
                   "f:5:5: format F needs record_length: the length of every record");
    bad_components(PARTNER "  - {directory: /o, format: V}\n",
                   "f:5:5: format V needs record_length: the length of the longest record");
    bad_components(PARTNER "  - {directory: /o, format: X, protocol: x400}\n",
                   "f:5:29: 'format' must be one of U, T, F, V");
}

static void test_patterns_that_match_nothing(void **state)
{
    (void)state;
    bad_components(PARTNER "  - {directory: /o, names: []}\n",
                   "f:5:28: 'names' is empty; name what is to be sent, or remove the line");
}

/* What the protocol has no place for is not silently left out. */
static void test_settings_of_the_other_protocol(void **state)
{
    static const char *const of_oftp2[] = { "name: N",           "format: T",
                                            "record_length: 80", "record_delimiter: lf",
                                            "description: d",    "destination: D" };
    static const char *const of_as2[] = { "content_type: a/b", "subject: s" };
    char text[300], want[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(of_oftp2) + COUNT_OF(of_as2); i++) {
        bool first = i < COUNT_OF(of_oftp2);
        const char *line = first ? of_oftp2[i] : of_as2[i - COUNT_OF(of_oftp2)];
        const char *protocol = first ? "as2" : "oftp2";
        int n = (int)strcspn(line, ":");

        (void)snprintf(text, sizeof(text),
                       PARTNER "  - directory: /o\n    protocol: %s\n    %s\n", protocol, line);
        (void)snprintf(want, sizeof(want),
                       "f:7:%d: '%.*s' has no meaning with protocol: %s; remove it", n + 7, n,
                       line, protocol);
        bad_components(text, want);
    }
}

#define RELAY                                                                                  \
    "process: p\n"                                                                             \
    "start:\n"                                                                                 \
    "  listen: oftp2-server\n"                                                                 \
    "  operation:\n"                                                                           \
    "    from: {partner: acme}\n"                                                              \
    "    to: {identity: us}\n"                                                                 \
    "    relay:\n"

static void test_who_gets_files_that_are_passed_on(void **state)
{
    struct components all = good_components(RELAY "    - {partners: [a]}\n"
                                                  "    - {partners: [a, b], destination: G}\n");
    const struct config_process *p = &all.list[0]->u.process;

    (void)state;
    assert_int_equal(p->relay_n, 2);
    assert_null(p->relay[0].destination);
    assert_string_equal(p->relay[1].partners[1], "b");
    components_free(&all);
    bad_components(RELAY "    - {partners: [a, b]}\n",
                   "f:8:7: several partners need 'destination': the ODETTE ID of the group");
    bad_components(RELAY "    - {partners: []}\n", "f:8:18: 'partners' is empty");
    bad_components(RELAY "    - {destination: G}\n", "f:8:7: 'partners' is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watched_folders_that_are_well),
        cmocka_unit_test(test_records_need_their_length),
        cmocka_unit_test(test_patterns_that_match_nothing),
        cmocka_unit_test(test_settings_of_the_other_protocol),
        cmocka_unit_test(test_who_gets_files_that_are_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
