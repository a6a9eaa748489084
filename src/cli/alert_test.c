/* alert-test: is anybody told when something goes wrong? */
#include "cli/cli.h"
#include "net/http.h"

enum { TEST_MS = 5 * 60 * 1000 };

static void show(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "channels"), *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        bool ok = json_is_true(json_object_get(one, "ok"));

        printf("%s: %s", cli_j_text(one, "channel"), ok ? "taken" : "failed: ");
        if (!ok)
            cli_put_safe(stdout, cli_j_text(one, "error"));
        putchar('\n');
    }
}

static int run(struct cli *c)
{
    struct http_call call = { .method = "POST", .timeout_ms = TEST_MS };
    struct http_reply reply = { 0 };
    json_t *answer;
    int status = cli_http(c, &call, "/api/v1/alert-test", &reply);

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
        show(answer);
    status = cli_j_bool(answer, "ok") ? CLI_DONE : CLI_REFUSED;
    json_decref(answer);
    return status;
}

const struct cli_command cmd_alert_test = {
    .name = "alert-test",
    .help = "send a test alert by webhook and mail",
    .usage = "",
    .more = "Whom it goes to is said by alerts in waybill.yaml.",
    .example = "waybill alert-test\n",
    .run = run,
};
