/* Templates: "{{document.id}}-{{oftp2.sfiddsn}}". The names were checked when the component was
 * applied; what a document does not have is empty. */
#include "gateway/gateway_int.h"

#include <stdio.h>

enum { TEMPLATE_MAX = 64 * 1024 };

static const char *document_value(const char *name, const struct document *d, struct arena *a)
{
    char time[25];

    if (strcmp(name, "id") == 0)
        return arena_printf(a, "%lld", (long long)d->id);
    if (strcmp(name, "name") == 0)
        return d->name;
    if (strcmp(name, "from") == 0)
        return d->from;
    if (strcmp(name, "to") == 0)
        return d->to;
    if (strcmp(name, "size") == 0)
        return arena_printf(a, "%llu", (unsigned long long)d->size);
    if (strcmp(name, "listener") == 0)
        return d->listener;
    if (strcmp(name, "partner") == 0)
        return d->partner;
    if (strcmp(name, "received") == 0) {
        net_time_text(d->created_ms, time);
        return arena_text(a, time);
    }
    return NULL;
}

static const char *value(const char *name, const struct document *d, const struct execution *x,
                         struct arena *a)
{
    if (strncmp(name, "document.", 9) == 0)
        return document_value(name + 9, d, a);
    if (strcmp(name, "execution.id") == 0)
        return x == NULL ? "" : arena_printf(a, "%lld", (long long)x->id);
    if (strcmp(name, "execution.redelivered") == 0)
        return x != NULL && x->redelivered ? "true" : "false";
    return props_get(&d->props, name);
}

bool template_expand(const char *text, const struct document *d, const struct execution *x,
                     struct arena *a, char **out, struct err *err)
{
    char *buffer = arena_take(a, TEMPLATE_MAX);
    size_t n = 0;

    if (buffer == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    while (*text != '\0') {
        const char *end = strncmp(text, "{{", 2) == 0 ? strstr(text, "}}") : NULL;
        const char *piece = text;
        size_t len = 1;

        if (end != NULL) {
            const char *from = text + 2, *to = end;
            char name[64];

            while (from < to && *from == ' ')
                from++;
            while (to > from && to[-1] == ' ')
                to--;
            (void)snprintf(name, sizeof(name), "%.*s", (int)(to - from), from);
            piece = value(name, d, x, a);
            piece = piece == NULL ? "" : piece;
            len = strlen(piece);
        }
        if (len >= TEMPLATE_MAX - n)
            return FAIL(err, FAIL_LOCAL, 0, "a template grew beyond %d octets", TEMPLATE_MAX);
        memcpy(buffer + n, piece, len);
        n += len;
        text = end != NULL ? end + 2 : text + 1;
    }
    buffer[n] = '\0';
    *out = buffer;
    return true;
}
