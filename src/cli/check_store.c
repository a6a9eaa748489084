/* check --store: whether the data directory's store is whole. */
#include "cli/cli.h"
#include "store/check.h"

static void print_line(const char *line, void *context)
{
    json_t *problems = context;

    if (problems != NULL)
        json_array_append_new(problems, json_string(line));
    else
        fprintf(stderr, "%s\n", line);
}

static void print_json(const struct store_check *k, const char *directory, json_t *problems)
{
    json_t *o = cli_have(json_pack("{s:b, s:s, s:i, s:b, s:I, s:I, s:I, s:O}", "ok",
                                   k->problems == 0, "data_directory", directory, "version",
                                   k->version, "running", (int)k->running, "documents",
                                   (json_int_t)k->documents, "files", (json_int_t)k->files,
                                   "found", (json_int_t)k->problems, "problems", problems));

    cli_print_json(o);
    json_decref(o);
}

static void print_text(const struct store_check *k, const char *directory)
{
    if (k->problems == 0)
        printf("ok: %llu documents, %llu payload files\n", (unsigned long long)k->documents,
               (unsigned long long)k->files);
    else
        fprintf(stderr,
                "%llu problems in '%s': stop the runtime, then restore a backup (waybill "
                "restore), or save what can be read with `sqlite3 waybill.db .dump`\n",
                (unsigned long long)k->problems, directory);
}

int cli_check_store(struct cli *c)
{
    struct config_runtime *rt = cli_config_load(c);
    json_t *problems = c->json ? cli_have(json_array()) : NULL;
    struct store_check k;
    struct err err;
    int status = CLI_REFUSED;

    if (rt == NULL)
        return CLI_REFUSED;
    if (!store_check(rt->runtime.data_directory, print_line, problems, &k, &err)) {
        cli_refused("%s", err.text);
    } else {
        status = k.problems == 0 ? CLI_DONE : CLI_REFUSED;
        if (c->json)
            print_json(&k, rt->runtime.data_directory, problems);
        else
            print_text(&k, rt->runtime.data_directory);
    }
    json_decref(problems);
    config_runtime_free(rt);
    return status;
}
