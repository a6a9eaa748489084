#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(struct err *err, enum fail_kind kind, int wire, const char *where, const char *fmt,
             ...)
{
    va_list ap;

    err->kind = kind;
    err->wire = wire;
    err->where = where;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return false;
}

bool err_context(struct err *err, const char *fmt, ...)
{
    char old[sizeof(err->text)];
    va_list ap;
    int n;

    memcpy(old, err->text, sizeof(old));
    va_start(ap, fmt);
    n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n + 2 < sizeof(err->text)) {
        memcpy(err->text + n, ": ", 2);
        (void)text_copy(err->text + n + 2, sizeof(err->text) - (size_t)n - 2, old);
    }
    return false;
}
