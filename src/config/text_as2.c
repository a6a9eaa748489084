/* What the texts of AS2 settings must look like. See text.c. */
#include "config/ip_filter.h"
#include "config/schema_int.h"

#include <ctype.h>

enum { AS2_ID_MAX = 128, URL_MAX = 2048 };

/* as2.md 1.2. Whether blanks inside are allowed is a setting of its own. */
const char *check_as2_id(const char *value)
{
    size_t n = strlen(value);

    if (n > AS2_ID_MAX)
        return "must have at most 128 characters";
    for (const char *p = value; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            return "must be made of printable ASCII characters";
    return *value == ' ' || value[n - 1] == ' ' ? "must not begin or end with a blank" : NULL;
}

const char *check_ip_rule(const char *value)
{
    struct ip_rule rule;

    return ip_rule_read(value, &rule);
}

/* Host and port, up to the path. */
static const char *check_authority(const char *text, size_t n)
{
    static const char wrong[] = "must have a host name or address behind ://, perhaps :port";
    const char *end = text + n, *host = text, *colon = NULL;
    uint64_t port = 0;

    if (memchr(text, '@', n) != NULL)
        return "must have no user name or password in it; there are settings for them";
    if (n > 0 && *text == '[') {
        const char *close = memchr(text, ']', n);

        if (close == NULL || close == text + 1)
            return wrong;
        for (const char *p = text + 1; p < close; p++)
            if (!isxdigit((unsigned char)*p) && *p != ':' && *p != '.')
                return wrong;
        host = close + 1;
        if (host == end)
            return NULL;
        colon = *host == ':' ? host : NULL;
        if (colon == NULL)
            return wrong;
    } else {
        colon = memchr(text, ':', n);
        for (const char *p = host; p < (colon != NULL ? colon : end); p++)
            if (!isalnum((unsigned char)*p) && strchr("-._", *p) == NULL)
                return wrong;
        if (host == (colon != NULL ? colon : end))
            return wrong;
    }
    for (const char *p = colon == NULL ? end : colon + 1; p < end; p++) {
        if (!isdigit((unsigned char)*p))
            return wrong;
        port = port * 10 + (unsigned)(*p - '0');
        if (port > 65535)
            return wrong;
    }
    return colon != NULL && port == 0 ? wrong : NULL;
}

static const char *check_any_url(const char *value, const char *const *schemes,
                                 const char *no_scheme)
{
    const char *rest = NULL;

    if (strlen(value) > URL_MAX)
        return "must have at most 2048 octets";
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '\\' || *p == '"' || *p == '<' || *p == '>')
            return "must have no blanks, quotes, backslashes or other characters that are illegal "
                   "in a URL";
    for (; rest == NULL && *schemes != NULL; schemes++)
        if (strncmp(value, *schemes, strlen(*schemes)) == 0)
            rest = value + strlen(*schemes);
    return rest == NULL ? no_scheme : check_authority(rest, strcspn(rest, "/?#"));
}

/* as2.md 1.1, 4.9. */
const char *check_as2_url(const char *value)
{
    static const char *const schemes[] = { "http://", "https://", NULL };

    if (strchr(value, '#') != NULL)
        return "must have no fragment (#...)";
    return check_any_url(value, schemes, "must begin with http:// or https://");
}

const char *check_proxy(const char *value)
{
    static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://",
                                           NULL };

    return check_any_url(value, schemes,
                         "must begin with http://, https://, socks5:// or socks5h://");
}

/* type/subtype, perhaps with parameters: one line of a header. */
const char *check_media_type(const char *value)
{
    static const char tokens[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "!#$%&'*+-.^_`|~";
    size_t type = strspn(value, tokens), sub;

    if (type == 0 || value[type] != '/')
        return "must be a media type, such as application/edifact";
    sub = strspn(value + type + 1, tokens);
    value += type + 1 + sub;
    if (sub == 0 || (*value != '\0' && *value != ';' && *value != ' '))
        return "must be a media type, such as application/edifact";
    return check_header_text(value);
}

/* Goes into a header as it is: no way out of the line. */
const char *check_header_text(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ' || (unsigned char)*value > '~')
            return "must be made of printable ASCII characters";
    return NULL;
}

const char *check_domain(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-._", *p) == NULL)
            return "must be a domain name, such as as2.example.com";
    return strlen(value) <= 100 ? NULL : "must have at most 100 characters";
}

/* RFC 7617 2: a colon would end it. */
const char *check_username(const char *value)
{
    return strchr(value, ':') != NULL ? "must have no colon in it" : check_header_text(value);
}
