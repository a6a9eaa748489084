/* The configuration reference in Markdown, from the rows. */
#include "config/schema_int.h"
#include "config/text_int.h"

#include <ctype.h>

static const char opening[] =
    "# Configuration\n"
    "\n"
    "This page is made from the program's own tables of settings: what it says is what the\n"
    "program checks. `waybill dump` prints the settings in force, defaults included.\n"
    "\n"
    "There are two kinds of text, both YAML:\n"
    "\n"
    "- [`waybill.yaml`](#waybillyaml), one file with the settings of the runtime itself.\n"
    "- *Components*, applied with `waybill apply -f FILE`, the API or the console, and kept with\n"
    "  their versions in the store: [certificates](#certificate), [identities](#identity),\n"
    "  [partners](#partner) and [processes](#process). A file may hold several, with a line `---`\n"
    "  between them. The first setting of each tells its kind and its name.\n"
    "\n"
    "Unknown settings, settings given twice, values of the wrong type or out of range, missing\n"
    "settings and references that lead nowhere are errors with file, line and column, and nothing\n"
    "is applied then. `waybill check` does the same without applying anything.\n"
    "\n"
    "## Values\n"
    "\n"
    "| Type | How it is written |\n"
    "| --- | --- |\n"
    "| text | As it is, or in quotes when YAML would read something else in it. |\n"
    "| true or false | `true`, `false`, `yes` or `no`. |\n"
    "| number | Digits only. |\n"
    "| duration | A number with its unit, without blank: `500ms`, `60s`, `15m`, `24h`, `30d`. "
    "Only 0 needs no unit. |\n"
    "| size | Octets, or with a power of 1024: `4096`, `512K`, `100M`, `2G`, `1T`. |\n"
    "| secret | The value, or `{secret: name}`: see [Secrets](#secrets). |\n"
    "| certificate, identity, partner | The name of a component of this kind. *With key*: one that "
    "has a `key_file` or `pkcs12_file`. |\n"
    "| template | Text with `{{names}}` in it: see [Templates](#templates). |\n"
    "\n"
    "Directories and files are absolute paths. YAML anchors, aliases and tags are not used. A text\n"
    "has at most 4 MB.\n"
    "\n";

static const char secrets[] =
    "## Secrets\n"
    "\n"
    "A password given in place is kept in the store with its component. Better is `{secret: name}`,\n"
    "which is looked up each time it is needed, in this order:\n"
    "\n"
    "1. The environment variable `WAYBILL_SECRET_<NAME>`: the name in capitals, with `_` for each\n"
    "   `-` and `.`.\n"
    "2. The first line of the file of that name in `secrets_directory`.\n"
    "\n"
    "Passwords of OFTP2 have at most 8 octets. `password: {any: true}` is not a password: it accepts\n"
    "whatever the partner sends, which is only wise where TLS certificates tell partners apart.\n"
    "\n";

static const char components[] =
    "## Components\n"
    "\n"
    "Names are 1 to 64 of `a-z 0-9 - _ .` and begin with a letter or digit. Components of different\n"
    "kinds may have the same name.\n"
    "\n";

/* As GitHub makes them from headings. */
static void anchor(struct text *t, const char *heading)
{
    for (; *heading != '\0'; heading++)
        if (isalnum((unsigned char)*heading) || *heading == '_' || *heading == '-')
            text_put(t, "%c", tolower((unsigned char)*heading));
        else if (*heading == ' ')
            text_put(t, "-");
}

/* In a table a bar would end the cell. */
static void cell(struct text *t, const char *value)
{
    for (; *value != '\0'; value++)
        text_put(t, *value == '|' ? "\\%c" : "%c", *value);
}

