/* One file of a watched folder on its way into the store: see outbox.h. */
#include "gateway/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);

    return n >= e && strcmp(name + n - e, end) == 0;
}

bool outbox_wanted(const struct config_outbox *o, const char *name)
{
    if (name[0] == '.' || ends_with(name, ".tmp") || ends_with(name, ".part"))
        return false;
    if (o->names == NULL)
        return true;
    for (const char *const *p = o->names; *p != NULL; p++)
        if (fnmatch(*p, name, 0) == 0)
            return true;
    return false;
}

bool outbox_take(struct gateway *g, int dir, int work, const char *name, bool *gone,
                 struct err *err)
{
    char taken[NAME_MAX + 1];

    (void)snprintf(taken, sizeof(taken), "%lld-%.*s", (long long)store_next_id(g->store),
                   OUTBOX_NAME_MAX, name);
    *gone = false;
    if (renameat(dir, name, work, taken) == 0)
        return true;
    *gone = errno == ENOENT;
    return FAIL(err, FAIL_LOCAL, 0, "cannot take '%s': %m", name);
}

const char *outbox_name_of(const char *taken)
{
    const char *p = taken;

    while (*p >= '0' && *p <= '9')
        p++;
    return p > taken && *p == '-' && p[1] != '\0' ? p + 1 : NULL;
}

/* ---- where it goes afterwards ------------------------------------------------------------- */

/* Into dir/folder, which is made, under its name or one that is free. used: NAME_MAX + 1. */
static bool move_to(int dir, const char *folder, int work, const char *taken, char *used,
                    struct err *err)
{
    struct stat st;
    bool ok, made;
    int to;

