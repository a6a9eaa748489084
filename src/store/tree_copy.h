/* Files copied or linked from one folder to another under the same names. */
#ifndef WAYBILL_STORE_TREE_COPY_H
#define WAYBILL_STORE_TREE_COPY_H

#include "base/err.h"

struct tree_copy {
    int from, to; /* folders */
    bool link;    /* a hard link where the file systems allow it */
    uint64_t files, linked, octets;
    char folder[64]; /* the one made last */
};

/* Opens a folder, which is made (0700) when it is not there. What must not be in it: any of names
 * (NULL-ended), or anything (names NULL); else FAIL_LOCAL, wire 409. */
MUST_CHECK bool tree_open_empty(const char *path, const char *const *names, int *fd,
                                struct err *err);
/* path below the folders; missing: it need not be there. What is there already stays. */
MUST_CHECK bool tree_copy_file(struct tree_copy *t, const char *path, bool missing,
                               struct err *err);
MUST_CHECK bool tree_copy_as(struct tree_copy *t, const char *path, const char *as,
                             struct err *err);
/* All files below from/folder: two folders deep, as payloads are. */
MUST_CHECK bool tree_copy_below(struct tree_copy *t, const char *folder, struct err *err);

#endif
