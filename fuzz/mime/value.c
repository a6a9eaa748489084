/* A header value: its parameters, encoded words, and file name. Whatever it holds, a name made safe is
 * one harmless component of a path, and a name written is read again as it was. */
#include "mime/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_safe(const char *name)
{
    char once[MIME_FILE_NAME_MAX + 1], twice[MIME_FILE_NAME_MAX + 1];
    bool changed;

    mime_safe_name(name, "payload", once, &changed);
    if (once[0] == '\0' || strchr(".- ", once[0]) != NULL ||
        strpbrk(once, "/\\<>:\"|?*") != NULL)
        abort();
    for (const char *p = once; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            abort();
    mime_safe_name(once, "other", twice, &changed);
    if (changed || strcmp(once, twice) != 0)
        abort();
}

/* A safe name survives the way into a header and back. */
static void check_written(const char *name, struct arena *a)
{
    char safe[MIME_FILE_NAME_MAX + 1];
    const char *param, *text, *got;
    struct mime_value v;
    struct err err;
    bool changed;

    mime_safe_name(name, "payload", safe, &changed);
    param = mime_file_name_param(safe, a);
    text = param != NULL ? arena_printf(a, "attachment%s", param) : NULL;
    if (text == NULL || strpbrk(text, "\r\n") != NULL || !mime_value_read(text, a, &v, &err))
        abort();
    got = mime_param(&v, "filename");
    if (got == NULL || strcmp(got, safe) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    char *text = arena_copy(&a, span_of(data, size));
    struct mime_field fields[2] = { { "Content-Disposition", text }, { "Content-Type", text } };
    struct mime_head h = { fields, 2 };
    struct mime_value v;
    const char *name;
    struct err err;

    if (text == NULL)
        abort();
    if (mime_value_read(text, &a, &v, &err)) {
        if (v.value[0] == '\0' || v.n > MIME_PARAMS_MAX)
            abort();
        for (size_t i = 0; i < v.n; i++)
            if (mime_param(&v, v.params[i].name) != v.params[i].value)
                abort();
    }
    if (mime_words(text, &a) == NULL)
        abort();
    name = mime_file_name(&h, &a);
    check_safe(name != NULL ? name : text);
    check_written(name != NULL ? name : text, &a);
    if (a.total > 100000 + 100 * size)
        abort();
    arena_free(&a);
    return 0;
}
