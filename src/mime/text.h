/* Character sets and encoded words. Inside mime/ only. */
#ifndef WAYBILL_MIME_TEXT_H
#define WAYBILL_MIME_TEXT_H

#include "base/arena.h"

/* Octets of the UTF-8 character at s (n > 0), its code point in *c; 0: not UTF-8 (overlong forms,
 * surrogates, code points beyond U+10FFFF). */
size_t utf8_next(struct span s, uint32_t *c);
/* Writes c, at most U+10FFFF, into text[4]; its octets. */
size_t utf8_put(uint32_t c, char text[4]);

/* A charset's name (any letter case, a language behind '*' not looked at) is one whose octets may
 * be UTF-8. All others are read as ISO-8859-1. */
bool text_may_be_utf8(struct span charset);
/* Octets as UTF-8 text: as they are when they may be UTF-8 and are, else as ISO-8859-1. NUL becomes
 * U+FFFD. In the arena; NULL: memory is out. */
char *mime_text_utf8(struct span octets, bool may_be_utf8, struct arena *a);

/* 0 to 15, -1: no hexadecimal digit. */
int text_hex(uint8_t c);

static inline bool text_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

#endif