static void type(struct text *t, const struct row *row)
{
    static const char *const names[] = {
        [ROW_TEXT] = "text",
        [ROW_BOOL] = "true or false",
        [ROW_MAYBE] = "true or false",
        [ROW_NUMBER] = "number",
        [ROW_PORT] = "port",
        [ROW_DURATION] = "duration",
        [ROW_SIZE] = "size",
        [ROW_SECRET] = "secret",
        [ROW_PASSWORD] = "secret, or `{any: true}`",
        [ROW_TEXTS] = "list of text",
    };
    static const char *const kinds[] = {
        [REFERS_CERTIFICATE] = "certificate", [REFERS_KEY] = "certificate with key",
        [REFERS_PARTNER] = "partner",         [REFERS_IDENTITY] = "identity",
        [REFERS_PARTNER_AS2] = "partner",     [REFERS_IDENTITY_AS2] = "identity",
        [REFERS_PARTNER_ANY] = "partner",     [REFERS_IDENTITY_ANY] = "identity",
    };

    if (row->refers != REFERS_NOWHERE) {
        text_put(t, row->type == ROW_TEXTS ? "list of %ss" : "%s", kinds[row->refers]);
    } else if (row->words != NULL) {
        text_put(t, row->type == ROW_TEXTS ? "list of some of" : "one of");
        for (const struct word *w = row->words; w->name != NULL; w++)
            if (w->text == NULL)
                text_put(t, "%s `%s`", w == row->words ? "" : ",", w->name);
    } else if (row->sub != NULL) {
        text_put(t, "%s[", row->type == ROW_MAP ? "" : "list of ");
        text_put(t, row->type == ROW_MAP ? "mapping" : "mappings");
        text_put(t, "](#");
        anchor(t, row->sub->name);
        text_put(t, ")");
        if (row->other != NULL) {
            text_put(t, ", with `%s` [another](#", row->when);
            anchor(t, row->other->name);
            text_put(t, ")");
        }
        if (row->flags & ROW_SWITCH)
            text_put(t, ", or `true` or `false`");
    } else if (row->flags & ROW_TEMPLATE) {
        text_put(t, row->type == ROW_TEXTS ? "list of templates" : "template");
    } else {
        text_put(t, "%s", names[row->type]);
    }
}

static void limits(struct text *t, const struct row *row)
{
    char range[80];

    schema_limits(row, range);
    if (range[0] != '\0')
        text_put(t, "%s", range);
    else if (row->type == ROW_TEXT && row->max > 0)
        text_put(t, "%llu octets", (unsigned long long)row->max);
    else if (row->type == ROW_SECRET || row->type == ROW_PASSWORD)
        text_put(t, "%llu octets", (unsigned long long)row->max);
    else if (row->type >= ROW_TEXTS && row->type != ROW_MAP)
        text_put(t, "%llu items",
                 (unsigned long long)(row->max > 0 ? row->max : CONFIG_LIST_MAX));
}

static void one_row(struct text *t, const struct row *row)
{
    text_put(t, "| `%s` | ", row->name);
    type(t, row);
    text_put(t, " | ");
    if (row->flags & ROW_REQUIRED)
        text_put(t, "*required*");
    else if (row->def_shown != NULL)
        cell(t, row->def_shown);
    else if (row->def != NULL)
        text_put(t, "`%s`", row->def);
    else if (row->type == ROW_BOOL)
        text_put(t, "`false`");
    text_put(t, " | ");
    limits(t, row);
    text_put(t, " | ");
    cell(t, row->help);
    text_put(t, " |\n");
}

/* Whether m is below `under`, which has a section already. */
static bool has_section(const struct mapping *under, const struct mapping *m)
{
    for (size_t i = 0; i < under->rows_n; i++)
        if (under->rows[i].sub == m)
            return true;
    return false;
}

/* One section for a mapping and one for each below it, but for those below `done`. */
static void section(struct text *t, const struct mapping *m, const char *level,
                    const struct mapping *done)
{
    text_put(t, "%s %s\n\n%s\n\n", level, m->name, m->help);
    if (m->example != NULL)
        text_put(t, "```yaml\n%s```\n\n", m->example);
    text_put(t, "| Setting | Type | Default | Limits | Meaning |\n"
                "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < m->rows_n; i++)
        one_row(t, &m->rows[i]);
    text_put(t, "\n");
    for (size_t i = 0; i < m->rows_n; i++) {
        const struct row *row = &m->rows[i];

        if (row->sub != NULL && (done == NULL || !has_section(done, row->sub)))
            section(t, row->sub, "####", done);
        if (row->other != NULL)
            section(t, row->other, "####", row->sub);
    }
}

static void templates(struct text *t)
{
    text_put(t,
             "## Templates\n\n"
             "`{{name}}` stands for a property of the document or of the run. What a document "
             "does not have is empty.\n\n"
             "| Name | Value |\n| --- | --- |\n");
    for (const struct template_name *n = template_names; n->name != NULL; n++)
        text_put(t, "| `{{%s}}` | %s |\n", n->name, n->help);
}

char *config_reference(void)
{
    struct text t = { 0 };

    text_put(&t, "%s%s", opening, secrets);
    section(&t, &mapping_runtime, "##", NULL);
    text_put(&t, "%s", components);
    for (size_t i = 0; i < COUNT_OF(component_mappings); i++)
        section(&t, component_mappings[i], "###", NULL);
    templates(&t);
    return text_done(&t);
}
