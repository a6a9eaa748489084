/* What can go wrong, in the words in which it is told, with its cause and what to do: one table, of
 * which docs/troubleshooting.md is made and in which `waybill explain` looks.
 * scripts/check-trouble.py asserts that every event that is logged as a warning or an error, and
 * every HTTP status given to a partner, is in it; unit tests that the protocols' reasons are. */
#ifndef WAYBILL_TROUBLE_H
#define WAYBILL_TROUBLE_H

#include <stddef.h>

enum trouble_kind {
    TROUBLE_EVENT,       /* of the log: "oftp2.logon.refused"   */
    TROUBLE_ESID,        /* OFTP2, why a session ended: "4"     */
    TROUBLE_ANSWER,      /* OFTP2, SFNA and EFNA: "2"           */
    TROUBLE_NERP,        /* OFTP2, negative end response: "34"  */
    TROUBLE_DISPOSITION, /* AS2, of an MDN                      */
    TROUBLE_HTTP,        /* AS2, status of our answer: "403"    */
    TROUBLE_TEXT,        /* part of an error's text             */
    TROUBLE_KINDS,
};

struct trouble {
    enum trouble_kind kind;
    const char *key;   /* as above; of a text several, separated by '|' */
    const char *means; /* what it says; of a code the standard's words */
    const char *cause, *cure;
};

struct trouble_table {
    const struct trouble *rows;
    size_t n;
};
extern const struct trouble_table trouble_events, trouble_codes, trouble_texts;
extern const struct trouble_table *const trouble_tables[3];

/* The next row that fits a text somebody pasted, behind *at (0 to begin with), or NULL: the name of
 * an event, "esid 4", "ESID(04)", "sfna=2", "NERP 34", a disposition, a status after "HTTP" or
 * "status", a known piece of an error's text. Case does not matter. */
const struct trouble *trouble_find(const char *text, size_t *at);

#endif
