/* A text that grows; for output made once, such as a dump. */
#ifndef WAYBILL_CONFIG_TEXT_INT_H
#define WAYBILL_CONFIG_TEXT_INT_H

#include "base/span.h"

/* Zero it to begin. */
struct text {
    char *p;
    size_t n, cap;
    bool failed; /* memory ran out; further puts do nothing */
};

void text_put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As a YAML scalar, always in quotes: nobody has to know which words YAML takes for something
 * else. */
void text_quoted(struct text *t, const char *value);
/* Given: free(). NULL when memory ran out. */
char *text_done(struct text *t);

#endif
