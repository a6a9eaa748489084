/* Several digests of the same octets in one pass. */
#ifndef WAYBILL_AS2_DIGESTS_H
#define WAYBILL_AS2_DIGESTS_H

#include "as2/as2.h"

enum { DIGESTS_MAX = 9 };

/* Zero it to begin; digests_free() in the end. */
struct digests {
    EVP_MD_CTX *ctx[DIGESTS_MAX];
    struct cms_digest made[DIGESTS_MAX]; /* .nid at once, the value after digests_end() */
    size_t n;
    bool ended;
};

/* One more, unless it is there. FAIL_LOCAL: unknown digest, too many, no memory. */
MUST_CHECK bool digests_add(struct digests *d, int nid, struct err *err);
MUST_CHECK bool digests_update(struct digests *d, struct span octets, struct err *err);
MUST_CHECK bool digests_end(struct digests *d, struct err *err);
/* After digests_end(); NULL: it was not run. */
const struct cms_digest *digests_find(const struct digests *d, int nid);
/* .n 0 when it was not run. */
struct as2_mic digests_mic(const struct digests *d, int nid);
void digests_free(struct digests *d);

#endif
