/* One value by its row: type, limits, words; or the row's default, which is read the same way,
 * so that a default out of its own limits is found by the first test. */
#include "config/schema_int.h"

#include <stdio.h>
#include <strings.h>

static void *at(void *target, size_t offset)
{
    return (uint8_t *)target + offset;
}

static bool tagged(const yaml_node_t *node)
{
    const char *usual = node->type == YAML_SCALAR_NODE     ? YAML_STR_TAG
                        : node->type == YAML_SEQUENCE_NODE ? YAML_SEQ_TAG
                                                           : YAML_MAP_TAG;

    return node->tag != NULL && strcmp((const char *)node->tag, usual) != 0;
}

static bool is_kind(struct walk *w, const yaml_node_t *node, yaml_node_type_t type,
                    const char *what, const char *wanted)
{
    if (node->type == YAML_SCALAR_NODE && type != YAML_SCALAR_NODE &&
        node->data.scalar.length == 0)
        walk_problem(w, node, "'%s' has no value; write %s, or remove the line", what, wanted);
    else if (node->type != type)
        walk_problem(w, node, "'%s' must be %s", what, wanted);
    else if (tagged(node))
        walk_problem(w, node, "'%s' has a YAML tag (!...), which means nothing here; remove it",
                     what);
    else
        return true;
    return false;
}

const char *walk_scalar(struct walk *w, const yaml_node_t *node, const char *what)
{
    const char *text;

    if (!is_kind(w, node, YAML_SCALAR_NODE, what, "a single value"))
        return NULL;
    text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        walk_problem(w, node, "'%s' has a NUL character in it; remove it", what);
        return NULL;
    }
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (*text == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0)) {
        walk_problem(w, node, "'%s' has no value; write one, or remove the line", what);
        return NULL;
    }
    return text;
}

/* ---- texts ---- */

static bool printable(const char *text, bool lines)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' || *text == 0x7F) &&
            !(lines && (*text == '\n' || *text == '\r' || *text == '\t')))
            return false;
    return true;
}

static const struct word *word_of(const struct row *row, const char *text)
{
    for (const struct word *word = row->words; word->name != NULL; word++)
        if (strcmp(word->name, text) == 0)
            return word;
    return NULL;
}

static void no_such_word(struct walk *w, const struct row *row, const yaml_node_t *node,
                         const char *text)
{
    char known[400] = "";
    size_t n = 0;

    for (const struct word *word = row->words; word->name != NULL && n < sizeof(known); word++)
        if (word->text == NULL)
            n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n == 0 ? "" : ", ",
                                  word->name);
    walk_problem(w, node, "'%s' must be one of %s, not '%s'", row->name, known,
                 walk_shown(w, text));
}

static bool text_fits(struct walk *w, const struct row *row, const yaml_node_t *node,
                      const char *text)
{
    size_t max = row->max != 0 ? (size_t)row->max : CONFIG_VALUE_MAX;
    const char *wrong = row->check == NULL || *text == '\0' ? NULL : row->check(text);

    if (*text == '\0' && !(row->flags & ROW_EMPTY))
        walk_problem(w, node, "'%s' is empty; write a value, or remove the line", row->name);
    else if (strlen(text) > max)
        walk_problem(w, node, "'%s' has %zu octets; at most %zu are allowed", row->name,
                     strlen(text), max);
    else if (!printable(text, (row->flags & ROW_LINES) != 0))
        walk_problem(w, node, "'%s' has control characters in it; remove them", row->name);
    else if (wrong != NULL)
        walk_problem(w, node, "'%s' %s, not '%s'", row->name, wrong, walk_shown(w, text));
    else
        return true;
    return false;
}

static void put_text(struct walk *w, const struct row *row, const yaml_node_t *node,
                     const char *text, void *target)
{
    const char **value = at(target, row->offset);

    if (node != NULL && !text_fits(w, row, node, text))
        return;
    *value = arena_text(w->arena, text);
    walk_place(w, node, value);
}

