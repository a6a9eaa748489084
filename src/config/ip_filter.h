/* Rules about IP addresses, as they are written in settings:
 *
 *   192.0.2.7   2001:db8::7                 one address
 *   192.0.2.1-192.0.2.99                    from the first to the last
 *   192.0.2.0/24   2001:db8::/32            by prefix
 *   10.1.*.*   10.1.*   2001:db8:*          '*' is any number or group; the last one also stands
 *                                           for those that are left out
 *   *                                       every address
 *
 * IPv4 addresses in IPv6 clothes (::ffff:192.0.2.7) are IPv4 addresses, in rules and where they are
 * asked for; rules of one family say nothing about the other. */
#ifndef WAYBILL_IP_FILTER_H
#define WAYBILL_IP_FILTER_H

#include "base/err.h"

struct ip_rule {
    unsigned octets; /* 4, 16; 0: every address                          */
    bool pattern;    /* address & b == a; else a <= address <= b */
    uint8_t a[16], b[16];
};

/* NULL: it was read into *rule. Else what is wrong, in words that go after the rule's name. */
const char *ip_rule_read(const char *text, struct ip_rule *rule);
/* Whether an address ("192.0.2.7", "fe80::1%eth0") fits one of the rules. filter: NULL-ended.
 * NULL: all are allowed; an empty one allows none. What is no address is not allowed, and a rule
 * that cannot be read allows nothing. */
bool ip_filter_allows(const char *const *filter, const char *address);

#endif
