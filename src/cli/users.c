/* users: who may log on to the admin API and the console. */
#include "cli/cli.h"

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static void row(struct cli *c, struct cli_table *t, const json_t *u)
{
    cli_table_row(t, (const char *const[]) { cli_j_text(u, "name"), cli_j_text(u, "role"),
                                             cli_time_text(c, cli_j_text(u, "created")),
                                             cli_time_text(c, cli_j_text(u, "changed")) });
}

static const char *const heads[] = { "USER", "ROLE", "CREATED", "CHANGED", NULL };

static void show_list(struct cli *c, const json_t *answer)
{
    struct cli_table t;
    const json_t *u;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "users"), i, u) row(c, &t, u);
    cli_table_end(&t, stdout, 0);
}

static void show_deleted(struct cli *c, const json_t *answer)
{
    (void)answer;
    printf("user %s is deleted, and logged off\n", c->args[1]);
}

/* ---- passwords -------------------------------------------------------------------------- */

/* A line from the terminal that is not shown. NULL: none came. */
static char *ask(struct cli *c, const char *prompt)
{
    struct termios as_was, quiet;
    char line[512];
    bool ok;

    if (tcgetattr(STDIN_FILENO, &as_was) != 0)
        return NULL;
    quiet = as_was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH,
                    &quiet); /* forgets what was typed: before the prompt */
    fputs(prompt, stderr);
    ok = fgets(line, sizeof(line), stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_was);
    fputc('\n', stderr);
    if (!ok)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return cli_printf(c, "%s", line);
}

/* From a file, standard input or the terminal; CLI_DONE with *out. */
static int password_of(struct cli *c, const char **out)
{
    const char *again;
    struct err err;

    if (!cli_password(c, out, &err))
        return cli_refused("%s", err.text);
    if (*out != NULL)
        return CLI_DONE;
    if (!isatty(STDIN_FILENO))
        return cli_misused(c, "give the password with --password-file or --password-stdin");
    *out = ask(c, "password: ");
    again = *out != NULL ? ask(c, "the same again: ") : NULL;
    if (again == NULL || strcmp(*out, again) != 0)
        return cli_refused("that was not the same twice");
    return CLI_DONE;
}

/* ---- changes ---------------------------------------------------------------------------- */

static int change(struct cli *c, const char *path, json_t *body)
{
    struct cli_table t;
    json_t *answer;
    int status = cli_call_json(c, path, body, &answer);

    if (status != CLI_DONE)
        return status;
    if (c->json) {
        cli_print_json(answer);
    } else {
        cli_table_begin(&t, heads);
        row(c, &t, answer);
        cli_table_end(&t, stdout, 0);
    }
    json_decref(answer);
    return CLI_DONE;
}

static int add(struct cli *c)
{
    const char *role = cli_option_value(c, "role"), *password;
    json_t *body;
    int status;

    if (role == NULL)
        return cli_misused(c, "what may it do? give --role viewer, operator or admin");
    status = password_of(c, &password);
    if (status != CLI_DONE)
        return status;
    body = cli_have(json_pack("{s:s, s:s}", "name", c->args[1], "role", role));
    if (json_object_set_new(body, "password", json_string(password)) != 0) {
        json_decref(body);
        return cli_refused("the password is not UTF-8");
    }
    return change(c, "/api/v1/users", body);
}

static int set_password(struct cli *c)
{
    const char *password;
    json_t *body;
    int status = password_of(c, &password);

    if (status != CLI_DONE)
        return status;
    body = cli_have(json_object());
    if (json_object_set_new(body, "password", json_string(password)) != 0) {
        json_decref(body);
        return cli_refused("the password is not UTF-8");
    }
    return change(c, cli_printf(c, "/api/v1/users/%s/password", cli_escape(c, c->args[1])),
                  body);
}

static int run(struct cli *c)
{
    const char *what = c->args_n > 0 ? c->args[0] : "list";

    if (strcmp(what, "list") == 0 && c->args_n <= 1)
        return cli_call_show(c, "GET", "/api/v1/users", show_list);
    if (strcmp(what, "add") == 0 && c->args_n == 2)
        return add(c);
    if (strcmp(what, "password") == 0 && c->args_n == 2)
        return set_password(c);
    if (strcmp(what, "role") == 0 && c->args_n == 3)
        return change(c, cli_printf(c, "/api/v1/users/%s/role", cli_escape(c, c->args[1])),
                      cli_have(json_pack("{s:s}", "role", c->args[2])));
    if (strcmp(what, "delete") == 0 && c->args_n == 2)
        return cli_call_show(c, "DELETE",
                             cli_printf(c, "/api/v1/users/%s", cli_escape(c, c->args[1])),
                             show_deleted);
    return cli_misused(c, "list, add NAME, password NAME, role NAME ROLE or delete NAME");
}

static const struct cli_option options[] = {
    { 0, "role", "ROLE", "add: viewer, operator or admin" },
    { 0, "password-file", "FILE", "its first line is the password" },
    { 0, "password-stdin", NULL, "the same from standard input" },
};

const struct cli_command cmd_users = {
    .name = "users",
    .help = "list, add, change and delete who may log on to the admin API and the console",
    .usage = "[list | add NAME --role ROLE | password NAME | role NAME ROLE | delete NAME] "
             "[--password-file F]",
    .more =
        "A `viewer` sees everything but secrets. An `operator` may also send, retry, cancel, "
        "acknowledge and reject documents,\npause and resume listeners, call and test partners. "
        "An `admin` may also change components, certificates and users.\nWithout an option the "
        "password is asked for; it has at least 12 characters. A changed password or role counts "
        "at once.\nThe first user is made with this command; until then nobody can log on.",
    .example = "waybill users add zoe --role admin\n"
               "waybill users role zoe operator\n"
               "waybill users delete zoe\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_max = 3,
    .run = run,
};
