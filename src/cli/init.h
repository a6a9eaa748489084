/* What makes the folders of `waybill init`. */
#ifndef WAYBILL_CLI_INIT_H
#define WAYBILL_CLI_INIT_H

#include "cli/cli.h"

#include <sys/types.h>

struct init_place {
    const char *directory, *data; /* absolute; data: NULL where there is none */
    const char *name;             /* of the runtime */
};

struct init_mark {
    const char *mark, *value; /* "@NAME@"; the value has no mark in it */
};

/* A new file below the place's folder, never one over another: the text with its marks filled in,
 * which end with NULL. */
MUST_CHECK bool init_write(struct cli *c, const struct init_place *p, const char *file,
                           const char *text, const struct init_mark *marks, mode_t mode,
                           struct err *err);
/* One that is there is good. */
MUST_CHECK bool init_folder(const char *path, mode_t mode, struct err *err);
/* keys/our-key.key and keys/our-key.pem, signed by itself. */
MUST_CHECK bool init_keys(struct cli *c, const struct init_place *p, struct err *err);
/* Two runtimes that are partners, below the place's folder; says what to do with them. */
MUST_CHECK bool init_trial(struct cli *c, const struct init_place *p, struct err *err);

#endif
