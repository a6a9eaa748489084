/* Two libraries behind one face. ISA-L is about ten times faster than zlib at deflating and twice
 * at inflating; zlib is everywhere. */
#include "cms/zip.h"

#include <stdlib.h>

enum { STEP_MAX = 1 << 30 }; /* both libraries count octets in 32 bits */

static uint32_t at_most(size_t n)
{
    return n < STEP_MAX ? (uint32_t)n : STEP_MAX;
}

#ifdef WAYBILL_ISAL

#include <isa-l/igzip_lib.h>

/* The smaller of its sizes makes blocks that lie wholly in its window, so that what does not shrink
 * is stored as it is: such content inflates at 7,500 MB/s instead of 400. EDI text grows by a
 * thousandth. */
struct zip {
    struct isal_zstream z;
    uint8_t level[ISAL_DEF_LVL1_SMALL];
};

struct unzip {
    struct inflate_state z;
    bool ended;
};

struct zip *zip_new(void)
{
    struct zip *z = malloc(sizeof(*z));

    if (z == NULL)
        return NULL;
    isal_deflate_init(&z->z);
    z->z.level = 1;
    z->z.level_buf = z->level;
    z->z.level_buf_size = sizeof(z->level);
    z->z.gzip_flag = IGZIP_ZLIB;
    return z;
}

bool zip_step(struct zip *z, struct span *in, bool last, struct room *out)
{
    uint32_t n = at_most(in->n), room = at_most(out->n);

    z->z.next_in = (uint8_t *)(uintptr_t)in->p; /* read only */
    z->z.avail_in = n;
    z->z.end_of_stream = last && n == in->n;
    z->z.next_out = out->p;
    z->z.avail_out = room;
    (void)isal_deflate(&z->z); /* fails on a wrong set-up only */
    span_skip(in, n - z->z.avail_in);
    room_skip(out, room - z->z.avail_out);
    return last && in->n == 0 && z->z.internal_state.state == ZSTATE_END;
}

void zip_free(struct zip *z)
{
    free(z);
}

struct unzip *unzip_new(void)
{
    struct unzip *u = malloc(sizeof(*u));

    if (u == NULL)
        return NULL;
    isal_inflate_init(&u->z);
    u->z.crc_flag = ISAL_ZLIB;
    u->ended = false;
    return u;
}

enum unzipped unzip_step(struct unzip *u, struct span *in, struct room *out)
{
    uint32_t n = at_most(in->n), room = at_most(out->n);
    int result;

    if (u->ended)
        return UNZIP_END;
    u->z.next_in = (uint8_t *)(uintptr_t)in->p; /* read only */
    u->z.avail_in = n;
    u->z.next_out = out->p;
    u->z.avail_out = room;
    result = isal_inflate(&u->z);
    /* after damage its counts of what it took and gave mean nothing */
    if (result < 0 || result == ISAL_NEED_DICT || u->z.avail_in > n || u->z.avail_out > room)
        return UNZIP_BAD;
    span_skip(in, n - u->z.avail_in);
    room_skip(out, room - u->z.avail_out);
    u->ended = u->z.block_state == ISAL_BLOCK_FINISH;
    /* whole octets that it has read ahead of itself follow the end, too */
    if (u->ended && u->z.read_in_length >= 8)
        return UNZIP_BAD;
    return u->ended ? UNZIP_END : UNZIP_MORE;
}

void unzip_free(struct unzip *u)
{
    free(u);
}

#else

#define ZLIB_CONST
#include <zlib.h>

enum { LEVEL = 2 }; /* EDI text: two thirds faster than 6 and a tenth larger */

struct zip {
    z_stream z;
};

struct unzip {
    z_stream z;
    bool ended;
};

struct zip *zip_new(void)
{
    struct zip *z = calloc(1, sizeof(*z));

    if (z != NULL && deflateInit(&z->z, LEVEL) != Z_OK) {
        free(z);
        return NULL;
    }
    return z;
}

bool zip_step(struct zip *z, struct span *in, bool last, struct room *out)
{
    uint32_t n = at_most(in->n), room = at_most(out->n);
    int result;

    z->z.next_in = in->p;
    z->z.avail_in = n;
    z->z.next_out = out->p;
    z->z.avail_out = room;
    result = deflate(&z->z, last && n == in->n ? Z_FINISH : Z_NO_FLUSH);
    span_skip(in, n - z->z.avail_in);
    room_skip(out, room - z->z.avail_out);
    return result == Z_STREAM_END;
}

void zip_free(struct zip *z)
{
    if (z != NULL)
        (void)deflateEnd(&z->z);
    free(z);
}

struct unzip *unzip_new(void)
{
    struct unzip *u = calloc(1, sizeof(*u));

    if (u != NULL && inflateInit(&u->z) != Z_OK) {
        free(u);
        return NULL;
    }
    return u;
}

enum unzipped unzip_step(struct unzip *u, struct span *in, struct room *out)
{
    uint32_t n = at_most(in->n), room = at_most(out->n);
    int result;

    if (u->ended)
        return UNZIP_END;
    u->z.next_in = in->p;
    u->z.avail_in = n;
    u->z.next_out = out->p;
    u->z.avail_out = room;
    result = inflate(&u->z, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return UNZIP_BAD;
    span_skip(in, n - u->z.avail_in);
    room_skip(out, room - u->z.avail_out);
    u->ended = result == Z_STREAM_END;
    return u->ended ? UNZIP_END : UNZIP_MORE;
}

void unzip_free(struct unzip *u)
{
    if (u != NULL)
        (void)inflateEnd(&u->z);
    free(u);
}

#endif
