/* Content-Transfer-Encoding, RFC 2045 6. */
#include "mime/mime.h"

#include <strings.h>

enum mime_encoding mime_encoding_of(const char *value_or_null)
{
    if (value_or_null == NULL || strcasecmp(value_or_null, "binary") == 0 ||
        strcasecmp(value_or_null, "7bit") == 0 || strcasecmp(value_or_null, "8bit") == 0)
        return MIME_BINARY;
    if (strcasecmp(value_or_null, "base64") == 0)
        return MIME_BASE64;
    if (strcasecmp(value_or_null, "quoted-printable") == 0)
        return MIME_QUOTED;
    return MIME_UNKNOWN;
}
