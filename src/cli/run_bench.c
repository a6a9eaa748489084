/* bench: measures, where it was built in. */
#include "cli/cli.h"

static int run(struct cli *c)
{
    char **argv = cli_have(arena_take(&c->arena, (c->args_n + 4) * sizeof(*argv)));
    int n = 0;

    if (bench_main == NULL)
        return cli_refused("this build has no benchmarks");
    for (size_t i = 0; i < c->args_n; i++)
        argv[n++] = cli_have(arena_text(&c->arena, c->args[i]));
    cli_bound_heap(); /* as the gateway that is measured would */
    if (c->json)
        argv[n++] = cli_have(arena_text(&c->arena, "--json"));
    return bench_main(n, argv);
}

const struct cli_command cmd_bench = {
    .name = "bench",
    .help = "measure this machine: the gateway, and the limit it is held against",
    .usage = "BENCHMARK [OPTION...]",
    .more = "`waybill bench --help` lists the benchmarks of this build with their options.",
    .example = "waybill bench oftp2 --size 1G --tls --json\n",
    .raw = true,
    .args_max = SIZE_MAX,
    .run = run,
};
