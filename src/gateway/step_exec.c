/* The step `exec`: a program gets the document on its standard input and the properties in its
 * environment. It has succeeded when it exits with 0 in time. */
#include "gateway/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 64, ENV_MAX = 128, OUTPUT_MAX = 400, PIPE_MAX = 200 };

/* One part of several, in a file without a name: a program reads to the end of what it gets. */
static int input_of_part(struct step_context *c, struct err *err)
{
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    uint64_t at = c->part.at, left = c->part.left;
    int fd = open_again(AT_FDCWD, c->g->rt->runtime.data_directory,
                        O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    size_t got = 1;
    bool ok =
        buffer != NULL && fd >= 0 &&
        payload_open(c->g->store, c->d->id, document_opened_role(c->d), &c->d->opened, &r, err);

    while (ok && left > 0 && got > 0) {
        size_t want = left < READ_SIZE ? (size_t)left : READ_SIZE;

        ok = payload_read(r, at, (struct room) { buffer, want }, &got, err) &&
             write(fd, buffer, got) == (ssize_t)got;
        at += got;
        left -= got;
    }
    payload_reader_free(r);
    free(buffer);
    if (ok && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    FAIL(err, FAIL_LOCAL, 0, "cannot hand part %zu of the document to the program: %m",
         c->part_number);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* A descriptor from which the document can be read from its start. */
static int input_of(struct step_context *c, struct err *err)
{
    struct payload_reader *r = NULL;
    struct span row;
    char path[64];
    int fd = -1;

    if (c->parts > 1)
        return input_of_part(c, err);
    if (!payload_open(c->g->store, c->d->id, document_opened_role(c->d), &c->d->opened, &r,
                      err))
        return -1;
    if (payload_fd(r) >= 0) {
        /* Opened anew: a duplicate would share the offset with other readers. */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", payload_fd(r));
        fd = open_again(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    } else {
        row = payload_row(r);
        fd = memfd_create("document", MFD_CLOEXEC);
        for (size_t at = 0; fd >= 0 && at < row.n;) {
            ssize_t n = write(fd, row.p + at, row.n - at);

            if (n < 0 && errno != EINTR) {
                (void)close(fd);
                fd = -1;
            }
            at += n > 0 ? (size_t)n : 0;
        }
        if (fd >= 0)
            (void)lseek(fd, 0, SEEK_SET);
    }
    if (fd < 0)
        FAIL(err, FAIL_LOCAL, 0, "cannot hand the document to the program: %m");
    payload_reader_free(r);
    return fd;
}

static char *env_name(struct arena *a, const char *prop, const char *value)
{
    char *line = arena_printf(a, "WAYBILL_%s=%s", prop, value == NULL ? "" : value);

    for (char *p = line; p != NULL && *p != '=' && *p != '\0'; p++) {
        if (*p == '.' || *p == '-')
            *p = '_';
        else if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    }
    return line;
}

static void environment(struct step_context *c, char **env)
{
    const struct document *d = c->d;
    const char *path = getenv("PATH");
    size_t n = 0;

    env[n++] = arena_printf(c->arena, "PATH=%s", path == NULL ? "/usr/bin:/bin" : path);
    env[n++] = arena_text(c->arena, "LANG=C.UTF-8");
    env[n++] =
        env_name(c->arena, "document.id", arena_printf(c->arena, "%lld", (long long)d->id));
    env[n++] = env_name(c->arena, "document.name", d->name);
    env[n++] = env_name(c->arena, "document.from", d->from);
    env[n++] = env_name(c->arena, "document.to", d->to);
    env[n++] = env_name(c->arena, "document.partner", d->partner);
    env[n++] = env_name(c->arena, "document.listener", d->listener);
    env[n++] = env_name(c->arena, "document.size",
                        arena_printf(c->arena, "%llu", (unsigned long long)d->size));
    env[n++] =
        env_name(c->arena, "execution.id", arena_printf(c->arena, "%lld", (long long)c->x->id));
    env[n++] =
        env_name(c->arena, "execution.redelivered", c->x->redelivered ? "true" : "false");
    env[n++] = env_name(c->arena, "part", arena_printf(c->arena, "%zu", c->part_number));
    env[n++] = env_name(c->arena, "parts", arena_printf(c->arena, "%zu", c->parts));
    for (const struct prop *p = d->props.first; p != NULL && n < ENV_MAX - 1; p = p->next)
        if (strncmp(p->name, "waybill.", 8) != 0 && strncmp(p->name, "as2.part.", 9) != 0)
            env[n++] = env_name(c->arena, p->name, p->value);
    env[n] = NULL;
}

static bool arguments(struct step_context *c, char **argv, struct err *err)
{
    size_t n = 0;

    for (const char *const *t = c->step->u.exec.command; *t != NULL; t++) {
        if (n >= ARGS_MAX - 1)
            return FAIL(err, FAIL_LOCAL, 0, "more than %d arguments", ARGS_MAX - 1);
        if (!template_expand(*t, c->d, c->x, c->arena, &argv[n++], err))
            return false;
    }
    argv[n] = NULL;
    return n > 0 || FAIL(err, FAIL_LOCAL, 0, "command is empty");
}

static bool spawn(char **argv, char **env, int in, int out, pid_t *pid, struct err *err)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, dflt;
    int rc;

    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&fa, in, 0);
    posix_spawn_file_actions_adddup2(&fa, out, 1);
    posix_spawn_file_actions_adddup2(&fa, out, 2);
    sigemptyset(&none);
    sigfillset(&dflt);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &dflt);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawnp(pid, argv[0], &fa, &attr, argv, env);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    errno = rc;
    return rc == 0 || FAIL(err, FAIL_LOCAL, 0, "cannot run '%s': %m", argv[0]);
}

/* The last words of the program, newest half kept. */
static void keep_tail(char *tail, size_t *n, const char *piece, size_t got)
{
    for (size_t i = 0; i < got; i++) {
        if (*n == OUTPUT_MAX) {
            memmove(tail, tail + OUTPUT_MAX / 2, OUTPUT_MAX / 2);
            *n = OUTPUT_MAX / 2;
        }
        tail[(*n)++] = piece[i] == '\n' ? ' ' : piece[i];
    }
    tail[*n] = '\0';
}

/* Waits for the program, reading what it prints; false when it was stopped because time was up.
 * A grandchild that keeps the pipe open is not waited for. */
static bool wait_for(struct step_context *c, pid_t pid, int out, int *status, char *tail)
{
    uint64_t until = net_now_ms() + c->step->u.exec.timeout_ms;
    bool in_time = true, ended = false;
    int left = PIPE_MAX;
    char piece[512];
    size_t n = 0;

    tail[0] = '\0';
    for (;;) {
        struct pollfd p = { .fd = out, .events = POLLIN };

        ended = ended || waitpid(pid, status, WNOHANG) == pid;
        if (!ended && in_time && (net_now_ms() >= until || atomic_load(&c->g->ending))) {
            in_time = false;
            (void)kill(-pid, SIGKILL);
        }
        /* What it left in the pipe when it ended, not what a grandchild goes on to write. */
        if (out >= 0 && (!ended || left-- > 0) && poll(&p, 1, ended ? 0 : 20) > 0) {
            ssize_t got = read(out, piece, sizeof(piece));

            if (got > 0) {
                keep_tail(tail, &n, piece, (size_t)got);
                continue;
            }
            out = -1;
        }
        if (ended)
            return in_time;
        if (out < 0)
            (void)poll(NULL, 0, 5);
    }
}

enum step_outcome step_exec(struct step_context *c)
{
    char *argv[ARGS_MAX], *env[ENV_MAX], tail[OUTPUT_MAX + 1];
    int in = -1, out[2] = { -1, -1 }, status = 0;
    bool in_time;
    struct err err = { 0 };
    pid_t pid = -1;
    const char *colon;

    if (!arguments(c, argv, &err) || (in = input_of(c, &err)) < 0)
        goto failed;
    if (pipe2(out, O_CLOEXEC) != 0) {
        FAIL(&err, FAIL_LOCAL, 0, "pipe: %m");
        goto failed;
    }
    environment(c, env);
    if (!spawn(argv, env, in, out[1], &pid, &err))
        goto failed;
    (void)close(in);
    (void)close(out[1]);
    in_time = wait_for(c, pid, out[0], &status, tail);
    (void)close(out[0]);
    if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        (void)snprintf(c->text, sizeof(c->text), "%s exited with 0", argv[0]);
        return STEP_DONE;
    }
    /* What was stopped in the middle has not said that it did nothing. */
    c->maybe_done = !in_time || WIFSIGNALED(status);
    colon = tail[0] != '\0' ? ": " : "";
    if (!in_time)
        (void)snprintf(c->text, sizeof(c->text), "%s was stopped after %g s (exec.timeout)%s%s",
                       argv[0], (double)c->step->u.exec.timeout_ms / 1000, colon, tail);
    else if (WIFSIGNALED(status))
        (void)snprintf(c->text, sizeof(c->text), "%s was ended by signal %d%s%s", argv[0],
                       WTERMSIG(status), colon, tail);
    else
        (void)snprintf(c->text, sizeof(c->text), "%s exited with %d%s%s", argv[0],
                       WEXITSTATUS(status), colon, tail);
    return STEP_FAILED;
failed:
    for (int i = 0; i < 2; i++)
        if (out[i] >= 0)
            (void)close(out[i]);
    if (in >= 0)
        (void)close(in);
    (void)text_copy(c->text, sizeof(c->text), err.text);
    return STEP_FAILED;
}