static void put_word(struct walk *w, const struct row *row, const yaml_node_t *node,
                     const char *text, void *target)
{
    const struct word *word = word_of(row, text);

    if (word == NULL) {
        no_such_word(w, row, node, text);
        return;
    }
    if (row->type == ROW_CHOICE)
        *(int *)at(target, row->offset) = word->value;
    else if (row->type == ROW_EITHER)
        *(bool *)at(target, row->offset) = word->value != 0;
    else
        *(const char **)at(target, row->offset) = word->text ? word->text : word->name;
    walk_place(w, node, at(target, row->offset));
}

/* ---- numbers ---- */

static void quantity_text(const struct row *row, uint64_t v, char text[24])
{
    if (row->type == ROW_DURATION)
        scalar_duration_text(v, text);
    else if (row->type == ROW_SIZE)
        scalar_size_text(v, text);
    else
        (void)snprintf(text, 24, "%llu", (unsigned long long)v);
}

void schema_limits(const struct row *row, char text[80])
{
    char min[24], max[24];

    text[0] = '\0';
    if (row->type < ROW_NUMBER || row->type > ROW_SIZE)
        return;
    quantity_text(row, row->min, min);
    quantity_text(row, row->max, max);
    (void)snprintf(text, 80, "%s%s to %s", row->flags & ROW_ZERO ? "0, or " : "", min, max);
}

static bool quantity(const struct row *row, const char *text, uint64_t *v)
{
    if (row->type == ROW_DURATION)
        return scalar_duration(text, v);
    if (row->type == ROW_SIZE)
        return scalar_size(text, v);
    return scalar_number(text, v);
}

static void put_quantity(struct walk *w, const struct row *row, const yaml_node_t *node,
                         const char *text, void *target)
{
    static const char *const wanted[] = {
        [ROW_NUMBER] = "a whole number",
        [ROW_PORT] = "a port number",
        [ROW_DURATION] = "a time with its unit, such as 500ms, 60s, 15m, 24h or 30d",
        [ROW_SIZE] = "a size in octets, such as 4096, 512K, 100M or 2G",
    };
    void *value = at(target, row->offset);
    char limits[80];
    uint64_t v;

    schema_limits(row, limits);
    if (!quantity(row, text, &v)) {
        walk_problem(w, node, "'%s' must be %s (%s), not '%s'", row->name, wanted[row->type],
                     limits, walk_shown(w, text));
        return;
    }
    if ((v < row->min || v > row->max) && !(v == 0 && (row->flags & ROW_ZERO))) {
        walk_problem(w, node, "'%s' is %s, which is out of range; it must be %s", row->name,
                     walk_shown(w, text), limits);
        return;
    }
    if (row->type == ROW_NUMBER)
        *(uint32_t *)value = (uint32_t)v;
    else if (row->type == ROW_PORT)
        *(uint16_t *)value = (uint16_t)v;
    else
        *(uint64_t *)value = v;
    walk_place(w, node, value);
}

static void put_bool(struct walk *w, const struct row *row, const yaml_node_t *node,
                     const char *text, void *target)
{
    bool v;

    if (!scalar_bool(text, &v)) {
        walk_problem(w, node, "'%s' must be true or false, not '%s'", row->name,
                     walk_shown(w, text));
        return;
    }
    if (row->type == ROW_MAYBE)
        *(int *)at(target, row->offset) = v;
    else
        *(bool *)at(target, row->offset) = v;
    walk_place(w, node, at(target, row->offset));
}

/* ---- secrets; their values never get into a problem ---- */

static void put_secret_text(struct walk *w, const struct row *row, const yaml_node_t *node,
                            struct config_secret *s)
{
    const char *text = walk_scalar(w, node, row->name);

    if (text == NULL)
        return;
    if (strcmp(text, CONFIG_MASK) == 0)
        walk_problem(w, node,
                     "'%s' is hidden (" CONFIG_MASK
                     "), and there is none before it that it could "
                     "be left at; write it, or {secret: name}",
                     row->name);
    else if (*text == '\0' && row->type == ROW_PASSWORD)
        walk_problem(w, node, "'%s' is empty; write {any: true} when it shall not be checked",
                     row->name);
    else if (strlen(text) > row->max)
        walk_problem(w, node, "'%s' has %zu octets; at most %llu are allowed", row->name,
                     strlen(text), (unsigned long long)row->max);
    else if (!printable(text, false))
        walk_problem(w, node, "'%s' has control characters in it; remove them", row->name);
    else
        s->value = arena_text(w->arena, text);
}

