/* Reason codes: what they mean, who knows them, what follows from them.
 * RFC 5024 5.3.5, 5.3.10, 5.3.11 and 5.3.14. */
#include "oftp/field_int.h"

struct reason {
    int code;
    int since; /* enum oftp_level that introduced it */
    const char *text;
};

static const struct reason esid_reasons[] = {
    { ESID_NORMAL, OFTP_12, "normal session termination" },
    { ESID_UNKNOWN_COMMAND, OFTP_12, "command not recognised" },
    { ESID_VIOLATION, OFTP_12, "protocol violation" },
    { ESID_UNKNOWN_CODE, OFTP_12, "user code not known" },
    { ESID_PASSWORD, OFTP_12, "invalid password" },
    { ESID_SHUTDOWN, OFTP_12, "local site emergency close down" },
    { ESID_INVALID_DATA, OFTP_12, "command contained invalid data" },
    { ESID_SIZE, OFTP_12, "exchange buffer size error" },
    { ESID_RESOURCES, OFTP_12, "resources not available" },
    { ESID_TIMEOUT, OFTP_12, "time out" },
    { ESID_INCOMPATIBLE, OFTP_12, "mode or capabilities incompatible" },
    { ESID_CHALLENGE, OFTP_20, "invalid challenge response" },
    { ESID_AUTHENTICATION, OFTP_20, "secure authentication requirements incompatible" },
    { ESID_UNSPECIFIED, OFTP_12, "unspecified abort" },
};

static const struct reason answer_reasons[] = {
    { ANSWER_FILENAME, OFTP_12, "invalid filename" },
    { ANSWER_DESTINATION, OFTP_12, "invalid destination" },
    { ANSWER_ORIGIN, OFTP_12, "invalid origin" },
    { ANSWER_FORMAT, OFTP_12, "storage record format not supported" },
    { ANSWER_RECORD_LENGTH, OFTP_12, "maximum record length not supported" },
    { ANSWER_SIZE, OFTP_12, "file size is too big" },
    { ANSWER_RECORD_COUNT, OFTP_12, "invalid record count" },
    { ANSWER_BYTE_COUNT, OFTP_12, "invalid byte count" },
    { ANSWER_ACCESS, OFTP_12, "access method failure" },
    { ANSWER_DUPLICATE, OFTP_12, "duplicate file" },
    { ANSWER_DIRECTION, OFTP_14, "file direction refused" },
    { ANSWER_CIPHER, OFTP_20, "cipher suite not supported" },
    { ANSWER_ENCRYPTED, OFTP_20, "encrypted file not allowed" },
    { ANSWER_UNENCRYPTED, OFTP_20, "unencrypted file not allowed" },
    { ANSWER_COMPRESSED, OFTP_20, "compression not allowed" },
    { ANSWER_SIGNED, OFTP_20, "signed file not allowed" },
    { ANSWER_UNSIGNED, OFTP_20, "unsigned file not allowed" },
    { ANSWER_SIGNATURE, OFTP_20, "invalid file signature" },
    { ANSWER_DECRYPTION, OFTP_20, "file decryption failure" },
    { ANSWER_DECOMPRESSION, OFTP_20, "file decompression failure" },
    { ANSWER_UNSPECIFIED, OFTP_12, "unspecified reason" },
};

/* The RFC does not say which codes 1.4 had; those for features of 2.0 are taken as new with it.
 * 11 to 30 stand for the SFNA and EFNA codes less ten. */
