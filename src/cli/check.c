/* check: settings and components, without a runtime. */
#include "cli/cli.h"

#include <stdlib.h>

static const struct cli_option options[] = {
    { 0, "store", NULL, "check the store in runtime.data_directory instead" },
};

struct components {
    struct config_component **list;
    size_t n;
};

static void add(struct components *all, struct config_component **list, size_t n)
{
    all->list = cli_have(realloc(all->list, (all->n + n + 1) * sizeof(*all->list)));
    if (n > 0)
        memcpy(all->list + all->n, list, n * sizeof(*list));
    all->n += n;
    free(list);
}

/* Each file by itself, so that a mistake in one does not hide those in the next. */
static bool parse(struct cli *c, const char *const *files, size_t n, struct components *all,
                  struct config_problems *ps)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        struct config_component **list = NULL;
        struct span text;
        struct err err;
        size_t count = 0;

        if (!cli_read(c, files[i], &text, &err)) {
            config_problem_add(ps, files[i], 0, 0, "%s", err.text);
            ok = false;
        } else if (config_components_parse(text, files[i], &list, &count, ps)) {
            add(all, list, count);
        } else {
            ok = false;
        }
    }
    return ok;
}

static json_t *json_list(const struct config_problems *ps)
{
    json_t *list = json_array();

    for (const struct config_problem *p = ps->first; p != NULL; p = p->next)
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s}", "file", p->file, "line",
                                              (int)p->line, "column", (int)p->column, "text",
                                              p->text));
    return list;
}

static void print(const struct cli *c, const struct config_problems *ps,
                  const struct config_problems *advice, size_t components)
{
    char line[1200];
    json_t *o;

    if (!c->json) {
        cli_problems(ps);
        for (const struct config_problem *p = advice->first; p != NULL; p = p->next) {
            config_problem_line(p, line, sizeof(line));
            fprintf(stderr, "warning: %s\n", line);
        }
        if (ps->n == 0)
            printf(components > 0 ? "ok: settings and %zu components\n" : "ok\n", components);
        return;
    }
    o = json_pack("{s:b, s:o, s:o}", "ok", ps->n == 0, "problems", json_list(ps), "warnings",
                  json_list(advice));
    cli_print_json(o);
    json_decref(o);
}

static int run(struct cli *c)
{
    const char *path = cli_config_path(c);
    struct config_problems ps = { 0 }, advice = { 0 };
    struct components all = { 0 };
    struct config_runtime *rt;
    const char **files;
    size_t n = 0;
    int status;

    if (cli_flag(c, "store"))
        return c->args_n == 0 ? cli_check_store(c)
                              : cli_misused(c, "--store takes no component files");
    files = cli_expand(c, c->args, c->args_n, &n);
    if (files == NULL && c->args_n > 0)
        return CLI_REFUSED;
    rt = config_runtime_load(path, &ps);
    if (parse(c, files, n, &all, &ps) && rt != NULL && all.n > 0 &&
        !config_check(rt, all.list, all.n, &ps) && ps.n == 0)
        config_problem_add(&ps, path, 0, 0, "the components do not fit together");
    if (rt == NULL && ps.n == 0)
        config_problem_add(&ps, path, 0, 0, "the settings cannot be read");
    for (size_t i = 0; ps.n == 0 && i < all.n; i++)
        config_advise(rt, all.list, all.n, all.list[i], &advice);
    print(c, &ps, &advice, all.n);
    status = ps.n == 0 ? CLI_DONE : CLI_REFUSED;
    for (size_t i = 0; i < all.n; i++)
        config_component_free(all.list[i]);
    free(all.list);
    config_problems_free(&ps);
    config_problems_free(&advice);
    config_runtime_free(rt);
    return status;
}

const struct cli_command cmd_check = {
    .name = "check",
    .help = "check settings and component files, or the store, without a runtime",
    .usage = "[--config FILE] [--store | FILE|DIRECTORY...]",
    .more =
        "Each problem is one line, `file:line:column: what is wrong`; a line with `warning:` "
        "is about something that is allowed, but probably not meant. The component files "
        "are checked as if they were all that is deployed.\n\n"
        "With --store it reads all of the database and looks for every payload, and says what "
        "is damaged or missing; nothing is changed. A million documents take about a minute. "
        "It may run beside the runtime, under the same user.",
    .example = "waybill check --config waybill.yaml components/\n"
               "waybill check --store\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = SIZE_MAX,
    .run = run,
};