static void put_secret_name(struct walk *w, const yaml_node_t *node, struct config_secret *s)
{
    const char *name = walk_scalar(w, node, "secret");
    const char *wrong = name == NULL ? NULL : check_name(name);

    if (wrong != NULL)
        walk_problem(w, node, "'secret' %s, not '%s'", wrong, walk_shown(w, name));
    else if (name != NULL)
        s->name = arena_text(w->arena, name);
}

static void put_secret(struct walk *w, const struct row *row, const yaml_node_t *node,
                       void *target)
{
    struct config_secret *s = at(target, row->offset);
    const yaml_node_t *name = walk_find(w, node, "secret");
    const yaml_node_t *any = row->type == ROW_PASSWORD ? walk_find(w, node, "any") : NULL;
    const char *text = any == NULL ? NULL : walk_scalar(w, any, "any");
    bool yes = false;

    s->at = walk_at(node);
    walk_place(w, node, s);
    if (node->type == YAML_SCALAR_NODE) {
        put_secret_text(w, row, node, s);
        return;
    }
    if (node->type != YAML_MAPPING_NODE ||
        node->data.mapping.pairs.top - node->data.mapping.pairs.start != 1 ||
        (name == NULL && any == NULL))
        walk_problem(w, node, "'%s' must be the value itself%s", row->name,
                     row->type == ROW_PASSWORD
                         ? ", {secret: name} to read it from the secrets directory, or "
                           "{any: true} to accept any"
                         : " or {secret: name} to read it from the secrets directory");
    else if (name != NULL)
        put_secret_name(w, name, s);
    else if (text != NULL && scalar_bool(text, &yes) && yes)
        *(bool *)at(target, row->also) = true;
    else if (text != NULL)
        walk_problem(w, any,
                     "'any' can only be true; to check the password, write it or "
                     "{secret: name} instead");
}

/* ---- lists ---- */

static size_t list_items(struct walk *w, const struct row *row, const yaml_node_t *node,
                         const char *wanted)
{
    size_t max = row->max != 0 ? (size_t)row->max : CONFIG_LIST_MAX, n;

    if (!is_kind(w, node, YAML_SEQUENCE_NODE, row->name, wanted))
        return 0;
    n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n > max) {
        walk_problem(w, node, "'%s' has %zu items; at most %zu are allowed", row->name, n, max);
        return 0;
    }
    if (n == 0 && (row->flags & ROW_REQUIRED))
        walk_problem(w, node, "'%s' is empty; it needs at least one item", row->name);
    return n;
}

static void put_texts(struct walk *w, const struct row *row, const yaml_node_t *node,
                      void *target)
{
    size_t n = list_items(w, row, node, "a list, such as [a, b]");
    const char **texts = arena_take(w->arena, (n + 1) * sizeof(*texts));
    struct row item = *row;

    if (texts == NULL)
        return;
    item.max = 0;
    walk_place(w, node, at(target, row->offset));
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *value = walk_node(w, node->data.sequence.items.start[i]);
        const char *text = walk_scalar(w, value, row->name);

        texts[i] = "";
        if (text == NULL || !text_fits(w, &item, value, text))
            continue;
        if (row->words != NULL) {
            const struct word *word = word_of(row, text);

            if (word == NULL)
                no_such_word(w, row, value, text);
            else
                text = word->text != NULL ? word->text : word->name;
        }
        texts[i] = arena_text(w->arena, text);
        walk_place(w, value, &texts[i]);
    }
    *(const char *const **)at(target, row->offset) = texts;
}