static const struct reason nerp_reasons[] = {
    { NERP_ESID_CODE, OFTP_14, "session ended: user code not known" },
    { NERP_ESID_PASSWORD, OFTP_14, "session ended: invalid password" },
    { NERP_ESID_UNSPECIFIED, OFTP_14, "session ended: unspecified" },
    { 11, OFTP_14, "invalid filename" },
    { 12, OFTP_14, "invalid destination" },
    { 13, OFTP_14, "invalid origin" },
    { 14, OFTP_14, "storage record format not supported" },
    { 15, OFTP_14, "maximum record length not supported" },
    { 16, OFTP_14, "file size is too big" },
    { 20, OFTP_14, "invalid record count" },
    { 21, OFTP_14, "invalid byte count" },
    { 22, OFTP_14, "access method failure" },
    { 23, OFTP_14, "duplicate file" },
    { 24, OFTP_14, "file direction refused" },
    { 25, OFTP_20, "cipher suite not supported" },
    { 26, OFTP_20, "encrypted file not allowed" },
    { 27, OFTP_20, "unencrypted file not allowed" },
    { 28, OFTP_20, "compression not allowed" },
    { 29, OFTP_20, "signed file not allowed" },
    { 30, OFTP_20, "unsigned file not allowed" },
    { NERP_SIGNATURE, OFTP_20, "file signature not valid" },
    { NERP_DECOMPRESSION, OFTP_20, "file decompression failed" },
    { NERP_DECRYPTION, OFTP_20, "file decryption failed" },
    { NERP_PROCESSING, OFTP_20, "file processing failed" },
    { NERP_NOT_DELIVERED, OFTP_20, "not delivered to recipient" },
    { NERP_NOT_ACKNOWLEDGED, OFTP_20, "not acknowledged by recipient" },
    { NERP_OPERATOR, OFTP_14, "transmission stopped by the operator" },
    { NERP_LEVEL_SIZE, OFTP_20, "file size incompatible with recipient's protocol version" },
    { NERP_UNSPECIFIED, OFTP_14, "unspecified reason" },
};

static const struct reason *find(const struct reason *reasons, size_t n, int code)
{
    for (size_t i = 0; i < n; i++) {
        if (reasons[i].code == code)
            return &reasons[i];
    }
    return NULL;
}

static const char *text_of(const struct reason *reason)
{
    return reason != NULL ? reason->text : "unknown reason";
}

const char *oftp_esid_text(int reason)
{
    return text_of(find(esid_reasons, COUNT_OF(esid_reasons), reason));
}

const char *oftp_answer_text(int reason)
{
    return text_of(find(answer_reasons, COUNT_OF(answer_reasons), reason));
}

const char *oftp_nerp_text(int reason)
{
    return text_of(find(nerp_reasons, COUNT_OF(nerp_reasons), reason));
}

/* Codes outside 0 .. 99 stay, for the field to refuse them. */
static int for_level(const struct reason *reasons, size_t n, int code, int level)
{
    const struct reason *reason = find(reasons, n, code);

    if (code < 0 || code > 99)
        return code;
    return reason != NULL && reason->since <= level ? code : 99;
}

int esid_for_level(int reason, int level)
{
    return for_level(esid_reasons, COUNT_OF(esid_reasons), reason, level);
}

int sfna_for_level(int reason, int level)
{
    /* RFC 5024 5.3.5 has no 21, 22 and 23: the file has not been seen yet. */
    if (reason >= ANSWER_SIGNATURE && reason <= ANSWER_DECOMPRESSION)
        return ANSWER_UNSPECIFIED;
    return for_level(answer_reasons, COUNT_OF(answer_reasons), reason, level);
}

int efna_for_level(int reason, int level)
{
    return for_level(answer_reasons, COUNT_OF(answer_reasons), reason, level);
}

int nerp_for_level(int reason, int level)
{
    return for_level(nerp_reasons, COUNT_OF(nerp_reasons), reason, level);
}

bool oftp_answer_retry(int reason)
{
    return reason == ANSWER_ACCESS || reason == ANSWER_UNSPECIFIED;
}

bool oftp_efna_retry(int reason)
{
    return reason == ANSWER_RECORD_COUNT || reason == ANSWER_BYTE_COUNT ||
           reason == ANSWER_ACCESS || reason == ANSWER_UNSPECIFIED;
}

int oftp_nerp_for_answer(int reason)
{
    /* RFC 5024 5.3.14 has these two the other way round than 5.3.10. */
    if (reason == ANSWER_DECRYPTION)
        return NERP_DECRYPTION;
    if (reason == ANSWER_DECOMPRESSION)
        return NERP_DECOMPRESSION;
    if (reason == ANSWER_UNSPECIFIED ||
        find(answer_reasons, COUNT_OF(answer_reasons), reason) == NULL)
        return NERP_UNSPECIFIED;
    return reason + 10;
}

int oftp_nerp_for_esid(int reason)
{
    switch (reason) {
    case ESID_UNKNOWN_CODE:
        return NERP_ESID_CODE;
    case ESID_PASSWORD:
        return NERP_ESID_PASSWORD;
    case ESID_UNSPECIFIED:
        return NERP_ESID_UNSPECIFIED;
    default:
        return NERP_UNSPECIFIED;
    }
}
