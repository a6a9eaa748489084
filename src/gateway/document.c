/* Documents as the gateway sees them: their identity, and the SFID fields among their
 * properties. */
#include "gateway/security.h"

#include <stdio.h>
#include <stdlib.h>

char *oftp_identity_key(struct arena *a, const char *dsn, const char *date, const char *time,
                        const char *orig, const char *dest)
{
    /* '|' is no character of the X alphabet, so that no two files share a key by chance. */
    return arena_printf(a, "oftp2|%s|%s|%s|%s|%s", dsn, date, time, orig, dest);
}

/* SFIDDESC is from outside: what is not printable UTF-8 must not reach a terminal or a path. */
static char *clean_text(struct arena *a, const char *text, size_t n)
{
    char *out = arena_take(a, n + 1);

    for (size_t i = 0; out != NULL && i < n; i++)
        out[i] = (uint8_t)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    return out;
}

/* The octets of a description that clean_text may have changed: a relayed file keeps them. */
static void keep_octets(struct props *ps, struct arena *a, const struct oftp_sfid *c)
{
    bool plain = true;
    char *hex;

    for (size_t i = 0; i < c->descl && plain; i++)
        plain = c->desc[i] >= 0x20 && c->desc[i] < 0x7F;
    if (plain || (hex = arena_take(a, 2u * c->descl + 1)) == NULL)
        return;
    hex_text((const uint8_t *)c->desc, c->descl, hex);
    props_set(ps, a, "oftp2.sfiddesc_octets", hex);
}

void props_from_sfid(struct props *ps, struct arena *a, const struct oftp_sfid *c, int level)
{
    props_set(ps, a, "oftp2.sfiddsn", c->dsn);
    props_set(ps, a, "oftp2.sfiddate", c->date);
    props_set(ps, a, "oftp2.sfidtime", c->time);
    props_set(ps, a, "oftp2.sfidorig", c->orig);
    props_set(ps, a, "oftp2.sfiddest", c->dest);
    props_set(ps, a, "oftp2.sfiduser", c->user);
    props_printf(ps, a, "oftp2.sfidfmt", "%c", c->fmt);
    props_printf(ps, a, "oftp2.sfidlrecl", "%u", c->lrecl);
    props_printf(ps, a, "oftp2.sfidsec", "%02u", c->sec);
    props_printf(ps, a, "oftp2.sfidciph", "%02u", c->ciph);
    props_printf(ps, a, "oftp2.sfidcomp", "%u", c->comp);
    props_printf(ps, a, "oftp2.sfidenv", "%u", c->env);
    props_set(ps, a, "oftp2.sfidsign", c->sign ? "Y" : "N");
    props_printf(ps, a, "oftp2.sfidfsiz", "%llu", (unsigned long long)c->fsiz);
    props_printf(ps, a, "oftp2.sfidosiz", "%llu", (unsigned long long)c->osiz);
    props_set(ps, a, "oftp2.sfiddesc", clean_text(a, c->desc, c->descl));
    keep_octets(ps, a, c);
    props_printf(ps, a, "oftp2.level", "%d", level);
}

static void get(char *dst, size_t cap, const struct props *ps, const char *name)
{
    const char *v = props_get(ps, name);

    (void)text_copy(dst, cap, v == NULL ? "" : v);
}

static uint64_t number(const struct props *ps, const char *name)
{
    const char *v = props_get(ps, name);

    return v == NULL ? 0 : strtoull(v, NULL, 10);
}

void sfid_from_props(struct oftp_sfid *c, const struct props *ps)
{
    const char *v;

    memset(c, 0, sizeof(*c));
    get(c->dsn, sizeof(c->dsn), ps, "oftp2.sfiddsn");
    get(c->date, sizeof(c->date), ps, "oftp2.sfiddate");
    get(c->time, sizeof(c->time), ps, "oftp2.sfidtime");
    get(c->orig, sizeof(c->orig), ps, "oftp2.sfidorig");
    get(c->dest, sizeof(c->dest), ps, "oftp2.sfiddest");
    get(c->user, sizeof(c->user), ps, "oftp2.sfiduser");
    v = props_get(ps, "oftp2.sfidfmt");
    c->fmt = v == NULL || v[0] == '\0' ? 'U' : v[0];
    c->lrecl = (uint32_t)number(ps, "oftp2.sfidlrecl");
    c->sec = (uint8_t)number(ps, "oftp2.sfidsec");
    c->ciph = (uint8_t)number(ps, "oftp2.sfidciph");
    c->comp = (uint8_t)number(ps, "oftp2.sfidcomp");
    c->env = (uint8_t)number(ps, "oftp2.sfidenv");
    v = props_get(ps, "oftp2.sfidsign");
    c->sign = v != NULL && v[0] == 'Y';
    c->fsiz = number(ps, "oftp2.sfidfsiz");
    c->osiz = number(ps, "oftp2.sfidosiz");
    get(c->desc, sizeof(c->desc), ps, "oftp2.sfiddesc");
    c->descl = (uint16_t)strlen(c->desc);
    v = props_get(ps, "oftp2.sfiddesc_octets");
    if (v != NULL)
        c->descl = (uint16_t)hex_octets(v, (uint8_t *)c->desc, OFTP_TEXT);
}

/* Where nothing had to be opened both forms are the same octets, kept once. */
char document_opened_role(const struct document *d)
{
    bool same = d->opened.kind == d->raw.kind && d->opened.size == d->raw.size &&
                (d->raw.kind != PAYLOAD_FILE || strcmp(d->raw.path, d->opened.path) == 0);

    return same && props_get(&d->props, "waybill.opened") == NULL ? 'r' : 'o';
}

/* ---- parts --------------------------------------------------------------------------------- */

size_t document_parts(const struct document *d)
{
    uint64_t n = number(&d->props, "as2.parts");

    return n > 1 && n < 1000 ? (size_t)n : 1;
}

static const char *part_prop(const struct document *d, size_t i, const char *what)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "as2.part.%zu.%s", i + 1, what);
    return props_get(&d->props, name);
}

void document_part(const struct document *d, size_t i, struct document_part *out)
{
    const char *at = part_prop(d, i, "offset"), *next = part_prop(d, i + 1, "offset");
    const char *name = part_prop(d, i, "file_name"), *type = part_prop(d, i, "mime_type");

    *out = (struct document_part) { .name = name == NULL ? d->name : name,
                                    .type = type == NULL ? props_get(&d->props, "as2.mime_type")
                                                         : type,
                                    .left = UINT64_MAX };
    if (at != NULL && document_parts(d) > 1) {
        out->at = strtoull(at, NULL, 10);
        if (next != NULL)
            out->left = strtoull(next, NULL, 10) - out->at;
    }
}
