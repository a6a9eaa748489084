/* send: hands files in, and with --wait follows each to its receipt. */
#include "cli/cli.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct upload {
    int fd;
    uint64_t done;
    int error; /* errno of a failed read */
    struct cli_progress progress;
};

/* For http_call: the next octets of the file. */
static bool feed(void *context, struct room room, size_t *n)
{
    struct upload *u = context;
    ssize_t got;

    do
        got = read(u->fd, room.p, room.n);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        u->error = errno;
        return false;
    }
    *n = (size_t)got;
    u->done += *n;
    cli_progress_at(&u->progress, u->done);
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static const char *path_of(struct cli *c, const char *file)
{
    static const struct {
        const char *option, *parameter;
    } map[] = {
        { "partner", "partner" },
        { "identity", "identity" },
        { "destination", "destination" },
        { "name", "name" },
        { "format", "format" },
        { "record-length", "record_length" },
        { "record-delimiter", "record_delimiter" },
        { "description", "description" },
        { "key", "key" },
        { "protocol", "protocol" },
        { "content-type", "content_type" },
        { "subject", "subject" },
    };
    const char *path = "/api/v1/documents";

    for (size_t i = 0; i < COUNT_OF(map); i++)
        path = cli_query(c, path, map[i].parameter, cli_option_value(c, map[i].option));
    return cli_query(c, path, "file_name", strcmp(file, "-") == 0 ? NULL : base_name(file));
}

/* fd: the file; *id: its document. Gives the exit status. */
static int upload(struct cli *c, const char *file, int fd, const char *type, json_t **answer)
{
    struct upload u = { .fd = fd };
    struct http_call call = {
        .method = "POST",
        .read = feed,
        .read_context = &u,
        .read_length = UINT64_MAX,
        /* the low-speed limit of "none" would cut a slow standard input */
        .timeout_ms = INT32_MAX
    };
    struct http_reply reply = { 0 };
    struct stat st;
    int status;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return cli_refused("'%s' is a directory", file);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
        call.read_length = (uint64_t)st.st_size;
    cli_progress_begin(&u.progress, base_name(file),
                       call.read_length != UINT64_MAX ? call.read_length : 0);
    status = cli_http(c, &call, cli_query(c, path_of(c, file), "content_type", type), &reply);
    cli_progress_end(&u.progress);
    if (u.error != 0)
        return cli_refused("'%s': %s", file, strerror(u.error));
    if (status != CLI_DONE)
        return status;
    if (reply.status < 200 || reply.status > 299)
        return cli_answer_refused(c, reply.status, reply.body);
    *answer = json_loadb((const char *)reply.body.p, reply.body.n, 0, NULL);
    return *answer != NULL ? CLI_DONE : cli_refused("the answer is not JSON");
}

static int send_file(struct cli *c, const char *file, json_t **answer)
{
    int fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    int status;

    if (fd < 0)
        return cli_refused("'%s': %s", file, strerror(errno));
    status = upload(c, file, fd, NULL, answer);
    close(fd);
    return status;
}

/* What a program gets: the answer for one file, a list of them for several. */
static void print_all(struct cli *c, json_t *answers)
{
    json_t *o;

    if (c->args_n == 1 && json_array_size(answers) == 1) {
        cli_print_json(json_array_get(answers, 0));
        return;
    }
    o = json_pack("{s:O}", "documents", answers);
    cli_print_json(o);
    json_decref(o);
}

static int send_all(struct cli *c, json_t *answers)
{
    int status = CLI_DONE;

    for (size_t i = 0; i < c->args_n && status == CLI_DONE; i++) {
        json_t *answer;

        status = send_file(c, c->args[i], &answer);
        if (status != CLI_DONE)
            break;
        json_array_append_new(answers, answer);
        if (!c->json && !cli_flag(c, "wait"))
            printf("%s: document %lld\n", c->args[i], (long long)cli_j_int(answer, "id"));
    }
    return status;
}

/* All files as one message. */
static int send_together(struct cli *c, json_t *answers)
{
    const char *type;
    int fd = cli_together(c, &type), status;
    json_t *answer;

    if (fd < 0)
        return CLI_REFUSED;
    status = upload(c, base_name(c->args[0]), fd, type, &answer);
    close(fd);
    if (status != CLI_DONE)
        return status;
    json_array_append_new(answers, answer);
    if (!c->json && !cli_flag(c, "wait"))
        printf("%zu files together: document %lld\n", c->args_n,
               (long long)cli_j_int(answer, "id"));
    return CLI_DONE;
}

