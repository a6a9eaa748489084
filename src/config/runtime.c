#include "config/schema_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Builds the tree of the only document and walks it. */
static bool load(struct config_runtime *c, yaml_parser_t *parser, struct span yaml,
                 struct config_problems *ps)
{
    struct walk w = { .arena = &c->arena, .ps = ps, .file = c->file };
    yaml_document_t doc;
    const yaml_node_t *root;

    if (!yaml_parser_load(parser, &doc)) {
        scan_parser_problem(parser, yaml, c->file, ps);
        return false;
    }
    w.doc = &doc;
    root = yaml_document_get_root_node(&doc);
    if (root == NULL || root->type != YAML_MAPPING_NODE)
        walk_problem(&w, root,
                     "the file must hold settings, at least "
                     "runtime: {data_directory: /var/lib/waybill}");
    else
        schema_load(&w, &mapping_runtime, root, c);
    c->places = w.places;
    yaml_document_delete(&doc);
    if (c->arena.failed)
        walk_problem(&w, NULL, "out of memory");
    return !w.failed;
}

struct config_runtime *config_runtime_parse(struct span yaml, const char *file,
                                            struct config_problems *ps)
{
    struct config_runtime *c = calloc(1, sizeof(*c));
    yaml_parser_t parser;
    size_t *starts, n;
    bool ok = false;

    if (c == NULL || (c->file = arena_text(&c->arena, file)) == NULL) {
        config_problem_add(ps, file, 0, 0, "out of memory");
    } else if (scan_text(yaml, file, &c->arena, &starts, &n, ps)) {
        if (n != 1) {
            config_problem_add(ps, file, 1, 1,
                               n == 0 ? "the file is empty; write at least runtime: "
                                        "{data_directory: /var/lib/waybill}"
                                      : "the file holds several documents (---); components "
                                        "belong in a file for `waybill apply`");
        } else if (!yaml_parser_initialize(&parser)) {
            config_problem_add(ps, file, 0, 0, "out of memory");
        } else {
            yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
            yaml_parser_set_input_string(&parser, yaml.p, yaml.n);
            ok = load(c, &parser, yaml, ps);
            yaml_parser_delete(&parser);
        }
    }
    if (ok)
        return c;
    config_runtime_free(c);
    return NULL;
}

/* At most CONFIG_TEXT_MAX + 1 octets, so that the parser can say that it is too long. */
static uint8_t *read_file(const char *path, size_t *n, struct config_problems *ps)
{
    const size_t cap = CONFIG_TEXT_MAX + 1;
    uint8_t *text = malloc(cap);
    int fd = -1;
    ssize_t got;

    *n = 0;
    if (text != NULL)
        do {
            fd = open(path, O_RDONLY | O_CLOEXEC);
        } while (fd < 0 && errno == EINTR);
    got = fd < 0 ? -1 : 1;
    while (got > 0 && *n < cap) {
        got = read(fd, text + *n, cap - *n);
        if (got > 0)
            *n += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got < 0) {
        config_problem_add(ps, path, 0, 0, "cannot be read: %s", strerror(errno));
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        (void)close(fd);
    return text;
}

struct config_runtime *config_runtime_load(const char *path, struct config_problems *ps)
{
    struct config_runtime *c = NULL;
    size_t n;
    uint8_t *text = read_file(path, &n, ps);

    if (text != NULL)
        c = config_runtime_parse(span_of(text, n), path, ps);
    free(text);
    return c;
}

void config_runtime_free(struct config_runtime *c)
{
    if (c == NULL)
        return;
    arena_free(&c->arena);
    free(c);
}
