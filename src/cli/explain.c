/* explain: what an error means and what to do; and the page of all of them. */
#include "base/trouble.h"
#include "cli/cli.h"

static const struct {
    const char *title, *about, *code, *label;
} kinds[TROUBLE_KINDS] = {
    [TROUBLE_EVENT] = { "Events of the log",
                        "Warnings and errors by the event's name. The line itself has the reason, and "
                        "where a setting decides, `look_at` names it.",
                        "Event", "event " },
    [TROUBLE_ESID] = { "OFTP2: why a session ended (ESID)",
                       "`esid=` in the log, `ESID` in a trace; either side may say it.", "Code",
                       "ESID " },
    [TROUBLE_ANSWER] = { "OFTP2: why a file was refused (SFNA, EFNA)",
                         "`sfna=` when it was offered, `efna=` at its end.", "Code",
                         "SFNA and EFNA " },
    [TROUBLE_NERP] = { "OFTP2: negative receipts (NERP)",
                       "`nerp=` in the log, the reason of a `rejected` document.", "Code",
                       "NERP " },
    [TROUBLE_DISPOSITION] = { "AS2: dispositions of MDNs",
                              "Ours, and those of partners' programs.", "Disposition", "" },
    [TROUBLE_HTTP] = { "AS2: statuses of our server",
                       "`status=` of `as2.request.refused`; what the partner's log shows.",
                       "Status", "HTTP status " },
    [TROUBLE_TEXT] = { "Errors by their text",
                       "What stands in many reasons: the system's words and those of libraries.",
                       "Text", "" },
};

/* ---- docs/troubleshooting.md -------------------------------------------------------------- */

/* The pieces of a text, each as code. */
static void put_key(const struct trouble *t, FILE *f)
{
    const char *p = t->key;

    while (*p != '\0') {
        size_t n = strcspn(p, "|");

        fprintf(f, "%s`%.*s`", p == t->key ? "" : ", ", (int)n, p);
        p += n;
        p += *p == '|';
    }
}

static void table(enum trouble_kind kind, FILE *f)
{
    fprintf(f,
            "\n## %s\n\n%s\n\n| %s | Means | Cause | What to do |\n| --- | --- | --- | --- |\n",
            kinds[kind].title, kinds[kind].about, kinds[kind].code);
    for (size_t i = 0; i < COUNT_OF(trouble_tables); i++)
        for (size_t k = 0; k < trouble_tables[i]->n; k++) {
            const struct trouble *t = &trouble_tables[i]->rows[k];

            if (t->kind != kind)
                continue;
            fputs("| ", f);
            put_key(t, f);
            fprintf(f, " | %s | %s | %s |\n", t->means, t->cause, t->cure);
        }
}

void cli_troubleshooting(FILE *f)
{
    fputs(
        "# Troubleshooting\n\n"
        "Find the error's text, code or event here, or paste the line:\n\n"
        "```\n"
        "$ waybill explain 'oftp2.logon.refused address=10.0.0.7:40112 esid=4'\n"
        "$ waybill explain 17         # the reason of document 17\n"
        "```\n\n"
        "Where to look first: `waybill show ID` has a document's timeline and reason, "
        "`waybill test PARTNER`\nsays at which step a connection fails, `waybill trace PARTNER` "
        "decodes every command, the log has one line\nfor every refusal. This page is made of a "
        "table in the program (`src/base/trouble_*.c`) by\n`waybill help --troubleshooting`.\n",
        f);
    for (int kind = 0; kind < TROUBLE_KINDS; kind++)
        table((enum trouble_kind)kind, f);
}

/* ---- explain ------------------------------------------------------------------------------ */

/* The reason of the document, when the text is a number and a runtime knows it. */
static const char *reason_of(struct cli *c, const char *text)
{
    json_t *d = NULL;
    const char *reason = text;

    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return text;
    if (cli_call(c, "GET", cli_printf(c, "/api/v1/documents/%s", text), NULL, &d) != CLI_DONE)
        return NULL;
    reason = cli_printf(c, "%s", cli_j_text(d, "reason"));
    if (!c->json) {
        printf("document %s is %s: ", text, cli_j_text(d, "state"));
        cli_put_safe(stdout, reason[0] != '\0' ? reason : "nothing is wrong with it");
        fputs("\n\n", stdout);
    }
    json_decref(d);
    return reason;
}

static json_t *json_of(const struct trouble *t)
{
    return cli_have(json_pack("{ssssssss}", "key", t->key, "means", t->means, "cause", t->cause,
                              "what_to_do", t->cure));
}

static void show(const struct trouble *t)
{
    if (t->kind == TROUBLE_TEXT)
        printf("%s\n", t->means);
    else
        printf("%s%s: %s\n", kinds[t->kind].label, t->key, t->means);
    printf("  cause: %s\n  to do: %s\n\n", t->cause, t->cure);
}

static int run(struct cli *c)
{
    const char *text = "";
    const struct trouble *t;
    json_t *list = cli_have(json_array());
    size_t at = 0;

    for (size_t i = 0; i < c->args_n; i++)
        text = cli_printf(c, "%s%s%s", text, i > 0 ? " " : "", c->args[i]);
    text = reason_of(c, text);
    while (text != NULL && (t = trouble_find(text, &at)) != NULL)
        if (c->json)
            (void)json_array_append_new(list, json_of(t));
        else
            show(t);
    if (c->json)
        cli_print_json(list);
    json_decref(list);
    if (text == NULL)
        return CLI_REFUSED;
    if (at == 0)
        return cli_refused("nothing is known of that; docs/troubleshooting.md has all that is");
    return CLI_DONE;
}

const struct cli_command cmd_explain = {
    .name = "explain",
    .help = "say what an error means and what to do",
    .usage = "TEXT...",
    .more =
        "TEXT is a line of the log, an error's text, an event (oftp2.logon.refused), a code (esid 4, "
        "sfna 2, nerp 34, status 403), a disposition, or the number of a document, whose reason is "
        "looked up in the runtime. All else needs no runtime.",
    .example = "waybill explain esid 4\n",
    .args_min = 1,
    .args_max = SIZE_MAX,
    .run = run,
};
