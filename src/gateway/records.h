/* Records of F and V files: the index of lengths beside a raw V payload, and turning records
 * into text with delimiters and back. oftp2.md 4.3. */
#ifndef WAYBILL_RECORDS_H
#define WAYBILL_RECORDS_H

#include "store/payload.h"

/* Octets of the first n records of document id, from its index. */
MUST_CHECK bool records_size(struct store *st, int64_t id, uint64_t n, uint64_t *octets,
                             struct err *err);
/* Fails, and says where to look: payload and index were written together, one was damaged since. */
bool records_misfit(int64_t id, struct err *err);
/* Appends lengths to an index. */
MUST_CHECK bool records_write(struct payload_writer *index, const uint32_t *lengths, size_t n,
                              struct err *err);

/* Reads lengths one after another. Zero it and set .reader and .at = 4 * first record. */
struct records_in {
    struct payload_reader *reader; /* borrowed */
    uint64_t at;                   /* octet of the index that is read next */
    uint8_t buffer[4096];
    size_t have, used;
};
/* *more false: there is no further record. */
MUST_CHECK bool records_next(struct records_in *in, uint32_t *length, bool *more,
                             struct err *err);

/* "\n", "\r\n" or "" for "lf", "crlf", "none" (NULL: dflt). */
struct span records_delimiter(const char *name, const char *dflt);

/* Turns the content of a secured F or V file into what the process gets: V records come with
 * two-octet lengths in front (RFC 5024 6.5), F records are cut by their length; behind each goes
 * the delimiter. U and T pass as they are. */
struct records_out {
    char fmt;
    uint32_t lrecl; /* F: octets of a record; V: of the longest */
    struct span delimiter;
    struct payload_writer *w; /* borrowed */
    uint32_t left;            /* octets of the record under way */
    bool open;
    uint8_t prefix[2];
    unsigned prefix_n;
};
/* FAIL_TRUST with .wire NERP 34 when the lengths do not fit the file. */
MUST_CHECK bool records_out(struct records_out *o, struct span octets, struct err *err);
MUST_CHECK bool records_out_end(struct records_out *o, struct err *err);

/* Cuts text at delimiters into records: the outbound way of V (and of F with delimiters). */
struct records_cut {
    struct span delimiter;        /* "" : no cutting, only counting (F) */
    uint32_t longest;             /* records may not be longer          */
    uint32_t exact;               /* F: all records are that long; 0: V */
    struct payload_writer *raw;   /* borrowed */
    struct payload_writer *index; /* borrowed; NULL for F               */
    uint64_t records;
    uint32_t length; /* of the record under way */
    bool open;       /* there is one            */
    bool cr;         /* a CR is held back: it may begin CR LF */
    /* Not NULL: room for 65535 octets; V records go out with two-octet lengths in front, as a
     * secured file wants them (borrowed). */
    uint8_t *prefixed;
};
/* FAIL_LOCAL with .wire 422 when a record does not fit, naming it. */
MUST_CHECK bool records_cut(struct records_cut *c, struct span octets, struct err *err);
MUST_CHECK bool records_cut_end(struct records_cut *c, struct err *err);

#endif
