/* Small helps of src/as2. */
#ifndef WAYBILL_AS2_INT_H
#define WAYBILL_AS2_INT_H

#include "as2/as2.h"

static inline bool as2_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks around are cut: of what may be folded, and of a header value (no line ends). */
struct span as2_trim(struct span s);
struct span as2_trim_value(const char *value);

/* A structured field with a blank for each comment, RFC 5322 3.2.2: nested ones and quoted pairs
 * within them, too; one that is not closed goes to the end. out[cap] may be where `in` is. False: it does not fit. */
MUST_CHECK bool as2_strip_comments(const char *in, char *out, size_t cap);

/* Octets of the UTF-8 character s begins with; 0: it is none. Overlong forms, surrogates and what
 * is beyond U+10FFFF are none. s is not empty. */
size_t as2_utf8_character(struct span s);

#endif
