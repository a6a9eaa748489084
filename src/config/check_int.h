/* What the checks over all components share. */
#ifndef WAYBILL_CONFIG_CHECK_INT_H
#define WAYBILL_CONFIG_CHECK_INT_H

#include "config/schema_int.h"

struct check {
    struct config_component **sorted; /* by kind and name */
    size_t n;
    const struct config_runtime *rt; /* NULL: not known */
    struct config_problems *ps;
    /* what is being looked at */
    const char *file, *what;
    const struct config_place *places;
    struct config_at at;
};

const struct config_component *check_find(const struct check *c, enum config_kind kind,
                                          const char *name);
/* value: what it is about, for its position. */
void check_problem(struct check *c, const void *value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts all and begins with one of them; false: memory is out. Ended with free(c->sorted). */
MUST_CHECK bool check_begin(struct check *c, const struct config_runtime *rt,
                            struct config_component *const *all, size_t n,
                            struct config_problems *ps);
/* What follows is about this component; what: text for c->what. */
void check_look_at(struct check *c, const struct config_component *x, char what[100]);

/* check_as2.c */
void check_partner_as2(struct check *c, const struct config_partner *p);
void check_process_as2(struct check *c, const struct config_process *p);
/* Send steps, of both protocols. */
void check_sends(struct check *c, const struct config_process *p);

#endif
