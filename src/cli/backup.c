/* backup, restore: the whole store into a folder, and back. */
#include "store/backup.h"
#include "cli/cli.h"
#include "net/http.h"

#include <errno.h>
#include <unistd.h>

static void show(struct cli *c, const json_t *answer)
{
    char size[16];

    cli_size_text((uint64_t)cli_j_int(answer, "octets"), size);
    printf("%s: %s documents, %s payload files (%s of them links), %s\n",
           cli_j_text(answer, "directory"), cli_j_number(c, answer, "documents"),
           cli_j_number(c, answer, "files"), cli_j_number(c, answer, "linked"), size);
    if (cli_j_bool(answer, "sealed_keys"))
        puts("it holds private keys that only the store key (runtime.key_file) opens: keep a "
             "copy of that file somewhere else");
}

static int run_backup(struct cli *c)
{
    struct http_call call = { .method = "POST", .timeout_ms = INT32_MAX, .answer_max = 65536 };
    struct http_reply reply = { 0 };
    const char *name = c->args[0];
    char here[4096];
    json_t *answer;
    int status;

    /* The runtime makes it, and does not stand where we do. */
    if (name[0] != '/') {
        if (getcwd(here, sizeof(here)) == NULL)
            return cli_refused("the current folder: %s", strerror(errno));
        name = cli_printf(c, "%s/%s", here, name);
    }
    status = cli_http(c, &call, cli_query(c, "/api/v1/backup", "directory", name), &reply);
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
    json_decref(answer);
    return CLI_DONE;
}

const struct cli_command cmd_backup = {
    .name = "backup",
    .help = "make a copy of the store while the runtime runs",
    .usage = "DIR",
    .more =
        "Makes the folder DIR, which must not be there or be empty, with the database and the "
        "payloads: all that was acknowledged before\nis in it. The runtime writes it, on its own "
        "machine and with its own rights. On the file system of the data directory\npayloads are "
        "hard links and cost no space. Configuration, secrets and the store key are not in it; "
        "the folder is for its\nowner only and as confidential as the data directory.",
    .example = "waybill backup /var/backups/waybill/2026-11-21\n",
    .args_min = 1,
    .args_max = 1,
    .run = run_backup,
};

static int say_restored(struct cli *c, const struct config_runtime *rt,
                        const struct store_backup *b)
{
    bool key = access(rt->runtime.key_file, R_OK) == 0;
    json_t *o;

    if (c->json) {
        o = cli_have(json_pack("{s:s, s:I, s:I, s:b, s:b}", "data_directory",
                               rt->runtime.data_directory, "documents",
                               (json_int_t)b->documents, "files", (json_int_t)b->files,
                               "sealed_keys", (int)b->sealed_keys, "store_key", (int)key));
        cli_print_json(o);
        json_decref(o);
    } else {
        printf("%s: %llu documents, %llu payload files\n", rt->runtime.data_directory,
               (unsigned long long)b->documents, (unsigned long long)b->files);
    }
    if (b->sealed_keys && !key)
        fprintf(stderr,
                "waybill: the store holds private keys and %s is not there: put the store key "
                "back before the runtime is started, or those certificates are unusable\n",
                rt->runtime.key_file);
    return CLI_DONE;
}

static int run_restore(struct cli *c)
{
    struct config_runtime *rt = cli_config_load(c);
    struct store_backup b;
    struct err err;
    int status;

    if (rt == NULL)
        return CLI_REFUSED;
    if (cli_runtime_answers(rt->admin.socket))
        status = cli_refused("a runtime answers at %s: stop it first", rt->admin.socket);
    else if (!store_restore(c->args[0], rt->runtime.data_directory, &b, &err))
        status = cli_refused("%s", err.text);
    else
        status = say_restored(c, rt, &b);
    config_runtime_free(rt);
    return status;
}

const struct cli_command cmd_restore = {
    .name = "restore",
    .help = "fill an empty data directory from a backup",
    .usage = "DIR [--config FILE]",
    .more = "Copies the backup in DIR into `runtime.data_directory` of the configuration, in "
            "which there must be no store yet. Run it as the\nuser the runtime runs as, then "
            "start that. The store key has to be put back by itself.",
    .example = "waybill restore /var/backups/waybill/2026-11-21\n",
    .args_min = 1,
    .args_max = 1,
    .run = run_restore,
};
