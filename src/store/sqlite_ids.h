/* Ids of documents, newest first, out of the indexes. A cursor walks one key of one index; a term is
 * a condition of a search: cursors and ranges, of which any may have the document. Terms are
 * joined by asking each in turn for its next id below the others'. */
#ifndef WAYBILL_STORE_SQLITE_IDS_H
#define WAYBILL_STORE_SQLITE_IDS_H

#include "store/sqlite_int.h"

enum { IDS_KEYS = 3 };

/* What a statement is given after the ids: a number where is_number, else text or NULL. */
struct ids_key {
    bool is_number;
    int64_t number;
    const char *text;
};

struct ids_cursor {
    enum query query;
    struct ids_key key[IDS_KEYS];
    int keys;
    int64_t *ids; /* descending; a page of what is below the last one asked for */
    size_t n, at, cap, used;
    bool ended;
};

/* Text from `first` up to, not with, its successor. */
struct ids_prefix {
    struct span first, above; /* above empty: there is no successor */
};
struct ids_prefix ids_prefix_of(const char *text, struct arena *a);

struct ids_range {
    enum query query;
    struct ids_prefix prefix;
    const char *label; /* NULL: none */
};

struct ids_term {
    struct list cursors, ranges; /* of struct ids_cursor, ids_range */
    /* What the ranges have, in the order of ids. */
    int64_t *sorted;
    size_t sorted_n, sorted_at;
    /* The ranges have too much to be sorted: see ids_widen. */
    bool wide;
    uint64_t *bits; /* taken back: what the ranges have, in a window of ids */
    int64_t bits_from, bits_to, bits_span;
};

/* From where to where a search goes: below and not smaller than floor. */
struct ids_scope {
    struct conn *c;
    struct arena *a;
    int64_t below, floor;
};

void ids_term_init(struct ids_term *t, struct arena *a);
void ids_term_free(struct ids_term *t);
/* A term of neither has nothing. Should memory be out the arena knows. */
void ids_add(struct ids_term *t, enum query q, const struct ids_key *key, int keys);
void ids_add_range(struct ids_term *t, enum query q, struct ids_prefix p, const char *label);
/* Reads the ranges, up to as many ids as can be sorted; else t->wide. */
MUST_CHECK bool ids_open(struct ids_term *t, const struct ids_scope *s, struct err *err);
/* A wide term is of no use below: its documents are told by looking at them. This takes it back, by
 * reading all that the ranges have. */
MUST_CHECK bool ids_widen(struct ids_term *t, const struct ids_scope *s, struct err *err);
/* The greatest id below `below`; 0: there is none. */
MUST_CHECK bool ids_next(struct ids_term *t, const struct ids_scope *s, int64_t below,
                         int64_t *id, struct err *err);

#endif
