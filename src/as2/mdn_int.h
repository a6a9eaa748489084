/* MDNs are read in memory: they are small. */
#ifndef WAYBILL_AS2_MDN_INT_H
#define WAYBILL_AS2_MDN_INT_H

#include "as2/as2_int.h"

struct as2_entity {
    struct mime_head head;
    struct mime_value type; /* .value "" without Content-Type */
    struct span body;
};

struct as2_parts {
    struct span part[MIME_PARTS_MAX];
    size_t n;
};

/* A header block that was read elsewhere, and its body. */
MUST_CHECK bool as2_entity_typed(const struct mime_head *head, struct span body,
                                 struct arena *a, struct as2_entity *e, struct err *err);
/* Header block, empty line, body. CRLF or LF. */
MUST_CHECK bool as2_entity_read(struct span raw, struct arena *a, struct as2_entity *e,
                                struct err *err);
/* Takes the transfer encoding off the body. */
MUST_CHECK bool as2_entity_decode(struct as2_entity *e, struct arena *a, struct err *err);
/* The parts of a multipart entity, copied into the arena. */
MUST_CHECK bool as2_parts_read(const struct as2_entity *e, struct arena *a,
                               struct as2_parts *parts, struct err *err);
/* multipart/report, for MDNs or without report-type. */
bool as2_is_report(const struct mime_value *type);

#endif
