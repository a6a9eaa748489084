/* A stream of components: one YAML document each. */
#include "config/schema_int.h"

#include <stdlib.h>

static const char *const kinds[] = {
    [CONFIG_CERTIFICATE] = "certificate",
    [CONFIG_IDENTITY] = "identity",
    [CONFIG_PARTNER] = "partner",
    [CONFIG_PROCESS] = "process",
};

const struct mapping *const component_mappings[] = {
    [CONFIG_CERTIFICATE] = &mapping_certificate,
    [CONFIG_IDENTITY] = &mapping_identity,
    [CONFIG_PARTNER] = &mapping_partner,
    [CONFIG_PROCESS] = &mapping_process,
};

const char *config_kind_name(enum config_kind kind)
{
    return (size_t)kind < COUNT_OF(kinds) ? kinds[kind] : "unknown";
}

bool config_kind_of(const char *name, enum config_kind *kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i], name) == 0) {
            *kind = (enum config_kind)i;
            return true;
        }
    return false;
}

/* The text of a document from its first octet on, without the line that only begins it. */
static struct span own_text(struct span text)
{
    size_t n = 3;

    if (text.n < 3 || memcmp(text.p, "---", 3) != 0)
        return text;
    while (n < text.n && (text.p[n] == ' ' || text.p[n] == '\t' || text.p[n] == '\r'))
        n++;
    /* "--- {...}": the blanks would become indentation */
    if (n < text.n && text.p[n] == '\n')
        span_skip(&text, n + 1);
    return text;
}

static bool kind_of_document(struct walk *w, const yaml_node_t *root, enum config_kind *kind)
{
    const yaml_node_t *key = NULL;
    const char *name = "", *near;

    if (root != NULL && root->type == YAML_MAPPING_NODE &&
        root->data.mapping.pairs.top > root->data.mapping.pairs.start)
        key = walk_node(w, root->data.mapping.pairs.start->key);
    if (key != NULL && key->type == YAML_SCALAR_NODE)
        name = (const char *)key->data.scalar.value;
    if (config_kind_of(name, kind))
        return true;
    near = scalar_nearest(name, kinds, COUNT_OF(kinds));
    walk_problem(w, key != NULL ? key : root,
                 "a component begins with its kind and name: certificate:, identity:, partner: "
                 "or process:%s%s%s",
                 near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                 near != NULL ? "'?" : "");
    return false;
}

static struct config_component *component_new(const char *file, struct span text)
{
    struct config_component *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->file = arena_text(&c->arena, file);
    c->text = arena_copy(&c->arena, own_text(text));
    return c;
}

/* One document. True with *out NULL: there is nothing in it (only comments). */
static bool load_one(yaml_document_t *doc, const char *file, struct span text,
                     struct config_component **out, struct config_problems *ps)
{
    struct config_component *c = component_new(file, text);
    struct walk w = {
        .arena = c == NULL ? NULL : &c->arena, .ps = ps, .file = file, .doc = doc
    };
    const yaml_node_t *root = yaml_document_get_root_node(doc);

    if (c == NULL) {
        walk_problem(&w, NULL, "out of memory");
        return false;
    }
    if (root == NULL || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)) {
        config_component_free(c);
        *out = NULL;
        return true;
    }
    if (kind_of_document(&w, root, &c->kind)) {
        c->at = walk_at(root);
        schema_load(&w, component_mappings[c->kind], root, c);
        c->places = w.places;
    }
    if (c->arena.failed)
        walk_problem(&w, NULL, "out of memory");
    if (w.failed) {
        config_component_free(c);
        return false;
    }
    *out = c;
    return true;
}

/* All documents; goes on after a bad one, so that all problems are told at once. */
static bool load_all(yaml_parser_t *parser, struct span yaml, const char *file,
                     const size_t *starts, size_t n, struct config_component **list,
                     size_t *loaded, struct config_problems *ps)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        size_t from = i == 0 ? 0 : starts[i], to = i + 1 < n ? starts[i + 1] : yaml.n;
        struct config_component *c = NULL;
        yaml_document_t doc;

        if (!yaml_parser_load(parser, &doc)) {
            scan_parser_problem(parser, yaml, file, ps);
            return false;
        }
        if (!load_one(&doc, file, span_of(yaml.p + from, to - from), &c, ps))
            ok = false;
        else if (c != NULL)
            list[(*loaded)++] = c;
        yaml_document_delete(&doc);
    }
    return ok;
}

static void free_all(struct config_component **list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++)
        config_component_free(list[i]);
    free(list);
}

bool config_components_parse(struct span yaml, const char *file,
                             struct config_component ***list, size_t *n,
                             struct config_problems *ps)
{
    struct arena scratch = { 0 };
    struct config_component **all = NULL;
    size_t *starts = NULL, documents = 0, loaded = 0;
    yaml_parser_t parser;
    bool ok = false;

    *list = NULL;
    *n = 0;
    if (!scan_text(yaml, file, &scratch, &starts, &documents, ps))
        goto out;
    all = calloc(documents + 1, sizeof(struct config_component *));
    if (all == NULL || !yaml_parser_initialize(&parser)) {
        config_problem_add(ps, file, 0, 0, "out of memory");
        goto out;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, yaml.n > 0 ? yaml.p : (const uint8_t *)"", yaml.n);
    ok = load_all(&parser, yaml, file, starts, documents, all, &loaded, ps);
    yaml_parser_delete(&parser);
    if (ok && loaded == 0) {
        config_problem_add(ps, file, 1, 1, "there is no component in it");
        ok = false;
    }
    if (ok) {
        *list = all;
        *n = loaded;
        all = NULL;
    }
out:
    free_all(all, loaded);
    arena_free(&scratch);
    return ok;
}

void config_component_free(struct config_component *c)
{
    if (c == NULL)
        return;
    arena_free(&c->arena);
    free(c);
}
