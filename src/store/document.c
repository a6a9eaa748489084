/* Names of states, and properties as JSON. */
#include "base/writer.h"
#include "store/store_int.h"

#include <jansson.h>
#include <stdlib.h>

static const char *const state_names[] = {
    [DOC_RECEIVING] = "receiving", [DOC_RECEIVED] = "received",
    [DOC_OPENED] = "opened",       [DOC_PROCESSING] = "processing",
    [DOC_PROCESSED] = "processed", [DOC_REFUSED] = "refused",
    [DOC_FAILED] = "failed",       [DOC_QUEUED] = "queued",
    [DOC_SEALED] = "sealed",       [DOC_SENDING] = "sending",
    [DOC_SENT] = "sent",           [DOC_ACKNOWLEDGED] = "acknowledged",
    [DOC_REJECTED] = "rejected",   [DOC_OVERDUE] = "overdue",
};

const char *document_state_name(enum document_state st)
{
    if ((size_t)st >= COUNT_OF(state_names) || state_names[st] == NULL)
        return "?";
    return state_names[st];
}

bool document_state_of(const char *name, enum document_state *st)
{
    for (size_t i = 0; name != NULL && i < COUNT_OF(state_names); i++) {
        if (state_names[i] != NULL && strcmp(state_names[i], name) == 0) {
            *st = (enum document_state)i;
            return true;
        }
    }
    return false;
}

/* As HELD in sqlite_sql.c. */
bool document_held(const struct document *d)
{
    const char *taken = props_get(&d->props, "acknowledge");

    return !d->outbound && taken != NULL && strcmp(taken, "manual") == 0 &&
           props_get(&d->props, "waybill.answered") == NULL;
}

/* Octets of the well-formed UTF-8 character at p; 0 when it is none (RFC 3629 section 4). */
static size_t utf8_length(const uint8_t *p)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

const char *text_utf8(struct arena *a, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n, high = 0;
    uint8_t *out, *to;

    while (*p != 0 && (n = utf8_length(p)) != 0)
        p += n;
    if (*p == 0)
        return text;
    /* Names from the wire are often Latin-1, and JSON takes nothing but UTF-8. */
    for (p = (const uint8_t *)text; *p != 0; p++)
        high += *p >= 0x80;
    to = out = arena_take(a, strlen(text) + high + 1);
    if (out == NULL)
        return NULL;
    for (p = (const uint8_t *)text; *p != 0; p++) {
        if (*p < 0x80) {
            *to++ = *p;
        } else {
            *to++ = (uint8_t)(0xC0 | *p >> 6);
            *to++ = (uint8_t)(0x80 | (*p & 0x3F));
        }
    }
    *to = 0;
    return (const char *)out;
}

/* Room that put_string needs at most, also when it is Latin-1 yet. */
static size_t string_room(const char *text)
{
    size_t n = 2;

    for (const char *p = text; *p != '\0'; p++)
        n += (uint8_t)*p < 0x20 ? 6 : *p == '"' || *p == '\\' || (uint8_t)*p >= 0x80 ? 2 : 1;
    return n;
}

/* RFC 8259 section 7. */
static void put_string(struct writer *w, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    const char *from = text, *p = text;

    writer_u8(w, '"');
    for (; *p != '\0'; p++) {
        uint8_t octet = (uint8_t)*p;

        if (octet >= 0x20 && octet != '"' && octet != '\\')
            continue;
        writer_put(w, from, (size_t)(p - from));
        from = p + 1;
        if (octet >= 0x20) {
            writer_u8(w, '\\');
            writer_u8(w, octet);
        } else {
            writer_put(w, "\\u00", 4);
            writer_u8(w, (uint8_t)hex[octet >> 4]);
            writer_u8(w, (uint8_t)hex[octet & 15]);
        }
    }
    writer_put(w, from, (size_t)(p - from));
    writer_u8(w, '"');
}

/* Every document that is stored goes through here, some several times. */
const char *props_to_json(const struct props *ps, struct arena *a)
{
    struct writer w;
    size_t room = 3;
    char *text;

    for (const struct prop *p = ps->first; p != NULL; p = p->next)
        room += string_room(p->name) + string_room(p->value) + 2;
    text = arena_take(a, room);
    if (text == NULL)
        return NULL;
    w = writer_of(text, room);
    writer_u8(&w, '{');
    for (const struct prop *p = ps->first; p != NULL; p = p->next) {
        const char *name = text_utf8(a, p->name);
        const char *value = text_utf8(a, p->value);

        if (name == NULL || value == NULL)
            return NULL;
        if (p != ps->first)
            writer_u8(&w, ',');
        put_string(&w, name);
        writer_u8(&w, ':');
        put_string(&w, value);
    }
    writer_put(&w, "}", 2); /* with its NUL */
    return text;
}

bool props_from_json(const char *json, struct arena *a, struct props *ps)
{
    struct prop **last = &ps->first;
    json_error_t where;
    json_t *object, *value;
    const char *name;

    *ps = (struct props) { 0 };
    if (json == NULL)
        return true;
    object = json_loads(json, 0, &where);
    if (!json_is_object(object)) {
        json_decref(object);
        return false;
    }
    json_object_foreach(object, name, value)
    {
        struct prop *p = arena_take(a, sizeof(*p));

        if (p == NULL)
            break;
        p->name = arena_text(a, name);
        p->value = arena_text(a, json_is_string(value) ? json_string_value(value) : "");
        *last = p;
        last = &p->next;
    }
    json_decref(object);
    return true;
}
