/* trace: every command of the sessions with a partner, as it happens. */
#include "cli/cli.h"
#include "net/http.h"

#include <stdlib.h>

struct lines {
    bool json;
    char line[8192];
    size_t n;
};

static bool put(struct lines *l)
{
    json_t *v;

    l->line[l->n] = '\0';
    l->n = 0;
    if (l->json) {
        v = json_pack("{s:s}", "line", l->line);
        (void)json_dumpf(v, stdout, JSON_COMPACT);
        json_decref(v);
    } else {
        cli_put_safe(stdout, l->line);
    }
    putchar('\n');
    return fflush(stdout) == 0;
}

/* For http_call: whole lines are printed as they come. */
static bool take(void *context, struct span part)
{
    struct lines *l = context;

    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] == '\n') {
            if (!put(l))
                return false;
        } else if (l->n + 1 < sizeof(l->line)) {
            l->line[l->n++] = (char)part.p[i];
        }
    }
    return true;
}

static int run(struct cli *c)
{
    struct lines *l = cli_have(calloc(1, sizeof(*l)));
    struct http_call call = {
        .method = "GET", .timeout_ms = INT32_MAX, .write = take, .write_context = l
    };
    struct http_reply reply = { 0 };
    int status;

    l->json = c->json;
    status = cli_http(
        c, &call,
        cli_query(c,
                  cli_query(c, "/api/v1/trace", "partner", c->args_n > 0 ? c->args[0] : NULL),
                  "session", cli_option_value(c, "session")),
        &reply);
    /* a refusal is one line without its end */
    if (status == CLI_DONE && reply.status != 200)
        status = cli_answer_refused(c, reply.status, span_of(l->line, l->n));
    free(l);
    return status;
}

static const struct cli_option options[] = {
    { 's', "session", "ID", "only this one of the sessions under way" },
};

const struct cli_command cmd_trace = {
    .name = "trace",
    .help = "print every command of a partner's sessions, decoded, until interrupted",
    .usage = "[PARTNER] [--session ID]",
    .options = options,
    .options_n = COUNT_OF(options),
    .more = "PARTNER is a component name or an ODETTE ID; without it all sessions are shown. "
            "Passwords are hidden. With --json each line is an object.",
    .example = "waybill trace acme\n",
    .args_max = 1,
    .run = run,
};
