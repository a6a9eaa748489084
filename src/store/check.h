/* Whether a store is whole, for an operator who has reason to ask: after a crash of the machine, a
 * full or failing disk, before an upgrade. Nothing is changed. */
#ifndef WAYBILL_STORE_CHECK_H
#define WAYBILL_STORE_CHECK_H

#include "base/err.h"

struct store_check {
    uint64_t documents, files; /* looked at */
    uint64_t problems;
    int version;  /* of the tables */
    bool running; /* a runtime has it open */
};

enum { STORE_CHECK_LINES = 100 }; /* told at most; .problems counts all */

/* One thing that is wrong, in one line. */
typedef void store_check_line(const char *line, void *context);

/* Reads all of the database and looks for all payloads: its pages and indexes, its log, what refers to
 * documents, and each payload's length. Beside a running runtime a payload that retention removes
 * meanwhile may be told as missing. True also when there are problems; false: there is nothing to
 * look at. */
MUST_CHECK bool store_check(const char *directory, store_check_line *line, void *context,
                            struct store_check *out, struct err *err);

#endif
