/* Content-Transfer-Encoding, RFC 2045 6. */
#include "mime/mime.h"

#include <stdlib.h>
#include <strings.h>

enum mime_encoding mime_encoding_of(const char *value_or_null)
{
    if (value_or_null == NULL || value_or_null[0] == '\0' ||
        strcasecmp(value_or_null, "binary") == 0 || strcasecmp(value_or_null, "7bit") == 0 ||
        strcasecmp(value_or_null, "8bit") == 0)
        return MIME_BINARY;
    if (strcasecmp(value_or_null, "base64") == 0)
        return MIME_BASE64;
    if (strcasecmp(value_or_null, "quoted-printable") == 0)
        return MIME_QUOTED;
    return MIME_UNKNOWN;
}

bool mime_decoder_new(enum mime_encoding e, struct stage **st, struct err *err)
{
    struct stage *decoder;

    if (e == MIME_UNKNOWN)
        return FAIL(err, FAIL_PEER, 0,
                    "Content-Transfer-Encoding: it is none of 7bit, 8bit, "
                    "binary, base64, quoted-printable");
    if (e == MIME_BINARY) {
        *st = NULL;
        return true;
    }
    decoder = e == MIME_BASE64 ? mime_base64_decode_new() : mime_quoted_decode_new();
    if (decoder == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "Content-Transfer-Encoding: memory is out");
    *st = decoder;
    return true;
}

bool mime_decode_octets(enum mime_encoding e, struct span in, uint8_t **out, size_t *n,
                        struct err *err)
{
    uint8_t *octets = malloc(in.n + 1); /* no decoder makes more of them */
    struct room room = { octets, in.n + 1 };
    struct stage *st = NULL;
    bool ok = false;

    if (octets == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0, "Content-Transfer-Encoding: memory is out");
        goto out;
    }
    if (!mime_decoder_new(e, &st, err))
        goto out;
    if (st == NULL)
        (void)room_take(&room, &in);
    else if (stage_step(st, &in, true, &room, err) != FLOW_END)
        goto out;
    *n = (size_t)(room.p - octets);
    *out = octets;
    ok = true;
out:
    stage_free(st);
    if (!ok)
        free(octets);
    return ok;
}
