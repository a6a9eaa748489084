/* stop, reload: as SIGTERM and SIGHUP. */
#include "cli/cli.h"

#include <time.h>

static void show_reload(struct cli *c, const json_t *answer)
{
    const char *later = cli_j_text(answer, "later");

    (void)c;
    puts("settings and certificates were read again");
    if (later[0] != '\0')
        printf("these settings were changed and count from the next start: %s\n", later);
}

static int run_reload(struct cli *c)
{
    return cli_call_show(c, "POST", "/api/v1/reload", show_reload);
}

const struct cli_command cmd_reload = {
    .name = "reload",
    .help = "read settings and certificates again without dropping a connection",
    .usage = "",
    .more =
        "Settings of `log` and `alerts`, secrets, certificate files and revocation lists count at once; of all "
        "others\nthat were changed it says that they count from the next start. A bad file changes nothing; its "
        "problems\nare printed.",
    .example = "waybill reload\n",
    .run = run_reload,
};

static void show_stop(struct cli *c, const json_t *answer)
{
    (void)answer;
    if (!cli_flag(c, "wait"))
        puts("stopping: transfers under way may finish");
}

/* path: /proc/PID/stat. A zombie is only waiting for its parent. */
static bool alive(const char *path)
{
    FILE *f = fopen(path, "re");
    char state = 'Z';

    if (f == NULL)
        return false;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(f);
    return state != 'Z';
}

static int run_stop(struct cli *c)
{
    const struct timespec look = { 0, 100 * 1000000L };
    const char *path;
    json_t *runtime;
    int status;

    /* the admin socket is gone long before the last transfer has ended: watch the process */
    status = cli_call(c, "GET", "/api/v1/runtime", NULL, &runtime);
    if (status != CLI_DONE)
        return status;
    path = cli_printf(c, "/proc/%lld/stat", (long long)cli_j_int(runtime, "pid"));
    json_decref(runtime);
    status = cli_call_show(c, "POST", "/api/v1/stop", show_stop);
    if (status != CLI_DONE || !cli_flag(c, "wait"))
        return status;
    while (alive(path))
        (void)nanosleep(&look, NULL);
    if (!c->json)
        puts("stopped");
    return CLI_DONE;
}

static const struct cli_option options[] = {
    { 'w', "wait", NULL, "return when the runtime has ended" },
};

const struct cli_command cmd_stop = {
    .name = "stop",
    .help = "stop the runtime; transfers under way may finish",
    .usage = "[--wait]",
    .example = "waybill stop --wait\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .run = run_stop,
};
