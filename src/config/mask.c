/* Secrets in the text of components: hidden from who may not see them, and put back where a text
 * comes back with them hidden. */
#include "config/schema_int.h"
#include "config/text_int.h"

#include <stdlib.h>

enum { MAPPINGS_DEPTH = 8 };

/* Whether some setting of this name is a secret: by name, so that it is hidden also where this
 * version does not know it. */
static bool secret_row(const struct mapping *m, const char *name, unsigned depth)
{
    for (size_t i = 0; m != NULL && depth < MAPPINGS_DEPTH && i < m->rows_n; i++) {
        const struct row *r = &m->rows[i];
        bool secret =
            r->type == ROW_SECRET || r->type == ROW_PASSWORD || (r->flags & ROW_HIDDEN) != 0;

        if ((secret && strcmp(r->name, name) == 0) || secret_row(r->sub, name, depth + 1) ||
            secret_row(r->other, name, depth + 1))
            return true;
    }
    return false;
}

static bool secret_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(component_mappings); i++)
        if (secret_row(component_mappings[i], name, 0))
            return true;
    return false;
}

/* One text being rewritten, from its beginning to its end. */
struct rewrite {
    const char *text;
    size_t octet, character; /* libyaml counts characters; everything before is in out */
    size_t copied;           /* octets */
    struct text out;
    yaml_document_t *doc, *old; /* old: NULL when hiding */
    const char *old_text;
};

static size_t octet_of(struct rewrite *r, size_t character)
{
    while (r->character < character && r->text[r->octet] != '\0') {
        r->octet++;
        while ((r->text[r->octet] & 0xC0) == 0x80)
            r->octet++;
        r->character++;
    }
    return r->octet;
}

static const char *skip(const char *text, size_t characters)
{
    for (; characters > 0 && *text != '\0'; characters--)
        for (text++; (*text & 0xC0) == 0x80; text++)
            ;
    return text;
}

/* As it was written, so that a text of which nothing was changed is the same one again; in quotes
 * where it might mean something else in another place. */
static void put_scalar(struct rewrite *r, const char *value, const yaml_node_t *old)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";
    const char *from, *to;

    if (old != NULL) {
        from = skip(r->old_text, old->start_mark.index);
        to = skip(from, old->end_mark.index - old->start_mark.index);
        if (strspn(from, plain) == (size_t)(to - from) ||
            ((*from == '"' || *from == '\'') &&
             memchr(from, '\n', (size_t)(to - from)) == NULL)) {
            text_put(&r->out, "%.*s", (int)(to - from), from);
            return;
        }
    }
    text_quoted(&r->out, value);
}

/* Puts value, that of the scalar old (or NULL), in the place of a scalar. As many lines as before: they
 * are compared and named. */
static void replace(struct rewrite *r, const yaml_node_t *node, const char *value,
                    const yaml_node_t *old)
{
    size_t from = octet_of(r, node->start_mark.index), to = octet_of(r, node->end_mark.index);

    while (to > from && strchr(" \r\n", r->text[to - 1]) != NULL)
        to--;
    text_put(&r->out, "%.*s", (int)(from - r->copied), r->text + r->copied);
    put_scalar(r, value, old);
    for (size_t i = from; i < to; i++)
        if (r->text[i] == '\n')
            text_put(&r->out, "\n");
    r->copied = to;
}

static const char *scalar(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE
               ? (const char *)node->data.scalar.value
               : NULL;
}

static bool masked(const char *name, const yaml_node_t *value)
{
    const char *text = scalar(value);

    return text != NULL && strcmp(text, CONFIG_MASK) == 0 && name != NULL && secret_name(name);
}

/* ---- hiding ------------------------------------------------------------------------------ */

static void hide(struct rewrite *r, const yaml_node_t *node)
{
    if (node == NULL || node->type == YAML_SCALAR_NODE)
        return;
    if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++)
            hide(r, yaml_document_get_node(r->doc, *i));
        return;
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const char *name = scalar(yaml_document_get_node(r->doc, p->key));
        const yaml_node_t *value = yaml_document_get_node(r->doc, p->value);

        if (name != NULL && scalar(value) != NULL && scalar(value)[0] != '\0' &&
            secret_name(name))
            replace(r, value, CONFIG_MASK, NULL);
        else
            hide(r, value);
    }
}

/* ---- putting back ------------------------------------------------------------------------ */

static const yaml_node_t *member(yaml_document_t *doc, const yaml_node_t *map, const char *name)
{
    if (map == NULL || map->type != YAML_MAPPING_NODE || name == NULL)
        return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const char *key = scalar(yaml_document_get_node(doc, p->key));

        if (key != NULL && strcmp(key, name) == 0)
            return yaml_document_get_node(doc, p->value);
    }
    return NULL;
}

static size_t children(const yaml_node_t *n)
{
    return n->type == YAML_MAPPING_NODE
               ? (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start)
           : n->type == YAML_SEQUENCE_NODE
               ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start)
               : 0;
}

