/* Several files as the body of multipart/related, in a temporary file without a name: RFC 6362,
 * RFC 2387. */
#include "cli/cli.h"

#include "mime/mime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

static const struct {
    const char *suffix, *type;
} types[] = {
    { ".xml", "application/xml" },
    { ".pdf", "application/pdf" },
    { ".edi", "application/EDIFACT" },
    { ".x12", "application/EDI-X12" },
    { ".json", "application/json" },
    { ".txt", "text/plain" },
    { ".csv", "text/csv" },
    { ".tif", "image/tiff" },
    { ".tiff", "image/tiff" },
    { ".jpg", "image/jpeg" },
    { ".jpeg", "image/jpeg" },
    { ".png", "image/png" },
    { ".gif", "image/gif" },
    { ".zip", "application/zip" },
    { ".doc", "application/msword" },
    { ".rtf", "application/rtf" },
    { ".html", "text/html" },
};

static const char *type_of(const char *file)
{
    const char *dot = strrchr(file, '.');

    for (size_t i = 0; dot != NULL && i < COUNT_OF(types); i++)
        if (strcasecmp(dot, types[i].suffix) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static bool put(int fd, const char *octets, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, octets, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        octets += done;
        n -= (size_t)done;
    }
    return true;
}

static bool copy(int to, const char *file)
{
    static char buffer[64 * 1024];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;

    while (n > 0) {
        n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0 && !put(to, buffer, (size_t)n))
            n = -1;
    }
    if (fd >= 0)
        close(fd);
    return n == 0;
}

static bool put_part(struct cli *c, int fd, const char *file, size_t i, const char *boundary)
{
    struct arena a = { 0 };
    const char *name = mime_file_name_param(base_name(file), &a);
    const char *head =
        cli_printf(c,
                   "--%s\r\nContent-Type: %s\r\nContent-ID: <part%zu@%s>\r\n"
                   "Content-Transfer-Encoding: binary\r\n"
                   "Content-Disposition: attachment%s\r\n\r\n",
                   boundary, type_of(file), i + 1, boundary + 2, name == NULL ? "" : name);
    bool ok = put(fd, head, strlen(head)) && copy(fd, file) && put(fd, "\r\n", 2);

    arena_free(&a);
    return ok;
}

int cli_together(struct cli *c, const char **content_type)
{
    const char *dir = getenv("TMPDIR");
    char *path =
        cli_printf(c, "%s/waybill-XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    unsigned char random[16];
    char boundary[40] = "=_";
    int fd = mkostemp(path, O_CLOEXEC);
    bool ok = fd >= 0 && getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random);
    const char *end;

    if (fd >= 0)
        (void)unlink(path);
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(boundary + 2 + 2 * i, 3, "%02x", random[i]);
    for (size_t i = 0; ok && i < c->args_n; i++)
        if (!put_part(c, fd, c->args[i], i, boundary)) {
            (void)cli_refused("'%s': %s", c->args[i], strerror(errno));
            close(fd);
            return -1;
        }
    end = cli_printf(c, "--%s--\r\n", boundary);
    ok = ok && put(fd, end, strlen(end)) && lseek(fd, 0, SEEK_SET) == 0;
    if (!ok) {
        (void)cli_refused("a temporary file: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *content_type = cli_printf(c,
                               "multipart/related; type=\"%s\"; start=\"<part1@%s>\"; "
                               "boundary=\"%s\"",
                               type_of(c->args[0]), boundary + 2, boundary);
    return fd;
}
