#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "acme.in-1" -> "WAYBILL_SECRET_ACME_IN_1" */
static void variable_name(const char *name, char *text, size_t cap)
{
    int n = snprintf(text, cap, "WAYBILL_SECRET_");

    for (size_t i = (size_t)n; *name != '\0' && i + 1 < cap; i++, name++) {
        text[i] = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
        text[i + 1] = '\0';
    }
}

static bool give(const char *value, const char *name, char *text, size_t cap, struct err *err)
{
    if (strlen(value) < cap)
        return text_copy(text, cap, value);
    return FAIL(err, FAIL_LOCAL, 0, "secret '%s' is longer than %zu octets", name, cap - 1);
}

/* Octets up to the end of the first line; -1 with errno. */
static ssize_t read_line(const char *path, char *text, size_t cap)
{
    /* not blocking: a pipe put there by mistake must not stop the runtime */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), why;
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && n < cap && memchr(text, '\n', n) == NULL) {
        got = read(fd, text + n, cap - n);
        if (got > 0)
            n += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    why = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = why;
    return got < 0 ? -1 : (ssize_t)n;
}

static bool from_file(const char *path, const char *name, char *text, size_t cap,
                      struct err *err)
{
    char line[1024];
    ssize_t got = read_line(path, line, sizeof(line) - 1);
    size_t n = got < 0 ? 0 : (size_t)got;
    bool ok;

    if (got < 0)
        return FAIL(err, FAIL_LOCAL, 0,
                    "secret '%s': file %s: %s; write the value there, in one line", name, path,
                    strerror(errno));
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    ok = give(line, name, text, cap, err);
    explicit_bzero(line, sizeof(line));
    return ok;
}

bool config_secret_get(const struct config_runtime *rt, const struct config_secret *s,
                       char *text, size_t cap, struct err *err)
{
    char variable[128], path[4096];
    const char *value;
    int n;

    if (s == NULL || (s->value == NULL && s->name == NULL))
        return give("", "", text, cap, err);
    if (s->value != NULL)
        return give(s->value, "(in place)", text, cap, err);
    variable_name(s->name, variable, sizeof(variable));
    value = getenv(variable);
    if (value != NULL)
        return give(value, s->name, text, cap, err);
    n = snprintf(path, sizeof(path), "%s/%s", rt->runtime.secrets_directory, s->name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return FAIL(err, FAIL_LOCAL, 0, "secret '%s': secrets_directory is too long", s->name);
    return from_file(path, s->name, text, cap, err);
}
