/* test: connect, TLS, log on or ask for the head of the URL; says what was found. */
#include "cli/cli.h"
#include "net/http.h"

enum { TEST_MS = 10 * 60 * 1000 };

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "", "STEP", ">MS", "", NULL };
    struct cli_table t;
    const json_t *s;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "steps"), i, s)
    {
        cli_table_row(&t, (const char *const[]) {
                              cli_j_bool(s, "ok") ? "ok" : "FAILED", cli_j_text(s, "step"),
                              cli_j_number(c, s, "ms"), cli_j_text(s, "text") });
    }
    cli_table_end(&t, stdout, 0);
    if (json_array_size(json_object_get(answer, "trace")) > 0)
        puts("\ntrace");
    json_array_foreach(json_object_get(answer, "trace"), i, s)
    {
        fputs("  ", stdout);
        cli_put_safe(stdout, json_string_value(s) != NULL ? json_string_value(s) : "");
        putchar('\n');
    }
}

static int run(struct cli *c)
{
    struct http_call call = { .method = "POST", .timeout_ms = TEST_MS };
    struct http_reply reply = { 0 };
    json_t *answer;
    int status;

    status = cli_http(
        c, &call, cli_printf(c, "/api/v1/partners/%s/test", cli_escape(c, c->args[0])), &reply);
    if (status != CLI_DONE)
        return status;
    if (reply.status != 200)
        return cli_answer_refused(c, reply.status, reply.body);
    answer = json_loadb((const char *)reply.body.p, reply.body.n, 0, NULL);
    if (answer == NULL)
        return cli_refused("the answer is not JSON");
    if (c->json)
        cli_print_json(answer);
    else
        show(c, answer);
    status = cli_j_bool(answer, "ok") ? CLI_DONE : CLI_REFUSED;
    json_decref(answer);
    return status;
}

const struct cli_command cmd_test = {
    .name = "test",
    .help = "connect to a partner, log on or ask its URL, and say what was found",
    .usage = "PARTNER",
    .more =
        "No document is moved. Each step is printed with its time. OFTP2: then the commands of the "
        "session decoded into their fields, passwords hidden. AS2: a HEAD request to the URL that "
        "messages are posted to, with our certificate and credentials. A partner that has both is "
        "tested in both.",
    .example = "waybill test acme\n",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
