#include "support.h"

#include "net/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int saved, reader;

/* Standard error goes into a file while a test runs. */
static int up(void **state)
{
    char path[] = "/tmp/waybill-log-XXXXXX";

    (void)state;
    reader = mkstemp(path);
    assert_true(reader >= 0);
    saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    {
        int w = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_true(w >= 0 && dup2(w, STDERR_FILENO) >= 0);
        close(w);
    }
    (void)unlink(path);
    log_setup("info", "text");
    return 0;
}

static int down(void **state)
{
    (void)state;
    (void)dup2(saved, STDERR_FILENO);
    close(saved);
    close(reader);
    return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
    static char text[1024 * 1024];
    ssize_t n = read(reader, text, sizeof(text) - 1);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

/* The line without its time, which is checked to be one. */
static const char *without_time(const char *line)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
            fail_msg("no time: %s", line);
    }
    return line + sizeof(form) - 1;
}

static void test_text(void **state)
{
    (void)state;
    log_event(LOG_INFO, "oftp2.session.start", "partner", "acme", "reason", "wrong password",
              "none", NULL, "empty", "", "n", log_num(-42), "eq", "a=b", NULL);
    assert_string_equal(without_time(logged()),
                        " info oftp2.session.start partner=acme reason=\"wrong password\" "
                        "empty=\"\" n=-42 eq=\"a=b\"\n");
}

static void test_text_escapes(void **state)
{
    (void)state;
    log_event(LOG_ERROR, "x", "a", "two\nlines\r\t", "b", "say \"hi\" \\", "c", "\x1b[31m\x7f",
              "d", "gr\xc3\xbc\xc3\x9f", "e", "\xff\xc3", "f", "\xc0\x80\xed\xa0\x80", "g",
              "\xe2\x80\xae", "h", "\xc2\x9b", NULL);
    assert_string_equal(
        without_time(logged()),
        " error x a=\"two\\nlines\\r\\t\" b=\"say \\\"hi\\\" \\\\\" "
        "c=\"\\x1b[31m\\x7f\" d=\"gr\xc3\xbc\xc3\x9f\" e=\"\\xff\\xc3\" "
        "f=\"\\xc0\\x80\\xed\\xa0\\x80\" g=\"\\xe2\\x80\\xae\" h=\"\\xc2\\x9b\"\n");
}

static void test_json(void **state)
{
    const char *line;

    (void)state;
    log_setup("info", "json");
    log_event(LOG_WARN, "a.b", "k", "v", "q", "\"\\\n\x01\xff", NULL);
    line = logged();
    assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
    assert_string_equal(without_time(line + 9),
                        "\",\"level\":\"warn\",\"event\":\"a.b\",\"k\":\"v\","
                        "\"q\":\"\\\"\\\\\\n\\\\x01\\\\xff\"}\n");
}

static void test_levels(void **state)
{
    (void)state;
    assert_true(log_on(LOG_INFO));
    assert_false(log_on(LOG_DEBUG));
    log_event(LOG_DEBUG, "x", NULL);
    assert_string_equal(logged(), "");
    log_setup("debug", NULL);
    assert_true(log_on(LOG_DEBUG));
    log_setup("error", "text");
    assert_false(log_on(LOG_WARN));
    log_setup("no such level", "no such format");
    assert_true(log_on(LOG_INFO));
    assert_false(log_on(LOG_DEBUG));
    log_level_set(LOG_WARN);
    assert_false(log_on(LOG_INFO));
}

/* A line that is too long loses pairs, not its form. */
static void test_long_values(void **state)
{
    static char big[3000];
    const char *line;
    size_t n;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    log_event(LOG_INFO, "e", "a", big, "b", "kept", NULL);
    line = logged();
    assert_has(line, "xxx...\" b=kept\n");
    memset(big, '\n', sizeof(big) - 1);
    log_setup("info", "json");
    log_event(LOG_INFO, "e", "a", big, "b", big, "c", big, "d", "kept", NULL);
    line = logged();
    n = strlen(line);
    assert_in_range(n, 2000, 4096);
    assert_string_equal(line + n - 23, "\"d\":\"kept\",\"cut\":true}\n");
}

enum { THREADS = 8, LINES = 500 };

static void *log_many(void *context)
{
    char value[200];

    memset(value, *(const char *)context, sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "t", "v", value, "n", log_num(i), NULL);
    return NULL;
}

static void test_threads_do_not_mix(void **state)
{
    static const char letters[THREADS + 1] = "abcdefgh";
    char letter_of[THREADS];
    pthread_t t[THREADS];
    const char *line;
    size_t lines = 0, length = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        letter_of[i] = letters[i];
        assert_int_equal(pthread_create(&t[i], NULL, log_many, &letter_of[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    for (line = logged(); *line != '\0'; line += length + 1, lines++) {
        const char *v = without_time(line);

        length = strcspn(line, "\n");
        assert_int_equal(strncmp(v, " info t v=", 10), 0);
        v += 10;
        for (size_t i = 0; i < 199; i++)
            assert_int_equal(v[i], v[0]);
        assert_int_equal(strncmp(v + 199, " n=", 3), 0);
    }
    assert_int_equal(lines, THREADS * LINES);
}

static void test_time_text(void **state)
{
    char text[25];

    (void)state;
    net_time_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    net_time_text(1795256100123, text);
    assert_string_equal(text, "2026-11-21T10:15:00.123Z");
    net_time_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    net_time_text(INT64_MAX, text);
    assert_string_equal(text, "0000-00-00T00:00:00.000Z");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, up, down)
    const struct CMUnitTest tests[] = {
        TEST(test_text),      TEST(test_text_escapes), TEST(test_json),
        TEST(test_levels),    TEST(test_long_values),  TEST(test_threads_do_not_mix),
        TEST(test_time_text),
    };

    return cmocka_run_group_tests_name("net.log", tests, NULL, NULL);
}
