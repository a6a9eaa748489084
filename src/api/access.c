/* Where the API may be reached. A web page in a browser on this machine reaches the port too, and DNS
 * rebinding gives it another Host: so that is looked at. */
#include "api/api_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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

bool api_listen_parse(const char *listen, bool tls, char host[64], uint16_t *port,
                      struct err *err)
{
    const char *digits;
    long n;

    if (!split(listen, host, &digits) || digits == NULL || !number_text(digits, 5) ||
        (n = strtol(digits, NULL, 10)) > 65535)
        return FAIL(err, FAIL_LOCAL, 0, "admin.listen '%s' is not HOST:PORT", listen);
    if (!tls && !address_is_loopback(host))
        return FAIL(
            err, FAIL_LOCAL, 0,
            "admin.listen '%s' is not a loopback address: use 127.0.0.1:%s or [::1]:%s, "
            "or give it TLS with admin.ssl_certificate",
            listen, digits, digits);
    if (strcasecmp(host, "localhost") == 0)
        (void)text_copy(host, 64, "127.0.0.1");
    *port = (uint16_t)n;
    return true;
}
