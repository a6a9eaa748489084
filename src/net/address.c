/* Which addresses are of the public Internet: IANA's special-purpose registries (RFC 6890), read
 * so that what is not known to be public is not. */
#include "net/net.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

struct range4 {
    uint8_t net[4];
    unsigned bits;
};

static const struct range4 special4[] = {
    { { 0, 0, 0, 0 }, 8 },       /* this host, unspecified       */
    { { 10, 0, 0, 0 }, 8 },      /* private                      */
    { { 100, 64, 0, 0 }, 10 },   /* shared by carriers (CGNAT)   */
    { { 127, 0, 0, 0 }, 8 },     /* loopback                     */
    { { 169, 254, 0, 0 }, 16 },  /* link-local, cloud metadata   */
    { { 172, 16, 0, 0 }, 12 },   /* private                      */
    { { 192, 0, 0, 0 }, 24 },    /* protocol assignments         */
    { { 192, 0, 2, 0 }, 24 },    /* documentation                */
    { { 192, 88, 99, 0 }, 24 },  /* 6to4 relays, withdrawn       */
    { { 192, 168, 0, 0 }, 16 },  /* private                      */
    { { 198, 18, 0, 0 }, 15 },   /* benchmarks                   */
    { { 198, 51, 100, 0 }, 24 }, /* documentation                */
    { { 203, 0, 113, 0 }, 24 },  /* documentation                */
    { { 224, 0, 0, 0 }, 3 },     /* multicast, reserved, broadcast */
};

struct range6 {
    uint8_t net[16];
    unsigned bits;
};

/* within 2000::/3, outside of which nothing but NAT64 is public */
static const struct range6 special6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocol assignments, Teredo */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation */
};

static bool within(const uint8_t *address, const uint8_t *net, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(address, net, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ net[whole]) >> (8 - rest)) == 0;
}

static bool public4(const uint8_t address[4])
{
    for (size_t i = 0; i < COUNT_OF(special4); i++) {
        if (within(address, special4[i].net, special4[i].bits))
            return false;
    }
    return true;
}

static bool public6(const uint8_t address[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const uint8_t to4[2] = { 0x20, 0x02 }, global[1] = { 0x20 };

    if (within(address, mapped, 96) || within(address, nat64, 96))
        return public4(address + 12);
    if (within(address, to4, 16))
        return public4(address + 2);
    if (!within(address, global, 3))
        return false;
    for (size_t i = 0; i < COUNT_OF(special6); i++) {
        if (within(address, special6[i].net, special6[i].bits))
            return false;
    }
    return true;
}

bool net_address_public(const struct sockaddr *sa)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof(in));
        return public4((const uint8_t *)&in.sin_addr);
    }
    if (sa->sa_family == AF_INET6) {
        memcpy(&in6, sa, sizeof(in6));
        return public6(in6.sin6_addr.s6_addr);
    }
    return false;
}

void net_address_text(const struct sockaddr *sa, socklen_t n, char *text, size_t cap)
{
    struct sockaddr_in6 in6 = { 0 };

    if (getnameinfo(sa, n, text, (socklen_t)cap, NULL, 0, NI_NUMERICHOST) != 0)
        (void)text_copy(text, cap, "?");
    if (sa->sa_family != AF_INET6 || n < sizeof(in6))
        return;
    memcpy(&in6, sa, sizeof(in6));
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        (void)inet_ntop(AF_INET, in6.sin6_addr.s6_addr + 12, text, (socklen_t)cap);
}
