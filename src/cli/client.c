/* Speaking to the runtime through its admin socket. */
#include "cli/cli.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALL_MS = 120 * 1000 }; /* a small request takes at most */

/* ---- which runtime ---------------------------------------------------------------------- */

const char *cli_socket(struct cli *c, int *status)
{
    const char *named = getenv("WAYBILL_SOCKET");
    struct config_runtime *rt;

    *status = CLI_DONE;
    if (c->socket_path != NULL)
        return c->socket_path;
    /* a configuration named on the command line says more than the environment */
    if (c->config == NULL && named != NULL && named[0] != '\0')
        return c->socket_path = named;
    if (c->config == NULL && access(cli_config_path(c), F_OK) != 0) {
        *status = cli_misused(c,
                              "which runtime? name its admin socket with --socket PATH or "
                              "its settings with --config FILE ('%s' is not there)",
                              cli_config_path(c));
        return NULL;
    }
    rt = cli_config_load(c);
    if (rt == NULL) {
        *status = CLI_REFUSED;
        return NULL;
    }
    c->socket_path = cli_have(arena_text(&c->arena, rt->admin.socket));
    config_runtime_free(rt);
    return c->socket_path;
}

bool cli_runtime_answers(const char *socket_path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd, r;

    if (!text_copy(a.sun_path, sizeof(a.sun_path), socket_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    r = connect(fd, (const struct sockaddr *)&a, sizeof(a));
    if (r != 0) {
        int e = errno;

        close(fd);
        errno = e;
        return false;
    }
    close(fd);
    return true;
}

/* Says why nobody answers at the socket. */
static int nobody(const struct cli *c)
{
    int e = errno;

    if (e == EACCES || e == EPERM)
        return cli_refused(
            "%s: only the user who runs the runtime may use it: run this as that "
            "user, or with sudo",
            c->socket_path);
    if (e != ENOENT && e != ECONNREFUSED && e != ENOTDIR)
        return cli_refused("%s: %s", c->socket_path, strerror(e));
    return cli_refused(
        "no runtime answers at %s: start it with `waybill serve --config %s`, or "
        "name another with --socket",
        c->socket_path, c->config != NULL ? c->config : "FILE");
}

/* ---- requests --------------------------------------------------------------------------- */

const char *cli_escape(struct cli *c, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-_.~:";
    char *out = cli_have(arena_take(&c->arena, 3 * strlen(text) + 1)), *p = out;

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            *p++ = *text;
        else
            p += sprintf(p, "%%%02X", (unsigned char)*text);
    }
    return out;
}

const char *cli_query(struct cli *c, const char *path, const char *name, const char *value)
{
    if (value == NULL)
        return path;
    return cli_printf(c, "%s%c%s=%s", path, strchr(path, '?') != NULL ? '&' : '?', name,
                      cli_escape(c, value));
}

int cli_http(struct cli *c, struct http_call *call, const char *path, struct http_reply *reply)
{
    struct err err;
    int status;

    call->unix_socket = cli_socket(c, &status);
    if (call->unix_socket == NULL)
        return status;
    if (!cli_runtime_answers(call->unix_socket))
        return nobody(c);
    call->url = cli_printf(c, "http://localhost%s", path);
    if (!http_call(call, &c->arena, reply, &err))
        return cli_refused("%s", err.text);
    return CLI_DONE;
}

int cli_answer_refused(struct cli *c, int status, struct span body)
{
    json_t *v = json_loadb((const char *)body.p, body.n, 0, NULL), *p;
    size_t i;

    json_array_foreach(json_object_get(v, "problems"), i, p)
    {
        cli_put_safe(stderr,
                     cli_printf(c, "%s:%lld:%lld: %s", cli_j_text(p, "file"),
                                (long long)cli_j_int(p, "line"),
                                (long long)cli_j_int(p, "column"), cli_j_text(p, "text")));
        fputc('\n', stderr);
    }
    if (cli_j_text(v, "error")[0] != '\0')
        cli_refused("%s", cli_j_text(v, "error"));
    else
        cli_refused("the runtime answered with HTTP status %d", status);
    if (c->json && v != NULL)
        cli_print_json(v);
    json_decref(v);
    return CLI_REFUSED;
}

int cli_call(struct cli *c, const char *method, const char *path, const struct span *body,
             json_t **answer)
{
    struct http_call call = { .method = method,
                              .timeout_ms = CALL_MS,
                              .answer_max = (size_t)256 * 1024 * 1024 };
    struct http_reply reply = { 0 };
    json_error_t why;
    int status;

    if (body != NULL)
        call.body = *body;
    status = cli_http(c, &call, path, &reply);
    if (status != CLI_DONE)
        return status;
    if (reply.status < 200 || reply.status > 299)
        return cli_answer_refused(c, reply.status, reply.body);
    *answer = json_loadb((const char *)reply.body.p, reply.body.n, 0, &why);
    if (*answer == NULL)
        return cli_refused("%s %s: the answer is not JSON: %s", method, path, why.text);
    return CLI_DONE;
}

int cli_call_show(struct cli *c, const char *method, const char *path,
                  void (*show)(struct cli *c, const json_t *answer))
{
    json_t *answer;
    int status = cli_call(c, method, path, NULL, &answer);

    if (status != CLI_DONE)
        return status;
    if (c->json)
        cli_print_json(answer);
    else
        show(c, answer);
    json_decref(answer);
    return CLI_DONE;
}

/* ---- JSON ------------------------------------------------------------------------------- */

void cli_print_json(const json_t *v)
{
    (void)json_dumpf(v, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

const char *cli_j_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text != NULL ? text : "";
}

int64_t cli_j_int(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

bool cli_j_bool(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

const char *cli_j_number(struct cli *c, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_integer(v) ? cli_printf(c, "%lld", (long long)json_integer_value(v)) : "";
}
