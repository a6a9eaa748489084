/* download: a document's octets. */
#include "cli/cli.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOLD = 64 * 1024 }; /* octets kept back: a refusal's body is shorter and no document */

struct sink {
    int fd;
    int error;
    uint64_t done;
    uint8_t held[HOLD];
    size_t held_n;
    bool open; /* more than a refusal may have: it is the document */
    struct cli_progress progress;
};

static bool put(struct sink *s, struct span part)
{
    while (part.n > 0) {
        ssize_t n = write(s->fd, part.p, part.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s->error = errno;
            return false;
        }
        span_skip(&part, (size_t)n);
        s->done += (uint64_t)n;
    }
    cli_progress_at(&s->progress, s->done);
    return true;
}

/* For http_call. */
static bool take(void *context, struct span part)
{
    struct sink *s = context;

    if (!s->open && part.n <= HOLD - s->held_n) {
        memcpy(s->held + s->held_n, part.p, part.n);
        s->held_n += part.n;
        return true;
    }
    if (!s->open) {
        s->open = true;
        if (!put(s, span_of(s->held, s->held_n)))
            return false;
    }
    return put(s, part);
}

static int fetch(struct cli *c, struct sink *s)
{
    struct http_call call = {
        .method = "GET", .timeout_ms = INT32_MAX, .write = take, .write_context = s
    };
    const char *what = cli_flag(c, "raw") ? "raw" : "opened";
    struct http_reply reply = { 0 };
    int status;

    cli_progress_begin(&s->progress, cli_printf(c, "document %s", c->args[0]), 0);
    status = cli_http(c, &call,
                      cli_printf(c, "/api/v1/documents/%s/%s", cli_escape(c, c->args[0]), what),
                      &reply);
    if (status == CLI_DONE && reply.status == 200 && !s->open)
        (void)put(s, span_of(s->held, s->held_n));
    cli_progress_end(&s->progress);
    if (s->error != 0)
        return cli_refused("write: %s", strerror(s->error));
    if (status != CLI_DONE)
        return status;
    if (reply.status != 200)
        return cli_answer_refused(c, reply.status, span_of(s->held, s->held_n));
    return CLI_DONE;
}

/* The file gets its name when it is whole. */
static int to_file(struct cli *c, struct sink *s, const char *name)
{
    const char *tmp = cli_printf(c, "%s.part-%ld", name, (long)getpid());
    int status;

    s->fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s->fd < 0)
        return cli_refused("'%s': %s", tmp, strerror(errno));
    status = fetch(c, s);
    if (close(s->fd) != 0 && status == CLI_DONE)
        status = cli_refused("'%s': %s", tmp, strerror(errno));
    if (status == CLI_DONE && rename(tmp, name) != 0)
        status = cli_refused("rename '%s' to '%s': %s", tmp, name, strerror(errno));
    if (status != CLI_DONE)
        (void)unlink(tmp);
    return status;
}

static int run(struct cli *c)
{
    const char *name = cli_option_value(c, "output");
    struct sink *s = cli_have(calloc(1, sizeof(*s)));
    struct stat st;
    int status;

    s->fd = STDOUT_FILENO;
    /* /dev/stdout, a pipe: nothing that could be renamed over */
    if (name != NULL && strcmp(name, "-") != 0 && stat(name, &st) == 0 &&
        !S_ISREG(st.st_mode)) {
        s->fd = open(name, O_WRONLY | O_CLOEXEC);
        if (s->fd < 0)
            status = cli_refused("'%s': %s", name, strerror(errno));
        else
            status = fetch(c, s);
        if (s->fd >= 0)
            close(s->fd);
    } else if (name != NULL && strcmp(name, "-") != 0) {
        status = to_file(c, s, name);
    } else {
        status = fetch(c, s);
    }
    free(s);
    return status;
}

static const struct cli_option options[] = {
    { 0, "raw", NULL, "the octets as on the wire, not the opened document" },
    { 'o', "output", "FILE", "write them to FILE; default: standard output" },
};

const struct cli_command cmd_download = {
    .name = "download",
    .help = "write a document's octets to a file or standard output",
    .usage = "ID [--raw] [-o FILE]",
    .example = "waybill download 17 -o order.edi\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
