/* The store key: what private keys in the store are encrypted under lies outside of it. */
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, uint8_t *p, size_t cap, size_t *n)
{
    ssize_t got;

    *n = 0;
    do {
        got = read(fd, p + *n, cap - *n);
        if (got > 0)
            *n += (size_t)got;
    } while (*n < cap && (got > 0 || (got < 0 && errno == EINTR)));
    return got >= 0;
}

bool store_key_read(const char *path, uint8_t key[STORE_KEY_SIZE], bool *found, bool *shared,
                    struct err *err)
{
    uint8_t octets[STORE_KEY_SIZE + 1];
    struct stat st;
    /* not blocking: a pipe put there by mistake must not stop the runtime */
    int fd = open_file_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    size_t n = 0;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && read_all(fd, octets, sizeof(octets), &n);

    *found = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);
    if (!ok && !*found)
        ok = true;
    else if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "the store key '%s' (runtime.key_file) cannot be read: %m",
             path);
    else if (n != STORE_KEY_SIZE)
        ok =
            FAIL(err, FAIL_LOCAL, 0,
                 "the store key '%s' (runtime.key_file) must have exactly %d octets, this file "
                 "has %s: put the right one in its place",
                 path, STORE_KEY_SIZE, n > STORE_KEY_SIZE ? "more" : "fewer");
    if (ok && *found) {
        memcpy(key, octets, STORE_KEY_SIZE);
        *shared = (st.st_mode & 077) != 0;
    }
    explicit_bzero(octets, sizeof(octets));
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* The folder a path is in, into text. */
static bool folder_of(const char *path, char *text, size_t cap)
{
    char *slash;

    if (!text_copy(text, cap, path) || (slash = strrchr(text, '/')) == NULL)
        return false;
    slash[slash == text ? 1 : 0] = '\0';
    return true;
}

static bool sync_folder(const char *path)
{
    int fd = open_file_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static bool write_new(const char *path, const uint8_t key[STORE_KEY_SIZE])
{
    int fd = open_file_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), why;
    bool ok = fd >= 0 && write_file(fd, span_of(key, STORE_KEY_SIZE)) && fsync(fd) == 0;

    why = errno;
    if (fd >= 0 && (close(fd) != 0 || !ok))
        (void)unlink(path);
    errno = why;
    return ok;
}

/* Under another name first: there is never half a key under the right one, nor one that nobody
 * has synced. */
bool store_key_make(const char *path, uint8_t key[STORE_KEY_SIZE], struct err *err)
{
    uint8_t made[STORE_KEY_SIZE];
    char folder[4096], above[4096], part[4096];
    bool ok;

    if ((size_t)snprintf(part, sizeof(part), "%s.new", path) >= sizeof(part) ||
        !folder_of(path, folder, sizeof(folder)) || !folder_of(folder, above, sizeof(above)))
        return FAIL(err, FAIL_LOCAL, 0, "runtime.key_file is too long");
    ok = getrandom(made, sizeof(made), 0) == (ssize_t)sizeof(made) &&
         (mkdir(folder, 0700) == 0 || errno == EEXIST) &&
         (unlink(part) == 0 || errno == ENOENT) && write_new(part, made) &&
         link(part, path) == 0 && unlink(part) == 0 && sync_folder(folder) &&
         sync_folder(above);
    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "the store key '%s' (runtime.key_file) cannot be made: %m",
             path);
    else
        memcpy(key, made, STORE_KEY_SIZE);
    explicit_bzero(made, sizeof(made));
    return ok;
}
