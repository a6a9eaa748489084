/* zlib streams (RFC 1950) by ISA-L where the build has it (WAYBILL_ISAL), by zlib otherwise. */
#ifndef WAYBILL_CMS_ZIP_H
#define WAYBILL_CMS_ZIP_H

#include "base/stage.h"

/* NULL when memory is out. */
struct zip *zip_new(void);
void zip_free(struct zip *z);
/* Takes and writes what it can. `last`: *in ends the content; true once all has been written. */
bool zip_step(struct zip *z, struct span *in, bool last, struct room *out);

enum unzipped {
    UNZIP_MORE, /* more input is needed, or more room */
    UNZIP_END,  /* the stream has ended and its check value is right */
    UNZIP_BAD,
};
struct unzip *unzip_new(void);
void unzip_free(struct unzip *u);
enum unzipped unzip_step(struct unzip *u, struct span *in, struct room *out);

#endif
