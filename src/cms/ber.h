/* A reader of BER and DER (X.690) that stops at any octet: elements of definite length up to 2^62
 * octets and of indefinite length, nested up to BER_DEPTH. It holds no content; what an element
 * means is its caller's business. No allocation. */
#ifndef WAYBILL_CMS_BER_H
#define WAYBILL_CMS_BER_H

#include "base/span.h"

enum {
    BER_DEPTH = 32, /* elements open at a time; certificates nest about 12 deep */
    BER_HEAD = 16,  /* octets of identifier and length                          */
};

/* Identifier octets: class, the constructed bit and the number in one, as on the wire. */
enum {
    BER_INTEGER = 0x02,
    BER_OCTET_STRING = 0x04,
    BER_NULL = 0x05,
    BER_OID = 0x06,
    BER_UTC_TIME = 0x17,
    BER_GENERALIZED_TIME = 0x18,
    BER_CONSTRUCTED = 0x20,
    BER_SEQUENCE = 0x30,
    BER_SET = 0x31,
    BER_CONTEXT = 0x80, /* [0] primitive */
    BER_CONTEXT_CONSTRUCTED = 0xa0,
};

enum ber_what {
    BER_MORE,   /* all input taken: bring more                                     */
    BER_BEGIN,  /* an element; raw: its identifier and length octets               */
    BER_OCTETS, /* some content of a primitive one; raw: it, not taken: ber_take() */
    BER_END,    /* an element has ended; raw: the end-of-contents octets, if any   */
    BER_DONE,   /* the outermost element has ended; nothing more is taken          */
    BER_BAD,    /* .why says why; nothing but this comes from now on               */
};

struct ber_event {
    enum ber_what what;
    uint8_t id;      /* first identifier octet of the element       */
    unsigned depth;  /* of the element; the outermost has 0         */
    struct span raw; /* borrowed until the next call, or from *in   */
};

struct ber_level {
    uint64_t end;   /* where it ends, when definite                */
    uint64_t limit; /* where it or what surrounds it ends at latest */
    uint8_t id;
    bool indefinite;
};

/* Zero it to begin. It owns nothing. */
struct ber {
    uint64_t at; /* octets taken so far */
    struct ber_level level[BER_DEPTH];
    unsigned depth; /* elements open */
    uint8_t head[BER_HEAD];
    unsigned head_n;
    bool done;
    const char *why; /* set with BER_BAD */
};

/* Takes header octets from *in until something can be told. */
enum ber_what ber_next(struct ber *b, struct span *in, struct ber_event *ev);

/* After BER_OCTETS: takes n of raw.n octets. */
void ber_take(struct ber *b, struct span *in, size_t n);

/* The first element of *in, which must be whole and of definite length: its content, and *in behind
 * it. For small things in memory. */
MUST_CHECK bool ber_element(struct span *in, uint8_t *id, struct span *content);

/* Passes the first element of *in, in any form; it must be whole. */
MUST_CHECK bool ber_pass(struct span *in);

#endif
