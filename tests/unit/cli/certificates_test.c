/* waybill certificates: the files it makes, and those it leaves alone. */
#include "cli/cli.h"
#include "pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cli_command *const table[] = { &cmd_certificates, NULL };
static char directory[64];
static struct cli c;
static char *printed; /* by the last command, on standard output */

static int begin(void **state)
{
    (void)state;
    (void)strcpy(directory, "/tmp/waybill-cli-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    arena_free(&c.arena);
    c = (struct cli) { 0 };
    free(printed);
    printed = NULL;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static const char *path(const char *name)
{
    return cli_printf(&c, "%s/%s", directory, name);
}

static char *content(const char *name)
{
    struct span text;
    struct err err;

    if (!cli_read(&c, path(name), &text, &err))
        fail_msg("%s", err.text);
    return cli_printf(&c, "%.*s", (int)text.n, (const char *)text.p);
}

/* Runs the command; words end with NULL. */
static int command(const char *const *words)
{
    const char *argv[16] = { "waybill", "certificates" };
    FILE *before = stdout;
    struct err err = { 0 };
    int argc = 2, status;
    size_t n;

    while (*words != NULL)
        argv[argc++] = *words++;
    c = (struct cli) { .arena = c.arena };
    if (!cli_parse(&c, argc, (char **)(uintptr_t)argv, table, &err))
        fail_msg("%s", err.text);
    free(printed);
    stdout = open_memstream(&printed, &n);
    status = c.command->run(&c);
    assert_int_equal(fclose(stdout), 0);
    stdout = before;
    return status;
}

#define RUN(...) command((const char *const[]) { __VA_ARGS__, NULL })

static mode_t mode(const char *name)
{
    struct stat st;

    assert_int_equal(stat(path(name), &st), 0);
    return st.st_mode & 0777;
}

static void test_a_generated_certificate_is_ready_to_apply(void **state)
{
    struct config_problems ps = { 0 };
    struct config_component **list;
    struct pki_certificate *cert;
    struct err err = { 0 };
    const char *pem, *key;
    size_t n;

    (void)state;
    assert_int_equal(RUN("generate", "our-sign", "--cn", "Example AG", "--bits", "2048",
                         "--days", "10", "--out", directory),
                     CLI_DONE);
    assert_int_equal(mode("our-sign.key"), 0600);
    assert_true(config_components_parse(span_text(printed), "f", &list, &n, &ps));
    assert_int_equal(n, 1);
    assert_string_equal(list[0]->name, "our-sign");
    assert_string_equal(list[0]->u.certificate.file, path("our-sign.pem"));
    assert_string_equal(list[0]->u.certificate.key_file, path("our-sign.key"));
    config_component_free(list[0]);
    free(list);
    pem = content("our-sign.pem");
    key = content("our-sign.key");
    assert_true(pki_certificate_read(span_text(pem), span_text(key), &cert, &err));
    pki_certificate_free(cert);
    assert_int_equal(RUN("show", path("our-sign.pem")), CLI_DONE);
    assert_non_null(strstr(printed, "CN=Example AG"));
    /* still the second it was made in, or later */
    assert_true(strstr(printed, "days_left   10\n") != NULL ||
                strstr(printed, "days_left   9\n") != NULL);
    assert_non_null(strstr(printed, "usage       sign, encrypt, tls-server, tls-client\n"));
    assert_null(strstr(printed, "VALID"));
}

static void test_no_file_is_written_over(void **state)
{
    const char *key;

    (void)state;
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--bits", "2048", "--out", directory),
                     CLI_DONE);
    key = content("a.key");
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--bits", "2048", "--out", directory),
                     CLI_REFUSED);
    assert_string_equal(content("a.key"), key);
    /* half of it there: no key without its certificate is left */
    assert_int_equal(unlink(path("a.key")), 0);
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--bits", "2048", "--out", directory),
                     CLI_REFUSED);
    assert_int_not_equal(access(path("a.key"), F_OK), 0);
}

static void test_a_request_and_its_key(void **state)
{
    (void)state;
    assert_int_equal(RUN("request", "r", "--cn", "A", "--bits", "2048", "--out", directory),
                     CLI_DONE);
    assert_int_equal(mode("r.key"), 0600);
    assert_non_null(strstr(content("r.csr"), "-----BEGIN CERTIFICATE REQUEST-----"));
    assert_int_not_equal(access(path("r.pem"), F_OK), 0);
    assert_non_null(strstr(printed, "certificate: r\n"));
}

static void test_misuse_makes_nothing(void **state)
{
    (void)state;
    assert_int_equal(RUN("generate", "../a", "--cn", "A", "--out", directory), CLI_MISUSED);
    assert_int_equal(RUN("generate", "", "--cn", "A", "--out", directory), CLI_MISUSED);
    assert_int_equal(RUN("generate", "a", "--out", directory), CLI_MISUSED);
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--days", "x", "--out", directory),
                     CLI_MISUSED);
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--out", path("missing")), CLI_MISUSED);
    assert_int_equal(RUN("sign", "a"), CLI_MISUSED);
    assert_int_equal(RUN("generate", "a", "--cn", "A", "--bits", "1024", "--out", directory),
                     CLI_REFUSED);
    assert_int_equal(RUN("show", path("missing")), CLI_REFUSED);
    assert_int_equal(RUN("show", "/dev/null"), CLI_REFUSED);
    assert_int_equal(rmdir(directory), 0); /* it is empty */
    assert_int_equal(mkdir(directory, 0700), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_generated_certificate_is_ready_to_apply, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_no_file_is_written_over, begin, end),
        cmocka_unit_test_setup_teardown(test_a_request_and_its_key, begin, end),
        cmocka_unit_test_setup_teardown(test_misuse_makes_nothing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
