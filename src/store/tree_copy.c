#include "store/tree_copy.h"

#include "store/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20, PATH = 200, DEPTH = 3 };

static bool any_in(int fd, const char *const *names, char found[PATH])
{
    int again = open_file_at(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    const struct dirent *e;
    bool any = false;

    while (d != NULL && !any && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        any = names == NULL;
        for (const char *const *n = names; n != NULL && *n != NULL; n++)
            any = any || strcmp(*n, e->d_name) == 0;
        if (any)
            (void)snprintf(found, PATH, "%.*s", PATH - 1, e->d_name);
    }
    if (d != NULL)
        (void)closedir(d);
    else if (again >= 0)
        (void)close(again);
    return any;
}

bool tree_open_empty(const char *path, const char *const *names, int *fd, struct err *err)
{
    char found[PATH];

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return FAIL(err, FAIL_LOCAL, 422, "cannot make the folder '%s': %m", path);
    *fd = open_file_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (*fd < 0)
        return FAIL(err, FAIL_LOCAL, 422, "cannot open the folder '%s': %m", path);
    if (!any_in(*fd, names, found))
        return true;
    (void)close(*fd);
    *fd = -1;
    return FAIL(err, FAIL_LOCAL, 409, "'%s' must be %s, but there is '%s' in it", path,
                names == NULL ? "an empty folder" : "a data directory without a store", found);
}

/* Folders of a path, once for all files of one. */
static bool make_folders(struct tree_copy *t, const char *path, struct err *err)
{
    char folder[sizeof(t->folder)];
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return true;
    if ((size_t)(slash - path) >= sizeof(folder))
        return FAIL(err, FAIL_LOCAL, 0, "the path '%s' is too long", path);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (strcmp(folder, t->folder) == 0)
        return true;
    for (char *p = folder; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdirat(t->to, folder, 0700) != 0 && errno != EEXIST)
            return FAIL(err, FAIL_LOCAL, 0, "cannot make the folder '%s': %m", folder);
        *p = '/';
    }
    if (mkdirat(t->to, folder, 0700) != 0 && errno != EEXIST)
        return FAIL(err, FAIL_LOCAL, 0, "cannot make the folder '%s': %m", folder);
    (void)text_copy(t->folder, sizeof(t->folder), folder);
    return true;
}

static bool copy_octets(int from, int to)
{
    uint8_t *buffer = malloc(PIECE);
    ssize_t got = buffer == NULL ? -1 : 1;

    while (got > 0) {
        got = read(from, buffer, PIECE);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0 && !write_file(to, span_of(buffer, (size_t)got)))
            got = -1;
    }
    free(buffer);
    return got == 0;
}

static bool copy_file(struct tree_copy *t, int from, const char *as, struct err *err)
{
    int to = open_file_at(t->to, as, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = to >= 0 && copy_octets(from, to);

    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "cannot copy '%s': %m", as);
    if (to >= 0)
        (void)close(to);
    return ok;
}

/* 1 linked, 0 it must be copied, -1 it is not there. */
static int try_link(struct tree_copy *t, const char *path, const char *as)
{
    if (!t->link || linkat(t->from, path, t->to, as, 0) == 0)
        return t->link ? 1 : 0;
    return errno == ENOENT ? -1 : 0;
}

static bool place(struct tree_copy *t, const char *path, const char *as, bool missing,
                  struct err *err)
{
    int linked, from;
    struct stat st;
    bool ok;

    if (!make_folders(t, as, err))
        return false;
    /* Two payloads may share a file. Never write into one that is there: it may be a link. */
    if (faccessat(t->to, as, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    from = open_file_at(t->from, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (from < 0)
        return (missing && errno == ENOENT) ||
               FAIL(err, FAIL_LOCAL, 0, "cannot open '%s': %m", path);
    linked = try_link(t, path, as);
    ok = fstat(from, &st) == 0 && (linked > 0 || copy_file(t, from, as, err));
    if (ok) {
        t->files++;
        t->linked += linked > 0;
        t->octets += (uint64_t)st.st_size;
    }
    (void)close(from);
    return ok;
}

bool tree_copy_file(struct tree_copy *t, const char *path, bool missing, struct err *err)
{
    return place(t, path, path, missing, err);
}

bool tree_copy_as(struct tree_copy *t, const char *path, const char *as, struct err *err)
{
    return place(t, path, as, false, err);
}

static bool copy_below(struct tree_copy *t, const char *folder, int depth, struct err *err)
{
    int fd = open_file_at(t->from, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    bool ok = d != NULL || FAIL(err, FAIL_LOCAL, 0, "cannot read the folder '%s': %m", folder);
    char path[PATH];
    struct stat st;

    while (ok && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path) ||
            fstatat(t->from, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
            ok = FAIL(err, FAIL_LOCAL, 0, "'%s/%s' cannot be looked at", folder, e->d_name);
        else if (S_ISDIR(st.st_mode) && depth < DEPTH)
            ok = copy_below(t, path, depth + 1, err);
        else if (S_ISREG(st.st_mode))
            ok = place(t, path, path, false, err);
    }
    if (d != NULL)
        (void)closedir(d);
    else if (fd >= 0)
        (void)close(fd);
    return ok;
}

bool tree_copy_below(struct tree_copy *t, const char *folder, struct err *err)
{
    (void)mkdirat(t->to, folder, 0700);
    return copy_below(t, folder, 1, err);
}
