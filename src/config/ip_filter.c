#include "config/ip_filter.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_MAX = 64 };

static const char no_address[] = "must be an IP address, a range a-b, a prefix a/24, or a "
                                 "pattern such as 10.1.*.*";

/* IPv4-mapped ones become IPv4. */
static bool read_address(const char *text, uint8_t a[16], unsigned *octets)
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };

    *octets = 4;
    if (inet_pton(AF_INET, text, a) == 1)
        return true;
    if (inet_pton(AF_INET6, text, a) != 1)
        return false;
    *octets = 16;
    if (memcmp(a, mapped, sizeof(mapped)) == 0) {
        memmove(a, a + 12, 4);
        *octets = 4;
    }
    return true;
}

/* At most three digits, as nothing else is a prefix. */
static bool read_prefix(const char *text, unsigned *prefix)
{
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 3 || text[n] != '\0' || (n > 1 && *text == '0'))
        return false;
    *prefix = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static const char *read_cidr(const char *address, const char *bits, struct ip_rule *r)
{
    bool v6 = strchr(address, ':') != NULL;
    unsigned prefix;

    if (!read_address(address, r->a, &r->octets) || !read_prefix(bits, &prefix) ||
        prefix > (v6 ? 128 : 32))
        return "must be an address and the length of its prefix, such as 10.0.0.0/8";
    if (v6 && r->octets == 4) { /* ::ffff:10.0.0.0/104 */
        if (prefix < 96)
            return "must not mix IPv6 with IPv4 addresses: a prefix of ::ffff: has at least 96";
        prefix -= 96;
    }
    for (unsigned i = 0; i < r->octets; i++) {
        unsigned fixed = prefix >= 8 * (i + 1) ? 8 : prefix <= 8 * i ? 0 : prefix - 8 * i;
        uint8_t free_bits = (uint8_t)(0xFF >> fixed);

        if ((r->a[i] & free_bits) != 0)
            return "must have zeros behind the prefix, such as 10.0.0.0/8";
        r->b[i] = r->a[i] | free_bits;
    }
    return NULL;
}

static const char *read_range(const char *first, const char *last, struct ip_rule *r)
{
    unsigned octets;

    if (!read_address(first, r->a, &r->octets) || !read_address(last, r->b, &octets) ||
        octets != r->octets)
        return "must be two addresses of one kind, such as 192.0.2.1-192.0.2.99";
    if (memcmp(r->a, r->b, octets) > 0)
        return "must have the lower address first";
    return NULL;
}

/* One number or group of a pattern. */
static bool read_group(const char *text, size_t n, bool v6, unsigned long *value)
{
    char group[8];
    size_t digits;

    if (n == 0 || n > (v6 ? 4 : 3))
        return false;
    memcpy(group, text, n);
    group[n] = '\0';
    digits = strspn(group, v6 ? "0123456789abcdefABCDEF" : "0123456789");
    *value = strtoul(group, NULL, v6 ? 16 : 10);
    return digits == n && *value <= (v6 ? 0xFFFF : 0xFF);
}

static const char *read_pattern(const char *text, struct ip_rule *r)
{
    bool v6 = strchr(text, ':') != NULL, star = false;
    unsigned width = v6 ? 2 : 1, i = 0;
    char separator = v6 ? ':' : '.';

    r->pattern = true;
    r->octets = v6 ? 16 : 4;
    for (;; i += width) {
        size_t n = strcspn(text, v6 ? ":" : ".");
        unsigned long value = 0;

        if (i == r->octets)
            return no_address;
        star = n == 1 && *text == '*';
        if (!star && !read_group(text, n, v6, &value))
            return no_address;
        memset(r->b + i, star ? 0 : 0xFF, width);
        if (v6)
            r->a[i] = (uint8_t)(value >> 8);
        r->a[i + width - 1] = (uint8_t)value;
        text += n;
        if (*text++ != separator)
            break;
    }
    return star || i + width == r->octets ? NULL : no_address;
}

const char *ip_rule_read(const char *text, struct ip_rule *rule)
{
    struct ip_rule r = { 0 };
    char copy[2 * ADDRESS_MAX];
    const char *wrong = NULL;
    char *cut;

    if (!text_copy(copy, sizeof(copy), text))
        return no_address;
    if (strcmp(text, "*") == 0) {
        *rule = r;
        return NULL;
    }
    if ((cut = strchr(copy, '/')) != NULL) {
        *cut = '\0';
        wrong = read_cidr(copy, cut + 1, &r);
    } else if ((cut = strchr(copy, '-')) != NULL) {
        *cut = '\0';
        wrong = read_range(copy, cut + 1, &r);
    } else if (strchr(copy, '*') != NULL) {
        wrong = read_pattern(copy, &r);
    } else if (read_address(copy, r.a, &r.octets)) {
        memcpy(r.b, r.a, sizeof(r.b));
    } else {
        wrong = no_address;
    }
    if (wrong == NULL)
        *rule = r;
    return wrong;
}

static bool fits(const struct ip_rule *r, const uint8_t *a, unsigned octets)
{
    if (r->octets == 0)
        return true;
    if (r->octets != octets)
        return false;
    if (!r->pattern)
        return memcmp(r->a, a, octets) <= 0 && memcmp(a, r->b, octets) <= 0;
    for (unsigned i = 0; i < octets; i++)
        if ((a[i] & r->b[i]) != r->a[i])
            return false;
    return true;
}

bool ip_filter_allows(const char *const *filter, const char *address)
{
    char text[ADDRESS_MAX];
    struct ip_rule r;
    uint8_t a[16];
    unsigned octets;

    if (filter == NULL)
        return true;
    if (!text_copy(text, sizeof(text), address))
        return false;
    text[strcspn(text, "%")] = '\0'; /* the interface of a link-local one */
    if (!read_address(text, a, &octets))
        return false;
    for (; *filter != NULL; filter++)
        if (ip_rule_read(*filter, &r) == NULL && fits(&r, a, octets))
            return true;
    return false;
}
