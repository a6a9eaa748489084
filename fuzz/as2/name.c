/* AS2 names and Message-IDs: whatever is read is printable, within its limits, and what is written
 * of it is read back the same. */
#include "as2/as2.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
    if (*text == '\0' || strlen(text) > max)
        abort();
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            abort();
}

static void check_echo(const char *value, const char *name, struct arena *a)
{
    const char *echo = as2_name_echo(value, a);
    char again[AS2_NAME_MAX + 1];

    if (echo == NULL)
        abort();
    check_text(echo, 2 * AS2_NAME_MAX + 2);
    if (!as2_name_read(echo, again) || strcmp(name, again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    char *value = malloc(size + 1);
    char name[AS2_NAME_MAX + 1], again[AS2_NAME_MAX + 1], id[AS2_MESSAGE_ID_MAX + 1];
    char text[2 * AS2_NAME_MAX + 3];
    struct as2_headers h = { .arena = &a };

    if (value == NULL)
        abort();
    if (size > 0)
        memcpy(value, data, size);
    value[size] = '\0';
    if (as2_name_read(value, name)) {
        check_text(name, AS2_NAME_MAX);
        as2_name_write(name, text);
        if (!as2_name_read(text, again) || strcmp(name, again) != 0)
            abort();
        check_echo(value, name, &a);
        as2_header(&h, "AS2-From", text);
    } else if (as2_name_echo(value, &a) != NULL) {
        abort();
    }
    if (as2_message_id_read(value, id)) {
        check_text(id, AS2_MESSAGE_ID_MAX);
        as2_header(&h, "Message-ID", id);
    }
    as2_header(&h, "Message-ID", as2_message_id_make(&a, 1, "r", value));
    as2_header(&h, "Subject", as2_header_text(value, &a));
    if (h.failed)
        abort();
    arena_free(&a);
    free(value);
    return 0;
}