/* Whether a is b but for what is hidden in a. */
static bool alike(struct rewrite *r, const yaml_node_t *a, const yaml_node_t *b)
{
    if (a == NULL || b == NULL || a->type != b->type || children(a) != children(b))
        return false;
    if (a->type == YAML_SCALAR_NODE)
        return strcmp(scalar(a), scalar(b)) == 0;
    for (size_t i = 0; i < children(a); i++) {
        const yaml_node_t *x, *y;
        const char *name = NULL;

        if (a->type == YAML_SEQUENCE_NODE) {
            x = yaml_document_get_node(r->doc, a->data.sequence.items.start[i]);
            y = yaml_document_get_node(r->old, b->data.sequence.items.start[i]);
        } else {
            name = scalar(yaml_document_get_node(r->doc, a->data.mapping.pairs.start[i].key));
            x = yaml_document_get_node(r->doc, a->data.mapping.pairs.start[i].value);
            y = member(r->old, b, name);
        }
        if (masked(name, x) ? scalar(y) == NULL : !alike(r, x, y))
            return false;
    }
    return true;
}

static void put_back(struct rewrite *r, const yaml_node_t *node, const yaml_node_t *old);

/* An item of a list is known by all else that is in it: its place in the list says nothing. */
static void put_back_item(struct rewrite *r, const yaml_node_t *item, const yaml_node_t *old)
{
    for (size_t i = 0; i < children(old); i++) {
        const yaml_node_t *was =
            yaml_document_get_node(r->old, old->data.sequence.items.start[i]);

        if (alike(r, item, was)) {
            put_back(r, item, was);
            return;
        }
    }
}

static void put_back(struct rewrite *r, const yaml_node_t *node, const yaml_node_t *old)
{
    if (node == NULL || old == NULL || node->type != old->type)
        return;
    if (node->type == YAML_SEQUENCE_NODE)
        for (size_t i = 0; i < children(node); i++)
            put_back_item(r, yaml_document_get_node(r->doc, node->data.sequence.items.start[i]),
                          old);
    if (node->type != YAML_MAPPING_NODE)
        return;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const char *name = scalar(yaml_document_get_node(r->doc, p->key));
        const yaml_node_t *value = yaml_document_get_node(r->doc, p->value);
        const yaml_node_t *was = member(r->old, old, name);

        if (!masked(name, value))
            put_back(r, value, was);
        else if (scalar(was) != NULL)
            replace(r, value, scalar(was), was);
    }
}

/* ---- texts ------------------------------------------------------------------------------- */

static bool parser_of(yaml_parser_t *parser, const char *text)
{
    if (!yaml_parser_initialize(parser))
        return false;
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const uint8_t *)text, strlen(text));
    return true;
}

/* NULL when memory ran out. */
static char *finish(struct rewrite *r, struct arena *a)
{
    char *made, *out;

    text_put(&r->out, "%s", r->text + r->copied);
    made = text_done(&r->out);
    if (made == NULL)
        return NULL;
    out = arena_text(a, made);
    explicit_bzero(made, strlen(made));
    free(made);
    return out;
}

char *config_mask(struct arena *a, const char *text)
{
    struct rewrite r = { .text = text };
    yaml_parser_t parser;
    yaml_document_t doc;
    char *out;

    if (!parser_of(&parser, text))
        return NULL;
    if (yaml_parser_load(&parser, &doc)) {
        r.doc = &doc;
        hide(&r, yaml_document_get_root_node(&doc));
        yaml_document_delete(&doc);
        out = finish(&r, a);
    } else {
        out = arena_text(a, "# not readable as YAML\n");
    }
    yaml_parser_delete(&parser);
    return out;
}

/* One component of the stream. */
static void put_back_all(struct rewrite *r, config_old_text *old, void *context)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->doc);
    const char *kind = NULL, *name = NULL, *was;
    yaml_document_t doc;
    yaml_parser_t parser;

    if (root != NULL && root->type == YAML_MAPPING_NODE && children(root) > 0) {
        yaml_node_pair_t *first = root->data.mapping.pairs.start;

        kind = scalar(yaml_document_get_node(r->doc, first->key));
        name = scalar(yaml_document_get_node(r->doc, first->value));
    }
    was = kind == NULL || name == NULL ? NULL : old(context, kind, name);
    if (was == NULL || !parser_of(&parser, was))
        return;
    if (yaml_parser_load(&parser, &doc)) {
        r->old = &doc;
        r->old_text = was;
        put_back(r, root, yaml_document_get_root_node(&doc));
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
}

char *config_unmask(struct arena *a, const char *yaml, config_old_text *old, void *context)
{
    struct rewrite r = { .text = yaml };
    yaml_parser_t parser;
    yaml_document_t doc;
    bool more = strstr(yaml, CONFIG_MASK) != NULL;

    if (!more)
        return arena_text(a, yaml);
    if (!parser_of(&parser, yaml))
        return NULL;
    while (more && yaml_parser_load(&parser, &doc)) {
        more = yaml_document_get_root_node(&doc) != NULL;
        r.doc = &doc;
        if (more)
            put_back_all(&r, old, context);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return finish(&r, a);
}
