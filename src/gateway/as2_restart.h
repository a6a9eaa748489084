/* Restart of uploads that were cut: as2.md 8.6. The sender names a transfer by its ETag, asks with
 * HEAD how much is held, and goes on from there with Content-Range. What is held is an inbound
 * document in state `receiving`. */
#ifndef WAYBILL_AS2_RESTART_H
#define WAYBILL_AS2_RESTART_H

#include "gateway/as2_int.h"

struct as2_part {
    char key[2 * AS2_NAME_MAX + 256 + 32]; /* "": the sender names no transfer */
    const struct gateway *claimed_in;      /* NULL: it is not; it must not move while it is */
    struct as2_part *next;                 /* of those that are claimed */
    uint64_t from;                         /* octets of the message before this body  */
    uint64_t total;                        /* octets of the whole message; 0: not said */
    int64_t document_id;                   /* of the part that is held; 0: none      */
    uint64_t held;
    struct payload_ref ref; /* of what is held, its path in the arena */
    int64_t whole;          /* the document of the whole message, when it came before; 0 */
    int64_t earlier;        /* the document this tag was used for before; 0 */
};

/* Reads ETag and Content-Range and finds what is held. False: it was answered (400, 416, 500). */
MUST_CHECK bool as2_part_begin(struct gateway *g, struct http_request *r, const char *from,
                               const char *to, struct arena *a, struct as2_part *p);
/* Before octets of what is held are overwritten: says in the store that no more is held than what this
 * body goes on from. */
MUST_CHECK bool as2_part_cut(struct gateway *g, struct as2_part *p, struct err *err);
/* The connection broke: keeps what came so far, when it is worth it. d: its document, progress set. */
bool as2_part_keep(struct gateway *g, const struct as2_part *p, struct document *d,
                   struct payload_writer *raw, struct arena *a);
/* Whether the body, which has ended, is as long as its Content-Range said. */
bool as2_part_complete(const struct as2_part *p, uint64_t progress);
/* What is held is removed when it is old: not while it is being gone on with. */
bool as2_part_reserve(struct gateway *g, const char *key, struct as2_part *p);
/* The message is whole: the batch remembers its transfer for a day. With a part that was held, the
 * commit fails with FAIL_AGAIN when that was removed meanwhile. */
void as2_part_done(struct store_batch *b, const struct as2_part *p, int64_t document_id,
                   int64_t now_ms);
/* Others may go on with it. Nothing when it was not claimed. */
void as2_part_end(struct as2_part *p);
/* The answer to HEAD: octets held, 0: none. */
uint64_t as2_part_held(struct gateway *g, const char *from, const char *to, const char *etag,
                       struct arena *a);

#endif
