/* Why something failed, sorted by what must happen next.
 * A function that can fail returns false and fills *err; nobody else has to. */
#ifndef WAYBILL_BASE_ERR_H
#define WAYBILL_BASE_ERR_H

#include "base/span.h"

enum fail_kind {
    FAIL_NONE,
    FAIL_PEER,  /* the partner broke the protocol: send it .wire, end the session */
    FAIL_TRUST, /* signature, certificate or decryption: refuse, never deliver    */
    FAIL_AGAIN, /* time may cure it (network, busy resource): retry, backing off  */
    FAIL_LOCAL, /* only an operator cures it: configuration, rights, disk         */
};

struct err {
    enum fail_kind kind;
    int wire;          /* reason code for the partner, 0 when there is none */
    const char *where; /* "file.c:123" of the first failure                 */
    char text[400];    /* one line for a person, no newline                 */
};

/* Fills *err and returns false, so that a failing function ends in one line. */
bool err_set(struct err *err, enum fail_kind kind, int wire, const char *where, const char *fmt,
             ...) __attribute__((format(printf, 5, 6)));

/* Puts "<context>: " before the text of *err. Returns false. */
bool err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ERR_STR2(x) #x
#define ERR_STR(x)  ERR_STR2(x)
#define FAIL(err, kind, wire, ...)                                                             \
    err_set((err), (kind), (wire), __FILE__ ":" ERR_STR(__LINE__), __VA_ARGS__)

#endif
