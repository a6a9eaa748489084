/* Transfer encodings: the first octet says which, and the sizes of input and room, which must not
 * matter. What the encoder makes, the decoder takes back; base64 is also decoded by a slow reader. */
#include "mime/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs a stage into out[*n]; frees it. */
static bool run(struct stage *st, struct span in, size_t chunk, size_t room, uint8_t *out,
                size_t *n)
{
    size_t cap = *n;
    struct err err;
    enum flow f;

    *n = 0;
    if (st == NULL)
        abort();
    do {
        size_t k = in.n < chunk ? in.n : chunk, space = cap - *n < room ? cap - *n : room;
        struct span piece = span_of(in.p, k);
        struct room r = { out + *n, space };

        f = stage_step(st, &piece, k == in.n, &r, &err);
        *n += space - r.n;
        span_skip(&in, k - piece.n);
        if ((f == FLOW_IN && piece.n > 0) || (f == FLOW_OUT && (r.n > 0 || space == 0)))
            abort();
    } while (f == FLOW_IN || f == FLOW_OUT);
    stage_free(st);
    return f == FLOW_END;
}

/* Character after character. */
static bool slow_base64(struct span in, uint8_t *out, size_t *n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    size_t chars = 0, pads = 0;
    uint32_t bits = 0;

    *n = 0;
    for (size_t i = 0; i < in.n; i++) {
        const char *at = memchr(alphabet, in.p[i], 65);

        if (memchr("\r\n \t", in.p[i], 4) != NULL)
            continue;
        if (at == NULL || (pads > 0 && (*at != '=' || chars % 4 == 0)) ||
            (*at == '=' && chars % 4 < 2))
            return false;
        pads += *at == '=';
        bits = bits << 6 | (*at == '=' ? 0 : (uint32_t)(at - alphabet));
        if (++chars % 4 == 0)
            for (size_t k = 0; k < 3 - pads; k++)
                out[(*n)++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return chars % 4 == 0;
}

static void compare(enum mime_encoding e, struct span in, size_t chunk, size_t room)
{
    size_t n = in.n + 1, m = 0;
    uint8_t *out = malloc(n), *whole = NULL;
    struct stage *st;
    struct err err;
    bool ok;

    if (out == NULL || !mime_decoder_new(e, &st, &err))
        abort();
    ok = mime_decode_octets(e, in, &whole, &m, &err);
    if (run(st, in, chunk, room, out, &n) != ok)
        abort();
    if (ok && (n != m || memcmp(out, whole, n) != 0))
        abort();
    if (e == MIME_BASE64 &&
        (slow_base64(in, out, &n) != ok || (ok && (n != m || memcmp(out, whole, n) != 0))))
        abort();
    free(out);
    free(whole);
}

static void there_and_back(struct span in, size_t chunk, size_t room)
{
    size_t n = in.n * 2 + 8, m;
    uint8_t *text = malloc(n), *back;
    struct err err;

    if (text == NULL || !run(mime_base64_encode_new(), in, chunk, room, text, &n))
        abort();
    if (!mime_decode_octets(MIME_BASE64, span_of(text, n), &back, &m, &err) || m != in.n ||
        (m > 0 && memcmp(back, in.p, m) != 0))
        abort();
    free(text);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t chunk, room;
    struct span in;

    if (size < 1)
        return 0;
    in = span_of(data + 1, size - 1);
    chunk = 1 + data[0] / 4 % 16;
    room = 1 + data[0] / 4 % 7;
    switch (data[0] % 4) {
    case 0:
    case 1:
        compare(MIME_BASE64, in, chunk, data[0] % 4 == 0 ? room : 100);
        break;
    case 2:
        compare(MIME_QUOTED, in, chunk, room);
        break;
    default:
        there_and_back(in, chunk * 16, room * 30);
    }
    return 0;
}
