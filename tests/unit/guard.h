/* Octets between pages that fault: a parser that reads one octet too far or too early dies at once,
 * with or without sanitizers. */
#ifndef WAYBILL_TESTS_GUARD_H
#define WAYBILL_TESTS_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

enum { GUARD_ROOM = 128 * 1024 };

/* The usable pages in the middle, mapped once a program. */
static inline uint8_t *guard_pages(void)
{
    static uint8_t *pages;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (pages == NULL) {
        void *map =
            mmap(NULL, GUARD_ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (map == MAP_FAILED)
            abort();
        pages = (uint8_t *)map + page;
        if (mprotect(pages, GUARD_ROOM, PROT_READ | PROT_WRITE) != 0)
            abort();
    }
    return pages;
}

/* A copy of p[n] whose next octet faults; n is at most GUARD_ROOM. Lives until the next call. */
static inline struct span guard_after(const void *p, size_t n)
{
    uint8_t *at = guard_pages() + GUARD_ROOM - n;

    if (n > 0)
        memmove(at, p, n);
    return span_of(at, n);
}

/* A copy of p[n] whose preceding octet faults. Lives until the next call. */
static inline struct span guard_before(const void *p, size_t n)
{
    uint8_t *at = guard_pages();

    if (n > 0)
        memmove(at, p, n);
    return span_of(at, n);
}

#endif
