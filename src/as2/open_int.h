/* What the files of opening share. Each layer is a sink that feeds the next; each layer but the
 * outermost is an entity, whose header block says what it is: open_entity() is where that is decided,
 * for the HTTP message, too. */
#ifndef WAYBILL_AS2_OPEN_INT_H
#define WAYBILL_AS2_OPEN_INT_H

#include "as2/digests.h"
#include "as2/open.h"
#include "cms/grow.h"

#define REFUSE(err, fault, ...) FAIL((err), FAIL_TRUST, (fault), __VA_ARGS__)
#define NO_MEMORY(err)          FAIL((err), FAIL_LOCAL, 0, "out of memory")

struct as2_open {
    struct as2_open_options o;
    struct as2_opened found;
    struct arena arena;
    struct sink *top;       /* NULL: nothing was pushed yet                            */
    struct digests digests; /* of the MIC's source; when signed, all over the signed part */
    bool stopped;           /* an event failed: nothing goes on                        */
    bool failed, ended;
};

/* The sink for the body of an entity with this header block: a layer or the payload. raw: the block
 * with its empty line; only the HTTP message has none to digest. Given. */
MUST_CHECK bool open_entity(struct as2_open *o, const struct mime_head *h, struct span raw,
                            struct sink **body, struct err *err);
/* An entity pushed in, header block and all. encrypted: it is the content of an encryption, where an
 * entity without header fields must be allowed (as2_open_options.headerless): random octets, which a
 * wrong key gives, begin with an empty line once in 256 times. NULL with *err. */
struct sink *open_entity_sink(struct as2_open *o, bool encrypted, struct err *err);

/* open_layer.c: encrypted, compressed, or signed with the content inside ("opaque"), found out by
 * what is in it. */
MUST_CHECK bool open_layer(struct as2_open *o, const struct mime_value *type,
                           struct sink **body, struct err *err);
/* open_signed.c: multipart/signed. */
MUST_CHECK bool open_signed(struct as2_open *o, const struct mime_value *type,
                            struct sink **body, struct err *err);
/* open_verify.c: its verdict, and all that is to be told of a signature and of the MIC. micalg: what
 * was announced, may be NULL. signature: the part's body, transfer encoding removed. */
MUST_CHECK bool open_verify(struct as2_open *o, const char *micalg, struct span signature,
                            struct err *err);
/* Starts the digests that may be needed. */
MUST_CHECK bool open_digests(struct as2_open *o, const char *micalg, struct err *err);
/* What the MIC is made with, given the signature's digest. */
struct as2_mic_choice open_mic_choice(const struct as2_open *o, int signature);
/* open_payload.c: everything else. */
MUST_CHECK bool open_payload(struct as2_open *o, const struct mime_head *h, struct span raw,
                             const struct mime_value *type, struct sink **body,
                             struct err *err);

/* Puts a decoder before *body where the header asks for one; *body is taken and given. */
MUST_CHECK bool open_decoded(const struct mime_head *h, struct sink **body, struct err *err);
/* Decodes base64 before `plain` (taken) unless the first octets cannot be base64. NULL: memory is
 * out. */
struct sink *open_coded(struct sink *plain);

/* ---- what a layer feeds ------------------------------------------------------------------- */

/* A layer is read to its end whatever its content is like: of several failures the outermost counts,
 * and that is known last. So what goes wrong inside waits here, and the rest goes nowhere. */
struct guard {
    struct sink *inner; /* owned */
    struct err fault;
    bool failed;
};
/* False: no failure of the message but of ours. */
MUST_CHECK bool guard_write(struct as2_open *o, struct guard *g, struct span octets,
                            struct err *err);
MUST_CHECK bool guard_end(struct as2_open *o, struct guard *g, struct err *err);
/* False with the failure that was kept. */
MUST_CHECK bool guard_verdict(const struct guard *g, struct err *err);
/* The same for signed content, once its signature was looked at. */
MUST_CHECK bool open_signed_content(const struct as2_open *o, const struct guard *g,
                                    struct err *err);
static inline void guard_free(struct guard *g)
{
    sink_free(g->inner);
}

#endif