static int wait_all(struct cli *c, json_t *answers, uint64_t limit_ms)
{
    int status = CLI_DONE;

    for (size_t i = 0; i < json_array_size(answers); i++) {
        json_t *last = NULL;
        int one = cli_follow(c, cli_j_int(json_array_get(answers, i), "id"), c->args[i],
                             limit_ms, &last);

        if (last != NULL)
            json_array_set_new(answers, i, last);
        if (one != CLI_DONE)
            status = one;
    }
    return status;
}

static int run(struct cli *c)
{
    const char *limit = cli_option_value(c, "timeout");
    uint64_t limit_ms = 0;
    json_t *answers;
    int status, waited = CLI_DONE;

    if (!cli_flag(c, "partner"))
        return cli_misused(c, "to whom? --partner P");
    if (limit != NULL && !cli_duration_of(limit, &limit_ms))
        return cli_misused(c, "--timeout '%s' is not a time such as 60s or 5m", limit);
    if (limit != NULL && !cli_flag(c, "wait"))
        return cli_misused(c, "--timeout belongs to --wait");
    if (c->args_n > 1 && (cli_flag(c, "name") || cli_flag(c, "key")))
        return cli_misused(c, "--name and --key are for one file, not %zu", c->args_n);
    if (cli_flag(c, "together") && cli_flag(c, "content-type"))
        return cli_misused(c, "--together makes the content type itself");
    answers = cli_have(json_array());
    status = cli_flag(c, "together") ? send_together(c, answers) : send_all(c, answers);
    if (cli_flag(c, "wait"))
        waited = wait_all(c, answers, limit_ms);
    if (c->json && json_array_size(answers) > 0)
        print_all(c, answers);
    json_decref(answers);
    return status != CLI_DONE ? status : waited;
}

static const struct cli_option options[] = {
    { 'p', "partner", "P", "the partner it goes to" },
    { 0, "identity", "I",
      "which of our names sends it; default: the partner's, or the only one" },
    { 0, "destination", "CODE",
      "ODETTE ID of somebody behind the partner (SFIDDEST); default: the partner's" },
    { 0, "name", "DSN",
      "virtual file name (SFIDDSN) or file name; default: made of the file's name" },
    { 0, "format", "U|T|F|V", "unstructured (default), text, fixed or variable records" },
    { 0, "record-length", "N", "octets of a record: F exactly, V at most" },
    { 0, "record-delimiter", "none|lf|crlf", "what ends a record in FILE: none (F), lf (V)" },
    { 0, "description", "T", "long name or remark for the partner (SFIDDESC)" },
    { 0, "protocol", "oftp2|as2", "for a partner that has both; default: oftp2" },
    { 0, "content-type", "T", "AS2: MIME type of the document; default: the partner's" },
    { 0, "subject", "S", "AS2: Subject of the message; default: the partner's" },
    { 't', "together", NULL,
      "AS2: all FILEs as one message with several attachments (RFC 6362), the first one its root" },
    { 0, "key", "KEY", "the same key again does not send again" },
    { 'w', "wait", NULL, "follow each until its receipt has come" },
    { 0, "timeout", "TIME", "wait at most, such as 60s or 5m" },
};

const struct cli_command cmd_send = {
    .name = "send",
    .help = "send files to a partner",
    .usage =
        "--partner P [--identity I] [--destination CODE] [--name DSN] [--format U|T|F|V] [--record-length N] "
        "[--record-delimiter none|lf|crlf] [--description T] [--protocol oftp2|as2] "
        "[--content-type T] [--subject S] [--together] [--key KEY] [--wait [--timeout 60s]] FILE...",
    .more = "A FILE of - is standard input. What was answered with a document's number is in "
            "safe custody and will be sent. With --wait the exit status is 0 when all are "
            "acknowledged, 1 when one was rejected, failed, is overdue or takes longer.",
    .example = "waybill send --partner acme --wait invoice.edi\n"
               "waybill send --partner acme --format F --record-length 80 --name DELINS d.txt\n"
               "waybill send --partner acme --protocol as2 --together order.xml drawing.pdf\n",
    .options = options,
    .options_n = COUNT_OF(options),
    .args_min = 1,
    .args_max = SIZE_MAX,
    .run = run,
};
