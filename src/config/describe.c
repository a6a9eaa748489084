/* The settings of components in JSON, from the rows: what forms are made of. */
#include "config/schema_int.h"
#include "config/text_int.h"

static void json_text(struct text *t, const char *value)
{
    text_put(t, "\"");
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ')
            text_put(t, "\\u%04x", (unsigned)*value);
        else
            text_put(t, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    text_put(t, "\"");
}

/* ,"key":"value" or null. */
static void member(struct text *t, const char *key, const char *value)
{
    text_put(t, ",\"%s\":", key);
    if (value == NULL)
        text_put(t, "null");
    else
        json_text(t, value);
}

static const char *type_name(const struct row *row)
{
    static const char *const names[] = {
        [ROW_TEXT] = "text",     [ROW_WORD] = "choice",   [ROW_CHOICE] = "choice",
        [ROW_EITHER] = "choice", [ROW_BOOL] = "flag",     [ROW_MAYBE] = "flag",
        [ROW_NUMBER] = "number", [ROW_PORT] = "port",     [ROW_DURATION] = "duration",
        [ROW_SIZE] = "size",     [ROW_SECRET] = "secret", [ROW_PASSWORD] = "password",
        [ROW_TEXTS] = "texts",   [ROW_MAP] = "mapping",   [ROW_LIST] = "list",
        [ROW_STEPS] = "steps",
    };

    return names[row->type];
}

static const char *refers_to(const struct row *row)
{
    switch (row->refers) {
    case REFERS_CERTIFICATE:
    case REFERS_KEY:
        return "certificate";
    case REFERS_PARTNER:
    case REFERS_PARTNER_AS2:
    case REFERS_PARTNER_ANY:
        return "partner";
    case REFERS_IDENTITY:
    case REFERS_IDENTITY_AS2:
    case REFERS_IDENTITY_ANY:
        return "identity";
    default:
        return NULL;
    }
}

/* What the partner or identity referred to must have. */
static const char *refers_protocol(const struct row *row)
{
    if (row->refers == REFERS_PARTNER || row->refers == REFERS_IDENTITY)
        return "oftp2";
    if (row->refers == REFERS_PARTNER_AS2 || row->refers == REFERS_IDENTITY_AS2)
        return "as2";
    return NULL;
}

static void flag(struct text *t, const char *key, bool value)
{
    text_put(t, ",\"%s\":%s", key, value ? "true" : "false");
}

static void limits(struct text *t, const struct row *row)
{
    char shown[80];

    schema_limits(row, shown);
    if (row->type >= ROW_NUMBER && row->type <= ROW_SIZE)
        text_put(t, ",\"minimum\":%llu,\"maximum\":%llu", (unsigned long long)row->min,
                 (unsigned long long)row->max);
    else if (row->type == ROW_TEXT || row->type == ROW_SECRET || row->type == ROW_PASSWORD)
        text_put(t, ",\"minimum\":null,\"maximum\":%llu",
                 (unsigned long long)(row->max > 0 ? row->max : CONFIG_VALUE_MAX));
    else if (row->type == ROW_TEXTS || row->type == ROW_LIST || row->type == ROW_STEPS)
        text_put(t, ",\"minimum\":null,\"maximum\":%llu",
                 (unsigned long long)(row->max > 0 ? row->max : CONFIG_LIST_MAX));
    else
        text_put(t, ",\"minimum\":null,\"maximum\":null");
    member(t, "limits", shown[0] != '\0' ? shown : NULL);
}

static void choices(struct text *t, const struct row *row)
{
    bool first = true;

    text_put(t, ",\"choices\":");
    if (row->words == NULL) {
        text_put(t, "null");
        return;
    }
    text_put(t, "[");
    for (const struct word *w = row->words; w->name != NULL; w++) {
        if (w->text != NULL)
            continue; /* a synonym */
        text_put(t, first ? "" : ",");
        json_text(t, w->name);
        first = false;
    }
    text_put(t, "]");
}

/* The setting that tells which of two mappings a row is of. */
static const char *told_by(const struct mapping *m, const struct row *row)
{
    for (size_t i = 0; i < m->rows_n; i++)
        if (m->rows[i].type == ROW_WORD && m->rows[i].offset == row->by)
            return m->rows[i].name;
    return NULL;
}

static void fields(struct text *t, const struct mapping *m);

static void one_field(struct text *t, const struct mapping *m, const struct row *row)
{
    const char *def = row->def;

    if (def == NULL && row->def_shown == NULL && row->type == ROW_BOOL)
        def = "false";
    text_put(t, "{\"name\":");
    json_text(t, row->name);
    member(t, "type", type_name(row));
    flag(t, "required", row->flags & ROW_REQUIRED);
    flag(t, "template", row->flags & ROW_TEMPLATE);
    flag(t, "multiline", row->flags & ROW_LINES);
    flag(t, "secret",
         row->type == ROW_SECRET || row->type == ROW_PASSWORD || (row->flags & ROW_HIDDEN));
    flag(t, "zero", row->flags & ROW_ZERO);
    flag(t, "switch", row->flags & ROW_SWITCH);
    member(t, "default", row->def_shown == NULL ? def : NULL);
    member(t, "default_text", row->def_shown);
    limits(t, row);
    choices(t, row);
    member(t, "refers", refers_to(row));
    member(t, "refers_protocol", refers_protocol(row));
    flag(t, "refers_key", row->refers == REFERS_KEY);
    member(t, "help", row->help);
    if (row->sub != NULL) {
        text_put(t, ",\"fields\":");
        fields(t, row->sub);
    }
    if (row->other != NULL) {
        text_put(t, ",\"other\":{\"when\":");
        json_text(t, row->when);
        member(t, "by", told_by(m, row));
        text_put(t, ",\"fields\":");
        fields(t, row->other);
        text_put(t, "}");
    }
    text_put(t, "}");
}

static void fields(struct text *t, const struct mapping *m)
{
    text_put(t, "[");
    for (size_t i = 0; i < m->rows_n; i++) {
        text_put(t, i == 0 ? "" : ",");
        one_field(t, m, &m->rows[i]);
    }
    text_put(t, "]");
}

char *config_components_schema(void)
{
    struct text t = { 0 };

    text_put(&t, "{\"kinds\":[");
    for (size_t i = 0; i < COUNT_OF(component_mappings); i++) {
        const struct mapping *m = component_mappings[i];

        text_put(&t, "%s{\"kind\":", i == 0 ? "" : ",");
        json_text(&t, m->name);
        member(&t, "help", m->help);
        member(&t, "example", m->example);
        text_put(&t, ",\"fields\":");
        fields(&t, m);
        text_put(&t, "}");
    }
    text_put(&t, "],\"templates\":[");
    for (const struct template_name *n = template_names; n->name != NULL; n++) {
        text_put(&t, "%s{\"name\":", n == template_names ? "" : ",");
        json_text(&t, n->name);
        member(&t, "help", n->help);
        text_put(&t, "}");
    }
    text_put(&t, "]}");
    return text_done(&t);
}