/* An item {write: ...}: which kind it is, and its settings. */
static void put_step(struct walk *w, const struct row *row, const yaml_node_t *node, void *item)
{
    const struct mapping *kinds = row->sub;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    struct mapping one = *kinds;
    const char *name = "";

    if (node->data.mapping.pairs.top - pair == 1 &&
        walk_node(w, pair->key)->type == YAML_SCALAR_NODE)
        name = (const char *)walk_node(w, pair->key)->data.scalar.value;
    for (unsigned k = 0; k < kinds->rows_n; k++) {
        if (strcmp(kinds->rows[k].name, name) != 0)
            continue;
        one.rows = &kinds->rows[k];
        one.rows_n = 1;
        memcpy(at(item, kinds->kind - 1), &k, sizeof(k));
        schema_load(w, &one, node, item);
        return;
    }
    if (*name == '\0') {
        walk_problem(w, node,
                     "an item of '%s' is one mapping with one name, such as "
                     "- write: {directory: /srv/in}",
                     row->name);
        return;
    }
    schema_load(w, kinds, node, item); /* says what the name should be */
}

static void put_list(struct walk *w, const struct row *row, const yaml_node_t *node,
                     void *target)
{
    size_t n = list_items(w, row, node, "a list of mappings (lines that begin with '- ')");
    uint8_t *items = n == 0 ? NULL : arena_take(w->arena, n * row->sub->size);

    for (size_t i = 0; items != NULL && i < n; i++) {
        const yaml_node_t *value = walk_node(w, node->data.sequence.items.start[i]);
        uint8_t *item = items + i * row->sub->size;

        if (!is_kind(w, value, YAML_MAPPING_NODE, row->name,
                     "a list of mappings (lines such as '- name: value')"))
            continue;
        if (row->type == ROW_STEPS)
            put_step(w, row, value, item);
        else
            schema_load(w, row->sub, value, item);
    }
    memcpy(at(target, row->offset), &items, sizeof(items));
    if (items != NULL)
        memcpy(at(target, row->also), &n, sizeof(n));
}

/* {enabled: yes} in one word: the rest of the mapping has its defaults. */
static void put_switch(struct walk *w, const struct row *row, const yaml_node_t *node,
                       void *target)
{
    const char *text = walk_scalar(w, node, row->name);
    bool on;

    schema_load(w, row->sub, NULL, target);
    if (text == NULL)
        return;
    if (scalar_bool(text, &on))
        *(bool *)at(target, row->sub->rows[0].offset) = on;
    else
        walk_problem(w, node,
                     "'%s' must be true, false or a mapping (lines such as 'name: value' below "
                     "it), not '%s'",
                     row->name, walk_shown(w, text));
}

static void put_map(struct walk *w, const struct row *row, const yaml_node_t *node,
                    void *target)
{
    void *sub = at(target, row->offset);

    if ((row->flags & ROW_SWITCH) && node != NULL && node->type == YAML_SCALAR_NODE) {
        put_switch(w, row, node, sub);
        return;
    }
    if (node != NULL && !is_kind(w, node, YAML_MAPPING_NODE, row->name,
                                 "a mapping (lines such as 'name: value' below it)"))
        node = NULL;
    else if (node != NULL && row->also != 0)
        *(bool *)at(target, row->also) = true;
    schema_load(w, row_sub(row, target), node, sub);
}

static void put_scalar(struct walk *w, const struct row *row, const yaml_node_t *node,
                       const char *text, void *target)
{
    switch (row->type) {
    case ROW_TEXT:
        put_text(w, row, node, text, target);
        break;
    case ROW_WORD:
    case ROW_CHOICE:
    case ROW_EITHER:
        put_word(w, row, node, text, target);
        break;
    case ROW_BOOL:
    case ROW_MAYBE:
        put_bool(w, row, node, text, target);
        break;
    default:
        put_quantity(w, row, node, text, target);
        break;
    }
}

void schema_value(struct walk *w, const struct row *row, const yaml_node_t *node, void *target)
{
    const char *text = row->def;

    if (row->type == ROW_MAP) {
        put_map(w, row, node, target);
    } else if (row->type >= ROW_SECRET) {
        if (node == NULL)
            return;
        if (row->type == ROW_TEXTS)
            put_texts(w, row, node, target);
        else if (row->type == ROW_LIST || row->type == ROW_STEPS)
            put_list(w, row, node, target);
        else
            put_secret(w, row, node, target);
    } else {
        if (row->type == ROW_MAYBE)
            *(int *)at(target, row->offset) = -1;
        if (node != NULL)
            text = walk_scalar(w, node, row->name);
        if (text != NULL)
            put_scalar(w, row, node, text, target);
    }
}
