/* First pass over a YAML text: events only, so that nothing grows with what the text says. */
#include "config/schema_int.h"

#include <stdio.h>

struct scan {
    struct span yaml;
    const char *file;
    struct arena *arena;
    struct config_problems *ps;
    size_t nodes;
    unsigned depth;
    size_t *starts, n, cap;
    struct {
        size_t octet, character;
    } seen; /* libyaml counts characters, we cut octets */
};

static void position_of(struct span yaml, size_t octet, unsigned *line, unsigned *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < octet && i < yaml.n; i++) {
        if (yaml.p[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if ((yaml.p[i] & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

void scan_parser_problem(const yaml_parser_t *parser, struct span yaml, const char *file,
                         struct config_problems *ps)
{
    const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    unsigned column = (unsigned)parser->problem_mark.column + 1;

    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        config_problem_add(ps, file, 0, 0, "out of memory");
        return;
    case YAML_READER_ERROR:
        position_of(yaml, parser->problem_offset, &line, &column);
        config_problem_add(ps, file, line, column,
                           "not readable as UTF-8 text: %s; save the file as UTF-8", problem);
        return;
    default:
        break;
    }
    if (strstr(problem, "cannot start any token") != NULL)
        config_problem_add(ps, file, line, column,
                           "not valid YAML: %s here; indent with blanks, not tabs, and quote "
                           "values that begin with one of @ ` %% { [ * & !",
                           problem);
    else if (parser->context != NULL)
        config_problem_add(ps, file, line, column,
                           "not valid YAML: %s (%s that begins in line %zu)", problem,
                           parser->context, parser->context_mark.line + 1);
    else
        config_problem_add(ps, file, line, column, "not valid YAML: %s", problem);
}

static bool refuse(struct scan *s, const yaml_event_t *e, const char *text)
{
    config_problem_add(s->ps, s->file, (unsigned)e->start_mark.line + 1,
                       (unsigned)e->start_mark.column + 1, "%s", text);
    return false;
}

/* Marks come in ascending order, so the text is gone over once. */
static size_t octet_of(struct scan *s, size_t character)
{
    while (s->seen.character < character && s->seen.octet < s->yaml.n) {
        s->seen.octet++;
        while (s->seen.octet < s->yaml.n && (s->yaml.p[s->seen.octet] & 0xC0) == 0x80)
            s->seen.octet++;
        s->seen.character++;
    }
    return s->seen.octet;
}

static bool add_start(struct scan *s, const yaml_event_t *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 16 : 2 * s->cap;
        size_t *more = arena_take(s->arena, cap * sizeof(*more));

        if (more == NULL)
            return refuse(s, e, "out of memory");
        if (s->n > 0)
            memcpy(more, s->starts, s->n * sizeof(*more));
        s->starts = more;
        s->cap = cap;
    }
    s->starts[s->n++] = octet_of(s, e->start_mark.index);
    return true;
}

static bool count_node(struct scan *s, const yaml_event_t *e)
{
    char text[80];

    if (++s->nodes <= CONFIG_NODES_MAX)
        return true;
    (void)snprintf(text, sizeof(text), "more than %d values in one text; split it",
                   CONFIG_NODES_MAX);
    return refuse(s, e, text);
}

static bool event(struct scan *s, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return add_start(s, e);
    case YAML_ALIAS_EVENT:
        return refuse(s, e,
                      "aliases (*name) are not used in this configuration; "
                      "write the value again, or quote it if it is text");
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor != NULL)
            return refuse(s, e,
                          "anchors (&name) are not used in this configuration; "
                          "remove it, or quote the value if it is text");
        return count_node(s, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if ((e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor
                                                 : e->data.sequence_start.anchor) != NULL)
            return refuse(s, e,
                          "anchors (&name) are not used in this configuration; "
                          "remove it");
        if (++s->depth > CONFIG_DEPTH_MAX)
            return refuse(s, e, "nested too deeply; no setting is that deep");
        return count_node(s, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        s->depth--;
        return true;
    default:
        return true;
    }
}

bool scan_text(struct span yaml, const char *file, struct arena *a, size_t **starts, size_t *n,
               struct config_problems *ps)
{
    struct scan s = { .yaml = yaml, .file = file, .arena = a, .ps = ps };
    yaml_parser_t parser;
    bool ok = true, end = false;

    if (yaml.n > CONFIG_TEXT_MAX) {
        config_problem_add(ps, file, 0, 0, "longer than %d octets; split it", CONFIG_TEXT_MAX);
        return false;
    }
    if (!yaml_parser_initialize(&parser)) {
        config_problem_add(ps, file, 0, 0, "out of memory");
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, yaml.n > 0 ? yaml.p : (const uint8_t *)"", yaml.n);
    while (ok && !end) {
        yaml_event_t e;

        if (!yaml_parser_parse(&parser, &e)) {
            scan_parser_problem(&parser, yaml, file, ps);
            ok = false;
            break;
        }
        end = e.type == YAML_STREAM_END_EVENT;
        ok = event(&s, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    if (ok) {
        *starts = s.starts;
        *n = s.n;
    }
    return ok;
}
