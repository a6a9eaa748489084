/* apply: components, all or none of them. Several files become one request, so that they may
 * refer to each other; problems are told with the lines of the files they came from. */
#include "cli/cli.h"
#include "net/http.h"

#include <stdlib.h>

static const char STREAM[] = "request"; /* several files under one name */

enum { APPLY_MS = 120 * 1000 };

static const char **files_of(struct cli *c, size_t *n)
{
    const char **names = cli_have(arena_take(&c->arena, (c->given_n + 1) * sizeof(*names)));
    const char *name;

    for (*n = 0; (name = cli_option_nth(c, "file", *n)) != NULL; ++*n)
        names[*n] = name;
    return cli_expand(c, names, *n, n);
}

static void place_problems(const struct cli_stream *st, json_t *answer)
{
    json_t *p;
    size_t i;

    json_array_foreach(json_object_get(answer, "problems"), i, p)
    {
        unsigned line = (unsigned)cli_j_int(p, "line");
        const char *file = cli_stream_place(st, &line);

        /* others than what was sent: a component that is deployed already */
        if (strcmp(cli_j_text(p, "file"), STREAM) != 0)
            continue;
        json_object_set_new(p, "file", json_string(file));
        json_object_set_new(p, "line", json_integer(line));
    }
}

static int refused(struct cli *c, const struct cli_stream *st, const struct http_reply *reply)
{
    json_t *v = json_loadb((const char *)reply->body.p, reply->body.n, 0, NULL);
    struct span body = reply->body;
    char *text = NULL;
    int status;

    if (v != NULL) {
        place_problems(st, v);
        text = cli_have(json_dumps(v, 0));
        body = span_text(text);
    }
    status = cli_answer_refused(c, reply->status, body);
    free(text);
    json_decref(v);
    return status;
}

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { "KIND", "NAME", ">VERSION", "", NULL };
    bool dry = cli_flag(c, "dry-run");
    struct cli_table t;
    const json_t *a;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "applied"), i, a)
    {
        cli_table_row(&t, (const char *const[]) { cli_j_text(a, "kind"), cli_j_text(a, "name"),
                                                  cli_j_number(c, a, "version"),
                                                  cli_j_bool(a, "unchanged") ? "unchanged"
                                                  : dry ? "would be applied"
                                                        : "applied" });
    }
    cli_table_end(&t, stdout, 0);
    json_array_foreach(json_object_get(answer, "applied"), i, a)
    {
        const json_t *warning;
        size_t k;

        json_array_foreach(json_object_get(a, "warnings"), k, warning)
            fprintf(stderr, "warning: %s\n", json_string_value(warning));
    }
}

static int run(struct cli *c)
{
    struct http_call call = { .method = "POST", .timeout_ms = APPLY_MS };
    const char *path = "/api/v1/components";
    struct http_reply reply = { 0 };
    struct cli_stream st;
    struct err err;
    const char **files;
    json_t *answer;
    int status;
    size_t n;

    if (!cli_flag(c, "file"))
        return cli_misused(c, "what? name a file with -f");
    files = files_of(c, &n);
    if (files == NULL)
        return CLI_REFUSED;
    if (!cli_stream_make(c, files, n, &st, &err))
        return cli_refused("%s", err.text);
    if (st.parts_n == 0)
        return cli_refused("'%s' has no component in it", files[0]);
    call.body = st.text;
    path = cli_query(c, path, "file", st.parts_n > 1 ? STREAM : st.parts[0].file);
    path = cli_query(c, path, "dry_run", cli_flag(c, "dry-run") ? "1" : NULL);
    status = cli_http(c, &call, path, &reply);
    if (status != CLI_DONE)
        return status;
    if (reply.status != 200)
        return refused(c, &st, &reply);
    answer = json_loadb((const char *)reply.body.p, reply.body.n, 0, NULL);
    if (c->json)
        cli_print_json(answer);
    else
        show(c, answer);
    json_decref(answer);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 'f', "file", "FILE",
      "a file of components, a directory (all *.yaml in it), or - for standard input; may be "
      "repeated" },
    { 0, "dry-run", NULL, "only check" },
};

const struct cli_command cmd_apply = {
    .name = "apply",
    .help = "deploy components: certificates, identities, partners, processes",
    .usage = "-f FILE [-f FILE...] [--dry-run]",
    .more = "All files are applied together or not at all. What is deployed already with the "
            "same text is left alone.",
    .example = "waybill apply -f partners/ -f orders.yaml\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run,
};
