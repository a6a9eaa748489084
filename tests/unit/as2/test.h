/* What the tests of as2/ begin with. */
#ifndef WAYBILL_TESTS_AS2_TEST_H
#define WAYBILL_TESTS_AS2_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "as2/as2.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_EQ(got, want) assert_int_equal((got), (want))

/* A copy of exactly that size, so that a sanitizer sees a read beyond the end. Given: free(). */
static inline char *exact_text(const char *p, size_t n)
{
    char *copy = malloc(n + 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

/* n times c. */
static inline const char *many(char *room, char c, size_t n)
{
    memset(room, c, n);
    room[n] = '\0';
    return room;
}

#endif
