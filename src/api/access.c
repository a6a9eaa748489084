/* Who may speak to the API over TCP: whoever can read the token file. A web page in a browser
 * on this machine cannot, but its requests reach the port: DNS rebinding gives them another
 * Host, so that is looked at too. */
#include "api/api_int.h"
#include "net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_TEXT = 2 * API_TOKEN_OCTETS };

static bool make(const char *path, char token[TOKEN_TEXT + 1], struct err *err)
{
    uint8_t octets[API_TOKEN_OCTETS];
    char tmp[4096];
    bool ok = false;
    int fd = -1;

    if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
        return FAIL(err, FAIL_LOCAL, 0, "path too long: '%s'", path);
    if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets))
        return FAIL(err, FAIL_LOCAL, 0, "random octets: %m");
    for (size_t i = 0; i < sizeof(octets); i++)
        (void)sprintf(token + 2 * i, "%02x", octets[i]);
    OPENSSL_cleanse(octets, sizeof(octets));

    (void)unlink(tmp); /* left by a start that was cut off */
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "make '%s': %m", tmp);
    ok = dprintf(fd, "%s\n", token) == TOKEN_TEXT + 1 && fsync(fd) == 0;
    if (!ok)
        FAIL(err, FAIL_LOCAL, 0, "write '%s': %m", tmp);
    close(fd);
    if (ok && rename(tmp, path) != 0)
        ok = FAIL(err, FAIL_LOCAL, 0, "rename '%s' to '%s': %m", tmp, path);
    if (!ok)
        (void)unlink(tmp);
    return ok;
}

static bool check(const char *path, int fd, const char *text, struct err *err)
{
    struct stat st;

    if (strlen(text) != TOKEN_TEXT || strspn(text, "0123456789abcdef") != TOKEN_TEXT)
        return FAIL(err, FAIL_LOCAL, 0,
                    "'%s' does not hold %d hexadecimal digits: remove it, a new one is made at "
                    "the next start",
                    path, (int)TOKEN_TEXT);
    if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0)
        log_event(LOG_WARN, "api.token.readable", "file", path, "cure",
                  "others can read it: chmod 600, or remove it and start again", NULL);
    return true;
}

bool api_token_load(const char *directory, char token[TOKEN_TEXT + 1], struct err *err)
{
    char path[4000], text[TOKEN_TEXT + 16];
    ssize_t n;
    bool ok;
    int fd;

    if ((size_t)snprintf(path, sizeof(path), "%s/admin.token", directory) >= sizeof(path))
        return FAIL(err, FAIL_LOCAL, 0, "path too long: '%s'", directory);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return make(path, token, err);
    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, 0, "open '%s': %m", path);
    n = read(fd, text, sizeof(text) - 1);
    if (n < 0) {
        ok = FAIL(err, FAIL_LOCAL, 0, "read '%s': %m", path);
    } else {
        text[n] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        ok = check(path, fd, text, err);
    }
    close(fd);
    if (ok)
        memcpy(token, text, TOKEN_TEXT + 1);
    return ok;
}

bool api_token_fits(const char *token, const char *authorization)
{
    char shown[TOKEN_TEXT + 1] = { 0 };
    size_t n;

    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
        return false;
    authorization += 7;
    authorization += strspn(authorization, " ");
    n = strnlen(authorization, TOKEN_TEXT + 1);
    memcpy(shown, authorization, n < TOKEN_TEXT ? n : TOKEN_TEXT);
    return (CRYPTO_memcmp(shown, token, TOKEN_TEXT) == 0) & (n == TOKEN_TEXT);
}

static bool number_text(const char *text, size_t max)
{
    size_t n = strspn(text, "0123456789");

    return n > 0 && n <= max && text[n] == '\0';
}

static bool address_is_loopback(const char *host)
{
    unsigned a, b, c, d;
    char rest;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return strspn(host, "0123456789.") == strlen(host) &&
           sscanf(host, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4 && a == 127 &&
           b < 256 && c < 256 && d < 256;
}

/* "[::1]:80", "localhost:80", "127.0.0.1": the host without its brackets, and what follows the
 * colon, NULL when there is none. */
static bool split(const char *text, char host[64], const char **port)
{
    const char *end;

    if (*text == '[') {
        end = strchr(++text, ']');
        if (end == NULL || (end[1] != ':' && end[1] != '\0'))
            return false;
        *port = end[1] == ':' ? end + 2 : NULL;
    } else {
        end = strchrnul(text, ':');
        *port = *end == ':' ? end + 1 : NULL;
    }
    if ((size_t)(end - text) >= 64)
        return false;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    return true;
}

bool api_host_is_loopback(const char *host)
{
    char name[64];
    const char *port;

    return host != NULL && split(host, name, &port) && (port == NULL || number_text(port, 5)) &&
           address_is_loopback(name);
}

bool api_listen_parse(const char *listen, char host[64], uint16_t *port, struct err *err)
{
    const char *digits;
    long n;

    if (!split(listen, host, &digits) || digits == NULL || !number_text(digits, 5) ||
        (n = strtol(digits, NULL, 10)) > 65535)
        return FAIL(err, FAIL_LOCAL, 0, "admin.listen '%s' is not HOST:PORT", listen);
    if (!address_is_loopback(host))
        return FAIL(
            err, FAIL_LOCAL, 0,
            "admin.listen '%s' is not a loopback address: use 127.0.0.1:%s or [::1]:%s, "
            "and a TLS proxy in front for others",
            listen, digits, digits);
    if (strcasecmp(host, "localhost") == 0)
        (void)text_copy(host, 64, "127.0.0.1");
    *port = (uint16_t)n;
    return true;
}