    made = mkdirat(dir, folder, 0700) == 0;
    to = open_again(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    /* For those who may use the directory itself, whatever our umask. */
    if (to >= 0 && made && fstat(dir, &st) == 0)
        (void)fchmod(to, st.st_mode & 07777);
    if (to < 0)
        return FAIL(err, FAIL_LOCAL, 0, "cannot open the folder '%s': %m", folder);
    (void)text_copy(used, NAME_MAX + 1, outbox_name_of(taken));
    if (faccessat(to, used, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        (void)text_copy(used, NAME_MAX + 1, taken);
    ok = renameat(work, taken, to, used) == 0 ||
         FAIL(err, FAIL_LOCAL, 0, "cannot move '%s' into '%s': %m", taken, folder);
    (void)close(to);
    return ok;
}

static void write_reason(int dir, const struct config_outbox *o, const char *partner,
                         const char *name, const char *reason)
{
    char path[NAME_MAX + 32];
    FILE *f;
    int fd;

    (void)snprintf(path, sizeof(path), "failed/%.*s.reason", NAME_MAX - 8, name);
    fd = open_again(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f != NULL)
        (void)fchmod(fd, 0664);
    if (f != NULL)
        fprintf(f, "partner: %s\nreason: %s\n\nTo send the file again move it back into %s.\n",
                partner, reason, o->directory);
    if (f != NULL)
        (void)fclose(f);
    else if (fd >= 0)
        (void)close(fd);
}

static bool set_aside(struct gateway *g, const char *partner, const struct config_outbox *o,
                      int dir, int work, const char *taken, const char *reason)
{
    char name[NAME_MAX + 1];
    struct err err = { 0 };

    if (!move_to(dir, "failed", work, taken, name, &err)) {
        log_event(LOG_ERROR, "outbox.stuck", "partner", partner, "directory", o->directory,
                  "file", taken, "reason", err.text, "because", reason, NULL);
        return false;
    }
    write_reason(dir, o, partner, name, reason);
    atomic_fetch_add(&g->n.outbox_failed, 1);
    log_event(LOG_ERROR, "outbox.failed", "partner", partner, "directory", o->directory, "file",
              name, "reason", reason, "look_at", "the folder 'failed' below the directory",
              NULL);
    return true;
}

/* The document is safe: what happens to the file now needs no sync. */
static void done_with(const char *partner, const struct config_outbox *o, int dir, int work,
                      const char *taken)
{
    char name[NAME_MAX + 1];
    struct err err = { 0 };
    bool ok;

    if (strcmp(o->done, "move") == 0)
        ok = move_to(dir, "sent", work, taken, name, &err);
    else
        ok = unlinkat(work, taken, 0) == 0 || FAIL(&err, FAIL_LOCAL, 0, "cannot remove it: %m");
    if (!ok)
        log_event(LOG_ERROR, "outbox.stuck", "partner", partner, "directory", o->directory,
                  "file", taken, "reason", err.text, "because", "it was sent", NULL);
}

/* ---- sending ----------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool copy_over(struct gateway *g, int fd, struct gateway_outgoing *out, struct err *err)
{
    uint8_t *buffer = malloc(READ_SIZE);
    ssize_t got = 1;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    while (ok && got > 0) {
        do {
            got = read(fd, buffer, READ_SIZE);
        } while (got < 0 && errno == EINTR);
        if (got < 0)
            ok = FAIL(err, FAIL_LOCAL, 422, "it cannot be read: %m");
        else if (atomic_load(&g->stopping))
            ok = FAIL(err, FAIL_LOCAL, 503, "the runtime is stopping");
        else if (got > 0)
            ok = gateway_send_octets(out, span_of(buffer, (size_t)got), err);
    }
    free(buffer);
    return ok;
}

static bool put_into_store(struct gateway *g, const struct gateway_send *w, int fd,
                           const struct stat *before, int64_t *id, struct err *err)
{
    struct gateway_outgoing *out = NULL;
    struct stat after;
    bool ok = gateway_send_begin(g, w, &out, err) && copy_over(g, fd, out, err);

    if (ok && (fstat(fd, &after) != 0 || !same_file(before, &after)))
        ok = FAIL(err, FAIL_LOCAL, 503, "somebody still writes to it");
    ok = ok && gateway_send_commit(out, id, err);
    gateway_send_free(out);
    return ok;
}

/* Whether another try may end otherwise: everything but what the file or the settings are to blame
 * for. */
static bool may_pass(const struct err *err)
{
    return err->wire == 0 || err->wire >= 500 || err->kind == FAIL_AGAIN;
}

bool outbox_send(struct gateway *g, const char *partner, const struct config_outbox *o, int dir,
                 int work, const char *taken)
{
    const char *name = outbox_name_of(taken);
    struct gateway_send w = { .partner = partner,
                              .protocol = o->protocol,
                              .content_type = o->content_type,
                              .subject = o->subject,
                              .identity = o->identity,
                              .destination = o->destination,
                              .name = o->name,
                              .file_name = name,
                              .description = o->description,
                              .format = o->format == NULL ? 'U' : o->format[0],
                              .record_length = o->record_length,
                              .record_delimiter = o->record_delimiter,
                              .listener = "outbox" };
    int fd = open_again(work, taken, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    struct err err = { 0 };
    struct stat st = { 0 };
    char key[160];
    int64_t id = 0;
    bool ok = fd >= 0 && fstat(fd, &st) == 0, again;

    if (!ok && errno == ENOENT)
        return true;
    if (!ok || !S_ISREG(st.st_mode))
        ok = FAIL(&err, FAIL_LOCAL, 422, ok ? "it is no file" : "it cannot be read: %m");
    (void)snprintf(key, sizeof(key), "outbox|%lld|%llu|%lld.%09ld|%lld", atoll(taken),
                   (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec,
                   st.st_mtim.tv_nsec, (long long)st.st_size);
    w.idempotency_key = key;
    ok = ok && put_into_store(g, &w, fd, &st, &id, &err);
    if (fd >= 0)
        (void)close(fd);
    again = !ok && may_pass(&err);
    if (ok) {
        atomic_fetch_add(&g->n.outbox_taken, 1);
        log_event(LOG_INFO, "outbox.taken", "partner", partner, "directory", o->directory,
                  "file", name, "document", log_num(id), "octets",
                  log_num((long long)st.st_size), NULL);
        done_with(partner, o, dir, work, taken);
    } else if (again && !atomic_load(&g->stopping)) {
        log_event(LOG_WARN, "outbox.later", "partner", partner, "directory", o->directory,
                  "file", name, "reason", err.text, NULL);
    }
    return ok || (!again && set_aside(g, partner, o, dir, work, taken, err.text));
}
