/* A stage that writes something before and behind what passes, and digests what passes. */
#ifndef WAYBILL_AS2_FRAME_H
#define WAYBILL_AS2_FRAME_H

#include "as2/digests.h"

struct frame {
    struct span before;      /* borrowed                                     */
    struct digests *digests; /* borrowed; ended with the content; NULL: none */
    bool digest_before;      /* it belongs to what is digested               */
    /* What is written behind the content, once that is digested; borrowed. NULL: nothing. */
    bool (*after)(void *context, struct span *text, struct err *err);
    void *context;
};

/* f is copied. NULL with *err. */
struct stage *frame_new(const struct frame *f, struct err *err);

#endif
